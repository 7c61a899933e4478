/*
 * test_bnns.c: BNNS's LSTM against its reference, in every form that its structs can take.
 *
 * Tolerances are bounds of f32 arithmetic that the reference computes along with each number (bnns_number.h): no one
 * chose them. With data of 16 bits the reference rounds h where the header says that it is rounded, so that they stay
 * as narrow as with f32, but where a number lies so close to the border of two that either neighbour is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bnns_case.h"

enum { CASES = 500 };

/* A cache at any address is as good as where it was written. */
static void backward_moved(struct bnns_case *test)
{
	const size_t shift = 1 + (size_t)(test->spec.seed % 63);
	unsigned char *moved = malloc(test->capacity + 64);

	assert_non_null(moved);
	memcpy(moved + shift, test->cache, test->capacity);
	memset(test->cache, 0xA5, test->capacity);
	case_reset(test);
	if (case_backward(test, moved + shift, test->capacity) != 0)
		fail_msg("seed %zu: moved by %zu: %s", (size_t)test->spec.seed, shift, sluice_bnns_last_message());
	case_check_backward(test);
	free(moved);
}

static double forward(struct bnns_case *test, int with_cache)
{
	case_reset(test);
	if (case_forward(test, with_cache) != 0)
		fail_msg("seed %zu: forward: %s", (size_t)test->spec.seed, sluice_bnns_last_message());
	return case_check_forward(test);
}

static double backward(struct bnns_case *test, const void *cache, size_t capacity)
{
	case_reset(test);
	if (case_backward(test, cache, capacity) != 0)
		fail_msg("seed %zu: backward: %s", (size_t)test->spec.seed, sluice_bnns_last_message());
	return case_check_backward(test);
}

static double check_case(const struct bnns_spec *spec)
{
	struct bnns_case test;
	double worst;

	case_create(spec, NULL, 0, &test);
	worst = forward(&test, 0);
	worst = fmax(worst, forward(&test, 1));
	worst = fmax(worst, backward(&test, test.cache, test.capacity));
	worst = fmax(worst, backward(&test, NULL, 0));
	backward_moved(&test);
	case_destroy(&test);
	return worst;
}

static void test_random_cases(void **unused)
{
	(void)unused;
	double worst = 0;

	for (uint64_t seed = 0; seed < CASES; seed++) {
		struct bnns_spec spec;

		spec_draw(seed, &spec);
		worst = fmax(worst, check_case(&spec));
	}
	sluice_bnns_clear_cache();
	print_message("%zu numbers, the largest error %.2f of what it may be, %zu tolerances above 0.01\n",
		      bnns_tally.numbers, worst, bnns_tally.loose);
	/* Rigorous bounds are wide, but not so wide that they say nothing. */
	assert_true(worst > 0.05);
	assert_true(bnns_tally.loose < bnns_tally.numbers / 50);
}

/* The bounds notice what is least conspicuous: one weight, off by a part in five hundred. */
static void test_bounds_notice(void **unused)
{
	(void)unused;
	size_t noticed = 0, rounds = 50;

	for (uint64_t seed = 0; seed < rounds; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;
		struct bnns_results changed;
		double *weights;

		spec_draw(seed, &spec);
		spec.data = spec.states = spec.weights = BNNSDataTypeFloat32;
		spec.default_activations = 1;
		spec.layers = 1;
		spec.wanted[SLOT_Y] = 1;
		case_create(&spec, NULL, 0, &test);
		weights = test.iw[BNNS_CANDIDATE];
		weights[0] *= 1.002;
		assert_true(bnns_reference(&test.problem, &changed));
		noticed += fabs(changed.y[0].v - test.expected.y[0].v) > test.expected.y[0].e;
		bnns_results_destroy(&changed);
		case_destroy(&test);
	}
	assert_true(noticed > rounds * 8 / 10);
}

/* T = 2, all sizes 1, in f32: the values of the equations, computed elsewhere; without cell weights, and with them. */
static const double golden_h[2][2] = {{0.066238269444, -0.091652483483}, {0.036551805868, -0.104098898200}};
static const double golden_dx[2][2] = {{0.427657017426, -0.040068524988}, {0.405395203032, -0.035878306438}};
static const double golden_state[2][3] = {{-0.195776326754, -0.262542522204, 0.437470368671},
					  {-0.233204270626, -0.260323709308, 0.535637978357}};
static const double golden_dp[4] = {-0.037871649287, 0.033109132108, -0.168245000549, 0.014105335373};

static void set(BNNSNDArrayDescriptor *descriptor, float *data)
{
	descriptor->data = data;
	descriptor->data_type = BNNSDataTypeFloat32;
}

