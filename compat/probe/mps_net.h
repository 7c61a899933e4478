/*
 * mps_net.h: the layers that the probes of Metal Performance Shaders ask their questions with, in plain C: what goes
 * into a call, and what comes out. mps_probe.m builds them with Apple's framework, mps_probe.c with this project's; the
 * questions are the same.
 */
#ifndef SLUICE_COMPAT_PROBE_MPS_NET_H
#define SLUICE_COMPAT_PROBE_MPS_NET_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 512, MOST_LAYERS = 4, MOST_STEPS = 4, CHANNELS = 8, TABLE_ENTRIES = 256, CALLS_TEXT = 200 };
/* The sizes of most questions. */
enum { STEPS = 3, BATCH = 4, INPUTS = 3, HIDDEN = 2 };
/* In the order of Apple's properties, and of the ids of weights but that there the last two change places. */
enum { INPUT_GATE, FORGET_GATE, OUTPUT_GATE, CELL_GATE, GATES };
enum { INPUT, RECURRENT, MEMORY, PARTS, BIAS = PARTS, TENSORS };
enum { FLOAT32, FLOAT16, UINT8 };
enum { NO_CODES, LINEAR, LOOKUP };
enum { APART, ADD, CONCATENATE };
/* Values of MPSCNNNeuronType. */
enum { NONE, RELU, SIGMOID = 3, HARD_SIGMOID, TANH, PRELU = 10, RELUN, EXPONENTIAL = 13, LOGARITHM, NEURONS = 16 };
/* What rows that nobody writes keep. */
static const float MARK = 77;

struct source {
	int there, says_no;
	int type, codes_mean, kernel_type; /* kernel_type: 0, or FLOAT32 + 1, ...: what kernelWeightsDataType answers */
	size_t in, out, width, height, stride, dilation, groups;
	int neuron;
	float a, b, c, slopes[CHANNELS];
	float weights[ROOM], bias[CHANNELS], ranges[2 * CHANNELS], table[TABLE_ENTRIES];
	uint16_t halves[ROOM];
	uint8_t codes[ROOM];
	/* What was called, in the order of each one's first time. */
	char calls[CALLS_TEXT];
	int loads, purges;
};

struct layer {
	size_t inputs, hidden;
	int unit, float32, diagonal, backward;
	int cell_neuron;
	struct source sources[PARTS][GATES];
};

struct net {
	size_t layers, steps, rows[MOST_STEPS];
	size_t height, width; /* of images; 0: matrices */
	struct layer layer[MOST_LAYERS];
	int type;     /* of matrices */
	int packed;   /* one matrix for all steps, rows of all steps' numbers, by offsets */
	int in_place; /* destinations are the sources */
	size_t split; /* steps of a first call, whose state the second one starts from; 0: one call */
	int combine;  /* of bidirectional calls, */
	int both;     /* which this is one of */
	int all_states, temporary;
	size_t looked;                      /* the layer whose states are looked at */
	void (*change)(struct net *net);    /* done between the layer's making and its call */
	float x[ROOM], dy[ROOM];            /* [T][N][...], N being the rows of the first step */
	float start_h[ROOM], start_c[ROOM]; /* of one layer of matrices, [N][H]; only the reference reads them */
	float y[ROOM], backward_y[ROOM];
	size_t states;
	float h[MOST_STEPS][ROOM], state_c[MOST_STEPS][ROOM];
	int read_counts[2]; /* of a state, before and after it was read */
	/* Training. */
	int float_gradients; /* FLOAT32 or FLOAT16 */
	int accumulate, calls, chained, short_methods;
	int absent_part;   /* copy this tensor of the first gate in spite of its source; 0: do not */
	int other_id;      /* copy by this id of another kind of layer; 0: do not */
	size_t x_at, y_at; /* where copies begin in their matrices */
	size_t training_states;
	float dx[ROOM], dh[MOST_STEPS][ROOM], dc[MOST_STEPS][ROOM];
	float weight[TENSORS][GATES][ROOM], gradient[TENSORS][GATES][ROOM];
};

struct defaults {
	int unit, float32, backward, diagonal, cell_neuron;
	float cell_a, cell_b, cell_c;
	int sources; /* how many are not nil */
	size_t stride_x, stride_y, groups, dilation_x, dilation_y;
	int neuron;
	int temporary, all_states, combine;
	int training_temporary, training_all, training_states_temporary, accumulate;
	float a, b, c; /* of a neuron that was made without them */
};

