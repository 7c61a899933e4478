/*
 * test_activations.c exists to judge every kind of activation and its slope, on every level, against the formulas of
 * docs/EQUATIONS.md in long double.
 *
 * A kind is s(x) = outer(x, z) of an inner argument z, such as a x + b. Rounding z moves s as far as it moves; beyond
 * that the error may be `promised` u times the sum of the magnitudes of the terms (docs/NUMERICS.md, "Activations").
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernels/kernels.h"

typedef long double exact;

enum { MOST_LANES = 16, MOST_LEVELS = 8 };

#ifdef SLUICE_REAL_F64
/* Verification: plain formulas of libm's functions, whose arguments are rounded. e^-(t^2/2) of a rounded t, up to
 * e^-745, is off by up to 1490 u, and by as much again in its own computation. Far below what is looked for in double.
 */
static const exact unit_roundoff = 0x1p-53L, promised = 3072, underflow = 0x1p-1022L;
enum { ACCURATE_SHRINK = 0 };
#else
static const exact unit_roundoff = 0x1p-24L, promised = 8, underflow = 0x1p-126L;
enum { ACCURATE_SHRINK = 1 };
#endif

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

/* A kind at one x: its inner argument, and how far rounding may move that. */
struct point {
	const sluice_activation *f;
	exact slope; /* of the PReLU */
	exact x, z, moved;
};

static exact logistic(exact x)
{
	return 1 / (1 + expl(-x));
}

static exact softplus(exact x)
{
	return fmaxl(x, 0) + log1pl(expl(-fabsl(x)));
}

static exact phi(exact x)
{
	return erfcl(-x * 0.70710678118654752440084436210485L) / 2;
}

static exact density(exact x)
{
	return expl(-x * x / 2) * 0.39894228040143267793994605993438L;
}

/* Negative bases only with whole exponents of at most 2^20. */
static exact power(exact z, exact c)
{
	return z < 0 && !(fabsl(c) <= 0x1p20L && floorl(c) == c) ? (exact)NAN : powl(z, c);
}

static exact base_log(const sluice_activation *f)
{
	return f->c == -1 ? 1 : logl((exact)f->c);
}

static exact leaky(exact slope, exact x)
{
	return x >= 0 ? x : slope * x;
}

/* a x + b: two roundings, of a x and of the sum, but none that changes nothing; and underflow. */
static struct point on_line(struct point at)
{
	const exact a = at.f->a, b = at.f->b, product = a * at.x;
	at.z = product + b;
	at.moved = b == 0 ? (a == 1 || a == -1 ? 0 : unit_roundoff * fabsl(product) + underflow)
			  : 2 * unit_roundoff * (fabsl(product) + fabsl(b)) + underflow;
	return at;
}

static struct point scaled(struct point at, exact factor)
{
	at.z = factor * at.x;
	at.moved = factor == 1 || factor == -1 ? 0 : unit_roundoff * fabsl(at.z) + underflow;
	return at;
}

static struct point point_of(const sluice_activation *f, exact slope, exact x)
{
	struct point at = {.f = f, .slope = slope, .x = x, .z = x};
	switch (f->kind) {
	case SLUICE_ACTIVATION_HARD_SIGMOID:
	case SLUICE_ACTIVATION_LINEAR:
	case SLUICE_ACTIVATION_POWER:
	case SLUICE_ACTIVATION_EXPONENTIAL:
	case SLUICE_ACTIVATION_LOGARITHM:
	case SLUICE_ACTIVATION_HARD_SWISH:
		return on_line(at);
	case SLUICE_ACTIVATION_SCALED_TANH:
	case SLUICE_ACTIVATION_SOFTPLUS:
		return scaled(at, (exact)f->b);
	case SLUICE_ACTIVATION_CLIPPED_RELU:
		return x < 0 ? scaled(at, (exact)f->a) : at;
	case SLUICE_ACTIVATION_CELU:
		return scaled(at, 1 / (exact)f->a);
	case SLUICE_ACTIVATION_GELU_TANH:
		/* z = 2 u; a x, b x, x, 1 + and their product: five roundings. */
		at.z = 2 * (exact)f->a * (x + (exact)f->b * x * x * x);
		at.moved = 5 * unit_roundoff * 2 * fabsl((exact)f->a) * (fabsl(x) + fabsl((exact)f->b * x * x * x)) +
			   underflow;
		return at;
	default:
		return at;
	}
}

