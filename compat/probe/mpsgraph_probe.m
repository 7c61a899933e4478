/*
 * mpsgraph_probe.m: asks Apple's MPSGraph what its documents leave open, one line an answer.
 *
 *   clang -fobjc-arc mpsgraph_probe.m -framework Foundation -framework Metal \
 *           -framework MetalPerformanceShaders -framework MetalPerformanceShadersGraph && ./a.out
 *
 * It needs macOS 12.3 or later and a GPU. mpsgraph_probe.c asks this project's the same; docs/APPLE.md holds what that
 * answers, and where a line differs, a switch of sluice_mpsgraph_options may be turned.
 */
#import <Foundation/Foundation.h>
#import <Metal/Metal.h>
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>
#import <MetalPerformanceShadersGraph/MetalPerformanceShadersGraph.h>

#include "mpsgraph_ask.h"

/* BFloat16 by its value, as older systems' headers do not name it. */
static const MPSDataType TYPES[] = {MPSDataTypeFloat32, MPSDataTypeFloat16, (MPSDataType)(0x80000000u | 0x10000010u)};

static id<MTLDevice> device(void)
{
	static id<MTLDevice> only;
	if (!only)
		only = MTLCreateSystemDefaultDevice();
	if (!only)
		give_up("no GPU");
	return only;
}

/* A graph, what it is fed with, and what is wanted of it. */
@interface Session : NSObject
@property(strong) MPSGraph *graph;
@property MPSDataType type;
@property(strong) NSMutableDictionary<MPSGraphTensor *, MPSGraphTensorData *> *feeds;
@property(strong) NSMutableArray<MPSGraphTensor *> *targets;
@end

@implementation Session
- (instancetype)initWithType:(MPSDataType)type
{
	self = [super init];
	if (self) {
		_graph = [MPSGraph new];
		_type = type;
		_feeds = [NSMutableDictionary new];
		_targets = [NSMutableArray new];
	}
	return self;
}

- (MPSGraphTensor *)feed:(struct array *)array
{
	NSMutableArray<NSNumber *> *sizes = [NSMutableArray new];
	NSData *bytes;
	MPSGraphTensor *tensor;
	if (array->rank == 0)
		return nil;
	for (size_t k = 0; k < array->rank; k++)
		[sizes addObject:@(array->size[k])];
	bytes = [NSData dataWithBytes:array->data length:count_of(array) * sizeof(float)];
	tensor = [self.graph placeholderWithShape:sizes dataType:MPSDataTypeFloat32 name:nil];
	self.feeds[tensor] = [[MPSGraphTensorData alloc] initWithDevice:[MPSGraphDevice deviceWithMTLDevice:device()]
								    data:bytes
								   shape:sizes
								dataType:MPSDataTypeFloat32];
	if (self.type == MPSDataTypeFloat32)
		return tensor;
	return [self.graph castTensor:tensor toType:self.type name:@"to"];
}

- (void)want:(NSArray<MPSGraphTensor *> *)tensors
{
	for (MPSGraphTensor *tensor in tensors) {
		if (self.type == MPSDataTypeFloat32)
			[self.targets addObject:tensor];
		else
			[self.targets addObject:[self.graph castTensor:tensor toType:MPSDataTypeFloat32 name:@"from"]];
	}
}

- (int)take:(MPSGraphTensorData *)data into:(struct array *)array
{
	array->rank = data.shape.count;
	if (array->rank > RANK)
		return 1;
	for (size_t k = 0; k < array->rank; k++)
		array->size[k] = data.shape[k].unsignedLongValue;
	if (count_of(array) > ROOM)
		return 1;
	[data.mpsndarray readBytes:array->data strideBytes:NULL];
	return 0;
}

- (int)run:(struct net *)net
{
	int result = 0;
	id<MTLCommandQueue> queue = [device() newCommandQueue];
	NSDictionary<MPSGraphTensor *, MPSGraphTensorData *> *results =
		[self.graph runWithMTLCommandQueue:queue
					     feeds:self.feeds
				     targetTensors:self.targets
				  targetOperations:nil];
	for (size_t k = 0; k < self.targets.count; k++) {
		struct array *array = k < net->results ? &net->result[k] : &net->gradient[k - net->results];
		result |= [self take:results[self.targets[k]] into:array];
	}
	return result;
}
@end

/* ------------------------------------------------------------------------------------------------- descriptor -- */

