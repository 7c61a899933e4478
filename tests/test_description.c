/* test_description.c: every option of a description survives its way through JSON, also those no model has yet. */
#include "io_fixture.h"
#include "io/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct sluice__described described;

static void parse_and_compare(const sluice_description *description)
{
	char *text = sluice__description_text(description);

	assert_non_null(text);
	fixture_expect(sluice__description_parse("m", text, &described), SLUICE_OK, "");
	sluice__description_text_free(text);
	assert_int_equal(described.description.inputs, description->inputs);
	assert_int_equal(described.description.outputs, description->outputs);
	assert_int_equal(described.description.layer_count, description->layer_count);
	assert_int_equal(described.description.image_height, description->image_height);
	assert_int_equal(described.description.image_width, description->image_width);
	/* Both were zeroed before they were filled, so that the gaps between their fields agree too. */
	assert_memory_equal(described.layers, description->layers, description->layer_count * sizeof(sluice_layer));
}

static void test_all_options(void **state)
{
	sluice_layer layers[3];
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	(void)state;
	memset(layers, 0, sizeof(layers));
	memset(&described, 0, sizeof(described));
	for (int k = 0; k < 3; k++) {
		layers[k].size = sizeof(sluice_layer);
		layers[k].hidden = 17 + (size_t)k;
	}
	layers[1].direction = SLUICE_BIDIRECTIONAL;
	layers[1].no_bias = 1;
	layers[1].dropout = 0.1f;
	layers[1].input_activation = (sluice_activation){SLUICE_ACTIVATION_HARD_SIGMOID, 0.2f, -0.5f, 1e-38f};
	layers[1].forget_activation = (sluice_activation){SLUICE_ACTIVATION_SIGMOID, 0, 0, 0};
	layers[1].candidate_activation = (sluice_activation){SLUICE_ACTIVATION_TANH, 1, 2, 3};
	layers[1].output_activation = (sluice_activation){SLUICE_ACTIVATION_RELU, 16777217.0f, 1.0f / 3, 0};
	layers[1].cell_activation = (sluice_activation){SLUICE_ACTIVATION_IDENTITY, 0, 0, 0};
	layers[1].peephole = SLUICE_PEEPHOLE_DIAGONAL;
	layers[1].peephole_previous = 1;
	layers[1].projection = 5;
	layers[1].projection_clip = 3.4e38f;
	layers[1].cell_clip = 1e-45f;
	layers[1].gate_clip = 0.30000001f;
	layers[1].input = SLUICE_INPUT_IDENTITY;
	layers[1].no_gates = SLUICE_GATE_G;
	layers[1].no_input_weights = SLUICE_GATE_I | SLUICE_GATE_O;
	layers[1].no_recurrent_weights = SLUICE_GATE_F;
	layers[1].no_peepholes = SLUICE_GATES_ALL;
	layers[1].coupled = 1;
	layers[1].recurrent_dropout = 0.25f;
	layers[1].recurrent_dropout_shape = SLUICE_MASK_STEP;
	layers[1].zoneout_h = 0.15f;
	layers[1].zoneout_c = 0.05f;
	layers[1].dropconnect = 0.99999994f;
	layers[1].combination = SLUICE_ADD;
	layers[1].learned_start = 1;
	layers[2].direction = SLUICE_REVERSE;
	layers[2].peephole = SLUICE_PEEPHOLE_FULL;
	layers[2].input = SLUICE_INPUT_GATES;
	layers[2].recurrent_dropout_shape = SLUICE_MASK_UNIT;
	layers[2].combination = SLUICE_SEPARATE;
	layers[0].peephole = SLUICE_PEEPHOLE_ELEMENT;
	/* Members are size_t throughout but for the border between them: 1, 2, 3 and so on, so that none passes for
	 * another. */
	layers[0].input_convolution = (sluice_convolution){1, 2, 3, 4, 5, 6, 7, SLUICE_BORDER_GIVEN, 8, 9, 10, 11};
	layers[1].recurrent_convolution =
		(sluice_convolution){12, 13, 14, 15, 16, 17, 18, SLUICE_BORDER_NONE, 19, 20, 21, 22};
	layers[2].memory_convolution =
		(sluice_convolution){23, 24, 25, 26, 27, 28, 29, SLUICE_BORDER_SAME, 30, 31, 32, 33};
	layers[2].input_convolution.right = SIZE_MAX / 2;
	description.image_height = 34;
	description.image_width = 35;
	description.inputs = 3;
	description.outputs = 7;
	description.layer_count = 3;
	description.layers = layers;
	parse_and_compare(&description);
}

#define COUNT(name, text) +1
enum { KINDS = 0 SLUICE_ACTIVATION_MAP(COUNT) };
#undef COUNT

