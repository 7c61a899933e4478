/*
 * test_oracle.c: finite differences judge the oracle's gradients, typed-in numbers and reference vectors the rest.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "philox_known.h"
#include "data.h"
#include "oracle.h"
#include "random.h"

/*
 * The step of the differences. With L the loss, a central difference errs by delta^2/6 |L'''| from the series and by
 * about u |L| / delta from the rounding of L, with u = 2^-53. |L| is below 100 here, so at delta = 1e-5 rounding gives
 * at most 2e-9 and the series 2e-11 |L'''|: a tolerance of 1e-7 has room for |L'''| up to 5000 max(1, |g|), and no
 * more.
 */
#define DELTA 1e-5
#define TOLERANCE 1e-7
#define COORDINATES_MAX 500
#define DIRECTIONS 32

struct layer {
	size_t hidden;
	int direction;
	float dropout;
	int no_bias;
};

enum { FORWARD = SLUICE_FORWARD, REVERSE = SLUICE_REVERSE, BOTH = SLUICE_BIDIRECTIONAL };
enum { NO_DY = 1, NO_DFINAL = 2, NO_INITIAL = 4 };

struct oracle_case {
	const char *name;
	size_t steps, batch, inputs, outputs;
	unsigned without;
	struct layer layers[3]; /* up to the first without units */
};

static const struct oracle_case CASES[] = {
	{"one unit, one step", 1, 1, 1, 0, 0, {{1, FORWARD, 0, 0}}},
	{"forward", 20, 2, 3, 0, 0, {{4, FORWARD, 0, 0}}},
	{"reverse", 20, 2, 3, 0, 0, {{4, REVERSE, 0, 0}}},
	{"bidirectional", 9, 2, 3, 0, 0, {{3, BOTH, 0, 0}}},
	{"no bias", 7, 3, 2, 0, 0, {{4, BOTH, 0, 1}}},
	{"no initial state", 7, 3, 2, 0, NO_INITIAL, {{4, FORWARD, 0, 0}}},
	{"without dy", 7, 3, 2, 0, NO_DY, {{4, BOTH, 0, 0}}},
	{"without dfinal", 7, 3, 2, 0, NO_DFINAL, {{4, BOTH, 0, 0}}},
	{"two layers", 6, 2, 3, 0, 0, {{4, FORWARD, 0, 0}, {3, FORWARD, 0, 1}}},
	{"three layers", 5, 2, 2, 0, 0, {{3, BOTH, 0, 0}, {2, REVERSE, 0, 0}, {4, BOTH, 0, 0}}},
	{"read-out", 8, 2, 3, 5, 0, {{4, FORWARD, 0, 0}}},
	{"dropout", 6, 3, 3, 2, 0, {{5, BOTH, 0.3f, 0}, {4, FORWARD, 0.5f, 0}}},
	{"dropout with nothing behind it", 6, 2, 3, 0, 0, {{4, FORWARD, 0.5f, 0}}},
	{"large", 20, 3, 9, 6, 0, {{11, BOTH, 0.2f, 0}, {17, REVERSE, 0, 0}, {8, FORWARD, 0.4f, 0}}},
};

static const struct oracle_case *case_named(const char *name)
{
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++)
		if (strcmp(CASES[index].name, name) == 0)
			return &CASES[index];
	fail_msg("no case %s", name);
	return NULL;
}

/* A case's network and its inputs in double: one vector of everything that has a gradient. */
struct subject {
	struct sluice__network network;
	struct sluice__data data;
	struct sluice__oracle_run_f64 run;
	size_t count; /* elements of the vector: x, h0, c0, parameters */
	double *vector, *dy, *dh, *dc;
};

static const uint64_t SEQUENCES[] = {5, UINT64_C(0x123456789abc), 2};

static double *widened(const float *values, size_t count, double *out)
{
	for (size_t index = 0; index < count; index++)
		out[index] = (double)values[index];
	return out;
}

