/* mps_kernel.c exists to bring the four gates' kernels of a layer of images into one form, since the core has one.
 *
 * Where they differ, in size, dilation or groups, each becomes a dense kernel around a common centre. The taps that are
 * new are zero.
 */
#include "mps_internal.h"

#include <stdlib.h>
#include <string.h>

/* How far a kernel reaches to both sides of its centre. */
struct reach {
	size_t before, after;
};

static struct reach reach_of(size_t size, size_t dilation)
{
	const size_t centre = size >> 1;
	return (struct reach){centre * dilation, (size - 1 - centre) * dilation};
}

static struct reach widest(struct reach a, struct reach b)
{
	return (struct reach){a.before > b.before ? a.before : b.before, a.after > b.after ? a.after : b.after};
}

/* Whether it can be said how far a kernel reaches. */
static sluice_status reach_check(const struct kernel *kernel, size_t index)
{
	if (kernel->height - 1 <= PTRDIFF_MAX / kernel->dilation_y &&
	    kernel->width - 1 <= PTRDIFF_MAX / kernel->dilation_x)
		return SLUICE_OK;
	return MPS_INVALID("layer %zu: a kernel of %zu x %zu with dilation rates %zu and %zu is too large", index,
			   kernel->width, kernel->height, kernel->dilation_x, kernel->dilation_y);
}

/* A single tap has no distance. */
static struct kernel plain(struct kernel kernel)
{
	kernel.dilation_y = kernel.height == 1 ? 1 : kernel.dilation_y;
	kernel.dilation_x = kernel.width == 1 ? 1 : kernel.dilation_x;
	return kernel;
}

static int same(const struct kernel *a, const struct kernel *b)
{
	return a->height == b->height && a->width == b->width && a->dilation_y == b->dilation_y &&
	       a->dilation_x == b->dilation_x && a->groups == b->groups;
}

/* What all kernels become. */
struct frame {
	struct reach y, x;
	size_t in, out;
};

static float *expand(const struct weights *weights, const struct frame *frame)
{
	const struct kernel *kernel = &weights->kernel;
	const size_t height = frame->y.before + frame->y.after + 1, width = frame->x.before + frame->x.after + 1;
	const size_t top = frame->y.before - reach_of(kernel->height, kernel->dilation_y).before;
	const size_t left = frame->x.before - reach_of(kernel->width, kernel->dilation_x).before;
	const size_t part = frame->in / kernel->groups;
	float *dense = sluice__object_allocate(frame->out * height, width * frame->in * sizeof *dense);
	const float *from = weights->values;
	for (size_t out = 0; dense && out < frame->out; out++)
		for (size_t v = 0; v < kernel->height; v++)
			for (size_t u = 0; u < kernel->width; u++, from += part) {
				const size_t y = top + v * kernel->dilation_y, x = left + u * kernel->dilation_x;
				const size_t group = out / (frame->out / kernel->groups);
				float *to = dense + ((out * height + y) * width + x) * frame->in + group * part;
				memcpy(to, from, part * sizeof *to);
			}
	return dense;
}

static sluice_status frame_check(const struct frame *frame, size_t index)
{
	const size_t limit = PTRDIFF_MAX / sizeof(float), height = frame->y.before + frame->y.after + 1,
		     width = frame->x.before + frame->x.after + 1;
	if (height <= limit / width && height * width <= limit / frame->in / frame->out)
		return SLUICE_OK;
	return MPS_INVALID("layer %zu: kernels that differ, of %zu x %zu together, are too large", index, width,
			   height);
}

static sluice_status gates_expand(struct lstm *lstm, enum part part, size_t index)
{
	struct frame frame = {.in = part == PART_INPUT ? lstm->inputs : lstm->hidden, .out = lstm->hidden};
	for (int gate = 0; gate < GATES; gate++) {
		const struct weights *weights = &lstm->weights[part][gate];
		if (!weights->values)
			continue;
		MPS_TRY(reach_check(&weights->kernel, index));
		frame.y = widest(frame.y, reach_of(weights->kernel.height, weights->kernel.dilation_y));
		frame.x = widest(frame.x, reach_of(weights->kernel.width, weights->kernel.dilation_x));
	}
	MPS_TRY(frame_check(&frame, index));
	for (int gate = 0; gate < GATES; gate++) {
		struct weights *weights = &lstm->weights[part][gate];
		if (!weights->values)
			continue;
		float *dense = expand(weights, &frame);
		if (!dense)
			return SLUICE_OUT_OF_MEMORY;
		free(weights->values);
		weights->values = dense;
	}
	lstm->convolutions[part] = (sluice_convolution){
		.height = frame.y.before + frame.y.after + 1,
		.width = frame.x.before + frame.x.after + 1,
		.border = SLUICE_BORDER_GIVEN,
		.top = frame.y.before,
		.bottom = frame.y.after,
		.left = frame.x.before,
		.right = frame.x.after,
	};
	return SLUICE_OK;
}

static sluice_status part_unite(struct lstm *lstm, enum part part, size_t index)
{
	const struct kernel *first = NULL;
	int alike = 1;
	for (int gate = 0; gate < GATES; gate++) {
		struct weights *weights = &lstm->weights[part][gate];
		if (!weights->values)
			continue;
		weights->kernel = plain(weights->kernel);
		first = first ? first : &weights->kernel;
		alike = alike && same(first, &weights->kernel);
	}
	if (!first)
		return SLUICE_OK;
	if (!alike)
		return gates_expand(lstm, part, index);
	lstm->convolutions[part] = (sluice_convolution){
		.height = first->height,
		.width = first->width,
		.dilation_y = first->dilation_y,
		.dilation_x = first->dilation_x,
		.groups = first->groups,
	};
	return SLUICE_OK;
}

sluice_status sluice__mps_kernels_unite(struct lstm *lstm, size_t index)
{
	MPS_TRY(part_unite(lstm, PART_INPUT, index));
	MPS_TRY(part_unite(lstm, PART_RECURRENT, index));
	return lstm->diagonal ? SLUICE_OK : part_unite(lstm, PART_MEMORY, index);
}
