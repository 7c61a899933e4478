/*
 * fuzz_mps.c: whatever sources, matrices and images somebody makes layers and encodes of, each is done or refused with
 * a sentence, sources are purged as often as they are loaded, and the same encode gives the same bytes twice.
 *
 * Bytes choose sizes, types, sources and arguments: mostly what fits, now and then what does not. Every matrix has
 * memory of exactly its own size, so that the address sanitizer sees a byte too many.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "sluice/mps.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { GATES = 4, PARTS = 3, LAYERS = 3, STEPS = 4, OBJECTS = 64, NUMBERS = 8192, ENCODES = 4 };

/* One choice in thirty-two is an odd one. */
static int odd(struct input *input)
{
	return next(input) % 32 == 31;
}

static size_t strange(struct input *input)
{
	static const size_t numbers[] = {0, SIZE_MAX, SIZE_MAX / 2 + 1, (size_t)1 << 60};

	return numbers[next(input) % 4];
}

/* 1 to most, or an odd number. */
static size_t draw(struct input *input, size_t most)
{
	return odd(input) ? strange(input) : 1 + next(input) % most;
}

/* Whoever refuses says why. */
static void *made(void *object)
{
	if (!object && !*sluice_mps_last_message())
		abort();
	return object;
}

static int refused(int status)
{
	if (status && !*sluice_mps_last_message())
		abort();
	return status;
}

/* ----------------------------------------------------------------------------------------------------- sources --- */

struct source {
	MPSCNNConvolutionDescriptor *descriptor;
	MPSDataType type;
	int quantization, fails, no_weights, no_bias, loads;
};

/* As many as any kernel here may have. */
static float numbers[NUMBERS];
static float table[256];

static MPSDataType source_type(void *user)
{
	return ((struct source *)user)->type;
}

static const MPSCNNConvolutionDescriptor *source_descriptor(void *user)
{
	return ((struct source *)user)->descriptor;
}

static void *source_weights(void *user)
{
	return ((struct source *)user)->no_weights ? NULL : numbers;
}

static float *source_bias(void *user)
{
	return ((struct source *)user)->no_bias ? NULL : numbers + 7;
}

static int source_load(void *user)
{
	struct source *source = user;

	source->loads += !source->fails;
	return !source->fails;
}

static void source_purge(void *user)
{
	((struct source *)user)->loads--;
}

static float *source_ranges(void *user)
{
	return ((struct source *)user)->fails ? NULL : numbers + 3;
}

static float *source_table(void *user)
{
	(void)user;
	return table;
}

static MPSCNNWeightsQuantizationType source_quantization(void *user)
{
	return (MPSCNNWeightsQuantizationType)((struct source *)user)->quantization;
}

/* --- scene --- */

/* Matrices and images with the memory that they lie in. */
struct block {
	void *memory;
	size_t bytes;
	MPSMatrix *matrix;
	MPSImage *image;
};

enum kind { MATRIX, IMAGE, TRAINING, KINDS };

struct scene {
	struct input input;
	enum kind kind;
	size_t layers;
	MPSLSTMDescriptor *descriptors[LAYERS];
	struct source sources[LAYERS][PARTS][GATES];
	MPSRNNMatrixInferenceLayer *matrix;
	MPSRNNImageInferenceLayer *image;
	MPSRNNMatrixTrainingLayer *training;
	size_t inputs, outputs, width, height;
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES], *gradients[SLUICE_MPS_WEIGHT_MATRICES];
	MPSCommandBuffer *buffer;
	struct block blocks[OBJECTS];
	size_t block_count;
	MPSRNNRecurrentMatrixState *matrix_states[OBJECTS];
	MPSRNNRecurrentImageState *image_states[OBJECTS];
	size_t state_count;
};

