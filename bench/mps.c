/*
 * mps.c: measures what an encode and commit of MPS cost beside the same run of the core, as the table of
 * docs/BENCHMARKS.md: a layer for inference on matrices, and one that trains, forward and back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paired.h"
#include "sluice/mps.h"

enum { GATES = 4, WEIGHTS = SLUICE_MPS_WEIGHT_MATRICES };

/* Weights of one gate, in the core's model. */
struct source {
	MPSCNNConvolutionDescriptor *descriptor;
	const float *weights, *bias;
};

/* A layer, and matrices of all steps in the pass's own arrays or in others like them. */
struct facade {
	struct source sources[2][GATES];
	MPSRNNMatrixInferenceLayer *inference;
	MPSRNNMatrixTrainingLayer *training;
	MPSMatrix *weights[WEIGHTS], *gradients[WEIGHTS];
	size_t steps;
	MPSMatrix **x, **y, **dy, **dx;
	MPSRNNMatrixTrainingState **states;
};

static MPSDataType source_type(void *user)
{
	(void)user;
	return MPSDataTypeFloat32;
}

static const MPSCNNConvolutionDescriptor *source_descriptor(void *user)
{
	return ((struct source *)user)->descriptor;
}

static void *source_weights(void *user)
{
	return (void *)(uintptr_t)((struct source *)user)->weights;
}

static float *source_bias(void *user)
{
	return (float *)(uintptr_t)((struct source *)user)->bias;
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

typedef int setter(MPSLSTMDescriptor *descriptor, const MPSCNNConvolutionDataSource *source);

static int source_set(MPSLSTMDescriptor *descriptor, setter *set, struct source *source, MPSCNNNeuronType neuron)
{
	const MPSCNNConvolutionDataSource calls = {
		.size = sizeof calls,
		.user = source,
		.dataType = source_type,
		.descriptor = source_descriptor,
		.weights = source_weights,
		.biasTerms = source_bias,
		.load = source_load,
		.purge = source_purge,
	};

	if (MPSCNNConvolutionDescriptor_setNeuronType_parameterA_parameterB(source->descriptor, neuron, 1, 1) != 0)
		return -1;
	return set(descriptor, &calls);
}

/* The core's gates are i f g o. */
static int describe(const struct bench *bench, struct facade *facade, MPSLSTMDescriptor *descriptor)
{
	static setter *const setters[2][GATES] = {
		{MPSLSTMDescriptor_setInputGateInputWeights, MPSLSTMDescriptor_setForgetGateInputWeights,
		 MPSLSTMDescriptor_setCellGateInputWeights, MPSLSTMDescriptor_setOutputGateInputWeights},
		{MPSLSTMDescriptor_setInputGateRecurrentWeights, MPSLSTMDescriptor_setForgetGateRecurrentWeights,
		 MPSLSTMDescriptor_setCellGateRecurrentWeights, MPSLSTMDescriptor_setOutputGateRecurrentWeights}};
	const size_t I = bench->problem.inputs, H = bench->outputs;
	float *block = sluice_model_parameters(bench->model, NULL);
	const float *const w = bench_parameter(bench, block, "weight_ih_l0");
	const float *const r = bench_parameter(bench, block, "weight_hh_l0");
	const float *const b = bench_parameter(bench, block, "bias_l0");
	int failed = 0;

	MPSRNNDescriptor_setUseFloat32Weights(MPSLSTMDescriptor_asRNNDescriptor(descriptor), 1);
	for (size_t gate = 0; gate < GATES; gate++) {
		const MPSCNNNeuronType neuron = gate == 2 ? MPSCNNNeuronTypeTanH : MPSCNNNeuronTypeSigmoid;

		facade->sources[0][gate] =
			(struct source){MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, I, H),
					w + gate * H * I, b + gate * H};
		facade->sources[1][gate] = (struct source){
			MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, H, H), r + gate * H * H, NULL};
		for (size_t part = 0; part < 2; part++)
			failed |= source_set(descriptor, setters[part][gate], &facade->sources[part][gate], neuron);
	}
	return failed;
}

/* One matrix for each step of an array [T,N,columns]. */
static MPSMatrix **matrices_make(struct bench *bench, const float *numbers, size_t columns)
{
	const size_t rows = bench->problem.batch, bytes = columns * sizeof(float);
	MPSMatrix **list = bench_take(bench, bench->problem.steps, sizeof(MPSMatrix *));
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		rows, columns, bytes, MPSDataTypeFloat32);

	for (size_t step = 0; list && step < bench->problem.steps; step++)
		list[step] = MPSMatrix_initWithBuffer_offset_descriptor((void *)(uintptr_t)numbers, step * rows * bytes,
									descriptor);
	MPSMatrixDescriptor_release(descriptor);
	return list;
}

