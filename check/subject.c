/*
 * subject.c: calls the library through its public functions alone, translating between its layouts and the oracle's.
 */
#include "subject.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

/* The next `bytes` of a block at a 64-byte boundary; NULL while there is only their sum to know. */
static void *take(char *block, size_t *total, size_t bytes)
{
	size_t place = *total;

	*total += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return block ? block + place : NULL;
}

/* Cuts a block into the subject's arrays and gives its size; with block NULL the size alone. */
static size_t lay_out(struct sluice__subject *subject, char *block)
{
	const struct sluice__network *network = subject->network;
	const struct sluice__subject_options *options = &subject->options;
	struct sluice__subject_result *result = &subject->result;
	size_t rows = options->steps * options->batch, total = 0;
	size_t x = rows * network->inputs * sizeof(float), y = rows * network->outputs * sizeof(float);
	size_t states = options->batch * network->h_width * sizeof(float);
	size_t state = sluice_plan_state_size(subject->plan, options->batch);
	size_t tape = sluice_plan_tape_size(subject->plan, options->steps);

	subject->x = take(block, &total, x);
	subject->y = take(block, &total, y);
	subject->dx = take(block, &total, x);
	result->y = take(block, &total, y);
	result->hn = take(block, &total, states);
	result->cn = take(block, &total, states);
	result->dx = take(block, &total, x);
	result->dparameters = take(block, &total, network->parameter_count * sizeof(float));
	result->dh0 = take(block, &total, states);
	result->dc0 = take(block, &total, states);
	subject->initial = take(block, &total, state);
	subject->final = take(block, &total, state);
	subject->workspace = take(block, &total, sluice_plan_workspace_size(subject->plan));
	subject->tape = tape ? take(block, &total, tape) : NULL;
	return total;
}

/* All memory of the runs in one block. */
static sluice_status memory_create(struct sluice__subject *subject)
{
	size_t bytes = lay_out(subject, NULL);

	subject->block = aligned_alloc(ALIGNMENT, bytes);
	if (!subject->block)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for a run of %zu bytes", bytes);
	memset(subject->block, 0, bytes);
	lay_out(subject, subject->block);
	return SLUICE_OK;
}

sluice_status sluice__subject_create(const sluice_description *description, const struct sluice__network *network,
				     const float *parameters, const struct sluice__subject_options *options,
				     struct sluice__subject *out)
{
	struct sluice__subject subject = {.network = network, .options = *options};
	sluice_context_options context = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_plan_options plan = SLUICE_PLAN_OPTIONS_INIT;
	sluice_status status;
	size_t count;
	float *block;

	context.isa = options->isa;
	context.threads = options->threads;
	status = sluice_context_create(&context, &subject.context);
	if (status != SLUICE_OK)
		goto fail;
	status = sluice_model_create(subject.context, description, &subject.model);
	if (status != SLUICE_OK)
		goto fail;
	block = sluice_model_parameters(subject.model, &count);
	status = SLUICE_INTERNAL;
	if (count != network->parameter_count) {
		sluice_fail(status, "the model has %zu parameters, %zu expected", count, network->parameter_count);
		goto fail;
	}
	memcpy(block, parameters, count * sizeof(float));
	plan.steps = options->steps;
	plan.batch = options->batch;
	plan.training = options->training;
	plan.layout = options->layout;
	status = sluice_plan_create(subject.model, &plan, &subject.plan);
	if (status != SLUICE_OK)
		goto fail;
	status = memory_create(&subject);
	if (status != SLUICE_OK)
		goto fail;
	*out = subject;
	return SLUICE_OK;
fail:
	sluice__subject_destroy(&subject);
	return status;
}

void sluice__subject_destroy(struct sluice__subject *subject)
{
	sluice_plan_destroy(subject->plan);
	sluice_model_destroy(subject->model);
	sluice_context_destroy(subject->context);
	free(subject->block);
	memset(subject, 0, sizeof(*subject));
}

/* Copies [steps,batch,width] between time-major order and the plan's. */
static void reorder(const struct sluice__subject *subject, size_t steps, size_t batch, size_t width, const float *from,
		    float *to, int to_plan)
{
	for (size_t t = 0; t < steps; t++)
		for (size_t n = 0; n < batch; n++) {
			size_t row = t * batch + n;
			size_t other = subject->options.layout == SLUICE_BATCH_MAJOR ? n * steps + t : row;

			memcpy(to + (to_plan ? other : row) * width, from + (to_plan ? row : other) * width,
			       width * sizeof(float));
		}
}

