/* mpsgraph_executable.c exists to keep one program for many runs, in any threads. */
#include "mpsgraph_internal.h"

#include <stdlib.h>

struct MPSGraphExecutable {
	struct object object;
	MPSGraph *graph;
	struct program *program;
};

static void executable_destroy(void *object)
{
	MPSGraphExecutable *executable = object;
	sluice__mpsgraph_program_destroy(executable->program);
	MPSGraph_release(executable->graph);
	free(executable);
}

MPS_COUNTED(MPSGraphExecutable)

struct MPSGraphExecutableExecutionDescriptor {
	struct object object;
	uint64_t seed;
	int seeded;
};

MPS_COUNTED(MPSGraphExecutableExecutionDescriptor)

MPSGraphExecutableExecutionDescriptor *MPSGraphExecutableExecutionDescriptor_new(void)
{
	return sluice__object_new(sizeof(MPSGraphExecutableExecutionDescriptor), free);
}

int sluice_mpsgraph_execution_set_seed(MPSGraphExecutableExecutionDescriptor *descriptor, uint64_t seed)
{
	if (!descriptor)
		return MPS_INVALID("descriptor is NULL") == SLUICE_OK ? 0 : -1;
	descriptor->seed = seed;
	descriptor->seeded = 1;
	return 0;
}

static sluice_status order_check(const struct order *order, const void *device, const void *descriptor)
{
	if (!order->graph)
		return MPS_INVALID("graph is NULL");
	if (device)
		return sluice_fail(SLUICE_UNSUPPORTED, "device is %p, expected NULL: there are none", device);
	if (descriptor)
		return sluice_fail(SLUICE_UNSUPPORTED, "compilationDescriptor is %p, expected NULL: there are none",
				   descriptor);
	if (order->feed_count && !order->feeds)
		return MPS_INVALID("feeds are NULL, expected %zu", order->feed_count);
	if (order->target_count && !order->targets)
		return MPS_INVALID("targetTensors are NULL, expected %zu", order->target_count);
	if (order->operation_count && !order->operations)
		return MPS_INVALID("targetOperations are NULL, expected %zu", order->operation_count);
	return SLUICE_OK;
}

MPSGraphExecutable *MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
	MPSGraph *graph, void *device, MPSGraphTensor *const *feeds, size_t feedCount,
	MPSGraphTensor *const *targetTensors, size_t targetCount, MPSGraphOperation *const *targetOperations,
	size_t operationCount, void *compilationDescriptor)
{
	const struct order order = {
		.graph = graph,
		.feeds = feeds,
		.feed_count = feedCount,
		.targets = targetTensors,
		.target_count = targetCount,
		.operations = targetOperations,
		.operation_count = operationCount,
	};
	if (order_check(&order, device, compilationDescriptor) != SLUICE_OK)
		return NULL;
	MPSGraphExecutable *executable = sluice__object_new(sizeof *executable, executable_destroy);
	if (!executable)
		return NULL;
	executable->graph = MPSGraph_retain(graph);
	if (sluice__mpsgraph_program(&order, &executable->program) == SLUICE_OK)
		return executable;
	MPSGraphExecutable_release(executable);
	return NULL;
}

static sluice_status count_check(const char *what, const void *list, size_t count, size_t expected)
{
	if (count != expected)
		return MPS_INVALID("%s has %zu elements, expected %zu", what, count, expected);
	if (count && !list)
		return MPS_INVALID("%s is NULL, expected %zu elements", what, expected);
	return SLUICE_OK;
}

static sluice_status run_check(const MPSGraphExecutable *executable, const void *commandQueue, const void *inputs,
			       size_t input_count, const void *results, size_t result_count)
{
	if (!executable)
		return MPS_INVALID("executable is NULL");
	if (commandQueue)
		return sluice_fail(SLUICE_UNSUPPORTED, "commandQueue is %p, expected NULL: there are none",
				   commandQueue);
	MPS_TRY(count_check("inputsArray", inputs, input_count, executable->program->feed_count));
	return count_check("resultsArray", results, result_count, executable->program->target_count);
}

int MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
	MPSGraphExecutable *executable, void *commandQueue, MPSGraphTensorData *const *inputs, size_t inputCount,
	MPSGraphTensorData *const *results, size_t resultCount,
	const MPSGraphExecutableExecutionDescriptor *executionDescriptor)
{
	if (run_check(executable, commandQueue, inputs, inputCount, results, resultCount) != SLUICE_OK)
		return -1;
	const int seeded = executionDescriptor && executionDescriptor->seeded;
	const uint64_t seed = seeded ? executionDescriptor->seed : atomic_load(&executable->graph->seed);
	return sluice__mpsgraph_execute(executable->program, inputs, results, seed) == SLUICE_OK ? 0 : -1;
}
