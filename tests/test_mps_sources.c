/*
 * test_mps_sources.c: what mps.h promises of sources of weights: the order of their calls, one purge for each load,
 * what becomes of those that fail, are slow, are used by several threads at once or talk nonsense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "mps_run.h"

/* In the order of rnn_setters. */
static const char *const PARTS[RNN_PARTS] = {"InputWeights", "RecurrentWeights", "MemoryWeights"};
static const char *const GATES[RNN_GATES] = {"inputGate", "forgetGate", "cellGate", "outputGate"};

enum kind { MATRIX, IMAGE, TRAINING, KINDS };

/* A layer of some class, or NULL; and what it takes to let it go. */
struct any_layer {
	enum kind kind;
	void *object;
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES];
};

static struct any_layer layer_make(enum kind kind, const MPSRNNDescriptor *const *descriptors, size_t count)
{
	struct any_layer made = {.kind = kind};

	if (kind == MATRIX)
		made.object = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(NULL, descriptors, count);
	else if (kind == IMAGE)
		made.object = MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptors(NULL, descriptors, count);
	else
		made.object = MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
			NULL, descriptors[0], made.weights);
	return made;
}

static void layer_release(struct any_layer *layer)
{
	for (size_t k = 0; k < SLUICE_MPS_WEIGHT_MATRICES; k++)
		MPSMatrix_release(layer->weights[k]);
	if (layer->kind == MATRIX)
		MPSRNNMatrixInferenceLayer_release(layer->object);
	else if (layer->kind == IMAGE)
		MPSRNNImageInferenceLayer_release(layer->object);
	else
		MPSRNNMatrixTrainingLayer_release(layer->object);
}

static struct any_layer net_make(enum kind kind, struct rnn_net *net)
{
	MPSLSTMDescriptor *owned[RNN_LAYERS];
	const MPSRNNDescriptor *descriptors[RNN_LAYERS];

	for (size_t k = 0; k < net->count; k++) {
		owned[k] = rnn_descriptor(&net->layers[k]);
		descriptors[k] = MPSLSTMDescriptor_asRNNDescriptor(owned[k]);
	}
	const struct any_layer made = layer_make(kind, descriptors, net->count);

	for (size_t k = 0; k < net->count; k++)
		MPSLSTMDescriptor_release(owned[k]);
	return made;
}

/* Layers with all twelve sources. */
static void net_draw(enum kind kind, uint64_t seed, struct rnn_net *net)
{
	for (;; seed += 1000) {
		const struct rnn_wish wish = {.seed = seed, .image = kind == IMAGE, .single = kind == TRAINING};
		size_t absent = 0;

		rnn_net_draw(&wish, net);
		for (size_t k = 0; k < net->count * RNN_PARTS * RNN_GATES; k++)
			absent += !net->layers[k / RNN_GATES / RNN_PARTS]
					   .sources[k / RNN_GATES % RNN_PARTS][k % RNN_GATES]
					   .present;
		/* Where x itself enters the gates, weights are not asked for. */
		for (size_t k = 0; k < net->count; k++)
			absent += (size_t)net->layers[k].identity;
		if (!absent)
			return;
		rnn_net_destroy(net);
	}
}

/* ------------------------------------------------------------------------------------------------------ order ---- */

static size_t times(const char *log, char letter)
{
	size_t count = 0;

	for (; *log; log++)
		count += *log == letter;
	return count;
}

/* load, then descriptor and dataType, then the rest, then purge. The label may be asked for at any time between. */
static void log_check(const struct rnn_source *source, enum rnn_part part)
{
	const char *log = source->log;
	const size_t length = strlen(log), label = log[1] == 'n';

	if (length < 4 || log[0] != 'L' || log[length - 1] != 'P' || times(log, 'L') != 1 || times(log, 'P') != 1)
		fail_msg("%s: expected one load first and one purge last", log);
	assert_true((log[1 + label] == 'd' && log[2 + label] == 't') ||
		    (log[1 + label] == 't' && log[2 + label] == 'd'));
	assert_int_equal(times(log, 'w'), 1);
	assert_int_equal(times(log, 'b'), part == RNN_INPUT);
	for (const char *letter = "dtnrkqyx"; *letter; letter++)
		assert_true(times(log, *letter) <= 1);
	assert_int_equal(times(log, 'r'), source->form == RNN_RANGES);
	assert_int_equal(times(log, 'k'), source->form == RNN_TABLE);
	assert_int_equal(atomic_load(&source->loads), 1);
}

