/*
 * peak_avx512.c: the probes with 16-lane vectors; this file alone is compiled for AVX-512.
 */
#include <immintrin.h>

#define LEVEL avx512
#define VECTOR __m512
#define LANES 16
#define CHAINS 20
#define READS 16
#define SQUARE_ADD(x) _mm512_fmadd_ps(x, x, x)
#define LOAD(p) _mm512_load_ps(p)
#define ADD(a, b) _mm512_add_ps(a, b)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#include "peak.inc.h"
