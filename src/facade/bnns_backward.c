/* bnns_backward.c exists to answer BNNSDirectApplyLSTMBatchBackward by a run of the core backward, and forward if there
 * is no cache. */
#include "bnns_internal.h"

/* Whatever the core's gradients go to before they go to the caller. */
struct outgoing {
	struct exchange x;
	sluice_gradients gradients;
};

static sluice_status tape_place(struct entry *entry, const struct call *call, const void *cache, size_t capacity,
				sluice_run *run)
{
	struct cache read;
	if (!cache)
		return sluice__bnns_buffer(entry, BUFFER_TAPE, sluice_plan_tape_size(entry->plan, entry->network.steps),
					   &run->tape);
	BNNS_TRY(sluice__bnns_cache_read(entry, call, cache, capacity, &read));
	run->seed = read.seed;
	run->tape = (void *)(uintptr_t)read.tape; /* which backward only reads */
	return SLUICE_OK;
}

static sluice_status data_place(struct entry *entry, const struct call *call, const sluice_run *run,
				struct outgoing *outgoing)
{
	const struct tensor *dx = &call->deltas.x;
	const int apart = sluice__bnns_overlap(dx, &call->given.x) || sluice__bnns_overlap(dx, &call->deltas.y);
	sluice_gradients *gradients = &outgoing->gradients;
	struct exchange dy;
	BNNS_TRY(sluice__bnns_exchange(entry, call, &call->deltas.y, BUFFER_Y, BUFFER_Y_STEPS, 0, &dy));
	sluice__bnns_data_in(call, run->batch_sizes, &dy);
	BNNS_TRY(sluice__bnns_exchange(entry, call, dx, BUFFER_DX, BUFFER_DX_STEPS, apart, &outgoing->x));
	gradients->dy = dy.whole;
	gradients->dy_steps = (const void *const *)dy.steps;
	gradients->dy_row = dy.row;
	gradients->dx = outgoing->x.whole;
	gradients->dx_steps = outgoing->x.steps;
	gradients->dx_row = outgoing->x.row;
	if (dx->accumulate && !outgoing->x.copied)
		gradients->accumulate = SLUICE_ACCUMULATE_X;
	return SLUICE_OK;
}

static sluice_status states_place(struct entry *entry, const struct call *call, sluice_gradients *gradients)
{
	const struct states *final = &call->deltas.final, *initial = &call->deltas.initial;
	const int incoming = final->h.data || final->c.data, wanted = initial->h.data || initial->c.data;
	void *state;
	if (!incoming && !wanted)
		return SLUICE_OK;
	BNNS_TRY(sluice__bnns_buffer(entry, BUFFER_STATE_GRADIENT,
				     sluice_plan_state_size(entry->plan, entry->network.batch), &state));
	if (wanted)
		gradients->dinitial = state;
	if (!incoming)
		return SLUICE_OK;
	gradients->dfinal = state;
	return sluice__bnns_state_in(entry, final, state);
}

/* Whether any gradient of weights is wanted. */
static int weights_wanted(const struct weights *weights)
{
	for (size_t gate = 0; gate < BNNS_GATES; gate++)
		if (weights->input[gate][0].data || weights->input[gate][1].data || weights->recurrent[gate].data ||
		    weights->peephole[gate].data || weights->bias[gate].data)
			return 1;
	return 0;
}

static sluice_status weights_place(struct entry *entry, const struct call *call, sluice_gradients *gradients)
{
	size_t count;
	if (!weights_wanted(&call->deltas.weights))
		return SLUICE_OK;
	sluice_model_parameters(entry->model, &count);
	return sluice__bnns_buffer(entry, BUFFER_GRADIENT, count * sizeof(float), &gradients->dparameters);
}

static sluice_status results_out(struct entry *entry, const struct call *call, const sluice_run *run,
				 const struct outgoing *outgoing)
{
	const sluice_gradients *gradients = &outgoing->gradients;
	sluice__bnns_data_out(call, run->batch_sizes, &outgoing->x, !call->deltas.x.accumulate);
	if (gradients->dparameters)
		sluice__bnns_store_gradients(entry, gradients->dparameters, &call->deltas.weights);
	if (gradients->dinitial)
		return sluice__bnns_state_out(entry, gradients->dinitial, &call->deltas.initial);
	return SLUICE_OK;
}

/* All that may fail comes before the runs; behind them nothing does. */
static sluice_status backward(struct entry *entry, const struct call *call, const void *cache, size_t capacity)
{
	struct outgoing outgoing = {.gradients = SLUICE_GRADIENTS_INIT};
	sluice_run run;
	sluice_status status = SLUICE_OK;
	BNNS_TRY(sluice__bnns_load(entry, &call->given.weights));
	BNNS_TRY(sluice__bnns_run(entry, call, 0, &run));
	BNNS_TRY(tape_place(entry, call, cache, capacity, &run));
	BNNS_TRY(data_place(entry, call, &run, &outgoing));
	BNNS_TRY(states_place(entry, call, &outgoing.gradients));
	BNNS_TRY(weights_place(entry, call, &outgoing.gradients));
	BNNS_TRY(sluice__bnns_workspace(entry, call, &run));
	if (!cache)
		status = sluice_forward(entry->plan, &run);
	if (status == SLUICE_OK)
		status = sluice_backward(entry->plan, &run, &outgoing.gradients);
	sluice__bnns_workspace_release(call, &run);
	BNNS_TRY(status);
	return results_out(entry, call, &run, &outgoing);
}

static sluice_status dropout_check(const BNNSLayerParametersLSTM *layer, const void *cache)
{
	if (!cache && layer->num_layers > 1 && layer->dropout > 0)
		return BNNS_INVALID(
			"training_cache_ptr is NULL and layer_params.dropout is %g, expected the cache of the "
			"forward call, which knows what was dropped",
			(double)layer->dropout);
	return SLUICE_OK;
}

int BNNSDirectApplyLSTMBatchBackward(const BNNSLayerParametersLSTM *layer_params,
				     const BNNSLayerParametersLSTM *layer_delta_params,
				     const BNNSFilterParameters *filter_params, const void *training_cache_ptr,
				     const size_t training_cache_capacity)
{
	const int cached = training_cache_ptr != NULL;
	struct call call;
	struct entry *entry;
	if (sluice__bnns_read(layer_params, filter_params, BNNS_BACKWARD, cached, &call) != SLUICE_OK ||
	    sluice__bnns_read_deltas(layer_delta_params, &call) != SLUICE_OK ||
	    dropout_check(layer_params, training_cache_ptr) != SLUICE_OK)
		return -1;
	if (sluice__bnns_take(&call.network, &call.given.weights, &entry) != SLUICE_OK)
		return -1;
	const sluice_status status = backward(entry, &call, training_cache_ptr, training_cache_capacity);
	sluice__bnns_give(entry);
	return status == SLUICE_OK ? 0 : -1;
}
