/*
 * test_oracle_activation.c: the oracle's activations, their kinks and its rounding against numbers that were computed
 * elsewhere.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oracle.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Values at -2.5, -0.5, 0.5 and 2.5, computed with 30 digits from other formulas than the oracle's. */
static const struct {
	sluice_activation activation;
	double values[4];
} VALUES[] = {
	{{SLUICE_ACTIVATION_SIGMOID, 0, 0, 0},
	 {0.0758581800212436, 0.377540668798145, 0.622459331201855, 0.924141819978756}},
	{{SLUICE_ACTIVATION_TANH, 0, 0, 0}, {-0.98661429815143, -0.46211715726001, 0.46211715726001, 0.98661429815143}},
	{{SLUICE_ACTIVATION_IDENTITY, 0, 0, 0}, {-2.5, -0.5, 0.5, 2.5}},
	{{SLUICE_ACTIVATION_RELU, 0, 0, 0}, {0, 0, 0.5, 2.5}},
	{{SLUICE_ACTIVATION_HARD_SIGMOID, 0.25f, 0.5f, 0}, {0, 0.375, 0.625, 1}},
	{{SLUICE_ACTIVATION_LINEAR, 0.75f, -0.25f, 0}, {-2.125, -0.625, 0.125, 1.625}},
	{{SLUICE_ACTIVATION_LEAKY_RELU, 0.125f, 0, 0}, {-0.3125, -0.0625, 0.5, 2.5}},
	{{SLUICE_ACTIVATION_PRELU, 9, 0, 0}, {0.9375, 0.1875, 0.5, 2.5}},
	{{SLUICE_ACTIVATION_CLIPPED_RELU, 0.125f, 1.5f, 0}, {-0.3125, -0.0625, 0.5, 1.5}},
	{{SLUICE_ACTIVATION_CLAMP, -1, 2, 0}, {-1, -0.5, 0.5, 2}},
	{{SLUICE_ACTIVATION_ABS, 0, 0, 0}, {2.5, 0.5, 0.5, 2.5}},
	{{SLUICE_ACTIVATION_SCALED_TANH, 1.75f, 0.625f, 0},
	 {-1.60269295229533, -0.52974202633119, 0.52974202633119, 1.60269295229533}},
	{{SLUICE_ACTIVATION_SOFTPLUS, 0.5f, 1.5f, 0},
	 {0.0116227321862125, 0.19343550305745, 0.56843550305745, 1.88662273218621}},
	{{SLUICE_ACTIVATION_SOFTSIGN, 0, 0, 0},
	 {-0.714285714285714, -0.333333333333333, 0.333333333333333, 0.714285714285714}},
	{{SLUICE_ACTIVATION_ELU, 0.75f, 0, 0}, {-0.688436251032076, -0.295102005215525, 0.5, 2.5}},
	{{SLUICE_ACTIVATION_SELU, 0, 0, 0}, {-1.61378575887324, -0.691758187802871, 0.52535049367774, 2.6267524683887}},
	{{SLUICE_ACTIVATION_CELU, 0.75f, 0, 0}, {-0.723244504989561, -0.364937160725556, 0.5, 2.5}},
	{{SLUICE_ACTIVATION_POWER, 0.5f, 3, 1.5f},
	 {2.31503239718152, 4.56035908673867, 5.85902082262898, 8.76159945443753}},
	{{SLUICE_ACTIVATION_EXPONENTIAL, 0.5f, 0.25f, 2}, {0.5, 1, 1.4142135623731, 2.82842712474619}},
	{{SLUICE_ACTIVATION_EXPONENTIAL, 0.5f, 0.25f, -1}, {0.367879441171442, 1, 1.64872127070013, 4.48168907033806}},
	{{SLUICE_ACTIVATION_LOGARITHM, 0.5f, 3, 10},
	 {0.243038048686294, 0.439332693830263, 0.511883360978874, 0.628388930050312}},
	{{SLUICE_ACTIVATION_LOGARITHM, 0.5f, 3, -1},
	 {0.559615787935423, 1.01160091167848, 1.17865499634165, 1.44691898293633}},
	{{SLUICE_ACTIVATION_GELU, 0, 0, 0},
	 {-0.0155241633144403, -0.154268769362993, 0.345731230637007, 2.48447583668556}},
	{{SLUICE_ACTIVATION_GELU_TANH, 0.75f, 0.0625f, 0},
	 {-0.0135147501950675, -0.159136611676734, 0.340863388323266, 2.48648524980493}},
	{{SLUICE_ACTIVATION_LOG_SIGMOID, 0, 0, 0},
	 {-2.57888973429255, -0.974076984180107, -0.474076984180107, -0.0788897342925496}},
	{{SLUICE_ACTIVATION_SILU, 0, 0, 0},
	 {-0.189645450053109, -0.188770334399073, 0.311229665600927, 2.31035454994689}},
	{{SLUICE_ACTIVATION_HARD_SWISH, 0.25f, 0.5f, 0}, {0, -0.1875, 0.3125, 2.5}},
	{{SLUICE_ACTIVATION_HARD_SHRINK, 1, 0, 0}, {-2.5, 0, 0, 2.5}},
	{{SLUICE_ACTIVATION_SOFT_SHRINK, 1, 0, 0}, {-1.5, 0, 0, 1.5}},
	{{SLUICE_ACTIVATION_TANH_SHRINK, 0, 0, 0},
	 {-1.51338570184857, -0.0378828427399902, 0.0378828427399902, 1.51338570184857}},
	{{SLUICE_ACTIVATION_THRESHOLD, 1, -0.25f, 0}, {-0.25, -0.25, -0.25, 2.5}},
};

