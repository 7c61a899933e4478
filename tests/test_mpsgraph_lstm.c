/*
 * test_mpsgraph_lstm.c: the numbers of MPSGraph's LSTM and LSTMGradients, by values known in advance and by what must
 * be equal to what: absent tensors to neutral ones, both directions to each of them, one gate order to the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "mpsgraph_lstm_net.h"

/* --- known values --- */

/*
 * T=2, N=I=H=1, L = h[0] + h[1]: worked out from the equations in double precision, to 12 digits.
 * Every number on the way is below 2, so that each of the fewer than 100 roundings of a result is at most 2^-23; what
 * an error is multiplied by until the end are gates, slopes and weights below 1, on at most four ways, one for each
 * gate. A wrong letter in an equation shows in the third digit.
 */
static const double GOLDEN_TOLERANCE = 100 * 4 * 0x1p-23;

struct golden {
	const char *name;
	int peephole, current;
	float mask;
	double h[2], c[2], gradients[GRADIENTS][4];
};

static const struct golden GOLDEN[] = {
	{"no peephole",
	 0,
	 0,
	 1,
	 {0.066238269444, -0.091652483483},
	 {0.112928762249, -0.195776326754},
	 {[0] = {0.427657017426, -0.040068524988},
	  [2] = {0.270302944667, -0.108445008003, 0.409875878633, 0.122083897612},
	  [3] = {0.004287291743, -0.075706239239, 0.456230235960, -0.022512139747},
	  [5] = {-0.262542522204},
	  [6] = {0.437470368671}}},
	{"peepholes see the old cell",
	 1,
	 0,
	 1,
	 {0.034816907449, -0.108186455684},
	 {0.061740870444, -0.233108463318},
	 {[0] = {0.392974192001, -0.038142795117},
	  [2] = {0.253866304303, -0.091219959438, 0.377660960617, 0.128318737583},
	  [3] = {-0.007475176932, -0.073492024855, 0.426013340868, -0.042892948010},
	  [4] = {-0.037233943570, 0.032125380591, -0.162963246299, -0.009194631708},
	  [5] = {-0.251846003296},
	  [6] = {0.522684108426}}},
	{"the output gate sees the new cell",
	 1,
	 1,
	 1,
	 {0.036551805868, -0.104098898200},
	 {0.061740870444, -0.233204270626},
	 {[0] = {0.405395203032, -0.035878306438},
	  [2] = {0.244260638486, -0.092914092690, 0.392992370908, 0.127533721314},
	  [3] = {0.001124033552, -0.076430023048, 0.437887388433, -0.042840378418},
	  [4] = {-0.037871649287, 0.033109132108, -0.168245000549, 0.014105335373},
	  [5] = {-0.260323709308},
	  [6] = {0.535637978357}}},
	{"mask",
	 1,
	 0,
	 0.5f,
	 {0.058339512267, -0.095047566037},
	 {0.108728801802, -0.203090570670},
	 {[0] = {0.369156090214, -0.039166053227},
	  [2] = {0.270743811729, -0.100351262887, 0.336759344932, 0.126034359925},
	  [3] = {0.003878741649, -0.068456147063, 0.387371052197, -0.023830197135},
	  [4] = {-0.046805479108, 0.032791113511, -0.146365876481, -0.015881393328},
	  [5] = {-0.108540709573},
	  [6] = {0.509282289136}}},
};

