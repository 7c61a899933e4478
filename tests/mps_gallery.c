/* mps_gallery.c: lays images out in memory, and runs stacks of MPS's LSTM on them in the plain way. */
#include "mps_gallery.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { EMPTY = 0xff }; /* a byte of which no number is made */

static MPSImageDescriptor *describe(const struct rnn_gallery *gallery, BNNSDataType type)
{
	const MPSImageFeatureChannelFormat format =
		type == BNNSDataTypeFloat16 ? MPSImageFeatureChannelFormatFloat16 : MPSImageFeatureChannelFormatFloat32;
	MPSImageDescriptor *descriptor = MPSImageDescriptor_imageDescriptor(format, gallery->width, gallery->height,
									    gallery->channels, gallery->images, 0);

	assert_mps(descriptor);
	return descriptor;
}

static size_t draw_gap(struct bnns_random *random, int plain)
{
	return plain || random_chance(random, 0.5) ? 0 : random_below(random, 4);
}

void rnn_gallery_create(struct bnns_random *random, const struct rnn_gallery_wish *wish, struct rnn_gallery *out)
{
	size_t size = 0, image_bytes[RNN_STEPS], row_bytes[RNN_STEPS];

	memset(out, 0, sizeof *out);
	out->steps = wish->steps;
	out->images = wish->images;
	out->height = wish->height;
	out->width = wish->width;
	out->channels = wish->channels;
	for (size_t t = 0; t < wish->steps; t++) {
		const int plain = wish->plain;

		out->types[t] = plain || random_chance(random, 0.6) ? BNNSDataTypeFloat32 : BNNSDataTypeFloat16;
		out->owned[t] = random_chance(random, 0.3);
		const size_t element = bnns_type_bytes(out->types[t]);

		row_bytes[t] = (wish->width * wish->channels + draw_gap(random, plain || out->owned[t])) * element;
		image_bytes[t] = row_bytes[t] * wish->height + draw_gap(random, plain || out->owned[t]) * element;
		size = (size + element - 1) / element * element + draw_gap(random, plain) * element;
		out->at[t] = size;
		size += wish->images * image_bytes[t];
	}
	out->size = size;
	out->bytes = malloc(size);
	out->before = malloc(size);
	assert_true(out->bytes && out->before);
	memset(out->bytes, EMPTY, size);
	for (size_t t = 0; t < wish->steps; t++) {
		MPSImageDescriptor *descriptor = describe(out, out->types[t]);
		const int silent = row_bytes[t] == wish->width * wish->channels * bnns_type_bytes(out->types[t]) &&
				   image_bytes[t] == row_bytes[t] * wish->height && random_chance(random, 0.5);

		out->row_bytes[t] = row_bytes[t];
		out->image_bytes[t] = image_bytes[t];
		out->list[t] = out->owned[t] ? MPSImage_initWithDevice_imageDescriptor(NULL, descriptor)
					     : sluice_mps_image(out->bytes + out->at[t], silent ? 0 : row_bytes[t],
								silent ? 0 : image_bytes[t], descriptor);
		assert_mps(out->list[t]);
		MPSImageDescriptor_release(descriptor);
	}
}

void rnn_gallery_destroy(struct rnn_gallery *gallery)
{
	for (size_t t = 0; t < gallery->steps; t++)
		MPSImage_release(gallery->list[t]);
	free(gallery->bytes);
	free(gallery->before);
	memset(gallery, 0, sizeof *gallery);
}

static size_t place_of(const struct rnn_gallery *gallery, size_t step, size_t image, size_t k)
{
	const size_t line = gallery->width * gallery->channels;

	return gallery->at[step] + image * gallery->image_bytes[step] + k / line * gallery->row_bytes[step] +
	       k % line * bnns_type_bytes(gallery->types[step]);
}

static size_t numbers_of(const struct rnn_gallery *gallery)
{
	return gallery->height * gallery->width * gallery->channels;
}

static void image_store(const struct rnn_gallery *gallery, size_t step, size_t image, const float *from,
			unsigned char *bytes)
{
	const BNNSDataType type = gallery->types[step];

	for (size_t k = 0; k < numbers_of(gallery); k++)
		bnns_store(type, number_nearest(type, (double)from[k]), bytes + place_of(gallery, step, image, k));
}

/* Channels first, for an image that is written so. */
static void turn(const struct rnn_gallery *gallery, size_t element, const unsigned char *from, unsigned char *to,
		 int first)
{
	const size_t places = gallery->height * gallery->width;

	for (size_t place = 0; place < places; place++)
		for (size_t c = 0; c < gallery->channels; c++) {
			const size_t last_at = place * gallery->channels + c, first_at = c * places + place;

			memcpy(to + (first ? first_at : last_at) * element,
			       from + (first ? last_at : first_at) * element, element);
		}
}

