/*
 * mps_shelf.h: matrices of the steps of a sequence as a program of MPS's may have them, in memory every byte of which
 * is watched.
 */
#ifndef SLUICE_TESTS_MPS_SHELF_H
#define SLUICE_TESTS_MPS_SHELF_H

#include <sluice/mps.h>

#include "bnns_array.h"

enum { RNN_STEPS = 6 };

/* How the matrices of one array lie. */
enum rnn_lie {
	RNN_APART,  /* each by itself, of types, gaps and places of its own */
	RNN_ONE,    /* one matrix given for all steps, by offsets into its matrices */
	RNN_BESIDE, /* steps are columns of one large array */
	RNN_LIES
};

struct rnn_shelf {
	size_t steps, columns, size;
	unsigned char *bytes, *before;
	MPSMatrix *matrices[RNN_STEPS];
	size_t offsets[RNN_STEPS];
	int no_offsets; /* all are 0: NULL may be given */
	/* Where row 0 of a step is. */
	size_t at[RNN_STEPS], row_bytes[RNN_STEPS];
	BNNSDataType types[RNN_STEPS];
};

/* What is wanted. */
struct rnn_shelf_wish {
	size_t steps, columns;
	const size_t *rows; /* [steps] */
	int more_rows;      /* matrices may have rows more: of results */
	int plain;          /* Float32 without gaps */
	int halves;         /* 16 bits may occur */
	int no_offsets;     /* encodes are given none */
};

/* Full of bytes that are no numbers. */
void rnn_shelf_create(struct bnns_random *random, const struct rnn_shelf_wish *wish, struct rnn_shelf *out);
void rnn_shelf_destroy(struct rnn_shelf *shelf);
const size_t *rnn_shelf_offsets(const struct rnn_shelf *shelf);

/* A row of a step, stored as its type holds it, and back. */
void rnn_shelf_write(struct rnn_shelf *shelf, size_t step, size_t row, const float *from);
void rnn_shelf_read(const struct rnn_shelf *shelf, size_t step, size_t row, float *to);

/* Remembers all bytes; a row that is expected to change; whether all bytes are as remembered and expected. */
void rnn_shelf_remember(struct rnn_shelf *shelf);
void rnn_shelf_expect(struct rnn_shelf *shelf, size_t step, size_t row, const float *values);
int rnn_shelf_same(const struct rnn_shelf *shelf);

#endif
