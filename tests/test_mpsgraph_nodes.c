/* test_mpsgraph_nodes.c exists to hold each node of MPSGraph's that is no LSTM to what its name says, on a few numbers
 * written out, and its refusals to a sentence with what was given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "sluice/mpsgraph.h"

#define SENTENCE(word) assert_non_null(strstr(sluice_mpsgraph_last_message(), word))

static MPSGraph *graph;
static MPSGraphTensor *ramp; /* [2,3]: 0 1 2, 3 4 5 */

static const float RAMP[] = {0, 1, 2, 3, 4, 5};

static int new_graph(void **unused)
{
	(void)unused;
	graph = MPSGraph_new();
	ramp = MPSGraph_constantWithData_shape_dataType(graph, RAMP, SLUICE_MPS_SHAPE(2, 3), MPSDataTypeFloat32);
	return !ramp;
}

static int drop_graph(void **unused)
{
	(void)unused;
	MPSGraph_release(graph);
	return 0;
}

/* What a tensor that nothing is fed to holds. */
static void expect(MPSGraphTensor *tensor, const MPSShape *shape, const float *expected)
{
	size_t size[SLUICE_MPSGRAPH_RANK], count = 1;
	MPSGraphTensorData *result;
	if (!tensor)
		fail_msg("%s", sluice_mpsgraph_last_message());
	assert_int_equal(
		MPSGraph_runWithFeeds_targetTensors_targetOperations(graph, NULL, 0, &tensor, 1, NULL, 0, &result), 0);
	assert_int_equal(MPSGraphTensorData_shape(result, size), shape->rank);
	assert_int_equal(MPSGraphTensor_shape(tensor, NULL), shape->rank);
	for (size_t k = 0; k < shape->rank; k++) {
		assert_int_equal(size[k], shape->size[k]);
		count *= size[k];
	}
	assert_int_equal(MPSGraphTensorData_dataType(result), MPSDataTypeFloat32);
	assert_memory_equal(MPSGraphTensorData_data(result), expected, count * sizeof(float));
	MPSGraphTensorData_release(result);
}

static void test_names(void **unused)
{
	(void)unused;
	MPSGraphTensor *named = MPSGraph_identityWithTensor_name(graph, ramp, "same");
	MPSGraphOperation *operation = MPSGraphTensor_operation(named);
	assert_string_equal(MPSGraphOperation_name(operation), "same");
	assert_string_equal(MPSGraphOperation_name(MPSGraphTensor_operation(ramp)), "");
	assert_ptr_not_equal(operation, MPSGraphTensor_operation(ramp));
}

static void test_constants(void **unused)
{
	(void)unused;
	float data[] = {7, 8};
	MPSGraphTensor *copied =
		MPSGraph_constantWithData_shape_dataType(graph, data, SLUICE_MPS_SHAPE(2), MPSDataTypeFloat32);
	data[0] = data[1] = 0;
	expect(copied, SLUICE_MPS_SHAPE(2), (const float[]){7, 8});
	expect(MPSGraph_constantWithScalar_dataType(graph, 2.5, MPSDataTypeFloat32), SLUICE_MPS_SHAPE(1),
	       (const float[]){2.5f});
	expect(MPSGraph_constantWithScalar_shape_dataType(graph, -1, SLUICE_MPS_SHAPE(1, 2), MPSDataTypeFloat32),
	       SLUICE_MPS_SHAPE(1, 2), (const float[]){-1, -1});
}

static void test_same_elements(void **unused)
{
	(void)unused;
	expect(MPSGraph_identityWithTensor_name(graph, ramp, NULL), SLUICE_MPS_SHAPE(2, 3), RAMP);
	expect(MPSGraph_reshapeTensor_withShape_name(graph, ramp, SLUICE_MPS_SHAPE(3, 1, 2), NULL),
	       SLUICE_MPS_SHAPE(3, 1, 2), RAMP);
	expect(MPSGraph_expandDimsOfTensor_axis_name(graph, ramp, 0, NULL), SLUICE_MPS_SHAPE(1, 2, 3), RAMP);
	expect(MPSGraph_expandDimsOfTensor_axis_name(graph, ramp, -1, NULL), SLUICE_MPS_SHAPE(2, 3, 1), RAMP);
	MPSGraphTensor *wide = MPSGraph_expandDimsOfTensor_axis_name(graph, ramp, 1, NULL);
	expect(wide, SLUICE_MPS_SHAPE(2, 1, 3), RAMP);
	expect(MPSGraph_squeezeTensor_axis_name(graph, wide, 1, NULL), SLUICE_MPS_SHAPE(2, 3), RAMP);
	expect(MPSGraph_squeezeTensor_axis_name(graph, wide, -2, NULL), SLUICE_MPS_SHAPE(2, 3), RAMP);
}

