/* test_model_file.c: a model comes back from its file bit for bit, and nothing else passes for one. */
#include "io_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---------------------------------------------------------------------------------------------------- models ---- */

static sluice_model *create_model(sluice_context *context)
{
	sluice_layer layers[3] = {SLUICE_LAYER_INIT, SLUICE_LAYER_INIT, SLUICE_LAYER_INIT};
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_initialization initialization = SLUICE_INITIALIZATION_INIT;
	sluice_model *model = NULL;

	layers[0].hidden = 3;
	layers[0].dropout = 0.1f;
	layers[1].hidden = 2;
	layers[1].direction = SLUICE_BIDIRECTIONAL;
	layers[2].hidden = 1;
	layers[2].direction = SLUICE_REVERSE;
	layers[2].no_bias = 1;
	description.inputs = 1;
	description.outputs = 5;
	description.layer_count = 3;
	description.layers = layers;
	initialization.seed = 42;
	initialization.forget_bias = 1;
	if (sluice_model_create(context, &description, &model) != SLUICE_OK)
		return NULL;
	sluice_model_initialize(model, &initialization);
	return model;
}

static sluice_model *make_model(void)
{
	sluice_model *model = create_model(fixture_context());

	assert_non_null(model);
	return model;
}

static void expect_same(const sluice_model *one, const sluice_model *two)
{
	const sluice_description *a = sluice_model_description(one), *b = sluice_model_description(two);
	size_t one_count, two_count;
	const float *p = sluice_model_parameters(one, &one_count), *q = sluice_model_parameters(two, &two_count);

	assert_int_equal(a->inputs, b->inputs);
	assert_int_equal(a->outputs, b->outputs);
	assert_int_equal(a->layer_count, b->layer_count);
	for (size_t k = 0; k < a->layer_count; k++) {
		assert_int_equal(a->layers[k].hidden, b->layers[k].hidden);
		assert_int_equal(a->layers[k].direction, b->layers[k].direction);
		assert_int_equal(a->layers[k].no_bias, b->layers[k].no_bias);
		assert_true(a->layers[k].dropout == b->layers[k].dropout);
		assert_int_equal(a->layers[k].peephole, b->layers[k].peephole);
#define SAME(convolution) \
	assert_memory_equal(&a->layers[k].convolution, &b->layers[k].convolution, sizeof(sluice_convolution))
		SAME(input_convolution);
		SAME(recurrent_convolution);
		SAME(memory_convolution);
#undef SAME
	}
	assert_int_equal(a->image_height, b->image_height);
	assert_int_equal(a->image_width, b->image_width);
	assert_int_equal(one_count, two_count);
	assert_memory_equal(p, q, one_count * sizeof(*p));
}

static void test_round_trip(void **state)
{
	sluice_model *model = make_model(), *loaded;
	const char *path = fixture_path("round.sluice");

	(void)state;
	fixture_expect(sluice_model_save(fixture_context(), model, NULL, path), SLUICE_OK, "");
	fixture_expect(sluice_model_load(fixture_context(), path, &loaded, NULL), SLUICE_OK, "");
	expect_same(model, loaded);
	sluice_model_destroy(loaded);
	sluice_model_destroy(model);
	assert_int_equal(fixture_entries(), 1);
}

/* A model each of whose tensors has numbers of its own. */
static sluice_model *numbered_model(const sluice_description *description)
{
	sluice_model *model = NULL;
	float *parameters;

	fixture_expect(sluice_model_create(fixture_context(), description, &model), SLUICE_OK, "");
	parameters = sluice_model_parameters(model, NULL);
	for (size_t k = 0; k < sluice_model_parameter_count(model); k++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;

		fixture_expect(sluice_model_parameter(model, k, &parameter), SLUICE_OK, "");
		for (size_t element = 0; element < parameter.rows * parameter.columns; element++)
			parameters[parameter.offset + element] = (float)(1000 * k + element);
	}
	return model;
}

/* One without read-out. */
static sluice_model *layers_model(size_t inputs, size_t count, const sluice_layer *layers)
{
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	description.inputs = inputs;
	description.layer_count = count;
	description.layers = layers;
	return numbered_model(&description);
}

