/*
 * setting.h: everything that one judgement varies: the network, the plan and the run.
 */
#ifndef SLUICE_CHECK_SETTING_H
#define SLUICE_CHECK_SETTING_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/sluice.h"

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
	const char *gate_order; /* NULL: ifgo */
};

#endif
