/* images.c exists to check the convolutions of a layer, and to know the sizes of the images that it makes. */
#include "core/internal.h"

#include "kernels/kernels.h"

enum {
	MOST_EXTENT = 1 << 15, /* of whatever a convolution counts in places */
	MOST_UNITS = 1 << 22   /* numbers of an image of h or c: the random counter has twenty bits for four of them */
};

struct named_convolution {
	const char *name;
	const sluice_convolution *given;
};

static sluice_status extents_check(const struct named_convolution *named, size_t index, size_t most)
{
	const sluice_convolution *given = named->given;
	const struct {
		const char *field;
		size_t value;
	} fields[] = {
		{"height", given->height},
		{"width", given->width},
		{"dilation_y", given->dilation_y},
		{"dilation_x", given->dilation_x},
		{"groups", given->groups},
		{"stride_y", given->stride_y},
		{"stride_x", given->stride_x},
		{"border", (size_t)given->border},
		{"top", given->top},
		{"left", given->left},
		{"bottom", given->bottom},
		{"right", given->right},
	};
	for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++)
		if (fields[j].value > most)
			return SLUICE_INVALID("layers[%zu].%s.%s is %zu, expected %s%zu", index, named->name,
					      fields[j].field, fields[j].value, most ? "at most " : "", most);
	return SLUICE_OK;
}

static sluice_status convolution_check(const struct named_convolution *named, size_t index)
{
	const sluice_convolution *given = named->given;
	SLUICE_TRY(extents_check(named, index, MOST_EXTENT));
	if ((unsigned)given->border > SLUICE_BORDER_GIVEN)
		return SLUICE_INVALID("layers[%zu].%s.border is %d, expected 0 to %d", index, named->name,
				      (int)given->border, SLUICE_BORDER_GIVEN);
	if (given->border != SLUICE_BORDER_GIVEN && (given->top || given->left || given->bottom || given->right))
		return SLUICE_INVALID("layers[%zu].%s has zeros top %zu, left %zu, bottom %zu, right %zu, expected 0 "
				      "unless border is %d",
				      index, named->name, given->top, given->left, given->bottom, given->right,
				      SLUICE_BORDER_GIVEN);
	return SLUICE_OK;
}

sluice_status sluice__images_check(const sluice_layer *layer, size_t index, bool images)
{
	const struct named_convolution all[] = {
		{"input_convolution", &layer->input_convolution},
		{"recurrent_convolution", &layer->recurrent_convolution},
		{"memory_convolution", &layer->memory_convolution},
	};
	const bool used[] = {layer->input == SLUICE_INPUT_WEIGHTS, true, layer->peephole == SLUICE_PEEPHOLE_FULL};
	for (size_t each = 0; each < sizeof all / sizeof all[0]; each++) {
		/* What the layer has no convolution for says nothing. */
		if (!images || !used[each])
			SLUICE_TRY(extents_check(&all[each], index, 0));
		else
			SLUICE_TRY(convolution_check(&all[each], index));
	}
	if (!images && layer->peephole == SLUICE_PEEPHOLE_ELEMENT)
		return SLUICE_INVALID("layers[%zu].peephole is %d, expected images: image_height is 0", index,
				      SLUICE_PEEPHOLE_ELEMENT);
	return SLUICE_OK;
}

static size_t or_one(size_t value)
{
	return value ? value : 1;
}

static struct sluice__window window_of(const sluice_convolution *given)
{
	struct sluice__window window = {
		.height = or_one(given->height),
		.width = or_one(given->width),
		.dilation_y = or_one(given->dilation_y),
		.dilation_x = or_one(given->dilation_x),
		.stride_y = or_one(given->stride_y),
		.stride_x = or_one(given->stride_x),
		.top = given->top,
		.left = given->left,
		.groups = or_one(given->groups),
	};
	if (given->border == SLUICE_BORDER_SAME) {
		window.top = (window.height >> 1) * window.dilation_y;
		window.left = (window.width >> 1) * window.dilation_x;
	}
	return window;
}

/* Places that a kernel finds along one side of an image: none if it does not fit. zeros: around the image. */
static size_t places_along(size_t side, size_t zeros, size_t kernel, size_t dilation, size_t stride)
{
	const size_t room = side + zeros, reach = (kernel - 1) * dilation + 1;
	return room < reach ? 0 : (room - reach) / stride + 1;
}

