/*
 * problem.c: reads, prints, counts and describes problem strings, so that every program means the same by one name.
 */
#include "problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_MAX \
	100000000u /* of every number: far beyond use, and no product of three overflows a double's integers */

#define KERNEL_MAX 9 /* rows and columns: far beyond use, too */

/* What an option sets. Options of one group contradict each other. */
enum group {
	LAYERS,
	DIRECTION,
	PEEPHOLE,
	PROJECTION,
	MASK,
	RESETS,
	HOLDS,
	LENGTHS,
	PADDING,
	COMBINATION,
	START,
	COUPLED,
	CLIP,
	HARD,
	ZONEOUT,
	RECURRENT_DROPOUT,
	DROPCONNECT,
	INPUT,
	TAPE,
	KERNEL,
	AREA,
	DILATION,
	STRIDE,
	CHANNEL_GROUPS,
	WINOGRAD,
	TYPE,
	GROUPS
};

/* The numbers behind the words that have none. */
#define CLIP_LIMIT 1.0f
#define ZONEOUT_H 0.15f
#define ZONEOUT_C 0.3f
#define DROP_CHANCE 0.25f

struct option {
	const char *word;
	enum group group;
	int number; /* whether a number follows the word */
	void (*apply)(struct sluice__problem *problem, size_t number);
};

#define APPLY(name, assignment)                                          \
	static void name(struct sluice__problem *problem, size_t number) \
	{                                                                \
		(void)number;                                            \
		assignment;                                              \
	}
APPLY(set_layers, problem->layers = number)
APPLY(set_bidirectional, problem->direction = SLUICE_BIDIRECTIONAL)
APPLY(set_reverse, problem->direction = SLUICE_REVERSE)
APPLY(set_alternating, problem->alternating = 1)
APPLY(set_peephole, problem->peephole = SLUICE_PEEPHOLE_DIAGONAL; problem->peephole_previous = 1)
APPLY(set_peephole_full, problem->peephole = SLUICE_PEEPHOLE_FULL)
APPLY(set_peephole_new, problem->peephole = SLUICE_PEEPHOLE_DIAGONAL)
APPLY(set_peephole_element, problem->peephole = SLUICE_PEEPHOLE_ELEMENT)
APPLY(set_projection, problem->projection = number)
APPLY(set_mask, problem->mask = 1)
APPLY(set_resets, problem->resets = 1)
APPLY(set_holds, problem->holds = 1)
APPLY(set_lengths, problem->lengths = SLUICE__LENGTHS_RANDOM)
APPLY(set_packed, problem->lengths = SLUICE__LENGTHS_PACKED)
APPLY(set_left, problem->padding = SLUICE_PADDING_LEFT)
APPLY(set_add, problem->combination = SLUICE_ADD)
APPLY(set_separate, problem->combination = SLUICE_SEPARATE)
APPLY(set_learned_start, problem->learned_start = 1)
APPLY(set_coupled, problem->coupled = 1)
APPLY(set_clip, problem->clip = 1)
APPLY(set_hard, problem->hard = 1)
APPLY(set_zoneout, problem->zoneout = 1)
APPLY(set_recurrent_dropout, problem->recurrent_dropout = 1)
APPLY(set_dropconnect, problem->dropconnect = 1)
APPLY(set_input_gates, problem->input = SLUICE_INPUT_GATES)
APPLY(set_input_identity, problem->input = SLUICE_INPUT_IDENTITY)
APPLY(set_recompute, problem->tape_mode = SLUICE_TAPE_RECOMPUTE)
APPLY(set_outputs, problem->tape_mode = SLUICE_TAPE_OUTPUTS)
APPLY(set_kernel, problem->kernel = number)
APPLY(set_dilation, problem->dilation = number)
APPLY(set_stride, problem->stride = number)
APPLY(set_groups, problem->groups = number)
APPLY(set_winograd, problem->winograd = SLUICE_ON)
APPLY(set_no_winograd, problem->winograd = SLUICE_OFF)
APPLY(set_f64, problem->dtype = SLUICE_F64)
APPLY(set_bf16, problem->dtype = SLUICE_BF16)
APPLY(set_f16, problem->dtype = SLUICE_F16)
APPLY(set_int8, problem->dtype = SLUICE_I8)
APPLY(set_tf32, problem->tf32 = 1)
APPLY(set_rows, problem->rows = number)
#undef APPLY

