/* activation.h: one activation as kernels receive it, known to those who plan and to those who compute. */
#ifndef SLUICE_KERNELS_ACTIVATION_H
#define SLUICE_KERNELS_ACTIVATION_H

#include <stdbool.h>

#include "base/real.h"

struct sluice__activation {
	sluice_activation_kind kind; /* never DEFAULT */
	real a, b, c;
	const real *slopes; /* PReLU: one for each unit, padded; else NULL */
};

/* Whether s'(x) is computed from the argument x; it is from the value y = s(x) otherwise. */
static inline bool sluice__activation_needs_argument(sluice_activation_kind kind)
{
	switch (kind) {
	case SLUICE_ACTIVATION_SIGMOID:
	case SLUICE_ACTIVATION_TANH:
	case SLUICE_ACTIVATION_IDENTITY:
	case SLUICE_ACTIVATION_RELU:
	case SLUICE_ACTIVATION_HARD_SIGMOID:
	case SLUICE_ACTIVATION_LINEAR:
	case SLUICE_ACTIVATION_SCALED_TANH:
		return false;
	default:
		return true;
	}
}

#endif
