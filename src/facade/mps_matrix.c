/* mps_matrix.c exists to describe matrices in the caller's memory or their own. */
#include "mps_internal.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
	MPSDataType type;
	sluice_dtype core;
	const char *name;
} TYPES[] = {
	{MPSDataTypeFloat32, SLUICE_F32, "Float32"},
	{MPSDataTypeFloat16, SLUICE_F16, "Float16"},
	{MPSDataTypeBFloat16, SLUICE_BF16, "BFloat16"},
	{MPSDataTypeUInt8, SLUICE_I8, "UInt8"}, /* of sources alone */
};
enum { TYPE_COUNT = sizeof TYPES / sizeof TYPES[0], NUMBER_TYPES = 3 };

static int type_known(MPSDataType type)
{
	for (int each = 0; each < NUMBER_TYPES; each++)
		if (TYPES[each].type == type)
			return 1;
	return 0;
}

sluice_dtype sluice__mps_dtype(MPSDataType type)
{
	for (int each = 0; each < NUMBER_TYPES; each++)
		if (TYPES[each].type == type)
			return TYPES[each].core;
	return SLUICE_F32;
}

const char *sluice__mps_type_text(MPSDataType type, char text[16])
{
	for (int each = 0; each < TYPE_COUNT; each++)
		if (TYPES[each].type == type)
			return TYPES[each].name;
	snprintf(text, 16, "0x%08x", (unsigned)type);
	return text;
}

static size_t element_bytes(MPSDataType type)
{
	return sluice__number_bytes(sluice__mps_dtype(type));
}

MPS_COUNTED(MPSMatrixDescriptor)

static sluice_status descriptor_check(const MPSMatrixDescriptor *d)
{
	char text[16];
	if (!type_known(d->dataType))
		return MPS_INVALID("matrix: dataType is %s, expected Float32, Float16 or BFloat16",
				   sluice__mps_type_text(d->dataType, text));
	const size_t element = element_bytes(d->dataType);
	if (!d->rows || !d->columns || !d->matrices)
		return MPS_INVALID("matrix: %zu rows, %zu columns and %zu matrices, expected at least 1 of each",
				   d->rows, d->columns, d->matrices);
	if (d->rowBytes % element || d->rowBytes / element < d->columns)
		return MPS_INVALID("matrix: rowBytes is %zu, expected a multiple of %zu that holds %zu columns",
				   d->rowBytes, element, d->columns);
	if (d->matrixBytes % d->rowBytes || d->matrixBytes / d->rowBytes < d->rows)
		return MPS_INVALID("matrix: matrixBytes is %zu, expected a multiple of rowBytes = %zu that holds %zu "
				   "rows",
				   d->matrixBytes, d->rowBytes, d->rows);
	if (d->matrixBytes > PTRDIFF_MAX / d->matrices)
		return MPS_INVALID("matrix: %zu matrices of %zu bytes are too large", d->matrices, d->matrixBytes);
	return SLUICE_OK;
}

static MPSMatrixDescriptor *descriptor_make(const MPSMatrixDescriptor *wanted)
{
	if (descriptor_check(wanted) != SLUICE_OK)
		return NULL;
	MPSMatrixDescriptor *descriptor = sluice__object_new(sizeof *descriptor, free);
	if (!descriptor)
		return NULL;
	descriptor->rows = wanted->rows;
	descriptor->columns = wanted->columns;
	descriptor->matrices = wanted->matrices;
	descriptor->rowBytes = wanted->rowBytes;
	descriptor->matrixBytes = wanted->matrixBytes;
	descriptor->dataType = wanted->dataType;
	return descriptor;
}

MPSMatrixDescriptor *MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(size_t rows, size_t columns,
											    size_t rowBytes,
											    MPSDataType dataType)
{
	if (rowBytes && rows > PTRDIFF_MAX / rowBytes) {
		MPS_INVALID("matrix: %zu rows of %zu bytes are too large", rows, rowBytes);
		return NULL;
	}
	const MPSMatrixDescriptor wanted = {
		.rows = rows,
		.columns = columns,
		.matrices = 1,
		.rowBytes = rowBytes,
		.matrixBytes = rows * rowBytes,
		.dataType = dataType,
	};
	return descriptor_make(&wanted);
}

MPSMatrixDescriptor *MPSMatrixDescriptor_matrixDescriptorWithRows_columns_matrices_rowBytes_matrixBytes_dataType(
	size_t rows, size_t columns, size_t matrices, size_t rowBytes, size_t matrixBytes, MPSDataType dataType)
{
	const MPSMatrixDescriptor wanted = {
		.rows = rows,
		.columns = columns,
		.matrices = matrices,
		.rowBytes = rowBytes,
		.matrixBytes = matrixBytes,
		.dataType = dataType,
	};
	return descriptor_make(&wanted);
}

size_t MPSMatrixDescriptor_rowBytesFromColumns_dataType(size_t columns, MPSDataType dataType)
{
	const size_t element = type_known(dataType) ? element_bytes(dataType) : 0;
	return columns <= PTRDIFF_MAX / sizeof(float) ? columns * element : 0;
}

MPS_COUNTED(MPSMatrix)

