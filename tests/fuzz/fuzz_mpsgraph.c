/*
 * fuzz_mpsgraph.c: whatever nodes somebody makes of whatever tensors, each is a sound tensor or a refusal with a
 * sentence, and a graph that can be run gives the same bits as an executable of it.
 *
 * Bytes choose kinds of nodes, their tensors among those there are, axes, shapes and types: mostly what fits, now and
 * then what does not. LSTMs are also made of tensors of their own, one of which may be of a wrong shape.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "sluice/mpsgraph.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { MOST_TENSORS = 96, MOST_NODES = 24, MOST_ELEMENTS = 4096, MOST_TARGETS = 3 };

struct scene {
	struct input input;
	MPSGraph *graph;
	MPSGraphTensor *tensors[MOST_TENSORS], *feeds[MOST_TENSORS];
	size_t count, feed_count, elements; /* the last: of the largest tensor */
	void *memory[2 * MOST_TENSORS];
	size_t memory_count;
};

/* One choice in thirty-two is an odd one. */
static int odd(struct input *input)
{
	return next(input) % 32 == 31;
}

static MPSDataType draw_type(struct input *input)
{
	static const MPSDataType types[] = {MPSDataTypeFloat32, MPSDataTypeFloat16, MPSDataTypeBFloat16,
					    MPSDataTypeFloat32, 0x20000020u};

	return types[odd(input) ? 4 : next(input) % 4];
}

static MPSShape draw_shape(struct input *input)
{
	static const size_t strange[] = {0, SIZE_MAX, SIZE_MAX / 2 + 1, (size_t)1 << 32};
	MPSShape shape = {.rank = odd(input) ? next(input) : next(input) % 5};

	for (size_t index = 0; index < shape.rank && index < SLUICE_MPSGRAPH_RANK; index++)
		shape.size[index] = odd(input) ? strange[next(input) % 4] : (size_t)1 + next(input) % 4;
	return shape;
}

static ptrdiff_t draw_axis(struct input *input)
{
	return odd(input) ? PTRDIFF_MIN : (ptrdiff_t)(next(input) % 8) - 3;
}

/* The elements of a shape; 0 if it is none: no tensor has more bytes than a ptrdiff_t counts. */
static size_t elements_of(size_t rank, const size_t *size)
{
	size_t elements = 1;

	for (size_t index = 0; index < rank; index++) {
		if (!size[index] || elements > SIZE_MAX / 4 / size[index])
			return 0;
		elements *= size[index];
	}
	return elements;
}

static size_t bytes_of(const MPSGraphTensor *tensor)
{
	size_t size[SLUICE_MPSGRAPH_RANK];
	const size_t rank = MPSGraphTensor_shape(tensor, size);

	return elements_of(rank, size) * (MPSGraphTensor_dataType(tensor) == MPSDataTypeFloat32 ? 4 : 2);
}

/* One tensor of those there are, or none. */
static MPSGraphTensor *pick(struct scene *scene)
{
	if (!scene->count || odd(&scene->input))
		return NULL;
	return scene->tensors[next(&scene->input) % scene->count];
}

/* Takes what a call gave: a tensor that is sound, or nothing and a sentence. */
static void take(struct scene *scene, MPSGraphTensor *tensor)
{
	size_t size[SLUICE_MPSGRAPH_RANK], elements;

	if (!tensor) {
		if (!*sluice_mpsgraph_last_message())
			abort();
		return;
	}
	const size_t rank = MPSGraphTensor_shape(tensor, size);

	if (rank > SLUICE_MPSGRAPH_RANK)
		abort();
	elements = elements_of(rank, size);
	if (!elements)
		abort();
	if (elements > scene->elements)
		scene->elements = elements;
	if (scene->count < MOST_TENSORS)
		scene->tensors[scene->count++] = tensor;
}

static MPSGraphTensor *placeholder(struct scene *scene, const MPSShape *shape, MPSDataType type)
{
	MPSGraphTensor *tensor = MPSGraph_placeholderWithShape_dataType_name(scene->graph, shape, type, NULL);

	take(scene, tensor);
	if (tensor && scene->feed_count < MOST_TENSORS)
		scene->feeds[scene->feed_count++] = tensor;
	return tensor;
}