/* A word that begins with another word stands before it. */
static const struct option OPTIONS[] = {
	{"len", LENGTHS, 0, set_lengths},
	{"left", PADDING, 0, set_left},
	{"learn", START, 0, set_learned_start},
	{"l", LAYERS, 1, set_layers},
	{"bi", DIRECTION, 0, set_bidirectional},
	{"rev", DIRECTION, 0, set_reverse},
	{"alt", DIRECTION, 0, set_alternating},
	{"peepfull", PEEPHOLE, 0, set_peephole_full},
	{"peepnew", PEEPHOLE, 0, set_peephole_new},
	{"peepelement", PEEPHOLE, 0, set_peephole_element},
	{"peep", PEEPHOLE, 0, set_peephole},
	{"proj", PROJECTION, 1, set_projection},
	{"mask", MASK, 0, set_mask},
	{"packed", LENGTHS, 0, set_packed},
	{"reset", RESETS, 0, set_resets},
	{"hold", HOLDS, 0, set_holds},
	{"add", COMBINATION, 0, set_add},
	{"sep", COMBINATION, 0, set_separate},
	{"coupled", COUPLED, 0, set_coupled},
	{"clip", CLIP, 0, set_clip},
	{"hard", HARD, 0, set_hard},
	{"zone", ZONEOUT, 0, set_zoneout},
	{"rdrop", RECURRENT_DROPOUT, 0, set_recurrent_dropout},
	{"dconn", DROPCONNECT, 0, set_dropconnect},
	{"nox", INPUT, 0, set_input_gates},
	{"idx", INPUT, 0, set_input_identity},
	{"recompute", TAPE, 0, set_recompute},
	{"outputs", TAPE, 0, set_outputs},
	{"conv", KERNEL, 1, set_kernel},
	{"dilate", DILATION, 1, set_dilation},
	{"stride", STRIDE, 1, set_stride},
	{"groups", CHANNEL_GROUPS, 1, set_groups},
	{"wino", WINOGRAD, 0, set_winograd},
	{"direct", WINOGRAD, 0, set_no_winograd},
	{"f64", TYPE, 0, set_f64},
	{"bf16", TYPE, 0, set_bf16},
	{"f16", TYPE, 0, set_f16},
	{"int8", TYPE, 0, set_int8},
	{"tf32", TYPE, 0, set_tf32},
	{"y", AREA, 1, set_rows}, /* followed by x<columns> */
};

const char *sluice__problem_grammar(void)
{
	return "t<steps>n<batch>i<inputs>h<hidden>, in this order; without i, inputs = hidden. Then, in any order and\n"
	       "with nothing in between:\n"
	       "  l<layers>             layers of the stack, 1 to 127 (default 1)\n"
	       "  bi | rev | alt        every layer bidirectional | in reverse | alternately forward and in reverse\n"
	       "  peep                  diagonal peepholes, all gates see the old cell\n"
	       "  peepnew | peepfull    diagonal | full-matrix peepholes, the output gate sees the new cell\n"
	       "  proj<width>           projected h\n"
	       "  mask | reset | hold   mask on h for each row | resets inside a sequence | steps that keep the state\n"
	       "  len | packed | left   a length for each row | the same, the data packed | len with padding in front\n"
	       "  add | sep             with bi: the two h of a layer are added | stay separate, up to y\n"
	       "  learn                 every layer learns its start, and no initial state is given\n"
	       "  coupled               the forget gate is 1 - i\n"
	       "  clip                  gates, cell and projection clipped at 1\n"
	       "  hard                  hard sigmoids 0.2 x + 0.5 in i f o, softsign in g and of the cell\n"
	       "  zone | rdrop | dconn  zoneout 0.15 of h, 0.3 of c | dropout of h | of R, 0.25; in training runs\n"
	       "  nox | idx             x holds the gates (i is 4 h of each direction) | is added to every gate\n"
	       "  recompute | outputs   backward computes the gates again | starts from gates and cells\n"
	       "  conv<size>y<rows>x<columns>   ConvLSTM: kernels of 1 to 9 in square over images; i and h are "
	       "channels\n"
	       "  dilate<n> | stride<n> | groups<n>   with conv: of all kernels | of the first layer's input | of all "
	       "channels\n"
	       "  wino | direct         with conv: by Winograd's tiles wherever they can be | nowhere\n"
	       "  peepelement           with conv: a peephole for each element, the output gate sees the new cell\n"
	       "  f64 | bf16 | f16 | int8 | tf32   data type (default f32)\n"
	       "For example: t25n16i512h512, t50n8h128l2bi, t100n1i40h256bf16\n";
}

