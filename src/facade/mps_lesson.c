/* mps_lesson.c exists for what forward and gradient calls of a training layer have in common. */
#include "mps_lesson.h"

#include <stdlib.h>

void sluice__mps_lesson_free(struct lesson *lesson)
{
	for (int each = 0; each < ARRAYS; each++) {
		free(lesson->spans[each]);
		free(lesson->places[each]);
	}
	for (size_t each = 0; each < TENSORS; each++) {
		MPSMatrix_release(lesson->weights[each]);
		MPSMatrix_release(lesson->gradients[each]);
	}
	for (size_t each = 0; lesson->states && each < lesson->state_count; each++)
		sluice__object_release(lesson->states[each]);
	for (size_t each = 0; each < lesson->object_count; each++)
		sluice__object_release(lesson->objects[each]);
	sluice__object_release(lesson->record);
	sluice__object_release(lesson->start);
	sluice__object_release(lesson->course);
	free(lesson->batch_sizes);
	free(lesson->states);
	free(lesson->objects);
	free(lesson);
}

static void lesson_destroy(struct command *command)
{
	sluice__mps_lesson_free((struct lesson *)command);
}

static sluice_status request_check(const struct lesson_request *request)
{
	if (!request->layer)
		return MPS_INVALID("layer is NULL, expected a layer");
	const struct course *course = request->layer->course;
	MPS_TRY(sluice__mps_encodable(request->buffer));
	if (!request->steps || request->steps > PTRDIFF_MAX / sizeof(struct span))
		return MPS_INVALID("count is %zu, expected at least one step, and no more than there can be",
				   request->steps);
	MPS_TRY(sluice__mps_array_check(course, "weights", request->weights, ROLE_WEIGHTS, request->buffer));
	if (!request->gradients)
		return SLUICE_OK;
	return sluice__mps_array_check(course, "weightGradients", request->gradients, ROLE_GRADIENTS, request->buffer);
}

static int lists_make(const struct lesson_request *request, struct lesson *lesson)
{
	lesson->batch_sizes = sluice__object_allocate(request->steps, sizeof *lesson->batch_sizes);
	lesson->objects = sluice__object_allocate(ARRAYS * request->steps, sizeof *lesson->objects);
	int made = lesson->batch_sizes && lesson->objects;
	for (int each = 0; made && each < ARRAYS; each++) {
		lesson->spans[each] = sluice__object_allocate(request->steps, sizeof(struct span));
		lesson->places[each] = sluice__object_allocate(request->steps, sizeof(void *));
		made = lesson->spans[each] && lesson->places[each];
	}
	return made;
}

sluice_status sluice__mps_lesson_new(const struct lesson_request *request, struct lesson **out)
{
	MPS_TRY(request_check(request));
	struct course *course = request->layer->course;
	struct lesson *lesson = sluice__object_allocate(1, sizeof *lesson);
	if (!lesson)
		return SLUICE_OUT_OF_MEMORY;
	lesson->command.destroy = lesson_destroy;
	lesson->course = sluice__object_retain(course);
	lesson->steps = request->steps;
	lesson->all_states = request->layer->storeAllIntermediateStates;
	lesson->adds = request->layer->accumulateWeightGradients;
	lesson->wants_gradients = request->gradients != NULL;
	for (size_t each = 0; each < sluice__mps_tensors(course); each++) {
		lesson->weights[each] = MPSMatrix_retain(request->weights[each]);
		if (request->gradients)
			lesson->gradients[each] = MPSMatrix_retain(request->gradients[each]);
	}
	if (!lists_make(request, lesson)) {
		sluice__mps_lesson_free(lesson);
		return SLUICE_OUT_OF_MEMORY;
	}
	*out = lesson;
	return SLUICE_OK;
}

sluice_status sluice__mps_lesson_array(const struct lesson_request *request, struct lesson *lesson, int which,
				       size_t columns, const size_t *rows)
{
	struct matrices matrices = request->arrays[which];
	matrices.count = lesson->steps;
	matrices.columns = columns;
	matrices.rows = rows;
	MPS_TRY(sluice__mps_matrices_read(&matrices, lesson->spans[which]));
	lesson->direct[which] = sluice__mps_spans_direct(lesson->spans[which], lesson->steps);
	for (size_t step = 0; step < lesson->steps; step++)
		lesson->objects[lesson->object_count++] = sluice__object_retain(matrices.list[step]);
	return SLUICE_OK;
}

sluice_status sluice__mps_lesson_states(const struct lesson_request *request, struct lesson *lesson,
					enum meaning meaning)
{
	const struct recurrent_shape shape = {.layers = 1, .channels = &lesson->course->hidden, .rows = lesson->batch};
	const size_t count = lesson->all_states ? lesson->steps : 1;
	if (!request->states)
		return SLUICE_OK;
	lesson->states = sluice__object_allocate(count, sizeof(struct recurrent *));
	if (!lesson->states)
		return SLUICE_OUT_OF_MEMORY;
	lesson->state_count = count;
	for (size_t each = 0; each < count; each++) {
		lesson->states[each] =
			sluice__mps_recurrent(&shape, meaning, request->layer->recurrentOutputIsTemporary);
		if (!lesson->states[each])
			return SLUICE_OUT_OF_MEMORY;
	}
	return SLUICE_OK;
}

void sluice__mps_lesson_encode(const struct lesson_request *request, struct lesson *lesson,
			       sluice_status (*run)(struct command *command))
{
	lesson->start = sluice__object_retain(request->start);
	sluice__mps_recurrent_read(request->start);
	for (size_t each = 0; each < lesson->state_count; each++)
		request->states[each] = sluice__object_retain(lesson->states[each]);
	lesson->command.run = run;
	sluice__mps_encode(request->buffer, &lesson->command);
}

const size_t *sluice__mps_lesson_rows(const struct lesson *lesson)
{
	return lesson->falls ? lesson->batch_sizes : NULL;
}

struct sequence sluice__mps_lesson_sequence(const struct lesson *lesson, int which)
{
	return (struct sequence){
		.spans = lesson->spans[which],
		.steps = lesson->steps,
		.batch = lesson->batch,
		.width = which == ARRAY_Y ? lesson->course->hidden : lesson->course->inputs,
		.batch_sizes = sluice__mps_lesson_rows(lesson),
	};
}
