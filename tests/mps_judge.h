/*
 * mps_judge.h: holds steps of MPS's LSTM against the oracle, each from the states that the library itself had before
 * it, so that the bounds are those of one step (check/bound.h) and nothing can hide in errors of many.
 */
#ifndef SLUICE_TESTS_MPS_JUDGE_H
#define SLUICE_TESTS_MPS_JUDGE_H

#include "mps_net.h"

/* h and c of all cells of a chain, as floats: cell k's [N,H] (of images [N,places,H]) begins at its state offset times
 * N, as the oracle has it. */
struct rnn_states {
	float *h, *c;
};

/* One step. Gradients are there, or all NULL. */
struct rnn_step {
	size_t rows;
	const float *x;                  /* [N, x_row] */
	struct rnn_states before, after; /* before.h NULL: zeros */
	const float *dy;                 /* [N, y_row] */
	struct rnn_states dafter,
		dbefore; /* gradients of the state after it, which come in (h NULL: zeros), and before */
	const float *dx; /* NULL: not judged */
};

/* Gradients of the oracle's parameters, added up over steps: values, how far f32 may be from them, and the magnitudes
 * that each adds up. */
struct rnn_sums {
	double *values, *errors, *terms;
	size_t roundings; /* of sums of steps */
};

/* Judgements so far: numbers, and the largest share of its bound that an error had. If it counts, numbers beyond their
 * bounds fail no test but are counted. */
struct rnn_tally {
	size_t numbers, beyond;
	double worst;
	int counts;
};
extern struct rnn_tally rnn_tally;

void rnn_states_create(const struct rnn_oracle *oracle, size_t rows, struct rnn_states *out);
void rnn_states_destroy(struct rnn_states *states);

/* Fails the test with `seed` where the step is beyond the oracle's bounds. With gradients, adds those of parameters to
 * sums. */
void rnn_judge_step(const struct rnn_oracle *oracle, const struct rnn_step *step, uint64_t seed, struct rnn_sums *sums);

/* One number, which may be off by `error`. */
void rnn_judge_number(uint64_t seed, const char *name, size_t index, double found, double expected, double error);

#endif
