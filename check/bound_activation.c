/*
 * bound_activation.c: how far an activation and its slope may be from the exact ones, from how far their argument may
 * be; NUMERICS.md, "The bound of one step".
 */
#include "bound_work.h"

#define FLUSHES 4 /* operations of an activation whose results may be flushed to zero: more are never as small */

static void evaluate(const struct bound_work *work, const struct sluice__cell *cell, int which, size_t unit, double x,
		     double limit, double *value, double *slope, double *terms)
{
	double parameter = 0;

	if (cell->activations[which].kind == SLUICE_ACTIVATION_PRELU)
		parameter = work->run->parameters[cell->prelu + (size_t)which * cell->hidden + unit];
	sluice__oracle_activation_f64(&cell->activations[which], parameter, clipped(x, limit), value, slope, terms);
	if (limit > 0 && fabs(x) >= limit)
		*slope = 0;
}

struct number sluice__bound_activation(const struct bound_work *work, const struct sluice__cell *cell, int which,
				       size_t unit, struct number argument, double limit)
{
	double value, below, above, slope, terms, other, error;

	evaluate(work, cell, which, unit, argument.value, limit, &value, &slope, &terms);
	evaluate(work, cell, which, unit, argument.value - argument.error, limit, &below, &slope, &other);
	terms = fmax(terms, other);
	evaluate(work, cell, which, unit, argument.value + argument.error, limit, &above, &slope, &other);
	terms = fmax(terms, other);
	error = fmax(fabs(below - value), fabs(above - value));
	/* A value that jumps goes on from there with slope 1, back to where it jumped in the worst case. */
	if (cell->activations[which].kind == SLUICE_ACTIVATION_HARD_SHRINK ||
	    cell->activations[which].kind == SLUICE_ACTIVATION_THRESHOLD)
		error += argument.error;
	return (struct number){value, error + 8 * UNIT * (terms + error) + FLUSHES * (double)FLT_MIN};
}

/* y (1 - y), or y - y y, whichever the implementation prefers: at most roundings of y y and two of the result. */
static double sigmoid_slope_error(struct number y)
{
	double value = y.value * (1 - y.value);
	double error = fabs(1 - 2 * y.value) * y.error + y.error * y.error;

	return error + UNIT * (y.value * y.value + 2 * fabs(value) + 3 * error) + (double)FLT_MIN;
}

/* 1 - y y, or (1 - y)(1 + y): likewise. */
static double tanh_slope_error(struct number y)
{
	double value = 1 - y.value * y.value;
	double error = 2 * fabs(y.value) * y.error + y.error * y.error;

	return error + UNIT * (y.value * y.value + 3 * fabs(value) + 4 * error);
}

/* The slope's error where it is computed from the value y; 0 for kinds that need the argument. */
static double slope_error_from_value(const sluice_activation *activation, struct number y)
{
	double a = (double)activation->a, b = (double)activation->b;

	switch (activation->kind) {
	case SLUICE_ACTIVATION_SIGMOID:
		return sigmoid_slope_error(y);
	case SLUICE_ACTIVATION_TANH:
		return tanh_slope_error(y);
	case SLUICE_ACTIVATION_RELU:
		return fabs(y.value) <= y.error ? 1 : 0;
	case SLUICE_ACTIVATION_HARD_SIGMOID:
		return fabs(y.value) <= y.error || fabs(1 - y.value) <= y.error ? fabs(a) : 0;
	case SLUICE_ACTIVATION_SCALED_TANH:
		/* a b (1 - t t) with t = y / a; three more roundings of products and of the quotient. */
		y = (struct number){y.value / a, y.error / fabs(a)};
		y.error += 3 * UNIT * fabs(y.value);
		return fabs(a * b) * (tanh_slope_error(y) + 3 * UNIT * (1 - y.value * y.value));
	default:
		return 0;
	}
}

/* What the rounding errors of a slope are proportional to, where that is more than the slope: the parts of a sum, or
 * the sensitivity of a power. */
static double slope_terms(const sluice_activation *activation, double x, double value, double slope, double terms)
{
	switch (activation->kind) {
	case SLUICE_ACTIVATION_GELU:
	case SLUICE_ACTIVATION_GELU_TANH:
	case SLUICE_ACTIVATION_SILU:
	case SLUICE_ACTIVATION_TANH_SHRINK:
		/* Phi + |x| phi, s + |x| s (1 - s), 1 + tanh^2: each is below 2. */
		return 2;
	case SLUICE_ACTIVATION_HARD_SWISH:
		return 2 * fabs((double)activation->a * x) + fabs((double)activation->b);
	case SLUICE_ACTIVATION_ELU:
	case SLUICE_ACTIVATION_SELU:
	case SLUICE_ACTIVATION_CELU:
		/* value + a is as good as a e^x. */
		return fabs(slope) + terms;
	case SLUICE_ACTIVATION_POWER:
	case SLUICE_ACTIVATION_EXPONENTIAL:
		return value != 0 ? fabs(slope) * (1 + terms / fabs(value)) : fabs(slope);
	default:
		return fabs(slope);
	}
}

/* A rounded a x + b inside an activation is an argument that is off by this much; of other kinds a x, or x itself. */
static double inner_rounding(const sluice_activation *activation, double x)
{
	double a = (double)activation->a, b = (double)activation->b;

	switch (activation->kind) {
	case SLUICE_ACTIVATION_HARD_SIGMOID:
	case SLUICE_ACTIVATION_HARD_SWISH:
	case SLUICE_ACTIVATION_POWER:
	case SLUICE_ACTIVATION_EXPONENTIAL:
	case SLUICE_ACTIVATION_LOGARITHM:
		return a != 0 ? 2 * UNIT * (fabs(x) + fabs(b / a)) : 0;
	case SLUICE_ACTIVATION_GELU_TANH:
		return 10 * UNIT * fabs(x);
	default:
		return 2 * UNIT * fabs(x);
	}
}

struct number sluice__bound_slope(const struct bound_work *work, const struct sluice__cell *cell, int which,
				  size_t unit, struct number argument, double limit, struct number value)
{
	const sluice_activation *activation = &cell->activations[which];
	double x = argument.value, reach = argument.error + inner_rounding(activation, x);
	double y, slope, below, above, terms, other, unused, error, from_value;

	evaluate(work, cell, which, unit, x, limit, &y, &slope, &terms);
	evaluate(work, cell, which, unit, x - reach, limit, &unused, &below, &other);
	evaluate(work, cell, which, unit, x + reach, limit, &unused, &above, &other);
	error = fmax(fabs(below - slope), fabs(above - slope));
	if (limit > 0 && fabs(fabs(x) - limit) <= reach) {
		/* Between the ends the slope falls to 0, from what it is where the clip begins. */
		evaluate(work, cell, which, unit, copysign(limit, x), 0, &unused, &below, &other);
		error = fmax(error, fabs(below - slope) + slope_error_from_value(activation, value));
	}
	error += 8 * UNIT * (slope_terms(activation, clipped(x, limit), y, slope, terms) + error);
	error += FLUSHES * (double)FLT_MIN;
	from_value = slope == 0 && limit > 0 ? 0 : slope_error_from_value(activation, value);
	return (struct number){slope, fmax(error, from_value)};
}
