/* test_tape.c exists for the tape: as large as docs/NUMERICS.md says, written whole and no further, only read by
 * backward, and dispensable: gates computed again, or taken from the run, give the same gradients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network_fixture.h"

enum { STEPS = 6, BATCH = 3, INPUTS = 5, LAYERS = 2, GUARD = 64 };

/* Layers without a hidden size are none. */
struct example {
	const char *name;
	size_t outputs;
	int refused; /* by tape mode outputs: gates and c do not determine its gradients */
	sluice_layer layers[LAYERS];
};

#define LAYER(...)                                         \
	{                                                  \
		.size = sizeof(sluice_layer), __VA_ARGS__, \
	}
#define SOFTSIGN                                    \
	{                                           \
		.kind = SLUICE_ACTIVATION_SOFTSIGN, \
	}
#define HARD                                                                  \
	{                                                                     \
		.kind = SLUICE_ACTIVATION_HARD_SIGMOID, .a = 0.2f, .b = 0.5f, \
	}
#define PRELU                                    \
	{                                        \
		.kind = SLUICE_ACTIVATION_PRELU, \
	}

static const struct example examples[] = {
	{"plain", 0, 0, {LAYER(.hidden = 16)}},
	{"off the vector width", 2, 0, {LAYER(.hidden = 33), LAYER(.hidden = 7)}},
	{"reverse", 0, 0, {LAYER(.hidden = 20, .direction = SLUICE_REVERSE)}},
	{"bidirectional with dropout",
	 3,
	 0,
	 {LAYER(.hidden = 17, .direction = SLUICE_BIDIRECTIONAL, .dropout = 0.25f),
	  LAYER(.hidden = 31, .dropout = 0.5f)}},
	{"added directions, a learned start",
	 3,
	 0,
	 {LAYER(.hidden = 19, .direction = SLUICE_BIDIRECTIONAL, .combination = SLUICE_ADD, .learned_start = 1),
	  LAYER(.hidden = 9, .direction = SLUICE_BIDIRECTIONAL, .combination = SLUICE_ADD, .dropout = 0.25f)}},
	{"narrower h",
	 0,
	 0,
	 {LAYER(.hidden = 40, .projection = 9, .projection_clip = 0.2f),
	  LAYER(.hidden = 12, .projection = 17, .direction = SLUICE_BIDIRECTIONAL)}},
	{"wider h", 2, 0, {LAYER(.hidden = 5, .projection = 50)}},
	{"diagonal peepholes, hard sigmoids",
	 0,
	 0,
	 {LAYER(.hidden = 18, .peephole = SLUICE_PEEPHOLE_DIAGONAL, .input_activation = HARD, .forget_activation = HARD,
		.output_activation = HARD)}},
	{"full peepholes, clipped cell, softsign of the cell",
	 0,
	 0,
	 {LAYER(.hidden = 19, .peephole = SLUICE_PEEPHOLE_FULL, .cell_clip = 0.5f, .cell_activation = SOFTSIGN)}},
	{"coupled, old cell",
	 0,
	 0,
	 {LAYER(.hidden = 8, .coupled = 1, .peephole = SLUICE_PEEPHOLE_FULL, .peephole_previous = 1)}},
	{"absent gate, PReLU of the cell",
	 0,
	 0,
	 {LAYER(.hidden = 21, .no_gates = SLUICE_GATE_I, .cell_activation = PRELU)}},
	{"drawn masks",
	 0,
	 0,
	 {LAYER(.hidden = 22, .recurrent_dropout = 0.3f, .recurrent_dropout_shape = SLUICE_MASK_STEP,
		.dropconnect = 0.3f),
	  LAYER(.hidden = 6, .recurrent_dropout = 0.3f)}},
	{"zoneout",
	 0,
	 1,
	 {LAYER(.hidden = 23, .zoneout_h = 0.2f, .zoneout_c = 0.3f, .direction = SLUICE_REVERSE), LAYER(.hidden = 4)}},
	{"clipped gates", 0, 1, {LAYER(.hidden = 24, .gate_clip = 0.3f, .direction = SLUICE_BIDIRECTIONAL)}},
	{"softsign candidate", 2, 1, {LAYER(.hidden = 5), LAYER(.hidden = 25, .candidate_activation = SOFTSIGN)}},
};
enum { EXAMPLES = sizeof examples / sizeof examples[0] };

