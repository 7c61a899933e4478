/*
 * test_activations.c exists to judge every kind of activation and its slope, on every level, against the formulas of
 * docs/EQUATIONS.md in long double.
 *
 * What rounding an inner argument does is allowed; beyond that the error may be `promised` u times the sum of the
 * magnitudes of the terms (docs/NUMERICS.md, "Activations").
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "activation_formulas.h"
#include "kernels/kernels.h"

enum { MOST_LANES = 16, MOST_LEVELS = 8 };

/* What is tried of each kind. */
static const sluice_activation subjects[] = {
	{SLUICE_ACTIVATION_SIGMOID, 0, 0, 0},
	{SLUICE_ACTIVATION_TANH, 0, 0, 0},
	{SLUICE_ACTIVATION_IDENTITY, 0, 0, 0},
	{SLUICE_ACTIVATION_RELU, 0, 0, 0},
	{SLUICE_ACTIVATION_HARD_SIGMOID, 0.2f, 0.5f, 0},
	{SLUICE_ACTIVATION_HARD_SIGMOID, -0.7f, 0.1f, 0},
	{SLUICE_ACTIVATION_LINEAR, 1.3f, -0.4f, 0},
	{SLUICE_ACTIVATION_LINEAR, 0, 0, 0},
	{SLUICE_ACTIVATION_LEAKY_RELU, 0.01f, 0, 0},
	{SLUICE_ACTIVATION_LEAKY_RELU, -2, 0, 0},
	{SLUICE_ACTIVATION_PRELU, 0, 0, 0},
	{SLUICE_ACTIVATION_CLIPPED_RELU, 0.1f, 1.5f, 0},
	{SLUICE_ACTIVATION_CLIPPED_RELU, -0.3f, 0.2f, 0},
	{SLUICE_ACTIVATION_CLAMP, -0.7f, 1.1f, 0},
	{SLUICE_ACTIVATION_ABS, 0, 0, 0},
	{SLUICE_ACTIVATION_SCALED_TANH, 1.7159f, 0.6666667f, 0},
	{SLUICE_ACTIVATION_SCALED_TANH, -0.3f, 5, 0},
	{SLUICE_ACTIVATION_SCALED_TANH, 0, 1, 0},
	{SLUICE_ACTIVATION_SOFTPLUS, 1, 1, 0},
	{SLUICE_ACTIVATION_SOFTPLUS, 0.4f, -3, 0},
	{SLUICE_ACTIVATION_SOFTSIGN, 0, 0, 0},
	{SLUICE_ACTIVATION_ELU, 1, 0, 0},
	{SLUICE_ACTIVATION_ELU, -0.6f, 0, 0},
	{SLUICE_ACTIVATION_SELU, 0, 0, 0},
	{SLUICE_ACTIVATION_CELU, 1.9f, 0, 0},
	{SLUICE_ACTIVATION_CELU, -30, 0, 0},
	{SLUICE_ACTIVATION_POWER, 1, 0, 0},
	{SLUICE_ACTIVATION_POWER, 0.5f, 0.25f, 1},
	{SLUICE_ACTIVATION_POWER, 1, 0, 2},
	{SLUICE_ACTIVATION_POWER, 1, 0.1f, 3},
	{SLUICE_ACTIVATION_POWER, -1, 0, -1},
	{SLUICE_ACTIVATION_POWER, 1, 0, -4},
	{SLUICE_ACTIVATION_POWER, 1, 0, 0.5f},
	{SLUICE_ACTIVATION_POWER, 2, 3, -0.5f},
	{SLUICE_ACTIVATION_POWER, 1, 0, 2.3f},
	{SLUICE_ACTIVATION_POWER, 1, 0, 7},
	{SLUICE_ACTIVATION_POWER, 1, 0, -6},
	{SLUICE_ACTIVATION_POWER, 1, 0, 12345},
	{SLUICE_ACTIVATION_POWER, 1, 0, 2097152},
	{SLUICE_ACTIVATION_EXPONENTIAL, 1, 0, -1},
	{SLUICE_ACTIVATION_EXPONENTIAL, -0.5f, 0.3f, -1},
	{SLUICE_ACTIVATION_EXPONENTIAL, 1, 0, 2},
	{SLUICE_ACTIVATION_EXPONENTIAL, 0.7f, -1, 0.3f},
	{SLUICE_ACTIVATION_EXPONENTIAL, 1, 1, 1},
	{SLUICE_ACTIVATION_LOGARITHM, 1, 0, -1},
	{SLUICE_ACTIVATION_LOGARITHM, 1, 1, 2},
	{SLUICE_ACTIVATION_LOGARITHM, -0.5f, 3, 10},
	{SLUICE_ACTIVATION_LOGARITHM, 1, 0, 1.0001f},
	{SLUICE_ACTIVATION_GELU, 0, 0, 0},
	{SLUICE_ACTIVATION_GELU_TANH, 0.7978845608f, 0.044715f, 0},
	{SLUICE_ACTIVATION_GELU_TANH, -0.3f, -0.2f, 0},
	{SLUICE_ACTIVATION_GELU_TANH, 1, 0, 0},
	{SLUICE_ACTIVATION_LOG_SIGMOID, 0, 0, 0},
	{SLUICE_ACTIVATION_SILU, 0, 0, 0},
	{SLUICE_ACTIVATION_HARD_SWISH, 1 / 6.0f, 0.5f, 0},
	{SLUICE_ACTIVATION_HARD_SHRINK, 0.5f, 0, 0},
	{SLUICE_ACTIVATION_SOFT_SHRINK, 0.5f, 0, 0},
	{SLUICE_ACTIVATION_TANH_SHRINK, 0, 0, 0},
	{SLUICE_ACTIVATION_THRESHOLD, 0.1f, 20, 0},
};

