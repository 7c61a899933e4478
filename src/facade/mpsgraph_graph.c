/* mpsgraph_graph.c exists to make graphs and their nodes, each checked to belong together, and to set their switches.
 */
#include "mpsgraph_internal.h"
#include "switches.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void node_destroy(MPSGraphOperation *node)
{
	free(node->inputs);
	free(node->outputs);
	free(node->options);
	free(node->data);
	free(node->name);
	free(node);
}

static void graph_destroy(void *object)
{
	MPSGraph *graph = object;
	sluice__mpsgraph_forget(graph);
	for (size_t each = 0; each < graph->node_count; each++)
		node_destroy(graph->nodes[each]);
	free(graph->nodes);
	pthread_mutex_destroy(&graph->lock);
	free(graph);
}

MPS_COUNTED(MPSGraph)

static const sluice_mpsgraph_options DEFAULTS = {
	.size = sizeof DEFAULTS,
	.hard_sigmoid_slope = 0.2f,
	.hard_sigmoid_offset = 0.5f,
};

MPSGraph *MPSGraph_new(void)
{
	MPSGraph *graph = sluice__object_new(sizeof *graph, graph_destroy);
	if (!graph)
		return NULL;
	if (pthread_mutex_init(&graph->lock, NULL) != 0) {
		free(graph);
		sluice_fail(SLUICE_OUT_OF_MEMORY, "pthread_mutex_init failed");
		return NULL;
	}
	graph->options = DEFAULTS;
	atomic_init(&graph->seed, 0);
	return graph;
}

/* --- switches --- */

static const struct switch_field SWITCHES[] = {
	{"peephole_output", offsetof(sluice_mpsgraph_options, peephole_output)},
	{"training_results", offsetof(sluice_mpsgraph_options, training_results)},
	{"bias_gradient_shape", offsetof(sluice_mpsgraph_options, bias_gradient_shape)},
	{"reverse_alignment", offsetof(sluice_mpsgraph_options, reverse_alignment)},
};

static sluice_status options_read(const sluice_mpsgraph_options *given, sluice_mpsgraph_options *options)
{
	MPS_TRY(sluice__switches_read(given, SWITCHES, sizeof SWITCHES / sizeof SWITCHES[0], sizeof *options, options));
	if (options->threads < 0)
		return MPS_INVALID("options.threads is %d, expected 0 or more", options->threads);
	if (!isfinite(options->hard_sigmoid_slope) || !isfinite(options->hard_sigmoid_offset))
		return MPS_INVALID("options.hard_sigmoid_slope and _offset are %g and %g, expected finite numbers",
				   (double)options->hard_sigmoid_slope, (double)options->hard_sigmoid_offset);
	if (options->hard_sigmoid_slope == 0 && options->hard_sigmoid_offset == 0) {
		options->hard_sigmoid_slope = DEFAULTS.hard_sigmoid_slope;
		options->hard_sigmoid_offset = DEFAULTS.hard_sigmoid_offset;
	}
	return SLUICE_OK;
}

static sluice_status options_set(MPSGraph *graph, const sluice_mpsgraph_options *given)
{
	sluice_mpsgraph_options options = {.size = sizeof options};
	if (!graph)
		return MPS_INVALID("graph is NULL");
	if (graph->node_count)
		return MPS_INVALID("graph has %zu nodes, expected none: its switches are set before",
				   graph->node_count);
	if (!given) {
		graph->options = DEFAULTS;
		return SLUICE_OK;
	}
	MPS_TRY(options_read(given, &options));
	graph->options = options;
	return SLUICE_OK;
}

int sluice_mpsgraph_set_options(MPSGraph *graph, const sluice_mpsgraph_options *options)
{
	return options_set(graph, options) == SLUICE_OK ? 0 : -1;
}

int sluice_mpsgraph_set_seed(MPSGraph *graph, uint64_t seed)
{
	if (!graph)
		return MPS_INVALID("graph is NULL") == SLUICE_OK ? 0 : -1;
	atomic_store(&graph->seed, seed);
	return 0;
}

/* --- nodes --- */

static void *copy_of(const void *from, size_t bytes)
{
	void *copy = sluice__object_allocate(1, bytes);
	if (copy && from)
		memcpy(copy, from, bytes);
	return copy;
}

