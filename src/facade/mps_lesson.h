/*
 * mps_lesson.h: one call of a training layer, forward or back, between its encode and its commit.
 */
#ifndef SLUICE_FACADE_MPS_LESSON_H
#define SLUICE_FACADE_MPS_LESSON_H

#include "mps_training.h"

/* The arrays of a call: x; y, or the gradients of y; the gradients of x. */
enum { ARRAY_X, ARRAY_Y, ARRAY_DX, ARRAYS };

struct lesson {
	struct command command;
	struct course *course;
	size_t steps, batch;
	size_t *batch_sizes; /* [steps] */
	int falls;           /* some are below batch */
	struct span *spans[ARRAYS];
	int direct[ARRAYS];
	void **places[ARRAYS]; /* [steps] room for pointers */
	MPSMatrix *weights[TENSORS], *gradients[TENSORS];
	int wants_gradients, adds, wants_dx;
	struct recurrent *start;   /* what a forward call starts from, or the gradients that come in; NULL: zeros */
	struct recurrent **states; /* [state_count] that are handed over */
	size_t state_count;
	int all_states;
	struct record *record; /* NULL: a forward call without gradients */
	void **objects;
	size_t object_count;
};

/* What an encode is given. */
struct lesson_request {
	MPSRNNMatrixTrainingLayer *layer;
	MPSCommandBuffer *buffer;
	struct matrices arrays[ARRAYS]; /* without a list: not wanted */
	size_t steps;
	MPSMatrix *const *weights, *const *gradients;
	struct recurrent *start, **states;
};

/* mps_lesson.c: a lesson with everything that forward and gradient calls have in common, but for its spans. */
sluice_status sluice__mps_lesson_new(const struct lesson_request *request, struct lesson **out);
void sluice__mps_lesson_free(struct lesson *lesson);
/* Reads one array; rows NULL: those of the matrices. */
sluice_status sluice__mps_lesson_array(const struct lesson_request *request, struct lesson *lesson, int which,
				       size_t columns, const size_t *rows);
/* The batch is known: states are made. */
sluice_status sluice__mps_lesson_states(const struct lesson_request *request, struct lesson *lesson,
					enum meaning meaning);
/* Everything is checked: adds it to the buffer and hands the states over. */
void sluice__mps_lesson_encode(const struct lesson_request *request, struct lesson *lesson,
			       sluice_status (*run)(struct command *command));
/* Whether rows were said to be absent somewhere, for a run. */
const size_t *sluice__mps_lesson_rows(const struct lesson *lesson);
struct sequence sluice__mps_lesson_sequence(const struct lesson *lesson, int which);

/* mps_gradient.c, mps_gradient_steps.c: backward in one call of the core, or step by step with the state of each. */
sluice_status sluice__mps_gradient_steps(const struct lesson *lesson, struct bench *bench);

#endif
