/* mps_course.c: trains MPS's LSTM for tests. */
#include "mps_course.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* ------------------------------------------------------------------------------------------------------- ids ---- */

struct rnn_block rnn_block_of(MPSRNNMatrixId id)
{
	static const struct rnn_block blocks[RNN_IDS] = {
		[MPSRNNMatrixIdLSTMInputGateInputWeights] = {RNN_INPUT, RNN_I},
		[MPSRNNMatrixIdLSTMInputGateRecurrentWeights] = {RNN_RECURRENT, RNN_I},
		[MPSRNNMatrixIdLSTMInputGateMemoryWeights] = {RNN_MEMORY, RNN_I},
		[MPSRNNMatrixIdLSTMInputGateBiasTerms] = {RNN_PARTS, RNN_I},
		[MPSRNNMatrixIdLSTMForgetGateInputWeights] = {RNN_INPUT, RNN_F},
		[MPSRNNMatrixIdLSTMForgetGateRecurrentWeights] = {RNN_RECURRENT, RNN_F},
		[MPSRNNMatrixIdLSTMForgetGateMemoryWeights] = {RNN_MEMORY, RNN_F},
		[MPSRNNMatrixIdLSTMForgetGateBiasTerms] = {RNN_PARTS, RNN_F},
		[MPSRNNMatrixIdLSTMMemoryGateInputWeights] = {RNN_INPUT, RNN_C},
		[MPSRNNMatrixIdLSTMMemoryGateRecurrentWeights] = {RNN_RECURRENT, RNN_C},
		[MPSRNNMatrixIdLSTMMemoryGateMemoryWeights] = {RNN_MEMORY, RNN_C},
		[MPSRNNMatrixIdLSTMMemoryGateBiasTerms] = {RNN_PARTS, RNN_C},
		[MPSRNNMatrixIdLSTMOutputGateInputWeights] = {RNN_INPUT, RNN_O},
		[MPSRNNMatrixIdLSTMOutputGateRecurrentWeights] = {RNN_RECURRENT, RNN_O},
		[MPSRNNMatrixIdLSTMOutputGateMemoryWeights] = {RNN_MEMORY, RNN_O},
		[MPSRNNMatrixIdLSTMOutputGateBiasTerms] = {RNN_PARTS, RNN_O},
	};

	return blocks[id];
}

int rnn_block_there(const struct rnn_course *course, MPSRNNMatrixId id, size_t *rows, size_t *columns)
{
	const struct rnn_layer *layer = &course->net.layers[0];
	const struct rnn_block block = rnn_block_of(id);
	const int bias = block.part == RNN_PARTS;
	const int vector = bias || (block.part == RNN_MEMORY && layer->diagonal);

	*rows = vector ? 1 : layer->hidden;
	*columns = !vector && block.part == RNN_INPUT ? layer->inputs : layer->hidden;
	if (block.part == RNN_INPUT && layer->identity)
		return 0;
	return layer->sources[bias ? RNN_INPUT : block.part][block.gate].present;
}

size_t rnn_block_place(const struct rnn_course *course, MPSRNNMatrixId id)
{
	const struct sluice__cell *cell = &course->oracle.network.cells[0];
	const struct rnn_block block = rnn_block_of(id);
	const size_t starts[] = {cell->weight_ih, cell->weight_hh, cell->peephole, cell->bias};
	size_t rows, columns;

	rnn_block_there(course, id, &rows, &columns);
	return starts[block.part] + block.gate * rows * columns;
}

