/* winograd_plan.c exists to choose the layers that are convolved by tiles, to bring their kernels into points, and to
 * count the memory that tiles need. */
#include "backend/cpu/winograd.h"

enum { MOST_TAPS = 25, CHANNEL_UNIT = SLUICE__PAD };

/* --- which layers --- */

static size_t side_of(const struct sluice__window *window)
{
	return window->height + RESULTS - 1;
}

/* Whether every tap meets the image somewhere: one that does not has a gradient of exactly zero, and must. */
static bool meets(size_t zeros, size_t kernel, size_t from, size_t to)
{
	return zeros < to && kernel - 1 < from + zeros;
}

/* Kernels that winograd.h has matrices for, over whole vectors of channels. */
static bool fits(const struct sluice__window *window, struct sluice__image from, struct sluice__image to,
		 size_t channels)
{
	const bool kernel = window->height == window->width && (window->height == 3 || window->height == 5);
	if (!meets(window->top, window->height, from.height, to.height) ||
	    !meets(window->left, window->width, from.width, to.width))
		return false;
	return kernel && window->dilation_y == 1 && window->dilation_x == 1 && window->stride_y == 1 &&
	       window->stride_x == 1 && window->groups == 1 && channels % CHANNEL_UNIT == 0;
}

/* Whether tiles halve the products at least: of an image of one row three quarters of each are thrown away. */
static bool saves(const struct sluice__window *window, const struct sluice__layer *layer)
{
	const size_t side = side_of(window), down = (layer->image.height + RESULTS - 1) / RESULTS;
	const size_t across = (layer->image.width + RESULTS - 1) / RESULTS;
	return 2 * down * across * side * side <= layer->places * sluice__taps(window);
}

void sluice__winograd_choose(struct packed_layer *packed, const struct sluice__layer *layer,
			     const struct sluice__limits *limits)
{
	const sluice_layer *options = layer->options;
	const bool wanted =
		limits->winograd == SLUICE_ON || (limits->winograd == SLUICE_AUTO && saves(&layer->recurrent, layer));
	if (!packed->images || !wanted || packed->full || options->dropconnect > 0 ||
	    limits->weights != SLUICE__REAL_DTYPE || layer->hidden % CHANNEL_UNIT ||
	    !fits(&layer->recurrent, layer->image, layer->image, layer->out))
		return;
	packed->side = side_of(&layer->recurrent);
	packed->points_of_input = options->input == SLUICE_INPUT_WEIGHTS && side_of(&layer->input) == packed->side;
	for (size_t each = 0; each < packed->segments; each++)
		packed->points_of_input = packed->points_of_input &&
					  fits(&layer->input, layer->from, layer->image, packed->segment[each].width);
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

/* --- the workspace --- */

/* Reals of the points of a thread, [point][tile] of depth and of a panel's width. */
static size_t points_of(const struct sluice__kernels *kernels, const struct tiling *tiling, size_t depth)
{
	const size_t tiles = strips_at_once(tiling, depth) * tiling->across;
	return tiling->side * tiling->side *
	       (step_of_points(tiles, depth) + step_of_points(tiles, SLUICE__PANEL_VECTORS * kernels->lanes));
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
