/*
 * mps_backward.h: the questions of the probes of Metal Performance Shaders about the training layer: copies of weights,
 * gradients, what is added to what, states both ways, numbers of 16 bits.
 */
#ifndef SLUICE_COMPAT_PROBE_MPS_BACKWARD_H
#define SLUICE_COMPAT_PROBE_MPS_BACKWARD_H

#include "mps_rows.h"

static const char *const TENSOR_NAMES[TENSORS] = {"input weights", "recurrent weights", "memory weights", "bias"};

/* What differences of the reference leave open, and the layer's 32 bits. */
static const double SLOPE = 1e-3;

static float *numbers_of(struct net *net, int tensor, int gate)
{
	struct source *source = &net->layer[0].sources[tensor == BIAS ? INPUT : tensor][gate];
	return tensor == BIAS ? source->bias : source->weights;
}

static size_t count_of_tensor(const struct net *net, int tensor)
{
	const struct layer *layer = &net->layer[0];
	if (tensor == BIAS || (tensor == MEMORY && layer->diagonal))
		return layer->hidden;
	return layer->hidden * (tensor == INPUT ? layer->inputs : layer->hidden);
}

/* A layer with everything that a gradient can be of. */
static struct net *whole_net(int diagonal)
{
	struct net *net = usual_net();
	add_memory(net, diagonal);
	return net;
}

static void ask_copies(void)
{
	struct net *net = whole_net(0);
	train(net);
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		int same = 1;
		for (int gate = 0; gate < GATES; gate++)
			same &= near_all(numbers_of(net, tensor, gate), net->weight[tensor][gate],
					 count_of_tensor(net, tensor), 1e-6);
		printf("%s%s %s", tensor ? ", " : "", TENSOR_NAMES[tensor], same ? "as the source's" : "otherwise");
	}
}

/* Input weights, HIDDEN rows of INPUTS, into a matrix with room for two rows and three columns more. */
static void ask_copies_aside(void)
{
	struct net *net = whole_net(0);
	char written[ROOM] = {0};
	net->x_at = 3;
	net->y_at = 2;
	train(net);
	for (size_t k = 0; k < (size_t)(HIDDEN + 2) * (INPUTS + 3); k++)
		written[k] = net->weight[INPUT][INPUT_GATE][k] != MARK;
	print_places(written, (size_t)(HIDDEN + 2) * (INPUTS + 3));
}

static void ask_copies_of_absent(void)
{
	struct net *net = usual_net();
	net->absent_part = MEMORY;
	train(net);
	printf("accepted");
}

static void ask_copies_of_other_layers(void)
{
	struct net *net = usual_net();
	net->other_id = 19;
	train(net);
	printf("accepted");
}

static void ask_training_states(void)
{
	struct net *net = usual_net();
	train(net);
	printf("%zu of %d steps", net->training_states, STEPS);
}

static void ask_training_forward(void)
{
	struct net *net = whole_net(0);
	train(net);
	printf("%s", as_reference(net, FINE) ? "as inference" : "otherwise");
}

static void print_gradients(struct net *net, double room)
{
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		int same = 1;
		for (int gate = 0; gate < GATES; gate++)
			same &= as_differences(net, numbers_of(net, tensor, gate), net->gradient[tensor][gate],
					       count_of_tensor(net, tensor), room);
		printf("%s, ", same ? TENSOR_NAMES[tensor] : "otherwise");
	}
	printf("%s",
	       as_differences(net, net->x, net->dx, (size_t)STEPS * BATCH * INPUTS, room) ? "sources" : "otherwise");
}

static void ask_gradients(void)
{
	struct net *net = whole_net(0);
	train(net);
	print_gradients(net, SLOPE);
}

static void ask_gradients_diagonal(void)
{
	struct net *net = whole_net(1);
	train(net);
	print_gradients(net, SLOPE);
}

static void ask_gradients_float16(void)
{
	struct net *net = whole_net(0);
	net->float_gradients = FLOAT16;
	train(net);
	print_gradients(net, ROUGH);
}

static void ask_gradients_short(void)
{
	struct net *net = whole_net(0);
	net->short_methods = 1;
	train(net);
	print_gradients(net, SLOPE);
}

static void ask_gradients_falling(void)
{
	struct net *net = falling_net();
	static float whole[ROOM];
	int same, left = 1;
	train(net);
	same = as_differences(net, numbers_of(net, RECURRENT, CELL_GATE), net->gradient[RECURRENT][CELL_GATE],
			      count_of_tensor(net, RECURRENT), SLOPE);
	memcpy(whole, net->dx, sizeof(whole));
	for (size_t k = 0; k < (size_t)STEPS * BATCH * INPUTS; k++)
		if (k / INPUTS % BATCH >= net->rows[k / INPUTS / BATCH])
			left &= whole[k] == MARK;
	printf("%s, rows that a step has not are %s", same ? "recurrent weights" : "otherwise",
	       left ? "left alone" : "written");
}

