/* mps_layer.c exists for what the classes of layers have in common: their stacks, copies, properties and switches. */
#include "mps_internal.h"
#include "switches.h"

#include <stddef.h>
#include <stdlib.h>

static void inference_destroy(void *object)
{
	struct inference *layer = object;
	sluice__object_release(layer->stack);
	free(layer);
}

MPS_COUNTED(MPSRNNMatrixInferenceLayer)
MPS_COUNTED(MPSRNNImageInferenceLayer)

static struct inference *inference_new(enum layer_class class, struct stack *stack)
{
	struct inference *layer = sluice__object_new(sizeof *layer, inference_destroy);
	if (!layer)
		return NULL;
	layer->layer.class = class;
	layer->stack = sluice__object_retain(stack);
	return layer;
}

sluice_status sluice__mps_no_device(const char *what, const void *device)
{
	if (device)
		return MPS_INVALID("%s is %p, expected NULL", what, device);
	return SLUICE_OK;
}

struct inference *sluice__mps_inference(void *device, const MPSRNNDescriptor *const *descriptors, size_t count,
					enum layer_class class)
{
	struct stack *stack;
	if (sluice__mps_no_device("device", device) != SLUICE_OK ||
	    sluice__mps_stack(descriptors, count, class == LAYER_IMAGE, &stack) != SLUICE_OK)
		return NULL;
	struct inference *layer = inference_new(class, stack);
	sluice__object_release(stack);
	return layer;
}

struct inference *sluice__mps_inference_copy(const struct inference *layer, void *zone, void *device)
{
	if (sluice__mps_no_device("device", device) != SLUICE_OK || sluice__mps_no_device("zone", zone) != SLUICE_OK)
		return NULL;
	if (!layer) {
		MPS_INVALID("layer is NULL, expected a layer");
		return NULL;
	}
	struct inference *copy = inference_new(layer->layer.class, layer->stack);
	if (!copy)
		return NULL;
	copy->recurrentOutputIsTemporary = layer->recurrentOutputIsTemporary;
	copy->storeAllIntermediateStates = layer->storeAllIntermediateStates;
	copy->bidirectionalCombineMode = layer->bidirectionalCombineMode;
	return copy;
}

#define kept_int(value) ((value) != 0)
#define kept_MPSRNNBidirectionalCombineMode(value) (value)
#define PROPERTY(class, name, Name, type)                          \
	type class##_##name(const class *layer)                    \
	{                                                          \
		return layer ? layer->inference.name : (type)0;    \
	}                                                          \
	void class##_set##Name(class *layer, type name)            \
	{                                                          \
		if (layer)                                         \
			layer->inference.name = kept_##type(name); \
	}
#define MATRIX_PROPERTY(name, Name, type) PROPERTY(MPSRNNMatrixInferenceLayer, name, Name, type)
#define IMAGE_PROPERTY(name, Name, type) PROPERTY(MPSRNNImageInferenceLayer, name, Name, type)
SLUICE_MPS_INFERENCE_PROPERTIES(MATRIX_PROPERTY)
SLUICE_MPS_INFERENCE_PROPERTIES(IMAGE_PROPERTY)

#define SIZES(class)                                                               \
	size_t class##_inputFeatureChannels(const class *layer)                    \
	{                                                                          \
		return layer ? layer->inference.stack->layers[0].inputs : 0;       \
	}                                                                          \
	size_t class##_outputFeatureChannels(const class *layer)                   \
	{                                                                          \
		const struct stack *stack = layer ? layer->inference.stack : NULL; \
		return stack ? stack->layers[stack->count - 1].hidden : 0;         \
	}                                                                          \
	size_t class##_numberOfLayers(const class *layer)                          \
	{                                                                          \
		return layer ? layer->inference.stack->count : 0;                  \
	}
SIZES(MPSRNNMatrixInferenceLayer)
SIZES(MPSRNNImageInferenceLayer)

