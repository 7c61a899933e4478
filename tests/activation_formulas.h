/*
 * activation_formulas.h: docs/EQUATIONS.md, "Activations", in long double, with what rounding may do to each formula.
 *
 * A kind is s(x) = value(x, z) of x and an inner argument z, such as a x + b. Rounding z moves s as far as it moves.
 */
#ifndef SLUICE_TESTS_ACTIVATION_FORMULAS_H
#define SLUICE_TESTS_ACTIVATION_FORMULAS_H

#include <math.h>
#include <sluice/sluice.h>

typedef long double exact;

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

#endif
