/*
 * test_mps_fronts.c: one network in the three front ends of Apple's: BNNS, MPSGraph and MPS compute the same bits in
 * Float32, forward and all gradients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sluice/bnns.h>
#include <sluice/mps.h>

#include "mpsgraph_lstm_net.h"

/* What each front end makes of the network, as MPSGraph lays it out: gates i f z o side by side. */
struct solution {
	float h[ROOM], c_last[ROOM], gradients[ROLES][ROOM];
};

static const enum role COMPARED[] = {X, R, W, B, H0, C0};

static size_t count_of(const struct net *net, enum role role)
{
	const MPSShape shape = net_shape(net, role);

	return net_elements(&shape);
}

/* Sizes that differ from each other, and standard activations; no masks and peepholes, which not all three have. */
static void network_draw(struct net *net, size_t round)
{
	static const size_t sizes[][4] = {{3, 2, 5, 3}, {1, 1, 1, 1}, {4, 3, 2, 5}, {2, 5, 7, 4}, {7, 1, 3, 6}};
	const MPSGraphRNNActivation standard[GATES + 1] = {MPSGraphRNNActivationSigmoid, MPSGraphRNNActivationSigmoid,
							   MPSGraphRNNActivationTanh, MPSGraphRNNActivationSigmoid,
							   MPSGraphRNNActivationTanh};

	net_draw(net, 1);
	net->steps = sizes[round][0];
	net->batch = sizes[round][1];
	net->inputs = sizes[round][2];
	net->hidden = sizes[round][3];
	net->reverse = net->forget_last = net->leading_ones = 0;
	net->given[M] = net->given[P] = 0;
	memcpy(net->activations, standard, sizeof standard);
}

/* ---------------------------------------------------------------------------------------------------- MPSGraph --- */

static void solve_mpsgraph(const struct net *net, struct solution *out)
{
	struct answer answer;
	const size_t state = net->batch * net->hidden;

	net_solve(net, &answer);
	memcpy(out->h, answer.h, sizeof out->h);
	memcpy(out->c_last, answer.c + (net->steps - 1) * state, state * sizeof(float));
	for (size_t k = 0; k < GRADIENTS; k++)
		memcpy(out->gradients[net_gradients[k]], answer.gradients[k], sizeof answer.gradients[k]);
}

/* -------------------------------------------------------------------------------------------------------- BNNS --- */

static void point(BNNSNDArrayDescriptor *descriptor, const float *data)
{
	descriptor->data = (void *)(uintptr_t)data;
	descriptor->data_type = BNNSDataTypeFloat32;
}

static void point_gates(BNNSLayerParametersLSTM *layer, const float *w, const float *r, const float *b)
{
	BNNSLSTMGateDescriptor *gates[GATES] = {&layer->input_gate, &layer->forget_gate, &layer->candidate_gate,
						&layer->output_gate};
	const size_t I = layer->input_size, H = layer->hidden_size;

	for (size_t gate = 0; gate < GATES; gate++) {
		point(&gates[gate]->iw_desc[0], w + gate * H * I);
		point(&gates[gate]->hw_desc, r + gate * H * H);
		point(&gates[gate]->b_desc, b + gate * H);
	}
}

static void solve_bnns(const struct net *net, struct solution *out)
{
	BNNSLayerParametersLSTM layer = {.input_size = net->inputs,
					 .hidden_size = net->hidden,
					 .batch_size = net->batch,
					 .num_layers = 1,
					 .seq_len = net->steps,
					 .lstm_flags = BNNSLayerFlagsLSTMDefaultActivations};
	BNNSLayerParametersLSTM deltas = layer;

	assert_int_equal(sluice_bnns_set_options(NULL), 0);
	point_gates(&layer, net->values[W], net->values[R], net->values[B]);
	point_gates(&deltas, out->gradients[W], out->gradients[R], out->gradients[B]);
	point(&layer.input_descriptor.data_desc, net->values[X]);
	point(&layer.input_descriptor.hidden_desc, net->values[H0]);
	point(&layer.input_descriptor.cell_state_desc, net->values[C0]);
	point(&layer.output_descriptor.data_desc, out->h);
	point(&layer.output_descriptor.cell_state_desc, out->c_last);
	point(&deltas.output_descriptor.data_desc, net->values[DY]);
	point(&deltas.output_descriptor.hidden_desc, net->values[DH]);
	point(&deltas.output_descriptor.cell_state_desc, net->values[DC]);
	point(&deltas.input_descriptor.data_desc, out->gradients[X]);
	point(&deltas.input_descriptor.hidden_desc, out->gradients[H0]);
	point(&deltas.input_descriptor.cell_state_desc, out->gradients[C0]);
	const size_t capacity = BNNSComputeLSTMTrainingCacheCapacity(&layer);
	void *cache = malloc(capacity);

	assert_non_null(cache);
	if (BNNSDirectApplyLSTMBatchTrainingCaching(&layer, NULL, cache, capacity) != 0 ||
	    BNNSDirectApplyLSTMBatchBackward(&layer, &deltas, NULL, cache, capacity) != 0)
		fail_msg("%s", sluice_bnns_last_message());
	free(cache);
}

