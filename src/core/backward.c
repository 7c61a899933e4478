/* backward.c exists to check a gradient call completely, then hand it to the backend. */
#include "core/internal.h"

#include <string.h>

/* Gradients that are overwritten are overwritten whole: whoever sums over the block meets no leftovers between tensors.
 */
static void clear_gaps(const sluice_plan *plan, void *dparameters)
{
	const sluice_model *model = plan->model;
	for (size_t index = 0; index < model->named_count; index++) {
		const struct sluice__named *named = &model->named[index];
		const size_t end = named->offset + named->rows * named->columns;
		const size_t next = index + 1 < model->named_count ? named[1].offset : model->network.parameter_count;
		memset((char *)dparameters + end * plan->real_bytes, 0, (next - end) * plan->real_bytes);
	}
}

static sluice_status places_check(const sluice_plan *plan, const sluice_run *run, const sluice_gradients *gradients)
{
	const struct sluice__network *network = &plan->model->network;
	const size_t y_count = run->last_only ? 1 : run->steps;
	const struct sluice__place_of places[] = {
		{"gradients", "dy", "dy", gradients->dy, gradients->dy_steps, y_count, gradients->dy_row,
		 network->y_width, "outputs"},
		{"gradients", "dy_reverse", "dy", gradients->dy_reverse, gradients->dy_reverse_steps, y_count,
		 gradients->dy_row, network->y_width, "outputs"},
		{"gradients", "dx", "dx", gradients->dx, (const void *const *)gradients->dx_steps, run->steps,
		 gradients->dx_row, network->x_width, "inputs"},
	};
	SLUICE_TRY(sluice__second_result_check(plan, "gradients.dy_reverse", gradients->dy_reverse != NULL));
	SLUICE_TRY(
		sluice__second_result_check(plan, "gradients.dy_reverse_steps", gradients->dy_reverse_steps != NULL));
	for (size_t each = 0; each < sizeof places / sizeof places[0]; each++) {
		SLUICE_TRY(sluice__place_check(&places[each]));
		if (run->packed && places[each].steps)
			return SLUICE_INVALID("run.packed is set and gradients.%s_steps is given, expected data in one "
					      "piece",
					      places[each].name);
	}
	return SLUICE_OK;
}

sluice_status sluice_backward(const sluice_plan *plan, const sluice_run *given, const sluice_gradients *given_gradients)
{
	enum { ALL = SLUICE_ACCUMULATE_X | SLUICE_ACCUMULATE_PARAMETERS | SLUICE_ACCUMULATE_STATE };
	sluice_run run;
	sluice_gradients gradients;
	SLUICE_TRY(sluice__run_check(plan, given, false, &run));
	if (!given_gradients)
		return sluice__null("gradients");
	SLUICE_TRY(sluice__argument(&gradients, sizeof gradients, given_gradients, "gradients"));
	if (!plan->prepared.limits.training)
		return SLUICE_INVALID("the plan was created without training, backward needs it");
	if (plan->prepared.limits.tape_mode == SLUICE_TAPE_OUTPUTS) {
		if (!run.gates || !run.c)
			return sluice__null(run.gates ? "run.c" : "run.gates");
	} else if (!run.tape) {
		return sluice__null("run.tape");
	}
	SLUICE_TRY(places_check(plan, &run, &gradients));
	if (gradients.accumulate & ~(unsigned)ALL)
		return SLUICE_INVALID("gradients.accumulate is %#x, expected flags out of %#x", gradients.accumulate,
				      (unsigned)ALL);
	if (gradients.dinitial && gradients.dinitial == gradients.dfinal &&
	    (gradients.accumulate & SLUICE_ACCUMULATE_STATE))
		return SLUICE_INVALID("gradients.dinitial is dfinal and to be accumulated, expected different memory");
	if (gradients.dparameters && !(gradients.accumulate & SLUICE_ACCUMULATE_PARAMETERS))
		clear_gaps(plan, gradients.dparameters);
	return plan->backend->backward(&plan->prepared, &run, &gradients);
}