static struct sluice__image image_of(const sluice_convolution *given, const struct sluice__window *window,
				     struct sluice__image from)
{
	size_t zeros_y = given->top + given->bottom, zeros_x = given->left + given->right;
	if (given->border == SLUICE_BORDER_SAME) {
		zeros_y = (window->height - 1) * window->dilation_y;
		zeros_x = (window->width - 1) * window->dilation_x;
	}
	return (struct sluice__image){
		places_along(from.height, zeros_y, window->height, window->dilation_y, window->stride_y),
		places_along(from.width, zeros_x, window->width, window->dilation_x, window->stride_x),
	};
}

/* A window over `channels`, and the columns of its matrix. */
static sluice_status window_lay_out(const struct named_convolution *named, size_t index, size_t hidden, size_t channels,
				    struct sluice__window *window, size_t *depth)
{
	*window = window_of(named->given);
	if (hidden % window->groups || channels % window->groups)
		return SLUICE_INVALID("layers[%zu].%s.groups is %zu, expected a divisor of hidden = %zu and of the "
				      "%zu channels that it sees",
				      index, named->name, window->groups, hidden, channels);
	if (!sluice__multiply(sluice__taps(window), channels / window->groups, depth))
		return SLUICE_INVALID("layers[%zu].%s: a kernel of %zu by %zu over %zu channels overflows", index,
				      named->name, window->height, window->width, channels);
	return SLUICE_OK;
}

/* Kernels over h and c must put out images of the size that they see. */
static sluice_status size_kept_check(const struct named_convolution *named, size_t index,
				     const struct sluice__window *window, struct sluice__image image)
{
	const struct sluice__image out = image_of(named->given, window, image);
	if (window->stride_y != 1 || window->stride_x != 1 || out.height != image.height || out.width != image.width)
		return SLUICE_INVALID("layers[%zu].%s makes images of %zu by %zu from %zu by %zu, with strides %zu and "
				      "%zu, expected the same size without strides",
				      index, named->name, out.height, out.width, image.height, image.width,
				      window->stride_y, window->stride_x);
	return SLUICE_OK;
}

sluice_status sluice__images_lay_out(struct sluice__layer *layer, size_t index, struct sluice__image from)
{
	const sluice_layer *options = layer->options;
	const struct named_convolution input = {"input_convolution", &options->input_convolution},
				       recurrent = {"recurrent_convolution", &options->recurrent_convolution},
				       memory = {"memory_convolution", &options->memory_convolution};
	/* x that enters without weights has no channels that a kernel could divide. */
	const size_t channels = options->input == SLUICE_INPUT_WEIGHTS ? layer->inputs : 1;
	SLUICE_TRY(window_lay_out(&input, index, layer->hidden, channels, &layer->input, &layer->input_depth));
	SLUICE_TRY(window_lay_out(&recurrent, index, layer->hidden, layer->out, &layer->recurrent,
				  &layer->recurrent_depth));
	SLUICE_TRY(window_lay_out(&memory, index, layer->hidden, layer->hidden, &layer->memory, &layer->memory_depth));
	layer->from = from;
	layer->image = image_of(input.given, &layer->input, from);
	layer->places = sluice__places(layer->image);
	if (layer->places == 0)
		return SLUICE_INVALID("layers[%zu].input_convolution does not fit: a kernel of %zu by %zu, dilated by "
				      "%zu and %zu, over an image of %zu by %zu",
				      index, layer->input.height, layer->input.width, layer->input.dilation_y,
				      layer->input.dilation_x, from.height, from.width);
	SLUICE_TRY(size_kept_check(&recurrent, index, &layer->recurrent, layer->image));
	SLUICE_TRY(size_kept_check(&memory, index, &layer->memory, layer->image));
	const size_t widest = layer->out > layer->hidden ? layer->out : layer->hidden;
	const size_t columns = layer->recurrent_depth;
	if (layer->places > MOST_UNITS / ((widest + 3) & ~(size_t)3) ||
	    (options->dropconnect > 0 && columns > MOST_UNITS))
		return SLUICE_INVALID("layers[%zu] has images of %zu by %zu with %zu channels, and %zu columns of R, "
				      "expected at most %d numbers",
				      index, layer->image.height, layer->image.width, widest, columns, MOST_UNITS);
	return SLUICE_OK;
}

sluice_status sluice_model_image(const sluice_model *model, size_t layer, size_t *height, size_t *width)
{
	if (!model)
		return sluice__null("model");
	if (!height || !width)
		return sluice__null(height ? "width" : "height");
	const struct sluice__network *network = &model->network;
	if (layer > network->layer_count)
		return SLUICE_INVALID("layer is %zu, expected at most layer_count = %zu", layer, network->layer_count);
	const struct sluice__image image = layer < network->layer_count ? network->layers[layer].image : network->image;
	*height = network->images ? image.height : 0;
	*width = network->images ? image.width : 0;
	return SLUICE_OK;
}
