/* test_bits_time.c exists for the promise of determinism over time: a row with lengths, resets and holds has the bits
 * of the plain rows that it means, however its data lie and the call is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "row_fixture.h"
#include "sluice/streams.h"

enum { T = ROW_STEPS, N = ROW_BATCH };

static const size_t every_step[T] = {0, 1, 2, 3, 4, 5, 6};

/* Where a row of this length begins. */
static size_t first_of(sluice_padding padding, size_t length)
{
	return padding == SLUICE_PADDING_LEFT ? T - length : 0;
}

/* ------------------------------------------------------------------------------------------------- lengths ---- */

/* A row of length 0 keeps its state, and passes its gradient on. */
static void check_absent_row(const char *context, const struct network *whole, size_t row)
{
	assert_same_state(context, whole, CELLS_ALL, whole->initial, row, whole->final, row);
	if (whole->wish.training)
		assert_same_state(context, whole, CELLS_ALL, whole->dfinal, row, whole->dinitial, row);
}

/* A row that has only some steps against the same steps as a sequence of their own; what it has not is zero. */
static void check_row(const char *context, const struct network *whole, struct network *lent, size_t row, size_t first,
		      size_t length)
{
	for (size_t t = 0; t < T; t++)
		if (t < first || t >= first + length)
			assert_zero_step(context, ROW_ALL, (struct spot){whole, N, t, row});
	if (length == 0) {
		check_absent_row(context, whole, row);
		return;
	}
	run_row(whole, lent, row, every_step + first, length, state_row(whole, whole->initial, row),
		state_row(whole, whole->dfinal, row));
	for (size_t t = 0; t < length; t++)
		assert_same_step(context, ROW_ALL, (struct spot){whole, N, first + t, row},
				 (struct spot){lent, 1, t, 0});
	assert_same_last(context, (struct spot){whole, N, 0, row}, (struct spot){lent, 1, 0, 0});
	assert_same_state(context, whole, CELLS_ALL, whole->final, row, lent->final, 0);
	if (whole->wish.training)
		assert_same_state(context, whole, CELLS_ALL, whole->dinitial, row, lent->dinitial, 0);
}

static void rows_are_alone(const struct option_wish *option, const char *isa)
{
	struct network whole = row_network(option, isa), lent = row_network(option, isa);
	whole.run.lengths = mixed_lengths;
	whole.run.step_offset = 3;
	for (int padding = SLUICE_PADDING_RIGHT; padding <= SLUICE_PADDING_LEFT; padding++)
		for (int training = 0; training < 2; training++) {
			whole.run.padding = (sluice_padding)padding;
			run_all(&whole, training);
			const char *context =
				row_context(option, isa, padding ? "padding left" : "padding right", training);
			for (size_t row = 0; row < N; row++)
				check_row(context, &whole, &lent, row, first_of(whole.run.padding, mixed_lengths[row]),
					  mixed_lengths[row]);
		}
	network_destroy(&whole);
	network_destroy(&lent);
}

static void test_lengths(void **unused)
{
	(void)unused;
	rows_on_every_level(rows_are_alone);
}

/* No row has a step: states stay, and a run that is given none leaves the start. */
static void nothing_stays(const struct option_wish *option, const char *isa)
{
	static const size_t none[N] = {0};
	struct network network = row_network(option, isa);
	void *start = aligned_zeros(network.state_bytes);
	const char *context = row_context(option, isa, "no steps", 0);
	assert_ok(sluice_state_reset(network.plan, start, 0, N));
	network.run.lengths = none;
	for (int given = 0; given < 2; given++) {
		network.run.initial_state = given ? network.initial : NULL;
		run_all(&network, 0);
		for (size_t row = 0; row < N; row++) {
			for (size_t t = 0; t < T; t++)
				assert_zero_step(context, ROW_ALL, (struct spot){&network, N, t, row});
			assert_same_state(context, &network, CELLS_ALL, network.final, row,
					  given ? network.initial : start, row);
			if (network.wish.training)
				assert_same_state(context, &network, CELLS_ALL, network.dinitial, row, network.dfinal,
						  row);
		}
	}
	free(start);
	network_destroy(&network);
}

