/*
 * test_bnns_refusals.c: what BNNS's calls refuse: with -1, a sentence that names the argument, and every byte of every
 * array and of the cache as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bnns_case.h"

/* Which of the calls refuses. */
enum { FORWARD = 1, BACKWARD = 2, CAPACITY = 4, BOTH = FORWARD | BACKWARD, ALL = BOTH | CAPACITY };

/* A call with everything in it, that succeeds as it is: two layers, two directions, all arrays, plain forms. */
static void whole_spec(struct bnns_spec *spec)
{
	spec_draw(4000, spec);
	spec->steps = 4;
	spec->batch = 3;
	spec->inputs = 5;
	spec->hidden = 6;
	spec->layers = spec->directions = 2;
	spec->threads = 1;
	spec->varying = 1;
	spec->default_activations = 0;
	spec->data = spec->states = spec->weights = BNNSDataTypeFloat32;
	memset(&spec->options, 0, sizeof spec->options);
	spec->options.size = sizeof spec->options;
	memset(spec->nse, 0, sizeof spec->nse);
	for (size_t slot = 0; slot < SLOTS; slot++) {
		spec->present[slot] = spec->wanted[slot] = 1;
		spec->accumulate[slot] = 0;
		spec->form[0][slot] = spec->form[1][slot] = FORM_LAST_MAJOR;
	}
}

/* What is wrong, where. Descriptors are those of a slot of the parameters (side 0) or the deltas (side 1). */
struct refusal {
	const char *name;
	void (*spoil)(struct bnns_case *test, const struct refusal *refusal);
	int calls;
	const char *words; /* that the sentence must hold */
	int side, slot;
	uint64_t value;
};

static BNNSNDArrayDescriptor *place(struct bnns_case *test, const struct refusal *refusal)
{
	return slot_descriptor(refusal->side ? &test->deltas : &test->parameters, refusal->slot);
}

static void no_data(struct bnns_case *test, const struct refusal *refusal)
{
	place(test, refusal)->data = NULL;
}

static void misaligned(struct bnns_case *test, const struct refusal *refusal)
{
	place(test, refusal)->data = (char *)place(test, refusal)->data + refusal->value;
}

static void type(struct bnns_case *test, const struct refusal *refusal)
{
	place(test, refusal)->data_type = (BNNSDataType)refusal->value;
}

static void layout(struct bnns_case *test, const struct refusal *refusal)
{
	place(test, refusal)->layout = (BNNSDataLayout)refusal->value;
}

static void flags(struct bnns_case *test, const struct refusal *refusal)
{
	place(test, refusal)->flags = (BNNSNDArrayFlags)refusal->value;
}

/* value: the index, and from bit 8 on what is added to the size there. */
static void size(struct bnns_case *test, const struct refusal *refusal)
{
	place(test, refusal)->size[refusal->value & 7] += (size_t)(refusal->value >> 8);
}

static void huge_size(struct bnns_case *test, const struct refusal *refusal)
{
	place(test, refusal)->size[refusal->value] = SIZE_MAX;
}

static void huge_stride(struct bnns_case *test, const struct refusal *refusal)
{
	place(test, refusal)->stride[refusal->value] = SIZE_MAX / 2;
}

/* A stride shorter than what lies within. */
static void short_stride(struct bnns_case *test, const struct refusal *refusal)
{
	place(test, refusal)->stride[0] = 2;
	place(test, refusal)->stride[1] = 1;
}

static void no_stride_for_results(struct bnns_case *test, const struct refusal *refusal)
{
	/* All rows of a result in the same place. */
	place(test, refusal)->stride[0] = 1;
	place(test, refusal)->stride[1] = 1;
}

/* The five sizes of a struct, and its flags, by offset. */
static void set_size(struct bnns_case *test, const struct refusal *refusal)
{
	BNNSLayerParametersLSTM *layer = refusal->side ? &test->deltas : &test->parameters;
	const size_t value = (size_t)refusal->value;

	memcpy((char *)layer + refusal->slot, &value, sizeof value);
}

