/*
 * test_mpsgraph_reference.c: the reference that judges MPSGraph's LSTM is itself judged by the oracle of the core,
 * which shares no line with it, and by values that were computed elsewhere.
 *
 * Both compute in double. The bounds that the reference carries are proportional to the unit roundoff, 2^-24 there and
 * 2^-53 here, and hold for either of the two, so that they may differ by twice e * 2^-29; thrice, to leave room for
 * the terms of second order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mpsgraph_spec.h"
#include "oracle.h"

#define DOUBLE_OF_FLOAT 0x1p-29

enum { CASES = 300 };

/* The oracle's side: its network has one layer, whose gates are in the order i f g o. */
struct oracle {
	struct sluice__network network;
	struct sluice__oracle_run_f64 run;
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;
	double *parameters, *x, *h0, *c0, *dh, *dc;
};

static void ok(sluice_status status)
{
	if (status != SLUICE_OK)
		fail_msg("%s", sluice_last_message());
}

static double *doubles(size_t count)
{
	double *values = calloc(count, sizeof(*values));

	assert_non_null(values);
	return values;
}

static sluice_activation activation_of(const BNNSActivation *activation)
{
	static const sluice_activation_kind kinds[] = {
		[BNNSActivationFunctionIdentity] = SLUICE_ACTIVATION_IDENTITY,
		[BNNSActivationFunctionRectifiedLinear] = SLUICE_ACTIVATION_RELU,
		[BNNSActivationFunctionTanh] = SLUICE_ACTIVATION_TANH,
		[BNNSActivationFunctionSigmoid] = SLUICE_ACTIVATION_SIGMOID,
		[BNNSActivationFunctionHardSigmoid] = SLUICE_ACTIVATION_HARD_SIGMOID,
	};

	return (sluice_activation){kinds[activation->function], activation->alpha, activation->beta, 0};
}

static void describe(const struct mps_problem *p, struct sluice__network *out)
{
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	layer.hidden = p->hidden;
	layer.direction = p->directions == 2 ? SLUICE_BIDIRECTIONAL : p->reverse ? SLUICE_REVERSE : SLUICE_FORWARD;
	layer.input = p->W ? SLUICE_INPUT_WEIGHTS : SLUICE_INPUT_GATES;
	layer.peephole = SLUICE_PEEPHOLE_DIAGONAL;
	layer.peephole_previous = !p->peephole_current;
	layer.input_activation = activation_of(&p->activations[MPS_INPUT]);
	layer.forget_activation = activation_of(&p->activations[MPS_FORGET]);
	layer.candidate_activation = activation_of(&p->activations[MPS_CANDIDATE]);
	layer.output_activation = activation_of(&p->activations[MPS_OUTPUT]);
	layer.cell_activation = activation_of(&p->activations[MPS_GATES]);
	description.inputs = mps_width(p);
	description.layer_count = 1;
	description.layers = &layer;
	ok(sluice__network_create(&description, NULL, 0, 0, out));
}

/* Row of a direction's gates as Apple has them, from that of the oracle's. */
static size_t apple_row(const struct mps_problem *p, size_t d, size_t row)
{
	return (d * MPS_GATES + mps_gate_place(p, row / p->hidden)) * p->hidden + row % p->hidden;
}

/* Calls visit(oracle's index, Apple's array number, Apple's index) for each parameter. */
enum { OF_R, OF_W, OF_B, OF_P, OF_COUNT };

typedef void visitor(void *argument, size_t ours, int array, size_t apples);

static void visit_parameters(const struct mps_problem *p, const struct sluice__network *network, visitor *visit,
			     void *argument)
{
	for (size_t d = 0; d < p->directions; d++) {
		const struct sluice__cell *cell = &network->cells[d];

		for (size_t row = 0; row < MPS_GATES * p->hidden; row++) {
			const size_t apples = apple_row(p, d, row);

			visit(argument, cell->bias + row, OF_B, apples);
			visit(argument, cell->peephole + row, OF_P, apples);
			for (size_t j = 0; j < p->hidden; j++)
				visit(argument, cell->weight_hh + row * p->hidden + j, OF_R, apples * p->hidden + j);
			for (size_t j = 0; j < p->inputs && p->W; j++)
				visit(argument, cell->weight_ih + row * p->inputs + j, OF_W, apples * p->inputs + j);
		}
	}
}

