/* test_bits_options.c exists for the promise of determinism with every option of the cell: same bits, whatever the
 * threads, the company, the cuts, the layout and what memory held before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "option_wishes.h"

/* ------------------------------------------------------------------------------------------------- results ---- */

enum { Y, H, C, GATES, FINAL, DX, DPARAMETERS, DINITIAL, RESULTS };

static const char *const result_names[RESULTS] = {"y", "h", "c", "gates", "final", "dx", "dparameters", "dinitial"};

/* Everything that a call has put out, steps outermost, without the padding of states. */
struct results {
	char *at[RESULTS];
	size_t bytes[RESULTS];
};

static size_t y_steps(const sluice_run *run)
{
	return run->last_only ? 1 : run->steps;
}

static void keep(struct results *results, int which, const void *from, size_t bytes)
{
	results->at[which] = aligned_zeros(bytes);
	results->bytes[which] = bytes;
	memcpy(results->at[which], from, bytes);
}

/* [T,N,width] of one row's `bytes`, from batch-major memory or as it is. */
static void keep_sequence(struct results *results, int which, const struct network *network, const void *from,
			  size_t steps, size_t batch, size_t width)
{
	const size_t bytes = width * network->data_bytes;
	keep(results, which, from, steps * batch * bytes);
	if (network->wish.layout == SLUICE_BATCH_MAJOR)
		for (size_t t = 0; t < steps; t++)
			for (size_t row = 0; row < batch; row++)
				memcpy(results->at[which] + (t * batch + row) * bytes,
				       (const char *)from + (row * steps + t) * bytes, bytes);
}

/* All h, then all c, as sluice_state_read gives them. */
static void keep_state(struct results *results, int which, const struct network *network, const void *state,
		       size_t batch)
{
	const struct wish *wish = &network->wish;
	results->bytes[which] = batch * (network->h_width + network->c_width) * network->real_bytes;
	char *to = results->at[which] = aligned_zeros(results->bytes[which]);
	for (size_t layer = 0; layer < wish->layers; layer++)
		for (size_t direction = 0; direction < (wish->direction[layer] == SLUICE_BIDIRECTIONAL ? 2 : 1);
		     direction++) {
			const size_t projection = wish->options[layer].projection, hidden = wish->hidden[layer];
			const size_t rows = batch * network_places(network, layer);
			char *c = to + rows * (projection ? projection : hidden) * network->real_bytes;
			assert_ok(sluice_state_read(network->plan, state, batch, layer, direction, to, c));
			to = c + rows * hidden * network->real_bytes;
		}
}

static struct results keep_forward(const struct network *network, const sluice_run *run)
{
	struct results results = {{NULL}, {0}};
	const size_t steps = run->steps, batch = run->batch;
	keep_sequence(&results, Y, network, run->y, y_steps(run), batch, network->outputs);
	keep_sequence(&results, H, network, run->h, steps, batch, network->h_width);
	keep_sequence(&results, C, network, run->c, steps, batch, network->c_width);
	keep_sequence(&results, GATES, network, run->gates, steps, batch, 4 * network->c_width);
	keep_state(&results, FINAL, network, run->final_state, batch);
	return results;
}

static void keep_backward(struct results *results, const struct network *network)
{
	const sluice_gradients *gradients = &network->gradients;
	const size_t steps = network->wish.steps, batch = network->wish.batch;
	keep_sequence(results, DX, network, gradients->dx, steps, batch, network->inputs);
	keep(results, DPARAMETERS, gradients->dparameters, network->parameter_count * network->real_bytes);
	keep_state(results, DINITIAL, network, gradients->dinitial, batch);
}

static void results_free(struct results *results)
{
	for (int which = 0; which < RESULTS; which++)
		free(results->at[which]);
}

static void assert_same(const char *context, const struct results *a, const struct results *b)
{
	for (int which = 0; which < RESULTS; which++) {
		assert_int_equal(a->bytes[which], b->bytes[which]);
		for (size_t j = 0; j < a->bytes[which]; j++)
			if (a->at[which][j] != b->at[which][j])
				fail_msg("%s: %s differs at byte %zu of %zu", context, result_names[which], j,
					 a->bytes[which]);
	}
}

