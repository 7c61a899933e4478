/*
 * mpsgraph_forward.h: the questions of the probes of MPSGraph about the forward node: defaults, gates, the cell, what
 * optional tensors do, the order of steps, results.
 */
#ifndef SLUICE_COMPAT_PROBE_MPSGRAPH_FORWARD_H
#define SLUICE_COMPAT_PROBE_MPSGRAPH_FORWARD_H

#include "mpsgraph_reference.h"

static const char *const FUNCTION_NAMES[] = {"none", "relu", "tanh", "sigmoid", "hard sigmoid"};

static void ask_defaults(void)
{
	static const char *const flags[] = {"reverse", "bidirectional", "produceCell", "training", "forgetGateLast"};
	static const char *const gates[] = {"inputGate", "forgetGate", "cellGate", "outputGate", "activation"};
	struct net net;
	memset(&net, 0, sizeof(net));
	if (platform_defaults(&net) != 0)
		give_up("refused");
	const int values[] = {net.reverse, net.bidirectional, net.produce_cell, net.training, net.forget_gate_last};
	for (size_t k = 0; k < 5; k++)
		printf("%s %s, ", flags[k], values[k] ? "yes" : "no");
	for (size_t k = 0; k < FUNCTIONS; k++)
		printf("%s%s %d", k ? ", " : "", gates[k], net.functions[k]);
}

/* ------------------------------------------------------------------------------------------------------ gates -- */

/* All that a gate sees is its bias. */
static struct net *net_of_biases(const float *biases)
{
	struct net *net = single_net(1);
	set_all(&net->in[INPUT], 0);
	set_all(&net->in[RECURRENT], 0);
	memcpy(net->in[BIAS].data, biases, GATES * sizeof(float));
	return net;
}

/* What the third result says of four biases. */
static void print_activated(int function, const float *biases)
{
	struct net *net = net_of_biases(biases);
	for (size_t k = 0; k < GATES; k++)
		net->functions[k] = function;
	forward(net);
	printf("%s ", FUNCTION_NAMES[function]);
	print_numbers(net->result[2].data, GATES);
	free(net);
}

static void ask_activations(void)
{
	static const float biases[] = {-1, 0, 0.5f, 2};
	for (int function = NONE; function < HARD_SIGMOID; function++) {
		printf("%s", function ? ", " : "");
		print_activated(function, biases);
	}
}

static void ask_hard_sigmoid(void)
{
	static const float biases[] = {-3, -1, 1, 3};
	print_activated(HARD_SIGMOID, biases);
}

static void ask_output_activation(void)
{
	static const float biases[] = {9, 0, 2, 9};
	struct net *net = net_of_biases(biases);
	for (int function = NONE; function < ACTIVATIONS; function++) {
		net->functions[OUTPUT] = function;
		if (function == HARD_SIGMOID)
			break;
		forward(net);
		printf("%s%s %.3f", function ? ", " : "", FUNCTION_NAMES[function], (double)net->result[0].data[0]);
	}
}

/* ------------------------------------------------------------------------------------------------------ order -- */

static const char *const ORDERS[] = {"ifzo", "ifoz", "izfo", "izof", "iofz", "iozf", "fizo", "fioz",
				     "fzio", "fzoi", "foiz", "fozi", "zifo", "ziof", "zfio", "zfoi",
				     "zoif", "zofi", "oifz", "oizf", "ofiz", "ofzi", "ozif", "ozfi"};
enum { ORDER_COUNT = 24 };

static double sum_of(const char *order, char gate, const double *sums)
{
	return sums[strchr(order, gate) - order];
}

/* Whether one step from c gives these results if the four sums of the gates are in this order. The output gate's may
 * come from the new cell, by a factor. */
static int is_order(const char *order, const double *sums, double c, int from_cell, const struct array *result)
{
	const double i = sigmoid(sum_of(order, 'i', sums)), f = sigmoid(sum_of(order, 'f', sums)),
		     next = f * c + i * tanh(sum_of(order, 'z', sums));
	const double o = sum_of(order, 'o', sums), other = from_cell ? o / c * next : o;
	return near(result[1].data[0], next, 1e-4) && (near(result[0].data[0], sigmoid(o) * tanh(next), 1e-4) ||
						       near(result[0].data[0], sigmoid(other) * tanh(next), 1e-4));
}

