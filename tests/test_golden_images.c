/*
 * test_golden_images.c: holds oracle and library to the ConvLSTMs of Keras and of PyTorch's users, whose kernels are
 * read through views as they lie in the files: [height, width, inputs, 4H] and [4H, inputs, height, width], two of them
 * in one tensor or one for each gate.
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

#include "golden_fixture.h"
#include "network_fixture.h"

enum { STEPS = 3, BATCH = 2, HIDDEN = 2, LAYERS_MAX = 2, NAME = 64 };

/*
 * Both sides compute in double and differ in the order of their sums alone. The longest are those of a kernel's
 * gradient, over the steps, rows and places: 3 * 2 * 42 products; one errs by less than 2 * 252 u of its terms, u =
 * 2^-53, and through 3 steps and 2 layers, whose Jacobians have norms of about one, six such errors come together: 3024
 * u = 3.4e-13 of the largest value.
 */
#define TOLERANCE_F64 (2 * 252 * 6 * 0x1p-53)

/* Keras' hard sigmoid has the slope 1/6, and a parameter of an activation is an f32: off by at most 2^-25 of itself,
 * and by as much are i, f and o, da_i, da_f and da_o. Through 3 steps 2 * 3 * 3 such errors add up. */
#define TOLERANCE_SLOPE (18 * 0x1p-25)

/*
 * In f32 u = 2^-24, and what rounds is a chain of 252 sums at most, each rounding at random by at most u of a partial
 * sum that is no larger than the largest value by more than a factor of two: as errors at random add up like their
 * squares, six standard deviations of them are 6 sqrt(252) 2 u = 190 u, and an activation and the cell add less than 10
 * u. Six come together as above.
 */
#define TOLERANCE_F32 (6 * 200 * 0x1p-24)

static double tolerance_of(const struct golden_file *file, double of_doubles)
{
	return file->engine == GOLDEN_F32 ? TOLERANCE_F32 : of_doubles;
}

/* --------------------------------------------------------------------------------------------------- models ----- */

/* Images of x and how a peer calls and orders things. */
struct peer {
	size_t height, width, inputs;
	const char *order; /* of its gates */
	sluice_layout layout;
};

static size_t places_of(const sluice_model *model, size_t layer)
{
	size_t height, width;

	assert_ok(sluice_model_image(model, layer, &height, &width));
	return height * width;
}

/* A model whose counts are those of whole images. */
static struct golden_model model_create(const struct peer *peer, size_t layer_count, const sluice_layer *layers)
{
	struct golden_model made = {.layers = layer_count};
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	description.inputs = peer->inputs;
	description.image_height = peer->height;
	description.image_width = peer->width;
	description.layer_count = layer_count;
	description.layers = layers;
	made.directions = layers->direction == SLUICE_BIDIRECTIONAL ? 2 : 1;
	made.inputs = peer->height * peer->width * peer->inputs;
	assert_ok(sluice_context_create(NULL, &made.context));
	assert_ok(sluice_model_create(made.context, &description, &made.model));
	made.hidden = made.width = places_of(made.model, 0) * HIDDEN;
	return made;
}

/* -------------------------------------------------------------------------------------------------- kernels ----- */

/* Where the numbers of one tensor of a layer lie in a file. Four gates are `gate` elements apart, in the peer's order;
 * or each is a tensor of its own, whose name has the gate's letter in place of '@'. */
struct placement {
	char tensor[NAME]; /* "": the file has none */
	size_t count;      /* elements of the whole tensor */
	size_t first;      /* the first one that belongs here */
	size_t gate;
	size_t units, height, width, channels; /* of one gate; a bias has one channel */
	size_t row, y, x, column;              /* strides */
};

/* What a file holds of one layer and direction. */
struct parts {
	struct placement input, recurrent, bias, peephole;
};

/* Whether every gate is a tensor; names it. */
static int tensor_of(const struct placement *part, char letter, char *name)
{
	char *place;

	strcpy(name, part->tensor);
	place = strchr(name, '@');
	if (place)
		*place = letter;
	return place != NULL;
}