static void lstm_flags(struct bnns_case *test, const struct refusal *refusal)
{
	(refusal->side ? &test->deltas : &test->parameters)->lstm_flags ^= (uint32_t)refusal->value;
}

static void dropout(struct bnns_case *test, const struct refusal *refusal)
{
	static const float values[] = {1, -0.1f, INFINITY, NAN, 2};

	test->parameters.dropout = test->deltas.dropout = values[refusal->value];
}

/* value: the function; slot: which of the five. */
static void function(struct bnns_case *test, const struct refusal *refusal)
{
	BNNSLayerParametersLSTM *layer = &test->parameters;
	BNNSActivation *activations[BNNS_GATES + 1] = {&layer->input_gate.activation, &layer->forget_gate.activation,
						       &layer->candidate_gate.activation,
						       &layer->output_gate.activation, &layer->hidden_activation};

	activations[refusal->slot]->function = (BNNSActivationFunction)refusal->value;
}

static void infinite_alpha(struct bnns_case *test, const struct refusal *refusal)
{
	function(test, refusal);
	test->parameters.forget_gate.activation.alpha = INFINITY;
}

static void filter_flags(struct bnns_case *test, const struct refusal *refusal)
{
	test->filter.flags = (uint32_t)refusal->value;
}

static int never(void **out, size_t alignment, size_t bytes)
{
	(void)out;
	(void)alignment;
	(void)bytes;
	return 12;
}

static void half_allocator(struct bnns_case *test, const struct refusal *refusal)
{
	if (refusal->value)
		test->filter.free_memory = free;
	else
		test->filter.alloc_memory = never;
}

static int gives_nothing(void **out, size_t alignment, size_t bytes)
{
	(void)alignment;
	(void)bytes;
	*out = NULL;
	return 0;
}

static void allocator_without_memory(struct bnns_case *test, const struct refusal *refusal)
{
	test->filter.alloc_memory = refusal->value ? gives_nothing : never;
	test->filter.free_memory = free;
}

/* value: bytes of an element, which hold an impossible step; 0: more rows than the batch in the first. */
static void growing_sequence(struct bnns_case *test, const struct refusal *refusal)
{
	uint32_t rows[4] = {2, 3, 1, 1};

	if (!refusal->value)
		rows[0] = 4;
	memcpy(test->sequence, rows, sizeof rows);
}

static void sequence_type(struct bnns_case *test, const struct refusal *refusal)
{
	test->parameters.sequence_descriptor.data_type = (BNNSDataType)refusal->value;
}

static void sequence_size(struct bnns_case *test, const struct refusal *refusal)
{
	test->parameters.sequence_descriptor.size[0] = (size_t)refusal->value;
}

static void sequence_misaligned(struct bnns_case *test, const struct refusal *refusal)
{
	test->parameters.sequence_descriptor.data = (char *)test->sequence + refusal->value;
}

#define FIELD(name) (int)offsetof(BNNSLayerParametersLSTM, name)
#define GROWN(index) (uint64_t)(index | 1 << 8)

