/*
 * combination.c: what each value of each factor means to the library, and which values exclude each other.
 */
#include "combination.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	size_t count;
} FACTORS[] = {
#define FACTOR_ROW(name, count) {#name, count},
	SLUICE__FACTOR_MAP(FACTOR_ROW)
#undef FACTOR_ROW
};

const char *sluice__factor_name(enum sluice__factor factor)
{
	return FACTORS[factor].name;
}

size_t sluice__factor_count(enum sluice__factor factor)
{
	return FACTORS[factor].count;
}

/* ------------------------------------------------------------------------------------------ contradictions ---- */

/* A set of values of one factor. */
struct condition {
	enum sluice__factor factor;
	uint32_t values;
};

#define VALUE(value) (UINT32_C(1) << (value))
#define OTHER_THAN(values) (~(uint32_t)(values))
/* Activations whose slope can be had from their value. */
#define TELLING                                                                                                      \
	(VALUE(SLUICE_ACTIVATION_DEFAULT) | VALUE(SLUICE_ACTIVATION_SIGMOID) | VALUE(SLUICE_ACTIVATION_TANH) |       \
	 VALUE(SLUICE_ACTIVATION_IDENTITY) | VALUE(SLUICE_ACTIVATION_RELU) | VALUE(SLUICE_ACTIVATION_HARD_SIGMOID) | \
	 VALUE(SLUICE_ACTIVATION_LINEAR) | VALUE(SLUICE_ACTIVATION_SCALED_TANH))

#define OF(name) SLUICE__FACTOR_##name
#define ON VALUE(1)
#define OUTPUTS VALUE(SLUICE_TAPE_OUTPUTS)

static const char NO_WORD[] = "gates do not say enough for a backward pass from outputs";
static const char NO_COUPLING[] = "coupled gates must exist";
static const char NO_DROPOUT[] = "nothing follows the last layer that dropout could be for";
static const char NO_STEP[] = "single steps run forward in time";
static const char NO_SECOND[] = "one direction has nothing to be combined with";
static const char NO_READER[] = "a read-out reads one result";
static const char NO_PACKING[] = "packed data are time-major, start at the first step, and have no pointers";
static const char NO_ROWS[] = "rows that end one after the other begin together";
static const char NO_IMAGE[] = "without images there are no places";
static const char NO_KERNEL[] = "x that enters without weights has no kernel";
static const char NO_PARTS[] = "one channel has no parts";
static const char NO_REDRAW[] = "single steps would draw DropConnect's mask again";

/* Values that cannot come together: all conditions of a row hold. Unused conditions are those of a factor that always
 * has one of its values. */
