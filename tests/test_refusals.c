/* test_refusals.c exists to see every bad context, description, view of weights, plan and operation refused with a
 * sentence. */
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
	REFUSE(layers[0].input = (sluice_input)3, SLUICE_INVALID_ARGUMENT, "layers[0].input is 3");
	REFUSE(layers[0].recurrent_dropout_shape = (sluice_mask_shape)3, SLUICE_INVALID_ARGUMENT,
	       "recurrent_dropout_shape is 3");
	REFUSE(layers[0].combination = (sluice_combination)3, SLUICE_INVALID_ARGUMENT,
	       "layers[0].combination is 3, expected 0 to 2");
	REFUSE(layers[0].combination = (sluice_combination)-1, SLUICE_INVALID_ARGUMENT, "layers[0].combination is -1");
	REFUSE(layers[1].projection = SIZE_MAX, SLUICE_INVALID_ARGUMENT, "layers[1].projection is");
	REFUSE(layers[1].size = 4, SLUICE_INVALID_ARGUMENT, "layers[].size is 4");
	REFUSE(layers[0].input_activation.kind = (sluice_activation_kind)99, SLUICE_INVALID_ARGUMENT, "kind is 99");
}

/* Every number of a layer that has a range, just beyond its ends. */
static void test_ranges(void **unused)
{
	(void)unused;
#define REFUSE_CHANCE(field)                                                                              \
	do {                                                                                              \
		REFUSE(layers[1].field = 1, SLUICE_INVALID_ARGUMENT, "layers[1]." #field " is 1");        \
		REFUSE(layers[1].field = -0.5f, SLUICE_INVALID_ARGUMENT, "layers[1]." #field " is -0.5"); \
		REFUSE(layers[1].field = NAN, SLUICE_INVALID_ARGUMENT, "layers[1]." #field " is nan");    \
	} while (0)
	REFUSE_CHANCE(recurrent_dropout);
	REFUSE_CHANCE(zoneout_h);
	REFUSE_CHANCE(zoneout_c);
	REFUSE_CHANCE(dropconnect);
#define REFUSE_CLIP(field)                                                                                  \
	do {                                                                                                \
		REFUSE(layers[1].field = -1, SLUICE_INVALID_ARGUMENT, "layers[1]." #field " is -1");        \
		REFUSE(layers[1].field = INFINITY, SLUICE_INVALID_ARGUMENT, "layers[1]." #field " is inf"); \
		REFUSE(layers[1].field = NAN, SLUICE_INVALID_ARGUMENT, "layers[1]." #field " is nan");      \
	} while (0)
	REFUSE_CLIP(projection_clip);
	REFUSE_CLIP(cell_clip);
	REFUSE_CLIP(gate_clip);
#define REFUSE_GATES(field) REFUSE(layers[1].field = 16, SLUICE_INVALID_ARGUMENT, "layers[1]." #field " is 0x10")
	REFUSE_GATES(no_gates);
	REFUSE_GATES(no_input_weights);
	REFUSE_GATES(no_recurrent_weights);
	REFUSE_GATES(no_peepholes);
#define REFUSE_ACTIVATION(field)                                                                            \
	do {                                                                                                \
		REFUSE(layers[0].field.kind = (sluice_activation_kind)-1, SLUICE_INVALID_ARGUMENT, #field); \
		REFUSE(layers[0].field.a = NAN, SLUICE_INVALID_ARGUMENT, #field);                           \
		REFUSE(layers[0].field.b = INFINITY, SLUICE_INVALID_ARGUMENT, #field);                      \
		REFUSE(layers[0].field.c = -INFINITY, SLUICE_INVALID_ARGUMENT, #field);                     \
	} while (0)
	REFUSE_ACTIVATION(input_activation);
	REFUSE_ACTIVATION(forget_activation);
	REFUSE_ACTIVATION(candidate_activation);
	REFUSE_ACTIVATION(output_activation);
	REFUSE_ACTIVATION(cell_activation);
}

static void couple_without(struct scene *scene, unsigned gates)
{
	scene->layers[0].coupled = 1;
	scene->layers[0].no_gates = gates;
}

static void input_without_weights(struct scene *scene, sluice_input input, sluice_direction direction)
{
	scene->layers[1].input = input;
	scene->layers[1].direction = direction;
}

static void separate_first(struct scene *scene, sluice_direction above)
{
	scene->layers[0].direction = SLUICE_BIDIRECTIONAL;
	scene->layers[0].combination = SLUICE_SEPARATE;
	scene->layers[1].direction = above;
}

static void separate_last(struct scene *scene)
{
	scene->layers[1].direction = SLUICE_BIDIRECTIONAL;
	scene->layers[1].combination = SLUICE_SEPARATE;
	scene->description.outputs = 2;
}

#define REFUSE_SCENE(call, part)                                    \
	do {                                                        \
		struct scene *scene = new_scene();                  \
		call;                                               \
		refuse_scene(scene, SLUICE_INVALID_ARGUMENT, part); \
	} while (0)

/* Options that contradict each other, or the width of what a layer reads. */
static void test_contradictions(void **unused)
{
	(void)unused;
	REFUSE_SCENE(couple_without(scene, SLUICE_GATE_I), "layers[0].coupled is set and no_gates is 0x1");
	REFUSE_SCENE(couple_without(scene, SLUICE_GATE_F), "no_gates is 0x2");
	REFUSE_SCENE(input_without_weights(scene, SLUICE_INPUT_IDENTITY, SLUICE_FORWARD),
		     "layers[1].input is the identity and its width 5, expected hidden = 3");
	REFUSE_SCENE(input_without_weights(scene, SLUICE_INPUT_GATES, SLUICE_FORWARD),
		     "its width is 5, expected 1 times 4 hidden = 12");
	REFUSE_SCENE(input_without_weights(scene, SLUICE_INPUT_GATES, SLUICE_BIDIRECTIONAL),
		     "its width is 5, expected 2 times 4 hidden = 24");
	REFUSE(layers[0].input = SLUICE_INPUT_IDENTITY, SLUICE_INVALID_ARGUMENT, "its width 2, expected hidden = 5");
	REFUSE(layers[0].combination = SLUICE_ADD, SLUICE_INVALID_ARGUMENT,
	       "layers[0].combination is 1 and the layer has one direction");
	REFUSE(layers[1].combination = SLUICE_SEPARATE, SLUICE_INVALID_ARGUMENT,
	       "layers[1].combination is 2 and the layer has one direction");
	REFUSE_SCENE(separate_first(scene, SLUICE_FORWARD),
		     "layers[1].direction is 0 above a layer with separate results, expected 2");
	REFUSE_SCENE(separate_first(scene, SLUICE_REVERSE),
		     "layers[1].direction is 1 above a layer with separate results, expected 2");
	REFUSE_SCENE(separate_last(scene), "outputs is 2 and the last layer has separate results, expected 0");
	struct scene *scene = new_scene();
	sluice_model *model;
	couple_without(scene, SLUICE_GATE_O | SLUICE_GATE_G);
	scene->layers[0].projection = 3;
	scene->layers[1].input = SLUICE_INPUT_IDENTITY;
	assert_ok(sluice_model_create(scene->context, &scene->description, &model));
	sluice_model_destroy(model);
	sluice_context_destroy(scene->context);
}

static const struct wish wish = {
	.steps = 4, .batch = 2, .inputs = 3, .layers = 1, .hidden = {6}, .outputs = 2, .training = 1, .sequences = 1};

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
	weights.dtype = (sluice_dtype)99;
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_INVALID_ARGUMENT, "dtype is 99");
	weights.dtype = SLUICE_I8;
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_UNSUPPORTED, "i8");
	weights.size = 2;
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_INVALID_ARGUMENT, "size is 2");
	weights.size = sizeof weights;
	weights.dtype = SLUICE_F32;
	weights.input_gates[2] = block;
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_INVALID_ARGUMENT, "both given");
	weights.input = NULL;
	assert_refused(sluice_model_set_weights(network.model, 0, 0, &weights), SLUICE_INVALID_ARGUMENT, "all or none");
	assert_true(parameters[0] == before);
	network_destroy(&network);
}

/* Views with a tensor too many or too few, for a layer that has none of these and for one that has all. */
static void test_optional_weights(void **unused)
{
	(void)unused;
	static const float block[4 * 6 * 6];
	struct wish all = wish, none = wish;
	none.inputs = 6;
	none.options[0].no_bias = 1;
	none.options[0].input = SLUICE_INPUT_IDENTITY;
	all.options[0].peephole = SLUICE_PEEPHOLE_FULL;
	all.options[0].projection = 5;
	all.options[0].no_gates = SLUICE_GATE_F;
	all.options[0].no_recurrent_weights = SLUICE_GATE_O;
	all.options[0].cell_activation.kind = SLUICE_ACTIVATION_PRELU;
	struct network without = network_create(&none), with = network_create(&all);
	const struct network *networks[] = {&without, &with};
	const sluice_weights bare = {.size = sizeof bare, .recurrent = block};
	const sluice_weights full = {
		.size = sizeof full, .input = block, .recurrent = block, .projection = block, .prelu = {[4] = block}};
	const float before[] = {sluice_model_parameters(without.model, NULL)[0],
				sluice_model_parameters(with.model, NULL)[0]};
	const float *number[] = {block, block, block, block};
	sluice_weights weights;
#define REFUSE_VIEW(which, change, part)                                                         \
	do {                                                                                     \
		weights = (which) ? full : bare;                                                 \
		weights.change;                                                                  \
		assert_refused(sluice_model_set_weights(networks[which]->model, 0, 0, &weights), \
			       SLUICE_INVALID_ARGUMENT, part);                                   \
	} while (0)
	REFUSE_VIEW(0, input = block, "weights.input is given, the layer was described without it");
	REFUSE_VIEW(0, input_gates[3] = block, "weights.input is given");
	REFUSE_VIEW(0, bias = block, "weights.bias is given");
	REFUSE_VIEW(0, bias_gates[1] = block, "weights.bias is given");
	REFUSE_VIEW(0, recurrent_bias = block, "weights.recurrent_bias is given");
	REFUSE_VIEW(0, peephole = block, "weights.peephole is given");
	REFUSE_VIEW(0, peephole_gates[0] = block, "weights.peephole is given");
	REFUSE_VIEW(0, projection = block, "weights.projection is given");
	REFUSE_VIEW(0, start_h = block, "weights.start_h is given");
	REFUSE_VIEW(0, start_c = block, "weights.start_c is given");
	REFUSE_VIEW(0, prelu[2] = block, "weights.prelu[2] is given, that activation is not a PReLU");
	REFUSE_VIEW(1, input = NULL, "weights.input is NULL");
	REFUSE_VIEW(1, projection = NULL, "weights.projection is NULL");
	REFUSE_VIEW(1, prelu[4] = NULL, "weights.prelu[4] is NULL, that activation is a PReLU");
	REFUSE_VIEW(1, prelu[0] = block, "weights.prelu[0] is given");
	REFUSE_VIEW(1, bias_gates[0] = block, "weights.bias_gates has a NULL");
	REFUSE_VIEW(1, recurrent_gates[0] = block, "weights.recurrent and weights.recurrent_gates are both given");
	weights = full;
	weights.recurrent = NULL;
	memcpy(weights.recurrent_gates, number, sizeof number);
	weights.recurrent_gates[2] = NULL;
	assert_refused(sluice_model_set_weights(with.model, 0, 0, &weights), SLUICE_INVALID_ARGUMENT,
		       "weights.recurrent_gates has a NULL");
	for (size_t j = 0; j < 2; j++)
		assert_true(sluice_model_parameters(networks[j]->model, NULL)[0] == before[j]);
	/* Gates that the layer has not may be left out, and any gate of peepholes. */
	weights.recurrent_gates[2] = block;
	weights.recurrent_gates[1] = weights.recurrent_gates[3] = NULL;
	weights.peephole_gates[2] = block;
	assert_ok(sluice_model_set_weights(with.model, 0, 0, &weights));
	assert_ok(sluice_model_set_weights(without.model, 0, 0, &bare));
	network_destroy(&without);
	network_destroy(&with);
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
#define REFUSE_PLAN(change, part)                                                                                \
	do {                                                                                                     \
		sluice_plan_options wrong = options;                                                             \
		wrong.change;                                                                                    \
		assert_refused(sluice_plan_create(network.model, &wrong, &plan), SLUICE_INVALID_ARGUMENT, part); \
		assert_null(plan);                                                                               \
	} while (0)
	REFUSE_PLAN(size = 1, "options.size is 1");
	REFUSE_PLAN(flush_denormals = (sluice_choice)3, "flush_denormals is 3");
	REFUSE_PLAN(tape_mode = (sluice_tape_mode)3, "tape_mode is 3");
	REFUSE_PLAN(gate_order = "ifog ", "gate_order is \"ifog \"");
	REFUSE_PLAN(gate_order = "ifoo", "gate_order is \"ifoo\"");
	REFUSE_PLAN(data = (sluice_dtype)9, "data is 9");
	REFUSE_PLAN(weights = (sluice_dtype)9, "weights is 9");
	REFUSE_PLAN(tape = (sluice_dtype)-1, "tape is -1");
	assert_refused(sluice_plan_create(network.model, &options, NULL), SLUICE_INVALID_ARGUMENT, "out is NULL");
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
		cmocka_unit_test(test_ranges),       cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_weights),      cmocka_unit_test(test_optional_weights),
		cmocka_unit_test(test_weight_views), cmocka_unit_test(test_plan),
		cmocka_unit_test(test_ops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
