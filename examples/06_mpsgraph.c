/*
 * 06_mpsgraph.c: a stack of bidirectional LSTMs with dropout between them and all its gradients, made of single LSTMs
 * and the other nodes of a graph, as a framework on MPSGraph makes it.
 *
 * Shows batches first (transposed at the edges), PyTorch's parameters and states (joined for the graph, and their
 * gradients taken apart again), dropout whose mask backward sees, one executable that trains and one that evaluates.
 * With the name of a file of PyTorch's numbers it compares all results with those; without, it trains a little.
 */
#include <sluice/io.h>
#include <sluice/mpsgraph.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 2, T = 5, N = 3, I = 4, H = 3, ITEMS = 64, ROUNDS = 200 };

/* A tensor of the graph that is fed or asked for, and its data. */
struct item {
	char name[32];
	MPSGraphTensor *tensor;
	MPSGraphTensorData *data;
	float *values;
	size_t count;
};

struct items {
	struct item at[ITEMS];
	size_t count;
};

struct network {
	MPSGraph *graph;
	MPSGraphLSTMDescriptor *descriptor;
	struct items feeds, results;
	MPSGraphTensor *mask, *y; /* of dropout [T,N,2H]; of the last layer, batch first */
	struct {
		MPSGraphTensor *x, *R, *W, *b, *h0, *c0;
		MPSGraphLSTMResults lstm;
	} layers[LAYERS];
};

static void *need(void *object)
{
	if (object)
		return object;
	fprintf(stderr, "%s\n", sluice_mpsgraph_last_message());
	exit(1);
}

static void check(int failed)
{
	need(failed ? NULL : &failed);
}

/* ------------------------------------------------------------------------------------------------------ items ---- */

static struct item *item_add(struct items *items, const char *name, MPSGraphTensor *tensor)
{
	struct item *item = &items->at[items->count++];
	MPSShape shape;

	shape.rank = MPSGraphTensor_shape(need(tensor), shape.size);
	snprintf(item->name, sizeof(item->name), "%s", name);
	item->tensor = tensor;
	item->count = 1;
	for (size_t index = 0; index < shape.rank; index++)
		item->count *= shape.size[index];
	item->values = calloc(item->count, sizeof(float));
	if (!item->values)
		exit(1);
	item->data = need(MPSGraphTensorData_initWithData_shape_dataType(item->values, &shape, MPSDataTypeFloat32));
	return item;
}

static struct item *find(struct items *items, const char *name)
{
	for (size_t index = 0; index < items->count; index++)
		if (strcmp(items->at[index].name, name) == 0)
			return &items->at[index];
	fprintf(stderr, "no %s\n", name);
	exit(1);
}

static MPSGraphTensor *feed(struct network *net, const char *name, const MPSShape *shape)
{
	MPSGraphTensor *tensor =
		need(MPSGraph_placeholderWithShape_dataType_name(net->graph, shape, MPSDataTypeFloat32, name));

	item_add(&net->feeds, name, tensor);
	return tensor;
}

static void items_free(struct items *items)
{
	for (size_t index = 0; index < items->count; index++) {
		MPSGraphTensorData_release(items->at[index].data);
		free(items->at[index].values);
	}
}

/* ------------------------------------------------------------------------------------------- single operations ---- */

static MPSGraphTensor *swap(struct network *net, MPSGraphTensor *tensor)
{
	return need(MPSGraph_transposeTensor_dimension_withDimension_name(net->graph, tensor, 0, 1, NULL));
}

static MPSGraphTensor *cut(struct network *net, MPSGraphTensor *tensor, size_t dimension, size_t start, size_t length)
{
	return need(MPSGraph_sliceTensor_dimension_start_length_name(net->graph, tensor, dimension, (ptrdiff_t)start,
								     (ptrdiff_t)length, NULL));
}

static MPSGraphTensor *join(struct network *net, MPSGraphTensor *const *tensors, size_t count)
{
	return need(MPSGraph_concatTensors_dimension_name(net->graph, tensors, count, 0, NULL));
}

static MPSGraphTensor *times(struct network *net, MPSGraphTensor *a, MPSGraphTensor *b)
{
	return need(MPSGraph_multiplicationWithPrimaryTensor_secondaryTensor_name(net->graph, a, b, NULL));
}

static MPSGraphTensor *plus(struct network *net, MPSGraphTensor *a, MPSGraphTensor *b)
{
	return need(MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(net->graph, a, b, NULL));
}

/* PyTorch's [2,N,H] of a layer as MPSGraph's [N,2H], and back. */
static MPSGraphTensor *state_in(struct network *net, MPSGraphTensor *states, size_t layer)
{
	return need(MPSGraph_reshapeTensor_withShape_name(net->graph, swap(net, cut(net, states, 0, 2 * layer, 2)),
							  SLUICE_MPS_SHAPE(N, 2 * H), NULL));
}

