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

#endif