static sluice_status refuse(const char *text, const char *place, const char *why)
{
	return sluice_fail(SLUICE_INVALID_ARGUMENT, "problem \"%.100s\": %s at \"%.40s\" (character %zu)", text, why,
			   place, (size_t)(place - text) + 1);
}

/* Reads a number between 1 and NUMBER_MAX and moves on; 0 where there is none. */
static size_t number_read(const char **text)
{
	const char *place = *text;
	size_t value = 0;

	while (*place >= '0' && *place <= '9' && value <= NUMBER_MAX)
		value = value * 10 + (size_t)(*place++ - '0');
	if (value < 1 || value > NUMBER_MAX)
		return 0;
	*text = place;
	return value;
}

/* Reads letter and number, and moves on; 0 where they do not stand there. */
static size_t size_read(const char **text, char letter)
{
	const char *place = *text;
	size_t value;

	if (*place++ != letter)
		return 0;
	value = number_read(&place);
	if (value)
		*text = place;
	return value;
}

static const struct option *option_find(const char *text)
{
	for (size_t index = 0; index < sizeof(OPTIONS) / sizeof(OPTIONS[0]); index++)
		if (strncmp(text, OPTIONS[index].word, strlen(OPTIONS[index].word)) == 0)
			return &OPTIONS[index];
	return NULL;
}

static sluice_status options_read(const char *text, const char *place, struct sluice__problem *problem)
{
	int given[GROUPS] = {0};

	while (*place) {
		const struct option *option = option_find(place);
		const char *next = place;
		size_t number = 0;

		if (!option)
			return refuse(text, place, "unknown option");
		if (given[option->group]++)
			return refuse(text, place, "an option repeats or contradicts an earlier one");
		next += strlen(option->word);
		if (option->number && !(number = number_read(&next)))
			return refuse(text, place, "a number from 1 to 100000000 is expected");
		option->apply(problem, number);
		if (option->group == AREA && !(problem->columns = size_read(&next, 'x')))
			return refuse(text, place, "y<rows>x<columns> is expected");
		place = next;
	}
	if (given[KERNEL] != given[AREA])
		return refuse(text, place, "conv<size> and y<rows>x<columns> belong together");
	return SLUICE_OK;
}

/* Numbers and words that contradict each other. */
static const char *contradiction(const struct sluice__problem *problem)
{
	size_t groups = problem->groups ? problem->groups : 1;
	int of_images = problem->dilation || problem->stride || problem->groups || problem->winograd ||
			problem->peephole == SLUICE_PEEPHOLE_ELEMENT;

	if (problem->layers > SLUICE__LAYERS_MAX)
		return "at most 127 layers are possible";
	if (problem->alternating && problem->layers < 2)
		return "alt needs l2 or more";
	if (problem->combination != SLUICE_CONCATENATE && problem->direction != SLUICE_BIDIRECTIONAL)
		return "add and sep need bi";
	if (problem->padding == SLUICE_PADDING_LEFT && problem->lengths != SLUICE__LENGTHS_RANDOM)
		return "left needs len";
	if (of_images && !problem->kernel)
		return "dilate, stride, groups, peepelement, wino and direct need conv";
	if (problem->kernel > KERNEL_MAX)
		return "conv goes up to 9";
	if (problem->stride && problem->input != SLUICE_INPUT_WEIGHTS)
		return "stride needs input weights: neither nox nor idx";
	if (problem->input == SLUICE_INPUT_WEIGHTS && problem->inputs % groups)
		return "groups must divide the inputs";
	if (problem->hidden % groups || problem->projection % groups)
		return "groups must divide h and its projection";
	return NULL;
}