#define GETTER(name, type)                                                     \
	type MPSMatrixDescriptor_##name(const MPSMatrixDescriptor *descriptor) \
	{                                                                      \
		return descriptor ? descriptor->name : 0;                      \
	}                                                                      \
	type MPSMatrix_##name(const MPSMatrix *matrix)                         \
	{                                                                      \
		return matrix ? matrix->name : 0;                              \
	}
GETTER(rows, size_t)
GETTER(columns, size_t)
GETTER(matrices, size_t)
GETTER(rowBytes, size_t)
GETTER(matrixBytes, size_t)
GETTER(dataType, MPSDataType)

static void matrix_destroy(void *object)
{
	MPSMatrix *matrix = object;
	if (matrix->owned)
		free(matrix->buffer);
	free(matrix);
}

static MPSMatrix *matrix_make(const MPSMatrixDescriptor *descriptor)
{
	if (!descriptor) {
		MPS_INVALID("matrix: descriptor is NULL, expected a descriptor");
		return NULL;
	}
	MPSMatrix *matrix = sluice__object_new(sizeof *matrix, matrix_destroy);
	if (!matrix)
		return NULL;
	matrix->rows = descriptor->rows;
	matrix->columns = descriptor->columns;
	matrix->matrices = descriptor->matrices;
	matrix->rowBytes = descriptor->rowBytes;
	matrix->matrixBytes = descriptor->matrixBytes;
	matrix->dataType = descriptor->dataType;
	return matrix;
}

MPSMatrix *MPSMatrix_initWithBuffer_offset_descriptor(void *buffer, size_t offset,
						      const MPSMatrixDescriptor *descriptor)
{
	if (!buffer) {
		MPS_INVALID("matrix: buffer is NULL, expected memory");
		return NULL;
	}
	MPSMatrix *matrix = matrix_make(descriptor);
	if (!matrix)
		return NULL;
	matrix->buffer = buffer;
	matrix->offset = offset;
	return matrix;
}

MPSMatrix *MPSMatrix_initWithBuffer_descriptor(void *buffer, const MPSMatrixDescriptor *descriptor)
{
	return MPSMatrix_initWithBuffer_offset_descriptor(buffer, 0, descriptor);
}

MPSMatrix *MPSMatrix_initWithDevice_descriptor(void *device, const MPSMatrixDescriptor *descriptor)
{
	if (device) {
		MPS_INVALID("matrix: device is %p, expected NULL", device);
		return NULL;
	}
	MPSMatrix *matrix = matrix_make(descriptor);
	if (!matrix)
		return NULL;
	matrix->owned = 1;
	matrix->buffer = sluice__object_allocate(matrix->matrices, matrix->matrixBytes);
	if (matrix->buffer)
		return matrix;
	MPSMatrix_release(matrix);
	return NULL;
}

void *MPSMatrix_data(const MPSMatrix *matrix)
{
	return matrix ? matrix->buffer : NULL;
}

size_t MPSMatrix_offset(const MPSMatrix *matrix)
{
	return matrix ? matrix->offset : 0;
}

int MPSMatrix_isTemporary(const MPSMatrix *matrix)
{
	return matrix && matrix->owner != 0;
}

size_t MPSMatrix_readCount(const MPSMatrix *matrix)
{
	return matrix ? matrix->readCount : 0;
}

void MPSMatrix_setReadCount(MPSMatrix *matrix, size_t readCount)
{
	if (MPSMatrix_isTemporary(matrix))
		matrix->readCount = readCount;
}

MPSMatrix *sluice__mps_matrix_own(size_t rows, size_t columns, MPSDataType dataType)
{
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		rows, columns, MPSMatrixDescriptor_rowBytesFromColumns_dataType(columns, dataType), dataType);
	MPSMatrix *matrix = descriptor ? MPSMatrix_initWithDevice_descriptor(NULL, descriptor) : NULL;
	MPSMatrixDescriptor_release(descriptor);
	return matrix;
}

sluice_status sluice__mps_matrix_span(const char *name, size_t index, const MPSMatrix *matrix, size_t offset,
				      size_t rows, size_t columns, struct span *out)
{
	if (!matrix)
		return MPS_INVALID("%s[%zu] is NULL, expected a matrix", name, index);
	const size_t element = element_bytes(matrix->dataType), room = matrix->matrices * matrix->matrixBytes;
	if (matrix->columns != columns)
		return MPS_INVALID("%s[%zu] has %zu columns, expected %zu", name, index, matrix->columns, columns);
	if (matrix->rows < rows)
		return MPS_INVALID("%s[%zu] has %zu rows, expected at least %zu", name, index, matrix->rows, rows);
	rows = rows ? rows : matrix->rows;
	const size_t needed = (rows - 1) * matrix->rowBytes + columns * element;
	if (offset % element)
		return MPS_INVALID("%s[%zu]: the offset is %zu, expected a multiple of %zu", name, index, offset,
				   element);
	if (offset > room - needed)
		return MPS_INVALID(
			"%s[%zu]: the offset is %zu, expected at most %zu: %zu rows end with the matrix's memory", name,
			index, offset, room - needed, rows);
	*out = (struct span){
		.at = matrix->buffer + matrix->offset + offset,
		.type = sluice__mps_dtype(matrix->dataType),
		.rows = rows,
		.row_bytes = matrix->rowBytes,
		.lines = 1,
		.cells = 1,
		.elements = columns,
	};
	return SLUICE_OK;
}
