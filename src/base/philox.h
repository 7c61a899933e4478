/* philox.h: the random numbers of the library: who draws what, as a pure function of seed and place. */
#ifndef SLUICE_BASE_PHILOX_H
#define SLUICE_BASE_PHILOX_H

#include <sluice/ops.h>

enum sluice__purpose {
	SLUICE__INITIALIZATION,
	SLUICE__DROPOUT,
	SLUICE__DATA_ORDER,
	SLUICE__SAMPLING,
	SLUICE__RECURRENT_DROPOUT,
	SLUICE__ZONEOUT_H,
	SLUICE__ZONEOUT_C,
	SLUICE__DROPCONNECT
};

/* The place of a random number; docs/EQUATIONS.md, "Random numbers". */
struct sluice__place {
	enum sluice__purpose purpose;
	size_t layer, direction;
	uint64_t step, sequence;
};

/* Philox 4x32-10: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 4.3; of `count`
 * counters side by side, in place. */
static inline void sluice__philox_rounds(const uint32_t key[2], size_t count, uint32_t *word0, uint32_t *word1,
					 uint32_t *word2, uint32_t *word3)
{
	const uint32_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57, weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;
	uint32_t key0 = key[0], key1 = key[1];
	for (int round = 0; round < 10; round++, key0 += weyl0, key1 += weyl1)
		for (size_t each = 0; each < count; each++) {
			const uint64_t product0 = (uint64_t)multiplier0 * word0[each];
			const uint64_t product1 = (uint64_t)multiplier1 * word2[each];
			word0[each] = (uint32_t)(product1 >> 32) ^ word1[each] ^ key0;
			word1[each] = (uint32_t)product1;
			word2[each] = (uint32_t)(product0 >> 32) ^ word3[each] ^ key1;
			word3[each] = (uint32_t)product0;
		}
}

/* The counter of units 4*block .. 4*block+3; that of the next four has 1 more in its first word. */
void sluice__counter(const struct sluice__place *place, size_t block, uint32_t counter[4]);

/* The four words of units 4*block .. 4*block+3. */
void sluice__random(uint64_t seed, const struct sluice__place *place, size_t block, uint32_t out[4]);

#endif
