/*
 * test_mps_images.c: stacks of MPS's LSTM on images, which are ConvLSTMs, against the oracle: kernels, dilations and
 * groups, of one form or of several in one layer.
 *
 * As in test_mps_random.c, a plain run is judged step by step, and all other ways give its bits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mps_gallery.h"

enum { CASES = 200, MODES = 3 };

struct scene {
	struct rnn_net net;
	struct bnns_random random;
	struct rnn_data data;
	size_t height, width;
	struct rnn_chain chains[2];
	struct rnn_oracle oracles[2];
	MPSRNNImageInferenceLayer *layer;
	struct rnn_found found; /* of one direction */
	float *y[2];            /* [T,N,row] of each chain */
	struct rnn_gallery x, results[2];
};

static void gallery_make(struct scene *scene, size_t channels, struct rnn_gallery *out)
{
	const struct rnn_gallery_wish wish = {scene->data.steps, scene->data.batch, scene->height,
					      scene->width,      channels,          0};

	rnn_gallery_create(&scene->random, &wish, out);
	rnn_gallery_remember(out);
}

static void sources_create(struct scene *scene)
{
	struct rnn_data *data = &scene->data;

	gallery_make(scene, scene->oracles[0].network.inputs, &scene->x);
	for (size_t t = 0; t < data->steps; t++)
		for (size_t n = 0; n < data->batch; n++) {
			float *image = data->x + (t * data->batch + n) * data->width;

			rnn_gallery_write(&scene->x, t, n, image);
			rnn_gallery_read(&scene->x, t, n, image);
		}
	rnn_gallery_remember(&scene->x);
}

static void scene_create(const struct rnn_wish *wish, struct scene *scene)
{
	memset(scene, 0, sizeof *scene);
	scene->random = (struct bnns_random){wish->seed ^ 0x1377};
	rnn_net_draw(wish, &scene->net);
	scene->chains[0] = wish->bidirectional ? rnn_chain_of(&scene->net, 0) : rnn_chain_all(&scene->net);
	scene->chains[1] = rnn_chain_of(&scene->net, 1);
	scene->height = 1 + random_below(&scene->random, 8);
	scene->width = 1 + random_below(&scene->random, 8);
	const struct rnn_chain all = rnn_chain_all(&scene->net);

	for (size_t which = 0; which < (wish->bidirectional ? 2 : 1); which++)
		rnn_oracle_create(&scene->net, &scene->chains[which], scene->height, scene->width,
				  &scene->oracles[which]);
	scene->layer = rnn_image_layer(&all);
	rnn_data_draw(&scene->random, &scene->oracles[0], !wish->bidirectional && random_chance(&scene->random, 0.6),
		      &scene->data);
	scene->data.height = scene->height;
	scene->data.image_width = scene->width;
	for (size_t t = 0; t < scene->data.steps; t++)
		scene->data.rows[t] = scene->data.batch;
	sources_create(scene);
}

static void scene_destroy(struct scene *scene)
{
	MPSRNNImageInferenceLayer_release(scene->layer);
	rnn_gallery_destroy(&scene->x);
	rnn_data_destroy(&scene->data);
	rnn_found_destroy(&scene->found);
	for (size_t which = 0; which < 2; which++) {
		free(scene->y[which]);
		rnn_oracle_destroy(&scene->oracles[which]);
	}
	rnn_net_destroy(&scene->net);
}

/* What a chain makes of the sequence, judged; backward chains run forward through steps that are turned around. */
static void run_chain(struct scene *scene, size_t which, MPSRNNImageInferenceLayer *layer, struct rnn_found *found)
{
	const struct rnn_oracle *oracle = &scene->oracles[which];
	const size_t row = oracle->network.y_row, in = oracle->network.x_row, N = scene->data.batch;
	struct rnn_data turned = scene->data;

	turned.x = rnn_take(turned.steps * N * in, sizeof(float));
	for (size_t t = 0; t < turned.steps; t++)
		memcpy(turned.x + t * N * in, scene->data.x + (which ? turned.steps - 1 - t : t) * N * in,
		       N * in * sizeof(float));
	rnn_run_images(layer, oracle, &turned, scene->net.seed, found);
	scene->y[which] = rnn_take(turned.steps * N * row, sizeof(float));
	for (size_t t = 0; t < turned.steps; t++)
		for (size_t n = 0; n < N; n++)
			memcpy(scene->y[which] + ((which ? turned.steps - 1 - t : t) * N + n) * row,
			       rnn_output(oracle, &found->states[t], N, n), row * sizeof(float));
	free(turned.x);
}

static const float *image_of(const struct scene *scene, size_t which, size_t t, size_t n)
{
	return scene->y[which] + (t * scene->data.batch + n) * scene->oracles[which].network.y_row;
}

static void results_check(struct scene *scene, size_t which)
{
	if (!rnn_gallery_same(&scene->results[which]) || !rnn_gallery_same(&scene->x))
		fail_msg("seed %zu: other bytes than those of the plain run", (size_t)scene->net.seed);
}

