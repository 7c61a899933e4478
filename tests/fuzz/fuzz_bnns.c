/*
 * fuzz_bnns.c: whatever the descriptors of a BNNS call say, it ends in results or in a refusal that touches nothing.
 *
 * Bytes choose every field: mostly what fits, now and then what does not. Sizes and strides are small, or so large that
 * they must be refused, so that whatever is accepted lies within the memory here. No call may write to what it reads,
 * nor backward to what forward wrote, and a call repeated gives the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "sluice/bnns.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Descriptors of a struct: x h0 c0, y hn cn, and five of each gate. */
enum { DESCRIPTORS = 26, OUTPUTS = 3, OUTPUTS_END = 6, SIDES = 2 };

/* The largest extent of an array: the widest upper weights, all strides at their limit and four bytes each. */
enum { MOST_INPUTS = 4, MOST_HIDDEN = 4, MOST_BATCH = 3, MOST_LAYERS = 2, MOST_STEPS = 4, MOST_STRIDE = 12 };
enum { REGION = 4 * MOST_STRIDE * 2 * MOST_HIDDEN * MOST_HIDDEN * 2 * MOST_LAYERS + 64 };

struct scene {
	unsigned char *regions; /* [SIDES][DESCRIPTORS][REGION] */
	unsigned char *before;
	BNNSLayerParametersLSTM sides[SIDES];
	BNNSFilterParameters filter;
	uint32_t sequence[MOST_STEPS];
	int aliased; /* an array lies in the memory of another */
};

/* One choice in sixteen is an odd one. */
static int odd(struct input *input)
{
	return next(input) % 16 == 15;
}

static size_t draw_size(struct input *input, size_t most)
{
	static const size_t strange[] = {0, SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 4};

	if (next(input) == 255)
		return strange[next(input) % 4];
	return 1 + next(input) % most;
}

static BNNSNDArrayDescriptor *descriptor_of(BNNSLayerParametersLSTM *layer, size_t index)
{
	BNNSLSTMDataDescriptor *data = index < OUTPUTS ? &layer->input_descriptor : &layer->output_descriptor;
	BNNSLSTMGateDescriptor *gates[] = {&layer->input_gate, &layer->forget_gate, &layer->candidate_gate,
					   &layer->output_gate};

	if (index < OUTPUTS_END) {
		BNNSNDArrayDescriptor *parts[] = {&data->data_desc, &data->hidden_desc, &data->cell_state_desc};

		return parts[index % OUTPUTS];
	}
	BNNSLSTMGateDescriptor *gate = gates[(index - OUTPUTS_END) / 5];
	BNNSNDArrayDescriptor *parts[] = {&gate->iw_desc[0], &gate->iw_desc[1], &gate->hw_desc, &gate->cw_desc,
					  &gate->b_desc};
	return parts[(index - OUTPUTS_END) % 5];
}

static BNNSDataLayout draw_layout(struct input *input)
{
	static const BNNSDataLayout layouts[] = {0,
						 0,
						 BNNSDataLayoutSNE,
						 BNNSDataLayoutNSE,
						 BNNSDataLayout4DLastMajor,
						 BNNSDataLayout4DFirstMajor,
						 BNNSDataLayout3DLastMajor,
						 BNNSDataLayout3DFirstMajor,
						 BNNSDataLayoutRowMajorMatrix,
						 BNNSDataLayoutVector,
						 BNNSDataLayoutImageCHW,
						 BNNSDataLayoutConvolutionWeightsOIHW,
						 BNNSDataLayout8DFirstMajor,
						 BNNSDataLayoutColumnMajorMatrix,
						 BNNSDataLayout1DFirstMajor,
						 0x99999};

	return layouts[next(input) % 16];
}

static BNNSDataType draw_type(struct input *input)
{
	static const BNNSDataType types[] = {BNNSDataTypeFloat16, BNNSDataTypeBFloat16, BNNSDataTypeInt8, 0};

	return odd(input) ? types[next(input) % 4] : BNNSDataTypeFloat32;
}

