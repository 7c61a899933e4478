/*
 * peak.inc.h: the probes of one instruction-set level; define LEVEL, VECTOR, LANES, CHAINS, READS, SQUARE_ADD(x) =
 * x * x + x, LOAD(p), ADD(a, b) and STORE(p, v), then include.
 *
 * Sixteen independent chains or more hide the latency of an FMA: 4 cycles times 2 units need 8. x = x * x + x needs no
 * register but its own, so sixteen chains fit where there are sixteen registers. What a probe computes is stored and
 * used by its caller, and its start comes from memory, so no compiler may leave it out.
 */
#include <stddef.h>

#include "peak_level.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define PEAK_JOIN2(a, b) a##b
#define PEAK_JOIN(a, b) PEAK_JOIN2(a, b)

/* x = x * x + x over and over in each chain, `rounds` rounds; gives the floating-point operations done. */
static double multiply_add(size_t rounds, const float *numbers, float *sink)
{
	VECTOR chain[CHAINS];

	for (int index = 0; index < CHAINS; index++)
		chain[index] = LOAD(numbers);
	for (size_t round = 0; round < rounds; round++) {
		UNROLL
		for (int index = 0; index < CHAINS; index++)
			chain[index] = SQUARE_ADD(chain[index]);
	}
	for (int index = 1; index < CHAINS; index++)
		chain[0] = ADD(chain[0], chain[index]);
	STORE(sink, chain[0]);
	return (double)rounds * CHAINS * LANES * 2;
}

/* Adds up `count` floats, a multiple of READS * LANES, `rounds` times. */
static void read_all(size_t rounds, const float *values, size_t count, float *sink)
{
	VECTOR sum[READS];

	for (int index = 0; index < READS; index++)
		sum[index] = LOAD(values);
	for (size_t round = 0; round < rounds; round++)
		for (size_t place = 0; place < count; place += READS * LANES) {
			UNROLL
			for (int index = 0; index < READS; index++)
				sum[index] = ADD(sum[index], LOAD(values + place + (size_t)index * LANES));
		}
	for (int index = 1; index < READS; index++)
		sum[0] = ADD(sum[0], sum[index]);
	STORE(sink, sum[0]);
}

const struct sluice__peak_level PEAK_JOIN(sluice__peak_, LEVEL) = {multiply_add, read_all};