/* h and c of all cells into a state; NULL arrays are zeros. */
static sluice_status state_write(struct sluice__subject *subject, size_t batch, const float *h, const float *c,
				 void *state)
{
	memset(state, 0, sluice_plan_state_size(subject->plan, batch));
	for (size_t index = 0; index < subject->network->cell_count; index++) {
		const struct sluice__cell *cell = &subject->network->cells[index];
		size_t place = cell->h_state * batch;
		sluice_status status = sluice_state_write(subject->plan, state, batch, cell->layer, cell->direction,
							  h ? h + place : NULL, c ? c + place : NULL);

		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static sluice_status state_read(struct sluice__subject *subject, size_t batch, const void *state, float *h, float *c)
{
	for (size_t index = 0; index < subject->network->cell_count; index++) {
		const struct sluice__cell *cell = &subject->network->cells[index];
		size_t place = cell->h_state * batch;
		sluice_status status = sluice_state_read(subject->plan, state, batch, cell->layer, cell->direction,
							 h + place, c + place);

		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

/* What both kinds of run have in common. */
static sluice_run run_of(struct sluice__subject *subject, const struct sluice__oracle_run_f32 *run)
{
	sluice_run call = SLUICE_RUN_INIT;

	call.batch = run->batch;
	call.x = subject->x;
	call.y = subject->y;
	call.initial_state = run->h0 || run->c0 ? subject->initial : NULL;
	call.final_state = subject->final;
	call.workspace = subject->workspace;
	call.training = run->training;
	call.seed = run->seed;
	call.step_offset = run->step_offset;
	call.sequence_ids = run->sequence_ids;
	return call;
}

static sluice_status backward(struct sluice__subject *subject, const struct sluice__oracle_run_f32 *run,
			      const sluice_run *call)
{
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	sluice_status status = SLUICE_OK;

	/* The final state is read by now; its memory takes its gradient, and the forward pass's y takes dy. */
	if (run->dh || run->dc)
		status = state_write(subject, run->batch, run->dh, run->dc, subject->final);
	if (status != SLUICE_OK)
		return status;
	if (run->dy)
		reorder(subject, run->steps, run->batch, subject->network->outputs, run->dy, subject->y, 1);
	gradients.dy = run->dy ? subject->y : NULL;
	gradients.dfinal = run->dh || run->dc ? subject->final : NULL;
	gradients.dx = subject->dx;
	gradients.dparameters = subject->result.dparameters;
	gradients.dinitial = subject->final;
	status = sluice_backward(subject->plan, call, &gradients);
	if (status != SLUICE_OK)
		return status;
	reorder(subject, run->steps, run->batch, subject->network->inputs, subject->dx, subject->result.dx, 0);
	return state_read(subject, run->batch, subject->final, subject->result.dh0, subject->result.dc0);
}

sluice_status sluice__subject_run(struct sluice__subject *subject, const struct sluice__oracle_run_f32 *run,
				  int by_step, int forward_only)
{
	sluice_run call = run_of(subject, run);
	sluice_status status = state_write(subject, run->batch, run->h0, run->c0, subject->initial);

	if (status != SLUICE_OK)
		return status;
	reorder(subject, run->steps, run->batch, subject->network->inputs, run->x, subject->x, 1);
	call.steps = run->steps;
	call.tape = forward_only ? NULL : subject->tape;
	status = by_step ? sluice_step(subject->plan, &call) : sluice_forward(subject->plan, &call);
	if (status != SLUICE_OK)
		return status;
	reorder(subject, run->steps, run->batch, subject->network->outputs, subject->y, subject->result.y, 0);
	status = state_read(subject, run->batch, subject->final, subject->result.hn, subject->result.cn);
	if (status != SLUICE_OK || forward_only)
		return status;
	return backward(subject, run, &call);
}

sluice_status sluice__subject_stream(struct sluice__subject *subject, const struct sluice__oracle_run_f32 *run)
{
	const struct sluice__network *network = subject->network;
	sluice_run call = run_of(subject, run);
	sluice_status status = state_write(subject, run->batch, run->h0, run->c0, subject->initial);

	if (status != SLUICE_OK)
		return status;
	for (size_t t = 0; t < run->steps && status == SLUICE_OK; t++) {
		call.x = run->x + t * run->batch * network->inputs;
		call.y = subject->result.y + t * run->batch * network->outputs;
		call.initial_state = t ? subject->final : call.initial_state;
		call.step_offset = run->step_offset + t;
		status = sluice_step(subject->plan, &call);
	}
	if (status != SLUICE_OK)
		return status;
	return state_read(subject, run->batch, subject->final, subject->result.hn, subject->result.cn);
}
