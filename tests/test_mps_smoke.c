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

static void test_matrix_layer(void **state)
{
	(void)state;
	float x[STEPS] = {x_steps[0], x_steps[1]}, y[STEPS] = {0};
	MPSMatrix *sources[STEPS], *destinations[STEPS];
	MPSRNNRecurrentMatrixState *states[STEPS];
	MPSLSTMDescriptor *descriptor = describe();
	MPSLSTMDescriptor_setMemoryWeightsAreDiagonal(descriptor, 1);
	MPSRNNMatrixInferenceLayer *layer = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix_layer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