static MPSCNNConvolutionDescriptor *draw_convolution(struct scene *scene, size_t in, size_t out, int diagonal)
{
	struct input *input = &scene->input;
	const size_t most = scene->kind == IMAGE && !diagonal ? 5 : 1;
	MPSCNNConvolutionDescriptor *d = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(
		1 + next(input) % most, 1 + next(input) % most, odd(input) ? 3 : in, odd(input) ? 2 : out);

	if (!d)
		abort();
	if (odd(input))
		MPSCNNConvolutionDescriptor_setKernelWidth(d, next(input) % 2 ? SIZE_MAX : 0);
	if (odd(input))
		MPSCNNConvolutionDescriptor_setStrideInPixelsX(d, draw(input, 2));
	if (next(input) % 4 == 0)
		MPSCNNConvolutionDescriptor_setDilationRateX(d, draw(input, 3));
	if (next(input) % 4 == 0)
		MPSCNNConvolutionDescriptor_setGroups(d, draw(input, 3));
	MPSNNNeuronDescriptor *neuron =
		next(input) % 8 == 0
			? MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(numbers, odd(input) ? 1 : out,
											next(input) % 2)
			: MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c(
				  (MPSCNNNeuronType)(odd(input) ? 99 : next(input) % 16), (float)next(input) / 128,
				  (float)next(input) / 128, odd(input) ? -1 : (float)next(input) / 64);

	if (!neuron || MPSCNNConvolutionDescriptor_setFusedNeuronDescriptor(d, neuron) != 0)
		abort();
	MPSNNNeuronDescriptor_release(neuron);
	return d;
}

static void draw_source(struct scene *scene, size_t layer, size_t part, size_t gate, size_t in, size_t out)
{
	typedef int setter(MPSLSTMDescriptor *, const MPSCNNConvolutionDataSource *);
	static setter *const setters[PARTS][GATES] = {
		{MPSLSTMDescriptor_setInputGateInputWeights, MPSLSTMDescriptor_setForgetGateInputWeights,
		 MPSLSTMDescriptor_setOutputGateInputWeights, MPSLSTMDescriptor_setCellGateInputWeights},
		{MPSLSTMDescriptor_setInputGateRecurrentWeights, MPSLSTMDescriptor_setForgetGateRecurrentWeights,
		 MPSLSTMDescriptor_setOutputGateRecurrentWeights, MPSLSTMDescriptor_setCellGateRecurrentWeights},
		{MPSLSTMDescriptor_setInputGateMemoryWeights, MPSLSTMDescriptor_setForgetGateMemoryWeights,
		 MPSLSTMDescriptor_setOutputGateMemoryWeights, MPSLSTMDescriptor_setCellGateMemoryWeights},
	};
	static const MPSDataType types[] = {MPSDataTypeFloat32, MPSDataTypeFloat16, MPSDataTypeUInt8,
					    MPSDataTypeFloat32, MPSDataTypeBFloat16};
	struct input *input = &scene->input;
	struct source *source = &scene->sources[layer][part][gate];
	const int diagonal = part == 2 && MPSLSTMDescriptor_memoryWeightsAreDiagonal(scene->descriptors[layer]);

	source->descriptor = draw_convolution(scene, diagonal && next(input) % 2 ? 1 : in, out, diagonal);
	source->type = types[odd(input) ? 4 : next(input) % 4];
	source->quantization = source->type == MPSDataTypeUInt8 ? 1 + next(input) % 2 : 0;
	source->quantization = odd(input) ? next(input) % 4 : source->quantization;
	source->fails = odd(input);
	source->no_weights = odd(input);
	source->no_bias = next(input) % 2;
	const MPSCNNConvolutionDataSource calls = {
		.size = sizeof calls,
		.user = source,
		.dataType = source_type,
		.descriptor = source_descriptor,
		.weights = source_weights,
		.biasTerms = source_bias,
		.load = source_load,
		.purge = source_purge,
		.rangesForUInt8Kernel = odd(input) ? NULL : source_ranges,
		.lookupTableForUInt8Kernel = odd(input) ? NULL : source_table,
		.weightsQuantizationType = next(input) % 4 ? source_quantization : NULL,
	};

	if (setters[part][gate](scene->descriptors[layer], &calls) != 0)
		abort();
}

