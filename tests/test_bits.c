/* test_bits.c exists for the promise of determinism: same input, same plan, same bits, whatever runs beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network_fixture.h"

/* Networks whose sizes leave rests in every tile, vector and panel. */
static const struct wish wishes[] = {
	{.steps = 9, .batch = 1, .inputs = 1, .hidden = {1}},
	{.steps = 23, .batch = 1, .inputs = 1, .hidden = {16}, .outputs = 1},
	{.steps = 7, .batch = 13, .inputs = 5, .layers = 2, .hidden = {33, 17}, .outputs = 70},
	{.steps = 6, .batch = 3, .inputs = 67, .layers = 3, .hidden = {65, 40, 130}},
	{.steps = 5,
	 .batch = 7,
	 .inputs = 140,
	 .layers = 2,
	 .hidden = {200, 80},
	 .dropout = {0.25f, 0.5f},
	 .outputs = 9},
};
enum { WISHES = sizeof wishes / sizeof wishes[0] };

static const struct wish two_way[] = {
	{.steps = 8,
	 .batch = 5,
	 .inputs = 9,
	 .layers = 2,
	 .hidden = {40, 33},
	 .outputs = 3,
	 .direction = {SLUICE_BIDIRECTIONAL, SLUICE_REVERSE},
	 .dropout = {0.5f}},
	{.steps = 6,
	 .batch = 33,
	 .inputs = 20,
	 .layers = 2,
	 .hidden = {150, 70},
	 .direction = {SLUICE_REVERSE, SLUICE_BIDIRECTIONAL}},
};
enum { TWO_WAY = sizeof two_way / sizeof two_way[0] };

static void assert_same_bits(const char *what, const void *a, const void *b, size_t bytes)
{
	if (memcmp(a, b, bytes) == 0)
		return;
	const float *left = a, *right = b;
	for (size_t j = 0; j < bytes / sizeof *left; j++)
		if (memcmp(left + j, right + j, sizeof *left) != 0)
			fail_msg("%s[%zu]: %a is not %a", what, j, (double)left[j], (double)right[j]);
}

typedef void check(const struct wish *wish);

static void on_every_level(const struct wish *list, size_t count, check *each)
{
	for (size_t level = 0; sluice_isa_name(level); level++) {
		if (!sluice_isa_available(level)) {
			print_message("skipped: this machine lacks %s\n", sluice_isa_name(level));
			continue;
		}
		for (size_t j = 0; j < count; j++) {
			struct wish wish = list[j];
			wish.isa = sluice_isa_name(level);
			each(&wish);
		}
	}
}

static void step_is_sequence(const struct wish *wish)
{
	for (int training = 0; training < 2; training++) {
		struct network network = network_create(wish);
		void *state = aligned_zeros(network.state_bytes);
		float *y = aligned_zeros(network.wish.batch * network.outputs * sizeof *y);
		network.run.training = training;
		network.run.step_offset = 3;
		assert_ok(sluice_forward(network.plan, &network.run));
		memcpy(state, network.initial, network.state_bytes);
		sluice_run step = network.run;
		step.initial_state = step.final_state = state;
		step.y = y;
		for (size_t t = 0; t < network.wish.steps; t++) {
			step.x = network.x + t * network.wish.batch * network.wish.inputs;
			step.step_offset = 3 + t;
			assert_ok(sluice_step(network.plan, &step));
			assert_same_bits("y", y, network.y + t * network.wish.batch * network.outputs,
					 network.wish.batch * network.outputs * sizeof *y);
		}
		assert_same_bits("state", state, network.final, network.state_bytes);
		free(state);
		free(y);
		network_destroy(&network);
	}
}

static void test_step_is_sequence(void **unused)
{
	(void)unused;
	on_every_level(wishes, WISHES, step_is_sequence);
}

/* Forward and backward into a network's own memory. */
static void run_all(struct network *network)
{
	assert_ok(sluice_forward(network->plan, &network->run));
	if (network->run.tape)
		assert_ok(sluice_backward(network->plan, &network->run, &network->gradients));
}