static const char *order_of(const double *sums, double c, int from_cell, const struct array *result)
{
	for (size_t k = 0; k < ORDER_COUNT; k++)
		if (is_order(ORDERS[k], sums, c, from_cell, result))
			return ORDERS[k];
	return "unknown";
}

/* The order of the third result, and whether it is of what was activated or of the sums. */
static void print_order_of_gates(const char *order, const double *sums, const float *gates)
{
	static const char kinds[] = "ifzo";
	char text[GATES + 1] = {0};
	int activated = 1;
	for (size_t place = 0; place < GATES; place++) {
		text[place] = '?';
		for (size_t k = 0; k < GATES; k++) {
			double sum = sum_of(order, kinds[k], sums), value = kinds[k] == 'z' ? tanh(sum) : sigmoid(sum);
			if (near(gates[place], value, 1e-4))
				text[place] = kinds[k];
			else if (near(gates[place], sum, 1e-4)) {
				text[place] = kinds[k];
				activated = 0;
			}
		}
	}
	printf(", zState %s, %s", text, activated ? "activated" : "not activated");
}

static const double SUMS[GATES] = {0.3, -0.9, 1.4, 0.7};

/* One step in which the gates see only this tensor, at a factor of one half. */
static struct net *net_of_sums(int tensor)
{
	struct net *net = single_net(1);
	add_states(net);
	for (int k = SOURCE; k < TENSORS; k++)
		set_all(&net->in[k], 0);
	net->in[CELL].data[0] = 0.5f;
	net->in[STATE].data[0] = tensor == RECURRENT ? 0.5f : 0;
	net->in[SOURCE].data[0] = 0.5f;
	if (tensor == PEEPHOLE)
		add_peephole(net);
	if (tensor == SOURCE) {
		net->in[INPUT].rank = 0;
		shape(&net->in[SOURCE], 3, 1, 1, GATES);
	}
	for (size_t k = 0; k < GATES; k++)
		net->in[tensor].data[k] = (float)SUMS[k] * (tensor == BIAS || tensor == SOURCE ? 1 : 2);
	return net;
}

static void print_orders(int forget_gate_last)
{
	static const struct {
		int tensor;
		const char *name;
	} tensors[] = {{INPUT, "inputWeight"},
		       {RECURRENT, "recurrentWeight"},
		       {BIAS, "bias"},
		       {PEEPHOLE, "peephole"},
		       {SOURCE, "source"}};
	for (size_t k = 0; k < 5; k++) {
		struct net *net = net_of_sums(tensors[k].tensor);
		net->forget_gate_last = forget_gate_last;
		forward(net);
		const char *order = order_of(SUMS, 0.5, tensors[k].tensor == PEEPHOLE, net->result);
		printf("%s%s %s", k ? ", " : "", tensors[k].name, order);
		if (tensors[k].tensor == SOURCE && strlen(order) == GATES)
			print_order_of_gates(order, SUMS, net->result[2].data);
		free(net);
	}
}

static void ask_order(void)
{
	print_orders(0);
}

static void ask_order_forget_gate_last(void)
{
	print_orders(1);
}

/* ------------------------------------------------------------------------------------------------------- cell -- */

static void ask_example(void)
{
	static const float x[] = {1, -2}, w[] = {0.5f, -0.3f, 0.8f, 0.1f}, r[] = {0.2f, 0.4f, -0.6f, 0.7f},
			   b[] = {0.1f, 0.2f, -0.1f, 0.05f};
	struct net *net = single_net(2);
	add_states(net);
	memcpy(net->in[SOURCE].data, x, sizeof(x));
	memcpy(net->in[INPUT].data, w, sizeof(w));
	memcpy(net->in[RECURRENT].data, r, sizeof(r));
	memcpy(net->in[BIAS].data, b, sizeof(b));
	net->in[STATE].data[0] = 0.3f;
	net->in[CELL].data[0] = -0.4f;
	forward(net);
	printf("h ");
	print_numbers(net->result[0].data, 2);
	printf(", c ");
	print_numbers(net->result[1].data, 2);
}