/* What each probe brings along. All return 0, or another number when refused. */
static int platform_defaults(struct defaults *defaults);
static int platform_forward(struct net *net);
static int platform_train(struct net *net);

static void give_up(const char *why)
{
	printf("%s", why);
	fflush(stdout);
	_Exit(1);
}

/* ----------------------------------------------------------------------------------------------------- numbers -- */

/* For what is neither tiny nor infinite; to nearest even. */
static uint16_t half_of(float value)
{
	uint32_t bits, rounded;
	memcpy(&bits, &value, sizeof(bits));
	if (value == 0)
		return 0;
	rounded = (bits & 0x7fffffffu) + 0xfffu + (bits >> 13 & 1);
	return (uint16_t)((bits >> 16 & 0x8000u) | ((rounded >> 13) - (112u << 10)));
}

static float float_of(uint16_t half)
{
	const uint32_t bits = (half & 0x8000u) << 16 | ((half & 0x7fffu) + (112u << 10)) << 13;
	float value;
	memcpy(&value, &bits, sizeof(value));
	return half & 0x7fffu ? value : 0;
}

/* Numbers in [-0.5, 0.5), always the same, which Float16 holds exactly. */
static void fill(float *numbers, size_t count, unsigned seed)
{
	unsigned word = seed * 2654435761u + 1;
	for (size_t k = 0; k < count; k++) {
		word = word * 1664525u + 1013904223u;
		numbers[k] = (float)(word >> 26) / 64.0f - 0.5f;
	}
}

static void set_all(float *numbers, size_t count, float value)
{
	for (size_t k = 0; k < count; k++)
		numbers[k] = value;
}

/* ----------------------------------------------------------------------------------------------------- sources -- */

/* Both probes' sources of weights answer by these. */
static void called(struct source *source, const char *what)
{
	if (strstr(source->calls, what))
		return;
	if (*source->calls)
		strncat(source->calls, " ", CALLS_TEXT - strlen(source->calls) - 1);
	strncat(source->calls, what, CALLS_TEXT - strlen(source->calls) - 1);
}

static int source_load(struct source *source)
{
	called(source, "load");
	source->loads++;
	return !source->says_no;
}

static void source_purge(struct source *source)
{
	called(source, "purge");
	source->purges++;
}

static void *source_weights(struct source *source)
{
	void *const arrays[] = {source->weights, source->halves, source->codes};
	called(source, "weights");
	return arrays[source->type];
}

static size_t source_count(const struct source *source)
{
	return source->out * source->height * source->width * (source->in / source->groups);
}

/* A weight as it is meant. */
static double source_weight(const struct source *source, size_t index)
{
	const size_t channel = index / (source_count(source) / source->out);
	const double least = source->ranges[2 * channel], most = source->ranges[2 * channel + 1];
	if (source->type == FLOAT32)
		return source->weights[index];
	if (source->type == FLOAT16)
		return float_of(source->halves[index]);
	if (source->codes_mean == LOOKUP)
		return source->table[source->codes[index]];
	return source->codes[index] / 255.0 * (most - least) + least;
}

static void add_source(struct layer *layer, int part, int gate, unsigned seed)
{
	struct source *source = &layer->sources[part][gate];
	memset(source, 0, sizeof(*source));
	source->there = 1;
	source->in = part == INPUT ? layer->inputs : layer->hidden;
	source->out = layer->hidden;
	source->width = source->height = source->stride = source->dilation = source->groups = 1;
	source->neuron = gate == CELL_GATE ? TANH : SIGMOID;
	source->a = source->b = 1;
	fill(source->weights, ROOM, seed);
	fill(source->bias, CHANNELS, seed + 100);
	fill(source->slopes, CHANNELS, seed + 200);
	fill(source->ranges, (size_t)2 * CHANNELS, seed + 300);
	fill(source->table, TABLE_ENTRIES, seed + 400);
	for (size_t k = 0; k < ROOM; k++) {
		source->halves[k] = half_of(source->weights[k]);
		source->codes[k] = (uint8_t)(seed * 31 + k * 47);
	}
}

/* -------------------------------------------------------------------------------------------------------- nets -- */

static void add_layer(struct net *net, size_t inputs, size_t hidden)
{
	struct layer *layer = &net->layer[net->layers];
	layer->inputs = inputs;
	layer->hidden = hidden;
	layer->float32 = 1;
	layer->cell_neuron = TANH;
	for (int gate = 0; gate < GATES; gate++) {
		add_source(layer, INPUT, gate, (unsigned)(20 * net->layers + 1) + (unsigned)gate);
		add_source(layer, RECURRENT, gate, (unsigned)(20 * net->layers + 6) + (unsigned)gate);
	}
	net->layers++;
}

