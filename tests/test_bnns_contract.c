/*
 * test_bnns_contract.c: what bnns.h promises besides results: weights that change, memory, caches, threads.
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

#include "bnns_case.h"

/* --------------------------------------------------------------------------------------------------- counting ---- */

static atomic_size_t allocations;

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
WRAP(void *, realloc, (void *block, size_t bytes), (block, bytes))
WRAP(void *, aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes))
WRAP(int, posix_memalign, (void **out, size_t alignment, size_t bytes), (out, alignment, bytes))
#endif

/* All four ways of calling. */
static void call_all(struct bnns_case *test)
{
	assert_bnns(case_forward(test, 0));
	assert_bnns(case_forward(test, 1));
	assert_bnns(case_backward(test, test->cache, test->capacity));
	assert_bnns(case_backward(test, NULL, 0));
}

#ifdef SLUICE_TEST_WRAPPED
static void test_only_first_call_allocates(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3000; seed < 3060; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;

		spec_draw(seed, &spec);
		spec.threads = 1 + seed % 2;
		case_create(&spec, NULL, 0, &test);
		case_reset(&test);
		atomic_store(&allocations, (size_t)0);
		call_all(&test);
		assert_true(atomic_load(&allocations) > 0);
		atomic_store(&allocations, (size_t)0);
		for (int repeated = 0; repeated < 2; repeated++) {
			/* Weights that have changed are no reason to allocate. */
			memset(test.slots[0][SLOT_HW].array.block + test.slots[0][SLOT_HW].array.offset, repeated, 2);
			assert_true(BNNSComputeLSTMTrainingCacheCapacity(&test.parameters) == test.capacity);
			call_all(&test);
		}
		if (atomic_load(&allocations))
			fail_msg("seed %zu: later calls allocate %zu times", (size_t)seed, atomic_load(&allocations));
		case_destroy(&test);
		sluice_bnns_clear_cache();
	}
}

/* Weights at new places each time make new plans only so often. */
static void test_moving_weights_stop_allocating(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;
	unsigned char *places;

	spec_draw(3050, &spec);
	case_create(&spec, NULL, 0, &test);
	const struct bnns_array *weights = &test.slots[0][SLOT_HW].array;
	places = calloc(60, weights->bytes);
	assert_non_null(places);
	for (size_t k = 0; k < 60; k++) {
		memcpy(places + k * weights->bytes, weights->block, weights->bytes);
		slot_descriptor(&test.parameters, SLOT_HW)->data = places + k * weights->bytes + weights->offset;
		if (k == 30)
			atomic_store(&allocations, (size_t)0);
		assert_bnns(case_forward(&test, 0));
	}
	assert_int_equal(atomic_load(&allocations), 0);
	free(places);
	case_destroy(&test);
}

/* What was released has to be made again, and is. */
static void test_clear_cache_releases(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;
	size_t first;

	spec_draw(3100, &spec);
	case_create(&spec, NULL, 0, &test);
	sluice_bnns_clear_cache();
	for (int repeated = 0; repeated < 3; repeated++) {
		case_reset(&test);
		atomic_store(&allocations, (size_t)0);
		assert_bnns(case_forward(&test, 0));
		case_check_forward(&test);
		if (!repeated)
			first = atomic_load(&allocations);
		assert_true(atomic_load(&allocations) >= first && first > 0);
		sluice_bnns_clear_cache();
	}
	/* Nothing kept: may be called again. */
	sluice_bnns_clear_cache();
	case_destroy(&test);
}
#endif

/* ----------------------------------------------------------------------------------------------------- memory ---- */

/* Workspaces of the caller: how many are out, how many were asked for, and the number of the one that fails. */
static atomic_int live, asked, fail_at;

static int counted_allocate(void **out, size_t alignment, size_t bytes)
{
	if (atomic_fetch_add(&asked, 1) + 1 == atomic_load(&fail_at))
		return 12;
	/* As posix_memalign: a power of two, at least the size of a pointer. */
	assert_true(alignment >= sizeof(void *) && !(alignment & (alignment - 1)));
	*out = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
	assert_non_null(*out);
	memset(*out, 0xA5, bytes);
	atomic_fetch_add(&live, 1);
	return 0;
}

