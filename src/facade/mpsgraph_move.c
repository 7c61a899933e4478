/* mpsgraph_move.c exists to make the nodes that move elements and compute nothing, or give them another shape. */
#include "mpsgraph_internal.h"

#include <string.h>

/* Elements of the dimensions first .. end-1. */
static size_t product(const MPSShape *shape, size_t first, size_t end)
{
	size_t elements = 1;
	for (size_t k = first; k < end; k++)
		elements *= shape->size[k];
	return elements;
}

static MPSGraphTensor *one_to_one(MPSGraph *graph, const struct node_kind *kind, MPSGraphTensor *tensor,
				  const struct type *type, const void *options, const char *name)
{
	return sluice__mpsgraph_result(&(struct node_request){
		.graph = graph,
		.kind = kind,
		.inputs = &tensor,
		.input_count = 1,
		.outputs = type,
		.output_count = 1,
		.options = options,
		.name = name,
	});
}

/* --- the same elements in another shape --- */

static const struct node_kind IDENTITY = {.name = "identity"}, RESHAPE = {.name = "reshape"},
			      EXPAND = {.name = "expandDims"}, SQUEEZE = {.name = "squeeze"};

MPSGraphTensor *MPSGraph_identityWithTensor_name(MPSGraph *graph, MPSGraphTensor *tensor, const char *name)
{
	if (sluice__mpsgraph_given(IDENTITY.name, graph, tensor) != SLUICE_OK)
		return NULL;
	return one_to_one(graph, &IDENTITY, tensor, &tensor->type, NULL, name);
}

static sluice_status reshape_check(const MPSGraph *graph, const MPSGraphTensor *tensor, const MPSShape *shape,
				   struct type *type)
{
	char has[MPS_SHAPE_TEXT], wants[MPS_SHAPE_TEXT];
	MPS_TRY(sluice__mpsgraph_given(RESHAPE.name, graph, tensor));
	MPS_TRY(sluice__mpsgraph_type(RESHAPE.name, shape, tensor->type.dataType, type));
	if (sluice__mpsgraph_elements(shape) != sluice__mpsgraph_elements(&tensor->type.shape))
		return MPS_INVALID("%s: shape is %s, which has not the elements of %s", RESHAPE.name,
				   sluice__mpsgraph_shape_text(shape, wants),
				   sluice__mpsgraph_shape_text(&tensor->type.shape, has));
	return SLUICE_OK;
}

MPSGraphTensor *MPSGraph_reshapeTensor_withShape_name(MPSGraph *graph, MPSGraphTensor *tensor, const MPSShape *shape,
						      const char *name)
{
	struct type type;
	if (reshape_check(graph, tensor, shape, &type) != SLUICE_OK)
		return NULL;
	return one_to_one(graph, &RESHAPE, tensor, &type, NULL, name);
}

static sluice_status expand_check(const MPSGraph *graph, const MPSGraphTensor *tensor, ptrdiff_t axis,
				  struct type *type)
{
	size_t at;
	MPS_TRY(sluice__mpsgraph_given(EXPAND.name, graph, tensor));
	*type = tensor->type;
	MPSShape *shape = &type->shape;
	if (shape->rank == SLUICE_MPSGRAPH_RANK)
		return MPS_INVALID("%s: tensor has rank %zu, expected less", EXPAND.name, shape->rank);
	shape->rank++;
	MPS_TRY(sluice__mpsgraph_axis("expandDims: axis", axis, shape->rank, &at));
	memmove(&shape->size[at + 1], &shape->size[at], (shape->rank - 1 - at) * sizeof shape->size[0]);
	shape->size[at] = 1;
	return SLUICE_OK;
}

MPSGraphTensor *MPSGraph_expandDimsOfTensor_axis_name(MPSGraph *graph, MPSGraphTensor *tensor, ptrdiff_t axis,
						      const char *name)
{
	struct type type;
	if (expand_check(graph, tensor, axis, &type) != SLUICE_OK)
		return NULL;
	return one_to_one(graph, &EXPAND, tensor, &type, NULL, name);
}

static sluice_status squeeze_check(const MPSGraph *graph, const MPSGraphTensor *tensor, ptrdiff_t axis,
				   struct type *type)
{
	size_t at;
	char text[MPS_SHAPE_TEXT];
	MPS_TRY(sluice__mpsgraph_given(SQUEEZE.name, graph, tensor));
	*type = tensor->type;
	MPSShape *shape = &type->shape;
	MPS_TRY(sluice__mpsgraph_axis("squeeze: axis", axis, shape->rank, &at));
	if (shape->size[at] != 1)
		return MPS_INVALID("%s: tensor is %s, expected 1 at axis %zu", SQUEEZE.name,
				   sluice__mpsgraph_shape_text(shape, text), at);
	shape->rank--;
	memmove(&shape->size[at], &shape->size[at + 1], (shape->rank - at) * sizeof shape->size[0]);
	shape->size[shape->rank] = 0;
	return SLUICE_OK;
}

