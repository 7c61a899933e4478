/*
 * test_mps_contract.c: what mps.h promises besides results: memory, threads, the order of what is encoded and when data
 * are read, and that no memory is no disaster.
 *
 * Allocations are counted, and made to fail, where the linker sends them (-Wl,--wrap), in everything that is linked
 * statically.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mps_job.h"

/* -------------------------------------------------------------------------------------------------- counting ---- */

#ifdef SLUICE_TEST_WRAPPED
static atomic_size_t allocations, releases;
/* Allocations from now on until one fails; 0: none does. */
static atomic_size_t fails_in;

static int fails_now(void)
{
	atomic_fetch_add(&allocations, (size_t)1);
	if (!atomic_load(&fails_in) || atomic_fetch_sub(&fails_in, (size_t)1) != 1)
		return 0;
	atomic_fetch_sub(&allocations, (size_t)1);
	return 1;
}

#define WRAP(type, name, parameters, arguments, failure)                  \
	type __real_##name parameters;                                    \
	type __wrap_##name parameters;                                    \
	type __wrap_##name parameters                                     \
	{                                                                 \
		return fails_now() ? (failure) : __real_##name arguments; \
	}
WRAP(void *, malloc, (size_t bytes), (bytes), NULL)
WRAP(void *, calloc, (size_t count, size_t bytes), (count, bytes), NULL)
WRAP(void *, aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes), NULL)
WRAP(int, posix_memalign, (void **out, size_t alignment, size_t bytes), (out, alignment, bytes), 12)

