/*
 * mps_job.h: one call, or a forward and a gradient call, of each kind of MPS's layers, for tests that do it often and
 * compare all that it puts out.
 */
#ifndef SLUICE_TESTS_MPS_JOB_H
#define SLUICE_TESTS_MPS_JOB_H

#include "mps_gallery.h"

enum rnn_kind {
	RNN_JOB_SEQUENCE,
	RNN_JOB_ALL_STATES,
	RNN_JOB_BOTH_WAYS,
	RNN_JOB_IMAGES,
	RNN_JOB_TRAINING,
	RNN_JOB_BY_STEPS,
	RNN_JOB_KINDS
};
enum {
	RNN_JOB_STEPS = 3,
	RNN_JOB_ROWS = 2,
	RNN_JOB_HEIGHT = 4,
	RNN_JOB_WIDTH = 5,
	RNN_JOB_ROOM = RNN_JOB_STEPS * RNN_JOB_ROWS * RNN_JOB_HEIGHT * RNN_JOB_WIDTH * 32
};
enum { RNN_JOB_WEIGHTS = SLUICE_MPS_WEIGHT_MATRICES };

/* One layer, which threads share. */
struct rnn_job {
	enum rnn_kind kind;
	struct rnn_net net;
	size_t inputs, outputs;
	MPSLSTMDescriptor *descriptors[RNN_LAYERS];
	const MPSRNNDescriptor *bases[RNN_LAYERS];
	void *layer;
	MPSMatrix *weights[RNN_JOB_WEIGHTS];
};

/* The data of one thread. */
struct rnn_work {
	float *x, *y, *dy, *dx;
	MPSMatrix *x_list[RNN_JOB_STEPS], *y_list[RNN_JOB_STEPS], *dy_list[RNN_JOB_STEPS], *dx_list[RNN_JOB_STEPS];
	MPSImage *image_x[RNN_JOB_STEPS], *image_y[RNN_JOB_STEPS];
	MPSMatrix *gradients[RNN_JOB_WEIGHTS];
	void *states[RNN_JOB_STEPS], *outgoing[RNN_JOB_STEPS];
	MPSRNNMatrixTrainingState *training[RNN_JOB_STEPS];
};

/* Descriptors of a drawn network, and a layer of them: not 0 without memory, and nothing to release. */
void rnn_job_net(enum rnn_kind kind, uint64_t seed, struct rnn_job *job);
int rnn_job_layer(struct rnn_job *job);

/* The layer and its weights. */
void rnn_job_release(struct rnn_job *job);

/* Both in one, or a failed test. */
void rnn_job_create(enum rnn_kind kind, uint64_t seed, struct rnn_job *job);
void rnn_job_destroy(struct rnn_job *job);
void rnn_work_create(const struct rnn_job *job, uint64_t seed, struct rnn_work *work);

/* What calls handed over; and the matrices and images. */
void rnn_work_release_states(const struct rnn_job *job, struct rnn_work *work);
void rnn_work_release_objects(struct rnn_work *work);
void rnn_work_destroy(const struct rnn_job *job, struct rnn_work *work);

/* Everything that the kind of job is; not 0 if some part of it was refused. And encode, commit and wait. */
int rnn_job_encode(struct rnn_job *job, struct rnn_work *work, MPSCommandBuffer *buffer);
void rnn_job_run(struct rnn_job *job, struct rnn_work *work);

/* All numbers that a job puts out, the caller's to free; whether they are as they were. */
float *rnn_work_results(const struct rnn_work *work);
int rnn_work_same(const struct rnn_work *work, const float *expected);
MPSCommandBuffer *rnn_buffer(void);

#endif
