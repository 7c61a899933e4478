/*
 * test_mpsgraph_contract.c: what mpsgraph.h promises besides results: executables, threads, memory, weights that
 * change, variables.
 *
 * Allocations are counted where the linker sends them (-Wl,--wrap), in everything that is linked statically.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bnns_array.h"
#include "mpsgraph_feeds.h"

/* --------------------------------------------------------------------------------------------------- counting ---- */

static atomic_size_t allocations, releases;

#ifdef SLUICE_TEST_WRAPPED
#define WRAP(type, name, parameters, arguments)            \
	type __real_##name parameters;                     \
	type __wrap_##name parameters;                     \
	type __wrap_##name parameters                      \
	{                                                  \
		atomic_fetch_add(&allocations, (size_t)1); \
		return __real_##name arguments;            \
	}
WRAP(void *, malloc, (size_t bytes), (bytes))
WRAP(void *, calloc, (size_t count, size_t bytes), (count, bytes))
WRAP(void *, aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes))
WRAP(int, posix_memalign, (void **out, size_t alignment, size_t bytes), (out, alignment, bytes))

void *__real_realloc(void *block, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void __real_free(void *block);
void __wrap_free(void *block);

void *__wrap_realloc(void *block, size_t bytes)
{
	atomic_fetch_add(&allocations, (size_t)1);
	atomic_fetch_add(&releases, (size_t)(block != NULL));
	return __real_realloc(block, bytes);
}

void __wrap_free(void *block)
{
	atomic_fetch_add(&releases, (size_t)(block != NULL));
	__real_free(block);
}
#endif

/* ------------------------------------------------------------------------------------------------ executables ---- */

enum { MOST = MPS_SLOTS + MPS_RESULTS };

/* A case compiled: feeds and targets in the order of their slots. */
struct compiled {
	MPSGraphExecutable *executable;
	MPSGraphTensor *feeds[MOST], *targets[MOST];
	MPSGraphTensorData *inputs[MOST], *results[MOST];
	size_t feed_count, target_count;
};

static void compile(const struct mps_case *test, struct compiled *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t slot = 0; slot < MPS_SLOTS; slot++)
		if (test->inputs[slot]) {
			out->feeds[out->feed_count] = test->inputs[slot];
			out->inputs[out->feed_count++] = test->fed[slot].data;
		}
	for (size_t which = 0; which < MPS_RESULTS; which++)
		if (test->results[which]) {
			out->targets[out->target_count] = test->results[which];
			out->results[out->target_count++] = test->found[which].data;
		}
	out->executable = MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
		test->graph, NULL, out->feeds, out->feed_count, out->targets, out->target_count, NULL, 0, NULL);
	assert_mps(out->executable);
}

static int run_with(const struct compiled *compiled, MPSGraphTensorData *const *inputs,
		    MPSGraphTensorData *const *results)
{
	return MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
		compiled->executable, NULL, inputs, compiled->feed_count, results, compiled->target_count, NULL);
}

static void run_compiled(const struct compiled *compiled)
{
	assert_mps(run_with(compiled, compiled->inputs, compiled->results) == 0);
}

/* It runs on without the graph's handle, and gives what a run of the graph gives. */
static void test_executable_is_the_graph(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3000; seed < 3030; seed++) {
		struct mps_spec spec;
		struct mps_case test;
		struct compiled compiled;
		struct mps_memory expected[MPS_RESULTS] = {0};

		mps_spec_draw(seed, &spec);
		mps_case_create(&spec, NULL, &test);
		mps_case_run(&test);
		compile(&test, &compiled);
		for (size_t which = 0; which < MPS_RESULTS; which++)
			if (test.results[which]) {
				expected[which] = mps_memory_of(test.results[which]);
				memcpy(expected[which].at, test.found[which].at, test.found[which].bytes);
				memset(test.found[which].at, 0xff, test.found[which].bytes);
			}
		MPSGraph_release(test.graph);
		test.graph = NULL;
		for (int again = 0; again < 3; again++) {
			run_compiled(&compiled);
			mps_case_judge(&test);
			for (size_t which = 0; which < MPS_RESULTS; which++)
				if (expected[which].at)
					mps_assert_same("an executable", &expected[which], &test.found[which]);
		}
		MPSGraphExecutable_release(compiled.executable);
		for (size_t which = 0; which < MPS_RESULTS; which++)
			mps_memory_destroy(&expected[which]);
		mps_case_destroy(&test);
	}
}

