/*
 * peak_level.h: what the probes of one instruction-set level look like to peak.c.
 */
#ifndef SLUICE_CHECK_PEAK_LEVEL_H
#define SLUICE_CHECK_PEAK_LEVEL_H

#include <stddef.h>

#define SLUICE__PEAK_LANES 16   /* of the widest level */
#define SLUICE__PEAK_STRIDE 256 /* floats: buffers to read are multiples of this */

struct sluice__peak_level {
	/* Gives the floating-point operations of `rounds` rounds. numbers (64-byte aligned) and sink hold PEAK_LANES
	 * floats. */
	double (*multiply_add)(size_t rounds, const float *numbers, float *sink);
	/* Reads `count` floats `rounds` times; 64-byte aligned. */
	void (*read)(size_t rounds, const float *values, size_t count, float *sink);
};

extern const struct sluice__peak_level sluice__peak_scalar, sluice__peak_avx2, sluice__peak_avx512;

#endif
