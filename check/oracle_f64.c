/*
 * oracle_f64.c: the double-precision oracle.
 */
#include "oracle.h"

#include <math.h>

#define REAL double
#define ORACLE(name) sluice__oracle_##name##_f64
#define EXP exp
#define TANH tanh
#define FABS fabs
#include "oracle.inc.h"
