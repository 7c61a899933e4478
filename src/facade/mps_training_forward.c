/* mps_training_forward.c exists for the forward calls of a training layer. */
#include "mps_training_call.h"

#include <stdlib.h>
#include <string.h>

static sluice_status runner_run(const struct training_call *call, struct runner *runner)
{
	const struct network *network = call->network;
	const struct pass pass = {
		.plan = runner->plan,
		.context = runner->context,
		.steps = call->steps,
		.batch = call->batch,
		.x_width = network->inputs,
		.y_width = network->hidden,
		.state_width = network->hidden,
		.x = call->spans[ARRAY_X],
		.y = call->spans[ARRAY_Y],
		.x_direct = call->direct[ARRAY_X],
		.y_direct = call->direct[ARRAY_Y] && !call->falls,
		.batch_sizes = sluice__mps_training_call_rows(call),
		.x_steps = (const void **)call->places[ARRAY_X],
		.y_steps = call->places[ARRAY_Y],
		.start = call->start,
		.sequences = call->state_count && call->all_states,
		.final = call->state_count && !call->all_states,
		.tape = call->record ? call->record->tape : NULL,
	};
	MPS_TRY(sluice__mps_runner_load(network, runner, call->weights));
	MPS_TRY(sluice__mps_pass_run(&pass, &runner->memory));
	sluice__mps_pass_store(&pass, &runner->memory);
	if (pass.final)
		MPS_TRY(sluice__mps_recurrent_take(call->states[0], runner->plan, runner->memory.at[BUFFER_STATE]));
	if (pass.sequences)
		sluice__mps_recurrent_unroll(call->states, call->steps, pass.batch_sizes, call->start,
					     runner->memory.at[BUFFER_H], runner->memory.at[BUFFER_C]);
	return SLUICE_OK;
}

/* What the call starts from may be something else when its gradients are computed. */
static void start_keep(const struct training_call *call)
{
	const struct recurrent *kept = call->record ? call->record->start : NULL;
	for (size_t part = 0; kept && part < 2; part++)
		memcpy(kept->data[part], call->start->data[part],
		       call->batch * call->network->hidden * sizeof *kept->data[part]);
}

static sluice_status forward_run(struct command *command)
{
	const struct training_call *call = (const struct training_call *)command;
	struct runner *runner;
	MPS_TRY(sluice__mps_runner_take(call->network, call->steps, call->batch, &runner));
	start_keep(call);
	const sluice_status status = runner_run(call, runner);
	sluice__mps_runner_give(call->network, runner);
	if (call->record)
		call->record->written = status == SLUICE_OK;
	return status;
}

static sluice_status arrays_read(const struct training_request *request, struct training_call *call)
{
	const struct network *network = call->network;
	MPS_TRY(sluice__mps_training_call_array(request, call, ARRAY_X, network->inputs, NULL));
	MPS_TRY(sluice__mps_rows_read(request->arrays[ARRAY_X].name, call->spans[ARRAY_X], call->steps,
				      call->batch_sizes));
	MPS_TRY(sluice__mps_training_call_array(request, call, ARRAY_Y, network->hidden, call->batch_sizes));
	const struct recurrent_shape shape = {.layers = 1, .channels = &network->hidden, .rows = call->batch_sizes[0]};
	MPS_TRY(sluice__mps_recurrent_check(request->start, &shape, MEANING_STATE));
	call->batch = request->start ? request->start->rows : call->batch_sizes[0];
	call->falls = call->batch_sizes[call->steps - 1] < call->batch;
	return sluice__mps_spans_apart("destinationMatrices", call->spans[ARRAY_X], call->steps, call->spans[ARRAY_Y],
				       call->steps);
}

/* A runner for the call, now: what it needs is there when it is committed. And the size of its tape. */
static sluice_status runner_prepare(const struct training_call *call, size_t *tape_bytes)
{
	struct runner *runner;
	MPS_TRY(sluice__mps_runner_take(call->network, call->steps, call->batch, &runner));
	*tape_bytes = sluice_plan_tape_size(runner->plan, call->steps);
	sluice__mps_runner_give(call->network, runner);
	return SLUICE_OK;
}

