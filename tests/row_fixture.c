/* row_fixture.c exists to cut single rows and steps out of a run and to compare them bit by bit. */
#include "row_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

const size_t mixed_lengths[ROW_BATCH] = {7, 0, 3, 1, 7, 2, 5, 0, 4};
const size_t sorted_lengths[ROW_BATCH] = {7, 7, 5, 4, 3, 2, 1, 0, 0};

void mark_steps(uint8_t marks[ROW_STEPS * ROW_BATCH], unsigned seed)
{
	float values[ROW_STEPS * ROW_BATCH];
	fill_random(values, ROW_STEPS * ROW_BATCH, seed);
	for (size_t j = 0; j < ROW_STEPS * ROW_BATCH; j++)
		marks[j] = values[j] < -0.4f;
}

#define ONE_WAY .inputs = 11, .layers = 2, .hidden = {41, 37}, .training = 1, .sequences = 1, .poisoned = 1
#define BOTH_WAYS ONE_WAY, .direction = {SLUICE_BIDIRECTIONAL, SLUICE_BIDIRECTIONAL}

/* What concerns rows in time and is no option of the cell. */
static const struct option_wish row_wishes[] = {
	{"learned start",
	 {BOTH_WAYS, .outputs = 5, .options = {{.learned_start = 1}, {.learned_start = 1, .projection = 21}}}},
	{"learned start one way",
	 {ONE_WAY, .options = {{.learned_start = 1, .peephole = SLUICE_PEEPHOLE_DIAGONAL}, {.learned_start = 1}}}},
	{"backward from outputs of a split cell in bf16",
	 {ONE_WAY, .outputs = 5, .tape_mode = SLUICE_TAPE_OUTPUTS, .data = SLUICE_BF16,
	  .options = {{.peephole = SLUICE_PEEPHOLE_FULL}, {.peephole = SLUICE_PEEPHOLE_FULL}}}},
	{"added",
	 {BOTH_WAYS, .outputs = 5, .dropout = {0.25f, 0.5f},
	  .options = {{.combination = SLUICE_ADD}, {.combination = SLUICE_ADD}}}},
	{"separate, then added",
	 {BOTH_WAYS, .dropout = {0.25f}, .last_only = 1,
	  .options = {{.combination = SLUICE_SEPARATE}, {.combination = SLUICE_ADD}}}},
	{"separate",
	 {BOTH_WAYS, .dropout = {0.25f},
	  .options = {{.combination = SLUICE_SEPARATE}, {.combination = SLUICE_SEPARATE, .learned_start = 1}}}},
};

struct network row_network(const struct option_wish *option, const char *isa)
{
	struct wish wish = option->wish;
	wish.isa = isa;
	wish.steps = ROW_STEPS;
	wish.batch = ROW_BATCH;
	return network_create(&wish);
}

void rows_on_every_level(row_check *check)
{
	for (size_t level = 0; sluice_isa_name(level); level++) {
		if (!sluice_isa_available(level)) {
			print_message("skipped: this machine lacks %s\n", sluice_isa_name(level));
			continue;
		}
		for (size_t j = 0; j < option_wish_count; j++)
			check(&option_wishes[j], sluice_isa_name(level));
		for (size_t j = 0; j < sizeof row_wishes / sizeof row_wishes[0]; j++)
			check(&row_wishes[j], sluice_isa_name(level));
	}
}

const char *row_context(const struct option_wish *option, const char *isa, const char *what, int training)
{
	static char text[160];
	snprintf(text, sizeof text, "%s, %s, %s%s", option->name, isa, what, training ? ", training" : "");
	return text;
}

/* ---------------------------------------------------------------------------------------------------- runs ---- */

void spoil(struct network *network)
{
	enum { NO_NUMBER = 0xff };
	const size_t rows = network->wish.steps * network->wish.batch, bytes = network->data_bytes;
	memset(network->y, NO_NUMBER, rows * network->outputs * bytes);
	memset(network->h, NO_NUMBER, rows * network->h_width * bytes);
	memset(network->c, NO_NUMBER, rows * network->c_width * bytes);
	memset(network->gates, NO_NUMBER, rows * 4 * network->c_width * bytes);
	memset(network->dx, NO_NUMBER, rows * network->inputs * bytes);
	memset(network->dparameters, NO_NUMBER, network->parameter_count * network->real_bytes);
	memset(network->final, NO_NUMBER, network->state_bytes);
	memset(network->dinitial, NO_NUMBER, network->state_bytes);
	memset(network->tape, NO_NUMBER, network->tape_bytes);
	memset(network->workspace, NO_NUMBER, sluice_plan_workspace_size(network->plan));
}

