/*
 * window.c: works out a convolution's borders and the size of its result from its description.
 */
#include "window.h"

/* Larger kernels, distances and borders are refused, so that nothing below overflows. */
#define EXTENT_MAX ((size_t)1 << 20)

static size_t or_one(size_t value)
{
	return value ? value : 1;
}

/* One of the two axes of an image. */
struct axis {
	const char *name;
	size_t taps, dilation, stride; /* never 0 */
	size_t before, after;          /* given borders, at the top and bottom or left and right */
	size_t image;
};

/* Replaces the given borders by those that the description asks for. */
static void borders_resolve(struct axis *axis, sluice_border border)
{
	if (border == SLUICE_BORDER_SAME) {
		axis->before = (axis->taps >> 1) * axis->dilation;
		axis->after = (axis->taps - 1 - (axis->taps >> 1)) * axis->dilation;
	}
	if (border == SLUICE_BORDER_NONE)
		axis->before = axis->after = 0;
}

/* Places of the result, or 0 if the kernel does not fit, or is beyond what anybody tests. */
static size_t result_of(const struct axis *axis)
{
	size_t seen = axis->image + axis->before + axis->after, reach = (axis->taps - 1) * axis->dilation;

	return seen > reach ? (seen - reach - 1) / axis->stride + 1 : 0;
}

static sluice_status axis_check(const char *name, size_t layer, const struct axis *axis)
{
	const size_t all[] = {axis->taps, axis->dilation, axis->stride, axis->before, axis->after, axis->image};

	for (size_t index = 0; index < sizeof(all) / sizeof(all[0]); index++)
		if (all[index] > EXTENT_MAX)
			return sluice_fail(SLUICE_INVALID_ARGUMENT, "layer %zu: %s_convolution has a %s of %zu", layer,
					   name, axis->name, all[index]);
	if (!result_of(axis))
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "layer %zu: %s_convolution has a %s of %zu taps at a distance of %zu, which an "
				   "image of %zu does not hold",
				   layer, name, axis->name, axis->taps, axis->dilation, axis->image);
	return SLUICE_OK;
}

sluice_status sluice__window_create(const char *name, size_t layer, const sluice_convolution *convolution,
				    size_t image_height, size_t image_width, struct sluice__window *out)
{
	static const sluice_convolution NOTHING;
	const sluice_convolution *from = convolution ? convolution : &NOTHING;
	struct axis y = {
		"height",     or_one(from->height), or_one(from->dilation_y), or_one(from->stride_y), from->top,
		from->bottom, image_height};
	struct axis x = {"width",     or_one(from->width), or_one(from->dilation_x), or_one(from->stride_x), from->left,
			 from->right, image_width};
	sluice_status status;

	if (from->border != SLUICE_BORDER_GIVEN && (from->top || from->left || from->bottom || from->right))
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "layer %zu: %s_convolution has zeros around the image, but its border is %d", layer,
				   name, (int)from->border);
	borders_resolve(&y, from->border);
	borders_resolve(&x, from->border);
	status = axis_check(name, layer, &y);
	if (status == SLUICE_OK)
		status = axis_check(name, layer, &x);
	if (status != SLUICE_OK)
		return status;
	*out = (struct sluice__window){
		.height = y.taps,
		.width = x.taps,
		.dilation_y = y.dilation,
		.dilation_x = x.dilation,
		.stride_y = y.stride,
		.stride_x = x.stride,
		.top = y.before,
		.left = x.before,
		.groups = or_one(from->groups),
		.image_height = image_height,
		.image_width = image_width,
		.result_height = result_of(&y),
		.result_width = result_of(&x),
	};
	return SLUICE_OK;
}
