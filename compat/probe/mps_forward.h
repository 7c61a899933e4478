/*
 * mps_forward.h: the questions of the probes of Metal Performance Shaders about layers of matrices: defaults, sources
 * of weights, neurons, the cell, stacks and directions, rows and states.
 */
#ifndef SLUICE_COMPAT_PROBE_MPS_FORWARD_H
#define SLUICE_COMPAT_PROBE_MPS_FORWARD_H

#include "mps_reference.h"

/* What sums of a few numbers differ by in 32 bits, and where 16 bits have a part. */
static const double FINE = 1e-4, ROUGH = 0.02;

static const char *yes(int answer)
{
	return answer ? "yes" : "no";
}

static void ask_defaults(void)
{
	struct defaults d;
	memset(&d, 0, sizeof(d));
	if (platform_defaults(&d) != 0)
		give_up("refused");
	printf("unit transform %s, float32 %s, backward %s, diagonal %s, sources %d, cell to output %d of %g %g %g",
	       yes(d.unit), yes(d.float32), yes(d.backward), yes(d.diagonal), d.sources, d.cell_neuron,
	       (double)d.cell_a, (double)d.cell_b, (double)d.cell_c);
}

static void ask_convolution_defaults(void)
{
	struct defaults d;
	memset(&d, 0, sizeof(d));
	if (platform_defaults(&d) != 0)
		give_up("refused");
	printf("strides %zu %zu, groups %zu, dilation %zu %zu, neuron %d, numbers of a neuron without %g %g %g",
	       d.stride_x, d.stride_y, d.groups, d.dilation_x, d.dilation_y, d.neuron, (double)d.a, (double)d.b,
	       (double)d.c);
}

static void ask_layer_defaults(void)
{
	struct defaults d;
	memset(&d, 0, sizeof(d));
	if (platform_defaults(&d) != 0)
		give_up("refused");
	printf("inference: temporary %s, all states %s, combine %d; training: temporary %s, all states %s, "
	       "temporary training states %s, accumulate %s",
	       yes(d.temporary), yes(d.all_states), d.combine, yes(d.training_temporary), yes(d.training_all),
	       yes(d.training_states_temporary), yes(d.accumulate));
}

/* ----------------------------------------------------------------------------------------------------- neurons -- */

static struct net *net_of_neuron(int neuron, float a, float b, float c)
{
	static const float x[] = {-0.5f, 0.5f, 2, 3};
	struct net *net = mirror_net(4);
	struct source *source = &net->layer[0].sources[INPUT][CELL_GATE];
	source->neuron = neuron;
	source->a = a;
	source->b = b;
	source->c = c;
	source->slopes[0] = 0.25f;
	memcpy(net->x, x, sizeof(x));
	return net;
}

static void print_neuron(int neuron, float a, float b, float c)
{
	struct net *net = net_of_neuron(neuron, a, b, c);
	forward(net);
	print_numbers(net->y, 4);
	free(net);
}

static void ask_neurons(void)
{
	for (int neuron = NONE; neuron < NEURONS; neuron++) {
		printf("%s%d: ", neuron ? ", " : "", neuron);
		print_neuron(neuron, 0.5f, 1, 2);
	}
}

static void ask_tanh_of_zeros(void)
{
	print_neuron(TANH, 0, 0, 0);
}

static void ask_hard_sigmoid_of_zeros(void)
{
	print_neuron(HARD_SIGMOID, 0, 0, 0);
}

static void ask_exponential_to_base_e(void)
{
	print_neuron(EXPONENTIAL, 0.5f, 1, -1);
}

static void ask_logarithm_to_base_e(void)
{
	print_neuron(LOGARITHM, 0.5f, 1, -1);
}

/* A gate without an input source has a sum of zero here, whatever it goes through. */
static void ask_absent_input_source(void)
{
	struct net *net = mirror_net(1);
	net->x[0] = 1;
	net->layer[0].sources[INPUT][OUTPUT_GATE].there = 0;
	forward(net);
	printf("output gate of zero weights is %.3f", fabs((double)net->y[0]));
}

static void ask_bare_unit_transform(void)
{
	struct net *net = mirror_net(1);
	net->x[0] = 0.5f;
	net->layer[0].unit = 1;
	for (int gate = 0; gate < GATES; gate++)
		net->layer[0].sources[INPUT][gate].there = 0;
	forward(net);
	printf("h of x 0.5 is %.3f", (double)net->y[0]);
}

/* Weights of 3 and a bias of 1 at the candidate. */
static void ask_unit_transform(void)
{
	struct net *net = mirror_net(1);
	struct source *source = &net->layer[0].sources[INPUT][CELL_GATE];
	net->layer[0].unit = 1;
	net->x[0] = 0.5f;
	source->weights[0] = 3;
	source->bias[0] = 1;
	/* So that the other two gates that count are 1 whether x reaches them or not. */
	for (int gate = 0; gate < GATES; gate++)
		if (gate != CELL_GATE)
			net->layer[0].sources[INPUT][gate].bias[0] = gate == FORGET_GATE ? 0 : 0.5f;
	forward(net);
	printf("weights are %s, the bias is %s",
	       near(net->y[0], 0.5, FINE) || near(net->y[0], 1.5, FINE) ? "ignored" : "used",
	       near(net->y[0], 1.5, FINE) || near(net->y[0], 2.5, FINE) ? "used" : "ignored");
}