/* The numbers of one gate; NULL if the file has none. */
static const double *gate_of(const struct golden_file *file, const struct placement *part, const char *before,
			     const char *order, char letter)
{
	char name[NAME], full[2 * NAME];
	const double *raw;
	int single = tensor_of(part, letter, name);
	size_t gate = single ? 0 : (size_t)(strchr(order, letter) - order);

	snprintf(full, sizeof(full), "%s%s", before, name);
	if (!part->tensor[0] || !sluice_tensors_has(file->tensors, full))
		return NULL;
	raw = golden_raw(file, full, SLUICE_ELEMENT_F64, part->count);
	if (part->first + gate * part->gate >= part->count)
		return NULL;
	return raw + part->first + gate * part->gate;
}

/* Lends a whole block, or each gate. */
static void lend(const struct golden_file *file, const struct placement *part, const char *order, const void **whole,
		 const void **gates)
{
	if (whole && !strchr(part->tensor, '@')) {
		*whole = gate_of(file, part, "", order, order[0]);
		return;
	}
	for (size_t k = 0; k < 4; k++)
		gates[k] = gate_of(file, part, "", order, order[k]);
}

static void weights_set(const struct golden_file *file, const struct golden_model *model, const struct peer *peer,
			size_t cell, const struct parts *parts)
{
	sluice_weights weights = SLUICE_WEIGHTS_INIT;

	weights.dtype = SLUICE_F64;
	weights.order = peer->order;
	lend(file, &parts->input, peer->order, &weights.input, weights.input_gates);
	lend(file, &parts->recurrent, peer->order, &weights.recurrent, weights.recurrent_gates);
	lend(file, &parts->bias, peer->order, &weights.bias, weights.bias_gates);
	lend(file, &parts->peephole, peer->order, NULL, weights.peephole_gates);
#define STRIDES(name)                                          \
	weights.name##_row = (ptrdiff_t)parts->name.row;       \
	weights.name##_column = (ptrdiff_t)parts->name.column; \
	weights.name##_y = (ptrdiff_t)parts->name.y;           \
	weights.name##_x = (ptrdiff_t)parts->name.x
	STRIDES(input);
	STRIDES(recurrent);
	STRIDES(peephole);
#undef STRIDES
	assert_ok(sluice_model_set_weights(model->model, cell / model->directions, cell % model->directions, &weights));
}

/* The unit's numbers of one gate in the order of the model's block: over the kernel, then the channels. */
static void unit_gather(const struct placement *part, const double *gate, size_t unit, double *to)
{
	for (size_t v = 0; v < part->height; v++)
		for (size_t u = 0; u < part->width; u++)
			for (size_t channel = 0; channel < part->channels; channel++)
				*to++ = gate[unit * part->row + v * part->y + u * part->x + channel * part->column];
}

/* Compares the gradient of one tensor; gates that the file has none of must have none here. */
static void part_compare(struct golden_file *file, const struct golden_model *model, const double *block,
			 const struct peer *peer, const struct placement *part, const char *name, double tolerance)
{
	size_t columns = part->height * part->width * part->channels, count = 4 * part->units * columns;
	const double *ours = golden_parameter(model, block, name, count);
	double largest = 0, worst = 0, *theirs = aligned_zeros(columns * sizeof(double));

	for (size_t row = 0; row < 4 * part->units; row++) {
		const double *gate = gate_of(file, part, "d", peer->order, "ifgo"[row / part->units]);

		memset(theirs, 0, columns * sizeof(double));
		if (gate)
			unit_gather(part, gate, row % part->units, theirs);
		for (size_t k = 0; k < columns; k++) {
			double error = fabs(ours[row * columns + k] - theirs[k]);

			largest = fmax(largest, fabs(theirs[k]));
			worst = error <= worst ? worst : error; /* keeps a NaN */
		}
	}
	free(theirs);
	assert_true(largest > 1e-3);
	if (!(worst <= tolerance * largest))
		fail_msg("%s, %s: the gradient of %s is off by %g of %g", file->name, golden_engine_names[file->engine],
			 name, worst, largest);
}

