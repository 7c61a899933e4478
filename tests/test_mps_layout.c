/* test_mps_layout.c exists to hold mps.h to Apple's names: values of constants, what new descriptors say, types of the
 * methods, so that a program need only be respelt to be compiled here. */
#include <string.h>

#include "layout.h"
#include "sluice/mps.h"

/* ------------------------------------------------------------------------------------------------- constants -- */

static void test_data_types(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(MPSDataTypeFloatBit, 0x10000000), VALUE(MPSDataTypeAlternateEncodingBit, 0x80000000),
		VALUE(MPSDataTypeFloat32, 0x10000020),  VALUE(MPSDataTypeFloat16, 0x10000010),
		VALUE(MPSDataTypeBFloat16, 0x90000010), VALUE(MPSDataTypeUInt8, 8),
		VALUE(sizeof(MPSDataType), 4),
	};
	compare(table, COUNT(table));
}

static void test_neurons(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(MPSCNNNeuronTypeNone, 0),        VALUE(MPSCNNNeuronTypeReLU, 1),
		VALUE(MPSCNNNeuronTypeLinear, 2),      VALUE(MPSCNNNeuronTypeSigmoid, 3),
		VALUE(MPSCNNNeuronTypeHardSigmoid, 4), VALUE(MPSCNNNeuronTypeTanH, 5),
		VALUE(MPSCNNNeuronTypeAbsolute, 6),    VALUE(MPSCNNNeuronTypeSoftPlus, 7),
		VALUE(MPSCNNNeuronTypeSoftSign, 8),    VALUE(MPSCNNNeuronTypeELU, 9),
		VALUE(MPSCNNNeuronTypePReLU, 10),      VALUE(MPSCNNNeuronTypeReLUN, 11),
		VALUE(MPSCNNNeuronTypePower, 12),      VALUE(MPSCNNNeuronTypeExponential, 13),
		VALUE(MPSCNNNeuronTypeLogarithm, 14),  VALUE(MPSCNNNeuronTypeGeLU, 15),
		VALUE(sizeof(MPSCNNNeuronType), 4),
	};
	compare(table, COUNT(table));
}

static void test_matrix_ids(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(MPSRNNMatrixIdSingleGateInputWeights, 0),
		VALUE(MPSRNNMatrixIdSingleGateRecurrentWeights, 1),
		VALUE(MPSRNNMatrixIdSingleGateBiasTerms, 2),
		VALUE(MPSRNNMatrixIdLSTMInputGateInputWeights, 3),
		VALUE(MPSRNNMatrixIdLSTMInputGateRecurrentWeights, 4),
		VALUE(MPSRNNMatrixIdLSTMInputGateMemoryWeights, 5),
		VALUE(MPSRNNMatrixIdLSTMInputGateBiasTerms, 6),
		VALUE(MPSRNNMatrixIdLSTMForgetGateInputWeights, 7),
		VALUE(MPSRNNMatrixIdLSTMForgetGateRecurrentWeights, 8),
		VALUE(MPSRNNMatrixIdLSTMForgetGateMemoryWeights, 9),
		VALUE(MPSRNNMatrixIdLSTMForgetGateBiasTerms, 10),
		VALUE(MPSRNNMatrixIdLSTMMemoryGateInputWeights, 11),
		VALUE(MPSRNNMatrixIdLSTMMemoryGateRecurrentWeights, 12),
		VALUE(MPSRNNMatrixIdLSTMMemoryGateMemoryWeights, 13),
		VALUE(MPSRNNMatrixIdLSTMMemoryGateBiasTerms, 14),
		VALUE(MPSRNNMatrixIdLSTMOutputGateInputWeights, 15),
		VALUE(MPSRNNMatrixIdLSTMOutputGateRecurrentWeights, 16),
		VALUE(MPSRNNMatrixIdLSTMOutputGateMemoryWeights, 17),
		VALUE(MPSRNNMatrixIdLSTMOutputGateBiasTerms, 18),
		VALUE(MPSRNNMatrixIdGRUInputGateInputWeights, 19),
		VALUE(MPSRNNMatrixIdGRUInputGateRecurrentWeights, 20),
		VALUE(MPSRNNMatrixIdGRUInputGateBiasTerms, 21),
		VALUE(MPSRNNMatrixIdGRURecurrentGateInputWeights, 22),
		VALUE(MPSRNNMatrixIdGRURecurrentGateRecurrentWeights, 23),
		VALUE(MPSRNNMatrixIdGRURecurrentGateBiasTerms, 24),
		VALUE(MPSRNNMatrixIdGRUOutputGateInputWeights, 25),
		VALUE(MPSRNNMatrixIdGRUOutputGateRecurrentWeights, 26),
		VALUE(MPSRNNMatrixIdGRUOutputGateInputGateWeights, 27),
		VALUE(MPSRNNMatrixIdGRUOutputGateBiasTerms, 28),
		VALUE(MPSRNNMatrixId_count, 29),
	};
	compare(table, COUNT(table));
}

