/*
 * test_bnns_reference.c: judges the judge of BNNS: its gradients by central differences, its numbers by the golden
 * values that were computed from the equations elsewhere, its error bounds by f32 arithmetic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bnns_case.h"

/* ------------------------------------------------------------------------------------------ central differences ----
 */

/* A problem whose every number is a coordinate of one vector. */
struct subject {
	struct bnns_problem problem;
	size_t *batch_sizes;
	double *vector, *dy, *dh, *dc, *masks;
	size_t count;
};

static double *draw(struct bnns_random *random, size_t count, double range)
{
	double *values = malloc((count ? count : 1) * sizeof *values);

	assert_non_null(values);
	for (size_t index = 0; index < count; index++)
		values[index] = random_between(random, -range, range);
	return values;
}

static const double *cut(double **next, size_t count)
{
	const double *start = *next;

	*next += count;
	return start;
}

/* The vector: x, h0, c0, and gate by gate iw, hw, cw if there are, b. */
static void subject_cut(struct subject *subject, const struct bnns_spec *spec)
{
	struct bnns_problem *p = &subject->problem;
	double *next = subject->vector;

	p->x = cut(&next, bnns_x_count(p));
	p->h0 = cut(&next, bnns_state_count(p));
	p->c0 = cut(&next, bnns_state_count(p));
	for (size_t k = 0; k < BNNS_GATES; k++) {
		p->iw[k] = cut(&next, bnns_iw_count(p));
		p->hw[k] = cut(&next, bnns_hw_count(p));
		p->cw[k] = spec->present[SLOT_CW + k] ? cut(&next, bnns_hw_count(p)) : NULL;
		p->b[k] = cut(&next, bnns_b_count(p));
	}
	subject->count = (size_t)(next - subject->vector);
}

static void subject_create(const struct bnns_spec *spec, struct subject *out)
{
	struct bnns_random random = {spec->seed + 99};
	struct bnns_problem *p = &out->problem;
	size_t rows = spec->batch;

	memset(out, 0, sizeof *out);
	p->steps = spec->steps;
	p->batch = spec->batch;
	p->inputs = spec->inputs;
	p->hidden = spec->hidden;
	p->layers = spec->layers;
	p->directions = spec->directions;
	p->concatenated = spec->options.stacking;
	p->data = BNNSDataTypeFloat32;
	memcpy(p->activations, spec->activations, sizeof p->activations);
	out->batch_sizes = calloc(p->steps, sizeof(size_t));
	assert_non_null(out->batch_sizes);
	for (size_t t = 0; t < p->steps; t++) {
		out->batch_sizes[t] = rows;
		rows -= rows > 0 && random_chance(&random, 0.4);
	}
	p->batch_sizes = spec->varying ? out->batch_sizes : NULL;
	out->vector = draw(&random,
			   bnns_x_count(p) + 2 * bnns_state_count(p) +
				   BNNS_GATES * (bnns_iw_count(p) + 2 * bnns_hw_count(p) + bnns_b_count(p)),
			   0.8);
	subject_cut(out, spec);
	p->dy = out->dy = draw(&random, bnns_y_count(p), 1);
	p->dh = out->dh = draw(&random, bnns_state_count(p), 1);
	p->dc = out->dc = draw(&random, bnns_state_count(p), 1);
	out->masks = draw(&random, p->steps * bnns_state_count(p), 2);
	p->masks = random_chance(&random, 0.5) ? out->masks : NULL;
}

static void subject_destroy(struct subject *subject)
{
	free(subject->batch_sizes);
	free(subject->vector);
	free(subject->dy);
	free(subject->dh);
	free(subject->dc);
	free(subject->masks);
}

static double dot(const double *a, const struct bnns_number *b, size_t count, double *terms)
{
	double sum = 0;

	for (size_t index = 0; index < count; index++) {
		sum += a[index] * b[index].v;
		*terms += fabs(a[index] * b[index].v);
	}
	return sum;
}

/* <dy, y> + <dh, h> + <dc, c>, whose gradients are what the reference computes; and the magnitudes it adds up. */
static double loss(const struct subject *subject, double *terms)
{
	struct bnns_results results;
	double sum = 0;

	assert_true(bnns_reference(&subject->problem, &results));
	*terms = 0;
	sum += dot(subject->dy, results.y, bnns_y_count(&subject->problem), terms);
	sum += dot(subject->dh, results.h, bnns_state_count(&subject->problem), terms);
	sum += dot(subject->dc, results.c, bnns_state_count(&subject->problem), terms);
	bnns_results_destroy(&results);
	return sum;
}