/* The tensors that only some options bring, each with numbers of its own, and the option that takes one away. */
static void test_options(void **state)
{
	sluice_layer layers[3] = {SLUICE_LAYER_INIT, SLUICE_LAYER_INIT, SLUICE_LAYER_INIT};
	const size_t inputs[3] = {3, 5, 8000};
	const char *path = fixture_path("options.sluice");

	(void)state;
	layers[0].hidden = 4;
	layers[0].direction = SLUICE_BIDIRECTIONAL;
	layers[0].projection = 2;
	layers[0].peephole = SLUICE_PEEPHOLE_FULL;
	layers[0].candidate_activation.kind = SLUICE_ACTIVATION_PRELU;
	layers[0].zoneout_h = 0.25f;
	layers[1].hidden = 5;
	layers[1].input = SLUICE_INPUT_IDENTITY;
	layers[1].peephole = SLUICE_PEEPHOLE_DIAGONAL;
	layers[1].no_gates = SLUICE_GATE_O;
	/* Input weights would be far more than a file may lack, but there are none. */
	layers[2].hidden = 2000;
	layers[2].projection = 1;
	layers[2].input = SLUICE_INPUT_GATES;
	for (size_t k = 0; k < 3; k++) {
		sluice_model *model = layers_model(inputs[k], 1, &layers[k]), *loaded;
		const sluice_layer *read;

		fixture_expect(sluice_model_save(fixture_context(), model, NULL, path), SLUICE_OK, "");
		fixture_expect(sluice_model_load(fixture_context(), path, &loaded, NULL), SLUICE_OK, "");
		expect_same(model, loaded);
		read = sluice_model_description(loaded)->layers;
		assert_int_equal(read->projection, layers[k].projection);
		assert_int_equal(read->peephole, layers[k].peephole);
		assert_int_equal(read->candidate_activation.kind, layers[k].candidate_activation.kind);
		assert_int_equal(read->input, layers[k].input);
		assert_int_equal(read->no_gates, layers[k].no_gates);
		assert_true(read->zoneout_h == layers[k].zoneout_h);
		sluice_model_destroy(loaded);
		sluice_model_destroy(model);
	}
}

/* A start is two vectors for each direction, in the file as PyTorch's vectors are. */
static void test_learned_start(void **state)
{
	static const struct {
		const char *name;
		size_t elements;
	} starts[] = {{"start_h_l0", 2}, {"start_c_l0", 4}, {"start_h_l0_reverse", 2}, {"start_c_l0_reverse", 4}};
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_model *model, *loaded;
	sluice_tensors *tensors;

	(void)state;
	layer.hidden = 4;
	layer.projection = 2;
	layer.direction = SLUICE_BIDIRECTIONAL;
	layer.learned_start = 1;
	model = layers_model(3, 1, &layer);
	fixture_expect(sluice_model_save(fixture_context(), model, NULL, fixture_path("start")), SLUICE_OK, "");
	fixture_expect(sluice_model_load(fixture_context(), fixture_path("start"), &loaded, &tensors), SLUICE_OK, "");
	expect_same(model, loaded);
	assert_true(sluice_model_description(loaded)->layers[0].learned_start == 1);
	for (size_t k = 0; k < sizeof(starts) / sizeof(starts[0]); k++) {
		sluice_array array = SLUICE_ARRAY_INIT;

		fixture_expect(sluice_tensors_find(tensors, starts[k].name, &array), SLUICE_OK, "");
		assert_int_equal(array.rank, 1);
		assert_int_equal(array.shape[0], starts[k].elements);
	}
	sluice_tensors_destroy(tensors);
	sluice_model_destroy(loaded);
	sluice_model_destroy(model);
}

/*
 * What the second layer reads is one result of the first, not two side by side. It is so wide that a file without the
 * weights of a second result would be refused as too small, were they counted.
 */
