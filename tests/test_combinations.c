/*
 * test_combinations.c: all options with all others: every combination's oracle against differences, and every level
 * against the oracle.
 *
 * Usage: test_combinations [full | <number>]. Without an argument few of the random combinations are judged, with a
 * number that one alone, and its rows are printed.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "combination.h"
#include "data.h"
#include "verify.h"

#define SEED 20
#define LEAST 2000 /* combinations */
#define OTHERS 4   /* without "full", of the random ones only each fourth one is judged */
#define SHOWN 20   /* failures that are printed */

/* As in differences.h: the step, what a difference may be off by, and how near a kink may be. */
#define DELTA 1e-5
#define TOLERANCE 1e-7
#define KINK_DISTANCE 1e-3
#define DIRECTIONS 6

/* Seeds that are tried for data without a kink nearby, and for data that do not run away. */
#define SEEDS 60
/* Nothing that f16 has to hold may come near its largest number, 65504. */
#define LARGEST_VALUE 500
#define LARGEST_GRADIENT 1e4

/* Sanitizers and debug builds take ten times longer. */
#ifdef NDEBUG
#define STRIDE 1
#else
#define STRIDE 10
#endif

static int all;
static size_t stride = STRIDE;
static size_t only = SIZE_MAX;
static struct sluice__combinations combinations;

/* --------------------------------------------------------------------------------------------------- pairs ---- */

static void test_pairs(void **state)
{
	size_t covered_sum = 0, possible_sum = 0;

	(void)state;
	print_message("Pairs of values that occur / are possible, of each two factors:\n");
	for (int one = 0; one < SLUICE__FACTORS; one++) {
		print_message("%s (%zu values):", sluice__factor_name((enum sluice__factor)one),
			      sluice__factor_count((enum sluice__factor)one));
		for (int other = one + 1; other < SLUICE__FACTORS; other++) {
			size_t covered, possible;

			sluice__combinations_coverage(&combinations, (enum sluice__factor)one,
						      (enum sluice__factor)other, &covered, &possible);
			print_message(" %s %zu/%zu", sluice__factor_name((enum sluice__factor)other), covered,
				      possible);
			assert_true(possible > 0);
			assert_int_equal(covered, possible);
			covered_sum += covered;
			possible_sum += possible;
		}
		print_message("\n");
	}
	print_message("%zu of %zu pairs in %zu combinations; all of them in the first %zu, %zu of which have images\n",
		      covered_sum, possible_sum, combinations.count, combinations.covering, combinations.images);
	assert_true(combinations.count >= LEAST);
	for (size_t index = 0; index < combinations.count; index++)
		assert_null(sluice__combination_contradiction(combinations.items[index].values));
}

/* ----------------------------------------------------------------------------------------------------- data ---- */

static double largest(const double *values, size_t count, double most)
{
	for (size_t index = 0; index < count; index++)
		if (!(fabs(values[index]) <= most))
			most = isnan(values[index]) ? INFINITY : fabs(values[index]);
	return most;
}

/* Whether no number runs away: that would be the data's fault, and f16 could not hold it. */
static int is_tame(const struct sluice__judgement *judgement)
{
	const struct sluice__network *network = &judgement->network;
	const struct sluice__oracle_trace_f64 *trace = &judgement->free.trace;
	size_t rows = judgement->steps * judgement->batch;
	double value = largest(trace->y, judgement->y_count, 0);

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		size_t c = rows * cell->places * cell->hidden, h = rows * cell->places * cell->out;

		value = largest(trace->a[index], 4 * c, value);
		value = largest(trace->gates[index], 4 * c, value);
		value = largest(trace->c[index], c, value);
		value = largest(trace->h[index], h, value);
	}
	if (!(value <= LARGEST_VALUE))
		return 0;
	return !judgement->setting->gradients ||
	       largest(judgement->free.gradients.dx, rows * network->x_row, 0) <= LARGEST_GRADIENT;
}

static double kinks(const struct sluice__judgement *judgement)
{
	return sluice__oracle_kinks_f64(&judgement->network, &judgement->free.run, &judgement->free.trace);
}

/* The judgement of data number `attempt`; they shrink while the numbers run away, and where that does not help, since
 * the gates alone make c grow, the steps become fewer. */
static void judgement_open(struct sluice__combination_case *one, uint64_t seed, size_t attempt,
			   struct sluice__judgement *judgement)
{
	one->setting.seed = seed + attempt * UINT64_C(0x10001);
	for (; one->setting.steps > 1; one->setting.steps /= 2)
		for (one->setting.scale = 1; one->setting.scale > 0.01f; one->setting.scale /= 2) {
			if (sluice__judgement_create(&one->setting, judgement) != SLUICE_OK)
				fail_msg("%s", sluice_last_message());
			if (is_tame(judgement))
				return;
			sluice__judgement_destroy(judgement);
		}
	fail_msg("no data are tame");
}

/* --------------------------------------------------------------------------------------------- differences ---- */

static double dot(const double *a, const double *b, size_t count)
{
	double sum = 0;

	for (size_t index = 0; index < count; index++)
		sum += a[index] * b[index];
	return sum;
}

