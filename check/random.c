/*
 * random.c: dropout's random numbers for the oracle, written from the paper and EQUATIONS.md alone.
 */
#include "random.h"

#include <math.h>

#define PURPOSE_DROPOUT 1u

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

float sluice__oracle_dropout(float p, uint64_t seed, size_t layer, size_t direction, size_t unit, uint64_t step,
			     uint64_t sequence)
{
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	const uint32_t counter[4] = {
		(uint32_t)(unit / 4) | PURPOSE_DROPOUT << 20 | (uint32_t)direction << 24 | (uint32_t)layer << 25,
		(uint32_t)step,
		(uint32_t)sequence,
		(uint32_t)(step >> 32 & 0xffff) | (uint32_t)(sequence >> 32 & 0xffff) << 16,
	};
	uint32_t words[4];

	sluice__oracle_philox(key, counter, words);
	if ((double)words[unit % 4] < floor((double)p * 4294967296.0))
		return 0;
	return (float)(1 / (1 - (double)p));
}
