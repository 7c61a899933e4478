/* real.h: the number type of the arithmetic: float, or double in the second build of the same sources, for
 * verification. */
#ifndef SLUICE_BASE_REAL_H
#define SLUICE_BASE_REAL_H

#include <sluice/sluice.h>

#ifdef SLUICE_REAL_F64
typedef double real;
#define SLUICE__REAL_DTYPE SLUICE_F64
#define SLUICE__REAL_NAME(name) name##_f64
#else
typedef float real;
#define SLUICE__REAL_DTYPE SLUICE_F32
#define SLUICE__REAL_NAME(name) name##_f32
#endif

#endif