struct setting {
	const struct mps_problem *problem;
	double *parameters;
};

static void set_parameter(void *argument, size_t ours, int array, size_t apples)
{
	const struct setting *setting = argument;
	const struct mps_problem *p = setting->problem;
	const double *from[OF_COUNT] = {p->R, p->W, p->b, p->p};

	setting->parameters[ours] = from[array] ? from[array][apples] : 0;
}

/* [N,DH] to a block [N,H] for each cell. */
static double *states_of(const struct mps_problem *p, const double *from)
{
	double *to = doubles(mps_state_count(p));

	for (size_t index = 0; index < mps_state_count(p) && from; index++) {
		const size_t n = index / (p->directions * p->hidden), d = index / p->hidden % p->directions;

		to[(d * p->batch + n) * p->hidden + index % p->hidden] = from[index];
	}
	return to;
}

/* Columns of gates of x without input weights, as the oracle has them. */
static double *x_of(const struct mps_problem *p)
{
	const size_t width = mps_width(p), gates = MPS_GATES * p->hidden;
	double *x = doubles(mps_x_count(p));

	for (size_t index = 0; index < mps_x_count(p); index++) {
		const size_t column = index % width, at = index - column;

		x[index] = p->W ? p->x[index] : p->x[at + apple_row(p, column / gates, column % gates)];
	}
	return x;
}

static void oracle_create(const struct mps_problem *p, struct oracle *out)
{
	struct sluice__oracle_run_f64 *run = &out->run;

	memset(out, 0, sizeof(*out));
	describe(p, &out->network);
	out->parameters = doubles(out->network.parameter_count);
	visit_parameters(p, &out->network, set_parameter, &(struct setting){p, out->parameters});
	out->x = x_of(p);
	out->h0 = states_of(p, p->h0);
	out->c0 = states_of(p, p->c0);
	out->dh = states_of(p, p->dh);
	out->dc = states_of(p, p->dc);
	run->steps = p->steps;
	run->batch = p->batch;
	run->parameters = out->parameters;
	run->x = out->x;
	run->h0 = out->h0;
	run->c0 = out->c0;
	run->dh = out->dh;
	run->dc = out->dc;
	run->dy = p->dy;
	run->mask = p->mask;
	run->mask_shape = SLUICE_MASK_STEP;
	ok(sluice__oracle_forward_f64(&out->network, run, &out->trace));
	ok(sluice__oracle_backward_f64(&out->network, run, &out->trace, &out->gradients));
}

static void oracle_destroy(struct oracle *oracle)
{
	sluice__oracle_gradients_destroy_f64(&oracle->gradients);
	sluice__oracle_trace_destroy_f64(&oracle->trace);
	sluice__network_destroy(&oracle->network);
	free(oracle->parameters);
	free(oracle->x);
	free(oracle->h0);
	free(oracle->c0);
	free(oracle->dh);
	free(oracle->dc);
}

struct comparison {
	const struct mps_data *data;
	const struct oracle *oracle;
	const struct mps_results *found;
	size_t numbers;
};

static void same(struct comparison *it, const char *what, size_t at, struct bnns_number found, double expected)
{
	const double tolerance = 3 * DOUBLE_OF_FLOAT * found.e;

	it->numbers++;
	if (!(fabs(found.v - expected) <= tolerance))
		fail_msg("seed %zu: %s[%zu] is %.17g, the oracle has %.17g, expected within %.3g",
			 (size_t)it->data->spec.seed, what, at, found.v, expected, tolerance);
}

