/* vec_avx512.h: the vocabulary for AVX-512, sixteen floats wide. */
#ifndef SLUICE_KERNELS_VEC_AVX512_H
#define SLUICE_KERNELS_VEC_AVX512_H

#ifndef __AVX512F__
#error "vec_avx512.h needs -mavx512f -mavx512dq"
#endif
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define LEVEL_NAME avx512
enum { LANES = 16, TILE_ROWS = 6 };
/* The cases of a switch over the height of a tile. */
#define TILE_ROW_COUNTS(X) X(1) X(2) X(3) X(4) X(5) X(6)
typedef __m512 vf;

static inline vf vf_set(float a)
{
	return _mm512_set1_ps(a);
}
static inline vf vf_load(const float *p)
{
	return _mm512_loadu_ps(p);
}
static inline void vf_store(float *p, vf a)
{
	_mm512_storeu_ps(p, a);
}
static inline vf vf_add(vf a, vf b)
{
	return _mm512_add_ps(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
	return _mm512_sub_ps(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
	return _mm512_mul_ps(a, b);
}
static inline vf vf_div(vf a, vf b)
{
	return _mm512_div_ps(a, b);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
	return _mm512_fmadd_ps(a, b, c);
}
static inline vf vf_min(vf a, vf b)
{
	return _mm512_min_ps(a, b);
}
static inline vf vf_max(vf a, vf b)
{
	return _mm512_max_ps(a, b);
}
static inline vf vf_sqrt(vf a)
{
	return _mm512_sqrt_ps(a);
}
static inline vf vf_abs(vf a)
{
	return _mm512_abs_ps(a);
}
static inline vf vf_sign(vf a, vf b)
{
	const vf sign = _mm512_set1_ps(-0.0f);
	return _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, b));
}
static inline vf vf_round(vf a)
{
	return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vf vf_pow2(vf n)
{
	return _mm512_scalef_ps(_mm512_set1_ps(1.0f), n);
}

#endif
