/*
 * mpsgraph_net.h: the layer that the probes of MPSGraph ask their questions with, in plain C: what goes into one LSTM
 * node and its gradients, and what comes out. mpsgraph_probe.m builds it with Apple's framework, mpsgraph_probe.c with
 * this project's; the questions are the same.
 */
#ifndef SLUICE_COMPAT_PROBE_MPSGRAPH_NET_H
#define SLUICE_COMPAT_PROBE_MPSGRAPH_NET_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 512, RANK = 4, GATES = 4, RESULTS = 3 };
/* The sizes of most questions, no two of which are alike, not even four or eight times as large. */
enum { STEPS = 3, BATCH = 5, INPUTS = 7, HIDDEN = 2 };
/* In the order of the gradients; a mask has none. */
enum { SOURCE, RECURRENT, INPUT, BIAS, PEEPHOLE, STATE, CELL, GRADIENTS, MASK = GRADIENTS, TENSORS };
enum { NONE, RELU, TANH, SIGMOID, HARD_SIGMOID, ACTIVATIONS };
enum { INPUT_GATE, FORGET_GATE, CELL_GATE, OUTPUT_GATE, OUTPUT, FUNCTIONS };
enum { FLOAT32, FLOAT16, BFLOAT16 };

/* Without a rank it is nil. */
struct array {
	size_t rank, size[RANK];
	float data[ROOM];
};

struct net {
	int reverse, bidirectional, produce_cell, training, forget_gate_last;
	int functions[FUNCTIONS];
	int type;        /* of every tensor of the node; the arrays here are cast */
	int only_needed; /* LSTMGradients in its shortest form */
	struct array in[TENSORS], source_gradient, state_gradient, cell_gradient;
	size_t results, gradients; /* how many came */
	struct array result[RESULTS], gradient[GRADIENTS];
};

/* What each probe brings along. All return 0, or another number when refused. */
static int platform_defaults(struct net *net); /* the properties of a new descriptor */
static int platform_forward(struct net *net);  /* the results */
static int platform_backward(struct net *net); /* the results, then the gradients from them */

static void give_up(const char *why)
{
	printf("%s", why);
	fflush(stdout);
	_Exit(1);
}

static struct array *shape(struct array *array, size_t rank, size_t a, size_t b, size_t c)
{
	const size_t size[] = {a, b, c, 1};
	array->rank = rank;
	memcpy(array->size, size, sizeof(size));
	return array;
}

static size_t count_of(const struct array *array)
{
	size_t count = array->rank != 0;
	for (size_t k = 0; k < array->rank; k++)
		count *= array->size[k];
	return count;
}

/* Numbers in [-0.5, 0.5), always the same. */
static void fill(struct array *array, unsigned seed)
{
	unsigned word = seed * 2654435761u + 1;
	for (size_t k = 0; k < ROOM; k++) {
		word = word * 1664525u + 1013904223u;
		array->data[k] = (float)(word >> 8) / 16777216.0f - 0.5f;
	}
}

static void set_all(struct array *array, float value)
{
	for (size_t k = 0; k < ROOM; k++)
		array->data[k] = value;
}

/* A layer with weights and bias and, until a question adds them, nothing that is optional. */
static struct net *new_net(size_t steps, size_t batch, size_t inputs, size_t hidden, size_t directions)
{
	static const int functions[] = {SIGMOID, SIGMOID, TANH, SIGMOID, TANH};
	const size_t gates = GATES * hidden;
	struct net *net = calloc(1, sizeof(*net));
	if (!net)
		give_up("no memory");
	net->bidirectional = directions == 2;
	net->produce_cell = net->training = 1;
	memcpy(net->functions, functions, sizeof(functions));
	for (size_t k = 0; k < TENSORS; k++)
		fill(&net->in[k], (unsigned)k + 1);
	fill(&net->source_gradient, 20);
	fill(&net->state_gradient, 21);
	fill(&net->cell_gradient, 22);
	shape(&net->in[SOURCE], 3, steps, batch, inputs);
	if (directions == 2)
		shape(&net->in[RECURRENT], 3, 2, gates, hidden);
	else
		shape(&net->in[RECURRENT], 2, gates, hidden, 1);
	shape(&net->in[INPUT], 2, directions * gates, inputs, 1);
	shape(&net->in[BIAS], 1, directions * gates, 1, 1);
	shape(&net->source_gradient, 3, steps, batch, directions * hidden);
	return net;
}

static struct net *usual_net(size_t directions)
{
	return new_net(STEPS, BATCH, INPUTS, HIDDEN, directions);
}

/* One row and one unit: four numbers are all that gates are made of. */
static struct net *single_net(size_t steps)
{
	return new_net(steps, 1, 1, 1, 1);
}

static void add_states(struct net *net)
{
	const size_t batch = net->in[SOURCE].size[1], width = net->source_gradient.size[2];
	shape(&net->in[STATE], 2, batch, width, 1);
	shape(&net->in[CELL], 2, batch, width, 1);
}

static void add_peephole(struct net *net)
{
	const size_t width = net->source_gradient.size[2];
	if (net->bidirectional)
		shape(&net->in[PEEPHOLE], 2, 2, GATES / 2 * width, 1);
	else
		shape(&net->in[PEEPHOLE], 1, GATES * width, 1, 1);
}

static void add_state_gradients(struct net *net)
{
	const size_t batch = net->in[SOURCE].size[1], width = net->source_gradient.size[2];
	shape(&net->state_gradient, 2, batch, width, 1);
	shape(&net->cell_gradient, 2, batch, width, 1);
}

static struct net *copy_of(const struct net *net)
{
	struct net *copy = malloc(sizeof(*copy));
	if (!copy)
		give_up("no memory");
	memcpy(copy, net, sizeof(*copy));
	return copy;
}

static void forward(struct net *net)
{
	if (platform_forward(net) != 0 || net->results == 0)
		give_up("refused");
}

static void backward(struct net *net)
{
	if (platform_backward(net) != 0 || net->gradients == 0)
		give_up("refused");
}

/* ------------------------------------------------------------------------------------------- what is printed -- */

static int near(double one, double other, double room)
{
	return fabs(one - other) <= room;
}

static int near_all(const struct array *one, const struct array *other, double room)
{
	size_t count = count_of(one);
	if (count == 0 || count != count_of(other))
		return 0;
	for (size_t k = 0; k < count; k++)
		if (!near(one->data[k], other->data[k], room))
			return 0;
	return 1;
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

static void print_shape(const struct array *array)
{
	for (size_t k = 0; k < array->rank; k++)
		printf("%s%zu", k ? "x" : "", array->size[k]);
}

static void print_shapes(const struct array *arrays, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		printf("%s", k ? " " : "");
		print_shape(&arrays[k]);
	}
}

static void print_numbers(const float *numbers, size_t count)
{
	for (size_t k = 0; k < count; k++)
		printf("%s%.3f", k ? " " : "", (double)numbers[k] + 0.0);
}

/* The steps at which columns first..first+width-1 of two results differ. */
static void print_moved(const struct array *one, const struct array *other, size_t first, size_t width)
{
	char moved[STEPS] = {0};
	for (size_t k = 0; k < count_of(one); k++) {
		size_t column = k % one->size[2], step = k / one->size[2] / one->size[1];
		if (column >= first && column < first + width && !near(one->data[k], other->data[k], 1e-6))
			moved[step] = 1;
	}
	print_places(moved, STEPS);
}

#endif
