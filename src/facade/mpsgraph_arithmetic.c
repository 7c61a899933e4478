/* mpsgraph_arithmetic.c exists to make the nodes that compute element by element. */
#include "mpsgraph_internal.h"

#include <string.h>

static struct line line_of(const void *data, const MPSGraphTensor *tensor)
{
	/* What a line reads it does not write, though its pointer could. */
	return (struct line){(char *)(uintptr_t)data, sluice__mpsgraph_dtype(tensor->type.dataType), 1};
}

/* --- addition and multiplication --- */

/* How far apart elements of the two are along each dimension of the result; 0: repeated. */
struct binary {
	size_t strides[2][SLUICE_MPSGRAPH_RANK];
};

typedef void (*row_function)(const float *a, size_t a_stride, const float *b, size_t b_stride, float *to, size_t count);

static void add_row(const float *a, size_t a_stride, const float *b, size_t b_stride, float *to, size_t count)
{
	for (size_t k = 0; k < count; k++)
		to[k] = a[k * a_stride] + b[k * b_stride];
}

static void multiply_row(const float *a, size_t a_stride, const float *b, size_t b_stride, float *to, size_t count)
{
	for (size_t k = 0; k < count; k++)
		to[k] = a[k * a_stride] * b[k * b_stride];
}

/* One row of the last dimension: f32 as it lies, others a few elements at a time. */
static void binary_row(row_function compute, const struct line operands[2], const size_t at[2], const struct line *to,
		       size_t to_at, size_t count)
{
	enum { AT_ONCE = 64 };
	float values[3][AT_ONCE];
	if (to->type == SLUICE_F32) {
		compute((const float *)(const void *)operands[0].at + at[0], operands[0].stride,
			(const float *)(const void *)operands[1].at + at[1], operands[1].stride,
			(float *)(void *)to->at + to_at, count);
		return;
	}
	for (size_t done = 0; done < count; done += AT_ONCE) {
		const size_t now = count - done < AT_ONCE ? count - done : AT_ONCE;
		for (size_t which = 0; which < 2; which++)
			for (size_t k = 0; k < now; k++)
				values[which][k] = sluice__number_load(&(struct line){operands[which].at, to->type, 1},
								       at[which] + (done + k) * operands[which].stride);
		compute(values[0], 1, values[1], 1, values[2], now);
		for (size_t k = 0; k < now; k++)
			sluice__number_store(to, to_at + done + k, values[2][k]);
	}
}

/* Counts the dimensions before the last one up, and moves both operands along. */
static void binary_advance(const struct binary *binary, const MPSShape *shape, size_t place[SLUICE_MPSGRAPH_RANK],
			   size_t at[2])
{
	for (size_t k = shape->rank; k-- > 1;) {
		const size_t dimension = k - 1;
		for (size_t which = 0; which < 2; which++)
			at[which] += binary->strides[which][dimension];
		if (++place[dimension] < shape->size[dimension])
			return;
		for (size_t which = 0; which < 2; which++)
			at[which] -= binary->strides[which][dimension] * shape->size[dimension];
		place[dimension] = 0;
	}
}

static void binary_execute(const struct execution *execution, row_function compute)
{
	const MPSGraphOperation *node = execution->node;
	const struct binary *binary = node->options;
	const MPSShape *shape = &node->outputs[0].type.shape;
	const size_t last = shape->rank ? shape->rank - 1 : 0, width = shape->rank ? shape->size[last] : 1;
	const size_t elements = sluice__mpsgraph_elements(shape);
	const struct line to = line_of(execution->outputs[0], &node->outputs[0]);
	struct line operands[2];
	size_t place[SLUICE_MPSGRAPH_RANK] = {0}, at[2] = {0, 0};
	if (!to.at)
		return;
	for (size_t which = 0; which < 2; which++) {
		operands[which] = line_of(execution->inputs[which], node->inputs[which]);
		operands[which].stride = binary->strides[which][last];
	}
	for (size_t done = 0; done < elements; done += width) {
		binary_row(compute, operands, at, &to, done, width);
		binary_advance(binary, shape, place, at);
	}
}

static sluice_status add_execute(const struct execution *execution)
{
	binary_execute(execution, add_row);
	return SLUICE_OK;
}

static sluice_status multiply_execute(const struct execution *execution)
{
	binary_execute(execution, multiply_row);
	return SLUICE_OK;
}

static const struct node_kind ADDITION = {
	.name = "addition",
	.option_bytes = sizeof(struct binary),
	.execute = add_execute,
};
static const struct node_kind MULTIPLICATION = {
	.name = "multiplication",
	.option_bytes = sizeof(struct binary),
	.execute = multiply_execute,
};

/* Size of dimension k, counted from the last one, which a shape may not have. */
static size_t size_from_end(const MPSShape *shape, size_t k)
{
	return k < shape->rank ? shape->size[shape->rank - 1 - k] : 1;
}

static sluice_status binary_type(const struct node_kind *kind, MPSGraphTensor *const operands[2], struct type *type)
{
	char texts[2][MPS_SHAPE_TEXT];
	const struct type *a = &operands[0]->type, *b = &operands[1]->type;
	MPSShape shape = {.rank = a->shape.rank > b->shape.rank ? a->shape.rank : b->shape.rank};
	int fits = a->dataType == b->dataType;
	for (size_t k = 0; k < shape.rank; k++) {
		const size_t one = size_from_end(&a->shape, k), other = size_from_end(&b->shape, k);
		fits = fits && (one == other || one == 1 || other == 1);
		shape.size[shape.rank - 1 - k] = one == 1 ? other : one;
	}
	if (!fits)
		return MPS_INVALID("%s: %s and %s do not go together", kind->name,
				   sluice__mpsgraph_type_text(a, texts[0]), sluice__mpsgraph_type_text(b, texts[1]));
	return sluice__mpsgraph_type(kind->name, &shape, a->dataType, type);
}