static const struct rule {
	const char *why;
	struct condition all[3];
} RULES[] = {
	{NO_COUPLING, {{OF(COUPLED), ON}, {OF(NO_GATES), VALUE(1) | VALUE(2) | VALUE(5)}, {OF(STEP), 3}}},
	{NO_WORD, {{OF(TAPE_MODE), OUTPUTS}, {OF(ACTIVATION_I), OTHER_THAN(TELLING)}, {OF(STEP), 3}}},
	{NO_WORD, {{OF(TAPE_MODE), OUTPUTS}, {OF(ACTIVATION_F), OTHER_THAN(TELLING)}, {OF(STEP), 3}}},
	{NO_WORD, {{OF(TAPE_MODE), OUTPUTS}, {OF(ACTIVATION_G), OTHER_THAN(TELLING)}, {OF(STEP), 3}}},
	{NO_WORD, {{OF(TAPE_MODE), OUTPUTS}, {OF(ACTIVATION_O), OTHER_THAN(TELLING)}, {OF(STEP), 3}}},
	{NO_WORD, {{OF(TAPE_MODE), OUTPUTS}, {OF(GATE_CLIP), ON}, {OF(STEP), 3}}},
	{NO_WORD, {{OF(TAPE_MODE), OUTPUTS}, {OF(ZONEOUT_H), ON}, {OF(STEP), 3}}},
	{NO_WORD, {{OF(TAPE_MODE), OUTPUTS}, {OF(ZONEOUT_C), ON}, {OF(STEP), 3}}},
	{NO_DROPOUT, {{OF(DROPOUT), ON}, {OF(LAYERS), VALUE(0)}, {OF(READOUT), VALUE(0)}}},
	{NO_STEP, {{OF(STEP), ON}, {OF(DIRECTION), VALUE(1) | VALUE(2)}, {OF(STEP), 3}}},
	{NO_STEP, {{OF(STEP), ON}, {OF(DIRECTION), VALUE(3)}, {OF(LAYERS), OTHER_THAN(VALUE(0))}}},
	{NO_STEP, {{OF(STEP), ON}, {OF(COMBINATION), OTHER_THAN(VALUE(0))}, {OF(STEP), 3}}},
	{NO_SECOND, {{OF(COMBINATION), OTHER_THAN(VALUE(0))}, {OF(DIRECTION), OTHER_THAN(VALUE(2))}, {OF(STEP), 3}}},
	{NO_READER,
	 {{OF(COMBINATION), VALUE(SLUICE_SEPARATE)}, {OF(LAYERS), VALUE(0)}, {OF(READOUT), OTHER_THAN(VALUE(0))}}},
	{NO_PACKING, {{OF(LENGTHS), VALUE(SLUICE__LENGTHS_PACKED)}, {OF(LAYOUT), ON}, {OF(STEP), 3}}},
	{NO_PACKING, {{OF(LENGTHS), VALUE(SLUICE__LENGTHS_PACKED)}, {OF(PADDING), ON}, {OF(STEP), 3}}},
	{NO_PACKING, {{OF(LENGTHS), VALUE(SLUICE__LENGTHS_PACKED)}, {OF(POINTERS), ON}, {OF(STEP), 3}}},
	{NO_ROWS, {{OF(LENGTHS), VALUE(SLUICE__LENGTHS_BATCHES)}, {OF(PADDING), ON}, {OF(STEP), 3}}},
	{NO_REDRAW, {{OF(STEP), ON}, {OF(DROPCONNECT), ON}, {OF(TRAINING), ON}}},
	{NO_IMAGE, {{OF(IMAGE), VALUE(0)}, {OF(PEEPHOLE), VALUE(SLUICE_PEEPHOLE_ELEMENT)}, {OF(STEP), 3}}},
	{NO_IMAGE, {{OF(IMAGE), VALUE(0)}, {OF(KERNEL), OTHER_THAN(VALUE(0))}, {OF(STEP), 3}}},
	{NO_IMAGE, {{OF(IMAGE), VALUE(0)}, {OF(INNER_KERNEL), OTHER_THAN(VALUE(0))}, {OF(STEP), 3}}},
	{NO_IMAGE, {{OF(IMAGE), VALUE(0)}, {OF(DILATION), OTHER_THAN(VALUE(0))}, {OF(STEP), 3}}},
	{NO_IMAGE, {{OF(IMAGE), VALUE(0)}, {OF(STRIDE), OTHER_THAN(VALUE(0))}, {OF(STEP), 3}}},
	{NO_IMAGE, {{OF(IMAGE), VALUE(0)}, {OF(GROUPS), OTHER_THAN(VALUE(0))}, {OF(STEP), 3}}},
	{NO_IMAGE, {{OF(IMAGE), VALUE(0)}, {OF(BORDER), OTHER_THAN(VALUE(0))}, {OF(STEP), 3}}},
	{NO_KERNEL, {{OF(INPUT), OTHER_THAN(VALUE(0))}, {OF(KERNEL), OTHER_THAN(VALUE(0))}, {OF(STEP), 3}}},
	{NO_KERNEL, {{OF(INPUT), OTHER_THAN(VALUE(0))}, {OF(STRIDE), OTHER_THAN(VALUE(0))}, {OF(STEP), 3}}},
	{NO_KERNEL, {{OF(INPUT), OTHER_THAN(VALUE(0))}, {OF(BORDER), VALUE(SLUICE_BORDER_NONE)}, {OF(STEP), 3}}},
	{NO_PARTS, {{OF(GROUPS), VALUE(1)}, {OF(HIDDEN), VALUE(0)}, {OF(STEP), 3}}},
};

const char *sluice__combination_contradiction(const unsigned char *values)
{
	for (size_t index = 0; index < sizeof(RULES) / sizeof(RULES[0]); index++) {
		const struct rule *rule = &RULES[index];
		int holds = 1;

		for (size_t place = 0; place < 3; place++) {
			unsigned char value = values[rule->all[place].factor];
			int always = rule->all[place].factor == OF(STEP) && rule->all[place].values == 3;

			if (!always)
				holds &= value != SLUICE__FACTOR_UNSET && rule->all[place].values >> value & 1;
		}
		if (holds)
			return rule->why;
	}
	return NULL;
}

