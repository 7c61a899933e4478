/* mpsgraph_lstm_net.c: small LSTMs of MPSGraph, solved by one graph with forward and backward in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mpsgraph_lstm_net.h"

const enum role net_gradients[GRADIENTS] = {X, R, W, B, P, H0, C0};

/* --- numbers --- */

static float number(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (float)((double)(*state >> 40) / (1 << 23) - 1); /* in [-1,1), 24 bits */
}

/* To 16 bits and back, for numbers that they hold exactly. */
static uint16_t to_16(float value, MPSDataType type)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	if (type == MPSDataTypeBFloat16)
		return (uint16_t)(bits >> 16);
	if (value == 0)
		return 0;
	return (uint16_t)((bits >> 16 & 0x8000) | (((bits >> 23 & 0xff) - 112) << 10) | (bits >> 13 & 0x3ff));
}

static float from_16(uint16_t half, MPSDataType type)
{
	uint32_t bits = (uint32_t)half << 16;
	float value;
	if (type != MPSDataTypeBFloat16)
		bits = (half & 0x7fffu) == 0
			       ? 0
			       : ((uint32_t)(half & 0x8000) << 16) | (((uint32_t)(half & 0x7fff) << 13) + (112u << 23));
	memcpy(&value, &bits, sizeof value);
	return value;
}

static void store(void *to, const float *from, size_t count, MPSDataType type)
{
	if (type == MPSDataTypeFloat32) {
		memcpy(to, from, count * sizeof *from);
		return;
	}
	for (size_t k = 0; k < count; k++) {
		const uint16_t half = to_16(from[k], type);
		memcpy((char *)to + k * sizeof half, &half, sizeof half);
	}
}

static void load(float *to, const void *from, size_t count, MPSDataType type)
{
	if (type == MPSDataTypeFloat32) {
		memcpy(to, from, count * sizeof *to);
		return;
	}
	for (size_t k = 0; k < count; k++) {
		uint16_t half;
		memcpy(&half, (const char *)from + k * sizeof half, sizeof half);
		to[k] = from_16(half, type);
	}
}

void net_assert_same(const float *a, const float *b, size_t count, const char *what)
{
	for (size_t k = 0; k < count; k++)
		if (!(a[k] == b[k]))
			fail_msg("%s: element %zu of %zu is %.9g, expected %.9g", what, k, count, (double)a[k],
				 (double)b[k]);
}

/* --- an LSTM as a graph --- */

size_t net_elements(const MPSShape *shape)
{
	size_t count = 1;
	for (size_t k = 0; k < shape->rank; k++)
		count *= shape->size[k];
	return count;
}

MPSShape net_shape(const struct net *net, enum role role)
{
	const size_t t = net->steps, n = net->batch, h = net->hidden, states = net->directions * h;
	const int both = net->directions == 2;
	const MPSShape one_way[ROLES] = {
		[X] = {3, {t, n, net->inputs}},
		[R] = {2, {4 * h, h}},
		[W] = {2, {4 * states, net->inputs}},
		[B] = {1, {4 * states}},
		[H0] = {2, {n, states}},
		[C0] = {2, {n, states}},
		[P] = {1, {4 * h}},
		[DY] = {3, {t, n, states}},
		[DH] = {2, {n, states}},
		[DC] = {2, {n, states}},
	};
	const MPSShape masks[] = {{1, {states}}, {1, {states}}, {2, {n, states}}, {3, {t, n, states}}};
	MPSShape shape = role == M ? masks[net->mask_rank] : one_way[role];
	const int leading = (role == M || role == H0 || role == C0 || role == DH || role == DC) && net->leading_ones;
	if ((both && (role == R || role == P)) || leading) {
		memmove(shape.size + 1, shape.size, shape.rank * sizeof shape.size[0]);
		shape.size[0] = leading ? 1 : 2;
		shape.rank++;
	}
	return shape;
}

