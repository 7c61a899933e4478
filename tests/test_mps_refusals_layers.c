/*
 * test_mps_refusals_layers.c: what MPS refuses while descriptors, sources and layers are made: NULL or not 0, a
 * sentence that names the place, and each source that was loaded purged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mps_run.h"

/* A layer that can be made as it is, one of whose sources is spoiled. */
struct subject {
	struct rnn_net net;
	struct rnn_source *source;
	MPSCNNConvolutionDataSource calls;
	MPSLSTMDescriptor *descriptor;
	MPSRNNDescriptor *base;
};

struct refusal {
	void (*spoil)(struct subject *subject, const struct refusal *refusal);
	const char *words; /* that the sentence must hold */
	size_t value;
	enum rnn_part part;
	int image, diagonal;
};

static void assert_says(const char *words, size_t index)
{
	if (!strstr(sluice_mps_last_message(), words))
		fail_msg("refusal %zu: \"%s\" says nothing of \"%s\"", index, sluice_mps_last_message(), words);
}

/* --------------------------------------------------------------------------------------------- odd functions ---- */

static const MPSCNNConvolutionDescriptor *no_descriptor(void *user)
{
	(void)user;
	return NULL;
}

static void *no_weights(void *user)
{
	(void)user;
	return NULL;
}

static float *no_floats(void *user)
{
	(void)user;
	return NULL;
}

static int no_load(void *user)
{
	(void)user;
	return 0;
}

/* The value that a spoiled function gives. */
static size_t odd_value;

static MPSDataType odd_type(void *user)
{
	(void)user;
	return (MPSDataType)odd_value;
}

static MPSCNNWeightsQuantizationType odd_quantization(void *user)
{
	(void)user;
	return (MPSCNNWeightsQuantizationType)odd_value;
}

static MPSCNNConvolutionWeightsLayout odd_layout(void *user)
{
	(void)user;
	return (MPSCNNConvolutionWeightsLayout)odd_value;
}

/* ----------------------------------------------------------------------------------------------------- spoils ---- */

#define SPOIL(name) static void name(struct subject *subject, const struct refusal *refusal)
/* A function of the struct that gives an odd value. */
#define SPOIL_CALL(name, function, by)        \
	SPOIL(name)                           \
	{                                     \
		odd_value = refusal->value;   \
		subject->calls.function = by; \
	}
/* A property of the convolution. */
#define SPOIL_NUMBER(name, property)                                                                    \
	SPOIL(name)                                                                                     \
	{                                                                                               \
		MPSCNNConvolutionDescriptor_set##property(subject->source->descriptor, refusal->value); \
	}

SPOIL_CALL(descriptor_null, descriptor, no_descriptor)
SPOIL_CALL(weights_null, weights, no_weights)
SPOIL_CALL(load_fails, load, no_load)
SPOIL_CALL(type_odd, dataType, odd_type)
SPOIL_CALL(quantization_odd, weightsQuantizationType, odd_quantization)
SPOIL_CALL(layout_odd, weightsLayout, odd_layout)
SPOIL_CALL(kernel_type_odd, kernelWeightsDataType, odd_type)
SPOIL_CALL(no_type_function, dataType, NULL)
SPOIL_CALL(no_descriptor_function, descriptor, NULL)
SPOIL_CALL(no_weights_function, weights, NULL)
SPOIL_CALL(no_bias_function, biasTerms, NULL)
SPOIL_CALL(no_load_function, load, NULL)
SPOIL_CALL(no_purge_function, purge, NULL)
SPOIL_NUMBER(kernel_width, KernelWidth)
SPOIL_NUMBER(kernel_height, KernelHeight)
SPOIL_NUMBER(stride_x, StrideInPixelsX)
SPOIL_NUMBER(stride_y, StrideInPixelsY)
SPOIL_NUMBER(dilation_x, DilationRateX)
SPOIL_NUMBER(dilation_y, DilationRateY)
SPOIL_NUMBER(groups, Groups)
SPOIL_NUMBER(channels_in, InputFeatureChannels)
SPOIL_NUMBER(channels_out, OutputFeatureChannels)

