/*
 * test_mpsgraph_lstm_contract.c: what MPSGraph's LSTM methods take, refuse and hand over: descriptors, the shorter
 * methods, results by name and in arrays, switches, and sentences.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "mpsgraph_lstm_net.h"

/* --- the shorter methods --- */

static void assert_tensors_same(MPSGraph *graph, MPSGraphTensor *a, MPSGraphTensor *b, const char *what)
{
	MPSGraphTensor *const tensors[] = {a, b};
	float first[ROOM] = {0}, second[ROOM] = {0};
	float *const to[] = {first, second};
	size_t shape[SLUICE_MPSGRAPH_RANK];
	MPSShape whole;
	assert_int_equal(a != NULL, b != NULL);
	if (!a)
		return;
	whole.rank = MPSGraphTensor_shape(a, shape);
	memcpy(whole.size, shape, sizeof shape);
	net_run(graph, tensors, to, 2);
	net_assert_same(first, second, net_elements(&whole), what);
}

static void assert_gradients_same(MPSGraph *graph, const MPSGraphLSTMGradientsResults *a,
				  const MPSGraphLSTMGradientsResults *b)
{
	assert_int_equal(a->count, b->count);
	assert_true(a->count > 0);
	for (size_t k = 0; k < a->count; k++)
		assert_tensors_same(graph, a->array[k], b->array[k], "gradient");
}

#define B2                                                                                                   \
	SLUICE_MPSGRAPH_JOIN(                                                                                \
		MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_, \
		inputWeight_bias_initState_initCell_mask_descriptor_name)
#define B3                                                                                                   \
	SLUICE_MPSGRAPH_JOIN(                                                                                \
		MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_, \
		inputWeight_bias_initState_initCell_descriptor_name)
#define B4 MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_descriptor_name
#define F2 MPSGraph_LSTMWithSourceTensor_recurrentWeight_inputWeight_bias_initState_initCell_descriptor_name
#define F3 MPSGraph_LSTMWithSourceTensor_recurrentWeight_initState_initCell_descriptor_name

static void test_shorter_methods(void **unused)
{
	static struct net net;
	MPSGraphTensor *t[ROLES];
	MPSGraphLSTMResults results, expected;
	MPSGraphLSTMGradientsResults back, whole;
	(void)unused;
	net_draw(&net, 1);
	net.given[P] = net.given[DH] = net.given[DC] = 0;
	MPSGraph *graph = net_graph(&net);
	MPSGraphLSTMDescriptor *d = net_descriptor(&net);
	net_tensors(&net, graph, t);

	expected = net_forward(graph, t, d);
	back = B2(graph, t[X], t[R], t[DY], expected.training, expected.cell, t[W], t[B], t[H0], t[C0], t[M], d, NULL);
	whole = net_backward(graph, t, &expected, d);
	assert_int_equal(back.count, 6);
	assert_gradients_same(graph, &back, &whole);

	t[M] = NULL;
	expected = net_forward(graph, t, d);
	results = F2(graph, t[X], t[R], t[W], t[B], t[H0], t[C0], d, NULL);
	assert_tensors_same(graph, results.state, expected.state, "h of F2");
	assert_tensors_same(graph, results.training, expected.training, "z of F2");
	back = B3(graph, t[X], t[R], t[DY], expected.training, expected.cell, t[W], t[B], t[H0], t[C0], d, NULL);
	whole = net_backward(graph, t, &expected, d);
	assert_int_equal(back.count, 6);
	assert_gradients_same(graph, &back, &whole);

	const MPSShape gates = {3, {3, 2, 12}};
	t[W] = t[B] = NULL;
	t[X] = MPSGraph_constantWithData_shape_dataType(graph, net.values[X], &gates, net.type);
	expected = net_forward(graph, t, d);
	results = F3(graph, t[X], t[R], t[H0], t[C0], d, NULL);
	assert_tensors_same(graph, results.cell, expected.cell, "c of F3");
	t[H0] = t[C0] = NULL;
	expected = net_forward(graph, t, d);
	back = B4(graph, t[X], t[R], t[DY], expected.training, expected.cell, d, NULL);
	whole = net_backward(graph, t, &expected, d);
	assert_int_equal(back.count, 2);
	assert_gradients_same(graph, &back, &whole);
	MPSGraphLSTMDescriptor_release(d);
	MPSGraph_release(graph);
}

/* --- weights from run to run --- */

