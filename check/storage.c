/*
 * storage.c: converts between double and the storage types with arithmetic on integers, so that it can be read and
 * believed; speed is no aim.
 */
#include "storage.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* A binary floating-point format: bits of the significand with its leading one, and the exponents that frexp gives the
 * smallest normal and the largest number. */
struct format {
	size_t bytes;
	int digits, lowest, highest;
};

static const struct format *format_of(sluice_dtype dtype)
{
	static const struct format FORMATS[] = {
		[SLUICE_F32] = {4, 24, -125, 128},
		[SLUICE_F64] = {8, 53, -1021, 1024},
		[SLUICE_F16] = {2, 11, -13, 16},
		[SLUICE_BF16] = {2, 8, -125, 128},
	};

	return &FORMATS[dtype];
}

size_t sluice__storage_bytes(sluice_dtype dtype)
{
	return format_of(dtype)->bytes;
}

/* Exponent of the last digit of numbers as large as value; denormal numbers share that of the smallest normal one. */
static int last_digit(const struct format *format, double value)
{
	int exponent;

	frexp(value, &exponent);
	return (exponent > format->lowest ? exponent : format->lowest) - format->digits;
}

double sluice__storage_round(sluice_dtype dtype, double value)
{
	const struct format *format = format_of(dtype);
	double unit, rounded;

	if (dtype == SLUICE_F64 || value == 0 || !isfinite(value))
		return value;
	unit = ldexp(1, last_digit(format, value));
	/* value / unit has at most 53 digits before and behind the point together, and rint takes ties to even. */
	rounded = rint(value / unit) * unit;
	return fabs(rounded) < ldexp(1, format->highest) ? rounded : copysign(INFINITY, value);
}

double sluice__storage_error(sluice_dtype dtype, double magnitude)
{
	const struct format *format = format_of(dtype);

	return magnitude == 0 ? 0 : ldexp(1, last_digit(format, magnitude) - 1);
}

/* A number of a 16-bit format into its bits: sign, exponent, fraction. */
static uint16_t encode(const struct format *format, double value)
{
	uint16_t sign = signbit(value) ? 0x8000 : 0;
	int fraction_bits = format->digits - 1, exponent;
	double magnitude = fabs(value);

	if (isnan(value))
		return 0x7fff;
	if (isinf(value))
		return (uint16_t)(sign | (format->highest - format->lowest + 2) << fraction_bits);
	frexp(magnitude, &exponent);
	if (magnitude == 0 || exponent < format->lowest)
		return (uint16_t)(sign | (uint16_t)ldexp(magnitude, format->digits - format->lowest));
	/* The leading one of the significand adds one to the exponent field below it. */
	return (uint16_t)(sign | (((exponent - format->lowest) << fraction_bits) +
				  (int)ldexp(magnitude, format->digits - exponent)));
}

static double decode(const struct format *format, uint16_t bits)
{
	int fraction_bits = format->digits - 1, field = (bits & 0x7fff) >> fraction_bits;
	int fraction = bits & ((1 << fraction_bits) - 1);
	double magnitude;

	if (field == format->highest - format->lowest + 2)
		magnitude = fraction ? NAN : INFINITY;
	else if (field == 0)
		magnitude = ldexp(fraction, format->lowest - format->digits);
	else
		magnitude = ldexp(fraction + (1 << fraction_bits), field - 1 + format->lowest - format->digits);
	return bits & 0x8000 ? -magnitude : magnitude;
}

void sluice__storage_put(sluice_dtype dtype, double value, void *array, size_t index)
{
	/* Conversion to float rounds to nearest even, too. */
	if (dtype == SLUICE_F64)
		((double *)array)[index] = value;
	else if (dtype == SLUICE_F32)
		((float *)array)[index] = (float)value;
	else
		((uint16_t *)array)[index] = encode(format_of(dtype), sluice__storage_round(dtype, value));
}

double sluice__storage_get(sluice_dtype dtype, const void *array, size_t index)
{
	if (dtype == SLUICE_F64)
		return ((const double *)array)[index];
	if (dtype == SLUICE_F32)
		return (double)((const float *)array)[index];
	return decode(format_of(dtype), ((const uint16_t *)array)[index]);
}