SPOIL(retain_alone)
{
	(void)refusal;
	subject->calls.retain = subject->calls.purge;
}

SPOIL(release_alone)
{
	(void)refusal;
	subject->calls.release = subject->calls.purge;
}

SPOIL(struct_size)
{
	subject->calls.size = refusal->value;
}

/* Bytes, and how they are meant. The weights have room enough. */
SPOIL(bytes_without_ranges)
{
	(void)refusal;
	subject->source->form = RNN_RANGES;
	subject->calls.rangesForUInt8Kernel = NULL;
}

SPOIL(bytes_without_table)
{
	(void)refusal;
	subject->source->form = RNN_TABLE;
	subject->calls.lookupTableForUInt8Kernel = NULL;
}

SPOIL(bytes_without_anything)
{
	(void)refusal;
	subject->source->form = RNN_TABLE;
	subject->calls.weightsQuantizationType = NULL;
	subject->calls.lookupTableForUInt8Kernel = NULL;
	subject->calls.rangesForUInt8Kernel = NULL;
}

SPOIL(bytes_unquantized)
{
	subject->source->form = RNN_TABLE;
	quantization_odd(subject, refusal);
}

SPOIL(ranges_null)
{
	(void)refusal;
	subject->source->form = RNN_RANGES;
	subject->calls.rangesForUInt8Kernel = no_floats;
}

SPOIL(table_null)
{
	(void)refusal;
	subject->source->form = RNN_TABLE;
	subject->calls.lookupTableForUInt8Kernel = no_floats;
}

SPOIL(range_infinite)
{
	(void)refusal;
	subject->source->form = RNN_RANGES;
	subject->source->ranges[1] = INFINITY;
}

SPOIL(table_nan)
{
	(void)refusal;
	subject->source->form = RNN_TABLE;
	subject->source->table[255] = (float)NAN;
}

static void neuron_set(struct subject *subject, MPSNNNeuronDescriptor *neuron)
{
	assert_mps(neuron);
	assert_mps(MPSCNNConvolutionDescriptor_setFusedNeuronDescriptor(subject->source->descriptor, neuron) == 0);
	MPSNNNeuronDescriptor_release(neuron);
}

SPOIL(neuron_type)
{
	neuron_set(subject,
		   MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType((MPSCNNNeuronType)(ptrdiff_t)refusal->value));
}

/* value: which of a, b and c is no number, of a neuron that reads all three. */
SPOIL(neuron_number)
{
	const float bad[3] = {refusal->value == 0 ? INFINITY : 1, refusal->value == 1 ? (float)NAN : 1,
			      refusal->value == 2 ? -INFINITY : 1};

	neuron_set(subject, MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c(MPSCNNNeuronTypePower, bad[0],
										    bad[1], bad[2]));
}

SPOIL(slopes_too_many)
{
	static const float slopes[64];

	(void)refusal;
	neuron_set(subject, MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(slopes, 64, 1));
}

SPOIL(slope_nan)
{
	float slopes[64];

	(void)refusal;
	for (size_t k = 0; k < 64; k++)
		slopes[k] = (float)NAN;
	neuron_set(subject, MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(
				    slopes, subject->net.layers[0].hidden, 0));
}

SPOIL(cell_type)
{
	MPSLSTMDescriptor_setCellToOutputNeuronType(subject->descriptor, (MPSCNNNeuronType)(ptrdiff_t)refusal->value);
}

SPOIL(cell_number)
{
	(void)refusal;
	MPSLSTMDescriptor_setCellToOutputNeuronParamB(subject->descriptor, (float)NAN);
}

SPOIL(no_inputs)
{
	MPSRNNDescriptor_setInputFeatureChannels(subject->base, refusal->value);
}

SPOIL(no_outputs)
{
	MPSRNNDescriptor_setOutputFeatureChannels(subject->base, refusal->value);
}