static const char *part_name(int part)
{
	return part == RECURRENT ? "recurrent" : "memory";
}

/* Whether something of the sources that are no input sources makes a difference. */
static void print_ignored(void (*change)(struct source *source))
{
	for (int part = RECURRENT; part <= MEMORY; part++) {
		struct net *net = usual_net(), *changed;
		add_memory(net, 0);
		changed = copy_of(net);
		for (int gate = 0; gate < GATES; gate++)
			change(&changed->layer[0].sources[part][gate]);
		forward(net);
		forward(changed);
		printf("%s%s %s", part > RECURRENT ? ", " : "", part_name(part),
		       near_all(net->y, changed->y, count_of_y(net), 1e-6) ? "ignored" : "used");
		free(net);
		free(changed);
	}
}

static void change_neuron(struct source *source)
{
	source->neuron = RELU;
	source->a = 3;
}

static void change_bias(struct source *source)
{
	set_all(source->bias, CHANNELS, 5);
}

static void ask_other_neurons(void)
{
	print_ignored(change_neuron);
}

static void ask_other_biases(void)
{
	print_ignored(change_bias);
}

/* ----------------------------------------------------------------------------------------------------- sources -- */

static void ask_calls(void)
{
	struct net *net = usual_net();
	struct source *source = &net->layer[0].sources[INPUT][INPUT_GATE];
	forward(net);
	printf("%s, %s", source->calls, source->loads == source->purges ? "as many purges as loads" : "otherwise");
}

static void change_weights(struct net *net)
{
	for (int gate = 0; gate < GATES; gate++)
		set_all(net->layer[0].sources[INPUT][gate].weights, ROOM, 1);
}

static void ask_late_weights(void)
{
	struct net *net = usual_net();
	static float expected[ROOM];
	reference(net, expected);
	net->change = change_weights;
	forward(net);
	printf("%s", near_all(expected, net->y, count_of_y(net), FINE) ? "not seen" : "seen");
}

static void ask_load_that_fails(void)
{
	struct net *net = usual_net();
	net->layer[0].sources[RECURRENT][FORGET_GATE].says_no = 1;
	forward(net);
	printf("accepted");
}

static void print_source_type(int type, int codes_mean)
{
	struct net *net = usual_net();
	for (int part = INPUT; part <= RECURRENT; part++)
		for (int gate = 0; gate < GATES; gate++) {
			net->layer[0].sources[part][gate].type = type;
			net->layer[0].sources[part][gate].codes_mean = codes_mean;
		}
	forward(net);
	printf("%s", as_reference(net, FINE) ? "as the numbers that are meant" : "otherwise");
}

static void ask_float16_weights(void)
{
	print_source_type(FLOAT16, NO_CODES);
}

/* Of some channels the minimum is above the maximum. */
static void ask_linear_weights(void)
{
	print_source_type(UINT8, LINEAR);
}

static void ask_table_weights(void)
{
	print_source_type(UINT8, LOOKUP);
}

/* One weight and one bias that Float16 cannot hold, each by itself. */
static void print_rounded(int float32, int kernel_type)
{
	for (int bias = 0; bias < 2; bias++) {
		struct net *net = mirror_net(1);
		struct source *source = &net->layer[0].sources[INPUT][CELL_GATE];
		net->layer[0].float32 = float32;
		net->x[0] = bias ? 0 : 1;
		source->weights[0] = 2049;
		source->bias[0] = bias ? 2049 : 0;
		source->kernel_type = kernel_type;
		forward(net);
		printf("%s %s", bias ? ", bias" : "weight", near(net->y[0], 2049, 0.5) ? "kept" : "rounded");
		free(net);
	}
}

static void ask_half_weights(void)
{
	print_rounded(0, 0);
}

static void ask_float_weights(void)
{
	print_rounded(1, 0);
}

static void ask_kernel_type(void)
{
	print_rounded(0, FLOAT32 + 1);
}

/* -------------------------------------------------------------------------------------------------------- cell -- */

static void ask_example(void)
{
	static const float x[] = {1, -2}, w[GATES] = {0.5f, -0.3f, 0.1f, 0.8f}, r[GATES] = {0.2f, 0.4f, 0.7f, -0.6f},
			   v[GATES] = {0.3f, -0.2f, 0.25f, 0.15f}, b[GATES] = {0.1f, 0.2f, 0.05f, -0.1f};
	struct net *net = new_net(2, 1, 1, 1);
	add_memory(net, 1);
	memcpy(net->x, x, sizeof(x));
	for (int gate = 0; gate < GATES; gate++) {
		net->layer[0].sources[INPUT][gate].weights[0] = w[gate];
		net->layer[0].sources[INPUT][gate].bias[0] = b[gate];
		net->layer[0].sources[RECURRENT][gate].weights[0] = r[gate];
		net->layer[0].sources[MEMORY][gate].weights[0] = v[gate];
	}
	forward(net);
	printf("h ");
	print_numbers(net->y, 2);
	printf(", %s", as_reference(net, FINE) ? "the output gate sees the new cell" : "otherwise");
}

