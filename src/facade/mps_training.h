/*
 * mps_training.h: what the files of MPS's training layer share.
 *
 * A network is what a layer and its copies train; a runner is a model of it with a plan and memory, for one call
 * at a time, since each call brings its weights along. What a forward call leaves for its gradients is a record, which
 * the training states of its steps hold together.
 */
#ifndef SLUICE_FACADE_MPS_TRAINING_H
#define SLUICE_FACADE_MPS_TRAINING_H

#include "mps_internal.h"

/* The tensors that train, in the order of their matrices. */
enum tensor { TENSOR_INPUT, TENSOR_RECURRENT, TENSOR_BIAS, TENSOR_MEMORY, TENSORS };

/* Where one lies in the core's block; four gates of `rows` rows each. */
struct tensor_place {
	int there;
	size_t offset, rows, columns;
};

struct runner {
	struct runner *next;
	size_t steps, batch;
	sluice_context *context; /* the network's */
	sluice_model *model;
	sluice_plan *plan, *step_plan; /* the second for single steps; made when it is wanted */
	int loaded;                    /* the plans have the weights in BUFFER_LOADED */
	struct memory memory;
};

struct network {
	struct object object;
	sluice_context *context;
	sluice_model *model; /* with the sources' weights; runners are made like it */
	int given[PARTS][GATES], identity;
	size_t inputs, hidden;
	int half; /* products see weights of Float16 */
	int wants_half;
	struct tensor_place places[TENSORS];
	size_t parameters;    /* of the core's block */
	pthread_mutex_t lock; /* of idle and used */
	struct runner *idle;
	int used;
};

struct MPSRNNMatrixTrainingLayer {
	struct layer layer;
	struct network *network;
#define MPS_FIELD(name, Name) int name;
	SLUICE_MPS_TRAINING_PROPERTIES(MPS_FIELD)
#undef MPS_FIELD
};

/* What a forward call keeps for its gradients. */
struct record {
	struct object object;
	struct network *network;
	size_t steps, batch;
	size_t *batch_sizes;     /* [steps] */
	int falls;               /* some are below batch */
	struct recurrent *start; /* a copy of what it started from; NULL: zeros */
	int written;             /* the forward call was done */
	void *tape;
	size_t tape_bytes;
};

struct MPSRNNMatrixTrainingState {
	struct object object;
	struct record *record;
	size_t step;
	int temporary;
	size_t readCount;
};

/* --- mps_training.c --- */

/* A record with room for a tape; and one step of it. */
sluice_status sluice__mps_record(struct network *network, size_t steps, size_t tape_bytes, struct record **out);
MPSRNNMatrixTrainingState *sluice__mps_training_state(struct record *record, size_t step, int temporary);

/* --- mps_training_network.c --- */

sluice_status sluice__mps_network(const MPSRNNDescriptor *descriptor, struct network **out);
sluice_status sluice__mps_network_threads(struct network *network, int threads);
/* A model like that of the network. */
sluice_status sluice__mps_network_model(const struct network *network, sluice_model **out);
/* Which gates of a tensor are zero and stay so. */
int sluice__mps_tensor_absent(const struct network *network, enum tensor tensor, int gate);

/* --- mps_training_runner.c --- */

sluice_status sluice__mps_runner_take(struct network *network, size_t steps, size_t batch, struct runner **out);
void sluice__mps_runner_give(struct network *network, struct runner *runner);
void sluice__mps_runner_free(struct runner *runner);
sluice_status sluice__mps_runner_step_plan(struct runner *runner);
/* Brings weights into the plans if they differ from what these have. */
sluice_status sluice__mps_runner_load(const struct network *network, struct runner *runner, MPSMatrix *const *weights);
/* Gradients of the core's block, into matrices or added to them. */
void sluice__mps_runner_store(const struct network *network, const struct runner *runner, MPSMatrix *const *gradients,
			      int add);

/* --- mps_training_weights.c --- */

size_t sluice__mps_tensors(const struct network *network);
/* An array of weights or gradients, checked; role NONE: either. */
sluice_status sluice__mps_array_check(const struct network *network, const char *name, MPSMatrix *const *list,
				      enum role role, const MPSCommandBuffer *buffer);
/* A new one, zeroed. owner: the command buffer's number, if it is temporary. */
sluice_status sluice__mps_array_make(const struct network *network, MPSMatrix **out, enum role role, MPSDataType type,
				     uint64_t owner);

#endif
