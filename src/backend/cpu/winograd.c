/* winograd.c exists to convolve images by tiles: kernels of 3 x 3 and 5 x 5 with a fourth, a sixth of the products. */
#include "backend/cpu/winograd.h"

/* --- tiles --- */

void sluice__winograd_expand(const struct sluice__kernels *kernels, const struct tiling *tiling,
			     enum sluice__winograd kind, const struct origin *origin, struct sluice__range strips,
			     struct points points)
{
	struct sluice__expand job = {
		.side = tiling->side,
		.kind = kind,
		.vectors = origin->channels / kernels->lanes,
		.height = origin->from.height,
		.width = origin->from.width,
		.row = origin->row,
		.to = points.to,
		.to_point = points.point_step,
	};
	for (size_t strip = strips.first; strip < strips.last; strip++)
		for (size_t x = 0; x < tiling->across; x++, job.to += points.tile_step) {
			job.from = origin->images + strip / tiling->down * sluice__places(origin->from) * origin->row;
			job.y = (ptrdiff_t)(strip % tiling->down * RESULTS) - origin->top;
			job.x = (ptrdiff_t)(x * RESULTS) - origin->left;
			kernels->expand(&job);
		}
}

/* points [point][tile][width] = [point][tile][depth] times panels [point][depth][width]. */
static void multiply_points(const struct sluice__kernels *kernels, size_t side, size_t tiles, size_t depth,
			    const real *from, const real *panels, size_t width, real *to)
{
	for (size_t point = 0; point < side * side; point++) {
		const struct product product = {
			.last = 1,
			.batch = tiles,
			.a = {from + point * step_of_points(tiles, depth), 0, depth},
			.depth = depth,
			.width = width,
			.panels = panels + point * depth * width,
			.type = SLUICE__REAL_DTYPE,
			.c = to + point * step_of_points(tiles, width),
			.c_row = width,
			.c_padded = true,
		};
		sluice__matrix_multiply(kernels, &product);
	}
}

/* Results of some strips from their points [point][tile][width]. start and to: the first row of all images. */
static void contract_strips(const struct sluice__kernels *kernels, const struct tiling *tiling,
			    struct sluice__range strips, const real *points, size_t width, const real *start,
			    bool start_stays, real *to, size_t row)
{
	const size_t tiles = (strips.last - strips.first) * tiling->across;
	struct sluice__contract job = {
		.side = tiling->side,
		.kind = SLUICE__WINOGRAD_RESULT,
		.vectors = width / kernels->lanes,
		.from_point = step_of_points(tiles, width),
		.start_stays = start_stays,
		.width = tiling->image.width,
		.row = row,
	};
	for (size_t tile = 0; tile < tiles; tile++) {
		const size_t strip = strips.first + tile / tiling->across;
		const size_t y = strip % tiling->down * RESULTS, x = tile % tiling->across * RESULTS;
		const size_t at = (row_of_strip(tiling, strip) + x) * row;
		const size_t below = tiling->image.height - y, beside = tiling->image.width - x;
		job.from = points + tile * width;
		job.rows = below < RESULTS ? below : RESULTS;
		job.columns = beside < RESULTS ? beside : RESULTS;
		job.start = start && !start_stays ? start + at : start;
		job.to = to + at;
		kernels->contract(&job);
	}
}

static real *points_at(const struct pass *pass, size_t direction, const struct team *team)
{
	const struct workspace_map *map = &pass->plan->map;
	return pass_piece(pass, map->points[direction] + (size_t)team->index * map->points_bytes);
}

/* --- forward --- */

/* The points of x, where they enter so, and of h. */
static void expand_inputs(const struct strip *strip, const struct tiling *tiling, const struct rows *h,
			  const struct moment *moment, struct sluice__range strips, real *to)
{
	const struct pass *pass = strip->pass;
	const struct sluice__layer *layer = &pass->prepared->network->layers[strip->layer];
	const struct packed_layer *packed = strip->packed;
	const size_t depth = depth_of(packed), tiles = (strips.last - strips.first) * tiling->across;
	struct points points = {to, step_of_points(tiles, depth), depth};
	for (size_t each = 0; packed->points_of_input && each < packed->segments; each++) {
		const struct rows *x = &moment->input[each];
		const struct origin origin =
			origin_of(&layer->input, layer->from, x->at, x->row, packed->segment[each].width);
		sluice__winograd_expand(&pass->plan->kernels, tiling, SLUICE__WINOGRAD_IMAGE, &origin, strips, points);
		points.to += origin.channels;
	}
	const struct origin origin = origin_of(&layer->recurrent, layer->image, h->at, h->row, packed->out);
	sluice__winograd_expand(&pass->plan->kernels, tiling, SLUICE__WINOGRAD_IMAGE, &origin, strips, points);
}

