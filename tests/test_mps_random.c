/*
 * test_mps_random.c: stacks of MPS's LSTM on matrices against the oracle, in every form that descriptors, sources and
 * matrices can take.
 *
 * In two steps. A plain run, all in Float32, is judged step by step by the oracle, within the bounds of one step
 * (docs/NUMERICS.md): no one chose them. Every other way to run the same sequence must then give the same bits, rounded
 * to what the matrices hold: matrices with gaps, offsets and types, one call or two, both directions at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mps_run.h"

enum { CASES = 500, MODES = 3 };

/* A case: a network, a sequence, and what plain runs made of it. */
struct scene {
	struct rnn_net net;
	struct bnns_random random;
	struct rnn_data data;
	struct rnn_chain chains[2]; /* all layers; or those of each direction */
	struct rnn_oracle oracles[2];
	MPSRNNMatrixInferenceLayer *layer;
	struct rnn_found found; /* of one direction */
	float *y[2];            /* [T,N,H] of each chain */
	struct rnn_shelf x, results[2];
};

static size_t outputs(const struct scene *scene, size_t which)
{
	return scene->oracles[which].network.outputs;
}

/* Sources as they will be given; x becomes what they hold. Now and then a matrix is given twice. */
static void sources_create(struct scene *scene)
{
	struct rnn_data *data = &scene->data;
	const struct rnn_shelf_wish wish = {.steps = data->steps,
					    .columns = data->width,
					    .rows = data->rows,
					    .halves = 1,
					    .no_offsets = scene->oracles[1].parameters != NULL};
	struct rnn_shelf *x = &scene->x;

	rnn_shelf_create(&scene->random, &wish, x);
	for (size_t t = 1; t < data->steps; t++)
		if (data->rows[t] == data->rows[t - 1] && random_chance(&scene->random, 0.15)) {
			MPSMatrix_release(x->matrices[t]);
			x->matrices[t] = MPSMatrix_retain(x->matrices[t - 1]);
			x->offsets[t] = x->offsets[t - 1];
			x->at[t] = x->at[t - 1];
			x->row_bytes[t] = x->row_bytes[t - 1];
			x->types[t] = x->types[t - 1];
		}
	for (size_t t = 0; t < data->steps; t++)
		for (size_t n = 0; n < data->rows[t]; n++) {
			float *row = data->x + (t * data->batch + n) * data->width;

			rnn_shelf_write(x, t, n, row);
		}
	for (size_t t = 0; t < data->steps; t++)
		for (size_t n = 0; n < data->rows[t]; n++)
			rnn_shelf_read(x, t, n, data->x + (t * data->batch + n) * data->width);
	rnn_shelf_remember(x);
}

static void outputs_take(struct scene *scene, size_t which)
{
	const size_t H = outputs(scene, which);

	scene->y[which] = rnn_take(scene->data.steps * scene->data.batch * H, sizeof(float));
}

/* Forward layers run as any sequence does. */
static void run_forward(struct scene *scene, MPSRNNMatrixInferenceLayer *layer)
{
	const size_t H = outputs(scene, 0);

	rnn_run_plain(layer, &scene->oracles[0], &scene->data, scene->net.seed, &scene->found);
	outputs_take(scene, 0);
	for (size_t t = 0; t < scene->data.steps; t++)
		for (size_t n = 0; n < scene->data.rows[t]; n++)
			memcpy(scene->y[0] + (t * scene->data.batch + n) * H,
			       rnn_output(&scene->oracles[0], &scene->found.states[t], scene->data.batch, n),
			       H * sizeof(float));
}

/* Backward layers are run forward through each row by itself, whose steps are turned around. */
static void run_backward(struct scene *scene)
{
	const struct rnn_data *data = &scene->data;
	const size_t H = outputs(scene, 1);
	MPSRNNMatrixInferenceLayer *layer = rnn_matrix_layer(&scene->chains[1]);

	outputs_take(scene, 1);
	for (size_t n = 0; n < data->batch; n++) {
		struct rnn_data row = {.batch = 1, .width = data->width};
		struct rnn_found found = {0};

		while (row.steps < data->steps && n < data->rows[row.steps])
			row.rows[row.steps++] = 1;
		row.x = rnn_take(row.steps * row.width, sizeof(float));
		for (size_t t = 0; t < row.steps; t++)
			memcpy(row.x + t * row.width, rnn_data_x(data, row.steps - 1 - t, n, row.width),
			       row.width * sizeof(float));
		rnn_run_plain(layer, &scene->oracles[1], &row, scene->net.seed, &found);
		for (size_t t = 0; t < row.steps; t++)
			memcpy(scene->y[1] + ((row.steps - 1 - t) * data->batch + n) * H,
			       rnn_output(&scene->oracles[1], &found.states[t], 1, 0), H * sizeof(float));
		rnn_found_destroy(&found);
		free(row.x);
	}
	MPSRNNMatrixInferenceLayer_release(layer);
}