static void golden_net(const struct golden *golden, struct net *net)
{
	static const float values[ROLES][4] = {
		[X] = {1, -2},
		[R] = {0.2f, 0.4f, -0.6f, 0.7f},
		[W] = {0.5f, -0.3f, 0.8f, 0.1f},
		[H0] = {0.3f},
		[B] = {0.1f, 0.2f, -0.1f, 0.05f},
		[P] = {0.3f, -0.2f, 0.15f, 0.25f},
		[C0] = {-0.4f},
		[DY] = {1, 1},
	};
	net_draw(net, 1);
	net->steps = 2;
	net->batch = net->inputs = net->hidden = 1;
	for (int role = 0; role < ROLES; role++)
		memcpy(net->values[role], values[role], sizeof values[role]);
	net->values[M][0] = golden->mask;
	net->mask_rank = 1;
	net->given[DH] = net->given[DC] = 0;
	net->given[P] = golden->peephole;
	net->given[M] = golden->mask != 1;
	net->options.peephole_output =
		golden->current ? SLUICE_MPSGRAPH_PEEPHOLE_OUTPUT_CURRENT : SLUICE_MPSGRAPH_PEEPHOLE_OUTPUT_PREVIOUS;
}

static void assert_near(const float *is, const double *expected, size_t count, const char *name, const char *what,
			size_t index)
{
	for (size_t k = 0; k < count; k++)
		if (!(fabs((double)is[k] - expected[k]) <= GOLDEN_TOLERANCE))
			fail_msg("%s: %s %zu, element %zu is %.9g, expected %.12g", name, what, index, k, (double)is[k],
				 expected[k]);
}

static void test_golden(void **unused)
{
	static const size_t counts[GRADIENTS] = {2, 0, 4, 4, 4, 1, 1}; /* that of R was not written down */
	(void)unused;
	for (size_t each = 0; each < sizeof GOLDEN / sizeof GOLDEN[0]; each++) {
		const struct golden *golden = &GOLDEN[each];
		struct net net;
		struct answer answer;
		golden_net(golden, &net);
		net_solve(&net, &answer);
		assert_near(answer.h, golden->h, 2, golden->name, "h", 0);
		assert_near(answer.c, golden->c, 2, golden->name, "c", 0);
		for (size_t k = 0; k < GRADIENTS; k++)
			if (answer.rank[k])
				assert_near(answer.gradients[k], golden->gradients[k], counts[k], golden->name,
					    "gradient", k);
	}
}

/* That of R was not written down, and follows from the others: with one unit and two steps,
 * dW = x[0] da[0] + x[1] da[1] and db = da[0] + da[1] tell da, and dR = h0 da[0] + h[0] da[1]. */
static void test_recurrent_gradient(void **unused)
{
	struct net net;
	struct answer answer;
	(void)unused;
	golden_net(&GOLDEN[1], &net);
	net_solve(&net, &answer);
	const double x[2] = {(double)net.values[X][0], (double)net.values[X][1]};
	for (size_t gate = 0; gate < GATES; gate++) {
		const double dw = (double)answer.gradients[2][gate], db = (double)answer.gradients[3][gate];
		const double last = (dw - x[0] * db) / (x[1] - x[0]), first = db - last;
		const double expected = first * (double)net.values[H0][0] + last * (double)answer.h[0];
		assert_near(&answer.gradients[1][gate], &expected, 1, "recurrent weights", "gate", gate);
	}
}

/* Numbers that every type holds, so that all of them must give them exactly. Activations are identities:
 * i f z o = x W, c = f c0 + i z = 4, h = o c = 2. */
