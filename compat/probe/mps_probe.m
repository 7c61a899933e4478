/*
 * mps_probe.m: asks Apple's Metal Performance Shaders what its documents leave open, one line an answer.
 *
 *   clang -fobjc-arc mps_probe.m -framework Foundation -framework Metal -framework MetalPerformanceShaders && ./a.out
 *
 * It needs macOS 12 or later and a GPU. mps_probe.c asks this project's the same; docs/APPLE.md holds what that answers.
 */
#import <Foundation/Foundation.h>
#import <Metal/Metal.h>
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

#include "mps_ask.h"
#include "mps_probe_sources.h"

static id<MTLDevice> device(void)
{
	static id<MTLDevice> only;
	if (!only)
		only = MTLCreateSystemDefaultDevice();
	if (!only)
		give_up("no GPU");
	return only;
}

static id<MTLCommandBuffer> new_buffer(void)
{
	static id<MTLCommandQueue> queue;
	if (!queue)
		queue = [device() newCommandQueue];
	return [queue commandBuffer];
}

static int finish(id<MTLCommandBuffer> buffer)
{
	[buffer commit];
	[buffer waitUntilCompleted];
	return buffer.status != MTLCommandBufferStatusCompleted;
}

static int platform_defaults(struct defaults *d)
{
	MPSLSTMDescriptor *lstm = [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:INPUTS
									    outputFeatureChannels:HIDDEN];
	MPSCNNConvolutionDescriptor *kernel =
		[MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:1
									kernelHeight:1
								inputFeatureChannels:1
							       outputFeatureChannels:1];
	MPSNNNeuronDescriptor *neuron = [MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:MPSCNNNeuronTypePower];
	MPSRNNMatrixInferenceLayer *inference = [[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device()
										     rnnDescriptor:lstm];
	MPSRNNMatrixTrainingLayer *training =
		[[MPSRNNMatrixTrainingLayer alloc] initWithDevice:device()
						    rnnDescriptor:lstm
						 trainableWeights:[NSMutableArray new]];
	if (!lstm || !kernel || !neuron || !inference || !training)
		return 1;
	d->unit = lstm.useLayerInputUnitTransformMode;
	d->float32 = lstm.useFloat32Weights;
	d->backward = lstm.layerSequenceDirection == MPSRNNSequenceDirectionBackward;
	d->diagonal = lstm.memoryWeightsAreDiagonal;
	d->cell_neuron = (int)lstm.cellToOutputNeuronType;
	d->cell_a = lstm.cellToOutputNeuronParamA;
	d->cell_b = lstm.cellToOutputNeuronParamB;
	d->cell_c = lstm.cellToOutputNeuronParamC;
	for (int part = INPUT; part < PARTS; part++)
		for (int gate = 0; gate < GATES; gate++)
			d->sources += [lstm valueForKey:source_key(part, gate)] != nil;
	d->stride_x = kernel.strideInPixelsX;
	d->stride_y = kernel.strideInPixelsY;
	d->groups = kernel.groups;
	d->dilation_x = kernel.dilationRateX;
	d->dilation_y = kernel.dilationRateY;
	d->neuron = (int)kernel.fusedNeuronDescriptor.neuronType;
	d->temporary = inference.recurrentOutputIsTemporary;
	d->all_states = inference.storeAllIntermediateStates;
	d->combine = (int)inference.bidirectionalCombineMode;
	d->training_temporary = training.recurrentOutputIsTemporary;
	d->training_all = training.storeAllIntermediateStates;
	d->training_states_temporary = training.trainingStateIsTemporary;
	d->accumulate = training.accumulateWeightGradients;
	d->a = neuron.a;
	d->b = neuron.b;
	d->c = neuron.c;
	return 0;
}

/* ---------------------------------------------------------------------------------------------------- matrices -- */

static MPSMatrix *new_matrix(size_t rows, size_t columns, size_t row_bytes, int type)
{
	MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:rows
										columns:columns
									       rowBytes:row_bytes
									       dataType:TYPES[type]];
	id<MTLBuffer> memory = [device() newBufferWithLength:ROOM * sizeof(float)
						     options:MTLResourceStorageModeShared];
	return [[MPSMatrix alloc] initWithBuffer:memory descriptor:descriptor];
}