#ifdef SLUICE_TEST_WRAPPED
static void test_only_the_first_run_allocates(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3100; seed < 3160; seed++) {
		struct mps_spec spec;
		struct mps_case test;
		struct compiled compiled;
		sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;

		mps_spec_draw(seed, &spec);
		options.threads = 1 + (int)(seed % 2);
		mps_case_create(&spec, &options, &test);
		compile(&test, &compiled);
		run_compiled(&compiled);
		atomic_store(&allocations, (size_t)0);
		for (size_t again = 0; again < 3; again++) {
			/* Weights that have changed are no reason to allocate. */
			memset(test.fed[MPS_R].at, (int)again, 1);
			run_compiled(&compiled);
		}
		if (atomic_load(&allocations))
			fail_msg("seed %zu: later runs allocate %zu times", (size_t)seed, atomic_load(&allocations));
		MPSGraphExecutable_release(compiled.executable);
		mps_case_destroy(&test);
	}
}

/* Memory grew over iterations, whichever way the graph was run. */
static void test_memory_does_not_grow(void **unused)
{
	(void)unused;
	enum { WARM = 10, ROUNDS = 100 };
	struct mps_spec spec;
	struct mps_case test;
	struct compiled compiled;
	size_t live = 0;

	mps_spec_draw(3200, &spec);
	mps_case_create(&spec, NULL, &test);
	compile(&test, &compiled);
	for (size_t round = 0; round < ROUNDS; round++) {
		MPSGraphTensorData *owned[MOST];

		mps_case_run(&test);
		run_compiled(&compiled);
		assert_mps(MPSGraph_runWithFeeds_targetTensors_targetOperations(
				   test.graph, (sluice_mpsgraph_pair[]){{test.inputs[MPS_X], test.fed[MPS_X].data}}, 1,
				   &test.inputs[MPS_X], 1, NULL, 0, owned) == 0);
		MPSGraphTensorData_release(owned[0]);
		if (round == WARM)
			live = atomic_load(&allocations) - atomic_load(&releases);
	}
	assert_true(atomic_load(&allocations) - atomic_load(&releases) == live);
	MPSGraphExecutable_release(compiled.executable);
	mps_case_destroy(&test);
}

/* Everything that was made goes when the last handle does. */
static void test_everything_is_released(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3210; seed < 3220; seed++) {
		const size_t before = atomic_load(&allocations) - atomic_load(&releases);
		struct mps_spec spec;
		struct mps_case test;
		struct compiled compiled;

		mps_spec_draw(seed, &spec);
		mps_case_create(&spec, NULL, &test);
		mps_case_run(&test);
		compile(&test, &compiled);
		run_compiled(&compiled);
		MPSGraphExecutable_release(compiled.executable);
		mps_case_destroy(&test);
		assert_true(atomic_load(&allocations) - atomic_load(&releases) == before);
	}
}
#endif

/* ---------------------------------------------------------------------------------------------------- threads ---- */

enum { THREADS_MOST = 8, RUNS = 20 };

/* A user of one executable, with inputs of his own. */
struct user {
	const struct mps_case *test;
	const struct compiled *compiled;
	struct mps_memory inputs[MOST], expected[MOST], found[MOST];
	int by_graph;
	size_t failures;
};

static int user_run(struct user *user)
{
	MPSGraphTensorData *inputs[MOST], *results[MOST];
	sluice_mpsgraph_pair feeds[MOST], targets[MOST];
	const struct compiled *compiled = user->compiled;

	for (size_t index = 0; index < compiled->feed_count; index++) {
		inputs[index] = user->inputs[index].data;
		feeds[index] = (sluice_mpsgraph_pair){compiled->feeds[index], inputs[index]};
	}
	for (size_t index = 0; index < compiled->target_count; index++) {
		results[index] = user->found[index].data;
		targets[index] = (sluice_mpsgraph_pair){compiled->targets[index], results[index]};
	}
	if (!user->by_graph)
		return run_with(compiled, inputs, results);
	return MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(
		user->test->graph, NULL, feeds, compiled->feed_count, NULL, 0, targets, compiled->target_count);
}

static void *user_thread(void *argument)
{
	struct user *user = argument;

	for (size_t run = 0; run < RUNS; run++) {
		user->failures += user_run(user) != 0;
		for (size_t index = 0; index < user->compiled->target_count; index++) {
			user->failures +=
				memcmp(user->found[index].at, user->expected[index].at, user->found[index].bytes) != 0;
			memset(user->found[index].at, 0xff, user->found[index].bytes);
		}
	}
	return NULL;
}

