/* images.h: products over images: what convolution.c gathers, and what winograd.c convolves by tiles. */
#ifndef SLUICE_BACKEND_CPU_IMAGES_H
#define SLUICE_BACKEND_CPU_IMAGES_H

#include "backend/cpu/pass.h"

/* At most so many of a thread's rows, or of its strips, from `first` on. */
static inline struct sluice__range block_of(struct sluice__range own, size_t first, size_t most)
{
	return (struct sluice__range){first, own.last - first < most ? own.last : first + most};
}

/* --- convolution.c: products over images --- */

/* Patches of images: for a place the channels of all the places that its taps read, zeros where they read nothing. */
struct gather {
	const int32_t *table; /* [places][taps] */
	size_t taps, places, places_from;
	size_t channels, row; /* row: reals from place to place of an image */
};
struct gather sluice__gather_of(const struct cpu_plan *plan, const struct packed_layer *packed, const struct taps *taps,
				bool back, size_t channels, size_t row);

/* Some columns, counted over taps and their channels, of a place's patch. */
void sluice__gather_columns(const struct gather *gather, const real *image, size_t place, size_t column, size_t count,
			    real *to);

/* c (+)= patches panels + bias; row r is place r % places of image r / places. */
struct convolution {
	struct gather gather;
	const real *images;
	const void *panels; /* [taps][channels] deep */
	sluice_dtype type;
	size_t width;
	const real *bias; /* padded to vectors; NULL: zero */
	bool add;
	real *c;
	size_t c_row;
	bool c_padded;
};

/* Each thread of the team some rows; returns before others are done. */
void sluice__convolve(const struct pass *pass, const struct convolution *convolution, size_t direction, size_t rows,
		      const struct team *team);

/* Channels first .. first+channels-1 of `all` that a window sees. */
struct seen {
	const struct sluice__window *window;
	size_t all, first, channels;
};

/* dw [rows,taps,channels of a group] (+)= what it has of a gradient [rows,taps,channels seen]. */
void sluice__convolution_take(const struct seen *seen, size_t hidden, size_t rows, const real *dense, bool add,
			      real *dw, const struct team *team);

/* --- winograd.c: convolutions of 3 x 3 and 5 x 5 by tiles --- */

/* Gradients that da [rows,4 span] makes, on images of size `from`, through a window backwards on images of size `to`:
 * one for each of what was seen through windows of this size and place. */
struct winograd_back {
	size_t layer;
	const struct sluice__window *window;
	struct sluice__image from, to;
	const real *da;
	struct winograd_target {
		const real *panels;
		size_t width;
		bool add;
		real *c;
		size_t c_row;
	} target[MOST_SEGMENTS + 1];
	size_t targets;
};

/* Whether the gradient of what a layer reads is made in every step, from the tiles that make that of h. */
bool sluice__winograd_joins(const struct pass *pass, size_t layer);

/* Each thread of the team some strips; returns before others are done. */
void sluice__winograd_back(const struct pass *pass, const struct winograd_back *back, size_t direction, size_t images,
			   const struct team *team);

/* What a matrix saw in all steps, and where its gradient goes: channels first .. of `all` of dw [4H,taps,all]. */
struct winograd_seen {
	const struct sluice__window *window;
	struct sluice__image from;
	const real *images;
	size_t step, row, channels;
	real *dw;
	size_t all, first;
	unsigned absent;
};

/* The gradients of W, by its segments, and of R, in the order in which their channels enter. */
void sluice__winograd_gradient(const struct pass *pass, size_t index, const struct winograd_seen *seen, size_t count,
			       const real *da, bool add, const struct team *team);

/* --- one step --- */

/* The same as sluice__convolve_step, and x with it where the layer takes it so. */
void sluice__winograd_step(const struct strip *strip, const struct rows *h, const struct moment *moment,
			   const struct sluice__step *job, const struct team *team);

/* Some rows of a step's job, with all of their units. */
struct sluice__step sluice__convolution_part(const struct packed_layer *packed, const struct sluice__step *job,
					     struct sluice__range rows);

/* Start values of all steps: the bias plus the convolution of x, by its segments; each thread some rows. */
void sluice__convolve_input(const struct strip *strip, const struct rows input[MOST_SEGMENTS], real *gates,
			    const struct team *team);

/* The products and the kernel of a step of images, each thread some rows with all of their units. */
void sluice__convolve_step(const struct strip *strip, const struct rows *h, const struct moment *moment,
			   const struct sluice__step *job, const struct team *team);

/* The output gate's product of a split step with all of e: waiting [rows,padded] += V_o e. */
void sluice__convolve_memory(const struct strip *strip, size_t rows, const real *e, real *waiting,
			     const struct team *team);

#endif
