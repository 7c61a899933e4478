/* test_bnns_layout.c exists to hold bnns.h to Apple's binary form: sizes, offsets, types and values, as its header for
 * 64-bit systems has them, so that a program need not be changed to be compiled here. */
#include <string.h>

#include "layout.h"
#include "sluice/bnns.h"

#define SIZE(type, bytes)                  \
	{                                  \
#type, sizeof(type), bytes \
	}
#define OFFSET(type, field, byte)                             \
	{                                                     \
#type "." #field, offsetof(type, field), byte \
	}
/* A field's bytes, for the last of a structure, behind which no offset tells its type. */
#define WIDTH(type, field, bytes)                                             \
	{                                                                     \
		"sizeof " #type "." #field, sizeof(((type *)0)->field), bytes \
	}

static void test_sizes(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		SIZE(BNNSLayerParametersLSTM, 5040),
		SIZE(BNNSLSTMGateDescriptor, 928),
		SIZE(BNNSLSTMDataDescriptor, 528),
		SIZE(BNNSNDArrayDescriptor, 176),
		SIZE(BNNSActivation, 48),
		SIZE(BNNSFilterParameters, 32),
		SIZE(BNNSDataType, 4),
		SIZE(BNNSDataLayout, 4),
		SIZE(BNNSNDArrayFlags, 4),
		SIZE(BNNSActivationFunction, 4),
		SIZE(BNNSFlags, 4),
		SIZE(BNNSLayerFlags, 4),
		VALUE(BNNS_MAX_TENSOR_DIMENSION, 8),
	};
	compare(table, COUNT(table));
}

static void test_offsets(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		OFFSET(BNNSActivation, function, 0),
		OFFSET(BNNSActivation, alpha, 4),
		OFFSET(BNNSActivation, beta, 8),
		OFFSET(BNNSActivation, iscale, 12),
		OFFSET(BNNSActivation, ioffset, 16),
		OFFSET(BNNSActivation, ishift, 20),
		OFFSET(BNNSActivation, iscale_per_channel, 24),
		OFFSET(BNNSActivation, ioffset_per_channel, 32),
		OFFSET(BNNSActivation, ishift_per_channel, 40),
		OFFSET(BNNSNDArrayDescriptor, flags, 0),
		OFFSET(BNNSNDArrayDescriptor, layout, 4),
		OFFSET(BNNSNDArrayDescriptor, size, 8),
		OFFSET(BNNSNDArrayDescriptor, stride, 72),
		OFFSET(BNNSNDArrayDescriptor, data, 136),
		OFFSET(BNNSNDArrayDescriptor, data_type, 144),
		OFFSET(BNNSNDArrayDescriptor, table_data, 152),
		OFFSET(BNNSNDArrayDescriptor, table_data_type, 160),
		OFFSET(BNNSNDArrayDescriptor, data_scale, 164),
		OFFSET(BNNSNDArrayDescriptor, data_bias, 168),
		WIDTH(BNNSNDArrayDescriptor, data_bias, 4),
		OFFSET(BNNSLSTMGateDescriptor, iw_desc, 0),
		OFFSET(BNNSLSTMGateDescriptor, iw_desc[1], 176),
		OFFSET(BNNSLSTMGateDescriptor, hw_desc, 352),
		OFFSET(BNNSLSTMGateDescriptor, cw_desc, 528),
		OFFSET(BNNSLSTMGateDescriptor, b_desc, 704),
		OFFSET(BNNSLSTMGateDescriptor, activation, 880),
		OFFSET(BNNSLSTMDataDescriptor, data_desc, 0),
		OFFSET(BNNSLSTMDataDescriptor, hidden_desc, 176),
		OFFSET(BNNSLSTMDataDescriptor, cell_state_desc, 352),
		OFFSET(BNNSLayerParametersLSTM, input_size, 0),
		OFFSET(BNNSLayerParametersLSTM, hidden_size, 8),
		OFFSET(BNNSLayerParametersLSTM, batch_size, 16),
		OFFSET(BNNSLayerParametersLSTM, num_layers, 24),
		OFFSET(BNNSLayerParametersLSTM, seq_len, 32),
		OFFSET(BNNSLayerParametersLSTM, dropout, 40),
		OFFSET(BNNSLayerParametersLSTM, lstm_flags, 44),
		OFFSET(BNNSLayerParametersLSTM, sequence_descriptor, 48),
		OFFSET(BNNSLayerParametersLSTM, input_descriptor, 224),
		OFFSET(BNNSLayerParametersLSTM, output_descriptor, 752),
		OFFSET(BNNSLayerParametersLSTM, input_gate, 1280),
		OFFSET(BNNSLayerParametersLSTM, forget_gate, 2208),
		OFFSET(BNNSLayerParametersLSTM, candidate_gate, 3136),
		OFFSET(BNNSLayerParametersLSTM, output_gate, 4064),
		OFFSET(BNNSLayerParametersLSTM, hidden_activation, 4992),
		OFFSET(BNNSFilterParameters, flags, 0),
		OFFSET(BNNSFilterParameters, n_threads, 8),
		OFFSET(BNNSFilterParameters, alloc_memory, 16),
		OFFSET(BNNSFilterParameters, free_memory, 24),
	};
	compare(table, COUNT(table));
}

