/*
 * mpsgraph.c: measures what a run of an executable of MPSGraph costs beside the same run of the core, as the table of
 * docs/BENCHMARKS.md. Backward starts from gates and c in both: problems have the option `outputs`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paired.h"
#include "sluice/mpsgraph.h"

enum { PLACES = 8 };

/* An LSTM in one executable: x, R, W, b and dy in, h alone or all gradients out. */
struct facade {
	MPSGraph *graph;
	MPSGraphExecutable *executable;
	MPSGraphTensor *feeds[PLACES], *targets[PLACES];
	MPSGraphTensorData *inputs[PLACES], *results[PLACES];
	size_t feed_count, target_count;
	int fed; /* weights are fed */
};

static MPSGraphTensor *feed(struct facade *facade, const MPSShape *shape, const float *data)
{
	MPSGraphTensor *tensor =
		MPSGraph_placeholderWithShape_dataType_name(facade->graph, shape, MPSDataTypeFloat32, NULL);

	facade->feeds[facade->feed_count] = tensor;
	facade->inputs[facade->feed_count++] =
		MPSGraphTensorData_initWithData_shape_dataType((void *)(uintptr_t)data, shape, MPSDataTypeFloat32);
	return tensor;
}

static sluice_status target(struct bench *bench, struct facade *facade, MPSGraphTensor *tensor)
{
	MPSShape shape;
	size_t count = 1;

	if (!tensor)
		return SLUICE_INTERNAL;
	shape.rank = MPSGraphTensor_shape(tensor, shape.size);
	for (size_t index = 0; index < shape.rank; index++)
		count *= shape.size[index];
	float *memory = bench_take(bench, count, sizeof(float));

	if (!memory)
		return SLUICE_OUT_OF_MEMORY;
	facade->targets[facade->target_count] = tensor;
	facade->results[facade->target_count++] =
		MPSGraphTensorData_initWithData_shape_dataType(memory, &shape, MPSDataTypeFloat32);
	return SLUICE_OK;
}

/* Weights: fed to every run, or constants of the graph. */
static MPSGraphTensor *weights(struct facade *facade, const MPSShape *shape, const float *data)
{
	if (facade->fed)
		return feed(facade, shape, data);
	return MPSGraph_constantWithData_shape_dataType(facade->graph, data, shape, MPSDataTypeFloat32);
}

static const float *block_of(const struct bench *bench, const char *name)
{
	return bench_parameter(bench, sluice_model_parameters(bench->model, NULL), name);
}

static sluice_status nodes_create(struct bench *bench, const struct pass *pass, struct facade *out)
{
	const size_t T = bench->problem.steps, N = bench->problem.batch, I = bench->problem.inputs, H = bench->outputs;
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
	MPSGraphTensor *const x = feed(out, SLUICE_MPS_SHAPE(T, N, I), pass->run.x);
	MPSGraphTensor *const R = weights(out, SLUICE_MPS_SHAPE(4 * H, H), block_of(bench, "weight_hh_l0"));
	MPSGraphTensor *const W = weights(out, SLUICE_MPS_SHAPE(4 * H, I), block_of(bench, "weight_ih_l0"));
	MPSGraphTensor *const b = weights(out, SLUICE_MPS_SHAPE(4 * H), block_of(bench, "bias_l0"));

	MPSGraphLSTMDescriptor_setTraining(descriptor, pass->backward);
	MPSGraphLSTMDescriptor_setProduceCell(descriptor, pass->backward);
	const MPSGraphLSTMResults lstm =
		MPSGraph_LSTM(out->graph, x, R, W, b, NULL, NULL, NULL, NULL, descriptor, NULL);
	sluice_status status = target(bench, out, lstm.state);

	if (status == SLUICE_OK && pass->backward) {
		MPSGraphTensor *const dy = feed(out, SLUICE_MPS_SHAPE(T, N, H), pass->gradients.dy);
		const MPSGraphLSTMGradientsResults d =
			MPSGraph_LSTMGradients(out->graph, x, R, dy, lstm.training, lstm.cell, NULL, NULL, W, b, NULL,
					       NULL, NULL, NULL, descriptor, NULL);

		for (size_t index = 0; index < d.count && status == SLUICE_OK; index++)
			status = target(bench, out, d.array[index]);
	}
	MPSGraphLSTMDescriptor_release(descriptor);
	return status;
}

static sluice_status facade_create(struct bench *bench, const struct pass *pass, void *argument)
{
	struct facade *out = argument;
	sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;

	options.threads = 1;
	out->graph = MPSGraph_new();
	if (!out->graph || sluice_mpsgraph_set_options(out->graph, &options) != 0)
		return SLUICE_INTERNAL;
	sluice_status status = nodes_create(bench, pass, out);

	if (status != SLUICE_OK)
		return status;
	out->executable = MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
		out->graph, NULL, out->feeds, out->feed_count, out->targets, out->target_count, NULL, 0, NULL);
	return out->executable ? SLUICE_OK : SLUICE_INTERNAL;
}

static void facade_destroy(void *argument)
{
	struct facade *facade = argument;

	for (size_t index = 0; index < facade->feed_count; index++)
		MPSGraphTensorData_release(facade->inputs[index]);
	for (size_t index = 0; index < facade->target_count; index++)
		MPSGraphTensorData_release(facade->results[index]);
	MPSGraphExecutable_release(facade->executable);
	MPSGraph_release(facade->graph);
}

static int facade_run(void *argument)
{
	struct facade *facade = argument;

	return MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
		facade->executable, NULL, facade->inputs, facade->feed_count, facade->results, facade->target_count,
		NULL);
}

int main(int argc, char **argv)
{
	const int small = argc > 1 && !strcmp(argv[1], "--small");
	const char *problem = small ? "t5n3i4h8outputs" : argc > 1 ? argv[1] : "t25n16i128h128outputs";
	const double seconds = small ? 0 : 3;

	puts("| problem | pass | weights | us | us of the core | ratio, median of pairs | kernels |");
	puts("|---|---|---|---|---|---|---|");
	for (int index = 0; index < 4; index++) {
		struct facade facade = {.fed = index % 2};
		const struct front front = {facade.fed ? "fed" : "constant", facade_create, facade_run, facade_destroy,
					    &facade};

		if (front_measure(problem, index / 2, &front, seconds) != SLUICE_OK) {
			fprintf(stderr, "mpsgraph: %s; %s\n", sluice_mpsgraph_last_message(), sluice_last_message());
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