static void test_combinations(void **state)
{
	enum { WIDE = 70000 };
	static const sluice_combination combinations[] = {SLUICE_ADD, SLUICE_SEPARATE};
	const char *path = fixture_path("combinations");

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		sluice_layer layers[2] = {SLUICE_LAYER_INIT, SLUICE_LAYER_INIT};
		sluice_model *model, *loaded;

		layers[0].hidden = 1;
		layers[0].projection = WIDE;
		layers[0].direction = layers[1].direction = SLUICE_BIDIRECTIONAL;
		layers[0].combination = combinations[k];
		layers[1].hidden = 2;
		layers[1].combination = combinations[1 - k];
		model = layers_model(1, 2, layers);
		fixture_expect(sluice_model_save(fixture_context(), model, NULL, path), SLUICE_OK, "");
		fixture_expect(sluice_model_load(fixture_context(), path, &loaded, NULL), SLUICE_OK, "");
		expect_same(model, loaded);
		assert_int_equal(sluice_model_description(loaded)->layers[0].combination, combinations[k]);
		assert_int_equal(sluice_model_description(loaded)->layers[1].combination, combinations[1 - k]);
		sluice_model_destroy(loaded);
		sluice_model_destroy(model);
	}
}

/*
 * Kernels have the size of their taps, divided by groups, and peepholes of elements that of the images: of 5 x 4, of
 * which a stride leaves 3 x 2, a kernel inside 2 x 1. The second layer would need far more weights than a file may lack
 * if its groups were not counted.
 */
static void test_images(void **state)
{
	enum { MANY = 1024 };
	sluice_layer layers[3] = {SLUICE_LAYER_INIT, SLUICE_LAYER_INIT, SLUICE_LAYER_INIT};
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	const char *path = fixture_path("images");
	sluice_array array = SLUICE_ARRAY_INIT;
	sluice_model *model, *loaded;
	sluice_tensors *tensors;

	(void)state;
	layers[0].hidden = layers[1].hidden = MANY;
	layers[0].input_convolution = (sluice_convolution){.height = 3, .width = 3, .stride_y = 2, .stride_x = 2};
	layers[0].recurrent_convolution = (sluice_convolution){.groups = MANY};
	layers[1].peephole = SLUICE_PEEPHOLE_FULL;
	layers[1].input_convolution = layers[1].recurrent_convolution = layers[1].memory_convolution =
		(sluice_convolution){.height = 1, .width = 3, .dilation_x = 2, .groups = MANY / 2};
	layers[2].hidden = 2;
	layers[2].peephole = SLUICE_PEEPHOLE_ELEMENT;
	layers[2].input_convolution = (sluice_convolution){.height = 2, .width = 2, .border = SLUICE_BORDER_NONE};
	description.inputs = 1;
	description.outputs = 3;
	description.image_height = 5;
	description.image_width = 4;
	description.layer_count = 3;
	description.layers = layers;
	model = numbered_model(&description);
	fixture_expect(sluice_model_save(fixture_context(), model, NULL, path), SLUICE_OK, "");
	fixture_expect(sluice_model_load(fixture_context(), path, &loaded, &tensors), SLUICE_OK, "");
	expect_same(model, loaded);
	fixture_expect(sluice_tensors_find(tensors, "weight_ih_l1", &array), SLUICE_OK, "");
	assert_int_equal(array.shape[0], 4 * MANY);
	assert_int_equal(array.shape[1], 1 * 3 * 2);
	fixture_expect(sluice_tensors_find(tensors, "peephole_l2", &array), SLUICE_OK, "");
	assert_int_equal(array.shape[0], 4 * 2);
	assert_int_equal(array.shape[1], 2 * 1);
	sluice_tensors_destroy(tensors);
	sluice_model_destroy(loaded);
	sluice_model_destroy(model);
}

