/*
 * mpsgraph_backward.h: the questions of the probes of MPSGraph about the node of the gradients: which there are, in
 * which order and shape, and what the incoming ones mean.
 */
#ifndef SLUICE_COMPAT_PROBE_MPSGRAPH_BACKWARD_H
#define SLUICE_COMPAT_PROBE_MPSGRAPH_BACKWARD_H

#include "mpsgraph_reference.h"

static struct net *full_net(size_t directions)
{
	struct net *net = usual_net(directions);
	add_states(net);
	add_peephole(net);
	add_state_gradients(net);
	shape(&net->in[MASK], 2, BATCH, directions * HIDDEN, 1);
	return net;
}

/* -------------------------------------------------------------------------------------------- order and shape -- */

/* What the incoming gradients are the gradients of. */
static double loss(struct net *net)
{
	const size_t last = (STEPS - 1) * BATCH * HIDDEN;
	double sum = 0;
	forward(net);
	for (size_t k = 0; k < count_of(&net->source_gradient); k++)
		sum += (double)net->source_gradient.data[k] * net->result[0].data[k];
	for (size_t k = 0; k < count_of(&net->state_gradient); k++)
		sum += (double)net->state_gradient.data[k] * net->result[0].data[last + k];
	for (size_t k = 0; k < count_of(&net->cell_gradient); k++)
		sum += (double)net->cell_gradient.data[k] * net->result[1].data[last + k];
	return sum;
}

static double difference(const struct net *net, int tensor, size_t place)
{
	const float move = 0.02f;
	struct net *moved = copy_of(net);
	double one, other;
	moved->in[tensor].data[place] = net->in[tensor].data[place] + move;
	one = loss(moved);
	moved->in[tensor].data[place] = net->in[tensor].data[place] - move;
	other = loss(moved);
	free(moved);
	return (one - other) / (2 * (double)move);
}

/* The gradient is that of this tensor, by differences in three places. With steps of 0.02 these are right to some
 * 1e-4, as the layer's third derivatives are below 1; gradients of other tensors lie further off. */
static int is_gradient_of(const struct net *net, const struct array *gradient, int tensor)
{
	const size_t count = count_of(&net->in[tensor]), places[] = {0, count / 2, count - 1};
	if (count == 0 || count != count_of(gradient))
		return 0;
	for (size_t k = 0; k < 3; k++)
		if (!near(gradient->data[places[k]], difference(net, tensor, places[k]), 2e-3))
			return 0;
	return 1;
}

static void print_gradient_names(struct net *net)
{
	static const char *const names[] = {"source",   "recurrentWeight", "inputWeight", "bias",
					    "peephole", "initState",       "initCell",    "mask"};
	backward(net);
	for (size_t k = 0; k < net->gradients; k++) {
		const char *name = "?";
		for (int tensor = 0; tensor < TENSORS; tensor++)
			if (is_gradient_of(net, &net->gradient[k], tensor))
				name = names[tensor];
		printf("%s%s", k ? " " : "", name);
	}
}

static void ask_gradients(void)
{
	print_gradient_names(full_net(1));
}

static void ask_gradients_without_bias(void)
{
	struct net *net = full_net(1);
	net->in[BIAS].rank = 0;
	print_gradient_names(net);
}

static void ask_gradients_shortest(void)
{
	struct net *net = new_net(STEPS, BATCH, GATES * HIDDEN, HIDDEN, 1);
	net->in[INPUT].rank = net->in[BIAS].rank = 0;
	net->only_needed = 1;
	backward(net);
	print_shapes(net->gradient, net->gradients);
}

static void print_gradient_shapes(size_t directions)
{
	struct net *net = full_net(directions);
	backward(net);
	print_shapes(net->gradient, net->gradients);
}

static void ask_gradient_shapes(void)
{
	print_gradient_shapes(1);
}

static void ask_gradient_shapes_both(void)
{
	print_gradient_shapes(2);
}

