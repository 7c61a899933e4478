/* winograd_gradient.c exists to sum the gradients of kernels by tiles: in points, and out of them once at the end. */
#include "backend/cpu/winograd.h"

#include <string.h>

/* What a gradient is made of, as one thread of the team sees it. */
struct gradient {
	const struct pass *pass;
	const struct packed_layer *packed;
	struct tiling tiling;
	size_t points, depth, gates, da_row;
	real *seen, *da_points; /* [point][panel][tile][column], [point][tile][da_row] */
	real *sums;             /* [point][gate][unit of span][depth] */
};

static struct gradient gradient_of(const struct pass *pass, size_t index)
{
	const struct packed_layer *packed = &pass->plan->layers[index];
	const struct workspace_map *map = &pass->plan->map;
	const size_t gates = SLUICE__GATES * packed->span;
	struct gradient gradient = {
		.pass = pass,
		.packed = packed,
		.tiling = tiling_of(packed->side, pass->prepared->network->layers[index].image),
		.points = packed->side * packed->side,
		.depth = depth_of(packed),
		.gates = gates,
		.da_row = da_row_of(gates),
		.seen = pass_piece(pass, map->seen),
		.sums = pass_piece(pass, map->point_sums),
	};
	const size_t most = strips_at_once(&gradient.tiling, gradient.depth) * gradient.tiling.across;
	gradient.da_points = gradient.seen + gradient.points * step_of_points(most, gradient.depth);
	return gradient;
}

/* Points of what the weights saw, a panel of columns after the other; the strips of one thread out of `all`. */
static void expand_panels(const struct gradient *gradient, struct origin origin, size_t column,
			  struct sluice__range strips, struct sluice__range all)
{
	const struct sluice__kernels *kernels = &gradient->pass->plan->kernels;
	const size_t across = gradient->tiling.across, tiles = (all.last - all.first) * across;
	const size_t first = (strips.first - all.first) * across, full = SLUICE__PANEL_VECTORS * kernels->lanes;
	const size_t end = column + origin.channels;
	while (column < end) {
		const size_t panel = column / full * full, rest = gradient->depth - panel;
		const size_t width = rest < full ? rest : full;
		const struct points points = {gradient->seen + panel * tiles + first * width + column - panel,
					      step_of_points(tiles, gradient->depth), width};
		origin.channels = end - column < panel + full - column ? end - column : panel + full - column;
		sluice__winograd_expand(kernels, &gradient->tiling, SLUICE__WINOGRAD_IMAGE, &origin, strips, points);
		origin.images += origin.channels;
		column += origin.channels;
	}
}

static void expand_da(const struct gradient *gradient, const real *da, struct sluice__range strips,
		      struct sluice__range all)
{
	const struct tiling *tiling = &gradient->tiling;
	const struct origin origin = {da, tiling->image, gradient->gates, gradient->gates, 0, 0};
	const struct points points = {
		gradient->da_points + (strips.first - all.first) * tiling->across * gradient->da_row,
		step_of_points((all.last - all.first) * tiling->across, gradient->da_row), gradient->da_row};
	sluice__winograd_expand(&gradient->pass->plan->kernels, tiling, SLUICE__WINOGRAD_RESULT, &origin, strips,
				points);
}

/* sums (+)= da times what was seen, over the tiles of some strips; each thread some points. */
static void sum_points(const struct gradient *gradient, size_t tiles, bool add, const struct team *team)
{
	const struct sluice__kernels *kernels = &gradient->pass->plan->kernels;
	const size_t full = SLUICE__PANEL_VECTORS * kernels->lanes, depth = gradient->depth;
	const struct sluice__range own = sluice__share(gradient->points, team->index, team->count);
	for (size_t point = own.first; point < own.last; point++)
		for (size_t column = 0; column < depth; column += full) {
			const size_t width = depth - column < full ? depth - column : full;
			const struct sluice__gemm gemm = {
				.rows = gradient->gates,
				.vectors = width / kernels->lanes,
				.depth = tiles,
				.a = gradient->da_points + point * step_of_points(tiles, gradient->da_row),
				.a_row = 1,
				.a_step = gradient->da_row,
				.panel = gradient->seen + point * step_of_points(tiles, depth) + column * tiles,
				.type = SLUICE__REAL_DTYPE,
				.c = gradient->sums + point * step_of_points(gradient->gates, depth) + column,
				.c_row = depth,
				.add = add,
			};
			kernels->gemm(&gemm);
		}
}

