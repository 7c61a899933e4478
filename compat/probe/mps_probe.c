/*
 * mps_probe.c: asks this project's Metal Performance Shaders what Apple's documents leave open, one line an answer.
 *
 *   cc mps_probe.c -lsluice-mps -lm
 *
 * mps_probe.m asks Apple's the same, on a Mac; docs/APPLE.md holds what this project answers, and why. The variable
 * SLUICE_MPS_SWITCH names a field of sluice_mps_options to turn first.
 */
#define _POSIX_C_SOURCE 200809L
#include <sluice/mps.h>

#include "mps_ask.h"

static const MPSDataType TYPES[] = {MPSDataTypeFloat32, MPSDataTypeFloat16, MPSDataTypeUInt8};

/* ----------------------------------------------------------------------------------------------------- sources -- */

static MPSDataType source_type(void *user)
{
	called(user, "dataType");
	return TYPES[((struct source *)user)->type];
}

static const MPSCNNConvolutionDescriptor *source_descriptor(void *user)
{
	const struct source *source = user;
	MPSCNNConvolutionDescriptor *descriptor = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(
		source->width, source->height, source->in, source->out);
	MPSNNNeuronDescriptor *neuron =
		source->neuron == PRELU
			? MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(source->slopes, source->out, 0)
			: MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c((MPSCNNNeuronType)source->neuron,
										  source->a, source->b, source->c);
	called(user, "descriptor");
	MPSCNNConvolutionDescriptor_setFusedNeuronDescriptor(descriptor, neuron);
	MPSNNNeuronDescriptor_release(neuron);
	MPSCNNConvolutionDescriptor_setGroups(descriptor, source->groups);
	MPSCNNConvolutionDescriptor_setStrideInPixelsX(descriptor, source->stride);
	MPSCNNConvolutionDescriptor_setDilationRateX(descriptor, source->dilation);
	return descriptor; /* left to the system */
}

static void *source_values(void *user)
{
	return source_weights(user);
}

static float *source_bias(void *user)
{
	called(user, "biasTerms");
	return ((struct source *)user)->bias;
}

static int load(void *user)
{
	return source_load(user);
}

static void purge(void *user)
{
	source_purge(user);
}

static float *source_ranges(void *user)
{
	return ((struct source *)user)->ranges;
}

static float *source_table(void *user)
{
	return ((struct source *)user)->table;
}

static MPSCNNWeightsQuantizationType source_quantization(void *user)
{
	return (MPSCNNWeightsQuantizationType)((struct source *)user)->codes_mean;
}

static MPSDataType source_kernel_type(void *user)
{
	return TYPES[((struct source *)user)->kernel_type - 1];
}

static MPSCNNConvolutionDataSource calls_of(struct source *source)
{
	MPSCNNConvolutionDataSource calls = SLUICE_MPS_DATA_SOURCE_INIT;
	calls.user = source;
	calls.dataType = source_type;
	calls.descriptor = source_descriptor;
	calls.weights = source_values;
	calls.biasTerms = source_bias;
	calls.load = load;
	calls.purge = purge;
	if (source->type == UINT8) {
		calls.rangesForUInt8Kernel = source_ranges;
		calls.lookupTableForUInt8Kernel = source_table;
		calls.weightsQuantizationType = source_quantization;
	}
	if (source->kernel_type)
		calls.kernelWeightsDataType = source_kernel_type;
	return calls;
}