static void test_types(void **unused)
{
	static const MPSDataType types[] = {MPSDataTypeFloat32, MPSDataTypeFloat16, MPSDataTypeBFloat16};
	static const float values[ROLES][4] = {
		[X] = {1}, [W] = {1, 0.5f, 2, 0.5f}, [R] = {1, 1, 1, 1}, [C0] = {4}, [DY] = {0.5f}, [DH] = {0.5f}};
	static const float expected[GRADIENTS][4] = {{5},           {0, 0, 0, 0}, {1, 2, 0.5f, 4}, {1, 2, 0.5f, 4},
						     {4, 8, 2, 16}, {7.5f},       {0.25f}};
	static const size_t counts[GRADIENTS] = {1, 4, 4, 4, 4, 1, 1};
	static const float z[] = {1, 0.5f, 2, 0.5f}, c[] = {4}, h[] = {2};
	(void)unused;
	for (size_t type = 0; type < 3; type++) {
		struct net net;
		struct answer answer;
		net_draw(&net, 1);
		net.type = types[type];
		net.steps = net.batch = net.inputs = net.hidden = 1;
		for (size_t k = 0; k < GATES + 1; k++)
			net.activations[k] = MPSGraphRNNActivationNone;
		for (int role = 0; role < ROLES; role++)
			memcpy(net.values[role], values[role], sizeof values[role]);
		net.values[M][0] = 1;
		net_solve(&net, &answer);
		net_assert_same(answer.h, h, 1, "h");
		net_assert_same(answer.c, c, 1, "c");
		net_assert_same(answer.z, z, 4, "z");
		for (size_t k = 0; k < GRADIENTS; k++)
			net_assert_same(answer.gradients[k], expected[k], counts[k], "gradient");
	}
}

/* Training keeps numbers below the smallest normal one: c = c0 and dc0 = dc where f is 1 and i is 0. */
static void test_denormal_numbers(void **unused)
{
	const float tiny = 0x1p-140f;
	struct net net;
	struct answer answer;
	(void)unused;
	net_draw(&net, 1);
	net.steps = net.batch = net.inputs = net.hidden = 1;
	memset(net.values, 0, sizeof net.values);
	net.activations[0] = net.activations[1] = MPSGraphRNNActivationNone;
	net.values[B][1] = 1;
	net.values[C0][0] = net.values[DC][0] = tiny;
	net_solve(&net, &answer);
	net_assert_same(answer.c, &tiny, 1, "c");
	net_assert_same(answer.gradients[6], &tiny, 1, "dc0");
}

/* --- what must be equal --- */

/* Whatever is absent is as if its neutral element were there: ones for a mask, zeros for all else. */
static void test_absent_is_neutral(void **unused)
{
	static const enum role optional[] = {B, H0, C0, M, P, DY, DH, DC};
	enum { OPTIONAL = sizeof optional / sizeof optional[0] };
	(void)unused;
	for (size_t directions = 1; directions <= 2; directions++)
		for (unsigned absent = 0; absent < 1u << OPTIONAL; absent++) {
			static struct net net;
			static struct answer neutral, answer;
			net_draw(&net, directions);
			for (size_t k = 0; k < OPTIONAL; k++)
				for (size_t at = 0; (absent >> k & 1) && at < ROOM; at++)
					net.values[optional[k]][at] = optional[k] == M;
			net_solve(&net, &neutral);
			assert_int_equal(neutral.count, GRADIENTS);
			for (size_t k = 0; k < OPTIONAL; k++)
				net.given[optional[k]] = !(absent >> k & 1);
			net_solve(&net, &answer);
			net_assert_all_same(&net, &answer, &neutral);
		}
}

/* Threads share units and rows, never a sum. */
static void test_threads(void **unused)
{
	static struct net net;
	static struct answer one, several;
	(void)unused;
	net_draw(&net, 2);
	net_solve(&net, &one);
	net.options.threads = 4;
	net_solve(&net, &several);
	net_assert_all_same(&net, &several, &one);
}

/* A source of all gates is what the identity as input weights makes of it. */
static void test_absent_input_weight_is_identity(void **unused)
{
	(void)unused;
	for (size_t directions = 1; directions <= 2; directions++) {
		static struct net net;
		static struct answer identity, answer;
		net_draw(&net, directions);
		net.steps = net.batch = 2;
		net.hidden = 1;
		net.inputs = GATES * directions;
		for (size_t k = 0; k < net.inputs * net.inputs; k++)
			net.values[W][k] = k % (net.inputs + 1) == 0;
		net_solve(&net, &identity);
		net.given[W] = 0;
		net_solve(&net, &answer);
		assert_int_equal(answer.count, GRADIENTS - 1);
		net_assert_all_same(&net, &answer, &identity);
	}
}

