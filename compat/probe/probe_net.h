/*
 * probe_net.h: the network that bnns_probe.c asks its questions with, its memory and its calls. Every array is larger
 * than any reading of the interface would have it, so that a wrong guess shows and does no harm.
 */
#ifndef SLUICE_COMPAT_PROBE_NET_H
#define SLUICE_COMPAT_PROBE_NET_H

#include <Accelerate/Accelerate.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1024, GATES = 4 };

/* What outputs hold before a call: what was not written still does. */
static const float UNWRITTEN = -77;

/* The parameters and everything they point to; as a delta, the same with gradients. */
struct net {
	BNNSLayerParametersLSTM parameters;
	float x[ROOM], h0[ROOM], c0[ROOM], y[ROOM], h1[ROOM], c1[ROOM];
	float iw0[GATES][ROOM], iw1[GATES][ROOM], hw[GATES][ROOM], cw[GATES][ROOM], b[GATES][ROOM];
	uint64_t sequence[ROOM];
};

struct sizes {
	size_t layers, directions, inputs, hidden, batch, steps;
};

/* Whether descriptors state layout and sizes, or leave both at zero. */
enum style { ZEROS, STATED };
static enum style style = ZEROS;

static BNNSLSTMGateDescriptor *gate_of(struct net *net, size_t gate)
{
	BNNSLSTMGateDescriptor *gates[GATES] = {&net->parameters.input_gate, &net->parameters.forget_gate,
						&net->parameters.candidate_gate, &net->parameters.output_gate};
	return gates[gate];
}

/* sizes are those of a C array, the slowest first; the interface counts from the fastest. */
static BNNSNDArrayDescriptor describe(void *data, BNNSDataLayout layout, size_t rank, const size_t *sizes)
{
	BNNSNDArrayDescriptor descriptor;
	memset(&descriptor, 0, sizeof(descriptor));
	descriptor.data = data;
	descriptor.data_type = BNNSDataTypeFloat32;
	descriptor.data_scale = 1;
	if (style == ZEROS)
		return descriptor;
	descriptor.layout = layout;
	for (size_t k = 0; k < rank; k++)
		descriptor.size[k] = sizes[rank - 1 - k];
	return descriptor;
}

static void describe_gate(struct net *net, size_t gate, struct sizes s)
{
	const size_t own = s.inputs == s.hidden ? s.layers : 1, upper = s.layers > 1 ? s.layers - 1 : 1;
	const size_t first[] = {own, s.directions, s.hidden, s.inputs},
		     others[] = {upper, s.directions, s.hidden, s.hidden};
	const size_t square[] = {s.layers, s.directions, s.hidden, s.hidden},
		     row[] = {s.layers, s.directions, s.hidden};
	BNNSLSTMGateDescriptor *descriptor = gate_of(net, gate);
	descriptor->iw_desc[0] = describe(net->iw0[gate], BNNSDataLayout4DLastMajor, 4, first);
	descriptor->iw_desc[1] = describe(net->iw1[gate], BNNSDataLayout4DLastMajor, 4, others);
	descriptor->hw_desc = describe(net->hw[gate], BNNSDataLayout4DLastMajor, 4, square);
	descriptor->cw_desc = describe(NULL, BNNSDataLayout4DLastMajor, 4, square);
	descriptor->b_desc = describe(net->b[gate], BNNSDataLayout3DLastMajor, 3, row);
}

static void describe_net(struct net *net, struct sizes s)
{
	BNNSLayerParametersLSTM *p = &net->parameters;
	const size_t state[] = {s.layers, s.directions, s.batch, s.hidden};
	const size_t x[] = {s.steps, s.batch, s.inputs}, y[] = {s.steps, s.batch, s.directions * s.hidden};
	p->input_size = s.inputs;
	p->hidden_size = s.hidden;
	p->batch_size = s.batch;
	p->num_layers = s.layers;
	p->seq_len = s.steps;
	p->lstm_flags = BNNSLayerFlagsLSTMDefaultActivations;
	if (s.directions == 2)
		p->lstm_flags |= BNNSLayerFlagsLSTMBidirectional;
	p->input_descriptor.data_desc = describe(net->x, BNNSDataLayoutSNE, 3, x);
	p->input_descriptor.hidden_desc = describe(net->h0, BNNSDataLayout4DLastMajor, 4, state);
	p->input_descriptor.cell_state_desc = describe(net->c0, BNNSDataLayout4DLastMajor, 4, state);
	p->output_descriptor.data_desc = describe(net->y, BNNSDataLayoutSNE, 3, y);
	p->output_descriptor.hidden_desc = describe(net->h1, BNNSDataLayout4DLastMajor, 4, state);
	p->output_descriptor.cell_state_desc = describe(net->c1, BNNSDataLayout4DLastMajor, 4, state);
	for (size_t gate = 0; gate < GATES; gate++)
		describe_gate(net, gate, s);
}

