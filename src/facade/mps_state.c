/* mps_state.c exists to keep h and c of every layer of a stack, as matrices or images that a program can look at. */
#include "mps_internal.h"

#include <stdlib.h>
#include <string.h>

static void state_destroy(void *object)
{
	struct recurrent *state = object;
	for (size_t each = 0; state->views && each < 2 * state->layers; each++)
		sluice__object_release(state->views[each]);
	free(state->views);
	free(state->data);
	free(state->channels);
	free(state);
}

MPS_COUNTED(MPSRNNRecurrentMatrixState)
MPS_COUNTED(MPSRNNRecurrentImageState)

static size_t places(size_t height, size_t width)
{
	return height ? height * width : 1;
}

size_t sluice__mps_recurrent_width(const struct recurrent *state, size_t layer)
{
	return state->channels[layer] * places(state->height, state->width);
}

/* The memory is the matrix's or the image's, so that who retains one of them may let the state go. */
static int part_make(struct recurrent *state, size_t each)
{
	const size_t channels = state->channels[each / 2];
	if (state->height) {
		MPSImage *image = sluice__mps_image_own(state->rows, state->height, state->width, channels);
		state->data[each] = image ? (float *)image->data : NULL;
		state->views[each] = image;
		return image != NULL;
	}
	MPSMatrix *matrix = sluice__mps_matrix_own(state->rows, channels, MPSDataTypeFloat32);
	state->data[each] = matrix ? (float *)matrix->buffer : NULL;
	state->views[each] = matrix;
	return matrix != NULL;
}

struct recurrent *sluice__mps_recurrent(const struct recurrent_shape *shape, enum meaning meaning, int temporary)
{
	struct recurrent *state = sluice__object_new(sizeof *state, state_destroy);
	if (!state)
		return NULL;
	state->layers = shape->layers;
	state->rows = shape->rows;
	state->height = shape->height;
	state->width = shape->width;
	state->meaning = meaning;
	state->temporary = temporary;
	state->readCount = temporary ? 1 : 0;
	state->channels = sluice__object_allocate(shape->layers, sizeof *state->channels);
	state->data = sluice__object_allocate(2 * shape->layers, sizeof *state->data);
	state->views = sluice__object_allocate(2 * shape->layers, sizeof *state->views);
	int made = state->channels && state->data && state->views;
	if (made)
		memcpy(state->channels, shape->channels, shape->layers * sizeof *state->channels);
	for (size_t each = 0; made && each < 2 * shape->layers; each++)
		made = part_make(state, each);
	if (made)
		return state;
	sluice__object_release(state);
	return NULL;
}

static int readable(const struct recurrent *state)
{
	return !state->temporary || state->readCount > 0;
}

sluice_status sluice__mps_recurrent_check(const struct recurrent *state, const struct recurrent_shape *shape,
					  enum meaning meaning)
{
	static const char *const meanings[] = {"", "a state", "gradients of a state"};
	if (!state)
		return SLUICE_OK;
	if (!readable(state))
		return MPS_INVALID("recurrentInputState is temporary and its read count is 0");
	if (state->meaning != MEANING_ANY && meaning != state->meaning)
		return MPS_INVALID("recurrentInputState holds %s, expected %s", meanings[state->meaning],
				   meanings[meaning]);
	if (state->layers != shape->layers)
		return MPS_INVALID("recurrentInputState is of %zu layers, expected %zu", state->layers, shape->layers);
	for (size_t layer = 0; layer < state->layers; layer++)
		if (state->channels[layer] != shape->channels[layer])
			return MPS_INVALID("recurrentInputState has %zu channels in layer %zu, expected %zu",
					   state->channels[layer], layer, shape->channels[layer]);
	if (state->height != shape->height || state->width != shape->width)
		return MPS_INVALID("recurrentInputState has images of %zu x %zu, expected %zu x %zu", state->width,
				   state->height, shape->width, shape->height);
	if (state->rows < shape->rows || (state->height && state->rows != shape->rows))
		return MPS_INVALID("recurrentInputState has %zu %s, expected %s%zu", state->rows,
				   state->height ? "images" : "rows", state->height ? "" : "at least ", shape->rows);
	return SLUICE_OK;
}

