/* forward.c exists to check a run completely before its first byte is written, then hand it to the backend. */
#include "core/internal.h"
#include "core/slots.h"

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

static sluice_status alignment_check(const sluice_run *run)
{
	if (aligned(run->workspace) && aligned(run->tape) && aligned(run->initial_state) && aligned(run->final_state))
		return SLUICE_OK;
	return SLUICE_INVALID("run.%s is not aligned to %d bytes",
			      !aligned(run->workspace)       ? "workspace"
			      : !aligned(run->tape)          ? "tape"
			      : !aligned(run->initial_state) ? "initial_state"
							     : "final_state",
			      SLUICE__ALIGNMENT);
}

/* Whether anything is given that the usual run of a stream has not. */
static bool has_places_or_time(const sluice_run *run)
{
	return run->lengths || run->batch_sizes || run->padding || run->packed || run->x_steps || run->y_steps ||
	       run->y_reverse || run->y_reverse_steps || run->slots;
}

sluice_status sluice__run_check(const sluice_plan *plan, const sluice_run *given, bool single, sluice_run *run)
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
	run->steps = single ? 1 : run->steps ? run->steps : limits->steps;
	run->batch = run->batch ? run->batch : limits->batch;
	if (!run->x && !run->x_steps)
		return sluice__null("run.x");
	if (!run->workspace)
		return sluice__null("run.workspace");
	SLUICE_TRY(alignment_check(run));
	if (run->tape && (!limits->training || limits->tape_mode == SLUICE_TAPE_OUTPUTS))
		return SLUICE_INVALID("run.tape is given, the plan was created %s",
				      limits->training ? "with tape_mode outputs" : "without training");
	if ((unsigned)run->mask_shape > SLUICE_MASK_STEP)
		return SLUICE_INVALID("run.mask_shape is %d, expected 0 to %d", (int)run->mask_shape, SLUICE_MASK_STEP);
	if (!has_places_or_time(run))
		return SLUICE_OK;
	SLUICE_TRY(sluice__time_check(plan, run));
	SLUICE_TRY(sluice__places_check(plan, run));
	return sluice__slots_check(run);
}

sluice_status sluice_forward(const sluice_plan *plan, const sluice_run *given)
{
	sluice_run run;
	SLUICE_TRY(sluice__run_check(plan, given, false, &run));
	return plan->backend->forward(&plan->prepared, &run);
}

sluice_status sluice_block(const sluice_plan *plan, const sluice_run *given)
{
	sluice_run run;
	SLUICE_TRY(sluice__run_check(plan, given, false, &run));
	return plan->backend->block(&plan->prepared, &run);
}

sluice_status sluice_step(const sluice_plan *plan, const sluice_run *given)
{
	sluice_run run;
	SLUICE_TRY(sluice__run_check(plan, given, true, &run));
	SLUICE_TRY(sluice__forward_check(plan));
	const struct sluice__network *network = &plan->model->network;
	for (size_t index = 0; run.training && index < network->layer_count; index++)
		if (network->layers[index].options->dropconnect > 0)
			return sluice_fail(
				SLUICE_UNSUPPORTED,
				"layer %zu has dropconnect, whose mask every training step would draw again: "
				"use sluice_forward",
				index);
	if (run.tape)
		return sluice_fail(SLUICE_UNSUPPORTED, "run.tape is given, a step keeps none: use sluice_forward");
	return plan->backend->step(&plan->prepared, &run);
}