/* Slopes of the PReLU, one for each unit. */
static const real slopes[MOST_LANES] = {0.25f, -0.5f, 0,    1,    2,    0.1f, 0.2f, 0.3f,
					0.4f,  0.5f,  0.6f, 0.7f, 0.8f, 0.9f, 3,    5};

static const char *name_of(sluice_activation_kind kind)
{
	static const char *const names[] = {
#define NAME(name, text) [SLUICE_ACTIVATION_##name] = text,
		SLUICE_ACTIVATION_MAP(NAME)
#undef NAME
	};
	return names[kind];
}

/* Where rounding z could lead over a pole, or what is between overflows, nothing is promised. */
static bool is_judged(const struct point *at)
{
	const sluice_activation_kind kind = at->f->kind;
	const bool pole = kind == SLUICE_ACTIVATION_LOGARITHM || kind == SLUICE_ACTIVATION_POWER;
	if (fabsl(at->z) > FLT_MAX / 4)
		return kind == SLUICE_ACTIVATION_GELU_TANH;
	return !(pole && at->moved > fabsl(at->z) / 4);
}

struct judgement {
	const struct point *at;
	exact middle, low, high; /* exact results at z and to both sides */
	exact terms;
	const char *what;
};

/* The error in u times the terms, after what rounding z explains; fails beyond the promise. */
static exact judge(const struct judgement *each, const char *level, real got)
{
	const exact exact_result = each->middle, x = each->at->x, size = fmaxl(1, fabsl((exact)each->at->f->a));
	if (isnan(exact_result)) {
		assert_true(isnan(got));
		return 0;
	}
	if (fabsl(exact_result) > FLT_MAX * (1 - 1e-4L)) {
		assert_true(fabsl((exact)got) >= FLT_MAX * (1 - 2e-4L) && (got > 0) == (exact_result > 0));
		return 0;
	}
	const exact moved = fmaxl(fabsl(each->low - exact_result), fabsl(each->high - exact_result));
	const exact beyond =
		fabsl((exact)got - exact_result) - moved - 4 * underflow * size * (1 + fminl(fabsl(x), 105));
	if (!(beyond <= promised * unit_roundoff * each->terms))
		fail_msg("%s: %s of %s(%.9Lg; %g %g %g) is %.9g, not %.9Lg: %.2Lf u of the terms", level, each->what,
			 name_of(each->at->f->kind), x, (double)each->at->f->a, (double)each->at->f->b,
			 (double)each->at->f->c, (double)got, exact_result, beyond / (unit_roundoff * each->terms));
	return each->terms > 0 && beyond > 0 ? beyond / (unit_roundoff * each->terms) : 0;
}

static struct sluice__kernels levels[MOST_LEVELS];
static size_t level_count;

