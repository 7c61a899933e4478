/*
 * subject.h: a network inside the library, driven with the oracle's arrays, so that both compute from the same numbers.
 */
#ifndef SLUICE_CHECK_SUBJECT_H
#define SLUICE_CHECK_SUBJECT_H

#include <stddef.h>
#include <stdint.h>

#include "arrays.h"
#include "network.h"
#include "oracle.h"
#include "setting.h"
#include "sluice/sluice.h"

struct sluice__subject_options {
	const char *isa;
	int threads;
	sluice_layout layout;
	int training;
	int two_biases;      /* the bias is given as two halves, and all else beside it, by sluice_model_set_weights,
				kernels in PyTorch's order */
	size_t steps, batch; /* of the plan */
	sluice_dtype weights, data, tape;
	sluice_tape_mode tape_mode;
	sluice_choice winograd;
	const char *gate_order;               /* NULL: ifgo */
	enum sluice__setting_lengths lengths; /* how the lengths of a run that has some are given */
	int pointers, slots;                  /* as in a setting */
};

/* What the library computed, time-major, gates in the order i f g o, and states as the oracle has them. Valid until the
 * next run. */
struct sluice__subject_result {
	double *y, *y_reverse, *hn, *cn;
	double *h, *c, *gates; /* [T,N,S], [T,N,C], [T,N,4C] */
	double *dx, *dparameters, *dh0, *dc0;
	/* Of the last run: numbers other than zero where rows have no step, and bytes written to gaps or to rows of
	 * states that are not the run's. */
	size_t stray;
};

struct sluice__subject {
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	const struct sluice__network *network;
	struct sluice__subject_options options;
	struct sluice__subject_result result;
	/* In the plan's types, layout and gate order. y and y_reverse take dy and dy_reverse, too. */
	struct sluice__array x, y, y_reverse, dx, mask, h, c, gates, dh, dc;
	void *dparameters, *cells;
	void *rows;            /* a state of the run's rows alone */
	void *initial, *final; /* states whose rows are slots */
	void *workspace, *tape;
	uint8_t *resets, *holds;
	size_t *lengths, *batch_sizes, *packed, *slots;
	size_t *x_columns, *gate_columns; /* where the plan has a column of x, of the gates */
	void *block;
};

/* Makes context, model with these parameters (the canonical block) and plan. Errors: those of the library. */
sluice_status sluice__subject_create(const sluice_description *description, const struct sluice__network *network,
				     const double *parameters, const struct sluice__subject_options *options,
				     struct sluice__subject *out);
void sluice__subject_destroy(struct sluice__subject *subject);

/* The type of states and of parameters' gradients. */
sluice_dtype sluice__subject_state_type(const struct sluice__subject *subject);

/* Rows of the states that runs work on: with slots more than the batch. */
size_t sluice__subject_slots(const struct sluice__subject *subject);

/* The function that runs forward. sluice_step takes runs of one step. */
enum sluice__subject_call { SLUICE__BY_FORWARD, SLUICE__BY_STEP, SLUICE__BY_BLOCK };

/* Runs forward, and sluice_backward unless `forward_only`. */
sluice_status sluice__subject_run(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run,
				  enum sluice__subject_call by, int forward_only);

/* Runs the whole sequence by sluice_step, carrying the state, into result.y, hn, cn and stray. */
sluice_status sluice__subject_stream(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run);

#endif
