/*
 * test_bound.c: the computed bounds hold for honest f32 arithmetic and catch one operand of lower precision.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "judgement.h"

/* The largest share of its bound that an error of one array takes. */
static double share(const float *values, const double *exact, const double *bounds, size_t count)
{
	double worst = 0;

	for (size_t index = 0; index < count; index++)
		if (bounds[index] > 0)
			worst = fmax(worst, fabs((double)values[index] - exact[index]) / bounds[index]);
	return worst;
}

/* Shares of all results of the plain f32 transcription, forward and backward. */
static void transcribe(const struct sluice__judgement *judgement, const float *parameters, double *forward,
		       double *backward)
{
	const struct sluice__exercise *forced = &judgement->forced;
	const struct sluice__bound *bound = &judgement->bound;
	const struct sluice__network *network = &judgement->network;
	size_t rows = forced->run.batch, states = rows * network->h_width;
	struct sluice__oracle_run_f32 run = forced->run;
	struct sluice__oracle_trace_f32 trace;
	struct sluice__oracle_gradients_f32 gradients;

	run.parameters = parameters;
	assert_int_equal(sluice__oracle_forward_f32(network, &run, &trace), SLUICE_OK);
	assert_int_equal(sluice__oracle_backward_f32(network, &run, &trace, &gradients), SLUICE_OK);
	*forward = share(trace.y, forced->trace.y, bound->y, rows * network->outputs);
	*forward = fmax(*forward, share(trace.hn, forced->trace.hn, bound->hn, states));
	*forward = fmax(*forward, share(trace.cn, forced->trace.cn, bound->cn, states));
	*backward = share(gradients.dx, forced->gradients.dx, bound->dx, rows * network->inputs);
	*backward = fmax(*backward, share(gradients.dh0, forced->gradients.dh0, bound->dh0, states));
	*backward = fmax(*backward, share(gradients.dc0, forced->gradients.dc0, bound->dc0, states));
	*backward = fmax(*backward, share(gradients.dparameters, forced->gradients.dparameters, bound->dparameters,
					  network->parameter_count));
	sluice__oracle_gradients_destroy_f32(&gradients);
	sluice__oracle_trace_destroy_f32(&trace);
}

/* The 8 upper bits of a significand: what bfloat16 keeps, here by truncation. */
static float truncated(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	bits &= 0xffff0000u;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Of 16 weights, the one that truncation changes most: a weight that bfloat16 can hold would show nothing. */
static float *most_changed(float *weights)
{
	float *most = weights;

	for (int index = 1; index < 16; index++)
		if (fabsf(weights[index] - truncated(weights[index])) > fabsf(*most - truncated(*most)))
			most = weights + index;
	return most;
}

static const char *const PROBLEMS[] = {"t20n3i2h1", "t20n7i9h17rev", "t10n3i5h9l2bi", "t5n2i30h150"};

static struct sluice__judgement *judgement_of(const char *text)
{
	struct sluice__verify_options options = {.outputs = 3, .dropout = 0.25f, .seed = 5};
	struct sluice__judgement *judgement = malloc(sizeof(*judgement));
	struct sluice__problem problem;

	assert_non_null(judgement);
	assert_int_equal(sluice__problem_parse(text, &problem), SLUICE_OK);
	assert_int_equal(sluice__judgement_create(&problem, &options, judgement), SLUICE_OK);
	return judgement;
}

/* Honest arithmetic stays within its bounds, and comes within a factor of 200 of them: they are not empty promises. */
static void test_honest(void **state)
{
	(void)state;
	for (size_t index = 0; index < sizeof(PROBLEMS) / sizeof(PROBLEMS[0]); index++) {
		struct sluice__judgement *judgement = judgement_of(PROBLEMS[index]);
		double forward, backward;

		transcribe(judgement, judgement->data.parameters, &forward, &backward);
		print_message("%s: %.3f of the bound forward, %.3f backward\n", PROBLEMS[index], forward, backward);
		assert_true(forward <= 1 && forward > 0.005);
		assert_true(backward <= 1 && backward > 0.005);
		sluice__judgement_destroy(judgement);
		free(judgement);
	}
}

/* One weight of W, R or the read-out in bfloat16 is beyond the bounds. */
static void test_low_precision(void **state)
{
	(void)state;
	for (size_t index = 0; index < sizeof(PROBLEMS) / sizeof(PROBLEMS[0]); index++) {
		struct sluice__judgement *judgement = judgement_of(PROBLEMS[index]);
		const struct sluice__network *network = &judgement->network;
		size_t places[] = {network->cells[0].weight_ih, network->cells[0].weight_hh, network->readout_weight};

		for (size_t place = 0; place < 3; place++) {
			float *weight = most_changed(judgement->data.parameters + places[place]), former = *weight;
			double forward, backward;

			*weight = truncated(former);
			assert_true(*weight != former);
			transcribe(judgement, judgement->data.parameters, &forward, &backward);
			*weight = former;
			if (forward <= 1)
				fail_msg("%s: weight %zu in bfloat16 is only %.3f of the bound", PROBLEMS[index], place,
					 forward);
		}
		sluice__judgement_destroy(judgement);
		free(judgement);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_honest), cmocka_unit_test(test_low_precision)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