/* --------------------------------------------------------------------------------------------------------- MPS --- */

#define assert_mps(condition)                                                                 \
	do {                                                                                  \
		if (!(condition))                                                             \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, sluice_mps_last_message()); \
	} while (0)

/* A source of one gate's weights. */
struct source {
	MPSCNNConvolutionDescriptor *descriptor;
	const float *weights, *bias;
};

static MPSDataType source_type(void *user)
{
	(void)user;
	return MPSDataTypeFloat32;
}

static const MPSCNNConvolutionDescriptor *source_descriptor(void *user)
{
	return ((struct source *)user)->descriptor;
}

static void *source_weights(void *user)
{
	return (void *)(uintptr_t)((struct source *)user)->weights;
}

static float *source_bias(void *user)
{
	return (float *)(uintptr_t)((struct source *)user)->bias;
}

static int source_load(void *user)
{
	(void)user;
	return 1;
}

static void source_purge(void *user)
{
	(void)user;
}

static MPSCNNConvolutionDataSource source_make(struct source *source, size_t in, size_t out, size_t gate)
{
	source->descriptor = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, in, out);
	assert_mps(MPSCNNConvolutionDescriptor_setNeuronType_parameterA_parameterB(
			   source->descriptor, gate == 2 ? MPSCNNNeuronTypeTanH : MPSCNNNeuronTypeSigmoid, 1, 1) == 0);
	return (MPSCNNConvolutionDataSource){
		.size = sizeof(MPSCNNConvolutionDataSource),
		.user = source,
		.dataType = source_type,
		.descriptor = source_descriptor,
		.weights = source_weights,
		.biasTerms = source_bias,
		.load = source_load,
		.purge = source_purge,
	};
}

static MPSLSTMDescriptor *describe(const struct net *net, struct source sources[2][GATES])
{
	typedef int setter(MPSLSTMDescriptor *, const MPSCNNConvolutionDataSource *);
	static setter *const input[GATES] = {
		MPSLSTMDescriptor_setInputGateInputWeights, MPSLSTMDescriptor_setForgetGateInputWeights,
		MPSLSTMDescriptor_setCellGateInputWeights, MPSLSTMDescriptor_setOutputGateInputWeights};
	static setter *const recurrent[GATES] = {
		MPSLSTMDescriptor_setInputGateRecurrentWeights, MPSLSTMDescriptor_setForgetGateRecurrentWeights,
		MPSLSTMDescriptor_setCellGateRecurrentWeights, MPSLSTMDescriptor_setOutputGateRecurrentWeights};
	const size_t I = net->inputs, H = net->hidden;
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(I, H);

	assert_mps(descriptor);
	MPSRNNDescriptor_setUseFloat32Weights(MPSLSTMDescriptor_asRNNDescriptor(descriptor), 1);
	for (size_t gate = 0; gate < GATES; gate++) {
		struct source *w = &sources[0][gate], *r = &sources[1][gate];

		*w = (struct source){NULL, net->values[W] + gate * H * I, net->values[B] + gate * H};
		*r = (struct source){NULL, net->values[R] + gate * H * H, NULL};
		const MPSCNNConvolutionDataSource w_calls = source_make(w, I, H, gate),
						  r_calls = source_make(r, H, H, gate);

		assert_mps(input[gate](descriptor, &w_calls) == 0);
		assert_mps(recurrent[gate](descriptor, &r_calls) == 0);
	}
	return descriptor;
}

static void sources_release(struct source sources[2][GATES])
{
	for (size_t k = 0; k < 2 * GATES; k++)
		MPSCNNConvolutionDescriptor_release(sources[k / GATES][k % GATES].descriptor);
}

enum { STEPS = 8 };

/* The steps of an array [T,N,columns]. */
static void matrices_make(const struct net *net, const float *numbers, size_t columns, MPSMatrix *matrices[STEPS])
{
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		net->batch, columns, columns * sizeof(float), MPSDataTypeFloat32);

	for (size_t t = 0; t < net->steps; t++) {
		matrices[t] = MPSMatrix_initWithBuffer_offset_descriptor(
			(void *)(uintptr_t)numbers, t * net->batch * columns * sizeof(float), descriptor);
		assert_mps(matrices[t]);
	}
	MPSMatrixDescriptor_release(descriptor);
}