static MPSGraphTensor *state_out(struct network *net, MPSGraphTensor *state)
{
	return swap(net,
		    need(MPSGraph_reshapeTensor_withShape_name(net->graph, state, SLUICE_MPS_SHAPE(N, 2, H), NULL)));
}

/* The states after the last step, [2,N,H]: forward at the end of time, reverse at its beginning. */
static MPSGraphTensor *last_of(struct network *net, MPSGraphTensor *sequence)
{
	return join(net,
		    (MPSGraphTensor *[]){cut(net, cut(net, sequence, 0, T - 1, 1), 2, 0, H),
					 cut(net, cut(net, sequence, 0, 0, 1), 2, H, H)},
		    2);
}

/* ---------------------------------------------------------------------------------------------------- network ---- */

static const char *const suffixes[2] = {"", "_reverse"};

static MPSGraphTensor *parameter(struct network *net, const char *kind, size_t layer, size_t d, const MPSShape *shape)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_l%zu%s", kind, layer, suffixes[d]);
	return feed(net, name, shape);
}

/* PyTorch's parameters of both directions, joined. */
static void layer_feed(struct network *net, size_t layer)
{
	MPSGraphTensor *R[2], *W[2], *b[2];

	for (size_t d = 0; d < 2; d++) {
		W[d] = parameter(net, "weight_ih", layer, d, SLUICE_MPS_SHAPE(4 * H, layer ? 2 * H : I));
		R[d] = parameter(net, "weight_hh", layer, d, SLUICE_MPS_SHAPE(4 * H, H));
		R[d] = need(MPSGraph_expandDimsOfTensor_axis_name(net->graph, R[d], 0, NULL));
		b[d] = plus(net, parameter(net, "bias_ih", layer, d, SLUICE_MPS_SHAPE(4 * H)),
			    parameter(net, "bias_hh", layer, d, SLUICE_MPS_SHAPE(4 * H)));
	}
	net->layers[layer].R = join(net, R, 2);
	net->layers[layer].W = join(net, W, 2);
	net->layers[layer].b = join(net, b, 2);
}

static void forward(struct network *net, size_t layer)
{
	net->layers[layer].lstm = MPSGraph_LSTM(net->graph, net->layers[layer].x, net->layers[layer].R,
						net->layers[layer].W, net->layers[layer].b, net->layers[layer].h0,
						net->layers[layer].c0, NULL, NULL, net->descriptor, NULL);
	need(net->layers[layer].lstm.state);
}

/* Everything up to y. Without a mask that is fed, dropout of ones is the mask, where it drops at all. */
static void network_create(struct network *net, int fed_mask, double rate)
{
	MPSGraphTensor *h0, *c0, *x, *hn[LAYERS], *cn[LAYERS];

	memset(net, 0, sizeof(*net));
	net->graph = need(MPSGraph_new());
	net->descriptor = need(MPSGraphLSTMDescriptor_descriptor());
	MPSGraphLSTMDescriptor_setBidirectional(net->descriptor, 1);
	MPSGraphLSTMDescriptor_setTraining(net->descriptor, 1);
	MPSGraphLSTMDescriptor_setProduceCell(net->descriptor, 1);
	x = swap(net, feed(net, "x", SLUICE_MPS_SHAPE(N, T, I)));
	h0 = feed(net, "h0", SLUICE_MPS_SHAPE(2 * LAYERS, N, H));
	c0 = feed(net, "c0", SLUICE_MPS_SHAPE(2 * LAYERS, N, H));
	net->mask = fed_mask ? swap(net, feed(net, "mask", SLUICE_MPS_SHAPE(N, T, 2 * H)))
			     : need(MPSGraph_dropoutTensor_rate_name(
				       net->graph,
				       need(MPSGraph_constantWithScalar_shape_dataType(
					       net->graph, 1, SLUICE_MPS_SHAPE(T, N, 2 * H), MPSDataTypeFloat32)),
				       rate, "mask"));
	for (size_t layer = 0; layer < LAYERS; layer++) {
		layer_feed(net, layer);
		net->layers[layer].x = x;
		net->layers[layer].h0 = state_in(net, h0, layer);
		net->layers[layer].c0 = state_in(net, c0, layer);
		forward(net, layer);
		hn[layer] = last_of(net, net->layers[layer].lstm.state);
		cn[layer] = last_of(net, net->layers[layer].lstm.cell);
		x = net->layers[layer].lstm.state;
		if (layer + 1 < LAYERS)
			x = times(net, x, net->mask);
	}
	net->y = swap(net, x);
	item_add(&net->results, "y", net->y);
	item_add(&net->results, "hn", join(net, hn, LAYERS));
	item_add(&net->results, "cn", join(net, cn, LAYERS));
}