static void compare_parameter(void *argument, size_t ours, int array, size_t apples)
{
	static const char *names[OF_COUNT] = {"dR", "dW", "db", "dp"};
	struct comparison *it = argument;
	const struct bnns_number *found[OF_COUNT] = {it->found->dR, it->found->dW, it->found->db, it->found->dp};

	same(it, names[array], apples, found[array][apples], it->oracle->gradients.dparameters[ours]);
}

static void compare_states(struct comparison *it)
{
	const struct mps_problem *p = &it->data->problem;

	for (size_t index = 0; index < mps_state_count(p); index++) {
		const size_t n = index / (p->directions * p->hidden), d = index / p->hidden % p->directions;
		const size_t ours = (d * p->batch + n) * p->hidden + index % p->hidden;

		same(it, "dh0", index, it->found->dh0[index], it->oracle->gradients.dh0[ours]);
		same(it, "dc0", index, it->found->dc0[index], it->oracle->gradients.dc0[ours]);
	}
}

static void compare_sequences(struct comparison *it)
{
	const struct mps_problem *p = &it->data->problem;
	const size_t width = mps_width(p), gates = MPS_GATES * p->hidden, DH = p->directions * p->hidden;

	for (size_t index = 0; index < mps_h_count(p); index++) {
		const size_t d = index % DH / p->hidden, k = index % p->hidden, row = index / DH;

		same(it, "h", index, it->found->h[index], it->oracle->trace.y[index]);
		same(it, "c", index, it->found->c[index], it->oracle->trace.c[d][row * p->hidden + k]);
		for (size_t gate = 0; gate < MPS_GATES; gate++) {
			const size_t ours = gate * p->hidden + k, at = row * DH * MPS_GATES + apple_row(p, d, ours);

			same(it, "z", at, it->found->z[at], it->oracle->trace.gates[d][row * gates + ours]);
		}
	}
	for (size_t index = 0; index < mps_x_count(p); index++) {
		const size_t column = index % width;
		const size_t at = p->W ? index : index - column + apple_row(p, column / gates, column % gates);

		same(it, "dx", at, it->found->dx[at], it->oracle->gradients.dx[index]);
	}
}

static void compute(const struct mps_problem *p, struct mps_results *out)
{
	assert_true(mps_results_create(p, out));
	mps_reference_forward(p, out);
	assert_true(mps_reference_backward(p, out->z, out->c, out));
}

static void test_reference_is_the_oracle(void **unused)
{
	(void)unused;
	size_t numbers = 0;

	for (uint64_t seed = 0; seed < CASES; seed++) {
		struct mps_spec spec;
		struct mps_data data;
		struct mps_results found;
		struct oracle oracle;
		struct comparison it = {&data, &oracle, &found, 0};

		mps_spec_draw(seed, &spec);
		/* h is not stored in 16 bits here: that is no arithmetic of doubles. */
		spec.type = BNNSDataTypeFloat32;
		mps_data_create(&spec, &data);
		compute(&data.problem, &found);
		oracle_create(&data.problem, &oracle);
		compare_sequences(&it);
		compare_states(&it);
		visit_parameters(&data.problem, &oracle.network, compare_parameter, &it);
		numbers += it.numbers;
		oracle_destroy(&oracle);
		mps_results_destroy(&found);
		mps_data_destroy(&data);
	}
	print_message("%zu numbers\n", numbers);
}

/* T = 2, all sizes 1: the values of the equations, computed elsewhere and given with twelve decimals. */
struct golden {
	int peephole, current;
	double mask, h[2], c[2], dx[2], dW[4], db[4], dp[4], dh0, dc0;
};