SPOIL(direction)
{
	MPSRNNDescriptor_setLayerSequenceDirection(subject->base, (MPSRNNSequenceDirection)refusal->value);
}

SPOIL(unit_transform)
{
	(void)refusal;
	MPSRNNDescriptor_setUseLayerInputUnitTransformMode(subject->base, 1);
	MPSRNNDescriptor_setInputFeatureChannels(subject->base, 63);
}

#define HUGE_SIZE ((size_t)1 << 62)

static const struct refusal refusals[] = {
	{descriptor_null, "descriptor returned NULL, expected a descriptor", 0, RNN_INPUT, 0, 0},
	{weights_null, "weights returned NULL", 0, RNN_INPUT, 0, 0},
	{weights_null, "forgetGateRecurrentWeights", 0, RNN_RECURRENT, 0, 0},
	{weights_null, "forgetGateMemoryWeights (drawn)", 0, RNN_MEMORY, 0, 0},
	{load_fails, "load returned 0, expected that it loads the weights", 0, RNN_MEMORY, 0, 1},
	{type_odd, "dataType is 0x12345678, expected Float32, Float16 or UInt8", 0x12345678, RNN_INPUT, 0, 0},
	{type_odd, "dataType is BFloat16", MPSDataTypeBFloat16, RNN_INPUT, 0, 0},
	{quantization_odd, "weightsQuantizationType is 3, expected 0 to 2", 3, RNN_INPUT, 0, 0},
	{quantization_odd, "weightsQuantizationType is 1, expected 0 of weights that are not UInt8", 1, RNN_INPUT, 0,
	 0},
	{bytes_unquantized, "weightsQuantizationType is 0, expected 1 or 2 of UInt8 weights", 0, RNN_INPUT, 0, 0},
	{bytes_without_ranges, "UInt8 weights without rangesForUInt8Kernel", 0, RNN_INPUT, 0, 0},
	{bytes_without_table, "UInt8 weights without lookupTableForUInt8Kernel", 0, RNN_INPUT, 0, 0},
	{bytes_without_anything, "UInt8 weights without lookupTableForUInt8Kernel", 0, RNN_INPUT, 0, 0},
	{ranges_null, "rangesForUInt8Kernel returned NULL", 0, RNN_INPUT, 0, 0},
	{table_null, "lookupTableForUInt8Kernel returned NULL", 0, RNN_INPUT, 0, 0},
	{range_infinite, "range 0 is", 0, RNN_INPUT, 0, 0},
	{table_nan, "entry 255 of the table is nan, expected a finite number", 0, RNN_INPUT, 0, 0},
	{layout_odd, "weightsLayout is 1, expected OHWI", 1, RNN_INPUT, 0, 0},
	{kernel_type_odd, "kernelWeightsDataType is UInt8, expected Float32 or Float16", MPSDataTypeUInt8, RNN_INPUT, 0,
	 0},
	{no_type_function, "dataType is NULL, expected a function", 0, RNN_INPUT, 0, 0},
	{no_descriptor_function, "descriptor is NULL, expected a function", 0, RNN_INPUT, 0, 0},
	{no_weights_function, "weights is NULL, expected a function", 0, RNN_INPUT, 0, 0},
	{no_bias_function, "biasTerms is NULL, expected a function", 0, RNN_INPUT, 0, 0},
	{no_load_function, "load is NULL, expected a function", 0, RNN_INPUT, 0, 0},
	{no_purge_function, "purge is NULL, expected a function", 0, RNN_INPUT, 0, 0},
	{retain_alone, "has retain without release, expected both or none", 0, RNN_INPUT, 0, 0},
	{release_alone, "has release without retain, expected both or none", 0, RNN_INPUT, 0, 0},
	{struct_size, "forgetGateInputWeights.size is 3, expected its sizeof", 3, RNN_INPUT, 0, 0},
	{kernel_width, "descriptor.kernelWidth is 2, expected 1", 2, RNN_INPUT, 0, 0},
	{kernel_height, "descriptor.kernelHeight is 3, expected 1", 3, RNN_RECURRENT, 0, 0},
	{kernel_height, "descriptor.kernelHeight is 3, expected 1", 3, RNN_MEMORY, 1, 1},
	{kernel_width, "descriptor.kernelWidth is 0, expected at least 1", 0, RNN_INPUT, 1, 0},
	{kernel_width, "too large", HUGE_SIZE, RNN_INPUT, 1, 0},
	{dilation_x, "kernels that differ, of", HUGE_SIZE, RNN_INPUT, 1, 0},
	{dilation_x, "and 1 is too large", SIZE_MAX / 2 + 1, RNN_INPUT, 1, 0},
	{stride_x, "descriptor.strideInPixelsX is 2, expected 1", 2, RNN_INPUT, 1, 0},
	{stride_y, "descriptor.strideInPixelsY is 0, expected 1", 0, RNN_INPUT, 0, 0},
	{dilation_x, "descriptor.dilationRateX is 0, expected at least 1", 0, RNN_INPUT, 0, 0},
	{dilation_y, "descriptor.dilationRateY is 0, expected at least 1", 0, RNN_INPUT, 1, 0},
	{groups, "descriptor.groups is 2, expected 1", 2, RNN_INPUT, 0, 0},
	{groups, "descriptor.groups is 0, expected at least 1", 0, RNN_INPUT, 1, 0},
	{groups, "descriptor.groups is 61, which does not divide", 61, RNN_INPUT, 1, 0},
	{groups, "descriptor.groups is 61, expected 1 or", 61, RNN_MEMORY, 0, 1},
	{channels_in, "descriptor.inputFeatureChannels is 61, expected", 61, RNN_INPUT, 0, 0},
	{channels_in, "descriptor.inputFeatureChannels is 61, expected 1 or", 61, RNN_MEMORY, 0, 1},
	{channels_out, "descriptor.outputFeatureChannels is 61, expected", 61, RNN_RECURRENT, 0, 0},
	{channels_out, "descriptor.outputFeatureChannels is 0, expected", 0, RNN_RECURRENT, 0, 0},
	{neuron_type, "the neuron's type is 99, expected 0 to 15", 99, RNN_INPUT, 0, 0},
	{neuron_type, "the neuron's type is -1, expected 0 to 15", (size_t)-1, RNN_INPUT, 0, 0},
	{neuron_type, "the PReLU has 0 slopes", MPSCNNNeuronTypePReLU, RNN_INPUT, 0, 0},
	{neuron_number, "the neuron's a is inf, expected a finite number", 0, RNN_INPUT, 0, 0},
	{neuron_number, "the neuron's b is ", 1, RNN_INPUT, 0, 0},
	{neuron_number, "the neuron's c is -inf, expected a finite number", 2, RNN_INPUT, 0, 0},
	{slopes_too_many, "the PReLU has 64 slopes, expected", 0, RNN_INPUT, 0, 0},
	{slope_nan, "slope 0 of the PReLU is", 0, RNN_INPUT, 0, 0},
	{cell_type, "cellToOutputNeuronType: the neuron's type is 77", 77, RNN_INPUT, 0, 0},
	{cell_type, "cellToOutputNeuronType: the neuron is PReLU, which has no slopes here", MPSCNNNeuronTypePReLU,
	 RNN_INPUT, 0, 0},
	{cell_number, "cellToOutputNeuronType: the neuron's b is", 0, RNN_INPUT, 0, 0},
	{no_inputs, "layer 0: 0 input and", 0, RNN_INPUT, 0, 0},
	{no_outputs, "0 output channels, expected at least 1 of each", 0, RNN_INPUT, 0, 0},
	{direction, "layerSequenceDirection is 7, expected 0 or 1", 7, RNN_INPUT, 0, 0},
	{unit_transform, "useLayerInputUnitTransformMode with 63 input", 0, RNN_INPUT, 0, 0},
};