/* ------------------------------------------------------------------------------------------------------- LSTM ---- */

static MPSGraphLSTMDescriptor *draw_descriptor(struct input *input)
{
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
	const uint8_t flags = next(input);

	if (!descriptor)
		abort();
	MPSGraphLSTMDescriptor_setReverse(descriptor, flags & 1);
	MPSGraphLSTMDescriptor_setBidirectional(descriptor, flags >> 1 & 1);
	MPSGraphLSTMDescriptor_setProduceCell(descriptor, flags >> 2 & 1);
	MPSGraphLSTMDescriptor_setTraining(descriptor, flags >> 3 & 1);
	MPSGraphLSTMDescriptor_setForgetGateLast(descriptor, flags >> 4 & 1);
	MPSGraphLSTMDescriptor_setInputGateActivation(descriptor, (MPSGraphRNNActivation)(next(input) % 6));
	MPSGraphLSTMDescriptor_setActivation(descriptor, (MPSGraphRNNActivation)(next(input) % 5));
	return descriptor;
}

enum { X, R, W, B, H0, C0, MASK, P, DY, Z, C, DH, DC, SLOTS };

/* A tensor of an LSTM's: by its shape, or by one that has a dimension more or a size changed; or none. */
static MPSGraphTensor *draw_slot(struct scene *scene, MPSShape shape, MPSDataType type, int needed)
{
	struct input *input = &scene->input;

	if (odd(input))
		shape.size[next(input) % 3] = 1 + next(input) % 6;
	if (odd(input))
		shape.rank++, shape.size[shape.rank - 1] = 1;
	if (odd(input))
		type = draw_type(input);
	if (odd(input) || (!needed && next(input) % 3 == 0))
		return NULL;
	return placeholder(scene, &shape, type);
}

static void make_lstm(struct scene *scene)
{
	struct input *input = &scene->input;
	MPSGraphLSTMDescriptor *descriptor = draw_descriptor(input);
	const size_t D = MPSGraphLSTMDescriptor_bidirectional(descriptor) ? 2 : 1, T = 1 + next(input) % 4;
	const size_t N = 1 + next(input) % 3, I = 1 + next(input) % 4, H = 1 + next(input) % 3, wide = D * 4 * H;
	const int with_W = next(input) % 4 != 0;
	const MPSDataType type = draw_type(input);
	const MPSShape state = {2, {N, D * H}}, steps = {3, {T, N, D * H}};
	const MPSShape masks[] = {{1, {D * H}}, state, steps, {3, {1, N, D * H}}};
	const MPSShape shapes[SLOTS] = {
		[X] = {3, {T, N, with_W ? I : wide}},
		[R] = D == 2 ? (MPSShape){3, {2, 4 * H, H}} : (MPSShape){2, {4 * H, H}},
		[W] = {2, {wide, I}},
		[B] = {1, {wide}},
		[H0] = state,
		[C0] = state,
		[MASK] = masks[next(input) % 4],
		[P] = D == 2 ? (MPSShape){2, {2, 4 * H}} : (MPSShape){1, {4 * H}},
		[DY] = steps,
		[Z] = {3, {T, N, wide}},
		[C] = steps,
		[DH] = state,
		[DC] = state,
	};
	MPSGraphTensor *in[SLOTS];

	for (int slot = 0; slot < SLOTS; slot++)
		in[slot] = slot == W && !with_W
				   ? NULL
				   : draw_slot(scene, shapes[slot], type,
					       slot == X || slot == R || slot == W || slot == Z || slot == C);
	const MPSGraphLSTMResults r = MPSGraph_LSTM(scene->graph, in[X], in[R], in[W], in[B], in[H0], in[C0], in[MASK],
						    in[P], descriptor, NULL);
	const MPSGraphLSTMGradientsResults d = MPSGraph_LSTMGradients(
		scene->graph, in[X], in[R], in[DY], r.training && odd(input) ? r.training : in[Z], in[C], in[DH],
		in[DC], in[W], in[B], in[H0], in[C0], in[MASK], in[P], descriptor, NULL);

	for (size_t index = 0; index < r.count; index++)
		take(scene, r.array[index]);
	for (size_t index = 0; index < d.count; index++)
		take(scene, d.array[index]);
	if ((!r.count && r.state) || (!d.count && d.source))
		abort();
	MPSGraphLSTMDescriptor_release(descriptor);
}

