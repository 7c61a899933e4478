/* description.c: a model's description as JSON, both ways by one table, so that no option can be written and not read.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

/* Enough digits for every float to come back as it was. */
#define FLOAT_DIGITS 9

/* -------------------------------------------------------------------------------------------------- values ------ */

/* Where a reading is, for messages: "model.sluice: description, layer 1: input_convolution: groups". */
struct place {
	const char *source;
	int layer;          /* -1: the description itself */
	const char *within; /* the option whose member is read; NULL: the layer or description */
	const char *key;
};

static sluice_status refuse(const struct place *place, const char *what)
{
	const char *within = place->within ? place->within : "", *colon = place->within ? ": " : "";

	if (place->layer < 0)
		return sluice_fail(SLUICE_FORMAT, "%s: description: %s%s%s: %s", place->source, within, colon,
				   place->key, what);
	return sluice_fail(SLUICE_FORMAT, "%s: description, layer %d: %s%s%s: %s", place->source, place->layer, within,
			   colon, place->key, what);
}

/* How a kind of value becomes JSON (NULL: no memory) and comes back. */
struct kind {
	json_t *(*write)(const void *field);
	sluice_status (*read)(const struct place *place, json_t *value, void *field);
};

static json_t *write_size(const void *field)
{
	return json_integer((json_int_t) * (const size_t *)field);
}

static sluice_status read_size(const struct place *place, json_t *value, void *field)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uintmax_t)number > SIZE_MAX)
		return refuse(place, "a whole number of 0 or more is expected");
	*(size_t *)field = (size_t)number;
	return SLUICE_OK;
}

static json_t *write_number(const void *field)
{
	return json_real(*(const float *)field);
}

static sluice_status read_number(const struct place *place, json_t *value, void *field)
{
	float number = (float)json_number_value(value);

	if (!json_is_number(value) || !isfinite(number))
		return refuse(place, "a finite number is expected");
	*(float *)field = number;
	return SLUICE_OK;
}

static json_t *write_flag(const void *field)
{
	return json_boolean(*(const int *)field != 0);
}

static sluice_status read_flag(const struct place *place, json_t *value, void *field)
{
	if (!json_is_boolean(value))
		return refuse(place, "true or false is expected");
	*(int *)field = json_is_true(value);
	return SLUICE_OK;
}

/* For fields that say what is absent. */
static json_t *write_inverse(const void *field)
{
	return json_boolean(*(const int *)field == 0);
}

static sluice_status read_inverse(const struct place *place, json_t *value, void *field)
{
	SLUICE__TRY(read_flag(place, value, field));
	*(int *)field = !*(int *)field;
	return SLUICE_OK;
}

static json_t *write_word(const char *const *words, size_t count, unsigned value)
{
	return value < count ? json_string(words[value]) : NULL;
}

static sluice_status read_word(const struct place *place, json_t *value, const char *const *words, size_t count,
			       unsigned *out)
{
	const char *word = json_string_value(value);

	for (unsigned k = 0; word && k < count; k++) {
		if (strcmp(word, words[k]) == 0) {
			*out = k;
			return SLUICE_OK;
		}
	}
	return refuse(place, "is not one of the words that are expected here");
}

#define WORDS(list) list, sizeof(list) / sizeof((list)[0])