/* ----------------------------------------------------------------------------------------------- meanings ---- */

/* Every kind with parameters that keep it in its domain for arguments of magnitude up to 10 (power, logarithm), that
 * keep its values small (exponential), and that put its kinks where data are. Every other place gets the second set. */
static sluice_activation activation_of(size_t kind, size_t place)
{
	static const sluice_activation CHOICES[SLUICE__FACTOR_VALUES][2] = {
		[SLUICE_ACTIVATION_HARD_SIGMOID] = {{0, 0.2f, 0.5f, 0}, {0, 0.9f, 0.4f, 0}},
		[SLUICE_ACTIVATION_LINEAR] = {{0, 0.7f, 0.1f, 0}, {0, -0.6f, 0.2f, 0}},
		[SLUICE_ACTIVATION_LEAKY_RELU] = {{0, 0.1f, 0, 0}, {0, -0.3f, 0, 0}},
		[SLUICE_ACTIVATION_CLIPPED_RELU] = {{0, 0, 0.6f, 0}, {0, 0.2f, 0.4f, 0}},
		[SLUICE_ACTIVATION_CLAMP] = {{0, -0.6f, 0.8f, 0}, {0, 0, 0.7f, 0}},
		[SLUICE_ACTIVATION_SCALED_TANH] = {{0, 1.7159f, 0.6666667f, 0}, {0, 0.8f, 1.3f, 0}},
		[SLUICE_ACTIVATION_SOFTPLUS] = {{0, 1, 1, 0}, {0, 0.6f, 1.5f, 0}},
		[SLUICE_ACTIVATION_ELU] = {{0, 1, 0, 0}, {0, 0.7f, 0, 0}},
		[SLUICE_ACTIVATION_CELU] = {{0, 1, 0, 0}, {0, 0.6f, 0, 0}},
		[SLUICE_ACTIVATION_POWER] = {{0, 0.1f, 1.2f, 1.5f}, {0, 0.5f, 0.2f, 2}},
		[SLUICE_ACTIVATION_EXPONENTIAL] = {{0, 0.25f, -0.5f, -1}, {0, -0.3f, -0.4f, 2}},
		[SLUICE_ACTIVATION_LOGARITHM] = {{0, 0.1f, 1.5f, -1}, {0, 0.15f, 2.5f, 10}},
		[SLUICE_ACTIVATION_GELU_TANH] = {{0, 0.79788456f, 0.044715f, 0}, {0, 0.79788456f, 0.044715f, 0}},
		[SLUICE_ACTIVATION_HARD_SWISH] = {{0, 0.16666667f, 0.5f, 0}, {0, 0.8f, 0.5f, 0}},
		[SLUICE_ACTIVATION_HARD_SHRINK] = {{0, 0.3f, 0, 0}, {0, 0.1f, 0, 0}},
		[SLUICE_ACTIVATION_SOFT_SHRINK] = {{0, 0.2f, 0, 0}, {0, 0.1f, 0, 0}},
		[SLUICE_ACTIVATION_THRESHOLD] = {{0, 0.1f, -0.4f, 0}, {0, -0.2f, 0.3f, 0}},
	};
	sluice_activation activation = CHOICES[kind][place % 2];

	activation.kind = (sluice_activation_kind)kind;
	return activation;
}

/* A random number below `below` from a combination's seed; each use has its own `purpose`. */
static size_t chosen(const struct sluice__combination *combination, uint64_t purpose, size_t below)
{
	uint64_t bits = combination->seed + purpose * UINT64_C(0x9e3779b97f4a7c15);

	bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (size_t)((bits ^ (bits >> 31)) >> 32) % below;
}

enum {
	CHOOSE_HIDDEN = 1,
	CHOOSE_INPUTS,
	CHOOSE_STEPS,
	CHOOSE_OUTPUTS,
	CHOOSE_PROJECTION,
	CHOOSE_IMAGE,
	CHOOSE_STRIDE,
	CHOOSE_COMBINATION
};

