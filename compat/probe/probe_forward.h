/*
 * probe_forward.h: the questions of bnns_probe.c about the forward call: where weights, data and states lie, the cell,
 * dropout, sequences.
 */
#ifndef SLUICE_COMPAT_PROBE_FORWARD_H
#define SLUICE_COMPAT_PROBE_FORWARD_H

#include "probe_net.h"

/* ------------------------------------------------------------------------------------------- where things lie -- */

/* The places in array, out of count, that any output depends on. */
static void print_read(struct net *net, float *array, size_t count)
{
	char set[ROOM] = {0};
	struct net *base = malloc(sizeof(*base));
	if (!base || forward(net, NULL, 0) != 0) {
		printf("refused");
		return;
	}
	*base = *net;
	for (size_t k = 0; k < count; k++) {
		float kept = array[k];
		array[k] = kept + 0.25f;
		set[k] = forward(net, NULL, 0) == 0 && !identical(base, net);
		array[k] = kept;
	}
	print_set(set, count);
	free(base);
}

/* The places of y that change with one number. */
static void print_moved(struct net *net, float *number, size_t count)
{
	char set[ROOM] = {0};
	float before[ROOM];
	if (forward(net, NULL, 0) != 0) {
		printf("refused");
		return;
	}
	memcpy(before, net->y, sizeof(before));
	*number += 0.25f;
	forward(net, NULL, 0);
	*number -= 0.25f;
	for (size_t k = 0; k < count; k++)
		set[k] = before[k] != net->y[k];
	print_set(set, count);
}

static void ask_descriptors(void)
{
	struct net *net = new_net(1, 1, 3, 2, 2, 3);
	static const char *const answers[] = {"may leave sizes and layout at zero", "must state sizes and layout"};
	int result = forward(net, NULL, 0);
	printf("%s", result ? "refused" : answers[style]);
}

static void ask_input_weights(void)
{
	struct net *net = new_net(3, 1, 3, 2, 1, 2);
	printf("iw_desc[0] ");
	print_read(net, net->iw0[2], 64);
	printf(", iw_desc[1] ");
	print_read(net, net->iw1[2], 64);
}

static void ask_input_weights_equal(void)
{
	struct net *net = new_net(3, 1, 2, 2, 1, 2);
	printf("iw_desc[0] ");
	print_read(net, net->iw0[2], 64);
	printf(", iw_desc[1] ");
	print_read(net, net->iw1[2], 64);
}

static void ask_input_weights_both_ways(void)
{
	struct net *net = new_net(2, 2, 3, 2, 1, 2);
	printf("iw_desc[0] ");
	print_read(net, net->iw0[2], 64);
	printf(", iw_desc[1] ");
	print_read(net, net->iw1[2], 64);
}

/* The bias of layer 0, reverse, moves only the upper layer's reverse half, or both halves. */
static void ask_stacking(void)
{
	struct net *net = new_net(2, 2, 3, 1, 1, 2);
	printf("y moves at ");
	print_moved(net, &net->b[2][1], 4);
}

static void ask_first_step(void)
{
	struct net *net = new_net(1, 2, 1, 1, 1, 3);
	printf("y moves at ");
	print_moved(net, &net->x[0], 6);
}

static void ask_last_step(void)
{
	struct net *net = new_net(1, 2, 1, 1, 1, 3);
	printf("y moves at ");
	print_moved(net, &net->x[2], 6);
}

static void ask_final_states(void)
{
	struct net *net = new_net(1, 2, 1, 1, 1, 3);
	if (forward(net, NULL, 0) != 0)
		printf("refused");
	else
		printf("forward %s, reverse %s", net->h1[0] == net->y[4] ? "of the last step" : "elsewhere",
		       net->h1[1] == net->y[1] ? "of the first step" : "elsewhere");
}

static void ask_layout(void)
{
	struct net *none = new_net(1, 1, 3, 2, 2, 3), *sne = new_net(1, 1, 3, 2, 2, 3);
	const size_t x[] = {3, 2, 3}, y[] = {3, 2, 2};
	int first = forward(none, NULL, 0), second;
	style = STATED;
	sne->parameters.input_descriptor.data_desc = describe(sne->x, BNNSDataLayoutSNE, 3, x);
	sne->parameters.output_descriptor.data_desc = describe(sne->y, BNNSDataLayoutSNE, 3, y);
	second = forward(sne, NULL, 0);
	printf("%s", first || second ? "refused" : same_outputs(none, sne) ? "is SNE" : "is not SNE");
}