static const struct golden goldens[] = {
	{.mask = 1,
	 .h = {0.066238269444, -0.091652483483},
	 .c = {0.112928762249, -0.195776326754},
	 .dx = {0.427657017426, -0.040068524988},
	 .dW = {0.270302944667, -0.108445008003, 0.409875878633, 0.122083897612},
	 .db = {0.004287291743, -0.075706239239, 0.456230235960, -0.022512139747},
	 .dh0 = -0.262542522204,
	 .dc0 = 0.437470368671},
	{.peephole = 1,
	 .mask = 1,
	 .h = {0.034816907449, -0.108186455684},
	 .c = {0.061740870444, -0.233108463318},
	 .dx = {0.392974192001, -0.038142795117},
	 .dW = {0.253866304303, -0.091219959438, 0.377660960617, 0.128318737583},
	 .db = {-0.007475176932, -0.073492024855, 0.426013340868, -0.042892948010},
	 .dp = {-0.037233943570, 0.032125380591, -0.162963246299, -0.009194631708},
	 .dh0 = -0.251846003296,
	 .dc0 = 0.522684108426},
	{.peephole = 1,
	 .current = 1,
	 .mask = 1,
	 .h = {0.036551805868, -0.104098898200},
	 .c = {0.061740870444, -0.233204270626},
	 .dx = {0.405395203032, -0.035878306438},
	 .dW = {0.244260638486, -0.092914092690, 0.392992370908, 0.127533721314},
	 .db = {0.001124033552, -0.076430023048, 0.437887388433, -0.042840378418},
	 .dp = {-0.037871649287, 0.033109132108, -0.168245000549, 0.014105335373},
	 .dh0 = -0.260323709308,
	 .dc0 = 0.535637978357},
	{.peephole = 1,
	 .mask = 0.5,
	 .h = {0.058339512267, -0.095047566037},
	 .c = {0.108728801802, -0.203090570670},
	 .dx = {0.369156090214, -0.039166053227},
	 .dW = {0.270743811729, -0.100351262887, 0.336759344932, 0.126034359925},
	 .db = {0.003878741649, -0.068456147063, 0.387371052197, -0.023830197135},
	 .dp = {-0.046805479108, 0.032791113511, -0.146365876481, -0.015881393328},
	 .dh0 = -0.108540709573,
	 .dc0 = 0.509282289136},
};

static void decimals(const char *what, size_t count, const struct bnns_number *found, const double *expected)
{
	for (size_t index = 0; index < count; index++)
		if (!(fabs(found[index].v - expected[index]) <= 0.6e-12))
			fail_msg("%s[%zu] is %.15g, expected %.12f", what, index, found[index].v, expected[index]);
}

static void test_golden_values(void **unused)
{
	(void)unused;
	const double W[4] = {0.5, -0.3, 0.8, 0.1}, R[4] = {0.2, 0.4, -0.6, 0.7}, b[4] = {0.1, 0.2, -0.1, 0.05};
	const double x[2] = {1, -2}, h0 = 0.3, c0 = -0.4, v[4] = {0.3, -0.2, 0.15, 0.25}, dy[2] = {1, 1};

	for (size_t index = 0; index < sizeof(goldens) / sizeof(*goldens); index++) {
		const struct golden *golden = &goldens[index];
		const double mask[2] = {golden->mask, golden->mask};
		struct mps_spec spec;
		struct mps_results found;
		struct mps_problem p = {.steps = 2, .batch = 1, .inputs = 1, .hidden = 1, .directions = 1};

		mps_spec_draw(0, &spec);
		memcpy(p.activations, spec.activations, sizeof(p.activations));
		p.type = BNNSDataTypeFloat32;
		p.x = x, p.R = R, p.W = W, p.b = b, p.h0 = &h0, p.c0 = &c0, p.mask = mask, p.dy = dy;
		p.p = golden->peephole ? v : NULL;
		p.peephole_current = golden->current;
		compute(&p, &found);
		decimals("h", 2, found.h, golden->h);
		decimals("c", 2, found.c, golden->c);
		decimals("dx", 2, found.dx, golden->dx);
		decimals("dW", 4, found.dW, golden->dW);
		decimals("db", 4, found.db, golden->db);
		decimals("dp", golden->peephole ? 4 : 0, found.dp, golden->dp);
		decimals("dh0", 1, found.dh0, &golden->dh0);
		decimals("dc0", 1, found.dc0, &golden->dc0);
		mps_results_destroy(&found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_values),
		cmocka_unit_test(test_reference_is_the_oracle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
