/* array.c: element types and the arithmetic of shapes, where every product is checked before anybody allocates it. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

static const struct {
	const char *name;
	size_t bytes;
} elements[] = {
#define ELEMENT_ROW(name, text, npy, bytes) [SLUICE_ELEMENT_##name] = {text, bytes},
	SLUICE_ELEMENT_MAP(ELEMENT_ROW)
#undef ELEMENT_ROW
};

#define ELEMENTS (sizeof(elements) / sizeof(elements[0]))

const char *sluice_element_name(sluice_element element)
{
	return (size_t)element < ELEMENTS ? elements[element].name : "?";
}

size_t sluice_element_bytes(sluice_element element)
{
	return (size_t)element < ELEMENTS ? elements[element].bytes : 0;
}

int sluice__size_multiply(size_t *product, size_t factor)
{
	if (factor != 0 && *product > SIZE_MAX / factor)
		return 0;
	*product *= factor;
	return 1;
}

/* A zero in the shape does not excuse the other sizes: their product must be a number too. */
static int shape_count(size_t rank, const size_t *shape, size_t *count)
{
	size_t nonzero = 1;
	int empty = 0;

	if (rank > SLUICE_RANK_MAX)
		return 0;
	for (size_t k = 0; k < rank; k++) {
		empty |= shape[k] == 0;
		if (shape[k] != 0 && !sluice__size_multiply(&nonzero, shape[k]))
			return 0;
	}
	*count = empty ? 0 : nonzero;
	return 1;
}

size_t sluice_array_count(const sluice_array *array)
{
	size_t count;

	return array && shape_count(array->rank, array->shape, &count) ? count : SIZE_MAX;
}

/* PTRDIFF_MAX, since nothing larger can be one object. */
int sluice__array_bytes(const sluice_array *array, size_t *bytes)
{
	size_t width = sluice_element_bytes(array->element), product;

	*bytes = 0;
	if (width == 0 || !shape_count(array->rank, array->shape, &product) ||
	    !sluice__size_multiply(&product, width) || product > PTRDIFF_MAX)
		return 0;
	*bytes = product;
	return 1;
}

sluice_status sluice__array_check(const sluice_array *array, const char *name, size_t *bytes)
{
	if (array->size < sizeof(*array))
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "%s: size is %zu, but %zu is expected; initialise it with SLUICE_ARRAY_INIT", name,
				   array->size, sizeof(*array));
	if (!sluice__array_bytes(array, bytes))
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "%s: element %d or the size of its %zu dimensions is out of range", name,
				   (int)array->element, array->rank);
	if (*bytes > 0 && !array->data)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "%s: data is NULL, but %zu bytes are expected", name,
				   *bytes);
	return SLUICE_OK;
}

const char *sluice__shape_text(size_t rank, const size_t *shape, char text[SLUICE__SHAPE_TEXT])
{
	size_t used = 1;

	strcpy(text, "[");
	for (size_t k = 0; k < rank && k < SLUICE_RANK_MAX; k++) /* 8 sizes of 20 digits fit */
		used += (size_t)snprintf(text + used, SLUICE__SHAPE_TEXT - used, "%s%zu", k ? ", " : "", shape[k]);
	snprintf(text + used, SLUICE__SHAPE_TEXT - used, "]");
	return text;
}

const char *sluice__quote(const char *bytes, size_t count, char text[SLUICE__QUOTE_TEXT])
{
	size_t kept = count < 40 ? count : 40;

	for (size_t k = 0; k < kept; k++)
		text[k] = bytes[k] >= ' ' && bytes[k] < 127 ? bytes[k] : '?';
	strcpy(text + kept, count > kept ? "..." : "");
	return text;
}

/* ----------------------------------------------------------------------------------------- conversion to f32 ---- */

static sluice_status convert_f64(size_t count, const double *from, float *to)
{
	for (size_t k = 0; k < count; k++) {
		to[k] = (float)from[k];
		if (isinf(to[k]) && !isinf(from[k]))
			return sluice_fail(SLUICE_FORMAT, "array: element %zu is %g, which f32 cannot hold", k,
					   from[k]);
	}
	return SLUICE_OK;
}

static void convert_i64(size_t count, const int64_t *from, float *to)
{
	for (size_t k = 0; k < count; k++)
		to[k] = (float)from[k];
}

static void convert_i32(size_t count, const int32_t *from, float *to)
{
	for (size_t k = 0; k < count; k++)
		to[k] = (float)from[k];
}

static void convert_u8(size_t count, const uint8_t *from, float *to)
{
	for (size_t k = 0; k < count; k++)
		to[k] = from[k];
}

static sluice_status convert(const sluice_array *array, size_t count, float *to)
{
	switch (array->element) {
	case SLUICE_ELEMENT_F64:
		return convert_f64(count, array->data, to);
	case SLUICE_ELEMENT_I64:
		convert_i64(count, array->data, to);
		return SLUICE_OK;
	case SLUICE_ELEMENT_I32:
		convert_i32(count, array->data, to);
		return SLUICE_OK;
	case SLUICE_ELEMENT_U8:
		convert_u8(count, array->data, to);
		return SLUICE_OK;
	default:
		return sluice_fail(SLUICE_UNSUPPORTED, "array: elements are %s, which are not converted to F32",
				   sluice_element_name(array->element));
	}
}

sluice_status sluice_array_convert_f32(sluice_context *context, sluice_array *array)
{
	sluice_array made;
	size_t bytes;
	void *data;
	sluice_status status;

	if (!context || !array || !array->data)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "context, array and its data must be given");
	if (array->element == SLUICE_ELEMENT_F32)
		return SLUICE_OK;
	made = *array;
	made.element = SLUICE_ELEMENT_F32;
	if (!sluice__array_bytes(&made, &bytes))
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "array: the size of its shape overflows");
	data = sluice_allocate(context, bytes ? bytes : 1);
	if (!data)
		return SLUICE_OUT_OF_MEMORY;
	status = convert(array, sluice_array_count(array), data);
	if (status != SLUICE_OK) {
		sluice_release(context, data, bytes ? bytes : 1);
		return status;
	}
	sluice_array_release(context, array);
	made.data = data;
	*array = made;
	return SLUICE_OK;
}

void sluice_array_release(sluice_context *context, sluice_array *array)
{
	size_t bytes;

	if (!context || !array || !array->data)
		return;
	sluice__array_bytes(array, &bytes);
	sluice_release(context, (void *)array->data, bytes ? bytes : 1);
	array->data = NULL;
}
