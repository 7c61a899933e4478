/* test_refusals.c exists to see every bad argument of the core refused with a sentence, and its outputs untouched. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network_fixture.h"

static void test_names(void **unused)
{
	(void)unused;
	assert_string_equal(sluice_status_name(SLUICE_OK), "SLUICE_OK");
	assert_string_equal(sluice_status_name(SLUICE_FORMAT), "SLUICE_FORMAT");
	assert_string_equal(sluice_status_name((sluice_status)99), "SLUICE_UNKNOWN");
	assert_string_equal(sluice_status_text(SLUICE_OK), "success");
	assert_non_null(strchr(sluice_version(), '.'));
	assert_string_equal(sluice_isa_name(0), "scalar");
	assert_true(sluice_isa_available(0));
	assert_null(sluice_isa_name(1000));
	assert_false(sluice_isa_available(1000));
}

static void test_context(void **unused)
{
	(void)unused;
	sluice_context *context = (sluice_context *)&context;
	sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
	assert_refused(sluice_context_create(NULL, NULL), SLUICE_INVALID_ARGUMENT, "out is NULL");
	options.threads = -2;
	assert_refused(sluice_context_create(&options, &context), SLUICE_INVALID_ARGUMENT, "threads is -2");
	assert_null(context);
	options.threads = 0;
	options.isa = "sse9";
	assert_refused(sluice_context_create(&options, &context), SLUICE_INVALID_ARGUMENT, "\"sse9\"");
	const sluice_allocator half = {NULL, NULL, NULL};
	options.isa = NULL;
	options.allocator = &half;
	assert_refused(sluice_context_create(&options, &context), SLUICE_INVALID_ARGUMENT, "allocator lacks allocate");
	options.allocator = NULL;
	options.size = 3;
	assert_refused(sluice_context_create(&options, &context), SLUICE_INVALID_ARGUMENT, "options.size is 3");
	struct {
		sluice_context_options options;
		char future[16];
	} newer = {.options.size = sizeof newer};
	assert_ok(sluice_context_create(&newer.options, &context));
	assert_int_equal(sluice_context_threads(context), 1);
	sluice_context_destroy(context);
	newer.future[3] = 1;
	assert_refused(sluice_context_create(&newer.options, &context), SLUICE_UNSUPPORTED, "does not know");
	sluice_context_destroy(NULL);
}

static void test_isa_cap(void **unused)
{
	(void)unused;
	for (size_t level = 0; sluice_isa_name(level); level++) {
		sluice_context *context;
		sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
		options.isa = sluice_isa_name(level);
		assert_ok(sluice_context_create(&options, &context));
		if (sluice_isa_available(level))
			assert_string_equal(sluice_context_isa(context), sluice_isa_name(level));
		sluice_context_destroy(context);
		assert_int_equal(setenv("SLUICE_ISA", sluice_isa_name(level), 1), 0);
		assert_ok(sluice_context_create(NULL, &context));
		if (sluice_isa_available(level))
			assert_string_equal(sluice_context_isa(context), sluice_isa_name(level));
		sluice_context_destroy(context);
	}
	assert_int_equal(unsetenv("SLUICE_ISA"), 0);
}

/* A description that is right, to be made wrong in one place. */
struct scene {
	sluice_context *context;
	sluice_description description;
	sluice_layer layers[2];
};

static struct scene *new_scene(void)
{
	static struct scene scene;
	scene = (struct scene){.description = SLUICE_DESCRIPTION_INIT,
			       .layers = {SLUICE_LAYER_INIT, SLUICE_LAYER_INIT}};
	assert_ok(sluice_context_create(NULL, &scene.context));
	scene.layers[0].hidden = 5;
	scene.layers[1].hidden = 3;
	scene.description.inputs = 2;
	scene.description.layer_count = 2;
	scene.description.layers = scene.layers;
	return &scene;
}

static void refuse_scene(struct scene *scene, sluice_status expected, const char *part)
{
	sluice_model *model = (sluice_model *)scene;
	assert_refused(sluice_model_create(scene->context, &scene->description, &model), expected, part);
	assert_null(model);
	sluice_context_destroy(scene->context);
}

#define REFUSE(change, expected, part)               \
	do {                                         \
		struct scene *scene = new_scene();   \
		scene->change;                       \
		refuse_scene(scene, expected, part); \
	} while (0)

