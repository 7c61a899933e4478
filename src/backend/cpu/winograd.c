/* winograd.c exists to convolve images by tiles: kernels of 3 x 3 and 5 x 5 with a fourth, a sixth of the products. */
#include "backend/cpu/pass.h"

#include <string.h>

#include "kernels/winograd.h"

enum {
	RESULTS = SLUICE__WINOGRAD_RESULTS,
	MOST_TAPS = 25,
	BLOCK_BYTES = 3 << 18, /* of the points that are at work at a time: with the weights they pass they fit a
				  second-level cache */
	CHANNEL_UNIT = SLUICE__PAD
};

/* --- which layers --- */

static size_t side_of(const struct sluice__window *window)
{
	return window->height + RESULTS - 1;
}

/* Kernels that winograd.h has matrices for, over whole vectors of channels. */
static bool fits(const struct sluice__window *window, size_t channels)
{
	const bool kernel = window->height == window->width && (window->height == 3 || window->height == 5);
	return kernel && window->dilation_y == 1 && window->dilation_x == 1 && window->stride_y == 1 &&
	       window->stride_x == 1 && window->groups == 1 && channels % CHANNEL_UNIT == 0;
}

void sluice__winograd_choose(struct packed_layer *packed, const struct sluice__layer *layer,
			     const struct sluice__limits *limits)
{
	enum { FEWEST_CHANNELS = 32 };
	const sluice_layer *options = layer->options;
	const bool wanted =
		limits->winograd == SLUICE_ON || (limits->winograd == SLUICE_AUTO && layer->hidden >= FEWEST_CHANNELS);
	if (!packed->images || !wanted || packed->full || options->dropconnect > 0 ||
	    limits->weights != SLUICE__REAL_DTYPE || layer->hidden % CHANNEL_UNIT ||
	    !fits(&layer->recurrent, layer->out))
		return;
	packed->side = side_of(&layer->recurrent);
	packed->points_of_input = options->input == SLUICE_INPUT_WEIGHTS && side_of(&layer->input) == packed->side;
	for (size_t each = 0; each < packed->segments; each++)
		packed->points_of_input = packed->points_of_input && fits(&layer->input, packed->segment[each].width);
}

/* Channels that enter the gates by way of points: x by its segments, then h. */
static size_t depth_of(const struct packed_layer *packed)
{
	size_t depth = packed->out;
	for (size_t each = 0; packed->points_of_input && each < packed->segments; each++)
		depth += packed->segment[each].width;
	return depth;
}

/* --- weights --- */

void sluice__winograd_book(const struct cpu_plan *plan, struct packed_layer *packed, bool training,
			   struct sluice__ledger *ledger)
{
	const struct sluice__kernels *kernels = &plan->kernels;
	const size_t points = packed->side * packed->side, gates = SLUICE__GATES * packed->span;
	for (size_t direction = 0; packed->side && direction < packed->directions; direction++) {
		struct packed_direction *weights = &packed->direction[direction];
		weights->points = sluice__book(ledger, points * depth_of(packed), gates, sizeof(real));
		if (!training)
			continue;
		weights->points_back =
			sluice__book(ledger, points * gates, panels_elements(kernels, 1, packed->out), sizeof(real));
		for (size_t each = 0; packed->points_of_input && each < packed->segments; each++)
			packed->segment[each].points_back[direction] =
				sluice__book(ledger, points * gates,
					     panels_elements(kernels, 1, packed->segment[each].width), sizeof(real));
	}
}

/* A canonical matrix [gate, unit, tap, channel]. */
struct canonical {
	const float *from;
	size_t hidden, taps, channels;
	unsigned absent;
};

static float weight_of(const struct canonical *matrix, size_t gate, size_t unit, size_t tap, size_t channel)
{
	if (unit >= matrix->hidden || channel >= matrix->channels || matrix->absent >> gate & 1)
		return 0;
	return matrix->from[((gate * matrix->hidden + unit) * matrix->taps + tap) * matrix->channels + channel];
}

/* The points of one column of kernels, whose taps lie `width` reals apart. */
static void expand_kernel(const struct sluice__kernels *kernels, size_t side, const real *taps, size_t width, real *to,
			  size_t to_point)
{
	const size_t kernel = side + 1 - RESULTS;
	const struct sluice__expand job = {
		.side = side,
		.kind = SLUICE__WINOGRAD_KERNEL,
		.vectors = width / kernels->lanes,
		.from = taps,
		.height = kernel,
		.width = kernel,
		.row = width,
		.to = to,
		.to_point = to_point,
	};
	kernels->expand(&job);
}