/* Every activation has a word, and every word is another one. */
static void test_activations(void **state)
{
	sluice_layer layer;
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	(void)state;
	memset(&layer, 0, sizeof(layer));
	memset(&described, 0, sizeof(described));
	layer.size = sizeof(layer);
	layer.hidden = 1;
	description.inputs = 1;
	description.layer_count = 1;
	description.layers = &layer;
	for (int kind = SLUICE_ACTIVATION_DEFAULT; kind < KINDS; kind++) {
		layer.cell_activation = (sluice_activation){(sluice_activation_kind)kind, 1, 2, 3};
		parse_and_compare(&description);
	}
}

/* The text itself is a promise: files that were written stay readable. */
static void test_text(void **state)
{
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	char *text;

	(void)state;
	layer.hidden = 4;
	layer.cell_clip = 3;
	layer.cell_activation.kind = SLUICE_ACTIVATION_RELU;
	layer.input = SLUICE_INPUT_GATES;
	layer.no_gates = SLUICE_GATE_F | SLUICE_GATE_O;
	layer.zoneout_c = 0.5f;
	layer.recurrent_dropout_shape = SLUICE_MASK_UNIT;
	layer.combination = SLUICE_ADD;
	layer.learned_start = 1;
	description.inputs = 2;
	description.layer_count = 1;
	description.layers = &layer;
	text = sluice__description_text(&description);
	assert_non_null(text);
	assert_string_equal(text, "{\"inputs\":2,\"outputs\":0,\"layers\":[{\"hidden\":4,\"direction\":\"forward\","
				  "\"bias\":true,\"dropout\":0.0,\"cell_activation\":[\"relu\",0.0,0.0,0.0],"
				  "\"cell_clip\":3.0,\"input\":\"gates\",\"no_gates\":\"fo\","
				  "\"recurrent_dropout_shape\":\"unit\",\"zoneout_c\":0.5,\"combination\":\"add\","
				  "\"learned_start\":true}]}");
	sluice__description_text_free(text);
}

static void test_text_of_images(void **state)
{
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	char *text;

	(void)state;
	layer.hidden = 4;
	layer.input_convolution = (sluice_convolution){.height = 3, .width = 2, .stride_y = 2};
	layer.recurrent_convolution = (sluice_convolution){.height = 2, .border = SLUICE_BORDER_GIVEN, .bottom = 1};
	layer.peephole = SLUICE_PEEPHOLE_ELEMENT;
	description.inputs = 2;
	description.image_height = 8;
	description.image_width = 9;
	description.layer_count = 1;
	description.layers = &layer;
	text = sluice__description_text(&description);
	assert_non_null(text);
	assert_string_equal(text, "{\"inputs\":2,\"outputs\":0,\"image_height\":8,\"image_width\":9,\"layers\":["
				  "{\"hidden\":4,\"direction\":\"forward\",\"bias\":true,\"dropout\":0.0,"
				  "\"peephole\":\"element\","
				  "\"input_convolution\":{\"height\":3,\"width\":2,\"stride_y\":2},"
				  "\"recurrent_convolution\":{\"height\":2,\"border\":\"given\",\"bottom\":1}}]}");
	sluice__description_text_free(text);
}

#define LAYER "\"hidden\":4,\"direction\":\"forward\",\"bias\":true,\"dropout\":0"
#define MODEL(layers) "{\"inputs\":2,\"outputs\":0,\"layers\":" layers "}"