static void test_description(void **unused)
{
	(void)unused;
	REFUSE(description.inputs = 0, SLUICE_INVALID_ARGUMENT, "inputs is 0");
	REFUSE(description.layer_count = 0, SLUICE_INVALID_ARGUMENT, "layer_count is 0");
	REFUSE(description.layer_count = 128, SLUICE_INVALID_ARGUMENT, "layer_count is 128");
	REFUSE(description.layers = NULL, SLUICE_INVALID_ARGUMENT, "layers is NULL");
	REFUSE(description.size = 0, SLUICE_INVALID_ARGUMENT, "description.size is 0");
	REFUSE(description.inputs = SIZE_MAX / 8, SLUICE_INVALID_ARGUMENT, "overflow");
	REFUSE(description.outputs = SIZE_MAX, SLUICE_INVALID_ARGUMENT, "overflow");
	REFUSE(layers[1].hidden = 0, SLUICE_INVALID_ARGUMENT, "layers[1].hidden is 0");
	REFUSE(layers[0].hidden = SIZE_MAX, SLUICE_INVALID_ARGUMENT, "layers[0].hidden");
	REFUSE(layers[0].direction = (sluice_direction)7, SLUICE_INVALID_ARGUMENT, "direction is 7");
	REFUSE(layers[0].dropout = 1, SLUICE_INVALID_ARGUMENT, "dropout is 1");
	REFUSE(layers[0].dropout = -0.5f, SLUICE_INVALID_ARGUMENT, "dropout is -0.5");
	REFUSE(layers[0].dropout = NAN, SLUICE_INVALID_ARGUMENT, "dropout is nan");
	REFUSE(layers[1].dropout = 0.5f, SLUICE_INVALID_ARGUMENT, "nothing follows");
	REFUSE(layers[0].peephole = (sluice_peephole)9, SLUICE_INVALID_ARGUMENT, "peephole is 9");
	REFUSE(layers[0].input_activation.kind = (sluice_activation_kind)99, SLUICE_INVALID_ARGUMENT, "kind is 99");
}

/* What has a place in the description but no computation is refused, never ignored. */
static void test_unsupported(void **unused)
{
	(void)unused;
	REFUSE(layers[0].peephole = SLUICE_PEEPHOLE_DIAGONAL, SLUICE_UNSUPPORTED, "layers[0].peephole");
	REFUSE(layers[0].peephole = SLUICE_PEEPHOLE_FULL, SLUICE_UNSUPPORTED, "layers[0].peephole");
	REFUSE(layers[1].peephole_previous = 1, SLUICE_UNSUPPORTED, "layers[1].peephole_previous");
	REFUSE(layers[0].projection = 4, SLUICE_UNSUPPORTED, "projection");
	REFUSE(layers[0].projection_clip = 1, SLUICE_UNSUPPORTED, "projection_clip");
	REFUSE(layers[0].cell_clip = 1, SLUICE_UNSUPPORTED, "cell_clip");
	REFUSE(layers[0].gate_clip = 1, SLUICE_UNSUPPORTED, "gate_clip");
	REFUSE(layers[0].input_activation.kind = SLUICE_ACTIVATION_TANH, SLUICE_UNSUPPORTED,
	       "input_activation is tanh");
	REFUSE(layers[0].forget_activation.kind = SLUICE_ACTIVATION_RELU, SLUICE_UNSUPPORTED, "forget_activation");
	REFUSE(layers[0].candidate_activation.kind = SLUICE_ACTIVATION_SIGMOID, SLUICE_UNSUPPORTED, "candidate");
	REFUSE(layers[0].output_activation.kind = SLUICE_ACTIVATION_IDENTITY, SLUICE_UNSUPPORTED, "output_activation");
	REFUSE(layers[0].cell_activation.kind = SLUICE_ACTIVATION_HARD_SIGMOID, SLUICE_UNSUPPORTED, "cell_activation");
	struct scene *scene = new_scene();
	sluice_model *model;
	scene->layers[0].input_activation.kind = SLUICE_ACTIVATION_SIGMOID;
	scene->layers[0].cell_activation.kind = SLUICE_ACTIVATION_TANH;
	assert_ok(sluice_model_create(scene->context, &scene->description, &model));
	sluice_model_destroy(model);
	sluice_context_destroy(scene->context);
}