/* Writing and reading of an enumeration whose words are given in the order of its values. */
#define WORD_KIND(name, type, ...)                                                              \
	static const char *const name##_words[] = {__VA_ARGS__};                                \
	static json_t *write_##name(const void *field)                                          \
	{                                                                                       \
		return write_word(WORDS(name##_words), (unsigned)*(const type *)field);         \
	}                                                                                       \
	static sluice_status read_##name(const struct place *place, json_t *value, void *field) \
	{                                                                                       \
		unsigned word = 0;                                                              \
                                                                                                \
		SLUICE__TRY(read_word(place, value, WORDS(name##_words), &word));               \
		*(type *)field = (type)word;                                                    \
		return SLUICE_OK;                                                               \
	}

WORD_KIND(direction, sluice_direction, [SLUICE_FORWARD] = "forward", [SLUICE_REVERSE] = "reverse",
	  [SLUICE_BIDIRECTIONAL] = "bidirectional")
WORD_KIND(peephole, sluice_peephole, [SLUICE_PEEPHOLE_NONE] = "none", [SLUICE_PEEPHOLE_DIAGONAL] = "diagonal",
	  [SLUICE_PEEPHOLE_FULL] = "full", [SLUICE_PEEPHOLE_ELEMENT] = "element")
WORD_KIND(input, sluice_input, [SLUICE_INPUT_WEIGHTS] = "weights", [SLUICE_INPUT_IDENTITY] = "identity",
	  [SLUICE_INPUT_GATES] = "gates")
WORD_KIND(mask_shape, sluice_mask_shape, [SLUICE_MASK_SEQUENCE] = "sequence", [SLUICE_MASK_UNIT] = "unit",
	  [SLUICE_MASK_STEP] = "step")
WORD_KIND(border,
	  sluice_border, [SLUICE_BORDER_SAME] = "same", [SLUICE_BORDER_NONE] = "none", [SLUICE_BORDER_GIVEN] = "given")
WORD_KIND(
	combination,
	sluice_combination, [SLUICE_CONCATENATE] = "concatenate", [SLUICE_ADD] = "add", [SLUICE_SEPARATE] = "separate")

/* A set of gates as its letters, "fo": the bits of the set are in the order of this text. */
static const char gate_letters[] = "ifgo";

static json_t *write_gates(const void *field)
{
	unsigned gates = *(const unsigned *)field;
	char text[sizeof(gate_letters)] = "";
	size_t length = 0;

	for (size_t k = 0; gate_letters[k]; k++)
		if (gates >> k & 1)
			text[length++] = gate_letters[k];
	return gates <= SLUICE_GATES_ALL ? json_string(text) : NULL;
}

static sluice_status read_gates(const struct place *place, json_t *value, void *field)
{
	const char *text = json_string_value(value);
	unsigned gates = 0;

	if (!text)
		return refuse(place, "a text of the letters i, f, g and o is expected");
	for (; *text; text++) {
		const char *letter = strchr(gate_letters, *text);

		if (!letter || gates >> (letter - gate_letters) & 1)
			return refuse(place, "may hold each of the letters i, f, g and o once and no other");
		gates |= 1u << (letter - gate_letters);
	}
	*(unsigned *)field = gates;
	return SLUICE_OK;
}

static const char *const activations[] = {
#define ACTIVATION_ROW(name, text) [SLUICE_ACTIVATION_##name] = text,
	SLUICE_ACTIVATION_MAP(ACTIVATION_ROW)
#undef ACTIVATION_ROW
};

/* ["hard_sigmoid", a, b, c]; the three parameters are always there. */
static json_t *write_activation(const void *field)
{
	const sluice_activation *activation = field;

	return json_pack("[o, f, f, f]", write_word(WORDS(activations), (unsigned)activation->kind), activation->a,
			 activation->b, activation->c);
}

static sluice_status read_activation(const struct place *place, json_t *value, void *field)
{
	sluice_activation *activation = field;
	unsigned word = 0;

	if (!json_is_array(value) || json_array_size(value) != 4)
		return refuse(place, "a list of a kind and three numbers is expected");
	SLUICE__TRY(read_word(place, json_array_get(value, 0), WORDS(activations), &word));
	activation->kind = (sluice_activation_kind)word;
	SLUICE__TRY(read_number(place, json_array_get(value, 1), &activation->a));
	SLUICE__TRY(read_number(place, json_array_get(value, 2), &activation->b));
	return read_number(place, json_array_get(value, 3), &activation->c);
}

/* ------------------------------------------------------------------------------------------------- options ------ */

/* One option of a layer or of the description. */
struct option {
	const char *key;
	struct kind kind;
	size_t offset, bytes;
	int always; /* written even where it is zero, and then expected */
};

#define KIND(name)                        \
	{                                 \
		write_##name, read_##name \
	}
#define FIELD(type, field) offsetof(type, field), sizeof(((type *)0)->field)

#define OPTIONS(list) list, sizeof(list) / sizeof((list)[0])

static int all_zero(const void *bytes, size_t count)
{
	const unsigned char *at = bytes;

	while (count > 0 && *at == 0) {
		at++;
		count--;
	}
	return count == 0;
}

/* The JSON object of the options in `from`; NULL without memory. */
static json_t *write_options(const struct option *options, size_t count, const void *from)
{
	json_t *object = json_object();

	for (size_t k = 0; k < count; k++) {
		const void *field = (const char *)from + options[k].offset;

		if (!options[k].always && all_zero(field, options[k].bytes))
			continue;
		if (json_object_set_new(object, options[k].key, options[k].kind.write(field)) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* Takes every option that it knows out of object; what is left there is not understood. */
static sluice_status read_options(struct place *place, const struct option *options, size_t count, json_t *object,
				  void *to)
{
	char shown[SLUICE__QUOTE_TEXT];

	for (size_t k = 0; k < count; k++) {
		json_t *value = json_object_get(object, options[k].key);

		place->key = options[k].key;
		if (!value && options[k].always)
			return refuse(place, "is missing");
		if (!value)
			continue;
		SLUICE__TRY(options[k].kind.read(place, value, (char *)to + options[k].offset));
		json_object_del(object, options[k].key);
	}
	if (json_object_size(object) == 0)
		return SLUICE_OK;
	place->key = json_object_iter_key(json_object_iter(object));
	place->key = sluice__quote(place->key, strlen(place->key), shown);
	return refuse(place, "is an option that this version does not know");
}

/* A convolution is an object of its own. */
static const struct option convolution_options[] = {
	{"height", KIND(size), FIELD(sluice_convolution, height), 0},
	{"width", KIND(size), FIELD(sluice_convolution, width), 0},
	{"dilation_y", KIND(size), FIELD(sluice_convolution, dilation_y), 0},
	{"dilation_x", KIND(size), FIELD(sluice_convolution, dilation_x), 0},
	{"groups", KIND(size), FIELD(sluice_convolution, groups), 0},
	{"stride_y", KIND(size), FIELD(sluice_convolution, stride_y), 0},
	{"stride_x", KIND(size), FIELD(sluice_convolution, stride_x), 0},
	{"border", KIND(border), FIELD(sluice_convolution, border), 0},
	{"top", KIND(size), FIELD(sluice_convolution, top), 0},
	{"left", KIND(size), FIELD(sluice_convolution, left), 0},
	{"bottom", KIND(size), FIELD(sluice_convolution, bottom), 0},
	{"right", KIND(size), FIELD(sluice_convolution, right), 0},
};

static json_t *write_convolution(const void *field)
{
	return write_options(OPTIONS(convolution_options), field);
}

static sluice_status read_convolution(const struct place *place, json_t *value, void *field)
{
	struct place inside = *place;

	if (!json_is_object(value))
		return refuse(place, "an object is expected");
	inside.within = place->key;
	return read_options(&inside, OPTIONS(convolution_options), value, field);
}

static const struct option layer_options[] = {
	{"hidden", KIND(size), FIELD(sluice_layer, hidden), 1},
	{"direction", KIND(direction), FIELD(sluice_layer, direction), 1},
	{"bias", KIND(inverse), FIELD(sluice_layer, no_bias), 1},
	{"dropout", KIND(number), FIELD(sluice_layer, dropout), 1},
	{"input_activation", KIND(activation), FIELD(sluice_layer, input_activation), 0},
	{"forget_activation", KIND(activation), FIELD(sluice_layer, forget_activation), 0},
	{"candidate_activation", KIND(activation), FIELD(sluice_layer, candidate_activation), 0},
	{"output_activation", KIND(activation), FIELD(sluice_layer, output_activation), 0},
	{"cell_activation", KIND(activation), FIELD(sluice_layer, cell_activation), 0},
	{"peephole", KIND(peephole), FIELD(sluice_layer, peephole), 0},
	{"peephole_previous", KIND(flag), FIELD(sluice_layer, peephole_previous), 0},
	{"projection", KIND(size), FIELD(sluice_layer, projection), 0},
	{"projection_clip", KIND(number), FIELD(sluice_layer, projection_clip), 0},
	{"cell_clip", KIND(number), FIELD(sluice_layer, cell_clip), 0},
	{"gate_clip", KIND(number), FIELD(sluice_layer, gate_clip), 0},
	{"input", KIND(input), FIELD(sluice_layer, input), 0},
	{"no_gates", KIND(gates), FIELD(sluice_layer, no_gates), 0},
	{"no_input_weights", KIND(gates), FIELD(sluice_layer, no_input_weights), 0},
	{"no_recurrent_weights", KIND(gates), FIELD(sluice_layer, no_recurrent_weights), 0},
	{"no_peepholes", KIND(gates), FIELD(sluice_layer, no_peepholes), 0},
	{"coupled", KIND(flag), FIELD(sluice_layer, coupled), 0},
	{"recurrent_dropout", KIND(number), FIELD(sluice_layer, recurrent_dropout), 0},
	{"recurrent_dropout_shape", KIND(mask_shape), FIELD(sluice_layer, recurrent_dropout_shape), 0},
	{"zoneout_h", KIND(number), FIELD(sluice_layer, zoneout_h), 0},
	{"zoneout_c", KIND(number), FIELD(sluice_layer, zoneout_c), 0},
	{"dropconnect", KIND(number), FIELD(sluice_layer, dropconnect), 0},
	{"combination", KIND(combination), FIELD(sluice_layer, combination), 0},
	{"learned_start", KIND(flag), FIELD(sluice_layer, learned_start), 0},
	{"input_convolution", KIND(convolution), FIELD(sluice_layer, input_convolution), 0},
	{"recurrent_convolution", KIND(convolution), FIELD(sluice_layer, recurrent_convolution), 0},
	{"memory_convolution", KIND(convolution), FIELD(sluice_layer, memory_convolution), 0},
};

static const struct option model_options[] = {
	{"inputs", KIND(size), FIELD(sluice_description, inputs), 1},
	{"outputs", KIND(size), FIELD(sluice_description, outputs), 1},
	{"image_height", KIND(size), FIELD(sluice_description, image_height), 0},
	{"image_width", KIND(size), FIELD(sluice_description, image_width), 0},
};

/* -------------------------------------------------------------------------------------------- descriptions ------ */

/* The layers may have been made by a version whose struct is shorter or longer. */
static json_t *write_layer(const sluice_description *description, size_t index)
{
	const char *from = (const char *)description->layers + index * description->layers[0].size;
	sluice_layer layer = SLUICE_LAYER_INIT;
	size_t known = description->layers[0].size;

	memcpy(&layer, from, known < sizeof(layer) ? known : sizeof(layer));
	return write_options(OPTIONS(layer_options), &layer);
}

char *sluice__description_text(const sluice_description *description)
{
	json_t *object = write_options(OPTIONS(model_options), description), *layers = json_array();
	char *text = NULL;

	for (size_t k = 0; k < description->layer_count; k++)
		if (json_array_append_new(layers, write_layer(description, k)) != 0)
			goto done;
	if (json_object_set(object, "layers", layers) == 0)
		text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(FLOAT_DIGITS));
done:
	json_decref(layers);
	json_decref(object);
	return text;
}

void sluice__description_text_free(char *text)
{
	free(text);
}

static sluice_status read_layers(const char *source, json_t *layers, struct sluice__described *out)
{
	size_t count = json_array_size(layers);

	if (!json_is_array(layers) || count < 1 || count > SLUICE__LAYERS_MAX)
		return sluice_fail(SLUICE_FORMAT, "%s: description: layers: a list of 1 to %d layers is expected",
				   source, SLUICE__LAYERS_MAX);
	for (size_t k = 0; k < count; k++) {
		struct place place = {source, (int)k, NULL, "layer"};
		json_t *layer = json_array_get(layers, k);

		if (!json_is_object(layer))
			return refuse(&place, "an object is expected");
		out->layers[k] = (sluice_layer)SLUICE_LAYER_INIT;
		SLUICE__TRY(read_options(&place, OPTIONS(layer_options), layer, &out->layers[k]));
	}
	out->description.layers = out->layers;
	out->description.layer_count = count;
	return SLUICE_OK;
}

static sluice_status read_description(const char *source, json_t *object, struct sluice__described *out)
{
	struct place place = {source, -1, NULL, "description"};

	if (!json_is_object(object))
		return refuse(&place, "an object is expected");
	out->description = (sluice_description)SLUICE_DESCRIPTION_INIT;
	SLUICE__TRY(read_layers(source, json_object_get(object, "layers"), out));
	json_object_del(object, "layers");
	return read_options(&place, OPTIONS(model_options), object, &out->description);
}

sluice_status sluice__description_parse(const char *source, const char *text, struct sluice__described *out)
{
	char shown[SLUICE__QUOTE_TEXT];
	sluice_status status;
	json_error_t error;
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!object && json_error_code(&error) == json_error_out_of_memory)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "%s: no memory for its description", source);
	if (!object)
		return sluice_fail(SLUICE_FORMAT, "%s: its description is not JSON: line %d, column %d: %s", source,
				   error.line, error.column, sluice__quote(error.text, strlen(error.text), shown));
	status = read_description(source, object, out);
	json_decref(object);
	return status;
}
