/*
 * act.h: activation functions and their derivatives in the verbs of the vocabulary, written once for all targets and
 * both precisions. docs/EQUATIONS.md has the formulas.
 *
 * Errors against the exact functions: sigmoid and tanh at most 4 ulp, 0 <= sigmoid <= 1, |tanh| <= 1, both keep their
 * relative accuracy towards zero. Every other kind and every slope: at most 8 u times the sum of the magnitudes of its
 * terms, beyond what rounding its inner argument does. docs/NUMERICS.md, "Activations", says what that is for each
 * kind; tests/test_kernels.c and tests/test_activations.c measure it. What is not a number gives what is not a number,
 * except for slopes that are constants.
 */
#ifndef SLUICE_KERNELS_ACT_H
#define SLUICE_KERNELS_ACT_H

#include "kernels/activation.h"

#ifdef SLUICE_REAL_F64
#include "kernels/act_f64.h"
#else
#include "kernels/act_f32.h"
#endif

/* Derivatives in terms of the output y. */
static inline vf act_sigmoid_slope(vf y)
{
	return vf_fma(vf_sub(vf_set(0.0f), y), y, y);
}

static inline vf act_tanh_slope(vf y)
{
	return vf_fma(vf_sub(vf_set(0.0f), y), y, vf_set(1.0f));
}

/* yes or no, or `of` itself where that is not a number and no comparison would show it. */
static inline vf act_choose(vf of, vm mask, vf yes, vf no)
{
	return vf_select(vf_is_nan(of), of, vf_select(mask, yes, no));
}

static inline vf act_line(const struct sluice__activation *f, vf x)
{
	return vf_fma(vf_set(f->a), x, vf_set(f->b));
}

/* The order of the operands keeps what is not a number. */
static inline vf act_between(vf low, vf high, vf x)
{
	return vf_max(low, vf_min(high, x));
}

/* For x < 0 another expression than x. */
static inline vf act_negative_side(vf x, vf value)
{
	return vf_select(vf_less_equal(vf_set(0.0f), x), x, value);
}

/* sigmoid with underflow to zero, so that multiples of large arguments vanish, too. */
static inline vf act_logistic(vf x)
{
	const vf one = vf_set(1.0f);
	vf e = act_exp_wide(vf_negate(vf_abs(x)));
	return vf_div(vf_select(vf_less(x, vf_set(0.0f)), e, one), vf_add(one, e));
}

static inline vf act_softplus(vf x)
{
	return vf_add(vf_max(vf_set(0.0f), x), act_log1p(act_exp_wide(vf_negate(vf_abs(x)))));
}

/* The distribution function of the normal distribution. */
static inline vf act_phi(vf x)
{
	vf tail = act_tail(vf_min(vf_set(ACT_BELL_END), vf_abs(x)));
	return vf_select(vf_less(x, vf_set(0.0f)), tail, vf_sub(vf_set(1.0f), tail));
}

static inline vf act_gelu_slope(vf x)
{
	vf size = vf_min(vf_set(ACT_BELL_END), vf_abs(x));
	vf density = vf_mul(act_bell(size), vf_set((real)0.3989422804014327));
	return vf_fma(vf_sign(size, x), density, act_phi(x));
}

/* b x^2, limited so that it stays a number when it is multiplied. */
static inline vf act_gelu_square(const struct sluice__activation *f, vf x)
{
	return act_between(vf_set(-1e30f), vf_set(1e30f), vf_mul(vf_mul(vf_set(f->b), x), x));
}

/* 2 u of EQUATIONS.md: (1 + tanh u) / 2 is the logistic function of it. */
static inline vf act_gelu_argument(const struct sluice__activation *f, vf x)
{
	return vf_mul(vf_mul(vf_set(2 * f->a), x), vf_add(vf_set(1.0f), act_gelu_square(f, x)));
}

