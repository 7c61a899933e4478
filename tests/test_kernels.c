/* test_kernels.c exists to judge every entry of every level's kernel table alone, against sums in double. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sluice/ops.h>

#include "kernels/kernels.h"
#include "network_fixture.h"

static const double unit_roundoff = 0x1p-24;

typedef void kernel_test(const struct sluice__kernels *kernels);

static void on_every_level(kernel_test *test)
{
	for (size_t level = 0; level < sluice__level_count(); level++) {
		struct sluice__kernels kernels;
		if (!sluice__level_available(level)) {
			print_message("skipped: this machine lacks %s\n", sluice__level_name(level));
			continue;
		}
		sluice__kernels_fill(level, &kernels);
		assert_string_equal(kernels.level, sluice__level_name(level));
		test(&kernels);
	}
}

static float *random_floats(size_t count, uint64_t seed)
{
	float *to = aligned_zeros(count * sizeof *to);
	fill_random(to, count, seed);
	return to;
}

/* A chain of `terms` products of zero-mean data loses less than 4 u of the sum of |terms|, measured up to 2048 terms
 * and more for longer ones (docs/NUMERICS.md); a product in bf16 or f16 loses hundreds. Three more u for the products
 * and the two-rounding multiply-add of the scalar level. */
static void assert_sum(const char *level, double got, double exact, double magnitude)
{
	const double bound = (4 + 3) * unit_roundoff * magnitude + (double)FLT_MIN;
	if (!(fabs(got - exact) <= bound))
		fail_msg("%s: %.9g is not %.9g: off by %g, bound %g", level, got, exact, fabs(got - exact), bound);
}

struct gemm_case {
	size_t rows, vectors, depth, a_row, a_step;
	bool bias, add;
};

static void check_gemm(const struct sluice__kernels *kernels, const struct gemm_case *each)
{
	const size_t columns = each->vectors * kernels->lanes, c_row = columns + 3;
	float *a = random_floats(each->rows * each->a_row + each->depth * each->a_step + 1, 1);
	float *panel = random_floats(each->depth * columns, 2), *bias = random_floats(columns, 3);
	float *c = random_floats(each->rows * c_row, 4), *before = random_floats(each->rows * c_row, 4);
	const struct sluice__gemm job = {.rows = each->rows,
					 .vectors = each->vectors,
					 .depth = each->depth,
					 .a = a,
					 .a_row = each->a_row,
					 .a_step = each->a_step,
					 .panel = panel,
					 .c = c,
					 .c_row = c_row,
					 .bias = each->bias ? bias : NULL,
					 .add = each->add};
	kernels->gemm(&job);
	for (size_t r = 0; r < each->rows; r++)
		for (size_t j = 0; j < c_row; j++) {
			const double was = (double)before[r * c_row + j];
			if (j >= columns) {
				assert_true(c[r * c_row + j] == before[r * c_row + j]);
				continue;
			}
			double exact = each->add ? was : each->bias ? (double)bias[j] : 0, magnitude = fabs(exact);
			for (size_t k = 0; k < each->depth; k++) {
				double term =
					(double)a[r * each->a_row + k * each->a_step] * (double)panel[k * columns + j];
				exact += term;
				magnitude += fabs(term);
			}
			assert_sum(kernels->level, (double)c[r * c_row + j], exact, magnitude);
		}
	free(a);
	free(panel);
	free(bias);
	free(c);
	free(before);
}

static void gemm_of_level(const struct sluice__kernels *kernels)
{
	const size_t depths[] = {1, 2, 17, 300};
	for (size_t rows = 1; rows <= 2 * kernels->tile_rows + 1; rows++)
		for (size_t vectors = 1; vectors <= SLUICE__PANEL_VECTORS; vectors++)
			for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
				const struct gemm_case cases[] = {
					{rows, vectors, depths[d], depths[d] + 5, 1, false, false},
					{rows, vectors, depths[d], depths[d], 1, true, false},
					{rows, vectors, depths[d], 1, rows + 2, false, true},
				};
				for (size_t j = 0; j < sizeof cases / sizeof cases[0]; j++)
					check_gemm(kernels, &cases[j]);
			}
}

