/*
 * timing.h: how long something takes, told by medians of interleaved repetitions.
 */
#ifndef SLUICE_CHECK_TIMING_H
#define SLUICE_CHECK_TIMING_H

#include <stddef.h>

/* Seconds of a clock that never goes back; only differences mean something. */
double sluice__time_now(void);

/* Seconds of one call. */
struct sluice__timing {
	double median, min, p99;
	size_t samples;
};

/* Sorts the samples and summarizes them; count 0 gives zeros. */
void sluice__timing_summarize(double *samples, size_t count, struct sluice__timing *out);

/* Something to be timed. run returns 0, or anything else to give up. */
struct sluice__candidate {
	int (*run)(void *argument);
	void *argument;
	struct sluice__timing timing;
};

struct sluice__timing_options {
	double warmup;      /* seconds of each candidate before anything counts; 0: 0.05 */
	double seconds;     /* measured seconds of each candidate; 0: 0.5 */
	size_t samples_min; /* 0: 5 */
	size_t samples_max; /* 0: 10000 */
	size_t calls;       /* calls of one sample; 0: as many as take 20 microseconds, which hides the clock's cost */
};

/* Times the candidates in turns, one sample of each after the other, so that a slow moment of the machine hits all of
 * them alike. options NULL: defaults. Returns 0, the value of the run that gave up, or -1 without memory. */
int sluice__timing_measure(struct sluice__candidate *candidates, size_t count,
			   const struct sluice__timing_options *options);

#endif
