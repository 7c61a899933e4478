/* test_mpsgraph_layout.c exists to hold mpsgraph.h to Apple's names: values of constants, types of methods, what a new
 * descriptor says, so that a program need only be respelt to be compiled here. */
#include <string.h>

#include "layout.h"
#include "sluice/mpsgraph.h"

/* ------------------------------------------------------------------------------------------------- constants -- */

static void test_data_types(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(MPSDataTypeFloatBit, 0x10000000), VALUE(MPSDataTypeAlternateEncodingBit, 0x80000000),
		VALUE(MPSDataTypeFloat32, 0x10000020),  VALUE(MPSDataTypeFloat16, 0x10000010),
		VALUE(MPSDataTypeBFloat16, 0x90000010), VALUE(sizeof(MPSDataType), 4),
	};
	compare(table, COUNT(table));
}

static void test_activations(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(MPSGraphRNNActivationNone, 0),        VALUE(MPSGraphRNNActivationRelu, 1),
		VALUE(MPSGraphRNNActivationTanh, 2),        VALUE(MPSGraphRNNActivationSigmoid, 3),
		VALUE(MPSGraphRNNActivationHardSigmoid, 4),
	};
	compare(table, COUNT(table));
}

/* A structure of zeros is that of the defaults. */
static void test_switches(void **unused)
{
	(void)unused;
	static const struct number table[] = {
		VALUE(SLUICE_MPSGRAPH_PEEPHOLE_OUTPUT_PREVIOUS, 0),
		VALUE(SLUICE_MPSGRAPH_PEEPHOLE_OUTPUT_CURRENT, 1),
		VALUE(SLUICE_MPSGRAPH_TRAINING_RESULTS_WITH_CELL, 0),
		VALUE(SLUICE_MPSGRAPH_TRAINING_RESULTS_WITHOUT_CELL, 1),
		VALUE(SLUICE_MPSGRAPH_BIAS_GRADIENT_SHAPE_DOCUMENTED, 0),
		VALUE(SLUICE_MPSGRAPH_BIAS_GRADIENT_SHAPE_OBSERVED, 1),
		VALUE(SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_ALIGNED, 0),
		VALUE(SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_PROCESSING, 1),
		VALUE(SLUICE_MPSGRAPH_RANK, 16),
	};
	const sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;
	sluice_mpsgraph_options zeros = {0};
	compare(table, COUNT(table));
	assert_int_equal(options.size, sizeof(options));
	zeros.size = sizeof(zeros);
	assert_memory_equal(&options, &zeros, sizeof(zeros));
}

/* ---------------------------------------------------------------------------------------------------- shapes -- */

static void test_shapes(void **unused)
{
	(void)unused;
	const MPSShape *shape = SLUICE_MPS_SHAPE(3, 5, 7);
	const size_t size[SLUICE_MPSGRAPH_RANK] = {3, 5, 7};
	assert_int_equal(shape->rank, 3);
	assert_memory_equal(shape->size, size, sizeof(size));
	assert_int_equal(COUNT(shape->size), SLUICE_MPSGRAPH_RANK);
}

/* As many places as there can be results; the names are places of their own. */
static void test_results(void **unused)
{
	(void)unused;
	MPSGraphLSTMResults results = {0};
	MPSGraphLSTMGradientsResults gradients = {0};
	MPSGraphTensor **const named[] = {&results.state, &results.cell, &results.training};
	MPSGraphTensor **const gradient[] = {&gradients.source,  &gradients.recurrentWeight, &gradients.inputWeight,
					     &gradients.bias,    &gradients.peephole,        &gradients.initState,
					     &gradients.initCell};
	assert_int_equal(COUNT(results.array), COUNT(named));
	assert_int_equal(COUNT(gradients.array), COUNT(gradient));
	for (size_t k = 0; k + 1 < COUNT(named); k++)
		assert_ptr_equal(named[k] + 1, named[k + 1]);
	for (size_t k = 0; k + 1 < COUNT(gradient); k++)
		assert_ptr_equal(gradient[k] + 1, gradient[k + 1]);
}

/* ------------------------------------------------------------------------------------------------ descriptor -- */

struct property {
	const char *name;
	int (*get)(const MPSGraphLSTMDescriptor *);
	void (*set)(MPSGraphLSTMDescriptor *, int);
	int initial, other;
};

/* Every property as one of int, whatever its type. */
#define ACCESS(name, Name, type, initial)                                    \
	static int get_##name(const MPSGraphLSTMDescriptor *descriptor)      \
	{                                                                    \
		return (int)MPSGraphLSTMDescriptor_##name(descriptor);       \
	}                                                                    \
	static void set_##name(MPSGraphLSTMDescriptor *descriptor, int name) \
	{                                                                    \
		MPSGraphLSTMDescriptor_set##Name(descriptor, (type)name);    \
	}
SLUICE_MPSGRAPH_LSTM_PROPERTIES(ACCESS)
#undef ACCESS

#define PROPERTY(name, initial, other)                        \
	{                                                     \
#name, get_##name, set_##name, initial, other \
	}

/* Written out: the header's list has defaults, too, which are what is tested. */
static const struct property PROPERTIES[] = {
	PROPERTY(reverse, 0, 1),
	PROPERTY(bidirectional, 0, 1),
	PROPERTY(produceCell, 0, 1),
	PROPERTY(training, 0, 1),
	PROPERTY(forgetGateLast, 0, 1),
	PROPERTY(inputGateActivation, 3, 4),
	PROPERTY(forgetGateActivation, 3, 1),
	PROPERTY(cellGateActivation, 2, 0),
	PROPERTY(outputGateActivation, 3, 2),
	PROPERTY(activation, 2, 1),
};