/* Whether the bits are those of a number: what a run has not written is none, as its memory is filled so before. */
static int is_number(sluice_dtype dtype, const char *at)
{
	uint16_t half;
	uint32_t single;
	uint64_t wide;
	memcpy(&half, at, sizeof half);
	if (dtype == SLUICE_F16)
		return (half & 0x7c00) != 0x7c00;
	if (dtype == SLUICE_BF16)
		return (half & 0x7f80) != 0x7f80;
	memcpy(&single, at, sizeof single);
	if (dtype == SLUICE_F32)
		return (single & 0x7f800000) != 0x7f800000;
	memcpy(&wide, at, sizeof wide);
	return (wide & UINT64_C(0x7ff0000000000000)) != UINT64_C(0x7ff0000000000000);
}

static void assert_numbers(const char *context, const struct network *network, const struct results *results)
{
	for (int which = 0; which < RESULTS; which++) {
		const int real = which == FINAL || which == DPARAMETERS || which == DINITIAL;
		const sluice_dtype dtype = !real                              ? network->wish.data
					   : network->wish.data == SLUICE_F64 ? SLUICE_F64
									      : SLUICE_F32;
		const size_t bytes = real ? network->real_bytes : network->data_bytes;
		size_t zeros = 0, count = results->bytes[which] / bytes;
		for (size_t j = 0; j < count; j++) {
			const char *at = results->at[which] + j * bytes;
			if (!is_number(dtype, at))
				fail_msg("%s: %s[%zu] is not a number", context, result_names[which], j);
			zeros += at[0] == 0 && memcmp(at, at + 1, bytes - 1) == 0;
		}
		/* Without any gate nothing comes of x, nor of h and c before. */
		if (count && zeros == count && network->wish.options[0].no_gates != SLUICE_GATES_ALL)
			fail_msg("%s: all of %s is zero", context, result_names[which]);
	}
}

/* ---------------------------------------------------------------------------------------------------- runs ---- */

static size_t workspace_bytes(const struct network *network)
{
	return sluice_plan_workspace_size(network->plan);
}

/* What memory holds before a call; it is all the same to the call. 0xff in every byte is not a number in any type. */
static void fill_outputs(struct network *network, int byte)
{
	const size_t rows = network->wish.steps * network->wish.batch, bytes = network->data_bytes;
	memset(network->y, byte, rows * network->outputs * bytes);
	memset(network->h, byte, rows * network->h_width * bytes);
	memset(network->c, byte, rows * network->c_width * bytes);
	memset(network->gates, byte, rows * 4 * network->c_width * bytes);
	memset(network->dx, byte, rows * network->inputs * bytes);
	memset(network->dparameters, byte, network->parameter_count * network->real_bytes);
	memset(network->final, byte, network->state_bytes);
	memset(network->dinitial, byte, network->state_bytes);
	memset(network->tape, byte, network->tape_bytes);
}

/* Runs forward, with or without the chances of training, and backward. */
static struct results run_all(struct network *network, int training, int byte)
{
	fill_outputs(network, byte);
	memset(network->workspace, byte, workspace_bytes(network));
	network->run.training = training;
	network->run.steps = network->wish.steps;
	network->run.batch = network->wish.batch;
	assert_ok(sluice_forward(network->plan, &network->run));
	struct results results = keep_forward(network, &network->run);
	if (!network->wish.training)
		return results;
	memset(network->workspace, byte, workspace_bytes(network));
	assert_ok(sluice_backward(network->plan, &network->run, &network->gradients));
	keep_backward(&results, network);
	return results;
}

typedef void check(const struct option_wish *wish, const char *isa);

static void on_every_level(check *each)
{
	for (size_t level = 0; sluice_isa_name(level); level++) {
		if (!sluice_isa_available(level)) {
			print_message("skipped: this machine lacks %s\n", sluice_isa_name(level));
			continue;
		}
		for (size_t j = 0; j < option_wish_count; j++)
			each(&option_wishes[j], sluice_isa_name(level));
	}
}

static const char *name_case(const struct option_wish *option, const char *isa, const char *what, int training)
{
	static char text[160];
	snprintf(text, sizeof text, "%s, %s, %s%s", option->name, isa, what, training ? ", training" : "");
	return text;
}

