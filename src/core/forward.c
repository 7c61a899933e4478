/* forward.c exists to check a run completely before its first byte is written, then hand it to the backend. */
#include "core/internal.h"

static bool aligned(const void *pointer)
{
	return (uintptr_t)pointer % SLUICE__ALIGNMENT == 0;
}

static sluice_status size_check(const char *name, size_t value, size_t most)
{
	if (value > most)
		return SLUICE_INVALID("run.%s is %zu, the plan was created for at most %zu", name, value, most);
	return SLUICE_OK;
}

/* Fields whose place is kept but whose computation is not there yet. */
static sluice_status unsupported_check(const sluice_run *run)
{
	const char *field = run->lengths ? "lengths" : run->resets ? "resets" : NULL;
	if (field)
		return sluice_fail(SLUICE_UNSUPPORTED, "run.%s is given, it is not implemented", field);
	return SLUICE_OK;
}

sluice_status sluice__run_check(const sluice_plan *plan, const sluice_run *given, sluice_run *run)
{
	if (!plan)
		return sluice__null("plan");
	if (!given)
		return sluice__null("run");
	/* The usual case, a caller of this very version, is worth a plain copy: a step takes a tenth of a microsecond.
	 */
	if (given->size == sizeof *run)
		*run = *given;
	else
		SLUICE_TRY(sluice__argument(run, sizeof *run, given, "run"));
	const struct sluice__limits *limits = &plan->prepared.limits;
	SLUICE_TRY(size_check("steps", run->steps, limits->steps));
	SLUICE_TRY(size_check("batch", run->batch, limits->batch));
	SLUICE_TRY(unsupported_check(run));
	run->steps = run->steps ? run->steps : limits->steps;
	run->batch = run->batch ? run->batch : limits->batch;
	if (!run->x)
		return sluice__null("run.x");
	if (!run->workspace)
		return sluice__null("run.workspace");
	if (!aligned(run->workspace) || !aligned(run->tape) || !aligned(run->initial_state) ||
	    !aligned(run->final_state))
		return SLUICE_INVALID("run.%s is not aligned to %d bytes",
				      !aligned(run->workspace)       ? "workspace"
				      : !aligned(run->tape)          ? "tape"
				      : !aligned(run->initial_state) ? "initial_state"
								     : "final_state",
				      SLUICE__ALIGNMENT);
	if (run->tape && (!limits->training || limits->tape_mode == SLUICE_TAPE_OUTPUTS))
		return SLUICE_INVALID("run.tape is given, the plan was created %s",
				      limits->training ? "with tape_mode outputs" : "without training");
	if ((unsigned)run->mask_shape > SLUICE_MASK_STEP)
		return SLUICE_INVALID("run.mask_shape is %d, expected 0 to %d", (int)run->mask_shape, SLUICE_MASK_STEP);
	return SLUICE_OK;
}

sluice_status sluice_forward(const sluice_plan *plan, const sluice_run *given)
{
	sluice_run run;
	SLUICE_TRY(sluice__run_check(plan, given, &run));
	return plan->backend->forward(&plan->prepared, &run);
}

sluice_status sluice_step(const sluice_plan *plan, const sluice_run *given)
{
	sluice_run run;
	SLUICE_TRY(sluice__run_check(plan, given, &run));
	const struct sluice__network *network = &plan->model->network;
	for (size_t index = 0; index < network->layer_count; index++)
		if (network->layers[index].reverse || network->layers[index].directions > 1)
			return sluice_fail(SLUICE_UNSUPPORTED,
					   "layer %zu runs in reverse: it needs its last step first", index);
	for (size_t index = 0; run.training && index < network->layer_count; index++)
		if (network->layers[index].options->dropconnect > 0)
			return sluice_fail(
				SLUICE_UNSUPPORTED,
				"layer %zu has dropconnect, whose mask every training step would draw again: "
				"use sluice_forward",
				index);
	if (run.tape)
		return sluice_fail(SLUICE_UNSUPPORTED, "run.tape is given, a step keeps none: use sluice_forward");
	run.steps = 1;
	return plan->backend->step(&plan->prepared, &run);
}
