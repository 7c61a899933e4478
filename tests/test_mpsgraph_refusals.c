/*
 * test_mpsgraph_refusals.c: what cannot be meant is refused by a sentence that names it, when a node is made or a run
 * begins, and leaves graph and results as they were.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "mpsgraph_feeds.h"

enum { T = 3, N = 2, I = 4, H = 5 };

/* Fails the test unless the last sentence is one and has these parts. */
static void assert_said(const char *first, const char *second)
{
	const char *said = sluice_mpsgraph_last_message();

	assert_true(strlen(said) > 10);
	if ((*first && !strstr(said, first)) || (*second && !strstr(said, second)))
		fail_msg("\"%s\" does not contain \"%s\" and \"%s\"", said, first, second);
}

#define REFUSED(call, first, second)        \
	do {                                \
		assert_null(call);          \
		assert_said(first, second); \
	} while (0)
#define FAILS(call, first, second)             \
	do {                                   \
		assert_int_not_equal(call, 0); \
		assert_said(first, second);    \
	} while (0)

static MPSGraphTensor *place(MPSGraph *graph, const MPSShape *shape, MPSDataType type)
{
	MPSGraphTensor *tensor = MPSGraph_placeholderWithShape_dataType_name(graph, shape, type, NULL);

	assert_mps(tensor);
	return tensor;
}

/* ----------------------------------------------------------------------------------------------------- shapes ---- */

static void test_hostile_shapes(void **unused)
{
	(void)unused;
	MPSGraph *graph = MPSGraph_new();
	MPSShape shape = {.rank = SLUICE_MPSGRAPH_RANK + 1};

	REFUSED(MPSGraph_placeholderWithShape_dataType_name(graph, &shape, MPSDataTypeFloat32, NULL), "rank", "17");
	shape.rank = (size_t)-1;
	REFUSED(MPSGraph_placeholderWithShape_dataType_name(graph, &shape, MPSDataTypeFloat32, NULL), "rank", "");
	REFUSED(MPSGraph_placeholderWithShape_dataType_name(graph, SLUICE_MPS_SHAPE(2, 0, 3), MPSDataTypeFloat32, NULL),
		"0", "");
	/* Products that wrap around to 0, to 4, and bytes that do. */
	REFUSED(MPSGraph_placeholderWithShape_dataType_name(graph, SLUICE_MPS_SHAPE((size_t)1 << 32, (size_t)1 << 32),
							    MPSDataTypeFloat32, NULL),
		"4294967296", "");
	REFUSED(MPSGraph_placeholderWithShape_dataType_name(graph, SLUICE_MPS_SHAPE(((size_t)-1) / 3 + 2, 3),
							    MPSDataTypeFloat16, NULL),
		"", "");
	REFUSED(MPSGraph_placeholderWithShape_dataType_name(graph, SLUICE_MPS_SHAPE((size_t)1 << 62),
							    MPSDataTypeFloat32, NULL),
		"", "");
	REFUSED(MPSGraph_constantWithScalar_shape_dataType(graph, 1, SLUICE_MPS_SHAPE((size_t)1 << 60, 64),
							   MPSDataTypeFloat32),
		"", "");
	REFUSED(MPSGraph_placeholderWithShape_dataType_name(graph, NULL, MPSDataTypeFloat32, NULL), "shape", "");
	MPSGraph_release(graph);
}

static void test_unknown_types(void **unused)
{
	(void)unused;
	static const MPSDataType types[] = {0,           MPSDataTypeUInt8, 32,         0x10000040u,
					    0x20000020u, 0x90000020u,      0xffffffffu};
	MPSGraph *graph = MPSGraph_new();
	float data[6] = {0};

	for (size_t index = 0; index < sizeof(types) / sizeof(*types); index++) {
		const MPSShape *const shape = SLUICE_MPS_SHAPE(2, 3);
		MPSGraphTensor *const known = place(graph, shape, MPSDataTypeFloat32);

		REFUSED(MPSGraph_placeholderWithShape_dataType_name(graph, shape, types[index], NULL), "ype", "");
		REFUSED(MPSGraph_constantWithData_shape_dataType(graph, data, shape, types[index]), "ype", "");
		REFUSED(MPSGraph_constantWithScalar_dataType(graph, 1, types[index]), "ype", "");
		REFUSED(MPSGraphTensorData_initWithData_shape_dataType(data, shape, types[index]), "ype", "");
		REFUSED(MPSGraph_castTensor_toType_name(graph, known, types[index], NULL), "ype", "");
	}
	MPSGraph_release(graph);
}

