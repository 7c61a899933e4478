/*
 * mpsgraph_reference.h: the cell as Apple's documents write it, in double precision, for the probes of MPSGraph to
 * compare with: one direction, sigmoid and tanh, the gates in the order i f z o.
 */
#ifndef SLUICE_COMPAT_PROBE_MPSGRAPH_REFERENCE_H
#define SLUICE_COMPAT_PROBE_MPSGRAPH_REFERENCE_H

#include "mpsgraph_net.h"

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

/* The mask, broadcast to [T][N][H] from the right. */
static double mask_at(const struct array *mask, size_t step, size_t row, size_t unit)
{
	const size_t place[] = {step, row, unit};
	size_t index = 0;
	if (mask->rank == 0)
		return 1;
	for (size_t k = 0; k < mask->rank; k++) {
		size_t at = place[3 - mask->rank + k];
		index = index * mask->size[k] + (mask->size[k] == 1 ? 0 : at);
	}
	return mask->data[index];
}

static double state_at(const struct array *state, size_t index)
{
	return state->rank ? state->data[index] : 0;
}

static double gate_sum(const struct net *net, size_t step, size_t row, size_t gate, const double *h, double c)
{
	const size_t inputs = net->in[INPUT].size[1], hidden = net->in[RECURRENT].size[1];
	const float *x = net->in[SOURCE].data + (step * net->in[SOURCE].size[1] + row) * inputs;
	double sum = net->in[BIAS].rank ? net->in[BIAS].data[gate] : 0;
	for (size_t k = 0; k < inputs; k++)
		sum += (double)net->in[INPUT].data[gate * inputs + k] * x[k];
	for (size_t k = 0; k < hidden; k++)
		sum += (double)net->in[RECURRENT].data[gate * hidden + k] * mask_at(&net->in[MASK], step, row, k) *
		       h[k];
	return sum + state_at(&net->in[PEEPHOLE], gate) * c;
}

static void reference_row(const struct net *net, size_t row, struct array *out)
{
	const size_t hidden = net->in[RECURRENT].size[1], batch = net->in[SOURCE].size[1];
	double h[HIDDEN] = {0}, c[HIDDEN] = {0}, a[GATES * HIDDEN] = {0};
	for (size_t k = 0; k < hidden; k++) {
		h[k] = state_at(&net->in[STATE], row * hidden + k);
		c[k] = state_at(&net->in[CELL], row * hidden + k);
	}
	for (size_t step = 0; step < net->in[SOURCE].size[0]; step++) {
		for (size_t k = 0; k < GATES * hidden; k++)
			a[k] = gate_sum(net, step, row, k, h, c[k % hidden]);
		for (size_t k = 0; k < hidden; k++) {
			c[k] = sigmoid(a[hidden + k]) * c[k] + sigmoid(a[k]) * tanh(a[2 * hidden + k]);
			h[k] = sigmoid(a[3 * hidden + k]) * tanh(c[k]);
			out->data[(step * batch + row) * hidden + k] = (float)h[k];
		}
	}
}

/* h of every step and row. */
static void reference(const struct net *net, struct array *out)
{
	memcpy(out, &net->source_gradient, sizeof(*out));
	for (size_t row = 0; row < net->in[SOURCE].size[1]; row++)
		reference_row(net, row, out);
}

static int as_reference(const struct net *net)
{
	static struct array expected;
	reference(net, &expected);
	return near_all(&expected, &net->result[0], 1e-4);
}

#endif