static void test_calls_are_in_order(void **unused)
{
	(void)unused;
	enum { LOG = 64 };

	for (uint64_t seed = 0; seed < 30; seed++) {
		const enum kind kind = (enum kind)(seed % KINDS);
		struct rnn_net net;
		static char logs[RNN_LAYERS][RNN_PARTS][RNN_GATES][LOG];

		memset(logs, 0, sizeof logs);
		net_draw(kind, seed, &net);
		for (size_t k = 0; k < net.count; k++)
			for (size_t part = 0; part < RNN_PARTS; part++)
				for (size_t gate = 0; gate < RNN_GATES; gate++)
					net.layers[k].sources[part][gate].log = logs[k][part][gate];
		struct any_layer layer = net_make(kind, &net);

		assert_mps(layer.object);
		for (size_t k = 0; k < net.count; k++)
			for (size_t part = 0; part < RNN_PARTS; part++)
				for (size_t gate = 0; gate < RNN_GATES; gate++)
					log_check(&net.layers[k].sources[part][gate], (enum rnn_part)part);
		layer_release(&layer);
		rnn_net_destroy(&net);
	}
}

/* Whoever has read a source never asks it again: its numbers may change, the descriptor's and the source's own. */
static void test_sources_are_read_once(void **unused)
{
	(void)unused;
	struct rnn_net net;
	struct rnn_chain chain;
	struct rnn_oracle oracle;
	struct rnn_data data;
	struct rnn_found found[2] = {{{{0}}}};
	struct bnns_random random = {5};

	net_draw(MATRIX, 5, &net);
	chain = rnn_chain_all(&net);
	rnn_oracle_create(&net, &chain, 0, 0, &oracle);
	rnn_data_draw(&random, &oracle, 0, &data);
	MPSRNNMatrixInferenceLayer *layer = rnn_matrix_layer(&chain);

	for (size_t k = 0; k < net.count; k++)
		for (size_t part = 0; part < RNN_PARTS; part++)
			for (size_t gate = 0; gate < RNN_GATES; gate++) {
				struct rnn_source *source = &net.layers[k].sources[part][gate];

				memset(source->weights, 0, source->count);
				source->table[0] = source->ranges[0] = (float)NAN;
				MPSCNNConvolutionDescriptor_setKernelWidth(source->descriptor, 7);
				source->fails = 1;
			}
	for (size_t again = 0; again < 2; again++) {
		MPSRNNMatrixInferenceLayer *used =
			again ? MPSRNNMatrixInferenceLayer_copyWithZone_device(layer, NULL, NULL) : layer;

		assert_mps(used);
		rnn_run_plain(used, &oracle, &data, 5, &found[again]);
		if (again)
			MPSRNNMatrixInferenceLayer_release(used);
		rnn_found_destroy(&found[again]);
	}
	MPSRNNMatrixInferenceLayer_release(layer);
	rnn_data_destroy(&data);
	rnn_oracle_destroy(&oracle);
	rnn_net_destroy(&net);
}

/* --------------------------------------------------------------------------------------------------- failures ---- */

static void assert_says(const char *part)
{
	if (!strstr(sluice_mps_last_message(), part))
		fail_msg("\"%s\" says nothing of \"%s\"", sluice_mps_last_message(), part);
}