MPSGraphTensor *MPSGraph_squeezeTensor_axis_name(MPSGraph *graph, MPSGraphTensor *tensor, ptrdiff_t axis,
						 const char *name)
{
	struct type type;
	if (squeeze_check(graph, tensor, axis, &type) != SLUICE_OK)
		return NULL;
	return one_to_one(graph, &SQUEEZE, tensor, &type, NULL, name);
}

/* --- transpose: [outer,a,middle,b,inner] becomes [outer,b,middle,a,inner] --- */

struct transpose {
	size_t outer, a, middle, b, inner_bytes;
};

static sluice_status transpose_execute(const struct execution *execution)
{
	const struct transpose *t = execution->node->options;
	const char *from = execution->inputs[0];
	char *to = execution->outputs[0];
	if (!to)
		return SLUICE_OK;
	for (size_t outer = 0; outer < t->outer; outer++)
		for (size_t b = 0; b < t->b; b++)
			for (size_t middle = 0; middle < t->middle; middle++)
				for (size_t a = 0; a < t->a; a++) {
					const size_t row = ((outer * t->a + a) * t->middle + middle) * t->b + b;
					memcpy(to, from + row * t->inner_bytes, t->inner_bytes);
					to += t->inner_bytes;
				}
	return SLUICE_OK;
}

static const struct node_kind TRANSPOSE = {
	.name = "transpose",
	.option_bytes = sizeof(struct transpose),
	.execute = transpose_execute,
};

static sluice_status transpose_check(const MPSGraph *graph, const MPSGraphTensor *tensor, size_t one, size_t other)
{
	MPS_TRY(sluice__mpsgraph_given(TRANSPOSE.name, graph, tensor));
	if (one >= tensor->type.shape.rank || other >= tensor->type.shape.rank)
		return MPS_INVALID("%s: dimensions are %zu and %zu, expected two of %zu", TRANSPOSE.name, one, other,
				   tensor->type.shape.rank);
	return SLUICE_OK;
}

MPSGraphTensor *MPSGraph_transposeTensor_dimension_withDimension_name(MPSGraph *graph, MPSGraphTensor *tensor,
								      size_t dimension, size_t withDimension,
								      const char *name)
{
	if (transpose_check(graph, tensor, dimension, withDimension) != SLUICE_OK)
		return NULL;
	if (dimension == withDimension)
		return MPSGraph_identityWithTensor_name(graph, tensor, name);
	const size_t first = dimension < withDimension ? dimension : withDimension;
	const size_t second = dimension < withDimension ? withDimension : dimension;
	const MPSShape *shape = &tensor->type.shape;
	const size_t element = sluice__number_bytes(sluice__mpsgraph_dtype(tensor->type.dataType));
	const struct transpose options = {
		.outer = product(shape, 0, first),
		.a = shape->size[first],
		.middle = product(shape, first + 1, second),
		.b = shape->size[second],
		.inner_bytes = product(shape, second + 1, shape->rank) * element,
	};
	struct type type = tensor->type;
	type.shape.size[first] = options.b;
	type.shape.size[second] = options.a;
	return one_to_one(graph, &TRANSPOSE, tensor, &type, &options, name);
}

/* --- slice: a piece of each row of a dimension --- */

struct slice {
	size_t rows, row_bytes, start_bytes, piece_bytes;
};

static sluice_status slice_execute(const struct execution *execution)
{
	const struct slice *slice = execution->node->options;
	const char *from = execution->inputs[0];
	char *to = execution->outputs[0];
	for (size_t row = 0; to && row < slice->rows; row++)
		memcpy(to + row * slice->piece_bytes, from + row * slice->row_bytes + slice->start_bytes,
		       slice->piece_bytes);
	return SLUICE_OK;
}

static const struct node_kind SLICE = {
	.name = "slice",
	.option_bytes = sizeof(struct slice),
	.execute = slice_execute,
};

static sluice_status slice_check(const MPSGraph *graph, const MPSGraphTensor *tensor, size_t dimension, ptrdiff_t start,
				 ptrdiff_t length)
{
	char text[MPS_SHAPE_TEXT];
	MPS_TRY(sluice__mpsgraph_given(SLICE.name, graph, tensor));
	const MPSShape *shape = &tensor->type.shape;
	if (dimension >= shape->rank)
		return MPS_INVALID("%s: dimension is %zu, expected one of %zu", SLICE.name, dimension, shape->rank);
	const ptrdiff_t size = (ptrdiff_t)shape->size[dimension];
	if (start < 0 || length < 1 || start >= size || length > size - start)
		return MPS_INVALID("%s: start is %td and length %td, expected a piece of dimension %zu of %s",
				   SLICE.name, start, length, dimension, sluice__mpsgraph_shape_text(shape, text));
	return SLUICE_OK;
}

