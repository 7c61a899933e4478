/*
 * test_golden_cell.c: holds the library to one cell whose values and gradients were worked out to twelve
 * decimals from the published equations, in four readings: without peepholes, with them on the old cell (MPSGraph),
 * with the output gate's on the new cell (MPS, BNNS), and with a mask.
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

#include "golden_fixture.h"
#include "network_fixture.h"

/* T = 2, all other sizes 1; the loss is h[0] + h[1]. Order i f g o. */
static const double W[4] = {0.5, -0.3, 0.8, 0.1}, R[4] = {0.2, 0.4, -0.6, 0.7}, B[4] = {0.1, 0.2, -0.1, 0.05},
		    V[4] = {0.3, -0.2, 0.15, 0.25}, X[2] = {1, -2}, H0 = 0.3, C0 = -0.4, DY[2] = {1, 1};

/* What the tables hold, in this order. */
enum { Y = 0, C = 2, DX = 4, DW = 6, DB = 10, DV = 14, DH0 = 18, DC0 = 19, RESULTS = 20 };

static const char *const NAMES[RESULTS] = {"h[0]", "h[1]", "c[0]", "c[1]", "dx[0]", "dx[1]", "dW i",
					   "dW f", "dW g", "dW o", "db i", "db f",  "db g",  "db o",
					   "dp i", "dp f", "dp g", "dp o", "dh0",   "dc0"};

struct golden_cell {
	const char *name;
	int peephole, previous;
	double mask;
	double results[RESULTS];
};

static const struct golden_cell CASES[] = {
	{"no peephole",
	 0,
	 0,
	 1,
	 {0.066238269444,
	  -0.091652483483,
	  0.112928762249,
	  -0.195776326754,
	  0.427657017426,
	  -0.040068524988,
	  0.270302944667,
	  -0.108445008003,
	  0.409875878633,
	  0.122083897612,
	  0.004287291743,
	  -0.075706239239,
	  0.456230235960,
	  -0.022512139747,
	  0,
	  0,
	  0,
	  0,
	  -0.262542522204,
	  0.437470368671}},
	{"peephole on the old cell", 1, 1, 1, {0.034816907449,  -0.108186455684, 0.061740870444,  -0.233108463318,
					       0.392974192001,  -0.038142795117, 0.253866304303,  -0.091219959438,
					       0.377660960617,  0.128318737583,  -0.007475176932, -0.073492024855,
					       0.426013340868,  -0.042892948010, -0.037233943570, 0.032125380591,
					       -0.162963246299, -0.009194631708, -0.251846003296, 0.522684108426}},
	{"output peephole on the new cell", 1, 0, 1, {0.036551805868,  -0.104098898200, 0.061740870444,
						      -0.233204270626, 0.405395203032,  -0.035878306438,
						      0.244260638486,  -0.092914092690, 0.392992370908,
						      0.127533721314,  0.001124033552,  -0.076430023048,
						      0.437887388433,  -0.042840378418, -0.037871649287,
						      0.033109132108,  -0.168245000549, 0.014105335373,
						      -0.260323709308, 0.535637978357}},
	{"peephole on the old cell, mask", 1, 1, 0.5, {0.058339512267,  -0.095047566037, 0.108728801802,
						       -0.203090570670, 0.369156090214,  -0.039166053227,
						       0.270743811729,  -0.100351262887, 0.336759344932,
						       0.126034359925,  0.003878741649,  -0.068456147063,
						       0.387371052197,  -0.023830197135, -0.046805479108,
						       0.032791113511,  -0.146365876481, -0.015881393328,
						       -0.108540709573, 0.509282289136}},
};

/*
 * Half a unit of the tables' last digit, and what the correction for the parameters' storage leaves: second-order terms
 * 1/2 (sum |delta|)^2 M, where the 16 parameters' deltas add up to less than 6 * 2^-25 and M, their second derivatives,
 * stays below 8 (products of weights below one and |x| = 2): 1/2 * 36 * 2^-50 * 8 = 1.3e-13.
 */
#define TOLERANCE_F64 (5e-13 + 1.3e-13)

/*
 * u = 2^-24. A pre-activation has at most 4 terms whose magnitudes add up to less than 2.2, and rounded parameters:
 * (4 + sqrt(4)) 2.2 u + 2.2 u < 16 u, hence 12 u for i f o and 24 u for g with their own 4 ulp. c takes over 0.65 of
 * its error before and 33 u; h then is off by 22 u. In the second step, with that h and c, a is off by 41 u, c by 80 u
 * and h by 53 u. A gradient da is a product of at most four numbers below one, each off by that or, for a slope, twice
 * that: 4 * 2 * 80 u / 4 from the four and as much again handed on through c: 320 u. dx, dW and db are sums of two such
 * numbers times at most 0.8, 2 and 1: below 1000 u.
 */
#define TOLERANCE_F32 (1000 * 0x1p-24)

