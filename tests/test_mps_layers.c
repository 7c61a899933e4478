/* test_mps_layers.c exists to hold what surrounds MPS's calls to mps.h: properties and copies of layers, arrays of
 * weights, counts of temporary states, command buffers, switches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <cmocka.h>

#include "sluice/mps.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* What a refused call's sentence has to say. */
static void expect_sentence(const char *words)
{
	if (!strstr(sluice_mps_last_message(), words))
		fail_msg("the sentence is \"%s\", expected \"%s\" in it", sluice_mps_last_message(), words);
}

enum { INPUTS = 3, OUTPUTS = 2, STEPS = 2 };

static float numbers[] = {0.5f, -0.25f, 0.125f, 0.75f, -0.5f, 0.25f};

static MPSDataType source_type(void *user)
{
	(void)user;
	return MPSDataTypeFloat32;
}

static const MPSCNNConvolutionDescriptor *source_descriptor(void *user)
{
	return user;
}

static void *source_weights(void *user)
{
	(void)user;
	return numbers;
}

static float *source_bias(void *user)
{
	(void)user;
	return numbers;
}

static int source_load(void *user)
{
	(void)user;
	return 1;
}

static void source_purge(void *user)
{
	(void)user;
}

/* The candidate, the input and the output gate have input weights, the candidate recurrent ones. */
struct world {
	MPSCNNConvolutionDescriptor *kernel, *square;
	MPSLSTMDescriptor *descriptor;
	const MPSRNNDescriptor *base;
	MPSCommandBuffer *buffer;
	float memory[STEPS][OUTPUTS + INPUTS];
	MPSMatrix *x[STEPS], *y[STEPS];
};

static MPSCNNConvolutionDataSource source_of(MPSCNNConvolutionDescriptor *kernel)
{
	MPSCNNConvolutionDataSource source = SLUICE_MPS_DATA_SOURCE_INIT;
	source.user = kernel;
	source.dataType = source_type;
	source.descriptor = source_descriptor;
	source.weights = source_weights;
	source.biasTerms = source_bias;
	source.load = source_load;
	source.purge = source_purge;
	return source;
}

static void begin(struct world *world)
{
	memset(world, 0, sizeof *world);
	world->kernel = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, INPUTS, OUTPUTS);
	world->square = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, OUTPUTS, OUTPUTS);
	world->descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(INPUTS, OUTPUTS);
	world->base = MPSLSTMDescriptor_asRNNDescriptor(world->descriptor);
	const MPSCNNConvolutionDataSource input = source_of(world->kernel), recurrent = source_of(world->square);
	assert_int_equal(MPSLSTMDescriptor_setInputGateInputWeights(world->descriptor, &input), 0);
	assert_int_equal(MPSLSTMDescriptor_setOutputGateInputWeights(world->descriptor, &input), 0);
	assert_int_equal(MPSLSTMDescriptor_setCellGateInputWeights(world->descriptor, &input), 0);
	assert_int_equal(MPSLSTMDescriptor_setCellGateRecurrentWeights(world->descriptor, &recurrent), 0);
	world->buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	for (size_t step = 0; step < STEPS; step++)
		for (int result = 0; result < 2; result++) {
			MPSMatrixDescriptor *descriptor =
				MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
					1, result ? OUTPUTS : INPUTS, sizeof world->memory[0], MPSDataTypeFloat32);
			*(result ? &world->y[step] : &world->x[step]) = MPSMatrix_initWithBuffer_offset_descriptor(
				world->memory[step], (result ? INPUTS : 0) * sizeof(float), descriptor);
			MPSMatrixDescriptor_release(descriptor);
		}
}

static void end(struct world *world)
{
	for (size_t step = 0; step < STEPS; step++) {
		MPSMatrix_release(world->x[step]);
		MPSMatrix_release(world->y[step]);
	}
	MPSCommandBuffer_release(world->buffer);
	MPSLSTMDescriptor_release(world->descriptor);
	MPSCNNConvolutionDescriptor_release(world->square);
	MPSCNNConvolutionDescriptor_release(world->kernel);
}

