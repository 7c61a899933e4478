/* test_schedule.c: learning rates at the places where a schedule turns, and what validations decide. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "train/schedule.h"

/* Rates are a handful of double operations on numbers near 1, so 1e-14 is generous and far below any mistake. */
static void assert_rate(const struct sluice__schedule *schedule, const struct sluice__progress *progress,
			uint64_t update, uint64_t total, double expected)
{
	double rate = sluice__schedule_rate(schedule, progress, update, total);
	if (fabs(rate - expected) > 1e-14)
		fail_msg("rate of update %llu is %.17g, not %.17g", (unsigned long long)update, rate, expected);
}

static void test_constant(void **state)
{
	(void)state;
	const struct sluice__schedule schedule = {.rate = 0.5};
	struct sluice__progress progress;
	sluice__progress_begin(&progress);
	assert_rate(&schedule, &progress, 1, 100, 0.5);
	assert_rate(&schedule, &progress, 100, 100, 0.5);
}

static void test_warmup(void **state)
{
	(void)state;
	struct sluice__schedule schedule = {.rate = 0.5, .warmup = 10};
	struct sluice__progress progress;
	sluice__progress_begin(&progress);
	assert_rate(&schedule, &progress, 1, 100, 0.05);
	assert_rate(&schedule, &progress, 9, 100, 0.45);
	assert_rate(&schedule, &progress, 10, 100, 0.5);
	assert_rate(&schedule, &progress, 11, 100, 0.5);
	/* Shorter than the warm-up: the rate just does not get there. */
	schedule.kind = SLUICE__SCHEDULE_COSINE;
	assert_rate(&schedule, &progress, 5, 5, 0.25);
}

static void test_step(void **state)
{
	(void)state;
	const struct sluice__schedule schedule = {
		.kind = SLUICE__SCHEDULE_STEP, .rate = 1, .factor = 0.1, .period = 20};
	struct sluice__progress progress;
	sluice__progress_begin(&progress);
	assert_rate(&schedule, &progress, 1, 100, 1);
	assert_rate(&schedule, &progress, 20, 100, 1);
	assert_rate(&schedule, &progress, 21, 100, 0.1);
	assert_rate(&schedule, &progress, 41, 100, 0.01);
}

static void test_cosine(void **state)
{
	(void)state;
	struct sluice__schedule schedule = {.kind = SLUICE__SCHEDULE_COSINE, .rate = 1, .rate_end = 0.2, .warmup = 10};
	struct sluice__progress progress;
	sluice__progress_begin(&progress);
	assert_rate(&schedule, &progress, 5, 110, 0.5);
	assert_rate(&schedule, &progress, 10, 110, 1);
	assert_rate(&schedule, &progress, 60, 110, 0.6); /* half way between warm-up and end */
	assert_rate(&schedule, &progress, 35, 110, 0.6 + 0.4 * sqrt(0.5));
	assert_rate(&schedule, &progress, 110, 110, 0.2);
	schedule.warmup = 0;
	assert_rate(&schedule, &progress, 1, 101, 1);
	assert_rate(&schedule, &progress, 51, 101, 0.6);
	assert_rate(&schedule, &progress, 101, 101, 0.2);
	assert_rate(&schedule, &progress, 1, 1, 1);
}

static void test_plateau(void **state)
{
	(void)state;
	const struct sluice__schedule schedule = {
		.kind = SLUICE__SCHEDULE_PLATEAU, .rate = 1, .rate_end = 0.3, .factor = 0.5, .plateau_patience = 1};
	struct sluice__progress progress;
	sluice__progress_begin(&progress);
	assert_int_equal(sluice__progress_note(&schedule, &progress, 1, 5), 1);
	assert_int_equal(sluice__progress_note(&schedule, &progress, 2, 5), 0); /* one bad one is borne */
	assert_rate(&schedule, &progress, 3, 100, 1);
	assert_int_equal(sluice__progress_note(&schedule, &progress, 3, 6), 0);
	assert_rate(&schedule, &progress, 4, 100, 0.5);
	sluice__progress_note(&schedule, &progress, 4, 6); /* patience begins anew after a reduction */
	assert_rate(&schedule, &progress, 5, 100, 0.5);
	assert_int_equal(sluice__progress_note(&schedule, &progress, 5, 4), 1);
	sluice__progress_note(&schedule, &progress, 6, 4);
	assert_rate(&schedule, &progress, 7, 100, 0.5);
	sluice__progress_note(&schedule, &progress, 7, 4);
	assert_rate(&schedule, &progress, 8, 100, 0.3); /* a quarter would be below the end */
	assert_true(progress.best == 4 && progress.best_update == 5);
}

static void test_early_stopping(void **state)
{
	(void)state;
	struct sluice__schedule schedule = {.rate = 1, .patience = 2, .improvement = 0.1};
	struct sluice__progress progress;
	sluice__progress_begin(&progress);
	assert_int_equal(sluice__progress_stops(&schedule, &progress), 0);
	assert_int_equal(sluice__progress_note(&schedule, &progress, 1, 3), 1);
	assert_int_equal(sluice__progress_note(&schedule, &progress, 2, 2.95), 0); /* better, but not by enough */
	assert_int_equal(sluice__progress_stops(&schedule, &progress), 0);
	assert_int_equal(sluice__progress_note(&schedule, &progress, 3, NAN), 0);
	assert_int_equal(sluice__progress_stops(&schedule, &progress), 1);
	assert_int_equal(sluice__progress_note(&schedule, &progress, 4, 2.5), 1);
	assert_int_equal(sluice__progress_stops(&schedule, &progress), 0);
	schedule.patience = 0;
	for (uint64_t k = 5; k < 100; k++)
		sluice__progress_note(&schedule, &progress, k, 9);
	assert_int_equal(sluice__progress_stops(&schedule, &progress), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constant), cmocka_unit_test(test_warmup),  cmocka_unit_test(test_step),
		cmocka_unit_test(test_cosine),   cmocka_unit_test(test_plateau), cmocka_unit_test(test_early_stopping),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
