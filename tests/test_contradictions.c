/*
 * test_contradictions.c: what cannot be combined is refused with a sentence, and the list of it is short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "combination.h"
#include "judgement.h"
#include "subject.h"

#define MOST_KINDS 21

/* One description, plan and run that is to be refused somewhere on its way. */
struct attempt {
	sluice_layer layer;
	sluice_description description;
	sluice_plan_options plan;
	sluice_run run;
	int by_step, with_tape;
};

static void coupled_without_gate(struct attempt *attempt)
{
	attempt->layer.coupled = 1;
	attempt->layer.no_gates = SLUICE_GATE_F;
}

static void input_of_other_width(struct attempt *attempt)
{
	attempt->layer.input = SLUICE_INPUT_IDENTITY;
}

static void dropout_into_nothing(struct attempt *attempt)
{
	attempt->layer.dropout = 0.5f;
}

static void outputs_that_say_little(struct attempt *attempt)
{
	attempt->layer.candidate_activation.kind = SLUICE_ACTIVATION_SILU;
	attempt->plan.tape_mode = SLUICE_TAPE_OUTPUTS;
}

static void half_in_double(struct attempt *attempt)
{
	attempt->plan.data = SLUICE_F64;
	attempt->plan.weights = SLUICE_F16;
}

static void integers(struct attempt *attempt)
{
	attempt->plan.weights = SLUICE_I8;
}

static void step_in_reverse(struct attempt *attempt)
{
	attempt->layer.direction = SLUICE_REVERSE;
	attempt->by_step = 1;
}

static void step_with_tape(struct attempt *attempt)
{
	attempt->with_tape = 1;
	attempt->by_step = 1;
}

static void step_with_dropconnect(struct attempt *attempt)
{
	attempt->layer.dropconnect = 0.5f;
	attempt->run.training = 1;
	attempt->by_step = 1;
}

static void one_direction_added(struct attempt *attempt)
{
	attempt->layer.combination = SLUICE_ADD;
}

static void two_results_read_out(struct attempt *attempt)
{
	attempt->layer.direction = SLUICE_BIDIRECTIONAL;
	attempt->layer.combination = SLUICE_SEPARATE;
	attempt->description.outputs = 2;
}

static void packed_from_the_left(struct attempt *attempt)
{
	static const size_t LENGTHS[] = {1, 1};

	attempt->run.lengths = LENGTHS;
	attempt->run.packed = 1;
	attempt->run.padding = SLUICE_PADDING_LEFT;
}

static void batch_sizes_from_the_left(struct attempt *attempt)
{
	static const size_t SIZES[] = {2};

	attempt->run.batch_sizes = SIZES;
	attempt->run.padding = SLUICE_PADDING_LEFT;
}

static void kernel_without_images(struct attempt *attempt)
{
	attempt->layer.recurrent_convolution.height = 3;
}

static void elements_without_images(struct attempt *attempt)
{
	attempt->layer.peephole = SLUICE_PEEPHOLE_ELEMENT;
}

/* Images of 4 by 6 places. */
static void images_give(struct attempt *attempt)
{
	attempt->description.image_height = 4;
	attempt->description.image_width = 6;
}

static void image_of_one_side(struct attempt *attempt)
{
	attempt->description.image_height = 4;
}

static void kernel_without_weights(struct attempt *attempt)
{
	images_give(attempt);
	attempt->layer.memory_convolution.width = 3;
}

static void groups_that_do_not_divide(struct attempt *attempt)
{
	images_give(attempt);
	attempt->layer.input_convolution.groups = 2;
}

static void stride_of_the_state(struct attempt *attempt)
{
	images_give(attempt);
	attempt->layer.recurrent_convolution.stride_x = 2;
}

static void kernel_that_does_not_fit(struct attempt *attempt)
{
	images_give(attempt);
	attempt->layer.input_convolution.height = 3;
	attempt->layer.input_convolution.dilation_y = 2;
	attempt->layer.input_convolution.border = SLUICE_BORDER_NONE;
}

static void zeros_of_no_border(struct attempt *attempt)
{
	images_give(attempt);
	attempt->layer.input_convolution.top = 1;
}

