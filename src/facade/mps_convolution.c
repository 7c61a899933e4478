/* mps_convolution.c exists to keep what a source says of its kernel, channels and neuron. */
#include "mps_internal.h"

#include <stdlib.h>

static void convolution_destroy(void *object)
{
	MPSCNNConvolutionDescriptor *descriptor = object;
	MPSNNNeuronDescriptor_release(descriptor->fusedNeuronDescriptor);
	free(descriptor);
}

MPS_COUNTED(MPSCNNConvolutionDescriptor)

static MPSCNNConvolutionDescriptor *convolution_new(const MPSNNNeuronDescriptor *neuron)
{
	MPSCNNConvolutionDescriptor *descriptor = sluice__object_new(sizeof *descriptor, convolution_destroy);
	if (!descriptor)
		return NULL;
	descriptor->fusedNeuronDescriptor =
		neuron ? MPSNNNeuronDescriptor_copy(neuron)
		       : MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType(MPSCNNNeuronTypeNone);
	if (descriptor->fusedNeuronDescriptor)
		return descriptor;
	MPSCNNConvolutionDescriptor_release(descriptor);
	return NULL;
}

MPSCNNConvolutionDescriptor *MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(size_t kernelWidth,
										  size_t kernelHeight,
										  size_t inputFeatureChannels,
										  size_t outputFeatureChannels)
{
	if (!kernelWidth || !kernelHeight || !inputFeatureChannels || !outputFeatureChannels) {
		MPS_INVALID("convolution: %zu x %zu kernel, %zu to %zu channels, expected each to be at least 1",
			    kernelWidth, kernelHeight, inputFeatureChannels, outputFeatureChannels);
		return NULL;
	}
	MPSCNNConvolutionDescriptor *descriptor = convolution_new(NULL);
	if (!descriptor)
		return NULL;
#define SET(name, Name) descriptor->name = 1;
	SLUICE_MPS_CONVOLUTION_PROPERTIES(SET)
#undef SET
	descriptor->kernelWidth = kernelWidth;
	descriptor->kernelHeight = kernelHeight;
	descriptor->inputFeatureChannels = inputFeatureChannels;
	descriptor->outputFeatureChannels = outputFeatureChannels;
	return descriptor;
}

MPSCNNConvolutionDescriptor *MPSCNNConvolutionDescriptor_copy(const MPSCNNConvolutionDescriptor *descriptor)
{
	if (!descriptor) {
		MPS_INVALID("convolution: descriptor is NULL, expected a descriptor");
		return NULL;
	}
	MPSCNNConvolutionDescriptor *copy = convolution_new(descriptor->fusedNeuronDescriptor);
	if (!copy)
		return NULL;
#define COPY(name, Name) copy->name = descriptor->name;
	SLUICE_MPS_CONVOLUTION_PROPERTIES(COPY)
#undef COPY
	return copy;
}

#define PROPERTY(name, Name)                                                                             \
	size_t MPSCNNConvolutionDescriptor_##name(const MPSCNNConvolutionDescriptor *descriptor)         \
	{                                                                                                \
		return descriptor ? descriptor->name : 0;                                                \
	}                                                                                                \
	void MPSCNNConvolutionDescriptor_set##Name(MPSCNNConvolutionDescriptor *descriptor, size_t name) \
	{                                                                                                \
		if (descriptor)                                                                          \
			descriptor->name = name;                                                         \
	}
SLUICE_MPS_CONVOLUTION_PROPERTIES(PROPERTY)
#undef PROPERTY

const MPSNNNeuronDescriptor *
MPSCNNConvolutionDescriptor_fusedNeuronDescriptor(const MPSCNNConvolutionDescriptor *descriptor)
{
	return descriptor ? descriptor->fusedNeuronDescriptor : NULL;
}

int MPSCNNConvolutionDescriptor_setFusedNeuronDescriptor(MPSCNNConvolutionDescriptor *descriptor,
							 const MPSNNNeuronDescriptor *neuron)
{
	if (!descriptor)
		return MPS_INVALID("convolution: descriptor is NULL, expected a descriptor");
	MPSNNNeuronDescriptor *copy = neuron ? MPSNNNeuronDescriptor_copy(neuron)
					     : MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType(MPSCNNNeuronTypeNone);
	if (!copy)
		return SLUICE_OUT_OF_MEMORY;
	MPSNNNeuronDescriptor_release(descriptor->fusedNeuronDescriptor);
	descriptor->fusedNeuronDescriptor = copy;
	return SLUICE_OK;
}

int MPSCNNConvolutionDescriptor_setNeuronType_parameterA_parameterB(MPSCNNConvolutionDescriptor *descriptor,
								    MPSCNNNeuronType neuronType, float parameterA,
								    float parameterB)
{
	MPSNNNeuronDescriptor *neuron =
		MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b(neuronType, parameterA, parameterB);
	if (!neuron)
		return SLUICE_OUT_OF_MEMORY;
	const int status = MPSCNNConvolutionDescriptor_setFusedNeuronDescriptor(descriptor, neuron);
	MPSNNNeuronDescriptor_release(neuron);
	return status;
}
