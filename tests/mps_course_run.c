/* mps_course_run.c: forward and gradient calls of MPS's training layer, and what the oracle says to them. */
#include "mps_course.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "storage.h"

/* One pass through all chunks. */
struct course_pass {
	MPSCommandBuffer *buffer;
	MPSRNNMatrixTrainingState *training[RNN_STEPS];
	MPSMatrix *gradients[SLUICE_MPS_WEIGHT_MATRICES];
	struct rnn_shelf *dx;
};

static size_t steps_of(const struct rnn_course *course, size_t chunk)
{
	return course->first[chunk + 1] - course->first[chunk];
}

static const size_t *offsets_of(const struct rnn_shelf *shelf, size_t first)
{
	const size_t *offsets = rnn_shelf_offsets(shelf);

	return offsets ? offsets + first : NULL;
}

static MPSRNNRecurrentMatrixState *start_of(struct rnn_course *course)
{
	MPSRNNRecurrentMatrixState *state;

	if (!course->data.start.h)
		return NULL;
	state = sluice_mps_matrix_state(course->layer, course->data.batch);
	rnn_state_write(&course->oracle, &course->data.start, course->data.batch, state);
	return state;
}

/* --------------------------------------------------------------------------------------------------- forward ---- */

/* One call for each chunk, each starting from the last state of the one before. Hands over a state for each step if all
 * are stored, else for the last step of each chunk; others are NULL. */
static void forward(struct rnn_course *course, int all, struct course_pass *pass, MPSRNNRecurrentMatrixState **states)
{
	MPSRNNRecurrentMatrixState *before = start_of(course), *const start = before;

	memset(states, 0, RNN_STEPS * sizeof *states);
	MPSRNNMatrixTrainingLayer_setStoreAllIntermediateStates(course->layer, all);
	for (size_t k = 0; k < course->chunks; k++) {
		const size_t first = course->first[k], count = steps_of(course, k), last = first + count - 1;

		assert_mps(MPSRNNMatrixTrainingLayer_encodeForwardSequence(
				   course->layer, pass->buffer, course->x.matrices + first,
				   offsets_of(&course->x, first), course->y.matrices + first,
				   offsets_of(&course->y, first), count, pass->training + first, before,
				   states + (all ? first : last), course->weights) == 0);
		before = states[last];
	}
	MPSRNNRecurrentMatrixState_release(start);
}

static struct course_pass pass_open(struct rnn_course *course, struct rnn_shelf *dx)
{
	struct course_pass pass = {.buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL), .dx = dx};

	assert_mps(MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(course->layer, pass.gradients,
										   course->gradient_type) == 0);
	return pass;
}

static void pass_close(struct rnn_course *course, struct course_pass *pass)
{
	for (size_t t = 0; t < course->data.steps; t++)
		MPSRNNMatrixTrainingState_release(pass->training[t]);
	for (size_t k = 0; k < SLUICE_MPS_WEIGHT_MATRICES; k++)
		MPSMatrix_release(pass->gradients[k]);
}

static void pass_commit(struct course_pass *pass, int last)
{
	rnn_commit(pass->buffer);
	pass->buffer = last ? NULL : MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
}

static void y_expect(struct rnn_course *course)
{
	for (size_t t = 0; t < course->data.steps; t++)
		for (size_t n = 0; n < course->data.rows[t]; n++)
			rnn_shelf_expect(&course->y, t, n,
					 rnn_output(&course->oracle, &course->found.states[t], course->data.batch, n));
	if (!rnn_shelf_same(&course->y))
		fail_msg("seed %zu: y is not h", (size_t)course->net.seed);
}

void rnn_course_forward(struct rnn_course *course)
{
	MPSRNNRecurrentMatrixState *states[RNN_STEPS];

	for (int all = 1; all >= 0; all--) {
		struct course_pass pass = pass_open(course, &course->dx);

		forward(course, all, &pass, states);
		pass_commit(&pass, 1);
		for (size_t t = 0; t < course->data.steps; t++) {
			if (all)
				rnn_state_read(&course->oracle, states[t], course->data.batch,
					       &course->found.states[t]);
			else if (states[t])
				rnn_state_expect(&course->oracle, &course->found.states[t], course->data.batch,
						 course->net.seed, "the last state alone", states[t]);
			MPSRNNRecurrentMatrixState_release(states[t]);
		}
		if (all)
			rnn_judge_found(&course->oracle, &course->data, course->net.seed, &course->found);
		y_expect(course);
		pass_close(course, &pass);
	}
}

