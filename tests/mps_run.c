/* mps_run.c: runs stacks of MPS's LSTM in the plain way. */
#include "mps_run.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* ------------------------------------------------------------------------------------------------------ data ---- */

static void draw_floats(struct bnns_random *random, float *to, size_t count, double scale)
{
	for (size_t k = 0; k < count; k++)
		to[k] = (float)random_between(random, -scale, scale);
}

void rnn_data_draw(struct bnns_random *random, const struct rnn_oracle *oracle, int starts, struct rnn_data *out)
{
	const struct sluice__network *network = &oracle->network;
	const int falls = random_chance(random, 0.4);

	memset(out, 0, sizeof *out);
	out->steps = 1 + random_below(random, RNN_STEPS);
	out->batch = 1 + random_below(random, 4);
	out->width = network->x_row;
	size_t rows = out->batch;

	for (size_t t = 0; t < out->steps; t++) {
		out->rows[t] = rows;
		if (falls && rows > 1 && random_chance(random, 0.5))
			rows -= 1 + random_below(random, rows - 1);
	}
	out->x = rnn_take(out->steps * out->batch * out->width, sizeof(float));
	draw_floats(random, out->x, out->steps * out->batch * out->width, 1.5);
	if (!starts)
		return;
	rnn_states_create(oracle, out->batch, &out->start);
	draw_floats(random, out->start.h, out->batch * network->h_width, 1);
	draw_floats(random, out->start.c, out->batch * network->c_width, 1);
}

void rnn_data_destroy(struct rnn_data *data)
{
	free(data->x);
	rnn_states_destroy(&data->start);
}

const float *rnn_data_x(const struct rnn_data *data, size_t t, size_t n, size_t row)
{
	return data->x + (t * data->batch + n) * row;
}

/* ---------------------------------------------------------------------------------------------------- states ---- */

void rnn_states_cut(const struct rnn_oracle *oracle, const struct rnn_states *from, size_t batch, size_t rows,
		    struct rnn_states *out)
{
	rnn_states_create(oracle, rows, out);
	for (size_t index = 0; index < oracle->network.cell_count; index++) {
		const struct sluice__cell *cell = &oracle->network.cells[index];
		const size_t width = cell->places * cell->hidden;

		memcpy(out->h + cell->h_state * rows, from->h + cell->h_state * batch, rows * width * sizeof(float));
		memcpy(out->c + cell->c_state * rows, from->c + cell->c_state * batch, rows * width * sizeof(float));
	}
}

static float *numbers_of(const MPSMatrix *matrix, size_t rows, size_t columns)
{
	assert_mps(matrix);
	assert_int_equal(MPSMatrix_rows(matrix), rows);
	assert_int_equal(MPSMatrix_columns(matrix), columns);
	assert_int_equal(MPSMatrix_rowBytes(matrix), columns * sizeof(float));
	assert_int_equal(MPSMatrix_dataType(matrix), MPSDataTypeFloat32);
	return (float *)(void *)((char *)MPSMatrix_data(matrix) + MPSMatrix_offset(matrix));
}

typedef void visitor(float *here, float *there, size_t count);

static void copy_here(float *here, float *there, size_t count)
{
	memcpy(here, there, count * sizeof *here);
}

static void copy_there(float *here, float *there, size_t count)
{
	memcpy(there, here, count * sizeof *here);
}

static void state_visit(const struct rnn_oracle *oracle, const MPSRNNRecurrentMatrixState *state, size_t rows,
			const struct rnn_states *here, visitor *visit)
{
	const size_t layers = oracle->network.cell_count;

	assert_mps(state);
	for (size_t index = 0; index < layers; index++) {
		const struct sluice__cell *cell = &oracle->network.cells[index];
		const size_t H = cell->hidden;

		visit(here->h + cell->h_state * rows,
		      numbers_of(MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(state, index), rows,
				 H),
		      rows * H);
		visit(here->c + cell->c_state * rows,
		      numbers_of(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(state, index), rows, H),
		      rows * H);
	}
	assert_null(MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(state, layers));
	assert_null(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(state, layers));
}

void rnn_state_write(const struct rnn_oracle *oracle, const struct rnn_states *from, size_t rows,
		     MPSRNNRecurrentMatrixState *state)
{
	state_visit(oracle, state, rows, from, copy_there);
}

void rnn_state_read(const struct rnn_oracle *oracle, const MPSRNNRecurrentMatrixState *state, size_t rows,
		    struct rnn_states *out)
{
	rnn_states_create(oracle, rows, out);
	state_visit(oracle, state, rows, out, copy_here);
}

void rnn_state_expect(const struct rnn_oracle *oracle, const struct rnn_states *expected, size_t rows, uint64_t seed,
		      const char *what, const MPSRNNRecurrentMatrixState *state)
{
	struct rnn_states found;

	rnn_state_read(oracle, state, rows, &found);
	if (memcmp(found.h, expected->h, rows * oracle->network.h_width * sizeof(float)) != 0 ||
	    memcmp(found.c, expected->c, rows * oracle->network.c_width * sizeof(float)) != 0)
		fail_msg("seed %zu: %s has other bits", (size_t)seed, what);
	rnn_states_destroy(&found);
}

const float *rnn_output(const struct rnn_oracle *oracle, const struct rnn_states *states, size_t batch, size_t n)
{
	const struct sluice__cell *last = &oracle->network.cells[oracle->network.cell_count - 1];

	return states->h + last->h_state * batch + n * last->places * last->hidden;
}

/* ------------------------------------------------------------------------------------------------------ runs ---- */

