/* npy.c: NumPy's .npy is how numbers come in from and go out to everything that is not a model. */
#include <stdio.h>
#include <string.h>
#include "internal.h"

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* Bytes before the header: magic, version, length of 2 bytes (version 1) or 4 (versions 2 and 3). */
#define PREFIX_1 10
#define PREFIX_2 12

/* Everything after which the elements start at a multiple of this. */
#define ALIGNMENT 64

/* A plain array's header needs less than 300 bytes; a longer one than this belongs to records or is hostile. */
#define HEADER_MAX 65535

/* ------------------------------------------------------------------------------------------------- reading ------ */

static sluice_status read_prefix(const struct sluice__source *source, size_t *start, size_t *length)
{
	unsigned char prefix[PREFIX_2] = {0};

	SLUICE__TRY(sluice__source_read(source, 0, PREFIX_1, prefix));
	if (memcmp(prefix, magic, sizeof(magic)) != 0)
		return sluice_fail(SLUICE_FORMAT, "%s: is not a .npy file: it does not begin with \\x93NUMPY",
				   source->name);
	if (prefix[6] < 1 || prefix[6] > 3 || prefix[7] != 0)
		return sluice_fail(SLUICE_UNSUPPORTED, "%s: is .npy version %d.%d, but 1.0, 2.0 or 3.0 is expected",
				   source->name, prefix[6], prefix[7]);
	*start = PREFIX_1;
	*length = prefix[8] | (size_t)prefix[9] << 8;
	if (prefix[6] > 1) {
		SLUICE__TRY(sluice__source_read(source, 0, PREFIX_2, prefix));
		*start = PREFIX_2;
		*length |= (size_t)prefix[10] << 16 | (size_t)prefix[11] << 24;
	}
	if (*length > HEADER_MAX)
		return sluice_fail(SLUICE_FORMAT, "%s: the header has %zu bytes, but at most %d are expected",
				   source->name, *length, HEADER_MAX);
	return SLUICE_OK;
}

static sluice_status read_header(sluice_context *context, const struct sluice__source *source, size_t start,
				 size_t length, sluice_array *array)
{
	char *header = sluice_allocate(context, length + 1);
	sluice_status status;

	if (!header)
		return SLUICE_OUT_OF_MEMORY;
	status = sluice__source_read(source, start, length, header);
	if (status == SLUICE_OK)
		status = sluice__npy_header_parse(source->name, header, length, array);
	sluice_release(context, header, length + 1);
	return status;
}

static sluice_status read_data(sluice_context *context, const struct sluice__source *source, size_t start,
			       sluice_array *array)
{
	char shape[SLUICE__SHAPE_TEXT];
	size_t bytes, held = source->size - start;
	sluice_status status;
	void *data;

	sluice__shape_text(array->rank, array->shape, shape);
	if (!sluice__array_bytes(array, &bytes))
		return sluice_fail(SLUICE_FORMAT, "%s: the size of its shape %s overflows", source->name, shape);
	if (bytes != held)
		return sluice_fail(SLUICE_FORMAT, "%s: its shape %s of %s needs %zu bytes, but %zu follow the header",
				   source->name, shape, sluice_element_name(array->element), bytes, held);
	data = sluice_allocate(context, bytes ? bytes : 1);
	if (!data)
		return SLUICE_OUT_OF_MEMORY;
	status = sluice__source_read(source, start, bytes, data);
	if (status != SLUICE_OK) {
		sluice_release(context, data, bytes ? bytes : 1);
		return status;
	}
	array->data = data;
	return SLUICE_OK;
}

static sluice_status read_source(sluice_context *context, const struct sluice__source *source, sluice_array *out)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	size_t start = 0, length = 0;

	SLUICE__TRY(read_prefix(source, &start, &length));
	SLUICE__TRY(read_header(context, source, start, length, &array));
	SLUICE__TRY(read_data(context, source, start + length, &array));
	*out = array;
	return SLUICE_OK;
}

sluice_status sluice_npy_read(sluice_context *context, const char *path, sluice_array *out)
{
	struct sluice__source source;
	sluice_status status;

	if (!context || !path || !out)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "context, path and out must be given");
	SLUICE__TRY(sluice__source_open(path, &source));
	status = read_source(context, &source, out);
	sluice__source_close(&source);
	return status;
}

sluice_status sluice_npy_parse(sluice_context *context, const char *name, const void *bytes, size_t size,
			       sluice_array *out)
{
	struct sluice__source source;

	if (!context || !name || (!bytes && size > 0) || !out)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "context, name, bytes and out must be given");
	sluice__source_view(name, bytes, size, &source);
	return read_source(context, &source, out);
}

/* ------------------------------------------------------------------------------------------------- writing ------ */

static const char *const descriptions[] = {
#define DESCRIPTION_ROW(name, text, npy, bytes) [SLUICE_ELEMENT_##name] = npy,
	SLUICE_ELEMENT_MAP(DESCRIPTION_ROW)
#undef DESCRIPTION_ROW
};

/* Prefix, 70 bytes of fixed text, 8 sizes of at most 20 digits with ", ", and the padding. */
#define WRITTEN_MAX 512

/* The whole beginning of the file, padded with spaces and ended by a newline; returns its length. */
static size_t format_header(const sluice_array *array, unsigned char head[WRITTEN_MAX])
{
	char *text = (char *)head + PREFIX_1;
	size_t room = WRITTEN_MAX - PREFIX_1, used, total;

	used = (size_t)snprintf(text, room, "{'descr': '%s', 'fortran_order': False, 'shape': (",
				descriptions[array->element]);
	for (size_t k = 0; k < array->rank; k++)
		used += (size_t)snprintf(text + used, room - used, k ? ", %zu" : "%zu", array->shape[k]);
	used += (size_t)snprintf(text + used, room - used, "%s), }", array->rank == 1 ? "," : "");
	total = (PREFIX_1 + used + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	memset(text + used, ' ', total - PREFIX_1 - used);
	head[total - 1] = '\n';
	memcpy(head, magic, sizeof(magic));
	head[6] = 1;
	head[7] = 0;
	head[8] = (unsigned char)((total - PREFIX_1) & 255);
	head[9] = (unsigned char)((total - PREFIX_1) >> 8);
	return total;
}

sluice_status sluice_npy_write(sluice_context *context, const char *path, const sluice_array *array)
{
	unsigned char head[WRITTEN_MAX];
	struct sluice__output output;
	sluice_status status;
	size_t bytes;

	if (!context || !path || !array)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "context, path and array must be given");
	SLUICE__TRY(sluice__array_check(array, "array", &bytes));
	if (descriptions[array->element][0] == '\0')
		return sluice_fail(SLUICE_UNSUPPORTED, "array: elements are %s, which .npy files are not written of",
				   sluice_element_name(array->element));
	SLUICE__TRY(sluice__output_open(path, &output));
	status = sluice__output_write(&output, head, format_header(array, head));
	if (status == SLUICE_OK)
		status = sluice__output_write(&output, array->data, bytes);
	return sluice__output_close(&output, status);
}
