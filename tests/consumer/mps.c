/*
 * mps.c: a program that uses mps.h, compiled as C and as C++: one LSTM of one unit whose numbers are known, forward and
 * back by the training layer, the same by the inference layer, and a refusal that leaves a sentence. Headers of the
 * other front ends may stand beside it.
 */
#include <sluice/bnns.h>
#include <sluice/mps.h>
#include <sluice/mpsgraph.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 2, GATES = 4, PARTS = 3 };

typedef int setter(MPSLSTMDescriptor *descriptor, const MPSCNNConvolutionDataSource *source);
static setter *const setters[PARTS][GATES] = {
	{MPSLSTMDescriptor_setInputGateInputWeights, MPSLSTMDescriptor_setForgetGateInputWeights,
	 MPSLSTMDescriptor_setCellGateInputWeights, MPSLSTMDescriptor_setOutputGateInputWeights},
	{MPSLSTMDescriptor_setInputGateRecurrentWeights, MPSLSTMDescriptor_setForgetGateRecurrentWeights,
	 MPSLSTMDescriptor_setCellGateRecurrentWeights, MPSLSTMDescriptor_setOutputGateRecurrentWeights},
	{MPSLSTMDescriptor_setInputGateMemoryWeights, MPSLSTMDescriptor_setForgetGateMemoryWeights,
	 MPSLSTMDescriptor_setCellGateMemoryWeights, MPSLSTMDescriptor_setOutputGateMemoryWeights},
};

/* One weight, and its gate's bias. */
struct source {
	float weight, bias;
	MPSCNNConvolutionDescriptor *kernel;
};

static struct source sources[PARTS][GATES] = {
	{{0.5f, 0.1f, NULL}, {-0.3f, 0.2f, NULL}, {0.8f, -0.1f, NULL}, {0.1f, 0.05f, NULL}},
	{{0.2f, 0, NULL}, {0.4f, 0, NULL}, {-0.6f, 0, NULL}, {0.7f, 0, NULL}},
	{{0.3f, 0, NULL}, {-0.2f, 0, NULL}, {0.15f, 0, NULL}, {0.25f, 0, NULL}},
};

static MPSDataType source_type(void *user)
{
	(void)user;
	return MPSDataTypeFloat32;
}

static const MPSCNNConvolutionDescriptor *source_kernel(void *user)
{
	return ((struct source *)user)->kernel;
}

static void *source_weights(void *user)
{
	return &((struct source *)user)->weight;
}

static float *source_bias(void *user)
{
	return &((struct source *)user)->bias;
}

static int source_load(void *user)
{
	return user != NULL;
}

static void source_purge(void *user)
{
	(void)user;
}

static MPSLSTMDescriptor *describe(void)
{
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(1, 1);
	MPSRNNDescriptor_setUseFloat32Weights(MPSLSTMDescriptor_asRNNDescriptor(descriptor), 1);
	MPSLSTMDescriptor_setMemoryWeightsAreDiagonal(descriptor, 1);
	for (int k = 0; k < PARTS * GATES; k++) {
		struct source *source = &sources[k / GATES][k % GATES];
		MPSCNNConvolutionDataSource calls = SLUICE_MPS_DATA_SOURCE_INIT;
		source->kernel = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, 1, 1);
		MPSCNNConvolutionDescriptor_setNeuronType_parameterA_parameterB(
			source->kernel, k % GATES == 2 ? MPSCNNNeuronTypeTanH : MPSCNNNeuronTypeSigmoid, 1, 1);
		calls.user = source;
		calls.dataType = source_type;
		calls.descriptor = source_kernel;
		calls.weights = source_weights;
		calls.biasTerms = source_bias;
		calls.load = source_load;
		calls.purge = source_purge;
		setters[k / GATES][k % GATES](descriptor, &calls);
	}
	return descriptor;
}

/* A matrix of one number for each step. */
static void make_matrices(float *numbers, MPSMatrix **matrices)
{
	MPSMatrixDescriptor *one = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		1, 1, sizeof(float), MPSDataTypeFloat32);
	for (int step = 0; step < STEPS; step++)
		matrices[step] = MPSMatrix_initWithBuffer_descriptor(&numbers[step], one);
	MPSMatrixDescriptor_release(one);
}