static void counted_free(void *block)
{
	if (block)
		atomic_fetch_sub(&live, 1);
	free(block);
}

static void test_allocators_are_used(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3200; seed < 3220; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;
		int before;

		spec_draw(seed, &spec);
		case_create(&spec, NULL, 0, &test);
		test.filter.alloc_memory = counted_allocate;
		test.filter.free_memory = counted_free;
		atomic_store(&fail_at, 0);
		for (int repeated = 0; repeated < 2; repeated++) {
			before = atomic_load(&asked);
			case_reset(&test);
			assert_bnns(case_forward(&test, 1));
			case_check_forward(&test);
			assert_true(atomic_load(&asked) > before);
			assert_int_equal(atomic_load(&live), 0);
			before = atomic_load(&asked);
			case_reset(&test);
			assert_bnns(case_backward(&test, test.cache, test.capacity));
			case_check_backward(&test);
			assert_true(atomic_load(&asked) > before);
			assert_int_equal(atomic_load(&live), 0);
		}
		case_destroy(&test);
	}
}

static void test_failing_allocator_is_told(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3300; seed < 3310; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;

		spec_draw(seed, &spec);
		case_create(&spec, NULL, 0, &test);
		case_reset(&test);
		assert_bnns(case_forward(&test, 1));
		case_reset(&test);
		test.filter.alloc_memory = counted_allocate;
		test.filter.free_memory = counted_free;
		for (int way = 0; way < 3; way++) {
			atomic_store(&fail_at, atomic_load(&asked) + 1);
			assert_int_equal(way < 2 ? case_forward(&test, way)
						 : case_backward(&test, test.cache, test.capacity),
					 -1);
			assert_true(strlen(sluice_bnns_last_message()) > 10);
			assert_int_equal(atomic_load(&live), 0);
			case_check_untouched(&test);
		}
		atomic_store(&fail_at, 0);
		case_destroy(&test);
	}
}

/* ---------------------------------------------------------------------------------------------------- weights ---- */

/* Changes one element of a slot, in its array and in what the reference reads. */
static void edit(struct bnns_case *test, int slot, size_t index, double value)
{
	struct bnns_slot *edited = &test->slots[0][slot];
	const size_t gate = (size_t)(slot - SLOT_IW) % BNNS_GATES;

	bnns_store(edited->array.type, value, edited->array.block + array_place(&edited->array, index));
	array_remember(&edited->array);
	edited->values[index] = value;
	if (slot < SLOT_IW_UPPER)
		test->iw[gate][index] = value;
	else if (slot < SLOT_HW)
		test->iw[gate][bnns_iw_offset(&test->problem, 1, 0) + index] = value;
}

static void expect_again(struct bnns_case *test)
{
	bnns_results_destroy(&test->expected);
	assert_true(bnns_reference(&test->problem, &test->expected));
}

static void test_edited_weights_are_seen(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3400; seed < 3412; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;

		spec_draw(seed, &spec);
		spec.default_activations = 1;
		case_create(&spec, NULL, 0, &test);
		call_all(&test);
		for (int slot = SLOT_IW; slot < SLOTS; slot++) {
			if (!test.slots[0][slot].used)
				continue;
			/* Alternately the first and the last element: nothing is sampled. */
			edit(&test, slot, slot % 2 ? test.slots[0][slot].array.elements - 1 : 0, 1.5);
			expect_again(&test);
			case_reset(&test);
			assert_bnns(case_forward(&test, slot % 3 == 0));
			case_check_forward(&test);
			case_reset(&test);
			assert_bnns(case_backward(&test, NULL, 0));
			case_check_backward(&test);
		}
		case_destroy(&test);
	}
}