/* Both shapes are in the sentence. */
static void test_operations_on_shapes_that_do_not_fit(void **unused)
{
	(void)unused;
	MPSGraph *graph = MPSGraph_new();
	MPSGraphTensor *const a = place(graph, SLUICE_MPS_SHAPE(2, 3), MPSDataTypeFloat32);
	MPSGraphTensor *const b = place(graph, SLUICE_MPS_SHAPE(2, 4), MPSDataTypeFloat32);
	MPSGraphTensor *const half = place(graph, SLUICE_MPS_SHAPE(2, 3), MPSDataTypeFloat16);
	MPSGraphTensor *both[2] = {a, b};

	REFUSED(MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(graph, a, b, NULL), "[2,3]", "[2,4]");
	REFUSED(MPSGraph_multiplicationWithPrimaryTensor_secondaryTensor_name(graph, b, a, NULL), "[2,4]", "[2,3]");
	REFUSED(MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(graph, a, half, NULL), "Float32", "Float16");
	REFUSED(MPSGraph_concatTensors_dimension_name(graph, both, 2, 0, NULL), "[2,3]", "[2,4]");
	REFUSED(MPSGraph_concatTensors_dimension_name(graph, both, 0, 0, NULL), "", "");
	REFUSED(MPSGraph_concatTensors_dimension_name(graph, both, 2, 2, NULL), "2", "");
	REFUSED(MPSGraph_concatTensors_dimension_name(graph, both, 2, -3, NULL), "-3", "");
	REFUSED(MPSGraph_reshapeTensor_withShape_name(graph, a, SLUICE_MPS_SHAPE(5), NULL), "[2,3]", "[5]");
	REFUSED(MPSGraph_squeezeTensor_axis_name(graph, a, 0, NULL), "[2,3]", "");
	REFUSED(MPSGraph_squeezeTensor_axis_name(graph, a, 2, NULL), "2", "");
	REFUSED(MPSGraph_expandDimsOfTensor_axis_name(graph, a, 4, NULL), "4", "");
	REFUSED(MPSGraph_transposeTensor_dimension_withDimension_name(graph, a, 0, 2, NULL), "2", "");
	REFUSED(MPSGraph_transposeTensor_dimension_withDimension_name(graph, a, (size_t)-1, 0, NULL), "", "");
	REFUSED(MPSGraph_sliceTensor_dimension_start_length_name(graph, a, 2, 0, 1, NULL), "2", "");
	REFUSED(MPSGraph_sliceTensor_dimension_start_length_name(graph, a, 1, 2, 2, NULL), "2", "3");
	REFUSED(MPSGraph_sliceTensor_dimension_start_length_name(graph, a, 1, 0, 0, NULL), "0", "");
	REFUSED(MPSGraph_sliceTensor_dimension_start_length_name(graph, a, 1, -4, 1, NULL), "-4", "");
	REFUSED(MPSGraph_sliceTensor_dimension_start_length_name(graph, a, 1, 1, PTRDIFF_MAX, NULL), "", "");
	REFUSED(MPSGraph_dropoutTensor_rate_name(graph, a, 1, NULL), "rate", "1");
	REFUSED(MPSGraph_dropoutTensor_rate_name(graph, a, -0.5, NULL), "rate", "-0.5");
	REFUSED(MPSGraph_dropoutTensor_rate_name(graph, a, (double)NAN, NULL), "rate", "nan");
	MPSGraph_release(graph);
}

/* ------------------------------------------------------------------------------------------------------- LSTM ---- */

