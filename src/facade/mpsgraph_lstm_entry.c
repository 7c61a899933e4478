/* mpsgraph_lstm_entry.c exists to make an LSTM node a plan of the core with all the memory of its calls. */
#include "mpsgraph_internal.h"
#include "mpsgraph_lstm_core.h"

#include <stdlib.h>

static sluice_layer layer_of(const struct lstm_network *network)
{
	sluice_layer layer = SLUICE_LAYER_INIT;
	layer.hidden = network->hidden;
	if (network->directions == 2)
		layer.direction = SLUICE_BIDIRECTIONAL;
	else if (network->reverse && !network->processing_order)
		layer.direction = SLUICE_REVERSE;
	layer.input = network->given[LSTM_INPUT] ? SLUICE_INPUT_WEIGHTS : SLUICE_INPUT_GATES;
	layer.no_bias = !network->given[LSTM_BIAS];
	layer.peephole = network->given[LSTM_PEEPHOLE] ? SLUICE_PEEPHOLE_DIAGONAL : SLUICE_PEEPHOLE_NONE;
	layer.peephole_previous = network->given[LSTM_PEEPHOLE] && network->peephole_previous;
	layer.input_activation = network->activations[0];
	layer.forget_activation = network->activations[1];
	layer.candidate_activation = network->activations[2];
	layer.output_activation = network->activations[3];
	layer.cell_activation = network->activations[LSTM_CELL_ACTIVATION];
	return layer;
}

static sluice_status model_create(struct lstm_entry *entry)
{
	const sluice_layer layer = layer_of(&entry->network);
	const sluice_description description = {
		.size = sizeof description,
		.inputs = entry->network.inputs,
		.layer_count = 1,
		.layers = &layer,
	};
	return sluice_model_create(entry->context, &description, &entry->model);
}

/* Weights of 16 bits are kept as they are: nothing is rounded that was not. */
static sluice_status plan_create(struct lstm_entry *entry)
{
	const struct lstm_network *network = &entry->network;
	const sluice_plan_options options = {
		.size = sizeof options,
		.steps = network->steps,
		.batch = network->batch,
		.training = entry->backward,
		.flush_denormals = network->training || entry->backward ? SLUICE_OFF : SLUICE_AUTO,
		.weights = network->data,
		.data = network->data,
		.tape_mode = SLUICE_TAPE_OUTPUTS,
		.gate_order = network->forget_last ? "igfo" : "ifgo",
	};
	return sluice_plan_create(entry->model, &options, &entry->plan);
}

static size_t weights_bytes(const struct lstm_entry *entry)
{
	size_t count = 0;
	for (int which = 0; which < LSTM_WEIGHTS; which++)
		count += sluice__mpsgraph_lstm_weight_count(&entry->network, (enum lstm_weight)which);
	return count * sluice__number_bytes(entry->network.data);
}

static sluice_status buffers_create(struct lstm_entry *entry)
{
	const struct lstm_network *network = &entry->network;
	const int flipped = network->reverse && network->processing_order;
	size_t parameters;
	sluice_model_parameters(entry->model, &parameters);
	const size_t bytes[LSTM_BUFFERS] = {
		[LSTM_WORKSPACE] = sluice_plan_workspace_size(entry->plan),
		[LSTM_STATE] = sluice_plan_state_size(entry->plan, network->batch),
		[LSTM_STATE_GRADIENT] = entry->backward ? sluice_plan_state_size(entry->plan, network->batch) : 0,
		[LSTM_SCRATCH] = 2 * network->batch * network->hidden * sizeof(float),
		[LSTM_LOADED] = weights_bytes(entry),
		[LSTM_BLOCK] = entry->backward ? parameters * sizeof(float) : 0,
		[LSTM_X_STEPS] = flipped ? network->steps * sizeof(void *) : 0,
		[LSTM_DX_STEPS] = flipped && entry->backward ? network->steps * sizeof(void *) : 0,
	};
	for (size_t each = 0; each < LSTM_BUFFERS; each++) {
		if (bytes[each] == 0)
			continue;
		entry->buffers[each].at = sluice_allocate(entry->context, bytes[each]);
		if (!entry->buffers[each].at)
			return SLUICE_OUT_OF_MEMORY;
		entry->buffers[each].bytes = bytes[each];
	}
	return SLUICE_OK;
}

static sluice_status parts_create(struct lstm_entry *entry)
{
	const sluice_context_options options = {.size = sizeof options, .threads = entry->network.threads};
	MPS_TRY(sluice_context_create(&options, &entry->context));
	MPS_TRY(model_create(entry));
	MPS_TRY(sluice__mpsgraph_lstm_places(entry));
	MPS_TRY(plan_create(entry));
	return buffers_create(entry);
}

sluice_status sluice__mpsgraph_lstm_create(const struct lstm_network *network, int backward, struct lstm_entry **out)
{
	struct lstm_entry *entry = calloc(1, sizeof *entry);
	if (!entry)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "malloc returned NULL for %zu bytes", sizeof *entry);
	entry->network = *network;
	entry->backward = backward;
	const sluice_status status = parts_create(entry);
	if (status != SLUICE_OK) {
		sluice__mpsgraph_lstm_destroy(entry);
		return status;
	}
	*out = entry;
	return SLUICE_OK;
}

void sluice__mpsgraph_lstm_destroy(struct lstm_entry *entry)
{
	if (!entry)
		return;
	for (size_t each = 0; entry->context && each < LSTM_BUFFERS; each++)
		sluice_release(entry->context, entry->buffers[each].at, entry->buffers[each].bytes);
	sluice_plan_destroy(entry->plan);
	sluice_model_destroy(entry->model);
	sluice_context_destroy(entry->context);
	free(entry);
}
