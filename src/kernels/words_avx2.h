/* words_avx2.h: the vocabulary for 32-bit words in AVX2, eight words wide; for random numbers. */
#ifndef SLUICE_KERNELS_WORDS_AVX2_H
#define SLUICE_KERNELS_WORDS_AVX2_H

#include <immintrin.h>
#include <stdint.h>

enum { WORDS = 8 };
typedef __m256i vu;

static inline vu vu_set(uint32_t a)
{
	return _mm256_set1_epi32((int)a);
}
static inline vu vu_load(const uint32_t *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}
static inline void vu_store(uint32_t *p, vu a)
{
	_mm256_storeu_si256((__m256i *)(void *)p, a);
}
static inline vu vu_add(vu a, vu b)
{
	return _mm256_add_epi32(a, b);
}
static inline vu vu_xor(vu a, vu b)
{
	return _mm256_xor_si256(a, b);
}
/* The products of even and of odd words are 64 bits each; their halves change places. */
static inline vu vu_multiply(vu a, vu b, vu *low)
{
	const vu even = _mm256_mul_epu32(a, b);
	const vu odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
	*low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
	return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}

#endif