static const sluice_dtype stored[] = {SLUICE_F32, SLUICE_F16, SLUICE_BF16, SLUICE_F64};
enum { STORED = sizeof stored / sizeof stored[0] };

static size_t bytes_of(sluice_dtype dtype)
{
	return dtype == SLUICE_F64 ? 8 : dtype == SLUICE_F32 ? 4 : 2;
}

static size_t up(size_t value, size_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static size_t layers_of(const struct example *example)
{
	return example->layers[1].hidden ? 2 : 1;
}

/* --- the formula, as the document has it --- */

/* Whether pre-activations are kept besides the gates: the examples' only gates for which they are. */
static int keeps_arguments(const sluice_layer *layer)
{
	return layer->gate_clip > 0 || layer->candidate_activation.kind == SLUICE_ACTIVATION_SOFTSIGN;
}

static size_t formula(const struct example *example, sluice_dtype type, sluice_tape_mode mode, size_t steps)
{
	const size_t s = bytes_of(type), w = type == SLUICE_F64 ? 8 : 4;
	size_t step = 0, fixed = 0;
	if (mode == SLUICE_TAPE_OUTPUTS)
		return 0;
	for (size_t index = 0; index < layers_of(example); index++) {
		const sluice_layer *layer = &example->layers[index];
		const size_t D = layer->direction == SLUICE_BIDIRECTIONAL ? 2 : 1;
		const size_t p = up(layer->hidden, 16),
			     r = up(layer->projection ? layer->projection : layer->hidden, 16);
		const int adds = layer->combination == SLUICE_ADD;
		size_t gates = 0, made = 0;
		if (mode == SLUICE_TAPE_FULL) {
			gates = keeps_arguments(layer) ? 8 * p : 4 * p;
			made = layer->dropout > 0 || adds ? (adds ? 1 : D) * r : 0;
		}
		step += D * (up(BATCH * (gates + r) * s, 64) + BATCH * p * w) + up(BATCH * made * s, 64);
		fixed += D * (up(BATCH * r * s, 64) + BATCH * p * w);
	}
	return steps * step + fixed;
}

/* --- a network with everything that its runs need --- */

struct subject {
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	sluice_run run;
	sluice_gradients gradients;
	size_t x_bytes, parameter_bytes, state_bytes, tape_bytes;
	void *block[12];
	size_t blocks;
	char *tape; /* the tape with a guard before and after it */
};

static void *room(struct subject *subject, size_t bytes)
{
	assert_true(subject->blocks < sizeof subject->block / sizeof subject->block[0]);
	return subject->block[subject->blocks++] = aligned_zeros(bytes);
}

static sluice_status create(struct subject *subject, const struct example *example, const char *isa, sluice_dtype type,
			    sluice_tape_mode mode)
{
	sluice_context_options context = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_plan_options plan = SLUICE_PLAN_OPTIONS_INIT;
	*subject = (struct subject){0};
	context.isa = isa;
	assert_ok(sluice_context_create(&context, &subject->context));
	description.inputs = INPUTS;
	description.layer_count = layers_of(example);
	description.layers = example->layers;
	description.outputs = example->outputs;
	assert_ok(sluice_model_create(subject->context, &description, &subject->model));
	assert_ok(sluice_model_initialize(subject->model, NULL));
	plan.steps = STEPS;
	plan.batch = BATCH;
	plan.training = 1;
	plan.data = type == SLUICE_F64 ? SLUICE_F64 : SLUICE_F32;
	plan.tape = type;
	plan.tape_mode = mode;
	return sluice_plan_create(subject->model, &plan, &subject->plan);
}

static void destroy(struct subject *subject)
{
	sluice_plan_destroy(subject->plan);
	sluice_model_destroy(subject->model);
	sluice_context_destroy(subject->context);
	for (size_t k = 0; k < subject->blocks; k++)
		free(subject->block[k]);
}

/* Random numbers in every tensor that initialisation leaves zero. */
static void fill_parameters(const struct subject *subject)
{
	float *parameters = sluice_model_parameters(subject->model, NULL);
	for (size_t k = 0; k < sluice_model_parameter_count(subject->model); k++) {
		sluice_parameter each = SLUICE_PARAMETER_INIT;
		assert_ok(sluice_model_parameter(subject->model, k, &each));
		if (strncmp(each.name, "bias", 4) == 0 || strncmp(each.name, "prelu", 5) == 0)
			fill_random(parameters + each.offset, each.rows * each.columns, 90 + k);
	}
	assert_ok(sluice_plan_update(subject->plan));
}

/* Memory for f32 runs; the tape's of exactly its size for so many steps, between guards. All of it is not a number, so
 * that reading what nobody wrote shows. */
static void prepare(struct subject *subject, const struct example *example, size_t steps)
{
	const size_t outputs = sluice_model_outputs(subject->model), rows = steps * BATCH;
	size_t parameters, cells = 0;
	sluice_model_parameters(subject->model, &parameters);
	fill_parameters(subject);
	for (size_t index = 0; index < layers_of(example); index++)
		cells += example->layers[index].hidden *
			 (example->layers[index].direction == SLUICE_BIDIRECTIONAL ? 2 : 1);
	subject->x_bytes = rows * INPUTS * sizeof(float);
	subject->parameter_bytes = parameters * sizeof(float);
	subject->state_bytes = sluice_plan_state_size(subject->plan, BATCH);
	subject->tape_bytes = sluice_plan_tape_size(subject->plan, steps);
	float *x = room(subject, subject->x_bytes), *dy = room(subject, rows * outputs * sizeof(float));
	fill_random(x, rows * INPUTS, 1);
	fill_random(dy, rows * outputs, 2);
	subject->run = (sluice_run)SLUICE_RUN_INIT;
	subject->run.steps = steps;
	subject->run.x = x;
	subject->run.y = room(subject, rows * outputs * sizeof(float));
	subject->run.workspace = room(subject, sluice_plan_workspace_size(subject->plan));
	memset(subject->run.workspace, 0xff, sluice_plan_workspace_size(subject->plan));
	subject->run.training = 1;
	subject->run.seed = 3;
	if (subject->tape_bytes) {
		subject->tape = room(subject, subject->tape_bytes + 2 * GUARD);
		memset(subject->tape, 0xff, subject->tape_bytes + 2 * GUARD);
		subject->run.tape = subject->tape + GUARD;
	} else {
		subject->run.c = room(subject, rows * cells * sizeof(float));
		subject->run.gates = room(subject, 4 * rows * cells * sizeof(float));
	}
	/* A state of small numbers, its padding included, is as good as any; and so are its gradients. */
	float *initial = room(subject, subject->state_bytes);
	fill_random(initial, subject->state_bytes / sizeof(float), 4);
	subject->run.initial_state = initial;
	subject->gradients = (sluice_gradients)SLUICE_GRADIENTS_INIT;
	subject->gradients.dy = dy;
	subject->gradients.dfinal = initial;
	subject->gradients.dx = room(subject, subject->x_bytes);
	subject->gradients.dparameters = room(subject, subject->parameter_bytes);
	subject->gradients.dinitial = room(subject, subject->state_bytes);
}

static void assert_guarded(const struct subject *subject, const char *name)
{
	for (size_t k = 0; k < GUARD; k++)
		if ((unsigned char)subject->tape[k] != 0xff ||
		    (unsigned char)subject->tape[GUARD + subject->tape_bytes + k] != 0xff)
			fail_msg("%s: a byte beside the tape was written", name);
}

static void assert_finite(const struct subject *subject, const char *name)
{
	const float *dparameters = subject->gradients.dparameters, *dx = subject->gradients.dx;
	for (size_t k = 0; k < subject->parameter_bytes / sizeof(float); k++)
		if (dparameters[k] - dparameters[k] != 0)
			fail_msg("%s: dparameters[%zu] is %g", name, k, (double)dparameters[k]);
	for (size_t k = 0; k < subject->x_bytes / sizeof(float); k++)
		if (dx[k] - dx[k] != 0)
			fail_msg("%s: dx[%zu] is %g", name, k, (double)dx[k]);
}

static void assert_same_gradients(const struct subject *left, const struct subject *right, const char *name)
{
	const sluice_gradients *a = &left->gradients, *b = &right->gradients;
	if (memcmp(a->dx, b->dx, left->x_bytes) != 0)
		fail_msg("%s: dx differs", name);
	if (memcmp(a->dparameters, b->dparameters, left->parameter_bytes) != 0)
		fail_msg("%s: dparameters differ", name);
	if (memcmp(a->dinitial, b->dinitial, left->state_bytes) != 0)
		fail_msg("%s: dinitial differs", name);
}

static void run_both_ways(struct subject *subject)
{
	assert_ok(sluice_forward(subject->plan, &subject->run));
	assert_ok(sluice_backward(subject->plan, &subject->run, &subject->gradients));
}

/* --- tests --- */

static void test_formula(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < EXAMPLES * STORED * 3; k++) {
		const struct example *example = &examples[k % EXAMPLES];
		const sluice_dtype type = stored[k / EXAMPLES % STORED];
		const sluice_tape_mode mode = (sluice_tape_mode)(k / EXAMPLES / STORED);
		struct subject subject;
		if (mode == SLUICE_TAPE_OUTPUTS && example->refused) {
			assert_refused(create(&subject, example, NULL, type, mode), SLUICE_UNSUPPORTED, "tape_mode");
			destroy(&subject);
			continue;
		}
		assert_ok(create(&subject, example, NULL, type, mode));
		for (size_t steps = 0; steps <= STEPS; steps++) {
			const size_t queried = sluice_plan_tape_size(subject.plan, steps);
			const size_t expected = formula(example, type, mode, steps);
			if (queried != expected)
				fail_msg("%s, type %d, mode %d, %zu steps: %zu bytes, %zu expected", example->name,
					 (int)type, (int)mode, steps, queried, expected);
		}
		destroy(&subject);
	}
}