static void ask_whole_memory_weights(void)
{
	struct net *net = usual_net();
	add_memory(net, 0);
	forward(net);
	printf("%s", as_reference(net, FINE) ? "rows are units that are computed" : "otherwise");
}

static void print_diagonal(size_t in)
{
	struct net *net = usual_net();
	add_memory(net, 1);
	for (int gate = 0; gate < GATES; gate++)
		net->layer[0].sources[MEMORY][gate].in = in;
	forward(net);
	printf("%s", as_reference(net, FINE) ? "one number for each unit" : "otherwise");
}

static void ask_diagonal_as_square(void)
{
	print_diagonal(HIDDEN);
}

static void ask_diagonal_as_column(void)
{
	print_diagonal(1);
}

/* The same as a convolution of single channels: in = out = H, groups H. */
static void ask_diagonal_as_groups(void)
{
	struct net *net = usual_net();
	add_memory(net, 1);
	for (int gate = 0; gate < GATES; gate++)
		net->layer[0].sources[MEMORY][gate].groups = HIDDEN;
	forward(net);
	printf("%s", as_reference(net, FINE) ? "one number for each unit" : "otherwise");
}

/* ------------------------------------------------------------------------------------------ stacks, directions -- */

static void ask_stack(void)
{
	struct net *net = usual_net();
	add_layer(net, HIDDEN, 3);
	forward(net);
	printf("%s", as_reference(net, FINE) ? "each layer reads h of the one below" : "otherwise");
}

static void ask_direction_alone(void)
{
	struct net *net = usual_net();
	net->layer[0].backward = 1;
	forward(net);
	printf("Backward is %s", as_reference(net, FINE) ? "ignored" : "not ignored");
}

/* Layers by turns forward and backward. */
static struct net *both_net(size_t layers)
{
	struct net *net = usual_net();
	add_layer(net, INPUTS, HIDDEN);
	net->layer[1].backward = 1;
	for (size_t k = 2; k < layers; k++) {
		add_layer(net, HIDDEN, HIDDEN);
		net->layer[k].backward = (int)(k % 2);
	}
	net->both = 1;
	return net;
}

static void print_both_moved(const struct net *net, const struct net *moved)
{
	printf("forward moves at ");
	print_moved(net->y, moved->y, HIDDEN, 0, HIDDEN);
	printf(", backward at ");
	print_moved(net->backward_y, moved->backward_y, HIDDEN, 0, HIDDEN);
}

static void print_moved_by_x(size_t step)
{
	struct net *net = both_net(2), *moved = copy_of(net);
	for (size_t k = 0; k < (size_t)BATCH * INPUTS; k++)
		moved->x[step * BATCH * INPUTS + k] += 1;
	forward(net);
	forward(moved);
	print_both_moved(net, moved);
}

static void ask_both_first_step(void)
{
	print_moved_by_x(0);
}

static void ask_both_last_step(void)
{
	print_moved_by_x(STEPS - 1);
}

static void print_moved_by_layer(size_t layer)
{
	struct net *net = both_net(4), *moved = copy_of(net);
	for (int gate = 0; gate < GATES; gate++)
		moved->layer[layer].sources[INPUT][gate].bias[0] += 1;
	forward(net);
	forward(moved);
	print_both_moved(net, moved);
}

static void ask_forward_chain(void)
{
	print_moved_by_layer(0);
}

static void ask_backward_chain(void)
{
	print_moved_by_layer(1);
}

static void ask_add(void)
{
	struct net *apart = both_net(2), *sum = both_net(2);
	sum->combine = ADD;
	forward(apart);
	forward(sum);
	for (size_t k = 0; k < ROOM; k++)
		apart->y[k] += apart->backward_y[k];
	printf("%s", near_all(apart->y, sum->y, (size_t)STEPS * BATCH * HIDDEN, FINE) ? "the sum, in the forward array"
										      : "otherwise");
}

static void ask_concatenate(void)
{
	struct net *apart = both_net(2), *beside = both_net(2);
	int halves = 1;
	beside->combine = CONCATENATE;
	forward(apart);
	forward(beside);
	for (size_t k = 0; k < (size_t)STEPS * BATCH; k++)
		halves &= near_all(apart->y + k * HIDDEN, beside->y + k * 2 * HIDDEN, HIDDEN, FINE) &&
			  near_all(apart->backward_y + k * HIDDEN, beside->y + k * 2 * HIDDEN + HIDDEN, HIDDEN, FINE);
	printf("%s", halves ? "forward, then backward, in the forward array" : "otherwise");
}

#endif