static void test_no_steps(void **unused)
{
	(void)unused;
	rows_on_every_level(nothing_stays);
}

/* ----------------------------------------------------------------------------------------- resets and holds ---- */

/* The pieces that resets cut a row into: piece p has the steps from starts[p] to starts[p+1]-1. */
struct pieces {
	size_t count, starts[T + 1];
	int marked; /* the first step, too */
};

static struct pieces cut_row(const uint8_t *resets, size_t row, size_t first, size_t length)
{
	struct pieces pieces = {.count = 1, .starts = {first}, .marked = resets[first * N + row]};
	for (size_t t = first + 1; t < first + length; t++)
		if (resets[t * N + row])
			pieces.starts[pieces.count++] = t;
	pieces.starts[pieces.count] = first + length;
	return pieces;
}

/* One row of state each: what pieces begin and end with. */
struct borders {
	void *initial, *dfinal, *final, *dinitial;
	void *start, *zeros;
};

/* Forward cells enter a row by its first piece, reverse cells by its last one, all others begin at the start. With
 * gradients it is the other way round, and the others begin with zero. */
static void run_piece(const struct network *whole, struct network *lent, size_t row, const struct pieces *pieces,
		      size_t piece, const struct borders *borders)
{
	const int is_first = piece == 0, is_last = piece == pieces->count - 1;
	const void *initial = state_row(whole, whole->initial, row), *dfinal = state_row(whole, whole->dfinal, row);
	copy_cells(whole, CELLS_FORWARD, is_first && !pieces->marked ? initial : borders->start, borders->initial);
	copy_cells(whole, CELLS_REVERSE, is_last ? initial : borders->start, borders->initial);
	copy_cells(whole, CELLS_FORWARD, is_last ? dfinal : borders->zeros, borders->dfinal);
	copy_cells(whole, CELLS_REVERSE, is_first ? dfinal : borders->zeros, borders->dfinal);
	run_row(whole, lent, row, every_step + pieces->starts[piece], pieces->starts[piece + 1] - pieces->starts[piece],
		borders->initial, borders->dfinal);
	if (is_last)
		copy_cells(whole, CELLS_FORWARD, lent->final, borders->final);
	if (is_first)
		copy_cells(whole, CELLS_REVERSE, lent->final, borders->final);
	if (is_first)
		copy_cells(whole, CELLS_FORWARD, pieces->marked ? borders->zeros : lent->dinitial, borders->dinitial);
	if (is_last)
		copy_cells(whole, CELLS_REVERSE, lent->dinitial, borders->dinitial);
}

static void check_pieces(const char *context, const struct network *whole, struct network *lent, size_t row,
			 const struct pieces *pieces, const struct borders *borders)
{
	for (size_t piece = 0; piece < pieces->count; piece++) {
		const size_t start = pieces->starts[piece];
		run_piece(whole, lent, row, pieces, piece, borders);
		for (size_t t = start; t < pieces->starts[piece + 1]; t++)
			assert_same_step(context, ROW_ALL, (struct spot){whole, N, t, row},
					 (struct spot){lent, 1, t - start, 0});
	}
	assert_same_state(context, whole, CELLS_ALL, whole->final, row, borders->final, 0);
	if (whole->wish.training)
		assert_same_state(context, whole, CELLS_ALL, whole->dinitial, row, borders->dinitial, 0);
}

