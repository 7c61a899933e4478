/*
 * oracle.h: the judge of all results: EQUATIONS.md in plain loops, once in double and once in float.
 *
 * The double one (suffix _f64) is the truth that kernels are measured against. The float one (suffix _f32) is the same
 * source with every number and every sum in float: the "plain f32 transcription", which shows how much error is
 * inherent in the precision. Nothing here calls the library; only its argument structs are shared (network.h).
 */
#ifndef SLUICE_CHECK_ORACLE_H
#define SLUICE_CHECK_ORACLE_H

#include <stddef.h>
#include <stdint.h>

#include "network.h"
#include "oracle_names.h"
#include "sluice/sluice.h"

#define REAL double
#define ORACLE(name) sluice__oracle_##name##_f64
#include "oracle_api.inc.h"
#undef REAL
#undef ORACLE

#define REAL float
#define ORACLE(name) sluice__oracle_##name##_f32
#include "oracle_api.inc.h"
#undef REAL
#undef ORACLE

/* The value rounded to nearest even to f16 or bf16; unchanged for other types. */
double sluice__oracle_round(sluice_dtype type, double value);

/* The distance of x to the nearest place where value, slope or the slope's own slope of an activation jumps, or where
 * its domain ends: closer than that, differences and roundings say nothing about the slope. INFINITY if there is none.
 * parameter is the unit's own slope if the kind is PReLU. */
double sluice__oracle_kink_distance(const sluice_activation *activation, double parameter, double x);

/* The smallest distance of everything in a trace to its kinks: those of the activations, and the clips. */
double sluice__oracle_kinks_f64(const struct sluice__network *network, const struct sluice__oracle_run_f64 *run,
				const struct sluice__oracle_trace_f64 *trace);

#endif
