/*
 * mpsgraph_probe.c: asks this project's MPSGraph what Apple's documents leave open, one line an answer.
 *
 *   cc mpsgraph_probe.c -lsluice-mpsgraph -lm
 *
 * mpsgraph_probe.m asks Apple's the same, on a Mac; docs/APPLE.md holds what this project answers, and why. The
 * variable SLUICE_MPSGRAPH_SWITCH names a field of sluice_mpsgraph_options to turn first.
 */
#define _POSIX_C_SOURCE 200809L
#include <sluice/mpsgraph.h>

#include "mpsgraph_ask.h"

static const MPSDataType TYPES[] = {MPSDataTypeFloat32, MPSDataTypeFloat16, MPSDataTypeBFloat16};
enum { FEEDS = TENSORS + 3, TARGETS = RESULTS + GRADIENTS };

/* A graph, what it is fed with, and what is wanted of it. */
struct session {
	MPSGraph *graph;
	MPSDataType type;
	sluice_mpsgraph_pair feeds[FEEDS];
	size_t feed_count;
	MPSGraphTensor *targets[TARGETS];
	size_t target_count;
};

static void turn_switch(sluice_mpsgraph_options *options, const char *name)
{
	const struct {
		const char *name;
		int *field;
	} switches[] = {
		{"peephole_output", &options->peephole_output},
		{"training_results", &options->training_results},
		{"bias_gradient_shape", &options->bias_gradient_shape},
		{"reverse_alignment", &options->reverse_alignment},
	};
	for (size_t k = 0; k < sizeof(switches) / sizeof(switches[0]); k++)
		if (strcmp(name, switches[k].name) == 0)
			*switches[k].field = 1;
	if (strcmp(name, "hard_sigmoid_slope") == 0) {
		options->hard_sigmoid_slope = 1.0f / 6;
		options->hard_sigmoid_offset = 0.5f;
	}
	if (strcmp(name, "hard_sigmoid_offset") == 0) {
		options->hard_sigmoid_slope = 0.2f;
		options->hard_sigmoid_offset = 0.4f;
	}
}

static int begin(struct session *session, int type)
{
	sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;
	const char *name = getenv("SLUICE_MPSGRAPH_SWITCH");
	memset(session, 0, sizeof(*session));
	session->type = TYPES[type];
	session->graph = MPSGraph_new();
	turn_switch(&options, name ? name : "");
	return session->graph ? sluice_mpsgraph_set_options(session->graph, &options) : 1;
}

static void end(struct session *session)
{
	for (size_t k = 0; k < session->feed_count; k++)
		MPSGraphTensorData_release(session->feeds[k].data);
	MPSGraph_release(session->graph);
}

/* Of the array's numbers, in the type of the node; nil stays nil. */
static MPSGraphTensor *feed(struct session *session, struct array *array)
{
	MPSShape sizes = {array->rank, {0}};
	sluice_mpsgraph_pair *pair = &session->feeds[session->feed_count];
	if (array->rank == 0)
		return NULL;
	memcpy(sizes.size, array->size, sizeof(array->size));
	pair->tensor = MPSGraph_placeholderWithShape_dataType_name(session->graph, &sizes, MPSDataTypeFloat32, NULL);
	pair->data = MPSGraphTensorData_initWithData_shape_dataType(array->data, &sizes, MPSDataTypeFloat32);
	session->feed_count++;
	if (session->type == MPSDataTypeFloat32)
		return pair->tensor;
	return MPSGraph_castTensor_toType_name(session->graph, pair->tensor, session->type, NULL);
}

static void want(struct session *session, MPSGraphTensor *const *tensors, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		MPSGraphTensor *tensor = tensors[k];
		if (session->type != MPSDataTypeFloat32)
			tensor = MPSGraph_castTensor_toType_name(session->graph, tensor, MPSDataTypeFloat32, NULL);
		session->targets[session->target_count++] = tensor;
	}
}

/* What came, as an array; 0 if it does not fit into one. */
static int take(struct array *array, const MPSGraphTensorData *data)
{
	size_t size[SLUICE_MPSGRAPH_RANK];
	array->rank = MPSGraphTensorData_shape(data, size);
	if (array->rank > RANK)
		return 0;
	memcpy(array->size, size, sizeof(array->size));
	if (count_of(array) > ROOM)
		return 0;
	memcpy(array->data, MPSGraphTensorData_data(data), count_of(array) * sizeof(float));
	return 1;
}

static int run_session(struct session *session, struct net *net)
{
	MPSGraphTensorData *data[TARGETS];
	int result = MPSGraph_runWithFeeds_targetTensors_targetOperations(session->graph, session->feeds,
									  session->feed_count, session->targets,
									  session->target_count, NULL, 0, data);
	if (result != 0)
		return result;
	for (size_t k = 0; k < session->target_count; k++) {
		struct array *array = k < net->results ? &net->result[k] : &net->gradient[k - net->results];
		if (!take(array, data[k]))
			result = 1;
		MPSGraphTensorData_release(data[k]);
	}
	return result;
}

/* ------------------------------------------------------------------------------------------------- descriptor -- */