static double difference(struct subject *subject, const double *direction, double delta, double *terms)
{
	double up, down;

	for (size_t index = 0; index < subject->count; index++)
		subject->vector[index] += delta * direction[index];
	up = loss(subject, terms);
	for (size_t index = 0; index < subject->count; index++)
		subject->vector[index] -= 2 * delta * direction[index];
	down = loss(subject, terms);
	for (size_t index = 0; index < subject->count; index++)
		subject->vector[index] += delta * direction[index];
	return (up - down) / (2 * delta);
}

static double *append(double *to, const struct bnns_number *from, size_t count)
{
	for (size_t index = 0; index < count; index++)
		to[index] = from[index].v;
	return to + count;
}

/* The gradients in the order of the vector. */
static void gradient_of(const struct subject *subject, double *gradient)
{
	const struct bnns_problem *p = &subject->problem;
	struct bnns_results results;

	assert_true(bnns_reference(p, &results));
	gradient = append(gradient, results.dx, bnns_x_count(p));
	gradient = append(gradient, results.dh0, bnns_state_count(p));
	gradient = append(gradient, results.dc0, bnns_state_count(p));
	for (size_t k = 0; k < BNNS_GATES; k++) {
		gradient = append(gradient, results.diw[k], bnns_iw_count(p));
		gradient = append(gradient, results.dhw[k], bnns_hw_count(p));
		gradient = p->cw[k] ? append(gradient, results.dcw[k], bnns_hw_count(p)) : gradient;
		gradient = append(gradient, results.db[k], bnns_b_count(p));
	}
	bnns_results_destroy(&results);
}

/* Whatever third derivatives there are, the quotient of twice the width is off by four times as much: what the two
 * differ by is three times the error of the narrow one. Besides, each loss is off by a few hundred roundings of double
 * (the longest chain here has 5 steps, 3 layers and some 20 sums each) of its terms. */
static void check_direction(struct subject *subject, const double *gradient, const double *direction)
{
	const double delta = 0x1p-16;
	double terms, expected = 0;
	const double narrow = difference(subject, direction, delta, &terms);
	const double wide = difference(subject, direction, 2 * delta, &terms);
	const double tolerance = fabs(wide - narrow) + 300 * 0x1p-53 * (terms + 1) / delta;

	for (size_t index = 0; index < subject->count; index++)
		expected += gradient[index] * direction[index];
	if (!(fabs(narrow - expected) <= tolerance))
		fail_msg("the gradient is %.12g, the difference %.12g, tolerance %.3g", expected, narrow, tolerance);
	/* The tolerance says something. */
	assert_true(tolerance < 1e-4 * (terms + 1));
}

static void check_gradients(const struct bnns_spec *spec)
{
	struct subject subject;
	double *gradient, *direction;

	subject_create(spec, &subject);
	gradient = calloc(2 * subject.count, sizeof *gradient);
	assert_non_null(gradient);
	direction = gradient + subject.count;
	gradient_of(&subject, gradient);
	/* Every seventh coordinate, and all of them together. */
	for (size_t index = spec->seed % 7; index < subject.count; index += 7) {
		direction[index] = 1;
		check_direction(&subject, gradient, direction);
		direction[index] = 0;
	}
	for (size_t index = 0; index < subject.count; index++)
		direction[index] = index % 3 ? 0.1 : -0.1;
	check_direction(&subject, gradient, direction);
	free(gradient);
	subject_destroy(&subject);
}

/* Functions without bends: near one the difference says nothing. Those with bends have their slopes from the same table
 * and are measured one by one below. */
static int is_smooth(BNNSActivationFunction function)
{
	static const BNNSActivationFunction smooth[] = {
		BNNSActivationFunctionIdentity,   BNNSActivationFunctionSigmoid,
		BNNSActivationFunctionTanh,       BNNSActivationFunctionScaledTanh,
		BNNSActivationFunctionLinear,     BNNSActivationFunctionGELUApproximation,
		BNNSActivationFunctionSoftplus,   BNNSActivationFunctionLinearWithBias,
		BNNSActivationFunctionLogSigmoid, BNNSActivationFunctionTanhShrink,
		BNNSActivationFunctionSiLU};

	for (size_t k = 0; k < sizeof smooth / sizeof *smooth; k++)
		if (smooth[k] == function)
			return 1;
	return 0;
}