void rnn_gallery_write(struct rnn_gallery *gallery, size_t step, size_t image, const float *from)
{
	const size_t element = bnns_type_bytes(gallery->types[step]), bytes = numbers_of(gallery) * element;
	const int first = (int)(image + step) % 2;

	image_store(gallery, step, image, from, gallery->bytes);
	if (!gallery->owned[step])
		return;
	unsigned char *turned = rnn_take(bytes, 1), *packed = gallery->bytes + place_of(gallery, step, image, 0);

	turn(gallery, element, packed, turned, 1);
	assert_mps(MPSImage_writeBytes_dataLayout_imageIndex(gallery->list[step], first ? turned : packed,
							     first ? MPSDataLayoutFeatureChannelsxHeightxWidth
								   : MPSDataLayoutHeightxWidthxFeatureChannels,
							     image) == 0);
	free(turned);
}

/* What an image of the library's own memory has. */
static void fetch(struct rnn_gallery *gallery, size_t step, size_t image)
{
	const size_t element = bnns_type_bytes(gallery->types[step]), bytes = numbers_of(gallery) * element;
	const int first = (int)(image + step) % 2;
	unsigned char *read, *packed = gallery->bytes + place_of(gallery, step, image, 0);

	if (!gallery->owned[step])
		return;
	read = rnn_take(bytes, 1);
	assert_mps(MPSImage_readBytes_dataLayout_imageIndex(gallery->list[step], read,
							    first ? MPSDataLayoutFeatureChannelsxHeightxWidth
								  : MPSDataLayoutHeightxWidthxFeatureChannels,
							    image) == 0);
	if (first)
		turn(gallery, element, read, packed, 0);
	else
		memcpy(packed, read, bytes);
	free(read);
}

void rnn_gallery_read(struct rnn_gallery *gallery, size_t step, size_t image, float *to)
{
	fetch(gallery, step, image);
	for (size_t k = 0; k < numbers_of(gallery); k++)
		to[k] = (float)bnns_load(gallery->types[step], gallery->bytes + place_of(gallery, step, image, k));
}

static void fetch_all(struct rnn_gallery *gallery)
{
	for (size_t t = 0; t < gallery->steps; t++)
		for (size_t n = 0; n < gallery->images; n++)
			fetch(gallery, t, n);
}

void rnn_gallery_remember(struct rnn_gallery *gallery)
{
	fetch_all(gallery);
	memcpy(gallery->before, gallery->bytes, gallery->size);
}

void rnn_gallery_expect(struct rnn_gallery *gallery, size_t step, size_t image, const float *values)
{
	image_store(gallery, step, image, values, gallery->before);
}

int rnn_gallery_same(struct rnn_gallery *gallery)
{
	fetch_all(gallery);
	return memcmp(gallery->before, gallery->bytes, gallery->size) == 0;
}

/* ---------------------------------------------------------------------------------------------------- states ---- */

typedef int mover(MPSImage *image, float *numbers, size_t index);

static int write_one(MPSImage *image, float *numbers, size_t index)
{
	return MPSImage_writeBytes_dataLayout_imageIndex(image, numbers, MPSDataLayoutHeightxWidthxFeatureChannels,
							 index);
}

static int read_one(MPSImage *image, float *numbers, size_t index)
{
	return MPSImage_readBytes_dataLayout_imageIndex(image, numbers, MPSDataLayoutHeightxWidthxFeatureChannels,
							index);
}

static void part_move(const struct sluice__cell *cell, MPSImage *image, size_t images, float *numbers, mover *move)
{
	assert_mps(image);
	assert_int_equal(MPSImage_featureChannels(image), cell->hidden);
	assert_int_equal(MPSImage_numberOfImages(image), images);
	assert_int_equal(MPSImage_width(image) * MPSImage_height(image), cell->places);
	assert_int_equal(MPSImage_featureChannelFormat(image), MPSImageFeatureChannelFormatFloat32);
	for (size_t n = 0; n < images; n++)
		assert_mps(move(image, numbers + n * cell->places * cell->hidden, n) == 0);
}

static void state_move(const struct rnn_oracle *oracle, const MPSRNNRecurrentImageState *state, size_t images,
		       const struct rnn_states *here, mover *move)
{
	const size_t layers = oracle->network.cell_count;

	for (size_t k = 0; k < layers; k++) {
		const struct sluice__cell *cell = &oracle->network.cells[k];

		part_move(cell, MPSRNNRecurrentImageState_getRecurrentOutputImageForLayerIndex(state, k), images,
			  here->h + cell->h_state * images, move);
		part_move(cell, MPSRNNRecurrentImageState_getMemoryCellImageForLayerIndex(state, k), images,
			  here->c + cell->c_state * images, move);
	}
	assert_null(MPSRNNRecurrentImageState_getRecurrentOutputImageForLayerIndex(state, layers));
	assert_null(MPSRNNRecurrentImageState_getMemoryCellImageForLayerIndex(state, layers));
}

