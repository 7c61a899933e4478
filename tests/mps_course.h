/*
 * mps_course.h: MPS's training layer on sequences: chunks of steps forward and back, their gradients judged by the
 * oracle step by step, each from the states and gradients that the library itself had there.
 */
#ifndef SLUICE_TESTS_MPS_COURSE_H
#define SLUICE_TESTS_MPS_COURSE_H

#include "mps_run.h"

enum { RNN_CHUNKS = 3, RNN_IDS = MPSRNNMatrixIdLSTMOutputGateBiasTerms + 1 };

/* What a course shall be, beyond what is drawn. */
struct rnn_course {
	struct rnn_net net; /* one layer */
	struct bnns_random random;
	struct rnn_oracle oracle;
	struct rnn_data data;
	float *dy; /* [T,N,H] */
	struct rnn_shelf x, y, dys, dx;
	MPSRNNMatrixTrainingLayer *layer;
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES];
	size_t chunks, first[RNN_CHUNKS + 1]; /* steps first[k] to first[k + 1] - 1 are chunk k */
	int whole;                            /* gradients of states go on from chunk to chunk */
	struct rnn_found found;               /* after every step */
	/* What the gradient calls gave. */
	struct rnn_states outgoing[RNN_STEPS]; /* dL/d(h, c) before step t */
	struct rnn_sums sums[RNN_CHUNKS];      /* of each chunk by itself */
	float *dx_found;                       /* [T,N,I] */
	MPSDataType gradient_type;
	int accumulates;
};

void rnn_course_create(const struct rnn_wish *wish, struct rnn_course *out);
void rnn_course_destroy(struct rnn_course *course);

/* Which part of which gate an id means: part RNN_PARTS is the bias. */
struct rnn_block {
	enum rnn_part part;
	enum rnn_gate gate;
};
struct rnn_block rnn_block_of(MPSRNNMatrixId id);
int rnn_block_there(const struct rnn_course *course, MPSRNNMatrixId id, size_t *rows, size_t *columns);
/* The place of an id's first number in the oracle's block; they follow each other. */
size_t rnn_block_place(const struct rnn_course *course, MPSRNNMatrixId id);

/* One id's numbers out of an array, or into it, through a matrix with gaps around. */
void rnn_block_copy(struct rnn_course *course, MPSMatrix *const *array, MPSRNNMatrixId id, double *numbers, int out);

/* Forward through all chunks with every state kept, judged; and again without, expecting the same bits. */
void rnn_course_forward(struct rnn_course *course);

/* Back through all chunks by calls that keep every state, judged, weights' gradients too. */
void rnn_course_judge_steps(struct rnn_course *course);

/* The same by calls of whole chunks: the same bits of dx and states, and gradients of weights as judged before. */
void rnn_course_judge_whole(struct rnn_course *course);

#endif