static const double ARGUMENTS[] = {-2.5, -0.5, 0.5, 2.5};

/* Fifteen digits are given. terms must be what f32 errs by: a handful of roundings of 2^-24 each. */
static void test_values(void **state)
{
	(void)state;
	for (size_t index = 0; index < LENGTH(VALUES); index++)
		for (size_t k = 0; k < 4; k++) {
			const sluice_activation *activation = &VALUES[index].activation;
			double expected = VALUES[index].values[k], value, slope, terms;
			float narrow, narrow_slope, narrow_terms;

			sluice__oracle_activation_f64(activation, -0.375, ARGUMENTS[k], &value, &slope, &terms);
			sluice__oracle_activation_f32(activation, -0.375f, (float)ARGUMENTS[k], &narrow, &narrow_slope,
						      &narrow_terms);
			if (!(fabs(value - expected) <= 1e-14 * fmax(fabs(expected), terms)))
				fail_msg("activation %d at %g is %.17g, expected %.15g", activation->kind, ARGUMENTS[k],
					 value, expected);
			if (!(fabs((double)narrow - value) <= 8 * 0x1p-24 * terms))
				fail_msg("activation %d at %g: f32 errs by %g, terms %g", activation->kind,
					 ARGUMENTS[k], fabs((double)narrow - value), terms);
		}
}

static void test_domains(void **state)
{
	static const sluice_activation OUTSIDE[] = {
		{SLUICE_ACTIVATION_POWER, 1, 0, 0.5f},     {SLUICE_ACTIVATION_POWER, 1, 0, 1048577},
		{SLUICE_ACTIVATION_LOGARITHM, 1, 0, -1},   {SLUICE_ACTIVATION_LOGARITHM, 1, 5, 1},
		{SLUICE_ACTIVATION_LOGARITHM, 1, 5, -2},   {SLUICE_ACTIVATION_EXPONENTIAL, 1, 0, 0},
		{SLUICE_ACTIVATION_EXPONENTIAL, 1, 0, -2},
	};
	double value, slope, terms;

	(void)state;
	for (size_t index = 0; index < LENGTH(OUTSIDE); index++) {
		sluice__oracle_activation_f64(&OUTSIDE[index], 0, -2, &value, &slope, &terms);
		assert_true(isnan(value));
	}
	sluice__oracle_activation_f64(&(sluice_activation){SLUICE_ACTIVATION_POWER, 1, 0, 3}, 0, -2, &value, &slope,
				      &terms);
	assert_true(value == -8 && slope == 12);
}