static MPSGraphLSTMDescriptor *new_descriptor(const struct net *net)
{
	MPSGraphLSTMDescriptor *d = MPSGraphLSTMDescriptor_descriptor();
	const int *functions = net->functions;
	if (!d)
		give_up("refused");
	MPSGraphLSTMDescriptor_setReverse(d, net->reverse);
	MPSGraphLSTMDescriptor_setBidirectional(d, net->bidirectional);
	MPSGraphLSTMDescriptor_setProduceCell(d, net->produce_cell);
	MPSGraphLSTMDescriptor_setTraining(d, net->training);
	MPSGraphLSTMDescriptor_setForgetGateLast(d, net->forget_gate_last);
	MPSGraphLSTMDescriptor_setInputGateActivation(d, (MPSGraphRNNActivation)functions[INPUT_GATE]);
	MPSGraphLSTMDescriptor_setForgetGateActivation(d, (MPSGraphRNNActivation)functions[FORGET_GATE]);
	MPSGraphLSTMDescriptor_setCellGateActivation(d, (MPSGraphRNNActivation)functions[CELL_GATE]);
	MPSGraphLSTMDescriptor_setOutputGateActivation(d, (MPSGraphRNNActivation)functions[OUTPUT_GATE]);
	MPSGraphLSTMDescriptor_setActivation(d, (MPSGraphRNNActivation)functions[OUTPUT]);
	return d;
}

static int platform_defaults(struct net *net)
{
	MPSGraphLSTMDescriptor *d = MPSGraphLSTMDescriptor_descriptor();
	if (!d)
		return 1;
	net->reverse = MPSGraphLSTMDescriptor_reverse(d);
	net->bidirectional = MPSGraphLSTMDescriptor_bidirectional(d);
	net->produce_cell = MPSGraphLSTMDescriptor_produceCell(d);
	net->training = MPSGraphLSTMDescriptor_training(d);
	net->forget_gate_last = MPSGraphLSTMDescriptor_forgetGateLast(d);
	net->functions[INPUT_GATE] = (int)MPSGraphLSTMDescriptor_inputGateActivation(d);
	net->functions[FORGET_GATE] = (int)MPSGraphLSTMDescriptor_forgetGateActivation(d);
	net->functions[CELL_GATE] = (int)MPSGraphLSTMDescriptor_cellGateActivation(d);
	net->functions[OUTPUT_GATE] = (int)MPSGraphLSTMDescriptor_outputGateActivation(d);
	net->functions[OUTPUT] = (int)MPSGraphLSTMDescriptor_activation(d);
	MPSGraphLSTMDescriptor_release(d);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ nodes -- */

static int add_forward(struct session *session, struct net *net, MPSGraphTensor **in, MPSGraphTensor **out)
{
	MPSGraphLSTMDescriptor *descriptor = new_descriptor(net);
	MPSGraphLSTMResults results;
	for (size_t k = 0; k < TENSORS; k++)
		in[k] = feed(session, &net->in[k]);
	if (net->only_needed)
		results = MPSGraph_LSTMWithSourceTensor_recurrentWeight_initState_initCell_descriptor_name(
			session->graph, in[SOURCE], in[RECURRENT], NULL, NULL, descriptor, NULL);
	else
		results = MPSGraph_LSTM(session->graph, in[SOURCE], in[RECURRENT], in[INPUT], in[BIAS], in[STATE],
					in[CELL], in[MASK], in[PEEPHOLE], descriptor, NULL);
	MPSGraphLSTMDescriptor_release(descriptor);
	net->results = results.count;
	memcpy(out, results.array, sizeof(results.array));
	want(session, results.array, results.count);
	return results.count == 0;
}

/* The shortest method's name fills a line. */
#define GRADIENTS_SHORTEST \
	MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_descriptor_name

static int add_backward(struct session *session, struct net *net, MPSGraphTensor **in, MPSGraphTensor **out)
{
	MPSGraphLSTMDescriptor *descriptor = new_descriptor(net);
	MPSGraphTensor *dy = feed(session, &net->source_gradient), *dh = feed(session, &net->state_gradient),
		       *dc = feed(session, &net->cell_gradient);
	MPSGraphLSTMGradientsResults results;
	if (net->only_needed)
		results = GRADIENTS_SHORTEST(session->graph, in[SOURCE], in[RECURRENT], dy, out[2], out[1], descriptor,
					     NULL);
	else
		results = MPSGraph_LSTMGradients(session->graph, in[SOURCE], in[RECURRENT], dy, out[2], out[1], dh, dc,
						 in[INPUT], in[BIAS], in[STATE], in[CELL], in[MASK], in[PEEPHOLE],
						 descriptor, NULL);
	MPSGraphLSTMDescriptor_release(descriptor);
	net->gradients = results.count;
	want(session, results.array, results.count);
	return results.count == 0;
}

static int build_and_run(struct net *net, int backward)
{
	struct session session;
	MPSGraphTensor *in[TENSORS], *out[RESULTS] = {NULL};
	int result = begin(&session, net->type);
	if (result == 0)
		result = add_forward(&session, net, in, out);
	if (result == 0 && backward)
		result = add_backward(&session, net, in, out);
	if (result == 0)
		result = run_session(&session, net);
	end(&session);
	return result;
}

static int platform_forward(struct net *net)
{
	return build_and_run(net, 0);
}

static int platform_backward(struct net *net)
{
	return build_and_run(net, 1);
}