/* Every tensor of an LSTM and its gradients with one dimension too long, one too many, and in another type. */
static void test_every_tensor_of_an_lstm(void **unused)
{
	(void)unused;
	static const char *const names[MPS_SLOTS] = {"source",         "recurrentWeight", "inputWeight", "bias",
						     "peephole",       "initState",       "initCell",    "mask",
						     "sourceGradient", "stateGradient",   "cellGradient"};

	for (size_t directions = 1; directions <= 2; directions++)
		for (size_t slot = 0; slot < MPS_SLOTS; slot++)
			for (int way = 0; way < 4; way++) {
				struct mps_spec spec;
				MPSGraph *graph = MPSGraph_new();
				MPSGraphTensor *in[MPS_SLOTS];

				mps_spec_draw(0, &spec);
				spec.steps = T, spec.batch = N, spec.inputs = I, spec.hidden = H;
				spec.directions = directions;
				spec.mask = MPS_MASK_STEP;
				for (size_t each = 0; each < MPS_SLOTS; each++)
					spec.present[each] = 1;
				for (size_t each = 0; each < MPS_SLOTS; each++) {
					MPSShape shape;
					const int wrong = each == slot;

					shape = mps_slot_shape(&spec, (enum mps_slot)each);
					if (wrong && way < 2)
						shape.size[way ? shape.rank - 1 : 0] += 1;
					if (wrong && way == 2)
						shape.size[shape.rank++] = 7;
					in[each] = place(graph, &shape,
							 wrong && way == 3 ? MPSDataTypeFloat16 : MPSDataTypeFloat32);
				}
				MPSGraphLSTMDescriptor *descriptor = mps_descriptor(&spec);
				MPSGraphTensor *const z =
					place(graph, SLUICE_MPS_SHAPE(T, N, directions * 4 * H), MPSDataTypeFloat32);
				MPSGraphTensor *const c =
					place(graph, SLUICE_MPS_SHAPE(T, N, directions * H), MPSDataTypeFloat32);
				const MPSGraphLSTMGradientsResults d = mps_backward(graph, in, z, c, descriptor, 0);

				/* A source or recurrent weight that is too long may be right, and others wrong. */
				assert_true(!d.count && !d.source && !d.recurrentWeight && !d.array[0]);
				if (slot > MPS_R)
					assert_said(names[slot], "");
				if (slot < MPS_DY) {
					const MPSGraphLSTMResults r = mps_forward(graph, in, descriptor, 0);

					assert_true(!r.count && !r.state && !r.cell && !r.training && !r.array[0]);
					if (slot > MPS_R)
						assert_said(names[slot], "");
				}
				MPSGraphLSTMDescriptor_release(descriptor);
				MPSGraph_release(graph);
			}
}

/* Of the required tensors each is missed by its name. */
static void test_what_an_lstm_must_have(void **unused)
{
	(void)unused;
	MPSGraph *graph = MPSGraph_new();
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
	MPSGraphTensor *const x = place(graph, SLUICE_MPS_SHAPE(T, N, 4 * H), MPSDataTypeFloat32);
	MPSGraphTensor *const R = place(graph, SLUICE_MPS_SHAPE(4 * H, H), MPSDataTypeFloat32);
	MPSGraphTensor *const c = place(graph, SLUICE_MPS_SHAPE(T, N, H), MPSDataTypeFloat32);
	MPSGraphTensor *in[MPS_SLOTS] = {x, R};

	in[MPS_X] = NULL;
	assert_true(!mps_forward(graph, in, descriptor, 0).count);
	assert_said("source", "");
	in[MPS_X] = x, in[MPS_R] = NULL;
	assert_true(!mps_forward(graph, in, descriptor, 1).count);
	assert_said("recurrentWeight", "");
	in[MPS_R] = R;
	assert_true(!mps_forward(graph, in, NULL, 0).count);
	assert_said("descriptor", "");
	assert_true(!mps_forward(NULL, in, descriptor, 0).count);
	assert_said("graph", "");
	assert_true(!mps_backward(graph, in, NULL, c, descriptor, 0).count);
	assert_said("zState", "");
	assert_true(!mps_backward(graph, in, x, NULL, descriptor, 0).count);
	assert_said("cellOutputFwd", "");
	/* Nothing of this is left in the graph: the same with everything is accepted. */
	assert_true(mps_forward(graph, in, descriptor, 1).count == 1);
	assert_true(mps_backward(graph, in, x, c, descriptor, 1).count == 2);
	MPSGraphLSTMDescriptor_release(descriptor);
	MPSGraph_release(graph);
}

