/* mpsgraph_source.c exists to make the nodes whose data come from outside: placeholders, constants, variables. */
#include "mpsgraph_internal.h"

#include <stdlib.h>

const struct node_kind sluice__mpsgraph_placeholder = {.name = "placeholder"};
const struct node_kind sluice__mpsgraph_constant = {.name = "constant"};
const struct node_kind sluice__mpsgraph_variable = {.name = "variable"};
const struct node_kind sluice__mpsgraph_assign = {.name = "assignVariable"};
static const struct node_kind READ = {.name = "readVariable"};

MPSGraphTensor *MPSGraph_placeholderWithShape_dataType_name(MPSGraph *graph, const MPSShape *shape,
							    MPSDataType dataType, const char *name)
{
	struct type type;
	if (sluice__mpsgraph_type("placeholder", shape, dataType, &type) != SLUICE_OK)
		return NULL;
	return sluice__mpsgraph_result(&(struct node_request){
		.graph = graph,
		.kind = &sluice__mpsgraph_placeholder,
		.outputs = &type,
		.output_count = 1,
		.name = name,
	});
}

static MPSGraphTensor *with_data(MPSGraph *graph, const struct node_kind *kind, const void *data, const MPSShape *shape,
				 MPSDataType dataType, const char *name)
{
	struct type type;
	if (sluice__mpsgraph_type(kind->name, shape, dataType, &type) != SLUICE_OK)
		return NULL;
	if (!data) {
		MPS_INVALID("%s: data is NULL", kind->name);
		return NULL;
	}
	return sluice__mpsgraph_result(&(struct node_request){
		.graph = graph,
		.kind = kind,
		.outputs = &type,
		.output_count = 1,
		.data = data,
		.name = name,
	});
}

MPSGraphTensor *MPSGraph_constantWithData_shape_dataType(MPSGraph *graph, const void *data, const MPSShape *shape,
							 MPSDataType dataType)
{
	return with_data(graph, &sluice__mpsgraph_constant, data, shape, dataType, NULL);
}

MPSGraphTensor *MPSGraph_constantWithScalar_shape_dataType(MPSGraph *graph, double scalar, const MPSShape *shape,
							   MPSDataType dataType)
{
	struct type type;
	if (sluice__mpsgraph_type("constant", shape, dataType, &type) != SLUICE_OK)
		return NULL;
	const size_t elements = sluice__mpsgraph_elements(shape);
	struct line line = {NULL, sluice__mpsgraph_dtype(dataType), 1};
	line.at = sluice__object_allocate(elements, sluice__number_bytes(line.type));
	if (!line.at)
		return NULL;
	for (size_t k = 0; k < elements; k++)
		sluice__number_store(&line, k, (float)scalar);
	MPSGraphTensor *tensor = with_data(graph, &sluice__mpsgraph_constant, line.at, shape, dataType, NULL);
	free(line.at);
	return tensor;
}

MPSGraphTensor *MPSGraph_constantWithScalar_dataType(MPSGraph *graph, double scalar, MPSDataType dataType)
{
	const MPSShape one = {1, {1}};
	return MPSGraph_constantWithScalar_shape_dataType(graph, scalar, &one, dataType);
}

/* --- variables --- */

MPSGraphTensor *MPSGraph_variableWithData_shape_dataType_name(MPSGraph *graph, const void *data, const MPSShape *shape,
							      MPSDataType dataType, const char *name)
{
	return with_data(graph, &sluice__mpsgraph_variable, data, shape, dataType, name);
}

static sluice_status variable_check(const struct node_kind *kind, const MPSGraph *graph, const MPSGraphTensor *variable)
{
	MPS_TRY(sluice__mpsgraph_given(kind->name, graph, variable));
	if (variable->operation->kind != &sluice__mpsgraph_variable)
		return MPS_INVALID("%s: tensor is made by %s, expected a variable", kind->name,
				   variable->operation->kind->name);
	return SLUICE_OK;
}

MPSGraphTensor *MPSGraph_readVariable_name(MPSGraph *graph, MPSGraphTensor *variable, const char *name)
{
	if (variable_check(&READ, graph, variable) != SLUICE_OK)
		return NULL;
	return sluice__mpsgraph_result(&(struct node_request){
		.graph = graph,
		.kind = &READ,
		.inputs = &variable,
		.input_count = 1,
		.outputs = &variable->type,
		.output_count = 1,
		.name = name,
	});
}

static sluice_status assign_check(const MPSGraph *graph, const MPSGraphTensor *variable, const MPSGraphTensor *tensor)
{
	char has[MPS_SHAPE_TEXT], gets[MPS_SHAPE_TEXT];
	MPS_TRY(variable_check(&sluice__mpsgraph_assign, graph, variable));
	MPS_TRY(sluice__mpsgraph_given(sluice__mpsgraph_assign.name, graph, tensor));
	if (variable->type.dataType != tensor->type.dataType ||
	    !sluice__mpsgraph_same_shape(&variable->type.shape, &tensor->type.shape))
		return MPS_INVALID("%s: tensor is %s, expected %s as the variable", sluice__mpsgraph_assign.name,
				   sluice__mpsgraph_type_text(&tensor->type, gets),
				   sluice__mpsgraph_type_text(&variable->type, has));
	return SLUICE_OK;
}

MPSGraphOperation *MPSGraph_assignVariable_withValueOfTensor_name(MPSGraph *graph, MPSGraphTensor *variable,
								  MPSGraphTensor *tensor, const char *name)
{
	MPSGraphTensor *inputs[] = {tensor, variable};
	if (assign_check(graph, variable, tensor) != SLUICE_OK)
		return NULL;
	return sluice__mpsgraph_node(&(struct node_request){
		.graph = graph,
		.kind = &sluice__mpsgraph_assign,
		.inputs = inputs,
		.input_count = 2,
		.name = name,
	});
}
