/* test_memory.c exists to count every allocation: none in run calls, all of them returned, each of them failed once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "option_wishes.h"
#include "sluice/io.h"
#include "sluice/streams.h"
#include "train/trainer.h"

/* An allocator that counts, and that fails the allocation number `fail_at`, from 1. */
struct ledger {
	size_t calls, live, bytes, fail_at;
};

static void *counted_allocate(void *user, size_t bytes, size_t alignment)
{
	struct ledger *ledger = user;
	if (++ledger->calls == ledger->fail_at)
		return NULL;
	void *block = aligned_alloc(alignment, bytes);
	if (block) {
		ledger->live++;
		ledger->bytes += bytes;
		memset(block, 0xA5, bytes);
	}
	return block;
}

static void counted_release(void *user, void *block, size_t bytes)
{
	struct ledger *ledger = user;
	assert_true(ledger->live > 0 && ledger->bytes >= bytes);
	ledger->live--;
	ledger->bytes -= bytes;
	free(block);
}

static const struct wish wish = {.steps = 5,
				 .batch = 3,
				 .inputs = 4,
				 .layers = 2,
				 .hidden = {20, 7},
				 .direction = {SLUICE_BIDIRECTIONAL},
				 .dropout = {0.5f},
				 .outputs = 2,
				 .training = 1};

static void test_runs_allocate_nothing(void **unused)
{
	(void)unused;
	struct ledger ledger = {0};
	const sluice_allocator allocator = {counted_allocate, counted_release, &ledger};
	struct wish stepped = wish;
	stepped.allocator = &allocator;
	struct network network = network_create(&stepped);
	stepped.direction[0] = SLUICE_FORWARD;
	struct network stream = network_create(&stepped);
	const size_t calls = ledger.calls;
	assert_true(calls > 0);
	stream.run.tape = NULL;
	for (int repetition = 0; repetition < 3; repetition++) {
		assert_ok(sluice_forward(network.plan, &network.run));
		assert_ok(sluice_backward(network.plan, &network.run, &network.gradients));
		assert_ok(sluice_plan_update(network.plan));
		assert_ok(sluice_step(stream.plan, &stream.run));
		assert_ok(sluice_block(stream.plan, &stream.run));
	}
	assert_int_equal(ledger.calls, calls);
	network_destroy(&network);
	network_destroy(&stream);
	assert_int_equal(ledger.live, 0);
	assert_int_equal(ledger.bytes, 0);
}

/* Whether a network of this wish may run single steps. */
static int may_step(const struct wish *wished)
{
	return wish_runs_forward(wished) && !wish_drops_connections(wished);
}

static void test_options_allocate_nothing(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < option_wish_count; j++) {
		struct ledger ledger = {0};
		const sluice_allocator allocator = {counted_allocate, counted_release, &ledger};
		struct wish wished = option_wishes[j].wish;
		wished.allocator = &allocator;
		struct network network = network_create(&wished);
		const size_t calls = ledger.calls;
		network.run.training = 1;
		assert_ok(sluice_forward(network.plan, &network.run));
		assert_ok(sluice_backward(network.plan, &network.run, &network.gradients));
		assert_ok(sluice_plan_update(network.plan));
		network.run.tape = NULL;
		assert_ok(sluice_block(network.plan, &network.run));
		if (may_step(&wished))
			assert_ok(sluice_step(network.plan, &network.run));
		if (ledger.calls != calls)
			fail_msg("%s: runs allocate %zu times", option_wishes[j].name, ledger.calls - calls);
		network_destroy(&network);
		assert_int_equal(ledger.live, 0);
		assert_int_equal(ledger.bytes, 0);
	}
}

/* Steps and blocks of slots, everything that happens to a single slot, and a collector after its creation. */
static void test_slots_allocate_nothing(void **unused)
{
	(void)unused;
	static const size_t slots[3] = {2, 0, 1};
	struct ledger ledger = {0};
	const sluice_allocator allocator = {counted_allocate, counted_release, &ledger};
	struct wish streamed = wish;
	streamed.allocator = &allocator;
	streamed.direction[0] = SLUICE_FORWARD;
	struct network network = network_create(&streamed);
	sluice_streams *streams;
	assert_ok(sluice_streams_create(network.plan, 5, &streams));
	void *state = sluice_streams_state(streams), *bytes = malloc(sluice_slot_size(network.plan));
	const size_t calls = ledger.calls, size = sluice_slot_size(network.plan);
	assert_non_null(bytes);
	sluice_run run = network.run;
	run.tape = NULL;
	run.initial_state = run.final_state = state;
	run.slots = slots;
	run.slot_count = 5;
	for (size_t repetition = 0, stream = 0, stepped = 0; repetition < 5; repetition++) {
		assert_ok(sluice_streams_open(streams, &stream));
		for (size_t each = 0; each <= stream; each++)
			assert_ok(sluice_streams_push(streams, each, network.x));
		assert_ok(sluice_streams_tick(streams, &stepped));
		assert_int_equal(stepped, repetition + 1);
		assert_ok(sluice_step(network.plan, &run));
		assert_ok(sluice_block(network.plan, &run));
		assert_ok(sluice_slot_save(network.plan, state, 1, bytes, size));
		assert_ok(sluice_slot_load(network.plan, state, 2, bytes, size));
		assert_ok(sluice_slot_copy(network.plan, state, 3, state, 2));
		assert_ok(sluice_prewarm(network.plan, state, 4, NULL, 3, network.workspace));
		assert_ok(sluice_state_reset(network.plan, state, 0, 5));
	}
	assert_int_equal(ledger.calls, calls);
	free(bytes);
	sluice_streams_destroy(streams);
	network_destroy(&network);
	assert_int_equal(ledger.live, 0);
	assert_int_equal(ledger.bytes, 0);
}