void run_all(struct network *network, int training)
{
	spoil(network);
	network->run.training = training;
	assert_ok(sluice_forward(network->plan, &network->run));
	if (!network->wish.training)
		return;
	memset(network->workspace, 0xff, sluice_plan_workspace_size(network->plan));
	assert_ok(sluice_backward(network->plan, &network->run, &network->gradients));
}

/* Copies a row's steps of a [T,N,width] array to [count,1,width]. */
static void take_steps(const struct network *whole, const void *from, void *to, size_t width, size_t row,
		       const size_t *steps, size_t count)
{
	const size_t bytes = width * whole->data_bytes;
	for (size_t j = 0; from && j < count; j++)
		memcpy((char *)to + j * bytes, (const char *)from + (steps[j] * whole->wish.batch + row) * bytes,
		       bytes);
}

static void take_mask(const struct network *whole, struct network *lent, size_t row, const size_t *steps, size_t count)
{
	static const size_t first[1] = {0};
	if (whole->wish.mask_shape == SLUICE_MASK_STEP)
		take_steps(whole, whole->mask, lent->mask, whole->h_width, row, steps, count);
	if (whole->wish.mask_shape == SLUICE_MASK_SEQUENCE)
		take_steps(whole, whole->mask, lent->mask, whole->h_width, row, first, 1);
}

void run_row(const struct network *whole, struct network *lent, size_t row, const size_t *steps, size_t count,
	     const void *initial, const void *dfinal)
{
	static const size_t first[1] = {0};
	const uint64_t sequence = row;
	const int last_only = whole->wish.last_only;
	take_steps(whole, whole->x, lent->x, whole->inputs, row, steps, count);
	take_steps(whole, whole->dy, lent->dy, whole->outputs, row, last_only ? first : steps, last_only ? 1 : count);
	take_mask(whole, lent, row, steps, count);
	lent->run.training = whole->run.training;
	lent->run.steps = count;
	lent->run.batch = 1;
	lent->run.step_offset = whole->run.step_offset + steps[0];
	lent->run.sequence_ids = &sequence;
	lent->run.initial_state = initial;
	lent->gradients.dfinal = dfinal;
	spoil(lent);
	assert_ok(sluice_forward(whole->plan, &lent->run));
	if (whole->wish.training)
		assert_ok(sluice_backward(whole->plan, &lent->run, &lent->gradients));
	lent->run.sequence_ids = NULL;
}

size_t state_row_bytes(const struct network *network)
{
	return sluice_plan_state_size(network->plan, 1);
}

void *state_row(const struct network *network, const void *state, size_t row)
{
	return (char *)state + row * state_row_bytes(network);
}

/* --------------------------------------------------------------------------------------------- comparisons ---- */

enum { ARRAYS = 5 };

static const char *const array_names[ARRAYS] = {"y", "h", "c", "gates", "dx"};

/* An array of a network's results. */
static const char *array_at(const struct network *network, size_t which, size_t *bytes)
{
	const void *const arrays[ARRAYS] = {network->y, network->h, network->c, network->gates, network->dx};
	const size_t widths[ARRAYS] = {network->outputs, network->h_width, network->c_width, 4 * network->c_width,
				       network->inputs};
	*bytes = widths[which] * network->data_bytes;
	return arrays[which];
}

/* Whether this array has such steps and is asked for. */
static int is_compared(const struct network *network, unsigned results, size_t which)
{
	if (which == 0 && network->wish.last_only)
		return 0;
	if (which == ARRAYS - 1 && !network->wish.training)
		return 0;
	return (results >> which & 1) != 0;
}

static void assert_same_at(const char *context, size_t which, struct spot a, struct spot b)
{
	size_t bytes;
	const char *left = array_at(a.network, which, &bytes) + (a.t * a.batch + a.row) * bytes;
	const char *right = array_at(b.network, which, &bytes) + (b.t * b.batch + b.row) * bytes;
	if (memcmp(left, right, bytes) != 0)
		fail_msg("%s: %s at step %zu, row %zu is not that at step %zu, row %zu", context, array_names[which],
			 a.t, a.row, b.t, b.row);
}

void assert_same_step(const char *context, unsigned results, struct spot a, struct spot b)
{
	for (size_t which = 0; which < ARRAYS; which++)
		if (is_compared(a.network, results, which))
			assert_same_at(context, which, a, b);
}

