/*
 * act_f32.h: the elementary functions that activations are made of, in float and in the vocabulary's verbs.
 *
 * Polynomials are minimax fits; their coefficients were rounded one after the other, the rest fitted again each time.
 * The error of each, beside it, is that of the whole function in exact arithmetic.
 */
#ifndef SLUICE_KERNELS_ACT_F32_H
#define SLUICE_KERNELS_ACT_F32_H

#include <float.h>
#include <math.h> /* INFINITY and NAN; nothing of libm is called */

/* e^r - 1 for |r| <= ln 2 / 2. The polynomial is that of degree 4 for (e^r - 1 - r) / r^2, relative error 1.8e-8. */
static inline vf act_expm1_polynomial(vf r)
{
	vf q = vf_set(0x1.6d9902p-10f);
	q = vf_fma(q, r, vf_set(0x1.1227f8p-7f));
	q = vf_fma(q, r, vf_set(0x1.555486p-5f));
	q = vf_fma(q, r, vf_set(0x1.5554b0p-3f));
	q = vf_fma(q, r, vf_set(0x1p-1f));
	return vf_fma(vf_mul(q, r), r, r);
}

/* x - n ln 2. ln 2 is split so that n times its upper part is exact. */
static inline vf act_less_ln2(vf x, vf n)
{
	return vf_fma(n, vf_set(0x1.bd0106p-13f), vf_fma(n, vf_set(-0x1.63p-1f), x));
}

/* x = n ln 2 + r with |r| <= ln 2 / 2; returns e^r - 1 and sets n. */
static inline vf act_expm1_reduced(vf x, vf *n)
{
	*n = vf_round(vf_mul(x, vf_set(0x1.715476p0f)));
	return act_expm1_polynomial(act_less_ln2(x, *n));
}

/* e^x for x in [-87, 87]; outside the argument is clamped. */
static inline vf act_exp(vf x)
{
	vf n, p;
	x = vf_max(vf_set(-87.0f), vf_min(vf_set(87.0f), x));
	p = act_expm1_reduced(x, &n);
	vf power = vf_pow2(n);
	return vf_fma(power, p, power);
}

/* e^x from 0 to infinity, with gradual underflow. */
static inline vf act_exp_wide(vf x)
{
	vf n;
	vf p = act_expm1_reduced(vf_max(vf_set(-105.0f), vf_min(vf_set(89.0f), x)), &n);
	return vf_scale(vf_add(vf_set(1.0f), p), n);
}

/* e^x - 1 = 2^n (p + 1 - 2^-n). */
static inline vf act_expm1(vf x)
{
	const vf one = vf_set(1.0f);
	vf n;
	vf p = act_expm1_reduced(vf_max(vf_set(-30.0f), vf_min(vf_set(89.0f), x)), &n);
	vf power = vf_pow2(vf_max(vf_set(-100.0f), vf_negate(n)));
	return vf_scale(vf_add(p, vf_sub(one, power)), n);
}

#define ACT_BELL_END 14.5f /* here e^(-t^2/2) and the normal distribution's tail are rounded to zero */

/* e^(-t^2/2) for t in [0, ACT_BELL_END]. The square of t's upper part is exact, and the rest of the square is small, so
 * that the relative error does not grow with t. */
static inline vf act_bell(vf t)
{
	vf upper = vf_mul(vf_round(vf_mul(t, vf_set(64.0f))), vf_set(0x1p-6f));
	vf square = vf_mul(vf_mul(upper, upper), vf_set(-0.5f));
	vf rest = vf_mul(vf_mul(vf_sub(t, upper), vf_add(t, upper)), vf_set(-0.5f));
	vf n = vf_round(vf_mul(vf_add(square, rest), vf_set(0x1.715476p0f)));
	vf p = act_expm1_polynomial(vf_add(act_less_ln2(square, n), rest));
	return vf_scale(vf_add(vf_set(1.0f), p), n);
}

/* The upper tail of the normal distribution, 1 - Phi(t), for t in [0, ACT_BELL_END]: e^(-t^2/2) P(w) / (1 + 1.25 t)
 * with w = (t - 3) / (t + 3); relative error of P 4.1e-8. */
static inline vf act_tail(vf t)
{
	vf w = vf_div(vf_sub(t, vf_set(3.0f)), vf_add(t, vf_set(3.0f)));
	vf p = vf_set(-0x1.8ce6acp-14f);
	p = vf_fma(p, w, vf_set(-0x1.36ace4p-11f));
	p = vf_fma(p, w, vf_set(-0x1.02775ap-12f));
	p = vf_fma(p, w, vf_set(0x1.05d6fap-8f));
	p = vf_fma(p, w, vf_set(0x1.6885e4p-11f));
	p = vf_fma(p, w, vf_set(-0x1.eaa6cep-6f));
	p = vf_fma(p, w, vf_set(0x1.169422p-4f));
	p = vf_fma(p, w, vf_set(-0x1.a4a06ep-5f));
	p = vf_fma(p, w, vf_set(-0x1.1adc6cp-4f));
	p = vf_fma(p, w, vf_set(0x1.27859cp-1f));
	return vf_mul(act_bell(t), vf_div(p, vf_fma(t, vf_set(1.25f), vf_set(1.0f))));
}