/* Calls `work` with the first, second, third ... allocation failing until it succeeds; it never leaks. */
static size_t sweep(sluice_status (*work)(const sluice_allocator *allocator, void *argument), void *argument)
{
	for (size_t fail_at = 1;; fail_at++) {
		struct ledger ledger = {.fail_at = fail_at};
		const sluice_allocator allocator = {counted_allocate, counted_release, &ledger};
		const sluice_status status = work(&allocator, argument);
		if (ledger.live != 0 || ledger.bytes != 0)
			fail_msg("allocation %zu failed: %zu blocks of %zu bytes leak", fail_at, ledger.live,
				 ledger.bytes);
		if (status == SLUICE_OK) {
			assert_true(ledger.calls < fail_at);
			return ledger.calls;
		}
		assert_refused(status, SLUICE_OUT_OF_MEMORY, "");
		assert_true(ledger.calls >= fail_at);
	}
}

static sluice_status create_all(const sluice_allocator *allocator, void *argument)
{
	const struct wish *wished = argument;
	const sluice_plan_options plan_options = wish_plan_options(wished);
	sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_context *context = NULL;
	sluice_model *model = NULL;
	sluice_plan *plan = NULL;
	sluice_streams *streams = NULL;
	sluice_layer layers[WISH_LAYERS];
	const sluice_description description = wish_description(wished, layers);
	options.allocator = allocator;
	sluice_status status = sluice_context_create(&options, &context);
	if (status == SLUICE_OK)
		status = sluice_model_create(context, &description, &model);
	if (status == SLUICE_OK)
		status = sluice_plan_create(model, &plan_options, &plan);
	assert_true(status == SLUICE_OK ? plan != NULL : plan == NULL);
	if (status == SLUICE_OK && wish_runs_forward(wished)) {
		status = sluice_streams_create(plan, 7, &streams);
		assert_true(status == SLUICE_OK ? streams != NULL : streams == NULL);
	}
	sluice_streams_destroy(streams);
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
	return status;
}

static void test_create_survives_failures(void **unused)
{
	(void)unused;
	struct wish plain = wish;
	const size_t allocations = sweep(create_all, &plain);
	print_message("context, model and plan: %zu allocations\n", allocations);
	assert_true(allocations >= 8);
	for (size_t j = 0; j < option_wish_count; j++) {
		struct wish wished = option_wishes[j].wish;
		assert_true(sweep(create_all, &wished) >= 8);
	}
}

static sluice_status with_context(const sluice_allocator *allocator, sluice_context **context)
{
	sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
	options.allocator = allocator;
	return sluice_context_create(&options, context);
}

static sluice_status load(const sluice_allocator *allocator, void *path)
{
	sluice_context *context = NULL;
	sluice_model *model = NULL;
	sluice_tensors *extra = NULL;
	sluice_status status = with_context(allocator, &context);
	if (status == SLUICE_OK)
		status = sluice_model_load(context, path, &model, &extra);
	sluice_tensors_destroy(extra);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
	return status;
}

/* A folder of the test's own; the name outlives it. */
static const char *scratch(const char *name)
{
	static char folder[] = "/tmp/sluice-memory-XXXXXX", path[128];
	static int made;
	if (!made)
		assert_non_null(mkdtemp(folder));
	made = 1;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void test_load_survives_failures(void **unused)
{
	(void)unused;
	struct network network = network_create(&wish);
	char path[128];
	strcpy(path, scratch("model.safetensors"));
	assert_ok(sluice_model_save(network.context, network.model, NULL, path));
	const size_t allocations = sweep(load, path);
	print_message("load: %zu allocations\n", allocations);
	assert_true(allocations >= 8);
	network_destroy(&network);
	assert_int_equal(remove(path), 0);
}

struct course {
	const char *text, *output, *checkpoint;
};

static sluice_status train(const sluice_allocator *allocator, void *argument)
{
	const struct course *course = argument;
	sluice_context *context = NULL;
	struct sluice__train_options options;
	struct sluice__train_result result;
	sluice__train_defaults(&options);
	options.texts = &course->text;
	options.text_count = 1;
	options.hidden = 8;
	options.layers = 2;
	options.embedding = 4;
	options.dropout = 0.1;
	options.steps = 5;
	options.batch = 2;
	options.updates = 4;
	options.output = course->output;
	options.checkpoint = course->checkpoint;
	options.checkpoint_every = 2;
	sluice_status status = with_context(allocator, &context);
	if (status == SLUICE_OK)
		status = sluice__train(context, &options, &result);
	sluice_context_destroy(context);
	return status;
}

static void test_train_survives_failures(void **unused)
{
	(void)unused;
	char text[128], output[128], checkpoint[128];
	strcpy(text, scratch("text.txt"));
	strcpy(output, scratch("trained.safetensors"));
	strcpy(checkpoint, scratch("checkpoint.safetensors"));
	FILE *file = fopen(text, "w");
	assert_non_null(file);
	for (int line = 0; line < 100; line++)
		fprintf(file, "line %d of a text that is long enough\n", line);
	assert_int_equal(fclose(file), 0);
	struct course course = {text, output, checkpoint};
	const size_t allocations = sweep(train, &course);
	print_message("train: %zu allocations\n", allocations);
	assert_true(allocations >= 20);
	remove(text);
	remove(output);
	remove(checkpoint);
	rmdir(scratch(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_allocate_nothing),  cmocka_unit_test(test_options_allocate_nothing),
		cmocka_unit_test(test_slots_allocate_nothing), cmocka_unit_test(test_create_survives_failures),
		cmocka_unit_test(test_load_survives_failures), cmocka_unit_test(test_train_survives_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