static size_t directions_of(const struct sluice__problem *problem)
{
	return problem->direction == SLUICE_BIDIRECTIONAL ? 2 : 1;
}

/* Inputs of a problem that does not say. */
static size_t default_inputs(const struct sluice__problem *problem)
{
	return problem->input == SLUICE_INPUT_GATES ? directions_of(problem) * 4 * problem->hidden : problem->hidden;
}

sluice_status sluice__problem_parse(const char *text, struct sluice__problem *out)
{
	struct sluice__problem problem = {.layers = 1};
	const char *place = text, *why;
	sluice_status status;

	if (!text)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "the problem is NULL");
	if (!(problem.steps = size_read(&place, 't')))
		return refuse(text, place, "t<steps> is expected");
	if (!(problem.batch = size_read(&place, 'n')))
		return refuse(text, place, "n<batch> is expected");
	problem.inputs = size_read(&place, 'i');
	if (!(problem.hidden = size_read(&place, 'h')))
		return refuse(text, place,
			      problem.inputs ? "h<hidden> is expected" : "i<inputs> or h<hidden> is expected");
	status = options_read(text, place, &problem);
	if (status != SLUICE_OK)
		return status;
	if (!problem.inputs)
		problem.inputs = default_inputs(&problem);
	why = contradiction(&problem);
	if (why)
		return refuse(text, text + strlen(text), why);
	*out = problem;
	return SLUICE_OK;
}

/* Appends a word, with its number unless that is 0. Capacity is SLUICE__PROBLEM_TEXT, which every problem fits. */
static void append(char *text, const char *word, size_t number)
{
	size_t length = strlen(text);

	snprintf(text + length, SLUICE__PROBLEM_TEXT - length, number ? "%s%zu" : "%s", word, number);
}

/* The same, or nothing where the number is 0. */
static void append_number(char *text, const char *word, size_t number)
{
	if (number)
		append(text, word, number);
}

void sluice__problem_print(const struct sluice__problem *problem, char *text)
{
	static const char *const DIRECTIONS[] = {"", "rev", "bi"};
	static const char *const TYPES[] = {"", "f64", "f16", "bf16", "int8"};
	static const char *const INPUTS[] = {"", "idx", "nox"};
	static const char *const TAPES[] = {"", "recompute", "outputs"};
	static const char *const COMBINATIONS[] = {"", "add", "sep"};
	static const char *const CONVOLUTIONS[] = {"", "wino", "direct"};
	static const char *const PEEPHOLES[] = {"", "peepnew", "peepfull", "peepelement"};

	text[0] = '\0';
	append(text, "t", problem->steps);
	append(text, "n", problem->batch);
	if (problem->inputs != default_inputs(problem))
		append(text, "i", problem->inputs);
	append(text, "h", problem->hidden);
	if (problem->layers > 1)
		append(text, "l", problem->layers);
	append(text, problem->alternating ? "alt" : DIRECTIONS[problem->direction], 0);
	append(text, COMBINATIONS[problem->combination], 0);
	append(text, problem->peephole_previous ? "peep" : PEEPHOLES[problem->peephole], 0);
	append_number(text, "proj", problem->projection);
	append(text, problem->mask ? "mask" : "", 0);
	append(text, problem->resets ? "reset" : "", 0);
	append(text, problem->holds ? "hold" : "", 0);
	if (problem->lengths)
		append(text, problem->lengths == SLUICE__LENGTHS_PACKED ? "packed" : "len", 0);
	append(text, problem->padding == SLUICE_PADDING_LEFT ? "left" : "", 0);
	append(text, problem->learned_start ? "learn" : "", 0);
	append(text, problem->coupled ? "coupled" : "", 0);
	append(text, problem->clip ? "clip" : "", 0);
	append(text, problem->hard ? "hard" : "", 0);
	append(text, problem->zoneout ? "zone" : "", 0);
	append(text, problem->recurrent_dropout ? "rdrop" : "", 0);
	append(text, problem->dropconnect ? "dconn" : "", 0);
	append(text, INPUTS[problem->input], 0);
	append(text, TAPES[problem->tape_mode], 0);
	if (problem->kernel) {
		append(text, "conv", problem->kernel);
		append(text, "y", problem->rows);
		append(text, "x", problem->columns);
	}
	append_number(text, "dilate", problem->dilation);
	append_number(text, "stride", problem->stride);
	append_number(text, "groups", problem->groups);
	append(text, CONVOLUTIONS[problem->winograd], 0);
	append(text, problem->tf32 ? "tf32" : TYPES[problem->dtype], 0);
}

