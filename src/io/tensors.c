/* tensors.c: the set of named arrays and texts that every file of this project is, before it is a file. */
#include <math.h>
#include <string.h>
#include "internal.h"

/* ------------------------------------------------------------------------------------------- lists and texts ---- */

static char *copy_text(sluice_context *context, const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *copy = sluice_allocate(context, bytes);

	return copy ? memcpy(copy, text, bytes) : NULL;
}

static void release_text(sluice_context *context, char *text)
{
	if (text)
		sluice_release(context, text, strlen(text) + 1);
}

/* Room for one more item; NULL without memory. The list counts it only when the caller does. */
static void *list_next(sluice_context *context, struct sluice__list *list, size_t item_bytes)
{
	size_t capacity = list->capacity ? 2 * list->capacity : 16;
	void *items;

	if (list->count == list->capacity) {
		items = sluice_allocate(context, capacity * item_bytes);
		if (!items)
			return NULL;
		if (list->items)
			memcpy(items, list->items, list->count * item_bytes);
		sluice_release(context, list->items, list->capacity * item_bytes);
		list->items = items;
		list->capacity = capacity;
	}
	return (char *)list->items + list->count * item_bytes;
}

static struct sluice__tensor *tensor_at(const sluice_tensors *tensors, size_t index)
{
	return (struct sluice__tensor *)tensors->tensors.items + index;
}

static struct sluice__text *text_at(const sluice_tensors *tensors, size_t index)
{
	return (struct sluice__text *)tensors->texts.items + index;
}

static struct sluice__tensor *find_tensor(const sluice_tensors *tensors, const char *name)
{
	for (size_t k = 0; k < tensors->tensors.count; k++)
		if (strcmp(tensor_at(tensors, k)->name, name) == 0)
			return tensor_at(tensors, k);
	return NULL;
}

static struct sluice__text *find_text(const sluice_tensors *tensors, const char *key)
{
	for (size_t k = 0; k < tensors->texts.count; k++)
		if (strcmp(text_at(tensors, k)->key, key) == 0)
			return text_at(tensors, k);
	return NULL;
}

/* ---------------------------------------------------------------------------------------------------- names ----- */

/* Bytes that follow a first byte in UTF-8; -1 if it cannot be first. */
static int follow_count(unsigned char first)
{
	if (first < 0x80)
		return 0;
	if (first >= 0xc2 && first <= 0xdf)
		return 1;
	if (first >= 0xe0 && first <= 0xef)
		return 2;
	return first >= 0xf0 && first <= 0xf4 ? 3 : -1;
}

/* Overlong forms, surrogates and what lies beyond U+10FFFF show in the first two bytes. */
static int second_fits(unsigned char first, unsigned char second)
{
	return !(first == 0xe0 && second < 0xa0) && !(first == 0xed && second > 0x9f) &&
	       !(first == 0xf0 && second < 0x90) && !(first == 0xf4 && second > 0x8f);
}

static int is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		unsigned char first = *at++;
		int follow = follow_count(first);

		if (follow < 0 || (follow > 0 && !second_fits(first, *at)))
			return 0;
		for (; follow > 0; follow--, at++)
			if ((*at & 0xc0) != 0x80)
				return 0;
	}
	return 1;
}

sluice_status sluice__name_check(sluice_status status, const char *source, const char *what, const char *name)
{
	const char *colon = *source ? ": " : "";
	char shown[SLUICE__QUOTE_TEXT];
	size_t length = strlen(name);

	if (length == 0 || length > SLUICE_TENSOR_NAME_MAX)
		return sluice_fail(status, "%s%sthe name of a %s has %zu bytes, but 1 to %d are expected", source,
				   colon, what, length, SLUICE_TENSOR_NAME_MAX);
	for (size_t k = 0; k < length; k++)
		if ((unsigned char)name[k] < ' ' || name[k] == 127)
			return sluice_fail(status, "%s%sthe name \"%s\" of a %s holds a control character", source,
					   colon, sluice__quote(name, length, shown), what);
	if (!is_utf8(name))
		return sluice_fail(status, "%s%sthe name \"%s\" of a %s is not UTF-8", source, colon,
				   sluice__quote(name, length, shown), what);
	return SLUICE_OK;
}

