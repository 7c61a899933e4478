/*
 * storage.h: what the storage types hold, worked out a second time and independently of the library's conversions.
 */
#ifndef SLUICE_CHECK_STORAGE_H
#define SLUICE_CHECK_STORAGE_H

#include <stddef.h>

#include "sluice/sluice.h"

/* Bytes of one element. */
size_t sluice__storage_bytes(sluice_dtype dtype);

/* The number of that type nearest to value, to even where two are equally near; infinity beyond the largest. */
double sluice__storage_round(sluice_dtype dtype, double value);

/* The most by which rounding to that type moves a number of at most this magnitude. */
double sluice__storage_error(sluice_dtype dtype, double magnitude);

/* Rounds value into element `index` of an array of that type, and back. */
void sluice__storage_put(sluice_dtype dtype, double value, void *array, size_t index);
double sluice__storage_get(sluice_dtype dtype, const void *array, size_t index);

#endif
