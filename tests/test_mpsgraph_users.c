/*
 * test_mpsgraph_users.c: what went wrong for users of an LSTM on a graph elsewhere, once each, so that it does not
 * here. Each test is named after what it guards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "mpsgraph_feeds.h"

enum { T = 5, N = 3, I = 4, H = 6 };

static MPSGraphTensor *transpose(struct mps_feeds *feeds, MPSGraphTensor *tensor)
{
	MPSGraphTensor *result =
		MPSGraph_transposeTensor_dimension_withDimension_name(feeds->graph, tensor, 0, 1, NULL);

	assert_mps(result);
	return result;
}

static MPSGraphTensor *multiply(struct mps_feeds *feeds, MPSGraphTensor *a, MPSGraphTensor *b)
{
	MPSGraphTensor *result =
		MPSGraph_multiplicationWithPrimaryTensor_secondaryTensor_name(feeds->graph, a, b, NULL);

	assert_mps(result);
	return result;
}

static MPSGraphTensor *slice(struct mps_feeds *feeds, MPSGraphTensor *tensor, size_t dimension, size_t start,
			     size_t length)
{
	MPSGraphTensor *result = MPSGraph_sliceTensor_dimension_start_length_name(
		feeds->graph, tensor, dimension, (ptrdiff_t)start, (ptrdiff_t)length, NULL);

	assert_mps(result);
	return result;
}

static void destroy_all(struct mps_memory *memory, size_t count)
{
	for (size_t index = 0; index < count; index++)
		mps_memory_destroy(&memory[index]);
}

/* ----------------------------------------------------------------------------------------------------- layout ---- */

/* The output went back untransposed: the batch first in, the batch first out. */
static void test_batch_first_comes_back_batch_first(void **unused)
{
	(void)unused;
	struct mps_feeds feeds;
	struct mps_memory found[3];

	mps_feeds_create(NULL, &feeds);
	MPSGraphTensor *const x = mps_feed(&feeds, SLUICE_MPS_SHAPE(N, T, I), 1);
	const struct mps_layer layer = mps_feed_layer(&feeds, N, I, H, 1);
	MPSGraphTensor *const time_first = transpose(&feeds, x);
	const MPSGraphLSTMResults lstm = mps_layer_forward(&feeds, &layer, time_first, 1);
	MPSGraphTensor *const y = transpose(&feeds, lstm.state);
	size_t shape[SLUICE_MPSGRAPH_RANK];

	assert_true(MPSGraphTensor_shape(y, shape) == 3 && shape[0] == N && shape[1] == T && shape[2] == H);
	mps_fetch(&feeds, (MPSGraphTensor *[]){y, lstm.state, time_first}, 3, found);
	const float *rows = found[0].at, *steps = found[1].at, *moved = found[2].at;

	for (size_t t = 0; t < T; t++)
		for (size_t n = 0; n < N; n++) {
			assert_memory_equal(rows + (n * T + t) * H, steps + (t * N + n) * H, H * sizeof(float));
			assert_memory_equal(mps_fed(&feeds, x) + (n * T + t) * I, moved + (t * N + n) * I,
					    I * sizeof(float));
		}
	/* And it is the same as if the sequence had been put in with the time first. */
	assert_true(fabsf(rows[0]) > 0 && rows[0] != rows[H]);
	destroy_all(found, 3);
	mps_feeds_destroy(&feeds);
}

/* Shapes that do not fit were noticed by a compiler that aborted, deep inside a run. */
static void test_layouts_mixed_up_are_refused_when_the_node_is_made(void **unused)
{
	(void)unused;
	struct mps_feeds feeds;

	mps_feeds_create(NULL, &feeds);
	MPSGraphTensor *const x = mps_feed(&feeds, SLUICE_MPS_SHAPE(T, N, I), 1);
	struct mps_layer layer = mps_feed_layer(&feeds, N, I, H, 1);
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();

	/* [1,T,H] for [1,N,H]. */
	layer.h0 = mps_feed(&feeds, SLUICE_MPS_SHAPE(1, T, H), 1);
	const MPSGraphLSTMResults refused = MPSGraph_LSTM(feeds.graph, x, layer.R, layer.W, layer.b, layer.h0, layer.c0,
							  NULL, NULL, descriptor, NULL);

	assert_true(!refused.state && !refused.cell && !refused.training && !refused.count && !refused.array[0]);
	assert_non_null(strstr(sluice_mpsgraph_last_message(), "initState"));
	assert_non_null(strstr(sluice_mpsgraph_last_message(), "[1,5,6]"));
	assert_non_null(strstr(sluice_mpsgraph_last_message(), "[3,6]"));
	MPSGraphLSTMDescriptor_release(descriptor);
	mps_feeds_destroy(&feeds);
}