static void assert_same_results(const struct network *a, const struct network *b)
{
	const size_t rows = a->wish.steps * a->wish.batch;
	assert_same_bits("y", a->y, b->y, rows * a->outputs * sizeof(float));
	assert_same_bits("final", a->final, b->final, a->state_bytes);
	assert_same_bits("dx", a->dx, b->dx, rows * a->wish.inputs * sizeof(float));
	assert_same_bits("dparameters", a->dparameters, b->dparameters, a->parameter_count * sizeof(float));
	assert_same_bits("dinitial", a->dinitial, b->dinitial, a->state_bytes);
}

static void threads_do_not_matter(const struct wish *wish)
{
	struct wish one = *wish;
	one.training = 1;
	struct network alone = network_create(&one);
	run_all(&alone);
	for (int threads = 2; threads <= 5; threads++) {
		struct wish many = one;
		many.threads = threads;
		many.parallel = threads == 2 ? NULL : posix_parallel;
		struct network together = network_create(&many);
		run_all(&together);
		assert_same_results(&alone, &together);
		network_destroy(&together);
	}
	network_destroy(&alone);
}

static void test_threads(void **unused)
{
	(void)unused;
	on_every_level(wishes, WISHES, threads_do_not_matter);
	on_every_level(two_way, TWO_WAY, threads_do_not_matter);
}

/* Every row alone, on the plan of the whole batch. */
static void company_does_not_matter(const struct wish *wish)
{
	struct network network = network_create(wish);
	const size_t batch = network.wish.batch, state_row = network.state_bytes / batch, steps = network.wish.steps;
	float *x = aligned_zeros(steps * network.wish.inputs * sizeof *x);
	float *y = aligned_zeros(steps * network.outputs * sizeof *y);
	char *final = aligned_zeros(state_row);
	network.run.training = 1;
	assert_ok(sluice_forward(network.plan, &network.run));
	for (uint64_t row = 0; row < batch; row++) {
		sluice_run alone = network.run;
		alone.batch = 1;
		alone.sequence_ids = &row;
		alone.x = x;
		alone.y = y;
		alone.initial_state = (char *)network.initial + row * state_row;
		alone.final_state = final;
		for (size_t t = 0; t < steps; t++)
			memcpy(x + t * network.wish.inputs, network.x + (t * batch + row) * network.wish.inputs,
			       network.wish.inputs * sizeof *x);
		assert_ok(sluice_forward(network.plan, &alone));
		for (size_t t = 0; t < steps; t++)
			assert_same_bits("y", y + t * network.outputs, network.y + (t * batch + row) * network.outputs,
					 network.outputs * sizeof *y);
		assert_same_bits("final", final, (char *)network.final + row * state_row, state_row);
	}
	free(x);
	free(y);
	free(final);
	network_destroy(&network);
}

static void test_company(void **unused)
{
	(void)unused;
	on_every_level(wishes, WISHES, company_does_not_matter);
	on_every_level(two_way, TWO_WAY, company_does_not_matter);
}

/* Copies [T,N,width] to [N,T,width], or back with steps and batch exchanged. */
static void transpose(const float *from, size_t steps, size_t batch, size_t width, float *to)
{
	for (size_t t = 0; t < steps; t++)
		for (size_t row = 0; row < batch; row++)
			memcpy(to + (row * steps + t) * width, from + (t * batch + row) * width, width * sizeof *to);
}

