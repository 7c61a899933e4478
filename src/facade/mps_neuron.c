/* mps_neuron.c exists to keep a neuron's type and numbers, and to say them in the core's words. */
#include "mps_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct MPSNNNeuronDescriptor {
	struct object object;
	MPSCNNNeuronType neuronType;
	float a, b, c;
	const float *data; /* of a PReLU */
	size_t count;
	float *owned; /* what of it is ours */
};

static void neuron_destroy(void *object)
{
	MPSNNNeuronDescriptor *descriptor = object;
	free(descriptor->owned);
	free(descriptor);
}

MPS_COUNTED(MPSNNNeuronDescriptor)

MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c(MPSCNNNeuronType neuronType, float a,
									       float b, float c)
{
	MPSNNNeuronDescriptor *descriptor = sluice__object_new(sizeof *descriptor, neuron_destroy);
	if (!descriptor)
		return NULL;
	descriptor->neuronType = neuronType;
	descriptor->a = a;
	descriptor->b = b;
	descriptor->c = c;
	return descriptor;
}

MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b(MPSCNNNeuronType neuronType, float a,
									     float b)
{
	return MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c(neuronType, a, b, 0);
}

MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a(MPSCNNNeuronType neuronType, float a)
{
	return MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c(neuronType, a, 0, 0);
}

MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType(MPSCNNNeuronType neuronType)
{
	return MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c(neuronType, 0, 0, 0);
}

MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(const float *data, size_t count,
										     int noCopy)
{
	if (!data || count == 0) {
		MPS_INVALID("neuron: data is %p with %zu slopes, expected at least one", (const void *)data, count);
		return NULL;
	}
	MPSNNNeuronDescriptor *descriptor = MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType(MPSCNNNeuronTypePReLU);
	if (!descriptor)
		return NULL;
	descriptor->data = data;
	descriptor->count = count;
	if (noCopy)
		return descriptor;
	descriptor->owned = sluice__object_allocate(count, sizeof *data);
	if (!descriptor->owned) {
		MPSNNNeuronDescriptor_release(descriptor);
		return NULL;
	}
	memcpy(descriptor->owned, data, count * sizeof *data);
	descriptor->data = descriptor->owned;
	return descriptor;
}

MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_copy(const MPSNNNeuronDescriptor *descriptor)
{
	if (!descriptor) {
		MPS_INVALID("neuron: descriptor is NULL, expected a descriptor");
		return NULL;
	}
	const int keeps = descriptor->data && !descriptor->owned;
	MPSNNNeuronDescriptor *copy =
		descriptor->data ? MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(
					   descriptor->data, descriptor->count, keeps)
				 : MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType(descriptor->neuronType);
	if (!copy)
		return NULL;
	copy->neuronType = descriptor->neuronType;
	copy->a = descriptor->a;
	copy->b = descriptor->b;
	copy->c = descriptor->c;
	return copy;
}

#define PROPERTY(name, Name, type)                                                         \
	type MPSNNNeuronDescriptor_##name(const MPSNNNeuronDescriptor *descriptor)         \
	{                                                                                  \
		return descriptor ? descriptor->name : (type)0;                            \
	}                                                                                  \
	void MPSNNNeuronDescriptor_set##Name(MPSNNNeuronDescriptor *descriptor, type name) \
	{                                                                                  \
		if (descriptor)                                                            \
			descriptor->name = name;                                           \
	}
PROPERTY(neuronType, NeuronType, MPSCNNNeuronType)
PROPERTY(a, A, float)
PROPERTY(b, B, float)
PROPERTY(c, C, float)
#undef PROPERTY

const float *MPSNNNeuronDescriptor_data(const MPSNNNeuronDescriptor *descriptor, size_t *count)
{
	if (count)
		*count = descriptor ? descriptor->count : 0;
	return descriptor ? descriptor->data : NULL;
}

struct neuron sluice__mps_neuron(const MPSNNNeuronDescriptor *descriptor)
{
	return (struct neuron){descriptor->neuronType, descriptor->a,    descriptor->b,
			       descriptor->c,          descriptor->data, descriptor->count};
}

