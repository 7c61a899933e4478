/* test_bits_nan.c exists for the promise that rows never mix: what is not a number in one row, or in a step that a row
 * has not, reaches nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "row_fixture.h"

enum { T = ROW_STEPS, N = ROW_BATCH, ILL = 4 };

/* One step of a row of a [T,N,width] array becomes what is not a number in any type. */
static void spoil_step(const struct network *network, void *array, size_t width, size_t t, size_t row)
{
	const size_t bytes = width * network->data_bytes;
	memset((char *)array + (t * N + row) * bytes, 0xff, bytes);
}

static void spoil_mask(struct network *network, size_t row)
{
	const size_t steps = network->wish.mask_shape == SLUICE_MASK_STEP ? T : 1;
	for (size_t t = 0; network->mask && network->wish.mask_shape != SLUICE_MASK_UNIT && t < steps; t++)
		spoil_step(network, network->mask, network->h_width, t, row);
}

/* All that goes into a row. */
static void spoil_row(struct network *network, size_t row)
{
	for (size_t t = 0; t < T; t++) {
		spoil_step(network, network->x, network->inputs, t, row);
		spoil_step(network, network->dy, network->outputs, t, row);
	}
	spoil_mask(network, row);
	memset(state_row(network, network->initial, row), 0xff, state_row_bytes(network));
	memset(state_row(network, network->dfinal, row), 0xff, state_row_bytes(network));
}

/* Everything of a row but its gradients of parameters, which are sums over the rows. */
static void compare_row(const char *context, const struct network *a, const struct network *b, size_t row)
{
	for (size_t t = 0; t < T; t++)
		assert_same_step(context, ROW_ALL, (struct spot){a, N, t, row}, (struct spot){b, N, t, row});
	assert_same_last(context, (struct spot){a, N, 0, row}, (struct spot){b, N, 0, row});
	assert_same_state(context, a, CELLS_ALL, a->final, row, b->final, row);
	if (a->wish.training)
		assert_same_state(context, a, CELLS_ALL, a->dinitial, row, b->dinitial, row);
}

/* One row is not a number throughout, or ends before others do. */
static void rows_do_not_infect(const struct option_wish *option, const char *isa)
{
	struct network healthy = row_network(option, isa), ill = row_network(option, isa);
	spoil_row(&ill, ILL);
	for (int variant = 0; variant < 4; variant++) {
		const int training = variant % 2;
		healthy.run.lengths = ill.run.lengths = variant < 2 ? NULL : mixed_lengths;
		run_all(&healthy, training);
		run_all(&ill, training);
		for (size_t row = 0; row < N; row++)
			if (row != ILL)
				compare_row(row_context(option, isa, "an ill row", training), &healthy, &ill, row);
	}
	network_destroy(&healthy);
	network_destroy(&ill);
}

static void test_rows(void **unused)
{
	(void)unused;
	rows_on_every_level(rows_do_not_infect);
}

/* x, dy and flags of steps that a row has not, and x of steps that it holds, enter nothing: not the parameters'
 * gradients either. */
static void absent_steps_are_not_read(const struct option_wish *option, const char *isa)
{
	struct network healthy = row_network(option, isa), ill = row_network(option, isa);
	uint8_t resets[2][T * N], holds[2][T * N];
	mark_steps(resets[0], 11);
	mark_steps(holds[0], 12);
	memcpy(resets[1], resets[0], sizeof resets[0]);
	memcpy(holds[1], holds[0], sizeof holds[0]);
	for (size_t row = 0; row < N; row++)
		for (size_t t = 0; t < T; t++) {
			const int absent = t >= mixed_lengths[row];
			if (absent || holds[0][t * N + row])
				spoil_step(&ill, ill.x, ill.inputs, t, row);
			if (absent && (t == 0 || !ill.wish.last_only))
				spoil_step(&ill, ill.dy, ill.outputs, t, row);
			if (absent && ill.mask && ill.wish.mask_shape == SLUICE_MASK_STEP)
				spoil_step(&ill, ill.mask, ill.h_width, t, row);
			if (absent)
				resets[1][t * N + row] = holds[1][t * N + row] = 0xff;
		}
	healthy.run.lengths = ill.run.lengths = mixed_lengths;
	healthy.run.resets = resets[0];
	healthy.run.holds = holds[0];
	ill.run.resets = resets[1];
	ill.run.holds = holds[1];
	for (int training = 0; training < 2; training++) {
		run_all(&healthy, training);
		run_all(&ill, training);
		assert_same_runs(row_context(option, isa, "absent steps", training), &healthy, &ill,
				 healthy.wish.training);
	}
	network_destroy(&healthy);
	network_destroy(&ill);
}

static void test_absent_steps(void **unused)
{
	(void)unused;
	rows_on_every_level(absent_steps_are_not_read);
}

/* A reset cuts off what was before it, and for a gradient what comes after it. */
static void resets_heal(const struct option_wish *option, const char *isa)
{
	enum { CUT = 3 };
	if (!wish_runs_forward(&option->wish) || option->wish.last_only)
		return;
	struct network healthy = row_network(option, isa), ill = row_network(option, isa);
	uint8_t resets[T * N] = {0};
	memset(resets + CUT * N, 1, N);
	healthy.run.resets = ill.run.resets = resets;
	for (size_t row = 0; row < N; row++)
		for (size_t t = 0; t < CUT; t++)
			spoil_step(&ill, ill.x, ill.inputs, t, row);
	memset(ill.initial, 0xff, ill.state_bytes);
	for (int training = 0; training < 2; training++) {
		const char *context = row_context(option, isa, "resets", training);
		run_all(&healthy, training);
		run_all(&ill, training);
		for (size_t row = 0; row < N; row++) {
			for (size_t t = CUT; t < T; t++)
				assert_same_step(context, ROW_ALL, (struct spot){&healthy, N, t, row},
						 (struct spot){&ill, N, t, row});
			assert_same_state(context, &healthy, CELLS_ALL, healthy.final, row, ill.final, row);
		}
	}
	network_destroy(&healthy);
	network_destroy(&ill);
}

static void test_resets(void **unused)
{
	(void)unused;
	rows_on_every_level(resets_heal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_absent_steps),
		cmocka_unit_test(test_resets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
