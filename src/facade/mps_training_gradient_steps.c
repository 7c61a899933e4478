/* mps_training_gradient_steps.c exists to go back one step at a time, where the gradients of every step's state are
 * wanted.
 *
 * The tape of a call is one piece. So forward is computed again, each step with a tape of its own.
 */
#include "mps_training_call.h"

enum { ALIGNMENT = 64 };

/* Sizes of one step's pieces. */
struct pieces {
	size_t tape, state;
};

static struct pieces pieces_of(const struct training_call *call, const struct runner *runner)
{
	const size_t tape = sluice_plan_tape_size(runner->step_plan, 1);
	return (struct pieces){
		(tape + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT,
		sluice_plan_state_size(runner->step_plan, call->batch),
	};
}

static sluice_status reserve(const struct training_call *call, struct runner *runner)
{
	const struct network *network = call->network;
	const struct pieces pieces = pieces_of(call, runner);
	const size_t rows = call->steps * call->batch * sizeof(float);
	const size_t bytes[BUFFERS] = {
		[BUFFER_WORKSPACE] = sluice_plan_workspace_size(runner->step_plan),
		[BUFFER_STATES] = (call->steps + 1) * pieces.state,
		[BUFFER_STATE_GRADIENT] = pieces.state,
		[BUFFER_TAPES] = call->steps * pieces.tape,
		[BUFFER_X] = rows * network->inputs,
		[BUFFER_DY] = rows * network->hidden,
		[BUFFER_DX] = rows * network->inputs,
		[BUFFER_PARAMETERS] = network->parameters * sizeof(float),
	};
	for (int which = 0; which < BUFFERS; which++)
		MPS_TRY(sluice__mps_memory_reserve(runner->context, &runner->memory, (enum buffer)which, bytes[which]));
	return SLUICE_OK;
}

static float *row_at(const struct training_call *call, const struct runner *runner, enum buffer which, size_t step,
		     size_t width)
{
	return (float *)runner->memory.at[which] + step * call->batch * width;
}

static void *piece(const struct runner *runner, enum buffer which, size_t index, size_t bytes)
{
	return (char *)runner->memory.at[which] + index * bytes;
}

static sluice_run run_of(const struct training_call *call, const struct runner *runner, size_t step)
{
	const struct pieces pieces = pieces_of(call, runner);
	sluice_run run = SLUICE_RUN_INIT;
	run.steps = 1;
	run.batch = call->batch;
	run.batch_sizes = &call->batch_sizes[step];
	run.x = row_at(call, runner, BUFFER_X, step, call->network->inputs);
	run.workspace = runner->memory.at[BUFFER_WORKSPACE];
	run.tape = piece(runner, BUFFER_TAPES, step, pieces.tape);
	if (step || call->record->start)
		run.initial_state = piece(runner, BUFFER_STATES, step, pieces.state);
	run.final_state = piece(runner, BUFFER_STATES, step + 1, pieces.state);
	return run;
}

static sluice_status forward_again(const struct training_call *call, const struct runner *runner)
{
	if (call->record->start)
		MPS_TRY(sluice__mps_recurrent_write(call->record->start, runner->step_plan,
						    runner->memory.at[BUFFER_STATES]));
	for (size_t step = 0; step < call->steps; step++) {
		const sluice_run run = run_of(call, runner, step);
		MPS_TRY(sluice_forward(runner->step_plan, &run));
	}
	return SLUICE_OK;
}

static sluice_status backward(const struct training_call *call, const struct runner *runner)
{
	void *state = runner->memory.at[BUFFER_STATE_GRADIENT];
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	if (call->start) {
		MPS_TRY(sluice__mps_recurrent_write(call->start, runner->step_plan, state));
		gradients.dfinal = state;
	}
	gradients.dinitial = state;
	gradients.dparameters = call->wants_gradients ? runner->memory.at[BUFFER_PARAMETERS] : NULL;
	for (size_t step = call->steps; step-- > 0;) {
		const sluice_run run = run_of(call, runner, step);
		gradients.dy = row_at(call, runner, BUFFER_DY, step, call->network->hidden);
		gradients.dx = row_at(call, runner, BUFFER_DX, step, call->network->inputs);
		MPS_TRY(sluice_backward(runner->step_plan, &run, &gradients));
		MPS_TRY(sluice__mps_recurrent_take(call->states[step], runner->step_plan, state));
		gradients.dfinal = state;
		gradients.accumulate = SLUICE_ACCUMULATE_PARAMETERS;
	}
	return SLUICE_OK;
}

sluice_status sluice__mps_gradient_steps(const struct training_call *call, struct runner *runner)
{
	const struct sequence x = sluice__mps_training_call_sequence(call, ARRAY_X),
			      dy = sluice__mps_training_call_sequence(call, ARRAY_Y),
			      dx = sluice__mps_training_call_sequence(call, ARRAY_DX);
	/* Prepared when the call was encoded, unless another call has that runner. */
	MPS_TRY(sluice__mps_runner_step_plan(runner));
	MPS_TRY(reserve(call, runner));
	sluice__mps_sequence_load(&x, runner->memory.at[BUFFER_X]);
	sluice__mps_sequence_load(&dy, runner->memory.at[BUFFER_DY]);
	MPS_TRY(forward_again(call, runner));
	MPS_TRY(backward(call, runner));
	if (call->wants_dx)
		sluice__mps_sequence_store(&dx, runner->memory.at[BUFFER_DX]);
	return SLUICE_OK;
}