/* Rows of x that lie apart: four places for three numbers. */
static void ask_strides(void)
{
	struct net *net = new_net(1, 1, 3, 2, 2, 2);
	const size_t sizes[] = {2, 2, 3};
	BNNSNDArrayDescriptor *x = &net->parameters.input_descriptor.data_desc;
	style = STATED;
	*x = describe(net->x, BNNSDataLayoutSNE, 3, sizes);
	x->stride[0] = 1;
	x->stride[1] = 4;
	x->stride[2] = 9;
	printf("x is read at ");
	print_read(net, net->x, 32);
}

static void ask_sizes(void)
{
	struct net *net = new_net(1, 1, 3, 2, 2, 2);
	const size_t sizes[] = {2, 2, 4};
	style = STATED;
	net->parameters.input_descriptor.data_desc = describe(net->x, BNNSDataLayoutSNE, 3, sizes);
	printf("%s", verdict(forward(net, NULL, 0)));
}

/* --------------------------------------------------------------------------------------------------- the cell -- */

static void ask_activation_fields(void)
{
	struct net *plain = new_net(1, 1, 2, 2, 1, 2), *given = new_net(1, 1, 2, 2, 1, 2);
	for (size_t gate = 0; gate < GATES; gate++)
		gate_of(given, gate)->activation.function = BNNSActivationFunctionAbs;
	if (forward(plain, NULL, 0) || forward(given, NULL, 0))
		printf("refused");
	else
		printf("%s", same_outputs(plain, given) ? "are ignored" : "are used");
}

/* Without the flag and without weights: i = 2, f = 0, g = 3, o = 5 and identities give h = 30. */
static void ask_zero_activation(void)
{
	struct net *net = new_net(1, 1, 1, 1, 1, 1);
	static const float biases[GATES] = {2, 0, 3, 5};
	net->parameters.lstm_flags = 0;
	for (size_t gate = 0; gate < GATES; gate++) {
		net->iw0[gate][0] = net->hw[gate][0] = 0;
		net->b[gate][0] = biases[gate];
	}
	if (forward(net, NULL, 0) != 0)
		printf("refused");
	else
		printf("%s", fabsf(net->y[0] - 30) < 1e-3f ? "is the identity" : "is not the identity");
}

static void ask_activations(void)
{
	struct net *net = new_net(1, 1, 2, 2, 1, 2);
	char set[32];
	net->parameters.lstm_flags = 0;
	for (unsigned kind = 0; kind < sizeof(set); kind++) {
		BNNSActivation *activation = &net->parameters.candidate_gate.activation;
		activation->function = (BNNSActivationFunction)kind;
		activation->alpha = 0.5f;
		activation->beta = 0.75f;
		set[kind] = forward(net, NULL, 0) == 0;
	}
	print_set(set, sizeof(set));
}

/* One cell worked by hand: what y[1] is if the output gate's cell weight sees the new, or the old, cell. */
static void ask_output_gate(void)
{
	static const float w[] = {0.5f, -0.3f, 0.8f, 0.1f}, r[] = {0.2f, 0.4f, -0.6f, 0.7f};
	static const float b[] = {0.1f, 0.2f, -0.1f, 0.05f}, v[] = {0.3f, -0.2f, 0.15f, 0.25f};
	static const struct {
		float value;
		const char *answer;
	} cases[] = {{-0.104098898f, "sees the new cell"},
		     {-0.108186456f, "sees the old cell"},
		     {-0.091652483f, "sees no cell"}};
	struct net *net = new_net(1, 1, 1, 1, 1, 2);
	const char *answer = "sees something else";
	for (size_t gate = 0; gate < GATES; gate++) {
		net->iw0[gate][0] = w[gate];
		net->hw[gate][0] = r[gate];
		net->b[gate][0] = b[gate];
		net->cw[gate][0] = v[gate];
		gate_of(net, gate)->cw_desc.data = net->cw[gate];
	}
	net->x[0] = 1;
	net->x[1] = -2;
	net->h0[0] = 0.3f;
	net->c0[0] = -0.4f;
	if (forward(net, NULL, 0) != 0)
		answer = "refused";
	else
		for (size_t k = 0; k < 3; k++)
			if (fabsf(net->y[1] - cases[k].value) < 1e-5f)
				answer = cases[k].answer;
	printf("%s", answer);
}

/* ---------------------------------------------------------------------------------------------------- dropout -- */

enum { UNITS = 16, ROWS = 2, STEPS = 4, DRAWS = UNITS * ROWS * STEPS };

/* Two layers whose gates stand open or shut, so that y = tanh(tanh(what layer 1 is given)) and layer 0 always says
 * tanh(tanh(1)): what dropout made of it can be read off. */
