/* mps_pass.c exists to run one network of a stack on spans: as they lie where the core can, else by way of a copy. */
#include "mps_internal.h"

static size_t rows_of(const struct pass *pass, size_t step)
{
	return pass->batch_sizes ? pass->batch_sizes[step] : pass->batch;
}

/* Numbers of h, or of c, of all layers in one row. */
static size_t state_width(const struct pass *pass)
{
	const struct chain *chain = pass->engine->chain;
	const size_t places = chain->height ? chain->height * chain->width : 1;
	size_t sum = 0;
	for (size_t layer = 0; layer < chain->layers; layer++)
		sum += chain->channels[layer] * places;
	return sum;
}

static sluice_status reserve(const struct pass *pass, struct memory *memory)
{
	const sluice_plan *plan = pass->engine->plan;
	const size_t rows = pass->steps * pass->batch * sizeof(float);
	const size_t states = pass->sequences ? rows * state_width(pass) : 0;
	const size_t bytes[BUFFERS] = {
		[BUFFER_WORKSPACE] = sluice_plan_workspace_size(plan),
		[BUFFER_STATE] = pass->start || pass->final ? sluice_plan_state_size(plan, pass->batch) : 0,
		[BUFFER_X] = pass->x_direct ? 0 : rows * pass->x_width,
		[BUFFER_Y] = pass->y_direct ? 0 : rows * pass->y_width,
		[BUFFER_H] = states,
		[BUFFER_C] = states,
	};
	for (int which = 0; which < BUFFERS; which++)
		MPS_TRY(sluice__mps_memory_reserve(pass->engine, memory, (enum buffer)which, bytes[which]));
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
	float *to = memory->at[BUFFER_X];
	for (size_t step = 0; step < pass->steps; step++)
		sluice__mps_span_load(&pass->x[step], rows_of(pass, step), to + step * pass->batch * pass->x_width);
	run->x = to;
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
	const sluice_plan *plan = pass->engine->plan;
	MPS_TRY(reserve(pass, memory));
	sluice_run run = SLUICE_RUN_INIT;
	run.steps = pass->steps;
	run.batch = pass->batch;
	run.workspace = memory->at[BUFFER_WORKSPACE];
	run.batch_sizes = pass->batch_sizes;
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
	const float *from = memory->at[BUFFER_Y];
	for (size_t step = 0; !pass->y_direct && step < pass->steps; step++)
		sluice__mps_span_store(&pass->y[step], rows_of(pass, step), from + step * pass->batch * pass->y_width);
}
