/* mpsgraph_case.c: builds and runs the graphs of mpsgraph_case.h. */
#include "mpsgraph_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bnns_array.h"

/* ----------------------------------------------------------------------------------------------------- memory ---- */

MPSDataType mps_type(BNNSDataType type)
{
	if (type == BNNSDataTypeFloat16)
		return MPSDataTypeFloat16;
	return type == BNNSDataTypeBFloat16 ? MPSDataTypeBFloat16 : MPSDataTypeFloat32;
}

struct mps_memory mps_memory_create(const MPSShape *shape, MPSDataType type)
{
	struct mps_memory memory = {.count = 1};

	for (size_t index = 0; index < shape->rank; index++)
		memory.count *= shape->size[index];
	memory.bytes = memory.count * (type == MPSDataTypeFloat32 ? 4 : 2);
	memory.at = malloc(memory.bytes);
	assert_non_null(memory.at);
	memset(memory.at, 0xff, memory.bytes);
	memory.data = MPSGraphTensorData_initWithData_shape_dataType(memory.at, shape, type);
	assert_mps(memory.data);
	return memory;
}

struct mps_memory mps_memory_of(const MPSGraphTensor *tensor)
{
	MPSShape shape;

	shape.rank = MPSGraphTensor_shape(tensor, shape.size);
	return mps_memory_create(&shape, MPSGraphTensor_dataType(tensor));
}

void mps_memory_destroy(struct mps_memory *memory)
{
	MPSGraphTensorData_release(memory->data);
	free(memory->at);
	memset(memory, 0, sizeof(*memory));
}

/* ----------------------------------------------------------------------------------------------------- shapes ---- */

static MPSShape shape_of_mask(const struct mps_spec *spec, size_t width)
{
	switch (spec->mask) {
	case MPS_MASK_UNIT:
		return *SLUICE_MPS_SHAPE(width);
	case MPS_MASK_UNIT_1:
		return *SLUICE_MPS_SHAPE(1, width);
	case MPS_MASK_SEQUENCE:
		return *SLUICE_MPS_SHAPE(spec->batch, width);
	case MPS_MASK_SEQUENCE_1:
		return *SLUICE_MPS_SHAPE(1, spec->batch, width);
	default:
		return *SLUICE_MPS_SHAPE(spec->steps, spec->batch, width);
	}
}

MPSShape mps_slot_shape(const struct mps_spec *spec, enum mps_slot slot)
{
	const size_t T = spec->steps, N = spec->batch, H = spec->hidden, D = spec->directions, gates = MPS_GATES * H;

	switch (slot) {
	case MPS_X:
		return *SLUICE_MPS_SHAPE(T, N, spec->present[MPS_W] ? spec->inputs : D * gates);
	case MPS_R:
		return D == 2 ? *SLUICE_MPS_SHAPE(2, gates, H) : *SLUICE_MPS_SHAPE(gates, H);
	case MPS_W:
		return *SLUICE_MPS_SHAPE(D * gates, spec->inputs);
	case MPS_B:
		return *SLUICE_MPS_SHAPE(D * gates);
	case MPS_P:
		return D == 2 ? *SLUICE_MPS_SHAPE(2, gates) : *SLUICE_MPS_SHAPE(gates);
	case MPS_MASK:
		return shape_of_mask(spec, D * H);
	case MPS_DY:
		return *SLUICE_MPS_SHAPE(T, N, D * H);
	default:
		return spec->states_of_rank_3 ? *SLUICE_MPS_SHAPE(1, N, D * H) : *SLUICE_MPS_SHAPE(N, D * H);
	}
}

/* ------------------------------------------------------------------------------------------------------ nodes ---- */

static MPSGraphRNNActivation activation_of(const BNNSActivation *activation)
{
	static const MPSGraphRNNActivation kinds[] = {
		[BNNSActivationFunctionIdentity] = MPSGraphRNNActivationNone,
		[BNNSActivationFunctionRectifiedLinear] = MPSGraphRNNActivationRelu,
		[BNNSActivationFunctionTanh] = MPSGraphRNNActivationTanh,
		[BNNSActivationFunctionSigmoid] = MPSGraphRNNActivationSigmoid,
		[BNNSActivationFunctionHardSigmoid] = MPSGraphRNNActivationHardSigmoid,
	};

	return kinds[activation->function];
}