/* ------------------------------------------------------------------------------------------- options and keys ---- */

/* What is kept for one node served another that differed in one flag: four LSTMs on the same tensors, in one graph. */
static void test_every_option_is_in_the_key(void **unused)
{
	(void)unused;
	struct mps_spec base;
	struct mps_case alone[4];
	struct mps_feeds feeds;
	MPSGraphTensor *in[MPS_SLOTS] = {0}, *targets[4];
	struct mps_memory found[4];

	mps_spec_draw(0, &base);
	base.steps = T, base.batch = N, base.inputs = I, base.hidden = H, base.directions = 1;
	base.reverse = base.forget_last = base.peephole_current = 0;
	base.type = BNNSDataTypeFloat32;
	base.mask = MPS_MASK_NONE;
	base.present[MPS_MASK] = base.present[MPS_P] = 0;
	base.present[MPS_W] = base.present[MPS_B] = base.present[MPS_DY] = 1;
	mps_feeds_create(NULL, &feeds);
	for (size_t which = 0; which < 4; which++) {
		struct mps_spec spec = base;

		spec.reverse = which == 1;
		spec.forget_last = which == 2;
		spec.present[MPS_B] = which != 3;
		mps_case_create(&spec, NULL, &alone[which]);
		mps_case_run(&alone[which]);
		mps_case_judge(&alone[which]);
		for (size_t slot = 0; slot < MPS_SLOTS && which == 0; slot++)
			if (alone[0].inputs[slot]) {
				const MPSShape shape = mps_slot_shape(&spec, (enum mps_slot)slot);

				in[slot] = mps_feed(&feeds, &shape, 1);
				memcpy(mps_fed(&feeds, in[slot]), alone[0].fed[slot].at, alone[0].fed[slot].bytes);
			}
		MPSGraphTensor *const bias = in[MPS_B];

		in[MPS_B] = which == 3 ? NULL : bias;
		targets[which] = mps_forward(feeds.graph, in, alone[which].descriptor, 0).state;
		in[MPS_B] = bias;
		assert_mps(targets[which]);
	}
	mps_fetch(&feeds, targets, 4, found);
	for (size_t which = 0; which < 4; which++) {
		mps_assert_same("an LSTM among others", &found[which], &alone[which].found[MPS_H]);
		assert_true(!which || memcmp(found[which].at, found[0].at, found[0].bytes) != 0);
	}
	destroy_all(found, 4);
	mps_feeds_destroy(&feeds);
	for (size_t which = 0; which < 4; which++)
		mps_case_destroy(&alone[which]);
}

/* Three were expected where two came: the array by the flags. */
static void test_results_are_counted_and_named(void **unused)
{
	(void)unused;
	/* produceCell, training, switch, and whether there are a cell and a z. */
	static const int rows[][5] = {{0, 0, 0, 0, 0}, {1, 0, 0, 1, 0}, {1, 1, 0, 1, 1}, {0, 1, 0, 1, 1},
				      {0, 0, 1, 0, 0}, {1, 0, 1, 1, 0}, {1, 1, 1, 1, 1}, {0, 1, 1, 0, 1}};

	for (size_t row = 0; row < sizeof(rows) / sizeof(*rows); row++) {
		sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;
		MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
		struct mps_feeds feeds;
		size_t count = 0;

		options.training_results = rows[row][2];
		mps_feeds_create(&options, &feeds);
		MPSGraphTensor *const x = mps_feed(&feeds, SLUICE_MPS_SHAPE(T, N, 4 * H), 1);
		MPSGraphTensor *const R = mps_feed(&feeds, SLUICE_MPS_SHAPE(4 * H, H), 1);

		MPSGraphLSTMDescriptor_setProduceCell(descriptor, rows[row][0]);
		MPSGraphLSTMDescriptor_setTraining(descriptor, rows[row][1]);
		const MPSGraphLSTMResults results =
			MPSGraph_LSTMWithSourceTensor_recurrentWeight_initState_initCell_descriptor_name(
				feeds.graph, x, R, NULL, NULL, descriptor, NULL);

		assert_mps(results.state);
		assert_int_equal(results.cell != NULL, rows[row][3]);
		assert_int_equal(results.training != NULL, rows[row][4]);
		assert_ptr_equal(results.array[count++], results.state);
		if (results.cell)
			assert_ptr_equal(results.array[count++], results.cell);
		if (results.training)
			assert_ptr_equal(results.array[count++], results.training);
		assert_true(results.count == count);
		MPSGraphLSTMDescriptor_release(descriptor);
		mps_feeds_destroy(&feeds);
	}
}

