/*
 * random.c: the random numbers of all regularisations for the oracle, written from the paper and EQUATIONS.md alone.
 */
#include "random.h"

#include <math.h>

/* What a number is for: bits 20 to 23 of the counter's word 0. */
enum { DROPOUT = 1, RECURRENT_DROPOUT = 4, ZONEOUT_H = 5, ZONEOUT_C = 6, DROPCONNECT = 7 };

void sluice__oracle_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
	uint32_t k0 = key[0], k1 = key[1];
	uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];

	for (int round = 0; round < 10; round++) {
		uint64_t left = UINT64_C(0xd2511f53) * c0;
		uint64_t right = UINT64_C(0xcd9e8d57) * c2;

		c0 = (uint32_t)(right >> 32) ^ c1 ^ k0;
		c1 = (uint32_t)right;
		c2 = (uint32_t)(left >> 32) ^ c3 ^ k1;
		c3 = (uint32_t)left;
		k0 += 0x9e3779b9u;
		k1 += 0xbb67ae85u;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

/* Whether the number of one unit is below floor(p 2^32). */
static int below(float p, uint32_t purpose, uint64_t seed, size_t layer, size_t direction, size_t unit, uint64_t step,
		 uint64_t sequence)
{
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	const uint32_t counter[4] = {
		(uint32_t)(unit / 4) | purpose << 20 | (uint32_t)direction << 24 | (uint32_t)layer << 25,
		(uint32_t)step,
		(uint32_t)sequence,
		(uint32_t)(step >> 32 & 0xffff) | (uint32_t)(sequence >> 32 & 0xffff) << 16,
	};
	uint32_t words[4];

	sluice__oracle_philox(key, counter, words);
	return (double)words[unit % 4] < floor((double)p * 4294967296.0);
}

/* What a kept number is multiplied by. */
static float kept(float p)
{
	return (float)(1 / (1 - (double)p));
}

float sluice__oracle_dropout(float p, uint64_t seed, size_t layer, size_t direction, size_t unit, uint64_t step,
			     uint64_t sequence)
{
	return below(p, DROPOUT, seed, layer, direction, unit, step, sequence) ? 0 : kept(p);
}

float sluice__oracle_recurrent_dropout(float p, sluice_mask_shape shape, uint64_t seed, size_t layer, size_t direction,
				       size_t unit, uint64_t step, uint64_t sequence)
{
	if (shape != SLUICE_MASK_STEP)
		step = 0;
	if (shape == SLUICE_MASK_UNIT)
		sequence = 0;
	return below(p, RECURRENT_DROPOUT, seed, layer, direction, unit, step, sequence) ? 0 : kept(p);
}

float sluice__oracle_zoneout_h(float p, uint64_t seed, size_t layer, size_t direction, size_t unit, uint64_t step,
			       uint64_t sequence)
{
	return below(p, ZONEOUT_H, seed, layer, direction, unit, step, sequence) ? 1 : 0;
}

float sluice__oracle_zoneout_c(float p, uint64_t seed, size_t layer, size_t direction, size_t unit, uint64_t step,
			       uint64_t sequence)
{
	return below(p, ZONEOUT_C, seed, layer, direction, unit, step, sequence) ? 1 : 0;
}

float sluice__oracle_dropconnect(float p, uint64_t seed, size_t layer, size_t direction, size_t row, size_t column)
{
	return below(p, DROPCONNECT, seed, layer, direction, column, row, 0) ? 0 : kept(p);
}
