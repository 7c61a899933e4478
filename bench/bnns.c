/*
 * bnns.c: measures what a call of BNNS costs beside the same run of the core, as the table of docs/BENCHMARKS.md: once
 * with its weights compared in each call, and once with the promise that they do not change.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paired.h"
#include "sluice/bnns.h"

enum { GATES = 4 };

/* The same network both ways: BNNS's descriptors point to the parameters of the core's model. */
struct facade {
	BNNSLayerParametersLSTM layer, deltas;
	BNNSFilterParameters filter;
	void *cache;
	size_t capacity;
	int constant; /* weights are promised not to change */
};

static void point(BNNSNDArrayDescriptor *descriptor, const float *data)
{
	descriptor->data = (void *)(uintptr_t)data;
	descriptor->data_type = BNNSDataTypeFloat32;
}

static BNNSLSTMGateDescriptor *gate_of(BNNSLayerParametersLSTM *layer, size_t gate)
{
	BNNSLSTMGateDescriptor *gates[GATES] = {&layer->input_gate, &layer->forget_gate, &layer->candidate_gate,
						&layer->output_gate};

	return gates[gate];
}

/* Points all gates at one block of parameters, or of their gradients. */
static sluice_status point_weights(const struct bench *bench, const float *block, BNNSLayerParametersLSTM *layer)
{
	for (size_t index = 0; index < sluice_model_parameter_count(bench->model); index++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;
		sluice_status status = sluice_model_parameter(bench->model, index, &parameter);
		const int input = !strncmp(parameter.name, "weight_ih", 9), bias = !strncmp(parameter.name, "bias", 4);

		if (status != SLUICE_OK)
			return status;
		for (size_t gate = 0; gate < GATES; gate++) {
			const size_t count = layer->hidden_size * (input  ? layer->input_size
								   : bias ? 1
									  : layer->hidden_size);
			BNNSLSTMGateDescriptor *to = gate_of(layer, gate);

			point(input  ? &to->iw_desc[0]
			      : bias ? &to->b_desc
				     : &to->hw_desc,
			      block + parameter.offset + gate * count);
		}
	}
	return SLUICE_OK;
}

static sluice_status arrays_create(struct bench *bench, const struct pass *pass, struct facade *out)
{
	const struct sluice__problem *problem = &bench->problem;
	const BNNSLayerParametersLSTM sizes = {.input_size = problem->inputs,
					       .hidden_size = bench->outputs,
					       .batch_size = problem->batch,
					       .num_layers = 1,
					       .seq_len = problem->steps,
					       .lstm_flags = BNNSLayerFlagsLSTMDefaultActivations};
	const size_t rows = problem->steps * problem->batch;
	size_t parameters;

	out->layer = out->deltas = sizes;
	out->filter.n_threads = 1;
	float *x = bench_random(bench, "x", rows * problem->inputs), *y = bench_take(bench, rows * bench->outputs, 4);
	if (!x || !y)
		return SLUICE_OUT_OF_MEMORY;
	point(&out->layer.input_descriptor.data_desc, x);
	point(&out->layer.output_descriptor.data_desc, y);
	sluice_status status = point_weights(bench, sluice_model_parameters(bench->model, &parameters), &out->layer);
	if (status != SLUICE_OK || !pass->backward)
		return status;
	float *dx = bench_take(bench, rows * problem->inputs, 4), *gradients = bench_take(bench, parameters, 4);
	out->capacity = BNNSComputeLSTMTrainingCacheCapacity(&out->layer);
	out->cache = bench_take(bench, out->capacity, 1);
	if (!dx || !gradients || !out->cache)
		return SLUICE_OUT_OF_MEMORY;
	point(&out->deltas.output_descriptor.data_desc, pass->gradients.dy);
	point(&out->deltas.input_descriptor.data_desc, dx);
	return point_weights(bench, gradients, &out->deltas);
}

static sluice_status facade_create(struct bench *bench, const struct pass *pass, void *argument)
{
	struct facade *facade = argument;
	sluice_status status = arrays_create(bench, pass, facade);

	if (status == SLUICE_OK && sluice_bnns_weights_constant(&facade->layer, facade->constant) != 0)
		status = SLUICE_INTERNAL;
	return status;
}

static int facade_run(void *argument)
{
	struct facade *facade = argument;
	int result = BNNSDirectApplyLSTMBatchTrainingCaching(&facade->layer, &facade->filter, facade->cache,
							     facade->capacity);

	if (result == 0 && facade->cache)
		result = BNNSDirectApplyLSTMBatchBackward(&facade->layer, &facade->deltas, &facade->filter,
							  facade->cache, facade->capacity);
	return result;
}

static void facade_destroy(void *argument)
{
	struct facade *facade = argument;

	if (facade->constant)
		sluice_bnns_weights_constant(&facade->layer, 0);
}

int main(int argc, char **argv)
{
	static const char *const words[] = {"compared | 1", "promised | 1"};
	const int small = argc > 1 && !strcmp(argv[1], "--small");
	const char *problem = small ? "t5n3i4h8" : argc > 1 ? argv[1] : "t25n16i128h128";
	const double seconds = small ? 0 : 3;

	puts("| problem | pass | weights | threads | us | us of the core | ratio, median of pairs | kernels |");
	puts("|---|---|---|---|---|---|---|---|");
	for (int k = 0; k < 4; k++) {
		struct facade facade = {.constant = k % 2};
		const struct front front = {words[k % 2], facade_create, facade_run, facade_destroy, &facade};

		if (front_measure(problem, k / 2, &front, seconds) != SLUICE_OK) {
			fprintf(stderr, "bnns: %s\n", sluice_last_message());
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
