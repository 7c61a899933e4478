/*
 * arrays.h: the arrays of one call as the library wants them: in its layout and type, packed or by pointers, with
 * nothing readable where nothing may be read.
 */
#ifndef SLUICE_CHECK_ARRAYS_H
#define SLUICE_CHECK_ARRAYS_H

#include <stddef.h>
#include <stdint.h>

#include "oracle.h"
#include "sluice/sluice.h"

#define SLUICE__ARRAY_GAP 3 /* elements between two rows of an array that is given by pointers */

/* The steps of a run that belong to one call. */
struct sluice__extent {
	const struct sluice__oracle_run_f64 *run;
	size_t first, steps;
	int last_only; /* one row for each sequence, of its last step */
	sluice_layout layout;
	const size_t *packed; /* [steps] rows of all steps before; NULL: with padding */
};

/* Steps of rows that count: all, those that a row has, and of these the ones that it does not hold. */
enum sluice__rows { SLUICE__ROWS_ALL, SLUICE__ROWS_HAD, SLUICE__ROWS_COMPUTED };

/* An array [T,N,width] of the user. */
struct sluice__array {
	void *memory;
	void **pointers; /* [T] to the rows of each step, in scattered places; NULL: all rows are in one piece */
	size_t bytes;
	sluice_dtype type;
	size_t width;
	const size_t *columns; /* [width] where the plan has a column; NULL: in its place */
};

/* Bytes that an array of this many rows needs, if it is given by pointers, too. */
size_t sluice__arrays_bytes(size_t steps, size_t batch, size_t width, sluice_dtype type);

/* Makes everything in an array a value that is no number, and points to its steps. */
void sluice__array_clear(struct sluice__array *array, size_t steps, size_t batch);

/* Elements from one row to the next of an array by pointers. */
size_t sluice__array_row(const struct sluice__array *array);

/* Clears the array and puts rows of time-major doubles [run->steps,N,width] into it, of the steps that count. */
void sluice__array_give(struct sluice__array *array, const struct sluice__extent *extent, enum sluice__rows rows,
			const double *from);

/* And back, zeros where a packed array has nothing. Returns how many elements are something else than zero at steps
 * that do not count, or were written between rows. */
size_t sluice__array_fetch(const struct sluice__array *array, const struct sluice__extent *extent,
			   enum sluice__rows rows, double *to);

/* Marks [T,N] in the plan's layout; at steps that a row has not all are set, since nobody may read them. */
void sluice__array_give_marks(const struct sluice__extent *extent, const uint8_t *from, uint8_t *to);

/* Bytes that are not as sluice__array_clear and other fills with ones left them. */
size_t sluice__bytes_touched(const void *memory, size_t bytes);

#endif