/* What is not the model's goes into the file and comes out of it, again and again. */
static void test_extra(void **state)
{
	const float table[6] = {1, 2, 3, NAN, 5, 6};
	sluice_model *model = make_model(), *loaded, *again;
	sluice_array embedding = SLUICE_ARRAY_INIT, found;
	sluice_tensors *extra, *first, *second;

	(void)state;
	embedding.rank = 2;
	embedding.shape[0] = 2;
	embedding.shape[1] = 3;
	embedding.data = table;
	fixture_expect(sluice_tensors_create(fixture_context(), &extra), SLUICE_OK, "");
	fixture_expect(sluice_tensors_add(extra, "embedding.weight", &embedding), SLUICE_OK, "");
	fixture_expect(sluice_tensors_set_metadata(extra, "sluice.vocabulary", "a\nb\xc3\xa9"), SLUICE_OK, "");
	fixture_expect(sluice_model_save(fixture_context(), model, extra, fixture_path("a")), SLUICE_OK, "");
	fixture_expect(sluice_model_load(fixture_context(), fixture_path("a"), &loaded, &first), SLUICE_OK, "");
	fixture_expect(sluice_model_save(fixture_context(), loaded, first, fixture_path("b")), SLUICE_OK, "");
	fixture_expect(sluice_model_load(fixture_context(), fixture_path("b"), &again, &second), SLUICE_OK, "");
	expect_same(model, again);
	assert_string_equal(sluice_tensors_metadata(second, "sluice.vocabulary"), "a\nb\xc3\xa9");
	fixture_expect(sluice_tensors_find(second, "embedding.weight", &found), SLUICE_OK, "");
	assert_int_equal(found.rank, 2);
	assert_memory_equal(found.data, table, sizeof(table));
	assert_int_equal(sluice_tensors_count(second), sluice_model_parameter_count(model) + 1);
	sluice_tensors_destroy(extra);
	sluice_tensors_destroy(first);
	sluice_tensors_destroy(second);
	sluice_model_destroy(model);
	sluice_model_destroy(loaded);
	sluice_model_destroy(again);
}

/* What was changed after loading is what is saved, not what the file had. */
static void test_changed(void **state)
{
	sluice_model *model = make_model(), *loaded, *again;
	sluice_tensors *extra;

	(void)state;
	fixture_expect(sluice_model_save(fixture_context(), model, NULL, fixture_path("a")), SLUICE_OK, "");
	fixture_expect(sluice_model_load(fixture_context(), fixture_path("a"), &loaded, &extra), SLUICE_OK, "");
	sluice_model_parameters(loaded, NULL)[0] = 1234;
	fixture_expect(sluice_model_save(fixture_context(), loaded, extra, fixture_path("a")), SLUICE_OK, "");
	fixture_expect(sluice_model_load(fixture_context(), fixture_path("a"), &again, NULL), SLUICE_OK, "");
	assert_true(sluice_model_parameters(again, NULL)[0] == 1234);
	sluice_tensors_destroy(extra);
	sluice_model_destroy(model);
	sluice_model_destroy(loaded);
	sluice_model_destroy(again);
}

/* --------------------------------------------------------------------------------------------- hostile files ---- */

/* A set like the model's own, with one tensor left out or another put in its place. */
static sluice_tensors *altered(const sluice_model *model, const char *name, const sluice_array *instead)
{
	sluice_tensors *whole, *made;
	sluice_array array;

	fixture_expect(sluice_tensors_create(fixture_context(), &whole), SLUICE_OK, "");
	fixture_expect(sluice_tensors_create(fixture_context(), &made), SLUICE_OK, "");
	fixture_expect(sluice_tensors_add_model(whole, model), SLUICE_OK, "");
	for (size_t k = 0; k < sluice_tensors_metadata_count(whole); k++) {
		const char *key = sluice_tensors_metadata_key(whole, k);

		sluice_tensors_set_metadata(made, key, sluice_tensors_metadata(whole, key));
	}
	for (size_t k = 0; k < sluice_tensors_count(whole); k++) {
		const char *each = sluice_tensors_name(whole, k);

		fixture_expect(sluice_tensors_find(whole, each, &array), SLUICE_OK, "");
		if (strcmp(each, name) != 0)
			fixture_expect(sluice_tensors_add(made, each, &array), SLUICE_OK, "");
		else if (instead)
			fixture_expect(sluice_tensors_add(made, each, instead), SLUICE_OK, "");
	}
	sluice_tensors_destroy(whole);
	return made;
}

static void expect_refused(sluice_tensors *tensors, sluice_status status, const char *phrase)
{
	sluice_model *model;

	fixture_expect(sluice_tensors_write(tensors, fixture_path("refused")), SLUICE_OK, "");
	sluice_tensors_destroy(tensors);
	fixture_expect(sluice_model_load(fixture_context(), fixture_path("refused"), &model, NULL), status, phrase);
	assert_non_null(strstr(sluice_last_message(), fixture_path("refused")));
	assert_null(model);
}