static void test_other_enumerations(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(MPSRNNSequenceDirectionForward, 0),
		VALUE(MPSRNNSequenceDirectionBackward, 1),
		VALUE(MPSRNNBidirectionalCombineModeNone, 0),
		VALUE(MPSRNNBidirectionalCombineModeAdd, 1),
		VALUE(MPSRNNBidirectionalCombineModeConcatenate, 2),
		VALUE(MPSCNNWeightsQuantizationTypeNone, 0),
		VALUE(MPSCNNWeightsQuantizationTypeLinear, 1),
		VALUE(MPSCNNWeightsQuantizationTypeLookupTable, 2),
		VALUE(MPSCNNConvolutionWeightsLayoutOHWI, 0),
		VALUE(MPSImageFeatureChannelFormatNone, 0),
		VALUE(MPSImageFeatureChannelFormatUnorm8, 1),
		VALUE(MPSImageFeatureChannelFormatUnorm16, 2),
		VALUE(MPSImageFeatureChannelFormatFloat16, 3),
		VALUE(MPSImageFeatureChannelFormatFloat32, 4),
		VALUE(MPSDataLayoutHeightxWidthxFeatureChannels, 0),
		VALUE(MPSDataLayoutFeatureChannelsxHeightxWidth, 1),
		VALUE(MTLCommandBufferStatusNotEnqueued, 0),
		VALUE(MTLCommandBufferStatusEnqueued, 1),
		VALUE(MTLCommandBufferStatusCommitted, 2),
		VALUE(MTLCommandBufferStatusScheduled, 3),
		VALUE(MTLCommandBufferStatusCompleted, 4),
		VALUE(MTLCommandBufferStatusError, 5),
	};
	compare(table, COUNT(table));
}

/* Structures of zeros, but for their size, are those of the defaults. */
static void test_structures(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(SLUICE_MPS_TRAINING_WEIGHTS_HALF, 0),
		VALUE(SLUICE_MPS_TRAINING_WEIGHTS_FLOAT, 1),
		VALUE(offsetof(MTLOrigin, x), 0),
		VALUE(offsetof(MTLOrigin, y), sizeof(size_t)),
		VALUE(offsetof(MTLOrigin, z), 2 * sizeof(size_t)),
		VALUE(sizeof(MTLOrigin), 3 * sizeof(size_t)),
	};
	const sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;
	const MPSCNNConvolutionDataSource source = SLUICE_MPS_DATA_SOURCE_INIT;
	sluice_mps_options no_options = {0};
	MPSCNNConvolutionDataSource no_source = {0};
	compare(table, COUNT(table));
	no_options.size = sizeof no_options;
	no_source.size = sizeof no_source;
	assert_memory_equal(&options, &no_options, sizeof options);
	assert_memory_equal(&source, &no_source, sizeof source);
}

/* ---------------------------------------------------------------------------------------------- LSTM descriptor -- */

struct property {
	const char *name;
	double (*get)(const MPSLSTMDescriptor *);
	void (*set)(MPSLSTMDescriptor *, double);
	double initial, other;
};

