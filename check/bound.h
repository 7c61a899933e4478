/*
 * bound.h: how far an f32 implementation may be from the oracle after one step, computed from the arithmetic.
 *
 * docs/NUMERICS.md derives the bounds. They hold for one step (T = 1) whose inputs, states and parameters are exact,
 * through all layers of a network, forward and backward; nothing in them is measured or tuned.
 */
#ifndef SLUICE_CHECK_BOUND_H
#define SLUICE_CHECK_BOUND_H

#include "network.h"
#include "oracle.h"
#include "sluice/sluice.h"

/* What a plan stores in which type, what its backward pass starts from, and whether it may convolve by tiles: auto and
 * on are the same to the bounds. */
struct sluice__bound_storage {
	sluice_dtype weights, data, tape;
	sluice_tape_mode tape_mode;
	sluice_choice winograd;
};

/* Largest allowed absolute error of every result. States are laid out as the oracle's; h, c and gates as sluice_run
 * has them, with the gates in the order i f g o. */
struct sluice__bound {
	double *y, *y_reverse; /* [N,outputs]; y_reverse is NULL unless the last layer is separate */
	double *hn, *cn;
	double *h, *c, *gates;                /* [N,S], [N,C], [N,4C] */
	double *dx, *dparameters, *dh0, *dc0; /* zeros when no gradients were given */
	void *block;
};

/* Bounds of a one-step run, from its trace and, unless NULL, its gradients. The run does not round h (h_type): that
 * rounding is part of the bound. Errors: INVALID_ARGUMENT (steps other than 1), OUT_OF_MEMORY. */
sluice_status sluice__bound_create(const struct sluice__network *network, const struct sluice__oracle_run_f64 *run,
				   const struct sluice__oracle_trace_f64 *trace,
				   const struct sluice__oracle_gradients_f64 *gradients,
				   const struct sluice__bound_storage *storage, struct sluice__bound *out);
/* How many times the bound of a pre-activation's products may grow where they are convolved by tiles and their numbers
 * are of one size; 1 if nothing is. */
double sluice__bound_looser(const struct sluice__network *network, const struct sluice__bound_storage *storage);

void sluice__bound_destroy(struct sluice__bound *bound);

#endif
