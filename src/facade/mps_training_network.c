/* mps_training_network.c exists to read a training layer's descriptor into a network of the core, and to find its
 * tensors there.
 */
#include "mps_training.h"

#include <stdlib.h>
#include <string.h>

/* As the core names them. */
static const char *const NAMES[TENSORS] = {"weight_ih_l0", "weight_hh_l0", "bias_l0", "peephole_l0"};

static void network_destroy(void *object)
{
	struct network *network = object;
	while (network->idle) {
		struct runner *next = network->idle->next;
		sluice__mps_runner_free(network->idle);
		network->idle = next;
	}
	sluice_model_destroy(network->model);
	sluice_context_destroy(network->context);
	pthread_mutex_destroy(&network->lock);
	free(network);
}

int sluice__mps_tensor_absent(const struct network *network, enum tensor tensor, int gate)
{
	static const enum part parts[TENSORS] = {
		[TENSOR_INPUT] = PART_INPUT,
		[TENSOR_RECURRENT] = PART_RECURRENT,
		[TENSOR_BIAS] = PART_INPUT,
		[TENSOR_MEMORY] = PART_MEMORY,
	};
	return !network->given[parts[tensor]][gate];
}

static sluice_status places_find(struct network *network)
{
	const size_t count = sluice_model_parameter_count(network->model);
	sluice_model_parameters(network->model, &network->parameters);
	for (size_t index = 0; index < count; index++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;
		MPS_TRY(sluice_model_parameter(network->model, index, &parameter));
		for (int tensor = 0; tensor < TENSORS; tensor++)
			if (strcmp(parameter.name, NAMES[tensor]) == 0)
				network->places[tensor] = (struct tensor_place){
					1, parameter.offset, parameter.rows * parameter.columns / GATES, 1};
	}
	/* So many numbers of each gate, in rows of this width. */
	const size_t columns[TENSORS] = {
		[TENSOR_INPUT] = network->inputs,
		[TENSOR_RECURRENT] = network->hidden,
		[TENSOR_BIAS] = network->hidden,
		[TENSOR_MEMORY] = network->hidden,
	};
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		struct tensor_place *place = &network->places[tensor];
		place->columns = columns[tensor];
		place->rows /= columns[tensor];
	}
	return SLUICE_OK;
}

static sluice_status model_make(struct network *network, const struct lstm *lstm)
{
	const sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_layer layer;
	sluice__mps_lstm_describe(lstm, &layer);
	const sluice_description description = {
		.size = sizeof description,
		.inputs = lstm->inputs,
		.layer_count = 1,
		.layers = &layer,
	};
	MPS_TRY(sluice_context_create(&options, &network->context));
	MPS_TRY(sluice_model_create(network->context, &description, &network->model));
	MPS_TRY(sluice__mps_lstm_load(lstm, network->model, 0));
	return places_find(network);
}

static sluice_status network_read(struct network *network, const MPSRNNDescriptor *descriptor)
{
	struct lstm lstm = {0};
	/* Matrices get the weights as they are; rounding is for the products. */
	sluice_status status = sluice__mps_lstm_read(descriptor, 0, 0, 0, &lstm);
	if (status == SLUICE_OK) {
		network->inputs = lstm.inputs;
		network->hidden = lstm.hidden;
		network->identity = lstm.identity;
		network->wants_half = network->half = !descriptor->useFloat32Weights;
		memcpy(network->given, lstm.given, sizeof network->given);
		status = model_make(network, &lstm);
	}
	sluice__mps_lstm_free(&lstm);
	return status;
}

sluice_status sluice__mps_network(const MPSRNNDescriptor *descriptor, struct network **out)
{
	struct network *network = sluice__object_new(sizeof *network, network_destroy);
	if (!network)
		return SLUICE_OUT_OF_MEMORY;
	pthread_mutex_init(&network->lock, NULL);
	const sluice_status status = network_read(network, descriptor);
	if (status == SLUICE_OK)
		*out = network;
	else
		sluice__object_release(network);
	return status;
}

/* A model of the same description and with the same parameters, elsewhere. */
static sluice_status model_copy(const sluice_model *model, sluice_context *context, sluice_model **out)
{
	size_t count;
	MPS_TRY(sluice_model_create(context, sluice_model_description(model), out));
	const float *from = sluice_model_parameters((sluice_model *)(uintptr_t)model, &count);
	memcpy(sluice_model_parameters(*out, NULL), from, count * sizeof *from);
	return SLUICE_OK;
}

sluice_status sluice__mps_network_threads(struct network *network, int threads)
{
	const sluice_context_options options = {.size = sizeof options, .threads = threads};
	sluice_context *context;
	sluice_model *model;
	MPS_TRY(sluice_context_create(&options, &context));
	const sluice_status status = model_copy(network->model, context, &model);
	if (status != SLUICE_OK) {
		sluice_context_destroy(context);
		return status;
	}
	sluice_model_destroy(network->model);
	sluice_context_destroy(network->context);
	network->model = model;
	network->context = context;
	return SLUICE_OK;
}

sluice_status sluice__mps_network_model(const struct network *network, sluice_model **out)
{
	return model_copy(network->model, network->context, out);
}
