/* bnns_number.c: storage in 16 bits and the activations of BNNS as their formulas say, with their errors. */
#include "bnns_number.h"

#include <math.h>

/* ---------------------------------------------------------------------------------------------------- storage ---- */

/* Significant bits, and the exponent of the least normal number. */
struct format {
	int bits, least;
};

static struct format format_of(BNNSDataType type)
{
	if (type == BNNSDataTypeFloat16)
		return (struct format){11, -14};
	if (type == BNNSDataTypeBFloat16)
		return (struct format){8, -126};
	return (struct format){24, -126};
}

double number_nearest(BNNSDataType type, double v)
{
	const struct format format = format_of(type);
	int exponent;

	if (v == 0 || !isfinite(v))
		return v;
	frexp(v, &exponent);
	if (exponent - 1 < format.least)
		exponent = format.least + 1;
	/* The default rounding of nearbyint is to nearest, ties to even. */
	return ldexp(nearbyint(ldexp(v, format.bits - exponent)), exponent - format.bits);
}

struct bnns_number number_stored(BNNSDataType type, struct bnns_number p)
{
	double v, below, above;

	if (type == BNNSDataTypeFloat32)
		return p;
	v = number_nearest(type, p.v);
	below = number_nearest(type, p.v - p.e);
	above = number_nearest(type, p.v + p.e);
	return (struct bnns_number){v, fmax(v - below, above - v)};
}

/* ------------------------------------------------------------------------------------------------ activations ---- */

#define SELU_ALPHA 1.6732632423543772
#define SELU_LAMBDA 1.0507009873554805

/* A formula at one point: its value, its slope, and the magnitudes that each of them adds up, those that move with a
 * rounded inner argument included. */
struct point {
	double s, slope, terms, slope_terms;
};

