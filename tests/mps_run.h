/*
 * mps_run.h: sequences for stacks of MPS's LSTM, and the plain way to run them: matrices of Float32 without gaps, one
 * call, all states taken and each step judged. Tests run them in other ways and expect the same bits.
 */
#ifndef SLUICE_TESTS_MPS_RUN_H
#define SLUICE_TESTS_MPS_RUN_H

#include "mps_judge.h"
#include "mps_shelf.h"

struct rnn_data {
	size_t steps, batch, width;
	size_t rows[RNN_STEPS];
	size_t height, image_width; /* 0: matrices; else `width` is channels, and a row all of an image */
	float *x;                   /* [T,N,row] */
	struct rnn_states start;    /* h NULL: zeros; of all N rows */
};

/* What a run gave: after every step, of all N rows. */
struct rnn_found {
	struct rnn_states states[RNN_STEPS];
};

/* Data for a chain, whose x takes what the matrices hold if there are any. The start is drawn, or not. */
void rnn_data_draw(struct bnns_random *random, const struct rnn_oracle *oracle, int starts, struct rnn_data *out);
void rnn_data_destroy(struct rnn_data *data);
const float *rnn_data_x(const struct rnn_data *data, size_t t, size_t n, size_t row);

/* The first rows of states of N rows. */
void rnn_states_cut(const struct rnn_oracle *oracle, const struct rnn_states *from, size_t batch, size_t rows,
		    struct rnn_states *out);

/* Between a state of a layer and floats. */
void rnn_state_write(const struct rnn_oracle *oracle, const struct rnn_states *from, size_t rows,
		     MPSRNNRecurrentMatrixState *state);
void rnn_state_read(const struct rnn_oracle *oracle, const MPSRNNRecurrentMatrixState *state, size_t rows,
		    struct rnn_states *out);
/* Fails the test unless a state has these bits. */
void rnn_state_expect(const struct rnn_oracle *oracle, const struct rnn_states *expected, size_t rows, uint64_t seed,
		      const char *what, const MPSRNNRecurrentMatrixState *state);

/* The last layer's h of a row. */
const float *rnn_output(const struct rnn_oracle *oracle, const struct rnn_states *states, size_t batch, size_t n);

/* A layer of a chain's descriptors. */
MPSRNNMatrixInferenceLayer *rnn_matrix_layer(const struct rnn_chain *chain);

void rnn_commit(MPSCommandBuffer *buffer);

/* Runs and judges; every step's states in found, which is the caller's to destroy. */
void rnn_run_plain(MPSRNNMatrixInferenceLayer *layer, const struct rnn_oracle *oracle, const struct rnn_data *data,
		   uint64_t seed, struct rnn_found *found);
/* Judges steps that were found, and that rows without a step are as they were. */
void rnn_judge_found(const struct rnn_oracle *oracle, const struct rnn_data *data, uint64_t seed,
		     const struct rnn_found *found);
void rnn_found_destroy(struct rnn_found *found);

#endif
