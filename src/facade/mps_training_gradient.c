/* mps_training_gradient.c exists for the gradient calls of a training layer. */
#include "mps_training_call.h"

#include <string.h>

static sluice_status reserve(const struct training_call *call, struct runner *runner)
{
	const struct network *network = call->network;
	const size_t rows = call->steps * call->batch * sizeof(float);
	const size_t state = sluice_plan_state_size(runner->plan, call->batch);
	const size_t bytes[BUFFERS] = {
		[BUFFER_WORKSPACE] = sluice_plan_workspace_size(runner->plan),
		[BUFFER_STATE] = call->record->start ? state : 0,
		[BUFFER_STATE_GRADIENT] = call->start || call->state_count ? state : 0,
		[BUFFER_X] = call->direct[ARRAY_X] ? 0 : rows * network->inputs,
		[BUFFER_DY] = call->direct[ARRAY_Y] ? 0 : rows * network->hidden,
		[BUFFER_DX] = call->direct[ARRAY_DX] ? 0 : rows * network->inputs,
		[BUFFER_PARAMETERS] = call->wants_gradients ? network->parameters * sizeof(float) : 0,
	};
	for (int which = 0; which < BUFFERS; which++)
		MPS_TRY(sluice__mps_memory_reserve(runner->context, &runner->memory, (enum buffer)which, bytes[which]));
	return SLUICE_OK;
}

/* Pointers to the steps of an array as it lies. */
static void **steps_of(const struct training_call *call, int which)
{
	for (size_t step = 0; step < call->steps; step++)
		call->places[which][step] = call->spans[which][step].at;
	return call->places[which];
}

static size_t row_of(const struct training_call *call, int which)
{
	return call->spans[which][0].row_bytes / sizeof(float);
}

static void run_prepare(const struct training_call *call, const struct runner *runner, sluice_run *run)
{
	const struct sequence x = sluice__mps_training_call_sequence(call, ARRAY_X);
	*run = (sluice_run)SLUICE_RUN_INIT;
	run->steps = call->steps;
	run->batch = call->batch;
	run->workspace = runner->memory.at[BUFFER_WORKSPACE];
	run->batch_sizes = sluice__mps_training_call_rows(call);
	run->tape = call->record->tape;
	/* Backward asks whether there was an initial state; what it was is on the tape. */
	run->initial_state = call->record->start ? runner->memory.at[BUFFER_STATE] : NULL;
	if (call->direct[ARRAY_X]) {
		run->x_steps = (const void *const *)steps_of(call, ARRAY_X);
		run->x_row = row_of(call, ARRAY_X);
		return;
	}
	sluice__mps_sequence_load(&x, runner->memory.at[BUFFER_X]);
	run->x = runner->memory.at[BUFFER_X];
}

static void incoming(const struct training_call *call, const struct runner *runner, sluice_gradients *gradients)
{
	const struct sequence dy = sluice__mps_training_call_sequence(call, ARRAY_Y);
	if (call->direct[ARRAY_Y]) {
		gradients->dy_steps = (const void *const *)steps_of(call, ARRAY_Y);
		gradients->dy_row = row_of(call, ARRAY_Y);
		return;
	}
	sluice__mps_sequence_load(&dy, runner->memory.at[BUFFER_DY]);
	gradients->dy = runner->memory.at[BUFFER_DY];
}

static void outgoing(const struct training_call *call, const struct runner *runner, sluice_gradients *gradients)
{
	if (call->wants_gradients)
		gradients->dparameters = runner->memory.at[BUFFER_PARAMETERS];
	if (call->state_count)
		gradients->dinitial = runner->memory.at[BUFFER_STATE_GRADIENT];
	if (!call->wants_dx)
		return;
	if (call->direct[ARRAY_DX]) {
		gradients->dx_steps = steps_of(call, ARRAY_DX);
		gradients->dx_row = row_of(call, ARRAY_DX);
		return;
	}
	gradients->dx = runner->memory.at[BUFFER_DX];
}

