/* bnns_forward.c exists to answer BNNSDirectApplyLSTMBatchTrainingCaching by a run of the core. */
#include "bnns_internal.h"

/* Where the run puts y. Rows that a step has not are zeros in the core's y: who wants his own left gets the others
 * only.
 */
static sluice_status y_place(struct entry *entry, const struct call *call, struct exchange *y, sluice_run *run)
{
	const int left = run->batch_sizes && !sluice__bnns_dense(call) &&
			 call->options.padding_rows == SLUICE_BNNS_PADDING_ROWS_UNTOUCHED;
	BNNS_TRY(sluice__bnns_exchange(entry, call, &call->given.y, BUFFER_Y, BUFFER_Y_STEPS, left, y));
	run->y = y->whole;
	run->y_steps = y->steps;
	run->y_row = y->row;
	return SLUICE_OK;
}

static sluice_status final_place(struct entry *entry, const struct call *call, sluice_run *run)
{
	const struct states *final = &call->given.final;
	if (!final->h.data && !final->c.data)
		return SLUICE_OK;
	return sluice__bnns_buffer(entry, BUFFER_STATE, sluice_plan_state_size(entry->plan, entry->network.batch),
				   &run->final_state);
}

/* All that may fail comes before the run; behind it nothing does. */
static sluice_status forward(struct entry *entry, const struct call *call, void *cache, size_t capacity)
{
	const int apart = sluice__bnns_overlap(&call->given.x, &call->given.y);
	const int zeros = call->options.padding_rows == SLUICE_BNNS_PADDING_ROWS_ZERO;
	struct exchange y;
	sluice_run run;
	if (cache)
		BNNS_TRY(sluice__bnns_cache_check(entry, capacity));
	BNNS_TRY(sluice__bnns_load(entry, &call->given.weights));
	BNNS_TRY(sluice__bnns_run(entry, call, apart, &run));
	BNNS_TRY(y_place(entry, call, &y, &run));
	BNNS_TRY(final_place(entry, call, &run));
	BNNS_TRY(sluice__bnns_workspace(entry, call, &run));
	if (cache)
		run.tape = sluice__bnns_cache_tape(cache);
	if (run.training)
		run.seed = sluice__bnns_next_seed();
	const sluice_status status = sluice_forward(entry->plan, &run);
	sluice__bnns_workspace_release(call, &run);
	BNNS_TRY(status);
	sluice__bnns_data_out(call, run.batch_sizes, &y, zeros);
	if (cache)
		sluice__bnns_cache_write(call, run.tape, run.seed, cache);
	return run.final_state ? sluice__bnns_state_out(entry, run.final_state, &call->given.final) : SLUICE_OK;
}

int BNNSDirectApplyLSTMBatchTrainingCaching(const BNNSLayerParametersLSTM *layer_params,
					    const BNNSFilterParameters *filter_params, void *training_cache_ptr,
					    const size_t training_cache_capacity)
{
	struct call call;
	struct entry *entry;
	if (sluice__bnns_read(layer_params, filter_params, BNNS_FORWARD, training_cache_ptr != NULL, &call) !=
	    SLUICE_OK)
		return -1;
	if (sluice__bnns_take(&call.network, &call.given.weights, &entry) != SLUICE_OK)
		return -1;
	const sluice_status status = forward(entry, &call, training_cache_ptr, training_cache_capacity);
	sluice__bnns_give(entry);
	return status == SLUICE_OK ? 0 : -1;
}