/* Of the twelve sources, by part and gate. */
static const struct {
	const MPSCNNConvolutionDataSource *(*get)(const MPSLSTMDescriptor *descriptor);
	int (*set)(MPSLSTMDescriptor *descriptor, const MPSCNNConvolutionDataSource *source);
} SOURCES[GATES][PARTS] = {
	{{MPSLSTMDescriptor_inputGateInputWeights, MPSLSTMDescriptor_setInputGateInputWeights},
	 {MPSLSTMDescriptor_inputGateRecurrentWeights, MPSLSTMDescriptor_setInputGateRecurrentWeights},
	 {MPSLSTMDescriptor_inputGateMemoryWeights, MPSLSTMDescriptor_setInputGateMemoryWeights}},
	{{MPSLSTMDescriptor_forgetGateInputWeights, MPSLSTMDescriptor_setForgetGateInputWeights},
	 {MPSLSTMDescriptor_forgetGateRecurrentWeights, MPSLSTMDescriptor_setForgetGateRecurrentWeights},
	 {MPSLSTMDescriptor_forgetGateMemoryWeights, MPSLSTMDescriptor_setForgetGateMemoryWeights}},
	{{MPSLSTMDescriptor_outputGateInputWeights, MPSLSTMDescriptor_setOutputGateInputWeights},
	 {MPSLSTMDescriptor_outputGateRecurrentWeights, MPSLSTMDescriptor_setOutputGateRecurrentWeights},
	 {MPSLSTMDescriptor_outputGateMemoryWeights, MPSLSTMDescriptor_setOutputGateMemoryWeights}},
	{{MPSLSTMDescriptor_cellGateInputWeights, MPSLSTMDescriptor_setCellGateInputWeights},
	 {MPSLSTMDescriptor_cellGateRecurrentWeights, MPSLSTMDescriptor_setCellGateRecurrentWeights},
	 {MPSLSTMDescriptor_cellGateMemoryWeights, MPSLSTMDescriptor_setCellGateMemoryWeights}},
};

static MPSRNNDescriptor *descriptor_of(struct layer *layer)
{
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(layer->inputs,
												     layer->hidden);
	MPSRNNDescriptor *base = MPSLSTMDescriptor_asRNNDescriptor(descriptor);
	MPSRNNDescriptor_setUseLayerInputUnitTransformMode(base, layer->unit);
	MPSRNNDescriptor_setUseFloat32Weights(base, layer->float32);
	MPSRNNDescriptor_setLayerSequenceDirection(base, (MPSRNNSequenceDirection)layer->backward);
	MPSLSTMDescriptor_setMemoryWeightsAreDiagonal(descriptor, layer->diagonal);
	MPSLSTMDescriptor_setCellToOutputNeuronType(descriptor, (MPSCNNNeuronType)layer->cell_neuron);
	for (int part = INPUT; part < PARTS; part++)
		for (int gate = 0; gate < GATES; gate++) {
			const MPSCNNConvolutionDataSource calls = calls_of(&layer->sources[part][gate]);
			if (layer->sources[part][gate].there)
				SOURCES[gate][part].set(descriptor, &calls);
		}
	return base;
}

static int platform_defaults(struct defaults *d)
{
	MPSLSTMDescriptor *lstm =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(INPUTS, HIDDEN);
	const MPSRNNDescriptor *base = MPSLSTMDescriptor_asRNNDescriptor(lstm);
	const MPSCNNConvolutionDescriptor *kernel = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, 1, 1);
	const MPSNNNeuronDescriptor *neuron = MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType(MPSCNNNeuronTypePower);
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES];
	const MPSRNNMatrixInferenceLayer *inference =
		MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, base);
	const MPSRNNMatrixTrainingLayer *training =
		MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(NULL, base, weights);
	if (!lstm || !inference || !training || !kernel || !neuron)
		return 1;
	d->unit = MPSRNNDescriptor_useLayerInputUnitTransformMode(base);
	d->float32 = MPSRNNDescriptor_useFloat32Weights(base);
	d->backward = MPSRNNDescriptor_layerSequenceDirection(base) == MPSRNNSequenceDirectionBackward;
	d->diagonal = MPSLSTMDescriptor_memoryWeightsAreDiagonal(lstm);
	d->cell_neuron = (int)MPSLSTMDescriptor_cellToOutputNeuronType(lstm);
	d->cell_a = MPSLSTMDescriptor_cellToOutputNeuronParamA(lstm);
	d->cell_b = MPSLSTMDescriptor_cellToOutputNeuronParamB(lstm);
	d->cell_c = MPSLSTMDescriptor_cellToOutputNeuronParamC(lstm);
	for (int k = 0; k < PARTS * GATES; k++)
		d->sources += SOURCES[k % GATES][k / GATES].get(lstm) != NULL;
	d->stride_x = MPSCNNConvolutionDescriptor_strideInPixelsX(kernel);
	d->stride_y = MPSCNNConvolutionDescriptor_strideInPixelsY(kernel);
	d->groups = MPSCNNConvolutionDescriptor_groups(kernel);
	d->dilation_x = MPSCNNConvolutionDescriptor_dilationRateX(kernel);
	d->dilation_y = MPSCNNConvolutionDescriptor_dilationRateY(kernel);
	d->neuron = (int)MPSNNNeuronDescriptor_neuronType(MPSCNNConvolutionDescriptor_fusedNeuronDescriptor(kernel));
	d->temporary = MPSRNNMatrixInferenceLayer_recurrentOutputIsTemporary(inference);
	d->all_states = MPSRNNMatrixInferenceLayer_storeAllIntermediateStates(inference);
	d->combine = (int)MPSRNNMatrixInferenceLayer_bidirectionalCombineMode(inference);
	d->training_temporary = MPSRNNMatrixTrainingLayer_recurrentOutputIsTemporary(training);
	d->training_all = MPSRNNMatrixTrainingLayer_storeAllIntermediateStates(training);
	d->training_states_temporary = MPSRNNMatrixTrainingLayer_trainingStateIsTemporary(training);
	d->accumulate = MPSRNNMatrixTrainingLayer_accumulateWeightGradients(training);
	d->a = MPSNNNeuronDescriptor_a(neuron);
	d->b = MPSNNNeuronDescriptor_b(neuron);
	d->c = MPSNNNeuronDescriptor_c(neuron);
	return 0;
}