/* Whether a combination shall have whole vectors of channels, as Winograd's tiles want them: large layers, if that is
 * on. */
static int is_tiled(const struct sluice__combination *combination, int reduced)
{
	const unsigned char *values = combination->values;

	return values[OF(IMAGE)] && values[OF(WINOGRAD)] == SLUICE_ON && values[OF(HIDDEN)] == 3 && !reduced;
}

/* Two groups need an even number of channels. */
static size_t in_groups(const struct sluice__combination *combination, int reduced, size_t width)
{
	size_t unit = is_tiled(combination, reduced) ? 16 : combination->values[OF(GROUPS)] == 1 ? 2 : 1;

	return (width + unit - 1) / unit * unit;
}

/* 1; up to 8; up to 20; up to 70, fewer where there are many cells. Of images 1; up to 4; up to 8; up to 20. */
static size_t hidden_of(const struct sluice__combination *combination, int reduced)
{
	static const struct {
		size_t first, count;
	} PLAIN[] = {{2, 7}, {9, 12}, {21, 50}}, IMAGES[] = {{2, 3}, {5, 4}, {13, 7}};
	size_t value = combination->values[OF(HIDDEN)];
	size_t cells = (size_t)combination->values[OF(LAYERS)] + 1;

	if (combination->values[OF(DIRECTION)] == SLUICE_BIDIRECTIONAL)
		cells *= 2;
	if (value == 0)
		return 1;
	if (reduced)
		return in_groups(combination, reduced, 2 + chosen(combination, CHOOSE_HIDDEN, cells > 2 ? 2 : 3));
	if (is_tiled(combination, reduced))
		return 16;
	if (combination->values[OF(IMAGE)])
		return in_groups(combination, reduced,
				 IMAGES[value - 1].first + chosen(combination, CHOOSE_HIDDEN, IMAGES[value - 1].count));
	return PLAIN[value - 1].first +
	       chosen(combination, CHOOSE_HIDDEN, value < 3 ? PLAIN[value - 1].count : PLAIN[value - 1].count / cells);
}

static size_t projection_of(const struct sluice__combination *combination, int reduced, size_t hidden)
{
	size_t value = combination->values[OF(PROJECTION)];

	if (value == 0)
		return 0;
	return in_groups(combination, reduced,
			 value == 1 ? 1 + chosen(combination, CHOOSE_PROJECTION, hidden)
				    : hidden + 1 + chosen(combination, CHOOSE_PROJECTION, 4));
}

static void activations_describe(const unsigned char *values, sluice_layer *layer)
{
	sluice_activation *const places[] = {&layer->input_activation, &layer->forget_activation,
					     &layer->candidate_activation, &layer->output_activation,
					     &layer->cell_activation};

	for (size_t place = 0; place < 5; place++)
		*places[place] = activation_of(values[OF(ACTIVATION_I) + place], place);
}

/* Everything of a layer that does not depend on the layers beside it. */
static void layer_describe(const unsigned char *values, sluice_layer *layer)
{
	static const unsigned NO_PEEPHOLES[] = {0, SLUICE_GATE_G, SLUICE_GATE_I | SLUICE_GATE_O};
	static const unsigned NO_INPUTS[] = {0, SLUICE_GATE_F, SLUICE_GATE_I | SLUICE_GATE_G};
	static const unsigned NO_RECURRENT[] = {0, SLUICE_GATE_O, SLUICE_GATE_F | SLUICE_GATE_G, SLUICE_GATES_ALL};
	static const unsigned NO_GATES[] = {
		0, SLUICE_GATE_I, SLUICE_GATE_F, SLUICE_GATE_G, SLUICE_GATE_O, SLUICE_GATE_F | SLUICE_GATE_O};
	size_t shape = values[OF(RECURRENT_DROPOUT)];

	activations_describe(values, layer);
	layer->peephole = (sluice_peephole)values[OF(PEEPHOLE)];
	layer->peephole_previous = values[OF(PEEPHOLE_PREVIOUS)];
	layer->no_peepholes = NO_PEEPHOLES[values[OF(NO_PEEPHOLES)]];
	layer->no_input_weights = NO_INPUTS[values[OF(NO_INPUT_WEIGHTS)]];
	layer->no_recurrent_weights = NO_RECURRENT[values[OF(NO_RECURRENT_WEIGHTS)]];
	layer->no_bias = values[OF(BIAS)] == 0;
	layer->no_gates = NO_GATES[values[OF(NO_GATES)]];
	layer->coupled = values[OF(COUPLED)];
	layer->projection_clip = values[OF(PROJECTION_CLIP)] ? 0.4f : 0;
	layer->cell_clip = values[OF(CELL_CLIP)] ? 0.7f : 0;
	layer->gate_clip = values[OF(GATE_CLIP)] ? 0.9f : 0;
	layer->recurrent_dropout = shape ? 0.25f : 0;
	layer->recurrent_dropout_shape = (sluice_mask_shape)(shape ? shape - 1 : 0);
	layer->zoneout_h = values[OF(ZONEOUT_H)] ? 0.2f : 0;
	layer->zoneout_c = values[OF(ZONEOUT_C)] ? 0.35f : 0;
	layer->dropconnect = values[OF(DROPCONNECT)] ? 0.3f : 0;
	layer->learned_start = values[OF(LEARNED_START)];
}

