/* vec_avx512.h: the vocabulary for AVX-512, sixteen floats wide. */
#ifndef SLUICE_KERNELS_VEC_AVX512_H
#define SLUICE_KERNELS_VEC_AVX512_H

#ifndef __AVX512F__
#error "vec_avx512.h needs -mavx512f -mavx512dq"
#endif
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#ifdef SLUICE_REAL_F64
#include "kernels/vec_avx512_f64.h"
#else

#define LEVEL_NAME avx512
enum { LANES = 16, TILE_ROWS = 6 };
/* The cases of a switch over the height of a tile. */
#define TILE_ROW_COUNTS(X) X(1) X(2) X(3) X(4) X(5) X(6)
typedef __m512 vf;
typedef __mmask16 vm;

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
static inline vf vf_negate(vf a)
{
	return _mm512_xor_ps(_mm512_set1_ps(-0.0f), a);
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
static inline vf vf_scale(vf a, vf n)
{
	return _mm512_scalef_ps(a, n);
}
static inline vf vf_exponent(vf a)
{
	return _mm512_getexp_ps(a);
}
static inline vf vf_mantissa(vf a)
{
	return _mm512_getmant_ps(a, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
}
static inline vm vf_less(vf a, vf b)
{
	return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
static inline vm vf_less_equal(vf a, vf b)
{
	return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}
static inline vm vf_is_nan(vf a)
{
	return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
}
static inline vf vf_select(vm mask, vf yes, vf no)
{
	return _mm512_mask_blend_ps(mask, no, yes);
}
static inline vf vf_load_bf16(const uint16_t *p)
{
	const __m256i bits = _mm256_loadu_si256((const __m256i *)p);
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
static inline void vf_store_bf16(uint16_t *p, vf a)
{
	const __m512i bits = _mm512_castps_si512(a), upper = _mm512_srli_epi32(bits, 16);
	const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
	const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF));
	const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, half), 16);
	const __m512i quiet = _mm512_or_si512(upper, _mm512_set1_epi32(0x40));
	_mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(_mm512_mask_blend_epi32(vf_is_nan(a), rounded, quiet)));
}
static inline vf vf_load_f16(const uint16_t *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline void vf_store_f16(uint16_t *p, vf a)
{
	_mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#endif

#endif