/* In one call of the core. */
static sluice_status whole_run(const struct training_call *call, struct runner *runner)
{
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	sluice_run run;
	void *state = NULL;
	MPS_TRY(reserve(call, runner));
	run_prepare(call, runner, &run);
	incoming(call, runner, &gradients);
	outgoing(call, runner, &gradients);
	state = runner->memory.at[BUFFER_STATE_GRADIENT];
	if (call->start) {
		MPS_TRY(sluice__mps_recurrent_write(call->start, runner->plan, state));
		gradients.dfinal = state;
	}
	MPS_TRY(sluice_backward(runner->plan, &run, &gradients));
	if (gradients.dx) {
		const struct sequence dx = sluice__mps_training_call_sequence(call, ARRAY_DX);
		sluice__mps_sequence_store(&dx, gradients.dx);
	}
	return call->state_count ? sluice__mps_recurrent_take(call->states[0], runner->plan, state) : SLUICE_OK;
}

static int by_steps(const struct training_call *call)
{
	return call->state_count && call->all_states;
}

static sluice_status runner_run(const struct training_call *call, struct runner *runner)
{
	if (!call->record->written)
		return MPS_INVALID("gradients of a forward call that was not committed");
	MPS_TRY(sluice__mps_runner_load(call->network, runner, call->weights));
	MPS_TRY(by_steps(call) ? sluice__mps_gradient_steps(call, runner) : whole_run(call, runner));
	if (call->wants_gradients)
		sluice__mps_runner_store(call->network, runner, call->gradients, call->adds);
	return SLUICE_OK;
}

static sluice_status gradient_run(struct command *command)
{
	const struct training_call *call = (const struct training_call *)command;
	struct runner *runner;
	MPS_TRY(sluice__mps_runner_take(call->network, call->steps, call->batch, &runner));
	const sluice_status status = runner_run(call, runner);
	sluice__mps_runner_give(call->network, runner);
	return status;
}

/* --- encoding --- */

static sluice_status training_states_read(const struct training_request *request, struct training_call *call,
					  MPSRNNMatrixTrainingState *const *states)
{
	if (!states)
		return MPS_INVALID("trainingStates is NULL, expected those of a forward call");
	for (size_t step = 0; step < request->steps; step++) {
		const MPSRNNMatrixTrainingState *state = states[step];
		if (!state)
			return MPS_INVALID("trainingStates[%zu] is NULL, expected a state", step);
		if (state->record->network != call->network)
			return MPS_INVALID("trainingStates[%zu] is of another layer", step);
		if (state->record != states[0]->record || state->step != step)
			return MPS_INVALID("trainingStates[%zu] is of step %zu of %s forward call, expected all steps "
					   "of one call in order",
					   step, state->step, state->record == states[0]->record ? "the" : "another");
		if (state->temporary && !state->readCount)
			return MPS_INVALID("trainingStates[%zu] is temporary and its read count is 0", step);
	}
	if (states[0]->record->steps != request->steps)
		return MPS_INVALID("count is %zu, the forward call had %zu steps", request->steps,
				   states[0]->record->steps);
	call->record = sluice__object_retain(states[0]->record);
	return SLUICE_OK;
}

static sluice_status start_check(const struct training_request *request, const struct training_call *call)
{
	const struct recurrent_shape shape = {.layers = 1, .channels = &call->network->hidden, .rows = call->batch};
	MPS_TRY(sluice__mps_recurrent_check(request->start, &shape, MEANING_GRADIENT));
	if (request->start && request->start->rows != call->batch)
		return MPS_INVALID("recurrentInputState has %zu rows, expected the %zu of the forward call",
				   request->start->rows, call->batch);
	return SLUICE_OK;
}

static sluice_status arrays_read(const struct training_request *request, struct training_call *call)
{
	const struct network *network = call->network;
	const size_t *rows = call->batch_sizes;
	MPS_TRY(sluice__mps_training_call_array(request, call, ARRAY_X, network->inputs, rows));
	MPS_TRY(sluice__mps_training_call_array(request, call, ARRAY_Y, network->hidden, rows));
	if (!call->wants_dx)
		return SLUICE_OK;
	MPS_TRY(sluice__mps_training_call_array(request, call, ARRAY_DX, network->inputs, rows));
	/* The core would write zeros to rows that a step has not. */
	call->direct[ARRAY_DX] = call->direct[ARRAY_DX] && !call->falls;
	const char *name = request->arrays[ARRAY_DX].name;
	MPS_TRY(sluice__mps_spans_apart(name, call->spans[ARRAY_X], call->steps, call->spans[ARRAY_DX], call->steps));
	return sluice__mps_spans_apart(name, call->spans[ARRAY_Y], call->steps, call->spans[ARRAY_DX], call->steps);
}

