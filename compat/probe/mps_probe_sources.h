/*
 * mps_probe_sources.h: sources of weights, and descriptors made of them, for mps_probe.m. In Objective-C.
 */
#ifndef SLUICE_COMPAT_PROBE_MPS_PROBE_SOURCES_H
#define SLUICE_COMPAT_PROBE_MPS_PROBE_SOURCES_H

#import <Foundation/Foundation.h>
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

#include "mps_net.h"

static const MPSDataType TYPES[] = {MPSDataTypeFloat32, MPSDataTypeFloat16, MPSDataTypeUInt8};

@interface Source : NSObject <MPSCNNConvolutionDataSource>
@property struct source *numbers;
@property vector_float2 *ranges; /* left to the system */
@end

@implementation Source
- (instancetype)initWithNumbers:(struct source *)numbers
{
	self = [super init];
	if (self) {
		_numbers = numbers;
		_ranges = malloc(sizeof(numbers->ranges));
		memcpy(_ranges, numbers->ranges, sizeof(numbers->ranges));
	}
	return self;
}

- (id)copyWithZone:(NSZone *)zone
{
	return self;
}

/* What is optional is there where it says something. */
- (BOOL)respondsToSelector:(SEL)selector
{
	if (selector == @selector(kernelWeightsDataType))
		return self.numbers->kernel_type != 0;
	if (selector == @selector(rangesForUInt8Kernel) || selector == @selector(lookupTableForUInt8Kernel) ||
	    selector == @selector(weightsQuantizationType))
		return self.numbers->type == UINT8;
	return [super respondsToSelector:selector];
}

- (MPSDataType)dataType
{
	called(self.numbers, "dataType");
	return TYPES[self.numbers->type];
}

- (MPSCNNConvolutionDescriptor *)descriptor
{
	const struct source *source = self.numbers;
	MPSCNNConvolutionDescriptor *descriptor =
		[MPSCNNConvolutionDescriptor cnnConvolutionDescriptorWithKernelWidth:source->width
									kernelHeight:source->height
								inputFeatureChannels:source->in
							       outputFeatureChannels:source->out];
	called(self.numbers, "descriptor");
	if (source->neuron == PRELU) {
		NSData *slopes = [NSData dataWithBytes:source->slopes length:source->out * sizeof(float)];
		descriptor.fusedNeuronDescriptor = [MPSNNNeuronDescriptor cnnNeuronPReLUDescriptorWithData:slopes
												    noCopy:NO];
	} else {
		descriptor.fusedNeuronDescriptor =
			[MPSNNNeuronDescriptor cnnNeuronDescriptorWithType:(MPSCNNNeuronType)source->neuron
									 a:source->a
									 b:source->b
									 c:source->c];
	}
	descriptor.groups = source->groups;
	descriptor.strideInPixelsX = source->stride;
	descriptor.dilationRateX = source->dilation;
	return descriptor;
}

- (void *)weights
{
	return source_weights(self.numbers);
}

- (float *)biasTerms
{
	called(self.numbers, "biasTerms");
	return self.numbers->bias;
}

- (BOOL)load
{
	return source_load(self.numbers) != 0;
}

- (void)purge
{
	source_purge(self.numbers);
}

- (NSString *)label
{
	return nil;
}

- (vector_float2 *)rangesForUInt8Kernel
{
	return self.ranges;
}

- (float *)lookupTableForUInt8Kernel
{
	return self.numbers->table;
}

- (MPSCNNWeightsQuantizationType)weightsQuantizationType
{
	return (MPSCNNWeightsQuantizationType)self.numbers->codes_mean;
}

- (MPSDataType)kernelWeightsDataType
{
	return TYPES[self.numbers->kernel_type - 1];
}
@end

/* The twelve sources by part and gate: properties of the descriptor. */
static NSString *source_key(int part, int gate)
{
	static const char *const gates[] = {"inputGate", "forgetGate", "outputGate", "cellGate"};
	static const char *const parts[] = {"InputWeights", "RecurrentWeights", "MemoryWeights"};
	return [NSString stringWithFormat:@"%s%s", gates[gate], parts[part]];
}

static MPSLSTMDescriptor *descriptor_of(struct layer *layer)
{
	MPSLSTMDescriptor *descriptor = [MPSLSTMDescriptor createLSTMDescriptorWithInputFeatureChannels:layer->inputs
										  outputFeatureChannels:layer->hidden];
	descriptor.useLayerInputUnitTransformMode = layer->unit != 0;
	descriptor.useFloat32Weights = layer->float32 != 0;
	descriptor.layerSequenceDirection = (MPSRNNSequenceDirection)layer->backward;
	descriptor.memoryWeightsAreDiagonal = layer->diagonal != 0;
	descriptor.cellToOutputNeuronType = (MPSCNNNeuronType)layer->cell_neuron;
	for (int part = INPUT; part < PARTS; part++)
		for (int gate = 0; gate < GATES; gate++)
			if (layer->sources[part][gate].there)
				[descriptor setValue:[[Source alloc] initWithNumbers:&layer->sources[part][gate]]
					      forKey:source_key(part, gate)];
	return descriptor;
}

#endif