/* Turned where the environment says so; a layer that has no such switch takes it all the same. */
static int turn_switch(void *layer)
{
	const char *name = getenv("SLUICE_MPS_SWITCH");
	sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;
	options.training_weights = name && strcmp(name, "training_weights") == 0;
	return sluice_mps_set_options(layer, &options);
}

/* ---------------------------------------------------------------------------------------------------- matrices -- */

/* One matrix for each step, or one for all, with numbers of their own. */
struct series {
	size_t columns, rows, steps, element;
	int type, packed;
	char *memory;
	MPSMatrix *list[MOST_STEPS];
	size_t offsets[MOST_STEPS];
};

static char *place_of(const struct series *series, size_t step, size_t row, size_t column)
{
	const size_t index = series->packed ? row * series->steps + step : step * series->rows + row;
	return series->memory + (index * series->columns + column) * series->element;
}

static MPSMatrix *new_matrix(char *memory, size_t rows, size_t columns, size_t row_bytes, int type)
{
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		rows, columns, row_bytes, TYPES[type]);
	MPSMatrix *matrix = MPSMatrix_initWithBuffer_descriptor(memory, descriptor);
	MPSMatrixDescriptor_release(descriptor);
	return matrix;
}

static void series_fill(const struct series *series, const float *numbers)
{
	for (size_t k = 0; k < series->steps * series->rows * series->columns; k++) {
		const size_t line = k / series->columns;
		char *at = place_of(series, line / series->rows, line % series->rows, k % series->columns);
		const uint16_t half = half_of(numbers[k]);
		memcpy(at, series->type == FLOAT16 ? (const void *)&half : &numbers[k], series->element);
	}
}

static void series_take(const struct series *series, float *numbers)
{
	for (size_t k = 0; k < series->steps * series->rows * series->columns; k++) {
		const size_t line = k / series->columns;
		const char *at = place_of(series, line / series->rows, line % series->rows, k % series->columns);
		uint16_t half;
		memcpy(&half, at, sizeof(half));
		if (series->type == FLOAT16)
			numbers[k] = float_of(half);
		else
			memcpy(&numbers[k], at, sizeof(*numbers));
	}
}

/* Rows of the net's steps, or as many in each. */
static void series_make(struct series *series, const struct net *net, size_t columns, const float *numbers, int falls)
{
	const size_t rows = net->rows[0], element = net->type == FLOAT16 ? 2 : sizeof(float);
	*series = (struct series){columns, rows, net->steps, element, net->type, net->packed, NULL, {NULL}, {0}};
	series->memory = calloc(ROOM, sizeof(float));
	if (!series->memory)
		give_up("no memory");
	for (size_t step = 0; step < net->steps; step++) {
		char *at = place_of(series, net->packed ? 0 : step, 0, 0);
		const size_t row_bytes = columns * element * (net->packed ? net->steps : 1);
		series->offsets[step] = net->packed ? step * columns * element : 0;
		series->list[step] = net->packed && step ? series->list[0]
							 : new_matrix(at, falls ? net->rows[step] : rows, columns,
								      row_bytes, net->type);
	}
	series_fill(series, numbers);
}

