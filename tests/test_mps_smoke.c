/* test_mps_smoke.c exists to see, for each layer of the MPS front end, that a smallest network gives known numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sluice/mps.h>

enum { GATES = 4, STEPS = 2 };
enum kind { INPUT, RECURRENT, MEMORY, KINDS };

/* One unit with one input, in the order i f o c; numbers of the reference that the other front ends are held to. */
static const float weights[KINDS][GATES] = {
	[INPUT] = {0.5f, -0.3f, 0.1f, 0.8f},
	[RECURRENT] = {0.2f, 0.4f, 0.7f, -0.6f},
	[MEMORY] = {0.3f, -0.2f, 0.25f, 0.15f},
};
static const float biases[GATES] = {0.1f, 0.2f, 0.05f, -0.1f};
static const float x_steps[STEPS] = {1, -2};
static const float h_steps[STEPS] = {0.036551805868f, -0.104098898200f};
static const float c_steps[STEPS] = {0.061740870444f, -0.233204270626f};
static const float h_start = 0.3f, c_start = -0.4f;
/* Numbers below 2: a dozen roundings of them. */
static const float tolerance = 12 * 0x1p-23f;

/* A source of one weight. */
struct single {
	MPSCNNConvolutionDescriptor *descriptor;
	float weight, bias;
	int loads, purges;
};

static MPSDataType single_type(void *user)
{
	(void)user;
	return MPSDataTypeFloat32;
}

static const MPSCNNConvolutionDescriptor *single_descriptor(void *user)
{
	return ((struct single *)user)->descriptor;
}

static void *single_weights(void *user)
{
	return &((struct single *)user)->weight;
}

static float *single_bias(void *user)
{
	return &((struct single *)user)->bias;
}

static int single_load(void *user)
{
	((struct single *)user)->loads++;
	return 1;
}

static void single_purge(void *user)
{
	((struct single *)user)->purges++;
}

static struct single singles[KINDS][GATES];

static void single_make(enum kind kind, size_t gate, MPSCNNConvolutionDataSource *source)
{
	struct single *single = &singles[kind][gate];
	const MPSCNNNeuronType type = gate == GATES - 1 ? MPSCNNNeuronTypeTanH : MPSCNNNeuronTypeSigmoid;
	*single = (struct single){.weight = weights[kind][gate], .bias = kind == INPUT ? biases[gate] : 1000};
	single->descriptor = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, 1, 1);
	assert_int_equal(
		MPSCNNConvolutionDescriptor_setNeuronType_parameterA_parameterB(single->descriptor, type, 1, 1), 0);
	*source = (MPSCNNConvolutionDataSource){
		.size = sizeof *source,
		.user = single,
		.dataType = single_type,
		.descriptor = single_descriptor,
		.weights = single_weights,
		.biasTerms = single_bias,
		.load = single_load,
		.purge = single_purge,
	};
}

static MPSLSTMDescriptor *describe(void)
{
	static int (*const setters[KINDS][GATES])(MPSLSTMDescriptor *, const MPSCNNConvolutionDataSource *) = {
		{MPSLSTMDescriptor_setInputGateInputWeights, MPSLSTMDescriptor_setForgetGateInputWeights,
		 MPSLSTMDescriptor_setOutputGateInputWeights, MPSLSTMDescriptor_setCellGateInputWeights},
		{MPSLSTMDescriptor_setInputGateRecurrentWeights, MPSLSTMDescriptor_setForgetGateRecurrentWeights,
		 MPSLSTMDescriptor_setOutputGateRecurrentWeights, MPSLSTMDescriptor_setCellGateRecurrentWeights},
		{MPSLSTMDescriptor_setInputGateMemoryWeights, MPSLSTMDescriptor_setForgetGateMemoryWeights,
		 MPSLSTMDescriptor_setOutputGateMemoryWeights, MPSLSTMDescriptor_setCellGateMemoryWeights},
	};
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(1, 1);
	MPSRNNDescriptor_setUseFloat32Weights(MPSLSTMDescriptor_asRNNDescriptor(descriptor), 1);
	for (int kind = 0; kind < KINDS; kind++)
		for (size_t gate = 0; gate < GATES; gate++) {
			MPSCNNConvolutionDataSource source;
			single_make((enum kind)kind, gate, &source);
			assert_int_equal(setters[kind][gate](descriptor, &source), 0);
		}
	return descriptor;
}

static void singles_release(void)
{
	for (int kind = 0; kind < KINDS; kind++)
		for (size_t gate = 0; gate < GATES; gate++) {
			assert_int_equal(singles[kind][gate].loads, singles[kind][gate].purges);
			MPSCNNConvolutionDescriptor_release(singles[kind][gate].descriptor);
		}
}

