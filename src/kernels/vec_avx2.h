/* vec_avx2.h: the vocabulary for AVX2 with FMA, eight floats wide. */
#ifndef SLUICE_KERNELS_VEC_AVX2_H
#define SLUICE_KERNELS_VEC_AVX2_H

#if !defined(__AVX2__) || !defined(__F16C__)
#error "vec_avx2.h needs -mavx2 -mfma -mf16c"
#endif
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#ifdef SLUICE_REAL_F64
#include "kernels/vec_avx2_f64.h"
#else

#define LEVEL_NAME avx2
enum { LANES = 8, TILE_ROWS = 3 };
/* The cases of a switch over the height of a tile. */
#define TILE_ROW_COUNTS(X) X(1) X(2) X(3)
typedef __m256 vf;
typedef __m256 vm;

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
static inline vf vf_negate(vf a)
{
	return _mm256_xor_ps(_mm256_set1_ps(-0.0f), a);
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
static inline vf vf_scale(vf a, vf n)
{
	vf half = vf_round(_mm256_mul_ps(n, _mm256_set1_ps(0.5f)));
	return _mm256_mul_ps(_mm256_mul_ps(a, vf_pow2(half)), vf_pow2(_mm256_sub_ps(n, half)));
}
static inline vf vf_exponent(vf a)
{
	return _mm256_cvtepi32_ps(
		_mm256_sub_epi32(_mm256_srli_epi32(_mm256_castps_si256(a), 23), _mm256_set1_epi32(127)));
}
static inline vf vf_mantissa(vf a)
{
	const vf exponent = _mm256_set1_ps(1.0f);
	const vf fraction = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFF));
	return _mm256_or_ps(_mm256_and_ps(fraction, a), exponent);
}
static inline vm vf_less(vf a, vf b)
{
	return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}
static inline vm vf_less_equal(vf a, vf b)
{
	return _mm256_cmp_ps(a, b, _CMP_LE_OQ);
}
static inline vm vf_is_nan(vf a)
{
	return _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
}
static inline vf vf_select(vm mask, vf yes, vf no)
{
	return _mm256_blendv_ps(no, yes, mask);
}
static inline vf vf_load_bf16(const uint16_t *p)
{
	const __m128i bits = _mm_loadu_si128((const __m128i *)p);
	return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
static inline void vf_store_bf16(uint16_t *p, vf a)
{
	const __m256i bits = _mm256_castps_si256(a), upper = _mm256_srli_epi32(bits, 16);
	const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
	const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF));
	const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
	const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
	const __m256i each = _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(vf_is_nan(a)));
	_mm_storeu_si128((__m128i *)p,
			 _mm_packus_epi32(_mm256_castsi256_si128(each), _mm256_extracti128_si256(each, 1)));
}
static inline vf vf_load_f16(const uint16_t *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline void vf_store_f16(uint16_t *p, vf a)
{
	_mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#endif

#endif