void sluice__winograd_step(const struct strip *strip, const struct rows *h, const struct moment *moment,
			   const struct sluice__step *job, const struct team *team)
{
	const struct pass *pass = strip->pass;
	const struct sluice__kernels *kernels = &pass->plan->kernels;
	const struct packed_layer *packed = strip->packed;
	const struct sluice__layer *layer = &pass->prepared->network->layers[strip->layer];
	const struct tiling tiling = tiling_of(packed->side, layer->image);
	const size_t depth = depth_of(packed), width = SLUICE__GATES * kernels->lanes;
	const size_t gates_row = SLUICE__GATES * packed->padded, points = tiling.side * tiling.side;
	const real *weights = packed_reals(pass->plan, strip->weights->points);
	/* Where start values are: x has been convolved into them, or the gates follow, or nobody asks for these. */
	real *start = moment->start   ? (real *)moment->start
		      : moment->gates ? moment->gates
				      : pass_piece(pass, pass->plan->map.gates[strip->direction]);
	const size_t strips = moment->rows / packed->places * tiling.down, most = strips_at_once(&tiling, depth);
	const struct sluice__range own = sluice__share(strips, team->index, team->count);
	real *seen = points_at(pass, strip->direction, team),
	     *products = seen + points * step_of_points(most * tiling.across, depth);
	for (size_t first = own.first; first < own.last; first += most) {
		const struct sluice__range part = block_of(own, first, most);
		const struct sluice__range rows = {row_of_strip(&tiling, part.first), row_of_strip(&tiling, part.last)};
		const size_t tiles = (part.last - part.first) * tiling.across;
		struct sluice__step step = sluice__convolution_part(packed, job, rows);
		step.start = start + rows.first * gates_row;
		step.start_row = gates_row;
		expand_inputs(strip, &tiling, h, moment, part, seen);
		for (size_t block = 0; block < packed->blocks; block++) {
			real *to = start + block * width;
			multiply_points(kernels, tiling.side, tiles, depth, seen,
					weights + block * points * depth * width, width, products);
			contract_strips(kernels, &tiling, part, products, width,
					moment->start ? to : job->start + block * width, !moment->start, to, gates_row);
			step.first = block;
			step.last = block + 1;
			kernels->step(&step);
		}
	}
}

/* --- backward --- */

void sluice__winograd_back(const struct pass *pass, const struct winograd_back *back, size_t direction, size_t images,
			   const struct team *team)
{
	const struct sluice__kernels *kernels = &pass->plan->kernels;
	const struct packed_layer *packed = &pass->plan->layers[back->layer];
	const size_t depth = SLUICE__GATES * packed->span, full = SLUICE__PANEL_VECTORS * kernels->lanes;
	const struct tiling tiling = tiling_of(packed->side, back->to);
	const size_t points = tiling.side * tiling.side, most = strips_at_once(&tiling, depth);
	/* A kernel that is turned round begins where the other one ends. */
	const ptrdiff_t reach = (ptrdiff_t)(packed->side - RESULTS);
	const struct origin origin = {
		.images = back->da,
		.from = back->from,
		.row = depth,
		.channels = depth,
		.top = reach - (ptrdiff_t)back->window->top,
		.left = reach - (ptrdiff_t)back->window->left,
	};
	const struct sluice__range own = sluice__share(images * tiling.down, team->index, team->count);
	real *seen = points_at(pass, direction, team),
	     *products = seen + points * step_of_points(most * tiling.across, depth);
	for (size_t first = own.first; first < own.last; first += most) {
		const struct sluice__range part = block_of(own, first, most);
		const size_t tiles = (part.last - part.first) * tiling.across;
		sluice__winograd_expand(kernels, &tiling, SLUICE__WINOGRAD_IMAGE, &origin, part,
					(struct points){seen, step_of_points(tiles, depth), depth});
		for (size_t each = 0; each < back->targets; each++) {
			const struct winograd_target *target = &back->target[each];
			for (size_t column = 0; column < target->width; column += full) {
				const size_t rest = target->width - column, used = rest < full ? rest : full;
				real *c = target->c + column;
				multiply_points(kernels, tiling.side, tiles, depth, seen,
						target->panels + column * points * depth, used, products);
				contract_strips(kernels, &tiling, part, products, used, target->add ? c : NULL, false,
						c, target->c_row);
			}
		}
	}
}

bool sluice__winograd_joins(const struct pass *pass, size_t index)
{
	const struct packed_layer *packed = &pass->plan->layers[index];
	const struct sluice__layer *layer = &pass->prepared->network->layers[index];
	const struct array dx = sluice__array_dx(pass);
	/* Two directions may be at work at the same time, and would add to one place. */
	return packed->points_of_input && packed->directions == 1 && (index > 0 || array_given(&dx)) &&
	       layer->input.top == layer->recurrent.top && layer->input.left == layer->recurrent.left &&
	       layer->from.height == layer->image.height && layer->from.width == layer->image.width;
}