/* Without a bias the others' gradients moved up one place, unnoticed; that of a bias came with shape [1,1,8H]. */
static void test_gradients_are_named_and_have_their_tensors_shapes(void **unused)
{
	(void)unused;
	for (size_t directions = 1; directions <= 2; directions++)
		for (int with_bias = 0; with_bias < 2; with_bias++) {
			struct mps_feeds feeds;
			size_t at = 0;

			mps_feeds_create(NULL, &feeds);
			MPSGraphTensor *const x = mps_feed(&feeds, SLUICE_MPS_SHAPE(T, N, I), 1);
			struct mps_layer layer = mps_feed_layer(&feeds, N, I, H, directions);

			if (!with_bias)
				layer.b = NULL;
			const MPSGraphLSTMResults lstm = mps_layer_forward(&feeds, &layer, x, directions);
			const MPSGraphLSTMGradientsResults d =
				mps_layer_backward(&feeds, &layer, x, &lstm, lstm.state, directions);
			MPSGraphTensor *const named[] = {d.source, d.recurrentWeight, d.inputWeight,
							 d.bias,   d.initState,       d.initCell};
			MPSGraphTensor *const of[] = {x, layer.R, layer.W, layer.b, layer.h0, layer.c0};

			for (size_t index = 0; index < 6; index++) {
				size_t a[SLUICE_MPSGRAPH_RANK], b[SLUICE_MPSGRAPH_RANK];

				assert_int_equal(named[index] != NULL, of[index] != NULL);
				if (!of[index])
					continue;
				assert_ptr_equal(d.array[at++], named[index]);
				const size_t rank = MPSGraphTensor_shape(of[index], a);

				assert_true(MPSGraphTensor_shape(named[index], b) == rank);
				assert_memory_equal(a, b, rank * sizeof(*a));
			}
			assert_true(d.count == at && !d.peephole);
			mps_feeds_destroy(&feeds);
		}
}

/* ----------------------------------------------------------------------------------------------------- stacks ---- */

enum { DEEP = 5 };

struct stack {
	MPSGraphTensor *x[DEEP + 1], *dy[DEEP + 1]; /* of layer l: x[l], dy[l + 1] */
	struct mps_layer layers[DEEP];
	MPSGraphLSTMResults forward[DEEP];
	MPSGraphLSTMGradientsResults backward[DEEP];
	size_t count;
};

/* Layers on each other and all gradients, as a framework has it: states come as one [L,N,DH] and are cut in pieces. */
static void stack_create(struct mps_feeds *feeds, size_t count, size_t directions, struct stack *out)
{
	const size_t width = directions * H;
	MPSGraphTensor *const h0 = mps_feed(feeds, SLUICE_MPS_SHAPE(count, N, width), 1);
	MPSGraphTensor *const c0 = mps_feed(feeds, SLUICE_MPS_SHAPE(count, N, width), 1);

	out->count = count;
	out->x[0] = mps_feed(feeds, SLUICE_MPS_SHAPE(T, N, I), 1);
	out->dy[count] = mps_feed(feeds, SLUICE_MPS_SHAPE(T, N, width), 1);
	for (size_t l = 0; l < count; l++) {
		out->layers[l] = mps_feed_layer(feeds, N, l ? width : I, H, directions);
		out->layers[l].h0 = slice(feeds, h0, 0, l, 1);
		out->layers[l].c0 = slice(feeds, c0, 0, l, 1);
		out->forward[l] = mps_layer_forward(feeds, &out->layers[l], out->x[l], directions);
		out->x[l + 1] = out->forward[l].state;
	}
	for (size_t l = count; l-- > 0;) {
		out->backward[l] = mps_layer_backward(feeds, &out->layers[l], out->x[l], &out->forward[l],
						      out->dy[l + 1], directions);
		out->dy[l] = out->backward[l].source;
	}
}