/* ------------------------------------------------------------------------------------------------- images ---- */

static size_t divisor(size_t a, size_t b)
{
	return b ? divisor(b, a % b) : a;
}

/* A kernel with a combination's dilation and groups: none, two, or as many as there can be. */
static sluice_convolution convolution_of(const unsigned char *values, size_t kernel, size_t channels, size_t hidden)
{
	static const size_t SIZES[][2] = {{0, 0}, {3, 3}, {2, 4}, {5, 1}};
	static const size_t DILATIONS[][2] = {{0, 0}, {2, 2}, {1, 3}};
	const size_t groups[] = {0, 2, divisor(channels, hidden)};

	return (sluice_convolution){
		.height = SIZES[kernel][0],
		.width = SIZES[kernel][1],
		.dilation_y = DILATIONS[values[OF(DILATION)]][0],
		.dilation_x = DILATIONS[values[OF(DILATION)]][1],
		.groups = groups[values[OF(GROUPS)]],
	};
}

static size_t or_one(size_t value)
{
	return value ? value : 1;
}

/* Distance from a kernel's first tap to its last one. */
static size_t reach(size_t taps, size_t dilation)
{
	return (or_one(taps) - 1) * or_one(dilation);
}

/* Borders with which the result is as large as the image, as Keras has them: the one zero that is too many for both
 * sides lies at the bottom and at the right. */
static void borders_give(sluice_convolution *convolution)
{
	size_t above = (or_one(convolution->height) - 1) / 2, before = (or_one(convolution->width) - 1) / 2;

	convolution->border = SLUICE_BORDER_GIVEN;
	convolution->top = above * or_one(convolution->dilation_y);
	convolution->left = before * or_one(convolution->dilation_x);
	convolution->bottom = reach(convolution->height, convolution->dilation_y) - convolution->top;
	convolution->right = reach(convolution->width, convolution->dilation_x) - convolution->left;
}

/* The layer that makes its images smaller. */
static size_t stride_place(const struct sluice__combination *combination)
{
	if (combination->values[OF(INPUT)] != SLUICE_INPUT_WEIGHTS)
		return 0;
	return chosen(combination, CHOOSE_STRIDE, (size_t)combination->values[OF(LAYERS)] + 1);
}

/* Everything about a layer's images, of which it sees so many channels. Without images all of it is a contradiction,
 * which shall show. */
static void convolutions_describe(const struct sluice__combination *combination, size_t index, size_t channels,
				  sluice_layer *layer)
{
	static const size_t STRIDES[][2] = {{0, 0}, {2, 2}, {1, 3}};
	const unsigned char *values = combination->values;
	size_t H = layer->hidden, out = layer->projection ? layer->projection : H, stride = values[OF(STRIDE)];
	sluice_border border = (sluice_border)values[OF(BORDER)];
	size_t memory = values[OF(IMAGE)] ? (values[OF(INNER_KERNEL)] + 1) % 4 : values[OF(INNER_KERNEL)];
	sluice_convolution *input = &layer->input_convolution;

	*input = convolution_of(values, values[OF(KERNEL)], channels, H);
	layer->recurrent_convolution = convolution_of(values, values[OF(INNER_KERNEL)], out, H);
	if (layer->peephole == SLUICE_PEEPHOLE_FULL)
		layer->memory_convolution = convolution_of(values, memory, H, H);
	if (stride && index == stride_place(combination)) {
		input->stride_y = STRIDES[stride][0];
		input->stride_x = STRIDES[stride][1];
	}
	if (border == SLUICE_BORDER_NONE && index == 0)
		input->border = border;
	if (border != SLUICE_BORDER_GIVEN)
		return;
	borders_give(input);
	borders_give(&layer->recurrent_convolution);
	if (layer->peephole == SLUICE_PEEPHOLE_FULL)
		borders_give(&layer->memory_convolution);
	/* The first one makes images larger, too. */
	input->right += index == 0;
}