/* Values are below 1 and results of some 20 roundings, each of which later steps carry on at most doubled. */
static void assert_near(float found, double expected)
{
	const double tolerance = 40 * NUMBER_U;

	if (!(fabs((double)found - expected) <= tolerance))
		fail_msg("%.9g, expected %.9g within %.3g", (double)found, expected, tolerance);
}

static void check_golden(int peeks)
{
	float W[4] = {0.5f, -0.3f, 0.8f, 0.1f}, R[4] = {0.2f, 0.4f, -0.6f, 0.7f}, b[4] = {0.1f, 0.2f, -0.1f, 0.05f};
	float V[4] = {0.3f, -0.2f, 0.15f, 0.25f}, x[2] = {1, -2}, h0 = 0.3f, c0 = -0.4f, y[2], cn;
	float dy[2] = {1, 1}, dx[2], dh0, dc0, dp[4];
	BNNSLayerParametersLSTM layer = {
		.input_size = 1, .hidden_size = 1, .batch_size = 1, .num_layers = 1, .seq_len = 2};
	BNNSLayerParametersLSTM deltas;

	layer.lstm_flags = BNNSLayerFlagsLSTMDefaultActivations;
	deltas = layer;
	for (int gate = 0; gate < BNNS_GATES; gate++) {
		set(slot_descriptor(&layer, SLOT_IW + gate), &W[gate]);
		set(slot_descriptor(&layer, SLOT_HW + gate), &R[gate]);
		set(slot_descriptor(&layer, SLOT_B + gate), &b[gate]);
		if (peeks) {
			set(slot_descriptor(&layer, SLOT_CW + gate), &V[gate]);
			set(slot_descriptor(&deltas, SLOT_CW + gate), &dp[gate]);
		}
	}
	set(slot_descriptor(&layer, SLOT_X), x);
	set(slot_descriptor(&layer, SLOT_H0), &h0);
	set(slot_descriptor(&layer, SLOT_C0), &c0);
	set(slot_descriptor(&layer, SLOT_Y), y);
	set(slot_descriptor(&layer, SLOT_CN), &cn);
	set(slot_descriptor(&deltas, SLOT_Y), dy);
	set(slot_descriptor(&deltas, SLOT_X), dx);
	set(slot_descriptor(&deltas, SLOT_H0), &dh0);
	set(slot_descriptor(&deltas, SLOT_C0), &dc0);
	assert_bnns(BNNSDirectApplyLSTMBatchTrainingCaching(&layer, NULL, NULL, 0));
	assert_bnns(BNNSDirectApplyLSTMBatchBackward(&layer, &deltas, NULL, NULL, 0));
	for (size_t t = 0; t < 2; t++) {
		assert_near(y[t], golden_h[peeks][t]);
		assert_near(dx[t], golden_dx[peeks][t]);
	}
	assert_near(cn, golden_state[peeks][0]);
	assert_near(dh0, golden_state[peeks][1]);
	assert_near(dc0, golden_state[peeks][2]);
	for (int gate = 0; gate < BNNS_GATES && peeks; gate++)
		assert_near(dp[gate], golden_dp[gate]);
}

static void test_golden_without_cell_weights(void **unused)
{
	(void)unused;
	assert_bnns(sluice_bnns_set_options(NULL));
	check_golden(0);
}

static void test_golden_output_gate_sees_new_cell(void **unused)
{
	(void)unused;
	assert_bnns(sluice_bnns_set_options(NULL));
	check_golden(1);
}

/* Every function of the table in every place, forward and backward. */
static void test_every_activation(void **unused)
{
	(void)unused;
	for (size_t place = 0; place <= BNNS_GATES; place++)
		for (uint32_t function = 0; function <= BNNSActivationFunctionSiLU; function++) {
			struct bnns_spec spec;

			spec_draw(1000 + function, &spec);
			spec.steps = 3;
			spec.default_activations = 0;
			spec.data = spec.states = spec.weights = BNNSDataTypeFloat32;
			if (isnan(number_activation(&(BNNSActivation){.function = function}, number_exact(0.1)).v))
				continue;
			spec.activations[place].function = function;
			spec.activations[place].alpha = function == BNNSActivationFunctionClamp ? -0.4f : 0.6f;
			spec.activations[place].beta = 0.4f;
			check_case(&spec);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_without_cell_weights),
		cmocka_unit_test(test_golden_output_gate_sees_new_cell),
		cmocka_unit_test(test_bounds_notice),
		cmocka_unit_test(test_every_activation),
		cmocka_unit_test(test_random_cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