/* Inputs of the case, with an x and weights that no other user has; and what comes of them in one thread. */
static void user_create(const struct mps_case *test, const struct compiled *compiled, size_t number, int by_graph,
			struct user *out)
{
	memset(out, 0, sizeof(*out));
	out->test = test;
	out->compiled = compiled;
	out->by_graph = by_graph;
	for (size_t index = 0; index < compiled->feed_count; index++) {
		out->inputs[index] = mps_memory_of(compiled->feeds[index]);
		memcpy(out->inputs[index].at, MPSGraphTensorData_data(compiled->inputs[index]),
		       out->inputs[index].bytes);
		/* x, and R of every second user: 0.5 as Float16, and a small number as the other types. */
		for (size_t byte = 0; byte < out->inputs[index].bytes && index <= number % 2; byte += 4)
			((unsigned char *)out->inputs[index].at)[byte] = (unsigned char)(number * 29 + byte);
	}
	for (size_t index = 0; index < compiled->target_count; index++) {
		out->found[index] = mps_memory_of(compiled->targets[index]);
		out->expected[index] = mps_memory_of(compiled->targets[index]);
	}
	assert_mps(user_run(out) == 0);
	for (size_t index = 0; index < compiled->target_count; index++)
		memcpy(out->expected[index].at, out->found[index].at, out->found[index].bytes);
}

static void user_destroy(struct user *user)
{
	for (size_t index = 0; index < MOST; index++) {
		mps_memory_destroy(&user->inputs[index]);
		mps_memory_destroy(&user->expected[index]);
		mps_memory_destroy(&user->found[index]);
	}
}

static void check_users(uint64_t seed, size_t count, int by_graph)
{
	static struct user users[THREADS_MOST];
	pthread_t threads[THREADS_MOST];
	struct mps_spec spec;
	struct mps_case test;
	struct compiled compiled;

	mps_spec_draw(seed, &spec);
	mps_case_create(&spec, NULL, &test);
	compile(&test, &compiled);
	for (size_t index = 0; index < count; index++)
		user_create(&test, &compiled, index, by_graph, &users[index]);
	assert_true(count < 2 ||
		    memcmp(users[0].expected[0].at, users[1].expected[0].at, users[0].found[0].bytes) != 0);
	for (size_t index = 0; index < count; index++)
		assert_int_equal(pthread_create(&threads[index], NULL, user_thread, &users[index]), 0);
	for (size_t index = 0; index < count; index++)
		assert_int_equal(pthread_join(threads[index], NULL), 0);
	for (size_t index = 0; index < count; index++) {
		if (users[index].failures)
			fail_msg("seed %zu, %zu threads: other bits in thread %zu", (size_t)seed, count, index);
		user_destroy(&users[index]);
	}
	MPSGraphExecutable_release(compiled.executable);
	mps_case_destroy(&test);
}

static void test_threads_get_the_bits_of_one(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3300; seed < 3312; seed++) {
		check_users(seed, 2, 0);
		check_users(seed, THREADS_MOST, 0);
		check_users(seed, 2, 1);
		check_users(seed, THREADS_MOST, 1);
	}
}

/* ---------------------------------------------------------------------------------------------------- weights ---- */

/* Every element of every tensor counts in the next run, the first and the last alike. */
static void test_edited_tensors_are_seen(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3400; seed < 3412; seed++) {
		struct mps_spec spec;
		struct mps_case test;

		mps_spec_draw(seed, &spec);
		spec.mask = MPS_MASK_NONE;
		spec.present[MPS_MASK] = 0;
		mps_case_create(&spec, NULL, &test);
		mps_case_run(&test);
		for (size_t slot = 0; slot < MPS_SLOTS; slot++)
			for (size_t end = 0; end < 2 && test.inputs[slot]; end++) {
				const size_t index = end ? test.fed[slot].count - 1 : 0;

				test.data.values[slot][index] = 0.75;
				bnns_store(spec.type, 0.75,
					   (unsigned char *)test.fed[slot].at + index * bnns_type_bytes(spec.type));
				mps_case_run(&test);
				mps_case_judge(&test);
			}
		mps_case_destroy(&test);
	}
}

/* -------------------------------------------------------------------------------------------------- variables ---- */

