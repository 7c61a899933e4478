/* time.c exists to check what a run says about time and places: lengths, packed data, pointers, slots. */
#include "core/internal.h"

static sluice_status lengths_check(const sluice_run *run)
{
	for (size_t n = 0; run->lengths && n < run->batch; n++)
		if (run->lengths[n] > run->steps)
			return SLUICE_INVALID("run.lengths[%zu] is %zu, expected at most steps = %zu", n,
					      run->lengths[n], run->steps);
	return SLUICE_OK;
}

static sluice_status batch_sizes_check(const sluice_run *run)
{
	const size_t *sizes = run->batch_sizes;
	if (!sizes)
		return SLUICE_OK;
	if (run->lengths)
		return SLUICE_INVALID("run.lengths and run.batch_sizes are both given, expected one of them");
	if (run->padding != SLUICE_PADDING_RIGHT)
		return SLUICE_INVALID(
			"run.padding is left and run.batch_sizes is given, expected padding on the right");
	if (sizes[0] > run->batch)
		return SLUICE_INVALID("run.batch_sizes[0] is %zu, expected at most batch = %zu", sizes[0], run->batch);
	for (size_t t = 1; t < run->steps; t++)
		if (sizes[t] > sizes[t - 1])
			return SLUICE_INVALID(
				"run.batch_sizes[%zu] is %zu, expected at most the %zu of the step before", t, sizes[t],
				sizes[t - 1]);
	return SLUICE_OK;
}

static sluice_status packed_check(const sluice_plan *plan, const sluice_run *run)
{
	const struct {
		const char *field;
		bool given;
	} pointers[] = {
		{"x_steps", run->x_steps != NULL},
		{"y_steps", run->y_steps != NULL},
		{"y_reverse_steps", run->y_reverse_steps != NULL},
	};
	if (!run->packed)
		return SLUICE_OK;
	if (plan->prepared.limits.batch_major)
		return SLUICE_INVALID("run.packed is set and the plan is batch-major, expected time-major");
	if (run->padding != SLUICE_PADDING_RIGHT)
		return SLUICE_INVALID("run.packed is set and run.padding is left, expected right");
	for (size_t each = 0; each < sizeof pointers / sizeof pointers[0]; each++)
		if (pointers[each].given)
			return SLUICE_INVALID("run.packed is set and run.%s is given, expected data in one piece",
					      pointers[each].field);
	for (size_t n = 1; run->lengths && n < run->batch; n++)
		if (run->lengths[n] > run->lengths[n - 1])
			return SLUICE_INVALID(
				"run.packed is set and run.lengths[%zu] is %zu, expected at most the %zu of "
				"the row before",
				n, run->lengths[n], run->lengths[n - 1]);
	return SLUICE_OK;
}

sluice_status sluice__time_check(const sluice_plan *plan, const sluice_run *run)
{
	if ((unsigned)run->padding > SLUICE_PADDING_LEFT)
		return SLUICE_INVALID("run.padding is %d, expected 0 or %d", (int)run->padding, SLUICE_PADDING_LEFT);
	SLUICE_TRY(batch_sizes_check(run));
	SLUICE_TRY(lengths_check(run));
	return packed_check(plan, run);
}

sluice_status sluice__place_check(const struct sluice__place_of *place)
{
	if (!place->steps)
		return SLUICE_OK;
	if (place->whole)
		return SLUICE_INVALID("%s.%s and %s.%s_steps are both given, expected one of them", place->owner,
				      place->name, place->owner, place->name);
	if (place->row && place->row < place->width)
		return SLUICE_INVALID("%s.%s_row is %zu, expected at least %s = %zu", place->owner, place->row_name,
				      place->row, place->width_name, place->width);
	for (size_t t = 0; t < place->count; t++)
		if (!place->steps[t])
			return SLUICE_INVALID("%s.%s_steps[%zu] is NULL", place->owner, place->name, t);
	return SLUICE_OK;
}

sluice_status sluice__second_result_check(const sluice_plan *plan, const char *field, bool given)
{
	if (given && !plan->model->network.separate)
		return SLUICE_INVALID("%s is given, the last layer has no separate results", field);
	return SLUICE_OK;
}

sluice_status sluice__places_check(const sluice_plan *plan, const sluice_run *run)
{
	const struct sluice__network *network = &plan->model->network;
	const size_t y_count = run->last_only ? 1 : run->steps;
	const struct sluice__place_of places[] = {
		{"run", "x", "x", run->x, run->x_steps, run->steps, run->x_row, network->x_width, "inputs"},
		{"run", "y", "y", run->y, (const void *const *)run->y_steps, y_count, run->y_row, network->y_width,
		 "outputs"},
		{"run", "y_reverse", "y", run->y_reverse, (const void *const *)run->y_reverse_steps, y_count,
		 run->y_row, network->y_width, "outputs"},
	};
	SLUICE_TRY(sluice__second_result_check(plan, "run.y_reverse", run->y_reverse != NULL));
	SLUICE_TRY(sluice__second_result_check(plan, "run.y_reverse_steps", run->y_reverse_steps != NULL));
	for (size_t each = 0; each < sizeof places / sizeof places[0]; each++)
		SLUICE_TRY(sluice__place_check(&places[each]));
	return SLUICE_OK;
}

static sluice_status repeated(size_t one, size_t other, size_t slot)
{
	return SLUICE_INVALID("run.slots[%zu] is %zu as run.slots[%zu], expected different slots", other, slot, one);
}

sluice_status sluice__slots_check(const sluice_run *run)
{
	enum { MARKS = 4096 };
	const size_t *slots = run->slots;
	bool ascending = true;
	if (!slots)
		return SLUICE_OK;
	if (run->slot_count < run->batch)
		return SLUICE_INVALID("run.slot_count is %zu, expected at least batch = %zu", run->slot_count,
				      run->batch);
	for (size_t n = 0; n < run->batch; n++) {
		if (slots[n] >= run->slot_count)
			return SLUICE_INVALID("run.slots[%zu] is %zu, expected below slot_count = %zu", n, slots[n],
					      run->slot_count);
		ascending = ascending && (n == 0 || slots[n] > slots[n - 1]);
	}
	if (ascending)
		return SLUICE_OK;
	/* Only a slot whose mark is there already can be a second one. */
	uint64_t marks[MARKS / 64] = {0};
	for (size_t n = 0; n < run->batch; n++) {
		uint64_t *word = &marks[slots[n] % MARKS / 64], mark = (uint64_t)1 << slots[n] % 64;
		for (size_t before = 0; (*word & mark) && before < n; before++)
			if (slots[before] == slots[n])
				return repeated(before, n, slots[n]);
		*word |= mark;
	}
	return SLUICE_OK;
}