static inline vf act_gelu_tanh_slope(const struct sluice__activation *f, vf x)
{
	const vf one = vf_set(1.0f), zero = vf_set(0.0f);
	vf u2 = act_gelu_argument(f, x);
	vf tail = act_logistic(vf_negate(vf_abs(u2)));
	vf value = vf_select(vf_less(u2, zero), tail, vf_sub(one, tail));
	/* x/2 a (1 + 3 b x^2) (1 - tanh^2 u), and 1 - tanh^2 u = 4 tail (1 - tail). */
	vf inner = vf_mul(vf_set(2 * f->a), vf_fma(vf_set(3.0f), act_gelu_square(f, x), one));
	vf change = vf_mul(vf_mul(x, inner), vf_mul(tail, vf_sub(one, tail)));
	return vf_add(value, vf_select(vf_less(zero, tail), change, zero));
}

/* Whether c is a whole number that negative bases may have as exponent. */
static inline bool act_is_whole(real c)
{
	const real most = 1 << 20;
	return c >= -most && c <= most && (real)(int32_t)c == c;
}

/* x^c: few multiplications, or e^(c log x) with the sign that a whole c leaves. */
static NOINLINE vf act_power(vf x, real c)
{
	const vf one = vf_set(1.0f);
	const bool whole = act_is_whole(c);
	if (whole && c >= -4 && c <= 4) {
		vf base = c < 0 ? vf_div(one, x) : x, y = base;
		for (int count = (int)(c < 0 ? -c : c); count > 1; count--)
			y = vf_mul(y, base);
		return c != 0 ? y : act_choose(x, vf_less(x, x), x, one);
	}
	vf y = act_exp_wide(vf_mul(vf_set(c), act_log(whole ? vf_abs(x) : x)));
	return whole && (int32_t)c % 2 ? vf_sign(y, x) : y;
}

/* log of the base of an exponential or logarithm. */
static inline vf act_log_base(const struct sluice__activation *f)
{
	return f->c == -1 ? vf_set(1.0f) : act_log(vf_set(f->c));
}

static inline vf act_exponential(const struct sluice__activation *f, vf x)
{
	return act_exp_wide(vf_mul(act_line(f, x), act_log_base(f)));
}

static inline vf act_leaky(vf slope, vf x)
{
	return act_negative_side(x, vf_mul(slope, x));
}

static inline vf act_soft_shrink(vf a, vf x)
{
	/* x times zero: zero, but not a number if x is not. */
	vf inside = vf_select(vf_less(x, vf_negate(a)), vf_add(x, a), vf_mul(x, vf_set(0.0f)));
	return vf_select(vf_less(a, x), vf_sub(x, a), inside);
}

/* lambda and lambda alpha of selu. */
#define ACT_SELU_POSITIVE vf_set((real)1.0507009873554805)
#define ACT_SELU_NEGATIVE vf_set((real)1.7580993408473766)