static void parameters_compare(struct golden_file *file, const struct golden_model *model, const double *block,
			       const struct peer *peer, size_t cell, const struct parts *parts, double tolerance)
{
	const struct placement *const all[] = {&parts->input, &parts->recurrent, &parts->bias, &parts->peephole};
	static const char *const names[] = {"weight_ih", "weight_hh", "bias", "peephole"};

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
		char name[NAME];

		snprintf(name, sizeof(name), "%s_l%zu%s", names[k], cell / model->directions,
			 cell % model->directions ? "_reverse" : "");
		if (all[k]->tensor[0])
			part_compare(file, model, block, peer, all[k], name, tolerance);
	}
}

/* ----------------------------------------------------------------------------------------------------- runs ----- */

/* Runs what the file holds and compares all that comes out. */
static void check(struct golden_file *file, const struct golden_model *model, const struct peer *peer,
		  const struct parts *parts, double tolerance)
{
	size_t cells = model->layers * model->directions, state = cells * BATCH * model->width;
	struct golden_run run = {.steps = STEPS, .batch = BATCH};

	for (size_t cell = 0; cell < cells; cell++)
		weights_set(file, model, peer, cell, &parts[cell]);
	run.x = golden_numbers(file, "x", STEPS * BATCH * model->inputs);
	run.h0 = golden_numbers(file, "h0", state);
	run.c0 = golden_numbers(file, "c0", state);
	run.dy = golden_numbers(file, "dy", STEPS * BATCH * sluice_model_outputs(model->model));
	run.dh = golden_numbers(file, "dhn", state);
	run.dc = golden_numbers(file, "dcn", state);
	golden_compute(model, file->engine, peer->layout, &run);
	golden_compare(file, "y", run.y, run.y_count, tolerance);
	golden_compare(file, "hn", run.hn, run.h_count, tolerance);
	golden_compare(file, "cn", run.cn, run.c_count, tolerance);
	golden_compare(file, "dx", run.dx, run.x_count, tolerance);
	golden_compare(file, "dh0", run.dh0, run.h_count, tolerance);
	golden_compare(file, "dc0", run.dc0, run.c_count, tolerance);
	for (size_t cell = 0; cell < cells; cell++)
		parameters_compare(file, model, run.dparameters, peer, cell, &parts[cell], tolerance);
	golden_run_free(&run);
}

/* ---------------------------------------------------------------------------------------------------- Keras ----- */

static const struct peer KERAS = {6, 7, 3, "ifgo", SLUICE_BATCH_MAJOR};

struct keras_layer {
	size_t height, width, stride_y, stride_x, dilation_y, dilation_x;
};

/* As in make_golden_conv_keras.py. */
static const struct keras_case {
	const char *name;
	size_t layers;
	struct keras_layer kernels[LAYERS_MAX];
	int valid, hard, no_bias;
} KERAS_CASES[] = {
	{"conv_keras_same", 1, {{3, 3, 1, 1, 1, 1}}, 0, 0, 0},
	{"conv_keras_wide", 1, {{5, 5, 1, 1, 1, 1}}, 0, 0, 0},
	{"conv_keras_valid", 1, {{3, 3, 1, 1, 1, 1}}, 1, 0, 0},
	{"conv_keras_even", 1, {{2, 2, 1, 1, 1, 1}}, 0, 0, 0},
	{"conv_keras_oblong", 1, {{4, 3, 1, 1, 1, 1}}, 0, 0, 0},
	{"conv_keras_stride", 1, {{3, 3, 2, 2, 1, 1}}, 0, 0, 0},
	{"conv_keras_stride_valid", 1, {{3, 2, 2, 1, 1, 1}}, 1, 0, 0},
	{"conv_keras_stride_even", 1, {{4, 2, 2, 3, 1, 1}}, 0, 0, 0},
	{"conv_keras_dilation", 1, {{3, 3, 1, 1, 2, 2}}, 0, 0, 0},
	{"conv_keras_dilation_valid", 1, {{2, 3, 1, 1, 3, 2}}, 1, 0, 0},
	{"conv_keras_hard", 1, {{3, 3, 1, 1, 1, 1}}, 0, 1, 0},
	{"conv_keras_no_bias", 1, {{3, 3, 1, 1, 1, 1}}, 0, 0, 1},
	{"conv_keras_layers", 2, {{3, 3, 1, 1, 1, 1}, {2, 5, 1, 1, 1, 1}}, 0, 0, 0},
};