static const struct refusal refusals[] = {
	{"x is missing", no_data, BOTH, "input_descriptor.data_desc", 0, SLOT_X, 0},
	{"input weights are missing", no_data, BOTH, "forget_gate.iw_desc[0]", 0, SLOT_IW + 1, 0},
	{"upper input weights are missing", no_data, BOTH, "input_gate.iw_desc[1]", 0, SLOT_IW_UPPER, 0},
	{"recurrent weights are missing", no_data, BOTH, "output_gate.hw_desc", 0, SLOT_HW + 3, 0},
	{"x is misaligned", misaligned, BOTH, "input_descriptor.data_desc", 0, SLOT_X, 1},
	{"y is misaligned", misaligned, FORWARD, "output_descriptor.data_desc", 0, SLOT_Y, 2},
	{"a bias is misaligned", misaligned, BOTH, "candidate_gate.b_desc", 0, SLOT_B + 2, 3},
	{"a gradient is misaligned", misaligned, BACKWARD, "input_gate.cw_desc", 1, SLOT_CW, 2},
	{"x is of integers", type, BOTH, "data_type", 0, SLOT_X, BNNSDataTypeInt8},
	{"x is of another type than y", type, FORWARD, "data_type", 0, SLOT_Y, BNNSDataTypeFloat16},
	{"dx is of another type than x", type, BACKWARD, "data_type", 1, SLOT_X, BNNSDataTypeBFloat16},
	{"dy is of another type than x", type, BACKWARD, "data_type", 1, SLOT_Y, BNNSDataTypeFloat16},
	{"weights are of no type", type, BOTH, "data_type", 0, SLOT_HW, 0},
	{"weights are indexed", type, BOTH, "data_type", 0, SLOT_IW + 2, BNNSDataTypeIndexed8},
	{"a state is boolean", type, BOTH, "hidden_desc", 0, SLOT_H0, BNNSDataTypeBoolean},
	{"a type nobody knows", type, BACKWARD, "b_desc", 1, SLOT_B, 0x12345},
	{"a layout nobody knows", layout, BOTH, "layout", 0, SLOT_X, 0x99999},
	{"weights in NSE", layout, BOTH, "layout", 0, SLOT_HW + 1, BNNSDataLayoutNSE},
	{"too few dimensions", layout, BOTH, "input_descriptor.data_desc", 0, SLOT_X, BNNSDataLayoutVector},
	{"flags nobody knows", flags, BACKWARD, "flags", 1, SLOT_HW, 2},
	{"x has one element more", size, BOTH, "size[0]", 0, SLOT_X, GROWN(0)},
	{"x has one row more", size, BOTH, "size[1]", 0, SLOT_X, GROWN(1)},
	{"x has one step more", size, BOTH, "size[2]", 0, SLOT_X, GROWN(2)},
	{"y has one element more", size, FORWARD, "output_descriptor.data_desc.size[0]", 0, SLOT_Y, GROWN(0)},
	{"a state has one layer more", size, BOTH, "size[3]", 0, SLOT_C0, GROWN(3)},
	{"a final state has one row more", size, FORWARD, "size[1]", 0, SLOT_HN, GROWN(1)},
	{"weights have one column more", size, BOTH, "iw_desc[0].size[0]", 0, SLOT_IW + 3, GROWN(0)},
	{"weights have one unit more", size, BOTH, "hw_desc.size[1]", 0, SLOT_HW, GROWN(1)},
	{"weights have one direction more", size, BOTH, "cw_desc.size[2]", 0, SLOT_CW + 1, GROWN(2)},
	{"a bias has one unit more", size, BOTH, "b_desc.size[0]", 0, SLOT_B + 3, GROWN(0)},
	{"dx has one element more", size, BACKWARD, "layer_delta_params.input_descriptor", 1, SLOT_X, GROWN(0)},
	{"dy has one step more", size, BACKWARD, "layer_delta_params.output_descriptor", 1, SLOT_Y, GROWN(2)},
	{"dW has one column more", size, BACKWARD, "layer_delta_params.input_gate.iw_desc[0]", 1, SLOT_IW, GROWN(0)},
	{"a size beyond memory", huge_size, BOTH, "size[1]", 0, SLOT_X, 1},
	{"a stride beyond memory", huge_stride, BOTH, "input_descriptor.data_desc", 0, SLOT_X, 2},
	{"a stride of weights beyond memory", huge_stride, BOTH, "hw_desc", 0, SLOT_HW, 3},
	{"a stride of results beyond memory", huge_stride, BACKWARD, "input_descriptor.data_desc", 1, SLOT_X, 2},
	{"strides that decrease", short_stride, BOTH, "stride[1]", 0, SLOT_X, 0},
	{"rows of y in one place", no_stride_for_results, FORWARD, "stride[1]", 0, SLOT_Y, 0},
	{"rows of dx in one place", no_stride_for_results, BACKWARD, "stride[1]", 1, SLOT_X, 0},
	{"rows of dW in one place", no_stride_for_results, BACKWARD, "stride[1]", 1, SLOT_HW, 0},
	{"no inputs", set_size, ALL, "input_size", 0, FIELD(input_size), 0},
	{"no units", set_size, ALL, "hidden_size", 0, FIELD(hidden_size), 0},
	{"no rows", set_size, ALL, "batch_size", 0, FIELD(batch_size), 0},
	{"no layers", set_size, ALL, "num_layers", 0, FIELD(num_layers), 0},
	{"no steps", set_size, ALL, "seq_len", 0, FIELD(seq_len), 0},
	{"inputs beyond memory", set_size, BOTH, "", 0, FIELD(input_size), SIZE_MAX},
	{"units beyond memory", set_size, ALL, "hidden_size", 0, FIELD(hidden_size), SIZE_MAX},
	{"rows beyond memory", set_size, BOTH, "", 0, FIELD(batch_size), SIZE_MAX / 4},
	{"layers beyond the core's", set_size, ALL, "num_layers", 0, FIELD(num_layers), 128},
	{"steps beyond memory", set_size, BOTH, "", 0, FIELD(seq_len), SIZE_MAX / 8},
	{"deltas of other inputs", set_size, BACKWARD, "input_size", 1, FIELD(input_size), 4},
	{"deltas of other units", set_size, BACKWARD, "hidden_size", 1, FIELD(hidden_size), 7},
	{"deltas of another batch", set_size, BACKWARD, "batch_size", 1, FIELD(batch_size), 2},
	{"deltas of other layers", set_size, BACKWARD, "num_layers", 1, FIELD(num_layers), 1},
	{"deltas of other steps", set_size, BACKWARD, "seq_len", 1, FIELD(seq_len), 5},
	{"flags of the layer that nobody knows", lstm_flags, ALL, "lstm_flags", 0, 0, 4},
	{"everything is dropped", dropout, ALL, "dropout", 0, 0, 0},
	{"less than nothing is dropped", dropout, ALL, "dropout", 0, 0, 1},
	{"an infinite dropout", dropout, ALL, "dropout", 0, 0, 2},
	{"a dropout that is no number", dropout, ALL, "dropout", 0, 0, 3},
	{"more than everything is dropped", dropout, ALL, "dropout", 0, 0, 4},
	{"a saturating function", function, ALL, "input_gate", 0, 0, BNNSActivationFunctionIntegerLinearSaturate},
	{"one for each channel", function, ALL, "forget_gate", 0, 1,
	 BNNSActivationFunctionIntegerLinearSaturatePerChannel},
	{"softmax", function, ALL, "candidate_gate", 0, 2, BNNSActivationFunctionSoftmax},
	{"log softmax", function, ALL, "output_gate", 0, 3, BNNSActivationFunctionLogSoftmax},
	{"a random function", function, ALL, "hidden_activation", 0, 4, BNNSActivationFunctionGumbel},
	{"the other random function", function, ALL, "hidden_activation", 0, 4, BNNSActivationFunctionGumbelMax},
	{"slopes for each channel", function, ALL, "input_gate", 0, 0, BNNSActivationFunctionPReLUPerChannel},
	{"a function nobody knows", function, ALL, "output_gate", 0, 3, 32},
	{"a number that is no function", function, ALL, "output_gate", 0, 3, 0xFFFFFFFF},
	{"an infinite parameter", infinite_alpha, ALL, "forget_gate", 0, 1, BNNSActivationFunctionLinear},
	{"flags of the filter that nobody knows", filter_flags, BOTH, "filter_params.flags", 0, 0, 2},
	{"an allocator that does not free", half_allocator, BOTH, "free_memory", 0, 0, 0},
	{"one that only frees", half_allocator, BOTH, "alloc_memory", 0, 0, 1},
	{"one that fails", allocator_without_memory, BOTH, "alloc_memory", 0, 0, 0},
	{"one that says it did not", allocator_without_memory, BOTH, "alloc_memory", 0, 0, 1},
	{"more rows than the batch", growing_sequence, BOTH, "sequence_descriptor", 0, 0, 0},
	{"rows that come later", growing_sequence, BOTH, "sequence_descriptor", 0, 0, 1},
	{"batch sizes of floats", sequence_type, BOTH, "sequence_descriptor", 0, 0, BNNSDataTypeFloat32},
	{"batch sizes with signs", sequence_type, BOTH, "sequence_descriptor", 0, 0, BNNSDataTypeInt32},
	{"batch sizes for more steps", sequence_size, BOTH, "sequence_descriptor", 0, 0, 5},
	{"misaligned batch sizes", sequence_misaligned, BOTH, "sequence_descriptor", 0, 0, 2},
};