/* What is given of the gradients of all h and c, times these: a row of a cell has its own columns of theirs. */
static double states_loss(const struct sluice__judgement *judgement, const struct sluice__oracle_trace_f64 *trace)
{
	const struct sluice__network *network = &judgement->network;
	const struct sluice__oracle_run_f64 *run = &judgement->free.run;
	double sum = 0;

	if (!run->dh_steps)
		return 0;
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		size_t h = cell->places * cell->out, c = cell->places * cell->hidden;

		for (size_t row = 0; row < run->steps * run->batch; row++) {
			sum += dot(run->dh_steps + row * network->h_width + cell->h_state, trace->h[index] + row * h,
				   h);
			sum += dot(run->dc_steps + row * network->c_width + cell->c_state, trace->c[index] + row * c,
				   c);
		}
	}
	return sum;
}

/* L = <dy, y> + <dh, h[final]> + <dc, c[final]> and what the states of all steps and the second y add to it; its
 * gradients are exactly what backward computes. */
static double loss(const struct sluice__judgement *judgement)
{
	const struct sluice__oracle_run_f64 *run = &judgement->free.run;
	struct sluice__oracle_trace_f64 trace;
	double sum;

	assert_int_equal(sluice__oracle_forward_f64(&judgement->network, run, &trace), SLUICE_OK);
	sum = dot(run->dy, trace.y, judgement->y_count) + dot(run->dh, trace.hn, judgement->h_count) +
	      dot(run->dc, trace.cn, judgement->c_count) + states_loss(judgement, &trace);
	if (judgement->network.separate)
		sum += dot(run->dy_reverse, trace.y_reverse, judgement->y_count);
	sluice__oracle_trace_destroy_f64(&trace);
	return sum;
}

/* The error of the gradient along one direction, of unit length and through everything that has a gradient. */
static double direction_error(const struct sluice__judgement *judgement, double *vector, const double *gradient,
			      size_t count, size_t number, double *scratch)
{
	double *direction = scratch + count, up, down;
	float value;

	for (size_t index = 0; index < count; index++) {
		sluice__data_fill(number * count + index, "direction", 1, 1, &value);
		direction[index] = (double)value * sqrt(3 / (double)count);
	}
	memcpy(scratch, vector, count * sizeof(double));
	for (size_t index = 0; index < count; index++)
		vector[index] = scratch[index] + DELTA * direction[index];
	up = loss(judgement);
	for (size_t index = 0; index < count; index++)
		vector[index] = scratch[index] - DELTA * direction[index];
	down = loss(judgement);
	memcpy(vector, scratch, count * sizeof(double));
	return fabs((up - down) / (2 * DELTA) - dot(gradient, direction, count));
}

/* The worst share of its tolerance that an error of the oracle's gradients takes. The judgement's block begins with
 * parameters, x, and h0 and c0 if there are any. */
static double differences(const struct sluice__judgement *judgement)
{
	const struct sluice__oracle_gradients_f64 *gradients = &judgement->free.gradients;
	int initial = !judgement->setting->no_initial;
	size_t parameters = judgement->network.parameter_count;
	size_t h = initial ? judgement->h_count : 0, c = initial ? judgement->c_count : 0;
	size_t x = judgement->steps * judgement->batch * judgement->network.x_row, count = parameters + x + h + c;
	double *gradient = malloc(3 * count * sizeof(double)), worst = 0, most;

	assert_non_null(gradient);
	assert_ptr_equal(judgement->block, judgement->free.run.parameters);
	assert_ptr_equal(judgement->block + parameters, judgement->free.run.x);
	assert_ptr_equal(initial ? judgement->block + parameters + x : NULL, judgement->free.run.h0);
	assert_ptr_equal(initial ? judgement->block + parameters + x + h : NULL, judgement->free.run.c0);
	memcpy(gradient, gradients->dparameters, parameters * sizeof(double));
	memcpy(gradient + parameters, gradients->dx, x * sizeof(double));
	memcpy(gradient + parameters + x, gradients->dh0, h * sizeof(double));
	memcpy(gradient + parameters + x + h, gradients->dc0, c * sizeof(double));
	most = largest(gradient, count, 1);
	for (size_t number = 0; number < DIRECTIONS; number++)
		worst = fmax(worst,
			     direction_error(judgement, judgement->block, gradient, count, number, gradient + count) /
				     (TOLERANCE * most));
	free(gradient);
	return worst;
}

/* What became of the differences of all combinations. */
static struct {
	double worst;
	size_t near_kinks; /* combinations that no seed keeps KINK_DISTANCE away */
} tally;

/* The share of its tolerance that the worst difference takes with data number `attempt`. */
static double attempt_share(const struct sluice__combination *combination, struct sluice__combination_case *one,
			    size_t attempt)
{
	struct sluice__judgement judgement;
	double share;

	judgement_open(one, combination->seed, attempt, &judgement);
	share = differences(&judgement);
	sluice__judgement_destroy(&judgement);
	return share;
}