enum { LAYER_RESULTS = 8 };

static void layer_targets(const struct stack *stack, size_t l, MPSGraphTensor *targets[LAYER_RESULTS])
{
	const MPSGraphLSTMGradientsResults *d = &stack->backward[l];
	MPSGraphTensor *const all[LAYER_RESULTS] = {
		stack->x[l + 1], stack->forward[l].cell, d->source,  d->recurrentWeight, d->inputWeight,
		d->bias,         d->initState,           d->initCell};

	memcpy(targets, all, sizeof(all));
}

/* A placeholder with the data of another graph's tensor. */
static MPSGraphTensor *carry(const struct mps_feeds *from, MPSGraphTensor *tensor, struct mps_feeds *to)
{
	struct mps_memory found;
	MPSShape shape;
	MPSGraphTensor *carried;

	shape.rank = MPSGraphTensor_shape(tensor, shape.size);
	mps_fetch(from, &tensor, 1, &found);
	carried = mps_feed(to, &shape, 1);
	memcpy(mps_fed(to, carried), found.at, found.bytes);
	mps_memory_destroy(&found);
	return carried;
}

/* One layer of a stack in a graph of its own, fed with what the stack feeds it: the same bits. */
static void assert_layer_alone(const struct mps_feeds *feeds, const struct stack *stack, size_t l, size_t directions)
{
	struct mps_feeds alone;
	MPSGraphTensor *targets[LAYER_RESULTS];
	struct mps_memory together[LAYER_RESULTS], found[LAYER_RESULTS];
	const struct mps_layer *layer = &stack->layers[l];
	struct stack one = {.count = 1};

	mps_feeds_create(NULL, &alone);
	one.x[0] = carry(feeds, stack->x[l], &alone);
	one.dy[1] = carry(feeds, stack->dy[l + 1], &alone);
	one.layers[0] = (struct mps_layer){carry(feeds, layer->R, &alone), carry(feeds, layer->W, &alone),
					   carry(feeds, layer->b, &alone), carry(feeds, layer->h0, &alone),
					   carry(feeds, layer->c0, &alone)};
	one.forward[0] = mps_layer_forward(&alone, &one.layers[0], one.x[0], directions);
	one.x[1] = one.forward[0].state;
	one.backward[0] = mps_layer_backward(&alone, &one.layers[0], one.x[0], &one.forward[0], one.dy[1], directions);
	layer_targets(stack, l, targets);
	mps_fetch(feeds, targets, LAYER_RESULTS, together);
	layer_targets(&one, 0, targets);
	mps_fetch(&alone, targets, LAYER_RESULTS, found);
	for (size_t index = 0; index < LAYER_RESULTS; index++)
		mps_assert_same("a layer of a stack, and alone", &together[index], &found[index]);
	destroy_all(together, LAYER_RESULTS);
	destroy_all(found, LAYER_RESULTS);
	mps_feeds_destroy(&alone);
}

/* Upper layers got the initial state of the first and the inputs of another; above two layers backward was wrong; a
 * large graph gave other numbers than a small one. */
static void test_a_layer_in_a_deep_stack_is_the_layer_alone(void **unused)
{
	(void)unused;
	for (size_t directions = 1; directions <= 2; directions++) {
		struct mps_feeds feeds;
		struct stack stack;

		mps_feeds_create(NULL, &feeds);
		stack_create(&feeds, DEEP, directions, &stack);
		for (size_t l = 0; l < DEEP; l++)
			assert_layer_alone(&feeds, &stack, l, directions);
		mps_feeds_destroy(&feeds);
	}
}