static void test_gradients_are_differences(void **unused)
{
	(void)unused;
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct bnns_spec spec;

		spec_draw(seed, &spec);
		spec.hidden = spec.hidden > 3 ? 3 : spec.hidden;
		spec.inputs = spec.inputs > 3 ? 3 : spec.inputs;
		for (size_t k = 0; k <= BNNS_GATES; k++)
			if (!is_smooth(spec.activations[k].function))
				spec.activations[k].function = BNNSActivationFunctionTanh;
		check_gradients(&spec);
	}
}

/* Slopes of all functions, at places that are no bends of theirs. */
static void test_slopes_are_differences(void **unused)
{
	(void)unused;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct bnns_spec spec;

		spec_draw(seed, &spec);
		for (size_t k = 0; k <= BNNS_GATES; k++) {
			const BNNSActivation *activation = &spec.activations[k];

			for (int place = -40; place < 40; place++) {
				const double x = place * 0.0731 + 0.0207, delta = 0x1p-17;
				const double slope = number_slope(activation, number_exact(x)).v;
				const double up = number_activation(activation, number_exact(x + delta)).v;
				const double down = number_activation(activation, number_exact(x - delta)).v;

				/* Third derivatives here are below 20, and values below 8. */
				assert_true(fabs((up - down) / (2 * delta) - slope) <=
					    20 * delta * delta + 8 * 4 * 0x1p-53 / delta);
			}
		}
	}
}

/* ---------------------------------------------------------------------------------------------------- bounds ---- */

/* f32 arithmetic stays within e, and a bf16 operand in its place does not. */
static void test_bounds_hold(void **unused)
{
	(void)unused;
	struct bnns_random random = {5};
	size_t outside = 0, rounds = 2000;

	for (size_t round = 0; round < rounds; round++) {
		struct bnns_sum sum = {0};
		float single = 0, coarse = 0;
		const size_t count = 1 + random_below(&random, 20);

		for (size_t k = 0; k < count; k++) {
			const double p = number_nearest(BNNSDataTypeFloat32, random_between(&random, -1, 1));
			const double q = number_nearest(BNNSDataTypeFloat32, random_between(&random, -1, 1));

			sum_product(&sum, number_exact(p), number_exact(q));
			single += (float)p * (float)q;
			coarse += (float)number_nearest(BNNSDataTypeBFloat16, p) * (float)q;
		}
		assert_true(fabs((double)single - sum.v) <= sum_close(&sum).e);
		outside += fabs((double)coarse - sum.v) > sum_close(&sum).e;
	}
	assert_true(outside > rounds * 9 / 10);
}

static void test_types_round(void **unused)
{
	(void)unused;
	unsigned char bytes[4];

	assert_true(number_nearest(BNNSDataTypeFloat16, 1 + 0x1p-11) == 1);
	assert_true(number_nearest(BNNSDataTypeFloat16, 1 + 0x3p-11) == 1 + 0x1p-9);
	assert_true(number_nearest(BNNSDataTypeBFloat16, 1 + 0x1p-8) == 1);
	assert_true(number_nearest(BNNSDataTypeFloat16, 0x1.8p-25) == 0x1p-24);
	assert_true(number_stored(BNNSDataTypeFloat16, (struct bnns_number){1, 0x1p-13}).e == 0);
	assert_true(number_stored(BNNSDataTypeFloat16, (struct bnns_number){1 + 0x1p-11, 0x1p-13}).e == 0x1p-10);
	for (int bits = 0; bits < 0x7C00; bits += 7) {
		const uint16_t half = (uint16_t)bits;

		memcpy(bytes, &half, 2);
		const double value = bnns_load(BNNSDataTypeFloat16, bytes);
		assert_true(number_nearest(BNNSDataTypeFloat16, value) == value);
		bnns_store(BNNSDataTypeFloat16, -value, bytes);
		assert_true(bnns_load(BNNSDataTypeFloat16, bytes) == -value);
	}
}

