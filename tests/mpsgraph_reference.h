/*
 * mpsgraph_reference.h: what MPSGraph's LSTM and LSTMGradients compute, written apart from everything else here, with
 * the bound of f32 arithmetic beside each number (bnns_number.h); test_mpsgraph_reference.c holds it against the
 * oracle.
 *
 * Arrays are plain C arrays of doubles in the shapes of Apple's documentation. D is 1 or 2; reverse is for D = 1 only.
 * Gates count in Apple's order: input, forget, candidate z, output; where they lie on an axis of 4H is gate_place.
 */
#ifndef SLUICE_TESTS_MPSGRAPH_REFERENCE_H
#define SLUICE_TESTS_MPSGRAPH_REFERENCE_H

#include "bnns_number.h"

enum { MPS_INPUT, MPS_FORGET, MPS_CANDIDATE, MPS_OUTPUT, MPS_GATES };

struct mps_problem {
	size_t steps, batch, inputs, hidden, directions; /* T N I H D */
	int reverse, forget_last, peephole_current;
	BNNSActivation activations[MPS_GATES + 1]; /* the last is that of the cell's output */
	BNNSDataType type;                         /* of every tensor */
	const double *x;                           /* [T,N,I], without W [T,N,D*4H] */
	const double *R, *W, *b;                   /* [D,4H,H], [D*4H,I], [D*4H]; W and b may be NULL */
	const double *p, *h0, *c0;                 /* [D,4H], [N,D*H], [N,D*H]; NULL: zeros */
	const double *mask;                        /* [T,N,D*H]; NULL: ones */
	const double *dy, *dh, *dc;                /* [T,N,D*H], [N,D*H], [N,D*H]; NULL: zeros */
};

/* Everything that comes out, in the shapes of what it belongs to. */
struct mps_results {
	struct bnns_number *h, *c, *z;
	struct bnns_number *dx, *dR, *dW, *db, *dp, *dh0, *dc0;
	void *block;
};

/* Width of a step of x, and counts of the arrays. */
size_t mps_width(const struct mps_problem *problem);
size_t mps_x_count(const struct mps_problem *problem);
size_t mps_h_count(const struct mps_problem *problem);
size_t mps_state_count(const struct mps_problem *problem);
size_t mps_R_count(const struct mps_problem *problem);
size_t mps_W_count(const struct mps_problem *problem);
size_t mps_b_count(const struct mps_problem *problem);

/* Which block of an axis of 4H a gate has. */
size_t mps_gate_place(const struct mps_problem *problem, size_t gate);

/* Zeroed memory for all results; 0 without. */
int mps_results_create(const struct mps_problem *problem, struct mps_results *out);
void mps_results_destroy(struct mps_results *results);

/* h, c and z as f32 arithmetic has them before they are stored in a type of 16 bits, except h, which is stored after
 * every step. */
void mps_reference_forward(const struct mps_problem *problem, struct mps_results *out);

/* The gradients, starting from any z [T,N,D*4H] and c [T,N,D*H]. 0 without memory. */
int mps_reference_backward(const struct mps_problem *problem, const struct bnns_number *z, const struct bnns_number *c,
			   struct mps_results *out);

#endif