/* One of the calls, and that it refuses. */
static void expect(struct bnns_case *test, const struct refusal *refusal, int call, int result)
{
	const char *sentence = sluice_bnns_last_message();

	if (result != -1)
		fail_msg("%s: call %d returns %d", refusal->name, call, result);
	if (strlen(sentence) < 20 || !strstr(sentence, refusal->words))
		fail_msg("%s: \"%s\" does not say %s", refusal->name, sentence, refusal->words);
	case_check_untouched(test);
}

static void check_refusal(const struct refusal *refusal)
{
	struct bnns_spec spec;
	struct bnns_case test;
	unsigned char *cache;

	whole_spec(&spec);
	case_create(&spec, NULL, 0, &test);
	case_reset(&test);
	assert_bnns(case_forward(&test, 1));
	assert_bnns(case_backward(&test, test.cache, test.capacity));
	cache = malloc(test.capacity);
	assert_non_null(cache);
	memcpy(cache, test.cache, test.capacity);
	case_reset(&test);
	refusal->spoil(&test, refusal);
	/* Another sentence, to see that each call leaves its own. */
	assert_int_equal(sluice_bnns_weights_constant(NULL, 1), -1);
	if (refusal->calls & FORWARD) {
		expect(&test, refusal, FORWARD, case_forward(&test, 0));
		expect(&test, refusal, FORWARD, case_forward(&test, 1));
		assert_memory_equal(cache, test.cache, test.capacity);
	}
	if (refusal->calls & BACKWARD) {
		expect(&test, refusal, BACKWARD, case_backward(&test, test.cache, test.capacity));
		if (!(test.parameters.dropout > 0))
			expect(&test, refusal, BACKWARD, case_backward(&test, NULL, 0));
	}
	if (refusal->calls & CAPACITY)
		expect(&test, refusal, CAPACITY, BNNSComputeLSTMTrainingCacheCapacity(&test.parameters) == 0 ? -1 : 0);
	free(cache);
	case_destroy(&test);
}