static void matrices_release(const struct net *net, MPSMatrix *matrices[STEPS])
{
	for (size_t t = 0; t < net->steps; t++)
		MPSMatrix_release(matrices[t]);
}

static float *numbers_of(MPSMatrix *matrix)
{
	assert_mps(matrix);
	return (float *)(void *)((char *)MPSMatrix_data(matrix) + MPSMatrix_offset(matrix));
}

static float *state_h(MPSRNNRecurrentMatrixState *state)
{
	return numbers_of(MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(state, 0));
}

static float *state_c(MPSRNNRecurrentMatrixState *state)
{
	return numbers_of(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(state, 0));
}

static MPSRNNRecurrentMatrixState *state_of(const struct net *net, void *layer, enum role h, enum role c)
{
	MPSRNNRecurrentMatrixState *state = sluice_mps_matrix_state(layer, net->batch);
	const size_t bytes = net->batch * net->hidden * sizeof(float);

	assert_mps(state);
	memcpy(state_h(state), net->values[h], bytes);
	memcpy(state_c(state), net->values[c], bytes);
	return state;
}

static void commit(MPSCommandBuffer *buffer)
{
	assert_mps(MPSCommandBuffer_commit(buffer) == 0);
	MPSCommandBuffer_release(buffer);
}

/* The parts of all gates, one below the other. */
static void part_copy(MPSRNNMatrixTrainingLayer *layer, MPSMatrix *const *array, const MPSRNNMatrixId ids[GATES],
		      size_t rows, size_t columns, float *to)
{
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		GATES * rows, columns, columns * sizeof(float), MPSDataTypeFloat32);
	MPSMatrix *matrix = MPSMatrix_initWithBuffer_descriptor(to, descriptor);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	for (size_t gate = 0; gate < GATES; gate++) {
		const MTLOrigin origin = {0, gate * rows, 0};

		assert_mps(MPSRNNMatrixTrainingLayer_encodeCopyWeights(layer, buffer, array, ids[gate], matrix, 1,
								       origin) == 0);
	}
	commit(buffer);
	MPSMatrix_release(matrix);
	MPSMatrixDescriptor_release(descriptor);
}

static void weights_copy(const struct net *net, MPSRNNMatrixTrainingLayer *layer, MPSMatrix *const *array,
			 struct solution *out)
{
	static const MPSRNNMatrixId w[] = {
		MPSRNNMatrixIdLSTMInputGateInputWeights, MPSRNNMatrixIdLSTMForgetGateInputWeights,
		MPSRNNMatrixIdLSTMMemoryGateInputWeights, MPSRNNMatrixIdLSTMOutputGateInputWeights};
	static const MPSRNNMatrixId r[] = {
		MPSRNNMatrixIdLSTMInputGateRecurrentWeights, MPSRNNMatrixIdLSTMForgetGateRecurrentWeights,
		MPSRNNMatrixIdLSTMMemoryGateRecurrentWeights, MPSRNNMatrixIdLSTMOutputGateRecurrentWeights};
	static const MPSRNNMatrixId b[] = {MPSRNNMatrixIdLSTMInputGateBiasTerms, MPSRNNMatrixIdLSTMForgetGateBiasTerms,
					   MPSRNNMatrixIdLSTMMemoryGateBiasTerms,
					   MPSRNNMatrixIdLSTMOutputGateBiasTerms};

	part_copy(layer, array, w, net->hidden, net->inputs, out->gradients[W]);
	part_copy(layer, array, r, net->hidden, net->hidden, out->gradients[R]);
	part_copy(layer, array, b, 1, net->hidden, out->gradients[B]);
}