static void scene_create(const struct rnn_wish *wish, struct scene *scene)
{
	memset(scene, 0, sizeof *scene);
	scene->random = (struct bnns_random){wish->seed ^ 0xA11CE};
	rnn_net_draw(wish, &scene->net);
	scene->chains[0] = wish->bidirectional ? rnn_chain_of(&scene->net, 0) : rnn_chain_all(&scene->net);
	scene->chains[1] = rnn_chain_of(&scene->net, 1);
	const struct rnn_chain all = rnn_chain_all(&scene->net);

	for (size_t which = 0; which < (wish->bidirectional ? 2 : 1); which++)
		rnn_oracle_create(&scene->net, &scene->chains[which], 0, 0, &scene->oracles[which]);
	scene->layer = rnn_matrix_layer(&all);
	rnn_data_draw(&scene->random, &scene->oracles[0], !wish->bidirectional && random_chance(&scene->random, 0.6),
		      &scene->data);
	sources_create(scene);
}

static void scene_destroy(struct scene *scene)
{
	MPSRNNMatrixInferenceLayer_release(scene->layer);
	rnn_shelf_destroy(&scene->x);
	rnn_data_destroy(&scene->data);
	rnn_found_destroy(&scene->found);
	for (size_t which = 0; which < 2; which++) {
		free(scene->y[which]);
		rnn_oracle_destroy(&scene->oracles[which]);
	}
	rnn_net_destroy(&scene->net);
}

/* ---------------------------------------------------------------------------------------------- one direction ---- */

static void results_create(struct scene *scene, size_t which, size_t columns)
{
	const struct rnn_shelf_wish wish = {.steps = scene->data.steps,
					    .columns = columns,
					    .rows = scene->data.rows,
					    .more_rows = 1,
					    .halves = 1,
					    .no_offsets = scene->oracles[1].parameters != NULL};

	rnn_shelf_create(&scene->random, &wish, &scene->results[which]);
	rnn_shelf_remember(&scene->results[which]);
}

static const float *row_of(const struct scene *scene, size_t which, size_t t, size_t n)
{
	return scene->y[which] + (t * scene->data.batch + n) * outputs(scene, which);
}

static void results_check(const struct scene *scene, size_t which)
{
	if (!rnn_shelf_same(&scene->results[which]) || !rnn_shelf_same(&scene->x))
		fail_msg("seed %zu: other bytes than those of the plain run", (size_t)scene->net.seed);
}

/* Steps `first` to `first + count` by one encode, from a state that is used up. Returns how many states came. */
static size_t encode_part(struct scene *scene, MPSRNNMatrixInferenceLayer *layer, MPSCommandBuffer *buffer,
			  size_t first, size_t count, int wants, MPSRNNRecurrentMatrixState *start,
			  MPSRNNRecurrentMatrixState **states)
{
	struct rnn_shelf *x = &scene->x, *y = &scene->results[0];
	const size_t *const x_offsets = rnn_shelf_offsets(x), *const y_offsets = rnn_shelf_offsets(y);

	assert_mps(MPSRNNMatrixInferenceLayer_encodeSequence(layer, buffer, x->matrices + first,
							     x_offsets ? x_offsets + first : NULL, y->matrices + first,
							     y_offsets ? y_offsets + first : NULL, count, start,
							     wants ? states : NULL) == 0);
	MPSRNNRecurrentMatrixState_release(start);
	return !wants ? 0 : MPSRNNMatrixInferenceLayer_storeAllIntermediateStates(layer) ? count : 1;
}

static MPSRNNRecurrentMatrixState *start_of(struct scene *scene)
{
	MPSRNNRecurrentMatrixState *state;

	if (!scene->data.start.h)
		return NULL;
	state = sluice_mps_matrix_state(scene->layer, scene->data.batch);
	rnn_state_write(&scene->oracles[0], &scene->data.start, scene->data.batch, state);
	return state;
}

