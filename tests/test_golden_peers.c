/*
 * test_golden_peers.c: holds oracle and library to what PyTorch, Keras and ONNX Runtime computed, each with its own
 * layout of weights, which is read through a view as it lies in the file.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_layouts.h"
#include "network_fixture.h"

enum { STEPS = 5, BATCH = 3, INPUTS = 4, HIDDEN = 3 };

/*
 * Both sides compute in double and differ in the order of their sums alone. The longest sums have T*N = 15 products for
 * a weight and 4H+1 = 13 for a state; with u = 2^-53 one errs by less than 2 * 15 u of its terms, and through 5 steps
 * and 3 layers, whose Jacobians have norms of about one, fewer than 2 * 15 such errors add up: 30*30 u = 1e-13 of the
 * largest value. Ten times that is the bound.
 */
#define TOLERANCE_F64 1e-12

/*
 * Keras' hard sigmoid has the slope 1/6, and a parameter of an activation is an f32: off by at most 2^-25 of itself,
 * and by as much are i, f and o, da_i, da_f and da_o. Through 5 steps 2 * 3 * 5 such errors add up.
 */
#define TOLERANCE_SLOPE (30 * 0x1p-25)

/*
 * ONNX Runtime computes in f32, u = 2^-24. A pre-activation has at most 4 + 3 + 2 + 1 terms whose magnitudes add up to
 * less than 3: (4 + sqrt(10)) 3 u < 22 u. An activation, whose slope is at most 1.1, adds 8 u of its own: 32 u for g,
 * and with the slope 1/4 14 u for i, f and o. A step adds |c| E_f + |g| E_i + |i| E_g + 3 u < 50 u to c, and |s_c| E_o
 * + 9 u < 20 u more to h; through 5 steps, whose Jacobians have norms of about one, 5 * 70 u come together.
 */
#define TOLERANCE_F32 (350 * 0x1p-24)

/* What a file holds of a run under names that Keras' and PyTorch's files share. */
static void read_run(struct golden_file *file, const struct golden_model *model, struct golden_run *run)
{
	size_t cells = model->layers * model->directions, y_count = STEPS * BATCH * model->directions * model->width;

	run->steps = STEPS;
	run->batch = BATCH;
	run->x = golden_numbers(file, "x", STEPS * BATCH * INPUTS);
	run->h0 = golden_numbers(file, "h0", cells * BATCH * model->width);
	run->c0 = golden_numbers(file, "c0", cells * BATCH * HIDDEN);
	run->dy = golden_numbers(file, "dy", y_count);
	run->dh = golden_numbers(file, "dhn", cells * BATCH * model->width);
	run->dc = golden_numbers(file, "dcn", cells * BATCH * HIDDEN);
}

static void compare_run(struct golden_file *file, const struct golden_run *run, double tolerance)
{
	golden_compare(file, "y", run->y, run->y_count, tolerance);
	golden_compare(file, "hn", run->hn, run->h_count, tolerance);
	golden_compare(file, "cn", run->cn, run->c_count, tolerance);
	golden_compare(file, "dx", run->dx, run->x_count, tolerance);
	golden_compare(file, "dh0", run->dh0, run->h_count, tolerance);
	golden_compare(file, "dc0", run->dc0, run->c_count, tolerance);
}

/* -------------------------------------------------------------------------------------------------- PyTorch ----- */

static const struct torch_case {
	const char *name;
	size_t layers;
	sluice_direction direction;
	size_t projection;
	sluice_layout layout;
	int no_bias;
} TORCH[] = {
	{"torch_layers", 3, SLUICE_FORWARD, 0, SLUICE_TIME_MAJOR, 0},
	{"torch_bidirectional", 2, SLUICE_BIDIRECTIONAL, 0, SLUICE_TIME_MAJOR, 0},
	{"torch_projection", 2, SLUICE_BIDIRECTIONAL, 2, SLUICE_TIME_MAJOR, 0},
	{"torch_batch_first", 2, SLUICE_FORWARD, 0, SLUICE_BATCH_MAJOR, 0},
	{"torch_no_bias", 1, SLUICE_FORWARD, 0, SLUICE_TIME_MAJOR, 1},
};

static void check_torch(const struct torch_case *one, enum golden_engine engine)
{
	struct golden_file file = golden_open(one->name, engine);
	sluice_layer layer = SLUICE_LAYER_INIT;
	struct golden_model model;
	struct golden_run run = {0};

	layer.hidden = HIDDEN;
	layer.direction = one->direction;
	layer.projection = one->projection;
	layer.no_bias = one->no_bias;
	model = golden_model_create(INPUTS, one->layers, &layer);
	golden_torch_weights(&file, &model);
	read_run(&file, &model, &run);
	golden_compute(&model, file.engine, one->layout, &run);
	compare_run(&file, &run, TOLERANCE_F64);
	golden_torch_compare(&file, &model, run.dparameters, TOLERANCE_F64);
	golden_run_free(&run);
	golden_model_destroy(&model);
	golden_close(&file);
}

