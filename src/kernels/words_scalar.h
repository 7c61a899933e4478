/* words_scalar.h: the vocabulary for 32-bit words in plain C, one word wide; for random numbers. */
#ifndef SLUICE_KERNELS_WORDS_SCALAR_H
#define SLUICE_KERNELS_WORDS_SCALAR_H

#include <stdint.h>

enum { WORDS = 1 };
typedef uint32_t vu;

static inline vu vu_set(uint32_t a)
{
	return a;
}
static inline vu vu_load(const uint32_t *p)
{
	return *p;
}
static inline void vu_store(uint32_t *p, vu a)
{
	*p = a;
}
static inline vu vu_add(vu a, vu b)
{
	return a + b;
}
static inline vu vu_xor(vu a, vu b)
{
	return a ^ b;
}
/* The upper and the lower word of a * b; returns the upper one. */
static inline vu vu_multiply(vu a, vu b, vu *low)
{
	const uint64_t product = (uint64_t)a * b;
	*low = (uint32_t)product;
	return (uint32_t)(product >> 32);
}

#endif