/* Each target alone gives the bits that it has among all others: what else is computed changes nothing. */
static void test_results_do_not_depend_on_what_else_is_asked(void **unused)
{
	(void)unused;
	struct mps_feeds feeds;
	struct stack stack;
	MPSGraphTensor *targets[LAYER_RESULTS];
	struct mps_memory together[LAYER_RESULTS], single;

	mps_feeds_create(NULL, &feeds);
	stack_create(&feeds, 3, 2, &stack);
	layer_targets(&stack, 1, targets);
	mps_fetch(&feeds, targets, LAYER_RESULTS, together);
	for (size_t index = 0; index < LAYER_RESULTS; index++) {
		mps_fetch(&feeds, &targets[index], 1, &single);
		mps_assert_same("one target", &together[index], &single);
		mps_memory_destroy(&single);
	}
	destroy_all(together, LAYER_RESULTS);
	mps_feeds_destroy(&feeds);
}

/* ------------------------------------------------------------------------------------------------ directions ---- */

/* Both directions in one are two LSTMs, the second from the last step to the first, side by side: the final state of
 * the second is at time 0. */
static void test_bidirectional_is_forward_beside_reverse(void **unused)
{
	(void)unused;
	struct mps_feeds feeds;
	struct mps_memory found[3];
	MPSGraphLSTMDescriptor *reverse = MPSGraphLSTMDescriptor_descriptor();

	mps_feeds_create(NULL, &feeds);
	MPSGraphTensor *const x = mps_feed(&feeds, SLUICE_MPS_SHAPE(T, N, I), 1);
	const struct mps_layer both = mps_feed_layer(&feeds, N, I, H, 2);
	struct mps_layer halves[2];

	for (size_t d = 0; d < 2; d++) {
		MPSGraphTensor *const R = slice(&feeds, both.R, 0, d, 1);

		halves[d].R = MPSGraph_squeezeTensor_axis_name(feeds.graph, R, 0, NULL);
		halves[d].W = slice(&feeds, both.W, 0, d * 4 * H, 4 * H);
		halves[d].b = slice(&feeds, both.b, 0, d * 4 * H, 4 * H);
		halves[d].h0 = slice(&feeds, both.h0, 1, d * H, H);
		halves[d].c0 = slice(&feeds, both.c0, 1, d * H, H);
	}
	MPSGraphLSTMDescriptor_setReverse(reverse, 1);
	MPSGraphTensor *const targets[3] = {mps_layer_forward(&feeds, &both, x, 2).state,
					    mps_layer_forward(&feeds, &halves[0], x, 1).state,
					    MPSGraph_LSTM(feeds.graph, x, halves[1].R, halves[1].W, halves[1].b,
							  halves[1].h0, halves[1].c0, NULL, NULL, reverse, NULL)
						    .state};

	assert_mps(targets[2]);
	mps_fetch(&feeds, targets, 3, found);
	for (size_t row = 0; row < T * N; row++)
		for (size_t d = 0; d < 2; d++)
			assert_memory_equal((const float *)found[0].at + row * 2 * H + d * H,
					    (const float *)found[1 + d].at + row * H, H * sizeof(float));
	destroy_all(found, 3);
	MPSGraphLSTMDescriptor_release(reverse);
	mps_feeds_destroy(&feeds);
}

/* -------------------------------------------------------------------------------------------------- gradients ---- */

/* Only the final states were used, and the gradient operation failed for want of a gradient of the sequence. */
static void test_gradient_of_the_sequence_may_be_absent(void **unused)
{
	(void)unused;
	for (uint64_t seed = 40; seed < 52; seed++) {
		struct mps_spec spec;
		struct mps_case with, without;

		mps_spec_draw(seed, &spec);
		spec.present[MPS_DH] = spec.present[MPS_DC] = spec.present[MPS_DY] = 1;
		mps_case_create(&spec, NULL, &with);
		memset(with.fed[MPS_DY].at, 0, with.fed[MPS_DY].bytes);
		mps_case_run(&with);
		spec.present[MPS_DY] = 0;
		mps_case_create(&spec, NULL, &without);
		mps_case_run(&without);
		mps_case_judge(&without);
		for (size_t which = 0; which < MPS_RESULTS; which++)
			if (with.found[which].at)
				mps_assert_same("zeros, and nothing", &with.found[which], &without.found[which]);
		mps_case_destroy(&with);
		mps_case_destroy(&without);
	}
}