/* Rows of `width` elements: columns from .. from+count-1 of each. */
static void columns(float *to, const float *from, size_t rows, size_t width, size_t first, size_t count)
{
	for (size_t row = 0; row < rows; row++)
		memcpy(to + row * count, from + row * width + first, count * sizeof *to);
}

/* The half of a bidirectional net that is one direction. */
static void half_of(const struct net *both, size_t direction, struct net *one)
{
	const size_t h = both->hidden;
	*one = *both;
	one->directions = 1;
	one->reverse = direction == 1;
	one->options.reverse_alignment = SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_ALIGNED;
	for (int role = 0; role < ROLES; role++) {
		const MPSShape shape = net_shape(one, (enum role)role);
		const size_t count = net_elements(&shape);
		const int by_column = role == H0 || role == C0 || role == M || role >= DY;
		if (by_column)
			columns(one->values[role], both->values[role], count / h, 2 * h, direction * h, h);
		else if (role != X)
			memcpy(one->values[role], both->values[role] + direction * count, count * sizeof(float));
	}
}

/* Two directions are two networks. */
static void test_directions(void **unused)
{
	static struct net both, one;
	static struct answer whole, half[2];
	float part[ROOM];
	const size_t rows = 3 * 2, h = 3;
	(void)unused;
	net_draw(&both, 2);
	both.reverse = 1; /* which says nothing, nor does what it would mean */
	both.options.reverse_alignment = SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_PROCESSING;
	net_solve(&both, &whole);
	for (size_t direction = 0; direction < 2; direction++) {
		half_of(&both, direction, &one);
		net_solve(&one, &half[direction]);
		columns(part, whole.h, rows, 2 * h, direction * h, h);
		net_assert_same(part, half[direction].h, rows * h, "h");
		columns(part, whole.c, rows, 2 * h, direction * h, h);
		net_assert_same(part, half[direction].c, rows * h, "c");
		columns(part, whole.z, rows, 8 * h, direction * 4 * h, 4 * h);
		net_assert_same(part, half[direction].z, rows * 4 * h, "z");
		for (size_t k = 1; k < GRADIENTS; k++) {
			const size_t count = net_gradient_count(&one, k);
			if (net_gradients[k] == H0 || net_gradients[k] == C0)
				columns(part, whole.gradients[k], 2, 2 * h, direction * h, h);
			else
				memcpy(part, whole.gradients[k] + direction * count, count * sizeof *part);
			net_assert_same(part, half[direction].gradients[k], count, "gradient");
		}
	}
}

/* The source's gradient is the sum of both: without the other's input weights that of one. */
static void test_directions_of_the_source(void **unused)
{
	static struct net both, one;
	static struct answer whole, half;
	(void)unused;
	for (size_t direction = 0; direction < 2; direction++) {
		net_draw(&both, 2);
		const size_t count = GATES * both.hidden * both.inputs;
		memset(both.values[W] + (1 - direction) * count, 0, count * sizeof(float));
		half_of(&both, direction, &one);
		net_solve(&both, &whole);
		net_solve(&one, &half);
		net_assert_same(whole.gradients[0], half.gradients[0], net_gradient_count(&one, 0), "dx");
	}
}

/* Steps of `width` elements, the last one first. */
static void flip(float *data, size_t steps, size_t width)
{
	float copy[ROOM];
	memcpy(copy, data, steps * width * sizeof *data);
	for (size_t step = 0; step < steps; step++)
		memcpy(data + step * width, copy + (steps - 1 - step) * width, width * sizeof *data);
}

/* A reversed LSTM is a forward one of the reversed source. Its results are where its source is, or lie as they were
 * processed, as the switch says; the gradient of the source is where the source is in either position. */