/* -------------------------------------------------------------------------------------------------- gradients ---- */

/* The gradient call of one chunk. Its states are handed over: all, or that before its first step. */
static void backward(struct rnn_course *course, size_t chunk, int all, struct course_pass *pass,
		     MPSRNNRecurrentMatrixState *incoming, MPSRNNRecurrentMatrixState **states)
{
	const size_t first = course->first[chunk];
	struct rnn_shelf *dx = pass->dx;

	MPSRNNMatrixTrainingLayer_setStoreAllIntermediateStates(course->layer, all);
	MPSRNNMatrixTrainingLayer_setAccumulateWeightGradients(course->layer, course->accumulates);
	assert_mps(MPSRNNMatrixTrainingLayer_encodeGradientSequence(
			   course->layer, pass->buffer, course->x.matrices + first, offsets_of(&course->x, first),
			   course->dys.matrices + first, offsets_of(&course->dys, first),
			   dx ? dx->matrices + first : NULL, dx ? offsets_of(dx, first) : NULL, pass->gradients,
			   steps_of(course, chunk), pass->training + first, incoming, states + first,
			   course->weights) == 0);
}

static const struct rnn_states *before_of(const struct rnn_course *course, size_t t)
{
	if (t)
		return &course->found.states[t - 1];
	return course->data.start.h ? &course->data.start : NULL;
}

/* The gradients that came into a step's end, or NULL. */
static const struct rnn_states *incoming_of(const struct rnn_course *course, size_t chunk, size_t t)
{
	const int last = t + 1 == course->first[chunk + 1];

	if (t + 1 == course->data.steps || (last && !course->whole))
		return NULL;
	return &course->outgoing[t + 1];
}

/* Rows without the step hand gradients of their states on as they are. */
static void rows_passed(const struct rnn_course *course, const struct rnn_states *incoming, size_t t)
{
	const size_t H = course->net.layers[0].hidden, N = course->data.batch;

	for (size_t k = course->data.rows[t] * H; k < N * H; k++)
		if (course->outgoing[t].h[k] != (incoming ? incoming->h[k] : 0) ||
		    course->outgoing[t].c[k] != (incoming ? incoming->c[k] : 0))
			fail_msg("seed %zu: a row without step %zu has another gradient", (size_t)course->net.seed, t);
}

static void step_judge(struct rnn_course *course, size_t chunk, size_t t)
{
	const struct rnn_oracle *oracle = &course->oracle;
	const struct rnn_states *before = before_of(course, t), *incoming = incoming_of(course, chunk, t);
	const size_t N = course->data.batch, rows = course->data.rows[t];
	struct rnn_step step = {
		.rows = rows,
		.x = rnn_data_x(&course->data, t, 0, course->data.width),
		.dy = course->dy + t * N * oracle->network.outputs,
		.dx = course->dx_found + t * N * course->data.width,
	};

	if (before)
		rnn_states_cut(oracle, before, N, rows, &step.before);
	if (incoming)
		rnn_states_cut(oracle, incoming, N, rows, &step.dafter);
	rnn_states_cut(oracle, &course->found.states[t], N, rows, &step.after);
	rnn_states_cut(oracle, &course->outgoing[t], N, rows, &step.dbefore);
	rnn_judge_step(oracle, &step, course->net.seed, &course->sums[chunk]);
	rows_passed(course, incoming, t);
	rnn_states_destroy(&step.before);
	rnn_states_destroy(&step.after);
	rnn_states_destroy(&step.dafter);
	rnn_states_destroy(&step.dbefore);
}

/* One number of weights' gradients after the call of a chunk: of this chunk, or of all from it on. A sum of K terms has
 * at most K roundings of partial sums, none of which is larger than the sum of magnitudes; in 16 bits the sum is stored
 * after every call. */
static void weight_judge(const struct rnn_course *course, size_t chunk, size_t place, size_t id, double found)
{
	const int half = course->gradient_type == MPSDataTypeFloat16;
	const size_t end = course->accumulates ? course->chunks : chunk + 1;
	double value = 0, error = 0, terms = 0, roundings = 2;

	for (size_t k = chunk; k < end; k++) {
		value += course->sums[k].values[place];
		error += course->sums[k].errors[place];
		terms += course->sums[k].terms[place];
		roundings += (double)(steps_of(course, k) * course->data.batch + 1);
	}
	error += roundings * 0x1p-24 * (terms + error);
	for (size_t k = chunk; k < end && half; k++)
		error += sluice__storage_error(SLUICE_F16, terms + error);
	const double worst = rnn_tally.worst;

	rnn_judge_number(course->net.seed, "gradient of a weight", id * 1000 + place, found, value, error);
	/* In 16 bits errors are what storage makes them, and say nothing of the bound's width. */
	if (half)
		rnn_tally.worst = worst;
}