/* Each source in turn gives nothing: by its load, or by its weights. */
static void test_failures_at_each_place(void **unused)
{
	(void)unused;
	for (int kind = 0; kind < KINDS; kind++)
		for (int load = 0; load < 2; load++) {
			struct rnn_net net;
			char name[80];

			net_draw((enum kind)kind, 40 + (uint64_t)load, &net);
			for (size_t k = 0; k < net.count * RNN_PARTS * RNN_GATES; k++) {
				const size_t layer = k / RNN_GATES / RNN_PARTS, part = k / RNN_GATES % RNN_PARTS;
				struct rnn_source *source = &net.layers[layer].sources[part][k % RNN_GATES];
				void *const weights = source->weights;

				source->fails = load;
				source->weights = load ? weights : NULL;
				struct any_layer made = net_make((enum kind)kind, &net);

				assert_null(made.object);
				snprintf(name, sizeof name, "layer %zu: %s%s", layer, GATES[k % RNN_GATES],
					 PARTS[part]);
				assert_says(name);
				assert_says(load ? "load returned 0" : "weights returned NULL");
				source->fails = 0;
				source->weights = weights;
				/* One that was loaded was purged. */
				assert_int_equal(atomic_load(&source->loads), atomic_load(&source->purges));
			}
			struct any_layer made = net_make((enum kind)kind, &net);

			assert_mps(made.object);
			layer_release(&made);
			rnn_net_destroy(&net);
		}
}

/* ---------------------------------------------------------------------------------------------------- threads ---- */

/* A source whose load does not return before another layer was made. */
struct slow {
	struct rnn_source *source;
	pthread_mutex_t lock;
	pthread_cond_t turned;
	int loading, made;
};

/* Waits until a flag is set, 20 seconds at most: with a lock around creations it would be for ever. */
static int await(struct slow *slow, const int *flag)
{
	struct timespec until;
	int status = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	while (!*flag && status == 0)
		status = pthread_cond_timedwait(&slow->turned, &slow->lock, &until);
	return *flag;
}

static int slow_load(void *user)
{
	struct slow *slow = user;

	pthread_mutex_lock(&slow->lock);
	slow->loading = 1;
	pthread_cond_broadcast(&slow->turned);
	const int made = await(slow, &slow->made);

	pthread_mutex_unlock(&slow->lock);
	const struct timespec nap = {0, 50000000};

	nanosleep(&nap, NULL);
	return made;
}

static void slow_purge(void *user)
{
	(void)user;
}

static struct slow slow;

static MPSDataType slow_type(void *user)
{
	const MPSCNNConvolutionDataSource calls = rnn_source_calls(((struct slow *)user)->source);

	return calls.dataType(calls.user);
}

static const MPSCNNConvolutionDescriptor *slow_descriptor(void *user)
{
	return ((struct slow *)user)->source->descriptor;
}

static void *slow_weights(void *user)
{
	return ((struct slow *)user)->source->weights;
}

static float *slow_bias(void *user)
{
	return ((struct slow *)user)->source->bias;
}

static MPSCNNConvolutionDataSource slow_calls(void)
{
	return (MPSCNNConvolutionDataSource){
		.size = sizeof(MPSCNNConvolutionDataSource),
		.user = &slow,
		.dataType = slow_type,
		.descriptor = slow_descriptor,
		.weights = slow_weights,
		.biasTerms = slow_bias,
		.load = slow_load,
		.purge = slow_purge,
	};
}

static void *make_slowly(void *argument)
{
	const MPSRNNDescriptor *descriptor = argument;

	return MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, descriptor);
}

static void test_slow_source_holds_nobody_up(void **unused)
{
	(void)unused;
	const struct rnn_neuron none = {MPSCNNNeuronTypeNone, 0, 0, 0};
	struct rnn_net net = {.count = 1}, other;
	struct rnn_layer *layer = &net.layers[0];
	pthread_t thread;
	void *made;

	*layer = (struct rnn_layer){.inputs = 1, .hidden = 1, .float32 = 1};
	rnn_source_single(layer, RNN_INPUT, RNN_I, 1, 0, none);
	slow = (struct slow){.source = &layer->sources[RNN_INPUT][RNN_I]};
	pthread_mutex_init(&slow.lock, NULL);
	pthread_cond_init(&slow.turned, NULL);
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(1, 1);
	const MPSCNNConvolutionDataSource calls = slow_calls();

	assert_mps(MPSLSTMDescriptor_setInputGateInputWeights(descriptor, &calls) == 0);
	assert_int_equal(pthread_create(&thread, NULL, make_slowly, MPSLSTMDescriptor_asRNNDescriptor(descriptor)), 0);
	pthread_mutex_lock(&slow.lock);
	assert_true(await(&slow, &slow.loading));
	pthread_mutex_unlock(&slow.lock);
	net_draw(MATRIX, 60, &other);
	struct any_layer quick = net_make(MATRIX, &other);

	assert_mps(quick.object);
	pthread_mutex_lock(&slow.lock);
	slow.made = 1;
	pthread_cond_broadcast(&slow.turned);
	pthread_mutex_unlock(&slow.lock);
	assert_int_equal(pthread_join(thread, &made), 0);
	assert_non_null(made);
	MPSRNNMatrixInferenceLayer_release(made);
	layer_release(&quick);
	MPSLSTMDescriptor_release(descriptor);
	pthread_cond_destroy(&slow.turned);
	pthread_mutex_destroy(&slow.lock);
	rnn_net_destroy(&net);
	rnn_net_destroy(&other);
}