static void test_tensors(void **state)
{
	float numbers[40] = {0};
	const double wide[36] = {0};
	sluice_model *model = make_model();
	sluice_array array = SLUICE_ARRAY_INIT, one = SLUICE_ARRAY_INIT;

	(void)state;
	array.rank = 2;
	array.shape[0] = 12;
	array.shape[1] = 3;
	array.data = numbers;
	expect_refused(altered(model, "weight_hh_l0", NULL), SLUICE_FORMAT, "no tensor \"weight_hh_l0\"");
	numbers[35] = NAN;
	expect_refused(altered(model, "weight_hh_l0", &array), SLUICE_FORMAT,
		       "\"weight_hh_l0\" holds NaN at element 35");
	numbers[7] = -INFINITY;
	expect_refused(altered(model, "weight_hh_l0", &array), SLUICE_FORMAT,
		       "\"weight_hh_l0\" holds an infinity at element 7");
	numbers[7] = numbers[35] = 0;
	array.shape[0] = 3;
	array.shape[1] = 12;
	expect_refused(altered(model, "weight_hh_l0", &array), SLUICE_FORMAT, "has shape [3, 12], but [12, 3] is");
	array.rank = 1;
	array.shape[0] = 36;
	expect_refused(altered(model, "weight_hh_l0", &array), SLUICE_FORMAT, "has shape [36], but [12, 3] is");
	array.rank = 2;
	array.shape[0] = 13;
	array.shape[1] = 3;
	expect_refused(altered(model, "weight_hh_l0", &array), SLUICE_FORMAT, "has shape [13, 3], but [12, 3] is");
	array.shape[0] = 12;
	array.element = SLUICE_ELEMENT_F64;
	array.data = wide;
	expect_refused(altered(model, "weight_hh_l0", &array), SLUICE_UNSUPPORTED, "is F64, but F32 is expected");
	one.rank = 0;
	one.data = numbers;
	expect_refused(altered(model, "readout.bias", &one), SLUICE_FORMAT, "has shape [], but [5, 1] is");
	sluice_model_destroy(model);
}

#define LAYER(hidden, dropout) "{\"hidden\":" hidden ",\"direction\":\"forward\",\"bias\":true,\"dropout\":" dropout "}"
#define MODEL(inputs, layers) "{\"inputs\":" inputs ",\"outputs\":0,\"layers\":[" layers "]}"
/* A layer over images with these options, and a convolution in them. */
#define IMAGES(height, width, hidden, options)                                           \
	"{\"inputs\":1,\"outputs\":0,\"image_height\":" height ",\"image_width\":" width \
	",\"layers\":[" LAYER(hidden, "0" options) "]}"
#define KERNEL(name, members) ",\"" name "_convolution\":{" members "}"
#define ELEMENT ",\"peephole\":\"element\""