/* An LSTM of any tensors that there are. */
static void make_odd_lstm(struct scene *scene)
{
	MPSGraphLSTMDescriptor *descriptor = draw_descriptor(&scene->input);
	MPSGraphTensor *in[8];

	for (size_t index = 0; index < 8; index++)
		in[index] = pick(scene);
	const MPSGraphLSTMResults r =
		MPSGraph_LSTM(scene->graph, in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], descriptor, "odd");

	for (size_t index = 0; index < r.count; index++)
		take(scene, r.array[index]);
	MPSGraphLSTMDescriptor_release(descriptor);
}

/* ------------------------------------------------------------------------------------------------ other nodes ---- */

/* Kinds of nodes, by a number. Data are copied, so that small ones do. */
static void make_source(struct scene *scene, int variable)
{
	static const float zeros[MOST_ELEMENTS];
	const MPSShape shape = draw_shape(&scene->input);
	const MPSDataType type = draw_type(&scene->input);
	const size_t elements = shape.rank > SLUICE_MPSGRAPH_RANK ? 0 : elements_of(shape.rank, shape.size);

	if (elements > MOST_ELEMENTS)
		return;
	if (variable)
		take(scene, MPSGraph_variableWithData_shape_dataType_name(scene->graph, zeros, &shape, type, "v"));
	else
		take(scene, MPSGraph_constantWithScalar_shape_dataType(scene->graph, 0.5, &shape, type));
}

static void make_concat(struct scene *scene)
{
	MPSGraphTensor *some[4];
	const size_t count = next(&scene->input) % 5;

	for (size_t index = 0; index < count; index++)
		some[index] = pick(scene);
	take(scene, MPSGraph_concatTensors_dimension_name(scene->graph, some, count, draw_axis(&scene->input), NULL));
}

static void make_shaped(struct scene *scene, unsigned kind)
{
	struct input *input = &scene->input;
	MPSGraphTensor *const a = pick(scene);
	const ptrdiff_t first = draw_axis(input), second = draw_axis(input), third = draw_axis(input);
	const MPSShape shape = draw_shape(input);

	switch (kind) {
	case 0:
		take(scene, MPSGraph_transposeTensor_dimension_withDimension_name(scene->graph, a, (size_t)first,
										  (size_t)second, NULL));
		return;
	case 1:
		take(scene, MPSGraph_sliceTensor_dimension_start_length_name(scene->graph, a, (size_t)first, second,
									     third, NULL));
		return;
	case 2:
		take(scene, MPSGraph_reshapeTensor_withShape_name(scene->graph, a, &shape, NULL));
		return;
	case 3:
		take(scene, MPSGraph_expandDimsOfTensor_axis_name(scene->graph, a, first, NULL));
		return;
	default:
		take(scene, MPSGraph_squeezeTensor_axis_name(scene->graph, a, first, NULL));
	}
}

static void make_arithmetic(struct scene *scene, unsigned kind)
{
	MPSGraphTensor *const a = pick(scene), *const b = pick(scene);

	if (kind == 0)
		take(scene, MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(scene->graph, a, b, NULL));
	else if (kind == 1)
		take(scene, MPSGraph_multiplicationWithPrimaryTensor_secondaryTensor_name(scene->graph, a, b, NULL));
	else if (kind == 2)
		take(scene, MPSGraph_dropoutTensor_rate_name(scene->graph, a, next(&scene->input) / 200.0, NULL));
	else
		take(scene, MPSGraph_castTensor_toType_name(scene->graph, a, draw_type(&scene->input), NULL));
}

static void make_node(struct scene *scene)
{
	const unsigned kind = next(&scene->input) % 16;
	MPSShape shape;

	if (kind < 3) {
		make_lstm(scene);
	} else if (kind == 3) {
		make_odd_lstm(scene);
	} else if (kind == 4) {
		shape = draw_shape(&scene->input);
		placeholder(scene, &shape, draw_type(&scene->input));
	} else if (kind < 7) {
		make_source(scene, kind == 6);
	} else if (kind < 12) {
		make_shaped(scene, kind - 7);
	} else if (kind < 15) {
		make_arithmetic(scene, kind - 12 + (kind == 14) * (next(&scene->input) % 2));
	} else {
		make_concat(scene);
	}
}

