/* words_avx512.h: the vocabulary for 32-bit words in AVX-512, sixteen words wide; for random numbers. */
#ifndef SLUICE_KERNELS_WORDS_AVX512_H
#define SLUICE_KERNELS_WORDS_AVX512_H

#include <immintrin.h>
#include <stdint.h>

enum { WORDS = 16 };
typedef __m512i vu;

static inline vu vu_set(uint32_t a)
{
	return _mm512_set1_epi32((int)a);
}
static inline vu vu_load(const uint32_t *p)
{
	return _mm512_loadu_si512(p);
}
static inline void vu_store(uint32_t *p, vu a)
{
	_mm512_storeu_si512(p, a);
}
static inline vu vu_add(vu a, vu b)
{
	return _mm512_add_epi32(a, b);
}
static inline vu vu_xor(vu a, vu b)
{
	return _mm512_xor_si512(a, b);
}
/* The products of even and of odd words are 64 bits each; their halves change places. */
static inline vu vu_multiply(vu a, vu b, vu *low)
{
	const vu even = _mm512_mul_epu32(a, b);
	const vu odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
	*low = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
	return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}

#endif