enum { THREADS = 4, ROUNDS = 20 };

static void *make_often(void *argument)
{
	struct rnn_net *net = argument;
	size_t failed = 0;

	for (size_t round = 0; round < ROUNDS; round++) {
		const MPSRNNDescriptor *descriptors[RNN_LAYERS];
		MPSLSTMDescriptor *owned[RNN_LAYERS];

		for (size_t k = 0; k < net->count; k++) {
			owned[k] = rnn_descriptor(&net->layers[k]);
			descriptors[k] = MPSLSTMDescriptor_asRNNDescriptor(owned[k]);
		}
		struct any_layer made = layer_make(MATRIX, descriptors, net->count);

		failed += made.object == NULL;
		layer_release(&made);
		for (size_t k = 0; k < net->count; k++)
			MPSLSTMDescriptor_release(owned[k]);
	}
	return failed ? argument : NULL;
}

static void test_sources_in_several_threads(void **unused)
{
	(void)unused;
	struct rnn_net net;
	pthread_t threads[THREADS];

	net_draw(MATRIX, 61, &net);
	for (size_t k = 0; k < THREADS; k++)
		assert_int_equal(pthread_create(&threads[k], NULL, make_often, &net), 0);
	for (size_t k = 0; k < THREADS; k++) {
		void *failed;

		assert_int_equal(pthread_join(threads[k], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(atomic_load(&net.layers[0].sources[0][0].loads), THREADS * ROUNDS);
	rnn_net_destroy(&net);
}

/* A source that makes a layer of its own while it loads. */
static struct rnn_net *inner;

static int nested_load(void *user)
{
	struct any_layer made = net_make(MATRIX, inner);
	const int fine = made.object != NULL;

	(void)user;
	layer_release(&made);
	return fine;
}

static void test_sources_may_make_layers(void **unused)
{
	(void)unused;
	const struct rnn_neuron none = {MPSCNNNeuronTypeNone, 0, 0, 0};
	struct rnn_net net = {.count = 1}, other;

	net_draw(MATRIX, 62, &other);
	inner = &other;
	net.layers[0] = (struct rnn_layer){.inputs = 1, .hidden = 1};
	rnn_source_single(&net.layers[0], RNN_INPUT, RNN_I, 1, 0, none);
	slow = (struct slow){.source = &net.layers[0].sources[RNN_INPUT][RNN_I]};
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(1, 1);
	MPSCNNConvolutionDataSource calls = slow_calls();

	calls.load = nested_load;
	assert_mps(MPSLSTMDescriptor_setOutputGateInputWeights(descriptor, &calls) == 0);
	MPSRNNMatrixInferenceLayer *layer = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor));

	assert_mps(layer);
	MPSRNNMatrixInferenceLayer_release(layer);
	MPSLSTMDescriptor_release(descriptor);
	rnn_net_destroy(&net);
	rnn_net_destroy(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_are_in_order),         cmocka_unit_test(test_sources_are_read_once),
		cmocka_unit_test(test_failures_at_each_place),     cmocka_unit_test(test_slow_source_holds_nobody_up),
		cmocka_unit_test(test_sources_in_several_threads), cmocka_unit_test(test_sources_may_make_layers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
