/* mpsgraph_run.c exists to run a graph as it is, and to keep the programs of recent runs for the next ones like them.
 */
#include "mpsgraph_internal.h"

#include <stdlib.h>
#include <string.h>

/* So many kinds of runs, such as training and evaluation of a few shapes, find their program again. */
enum { MOST_KEPT = 8 };

/* --- kept programs: each for one run at a time --- */

static struct program *take(const struct order *order)
{
	MPSGraph *graph = order->graph;
	pthread_mutex_lock(&graph->lock);
	struct program **link = &graph->kept;
	while (*link && !sluice__mpsgraph_program_matches(*link, order))
		link = &(*link)->next;
	struct program *program = *link;
	if (program)
		*link = program->next;
	pthread_mutex_unlock(&graph->lock);
	return program;
}

static void give(MPSGraph *graph, struct program *program)
{
	pthread_mutex_lock(&graph->lock);
	program->next = graph->kept;
	graph->kept = program;
	struct program **link = &graph->kept;
	for (size_t k = 0; *link && k < MOST_KEPT; k++)
		link = &(*link)->next;
	struct program *out = *link;
	*link = NULL;
	pthread_mutex_unlock(&graph->lock);
	sluice__mpsgraph_program_destroy(out);
}

void sluice__mpsgraph_forget(MPSGraph *graph)
{
	while (graph->kept) {
		struct program *program = graph->kept;
		graph->kept = program->next;
		sluice__mpsgraph_program_destroy(program);
	}
}

/* --- runs --- */

static sluice_status order_run(const struct order *order, MPSGraphTensorData *const *inputs,
			       MPSGraphTensorData *const *results)
{
	struct program *program = take(order);
	if (!program)
		MPS_TRY(sluice__mpsgraph_program(order, &program));
	const sluice_status status =
		sluice__mpsgraph_execute(program, inputs, results, atomic_load(&order->graph->seed));
	give(order->graph, program);
	return status;
}

/* The two halves of pairs. */
struct halves {
	MPSGraphTensor **tensors;
	MPSGraphTensorData **data;
};

static void halves_free(struct halves *halves)
{
	free(halves->tensors);
	free(halves->data);
}

static sluice_status halves_make(const char *what, const sluice_mpsgraph_pair *pairs, size_t count,
				 struct halves *halves)
{
	if (count && !pairs)
		return MPS_INVALID("%s are NULL, expected %zu", what, count);
	halves->tensors = sluice__object_allocate(count, sizeof *halves->tensors);
	halves->data = sluice__object_allocate(count, sizeof *halves->data);
	if (!halves->tensors || !halves->data)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t k = 0; k < count; k++) {
		halves->tensors[k] = pairs[k].tensor;
		halves->data[k] = pairs[k].data;
	}
	return SLUICE_OK;
}

static sluice_status lists_check(const MPSGraph *graph, const void *operations, size_t operation_count,
				 const void *commandQueue)
{
	if (!graph)
		return MPS_INVALID("graph is NULL");
	if (operation_count && !operations)
		return MPS_INVALID("targetOperations are NULL, expected %zu", operation_count);
	if (commandQueue)
		return sluice_fail(SLUICE_UNSUPPORTED, "commandQueue is %p, expected NULL: there are none",
				   commandQueue);
	return SLUICE_OK;
}

int MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(
	MPSGraph *graph, void *commandQueue, const sluice_mpsgraph_pair *feeds, size_t feedCount,
	MPSGraphOperation *const *targetOperations, size_t operationCount, const sluice_mpsgraph_pair *results,
	size_t resultCount)
{
	struct halves inputs = {NULL, NULL}, outputs = {NULL, NULL};
	sluice_status status = lists_check(graph, targetOperations, operationCount, commandQueue);
	if (status == SLUICE_OK)
		status = halves_make("feeds", feeds, feedCount, &inputs);
	if (status == SLUICE_OK)
		status = halves_make("results", results, resultCount, &outputs);
	if (status == SLUICE_OK)
		status = order_run(
			&(struct order){
				.graph = graph,
				.feeds = inputs.tensors,
				.feed_count = feedCount,
				.targets = outputs.tensors,
				.target_count = resultCount,
				.operations = targetOperations,
				.operation_count = operationCount,
			},
			inputs.data, outputs.data);
	halves_free(&inputs);
	halves_free(&outputs);
	return status == SLUICE_OK ? 0 : -1;
}

static sluice_status results_make(MPSGraph *graph, MPSGraphTensor *const *targets, size_t count,
				  sluice_mpsgraph_pair *pairs)
{
	for (size_t k = 0; k < count; k++) {
		MPS_TRY(sluice__mpsgraph_given("target", graph, targets[k]));
		pairs[k].tensor = targets[k];
		pairs[k].data = sluice__mpsgraph_data(&targets[k]->type);
		if (!pairs[k].data)
			return SLUICE_OUT_OF_MEMORY;
	}
	return SLUICE_OK;
}

static sluice_status target_lists_check(const void *targets, size_t count, const void *results)
{
	if (count && !targets)
		return MPS_INVALID("targetTensors are NULL, expected %zu", count);
	if (count && !results)
		return MPS_INVALID("results are NULL, expected room for %zu", count);
	return SLUICE_OK;
}

int MPSGraph_runWithFeeds_targetTensors_targetOperations(MPSGraph *graph, const sluice_mpsgraph_pair *feeds,
							 size_t feedCount, MPSGraphTensor *const *targetTensors,
							 size_t targetCount, MPSGraphOperation *const *targetOperations,
							 size_t operationCount, MPSGraphTensorData **results)
{
	if (target_lists_check(targetTensors, targetCount, results) != SLUICE_OK)
		return -1;
	sluice_mpsgraph_pair *pairs = sluice__object_allocate(targetCount, sizeof *pairs);
	if (!pairs)
		return -1;
	int failed = results_make(graph, targetTensors, targetCount, pairs) != SLUICE_OK ||
		     MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(
			     graph, NULL, feeds, feedCount, targetOperations, operationCount, pairs, targetCount) != 0;
	for (size_t k = 0; k < targetCount; k++) {
		if (failed)
			MPSGraphTensorData_release(pairs[k].data);
		else
			results[k] = pairs[k].data;
	}
	free(pairs);
	return failed ? -1 : 0;
}