/* A state that lives in variables: every run starts where the last one ended, and reads what there was before it. */
static void test_variables_carry_a_state(void **unused)
{
	(void)unused;
	enum { STEPS = 6, BATCH = 2, INPUTS = 3, HIDDEN = 4 };
	const MPSShape *const state = SLUICE_MPS_SHAPE(BATCH, HIDDEN);
	const float zeros[BATCH * HIDDEN] = {0};
	struct mps_feeds whole, stepwise;
	struct mps_memory expected, frame, h_after, before;

	mps_feeds_create(NULL, &whole);
	mps_feeds_create(NULL, &stepwise);
	MPSGraphTensor *const sequence = mps_feed(&whole, SLUICE_MPS_SHAPE(STEPS, BATCH, INPUTS), 1);
	struct mps_layer layer = mps_feed_layer(&whole, BATCH, INPUTS, HIDDEN, 1);

	layer.h0 = layer.c0 = NULL;
	MPSGraphTensor *const y = mps_layer_forward(&whole, &layer, sequence, 1).state;

	mps_fetch(&whole, &y, 1, &expected);
	MPSGraphTensor *const x = mps_feed(&stepwise, SLUICE_MPS_SHAPE(1, BATCH, INPUTS), 1);
	struct mps_layer step = mps_feed_layer(&stepwise, BATCH, INPUTS, HIDDEN, 1);

	memcpy(mps_fed(&stepwise, step.R), mps_fed(&whole, layer.R), 4 * HIDDEN * HIDDEN * sizeof(float));
	memcpy(mps_fed(&stepwise, step.W), mps_fed(&whole, layer.W), 4 * HIDDEN * INPUTS * sizeof(float));
	memcpy(mps_fed(&stepwise, step.b), mps_fed(&whole, layer.b), 4 * HIDDEN * sizeof(float));
	MPSGraphTensor *const h =
		MPSGraph_variableWithData_shape_dataType_name(stepwise.graph, zeros, state, MPSDataTypeFloat32, "h");
	MPSGraphTensor *const c =
		MPSGraph_variableWithData_shape_dataType_name(stepwise.graph, zeros, state, MPSDataTypeFloat32, "c");

	assert_mps(h && c);
	step.h0 = MPSGraph_readVariable_name(stepwise.graph, h, NULL);
	step.c0 = MPSGraph_readVariable_name(stepwise.graph, c, NULL);
	const MPSGraphLSTMResults lstm = mps_layer_forward(&stepwise, &step, x, 1);
	MPSGraphOperation *const assign[2] = {
		MPSGraph_assignVariable_withValueOfTensor_name(
			stepwise.graph, h,
			MPSGraph_reshapeTensor_withShape_name(stepwise.graph, lstm.state, state, NULL), NULL),
		MPSGraph_assignVariable_withValueOfTensor_name(
			stepwise.graph, c,
			MPSGraph_reshapeTensor_withShape_name(stepwise.graph, lstm.cell, state, NULL), NULL)};

	assert_mps(assign[0] && assign[1]);
	frame = mps_memory_of(lstm.state);
	before = mps_memory_of(step.h0);
	for (size_t t = 0; t < STEPS; t++) {
		const sluice_mpsgraph_pair results[2] = {{lstm.state, frame.data}, {step.h0, before.data}};
		const float *row = (const float *)expected.at + t * BATCH * HIDDEN;

		memcpy(mps_fed(&stepwise, x), mps_fed(&whole, sequence) + t * BATCH * INPUTS,
		       BATCH * INPUTS * sizeof(float));
		assert_mps(MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(
				   stepwise.graph, NULL, stepwise.at, stepwise.count, assign, 2, results, 2) == 0);
		assert_memory_equal(frame.at, row, frame.bytes);
		assert_memory_equal(before.at, t ? row - BATCH * HIDDEN : zeros, before.bytes);
	}
	/* A run without the assignments reads what they left, and changes nothing. */
	for (int again = 0; again < 2; again++) {
		mps_fetch(&stepwise, &h, 1, &h_after);
		assert_memory_equal(h_after.at, (const float *)expected.at + (STEPS - 1) * BATCH * HIDDEN,
				    h_after.bytes);
		mps_memory_destroy(&h_after);
	}
	mps_memory_destroy(&expected);
	mps_memory_destroy(&frame);
	mps_memory_destroy(&before);
	mps_feeds_destroy(&whole);
	mps_feeds_destroy(&stepwise);
}

/* ---------------------------------------------------------------------------------------------- intermediates ---- */

