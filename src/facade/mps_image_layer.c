/* mps_image_layer.c exists to read what an encode of images is given. */
#include "mps_internal.h"

MPSRNNImageInferenceLayer *
MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptors(void *device, const MPSRNNDescriptor *const *rnnDescriptors,
							size_t count)
{
	return (MPSRNNImageInferenceLayer *)sluice__mps_inference(device, rnnDescriptors, count, LAYER_IMAGE);
}

MPSRNNImageInferenceLayer *MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptor(void *device,
										  const MPSRNNDescriptor *rnnDescriptor)
{
	return MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptors(device, &rnnDescriptor, 1);
}

MPSRNNImageInferenceLayer *MPSRNNImageInferenceLayer_copyWithZone_device(const MPSRNNImageInferenceLayer *layer,
									 void *zone, void *device)
{
	return (MPSRNNImageInferenceLayer *)sluice__mps_inference_copy((const struct inference *)layer, zone, device);
}

struct images {
	const char *name;
	MPSImage *const *list;
};

static sluice_status size_check(const char *name, size_t index, const MPSImage *image, const MPSImage *first)
{
	if (image->width != first->width || image->height != first->height)
		return MPS_INVALID("%s[%zu] is %zu x %zu, expected %zu x %zu as the first source", name, index,
				   image->width, image->height, first->width, first->height);
	if (image->numberOfImages != first->numberOfImages)
		return MPS_INVALID("%s[%zu] has %zu images, expected %zu as the first source", name, index,
				   image->numberOfImages, first->numberOfImages);
	return SLUICE_OK;
}

static sluice_status array_read(const struct images *images, const struct call_request *request, size_t channels,
				const MPSImage *first, struct call *call, struct span *out)
{
	if (!images->list)
		return MPS_INVALID("%s is NULL, expected an array", images->name);
	for (size_t step = 0; step < request->steps; step++) {
		MPS_TRY(sluice__mps_image_span(images->name, step, images->list[step], channels, &out[step]));
		MPS_TRY(size_check(images->name, step, images->list[step], first ? first : images->list[0]));
		sluice__mps_call_retain(call, images->list[step]);
	}
	return SLUICE_OK;
}

/* Sources and destinations; the backward ones are there where results are apart. */
static sluice_status arrays_read(struct call_request *request, const struct images *arrays, struct call *call)
{
	struct span *to[] = {sluice__mps_call_x(call), sluice__mps_call_y(call, 0), sluice__mps_call_y(call, 1)};
	const size_t inputs = request->stack->inputs[request->bidirectional ? CHAIN_FORWARD : CHAIN_ALL];
	const size_t *rows;
	MPS_TRY(array_read(&arrays[0], request, inputs, NULL, call, to[0]));
	const MPSImage *first = arrays[0].list[0];
	request->rows = first->numberOfImages;
	request->height = first->height;
	request->width = first->width;
	for (size_t each = 1; each < sizeof to / sizeof to[0]; each++)
		if (to[each])
			MPS_TRY(array_read(&arrays[each], request, sluice__mps_result_width(request, each - 1), first,
					   call, to[each]));
	return sluice__mps_call_rows(call, &rows);
}

static sluice_status encode(struct call_request *request, const struct images *arrays)
{
	struct call *call;
	MPS_TRY(sluice__mps_call_new(request, &call));
	const sluice_status status = arrays_read(request, arrays, call);
	if (status != SLUICE_OK) {
		sluice__mps_call_free(call);
		return status;
	}
	return sluice__mps_call_encode(request, call);
}

int MPSRNNImageInferenceLayer_encodeSequence(MPSRNNImageInferenceLayer *layer, MPSCommandBuffer *commandBuffer,
					     MPSImage *const *sourceImages, MPSImage *const *destinationImages,
					     size_t count, MPSRNNRecurrentImageState *recurrentInputState,
					     MPSRNNRecurrentImageState **recurrentOutputStates)
{
	const struct images arrays[] = {
		{"sourceImages", sourceImages},
		{"destinationImages", destinationImages},
		{NULL, NULL},
	};
	struct call_request request;
	MPS_TRY(sluice__mps_inference_request((struct inference *)layer, commandBuffer, count, 0, &request));
	request.start = (struct recurrent *)recurrentInputState;
	request.states = (struct recurrent **)recurrentOutputStates;
	return encode(&request, arrays);
}

int MPSRNNImageInferenceLayer_encodeBidirectionalSequence(MPSRNNImageInferenceLayer *layer,
							  MPSCommandBuffer *commandBuffer,
							  MPSImage *const *sourceSequence,
							  MPSImage *const *destinationForwardImages,
							  MPSImage *const *destinationBackwardImages, size_t count)
{
	const struct images arrays[] = {
		{"sourceSequence", sourceSequence},
		{"destinationForwardImages", destinationForwardImages},
		{"destinationBackwardImages", destinationBackwardImages},
	};
	struct call_request request;
	MPS_TRY(sluice__mps_inference_request((struct inference *)layer, commandBuffer, count, 1, &request));
	return encode(&request, arrays);
}

MPSRNNRecurrentImageState *sluice_mps_image_state(MPSRNNImageInferenceLayer *layer, size_t width, size_t height,
						  size_t numberOfImages)
{
	size_t channels[MPS_MOST_LAYERS];
	struct recurrent_shape shape = {.channels = channels, .rows = numberOfImages, .height = height, .width = width};
	const struct stack *stack = layer ? ((const struct inference *)layer)->stack : NULL;
	if (!layer) {
		MPS_INVALID("layer is NULL, expected a layer");
		return NULL;
	}
	shape.layers = stack->count;
	for (size_t each = 0; each < stack->count; each++)
		channels[each] = stack->layers[each].hidden;
	if (!width || !height) {
		MPS_INVALID("image: %zu x %zu, expected at least 1 x 1", width, height);
		return NULL;
	}
	return (MPSRNNRecurrentImageState *)sluice__mps_recurrent(&shape, MEANING_ANY, 0);
}
