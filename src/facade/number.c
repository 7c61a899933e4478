/* number.c exists to bring numbers of the three storage types into each other, with any stride. */
#include "number.h"

#include <string.h>

/* Of binary16: the exponent of its subnormal numbers' unit is -24, its largest exponent 15. */
enum { F16_FRACTION = 10, F32_FRACTION = 23, F16_BIAS = 15, F32_BIAS = 127 };

static float f32_of(uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static uint32_t bits_of(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static float f32_from_f16(uint16_t half)
{
	const uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7fff;
	if (rest >= 0x7c00)
		return f32_of(sign | 0x7f800000 | (rest & 0x3ff) << (F32_FRACTION - F16_FRACTION));
	if (rest >= 0x400)
		return f32_of(sign | ((rest << (F32_FRACTION - F16_FRACTION)) +
				      ((uint32_t)(F32_BIAS - F16_BIAS) << F32_FRACTION)));
	const float magnitude = (float)rest * 0x1p-24f;
	return sign ? -magnitude : magnitude;
}

/* value >> shift, to nearest even. */
static uint32_t round_shift(uint32_t value, uint32_t shift)
{
	const uint32_t low = value & ((1u << shift) - 1), half = 1u << (shift - 1);
	const uint32_t high = value >> shift;
	return high + (low > half || (low == half && (high & 1)));
}

static uint16_t f16_from_f32(float value)
{
	const uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
	if (rest > 0x7f800000)
		return (uint16_t)(sign | 0x7e00 | (rest >> (F32_FRACTION - F16_FRACTION) & 0x3ff));
	if (rest >= 0x47800000) /* 2^16 and infinity; what lies between 65520 and it rounds up to infinity by itself */
		return (uint16_t)(sign | 0x7c00);
	const uint32_t exponent = rest >> F32_FRACTION;
	if (exponent > F32_BIAS - F16_BIAS) {
		const uint32_t shifted = rest - ((uint32_t)(F32_BIAS - F16_BIAS) << F32_FRACTION);
		return (uint16_t)(sign | round_shift(shifted, F32_FRACTION - F16_FRACTION));
	}
	/* Subnormal: the fraction with its leading one, in units of 2^-24. */
	const uint32_t shift = F32_BIAS - F16_BIAS + 1 - exponent + F32_FRACTION - F16_FRACTION;
	if (shift > F32_FRACTION + 1)
		return (uint16_t)sign;
	return (uint16_t)(sign | round_shift((rest & 0x7fffff) | 0x800000, shift));
}

static uint16_t bf16_from_f32(float value)
{
	const uint32_t bits = bits_of(value);
	if ((bits & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)round_shift(bits, 16);
}

size_t sluice__number_bytes(sluice_dtype type)
{
	return type == SLUICE_F32 ? sizeof(float) : sizeof(uint16_t);
}

float sluice__number_load(const struct line *line, size_t index)
{
	const char *at = line->at + index * line->stride * sluice__number_bytes(line->type);
	uint16_t half;
	float value;
	if (line->type == SLUICE_F32) {
		memcpy(&value, at, sizeof value);
		return value;
	}
	memcpy(&half, at, sizeof half);
	return line->type == SLUICE_F16 ? f32_from_f16(half) : f32_of((uint32_t)half << 16);
}

void sluice__number_store(const struct line *line, size_t index, float value)
{
	char *at = line->at + index * line->stride * sluice__number_bytes(line->type);
	if (line->type == SLUICE_F32) {
		memcpy(at, &value, sizeof value);
		return;
	}
	const uint16_t half = line->type == SLUICE_F16 ? f16_from_f32(value) : bf16_from_f32(value);
	memcpy(at, &half, sizeof half);
}

static int dense(const struct line *line, size_t count)
{
	return line->stride == 1 || count == 1;
}

void sluice__number_convert(const struct line *to, const struct line *from, size_t count, float factor, int add)
{
	if (!add && factor == 1 && to->type == from->type && dense(to, count) && dense(from, count)) {
		memcpy(to->at, from->at, count * sluice__number_bytes(to->type));
		return;
	}
	for (size_t k = 0; k < count; k++) {
		const float value = factor * sluice__number_load(from, k);
		/* Added to nothing a negative zero would lose its sign. */
		sluice__number_store(to, k, add ? sluice__number_load(to, k) + value : value);
	}
}

int sluice__number_renew(float *to, const struct line *from, size_t count, float factor)
{
	int changed = 0;
	if (from->type == SLUICE_F32 && factor == 1 && dense(from, count)) {
		if (memcmp(to, from->at, count * sizeof *to) == 0)
			return 0;
		memcpy(to, from->at, count * sizeof *to);
		return 1;
	}
	for (size_t k = 0; k < count; k++) {
		const float value = factor * sluice__number_load(from, k);
		changed |= bits_of(to[k]) != bits_of(value);
		to[k] = value;
	}
	return changed;
}
