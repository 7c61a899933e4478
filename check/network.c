/*
 * network.c: works out where everything of a network lies, from nothing but its description and its named tensors.
 */
#include "network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 48 /* bytes of every tensor name, the longest being weight_ih_l126_reverse */
#define ALIGNMENT 16 /* elements: tensors start at multiples of 64 bytes */

static const sluice_layer *layer_at(const sluice_description *description, size_t layer)
{
	return (const sluice_layer *)((const char *)description->layers + layer * description->layers[0].size);
}

/* The oracle knows the standard cell. What it does not know it refuses, as the library must. */
static sluice_status layer_check(const sluice_layer *layer, size_t index)
{
	if (!layer->hidden)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "layer %zu: hidden is 0", index);
	if (layer->input_activation.kind || layer->forget_activation.kind || layer->candidate_activation.kind ||
	    layer->output_activation.kind || layer->cell_activation.kind)
		return sluice_fail(SLUICE_UNSUPPORTED, "layer %zu: the oracle knows default activations only", index);
	if (layer->peephole || layer->peephole_previous || layer->projection)
		return sluice_fail(SLUICE_UNSUPPORTED, "layer %zu: the oracle knows no peepholes or projection", index);
	if (layer->cell_clip != 0 || layer->gate_clip != 0 || layer->projection_clip != 0)
		return sluice_fail(SLUICE_UNSUPPORTED, "layer %zu: the oracle knows no clipping", index);
	return SLUICE_OK;
}

/* Appends a tensor to the network's own list, laid out behind the one before. */
static void tensor_add(struct sluice__network *network, size_t rows, size_t columns, const char *name)
{
	char *copy = network->names + network->tensor_count * NAME_SIZE;
	sluice_parameter *tensor = &network->tensors[network->tensor_count++];

	snprintf(copy, NAME_SIZE, "%s", name);
	*tensor = (sluice_parameter){sizeof(*tensor), copy, network->parameter_count, rows, columns};
	network->parameter_count += (rows * columns + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* The tensors of one cell, named as PyTorch's nn.LSTM names them. */
static void cell_tensors(struct sluice__network *network, const struct sluice__cell *cell, int has_bias)
{
	static const char *const SUFFIX[] = {"", "_reverse"};
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "weight_ih_l%zu%s", cell->layer, SUFFIX[cell->direction]);
	tensor_add(network, 4 * cell->hidden, cell->inputs, name);
	snprintf(name, sizeof(name), "weight_hh_l%zu%s", cell->layer, SUFFIX[cell->direction]);
	tensor_add(network, 4 * cell->hidden, cell->hidden, name);
	if (!has_bias)
		return;
	snprintf(name, sizeof(name), "bias_l%zu%s", cell->layer, SUFFIX[cell->direction]);
	tensor_add(network, 4 * cell->hidden, 1, name);
}

/* Moves the network's own tensors to where the caller's block has them. */
static sluice_status tensors_match(struct sluice__network *network, const sluice_parameter *tensors, size_t count,
				   size_t block_count)
{
	if (count != network->tensor_count)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "%zu tensors are given, %zu expected", count,
				   network->tensor_count);
	for (size_t own = 0; own < network->tensor_count; own++) {
		sluice_parameter *tensor = &network->tensors[own];
		size_t given = 0;

		while (given < count && strcmp(tensors[given].name, tensor->name) != 0)
			given++;
		if (given == count)
			return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensor %s is missing", tensor->name);
		if (tensors[given].rows != tensor->rows || tensors[given].columns != tensor->columns)
			return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensor %s is [%zu,%zu], expected [%zu,%zu]",
					   tensor->name, tensors[given].rows, tensors[given].columns, tensor->rows,
					   tensor->columns);
		tensor->offset = tensors[given].offset;
		if (tensor->offset > block_count || tensor->rows * tensor->columns > block_count - tensor->offset)
			return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensor %s ends beyond the block", tensor->name);
	}
	network->parameter_count = block_count;
	return SLUICE_OK;
}

/* Reads the offsets of the tensors back into the cells, in the order in which the tensors were added. */
static void offsets_take(struct sluice__network *network)
{
	const sluice_parameter *tensor = network->tensors;

	for (size_t index = 0; index < network->cell_count; index++) {
		struct sluice__cell *cell = &network->cells[index];

		cell->weight_ih = (tensor++)->offset;
		cell->weight_hh = (tensor++)->offset;
		if (cell->bias != SLUICE__NONE)
			cell->bias = (tensor++)->offset;
	}
	if (network->readout) {
		network->readout_weight = (tensor++)->offset;
		network->readout_bias = tensor->offset;
	}
}

