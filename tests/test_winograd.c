/* test_winograd.c exists to hold convolutions by tiles to the promises that all others keep: who gets them, and bits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "data.h"
#include "sluice/sluice.h"

/* So wide that a row of tiles is a block of work by itself, or nearly. */
enum { T = 3, N = 3, HEIGHT = 6, WIDTH = 157, CHANNELS = 16, HIDDEN = 32 };

/* One network over images, with a plan for it. */
struct subject {
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	size_t row;        /* numbers of a row of x */
	size_t result;     /* of a row of y */
	size_t parameters; /* of the block */
};

static sluice_layer usual_layer(void)
{
	sluice_layer layer = SLUICE_LAYER_INIT;
	layer.hidden = HIDDEN;
	layer.input_convolution.height = layer.input_convolution.width = 3;
	layer.recurrent_convolution = layer.input_convolution;
	return layer;
}

static struct subject subject_of_height(const sluice_layer *layer, const sluice_plan_options *options, int threads,
					size_t height)
{
	sluice_context_options context = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_initialization initialization = SLUICE_INITIALIZATION_INIT;
	struct subject subject;

	context.threads = threads;
	description.inputs = CHANNELS;
	description.layer_count = 1;
	description.layers = layer;
	description.image_height = height;
	description.image_width = WIDTH;
	initialization.seed = 3;
	assert_int_equal(sluice_context_create(&context, &subject.context), SLUICE_OK);
	assert_int_equal(sluice_model_create(subject.context, &description, &subject.model), SLUICE_OK);
	assert_int_equal(sluice_model_initialize(subject.model, &initialization), SLUICE_OK);
	assert_int_equal(sluice_plan_create(subject.model, options, &subject.plan), SLUICE_OK);
	subject.row = height * WIDTH * CHANNELS;
	subject.result = sluice_model_outputs(subject.model);
	sluice_model_parameters(subject.model, &subject.parameters);
	return subject;
}

static struct subject subject_of(const sluice_layer *layer, const sluice_plan_options *options, int threads)
{
	return subject_of_height(layer, options, threads, HEIGHT);
}

static void subject_destroy(struct subject *subject)
{
	sluice_plan_destroy(subject->plan);
	sluice_model_destroy(subject->model);
	sluice_context_destroy(subject->context);
}

static sluice_plan_options plan_options(sluice_choice winograd)
{
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	options.steps = T;
	options.batch = N;
	options.training = 1;
	options.winograd = winograd;
	return options;
}

static int uses_tiles(const struct subject *subject)
{
	return strstr(sluice_plan_kernels(subject->plan), "winograd") != NULL;
}

/* -------------------------------------------------------------------------------------------------- choice ---- */

static int chooses_tiles(const sluice_layer *layer, const sluice_plan_options *options)
{
	struct subject subject = subject_of(layer, options, 1);
	const int tiles = uses_tiles(&subject);
	subject_destroy(&subject);
	return tiles;
}

static void test_choice(void **unused)
{
	const sluice_plan_options automatic = plan_options(SLUICE_AUTO), on = plan_options(SLUICE_ON),
				  off = plan_options(SLUICE_OFF);
	const sluice_layer layer = usual_layer();

	(void)unused;
	assert_true(chooses_tiles(&layer, &automatic));
	assert_true(chooses_tiles(&layer, &on));
	assert_false(chooses_tiles(&layer, &off));
}

/* The products must be halved at least: of two rows, and a width that tiles do not divide, they are not. */
static void test_choice_by_itself(void **unused)
{
	static const struct {
		size_t height;
		sluice_choice winograd;
		int tiles;
	} cases[] = {{3, SLUICE_AUTO, 1}, {2, SLUICE_AUTO, 0}, {2, SLUICE_ON, 1}};
	const sluice_layer layer = usual_layer();

	(void)unused;
	for (size_t each = 0; each < sizeof cases / sizeof cases[0]; each++) {
		const sluice_plan_options options = plan_options(cases[each].winograd);
		struct subject subject = subject_of_height(&layer, &options, 1, cases[each].height);
		assert_int_equal(uses_tiles(&subject), cases[each].tiles);
		subject_destroy(&subject);
	}
}