/* --------------------------------------------------------------------------------------------- life of a set ---- */

sluice_status sluice__tensors_create(sluice_context *context, const char *source, sluice_tensors **out)
{
	sluice_tensors *tensors = sluice_allocate(context, sizeof(*tensors));

	if (!tensors)
		return SLUICE_OUT_OF_MEMORY;
	tensors->context = context;
	tensors->source = copy_text(context, source);
	if (!tensors->source) {
		sluice_tensors_destroy(tensors);
		return SLUICE_OUT_OF_MEMORY;
	}
	*out = tensors;
	return SLUICE_OK;
}

sluice_status sluice_tensors_create(sluice_context *context, sluice_tensors **out)
{
	if (!context || !out)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "context and out must be given");
	*out = NULL;
	return sluice__tensors_create(context, "", out);
}

void sluice_tensors_destroy(sluice_tensors *tensors)
{
	sluice_context *context;

	if (!tensors)
		return;
	context = tensors->context;
	for (size_t k = 0; k < tensors->tensors.count; k++)
		release_text(context, tensor_at(tensors, k)->name);
	for (size_t k = 0; k < tensors->texts.count; k++) {
		release_text(context, text_at(tensors, k)->key);
		release_text(context, text_at(tensors, k)->text);
	}
	sluice_release(context, tensors->tensors.items, tensors->tensors.capacity * sizeof(struct sluice__tensor));
	sluice_release(context, tensors->texts.items, tensors->texts.capacity * sizeof(struct sluice__text));
	sluice_release(context, tensors->block, tensors->block_bytes);
	release_text(context, tensors->source);
	sluice_release(context, tensors, sizeof(*tensors));
}

sluice_status sluice__tensors_append(sluice_tensors *tensors, const char *name, const struct sluice__tensor *tensor)
{
	struct sluice__tensor *next = list_next(tensors->context, &tensors->tensors, sizeof(*next));
	char *copy = next ? copy_text(tensors->context, name) : NULL;

	if (!copy)
		return SLUICE_OUT_OF_MEMORY;
	*next = *tensor;
	next->name = copy;
	tensors->tensors.count++;
	return SLUICE_OK;
}

sluice_status sluice__texts_append(sluice_tensors *tensors, const char *key, const char *text)
{
	struct sluice__text *next = list_next(tensors->context, &tensors->texts, sizeof(*next));

	if (!next)
		return SLUICE_OUT_OF_MEMORY;
	next->key = copy_text(tensors->context, key);
	next->text = next->key ? copy_text(tensors->context, text) : NULL;
	if (!next->text) {
		release_text(tensors->context, next->key);
		return SLUICE_OUT_OF_MEMORY;
	}
	tensors->texts.count++;
	return SLUICE_OK;
}

/* -------------------------------------------------------------------------------------------------- filling ----- */

sluice_status sluice_tensors_add(sluice_tensors *tensors, const char *name, const sluice_array *array)
{
	struct sluice__tensor tensor = {0};
	size_t bytes;

	if (!tensors || !name || !array)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensors, name and array must be given");
	SLUICE__TRY(sluice__name_check(SLUICE_INVALID_ARGUMENT, tensors->source, "tensor", name));
	if (strcmp(name, "__metadata__") == 0)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "name: \"__metadata__\" is the texts' and no tensor's");
	if (find_tensor(tensors, name))
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "name: there is a tensor \"%s\" already", name);
	SLUICE__TRY(sluice__array_check(array, name, &bytes));
	tensor.array = *array;
	return sluice__tensors_append(tensors, name, &tensor);
}

sluice_status sluice_tensors_set_metadata(sluice_tensors *tensors, const char *key, const char *text)
{
	struct sluice__text *old;
	char *copy;

	if (!tensors || !key || !text)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensors, key and text must be given");
	SLUICE__TRY(sluice__name_check(SLUICE_INVALID_ARGUMENT, tensors->source, "text", key));
	if (!is_utf8(text))
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "text \"%s\" is not UTF-8", key);
	old = find_text(tensors, key);
	if (!old)
		return sluice__texts_append(tensors, key, text);
	copy = copy_text(tensors->context, text);
	if (!copy)
		return SLUICE_OUT_OF_MEMORY;
	release_text(tensors->context, old->text);
	old->text = copy;
	return SLUICE_OK;
}

