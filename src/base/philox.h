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

/* The counter of units 4*block .. 4*block+3; that of the next four has 1 more in its first word. */
void sluice__counter(const struct sluice__place *place, size_t block, uint32_t counter[4]);

/* The four words of units 4*block .. 4*block+3. */
void sluice__random(uint64_t seed, const struct sluice__place *place, size_t block, uint32_t out[4]);

#endif