static void gradient_out(struct network *net, const char *kind, size_t layer, size_t d, MPSGraphTensor *gradient)
{
	char name[32];

	snprintf(name, sizeof(name), "d%s_l%zu%s", kind, layer, suffixes[d]);
	item_add(&net->results, name, gradient);
}

/* All gradients from those of y [N,T,2H] and of the last states, which may be NULL. */
static void backward(struct network *net, MPSGraphTensor *dy, MPSGraphTensor *dhn, MPSGraphTensor *dcn)
{
	MPSGraphTensor *dh0[LAYERS], *dc0[LAYERS];

	dy = swap(net, dy);
	for (size_t layer = LAYERS; layer-- > 0;) {
		if (layer + 1 < LAYERS)
			dy = times(net, dy, net->mask);
		const MPSGraphLSTMGradientsResults d = MPSGraph_LSTMGradients(
			net->graph, net->layers[layer].x, net->layers[layer].R, dy, net->layers[layer].lstm.training,
			net->layers[layer].lstm.cell, dhn ? state_in(net, dhn, layer) : NULL,
			dcn ? state_in(net, dcn, layer) : NULL, net->layers[layer].W, net->layers[layer].b,
			net->layers[layer].h0, net->layers[layer].c0, NULL, NULL, net->descriptor, NULL);

		dy = need(d.source);
		dh0[layer] = state_out(net, d.initState);
		dc0[layer] = state_out(net, d.initCell);
		for (size_t k = 0; k < 2; k++) {
			gradient_out(net, "weight_ih", layer, k, cut(net, d.inputWeight, 0, k * 4 * H, 4 * H));
			gradient_out(net, "weight_hh", layer, k,
				     need(MPSGraph_squeezeTensor_axis_name(
					     net->graph, cut(net, d.recurrentWeight, 0, k, 1), 0, NULL)));
			gradient_out(net, "bias_ih", layer, k, cut(net, d.bias, 0, k * 4 * H, 4 * H));
			gradient_out(net, "bias_hh", layer, k, cut(net, d.bias, 0, k * 4 * H, 4 * H));
		}
	}
	item_add(&net->results, "dx", swap(net, dy));
	item_add(&net->results, "dh0", join(net, dh0, LAYERS));
	item_add(&net->results, "dc0", join(net, dc0, LAYERS));
}

static void network_destroy(struct network *net)
{
	items_free(&net->feeds);
	items_free(&net->results);
	MPSGraphLSTMDescriptor_release(net->descriptor);
	MPSGraph_release(net->graph);
}

/* The first `count` results. */
static MPSGraphExecutable *compile(struct network *net, size_t count)
{
	MPSGraphTensor *feeds[ITEMS], *targets[ITEMS];

	for (size_t index = 0; index < net->feeds.count; index++)
		feeds[index] = net->feeds.at[index].tensor;
	for (size_t index = 0; index < count; index++)
		targets[index] = net->results.at[index].tensor;
	return need(MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
		net->graph, NULL, feeds, net->feeds.count, targets, count, NULL, 0, NULL));
}

static void run(MPSGraphExecutable *executable, struct network *net, size_t count,
		const MPSGraphExecutableExecutionDescriptor *descriptor)
{
	MPSGraphTensorData *inputs[ITEMS], *results[ITEMS];

	for (size_t index = 0; index < net->feeds.count; index++)
		inputs[index] = net->feeds.at[index].data;
	for (size_t index = 0; index < count; index++)
		results[index] = net->results.at[index].data;
	check(MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
		executable, NULL, inputs, net->feeds.count, results, count, descriptor));
}

/* -------------------------------------------------------------------------------------------- PyTorch's numbers -- */

static double *read_doubles(const sluice_tensors *file, const struct item *item)
{
	double *values = malloc(item->count * sizeof(*values));

	if (!values || sluice_tensors_read(file, item->name, SLUICE_ELEMENT_F64, item->count, values) != SLUICE_OK) {
		fprintf(stderr, "%s\n", sluice_last_message());
		exit(1);
	}
	return values;
}

/* Roundings on the longest way through the network: in each step of each layer, forward and backward, a sum of up to 3H
 * products and two biases; then a sum over all rows. Each is at most 2^-24 of a number of the result's own size or of
 * 1, which gates and states do not exceed. */
static int compare(const struct item *item, const double *expected)
{
	const double roundings = 2.0 * LAYERS * T * (3 * H + 2) + T * N;
	double largest = 0, error = 0;

	for (size_t index = 0; index < item->count; index++) {
		largest = fmax(largest, fabs(expected[index]));
		error = fmax(error, fabs((double)item->values[index] - expected[index]));
	}
	if (error <= roundings * 0x1p-24 * fmax(largest, 1))
		return 1;
	printf("%s is off by %g, the largest being %g\n", item->name, error, largest);
	return 0;
}