/* Backward ignored the mask between layers: it is the gradient of a product with dropout of ones. */
static void test_backward_sees_the_mask_of_dropout(void **unused)
{
	(void)unused;
	struct mps_feeds feeds;
	struct mps_memory found[5];

	mps_feeds_create(NULL, &feeds);
	assert_mps(sluice_mpsgraph_set_seed(feeds.graph, 7) == 0);
	MPSGraphTensor *const x = mps_feed(&feeds, SLUICE_MPS_SHAPE(T, N, I), 1);
	MPSGraphTensor *const dy = mps_feed(&feeds, SLUICE_MPS_SHAPE(T, N, H), 1);
	const struct mps_layer lower = mps_feed_layer(&feeds, N, I, H, 1), upper = mps_feed_layer(&feeds, N, H, H, 1);
	MPSGraphTensor *const ones = MPSGraph_constantWithScalar_shape_dataType(
		feeds.graph, 1, SLUICE_MPS_SHAPE(T, N, H), MPSDataTypeFloat32);
	MPSGraphTensor *const mask = MPSGraph_dropoutTensor_rate_name(feeds.graph, ones, 0.5, NULL);

	assert_mps(mask);
	const MPSGraphLSTMResults first = mps_layer_forward(&feeds, &lower, x, 1);
	MPSGraphTensor *const between = multiply(&feeds, first.state, mask);
	const MPSGraphLSTMResults second = mps_layer_forward(&feeds, &upper, between, 1);
	const MPSGraphLSTMGradientsResults above = mps_layer_backward(&feeds, &upper, between, &second, dy, 1);
	MPSGraphTensor *const passed = multiply(&feeds, above.source, mask);
	const MPSGraphLSTMGradientsResults below = mps_layer_backward(&feeds, &lower, x, &first, passed, 1);

	mps_fetch(&feeds, (MPSGraphTensor *[]){mask, first.state, between, above.source, passed}, 5, found);
	const float *m = found[0].at, *h = found[1].at, *b = found[2].at, *d = found[3].at, *p = found[4].at;
	size_t dropped = 0;

	for (size_t index = 0; index < T * N * H; index++) {
		assert_true(m[index] == 0 || m[index] == 2);
		assert_true(b[index] == h[index] * m[index] && p[index] == d[index] * m[index]);
		dropped += m[index] == 0;
	}
	/* 90 draws of one half: 45 and five standard deviations of sqrt(90)/2 on either side. */
	assert_true(dropped > 45 - 24 && dropped < 45 + 24);
	/* The mask is the same tensor when gradients alone are asked for: one run with equal seed draws equally. */
	struct mps_memory again[2], together[2];
	MPSGraphTensor *const both[2] = {below.source, below.recurrentWeight};

	mps_fetch(&feeds, both, 2, together);
	mps_fetch(&feeds, &both[0], 1, &again[0]);
	mps_fetch(&feeds, &both[1], 1, &again[1]);
	mps_assert_same("gradients of one seed", &together[0], &again[0]);
	mps_assert_same("gradients of one seed", &together[1], &again[1]);
	destroy_all(again, 2);
	destroy_all(together, 2);
	destroy_all(found, 5);
	mps_feeds_destroy(&feeds);
}

/* A graph that was kept from training dropped units in evaluation. */
static void test_evaluation_does_not_drop_what_training_drops(void **unused)
{
	(void)unused;
	struct mps_feeds feeds;
	struct mps_memory trained, evaluated, again, other;

	mps_feeds_create(NULL, &feeds);
	MPSGraphTensor *const x = mps_feed(&feeds, SLUICE_MPS_SHAPE(T, N, I), 1);
	const struct mps_layer lower = mps_feed_layer(&feeds, N, I, H, 1), upper = mps_feed_layer(&feeds, N, H, H, 1);
	MPSGraphTensor *const h = mps_layer_forward(&feeds, &lower, x, 1).state;
	MPSGraphTensor *const dropped = MPSGraph_dropoutTensor_rate_name(feeds.graph, h, 0.5, NULL);
	MPSGraphTensor *const training = mps_layer_forward(&feeds, &upper, dropped, 1).state;
	MPSGraphTensor *const evaluation = mps_layer_forward(&feeds, &upper, h, 1).state;

	assert_mps(sluice_mpsgraph_set_seed(feeds.graph, 1) == 0);
	mps_fetch(&feeds, &training, 1, &trained);
	mps_fetch(&feeds, &evaluation, 1, &evaluated);
	mps_fetch(&feeds, &training, 1, &again);
	mps_assert_same("training with the same seed", &trained, &again);
	assert_true(memcmp(trained.at, evaluated.at, trained.bytes) != 0);
	mps_memory_destroy(&again);
	assert_mps(sluice_mpsgraph_set_seed(feeds.graph, 2) == 0);
	mps_fetch(&feeds, &training, 1, &other);
	mps_fetch(&feeds, &evaluation, 1, &again);
	assert_true(memcmp(trained.at, other.at, trained.bytes) != 0);
	mps_assert_same("evaluation, whatever the seed", &evaluated, &again);
	mps_memory_destroy(&trained);
	mps_memory_destroy(&evaluated);
	mps_memory_destroy(&again);
	mps_memory_destroy(&other);
	mps_feeds_destroy(&feeds);
}