static void draw_layer(struct scene *scene, size_t layer, size_t in)
{
	struct input *input = &scene->input;
	const size_t out = 1 + next(input) % 4;
	MPSLSTMDescriptor *d =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(in, out);
	MPSRNNDescriptor *base = MPSLSTMDescriptor_asRNNDescriptor(d);
	const unsigned present = next(input) | (unsigned)next(input) << 8;

	if (!d)
		abort();
	scene->descriptors[layer] = d;
	MPSRNNDescriptor_setUseFloat32Weights(base, next(input) % 2);
	MPSRNNDescriptor_setUseLayerInputUnitTransformMode(base, in == out && next(input) % 4 == 0);
	MPSRNNDescriptor_setLayerSequenceDirection(base, (MPSRNNSequenceDirection)(odd(input) ? 2 : next(input) % 2));
	MPSLSTMDescriptor_setMemoryWeightsAreDiagonal(d, next(input) % 2);
	if (next(input) % 4 == 0)
		MPSLSTMDescriptor_setCellToOutputNeuronType(d, (MPSCNNNeuronType)(next(input) % 17));
	for (size_t k = 0; k < PARTS * GATES; k++)
		if (present >> k & 1)
			draw_source(scene, layer, k / GATES, k % GATES, k < GATES ? in : out, out);
	scene->outputs = out;
}

static void make_layer(struct scene *scene)
{
	struct input *input = &scene->input;
	const MPSRNNDescriptor *bases[LAYERS];
	sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;
	void *layer;

	scene->kind = (enum kind)(next(input) % KINDS);
	scene->layers = scene->kind == TRAINING ? 1 : 1 + next(input) % LAYERS;
	scene->inputs = 1 + next(input) % 4;
	for (size_t k = 0; k < scene->layers; k++) {
		draw_layer(scene, k, odd(input) ? 2 : k ? scene->outputs : scene->inputs);
		bases[k] = MPSLSTMDescriptor_asRNNDescriptor(scene->descriptors[k]);
	}
	if (scene->kind == MATRIX)
		layer = scene->matrix =
			MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(NULL, bases, scene->layers);
	else if (scene->kind == IMAGE)
		layer = scene->image =
			MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptors(NULL, bases, scene->layers);
	else
		layer = scene->training = MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
			NULL, bases[0], scene->weights);
	for (size_t k = 0; k < LAYERS * PARTS * GATES; k++)
		if (scene->sources[k / GATES / PARTS][k / GATES % PARTS][k % GATES].loads)
			abort();
	if (!made(layer))
		return;
	options.training_weights = next(input) % 2;
	if (sluice_mps_set_options(layer, &options) != 0)
		abort();
	if (scene->training &&
	    refused(MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(
		    scene->training, scene->gradients, next(input) % 4 ? MPSDataTypeFloat32 : MPSDataTypeFloat16)))
		abort();
}

/* ------------------------------------------------------------------------------------------ matrices and images --- */

static struct block *block_take(struct scene *scene, size_t bytes, int byte)
{
	struct block *block = &scene->blocks[scene->block_count];

	if (scene->block_count == OBJECTS || bytes > 1 << 16)
		return NULL;
	block->memory = malloc(bytes ? bytes : 1);
	if (!block->memory)
		abort();
	memset(block->memory, byte, bytes);
	block->bytes = bytes;
	scene->block_count++;
	return block;
}

static MPSMatrix *draw_matrix(struct scene *scene, size_t rows, size_t columns)
{
	static const MPSDataType types[] = {MPSDataTypeFloat32, MPSDataTypeFloat16, MPSDataTypeFloat32,
					    MPSDataTypeBFloat16};
	struct input *input = &scene->input;
	const MPSDataType type = types[next(input) % 4];
	const size_t element = type == MPSDataTypeFloat32 ? 4 : 2,
		     gap = odd(input) ? (size_t)1 : next(input) % 2 * element;
	const size_t row_bytes = columns * element + gap, matrix_bytes = row_bytes * (rows + next(input) % 2);
	const size_t matrices = odd(input) ? strange(input) : (size_t)1 + next(input) % 2,
		     offset = next(input) % 3 * element;
	MPSMatrixDescriptor *descriptor =
		made(MPSMatrixDescriptor_matrixDescriptorWithRows_columns_matrices_rowBytes_matrixBytes_dataType(
			rows, columns, matrices, row_bytes, matrix_bytes, type));
	struct block *block;

	if (!descriptor)
		return NULL;
	block = matrices > 2 ? NULL : block_take(scene, offset + matrices * matrix_bytes, next(input));
	if (block)
		block->matrix = made(MPSMatrix_initWithBuffer_offset_descriptor(block->memory, offset, descriptor));
	MPSMatrixDescriptor_release(descriptor);
	return block ? block->matrix : NULL;
}