void *__real_realloc(void *block, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void __real_free(void *block);
void __wrap_free(void *block);

void *__wrap_realloc(void *block, size_t bytes)
{
	if (fails_now())
		return NULL;
	atomic_fetch_add(&releases, (size_t)(block != NULL));
	return __real_realloc(block, bytes);
}

void __wrap_free(void *block)
{
	atomic_fetch_add(&releases, (size_t)(block != NULL));
	__real_free(block);
}

static size_t live(void)
{
	return atomic_load(&allocations) - atomic_load(&releases);
}
#endif

/* ---------------------------------------------------------------------------------------------------- memory ---- */

#ifdef SLUICE_TEST_WRAPPED
static void test_only_first_commit_allocates(void **unused)
{
	(void)unused;
	for (int kind = 0; kind < RNN_JOB_KINDS; kind++)
		for (uint64_t seed = 0; seed < 10; seed++) {
			struct rnn_job job;
			struct rnn_work work;

			rnn_job_create((enum rnn_kind)kind, seed, &job);
			rnn_work_create(&job, seed, &work);
			const size_t first = atomic_load(&allocations);

			rnn_job_run(&job, &work);
			assert_true(atomic_load(&allocations) > first);
			for (int again = 0; again < 3; again++) {
				MPSCommandBuffer *buffer = rnn_buffer();

				rnn_work_release_states(&job, &work);
				assert_mps(rnn_job_encode(&job, &work, buffer) == 0);
				const size_t before = atomic_load(&allocations);

				assert_mps(MPSCommandBuffer_commit(buffer) == 0);
				if (atomic_load(&allocations) != before)
					fail_msg("kind %d, seed %zu: a later commit allocates %zu times", kind,
						 (size_t)seed, atomic_load(&allocations) - before);
				MPSCommandBuffer_release(buffer);
			}
			rnn_work_destroy(&job, &work);
			rnn_job_destroy(&job);
		}
}

/* Each allocation of everything that a job does fails once: a sentence, nothing kept, nothing broken. */
static void test_no_memory(void **unused)
{
	(void)unused;
	for (int kind = 0; kind < RNN_JOB_KINDS; kind++) {
		size_t failures = 0;

		for (size_t nth = 1;; nth++) {
			struct rnn_job job;
			struct rnn_work work;
			MPSCommandBuffer *buffer = NULL;

			rnn_job_net((enum rnn_kind)kind, 3, &job);
			assert_mps(rnn_job_layer(&job) == 0);
			rnn_work_create(&job, 3, &work);
			rnn_job_release(&job);
			const size_t before = live();

			atomic_store(&fails_in, nth);
			int status = rnn_job_layer(&job);

			if (status == 0) {
				buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
				status = buffer ? 0 : -1;
			}
			/* Gradients are of a layer; those of another one with the same sizes do as well. */
			if (status == 0)
				status = rnn_job_encode(&job, &work, buffer);
			if (status == 0)
				status = MPSCommandBuffer_commit(buffer);
			const size_t left = atomic_exchange(&fails_in, (size_t)0);

			if (status != 0)
				assert_true(strlen(sluice_mps_last_message()) > 5);
			MPSCommandBuffer_release(buffer);
			rnn_work_release_states(&job, &work);
			rnn_job_release(&job);
			if (live() != before)
				fail_msg("kind %d: allocation %zu fails, and %zu blocks are kept", kind, nth,
					 live() - before);
			rnn_work_destroy(&job, &work);
			rnn_job_destroy(&job);
			failures += status != 0;
			/* It was never reached. */
			if (left)
				break;
			assert_int_not_equal(status, 0);
		}
		assert_true(failures > 20);
	}
}

static void test_everything_is_released(void **unused)
{
	(void)unused;
	for (int kind = 0; kind < RNN_JOB_KINDS; kind++) {
		const size_t before = live();
		struct rnn_job job;
		struct rnn_work work;

		rnn_job_create((enum rnn_kind)kind, 20, &job);
		rnn_work_create(&job, 20, &work);
		for (int again = 0; again < 3; again++)
			rnn_job_run(&job, &work);
		rnn_work_destroy(&job, &work);
		rnn_job_destroy(&job);
		assert_int_equal(live(), before);
	}
}
#endif

/* ---------------------------------------------------------------------------------------------------- order ----- */

/* A buffer keeps what it needs: who encoded lets everything else go before the commit. */
static void test_buffers_retain(void **unused)
{
	(void)unused;
	for (int kind = 0; kind < RNN_JOB_KINDS; kind++) {
		struct rnn_job job;
		struct rnn_work work;
		float *expected;

		rnn_job_create((enum rnn_kind)kind, 30, &job);
		rnn_work_create(&job, 30, &work);
		rnn_job_run(&job, &work);
		expected = rnn_work_results(&work);
		memset(work.y, 0xff, RNN_JOB_ROOM * sizeof(float));
		MPSCommandBuffer *buffer = rnn_buffer();

		rnn_work_release_states(&job, &work);
		assert_mps(rnn_job_encode(&job, &work, buffer) == 0);
		rnn_work_release_states(&job, &work);
		rnn_work_release_objects(&work);
		memset(work.x_list, 0, sizeof work.x_list);
		memset(work.y_list, 0, sizeof work.y_list);
		memset(work.dy_list, 0, sizeof work.dy_list);
		memset(work.dx_list, 0, sizeof work.dx_list);
		memset(work.image_x, 0, sizeof work.image_x);
		memset(work.image_y, 0, sizeof work.image_y);
		rnn_job_release(&job);
		rnn_commit(buffer);
		/* What is behind the results was never written. */
		for (size_t k = 0; k < RNN_JOB_ROOM; k++)
			if (memcmp(&work.y[k], &expected[k], sizeof(float)) != 0)
				assert_true(isnan(work.y[k]) && expected[k] == 0);
		free(expected);
		rnn_work_destroy(&job, &work);
		rnn_job_destroy(&job);
	}
}

/* Numbers count that are there when the buffer is committed. */
static void test_data_are_read_at_commit(void **unused)
{
	(void)unused;
	for (int kind = 0; kind < RNN_JOB_KINDS; kind++) {
		struct rnn_job job;
		struct rnn_work works[2];
		float *expected;

		rnn_job_create((enum rnn_kind)kind, 40, &job);
		for (uint64_t k = 0; k < 2; k++)
			rnn_work_create(&job, 40 + k, &works[k]);
		rnn_job_run(&job, &works[0]);
		expected = rnn_work_results(&works[0]);
		MPSCommandBuffer *buffer = rnn_buffer();

		assert_mps(rnn_job_encode(&job, &works[1], buffer) == 0);
		memcpy(works[1].x, works[0].x, RNN_JOB_ROOM * sizeof(float));
		memcpy(works[1].dy, works[0].dy, RNN_JOB_ROOM * sizeof(float));
		rnn_commit(buffer);
		assert_true(rnn_work_same(&works[1], expected));
		free(expected);
		for (size_t k = 0; k < 2; k++)
			rnn_work_destroy(&job, &works[k]);
		rnn_job_destroy(&job);
	}
}

/* The first call's results are the second one's sources. */
static void test_calls_are_done_in_order(void **unused)
{
	(void)unused;
	uint64_t seed = 50;
	struct rnn_job job;
	struct rnn_work works[2];
	float *expected;

	rnn_job_create(RNN_JOB_SEQUENCE, seed, &job);
	while (job.inputs != job.outputs) {
		rnn_job_destroy(&job);
		rnn_job_create(RNN_JOB_SEQUENCE, ++seed, &job);
	}
	rnn_work_create(&job, 1, &works[0]);
	rnn_work_create(&job, 2, &works[1]);
	rnn_job_run(&job, &works[0]);
	memcpy(works[1].x, works[0].y, RNN_JOB_ROOM * sizeof(float));
	rnn_job_run(&job, &works[1]);
	expected = rnn_work_results(&works[1]);
	memset(works[0].y, 0, RNN_JOB_ROOM * sizeof(float));
	MPSCommandBuffer *buffer = rnn_buffer();

	rnn_work_release_states(&job, &works[0]);
	rnn_work_release_states(&job, &works[1]);
	assert_mps(rnn_job_encode(&job, &works[0], buffer) == 0);
	for (size_t t = 0; t < RNN_JOB_STEPS; t++) {
		MPSMatrix_release(works[1].x_list[t]);
		works[1].x_list[t] = MPSMatrix_retain(works[0].y_list[t]);
	}
	assert_mps(rnn_job_encode(&job, &works[1], buffer) == 0);
	rnn_commit(buffer);
	assert_true(rnn_work_same(&works[1], expected));
	free(expected);
	rnn_work_destroy(&job, &works[0]);
	rnn_work_destroy(&job, &works[1]);
	rnn_job_destroy(&job);
}

/* ----------------------------------------------------------------------------------------------- read counts ---- */

static void assert_used_up(int status)
{
	assert_int_not_equal(status, 0);
	assert_non_null(strstr(sluice_mps_last_message(), "is temporary and its read count is 0"));
}

/* A temporary state can be read as often as its count says; encodes that are refused do not count. */
static void test_states_are_used_up(void **unused)
{
	(void)unused;
	struct rnn_job job;
	struct rnn_work work;
	MPSRNNRecurrentMatrixState *first, *second;
	MPSCommandBuffer *buffer = rnn_buffer();

	rnn_job_create(RNN_JOB_SEQUENCE, 80, &job);
	rnn_work_create(&job, 80, &work);
	MPSRNNMatrixInferenceLayer_setRecurrentOutputIsTemporary(job.layer, 1);
#define ENCODE(y, from, to)                                                                                           \
	MPSRNNMatrixInferenceLayer_encodeSequence(job.layer, buffer, work.x_list, NULL, y, NULL, RNN_JOB_STEPS, from, \
						  to)
	assert_mps(ENCODE(work.y_list, NULL, &first) == 0);
	assert_int_not_equal(ENCODE(NULL, first, NULL), 0);
	assert_int_equal(MPSRNNRecurrentMatrixState_readCount(first), 1);
	MPSRNNRecurrentMatrixState_setReadCount(first, 2);
	for (size_t left = 2; left-- > 0;) {
		assert_mps(ENCODE(work.y_list, first, NULL) == 0);
		assert_int_equal(MPSRNNRecurrentMatrixState_readCount(first), left);
	}
	assert_used_up(ENCODE(work.y_list, first, NULL));
	/* Others have no count. */
	MPSRNNMatrixInferenceLayer_setRecurrentOutputIsTemporary(job.layer, 0);
	assert_mps(ENCODE(work.y_list, NULL, &second) == 0);
	MPSRNNRecurrentMatrixState_setReadCount(second, 5);
	assert_int_equal(MPSRNNRecurrentMatrixState_readCount(second), 0);
	assert_mps(ENCODE(work.y_list, second, NULL) == 0);
	assert_mps(ENCODE(work.y_list, second, NULL) == 0);
#undef ENCODE
	rnn_commit(buffer);
	MPSRNNRecurrentMatrixState_release(first);
	MPSRNNRecurrentMatrixState_release(second);
	rnn_work_destroy(&job, &work);
	rnn_job_destroy(&job);
}

static void test_image_states_are_used_up(void **unused)
{
	(void)unused;
	struct rnn_job job;
	struct rnn_work work;
	MPSRNNRecurrentImageState *state;
	MPSCommandBuffer *buffer = rnn_buffer();

	rnn_job_create(RNN_JOB_IMAGES, 81, &job);
	rnn_work_create(&job, 81, &work);
	MPSRNNImageInferenceLayer_setRecurrentOutputIsTemporary(job.layer, 1);
#define ENCODE(from, to) \
	MPSRNNImageInferenceLayer_encodeSequence(job.layer, buffer, work.image_x, work.image_y, RNN_JOB_STEPS, from, to)
	assert_mps(ENCODE(NULL, &state) == 0);
	assert_true(MPSRNNRecurrentImageState_isTemporary(state));
	assert_int_equal(MPSRNNRecurrentImageState_readCount(state), 1);
	assert_mps(ENCODE(state, NULL) == 0);
	assert_null(MPSRNNRecurrentImageState_getMemoryCellImageForLayerIndex(state, 0));
	assert_used_up(ENCODE(state, NULL));
	MPSRNNRecurrentImageState_setReadCount(state, 1);
	assert_mps(ENCODE(state, NULL) == 0);
#undef ENCODE
	rnn_commit(buffer);
	MPSRNNRecurrentImageState_release(state);
	rnn_work_destroy(&job, &work);
	rnn_job_destroy(&job);
}

/* What a forward call started from may be something else when its gradients are computed: they are those of what it
 * was. */
static void test_start_may_change(void **unused)
{
	(void)unused;
	for (int kind = RNN_JOB_TRAINING; kind <= RNN_JOB_BY_STEPS; kind++) {
		float *expected = NULL;
		struct rnn_job job;
		struct rnn_work work;

		rnn_job_create((enum rnn_kind)kind, 85, &job);
		rnn_work_create(&job, 85, &work);
		for (int changes = 0; changes < 2; changes++) {
			MPSRNNRecurrentMatrixState *start = sluice_mps_matrix_state(job.layer, RNN_JOB_ROWS);
			MPSMatrix *h = MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(start, 0);
			MPSMatrix *c = MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(start, 0);
			const size_t count = RNN_JOB_ROWS * job.outputs;

			for (size_t k = 0; k < count; k++)
				((float *)MPSMatrix_data(h))[k] = ((float *)MPSMatrix_data(c))[k] = 0.25f;
			rnn_work_release_states(&job, &work);
			MPSCommandBuffer *buffer = rnn_buffer();

			assert_mps(MPSRNNMatrixTrainingLayer_encodeForwardSequence(
					   job.layer, buffer, work.x_list, NULL, work.y_list, NULL, RNN_JOB_STEPS,
					   work.training, start, NULL, job.weights) == 0);
			rnn_commit(buffer);
			for (size_t k = 0; k < count && changes; k++)
				((float *)MPSMatrix_data(h))[k] = ((float *)MPSMatrix_data(c))[k] = (float)NAN;
			buffer = rnn_buffer();
			assert_mps(MPSRNNMatrixTrainingLayer_encodeGradientSequence(
					   job.layer, buffer, work.x_list, NULL, work.dy_list, NULL, work.dx_list, NULL,
					   work.gradients, RNN_JOB_STEPS, work.training, NULL,
					   (MPSRNNRecurrentMatrixState **)work.outgoing, job.weights) == 0);
			rnn_commit(buffer);
			if (!expected)
				expected = rnn_work_results(&work);
			assert_true(rnn_work_same(&work, expected));
			MPSRNNRecurrentMatrixState_release(start);
		}
		free(expected);
		rnn_work_destroy(&job, &work);
		rnn_job_destroy(&job);
	}
}

/* Training states by gradient calls, temporary gradients by copies out of them. */
static void test_training_is_used_up(void **unused)
{
	(void)unused;
	const MTLOrigin origin = {0, 0, 0};
	uint64_t seed = 82;
	struct rnn_job job;
	struct rnn_work work;
	MPSMatrix *gradients[RNN_JOB_WEIGHTS];
	MPSCommandBuffer *buffer = rnn_buffer();

	rnn_job_create(RNN_JOB_TRAINING, seed, &job);
	while (!job.net.layers[0].sources[RNN_RECURRENT][RNN_I].present) {
		rnn_job_destroy(&job);
		rnn_job_create(RNN_JOB_TRAINING, ++seed, &job);
	}
	rnn_work_create(&job, seed, &work);
	assert_mps(MPSRNNMatrixTrainingLayer_createTemporaryWeightGradientMatrices_dataType_commandBuffer(
			   job.layer, gradients, MPSDataTypeFloat32, buffer) == 0);
	MPSRNNMatrixTrainingLayer_setTrainingStateIsTemporary(job.layer, 1);
	assert_mps(MPSRNNMatrixTrainingLayer_encodeForwardSequence(job.layer, buffer, work.x_list, NULL, work.y_list,
								   NULL, RNN_JOB_STEPS, work.training, NULL, NULL,
								   job.weights) == 0);
#define BACK()                                                                                                      \
	MPSRNNMatrixTrainingLayer_encodeGradientSequence(job.layer, buffer, work.x_list, NULL, work.dy_list, NULL,  \
							 NULL, NULL, gradients, RNN_JOB_STEPS, work.training, NULL, \
							 NULL, job.weights)
	assert_mps(BACK() == 0);
	for (size_t t = 0; t < RNN_JOB_STEPS; t++)
		assert_int_equal(MPSRNNMatrixTrainingState_readCount(work.training[t]), 0);
	assert_used_up(BACK());
#undef BACK
	/* A copy into the array reads nothing of it, one out of it does. */
#define COPY(out)                                                                 \
	MPSRNNMatrixTrainingLayer_encodeCopyWeights(job.layer, buffer, gradients, \
						    MPSRNNMatrixIdLSTMInputGateRecurrentWeights, square, out, origin)
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		job.outputs, job.outputs, 4 * job.outputs, MPSDataTypeFloat32);
	MPSMatrix *square = MPSMatrix_initWithDevice_descriptor(NULL, descriptor);

	assert_mps(COPY(0) == 0);
	for (size_t k = 0; k < RNN_JOB_WEIGHTS && gradients[k]; k++)
		assert_int_equal(MPSMatrix_readCount(gradients[k]), 1);
	assert_mps(COPY(1) == 0);
	for (size_t k = 0; k < RNN_JOB_WEIGHTS && gradients[k]; k++)
		assert_int_equal(MPSMatrix_readCount(gradients[k]), 0);
	assert_used_up(COPY(1));
#undef COPY
	rnn_commit(buffer);
	for (size_t k = 0; k < RNN_JOB_WEIGHTS; k++)
		MPSMatrix_release(gradients[k]);
	MPSMatrix_release(square);
	MPSMatrixDescriptor_release(descriptor);
	rnn_work_destroy(&job, &work);
	rnn_job_destroy(&job);
}