/* Sizes, properties and copies of an inference layer of either class. */
#define EXPECT_INFERENCE(class, world)                                               \
	do {                                                                         \
		const MPSRNNDescriptor *const list[] = {(world)->base};              \
		class *layer = class##_initWithDevice_rnnDescriptors(NULL, list, 1); \
		class##_release(class##_retain(layer));                              \
		assert_int_equal(class##_inputFeatureChannels(layer), INPUTS);       \
		assert_int_equal(class##_outputFeatureChannels(layer), OUTPUTS);     \
		assert_int_equal(class##_numberOfLayers(layer), 1);                  \
		assert_int_equal(class##_recurrentOutputIsTemporary(layer), 0);      \
		assert_int_equal(class##_storeAllIntermediateStates(layer), 0);      \
		assert_int_equal(class##_bidirectionalCombineMode(layer), 0);        \
		class##_setRecurrentOutputIsTemporary(layer, 1);                     \
		class##_setStoreAllIntermediateStates(layer, 1);                     \
		class##_setBidirectionalCombineMode(layer, 2);                       \
		class *copy = class##_copyWithZone_device(layer, NULL, NULL);        \
		class##_setStoreAllIntermediateStates(layer, 0);                     \
		class##_release(layer);                                              \
		assert_int_equal(class##_outputFeatureChannels(copy), OUTPUTS);      \
		assert_int_equal(class##_recurrentOutputIsTemporary(copy), 1);       \
		assert_int_equal(class##_storeAllIntermediateStates(copy), 1);       \
		assert_int_equal(class##_bidirectionalCombineMode(copy), 2);         \
		assert_null(class##_copyWithZone_device(copy, world, NULL));         \
		assert_null(class##_copyWithZone_device(copy, NULL, world));         \
		assert_null(class##_initWithDevice_rnnDescriptors(world, list, 1));  \
		assert_null(class##_initWithDevice_rnnDescriptor(NULL, NULL));       \
		class##_release(copy);                                               \
	} while (0)

static void test_inference_layers(void **unused)
{
	(void)unused;
	struct world world;
	begin(&world);
	EXPECT_INFERENCE(MPSRNNMatrixInferenceLayer, &world);
	EXPECT_INFERENCE(MPSRNNImageInferenceLayer, &world);
	end(&world);
}

struct flag {
	int (*get)(const MPSRNNMatrixTrainingLayer *);
	void (*set)(MPSRNNMatrixTrainingLayer *, int);
};
#define FLAG(name, Name) {MPSRNNMatrixTrainingLayer_##name, MPSRNNMatrixTrainingLayer_set##Name},
static const struct flag FLAGS[] = {SLUICE_MPS_TRAINING_PROPERTIES(FLAG)};

static void arrays_release(MPSMatrix **list)
{
	for (size_t k = 0; k < SLUICE_MPS_WEIGHT_MATRICES; k++)
		MPSMatrix_release(list[k]);
}

static MPSRNNMatrixTrainingLayer *new_training(const struct world *world, MPSMatrix **weights)
{
	MPSRNNMatrixTrainingLayer *layer =
		MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(NULL, world->base, weights);
	assert_non_null(layer);
	return layer;
}

static void test_training_layer(void **unused)
{
	(void)unused;
	struct world world;
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES];
	begin(&world);
	MPSRNNMatrixTrainingLayer *layer = new_training(&world, weights);
	assert_int_equal(MPSRNNMatrixTrainingLayer_inputFeatureChannels(layer), INPUTS);
	assert_int_equal(MPSRNNMatrixTrainingLayer_outputFeatureChannels(layer), OUTPUTS);
	assert_int_equal(COUNT(FLAGS), 4);
	for (size_t k = 0; k < COUNT(FLAGS); k++) {
		for (size_t other = 0; other < COUNT(FLAGS); other++)
			assert_int_equal(FLAGS[other].get(layer), other < k);
		FLAGS[k].set(layer, 1);
	}
	MPSRNNMatrixTrainingLayer *copy = MPSRNNMatrixTrainingLayer_copyWithZone_device(layer, NULL, NULL);
	MPSRNNMatrixTrainingLayer_release(MPSRNNMatrixTrainingLayer_retain(copy));
	for (size_t k = 0; k < COUNT(FLAGS); k++)
		assert_int_equal(FLAGS[k].get(copy), 1);
	assert_int_equal(MPSRNNMatrixTrainingLayer_outputFeatureChannels(copy), OUTPUTS);
	arrays_release(weights);
	MPSRNNMatrixTrainingLayer_release(copy);
	MPSRNNMatrixTrainingLayer_release(layer);
	end(&world);
}

static size_t bytes_of(const MPSMatrix *matrix)
{
	return MPSMatrix_rows(matrix) * MPSMatrix_rowBytes(matrix);
}

/* Three matrices, as the layer has no memory weights; weights that are made later are zero and laid out alike. */
static void test_arrays_of_weights(void **unused)
{
	(void)unused;
	static const char zeros[4 * OUTPUTS * INPUTS * sizeof(float)];
	struct world world;
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES], *more[SLUICE_MPS_WEIGHT_MATRICES],
		*gradients[SLUICE_MPS_WEIGHT_MATRICES];
	begin(&world);
	MPSRNNMatrixTrainingLayer *layer = new_training(&world, weights);
	assert_int_equal(sluice_mps_weight_matrices(layer), 3);
	assert_int_equal(MPSRNNMatrixTrainingLayer_createWeightMatrices(layer, more), 0);
	assert_int_equal(
		MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(layer, gradients, MPSDataTypeFloat16),
		0);
	for (size_t k = 0; k < 3; k++) {
		assert_int_equal(MPSMatrix_dataType(more[k]), MPSDataTypeFloat32);
		assert_int_equal(MPSMatrix_dataType(gradients[k]), MPSDataTypeFloat16);
		assert_int_equal(bytes_of(more[k]), bytes_of(weights[k]));
		assert_int_equal(2 * bytes_of(gradients[k]), bytes_of(weights[k]));
		assert_int_equal(MPSMatrix_rowBytes(more[k]), MPSMatrix_columns(more[k]) * sizeof(float));
		assert_memory_equal(MPSMatrix_data(more[k]), zeros, bytes_of(more[k]));
		assert_memory_not_equal(MPSMatrix_data(weights[k]), zeros, bytes_of(weights[k]));
	}
	assert_null(weights[3]);
	assert_int_not_equal(MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, world.buffer, world.x, NULL,
									     world.y, NULL, STEPS, NULL, NULL, NULL,
									     gradients),
			     0);
	expect_sentence("weights[0] is of gradients");
	arrays_release(weights);
	arrays_release(more);
	arrays_release(gradients);
	MPSRNNMatrixTrainingLayer_release(layer);
	end(&world);
}

/* Of one command buffer, and read once. */
static void test_temporary_gradients(void **unused)
{
	(void)unused;
	struct world world;
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES], *gradients[SLUICE_MPS_WEIGHT_MATRICES];
	float copied[INPUTS * OUTPUTS];
	const MTLOrigin origin = {0, 0, 0};
	begin(&world);
	MPSRNNMatrixTrainingLayer *layer = new_training(&world, weights);
	MPSCommandBuffer *other = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		OUTPUTS, INPUTS, INPUTS * sizeof(float), MPSDataTypeFloat32);
	MPSMatrix *matrix = MPSMatrix_initWithBuffer_descriptor(copied, descriptor);
	assert_int_equal(MPSRNNMatrixTrainingLayer_createTemporaryWeightGradientMatrices_dataType_commandBuffer(
				 layer, gradients, MPSDataTypeFloat32, world.buffer),
			 0);
	assert_true(MPSMatrix_isTemporary(gradients[0]));
	assert_int_equal(MPSMatrix_readCount(gradients[0]), 1);
	assert_int_not_equal(MPSRNNMatrixTrainingLayer_encodeCopyWeights(layer, other, gradients,
									 MPSRNNMatrixIdLSTMInputGateInputWeights,
									 matrix, 1, origin),
			     0);
	expect_sentence("another command buffer");
	for (int read = 0; read < 2; read++) {
		const int refused = MPSRNNMatrixTrainingLayer_encodeCopyWeights(
			layer, world.buffer, gradients, MPSRNNMatrixIdLSTMInputGateInputWeights, matrix, 1, origin);
		assert_int_equal(refused != 0, read);
		assert_int_equal(MPSMatrix_readCount(gradients[0]), 0);
	}
	expect_sentence("read count is 0");
	for (size_t k = 0; k < 3; k++)
		MPSMatrix_setReadCount(gradients[k], 1);
	assert_int_equal(MPSRNNMatrixTrainingLayer_encodeCopyWeights(layer, world.buffer, gradients,
								     MPSRNNMatrixIdLSTMInputGateInputWeights, matrix, 1,
								     origin),
			 0);
	MPSMatrix_release(matrix);
	MPSMatrixDescriptor_release(descriptor);
	MPSCommandBuffer_release(other);
	arrays_release(weights);
	arrays_release(gradients);
	MPSRNNMatrixTrainingLayer_release(layer);
	end(&world);
}

/* ----------------------------------------------------------------------------------- states, buffers, switches -- */

static MPSRNNMatrixInferenceLayer *new_inference(const struct world *world)
{
	MPSRNNMatrixInferenceLayer *layer = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, world->base);
	assert_non_null(layer);
	return layer;
}

static int encode(struct world *world, MPSRNNMatrixInferenceLayer *layer, MPSRNNRecurrentMatrixState *start,
		  MPSRNNRecurrentMatrixState **end)
{
	return MPSRNNMatrixInferenceLayer_encodeSequence(layer, world->buffer, world->x, NULL, world->y, NULL, STEPS,
							 start, end);
}

/* Only temporary states count, and at 0 they show nothing. */
static void test_matrix_states(void **unused)
{
	(void)unused;
	struct world world;
	MPSRNNRecurrentMatrixState *states[2];
	begin(&world);
	MPSRNNMatrixInferenceLayer *layer = new_inference(&world);
	for (int temporary = 0; temporary < 2; temporary++) {
		MPSRNNMatrixInferenceLayer_setRecurrentOutputIsTemporary(layer, temporary);
		assert_int_equal(encode(&world, layer, NULL, &states[temporary]), 0);
		assert_int_equal(MPSRNNRecurrentMatrixState_isTemporary(states[temporary]), temporary);
		MPSRNNRecurrentMatrixState_setReadCount(states[temporary], 2);
		assert_int_equal(MPSRNNRecurrentMatrixState_readCount(states[temporary]), temporary ? 2 : 0);
		for (size_t read = 0; read < 2; read++)
			assert_int_equal(encode(&world, layer, states[temporary], NULL), 0);
		assert_int_equal(encode(&world, layer, states[temporary], NULL) != 0, temporary);
		MPSMatrix *h = MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(states[temporary], 0);
		assert_int_equal(h == NULL, temporary);
	}
	expect_sentence("read count is 0");
	assert_int_equal(MPSMatrix_rows(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(states[0], 0)), 1);
	assert_null(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(states[0], 1));
	for (int temporary = 0; temporary < 2; temporary++) {
		MPSRNNRecurrentMatrixState_release(MPSRNNRecurrentMatrixState_retain(states[temporary]));
		MPSRNNRecurrentMatrixState_release(states[temporary]);
	}
	MPSRNNMatrixInferenceLayer_release(layer);
	end(&world);
}

static void test_image_states(void **unused)
{
	(void)unused;
	struct world world;
	begin(&world);
	MPSRNNImageInferenceLayer *layer = MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptor(NULL, world.base);
	MPSRNNRecurrentImageState *state = sluice_mps_image_state(layer, 5, 4, 3);
	MPSImage *h = MPSRNNRecurrentImageState_getRecurrentOutputImageForLayerIndex(state, 0);
	assert_int_equal(MPSImage_width(h), 5);
	assert_int_equal(MPSImage_height(h), 4);
	assert_int_equal(MPSImage_numberOfImages(h), 3);
	assert_int_equal(MPSImage_featureChannels(h), OUTPUTS);
	assert_non_null(MPSRNNRecurrentImageState_getMemoryCellImageForLayerIndex(state, 0));
	assert_null(MPSRNNRecurrentImageState_getMemoryCellImageForLayerIndex(state, 1));
	assert_false(MPSRNNRecurrentImageState_isTemporary(state));
	MPSRNNRecurrentImageState_setReadCount(state, 3);
	assert_int_equal(MPSRNNRecurrentImageState_readCount(state), 0);
	MPSRNNRecurrentImageState_release(MPSRNNRecurrentImageState_retain(state));
	MPSRNNRecurrentImageState_release(state);
	MPSRNNImageInferenceLayer_release(layer);
	end(&world);
}

/* A gradient call of a forward call that was never committed fails when it is committed, and what is behind it is not
 * done. */
static void test_command_buffers(void **unused)
{
	(void)unused;
	struct world world;
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES];
	MPSRNNMatrixTrainingState *states[STEPS];
	begin(&world);
	MPSRNNMatrixTrainingLayer *layer = new_training(&world, weights);
	MPSCommandBuffer *forward = MPSCommandBuffer_commandBufferFromCommandQueue(NULL), *buffer = world.buffer;
	MPSRNNMatrixTrainingLayer_setTrainingStateIsTemporary(layer, 1);
	assert_int_equal(MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, forward, world.x, NULL, world.y, NULL,
									 STEPS, states, NULL, NULL, weights),
			 0);
	assert_true(MPSRNNMatrixTrainingState_isTemporary(states[0]));
	assert_int_equal(MPSRNNMatrixTrainingState_readCount(states[0]), 1);
	MPSRNNMatrixTrainingState_setReadCount(states[0], 2);
	assert_int_equal(MPSRNNMatrixTrainingLayer_encodeGradientSequence(layer, buffer, world.x, NULL, world.y, NULL,
									  NULL, NULL, NULL, STEPS, states, NULL, NULL,
									  weights),
			 0);
	assert_int_equal(MPSRNNMatrixTrainingState_readCount(states[0]), 1);
	assert_int_equal(MPSCommandBuffer_status(buffer), MTLCommandBufferStatusNotEnqueued);
	assert_null(MPSCommandBuffer_error(buffer));
	assert_int_not_equal(MPSCommandBuffer_waitUntilCompleted(buffer), 0);
	assert_int_not_equal(MPSCommandBuffer_commit(buffer), 0);
	assert_int_equal(MPSCommandBuffer_status(buffer), MTLCommandBufferStatusError);
	assert_non_null(MPSCommandBuffer_error(buffer));
	assert_int_not_equal(MPSCommandBuffer_waitUntilCompleted(buffer), 0);
	assert_int_equal(MPSCommandBuffer_commit(forward), 0);
	assert_int_equal(MPSCommandBuffer_waitUntilCompleted(forward), 0);
	assert_int_equal(MPSCommandBuffer_status(forward), MTLCommandBufferStatusCompleted);
	assert_int_not_equal(MPSCommandBuffer_commit(forward), 0);
	expect_sentence("committed before");
	for (size_t step = 0; step < STEPS; step++) {
		MPSRNNMatrixTrainingState_release(MPSRNNMatrixTrainingState_retain(states[step]));
		MPSRNNMatrixTrainingState_release(states[step]);
	}
	MPSCommandBuffer_release(MPSCommandBuffer_retain(forward));
	MPSCommandBuffer_release(forward);
	arrays_release(weights);
	MPSRNNMatrixTrainingLayer_release(layer);
	assert_null(MPSCommandBuffer_commandBufferFromCommandQueue(&world));
	end(&world);
}

/* y of one input weight that Float16 cannot hold. */
static float trained(struct world *world, const sluice_mps_options *options)
{
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES];
	MPSRNNMatrixTrainingLayer *layer = new_training(world, weights);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	if (options)
		assert_int_equal(sluice_mps_set_options(layer, options), 0);
	assert_int_equal(MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, buffer, world->x, NULL, world->y, NULL,
									 STEPS, NULL, NULL, NULL, weights),
			 0);
	assert_int_equal(MPSCommandBuffer_commit(buffer), 0);
	MPSCommandBuffer_release(buffer);
	arrays_release(weights);
	MPSRNNMatrixTrainingLayer_release(layer);
	return world->memory[0][INPUTS];
}

static void test_training_weights(void **unused)
{
	(void)unused;
	struct world world;
	sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;
	begin(&world);
	world.memory[0][0] = 1;
	numbers[0] = 1 + 1.0f / 4096;
	const float plain = trained(&world, NULL), half = trained(&world, &options);
	options.training_weights = SLUICE_MPS_TRAINING_WEIGHTS_FLOAT;
	const float whole = trained(&world, &options);
	MPSRNNDescriptor_setUseFloat32Weights(MPSLSTMDescriptor_asRNNDescriptor(world.descriptor), 1);
	const float asked = trained(&world, NULL);
	numbers[0] = 0.5f;
	assert_true(plain == half);
	assert_true(whole == asked);
	assert_true(half != whole);
	end(&world);
}

static void test_switches_refused(void **unused)
{
	(void)unused;
	struct world world;
	sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;
	begin(&world);
	MPSRNNMatrixInferenceLayer *layer = new_inference(&world);
	options.threads = -1;
	assert_int_not_equal(sluice_mps_set_options(layer, &options), 0);
	options.threads = 2;
	options.training_weights = 2;
	assert_int_not_equal(sluice_mps_set_options(layer, &options), 0);
	expect_sentence("training_weights");
	options.training_weights = 0;
	assert_int_not_equal(sluice_mps_set_options(NULL, &options), 0);
	assert_int_equal(sluice_mps_set_options(layer, &options), 0);
	assert_int_equal(sluice_mps_set_options(layer, NULL), 0);
	assert_int_equal(encode(&world, layer, NULL, NULL), 0);
	assert_int_not_equal(sluice_mps_set_options(layer, &options), 0);
	expect_sentence("has encoded");
	MPSRNNMatrixInferenceLayer_release(layer);
	end(&world);
}

/* ---------------------------------------------------------------------------------------------------- threads -- */

enum { WIDE = 160, LONG = 6, MANY = 24, THREADS = 3, WIDE_BYTES = LONG * MANY * WIDE * (int)sizeof(float) };

static float wide_numbers[WIDE * WIDE];

static void *wide_weights(void *user)
{
	(void)user;
	return wide_numbers;
}

static float *wide_bias(void *user)
{
	(void)user;
	return wide_numbers;
}

/* Threads of this process; 0 where nobody tells. */
static int tasks(void)
{
	DIR *folder = opendir("/proc/self/task");
	int count = 0;
	for (const struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	if (folder)
		closedir(folder);
	return count;
}

/* A layer that is wide enough for threads, on x of wide_numbers. */
static void run_wide(int threads, float *y)
{
	MPSCNNConvolutionDescriptor *kernel = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, WIDE, WIDE);
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(WIDE, WIDE);
	MPSMatrixDescriptor *shape = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		MANY, WIDE, WIDE * sizeof(float), MPSDataTypeFloat32);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	MPSCNNConvolutionDataSource source = source_of(kernel);
	MPSMatrix *in[LONG], *out[LONG];
	sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;
	options.threads = threads;
	source.weights = wide_weights;
	source.biasTerms = wide_bias;
#define SET(name, Name) assert_int_equal(MPSLSTMDescriptor_set##Name(descriptor, &source), 0);
	SLUICE_MPS_LSTM_SOURCES(SET)
#undef SET
	for (size_t step = 0; step < LONG; step++) {
		in[step] = MPSMatrix_initWithBuffer_descriptor(wide_numbers, shape);
		out[step] = MPSMatrix_initWithBuffer_descriptor(y + step * MANY * WIDE, shape);
	}
	MPSRNNMatrixInferenceLayer *layer = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor));
	assert_int_equal(sluice_mps_set_options(layer, &options), 0);
	assert_int_equal(
		MPSRNNMatrixInferenceLayer_encodeSequence(layer, buffer, in, NULL, out, NULL, LONG, NULL, NULL), 0);
	assert_int_equal(MPSCommandBuffer_commit(buffer), 0);
	for (size_t step = 0; step < LONG; step++) {
		MPSMatrix_release(in[step]);
		MPSMatrix_release(out[step]);
	}
	MPSCommandBuffer_release(buffer);
	MPSRNNMatrixInferenceLayer_release(layer);
	MPSMatrixDescriptor_release(shape);
	MPSLSTMDescriptor_release(descriptor);
	MPSCNNConvolutionDescriptor_release(kernel);
}

/* The core, asked for as many threads, finds them there if the layer has made them. */
static void run_core(float *y)
{
	const sluice_context_options options = {.size = sizeof options, .threads = THREADS};
	const sluice_layer layer = {.size = sizeof layer, .hidden = WIDE};
	const sluice_description description = {
		.size = sizeof description, .inputs = WIDE, .layer_count = 1, .layers = &layer};
	const sluice_plan_options sizes = {.size = sizeof sizes, .steps = LONG, .batch = MANY};
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	assert_int_equal(sluice_context_create(&options, &context), SLUICE_OK);
	assert_int_equal(sluice_model_create(context, &description, &model), SLUICE_OK);
	assert_int_equal(sluice_plan_create(model, &sizes, &plan), SLUICE_OK);
	const size_t bytes = sluice_plan_workspace_size(plan);
	float *x = calloc(1, WIDE_BYTES);
	const sluice_run run = {.size = sizeof run, .x = x, .y = y, .workspace = sluice_allocate(context, bytes)};
	assert_int_equal(sluice_forward(plan, &run), SLUICE_OK);
	sluice_release(context, run.workspace, bytes);
	free(x);
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
}

static void test_threads(void **unused)
{
	(void)unused;
	float *one = calloc(1, WIDE_BYTES), *more = calloc(1, WIDE_BYTES), *core = calloc(1, WIDE_BYTES);
	for (size_t k = 0; k < COUNT(wide_numbers); k++)
		wide_numbers[k] = (float)(k * 37 % 101) / 505 - 0.1f;
	const int before = tasks();
	run_wide(0, one);
	assert_int_equal(tasks(), before);
	run_wide(THREADS, more);
	const int after = tasks();
	run_core(core);
	assert_int_equal(tasks(), after);
	assert_memory_equal(one, more, WIDE_BYTES);
	assert_memory_not_equal(one, core, WIDE_BYTES);
	free(one);
	free(more);
	free(core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inference_layers),  cmocka_unit_test(test_training_layer),
		cmocka_unit_test(test_arrays_of_weights), cmocka_unit_test(test_temporary_gradients),
		cmocka_unit_test(test_matrix_states),     cmocka_unit_test(test_image_states),
		cmocka_unit_test(test_command_buffers),   cmocka_unit_test(test_training_weights),
		cmocka_unit_test(test_switches_refused),  cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
