/*
 * oracle_f64.c: the double-precision oracle.
 */
#include "oracle.h"

#include <math.h>

#define REAL double
#define ORACLE(name) sluice__oracle_##name##_f64
#define MATH(name) name
#include "oracle.inc.h"
