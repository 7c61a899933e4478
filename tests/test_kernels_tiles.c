/* test_kernels_tiles.c exists to judge what brings tiles into points and back, on every level, by the matrices alone.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernels/kernels.h"
#include "kernels/winograd.h"
#include "network_fixture.h"

enum { RESULTS = SLUICE__WINOGRAD_RESULTS, MOST = SLUICE__WINOGRAD_MOST_SIDE, VECTORS = 2, HEIGHT = 5, WIDTH = 7 };

typedef const float (*matrix_rows)[8];

/* One matrix of one side: B^T, A or G, by its columns. */
struct table {
	size_t side, columns;
	enum sluice__winograd kind;
	matrix_rows rows;
};

static const struct table tables[] = {
	{6, 6, SLUICE__WINOGRAD_IMAGE, sluice__winograd_image_6},
	{6, 4, SLUICE__WINOGRAD_RESULT, sluice__winograd_result_6},
	{6, 3, SLUICE__WINOGRAD_KERNEL, sluice__winograd_kernel_6},
	{8, 8, SLUICE__WINOGRAD_IMAGE, sluice__winograd_image_8},
	{8, 4, SLUICE__WINOGRAD_RESULT, sluice__winograd_result_8},
	{8, 5, SLUICE__WINOGRAD_KERNEL, sluice__winograd_kernel_8},
};
enum { TABLES = sizeof tables / sizeof tables[0] };

/* A sum and the sum of its |terms|. */
struct sum {
	double value, terms;
};

static void add(struct sum *sum, double term)
{
	sum->value += term;
	sum->terms += fabs(term);
}

/* Two sums, one within the other, of at most 8 terms and a start: each loses less than 4 u of its |terms|, and 3 more
 * for the products and the two roundings of the scalar level, as in test_kernels.c. */
static void assert_sum(const char *level, double got, const struct sum *exact)
{
	const double bound = 2 * (4 + 3) * 0x1p-24 * exact->terms + (double)FLT_MIN;
	if (!(fabs(got - exact->value) <= bound))
		fail_msg("%s: %.9g is not %.9g: off by %g, bound %g", level, got, exact->value,
			 fabs(got - exact->value), bound);
}

typedef void tile_test(const struct sluice__kernels *kernels, const struct table *table);

static void on_every_level(tile_test *test)
{
	for (size_t level = 0; level < sluice__level_count(); level++) {
		struct sluice__kernels kernels;
		if (!sluice__level_available(level)) {
			print_message("skipped: this machine lacks %s\n", sluice__level_name(level));
			continue;
		}
		sluice__kernels_fill(level, &kernels);
		for (size_t each = 0; each < TABLES; each++)
			test(&kernels, &tables[each]);
	}
}

static float *random_floats(size_t count, uint64_t seed)
{
	float *to = aligned_zeros(count * sizeof *to);
	fill_random(to, count, seed);
	return to;
}

/* -------------------------------------------------------------------------------------------------- expand ---- */

static double place_of(const float *image, size_t row, ptrdiff_t y, ptrdiff_t x, size_t channel)
{
	if (y < 0 || x < 0 || y >= HEIGHT || x >= WIDTH)
		return 0;
	return image[((size_t)y * WIDTH + (size_t)x) * row + channel];
}

static void check_expand(const struct sluice__kernels *kernels, const struct table *table, ptrdiff_t y, ptrdiff_t x)
{
	const size_t channels = VECTORS * kernels->lanes, row = channels + 5, points = table->side * table->side;
	float *image = random_floats(HEIGHT * WIDTH * row, 1), *to = random_floats(points * (channels + 3), 2);
	const struct sluice__expand job = {.side = table->side,
					   .kind = table->kind,
					   .vectors = VECTORS,
					   .from = image,
					   .height = HEIGHT,
					   .width = WIDTH,
					   .row = row,
					   .y = y,
					   .x = x,
					   .to = to,
					   .to_point = channels + 3};
	kernels->expand(&job);
	for (size_t point = 0; point < points; point++)
		for (size_t channel = 0; channel < channels; channel++) {
			struct sum exact = {0, 0};
			for (size_t i = 0; i < table->columns; i++)
				for (size_t j = 0; j < table->columns; j++)
					add(&exact,
					    (double)table->rows[point / table->side][i] *
						    (double)table->rows[point % table->side][j] *
						    place_of(image, row, y + (ptrdiff_t)i, x + (ptrdiff_t)j, channel));
			assert_sum(kernels->level, to[point * (channels + 3) + channel], &exact);
		}
	free(image);
	free(to);
}