static void test_reverse(void **unused)
{
	static struct net net;
	static struct answer expected, answer;
	const size_t width = 2 * 3, inputs = 2 * 5;
	(void)unused;
	for (int aligned = 0; aligned < 2; aligned++) {
		net_draw(&net, 1);
		flip(net.values[X], 3, inputs);
		net_solve(&net, &expected);
		flip(net.values[X], 3, inputs);
		flip(expected.gradients[0], 3, inputs);
		if (aligned) {
			flip(net.values[M], 3, width);
			flip(net.values[DY], 3, width);
			flip(expected.h, 3, width);
			flip(expected.c, 3, width);
			flip(expected.z, 3, GATES * width);
		}
		net.reverse = 1;
		net.options.reverse_alignment = aligned ? SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_ALIGNED
							: SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_PROCESSING;
		net_solve(&net, &answer);
		net_assert_results_same(&net, &answer, &expected);
		/* The same products of the weights' gradients are summed in another order of steps: not to the bit. */
		net_assert_same(answer.gradients[0], expected.gradients[0], 3 * inputs, "dx");
		net_assert_same(answer.gradients[5], expected.gradients[5], width, "dh0");
		net_assert_same(answer.gradients[6], expected.gradients[6], width, "dc0");
	}
}

/* Exchanges the second and third of four gates, in every group of four. */
static void gates_exchange(float *data, size_t count, size_t gate)
{
	float copy[ROOM];
	memcpy(copy, data, count * sizeof *data);
	for (size_t group = 0; group < count; group += GATES * gate) {
		memcpy(data + group + gate, copy + group + 2 * gate, gate * sizeof *data);
		memcpy(data + group + 2 * gate, copy + group + gate, gate * sizeof *data);
	}
}

static void test_gate_order(void **unused)
{
	static struct net net;
	static struct answer expected, answer;
	(void)unused;
	for (size_t directions = 1; directions <= 2; directions++) {
		net_draw(&net, directions);
		net_solve(&net, &expected);
		const size_t gates = GATES * directions * net.hidden, h = net.hidden;
		const size_t width[ROLES] = {[R] = h, [W] = net.inputs, [B] = 1, [P] = 1};
		for (int role = 0; role < ROLES; role++)
			if (width[role])
				gates_exchange(net.values[role], gates * width[role], h * width[role]);
		for (size_t k = 0; k < GRADIENTS; k++)
			if (width[net_gradients[k]])
				gates_exchange(expected.gradients[k], gates * width[net_gradients[k]],
					       h * width[net_gradients[k]]);
		gates_exchange(expected.z, net.steps * net.batch * gates, h);
		net.forget_last = 1;
		net_solve(&net, &answer);
		net_assert_results_same(&net, &answer, &expected);
		for (size_t k = 1; k < GRADIENTS; k++)
			net_assert_same(answer.gradients[k], expected.gradients[k], net_gradient_count(&net, k),
					"gradient");
	}
}

/* A mask of fewer dimensions is the same mask repeated, and a leading 1 says nothing. */
static void test_mask_shapes(void **unused)
{
	(void)unused;
	for (int rank = 1; rank <= 3; rank++)
		for (int leading = 0; leading < 2; leading++) {
			static struct net net;
			static struct answer expected, answer;
			net_draw(&net, 2);
			const size_t all = 3 * 2 * 6, period = rank == 1 ? 6 : rank == 2 ? 12 : all;
			for (size_t k = period; k < all; k++)
				net.values[M][k] = net.values[M][k - period];
			net_solve(&net, &expected);
			net.mask_rank = rank;
			net.leading_ones = leading;
			net_solve(&net, &answer);
			assert_int_equal(answer.rank[5], 2);
			net_assert_all_same(&net, &answer, &expected);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_recurrent_gradient),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_denormal_numbers),
		cmocka_unit_test(test_absent_is_neutral),
		cmocka_unit_test(test_absent_input_weight_is_identity),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_directions_of_the_source),
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_gate_order),
		cmocka_unit_test(test_mask_shapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