static void torch_all(enum golden_engine engine)
{
	for (size_t k = 0; k < sizeof(TORCH) / sizeof(TORCH[0]); k++)
		check_torch(&TORCH[k], engine);
}

/* Points at which PyTorch's functions were evaluated; each is a row of a batch. */
#define POINTS 35

/*
 * An activation in double is at most a dozen operations, each rounding by 2^-53 of a number that is at most four times
 * the largest result: 48 u.
 */
#define TOLERANCE_ACTIVATION (48 * 0x1p-53)

/* i, f and o are one and c' is zero, so h = g: a layer of one activation. Its gradient is the slope. */
static void check_activation(struct golden_file *file, sluice_activation_kind kind, const char *word)
{
	static const double ONES[4] = {1, 1, 1, 1}, ZEROS[4] = {0, 0, 0, 0}, PRELU = 0.125;
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_weights weights = SLUICE_WEIGHTS_INIT;
	struct golden_model model;
	struct golden_run run = {.steps = 1, .batch = POINTS};
	double dy[POINTS];
	const float *parameters;
	char name[64];

	snprintf(name, sizeof(name), "%s.parameters", word);
	parameters = golden_raw(file, name, SLUICE_ELEMENT_F32, 3);
	layer.hidden = 1;
	layer.no_bias = 1;
	layer.no_gates = SLUICE_GATE_I | SLUICE_GATE_F | SLUICE_GATE_O;
	layer.candidate_activation = (sluice_activation){kind, parameters[0], parameters[1], parameters[2]};
	layer.cell_activation.kind = SLUICE_ACTIVATION_IDENTITY;
	model = golden_model_create(1, 1, &layer);
	weights.dtype = SLUICE_F64;
	weights.input = ONES;
	weights.recurrent = ZEROS;
	if (kind == SLUICE_ACTIVATION_PRELU)
		weights.prelu[2] = &PRELU;
	assert_ok(sluice_model_set_weights(model.model, 0, 0, &weights));
	run.x = golden_numbers(file, "x", POINTS);
	for (size_t k = 0; k < POINTS; k++)
		dy[k] = 1;
	run.dy = dy;
	golden_compute(&model, file->engine, SLUICE_TIME_MAJOR, &run);
	snprintf(name, sizeof(name), "%s.value", word);
	golden_compare(file, name, run.y, POINTS, TOLERANCE_ACTIVATION);
	snprintf(name, sizeof(name), "%s.slope", word);
	golden_compare(file, name, run.dx, POINTS, TOLERANCE_ACTIVATION);
	golden_run_free(&run);
	golden_model_destroy(&model);
}

static void activations_all(enum golden_engine engine)
{
	static const char *const WORDS[] = {
#define WORD(name, text) text,
		SLUICE_ACTIVATION_MAP(WORD)
#undef WORD
	};

	for (size_t kind = 1; kind < sizeof(WORDS) / sizeof(WORDS[0]); kind++) {
		struct golden_file file = golden_open("torch_activations", engine);
		int prelu = kind == SLUICE_ACTIVATION_PRELU;

		check_activation(&file, (sluice_activation_kind)kind, prelu ? "leaky_relu" : WORDS[kind]);
		golden_close(&file);
	}
}

/* ---------------------------------------------------------------------------------------------------- Keras ----- */

static const struct keras_case {
	const char *name;
	sluice_direction direction;
	sluice_activation activation, recurrent_activation;
	int no_bias;
	double tolerance;
} KERAS[] = {
	{"keras_plain", SLUICE_FORWARD, {0}, {0}, 0, TOLERANCE_F64},
	{"keras_forget_bias", SLUICE_FORWARD, {0}, {0}, 0, TOLERANCE_F64},
	{"keras_relu", SLUICE_FORWARD, {SLUICE_ACTIVATION_RELU, 0, 0, 0}, {0}, 1, TOLERANCE_F64},
	{"keras_softsign",
	 SLUICE_FORWARD,
	 {SLUICE_ACTIVATION_SOFTSIGN, 0, 0, 0},
	 {SLUICE_ACTIVATION_HARD_SIGMOID, 1.0f / 6, 0.5f, 0},
	 0,
	 TOLERANCE_SLOPE},
	{"keras_backwards", SLUICE_REVERSE, {SLUICE_ACTIVATION_ELU, 1, 0, 0}, {0}, 0, TOLERANCE_F64},
	{"keras_bidirectional", SLUICE_BIDIRECTIONAL, {0}, {0}, 0, TOLERANCE_F64},
};