static void ask_peephole(void)
{
	static const char gates[] = "ifzo";
	for (size_t gate = 0; gate < GATES; gate++) {
		struct net *net = net_of_sums(BIAS);
		double sums[GATES], next;
		add_peephole(net);
		net->in[PEEPHOLE].data[gate] = 1.5f;
		forward(net);
		memcpy(sums, SUMS, sizeof(sums));
		next = sigmoid(sums[1]) * 0.5 + sigmoid(sums[0]) * tanh(sums[2]);
		sums[gate] += 0.75;
		printf("%s%c sees ", gate ? ", " : "", gates[gate]);
		if (is_order("ifzo", sums, 0.5, 0, net->result))
			printf("the old cell");
		else if (near(net->result[0].data[0], sigmoid(SUMS[3] + 1.5 * next) * tanh(next), 1e-4))
			printf("the new cell");
		else
			printf("something else");
		free(net);
	}
}

static void ask_absent(void)
{
	struct net *absent = usual_net(1), *present = usual_net(1);
	add_states(present);
	add_peephole(present);
	shape(&present->in[MASK], 2, BATCH, HIDDEN, 1);
	for (int k = BIAS; k < TENSORS; k++)
		set_all(&present->in[k], k == MASK ? 1 : 0);
	absent->in[BIAS].rank = 0;
	forward(absent);
	forward(present);
	printf("%s", near_all(&absent->result[0], &present->result[0], 1e-6) ? "as ones in the mask, zeros elsewhere"
									     : "otherwise");
}

static void ask_state_of_rank_three(void)
{
	struct net *net = usual_net(1);
	shape(&net->in[STATE], 3, 1, BATCH, HIDDEN);
	shape(&net->in[CELL], 3, 1, BATCH, HIDDEN);
	forward(net);
	printf("%s", as_reference(net) ? "as without it" : "otherwise");
}

/* ------------------------------------------------------------------------------------------------------- mask -- */

static void ask_mask(size_t rank, size_t a, size_t b, size_t c)
{
	struct net *net = usual_net(1);
	add_states(net);
	shape(&net->in[MASK], rank, a, b, c);
	forward(net);
	printf("%s", as_reference(net) ? "broadcast from the right" : "otherwise");
}

static void ask_mask_of_units(void)
{
	ask_mask(1, HIDDEN, 1, 1);
}

static void ask_mask_of_rows(void)
{
	ask_mask(2, BATCH, HIDDEN, 1);
}

static void ask_mask_of_rows_in_three(void)
{
	ask_mask(3, 1, BATCH, HIDDEN);
}

static void ask_mask_of_steps(void)
{
	ask_mask(3, STEPS, BATCH, HIDDEN);
}

/* The first half of the columns is zero: which half of h moves? */
static void ask_mask_of_both_directions(void)
{
	struct net *net = usual_net(2), *masked;
	shape(&net->in[MASK], 2, BATCH, 2 * HIDDEN, 1);
	set_all(&net->in[MASK], 1);
	masked = copy_of(net);
	for (size_t k = 0; k < count_of(&net->in[MASK]); k++)
		if (k % (2 * HIDDEN) < HIDDEN)
			masked->in[MASK].data[k] = 0;
	forward(net);
	forward(masked);
	printf("first half zero, h moves forward at ");
	print_moved(&net->result[0], &masked->result[0], 0, HIDDEN);
	printf(", in reverse at ");
	print_moved(&net->result[0], &masked->result[0], HIDDEN, HIDDEN);
}

static void ask_mask_of_first_step(void)
{
	struct net *net = new_net(1, 1, 1, 1, 1);
	add_states(net);
	shape(&net->in[MASK], 2, 1, 1, 1);
	net->in[MASK].data[0] = 0.5f;
	forward(net);
	printf("%s", as_reference(net) ? "multiplies initState" : "otherwise");
}

/* ------------------------------------------------------------------------------------------------- directions -- */

