/* mps_forward.c exists for the forward calls of a training layer. */
#include "mps_lesson.h"

#include <stdlib.h>
#include <string.h>

static sluice_status bench_run(const struct lesson *lesson, struct bench *bench)
{
	const struct course *course = lesson->course;
	const struct pass pass = {
		.plan = bench->plan,
		.context = bench->context,
		.steps = lesson->steps,
		.batch = lesson->batch,
		.x_width = course->inputs,
		.y_width = course->hidden,
		.state_width = course->hidden,
		.x = lesson->spans[ARRAY_X],
		.y = lesson->spans[ARRAY_Y],
		.x_direct = lesson->direct[ARRAY_X],
		.y_direct = lesson->direct[ARRAY_Y] && !lesson->falls,
		.batch_sizes = sluice__mps_lesson_rows(lesson),
		.x_steps = (const void **)lesson->places[ARRAY_X],
		.y_steps = lesson->places[ARRAY_Y],
		.start = lesson->start,
		.sequences = lesson->state_count && lesson->all_states,
		.final = lesson->state_count && !lesson->all_states,
		.tape = lesson->record ? lesson->record->tape : NULL,
	};
	MPS_TRY(sluice__mps_bench_load(course, bench, lesson->weights));
	MPS_TRY(sluice__mps_pass_run(&pass, &bench->memory));
	sluice__mps_pass_store(&pass, &bench->memory);
	if (pass.final)
		MPS_TRY(sluice__mps_recurrent_take(lesson->states[0], bench->plan, bench->memory.at[BUFFER_STATE]));
	if (pass.sequences)
		sluice__mps_recurrent_unroll(lesson->states, lesson->steps, pass.batch_sizes, lesson->start,
					     bench->memory.at[BUFFER_H], bench->memory.at[BUFFER_C]);
	return SLUICE_OK;
}

static sluice_status forward_run(struct command *command)
{
	const struct lesson *lesson = (const struct lesson *)command;
	struct bench *bench;
	MPS_TRY(sluice__mps_bench_take(lesson->course, lesson->steps, lesson->batch, &bench));
	const sluice_status status = bench_run(lesson, bench);
	sluice__mps_bench_give(lesson->course, bench);
	if (lesson->record)
		lesson->record->written = status == SLUICE_OK;
	return status;
}

static sluice_status arrays_read(const struct lesson_request *request, struct lesson *lesson)
{
	const struct course *course = lesson->course;
	MPS_TRY(sluice__mps_lesson_array(request, lesson, ARRAY_X, course->inputs, NULL));
	MPS_TRY(sluice__mps_rows_read(request->arrays[ARRAY_X].name, lesson->spans[ARRAY_X], lesson->steps,
				      lesson->batch_sizes));
	MPS_TRY(sluice__mps_lesson_array(request, lesson, ARRAY_Y, course->hidden, lesson->batch_sizes));
	const struct recurrent_shape shape = {.layers = 1, .channels = &course->hidden, .rows = lesson->batch_sizes[0]};
	MPS_TRY(sluice__mps_recurrent_check(request->start, &shape, MEANING_STATE));
	lesson->batch = request->start ? request->start->rows : lesson->batch_sizes[0];
	lesson->falls = lesson->batch_sizes[lesson->steps - 1] < lesson->batch;
	return sluice__mps_spans_apart("destinationMatrices", lesson->spans[ARRAY_X], lesson->steps,
				       lesson->spans[ARRAY_Y], lesson->steps);
}

/* A bench for the call, now: what it needs is there when it is committed. And the size of its tape. */
static sluice_status bench_prepare(const struct lesson *lesson, size_t *tape_bytes)
{
	struct bench *bench;
	MPS_TRY(sluice__mps_bench_take(lesson->course, lesson->steps, lesson->batch, &bench));
	*tape_bytes = sluice_plan_tape_size(bench->plan, lesson->steps);
	sluice__mps_bench_give(lesson->course, bench);
	return SLUICE_OK;
}