static const struct {
	const char *version, *description; /* NULL: absent */
	sluice_status status;
	const char *phrase;
} texts[] = {
	{NULL, NULL, SLUICE_FORMAT, "is not a sluice model: it has no \"sluice.version\""},
	{"1", NULL, SLUICE_FORMAT, "is not a sluice model: it has no \"sluice.description\""},
	{"2", MODEL("1", LAYER("1", "0")), SLUICE_UNSUPPORTED, "version \"2\", but \"1\""},
	{"1", "{", SLUICE_FORMAT, "not JSON"},
	{"1", MODEL("1", ""), SLUICE_FORMAT, "a list of 1 to 127"},
	{"1", MODEL("0", LAYER("1", "0")), SLUICE_FORMAT, "description: inputs is 0"},
	{"1", MODEL("1", LAYER("0", "0")), SLUICE_FORMAT, "hidden"},
	{"1", MODEL("1", LAYER("1", "1.5")), SLUICE_FORMAT, "dropout"},
	{"1", MODEL("1", LAYER("1", "-1")), SLUICE_FORMAT, "dropout"},
	{"1", MODEL("1000000000", LAYER("1000000000", "0")), SLUICE_FORMAT, "stands for at least 8000000000000000000"},
	{"1", MODEL("1", LAYER("100000", "0")), SLUICE_FORMAT, "stands for at least 40000400000 weights"},
	{"1", MODEL("1", LAYER("9223372036854775807", "0")), SLUICE_FORMAT, "overflows"},
	{"1", MODEL("9223372036854775807", LAYER("1", "0")), SLUICE_FORMAT, "overflows"},
	{"1", MODEL("1", LAYER("4294967296", "0")), SLUICE_FORMAT, "overflows"},
	{"1", "{\"inputs\":1,\"outputs\":9223372036854775807,\"layers\":[" LAYER("2", "0") "]}", SLUICE_FORMAT,
	 "overflows"},
	{"1", MODEL("1", LAYER("100000", "0,\"projection\":1,\"peephole\":\"full\"")), SLUICE_FORMAT,
	 "stands for at least 40000900000 weights"},
	{"1", MODEL("1", LAYER("10000000", "0,\"projection\":10000000,\"input\":\"identity\"")), SLUICE_FORMAT,
	 "stands for at least 500000000000000 weights"},
	{"1",
	 MODEL("1", "{\"hidden\":100000,\"direction\":\"bidirectional\",\"bias\":true,\"dropout\":0,"
		    "\"combination\":\"add\"}"),
	 SLUICE_FORMAT, "stands for at least 80000800000 weights"},
	{"1", IMAGES("8", "8", "1", KERNEL("input", "\"width\":9000") KERNEL("recurrent", "\"height\":1000000")),
	 SLUICE_FORMAT, "stands for at least 4036000 weights"},
	{"1", IMAGES("8", "8", "2", ",\"peephole\":\"full\"" KERNEL("memory", "\"height\":1000000")), SLUICE_FORMAT,
	 "at least 16000024 weights"},
	{"1", IMAGES("2000", "3000", "1", ELEMENT KERNEL("input", "\"height\":3,\"stride_y\":2")), SLUICE_FORMAT,
	 "stands for at least 12000016 weights"},
	{"1", IMAGES("2000", "3000", "1", ELEMENT KERNEL("input", "\"height\":3,\"dilation_y\":2,\"border\":\"none\"")),
	 SLUICE_FORMAT, "stands for at least 23952016 weights"},
	{"1",
	 IMAGES("2000", "3000", "1", ELEMENT KERNEL("input", "\"border\":\"given\",\"top\":1,\"bottom\":2,\"left\":7")),
	 SLUICE_FORMAT, "stands for at least 24092092 weights"},
	{"1", IMAGES("9223372036854775807", "9223372036854775807", "1", ELEMENT), SLUICE_FORMAT, "overflows"},
	{"1", IMAGES("8", "0", "1", ""), SLUICE_FORMAT, "image_height"},
	{"1", MODEL("1", LAYER("1", "0" ELEMENT)), SLUICE_FORMAT, "peephole"},
	{"1", MODEL("1", LAYER("1", "0" KERNEL("recurrent", "\"height\":3"))), SLUICE_FORMAT, "recurrent_convolution"},
	{"1", MODEL("1", LAYER("1", "0,\"cell_clip\":-1")), SLUICE_FORMAT, "cell_clip"},
	{"1", MODEL("1", LAYER("1", "0,\"combination\":\"sum\"")), SLUICE_FORMAT,
	 "layer 0: combination: is not one of the words"},
	{"1", MODEL("1", LAYER("1", "0,\"combination\":\"add\"")), SLUICE_FORMAT, "combination is 1"},
	{"1", MODEL("1", LAYER("1", "0,\"learned_start\":2")), SLUICE_FORMAT, "learned_start: true or false"},
};

static void test_texts(void **state)
{
	float numbers[64] = {0};
	sluice_array array = SLUICE_ARRAY_INIT;

	(void)state;
	array.rank = 1;
	array.shape[0] = 64;
	array.data = numbers;
	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
		sluice_tensors *tensors;

		fixture_expect(sluice_tensors_create(fixture_context(), &tensors), SLUICE_OK, "");
		fixture_expect(sluice_tensors_add(tensors, "room", &array), SLUICE_OK, "");
		if (texts[k].version)
			sluice_tensors_set_metadata(tensors, "sluice.version", texts[k].version);
		if (texts[k].description)
			sluice_tensors_set_metadata(tensors, "sluice.description", texts[k].description);
		expect_refused(tensors, texts[k].status, texts[k].phrase);
	}
}

