/* bnns_array.c: places of elements, numbers of 16 bits, and memory that tells what was written to it. */
#include "bnns_array.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

uint64_t random_bits(struct bnns_random *random)
{
	uint64_t bits = random->state += 0x9E3779B97F4A7C15u; /* SplitMix64 */

	bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
	bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
	return bits ^ (bits >> 31);
}

size_t random_below(struct bnns_random *random, size_t count)
{
	return (size_t)(random_bits(random) % count);
}

double random_between(struct bnns_random *random, double low, double high)
{
	return low + (high - low) * (double)(random_bits(random) >> 11) * 0x1p-53;
}

int random_chance(struct bnns_random *random, double chance)
{
	return random_between(random, 0, 1) < chance;
}

/* ---------------------------------------------------------------------------------------------------- numbers ---- */

size_t bnns_type_bytes(BNNSDataType type)
{
	return type == BNNSDataTypeFloat32 ? 4 : 2;
}

/* The bits of a number that f16 has. */
static uint16_t half_bits(double value)
{
	const uint16_t sign = signbit(value) ? 0x8000 : 0;
	int exponent;

	if (isnan(value))
		return 0x7E00;
	if (fabs(value) > 65504)
		return sign | 0x7C00;
	frexp(value, &exponent);
	if (value == 0 || exponent < -13)
		return sign | (uint16_t)(fabs(value) * 0x1p24);
	return (uint16_t)(sign | (exponent + 14) << 10 | ((int)ldexp(fabs(value), 11 - exponent) - 1024));
}

static double half_value(uint16_t bits)
{
	const int exponent = bits >> 10 & 31, fraction = bits & 1023;
	const double sign = bits & 0x8000 ? -1 : 1;

	if (exponent == 31)
		return fraction ? (double)NAN : sign * (double)INFINITY;
	return exponent ? sign * ldexp(1024 + fraction, exponent - 25) : sign * ldexp(fraction, -24);
}

void bnns_store(BNNSDataType type, double value, void *to)
{
	const float single = (float)value;
	uint32_t bits;
	uint16_t half;

	if (type == BNNSDataTypeFloat32) {
		memcpy(to, &single, sizeof single);
		return;
	}
	memcpy(&bits, &single, sizeof bits);
	half = type == BNNSDataTypeFloat16 ? half_bits(value) : (uint16_t)(bits >> 16);
	memcpy(to, &half, sizeof half);
}

double bnns_load(BNNSDataType type, const void *from)
{
	float single;
	uint16_t half;
	uint32_t bits;

	if (type == BNNSDataTypeFloat32) {
		memcpy(&single, from, sizeof single);
		return (double)single;
	}
	memcpy(&half, from, sizeof half);
	if (type == BNNSDataTypeFloat16)
		return half_value(half);
	bits = (uint32_t)half << 16;
	memcpy(&single, &bits, sizeof single);
	return (double)single;
}

/* ----------------------------------------------------------------------------------------------------- arrays ---- */

size_t array_place(const struct bnns_array *array, size_t index)
{
	size_t place = 0;

	for (size_t axis = array->axes; axis-- > 0;) {
		place += index % array->count[axis] * array->stride[axis];
		index /= array->count[axis];
	}
	return array->offset + place * bnns_type_bytes(array->type);
}

/* Strides of a lie: each axis steps over all of the faster ones and the gap. Returns the elements that it spans. */
static size_t place_axes(struct bnns_array *array, const struct bnns_lie *lie)
{
	size_t span = 1;

	for (size_t k = 0; k < array->axes; k++) {
		const size_t axis = lie->order[k];

		array->stride[axis] = span + lie->gaps[k];
		span = array->stride[axis] * array->count[axis];
	}
	return span;
}

void array_create(struct bnns_array *array, BNNSDataType type, size_t axes, const size_t *count,
		  const struct bnns_lie *lie)
{
	memset(array, 0, sizeof *array);
	array->type = type;
	array->axes = axes;
	array->elements = 1;
	for (size_t axis = 0; axis < axes; axis++) {
		array->count[axis] = count[axis];
		array->elements *= count[axis];
	}
	/* Guards of a cache line on both sides. */
	array->offset = 64;
	array->bytes = place_axes(array, lie) * bnns_type_bytes(type) + 128;
	array->block = malloc(array->bytes);
	array->before = malloc(array->bytes);
	assert_non_null(array->block);
	assert_non_null(array->before);
	memset(array->block, 0xA5, array->bytes);
	array_remember(array);
	array->descriptor.layout = lie->layout;
	array->descriptor.data = array->block + array->offset;
	array->descriptor.data_type = type;
	for (size_t k = 0; k < axes; k++) {
		const size_t axis = lie->order[lie->first_major ? axes - 1 - k : k];

		array->descriptor.size[k] = lie->sizes ? count[axis] : 0;
		array->descriptor.stride[k] = lie->strides ? array->stride[axis] : 0;
	}
}

void array_destroy(struct bnns_array *array)
{
	free(array->block);
	free(array->before);
	memset(array, 0, sizeof *array);
}

void array_write(struct bnns_array *array, const double *values)
{
	for (size_t index = 0; index < array->elements; index++)
		bnns_store(array->type, values[index], array->block + array_place(array, index));
}

void array_read(const struct bnns_array *array, double *values)
{
	for (size_t index = 0; index < array->elements; index++)
		values[index] = bnns_load(array->type, array->block + array_place(array, index));
}

void array_remember(struct bnns_array *array)
{
	memcpy(array->before, array->block, array->bytes);
}

int array_same(const struct bnns_array *array)
{
	return !memcmp(array->before, array->block, array->bytes);
}

int array_gaps_same(const struct bnns_array *array)
{
	unsigned char *copy = malloc(array->bytes);
	int same;

	assert_non_null(copy);
	memcpy(copy, array->block, array->bytes);
	for (size_t index = 0; index < array->elements; index++)
		memcpy(copy + array_place(array, index), array->before + array_place(array, index),
		       bnns_type_bytes(array->type));
	same = !memcmp(copy, array->before, array->bytes);
	free(copy);
	return same;
}