/* Batch-major data give the bits of time-major data; only the read-out's bias adds up in another order. */
static void layout_does_not_matter(const struct wish *wish)
{
	struct wish time_wish = *wish;
	time_wish.training = 1;
	struct wish batch_wish = time_wish;
	batch_wish.layout = SLUICE_BATCH_MAJOR;
	struct network time = network_create(&time_wish), batch = network_create(&batch_wish);
	const size_t steps = time.wish.steps, rows = time.wish.batch;
	transpose(time.x, steps, rows, time.wish.inputs, batch.x);
	transpose(time.dy, steps, rows, time.outputs, batch.dy);
	run_all(&time);
	run_all(&batch);
	transpose(batch.y, rows, steps, time.outputs, batch.dy);
	memcpy(batch.y, batch.dy, steps * rows * time.outputs * sizeof *batch.y);
	transpose(batch.dx, rows, steps, time.wish.inputs, batch.x);
	memcpy(batch.dx, batch.x, steps * rows * time.wish.inputs * sizeof *batch.x);
	if (time.wish.outputs)
		memcpy(batch.dparameters + time.parameter_count - (time.wish.outputs + 15) / 16 * 16,
		       time.dparameters + time.parameter_count - (time.wish.outputs + 15) / 16 * 16,
		       time.wish.outputs * sizeof(float));
	assert_same_results(&time, &batch);
	network_destroy(&time);
	network_destroy(&batch);
}

static void test_layout(void **unused)
{
	(void)unused;
	on_every_level(wishes, WISHES, layout_does_not_matter);
	on_every_level(two_way, TWO_WAY, layout_does_not_matter);
}

/* A sequence cut into two calls with carried state is the whole sequence, dropout included. */
static void chunks_do_not_matter(const struct wish *wish)
{
	struct network network = network_create(wish);
	const size_t steps = network.wish.steps, batch = network.wish.batch, head = steps / 2;
	float *y = aligned_zeros(steps * batch * network.outputs * sizeof *y);
	void *state = aligned_zeros(network.state_bytes);
	network.run.training = 1;
	assert_ok(sluice_forward(network.plan, &network.run));
	sluice_run part = network.run;
	part.steps = head;
	part.y = y;
	part.final_state = state;
	assert_ok(sluice_forward(network.plan, &part));
	part.steps = steps - head;
	part.step_offset = head;
	part.x = network.x + head * batch * network.wish.inputs;
	part.y = y + head * batch * network.outputs;
	part.initial_state = state;
	assert_ok(sluice_forward(network.plan, &part));
	assert_same_bits("y", y, network.y, steps * batch * network.outputs * sizeof *y);
	assert_same_bits("final", state, network.final, network.state_bytes);
	free(y);
	free(state);
	network_destroy(&network);
}

static void test_chunks(void **unused)
{
	(void)unused;
	on_every_level(wishes, WISHES, chunks_do_not_matter);
}

/* A plan that trains computes what a plan that only infers does, and a second backward what the first did. */
static void purpose_does_not_matter(const struct wish *wish)
{
	struct wish trainer = *wish;
	trainer.training = 1;
	trainer.flush_denormals = SLUICE_ON;
	struct network infer = network_create(wish), train = network_create(&trainer);
	infer.run.training = 1;
	run_all(&infer);
	run_all(&train);
	assert_same_bits("y", infer.y, train.y, infer.wish.steps * infer.wish.batch * infer.outputs * sizeof(float));
	assert_same_bits("final", infer.final, train.final, infer.state_bytes);
	float *first = aligned_zeros(train.parameter_count * sizeof *first);
	memcpy(first, train.dparameters, train.parameter_count * sizeof *first);
	assert_ok(sluice_backward(train.plan, &train.run, &train.gradients));
	assert_same_bits("dparameters", first, train.dparameters, train.parameter_count * sizeof *first);
	free(first);
	network_destroy(&infer);
	network_destroy(&train);
}

static void test_purpose(void **unused)
{
	(void)unused;
	on_every_level(wishes, WISHES, purpose_does_not_matter);
	on_every_level(two_way, TWO_WAY, purpose_does_not_matter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_step_is_sequence), cmocka_unit_test(test_threads), cmocka_unit_test(test_company),
		cmocka_unit_test(test_layout),           cmocka_unit_test(test_chunks),  cmocka_unit_test(test_purpose),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