MPSRNNMatrixInferenceLayer *rnn_matrix_layer(const struct rnn_chain *chain)
{
	MPSLSTMDescriptor *descriptors[RNN_LAYERS];
	const MPSRNNDescriptor *bases[RNN_LAYERS];

	for (size_t index = 0; index < chain->count; index++) {
		descriptors[index] = rnn_descriptor(chain->layers[index]);
		bases[index] = MPSLSTMDescriptor_asRNNDescriptor(descriptors[index]);
	}
	MPSRNNMatrixInferenceLayer *layer =
		chain->count == 1 ? MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, bases[0])
				  : MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(NULL, bases, chain->count);

	assert_mps(layer);
	for (size_t index = 0; index < chain->count; index++)
		MPSLSTMDescriptor_release(descriptors[index]);
	return layer;
}

void rnn_commit(MPSCommandBuffer *buffer)
{
	assert_int_equal(MPSCommandBuffer_status(buffer), MTLCommandBufferStatusNotEnqueued);
	assert_mps(MPSCommandBuffer_commit(buffer) == 0);
	assert_mps(MPSCommandBuffer_waitUntilCompleted(buffer) == 0);
	assert_int_equal(MPSCommandBuffer_status(buffer), MTLCommandBufferStatusCompleted);
	assert_null(MPSCommandBuffer_error(buffer));
	MPSCommandBuffer_release(buffer);
}

static void states_same(const struct rnn_oracle *oracle, const struct rnn_states *a, const struct rnn_states *b,
			size_t batch, size_t first, uint64_t seed)
{
	for (size_t index = 0; index < oracle->network.cell_count; index++) {
		const struct sluice__cell *cell = &oracle->network.cells[index];
		const size_t width = cell->places * cell->hidden, count = (batch - first) * width;
		const size_t h = cell->h_state * batch + first * width, c = cell->c_state * batch + first * width;

		for (size_t k = 0; k < count; k++)
			if ((a ? a->h[h + k] : 0) != b->h[h + k] || (a ? a->c[c + k] : 0) != b->c[c + k])
				fail_msg("seed %zu: a row without a step has another state", (size_t)seed);
	}
}

void rnn_judge_found(const struct rnn_oracle *oracle, const struct rnn_data *data, uint64_t seed,
		     const struct rnn_found *found)
{
	const struct rnn_states *before = data->start.h ? &data->start : NULL;

	for (size_t t = 0; t < data->steps; t++) {
		struct rnn_step step = {.rows = data->rows[t], .x = rnn_data_x(data, t, 0, oracle->network.x_row)};

		if (before)
			rnn_states_cut(oracle, before, data->batch, step.rows, &step.before);
		rnn_states_cut(oracle, &found->states[t], data->batch, step.rows, &step.after);
		rnn_judge_step(oracle, &step, seed, NULL);
		states_same(oracle, before, &found->states[t], data->batch, step.rows, seed);
		rnn_states_destroy(&step.before);
		rnn_states_destroy(&step.after);
		before = &found->states[t];
	}
}

void rnn_run_plain(MPSRNNMatrixInferenceLayer *layer, const struct rnn_oracle *oracle, const struct rnn_data *data,
		   uint64_t seed, struct rnn_found *found)
{
	struct bnns_random random = {seed};
	struct rnn_shelf x, y;
	const struct rnn_shelf_wish x_wish = {
		.steps = data->steps, .columns = oracle->network.inputs, .rows = data->rows, .plain = 1};
	const struct rnn_shelf_wish y_wish = {
		.steps = data->steps, .columns = oracle->network.outputs, .rows = data->rows, .plain = 1};
	MPSRNNRecurrentMatrixState *start = data->start.h ? sluice_mps_matrix_state(layer, data->batch) : NULL;
	MPSRNNRecurrentMatrixState *states[RNN_STEPS];
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	if (start)
		rnn_state_write(oracle, &data->start, data->batch, start);
	rnn_shelf_create(&random, &x_wish, &x);
	rnn_shelf_create(&random, &y_wish, &y);
	for (size_t t = 0; t < data->steps; t++)
		for (size_t n = 0; n < data->rows[t]; n++)
			rnn_shelf_write(&x, t, n, rnn_data_x(data, t, n, x.columns));
	rnn_shelf_remember(&y);
	MPSRNNMatrixInferenceLayer_setStoreAllIntermediateStates(layer, 1);
	assert_mps(MPSRNNMatrixInferenceLayer_encodeSequence(layer, buffer, x.matrices, NULL, y.matrices, NULL,
							     data->steps, start, states) == 0);
	rnn_commit(buffer);
	MPSRNNMatrixInferenceLayer_setStoreAllIntermediateStates(layer, 0);
	for (size_t t = 0; t < data->steps; t++) {
		rnn_state_read(oracle, states[t], data->batch, &found->states[t]);
		for (size_t n = 0; n < data->rows[t]; n++)
			rnn_shelf_expect(&y, t, n, rnn_output(oracle, &found->states[t], data->batch, n));
		MPSRNNRecurrentMatrixState_release(states[t]);
	}
	if (!rnn_shelf_same(&y))
		fail_msg("seed %zu: y is not the last layer's h", (size_t)seed);
	rnn_judge_found(oracle, data, seed, found);
	MPSRNNRecurrentMatrixState_release(start);
	rnn_shelf_destroy(&x);
	rnn_shelf_destroy(&y);
}

void rnn_found_destroy(struct rnn_found *found)
{
	for (size_t t = 0; t < RNN_STEPS; t++)
		rnn_states_destroy(&found->states[t]);
}