/* ----------------------------------------------------------------------------------- threads, memory, layout ---- */

static void assert_takes(const struct network *network, int threads)
{
	char text[4096], part[40];
	sluice_plan_describe(network->plan, text, sizeof text);
	snprintf(part, sizeof part, "threads %d of %d", threads, threads);
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in\n%s", part, text);
}

static void threads_do_not_matter(const struct option_wish *option, const char *isa)
{
	struct wish wish = option->wish;
	wish.isa = isa;
	wish.parallel = posix_parallel;
	struct network alone = network_create(&wish);
	for (wish.threads = 2; wish.threads <= 3; wish.threads++) {
		struct network together = network_create(&wish);
		assert_takes(&together, wish.threads);
		for (int training = 0; training < 2; training++) {
			struct results one = run_all(&alone, training, 0);
			struct results many = run_all(&together, training, 0xff);
			const char *context = name_case(option, isa, "threads", training);
			assert_numbers(context, &alone, &one);
			assert_same(context, &one, &many);
			results_free(&one);
			results_free(&many);
		}
		network_destroy(&together);
	}
	network_destroy(&alone);
}

static void test_threads(void **unused)
{
	(void)unused;
	on_every_level(threads_do_not_matter);
}

/* Neither what memory held before, nor an earlier run, nor another one between. */
static void memory_does_not_matter(const struct option_wish *option, const char *isa)
{
	static const int bytes[] = {0xff, 0x3c, 0xff};
	struct wish wish = option->wish;
	wish.isa = isa;
	struct network network = network_create(&wish);
	for (int training = 0; training < 2; training++) {
		struct results clean = run_all(&network, training, 0);
		for (size_t j = 0; j < sizeof bytes / sizeof bytes[0]; j++) {
			struct results dirty = run_all(&network, training, bytes[j]);
			const char *context = name_case(option, isa, "memory", training);
			assert_numbers(context, &network, &dirty);
			assert_same(context, &clean, &dirty);
			results_free(&dirty);
		}
		results_free(&clean);
	}
	network_destroy(&network);
}

static void test_memory(void **unused)
{
	(void)unused;
	on_every_level(memory_does_not_matter);
}

static void to_batch_major(const struct network *network, const void *from, void *to, size_t steps, size_t width)
{
	const size_t batch = network->wish.batch, bytes = width * network->data_bytes;
	for (size_t t = 0; t < steps; t++)
		for (size_t row = 0; row < batch; row++)
			memcpy((char *)to + (row * steps + t) * bytes, (const char *)from + (t * batch + row) * bytes,
			       bytes);
}

/* Batch-major data give the bits of time-major data; only the read-out's gradients add up in another order. */
static void layout_does_not_matter(const struct option_wish *option, const char *isa)
{
	struct wish wish = option->wish;
	wish.isa = isa;
	struct network time = network_create(&wish);
	wish.layout = SLUICE_BATCH_MAJOR;
	struct network batch = network_create(&wish);
	const size_t steps = wish.steps;
	to_batch_major(&time, time.x, batch.x, steps, time.inputs);
	to_batch_major(&time, time.dy, batch.dy, wish.last_only ? 1 : steps, time.outputs);
	if (wish.mask && wish.mask_shape == SLUICE_MASK_STEP)
		to_batch_major(&time, time.mask, batch.mask, steps, time.h_width);
	for (int training = 0; training < 2; training++) {
		struct results a = run_all(&time, training, 0xff), b = run_all(&batch, training, 0xff);
		const size_t tail = wish.outputs ? (wish.outputs + 15) / 16 * 16 * time.real_bytes : 0;
		a.bytes[DPARAMETERS] -= tail;
		b.bytes[DPARAMETERS] -= tail;
		assert_same(name_case(option, isa, "layout", training), &a, &b);
		results_free(&a);
		results_free(&b);
	}
	network_destroy(&time);
	network_destroy(&batch);
}

static void test_layout(void **unused)
{
	(void)unused;
	on_every_level(layout_does_not_matter);
}