static void test_truncated(void **state)
{
	sluice_model *model = make_model(), *loaded;
	unsigned char *file;
	size_t size;

	(void)state;
	fixture_expect(sluice_model_save(fixture_context(), model, NULL, fixture_path("m")), SLUICE_OK, "");
	file = fixture_read(fixture_path("m"), &size);
	for (size_t kept = 0; kept < size; kept++) {
		fixture_write(fixture_path("cut"), file, kept);
		fixture_expect(sluice_model_load(fixture_context(), fixture_path("cut"), &loaded, NULL), SLUICE_FORMAT,
			       "cut");
	}
	free(file);
	sluice_model_destroy(model);
}

/* Every byte of the header, turned into a few that mean something there: refused, or a model like any other. */
static void test_corrupted(void **state)
{
	static const unsigned char values[] = {0, ' ', '"', '0', '9', ',', '[', '{', '}', 0x80, 0xff};
	sluice_model *model = make_model();
	size_t size, header, loaded_count = 0;
	unsigned char *file;

	(void)state;
	fixture_expect(sluice_model_save(fixture_context(), model, NULL, fixture_path("m")), SLUICE_OK, "");
	file = fixture_read(fixture_path("m"), &size);
	header = 8 + (file[0] | (size_t)file[1] << 8);
	for (size_t at = 0; at < header; at++) {
		unsigned char kept = file[at];

		for (size_t k = 0; k < sizeof(values) + 8; k++) {
			sluice_tensors *tensors;
			sluice_model *loaded;

			file[at] = k < 8 ? kept ^ (unsigned char)(1u << k) : values[k - 8];
			if (sluice_tensors_parse(fixture_context(), "m", file, size, &tensors) != SLUICE_OK)
				continue;
			if (sluice_tensors_get_model(fixture_context(), tensors, &loaded) == SLUICE_OK)
				loaded_count++;
			sluice_model_destroy(loaded);
			sluice_tensors_destroy(tensors);
		}
		file[at] = kept;
	}
	/* A dropout of 0.0 turned into 0.9, a space into a space: some changes are harmless, most are not. */
	assert_true(loaded_count > 0 && loaded_count < header * (sizeof(values) + 8) / 2);
	free(file);
	sluice_model_destroy(model);
}

/* ---------------------------------------------------------------------------------------------- the system ------ */

static void test_old_survives(void **state)
{
	sluice_model *model = make_model(), *loaded;
	sluice_status status;

	(void)state;
	fixture_clear();
	fixture_expect(sluice_model_save(fixture_context(), model, NULL, fixture_path("m")), SLUICE_OK, "");
	fixture_limit_files(512);
	status = sluice_model_save(fixture_context(), model, NULL, fixture_path("m"));
	fixture_limit_files(0);
	fixture_expect(status, SLUICE_IO, "m: cannot be written: File too large");
	assert_int_equal(fixture_entries(), 1);
	fixture_expect(sluice_model_load(fixture_context(), fixture_path("m"), &loaded, NULL), SLUICE_OK, "");
	expect_same(model, loaded);
	sluice_model_destroy(loaded);
	fixture_expect(sluice_model_load(fixture_context(), fixture_path("none"), &loaded, NULL), SLUICE_IO, "No such");
	fixture_expect(sluice_model_load(fixture_context(), fixture_path(""), &loaded, NULL), SLUICE_IO, "directory");
	assert_null(loaded);
	sluice_model_destroy(model);
}

static sluice_status load_and_save(sluice_context *context)
{
	sluice_model *model = NULL;
	sluice_tensors *extra = NULL;
	sluice_status status = sluice_model_load(context, fixture_path("sweep"), &model, &extra);

	if (status == SLUICE_OK)
		status = sluice_model_save(context, model, extra, fixture_path("swept"));
	sluice_tensors_destroy(extra);
	sluice_model_destroy(model);
	return status;
}

static void test_memory_ends(void **state)
{
	sluice_model *model = make_model();

	(void)state;
	fixture_expect(sluice_model_save(fixture_context(), model, NULL, fixture_path("sweep")), SLUICE_OK, "");
	sluice_model_destroy(model);
	fixture_sweep(load_and_save);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_options),
		cmocka_unit_test(test_learned_start), cmocka_unit_test(test_combinations),
		cmocka_unit_test(test_images),        cmocka_unit_test(test_extra),
		cmocka_unit_test(test_changed),       cmocka_unit_test(test_tensors),
		cmocka_unit_test(test_texts),         cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_corrupted),     cmocka_unit_test(test_old_survives),
		cmocka_unit_test(test_memory_ends),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
