/*
 * test_mpsgraph_programs.c: what a program makes of a graph. In random graphs a few targets, whose intermediate tensors
 * share memory as soon as they can, have the bits that they have when every tensor is a target and none shares any.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sluice/mpsgraph.h>

/* All tensors have ROWS times COLUMNS elements or less, so that most nodes go together with most others. */
enum { GRAPHS = 200, NODES = 40, SUBSETS = 4, FEW = 3, ROWS = 3, COLUMNS = 5, ELEMENTS = ROWS * COLUMNS };

static uint64_t random_state;

static size_t draw(size_t count)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % count;
}

static const MPSShape SHAPE = {2, {ROWS, COLUMNS}};

struct subject {
	MPSGraph *graph;
	MPSGraphTensor *fed, *tensors[NODES]; /* of SHAPE, each */
	float *values[NODES];                 /* what they are */
	float input[ELEMENTS];
};

static MPSGraphTensor *any(const struct subject *subject, size_t count)
{
	return subject->tensors[draw(count)];
}

/* The columns from `start` on, then those before. */
static MPSGraphTensor *rotated(const struct subject *s, MPSGraphTensor *tensor, ptrdiff_t start)
{
	MPSGraphTensor *parts[] = {
		MPSGraph_sliceTensor_dimension_start_length_name(s->graph, tensor, 1, start, COLUMNS - start, NULL),
		MPSGraph_sliceTensor_dimension_start_length_name(s->graph, tensor, 1, 0, start, NULL),
	};
	return MPSGraph_concatTensors_dimension_name(s->graph, parts, 2, -1, NULL);
}

static MPSGraphTensor *turned(const struct subject *s, MPSGraphTensor *tensor)
{
	return MPSGraph_reshapeTensor_withShape_name(
		s->graph, MPSGraph_transposeTensor_dimension_withDimension_name(s->graph, tensor, 0, 1, NULL), &SHAPE,
		NULL);
}

static MPSGraphTensor *rounded(const struct subject *s, MPSGraphTensor *tensor)
{
	return MPSGraph_castTensor_toType_name(
		s->graph, MPSGraph_castTensor_toType_name(s->graph, tensor, MPSDataTypeFloat16, NULL),
		MPSDataTypeFloat32, NULL);
}

static MPSGraphTensor *next(const struct subject *s, size_t count)
{
	MPSGraphTensor *one = any(s, count), *other = any(s, count);
	switch (draw(7)) {
	case 0:
		return MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(s->graph, one, other, NULL);
	case 1:
		return MPSGraph_multiplicationWithPrimaryTensor_secondaryTensor_name(
			s->graph, one, MPSGraph_sliceTensor_dimension_start_length_name(s->graph, other, 0, 1, 1, NULL),
			NULL);
	case 2:
		return rotated(s, one, 1 + (ptrdiff_t)draw(COLUMNS - 1));
	case 3:
		return turned(s, one);
	case 4:
		return rounded(s, one);
	case 5:
		return MPSGraph_dropoutTensor_rate_name(s->graph, one, 0.25, NULL);
	default:
		return MPSGraph_identityWithTensor_name(s->graph, one, NULL);
	}
}

static MPSGraphTensor *variable(const struct subject *s)
{
	return MPSGraph_variableWithData_shape_dataType_name(s->graph, s->input, &SHAPE, MPSDataTypeFloat32, NULL);
}

static void subject_make(struct subject *s)
{
	const float halves[COLUMNS] = {0.5f, -0.5f, 1, 0.25f, -1};
	const MPSShape row = {1, {COLUMNS}};
	s->graph = MPSGraph_new();
	s->fed = MPSGraph_placeholderWithShape_dataType_name(s->graph, &SHAPE, MPSDataTypeFloat32, "fed");
	s->tensors[0] = s->fed;
	for (size_t k = 0; k < ELEMENTS; k++)
		s->input[k] = (float)draw(1000) / 512 - 1;
	s->tensors[1] = variable(s);
	s->tensors[2] = MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(
		s->graph, s->fed, MPSGraph_constantWithData_shape_dataType(s->graph, halves, &row, MPSDataTypeFloat32),
		NULL);
	for (size_t k = 3; k < NODES; k++)
		s->tensors[k] = k == NODES / 2 ? variable(s) : next(s, k); /* a variable has its value from the start */
	for (size_t k = 0; k < NODES; k++) {
		assert_non_null(s->tensors[k]);
		s->values[k] = malloc(sizeof s->input);
		assert_non_null(s->values[k]);
	}
}

