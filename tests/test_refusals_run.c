/* test_refusals_run.c exists to see every bad run and every bad gradient call refused with a sentence, and its outputs
 * untouched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network_fixture.h"

static const struct wish wish = {
	.steps = 4, .batch = 2, .inputs = 3, .layers = 1, .hidden = {6}, .outputs = 2, .training = 1, .sequences = 1};

/* A piece of the memory that a call may write. */
struct output {
	void *at;
	size_t bytes;
};

/* The calls that take a run. */
enum { FORWARD = 1, BLOCK = 2, STEP = 4, BACKWARD = 8, SEQUENCES = FORWARD | BLOCK | BACKWARD, ALL = SEQUENCES | STEP };

static void mark_outputs(const struct output *outputs, size_t count, int byte)
{
	for (size_t j = 0; j < count; j++)
		memset(outputs[j].at, byte, outputs[j].bytes);
}

/* Refused by these calls, and not a byte of any output is touched. */
static void refuse_calls(struct network *network, const sluice_run *run, int calls, sluice_status expected,
			 const char *part)
{
	enum { MARK = 0x5a };
	const size_t rows = network->wish.steps * network->wish.batch, size = network->data_bytes;
	const struct output outputs[] = {
		{network->y, rows * network->outputs * size},
		{network->h, rows * network->h_width * size},
		{network->c, rows * network->c_width * size},
		{network->gates, rows * 4 * network->c_width * size},
		{network->final, network->state_bytes},
		{network->tape, network->tape_bytes},
		{network->dx, rows * network->wish.inputs * size},
		{network->dparameters, network->parameter_count * network->real_bytes},
		{network->dinitial, network->state_bytes},
	};
	enum { OUTPUTS = sizeof outputs / sizeof outputs[0] };
	mark_outputs(outputs, OUTPUTS, MARK);
	if (calls & FORWARD)
		assert_refused(sluice_forward(network->plan, run), expected, part);
	if (calls & BLOCK)
		assert_refused(sluice_block(network->plan, run), expected, part);
	if (calls & STEP)
		assert_refused(sluice_step(network->plan, run), expected, part);
	if (calls & BACKWARD)
		assert_refused(sluice_backward(network->plan, run, &network->gradients), expected, part);
	for (size_t j = 0; j < OUTPUTS; j++)
		for (size_t k = 0; k < outputs[j].bytes; k++)
			assert_int_equal(((unsigned char *)outputs[j].at)[k], MARK);
}

/* A run that is right but for these changes is refused by these calls. */
#define REFUSE_BY(calls, change, part)                                              \
	do {                                                                        \
		sluice_run run = network.run;                                       \
		change;                                                             \
		refuse_calls(&network, &run, calls, SLUICE_INVALID_ARGUMENT, part); \
	} while (0)
#define REFUSE_RUN(change, part) REFUSE_BY(ALL, change, part)

static void test_run(void **unused)
{
	(void)unused;
	struct network network = network_create(&wish);
	assert_refused(sluice_forward(NULL, &network.run), SLUICE_INVALID_ARGUMENT, "plan is NULL");
	assert_refused(sluice_forward(network.plan, NULL), SLUICE_INVALID_ARGUMENT, "run is NULL");
	assert_refused(sluice_block(NULL, &network.run), SLUICE_INVALID_ARGUMENT, "plan is NULL");
	assert_refused(sluice_block(network.plan, NULL), SLUICE_INVALID_ARGUMENT, "run is NULL");
	REFUSE_RUN(run.steps = 5, "run.steps is 5");
	REFUSE_RUN(run.batch = 3, "run.batch is 3");
	REFUSE_RUN(run.x = NULL, "run.x is NULL");
	REFUSE_RUN(run.workspace = NULL, "run.workspace is NULL");
	REFUSE_RUN(run.workspace = (char *)network.workspace + 4, "run.workspace is not aligned");
	REFUSE_RUN(run.tape = (char *)network.tape + 4, "run.tape is not aligned");
	REFUSE_RUN(run.initial_state = (char *)network.initial + 4, "run.initial_state is not aligned");
	REFUSE_RUN(run.final_state = (char *)network.final + 4, "run.final_state is not aligned");
	REFUSE_RUN(run.size = 0, "run.size is 0");
	REFUSE_RUN(run.mask_shape = (sluice_mask_shape)3, "run.mask_shape is 3");
	assert_refused(sluice_step(network.plan, &network.run), SLUICE_UNSUPPORTED, "run.tape");
	network_destroy(&network);
}

