/*
 * oracle_subject.h: a network with random inputs in double, for all tests of the oracle.
 */
#ifndef SLUICE_TESTS_ORACLE_SUBJECT_H
#define SLUICE_TESTS_ORACLE_SUBJECT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "oracle.h"

enum { NO_DY = 1, NO_DFINAL = 2, NO_INITIAL = 4, GIVEN_MASK = 8, EVALUATION = 16, LAST_ONLY = 32 };

/* A network and its inputs in double: one vector of everything that has a gradient. */
struct subject {
	struct sluice__network network;
	struct sluice__data data;
	struct sluice__oracle_run_f64 run;
	size_t count; /* elements of the vector: x, h0, c0, parameters */
	double *vector, *dy, *dh, *dc, *mask;
};

static const uint64_t SEQUENCES[] = {5, UINT64_C(0x123456789abc), 2};

static double *widened(const float *values, size_t count, double *out)
{
	for (size_t index = 0; index < count; index++)
		out[index] = (double)values[index];
	return out;
}

/* A mask between 0.25 and 1.25 for every step, row and unit; other shapes use its first numbers. */
static double *mask_create(const struct sluice__network *network, size_t rows, uint64_t seed)
{
	size_t count = rows * network->h_width;
	float *values = malloc(count * sizeof(*values));
	double *mask = malloc(count * sizeof(*mask));

	assert_non_null(values);
	assert_non_null(mask);
	sluice__data_fill(seed, "mask", 0.5f, count, values);
	for (size_t index = 0; index < count; index++)
		mask[index] = 0.75 + (double)values[index];
	free(values);
	return mask;
}

static void subject_create(const sluice_description *description, size_t steps, size_t batch, unsigned flags,
			   uint64_t seed, struct subject *subject)
{
	struct sluice__data *data = &subject->data;

	if (sluice__network_create(description, NULL, 0, 0, &subject->network) != SLUICE_OK)
		fail_msg("%s", sluice_last_message());
	assert_int_equal(sluice__data_create(&subject->network, steps, batch, seed, data), SLUICE_OK);
	subject->count = data->x_count + data->h_count + data->c_count + data->parameter_count;
	subject->vector = malloc((subject->count + data->y_count + data->h_count + data->c_count) * sizeof(double));
	assert_non_null(subject->vector);
	subject->mask = mask_create(&subject->network, steps * batch, seed);
	subject->dy = subject->vector + subject->count;
	subject->dh = subject->dy + data->y_count;
	subject->dc = subject->dh + data->h_count;
	subject->run = (struct sluice__oracle_run_f64){
		.steps = steps,
		.batch = batch,
		.x = widened(data->x, data->x_count, subject->vector),
		.h0 = widened(data->h0, data->h_count, subject->vector + data->x_count),
		.c0 = widened(data->c0, data->c_count, subject->vector + data->x_count + data->h_count),
		.parameters = widened(data->parameters, data->parameter_count,
				      subject->vector + data->x_count + data->h_count + data->c_count),
		.training = !(flags & EVALUATION),
		.seed = UINT64_C(0xfedcba9876543210),
		.step_offset = UINT64_C(0xfffffffe), /* crosses 2^32 inside the run */
		.sequence_ids = SEQUENCES,
		.mask = flags & GIVEN_MASK ? subject->mask : NULL,
		.last_only = (flags & LAST_ONLY) != 0,
		.terms = 1,
		.dy = flags & NO_DY ? NULL : widened(data->dy, data->y_count, subject->dy),
		.dh = flags & NO_DFINAL ? NULL : widened(data->dh, data->h_count, subject->dh),
		.dc = flags & NO_DFINAL ? NULL : widened(data->dc, data->c_count, subject->dc),
	};
	if (flags & NO_INITIAL)
		subject->run.h0 = subject->run.c0 = NULL;
}

static void subject_destroy(struct subject *subject)
{
	free(subject->vector);
	free(subject->mask);
	sluice__data_destroy(&subject->data);
	sluice__network_destroy(&subject->network);
}

static void forward(const struct subject *subject, struct sluice__oracle_trace_f64 *trace)
{
	assert_int_equal(sluice__oracle_forward_f64(&subject->network, &subject->run, trace), SLUICE_OK);
}

static void backward(const struct subject *subject, const struct sluice__oracle_trace_f64 *trace,
		     struct sluice__oracle_gradients_f64 *gradients)
{
	assert_int_equal(sluice__oracle_backward_f64(&subject->network, &subject->run, trace, gradients), SLUICE_OK);
}

static double dot(const double *a, const double *b, size_t count)
{
	double sum = 0;

	for (size_t index = 0; a && index < count; index++)
		sum += a[index] * b[index];
	return sum;
}

/* Elements of y. */
static size_t y_count(const struct subject *subject)
{
	return subject->run.last_only ? subject->data.y_count / subject->run.steps : subject->data.y_count;
}

#endif