/* Two sets of weights in turns, of the same network. */
static void test_weights_in_turns(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case tests[2];

	spec_draw(3450, &spec);
	for (size_t k = 0; k < 2; k++) {
		spec.seed += k;
		case_create(&spec, NULL, 0, &tests[k]);
	}
	for (size_t turn = 0; turn < 6; turn++) {
		case_reset(&tests[turn % 2]);
		assert_bnns(case_forward(&tests[turn % 2], turn % 3 == 0));
		case_check_forward(&tests[turn % 2]);
	}
	case_destroy(&tests[0]);
	case_destroy(&tests[1]);
}

/* A cache holds what forward saw; the weights of backward are those that it is given. The promise is kept by the
 * caller, so that what it breaks shows that no one looked. */
static void test_promised_weights_are_not_compared(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;
	double former;

	spec_draw(3500, &spec);
	spec.default_activations = 1;
	spec.data = spec.states = spec.weights = BNNSDataTypeFloat32;
	spec.present[SLOT_Y] = spec.present[SLOT_B] = 1;
	case_create(&spec, NULL, 0, &test);
	sluice_bnns_clear_cache();
	assert_bnns(sluice_bnns_weights_constant(&test.parameters, 1));
	case_reset(&test);
	assert_bnns(case_forward(&test, 0));
	case_check_forward(&test);
	former = test.slots[0][SLOT_B].values[0];
	edit(&test, SLOT_B, 0, former + 1);
	case_reset(&test);
	assert_bnns(case_forward(&test, 0));
	case_check_forward(&test);
	/* Taken back: the edit is seen. */
	assert_bnns(sluice_bnns_weights_constant(&test.parameters, 0));
	expect_again(&test);
	case_reset(&test);
	assert_bnns(case_forward(&test, 0));
	case_check_forward(&test);
	/* Promised anew, with what there is now. */
	edit(&test, SLOT_B, 0, former - 1);
	expect_again(&test);
	assert_bnns(sluice_bnns_weights_constant(&test.parameters, 1));
	case_reset(&test);
	assert_bnns(case_forward(&test, 0));
	case_check_forward(&test);
	assert_bnns(sluice_bnns_weights_constant(&test.parameters, 0));
	case_destroy(&test);
}

/* A promise is about memory: other weights at other places are looked at. */
static void test_promise_is_about_places(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case promised, other;

	spec_draw(3501, &spec);
	case_create(&spec, NULL, 0, &promised);
	spec.seed++;
	case_create(&spec, NULL, 0, &other);
	assert_bnns(sluice_bnns_weights_constant(&promised.parameters, 1));
	for (int turn = 0; turn < 4; turn++) {
		struct bnns_case *test = turn % 2 ? &other : &promised;

		if (turn == 3) {
			edit(test, SLOT_HW, 0, 0.25);
			expect_again(test);
		}
		case_reset(test);
		assert_bnns(case_forward(test, 0));
		case_check_forward(test);
	}
	assert_bnns(sluice_bnns_weights_constant(&promised.parameters, 0));
	case_destroy(&promised);
	case_destroy(&other);
}

/* ----------------------------------------------------------------------------------------------------- caches ---- */

static void test_capacity_is_exact(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3600; seed < 3640; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;
		unsigned char *cache;

		spec_draw(seed, &spec);
		case_create(&spec, NULL, 0, &test);
		cache = malloc(test.capacity + 64);
		assert_non_null(cache);
		memset(cache, 0x5A, test.capacity + 64);
		free(test.cache);
		test.cache = NULL;
		case_reset(&test);
		const size_t capacities[] = {test.capacity - 1, test.capacity / 2, 1, 0};
		for (size_t k = 0; k < 4; k++) {
			assert_int_equal(BNNSDirectApplyLSTMBatchTrainingCaching(&test.parameters, &test.filter, cache,
										 capacities[k]),
					 -1);
			assert_non_null(strstr(sluice_bnns_last_message(), "capacity"));
			case_check_untouched(&test);
			for (size_t byte = 0; byte < test.capacity + 64; byte++)
				assert_int_equal(cache[byte], 0x5A);
		}
		/* Any address is good, and nothing is written behind the capacity. */
		for (size_t shift = seed % 3; shift < 64; shift += 9) {
			memset(cache, 0x5A, test.capacity + 64);
			case_reset(&test);
			assert_bnns(BNNSDirectApplyLSTMBatchTrainingCaching(&test.parameters, &test.filter,
									    cache + shift, test.capacity));
			case_check_forward(&test);
			for (size_t byte = 0; byte < 64; byte++)
				assert_int_equal(cache[byte < shift ? byte : test.capacity + byte], 0x5A);
			case_reset(&test);
			assert_bnns(case_backward(&test, cache + shift, test.capacity));
			case_check_backward(&test);
		}
		for (size_t k = 0; k < 4; k++) {
			case_reset(&test);
			assert_int_equal(case_backward(&test, cache, capacities[k]), -1);
			case_check_untouched(&test);
		}
		free(cache);
		case_destroy(&test);
	}
}