/* Adds the cells of one layer, and with them the width of what the next layer reads. */
static void layer_add(struct sluice__network *network, const sluice_layer *layer, size_t index)
{
	size_t directions = layer->direction == SLUICE_BIDIRECTIONAL ? 2 : 1;

	for (size_t direction = 0; direction < directions; direction++) {
		struct sluice__cell *cell = &network->cells[network->cell_count++];

		cell->layer = index;
		cell->direction = direction;
		cell->reverse = layer->direction == SLUICE_REVERSE || direction == 1;
		cell->inputs = network->widths[index];
		cell->hidden = layer->hidden;
		cell->column = direction * layer->hidden;
		cell->bias = layer->no_bias ? SLUICE__NONE : 0;
		cell->state = network->state_width;
		network->state_width += layer->hidden;
		cell_tensors(network, cell, !layer->no_bias);
	}
	network->widths[index + 1] = directions * layer->hidden;
}

sluice_status sluice__network_create(const sluice_description *description, const sluice_parameter *tensors,
				     size_t tensor_count, size_t block_count, struct sluice__network *out)
{
	struct sluice__network network = {0};
	size_t layers = description->layer_count;
	sluice_status status;

	if (!layers || layers > 127 || !description->inputs)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "%zu layers of %zu inputs are no network", layers,
				   description->inputs);
	for (size_t index = 0; index < layers; index++) {
		status = layer_check(layer_at(description, index), index);
		if (status != SLUICE_OK)
			return status;
	}
	network.cells = calloc(2 * layers, sizeof(*network.cells));
	network.widths = calloc(layers + 1, sizeof(*network.widths));
	network.dropouts = calloc(layers, sizeof(*network.dropouts));
	network.tensors = calloc(6 * layers + 2, sizeof(*network.tensors));
	network.names = calloc(6 * layers + 2, NAME_SIZE);
	status = SLUICE_OUT_OF_MEMORY;
	if (!network.cells || !network.widths || !network.dropouts || !network.tensors || !network.names) {
		sluice_fail(status, "no memory for a network of %zu layers", layers);
		goto fail;
	}

	network.inputs = network.widths[0] = description->inputs;
	network.layer_count = layers;
	network.readout = description->outputs != 0;
	for (size_t index = 0; index < layers; index++) {
		layer_add(&network, layer_at(description, index), index);
		if (index + 1 < layers || network.readout)
			network.dropouts[index] = layer_at(description, index)->dropout;
	}
	network.outputs = network.widths[layers];
	if (network.readout) {
		tensor_add(&network, description->outputs, network.widths[layers], "readout.weight");
		tensor_add(&network, description->outputs, 1, "readout.bias");
		network.outputs = description->outputs;
	}
	if (tensors) {
		status = tensors_match(&network, tensors, tensor_count, block_count);
		if (status != SLUICE_OK)
			goto fail;
	}
	offsets_take(&network);
	*out = network;
	return SLUICE_OK;
fail:
	sluice__network_destroy(&network);
	return status;
}

void sluice__network_destroy(struct sluice__network *network)
{
	if (!network)
		return;
	free(network->cells);
	free(network->widths);
	free(network->dropouts);
	free(network->tensors);
	free(network->names);
	memset(network, 0, sizeof(*network));
}

sluice_status sluice__network_of_model(const sluice_model *model, struct sluice__network *out)
{
	size_t count = sluice_model_parameter_count(model), block_count;
	sluice_parameter *tensors = calloc(count ? count : 1, sizeof(*tensors));
	sluice_status status = SLUICE_OK;

	if (!tensors)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu tensor descriptions", count);
	sluice_model_parameters(model, &block_count);
	for (size_t index = 0; index < count && status == SLUICE_OK; index++) {
		tensors[index] = (sluice_parameter)SLUICE_PARAMETER_INIT;
		status = sluice_model_parameter(model, index, &tensors[index]);
	}
	if (status == SLUICE_OK)
		status = sluice__network_create(sluice_model_description(model), tensors, count, block_count, out);
	free(tensors);
	return status;
}
