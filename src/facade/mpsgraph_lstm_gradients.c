/* mpsgraph_lstm_gradients.c exists to make the nodes of MPSGraph's four LSTMGradients methods. */
#include "mpsgraph_lstm_check.h"

#include <stddef.h>
#include <string.h>

/* In the order of Apple's array. */
enum gradient {
	GRADIENT_SOURCE,
	GRADIENT_RECURRENT_WEIGHT,
	GRADIENT_INPUT_WEIGHT,
	GRADIENT_BIAS,
	GRADIENT_PEEPHOLE,
	GRADIENT_INIT_STATE,
	GRADIENT_INIT_CELL,
	GRADIENTS
};

/* What each is the gradient of, and its name among the results. */
static const struct {
	enum lstm_role role;
	size_t at;
} OF[GRADIENTS] = {
	[GRADIENT_SOURCE] = {LSTM_ROLE_SOURCE, offsetof(MPSGraphLSTMGradientsResults, source)},
	[GRADIENT_RECURRENT_WEIGHT] = {LSTM_ROLE_RECURRENT_WEIGHT,
				       offsetof(MPSGraphLSTMGradientsResults, recurrentWeight)},
	[GRADIENT_INPUT_WEIGHT] = {LSTM_ROLE_INPUT_WEIGHT, offsetof(MPSGraphLSTMGradientsResults, inputWeight)},
	[GRADIENT_BIAS] = {LSTM_ROLE_BIAS, offsetof(MPSGraphLSTMGradientsResults, bias)},
	[GRADIENT_PEEPHOLE] = {LSTM_ROLE_PEEPHOLE, offsetof(MPSGraphLSTMGradientsResults, peephole)},
	[GRADIENT_INIT_STATE] = {LSTM_ROLE_INIT_STATE, offsetof(MPSGraphLSTMGradientsResults, initState)},
	[GRADIENT_INIT_CELL] = {LSTM_ROLE_INIT_CELL, offsetof(MPSGraphLSTMGradientsResults, initCell)},
};

static sluice_status prepare(const MPSGraphOperation *node, const unsigned char *wanted, void **entry)
{
	struct lstm_entry *made;
	(void)wanted;
	MPS_TRY(sluice__mpsgraph_lstm_create(node->options, 1, &made));
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
	void *places[GRADIENTS] = {NULL};
	size_t output = 0;
	for (size_t each = 0; each < GRADIENTS; each++)
		if (execution->node->inputs[OF[each].role])
			places[each] = execution->outputs[output++];
	const struct lstm_gradients gradients = {
		.x = places[GRADIENT_SOURCE],
		.weights[LSTM_INPUT] = places[GRADIENT_INPUT_WEIGHT],
		.weights[LSTM_RECURRENT] = places[GRADIENT_RECURRENT_WEIGHT],
		.weights[LSTM_BIAS] = places[GRADIENT_BIAS],
		.weights[LSTM_PEEPHOLE] = places[GRADIENT_PEEPHOLE],
		.h = places[GRADIENT_INIT_STATE],
		.c = places[GRADIENT_INIT_CELL],
	};
	sluice__mpsgraph_lstm_inputs(execution->inputs, LSTM_ROLES, &inputs);
	return sluice__mpsgraph_lstm_backward(execution->entry, &inputs, &gradients);
}

static const struct node_kind GRADIENTS_KIND = {
	.name = "LSTMGradients",
	.option_bytes = sizeof(struct lstm_network),
	.prepare = prepare,
	.discard = discard,
	.execute = execute,
};

/* That of what it is the gradient of. States have their documented shape whatever came in front of it, and a bias that
 * of its switch. */
static MPSShape shape_of(const MPSGraph *graph, const MPSGraphTensor *tensor, enum lstm_role role,
			 const struct lstm_network *network)
{
	const int observed = graph->options.bias_gradient_shape == SLUICE_MPSGRAPH_BIAS_GRADIENT_SHAPE_OBSERVED;
	if (role == LSTM_ROLE_INIT_STATE || role == LSTM_ROLE_INIT_CELL)
		return sluice__mpsgraph_lstm_shape(network, LSTM_SHAPE_INITIAL);
	if (role == LSTM_ROLE_BIAS && observed)
		return (MPSShape){.rank = 3, .size = {1, 1, tensor->type.shape.size[0]}};
	return tensor->type.shape;
}

