/*
 * oracle_f32.c: the plain f32 transcription of the oracle, to show what error is inherent in the precision.
 */
#include "oracle.h"

#include <math.h>

#define REAL float
#define ORACLE(name) sluice__oracle_##name##_f32
#define MATH(name) name##f
#include "oracle.inc.h"