/* A row with resets is its pieces. */
static void resets_cut(const struct option_wish *option, const char *isa)
{
	/* y of the last step of several pieces is no one piece's. */
	if (option->wish.last_only)
		return;
	struct network whole = row_network(option, isa), lent = row_network(option, isa);
	uint8_t resets[T * N];
	struct borders borders;
	void **const states[] = {&borders.initial,  &borders.dfinal, &borders.final,
				 &borders.dinitial, &borders.start,  &borders.zeros};
	for (size_t j = 0; j < sizeof states / sizeof states[0]; j++)
		*states[j] = aligned_zeros(state_row_bytes(&whole));
	assert_ok(sluice_state_reset(whole.plan, borders.start, 0, 1));
	mark_steps(resets, 5);
	whole.run.resets = resets;
	whole.run.lengths = mixed_lengths;
	for (int padding = SLUICE_PADDING_RIGHT; padding <= SLUICE_PADDING_LEFT; padding++)
		for (int training = 0; training < 2; training++) {
			whole.run.padding = (sluice_padding)padding;
			run_all(&whole, training);
			for (size_t row = 0; row < N; row++) {
				if (mixed_lengths[row] == 0)
					continue;
				const struct pieces pieces =
					cut_row(resets, row, first_of(whole.run.padding, mixed_lengths[row]),
						mixed_lengths[row]);
				check_pieces(row_context(option, isa, "resets", training), &whole, &lent, row, &pieces,
					     &borders);
			}
		}
	for (size_t j = 0; j < sizeof states / sizeof states[0]; j++)
		free(*states[j]);
	network_destroy(&whole);
	network_destroy(&lent);
}

static void test_resets(void **unused)
{
	(void)unused;
	rows_on_every_level(resets_cut);
}

/* A row that holds is the row without these steps, in runs without chance: those draw by step. */
static void holds_skip(const struct option_wish *option, const char *isa)
{
	struct network whole = row_network(option, isa), lent = row_network(option, isa);
	uint8_t holds[T * N];
	const char *context = row_context(option, isa, "holds", 0);
	mark_steps(holds, 6);
	for (size_t row = 0; row < N; row++)
		holds[(T - 1) * N + row] = holds[row] = row == 3;
	whole.run.holds = holds;
	run_all(&whole, 0);
	for (size_t row = 0; row < N; row++) {
		size_t steps[T], count = 0;
		for (size_t t = 0; t < T; t++) {
			if (!holds[t * N + row])
				steps[count++] = t;
			else
				assert_zero_step(context, ROW_GATES | ROW_DX, (struct spot){&whole, N, t, row});
		}
		run_row(&whole, &lent, row, steps, count, state_row(&whole, whole.initial, row),
			state_row(&whole, whole.dfinal, row));
		for (size_t j = 0; j < count; j++)
			assert_same_step(context, ROW_FORWARD, (struct spot){&whole, N, steps[j], row},
					 (struct spot){&lent, 1, j, 0});
		for (size_t t = 1; t < T; t++)
			if (holds[t * N + row] && wish_runs_forward(&whole.wish))
				assert_same_step(context, ROW_Y | ROW_H | ROW_C, (struct spot){&whole, N, t, row},
						 (struct spot){&whole, N, t - 1, row});
		assert_same_last(context, (struct spot){&whole, N, 0, row}, (struct spot){&lent, 1, 0, 0});
		assert_same_state(context, &whole, CELLS_ALL, whole.final, row, lent.final, 0);
	}
	network_destroy(&whole);
	network_destroy(&lent);
}

static void test_holds(void **unused)
{
	(void)unused;
	rows_on_every_level(holds_skip);
}

/* ------------------------------------------------------------------------------------------- threads, chunks ---- */

/* Lengths, resets and holds together, in the caller's marks. */
static void give_all(struct network *network, uint8_t marks[2][T * N])
{
	mark_steps(marks[0], 7);
	mark_steps(marks[1], 8);
	network->run.lengths = mixed_lengths;
	network->run.resets = marks[0];
	network->run.holds = marks[1];
}

static void threads_do_not_matter(const struct option_wish *option, const char *isa)
{
	struct option_wish wished = *option;
	uint8_t marks[2][T * N];
	wished.wish.parallel = posix_parallel;
	struct network alone = row_network(&wished, isa);
	give_all(&alone, marks);
	for (wished.wish.threads = 2; wished.wish.threads <= 3; wished.wish.threads++) {
		struct network together = row_network(&wished, isa);
		give_all(&together, marks);
		for (int training = 0; training < 2; training++) {
			run_all(&alone, training);
			run_all(&together, training);
			assert_same_runs(row_context(option, isa, "threads", training), &alone, &together,
					 alone.wish.training);
		}
		network_destroy(&together);
	}
	network_destroy(&alone);
}