static struct net *new_window(size_t rows, size_t steps)
{
	static const float open = 30, shut = -30;
	const float biases[2][GATES] = {{open, shut, 1, open}, {open, shut, 0, open}};
	struct net *net = new_net(2, 1, UNITS, UNITS, rows, steps);
	for (size_t gate = 0; gate < GATES; gate++) {
		memset(net->iw0[gate], 0, sizeof(net->iw0[gate]));
		memset(net->iw1[gate], 0, sizeof(net->iw1[gate]));
		memset(net->hw[gate], 0, sizeof(net->hw[gate]));
		for (size_t unit = 0; unit < 2 * UNITS; unit++)
			net->b[gate][unit] = biases[unit / UNITS][gate];
	}
	for (size_t unit = 0; unit < UNITS; unit++) {
		net->iw0[2][UNITS * UNITS + unit * (UNITS + 1)] = 1;
		net->iw1[2][unit * (UNITS + 1)] = 1;
	}
	net->parameters.dropout = 0.5f;
	return net;
}

/* What each h of layer 0 was multiplied by. */
static void factors(const struct net *net, float *factor)
{
	const float whole = tanhf(tanhf(1));
	for (size_t k = 0; k < DRAWS; k++)
		factor[k] = atanhf(atanhf(net->y[k])) / whole;
}

static void print_factors(const struct net *net)
{
	float factor[DRAWS], kept = 0;
	size_t dropped = 0;
	factors(net, factor);
	for (size_t k = 0; k < DRAWS; k++) {
		if (fabsf(factor[k]) < 1e-3f)
			dropped++;
		else if (kept == 0 || fabsf(kept - factor[k]) < 1e-2f)
			kept = factor[k];
		else
			kept = NAN;
	}
	printf("%s, the others times %.1f", dropped ? "some are dropped" : "none is dropped", (double)kept);
}

static void ask_dropout(void)
{
	size_t capacity;
	struct net *net = new_window(ROWS, STEPS);
	void *cache = new_cache(net, &capacity);
	if (forward(net, cache, capacity) != 0)
		printf("refused");
	else
		print_factors(net);
}

static void ask_dropout_without_cache(void)
{
	struct net *net = new_window(ROWS, STEPS);
	if (forward(net, NULL, 0) != 0)
		printf("refused");
	else
		print_factors(net);
}

static int differ(const float *a, const float *b, size_t count)
{
	for (size_t k = 0; k < count; k++)
		if ((fabsf(a[k]) < 1e-3f) != (fabsf(b[k]) < 1e-3f))
			return 1;
	return 0;
}

static void ask_dropout_draws(void)
{
	float first[DRAWS], second[DRAWS];
	size_t capacity;
	struct net *net = new_window(ROWS, STEPS);
	void *cache = new_cache(net, &capacity);
	int result = forward(net, cache, capacity);
	factors(net, first);
	result |= forward(net, cache, capacity);
	factors(net, second);
	if (result)
		printf("refused");
	else
		printf("anew for each call %s, step %s, row %s", differ(first, second, DRAWS) ? "yes" : "no",
		       differ(first, first + UNITS * ROWS, UNITS) ? "yes" : "no",
		       differ(first, first + UNITS, UNITS) ? "yes" : "no");
}

static void ask_dropout_state(void)
{
	size_t capacity;
	struct net *net = new_window(ROWS, STEPS);
	void *cache = new_cache(net, &capacity);
	int whole = 1;
	if (forward(net, cache, capacity) != 0) {
		printf("refused");
		return;
	}
	for (size_t k = 0; k < (size_t)UNITS * ROWS; k++)
		whole = whole && fabsf(net->h1[k] - tanhf(tanhf(1))) < 1e-4f;
	printf("%s", whole ? "is whole" : "is dropped");
}

static void ask_dropout_of_one_layer(void)
{
	size_t capacity;
	struct net *net = new_net(1, 1, 3, 4, 2, 3), *plain = new_net(1, 1, 3, 4, 2, 3);
	void *cache;
	net->parameters.dropout = 0.5f;
	cache = new_cache(net, &capacity);
	if (forward(net, cache, capacity) || forward(plain, NULL, 0))
		printf("refused");
	else
		printf("%s", same_outputs(net, plain) ? "is ignored" : "is not ignored");
}

/* The gradient of the identity weight of a unit is zero where its mask was. One step, so that one mask decides. */
static void ask_dropout_backward(void)
{
	size_t capacity;
	struct net *net = new_window(1, 1), *delta = new_delta(net);
	const float *gradient;
	void *cache;
	int same = 1;
	cache = new_cache(net, &capacity);
	if (forward(net, cache, capacity) || backward(net, delta, cache, capacity)) {
		printf("refused");
		return;
	}
	gradient = delta->iw0[2][UNITS * UNITS] == UNWRITTEN ? delta->iw1[2] : delta->iw0[2] + UNITS * UNITS;
	for (size_t unit = 0; unit < UNITS; unit++)
		same = same && (fabsf(net->y[unit]) < 1e-3f) == (gradient[unit * (UNITS + 1)] == 0);
	printf("%s", same ? "with the masks of forward" : "with other masks");
}