MPSGraphLSTMDescriptor *mps_descriptor(const struct mps_spec *spec)
{
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
	const BNNSActivation *activations = spec->activations;

	assert_mps(descriptor);
	MPSGraphLSTMDescriptor_setReverse(descriptor, spec->reverse);
	MPSGraphLSTMDescriptor_setBidirectional(descriptor, spec->directions == 2);
	MPSGraphLSTMDescriptor_setProduceCell(descriptor, 1);
	MPSGraphLSTMDescriptor_setTraining(descriptor, 1);
	MPSGraphLSTMDescriptor_setForgetGateLast(descriptor, spec->forget_last);
	MPSGraphLSTMDescriptor_setInputGateActivation(descriptor, activation_of(&activations[MPS_INPUT]));
	MPSGraphLSTMDescriptor_setForgetGateActivation(descriptor, activation_of(&activations[MPS_FORGET]));
	MPSGraphLSTMDescriptor_setCellGateActivation(descriptor, activation_of(&activations[MPS_CANDIDATE]));
	MPSGraphLSTMDescriptor_setOutputGateActivation(descriptor, activation_of(&activations[MPS_OUTPUT]));
	MPSGraphLSTMDescriptor_setActivation(descriptor, activation_of(&activations[MPS_GATES]));
	return descriptor;
}

/* Names that leave a line some room. */
#define LSTM_WITHOUT_MASK \
	MPSGraph_LSTMWithSourceTensor_recurrentWeight_inputWeight_bias_initState_initCell_descriptor_name
#define GRADIENTS_OF_NOTHING_ELSE \
	MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_descriptor_name

MPSGraphLSTMResults mps_forward(MPSGraph *graph, MPSGraphTensor *const *in, const MPSGraphLSTMDescriptor *descriptor,
				int shortest)
{
	if (!shortest || in[MPS_MASK] || in[MPS_P])
		return MPSGraph_LSTM(graph, in[MPS_X], in[MPS_R], in[MPS_W], in[MPS_B], in[MPS_H0], in[MPS_C0],
				     in[MPS_MASK], in[MPS_P], descriptor, NULL);
	if (in[MPS_W] || in[MPS_B])
		return LSTM_WITHOUT_MASK(graph, in[MPS_X], in[MPS_R], in[MPS_W], in[MPS_B], in[MPS_H0], in[MPS_C0],
					 descriptor, NULL);
	return MPSGraph_LSTMWithSourceTensor_recurrentWeight_initState_initCell_descriptor_name(
		graph, in[MPS_X], in[MPS_R], in[MPS_H0], in[MPS_C0], descriptor, "lstm");
}

MPSGraphLSTMGradientsResults mps_backward(MPSGraph *graph, MPSGraphTensor *const *in, MPSGraphTensor *z,
					  MPSGraphTensor *c, const MPSGraphLSTMDescriptor *descriptor, int shortest)
{
	MPSGraphTensor *const x = in[MPS_X], *const R = in[MPS_R], *const W = in[MPS_W], *const b = in[MPS_B];
	MPSGraphTensor *const h0 = in[MPS_H0], *const c0 = in[MPS_C0], *const dy = in[MPS_DY];

	if (!shortest || in[MPS_P] || in[MPS_DH] || in[MPS_DC])
		return MPSGraph_LSTMGradients(graph, x, R, dy, z, c, in[MPS_DH], in[MPS_DC], W, b, h0, c0, in[MPS_MASK],
					      in[MPS_P], descriptor, NULL);
	if (in[MPS_MASK])
		return SLUICE_MPSGRAPH_JOIN(
			MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_,
			inputWeight_bias_initState_initCell_mask_descriptor_name)(graph, x, R, dy, z, c, W, b, h0, c0,
										  in[MPS_MASK], descriptor, NULL);
	if (W || b || h0 || c0)
		return SLUICE_MPSGRAPH_JOIN(
			MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_,
			inputWeight_bias_initState_initCell_descriptor_name)(graph, x, R, dy, z, c, W, b, h0, c0,
									     descriptor, NULL);
	return GRADIENTS_OF_NOTHING_ELSE(graph, x, R, dy, z, c, descriptor, NULL);
}

/* ------------------------------------------------------------------------------------------------------- case ---- */

static void create_inputs(struct mps_case *test)
{
	const struct mps_data *data = &test->data;

	for (size_t slot = 0; slot < MPS_SLOTS; slot++) {
		const MPSShape shape = mps_slot_shape(&data->spec, (enum mps_slot)slot);
		const MPSDataType type = mps_type(data->spec.type);
		struct mps_memory *fed = &test->fed[slot];

		if (!data->values[slot])
			continue;
		test->inputs[slot] = MPSGraph_placeholderWithShape_dataType_name(test->graph, &shape, type, NULL);
		assert_mps(test->inputs[slot]);
		*fed = mps_memory_create(&shape, type);
		assert_true(fed->count == data->counts[slot]);
		for (size_t index = 0; index < fed->count; index++)
			bnns_store(data->spec.type, data->values[slot][index],
				   (unsigned char *)fed->at + index * bnns_type_bytes(data->spec.type));
	}
}