static sluice_status record_make(const struct training_request *request, struct training_call *call, size_t tape_bytes)
{
	MPS_TRY(sluice__mps_record(call->network, call->steps, tape_bytes, &call->record));
	struct record *record = call->record;
	memcpy(record->batch_sizes, call->batch_sizes, call->steps * sizeof *record->batch_sizes);
	record->batch = call->batch;
	record->falls = call->falls;
	if (!request->start)
		return SLUICE_OK;
	const struct recurrent_shape shape = {.layers = 1, .channels = &call->network->hidden, .rows = call->batch};
	record->start = sluice__mps_recurrent(&shape, MEANING_STATE, 0);
	return record->start ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
}

static void training_states_release(MPSRNNMatrixTrainingState **states, size_t count)
{
	while (count)
		MPSRNNMatrixTrainingState_release(states[--count]);
	free(states);
}

/* All of them, or none: the caller's array is not touched before. */
static sluice_status training_states_make(const struct training_request *request, const struct training_call *call,
					  MPSRNNMatrixTrainingState **out)
{
	const int temporary = request->layer->trainingStateIsTemporary;
	MPSRNNMatrixTrainingState **states = sluice__object_allocate(call->steps, sizeof *states);
	if (!states)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t step = 0; step < call->steps; step++) {
		states[step] = sluice__mps_training_state(call->record, step, temporary);
		if (!states[step]) {
			training_states_release(states, step);
			return SLUICE_OUT_OF_MEMORY;
		}
	}
	memcpy(out, states, call->steps * sizeof *states);
	free(states);
	return SLUICE_OK;
}

static sluice_status forward_make(const struct training_request *request, struct training_call *call,
				  MPSRNNMatrixTrainingState **training_states)
{
	size_t tape_bytes;
	MPS_TRY(arrays_read(request, call));
	MPS_TRY(runner_prepare(call, &tape_bytes));
	MPS_TRY(sluice__mps_training_call_states(request, call, MEANING_STATE));
	if (!training_states)
		return SLUICE_OK;
	MPS_TRY(record_make(request, call, tape_bytes));
	return training_states_make(request, call, training_states);
}

static int encode(const struct training_request *request, MPSRNNMatrixTrainingState **training_states)
{
	struct training_call *call;
	MPS_TRY(sluice__mps_training_call_new(request, &call));
	const sluice_status status = forward_make(request, call, training_states);
	if (status == SLUICE_OK)
		sluice__mps_training_call_encode(request, call, forward_run);
	else
		sluice__mps_training_call_free(call);
	return status;
}

int MPSRNNMatrixTrainingLayer_encodeForwardSequence(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *sourceMatrices,
	const size_t *sourceOffsets, MPSMatrix *const *destinationMatrices, const size_t *destinationOffsets,
	size_t count, MPSRNNMatrixTrainingState **trainingStates, MPSRNNRecurrentMatrixState *recurrentInputState,
	MPSRNNRecurrentMatrixState **recurrentOutputStates, MPSMatrix *const *weights)
{
	const struct training_request request = {
		.layer = layer,
		.buffer = commandBuffer,
		.arrays = {[ARRAY_X] = {.name = "sourceMatrices", .list = sourceMatrices, .offsets = sourceOffsets},
			   [ARRAY_Y] = {.name = "destinationMatrices",
					.list = destinationMatrices,
					.offsets = destinationOffsets}},
		.steps = count,
		.weights = weights,
		.start = (struct recurrent *)recurrentInputState,
		.states = (struct recurrent **)recurrentOutputStates,
	};
	return encode(&request, trainingStates);
}

int SLUICE_MPS_JOIN(MPSRNNMatrixTrainingLayer_encodeForwardSequenceToCommandBuffer_,
		    sourceMatrices_destinationMatrices_trainingStates_weights)(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *sourceMatrices,
	MPSMatrix *const *destinationMatrices, size_t count, MPSRNNMatrixTrainingState **trainingStates,
	MPSMatrix *const *weights)
{
	return MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, commandBuffer, sourceMatrices, NULL,
							       destinationMatrices, NULL, count, trainingStates, NULL,
							       NULL, weights);
}
