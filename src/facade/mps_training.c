/* mps_training.c exists to make training layers, their arrays of weights and their training states. */
#include "mps_training.h"

#include <stdlib.h>

static void layer_destroy(void *object)
{
	MPSRNNMatrixTrainingLayer *layer = object;
	sluice__object_release(layer->network);
	free(layer);
}

MPS_COUNTED(MPSRNNMatrixTrainingLayer)

static MPSRNNMatrixTrainingLayer *layer_new(struct network *network)
{
	MPSRNNMatrixTrainingLayer *layer = sluice__object_new(sizeof *layer, layer_destroy);
	if (!layer)
		return NULL;
	layer->layer.class = LAYER_TRAINING;
	layer->network = sluice__object_retain(network);
	return layer;
}

/* The sources' weights, into matrices that were just made. */
static void weights_fill(const struct network *network, MPSMatrix **weights)
{
	const float *block = sluice_model_parameters(network->model, NULL);
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		const struct tensor_place *place = &network->places[tensor];
		if (!place->there)
			continue;
		const struct line from = {(char *)(uintptr_t)(block + place->offset), SLUICE_F32, 1},
				  to = {(*weights++)->buffer, SLUICE_F32, 1};
		sluice__number_convert(&to, &from, GATES * place->rows * place->columns, 1, 0);
	}
}

MPSRNNMatrixTrainingLayer *MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
	void *device, const MPSRNNDescriptor *rnnDescriptor, MPSMatrix **trainableWeights)
{
	struct network *network;
	if (sluice__mps_no_device("device", device) != SLUICE_OK)
		return NULL;
	if (!trainableWeights) {
		MPS_INVALID("trainableWeights is NULL, expected room for %d matrices", SLUICE_MPS_WEIGHT_MATRICES);
		return NULL;
	}
	if (sluice__mps_network(rnnDescriptor, &network) != SLUICE_OK)
		return NULL;
	MPSRNNMatrixTrainingLayer *layer = layer_new(network);
	sluice__object_release(network);
	if (layer && MPSRNNMatrixTrainingLayer_createWeightMatrices(layer, trainableWeights) != SLUICE_OK) {
		MPSRNNMatrixTrainingLayer_release(layer);
		return NULL;
	}
	if (layer)
		weights_fill(layer->network, trainableWeights);
	return layer;
}

MPSRNNMatrixTrainingLayer *MPSRNNMatrixTrainingLayer_copyWithZone_device(const MPSRNNMatrixTrainingLayer *layer,
									 void *zone, void *device)
{
	if (sluice__mps_no_device("device", device) != SLUICE_OK || sluice__mps_no_device("zone", zone) != SLUICE_OK)
		return NULL;
	if (!layer) {
		MPS_INVALID("layer is NULL, expected a layer");
		return NULL;
	}
	MPSRNNMatrixTrainingLayer *copy = layer_new(layer->network);
	if (!copy)
		return NULL;
#define COPY(name, Name) copy->name = layer->name;
	SLUICE_MPS_TRAINING_PROPERTIES(COPY)
#undef COPY
	return copy;
}

size_t MPSRNNMatrixTrainingLayer_inputFeatureChannels(const MPSRNNMatrixTrainingLayer *layer)
{
	return layer ? layer->network->inputs : 0;
}

size_t MPSRNNMatrixTrainingLayer_outputFeatureChannels(const MPSRNNMatrixTrainingLayer *layer)
{
	return layer ? layer->network->hidden : 0;
}

#define PROPERTY(name, Name)                                                                 \
	int MPSRNNMatrixTrainingLayer_##name(const MPSRNNMatrixTrainingLayer *layer)         \
	{                                                                                    \
		return layer ? layer->name : 0;                                              \
	}                                                                                    \
	void MPSRNNMatrixTrainingLayer_set##Name(MPSRNNMatrixTrainingLayer *layer, int name) \
	{                                                                                    \
		if (layer)                                                                   \
			layer->name = name != 0;                                             \
	}
SLUICE_MPS_TRAINING_PROPERTIES(PROPERTY)