static void draw_shape(struct input *input, BNNSNDArrayDescriptor *descriptor)
{
	for (size_t k = 0; k < 4; k++) {
		const uint8_t choice = next(input);

		descriptor->size[k] = choice & 1 ? 1 + choice / 2 % 8 : 0;
		descriptor->stride[k] = choice & 64 ? next(input) % (MOST_STRIDE + 1) : 0;
	}
	if (odd(input))
		descriptor->stride[next(input) % BNNS_MAX_TENSOR_DIMENSION] = SIZE_MAX - next(input);
	if (odd(input))
		descriptor->size[next(input) % BNNS_MAX_TENSOR_DIMENSION] = SIZE_MAX - next(input);
}

/* Most descriptors say nothing but where and what: only then do calls get anywhere. */
static void draw_descriptor(struct scene *scene, struct input *input, size_t side, size_t index, BNNSDataType type)
{
	BNNSNDArrayDescriptor *descriptor = descriptor_of(&scene->sides[side], index);
	const uint8_t choice = next(input);
	size_t region = side * DESCRIPTORS + index;

	descriptor->data_type = type;
	if (choice & 1)
		descriptor->data_type = draw_type(input);
	if (choice & 2)
		descriptor->layout = draw_layout(input);
	if ((choice & 12) == 12)
		draw_shape(input, descriptor);
	if (side)
		descriptor->flags = choice >> 4 & 1;
	if ((choice & 0xE0) == 0xE0 || (choice & 0xE0) == 0x20)
		return;
	if ((choice & 0xE0) == 0xC0) {
		region = next(input) % (SIDES * DESCRIPTORS);
		scene->aliased |= region != side * DESCRIPTORS + index;
	}
	descriptor->data = scene->regions + region * REGION + (odd(input) ? next(input) % 64 : 0);
}

static void draw_scene(struct scene *scene, struct input *input)
{
	static const BNNSDataType types[] = {BNNSDataTypeFloat32, BNNSDataTypeFloat32, BNNSDataTypeFloat16,
					     BNNSDataTypeBFloat16};
	BNNSLayerParametersLSTM *layer = &scene->sides[0];
	const BNNSDataType type = types[next(input) % 4];
	BNNSActivation *activations[] = {&layer->input_gate.activation, &layer->forget_gate.activation,
					 &layer->candidate_gate.activation, &layer->output_gate.activation,
					 &layer->hidden_activation};

	layer->input_size = draw_size(input, MOST_INPUTS);
	layer->hidden_size = draw_size(input, MOST_HIDDEN);
	layer->batch_size = draw_size(input, MOST_BATCH);
	layer->num_layers = draw_size(input, MOST_LAYERS);
	layer->seq_len = draw_size(input, MOST_STEPS);
	layer->dropout = next(input) % 4 ? 0 : (float)next(input) / 200;
	layer->lstm_flags = next(input) % (odd(input) ? 8 : 4);
	for (size_t k = 0; k < 5 && !(layer->lstm_flags & BNNSLayerFlagsLSTMDefaultActivations); k++) {
		activations[k]->function = next(input) % 34;
		activations[k]->alpha = (float)next(input) / 64 - 1;
		activations[k]->beta = (float)next(input) / 64 - 1;
	}
	if (!(next(input) % 4)) {
		layer->sequence_descriptor.data = scene->sequence;
		layer->sequence_descriptor.data_type = odd(input) ? draw_type(input) : BNNSDataTypeUInt32;
		const size_t batch = layer->batch_size < MOST_BATCH ? layer->batch_size : MOST_BATCH;

		for (size_t t = 0, rows = batch + odd(input); t < MOST_STEPS; t++)
			scene->sequence[t] = (uint32_t)(rows -= next(input) % 4 ? 0 : rows > 0);
	}
	scene->sides[1] = *layer;
	for (size_t side = 0; side < SIDES; side++)
		for (size_t index = 0; index < DESCRIPTORS; index++)
			draw_descriptor(scene, input, side, index, type);
	scene->filter.n_threads = 1;
	scene->filter.flags = odd(input) ? next(input) : 0;
}

