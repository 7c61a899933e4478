/* mps_pass.c exists to run one network of a stack on spans: as they lie where the core can, else by way of a copy. */
#include "mps_internal.h"

static size_t rows_of(const struct sequence *sequence, size_t step)
{
	return sequence->batch_sizes ? sequence->batch_sizes[step] : sequence->batch;
}

void sluice__mps_sequence_load(const struct sequence *sequence, float *to)
{
	for (size_t step = 0; step < sequence->steps; step++)
		sluice__mps_span_load(&sequence->spans[step], rows_of(sequence, step),
				      to + step * sequence->batch * sequence->width);
}

void sluice__mps_sequence_store(const struct sequence *sequence, const float *from)
{
	for (size_t step = 0; step < sequence->steps; step++)
		sluice__mps_span_store(&sequence->spans[step], rows_of(sequence, step),
				       from + step * sequence->batch * sequence->width);
}

sluice_status sluice__mps_rows_read(const char *name, const struct span *spans, size_t steps, size_t *rows)
{
	for (size_t step = 0; step < steps; step++) {
		rows[step] = spans[step].rows;
		if (step && rows[step] > rows[step - 1])
			return MPS_INVALID("%s[%zu] has %zu rows, expected at most the %zu of the step before", name,
					   step, rows[step], rows[step - 1]);
	}
	return SLUICE_OK;
}

static sluice_status reserve(const struct pass *pass, struct memory *memory)
{
	const sluice_plan *plan = pass->plan;
	const size_t rows = pass->steps * pass->batch * sizeof(float);
	const size_t states = pass->sequences ? rows * pass->state_width : 0;
	const size_t bytes[BUFFERS] = {
		[BUFFER_WORKSPACE] = sluice_plan_workspace_size(plan),
		[BUFFER_STATE] = pass->start || pass->final ? sluice_plan_state_size(plan, pass->batch) : 0,
		[BUFFER_X] = pass->x_direct ? 0 : rows * pass->x_width,
		[BUFFER_Y] = pass->y_direct ? 0 : rows * pass->y_width,
		[BUFFER_H] = states,
		[BUFFER_C] = states,
	};
	for (int which = 0; which < BUFFERS; which++)
		MPS_TRY(sluice__mps_memory_reserve(pass->context, memory, (enum buffer)which, bytes[which]));
	return SLUICE_OK;
}

static void x_place(const struct pass *pass, const struct memory *memory, sluice_run *run)
{
	if (pass->x_direct) {
		for (size_t step = 0; step < pass->steps; step++)
			pass->x_steps[step] = pass->x[step].at;
		run->x_steps = pass->x_steps;
		run->x_row = pass->x[0].row_bytes / sizeof(float);
		return;
	}
	const struct sequence x = {pass->x, pass->steps, pass->batch, pass->x_width, pass->batch_sizes};
	sluice__mps_sequence_load(&x, memory->at[BUFFER_X]);
	run->x = memory->at[BUFFER_X];
}

static void y_place(const struct pass *pass, const struct memory *memory, sluice_run *run)
{
	if (!pass->y_direct) {
		run->y = memory->at[BUFFER_Y];
		return;
	}
	for (size_t step = 0; step < pass->steps; step++)
		pass->y_steps[step] = pass->y[step].at;
	run->y_steps = pass->y_steps;
	run->y_row = pass->y[0].row_bytes / sizeof(float);
}

sluice_status sluice__mps_pass_run(const struct pass *pass, struct memory *memory)
{
	const sluice_plan *plan = pass->plan;
	MPS_TRY(reserve(pass, memory));
	sluice_run run = SLUICE_RUN_INIT;
	run.steps = pass->steps;
	run.batch = pass->batch;
	run.workspace = memory->at[BUFFER_WORKSPACE];
	run.batch_sizes = pass->batch_sizes;
	run.tape = pass->tape;
	x_place(pass, memory, &run);
	y_place(pass, memory, &run);
	if (pass->start) {
		run.initial_state = memory->at[BUFFER_STATE];
		MPS_TRY(sluice__mps_recurrent_write(pass->start, plan, memory->at[BUFFER_STATE]));
	}
	if (pass->final)
		run.final_state = memory->at[BUFFER_STATE];
	if (pass->sequences) {
		run.h = memory->at[BUFFER_H];
		run.c = memory->at[BUFFER_C];
	}
	return sluice_forward(plan, &run);
}

void sluice__mps_pass_store(const struct pass *pass, const struct memory *memory)
{
	const struct sequence y = {pass->y, pass->steps, pass->batch, pass->y_width, pass->batch_sizes};
	if (!pass->y_direct)
		sluice__mps_sequence_store(&y, memory->at[BUFFER_Y]);
}