static sluice_status bidirectional_check(const struct inference *layer)
{
	const struct stack *stack = layer->stack;
	static const char *const names[] = {[CHAIN_FORWARD] = "Forward", [CHAIN_BACKWARD] = "Backward"};
	if ((unsigned)layer->bidirectionalCombineMode > MPSRNNBidirectionalCombineModeConcatenate)
		return MPS_INVALID("bidirectionalCombineMode is %d, expected 0 to 2",
				   (int)layer->bidirectionalCombineMode);
	for (int kind = CHAIN_FORWARD; kind <= CHAIN_BACKWARD; kind++) {
		if (!stack->inputs[kind])
			return MPS_INVALID("no layer has the layerSequenceDirection %s, expected one of each direction",
					   names[kind]);
		if (!stack->possible[kind])
			return MPS_INVALID("a %s layer does not read what the %s layer below it puts out", names[kind],
					   names[kind]);
	}
	if (stack->inputs[CHAIN_FORWARD] != stack->inputs[CHAIN_BACKWARD])
		return MPS_INVALID("the first Forward layer reads %zu channels, the first Backward layer %zu, expected "
				   "as many",
				   stack->inputs[CHAIN_FORWARD], stack->inputs[CHAIN_BACKWARD]);
	if (layer->bidirectionalCombineMode == MPSRNNBidirectionalCombineModeAdd &&
	    stack->outputs[CHAIN_FORWARD] != stack->outputs[CHAIN_BACKWARD])
		return MPS_INVALID("%zu channels of the Forward layers and %zu of the Backward layers cannot be added",
				   stack->outputs[CHAIN_FORWARD], stack->outputs[CHAIN_BACKWARD]);
	return SLUICE_OK;
}

sluice_status sluice__mps_inference_request(struct inference *layer, MPSCommandBuffer *buffer, size_t steps,
					    int bidirectional, struct call_request *out)
{
	if (!layer)
		return MPS_INVALID("layer is NULL, expected a layer");
	MPS_TRY(sluice__mps_encodable(buffer));
	if (!steps || steps > PTRDIFF_MAX / sizeof(struct span))
		return MPS_INVALID("count is %zu, expected at least one step, and no more than there can be", steps);
	if (bidirectional)
		MPS_TRY(bidirectional_check(layer));
	else if (!layer->stack->possible[CHAIN_ALL])
		return MPS_INVALID("the layers as they stand are no stack: only bidirectional encodes are possible");
	*out = (struct call_request){
		.stack = layer->stack,
		.buffer = buffer,
		.steps = steps,
		.bidirectional = bidirectional,
		.combine = layer->bidirectionalCombineMode,
		.all_states = layer->storeAllIntermediateStates,
		.temporary = layer->recurrentOutputIsTemporary,
	};
	return SLUICE_OK;
}

size_t sluice__mps_result_width(const struct call_request *request, size_t which)
{
	const size_t *outputs = request->stack->outputs;
	if (!request->bidirectional)
		return outputs[CHAIN_ALL];
	if (which)
		return outputs[CHAIN_BACKWARD];
	const int both = request->combine == MPSRNNBidirectionalCombineModeConcatenate;
	return outputs[CHAIN_FORWARD] + (both ? outputs[CHAIN_BACKWARD] : 0);
}

sluice_status sluice__mps_layer_shape(void *layer, size_t channels[MPS_MOST_LAYERS], struct recurrent_shape *shape)
{
	if (!layer)
		return MPS_INVALID("layer is NULL, expected a layer");
	const enum layer_class class = ((const struct layer *)layer)->class;
	if (class == LAYER_IMAGE)
		return MPS_INVALID("layer is one of images, expected one of matrices");
	shape->channels = channels;
	shape->layers = 1;
	if (class == LAYER_TRAINING) {
		channels[0] = MPSRNNMatrixTrainingLayer_outputFeatureChannels(layer);
		return SLUICE_OK;
	}
	const struct stack *stack = ((const struct inference *)layer)->stack;
	shape->layers = stack->count;
	for (size_t each = 0; each < stack->count; each++)
		channels[each] = stack->layers[each].hidden;
	return SLUICE_OK;
}

static sluice_status inference_switch(struct inference *layer, const sluice_mps_options *options)
{
	struct stack *stack = layer->stack;
	if (stack->used || atomic_load(&stack->object.count) > 1)
		return MPS_INVALID("the layer has encoded or was copied, expected a new one");
	return sluice__mps_stack_threads(stack, options->threads);
}

int sluice_mps_set_options(void *layer, const sluice_mps_options *options)
{
	static const struct switch_field fields[] = {
		{"training_weights", offsetof(sluice_mps_options, training_weights)},
	};
	sluice_mps_options read = SLUICE_MPS_OPTIONS_INIT;
	if (!layer)
		return MPS_INVALID("layer is NULL, expected a layer");
	if (options)
		MPS_TRY(sluice__switches_read(options, fields, sizeof fields / sizeof fields[0], sizeof read, &read));
	if (read.threads < 0)
		return MPS_INVALID("options.threads is %d, expected at least 0", read.threads);
	if (((const struct layer *)layer)->class == LAYER_TRAINING)
		return sluice__mps_training_switch(layer, &read);
	return inference_switch(layer, &read);
}