/* Channels first .. of a block's depth: [block][point][depth][gate][lane]. */
static void pack_forward(const struct cpu_plan *plan, const struct packed_layer *packed, const struct canonical *matrix,
			 size_t segment_first, size_t segment_width, size_t first, real *to)
{
	const size_t lanes = plan->kernels.lanes, width = SLUICE__GATES * lanes, depth = depth_of(packed);
	const size_t points = packed->side * packed->side;
	for (size_t block = 0; block < packed->blocks; block++)
		for (size_t k = 0; k < segment_width; k++) {
			_Alignas(64) real taps[MOST_TAPS * SLUICE__GATES * SLUICE__PAD];
			for (size_t tap = 0; tap < matrix->taps; tap++)
				for (size_t column = 0; column < width; column++)
					taps[tap * width + column] =
						(real)weight_of(matrix, column / lanes, block * lanes + column % lanes,
								tap, segment_first + k);
			expand_kernel(&plan->kernels, packed->side, taps, width,
				      to + (block * points * depth + first + k) * width, depth * width);
		}
}

/* The kernels turned round, transposed: [panel][point][gate][unit of span][vectors][lane]. */
static void pack_back(const struct cpu_plan *plan, const struct packed_layer *packed, const struct canonical *matrix,
		      size_t segment_first, size_t segment_width, real *to)
{
	const size_t lanes = plan->kernels.lanes, full = SLUICE__PANEL_VECTORS * lanes;
	const size_t depth = SLUICE__GATES * packed->span, points = packed->side * packed->side;
	for (size_t column = 0; column < segment_width; column += full) {
		const size_t rest = segment_width - column, used = rest < full ? rest : full;
		const size_t width = vectors_of(&plan->kernels, used) * lanes;
		for (size_t k = 0; k < depth; k++) {
			_Alignas(64) real taps[MOST_TAPS * SLUICE__PANEL_VECTORS * SLUICE__PAD] = {0};
			for (size_t tap = 0; tap < matrix->taps; tap++)
				for (size_t n = 0; n < used; n++)
					taps[tap * width + n] =
						(real)weight_of(matrix, k / packed->span, k % packed->span,
								matrix->taps - 1 - tap, segment_first + column + n);
			expand_kernel(&plan->kernels, packed->side, taps, width,
				      to + column * points * depth + k * width, depth * width);
		}
	}
}

void sluice__winograd_pack(struct cpu_plan *plan, const struct sluice__layer *layer, const struct packed_layer *packed,
			   size_t direction, bool training, const float *parameters)
{
	const struct packed_direction *weights = &packed->direction[direction];
	const sluice_layer *options = packed->options;
	const struct canonical input = {parameters + layer->weight_ih[direction], packed->hidden, packed->input.taps,
					layer->inputs, sluice__layer_absent(options, options->no_input_weights)};
	const struct canonical recurrent = {parameters + layer->weight_hh[direction], packed->hidden,
					    packed->recurrent.taps, packed->out,
					    sluice__layer_absent(options, options->no_recurrent_weights)};
	real *forward = packed_reals(plan, weights->points);
	size_t first = 0;
	for (size_t each = 0; packed->points_of_input && each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		pack_forward(plan, packed, &input, segment->first, segment->width, first, forward);
		first += segment->width;
		if (training)
			pack_back(plan, packed, &input, segment->first, segment->width,
				  packed_reals(plan, segment->points_back[direction]));
	}
	pack_forward(plan, packed, &recurrent, 0, packed->out, first, forward);
	if (training)
		pack_back(plan, packed, &recurrent, 0, packed->out, packed_reals(plan, weights->points_back));
}

/* --- tiles --- */

/* Images cut into tiles of 4 x 4 results. A strip is a row of tiles, whose rows follow each other. */
struct tiling {
	size_t side;
	struct sluice__image image;
	size_t down, across;
};

static struct tiling tiling_of(size_t side, struct sluice__image image)
{
	return (struct tiling){side, image, (image.height + RESULTS - 1) / RESULTS,
			       (image.width + RESULTS - 1) / RESULTS};
}

/* Strips that are at work at a time; whatever the number of threads, which sums of gradients depend on. */
static size_t strips_at_once(const struct tiling *tiling, size_t depth)
{
	const size_t strip = tiling->side * tiling->side * tiling->across * depth * sizeof(real);
	return strip < BLOCK_BYTES ? BLOCK_BYTES / strip : 1;
}

