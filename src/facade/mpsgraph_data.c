/* mpsgraph_data.c exists to make memory a tensor's data, the caller's or of their own. */
#include "mpsgraph_internal.h"

#include <stdlib.h>
#include <string.h>

static void data_destroy(void *object)
{
	MPSGraphTensorData *data = object;
	if (data->owned)
		free(data->data);
	free(data);
}

MPS_COUNTED(MPSGraphTensorData)

static MPSGraphTensorData *data_make(const struct type *type)
{
	MPSGraphTensorData *data = sluice__object_new(sizeof *data, data_destroy);
	if (!data)
		return NULL;
	data->type = *type;
	data->bytes = sluice__mpsgraph_bytes(type);
	return data;
}

MPSGraphTensorData *sluice__mpsgraph_data(const struct type *type)
{
	MPSGraphTensorData *data = data_make(type);
	if (!data)
		return NULL;
	data->owned = 1;
	data->data = sluice__object_allocate(1, data->bytes);
	if (data->data)
		return data;
	MPSGraphTensorData_release(data);
	return NULL;
}

MPSGraphTensorData *MPSGraphTensorData_initWithData_shape_dataType(void *data, const MPSShape *shape,
								   MPSDataType dataType)
{
	struct type type;
	if (sluice__mpsgraph_type("tensor data", shape, dataType, &type) != SLUICE_OK)
		return NULL;
	const size_t bytes = sluice__number_bytes(sluice__mpsgraph_dtype(dataType));
	if (!data) {
		MPS_INVALID("tensor data: data is NULL");
		return NULL;
	}
	if ((uintptr_t)data % bytes) {
		MPS_INVALID("tensor data: data is %p, expected a multiple of %zu", data, bytes);
		return NULL;
	}
	MPSGraphTensorData *made = data_make(&type);
	if (made)
		made->data = data;
	return made;
}

void *MPSGraphTensorData_data(const MPSGraphTensorData *data)
{
	return data ? data->data : NULL;
}

size_t MPSGraphTensorData_shape(const MPSGraphTensorData *data, size_t shape[SLUICE_MPSGRAPH_RANK])
{
	if (!data)
		return 0;
	if (shape)
		memcpy(shape, data->type.shape.size, data->type.shape.rank * sizeof shape[0]);
	return data->type.shape.rank;
}

MPSDataType MPSGraphTensorData_dataType(const MPSGraphTensorData *data)
{
	return data ? data->type.dataType : 0;
}
