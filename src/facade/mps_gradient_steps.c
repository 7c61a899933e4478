/* mps_gradient_steps.c exists to go back one step at a time, where the gradients of every step's state are wanted.
 *
 * The tape of a call is one piece. So forward is computed again, each step with a tape of its own.
 */
#include "mps_lesson.h"

enum { ALIGNMENT = 64 };

/* Sizes of one step's pieces. */
struct pieces {
	size_t tape, state;
};

static struct pieces pieces_of(const struct lesson *lesson, const struct bench *bench)
{
	const size_t tape = sluice_plan_tape_size(bench->step_plan, 1);
	return (struct pieces){
		(tape + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT,
		sluice_plan_state_size(bench->step_plan, lesson->batch),
	};
}

static sluice_status reserve(const struct lesson *lesson, struct bench *bench)
{
	const struct course *course = lesson->course;
	const struct pieces pieces = pieces_of(lesson, bench);
	const size_t rows = lesson->steps * lesson->batch * sizeof(float);
	const size_t bytes[BUFFERS] = {
		[BUFFER_WORKSPACE] = sluice_plan_workspace_size(bench->step_plan),
		[BUFFER_STATES] = (lesson->steps + 1) * pieces.state,
		[BUFFER_STATE_GRADIENT] = pieces.state,
		[BUFFER_TAPES] = lesson->steps * pieces.tape,
		[BUFFER_X] = rows * course->inputs,
		[BUFFER_DY] = rows * course->hidden,
		[BUFFER_DX] = rows * course->inputs,
		[BUFFER_PARAMETERS] = course->parameters * sizeof(float),
	};
	for (int which = 0; which < BUFFERS; which++)
		MPS_TRY(sluice__mps_memory_reserve(bench->context, &bench->memory, (enum buffer)which, bytes[which]));
	return SLUICE_OK;
}

static float *row_at(const struct lesson *lesson, const struct bench *bench, enum buffer which, size_t step,
		     size_t width)
{
	return (float *)bench->memory.at[which] + step * lesson->batch * width;
}

static void *piece(const struct bench *bench, enum buffer which, size_t index, size_t bytes)
{
	return (char *)bench->memory.at[which] + index * bytes;
}

static sluice_run run_of(const struct lesson *lesson, const struct bench *bench, size_t step)
{
	const struct pieces pieces = pieces_of(lesson, bench);
	sluice_run run = SLUICE_RUN_INIT;
	run.steps = 1;
	run.batch = lesson->batch;
	run.batch_sizes = &lesson->batch_sizes[step];
	run.x = row_at(lesson, bench, BUFFER_X, step, lesson->course->inputs);
	run.workspace = bench->memory.at[BUFFER_WORKSPACE];
	run.tape = piece(bench, BUFFER_TAPES, step, pieces.tape);
	if (step || lesson->record->start)
		run.initial_state = piece(bench, BUFFER_STATES, step, pieces.state);
	run.final_state = piece(bench, BUFFER_STATES, step + 1, pieces.state);
	return run;
}

static sluice_status forward_again(const struct lesson *lesson, const struct bench *bench)
{
	if (lesson->record->start)
		MPS_TRY(sluice__mps_recurrent_write(lesson->record->start, bench->step_plan,
						    bench->memory.at[BUFFER_STATES]));
	for (size_t step = 0; step < lesson->steps; step++) {
		const sluice_run run = run_of(lesson, bench, step);
		MPS_TRY(sluice_forward(bench->step_plan, &run));
	}
	return SLUICE_OK;
}

static sluice_status backward(const struct lesson *lesson, const struct bench *bench)
{
	void *state = bench->memory.at[BUFFER_STATE_GRADIENT];
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	if (lesson->start) {
		MPS_TRY(sluice__mps_recurrent_write(lesson->start, bench->step_plan, state));
		gradients.dfinal = state;
	}
	gradients.dinitial = state;
	gradients.dparameters = lesson->wants_gradients ? bench->memory.at[BUFFER_PARAMETERS] : NULL;
	for (size_t step = lesson->steps; step-- > 0;) {
		const sluice_run run = run_of(lesson, bench, step);
		gradients.dy = row_at(lesson, bench, BUFFER_DY, step, lesson->course->hidden);
		gradients.dx = row_at(lesson, bench, BUFFER_DX, step, lesson->course->inputs);
		MPS_TRY(sluice_backward(bench->step_plan, &run, &gradients));
		MPS_TRY(sluice__mps_recurrent_take(lesson->states[step], bench->step_plan, state));
		gradients.dfinal = state;
		gradients.accumulate = SLUICE_ACCUMULATE_PARAMETERS;
	}
	return SLUICE_OK;
}

sluice_status sluice__mps_gradient_steps(const struct lesson *lesson, struct bench *bench)
{
	const struct sequence x = sluice__mps_lesson_sequence(lesson, ARRAY_X),
			      dy = sluice__mps_lesson_sequence(lesson, ARRAY_Y),
			      dx = sluice__mps_lesson_sequence(lesson, ARRAY_DX);
	/* Prepared when the call was encoded, unless another call has that bench. */
	MPS_TRY(sluice__mps_bench_step_plan(bench));
	MPS_TRY(reserve(lesson, bench));
	sluice__mps_sequence_load(&x, bench->memory.at[BUFFER_X]);
	sluice__mps_sequence_load(&dy, bench->memory.at[BUFFER_DY]);
	MPS_TRY(forward_again(lesson, bench));
	MPS_TRY(backward(lesson, bench));
	if (lesson->wants_dx)
		sluice__mps_sequence_store(&dx, bench->memory.at[BUFFER_DX]);
	return SLUICE_OK;
}