/* s(x) of one vector of units from `unit` on. */
static NOINLINE vf activate(const struct sluice__activation *f, vf x, size_t unit)
{
	const vf zero = vf_set(0.0f), one = vf_set(1.0f), a = vf_set(f->a), b = vf_set(f->b);
	switch (f->kind) {
	case SLUICE_ACTIVATION_SIGMOID:
		return act_sigmoid(x);
	case SLUICE_ACTIVATION_TANH:
		return act_tanh(x);
	case SLUICE_ACTIVATION_RELU:
		return vf_max(zero, x);
	case SLUICE_ACTIVATION_HARD_SIGMOID:
		return act_between(zero, one, act_line(f, x));
	case SLUICE_ACTIVATION_LINEAR:
		return act_line(f, x);
	case SLUICE_ACTIVATION_LEAKY_RELU:
		return act_leaky(a, x);
	case SLUICE_ACTIVATION_PRELU:
		return act_leaky(vf_load(f->slopes + unit), x);
	case SLUICE_ACTIVATION_CLIPPED_RELU:
		return vf_min(b, act_leaky(a, x));
	case SLUICE_ACTIVATION_CLAMP:
		return act_between(a, b, x);
	case SLUICE_ACTIVATION_ABS:
		return vf_abs(x);
	case SLUICE_ACTIVATION_SCALED_TANH:
		return vf_mul(a, act_tanh(vf_mul(b, x)));
	case SLUICE_ACTIVATION_SOFTPLUS:
		return vf_mul(a, act_softplus(vf_mul(b, x)));
	case SLUICE_ACTIVATION_SOFTSIGN:
		return vf_div(x, vf_add(one, vf_abs(x)));
	case SLUICE_ACTIVATION_ELU:
		return act_negative_side(x, vf_mul(a, act_expm1(x)));
	case SLUICE_ACTIVATION_SELU:
		return vf_select(vf_less_equal(zero, x), vf_mul(ACT_SELU_POSITIVE, x),
				 vf_mul(ACT_SELU_NEGATIVE, act_expm1(x)));
	case SLUICE_ACTIVATION_CELU:
		return act_negative_side(x, vf_mul(a, act_expm1(vf_div(x, a))));
	case SLUICE_ACTIVATION_POWER:
		return act_power(act_line(f, x), f->c);
	case SLUICE_ACTIVATION_EXPONENTIAL:
		return act_exponential(f, x);
	case SLUICE_ACTIVATION_LOGARITHM:
		return vf_div(act_log(act_line(f, x)), act_log_base(f));
	case SLUICE_ACTIVATION_GELU:
		return vf_mul(x, act_phi(x));
	case SLUICE_ACTIVATION_GELU_TANH:
		return vf_mul(x, act_logistic(act_gelu_argument(f, x)));
	case SLUICE_ACTIVATION_LOG_SIGMOID:
		return vf_negate(act_softplus(vf_negate(x)));
	case SLUICE_ACTIVATION_SILU:
		return vf_mul(x, act_logistic(x));
	case SLUICE_ACTIVATION_HARD_SWISH:
		return vf_mul(x, act_between(zero, one, act_line(f, x)));
	case SLUICE_ACTIVATION_HARD_SHRINK:
		return vf_select(vf_less_equal(vf_abs(x), a), zero, x);
	case SLUICE_ACTIVATION_SOFT_SHRINK:
		return act_soft_shrink(a, x);
	case SLUICE_ACTIVATION_TANH_SHRINK:
		return act_tanh_shrink(x);
	case SLUICE_ACTIVATION_THRESHOLD:
		return vf_select(vf_less_equal(x, a), b, x);
	case SLUICE_ACTIVATION_IDENTITY:
	case SLUICE_ACTIVATION_DEFAULT:
		break;
	}
	return x;
}

/* s'(x) of kinds that need no argument, from y = s(x). */
static inline vf act_slope_from_value(const struct sluice__activation *f, vf y)
{
	const vf zero = vf_set(0.0f), one = vf_set(1.0f), a = vf_set(f->a), b = vf_set(f->b);
	switch (f->kind) {
	case SLUICE_ACTIVATION_SIGMOID:
		return act_sigmoid_slope(y);
	case SLUICE_ACTIVATION_TANH:
		return act_tanh_slope(y);
	case SLUICE_ACTIVATION_RELU:
		return act_choose(y, vf_less(zero, y), one, zero);
	case SLUICE_ACTIVATION_HARD_SIGMOID:
		return act_choose(y, vf_less(zero, y), vf_select(vf_less(y, one), a, zero), zero);
	case SLUICE_ACTIVATION_LINEAR:
		return a;
	case SLUICE_ACTIVATION_SCALED_TANH:
		return f->a != 0 ? vf_mul(b, vf_sub(a, vf_div(vf_mul(y, y), a))) : zero;
	default:
		return one;
	}
}

/* s'(x) of one vector of units from `unit` on. Only one of x and y = s(x) is looked at, as
 * sluice__activation_needs_argument says. */
