/*
 * mpsgraph_spec.h: problems for MPSGraph's LSTM drawn from a seed, with all their arrays, already rounded to the type
 * of the tensors, so that whoever computes with them starts from the same numbers.
 */
#ifndef SLUICE_TESTS_MPSGRAPH_SPEC_H
#define SLUICE_TESTS_MPSGRAPH_SPEC_H

#include <stdint.h>

#include "mpsgraph_reference.h"

/* The shapes that a mask is given in. */
enum mps_mask {
	MPS_MASK_NONE,
	MPS_MASK_UNIT,     /* [DH] */
	MPS_MASK_UNIT_1,   /* [1,DH] */
	MPS_MASK_SEQUENCE, /* [N,DH] */
	MPS_MASK_SEQUENCE_1,
	MPS_MASK_STEP, /* [T,N,DH] */
	MPS_MASKS
};

/* Everything that a case can be given or left without. */
enum mps_slot { MPS_X, MPS_R, MPS_W, MPS_B, MPS_P, MPS_H0, MPS_C0, MPS_MASK, MPS_DY, MPS_DH, MPS_DC, MPS_SLOTS };

struct mps_spec {
	uint64_t seed;
	size_t steps, batch, inputs, hidden, directions;
	int reverse, forget_last, peephole_current;
	BNNSDataType type;
	BNNSActivation activations[MPS_GATES + 1];
	enum mps_mask mask;
	int present[MPS_SLOTS]; /* x and R always are */
	int states_of_rank_3;   /* initial states and their gradients are [1,N,DH] */
};

/* A spec with its numbers. Not movable: the problem points into the values. */
struct mps_data {
	struct mps_spec spec;
	struct mps_problem problem;
	double *values[MPS_SLOTS]; /* NULL where absent; the mask as it is given */
	size_t counts[MPS_SLOTS];
	double *whole_mask; /* [T,N,DH] */
};

void mps_spec_draw(uint64_t seed, struct mps_spec *out);

/* Dies by a failed test without memory. */
void mps_data_create(const struct mps_spec *spec, struct mps_data *out);
void mps_data_destroy(struct mps_data *data);

#endif