static void state_take(const struct net *net, const MPSRNNRecurrentMatrixState *state, size_t layer, float *h, float *c)
{
	const MPSMatrix *const matrices[] = {
		MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(state, layer),
		MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(state, layer),
	};
	float *const numbers[] = {h, c};
	for (int k = 0; k < 2; k++)
		if (matrices[k])
			memcpy(numbers[k], (char *)MPSMatrix_data(matrices[k]) + MPSMatrix_offset(matrices[k]),
			       net->rows[0] * net->layer[layer].hidden * sizeof(float));
}

static int finish(MPSCommandBuffer *buffer)
{
	return MPSCommandBuffer_commit(buffer) || MPSCommandBuffer_waitUntilCompleted(buffer);
}

static int run_both(struct net *net, MPSRNNMatrixInferenceLayer *layer, MPSCommandBuffer *buffer)
{
	struct series x, y, backward;
	float marks[ROOM];
	set_all(marks, ROOM, MARK);
	series_make(&x, net, net->layer[0].inputs, net->x, 1);
	series_make(&y, net, outputs_of(net), marks, 0);
	series_make(&backward, net, outputs_of(net), marks, 0);
	if (MPSRNNMatrixInferenceLayer_encodeBidirectionalSequence(
		    layer, buffer, x.list, y.list, net->combine == APART ? backward.list : NULL, net->steps) ||
	    finish(buffer))
		return 1;
	series_take(&y, net->y);
	series_take(&backward, net->backward_y);
	return 0;
}