static void test_inference_has_no_tape(void **unused)
{
	(void)unused;
	struct network network = network_create(&(struct wish){.steps = 3, .inputs = 2, .hidden = {4}});
	assert_int_equal(sluice_plan_tape_size(network.plan, 3), 0);
	network_destroy(&network);
}

/* Also of calls that are shorter than the plan allows. */
static void test_size_is_enough_and_backward_only_reads(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < EXAMPLES * 3 * 2; k++) {
		const struct example *example = &examples[k % EXAMPLES];
		const sluice_tape_mode mode = k / EXAMPLES / 3 ? SLUICE_TAPE_RECOMPUTE : SLUICE_TAPE_FULL;
		for (size_t steps = 1; steps <= STEPS; steps += STEPS - 1) {
			struct subject subject;
			assert_ok(create(&subject, example, NULL, stored[k / EXAMPLES % 3], mode));
			prepare(&subject, example, steps);
			assert_ok(sluice_forward(subject.plan, &subject.run));
			assert_guarded(&subject, example->name);
			char *copy = aligned_zeros(subject.tape_bytes);
			memcpy(copy, subject.run.tape, subject.tape_bytes);
			memset(subject.run.workspace, 0xff, sluice_plan_workspace_size(subject.plan));
			assert_ok(sluice_backward(subject.plan, &subject.run, &subject.gradients));
			assert_guarded(&subject, example->name);
			if (memcmp(copy, subject.run.tape, subject.tape_bytes) != 0)
				fail_msg("%s: backward changed the tape", example->name);
			assert_finite(&subject, example->name);
			free(copy);
			destroy(&subject);
		}
	}
}

