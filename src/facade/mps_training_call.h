/*
 * mps_training_call.h: one call of a training layer, forward or back, between its encode and its commit.
 */
#ifndef SLUICE_FACADE_MPS_TRAINING_CALL_H
#define SLUICE_FACADE_MPS_TRAINING_CALL_H

#include "mps_training.h"

/* The arrays of a call: x; y, or the gradients of y; the gradients of x. */
enum { ARRAY_X, ARRAY_Y, ARRAY_DX, ARRAYS };

struct training_call {
	struct command command;
	struct network *network;
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
struct training_request {
	MPSRNNMatrixTrainingLayer *layer;
	MPSCommandBuffer *buffer;
	struct matrices arrays[ARRAYS]; /* without a list: not wanted */
	size_t steps;
	MPSMatrix *const *weights, *const *gradients;
	struct recurrent *start, **states;
};

/* mps_training_call.c: a call with everything that forward and gradient calls have in common, but for its spans. */
sluice_status sluice__mps_training_call_new(const struct training_request *request, struct training_call **out);
void sluice__mps_training_call_free(struct training_call *call);
/* Reads one array; rows NULL: those of the matrices. */
sluice_status sluice__mps_training_call_array(const struct training_request *request, struct training_call *call,
					      int which, size_t columns, const size_t *rows);
/* The batch is known: states are made. */
sluice_status sluice__mps_training_call_states(const struct training_request *request, struct training_call *call,
					       enum meaning meaning);
/* Everything is checked: adds it to the buffer and hands the states over. */
void sluice__mps_training_call_encode(const struct training_request *request, struct training_call *call,
				      sluice_status (*run)(struct command *command));
/* Whether rows were said to be absent somewhere, for a run. */
const size_t *sluice__mps_training_call_rows(const struct training_call *call);
struct sequence sluice__mps_training_call_sequence(const struct training_call *call, int which);

/* mps_training_gradient.c, mps_training_gradient_steps.c: backward in one call of the core, or step by step with the
 * state of each. */
sluice_status sluice__mps_gradient_steps(const struct training_call *call, struct runner *runner);

#endif