static void add_memory(struct net *net, int diagonal)
{
	for (size_t k = 0; k < net->layers; k++) {
		net->layer[k].diagonal = diagonal;
		for (int gate = 0; gate < GATES; gate++)
			add_source(&net->layer[k], MEMORY, gate, (unsigned)(20 * k + 11) + (unsigned)gate);
	}
}

/* A layer with input and recurrent weights and, until a question adds it, nothing else. */
static struct net *new_net(size_t steps, size_t rows, size_t inputs, size_t hidden)
{
	struct net *net = calloc(1, sizeof(*net));
	if (!net)
		give_up("no memory");
	net->steps = steps;
	for (size_t step = 0; step < steps; step++)
		net->rows[step] = rows;
	net->calls = 1;
	net->chained = 1;
	fill(net->x, ROOM, 90);
	fill(net->dy, ROOM, 91);
	add_layer(net, inputs, hidden);
	return net;
}

static struct net *usual_net(void)
{
	return new_net(STEPS, BATCH, INPUTS, HIDDEN);
}

/* One unit, whose h is what its candidate is: that is x, before its neuron. */
static struct net *mirror_net(size_t rows)
{
	struct net *net = new_net(1, rows, 1, 1);
	struct layer *layer = &net->layer[0];
	layer->cell_neuron = NONE;
	for (int gate = 0; gate < GATES; gate++) {
		struct source *source = &layer->sources[INPUT][gate];
		layer->sources[RECURRENT][gate].there = 0;
		source->neuron = NONE;
		source->weights[0] = gate == CELL_GATE;
		source->bias[0] = gate == INPUT_GATE || gate == OUTPUT_GATE;
	}
	return net;
}

/* The same with images of one row of pixels, 1 2 3 and so on. */
static struct net *mirror_image(size_t width)
{
	struct net *net = mirror_net(1);
	net->height = 1;
	net->width = width;
	for (size_t k = 0; k < width; k++)
		net->x[k] = (float)(k + 1);
	return net;
}

static struct net *copy_of(const struct net *net)
{
	struct net *copy = malloc(sizeof(*copy));
	if (!copy)
		give_up("no memory");
	memcpy(copy, net, sizeof(*copy));
	return copy;
}

static size_t places_of(const struct net *net)
{
	return net->height ? net->height * net->width : 1;
}

/* Channels of one direction's results, or of both side by side. */
static size_t outputs_of(const struct net *net)
{
	const size_t last = net->layer[net->layers - 1].hidden;
	return net->both && net->combine == CONCATENATE ? 2 * last : last;
}

static void forward(struct net *net)
{
	if (platform_forward(net) != 0)
		give_up("refused");
}

static void train(struct net *net)
{
	if (platform_train(net) != 0)
		give_up("refused");
}

/* --------------------------------------------------------------------------------------------- what is printed -- */

static int near(double one, double other, double room)
{
	return fabs(one - other) <= room;
}

static int near_all(const float *one, const float *other, size_t count, double room)
{
	for (size_t k = 0; k < count; k++)
		if (!near(one[k], other[k], room))
			return 0;
	return 1;
}

/* Numbers that are no more than rounding away from zero have no sign. */
static void print_numbers(const float *numbers, size_t count)
{
	for (size_t k = 0; k < count; k++)
		printf("%s%.3f", k ? " " : "", fabsf(numbers[k]) < 5e-4f ? 0.0 : (double)numbers[k]);
}

/* As 0-2 4; none if there is none. */
static void print_places(const char *set, size_t count)
{
	const char *gap = "";
	for (size_t k = 0; k < count; k++) {
		size_t last = k;
		if (!set[k])
			continue;
		while (last + 1 < count && set[last + 1])
			last++;
		printf("%s%zu", gap, k);
		if (last > k)
			printf("-%zu", last);
		gap = " ";
		k = last;
	}
	if (!*gap)
		printf("none");
}

/* The steps at which the columns from `first` on of two results differ. */
static void print_moved(const float *one, const float *other, size_t columns, size_t first, size_t count)
{
	char moved[STEPS] = {0};
	for (size_t k = 0; k < STEPS * BATCH * columns; k++)
		if (k % columns >= first && k % columns < first + count && !near(one[k], other[k], 1e-6))
			moved[k / columns / BATCH] = 1;
	print_places(moved, STEPS);
}

#endif