static sluice_status inputs_check(const struct node_request *request)
{
	for (size_t k = 0; k < request->input_count; k++)
		if (request->inputs[k] && request->inputs[k]->operation->graph != request->graph)
			return MPS_INVALID("%s: input %zu is a tensor of another graph", request->kind->name, k);
	return SLUICE_OK;
}

static sluice_status room_make(MPSGraph *graph)
{
	enum { FIRST_ROOM = 16 };
	if (graph->node_count < graph->node_room)
		return SLUICE_OK;
	const size_t room = graph->node_room ? 2 * graph->node_room : FIRST_ROOM;
	MPSGraphOperation **nodes = realloc(graph->nodes, room * sizeof(*nodes));
	if (!nodes)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "realloc returned NULL for %zu nodes", room);
	graph->nodes = nodes;
	graph->node_room = room;
	return SLUICE_OK;
}

static void outputs_describe(const struct node_request *request, MPSGraphOperation *node)
{
	for (size_t k = 0; k < node->output_count; k++)
		node->outputs[k] = (MPSGraphTensor){
			.operation = node,
			.index = k,
			.number = node->graph->tensor_count + k,
			.type = request->outputs[k],
			.bytes = sluice__mpsgraph_bytes(&request->outputs[k]),
		};
}

/* Copies the request's parts into a node that has nothing yet. */
static sluice_status node_fill(const struct node_request *request, MPSGraphOperation *node)
{
	const char *name = request->name ? request->name : "";
	node->graph = request->graph;
	node->kind = request->kind;
	node->number = request->graph->node_count;
	node->input_count = request->input_count;
	node->output_count = request->output_count;
	node->inputs = copy_of(request->inputs, request->input_count * sizeof(MPSGraphTensor *));
	node->outputs = sluice__object_allocate(request->output_count, sizeof *node->outputs);
	node->options = copy_of(request->options, request->kind->option_bytes);
	node->name = copy_of(name, strlen(name) + 1);
	if (!node->inputs || !node->outputs || !node->options || !node->name)
		return SLUICE_OUT_OF_MEMORY;
	outputs_describe(request, node);
	if (!request->data)
		return SLUICE_OK;
	node->data = copy_of(request->data, node->outputs[0].bytes);
	return node->data ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
}

MPSGraphOperation *sluice__mpsgraph_node(const struct node_request *request)
{
	MPSGraph *graph = request->graph;
	if (!graph) {
		MPS_INVALID("%s: graph is NULL", request->kind->name);
		return NULL;
	}
	if (inputs_check(request) != SLUICE_OK || room_make(graph) != SLUICE_OK)
		return NULL;
	MPSGraphOperation *node = sluice__object_allocate(1, sizeof *node);
	if (!node)
		return NULL;
	if (node_fill(request, node) != SLUICE_OK) {
		node_destroy(node);
		return NULL;
	}
	graph->nodes[graph->node_count++] = node;
	graph->tensor_count += node->output_count;
	return node;
}

MPSGraphTensor *sluice__mpsgraph_result(const struct node_request *request)
{
	MPSGraphOperation *node = sluice__mpsgraph_node(request);
	return node ? &node->outputs[0] : NULL;
}

sluice_status sluice__mpsgraph_given(const char *what, const MPSGraph *graph, const MPSGraphTensor *tensor)
{
	if (!graph)
		return MPS_INVALID("%s: graph is NULL", what);
	if (!tensor)
		return MPS_INVALID("%s: tensor is NULL", what);
	if (tensor->operation->graph != graph)
		return MPS_INVALID("%s: tensor is one of another graph", what);
	return SLUICE_OK;
}

/* --- what tensors and nodes tell of themselves --- */

size_t MPSGraphTensor_shape(const MPSGraphTensor *tensor, size_t shape[SLUICE_MPSGRAPH_RANK])
{
	if (!tensor)
		return 0;
	if (shape)
		memcpy(shape, tensor->type.shape.size, tensor->type.shape.rank * sizeof shape[0]);
	return tensor->type.shape.rank;
}

MPSDataType MPSGraphTensor_dataType(const MPSGraphTensor *tensor)
{
	return tensor ? tensor->type.dataType : 0;
}

MPSGraphOperation *MPSGraphTensor_operation(const MPSGraphTensor *tensor)
{
	return tensor ? tensor->operation : NULL;
}

const char *MPSGraphOperation_name(const MPSGraphOperation *operation)
{
	return operation ? operation->name : "";
}

const char *sluice_mpsgraph_last_message(void)
{
	return sluice_last_message();
}
