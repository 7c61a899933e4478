/* through_time.h: one layer and direction on its way back through the steps, and its products. */
#ifndef SLUICE_BACKEND_CPU_THROUGH_TIME_H
#define SLUICE_BACKEND_CPU_THROUGH_TIME_H

#include "backend/cpu/images.h"

/* One layer and direction, as one thread works on it: its own panels of units and of h. */
struct back {
	struct pass *pass;
	size_t layer, direction;
	const struct packed_layer *packed;
	const struct packed_direction *weights;
	struct sluice__cell cell;
	struct record record;
	struct history e;           /* the new cell before zoneout */
	size_t first, last;         /* vectors of the units */
	size_t out_first, out_last; /* vectors of h */
	struct columns columns, out_columns;
	const real *start_h, *start_c; /* the layer's and direction's part of the start */
	real *da, *dh, *dc;
	const void *transposed; /* panels of R */
	sluice_dtype transposed_type;
};

/* What a product multiplies, and where its result goes. */
struct factor {
	const real *a;
	size_t a_row, depth;
	const void *panels;
	sluice_dtype type;
};

/* c (+)= a panels over the rows of one step (or of all, with `rows`), for the vectors first .. last-1 of c. */
void sluice__back_multiply(const struct back *back, size_t rows, const struct factor *factor, size_t first,
			   struct columns columns, bool add, bool descending, real *c, size_t c_row);

struct factor sluice__back_factor(const struct back *back, const real *a, size_t a_row, size_t depth, size_t offset);

/* dh of the strip's columns from da of one step: da R. */
void sluice__back_recurrent(const struct back *back, size_t t, size_t rows, const real *da, bool descending,
			    const struct team *team);

/* dc of the strip's columns += a V^T. */
void sluice__back_memory(const struct back *back, size_t rows, const struct factor *factor, bool descending,
			 const struct team *team);

#endif