static void draw_options(struct input *input)
{
	sluice_bnns_options options = SLUICE_BNNS_OPTIONS_INIT;
	int *switches[] = {&options.input_weights,         &options.stacking,      &options.dropout_scaling,
			   &options.dropout_without_cache, &options.sequence_rows, &options.data_aliasing,
			   &options.padding_rows};
	const uint8_t choice = next(input);

	for (size_t k = 0; k < 7; k++)
		*switches[k] = choice >> k & 1;
	if (sluice_bnns_set_options(&options) != 0)
		abort();
}

static void remember(struct scene *scene)
{
	memcpy(scene->before, scene->regions, (size_t)SIDES * DESCRIPTORS * REGION);
}

/* Nothing outside the arrays that a call puts out has changed, and after a refusal nothing at all has. */
static void check(const struct scene *scene, int result, size_t written)
{
	if (result != 0 && result != -1)
		abort();
	if (result == -1 && strlen(sluice_bnns_last_message()) < 10)
		abort();
	for (size_t region = 0; region < (size_t)SIDES * DESCRIPTORS; region++) {
		const size_t side = region / DESCRIPTORS, index = region % DESCRIPTORS;
		const int output = (index >= OUTPUTS && index < OUTPUTS_END) != (int)side;

		if (result == 0 && (scene->aliased || (side == written && output)))
			continue;
		if (memcmp(scene->before + region * REGION, scene->regions + region * REGION, REGION) != 0)
			abort();
	}
}

/* Forward twice: what it puts out does not depend on what was there, unless arrays overlap. */
static void forward(struct scene *scene, void *cache, size_t capacity)
{
	int result;

	remember(scene);
	result = BNNSDirectApplyLSTMBatchTrainingCaching(&scene->sides[0], &scene->filter, cache, capacity);
	check(scene, result, 0);
	if (result != 0 || scene->aliased || scene->sides[0].dropout > 0)
		return;
	remember(scene);
	result = BNNSDirectApplyLSTMBatchTrainingCaching(&scene->sides[0], &scene->filter, cache, capacity);
	if (result != 0 || memcmp(scene->before, scene->regions, (size_t)SIDES * DESCRIPTORS * REGION) != 0)
		abort();
}

static void backward(struct scene *scene, const void *cache, size_t capacity)
{
	int result;

	remember(scene);
	result = BNNSDirectApplyLSTMBatchBackward(&scene->sides[0], &scene->sides[1], &scene->filter, cache, capacity);
	check(scene, result, 1);
}

static void run(struct scene *scene, struct input *input)
{
	const uint8_t choice = next(input);
	size_t capacity = BNNSComputeLSTMTrainingCacheCapacity(&scene->sides[0]);
	unsigned char *cache = malloc(capacity + 1);

	if (!cache)
		abort();
	memset(cache, choice, capacity + 1);
	if (choice & 1)
		sluice_bnns_weights_constant(&scene->sides[0], 1);
	forward(scene, NULL, 0);
	forward(scene, cache, capacity - ((choice & 12) == 12 && capacity));
	if ((choice & 48) == 48 && capacity)
		cache[next(input) % (capacity < 40 ? capacity : 40)] ^= next(input);
	backward(scene, cache, capacity);
	backward(scene, NULL, 0);
	if (choice & 1)
		sluice_bnns_weights_constant(&scene->sides[0], 0);
	free(cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const size_t count = (size_t)SIDES * DESCRIPTORS * REGION;
	struct input input = {bytes, size};
	struct scene scene = {0};

	scene.regions = malloc(count);
	scene.before = malloc(count);
	if (!scene.regions || !scene.before)
		abort();
	/* Small numbers of all three types. */
	for (size_t k = 0; k < count; k++)
		scene.regions[k] = k % 2 ? 0x3C + 0x80 * (k / 2 % 3 == 0) : (unsigned char)(k * 37);
	draw_options(&input);
	draw_scene(&scene, &input);
	run(&scene, &input);
	free(scene.regions);
	free(scene.before);
	return 0;
}
