/* philox.c exists so that a random number depends on its seed and place only, never on who asked before. */
#include "base/philox.h"

/* Philox 4x32-10: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 4.3. */
void sluice_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
	const uint32_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57, weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;
	uint32_t key0 = key[0], key1 = key[1];
	uint32_t word0 = counter[0], word1 = counter[1], word2 = counter[2], word3 = counter[3];
	for (int round = 0; round < 10; round++) {
		uint64_t product0 = (uint64_t)multiplier0 * word0, product1 = (uint64_t)multiplier1 * word2;
		word0 = (uint32_t)(product1 >> 32) ^ word1 ^ key0;
		word1 = (uint32_t)product1;
		word2 = (uint32_t)(product0 >> 32) ^ word3 ^ key1;
		word3 = (uint32_t)product0;
		key0 += weyl0;
		key1 += weyl1;
	}
	out[0] = word0;
	out[1] = word1;
	out[2] = word2;
	out[3] = word3;
}

void sluice__counter(const struct sluice__place *place, size_t block, uint32_t counter[4])
{
	counter[0] = (uint32_t)(block & 0xFFFFF) | (uint32_t)place->purpose << 20 | (uint32_t)place->direction << 24 |
		     (uint32_t)place->layer << 25;
	counter[1] = (uint32_t)place->step;
	counter[2] = (uint32_t)place->sequence;
	counter[3] = (uint32_t)(place->step >> 32 & 0xFFFF) | (uint32_t)(place->sequence >> 32 & 0xFFFF) << 16;
}

void sluice__random(uint64_t seed, const struct sluice__place *place, size_t block, uint32_t out[4])
{
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	uint32_t counter[4];
	sluice__counter(place, block, counter);
	sluice_philox(key, counter, out);
}