/* One number each. */
static void matrices_make(float *numbers, MPSMatrix *matrices[STEPS])
{
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		1, 1, sizeof *numbers, MPSDataTypeFloat32);
	for (size_t step = 0; step < STEPS; step++)
		matrices[step] =
			MPSMatrix_initWithBuffer_offset_descriptor(numbers, step * sizeof *numbers, descriptor);
	MPSMatrixDescriptor_release(descriptor);
}

static void matrices_release(MPSMatrix *matrices[STEPS])
{
	for (size_t step = 0; step < STEPS; step++)
		MPSMatrix_release(matrices[step]);
}

static float number_of(MPSMatrix *matrix)
{
	return *(float *)((char *)MPSMatrix_data(matrix) + MPSMatrix_offset(matrix));
}

static MPSRNNRecurrentMatrixState *start_of(void *layer)
{
	MPSRNNRecurrentMatrixState *state = sluice_mps_matrix_state(layer, 1);
	*(float *)MPSMatrix_data(MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(state, 0)) = h_start;
	*(float *)MPSMatrix_data(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(state, 0)) = c_start;
	return state;
}

static void commit(MPSCommandBuffer *buffer)
{
	assert_int_equal(MPSCommandBuffer_commit(buffer), 0);
	assert_int_equal(MPSCommandBuffer_waitUntilCompleted(buffer), 0);
	MPSCommandBuffer_release(buffer);
}

static MPSRNNDescriptor *base_of(MPSLSTMDescriptor *descriptor)
{
	return MPSLSTMDescriptor_asRNNDescriptor(descriptor);
}

static void test_matrix_layer(void **state)
{
	(void)state;
	float x[STEPS] = {x_steps[0], x_steps[1]}, y[STEPS] = {0};
	MPSMatrix *sources[STEPS], *destinations[STEPS];
	MPSRNNRecurrentMatrixState *states[STEPS];
	MPSLSTMDescriptor *descriptor = describe();
	MPSLSTMDescriptor_setMemoryWeightsAreDiagonal(descriptor, 1);
	MPSRNNMatrixInferenceLayer *layer =
		MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, base_of(descriptor));
	assert_non_null(layer);
	MPSRNNMatrixInferenceLayer_setStoreAllIntermediateStates(layer, 1);
	matrices_make(x, sources);
	matrices_make(y, destinations);
	MPSRNNRecurrentMatrixState *start = start_of(layer);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	assert_int_equal(MPSRNNMatrixInferenceLayer_encodeSequence(layer, buffer, sources, NULL, destinations, NULL,
								   STEPS, start, states),
			 0);
	commit(buffer);
	for (size_t step = 0; step < STEPS; step++) {
		assert_float_equal(y[step], h_steps[step], tolerance);
		assert_float_equal(
			number_of(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(states[step], 0)),
			c_steps[step], tolerance);
		MPSRNNRecurrentMatrixState_release(states[step]);
	}
	matrices_release(sources);
	matrices_release(destinations);
	MPSRNNRecurrentMatrixState_release(start);
	MPSRNNMatrixInferenceLayer_release(layer);
	MPSLSTMDescriptor_release(descriptor);
	singles_release();
}

/* Gradients of h[0] + h[1], by the ids of the input gate, then the others' in Apple's order. */
static const float gradients[GATES][KINDS + 1] = {
	/* input, memory, bias; the reference has no recurrent ones */
	{0.244260638486f, 0, -0.037871649287f, 0.001124033552f},
	{-0.092914092690f, 0, 0.033109132108f, -0.076430023048f},
	{0.392992370908f, 0, -0.168245000549f, 0.437887388433f},
	{0.127533721314f, 0, 0.014105335373f, -0.042840378418f},
};
static const float dx_steps[STEPS] = {0.405395203032f, -0.035878306438f};
static const float dh_start = -0.260323709308f, dc_start = 0.535637978357f;

static void gradients_compare(MPSRNNMatrixTrainingLayer *layer, MPSMatrix *const *weight_gradients)
{
	float numbers[STEPS];
	MPSMatrix *matrices[STEPS];
	const MTLOrigin corner = {0, 0, 0};
	matrices_make(numbers, matrices);
	for (int id = MPSRNNMatrixIdLSTMInputGateInputWeights; id <= MPSRNNMatrixIdLSTMOutputGateBiasTerms; id++) {
		const int gate = (id - MPSRNNMatrixIdLSTMInputGateInputWeights) / (KINDS + 1);
		const int kind = (id - MPSRNNMatrixIdLSTMInputGateInputWeights) % (KINDS + 1);
		if (kind == RECURRENT)
			continue;
		MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
		assert_int_equal(MPSRNNMatrixTrainingLayer_encodeCopyWeights(
					 layer, buffer, weight_gradients, (MPSRNNMatrixId)id, matrices[0], 1, corner),
				 0);
		commit(buffer);
		assert_float_equal(numbers[0], gradients[gate][kind], tolerance);
	}
	matrices_release(matrices);
}