/* Between two points 2^-10 apart a smooth slope or value changes by less than 1/50 here; a jump must be known. */
static void test_no_kink_missed(void **state)
{
	const double width = 0x1p-10;

	(void)state;
	for (size_t index = 0; index < LENGTH(VALUES); index++)
		for (double x = -3.0001; x < 3; x += width) {
			const sluice_activation *activation = &VALUES[index].activation;
			double value[2], slope[2], terms, distance;

			sluice__oracle_activation_f64(activation, -0.375, x, &value[0], &slope[0], &terms);
			sluice__oracle_activation_f64(activation, -0.375, x + width, &value[1], &slope[1], &terms);
			distance = sluice__oracle_kink_distance(activation, -0.375, x + width / 2);
			if (fabs(value[0] - value[1]) < 0.02 && fabs(slope[0] - slope[1]) < 0.02)
				continue;
			if (!(distance <= width / 2))
				fail_msg("activation %d jumps near %g; the nearest kink is said to be %g away",
					 activation->kind, x, distance);
		}
}

static void test_kink_distance(void **state)
{
	static const sluice_activation HARD = {SLUICE_ACTIVATION_HARD_SIGMOID, 0.25f, 0.5f, 0};
	static const sluice_activation TANH = {SLUICE_ACTIVATION_TANH, 0, 0, 0};
	static const sluice_activation BELOW = {SLUICE_ACTIVATION_CLIPPED_RELU, 0.5f, -0.25f, 0};
	static const sluice_activation FALLING = {SLUICE_ACTIVATION_CLIPPED_RELU, -0.5f, 0.25f, 0};
	static const sluice_activation SHRINK = {SLUICE_ACTIVATION_HARD_SHRINK, 0.5f, 0, 0};

	(void)state;
	assert_true(sluice__oracle_kink_distance(&HARD, 0, 1.5) == 0.5);
	assert_true(sluice__oracle_kink_distance(&HARD, 0, -2.25) == 0.25);
	assert_true(sluice__oracle_kink_distance(&TANH, 0, 0) == INFINITY);
	assert_true(sluice__oracle_kink_distance(&SHRINK, 0, -0.75) == 0.25);
	assert_true(sluice__oracle_kink_distance(&SHRINK, 0, 0.125) == 0.375);
	assert_true(sluice__oracle_kink_distance(&BELOW, 0, -0.625) == 0.125);
	assert_true(sluice__oracle_kink_distance(&FALLING, 0, -0.75) == 0.25);
	assert_true(sluice__oracle_kink_distance(&FALLING, 0, 0.375) == 0.125);
}

static void test_round(void **state)
{
	static const struct {
		sluice_dtype type;
		double value, rounded;
	} CASES[] = {
		{SLUICE_F32, 0.1, 0.1},
		{SLUICE_F64, 1e300, 1e300},
		{SLUICE_F16, 0x1.002p0, 0x1p0},
		{SLUICE_F16, 0x1.0020001p0, 0x1.004p0},
		{SLUICE_F16, -0x1.006p0, -0x1.008p0},
		{SLUICE_F16, 65519.99, 65504},
		{SLUICE_F16, -65520, -INFINITY},
		{SLUICE_F16, 0x1p-24, 0x1p-24},
		{SLUICE_F16, 0x1p-25, 0},
		{SLUICE_F16, 0x1.8p-24, 0x1p-23},
		{SLUICE_F16, 0x1.ffep-15, 0x1p-14},
		{SLUICE_BF16, 0x1.01p0, 0x1p0},
		{SLUICE_BF16, 0x1.03p0, 0x1.04p0},
		{SLUICE_BF16, 0x1.fep127, 0x1.fep127},
		{SLUICE_BF16, 0x1.ffp127, INFINITY},
		{SLUICE_BF16, 0x1p-133, 0x1p-133},
		{SLUICE_BF16, 0x1p-134, 0},
		{SLUICE_BF16, -INFINITY, -INFINITY},
	};

	(void)state;
	for (size_t index = 0; index < LENGTH(CASES); index++)
		assert_true(sluice__oracle_round(CASES[index].type, CASES[index].value) == CASES[index].rounded);
	assert_true(isnan(sluice__oracle_round(SLUICE_F16, (double)NAN)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),         cmocka_unit_test(test_domains),
		cmocka_unit_test(test_no_kink_missed), cmocka_unit_test(test_kink_distance),
		cmocka_unit_test(test_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