/* An LSTM with random numbers that are all given. */
void net_draw(struct net *net, size_t directions)
{
	static const MPSGraphRNNActivation standard[] = {MPSGraphRNNActivationSigmoid, MPSGraphRNNActivationSigmoid,
							 MPSGraphRNNActivationTanh, MPSGraphRNNActivationSigmoid,
							 MPSGraphRNNActivationTanh};
	uint64_t state = 7 + directions;
	memset(net, 0, sizeof *net);
	net->steps = 3;
	net->batch = 2;
	net->inputs = 5;
	net->hidden = 3;
	net->directions = directions;
	net->type = MPSDataTypeFloat32;
	net->mask_rank = 3;
	net->options.size = sizeof net->options;
	memcpy(net->activations, standard, sizeof standard);
	for (int role = 0; role < ROLES; role++) {
		net->given[role] = 1;
		for (size_t k = 0; k < ROOM; k++)
			net->values[role][k] = number(&state);
	}
}

MPSGraphLSTMDescriptor *net_descriptor(const struct net *net)
{
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
	assert_non_null(descriptor);
	MPSGraphLSTMDescriptor_setReverse(descriptor, net->reverse);
	MPSGraphLSTMDescriptor_setBidirectional(descriptor, net->directions == 2);
	MPSGraphLSTMDescriptor_setProduceCell(descriptor, 1);
	MPSGraphLSTMDescriptor_setTraining(descriptor, 1);
	MPSGraphLSTMDescriptor_setForgetGateLast(descriptor, net->forget_last);
	MPSGraphLSTMDescriptor_setInputGateActivation(descriptor, net->activations[0]);
	MPSGraphLSTMDescriptor_setForgetGateActivation(descriptor, net->activations[1]);
	MPSGraphLSTMDescriptor_setCellGateActivation(descriptor, net->activations[2]);
	MPSGraphLSTMDescriptor_setOutputGateActivation(descriptor, net->activations[3]);
	MPSGraphLSTMDescriptor_setActivation(descriptor, net->activations[4]);
	return descriptor;
}

MPSGraph *net_graph(const struct net *net)
{
	MPSGraph *graph = MPSGraph_new();
	assert_non_null(graph);
	assert_int_equal(sluice_mpsgraph_set_options(graph, &net->options), 0);
	return graph;
}

void net_tensors(const struct net *net, MPSGraph *graph, MPSGraphTensor *tensors[ROLES])
{
	for (int role = 0; role < ROLES; role++) {
		const MPSShape shape = net_shape(net, (enum role)role);
		float data[ROOM];
		tensors[role] = NULL;
		if (!net->given[role])
			continue;
		assert_true(net_elements(&shape) <= ROOM);
		store(data, net->values[role], net_elements(&shape), net->type);
		tensors[role] = MPSGraph_constantWithData_shape_dataType(graph, data, &shape, net->type);
		assert_non_null(tensors[role]);
	}
}

MPSGraphLSTMResults net_forward(MPSGraph *graph, MPSGraphTensor *const t[ROLES], MPSGraphLSTMDescriptor *descriptor)
{
	return MPSGraph_LSTM(graph, t[X], t[R], t[W], t[B], t[H0], t[C0], t[M], t[P], descriptor, "lstm");
}

MPSGraphLSTMGradientsResults net_backward(MPSGraph *graph, MPSGraphTensor *const t[ROLES],
					  const MPSGraphLSTMResults *results, MPSGraphLSTMDescriptor *descriptor)
{
	return MPSGraph_LSTMGradients(graph, t[X], t[R], t[DY], results->training, results->cell, t[DH], t[DC], t[W],
				      t[B], t[H0], t[C0], t[M], t[P], descriptor, NULL);
}

static MPSShape tensor_shape(const MPSGraphTensor *tensor)
{
	MPSShape shape = {0};
	shape.rank = MPSGraphTensor_shape(tensor, shape.size);
	assert_true(net_elements(&shape) <= ROOM);
	return shape;
}