void sluice__mps_recurrent_read(struct recurrent *state)
{
	if (state && state->temporary)
		state->readCount--;
}

sluice_status sluice__mps_recurrent_write(const struct recurrent *state, const sluice_plan *plan, void *core)
{
	for (size_t layer = 0; layer < state->layers; layer++)
		MPS_TRY(sluice_state_write(plan, core, state->rows, layer, 0, state->data[2 * layer],
					   state->data[2 * layer + 1]));
	return SLUICE_OK;
}

sluice_status sluice__mps_recurrent_take(struct recurrent *state, const sluice_plan *plan, const void *core)
{
	for (size_t layer = 0; layer < state->layers; layer++)
		MPS_TRY(sluice_state_read(plan, core, state->rows, layer, 0, state->data[2 * layer],
					  state->data[2 * layer + 1]));
	return SLUICE_OK;
}

/* One layer's h or c of one step: rows that are there from the sequence, the others from before. */
static void part_unroll(struct recurrent *state, const struct recurrent *before, size_t each, size_t there,
			const float *from, size_t stride)
{
	const size_t width = sluice__mps_recurrent_width(state, each / 2), bytes = width * sizeof(float);
	float *to = state->data[each];
	for (size_t row = 0; row < there; row++)
		memcpy(to + row * width, from + row * stride, bytes);
	if (before)
		memcpy(to + there * width, before->data[each] + there * width, (state->rows - there) * bytes);
	else
		memset(to + there * width, 0, (state->rows - there) * bytes);
}

void sluice__mps_recurrent_unroll(struct recurrent *const *states, size_t steps, const size_t *batch_sizes,
				  const struct recurrent *start, const float *h, const float *c)
{
	const struct recurrent *before = start;
	size_t sum = 0;
	for (size_t layer = 0; layer < states[0]->layers; layer++)
		sum += sluice__mps_recurrent_width(states[0], layer);
	for (size_t step = 0; step < steps; step++) {
		struct recurrent *state = states[step];
		const size_t there = batch_sizes ? batch_sizes[step] : state->rows;
		size_t at = step * state->rows * sum;
		for (size_t layer = 0; layer < state->layers; layer++) {
			part_unroll(state, before, 2 * layer, there, h + at, sum);
			part_unroll(state, before, 2 * layer + 1, there, c + at, sum);
			at += sluice__mps_recurrent_width(state, layer);
		}
		before = state;
	}
}

/* --- what programs see --- */

static void *view(const struct recurrent *state, size_t layer, size_t part)
{
	return state && layer < state->layers && readable(state) ? state->views[2 * layer + part] : NULL;
}

MPSMatrix *MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(const MPSRNNRecurrentMatrixState *state,
									    size_t layerIndex)
{
	return view((const struct recurrent *)state, layerIndex, 0);
}

MPSMatrix *MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(const MPSRNNRecurrentMatrixState *state,
								       size_t layerIndex)
{
	return view((const struct recurrent *)state, layerIndex, 1);
}

MPSImage *MPSRNNRecurrentImageState_getRecurrentOutputImageForLayerIndex(const MPSRNNRecurrentImageState *state,
									 size_t layerIndex)
{
	return view((const struct recurrent *)state, layerIndex, 0);
}

MPSImage *MPSRNNRecurrentImageState_getMemoryCellImageForLayerIndex(const MPSRNNRecurrentImageState *state,
								    size_t layerIndex)
{
	return view((const struct recurrent *)state, layerIndex, 1);
}

#define COUNTS(class)                                             \
	int class##_isTemporary(const class *state)               \
	{                                                         \
		return state && state->recurrent.temporary;       \
	}                                                         \
	size_t class##_readCount(const class *state)              \
	{                                                         \
		return state ? state->recurrent.readCount : 0;    \
	}                                                         \
	void class##_setReadCount(class *state, size_t readCount) \
	{                                                         \
		if (class##_isTemporary(state))                   \
			state->recurrent.readCount = readCount;   \
	}
COUNTS(MPSRNNRecurrentMatrixState)
COUNTS(MPSRNNRecurrentImageState)