static void subject_create(const struct oracle_case *one, struct subject *subject)
{
	sluice_layer layers[3];
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	struct sluice__data *data = &subject->data;

	for (size_t index = 0; index < 3 && one->layers[index].hidden; index++) {
		description.layer_count = index + 1;
		layers[index] = (sluice_layer)SLUICE_LAYER_INIT;
		layers[index].hidden = one->layers[index].hidden;
		layers[index].direction = (sluice_direction)one->layers[index].direction;
		layers[index].no_bias = one->layers[index].no_bias;
		layers[index].dropout = one->layers[index].dropout;
	}
	description.inputs = one->inputs;
	description.outputs = one->outputs;
	description.layers = layers;
	assert_int_equal(sluice__network_create(&description, NULL, 0, 0, &subject->network), SLUICE_OK);
	assert_int_equal(sluice__data_create(&subject->network, one->steps, one->batch, 11, data), SLUICE_OK);

	subject->count = data->x_count + data->h_count + data->c_count + data->parameter_count;
	subject->vector = malloc((subject->count + data->y_count + data->h_count + data->c_count) * sizeof(double));
	assert_non_null(subject->vector);
	subject->dy = subject->vector + subject->count;
	subject->dh = subject->dy + data->y_count;
	subject->dc = subject->dh + data->h_count;
	subject->run = (struct sluice__oracle_run_f64){
		.steps = one->steps,
		.batch = one->batch,
		.x = widened(data->x, data->x_count, subject->vector),
		.h0 = widened(data->h0, data->h_count, subject->vector + data->x_count),
		.c0 = widened(data->c0, data->c_count, subject->vector + data->x_count + data->h_count),
		.parameters = widened(data->parameters, data->parameter_count,
				      subject->vector + data->x_count + data->h_count + data->c_count),
		.training = 1,
		.seed = UINT64_C(0xfedcba9876543210),
		.step_offset = UINT64_C(0xfffffffe), /* crosses 2^32 inside the run */
		.sequence_ids = SEQUENCES,
		.dy = one->without & NO_DY ? NULL : widened(data->dy, data->y_count, subject->dy),
		.dh = one->without & NO_DFINAL ? NULL : widened(data->dh, data->h_count, subject->dh),
		.dc = one->without & NO_DFINAL ? NULL : widened(data->dc, data->c_count, subject->dc),
	};
	if (one->without & NO_INITIAL)
		subject->run.h0 = subject->run.c0 = NULL;
}

static void subject_destroy(struct subject *subject)
{
	free(subject->vector);
	sluice__data_destroy(&subject->data);
	sluice__network_destroy(&subject->network);
}

static double dot(const double *a, const double *b, size_t count)
{
	double sum = 0;

	for (size_t index = 0; a && index < count; index++)
		sum += a[index] * b[index];
	return sum;
}