static void subject_create(const struct refusal *refusal, struct subject *out)
{
	const struct rnn_wish wish = {.seed = 7, .single = 1, .plain = 1, .image = refusal->image};

	memset(out, 0, sizeof *out);
	rnn_net_draw(&wish, &out->net);
	struct rnn_layer *layer = &out->net.layers[0];

	layer->diagonal = refusal->diagonal;
	/* Memory weights, one for each unit or a matrix of zeros. */
	for (size_t gate = 0; gate < RNN_GATES; gate++) {
		struct rnn_source *source = &layer->sources[RNN_MEMORY][gate];
		const size_t in = refusal->diagonal ? 1 : layer->hidden;

		source->present = 1;
		source->out = layer->hidden;
		source->count = in * layer->hidden;
		source->weights = rnn_take(source->count, sizeof(float));
		source->ranges = rnn_take(2 * source->out, sizeof(float));
		source->table = rnn_take(256, sizeof(float));
		source->descriptor = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, in, layer->hidden);
	}
	out->source = &layer->sources[refusal->part][RNN_F];
	out->source->shy = 0;
	out->descriptor = rnn_descriptor(layer);
	out->base = MPSLSTMDescriptor_asRNNDescriptor(out->descriptor);
	out->calls = rnn_source_calls(out->source);
}