/* Tiles inside, across every edge, and wholly outside. */
static void expand(const struct sluice__kernels *kernels, const struct table *table)
{
	static const ptrdiff_t corners[][2] = {{0, 0}, {-2, -1}, {1, 3}, {-1, 5}, {3, -3}, {9, 0}, {-9, -9}};
	for (size_t each = 0; each < sizeof corners / sizeof corners[0]; each++)
		check_expand(kernels, table, corners[each][0], corners[each][1]);
}

static void test_expand(void **unused)
{
	(void)unused;
	on_every_level(expand);
}

/* ------------------------------------------------------------------------------------------------ contract ---- */

struct start {
	bool given, stays;
};

static void check_contract(const struct sluice__kernels *kernels, const struct table *table, size_t rows,
			   size_t columns, struct start start)
{
	const size_t channels = VECTORS * kernels->lanes, row = channels + 5, points = table->side * table->side;
	const size_t count = MOST * WIDTH * row;
	float *from = random_floats(points * (channels + 3), 1), *to = random_floats(count, 2);
	float *before = random_floats(count, 2), *first = random_floats(count, 3);
	const struct sluice__contract job = {.side = table->side,
					     .kind = table->kind,
					     .vectors = VECTORS,
					     .from = from,
					     .from_point = channels + 3,
					     .start = start.given ? first : NULL,
					     .start_stays = start.stays,
					     .to = to,
					     .width = WIDTH,
					     .row = row,
					     .rows = rows,
					     .columns = columns};
	kernels->contract(&job);
	for (size_t at = 0; at < count; at++) {
		const size_t y = at / row / WIDTH, x = at / row % WIDTH, channel = at % row;
		struct sum exact = {0, 0};
		if (y >= rows || x >= columns || channel >= channels) {
			assert_true(to[at] == before[at]);
			continue;
		}
		if (start.given)
			add(&exact, first[start.stays ? channel : at]);
		for (size_t point = 0; point < points; point++)
			add(&exact, (double)table->rows[point / table->side][y] *
					    (double)table->rows[point % table->side][x] *
					    (double)from[point * (channels + 3) + channel]);
		assert_sum(kernels->level, to[at], &exact);
	}
	free(from);
	free(to);
	free(before);
	free(first);
}

/* Whole tiles, and those that an image's edge cuts; what is outside is not touched. */
static void contract(const struct sluice__kernels *kernels, const struct table *table)
{
	const struct start starts[] = {{false, false}, {true, false}, {true, true}};
	const size_t most = table->columns;
	if (table->kind == SLUICE__WINOGRAD_IMAGE)
		return;
	for (size_t each = 0; each < sizeof starts / sizeof starts[0]; each++) {
		check_contract(kernels, table, most, most, starts[each]);
		check_contract(kernels, table, 1, most, starts[each]);
		check_contract(kernels, table, most, 1, starts[each]);
		check_contract(kernels, table, 2, 3, starts[each]);
	}
}

static void test_contract(void **unused)
{
	(void)unused;
	on_every_level(contract);
}

/* ------------------------------------------------------------------------------------------------ matrices ---- */

/* Result y of a tile is the sum of its places y + v times tap v, and of no other place. The entries of G are rounded,
 * and each of them enters times those of A and B. */
static void check_matrices(const struct table *three)
{
	const matrix_rows image = three[0].rows, result = three[1].rows, kernel = three[2].rows;
	for (size_t y = 0; y < RESULTS; y++)
		for (size_t v = 0; v < three[2].columns; v++)
			for (size_t place = 0; place < three->side; place++) {
				struct sum sum = {0, 0};
				for (size_t point = 0; point < three->side; point++)
					add(&sum, (double)result[point][y] * (double)kernel[point][v] *
							  (double)image[point][place]);
				assert_true(fabs(sum.value - (place == y + v)) <= 0x1p-24 * sum.terms);
			}
}

static void test_matrices(void **unused)
{
	(void)unused;
	check_matrices(tables);
	check_matrices(tables + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrices),
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_contract),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