/* -------------------------------------------------------------------------------------------------- looking ----- */

const char *sluice_tensors_source(const sluice_tensors *tensors)
{
	return tensors ? tensors->source : "";
}

size_t sluice_tensors_count(const sluice_tensors *tensors)
{
	return tensors ? tensors->tensors.count : 0;
}

const char *sluice_tensors_name(const sluice_tensors *tensors, size_t index)
{
	return index < sluice_tensors_count(tensors) ? tensor_at(tensors, index)->name : NULL;
}

int sluice_tensors_has(const sluice_tensors *tensors, const char *name)
{
	return tensors && name && find_tensor(tensors, name) != NULL;
}

sluice_status sluice_tensors_find(const sluice_tensors *tensors, const char *name, sluice_array *out)
{
	const struct sluice__tensor *tensor;
	char shown[SLUICE__QUOTE_TEXT];

	if (!tensors || !name || !out)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensors, name and out must be given");
	tensor = find_tensor(tensors, name);
	if (!tensor)
		return sluice_fail(SLUICE_FORMAT, "%s: has no tensor \"%s\"", tensors->source,
				   sluice__quote(name, strlen(name), shown));
	*out = tensor->array;
	out->size = sizeof(*out);
	return SLUICE_OK;
}

sluice_status sluice_tensors_read(const sluice_tensors *tensors, const char *name, sluice_element element, size_t count,
				  void *to)
{
	sluice_array array;

	SLUICE__TRY(sluice_tensors_find(tensors, name, &array));
	if (count > 0 && !to)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "to is NULL, but room for %zu elements is expected", count);
	if (array.element != element || sluice_array_count(&array) != count)
		return sluice_fail(SLUICE_FORMAT, "%s: tensor \"%s\" is %zu of %s, but %zu of %s are expected",
				   tensors->source, name, sluice_array_count(&array),
				   sluice_element_name(array.element), count, sluice_element_name(element));
	if (count > 0)
		memcpy(to, array.data, count * sluice_element_bytes(element));
	return SLUICE_OK;
}

/* The first element that is not finite; count if all are. */
static size_t first_not_finite(const sluice_array *array, size_t count)
{
	const float *f32 = array->data;
	const double *f64 = array->data;
	size_t k = 0;

	if (array->element == SLUICE_ELEMENT_F32)
		while (k < count && isfinite(f32[k]))
			k++;
	else if (array->element == SLUICE_ELEMENT_F64)
		while (k < count && isfinite(f64[k]))
			k++;
	else
		return count;
	return k;
}

sluice_status sluice_tensors_check_finite(const sluice_tensors *tensors, const char *name)
{
	sluice_array array;
	size_t count, k;
	double value;

	SLUICE__TRY(sluice_tensors_find(tensors, name, &array));
	count = sluice_array_count(&array);
	k = first_not_finite(&array, count);
	if (k == count)
		return SLUICE_OK;
	value = array.element == SLUICE_ELEMENT_F32 ? ((const float *)array.data)[k] : ((const double *)array.data)[k];
	return sluice_fail(SLUICE_FORMAT, "%s: tensor \"%s\" holds %s at element %zu, but finite numbers are expected",
			   tensors->source, name, isnan(value) ? "NaN" : "an infinity", k);
}

const char *sluice_tensors_metadata(const sluice_tensors *tensors, const char *key)
{
	const struct sluice__text *text = tensors && key ? find_text(tensors, key) : NULL;

	return text ? text->text : NULL;
}

size_t sluice_tensors_metadata_count(const sluice_tensors *tensors)
{
	return tensors ? tensors->texts.count : 0;
}

const char *sluice_tensors_metadata_key(const sluice_tensors *tensors, size_t index)
{
	return index < sluice_tensors_metadata_count(tensors) ? text_at(tensors, index)->key : NULL;
}