static void subject_destroy(struct subject *subject)
{
	MPSLSTMDescriptor_release(subject->descriptor);
	rnn_net_destroy(&subject->net);
}

static void *subject_make(const struct subject *subject, int image)
{
	return image ? (void *)MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptor(NULL, subject->base)
		     : (void *)MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, subject->base);
}

static void test_spoiled_layers(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < sizeof refusals / sizeof *refusals; k++) {
		const struct refusal *refusal = &refusals[k];
		MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES];
		struct subject subject;
		void *layer;

		/* As it is, it is a layer. */
		subject_create(refusal, &subject);
		layer = subject_make(&subject, refusal->image);
		assert_mps(layer);
		if (refusal->image)
			MPSRNNImageInferenceLayer_release(layer);
		else
			MPSRNNMatrixInferenceLayer_release(layer);
		refusal->spoil(&subject, refusal);
		if (rnn_setters[refusal->part][RNN_F](subject.descriptor, &subject.calls) != 0) {
			assert_says(refusal->words, k);
			subject_destroy(&subject);
			continue;
		}
		assert_null(subject_make(&subject, refusal->image));
		assert_says(refusal->words, k);
		if (!refusal->image) {
			assert_null(MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
				NULL, subject.base, weights));
			assert_says(refusal->words, k);
		}
		subject_destroy(&subject);
	}
}

/* A struct of a later version, with something in it that this one does not know. */
static void test_later_source(void **unused)
{
	(void)unused;
	const struct refusal none = {.part = RNN_INPUT};
	struct {
		MPSCNNConvolutionDataSource calls;
		void *more;
	} later;
	struct subject subject;

	subject_create(&none, &subject);
	memset(&later, 0, sizeof later);
	later.calls = subject.calls;
	later.calls.size = sizeof later;
	assert_mps(MPSLSTMDescriptor_setInputGateInputWeights(subject.descriptor, &later.calls) == 0);
	later.more = &later;
	assert_int_not_equal(MPSLSTMDescriptor_setInputGateInputWeights(subject.descriptor, &later.calls), 0);
	assert_says("does not know", 0);
	/* One of an earlier version ends where the optional functions begin. */
	later.calls.size = offsetof(MPSCNNConvolutionDataSource, label);
	assert_mps(MPSLSTMDescriptor_setInputGateInputWeights(subject.descriptor, &later.calls) == 0);
	assert_null(MPSLSTMDescriptor_inputGateInputWeights(subject.descriptor)->label);
	subject_destroy(&subject);
}

/* NULL, and what is no descriptor of anything. */
static void test_no_objects(void **unused)
{
	(void)unused;
	const MPSRNNDescriptor *nothing[1] = {NULL};
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES];
	int object;