/* The whole in two calls, on one buffer or on two. Temporary states hold until they are read. */
static void run_parts(struct scene *scene)
{
	struct bnns_random *random = &scene->random;
	const size_t T = scene->data.steps,
		     first = T > 1 && random_chance(random, 0.5) ? random_below(random, T - 1) + 1 : T;
	const int all = random_chance(random, 0.5), temporary = random_chance(random, 0.3);
	const int wants = first < T || random_chance(random, 0.7);
	MPSRNNRecurrentMatrixState *states[RNN_STEPS];
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	MPSRNNMatrixInferenceLayer *layer =
		random_chance(random, 0.3) ? MPSRNNMatrixInferenceLayer_copyWithZone_device(scene->layer, NULL, NULL)
					   : MPSRNNMatrixInferenceLayer_retain(scene->layer);

	MPSRNNMatrixInferenceLayer_setStoreAllIntermediateStates(layer, all);
	MPSRNNMatrixInferenceLayer_setRecurrentOutputIsTemporary(layer, temporary);
	size_t count = encode_part(scene, layer, buffer, 0, first, wants, start_of(scene), states);

	if (first < T) {
		MPSRNNRecurrentMatrixState *last = states[count - 1];

		if (random_chance(random, 0.5)) {
			rnn_commit(buffer);
			buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
		}
		/* The last one is read by the second call. */
		if (!temporary)
			MPSRNNRecurrentMatrixState_retain(last);
		count += encode_part(scene, layer, buffer, first, T - first, 1, last, states + count);
		if (temporary)
			states[all ? first - 1 : 0] = NULL;
	}
	rnn_commit(buffer);
	for (size_t k = 0; k < count; k++) {
		const size_t t = all ? k : k ? T - 1 : first - 1;

		if (states[k])
			rnn_state_expect(&scene->oracles[0], &scene->found.states[t], scene->data.batch,
					 scene->net.seed, "a state", states[k]);
		MPSRNNRecurrentMatrixState_release(states[k]);
	}
	MPSRNNMatrixInferenceLayer_release(layer);
}

static void check_forward(struct scene *scene)
{
	run_forward(scene, scene->layer);
	for (int again = 0; again < 2; again++) {
		results_create(scene, 0, outputs(scene, 0));
		for (size_t t = 0; t < scene->data.steps; t++)
			for (size_t n = 0; n < scene->data.rows[t]; n++)
				rnn_shelf_expect(&scene->results[0], t, n, row_of(scene, 0, t, n));
		run_parts(scene);
		results_check(scene, 0);
		rnn_shelf_destroy(&scene->results[0]);
	}
}

/* --------------------------------------------------------------------------------------------- both directions --- */

static void combined(const struct scene *scene, MPSRNNBidirectionalCombineMode mode, size_t t, size_t n, float *out)
{
	const size_t F = outputs(scene, 0), B = outputs(scene, 1);
	const float *forward = row_of(scene, 0, t, n), *backward = row_of(scene, 1, t, n);

	memcpy(out, forward, F * sizeof(float));
	if (mode == MPSRNNBidirectionalCombineModeConcatenate)
		memcpy(out + F, backward, B * sizeof(float));
	for (size_t k = 0; k < F && mode == MPSRNNBidirectionalCombineModeAdd; k++)
		out[k] += backward[k];
}

static void check_mode(struct scene *scene, MPSRNNBidirectionalCombineMode mode)
{
	const size_t F = outputs(scene, 0), B = outputs(scene, 1);
	const int both = mode == MPSRNNBidirectionalCombineModeNone;
	float row[64];
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	results_create(scene, 0, mode == MPSRNNBidirectionalCombineModeConcatenate ? F + B : F);
	results_create(scene, 1, B);
	for (size_t t = 0; t < scene->data.steps; t++)
		for (size_t n = 0; n < scene->data.rows[t]; n++) {
			combined(scene, mode, t, n, row);
			rnn_shelf_expect(&scene->results[0], t, n, row);
			if (both)
				rnn_shelf_expect(&scene->results[1], t, n, row_of(scene, 1, t, n));
		}
	MPSRNNMatrixInferenceLayer_setBidirectionalCombineMode(scene->layer, mode);
	assert_mps(MPSRNNMatrixInferenceLayer_encodeBidirectionalSequence(
			   scene->layer, buffer, scene->x.matrices, scene->results[0].matrices,
			   both ? scene->results[1].matrices : NULL, scene->data.steps) == 0);
	rnn_commit(buffer);
	results_check(scene, 0);
	results_check(scene, 1);
	rnn_shelf_destroy(&scene->results[0]);
	rnn_shelf_destroy(&scene->results[1]);
}

static size_t modes[MODES];