/* s, with the rounded inner argument in its place. */
static exact value(const struct point *at, exact z)
{
	const exact a = at->f->a, b = at->f->b, c = at->f->c, x = at->x;
	switch (at->f->kind) {
	case SLUICE_ACTIVATION_SIGMOID:
		return logistic(x);
	case SLUICE_ACTIVATION_TANH:
		return tanhl(x);
	case SLUICE_ACTIVATION_RELU:
		return fmaxl(x, 0);
	case SLUICE_ACTIVATION_HARD_SIGMOID:
		return fmaxl(0, fminl(1, z));
	case SLUICE_ACTIVATION_LEAKY_RELU:
		return leaky(a, x);
	case SLUICE_ACTIVATION_PRELU:
		return leaky(at->slope, x);
	case SLUICE_ACTIVATION_CLIPPED_RELU:
		return fminl(b, z);
	case SLUICE_ACTIVATION_CLAMP:
		return fmaxl(a, fminl(b, x));
	case SLUICE_ACTIVATION_ABS:
		return fabsl(x);
	case SLUICE_ACTIVATION_SCALED_TANH:
		return a * tanhl(z);
	case SLUICE_ACTIVATION_SOFTPLUS:
		return a * softplus(z);
	case SLUICE_ACTIVATION_SOFTSIGN:
		return x / (1 + fabsl(x));
	case SLUICE_ACTIVATION_ELU:
		return x >= 0 ? x : a * expm1l(x);
	case SLUICE_ACTIVATION_SELU:
		return 1.0507009873554804934193349852946L *
		       (x >= 0 ? x : 1.6732632423543772848170429916717L * expm1l(x));
	case SLUICE_ACTIVATION_CELU:
		return x >= 0 ? x : a * expm1l(z);
	case SLUICE_ACTIVATION_POWER:
		return power(z, c);
	case SLUICE_ACTIVATION_EXPONENTIAL:
		return expl(z * base_log(at->f));
	case SLUICE_ACTIVATION_LOGARITHM:
		return logl(z) / base_log(at->f);
	case SLUICE_ACTIVATION_GELU:
		return x * phi(x);
	case SLUICE_ACTIVATION_GELU_TANH:
		return x * logistic(z);
	case SLUICE_ACTIVATION_LOG_SIGMOID:
		return -softplus(-x);
	case SLUICE_ACTIVATION_SILU:
		return x * logistic(x);
	case SLUICE_ACTIVATION_HARD_SWISH:
		return x * fmaxl(0, fminl(1, z));
	case SLUICE_ACTIVATION_HARD_SHRINK:
		return fabsl(x) > a ? x : 0;
	case SLUICE_ACTIVATION_SOFT_SHRINK:
		return x > a ? x - a : x < -a ? x + a : 0;
	case SLUICE_ACTIVATION_TANH_SHRINK:
		return fabsl(x) < 0.01L ? x * x * x * (1 / 3.0L - x * x * (2 / 15.0L - x * x * (17 / 315.0L)))
					: x - tanhl(x);
	case SLUICE_ACTIVATION_THRESHOLD:
		return x > a ? x : b;
	default: /* identity, linear */
		return z;
	}
}