/* --------------------------------------------------------------------------------------------------- numbers ---- */

/* Products beyond the largest Float16, 65504, made a sum that is not a number: sums are taken in Float32. */
static void test_float16_sums_do_not_overflow(void **unused)
{
	(void)unused;
	/* 300 * 300 - 300 * 300: 0x5cb0 is 300 as Float16, 0xdcb0 is -300. */
	uint16_t x[2] = {0x5cb0, 0x5cb0}, W[8], R[4] = {0}, h = 0xffff;
	MPSGraph *graph = MPSGraph_new();
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
	const MPSShape *const shapes[3] = {SLUICE_MPS_SHAPE(1, 1, 2), SLUICE_MPS_SHAPE(4, 1), SLUICE_MPS_SHAPE(4, 2)};
	void *const data[3] = {x, R, W};
	sluice_mpsgraph_pair feeds[3], result;

	for (size_t index = 0; index < 8; index++)
		W[index] = index % 2 ? 0xdcb0 : 0x5cb0;
	for (size_t index = 0; index < 3; index++) {
		feeds[index].tensor =
			MPSGraph_placeholderWithShape_dataType_name(graph, shapes[index], MPSDataTypeFloat16, NULL);
		feeds[index].data =
			MPSGraphTensorData_initWithData_shape_dataType(data[index], shapes[index], MPSDataTypeFloat16);
		assert_mps(feeds[index].tensor && feeds[index].data);
	}
	result.tensor = MPSGraph_LSTM(graph, feeds[0].tensor, feeds[1].tensor, feeds[2].tensor, NULL, NULL, NULL, NULL,
				      NULL, descriptor, NULL)
				.state;
	result.data = MPSGraphTensorData_initWithData_shape_dataType(&h, SLUICE_MPS_SHAPE(1, 1, 1), MPSDataTypeFloat16);
	assert_mps(result.tensor && result.data);
	assert_mps(MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(graph, NULL, feeds, 3, NULL,
											    0, &result, 1) == 0);
	/* All arguments are 0: h = sigmoid(0) tanh(sigmoid(0) tanh(0)) = 0. */
	assert_int_equal(h & 0x7fff, 0);
	for (size_t index = 0; index < 3; index++)
		MPSGraphTensorData_release(feeds[index].data);
	MPSGraphTensorData_release(result.data);
	MPSGraphLSTMDescriptor_release(descriptor);
	MPSGraph_release(graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch_first_comes_back_batch_first),
		cmocka_unit_test(test_layouts_mixed_up_are_refused_when_the_node_is_made),
		cmocka_unit_test(test_every_option_is_in_the_key),
		cmocka_unit_test(test_results_are_counted_and_named),
		cmocka_unit_test(test_gradients_are_named_and_have_their_tensors_shapes),
		cmocka_unit_test(test_a_layer_in_a_deep_stack_is_the_layer_alone),
		cmocka_unit_test(test_results_do_not_depend_on_what_else_is_asked),
		cmocka_unit_test(test_bidirectional_is_forward_beside_reverse),
		cmocka_unit_test(test_gradient_of_the_sequence_may_be_absent),
		cmocka_unit_test(test_backward_sees_the_mask_of_dropout),
		cmocka_unit_test(test_evaluation_does_not_drop_what_training_drops),
		cmocka_unit_test(test_float16_sums_do_not_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