MPSGraphTensor *MPSGraph_sliceTensor_dimension_start_length_name(MPSGraph *graph, MPSGraphTensor *tensor,
								 size_t dimension, ptrdiff_t start, ptrdiff_t length,
								 const char *name)
{
	if (slice_check(graph, tensor, dimension, start, length) != SLUICE_OK)
		return NULL;
	struct type type = tensor->type;
	const size_t element = sluice__number_bytes(sluice__mpsgraph_dtype(type.dataType));
	const size_t unit = product(&type.shape, dimension + 1, type.shape.rank) * element;
	const struct slice options = {
		.rows = product(&type.shape, 0, dimension),
		.row_bytes = type.shape.size[dimension] * unit,
		.start_bytes = (size_t)start * unit,
		.piece_bytes = (size_t)length * unit,
	};
	type.shape.size[dimension] = (size_t)length;
	return one_to_one(graph, &SLICE, tensor, &type, &options, name);
}

/* --- concat: the rows of a dimension, one tensor's after the other's --- */

static sluice_status concat_execute(const struct execution *execution)
{
	const MPSGraphOperation *node = execution->node;
	const size_t rows = *(const size_t *)node->options, row_bytes = node->outputs[0].bytes / rows;
	char *to = execution->outputs[0];
	for (size_t k = 0; to && k < node->input_count; k++) {
		const size_t piece = node->inputs[k]->bytes / rows;
		for (size_t row = 0; row < rows; row++)
			memcpy(to + row * row_bytes, (const char *)execution->inputs[k] + row * piece, piece);
		to += piece;
	}
	return SLUICE_OK;
}

static const struct node_kind CONCAT = {
	.name = "concat",
	.option_bytes = sizeof(size_t),
	.execute = concat_execute,
};

/* Adds a tensor to the type of those before it. */
static sluice_status concat_add(const MPSGraphTensor *tensor, size_t axis, struct type *type)
{
	char has[MPS_SHAPE_TEXT], first[MPS_SHAPE_TEXT];
	const struct type *before = type;
	struct type other = tensor->type;
	if (other.shape.rank == before->shape.rank)
		other.shape.size[axis] = before->shape.size[axis];
	if (other.dataType != before->dataType || !sluice__mpsgraph_same_shape(&other.shape, &before->shape))
		return MPS_INVALID("%s: %s and %s differ in more than dimension %zu", CONCAT.name,
				   sluice__mpsgraph_type_text(type, first),
				   sluice__mpsgraph_type_text(&tensor->type, has), axis);
	if (tensor->type.shape.size[axis] > PTRDIFF_MAX - type->shape.size[axis])
		return MPS_INVALID("%s: dimension %zu overflows", CONCAT.name, axis);
	type->shape.size[axis] += tensor->type.shape.size[axis];
	return SLUICE_OK;
}

static sluice_status concat_check(const MPSGraph *graph, MPSGraphTensor *const *tensors, size_t count,
				  ptrdiff_t dimension, size_t *axis, struct type *type)
{
	if (!tensors || count == 0)
		return MPS_INVALID("%s: there are no tensors", CONCAT.name);
	for (size_t k = 0; k < count; k++)
		MPS_TRY(sluice__mpsgraph_given(CONCAT.name, graph, tensors[k]));
	*type = tensors[0]->type;
	MPS_TRY(sluice__mpsgraph_axis("concat: dimension", dimension, type->shape.rank, axis));
	for (size_t k = 1; k < count; k++)
		MPS_TRY(concat_add(tensors[k], *axis, type));
	return sluice__mpsgraph_type(CONCAT.name, &type->shape, type->dataType, type);
}

MPSGraphTensor *MPSGraph_concatTensors_dimension_name(MPSGraph *graph, MPSGraphTensor *const *tensors, size_t count,
						      ptrdiff_t dimension, const char *name)
{
	size_t axis;
	struct type type;
	if (concat_check(graph, tensors, count, dimension, &axis, &type) != SLUICE_OK)
		return NULL;
	const size_t rows = product(&type.shape, 0, axis);
	return sluice__mpsgraph_result(&(struct node_request){
		.graph = graph,
		.kind = &CONCAT,
		.inputs = tensors,
		.input_count = count,
		.outputs = &type,
		.output_count = 1,
		.options = &rows,
		.name = name,
	});
}
