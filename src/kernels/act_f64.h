/* act_f64.h: the elementary functions that activations are made of, in double: libm, lane by lane, for verification.
 * They stand for those of act_f32.h, where their domains are. */
#ifndef SLUICE_KERNELS_ACT_F64_H
#define SLUICE_KERNELS_ACT_F64_H

#include <math.h>

#define ACT_BELL_END 39.0 /* here e^(-t^2/2) and the normal distribution's tail are rounded to zero */

static double bell(double t)
{
	return exp(-0.5 * t * t);
}

static double tail(double t)
{
	return 0.5 * erfc(t * 0x1.6a09e667f3bcdp-1);
}

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static double tanh_shrink(double x)
{
	return x - tanh(x);
}

static inline vf act_exp_wide(vf x)
{
	return vf_map(x, exp);
}

static inline vf act_expm1(vf x)
{
	return vf_map(x, expm1);
}

static inline vf act_bell(vf t)
{
	return vf_map(t, bell);
}

static inline vf act_tail(vf t)
{
	return vf_map(t, tail);
}

static inline vf act_log(vf x)
{
	return vf_map(x, log);
}

static inline vf act_log1p(vf x)
{
	return vf_map(x, log1p);
}

static inline vf act_sigmoid(vf x)
{
	return vf_map(x, sigmoid);
}

static inline vf act_tanh(vf x)
{
	return vf_map(x, tanh);
}

static inline vf act_tanh_shrink(vf x)
{
	return vf_map(x, tanh_shrink);
}

#endif