static int find_levels(void **unused)
{
	(void)unused;
	for (size_t level = 0; level < sluice__level_count(); level++) {
		if (!sluice__level_available(level)) {
			print_message("skipped: this machine lacks %s\n", sluice__level_name(level));
			continue;
		}
		assert_true(level_count < MOST_LEVELS);
		sluice__kernels_fill(level, &levels[level_count++]);
	}
	return 0;
}

static struct sluice__activation kernel_form(const sluice_activation *f)
{
	return (struct sluice__activation){.kind = f->kind, .a = f->a, .b = f->b, .c = f->c, .slopes = slopes};
}

static void compute(const struct sluice__kernels *kernels, const sluice_activation *subject, const real x[MOST_LANES],
		    real y[MOST_LANES], real dy[MOST_LANES])
{
	const struct sluice__activation f = kernel_form(subject);
	const bool argument = sluice__activation_needs_argument(f.kind);
	kernels->activate(&f, MOST_LANES / kernels->lanes, x, NULL, y);
	/* What need not be looked at must not be. */
	kernels->activate_slope(&f, MOST_LANES / kernels->lanes, argument ? x : NULL, argument ? NULL : y, dy);
}

struct worst {
	exact value, slope;
};

static struct judgement judge_value(const struct point *at)
{
	struct judgement judgement = {.at = at, .middle = value(at, at->z), .what = "value"};
	judgement.low = at->moved > 0 ? value(at, at->z - at->moved) : judgement.middle;
	judgement.high = at->moved > 0 ? value(at, at->z + at->moved) : judgement.middle;
	judgement.terms = value_terms(at, judgement.middle);
	return judgement;
}

static struct judgement judge_slope(const struct point *at, exact y)
{
	struct judgement judgement = {.at = at, .middle = slope(at, at->z, y), .what = "slope"};
	judgement.low = at->moved > 0 ? slope(at, at->z - at->moved, y) : judgement.middle;
	judgement.high = at->moved > 0 ? slope(at, at->z + at->moved, y) : judgement.middle;
	judgement.terms = slope_terms(at, judgement.middle, y);
	return judgement;
}

/* Values at one x, and slopes at x or, where they come from the value, at the float that the level gave. */
static void judge_levels(const struct point *at, size_t lane, real (*y)[MOST_LANES], real (*dy)[MOST_LANES],
			 struct worst *worst)
{
	const bool argument = sluice__activation_needs_argument(at->f->kind);
	const struct judgement of_value = judge_value(at);
	struct judgement of_slope = judge_slope(at, 0);
	for (size_t level = 0; level < level_count; level++) {
		const char *name = levels[level].level;
		const exact own = (exact)y[level][lane];
		worst[level].value = fmaxl(worst[level].value, judge(&of_value, name, y[level][lane]));
		if (!argument)
			of_slope = judge_slope(at, own);
		/* Slopes that are multiples of a value cannot be had where that overflows. */
		if (fabsl(of_value.middle) <= FLT_MAX && !isinf(own))
			worst[level].slope = fmaxl(worst[level].slope, judge(&of_slope, name, dy[level][lane]));
	}
}

/* Every 150001st float, and between 2^-6 and 2^7, where most happens, every 20011th: primes. */
static uint32_t next_pattern(uint32_t pattern)
{
	const uint32_t size = pattern & 0x7FFFFFFF;
	return size >= 0x3C800000 && size < 0x43000000 ? 20011 : 150001;
}

static void sweep(const sluice_activation *f, struct worst *worst)
{
	uint64_t pattern = 0;
	while (pattern <= UINT32_MAX) {
		struct point at[MOST_LANES];
		real x[MOST_LANES], y[MOST_LEVELS][MOST_LANES], dy[MOST_LEVELS][MOST_LANES];
		for (size_t lane = 0; lane < MOST_LANES; lane++) {
			float each;
			const uint32_t bits = pattern <= UINT32_MAX ? (uint32_t)pattern : 0x80000000;
			memcpy(&each, &bits, sizeof each);
			x[lane] = each;
			at[lane] = point_of(f, (exact)slopes[lane], (exact)each);
			pattern += next_pattern(bits);
		}
		for (size_t level = 0; level < level_count; level++)
			compute(&levels[level], f, x, y[level], dy[level]);
		for (size_t lane = 0; lane < MOST_LANES; lane++)
			if (isfinite(at[lane].x) && is_judged(&at[lane]))
				judge_levels(&at[lane], lane, y, dy, worst);
	}
}