static int compare_all(const char *path)
{
	struct network net;
	sluice_context *context;
	sluice_tensors *file;
	MPSGraphExecutable *executable;
	int same = 1;

	network_create(&net, 1, 0);
	MPSGraphTensor *const dy = feed(&net, "dy", SLUICE_MPS_SHAPE(N, T, 2 * H));
	MPSGraphTensor *const dhn = feed(&net, "dhn", SLUICE_MPS_SHAPE(2 * LAYERS, N, H));

	backward(&net, dy, dhn, feed(&net, "dcn", SLUICE_MPS_SHAPE(2 * LAYERS, N, H)));
	if (sluice_context_create(NULL, &context) != SLUICE_OK ||
	    sluice_tensors_open(context, path, &file) != SLUICE_OK) {
		fprintf(stderr, "%s\n", sluice_last_message());
		return 0;
	}
	for (size_t each = 0; each < net.feeds.count; each++) {
		double *values = read_doubles(file, &net.feeds.at[each]);

		for (size_t index = 0; index < net.feeds.at[each].count; index++)
			net.feeds.at[each].values[index] = (float)values[index];
		free(values);
	}
	executable = compile(&net, net.results.count);
	run(executable, &net, net.results.count, NULL);
	for (size_t each = 0; each < net.results.count; each++) {
		double *expected = read_doubles(file, &net.results.at[each]);

		same = compare(&net.results.at[each], expected) && same;
		free(expected);
	}
	printf("%zu results are PyTorch's: %s\n", net.results.count, same ? "yes" : "no");
	MPSGraphExecutable_release(executable);
	network_destroy(&net);
	sluice_tensors_destroy(file);
	sluice_context_destroy(context);
	return same;
}

/* --------------------------------------------------------------------------------------------------- training ---- */

static void fill(struct items *items, float scale)
{
	uint32_t state = 1;

	for (size_t each = 0; each < items->count; each++)
		for (size_t index = 0; index < items->at[each].count; index++) {
			state = state * 1664525u + 1013904223u;
			items->at[each].values[index] = scale * ((float)(state >> 8) * 0x1p-23f - 1.0f);
		}
}

static double loss_of(struct network *net)
{
	const struct item *y = find(&net->results, "y"), *target = find(&net->feeds, "target");
	double sum = 0;

	for (size_t index = 0; index < y->count; index++)
		sum += pow((double)y->values[index] + (double)target->values[index], 2);
	return sum / 2;
}

/* Every parameter goes down its slope. */
static void descend(struct network *net, float rate)
{
	for (size_t each = 0; each < net->results.count; each++) {
		const struct item *slope = &net->results.at[each];

		if (strncmp(slope->name, "dweight", 7) != 0 && strncmp(slope->name, "dbias", 5) != 0)
			continue;
		struct item *to = find(&net->feeds, slope->name + 1);

		for (size_t index = 0; index < to->count; index++)
			to->values[index] -= rate * slope->values[index];
	}
}

/* Learns a sequence by heart. y - target is y + target in a network that learns its negative: there is no subtraction.
 */
static int train(void)
{
	struct network net, plain;
	MPSGraphExecutableExecutionDescriptor *execution = need(MPSGraphExecutableExecutionDescriptor_new());
	double before, after;

	network_create(&net, 0, 0.1);
	backward(&net, plus(&net, net.y, feed(&net, "target", SLUICE_MPS_SHAPE(N, T, 2 * H))), NULL, NULL);
	network_create(&plain, 0, 0);
	feed(&plain, "target", SLUICE_MPS_SHAPE(N, T, 2 * H));
	fill(&net.feeds, 0.5f);
	MPSGraphExecutable *const training = compile(&net, net.results.count), *const evaluation = compile(&plain, 1);

	for (size_t round = 0; round <= ROUNDS; round++) {
		if (round % ROUNDS == 0) {
			/* Evaluation has the same weights and drops nothing. */
			for (size_t each = 0; each < net.feeds.count; each++)
				memcpy(plain.feeds.at[each].values, net.feeds.at[each].values,
				       net.feeds.at[each].count * sizeof(float));
			run(evaluation, &plain, 1, NULL);
			*(round ? &after : &before) = loss_of(&plain);
		}
		check(sluice_mpsgraph_execution_set_seed(execution, round));
		run(training, &net, net.results.count, execution);
		descend(&net, 0.2f);
	}
	printf("loss %.4f before training, %.4f after it\n", before, after);
	MPSGraphExecutable_release(training);
	MPSGraphExecutable_release(evaluation);
	MPSGraphExecutableExecutionDescriptor_release(execution);
	network_destroy(&net);
	network_destroy(&plain);
	return after < before / 2;
}

int main(int argc, char **argv)
{
	return (argc > 1 ? compare_all(argv[1]) : train()) ? 0 : 1;
}