static void subject_destroy(struct subject *s)
{
	for (size_t k = 0; k < NODES; k++)
		free(s->values[k]);
	MPSGraph_release(s->graph);
}

static MPSGraphTensorData *data_of(void *numbers)
{
	return MPSGraphTensorData_initWithData_shape_dataType(numbers, &SHAPE, MPSDataTypeFloat32);
}

static MPSGraphExecutable *compiled(const struct subject *s, MPSGraphTensor *const *targets, size_t count,
				    MPSGraphOperation *const *operations, size_t operation_count)
{
	MPSGraphExecutable *executable =
		MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
			s->graph, NULL, &s->fed, 1, targets, count, operations, operation_count, NULL);
	assert_non_null(executable);
	return executable;
}

static void run(struct subject *s, MPSGraphExecutable *executable, float *const *to, size_t count)
{
	MPSGraphTensorData *input = data_of(s->input), *results[NODES];
	for (size_t k = 0; k < count; k++)
		results[k] = data_of(to[k]);
	assert_int_equal(0, MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
				    executable, NULL, &input, 1, results, count, NULL));
	for (size_t k = 0; k < count; k++)
		MPSGraphTensorData_release(results[k]);
	MPSGraphTensorData_release(input);
}

/* A few tensors of the graph, perhaps one of them twice. */
static void check_few(struct subject *s)
{
	float found[FEW][ELEMENTS];
	float *to[FEW] = {found[0], found[1], found[2]};
	MPSGraphTensor *targets[FEW];
	size_t numbers[FEW];
	for (size_t k = 0; k < FEW; k++) {
		numbers[k] = draw(NODES);
		targets[k] = s->tensors[numbers[k]];
	}
	MPSGraphExecutable *executable = compiled(s, targets, FEW, NULL, 0);
	for (int again = 0; again < 2; again++) {
		memset(found, 0xff, sizeof found);
		run(s, executable, to, FEW);
		for (size_t k = 0; k < FEW; k++)
			assert_memory_equal(s->values[numbers[k]], found[k], sizeof found[k]);
	}
	MPSGraphExecutable_release(executable);
}

static void test_few_targets_are_as_all(void **unused)
{
	(void)unused;
	for (size_t each = 0; each < GRAPHS; each++) {
		struct subject s;
		random_state = each;
		subject_make(&s);
		MPSGraphExecutable *all = compiled(&s, s.tensors, NODES, NULL, 0);
		run(&s, all, s.values, NODES);
		MPSGraphExecutable_release(all);
		for (size_t subset = 0; subset < SUBSETS; subset++)
			check_few(&s);
		subject_destroy(&s);
	}
}

/* A tensor that is assigned lives until the end of the run, whatever is computed after it, and no target sees it. */
static void test_assigned_values_live_to_the_end(void **unused)
{
	(void)unused;
	for (size_t each = 0; each < GRAPHS; each++) {
		struct subject s;
		float found[ELEMENTS], *to = found;
		random_state = each;
		subject_make(&s);
		MPSGraphExecutable *all = compiled(&s, s.tensors, NODES, NULL, 0);
		run(&s, all, s.values, NODES);
		MPSGraphExecutable_release(all);
		const size_t number = 3 + draw(NODES - 3);
		MPSGraphOperation *assign =
			MPSGraph_assignVariable_withValueOfTensor_name(s.graph, s.tensors[1], s.tensors[number], NULL);
		MPSGraphExecutable *few = compiled(&s, &s.tensors[NODES - 1], 1, &assign, 1);
		run(&s, few, &to, 1);
		assert_memory_equal(s.values[NODES - 1], found, sizeof found);
		MPSGraphExecutable_release(few);
		few = compiled(&s, &s.tensors[1], 1, NULL, 0);
		run(&s, few, &to, 1);
		assert_memory_equal(s.values[number], found, sizeof found);
		MPSGraphExecutable_release(few);
		subject_destroy(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_targets_are_as_all),
		cmocka_unit_test(test_assigned_values_live_to_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