static void dilate(sluice_layer *layer)
{
	layer->recurrent_convolution.dilation_x = 2;
}

static void enlarge(sluice_layer *layer)
{
	layer->recurrent_convolution.height = layer->recurrent_convolution.width = 7;
}

static void flatten(sluice_layer *layer)
{
	layer->recurrent_convolution.height = 1;
}

static void divide(sluice_layer *layer)
{
	layer->recurrent_convolution.groups = 2;
}

static void give_odd_width(sluice_layer *layer)
{
	layer->hidden = 40;
}

static void remember(sluice_layer *layer)
{
	layer->peephole = SLUICE_PEEPHOLE_FULL;
}

static void thin(sluice_layer *layer)
{
	layer->dropconnect = 0.5f;
}

/* What has no matrices, or no whole vectors, is computed directly though tiles are wished for. */
static void test_what_tiles_cannot_do(void **unused)
{
	static void (*const changes[])(sluice_layer * layer) = {dilate,         enlarge,  flatten, divide,
								give_odd_width, remember, thin};
	sluice_plan_options options = plan_options(SLUICE_ON);

	(void)unused;
	for (size_t each = 0; each < sizeof changes / sizeof changes[0]; each++) {
		sluice_layer layer = usual_layer();
		changes[each](&layer);
		assert_false(chooses_tiles(&layer, &options));
	}
	const sluice_layer layer = usual_layer();
	options.weights = SLUICE_F16;
	assert_false(chooses_tiles(&layer, &options));
}

static void test_choice_refused(void **unused)
{
	const sluice_layer layer = usual_layer();
	sluice_plan_options options = plan_options(SLUICE_ON);
	struct subject subject = subject_of(&layer, &options, 1);
	sluice_plan *plan = NULL;

	(void)unused;
	options.winograd = (sluice_choice)3;
	assert_int_equal(sluice_plan_create(subject.model, &options, &plan), SLUICE_INVALID_ARGUMENT);
	assert_non_null(strstr(sluice_last_message(), "winograd is 3, expected 0 to 2"));
	assert_null(plan);
	subject_destroy(&subject);
}

/* ---------------------------------------------------------------------------------------------------- bits ---- */

/* What a run and its way back put out. */
struct outcome {
	float *y, *dx, *dparameters;
};

static float *numbers(size_t count)
{
	float *block = aligned_alloc(64, (count * sizeof *block + 63) / 64 * 64);
	assert_non_null(block);
	return block;
}

/* Runs rows first .. first+batch-1 of the same data, lengths 3, 2 and 1 if they are wished for. */
static struct outcome run(const struct subject *subject, size_t first, size_t batch, int with_lengths)
{
	static const size_t lengths[N] = {3, 2, 1};
	struct outcome out = {numbers(T * batch * subject->result), numbers(T * batch * subject->row),
			      numbers(subject->parameters)};
	float *x = numbers(T * N * subject->row), *dy = numbers(T * N * subject->result);
	float *part_x = numbers(T * batch * subject->row), *part_dy = numbers(T * batch * subject->result);
	void *workspace = numbers(sluice_plan_workspace_size(subject->plan) / sizeof(float));
	void *tape = numbers(sluice_plan_tape_size(subject->plan, T) / sizeof(float) + 1);
	sluice_run run = SLUICE_RUN_INIT;
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;