/* --------------------------------------------------------------------------------------------------- threads ---- */

enum { THREADS = 4, ROUNDS = 30 };

struct member {
	struct rnn_job *job;
	struct rnn_work *work;
	size_t failed;
};

static void *work_often(void *argument)
{
	struct member *member = argument;
	float *expected = NULL;

	for (size_t round = 0; round < ROUNDS; round++) {
		MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

		rnn_work_release_states(member->job, member->work);
		if (!buffer || rnn_job_encode(member->job, member->work, buffer) != 0 ||
		    MPSCommandBuffer_commit(buffer) != 0 || MPSCommandBuffer_waitUntilCompleted(buffer) != 0)
			member->failed++;
		MPSCommandBuffer_release(buffer);
		if (!expected)
			expected = rnn_work_results(member->work);
		member->failed += !rnn_work_same(member->work, expected);
	}
	free(expected);
	return NULL;
}

/* Buffers of several threads, encoded and committed at the same time on one layer, give everyone the bits that it gets
 * when it is alone. */
static void test_threads_share_a_layer(void **unused)
{
	(void)unused;
	for (int kind = 0; kind < RNN_JOB_KINDS; kind++) {
		struct rnn_job job;
		struct rnn_work works[THREADS];
		struct member members[THREADS];
		pthread_t threads[THREADS];
		float *expected[THREADS];

		rnn_job_create((enum rnn_kind)kind, 60, &job);
		for (size_t k = 0; k < THREADS; k++) {
			rnn_work_create(&job, k, &works[k]);
			rnn_job_run(&job, &works[k]);
			expected[k] = rnn_work_results(&works[k]);
			members[k] = (struct member){&job, &works[k], 0};
		}
		for (size_t k = 0; k < THREADS; k++)
			assert_int_equal(pthread_create(&threads[k], NULL, work_often, &members[k]), 0);
		for (size_t k = 0; k < THREADS; k++) {
			assert_int_equal(pthread_join(threads[k], NULL), 0);
			assert_int_equal(members[k].failed, 0);
			assert_true(rnn_work_same(&works[k], expected[k]));
			free(expected[k]);
			rnn_work_destroy(&job, &works[k]);
		}
		rnn_job_destroy(&job);
	}
}