void rnn_block_copy(struct rnn_course *course, MPSMatrix *const *array, MPSRNNMatrixId id, double *numbers, int out)
{
	enum { EDGE = 2 };
	size_t rows, columns;

	rnn_block_there(course, id, &rows, &columns);
	/* Rows and columns before and behind. */
	const size_t all_rows[] = {rows + 2 * EDGE};
	const struct rnn_shelf_wish wish = {
		.steps = 1, .columns = columns + 2 * EDGE, .rows = all_rows, .no_offsets = 1};
	const MTLOrigin origin = {EDGE, EDGE, 0};
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	float *row = rnn_take(columns + 2 * EDGE, sizeof *row);
	struct rnn_shelf shelf;

	rnn_shelf_create(&course->random, &wish, &shelf);
	for (size_t r = 0; r < rows && !out; r++) {
		for (size_t c = 0; c < columns; c++)
			row[EDGE + c] = (float)numbers[r * columns + c];
		rnn_shelf_write(&shelf, 0, EDGE + r, row);
	}
	rnn_shelf_remember(&shelf);
	assert_mps(MPSRNNMatrixTrainingLayer_encodeCopyWeights(course->layer, buffer, array, id, shelf.matrices[0], out,
							       origin) == 0);
	rnn_commit(buffer);
	assert_true(out || rnn_shelf_same(&shelf));
	for (size_t r = 0; r < all_rows[0] && out; r++) {
		rnn_shelf_read(&shelf, 0, r, row);
		for (size_t c = 0; c < columns + 2 * EDGE; c++) {
			const int inside = r >= EDGE && r < EDGE + rows && c >= EDGE && c < EDGE + columns;

			if (inside)
				numbers[(r - EDGE) * columns + c - EDGE] = (double)row[c];
			else
				assert_true(isnan(row[c]));
		}
	}
	rnn_shelf_destroy(&shelf);
	free(row);
}

/* ---------------------------------------------------------------------------------------------------- making ---- */

/* The matrices of a new layer have the sources' weights, all bits of them. */
static void weights_check(struct rnn_course *course)
{
	const struct rnn_layer *layer = &course->net.layers[0];
	size_t rows, columns;

	for (int id = MPSRNNMatrixIdLSTMInputGateInputWeights; id < RNN_IDS; id++) {
		const struct rnn_block block = rnn_block_of((MPSRNNMatrixId)id);

		if (!rnn_block_there(course, (MPSRNNMatrixId)id, &rows, &columns))
			continue;
		double *numbers = rnn_take(rows * columns, sizeof *numbers);

		rnn_block_copy(course, course->weights, (MPSRNNMatrixId)id, numbers, 1);
		for (size_t k = 0; k < rows * columns; k++) {
			const struct rnn_source *source =
				&layer->sources[block.part == RNN_PARTS ? RNN_INPUT : block.part][block.gate];
			const double expected = block.part != RNN_PARTS ? source->values[k]
						: source->bias          ? (double)source->bias[k]
									: 0;

			if (numbers[k] != expected)
				fail_msg("seed %zu: weight %zu of id %d is %g, expected %g", (size_t)course->net.seed,
					 k, id, numbers[k], expected);
		}
		free(numbers);
	}
}

/* Another weight here and there, as an optimizer would. What the oracle will be told changes with it. */
static void weights_change(struct rnn_course *course)
{
	struct rnn_layer *layer = &course->net.layers[0];
	size_t rows, columns;

	for (int id = MPSRNNMatrixIdLSTMInputGateInputWeights; id < RNN_IDS; id++) {
		const struct rnn_block block = rnn_block_of((MPSRNNMatrixId)id);

		if (block.part == RNN_PARTS || !random_chance(&course->random, 0.2) ||
		    !rnn_block_there(course, (MPSRNNMatrixId)id, &rows, &columns))
			continue;
		struct rnn_source *source = &layer->sources[block.part][block.gate];

		for (size_t k = 0; k < rows * columns; k++)
			source->values[k] = number_nearest(
				BNNSDataTypeBFloat16, 0.5 * random_between(&course->random, -1, 1) / (double)columns);
		rnn_block_copy(course, course->weights, (MPSRNNMatrixId)id, source->values, 0);
	}
}

static void chunks_draw(struct rnn_course *course)
{
	const size_t T = course->data.steps;

	course->chunks = 1 + random_below(&course->random, T < RNN_CHUNKS ? T : RNN_CHUNKS);
	for (size_t k = 1; k <= course->chunks; k++)
		course->first[k] = k * T / course->chunks;
}

static void rows_fill(struct rnn_course *course, struct rnn_shelf *shelf, float *values)
{
	for (size_t t = 0; t < course->data.steps; t++)
		for (size_t n = 0; n < course->data.rows[t]; n++) {
			float *row = values + (t * course->data.batch + n) * shelf->columns;

			rnn_shelf_write(shelf, t, n, row);
			rnn_shelf_read(shelf, t, n, row);
		}
	rnn_shelf_remember(shelf);
}