/* Numbers in [-0.5, 0.5), always the same. */
static void fill(float *array, size_t count, unsigned seed)
{
	unsigned word = seed * 2654435761u + 1;
	for (size_t k = 0; k < count; k++) {
		word = word * 1664525u + 1013904223u;
		array[k] = (float)(word >> 8) / 16777216.0f - 0.5f;
	}
}

static void paint(float *array)
{
	for (size_t k = 0; k < ROOM; k++)
		array[k] = UNWRITTEN;
}

static int forward(struct net *net, void *cache, size_t capacity)
{
	paint(net->y);
	paint(net->h1);
	paint(net->c1);
	return BNNSDirectApplyLSTMBatchTrainingCaching(&net->parameters, NULL, cache, capacity);
}

static struct net *new_net(size_t layers, size_t directions, size_t inputs, size_t hidden, size_t batch, size_t steps)
{
	struct net *net = calloc(1, sizeof(*net));
	const struct sizes s = {layers, directions, inputs, hidden, batch, steps};
	if (!net) {
		puts("no memory");
		fflush(stdout);
		_Exit(1);
	}
	describe_net(net, s);
	fill(net->x, ROOM, 1);
	fill(net->h0, ROOM, 2);
	fill(net->c0, ROOM, 3);
	for (size_t gate = 0; gate < GATES; gate++) {
		unsigned seed = 10 + 5 * (unsigned)gate;
		fill(net->iw0[gate], ROOM, seed);
		fill(net->iw1[gate], ROOM, seed + 1);
		fill(net->hw[gate], ROOM, seed + 2);
		fill(net->cw[gate], ROOM, seed + 3);
		fill(net->b[gate], ROOM, seed + 4);
	}
	return net;
}

/* Gradients of a net of these sizes: what comes in is random, what goes out is not written yet. */
static struct net *new_delta(const struct net *net)
{
	const BNNSLayerParametersLSTM *p = &net->parameters;
	size_t directions = p->lstm_flags & BNNSLayerFlagsLSTMBidirectional ? 2 : 1;
	struct net *delta =
		new_net(p->num_layers, directions, p->input_size, p->hidden_size, p->batch_size, p->seq_len);
	fill(delta->y, ROOM, 40);
	fill(delta->h1, ROOM, 41);
	fill(delta->c1, ROOM, 42);
	paint(delta->x);
	paint(delta->h0);
	paint(delta->c0);
	for (size_t gate = 0; gate < GATES; gate++) {
		paint(delta->iw0[gate]);
		paint(delta->iw1[gate]);
		paint(delta->hw[gate]);
		paint(delta->cw[gate]);
		paint(delta->b[gate]);
	}
	return delta;
}

static int backward(struct net *net, struct net *delta, const void *cache, size_t capacity)
{
	return BNNSDirectApplyLSTMBatchBackward(&net->parameters, &delta->parameters, NULL, cache, capacity);
}

static void *new_cache(struct net *net, size_t *capacity)
{
	*capacity = BNNSComputeLSTMTrainingCacheCapacity(&net->parameters);
	return calloc(1, *capacity + 64);
}

/* Equal up to what another order of summation may change in sums of a few small numbers. */
static int near(const float *a, const float *b, size_t count)
{
	for (size_t k = 0; k < count; k++)
		if (!(fabsf(a[k] - b[k]) <= 1e-5f * (1 + fabsf(a[k]))))
			return 0;
	return 1;
}

static int identical(const struct net *a, const struct net *b)
{
	return !memcmp(a->y, b->y, sizeof(a->y)) && !memcmp(a->h1, b->h1, sizeof(a->h1)) &&
	       !memcmp(a->c1, b->c1, sizeof(a->c1));
}

static int same_outputs(const struct net *a, const struct net *b)
{
	return near(a->y, b->y, ROOM) && near(a->h1, b->h1, ROOM) && near(a->c1, b->c1, ROOM);
}

static int same_gradients(const struct net *a, const struct net *b)
{
	int same = near(a->x, b->x, ROOM) && near(a->h0, b->h0, ROOM) && near(a->c0, b->c0, ROOM);
	for (size_t gate = 0; gate < GATES; gate++)
		same = same && near(a->iw0[gate], b->iw0[gate], ROOM) && near(a->iw1[gate], b->iw1[gate], ROOM) &&
		       near(a->hw[gate], b->hw[gate], ROOM) && near(a->b[gate], b->b[gate], ROOM);
	return same;
}

/* Which of count flags are set, as "0-3 7", or "none". */
static void print_set(const char *set, size_t count)
{
	const char *separator = "";
	for (size_t k = 0; k < count; k++) {
		size_t last = k;
		if (!set[k])
			continue;
		while (last + 1 < count && set[last + 1])
			last++;
		printf(last > k ? "%s%zu-%zu" : "%s%zu", separator, k, last);
		separator = " ";
		k = last;
	}
	if (!*separator)
		printf("none");
}

static const char *verdict(int result)
{
	return result == 0 ? "accepted" : "refused";
}

#endif