static void release_matrices(MPSMatrix **matrices, int count)
{
	for (int k = 0; k < count; k++)
		MPSMatrix_release(matrices[k]);
}

/* h of 0.3 and c of -0.4. */
static MPSRNNRecurrentMatrixState *start_of(void *layer)
{
	MPSRNNRecurrentMatrixState *state = sluice_mps_matrix_state(layer, 1);
	*(float *)MPSMatrix_data(MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(state, 0)) = 0.3f;
	*(float *)MPSMatrix_data(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(state, 0)) = -0.4f;
	return state;
}

/* How many of two numbers are not as expected. */
static int differ(const float *numbers, double first, double second)
{
	return (fabs(numbers[0] - first) > 1e-5) + (fabs(numbers[1] - second) > 1e-5);
}

static int train(const MPSRNNDescriptor *descriptor, MPSMatrix **x, MPSMatrix **y, MPSMatrix **dy, MPSMatrix **dx)
{
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES];
	MPSRNNMatrixTrainingState *states[STEPS];
	MPSRNNMatrixTrainingLayer *layer =
		MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(NULL, descriptor, weights);
	MPSRNNRecurrentMatrixState *start = start_of(layer);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	int wrong = MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, buffer, x, NULL, y, NULL, STEPS, states,
								    start, NULL, weights) ||
		    MPSRNNMatrixTrainingLayer_encodeGradientSequence(layer, buffer, x, NULL, dy, NULL, dx, NULL, NULL,
								     STEPS, states, NULL, NULL, weights) ||
		    MPSCommandBuffer_commit(buffer);
	for (int step = 0; step < STEPS && !wrong; step++)
		MPSRNNMatrixTrainingState_release(states[step]);
	release_matrices(weights, SLUICE_MPS_WEIGHT_MATRICES);
	MPSCommandBuffer_release(buffer);
	MPSRNNRecurrentMatrixState_release(start);
	MPSRNNMatrixTrainingLayer_release(layer);
	return wrong;
}

static int infer(const MPSRNNDescriptor *descriptor, MPSMatrix **x, MPSMatrix **y)
{
	MPSRNNMatrixInferenceLayer *layer = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, descriptor);
	MPSRNNRecurrentMatrixState *start = start_of(layer);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	int wrong = MPSRNNMatrixInferenceLayer_encodeSequence(layer, buffer, x, NULL, y, NULL, STEPS, start, NULL) ||
		    MPSCommandBuffer_commit(buffer);
	MPSCommandBuffer_release(buffer);
	MPSRNNRecurrentMatrixState_release(start);
	MPSRNNMatrixInferenceLayer_release(layer);
	return wrong;
}

int main(void)
{
	float x[] = {1, -2}, y[STEPS] = {0}, trained[STEPS] = {0}, dy[] = {1, 1}, dx[STEPS] = {0};
	MPSMatrix *in[STEPS], *out[STEPS], *out_trained[STEPS], *gradient_in[STEPS], *gradient_out[STEPS];
	MPSLSTMDescriptor *descriptor = describe();
	const MPSRNNDescriptor *base = MPSLSTMDescriptor_asRNNDescriptor(descriptor);
	int wrong = 0;
	make_matrices(x, in);
	make_matrices(y, out);
	make_matrices(trained, out_trained);
	make_matrices(dy, gradient_in);
	make_matrices(dx, gradient_out);
	wrong += infer(base, in, out) + train(base, in, out_trained, gradient_in, gradient_out);
	wrong += differ(y, 0.036551805868, -0.104098898200) + differ(trained, y[0], y[1]);
	wrong += differ(dx, 0.405395203032, -0.035878306438);
	wrong += MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, NULL) != NULL;
	wrong += strlen(sluice_mps_last_message()) == 0;
	printf("mps: %s: %s\n", wrong ? "wrong" : "right", sluice_mps_last_message());
	release_matrices(in, STEPS);
	release_matrices(out, STEPS);
	release_matrices(out_trained, STEPS);
	release_matrices(gradient_in, STEPS);
	release_matrices(gradient_out, STEPS);
	for (int k = 0; k < PARTS * GATES; k++)
		MPSCNNConvolutionDescriptor_release(sources[k / GATES][k % GATES].kernel);
	MPSLSTMDescriptor_release(descriptor);
	return wrong;
}
