/*
 * subject_run.c: calls the library through its public functions alone, with everything of a run translated to the
 * plan's layouts, types and forms, and back.
 */
#include "subject.h"

#include <string.h>

#include "storage.h"

/* --------------------------------------------------------------------------------------------------- states ---- */

/* count numbers as the type of states, from element `first` of the subject's scratch; NULL are zeros. */
static const void *typed(struct sluice__subject *subject, const double *values, size_t first, size_t count)
{
	sluice_dtype type = sluice__subject_state_type(subject);

	for (size_t k = 0; k < count; k++)
		sluice__storage_put(type, values ? values[k] : 0, subject->cells, first + k);
	return (char *)subject->cells + first * sluice__storage_bytes(type);
}

/* h and c of all cells into a state; NULL arrays are zeros. */
static sluice_status state_write(struct sluice__subject *subject, size_t batch, const double *h, const double *c,
				 void *state)
{
	memset(state, 0, sluice_plan_state_size(subject->plan, batch));
	for (size_t index = 0; index < subject->network->cell_count; index++) {
		const struct sluice__cell *cell = &subject->network->cells[index];
		size_t rows = batch * cell->places, h_count = rows * cell->out, c_count = rows * cell->hidden;
		const void *own_h = typed(subject, h ? h + cell->h_state * batch : NULL, 0, h_count);
		const void *own_c = typed(subject, c ? c + cell->c_state * batch : NULL, h_count, c_count);
		sluice_status status =
			sluice_state_write(subject->plan, state, batch, cell->layer, cell->direction, own_h, own_c);

		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static sluice_status state_read(struct sluice__subject *subject, size_t batch, const void *state, double *h, double *c)
{
	sluice_dtype type = sluice__subject_state_type(subject);

	for (size_t index = 0; index < subject->network->cell_count; index++) {
		const struct sluice__cell *cell = &subject->network->cells[index];
		size_t rows = batch * cell->places, h_count = rows * cell->out, c_count = rows * cell->hidden;
		char *own_h = subject->cells, *own_c = own_h + h_count * sluice__storage_bytes(type);
		sluice_status status =
			sluice_state_read(subject->plan, state, batch, cell->layer, cell->direction, own_h, own_c);

		if (status != SLUICE_OK)
			return status;
		for (size_t k = 0; k < h_count; k++)
			h[cell->h_state * batch + k] = sluice__storage_get(type, own_h, k);
		for (size_t k = 0; k < c_count; k++)
			c[cell->c_state * batch + k] = sluice__storage_get(type, own_c, k);
	}
	return SLUICE_OK;
}

/* Where the library finds row n of a run's states: not in order, and with other rows between. */
static size_t slot_of(const struct sluice__subject *subject, size_t n)
{
	return subject->options.slots ? 2 * (subject->options.batch - 1 - n) + 1 : n;
}

/* Copies a state's rows between an array of the run's rows alone and their slots. */
static void rows_copy(const struct sluice__subject *subject, size_t batch, const void *from, void *to, int to_slots)
{
	size_t bytes = sluice_plan_state_size(subject->plan, 1);

	for (size_t n = 0; n < batch; n++) {
		size_t row = n * bytes, slot = slot_of(subject, n) * bytes;

		memcpy((char *)to + (to_slots ? slot : row), (const char *)from + (to_slots ? row : slot), bytes);
	}
}

/* A state of slots that nobody wrote to. */
static void slots_clear(const struct sluice__subject *subject, void *state)
{
	memset(state, 0xff, sluice_plan_state_size(subject->plan, sluice__subject_slots(subject)));
}

/* Bytes of a state that were written outside of the run's slots, which are cleared for that. */
static size_t slots_touched(const struct sluice__subject *subject, size_t batch, void *state)
{
	size_t bytes = sluice_plan_state_size(subject->plan, 1);

	for (size_t n = 0; n < batch; n++)
		memset((char *)state + slot_of(subject, n) * bytes, 0xff, bytes);
	return sluice__bytes_touched(state, sluice_plan_state_size(subject->plan, sluice__subject_slots(subject)));
}

/* The initial state goes to its slots, and the final one has nothing yet. */
static sluice_status states_give(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run)
{
	sluice_status status = state_write(subject, run->batch, run->h0, run->c0, subject->rows);

	slots_clear(subject, subject->initial);
	slots_clear(subject, subject->final);
	rows_copy(subject, run->batch, subject->rows, subject->initial, 1);
	for (size_t n = 0; n < run->batch; n++)
		subject->slots[n] = slot_of(subject, n);
	return status;
}

/* The final state comes from its slots. */
static sluice_status states_fetch(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run)
{
	struct sluice__subject_result *result = &subject->result;

	rows_copy(subject, run->batch, subject->final, subject->rows, 0);
	if (subject->options.slots)
		result->stray += slots_touched(subject, run->batch, subject->final);
	return state_read(subject, run->batch, subject->rows, result->hn, result->cn);
}

/* ----------------------------------------------------------------------------------------------------- time ---- */

/* Lengths of what the extent has of each row, in the form that the options want. */
static void lengths_give(struct sluice__subject *subject, const struct sluice__extent *extent, sluice_run *call)
{
	const struct sluice__oracle_run_f64 *run = extent->run;
	enum sluice__setting_lengths form = subject->options.lengths;
	size_t rows = 0;

	if (!run->lengths)
		return;
	memset(subject->lengths, 0, run->batch * sizeof(size_t));
	for (size_t t = 0; t < extent->steps; t++) {
		subject->packed[t] = rows;
		subject->batch_sizes[t] = 0;
		for (size_t n = 0; n < run->batch; n++) {
			int had = sluice__oracle_has_step_f64(run, extent->first + t, n);

			subject->lengths[n] += (size_t)had;
			subject->batch_sizes[t] += (size_t)had;
		}
		rows += subject->batch_sizes[t];
	}
	call->padding = run->padding;
	call->packed = form == SLUICE__LENGTHS_PACKED;
	/* Packed data go with both forms of lengths. */
	if (form == SLUICE__LENGTHS_BATCHES || (call->packed && run->seed % 2))
		call->batch_sizes = subject->batch_sizes;
	else
		call->lengths = subject->lengths;
}

/* Lengths and marks of the extent's steps; what of it is packed the extent then knows. */
static void time_give(struct sluice__subject *subject, struct sluice__extent *extent, sluice_run *call)
{
	const struct sluice__oracle_run_f64 *run = extent->run;

	lengths_give(subject, extent, call);
	extent->packed = call->packed ? subject->packed : NULL;
	if (run->resets)
		sluice__array_give_marks(extent, run->resets, subject->resets);
	if (run->holds)
		sluice__array_give_marks(extent, run->holds, subject->holds);
	call->resets = run->resets ? subject->resets : NULL;
	call->holds = run->holds ? subject->holds : NULL;
}

/* The mask of the extent's steps; one that has steps is laid out as x is. */
static void mask_give(struct sluice__subject *subject, const struct sluice__extent *extent, sluice_run *call)
{
	const struct sluice__oracle_run_f64 *run = extent->run;
	struct sluice__extent once = {.run = run, .steps = 1};

	call->mask = run->mask ? subject->mask.memory : NULL;
	call->mask_shape = run->mask_shape;
	if (run->mask && run->mask_shape == SLUICE_MASK_STEP)
		sluice__array_give(&subject->mask, extent, SLUICE__ROWS_HAD, run->mask);
	if (run->mask && run->mask_shape == SLUICE_MASK_SEQUENCE)
		sluice__array_give(&subject->mask, &once, SLUICE__ROWS_ALL, run->mask);
	for (size_t k = 0; run->mask && run->mask_shape == SLUICE_MASK_UNIT && k < subject->mask.width; k++)
		sluice__storage_put(subject->mask.type, run->mask[k], subject->mask.memory, k);
}

/* ------------------------------------------------------------------------------------------------------ run ---- */

/* What all kinds of run have in common, with everything that the extent's steps read. */
static sluice_run run_of(struct sluice__subject *subject, struct sluice__extent *extent)
{
	const struct sluice__oracle_run_f64 *run = extent->run;
	int pointers = subject->options.pointers, separate = subject->network->separate;
	sluice_run call = SLUICE_RUN_INIT;

	call.steps = extent->steps;
	call.batch = run->batch;
	call.initial_state = run->h0 || run->c0 ? subject->initial : NULL;
	call.final_state = subject->final;
	call.workspace = subject->workspace;
	call.training = run->training;
	call.seed = run->seed;
	call.step_offset = run->step_offset + extent->first;
	call.sequence_ids = run->sequence_ids;
	call.last_only = run->last_only;
	time_give(subject, extent, &call);
	mask_give(subject, extent, &call);
	sluice__array_give(&subject->x, extent, SLUICE__ROWS_COMPUTED, run->x);
	call.x = pointers ? NULL : subject->x.memory;
	call.x_steps = pointers ? (const void *const *)subject->x.pointers : NULL;
	call.x_row = pointers ? sluice__array_row(&subject->x) : 0;
	call.y = pointers ? NULL : subject->y.memory;
	call.y_steps = pointers ? (void *const *)subject->y.pointers : NULL;
	call.y_row = pointers ? sluice__array_row(&subject->y) : 0;
	call.y_reverse = separate && !pointers ? subject->y_reverse.memory : NULL;
	call.y_reverse_steps = separate && pointers ? (void *const *)subject->y_reverse.pointers : NULL;
	if (subject->options.slots) {
		call.slots = subject->slots;
		call.slot_count = sluice__subject_slots(subject);
	}
	subject->result.stray = 0;
	return call;
}

/* What of the extent y and dy have. */
static struct sluice__extent output_extent(const struct sluice__extent *extent)
{
	struct sluice__extent output = *extent;

	if (!extent->run->last_only)
		return output;
	output.packed = NULL;
	output.last_only = extent->steps == extent->run->steps;
	output.steps = 1;
	return output;
}

/* y, and y_reverse of a separate last layer. */
static void outputs_clear(struct sluice__subject *subject, const struct sluice__extent *output)
{
	sluice__array_clear(&subject->y, output->steps, output->run->batch);
	sluice__array_clear(&subject->y_reverse, output->steps, output->run->batch);
}

static void outputs_fetch(struct sluice__subject *subject, const struct sluice__extent *output)
{
	struct sluice__subject_result *result = &subject->result;

	result->stray += sluice__array_fetch(&subject->y, output, SLUICE__ROWS_HAD, result->y);
	if (subject->network->separate)
		result->stray += sluice__array_fetch(&subject->y_reverse, output, SLUICE__ROWS_HAD, result->y_reverse);
}

/* Everything that flows into the backward pass. */
static sluice_status gradients_give(struct sluice__subject *subject, const struct sluice__extent *extent,
				    sluice_gradients *gradients)
{
	const struct sluice__oracle_run_f64 *run = extent->run;
	const struct sluice__extent output = output_extent(extent);
	int pointers = subject->options.pointers, separate = run->dy_reverse && subject->network->separate;
	sluice_status status = SLUICE_OK;

	memset(subject->rows, 0xff, sluice_plan_state_size(subject->plan, run->batch));
	if (run->dh || run->dc)
		status = state_write(subject, run->batch, run->dh, run->dc, subject->rows);
	gradients->dfinal = run->dh || run->dc ? subject->rows : NULL;
	gradients->dinitial = subject->rows;
	if (run->dy)
		sluice__array_give(&subject->y, &output, SLUICE__ROWS_HAD, run->dy);
	if (separate)
		sluice__array_give(&subject->y_reverse, &output, SLUICE__ROWS_HAD, run->dy_reverse);
	gradients->dy = run->dy && !pointers ? subject->y.memory : NULL;
	gradients->dy_steps = run->dy && pointers ? (const void *const *)subject->y.pointers : NULL;
	gradients->dy_row = pointers ? sluice__array_row(&subject->y) : 0;
	gradients->dy_reverse = separate && !pointers ? subject->y_reverse.memory : NULL;
	gradients->dy_reverse_steps = separate && pointers ? (const void *const *)subject->y_reverse.pointers : NULL;
	if (run->dh_steps)
		sluice__array_give(&subject->dh, extent, SLUICE__ROWS_HAD, run->dh_steps);
	if (run->dc_steps)
		sluice__array_give(&subject->dc, extent, SLUICE__ROWS_HAD, run->dc_steps);
	gradients->dh = run->dh_steps ? subject->dh.memory : NULL;
	gradients->dc = run->dc_steps ? subject->dc.memory : NULL;
	return status;
}

static sluice_status backward(struct sluice__subject *subject, const struct sluice__extent *extent,
			      const sluice_run *call)
{
	const struct sluice__network *network = subject->network;
	struct sluice__subject_result *result = &subject->result;
	int pointers = subject->options.pointers;
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	sluice_status status = gradients_give(subject, extent, &gradients);

	if (status != SLUICE_OK)
		return status;
	sluice__array_clear(&subject->dx, extent->steps, extent->run->batch);
	memset(subject->dparameters, 0xff,
	       network->parameter_count * sluice__storage_bytes(sluice__subject_state_type(subject)));
	gradients.dx = pointers ? NULL : subject->dx.memory;
	gradients.dx_steps = pointers ? (void *const *)subject->dx.pointers : NULL;
	gradients.dx_row = pointers ? sluice__array_row(&subject->dx) : 0;
	gradients.dparameters = subject->dparameters;
	status = sluice_backward(subject->plan, call, &gradients);
	if (status != SLUICE_OK)
		return status;
	result->stray += sluice__array_fetch(&subject->dx, extent, SLUICE__ROWS_COMPUTED, result->dx);
	for (size_t k = 0; k < network->parameter_count; k++)
		result->dparameters[k] =
			sluice__storage_get(sluice__subject_state_type(subject), subject->dparameters, k);
	return state_read(subject, extent->run->batch, subject->rows, result->dh0, result->dc0);
}

sluice_status sluice__subject_run(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run,
				  enum sluice__subject_call by, int forward_only)
{
	static sluice_status (*const CALLS[])(const sluice_plan *plan,
					      const sluice_run *run) = {sluice_forward, sluice_step, sluice_block};
	struct sluice__subject_result *result = &subject->result;
	struct sluice__extent extent = {.run = run, .steps = run->steps, .layout = subject->options.layout}, output;
	struct sluice__array *const sequences[] = {&subject->h, &subject->c, &subject->gates};
	sluice_run call = run_of(subject, &extent);
	sluice_status status = states_give(subject, run);

	if (status != SLUICE_OK)
		return status;
	output = output_extent(&extent);
	outputs_clear(subject, &output);
	for (size_t index = 0; index < 3; index++)
		sluice__array_clear(sequences[index], run->steps, run->batch);
	call.tape = forward_only ? NULL : subject->tape;
	call.h = subject->h.memory;
	call.c = subject->c.memory;
	call.gates = subject->gates.memory;
	status = CALLS[by](subject->plan, &call);
	if (status != SLUICE_OK)
		return status;
	outputs_fetch(subject, &output);
	result->stray += sluice__array_fetch(&subject->h, &extent, SLUICE__ROWS_HAD, result->h);
	result->stray += sluice__array_fetch(&subject->c, &extent, SLUICE__ROWS_HAD, result->c);
	result->stray += sluice__array_fetch(&subject->gates, &extent, SLUICE__ROWS_COMPUTED, result->gates);
	status = states_fetch(subject, run);
	if (status != SLUICE_OK || forward_only)
		return status;
	return backward(subject, &extent, &call);
}

/* Of all y of a sequence, [T,N,outputs], leaves each row's last one, [N,outputs], and zeros where there is none. */
static void last_keep(const struct sluice__oracle_run_f64 *run, size_t width, double *y)
{
	for (size_t n = 0; n < run->batch; n++) {
		size_t t = run->steps;

		while (t > 0 && !sluice__oracle_has_step_f64(run, t - 1, n))
			t--;
		if (t)
			memmove(y + n * width, y + ((t - 1) * run->batch + n) * width, width * sizeof(double));
		else
			memset(y + n * width, 0, width * sizeof(double));
	}
}

sluice_status sluice__subject_stream(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run)
{
	sluice_status status = states_give(subject, run);
	size_t stray = 0;

	for (size_t t = 0; t < run->steps && status == SLUICE_OK; t++) {
		struct sluice__extent extent = {run, t, 1, 0, subject->options.layout, NULL}, output;
		sluice_run call = run_of(subject, &extent);

		output = output_extent(&extent);
		output.last_only = 0;
		outputs_clear(subject, &output);
		call.initial_state = t ? subject->final : call.initial_state;
		status = sluice_step(subject->plan, &call);
		if (status == SLUICE_OK)
			outputs_fetch(subject, &output);
		stray += subject->result.stray;
	}
	if (status != SLUICE_OK)
		return status;
	if (run->last_only)
		last_keep(run, subject->network->y_row, subject->result.y);
	subject->result.stray = stray;
	return states_fetch(subject, run);
}