/* One call, or two of which the second one starts where the first one ends. */
static int run_matrices(struct net *net, MPSRNNMatrixInferenceLayer *layer, MPSCommandBuffer *buffer)
{
	struct series x, y;
	float marks[ROOM];
	MPSRNNRecurrentMatrixState *first = NULL, *states[MOST_STEPS] = {NULL};
	const size_t split = net->split;
	set_all(marks, ROOM, MARK);
	series_make(&x, net, net->layer[0].inputs, net->x, 1);
	series_make(&y, net, outputs_of(net), marks, 0);
	if (net->in_place)
		y = x;
	if (split && MPSRNNMatrixInferenceLayer_encodeSequence(layer, buffer, x.list, x.offsets, y.list, y.offsets,
							       split, NULL, &first))
		return 1;
	net->read_counts[0] = (int)MPSRNNRecurrentMatrixState_readCount(first);
	if (MPSRNNMatrixInferenceLayer_encodeSequence(layer, buffer, x.list + split, x.offsets + split, y.list + split,
						      y.offsets + split, net->steps - split, first, states))
		return 1;
	net->read_counts[1] = (int)MPSRNNRecurrentMatrixState_readCount(first);
	if (finish(buffer))
		return 1;
	series_take(&y, net->y);
	for (size_t k = 0; k < net->steps && states[k]; k++, net->states++)
		state_take(net, states[k], net->looked, net->h[k], net->state_c[k]);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ images -- */

static MPSImage *new_image(const struct net *net, size_t step, size_t channels, const float *numbers)
{
	const size_t size = net->height * net->width * channels;
	MPSImageDescriptor *descriptor = MPSImageDescriptor_imageDescriptor(
		MPSImageFeatureChannelFormatFloat32, net->width, net->height, channels, net->rows[step], 0);
	MPSImage *image = MPSImage_initWithDevice_imageDescriptor(NULL, descriptor);
	MPSImageDescriptor_release(descriptor);
	for (size_t k = 0; numbers && k < net->rows[step]; k++)
		MPSImage_writeBytes_dataLayout_imageIndex(image, numbers + (step * net->rows[0] + k) * size,
							  MPSDataLayoutHeightxWidthxFeatureChannels, k);
	return image;
}

static int run_images(struct net *net, MPSRNNImageInferenceLayer *layer, MPSCommandBuffer *buffer)
{
	MPSImage *x[MOST_STEPS], *y[MOST_STEPS];
	MPSRNNRecurrentImageState *first = NULL;
	const size_t size = places_of(net) * outputs_of(net), split = net->split;
	for (size_t step = 0; step < net->steps; step++) {
		x[step] = new_image(net, step, net->layer[0].inputs, net->x);
		y[step] = new_image(net, step, outputs_of(net), NULL);
	}
	if (split && MPSRNNImageInferenceLayer_encodeSequence(layer, buffer, x, y, split, NULL, &first))
		return 1;
	if (MPSRNNImageInferenceLayer_encodeSequence(layer, buffer, x + split, y + split, net->steps - split, first,
						     NULL) ||
	    finish(buffer))
		return 1;
	for (size_t step = 0; step < net->steps; step++)
		for (size_t k = 0; k < net->rows[step]; k++)
			MPSImage_readBytes_dataLayout_imageIndex(y[step], net->y + (step * net->rows[0] + k) * size,
								 MPSDataLayoutHeightxWidthxFeatureChannels, k);
	return 0;
}

static int platform_forward(struct net *net)
{
	const MPSRNNDescriptor *descriptors[MOST_LAYERS];
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	for (size_t k = 0; k < net->layers; k++)
		descriptors[k] = descriptor_of(&net->layer[k]);
	if (net->height) {
		MPSRNNImageInferenceLayer *layer =
			MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptors(NULL, descriptors, net->layers);
		return !layer || turn_switch(layer) || run_images(net, layer, buffer);
	}
	MPSRNNMatrixInferenceLayer *layer =
		MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(NULL, descriptors, net->layers);
	if (!layer || turn_switch(layer))
		return 1;
	MPSRNNMatrixInferenceLayer_setRecurrentOutputIsTemporary(layer, net->temporary);
	MPSRNNMatrixInferenceLayer_setStoreAllIntermediateStates(layer, net->all_states);
	MPSRNNMatrixInferenceLayer_setBidirectionalCombineMode(layer, (MPSRNNBidirectionalCombineMode)net->combine);
	if (net->change)
		net->change(net);
	return net->both ? run_both(net, layer, buffer) : run_matrices(net, layer, buffer);
}

/* ---------------------------------------------------------------------------------------------------- training -- */

static const MPSRNNMatrixId FIRST_IDS[GATES] = {
	MPSRNNMatrixIdLSTMInputGateInputWeights,
	MPSRNNMatrixIdLSTMForgetGateInputWeights,
	MPSRNNMatrixIdLSTMOutputGateInputWeights,
	MPSRNNMatrixIdLSTMMemoryGateInputWeights,
};

struct session {
	struct net *net;
	MPSRNNMatrixTrainingLayer *layer;
	MPSCommandBuffer *buffer;
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES], *gradients[SLUICE_MPS_WEIGHT_MATRICES];
	struct series x, y, dy, dx;
	MPSRNNMatrixTrainingState *states[MOST_STEPS];
	/* One each, or one for each step. */
	MPSRNNRecurrentMatrixState *middle[MOST_STEPS], *end[MOST_STEPS], *gradient_middle[MOST_STEPS],
		*gradient_start[MOST_STEPS];
};

/* A part of an array of weights, copied out into a matrix that has room to its left and above it. */
static int copy_out(struct session *session, MPSMatrix *const *weights, int tensor, int gate, float *to)
{
	const struct net *net = session->net;
	const struct layer *layer = &net->layer[0];
	const size_t rows = tensor == BIAS || (tensor == MEMORY && layer->diagonal) ? 1 : layer->hidden,
		     columns = tensor == INPUT ? layer->inputs : layer->hidden;
	const MTLOrigin origin = {net->x_at, net->y_at, 0};
	const MPSRNNMatrixId id = (MPSRNNMatrixId)(net->other_id ? net->other_id : (int)FIRST_IDS[gate] + tensor);
	MPSMatrix *matrix = new_matrix((char *)to, rows + net->y_at, columns + net->x_at,
				       (columns + net->x_at) * sizeof(float), FLOAT32);
	set_all(to, ROOM, MARK);
	return MPSRNNMatrixTrainingLayer_encodeCopyWeights(session->layer, session->buffer, weights, id, matrix, 1,
							   origin);
}

static int copy_all(struct session *session, MPSMatrix *const *weights, float to[TENSORS][GATES][ROOM])
{
	int result = 0;
	for (int tensor = 0; tensor < TENSORS; tensor++)
		for (int gate = 0; gate < GATES; gate++) {
			const int part = tensor == BIAS ? INPUT : tensor;
			const int forced = session->net->absent_part == tensor && tensor && gate == 0;
			if (session->net->layer[0].sources[part][gate].there || forced)
				result |= copy_out(session, weights, tensor, gate, to[tensor][gate]);
		}
	return result;
}

