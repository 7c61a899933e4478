/* philox.c exists so that a random number depends on its seed and place only, never on who asked before. */
#include "base/philox.h"

void sluice_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
	uint32_t words[4] = {counter[0], counter[1], counter[2], counter[3]};
	sluice__philox_rounds(key, 1, &words[0], &words[1], &words[2], &words[3]);
	for (size_t word = 0; word < 4; word++)
		out[word] = words[word];
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