/* Every property as one of double, whatever its type. The view of the base class is of the same object. */
#define BASE_ACCESS(name, Name, type, initial)                                                          \
	static double get_##name(const MPSLSTMDescriptor *descriptor)                                   \
	{                                                                                               \
		return (double)MPSRNNDescriptor_##name(                                                 \
			MPSLSTMDescriptor_asRNNDescriptor((MPSLSTMDescriptor *)(uintptr_t)descriptor)); \
	}                                                                                               \
	static void set_##name(MPSLSTMDescriptor *descriptor, double name)                              \
	{                                                                                               \
		MPSRNNDescriptor_set##Name(MPSLSTMDescriptor_asRNNDescriptor(descriptor), (type)name);  \
	}
SLUICE_MPS_RNN_PROPERTIES(BASE_ACCESS)
#undef BASE_ACCESS
#define ACCESS(name, Name, type, initial)                                  \
	static double get_##name(const MPSLSTMDescriptor *descriptor)      \
	{                                                                  \
		return (double)MPSLSTMDescriptor_##name(descriptor);       \
	}                                                                  \
	static void set_##name(MPSLSTMDescriptor *descriptor, double name) \
	{                                                                  \
		MPSLSTMDescriptor_set##Name(descriptor, (type)name);       \
	}
SLUICE_MPS_LSTM_PROPERTIES(ACCESS)
#undef ACCESS

#define PROPERTY(name, initial, other)                        \
	{                                                     \
#name, get_##name, set_##name, initial, other \
	}

enum { INPUTS = 3, OUTPUTS = 2 };

/* Written out: the header's lists have defaults, too, which are what is tested. */
static const struct property PROPERTIES[] = {
	PROPERTY(inputFeatureChannels, INPUTS, 5),
	PROPERTY(outputFeatureChannels, OUTPUTS, 5),
	PROPERTY(useLayerInputUnitTransformMode, 0, 1),
	PROPERTY(useFloat32Weights, 0, 1),
	PROPERTY(layerSequenceDirection, MPSRNNSequenceDirectionForward, MPSRNNSequenceDirectionBackward),
	PROPERTY(memoryWeightsAreDiagonal, 0, 1),
	PROPERTY(cellToOutputNeuronType, MPSCNNNeuronTypeTanH, MPSCNNNeuronTypeReLU),
	PROPERTY(cellToOutputNeuronParamA, 1, 0.5),
	PROPERTY(cellToOutputNeuronParamB, 1, 0.25),
	PROPERTY(cellToOutputNeuronParamC, 1, 2),
};

static MPSLSTMDescriptor *new_descriptor(void)
{
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(INPUTS, OUTPUTS);
	assert_non_null(descriptor);
	return descriptor;
}

static void expect_defaults(const MPSLSTMDescriptor *descriptor, const struct property *but)
{
	for (size_t k = 0; k < COUNT(PROPERTIES); k++) {
		const struct property *property = &PROPERTIES[k];
		const double expected = property == but ? property->other : property->initial;
		if (property->get(descriptor) != expected)
			fail_msg("%s is %g, expected %g", property->name, property->get(descriptor), expected);
	}
}

struct accessor {
	const char *name;
	const MPSCNNConvolutionDataSource *(*get)(const MPSLSTMDescriptor *);
	int (*set)(MPSLSTMDescriptor *, const MPSCNNConvolutionDataSource *);
};
#define SOURCE(name, Name) {#name, MPSLSTMDescriptor_##name, MPSLSTMDescriptor_set##Name},
static const struct accessor SOURCES[] = {SLUICE_MPS_LSTM_SOURCES(SOURCE)};

static void test_descriptor_defaults(void **unused)
{
	(void)unused;
	MPSLSTMDescriptor *descriptor = new_descriptor();
	expect_defaults(descriptor, NULL);
	assert_int_equal(COUNT(SOURCES), 12);
	for (size_t k = 0; k < COUNT(SOURCES); k++)
		assert_null(SOURCES[k].get(descriptor));
	MPSLSTMDescriptor_release(descriptor);
	assert_null(MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(0, 1));
	assert_null(MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(1, 0));
}