static void ask_dropout_recomputed(void)
{
	struct net *net = new_window(ROWS, STEPS), *delta = new_delta(net);
	printf("%s", verdict(backward(net, delta, NULL, 0)));
}

/* -------------------------------------------------------------------------------------------------- sequences -- */

enum { SEQUENCE_STEPS = 3 };
static const size_t row_counts[SEQUENCE_STEPS] = {2, 1, 1};

/* Writes the sizes of all steps as whole numbers of so many bytes. */
static void set_counts(struct net *net, BNNSDataType type, size_t bytes, const size_t *counts)
{
	const size_t size[] = {SEQUENCE_STEPS};
	unsigned char *place = (unsigned char *)net->sequence;
	for (size_t t = 0; t < SEQUENCE_STEPS; t++, place += bytes) {
		const uint64_t wide = counts[t];
		const uint32_t word = (uint32_t)wide;
		const uint16_t half = (uint16_t)wide;
		const uint8_t byte = (uint8_t)wide;
		memcpy(place,
		       bytes == 8   ? (const void *)&wide
		       : bytes == 4 ? (const void *)&word
		       : bytes == 2 ? (const void *)&half
				    : &byte,
		       bytes);
	}
	net->parameters.sequence_descriptor = describe(net->sequence, BNNSDataLayout1DLastMajor, 1, size);
	net->parameters.sequence_descriptor.data_type = type;
}

static struct net *new_sequences(void)
{
	struct net *net = new_net(1, 1, 1, 1, 2, SEQUENCE_STEPS);
	set_counts(net, BNNSDataTypeUInt32, 4, row_counts);
	return net;
}

static void ask_sequence_rows(void)
{
	struct net *net = new_sequences();
	printf("x is read at ");
	print_read(net, net->x, 6);
}

static void ask_padding_rows(void)
{
	struct net *net = new_sequences();
	char written[6], zero[6];
	if (forward(net, NULL, 0) != 0) {
		printf("refused");
		return;
	}
	for (size_t k = 0; k < 6; k++) {
		written[k] = net->y[k] != UNWRITTEN;
		zero[k] = net->y[k] == 0;
	}
	printf("y is written at ");
	print_set(written, 6);
	printf(", zero at ");
	print_set(zero, 6);
}

static void ask_short_row(void)
{
	struct net *net = new_sequences();
	if (forward(net, NULL, 0) != 0)
		printf("refused");
	else
		printf("%s", net->h1[1] == net->y[1] ? "of its own last step" : "not of its own last step");
}

static void ask_sequence_types(void)
{
	static const struct {
		const char *name;
		BNNSDataType type;
		size_t bytes;
	} types[] = {
		{"uint8", BNNSDataTypeUInt8, 1},   {"uint16", BNNSDataTypeUInt16, 2}, {"uint32", BNNSDataTypeUInt32, 4},
		{"uint64", BNNSDataTypeUInt64, 8}, {"int8", BNNSDataTypeInt8, 1},     {"int16", BNNSDataTypeInt16, 2},
		{"int32", BNNSDataTypeInt32, 4},   {"int64", BNNSDataTypeInt64, 8},   {"none", (BNNSDataType)0, 4}};
	struct net *net = new_sequences();
	for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
		set_counts(net, types[k].type, types[k].bytes, row_counts);
		printf("%s%s %s", k ? ", " : "", types[k].name,
		       forward(net, NULL, 0)     ? "no"
		       : net->h1[1] == net->y[1] ? "yes"
						 : "wrong");
	}
}

static void ask_sequence_growing(void)
{
	static const size_t growing[SEQUENCE_STEPS] = {1, 2, 2};
	struct net *net = new_sequences();
	set_counts(net, BNNSDataTypeUInt32, 4, growing);
	printf("%s", verdict(forward(net, NULL, 0)));
}

static void ask_sequence_beyond(void)
{
	static const size_t beyond[SEQUENCE_STEPS] = {3, 1, 1};
	struct net *net = new_sequences();
	set_counts(net, BNNSDataTypeUInt32, 4, beyond);
	printf("%s", verdict(forward(net, NULL, 0)));
}

static void ask_sequence_empty(void)
{
	static const size_t empty[SEQUENCE_STEPS] = {2, 1, 0};
	struct net *net = new_sequences();
	set_counts(net, BNNSDataTypeUInt32, 4, empty);
	printf("%s", verdict(forward(net, NULL, 0)));
}

#endif