/* Nothing that is given lacks its gradient, nothing else has one, and the array is the names without gaps. */
static void check_results(const struct mps_case *test)
{
	static const enum mps_slot of[MPS_RESULTS] = {
		[MPS_D_X] = MPS_X, [MPS_D_R] = MPS_R,   [MPS_D_W] = MPS_W,  [MPS_D_B] = MPS_B,
		[MPS_D_P] = MPS_P, [MPS_D_H0] = MPS_H0, [MPS_D_C0] = MPS_C0};
	size_t count = 0;

	assert_true(test->forward.count == 3);
	for (size_t index = 0; index < 3; index++)
		assert_ptr_equal(test->forward.array[index], test->results[index]);
	for (size_t index = MPS_FIRST_GRADIENT; index < MPS_RESULTS; index++) {
		assert_int_equal(test->results[index] != NULL, test->inputs[of[index]] != NULL);
		if (test->results[index])
			assert_ptr_equal(test->gradients.array[count++], test->results[index]);
	}
	assert_true(test->gradients.count == count);
}

static void create_nodes(struct mps_case *test)
{
	const int shortest = test->data.spec.seed % 3 != 0;

	test->forward = mps_forward(test->graph, test->inputs, test->descriptor, shortest);
	assert_mps(test->forward.count);
	test->gradients = mps_backward(test->graph, test->inputs, test->forward.training, test->forward.cell,
				       test->descriptor, shortest);
	assert_mps(test->gradients.count);
	test->results[MPS_H] = test->forward.state;
	test->results[MPS_C] = test->forward.cell;
	test->results[MPS_Z] = test->forward.training;
	test->results[MPS_D_X] = test->gradients.source;
	test->results[MPS_D_R] = test->gradients.recurrentWeight;
	test->results[MPS_D_W] = test->gradients.inputWeight;
	test->results[MPS_D_B] = test->gradients.bias;
	test->results[MPS_D_P] = test->gradients.peephole;
	test->results[MPS_D_H0] = test->gradients.initState;
	test->results[MPS_D_C0] = test->gradients.initCell;
	check_results(test);
	for (size_t index = 0; index < MPS_RESULTS; index++)
		if (test->results[index])
			test->found[index] = mps_memory_of(test->results[index]);
}

void mps_case_create(const struct mps_spec *spec, const sluice_mpsgraph_options *options, struct mps_case *out)
{
	const sluice_mpsgraph_options defaults = SLUICE_MPSGRAPH_OPTIONS_INIT;

	memset(out, 0, sizeof(*out));
	mps_data_create(spec, &out->data);
	out->options = options ? *options : defaults;
	out->options.peephole_output = spec->peephole_current ? SLUICE_MPSGRAPH_PEEPHOLE_OUTPUT_CURRENT
							      : SLUICE_MPSGRAPH_PEEPHOLE_OUTPUT_PREVIOUS;
	out->graph = MPSGraph_new();
	assert_mps(out->graph);
	assert_mps(sluice_mpsgraph_set_options(out->graph, &out->options) == 0);
	out->descriptor = mps_descriptor(spec);
	create_inputs(out);
	create_nodes(out);
}

void mps_case_destroy(struct mps_case *test)
{
	for (size_t slot = 0; slot < MPS_SLOTS; slot++)
		mps_memory_destroy(&test->fed[slot]);
	for (size_t index = 0; index < MPS_RESULTS; index++)
		mps_memory_destroy(&test->found[index]);
	MPSGraphLSTMDescriptor_release(test->descriptor);
	MPSGraph_release(test->graph);
	mps_data_destroy(&test->data);
}

/* ------------------------------------------------------------------------------------------------------- runs ---- */

enum { PAIRS = MPS_SLOTS + 4 };

struct pairs {
	sluice_mpsgraph_pair at[PAIRS];
	size_t count;
};

static void pair_add(struct pairs *pairs, MPSGraphTensor *tensor, const struct mps_memory *memory)
{
	if (tensor)
		pairs->at[pairs->count++] = (sluice_mpsgraph_pair){tensor, memory->data};
}

static void run(MPSGraph *graph, const struct pairs *feeds, const struct pairs *results)
{
	assert_mps(MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(
			   graph, NULL, feeds->at, feeds->count, NULL, 0, results->at, results->count) == 0);
}

void mps_case_run(struct mps_case *test)
{
	struct pairs feeds = {0}, results = {0};

	for (size_t slot = 0; slot < MPS_SLOTS; slot++)
		pair_add(&feeds, test->inputs[slot], &test->fed[slot]);
	for (size_t index = 0; index < MPS_RESULTS; index++)
		pair_add(&results, test->results[index], &test->found[index]);
	run(test->graph, &feeds, &results);
}

/* A tensor of one run cut in two along a dimension that is larger than 1, to be put together in another graph. */
struct halves {
	size_t dimension;
	struct mps_memory memory[2];
	MPSGraphTensor *from[2], *to[2], *joined;
};