/* Every kind of refusal that a combination of options can meet. */
static const struct {
	const char *reason;
	void (*prepare)(struct attempt *attempt);
	sluice_status status;
	const char *sentence; /* a part of it */
} REFUSALS[] = {
	{"1 - i needs both gates", coupled_without_gate, SLUICE_INVALID_ARGUMENT, "coupled"},
	{"without weights nothing can change the width of x", input_of_other_width, SLUICE_INVALID_ARGUMENT,
	 "identity"},
	{"a final state is never dropped out", dropout_into_nothing, SLUICE_INVALID_ARGUMENT, "nothing follows"},
	{"a slope cannot be had from a value that several arguments give", outputs_that_say_little, SLUICE_UNSUPPORTED,
	 "tape_mode is outputs"},
	{"f64 is for verification: nothing in it may be rounded", half_in_double, SLUICE_UNSUPPORTED, "f64"},
	{"int8 needs scales, which come with its kernels", integers, SLUICE_UNSUPPORTED, "i8"},
	{"the first step that a reverse layer processes is the last one", step_in_reverse, SLUICE_UNSUPPORTED,
	 "reverse"},
	{"a tape is of a whole call", step_with_tape, SLUICE_UNSUPPORTED, "tape"},
	{"DropConnect's mask is as large as R, and drawn once for a call", step_with_dropconnect, SLUICE_UNSUPPORTED,
	 "dropconnect"},
	{"with one direction there is nothing to be combined with", one_direction_added, SLUICE_INVALID_ARGUMENT,
	 "combination"},
	{"a read-out reads one result", two_results_read_out, SLUICE_INVALID_ARGUMENT, "separate"},
	{"packed rows begin at step 0 and end one after the other", packed_from_the_left, SLUICE_INVALID_ARGUMENT,
	 "packed"},
	{"so do rows that are counted for each step", batch_sizes_from_the_left, SLUICE_INVALID_ARGUMENT,
	 "batch_sizes"},
	{"a kernel is laid on an image", kernel_without_images, SLUICE_INVALID_ARGUMENT,
	 "recurrent_convolution.height is 3"},
	{"without places there are no elements", elements_without_images, SLUICE_INVALID_ARGUMENT, "peephole is 3"},
	{"an image has two sides", image_of_one_side, SLUICE_INVALID_ARGUMENT, "image_height"},
	{"what has no matrix has no kernel", kernel_without_weights, SLUICE_INVALID_ARGUMENT,
	 "memory_convolution.width is 3"},
	{"groups are equal parts of all channels", groups_that_do_not_divide, SLUICE_INVALID_ARGUMENT,
	 "input_convolution.groups is 2"},
	{"h is as large in the next step", stride_of_the_state, SLUICE_INVALID_ARGUMENT, "recurrent_convolution makes"},
	{"somewhere the kernel must lie", kernel_that_does_not_fit, SLUICE_INVALID_ARGUMENT, "does not fit"},
	{"zeros that no border asks for would be ignored", zeros_of_no_border, SLUICE_INVALID_ARGUMENT, "top 1"},
};

static sluice_status run_attempt(struct attempt *attempt, const sluice_plan *plan)
{
	size_t bytes = 64 + sluice_plan_workspace_size(plan) + sluice_plan_tape_size(plan, 1);
	char *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
	float x[6] = {0}, y[16] = {0};
	sluice_status status;

	assert_non_null(memory);
	memset(memory, 0, bytes);
	attempt->run.x = x;
	attempt->run.y = y;
	attempt->run.workspace = memory;
	if (attempt->with_tape)
		attempt->run.tape = memory + (sluice_plan_workspace_size(plan) + 63) / 64 * 64;
	status = attempt->by_step ? sluice_step(plan, &attempt->run) : sluice_forward(plan, &attempt->run);
	free(memory);
	return status;
}

/* The status of the first call that does not succeed. */
static sluice_status status_of(struct attempt *attempt, sluice_context *context)
{
	sluice_model *model = NULL;
	sluice_plan *plan = NULL;
	sluice_status status = sluice_model_create(context, &attempt->description, &model);

	if (status == SLUICE_OK)
		status = sluice_plan_create(model, &attempt->plan, &plan);
	if (status == SLUICE_OK)
		status = run_attempt(attempt, plan);
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	return status;
}