static const struct {
	const char *text;
	const char *phrase;
} hostile[] = {
	{"", "not JSON"},
	{"[", "not JSON"},
	{"[]", "an object is expected"},
	{"{}", "layers: a list of 1 to 127"},
	{MODEL("[]"), "layers: a list of 1 to 127"},
	{MODEL("{}"), "layers: a list of 1 to 127"},
	{MODEL("[4]"), "layer 0: layer: an object"},
	{MODEL("[{}]"), "layer 0: hidden: is missing"},
	{MODEL("[{" LAYER "},{\"hidden\":4}]"), "layer 1: direction: is missing"},
	{MODEL("[{" LAYER ",\"zoneout\":0.1}]"), "layer 0: zoneout: is an option"},
	{MODEL("[{" LAYER ",\"\\u001b[2J\":0.1}]"), "layer 0: ?[2J: is an option"},
	{MODEL("[{" LAYER ",\"hidden\":4}]"), "not JSON"},
	{MODEL("[{" LAYER ",\"projection\":-1}]"), "layer 0: projection: a whole number"},
	{MODEL("[{" LAYER ",\"projection\":1.5}]"), "layer 0: projection: a whole number"},
	{MODEL("[{" LAYER ",\"cell_clip\":1e39}]"), "layer 0: cell_clip: a finite number"},
	{MODEL("[{" LAYER ",\"cell_clip\":\"1\"}]"), "layer 0: cell_clip: a finite number"},
	{MODEL("[{" LAYER ",\"cell_clip\":NaN}]"), "not JSON"},
	{MODEL("[{" LAYER ",\"peephole\":\"round\"}]"), "layer 0: peephole: is not one of the words"},
	{MODEL("[{" LAYER ",\"peephole\":1}]"), "layer 0: peephole: is not one of the words"},
	{MODEL("[{" LAYER ",\"peephole_previous\":1}]"), "layer 0: peephole_previous: true or false"},
	{MODEL("[{" LAYER ",\"cell_activation\":\"relu\"}]"), "layer 0: cell_activation: a list of a kind"},
	{MODEL("[{" LAYER ",\"cell_activation\":[\"relu\",0,0]}]"), "layer 0: cell_activation: a list of a kind"},
	{MODEL("[{" LAYER ",\"cell_activation\":[\"wild\",0,0,0]}]"), "layer 0: cell_activation: is not one"},
	{MODEL("[{" LAYER ",\"cell_activation\":[\"relu\",0,0,\"0\"]}]"), "layer 0: cell_activation: a finite"},
	{MODEL("[{" LAYER ",\"input\":\"none\"}]"), "layer 0: input: is not one of the words"},
	{MODEL("[{" LAYER ",\"no_gates\":2}]"), "layer 0: no_gates: a text of the letters"},
	{MODEL("[{" LAYER ",\"no_gates\":\"ii\"}]"), "layer 0: no_gates: may hold each"},
	{MODEL("[{" LAYER ",\"no_peepholes\":\"c\"}]"), "layer 0: no_peepholes: may hold each"},
	{MODEL("[{" LAYER ",\"recurrent_dropout_shape\":0}]"), "layer 0: recurrent_dropout_shape: is not one"},
	{MODEL("[{" LAYER ",\"coupled\":\"yes\"}]"), "layer 0: coupled: true or false"},
	{MODEL("[{" LAYER ",\"combination\":\"multiply\"}]"), "layer 0: combination: is not one of the words"},
	{MODEL("[{" LAYER ",\"combination\":1}]"), "layer 0: combination: is not one of the words"},
	{MODEL("[{" LAYER ",\"learned_start\":1}]"), "layer 0: learned_start: true or false"},
	{MODEL("[{" LAYER ",\"input_convolution\":3}]"), "layer 0: input_convolution: an object is expected"},
	{MODEL("[{" LAYER ",\"input_convolution\":{\"height\":-1}}]"),
	 "layer 0: input_convolution: height: a whole number"},
	{MODEL("[{" LAYER ",\"memory_convolution\":{\"border\":\"round\"}}]"),
	 "layer 0: memory_convolution: border: is not one of the words"},
	{MODEL("[{" LAYER ",\"recurrent_convolution\":{\"stride\":2}}]"),
	 "layer 0: recurrent_convolution: stride: is an option"},
	{"{\"inputs\":2,\"outputs\":0,\"image_width\":true,\"layers\":[{" LAYER "}]}",
	 "description: image_width: a whole number"},
	{"{\"outputs\":0,\"layers\":[{" LAYER "}]}", "description: inputs: is missing"},
	{"{\"inputs\":2,\"outputs\":0,\"layers\":[{" LAYER "}],\"heads\":8}", "description: heads: is an option"},
	{"{\"inputs\":\"2\",\"outputs\":0,\"layers\":[{" LAYER "}]}", "description: inputs: a whole number"},
};

static void test_hostile(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof(hostile) / sizeof(hostile[0]); k++)
		fixture_expect(sluice__description_parse("m", hostile[k].text, &described), SLUICE_FORMAT,
			       hostile[k].phrase);
	fixture_expect(sluice__description_parse("m", MODEL("[{" LAYER "}]"), &described), SLUICE_OK, "");
}

static void test_most_layers(void **state)
{
	static sluice_layer layers[SLUICE__LAYERS_MAX + 1];
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	char *text;

	(void)state;
	memset(&described, 0, sizeof(described));
	for (size_t k = 0; k <= SLUICE__LAYERS_MAX; k++) {
		layers[k].size = sizeof(sluice_layer);
		layers[k].hidden = k + 1;
	}
	description.inputs = 1;
	description.layers = layers;
	description.layer_count = SLUICE__LAYERS_MAX;
	parse_and_compare(&description);
	description.layer_count++;
	text = sluice__description_text(&description);
	fixture_expect(sluice__description_parse("m", text, &described), SLUICE_FORMAT, "a list of 1 to 127");
	sluice__description_text_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_options), cmocka_unit_test(test_activations),
		cmocka_unit_test(test_text),        cmocka_unit_test(test_text_of_images),
		cmocka_unit_test(test_hostile),     cmocka_unit_test(test_most_layers),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