/*
 * Some combinations put numbers exactly on a kink whatever the data are: where two gates are ReLUs, say, c is often
 * exactly zero, which is where a third one bends. No difference crosses such a kink, so the gradients must be right
 * there, too, unless something else is close to a kink without being on it, which can no longer be told. A mistake
 * would show with all data, so most of them must fit.
 */
static int most_fit(const struct sluice__combination *combination, struct sluice__combination_case *one)
{
	int fitting = 0;

	tally.near_kinks++;
	for (size_t attempt = 0; attempt < 5; attempt++)
		fitting += attempt_share(combination, one, attempt) <= 1;
	if (fitting < 3)
		print_error("oracle: differences fit only %d of 5 data\n", fitting);
	return fitting >= 3;
}

/* A combination's oracle at small sizes, with the first data that keep away from all kinks. */
static int differences_fit(const struct sluice__combination *combination)
{
	struct sluice__combination_case one;
	struct sluice__judgement judgement;
	double distance = 0, share;
	size_t attempt;

	sluice__combination_describe(combination, 1, &one);
	for (attempt = 0; attempt < SEEDS; attempt++) {
		judgement_open(&one, combination->seed, attempt, &judgement);
		distance = kinks(&judgement);
		sluice__judgement_destroy(&judgement);
		if (distance >= KINK_DISTANCE)
			break;
	}
	if (attempt == SEEDS)
		return most_fit(combination, &one);
	share = attempt_share(combination, &one, attempt);
	tally.worst = fmax(tally.worst, share);
	if (share > 1)
		print_error("oracle: differences are off by %.1f tolerances\n", share);
	return share <= 1;
}

/* -------------------------------------------------------------------------------------------------- levels ---- */

static int levels_fit(const struct sluice__combination *combination)
{
	struct sluice__combination_case one;
	struct sluice__judgement judgement;
	struct sluice__verify_report report = {0};
	unsigned parts = SLUICE__VERIFY_DOUBLE | SLUICE__VERIFY_FORCED | SLUICE__VERIFY_CHUNKED;
	sluice_status status;
	int fits;

	sluice__combination_describe(combination, 0, &one);
	judgement_open(&one, combination->seed, 0, &judgement);
	parts |= one.step ? SLUICE__VERIFY_STREAM : 0;
	status = sluice__verify_judgement(&judgement, parts, NULL, &report);
	sluice__judgement_destroy(&judgement);
	if (status != SLUICE_OK)
		print_error("%s: %s\n", sluice_status_name(status), sluice_last_message());
	for (size_t index = 0; index < report.count; index++) {
		const struct sluice__verify_row *row = &report.rows[index];

		if (row->verdict == SLUICE__VERDICT_FAILED || only != SIZE_MAX)
			print_error("%s, %s: error %.3e, bound %.3e\n", row->level, row->what, row->error, row->bound);
	}
	fits = status == SLUICE_OK && !report.failures && report.count > 8;
	sluice__verify_report_destroy(&report);
	return fits;
}

static void print_combination(size_t index)
{
	char text[SLUICE__COMBINATION_TEXT];

	sluice__combination_print(&combinations.items[index], text);
	print_error("combination %zu: %s\n", index, text);
}

/* Whether a combination belongs to this run. */
static int wanted(size_t index)
{
	if (only != SIZE_MAX)
		return index == only;
	if (index % stride)
		return 0;
	return all || index < combinations.covering || index % OTHERS == 0;
}

static void each(int (*fits)(const struct sluice__combination *), const char *what)
{
	size_t judged = 0, failures = 0;

	for (size_t index = 0; index < combinations.count && failures < SHOWN; index++) {
		if (!wanted(index))
			continue;
		judged++;
		if (fits(&combinations.items[index]))
			continue;
		print_combination(index);
		failures++;
	}
	print_message("%zu combinations judged: %s, %zu failed\n", judged, what, failures);
	assert_true(judged > 0);
	assert_int_equal(failures, 0);
}

static void test_differences(void **state)
{
	(void)state;
	each(differences_fit, "the oracle by differences");
	print_message("worst share of the tolerance %.3f; %zu combinations always touch a kink\n", tally.worst,
		      tally.near_kinks);
}

static void test_levels(void **state)
{
	(void)state;
	each(levels_fit, "every level by the oracle");
}

static int combinations_make(void **state)
{
	(void)state;
	return sluice__combinations_create(SEED, LEAST, &combinations) == SLUICE_OK ? 0 : -1;
}

static int combinations_end(void **state)
{
	(void)state;
	sluice__combinations_destroy(&combinations);
	return 0;
}

int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_levels),
	};

	/* "full": all of them; "few": each tenth, for those who judge by it many times; a number: that one. */
	all = count > 1 && strcmp(arguments[1], "full") == 0;
	if (count > 1 && strcmp(arguments[1], "few") == 0)
		stride = 10;
	else if (count > 1 && !all)
		only = (size_t)strtoul(arguments[1], NULL, 10);
	return cmocka_run_group_tests(tests, combinations_make, combinations_end);
}