static void test_training_layer(void **state)
{
	(void)state;
	float x[STEPS] = {x_steps[0], x_steps[1]}, y[STEPS] = {0}, dy[STEPS] = {1, 1}, dx[STEPS] = {0};
	MPSMatrix *weights_array[SLUICE_MPS_WEIGHT_MATRICES], *gradients_array[SLUICE_MPS_WEIGHT_MATRICES];
	MPSMatrix *matrices[4][STEPS];
	MPSRNNMatrixTrainingState *training_states[STEPS];
	MPSRNNRecurrentMatrixState *entry;
	MPSLSTMDescriptor *descriptor = describe();
	MPSRNNMatrixTrainingLayer *layer = MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
		NULL, base_of(descriptor), weights_array);
	assert_non_null(layer);
	assert_int_equal(MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(layer, gradients_array,
											 MPSDataTypeFloat32),
			 0);
	float *const numbers[] = {x, y, dy, dx};
	for (size_t each = 0; each < 4; each++)
		matrices_make(numbers[each], matrices[each]);
	MPSRNNRecurrentMatrixState *start = start_of(layer);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	assert_int_equal(MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, buffer, matrices[0], NULL, matrices[1],
									 NULL, STEPS, training_states, start, NULL,
									 weights_array),
			 0);
	assert_int_equal(MPSRNNMatrixTrainingLayer_encodeGradientSequence(
				 layer, buffer, matrices[0], NULL, matrices[2], NULL, matrices[3], NULL,
				 gradients_array, STEPS, training_states, NULL, &entry, weights_array),
			 0);
	commit(buffer);
	for (size_t step = 0; step < STEPS; step++) {
		assert_float_equal(y[step], h_steps[step], tolerance);
		assert_float_equal(dx[step], dx_steps[step], tolerance);
		MPSRNNMatrixTrainingState_release(training_states[step]);
	}
	assert_float_equal(number_of(MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(entry, 0)),
			   dh_start, tolerance);
	assert_float_equal(number_of(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(entry, 0)), dc_start,
			   tolerance);
	gradients_compare(layer, gradients_array);
	for (size_t each = 0; each < 4; each++)
		matrices_release(matrices[each]);
	for (size_t each = 0; each < SLUICE_MPS_WEIGHT_MATRICES; each++) {
		MPSMatrix_release(weights_array[each]);
		MPSMatrix_release(gradients_array[each]);
	}
	MPSRNNRecurrentMatrixState_release(entry);
	MPSRNNRecurrentMatrixState_release(start);
	MPSRNNMatrixTrainingLayer_release(layer);
	MPSLSTMDescriptor_release(descriptor);
	singles_release();
}

/* An image of one pixel, and a kernel of one, is a matrix of one row: the bits are the same. */
static void test_image_layer(void **state)
{
	(void)state;
	float x[STEPS] = {x_steps[0], x_steps[1]}, y[2][STEPS] = {{0}};
	MPSMatrix *sources[STEPS], *destinations[STEPS];
	MPSImage *images[2][STEPS];
	MPSLSTMDescriptor *descriptor = describe();
	MPSRNNDescriptor_setUseFloat32Weights(base_of(descriptor), 0);
	MPSRNNMatrixInferenceLayer *matrix_layer =
		MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, base_of(descriptor));
	MPSRNNImageInferenceLayer *image_layer =
		MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptor(NULL, base_of(descriptor));
	MPSImageDescriptor *pixel = MPSImageDescriptor_imageDescriptorWithChannelFormat_width_height_featureChannels(
		MPSImageFeatureChannelFormatFloat32, 1, 1, 1);
	assert_non_null(image_layer);
	matrices_make(x, sources);
	matrices_make(y[0], destinations);
	for (size_t step = 0; step < STEPS; step++) {
		images[0][step] = sluice_mps_image(&x[step], 0, 0, pixel);
		images[1][step] = sluice_mps_image(&y[1][step], 0, 0, pixel);
	}
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	assert_int_equal(MPSRNNMatrixInferenceLayer_encodeSequence(matrix_layer, buffer, sources, NULL, destinations,
								   NULL, STEPS, NULL, NULL),
			 0);
	assert_int_equal(
		MPSRNNImageInferenceLayer_encodeSequence(image_layer, buffer, images[0], images[1], STEPS, NULL, NULL),
		0);
	commit(buffer);
	assert_true(y[0][0] != 0 && y[0][1] != 0);
	assert_memory_equal(y[0], y[1], sizeof y[0]);
	for (size_t step = 0; step < STEPS; step++) {
		MPSImage_release(images[0][step]);
		MPSImage_release(images[1][step]);
	}
	matrices_release(sources);
	matrices_release(destinations);
	MPSImageDescriptor_release(pixel);
	MPSRNNImageInferenceLayer_release(image_layer);
	MPSRNNMatrixInferenceLayer_release(matrix_layer);
	MPSLSTMDescriptor_release(descriptor);
	singles_release();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix_layer),
		cmocka_unit_test(test_training_layer),
		cmocka_unit_test(test_image_layer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