/* Which steps rows have. */
static void test_lengths(void **unused)
{
	(void)unused;
	static const size_t beyond[2] = {1, 5}, first_beyond[2] = {6, 0}, right[2] = {1, 0};
	static const size_t wide[4] = {3, 2, 1, 1}, growing[4] = {1, 1, 2, 1}, batches[4] = {1, 1, 1, 0};
	struct network network = network_create(&wish);
	REFUSE_RUN(run.lengths = beyond, "run.lengths[1] is 5, expected at most");
	REFUSE_RUN(run.lengths = first_beyond, "run.lengths[0] is 6, expected at most");
	/* The limit is the run's T, not the plan's; a step's is 1. */
	REFUSE_BY(SEQUENCES, (run.steps = 3, run.lengths = (const size_t[]){3, 4}),
		  "run.lengths[1] is 4, expected at most");
	REFUSE_BY(STEP, run.lengths = ((const size_t[]){1, 2}), "run.lengths[1] is 2, expected at most");
	REFUSE_RUN((run.lengths = right, run.batch_sizes = batches), "run.lengths and run.batch_sizes are both given");
	REFUSE_RUN(run.batch_sizes = wide, "run.batch_sizes[0] is 3, expected at most");
	REFUSE_RUN((run.batch = 1, run.batch_sizes = ((const size_t[]){2, 1, 1, 1})),
		   "run.batch_sizes[0] is 2, expected at most");
	REFUSE_BY(SEQUENCES, run.batch_sizes = growing, "run.batch_sizes[2] is 2, expected at most");
	REFUSE_RUN((run.batch_sizes = batches, run.padding = SLUICE_PADDING_LEFT),
		   "run.padding is left and run.batch_sizes is given");
	REFUSE_RUN(run.padding = (sluice_padding)2, "run.padding is 2, expected 0");
	REFUSE_RUN(run.padding = (sluice_padding)-1, "run.padding is -1, expected 0");
	network_destroy(&network);
}

static void test_packed(void **unused)
{
	(void)unused;
	static const size_t unsorted[2] = {0, 1};
	struct network network = network_create(&wish);
	const void *x_steps[4] = {network.x, network.x, network.x, network.x};
	void *y_steps[4] = {network.y, network.y, network.y, network.y};
	REFUSE_RUN((run.packed = 1, run.padding = SLUICE_PADDING_LEFT), "run.packed is set and run.padding is left");
	REFUSE_RUN((run.packed = 1, run.lengths = unsorted),
		   "run.packed is set and run.lengths[1] is 1, expected at most");
	REFUSE_RUN((run.packed = 1, run.x = NULL, run.x_steps = x_steps), "run.packed is set and run.x_steps is given");
	REFUSE_RUN((run.packed = 1, run.y = NULL, run.y_steps = y_steps), "run.packed is set and run.y_steps is given");
	network_destroy(&network);
	struct wish batch_major = wish;
	batch_major.layout = SLUICE_BATCH_MAJOR;
	network = network_create(&batch_major);
	REFUSE_RUN(run.packed = 1, "run.packed is set and the plan is batch-major");
	network_destroy(&network);
}

/* Data by one pointer for each step. */
static void test_pointers(void **unused)
{
	(void)unused;
	struct network network = network_create(&wish);
	const void *x_steps[4] = {network.x, network.x, network.x, network.x};
	const void *x_without[4] = {network.x, network.x, NULL, network.x};
	const void *x_none[4] = {NULL};
	void *y_steps[4] = {network.y, network.y, network.y, network.y};
	void *y_without[4] = {network.y, network.y, network.y, NULL};
	void *y_none[4] = {NULL};
	REFUSE_RUN(run.x_steps = x_steps, "run.x and run.x_steps are both given");
	REFUSE_RUN(run.y_steps = y_steps, "run.y and run.y_steps are both given");
	REFUSE_RUN((run.x = NULL, run.x_steps = x_none), "run.x_steps[0] is NULL");
	REFUSE_BY(SEQUENCES, (run.x = NULL, run.x_steps = x_without), "run.x_steps[2] is NULL");
	REFUSE_RUN((run.y = NULL, run.y_steps = y_none), "run.y_steps[0] is NULL");
	REFUSE_BY(SEQUENCES, (run.y = NULL, run.y_steps = y_without), "run.y_steps[3] is NULL");
	REFUSE_RUN((run.last_only = 1, run.y = NULL, run.y_steps = y_none), "run.y_steps[0] is NULL");
	REFUSE_RUN((run.x = NULL, run.x_steps = x_steps, run.x_row = 2), "run.x_row is 2, expected at least");
	REFUSE_RUN((run.y = NULL, run.y_steps = y_steps, run.y_row = 1), "run.y_row is 1, expected at least");
	network_destroy(&network);
}