static void test_threads(void **unused)
{
	(void)unused;
	rows_on_every_level(threads_do_not_matter);
}

/* How many of the steps first .. first+count-1 a row has. */
static size_t part_length(sluice_padding padding, size_t length, size_t first, size_t count)
{
	const size_t begin = first_of(padding, length), end = begin + length;
	const size_t from = begin > first ? begin : first, to = end < first + count ? end : first + count;
	return to > from ? to - from : 0;
}

typedef sluice_status call(const sluice_plan *plan, const sluice_run *run);

/* Runs in parts of `length` steps, each from where the one before has put its state. */
static void run_parts(struct network *network, const size_t lengths[N], size_t length, call *each)
{
	spoil(network);
	for (size_t first = 0; first < T; first += length) {
		const size_t at = first * N * network->data_bytes, count = T - first < length ? T - first : length;
		size_t part_lengths[N];
		sluice_run run = network->run;
		for (size_t row = 0; row < N; row++)
			part_lengths[row] = part_length(run.padding, lengths[row], first, count);
		run.lengths = part_lengths;
		run.resets += first * N;
		run.holds += first * N;
		run.steps = count;
		run.step_offset += first;
		run.x = (const char *)run.x + at * network->inputs;
		run.y = (char *)run.y + at * network->outputs;
		run.h = (char *)run.h + at * network->h_width;
		run.c = (char *)run.c + at * network->c_width;
		run.gates = (char *)run.gates + at * 4 * network->c_width;
		if (run.mask && run.mask_shape == SLUICE_MASK_STEP)
			run.mask = (const char *)run.mask + at * network->h_width;
		run.initial_state = first ? network->final : network->initial;
		run.tape = NULL;
		assert_ok(each(network->plan, &run));
	}
}

/* The whole in one call, in blocks, in chunks and in steps. */
static void cuts_do_not_matter(const struct option_wish *option, const char *isa)
{
	static const struct {
		const char *name;
		size_t length;
		call *each;
	} cuts[] = {{"one block", T, sluice_block},
		    {"blocks of 3", 3, sluice_block},
		    {"chunks of 2", 2, sluice_forward},
		    {"steps", 1, sluice_step}};
	if (!wish_runs_forward(&option->wish) || option->wish.last_only)
		return;
	struct network whole = row_network(option, isa), parts = row_network(option, isa);
	uint8_t marks[2][T * N];
	give_all(&whole, marks);
	whole.run.step_offset = 3;
	for (int variant = 0; variant < 4; variant++) {
		const int training = variant % 2;
		whole.run.padding = variant < 2 ? SLUICE_PADDING_RIGHT : SLUICE_PADDING_LEFT;
		run_all(&whole, training);
		for (size_t j = 0; j < sizeof cuts / sizeof cuts[0]; j++) {
			if (cuts[j].each == sluice_step && training && wish_drops_connections(&whole.wish))
				continue;
			parts.run.training = training;
			parts.run.padding = whole.run.padding;
			parts.run.step_offset = whole.run.step_offset;
			parts.run.resets = marks[0];
			parts.run.holds = marks[1];
			run_parts(&parts, mixed_lengths, cuts[j].length, cuts[j].each);
			assert_same_runs(row_context(option, isa, cuts[j].name, training), &whole, &parts, 0);
		}
	}
	network_destroy(&whole);
	network_destroy(&parts);
}

static void test_cuts(void **unused)
{
	(void)unused;
	rows_on_every_level(cuts_do_not_matter);
}

/* ------------------------------------------------------------------------------------------ places of the data -- */

/* Moves the rows that have a step together, or apart again, in [T,N,width] of `bytes` a row; rows are sorted. */
static void pack(char *array, size_t bytes, const size_t lengths[N])
{
	char *to = array;
	for (size_t t = 0; t < T; t++)
		for (size_t row = 0; row < N && lengths[row] > t; row++, to += bytes)
			memmove(to, array + (t * N + row) * bytes, bytes);
}