/* A panel in storage gives the bits that the same numbers in f32 give. */
static void check_stored_panel(const struct sluice__kernels *kernels, size_t rows, size_t vectors, sluice_dtype type)
{
	enum { DEPTH = 37 };
	const size_t columns = vectors * kernels->lanes;
	float *a = random_floats(rows * DEPTH, 1), *panel = random_floats(DEPTH * columns, 2);
	float *c = random_floats(rows * columns, 3), *wanted = random_floats(rows * columns, 4);
	uint16_t *stored = aligned_zeros(DEPTH * columns * sizeof *stored);
	kernels->narrow(type, DEPTH * columns, panel, stored);
	kernels->widen(type, DEPTH * columns, stored, panel);
	struct sluice__gemm job = {.rows = rows,
				   .vectors = vectors,
				   .depth = DEPTH,
				   .a = a,
				   .a_row = DEPTH,
				   .a_step = 1,
				   .panel = panel,
				   .type = SLUICE_F32,
				   .c = wanted,
				   .c_row = columns};
	kernels->gemm(&job);
	job.panel = stored;
	job.type = type;
	job.c = c;
	kernels->gemm(&job);
	assert_memory_equal(c, wanted, rows * columns * sizeof *c);
	free(a);
	free(panel);
	free(c);
	free(wanted);
	free(stored);
}

static void stored_panels_of_level(const struct sluice__kernels *kernels)
{
	for (size_t rows = 1; rows <= 2 * kernels->tile_rows + 1; rows++)
		for (size_t vectors = 1; vectors <= SLUICE__PANEL_VECTORS; vectors++) {
			check_stored_panel(kernels, rows, vectors, SLUICE_F16);
			check_stored_panel(kernels, rows, vectors, SLUICE_BF16);
		}
}

static void test_stored_panels(void **unused)
{
	(void)unused;
	on_every_level(stored_panels_of_level);
}

static void test_gemm(void **unused)
{
	(void)unused;
	on_every_level(gemm_of_level);
}

/* Activations, by way of a step without operands: its pre-activations are its start values. */
struct squashed {
	float sigmoid, tanh;
};

static void squash(const struct sluice__kernels *kernels, const float *x, size_t count, struct squashed *out)
{
	enum { MOST_LANES = 16 };
	_Alignas(64) float start[SLUICE__GATES * MOST_LANES], gates[SLUICE__GATES * MOST_LANES], zero[MOST_LANES] = {0};
	_Alignas(64) float c[MOST_LANES], h[MOST_LANES];
	assert_true(count == kernels->lanes);
	for (size_t gate = 0; gate < SLUICE__GATES; gate++)
		memcpy(start + gate * count, x, count * sizeof *x);
	const struct sluice__step job = {
		.rows = 1, .last = 1, .start = start, .c_prev = zero, .c = c, .h = h, .gates = gates};
	kernels->step(&job);
	for (size_t lane = 0; lane < count; lane++) {
		out[lane] = (struct squashed){gates[lane], gates[2 * count + lane]};
		assert_memory_equal(&gates[lane], &gates[count + lane], sizeof *gates);
		assert_memory_equal(&gates[lane], &gates[3 * count + lane], sizeof *gates);
	}
}

/* The general way, which cells with options take, must give the same bits. */
static void assert_same_activations(const struct sluice__kernels *kernels, const float *x, size_t count,
				    const struct squashed *fused)
{
	float sigmoid[16], tangent[16];
	const struct sluice__activation kinds[] = {{.kind = SLUICE_ACTIVATION_SIGMOID},
						   {.kind = SLUICE_ACTIVATION_TANH}};
	kernels->activate(&kinds[0], 1, x, NULL, sigmoid);
	kernels->activate(&kinds[1], 1, x, NULL, tangent);
	for (size_t lane = 0; lane < count; lane++) {
		assert_memory_equal(&sigmoid[lane], &fused[lane].sigmoid, sizeof *sigmoid);
		assert_memory_equal(&tangent[lane], &fused[lane].tanh, sizeof *tangent);
	}
}

/* The distance in units of the last place of the exact value's float. */
static double ulps(float got, double exact)
{
	int exponent;
	frexp(exact, &exponent);
	double ulp = ldexp(1.0, exponent - 24);
	return fabs((double)got - exact) / (ulp < (double)FLT_TRUE_MIN ? (double)FLT_TRUE_MIN : ulp);
}

