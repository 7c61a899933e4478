/*
 * timing.c: measures candidates in turns, because identical code can differ by a third between runs on a shared
 * machine.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "timing.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLE_SECONDS 20e-6 /* a thousand times what reading the clock costs */

double sluice__time_now(void)
{
	struct timespec now;

#ifdef CLOCK_MONOTONIC
	clock_gettime(CLOCK_MONOTONIC, &now);
#else
	timespec_get(&now, TIME_UTC);
#endif
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

void sluice__timing_summarize(double *samples, size_t count, struct sluice__timing *out)
{
	memset(out, 0, sizeof(*out));
	if (!count)
		return;
	qsort(samples, count, sizeof(*samples), compare);
	out->samples = count;
	out->min = samples[0];
	out->median = count % 2 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2;
	out->p99 = samples[(count - 1) * 99 / 100];
}

/* Seconds of `calls` calls; *status is set when one gives up. */
static double run_calls(const struct sluice__candidate *candidate, size_t calls, int *status)
{
	double start = sluice__time_now();

	for (size_t call = 0; call < calls && !*status; call++)
		*status = candidate->run(candidate->argument);
	return sluice__time_now() - start;
}

/* Warms a candidate up and says how many calls a sample needs. */
static size_t warm_up(const struct sluice__candidate *candidate, double seconds, size_t calls, int *status)
{
	double start = sluice__time_now(), best = seconds;

	do {
		double took = run_calls(candidate, 1, status);

		if (took < best)
			best = took;
	} while (!*status && sluice__time_now() - start < seconds);
	if (calls)
		return calls;
	if (best >= SAMPLE_SECONDS)
		return 1;
	return best > 0 ? (size_t)(SAMPLE_SECONDS / best) + 1 : 1000;
}

/* One sample of each candidate in turn, until all have had their time. */
static int measure_all(struct sluice__candidate *candidates, size_t count, const struct sluice__timing_options *options,
		       const size_t *calls, double *samples)
{
	double spent = 0;
	size_t taken = 0;
	int status = 0;

	while (taken < options->samples_max &&
	       (taken < options->samples_min || spent < options->seconds * (double)count)) {
		for (size_t index = 0; index < count; index++) {
			double took = run_calls(&candidates[index], calls[index], &status);

			if (status)
				return status;
			spent += took;
			samples[index * options->samples_max + taken] = took / (double)calls[index];
		}
		taken++;
	}
	for (size_t index = 0; index < count; index++)
		sluice__timing_summarize(samples + index * options->samples_max, taken, &candidates[index].timing);
	return 0;
}

int sluice__timing_measure(struct sluice__candidate *candidates, size_t count,
			   const struct sluice__timing_options *options)
{
	struct sluice__timing_options chosen = {0};
	double *samples;
	size_t *calls;
	int status = 0;

	if (options)
		chosen = *options;
	if (chosen.warmup <= 0)
		chosen.warmup = 0.05;
	if (chosen.seconds <= 0)
		chosen.seconds = 0.5;
	if (!chosen.samples_min)
		chosen.samples_min = 5;
	if (!chosen.samples_max)
		chosen.samples_max = 10000;
	if (chosen.samples_max < chosen.samples_min)
		chosen.samples_max = chosen.samples_min;
	if (!count)
		return 0;

	samples = calloc(count, chosen.samples_max * sizeof(*samples));
	calls = calloc(count, sizeof(*calls));
	if (!samples || !calls)
		status = -1;
	for (size_t index = 0; index < count && !status; index++)
		calls[index] = warm_up(&candidates[index], chosen.warmup, chosen.calls, &status);
	if (!status)
		status = measure_all(candidates, count, &chosen, calls, samples);
	free(calls);
	free(samples);
	return status;
}