static void weights_judge(struct rnn_course *course, size_t chunk, const struct course_pass *pass)
{
	size_t rows, columns;

	for (int id = MPSRNNMatrixIdLSTMInputGateInputWeights; id < RNN_IDS; id++) {
		if (!rnn_block_there(course, (MPSRNNMatrixId)id, &rows, &columns))
			continue;
		double *numbers = rnn_take(rows * columns, sizeof *numbers);
		const size_t place = rnn_block_place(course, (MPSRNNMatrixId)id);

		rnn_block_copy(course, pass->gradients, (MPSRNNMatrixId)id, numbers, 1);
		for (size_t k = 0; k < rows * columns; k++)
			weight_judge(course, chunk, place + k, (size_t)id, numbers[k]);
		free(numbers);
	}
}

static void plain_dx_read(struct rnn_course *course, const struct rnn_shelf *dx)
{
	for (size_t t = 0; t < course->data.steps; t++)
		for (size_t n = 0; n < course->data.rows[t]; n++)
			rnn_shelf_read(dx, t, n, course->dx_found + (t * course->data.batch + n) * dx->columns);
}

void rnn_course_judge_steps(struct rnn_course *course)
{
	const struct rnn_shelf_wish wish = {
		.steps = course->data.steps, .columns = course->data.width, .rows = course->data.rows, .plain = 1};
	MPSRNNRecurrentMatrixState *states[RNN_STEPS], *incoming = NULL;
	struct rnn_shelf dx;

	rnn_shelf_create(&course->random, &wish, &dx);
	struct course_pass pass = pass_open(course, &dx);

	forward(course, 1, &pass, states);
	for (size_t t = 0; t < course->data.steps; t++)
		MPSRNNRecurrentMatrixState_release(states[t]);
	for (size_t k = course->chunks; k-- > 0;) {
		backward(course, k, 1, &pass, incoming, states);
		pass_commit(&pass, k == 0);
		plain_dx_read(course, &dx);
		for (size_t t = course->first[k]; t < course->first[k + 1]; t++)
			rnn_state_read(&course->oracle, states[t], course->data.batch, &course->outgoing[t]);
		for (size_t t = course->first[k + 1]; t-- > course->first[k];)
			step_judge(course, k, t);
		weights_judge(course, k, &pass);
		incoming = course->whole ? states[course->first[k]] : NULL;
	}
	for (size_t t = 0; t < course->data.steps; t++)
		MPSRNNRecurrentMatrixState_release(states[t]);
	pass_close(course, &pass);
	rnn_shelf_destroy(&dx);
}

void rnn_course_judge_whole(struct rnn_course *course)
{
	MPSRNNRecurrentMatrixState *states[RNN_STEPS] = {NULL}, *incoming = NULL;
	struct course_pass pass = pass_open(course, &course->dx);

	forward(course, 0, &pass, states);
	for (size_t t = 0; t < course->data.steps; t++) {
		MPSRNNRecurrentMatrixState_release(states[t]);
		states[t] = NULL;
		for (size_t n = 0; n < course->data.rows[t]; n++)
			rnn_shelf_expect(&course->dx, t, n,
					 course->dx_found + (t * course->data.batch + n) * course->data.width);
	}
	for (size_t k = course->chunks; k-- > 0;) {
		backward(course, k, 0, &pass, incoming, states);
		pass_commit(&pass, k == 0);
		rnn_state_expect(&course->oracle, &course->outgoing[course->first[k]], course->data.batch,
				 course->net.seed, "the gradient of a state", states[course->first[k]]);
		weights_judge(course, k, &pass);
		incoming = course->whole ? states[course->first[k]] : NULL;
	}
	if (!rnn_shelf_same(&course->dx) || !rnn_shelf_same(&course->x) || !rnn_shelf_same(&course->dys))
		fail_msg("seed %zu: dx has other bits than step by step", (size_t)course->net.seed);
	for (size_t t = 0; t < course->data.steps; t++)
		MPSRNNRecurrentMatrixState_release(states[t]);
	pass_close(course, &pass);
}
