/* mpsgraph_lstm.c exists to make the nodes of MPSGraph's three LSTM methods. */
#include "mpsgraph_lstm_check.h"

enum result { RESULT_STATE, RESULT_CELL, RESULT_TRAINING, RESULTS };

static sluice_status prepare(const MPSGraphOperation *node, const unsigned char *wanted, void **entry)
{
	struct lstm_entry *made;
	(void)wanted;
	MPS_TRY(sluice__mpsgraph_lstm_create(node->options, 0, &made));
	*entry = made;
	return SLUICE_OK;
}

static void discard(void *entry)
{
	sluice__mpsgraph_lstm_destroy(entry);
}

static sluice_status execute(const struct execution *execution)
{
	struct lstm_inputs inputs;
	const struct lstm_results results = {
		.y = execution->outputs[RESULT_STATE],
		.cells = execution->outputs[RESULT_CELL],
		.gates = execution->outputs[RESULT_TRAINING],
	};
	sluice__mpsgraph_lstm_inputs(execution->inputs, LSTM_FORWARD_ROLES, &inputs);
	return sluice__mpsgraph_lstm_forward(execution->entry, &inputs, &results);
}

static const struct node_kind LSTM = {
	.name = "LSTM",
	.option_bytes = sizeof(struct lstm_network),
	.prepare = prepare,
	.discard = discard,
	.execute = execute,
};

/* Every node can make h, c and z: what nobody wants costs nothing. */
static MPSGraphOperation *node_make(MPSGraph *graph, MPSGraphTensor *const tensors[LSTM_ROLES],
				    const struct lstm_network *network, const char *name)
{
	static const enum lstm_result_shape shapes[RESULTS] = {
		[RESULT_STATE] = LSTM_SHAPE_STATES,
		[RESULT_CELL] = LSTM_SHAPE_STATES,
		[RESULT_TRAINING] = LSTM_SHAPE_GATES,
	};
	struct type types[RESULTS];
	for (size_t result = 0; result < RESULTS; result++) {
		const MPSShape shape = sluice__mpsgraph_lstm_shape(network, shapes[result]);
		if (sluice__mpsgraph_type(LSTM.name, &shape, tensors[LSTM_ROLE_SOURCE]->type.dataType,
					  &types[result]) != SLUICE_OK)
			return NULL;
	}
	const struct node_request request = {
		.graph = graph,
		.kind = &LSTM,
		.inputs = tensors,
		.input_count = LSTM_FORWARD_ROLES,
		.outputs = types,
		.output_count = RESULTS,
		.options = network,
		.name = name,
	};
	return sluice__mpsgraph_node(&request);
}

static MPSGraphLSTMResults lstm(MPSGraph *graph, MPSGraphTensor *const tensors[LSTM_ROLES],
				const MPSGraphLSTMDescriptor *descriptor, const char *name)
{
	struct lstm_network network = {0};
	MPSGraphLSTMResults results = {0};
	MPSGraphOperation *node;
	if (sluice__mpsgraph_lstm_check(graph, tensors, descriptor, 0, &network) != SLUICE_OK)
		return results;
	node = node_make(graph, tensors, &network, name);
	if (!node)
		return results;
	const int training = MPSGraphLSTMDescriptor_training(descriptor);
	const int with_cell = graph->options.training_results == SLUICE_MPSGRAPH_TRAINING_RESULTS_WITH_CELL;
	results.state = &node->outputs[RESULT_STATE];
	if (MPSGraphLSTMDescriptor_produceCell(descriptor) || (training && with_cell))
		results.cell = &node->outputs[RESULT_CELL];
	if (training)
		results.training = &node->outputs[RESULT_TRAINING];
	MPSGraphTensor *const named[RESULTS] = {results.state, results.cell, results.training};
	for (size_t result = 0; result < RESULTS; result++)
		if (named[result])
			results.array[results.count++] = named[result];
	return results;
}

MPSGraphLSTMResults
MPSGraph_LSTMWithSourceTensor_recurrentWeight_inputWeight_bias_initState_initCell_mask_peephole_descriptor_name(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *inputWeight,
	MPSGraphTensor *bias, MPSGraphTensor *initState, MPSGraphTensor *initCell, MPSGraphTensor *mask,
	MPSGraphTensor *peephole, const MPSGraphLSTMDescriptor *descriptor, const char *name)
{
	MPSGraphTensor *const tensors[LSTM_ROLES] = {
		[LSTM_ROLE_SOURCE] = source,
		[LSTM_ROLE_RECURRENT_WEIGHT] = recurrentWeight,
		[LSTM_ROLE_INPUT_WEIGHT] = inputWeight,
		[LSTM_ROLE_BIAS] = bias,
		[LSTM_ROLE_INIT_STATE] = initState,
		[LSTM_ROLE_INIT_CELL] = initCell,
		[LSTM_ROLE_MASK] = mask,
		[LSTM_ROLE_PEEPHOLE] = peephole,
	};
	return lstm(graph, tensors, descriptor, name);
}

MPSGraphLSTMResults MPSGraph_LSTMWithSourceTensor_recurrentWeight_inputWeight_bias_initState_initCell_descriptor_name(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *inputWeight,
	MPSGraphTensor *bias, MPSGraphTensor *initState, MPSGraphTensor *initCell,
	const MPSGraphLSTMDescriptor *descriptor, const char *name)
{
	return MPSGraph_LSTM(graph, source, recurrentWeight, inputWeight, bias, initState, initCell, NULL, NULL,
			     descriptor, name);
}

MPSGraphLSTMResults MPSGraph_LSTMWithSourceTensor_recurrentWeight_initState_initCell_descriptor_name(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *initState,
	MPSGraphTensor *initCell, const MPSGraphLSTMDescriptor *descriptor, const char *name)
{
	return MPSGraph_LSTM(graph, source, recurrentWeight, NULL, NULL, initState, initCell, NULL, NULL, descriptor,
			     name);
}
