/*
 * differences.h: central differences against the oracle's gradients.
 */
#ifndef SLUICE_TESTS_DIFFERENCES_H
#define SLUICE_TESTS_DIFFERENCES_H

#include "oracle_subject.h"

/*
 * The step of the differences. With L the loss, a central difference errs by delta^2/6 |L'''| from the series and by
 * about u |L| / delta from the rounding of L, with u = 2^-53. |L| is below LOSS_MAX, so at delta = 1e-5 rounding gives
 * at most 2e-8 and the series 2e-11 |L'''|: a tolerance of 1e-7 has room for |L'''| up to 4000 max(1, |g|), and no
 * more.
 */
#define DELTA 1e-5
#define TOLERANCE 1e-7
#define LOSS_MAX 1000
#define COORDINATES_MAX 500
#define DIRECTIONS 32
/* Nothing may be closer to a kink than this: 100 steps, because weights reach every pre-activation multiplied. */
#define KINK_DISTANCE 1e-3

/* The smallest distance of anything in the subject's run to a kink. */
static double kinks(const struct subject *subject)
{
	struct sluice__oracle_trace_f64 trace;
	double distance;

	forward(subject, &trace);
	distance = sluice__oracle_kinks_f64(&subject->network, &subject->run, &trace);
	sluice__oracle_trace_destroy_f64(&trace);
	return distance;
}

/* <dh_steps, h> + <dc_steps, c>, of every step. */
static double states_loss(const struct subject *subject, const struct sluice__oracle_trace_f64 *trace)
{
	const struct sluice__network *network = &subject->network;
	const double *dh = subject->run.dh_steps, *dc = subject->run.dc_steps;
	double sum = 0;

	if (!dh)
		return 0;
	for (size_t row = 0; row < subject->run.steps * subject->run.batch; row++)
		for (size_t index = 0; index < network->cell_count; index++) {
			const struct sluice__cell *cell = &network->cells[index];
			size_t h = row * network->h_width + cell->h_state, c = row * network->c_width + cell->c_state;

			size_t h_count = cell->places * cell->out, c_count = cell->places * cell->hidden;

			sum += dot(dh + h, trace->h[index] + row * h_count, h_count) +
			       dot(dc + c, trace->c[index] + row * c_count, c_count);
		}
	return sum;
}

/* L = <dy, y> + <dy_reverse, y_reverse> + <dh, h[final]> + <dc, c[final]> and the states of every step, whose
 * gradients are exactly what backward computes. */
static double loss(const struct subject *subject)
{
	struct sluice__oracle_trace_f64 trace;
	double sum;

	forward(subject, &trace);
	sum = dot(subject->run.dy, trace.y, y_count(subject)) +
	      dot(subject->run.dy_reverse, trace.y_reverse, y_count(subject)) +
	      dot(subject->run.dh, trace.hn, subject->data.h_count) +
	      dot(subject->run.dc, trace.cn, subject->data.c_count) + states_loss(subject, &trace);
	sluice__oracle_trace_destroy_f64(&trace);
	return sum;
}

/* The derivative of the loss along a direction, by central difference. */
static double difference(struct subject *subject, const double *direction, double *scratch)
{
	double up, down;

	memcpy(scratch, subject->vector, subject->count * sizeof(double));
	for (size_t index = 0; index < subject->count; index++)
		subject->vector[index] = scratch[index] + DELTA * direction[index];
	up = loss(subject);
	for (size_t index = 0; index < subject->count; index++)
		subject->vector[index] = scratch[index] - DELTA * direction[index];
	down = loss(subject);
	memcpy(subject->vector, scratch, subject->count * sizeof(double));
	return (up - down) / (2 * DELTA);
}

/* All gradients in the order of the subject's vector. A state that is not given has no coordinate in the loss, though
 * it has a gradient. */
static void gradient_vector(const struct subject *subject, double *gradient)
{
	const struct sluice__data *data = &subject->data;
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;

	forward(subject, &trace);
	backward(subject, &trace, &gradients);
	memcpy(gradient, gradients.dx, data->x_count * sizeof(double));
	gradient += data->x_count;
	memcpy(gradient, gradients.dh0, data->h_count * sizeof(double));
	memcpy(gradient + data->h_count, gradients.dc0, data->c_count * sizeof(double));
	if (!subject->run.h0)
		memset(gradient, 0, (data->h_count + data->c_count) * sizeof(double));
	gradient += data->h_count + data->c_count;
	memcpy(gradient, gradients.dparameters, data->parameter_count * sizeof(double));
	sluice__oracle_gradients_destroy_f64(&gradients);
	sluice__oracle_trace_destroy_f64(&trace);
}

/* Direction number `trial`: a coordinate while all fit in COORDINATES_MAX, else random of unit length. */
static void direction_make(size_t trial, size_t count, double *direction)
{
	if (count <= COORDINATES_MAX) {
		memset(direction, 0, count * sizeof(double));
		direction[trial] = 1;
		return;
	}
	for (size_t index = 0; index < count; index++) {
		float value;

		sluice__data_fill(trial * count + index, "direction", 1, 1, &value);
		direction[index] = (double)value * sqrt(3 / (double)count);
	}
}

/* Fails the test if a gradient is not that of the loss. Returns the worst error beside max(1, |g|). */
static double check_differences(const char *name, struct subject *subject)
{
	double *gradient, *direction, *scratch, largest = 0, worst = 0;
	size_t count = subject->count, trials = count <= COORDINATES_MAX ? count : DIRECTIONS;

	gradient = malloc(3 * count * sizeof(double));
	assert_non_null(gradient);
	assert_true(kinks(subject) >= KINK_DISTANCE);
	direction = gradient + count;
	scratch = direction + count;
	gradient_vector(subject, gradient);
	for (size_t index = 0; index < count; index++)
		largest = fmax(largest, fabs(gradient[index]));
	assert_true(largest > 1e-3);
	assert_true(fabs(loss(subject)) < LOSS_MAX);
	for (size_t trial = 0; trial < trials; trial++) {
		double error;

		direction_make(trial, count, direction);
		error = fabs(difference(subject, direction, scratch) - dot(gradient, direction, count));
		worst = fmax(worst, error / fmax(1, largest));
		if (!(error <= TOLERANCE * fmax(1, largest)))
			fail_msg("%s: direction %zu of %zu is off by %g, largest gradient %g", name, trial, trials,
				 error, largest);
	}
	free(gradient);
	return worst;
}

#endif
