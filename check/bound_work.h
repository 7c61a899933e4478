/*
 * bound_work.h: what the forward and the backward half of the bounds share.
 */
#ifndef SLUICE_CHECK_BOUND_WORK_H
#define SLUICE_CHECK_BOUND_WORK_H

#include "bound.h"
#include "number.h"

/* Errors of everything between the input and y, as somebody sees it. */
struct bound_view {
	double **inputs;      /* [layer_count + 1] what layer l reads [N,width] */
	double **a, **gates;  /* [cell_count] [N,4H] */
	double **p, **e, **q; /* [cell_count] [N,H] */
	double **pq, **h;     /* [cell_count] [N,out]: the projection before its clip, and h */
};

/* What the bounds are computed from and into. */
struct bound_work {
	const struct sluice__network *network;
	const struct sluice__oracle_run_f64 *run;
	const struct sluice__oracle_trace_f64 *trace;
	const struct sluice__oracle_gradients_f64 *gradients;
	struct sluice__bound_storage storage;
	struct sluice__bound *bound;
	struct bound_view now;    /* the forward pass */
	struct bound_view later;  /* what of it the backward pass gets to see, through tape or computing it again */
	double **dinputs;         /* [layer_count + 1] bounds of the gradient of what layer l reads */
	struct number **R;        /* [cell_count] recurrent weights [4H,out] with DropConnect, zero where absent */
	struct sum *sums;         /* [parameter_count] gradients of parameters, summed over rows */
	struct number *scratch;   /* 10 H + 3 out + inputs of any cell */
	struct sum *scratch_sums; /* inputs + out of any cell */
	void *block;
};

/* An activation of a cell, a gate's or that of the cell output, at an argument which is clipped first (0: it is not).
 */
struct number sluice__bound_activation(const struct bound_work *work, const struct sluice__cell *cell, int which,
				       size_t unit, struct number argument, double limit);

/* Its slope there, from the argument or from the value that is given, whichever an implementation takes. */
struct number sluice__bound_slope(const struct bound_work *work, const struct sluice__cell *cell, int which,
				  size_t unit, struct number argument, double limit, struct number value);

/* A row's h' and c' at one unit, which are the start where the row begins anew, and its recurrent input m h'. */
double sluice__bound_h_before(const struct bound_work *work, const struct sluice__cell *cell, size_t n, size_t k);
double sluice__bound_cell_before(const struct bound_work *work, const struct sluice__cell *cell, size_t n, size_t k);
struct number sluice__bound_recurrent(const struct bound_work *work, const struct sluice__cell *cell, size_t n,
				      size_t k);

void sluice__bound_forward(struct bound_work *work);
void sluice__bound_backward(struct bound_work *work);

#endif