void assert_same_last(const char *context, struct spot a, struct spot b)
{
	if (a.network->wish.last_only)
		assert_same_at(context, 0, a, b);
}

void assert_zero_step(const char *context, unsigned results, struct spot spot)
{
	for (size_t which = 0; which < ARRAYS; which++) {
		size_t bytes;
		const char *at = array_at(spot.network, which, &bytes) + (spot.t * spot.batch + spot.row) * bytes;
		for (size_t j = 0; is_compared(spot.network, results, which) && j < bytes; j++)
			if (at[j] != 0)
				fail_msg("%s: %s at step %zu, row %zu is not zero", context, array_names[which], spot.t,
					 spot.row);
	}
}

/* Calls `each` with where the numbers of these cells lie in a row: layers, directions, h and c of each. */
typedef void cell_visit(const struct network *network, size_t layer, size_t direction, void *argument);

static void visit_cells(const struct network *network, unsigned cells, cell_visit *each, void *argument)
{
	const struct wish *wish = &network->wish;
	for (size_t layer = 0; layer < wish->layers; layer++) {
		const size_t directions = wish->direction[layer] == SLUICE_BIDIRECTIONAL ? 2 : 1;
		for (size_t direction = 0; direction < directions; direction++) {
			const int reverse = direction == 1 || wish->direction[layer] == SLUICE_REVERSE;
			if (cells & (reverse ? CELLS_REVERSE : CELLS_FORWARD))
				each(network, layer, direction, argument);
		}
	}
}

enum { MOST_UNITS = 1024 };

struct two_rows {
	const char *context;
	const void *from;
	void *to;
};

static void read_cell(const struct network *network, const void *row, size_t layer, size_t direction,
		      double numbers[2][MOST_UNITS])
{
	memset(numbers, 0, 2 * sizeof numbers[0]);
	const size_t most = MOST_UNITS / network_places(network, layer);
	assert_true(network->wish.hidden[layer] <= most && network->wish.options[layer].projection <= most);
	assert_ok(sluice_state_read(network->plan, row, 1, layer, direction, numbers[0], numbers[1]));
}

static void compare_cell(const struct network *network, size_t layer, size_t direction, void *argument)
{
	const struct two_rows *rows = argument;
	double a[2][MOST_UNITS], b[2][MOST_UNITS];
	read_cell(network, rows->from, layer, direction, a);
	read_cell(network, rows->to, layer, direction, b);
	for (size_t part = 0; part < 2; part++)
		if (memcmp(a[part], b[part], sizeof a[part]) != 0)
			fail_msg("%s: %s of layer %zu, direction %zu differs in a state", rows->context,
				 part ? "c" : "h", layer, direction);
}

void assert_same_state(const char *context, const struct network *network, unsigned cells, const void *a, size_t a_row,
		       const void *b, size_t b_row)
{
	struct two_rows rows = {context, state_row(network, a, a_row), state_row(network, b, b_row)};
	visit_cells(network, cells, compare_cell, &rows);
}

static void copy_cell(const struct network *network, size_t layer, size_t direction, void *argument)
{
	const struct two_rows *rows = argument;
	double numbers[2][MOST_UNITS];
	read_cell(network, rows->from, layer, direction, numbers);
	assert_ok(sluice_state_write(network->plan, rows->to, 1, layer, direction, numbers[0], numbers[1]));
}

void copy_cells(const struct network *network, unsigned cells, const void *from, void *to)
{
	struct two_rows rows = {NULL, from, to};
	visit_cells(network, cells, copy_cell, &rows);
}

void assert_same_runs(const char *context, const struct network *a, const struct network *b, int gradients)
{
	const size_t batch = a->wish.batch;
	for (size_t row = 0; row < batch; row++) {
		for (size_t t = 0; t < a->wish.steps; t++)
			assert_same_step(context, gradients ? ROW_ALL : ROW_FORWARD, (struct spot){a, batch, t, row},
					 (struct spot){b, batch, t, row});
		assert_same_last(context, (struct spot){a, batch, 0, row}, (struct spot){b, batch, 0, row});
		assert_same_state(context, a, CELLS_ALL, a->final, row, b->final, row);
		if (gradients)
			assert_same_state(context, a, CELLS_ALL, a->dinitial, row, b->dinitial, row);
	}
	if (gradients && memcmp(a->dparameters, b->dparameters, a->parameter_count * a->real_bytes) != 0)
		fail_msg("%s: gradients of parameters differ", context);
}