static void test_data_types(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(BNNSDataTypeFloatBit, 0x10000),
		VALUE(BNNSDataTypeFloat16, 0x10010),
		VALUE(BNNSDataTypeFloat32, 0x10020),
		VALUE(BNNSDataTypeBFloat16, 0x18010),
		VALUE(BNNSDataTypeIntBit, 0x20000),
		VALUE(BNNSDataTypeInt8, 0x20008),
		VALUE(BNNSDataTypeInt16, 0x20010),
		VALUE(BNNSDataTypeInt32, 0x20020),
		VALUE(BNNSDataTypeInt64, 0x20040),
		VALUE(BNNSDataTypeUIntBit, 0x40000),
		VALUE(BNNSDataTypeUInt8, 0x40008),
		VALUE(BNNSDataTypeUInt16, 0x40010),
		VALUE(BNNSDataTypeUInt32, 0x40020),
		VALUE(BNNSDataTypeUInt64, 0x40040),
		VALUE(BNNSDataTypeIndexedBit, 0x80000),
		VALUE(BNNSDataTypeIndexed8, 0x80008),
		VALUE(BNNSDataTypeMiscellaneousBit, 0x100000),
		VALUE(BNNSDataTypeBoolean, 0x100008),
	};
	compare(table, COUNT(table));
}

static void test_layouts(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(BNNSDataLayoutVector, 0x10000),
		VALUE(BNNSDataLayout1DLastMajor, 0x18000),
		VALUE(BNNSDataLayout1DFirstMajor, 0x18001),
		VALUE(BNNSDataLayoutRowMajorMatrix, 0x20000),
		VALUE(BNNSDataLayoutColumnMajorMatrix, 0x20001),
		VALUE(BNNSDataLayout2DLastMajor, 0x28000),
		VALUE(BNNSDataLayout2DFirstMajor, 0x28001),
		VALUE(BNNSDataLayoutImageCHW, 0x30000),
		VALUE(BNNSDataLayoutSNE, 0x30001),
		VALUE(BNNSDataLayoutNSE, 0x30002),
		VALUE(BNNSDataLayout3DLastMajor, 0x38000),
		VALUE(BNNSDataLayout3DFirstMajor, 0x38001),
		VALUE(BNNSDataLayoutConvolutionWeightsOIHW, 0x40000),
		VALUE(BNNSDataLayout4DLastMajor, 0x48000),
		VALUE(BNNSDataLayout4DFirstMajor, 0x48001),
		VALUE(BNNSDataLayout5DLastMajor, 0x58000),
		VALUE(BNNSDataLayout5DFirstMajor, 0x58001),
		VALUE(BNNSDataLayout6DLastMajor, 0x68000),
		VALUE(BNNSDataLayout6DFirstMajor, 0x68001),
		VALUE(BNNSDataLayout7DLastMajor, 0x78000),
		VALUE(BNNSDataLayout7DFirstMajor, 0x78001),
		VALUE(BNNSDataLayout8DLastMajor, 0x88000),
		VALUE(BNNSDataLayout8DFirstMajor, 0x88001),
	};
	compare(table, COUNT(table));
}

static void test_flags(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(BNNSNDArrayFlagBackpropSet, 0),
		VALUE(BNNSNDArrayFlagBackpropAccumulate, 1),
		VALUE(BNNSFlagsUseClientPtr, 1),
		VALUE(BNNSLayerFlagsLSTMBidirectional, 1),
		VALUE(BNNSLayerFlagsLSTMDefaultActivations, 2),
	};
	compare(table, COUNT(table));
}