static void unpack(char *array, size_t bytes, const size_t lengths[N])
{
	char *const packed = aligned_zeros(T * N * bytes), *from = packed;
	memcpy(packed, array, T * N * bytes);
	memset(array, 0, T * N * bytes);
	for (size_t t = 0; t < T; t++)
		for (size_t row = 0; row < N && lengths[row] > t; row++, from += bytes)
			memcpy(array + (t * N + row) * bytes, from, bytes);
	free(packed);
}

/* All arrays of a run: those that go in, or those that come out. */
static void move_arrays(struct network *network, int in, void (*move)(char *, size_t, const size_t *))
{
	const int last_only = network->wish.last_only, steps_masked = network->wish.mask_shape == SLUICE_MASK_STEP;
	const struct {
		void *at;
		size_t width;
		int in;
	} arrays[] = {
		{network->x, network->inputs, 1},
		{last_only ? NULL : network->dy, network->outputs, 1},
		{steps_masked ? network->mask : NULL, network->h_width, 1},
		{last_only ? NULL : network->y, network->outputs, 0},
		{network->h, network->h_width, 0},
		{network->c, network->c_width, 0},
		{network->gates, 4 * network->c_width, 0},
		{network->dx, network->inputs, 0},
	};
	for (size_t j = 0; j < sizeof arrays / sizeof arrays[0]; j++)
		if (arrays[j].at && arrays[j].in == in)
			move(arrays[j].at, arrays[j].width * network->data_bytes, sorted_lengths);
}

/* Packed data, and lengths said by batch_sizes, mean what padded data mean. */
static void packing_does_not_matter(const struct option_wish *option, const char *isa)
{
	size_t batch_sizes[T] = {0};
	for (size_t t = 0; t < T; t++)
		for (size_t row = 0; row < N; row++)
			batch_sizes[t] += sorted_lengths[row] > t;
	struct network padded = row_network(option, isa);
	padded.run.lengths = sorted_lengths;
	for (int packed = 0; packed < 2; packed++) {
		struct network other = row_network(option, isa);
		other.run.batch_sizes = batch_sizes;
		other.run.packed = packed;
		if (packed)
			move_arrays(&other, 1, pack);
		for (int training = 0; training < 2; training++) {
			run_all(&padded, training);
			run_all(&other, training);
			if (packed)
				move_arrays(&other, 0, unpack);
			assert_same_runs(row_context(option, isa, packed ? "packed" : "batch sizes", training), &padded,
					 &other, padded.wish.training);
		}
		network_destroy(&other);
	}
	network_destroy(&padded);
}

static void test_packed(void **unused)
{
	(void)unused;
	rows_on_every_level(packing_does_not_matter);
}

/* [T,N,.] of `bytes` a row to [N,T,.], and back. */
static void turn(char *array, size_t bytes, size_t outer, size_t inner)
{
	char *const copy = aligned_zeros(T * N * bytes);
	memcpy(copy, array, T * N * bytes);
	for (size_t j = 0; j < outer; j++)
		for (size_t k = 0; k < inner; k++)
			memcpy(array + (k * outer + j) * bytes, copy + (j * inner + k) * bytes, bytes);
	free(copy);
}

static void to_batch_major(char *array, size_t bytes, const size_t *unused)
{
	(void)unused;
	turn(array, bytes, T, N);
}

static void to_time_major(char *array, size_t bytes, const size_t *unused)
{
	(void)unused;
	turn(array, bytes, N, T);
}

/* Flags lie as the data do. Only the read-out's bias adds up in another order. */
static void layout_does_not_matter(const struct option_wish *option, const char *isa)
{
	struct option_wish turned = *option;
	uint8_t marks[2][T * N], turned_marks[2][T * N];
	turned.wish.layout = SLUICE_BATCH_MAJOR;
	struct network time = row_network(option, isa), batch = row_network(&turned, isa);
	const size_t outputs = time.wish.outputs, tail = time.parameter_count - (outputs + 15) / 16 * 16;
	give_all(&time, marks);
	give_all(&batch, turned_marks);
	to_batch_major((char *)turned_marks[0], 1, NULL);
	to_batch_major((char *)turned_marks[1], 1, NULL);
	move_arrays(&batch, 1, to_batch_major);
	for (int training = 0; training < 2; training++) {
		run_all(&time, training);
		run_all(&batch, training);
		move_arrays(&batch, 0, to_time_major);
		memcpy((char *)batch.dparameters + tail * batch.real_bytes,
		       (char *)time.dparameters + tail * time.real_bytes, outputs * time.real_bytes);
		assert_same_runs(row_context(option, isa, "layout", training), &time, &batch, time.wish.training);
	}
	network_destroy(&time);
	network_destroy(&batch);
}