#define REFUSED(call, words)           \
	do {                           \
		assert_null(call);     \
		assert_says(words, 0); \
	} while (0)
	REFUSED(MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(NULL, 3, 0), "data is");
	REFUSED(MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy((float[]){1}, 0, 1), "with 0 slopes");
	REFUSED(MPSNNNeuronDescriptor_copy(NULL), "descriptor is NULL");
	REFUSED(MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(0, 1, 1, 1), "0 x 1 kernel");
	REFUSED(MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, 1, 0), "1 to 0 channels");
	REFUSED(MPSCNNConvolutionDescriptor_copy(NULL), "descriptor is NULL");
	REFUSED(MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(0, 1),
		"0 input and 1 output channels");
	REFUSED(MPSLSTMDescriptor_copy(NULL), "descriptor is NULL");
	REFUSED(MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, NULL), "the descriptor is NULL");
	REFUSED(MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(NULL, NULL, 1), "rnnDescriptors is");
	REFUSED(MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(NULL, nothing, 0), "with 0 descriptors");
	REFUSED(MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptors(NULL, nothing, 128), "expected 1 to 127");
	REFUSED(MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(&object, NULL), "device is");
	REFUSED(MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptor(&object, NULL), "device is");
	REFUSED(MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(&object, NULL, weights),
		"device is");
	REFUSED(MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(NULL, NULL, NULL),
		"trainableWeights is NULL");
	REFUSED(MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(NULL, NULL, weights),
		"the descriptor is NULL");
	REFUSED(MPSRNNMatrixInferenceLayer_copyWithZone_device(NULL, NULL, NULL), "layer is NULL");
	REFUSED(MPSRNNImageInferenceLayer_copyWithZone_device(NULL, &object, NULL), "zone is");
	REFUSED(MPSRNNMatrixTrainingLayer_copyWithZone_device(NULL, NULL, &object), "device is");
	REFUSED(MPSRNNMatrixTrainingLayer_copyWithZone_device(NULL, NULL, NULL), "layer is NULL");
	REFUSED(MPSRNNImageInferenceLayer_copyWithZone_device(NULL, NULL, NULL), "layer is NULL");
#undef REFUSED
	assert_int_not_equal(MPSCNNConvolutionDescriptor_setFusedNeuronDescriptor(NULL, NULL), 0);
	assert_says("descriptor is NULL", 0);
	assert_int_not_equal(MPSLSTMDescriptor_setInputGateInputWeights(NULL, NULL), 0);
	assert_says("descriptor is NULL", 0);
}

/* Two layers that do not fit, in no order. */
static void test_stacks_that_do_not_fit(void **unused)
{
	(void)unused;
	MPSLSTMDescriptor *one =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(2, 3);
	const MPSRNNDescriptor *twice[] = {MPSLSTMDescriptor_asRNNDescriptor(one),
					   MPSLSTMDescriptor_asRNNDescriptor(one)};

	assert_null(MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(NULL, twice, 2));
	assert_says("layer 1 has inputFeatureChannels 2, expected 3, which layer 0 puts out", 0);
	MPSLSTMDescriptor_release(one);
}

/* What looks odd and is not refused: ranges that fall, weights that are no numbers. */
static void test_odd_and_taken(void **unused)
{
	(void)unused;
	const struct refusal none = {.part = RNN_INPUT};
	struct subject subject;

	subject_create(&none, &subject);
	subject.source->form = RNN_RANGES;
	subject.source->ranges[0] = 1;
	subject.source->ranges[1] = -1;
	assert_mps(rnn_setters[RNN_INPUT][RNN_F](subject.descriptor, &subject.calls) == 0);
	*(float *)subject.net.layers[0].sources[RNN_INPUT][RNN_C].weights = (float)NAN;
	MPSRNNMatrixInferenceLayer *layer = subject_make(&subject, 0);

	assert_mps(layer);
	MPSRNNMatrixInferenceLayer_release(layer);
	subject_destroy(&subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spoiled_layers),
		cmocka_unit_test(test_later_source),
		cmocka_unit_test(test_no_objects),
		cmocka_unit_test(test_odd_and_taken),
		cmocka_unit_test(test_stacks_that_do_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
