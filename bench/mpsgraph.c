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

/* One block of parameters of the core's model, in the order i f g o, which is Apple's. */
static const float *block_of(const struct bench *bench, const char *name)
{
	const float *block = sluice_model_parameters(bench->model, NULL);

	for (size_t index = 0; index < sluice_model_parameter_count(bench->model); index++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;

		if (sluice_model_parameter(bench->model, index, &parameter) == SLUICE_OK &&
		    !strcmp(parameter.name, name))
			return block + parameter.offset;
	}
	return NULL;
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

static sluice_status facade_create(struct bench *bench, const struct pass *pass, int threads, struct facade *out)
{
	sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;

	options.threads = threads;
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

static void facade_destroy(struct facade *facade)
{
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

static sluice_status measure(const char *problem, int backward, int fed, double seconds)
{
	const int threads = 1;
	struct bench bench;
	struct pass pass;
	struct facade facade = {.fed = fed};
	struct pair pair;
	sluice_status status = bench_create(problem, 0, backward, threads, &bench);

	if (status == SLUICE_OK)
		status = pass_create(&bench, backward, &pass);
	if (status == SLUICE_OK)
		status = facade_create(&bench, &pass, threads, &facade);
	if (status == SLUICE_OK) {
		const struct sluice__candidate measured = {.run = facade_run, .argument = &facade};
		const struct sluice__candidate reference = {.run = pass_run, .argument = &pass};

		status = pair_measure(&measured, &reference, seconds, &pair) ? SLUICE_INTERNAL : SLUICE_OK;
	}
	if (status == SLUICE_OK)
		printf("| %s | %s | %s | %.1f | %.1f | %.3f | %s |\n", problem,
		       backward ? "forward+backward" : "forward", fed ? "fed" : "constant", 1e6 * pair.measured,
		       1e6 * pair.reference, pair.ratio, sluice_plan_kernels(bench.plan));
	facade_destroy(&facade);
	bench_destroy(&bench);
	return status;
}

int main(int argc, char **argv)
{
	const int small = argc > 1 && !strcmp(argv[1], "--small");
	const char *problem = small ? "t5n3i4h8outputs" : argc > 1 ? argv[1] : "t25n16i128h128outputs";
	const double seconds = small ? 0 : 3;

	puts("| problem | pass | weights | us | us of the core | ratio, median of pairs | kernels |");
	puts("|---|---|---|---|---|---|---|");
	for (int index = 0; index < 4; index++)
		if (measure(problem, index / 2, index % 2, seconds) != SLUICE_OK) {
			fprintf(stderr, "mpsgraph: %s; %s\n", sluice_mpsgraph_last_message(), sluice_last_message());
			return EXIT_FAILURE;
		}
	return EXIT_SUCCESS;
}
