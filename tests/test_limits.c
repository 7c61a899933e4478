/* test_limits.c exists to keep the list of what the library refuses for reasons of its own short, true and documented.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network_fixture.h"
#include "sluice/streams.h"

static const struct wish standard = {.steps = 3, .batch = 2, .inputs = 3, .layers = 1, .hidden = {6}, .training = 1};

static void newer_field(const char *sentence)
{
	struct {
		sluice_run run;
		char future[16];
	} newer = {.future = {1}};
	struct network network = network_create(&standard);
	newer.run = network.run;
	newer.run.size = sizeof newer;
	assert_refused(sluice_forward(network.plan, &newer.run), SLUICE_UNSUPPORTED, sentence);
	network_destroy(&network);
}

/* A plan of `options` for the model of `wish` is refused. */
static void refuse_plan(const struct wish *wish, const sluice_plan_options *options, const char *sentence)
{
	struct network network = network_create(wish);
	sluice_plan *plan = NULL;
	assert_refused(sluice_plan_create(network.model, options, &plan), SLUICE_UNSUPPORTED, sentence);
	assert_null(plan);
	network_destroy(&network);
}

static void eight_bits(const char *sentence)
{
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	sluice_weights weights = SLUICE_WEIGHTS_INIT;
	options.data = SLUICE_I8;
	refuse_plan(&standard, &options, sentence);
	options.data = SLUICE_F32;
	options.weights = SLUICE_I8;
	refuse_plan(&standard, &options, sentence);
	options.weights = SLUICE_F32;
	options.tape = SLUICE_I8;
	refuse_plan(&standard, &options, sentence);
	struct network network = network_create(&standard);
	weights.dtype = SLUICE_I8;
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_UNSUPPORTED, sentence);
	network_destroy(&network);
}

static void half_of_f64(const char *sentence)
{
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	options.weights = SLUICE_F64;
	refuse_plan(&standard, &options, sentence);
	options.data = SLUICE_F64;
	options.tape = SLUICE_BF16;
	refuse_plan(&standard, &options, sentence);
	options.tape = SLUICE_F32;
	options.weights = SLUICE_F16;
	refuse_plan(&standard, &options, sentence);
}

/* Layers whose gates and c leave something open; without training nobody asks. */
static void silent_outputs(const char *sentence)
{
	const sluice_layer layers[] = {{.gate_clip = 1},
				       {.zoneout_h = 0.5f},
				       {.zoneout_c = 0.5f},
				       {.input_activation = {.kind = SLUICE_ACTIVATION_GELU}},
				       {.output_activation = {.kind = SLUICE_ACTIVATION_PRELU}}};
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	options.tape_mode = SLUICE_TAPE_OUTPUTS;
	for (size_t j = 0; j < sizeof layers / sizeof layers[0]; j++) {
		struct wish wish = standard;
		wish.options[0] = layers[j];
		options.training = 1;
		refuse_plan(&wish, &options, sentence);
		wish.training = 0;
		wish.tape_mode = SLUICE_TAPE_OUTPUTS;
		struct network network = network_create(&wish);
		assert_ok(sluice_forward(network.plan, &network.run));
		network_destroy(&network);
	}
}

/* A step of a network of this wish is refused. */
static void refuse_step(const struct wish *wish, int with_tape, const char *sentence)
{
	struct network network = network_create(wish);
	const float mark = 12345;
	network.y[0] = ((float *)network.final)[0] = mark;
	if (!with_tape)
		network.run.tape = NULL;
	assert_refused(sluice_step(network.plan, &network.run), SLUICE_UNSUPPORTED, sentence);
	assert_true(network.y[0] == mark && ((float *)network.final)[0] == mark);
	network_destroy(&network);
}

/* Whatever steps: a step, a warm-up, a collector. */
static void reverse_steps(const char *sentence)
{
	static const sluice_direction directions[] = {SLUICE_REVERSE, SLUICE_BIDIRECTIONAL};
	for (size_t j = 0; j < 2; j++) {
		struct wish wish = standard;
		sluice_streams *streams = NULL;
		wish.direction[0] = directions[j];
		refuse_step(&wish, 0, sentence);
		struct network network = network_create(&wish);
		assert_refused(sluice_prewarm(network.plan, network.initial, 0, NULL, 1, network.workspace),
			       SLUICE_UNSUPPORTED, sentence);
		assert_refused(sluice_streams_create(network.plan, 1, &streams), SLUICE_UNSUPPORTED, sentence);
		assert_null(streams);
		network_destroy(&network);
	}
}

static void dropconnect_steps(const char *sentence)
{
	struct wish wish = standard;
	wish.options[0].dropconnect = 0.5f;
	refuse_step(&wish, 0, sentence);
	struct network network = network_create(&wish);
	network.run.training = 0;
	network.run.tape = NULL;
	assert_ok(sluice_step(network.plan, &network.run));
	network_destroy(&network);
}

static void taped_steps(const char *sentence)
{
	refuse_step(&standard, 1, sentence);
}

static const struct limit {
	const char *sentence; /* its fixed part */
	void (*provoke)(const char *sentence);
} limits[] = {
	{"uses a field at byte", newer_field},
	{"is i8, expected", eight_bits},
	{"a plan computes in f64 altogether or not at all", half_of_f64},
	{"gates and c do not determine its gradients", silent_outputs},
	{"runs in reverse: it needs its last step first", reverse_steps},
	{"every training step would draw again", dropconnect_steps},
	{"a step keeps none", taped_steps},
};
enum { LIMITS = sizeof limits / sizeof limits[0], MOST = 10 };
_Static_assert((int)LIMITS <= (int)MOST, "too many things are refused");

static void test_limits(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < LIMITS; j++)
		limits[j].provoke(limits[j].sentence);
}

/* The table of the manual has these sentences, in this order, each with a reason, and no others. */
static void test_manual(void **unused)
{
	(void)unused;
	FILE *file = fopen(SLUICE_TEST_SOURCES "/../docs/ARCHITECTURE.md", "r");
	char line[1024], start[128];
	int within = 0;
	size_t found = 0;
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		if (strncmp(line, "## ", 3) == 0)
			within = strcmp(line, "## What is refused, and why\n") == 0;
		if (!within || strncmp(line, "| `", 3) != 0)
			continue;
		assert_true(found < LIMITS);
		snprintf(start, sizeof start, "| `%s` | ", limits[found].sentence);
		if (strncmp(line, start, strlen(start)) != 0)
			fail_msg("expected \"%s\", found %s", start, line);
		assert_true(strlen(line) > strlen(start) + 10);
		found++;
	}
	fclose(file);
	assert_int_equal(found, LIMITS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_manual),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