/* Every 251st float: a prime, so that no pattern of mantissas is left out. Below -87 sigmoid is what it is at -87. */
static void activations_of_level(const struct sluice__kernels *kernels)
{
	enum { STRIDE = 251, MOST_LANES = 16 };
	const double promised = 4;
	double worst_sigmoid = 0, worst_tanh = 0;
	float x[MOST_LANES];
	struct squashed y[MOST_LANES];
	uint64_t bits = 0;
	while (bits <= UINT32_MAX) {
		for (size_t lane = 0; lane < kernels->lanes; lane++, bits += STRIDE) {
			uint32_t pattern = (uint32_t)bits;
			memcpy(&x[lane], &pattern, sizeof pattern);
		}
		squash(kernels, x, kernels->lanes, y);
		assert_same_activations(kernels, x, kernels->lanes, y);
		for (size_t lane = 0; lane < kernels->lanes; lane++) {
			if (isnan(x[lane])) {
				assert_true(isnan(y[lane].sigmoid) && isnan(y[lane].tanh));
				continue;
			}
			assert_true(y[lane].sigmoid >= 0 && y[lane].sigmoid <= 1 && fabsf(y[lane].tanh) <= 1);
			assert_true(signbit(y[lane].tanh) == signbit(x[lane]));
			worst_tanh = fmax(worst_tanh, ulps(y[lane].tanh, tanh((double)x[lane])));
			if (x[lane] >= -87)
				worst_sigmoid =
					fmax(worst_sigmoid, ulps(y[lane].sigmoid, 1 / (1 + exp(-(double)x[lane]))));
			else
				assert_true(y[lane].sigmoid <= 1.65e-38f);
		}
	}
	print_message("%s: sigmoid within %.2f ulp, tanh within %.2f ulp\n", kernels->level, worst_sigmoid, worst_tanh);
	assert_true(worst_sigmoid <= promised && worst_tanh <= promised);
}

static void test_activations(void **unused)
{
	(void)unused;
	on_every_level(activations_of_level);
}

/* The step's sums; its activations have been judged above. A whole step is judged by test_layer.c. */
static void step_of_level(const struct sluice__kernels *kernels)
{
	enum { DEPTH0 = 19, DEPTH1 = 41, BLOCKS = 3 };
	const size_t block_floats = SLUICE__GATES * kernels->lanes, units = BLOCKS * kernels->lanes;
	float *w0 = random_floats(BLOCKS * DEPTH0 * block_floats, 5),
	      *w1 = random_floats(BLOCKS * DEPTH1 * block_floats, 6);
	float *start = random_floats(BLOCKS * block_floats, 7);
	for (size_t rows = 1; rows <= 2 * kernels->tile_rows + 1; rows++) {
		float *a0 = random_floats(rows * DEPTH0, 8), *a1 = random_floats(rows * (DEPTH1 + 2), 9);
		float *c_prev = random_floats(rows * units, 10), *c = random_floats(rows * units, 11);
		float *h = random_floats(rows * units, 12), *gates = random_floats(rows * BLOCKS * block_floats, 13);
		const struct sluice__step job = {
			.rows = rows,
			.last = BLOCKS,
			.start = start,
			.operand = {{a0, DEPTH0, DEPTH0, w0, SLUICE_F32}, {a1, DEPTH1 + 2, DEPTH1, w1, SLUICE_F32}},
			.operands = 2,
			.c_prev = c_prev,
			.c_prev_row = units,
			.c = c,
			.c_row = units,
			.h = h,
			.h_row = units,
			.gates = gates,
			.gates_row = BLOCKS * block_floats};
		kernels->step(&job);
		for (size_t r = 0; r < rows; r++)
			for (size_t j = 0; j < BLOCKS * block_floats; j++) {
				const size_t block = j / block_floats, at = j % block_floats;
				double z = (double)start[j], magnitude = fabs(z);
				for (size_t k = 0; k < DEPTH0; k++) {
					double term = (double)a0[r * DEPTH0 + k] *
						      (double)w0[(block * DEPTH0 + k) * block_floats + at];
					z += term;
					magnitude += fabs(term);
				}
				for (size_t k = 0; k < DEPTH1; k++) {
					double term = (double)a1[r * (DEPTH1 + 2) + k] *
						      (double)w1[(block * DEPTH1 + k) * block_floats + at];
					z += term;
					magnitude += fabs(term);
				}
				/* The sum's bound through a slope of at most 1, then 4 ulp of the activation. */
				const bool candidate = at / kernels->lanes == 2;
				const double exact = candidate ? tanh(z) : 1 / (1 + exp(-z));
				const double bound =
					unit_roundoff * (7 * magnitude * (candidate ? 1 : 0.25) + 8 * fabs(exact));
				assert_true(fabs((double)gates[r * BLOCKS * block_floats + j] - exact) <= bound);
			}
		for (size_t r = 0; r < rows; r++)
			for (size_t unit = 0; unit < units; unit++) {
				const float *own = gates + r * BLOCKS * block_floats +
						   unit / kernels->lanes * block_floats + unit % kernels->lanes;
				const double i = (double)own[0], f = (double)own[kernels->lanes],
					     g = (double)own[2 * kernels->lanes], o = (double)own[3 * kernels->lanes];
				const double kept = f * (double)c_prev[r * units + unit], fresh = i * g;
				/* One rounding for i g, two at most for f c + i g: 3 u of the terms. */
				assert_true(fabs((double)c[r * units + unit] - (kept + fresh)) <=
					    3 * unit_roundoff * (fabs(kept) + fabs(fresh)));
				const double exact = o * tanh((double)c[r * units + unit]);
				assert_true(fabs((double)h[r * units + unit] - exact) <=
					    unit_roundoff * 10 * fabs(exact));
			}
		free(a0);
		free(a1);
		free(c_prev);
		free(c);
		free(h);
		free(gates);
	}
	free(w0);
	free(w1);
	free(start);
}