/* On every level: gates computed again, or given by the run, are those of the tape, and h rebuilt from them by the same
 * operations in the same order is h, projected or not. */
static void test_modes_agree(void **unused)
{
	(void)unused;
	for (size_t level = 0; sluice_isa_name(level); level++) {
		for (size_t k = 0; k < EXAMPLES && sluice_isa_available(level); k++) {
			const struct example *example = &examples[k];
			struct subject full, other;
			assert_ok(create(&full, example, sluice_isa_name(level), SLUICE_F32, SLUICE_TAPE_FULL));
			prepare(&full, example, STEPS);
			run_both_ways(&full);
			assert_finite(&full, example->name);
			for (int mode = SLUICE_TAPE_RECOMPUTE; mode <= SLUICE_TAPE_OUTPUTS; mode++) {
				if (mode == SLUICE_TAPE_OUTPUTS && example->refused)
					continue;
				assert_ok(create(&other, example, sluice_isa_name(level), SLUICE_F32,
						 (sluice_tape_mode)mode));
				prepare(&other, example, STEPS);
				run_both_ways(&other);
				assert_same_gradients(&full, &other, example->name);
				destroy(&other);
			}
			destroy(&full);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formula),
		cmocka_unit_test(test_inference_has_no_tape),
		cmocka_unit_test(test_size_is_enough_and_backward_only_reads),
		cmocka_unit_test(test_modes_agree),
	};
	return cmocka_run_group_tests_name("tape", tests, NULL, NULL);
}
