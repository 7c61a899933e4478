/* mpsgraph_lstm_run.c exists to run a prepared LSTM node forward and backward. */
#include "mpsgraph_internal.h"
#include "mpsgraph_lstm_core.h"

#include <string.h>

/* Rows of one direction's units, between [N,C] of the data type and [N,H] of floats. */
static void columns_in(const struct lstm_network *network, const void *from, size_t direction, float *to)
{
	const size_t element = sluice__number_bytes(network->data), width = network->directions * network->hidden;
	for (size_t row = 0; row < network->batch; row++)
		sluice__mpsgraph_lstm_convert(to + row * network->hidden, SLUICE_F32,
					      (const char *)from +
						      (row * width + direction * network->hidden) * element,
					      network->data, network->hidden);
}

static void columns_out(const struct lstm_network *network, const float *from, size_t direction, void *to)
{
	const size_t element = sluice__number_bytes(network->data), width = network->directions * network->hidden;
	for (size_t row = 0; row < network->batch; row++)
		sluice__mpsgraph_lstm_convert((char *)to + (row * width + direction * network->hidden) * element,
					      network->data, from + row * network->hidden, SLUICE_F32, network->hidden);
}

/* A state of the core from h and c [N,C], NULL meaning zeros. *state is NULL if both are. */
static sluice_status state_in(struct lstm_entry *entry, const void *h, const void *c, enum lstm_buffer which,
			      const void **state)
{
	const struct lstm_network *network = &entry->network;
	const void *parts[2] = {h, c};
	float *scratch[2] = {entry->buffers[LSTM_SCRATCH].at, NULL};
	void *at = entry->buffers[which].at;
	*state = NULL;
	if (!h && !c)
		return SLUICE_OK;
	scratch[1] = scratch[0] + network->batch * network->hidden;
	if (!h || !c)
		memset(at, 0, entry->buffers[which].bytes);
	for (size_t direction = 0; direction < network->directions; direction++) {
		for (size_t part = 0; part < 2; part++)
			if (parts[part])
				columns_in(network, parts[part], direction, scratch[part]);
		MPS_TRY(sluice_state_write(entry->plan, at, network->batch, 0, direction, h ? scratch[0] : NULL,
					   c ? scratch[1] : NULL));
	}
	*state = at;
	return SLUICE_OK;
}

static sluice_status state_out(struct lstm_entry *entry, const void *state, void *h, void *c)
{
	const struct lstm_network *network = &entry->network;
	float *first = entry->buffers[LSTM_SCRATCH].at, *second = first + network->batch * network->hidden;
	for (size_t direction = 0; direction < network->directions; direction++) {
		MPS_TRY(sluice_state_read(entry->plan, state, network->batch, 0, direction, h ? first : NULL,
					  c ? second : NULL));
		if (h)
			columns_out(network, first, direction, h);
		if (c)
			columns_out(network, second, direction, c);
	}
	return SLUICE_OK;
}

static int flipped(const struct lstm_network *network)
{
	return network->reverse && network->processing_order;
}

/* Pointers to the steps of x, the last one first: what is said to lie in the order of processing then does. */
static void **steps_flipped(struct lstm_entry *entry, enum lstm_buffer which, const void *x)
{
	const struct lstm_network *network = &entry->network;
	const size_t bytes = network->batch * network->inputs * sluice__number_bytes(network->data);
	void **steps = entry->buffers[which].at;
	for (size_t step = 0; step < network->steps; step++)
		steps[step] = (char *)(uintptr_t)x + (network->steps - 1 - step) * bytes;
	return steps;
}

/* What forward and backward have in common. */
static sluice_status run_prepare(struct lstm_entry *entry, const struct lstm_inputs *inputs, sluice_run *run)
{
	*run = (sluice_run)SLUICE_RUN_INIT;
	MPS_TRY(sluice__mpsgraph_lstm_load(entry, inputs->weights));
	if (flipped(&entry->network))
		run->x_steps = (const void *const *)steps_flipped(entry, LSTM_X_STEPS, inputs->x);
	else
		run->x = inputs->x;
	run->mask = inputs->mask;
	run->mask_shape = entry->network.mask_shape;
	run->workspace = entry->buffers[LSTM_WORKSPACE].at;
	return state_in(entry, inputs->h, inputs->c, LSTM_STATE, &run->initial_state);
}

sluice_status sluice__mpsgraph_lstm_forward(struct lstm_entry *entry, const struct lstm_inputs *inputs,
					    const struct lstm_results *results)
{
	sluice_run run;
	MPS_TRY(run_prepare(entry, inputs, &run));
	run.y = results->y;
	run.c = results->cells;
	run.gates = results->gates;
	return sluice_forward(entry->plan, &run);
}

static int weights_wanted(const struct lstm_gradients *wanted)
{
	for (int which = 0; which < LSTM_WEIGHTS; which++)
		if (wanted->weights[which])
			return 1;
	return 0;
}

sluice_status sluice__mpsgraph_lstm_backward(struct lstm_entry *entry, const struct lstm_inputs *inputs,
					     const struct lstm_gradients *wanted)
{
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	sluice_run run;
	MPS_TRY(run_prepare(entry, inputs, &run));
	run.gates = (void *)(uintptr_t)inputs->gates; /* which backward only reads, */
	run.c = (void *)(uintptr_t)inputs->cells;     /* and these, too */
	gradients.dy = inputs->dy;
	MPS_TRY(state_in(entry, inputs->dh, inputs->dc, LSTM_STATE_GRADIENT, &gradients.dfinal));
	if (wanted->x && flipped(&entry->network))
		gradients.dx_steps = steps_flipped(entry, LSTM_DX_STEPS, wanted->x);
	else
		gradients.dx = wanted->x;
	if (weights_wanted(wanted))
		gradients.dparameters = entry->buffers[LSTM_BLOCK].at;
	if (wanted->h || wanted->c)
		gradients.dinitial = entry->buffers[LSTM_STATE_GRADIENT].at;
	MPS_TRY(sluice_backward(entry->plan, &run, &gradients));
	if (gradients.dparameters)
		sluice__mpsgraph_lstm_store(entry, wanted->weights);
	return gradients.dinitial ? state_out(entry, gradients.dinitial, wanted->h, wanted->c) : SLUICE_OK;
}