static void shelves_create(struct rnn_course *course)
{
	struct bnns_random *random = &course->random;
	const struct rnn_data *data = &course->data;
	const size_t I = course->net.layers[0].inputs, H = course->net.layers[0].hidden;
	const struct rnn_shelf_wish given = {.steps = data->steps, .rows = data->rows, .halves = 1};
	struct rnn_shelf_wish wish = given;

	wish.columns = I;
	rnn_shelf_create(random, &wish, &course->x);
	wish.more_rows = 1;
	rnn_shelf_create(random, &wish, &course->dx);
	wish.columns = H;
	rnn_shelf_create(random, &wish, &course->y);
	rnn_shelf_create(random, &wish, &course->dys);
	rows_fill(course, &course->x, course->data.x);
	course->dy = rnn_take(data->steps * data->batch * H, sizeof(float));
	for (size_t k = 0; k < data->steps * data->batch * H; k++)
		course->dy[k] = (float)random_between(random, -1, 1);
	rows_fill(course, &course->dys, course->dy);
	rnn_shelf_remember(&course->y);
	rnn_shelf_remember(&course->dx);
}

static void layer_create(struct rnn_course *course)
{
	struct rnn_layer *layer = &course->net.layers[0];
	MPSLSTMDescriptor *descriptor = rnn_descriptor(layer);
	sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;

	course->layer = MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor), course->weights);
	assert_mps(course->layer);
	MPSLSTMDescriptor_release(descriptor);
	options.training_weights = random_chance(&course->random, 0.3);
	assert_mps(sluice_mps_set_options(course->layer, &options) == 0);
	/* From here on it means whether products see rounded weights. */
	layer->float32 |= options.training_weights == SLUICE_MPS_TRAINING_WEIGHTS_FLOAT;
}

void rnn_course_create(const struct rnn_wish *wish, struct rnn_course *out)
{
	struct rnn_wish single = *wish;

	memset(out, 0, sizeof *out);
	single.single = 1;
	out->random = (struct bnns_random){wish->seed ^ 0x7EAC4};
	rnn_net_draw(&single, &out->net);
	const struct rnn_chain chain = rnn_chain_all(&out->net);

	layer_create(out);
	/* Places of ids are needed before the weights are what they will be. */
	rnn_oracle_create(&out->net, &chain, 0, 0, &out->oracle);
	weights_check(out);
	weights_change(out);
	rnn_oracle_destroy(&out->oracle);
	rnn_oracle_create(&out->net, &chain, 0, 0, &out->oracle);
	rnn_data_draw(&out->random, &out->oracle, random_chance(&out->random, 0.6), &out->data);
	chunks_draw(out);
	shelves_create(out);
	out->whole = random_chance(&out->random, 0.5);
	out->gradient_type = random_chance(&out->random, 0.3) ? MPSDataTypeFloat16 : MPSDataTypeFloat32;
	out->accumulates = random_chance(&out->random, 0.6);
	for (size_t k = 0; k < out->chunks; k++) {
		const size_t count = out->oracle.network.parameter_count;

		out->sums[k] = (struct rnn_sums){.values = rnn_take(count, sizeof(double)),
						 .errors = rnn_take(count, sizeof(double)),
						 .terms = rnn_take(count, sizeof(double))};
	}
	out->dx_found = rnn_take(out->data.steps * out->data.batch * out->data.width, sizeof(float));
}

void rnn_course_destroy(struct rnn_course *course)
{
	for (size_t k = 0; k < SLUICE_MPS_WEIGHT_MATRICES; k++)
		MPSMatrix_release(course->weights[k]);
	for (size_t t = 0; t < RNN_STEPS; t++)
		rnn_states_destroy(&course->outgoing[t]);
	rnn_shelf_destroy(&course->x);
	rnn_shelf_destroy(&course->y);
	rnn_shelf_destroy(&course->dys);
	rnn_shelf_destroy(&course->dx);
	rnn_found_destroy(&course->found);
	rnn_data_destroy(&course->data);
	free(course->dy);
	free(course->dx_found);
	for (size_t k = 0; k < RNN_CHUNKS; k++) {
		free(course->sums[k].values);
		free(course->sums[k].errors);
		free(course->sums[k].terms);
	}
	MPSRNNMatrixTrainingLayer_release(course->layer);
	rnn_oracle_destroy(&course->oracle);
	rnn_net_destroy(&course->net);
}