/* The whole in one call, or in two of which the second starts from where the first ended. */
static void check_forward(struct scene *scene)
{
	const size_t T = scene->data.steps, first = T > 1 && scene->net.seed % 2 ? T / 2 : T;
	struct rnn_gallery *y = &scene->results[0];
	MPSRNNRecurrentImageState *states[2] = {NULL, NULL}, *start = NULL;
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	run_chain(scene, 0, scene->layer, &scene->found);
	gallery_make(scene, scene->oracles[0].network.outputs, y);
	for (size_t t = 0; t < T; t++)
		for (size_t n = 0; n < scene->data.batch; n++)
			rnn_gallery_expect(y, t, n, image_of(scene, 0, t, n));
	if (scene->data.start.h) {
		start = sluice_mps_image_state(scene->layer, scene->width, scene->height, scene->data.batch);
		rnn_image_state_write(&scene->oracles[0], &scene->data.start, scene->data.batch, start);
	}
	assert_mps(MPSRNNImageInferenceLayer_encodeSequence(scene->layer, buffer, scene->x.list, y->list, first, start,
							    &states[0]) == 0);
	if (first < T)
		assert_mps(MPSRNNImageInferenceLayer_encodeSequence(scene->layer, buffer, scene->x.list + first,
								    y->list + first, T - first, states[0],
								    &states[1]) == 0);
	rnn_commit(buffer);
	rnn_image_state_expect(&scene->oracles[0], &scene->found.states[first - 1], scene->data.batch, scene->net.seed,
			       states[0]);
	if (first < T)
		rnn_image_state_expect(&scene->oracles[0], &scene->found.states[T - 1], scene->data.batch,
				       scene->net.seed, states[1]);
	results_check(scene, 0);
	MPSRNNRecurrentImageState_release(start);
	MPSRNNRecurrentImageState_release(states[0]);
	MPSRNNRecurrentImageState_release(states[1]);
	rnn_gallery_destroy(y);
}

/* Channels side by side in each place, or added. */
static void combined(const struct scene *scene, MPSRNNBidirectionalCombineMode mode, size_t t, size_t n, float *out)
{
	const size_t F = scene->oracles[0].network.outputs, B = scene->oracles[1].network.outputs;
	const size_t width = mode == MPSRNNBidirectionalCombineModeConcatenate ? F + B : F;
	const float *forward = image_of(scene, 0, t, n), *backward = image_of(scene, 1, t, n);

	for (size_t place = 0; place < scene->height * scene->width; place++)
		for (size_t k = 0; k < width; k++) {
			float value = k < F ? forward[place * F + k] : backward[place * B + k - F];

			if (mode == MPSRNNBidirectionalCombineModeAdd)
				value += backward[place * B + k];
			out[place * width + k] = value;
		}
}

static void check_mode(struct scene *scene, MPSRNNBidirectionalCombineMode mode)
{
	const size_t F = scene->oracles[0].network.outputs, B = scene->oracles[1].network.outputs;
	const size_t width = mode == MPSRNNBidirectionalCombineModeConcatenate ? F + B : F;
	const int both = mode == MPSRNNBidirectionalCombineModeNone;
	float *image = rnn_take(scene->height * scene->width * width, sizeof *image);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	gallery_make(scene, width, &scene->results[0]);
	gallery_make(scene, B, &scene->results[1]);
	for (size_t t = 0; t < scene->data.steps; t++)
		for (size_t n = 0; n < scene->data.batch; n++) {
			combined(scene, mode, t, n, image);
			rnn_gallery_expect(&scene->results[0], t, n, image);
			if (both)
				rnn_gallery_expect(&scene->results[1], t, n, image_of(scene, 1, t, n));
		}
	MPSRNNImageInferenceLayer_setBidirectionalCombineMode(scene->layer, mode);
	assert_mps(MPSRNNImageInferenceLayer_encodeBidirectionalSequence(
			   scene->layer, buffer, scene->x.list, scene->results[0].list,
			   both ? scene->results[1].list : NULL, scene->data.steps) == 0);
	rnn_commit(buffer);
	results_check(scene, 0);
	results_check(scene, 1);
	free(image);
	rnn_gallery_destroy(&scene->results[0]);
	rnn_gallery_destroy(&scene->results[1]);
}

static size_t modes[MODES];

static void check_bidirectional(struct scene *scene)
{
	for (size_t which = 0; which < 2; which++) {
		struct rnn_found found = {0};
		MPSRNNImageInferenceLayer *layer = rnn_image_layer(&scene->chains[which]);

		run_chain(scene, which, layer, &found);
		rnn_found_destroy(&found);
		MPSRNNImageInferenceLayer_release(layer);
	}
	for (int mode = 0; mode < MODES; mode++) {
		if (mode == MPSRNNBidirectionalCombineModeAdd &&
		    scene->oracles[0].network.outputs != scene->oracles[1].network.outputs)
			continue;
		modes[mode]++;
		check_mode(scene, (MPSRNNBidirectionalCombineMode)mode);
	}
}

/* Whether the gates' kernels of some part differ. */
static int differs(const struct rnn_net *net)
{
	for (size_t k = 0; k < net->count; k++)
		for (size_t part = 0; part < RNN_PARTS; part++)
			for (size_t gate = 1; gate < RNN_GATES; gate++) {
				const struct rnn_source *sources = net->layers[k].sources[part];

				if (sources[0].present && sources[gate].present &&
				    memcmp(&sources[0].kernel, &sources[gate].kernel, sizeof(struct rnn_kernel)) != 0)
					return 1;
			}
	return 0;
}

static void test_random_cases(void **unused)
{
	(void)unused;
	size_t different = 0;

	for (uint64_t seed = 0; seed < CASES; seed++) {
		const struct rnn_wish wish = {.seed = seed, .image = 1, .bidirectional = seed % 3 == 0};
		struct scene scene;

		scene_create(&wish, &scene);
		if (wish.bidirectional)
			check_bidirectional(&scene);
		else
			check_forward(&scene);
		different += (size_t)differs(&scene.net);
		scene_destroy(&scene);
	}
	print_message("%zu numbers, the largest error %.2f of what it may be; kernels differ in %zu\n",
		      rnn_tally.numbers, rnn_tally.worst, different);
	assert_true(modes[0] > CASES / 5 && modes[1] > CASES / 40 && modes[2] > CASES / 5 && different > CASES / 4);
	assert_true(rnn_tally.worst > 0.05);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
