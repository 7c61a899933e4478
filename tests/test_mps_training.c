/*
 * test_mps_training.c: MPS's training layer against the oracle: weights by their ids, forward and gradient calls in
 * chunks, truncated and whole.
 *
 * Calls that keep all states are judged step by step, within the bounds of one step; calls of whole chunks must give
 * the same bits of dx and states, and gradients of weights within the bounds that the steps add up to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mps_course.h"

enum { CASES = 200 };

static void test_random_cases(void **unused)
{
	(void)unused;
	size_t whole = 0, accumulates = 0, halves = 0, chunks[RNN_CHUNKS] = {0};

	rnn_tally = (struct rnn_tally){0};
	for (uint64_t seed = 0; seed < CASES; seed++) {
		const struct rnn_wish wish = {.seed = seed};
		struct rnn_course course;

		rnn_course_create(&wish, &course);
		rnn_course_forward(&course);
		rnn_course_judge_steps(&course);
		rnn_course_judge_whole(&course);
		whole += (size_t)course.whole;
		accumulates += (size_t)course.accumulates;
		halves += course.gradient_type == MPSDataTypeFloat16;
		chunks[course.chunks - 1]++;
		rnn_course_destroy(&course);
	}
	print_message("%zu numbers, the largest error %.2f of what it may be\n", rnn_tally.numbers, rnn_tally.worst);
	assert_true(whole > CASES / 4 && accumulates > CASES / 4 && halves > CASES / 8);
	for (size_t k = 0; k < RNN_CHUNKS; k++)
		assert_true(chunks[k] > CASES / 8);
	assert_true(rnn_tally.worst > 0.1);
}

/* The bounds notice what is least conspicuous: one weight, off by a part in two hundred on the way back. */
static void test_bounds_notice(void **unused)
{
	(void)unused;
	const struct rnn_tally tally = rnn_tally;
	size_t noticed = 0, rounds = 50;

	for (uint64_t seed = 1000; seed < 1000 + rounds; seed++) {
		const struct rnn_wish wish = {.seed = seed, .plain = 1};
		struct rnn_course course;

		rnn_course_create(&wish, &course);
		rnn_course_forward(&course);
		rnn_tally = (struct rnn_tally){.counts = 1};
		course.dy[0] += 0.005f;
		rnn_course_judge_steps(&course);
		noticed += rnn_tally.beyond > 0;
		rnn_course_destroy(&course);
	}
	rnn_tally = tally;
	assert_int_equal(noticed, rounds);
}

/* ------------------------------------------------------------------------------------------------------- golden --- */

/* T = 2, all sizes 1, diagonal memory weights, L = h[0] + h[1]: values of the equations, computed elsewhere to twelve
 * digits; central differences confirm them. In the order of gates here: i f c o. */
static const float golden_W[] = {0.5f, -0.3f, 0.8f, 0.1f}, golden_U[] = {0.2f, 0.4f, -0.6f, 0.7f},
		   golden_b[] = {0.1f, 0.2f, -0.1f, 0.05f}, golden_V[] = {0.3f, -0.2f, 0.15f, 0.25f};
static const double golden_h[] = {0.036551805868, -0.104098898200}, golden_c[] = {0.061740870444, -0.233204270626},
		    golden_dx[] = {0.405395203032, -0.035878306438},
		    golden_dstart[] = {-0.260323709308, 0.535637978357};
static const double golden_gradients[RNN_PARTS + 1][RNN_GATES] = {
	[RNN_INPUT] = {0.244260638486, -0.092914092690, 0.392992370908, 0.127533721314},
	[RNN_MEMORY] = {-0.037871649287, 0.033109132108, -0.168245000549, 0.014105335373},
	[RNN_PARTS] = {0.001124033552, -0.076430023048, 0.437887388433, -0.042840378418},
};

/* Numbers are below 1 and results of some 20 roundings, each of which later steps carry on at most doubled. */
static void assert_near(double found, double expected)
{
	rnn_judge_number(0, "golden", 0, found, expected, 40 * 0x1p-24);
}

static struct rnn_layer *golden_net(struct rnn_net *net)
{
	const struct rnn_neuron sigmoid = {MPSCNNNeuronTypeSigmoid, 0, 0, 0}, tanh = {MPSCNNNeuronTypeTanH, 1, 1, 0};
	struct rnn_layer *layer = &net->layers[0];

	memset(net, 0, sizeof *net);
	net->count = 1;
	*layer = (struct rnn_layer){.inputs = 1, .hidden = 1, .float32 = 1, .diagonal = 1, .cell = tanh};
	for (size_t gate = 0; gate < RNN_GATES; gate++) {
		const struct rnn_neuron neuron = gate == RNN_C ? tanh : sigmoid;

		rnn_source_single(layer, RNN_INPUT, (enum rnn_gate)gate, golden_W[gate], golden_b[gate], neuron);
		/* Their biases are not read. */
		rnn_source_single(layer, RNN_RECURRENT, (enum rnn_gate)gate, golden_U[gate], 100, neuron);
		rnn_source_single(layer, RNN_MEMORY, (enum rnn_gate)gate, golden_V[gate], 100, neuron);
	}
	return layer;
}