/* The core's kind, and how many of a, b and c it reads. */
static const struct {
	sluice_activation_kind kind;
	int numbers;
} KINDS[] = {
	[MPSCNNNeuronTypeNone] = {SLUICE_ACTIVATION_IDENTITY, 0},
	[MPSCNNNeuronTypeReLU] = {SLUICE_ACTIVATION_LEAKY_RELU, 1},
	[MPSCNNNeuronTypeLinear] = {SLUICE_ACTIVATION_LINEAR, 2},
	[MPSCNNNeuronTypeSigmoid] = {SLUICE_ACTIVATION_SIGMOID, 0},
	[MPSCNNNeuronTypeHardSigmoid] = {SLUICE_ACTIVATION_HARD_SIGMOID, 2},
	[MPSCNNNeuronTypeTanH] = {SLUICE_ACTIVATION_SCALED_TANH, 2},
	[MPSCNNNeuronTypeAbsolute] = {SLUICE_ACTIVATION_ABS, 0},
	[MPSCNNNeuronTypeSoftPlus] = {SLUICE_ACTIVATION_SOFTPLUS, 2},
	[MPSCNNNeuronTypeSoftSign] = {SLUICE_ACTIVATION_SOFTSIGN, 0},
	[MPSCNNNeuronTypeELU] = {SLUICE_ACTIVATION_ELU, 1},
	[MPSCNNNeuronTypePReLU] = {SLUICE_ACTIVATION_PRELU, 0},
	[MPSCNNNeuronTypeReLUN] = {SLUICE_ACTIVATION_CLIPPED_RELU, 2},
	[MPSCNNNeuronTypePower] = {SLUICE_ACTIVATION_POWER, 3},
	[MPSCNNNeuronTypeExponential] = {SLUICE_ACTIVATION_EXPONENTIAL, 3},
	[MPSCNNNeuronTypeLogarithm] = {SLUICE_ACTIVATION_LOGARITHM, 3},
	[MPSCNNNeuronTypeGeLU] = {SLUICE_ACTIVATION_GELU, 0},
};

static sluice_status prelu_check(const char *where, const struct neuron *neuron, size_t units)
{
	if (neuron->type != MPSCNNNeuronTypePReLU)
		return SLUICE_OK;
	if (units == 0)
		return MPS_INVALID("%s: the neuron is PReLU, which has no slopes here", where);
	if (!neuron->slopes || neuron->count != units)
		return MPS_INVALID("%s: the PReLU has %zu slopes, expected %zu", where, neuron->count, units);
	for (size_t k = 0; k < units; k++)
		if (!isfinite(neuron->slopes[k]))
			return MPS_INVALID("%s: slope %zu of the PReLU is %g, expected a finite number", where, k,
					   (double)neuron->slopes[k]);
	return SLUICE_OK;
}

sluice_status sluice__mps_activation(const char *where, const struct neuron *neuron, size_t units,
				     sluice_activation *out)
{
	const float given[3] = {neuron->a, neuron->b, neuron->c};
	float read[3] = {0};
	if ((unsigned)neuron->type >= sizeof KINDS / sizeof KINDS[0])
		return MPS_INVALID("%s: the neuron's type is %d, expected 0 to %d", where, (int)neuron->type,
				   (int)(sizeof KINDS / sizeof KINDS[0]) - 1);
	MPS_TRY(prelu_check(where, neuron, units));
	for (int k = 0; k < KINDS[neuron->type].numbers; k++) {
		if (!isfinite(given[k]))
			return MPS_INVALID("%s: the neuron's %c is %g, expected a finite number", where, "abc"[k],
					   (double)given[k]);
		read[k] = given[k];
	}
	*out = (sluice_activation){KINDS[neuron->type].kind, read[0], read[1], read[2]};
	/* The usual tanh has a kernel of its own. */
	if (neuron->type == MPSCNNNeuronTypeTanH && read[0] == 1 && read[1] == 1)
		*out = (sluice_activation){.kind = SLUICE_ACTIVATION_TANH};
	return SLUICE_OK;
}
