/* mps_matrix_layer.c exists to read what an encode of matrices is given. */
#include "mps_internal.h"

MPSRNNMatrixInferenceLayer *
MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(void *device, const MPSRNNDescriptor *const *rnnDescriptors,
							 size_t count)
{
	return (MPSRNNMatrixInferenceLayer *)sluice__mps_inference(device, rnnDescriptors, count, LAYER_MATRIX);
}

MPSRNNMatrixInferenceLayer *
MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(void *device, const MPSRNNDescriptor *rnnDescriptor)
{
	return MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(device, &rnnDescriptor, 1);
}

MPSRNNMatrixInferenceLayer *MPSRNNMatrixInferenceLayer_copyWithZone_device(const MPSRNNMatrixInferenceLayer *layer,
									   void *zone, void *device)
{
	return (MPSRNNMatrixInferenceLayer *)sluice__mps_inference_copy(layer ? &layer->inference : NULL, zone, device);
}

sluice_status sluice__mps_matrices_read(const struct matrices *matrices, struct span *out)
{
	if (!matrices->list)
		return MPS_INVALID("%s is NULL, expected an array", matrices->name);
	for (size_t step = 0; step < matrices->count; step++) {
		const size_t offset = matrices->offsets ? matrices->offsets[step] : 0;
		MPS_TRY(sluice__mps_matrix_span(matrices->name, step, matrices->list[step], offset,
						matrices->rows ? matrices->rows[step] : 0, matrices->columns,
						&out[step]));
	}
	return SLUICE_OK;
}

/* Sources and destinations; the backward ones are there where results are apart. */
static sluice_status arrays_read(const struct call_request *request, const struct matrices *arrays, struct call *call)
{
	struct span *to[] = {sluice__mps_call_x(call), sluice__mps_call_y(call, 0), sluice__mps_call_y(call, 1)};
	const size_t *rows = NULL;
	for (size_t each = 0; each < sizeof to / sizeof to[0]; each++) {
		struct matrices matrices = arrays[each];
		if (!to[each])
			continue;
		matrices.count = request->steps;
		matrices.columns = each ? sluice__mps_result_width(request, each - 1)
					: request->stack->inputs[request->bidirectional ? CHAIN_FORWARD : CHAIN_ALL];
		matrices.rows = rows;
		MPS_TRY(sluice__mps_matrices_read(&matrices, to[each]));
		if (!each)
			MPS_TRY(sluice__mps_call_rows(call, &rows));
		for (size_t step = 0; step < request->steps; step++)
			sluice__mps_call_retain(call, matrices.list[step]);
	}
	return SLUICE_OK;
}

static sluice_status encode(struct call_request *request, const struct matrices *arrays)
{
	struct call *call;
	MPS_TRY(sluice__mps_call_new(request, &call));
	const sluice_status status = arrays_read(request, arrays, call);
	if (status != SLUICE_OK) {
		sluice__mps_call_free(call);
		return status;
	}
	request->rows = sluice__mps_call_x(call)->rows;
	return sluice__mps_call_encode(request, call);
}

int MPSRNNMatrixInferenceLayer_encodeSequence(MPSRNNMatrixInferenceLayer *layer, MPSCommandBuffer *commandBuffer,
					      MPSMatrix *const *sourceMatrices, const size_t *sourceOffsets,
					      MPSMatrix *const *destinationMatrices, const size_t *destinationOffsets,
					      size_t count, MPSRNNRecurrentMatrixState *recurrentInputState,
					      MPSRNNRecurrentMatrixState **recurrentOutputStates)
{
	const struct matrices arrays[] = {
		{.name = "sourceMatrices", .list = sourceMatrices, .offsets = sourceOffsets},
		{.name = "destinationMatrices", .list = destinationMatrices, .offsets = destinationOffsets},
		{.name = NULL},
	};
	struct call_request request;
	MPS_TRY(sluice__mps_inference_request((struct inference *)layer, commandBuffer, count, 0, &request));
	request.start = (struct recurrent *)recurrentInputState;
	request.states = (struct recurrent **)recurrentOutputStates;
	return encode(&request, arrays);
}

int SLUICE_MPS_JOIN(MPSRNNMatrixInferenceLayer_encodeSequenceToCommandBuffer_sourceMatrices_,
		    destinationMatrices_recurrentInputState_recurrentOutputStates)(
	MPSRNNMatrixInferenceLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *sourceMatrices,
	MPSMatrix *const *destinationMatrices, size_t count, MPSRNNRecurrentMatrixState *recurrentInputState,
	MPSRNNRecurrentMatrixState **recurrentOutputStates)
{
	return MPSRNNMatrixInferenceLayer_encodeSequence(layer, commandBuffer, sourceMatrices, NULL,
							 destinationMatrices, NULL, count, recurrentInputState,
							 recurrentOutputStates);
}

int MPSRNNMatrixInferenceLayer_encodeBidirectionalSequence(MPSRNNMatrixInferenceLayer *layer,
							   MPSCommandBuffer *commandBuffer,
							   MPSMatrix *const *sourceSequence,
							   MPSMatrix *const *destinationForwardMatrices,
							   MPSMatrix *const *destinationBackwardMatrices, size_t count)
{
	const struct matrices arrays[] = {
		{.name = "sourceSequence", .list = sourceSequence},
		{.name = "destinationForwardMatrices", .list = destinationForwardMatrices},
		{.name = "destinationBackwardMatrices", .list = destinationBackwardMatrices},
	};
	struct call_request request;
	MPS_TRY(sluice__mps_inference_request((struct inference *)layer, commandBuffer, count, 1, &request));
	return encode(&request, arrays);
}

MPSRNNRecurrentMatrixState *sluice_mps_matrix_state(void *layer, size_t rows)
{
	struct recurrent_shape shape = {.rows = rows};
	size_t channels[MPS_MOST_LAYERS];
	if (!rows) {
		MPS_INVALID("rows is 0, expected at least 1");
		return NULL;
	}
	if (sluice__mps_layer_shape(layer, channels, &shape) != SLUICE_OK)
		return NULL;
	return (MPSRNNRecurrentMatrixState *)sluice__mps_recurrent(&shape, MEANING_ANY, 0);
}