static void test_other_places(void **unused)
{
	(void)unused;
	MPSGraphTensor *turned = MPSGraph_transposeTensor_dimension_withDimension_name(graph, ramp, 0, 1, NULL);
	expect(turned, SLUICE_MPS_SHAPE(3, 2), (const float[]){0, 3, 1, 4, 2, 5});
	MPSGraphTensor *column = MPSGraph_sliceTensor_dimension_start_length_name(graph, ramp, 1, 1, 2, NULL);
	expect(column, SLUICE_MPS_SHAPE(2, 2), (const float[]){1, 2, 4, 5});
	MPSGraphTensor *const parts[] = {column, ramp};
	expect(MPSGraph_concatTensors_dimension_name(graph, parts, 2, 1, NULL), SLUICE_MPS_SHAPE(2, 5),
	       (const float[]){1, 2, 0, 1, 2, 4, 5, 3, 4, 5});
	MPSGraphTensor *const rows[] = {turned, column};
	expect(MPSGraph_concatTensors_dimension_name(graph, rows, 2, -2, NULL), SLUICE_MPS_SHAPE(5, 2),
	       (const float[]){0, 3, 1, 4, 2, 5, 1, 2, 4, 5});
}

static void test_arithmetic(void **unused)
{
	(void)unused;
	const float row[] = {1, 10, 100}, column[] = {1, -1};
	MPSGraphTensor *across =
		MPSGraph_constantWithData_shape_dataType(graph, row, SLUICE_MPS_SHAPE(3), MPSDataTypeFloat32);
	MPSGraphTensor *down =
		MPSGraph_constantWithData_shape_dataType(graph, column, SLUICE_MPS_SHAPE(2, 1), MPSDataTypeFloat32);
	expect(MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(graph, ramp, across, NULL),
	       SLUICE_MPS_SHAPE(2, 3), (const float[]){1, 11, 102, 4, 14, 105});
	expect(MPSGraph_multiplicationWithPrimaryTensor_secondaryTensor_name(graph, down, ramp, NULL),
	       SLUICE_MPS_SHAPE(2, 3), (const float[]){0, 1, 2, -3, -4, -5});
	expect(MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(graph, down, across, NULL),
	       SLUICE_MPS_SHAPE(2, 3), (const float[]){2, 11, 101, 0, 9, 99});
}

/* 1 + 2^-12 lies nearer to 1 in both types of 16 bits; 1 + 2^-9 is a number of one of them only. */
static void test_casts(void **unused)
{
	(void)unused;
	const float given[] = {1 + 0x1p-12f, 1 + 0x1p-9f}, half[] = {1, 1 + 0x1p-9f}, brain[] = {1, 1};
	const struct {
		MPSDataType type;
		const float *expected;
	} cases[] = {{MPSDataTypeFloat16, half}, {MPSDataTypeBFloat16, brain}, {MPSDataTypeFloat32, given}};
	MPSGraphTensor *tensor =
		MPSGraph_constantWithData_shape_dataType(graph, given, SLUICE_MPS_SHAPE(2), MPSDataTypeFloat32);
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		MPSGraphTensor *cast = MPSGraph_castTensor_toType_name(graph, tensor, cases[k].type, NULL);
		assert_int_equal(MPSGraphTensor_dataType(cast), cases[k].type);
		expect(MPSGraph_castTensor_toType_name(graph, cast, MPSDataTypeFloat32, NULL), SLUICE_MPS_SHAPE(2),
		       cases[k].expected);
	}
}

/* Assigned at the end of a run that has the assignment as a target, and only then. */
static void test_variables(void **unused)
{
	(void)unused;
	const float start[] = {5, 6}, next[] = {6, 7};
	MPSGraphTensor *variable = MPSGraph_variableWithData_shape_dataType_name(graph, start, SLUICE_MPS_SHAPE(2),
										 MPSDataTypeFloat32, "kept");
	MPSGraphTensor *one = MPSGraph_constantWithScalar_dataType(graph, 1, MPSDataTypeFloat32);
	MPSGraphTensor *read = MPSGraph_readVariable_name(graph, variable, NULL);
	MPSGraphTensor *sum = MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(graph, read, one, NULL);
	MPSGraphOperation *assign = MPSGraph_assignVariable_withValueOfTensor_name(graph, variable, sum, NULL);
	assert_non_null(assign);
	expect(read, SLUICE_MPS_SHAPE(2), start);
	expect(sum, SLUICE_MPS_SHAPE(2), next);
	expect(read, SLUICE_MPS_SHAPE(2), start);
	assert_int_equal(
		MPSGraph_runWithFeeds_targetTensors_targetOperations(graph, NULL, 0, NULL, 0, &assign, 1, NULL), 0);
	expect(read, SLUICE_MPS_SHAPE(2), next);
}