static void test_step(void **unused)
{
	(void)unused;
	on_every_level(step_of_level);
}

/* Each of five outputs is a product of at most five factors, some of them 1 - y^2 or y - y^2 in one fma: 4 ulp of tanh
 * and one u for each of at most six operations, of the largest term. */
static void cell_backward_of_level(const struct sluice__kernels *kernels)
{
	enum { ROWS = 3, BLOCKS = 2 };
	const size_t lanes = kernels->lanes, units = BLOCKS * lanes, gates_row = SLUICE__GATES * units;
	float *gates = random_floats(ROWS * gates_row, 1), *c = random_floats(ROWS * units, 2);
	float *c_prev = random_floats(ROWS * units, 3), *dy = random_floats(ROWS * units, 4);
	float *dh = random_floats(ROWS * units, 5), *dc = random_floats(ROWS * units, 6);
	float *dc_before = random_floats(ROWS * units, 6), *da = random_floats(ROWS * gates_row, 7);
	const struct sluice__cell_backward job = {.rows = ROWS,
						  .last = BLOCKS,
						  .parts = SLUICE__CELL_ALL,
						  .gates = gates,
						  .gates_row = gates_row,
						  .c = c,
						  .c_prev = c_prev,
						  .c_row = units,
						  .c_prev_row = units,
						  .dy = dy,
						  .dy_row = units,
						  .dh = dh,
						  .dh_row = units,
						  .dc = dc,
						  .dc_row = units,
						  .da = da,
						  .da_row = gates_row,
						  .da_gate = units};
	kernels->cell_backward(&job);
	for (size_t r = 0; r < ROWS; r++)
		for (size_t unit = 0; unit < units; unit++) {
			const float *own = gates + r * gates_row + unit / lanes * SLUICE__GATES * lanes + unit % lanes;
			const double i = (double)own[0], f = (double)own[lanes], g = (double)own[2 * lanes],
				     o = (double)own[3 * lanes], t = tanh((double)c[r * units + unit]);
			const double d = (double)dy[r * units + unit] + (double)dh[r * units + unit];
			const double size = fabs((double)dy[r * units + unit]) + fabs((double)dh[r * units + unit]);
			const double dcell = (double)dc_before[r * units + unit] + d * o * (1 - t * t);
			const double dcell_size =
				fabs((double)dc_before[r * units + unit]) + size * fabs(o) * (1 + t * t);
			const double previous = (double)c_prev[r * units + unit];
			const double exact[] = {dcell * g * (i - i * i), dcell * previous * (f - f * f),
						dcell * i * (1 - g * g), d * t * (o - o * o), dcell * f};
			const double sizes[] = {dcell_size * fabs(g) * (fabs(i) + i * i),
						dcell_size * fabs(previous) * (fabs(f) + f * f),
						dcell_size * fabs(i) * (1 + g * g), size * fabs(t) * (fabs(o) + o * o),
						dcell_size * fabs(f)};
			const float got[] = {da[r * gates_row + unit], da[r * gates_row + units + unit],
					     da[r * gates_row + 2 * units + unit], da[r * gates_row + 3 * units + unit],
					     dc[r * units + unit]};
			for (size_t j = 0; j < 5; j++)
				if (!(fabs((double)got[j] - exact[j]) <= (2 * 8 + 6) * unit_roundoff * sizes[j]))
					fail_msg("%s: output %zu of cell_backward is %g, expected %g", kernels->level,
						 j, (double)got[j], exact[j]);
		}
	free(gates);
	free(c);
	free(c_prev);
	free(dy);
	free(dh);
	free(dc);
	free(dc_before);
	free(da);
}

