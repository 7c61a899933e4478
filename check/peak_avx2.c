/*
 * peak_avx2.c: the probes with 8-lane vectors; this file alone is compiled for AVX2 and FMA.
 */
#include <immintrin.h>

#define LEVEL avx2
#define VECTOR __m256
#define LANES 8
#define CHAINS 16
#define READS 8
#define SQUARE_ADD(x) _mm256_fmadd_ps(x, x, x)
#define LOAD(p) _mm256_load_ps(p)
#define ADD(a, b) _mm256_add_ps(a, b)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#include "peak.inc.h"