/* TensorFlow's padding "same": what ceil(size / stride) places need, the odd zero behind. */
static void keras_zeros(size_t size, size_t kernel, size_t stride, size_t dilation, size_t *before, size_t *after)
{
	size_t needed = ((size + stride - 1) / stride - 1) * stride + (kernel - 1) * dilation + 1;
	size_t zeros = needed > size ? needed - size : 0;

	*before = zeros / 2;
	*after = zeros - zeros / 2;
}

static sluice_convolution keras_convolution(const struct keras_layer *kernel, size_t height, size_t width)
{
	sluice_convolution made = {
		.height = kernel->height,
		.width = kernel->width,
		.stride_y = kernel->stride_y,
		.stride_x = kernel->stride_x,
		.dilation_y = kernel->dilation_y,
		.dilation_x = kernel->dilation_x,
		.border = SLUICE_BORDER_GIVEN,
	};

	keras_zeros(height, kernel->height, kernel->stride_y, kernel->dilation_y, &made.top, &made.bottom);
	keras_zeros(width, kernel->width, kernel->stride_x, kernel->dilation_x, &made.left, &made.right);
	return made;
}

/* What `same` says of a kernel with a centre need not be given. */
static void border_name(sluice_convolution *convolution)
{
	if (convolution->height % 2 && convolution->width % 2 && convolution->stride_y * convolution->stride_x == 1) {
		convolution->border = SLUICE_BORDER_SAME;
		convolution->top = convolution->left = convolution->bottom = convolution->right = 0;
	}
}

static sluice_layer keras_describe(const struct keras_case *one, size_t index)
{
	const struct keras_layer *kernel = &one->kernels[index];
	const struct keras_layer recurrent = {kernel->height, kernel->width, 1, 1, 1, 1};
	const sluice_activation hard = {SLUICE_ACTIVATION_HARD_SIGMOID, 1.0f / 6, 0.5f, 0};
	sluice_layer layer = SLUICE_LAYER_INIT;

	layer.hidden = HIDDEN;
	layer.no_bias = one->no_bias;
	if (one->hard)
		layer.input_activation = layer.forget_activation = layer.output_activation = hard;
	layer.input_convolution = keras_convolution(kernel, KERAS.height, KERAS.width);
	border_name(&layer.input_convolution);
	if (one->valid) {
		layer.input_convolution.border = SLUICE_BORDER_NONE;
		layer.input_convolution.top = layer.input_convolution.left = 0;
		layer.input_convolution.bottom = layer.input_convolution.right = 0;
	}
	/* The zeros of a kernel without stride do not depend on the image. */
	layer.recurrent_convolution = keras_convolution(&recurrent, KERAS.height, KERAS.width);
	border_name(&layer.recurrent_convolution);
	return layer;
}

/* [height, width, channels, 4H] */
static void keras_kernel(const char *name, size_t index, const struct keras_layer *kernel, size_t channels,
			 struct placement *out)
{
	*out = (struct placement){
		.count = kernel->height * kernel->width * channels * 4 * HIDDEN,
		.gate = HIDDEN,
		.units = HIDDEN,
		.height = kernel->height,
		.width = kernel->width,
		.channels = channels,
		.row = 1,
		.y = kernel->width * channels * 4 * HIDDEN,
		.x = channels * 4 * HIDDEN,
		.column = 4 * HIDDEN,
	};
	snprintf(out->tensor, NAME, "%s.%zu", name, index);
}

static const struct placement BIAS = {
	.count = 4 * HIDDEN,
	.gate = HIDDEN,
	.units = HIDDEN,
	.height = 1,
	.width = 1,
	.channels = 1,
	.row = 1,
};