static const struct wish wish = {
	.steps = 4, .batch = 2, .inputs = 3, .layers = 1, .hidden = {6}, .outputs = 2, .training = 1};

static void test_weights(void **unused)
{
	(void)unused;
	struct network network = network_create(&wish);
	sluice_weights weights = SLUICE_WEIGHTS_INIT;
	float block[4 * 6 * 6] = {0};
	float *parameters = sluice_model_parameters(network.model, NULL), before = parameters[0];
	assert_refused(sluice_model_set_weights(network.model, 0, 0, NULL), SLUICE_INVALID_ARGUMENT, "weights is NULL");
	assert_refused(sluice_model_set_weights(network.model, 1, 0, &weights), SLUICE_INVALID_ARGUMENT, "layer is 1");
	assert_refused(sluice_model_set_weights(network.model, 0, 1, &weights), SLUICE_INVALID_ARGUMENT,
		       "direction is 1");
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_INVALID_ARGUMENT,
		       "input is NULL");
	weights.input = block;
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_INVALID_ARGUMENT,
		       "recurrent is NULL");
	weights.recurrent = block;
	weights.order = "ifgg";
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_INVALID_ARGUMENT, "\"ifgg\"");
	weights.order = NULL;
	weights.dtype = SLUICE_BF16;
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_UNSUPPORTED, "bf16");
	weights.dtype = SLUICE_F32;
	weights.input_gates[2] = block;
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_INVALID_ARGUMENT, "both given");
	weights.input = NULL;
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_INVALID_ARGUMENT, "all or none");
	assert_true(parameters[0] == before);
	network_destroy(&network);
}

/* Three views of the same weights: PyTorch's, Keras' transposed one in its own order, and one pointer for each gate. */
static void test_weight_views(void **unused)
{
	(void)unused;
	enum { I = 3, H = 6 };
	static const char *const orders[] = {"ifgo", "iofg", "gfoi"};
	struct network network = network_create(&wish);
	float *parameters = sluice_model_parameters(network.model, NULL);
	sluice_parameter tensors[3];
	for (size_t j = 0; j < 3; j++) {
		tensors[j] = (sluice_parameter)SLUICE_PARAMETER_INIT;
		assert_ok(sluice_model_parameter(network.model, j, &tensors[j]));
	}
	for (size_t which = 0; which < 3; which++) {
		const char *order = orders[which];
		float input[I][4 * H], recurrent[H][4 * H], rows[4][H][I], square[4][H][H], bias[4 * H];
		sluice_weights weights = SLUICE_WEIGHTS_INIT;
		fill_random(&input[0][0], I * 4 * H, 1);
		fill_random(&recurrent[0][0], H * 4 * H, 2);
		fill_random(bias, 4 * H, 3);
		for (size_t gate = 0; gate < 4; gate++)
			for (size_t unit = 0; unit < H; unit++) {
				for (size_t k = 0; k < I; k++)
					rows[gate][unit][k] = input[k][gate * H + unit];
				for (size_t k = 0; k < H; k++)
					square[gate][unit][k] = recurrent[k][gate * H + unit];
			}
		weights.order = order;
		weights.bias = bias;
		if (which < 2) {
			weights.input = input;
			weights.recurrent = recurrent;
			weights.input_row = weights.recurrent_row = 1;
			weights.input_column = weights.recurrent_column = 4 * H;
		} else {
			for (size_t gate = 0; gate < 4; gate++) {
				weights.input_gates[gate] = rows[gate];
				weights.recurrent_gates[gate] = square[gate];
			}
		}
		weights.recurrent_bias = bias;
		assert_ok(sluice_model_set_weights(network.model, 0, 0, &weights));
		for (size_t gate = 0; gate < 4; gate++) {
			size_t place = (size_t)(strchr(order, "ifgo"[gate]) - order);
			for (size_t unit = 0; unit < H; unit++) {
				const size_t row = gate * H + unit;
				for (size_t k = 0; k < I; k++)
					assert_true(parameters[tensors[0].offset + row * I + k] ==
						    rows[place][unit][k]);
				for (size_t k = 0; k < H; k++)
					assert_true(parameters[tensors[1].offset + row * H + k] ==
						    square[place][unit][k]);
				assert_true(parameters[tensors[2].offset + row] == 2 * bias[place * H + unit]);
			}
		}
	}
	network_destroy(&network);
}