static MPSImage *draw_image(struct scene *scene, size_t images, size_t channels)
{
	struct input *input = &scene->input;
	const int half = next(input) % 2;
	const size_t element = half ? 2 : 4, line = scene->width * channels * element;
	const size_t row_bytes = line + (odd(input) ? 1 : next(input) % 2 * element);
	const size_t image_bytes = row_bytes * scene->height + (odd(input) ? 1 : next(input) % 2 * element);
	MPSImageDescriptor *descriptor = made(MPSImageDescriptor_imageDescriptor(
		half ? MPSImageFeatureChannelFormatFloat16 : MPSImageFeatureChannelFormatFloat32, scene->width,
		scene->height, channels, images, 0));
	struct block *block;

	if (!descriptor)
		return NULL;
	block = block_take(scene, images * image_bytes, next(input));
	if (block)
		block->image = made(sluice_mps_image(block->memory, row_bytes, image_bytes, descriptor));
	MPSImageDescriptor_release(descriptor);
	return block ? block->image : NULL;
}

/* ----------------------------------------------------------------------------------------------------- encodes --- */

/* The arguments of one encode: matrices or images. */
struct call {
	size_t count, rows;
	MPSMatrix *x[STEPS], *y[STEPS], *dy[STEPS], *dx[STEPS];
	MPSImage *image_x[STEPS], *image_y[STEPS], *image_back[STEPS];
	size_t x_offsets[STEPS], y_offsets[STEPS];
	int offsets;
};

static void draw_call(struct scene *scene, struct call *call)
{
	struct input *input = &scene->input;
	size_t rows = 1 + next(input) % 3;

	memset(call, 0, sizeof *call);
	call->count = 1 + next(input) % STEPS;
	call->offsets = next(input) % 2;
	scene->width = 1 + next(input) % 5;
	scene->height = 1 + next(input) % 5;
	for (size_t t = 0; t < call->count; t++) {
		rows = rows > 1 && next(input) % 4 == 0 ? rows - 1 : rows;
		if (scene->kind == IMAGE) {
			call->image_x[t] = draw_image(scene, rows, scene->inputs);
			call->image_y[t] = draw_image(scene, rows, odd(input) ? 1 : scene->outputs);
			call->image_back[t] = draw_image(scene, rows, scene->outputs);
			continue;
		}
		call->x[t] = odd(input) && t ? call->x[t - 1] : draw_matrix(scene, rows, scene->inputs);
		call->y[t] = odd(input) ? call->x[t] : draw_matrix(scene, rows + next(input) % 2, scene->outputs);
		call->dy[t] = draw_matrix(scene, rows, scene->outputs);
		call->dx[t] = odd(input) ? call->x[t] : draw_matrix(scene, rows, scene->inputs);
		call->x_offsets[t] = odd(input) ? strange(input) : next(input) % 4 == 0 ? 4 : 0;
		call->y_offsets[t] = next(input) % 4 == 0 ? 8 : 0;
	}
	call->count = odd(input) ? 0 : call->count;
}

static void renew_buffer(struct scene *scene)
{
	refused(MPSCommandBuffer_commit(scene->buffer));
	if (odd(&scene->input))
		return;
	MPSCommandBuffer_release(scene->buffer);
	scene->buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
}

static void keep_states(struct scene *scene, MPSRNNRecurrentMatrixState *const *states, size_t count)
{
	for (size_t k = 0; k < count; k++)
		if (scene->state_count < OBJECTS)
			scene->matrix_states[scene->state_count++] = states[k];
		else
			MPSRNNRecurrentMatrixState_release(states[k]);
}

