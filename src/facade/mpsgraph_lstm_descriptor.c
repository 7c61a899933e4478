/* mpsgraph_lstm_descriptor.c exists to keep an LSTM's ten properties, and to say them in the core's terms. */
#include "mpsgraph_lstm_check.h"

#include <stdint.h>
#include <stdlib.h>

struct MPSGraphLSTMDescriptor {
	struct object object;
#define FIELD(name, Name, type, value) type name;
	SLUICE_MPSGRAPH_LSTM_PROPERTIES(FIELD)
#undef FIELD
};

MPS_COUNTED(MPSGraphLSTMDescriptor)

MPSGraphLSTMDescriptor *MPSGraphLSTMDescriptor_descriptor(void)
{
	MPSGraphLSTMDescriptor *descriptor = sluice__object_new(sizeof *descriptor, free);
	if (!descriptor)
		return NULL;
#define SET(name, Name, type, value) descriptor->name = value;
	SLUICE_MPSGRAPH_LSTM_PROPERTIES(SET)
#undef SET
	return descriptor;
}

MPSGraphLSTMDescriptor *MPSGraphLSTMDescriptor_copy(const MPSGraphLSTMDescriptor *descriptor)
{
	if (!descriptor) {
		MPS_INVALID("descriptor is NULL, expected a descriptor");
		return NULL;
	}
	MPSGraphLSTMDescriptor *copy = MPSGraphLSTMDescriptor_descriptor();
	if (!copy)
		return NULL;
#define COPY(name, Name, type, value) copy->name = descriptor->name;
	SLUICE_MPSGRAPH_LSTM_PROPERTIES(COPY)
#undef COPY
	return copy;
}

int MPSGraphLSTMDescriptor_isEqual(const MPSGraphLSTMDescriptor *a, const MPSGraphLSTMDescriptor *b)
{
	if (a == b)
		return 1;
	if (!a || !b)
		return 0;
	int equal = 1;
#define COMPARE(name, Name, type, value) equal &= a->name == b->name;
	SLUICE_MPSGRAPH_LSTM_PROPERTIES(COMPARE)
#undef COMPARE
	return equal;
}

/* FNV-1a over the properties. */
size_t MPSGraphLSTMDescriptor_hash(const MPSGraphLSTMDescriptor *descriptor)
{
	uint64_t hash = 0xcbf29ce484222325;
	if (!descriptor)
		return 0;
#define MIX(name, Name, type, value) hash = (hash ^ (uint64_t)descriptor->name) * 0x100000001b3;
	SLUICE_MPSGRAPH_LSTM_PROPERTIES(MIX)
#undef MIX
	return (size_t)hash;
}

/* Every number but 0 is YES: descriptors that mean the same are equal. */
static int kept_int(int value)
{
	return value != 0;
}

static MPSGraphRNNActivation kept_MPSGraphRNNActivation(MPSGraphRNNActivation value)
{
	return value;
}

#define PROPERTY(name, Name, type, value)                                                    \
	type MPSGraphLSTMDescriptor_##name(const MPSGraphLSTMDescriptor *descriptor)         \
	{                                                                                    \
		return descriptor ? descriptor->name : (type)0;                              \
	}                                                                                    \
	void MPSGraphLSTMDescriptor_set##Name(MPSGraphLSTMDescriptor *descriptor, type name) \
	{                                                                                    \
		if (descriptor)                                                              \
			descriptor->name = kept_##type(name);                                \
	}
SLUICE_MPSGRAPH_LSTM_PROPERTIES(PROPERTY)
#undef PROPERTY

static sluice_status activation_read(MPSGraphRNNActivation given, const char *name,
				     const sluice_mpsgraph_options *options, sluice_activation *out)
{
	static const sluice_activation_kind kinds[] = {
		[MPSGraphRNNActivationNone] = SLUICE_ACTIVATION_IDENTITY,
		[MPSGraphRNNActivationRelu] = SLUICE_ACTIVATION_RELU,
		[MPSGraphRNNActivationTanh] = SLUICE_ACTIVATION_TANH,
		[MPSGraphRNNActivationSigmoid] = SLUICE_ACTIVATION_SIGMOID,
		[MPSGraphRNNActivationHardSigmoid] = SLUICE_ACTIVATION_HARD_SIGMOID,
	};
	if ((unsigned)given >= sizeof kinds / sizeof kinds[0])
		return MPS_INVALID("descriptor.%s is %d, expected 0 to %d", name, (int)given,
				   (int)(sizeof kinds / sizeof kinds[0]) - 1);
	*out = (sluice_activation){.kind = kinds[given]};
	if (given == MPSGraphRNNActivationHardSigmoid) {
		out->a = options->hard_sigmoid_slope;
		out->b = options->hard_sigmoid_offset;
	}
	return SLUICE_OK;
}

sluice_status sluice__mpsgraph_lstm_describe(const MPSGraphLSTMDescriptor *descriptor,
					     const sluice_mpsgraph_options *options, struct lstm_network *network)
{
	if (!descriptor)
		return MPS_INVALID("descriptor is NULL, expected a descriptor");
	const struct {
		const char *name;
		MPSGraphRNNActivation given;
	} activations[LSTM_ACTIVATIONS] = {
		{"inputGateActivation", descriptor->inputGateActivation},
		{"forgetGateActivation", descriptor->forgetGateActivation},
		{"cellGateActivation", descriptor->cellGateActivation},
		{"outputGateActivation", descriptor->outputGateActivation},
		[LSTM_CELL_ACTIVATION] = {"activation", descriptor->activation},
	};
	for (size_t each = 0; each < LSTM_ACTIVATIONS; each++)
		MPS_TRY(activation_read(activations[each].given, activations[each].name, options,
					&network->activations[each]));
	network->directions = descriptor->bidirectional ? 2 : 1;
	network->reverse = descriptor->reverse && !descriptor->bidirectional;
	network->processing_order = options->reverse_alignment == SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_PROCESSING;
	network->forget_last = descriptor->forgetGateLast;
	network->peephole_previous = options->peephole_output == SLUICE_MPSGRAPH_PEEPHOLE_OUTPUT_PREVIOUS;
	network->training = descriptor->training;
	network->threads = options->threads;
	return SLUICE_OK;
}