static void *commit_elsewhere(void *buffer)
{
	return MPSCommandBuffer_commit(buffer) == 0 ? buffer : NULL;
}

/* One thread commits, another waits. */
static void test_waiting(void **unused)
{
	(void)unused;
	struct rnn_job job;
	struct rnn_work work;
	pthread_t thread;
	void *committed;
	MPSCommandBuffer *buffer = rnn_buffer();

	rnn_job_create(RNN_JOB_SEQUENCE, 70, &job);
	rnn_work_create(&job, 70, &work);
	assert_mps(rnn_job_encode(&job, &work, buffer) == 0);
	assert_int_equal(pthread_create(&thread, NULL, commit_elsewhere, buffer), 0);
	while (MPSCommandBuffer_status(buffer) == MTLCommandBufferStatusNotEnqueued)
		;
	assert_mps(MPSCommandBuffer_waitUntilCompleted(buffer) == 0);
	assert_int_equal(MPSCommandBuffer_status(buffer), MTLCommandBufferStatusCompleted);
	assert_int_equal(pthread_join(thread, &committed), 0);
	assert_non_null(committed);
	MPSCommandBuffer_release(buffer);
	rnn_work_destroy(&job, &work);
	rnn_job_destroy(&job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef SLUICE_TEST_WRAPPED
		cmocka_unit_test(test_only_first_commit_allocates),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_everything_is_released),
#endif
		cmocka_unit_test(test_buffers_retain),
		cmocka_unit_test(test_data_are_read_at_commit),
		cmocka_unit_test(test_calls_are_done_in_order),
		cmocka_unit_test(test_states_are_used_up),
		cmocka_unit_test(test_image_states_are_used_up),
		cmocka_unit_test(test_training_is_used_up),
		cmocka_unit_test(test_start_may_change),
		cmocka_unit_test(test_threads_share_a_layer),
		cmocka_unit_test(test_waiting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
