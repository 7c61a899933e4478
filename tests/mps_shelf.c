/* mps_shelf.c: lays matrices out in memory. */
#include "mps_shelf.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { EMPTY = 0xff }; /* a byte of which no number is made in any type */

static MPSDataType data_type(BNNSDataType type)
{
	return type == BNNSDataTypeFloat16    ? MPSDataTypeFloat16
	       : type == BNNSDataTypeBFloat16 ? MPSDataTypeBFloat16
					      : MPSDataTypeFloat32;
}

static BNNSDataType draw_type(struct bnns_random *random, const struct rnn_shelf_wish *wish)
{
	static const BNNSDataType types[] = {BNNSDataTypeFloat32, BNNSDataTypeFloat32, BNNSDataTypeFloat16,
					     BNNSDataTypeBFloat16};

	return types[wish->halves && !wish->plain ? random_below(random, 4) : 0];
}

static size_t draw_gap(struct bnns_random *random, const struct rnn_shelf_wish *wish)
{
	return wish->plain || random_chance(random, 0.4) ? 0 : random_below(random, 4);
}

/* Numbers of one matrix before it is made. */
struct place {
	size_t rows, matrices, row_bytes, matrix_bytes, start;
	BNNSDataType type;
};

static MPSMatrix *matrix_make(const struct rnn_shelf *shelf, const struct place *place)
{
	MPSMatrixDescriptor *descriptor =
		MPSMatrixDescriptor_matrixDescriptorWithRows_columns_matrices_rowBytes_matrixBytes_dataType(
			place->rows, shelf->columns, place->matrices, place->row_bytes, place->matrix_bytes,
			data_type(place->type));
	MPSMatrix *matrix = MPSMatrix_initWithBuffer_offset_descriptor(shelf->bytes, place->start, descriptor);

	if (!matrix)
		fail_msg("%s", sluice_mps_last_message());
	MPSMatrixDescriptor_release(descriptor);
	return matrix;
}

/* Memory behind which nothing may be touched, that of the last matrix included. */
static void memory_take(struct rnn_shelf *shelf, size_t size)
{
	shelf->size = size;
	shelf->bytes = malloc(size);
	shelf->before = malloc(size);
	assert_true(shelf->bytes && shelf->before);
	memset(shelf->bytes, EMPTY, size);
}

static void lie_apart(struct bnns_random *random, const struct rnn_shelf_wish *wish, struct rnn_shelf *shelf)
{
	struct place places[RNN_STEPS];
	size_t size = 0;

	for (size_t t = 0; t < wish->steps; t++) {
		struct place *place = &places[t];
		const size_t more = wish->more_rows ? random_below(random, 3) : 0;

		place->type = draw_type(random, wish);
		const size_t element = bnns_type_bytes(place->type);

		place->rows = wish->rows[t] + more;
		place->matrices = 1;
		place->row_bytes = (shelf->columns + draw_gap(random, wish)) * element;
		place->matrix_bytes = place->row_bytes * (place->rows + draw_gap(random, wish));
		shelf->offsets[t] = wish->no_offsets ? 0 : draw_gap(random, wish) * element;
		/* The offset reaches that much further. */
		if (place->matrix_bytes < place->rows * place->row_bytes + shelf->offsets[t])
			place->matrix_bytes += (shelf->offsets[t] / place->row_bytes + 1) * place->row_bytes;
		size = (size + element - 1) / element * element + draw_gap(random, wish) * element;
		place->start = size;
		shelf->at[t] = size + shelf->offsets[t];
		size += place->matrix_bytes;
	}
	memory_take(shelf, size);
	for (size_t t = 0; t < wish->steps; t++) {
		shelf->matrices[t] = matrix_make(shelf, &places[t]);
		shelf->row_bytes[t] = places[t].row_bytes;
		shelf->types[t] = places[t].type;
	}
}

