/*
 * random.h: the random numbers of EQUATIONS.md, a second time and independently of the library's.
 */
#ifndef SLUICE_CHECK_RANDOM_H
#define SLUICE_CHECK_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/sluice.h"

/* Philox 4x32-10 of Salmon et al. 2011. */
void sluice__oracle_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

/* The dropout factor of one output in a training run: 0, or float(1/(1-p)) if the unit is kept. */
float sluice__oracle_dropout(float p, uint64_t seed, size_t layer, size_t direction, size_t unit, uint64_t step,
			     uint64_t sequence);

/* The drawn part of the recurrent mask in a training run, likewise. The shape says what of step and sequence counts. */
float sluice__oracle_recurrent_dropout(float p, sluice_mask_shape shape, uint64_t seed, size_t layer, size_t direction,
				       size_t unit, uint64_t step, uint64_t sequence);

/* Whether a unit of h, or of c, keeps its old value in a training run: 1 or 0. */
float sluice__oracle_zoneout_h(float p, uint64_t seed, size_t layer, size_t direction, size_t unit, uint64_t step,
			       uint64_t sequence);
float sluice__oracle_zoneout_c(float p, uint64_t seed, size_t layer, size_t direction, size_t unit, uint64_t step,
			       uint64_t sequence);

/* DropConnect's factor of one element of R in a training run: 0, or float(1/(1-p)). Rows are gates in the order i f g
 * o. */
float sluice__oracle_dropconnect(float p, uint64_t seed, size_t layer, size_t direction, size_t row, size_t column);

#endif
