/* vec_avx2.h: the vocabulary for AVX2 with FMA, eight floats wide. */
#ifndef SLUICE_KERNELS_VEC_AVX2_H
#define SLUICE_KERNELS_VEC_AVX2_H

#ifndef __AVX2__
#error "vec_avx2.h needs -mavx2 -mfma"
#endif
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define LEVEL_NAME avx2
enum { LANES = 8, TILE_ROWS = 3 };
/* The cases of a switch over the height of a tile. */
#define TILE_ROW_COUNTS(X) X(1) X(2) X(3)
typedef __m256 vf;

static inline vf vf_set(float a)
{
	return _mm256_set1_ps(a);
}
static inline vf vf_load(const float *p)
{
	return _mm256_loadu_ps(p);
}
static inline void vf_store(float *p, vf a)
{
	_mm256_storeu_ps(p, a);
}
static inline vf vf_add(vf a, vf b)
{
	return _mm256_add_ps(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
	return _mm256_sub_ps(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
	return _mm256_mul_ps(a, b);
}
static inline vf vf_div(vf a, vf b)
{
	return _mm256_div_ps(a, b);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
	return _mm256_fmadd_ps(a, b, c);
}
static inline vf vf_min(vf a, vf b)
{
	return _mm256_min_ps(a, b);
}
static inline vf vf_max(vf a, vf b)
{
	return _mm256_max_ps(a, b);
}
static inline vf vf_sqrt(vf a)
{
	return _mm256_sqrt_ps(a);
}
static inline vf vf_abs(vf a)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
static inline vf vf_sign(vf a, vf b)
{
	const vf sign = _mm256_set1_ps(-0.0f);
	return _mm256_or_ps(_mm256_andnot_ps(sign, a), _mm256_and_ps(sign, b));
}
static inline vf vf_round(vf a)
{
	return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vf vf_pow2(vf n)
{
	return _mm256_castsi256_ps(
		_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}

#endif
