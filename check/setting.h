/*
 * setting.h: everything that one judgement varies: the network, the plan and the run.
 */
#ifndef SLUICE_CHECK_SETTING_H
#define SLUICE_CHECK_SETTING_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/sluice.h"

/* Which lengths the rows of a run have. */
enum sluice__setting_lengths {
	SLUICE__LENGTHS_NONE,    /* no lengths are given: all T */
	SLUICE__LENGTHS_RANDOM,  /* 0 to T in any order; 0 and T occur where there are rows enough */
	SLUICE__LENGTHS_SORTED,  /* the same, longest first */
	SLUICE__LENGTHS_BATCHES, /* the sorted ones, given as batch_sizes */
	SLUICE__LENGTHS_PACKED   /* the sorted ones, and the data packed */
};

struct sluice__setting {
	const sluice_description *description;
	size_t steps, batch;
	uint64_t seed; /* of data and run */
	float scale;   /* parameters, x and initial states are multiplied by this; 0: 1 */
	int gradients; /* whether backward is judged, too */
	int training;  /* whether the runs train */
	int mask;      /* whether the runs are given a mask, of this shape */
	sluice_mask_shape mask_shape;
	int last_only;
	int two_biases; /* whether the bias is given as two halves, by sluice_model_set_weights */
	int threads;
	sluice_layout layout;
	sluice_dtype weights, data, tape;
	sluice_tape_mode tape_mode;
	sluice_choice winograd;
	const char *gate_order; /* NULL: ifgo */
	enum sluice__setting_lengths lengths;
	sluice_padding padding;
	int resets, holds;   /* whether some steps of some rows are reset, held */
	int no_initial;      /* whether the runs are given no initial state */
	int state_gradients; /* whether backward is given gradients of h and c of every step */
	int pointers;        /* whether x, y and their gradients are given by one pointer for each step, with gaps */
	int slots;           /* whether the states are rows of larger ones, in another order */
};

#endif