/* The memory stays the caller's. */
static void test_data(void **unused)
{
	(void)unused;
	float numbers[6] = {0};
	size_t size[SLUICE_MPSGRAPH_RANK];
	MPSGraphTensorData *data =
		MPSGraphTensorData_initWithData_shape_dataType(numbers, SLUICE_MPS_SHAPE(2, 3), MPSDataTypeFloat32);
	const sluice_mpsgraph_pair result = {ramp, data};
	assert_ptr_equal(MPSGraphTensorData_data(data), numbers);
	assert_int_equal(MPSGraphTensorData_shape(data, size), 2);
	assert_true(size[0] == 2 && size[1] == 3);
	assert_int_equal(MPSGraphTensorData_dataType(data), MPSDataTypeFloat32);
	assert_int_equal(MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(graph, NULL, NULL, 0,
												  NULL, 0, &result, 1),
			 0);
	assert_memory_equal(numbers, RAMP, sizeof(RAMP));
	MPSGraphTensorData_release(data);
}

/* What was retained outlives a release; a sanitizer would see a mistake. */
static void test_counts(void **unused)
{
	(void)unused;
	float number = 0;
	MPSGraphTensorData *data =
		MPSGraphTensorData_initWithData_shape_dataType(&number, SLUICE_MPS_SHAPE(1), MPSDataTypeFloat32);
	MPSGraphExecutableExecutionDescriptor *execution = MPSGraphExecutableExecutionDescriptor_new();
	MPSGraphExecutable *executable =
		MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
			graph, NULL, NULL, 0, &ramp, 1, NULL, 0, NULL);
	assert_non_null(executable);
	assert_ptr_equal(MPSGraph_retain(graph), graph);
	assert_ptr_equal(MPSGraphTensorData_retain(data), data);
	assert_ptr_equal(MPSGraphExecutableExecutionDescriptor_retain(execution), execution);
	assert_ptr_equal(MPSGraphExecutable_retain(executable), executable);
	MPSGraph_release(graph);
	MPSGraphTensorData_release(data);
	MPSGraphExecutableExecutionDescriptor_release(execution);
	MPSGraphExecutable_release(executable);
	assert_ptr_equal(MPSGraphTensorData_data(data), &number);
	assert_int_equal(sluice_mpsgraph_execution_set_seed(execution, 1), 0);
	expect(ramp, SLUICE_MPS_SHAPE(2, 3), RAMP);
	MPSGraphTensorData_release(data);
	MPSGraphExecutableExecutionDescriptor_release(execution);
	MPSGraphExecutable_release(executable);
	MPSGraph_release(NULL);
	MPSGraphTensorData_release(NULL);
	MPSGraphExecutable_release(NULL);
	MPSGraphExecutableExecutionDescriptor_release(NULL);
	assert_null(MPSGraph_retain(NULL));
}

/* A sentence with the shape that was given. */
static void test_refusals(void **unused)
{
	(void)unused;
	MPSGraphTensor *const parts[] = {
		ramp, MPSGraph_transposeTensor_dimension_withDimension_name(graph, ramp, 0, 1, NULL)};
	assert_null(MPSGraph_reshapeTensor_withShape_name(graph, ramp, SLUICE_MPS_SHAPE(4), NULL));
	SENTENCE("[2,3]");
	assert_null(MPSGraph_squeezeTensor_axis_name(graph, ramp, 0, NULL));
	SENTENCE("[2,3]");
	assert_null(MPSGraph_expandDimsOfTensor_axis_name(graph, ramp, 4, NULL));
	SENTENCE("4");
	assert_null(MPSGraph_transposeTensor_dimension_withDimension_name(graph, ramp, 0, 2, NULL));
	SENTENCE("2");
	assert_null(MPSGraph_sliceTensor_dimension_start_length_name(graph, ramp, 1, 2, 2, NULL));
	SENTENCE("[2,3]");
	assert_null(MPSGraph_concatTensors_dimension_name(graph, parts, 2, 0, NULL));
	SENTENCE("[3,2]");
	assert_null(MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(graph, parts[0], parts[1], NULL));
	SENTENCE("[3,2]");
	assert_null(MPSGraph_castTensor_toType_name(graph, ramp, MPSDataTypeFloatBit, NULL));
	assert_null(MPSGraph_dropoutTensor_rate_name(graph, ramp, 1, NULL));
	SENTENCE("1");
	assert_null(MPSGraph_identityWithTensor_name(graph, NULL, NULL));
	SENTENCE("NULL");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_graph, drop_graph)
	const struct CMUnitTest tests[] = {
		TEST(test_names),      TEST(test_constants), TEST(test_same_elements), TEST(test_other_places),
		TEST(test_arithmetic), TEST(test_casts),     TEST(test_variables),     TEST(test_data),
		TEST(test_counts),     TEST(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
