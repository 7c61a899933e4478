/* dtype.h: names, sizes and bits of the storage types; names and sizes from the one list in sluice.h. */
#ifndef SLUICE_BASE_DTYPE_H
#define SLUICE_BASE_DTYPE_H

#include <sluice/sluice.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* "f32" and so on; "unknown" outside the list. */
const char *sluice__dtype_name(sluice_dtype dtype);

/* Bytes of one element; 0 outside the list. */
size_t sluice__dtype_bytes(sluice_dtype dtype);

/* The conversions of single numbers, with integers only: no mode of the processor reaches them, and they agree bit for
 * bit with the vector instructions. To 16 bits they round to nearest even; what is not a number becomes a quiet one
 * that keeps its upper bits. */

static inline float sluice__f32_from_bits(uint32_t bits)
{
	float x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

static inline uint32_t sluice__f32_bits(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static inline float sluice__f32_from_bf16(uint16_t x)
{
	return sluice__f32_from_bits((uint32_t)x << 16);
}

static inline uint16_t sluice__bf16_from_f32(float x)
{
	const uint32_t bits = sluice__f32_bits(x);
	if ((bits & 0x7FFFFFFF) > 0x7F800000)
		return (uint16_t)(bits >> 16 | 0x40);
	/* Half a unit less one, and the one if the last kept bit is odd; a carry into the exponent is right, too. */
	return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static inline float sluice__f32_from_f16(uint16_t x)
{
	const uint32_t sign = (uint32_t)(x & 0x8000) << 16, exponent = x >> 10 & 0x1F;
	uint32_t fraction = x & 0x3FF;
	if (exponent == 31)
		return sluice__f32_from_bits(sign | 0x7F800000 | (fraction ? 0x400000 | fraction << 13 : 0));
	if (exponent)
		return sluice__f32_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
	if (!fraction)
		return sluice__f32_from_bits(sign);
	/* Subnormal, 2^-24 times fraction: shifted until the leading bit is the implicit one. */
	uint32_t scale = 113;
	for (; !(fraction & 0x400); scale--)
		fraction <<= 1;
	return sluice__f32_from_bits(sign | scale << 23 | (fraction & 0x3FF) << 13);
}

static inline uint16_t sluice__f16_from_f32(float x)
{
	const uint32_t bits = sluice__f32_bits(x), sign = bits >> 16 & 0x8000, size = bits & 0x7FFFFFFF;
	const uint32_t exponent = size >> 23;
	if (size > 0x7F800000)
		return (uint16_t)(sign | 0x7E00 | (size >> 13 & 0x3FF));
	if (exponent >= 143) /* from 2^16 on */
		return (uint16_t)(sign | 0x7C00);
	if (exponent >= 113) /* normal: the exponent is lowered by 112, 13 bits are cut */
		return (uint16_t)(sign | (size - (112u << 23) + 0xFFF + (size >> 13 & 1)) >> 13);
	if (exponent < 102) /* below 2^-25, half of the least */
		return (uint16_t)sign;
	const uint32_t mantissa = (size & 0x7FFFFF) | 0x800000, cut = 126 - exponent;
	return (uint16_t)(sign | (mantissa + (1u << (cut - 1)) - 1 + (mantissa >> cut & 1)) >> cut);
}

#endif