/* ------------------------------------------------------------------------------------------------------- runs ---- */

/* Memory of a tensor's own length, full of the same bytes. */
static MPSGraphTensorData *data_of(struct scene *scene, const MPSGraphTensor *tensor, int byte)
{
	const size_t bytes = bytes_of(tensor);
	MPSShape shape;
	MPSGraphTensorData *data;
	void *memory = malloc(bytes);

	if (!memory)
		abort();
	memset(memory, byte, bytes);
	scene->memory[scene->memory_count++] = memory;
	shape.rank = MPSGraphTensor_shape(tensor, shape.size);
	data = MPSGraphTensorData_initWithData_shape_dataType(memory, &shape, MPSGraphTensor_dataType(tensor));
	if (!data)
		abort();
	return data;
}

static void run(struct scene *scene)
{
	MPSGraphTensorData *inputs[MOST_TENSORS], *results[2][MOST_TARGETS];
	MPSGraphTensor *targets[MOST_TARGETS];
	sluice_mpsgraph_pair feeds[MOST_TENSORS], wanted[MOST_TARGETS];
	MPSGraphExecutable *executable;
	int by_graph, by_executable = -1;

	for (size_t index = 0; index < scene->feed_count; index++) {
		inputs[index] = data_of(scene, scene->feeds[index], next(&scene->input));
		feeds[index] = (sluice_mpsgraph_pair){scene->feeds[index], inputs[index]};
	}
	for (size_t index = 0; index < MOST_TARGETS; index++) {
		targets[index] = scene->tensors[next(&scene->input) % scene->count];
		results[0][index] = data_of(scene, targets[index], 0x11);
		results[1][index] = data_of(scene, targets[index], 0x11);
		wanted[index] = (sluice_mpsgraph_pair){targets[index], results[0][index]};
	}
	by_graph = MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(
		scene->graph, NULL, feeds, scene->feed_count, NULL, 0, wanted, MOST_TARGETS);
	executable = MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
		scene->graph, NULL, scene->feeds, scene->feed_count, targets, MOST_TARGETS, NULL, 0, NULL);
	for (int again = 0; again < 2 && executable; again++)
		by_executable = MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
			executable, NULL, inputs, scene->feed_count, results[1], MOST_TARGETS, NULL);
	if ((by_graph == 0) != (by_executable == 0))
		abort();
	for (size_t index = 0; index < MOST_TARGETS; index++)
		if (memcmp(MPSGraphTensorData_data(results[0][index]), MPSGraphTensorData_data(results[1][index]),
			   bytes_of(targets[index])) != 0)
			abort();
	MPSGraphExecutable_release(executable);
	for (size_t index = 0; index < scene->feed_count; index++)
		MPSGraphTensorData_release(inputs[index]);
	for (size_t index = 0; index < MOST_TARGETS; index++) {
		MPSGraphTensorData_release(results[0][index]);
		MPSGraphTensorData_release(results[1][index]);
	}
}

static void draw_options(struct scene *scene)
{
	sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;
	const uint8_t bits = next(&scene->input);

	options.peephole_output = bits & 1;
	options.training_results = bits >> 1 & 1;
	options.bias_gradient_shape = bits >> 2 & 1;
	options.reverse_alignment = bits >> 3 & 1;
	options.hard_sigmoid_slope = (float)(bits >> 4) / 8;
	if (sluice_mpsgraph_set_options(scene->graph, &options) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		abort();
	scene->input = (struct input){bytes, size};
	scene->graph = MPSGraph_new();
	if (!scene->graph)
		abort();
	draw_options(scene);
	for (size_t node = 0; node < MOST_NODES && scene->input.size; node++)
		make_node(scene);
	if (scene->count && scene->elements <= MOST_ELEMENTS)
		run(scene);
	MPSGraph_release(scene->graph);
	for (size_t index = 0; index < scene->memory_count; index++)
		free(scene->memory[index]);
	free(scene);
	return 0;
}
