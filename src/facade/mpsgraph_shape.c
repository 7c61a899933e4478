/* mpsgraph_shape.c exists to check types and shapes that are given, and to put them into sentences. */
#include "mpsgraph_internal.h"

#include <stdio.h>
#include <string.h>

static const struct {
	MPSDataType type;
	sluice_dtype dtype;
	const char *name;
} TYPES[] = {
	{MPSDataTypeFloat32, SLUICE_F32, "Float32"},
	{MPSDataTypeFloat16, SLUICE_F16, "Float16"},
	{MPSDataTypeBFloat16, SLUICE_BF16, "BFloat16"},
};
enum { TYPE_COUNT = sizeof TYPES / sizeof TYPES[0] };

static size_t type_find(MPSDataType type)
{
	size_t index = 0;
	while (index < TYPE_COUNT && TYPES[index].type != type)
		index++;
	return index;
}

sluice_dtype sluice__mpsgraph_dtype(MPSDataType type)
{
	return TYPES[type_find(type)].dtype;
}

const char *sluice__mpsgraph_shape_text(const MPSShape *shape, char text[MPS_SHAPE_TEXT])
{
	size_t used = 0;
	text[used++] = '[';
	for (size_t k = 0; k < shape->rank; k++)
		used += (size_t)snprintf(text + used, MPS_SHAPE_TEXT - used, "%s%zu", k ? "," : "", shape->size[k]);
	memcpy(text + used, "]", 2);
	return text;
}

const char *sluice__mpsgraph_type_text(const struct type *type, char text[MPS_SHAPE_TEXT])
{
	const int used = snprintf(text, MPS_SHAPE_TEXT, "%s ", TYPES[type_find(type->dataType)].name);
	char shape[MPS_SHAPE_TEXT];
	sluice__mpsgraph_shape_text(&type->shape, shape);
	memcpy(text + used, shape, strlen(shape) + 1);
	return text;
}

sluice_status sluice__mpsgraph_type(const char *what, const MPSShape *shape, MPSDataType dataType, struct type *out)
{
	const size_t known = type_find(dataType);
	if (known == TYPE_COUNT)
		return sluice_fail(SLUICE_UNSUPPORTED, "%s: dataType is 0x%x, expected Float32, Float16 or BFloat16",
				   what, (unsigned)dataType);
	if (!shape)
		return MPS_INVALID("%s: shape is NULL, expected all sizes: shapes are static", what);
	if (shape->rank > SLUICE_MPSGRAPH_RANK)
		return MPS_INVALID("%s: shape has rank %zu, expected at most %d", what, shape->rank,
				   SLUICE_MPSGRAPH_RANK);
	size_t bytes = sluice__number_bytes(TYPES[known].dtype);
	for (size_t k = 0; k < shape->rank; k++) {
		char text[MPS_SHAPE_TEXT];
		if (shape->size[k] == 0)
			return MPS_INVALID("%s: shape is %s, expected sizes of at least 1", what,
					   sluice__mpsgraph_shape_text(shape, text));
		if (shape->size[k] > PTRDIFF_MAX / bytes)
			return MPS_INVALID("%s: shape is %s, which has more bytes than memory", what,
					   sluice__mpsgraph_shape_text(shape, text));
		bytes *= shape->size[k];
	}
	struct type type = {.dataType = dataType, .shape.rank = shape->rank};
	memcpy(type.shape.size, shape->size, shape->rank * sizeof shape->size[0]);
	*out = type; /* of which shape may be a part */
	return SLUICE_OK;
}

size_t sluice__mpsgraph_elements(const MPSShape *shape)
{
	size_t elements = 1;
	for (size_t k = 0; k < shape->rank; k++)
		elements *= shape->size[k];
	return elements;
}

size_t sluice__mpsgraph_bytes(const struct type *type)
{
	return sluice__mpsgraph_elements(&type->shape) * sluice__number_bytes(sluice__mpsgraph_dtype(type->dataType));
}

int sluice__mpsgraph_same_shape(const MPSShape *a, const MPSShape *b)
{
	return a->rank == b->rank && memcmp(a->size, b->size, a->rank * sizeof a->size[0]) == 0;
}

sluice_status sluice__mpsgraph_axis(const char *what, ptrdiff_t axis, size_t rank, size_t *out)
{
	const ptrdiff_t count = (ptrdiff_t)rank, place = axis < 0 ? axis + count : axis;
	if (place < 0 || place >= count)
		return MPS_INVALID("%s is %td, expected one of %zu dimensions", what, axis, rank);
	*out = (size_t)place;
	return SLUICE_OK;
}
