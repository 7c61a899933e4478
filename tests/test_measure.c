/*
 * test_measure.c: timing summarizes correctly and fairly, and no ceiling is an artefact of the optimizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "peak.h"
#include "sluice/sluice.h"
#include "timing.h"

static void test_summary(void **state)
{
	double samples[200], one[] = {3}, two[] = {5, 1};
	struct sluice__timing timing;

	(void)state;
	for (int index = 0; index < 200; index++)
		samples[index] = (double)((index * 77) % 200) + 1; /* 1 .. 200 in disorder */
	sluice__timing_summarize(samples, 200, &timing);
	assert_true(timing.min == 1 && timing.median == 100.5 && timing.p99 == 198 && timing.samples == 200);
	sluice__timing_summarize(one, 1, &timing);
	assert_true(timing.min == 3 && timing.median == 3 && timing.p99 == 3);
	sluice__timing_summarize(two, 2, &timing);
	assert_true(timing.min == 1 && timing.median == 3);
	sluice__timing_summarize(NULL, 0, &timing);
	assert_true(timing.samples == 0 && timing.median == 0);
}

/* Waits by the clock, counts its calls, and gives up at the call numbered `last`. */
struct waiter {
	double seconds;
	size_t calls, last;
};

static int wait_for(void *argument)
{
	struct waiter *waiter = argument;
	double end = sluice__time_now() + waiter->seconds;

	while (sluice__time_now() < end)
		;
	return ++waiter->calls == waiter->last ? 42 : 0;
}

/* A machine may stall, but it cannot make a wait shorter. */
static void test_measure(void **state)
{
	struct waiter waiters[] = {{50e-6, 0, 0}, {200e-6, 0, 0}};
	struct sluice__candidate candidates[] = {{.run = wait_for, .argument = &waiters[0]},
						 {.run = wait_for, .argument = &waiters[1]}};
	struct sluice__timing_options options = {.warmup = 0.001, .seconds = 0.02, .calls = 1};

	(void)state;
	assert_int_equal(sluice__timing_measure(candidates, 2, &options), 0);
	for (int index = 0; index < 2; index++) {
		const struct sluice__timing *timing = &candidates[index].timing;

		assert_true(timing->samples >= 5 && timing->samples == candidates[0].timing.samples);
		assert_true(timing->min >= waiters[index].seconds);
		assert_true(timing->min <= timing->median && timing->median <= timing->p99);
	}
	waiters[1].last = waiters[1].calls + 3;
	assert_int_equal(sluice__timing_measure(candidates, 2, &options), 42);
}

/* Many cheap calls go into one sample; a sample's time is still that of one call. */
static void test_cheap_calls(void **state)
{
	struct waiter waiter = {0, 0, 0};
	struct sluice__candidate candidate = {.run = wait_for, .argument = &waiter};
	struct sluice__timing_options options = {.warmup = 0.001, .seconds = 0.005};

	(void)state;
	assert_int_equal(sluice__timing_measure(&candidate, 1, &options), 0);
	assert_true(waiter.calls > 10 * candidate.timing.samples);
	assert_true(candidate.timing.min > 0 && candidate.timing.min < 20e-6);
}

/* No processor does more than four vector multiply-adds or eight vector loads a cycle; a loop that was optimized away
 * would. The factor of two is for a clock that changes between the probes. */
static void test_ceilings(void **state)
{
	static const struct {
		const char *isa;
		double lanes;
	} LEVELS[] = {{"scalar", 4}, {"avx2", 8}, {"avx512", 16}};
	double clock = sluice__peak_clock(0.02);

	(void)state;
	assert_true(clock > 0.1 && clock < 10);
	for (size_t level = 0; level < 3; level++) {
		double fma = sluice__peak_fma(LEVELS[level].isa, 1, 0.02);
		double read = sluice__peak_read(LEVELS[level].isa, sluice__peak_cache(1) / 2, 0.02);

		if (fma == 0) {
			print_message("%s: SKIPPED, this machine or build lacks it\n", LEVELS[level].isa);
			continue;
		}
		print_message("%s: %.1f GFLOP/s, L1 %.0f GB/s, %.2f GHz\n", LEVELS[level].isa, fma, read, clock);
		assert_true(fma > 0.01 && fma < 2 * clock * 4 * 2 * LEVELS[level].lanes);
		assert_true(read > 0.01 && read < 2 * clock * 8 * 4 * LEVELS[level].lanes);
	}
	assert_true(sluice__peak_fma("scalar", 2, 0.02) > 0);
	assert_true(sluice__peak_fma(NULL, 1, 0.02) == 0);
	assert_true(sluice__peak_fma("sse9", 1, 0.02) == 0);
	assert_true(sluice__peak_read("scalar", 0, 0.02) == 0);
	assert_true(sluice__peak_cache(1) >= 4096 && sluice__peak_cache(2) >= sluice__peak_cache(1));
}

/* A share of a ceiling needs a ceiling: every level of the library that runs here has its probe. */
static void test_levels(void **state)
{
	(void)state;
	for (size_t index = 0; sluice_isa_name(index); index++)
		if (sluice_isa_available(index))
			assert_true(sluice__peak_fma(sluice_isa_name(index), 1, 0.01) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_summary),  cmocka_unit_test(test_measure), cmocka_unit_test(test_cheap_calls),
		cmocka_unit_test(test_ceilings), cmocka_unit_test(test_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