/* A property changes alone; a copy says the same and is another object; what differs in one property is not equal. */
static void test_descriptor_properties(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < COUNT(PROPERTIES); k++) {
		MPSLSTMDescriptor *plain = new_descriptor();
		MPSLSTMDescriptor_release(MPSLSTMDescriptor_retain(plain));
		MPSLSTMDescriptor *copy = MPSLSTMDescriptor_copy(plain);
		assert_ptr_not_equal(copy, plain);
		assert_true(MPSLSTMDescriptor_isEqual(copy, plain));
		assert_int_equal(MPSLSTMDescriptor_hash(copy), MPSLSTMDescriptor_hash(plain));
		PROPERTIES[k].set(copy, PROPERTIES[k].other);
		expect_defaults(copy, &PROPERTIES[k]);
		expect_defaults(plain, NULL);
		if (MPSLSTMDescriptor_isEqual(copy, plain))
			fail_msg("%s makes no difference", PROPERTIES[k].name);
		MPSRNNDescriptor_release(MPSRNNDescriptor_retain(MPSLSTMDescriptor_asRNNDescriptor(plain)));
		MPSLSTMDescriptor_release(plain);
		MPSLSTMDescriptor_release(copy);
	}
}

static MPSDataType some_type(void *user)
{
	(void)user;
	return MPSDataTypeFloat32;
}

static const MPSCNNConvolutionDescriptor *some_descriptor(void *user)
{
	(void)user;
	return NULL;
}

static void *some_weights(void *user)
{
	return user;
}

static float *no_bias(void *user)
{
	(void)user;
	return NULL;
}

static int some_load(void *user)
{
	(void)user;
	return 1;
}

static void some_purge(void *user)
{
	(void)user;
}

static int references;

static void reference_more(void *user)
{
	references += *(int *)user;
}

static void reference_less(void *user)
{
	references -= *(int *)user;
}

static MPSCNNConvolutionDataSource source_of(int *user)
{
	MPSCNNConvolutionDataSource source = SLUICE_MPS_DATA_SOURCE_INIT;
	source.user = user;
	source.dataType = some_type;
	source.descriptor = some_descriptor;
	source.weights = some_weights;
	source.biasTerms = no_bias;
	source.load = some_load;
	source.purge = some_purge;
	source.retain = reference_more;
	source.release = reference_less;
	return source;
}

/* Each of the twelve is a place of its own, copied with the descriptor and part of its equality; references to it are
 * counted by its own functions. */
static void test_descriptor_sources(void **unused)
{
	(void)unused;
	int one = 1;
	for (size_t k = 0; k < COUNT(SOURCES); k++) {
		MPSLSTMDescriptor *plain = new_descriptor(), *given = new_descriptor(), *copy;
		const MPSCNNConvolutionDataSource source = source_of(&one);
		assert_int_equal(SOURCES[k].set(given, &source), 0);
		for (size_t other = 0; other < COUNT(SOURCES); other++)
			assert_int_equal(SOURCES[other].get(given) != NULL, other == k);
		assert_memory_equal(SOURCES[k].get(given), &source, sizeof source);
		copy = MPSLSTMDescriptor_copy(given);
		assert_int_equal(references, 2);
		assert_true(MPSLSTMDescriptor_isEqual(copy, given));
		assert_int_equal(MPSLSTMDescriptor_hash(copy), MPSLSTMDescriptor_hash(given));
		if (MPSLSTMDescriptor_isEqual(plain, given))
			fail_msg("%s makes no difference", SOURCES[k].name);
		assert_int_equal(SOURCES[k].set(given, NULL), 0);
		assert_int_equal(references, 1);
		assert_true(MPSLSTMDescriptor_isEqual(plain, given));
		MPSLSTMDescriptor_release(plain);
		MPSLSTMDescriptor_release(given);
		MPSLSTMDescriptor_release(copy);
		assert_int_equal(references, 0);
	}
}

/* ------------------------------------------------------------------------------------- neurons, convolutions -- */

static void expect_neuron(const MPSNNNeuronDescriptor *neuron, MPSCNNNeuronType type, float a, float b, float c)
{
	assert_int_equal(MPSNNNeuronDescriptor_neuronType(neuron), type);
	assert_true(MPSNNNeuronDescriptor_a(neuron) == a);
	assert_true(MPSNNNeuronDescriptor_b(neuron) == b);
	assert_true(MPSNNNeuronDescriptor_c(neuron) == c);
}