/* go_backwards puts outputs out in the order of processing, the reverse of the order here. */
static double *steps_reversed(const double *from, size_t width)
{
	double *to = aligned_zeros(STEPS * BATCH * width * sizeof(double));

	for (size_t row = 0; row < BATCH; row++)
		for (size_t t = 0; t < STEPS; t++)
			memcpy(to + (row * STEPS + t) * width, from + (row * STEPS + STEPS - 1 - t) * width,
			       width * sizeof(double));
	return to;
}

static void check_keras(const struct keras_case *one, enum golden_engine engine)
{
	struct golden_file file = golden_open(one->name, engine);
	sluice_layer layer = SLUICE_LAYER_INIT;
	struct golden_model model;
	struct golden_run run = {0};
	double *dy = NULL;

	layer.hidden = HIDDEN;
	layer.direction = one->direction;
	layer.no_bias = one->no_bias;
	layer.candidate_activation = layer.cell_activation = one->activation;
	layer.input_activation = layer.forget_activation = layer.output_activation = one->recurrent_activation;
	model = golden_model_create(INPUTS, 1, &layer);
	golden_keras_weights(&file, &model);
	read_run(&file, &model, &run);
	if (one->direction == SLUICE_REVERSE)
		run.dy = dy = steps_reversed(run.dy, HIDDEN);
	golden_compute(&model, file.engine, SLUICE_BATCH_MAJOR, &run);
	if (one->direction == SLUICE_REVERSE) {
		double *y = run.y;

		run.y = steps_reversed(y, HIDDEN);
		free(y);
	}
	compare_run(&file, &run, one->tolerance);
	golden_keras_compare(&file, &model, run.dparameters, one->tolerance);
	free(dy);
	golden_run_free(&run);
	golden_model_destroy(&model);
	golden_close(&file);
}

static void keras_all(enum golden_engine engine)
{
	for (size_t k = 0; k < sizeof(KERAS) / sizeof(KERAS[0]); k++)
		check_keras(&KERAS[k], engine);
}

/* The bias that Keras starts from with unit_forget_bias is forget_bias = 1 here. */
static void test_keras_forget_bias(void **state)
{
	struct golden_file file = golden_open("keras_forget_bias", GOLDEN_F32);
	sluice_initialization initialization = SLUICE_INITIALIZATION_INIT;
	sluice_layer layer = SLUICE_LAYER_INIT;
	struct golden_model model;
	const double *bias = golden_numbers(&file, "bias", 4 * HIDDEN);
	size_t bias_at = 0;

	(void)state;
	layer.hidden = HIDDEN;
	model = golden_model_create(INPUTS, 1, &layer);
	initialization.forget_bias = 1;
	assert_ok(sluice_model_initialize(model.model, &initialization));
	for (size_t k = 0; k < sluice_model_parameter_count(model.model); k++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;

		assert_ok(sluice_model_parameter(model.model, k, &parameter));
		if (strcmp(parameter.name, "bias_l0") == 0)
			bias_at = parameter.offset;
	}
	for (size_t k = 0; k < 4 * HIDDEN; k++)
		assert_true((double)sluice_model_parameters(model.model, NULL)[bias_at + k] == bias[k]);
	golden_model_destroy(&model);
	golden_close(&file);
}

/* ----------------------------------------------------------------------------------------------------- ONNX ----- */

#define SIGMOID                                    \
	{                                          \
		SLUICE_ACTIVATION_SIGMOID, 0, 0, 0 \
	}
#define TANH                                    \
	{                                       \
		SLUICE_ACTIVATION_TANH, 0, 0, 0 \
	}

