/* vec_avx2_f64.h: the vocabulary for AVX2 with FMA in double, four numbers wide; for verification, so speed is not
 * sought. */
#ifndef SLUICE_KERNELS_VEC_AVX2_F64_H
#define SLUICE_KERNELS_VEC_AVX2_F64_H

#ifndef SLUICE_REAL_F64
#error "vec_avx2_f64.h belongs to the second build of the kernels"
#endif
#include <immintrin.h>

#define LEVEL_NAME avx2
enum { LANES = 4, TILE_ROWS = 3 };
/* The cases of a switch over the height of a tile. */
#define TILE_ROW_COUNTS(X) X(1) X(2) X(3)
typedef __m256d vf;
typedef __m256d vm;

static inline vf vf_set(double a)
{
	return _mm256_set1_pd(a);
}
static inline vf vf_load(const double *p)
{
	return _mm256_loadu_pd(p);
}
static inline void vf_store(double *p, vf a)
{
	_mm256_storeu_pd(p, a);
}
static inline vf vf_add(vf a, vf b)
{
	return _mm256_add_pd(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
	return _mm256_sub_pd(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
	return _mm256_mul_pd(a, b);
}
static inline vf vf_div(vf a, vf b)
{
	return _mm256_div_pd(a, b);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
	return _mm256_fmadd_pd(a, b, c);
}
static inline vf vf_negate(vf a)
{
	return _mm256_xor_pd(_mm256_set1_pd(-0.0), a);
}
static inline vf vf_min(vf a, vf b)
{
	return _mm256_min_pd(a, b);
}
static inline vf vf_max(vf a, vf b)
{
	return _mm256_max_pd(a, b);
}
static inline vf vf_sqrt(vf a)
{
	return _mm256_sqrt_pd(a);
}
static inline vf vf_abs(vf a)
{
	return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a);
}
static inline vf vf_sign(vf a, vf b)
{
	const vf sign = _mm256_set1_pd(-0.0);
	return _mm256_or_pd(_mm256_andnot_pd(sign, a), _mm256_and_pd(sign, b));
}
static inline vm vf_less(vf a, vf b)
{
	return _mm256_cmp_pd(a, b, _CMP_LT_OQ);
}
static inline vm vf_less_equal(vf a, vf b)
{
	return _mm256_cmp_pd(a, b, _CMP_LE_OQ);
}
static inline vm vf_is_nan(vf a)
{
	return _mm256_cmp_pd(a, a, _CMP_UNORD_Q);
}
static inline vf vf_select(vm mask, vf yes, vf no)
{
	return _mm256_blendv_pd(no, yes, mask);
}
static inline vf vf_map(vf a, double (*function)(double))
{
	double each[LANES];
	vf_store(each, a);
	for (int lane = 0; lane < LANES; lane++)
		each[lane] = function(each[lane]);
	return vf_load(each);
}

#endif