/* The width of one direction's h. */
static size_t width_of(const struct sluice__problem *problem)
{
	return problem->projection ? problem->projection : problem->hidden;
}

/* The width of what each cell of a layer reads. */
static size_t inputs_of(const struct sluice__problem *problem, size_t layer)
{
	if (layer == 0)
		return problem->inputs;
	return problem->combination == SLUICE_CONCATENATE ? directions_of(problem) * width_of(problem)
							  : width_of(problem);
}

/* How x enters a layer: as the problem says, as long as the layer below is as wide as that needs. */
static sluice_input input_of(const struct sluice__problem *problem, size_t layer)
{
	int fits = inputs_of(problem, layer) == problem->hidden;

	if (layer == 0 || (problem->input == SLUICE_INPUT_IDENTITY && fits))
		return problem->input;
	return SLUICE_INPUT_WEIGHTS;
}

/* A kernel of the problem, over what has a stride if there is one. */
static sluice_convolution convolution_of(const struct sluice__problem *problem, size_t stride)
{
	return (sluice_convolution){
		.height = problem->kernel,
		.width = problem->kernel,
		.dilation_y = problem->dilation,
		.dilation_x = problem->dilation,
		.groups = problem->groups,
		.stride_y = stride,
		.stride_x = stride,
	};
}

/* Kernels of everything that has weights. */
static void convolutions_describe(const struct sluice__problem *problem, size_t index, sluice_layer *layer)
{
	if (layer->input == SLUICE_INPUT_WEIGHTS)
		layer->input_convolution = convolution_of(problem, index == 0 ? problem->stride : 0);
	layer->recurrent_convolution = convolution_of(problem, 0);
	if (layer->peephole == SLUICE_PEEPHOLE_FULL)
		layer->memory_convolution = convolution_of(problem, 0);
}

static void activations_harden(sluice_layer *layer)
{
	const sluice_activation gate = {SLUICE_ACTIVATION_HARD_SIGMOID, 0.2f, 0.5f, 0};
	const sluice_activation other = {SLUICE_ACTIVATION_SOFTSIGN, 0, 0, 0};

	layer->input_activation = gate;
	layer->forget_activation = gate;
	layer->output_activation = gate;
	layer->candidate_activation = other;
	layer->cell_activation = other;
}