static NOINLINE vf activate_slope(const struct sluice__activation *f, vf x, vf y, size_t unit)
{
	const vf zero = vf_set(0.0f), one = vf_set(1.0f), a = vf_set(f->a), b = vf_set(f->b);
	const vm positive = vf_less_equal(zero, x);
	switch (f->kind) {
	case SLUICE_ACTIVATION_LEAKY_RELU:
		return act_choose(x, positive, one, a);
	case SLUICE_ACTIVATION_PRELU:
		return act_choose(x, positive, one, vf_load(f->slopes + unit));
	case SLUICE_ACTIVATION_CLIPPED_RELU:
		return act_choose(x, vf_less(act_leaky(a, x), b), vf_select(positive, one, a), zero);
	case SLUICE_ACTIVATION_CLAMP:
		return act_choose(x, vf_less(a, x), vf_select(vf_less(x, b), one, zero), zero);
	case SLUICE_ACTIVATION_ABS:
		return act_choose(x, vf_less(zero, x), one, vf_select(vf_less(x, zero), vf_negate(one), zero));
	case SLUICE_ACTIVATION_SOFTPLUS:
		return vf_mul(vf_mul(a, b), act_logistic(vf_mul(b, x)));
	case SLUICE_ACTIVATION_SOFTSIGN: {
		vf root = vf_div(one, vf_add(one, vf_abs(x)));
		return vf_mul(root, root);
	}
	case SLUICE_ACTIVATION_ELU:
		return act_choose(x, positive, one, vf_mul(a, act_exp_wide(x)));
	case SLUICE_ACTIVATION_SELU:
		return act_choose(x, positive, ACT_SELU_POSITIVE, vf_mul(ACT_SELU_NEGATIVE, act_exp_wide(x)));
	case SLUICE_ACTIVATION_CELU:
		return act_choose(x, positive, one, act_exp_wide(vf_div(x, a)));
	case SLUICE_ACTIVATION_POWER:
		return f->c != 0 ? vf_mul(vf_set(f->a * f->c), act_power(act_line(f, x), f->c - 1))
				 : act_choose(x, positive, zero, zero);
	case SLUICE_ACTIVATION_EXPONENTIAL:
		return vf_mul(vf_mul(a, act_log_base(f)), act_exponential(f, x));
	case SLUICE_ACTIVATION_LOGARITHM:
		return vf_div(a, vf_mul(act_line(f, x), act_log_base(f)));
	case SLUICE_ACTIVATION_GELU:
		return act_gelu_slope(x);
	case SLUICE_ACTIVATION_GELU_TANH:
		return act_gelu_tanh_slope(f, x);
	case SLUICE_ACTIVATION_LOG_SIGMOID:
		return act_logistic(vf_negate(x));
	case SLUICE_ACTIVATION_SILU: {
		vf s = act_logistic(x);
		return vf_mul(s, vf_fma(x, act_logistic(vf_negate(x)), one));
	}
	case SLUICE_ACTIVATION_HARD_SWISH: {
		vf line = act_line(f, x);
		vf inside = vf_fma(vf_set(2 * f->a), x, b);
		return vf_select(vf_less_equal(line, zero), zero, vf_select(vf_less_equal(one, line), one, inside));
	}
	case SLUICE_ACTIVATION_HARD_SHRINK:
	case SLUICE_ACTIVATION_SOFT_SHRINK:
		return act_choose(x, vf_less(a, vf_abs(x)), one, zero);
	case SLUICE_ACTIVATION_TANH_SHRINK: {
		vf t = act_tanh(x);
		return vf_mul(t, t);
	}
	case SLUICE_ACTIVATION_THRESHOLD:
		return act_choose(x, vf_less(a, x), one, zero);
	default:
		return act_slope_from_value(f, y);
	}
}

static void activate_entry(const struct sluice__activation *f, size_t vectors, const real *x, const real *y, real *out)
{
	(void)y;
	for (size_t unit = 0; unit < vectors * LANES; unit += LANES)
		vf_store(out + unit, activate(f, vf_load(x + unit), unit));
}

/* x or y may be NULL where it is not looked at. */
static void activate_slope_entry(const struct sluice__activation *f, size_t vectors, const real *x, const real *y,
				 real *out)
{
	const bool argument = sluice__activation_needs_argument(f->kind);
	for (size_t unit = 0; unit < vectors * LANES; unit += LANES) {
		vf of = vf_load((argument ? x : y) + unit);
		vf_store(out + unit, activate_slope(f, of, of, unit));
	}
}

#endif