void net_run(MPSGraph *graph, MPSGraphTensor *const *tensors, float *const *to, size_t count)
{
	sluice_mpsgraph_pair results[GRADIENTS + 3] = {{NULL, NULL}};
	size_t used = 0;
	assert_true(count <= GRADIENTS + 3);
	for (size_t k = 0; k < count; k++) {
		const MPSShape shape = tensor_shape(tensors[k]);
		if (!tensors[k])
			continue;
		results[used].tensor = tensors[k];
		results[used].data = MPSGraphTensorData_initWithData_shape_dataType(
			to[k], &shape, MPSGraphTensor_dataType(tensors[k]));
		assert_non_null(results[used++].data);
	}
	if (MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(graph, NULL, NULL, 0, NULL, 0,
										     results, used) != 0)
		fail_msg("%s", sluice_mpsgraph_last_message());
	for (size_t k = 0; k < count; k++) {
		const MPSShape shape = tensor_shape(tensors[k]);
		float data[ROOM];
		memcpy(data, to[k], sizeof data);
		if (tensors[k])
			load(to[k], data, net_elements(&shape), MPSGraphTensor_dataType(tensors[k]));
	}
	for (size_t k = 0; k < used; k++)
		MPSGraphTensorData_release(results[k].data);
}

void net_solve(const struct net *net, struct answer *answer)
{
	MPSGraph *graph = net_graph(net);
	MPSGraphLSTMDescriptor *descriptor = net_descriptor(net);
	MPSGraphTensor *tensors[ROLES];
	memset(answer, 0, sizeof *answer);
	net_tensors(net, graph, tensors);
	const MPSGraphLSTMResults made = net_forward(graph, tensors, descriptor);
	if (made.count != 3)
		fail_msg("%s", sluice_mpsgraph_last_message());
	const MPSGraphLSTMGradientsResults back = net_backward(graph, tensors, &made, descriptor);
	if (back.count == 0)
		fail_msg("%s", sluice_mpsgraph_last_message());
	MPSGraphLSTMDescriptor_release(descriptor);
	MPSGraphTensor *wanted[GRADIENTS + 3] = {back.source,   back.recurrentWeight, back.inputWeight, back.bias,
						 back.peephole, back.initState,       back.initCell,    made.state,
						 made.cell,     made.training};
	float *to[GRADIENTS + 3];
	for (size_t k = 0; k < GRADIENTS; k++) {
		to[k] = answer->gradients[k];
		answer->rank[k] = MPSGraphTensor_shape(wanted[k], NULL);
		assert_int_equal(wanted[k] != NULL, net->given[net_gradients[k]]);
		if (wanted[k])
			assert_ptr_equal(back.array[answer->count++], wanted[k]);
	}
	assert_int_equal(back.count, answer->count);
	to[GRADIENTS] = answer->h;
	to[GRADIENTS + 1] = answer->c;
	to[GRADIENTS + 2] = answer->z;
	net_run(graph, wanted, to, GRADIENTS + 3);
	MPSGraph_release(graph);
}

size_t net_gradient_count(const struct net *net, size_t gradient)
{
	const MPSShape shape = net_shape(net, net_gradients[gradient]);
	return net_elements(&shape);
}

void net_assert_results_same(const struct net *net, const struct answer *a, const struct answer *b)
{
	const size_t states = net->steps * net->batch * net->directions * net->hidden;
	net_assert_same(a->h, b->h, states, "h");
	net_assert_same(a->c, b->c, states, "c");
	net_assert_same(a->z, b->z, GATES * states, "z");
}

void net_assert_all_same(const struct net *net, const struct answer *a, const struct answer *b)
{
	net_assert_results_same(net, a, b);
	for (size_t k = 0; k < GRADIENTS; k++)
		if (a->rank[k] && b->rank[k])
			net_assert_same(a->gradients[k], b->gradients[k], net_gradient_count(net, k), "gradient");
}
