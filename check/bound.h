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

/* Largest allowed absolute error of every result, laid out as the oracle's. */
struct sluice__bound {
	double *y, *hn, *cn;                  /* y [N,outputs], states as the trace's */
	double *dx, *dparameters, *dh0, *dc0; /* zeros when no gradients were given */
	void *block;
};

/* Bounds of a one-step run, from its trace and, unless NULL, its gradients. Errors: INVALID_ARGUMENT (steps other than
 * 1), OUT_OF_MEMORY. */
sluice_status sluice__bound_create(const struct sluice__network *network, const struct sluice__oracle_run_f64 *run,
				   const struct sluice__oracle_trace_f64 *trace,
				   const struct sluice__oracle_gradients_f64 *gradients, struct sluice__bound *out);
void sluice__bound_destroy(struct sluice__bound *bound);

#endif
