/* bnns_run.c exists to set up a run of the core: what forward and backward of a call have in common. */
#include "bnns_internal.h"

sluice_status sluice__bnns_run(struct entry *entry, const struct call *call, int apart, sluice_run *run)
{
	const struct states *initial = &call->given.initial;
	struct exchange x;
	void *state;
	*run = (sluice_run)SLUICE_RUN_INIT;
	run->training = call->network.dropout > 0;
	run->packed = sluice__bnns_dense(call);
	BNNS_TRY(sluice__bnns_sizes(entry, call, &run->batch_sizes));
	BNNS_TRY(sluice__bnns_exchange(entry, call, &call->given.x, BUFFER_X, BUFFER_X_STEPS, apart, &x));
	sluice__bnns_data_in(call, run->batch_sizes, &x);
	run->x = x.whole;
	run->x_steps = (const void *const *)x.steps;
	run->x_row = x.row;
	if (!initial->h.data && !initial->c.data)
		return SLUICE_OK;
	BNNS_TRY(sluice__bnns_buffer(entry, BUFFER_STATE, sluice_plan_state_size(entry->plan, entry->network.batch),
				     &state));
	run->initial_state = state;
	return sluice__bnns_state_in(entry, initial, state);
}

sluice_status sluice__bnns_workspace(struct entry *entry, const struct call *call, sluice_run *run)
{
	enum { ALIGNMENT = 64 };
	const size_t bytes = sluice_plan_workspace_size(entry->plan);
	void *workspace = NULL;
	if (!call->allocate)
		return sluice__bnns_buffer(entry, BUFFER_WORKSPACE, bytes, &run->workspace);
	const int code = call->allocate(&workspace, ALIGNMENT, bytes);
	if (code != 0 || !workspace)
		return sluice_fail(SLUICE_OUT_OF_MEMORY,
				   "filter_params.alloc_memory returned %d and %p for %zu bytes, expected 0 and memory",
				   code, workspace, bytes);
	run->workspace = workspace;
	if ((uintptr_t)workspace % ALIGNMENT) {
		sluice__bnns_workspace_release(call, run);
		return BNNS_INVALID("filter_params.alloc_memory returned %p, expected a multiple of %d", workspace,
				    ALIGNMENT);
	}
	return SLUICE_OK;
}

void sluice__bnns_workspace_release(const struct call *call, sluice_run *run)
{
	if (call->release && run->workspace)
		call->release(run->workspace);
	run->workspace = NULL;
}