static struct golden_model cell_create(const struct golden_cell *one)
{
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_weights weights = SLUICE_WEIGHTS_INIT;
	struct golden_model model;

	layer.hidden = 1;
	layer.peephole = one->peephole ? SLUICE_PEEPHOLE_DIAGONAL : SLUICE_PEEPHOLE_NONE;
	layer.peephole_previous = one->previous;
	model = golden_model_create(1, 1, &layer);
	weights.dtype = SLUICE_F64;
	weights.input = W;
	weights.recurrent = R;
	weights.bias = B;
	weights.peephole = one->peephole ? V : NULL;
	assert_ok(sluice_model_set_weights(model.model, 0, 0, &weights));
	return model;
}

static void compute(const struct golden_model *model, const struct golden_cell *one, enum golden_engine engine,
		    double results[RESULTS])
{
	struct golden_run run = {.steps = 2, .batch = 1, .x = X, .h0 = &H0, .c0 = &C0, .dy = DY};

	run.mask = one->mask != 1 ? &one->mask : NULL;
	golden_compute(model, engine, SLUICE_TIME_MAJOR, &run);
	memset(results, 0, RESULTS * sizeof(double));
	memcpy(results + Y, run.y, 2 * sizeof(double));
	memcpy(results + C, run.c, 2 * sizeof(double));
	assert_true(run.hn[0] == run.y[1] && run.cn[0] == run.c[1]);
	memcpy(results + DX, run.dx, 2 * sizeof(double));
	memcpy(results + DW, golden_parameter(model, run.dparameters, "weight_ih_l0", 4), 4 * sizeof(double));
	memcpy(results + DB, golden_parameter(model, run.dparameters, "bias_l0", 4), 4 * sizeof(double));
	if (one->peephole)
		memcpy(results + DV, golden_parameter(model, run.dparameters, "peephole_l0", 4), 4 * sizeof(double));
	results[DH0] = run.dh0[0];
	results[DC0] = run.dc0[0];
	golden_run_free(&run);
}

/* The four numbers of a parameter in the model's block. */
static float *stored_at(const struct golden_model *model, const char *name)
{
	float *block = sluice_model_parameters(model->model, NULL);

	for (size_t k = 0; k < sluice_model_parameter_count(model->model); k++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;

		assert_ok(sluice_model_parameter(model->model, k, &parameter));
		if (strcmp(parameter.name, name) == 0)
			return block + parameter.offset;
	}
	fail_msg("the model has no parameter \"%s\"", name);
	return NULL;
}

/* Parameters are stored in f32, which most of these are not. Adds what the difference makes, to first order, with the
 * derivatives that neighbouring f32 numbers give. */
static void correct(const struct golden_model *model, const struct golden_cell *one, enum golden_engine engine,
		    const char *name, const double exact[4], double results[RESULTS])
{
	double above[RESULTS], below[RESULTS];
	float *at = stored_at(model, name);

	for (size_t k = 0; k < 4; k++) {
		const float stored = at[k], up = nextafterf(stored, INFINITY), down = nextafterf(stored, -INFINITY);

		assert_true(stored == (float)exact[k]);
		at[k] = up;
		compute(model, one, engine, above);
		at[k] = down;
		compute(model, one, engine, below);
		at[k] = stored;
		for (size_t r = 0; r < RESULTS; r++)
			results[r] += (exact[k] - stored) * (above[r] - below[r]) / ((double)up - down);
	}
}

static void check(const struct golden_cell *one, enum golden_engine engine)
{
	const double tolerance = engine == GOLDEN_F32 ? TOLERANCE_F32 : TOLERANCE_F64;
	struct golden_model model = cell_create(one);
	double results[RESULTS];

	compute(&model, one, engine, results);
	if (engine != GOLDEN_F32) {
		correct(&model, one, engine, "weight_ih_l0", W, results);
		correct(&model, one, engine, "weight_hh_l0", R, results);
		correct(&model, one, engine, "bias_l0", B, results);
	}
	if (engine != GOLDEN_F32 && one->peephole)
		correct(&model, one, engine, "peephole_l0", V, results);
	for (size_t k = 0; k < RESULTS; k++)
		if (!(fabs(results[k] - one->results[k]) <= tolerance))
			fail_msg("%s, %s: %s is %.13f, but %.12f is expected", one->name, golden_engine_names[engine],
				 NAMES[k], results[k], one->results[k]);
	golden_model_destroy(&model);
}

static void check_all(enum golden_engine engine)
{
	for (size_t k = 0; k < sizeof(CASES) / sizeof(CASES[0]); k++)
		check(&CASES[k], engine);
}

static void test_f64(void **state)
{
	(void)state;
	check_all(GOLDEN_F64);
}

static void test_f32(void **state)
{
	(void)state;
	check_all(GOLDEN_F32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_f64),
		cmocka_unit_test(test_f32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