static void test_refused_arguments(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < sizeof refusals / sizeof *refusals; k++)
		check_refusal(&refusals[k]);
}

/* What only sizes and strides decide is no reason to follow a pointer: a query needs no data at all. */
static void test_capacity_needs_no_data(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;
	BNNSLayerParametersLSTM bare;

	whole_spec(&spec);
	memset(spec.present + SLOT_CW, 0, BNNS_GATES * sizeof(int));
	case_create(&spec, NULL, 0, &test);
	bare = test.parameters;
	bare.sequence_descriptor.data = NULL;
	for (int slot = 0; slot < SLOTS; slot++)
		slot_descriptor(&bare, slot)->data = NULL;
	assert_int_equal(BNNSComputeLSTMTrainingCacheCapacity(&bare), test.capacity);
	case_destroy(&test);
}

/* Products of sizes that wrap around are found before anything is allocated. */
static void test_sizes_that_wrap(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;

	whole_spec(&spec);
	case_create(&spec, NULL, 0, &test);
	for (int k = 0; k < 3; k++) {
		BNNSLayerParametersLSTM layer = test.parameters;
		size_t *sizes[] = {&layer.input_size, &layer.batch_size, &layer.seq_len};

		for (int slot = 0; slot < SLOTS; slot++)
			memset(slot_descriptor(&layer, slot), 0, sizeof(BNNSNDArrayDescriptor));
		*sizes[k] = SIZE_MAX / 4 + 1;
		assert_int_equal(BNNSComputeLSTMTrainingCacheCapacity(&layer), 0);
		assert_true(strlen(sluice_bnns_last_message()) > 20);
		*sizes[(k + 1) % 3] = SIZE_MAX / 4 + 1;
		assert_int_equal(BNNSComputeLSTMTrainingCacheCapacity(&layer), 0);
	}
	case_destroy(&test);
}

