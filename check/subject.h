/*
 * subject.h: a network inside the library, driven with the oracle's arrays, so that both compute from the same numbers.
 */
#ifndef SLUICE_CHECK_SUBJECT_H
#define SLUICE_CHECK_SUBJECT_H

#include <stddef.h>

#include "network.h"
#include "oracle.h"
#include "sluice/sluice.h"

struct sluice__subject_options {
	const char *isa;
	int threads;
	sluice_layout layout;
	int training;
	size_t steps, batch; /* of the plan */
};

/* What the library computed, time-major and with states as the oracle has them. Valid until the next run. */
struct sluice__subject_result {
	float *y, *hn, *cn;
	float *dx, *dparameters, *dh0, *dc0;
};

struct sluice__subject {
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	const struct sluice__network *network;
	struct sluice__subject_options options;
	struct sluice__subject_result result;
	float *x, *y, *dx; /* in the plan's layout */
	void *initial, *final, *workspace, *tape;
	void *block;
};

/* Makes context, model with these parameters (the canonical block) and plan. Errors: those of the library. */
sluice_status sluice__subject_create(const sluice_description *description, const struct sluice__network *network,
				     const float *parameters, const struct sluice__subject_options *options,
				     struct sluice__subject *out);
void sluice__subject_destroy(struct sluice__subject *subject);

/* Runs sluice_forward, or sluice_step if by_step (run->steps is then 1), and sluice_backward unless `forward_only`. */
sluice_status sluice__subject_run(struct sluice__subject *subject, const struct sluice__oracle_run_f32 *run,
				  int by_step, int forward_only);

/* Runs the whole sequence by sluice_step, carrying the state, into result.y, hn and cn. */
sluice_status sluice__subject_stream(struct sluice__subject *subject, const struct sluice__oracle_run_f32 *run);

#endif