static void check_keras(const struct keras_case *one, enum golden_engine engine)
{
	struct golden_file file = golden_open(one->name, engine);
	struct parts parts[LAYERS_MAX] = {0};
	sluice_layer layers[LAYERS_MAX];
	struct golden_model model;

	for (size_t k = 0; k < one->layers; k++) {
		layers[k] = keras_describe(one, k);
		keras_kernel("kernel", k, &one->kernels[k], k ? HIDDEN : KERAS.inputs, &parts[k].input);
		keras_kernel("recurrent_kernel", k, &one->kernels[k], HIDDEN, &parts[k].recurrent);
		parts[k].bias = BIAS;
		if (!one->no_bias)
			snprintf(parts[k].bias.tensor, NAME, "bias.%zu", k);
	}
	model = model_create(&KERAS, one->layers, layers);
	check(&file, &model, &KERAS, parts, tolerance_of(&file, one->hard ? TOLERANCE_SLOPE : TOLERANCE_F64));
	golden_model_destroy(&model);
	golden_close(&file);
}

static void keras_all(enum golden_engine engine)
{
	for (size_t k = 0; k < sizeof(KERAS_CASES) / sizeof(KERAS_CASES[0]); k++)
		check_keras(&KERAS_CASES[k], engine);
}

/* -------------------------------------------------------------------------------------------------- PyTorch ----- */

/* The usual cell chunks its channels into i f o g; the other one has its gates by name. */
static const struct peer TORCH = {5, 4, 4, "ifog", SLUICE_TIME_MAJOR};

static const struct torch_case {
	const char *name;
	size_t layers;
	sluice_direction direction;
	sluice_peephole peephole;
	size_t groups, dilation; /* groups 0: the usual cell */
} TORCH_CASES[] = {
	{"conv_torch_usual", 2, SLUICE_FORWARD, SLUICE_PEEPHOLE_NONE, 0, 1},
	{"conv_torch_bidirectional", 2, SLUICE_BIDIRECTIONAL, SLUICE_PEEPHOLE_NONE, 0, 1},
	{"conv_torch_channel", 1, SLUICE_FORWARD, SLUICE_PEEPHOLE_DIAGONAL, 0, 1},
	{"conv_torch_element", 1, SLUICE_FORWARD, SLUICE_PEEPHOLE_ELEMENT, 0, 1},
	{"conv_torch_full", 1, SLUICE_FORWARD, SLUICE_PEEPHOLE_FULL, 1, 1},
	{"conv_torch_groups", 1, SLUICE_FORWARD, SLUICE_PEEPHOLE_FULL, 2, 1},
	{"conv_torch_dilation", 1, SLUICE_FORWARD, SLUICE_PEEPHOLE_FULL, 1, 2},
};

static sluice_layer torch_describe(const struct torch_case *one)
{
	sluice_convolution convolution = {.height = 3, .width = 3, .groups = one->groups};
	sluice_layer layer = SLUICE_LAYER_INIT;

	convolution.dilation_y = convolution.dilation_x = one->dilation;
	layer.hidden = HIDDEN;
	layer.direction = one->direction;
	layer.peephole = one->peephole;
	layer.input_convolution = layer.recurrent_convolution = convolution;
	if (one->groups)
		layer.input_convolution.height = layer.input_convolution.width = 5;
	if (one->peephole == SLUICE_PEEPHOLE_FULL)
		layer.memory_convolution = convolution;
	else if (one->peephole)
		layer.no_peepholes = SLUICE_GATE_G;
	return layer;
}

/* [units, channels, size, size], of which a part of the channels belongs here */
static struct placement torch_kernel(size_t all_channels, size_t first_channel, size_t channels, size_t size)
{
	return (struct placement){
		.count = HIDDEN * all_channels * size * size,
		.first = first_channel * size * size,
		.gate = HIDDEN * all_channels * size * size,
		.units = HIDDEN,
		.height = size,
		.width = size,
		.channels = channels,
		.row = all_channels * size * size,
		.y = size,
		.x = 1,
		.column = size * size,
	};
}