static void test_neuron_descriptors(void **unused)
{
	(void)unused;
	float slopes[] = {0.25f, 0.5f};
	size_t count = 0;
	MPSNNNeuronDescriptor *neurons[] = {
		MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType(MPSCNNNeuronTypePower),
		MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a(MPSCNNNeuronTypePower, 2),
		MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b(MPSCNNNeuronTypePower, 2, 3),
		MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c(MPSCNNNeuronTypePower, 2, 3, 4),
		MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(slopes, 2, 0),
		MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(slopes, 2, 1),
	};
	for (size_t given = 0; given <= 3; given++)
		expect_neuron(neurons[given], MPSCNNNeuronTypePower, given > 0 ? 2 : 0, given > 1 ? 3 : 0,
			      given > 2 ? 4 : 0);
	assert_null(MPSNNNeuronDescriptor_data(neurons[3], &count));
	assert_int_equal(count, 0);
	slopes[0] = 1;
	for (int no_copy = 0; no_copy < 2; no_copy++) {
		const float *data = MPSNNNeuronDescriptor_data(neurons[4 + no_copy], &count);
		assert_int_equal(MPSNNNeuronDescriptor_neuronType(neurons[4 + no_copy]), MPSCNNNeuronTypePReLU);
		assert_int_equal(count, 2);
		assert_true(data[0] == (no_copy ? 1 : 0.25f) && data[1] == 0.5f);
	}
	MPSNNNeuronDescriptor *copy = MPSNNNeuronDescriptor_copy(MPSNNNeuronDescriptor_retain(neurons[0]));
	MPSNNNeuronDescriptor_release(neurons[0]);
	MPSNNNeuronDescriptor_setNeuronType(copy, MPSCNNNeuronTypeLinear);
	MPSNNNeuronDescriptor_setA(copy, 5);
	MPSNNNeuronDescriptor_setB(copy, 6);
	MPSNNNeuronDescriptor_setC(copy, 7);
	expect_neuron(copy, MPSCNNNeuronTypeLinear, 5, 6, 7);
	expect_neuron(neurons[0], MPSCNNNeuronTypePower, 0, 0, 0);
	MPSNNNeuronDescriptor_release(copy);
	for (size_t k = 0; k < COUNT(neurons); k++)
		MPSNNNeuronDescriptor_release(neurons[k]);
}

struct size_property {
	const char *name;
	size_t (*get)(const MPSCNNConvolutionDescriptor *);
	void (*set)(MPSCNNConvolutionDescriptor *, size_t);
	size_t initial;
};
#define SIZE_PROPERTY(name, Name, initial)                                                                \
	{                                                                                                 \
#name, MPSCNNConvolutionDescriptor_##name, MPSCNNConvolutionDescriptor_set##Name, initial \
	}
static const struct size_property SIZES[] = {
	SIZE_PROPERTY(kernelWidth, KernelWidth, 3),
	SIZE_PROPERTY(kernelHeight, KernelHeight, 5),
	SIZE_PROPERTY(inputFeatureChannels, InputFeatureChannels, 7),
	SIZE_PROPERTY(outputFeatureChannels, OutputFeatureChannels, 9),
	SIZE_PROPERTY(strideInPixelsX, StrideInPixelsX, 1),
	SIZE_PROPERTY(strideInPixelsY, StrideInPixelsY, 1),
	SIZE_PROPERTY(groups, Groups, 1),
	SIZE_PROPERTY(dilationRateX, DilationRateX, 1),
	SIZE_PROPERTY(dilationRateY, DilationRateY, 1),
};

static void expect_sizes(const MPSCNNConvolutionDescriptor *descriptor, size_t changed)
{
	for (size_t k = 0; k < COUNT(SIZES); k++)
		if (SIZES[k].get(descriptor) != SIZES[k].initial + (k < changed ? 10 : 0))
			fail_msg("%s is %zu", SIZES[k].name, SIZES[k].get(descriptor));
}