static NSArray *part_of(NSArray *list, size_t first, size_t count)
{
	return [list subarrayWithRange:NSMakeRange(first, count)];
}

/* One matrix for each step, or one for all. */
@interface Series : NSObject
@property size_t columns, rows, steps, element;
@property int type, packed;
@property(strong) NSMutableArray<MPSMatrix *> *list;
@property NSUInteger *offsets; /* left to the system */
@end

@implementation Series
/* Rows of the net's steps, or as many in each. */
- (instancetype)initWithNet:(const struct net *)net columns:(size_t)columns numbers:(const float *)numbers falls:(int)falls
{
	self = [super init];
	if (!self)
		return nil;
	_columns = columns;
	_rows = net->rows[0];
	_steps = net->steps;
	_type = net->type;
	_packed = net->packed;
	_element = net->type == FLOAT16 ? 2 : sizeof(float);
	_list = [NSMutableArray new];
	_offsets = calloc(MOST_STEPS, sizeof(NSUInteger));
	for (size_t step = 0; step < _steps; step++) {
		const size_t row_bytes = columns * _element * (_packed ? _steps : 1);
		const size_t rows = falls ? net->rows[step] : _rows;
		_offsets[step] = _packed ? step * columns * _element : 0;
		[_list addObject:_packed && step ? _list[0] : new_matrix(rows, columns, row_bytes, _type)];
	}
	[self fill:numbers];
	return self;
}

- (char *)placeOfStep:(size_t)step row:(size_t)row column:(size_t)column
{
	char *memory = self.list[step].data.contents;
	const size_t line = self.packed ? row * self.steps + step : row;
	return memory + (line * self.columns + column) * self.element;
}

- (void)fill:(const float *)numbers
{
	for (size_t k = 0; k < self.steps * self.rows * self.columns; k++) {
		const size_t line = k / self.columns;
		char *at = [self placeOfStep:line / self.rows row:line % self.rows column:k % self.columns];
		const uint16_t half = half_of(numbers[k]);
		memcpy(at, self.type == FLOAT16 ? (const void *)&half : &numbers[k], self.element);
	}
}

- (void)take:(float *)numbers
{
	for (size_t k = 0; k < self.steps * self.rows * self.columns; k++) {
		const size_t line = k / self.columns;
		const char *at = [self placeOfStep:line / self.rows row:line % self.rows column:k % self.columns];
		uint16_t half;
		memcpy(&half, at, sizeof(half));
		if (self.type == FLOAT16)
			numbers[k] = float_of(half);
		else
			memcpy(&numbers[k], at, sizeof(*numbers));
	}
}
@end

/* A state's matrix may be where no program can look: it is copied. */
static MPSMatrix *shared_copy(id<MTLCommandBuffer> buffer, MPSMatrix *matrix)
{
	MPSMatrix *copy;
	MPSMatrixCopy *kernel;
	if (!matrix)
		return nil;
	copy = new_matrix(matrix.rows, matrix.columns, matrix.columns * sizeof(float), FLOAT32);
	kernel = [[MPSMatrixCopy alloc] initWithDevice:device()
					      copyRows:matrix.rows
					   copyColumns:matrix.columns
				  sourcesAreTransposed:NO
			     destinationsAreTransposed:NO];
	[kernel encodeToCommandBuffer:buffer
		       copyDescriptor:[MPSMatrixCopyDescriptor descriptorWithSourceMatrix:matrix
									destinationMatrix:copy
										  offsets:(MPSMatrixCopyOffsets){0}]];
	return copy;
}

/* h and c of a layer, to be taken when the buffer is done. */
static NSArray *state_copies(id<MTLCommandBuffer> buffer, MPSRNNRecurrentMatrixState *state, size_t layer)
{
	MPSMatrix *h = shared_copy(buffer, [state getRecurrentOutputMatrixForLayerIndex:layer]),
		  *c = shared_copy(buffer, [state getMemoryCellMatrixForLayerIndex:layer]);
	return h && c ? @[ h, c ] : nil;
}