/* The options of x are none where it enters without weights, unless a combination wants them, which is a contradiction
 * and shall show. */
static void input_clear(const unsigned char *values, sluice_layer *layer)
{
	int wanted = values[OF(KERNEL)] || values[OF(STRIDE)] || values[OF(BORDER)] == SLUICE_BORDER_NONE;

	if (layer->input != SLUICE_INPUT_WEIGHTS && !wanted)
		layer->input_convolution = (sluice_convolution){0};
}

/* Images of odd sides, of even ones, and narrow ones: so large that a first layer without borders makes that of them.
 */
static void image_describe(const struct sluice__combination *combination, int reduced, sluice_description *description)
{
	static const size_t SIZES[2][3][3][2] = {
		{{{3, 5}, {5, 5}, {5, 3}}, {{4, 4}, {2, 4}, {4, 2}}, {{1, 7}, {2, 5}, {6, 1}}},
		{{{3, 3}, {3, 3}, {1, 3}}, {{2, 2}, {2, 2}, {4, 2}}, {{1, 4}, {2, 3}, {5, 1}}},
	};
	const sluice_convolution *first = &description->layers[0].input_convolution;
	size_t value = combination->values[OF(IMAGE)], number = chosen(combination, CHOOSE_IMAGE, 3);

	if (!value)
		return;
	description->image_height = SIZES[reduced != 0][value - 1][number][0];
	description->image_width = SIZES[reduced != 0][value - 1][number][1];
	if (first->border != SLUICE_BORDER_NONE)
		return;
	description->image_height += reach(first->height, first->dilation_y);
	description->image_width += reach(first->width, first->dilation_x);
}

/* ------------------------------------------------------------------------------------------------ network ---- */

/* What a layer makes of its directions: now and then something else than the layers around it. A read-out above a
 * single layer with separate results is a contradiction, which shall show. */
static sluice_combination combination_of(const struct sluice__combination *combination, size_t index, size_t count)
{
	sluice_combination wanted = (sluice_combination)combination->values[OF(COMBINATION)];
	int last = index + 1 == count;

	if (wanted == SLUICE_SEPARATE && last && count > 1 && combination->values[OF(READOUT)])
		return SLUICE_CONCATENATE;
	if (wanted != SLUICE_CONCATENATE && index > 0 && !chosen(combination, CHOOSE_COMBINATION + index, 4))
		return wanted == SLUICE_ADD ? SLUICE_CONCATENATE : SLUICE_ADD;
	return wanted;
}

static void layers_describe(const struct sluice__combination *combination, int reduced,
			    struct sluice__combination_case *out)
{
	const unsigned char *values = combination->values;
	size_t count = (size_t)values[OF(LAYERS)] + 1, hidden = hidden_of(combination, reduced);
	size_t projection = projection_of(combination, reduced, hidden), inputs;
	size_t directions = values[OF(DIRECTION)] == SLUICE_BIDIRECTIONAL ? 2 : 1;
	sluice_input input = (sluice_input)values[OF(INPUT)];

