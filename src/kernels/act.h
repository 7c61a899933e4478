/*
 * act.h: activation functions and their derivatives in the verbs of the vocabulary, written once for all targets.
 *
 * Errors against the exact functions, measured over every float by tests/test_kernels.c and promised in
 * docs/NUMERICS.md: sigmoid and tanh at most 4 ulp, 0 <= sigmoid <= 1, |tanh| <= 1, both keep their relative accuracy
 * towards zero.
 */
#ifndef SLUICE_KERNELS_ACT_H
#define SLUICE_KERNELS_ACT_H

/* x = n ln 2 + r with |r| <= ln 2 / 2; returns e^r - 1 and sets n. ln 2 is split so that n times its upper part is
 * exact. The polynomial is the minimax one of degree 4 for (e^r - 1 - r) / r^2, relative error 1.8e-8. */
static inline vf act_expm1_reduced(vf x, vf *n)
{
	*n = vf_round(vf_mul(x, vf_set(0x1.715476p0f)));
	vf r = vf_fma(*n, vf_set(-0x1.63p-1f), x);
	r = vf_fma(*n, vf_set(0x1.bd0106p-13f), r);
	vf q = vf_set(0x1.6d9902p-10f);
	q = vf_fma(q, r, vf_set(0x1.1227f8p-7f));
	q = vf_fma(q, r, vf_set(0x1.555486p-5f));
	q = vf_fma(q, r, vf_set(0x1.5554b0p-3f));
	q = vf_fma(q, r, vf_set(0x1p-1f));
	return vf_fma(vf_mul(q, r), r, r);
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

/* Derivatives in terms of the output y. */
static inline vf act_sigmoid_slope(vf y)
{
	return vf_fma(vf_sub(vf_set(0.0f), y), y, y);
}

static inline vf act_tanh_slope(vf y)
{
	return vf_fma(vf_sub(vf_set(0.0f), y), y, vf_set(1.0f));
}

#endif