static void test_activations(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(BNNSActivationFunctionIdentity, 0),
		VALUE(BNNSActivationFunctionRectifiedLinear, 1),
		VALUE(BNNSActivationFunctionLeakyRectifiedLinear, 2),
		VALUE(BNNSActivationFunctionSigmoid, 3),
		VALUE(BNNSActivationFunctionTanh, 4),
		VALUE(BNNSActivationFunctionScaledTanh, 5),
		VALUE(BNNSActivationFunctionAbs, 6),
		VALUE(BNNSActivationFunctionLinear, 7),
		VALUE(BNNSActivationFunctionClamp, 8),
		VALUE(BNNSActivationFunctionIntegerLinearSaturate, 9),
		VALUE(BNNSActivationFunctionIntegerLinearSaturatePerChannel, 10),
		VALUE(BNNSActivationFunctionSoftmax, 11),
		VALUE(BNNSActivationFunctionGELUApproximation, 12),
		VALUE(BNNSActivationFunctionGumbel, 13),
		VALUE(BNNSActivationFunctionGumbelMax, 14),
		VALUE(BNNSActivationFunctionHardSigmoid, 15),
		VALUE(BNNSActivationFunctionSoftplus, 16),
		VALUE(BNNSActivationFunctionSoftsign, 17),
		VALUE(BNNSActivationFunctionELU, 18),
		VALUE(BNNSActivationFunctionClampedLeakyRectifiedLinear, 19),
		VALUE(BNNSActivationFunctionLinearWithBias, 20),
		VALUE(BNNSActivationFunctionLogSoftmax, 21),
		VALUE(BNNSActivationFunctionLogSigmoid, 22),
		VALUE(BNNSActivationFunctionSELU, 23),
		VALUE(BNNSActivationFunctionCELU, 24),
		VALUE(BNNSActivationFunctionHardShrink, 25),
		VALUE(BNNSActivationFunctionSoftShrink, 26),
		VALUE(BNNSActivationFunctionTanhShrink, 27),
		VALUE(BNNSActivationFunctionThreshold, 28),
		VALUE(BNNSActivationFunctionPReLUPerChannel, 29),
		VALUE(BNNSActivationFunctionGELUApproximation2, 30),
		VALUE(BNNSActivationFunctionHardSwish, 30),
		VALUE(BNNSActivationFunctionSiLU, 31),
	};
	compare(table, COUNT(table));
}

/* Assignments that compile only if every type is Apple's; the compiler is the judge, the values are a formality. */
static void test_types(void **unused)
{
	(void)unused;
	size_t (*capacity)(const BNNSLayerParametersLSTM *) = BNNSComputeLSTMTrainingCacheCapacity;
	int (*forward)(const BNNSLayerParametersLSTM *, const BNNSFilterParameters *, void *, const size_t) =
		BNNSDirectApplyLSTMBatchTrainingCaching;
	int (*backward)(const BNNSLayerParametersLSTM *, const BNNSLayerParametersLSTM *, const BNNSFilterParameters *,
			const void *, const size_t) = BNNSDirectApplyLSTMBatchBackward;
	BNNSAlloc allocate = (int (*)(void **, size_t, size_t))0;
	BNNSFree release = (void (*)(void *))0;
	BNNSFilterParameters filter = {.alloc_memory = allocate, .free_memory = release};
	BNNSActivation activation = {0};
	BNNSLayerParametersLSTM layer = {0};
	uint32_t *words[] = {&filter.flags, &layer.lstm_flags};
	size_t *sizes[] = {&filter.n_threads, &layer.input_size, layer.sequence_descriptor.size};
	float *reals[] = {&activation.alpha, &layer.dropout, &layer.sequence_descriptor.data_scale};
	int32_t *integers[] = {&activation.iscale, &activation.ioffset, &activation.ishift};
	const int32_t **channels[] = {&activation.iscale_per_channel, &activation.ioffset_per_channel,
				      &activation.ishift_per_channel};
	void **pointers[] = {&layer.sequence_descriptor.data, &layer.sequence_descriptor.table_data};
	BNNSNDArrayDescriptor *inputs = layer.input_gate.iw_desc;
	BNNSDataType *types[] = {&inputs[1].data_type, &inputs[1].table_data_type};
	assert_true(capacity && forward && backward);
	assert_true(words[0] && sizes[0] && reals[0] && integers[0] && channels[0] && pointers[0] && types[0]);
	assert_ptr_equal(&inputs[2], &layer.input_gate.hw_desc);
}

/* A layer of 3 inputs and 2 units for 2 rows of 2 steps, whose weights tell the inputs apart. */
enum { INPUTS = 3, HIDDEN = 2, BATCH = 2, STEPS = 2, PIECES = BATCH * STEPS };