/* What a run leaves behind says nothing to the next: whichever of the weights changed, and back again. */
static void test_changing_weights(void **unused)
{
	static const enum role weights[] = {W, R, B, P};
	enum { FEEDS = sizeof weights / sizeof weights[0] };
	static struct net net;
	static struct answer first, changed;
	MPSGraphTensor *t[ROLES], *feeds[FEEDS];
	MPSGraphTensorData *inputs[FEEDS], *result;
	float h[ROOM];
	(void)unused;
	net_draw(&net, 2);
	MPSGraph *graph = net_graph(&net);
	MPSGraphLSTMDescriptor *descriptor = net_descriptor(&net);
	net_tensors(&net, graph, t);
	net_solve(&net, &first);
	for (size_t k = 0; k < FEEDS; k++) {
		const MPSShape shape = net_shape(&net, weights[k]);
		feeds[k] = t[weights[k]] =
			MPSGraph_placeholderWithShape_dataType_name(graph, &shape, net.type, "weights");
		inputs[k] = MPSGraphTensorData_initWithData_shape_dataType(net.values[weights[k]], &shape, net.type);
	}
	MPSGraphTensor *const target = net_forward(graph, t, descriptor).state;
	const MPSShape states = {3, {3, 2, 6}};
	MPSGraphExecutable *executable =
		MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
			graph, NULL, feeds, FEEDS, &target, 1, NULL, 0, NULL);
	result = MPSGraphTensorData_initWithData_shape_dataType(h, &states, net.type);
	assert_non_null(executable);
	for (size_t round = 0; round < 2 * FEEDS + 1; round++) {
		float *element = &net.values[weights[round / 2 % FEEDS]][23]; /* the last one of the shortest */
		const float kept = *element;
		const int change = round % 2;
		if (change)
			*element += 1;
		net_solve(&net, &changed);
		assert_int_equal(MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
					 executable, NULL, inputs, FEEDS, &result, 1, NULL),
				 0);
		net_assert_same(h, changed.h, net_elements(&states), "h");
		assert_int_equal(memcmp(changed.h, first.h, net_elements(&states) * sizeof(float)) != 0, change);
		*element = kept;
	}
	for (size_t k = 0; k < FEEDS; k++)
		MPSGraphTensorData_release(inputs[k]);
	MPSGraphTensorData_release(result);
	MPSGraphExecutable_release(executable);
	MPSGraphLSTMDescriptor_release(descriptor);
	MPSGraph_release(graph);
}

/* Nor does a run without one of two incoming gradients find what the run before left in its place. */
static void test_repeated_gradients(void **unused)
{
	(void)unused;
	for (int absent = DH; absent <= DC; absent++) {
		static struct net net;
		MPSGraphTensor *t[ROLES], *targets[2];
		MPSGraphTensorData *results[2];
		float memory[2][ROOM], first[2][ROOM];
		const MPSShape states = {2, {2, 6}};
		net_draw(&net, 2);
		net.given[absent] = 0;
		MPSGraph *graph = net_graph(&net);
		MPSGraphLSTMDescriptor *descriptor = net_descriptor(&net);
		net_tensors(&net, graph, t);
		const MPSGraphLSTMResults made = net_forward(graph, t, descriptor);
		const MPSGraphLSTMGradientsResults back = net_backward(graph, t, &made, descriptor);
		targets[0] = back.initState;
		targets[1] = back.initCell;
		MPSGraphExecutable *executable =
			MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
				graph, NULL, NULL, 0, targets, 2, NULL, 0, NULL);
		assert_non_null(executable);
		for (size_t k = 0; k < 2; k++)
			results[k] = MPSGraphTensorData_initWithData_shape_dataType(memory[k], &states, net.type);
		for (int round = 0; round < 3; round++) {
			assert_int_equal(
				MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
					executable, NULL, NULL, 0, results, 2, NULL),
				0);
			for (size_t k = 0; k < 2; k++) {
				if (round == 0)
					memcpy(first[k], memory[k], sizeof first[k]);
				net_assert_same(memory[k], first[k], net_elements(&states), "gradient");
			}
		}
		MPSGraphTensorData_release(results[0]);
		MPSGraphTensorData_release(results[1]);
		MPSGraphExecutable_release(executable);
		MPSGraphLSTMDescriptor_release(descriptor);
		MPSGraph_release(graph);
	}
}

/* --- switches --- */