static void test_null_pointers(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;

	whole_spec(&spec);
	case_create(&spec, NULL, 0, &test);
	case_reset(&test);
	assert_int_equal(BNNSDirectApplyLSTMBatchTrainingCaching(NULL, NULL, NULL, 0), -1);
	assert_non_null(strstr(sluice_bnns_last_message(), "layer_params"));
	assert_int_equal(BNNSDirectApplyLSTMBatchBackward(NULL, &test.deltas, NULL, NULL, 0), -1);
	assert_non_null(strstr(sluice_bnns_last_message(), "layer_params"));
	assert_int_equal(BNNSDirectApplyLSTMBatchBackward(&test.parameters, NULL, NULL, NULL, 0), -1);
	assert_non_null(strstr(sluice_bnns_last_message(), "layer_delta_params"));
	assert_int_equal(BNNSComputeLSTMTrainingCacheCapacity(NULL), 0);
	assert_non_null(strstr(sluice_bnns_last_message(), "layer_params"));
	assert_int_equal(sluice_bnns_weights_constant(NULL, 0), -1);
	case_check_untouched(&test);
	case_destroy(&test);
}

/* What was dropped is in the cache only. */
static void test_backward_with_dropout_needs_cache(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;

	whole_spec(&spec);
	spec.dropout = 0.25f;
	case_create(&spec, NULL, 0, &test);
	case_reset(&test);
	assert_int_equal(case_backward(&test, NULL, 0), -1);
	assert_non_null(strstr(sluice_bnns_last_message(), "dropout"));
	case_check_untouched(&test);
	case_destroy(&test);
}

/* Gradients of weights that there are not. */
static void test_gradients_of_absent_weights(void **unused)
{
	(void)unused;
	static const int slots[] = {SLOT_CW + 2, SLOT_B + 1};

	for (size_t k = 0; k < 2; k++) {
		struct bnns_spec spec;
		struct bnns_case test;

		whole_spec(&spec);
		case_create(&spec, NULL, 0, &test);
		case_reset(&test);
		slot_descriptor(&test.parameters, slots[k])->data = NULL;
		assert_int_equal(case_backward(&test, NULL, 0), -1);
		assert_non_null(strstr(sluice_bnns_last_message(), "layer_delta_params"));
		case_check_untouched(&test);
		case_destroy(&test);
	}
}

/* Rows behind each other have one order only. */
static void test_dense_rows_in_nse(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;

	whole_spec(&spec);
	spec.options.sequence_rows = SLUICE_BNNS_SEQUENCE_ROWS_DENSE;
	case_create(&spec, NULL, 0, &test);
	case_reset(&test);
	slot_descriptor(&test.parameters, SLOT_X)->layout = BNNSDataLayoutNSE;
	assert_int_equal(case_forward(&test, 0), -1);
	assert_non_null(strstr(sluice_bnns_last_message(), "NSE"));
	case_check_untouched(&test);
	case_destroy(&test);
	assert_bnns(sluice_bnns_set_options(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_arguments),
		cmocka_unit_test(test_capacity_needs_no_data),
		cmocka_unit_test(test_sizes_that_wrap),
		cmocka_unit_test(test_null_pointers),
		cmocka_unit_test(test_backward_with_dropout_needs_cache),
		cmocka_unit_test(test_gradients_of_absent_weights),
		cmocka_unit_test(test_dense_rows_in_nse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