/* A plan for inference, and a run without a tape, compute what a run that keeps one does. */
static void purpose_does_not_matter(const struct option_wish *option, const char *isa)
{
	struct wish wish = option->wish;
	wish.isa = isa;
	wish.flush_denormals = SLUICE_OFF;
	struct network trains = network_create(&wish);
	wish.training = 0;
	struct network infers = network_create(&wish);
	for (int training = 0; training < 2; training++) {
		struct results kept = run_all(&trains, training, 0xff), bare = run_all(&infers, training, 0xff);
		sluice_run run = trains.run;
		run.tape = NULL;
		fill_outputs(&trains, 0xff);
		memset(trains.workspace, 0xff, workspace_bytes(&trains));
		assert_ok(sluice_forward(trains.plan, &run));
		struct results without = keep_forward(&trains, &run);
		kept.bytes[DX] = kept.bytes[DPARAMETERS] = kept.bytes[DINITIAL] = 0;
		assert_same(name_case(option, isa, "purpose", training), &kept, &bare);
		assert_same(name_case(option, isa, "without tape", training), &kept, &without);
		results_free(&kept);
		results_free(&bare);
		results_free(&without);
	}
	network_destroy(&trains);
	network_destroy(&infers);
}

static void test_purpose(void **unused)
{
	(void)unused;
	on_every_level(purpose_does_not_matter);
}

/* --------------------------------------------------------------------------------------------- parts of runs ---- */

/* Copies rows `rows[0 .. count-1]` of a [T,N,width] array into a [T,count,width] one. */
static void pick_rows(const struct network *network, const void *from, void *to, size_t steps, size_t width,
		      const uint64_t *rows, size_t count)
{
	const size_t bytes = width * network->data_bytes;
	for (size_t t = 0; t < steps; t++)
		for (size_t j = 0; j < count; j++)
			memcpy((char *)to + (t * count + j) * bytes,
			       (const char *)from + (t * network->wish.batch + rows[j]) * bytes, bytes);
}

static void assert_same_rows(const char *context, const struct network *network, const struct results *whole,
			     const struct results *part, const uint64_t *rows, size_t count)
{
	const size_t widths[] = {network->outputs, network->h_width, network->c_width, 4 * network->c_width};
	for (int which = Y; which <= GATES; which++) {
		const size_t steps = part->bytes[which] / (widths[which] * network->data_bytes * count);
		char *picked = aligned_zeros(part->bytes[which]);
		pick_rows(network, whole->at[which], picked, steps, widths[which], rows, count);
		if (memcmp(picked, part->at[which], part->bytes[which]) != 0)
			fail_msg("%s: %s of row %zu differs", context, result_names[which], (size_t)rows[0]);
		free(picked);
	}
}

/* Runs some rows by themselves and compares them with the whole batch. */
static void run_rows(const char *context, struct network *network, struct network *other, const struct results *whole,
		     const uint64_t *rows, size_t count)
{
	const struct wish *wish = &network->wish;
	const size_t row_bytes = network->state_bytes / wish->batch;
	sluice_run run = other->run;
	run.training = network->run.training;
	run.steps = wish->steps;
	run.batch = count;
	run.sequence_ids = rows;
	pick_rows(network, network->x, other->x, wish->steps, network->inputs, rows, count);
	if (wish->mask && wish->mask_shape != SLUICE_MASK_UNIT)
		pick_rows(network, network->mask, other->mask, wish->mask_shape == SLUICE_MASK_STEP ? wish->steps : 1,
			  network->h_width, rows, count);
	for (size_t j = 0; j < count; j++)
		memcpy((char *)other->initial + j * row_bytes, (char *)network->initial + rows[j] * row_bytes,
		       row_bytes);
	fill_outputs(other, 0xff);
	memset(other->workspace, 0xff, workspace_bytes(other));
	assert_ok(sluice_forward(network->plan, &run));
	struct results part = keep_forward(network, &run);
	assert_same_rows(context, network, whole, &part, rows, count);
	for (size_t j = 0; j < count; j++) {
		struct results one = {{NULL}, {0}}, many = {{NULL}, {0}};
		keep_state(&one, FINAL, network, (char *)run.final_state + j * row_bytes, 1);
		keep_state(&many, FINAL, network, (char *)network->final + rows[j] * row_bytes, 1);
		assert_same(context, &many, &one);
		results_free(&one);
		results_free(&many);
	}
	results_free(&part);
}