static void ask_gradient_order_forget_gate_last(void)
{
	struct net *net = full_net(1);
	net->forget_gate_last = 1;
	print_gradient_names(net);
}

/* Rows that are all alike: the sum is as many times that of one as there are rows. */
static void ask_sums(void)
{
	struct net *one = new_net(2, 1, 1, 1, 1), *two = new_net(2, 2, 1, 1, 1);
	for (size_t k = 0; k < 4; k++) {
		two->in[SOURCE].data[k] = one->in[SOURCE].data[k / 2];
		two->source_gradient.data[k] = one->source_gradient.data[k / 2];
	}
	backward(one);
	backward(two);
	printf("of two rows alike %.1f times that of one",
	       (double)(two->gradient[1].data[0] / one->gradient[1].data[0]));
}

/* -------------------------------------------------------------------------------------------------- incoming -- */

/* The steps at which a gradient of the states comes in: nothing of it goes from step to step, as forget gates are shut
 * and recurrent weights zero. It is given to columns first..first+HIDDEN-1. */
static void print_entry(size_t directions, int reverse, int of_cell, size_t first)
{
	struct net *net = usual_net(directions);
	struct array *given = of_cell ? &net->cell_gradient : &net->state_gradient;
	char entered[STEPS] = {0};
	net->reverse = reverse;
	set_all(&net->in[RECURRENT], 0);
	for (size_t k = 0; k < count_of(&net->in[BIAS]); k++)
		net->in[BIAS].data[k] = k / HIDDEN % GATES == 1 ? -30 : 0.5f;
	add_state_gradients(net);
	set_all(&net->source_gradient, 0);
	set_all(&net->state_gradient, 0);
	set_all(&net->cell_gradient, 0);
	for (size_t k = 0; k < count_of(given); k++)
		given->data[k] = k % (directions * HIDDEN) - first < HIDDEN ? 1 : 0;
	backward(net);
	for (size_t k = 0; k < count_of(&net->gradient[0]); k++)
		if (fabs((double)net->gradient[0].data[k]) > 1e-5)
			entered[k / INPUTS / BATCH] = 1;
	print_places(entered, STEPS);
}

static void print_entries(size_t directions, int reverse, size_t first)
{
	printf("stateGradient at ");
	print_entry(directions, reverse, 0, first);
	printf(", cellGradient at ");
	print_entry(directions, reverse, 1, first);
}

static void ask_entry(void)
{
	print_entries(1, 0, 0);
}

static void ask_entry_reverse(void)
{
	print_entries(1, 1, 0);
}

static void ask_entry_first_half(void)
{
	print_entries(2, 0, 0);
}

static void ask_entry_second_half(void)
{
	print_entries(2, 0, HIDDEN);
}

static void ask_state_gradient_of_rank_three(void)
{
	struct net *two = full_net(1), *three = full_net(1);
	shape(&three->state_gradient, 3, 1, BATCH, HIDDEN);
	shape(&three->cell_gradient, 3, 1, BATCH, HIDDEN);
	backward(two);
	backward(three);
	printf("%s", near_all(&two->gradient[0], &three->gradient[0], 1e-6) ? "as without it" : "otherwise");
}

static void ask_absent_gradients(void)
{
	struct net *absent = usual_net(1), *zeros = usual_net(1);
	add_state_gradients(zeros);
	set_all(&zeros->state_gradient, 0);
	set_all(&zeros->cell_gradient, 0);
	backward(absent);
	backward(zeros);
	printf("%s", near_all(&absent->gradient[0], &zeros->gradient[0], 1e-6) ? "zeros" : "something else");
}

static void ask_absent_source_gradient(void)
{
	struct net *absent = full_net(1), *zeros = full_net(1);
	absent->source_gradient.rank = 0;
	set_all(&zeros->source_gradient, 0);
	backward(absent);
	backward(zeros);
	printf("%s", near_all(&absent->gradient[0], &zeros->gradient[0], 1e-6) ? "zeros" : "something else");
}

#endif