static sluice_status runner_prepare(const struct training_call *call)
{
	struct runner *runner;
	MPS_TRY(sluice__mps_runner_take(call->network, call->steps, call->batch, &runner));
	const sluice_status status = by_steps(call) ? sluice__mps_runner_step_plan(runner) : SLUICE_OK;
	sluice__mps_runner_give(call->network, runner);
	return status;
}

static sluice_status gradient_make(const struct training_request *request, struct training_call *call,
				   MPSRNNMatrixTrainingState *const *states)
{
	MPS_TRY(training_states_read(request, call, states));
	call->batch = call->record->batch;
	call->falls = call->record->falls;
	call->wants_dx = request->arrays[ARRAY_DX].list != NULL;
	memcpy(call->batch_sizes, call->record->batch_sizes, call->steps * sizeof *call->batch_sizes);
	MPS_TRY(arrays_read(request, call));
	MPS_TRY(start_check(request, call));
	MPS_TRY(sluice__mps_training_call_states(request, call, MEANING_GRADIENT));
	return runner_prepare(call);
}

static int encode(const struct training_request *request, MPSRNNMatrixTrainingState *const *states)
{
	struct training_call *call;
	MPS_TRY(sluice__mps_training_call_new(request, &call));
	const sluice_status status = gradient_make(request, call, states);
	if (status != SLUICE_OK) {
		sluice__mps_training_call_free(call);
		return status;
	}
	for (size_t step = 0; step < request->steps; step++)
		states[step]->readCount -= states[step]->temporary ? 1 : 0;
	sluice__mps_training_call_encode(request, call, gradient_run);
	return SLUICE_OK;
}

int MPSRNNMatrixTrainingLayer_encodeGradientSequence(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *forwardSources,
	const size_t *forwardSourceOffsets, MPSMatrix *const *sourceGradients, const size_t *sourceGradientOffsets,
	MPSMatrix *const *destinationGradients, const size_t *destinationOffsets, MPSMatrix *const *weightGradients,
	size_t count, MPSRNNMatrixTrainingState *const *trainingStates, MPSRNNRecurrentMatrixState *recurrentInputState,
	MPSRNNRecurrentMatrixState **recurrentOutputStates, MPSMatrix *const *weights)
{
	const struct training_request request = {
		.layer = layer,
		.buffer = commandBuffer,
		.arrays = {[ARRAY_X] = {.name = "forwardSources",
					.list = forwardSources,
					.offsets = forwardSourceOffsets},
			   [ARRAY_Y] = {.name = "sourceGradients",
					.list = sourceGradients,
					.offsets = sourceGradientOffsets},
			   [ARRAY_DX] = {.name = "destinationGradients",
					 .list = destinationGradients,
					 .offsets = destinationOffsets}},
		.steps = count,
		.weights = weights,
		.gradients = weightGradients,
		.start = (struct recurrent *)recurrentInputState,
		.states = (struct recurrent **)recurrentOutputStates,
	};
	return encode(&request, trainingStates);
}

int SLUICE_MPS_JOIN3(MPSRNNMatrixTrainingLayer_encodeGradientSequenceToCommandBuffer_forwardSources_,
		     sourceGradients_destinationGradients_, weightGradients_trainingStates_weights)(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *forwardSources,
	MPSMatrix *const *sourceGradients, MPSMatrix *const *destinationGradients, MPSMatrix *const *weightGradients,
	size_t count, MPSRNNMatrixTrainingState *const *trainingStates, MPSMatrix *const *weights)
{
	return MPSRNNMatrixTrainingLayer_encodeGradientSequence(
		layer, commandBuffer, forwardSources, NULL, sourceGradients, NULL, destinationGradients, NULL,
		weightGradients, count, trainingStates, NULL, NULL, weights);
}
