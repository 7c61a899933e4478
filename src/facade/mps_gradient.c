/* mps_gradient.c exists for the gradient calls of a training layer. */
#include "mps_lesson.h"

#include <string.h>

static sluice_status reserve(const struct lesson *lesson, struct bench *bench)
{
	const struct course *course = lesson->course;
	const size_t rows = lesson->steps * lesson->batch * sizeof(float);
	const size_t state = sluice_plan_state_size(bench->plan, lesson->batch);
	const size_t bytes[BUFFERS] = {
		[BUFFER_WORKSPACE] = sluice_plan_workspace_size(bench->plan),
		[BUFFER_STATE] = lesson->record->start ? state : 0,
		[BUFFER_STATE_GRADIENT] = lesson->start || lesson->state_count ? state : 0,
		[BUFFER_X] = lesson->direct[ARRAY_X] ? 0 : rows * course->inputs,
		[BUFFER_DY] = lesson->direct[ARRAY_Y] ? 0 : rows * course->hidden,
		[BUFFER_DX] = lesson->direct[ARRAY_DX] ? 0 : rows * course->inputs,
		[BUFFER_PARAMETERS] = lesson->wants_gradients ? course->parameters * sizeof(float) : 0,
	};
	for (int which = 0; which < BUFFERS; which++)
		MPS_TRY(sluice__mps_memory_reserve(bench->context, &bench->memory, (enum buffer)which, bytes[which]));
	return SLUICE_OK;
}

/* Pointers to the steps of an array as it lies. */
static void **steps_of(const struct lesson *lesson, int which)
{
	for (size_t step = 0; step < lesson->steps; step++)
		lesson->places[which][step] = lesson->spans[which][step].at;
	return lesson->places[which];
}

static size_t row_of(const struct lesson *lesson, int which)
{
	return lesson->spans[which][0].row_bytes / sizeof(float);
}

static void run_prepare(const struct lesson *lesson, const struct bench *bench, sluice_run *run)
{
	const struct sequence x = sluice__mps_lesson_sequence(lesson, ARRAY_X);
	*run = (sluice_run)SLUICE_RUN_INIT;
	run->steps = lesson->steps;
	run->batch = lesson->batch;
	run->workspace = bench->memory.at[BUFFER_WORKSPACE];
	run->batch_sizes = sluice__mps_lesson_rows(lesson);
	run->tape = lesson->record->tape;
	/* Backward asks whether there was an initial state; what it was is on the tape. */
	run->initial_state = lesson->record->start ? bench->memory.at[BUFFER_STATE] : NULL;
	if (lesson->direct[ARRAY_X]) {
		run->x_steps = (const void *const *)steps_of(lesson, ARRAY_X);
		run->x_row = row_of(lesson, ARRAY_X);
		return;
	}
	sluice__mps_sequence_load(&x, bench->memory.at[BUFFER_X]);
	run->x = bench->memory.at[BUFFER_X];
}

static void incoming(const struct lesson *lesson, const struct bench *bench, sluice_gradients *gradients)
{
	const struct sequence dy = sluice__mps_lesson_sequence(lesson, ARRAY_Y);
	if (lesson->direct[ARRAY_Y]) {
		gradients->dy_steps = (const void *const *)steps_of(lesson, ARRAY_Y);
		gradients->dy_row = row_of(lesson, ARRAY_Y);
		return;
	}
	sluice__mps_sequence_load(&dy, bench->memory.at[BUFFER_DY]);
	gradients->dy = bench->memory.at[BUFFER_DY];
}

static void outgoing(const struct lesson *lesson, const struct bench *bench, sluice_gradients *gradients)
{
	if (lesson->wants_gradients)
		gradients->dparameters = bench->memory.at[BUFFER_PARAMETERS];
	if (lesson->state_count)
		gradients->dinitial = bench->memory.at[BUFFER_STATE_GRADIENT];
	if (!lesson->wants_dx)
		return;
	if (lesson->direct[ARRAY_DX]) {
		gradients->dx_steps = steps_of(lesson, ARRAY_DX);
		gradients->dx_row = row_of(lesson, ARRAY_DX);
		return;
	}
	gradients->dx = bench->memory.at[BUFFER_DX];
}

