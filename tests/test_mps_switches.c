/*
 * test_mps_switches.c: what sluice_mps_set_options changes, in each position of each switch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mps_job.h"

/* A job on a network of one layer that is the caller's. */
static void job_of(enum rnn_kind kind, struct rnn_net *net, struct rnn_job *job)
{
	memset(job, 0, sizeof *job);
	job->kind = kind;
	job->net = *net;
	job->inputs = net->layers[0].inputs;
	job->outputs = net->layers[0].hidden;
	job->descriptors[0] = rnn_descriptor(&net->layers[0]);
	job->bases[0] = MPSLSTMDescriptor_asRNNDescriptor(job->descriptors[0]);
	assert_mps(rnn_job_layer(job) == 0);
}

/* What it makes of its x; back, too, if it trains. */
static float *job_results(struct rnn_job *job)
{
	struct rnn_work work;

	rnn_work_create(job, 9, &work);
	rnn_job_run(job, &work);
	float *results = rnn_work_results(&work);

	rnn_work_destroy(job, &work);
	rnn_job_release(job);
	MPSLSTMDescriptor_release(job->descriptors[0]);
	return results;
}

static float *trained(struct rnn_net *net, int float32, int position)
{
	sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;
	struct rnn_job job;

	net->layers[0].float32 = float32;
	job_of(RNN_JOB_TRAINING, net, &job);
	options.training_weights = position;
	assert_mps(sluice_mps_set_options(job.layer, &options) == 0);
	return job_results(&job);
}

/* Inference has no such switch. */
static float *inferred(struct rnn_net *net, int float32)
{
	struct rnn_job job;

	net->layers[0].float32 = float32;
	job_of(RNN_JOB_SEQUENCE, net, &job);
	return job_results(&job);
}

static int y_same(const float *a, const float *b)
{
	return memcmp(a, b, RNN_JOB_ROOM * sizeof(float)) == 0;
}

static int all_same(const float *a, const float *b)
{
	return memcmp(a, b, (size_t)4 * RNN_JOB_ROOM * sizeof(float)) == 0;
}

/* Without useFloat32Weights products see rounded weights, or, where the switch says so, all their bits; as inference
 * does without the property and with it. With it the switch is not read. */
static void test_training_weights(void **unused)
{
	(void)unused;
	for (uint64_t seed = 0; seed < 10; seed++) {
		const struct rnn_wish wish = {.seed = 200 + seed, .single = 1, .plain = 1};
		struct rnn_net net;

		rnn_net_draw(&wish, &net);
		float *const half = trained(&net, 0, SLUICE_MPS_TRAINING_WEIGHTS_HALF);
		float *const whole = trained(&net, 0, SLUICE_MPS_TRAINING_WEIGHTS_FLOAT);
		float *const whole_half = trained(&net, 1, SLUICE_MPS_TRAINING_WEIGHTS_HALF);
		float *const whole_whole = trained(&net, 1, SLUICE_MPS_TRAINING_WEIGHTS_FLOAT);
		float *const half_inferred = inferred(&net, 0), *const whole_inferred = inferred(&net, 1);

		assert_false(y_same(half, whole));
		assert_true(y_same(half, half_inferred) && y_same(whole, whole_inferred));
		assert_true(all_same(whole, whole_half) && all_same(whole, whole_whole));
		free(half);
		free(whole);
		free(whole_half);
		free(whole_whole);
		free(half_inferred);
		free(whole_inferred);
		rnn_net_destroy(&net);
	}
}

/* Threads change no bit, for any class of layers. */
static void test_threads(void **unused)
{
	(void)unused;
	for (int kind = 0; kind < RNN_JOB_KINDS; kind++) {
		float *expected = NULL;
		struct rnn_job job;

		rnn_job_net((enum rnn_kind)kind, 210, &job);
		for (int threads = 0; threads < 4; threads++) {
			sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;
			struct rnn_work work;

			options.threads = threads;
			assert_mps(rnn_job_layer(&job) == 0);
			assert_mps(sluice_mps_set_options(job.layer, &options) == 0);
			rnn_work_create(&job, 11, &work);
			rnn_job_run(&job, &work);
			if (!expected)
				expected = rnn_work_results(&work);
			assert_true(rnn_work_same(&work, expected));
			rnn_work_destroy(&job, &work);
			rnn_job_release(&job);
		}
		free(expected);
		rnn_job_destroy(&job);
	}
}

/* The last call counts, and NULL is the defaults. */
static void test_options_again(void **unused)
{
	(void)unused;
	const struct rnn_wish wish = {.seed = 220, .single = 1, .plain = 1};
	sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;
	struct rnn_net net;
	struct rnn_job job;

	rnn_net_draw(&wish, &net);
	float *const half = trained(&net, 0, SLUICE_MPS_TRAINING_WEIGHTS_HALF);

	job_of(RNN_JOB_TRAINING, &net, &job);
	options.training_weights = SLUICE_MPS_TRAINING_WEIGHTS_FLOAT;
	assert_mps(sluice_mps_set_options(job.layer, &options) == 0);
	assert_mps(sluice_mps_set_options(job.layer, NULL) == 0);
	float *const again = job_results(&job);

	assert_true(all_same(again, half));
	free(half);
	free(again);
	rnn_net_destroy(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_training_weights),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_options_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
