/* mps_training_call.c exists for what forward and gradient calls of a training layer have in common. */
#include "mps_training_call.h"

#include <stdlib.h>

void sluice__mps_training_call_free(struct training_call *call)
{
	for (int each = 0; each < ARRAYS; each++) {
		free(call->spans[each]);
		free(call->places[each]);
	}
	for (size_t each = 0; each < TENSORS; each++) {
		MPSMatrix_release(call->weights[each]);
		MPSMatrix_release(call->gradients[each]);
	}
	for (size_t each = 0; call->states && each < call->state_count; each++)
		sluice__object_release(call->states[each]);
	for (size_t each = 0; each < call->object_count; each++)
		sluice__object_release(call->objects[each]);
	sluice__object_release(call->record);
	sluice__object_release(call->start);
	sluice__object_release(call->network);
	free(call->batch_sizes);
	free(call->states);
	free(call->objects);
	free(call);
}

static void lesson_destroy(struct command *command)
{
	sluice__mps_training_call_free((struct training_call *)command);
}

static sluice_status request_check(const struct training_request *request)
{
	if (!request->layer)
		return MPS_INVALID("layer is NULL, expected a layer");
	const struct network *network = request->layer->network;
	MPS_TRY(sluice__mps_encodable(request->buffer));
	if (!request->steps || request->steps > PTRDIFF_MAX / sizeof(struct span))
		return MPS_INVALID("count is %zu, expected at least one step, and no more than there can be",
				   request->steps);
	MPS_TRY(sluice__mps_array_check(network, "weights", request->weights, ROLE_WEIGHTS, request->buffer));
	if (!request->gradients)
		return SLUICE_OK;
	return sluice__mps_array_check(network, "weightGradients", request->gradients, ROLE_GRADIENTS, request->buffer);
}

static int lists_make(const struct training_request *request, struct training_call *call)
{
	call->batch_sizes = sluice__object_allocate(request->steps, sizeof *call->batch_sizes);
	call->objects = sluice__object_allocate(ARRAYS * request->steps, sizeof *call->objects);
	int made = call->batch_sizes && call->objects;
	for (int each = 0; made && each < ARRAYS; each++) {
		call->spans[each] = sluice__object_allocate(request->steps, sizeof(struct span));
		call->places[each] = sluice__object_allocate(request->steps, sizeof(void *));
		made = call->spans[each] && call->places[each];
	}
	return made;
}

sluice_status sluice__mps_training_call_new(const struct training_request *request, struct training_call **out)
{
	MPS_TRY(request_check(request));
	struct network *network = request->layer->network;
	struct training_call *call = sluice__object_allocate(1, sizeof *call);
	if (!call)
		return SLUICE_OUT_OF_MEMORY;
	call->command.destroy = lesson_destroy;
	call->network = sluice__object_retain(network);
	call->steps = request->steps;
	call->all_states = request->layer->storeAllIntermediateStates;
	call->adds = request->layer->accumulateWeightGradients;
	call->wants_gradients = request->gradients != NULL;
	for (size_t each = 0; each < sluice__mps_tensors(network); each++) {
		call->weights[each] = MPSMatrix_retain(request->weights[each]);
		if (request->gradients)
			call->gradients[each] = MPSMatrix_retain(request->gradients[each]);
	}
	if (!lists_make(request, call)) {
		sluice__mps_training_call_free(call);
		return SLUICE_OUT_OF_MEMORY;
	}
	*out = call;
	return SLUICE_OK;
}

sluice_status sluice__mps_training_call_array(const struct training_request *request, struct training_call *call,
					      int which, size_t columns, const size_t *rows)
{
	struct matrices matrices = request->arrays[which];
	matrices.count = call->steps;
	matrices.columns = columns;
	matrices.rows = rows;
	MPS_TRY(sluice__mps_matrices_read(&matrices, call->spans[which]));
	call->direct[which] = sluice__mps_spans_direct(call->spans[which], call->steps);
	for (size_t step = 0; step < call->steps; step++)
		call->objects[call->object_count++] = sluice__object_retain(matrices.list[step]);
	return SLUICE_OK;
}

sluice_status sluice__mps_training_call_states(const struct training_request *request, struct training_call *call,
					       enum meaning meaning)
{
	const struct recurrent_shape shape = {.layers = 1, .channels = &call->network->hidden, .rows = call->batch};
	const size_t count = call->all_states ? call->steps : 1;
	if (!request->states)
		return SLUICE_OK;
	call->states = sluice__object_allocate(count, sizeof(struct recurrent *));
	if (!call->states)
		return SLUICE_OUT_OF_MEMORY;
	call->state_count = count;
	for (size_t each = 0; each < count; each++) {
		call->states[each] = sluice__mps_recurrent(&shape, meaning, request->layer->recurrentOutputIsTemporary);
		if (!call->states[each])
			return SLUICE_OUT_OF_MEMORY;
	}
	return SLUICE_OK;
}

void sluice__mps_training_call_encode(const struct training_request *request, struct training_call *call,
				      sluice_status (*run)(struct command *command))
{
	call->start = sluice__object_retain(request->start);
	sluice__mps_recurrent_read(request->start);
	for (size_t each = 0; each < call->state_count; each++)
		request->states[each] = sluice__object_retain(call->states[each]);
	call->command.run = run;
	sluice__mps_encode(request->buffer, &call->command);
}

const size_t *sluice__mps_training_call_rows(const struct training_call *call)
{
	return call->falls ? call->batch_sizes : NULL;
}

struct sequence sluice__mps_training_call_sequence(const struct training_call *call, int which)
{
	return (struct sequence){
		.spans = call->spans[which],
		.steps = call->steps,
		.batch = call->batch,
		.width = which == ARRAY_Y ? call->network->hidden : call->network->inputs,
		.batch_sizes = sluice__mps_training_call_rows(call),
	};
}