/* Rows of all steps must be as many: those of the matrix are what a source says of itself. */
static void lie_in_one(struct bnns_random *random, const struct rnn_shelf_wish *wish, struct rnn_shelf *shelf,
		       int beside)
{
	struct place place = {.type = draw_type(random, wish), .rows = wish->rows[0]};
	const size_t element = bnns_type_bytes(place.type), width = shelf->columns * element;
	const size_t gap = draw_gap(random, wish) * element;

	place.row_bytes = beside ? wish->steps * (width + gap) : width + gap;
	place.matrices = beside ? 1 : wish->steps;
	place.matrix_bytes = place.row_bytes * (place.rows + draw_gap(random, wish));
	place.start = draw_gap(random, wish) * element;
	memory_take(shelf, place.start + place.matrices * place.matrix_bytes);
	MPSMatrix *matrix = matrix_make(shelf, &place);

	for (size_t t = 0; t < wish->steps; t++) {
		const size_t offset = t * (beside ? width + gap : place.matrix_bytes);
		struct place own = place;

		own.start += offset;
		own.matrices = 1;
		/* What is beside the last step ends with its row. */
		own.matrix_bytes = place.rows * place.row_bytes;
		shelf->matrices[t] = wish->no_offsets ? matrix_make(shelf, &own) : MPSMatrix_retain(matrix);
		shelf->offsets[t] = wish->no_offsets ? 0 : offset;
		shelf->at[t] = place.start + offset;
		shelf->row_bytes[t] = place.row_bytes;
		shelf->types[t] = place.type;
	}
	MPSMatrix_release(matrix);
}

void rnn_shelf_create(struct bnns_random *random, const struct rnn_shelf_wish *wish, struct rnn_shelf *out)
{
	const int falls = wish->rows[0] != wish->rows[wish->steps - 1];
	const enum rnn_lie lie =
		wish->plain || (falls && !wish->more_rows) ? RNN_APART : (enum rnn_lie)random_below(random, RNN_LIES);

	memset(out, 0, sizeof *out);
	out->steps = wish->steps;
	out->columns = wish->columns;
	if (lie == RNN_APART)
		lie_apart(random, wish, out);
	else
		lie_in_one(random, wish, out, lie == RNN_BESIDE);
	out->no_offsets = 1;
	for (size_t t = 0; t < wish->steps; t++)
		out->no_offsets &= out->offsets[t] == 0;
}

void rnn_shelf_destroy(struct rnn_shelf *shelf)
{
	for (size_t t = 0; t < shelf->steps; t++)
		MPSMatrix_release(shelf->matrices[t]);
	free(shelf->bytes);
	free(shelf->before);
	memset(shelf, 0, sizeof *shelf);
}

const size_t *rnn_shelf_offsets(const struct rnn_shelf *shelf)
{
	return shelf->no_offsets ? NULL : shelf->offsets;
}

static size_t place_of(const struct rnn_shelf *shelf, size_t step, size_t row, size_t column)
{
	return shelf->at[step] + row * shelf->row_bytes[step] + column * bnns_type_bytes(shelf->types[step]);
}

static void row_store(const struct rnn_shelf *shelf, size_t step, size_t row, const float *from, unsigned char *bytes)
{
	for (size_t k = 0; k < shelf->columns; k++)
		bnns_store(shelf->types[step], number_nearest(shelf->types[step], (double)from[k]),
			   bytes + place_of(shelf, step, row, k));
}

void rnn_shelf_write(struct rnn_shelf *shelf, size_t step, size_t row, const float *from)
{
	row_store(shelf, step, row, from, shelf->bytes);
}

void rnn_shelf_read(const struct rnn_shelf *shelf, size_t step, size_t row, float *to)
{
	for (size_t k = 0; k < shelf->columns; k++)
		to[k] = (float)bnns_load(shelf->types[step], shelf->bytes + place_of(shelf, step, row, k));
}

void rnn_shelf_remember(struct rnn_shelf *shelf)
{
	memcpy(shelf->before, shelf->bytes, shelf->size);
}

void rnn_shelf_expect(struct rnn_shelf *shelf, size_t step, size_t row, const float *values)
{
	row_store(shelf, step, row, values, shelf->before);
}

int rnn_shelf_same(const struct rnn_shelf *shelf)
{
	return memcmp(shelf->before, shelf->bytes, shelf->size) == 0;
}