/* ----------------------------------------------------------------------------------------------------- golden ---- */

/* T=2, N=I=H=1, order i f g o; the values of the equations, computed elsewhere. */
struct golden {
	const char *name;
	int peeks;
	double h[2], c1, dx[2], dW[4], db[4], dp[4], dh0, dc0;
};

static const struct golden goldens[] = {
	{"no cell weights",
	 0,
	 {0.066238269444, -0.091652483483},
	 -0.195776326754,
	 {0.427657017426, -0.040068524988},
	 {0.270302944667, -0.108445008003, 0.409875878633, 0.122083897612},
	 {0.004287291743, -0.075706239239, 0.456230235960, -0.022512139747},
	 {0, 0, 0, 0},
	 -0.262542522204,
	 0.437470368671},
	{"the output gate sees the new cell",
	 1,
	 {0.036551805868, -0.104098898200},
	 -0.233204270626,
	 {0.405395203032, -0.035878306438},
	 {0.244260638486, -0.092914092690, 0.392992370908, 0.127533721314},
	 {0.001124033552, -0.076430023048, 0.437887388433, -0.042840378418},
	 {-0.037871649287, 0.033109132108, -0.168245000549, 0.014105335373},
	 -0.260323709308,
	 0.535637978357},
};

static void assert_golden(const char *name, const char *what, struct bnns_number found, double expected)
{
	/* Twelve decimals are given. */
	if (!(fabs(found.v - expected) <= 0.6e-12))
		fail_msg("%s: %s is %.13f, expected %.13f", name, what, found.v, expected);
}

static void test_golden_values(void **unused)
{
	(void)unused;
	static const double W[4] = {0.5, -0.3, 0.8, 0.1}, R[4] = {0.2, 0.4, -0.6, 0.7}, b[4] = {0.1, 0.2, -0.1, 0.05};
	static const double V[4] = {0.3, -0.2, 0.15, 0.25}, x[2] = {1, -2}, h0 = 0.3, c0 = -0.4, dy[2] = {1, 1};
	static const BNNSActivationFunction standard[BNNS_GATES + 1] = {
		BNNSActivationFunctionSigmoid, BNNSActivationFunctionSigmoid, BNNSActivationFunctionTanh,
		BNNSActivationFunctionSigmoid, BNNSActivationFunctionTanh};

	for (size_t which = 0; which < 2; which++) {
		const struct golden *golden = &goldens[which];
		struct bnns_problem p = {
			.steps = 2, .batch = 1, .inputs = 1, .hidden = 1, .layers = 1, .directions = 1};
		struct bnns_results r;

		p.data = BNNSDataTypeFloat32;
		p.x = x;
		p.h0 = &h0;
		p.c0 = &c0;
		p.dy = dy;
		for (size_t k = 0; k <= BNNS_GATES; k++)
			p.activations[k].function = standard[k];
		for (size_t k = 0; k < BNNS_GATES; k++) {
			p.iw[k] = &W[k];
			p.hw[k] = &R[k];
			p.b[k] = &b[k];
			p.cw[k] = golden->peeks ? &V[k] : NULL;
		}
		assert_true(bnns_reference(&p, &r));
		for (size_t t = 0; t < 2; t++) {
			assert_golden(golden->name, "h", r.y[t], golden->h[t]);
			assert_golden(golden->name, "dx", r.dx[t], golden->dx[t]);
		}
		for (size_t k = 0; k < BNNS_GATES; k++) {
			assert_golden(golden->name, "dW", r.diw[k][0], golden->dW[k]);
			assert_golden(golden->name, "db", r.db[k][0], golden->db[k]);
			if (golden->peeks)
				assert_golden(golden->name, "dp", r.dcw[k][0], golden->dp[k]);
		}
		assert_golden(golden->name, "c", r.c[0], golden->c1);
		assert_golden(golden->name, "dh0", r.dh0[0], golden->dh0);
		assert_golden(golden->name, "dc0", r.dc0[0], golden->dc0);
		bnns_results_destroy(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_values),
		cmocka_unit_test(test_types_round),
		cmocka_unit_test(test_bounds_hold),
		cmocka_unit_test(test_slopes_are_differences),
		cmocka_unit_test(test_gradients_are_differences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
