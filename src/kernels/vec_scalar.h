/* vec_scalar.h: the vocabulary in plain C, one number wide; every other level is judged beside it. */
#ifndef SLUICE_KERNELS_VEC_SCALAR_H
#define SLUICE_KERNELS_VEC_SCALAR_H

#include <stdint.h>
#include <string.h>

#include "base/dtype.h"
#include "base/real.h"

#define LEVEL_NAME scalar
enum { LANES = 1, TILE_ROWS = 2 };
/* The cases of a switch over the height of a tile. */
#define TILE_ROW_COUNTS(X) X(1) X(2)
typedef real vf;
typedef int vm;

static inline vf vf_set(real a)
{
	return a;
}
static inline vf vf_load(const real *p)
{
	return *p;
}
static inline void vf_store(real *p, vf a)
{
	*p = a;
}
static inline vf vf_add(vf a, vf b)
{
	return a + b;
}
static inline vf vf_sub(vf a, vf b)
{
	return a - b;
}
static inline vf vf_mul(vf a, vf b)
{
	return a * b;
}
static inline vf vf_div(vf a, vf b)
{
	return a / b;
}
/* a * b + c. Two roundings here, one wherever there is an instruction for it. */
static inline vf vf_fma(vf a, vf b, vf c)
{
	return a * b + c;
}
static inline vf vf_negate(vf a)
{
	return -a;
}
/* b when either is not a number, as on x86. */
static inline vf vf_min(vf a, vf b)
{
	return a < b ? a : b;
}
static inline vf vf_max(vf a, vf b)
{
	return a > b ? a : b;
}
static inline vf vf_abs(vf a)
{
	return a < 0 ? -a : a;
}
/* Comparisons; false when either is not a number. */
static inline vm vf_less(vf a, vf b)
{
	return a < b;
}
static inline vm vf_less_equal(vf a, vf b)
{
	return a <= b;
}
static inline vm vf_is_nan(vf a)
{
	return a != a;
}
static inline vf vf_select(vm mask, vf yes, vf no)
{
	return mask ? yes : no;
}

#ifdef SLUICE_REAL_F64

#include <math.h>

static inline vf vf_sqrt(vf a)
{
	return sqrt(a);
}
/* The magnitude of a with the sign of b. */
static inline vf vf_sign(vf a, vf b)
{
	return copysign(a, b);
}
static inline vf vf_map(vf a, double (*function)(double))
{
	return function(a);
}

#else

static inline vf vf_sqrt(vf a)
{
	/* Newton's method on the exponent-halved guess; libm is not for kernels. The last step rounds a double. */
	if (!(a > 0))
		return a;
	double root = sluice__f32_from_bits((sluice__f32_bits(a) >> 1) + 0x1FBD1DF5);
	for (int i = 0; i < 4; i++)
		root = 0.5 * (root + (double)a / root);
	return (float)root;
}
/* The magnitude of a with the sign of b. */
static inline vf vf_sign(vf a, vf b)
{
	return sluice__f32_from_bits((sluice__f32_bits(a) & 0x7FFFFFFF) | (sluice__f32_bits(b) & 0x80000000));
}
/* To the nearest integer, ties to even; |a| below 2^22. */
static inline vf vf_round(vf a)
{
	const float shift = 0x1.8p23f;
	volatile float shifted = a + shift; /* keeps the compiler from cancelling the two sums */
	return shifted - shift;
}
/* 2^n for integers n in [-126, 127]; anything for not a number. */
static inline vf vf_pow2(vf n)
{
	return sluice__f32_from_bits(n == n ? (uint32_t)((int32_t)n + 127) << 23 : 0);
}
/* a 2^n, rounded once, for integers n in [-252, 252]. */
static inline vf vf_scale(vf a, vf n)
{
	vf half = vf_round(n * 0.5f);
	return a * vf_pow2(half) * vf_pow2(n - half);
}
/* The e and m of a = m 2^e, 1 <= m < 2; for normal positive a, anything for others. */
static inline vf vf_exponent(vf a)
{
	return (float)((int32_t)(sluice__f32_bits(a) >> 23) - 127);
}
static inline vf vf_mantissa(vf a)
{
	return sluice__f32_from_bits((sluice__f32_bits(a) & 0x7FFFFF) | 0x3F800000);
}
/* Storage of 16 bits. Stores round to nearest even, and not a number stays that. */
static inline vf vf_load_bf16(const uint16_t *p)
{
	return sluice__f32_from_bf16(*p);
}
static inline void vf_store_bf16(uint16_t *p, vf a)
{
	*p = sluice__bf16_from_f32(a);
}
static inline vf vf_load_f16(const uint16_t *p)
{
	return sluice__f32_from_f16(*p);
}
static inline void vf_store_f16(uint16_t *p, vf a)
{
	*p = sluice__f16_from_f32(a);
}

#endif

#endif
