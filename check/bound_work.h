/*
 * bound_work.h: what the forward and the backward half of the bounds share.
 */
#ifndef SLUICE_CHECK_BOUND_WORK_H
#define SLUICE_CHECK_BOUND_WORK_H

#include "bound.h"
#include "number.h"

/* Errors of everything between the input and y, as somebody sees it. Of images every row has all its places. */
struct bound_view {
	double **inputs;      /* [layer_count + 1] what layer l reads [N,width] */
	double **a, **gates;  /* [cell_count] [N,4H] */
	double **p, **e, **q; /* [cell_count] [N,H] */
	double **pq, **h;     /* [cell_count] [N,out]: the projection before its clip, and h */
};

/* What the products of one row of a cell see. */
struct bound_sight {
	struct number *x; /* [input_places, inputs] */
	struct number *m; /* m h' [places, out] */
	struct number *c; /* c' [places, H] */
	struct number *e; /* the new cell [places, H] */
};

/* One product of a row: its weights [4H, columns of the window], with DropConnect's factors if it has any, and what
 * they see, `stride` numbers at each place. */
struct bound_product {
	const struct sluice__window *window;
	const struct number *weights, *seen;
	size_t stride;
	const double *factors;
	int tiled;      /* whether it may be convolved by tiles */
	unsigned gates; /* that have this product */
};

/* What the bounds are computed from and into. */
struct bound_work {
	const struct sluice__network *network;
	const struct sluice__oracle_run_f64 *run;
	const struct sluice__oracle_trace_f64 *trace;
	const struct sluice__oracle_gradients_f64 *gradients;
	struct sluice__bound_storage storage;
	struct sluice__bound *bound;
	struct bound_view now;     /* the forward pass */
	struct bound_view later;   /* what of it the backward pass gets to see, through tape or computing it again */
	double **dinputs;          /* [layer_count + 1] bounds of the gradient of what layer l reads */
	struct number *parameters; /* [parameter_count] as they are given */
	struct number **R;         /* [cell_count] recurrent weights with DropConnect, zero where absent */
	double **factors;          /* [cell_count] DropConnect's factors on them; NULL without it */
	struct sum *sums;          /* [parameter_count] gradients of parameters, summed over rows */
	struct bound_sight sight;  /* of the row at work */
	struct number *scratch;    /* 9 H + 2 out of any cell, at all its places */
	struct sum *scratch_sums;  /* as many as any product sees */
	double *factor_block;
	struct number *recurrent_block;
	void *block;
};

/* Numbers of h and of c in a row: those of all places. Number k of c is that of unit k % H at place k / H. */
static inline size_t h_numbers(const struct sluice__cell *cell)
{
	return cell->places * cell->out;
}

static inline size_t c_numbers(const struct sluice__cell *cell)
{
	return cell->places * cell->hidden;
}

/* Where a gate's value that belongs to number k of c stands in a row of gate values. */
static inline size_t gate_at(const struct sluice__cell *cell, int gate, size_t k)
{
	return (k / cell->hidden * 4 + (size_t)gate) * cell->hidden + k % cell->hidden;
}

/* An activation of a cell, a gate's or that of the cell output, at an argument which is clipped first (0: it is not).
 */
struct number sluice__bound_activation(const struct bound_work *work, const struct sluice__cell *cell, int which,
				       size_t unit, struct number argument, double limit);

/* Its slope there, from the argument or from the value that is given, whichever an implementation takes. */
struct number sluice__bound_slope(const struct bound_work *work, const struct sluice__cell *cell, int which,
				  size_t unit, struct number argument, double limit, struct number value);

/* Number k of a row's h' and c', which are the start where the row begins anew. */
double sluice__bound_h_before(const struct bound_work *work, const struct sluice__cell *cell, size_t n, size_t k);
double sluice__bound_cell_before(const struct bound_work *work, const struct sluice__cell *cell, size_t n, size_t k);

/* Fills work->sight with what a row sees, as the view has it; the second the new cell alone. */
void sluice__bound_see(struct bound_work *work, const struct bound_view *view, size_t index, size_t n);
void sluice__bound_see_new(struct bound_work *work, const struct bound_view *view, size_t index, size_t n);

/* The three products of the row in sight: W x, R m h', and V c' or V e. */
struct bound_product sluice__bound_input(const struct bound_work *work, size_t index);
struct bound_product sluice__bound_recurrent(const struct bound_work *work, size_t index);
struct bound_product sluice__bound_memory(const struct bound_work *work, size_t index, int new_cell);

/* Adds the product's part of a pre-activation, row 0 .. 4H-1 of one place, to its sum. */
void sluice__bound_sum(const struct bound_product *product, size_t row, size_t place, struct sum *sum);

/* Whether a plan may convolve by tiles what the input's or the recurrent window sees: nothing but whole vectors of
 * channels, by weights that are f32, and nothing in a cell with full peepholes or DropConnect; x only where h is. */
int sluice__bound_tiles(const struct sluice__bound_storage *storage, const struct sluice__cell *cell,
			const struct sluice__window *window);

/* What convolving by tiles adds to the errors of these sums: of a pre-activation, and, from da of a whole row as
 * gate_at places it, of the gradients of the weights and of what they see. */
void sluice__bound_tile(const struct bound_product *product, size_t row, size_t place, struct sum *sum);
void sluice__bound_tile_back(const struct bound_product *product, const struct sluice__cell *cell,
			     const struct number *da, struct sum *dweights, struct sum *dseen);

/* Adds what da of that pre-activation gives to the gradients of the weights and of what they see. */
void sluice__bound_transpose(const struct bound_product *product, size_t row, size_t place, struct number da,
			     struct sum *dweights, struct sum *dseen);

void sluice__bound_forward(struct bound_work *work);
void sluice__bound_backward(struct bound_work *work);

#endif
