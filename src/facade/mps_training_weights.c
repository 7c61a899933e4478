/* mps_training_weights.c exists to make and check the arrays of matrices that weights and gradients are, and to copy
 * parts of them by their ids.
 */
#include "mps_training.h"

#include <stdio.h>
#include <stdlib.h>

size_t sluice__mps_tensors(const struct network *network)
{
	size_t count = 0;
	for (int tensor = 0; tensor < TENSORS; tensor++)
		count += network->places[tensor].there ? 1 : 0;
	return count;
}

size_t sluice_mps_weight_matrices(const MPSRNNMatrixTrainingLayer *layer)
{
	return layer ? sluice__mps_tensors(layer->network) : 0;
}

static sluice_status matrix_check(const char *where, const struct tensor_place *place, const MPSMatrix *matrix,
				  const MPSCommandBuffer *buffer)
{
	if (!matrix)
		return MPS_INVALID("%s is NULL, expected a matrix of the layer's", where);
	if (matrix->role == ROLE_NONE)
		return MPS_INVALID("%s is a matrix like any other, expected one that the layer made", where);
	if (matrix->rows != GATES * place->rows || matrix->columns != place->columns)
		return MPS_INVALID("%s is %zu x %zu, expected %zu x %zu, in the order in which the layer made them",
				   where, matrix->rows, matrix->columns, GATES * place->rows, place->columns);
	if (!matrix->owner)
		return SLUICE_OK;
	if (matrix->owner != sluice__mps_serial(buffer))
		return MPS_INVALID("%s is temporary and belongs to another command buffer", where);
	if (!matrix->readCount)
		return MPS_INVALID("%s is temporary and its read count is 0", where);
	return SLUICE_OK;
}

sluice_status sluice__mps_array_check(const struct network *network, const char *name, MPSMatrix *const *list,
				      enum role role, const MPSCommandBuffer *buffer)
{
	char where[MPS_WHERE_TEXT];
	size_t index = 0;
	if (!list)
		return MPS_INVALID("%s is NULL, expected an array of matrices", name);
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		if (!network->places[tensor].there)
			continue;
		snprintf(where, sizeof where, "%s[%zu]", name, index);
		const MPSMatrix *matrix = list[index++];
		MPS_TRY(matrix_check(where, &network->places[tensor], matrix, buffer));
		if (role != ROLE_NONE && matrix->role != role)
			return MPS_INVALID("%s is of %s, expected one of %s", where,
					   role == ROLE_WEIGHTS ? "gradients" : "weights",
					   role == ROLE_WEIGHTS ? "weights" : "gradients");
		for (size_t before = 0; before + 1 < index; before++)
			if (list[before] == matrix)
				return MPS_INVALID("%s is %s[%zu] once more", where, name, before);
	}
	return SLUICE_OK;
}

static sluice_status list_make(const struct network *network, MPSMatrix **list, enum role role, MPSDataType type,
			       uint64_t owner)
{
	size_t count = 0;
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		const struct tensor_place *place = &network->places[tensor];
		if (!place->there)
			continue;
		MPSMatrix *matrix = sluice__mps_matrix_own(GATES * place->rows, place->columns, type);
		if (!matrix) {
			while (count)
				MPSMatrix_release(list[--count]);
			return SLUICE_OUT_OF_MEMORY;
		}
		matrix->role = role;
		matrix->owner = owner;
		matrix->readCount = owner ? 1 : 0;
		list[count++] = matrix;
	}
	while (count < TENSORS)
		list[count++] = NULL;
	return SLUICE_OK;
}

sluice_status sluice__mps_array_make(const struct network *network, MPSMatrix **out, enum role role, MPSDataType type,
				     uint64_t owner)
{
	MPSMatrix *list[TENSORS];
	char text[16];
	if (!out)
		return MPS_INVALID("the array for the matrices is NULL, expected room for %d", TENSORS);
	if (type != MPSDataTypeFloat32 && type != MPSDataTypeFloat16)
		return MPS_INVALID("dataType is %s, expected Float32 or Float16", sluice__mps_type_text(type, text));
	MPS_TRY(list_make(network, list, role, type, owner));
	for (int each = 0; each < TENSORS; each++)
		out[each] = list[each];
	return SLUICE_OK;
}

/* --- copies --- */

struct copy {
	struct command command;
	MPSMatrix *weights, *matrix;
	struct line from, to; /* of the first row */
	size_t rows, columns;
	size_t from_row, to_row; /* bytes */
};

static sluice_status copy_run(struct command *command)
{
	const struct copy *copy = (const struct copy *)command;
	for (size_t row = 0; row < copy->rows; row++) {
		struct line from = copy->from, to = copy->to;
		from.at += row * copy->from_row;
		to.at += row * copy->to_row;
		sluice__number_convert(&to, &from, copy->columns, 1, 0);
	}
	return SLUICE_OK;
}