void rnn_image_state_write(const struct rnn_oracle *oracle, const struct rnn_states *from, size_t images,
			   MPSRNNRecurrentImageState *state)
{
	state_move(oracle, state, images, from, write_one);
}

void rnn_image_state_read(const struct rnn_oracle *oracle, const MPSRNNRecurrentImageState *state, size_t images,
			  struct rnn_states *out)
{
	rnn_states_create(oracle, images, out);
	state_move(oracle, state, images, out, read_one);
}

void rnn_image_state_expect(const struct rnn_oracle *oracle, const struct rnn_states *expected, size_t images,
			    uint64_t seed, const MPSRNNRecurrentImageState *state)
{
	struct rnn_states found;

	rnn_image_state_read(oracle, state, images, &found);
	if (memcmp(found.h, expected->h, images * oracle->network.h_width * sizeof(float)) != 0 ||
	    memcmp(found.c, expected->c, images * oracle->network.c_width * sizeof(float)) != 0)
		fail_msg("seed %zu: a state of images has other bits", (size_t)seed);
	rnn_states_destroy(&found);
}

/* ------------------------------------------------------------------------------------------------------ runs ---- */

MPSRNNImageInferenceLayer *rnn_image_layer(const struct rnn_chain *chain)
{
	MPSLSTMDescriptor *descriptors[RNN_LAYERS];
	const MPSRNNDescriptor *bases[RNN_LAYERS];

	for (size_t k = 0; k < chain->count; k++) {
		descriptors[k] = rnn_descriptor(chain->layers[k]);
		bases[k] = MPSLSTMDescriptor_asRNNDescriptor(descriptors[k]);
	}
	MPSRNNImageInferenceLayer *layer =
		chain->count == 1 ? MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptor(NULL, bases[0])
				  : MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptors(NULL, bases, chain->count);

	assert_mps(layer);
	for (size_t k = 0; k < chain->count; k++)
		MPSLSTMDescriptor_release(descriptors[k]);
	return layer;
}

void rnn_run_images(MPSRNNImageInferenceLayer *layer, const struct rnn_oracle *oracle, const struct rnn_data *data,
		    uint64_t seed, struct rnn_found *found)
{
	const struct sluice__network *network = &oracle->network;
	struct bnns_random random = {seed};
	struct rnn_gallery x, y;
	const struct rnn_gallery_wish x_wish = {data->steps,       data->batch,     data->height,
						data->image_width, network->inputs, 1};
	const struct rnn_gallery_wish y_wish = {data->steps,       data->batch,      data->height,
						data->image_width, network->outputs, 1};
	MPSRNNRecurrentImageState *states[RNN_STEPS], *start = NULL;
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	rnn_gallery_create(&random, &x_wish, &x);
	rnn_gallery_create(&random, &y_wish, &y);
	for (size_t t = 0; t < data->steps; t++)
		for (size_t n = 0; n < data->batch; n++)
			rnn_gallery_write(&x, t, n, rnn_data_x(data, t, n, network->x_row));
	rnn_gallery_remember(&y);
	if (data->start.h) {
		start = sluice_mps_image_state(layer, data->image_width, data->height, data->batch);
		rnn_image_state_write(oracle, &data->start, data->batch, start);
	}
	MPSRNNImageInferenceLayer_setStoreAllIntermediateStates(layer, 1);
	assert_mps(MPSRNNImageInferenceLayer_encodeSequence(layer, buffer, x.list, y.list, data->steps, start,
							    states) == 0);
	rnn_commit(buffer);
	MPSRNNImageInferenceLayer_setStoreAllIntermediateStates(layer, 0);
	for (size_t t = 0; t < data->steps; t++) {
		rnn_image_state_read(oracle, states[t], data->batch, &found->states[t]);
		for (size_t n = 0; n < data->batch; n++)
			rnn_gallery_expect(&y, t, n, rnn_output(oracle, &found->states[t], data->batch, n));
		MPSRNNRecurrentImageState_release(states[t]);
	}
	if (!rnn_gallery_same(&y))
		fail_msg("seed %zu: y is not the last layer's h", (size_t)seed);
	rnn_judge_found(oracle, data, seed, found);
	MPSRNNRecurrentImageState_release(start);
	rnn_gallery_destroy(&x);
	rnn_gallery_destroy(&y);
}