static void test_unknown_activations(void **unused)
{
	(void)unused;
	MPSGraph *graph = MPSGraph_new();
	MPSGraphTensor *in[MPS_SLOTS] = {place(graph, SLUICE_MPS_SHAPE(T, N, 4 * H), MPSDataTypeFloat32),
					 place(graph, SLUICE_MPS_SHAPE(4 * H, H), MPSDataTypeFloat32)};
	static void (*const set[])(MPSGraphLSTMDescriptor *, MPSGraphRNNActivation) = {
		MPSGraphLSTMDescriptor_setInputGateActivation, MPSGraphLSTMDescriptor_setForgetGateActivation,
		MPSGraphLSTMDescriptor_setCellGateActivation, MPSGraphLSTMDescriptor_setOutputGateActivation,
		MPSGraphLSTMDescriptor_setActivation};

	for (size_t index = 0; index < sizeof(set) / sizeof(*set); index++) {
		MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();

		set[index](descriptor, (MPSGraphRNNActivation)5);
		assert_true(!mps_forward(graph, in, descriptor, 0).count);
		assert_said("ctivation", "5");
		MPSGraphLSTMDescriptor_release(descriptor);
	}
	MPSGraph_release(graph);
}

/* ------------------------------------------------------------------------------------------------------ graphs ---- */

/* A node is made of tensors that exist, and never changed: no order of calls makes a cycle. What could make one, a
 * tensor of another graph that depends on this one, is refused. */
static void test_cycles_cannot_be_made(void **unused)
{
	(void)unused;
	MPSGraph *one = MPSGraph_new(), *other = MPSGraph_new();
	MPSGraphTensor *const a = place(one, SLUICE_MPS_SHAPE(2), MPSDataTypeFloat32);
	MPSGraphTensor *const b = place(other, SLUICE_MPS_SHAPE(2), MPSDataTypeFloat32);
	const float zeros[2] = {0};

	REFUSED(MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(one, a, b, NULL), "graph", "");
	REFUSED(MPSGraph_concatTensors_dimension_name(other, (MPSGraphTensor *[]){b, a}, 2, 0, NULL), "graph", "");
	REFUSED(MPSGraph_identityWithTensor_name(other, a, NULL), "graph", "");
	/* A variable that is assigned what was computed from it is none either: a run reads what there was before. */
	MPSGraphTensor *const v = MPSGraph_variableWithData_shape_dataType_name(one, zeros, SLUICE_MPS_SHAPE(2),
										MPSDataTypeFloat32, NULL);
	MPSGraphTensor *const one_more = MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(
		one, MPSGraph_readVariable_name(one, v, NULL),
		MPSGraph_constantWithScalar_dataType(one, 1, MPSDataTypeFloat32), NULL);
	MPSGraphOperation *assign = MPSGraph_assignVariable_withValueOfTensor_name(one, v, one_more, NULL);
	struct mps_memory found = mps_memory_of(v);
	const sluice_mpsgraph_pair result = {one_more, found.data};

	assert_mps(assign);
	for (int run = 1; run <= 3; run++) {
		assert_mps(MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(
				   one, NULL, NULL, 0, &assign, 1, &result, 1) == 0);
		assert_true(((const float *)found.at)[1] == (float)run);
	}
	REFUSED(MPSGraph_assignVariable_withValueOfTensor_name(one, a, one_more, NULL), "ariable", "");
	REFUSED(MPSGraph_readVariable_name(one, a, NULL), "ariable", "");
	mps_memory_destroy(&found);
	MPSGraph_release(one);
	MPSGraph_release(other);
}