static int run_forward(struct session *s, size_t first, size_t count, MPSRNNRecurrentMatrixState *start,
		       MPSRNNRecurrentMatrixState **end)
{
	if (s->net->short_methods)
		return SLUICE_MPS_JOIN(MPSRNNMatrixTrainingLayer_encodeForwardSequenceToCommandBuffer_,
				       sourceMatrices_destinationMatrices_trainingStates_weights)(
			s->layer, s->buffer, s->x.list + first, s->y.list + first, count, s->states + first,
			s->weights);
	return MPSRNNMatrixTrainingLayer_encodeForwardSequence(s->layer, s->buffer, s->x.list + first, NULL,
							       s->y.list + first, NULL, count, s->states + first, start,
							       end, s->weights);
}

static int run_gradient(struct session *s, size_t first, size_t count, MPSRNNRecurrentMatrixState *from_later,
			MPSRNNRecurrentMatrixState **to_earlier)
{
	if (s->net->short_methods)
		return SLUICE_MPS_JOIN3(MPSRNNMatrixTrainingLayer_encodeGradientSequenceToCommandBuffer_forwardSources_,
					sourceGradients_destinationGradients_, weightGradients_trainingStates_weights)(
			s->layer, s->buffer, s->x.list + first, s->dy.list + first, s->dx.list + first, s->gradients,
			count, s->states + first, s->weights);
	return MPSRNNMatrixTrainingLayer_encodeGradientSequence(
		s->layer, s->buffer, s->x.list + first, NULL, s->dy.list + first, NULL, s->dx.list + first, NULL,
		s->gradients, count, s->states + first, s->net->chained ? from_later : NULL, to_earlier, s->weights);
}

/* Forward, then back; in two pieces if the net is split. */
static int run_lesson(struct session *s)
{
	const size_t split = s->net->split, rest = s->net->steps - split;
	if (split && run_forward(s, 0, split, NULL, s->middle))
		return 1;
	if (run_forward(s, split, rest, s->middle[0], s->end) || run_gradient(s, split, rest, NULL, s->gradient_middle))
		return 1;
	return split ? run_gradient(s, 0, split, s->gradient_middle[0], s->gradient_start) : 0;
}

static int session_make(struct session *s)
{
	struct net *net = s->net;
	float marks[ROOM];
	set_all(marks, ROOM, MARK);
	s->buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	s->layer = MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
		NULL, descriptor_of(&net->layer[0]), s->weights);
	if (!s->layer || turn_switch(s->layer) ||
	    MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(s->layer, s->gradients,
									    TYPES[net->float_gradients]))
		return 1;
	MPSRNNMatrixTrainingLayer_setAccumulateWeightGradients(s->layer, net->accumulate);
	MPSRNNMatrixTrainingLayer_setStoreAllIntermediateStates(s->layer, net->all_states);
	series_make(&s->x, net, net->layer[0].inputs, net->x, 1);
	series_make(&s->y, net, net->layer[0].hidden, marks, 0);
	series_make(&s->dy, net, net->layer[0].hidden, net->dy, 1);
	series_make(&s->dx, net, net->layer[0].inputs, marks, 0);
	return 0;
}

static int platform_train(struct net *net)
{
	struct session session = {.net = net};
	if (session_make(&session) || copy_all(&session, session.weights, net->weight))
		return 1;
	for (int call = 0; call < net->calls; call++)
		if (run_lesson(&session))
			return 1;
	if (copy_all(&session, session.gradients, net->gradient) || finish(session.buffer))
		return 1;
	for (size_t k = 0; k < net->steps; k++)
		net->training_states += session.states[k] != NULL;
	series_take(&session.y, net->y);
	series_take(&session.dx, net->dx);
	for (size_t k = 0; k < net->steps; k++) {
		state_take(net, net->split ? session.middle[k] : session.end[k], 0, net->h[k], net->state_c[k]);
		state_take(net, session.gradient_middle[k], 0, net->dh[k], net->dc[k]);
		net->states += session.gradient_middle[k] != NULL;
	}
	return 0;
}