static float weights[HIDDEN * INPUTS], zeros[HIDDEN * HIDDEN], x[PIECES * INPUTS], y[PIECES * HIDDEN];

static void set_gate(BNNSLSTMGateDescriptor *gate)
{
	gate->iw_desc[0].data = weights;
	gate->hw_desc.data = zeros;
	gate->iw_desc[0].data_type = gate->hw_desc.data_type = BNNSDataTypeFloat32;
}

static BNNSLayerParametersLSTM small_layer(void)
{
	BNNSLayerParametersLSTM layer = {.input_size = INPUTS,
					 .hidden_size = HIDDEN,
					 .batch_size = BATCH,
					 .num_layers = 1,
					 .seq_len = STEPS,
					 .lstm_flags = BNNSLayerFlagsLSTMDefaultActivations};
	set_gate(&layer.input_gate);
	set_gate(&layer.forget_gate);
	set_gate(&layer.candidate_gate);
	set_gate(&layer.output_gate);
	for (size_t k = 0; k < HIDDEN * INPUTS; k++)
		weights[k] = 0.25f * (float)(k + 1) - 0.75f;
	for (size_t k = 0; k < PIECES * INPUTS; k++)
		x[k] = 0.125f * (float)(k + 1) - 0.5f;
	layer.input_descriptor.data_desc.data = x;
	layer.output_descriptor.data_desc.data = y;
	layer.input_descriptor.data_desc.data_type = layer.output_descriptor.data_desc.data_type = BNNSDataTypeFloat32;
	memset(y, 0, sizeof y);
	return layer;
}

/* Only the three types of real numbers are taken as numbers; no other constant passes for one of them. */
static void test_types_taken(void **unused)
{
	(void)unused;
	static const struct {
		BNNSDataType type;
		int result;
	} types[] = {
		{BNNSDataTypeFloat32, 0},  {BNNSDataTypeFloat16, 0},     {BNNSDataTypeBFloat16, 0},
		{BNNSDataTypeInt8, -1},    {BNNSDataTypeInt16, -1},      {BNNSDataTypeInt32, -1},
		{BNNSDataTypeInt64, -1},   {BNNSDataTypeUInt8, -1},      {BNNSDataTypeUInt16, -1},
		{BNNSDataTypeUInt32, -1},  {BNNSDataTypeUInt64, -1},     {BNNSDataTypeIndexed8, -1},
		{BNNSDataTypeBoolean, -1}, {BNNSDataTypeFloatBit, -1},   {BNNSDataTypeIntBit, -1},
		{BNNSDataTypeUIntBit, -1}, {BNNSDataTypeIndexedBit, -1}, {BNNSDataTypeMiscellaneousBit, -1},
	};
	for (size_t k = 0; k < COUNT(types); k++) {
		BNNSLayerParametersLSTM layer = small_layer();
		layer.input_descriptor.data_desc.data_type = layer.output_descriptor.data_desc.data_type =
			types[k].type;
		if (BNNSDirectApplyLSTMBatchTrainingCaching(&layer, NULL, NULL, 0) != types[k].result)
			fail_msg("type %#x: expected %d", (unsigned)types[k].type, types[k].result);
	}
}

/* Sizes of x in the order of each layout's index; all but NSE mean the same memory. */
static const struct {
	BNNSDataLayout layout;
	size_t size[BNNS_MAX_TENSOR_DIMENSION];
} LAYOUTS[] = {
	{BNNSDataLayoutSNE, {INPUTS, BATCH, STEPS}},
	{BNNSDataLayoutVector, {INPUTS * PIECES}},
	{BNNSDataLayout1DLastMajor, {INPUTS * PIECES}},
	{BNNSDataLayout1DFirstMajor, {INPUTS * PIECES}},
	{BNNSDataLayoutRowMajorMatrix, {INPUTS, PIECES}},
	{BNNSDataLayout2DLastMajor, {INPUTS, PIECES}},
	{BNNSDataLayout2DFirstMajor, {PIECES, INPUTS}},
	{BNNSDataLayoutImageCHW, {INPUTS, BATCH, STEPS}},
	{BNNSDataLayout3DLastMajor, {INPUTS, BATCH, STEPS}},
	{BNNSDataLayout3DFirstMajor, {STEPS, BATCH, INPUTS}},
	{BNNSDataLayoutConvolutionWeightsOIHW, {INPUTS, BATCH, STEPS, 1}},
	{BNNSDataLayout4DLastMajor, {INPUTS, BATCH, STEPS, 1}},
	{BNNSDataLayout4DFirstMajor, {1, STEPS, BATCH, INPUTS}},
	{BNNSDataLayout5DLastMajor, {INPUTS, BATCH, STEPS, 1, 1}},
	{BNNSDataLayout5DFirstMajor, {1, 1, STEPS, BATCH, INPUTS}},
	{BNNSDataLayout6DLastMajor, {INPUTS, BATCH, STEPS, 1, 1, 1}},
	{BNNSDataLayout6DFirstMajor, {1, 1, 1, STEPS, BATCH, INPUTS}},
	{BNNSDataLayout7DLastMajor, {INPUTS, BATCH, STEPS, 1, 1, 1, 1}},
	{BNNSDataLayout7DFirstMajor, {1, 1, 1, 1, STEPS, BATCH, INPUTS}},
	{BNNSDataLayout8DLastMajor, {INPUTS, BATCH, STEPS, 1, 1, 1, 1, 1}},
	{BNNSDataLayout8DFirstMajor, {1, 1, 1, 1, 1, STEPS, BATCH, INPUTS}},
};