static void test_convolution_descriptor(void **unused)
{
	(void)unused;
	MPSCNNConvolutionDescriptor *descriptor = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(3, 5, 7, 9);
	MPSNNNeuronDescriptor *relu = MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a(MPSCNNNeuronTypeReLU, 0.1f);
	expect_sizes(descriptor, 0);
	expect_neuron(MPSCNNConvolutionDescriptor_fusedNeuronDescriptor(descriptor), MPSCNNNeuronTypeNone, 0, 0, 0);
	assert_int_equal(MPSCNNConvolutionDescriptor_setFusedNeuronDescriptor(descriptor, relu), 0);
	MPSNNNeuronDescriptor_release(relu);
	MPSCNNConvolutionDescriptor *copy =
		MPSCNNConvolutionDescriptor_copy(MPSCNNConvolutionDescriptor_retain(descriptor));
	MPSCNNConvolutionDescriptor_release(descriptor);
	for (size_t k = 0; k < COUNT(SIZES); k++) {
		SIZES[k].set(copy, SIZES[k].initial + 10);
		expect_sizes(copy, k + 1);
	}
	expect_sizes(descriptor, 0);
	assert_int_equal(MPSCNNConvolutionDescriptor_setNeuronType_parameterA_parameterB(
				 copy, MPSCNNNeuronTypeHardSigmoid, 0.2f, 0.5f),
			 0);
	expect_neuron(MPSCNNConvolutionDescriptor_fusedNeuronDescriptor(copy), MPSCNNNeuronTypeHardSigmoid, 0.2f, 0.5f,
		      0);
	expect_neuron(MPSCNNConvolutionDescriptor_fusedNeuronDescriptor(descriptor), MPSCNNNeuronTypeReLU, 0.1f, 0, 0);
	MPSCNNConvolutionDescriptor_release(copy);
	MPSCNNConvolutionDescriptor_release(descriptor);
}

/* ---------------------------------------------------------------------------------------------------- methods -- */

typedef MPSCommandBuffer *buffer;
typedef MPSMatrix *const *matrices;
typedef MPSImage *const *images;
typedef const size_t *offsets;

/* Assignments that compile only if the arguments are as many and of the types that the selectors name; the compiler is
 * the judge. Short names are other names of the longest methods. */
static void test_inference_methods(void **unused)
{
	(void)unused;
	int (*whole)(MPSRNNMatrixInferenceLayer *, buffer, matrices, offsets, matrices, offsets, size_t,
		     MPSRNNRecurrentMatrixState *, MPSRNNRecurrentMatrixState **) =
		SLUICE_MPS_JOIN(MPSRNNMatrixInferenceLayer_encodeSequenceToCommandBuffer_sourceMatrices_sourceOffsets_,
				destinationMatrices_destinationOffsets_recurrentInputState_recurrentOutputStates);
	int (*plain)(MPSRNNMatrixInferenceLayer *, buffer, matrices, matrices, size_t, MPSRNNRecurrentMatrixState *,
		     MPSRNNRecurrentMatrixState **) =
		SLUICE_MPS_JOIN(MPSRNNMatrixInferenceLayer_encodeSequenceToCommandBuffer_sourceMatrices_,
				destinationMatrices_recurrentInputState_recurrentOutputStates);
	int (*both)(MPSRNNMatrixInferenceLayer *, buffer, matrices, matrices, matrices, size_t) =
		SLUICE_MPS_JOIN(MPSRNNMatrixInferenceLayer_encodeBidirectionalSequenceToCommandBuffer_,
				sourceSequence_destinationForwardMatrices_destinationBackwardMatrices);
	assert_true(whole == MPSRNNMatrixInferenceLayer_encodeSequence && plain);
	assert_true(both == MPSRNNMatrixInferenceLayer_encodeBidirectionalSequence);
}

static void test_image_methods(void **unused)
{
	(void)unused;
	int (*whole)(MPSRNNImageInferenceLayer *, buffer, images, images, size_t, MPSRNNRecurrentImageState *,
		     MPSRNNRecurrentImageState **) =
		SLUICE_MPS_JOIN(MPSRNNImageInferenceLayer_encodeSequenceToCommandBuffer_sourceImages_,
				destinationImages_recurrentInputState_recurrentOutputStates);
	int (*both)(MPSRNNImageInferenceLayer *, buffer, images, images, images, size_t) =
		SLUICE_MPS_JOIN(MPSRNNImageInferenceLayer_encodeBidirectionalSequenceToCommandBuffer_,
				sourceSequence_destinationForwardImages_destinationBackwardImages);
	MPSImageDescriptor *(*describe)(MPSImageFeatureChannelFormat, size_t, size_t, size_t, size_t, size_t) =
		SLUICE_MPS_JOIN(MPSImageDescriptor_imageDescriptorWithChannelFormat_width_height_,
				featureChannels_numberOfImages_usage);
	assert_true(whole == MPSRNNImageInferenceLayer_encodeSequence);
	assert_true(both == MPSRNNImageInferenceLayer_encodeBidirectionalSequence);
	assert_true(describe == MPSImageDescriptor_imageDescriptor);
}