/* One tensor [4H, inputs + H, 3, 3] for W and R, and peepholes [3, H, Y, X] of i f o. */
static void usual_parts(const struct torch_case *one, size_t cell, size_t inputs, struct parts *out)
{
	size_t height = one->peephole == SLUICE_PEEPHOLE_ELEMENT ? TORCH.height : 1;
	size_t width = one->peephole == SLUICE_PEEPHOLE_ELEMENT ? TORCH.width : 1;

	out->input = torch_kernel(inputs + HIDDEN, 0, inputs, 3);
	out->recurrent = torch_kernel(inputs + HIDDEN, inputs, HIDDEN, 3);
	out->input.count *= 4;
	out->recurrent.count *= 4;
	out->bias = BIAS;
	out->peephole = torch_kernel(1, 0, 1, 1);
	out->peephole.count = 3 * HIDDEN * height * width;
	out->peephole.gate = HIDDEN * height * width;
	out->peephole.row = height * width;
	out->peephole.height = height;
	out->peephole.y = out->peephole.width = width;
	snprintf(out->input.tensor, NAME, "%zu.conv.weight", cell);
	snprintf(out->recurrent.tensor, NAME, "%zu.conv.weight", cell);
	snprintf(out->bias.tensor, NAME, "%zu.conv.bias", cell);
	if (one->peephole)
		snprintf(out->peephole.tensor, NAME, "%zu.peephole", cell);
}

/* A tensor for each gate and operand. */
static void gates_parts(const struct torch_case *one, struct parts *out)
{
	size_t inputs = TORCH.inputs / one->groups, hidden = HIDDEN / one->groups;

	out->input = torch_kernel(inputs, 0, inputs, 5);
	out->recurrent = out->peephole = torch_kernel(hidden, 0, hidden, 3);
	out->bias = BIAS;
	out->bias.count = HIDDEN;
	strcpy(out->input.tensor, "0.x.@.weight");
	strcpy(out->recurrent.tensor, "0.h.@.weight");
	strcpy(out->peephole.tensor, "0.c.@.weight");
	strcpy(out->bias.tensor, "0.x.@.bias");
}

static void check_torch(const struct torch_case *one, enum golden_engine engine)
{
	struct golden_file file = golden_open(one->name, engine);
	size_t directions = one->direction == SLUICE_BIDIRECTIONAL ? 2 : 1;
	sluice_layer layers[LAYERS_MAX];
	struct parts parts[2 * LAYERS_MAX] = {0};
	struct golden_model model;

	for (size_t cell = 0; cell < one->layers * directions; cell++) {
		layers[cell / directions] = torch_describe(one);
		if (one->groups)
			gates_parts(one, &parts[cell]);
		else
			usual_parts(one, cell, cell < directions ? TORCH.inputs : directions * HIDDEN, &parts[cell]);
	}
	model = model_create(&TORCH, one->layers, layers);
	check(&file, &model, &TORCH, parts, tolerance_of(&file, TOLERANCE_F64));
	golden_model_destroy(&model);
	golden_close(&file);
}

static void torch_all(enum golden_engine engine)
{
	for (size_t k = 0; k < sizeof(TORCH_CASES) / sizeof(TORCH_CASES[0]); k++)
		check_torch(&TORCH_CASES[k], engine);
}

/* ---------------------------------------------------------------------------------------------------- tests ----- */

#define ALL(all)                                      \
	static void test_##all##_oracle(void **state) \
	{                                             \
		(void)state;                          \
		all(GOLDEN_ORACLE);                   \
	}                                             \
	static void test_##all##_f64(void **state)    \
	{                                             \
		(void)state;                          \
		all(GOLDEN_F64);                      \
	}                                             \
	static void test_##all##_f32(void **state)    \
	{                                             \
		(void)state;                          \
		all(GOLDEN_F32);                      \
	}

ALL(keras_all)
ALL(torch_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keras_all_oracle), cmocka_unit_test(test_keras_all_f64),
		cmocka_unit_test(test_keras_all_f32),    cmocka_unit_test(test_torch_all_oracle),
		cmocka_unit_test(test_torch_all_f64),    cmocka_unit_test(test_torch_all_f32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