/* Every row alone, and the batch in another order. `other` only lends its memory. */
static void company_does_not_matter(const struct option_wish *option, const char *isa)
{
	static const uint64_t rows[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
	static const uint64_t mixed[] = {7, 2, 8, 0, 5};
	struct wish wish = option->wish;
	wish.isa = isa;
	struct network network = network_create(&wish), other = network_create(&wish);
	assert_int_equal(wish.batch, sizeof rows / sizeof rows[0]);
	for (int training = 0; training < 2; training++) {
		struct results whole = run_all(&network, training, 0xff);
		const char *context = name_case(option, isa, "company", training);
		other.run.tape = training ? other.run.tape : NULL;
		for (size_t row = 0; row < wish.batch; row++)
			run_rows(context, &network, &other, &whole, rows + row, 1);
		run_rows(context, &network, &other, &whole, mixed, sizeof mixed / sizeof mixed[0]);
		results_free(&whole);
	}
	network_destroy(&network);
	network_destroy(&other);
}

static void test_company(void **unused)
{
	(void)unused;
	on_every_level(company_does_not_matter);
}

/* The run of the steps from `first`, in the memory that the whole run would use for them. */
static sluice_run part_of(const struct network *network, size_t first, size_t steps)
{
	const size_t at = first * network->wish.batch * network->data_bytes;
	sluice_run run = network->run;
	run.steps = steps;
	run.step_offset = network->run.step_offset + first;
	run.x = (char *)network->x + at * network->inputs;
	run.h = (char *)network->h + at * network->h_width;
	run.c = (char *)network->c + at * network->c_width;
	run.gates = (char *)network->gates + at * 4 * network->c_width;
	if (!run.last_only)
		run.y = (char *)network->y + at * network->outputs;
	if (run.mask && run.mask_shape == SLUICE_MASK_STEP)
		run.mask = (char *)network->mask + at * network->h_width;
	run.initial_state = first ? network->final : network->initial;
	run.tape = NULL;
	return run;
}

/* Cuts the sequence into parts of `length` steps, each starting where the one before has put its state. */
static void cut(const char *context, struct network *network, const struct results *whole, size_t length,
		sluice_status (*call)(const sluice_plan *, const sluice_run *))
{
	const size_t steps = network->wish.steps;
	fill_outputs(network, 0xff);
	for (size_t first = 0; first < steps; first += length) {
		const sluice_run run = part_of(network, first, steps - first < length ? steps - first : length);
		memset(network->workspace, 0xff, workspace_bytes(network));
		assert_ok(call(network->plan, &run));
	}
	sluice_run run = network->run;
	struct results parts = keep_forward(network, &run);
	parts.bytes[DX] = parts.bytes[DPARAMETERS] = parts.bytes[DINITIAL] = 0;
	assert_same(context, whole, &parts);
	results_free(&parts);
}

static void cuts_do_not_matter(const struct option_wish *option, const char *isa)
{
	struct wish wish = option->wish;
	wish.isa = isa;
	if (!wish_runs_forward(&wish))
		return;
	struct network network = network_create(&wish);
	network.run.step_offset = 3;
	for (int training = 0; training < 2; training++) {
		struct results whole = run_all(&network, training, 0);
		whole.bytes[DX] = whole.bytes[DPARAMETERS] = whole.bytes[DINITIAL] = 0;
		cut(name_case(option, isa, "chunks of 2", training), &network, &whole, 2, sluice_forward);
		if (!training || !wish_drops_connections(&wish))
			cut(name_case(option, isa, "steps", training), &network, &whole, 1, sluice_step);
		results_free(&whole);
	}
	network_destroy(&network);
}

static void test_cuts(void **unused)
{
	(void)unused;
	on_every_level(cuts_do_not_matter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads), cmocka_unit_test(test_memory),  cmocka_unit_test(test_layout),
		cmocka_unit_test(test_purpose), cmocka_unit_test(test_company), cmocka_unit_test(test_cuts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