static void print_moved_by_x(size_t directions, int reverse, size_t step)
{
	struct net *net = usual_net(directions), *moved;
	net->reverse = reverse;
	moved = copy_of(net);
	for (size_t k = 0; k < BATCH * INPUTS; k++)
		moved->in[SOURCE].data[step * BATCH * INPUTS + k] += 1;
	forward(net);
	forward(moved);
	printf("h moves at ");
	print_moved(&net->result[0], &moved->result[0], 0, HIDDEN);
	if (directions == 1)
		return;
	printf(", in the second half at ");
	print_moved(&net->result[0], &moved->result[0], HIDDEN, HIDDEN);
}

static void ask_reverse_first_step(void)
{
	print_moved_by_x(1, 1, 0);
}

static void ask_reverse_last_step(void)
{
	print_moved_by_x(1, 1, STEPS - 1);
}

static void ask_both_first_step(void)
{
	print_moved_by_x(2, 0, 0);
}

static void ask_both_last_step(void)
{
	print_moved_by_x(2, 0, STEPS - 1);
}

static void ask_both_and_reverse(void)
{
	struct net *plain = usual_net(2), *reversed = usual_net(2);
	reversed->reverse = 1;
	forward(plain);
	forward(reversed);
	printf("reverse is %s", near_all(&plain->result[0], &reversed->result[0], 1e-6) ? "ignored" : "not ignored");
}

/* Which half of h moves with the first half of a tensor; of states the first half of the columns. */
static void ask_halves(void)
{
	static const char *const names[TENSORS] = {"",         "recurrentWeight", "inputWeight", "bias",
						   "peephole", "initState",       "initCell",    ""};
	for (int k = RECURRENT; k <= CELL; k++) {
		struct net *net = usual_net(2), *moved;
		size_t count;
		add_states(net);
		add_peephole(net);
		moved = copy_of(net);
		count = count_of(&net->in[k]);
		for (size_t at = 0; at < count; at++)
			if (k >= STATE ? at % (2 * HIDDEN) < HIDDEN : at < count / 2)
				moved->in[k].data[at] += 1;
		forward(net);
		forward(moved);
		printf("%s%s forward ", k > RECURRENT ? ", " : "", names[k]);
		print_moved(&net->result[0], &moved->result[0], 0, HIDDEN);
		printf(" reverse ");
		print_moved(&net->result[0], &moved->result[0], HIDDEN, HIDDEN);
		free(net);
		free(moved);
	}
}

/* ---------------------------------------------------------------------------------------------------- results -- */

static void print_results(int produce_cell, int training)
{
	static const char names[] = "hcz";
	struct net *all = usual_net(1), *net = usual_net(1);
	net->produce_cell = produce_cell;
	net->training = training;
	forward(all);
	forward(net);
	for (size_t k = 0; k < net->results; k++) {
		char name = '?';
		for (size_t other = 0; other < all->results; other++)
			if (near_all(&net->result[k], &all->result[other], 1e-6))
				name = names[other];
		printf("%s%c", k ? " " : "", name);
	}
}

static void ask_results(void)
{
	print_results(0, 0);
}

static void ask_results_cell(void)
{
	print_results(1, 0);
}

static void ask_results_training(void)
{
	print_results(0, 1);
}

static void ask_results_both(void)
{
	print_results(1, 1);
}

static void print_result_shapes(size_t directions)
{
	struct net *net = usual_net(directions);
	forward(net);
	print_shapes(net->result, net->results);
}

static void ask_shapes(void)
{
	print_result_shapes(1);
}

static void ask_shapes_both(void)
{
	print_result_shapes(2);
}

/* ------------------------------------------------------------------------------------------------------ types -- */

static void print_type(int type)
{
	static struct array expected;
	struct net *net = usual_net(1);
	net->type = type;
	forward(net);
	reference(net, &expected);
	printf("accepted, %s",
	       near_all(&expected, &net->result[0], 0.05) ? "as Float32 but for rounding" : "otherwise");
}

static void ask_float16(void)
{
	print_type(FLOAT16);
}

static void ask_bfloat16(void)
{
	print_type(BFLOAT16);
}

#endif