static sluice_status record_make(const struct lesson_request *request, struct lesson *lesson, size_t tape_bytes)
{
	MPS_TRY(sluice__mps_record(lesson->course, lesson->steps, tape_bytes, &lesson->record));
	struct record *record = lesson->record;
	memcpy(record->batch_sizes, lesson->batch_sizes, lesson->steps * sizeof *record->batch_sizes);
	record->batch = lesson->batch;
	record->falls = lesson->falls;
	record->start = sluice__object_retain(request->start);
	return SLUICE_OK;
}

static void training_states_release(MPSRNNMatrixTrainingState **states, size_t count)
{
	while (count)
		MPSRNNMatrixTrainingState_release(states[--count]);
	free(states);
}

/* All of them, or none: the caller's array is not touched before. */
static sluice_status training_states_make(const struct lesson_request *request, const struct lesson *lesson,
					  MPSRNNMatrixTrainingState **out)
{
	const int temporary = request->layer->trainingStateIsTemporary;
	MPSRNNMatrixTrainingState **states = sluice__object_allocate(lesson->steps, sizeof *states);
	if (!states)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t step = 0; step < lesson->steps; step++) {
		states[step] = sluice__mps_training_state(lesson->record, step, temporary);
		if (!states[step]) {
			training_states_release(states, step);
			return SLUICE_OUT_OF_MEMORY;
		}
	}
	memcpy(out, states, lesson->steps * sizeof *states);
	free(states);
	return SLUICE_OK;
}

static sluice_status forward_make(const struct lesson_request *request, struct lesson *lesson,
				  MPSRNNMatrixTrainingState **training_states)
{
	size_t tape_bytes;
	MPS_TRY(arrays_read(request, lesson));
	MPS_TRY(bench_prepare(lesson, &tape_bytes));
	MPS_TRY(sluice__mps_lesson_states(request, lesson, MEANING_STATE));
	if (!training_states)
		return SLUICE_OK;
	MPS_TRY(record_make(request, lesson, tape_bytes));
	return training_states_make(request, lesson, training_states);
}

static int encode(const struct lesson_request *request, MPSRNNMatrixTrainingState **training_states)
{
	struct lesson *lesson;
	MPS_TRY(sluice__mps_lesson_new(request, &lesson));
	const sluice_status status = forward_make(request, lesson, training_states);
	if (status == SLUICE_OK)
		sluice__mps_lesson_encode(request, lesson, forward_run);
	else
		sluice__mps_lesson_free(lesson);
	return status;
}

int MPSRNNMatrixTrainingLayer_encodeForwardSequence(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *sourceMatrices,
	const size_t *sourceOffsets, MPSMatrix *const *destinationMatrices, const size_t *destinationOffsets,
	size_t count, MPSRNNMatrixTrainingState **trainingStates, MPSRNNRecurrentMatrixState *recurrentInputState,
	MPSRNNRecurrentMatrixState **recurrentOutputStates, MPSMatrix *const *weights)
{
	const struct lesson_request request = {
		.layer = layer,
		.buffer = commandBuffer,
		.arrays = {[ARRAY_X] = {.name = "sourceMatrices", .list = sourceMatrices, .offsets = sourceOffsets},
			   [ARRAY_Y] = {.name = "destinationMatrices",
					.list = destinationMatrices,
					.offsets = destinationOffsets}},
		.steps = count,
		.weights = weights,
		.start = (struct recurrent *)recurrentInputState,
		.states = (struct recurrent **)recurrentOutputStates,
	};
	return encode(&request, trainingStates);
}

int SLUICE_MPS_JOIN(MPSRNNMatrixTrainingLayer_encodeForwardSequenceToCommandBuffer_,
		    sourceMatrices_destinationMatrices_trainingStates_weights)(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *sourceMatrices,
	MPSMatrix *const *destinationMatrices, size_t count, MPSRNNMatrixTrainingState **trainingStates,
	MPSMatrix *const *weights)
{
	return MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, commandBuffer, sourceMatrices, NULL,
							       destinationMatrices, NULL, count, trainingStates, NULL,
							       NULL, weights);
}