/* All bytes there are, added up in their order. */
static uint64_t sum_of(const struct scene *scene)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < scene->block_count; k++)
		for (size_t byte = 0; byte < scene->blocks[k].bytes; byte++)
			sum = sum * 1099511628211u + ((unsigned char *)scene->blocks[k].memory)[byte];
	return sum;
}

static void matrix_encode(struct scene *scene, const struct call *call)
{
	struct input *input = &scene->input;
	MPSRNNMatrixInferenceLayer *layer = scene->matrix;
	const size_t *x_offsets = call->offsets ? call->x_offsets : NULL;
	const size_t *y_offsets = call->offsets ? call->y_offsets : NULL;
	MPSRNNRecurrentMatrixState *states[STEPS],
		*start = scene->state_count && next(input) % 2 ? scene->matrix_states[next(input) % scene->state_count]
							       : NULL;
	const int all = next(input) % 2, bidirectional = next(input) % 2;

	MPSRNNMatrixInferenceLayer_setStoreAllIntermediateStates(layer, all);
	MPSRNNMatrixInferenceLayer_setRecurrentOutputIsTemporary(layer, next(input) % 4 == 0);
	MPSRNNMatrixInferenceLayer_setBidirectionalCombineMode(layer,
							       (MPSRNNBidirectionalCombineMode)(next(input) % 4));
	if (bidirectional) {
		uint64_t sums[2];

		for (int again = 0; again < 2; again++) {
			if (refused(MPSRNNMatrixInferenceLayer_encodeBidirectionalSequence(
				    layer, scene->buffer, call->x, call->y, call->dy, call->count)))
				return;
			renew_buffer(scene);
			sums[again] = sum_of(scene);
			if (MPSCommandBuffer_status(scene->buffer) != MTLCommandBufferStatusNotEnqueued)
				return;
		}
		if (sums[0] != sums[1])
			abort();
		return;
	}
	if (refused(MPSRNNMatrixInferenceLayer_encodeSequence(layer, scene->buffer, call->x, x_offsets, call->y,
							      y_offsets, call->count, start, states)))
		return;
	keep_states(scene, states, all ? call->count : 1);
}

static void image_encode(struct scene *scene, const struct call *call)
{
	struct input *input = &scene->input;
	MPSRNNImageInferenceLayer *layer = scene->image;
	MPSRNNRecurrentImageState *states[STEPS],
		*start = scene->state_count && next(input) % 2 ? scene->image_states[next(input) % scene->state_count]
							       : NULL;
	const int all = next(input) % 2;

	MPSRNNImageInferenceLayer_setStoreAllIntermediateStates(layer, all);
	MPSRNNImageInferenceLayer_setRecurrentOutputIsTemporary(layer, next(input) % 4 == 0);
	MPSRNNImageInferenceLayer_setBidirectionalCombineMode(layer, (MPSRNNBidirectionalCombineMode)(next(input) % 4));
	if (next(input) % 2) {
		refused(MPSRNNImageInferenceLayer_encodeBidirectionalSequence(
			layer, scene->buffer, call->image_x, call->image_y, call->image_back, call->count));
		return;
	}
	if (refused(MPSRNNImageInferenceLayer_encodeSequence(layer, scene->buffer, call->image_x, call->image_y,
							     call->count, start, states)))
		return;
	for (size_t k = 0; k < (all ? call->count : 1); k++)
		if (scene->state_count < OBJECTS)
			scene->image_states[scene->state_count++] = states[k];
		else
			MPSRNNRecurrentImageState_release(states[k]);
}

