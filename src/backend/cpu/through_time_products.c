/* through_time_products.c exists to multiply on the way back: with panels, through convolutions, or by tiles. */
#include "backend/cpu/through_time.h"

void sluice__back_multiply(const struct back *back, size_t rows, const struct factor *factor, size_t first,
			   struct columns columns, bool add, bool descending, real *c, size_t c_row)
{
	const struct sluice__kernels *kernels = &back->pass->plan->kernels;
	const struct product product = {
		.last = 1,
		.batch = rows,
		.a = {factor->a, rows * factor->a_row, factor->a_row},
		.depth = factor->depth,
		.width = columns.units,
		.panels = (const char *)factor->panels +
			  first * kernels->lanes * factor->depth * sluice__dtype_bytes(factor->type),
		.type = factor->type,
		.add = add,
		.c = c + columns.first,
		.c_step = rows * c_row,
		.c_row = c_row,
		.c_padded = true,
		.descending = descending,
	};
	if (columns.units)
		sluice__matrix_multiply(kernels, &product);
}

struct factor sluice__back_factor(const struct back *back, const real *a, size_t a_row, size_t depth, size_t offset)
{
	return (struct factor){a, a_row, depth, packed_panels(back->pass->plan, offset), back->pass->plan->panel_type};
}

/* c (+)= the transpose of a convolution over images of `factor`, whose depth is that of one tap. Threads share rows,
 * not columns: they wait for each other. */
static void convolve(const struct back *back, size_t rows, const struct taps *taps, const struct factor *factor,
		     size_t width, bool add, real *c, size_t c_row, const struct team *team)
{
	const struct convolution convolution = {
		.gather = sluice__gather_of(back->pass->plan, back->packed, taps, true, factor->depth, factor->a_row),
		.images = factor->a,
		.panels = factor->panels,
		.type = factor->type,
		.width = width,
		.add = add,
		.c = c,
		.c_row = c_row,
		.c_padded = true,
	};
	sluice__convolve(back->pass, &convolution, back->direction, rows, team);
	team_wait(team);
}

/* dh of one step by tiles, and with it the gradient of what the layer read, where that is possible. */
static void by_tiles(const struct back *back, size_t t, size_t rows, const real *da, const struct team *team)
{
	const struct pass *pass = back->pass;
	const struct packed_layer *packed = back->packed;
	const struct sluice__layer *layer = &pass->prepared->network->layers[back->layer];
	struct winograd_back by = {.layer = back->layer,
				   .window = &layer->recurrent,
				   .from = layer->image,
				   .to = layer->image,
				   .da = da,
				   .target[0] = {packed_reals(pass->plan, back->weights->points_back), packed->out,
						 false, back->dh, packed->out_padded},
				   .targets = 1};
	for (size_t each = 0; sluice__winograd_joins(pass, back->layer) && each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		const struct rows to = sluice__backward_input(pass, back->layer, back->direction, each);
		by.target[by.targets++] = (struct winograd_target){
			packed_reals(pass->plan, segment->points_back[back->direction]), segment->width,
			sluice__backward_adds(pass, back->layer, back->direction), (real *)to.at + t * to.step, to.row};
	}
	sluice__winograd_back(pass, &by, back->direction, rows / packed->places, team);
	team_wait(team);
}

void sluice__back_recurrent(const struct back *back, size_t t, size_t rows, const real *da, bool descending,
			    const struct team *team)
{
	const size_t depth = SLUICE__GATES * back->packed->span;
	const struct factor factor = {da, depth, depth, back->transposed, back->transposed_type};
	if (back->packed->side)
		by_tiles(back, t, rows, da, team);
	else if (back->packed->images)
		convolve(back, rows, &back->packed->recurrent, &factor, back->packed->out, false, back->dh,
			 back->packed->out_padded, team);
	else
		sluice__back_multiply(back, rows, &factor, back->out_first, back->out_columns, false, descending,
				      back->dh, back->packed->out_padded);
}

void sluice__back_memory(const struct back *back, size_t rows, const struct factor *factor, bool descending,
			 const struct team *team)
{
	const size_t padded = back->packed->padded;
	if (back->packed->images)
		convolve(back, rows, &back->packed->memory, factor, back->packed->hidden, true, back->dc, padded, team);
	else
		sluice__back_multiply(back, rows, factor, back->first, back->columns, true, descending, back->dc,
				      padded);
}
