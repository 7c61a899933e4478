/*
 * arrays.c: translates between the oracle's time-major doubles and the arrays of a call, and sees what was written
 * where nothing belongs.
 */
#include "arrays.h"

#include <string.h>

#include "storage.h"

#define UNTOUCHED 0xff /* as a floating-point number of any type: none */

size_t sluice__arrays_bytes(size_t steps, size_t batch, size_t width, sluice_dtype type)
{
	return (SLUICE__ARRAY_GAP + steps * batch * (width + SLUICE__ARRAY_GAP)) * sluice__storage_bytes(type);
}

size_t sluice__array_row(const struct sluice__array *array)
{
	return array->width + (array->pointers ? SLUICE__ARRAY_GAP : 0);
}

void sluice__array_clear(struct sluice__array *array, size_t steps, size_t batch)
{
	size_t row = sluice__array_row(array);

	memset(array->memory, UNTOUCHED, array->bytes);
	/* The last step comes first, and behind a gap, so that neither order nor alignment helps. */
	for (size_t t = 0; t < steps && array->pointers; t++) {
		size_t place = SLUICE__ARRAY_GAP + (steps - 1 - t) * batch * row;

		array->pointers[t] = (char *)array->memory + place * sluice__storage_bytes(array->type);
	}
}

/* Where the plan has step t of row n, counted in rows of the array. */
static size_t place_of(const struct sluice__extent *extent, size_t t, size_t n)
{
	if (extent->packed)
		return extent->packed[t] + n;
	return extent->layout == SLUICE_BATCH_MAJOR ? n * extent->steps + t : t * extent->run->batch + n;
}

/* Row n of step t, where element 0 of the result is its first one. */
static char *row_at(const struct sluice__array *array, const struct sluice__extent *extent, size_t t, size_t n)
{
	size_t bytes = sluice__array_row(array) * sluice__storage_bytes(array->type);

	if (array->pointers)
		return (char *)array->pointers[t] + n * bytes;
	return (char *)array->memory + place_of(extent, t, n) * bytes;
}

/* Whether step t of the extent counts for row n. */
static int counts(const struct sluice__extent *extent, enum sluice__rows rows, size_t t, size_t n)
{
	const struct sluice__oracle_run_f64 *run = extent->run;

	if (rows == SLUICE__ROWS_ALL)
		return 1;
	if (extent->last_only)
		return !run->lengths || run->lengths[n] > 0;
	if (rows == SLUICE__ROWS_HAD)
		return sluice__oracle_has_step_f64(run, extent->first + t, n);
	return sluice__oracle_computes_step_f64(run, extent->first + t, n);
}

/* Whether the array has a place for step t of row n at all. */
static int exists(const struct sluice__extent *extent, size_t t, size_t n)
{
	return !extent->packed || counts(extent, SLUICE__ROWS_HAD, t, n);
}

static size_t column_of(const struct sluice__array *array, size_t k)
{
	return array->columns ? array->columns[k] : k;
}

void sluice__array_give(struct sluice__array *array, const struct sluice__extent *extent, enum sluice__rows rows,
			const double *from)
{
	size_t N = extent->run->batch, width = array->width;

	sluice__array_clear(array, extent->steps, N);
	for (size_t t = 0; t < extent->steps; t++)
		for (size_t n = 0; n < N; n++) {
			const double *values = from + ((extent->first + t) * N + n) * width;

			if (!counts(extent, rows, t, n))
				continue;
			for (size_t k = 0; k < width; k++)
				sluice__storage_put(array->type, values[k], row_at(array, extent, t, n),
						    column_of(array, k));
		}
}

size_t sluice__bytes_touched(const void *memory, size_t bytes)
{
	const unsigned char *all = memory;
	size_t touched = 0;

	for (size_t index = 0; index < bytes; index++)
		touched += all[index] != UNTOUCHED;
	return touched;
}

/* Bytes that were written between the rows of an array by pointers. */
static size_t gaps_touched(const struct sluice__array *array, const struct sluice__extent *extent)
{
	size_t element = sluice__storage_bytes(array->type), gap = SLUICE__ARRAY_GAP * element;
	size_t touched = sluice__bytes_touched(array->memory, gap);

	for (size_t t = 0; t < extent->steps; t++)
		for (size_t n = 0; n < extent->run->batch; n++)
			touched += sluice__bytes_touched(row_at(array, extent, t, n) + array->width * element, gap);
	return touched;
}

size_t sluice__array_fetch(const struct sluice__array *array, const struct sluice__extent *extent,
			   enum sluice__rows rows, double *to)
{
	size_t N = extent->run->batch, width = array->width;
	size_t stray = array->pointers ? gaps_touched(array, extent) : 0;

	for (size_t t = 0; t < extent->steps; t++)
		for (size_t n = 0; n < N; n++) {
			double *values = to + ((extent->first + t) * N + n) * width;
			int none = !exists(extent, t, n), strays = !counts(extent, rows, t, n);

			for (size_t k = 0; k < width; k++) {
				values[k] = none ? 0
						 : sluice__storage_get(array->type, row_at(array, extent, t, n),
								       column_of(array, k));
				stray += strays && values[k] != 0;
			}
		}
	return stray;
}

void sluice__array_give_marks(const struct sluice__extent *extent, const uint8_t *from, uint8_t *to)
{
	size_t N = extent->run->batch;

	for (size_t t = 0; t < extent->steps; t++)
		for (size_t n = 0; n < N; n++) {
			size_t place = extent->layout == SLUICE_BATCH_MAJOR ? n * extent->steps + t : t * N + n;

			to[place] = counts(extent, SLUICE__ROWS_HAD, t, n) ? from[(extent->first + t) * N + n] : 1;
		}
}