static void copy_destroy(struct command *command)
{
	struct copy *copy = (struct copy *)command;
	MPSMatrix_release(copy->weights);
	MPSMatrix_release(copy->matrix);
	free(copy);
}

/* Which block of which tensor an id means. */
struct block {
	enum tensor tensor;
	int gate;
};

static sluice_status block_find(const struct network *network, MPSRNNMatrixId id, struct block *out)
{
	enum { FIRST = MPSRNNMatrixIdLSTMInputGateInputWeights, LAST = MPSRNNMatrixIdLSTMOutputGateBiasTerms };
	static const enum tensor tensors[] = {TENSOR_INPUT, TENSOR_RECURRENT, TENSOR_MEMORY, TENSOR_BIAS};
	if ((int)id < FIRST || (int)id > LAST)
		return MPS_INVALID("matrixId is %d, expected one of the LSTM, %d to %d", (int)id, FIRST, LAST);
	out->gate = ((int)id - FIRST) / TENSORS;
	out->tensor = tensors[((int)id - FIRST) % TENSORS];
	if (!network->places[out->tensor].there || sluice__mps_tensor_absent(network, out->tensor, out->gate))
		return MPS_INVALID("matrixId is %d, which the layer has not: its source was NULL", (int)id);
	return SLUICE_OK;
}

static sluice_status room_check(const struct copy *copy, const MPSMatrix *matrix, MTLOrigin origin)
{
	if (!matrix)
		return MPS_INVALID("matrix is NULL, expected a matrix");
	if (matrix->role != ROLE_NONE)
		return MPS_INVALID("matrix is one of an array of weights or gradients, expected another one");
	if (origin.z)
		return MPS_INVALID("matrixOffset.z is %zu, expected 0", origin.z);
	if (origin.y > matrix->rows || matrix->rows - origin.y < copy->rows || origin.x > matrix->columns ||
	    matrix->columns - origin.x < copy->columns)
		return MPS_INVALID("matrix is %zu x %zu, expected room for %zu x %zu from row %zu, column %zu on",
				   matrix->rows, matrix->columns, copy->rows, copy->columns, origin.y, origin.x);
	return SLUICE_OK;
}

/* The matrix's side of a copy. */
static struct line corner(const MPSMatrix *matrix, MTLOrigin origin)
{
	const sluice_dtype type = sluice__mps_dtype(matrix->dataType);
	char *at = matrix->buffer + matrix->offset + origin.y * matrix->rowBytes;
	return (struct line){at + origin.x * sluice__number_bytes(type), type, 1};
}

static sluice_status copy_make(const struct network *network, const struct block *block, MPSMatrix *weights,
			       MPSMatrix *matrix, int out, MTLOrigin origin, struct copy *copy)
{
	const struct tensor_place *place = &network->places[block->tensor];
	copy->rows = place->rows;
	copy->columns = place->columns;
	MPS_TRY(room_check(copy, matrix, origin));
	const MTLOrigin first = {0, (size_t)block->gate * place->rows, 0};
	const struct line there = corner(weights, first), here = corner(matrix, origin);
	copy->from = out ? there : here;
	copy->to = out ? here : there;
	copy->from_row = out ? weights->rowBytes : matrix->rowBytes;
	copy->to_row = out ? matrix->rowBytes : weights->rowBytes;
	copy->command.run = copy_run;
	copy->command.destroy = copy_destroy;
	copy->weights = MPSMatrix_retain(weights);
	copy->matrix = MPSMatrix_retain(matrix);
	return SLUICE_OK;
}

int MPSRNNMatrixTrainingLayer_encodeCopyWeights(MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer,
						MPSMatrix *const *weights, MPSRNNMatrixId matrixId, MPSMatrix *matrix,
						int copyFromWeightsToMatrix, MTLOrigin matrixOffset)
{
	struct block block = {TENSOR_INPUT, 0};
	size_t index = 0;
	if (!layer)
		return MPS_INVALID("layer is NULL, expected a layer");
	const struct network *network = layer->network;
	MPS_TRY(sluice__mps_encodable(commandBuffer));
	MPS_TRY(sluice__mps_array_check(network, "weights", weights, ROLE_NONE, commandBuffer));
	MPS_TRY(block_find(network, matrixId, &block));
	for (int tensor = 0; tensor < (int)block.tensor; tensor++)
		index += network->places[tensor].there ? 1 : 0;
	struct copy *copy = sluice__object_allocate(1, sizeof *copy);
	if (!copy)
		return SLUICE_OUT_OF_MEMORY;
	const sluice_status status =
		copy_make(network, &block, weights[index], matrix, copyFromWeightsToMatrix, matrixOffset, copy);
	if (status != SLUICE_OK) {
		free(copy);
		return status;
	}
	for (size_t each = 0; copyFromWeightsToMatrix && each < sluice__mps_tensors(network); each++)
		weights[each]->readCount -= weights[each]->owner ? 1 : 0;
	sluice__mps_encode(commandBuffer, &copy->command);
	return SLUICE_OK;
}