static void test_nothing_where_something_is_needed(void **unused)
{
	(void)unused;
	MPSGraph *graph = MPSGraph_new();
	MPSGraphTensor *const a = place(graph, SLUICE_MPS_SHAPE(2), MPSDataTypeFloat32);
	const MPSShape *const shape = SLUICE_MPS_SHAPE(2);

	REFUSED(MPSGraph_placeholderWithShape_dataType_name(NULL, shape, MPSDataTypeFloat32, NULL), "graph", "");
	REFUSED(MPSGraph_constantWithData_shape_dataType(graph, NULL, shape, MPSDataTypeFloat32), "data", "");
	REFUSED(MPSGraph_variableWithData_shape_dataType_name(graph, NULL, shape, MPSDataTypeFloat32, NULL), "data",
		"");
	REFUSED(MPSGraph_identityWithTensor_name(graph, NULL, NULL), "tensor", "");
	REFUSED(MPSGraph_identityWithTensor_name(NULL, a, NULL), "graph", "");
	REFUSED(MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(graph, a, NULL, NULL), "NULL", "");
	REFUSED(MPSGraph_reshapeTensor_withShape_name(graph, a, NULL, NULL), "shape", "");
	REFUSED(MPSGraph_concatTensors_dimension_name(graph, NULL, 2, 0, NULL), "tensor", "");
	REFUSED(MPSGraph_concatTensors_dimension_name(graph, (MPSGraphTensor *[]){a, NULL}, 2, 0, NULL), "tensor", "");
	REFUSED(MPSGraphTensorData_initWithData_shape_dataType(NULL, shape, MPSDataTypeFloat32), "data", "");
	FAILS(sluice_mpsgraph_set_seed(NULL, 1), "graph", "");
	FAILS(sluice_mpsgraph_execution_set_seed(NULL, 1), "escriptor", "");
	/* What Apple sends to nil does nothing. */
	MPSGraph_release(NULL);
	MPSGraphTensorData_release(NULL);
	MPSGraphExecutable_release(NULL);
	MPSGraphLSTMDescriptor_release(NULL);
	MPSGraphExecutableExecutionDescriptor_release(NULL);
	assert_null(MPSGraph_retain(NULL));
	MPSGraph_release(graph);
}

/* -------------------------------------------------------------------------------------------------------- runs ---- */

static int run(MPSGraph *graph, const sluice_mpsgraph_pair *feeds, size_t feed_count,
	       const sluice_mpsgraph_pair *results, size_t count)
{
	return MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(graph, NULL, feeds, feed_count,
											NULL, 0, results, count);
}

static void test_runs_without_what_they_need(void **unused)
{
	(void)unused;
	MPSGraph *graph = MPSGraph_new(), *other = MPSGraph_new();
	MPSGraphTensor *const a =
		MPSGraph_placeholderWithShape_dataType_name(graph, SLUICE_MPS_SHAPE(2), MPSDataTypeFloat32, "first");
	MPSGraphTensor *const b =
		MPSGraph_placeholderWithShape_dataType_name(graph, SLUICE_MPS_SHAPE(2), MPSDataTypeFloat32, "second");
	MPSGraphTensor *const sum = MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(graph, a, b, NULL);
	MPSGraphTensor *const foreign = place(other, SLUICE_MPS_SHAPE(2), MPSDataTypeFloat32);
	struct mps_memory fed = mps_memory_of(a), found = mps_memory_of(sum);
	struct mps_memory longer = mps_memory_create(SLUICE_MPS_SHAPE(3), MPSDataTypeFloat32);
	struct mps_memory half = mps_memory_create(SLUICE_MPS_SHAPE(2), MPSDataTypeFloat16);
	unsigned char before[2 * sizeof(float)];

	memset(fed.at, 0, fed.bytes);
	memcpy(before, found.at, sizeof(before));
	const sluice_mpsgraph_pair to = {sum, found.data};
	const sluice_mpsgraph_pair good[2] = {{a, fed.data}, {b, fed.data}};

	FAILS(run(graph, good, 1, &to, 1), "second", "");
	FAILS(run(graph, (sluice_mpsgraph_pair[]){{a, fed.data}, {b, longer.data}}, 2, &to, 1), "[2]", "[3]");
	FAILS(run(graph, (sluice_mpsgraph_pair[]){{a, fed.data}, {b, half.data}}, 2, &to, 1), "Float32", "Float16");
	FAILS(run(graph, (sluice_mpsgraph_pair[]){{a, fed.data}, {b, NULL}}, 2, &to, 1), "", "");
	FAILS(run(graph, (sluice_mpsgraph_pair[]){{a, fed.data}, {NULL, fed.data}}, 2, &to, 1), "", "");
	FAILS(run(graph, (sluice_mpsgraph_pair[]){{a, fed.data}, {foreign, fed.data}}, 2, &to, 1), "graph", "");
	FAILS(run(graph, good, 2, (sluice_mpsgraph_pair[]){{sum, longer.data}}, 1), "[2]", "[3]");
	FAILS(run(graph, good, 2, (sluice_mpsgraph_pair[]){{sum, NULL}}, 1), "", "");
	FAILS(run(graph, good, 2, (sluice_mpsgraph_pair[]){{foreign, found.data}}, 1), "graph", "");
	FAILS(run(graph, NULL, 2, &to, 1), "", "");
	FAILS(run(NULL, good, 2, &to, 1), "graph", "");
	FAILS(MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(graph, before, good, 2, NULL, 0,
										       &to, 1),
	      "ueue", "");
	assert_memory_equal(before, found.at, sizeof(before));
	assert_mps(run(graph, good, 2, &to, 1) == 0);
	assert_true(((const float *)found.at)[0] == 0);
	mps_memory_destroy(&fed);
	mps_memory_destroy(&found);
	mps_memory_destroy(&longer);
	mps_memory_destroy(&half);
	MPSGraph_release(graph);
	MPSGraph_release(other);
}