/* A second result where there is none, and the same one given twice. */
static void test_second_result(void **unused)
{
	(void)unused;
	struct wish separate = wish;
	separate.direction[0] = SLUICE_BIDIRECTIONAL;
	separate.options[0].combination = SLUICE_SEPARATE;
	separate.outputs = 0;
	struct network network = network_create(&wish);
	void *y_steps[4] = {network.y, network.y, network.y, network.y};
	REFUSE_RUN(run.y_reverse = network.h, "run.y_reverse is given, the last layer has no separate results");
	REFUSE_RUN(run.y_reverse_steps = y_steps,
		   "run.y_reverse_steps is given, the last layer has no separate results");
	network_destroy(&network);
	network = network_create(&separate);
	void *steps[4] = {network.h, network.h, network.h, NULL};
	REFUSE_BY(SEQUENCES, (run.y_reverse = network.h, run.y_reverse_steps = steps),
		  "run.y_reverse and run.y_reverse_steps are both given");
	REFUSE_BY(SEQUENCES, run.y_reverse_steps = steps, "run.y_reverse_steps[3] is NULL");
	REFUSE_BY(SEQUENCES, (run.y_reverse_steps = steps, run.packed = 1),
		  "run.packed is set and run.y_reverse_steps is given");
	network_destroy(&network);
}

static void test_slots(void **unused)
{
	(void)unused;
	static const size_t right[2] = {4, 1}, beyond[2] = {0, 9}, twice[2] = {3, 3}, last[2] = {5, 0};
	struct network network = network_create(&wish);
	REFUSE_RUN(run.slots = right, "run.slot_count is 0, expected at least");
	REFUSE_RUN((run.slots = right, run.slot_count = 1), "run.slot_count is 1, expected at least");
	REFUSE_RUN((run.slots = beyond, run.slot_count = 5), "run.slots[1] is 9, expected below");
	REFUSE_RUN((run.slots = last, run.slot_count = 5), "run.slots[0] is 5, expected below");
	REFUSE_RUN((run.slots = twice, run.slot_count = 5), "run.slots[1] is 3 as run.slots[0]");
	network_destroy(&network);
	struct wish many = wish;
	many.batch = 5;
	network = network_create(&many);
	REFUSE_RUN((run.slots = (const size_t[]){7, 2, 9, 0, 2}, run.slot_count = 10),
		   "run.slots[4] is 2 as run.slots[1]");
	REFUSE_RUN((run.slots = (const size_t[]){0, 1, 2, 3, 10}, run.slot_count = 10), "run.slots[4] is 10");
	network_destroy(&network);
}

/* Backward with these gradients is refused, and none of them is touched. */
static void refuse_gradients(struct network *network, const sluice_run *run, const sluice_gradients *wrong,
			     const char *part)
{
	const sluice_gradients right = network->gradients;
	network->gradients = *wrong;
	refuse_calls(network, run, BACKWARD, SLUICE_INVALID_ARGUMENT, part);
	network->gradients = right;
}

#define REFUSE_GRADIENTS(change, part)                              \
	do {                                                        \
		sluice_run run = network.run;                       \
		sluice_gradients gradients = network.gradients;     \
		change;                                             \
		refuse_gradients(&network, &run, &gradients, part); \
	} while (0)