static void expect_defaults(const MPSGraphLSTMDescriptor *descriptor, const struct property *but)
{
	for (size_t k = 0; k < COUNT(PROPERTIES); k++) {
		const struct property *property = &PROPERTIES[k];
		int expected = property == but ? property->other : property->initial;
		if (property->get(descriptor) != expected)
			fail_msg("%s is %d, expected %d", property->name, property->get(descriptor), expected);
	}
}

static void test_descriptor_defaults(void **unused)
{
	(void)unused;
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
	assert_non_null(descriptor);
	expect_defaults(descriptor, NULL);
	MPSGraphLSTMDescriptor_release(descriptor);
}

static void test_descriptor_properties(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < COUNT(PROPERTIES); k++) {
		MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
		PROPERTIES[k].set(descriptor, PROPERTIES[k].other);
		expect_defaults(descriptor, &PROPERTIES[k]);
		MPSGraphLSTMDescriptor_release(descriptor);
	}
}

/* A copy says the same and is another object; what differs in one property is not equal. */
static void test_descriptor_copies(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < COUNT(PROPERTIES); k++) {
		MPSGraphLSTMDescriptor *plain = MPSGraphLSTMDescriptor_descriptor(), *copy;
		MPSGraphLSTMDescriptor_release(MPSGraphLSTMDescriptor_retain(plain));
		copy = MPSGraphLSTMDescriptor_copy(plain);
		assert_ptr_not_equal(copy, plain);
		assert_true(MPSGraphLSTMDescriptor_isEqual(copy, plain));
		assert_int_equal(MPSGraphLSTMDescriptor_hash(copy), MPSGraphLSTMDescriptor_hash(plain));
		PROPERTIES[k].set(copy, PROPERTIES[k].other);
		expect_defaults(plain, NULL);
		if (MPSGraphLSTMDescriptor_isEqual(copy, plain))
			fail_msg("%s makes no difference", PROPERTIES[k].name);
		MPSGraphLSTMDescriptor_release(plain);
		MPSGraphLSTMDescriptor_release(copy);
	}
}

/* ---------------------------------------------------------------------------------------------------- methods -- */

typedef MPSGraphTensor *tensor;
typedef const MPSGraphLSTMDescriptor *descriptor;

/* Assignments that compile only if the arguments are as many and of the types that the selectors name; the compiler is
 * the judge. Short names are other names of the longest methods. */
static void test_methods(void **unused)
{
	(void)unused;
	MPSGraphLSTMResults (*full)(MPSGraph *, tensor, tensor, tensor, tensor, tensor, tensor, tensor, tensor,
				    descriptor, const char *) =
		SLUICE_MPSGRAPH_JOIN(MPSGraph_LSTMWithSourceTensor_recurrentWeight_inputWeight_bias_,
				     initState_initCell_mask_peephole_descriptor_name);
	MPSGraphLSTMResults (*weighted)(MPSGraph *, tensor, tensor, tensor, tensor, tensor, tensor, descriptor,
					const char *) =
		MPSGraph_LSTMWithSourceTensor_recurrentWeight_inputWeight_bias_initState_initCell_descriptor_name;
	MPSGraphLSTMResults (*least)(MPSGraph *, tensor, tensor, tensor, tensor, descriptor, const char *) =
		MPSGraph_LSTMWithSourceTensor_recurrentWeight_initState_initCell_descriptor_name;
	assert_true(full && weighted && least);
	assert_true(full == MPSGraph_LSTM);
}

/* What the names of the gradients' methods begin with. */
#define GRADIENTS(tail)       \
	SLUICE_MPSGRAPH_JOIN( \
		MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_, tail)

static void test_gradient_methods(void **unused)
{
	(void)unused;
	MPSGraphLSTMGradientsResults (*full)(MPSGraph *, tensor, tensor, tensor, tensor, tensor, tensor, tensor, tensor,
					     tensor, tensor, tensor, tensor, tensor, descriptor, const char *) =
		GRADIENTS(stateGradient_cellGradient_inputWeight_bias_initState_initCell_mask_peephole_descriptor_name);
	MPSGraphLSTMGradientsResults (*masked)(MPSGraph *, tensor, tensor, tensor, tensor, tensor, tensor, tensor,
					       tensor, tensor, tensor, descriptor, const char *) =
		GRADIENTS(inputWeight_bias_initState_initCell_mask_descriptor_name);
	MPSGraphLSTMGradientsResults (*weighted)(MPSGraph *, tensor, tensor, tensor, tensor, tensor, tensor, tensor,
						 tensor, tensor, descriptor, const char *) =
		GRADIENTS(inputWeight_bias_initState_initCell_descriptor_name);
	MPSGraphLSTMGradientsResults (*least)(MPSGraph *, tensor, tensor, tensor, tensor, tensor, descriptor,
					      const char *) = GRADIENTS(descriptor_name);
	assert_true(full && masked && weighted && least);
	assert_true(full == MPSGraph_LSTMGradients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data_types),
		cmocka_unit_test(test_activations),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_descriptor_defaults),
		cmocka_unit_test(test_descriptor_properties),
		cmocka_unit_test(test_descriptor_copies),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_gradient_methods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