static void refuse_run(struct network *network, const sluice_run *run, sluice_status expected, const char *part)
{
	const float mark = 12345;
	network->y[0] = mark;
	((float *)network->final)[0] = mark;
	assert_refused(sluice_forward(network->plan, run), expected, part);
	assert_refused(sluice_step(network->plan, run), expected, part);
	assert_refused(sluice_backward(network->plan, run, &network->gradients), expected, part);
	assert_true(network->y[0] == mark && ((float *)network->final)[0] == mark);
}

static void test_run(void **unused)
{
	(void)unused;
	struct network network = network_create(&wish);
	const size_t lengths[2] = {1, 1};
	const uint8_t resets[8] = {0};
	sluice_run run = network.run;
	assert_refused(sluice_forward(NULL, &run), SLUICE_INVALID_ARGUMENT, "plan is NULL");
	assert_refused(sluice_forward(network.plan, NULL), SLUICE_INVALID_ARGUMENT, "run is NULL");
	run.steps = 5;
	refuse_run(&network, &run, SLUICE_INVALID_ARGUMENT, "run.steps is 5");
	run = network.run;
	run.batch = 3;
	refuse_run(&network, &run, SLUICE_INVALID_ARGUMENT, "run.batch is 3");
	run = network.run;
	run.x = NULL;
	refuse_run(&network, &run, SLUICE_INVALID_ARGUMENT, "run.x is NULL");
	run = network.run;
	run.workspace = NULL;
	refuse_run(&network, &run, SLUICE_INVALID_ARGUMENT, "run.workspace is NULL");
	run.workspace = (char *)network.workspace + 4;
	refuse_run(&network, &run, SLUICE_INVALID_ARGUMENT, "run.workspace is not aligned");
	run = network.run;
	run.final_state = (char *)network.final + 4;
	refuse_run(&network, &run, SLUICE_INVALID_ARGUMENT, "run.final_state is not aligned");
	run = network.run;
	run.size = 0;
	refuse_run(&network, &run, SLUICE_INVALID_ARGUMENT, "run.size is 0");
	run = network.run;
	run.lengths = lengths;
	refuse_run(&network, &run, SLUICE_UNSUPPORTED, "run.lengths");
	run = network.run;
	run.resets = resets;
	refuse_run(&network, &run, SLUICE_UNSUPPORTED, "run.resets");
	run = network.run;
	run.mask = network.x;
	refuse_run(&network, &run, SLUICE_UNSUPPORTED, "run.mask");
	assert_refused(sluice_step(network.plan, &network.run), SLUICE_UNSUPPORTED, "run.tape");
	run = network.run;
	run.tape = NULL;
	assert_refused(sluice_backward(network.plan, &run, &network.gradients), SLUICE_INVALID_ARGUMENT,
		       "run.tape is NULL");
	network.gradients.accumulate = 64;
	assert_refused(sluice_backward(network.plan, &network.run, &network.gradients), SLUICE_INVALID_ARGUMENT,
		       "0x40");
	network.gradients.accumulate = SLUICE_ACCUMULATE_STATE;
	network.gradients.dfinal = network.dinitial;
	assert_refused(sluice_backward(network.plan, &network.run, &network.gradients), SLUICE_INVALID_ARGUMENT,
		       "dinitial");
	network_destroy(&network);
}