/* In one call of the core. */
static sluice_status whole_run(const struct lesson *lesson, struct bench *bench)
{
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	sluice_run run;
	void *state = NULL;
	MPS_TRY(reserve(lesson, bench));
	run_prepare(lesson, bench, &run);
	incoming(lesson, bench, &gradients);
	outgoing(lesson, bench, &gradients);
	state = bench->memory.at[BUFFER_STATE_GRADIENT];
	if (lesson->start) {
		MPS_TRY(sluice__mps_recurrent_write(lesson->start, bench->plan, state));
		gradients.dfinal = state;
	}
	MPS_TRY(sluice_backward(bench->plan, &run, &gradients));
	if (gradients.dx) {
		const struct sequence dx = sluice__mps_lesson_sequence(lesson, ARRAY_DX);
		sluice__mps_sequence_store(&dx, gradients.dx);
	}
	return lesson->state_count ? sluice__mps_recurrent_take(lesson->states[0], bench->plan, state) : SLUICE_OK;
}

static int by_steps(const struct lesson *lesson)
{
	return lesson->state_count && lesson->all_states;
}

static sluice_status bench_run(const struct lesson *lesson, struct bench *bench)
{
	if (!lesson->record->written)
		return MPS_INVALID("gradients of a forward call that was not committed");
	MPS_TRY(sluice__mps_bench_load(lesson->course, bench, lesson->weights));
	MPS_TRY(by_steps(lesson) ? sluice__mps_gradient_steps(lesson, bench) : whole_run(lesson, bench));
	if (lesson->wants_gradients)
		sluice__mps_bench_store(lesson->course, bench, lesson->gradients, lesson->adds);
	return SLUICE_OK;
}

static sluice_status gradient_run(struct command *command)
{
	const struct lesson *lesson = (const struct lesson *)command;
	struct bench *bench;
	MPS_TRY(sluice__mps_bench_take(lesson->course, lesson->steps, lesson->batch, &bench));
	const sluice_status status = bench_run(lesson, bench);
	sluice__mps_bench_give(lesson->course, bench);
	return status;
}

/* --- encoding --- */

static sluice_status training_states_read(const struct lesson_request *request, struct lesson *lesson,
					  MPSRNNMatrixTrainingState *const *states)
{
	if (!states)
		return MPS_INVALID("trainingStates is NULL, expected those of a forward call");
	for (size_t step = 0; step < request->steps; step++) {
		const MPSRNNMatrixTrainingState *state = states[step];
		if (!state)
			return MPS_INVALID("trainingStates[%zu] is NULL, expected a state", step);
		if (state->record->course != lesson->course)
			return MPS_INVALID("trainingStates[%zu] is of another layer", step);
		if (state->record != states[0]->record || state->step != step)
			return MPS_INVALID("trainingStates[%zu] is of step %zu of %s forward call, expected all steps "
					   "of one call in order",
					   step, state->step, state->record == states[0]->record ? "the" : "another");
		if (state->temporary && !state->readCount)
			return MPS_INVALID("trainingStates[%zu] is temporary and its read count is 0", step);
	}
	if (states[0]->record->steps != request->steps)
		return MPS_INVALID("count is %zu, the forward call had %zu steps", request->steps,
				   states[0]->record->steps);
	lesson->record = sluice__object_retain(states[0]->record);
	return SLUICE_OK;
}

static sluice_status start_check(const struct lesson_request *request, const struct lesson *lesson)
{
	const struct recurrent_shape shape = {.layers = 1, .channels = &lesson->course->hidden, .rows = lesson->batch};
	MPS_TRY(sluice__mps_recurrent_check(request->start, &shape, MEANING_GRADIENT));
	if (request->start && request->start->rows != lesson->batch)
		return MPS_INVALID("recurrentInputState has %zu rows, expected the %zu of the forward call",
				   request->start->rows, lesson->batch);
	return SLUICE_OK;
}

static sluice_status arrays_read(const struct lesson_request *request, struct lesson *lesson)
{
	const struct course *course = lesson->course;
	const size_t *rows = lesson->batch_sizes;
	MPS_TRY(sluice__mps_lesson_array(request, lesson, ARRAY_X, course->inputs, rows));
	MPS_TRY(sluice__mps_lesson_array(request, lesson, ARRAY_Y, course->hidden, rows));
	if (!lesson->wants_dx)
		return SLUICE_OK;
	MPS_TRY(sluice__mps_lesson_array(request, lesson, ARRAY_DX, course->inputs, rows));
	/* The core would write zeros to rows that a step has not. */
	lesson->direct[ARRAY_DX] = lesson->direct[ARRAY_DX] && !lesson->falls;
	const char *name = request->arrays[ARRAY_DX].name;
	MPS_TRY(sluice__mps_spans_apart(name, lesson->spans[ARRAY_X], lesson->steps, lesson->spans[ARRAY_DX],
					lesson->steps));
	return sluice__mps_spans_apart(name, lesson->spans[ARRAY_Y], lesson->steps, lesson->spans[ARRAY_DX],
				       lesson->steps);
}

