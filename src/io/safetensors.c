/* safetensors.c: the one container of this project's files, because others read it too and it can run no code. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "internal.h"

/* The limits of the format's own library, so that what one refuses the other does too. */
#define LENGTH_BYTES 8
#define HEADER_MAX ((size_t)100 * 1000 * 1000)

/* More tensors or texts than any model has, few enough for the simplest search. */
#define ENTRIES_MAX 65536

/* The data start at a multiple of this in the file, and each tensor in memory. */
#define ALIGNMENT 64

#define TEXTS "__metadata__"

static const char *const names[] = {
#define NAME_ROW(name, text, npy, bytes) [SLUICE_ELEMENT_##name] = text,
	SLUICE_ELEMENT_MAP(NAME_ROW)
#undef NAME_ROW
};

static size_t align(size_t bytes)
{
	return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ----------------------------------------------------------------------------------- reading: one tensor's entry -- */

/* What a reading needs to say where it is. */
struct place {
	const char *file, *tensor;
};

static sluice_status refuse(const struct place *place, const char *what)
{
	return sluice_fail(SLUICE_FORMAT, "%s: tensor \"%s\": %s", place->file, place->tensor, what);
}

static sluice_status read_size(const struct place *place, const char *what, const json_t *value, size_t *out)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uintmax_t)number > SIZE_MAX)
		return refuse(place, what);
	*out = (size_t)number;
	return SLUICE_OK;
}

static sluice_status read_dtype(const struct place *place, const json_t *value, struct sluice__tensor *tensor)
{
	const char *text = json_string_value(value);
	char shown[SLUICE__QUOTE_TEXT];

	if (!text)
		return refuse(place, "dtype is expected to be a text");
	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		if (strcmp(text, names[k]) == 0) {
			tensor->array.element = (sluice_element)k;
			return SLUICE_OK;
		}
	}
	return sluice_fail(SLUICE_UNSUPPORTED, "%s: tensor \"%s\": dtype \"%s\" is not one that is read", place->file,
			   place->tensor, sluice__quote(text, strlen(text), shown));
}

static sluice_status read_shape(const struct place *place, const json_t *value, struct sluice__tensor *tensor)
{
	if (!json_is_array(value))
		return refuse(place, "shape is expected to be a list");
	if (json_array_size(value) > SLUICE_RANK_MAX)
		return sluice_fail(SLUICE_UNSUPPORTED,
				   "%s: tensor \"%s\": shape has %zu dimensions, but at most %d are read", place->file,
				   place->tensor, json_array_size(value), SLUICE_RANK_MAX);
	tensor->array.rank = json_array_size(value);
	for (size_t k = 0; k < tensor->array.rank; k++)
		SLUICE__TRY(read_size(place, "shape is expected to hold sizes of 0 or more", json_array_get(value, k),
				      &tensor->array.shape[k]));
	return SLUICE_OK;
}

static sluice_status read_offsets(const struct place *place, const json_t *value, struct sluice__tensor *tensor)
{
	static const char expected[] = "data_offsets are expected to be two offsets in ascending order";

	if (!json_is_array(value) || json_array_size(value) != 2)
		return refuse(place, expected);
	SLUICE__TRY(read_size(place, expected, json_array_get(value, 0), &tensor->begin));
	SLUICE__TRY(read_size(place, expected, json_array_get(value, 1), &tensor->end));
	return tensor->begin <= tensor->end ? SLUICE_OK : refuse(place, expected);
}