/* A larger cache does, backward leaves it as it is, and may be called again. */
static void test_cache_is_only_read(void **unused)
{
	(void)unused;
	for (uint64_t seed = 3700; seed < 3720; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;
		unsigned char *cache, *copy;

		spec_draw(seed, &spec);
		case_create(&spec, NULL, 0, &test);
		cache = calloc(2, test.capacity + 100);
		assert_non_null(cache);
		copy = cache + test.capacity + 100;
		assert_bnns(BNNSDirectApplyLSTMBatchTrainingCaching(&test.parameters, &test.filter, cache,
								    test.capacity + 100));
		memcpy(copy, cache, test.capacity + 100);
		for (int repeated = 0; repeated < 2; repeated++) {
			case_reset(&test);
			assert_bnns(case_backward(&test, cache, test.capacity + 100));
			case_check_backward(&test);
			assert_memory_equal(cache, copy, test.capacity + 100);
		}
		free(cache);
		case_destroy(&test);
	}
}

/* What no forward call wrote, or one of another network did, is noticed. */
static void test_foreign_cache_is_refused(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test, other;

	spec_draw(3800, &spec);
	spec.steps = 4;
	case_create(&spec, NULL, 0, &test);
	spec.steps = 3;
	spec.hidden++;
	case_create(&spec, NULL, 0, &other);
	case_reset(&test);
	memset(test.cache, 0, test.capacity);
	assert_int_equal(case_backward(&test, test.cache, test.capacity), -1);
	assert_true(strlen(sluice_bnns_last_message()) > 10);
	memset(test.cache, 0xA5, test.capacity);
	assert_int_equal(case_backward(&test, test.cache, test.capacity), -1);
	const size_t larger = test.capacity > other.capacity ? test.capacity : other.capacity;
	unsigned char *cache = calloc(1, larger);
	assert_non_null(cache);
	assert_bnns(BNNSDirectApplyLSTMBatchTrainingCaching(&other.parameters, NULL, cache, larger));
	assert_int_equal(case_backward(&test, cache, larger), -1);
	case_check_untouched(&test);
	free(cache);
	case_destroy(&test);
	case_destroy(&other);
}

/* ---------------------------------------------------------------------------------------------------- threads ---- */

enum { ROUNDS = 40, THREADS_MAX = 8 };

/* A thread with arrays of its own; what it puts out must be what one thread alone put out, bit for bit. */
struct worker {
	struct bnns_case test;
	unsigned char *expected[2][SLOTS];
	pthread_barrier_t *start;
	int failures;
};

static int same_as_alone(const struct worker *worker, int side)
{
	for (int slot = 0; slot < SLOTS; slot++) {
		const struct bnns_array *array = &worker->test.slots[side][slot].array;

		if (worker->test.slots[side][slot].used &&
		    memcmp(array->block, worker->expected[side][slot], array->bytes))
			return 0;
	}
	return 1;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct bnns_case *test = &worker->test;

	pthread_barrier_wait(worker->start);
	for (int round = 0; round < ROUNDS; round++) {
		case_reset(test);
		worker->failures += case_forward(test, 0) != 0 || !same_as_alone(worker, 0);
		worker->failures += case_forward(test, 1) != 0 || !same_as_alone(worker, 0);
		worker->failures += case_backward(test, test->cache, test->capacity) != 0 || !same_as_alone(worker, 1);
		/* Each thread's own failing call leaves its own sentence. */
		worker->failures +=
			case_backward(test, test->cache, 0) != -1 || !strstr(sluice_bnns_last_message(), "capacity");
		if (round % 8 == 7)
			sluice_bnns_clear_cache();
	}
	return NULL;
}

