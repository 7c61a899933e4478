/*
 * judge.h: what test_layer.c and test_gradient.c share: a problem must pass verification on every level.
 */
#ifndef SLUICE_TESTS_JUDGE_H
#define SLUICE_TESTS_JUDGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "verify.h"

/* A problem with the options that its string has no words for. */
struct judged {
	const char *problem;
	struct sluice__verify_options options;
};

static void judge(const char *text, const struct sluice__verify_options *options)
{
	struct sluice__problem problem;
	struct sluice__verify_report report = {0};
	int failures;

	assert_int_equal(sluice__problem_parse(text, &problem), SLUICE_OK);
	if (sluice__verify_problem(&problem, options, &report) != SLUICE_OK)
		fail_msg("%s: %s", text, sluice_last_message());
	for (size_t index = 0; index < report.count; index++) {
		const struct sluice__verify_row *row = &report.rows[index];

		if (row->verdict == SLUICE__VERDICT_FAILED)
			print_error("%s, %s, %s: error %.3e beyond %.3e\n", text, row->level, row->what, row->error,
				    row->bound);
	}
	failures = report.failures;
	/* Each level that ran has more rows than this; a report without rows would judge nothing. */
	assert_true(report.count > 8);
	sluice__verify_report_destroy(&report);
	assert_int_equal(failures, 0);
}

/* Sanitizers and debug builds make arithmetic ten times slower; they look for other mistakes than wrong numbers. */
#ifdef NDEBUG
#define WORK_SHARE 1.0
#else
#define WORK_SHARE 0.1
#endif

/* Steps of a problem whose oracle shall do about `work` multiplications, at most 500. */
static size_t steps_for(double work, size_t batch, size_t inputs, size_t hidden)
{
	double steps = WORK_SHARE * work / ((double)batch * (double)hidden * (double)(inputs + hidden));

	return steps >= 500 ? 500 : steps < 1 ? 1 : (size_t)steps;
}

/* Odd sizes, every batch, every direction, each with as many steps as the work allows. */
static void judge_sizes(const size_t *hiddens, size_t hidden_count, double work, int inference_only)
{
	static const size_t BATCHES[] = {1, 2, 7, 33};
	static const char *const DIRECTIONS[] = {"", "rev", "bi"};
	struct sluice__verify_options options = {.inference_only = inference_only};

	for (size_t size = 0; size < hidden_count; size++)
		for (size_t batch = 0; batch < 4; batch++)
			for (size_t direction = 0; direction < 3; direction++) {
				size_t inputs = hiddens[size] / 2 + 2;
				char text[SLUICE__PROBLEM_TEXT];

				snprintf(text, sizeof(text), "t%zun%zui%zuh%zu%s",
					 steps_for(work, BATCHES[batch], inputs, hiddens[size]), BATCHES[batch], inputs,
					 hiddens[size], DIRECTIONS[direction]);
				options.seed++;
				judge(text, &options);
			}
}

/* Says which levels nothing was judged on; such a run must not look like a complete one. */
static void levels_report(void)
{
	for (size_t index = 0; sluice_isa_name(index); index++)
		print_message("level %s: %s\n", sluice_isa_name(index),
			      sluice_isa_available(index) ? "judged" : "SKIPPED, this machine lacks it");
}

#endif