static const struct onnx_case {
	const char *name;
	sluice_direction direction;
	int peephole, coupled;
	float clip;
	sluice_activation f, g, h; /* as ONNX calls them: of the gates, the candidate and the cell output */
	sluice_layout layout;
} ONNX[] = {
	{"onnx_plain", SLUICE_FORWARD, 0, 0, 0, SIGMOID, TANH, TANH, SLUICE_TIME_MAJOR},
	{"onnx_peephole", SLUICE_BIDIRECTIONAL, 1, 0, 0, SIGMOID, TANH, TANH, SLUICE_TIME_MAJOR},
	{"onnx_clip", SLUICE_REVERSE, 1, 0, 0.375f, SIGMOID, TANH, TANH, SLUICE_TIME_MAJOR},
	{"onnx_input_forget", SLUICE_BIDIRECTIONAL, 1, 1, 0, SIGMOID, TANH, TANH, SLUICE_TIME_MAJOR},
	{"onnx_scaled",
	 SLUICE_BIDIRECTIONAL,
	 1,
	 0,
	 0,
	 {SLUICE_ACTIVATION_HARD_SIGMOID, 0.25f, 0.5f, 0},
	 {SLUICE_ACTIVATION_SCALED_TANH, 1.75f, 0.625f, 0},
	 {SLUICE_ACTIVATION_LEAKY_RELU, 0.125f, 0, 0},
	 SLUICE_TIME_MAJOR},
	{"onnx_elu",
	 SLUICE_FORWARD,
	 1,
	 0,
	 0,
	 SIGMOID,
	 {SLUICE_ACTIVATION_SOFTSIGN, 0, 0, 0},
	 {SLUICE_ACTIVATION_ELU, 0.75f, 0, 0},
	 SLUICE_TIME_MAJOR},
	{"onnx_affine",
	 SLUICE_REVERSE,
	 0,
	 0,
	 0,
	 {SLUICE_ACTIVATION_LINEAR, 0.25f, 0.5f, 0},
	 {SLUICE_ACTIVATION_SOFTPLUS, 1, 1, 0},
	 {SLUICE_ACTIVATION_THRESHOLD, 0.25f, 0, 0},
	 SLUICE_TIME_MAJOR},
	{"onnx_relu", SLUICE_FORWARD, 1, 0, 0.5f, SIGMOID, {SLUICE_ACTIVATION_RELU, 0, 0, 0}, TANH, SLUICE_TIME_MAJOR},
	{"onnx_layout", SLUICE_BIDIRECTIONAL, 1, 0, 0, SIGMOID, TANH, TANH, SLUICE_BATCH_MAJOR},
};

static void check_onnx(const struct onnx_case *one, enum golden_engine engine)
{
	struct golden_file file = golden_open(one->name, engine);
	sluice_layer layer = SLUICE_LAYER_INIT;
	struct golden_model model;
	struct golden_run run = {.steps = STEPS, .batch = BATCH};
	double *h0, *c0;

	layer.hidden = HIDDEN;
	layer.direction = one->direction;
	layer.peephole = one->peephole ? SLUICE_PEEPHOLE_DIAGONAL : SLUICE_PEEPHOLE_NONE;
	layer.no_peepholes = one->peephole ? SLUICE_GATE_G : 0;
	layer.coupled = one->coupled;
	layer.gate_clip = one->clip;
	layer.input_activation = layer.forget_activation = layer.output_activation = one->f;
	layer.candidate_activation = one->g;
	layer.cell_activation = one->h;
	model = golden_model_create(INPUTS, 1, &layer);
	golden_onnx_weights(&file, &model);
	run.x = golden_numbers(&file, "X", STEPS * BATCH * INPUTS);
	run.h0 = golden_numbers(&file, "initial_h", model.directions * BATCH * HIDDEN);
	run.c0 = golden_numbers(&file, "initial_c", model.directions * BATCH * HIDDEN);
	h0 = golden_swapped(run.h0, BATCH, model.directions, HIDDEN);
	c0 = golden_swapped(run.c0, BATCH, model.directions, HIDDEN);
	if (one->layout == SLUICE_BATCH_MAJOR) {
		run.h0 = h0;
		run.c0 = c0;
	}
	golden_compute(&model, file.engine, one->layout, &run);
	golden_onnx_compare(&file, &model, one->layout, &run, TOLERANCE_F32);
	free(h0);
	free(c0);
	golden_run_free(&run);
	golden_model_destroy(&model);
	golden_close(&file);
}

static void onnx_all(enum golden_engine engine)
{
	for (size_t k = 0; k < sizeof(ONNX) / sizeof(ONNX[0]); k++)
		check_onnx(&ONNX[k], engine);
}

/* ---------------------------------------------------------------------------------------------------- tests ----- */

#define BOTH(all)                                      \
	static void test_##all##_oracle(void **state)  \
	{                                              \
		(void)state;                           \
		all(GOLDEN_ORACLE);                    \
	}                                              \
	static void test_##all##_library(void **state) \
	{                                              \
		(void)state;                           \
		all(GOLDEN_F64);                       \
	}

BOTH(torch_all)
BOTH(activations_all)
BOTH(keras_all)
BOTH(onnx_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_all_oracle),       cmocka_unit_test(test_torch_all_library),
		cmocka_unit_test(test_activations_all_oracle), cmocka_unit_test(test_activations_all_library),
		cmocka_unit_test(test_keras_all_oracle),       cmocka_unit_test(test_keras_all_library),
		cmocka_unit_test(test_onnx_all_oracle),        cmocka_unit_test(test_onnx_all_library),
		cmocka_unit_test(test_keras_forget_bias),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