static void test_cell_backward(void **unused)
{
	(void)unused;
	on_every_level(cell_backward_of_level);
}

static void reductions_of_level(const struct sluice__kernels *kernels)
{
	const size_t counts[] = {1, 2, 15, 16, 17, 100, 5000, 70001};
	for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
		const size_t count = counts[j];
		float *x = random_floats(count, j), *p = random_floats(count, 1);
		float highest = 0;
		double squares = 0, total = 0;
		for (size_t k = 0; k < count; k++)
			squares += (double)x[k] * (double)x[k];
		/* One-signed terms, at most 256 to a lane: (256 + 1) u. */
		assert_true(fabs(kernels->sum_squares(count, x) - squares) <= 257 * unit_roundoff * squares);
		kernels->softmax(count, 3.0f, x, p, &highest);
		for (size_t k = 0; k < count; k++)
			total += exp(3 * (double)x[k] - (double)highest);
		for (size_t k = 0; k < count; k++) {
			const double exact = exp(3 * (double)x[k] - (double)highest) / total;
			/* The argument, at most 6 in size, is rounded twice; e^ and three products lose 4 ulp more. */
			assert_true(fabs((double)p[k] - exact) <= unit_roundoff * (2 * 6 + 8 + 3) * exact);
		}
		kernels->scale(count, 0.5f, p);
		for (size_t k = 0; k < count; k++)
			assert_true(2 * p[k] <= 1);
		free(x);
		free(p);
	}
	enum { ROWS = 37 };
	float *a = random_floats(ROWS * 4 * kernels->lanes, 8), *sum = random_floats(4 * kernels->lanes, 9);
	kernels->sum_rows(ROWS, 4, a, 4 * kernels->lanes, false, sum);
	for (size_t k = 0; k < 4 * kernels->lanes; k++) {
		double exact = 0, magnitude = 0;
		for (size_t r = 0; r < ROWS; r++) {
			exact += (double)a[r * 4 * kernels->lanes + k];
			magnitude += fabs((double)a[r * 4 * kernels->lanes + k]);
		}
		assert_sum(kernels->level, (double)sum[k], exact, magnitude);
	}
	free(a);
	free(sum);
}

static void test_reductions(void **unused)
{
	(void)unused;
	on_every_level(reductions_of_level);
}

/* Whole rows of random numbers are those of single counters, whatever their number, and nothing is written behind them.
 */
static void random_of_level(const struct sluice__kernels *kernels)
{
	enum { MOST_BLOCKS = 40, GUARD = 0x5A5A5A5A };
	const uint32_t key[2] = {0x01234567, 0x89ABCDEF};
	for (uint32_t blocks = 0; blocks <= MOST_BLOCKS; blocks++) {
		const uint32_t counter[4] = {0xFFFFFFF0 + blocks, 77 * blocks, 0xCAFE, 0x80000001};
		uint32_t words[MOST_BLOCKS * 4 + 1];
		words[blocks * 4] = GUARD;
		kernels->random(key, counter, blocks, words);
		assert_int_equal(words[blocks * 4], GUARD);
		for (uint32_t block = 0; block < blocks; block++) {
			const uint32_t single[4] = {counter[0] + block, counter[1], counter[2], counter[3]};
			uint32_t expected[4];
			sluice_philox(key, single, expected);
			assert_memory_equal(words + block * 4, expected, sizeof expected);
		}
	}
}

static void test_random(void **unused)
{
	(void)unused;
	on_every_level(random_of_level);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),      cmocka_unit_test(test_gemm), cmocka_unit_test(test_stored_panels),
		cmocka_unit_test(test_activations), cmocka_unit_test(test_step), cmocka_unit_test(test_cell_backward),
		cmocka_unit_test(test_reductions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