sluice_status sluice__mps_training_switch(MPSRNNMatrixTrainingLayer *layer, const sluice_mps_options *options)
{
	struct network *network = layer->network;
	if (network->used || atomic_load(&network->object.count) > 1)
		return MPS_INVALID("the layer has encoded or was copied, expected a new one");
	MPS_TRY(sluice__mps_network_threads(network, options->threads));
	network->half = network->wants_half && options->training_weights == SLUICE_MPS_TRAINING_WEIGHTS_HALF;
	return SLUICE_OK;
}

/* --- arrays --- */

static sluice_status array_make(MPSRNNMatrixTrainingLayer *layer, MPSMatrix **out, enum role role, MPSDataType type,
				uint64_t owner)
{
	if (!layer)
		return MPS_INVALID("layer is NULL, expected a layer");
	return sluice__mps_array_make(layer->network, out, role, type, owner);
}

int MPSRNNMatrixTrainingLayer_createWeightMatrices(MPSRNNMatrixTrainingLayer *layer, MPSMatrix **matricesOut)
{
	return array_make(layer, matricesOut, ROLE_WEIGHTS, MPSDataTypeFloat32, 0);
}

int MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(MPSRNNMatrixTrainingLayer *layer,
								    MPSMatrix **matricesOut, MPSDataType dataType)
{
	return array_make(layer, matricesOut, ROLE_GRADIENTS, dataType, 0);
}

int MPSRNNMatrixTrainingLayer_createTemporaryWeightGradientMatrices_dataType_commandBuffer(
	MPSRNNMatrixTrainingLayer *layer, MPSMatrix **matricesOut, MPSDataType dataType,
	MPSCommandBuffer *commandBuffer)
{
	MPS_TRY(sluice__mps_encodable(commandBuffer));
	return array_make(layer, matricesOut, ROLE_GRADIENTS, dataType, sluice__mps_serial(commandBuffer));
}

/* --- training states --- */

static void record_destroy(void *object)
{
	struct record *record = object;
	if (record->network)
		sluice_release(record->network->context, record->tape, record->tape_bytes);
	sluice__object_release(record->start);
	sluice__object_release(record->network);
	free(record->batch_sizes);
	free(record);
}

sluice_status sluice__mps_record(struct network *network, size_t steps, size_t tape_bytes, struct record **out)
{
	struct record *record = sluice__object_new(sizeof *record, record_destroy);
	if (!record)
		return SLUICE_OUT_OF_MEMORY;
	record->network = sluice__object_retain(network);
	record->steps = steps;
	record->batch_sizes = sluice__object_allocate(steps, sizeof *record->batch_sizes);
	record->tape = record->batch_sizes ? sluice_allocate(network->context, tape_bytes) : NULL;
	record->tape_bytes = record->tape ? tape_bytes : 0;
	if (!record->tape) {
		sluice__object_release(record);
		return SLUICE_OUT_OF_MEMORY;
	}
	*out = record;
	return SLUICE_OK;
}

static void state_destroy(void *object)
{
	MPSRNNMatrixTrainingState *state = object;
	sluice__object_release(state->record);
	free(state);
}

MPS_COUNTED(MPSRNNMatrixTrainingState)

MPSRNNMatrixTrainingState *sluice__mps_training_state(struct record *record, size_t step, int temporary)
{
	MPSRNNMatrixTrainingState *state = sluice__object_new(sizeof *state, state_destroy);
	if (!state)
		return NULL;
	state->record = sluice__object_retain(record);
	state->step = step;
	state->temporary = temporary;
	state->readCount = temporary ? 1 : 0;
	return state;
}

int MPSRNNMatrixTrainingState_isTemporary(const MPSRNNMatrixTrainingState *state)
{
	return state && state->temporary;
}

size_t MPSRNNMatrixTrainingState_readCount(const MPSRNNMatrixTrainingState *state)
{
	return state ? state->readCount : 0;
}

void MPSRNNMatrixTrainingState_setReadCount(MPSRNNMatrixTrainingState *state, size_t readCount)
{
	if (MPSRNNMatrixTrainingState_isTemporary(state))
		state->readCount = readCount;
}
