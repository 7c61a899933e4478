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

enum {
	NO_DY = 1,
	NO_DFINAL = 2,
	NO_INITIAL = 4,
	GIVEN_MASK = 8,
	EVALUATION = 16,
	LAST_ONLY = 32,
	STATE_GRADIENTS = 64 /* of h and c of every step */
};

/* A network and its inputs in double: one vector of everything that has a gradient. */
struct subject {
	struct sluice__network network;
	struct sluice__data data;
	struct sluice__oracle_run_f64 run;
	size_t count; /* elements of the vector: x, h0, c0, parameters */
	double *vector, *mask;
	double *given; /* gradients that come in */
};

static const uint64_t SEQUENCES[] = {5, UINT64_C(0x123456789abc), 2, 77};

static double *widened(const float *values, size_t count, double *out)
{
	for (size_t index = 0; index < count; index++)
		out[index] = (double)values[index];
	return out;
}

/* The same into the next numbers of a block; NULL stays NULL. */
static double *widened_next(const float *values, size_t count, double **next)
{
	double *start = *next;

	if (!values)
		return NULL;
	*next += count;
	return widened(values, count, start);
}

/* Gradients that come in, as many as the flags want. */
static void gradients_give(struct subject *subject, unsigned flags)
{
	const struct sluice__data *data = &subject->data;
	struct sluice__oracle_run_f64 *run = &subject->run;
	size_t rows = run->steps * run->batch, h = rows * subject->network.h_width, c = rows * subject->network.c_width;
	double *next = malloc((2 * data->y_count + data->h_count + data->c_count + h + c) * sizeof(double));

	assert_non_null(next);
	subject->given = next;
	if (!(flags & NO_DY)) {
		run->dy = widened_next(data->dy, data->y_count, &next);
		run->dy_reverse = widened_next(data->dy_reverse, data->y_count, &next);
	}
	if (!(flags & NO_DFINAL)) {
		run->dh = widened_next(data->dh, data->h_count, &next);
		run->dc = widened_next(data->dc, data->c_count, &next);
	}
	run->dh_steps = widened_next(data->dh_steps, h, &next);
	run->dc_steps = widened_next(data->dc_steps, c, &next);
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

static inline void subject_create(const sluice_description *description, size_t steps, size_t batch, unsigned flags,
				  uint64_t seed, struct subject *subject)
{
	struct sluice__data *data = &subject->data;
	const struct sluice__setting setting = {.description = description,
						.steps = steps,
						.batch = batch,
						.seed = seed,
						.state_gradients = (flags & STATE_GRADIENTS) != 0};

	if (sluice__network_create(description, NULL, 0, 0, &subject->network) != SLUICE_OK)
		fail_msg("%s", sluice_last_message());
	assert_true(batch <= sizeof(SEQUENCES) / sizeof(SEQUENCES[0]));
	assert_int_equal(sluice__data_of_setting(&subject->network, &setting, data), SLUICE_OK);
	subject->count = data->x_count + data->h_count + data->c_count + data->parameter_count;
	subject->vector = malloc(subject->count * sizeof(double));
	assert_non_null(subject->vector);
	subject->mask = mask_create(&subject->network, steps * batch, seed);
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
	};
	gradients_give(subject, flags);
	if (flags & NO_INITIAL)
		subject->run.h0 = subject->run.c0 = NULL;
}

static inline void subject_destroy(struct subject *subject)
{
	free(subject->vector);
	free(subject->mask);
	free(subject->given);
	sluice__data_destroy(&subject->data);
	sluice__network_destroy(&subject->network);
}

static inline void forward(const struct subject *subject, struct sluice__oracle_trace_f64 *trace)
{
	assert_int_equal(sluice__oracle_forward_f64(&subject->network, &subject->run, trace), SLUICE_OK);
}

static inline void backward(const struct subject *subject, const struct sluice__oracle_trace_f64 *trace,
			    struct sluice__oracle_gradients_f64 *gradients)
{
	assert_int_equal(sluice__oracle_backward_f64(&subject->network, &subject->run, trace, gradients), SLUICE_OK);
}

static inline double dot(const double *a, const double *b, size_t count)
{
	double sum = 0;

	for (size_t index = 0; a && index < count; index++)
		sum += a[index] * b[index];
	return sum;
}

/* Elements of y. */
static inline size_t y_count(const struct subject *subject)
{
	return subject->run.last_only ? subject->data.y_count / subject->run.steps : subject->data.y_count;
}

#endif