static sluice_status arrays_make(struct bench *bench, const struct pass *pass, struct facade *facade)
{
	const size_t rows = bench->problem.steps * bench->problem.batch, I = bench->problem.inputs, H = bench->outputs;
	float *y = bench_take(bench, rows * H, sizeof(float));
	float *dx = bench_take(bench, rows * I, sizeof(float));

	facade->steps = bench->problem.steps;
	facade->x = matrices_make(bench, pass->run.x, I);
	facade->y = matrices_make(bench, y, H);
	facade->dy = pass->backward ? matrices_make(bench, pass->gradients.dy, H) : NULL;
	facade->dx = pass->backward ? matrices_make(bench, dx, I) : NULL;
	facade->states = bench_take(bench, facade->steps, sizeof(MPSRNNMatrixTrainingState *));
	if (!y || !dx || !facade->x || !facade->y || !facade->states ||
	    (pass->backward && (!facade->dy || !facade->dx)))
		return SLUICE_OUT_OF_MEMORY;
	return SLUICE_OK;
}

static sluice_status layer_make(const MPSRNNDescriptor *descriptor, int backward, struct facade *facade)
{
	if (!backward) {
		facade->inference = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, descriptor);
		return facade->inference ? SLUICE_OK : SLUICE_INTERNAL;
	}
	facade->training = MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(NULL, descriptor,
												   facade->weights);
	if (!facade->training || MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(
					 facade->training, facade->gradients, MPSDataTypeFloat32) != 0)
		return SLUICE_INTERNAL;
	return SLUICE_OK;
}

static sluice_status facade_create(struct bench *bench, const struct pass *pass, void *argument)
{
	struct facade *facade = argument;
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(
			bench->problem.inputs, bench->outputs);
	sluice_status status = descriptor && describe(bench, facade, descriptor) == 0 ? SLUICE_OK : SLUICE_INTERNAL;

	if (status == SLUICE_OK)
		status = layer_make(MPSLSTMDescriptor_asRNNDescriptor(descriptor), pass->backward, facade);
	MPSLSTMDescriptor_release(descriptor);
	return status == SLUICE_OK ? arrays_make(bench, pass, facade) : status;
}

static int training_encode(struct facade *facade, MPSCommandBuffer *buffer)
{
	if (MPSRNNMatrixTrainingLayer_encodeForwardSequence(facade->training, buffer, facade->x, NULL, facade->y, NULL,
							    facade->steps, facade->states, NULL, NULL,
							    facade->weights) != 0)
		return -1;
	const int status = MPSRNNMatrixTrainingLayer_encodeGradientSequence(
		facade->training, buffer, facade->x, NULL, facade->dy, NULL, facade->dx, NULL, facade->gradients,
		facade->steps, facade->states, NULL, NULL, facade->weights);

	for (size_t step = 0; step < facade->steps; step++)
		MPSRNNMatrixTrainingState_release(facade->states[step]);
	return status;
}

/* All that a program does for a call: a buffer, encodes, a commit. */
static int facade_run(void *argument)
{
	struct facade *facade = argument;
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	int status = facade->training
			     ? training_encode(facade, buffer)
			     : MPSRNNMatrixInferenceLayer_encodeSequence(facade->inference, buffer, facade->x, NULL,
									 facade->y, NULL, facade->steps, NULL, NULL);

	if (status == 0)
		status = MPSCommandBuffer_commit(buffer);
	MPSCommandBuffer_release(buffer);
	return status;
}

static void matrices_release(MPSMatrix **list, size_t count)
{
	for (size_t k = 0; list && k < count; k++)
		MPSMatrix_release(list[k]);
}

static void facade_destroy(void *argument)
{
	struct facade *facade = argument;

	matrices_release(facade->x, facade->steps);
	matrices_release(facade->y, facade->steps);
	matrices_release(facade->dy, facade->steps);
	matrices_release(facade->dx, facade->steps);
	matrices_release(facade->weights, WEIGHTS);
	matrices_release(facade->gradients, WEIGHTS);
	MPSRNNMatrixInferenceLayer_release(facade->inference);
	MPSRNNMatrixTrainingLayer_release(facade->training);
	for (size_t k = 0; k < 2 * GATES; k++)
		MPSCNNConvolutionDescriptor_release(facade->sources[k / GATES][k % GATES].descriptor);
}

int main(int argc, char **argv)
{
	static const char *const words[] = {"inference", "training"};
	const int small = argc > 1 && !strcmp(argv[1], "--small");
	const char *problem = small ? "t5n3i4h8" : argc > 1 ? argv[1] : "t25n16i128h128";
	const double seconds = small ? 0 : 3;

	puts("| problem | pass | layer | us | us of the core | ratio, median of pairs | kernels |");
	puts("|---|---|---|---|---|---|---|");
	for (int backward = 0; backward < 2; backward++) {
		struct facade facade = {0};
		const struct front front = {words[backward], facade_create, facade_run, facade_destroy, &facade};

		if (front_measure(problem, backward, &front, seconds) != SLUICE_OK) {
			fprintf(stderr, "mps: %s\n", sluice_mps_last_message());
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