static void test_sweep(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < sizeof subjects / sizeof subjects[0]; j++) {
		struct worst worst[MOST_LEVELS] = {{0, 0}};
		sweep(&subjects[j], worst);
		print_message("%s(%g %g %g), in u of the terms:", name_of(subjects[j].kind), (double)subjects[j].a,
			      (double)subjects[j].b, (double)subjects[j].c);
		for (size_t level = 0; level < level_count; level++)
			print_message("  %s %.2Lf slope %.2Lf", levels[level].level, worst[level].value,
				      worst[level].slope);
		print_message("\n");
	}
}

/* Every kind is among the subjects. */
static void test_complete(void **unused)
{
	(void)unused;
	const sluice_activation_kind kinds[] = {
#define KIND(name, text) SLUICE_ACTIVATION_##name,
		SLUICE_ACTIVATION_MAP(KIND)
#undef KIND
	};
	for (size_t kind = 1; kind < sizeof kinds / sizeof kinds[0]; kind++) {
		size_t found = 0;
		for (size_t j = 0; j < sizeof subjects / sizeof subjects[0]; j++)
			found += subjects[j].kind == kinds[kind];
		assert_true(found > 0);
	}
}

/* Not a number in, not a number out; infinities give the formula's result where it has one. */
static void test_extremes(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < sizeof subjects / sizeof subjects[0]; j++)
		for (size_t level = 0; level < level_count; level++) {
			const sluice_activation *f = &subjects[j];
			const bool constant = f->kind == SLUICE_ACTIVATION_IDENTITY ||
					      f->kind == SLUICE_ACTIVATION_LINEAR ||
					      (f->kind == SLUICE_ACTIVATION_SCALED_TANH && f->a == 0);
			real x[MOST_LANES], y[MOST_LANES], dy[MOST_LANES];
			for (size_t lane = 0; lane < MOST_LANES; lane++)
				x[lane] = lane % 3 == 0 ? (real)NAN : lane % 3 == 1 ? (real)INFINITY : -(real)INFINITY;
			compute(&levels[level], f, x, y, dy);
			for (size_t lane = 0; lane < MOST_LANES; lane++) {
				const struct point at = point_of(f, (exact)slopes[lane], (exact)x[lane]);
				const exact wanted = value(&at, at.z);
				if (isnan(x[lane]) && !(isnan(y[lane]) && (constant || isnan(dy[lane]))))
					fail_msg("%s: %s hides what is not a number", levels[level].level,
						 name_of(f->kind));
				/* The sigmoid in float stops at 1.6e-38, others may at the largest number. */
				if (!isnan(x[lane]) && !isnan(wanted) && !isinf(wanted))
					assert_true(fabsl((exact)y[lane] - wanted) <=
						    2 * underflow + 8 * unit_roundoff * fabsl(wanted));
				if (!isnan(x[lane]) && isinf(wanted) && (exact)y[lane] != wanted)
					fail_msg("%s: %s(%g %g %g) of %g is %g", levels[level].level, name_of(f->kind),
						 (double)f->a, (double)f->b, (double)f->c, (double)x[lane],
						 (double)y[lane]);
			}
		}
}

/* Each vector of a longer row has slopes of its own. */
static void test_units(void **unused)
{
	(void)unused;
	enum { COUNT = 3 * MOST_LANES };
	for (size_t level = 0; level < level_count; level++) {
		real own[COUNT], x[COUNT], y[COUNT], dy[COUNT];
		for (size_t j = 0; j < COUNT; j++) {
			own[j] = (real)j;
			x[j] = j % 5 ? -2 : 2;
		}
		const struct sluice__activation f = {.kind = SLUICE_ACTIVATION_PRELU, .slopes = own};
		levels[level].activate(&f, COUNT / levels[level].lanes, x, NULL, y);
		levels[level].activate_slope(&f, COUNT / levels[level].lanes, x, NULL, dy);
		for (size_t j = 0; j < COUNT; j++) {
			assert_true(y[j] == (j % 5 ? -2 * own[j] : 2));
			assert_true(dy[j] == (j % 5 ? own[j] : 1));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_units),
	};
	return cmocka_run_group_tests(tests, find_levels, NULL);
}