static void test_results(void **unused)
{
	static const struct {
		int produce, training, without, count;
		int cell, third; /* which of the array c and z are; 0: none */
	} cases[] = {{0, 0, 0, 1, 0, 0}, {1, 0, 0, 2, 1, 0}, {1, 1, 0, 3, 1, 2}, {0, 1, 0, 3, 1, 2},
		     {0, 0, 1, 1, 0, 0}, {1, 0, 1, 2, 1, 0}, {1, 1, 1, 3, 1, 2}, {0, 1, 1, 2, 0, 1}};
	(void)unused;
	for (size_t each = 0; each < sizeof cases / sizeof cases[0]; each++) {
		static struct net net;
		MPSGraphTensor *t[ROLES];
		net_draw(&net, 1);
		net.options.training_results = cases[each].without;
		MPSGraph *graph = net_graph(&net);
		MPSGraphLSTMDescriptor *descriptor = net_descriptor(&net);
		MPSGraphLSTMDescriptor_setProduceCell(descriptor, cases[each].produce);
		MPSGraphLSTMDescriptor_setTraining(descriptor, cases[each].training);
		net_tensors(&net, graph, t);
		const MPSGraphLSTMResults results = net_forward(graph, t, descriptor);
		assert_int_equal(results.count, cases[each].count);
		assert_ptr_equal(results.array[0], results.state);
		assert_ptr_equal(results.cell, cases[each].cell ? results.array[cases[each].cell] : NULL);
		assert_ptr_equal(results.training, cases[each].third ? results.array[cases[each].third] : NULL);
		MPSGraphLSTMDescriptor_release(descriptor);
		MPSGraph_release(graph);
	}
}

static void test_bias_gradient_shape(void **unused)
{
	(void)unused;
	for (size_t directions = 1; directions <= 2; directions++) {
		static struct net net;
		static struct answer documented, observed;
		net_draw(&net, directions);
		net_solve(&net, &documented);
		assert_int_equal(documented.rank[3], 1);
		net.options.bias_gradient_shape = SLUICE_MPSGRAPH_BIAS_GRADIENT_SHAPE_OBSERVED;
		net_solve(&net, &observed);
		assert_int_equal(observed.rank[3], 3);
		net_assert_all_same(&net, &observed, &documented);
	}
}

/* c = s_i(b_i), as z is 1 and all else 0. */
static void test_hard_sigmoid(void **unused)
{
	static const struct {
		float slope, offset, bias, expected;
	} cases[] = {{0, 0, 1, 0.2f + 0.5f},  {0, 0, -3, 0},        {0, 0, 3, 1},
		     {0.25f, 0.5f, 1, 0.75f}, {0.25f, 0, 1, 0.25f}, {0.25f, 0.5f, 2, 1}};
	(void)unused;
	for (size_t each = 0; each < sizeof cases / sizeof cases[0]; each++) {
		static struct net net;
		static struct answer answer;
		net_draw(&net, 1);
		net.steps = net.batch = net.inputs = net.hidden = 1;
		memset(net.values, 0, sizeof net.values);
		net.values[B][0] = cases[each].bias;
		net.values[B][2] = 1;
		net.activations[0] = MPSGraphRNNActivationHardSigmoid;
		net.activations[2] = MPSGraphRNNActivationRelu;
		net.options.hard_sigmoid_slope = cases[each].slope;
		net.options.hard_sigmoid_offset = cases[each].offset;
		net_solve(&net, &answer);
		net_assert_same(answer.c, &cases[each].expected, 1, "c");
	}
}

/* --- the descriptor --- */