static void layer_describe(const struct sluice__problem *problem, size_t index, sluice_layer *layer)
{
	*layer = (sluice_layer)SLUICE_LAYER_INIT;
	layer->hidden = problem->hidden;
	layer->direction = problem->alternating && index % 2 ? SLUICE_REVERSE : problem->direction;
	layer->peephole = problem->peephole;
	layer->peephole_previous = problem->peephole_previous;
	layer->projection = problem->projection;
	layer->input = input_of(problem, index);
	layer->coupled = problem->coupled;
	layer->combination = problem->combination;
	layer->learned_start = problem->learned_start;
	if (problem->kernel)
		convolutions_describe(problem, index, layer);
	if (problem->hard)
		activations_harden(layer);
	if (problem->clip) {
		layer->gate_clip = CLIP_LIMIT;
		layer->cell_clip = CLIP_LIMIT;
		layer->projection_clip = problem->projection ? CLIP_LIMIT : 0;
	}
	if (problem->zoneout) {
		layer->zoneout_h = ZONEOUT_H;
		layer->zoneout_c = ZONEOUT_C;
	}
	layer->recurrent_dropout = problem->recurrent_dropout ? DROP_CHANCE : 0;
	layer->dropconnect = problem->dropconnect ? DROP_CHANCE : 0;
}

sluice_status sluice__problem_describe(const struct sluice__problem *problem, struct sluice__problem_model *out)
{
	if (problem->dtype == SLUICE_I8 || problem->tf32)
		return sluice_fail(SLUICE_UNSUPPORTED, "a problem's data type cannot be int8 or tf32 yet");
	for (size_t layer = 0; layer < problem->layers; layer++)
		layer_describe(problem, layer, &out->layers[layer]);
	out->description = (sluice_description)SLUICE_DESCRIPTION_INIT;
	out->description.inputs = problem->inputs;
	out->description.layer_count = problem->layers;
	out->description.layers = out->layers;
	out->description.image_height = problem->rows;
	out->description.image_width = problem->columns;
	return SLUICE_OK;
}

sluice_status sluice__problem_set(const struct sluice__problem *problem, struct sluice__problem_model *model,
				  struct sluice__setting *out)
{
	int halves = problem->dtype == SLUICE_F16 || problem->dtype == SLUICE_BF16;
	sluice_status status = sluice__problem_describe(problem, model);

	if (status != SLUICE_OK)
		return status;
	*out = (struct sluice__setting){
		.description = &model->description,
		.steps = problem->steps,
		.batch = problem->batch,
		.training = problem->zoneout || problem->recurrent_dropout || problem->dropconnect,
		.mask = problem->mask,
		.mask_shape = SLUICE_MASK_SEQUENCE,
		.data = problem->dtype,
		.weights = halves ? problem->dtype : SLUICE_F32,
		.tape = halves ? problem->dtype : SLUICE_F32,
		.tape_mode = problem->tape_mode,
		.winograd = problem->winograd,
		.lengths = problem->lengths,
		.padding = problem->padding,
		.resets = problem->resets,
		.holds = problem->holds,
		.no_initial = problem->learned_start,
	};
	return SLUICE_OK;
}

/* Places of the images that all layers put out; 1 without images. */
static double places_of(const struct sluice__problem *problem)
{
	size_t stride = problem->stride ? problem->stride : 1;

	if (!problem->kernel)
		return 1;
	return (double)((problem->rows - 1) / stride + 1) * (double)((problem->columns - 1) / stride + 1);
}

double sluice__problem_flops(const struct sluice__problem *problem)
{
	size_t groups = problem->groups ? problem->groups : 1;
	double hidden = (double)problem->hidden, width = (double)width_of(problem);
	double directions = (double)directions_of(problem), gates = problem->coupled ? 3 : 4, products = 0;
	double rows = gates * hidden * (problem->kernel ? (double)(problem->kernel * problem->kernel) : 1);

	for (size_t layer = 0; layer < problem->layers; layer++) {
		if (input_of(problem, layer) == SLUICE_INPUT_WEIGHTS)
			products += rows * (double)(inputs_of(problem, layer) / groups);
		products += rows * (double)(width_of(problem) / groups);
		products += problem->projection ? width * hidden : 0;
		products += problem->peephole == SLUICE_PEEPHOLE_FULL ? rows * (double)(problem->hidden / groups) : 0;
	}
	return 2 * products * directions * places_of(problem) * (double)problem->batch * (double)problem->steps;
}