static void training_encode(struct scene *scene, const struct call *call)
{
	struct input *input = &scene->input;
	MPSRNNMatrixTrainingLayer *layer = scene->training;
	const size_t *x_offsets = call->offsets ? call->x_offsets : NULL;
	const size_t *y_offsets = call->offsets ? call->y_offsets : NULL;
	MPSRNNMatrixTrainingState *training[STEPS];
	MPSRNNRecurrentMatrixState *states[STEPS],
		*start = scene->state_count && next(input) % 2 ? scene->matrix_states[next(input) % scene->state_count]
							       : NULL;
	const uint8_t flags = next(input);
	const MTLOrigin origin = {odd(input), odd(input), odd(input)};

	MPSRNNMatrixTrainingLayer_setStoreAllIntermediateStates(layer, flags & 1);
	MPSRNNMatrixTrainingLayer_setRecurrentOutputIsTemporary(layer, flags >> 1 & 1);
	MPSRNNMatrixTrainingLayer_setTrainingStateIsTemporary(layer, flags >> 2 & 1);
	MPSRNNMatrixTrainingLayer_setAccumulateWeightGradients(layer, flags >> 3 & 1);
	if (call->count)
		refused(MPSRNNMatrixTrainingLayer_encodeCopyWeights(
			layer, scene->buffer, flags >> 4 & 1 ? scene->gradients : scene->weights,
			(MPSRNNMatrixId)(next(input) % 30), call->x[0], flags >> 5 & 1, origin));
	if (refused(MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, scene->buffer, call->x, x_offsets, call->y,
								    y_offsets, call->count, training, start, states,
								    scene->weights)))
		return;
	keep_states(scene, states, flags & 1 ? call->count : 1);
	start = scene->state_count && next(input) % 2 ? scene->matrix_states[next(input) % scene->state_count] : NULL;
	if (next(input) % 4 == 0)
		renew_buffer(scene);
	if (!refused(MPSRNNMatrixTrainingLayer_encodeGradientSequence(
		    layer, scene->buffer, call->x, x_offsets, call->dy, NULL, flags >> 6 & 1 ? call->dx : NULL, NULL,
		    flags >> 7 ? scene->gradients : NULL, call->count, training, start, states, scene->weights)))
		keep_states(scene, states, flags & 1 ? call->count : 1);
	for (size_t t = 0; t < call->count; t++)
		MPSRNNMatrixTrainingState_release(training[t]);
}

static void encode(struct scene *scene)
{
	struct call call;

	draw_call(scene, &call);
	/* A refused encode changes nothing: what it was given are still the same bytes. */
	if (scene->kind == MATRIX)
		matrix_encode(scene, &call);
	else if (scene->kind == IMAGE)
		image_encode(scene, &call);
	else
		training_encode(scene, &call);
	if (next(&scene->input) % 2)
		renew_buffer(scene);
}

static void scene_release(struct scene *scene)
{
	for (size_t k = 0; k < scene->state_count; k++) {
		MPSRNNRecurrentMatrixState_release(scene->matrix_states[k]);
		MPSRNNRecurrentImageState_release(scene->image_states[k]);
	}
	for (size_t k = 0; k < SLUICE_MPS_WEIGHT_MATRICES; k++) {
		MPSMatrix_release(scene->weights[k]);
		MPSMatrix_release(scene->gradients[k]);
	}
	MPSRNNMatrixInferenceLayer_release(scene->matrix);
	MPSRNNImageInferenceLayer_release(scene->image);
	MPSRNNMatrixTrainingLayer_release(scene->training);
	refused(MPSCommandBuffer_commit(scene->buffer));
	MPSCommandBuffer_release(scene->buffer);
	for (size_t k = 0; k < scene->block_count; k++) {
		MPSMatrix_release(scene->blocks[k].matrix);
		MPSImage_release(scene->blocks[k].image);
		free(scene->blocks[k].memory);
	}
	for (size_t k = 0; k < LAYERS * PARTS * GATES; k++)
		MPSCNNConvolutionDescriptor_release(
			scene->sources[k / GATES / PARTS][k / GATES % PARTS][k % GATES].descriptor);
	for (size_t k = 0; k < scene->layers; k++)
		MPSLSTMDescriptor_release(scene->descriptors[k]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct scene *scene = calloc(1, sizeof *scene);

	if (!scene)
		abort();
	for (size_t k = 0; k < NUMBERS; k++)
		numbers[k] = (float)(k * 37 % 101) / 128 - 0.4f;
	for (size_t k = 0; k < 256; k++)
		table[k] = (float)k / 256 - 0.5f;
	scene->input = (struct input){bytes, size};
	scene->buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	if (!scene->buffer)
		abort();
	make_layer(scene);
	for (size_t k = 0; k < ENCODES && (scene->matrix || scene->image || scene->training); k++)
		encode(scene);
	scene_release(scene);
	free(scene);
	return 0;
}