static void attempt_start(struct attempt *attempt)
{
	*attempt = (struct attempt){
		.layer = SLUICE_LAYER_INIT,
		.description = SLUICE_DESCRIPTION_INIT,
		.plan = SLUICE_PLAN_OPTIONS_INIT,
		.run = SLUICE_RUN_INIT,
	};
	attempt->layer.hidden = 5;
	attempt->description.inputs = 3;
	attempt->description.layer_count = 1;
	attempt->description.layers = &attempt->layer;
	attempt->plan.batch = 2;
	attempt->plan.training = 1;
}

static void test_kinds(void **state)
{
	size_t count = sizeof(REFUSALS) / sizeof(REFUSALS[0]);
	sluice_context *context;
	struct attempt attempt;

	(void)state;
	assert_int_equal(sluice_context_create(NULL, &context), SLUICE_OK);
	attempt_start(&attempt);
	assert_int_equal(status_of(&attempt, context), SLUICE_OK);
	for (size_t index = 0; index < count; index++) {
		sluice_status status;

		attempt_start(&attempt);
		REFUSALS[index].prepare(&attempt);
		status = status_of(&attempt, context);
		if (status != REFUSALS[index].status || !strstr(sluice_last_message(), REFUSALS[index].sentence))
			fail_msg("%s: %s", sluice_status_name(status), sluice_last_message());
		print_message("%zu. %s: %s\n   because %s\n", index + 1, sluice_status_name(status),
			      sluice_last_message(), REFUSALS[index].reason);
	}
	print_message("%zu kinds of refusal\n", count);
	assert_true(count <= MOST_KINDS);
	sluice_context_destroy(context);
}

/* Whether the library refuses a combination, at one of its calls. */
static int refused(const struct sluice__combination *combination)
{
	struct sluice__combination_case one;
	struct sluice__judgement judgement;
	struct sluice__subject subject;
	struct sluice__subject_options options = {.threads = 1, .training = 1};
	sluice_status status;

	sluice__combination_describe(combination, 1, &one);
	/* A description that contradicts itself may be beyond the oracle, too. */
	if (sluice__judgement_create(&one.setting, &judgement) != SLUICE_OK)
		return 1;
	options.steps = one.setting.steps;
	options.batch = one.setting.batch;
	options.tape_mode = one.setting.tape_mode;
	options.layout = one.setting.layout;
	options.lengths = one.setting.lengths;
	options.pointers = one.setting.pointers;
	options.slots = one.setting.slots;
	status = sluice__subject_create(&one.description, &judgement.network, judgement.free.run.parameters, &options,
					&subject);
	if (status == SLUICE_OK) {
		status = sluice__subject_run(&subject, &judgement.free.run, SLUICE__BY_FORWARD, 1);
		if (status == SLUICE_OK && one.step)
			status = sluice__subject_stream(&subject, &judgement.free.run);
		sluice__subject_destroy(&subject);
	}
	sluice__judgement_destroy(&judgement);
	return status == SLUICE_INVALID_ARGUMENT || status == SLUICE_UNSUPPORTED;
}

/* Combinations that differ from possible ones by one value: they are refused exactly if they contradict themselves. */
static void test_neighbours(void **state)
{
	struct sluice__combinations combinations;
	size_t contradictions = 0, neighbours = 0;

	(void)state;
	assert_int_equal(sluice__combinations_create(3, 1, &combinations), SLUICE_OK);
	for (size_t index = 0; index < combinations.count; index += 4) {
		struct sluice__combination one = combinations.items[index];
		size_t factor = index % SLUICE__FACTORS;
		unsigned char former = one.values[factor];

		for (size_t value = 0; value < sluice__factor_count((enum sluice__factor)factor); value++) {
			char text[SLUICE__COMBINATION_TEXT];
			int contradicts;

			one.values[factor] = (unsigned char)value;
			contradicts = sluice__combination_contradiction(one.values) != NULL;
			if (refused(&one) == contradicts) {
				contradictions += (size_t)contradicts;
				neighbours++;
				continue;
			}
			sluice__combination_print(&one, text);
			fail_msg("%s: %s", text, contradicts ? "is not refused" : sluice_last_message());
		}
		one.values[factor] = former;
	}
	print_message("%zu neighbours, %zu of them contradictions\n", neighbours, contradictions);
	assert_true(contradictions > 20);
	sluice__combinations_destroy(&combinations);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