	inputs = in_groups(combination, reduced, 1 + chosen(combination, CHOOSE_INPUTS, reduced ? 3 : hidden + 4));
	if (input != SLUICE_INPUT_WEIGHTS)
		inputs = input == SLUICE_INPUT_IDENTITY ? hidden : directions * 4 * hidden;
	out->description = (sluice_description)SLUICE_DESCRIPTION_INIT;
	out->description.inputs = inputs;
	out->description.layer_count = count;
	out->description.layers = out->layers;
	out->description.outputs = values[OF(READOUT)] ? 1 + chosen(combination, CHOOSE_OUTPUTS, 5) : 0;
	for (size_t index = 0; index < count; index++) {
		sluice_layer *layer = &out->layers[index];
		int follows = index + 1 < count || values[OF(READOUT)];

		*layer = (sluice_layer)SLUICE_LAYER_INIT;
		layer_describe(values, layer);
		layer->hidden = hidden;
		layer->projection = projection;
		layer->direction = values[OF(DIRECTION)] == 3 ? (sluice_direction)(index % 2)
							      : (sluice_direction)values[OF(DIRECTION)];
		/* One layer that nothing follows is a contradiction, which shall show. */
		layer->dropout = values[OF(DROPOUT)] && (follows || count == 1) ? 0.25f : 0;
		layer->combination = combination_of(combination, index, count);
		layer->input = input;
		if (index && (input == SLUICE_INPUT_GATES || inputs != hidden))
			layer->input = SLUICE_INPUT_WEIGHTS;
		convolutions_describe(combination, index, inputs, layer);
		input_clear(values, layer);
		inputs = projection ? projection : hidden;
		if (layer->combination == SLUICE_CONCATENATE)
			inputs *= directions;
	}
	image_describe(combination, reduced, &out->description);
}

/* Fewer steps and rows where these are images: their places do the work. */
static size_t steps_of(const struct sluice__combination *combination, int reduced)
{
	if (combination->values[OF(IMAGE)])
		return reduced ? 2 : 2 + chosen(combination, CHOOSE_STEPS, 3);
	return reduced ? 5 : 5 + chosen(combination, CHOOSE_STEPS, 5);
}

static size_t batch_of(const struct sluice__combination *combination, int reduced)
{
	static const size_t BATCHES[2][4] = {{1, 2, 5, 9}, {1, 2, 3, 5}};
	size_t value = combination->values[OF(BATCH)];
	size_t batch = BATCHES[combination->values[OF(IMAGE)] != 0][value];

	return reduced && batch > 2 ? 2 : batch;
}

void sluice__combination_describe(const struct sluice__combination *combination, int reduced,
				  struct sluice__combination_case *out)
{
	static const sluice_dtype TYPES[] = {SLUICE_F32, SLUICE_F16, SLUICE_BF16};
	static const char *const ORDERS[] = {NULL, "iofg", "gofi"};
	const unsigned char *values = combination->values;
	size_t mask = values[OF(MASK)];

	layers_describe(combination, reduced, out);
	out->step = values[OF(STEP)];
	out->setting = (struct sluice__setting){
		.description = &out->description,
		.steps = steps_of(combination, reduced),
		.batch = batch_of(combination, reduced),
		.seed = combination->seed,
		.gradients = 1,
		.training = values[OF(TRAINING)],
		.mask = mask != 0,
		.mask_shape = (sluice_mask_shape)(mask ? mask - 1 : 0),
		.last_only = values[OF(LAST_ONLY)],
		.two_biases = values[OF(BIAS)] == 2,
		.threads = values[OF(THREADS)] + 1,
		.layout = (sluice_layout)values[OF(LAYOUT)],
		.weights = TYPES[values[OF(WEIGHTS)]],
		.data = TYPES[values[OF(DATA)]],
		.tape = TYPES[values[OF(TAPE)]],
		.tape_mode = (sluice_tape_mode)values[OF(TAPE_MODE)],
		.winograd = (sluice_choice)values[OF(WINOGRAD)],
		.gate_order = ORDERS[values[OF(GATE_ORDER)]],
		.lengths = (enum sluice__setting_lengths)values[OF(LENGTHS)],
		.padding = (sluice_padding)values[OF(PADDING)],
		.resets = values[OF(RESETS)],
		.holds = values[OF(HOLDS)],
		.no_initial = values[OF(INITIAL)],
		.state_gradients = values[OF(STATE_GRADIENTS)],
		.pointers = values[OF(POINTERS)],
		.slots = values[OF(SLOTS)],
	};
}

void sluice__combination_print(const struct sluice__combination *combination, char *text)
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t factor = 0; factor < SLUICE__FACTORS; factor++) {
		unsigned value = combination->values[factor];

		if (value && length < SLUICE__COMBINATION_TEXT)
			length += (size_t)snprintf(text + length, SLUICE__COMBINATION_TEXT - length, "%s%s=%u",
						   length ? " " : "", FACTORS[factor].name, value);
	}
}