/* What a node makes lies where nothing lies that it reads: transpositions in place would be seen. */
static void test_intermediate_tensors_do_not_overlap(void **unused)
{
	(void)unused;
	enum { ROWS = 7, COLUMNS = 5, CHAIN = 9 };
	struct mps_feeds feeds;
	struct mps_memory found;

	mps_feeds_create(NULL, &feeds);
	MPSGraphTensor *const x = mps_feed(&feeds, SLUICE_MPS_SHAPE(ROWS, COLUMNS), 1);
	MPSGraphTensor *const one = MPSGraph_constantWithScalar_dataType(feeds.graph, 1, MPSDataTypeFloat32);
	MPSGraphTensor *last = MPSGraph_multiplicationWithPrimaryTensor_secondaryTensor_name(feeds.graph, x, one, NULL);

	for (size_t link = 0; link < CHAIN; link++) {
		last = MPSGraph_transposeTensor_dimension_withDimension_name(feeds.graph, last, 0, 1, NULL);
		assert_mps(last);
	}
	last = MPSGraph_multiplicationWithPrimaryTensor_secondaryTensor_name(feeds.graph, last, one, NULL);
	mps_fetch(&feeds, &last, 1, &found);
	for (size_t row = 0; row < ROWS; row++)
		for (size_t column = 0; column < COLUMNS; column++)
			assert_true(((const float *)found.at)[column * ROWS + row] ==
				    mps_fed(&feeds, x)[row * COLUMNS + column]);
	mps_memory_destroy(&found);
	mps_feeds_destroy(&feeds);
}

/* ------------------------------------------------------------------------------------------------------ seeds ---- */

/* A seed of one run's own is that of the graph for this run alone. */
static void test_seeds_of_executions(void **unused)
{
	(void)unused;
	enum { COUNT = 400 };
	MPSGraph *graph = MPSGraph_new();
	MPSGraphExecutableExecutionDescriptor *descriptor = MPSGraphExecutableExecutionDescriptor_new();
	MPSGraphTensor *const ones =
		MPSGraph_constantWithScalar_shape_dataType(graph, 1, SLUICE_MPS_SHAPE(COUNT), MPSDataTypeFloat32);
	MPSGraphTensor *const masks[2] = {MPSGraph_dropoutTensor_rate_name(graph, ones, 0.25, NULL),
					  MPSGraph_dropoutTensor_rate_name(graph, ones, 0.25, NULL)};
	struct mps_memory found[4][2];
	size_t dropped = 0;

	assert_mps(graph && descriptor && masks[0] && masks[1]);
	MPSGraphExecutable *const executable =
		MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
			graph, NULL, NULL, 0, masks, 2, NULL, 0, NULL);

	assert_mps(executable);
	assert_mps(sluice_mpsgraph_set_seed(graph, 5) == 0);
	for (uint64_t run = 0; run < 4; run++) {
		MPSGraphTensorData *results[2];

		for (size_t index = 0; index < 2; index++) {
			found[run][index] = mps_memory_of(masks[index]);
			results[index] = found[run][index].data;
		}
		assert_mps(sluice_mpsgraph_execution_set_seed(descriptor, 5 + run / 2) == 0);
		assert_mps(MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
				   executable, NULL, NULL, 0, results, 2, run ? descriptor : NULL) == 0);
	}
	/* Equal seeds draw equally, others otherwise, and so do two dropouts of one graph. */
	mps_assert_same("seed 5, of the graph and of the run", &found[0][0], &found[1][0]);
	mps_assert_same("seed 6, twice", &found[2][1], &found[3][1]);
	assert_memory_not_equal(found[0][0].at, found[2][0].at, found[0][0].bytes);
	assert_memory_not_equal(found[0][0].at, found[0][1].at, found[0][0].bytes);
	for (size_t index = 0; index < COUNT; index++)
		dropped += ((const float *)found[0][0].at)[index] == 0;
	/* 400 draws of a quarter: 100 and five standard deviations of sqrt(75) on either side. */
	assert_true(dropped > 100 - 44 && dropped < 100 + 44);
	for (size_t run = 0; run < 4; run++)
		for (size_t index = 0; index < 2; index++)
			mps_memory_destroy(&found[run][index]);
	MPSGraphExecutableExecutionDescriptor_release(descriptor);
	MPSGraphExecutable_release(executable);
	MPSGraph_release(graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_executable_is_the_graph),
#ifdef SLUICE_TEST_WRAPPED
		cmocka_unit_test(test_only_the_first_run_allocates),
		cmocka_unit_test(test_memory_does_not_grow),
		cmocka_unit_test(test_everything_is_released),
#endif
		cmocka_unit_test(test_threads_get_the_bits_of_one),
		cmocka_unit_test(test_edited_tensors_are_seen),
		cmocka_unit_test(test_variables_carry_a_state),
		cmocka_unit_test(test_intermediate_tensors_do_not_overlap),
		cmocka_unit_test(test_seeds_of_executions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
