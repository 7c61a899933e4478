/* bnns_entry.c exists to make the network of a call a plan of the core, and to keep the memory of its calls. */
#include "bnns_internal.h"

#include <stdlib.h>
#include <string.h>

static void layer_describe(const struct network *network, size_t index, sluice_layer *layer)
{
	const int last = index + 1 == network->layers, both = network->directions == 2;
	*layer = (sluice_layer)SLUICE_LAYER_INIT;
	layer->hidden = network->hidden;
	layer->direction = both ? SLUICE_BIDIRECTIONAL : SLUICE_FORWARD;
	layer->combination = both && !last && !network->concatenated ? SLUICE_SEPARATE : SLUICE_CONCATENATE;
	layer->no_bias = network->no_bias == SLUICE_GATES_ALL;
	layer->dropout = last ? 0 : network->dropout;
	layer->input_activation = network->activations[0];
	layer->forget_activation = network->activations[1];
	layer->candidate_activation = network->activations[2];
	layer->output_activation = network->activations[3];
	layer->cell_activation = network->activations[BNNS_CELL_ACTIVATION];
	if (network->no_peepholes != SLUICE_GATES_ALL) {
		layer->peephole = SLUICE_PEEPHOLE_FULL;
		layer->no_peepholes = network->no_peepholes;
	}
}

static sluice_status model_create(struct entry *entry)
{
	const struct network *network = &entry->network;
	const size_t bytes = network->layers * sizeof(sluice_layer);
	sluice_layer *layers = sluice_allocate(entry->context, bytes);
	if (!layers)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t index = 0; index < network->layers; index++)
		layer_describe(network, index, &layers[index]);
	const sluice_description description = {
		.size = sizeof description,
		.inputs = network->inputs,
		.layer_count = network->layers,
		.layers = layers,
	};
	const sluice_status status = sluice_model_create(entry->context, &description, &entry->model);
	sluice_release(entry->context, layers, bytes);
	return status;
}

/* The core names the tensors of a layer and direction one after another, and the directions of a layer, too. */
static sluice_status offsets_find(struct entry *entry)
{
	static const struct {
		const char *start;
		size_t at;
	} parts[] = {
		{"weight_ih_", offsetof(struct offsets, input)},
		{"weight_hh_", offsetof(struct offsets, recurrent)},
		{"bias_", offsetof(struct offsets, bias)},
		{"peephole_", offsetof(struct offsets, peephole)},
	};
	const size_t count = sluice_model_parameter_count(entry->model);
	size_t cell = 0;
	for (size_t index = 0; index < count; index++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;
		BNNS_TRY(sluice_model_parameter(entry->model, index, &parameter));
		for (size_t each = 0; each < sizeof parts / sizeof parts[0]; each++) {
			if (strncmp(parameter.name, parts[each].start, strlen(parts[each].start)) != 0)
				continue;
			cell += each == 0 && index > 0;
			memcpy((char *)&entry->offsets[cell] + parts[each].at, &parameter.offset, sizeof(size_t));
		}
	}
	return SLUICE_OK;
}

static sluice_status plan_create(struct entry *entry)
{
	const struct network *network = &entry->network;
	const sluice_plan_options options = {
		.size = sizeof options,
		.steps = network->steps,
		.batch = network->batch,
		.training = network->training,
		.layout = network->layout,
		.data = network->data,
	};
	return sluice_plan_create(entry->model, &options, &entry->plan);
}

static size_t offsets_bytes(const struct network *network)
{
	return network->layers * network->directions * sizeof(struct offsets);
}

static sluice_status parts_create(struct entry *entry)
{
	BNNS_TRY(model_create(entry));
	entry->offsets = sluice_allocate(entry->context, offsets_bytes(&entry->network));
	if (!entry->offsets)
		return SLUICE_OUT_OF_MEMORY;
	BNNS_TRY(offsets_find(entry));
	return plan_create(entry);
}

sluice_status sluice__bnns_entry_create(const struct network *network, struct entry **out)
{
	const sluice_context_options options = {.size = sizeof options, .threads = network->threads};
	struct entry *entry = calloc(1, sizeof *entry);
	if (!entry)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "malloc returned NULL for %zu bytes", sizeof *entry);
	entry->network = *network;
	sluice_status status = sluice_context_create(&options, &entry->context);
	if (status == SLUICE_OK)
		status = parts_create(entry);
	if (status != SLUICE_OK) {
		sluice__bnns_entry_destroy(entry);
		return status;
	}
	*out = entry;
	return SLUICE_OK;
}

void sluice__bnns_entry_destroy(struct entry *entry)
{
	if (entry->context) {
		for (size_t each = 0; each < BUFFERS; each++)
			sluice_release(entry->context, entry->buffers[each].at, entry->buffers[each].bytes);
		sluice_release(entry->context, entry->offsets, offsets_bytes(&entry->network));
	}
	sluice_plan_destroy(entry->plan);
	sluice_model_destroy(entry->model);
	sluice_context_destroy(entry->context);
	free(entry);
}

sluice_status sluice__bnns_buffer(struct entry *entry, enum buffer which, size_t bytes, void *out)
{
	if (bytes > entry->buffers[which].bytes || !entry->buffers[which].at) {
		void *at = sluice_allocate(entry->context, bytes);
		if (!at)
			return SLUICE_OUT_OF_MEMORY;
		sluice_release(entry->context, entry->buffers[which].at, entry->buffers[which].bytes);
		entry->buffers[which].at = at;
		entry->buffers[which].bytes = bytes;
	}
	memcpy(out, &entry->buffers[which].at, sizeof(void *));
	return SLUICE_OK;
}