	sluice__data_fill(1, "x", 1, T * N * subject->row, x);
	sluice__data_fill(1, "dy", 1, T * N * subject->result, dy);
	for (size_t t = 0; t < T; t++) {
		memcpy(part_x + t * batch * subject->row, x + (t * N + first) * subject->row,
		       batch * subject->row * sizeof *x);
		memcpy(part_dy + t * batch * subject->result, dy + (t * N + first) * subject->result,
		       batch * subject->result * sizeof *dy);
	}
	run.steps = T;
	run.batch = batch;
	run.x = part_x;
	run.y = out.y;
	run.workspace = workspace;
	run.tape = tape;
	run.lengths = with_lengths ? lengths + first : NULL;
	gradients.dy = part_dy;
	gradients.dx = out.dx;
	gradients.dparameters = out.dparameters;
	assert_int_equal(sluice_forward(subject->plan, &run), SLUICE_OK);
	assert_int_equal(sluice_backward(subject->plan, &run, &gradients), SLUICE_OK);
	free(x);
	free(dy);
	free(part_x);
	free(part_dy);
	free(workspace);
	free(tape);
	return out;
}

static void outcome_destroy(struct outcome *outcome)
{
	free(outcome->y);
	free(outcome->dx);
	free(outcome->dparameters);
}

/* Tiles or not, the numbers differ; else this test would compare a thing with itself. */
static void test_tiles_are_another_sum(void **unused)
{
	const sluice_layer layer = usual_layer();
	const sluice_plan_options options[2] = {plan_options(SLUICE_ON), plan_options(SLUICE_OFF)};
	struct subject tiles = subject_of(&layer, &options[0], 1), direct = subject_of(&layer, &options[1], 1);
	struct outcome one = run(&tiles, 0, N, 0), other = run(&direct, 0, N, 0);

	(void)unused;
	assert_memory_not_equal(one.y, other.y, T * N * tiles.result * sizeof *one.y);
	outcome_destroy(&one);
	outcome_destroy(&other);
	subject_destroy(&tiles);
	subject_destroy(&direct);
}

static void test_threads_give_the_same_bits(void **unused)
{
	sluice_layer layer = usual_layer();
	const sluice_plan_options options = plan_options(SLUICE_ON);

	(void)unused;
	for (int five = 0; five < 2; five++) {
		layer.recurrent_convolution.height = layer.recurrent_convolution.width = five ? 5 : 3;
		layer.input_convolution = layer.recurrent_convolution;
		for (int lengths = 0; lengths < 2; lengths++) {
			struct subject alone = subject_of(&layer, &options, 1), team = subject_of(&layer, &options, 3);
			struct outcome one = run(&alone, 0, N, lengths), other = run(&team, 0, N, lengths);
			assert_memory_equal(one.y, other.y, T * N * alone.result * sizeof *one.y);
			assert_memory_equal(one.dx, other.dx, T * N * alone.row * sizeof *one.dx);
			assert_memory_equal(one.dparameters, other.dparameters,
					    alone.parameters * sizeof *one.dparameters);
			outcome_destroy(&one);
			outcome_destroy(&other);
			subject_destroy(&alone);
			subject_destroy(&team);
		}
	}
}

static void test_a_row_alone_is_a_row_in_company(void **unused)
{
	const sluice_layer layer = usual_layer();
	const sluice_plan_options options = plan_options(SLUICE_ON);
	struct subject subject = subject_of(&layer, &options, 2);
	struct outcome all = run(&subject, 0, N, 0);

	(void)unused;
	for (size_t row = 0; row < N; row++) {
		struct outcome alone = run(&subject, row, 1, 0);
		for (size_t t = 0; t < T; t++) {
			assert_memory_equal(alone.y + t * subject.result, all.y + (t * N + row) * subject.result,
					    subject.result * sizeof *all.y);
			assert_memory_equal(alone.dx + t * subject.row, all.dx + (t * N + row) * subject.row,
					    subject.row * sizeof *all.dx);
		}
		outcome_destroy(&alone);
	}
	outcome_destroy(&all);
	subject_destroy(&subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_choice_by_itself),
		cmocka_unit_test(test_what_tiles_cannot_do),
		cmocka_unit_test(test_choice_refused),
		cmocka_unit_test(test_tiles_are_another_sum),
		cmocka_unit_test(test_threads_give_the_same_bits),
		cmocka_unit_test(test_a_row_alone_is_a_row_in_company),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