static const struct {
	const char *key;
	sluice_status (*read)(const struct place *place, const json_t *value, struct sluice__tensor *tensor);
} fields[] = {{"dtype", read_dtype}, {"shape", read_shape}, {"data_offsets", read_offsets}};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static sluice_status read_tensor(sluice_tensors *tensors, const char *name, const json_t *entry)
{
	struct place place = {tensors->source, name};
	struct sluice__tensor tensor = {.array = SLUICE_ARRAY_INIT};
	char shape[SLUICE__SHAPE_TEXT];
	size_t bytes;

	SLUICE__TRY(sluice__name_check(SLUICE_FORMAT, tensors->source, "tensor", name));
	if (!json_is_object(entry) || json_object_size(entry) != FIELDS)
		return refuse(&place, "dtype, shape and data_offsets are expected, and nothing else");
	for (size_t k = 0; k < FIELDS; k++) {
		const json_t *value = json_object_get(entry, fields[k].key);

		if (!value)
			return refuse(&place, "dtype, shape and data_offsets are expected, and nothing else");
		SLUICE__TRY(fields[k].read(&place, value, &tensor));
	}
	sluice__shape_text(tensor.array.rank, tensor.array.shape, shape);
	if (!sluice__array_bytes(&tensor.array, &bytes))
		return sluice_fail(SLUICE_FORMAT, "%s: tensor \"%s\": the size of its shape %s overflows",
				   tensors->source, name, shape);
	if (bytes != tensor.end - tensor.begin)
		return sluice_fail(SLUICE_FORMAT, "%s: tensor \"%s\": shape %s of %s needs %zu bytes, but has %zu",
				   tensors->source, name, shape, names[tensor.array.element], bytes,
				   tensor.end - tensor.begin);
	return sluice__tensors_append(tensors, name, &tensor);
}

/* --------------------------------------------------------------------------------------- reading: the header ---- */

static sluice_status read_texts(sluice_tensors *tensors, json_t *texts)
{
	const char *key;
	json_t *value;

	if (!json_is_object(texts))
		return sluice_fail(SLUICE_FORMAT, "%s: " TEXTS " is expected to be an object", tensors->source);
	json_object_foreach(texts, key, value)
	{
		SLUICE__TRY(sluice__name_check(SLUICE_FORMAT, tensors->source, "text", key));
		if (!json_is_string(value))
			return sluice_fail(SLUICE_FORMAT, "%s: \"%s\" in " TEXTS " is expected to be a text",
					   tensors->source, key);
		SLUICE__TRY(sluice__texts_append(tensors, key, json_string_value(value)));
	}
	return SLUICE_OK;
}

static sluice_status read_entries(sluice_tensors *tensors, json_t *header)
{
	json_t *texts = json_object_get(header, TEXTS), *entry;
	const char *name;

	if (json_object_size(header) > ENTRIES_MAX || (texts && json_object_size(texts) > ENTRIES_MAX))
		return sluice_fail(SLUICE_UNSUPPORTED, "%s: has more than %d tensors or texts", tensors->source,
				   ENTRIES_MAX);
	json_object_foreach(header, name, entry)
	{
		if (entry == texts)
			SLUICE__TRY(read_texts(tensors, texts));
		else
			SLUICE__TRY(read_tensor(tensors, name, entry));
	}
	return SLUICE_OK;
}

static sluice_status parse_header(sluice_tensors *tensors, const char *text, size_t length)
{
	char shown[SLUICE__QUOTE_TEXT];
	sluice_status status;
	json_error_t error;
	json_t *header;

	if (length == 0 || text[0] != '{')
		return sluice_fail(SLUICE_FORMAT, "%s: is not a safetensors file: its header does not begin with {",
				   tensors->source);
	header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	if (!header && json_error_code(&error) == json_error_out_of_memory)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "%s: no memory for its header of %zu bytes", tensors->source,
				   length);
	if (!header)
		return sluice_fail(SLUICE_FORMAT, "%s: its header is not JSON: line %d, column %d: %s", tensors->source,
				   error.line, error.column, sluice__quote(error.text, strlen(error.text), shown));
	status = read_entries(tensors, header);
	json_decref(header);
	return status;
}

/* Reads the header from its place after the length; *start is where the data begin. */
static sluice_status read_header(sluice_tensors *tensors, const struct sluice__source *source, size_t *start)
{
	unsigned char bytes[LENGTH_BYTES];
	uint64_t length = 0;
	sluice_status status;
	char *text;

	SLUICE__TRY(sluice__source_read(source, 0, LENGTH_BYTES, bytes));
	for (int k = LENGTH_BYTES - 1; k >= 0; k--)
		length = length << 8 | bytes[k];
	if (length > HEADER_MAX || length > source->size - LENGTH_BYTES)
		return sluice_fail(
			SLUICE_FORMAT,
			"%s: is not a safetensors file: a header of %ju bytes is announced, but at most %zu can be",
			source->name, (uintmax_t)length,
			source->size - LENGTH_BYTES < HEADER_MAX ? source->size - LENGTH_BYTES : HEADER_MAX);
	*start = LENGTH_BYTES + (size_t)length;
	text = sluice_allocate(tensors->context, (size_t)length + 1);
	if (!text)
		return SLUICE_OUT_OF_MEMORY;
	status = sluice__source_read(source, LENGTH_BYTES, (size_t)length, text);
	if (status == SLUICE_OK)
		status = parse_header(tensors, text, (size_t)length);
	sluice_release(tensors->context, text, (size_t)length + 1);
	return status;
}