static MPSGraphLSTMDescriptor *new_descriptor(const struct net *net)
{
	MPSGraphLSTMDescriptor *d = [MPSGraphLSTMDescriptor descriptor];
	const int *functions = net->functions;
	d.reverse = net->reverse != 0;
	d.bidirectional = net->bidirectional != 0;
	d.produceCell = net->produce_cell != 0;
	d.training = net->training != 0;
	d.forgetGateLast = net->forget_gate_last != 0;
	d.inputGateActivation = (MPSGraphRNNActivation)functions[INPUT_GATE];
	d.forgetGateActivation = (MPSGraphRNNActivation)functions[FORGET_GATE];
	d.cellGateActivation = (MPSGraphRNNActivation)functions[CELL_GATE];
	d.outputGateActivation = (MPSGraphRNNActivation)functions[OUTPUT_GATE];
	d.activation = (MPSGraphRNNActivation)functions[OUTPUT];
	return d;
}

static int platform_defaults(struct net *net)
{
	MPSGraphLSTMDescriptor *d = [MPSGraphLSTMDescriptor descriptor];
	if (!d)
		return 1;
	net->reverse = d.reverse;
	net->bidirectional = d.bidirectional;
	net->produce_cell = d.produceCell;
	net->training = d.training;
	net->forget_gate_last = d.forgetGateLast;
	net->functions[INPUT_GATE] = (int)d.inputGateActivation;
	net->functions[FORGET_GATE] = (int)d.forgetGateActivation;
	net->functions[CELL_GATE] = (int)d.cellGateActivation;
	net->functions[OUTPUT_GATE] = (int)d.outputGateActivation;
	net->functions[OUTPUT] = (int)d.activation;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ nodes -- */

static NSArray<MPSGraphTensor *> *add_forward(Session *session, struct net *net, MPSGraphTensor *__strong *in)
{
	NSArray<MPSGraphTensor *> *out;
	for (size_t k = 0; k < TENSORS; k++)
		in[k] = [session feed:&net->in[k]];
	if (net->only_needed)
		out = [session.graph LSTMWithSourceTensor:in[SOURCE]
					  recurrentWeight:in[RECURRENT]
						initState:nil
						 initCell:nil
					       descriptor:new_descriptor(net)
						     name:nil];
	else
		out = [session.graph LSTMWithSourceTensor:in[SOURCE]
					  recurrentWeight:in[RECURRENT]
					      inputWeight:in[INPUT]
						     bias:in[BIAS]
						initState:in[STATE]
						 initCell:in[CELL]
						     mask:in[MASK]
						 peephole:in[PEEPHOLE]
					       descriptor:new_descriptor(net)
						     name:nil];
	net->results = out.count;
	if (out.count <= RESULTS)
		[session want:out];
	return out;
}

static void add_backward(Session *session, struct net *net, MPSGraphTensor *__strong *in,
			 NSArray<MPSGraphTensor *> *out)
{
	MPSGraphTensor *dy = [session feed:&net->source_gradient], *dh = [session feed:&net->state_gradient],
		       *dc = [session feed:&net->cell_gradient];
	NSArray<MPSGraphTensor *> *gradients;
	if (net->only_needed)
		gradients = [session.graph LSTMGradientsWithSourceTensor:in[SOURCE]
							 recurrentWeight:in[RECURRENT]
							  sourceGradient:dy
								  zState:out[2]
							   cellOutputFwd:out[1]
							      descriptor:new_descriptor(net)
								    name:nil];
	else
		gradients = [session.graph LSTMGradientsWithSourceTensor:in[SOURCE]
							 recurrentWeight:in[RECURRENT]
							  sourceGradient:dy
								  zState:out[2]
							   cellOutputFwd:out[1]
							   stateGradient:dh
							    cellGradient:dc
							     inputWeight:in[INPUT]
								    bias:in[BIAS]
							       initState:in[STATE]
								initCell:in[CELL]
								    mask:in[MASK]
								peephole:in[PEEPHOLE]
							      descriptor:new_descriptor(net)
								    name:nil];
	net->gradients = gradients.count;
	if (gradients.count <= GRADIENTS)
		[session want:gradients];
}

static int build_and_run(struct net *net, int with_gradients)
{
	@autoreleasepool {
		Session *session = [[Session alloc] initWithType:TYPES[net->type]];
		MPSGraphTensor *in[TENSORS];
		NSArray<MPSGraphTensor *> *out = add_forward(session, net, in);
		if (out.count == 0 || out.count > RESULTS || (with_gradients && out.count < RESULTS))
			return 1;
		if (with_gradients)
			add_backward(session, net, in, out);
		if (with_gradients && (net->gradients == 0 || net->gradients > GRADIENTS))
			return 1;
		return [session run:net];
	}
}

static int platform_forward(struct net *net)
{
	return build_and_run(net, 0);
}

static int platform_backward(struct net *net)
{
	return build_and_run(net, 1);
}
