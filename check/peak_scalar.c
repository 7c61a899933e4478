/*
 * peak_scalar.c: the probes of the level without flags: what plain C may become, four lanes and no fused multiply-add.
 *
 * A compiler may vectorize plain loops with the four lanes that every x86-64 and AArch64 has, so four lanes are the
 * ceiling of the scalar level, not one.
 */
typedef float four __attribute__((vector_size(16)));

#define LEVEL scalar
#define VECTOR four
#define LANES 4
#define CHAINS 16
#define READS 8
#define SQUARE_ADD(x) ((x) * (x) + (x))
#define LOAD(p) (*(const four *)(const void *)(p))
#define ADD(a, b) ((a) + (b))
#define STORE(p, v) (*(four *)(void *)(p) = (v))
#include "peak.inc.h"