/* ----------------------------------------------------------------------------------------- reading: the data ---- */

static int compare_places(const void *left, const void *right)
{
	const struct sluice__tensor *a = left, *b = right;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->end < b->end ? -1 : a->end > b->end;
}

/* Puts the tensors in the order of their data, which must fill the rest of the file without gap or overlap: bytes that
 * belong to nobody are how one file is made to mean two things. *memory is what they need, each one aligned. */
static sluice_status place_tensors(sluice_tensors *tensors, size_t held, size_t *memory)
{
	struct sluice__tensor *tensor = tensors->tensors.items;
	size_t expected = 0;

	*memory = 0;
	if (tensors->tensors.count > 0)
		qsort(tensor, tensors->tensors.count, sizeof(*tensor), compare_places);
	for (size_t k = 0; k < tensors->tensors.count; k++, tensor++) {
		size_t bytes = tensor->end - tensor->begin;

		if (tensor->begin != expected)
			return sluice_fail(SLUICE_FORMAT,
					   "%s: tensor \"%s\" begins at byte %zu of the data, but %zu is expected",
					   tensors->source, tensor->name, tensor->begin, expected);
		expected = tensor->end;
		if (expected > held)
			return sluice_fail(SLUICE_FORMAT,
					   "%s: tensor \"%s\" ends at byte %zu of the data, but there are %zu",
					   tensors->source, tensor->name, expected, held);
		if (bytes > PTRDIFF_MAX / 2 || *memory > PTRDIFF_MAX / 2)
			return sluice_fail(SLUICE_FORMAT, "%s: the sizes of its tensors overflow", tensors->source);
		*memory += align(bytes);
	}
	if (expected != held)
		return sluice_fail(SLUICE_FORMAT, "%s: its tensors end at byte %zu of the data, but there are %zu",
				   tensors->source, expected, held);
	return SLUICE_OK;
}

static sluice_status read_data(sluice_tensors *tensors, const struct sluice__source *source, size_t start)
{
	struct sluice__tensor *tensor = tensors->tensors.items;
	size_t memory;
	char *to;

	SLUICE__TRY(place_tensors(tensors, source->size - start, &memory));
	if (memory == 0)
		return SLUICE_OK;
	to = tensors->block = sluice_allocate(tensors->context, memory);
	if (!to)
		return SLUICE_OUT_OF_MEMORY;
	tensors->block_bytes = memory;
	for (size_t k = 0; k < tensors->tensors.count; k++, tensor++) {
		size_t bytes = tensor->end - tensor->begin;

		SLUICE__TRY(sluice__source_read(source, start + tensor->begin, bytes, to));
		tensor->array.data = to;
		to += align(bytes);
	}
	return SLUICE_OK;
}

static sluice_status read_source(sluice_context *context, const struct sluice__source *source, sluice_tensors **out)
{
	sluice_tensors *tensors = NULL;
	sluice_status status;
	size_t start = 0;

	SLUICE__TRY(sluice__tensors_create(context, source->name, &tensors));
	status = read_header(tensors, source, &start);
	if (status == SLUICE_OK)
		status = read_data(tensors, source, start);
	if (status == SLUICE_OK)
		*out = tensors;
	else
		sluice_tensors_destroy(tensors);
	return status;
}

sluice_status sluice_tensors_open(sluice_context *context, const char *path, sluice_tensors **out)
{
	struct sluice__source source;
	sluice_status status;

	if (!context || !path || !out)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "context, path and out must be given");
	*out = NULL;
	SLUICE__TRY(sluice__source_open(path, &source));
	status = read_source(context, &source, out);
	sluice__source_close(&source);
	return status;
}

sluice_status sluice_tensors_parse(sluice_context *context, const char *name, const void *bytes, size_t size,
				   sluice_tensors **out)
{
	struct sluice__source source;

	if (!context || !name || (!bytes && size > 0) || !out)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "context, name, bytes and out must be given");
	*out = NULL;
	sluice__source_view(name, bytes, size, &source);
	return read_source(context, &source, out);
}

