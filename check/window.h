/*
 * window.h: what one convolution of a cell sees; without images the plain product, which is the same thing with one
 * place and one tap.
 */
#ifndef SLUICE_CHECK_WINDOW_H
#define SLUICE_CHECK_WINDOW_H

#include <stddef.h>

#include "sluice/sluice.h"

#define SLUICE__NONE ((size_t)-1)

/* A kernel laid on an image at every place of its result. Places count row by row; taps too, v * width + u. Its tensor
 * is [4H, taps, channels]. */
struct sluice__window {
	size_t height, width; /* of the kernel */
	size_t dilation_y, dilation_x, stride_y, stride_x, top, left;
	size_t groups;
	size_t units, channels;             /* of one group: the units of each gate, and what they see at a place */
	size_t image_height, image_width;   /* of what is seen */
	size_t result_height, result_width; /* of the places where the kernel is laid */
};

static inline size_t sluice__window_taps(const struct sluice__window *window)
{
	return window->height * window->width;
}

/* Columns of the tensor [4H, columns]: numbers that one unit sees, borders included. */
static inline size_t sluice__window_columns(const struct sluice__window *window)
{
	return sluice__window_taps(window) * window->channels;
}

/* The first channel of the image that a unit sees; it sees as many as `channels` says. */
static inline size_t sluice__window_channel(const struct sluice__window *window, size_t unit)
{
	return unit / window->units * window->channels;
}

/* The place of the image that a tap reads where the kernel is laid at `place`; SLUICE__NONE outside of the image. */
static inline size_t sluice__window_seen(const struct sluice__window *window, size_t place, size_t tap)
{
	size_t y = place / window->result_width * window->stride_y + tap / window->width * window->dilation_y;
	size_t x = place % window->result_width * window->stride_x + tap % window->width * window->dilation_x;

	if (y < window->top || x < window->left)
		return SLUICE__NONE;
	y -= window->top;
	x -= window->left;
	return y < window->image_height && x < window->image_width ? y * window->image_width + x : SLUICE__NONE;
}

/* Lays a convolution on an image. NULL, or all zero, is a kernel of one tap. Says what is wrong beyond channels and
 * groups, which are the caller's to set. Errors: INVALID_ARGUMENT. */
sluice_status sluice__window_create(const char *name, size_t layer, const sluice_convolution *convolution,
				    size_t image_height, size_t image_width, struct sluice__window *out);

#endif