static void run_layout(BNNSDataLayout layout, const size_t *size)
{
	BNNSLayerParametersLSTM layer = small_layer();
	layer.input_descriptor.data_desc.layout = layout;
	memcpy(layer.input_descriptor.data_desc.size, size, sizeof layer.input_descriptor.data_desc.size);
	if (BNNSDirectApplyLSTMBatchTrainingCaching(&layer, NULL, NULL, 0) != 0)
		fail_msg("layout %#x: %s", (unsigned)layout, sluice_bnns_last_message());
}

static void test_layouts_taken(void **unused)
{
	(void)unused;
	const size_t none[BNNS_MAX_TENSOR_DIMENSION] = {0};
	float expected[PIECES * HIDDEN];
	run_layout(0, none);
	memcpy(expected, y, sizeof expected);
	for (size_t k = 0; k < COUNT(LAYOUTS); k++) {
		run_layout(LAYOUTS[k].layout, LAYOUTS[k].size);
		if (memcmp(expected, y, sizeof expected) != 0)
			fail_msg("layout %#x is not read as SNE is", (unsigned)LAYOUTS[k].layout);
	}
}

/* x in NSE: what was step 0 of row 1 is step 1 of row 0. With the inputs exchanged accordingly, y is the same. */
static void test_nse_is_taken(void **unused)
{
	(void)unused;
	const size_t none[BNNS_MAX_TENSOR_DIMENSION] = {0}, size[BNNS_MAX_TENSOR_DIMENSION] = {INPUTS, STEPS, BATCH};
	float expected[PIECES * HIDDEN], exchanged[PIECES * INPUTS];
	BNNSLayerParametersLSTM layer;
	run_layout(0, none);
	memcpy(expected, y, sizeof expected);
	run_layout(BNNSDataLayoutNSE, size);
	assert_memory_not_equal(expected, y, sizeof expected);
	layer = small_layer();
	for (size_t k = 0; k < PIECES * INPUTS; k++) {
		size_t element = k % INPUTS, row = k / INPUTS % BATCH, step = k / INPUTS / BATCH;
		exchanged[(row * STEPS + step) * INPUTS + element] = x[k];
	}
	layer.input_descriptor.data_desc.data = exchanged;
	layer.input_descriptor.data_desc.layout = BNNSDataLayoutNSE;
	assert_int_equal(BNNSDirectApplyLSTMBatchTrainingCaching(&layer, NULL, NULL, 0), 0);
	assert_memory_equal(expected, y, sizeof expected);
}

static void test_other_layouts_are_refused(void **unused)
{
	(void)unused;
	BNNSLayerParametersLSTM layer = small_layer();
	layer.input_descriptor.data_desc.layout = BNNSDataLayoutColumnMajorMatrix;
	assert_int_equal(BNNSDirectApplyLSTMBatchTrainingCaching(&layer, NULL, NULL, 0), -1);
	layer = small_layer();
	layer.input_descriptor.data_desc.layout = BNNSDataLayout4DLastMajor;
	memcpy(layer.input_descriptor.data_desc.size, (size_t[]){INPUTS, BATCH, STEPS, 2}, 4 * sizeof(size_t));
	assert_int_equal(BNNSDirectApplyLSTMBatchTrainingCaching(&layer, NULL, NULL, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_data_types),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_activations),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_types_taken),
		cmocka_unit_test(test_layouts_taken),
		cmocka_unit_test(test_nse_is_taken),
		cmocka_unit_test(test_other_layouts_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