static void solve_mps(const struct net *net, struct solution *out)
{
	const size_t bytes = net->batch * net->hidden * sizeof(float);
	struct source sources[2][GATES];
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES], *gradients[SLUICE_MPS_WEIGHT_MATRICES];
	MPSMatrix *x[STEPS], *y[STEPS], *dy[STEPS], *dx[STEPS];
	MPSRNNMatrixTrainingState *training[STEPS];
	MPSRNNRecurrentMatrixState *final, *outgoing;
	MPSLSTMDescriptor *descriptor = describe(net, sources);
	MPSRNNMatrixTrainingLayer *layer = MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor), weights);

	assert_mps(layer);
	assert_mps(MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(layer, gradients,
										   MPSDataTypeFloat32) == 0);
	matrices_make(net, net->values[X], net->inputs, x);
	matrices_make(net, out->h, net->hidden, y);
	matrices_make(net, net->values[DY], net->hidden, dy);
	matrices_make(net, out->gradients[X], net->inputs, dx);
	MPSRNNRecurrentMatrixState *start = state_of(net, layer, H0, C0), *incoming = state_of(net, layer, DH, DC);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	assert_mps(MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, buffer, x, NULL, y, NULL, net->steps,
								   training, start, &final, weights) == 0);
	assert_mps(MPSRNNMatrixTrainingLayer_encodeGradientSequence(layer, buffer, x, NULL, dy, NULL, dx, NULL,
								    gradients, net->steps, training, incoming,
								    &outgoing, weights) == 0);
	commit(buffer);
	memcpy(out->c_last, state_c(final), bytes);
	memcpy(out->gradients[H0], state_h(outgoing), bytes);
	memcpy(out->gradients[C0], state_c(outgoing), bytes);
	weights_copy(net, layer, gradients, out);
	for (size_t t = 0; t < net->steps; t++)
		MPSRNNMatrixTrainingState_release(training[t]);
	for (size_t k = 0; k < SLUICE_MPS_WEIGHT_MATRICES; k++) {
		MPSMatrix_release(weights[k]);
		MPSMatrix_release(gradients[k]);
	}
	matrices_release(net, x);
	matrices_release(net, y);
	matrices_release(net, dy);
	matrices_release(net, dx);
	MPSRNNRecurrentMatrixState_release(start);
	MPSRNNRecurrentMatrixState_release(incoming);
	MPSRNNRecurrentMatrixState_release(final);
	MPSRNNRecurrentMatrixState_release(outgoing);
	MPSRNNMatrixTrainingLayer_release(layer);
	MPSLSTMDescriptor_release(descriptor);
	sources_release(sources);
}

/* The layer for inference, whose results shall be those of training. */
static void infer_mps(const struct net *net, struct solution *out)
{
	struct source sources[2][GATES];
	MPSMatrix *x[STEPS], *y[STEPS];
	MPSRNNRecurrentMatrixState *final;
	MPSLSTMDescriptor *descriptor = describe(net, sources);
	MPSRNNMatrixInferenceLayer *layer = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor));
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	assert_mps(layer);
	matrices_make(net, net->values[X], net->inputs, x);
	matrices_make(net, out->h, net->hidden, y);
	MPSRNNRecurrentMatrixState *start = state_of(net, layer, H0, C0);

	assert_mps(MPSRNNMatrixInferenceLayer_encodeSequence(layer, buffer, x, NULL, y, NULL, net->steps, start,
							     &final) == 0);
	commit(buffer);
	memcpy(out->c_last, state_c(final), net->batch * net->hidden * sizeof(float));
	matrices_release(net, x);
	matrices_release(net, y);
	MPSRNNRecurrentMatrixState_release(start);
	MPSRNNRecurrentMatrixState_release(final);
	MPSRNNMatrixInferenceLayer_release(layer);
	MPSLSTMDescriptor_release(descriptor);
	sources_release(sources);
}

/* -------------------------------------------------------------------------------------------------- comparison --- */

static void bits_same(const float *a, const float *b, size_t count, const char *what)
{
	if (memcmp(a, b, count * sizeof *a) != 0)
		fail_msg("%s differ", what);
	/* Nobody left them out. */
	for (size_t k = 0; k < count; k++)
		if (a[k] != 0)
			return;
	fail_msg("%s are all zero", what);
}

static void forward_same(const struct net *net, const struct solution *a, const struct solution *b, const char *what)
{
	bits_same(a->h, b->h, count_of(net, DY), what);
	bits_same(a->c_last, b->c_last, count_of(net, C0), what);
}

static void all_same(const struct net *net, const struct solution *a, const struct solution *b, const char *what)
{
	forward_same(net, a, b, what);
	for (size_t k = 0; k < sizeof COMPARED / sizeof *COMPARED; k++)
		bits_same(a->gradients[COMPARED[k]], b->gradients[COMPARED[k]], count_of(net, COMPARED[k]), what);
}

static void test_same_bits(void **unused)
{
	(void)unused;
	static struct solution bnns, graph, mps, inferred;

	for (size_t round = 0; round < 5; round++) {
		struct net net;

		memset(&bnns, 0, sizeof bnns);
		memset(&graph, 0, sizeof graph);
		memset(&mps, 0, sizeof mps);
		memset(&inferred, 0, sizeof inferred);
		network_draw(&net, round);
		solve_bnns(&net, &bnns);
		solve_mpsgraph(&net, &graph);
		solve_mps(&net, &mps);
		infer_mps(&net, &inferred);
		forward_same(&net, &inferred, &mps, "inference and training of MPS");
		all_same(&net, &bnns, &mps, "BNNS and MPS");
		all_same(&net, &graph, &mps, "MPSGraph and MPS");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