/* How many times the gradient of one call is what two calls leave. */
static void print_twice(int accumulate, int short_methods)
{
	struct net *once = whole_net(0), *twice = whole_net(0);
	twice->calls = 2;
	twice->accumulate = accumulate;
	twice->short_methods = short_methods;
	train(once);
	train(twice);
	printf("%.1f times", (double)(twice->gradient[BIAS][CELL_GATE][0] / once->gradient[BIAS][CELL_GATE][0]));
}

static void ask_overwriting(void)
{
	print_twice(0, 0);
}

static void ask_overwriting_short(void)
{
	print_twice(0, 1);
}

static void ask_accumulating(void)
{
	print_twice(1, 0);
}

/* Two pieces, the later one's gradients first. */
static void print_pieces(int chained)
{
	struct net *net = whole_net(0);
	net->split = 2;
	net->chained = chained;
	net->accumulate = 1;
	train(net);
	print_gradients(net, SLOPE);
}

static void ask_chained_gradients(void)
{
	print_pieces(1);
}

static void ask_truncated_gradients(void)
{
	struct net *whole = whole_net(0), *pieces = whole_net(0);
	pieces->split = 2;
	pieces->chained = 0;
	pieces->accumulate = 1;
	train(whole);
	train(pieces);
	for (size_t step = 0; step < STEPS; step++)
		printf("%s%s", step ? " " : "",
		       near_all(whole->dx + step * BATCH * INPUTS, pieces->dx + step * BATCH * INPUTS,
				(size_t)BATCH * INPUTS, 1e-5)
			       ? "whole"
			       : "cut");
}

/* The net from a step on, starting from the state before it. */
static struct net *tail_of(const struct net *net, size_t step, const float *h, const float *c)
{
	struct net *tail = copy_of(net);
	const size_t in = (size_t)BATCH * INPUTS, out = (size_t)BATCH * HIDDEN;
	tail->steps = net->steps - step;
	memcpy(tail->x, net->x + step * in, tail->steps * in * sizeof(float));
	memcpy(tail->dy, net->dy + step * out, tail->steps * out * sizeof(float));
	memcpy(tail->start_h, h, out * sizeof(float));
	memcpy(tail->start_c, c, out * sizeof(float));
	return tail;
}

/* dh and dc before the second piece. */
static void ask_state_gradients(void)
{
	const size_t count = (size_t)BATCH * HIDDEN;
	struct net *net = whole_net(0), *tail;
	net->split = 2;
	train(net);
	tail = tail_of(net, 2, net->h[0], net->state_c[0]);
	printf("recurrent output %s, memory cell %s",
	       as_differences(tail, tail->start_h, net->dh[0], count, SLOPE) ? "dh" : "otherwise",
	       as_differences(tail, tail->start_c, net->dc[0], count, SLOPE) ? "dc" : "otherwise");
}

/* Before which step each of them is. */
static void ask_all_state_gradients(void)
{
	static const float zeros[ROOM];
	const size_t count = (size_t)BATCH * HIDDEN;
	struct net *net = whole_net(0);
	net->all_states = 1;
	train(net);
	printf("%zu of them, before steps", net->states);
	for (size_t k = 0; k < net->states; k++) {
		size_t step = 0;
		for (; step < STEPS; step++) {
			struct net *tail = tail_of(net, step, step ? net->h[step - 1] : zeros,
						   step ? net->state_c[step - 1] : zeros);
			const int same = as_differences(tail, tail->start_h, net->dh[k], count, SLOPE);
			free(tail);
			if (same)
				break;
		}
		printf(" %s", step == STEPS ? "?" : step == 0 ? "0" : step == 1 ? "1" : "2");
	}
}

/* One weight that Float16 cannot hold, seen by y and by the gradient of x. */
static void ask_training_weights(void)
{
	struct net *net = mirror_net(1);
	net->layer[0].float32 = 0;
	net->layer[0].sources[INPUT][CELL_GATE].weights[0] = 2049;
	net->x[0] = 1;
	net->dy[0] = 1;
	train(net);
	printf("forward %s, backward %s, copy %s", near(net->y[0], 2049, 0.5) ? "kept" : "rounded",
	       near(net->dx[0], 2049, 0.5) ? "kept" : "rounded",
	       near(net->weight[INPUT][CELL_GATE][0], 2049, 0.5) ? "kept" : "rounded");
}

/* Slopes at -0.5 0.5 2 3, of dy 1: x below 0 times a quarter, no more than 2.5. */
static void ask_relun(void)
{
	struct net *net = net_of_neuron(RELUN, 0.25f, 2.5f, 0);
	set_all(net->dy, ROOM, 1);
	train(net);
	print_numbers(net->dx, 4);
}

#endif
