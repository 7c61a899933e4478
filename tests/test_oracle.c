/*
 * test_oracle.c: finite differences judge the oracle's gradients, typed-in numbers and reference vectors the rest.
 */
#include "differences.h"
#include "philox_known.h"
#include "random.h"

struct layer {
	size_t hidden;
	int direction;
	float dropout;
	int no_bias;
};

enum { FORWARD = SLUICE_FORWARD, REVERSE = SLUICE_REVERSE, BOTH = SLUICE_BIDIRECTIONAL };

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

static void case_create(const struct oracle_case *one, struct subject *subject)
{
	sluice_layer layers[3];
	sluice_description description = SLUICE_DESCRIPTION_INIT;

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
	subject_create(&description, one->steps, one->batch, one->without, 11, subject);
}

static void test_finite_differences(void **state)
{
	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++) {
		struct subject subject;
		double worst;

		case_create(&CASES[index], &subject);
		worst = check_differences(CASES[index].name, &subject);
		print_message("%s: %zu coordinates, worst error %.1e\n", CASES[index].name, subject.count, worst);
		subject_destroy(&subject);
	}
}

/* A cell worked out by hand from the equations: T=2, N=1, I=1, H=1, L = h[0] + h[1]. Twelve decimals are given. */
static const struct typed {
	const char *name;
	sluice_peephole peephole;
	int previous;
	double mask;
	double h[2], c[2], dx[2], dW[4], db[4], dV[4], dh0, dc0;
} TYPED[] = {
	{"no peephole",
	 SLUICE_PEEPHOLE_NONE,
	 0,
	 1,
	 {0.066238269444, -0.091652483483},
	 {0.112928762249, -0.195776326754},
	 {0.427657017426, -0.040068524988},
	 {0.270302944667, -0.108445008003, 0.409875878633, 0.122083897612},
	 {0.004287291743, -0.075706239239, 0.456230235960, -0.022512139747},
	 {0, 0, 0, 0},
	 -0.262542522204,
	 0.437470368671},
	{"the output gate sees c[t-1]",
	 SLUICE_PEEPHOLE_DIAGONAL,
	 1,
	 1,
	 {0.034816907449, -0.108186455684},
	 {0.061740870444, -0.233108463318},
	 {0.392974192001, -0.038142795117},
	 {0.253866304303, -0.091219959438, 0.377660960617, 0.128318737583},
	 {-0.007475176932, -0.073492024855, 0.426013340868, -0.042892948010},
	 {-0.037233943570, 0.032125380591, -0.162963246299, -0.009194631708},
	 -0.251846003296,
	 0.522684108426},
	{"the output gate sees c[t]",
	 SLUICE_PEEPHOLE_DIAGONAL,
	 0,
	 1,
	 {0.036551805868, -0.104098898200},
	 {0.061740870444, -0.233204270626},
	 {0.405395203032, -0.035878306438},
	 {0.244260638486, -0.092914092690, 0.392992370908, 0.127533721314},
	 {0.001124033552, -0.076430023048, 0.437887388433, -0.042840378418},
	 {-0.037871649287, 0.033109132108, -0.168245000549, 0.014105335373},
	 -0.260323709308,
	 0.535637978357},
	{"a mask of one half",
	 SLUICE_PEEPHOLE_DIAGONAL,
	 1,
	 0.5,
	 {0.058339512267, -0.095047566037},
	 {0.108728801802, -0.203090570670},
	 {0.369156090214, -0.039166053227},
	 {0.270743811729, -0.100351262887, 0.336759344932, 0.126034359925},
	 {0.003878741649, -0.068456147063, 0.387371052197, -0.023830197135},
	 {-0.046805479108, 0.032791113511, -0.146365876481, -0.015881393328},
	 -0.108540709573,
	 0.509282289136},
};

/* Half a unit of the twelfth decimal; double arithmetic adds a thousandth of that. */
static void assert_typed(const char *name, const char *what, const double *values, const double *typed, size_t count)
{
	for (size_t index = 0; index < count; index++)
		if (!(fabs(values[index] - typed[index]) <= 5.01e-13))
			fail_msg("%s: %s %zu is %.15f, expected %.12f", name, what, index, values[index], typed[index]);
}

static void check_typed(const struct typed *typed)
{
	static const double X[] = {1, -2}, H0[] = {0.3}, C0[] = {-0.4}, DY[] = {1, 1};
	static const double W[] = {0.5, -0.3, 0.8, 0.1}, R[] = {0.2, 0.4, -0.6, 0.7}, B[] = {0.1, 0.2, -0.1, 0.05};
	static const double V[] = {0.3, -0.2, 0.15, 0.25};
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	struct subject subject;
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;
	const struct sluice__cell *cell;
	double *parameters;

	layer.hidden = description.inputs = description.layer_count = 1;
	layer.peephole = typed->peephole;
	layer.peephole_previous = typed->previous;
	description.layers = &layer;
	subject_create(&description, 2, 1, NO_DFINAL, 1, &subject);
	cell = subject.network.cells;
	parameters = subject.vector + subject.data.x_count + 2;
	memcpy(parameters + cell->weight_ih, W, sizeof(W));
	memcpy(parameters + cell->weight_hh, R, sizeof(R));
	memcpy(parameters + cell->bias, B, sizeof(B));
	if (typed->peephole)
		memcpy(parameters + cell->peephole, V, sizeof(V));
	subject.run.x = X;
	subject.run.h0 = H0;
	subject.run.c0 = C0;
	subject.run.dy = DY;
	subject.run.mask = &typed->mask;
	subject.run.mask_shape = SLUICE_MASK_UNIT;
	forward(&subject, &trace);
	backward(&subject, &trace, &gradients);
	assert_typed(typed->name, "h", trace.y, typed->h, 2);
	assert_typed(typed->name, "c", trace.c[0], typed->c, 2);
	assert_typed(typed->name, "dx", gradients.dx, typed->dx, 2);
	assert_typed(typed->name, "dW", gradients.dparameters + cell->weight_ih, typed->dW, 4);
	assert_typed(typed->name, "db", gradients.dparameters + cell->bias, typed->db, 4);
	if (typed->peephole)
		assert_typed(typed->name, "dV", gradients.dparameters + cell->peephole, typed->dV, 4);
	assert_typed(typed->name, "dh0", gradients.dh0, &typed->dh0, 1);
	assert_typed(typed->name, "dc0", gradients.dc0, &typed->dc0, 1);
	sluice__oracle_gradients_destroy_f64(&gradients);
	sluice__oracle_trace_destroy_f64(&trace);
	subject_destroy(&subject);
}

static void test_typed_in(void **state)
{
	(void)state;
	for (size_t index = 0; index < sizeof(TYPED) / sizeof(TYPED[0]); index++)
		check_typed(&TYPED[index]);
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
	case_create(one, &subject);
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