/* e ln 2 + log(1 + f) for sqrt(1/2) <= 1 + f <= sqrt 2: f - f^2/2 + f^3 P(f), relative error 5.9e-9. */
static inline vf act_log_reduced(vf f, vf e)
{
	vf p = vf_set(-0x1.38c974p-4f);
	p = vf_fma(p, f, vf_set(0x1.055eaep-3f));
	p = vf_fma(p, f, vf_set(-0x1.0d8246p-3f));
	p = vf_fma(p, f, vf_set(0x1.22d930p-3f));
	p = vf_fma(p, f, vf_set(-0x1.54728ap-3f));
	p = vf_fma(p, f, vf_set(0x1.99a01cp-3f));
	p = vf_fma(p, f, vf_set(-0x1.000226p-2f));
	p = vf_fma(p, f, vf_set(0x1.555554p-2f));
	vf rest = vf_mul(vf_mul(f, f), vf_fma(p, f, vf_set(-0.5f)));
	rest = vf_fma(e, vf_set(-0x1.bd0106p-13f), rest);
	return vf_fma(e, vf_set(0x1.63p-1f), vf_add(f, rest));
}

/* log x: minus infinity at zero, not a number below. */
static inline vf act_log(vf x)
{
	const vf one = vf_set(1.0f), least = vf_set(FLT_MIN);
	const vm subnormal = vf_less(x, least);
	vf normal = vf_select(subnormal, vf_mul(x, vf_set(0x1p24f)), x);
	vf e = vf_sub(vf_exponent(normal), vf_select(subnormal, vf_set(24.0f), vf_set(0.0f)));
	vf m = vf_mantissa(normal);
	const vm upper = vf_less(vf_set(0x1.6a09e6p0f), m);
	m = vf_select(upper, vf_mul(m, vf_set(0.5f)), m);
	e = vf_select(upper, vf_add(e, one), e);
	vf y = vf_select(vf_less(vf_set(FLT_MAX), x), x, act_log_reduced(vf_sub(m, one), e));
	vf outside = vf_select(vf_less(x, vf_set(0.0f)), vf_set(NAN), vf_div(vf_set(-1.0f), vf_abs(x)));
	return vf_select(vf_less(vf_set(0.0f), x), y, outside);
}

/* log(1 + x) for 0 <= x <= 1. */
static inline vf act_log1p(vf x)
{
	const vm upper = vf_less(vf_set(0x1.a8279ap-2f), x);
	vf f = vf_select(upper, vf_mul(vf_sub(x, vf_set(1.0f)), vf_set(0.5f)), x);
	return act_log_reduced(f, vf_select(upper, vf_set(1.0f), vf_set(0.0f)));
}

static inline vf act_sigmoid(vf x)
{
	const vf one = vf_set(1.0f);
	return vf_div(one, vf_add(one, act_exp(vf_sub(vf_set(0.0f), x))));
}

/* (e^2|x| - 1) / (e^2|x| + 1) by expm1, with the sign of x; beyond 10 the float nearest to tanh is 1. */
static inline vf act_tanh(vf x)
{
	const vf one = vf_set(1.0f);
	vf n, magnitude = vf_abs(x);
	vf p = act_expm1_reduced(vf_min(vf_set(20.0f), vf_add(magnitude, magnitude)), &n);
	vf power = vf_pow2(n);
	vf expm1 = vf_fma(power, p, vf_sub(power, one));
	return vf_sign(vf_div(expm1, vf_add(expm1, vf_set(2.0f))), x);
}

/* x - tanh x; up to 1.25, where that would cancel, x^3 P(x^2), relative error 3.0e-8. */
static inline vf act_tanh_shrink(vf x)
{
	vf square = vf_mul(x, x);
	vf p = vf_set(0x1.e12bfap-16f);
	p = vf_fma(p, square, vf_set(-0x1.0ba600p-12f));
	p = vf_fma(p, square, vf_set(0x1.22f99cp-10f));
	p = vf_fma(p, square, vf_set(-0x1.bb28a2p-9f));
	p = vf_fma(p, square, vf_set(0x1.205a34p-7f));
	p = vf_fma(p, square, vf_set(-0x1.664554p-6f));
	p = vf_fma(p, square, vf_set(0x1.ba21dcp-5f));
	p = vf_fma(p, square, vf_set(-0x1.111150p-3f));
	p = vf_fma(p, square, vf_set(0x1.555556p-2f));
	p = vf_mul(vf_mul(square, x), p);
	return vf_select(vf_less(vf_abs(x), vf_set(1.25f)), p, vf_sub(x, act_tanh(x)));
}

#endif