/* ------------------------------------------------------------------------------------------------- writing ------ */

/* Data are written in order of falling width and thereby aligned to it; gaps, which would do more, are not allowed.
 * Each call gives the next tensor in that order, from *at = 0; NULL after the last. */
static const struct sluice__tensor *next_by_width(const sluice_tensors *tensors, size_t *at)
{
	const struct sluice__tensor *all = tensors->tensors.items;
	size_t count = tensors->tensors.count;

	for (; *at < 4 * count; ++*at) {
		size_t width = (size_t)8 >> *at / count;
		const struct sluice__tensor *tensor = &all[*at % count];

		if (sluice_element_bytes(tensor->array.element) == width) {
			++*at;
			return tensor;
		}
	}
	return NULL;
}

static json_t *make_texts(const sluice_tensors *tensors)
{
	json_t *texts = json_object();

	for (size_t k = 0; texts && k < tensors->texts.count; k++) {
		const struct sluice__text *text = (const struct sluice__text *)tensors->texts.items + k;

		if (json_object_set_new(texts, text->key, json_string(text->text)) != 0) {
			json_decref(texts);
			return NULL;
		}
	}
	return texts;
}

/* One tensor's entry; its data begin at *offset, which moves on. */
static json_t *make_entry(const sluice_array *array, size_t *offset)
{
	json_t *shape = json_array();
	size_t bytes, begin = *offset;

	for (size_t k = 0; shape && k < array->rank; k++) {
		if (json_array_append_new(shape, json_integer((json_int_t)array->shape[k])) != 0) {
			json_decref(shape);
			return NULL;
		}
	}
	if (!shape)
		return NULL;
	sluice__array_bytes(array, &bytes);
	*offset += bytes;
	return json_pack("{s:s, s:o, s:[I, I]}", "dtype", names[array->element], "shape", shape, "data_offsets",
			 (json_int_t)begin, (json_int_t)*offset);
}

/* NULL without memory. */
static json_t *make_header(const sluice_tensors *tensors)
{
	json_t *header = json_object();
	const struct sluice__tensor *tensor;
	size_t offset = 0, at = 0;

	if (tensors->texts.count > 0 && json_object_set_new(header, TEXTS, make_texts(tensors)) != 0)
		goto fail;
	while ((tensor = next_by_width(tensors, &at))) {
		if (json_object_set_new(header, tensor->name, make_entry(&tensor->array, &offset)) != 0)
			goto fail;
	}
	return header;
fail:
	json_decref(header);
	return NULL;
}

static sluice_status write_all(const sluice_tensors *tensors, struct sluice__output *output, const char *header)
{
	static const char spaces[] = "                                                                ";
	size_t used = strlen(header), length = align(LENGTH_BYTES + used) - LENGTH_BYTES;
	unsigned char bytes[LENGTH_BYTES];
	const struct sluice__tensor *tensor;
	size_t at = 0;

	for (int k = 0; k < LENGTH_BYTES; k++)
		bytes[k] = (unsigned char)((uint64_t)length >> 8 * k & 255);
	SLUICE__TRY(sluice__output_write(output, bytes, LENGTH_BYTES));
	SLUICE__TRY(sluice__output_write(output, header, used));
	SLUICE__TRY(sluice__output_write(output, spaces, length - used));
	while ((tensor = next_by_width(tensors, &at))) {
		size_t count;

		sluice__array_bytes(&tensor->array, &count);
		SLUICE__TRY(sluice__output_write(output, tensor->array.data, count));
	}
	return SLUICE_OK;
}

sluice_status sluice_tensors_write(const sluice_tensors *tensors, const char *path)
{
	struct sluice__output output;
	sluice_status status;
	json_t *json;
	char *header;

	if (!tensors || !path)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensors and path must be given");
	json = make_header(tensors);
	header = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!header)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "%s: no memory for its header", path);
	if (strlen(header) > HEADER_MAX - ALIGNMENT) {
		status = sluice_fail(SLUICE_INVALID_ARGUMENT,
				     "%s: its header has %zu bytes, but at most %zu are expected", path, strlen(header),
				     HEADER_MAX - ALIGNMENT);
	} else {
		status = sluice__output_open(path, &output);
		if (status == SLUICE_OK)
			status = sluice__output_close(&output, write_all(tensors, &output, header));
	}
	free(header);
	return status;
}
