/* winograd.h: how images are cut into tiles, for the files that convolve by them. */
#ifndef SLUICE_BACKEND_CPU_WINOGRAD_H
#define SLUICE_BACKEND_CPU_WINOGRAD_H

#include "backend/cpu/images.h"

enum {
	RESULTS = SLUICE__WINOGRAD_RESULTS,
	BLOCK_BYTES = 3 << 18 /* of the points that are at work at a time: with the weights they pass they fit a
				 second-level cache */
};

/* Channels that enter the gates by way of points: x by its segments, then h. */
static inline size_t depth_of(const struct packed_layer *packed)
{
	size_t depth = packed->out;
	for (size_t each = 0; packed->points_of_input && each < packed->segments; each++)
		depth += packed->segment[each].width;
	return depth;
}

/* Images cut into tiles of 4 x 4 results. A strip is a row of tiles, whose rows follow each other. */
struct tiling {
	size_t side;
	struct sluice__image image;
	size_t down, across;
};

static inline struct tiling tiling_of(size_t side, struct sluice__image image)
{
	return (struct tiling){side, image, (image.height + RESULTS - 1) / RESULTS,
			       (image.width + RESULTS - 1) / RESULTS};
}

/* Strips that are at work at a time. */
static inline size_t strips_at_once(const struct tiling *tiling, size_t depth)
{
	const size_t strip = tiling->side * tiling->side * tiling->across * depth * sizeof(real);
	return strip < BLOCK_BYTES ? BLOCK_BYTES / strip : 1;
}

/* Reals from one point to the next where each has `tiles` rows of `width`. One line more than its numbers: points a
 * power of two apart would share few sets of the cache. */
static inline size_t step_of_points(size_t tiles, size_t width)
{
	return tiles * width + SLUICE__PAD;
}

/* The first row of a strip, counted over all images; also of the one behind the last. */
static inline size_t row_of_strip(const struct tiling *tiling, size_t strip)
{
	return strip / tiling->down * sluice__places(tiling->image) +
	       strip % tiling->down * RESULTS * tiling->image.width;
}

/* A row of da's points is longer than its numbers: rows a power of two apart would share few sets of the cache. */
static inline size_t da_row_of(size_t gates)
{
	return gates + SLUICE__PAD;
}

/* What tiles are cut from: images of `from`, whose first place lies at (top, left) of the zeros around them. */
struct origin {
	const real *images;
	struct sluice__image from;
	size_t row, channels;
	ptrdiff_t top, left;
};

/* Where points go: element `point` of tile `tile` at to + point * point_step + tile * tile_step. */
struct points {
	real *to;
	size_t point_step, tile_step;
};

/* The points of all tiles of some strips. kind: of images, or of results. */
void sluice__winograd_expand(const struct sluice__kernels *kernels, const struct tiling *tiling,
			     enum sluice__winograd kind, const struct origin *origin, struct sluice__range strips,
			     struct points points);

static inline struct origin origin_of(const struct sluice__window *window, struct sluice__image from,
				      const real *images, size_t row, size_t channels)
{
	return (struct origin){images, from, row, channels, (ptrdiff_t)window->top, (ptrdiff_t)window->left};
}

#endif