static struct halves halves_create(MPSGraph *graph, MPSGraphTensor *tensor, MPSGraph *other)
{
	struct halves halves = {0};
	size_t size[SLUICE_MPSGRAPH_RANK], start = 0;
	const size_t rank = MPSGraphTensor_shape(tensor, size);

	while (halves.dimension + 1 < rank && size[halves.dimension] == 1)
		halves.dimension++;
	for (size_t index = 0; index < 2 && size[halves.dimension] > 1; index++) {
		const size_t length = index ? size[halves.dimension] - start : size[halves.dimension] / 2;
		MPSShape shape;

		halves.from[index] = MPSGraph_sliceTensor_dimension_start_length_name(
			graph, tensor, halves.dimension, (ptrdiff_t)start, (ptrdiff_t)length, NULL);
		assert_mps(halves.from[index]);
		halves.memory[index] = mps_memory_of(halves.from[index]);
		shape.rank = MPSGraphTensor_shape(halves.from[index], shape.size);
		halves.to[index] = MPSGraph_placeholderWithShape_dataType_name(other, &shape,
									       MPSGraphTensor_dataType(tensor), NULL);
		assert_mps(halves.to[index]);
		start += length;
	}
	if (halves.to[0]) {
		halves.joined =
			MPSGraph_concatTensors_dimension_name(other, halves.to, 2, (ptrdiff_t)halves.dimension, NULL);
	} else {
		/* One number: it goes over in one piece. */
		MPSShape shape = {.rank = rank};

		memcpy(shape.size, size, sizeof(size));
		halves.from[0] = tensor;
		halves.memory[0] = mps_memory_of(tensor);
		halves.joined = halves.to[0] = MPSGraph_placeholderWithShape_dataType_name(
			other, &shape, MPSGraphTensor_dataType(tensor), NULL);
	}
	assert_mps(halves.joined);
	return halves;
}

static void halves_destroy(struct halves *halves)
{
	mps_memory_destroy(&halves->memory[0]);
	mps_memory_destroy(&halves->memory[1]);
}

static void placeholders_create(const struct mps_case *test, MPSGraph *graph, MPSGraphTensor **in)
{
	for (size_t slot = 0; slot < MPS_SLOTS; slot++) {
		const MPSShape shape = mps_slot_shape(&test->data.spec, (enum mps_slot)slot);

		if (!test->inputs[slot])
			continue;
		in[slot] = MPSGraph_placeholderWithShape_dataType_name(graph, &shape, mps_type(test->data.spec.type),
								       NULL);
		assert_mps(in[slot]);
	}
}

static void run_second(struct mps_case *test, MPSGraph *graph, MPSGraphTensor *const *in, const struct halves *z,
		       const struct halves *c)
{
	const MPSGraphLSTMGradientsResults gradients =
		mps_backward(graph, in, z->joined, c->joined, test->descriptor, 0);
	MPSGraphTensor *const named[] = {gradients.source,  gradients.recurrentWeight, gradients.inputWeight,
					 gradients.bias,    gradients.peephole,        gradients.initState,
					 gradients.initCell};
	struct pairs feeds = {0}, results = {0};

	assert_mps(gradients.count);
	/* Only what the gradients need of the inputs is fed. */
	for (size_t slot = 0; slot < MPS_SLOTS; slot++)
		pair_add(&feeds, in[slot], &test->fed[slot]);
	for (size_t index = 0; index < 2; index++) {
		pair_add(&feeds, z->to[index], &z->memory[index]);
		pair_add(&feeds, c->to[index], &c->memory[index]);
	}
	for (size_t index = MPS_FIRST_GRADIENT; index < MPS_RESULTS; index++)
		pair_add(&results, named[index - MPS_FIRST_GRADIENT], &test->found[index]);
	run(graph, &feeds, &results);
}

void mps_case_run_in_two(struct mps_case *test)
{
	MPSGraph *second = MPSGraph_new();
	MPSGraphTensor *in[MPS_SLOTS] = {0};
	struct pairs feeds = {0}, results = {0};
	struct halves z, c;

	assert_mps(second);
	assert_mps(sluice_mpsgraph_set_options(second, &test->options) == 0);
	placeholders_create(test, second, in);
	z = halves_create(test->graph, test->results[MPS_Z], second);
	c = halves_create(test->graph, test->results[MPS_C], second);
	for (size_t slot = 0; slot <= MPS_MASK; slot++)
		pair_add(&feeds, test->inputs[slot], &test->fed[slot]);
	for (size_t index = 0; index < 2; index++) {
		pair_add(&results, z.from[index], &z.memory[index]);
		pair_add(&results, c.from[index], &c.memory[index]);
	}
	run(test->graph, &feeds, &results);
	run_second(test, second, in, &z, &c);
	halves_destroy(&z);
	halves_destroy(&c);
	MPSGraph_release(second);
}