static void check_bidirectional(struct scene *scene)
{
	MPSRNNMatrixInferenceLayer *forward = rnn_matrix_layer(&scene->chains[0]);

	run_forward(scene, forward);
	run_backward(scene);
	MPSRNNMatrixInferenceLayer_release(forward);
	for (int mode = 0; mode < MODES; mode++) {
		if (mode == MPSRNNBidirectionalCombineModeAdd && outputs(scene, 0) != outputs(scene, 1))
			continue;
		modes[mode]++;
		check_mode(scene, (MPSRNNBidirectionalCombineMode)mode);
	}
}

static void test_random_cases(void **unused)
{
	(void)unused;
	rnn_tally = (struct rnn_tally){0};
	for (uint64_t seed = 0; seed < CASES; seed++) {
		const struct rnn_wish wish = {.seed = seed, .bidirectional = seed % 3 == 0};
		struct scene scene;

		scene_create(&wish, &scene);
		if (wish.bidirectional)
			check_bidirectional(&scene);
		else
			check_forward(&scene);
		scene_destroy(&scene);
	}
	print_message("%zu numbers, the largest error %.2f of what it may be; combined %zu, %zu, %zu times\n",
		      rnn_tally.numbers, rnn_tally.worst, modes[0], modes[1], modes[2]);
	assert_true(modes[0] > CASES / 5 && modes[1] > CASES / 30 && modes[2] > CASES / 5);
	/* The bounds are wide, but not so wide that they say nothing. */
	assert_true(rnn_tally.worst > 0.1);
}

/* The bounds notice what is least conspicuous: one weight, off by a part in five hundred. */
static void test_bounds_notice(void **unused)
{
	(void)unused;
	const struct rnn_tally tally = rnn_tally;
	size_t noticed = 0, rounds = 50;

	for (uint64_t seed = 1000; seed < 1000 + rounds; seed++) {
		const struct rnn_wish wish = {.seed = seed, .single = 1, .plain = 1};
		struct scene scene;

		scene_create(&wish, &scene);
		scene.oracles[0].parameters[scene.oracles[0].network.cells[0].weight_ih] *= 1.002;
		rnn_tally = (struct rnn_tally){.counts = 1};
		run_forward(&scene, scene.layer);
		noticed += rnn_tally.beyond > 0;
		scene_destroy(&scene);
	}
	rnn_tally = tally;
	assert_int_equal(noticed, rounds);
}

/* ------------------------------------------------------------------------------------------------------ neurons --- */

/* The formulas of Apple's table, one by one. */
static double formula(const struct rnn_neuron *n, double x)
{
	const double a = (double)n->a, b = (double)n->b, c = (double)n->c, leaky = x >= 0 ? x : a * x;

	switch (n->type) {
	case MPSCNNNeuronTypeReLU:
	case MPSCNNNeuronTypePReLU:
		return leaky;
	case MPSCNNNeuronTypeLinear:
		return a * x + b;
	case MPSCNNNeuronTypeSigmoid:
		return 1 / (1 + exp(-x));
	case MPSCNNNeuronTypeHardSigmoid:
		return fmax(0, fmin(1, a * x + b));
	case MPSCNNNeuronTypeTanH:
		return a * tanh(b * x);
	case MPSCNNNeuronTypeAbsolute:
		return fabs(x);
	case MPSCNNNeuronTypeSoftPlus:
		return a * log(1 + exp(b * x));
	case MPSCNNNeuronTypeSoftSign:
		return x / (1 + fabs(x));
	case MPSCNNNeuronTypeELU:
		return x >= 0 ? x : a * (exp(x) - 1);
	case MPSCNNNeuronTypeReLUN:
		return fmin(leaky, b);
	case MPSCNNNeuronTypePower:
		return pow(a * x + b, c);
	case MPSCNNNeuronTypeExponential:
		return c == -1 ? exp(a * x + b) : pow(c, a * x + b);
	case MPSCNNNeuronTypeLogarithm:
		return c == -1 ? log(a * x + b) : log(a * x + b) / log(c);
	case MPSCNNNeuronTypeGeLU:
		return 0.5 * x * (1 + erf(x * sqrt(0.5)));
	default:
		return x;
	}
}