static void binary_strides(MPSGraphTensor *const operands[2], size_t rank, struct binary *binary)
{
	for (size_t which = 0; which < 2; which++) {
		const MPSShape *shape = &operands[which]->type.shape;
		size_t stride = 1;
		for (size_t k = 0; k < shape->rank; k++) {
			const size_t size = size_from_end(shape, k);
			binary->strides[which][rank - 1 - k] = size == 1 ? 0 : stride;
			stride *= size;
		}
	}
}

static MPSGraphTensor *binary_node(MPSGraph *graph, const struct node_kind *kind, MPSGraphTensor *primary,
				   MPSGraphTensor *secondary, const char *name)
{
	MPSGraphTensor *operands[] = {primary, secondary};
	struct binary options = {0};
	struct type type;
	if (sluice__mpsgraph_given(kind->name, graph, primary) != SLUICE_OK ||
	    sluice__mpsgraph_given(kind->name, graph, secondary) != SLUICE_OK ||
	    binary_type(kind, operands, &type) != SLUICE_OK)
		return NULL;
	binary_strides(operands, type.shape.rank, &options);
	return sluice__mpsgraph_result(&(struct node_request){
		.graph = graph,
		.kind = kind,
		.inputs = operands,
		.input_count = 2,
		.outputs = &type,
		.output_count = 1,
		.options = &options,
		.name = name,
	});
}

MPSGraphTensor *MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(MPSGraph *graph, MPSGraphTensor *primary,
									MPSGraphTensor *secondary, const char *name)
{
	return binary_node(graph, &ADDITION, primary, secondary, name);
}

MPSGraphTensor *MPSGraph_multiplicationWithPrimaryTensor_secondaryTensor_name(MPSGraph *graph, MPSGraphTensor *primary,
									      MPSGraphTensor *secondary,
									      const char *name)
{
	return binary_node(graph, &MULTIPLICATION, primary, secondary, name);
}

/* --- dropout --- */

struct dropout {
	uint64_t number; /* among the dropouts of the graph */
	double rate;
};

/* A number whose bits all depend on all bits of x: the finalizer of SplitMix64. */
static uint64_t mixed(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static sluice_status dropout_execute(const struct execution *execution)
{
	const uint64_t golden = 0x9e3779b97f4a7c15u; /* SplitMix64's step from draw to draw */
	const struct dropout *dropout = execution->node->options;
	const MPSGraphTensor *tensor = &execution->node->outputs[0];
	const struct line from = line_of(execution->inputs[0], tensor), to = line_of(execution->outputs[0], tensor);
	const uint64_t start = mixed(mixed(execution->seed + golden) + golden * (dropout->number + 1));
	const uint64_t limit = (uint64_t)(dropout->rate * 0x1p53);
	const float factor = (float)(1 / (1 - dropout->rate));
	const size_t elements = to.at ? sluice__mpsgraph_elements(&tensor->type.shape) : 0;
	for (size_t k = 0; k < elements; k++) {
		const int kept = mixed(start + golden * (k + 1)) >> 11 >= limit;
		sluice__number_store(&to, k, kept ? factor * sluice__number_load(&from, k) : 0);
	}
	return SLUICE_OK;
}

static const struct node_kind DROPOUT = {
	.name = "dropout",
	.option_bytes = sizeof(struct dropout),
	.execute = dropout_execute,
};

MPSGraphTensor *MPSGraph_dropoutTensor_rate_name(MPSGraph *graph, MPSGraphTensor *tensor, double rate, const char *name)
{
	if (sluice__mpsgraph_given(DROPOUT.name, graph, tensor) != SLUICE_OK)
		return NULL;
	if (!(rate >= 0 && rate < 1)) {
		MPS_INVALID("%s: rate is %g, expected at least 0 and less than 1", DROPOUT.name, rate);
		return NULL;
	}
	const struct dropout options = {graph->dropout_count, rate};
	MPSGraphTensor *result = sluice__mpsgraph_result(&(struct node_request){
		.graph = graph,
		.kind = &DROPOUT,
		.inputs = &tensor,
		.input_count = 1,
		.outputs = &tensor->type,
		.output_count = 1,
		.options = &options,
		.name = name,
	});
	graph->dropout_count += result != NULL;
	return result;
}

/* --- cast --- */

static sluice_status cast_execute(const struct execution *execution)
{
	const MPSGraphOperation *node = execution->node;
	const struct line from = line_of(execution->inputs[0], node->inputs[0]);
	const struct line to = line_of(execution->outputs[0], &node->outputs[0]);
	if (to.at)
		sluice__number_convert(&to, &from, sluice__mpsgraph_elements(&node->outputs[0].type.shape), 1, 0);
	return SLUICE_OK;
}

static const struct node_kind CAST = {.name = "cast", .execute = cast_execute};

MPSGraphTensor *MPSGraph_castTensor_toType_name(MPSGraph *graph, MPSGraphTensor *tensor, MPSDataType dataType,
						const char *name)
{
	struct type type;
	if (sluice__mpsgraph_given(CAST.name, graph, tensor) != SLUICE_OK ||
	    sluice__mpsgraph_type(CAST.name, &tensor->type.shape, dataType, &type) != SLUICE_OK)
		return NULL;
	return sluice__mpsgraph_result(&(struct node_request){
		.graph = graph,
		.kind = &CAST,
		.inputs = &tensor,
		.input_count = 1,
		.outputs = &type,
		.output_count = 1,
		.name = name,
	});
}