/* L = <dy, y> + <dh, h[final]> + <dc, c[final]>, whose gradients are exactly what backward computes. */
static double loss(const struct subject *subject)
{
	struct sluice__oracle_trace_f64 trace;
	double sum;

	assert_int_equal(sluice__oracle_forward_f64(&subject->network, &subject->run, &trace), SLUICE_OK);
	sum = dot(subject->run.dy, trace.y, subject->data.y_count) +
	      dot(subject->run.dh, trace.hn, subject->data.h_count) +
	      dot(subject->run.dc, trace.cn, subject->data.c_count);
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

/* All gradients in the order of the subject's vector. */
static void gradient_vector(const struct subject *subject, double *gradient)
{
	const struct sluice__data *data = &subject->data;
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;

	assert_int_equal(sluice__oracle_forward_f64(&subject->network, &subject->run, &trace), SLUICE_OK);
	assert_int_equal(sluice__oracle_backward_f64(&subject->network, &subject->run, &trace, &gradients), SLUICE_OK);
	memcpy(gradient, gradients.dx, data->x_count * sizeof(double));
	gradient += data->x_count;
	memcpy(gradient, gradients.dh0, data->h_count * sizeof(double));
	gradient += data->h_count;
	memcpy(gradient, gradients.dc0, data->c_count * sizeof(double));
	gradient += data->c_count;
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

static void check_case(const struct oracle_case *one)
{
	struct subject subject;
	double *gradient, *direction, *scratch, largest = 0, worst = 0;
	size_t count, trials;

	subject_create(one, &subject);
	count = subject.count;
	trials = count <= COORDINATES_MAX ? count : DIRECTIONS;
	gradient = malloc(3 * count * sizeof(double));
	assert_non_null(gradient);
	direction = gradient + count;
	scratch = direction + count;
	gradient_vector(&subject, gradient);
	/* A state that is not given has no coordinate in the loss, though it has a gradient. */
	if (one->without & NO_INITIAL)
		memset(gradient + subject.data.x_count, 0,
		       (subject.data.h_count + subject.data.c_count) * sizeof(double));
	for (size_t index = 0; index < count; index++)
		largest = fmax(largest, fabs(gradient[index]));
	assert_true(largest > 1e-3);
	for (size_t trial = 0; trial < trials; trial++) {
		double error;

		direction_make(trial, count, direction);
		error = fabs(difference(&subject, direction, scratch) - dot(gradient, direction, count));
		worst = fmax(worst, error);
		if (error > TOLERANCE * fmax(1, largest))
			fail_msg("%s: direction %zu of %zu is off by %g, largest gradient %g", one->name, trial, trials,
				 error, largest);
	}
	print_message("%s: %zu directions, worst error %.1e, largest gradient %.2g\n", one->name, trials, worst,
		      largest);
	free(gradient);
	subject_destroy(&subject);
}

static void test_finite_differences(void **state)
{
	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++)
		check_case(&CASES[index]);
}

/* A cell worked out by hand from the equations: T=2, N=1, I=1, H=1. Twelve decimals are given. */
static void test_typed_in(void **state)
{
	static const double X[] = {1, -2}, H0[] = {0.3}, C0[] = {-0.4}, DY[] = {1, 1};
	static const double H[] = {0.066238269444, -0.091652483483}, C[] = {0.112928762249, -0.195776326754};
	static const double DX[] = {0.427657017426, -0.040068524988}, DH0[] = {-0.262542522204},
			    DC0[] = {0.437470368671};
	static const double W[] = {0.5, -0.3, 0.8, 0.1}, R[] = {0.2, 0.4, -0.6, 0.7}, B[] = {0.1, 0.2, -0.1, 0.05};
	static const double DW[] = {0.270302944667, -0.108445008003, 0.409875878633, 0.122083897612};
	static const double DB[] = {0.004287291743, -0.075706239239, 0.456230235960, -0.022512139747};
	struct oracle_case one = {"typed in", 2, 1, 1, 0, NO_DFINAL, {{1, FORWARD, 0, 0}}};
	struct subject subject;
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;
	const struct sluice__cell *cell;
	double *parameters;

	(void)state;
	subject_create(&one, &subject);
	cell = subject.network.cells;
	parameters = subject.vector + subject.data.x_count + 2;
	memcpy(parameters + cell->weight_ih, W, sizeof(W));
	memcpy(parameters + cell->weight_hh, R, sizeof(R));
	memcpy(parameters + cell->bias, B, sizeof(B));
	subject.run.x = X;
	subject.run.h0 = H0;
	subject.run.c0 = C0;
	subject.run.dy = DY;
	assert_int_equal(sluice__oracle_forward_f64(&subject.network, &subject.run, &trace), SLUICE_OK);
	assert_int_equal(sluice__oracle_backward_f64(&subject.network, &subject.run, &trace, &gradients), SLUICE_OK);
	for (size_t t = 0; t < 2; t++) {
		assert_true(fabs(trace.y[t] - H[t]) < 1e-12);
		assert_true(fabs(trace.c[0][t] - C[t]) < 1e-12);
		assert_true(fabs(gradients.dx[t] - DX[t]) < 1e-12);
	}
	for (size_t gate = 0; gate < 4; gate++) {
		assert_true(fabs(gradients.dparameters[cell->weight_ih + gate] - DW[gate]) < 1e-12);
		assert_true(fabs(gradients.dparameters[cell->bias + gate] - DB[gate]) < 1e-12);
	}
	assert_true(fabs(gradients.dh0[0] - DH0[0]) < 1e-12);
	assert_true(fabs(gradients.dc0[0] - DC0[0]) < 1e-12);
	sluice__oracle_gradients_destroy_f64(&gradients);
	sluice__oracle_trace_destroy_f64(&trace);
	subject_destroy(&subject);
}

static void test_philox(void **state)
{
	(void)state;
	assert_philox(sluice__oracle_philox);
}

/* Kept units have one value, dropped ones are zero, the share is 1-p within five deviations, and no counter is shared.
 */
static void test_dropout(void **state)
{
	static const float RATES[] = {0.1f, 0.5f, 0.9f};
	size_t count = 40000, kept, equal;

	(void)state;
	for (size_t rate = 0; rate < 3; rate++) {
		double p = (double)RATES[rate];

		kept = 0;
		for (size_t unit = 0; unit < count; unit++) {
			float factor = sluice__oracle_dropout(RATES[rate], 3, 1, 0, unit, 9, 4);

			assert_true(factor == 0 || factor == (float)(1 / (1 - p)));
			kept += factor != 0;
		}
		assert_true(fabs((double)kept - (1 - p) * (double)count) < 5 * sqrt(p * (1 - p) * (double)count));
	}
	for (int place = 0; place < 7; place++) {
		equal = 0;
		for (size_t unit = 0; unit < count; unit++)
			equal += sluice__oracle_dropout(0.5f, 3, 1, 0, unit, 9, 4) ==
				 sluice__oracle_dropout(0.5f,
							place == 0   ? 4
							: place == 6 ? UINT64_C(3) << 32
								     : 3,
							place == 1 ? 2 : 1, place == 2, unit,
							place == 3   ? 10
							: place == 4 ? 9 + (UINT64_C(1) << 33)
								     : 9,
							place == 5 ? 4 + (UINT64_C(1) << 40) : 4);
		assert_true(fabs((double)equal - 0.5 * (double)count) < 5 * 0.5 * sqrt((double)count));
	}
}

/* Without training, dropout does nothing at all. */
static void test_dropout_off(void **state)
{
	const struct oracle_case *one = case_named("dropout");
	struct subject subject;
	struct sluice__oracle_trace_f64 plain, dropped;

	(void)state;
	subject_create(one, &subject);
	assert_int_equal(sluice__oracle_forward_f64(&subject.network, &subject.run, &dropped), SLUICE_OK);
	subject.run.training = 0;
	assert_int_equal(sluice__oracle_forward_f64(&subject.network, &subject.run, &plain), SLUICE_OK);
	assert_memory_not_equal(plain.y, dropped.y, subject.data.y_count * sizeof(double));
	sluice__oracle_trace_destroy_f64(&dropped);
	subject.network.dropouts[0] = subject.network.dropouts[1] = 0;
	subject.run.training = 1;
	assert_int_equal(sluice__oracle_forward_f64(&subject.network, &subject.run, &dropped), SLUICE_OK);
	assert_memory_equal(plain.y, dropped.y, subject.data.y_count * sizeof(double));
	sluice__oracle_trace_destroy_f64(&plain);
	sluice__oracle_trace_destroy_f64(&dropped);
	subject_destroy(&subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_philox),
		cmocka_unit_test(test_dropout),
		cmocka_unit_test(test_dropout_off),
		cmocka_unit_test(test_typed_in),
		cmocka_unit_test(test_finite_differences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
