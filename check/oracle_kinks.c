/*
 * oracle_kinks.c: how far a run is from the places where slopes jump, so that nobody is judged there; and rounding to
 * the narrow types of data.
 */
#include "oracle.h"

#include <math.h>

double sluice__oracle_round(sluice_dtype type, double value)
{
	static const struct {
		int digits, lowest;
		double largest;
	} F16 = {11, -14, 65504}, BF16 = {8, -126, 0x1.fep127}, *format;
	double quantum, rounded;
	int exponent;

	if ((type != SLUICE_F16 && type != SLUICE_BF16) || !isfinite(value) || value == 0)
		return value;
	format = type == SLUICE_F16 ? &F16 : &BF16;
	frexp(value, &exponent);
	/* value is below 2^exponent; subnormal numbers share the spacing of the smallest normal ones. */
	exponent = exponent - 1 < format->lowest ? format->lowest : exponent - 1;
	quantum = ldexp(1, exponent - (format->digits - 1));
	rounded = rint(value / quantum) * quantum;
	return fabs(rounded) > format->largest ? copysign(INFINITY, value) : rounded;
}

/* ------------------------------------------------------------------------------------------------- kinks ---- */

/* Where x = place, or nowhere if that is not a number. */
static double to(double x, double place)
{
	return isfinite(place) ? fabs(x - place) : INFINITY;
}

/* Where a x + b = value. */
static double to_sum(const sluice_activation *v, double x, double value)
{
	return v->a == 0 ? INFINITY : to(x, (value - (double)v->b) / (double)v->a);
}

/* min(b, leaky_relu(x)) bends at 0 and on each side where it meets b. */
static double to_clipped_relu(const sluice_activation *v, double x)
{
	double a = (double)v->a, b = (double)v->b, nearest = to(x, 0);

	if (b >= 0)
		nearest = fmin(nearest, to(x, b));
	if (a != 0 && b / a < 0)
		nearest = fmin(nearest, to(x, b / a));
	return nearest;
}

double sluice__oracle_kink_distance(const sluice_activation *v, double parameter, double x)
{
	double a = (double)v->a, b = (double)v->b, c = (double)v->c;

	if (isnan(x))
		return 0;
	switch (v->kind) {
	case SLUICE_ACTIVATION_RELU:
	case SLUICE_ACTIVATION_ABS:
	case SLUICE_ACTIVATION_SOFTSIGN:
	case SLUICE_ACTIVATION_ELU:
	case SLUICE_ACTIVATION_SELU:
	case SLUICE_ACTIVATION_CELU:
		return to(x, 0);
	case SLUICE_ACTIVATION_LEAKY_RELU:
		return a == 1 ? INFINITY : to(x, 0);
	case SLUICE_ACTIVATION_PRELU:
		return parameter == 1 ? INFINITY : to(x, 0);
	case SLUICE_ACTIVATION_HARD_SIGMOID:
	case SLUICE_ACTIVATION_HARD_SWISH:
		return fmin(to_sum(v, x, 0), to_sum(v, x, 1));
	case SLUICE_ACTIVATION_CLIPPED_RELU:
		return to_clipped_relu(v, x);
	case SLUICE_ACTIVATION_CLAMP:
		return fmin(to(x, a), to(x, b));
	case SLUICE_ACTIVATION_POWER:
		return c >= 0 && rint(c) == c ? INFINITY : to_sum(v, x, 0);
	case SLUICE_ACTIVATION_LOGARITHM:
		return to_sum(v, x, 0);
	case SLUICE_ACTIVATION_HARD_SHRINK:
	case SLUICE_ACTIVATION_SOFT_SHRINK:
		return fmin(to(x, a), to(x, -a));
	case SLUICE_ACTIVATION_THRESHOLD:
		return to(x, a);
	default:
		return INFINITY;
	}
}

/* Distance to a clip and, where it holds nothing back, to the activation's kinks behind it. which is -1 for none. */
static double clip_distance(const struct sluice__cell *cell, const double *parameters, int which, size_t unit,
			    float limit, double value)
{
	double clip = limit != 0 ? fabs(fabs(value) - (double)limit) : INFINITY, parameter = 0;

	if (which < 0 || (limit != 0 && fabs(value) >= (double)limit))
		return isnan(value) ? 0 : clip;
	if (cell->prelu != SLUICE__NONE)
		parameter = parameters[cell->prelu + (size_t)which * cell->hidden + unit];
	return fmin(clip, sluice__oracle_kink_distance(&cell->activations[which], parameter, value));
}

/* The smallest distance at one place in one step of one row of one cell. */
static double place_distance(const struct sluice__cell *cell, const double *parameters, const double *a,
			     const double *p, const double *pq)
{
	double nearest = INFINITY;

	for (size_t unit = 0; unit < cell->hidden; unit++) {
		for (int gate = 0; gate < 4; gate++)
			if (sluice__cell_computes(cell, gate))
				nearest = fmin(nearest, clip_distance(cell, parameters, gate, unit, cell->gate_clip,
								      a[(size_t)gate * cell->hidden + unit]));
		nearest = fmin(nearest,
			       clip_distance(cell, parameters, SLUICE__CELL_OUTPUT, unit, cell->cell_clip, p[unit]));
	}
	for (size_t k = 0; k < cell->out; k++)
		nearest = fmin(nearest, clip_distance(cell, parameters, -1, k, cell->projection_clip, pq[k]));
	return nearest;
}

double sluice__oracle_kinks_f64(const struct sluice__network *network, const struct sluice__oracle_run_f64 *run,
				const struct sluice__oracle_trace_f64 *trace)
{
	double nearest = INFINITY;

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		for (size_t at = 0; at < run->steps * run->batch * cell->places; at++) {
			size_t row = at / cell->places;

			if (!sluice__oracle_computes_step_f64(run, row / run->batch, row % run->batch))
				continue;
			nearest = fmin(nearest,
				       place_distance(cell, run->parameters, trace->a[index] + at * 4 * cell->hidden,
						      trace->p[index] + at * cell->hidden,
						      trace->pq[index] + at * cell->out));
		}
	}
	return nearest;
}