static void worker_create(struct worker *worker, uint64_t seed, uint64_t weights, pthread_barrier_t *start)
{
	struct bnns_spec spec;

	spec_draw(seed, &spec);
	spec.seed += weights;
	/* Options are the process's, and the threads share them. */
	memset(&spec.options, 0, sizeof spec.options);
	spec.options.size = sizeof spec.options;
	memset(worker, 0, sizeof *worker);
	worker->start = start;
	case_create(&spec, NULL, 0, &worker->test);
	case_reset(&worker->test);
	assert_bnns(case_forward(&worker->test, 1));
	case_check_forward(&worker->test);
	for (int side = 0; side < 2; side++) {
		if (side)
			assert_int_equal(case_backward(&worker->test, worker->test.cache, worker->test.capacity), 0);
		for (int slot = 0; slot < SLOTS; slot++) {
			const struct bnns_array *array = &worker->test.slots[side][slot].array;

			if (!worker->test.slots[side][slot].used)
				continue;
			worker->expected[side][slot] = malloc(array->bytes);
			assert_non_null(worker->expected[side][slot]);
			memcpy(worker->expected[side][slot], array->block, array->bytes);
		}
	}
}

static void worker_destroy(struct worker *worker)
{
	for (int slot = 0; slot < SLOTS; slot++) {
		free(worker->expected[0][slot]);
		free(worker->expected[1][slot]);
	}
	case_destroy(&worker->test);
}

/* `count` threads: networks of one kind with weights of their own, or of several kinds. */
static void check_threads(size_t count, size_t kinds)
{
	struct worker workers[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	pthread_barrier_t start;

	assert_int_equal(pthread_barrier_init(&start, NULL, (unsigned)count), 0);
	for (size_t k = 0; k < count; k++)
		worker_create(&workers[k], 3900 + k % kinds, k * 100, &start);
	for (size_t k = 0; k < count; k++)
		assert_int_equal(pthread_create(&threads[k], NULL, work, &workers[k]), 0);
	for (size_t k = 0; k < count; k++)
		assert_int_equal(pthread_join(threads[k], NULL), 0);
	for (size_t k = 0; k < count; k++) {
		assert_int_equal(workers[k].failures, 0);
		worker_destroy(&workers[k]);
	}
	pthread_barrier_destroy(&start);
	sluice_bnns_clear_cache();
}

static void test_two_threads(void **unused)
{
	(void)unused;
	check_threads(2, 1);
	check_threads(2, 2);
}

static void test_eight_threads(void **unused)
{
	(void)unused;
	check_threads(8, 1);
	check_threads(8, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef SLUICE_TEST_WRAPPED
		cmocka_unit_test(test_only_first_call_allocates),
		cmocka_unit_test(test_moving_weights_stop_allocating),
		cmocka_unit_test(test_clear_cache_releases),
#endif
		cmocka_unit_test(test_allocators_are_used),
		cmocka_unit_test(test_failing_allocator_is_told),
		cmocka_unit_test(test_edited_weights_are_seen),
		cmocka_unit_test(test_weights_in_turns),
		cmocka_unit_test(test_promised_weights_are_not_compared),
		cmocka_unit_test(test_promise_is_about_places),
		cmocka_unit_test(test_capacity_is_exact),
		cmocka_unit_test(test_cache_is_only_read),
		cmocka_unit_test(test_foreign_cache_is_refused),
		cmocka_unit_test(test_two_threads),
		cmocka_unit_test(test_eight_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
