/*
 * compare.h: turns differences between the library's results and the oracle's into rows of a report.
 */
#ifndef SLUICE_CHECK_COMPARE_H
#define SLUICE_CHECK_COMPARE_H

#include <stddef.h>

#include "verify.h"

/* Adds a row, or changes nothing if *status already is a failure. Errors: OUT_OF_MEMORY. */
void sluice__report_add(struct sluice__verify_report *report, struct sluice__verify_row row, sluice_status *status);

/* A row before anything was compared, and one of a single comparison. A difference that is not a number is beyond every
 * bound. */
struct sluice__verify_row sluice__row_start(const char *level, const char *what);
struct sluice__verify_row sluice__row_make(const char *level, const char *what, double error, double bound);

/* Compares count elements with a bound for each, keeping the worst in *worst. */
void sluice__compare_each(struct sluice__verify_row *worst, const double *values, const double *exact,
			  const double *bounds, size_t count);

/* Compares a whole array with the oracle beside what the plain transcription makes of it. terms, if not NULL, are the
 * sums of |terms| behind the elements; unit is the largest unit roundoff of everything stored on the way. Errors may be
 * `looser` times larger than of plain sums. */
void sluice__compare_plain(struct sluice__verify_row *worst, const double *values, const float *plain,
			   const double *exact, const double *terms, double unit, double looser, size_t count);

/* Compares a whole array that was computed in double with the oracle. */
void sluice__compare_double(struct sluice__verify_row *worst, const double *values, const double *exact, size_t count);

#endif