/* One unit, whose gates I and O are one and whose F is zero: h = g_h(g_c(x)). */
static float neurons_run(struct rnn_neuron candidate, struct rnn_neuron cell, float x)
{
	const struct rnn_neuron none = {MPSCNNNeuronTypeNone, 0, 0, 0};
	struct rnn_net net = {.count = 1};
	struct rnn_layer *layer = &net.layers[0];
	const struct rnn_chain chain = rnn_chain_all(&net);
	const size_t rows[] = {1};
	const struct rnn_shelf_wish wish = {.steps = 1, .columns = 1, .rows = rows, .plain = 1};
	struct bnns_random random = {0};
	struct rnn_shelf in, out;
	float y;

	*layer = (struct rnn_layer){.inputs = 1, .hidden = 1, .float32 = 1, .cell = cell};
	rnn_source_single(layer, RNN_INPUT, RNN_I, 0, 1, none);
	rnn_source_single(layer, RNN_INPUT, RNN_O, 0, 1, none);
	rnn_source_single(layer, RNN_INPUT, RNN_C, 1, 0, candidate);
	MPSRNNMatrixInferenceLayer *object = rnn_matrix_layer(&chain);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	rnn_shelf_create(&random, &wish, &in);
	rnn_shelf_create(&random, &wish, &out);
	rnn_shelf_write(&in, 0, 0, &x);
	assert_mps(MPSRNNMatrixInferenceLayer_encodeSequence(object, buffer, in.matrices, NULL, out.matrices, NULL, 1,
							     NULL, NULL) == 0);
	rnn_commit(buffer);
	rnn_shelf_read(&out, 0, 0, &y);
	rnn_shelf_destroy(&in);
	rnn_shelf_destroy(&out);
	MPSRNNMatrixInferenceLayer_release(object);
	rnn_net_destroy(&net);
	return y;
}

/* A few roundings of numbers that are 4 at most, and of their sums: formulas that are others are further off. */
#define NEURON_ERROR 0x1p-19

static void test_neurons_are_literal(void **unused)
{
	(void)unused;
	static const struct rnn_neuron neurons[] = {
		{MPSCNNNeuronTypeNone, 7, 7, 7},
		{MPSCNNNeuronTypeReLU, 0.25f, 7, 7},
		{MPSCNNNeuronTypeLinear, 0.5f, -0.25f, 7},
		{MPSCNNNeuronTypeSigmoid, 7, 7, 7},
		{MPSCNNNeuronTypeHardSigmoid, 0.5f, 0.25f, 7},
		{MPSCNNNeuronTypeHardSigmoid, 0, 0, 7}, /* literal: zero, no defaults */
		{MPSCNNNeuronTypeTanH, 1.5f, 0.75f, 7},
		{MPSCNNNeuronTypeTanH, 1, 1, 7},
		{MPSCNNNeuronTypeTanH, 0, 0, 7},
		{MPSCNNNeuronTypeAbsolute, 7, 7, 7},
		{MPSCNNNeuronTypeSoftPlus, 0.5f, 1.5f, 7},
		{MPSCNNNeuronTypeSoftSign, 7, 7, 7},
		{MPSCNNNeuronTypeELU, 0.5f, 7, 7},
		{MPSCNNNeuronTypePReLU, -0.5f, 7, 7},
		{MPSCNNNeuronTypeReLUN, 0.25f, 0.75f, 7},
		{MPSCNNNeuronTypePower, 0.5f, 1.25f, 1.5f},
		{MPSCNNNeuronTypeExponential, 0.5f, 0.25f, -1},
		{MPSCNNNeuronTypeExponential, 0.5f, 0.25f, 1.75f},
		{MPSCNNNeuronTypeLogarithm, 0.25f, 1.25f, -1},
		{MPSCNNNeuronTypeLogarithm, 0.25f, 1.25f, 10},
		{MPSCNNNeuronTypeGeLU, 7, 7, 7},
	};
	static const float xs[] = {-2, -0.75f, 0, 0.25f, 1.5f};

	for (size_t one = 0; one < sizeof neurons / sizeof *neurons; one++)
		for (size_t k = 0; k < sizeof xs / sizeof *xs; k++) {
			const struct rnn_neuron none = {MPSCNNNeuronTypeNone, 0, 0, 0}, *n = &neurons[one];
			const double expected = formula(n, (double)xs[k]);

			rnn_judge_number(one, "candidate", k, (double)neurons_run(*n, none, xs[k]), expected,
					 NEURON_ERROR);
			if (n->type != MPSCNNNeuronTypePReLU)
				rnn_judge_number(one, "cell", k, (double)neurons_run(none, *n, xs[k]), expected,
						 NEURON_ERROR);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neurons_are_literal),
		cmocka_unit_test(test_bounds_notice),
		cmocka_unit_test(test_random_cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