/* s', with the rounded inner argument in its place, or from the value y. */
static exact slope(const struct point *at, exact z, exact y)
{
	const exact a = at->f->a, b = at->f->b, c = at->f->c, x = at->x, s = logistic(x), t = logistic(z);
	switch (at->f->kind) {
	case SLUICE_ACTIVATION_SIGMOID:
		return y * (1 - y);
	case SLUICE_ACTIVATION_TANH:
		return 1 - y * y;
	case SLUICE_ACTIVATION_RELU:
		return y > 0;
	case SLUICE_ACTIVATION_HARD_SIGMOID:
		return y > 0 && y < 1 ? a : 0;
	case SLUICE_ACTIVATION_LINEAR:
		return a;
	case SLUICE_ACTIVATION_LEAKY_RELU:
		return x >= 0 ? 1 : a;
	case SLUICE_ACTIVATION_PRELU:
		return x >= 0 ? 1 : at->slope;
	case SLUICE_ACTIVATION_CLIPPED_RELU:
		return z < b ? (x >= 0 ? 1 : a) : 0;
	case SLUICE_ACTIVATION_CLAMP:
		return x > a && x < b;
	case SLUICE_ACTIVATION_ABS:
		return (x > 0) - (x < 0);
	case SLUICE_ACTIVATION_SCALED_TANH:
		return a == 0 ? 0 : b * (a - y * y / a);
	case SLUICE_ACTIVATION_SOFTPLUS:
		return a * b * t;
	case SLUICE_ACTIVATION_SOFTSIGN:
		return 1 / ((1 + fabsl(x)) * (1 + fabsl(x)));
	case SLUICE_ACTIVATION_ELU:
		return x >= 0 ? 1 : a * expl(x);
	case SLUICE_ACTIVATION_SELU:
		return 1.0507009873554804934193349852946L * (x >= 0 ? 1 : 1.6732632423543772848170429916717L * expl(x));
	case SLUICE_ACTIVATION_CELU:
		return x >= 0 ? 1 : expl(z);
	case SLUICE_ACTIVATION_POWER:
		return c == 0 ? 0 : a * c * power(z, c - 1);
	case SLUICE_ACTIVATION_EXPONENTIAL:
		return a * base_log(at->f) * expl(z * base_log(at->f));
	case SLUICE_ACTIVATION_LOGARITHM:
		return a / (z * base_log(at->f));
	case SLUICE_ACTIVATION_GELU:
		return phi(x) + x * density(x);
	case SLUICE_ACTIVATION_GELU_TANH:
		return t + 2 * x * t * logistic(-z) * a * (1 + 3 * b * x * x);
	case SLUICE_ACTIVATION_LOG_SIGMOID:
		return logistic(-x);
	case SLUICE_ACTIVATION_SILU:
		return s * (1 + x * logistic(-x));
	case SLUICE_ACTIVATION_HARD_SWISH:
		return z <= 0 ? 0 : z >= 1 ? 1 : 2 * a * x + b;
	case SLUICE_ACTIVATION_HARD_SHRINK:
	case SLUICE_ACTIVATION_SOFT_SHRINK:
		return fabsl(x) > a;
	case SLUICE_ACTIVATION_TANH_SHRINK:
		return tanhl(x) * tanhl(x);
	case SLUICE_ACTIVATION_THRESHOLD:
		return x > a;
	default:
		return 1;
	}
}

/* |c log z|, the size of the exponent in z^c = e^(c log z), where that is neither 0 nor infinite. */
static exact exponent_size(exact c, exact z, exact power)
{
	return c == 0 || power == 0 || isinf(power) ? 0 : fabsl(c * logl(fabsl(z)));
}

/* The magnitudes of the terms that s is the sum of. Powers whose exponents are rounded count these, too. */
static exact value_terms(const struct point *at, exact s)
{
	switch (at->f->kind) {
	case SLUICE_ACTIVATION_POWER:
		return fabsl(s) * (1 + exponent_size((exact)at->f->c, at->z, s));
	case SLUICE_ACTIVATION_EXPONENTIAL:
		return fabsl(s) * (1 + fabsl(at->z * base_log(at->f)));
	case SLUICE_ACTIVATION_TANH_SHRINK:
		return ACCURATE_SHRINK ? fabsl(s) : fabsl(at->x);
	default:
		return fabsl(s);
	}
}

static exact slope_terms(const struct point *at, exact d, exact y)
{
	const exact a = at->f->a, b = at->f->b, x = at->x;
	switch (at->f->kind) {
	case SLUICE_ACTIVATION_SIGMOID:
		return y + y * y;
	case SLUICE_ACTIVATION_TANH:
		return 1 + y * y;
	case SLUICE_ACTIVATION_SCALED_TANH:
		return a == 0 ? 0 : fabsl(b) * (fabsl(a) + y * y / fabsl(a));
	case SLUICE_ACTIVATION_POWER:
		return fabsl(d) * (1 + exponent_size((exact)at->f->c - 1, at->z, d));
	case SLUICE_ACTIVATION_EXPONENTIAL:
		return fabsl(d) * (1 + fabsl(at->z * base_log(at->f)));
	case SLUICE_ACTIVATION_GELU:
		return phi(x) + fabsl(x) * density(x);
	case SLUICE_ACTIVATION_GELU_TANH:
		return logistic(at->z) +
		       2 * fabsl(x * a) * logistic(at->z) * logistic(-at->z) * (1 + 3 * fabsl(b) * x * x);
	case SLUICE_ACTIVATION_SILU:
		return logistic(x) * (1 + fabsl(x) * logistic(-x));
	case SLUICE_ACTIVATION_HARD_SWISH:
		return d == 0 || d == 1 ? fabsl(d) : fabsl(2 * a * x) + fabsl(b);
	default:
		return fabsl(d);
	}
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