/* One step's part of the sums: what x and h gave it, and its da. */
static void add_step(const struct gradient *gradient, const struct winograd_seen *seen, size_t count, const real *da,
		     size_t images, bool add, const struct team *team)
{
	const size_t strips = images * gradient->tiling.down;
	const size_t most = strips_at_once(&gradient->tiling, gradient->depth);
	for (size_t first = 0; first < strips; first += most) {
		const struct sluice__range all = block_of((struct sluice__range){0, strips}, first, most);
		const struct sluice__range share = sluice__share(all.last - all.first, team->index, team->count);
		const struct sluice__range own = {all.first + share.first, all.first + share.last};
		size_t column = 0;
		for (size_t each = 0; each < count; each++) {
			const struct origin origin = origin_of(seen[each].window, seen[each].from, seen[each].images,
							       seen[each].row, seen[each].channels);
			expand_panels(gradient, origin, column, own, all);
			column += origin.channels;
		}
		expand_da(gradient, da, own, all);
		team_wait(team);
		sum_points(gradient, (all.last - all.first) * gradient->tiling.across, add || first > 0, team);
		team_wait(team);
	}
}

/* dw [4H][taps][all channels], of which these begin at `first`, from the sums' columns from `column` on. */
static void contract_gradient(const struct gradient *gradient, const struct winograd_seen *seen, size_t column,
			      bool add, const struct team *team)
{
	const struct sluice__kernels *kernels = &gradient->pass->plan->kernels;
	const size_t kernel = gradient->tiling.side + 1 - RESULTS, hidden = gradient->packed->hidden;
	const struct sluice__range own = sluice__share(SLUICE__GATES * hidden, team->index, team->count);
	struct sluice__contract job = {
		.side = gradient->tiling.side,
		.kind = SLUICE__WINOGRAD_KERNEL,
		.vectors = seen->channels / kernels->lanes,
		.from_point = step_of_points(gradient->gates, gradient->depth),
		.width = kernel,
		.row = seen->all,
		.rows = kernel,
		.columns = kernel,
	};
	for (size_t row = own.first; row < own.last; row++) {
		const size_t gate = row / hidden, unit = row % hidden;
		job.from = gradient->sums + (gate * gradient->packed->span + unit) * gradient->depth + column;
		job.to = seen->dw + row * kernel * kernel * seen->all + seen->first;
		job.start = add ? job.to : NULL;
		if (!(seen->absent >> gate & 1))
			kernels->contract(&job);
		for (size_t tap = 0; (seen->absent >> gate & 1) && !add && tap < kernel * kernel; tap++)
			memset(job.to + tap * seen->all, 0, seen->channels * sizeof *job.to);
	}
}

void sluice__winograd_gradient(const struct pass *pass, size_t index, const struct winograd_seen *seen, size_t count,
			       const real *da, bool add, const struct team *team)
{
	const struct gradient gradient = gradient_of(pass, index);
	struct winograd_seen now[MOST_SEGMENTS + 1];
	bool any = false;
	for (size_t t = 0; t < pass->steps; t++) {
		for (size_t each = 0; each < count; each++) {
			now[each] = seen[each];
			now[each].images += t * seen[each].step;
		}
		if (pass_rows(pass, t) == 0)
			continue;
		add_step(&gradient, now, count, da + t * layer_rows(pass, gradient.packed) * gradient.gates,
			 pass_rows(pass, t), any, team);
		any = true;
	}
	/* The sum of no rows is zero, too. */
	if (!any && team->index == 0)
		memset(gradient.sums, 0,
		       gradient.points * step_of_points(gradient.gates, gradient.depth) * sizeof *gradient.sums);
	team_wait(team);
	size_t column = 0;
	for (size_t each = 0; each < count; each++) {
		contract_gradient(&gradient, &seen[each], column, add, team);
		column += seen[each].channels;
	}
	team_wait(team);
}