static void state_take(NSArray *copies, float *h, float *c)
{
	float *const numbers[] = {h, c};
	for (NSUInteger k = 0; k < copies.count; k++) {
		MPSMatrix *matrix = copies[k];
		memcpy(numbers[k], matrix.data.contents, matrix.rows * matrix.columns * sizeof(float));
	}
}

static int run_both(struct net *net, MPSRNNMatrixInferenceLayer *layer)
{
	id<MTLCommandBuffer> buffer = new_buffer();
	float marks[ROOM];
	set_all(marks, ROOM, MARK);
	Series *x = [[Series alloc] initWithNet:net columns:net->layer[0].inputs numbers:net->x falls:1];
	Series *y = [[Series alloc] initWithNet:net columns:outputs_of(net) numbers:marks falls:0];
	Series *backward = [[Series alloc] initWithNet:net columns:outputs_of(net) numbers:marks falls:0];
	[layer encodeBidirectionalSequenceToCommandBuffer:buffer
					   sourceSequence:x.list
			       destinationForwardMatrices:y.list
			      destinationBackwardMatrices:net->combine == APART ? backward.list : nil];
	if (finish(buffer))
		return 1;
	[y take:net->y];
	[backward take:net->backward_y];
	return 0;
}

/* One call, or two of which the second one starts where the first one ends. */
static int run_matrices(struct net *net, MPSRNNMatrixInferenceLayer *layer)
{
	id<MTLCommandBuffer> buffer = new_buffer();
	const size_t split = net->split, rest = net->steps - split;
	NSMutableArray<MPSRNNRecurrentMatrixState *> *first = [NSMutableArray new], *states = [NSMutableArray new];
	NSMutableArray<NSArray *> *copies = [NSMutableArray new];
	float marks[ROOM];
	set_all(marks, ROOM, MARK);
	Series *x = [[Series alloc] initWithNet:net columns:net->layer[0].inputs numbers:net->x falls:1];
	Series *y = net->in_place ? x : [[Series alloc] initWithNet:net columns:outputs_of(net) numbers:marks falls:0];
	if (split)
		[layer encodeSequenceToCommandBuffer:buffer
				      sourceMatrices:part_of(x.list, 0, split)
				       sourceOffsets:x.offsets
				 destinationMatrices:part_of(y.list, 0, split)
				  destinationOffsets:y.offsets
				 recurrentInputState:nil
			       recurrentOutputStates:first];
	net->read_counts[0] = (int)first.lastObject.readCount;
	[layer encodeSequenceToCommandBuffer:buffer
			      sourceMatrices:part_of(x.list, split, rest)
			       sourceOffsets:x.offsets + split
			 destinationMatrices:part_of(y.list, split, rest)
			  destinationOffsets:y.offsets + split
			 recurrentInputState:first.lastObject
		       recurrentOutputStates:states];
	net->read_counts[1] = (int)first.lastObject.readCount;
	if (!net->temporary)
		for (MPSRNNRecurrentMatrixState *state in states)
			[copies addObject:state_copies(buffer, state, net->looked) ?: @[]];
	if (finish(buffer))
		return 1;
	[y take:net->y];
	net->states = states.count;
	for (NSUInteger k = 0; k < copies.count && k < MOST_STEPS; k++)
		state_take(copies[k], net->h[k], net->state_c[k]);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ images -- */

static NSArray<MPSImage *> *new_images(const struct net *net, size_t channels, const float *numbers)
{
	const size_t size = places_of(net) * channels;
	NSMutableArray<MPSImage *> *images = [NSMutableArray new];
	for (size_t step = 0; step < net->steps; step++) {
		MPSImageDescriptor *descriptor =
			[MPSImageDescriptor imageDescriptorWithChannelFormat:MPSImageFeatureChannelFormatFloat32
								       width:net->width
								      height:net->height
							     featureChannels:channels
							      numberOfImages:net->rows[step]
								       usage:MTLTextureUsageShaderRead |
									     MTLTextureUsageShaderWrite];
		MPSImage *image = [[MPSImage alloc] initWithDevice:device() imageDescriptor:descriptor];
		for (size_t k = 0; numbers && k < net->rows[step]; k++)
			[image writeBytes:numbers + (step * net->rows[0] + k) * size
			       dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels
			       imageIndex:k];
		[images addObject:image];
	}
	return images;
}

static int run_images(struct net *net, MPSRNNImageInferenceLayer *layer)
{
	id<MTLCommandBuffer> buffer = new_buffer();
	const size_t size = places_of(net) * outputs_of(net), split = net->split, rest = net->steps - split;
	NSArray<MPSImage *> *x = new_images(net, net->layer[0].inputs, net->x),
			    *y = new_images(net, outputs_of(net), NULL);
	NSMutableArray<MPSRNNRecurrentImageState *> *first = [NSMutableArray new];
	if (split)
		[layer encodeSequenceToCommandBuffer:buffer
					sourceImages:part_of(x, 0, split)
				   destinationImages:part_of(y, 0, split)
				 recurrentInputState:nil
			       recurrentOutputStates:first];
	[layer encodeSequenceToCommandBuffer:buffer
				sourceImages:part_of(x, split, rest)
			   destinationImages:part_of(y, split, rest)
			 recurrentInputState:first.lastObject
		       recurrentOutputStates:nil];
	for (MPSImage *image in y)
		[image synchronizeOnCommandBuffer:buffer];
	if (finish(buffer))
		return 1;
	for (size_t step = 0; step < net->steps; step++)
		for (size_t k = 0; k < net->rows[step]; k++)
			[y[step] readBytes:net->y + (step * net->rows[0] + k) * size
				dataLayout:MPSDataLayoutHeightxWidthxFeatureChannels
				imageIndex:k];
	return 0;
}

static int platform_forward(struct net *net)
{
	@autoreleasepool {
		NSMutableArray<MPSRNNDescriptor *> *descriptors = [NSMutableArray new];
		for (size_t k = 0; k < net->layers; k++)
			[descriptors addObject:descriptor_of(&net->layer[k])];
		if (net->height) {
			MPSRNNImageInferenceLayer *layer =
				[[MPSRNNImageInferenceLayer alloc] initWithDevice:device() rnnDescriptors:descriptors];
			return layer ? run_images(net, layer) : 1;
		}
		MPSRNNMatrixInferenceLayer *layer =
			[[MPSRNNMatrixInferenceLayer alloc] initWithDevice:device() rnnDescriptors:descriptors];
		if (!layer)
			return 1;
		layer.recurrentOutputIsTemporary = net->temporary != 0;
		layer.storeAllIntermediateStates = net->all_states != 0;
		layer.bidirectionalCombineMode = (MPSRNNBidirectionalCombineMode)net->combine;
		if (net->change)
			net->change(net);
		return net->both ? run_both(net, layer) : run_matrices(net, layer);
	}
}

/* ---------------------------------------------------------------------------------------------------- training -- */

static const MPSRNNMatrixId FIRST_IDS[GATES] = {
	MPSRNNMatrixIdLSTMInputGateInputWeights,
	MPSRNNMatrixIdLSTMForgetGateInputWeights,
	MPSRNNMatrixIdLSTMOutputGateInputWeights,
	MPSRNNMatrixIdLSTMMemoryGateInputWeights,
};

static MPSRNNMatrixId id_of(const struct net *net, int tensor, int gate)
{
	return (MPSRNNMatrixId)(net->other_id ? (NSUInteger)net->other_id : FIRST_IDS[gate] + (NSUInteger)tensor);
}

@interface Session : NSObject
@property struct net *net;
@property(strong) MPSRNNMatrixTrainingLayer *layer;
@property(strong) id<MTLCommandBuffer> buffer;
@property(strong) NSMutableArray<MPSMatrix *> *weights, *gradients;
@property(strong) Series *x, *y, *dy, *dx;
@property(strong) NSMutableArray<MPSRNNMatrixTrainingState *> *states;
@property(strong) NSArray<MPSRNNRecurrentMatrixState *> *middle, *end, *gradientMiddle;
@end

@implementation Session
- (instancetype)initWithNet:(struct net *)net
{
	float marks[ROOM];
	self = [super init];
	if (!self)
		return nil;
	set_all(marks, ROOM, MARK);
	_net = net;
	_buffer = new_buffer();
	_weights = [NSMutableArray new];
	_gradients = [NSMutableArray new];
	_states = [NSMutableArray new];
	_layer = [[MPSRNNMatrixTrainingLayer alloc] initWithDevice:device()
						     rnnDescriptor:descriptor_of(&net->layer[0])
						  trainableWeights:_weights];
	[_layer createWeightGradientMatrices:_gradients dataType:TYPES[net->float_gradients]];
	_layer.accumulateWeightGradients = net->accumulate != 0;
	_layer.storeAllIntermediateStates = net->all_states != 0;
	_x = [[Series alloc] initWithNet:net columns:net->layer[0].inputs numbers:net->x falls:1];
	_y = [[Series alloc] initWithNet:net columns:net->layer[0].hidden numbers:marks falls:0];
	_dy = [[Series alloc] initWithNet:net columns:net->layer[0].hidden numbers:net->dy falls:1];
	_dx = [[Series alloc] initWithNet:net columns:net->layer[0].inputs numbers:marks falls:0];
	return _layer ? self : nil;
}

/* A part of an array of weights, copied out into a matrix that has room to its left and above it. */
- (MPSMatrix *)copyOut:(NSMutableArray<MPSMatrix *> *)weights tensor:(int)tensor gate:(int)gate
{
	const struct net *net = self.net;
	const struct layer *layer = &net->layer[0];
	const size_t rows = tensor == BIAS || (tensor == MEMORY && layer->diagonal) ? 1 : layer->hidden,
		     columns = tensor == INPUT ? layer->inputs : layer->hidden;
	MPSMatrix *matrix = new_matrix(rows + net->y_at, columns + net->x_at, (columns + net->x_at) * sizeof(float), FLOAT32);
	set_all(matrix.data.contents, ROOM, MARK);
	[self.layer encodeCopyWeightsToCommandBuffer:self.buffer
					     weights:weights
					    matrixId:id_of(net, tensor, gate)
					      matrix:matrix
			     copyFromWeightsToMatrix:YES
					matrixOffset:MTLOriginMake(net->x_at, net->y_at, 0)];
	return matrix;
}

/* By tensor and gate; NSNull for what is not there. */
- (NSArray *)copyAll:(NSMutableArray<MPSMatrix *> *)weights
{
	NSMutableArray *copies = [NSMutableArray new];
	for (int tensor = 0; tensor < TENSORS; tensor++)
		for (int gate = 0; gate < GATES; gate++) {
			const int part = tensor == BIAS ? INPUT : tensor;
			const int forced = self.net->absent_part == tensor && tensor && gate == 0;
			const int there = self.net->layer[0].sources[part][gate].there || forced;
			[copies addObject:there ? [self copyOut:weights tensor:tensor gate:gate] : [NSNull null]];
		}
	return copies;
}

- (NSArray<MPSRNNRecurrentMatrixState *> *)forward:(size_t)first
					     count:(size_t)count
					      from:(MPSRNNRecurrentMatrixState *)start
{
	NSMutableArray<MPSRNNRecurrentMatrixState *> *ends = [NSMutableArray new];
	if (self.net->short_methods)
		[self.layer encodeForwardSequenceToCommandBuffer:self.buffer
						  sourceMatrices:part_of(self.x.list, first, count)
					     destinationMatrices:part_of(self.y.list, first, count)
						  trainingStates:self.states
							 weights:self.weights];
	else
		[self.layer encodeForwardSequenceToCommandBuffer:self.buffer
						  sourceMatrices:part_of(self.x.list, first, count)
						   sourceOffsets:NULL
					     destinationMatrices:part_of(self.y.list, first, count)
					      destinationOffsets:NULL
						  trainingStates:self.states
					     recurrentInputState:start
					   recurrentOutputStates:ends
							 weights:self.weights];
	return ends;
}

/* The states of a forward call are the last ones that came. */
- (NSArray<MPSRNNRecurrentMatrixState *> *)gradient:(size_t)first
					      count:(size_t)count
					     states:(NSArray<MPSRNNMatrixTrainingState *> *)states
					       from:(MPSRNNRecurrentMatrixState *)later
{
	NSMutableArray<MPSRNNRecurrentMatrixState *> *ends = [NSMutableArray new];
	if (self.net->short_methods)
		[self.layer encodeGradientSequenceToCommandBuffer:self.buffer
						   forwardSources:part_of(self.x.list, first, count)
						  sourceGradients:part_of(self.dy.list, first, count)
					     destinationGradients:part_of(self.dx.list, first, count)
						  weightGradients:self.gradients
						   trainingStates:states
							  weights:self.weights];
	else
		[self.layer encodeGradientSequenceToCommandBuffer:self.buffer
						   forwardSources:part_of(self.x.list, first, count)
					     forwardSourceOffsets:NULL
						  sourceGradients:part_of(self.dy.list, first, count)
					    sourceGradientOffsets:NULL
					     destinationGradients:part_of(self.dx.list, first, count)
					       destinationOffsets:NULL
						  weightGradients:self.gradients
						   trainingStates:states
					      recurrentInputState:self.net->chained ? later : nil
					    recurrentOutputStates:ends
							  weights:self.weights];
	return ends;
}

/* Forward, then back; in two pieces if the net is split. */
- (void)lesson
{
	const size_t split = self.net->split, rest = self.net->steps - split;
	NSArray<MPSRNNMatrixTrainingState *> *states;
	[self.states removeAllObjects];
	if (split)
		self.middle = [self forward:0 count:split from:nil];
	self.end = [self forward:split count:rest from:self.middle.lastObject];
	states = [self.states copy];
	self.gradientMiddle = [self gradient:split count:rest states:part_of(states, split, rest) from:nil];
	if (split)
		[self gradient:0 count:split states:part_of(states, 0, split) from:self.gradientMiddle.firstObject];
}
@end

static void copies_take(NSArray *copies, float to[TENSORS][GATES][ROOM])
{
	for (NSUInteger k = 0; k < copies.count; k++) {
		if (copies[k] == [NSNull null])
			continue;
		MPSMatrix *matrix = copies[k];
		memcpy(to[k / GATES][k % GATES], matrix.data.contents, ROOM * sizeof(float));
	}
}

static int platform_train(struct net *net)
{
	@autoreleasepool {
		Session *session = [[Session alloc] initWithNet:net];
		NSArray *weights, *gradients;
		NSMutableArray<NSArray *> *states = [NSMutableArray new], *slopes = [NSMutableArray new];
		if (!session)
			return 1;
		weights = [session copyAll:session.weights];
		for (int call = 0; call < net->calls; call++)
			[session lesson];
		gradients = [session copyAll:session.gradients];
		for (MPSRNNRecurrentMatrixState *state in net->split ? session.middle : session.end)
			[states addObject:state_copies(session.buffer, state, 0) ?: @[]];
		for (MPSRNNRecurrentMatrixState *state in session.gradientMiddle)
			[slopes addObject:state_copies(session.buffer, state, 0) ?: @[]];
		if (finish(session.buffer))
			return 1;
		copies_take(weights, net->weight);
		copies_take(gradients, net->gradient);
		net->training_states = session.states.count;
		[session.y take:net->y];
		[session.dx take:net->dx];
		net->states = slopes.count;
		for (NSUInteger k = 0; k < states.count && k < MOST_STEPS; k++)
			state_take(states[k], net->h[k], net->state_c[k]);
		for (NSUInteger k = 0; k < slopes.count && k < MOST_STEPS; k++)
			state_take(slopes[k], net->dh[k], net->dc[k]);
		return 0;
	}
}