static MPSGraphExecutable *compile(MPSGraph *graph, MPSGraphTensor *const *feeds, size_t feed_count,
				   MPSGraphTensor *const *targets, size_t count)
{
	return MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
		graph, NULL, feeds, feed_count, targets, count, NULL, 0, NULL);
}

static int run_executable(MPSGraphExecutable *executable, MPSGraphTensorData *const *inputs, size_t input_count,
			  MPSGraphTensorData *const *results, size_t count)
{
	return MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
		executable, NULL, inputs, input_count, results, count, NULL);
}

static void test_executables_of_what_does_not_fit(void **unused)
{
	(void)unused;
	MPSGraph *graph = MPSGraph_new();
	MPSGraphTensor *const a =
		MPSGraph_placeholderWithShape_dataType_name(graph, SLUICE_MPS_SHAPE(2), MPSDataTypeFloat32, "lonely");
	MPSGraphTensor *const sum = MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(graph, a, a, NULL);
	struct mps_memory fed = mps_memory_of(a), found = mps_memory_of(sum);
	struct mps_memory longer = mps_memory_create(SLUICE_MPS_SHAPE(3), MPSDataTypeFloat32);

	memset(fed.at, 0, fed.bytes);
	REFUSED(compile(graph, NULL, 0, &sum, 1), "lonely", "");
	REFUSED(compile(NULL, &a, 1, &sum, 1), "graph", "");
	REFUSED(compile(graph, (MPSGraphTensor *[]){a, a}, 2, &sum, 1), "", "");
	REFUSED(compile(graph, NULL, 1, &sum, 1), "", "");
	REFUSED(MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
			graph, graph, &a, 1, &sum, 1, NULL, 0, NULL),
		"evice", "");
	MPSGraphExecutable *executable = compile(graph, &a, 1, &sum, 1);

	assert_mps(executable);
	FAILS(run_executable(executable, &fed.data, 0, &found.data, 1), "0", "1");
	FAILS(run_executable(executable, &fed.data, 1, &found.data, 2), "2", "1");
	FAILS(run_executable(executable, &longer.data, 1, &found.data, 1), "[2]", "[3]");
	FAILS(run_executable(executable, &fed.data, 1, &longer.data, 1), "[2]", "[3]");
	FAILS(run_executable(executable, (MPSGraphTensorData *[]){NULL}, 1, &found.data, 1), "", "");
	FAILS(run_executable(executable, NULL, 1, &found.data, 1), "", "");
	FAILS(run_executable(NULL, &fed.data, 1, &found.data, 1), "xecutable", "");
	assert_mps(run_executable(executable, &fed.data, 1, &found.data, 1) == 0);
	MPSGraphExecutable_release(executable);
	mps_memory_destroy(&fed);
	mps_memory_destroy(&found);
	mps_memory_destroy(&longer);
	MPSGraph_release(graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_shapes),
		cmocka_unit_test(test_unknown_types),
		cmocka_unit_test(test_operations_on_shapes_that_do_not_fit),
		cmocka_unit_test(test_every_tensor_of_an_lstm),
		cmocka_unit_test(test_what_an_lstm_must_have),
		cmocka_unit_test(test_unknown_activations),
		cmocka_unit_test(test_cycles_cannot_be_made),
		cmocka_unit_test(test_nothing_where_something_is_needed),
		cmocka_unit_test(test_runs_without_what_they_need),
		cmocka_unit_test(test_executables_of_what_does_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
