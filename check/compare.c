/*
 * compare.c: holds arrays of results against the oracle's and keeps the worst element of each.
 */
#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the transcription's error; house rule, see NUMERICS.md. */
#define TRANSCRIPTION_FACTOR 4
/* A transcription of few elements may be exact by luck, so two errors that are nobody's fault are always allowed: that
 * of one activation, 4 ulp of the largest value, and that of the rounding of a sum, 4 u sum|terms| for terms of both
 * signs. */
#define ACTIVATION_FLOOR 8
#define SUM_FLOOR 4
/* Of the largest element, and of one at least: what is left of rounding in double, with room to spare. */
#define DOUBLE_FLOOR 1e-11

void sluice__report_add(struct sluice__verify_report *report, struct sluice__verify_row row, sluice_status *status)
{
	if (*status != SLUICE_OK)
		return;
	if (report->count == report->capacity) {
		size_t capacity = report->capacity ? 2 * report->capacity : 32;
		struct sluice__verify_row *rows = realloc(report->rows, capacity * sizeof(*rows));

		if (!rows) {
			*status = sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu rows of a report", capacity);
			return;
		}
		report->rows = rows;
		report->capacity = capacity;
	}
	report->rows[report->count++] = row;
	report->failures += row.verdict == SLUICE__VERDICT_FAILED;
	report->skipped += row.verdict == SLUICE__VERDICT_SKIPPED;
}

void sluice__verify_report_destroy(struct sluice__verify_report *report)
{
	free(report->rows);
	memset(report, 0, sizeof(*report));
}

struct sluice__verify_row sluice__row_start(const char *level, const char *what)
{
	return (struct sluice__verify_row){level, what, 0, 0, SLUICE__VERDICT_OK};
}

struct sluice__verify_row sluice__row_make(const char *level, const char *what, double error, double bound)
{
	enum sluice__verdict verdict = error <= bound ? SLUICE__VERDICT_OK : SLUICE__VERDICT_FAILED;

	return (struct sluice__verify_row){level, what, error, bound, verdict};
}

/* Keeps the worse of two rows in *worst: the one with the larger share of its bound. */
static void row_keep(struct sluice__verify_row *worst, double error, double bound)
{
	if (worst->verdict == SLUICE__VERDICT_FAILED && !(error > bound))
		return;
	if (!(error <= bound) || error * worst->bound > worst->error * bound || worst->bound == 0)
		*worst = sluice__row_make(worst->level, worst->what, error, bound);
}

void sluice__compare_each(struct sluice__verify_row *worst, const double *values, const double *exact,
			  const double *bounds, size_t count)
{
	for (size_t index = 0; index < count; index++)
		row_keep(worst, fabs(values[index] - exact[index]), bounds[index]);
}

/* Keeps the larger of two differences; not a number if one of them is none. */
static double larger(double worst, double difference)
{
	return isnan(worst) || difference <= worst ? worst : difference;
}

void sluice__compare_plain(struct sluice__verify_row *worst, const double *values, const float *plain,
			   const double *exact, const double *terms, double unit, double looser, size_t count)
{
	double always = 0, error = 0, transcribed = 0;

	for (size_t index = 0; index < count; index++) {
		always = fmax(always, ACTIVATION_FLOOR * unit * fabs(exact[index]));
		always = fmax(always, terms ? SUM_FLOOR * unit * terms[index] : 0);
		error = larger(error, fabs(values[index] - exact[index]));
		transcribed = larger(transcribed, fabs((double)plain[index] - exact[index]));
	}
	row_keep(worst, error, looser * (TRANSCRIPTION_FACTOR * transcribed + always));
}

void sluice__compare_double(struct sluice__verify_row *worst, const double *values, const double *exact, size_t count)
{
	double largest = 1, error = 0;

	for (size_t index = 0; index < count; index++) {
		largest = fmax(largest, fabs(exact[index]));
		error = larger(error, fabs(values[index] - exact[index]));
	}
	row_keep(worst, error, DOUBLE_FLOOR * largest);
}