/* Reals from one point to the next where each has `tiles` rows of `width`. One line more than its numbers: points a
 * power of two apart would share few sets of the cache. */
static size_t step_of_points(size_t tiles, size_t width)
{
	return tiles * width + SLUICE__PAD;
}

/* The first row of a strip, counted over all images; also of the one behind the last. */
static size_t row_of_strip(const struct tiling *tiling, size_t strip)
{
	return strip / tiling->down * sluice__places(tiling->image) +
	       strip % tiling->down * RESULTS * tiling->image.width;
}

/* What tiles are cut from: images of `from`, whose first place lies at (top, left) of the zeros around them. */
struct origin {
	const real *images;
	struct sluice__image from;
	size_t row, channels;
	ptrdiff_t top, left;
};

/* The points of some strips, [point][tile][depth], of which these channels begin at `column`. */
static void expand_strips(const struct sluice__kernels *kernels, const struct tiling *tiling,
			  const struct origin *origin, enum sluice__winograd kind, struct sluice__range strips,
			  size_t depth, size_t column, real *to)
{
	const size_t tiles = (strips.last - strips.first) * tiling->across;
	struct sluice__expand job = {
		.side = tiling->side,
		.kind = kind,
		.vectors = origin->channels / kernels->lanes,
		.height = origin->from.height,
		.width = origin->from.width,
		.row = origin->row,
		.to_point = step_of_points(tiles, depth),
	};
	for (size_t tile = 0; tile < tiles; tile++) {
		const size_t strip = strips.first + tile / tiling->across;
		job.from = origin->images + strip / tiling->down * sluice__places(origin->from) * origin->row;
		job.y = (ptrdiff_t)(strip % tiling->down * RESULTS) - origin->top;
		job.x = (ptrdiff_t)(tile % tiling->across * RESULTS) - origin->left;
		job.to = to + tile * depth + column;
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

static struct sluice__range block_of(struct sluice__range own, size_t first, size_t most)
{
	return (struct sluice__range){first, own.last - first < most ? own.last : first + most};
}

/* --- the workspace --- */

/* Reals of the points of a thread, [point][tile] of depth and of a panel's width. */
static size_t points_of(const struct sluice__kernels *kernels, const struct tiling *tiling, size_t depth)
{
	const size_t tiles = strips_at_once(tiling, depth) * tiling->across;
	return tiling->side * tiling->side *
	       (step_of_points(tiles, depth) + step_of_points(tiles, SLUICE__PANEL_VECTORS * kernels->lanes));
}

/* A row of da's points is longer than its numbers: rows a power of two apart would share few sets of the cache. */
static size_t da_row_of(size_t gates)
{
	return gates + SLUICE__PAD;
}

/* Reals of the points of a gradient: of what the weights saw, and of da. */
static size_t seen_points(const struct tiling *tiling, size_t depth, size_t gates)
{
	const size_t tiles = strips_at_once(tiling, depth) * tiling->across;
	return tiling->side * tiling->side * (step_of_points(tiles, depth) + step_of_points(tiles, da_row_of(gates)));
}

void sluice__winograd_sizes(const struct cpu_plan *plan, const struct packed_layer *packed,
			    const struct sluice__layer *layer, bool training, struct winograd_sizes *sizes)
{
	if (!packed->side)
		return;
	const size_t gates = SLUICE__GATES * packed->span, depth = depth_of(packed);
	const struct tiling results = tiling_of(packed->side, layer->image);
	const struct tiling images = tiling_of(packed->side, layer->from);
	const size_t most[] = {points_of(&plan->kernels, &results, depth),
			       training ? points_of(&plan->kernels, &results, gates) : 0,
			       training ? points_of(&plan->kernels, &images, gates) : 0};
	for (size_t each = 0; each < sizeof most / sizeof most[0]; each++)
		sizes->points = most[each] > sizes->points ? most[each] : sizes->points;
	if (!training)
		return;
	const size_t seen = seen_points(&results, depth, gates);
	const size_t gradient = packed->side * packed->side * step_of_points(gates, depth);
	sizes->seen = seen > sizes->seen ? seen : sizes->seen;
	sizes->gradient = gradient > sizes->gradient ? gradient : sizes->gradient;
}

static real *points_at(const struct pass *pass, size_t direction, const struct team *team)
{
	const struct workspace_map *map = &pass->plan->map;
	return pass_piece(pass, map->points[direction] + (size_t)team->index * map->points_bytes);
}

/* --- forward --- */

static struct origin origin_of(const struct sluice__window *window, struct sluice__image from, const real *images,
			       size_t row, size_t channels)
{
	return (struct origin){images, from, row, channels, (ptrdiff_t)window->top, (ptrdiff_t)window->left};
}

/* The points of x, where they enter so, and of h. */
static void expand_inputs(const struct strip *strip, const struct tiling *tiling, const struct rows *h,
			  const struct moment *moment, struct sluice__range strips, real *to)
{
	const struct pass *pass = strip->pass;
	const struct sluice__layer *layer = &pass->prepared->network->layers[strip->layer];
	const struct packed_layer *packed = strip->packed;
	const size_t depth = depth_of(packed);
	size_t column = 0;
	for (size_t each = 0; packed->points_of_input && each < packed->segments; each++) {
		const struct rows *x = &moment->input[each];
		const struct origin origin =
			origin_of(&layer->input, layer->from, x->at, x->row, packed->segment[each].width);
		expand_strips(&pass->plan->kernels, tiling, &origin, SLUICE__WINOGRAD_IMAGE, strips, depth, column, to);
		column += origin.channels;
	}
	const struct origin origin = origin_of(&layer->recurrent, layer->image, h->at, h->row, packed->out);
	expand_strips(&pass->plan->kernels, tiling, &origin, SLUICE__WINOGRAD_IMAGE, strips, depth, column, to);
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
		const size_t row = row_of_strip(&tiling, part.first);
		const size_t tiles = (part.last - part.first) * tiling.across;
		struct sluice__step step =
			sluice__convolution_part(packed, job, row, row_of_strip(&tiling, part.last) - row);
		step.start = start + row * gates_row;
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
		expand_strips(kernels, &tiling, &origin, SLUICE__WINOGRAD_IMAGE, part, depth, 0, seen);
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

/* --- gradients of the weights --- */

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
	const size_t full = SLUICE__PANEL_VECTORS * kernels->lanes, channels = origin.channels;
	struct sluice__expand job = {
		.side = gradient->tiling.side,
		.kind = SLUICE__WINOGRAD_IMAGE,
		.height = origin.from.height,
		.width = origin.from.width,
		.row = origin.row,
		.to_point = step_of_points(tiles, gradient->depth),
	};
	for (size_t done = 0, part; done < channels; done += part) {
		const size_t panel = (column + done) / full * full, room = panel + full - column - done;
		const size_t width = gradient->depth - panel < full ? gradient->depth - panel : full;
		part = channels - done < room ? channels - done : room;
		job.vectors = part / kernels->lanes;
		for (size_t strip = strips.first; strip < strips.last; strip++)
			for (size_t x = 0; x < across; x++) {
				const size_t tile = (strip - all.first) * across + x;
				job.from = origin.images +
					   strip / gradient->tiling.down * sluice__places(origin.from) * origin.row +
					   done;
				job.y = (ptrdiff_t)(strip % gradient->tiling.down * RESULTS) - origin.top;
				job.x = (ptrdiff_t)(x * RESULTS) - origin.left;
				job.to = gradient->seen + panel * tiles + tile * width + column + done - panel;
				kernels->expand(&job);
			}
	}
}

static void expand_da(const struct gradient *gradient, const real *da, struct sluice__range strips,
		      struct sluice__range all)
{
	const struct sluice__kernels *kernels = &gradient->pass->plan->kernels;
	const struct tiling *tiling = &gradient->tiling;
	struct sluice__expand job = {
		.side = tiling->side,
		.kind = SLUICE__WINOGRAD_RESULT,
		.vectors = gradient->gates / kernels->lanes,
		.height = tiling->image.height,
		.width = tiling->image.width,
		.row = gradient->gates,
		.to_point = step_of_points((all.last - all.first) * tiling->across, gradient->da_row),
	};
	for (size_t strip = strips.first; strip < strips.last; strip++)
		for (size_t x = 0; x < tiling->across; x++) {
			job.from = da + strip / tiling->down * sluice__places(tiling->image) * gradient->gates;
			job.y = (ptrdiff_t)(strip % tiling->down * RESULTS);
			job.x = (ptrdiff_t)(x * RESULTS);
			job.to = gradient->da_points + ((strip - all.first) * tiling->across + x) * gradient->da_row;
			kernels->expand(&job);
		}
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