static MPSGraphOperation *node_make(MPSGraph *graph, MPSGraphTensor *const tensors[LSTM_ROLES],
				    const struct lstm_network *network, const char *name)
{
	struct type types[GRADIENTS];
	size_t count = 0;
	for (size_t each = 0; each < GRADIENTS; each++) {
		const MPSGraphTensor *tensor = tensors[OF[each].role];
		if (tensor)
			types[count++] =
				(struct type){tensor->type.dataType, shape_of(graph, tensor, OF[each].role, network)};
	}
	const struct node_request request = {
		.graph = graph,
		.kind = &GRADIENTS_KIND,
		.inputs = tensors,
		.input_count = LSTM_ROLES,
		.outputs = types,
		.output_count = count,
		.options = network,
		.name = name,
	};
	return sluice__mpsgraph_node(&request);
}

static MPSGraphLSTMGradientsResults gradients(MPSGraph *graph, MPSGraphTensor *const tensors[LSTM_ROLES],
					      const MPSGraphLSTMDescriptor *descriptor, const char *name)
{
	struct lstm_network network = {0};
	MPSGraphLSTMGradientsResults results = {0};
	MPSGraphOperation *node;
	if (sluice__mpsgraph_lstm_check(graph, tensors, descriptor, 1, &network) != SLUICE_OK)
		return results;
	node = node_make(graph, tensors, &network, name);
	if (!node)
		return results;
	for (size_t each = 0; each < GRADIENTS; each++) {
		if (!tensors[OF[each].role])
			continue;
		MPSGraphTensor *result = &node->outputs[results.count];
		memcpy((char *)&results + OF[each].at, &result, sizeof result);
		results.array[results.count++] = result;
	}
	return results;
}

MPSGraphLSTMGradientsResults
MPSGraph_LSTMGradients(MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight,
		       MPSGraphTensor *sourceGradient, MPSGraphTensor *zState, MPSGraphTensor *cellOutputFwd,
		       MPSGraphTensor *stateGradient, MPSGraphTensor *cellGradient, MPSGraphTensor *inputWeight,
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
		[LSTM_ROLE_SOURCE_GRADIENT] = sourceGradient,
		[LSTM_ROLE_Z_STATE] = zState,
		[LSTM_ROLE_CELL_OUTPUT_FWD] = cellOutputFwd,
		[LSTM_ROLE_STATE_GRADIENT] = stateGradient,
		[LSTM_ROLE_CELL_GRADIENT] = cellGradient,
	};
	return gradients(graph, tensors, descriptor, name);
}

MPSGraphLSTMGradientsResults
SLUICE_MPSGRAPH_JOIN(MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_,
		     inputWeight_bias_initState_initCell_mask_descriptor_name)(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *sourceGradient,
	MPSGraphTensor *zState, MPSGraphTensor *cellOutputFwd, MPSGraphTensor *inputWeight, MPSGraphTensor *bias,
	MPSGraphTensor *initState, MPSGraphTensor *initCell, MPSGraphTensor *mask,
	const MPSGraphLSTMDescriptor *descriptor, const char *name)
{
	return MPSGraph_LSTMGradients(graph, source, recurrentWeight, sourceGradient, zState, cellOutputFwd, NULL, NULL,
				      inputWeight, bias, initState, initCell, mask, NULL, descriptor, name);
}

MPSGraphLSTMGradientsResults
SLUICE_MPSGRAPH_JOIN(MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_,
		     inputWeight_bias_initState_initCell_descriptor_name)(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *sourceGradient,
	MPSGraphTensor *zState, MPSGraphTensor *cellOutputFwd, MPSGraphTensor *inputWeight, MPSGraphTensor *bias,
	MPSGraphTensor *initState, MPSGraphTensor *initCell, const MPSGraphLSTMDescriptor *descriptor, const char *name)
{
	return MPSGraph_LSTMGradients(graph, source, recurrentWeight, sourceGradient, zState, cellOutputFwd, NULL, NULL,
				      inputWeight, bias, initState, initCell, NULL, NULL, descriptor, name);
}

MPSGraphLSTMGradientsResults
MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_descriptor_name(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *sourceGradient,
	MPSGraphTensor *zState, MPSGraphTensor *cellOutputFwd, const MPSGraphLSTMDescriptor *descriptor,
	const char *name)
{
	return MPSGraph_LSTMGradients(graph, source, recurrentWeight, sourceGradient, zState, cellOutputFwd, NULL, NULL,
				      NULL, NULL, NULL, NULL, NULL, NULL, descriptor, name);
}
