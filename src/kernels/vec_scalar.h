/* vec_scalar.h: the vocabulary in plain C, one float wide; every other level is judged beside it. */
#ifndef SLUICE_KERNELS_VEC_SCALAR_H
#define SLUICE_KERNELS_VEC_SCALAR_H

#include <stdint.h>
#include <string.h>

#define LEVEL_NAME scalar
enum { LANES = 1, TILE_ROWS = 2 };
/* The cases of a switch over the height of a tile. */
#define TILE_ROW_COUNTS(X) X(1) X(2)
typedef float vf;

static inline vf vf_set(float a)
{
	return a;
}
static inline vf vf_load(const float *p)
{
	return *p;
}
static inline void vf_store(float *p, vf a)
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
/* b when either is not a number, as on x86. */
static inline vf vf_min(vf a, vf b)
{
	return a < b ? a : b;
}
static inline vf vf_max(vf a, vf b)
{
	return a > b ? a : b;
}
static inline vf vf_sqrt(vf a)
{
	/* Newton's method on the exponent-halved guess; libm is not for kernels. The last step rounds a double. */
	uint32_t bits;
	if (!(a > 0))
		return a;
	memcpy(&bits, &a, sizeof bits);
	bits = (bits >> 1) + 0x1FBD1DF5;
	float guess;
	memcpy(&guess, &bits, sizeof guess);
	double root = guess;
	for (int i = 0; i < 4; i++)
		root = 0.5 * (root + (double)a / root);
	return (float)root;
}
static inline vf vf_abs(vf a)
{
	return a < 0 ? -a : a;
}
/* The magnitude of a with the sign of b. */
static inline vf vf_sign(vf a, vf b)
{
	uint32_t magnitude, sign;
	memcpy(&magnitude, &a, sizeof magnitude);
	memcpy(&sign, &b, sizeof sign);
	magnitude = (magnitude & 0x7FFFFFFF) | (sign & 0x80000000);
	memcpy(&a, &magnitude, sizeof a);
	return a;
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
	uint32_t bits = n == n ? (uint32_t)((int32_t)n + 127) << 23 : 0;
	float power;
	memcpy(&power, &bits, sizeof power);
	return power;
}

#endif