static void test_layout(void **unused)
{
	(void)unused;
	rows_on_every_level(layout_does_not_matter);
}

/* Steps of data by pointers, in falling order and with gaps between the rows. */
struct scattered {
	char *memory;
	void *steps[T];
	size_t row; /* elements */
};

enum { GAP = 3 };

static struct scattered scatter(const struct network *network, const void *from, size_t width)
{
	struct scattered scattered = {.row = width + GAP};
	const size_t row_bytes = scattered.row * network->data_bytes, bytes = width * network->data_bytes;
	scattered.memory = aligned_zeros(T * N * row_bytes);
	memset(scattered.memory, 0xff, T * N * row_bytes);
	for (size_t t = 0; t < T; t++) {
		scattered.steps[t] = scattered.memory + (T - 1 - t) * N * row_bytes;
		for (size_t row = 0; row < N; row++)
			memcpy((char *)scattered.steps[t] + row * row_bytes, (const char *)from + (t * N + row) * bytes,
			       bytes);
	}
	return scattered;
}

/* Back to [T,N,width]; the gaps are as they were. */
static void collect(const struct network *network, const struct scattered *scattered, size_t steps, size_t width,
		    void *to)
{
	const size_t bytes = width * network->data_bytes;
	for (size_t t = 0; t < steps; t++)
		for (size_t row = 0; row < N; row++) {
			const char *from =
				(const char *)scattered->steps[t] + row * scattered->row * network->data_bytes;
			memcpy((char *)to + (t * N + row) * bytes, from, bytes);
			for (size_t j = 0; j < GAP * network->data_bytes; j++)
				assert_int_equal((unsigned char)from[bytes + j], 0xff);
		}
}

static void pointers_do_not_matter(const struct option_wish *option, const char *isa)
{
	struct network plain = row_network(option, isa), other = row_network(option, isa);
	const size_t y_steps = plain.wish.last_only ? 1 : T;
	struct scattered x = scatter(&plain, plain.x, plain.inputs), y = scatter(&plain, plain.y, plain.outputs);
	struct scattered dy = scatter(&plain, plain.dy, plain.outputs), dx = scatter(&plain, plain.dx, plain.inputs);
	plain.run.lengths = other.run.lengths = mixed_lengths;
	other.run.x = other.run.y = NULL;
	other.run.x_steps = (const void *const *)x.steps;
	other.run.x_row = x.row;
	other.run.y_steps = y.steps;
	other.run.y_row = y.row;
	other.gradients.dy = other.gradients.dx = NULL;
	other.gradients.dy_steps = (const void *const *)dy.steps;
	other.gradients.dy_row = dy.row;
	other.gradients.dx_steps = dx.steps;
	other.gradients.dx_row = dx.row;
	for (int training = 0; training < 2; training++) {
		run_all(&plain, training);
		run_all(&other, training);
		collect(&other, &y, y_steps, other.outputs, other.y);
		collect(&other, &dx, T, other.inputs, other.dx);
		assert_same_runs(row_context(option, isa, "pointers", training), &plain, &other, plain.wish.training);
	}
	free(x.memory);
	free(y.memory);
	free(dy.memory);
	free(dx.memory);
	network_destroy(&plain);
	network_destroy(&other);
}

static void test_pointers(void **unused)
{
	(void)unused;
	rows_on_every_level(pointers_do_not_matter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths), cmocka_unit_test(test_no_steps), cmocka_unit_test(test_resets),
		cmocka_unit_test(test_holds),   cmocka_unit_test(test_threads),  cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_packed),  cmocka_unit_test(test_layout),   cmocka_unit_test(test_pointers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