typedef MPSRNNMatrixTrainingState *const *training;

static void test_training_methods(void **unused)
{
	(void)unused;
	int (*copy)(MPSRNNMatrixTrainingLayer *, buffer, matrices, MPSRNNMatrixId, MPSMatrix *, int, MTLOrigin) =
		SLUICE_MPS_JOIN(MPSRNNMatrixTrainingLayer_encodeCopyWeightsToCommandBuffer_weights_matrixId_matrix_,
				copyFromWeightsToMatrix_matrixOffset);
	int (*forward)(MPSRNNMatrixTrainingLayer *, buffer, matrices, offsets, matrices, offsets, size_t,
		       MPSRNNMatrixTrainingState **, MPSRNNRecurrentMatrixState *, MPSRNNRecurrentMatrixState **,
		       matrices) =
		SLUICE_MPS_JOIN3(
			MPSRNNMatrixTrainingLayer_encodeForwardSequenceToCommandBuffer_sourceMatrices_,
			sourceOffsets_destinationMatrices_destinationOffsets_trainingStates_recurrentInputState_,
			recurrentOutputStates_weights);
	int (*plain)(MPSRNNMatrixTrainingLayer *, buffer, matrices, matrices, size_t, MPSRNNMatrixTrainingState **,
		     matrices) = SLUICE_MPS_JOIN(MPSRNNMatrixTrainingLayer_encodeForwardSequenceToCommandBuffer_,
						 sourceMatrices_destinationMatrices_trainingStates_weights);
	assert_true(copy == MPSRNNMatrixTrainingLayer_encodeCopyWeights);
	assert_true(forward == MPSRNNMatrixTrainingLayer_encodeForwardSequence && plain);
}

#define WHOLE_GRADIENT_METHOD                                                                     \
	SLUICE_MPS_JOIN3(                                                                         \
		MPSRNNMatrixTrainingLayer_encodeGradientSequenceToCommandBuffer_forwardSources_,  \
		forwardSourceOffsets_sourceGradients_sourceGradientOffsets_destinationGradients_, \
		destinationOffsets_weightGradients_trainingStates_recurrentInputState_recurrentOutputStates_weights)

static void test_gradient_methods(void **unused)
{
	(void)unused;
	int (*whole)(MPSRNNMatrixTrainingLayer *, buffer, matrices, offsets, matrices, offsets, matrices, offsets,
		     matrices, size_t, training, MPSRNNRecurrentMatrixState *, MPSRNNRecurrentMatrixState **,
		     matrices) = WHOLE_GRADIENT_METHOD;
	int (*plain)(MPSRNNMatrixTrainingLayer *, buffer, matrices, matrices, matrices, matrices, size_t, training,
		     matrices) =
		SLUICE_MPS_JOIN3(MPSRNNMatrixTrainingLayer_encodeGradientSequenceToCommandBuffer_forwardSources_,
				 sourceGradients_destinationGradients_, weightGradients_trainingStates_weights);
	assert_true(whole == MPSRNNMatrixTrainingLayer_encodeGradientSequence && plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data_types),
		cmocka_unit_test(test_neurons),
		cmocka_unit_test(test_matrix_ids),
		cmocka_unit_test(test_other_enumerations),
		cmocka_unit_test(test_structures),
		cmocka_unit_test(test_descriptor_defaults),
		cmocka_unit_test(test_descriptor_properties),
		cmocka_unit_test(test_descriptor_sources),
		cmocka_unit_test(test_neuron_descriptors),
		cmocka_unit_test(test_convolution_descriptor),
		cmocka_unit_test(test_inference_methods),
		cmocka_unit_test(test_image_methods),
		cmocka_unit_test(test_training_methods),
		cmocka_unit_test(test_gradient_methods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