static float *number_of(MPSMatrix *matrix)
{
	assert_non_null(matrix);
	return (float *)(void *)((char *)MPSMatrix_data(matrix) + MPSMatrix_offset(matrix));
}

static void golden_states(MPSRNNRecurrentMatrixState **states, const double *h, const double *c, size_t count)
{
	for (size_t t = 0; t < count; t++) {
		assert_near(*number_of(MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(states[t], 0)),
			    h[t]);
		assert_near(*number_of(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(states[t], 0)),
			    c[t]);
		MPSRNNRecurrentMatrixState_release(states[t]);
	}
}

static void golden_weights(MPSRNNMatrixTrainingLayer *layer, MPSMatrix *const *gradients)
{
	MPSMatrixDescriptor *descriptor =
		MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(1, 1, 4, MPSDataTypeFloat32);
	MPSMatrix *matrix = MPSMatrix_initWithDevice_descriptor(NULL, descriptor);
	const MTLOrigin origin = {0, 0, 0};

	for (int id = MPSRNNMatrixIdLSTMInputGateInputWeights; id < RNN_IDS; id++) {
		const struct rnn_block block = rnn_block_of((MPSRNNMatrixId)id);
		MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

		assert_mps(MPSRNNMatrixTrainingLayer_encodeCopyWeights(layer, buffer, gradients, (MPSRNNMatrixId)id,
								       matrix, 1, origin) == 0);
		rnn_commit(buffer);
		/* The recurrent weights' are not among the golden numbers. */
		if (block.part != RNN_RECURRENT)
			assert_near(*number_of(matrix), golden_gradients[block.part][block.gate]);
	}
	MPSMatrix_release(matrix);
	MPSMatrixDescriptor_release(descriptor);
}

static void test_golden_case(void **unused)
{
	(void)unused;
	enum { STEPS = 2 };
	const size_t rows[] = {1, 1};
	const struct rnn_shelf_wish wish = {.steps = STEPS, .columns = 1, .rows = rows, .plain = 1};
	const float x[] = {1, -2}, one = 1;
	struct rnn_net net;
	struct rnn_shelf shelves[4];
	struct bnns_random random = {1};
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES], *gradients[SLUICE_MPS_WEIGHT_MATRICES];
	MPSRNNMatrixTrainingState *training[STEPS];
	MPSRNNRecurrentMatrixState *states[STEPS], *start, *outgoing[STEPS];
	MPSLSTMDescriptor *descriptor = rnn_descriptor(golden_net(&net));
	MPSRNNMatrixTrainingLayer *layer = MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor), weights);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	assert_mps(layer);
	start = sluice_mps_matrix_state(layer, 1);
	*number_of(MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(start, 0)) = 0.3f;
	*number_of(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(start, 0)) = -0.4f;
	for (size_t k = 0; k < 4; k++)
		rnn_shelf_create(&random, &wish, &shelves[k]);
	for (size_t t = 0; t < STEPS; t++) {
		rnn_shelf_write(&shelves[0], t, 0, &x[t]);
		rnn_shelf_write(&shelves[2], t, 0, &one);
	}
	assert_mps(MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(layer, gradients,
										   MPSDataTypeFloat32) == 0);
	MPSRNNMatrixTrainingLayer_setStoreAllIntermediateStates(layer, 1);
	assert_mps(MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, buffer, shelves[0].matrices, NULL,
								   shelves[1].matrices, NULL, STEPS, training, start,
								   states, weights) == 0);
	assert_mps(MPSRNNMatrixTrainingLayer_encodeGradientSequence(
			   layer, buffer, shelves[0].matrices, NULL, shelves[2].matrices, NULL, shelves[3].matrices,
			   NULL, gradients, STEPS, training, NULL, outgoing, weights) == 0);
	rnn_commit(buffer);
	for (size_t t = 0; t < STEPS; t++) {
		float h, dx;

		rnn_shelf_read(&shelves[1], t, 0, &h);
		rnn_shelf_read(&shelves[3], t, 0, &dx);
		assert_near((double)h, golden_h[t]);
		assert_near((double)dx, golden_dx[t]);
		MPSRNNMatrixTrainingState_release(training[t]);
	}
	golden_states(states, golden_h, golden_c, STEPS);
	golden_states(outgoing, &golden_dstart[0], &golden_dstart[1], 1);
	MPSRNNRecurrentMatrixState_release(outgoing[1]);
	golden_weights(layer, gradients);
	for (size_t k = 0; k < SLUICE_MPS_WEIGHT_MATRICES; k++) {
		MPSMatrix_release(weights[k]);
		MPSMatrix_release(gradients[k]);
		rnn_shelf_destroy(&shelves[k]);
	}
	MPSRNNRecurrentMatrixState_release(start);
	MPSRNNMatrixTrainingLayer_release(layer);
	MPSLSTMDescriptor_release(descriptor);
	rnn_net_destroy(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_case),
		cmocka_unit_test(test_bounds_notice),
		cmocka_unit_test(test_random_cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