static void test_gradient_pointers(void **unused)
{
	(void)unused;
	struct network network = network_create(&wish);
	const void *dy_steps[4] = {network.dy, network.dy, network.dy, network.dy};
	const void *dy_without[4] = {network.dy, NULL, network.dy, network.dy};
	void *dx_steps[4] = {network.dx, network.dx + 6, network.dx + 12, network.dx + 18};
	void *dx_without[4] = {network.dx, network.dx + 6, NULL, network.dx + 18};
	REFUSE_GRADIENTS(gradients.dy_steps = dy_steps, "gradients.dy and gradients.dy_steps are both given");
	REFUSE_GRADIENTS(gradients.dx_steps = dx_steps, "gradients.dx and gradients.dx_steps are both given");
	REFUSE_GRADIENTS((gradients.dy = NULL, gradients.dy_steps = dy_without), "gradients.dy_steps[1] is NULL");
	REFUSE_GRADIENTS((gradients.dx = NULL, gradients.dx_steps = dx_without), "gradients.dx_steps[2] is NULL");
	REFUSE_GRADIENTS((gradients.dy = NULL, gradients.dy_steps = dy_steps, gradients.dy_row = 1),
			 "gradients.dy_row is 1, expected at least");
	REFUSE_GRADIENTS((gradients.dx = NULL, gradients.dx_steps = dx_steps, gradients.dx_row = 2),
			 "gradients.dx_row is 2, expected at least");
	REFUSE_GRADIENTS((run.packed = 1, gradients.dy = NULL, gradients.dy_steps = dy_steps),
			 "run.packed is set and gradients.dy_steps is given");
	REFUSE_GRADIENTS((run.packed = 1, gradients.dx = NULL, gradients.dx_steps = dx_steps),
			 "run.packed is set and gradients.dx_steps is given");
	REFUSE_GRADIENTS(gradients.dy_reverse = network.dy,
			 "gradients.dy_reverse is given, the last layer has no separate results");
	REFUSE_GRADIENTS(gradients.dy_reverse_steps = dy_steps,
			 "gradients.dy_reverse_steps is given, the last layer has no separate results");
	network_destroy(&network);
}

static void test_gradients(void **unused)
{
	(void)unused;
	struct network network = network_create(&wish);
	struct wish without = wish;
	without.tape_mode = SLUICE_TAPE_OUTPUTS;
	struct network outputs = network_create(&without);
	const float mark = 7;
	sluice_run run = network.run;
	network.dparameters[0] = network.dx[0] = outputs.dparameters[0] = mark;
	run.tape = NULL;
	assert_refused(sluice_backward(network.plan, &run, &network.gradients), SLUICE_INVALID_ARGUMENT,
		       "run.tape is NULL");
	assert_refused(sluice_backward(network.plan, &network.run, NULL), SLUICE_INVALID_ARGUMENT, "gradients is NULL");
	network.gradients.size = 1;
	assert_refused(sluice_backward(network.plan, &network.run, &network.gradients), SLUICE_INVALID_ARGUMENT,
		       "gradients.size is 1");
	network.gradients.size = sizeof network.gradients;
	network.gradients.accumulate = 64;
	assert_refused(sluice_backward(network.plan, &network.run, &network.gradients), SLUICE_INVALID_ARGUMENT,
		       "0x40");
	network.gradients.accumulate = SLUICE_ACCUMULATE_STATE;
	network.gradients.dfinal = network.dinitial;
	assert_refused(sluice_backward(network.plan, &network.run, &network.gradients), SLUICE_INVALID_ARGUMENT,
		       "dinitial");
	outputs.run.gates = NULL;
	assert_refused(sluice_backward(outputs.plan, &outputs.run, &outputs.gradients), SLUICE_INVALID_ARGUMENT,
		       "run.gates is NULL");
	outputs.run.gates = outputs.gates;
	outputs.run.c = NULL;
	assert_refused(sluice_backward(outputs.plan, &outputs.run, &outputs.gradients), SLUICE_INVALID_ARGUMENT,
		       "run.c is NULL");
	outputs.run.tape = network.tape;
	assert_refused(sluice_forward(outputs.plan, &outputs.run), SLUICE_INVALID_ARGUMENT, "tape_mode outputs");
	assert_true(network.dparameters[0] == mark && network.dx[0] == mark && outputs.dparameters[0] == mark);
	network_destroy(&network);
	network_destroy(&outputs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_second_result),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_gradient_pointers),
		cmocka_unit_test(test_gradients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
