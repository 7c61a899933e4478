/*
 * bnns_reference.h: what the LSTM calls of BNNS compute, forward and backward, written apart from everything else here
 * and judged by central differences in test_bnns.c.
 *
 * Arrays are plain C arrays of doubles in the order of the header's words, all layers and directions behind each other;
 * numbering of gates is that of the struct: input, forget, candidate, output.
 */
#ifndef SLUICE_TESTS_BNNS_REFERENCE_H
#define SLUICE_TESTS_BNNS_REFERENCE_H

#include "bnns_number.h"

enum { BNNS_INPUT, BNNS_FORGET, BNNS_CANDIDATE, BNNS_OUTPUT, BNNS_GATES };

struct bnns_problem {
	size_t steps, batch, inputs, hidden, layers, directions; /* T N I H L D */
	int concatenated;                           /* upper layers read both directions below; else each its own */
	BNNSActivation activations[BNNS_GATES + 1]; /* the last is that of the cell's output */
	BNNSDataType data;                          /* of x, y and, after every step, h */
	const size_t *batch_sizes;                  /* [T], not increasing; NULL: N throughout */
	const double *x;                            /* [T][N][I] */
	const double *h0, *c0;                      /* [L][D][N][H]; NULL: zeros */
	const double *iw[BNNS_GATES];               /* [D][H][I] of layer 0, then [D][H][width] of each further one */
	const double *hw[BNNS_GATES], *cw[BNNS_GATES]; /* [L][D][H][H]; cw may be NULL */
	const double *b[BNNS_GATES];                   /* [L][D][H]; NULL: none */
	const double *masks;                           /* [L-1][D][T][N][H] factors of dropout; NULL: none */
	double mask_error;                             /* how far the library's factors may be off, relatively */
	const double *dy;                              /* [T][N][D*H]; NULL: zeros */
	const double *dh, *dc;                         /* [L][D][N][H] of the final states; NULL: zeros */
};

/* Everything that comes out; rows of steps that a row has not are zero. */
struct bnns_results {
	struct bnns_number *y, *h, *c;      /* [T][N][D*H], [L][D][N][H] */
	struct bnns_number *dx, *dh0, *dc0; /* [T][N][I], [L][D][N][H] */
	struct bnns_number *diw[BNNS_GATES], *dhw[BNNS_GATES], *dcw[BNNS_GATES], *db[BNNS_GATES];
	void *block;
};

/* Width of what a direction of a layer reads, and where its input weights begin. */
size_t bnns_width(const struct bnns_problem *problem, size_t layer);
size_t bnns_iw_offset(const struct bnns_problem *problem, size_t layer, size_t direction);

/* Counts of the arrays. */
size_t bnns_iw_count(const struct bnns_problem *problem);
size_t bnns_hw_count(const struct bnns_problem *problem);
size_t bnns_b_count(const struct bnns_problem *problem);
size_t bnns_state_count(const struct bnns_problem *problem);
size_t bnns_x_count(const struct bnns_problem *problem);
size_t bnns_y_count(const struct bnns_problem *problem);

/* Whether row n has step t. */
int bnns_has_step(const struct bnns_problem *problem, size_t t, size_t n);

/* Computes everything; 0 without memory. */
int bnns_reference(const struct bnns_problem *problem, struct bnns_results *out);
void bnns_results_destroy(struct bnns_results *results);

#endif
