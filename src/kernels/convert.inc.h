/* convert.inc.h: rows of numbers from storage and to storage. All levels give the same bits. */

#ifdef SLUICE_REAL_F64

/* Verification stores what it computes. */
static void widen_entry(sluice_dtype type, size_t count, const void *from, real *to)
{
	(void)type;
	if (count)
		memcpy(to, from, count * sizeof *to);
}

static void narrow_entry(sluice_dtype type, size_t count, const real *from, void *to)
{
	(void)type;
	if (count)
		memcpy(to, from, count * sizeof *from);
}

static void round_to_entry(sluice_dtype type, size_t count, real *x)
{
	(void)type;
	(void)count;
	(void)x;
}

#else

#include "base/dtype.h"

/* The loops of one 16-bit type: vectors, then what is left over one by one. */
#define CONVERSIONS(type)                                                                \
	static void widen_##type(size_t count, const uint16_t *from, real *to)           \
	{                                                                                \
		size_t j = 0;                                                            \
		for (; count - j >= LANES; j += LANES)                                   \
			vf_store(to + j, vf_load_##type(from + j));                      \
		for (; j < count; j++)                                                   \
			to[j] = sluice__f32_from_##type(from[j]);                        \
	}                                                                                \
	static void narrow_##type(size_t count, const real *from, uint16_t *to)          \
	{                                                                                \
		size_t j = 0;                                                            \
		for (; count - j >= LANES; j += LANES)                                   \
			vf_store_##type(to + j, vf_load(from + j));                      \
		for (; j < count; j++)                                                   \
			to[j] = sluice__##type##_from_f32(from[j]);                      \
	}                                                                                \
	static void round_to_##type(size_t count, real *x)                               \
	{                                                                                \
		uint16_t stored[LANES];                                                  \
		size_t j = 0;                                                            \
		for (; count - j >= LANES; j += LANES) {                                 \
			vf_store_##type(stored, vf_load(x + j));                         \
			vf_store(x + j, vf_load_##type(stored));                         \
		}                                                                        \
		for (; j < count; j++)                                                   \
			x[j] = sluice__f32_from_##type(sluice__##type##_from_f32(x[j])); \
	}
CONVERSIONS(f16)
CONVERSIONS(bf16)
#undef CONVERSIONS

static void widen_entry(sluice_dtype type, size_t count, const void *from, real *to)
{
	if (type == SLUICE_F16)
		widen_f16(count, from, to);
	else if (type == SLUICE_BF16)
		widen_bf16(count, from, to);
	else if (count)
		memcpy(to, from, count * sizeof *to);
}

static void narrow_entry(sluice_dtype type, size_t count, const real *from, void *to)
{
	if (type == SLUICE_F16)
		narrow_f16(count, from, to);
	else if (type == SLUICE_BF16)
		narrow_bf16(count, from, to);
	else if (count)
		memcpy(to, from, count * sizeof *from);
}

static void round_to_entry(sluice_dtype type, size_t count, real *x)
{
	if (type == SLUICE_F16)
		round_to_f16(count, x);
	else if (type == SLUICE_BF16)
		round_to_bf16(count, x);
}

#endif