static void test_plan(void **unused)
{
	(void)unused;
	struct network network = network_create(&wish);
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	sluice_plan *plan;
	assert_refused(sluice_plan_create(NULL, NULL, &plan), SLUICE_INVALID_ARGUMENT, "model is NULL");
	options.steps = SIZE_MAX / 2;
	options.batch = 3;
	assert_refused(sluice_plan_create(network.model, &options, &plan), SLUICE_INVALID_ARGUMENT, "overflow");
	assert_null(plan);
	options.steps = 1;
	options.layout = (sluice_layout)5;
	assert_refused(sluice_plan_create(network.model, &options, &plan), SLUICE_INVALID_ARGUMENT, "layout is 5");
	options.layout = SLUICE_TIME_MAJOR;
	assert_ok(sluice_plan_create(network.model, &options, &plan));
	assert_int_equal(sluice_plan_tape_size(plan, 4), 0);
	sluice_run run = network.run;
	run.steps = 1;
	assert_refused(sluice_forward(plan, &run), SLUICE_INVALID_ARGUMENT, "without training");
	assert_refused(sluice_state_write(plan, network.final, 1, 1, 0, NULL, NULL), SLUICE_INVALID_ARGUMENT,
		       "layer is 1");
	assert_refused(sluice_state_read(plan, NULL, 1, 0, 0, NULL, NULL), SLUICE_INVALID_ARGUMENT, "state is NULL");

	char whole[2048], part[20];
	const size_t length = sluice_plan_describe(plan, whole, sizeof whole);
	assert_true(length < sizeof whole && strlen(whole) == length);
	assert_int_equal(sluice_plan_describe(plan, part, sizeof part), length);
	assert_int_equal(strlen(part), sizeof part - 1);
	assert_int_equal(sluice_plan_describe(plan, NULL, 0), length);
	assert_non_null(strstr(whole, sluice_context_isa(network.context)));
	assert_non_null(strstr(sluice_plan_kernels(plan), sluice_context_isa(network.context)));
	sluice_plan_destroy(plan);
	sluice_plan_destroy(NULL);
	network_destroy(&network);
}

static void test_reverse_cannot_step(void **unused)
{
	(void)unused;
	struct wish reverse = wish;
	reverse.direction[0] = SLUICE_REVERSE;
	struct network network = network_create(&reverse);
	network.run.tape = NULL;
	assert_refused(sluice_step(network.plan, &network.run), SLUICE_UNSUPPORTED, "runs in reverse");
	network_destroy(&network);
}

static void test_ops(void **unused)
{
	(void)unused;
	sluice_context *context;
	assert_ok(sluice_context_create(NULL, &context));
	const float table[6] = {0, 1, 2, 3, 4, 5};
	const uint32_t index[2] = {1, 3};
	float y[4] = {7, 7, 7, 7};
	double loss = -1;
	float *const moments[2] = {y, NULL};
	assert_refused(sluice_embedding_forward(context, 2, 3, 2, table, index, y), SLUICE_INVALID_ARGUMENT,
		       "index[1] is 3");
	assert_refused(sluice_embedding_backward(context, 2, 3, 2, index, table, y), SLUICE_INVALID_ARGUMENT,
		       "index[1]");
	assert_refused(sluice_softmax_cross_entropy(context, 2, 2, table, index, &loss, y), SLUICE_INVALID_ARGUMENT,
		       "target[1] is 3");
	assert_refused(sluice_softmax_cross_entropy(context, 0, 2, table, index, &loss, y), SLUICE_INVALID_ARGUMENT,
		       "rows");
	assert_refused(sluice_softmax(context, 1, 2, NAN, table, y), SLUICE_INVALID_ARGUMENT, "scale is nan");
	sluice_optimizer optimizer = SLUICE_OPTIMIZER_INIT;
	optimizer.kind = SLUICE_OPTIMIZER_ADAM;
	assert_refused(sluice_optimizer_step(context, &optimizer, 2, y, table, moments), SLUICE_INVALID_ARGUMENT,
		       "moments[1]");
	optimizer.kind = (sluice_optimizer_kind)9;
	assert_refused(sluice_optimizer_step(context, &optimizer, 2, y, table, moments), SLUICE_INVALID_ARGUMENT,
		       "kind is 9");
	optimizer.kind = SLUICE_OPTIMIZER_SGD;
	optimizer.momentum = 1;
	assert_refused(sluice_optimizer_step(context, &optimizer, 2, y, table, moments), SLUICE_INVALID_ARGUMENT,
		       "momentum");
	optimizer.momentum = 0;
	optimizer.rate = NAN;
	assert_refused(sluice_optimizer_step(context, &optimizer, 2, y, table, moments), SLUICE_INVALID_ARGUMENT,
		       "rate is nan");
	for (size_t j = 0; j < 4; j++)
		assert_true(y[j] == 7);
	assert_true(loss == -1);
	sluice_context_destroy(context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),        cmocka_unit_test(test_context),
		cmocka_unit_test(test_isa_cap),      cmocka_unit_test(test_description),
		cmocka_unit_test(test_unsupported),  cmocka_unit_test(test_weights),
		cmocka_unit_test(test_weight_views), cmocka_unit_test(test_run),
		cmocka_unit_test(test_plan),         cmocka_unit_test(test_reverse_cannot_step),
		cmocka_unit_test(test_ops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