static sluice_status bench_prepare(const struct lesson *lesson)
{
	struct bench *bench;
	MPS_TRY(sluice__mps_bench_take(lesson->course, lesson->steps, lesson->batch, &bench));
	const sluice_status status = by_steps(lesson) ? sluice__mps_bench_step_plan(bench) : SLUICE_OK;
	sluice__mps_bench_give(lesson->course, bench);
	return status;
}

static sluice_status gradient_make(const struct lesson_request *request, struct lesson *lesson,
				   MPSRNNMatrixTrainingState *const *states)
{
	MPS_TRY(training_states_read(request, lesson, states));
	lesson->batch = lesson->record->batch;
	lesson->falls = lesson->record->falls;
	lesson->wants_dx = request->arrays[ARRAY_DX].list != NULL;
	memcpy(lesson->batch_sizes, lesson->record->batch_sizes, lesson->steps * sizeof *lesson->batch_sizes);
	MPS_TRY(arrays_read(request, lesson));
	MPS_TRY(start_check(request, lesson));
	MPS_TRY(sluice__mps_lesson_states(request, lesson, MEANING_GRADIENT));
	return bench_prepare(lesson);
}

static int encode(const struct lesson_request *request, MPSRNNMatrixTrainingState *const *states)
{
	struct lesson *lesson;
	MPS_TRY(sluice__mps_lesson_new(request, &lesson));
	const sluice_status status = gradient_make(request, lesson, states);
	if (status != SLUICE_OK) {
		sluice__mps_lesson_free(lesson);
		return status;
	}
	for (size_t step = 0; step < request->steps; step++)
		states[step]->readCount -= states[step]->temporary ? 1 : 0;
	sluice__mps_lesson_encode(request, lesson, gradient_run);
	return SLUICE_OK;
}

int MPSRNNMatrixTrainingLayer_encodeGradientSequence(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *forwardSources,
	const size_t *forwardSourceOffsets, MPSMatrix *const *sourceGradients, const size_t *sourceGradientOffsets,
	MPSMatrix *const *destinationGradients, const size_t *destinationOffsets, MPSMatrix *const *weightGradients,
	size_t count, MPSRNNMatrixTrainingState *const *trainingStates, MPSRNNRecurrentMatrixState *recurrentInputState,
	MPSRNNRecurrentMatrixState **recurrentOutputStates, MPSMatrix *const *weights)
{
	const struct lesson_request request = {
		.layer = layer,
		.buffer = commandBuffer,
		.arrays = {[ARRAY_X] = {.name = "forwardSources",
					.list = forwardSources,
					.offsets = forwardSourceOffsets},
			   [ARRAY_Y] = {.name = "sourceGradients",
					.list = sourceGradients,
					.offsets = sourceGradientOffsets},
			   [ARRAY_DX] = {.name = "destinationGradients",
					 .list = destinationGradients,
					 .offsets = destinationOffsets}},
		.steps = count,
		.weights = weights,
		.gradients = weightGradients,
		.start = (struct recurrent *)recurrentInputState,
		.states = (struct recurrent **)recurrentOutputStates,
	};
	return encode(&request, trainingStates);
}

int SLUICE_MPS_JOIN3(MPSRNNMatrixTrainingLayer_encodeGradientSequenceToCommandBuffer_forwardSources_,
		     sourceGradients_destinationGradients_, weightGradients_trainingStates_weights)(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *forwardSources,
	MPSMatrix *const *sourceGradients, MPSMatrix *const *destinationGradients, MPSMatrix *const *weightGradients,
	size_t count, MPSRNNMatrixTrainingState *const *trainingStates, MPSMatrix *const *weights)
{
	return MPSRNNMatrixTrainingLayer_encodeGradientSequence(
		layer, commandBuffer, forwardSources, NULL, sourceGradients, NULL, destinationGradients, NULL,
		weightGradients, count, trainingStates, NULL, NULL, weights);
}