static double sigma(double x)
{
	return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double softplus(double x)
{
	return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* Terms that are what the formula's result is: nothing cancels. */
static struct point plain(double s, double slope)
{
	return (struct point){s, slope, fabs(s), fabs(slope)};
}

static struct point sigmoid_at(double x)
{
	const double s = sigma(x);

	return (struct point){s, s * (1 - s), s, s + s * s};
}

static struct point scaled_tanh_at(double a, double b, double x)
{
	const double t = tanh(b * x), slope = a * b * (1 - t * t);

	return (struct point){a * t, slope, fabs(a * t) + fabs(slope * x), fabs(a * b) * (1 + t * t + 2 * fabs(b * x))};
}

static struct point hard_sigmoid_at(double a, double b, double x)
{
	const double z = a * x + b;

	return (struct point){fmax(0, fmin(1, z)), z > 0 && z < 1 ? a : 0, fabs(a * x) + fabs(b), fabs(a)};
}

static struct point softplus_at(double a, double b, double x)
{
	const double s = sigma(b * x);

	return (struct point){a * softplus(b * x), a * b * s, fabs(a) * (softplus(b * x) + fabs(b * x)),
			      fabs(a * b) * s * (1 + fabs(b * x))};
}

static struct point elu_at(double a, double scale, double divisor, double x)
{
	if (x >= 0)
		return plain(scale * x, scale);
	return (struct point){scale * a * expm1(x / divisor), scale * a / divisor * exp(x / divisor),
			      fabs(scale * a) * (1 + fabs(x / divisor)),
			      fabs(scale * a / divisor) * (1 + fabs(x / divisor))};
}

static struct point gelu_tanh_at(double a, double b, double x)
{
	const double u = a * (x + b * x * x * x), t = tanh(u), du = a * (1 + 3 * b * x * x);
	const double size = fabs(a * x) + fabs(a * b * x * x * x);

	return (struct point){x * (1 + t) / 2, (1 + t) / 2 + x * (1 - t * t) * du / 2, fabs(x) * (1 + size),
			      1 + fabs(x * du) * (1 + 3 * size) + size};
}

static struct point silu_at(double x)
{
	const double s = sigma(x);

	return (struct point){x * s, s * (1 + x * (1 - s)), fabs(x * s), s * (1 + fabs(x))};
}

/* x ReLU6(x + 3) / 6: whatever alpha and beta are. */
static struct point hard_swish_at(double x)
{
	const double z = x / 6 + 0.5, s = x * fmax(0, fmin(1, z));
	const double slope = z <= 0 ? 0 : z >= 1 ? 1 : x / 3 + 0.5;

	return (struct point){s, slope, fabs(x) * (fabs(x / 6) + 0.5), 1.5 + fabs(x / 3)};
}

static struct point leaky_at(double a, double x)
{
	return plain(x >= 0 ? x : a * x, x >= 0 ? 1 : a);
}

static struct point clamped_leaky_at(double a, double limit, double x)
{
	const struct point leaky = leaky_at(a, x);

	return leaky.s < limit ? leaky : plain(limit, 0);
}

static struct point at(const BNNSActivation *activation, double x)
{
	const double a = (double)activation->alpha, b = (double)activation->beta;

	switch (activation->function) {
	case BNNSActivationFunctionIdentity:
		return plain(x, 1);
	case BNNSActivationFunctionRectifiedLinear:
		return plain(fmax(x, 0), x > 0);
	case BNNSActivationFunctionLeakyRectifiedLinear:
		return leaky_at(a, x);
	case BNNSActivationFunctionSigmoid:
		return sigmoid_at(x);
	case BNNSActivationFunctionTanh:
		return scaled_tanh_at(1, 1, x);
	case BNNSActivationFunctionScaledTanh:
		return scaled_tanh_at(a, b, x);
	case BNNSActivationFunctionAbs:
		return plain(fabs(x), (x > 0) - (x < 0));
	case BNNSActivationFunctionLinear:
		return plain(a * x, a);
	case BNNSActivationFunctionClamp:
		return plain(fmax(a, fmin(b, x)), x > a && x < b);
	case BNNSActivationFunctionGELUApproximation:
		return gelu_tanh_at(a, b, x);
	case BNNSActivationFunctionHardSigmoid:
		return hard_sigmoid_at(a, b, x);
	case BNNSActivationFunctionSoftplus:
		return softplus_at(a, b, x);
	case BNNSActivationFunctionSoftsign:
		return plain(x / (1 + fabs(x)), 1 / ((1 + fabs(x)) * (1 + fabs(x))));
	case BNNSActivationFunctionELU:
		return elu_at(a, 1, 1, x);
	case BNNSActivationFunctionClampedLeakyRectifiedLinear:
		return clamped_leaky_at(a, b, x);
	case BNNSActivationFunctionLinearWithBias:
		return (struct point){a * x + b, a, fabs(a * x) + fabs(b), fabs(a)};
	case BNNSActivationFunctionLogSigmoid:
		return plain(-softplus(-x), sigma(-x));
	case BNNSActivationFunctionSELU:
		return elu_at(SELU_ALPHA, SELU_LAMBDA, 1, x);
	case BNNSActivationFunctionCELU:
		return elu_at(a, 1, a, x);
	case BNNSActivationFunctionHardShrink:
		return plain(fabs(x) > fabs(a) ? x : 0, fabs(x) > fabs(a));
	case BNNSActivationFunctionSoftShrink:
		return (struct point){fabs(x) > fabs(a) ? x - copysign(a, x) : 0, fabs(x) > fabs(a), fabs(x) + fabs(a),
				      1};
	case BNNSActivationFunctionTanhShrink:
		return (struct point){x - tanh(x), tanh(x) * tanh(x), fabs(x) + fabs(tanh(x)), 1};
	case BNNSActivationFunctionThreshold:
		return plain(x > a ? x : b, x > a);
	case BNNSActivationFunctionGELUApproximation2:
		return hard_swish_at(x);
	case BNNSActivationFunctionSiLU:
		return silu_at(x);
	default:
		return (struct point){NAN, NAN, 0, 0};
	}
}

/* These jump and go on with slope 1, back to where they jumped in the worst case. */
static int jumps(const BNNSActivation *activation)
{
	return activation->function == BNNSActivationFunctionHardShrink ||
	       activation->function == BNNSActivationFunctionThreshold;
}

struct bnns_number number_activation(const BNNSActivation *activation, struct bnns_number x)
{
	const struct point here = at(activation, x.v), below = at(activation, x.v - x.e),
			   above = at(activation, x.v + x.e);
	const double moved = fmax(fabs(below.s - here.s), fabs(above.s - here.s)) + (jumps(activation) ? x.e : 0);

	return (struct bnns_number){here.s, moved + 8 * NUMBER_U * here.terms + NUMBER_TINY};
}

/* A slope may be computed from the value, which is off by its own error: no slope of these moves by more than twice of
 * that over |a| (tanh's is -2y; scaled tanh's -2by). */
static double from_value(const BNNSActivation *activation, struct bnns_number y)
{
	const double b = (double)activation->beta;

	if (activation->function == BNNSActivationFunctionSigmoid || activation->function == BNNSActivationFunctionTanh)
		return 2 * y.e;
	return activation->function == BNNSActivationFunctionScaledTanh ? 2 * fabs(b) * y.e : 0;
}

struct bnns_number number_slope(const BNNSActivation *activation, struct bnns_number x)
{
	const struct point here = at(activation, x.v), below = at(activation, x.v - x.e),
			   above = at(activation, x.v + x.e);
	const double moved = fmax(fabs(below.slope - here.slope), fabs(above.slope - here.slope)) +
			     from_value(activation, number_activation(activation, x));

	return (struct bnns_number){here.slope, moved + 8 * NUMBER_U * here.slope_terms + NUMBER_TINY};
}