static void test_descriptor(void **unused)
{
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
	(void)unused;
	assert_non_null(descriptor);
#define CHECK(name, Name, type, value)                                                                      \
	{                                                                                                   \
		MPSGraphLSTMDescriptor *other = MPSGraphLSTMDescriptor_copy(descriptor);                    \
		const type changed = (type)(value ? 0 : 1);                                                 \
		assert_int_equal(MPSGraphLSTMDescriptor_##name(descriptor), value);                         \
		assert_true(MPSGraphLSTMDescriptor_isEqual(descriptor, other));                             \
		MPSGraphLSTMDescriptor_set##Name(other, changed);                                           \
		assert_int_equal(MPSGraphLSTMDescriptor_##name(other), changed);                            \
		assert_int_equal(MPSGraphLSTMDescriptor_##name(descriptor), value);                         \
		assert_false(MPSGraphLSTMDescriptor_isEqual(descriptor, other));                            \
		assert_true(MPSGraphLSTMDescriptor_hash(other) != MPSGraphLSTMDescriptor_hash(descriptor)); \
		MPSGraphLSTMDescriptor_set##Name(other, value);                                             \
		assert_true(MPSGraphLSTMDescriptor_isEqual(descriptor, other));                             \
		assert_true(MPSGraphLSTMDescriptor_hash(other) == MPSGraphLSTMDescriptor_hash(descriptor)); \
		MPSGraphLSTMDescriptor_release(other);                                                      \
	}
	SLUICE_MPSGRAPH_LSTM_PROPERTIES(CHECK)
#undef CHECK
	assert_ptr_equal(MPSGraphLSTMDescriptor_retain(descriptor), descriptor);
	MPSGraphLSTMDescriptor_release(descriptor);
	MPSGraphLSTMDescriptor_setReverse(descriptor, 5); /* YES is YES */
	assert_int_equal(MPSGraphLSTMDescriptor_reverse(descriptor), 1);
	assert_false(MPSGraphLSTMDescriptor_isEqual(descriptor, NULL));
	assert_null(MPSGraphLSTMDescriptor_copy(NULL));
	MPSGraphLSTMDescriptor_release(descriptor);
	MPSGraphLSTMDescriptor_release(NULL);
}

/* --- refusals --- */

/* One tensor of an LSTM that would be right is of another shape. */
static const struct refusal {
	enum role role;
	size_t directions;
	MPSShape shape;
	const char *words;
} REFUSALS[] = {
	{X, 1, {2, {6, 5}}, "source is [6,5], expected three dimensions"},
	{R, 1, {2, {12, 4}}, "recurrentWeight is [12,4], expected [4H, H]"},
	{R, 1, {3, {2, 12, 3}}, "recurrentWeight is [2,12,3], expected [4H, H]"},
	{R, 1, {2, {13, 3}}, "recurrentWeight is [13,3]"},
	{R, 2, {2, {12, 3}}, "recurrentWeight is [12,3], expected [2, 4H, H]"},
	{R, 2, {3, {1, 12, 3}}, "recurrentWeight is [1,12,3], expected [2, 4H, H]"},
	{W, 1, {2, {12, 4}}, "inputWeight is [12,4], expected [12,5]"},
	{W, 2, {3, {2, 12, 5}}, "inputWeight is [2,12,5], expected [24,5]"},
	{B, 1, {1, {3}}, "bias is [3], expected [12]"},
	{B, 2, {2, {2, 12}}, "bias is [2,12], expected [24]"},
	{H0, 1, {2, {3, 3}}, "initState is [3,3], expected [2,3]"},
	{H0, 1, {3, {3, 2, 3}}, "initState is [3,2,3], expected [2,3]"},
	{C0, 2, {2, {2, 3}}, "initCell is [2,3], expected [2,6]"},
	{M, 1, {2, {3, 3}}, "mask is [3,3], expected [3], [2,3] or [3,2,3]"},
	{P, 1, {1, {9}}, "peephole is [9], expected [12]"},
	{P, 2, {1, {24}}, "peephole is [24], expected [2,12]"},
	{DY, 1, {3, {3, 2, 5}}, "sourceGradient is [3,2,5], expected [3,2,3]"},
	{DH, 1, {2, {2, 4}}, "stateGradient is [2,4], expected [2,3]"},
	{DC, 2, {3, {1, 2, 3}}, "cellGradient is [1,2,3], expected [2,6]"},
};

static void assert_refused(MPSGraph *graph, MPSGraphTensor *const t[ROLES], const MPSGraphLSTMResults *made,
			   MPSGraphLSTMDescriptor *descriptor, int forward_too, const char *words)
{
	static const MPSGraphLSTMResults none;
	static const MPSGraphLSTMGradientsResults no_gradients;
	for (int way = forward_too ? 0 : 1; way < 2; way++) {
		const MPSGraphLSTMResults results = way ? none : net_forward(graph, t, descriptor);
		const MPSGraphLSTMGradientsResults back = way ? net_backward(graph, t, made, descriptor) : no_gradients;
		assert_memory_equal(&results, &none, sizeof none);
		assert_memory_equal(&back, &no_gradients, sizeof no_gradients);
		if (!strstr(sluice_mpsgraph_last_message(), words))
			fail_msg("\"%s\" lacks \"%s\"", sluice_mpsgraph_last_message(), words);
	}
}

static void test_refused_shapes(void **unused)
{
	(void)unused;
	for (size_t each = 0; each < sizeof REFUSALS / sizeof REFUSALS[0]; each++) {
		const struct refusal *refusal = &REFUSALS[each];
		static struct net net;
		MPSGraphTensor *t[ROLES];
		net_draw(&net, refusal->directions);
		MPSGraph *graph = net_graph(&net);
		MPSGraphLSTMDescriptor *descriptor = net_descriptor(&net);
		net_tensors(&net, graph, t);
		const MPSGraphLSTMResults made = net_forward(graph, t, descriptor);
		assert_int_equal(made.count, 3);
		assert_int_equal(net_backward(graph, t, &made, descriptor).count, GRADIENTS);
		t[refusal->role] = MPSGraph_placeholderWithShape_dataType_name(graph, &refusal->shape, net.type, NULL);
		assert_refused(graph, t, &made, descriptor, refusal->role < DY, refusal->words);
		MPSGraphLSTMDescriptor_release(descriptor);
		MPSGraph_release(graph);
	}
}

static void test_refused_arguments(void **unused)
{
	static const char *const names[ROLES] = {"source",         "recurrentWeight", "inputWeight", "bias",
						 "initState",      "initCell",        "mask",        "peephole",
						 "sourceGradient", "stateGradient",   "cellGradient"};
	static struct net net;
	MPSGraphTensor *t[ROLES], *kept;
	MPSGraphLSTMResults made, missing;
	char words[64];
	(void)unused;
	net_draw(&net, 1);
	MPSGraph *graph = net_graph(&net), *other = net_graph(&net);
	MPSGraphLSTMDescriptor *descriptor = net_descriptor(&net);
	net_tensors(&net, graph, t);
	made = net_forward(graph, t, descriptor);
	for (int role = 0; role < ROLES; role++) {
		const MPSShape shape = net_shape(&net, (enum role)role);
		kept = t[role];
		t[role] = MPSGraph_placeholderWithShape_dataType_name(other, &shape, net.type, NULL);
		snprintf(words, sizeof words, "%s is a tensor of another graph", names[role]);
		assert_refused(graph, t, &made, descriptor, role < DY, words);
		t[role] = MPSGraph_placeholderWithShape_dataType_name(graph, &shape, MPSDataTypeFloat16, NULL);
		snprintf(words, sizeof words, "%s is Float%d", role == X ? "recurrentWeight" : names[role],
			 role == X ? 32 : 16);
		assert_refused(graph, t, &made, descriptor, role < DY, words);
		t[role] = kept;
	}
	for (int role = X; role <= R; role++) {
		kept = t[role];
		t[role] = NULL;
		snprintf(words, sizeof words, "%s is NULL", names[role]);
		assert_refused(graph, t, &made, descriptor, 1, words);
		t[role] = kept;
	}
	missing = made;
	missing.training = NULL;
	assert_refused(graph, t, &missing, descriptor, 0, "zState is NULL");
	missing.training = made.cell;
	assert_refused(graph, t, &missing, descriptor, 0, "zState is [3,2,3], expected [3,2,12]");
	missing = made;
	missing.cell = NULL;
	assert_refused(graph, t, &missing, descriptor, 0, "cellOutputFwd is NULL");
	missing.cell = made.training;
	assert_refused(graph, t, &missing, descriptor, 0, "cellOutputFwd is [3,2,12], expected [3,2,3]");
	assert_refused(graph, t, &made, NULL, 1, "descriptor is NULL");
	assert_refused(NULL, t, &made, descriptor, 1, "graph is NULL");
	kept = t[W];
	t[W] = NULL;
	assert_refused(graph, t, &made, descriptor, 1, "inputWeight is NULL, expected a source of width 12");
	t[W] = kept;
	MPSGraphLSTMDescriptor_setOutputGateActivation(descriptor, (MPSGraphRNNActivation)5);
	assert_refused(graph, t, &made, descriptor, 1, "descriptor.outputGateActivation is 5, expected 0 to 4");
	MPSGraphLSTMDescriptor_release(descriptor);
	MPSGraph_release(graph);
	MPSGraph_release(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shorter_methods),     cmocka_unit_test(test_changing_weights),
		cmocka_unit_test(test_repeated_gradients),  cmocka_unit_test(test_results),
		cmocka_unit_test(test_bias_gradient_shape), cmocka_unit_test(test_hard_sigmoid),
		cmocka_unit_test(test_descriptor),          cmocka_unit_test(test_refused_shapes),
		cmocka_unit_test(test_refused_arguments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
