/* mps_descriptor.c exists to keep a layer's properties and its twelve sources of weights. */
#include "mps_internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Every number but 0 is YES: descriptors that mean the same are equal. */
#define kept_int(value) ((value) != 0)
#define kept_size_t(value) (value)
#define kept_float(value) (value)
#define kept_MPSRNNSequenceDirection(value) (value)
#define kept_MPSCNNNeuronType(value) (value)

#define BASE_PROPERTY(name, Name, type, value)                                   \
	type MPSRNNDescriptor_##name(const MPSRNNDescriptor *descriptor)         \
	{                                                                        \
		return descriptor ? descriptor->name : (type)0;                  \
	}                                                                        \
	void MPSRNNDescriptor_set##Name(MPSRNNDescriptor *descriptor, type name) \
	{                                                                        \
		if (descriptor)                                                  \
			descriptor->name = kept_##type(name);                    \
	}
SLUICE_MPS_RNN_PROPERTIES(BASE_PROPERTY)

MPS_COUNTED(MPSRNNDescriptor)
MPS_COUNTED(MPSLSTMDescriptor)

static void source_take(struct source *source)
{
	if (source->given && source->calls.retain)
		source->calls.retain(source->calls.user);
}

static void source_give(struct source *source)
{
	if (source->given && source->calls.release)
		source->calls.release(source->calls.user);
	source->given = 0;
}

static void lstm_destroy(void *object)
{
	MPSLSTMDescriptor *descriptor = object;
	for (int part = 0; part < PARTS; part++)
		for (int gate = 0; gate < GATES; gate++)
			source_give(&descriptor->sources[part][gate]);
	free(descriptor);
}

MPSLSTMDescriptor *
MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(size_t inputFeatureChannels,
										     size_t outputFeatureChannels)
{
	if (!inputFeatureChannels || !outputFeatureChannels) {
		MPS_INVALID("descriptor: %zu input and %zu output channels, expected at least 1 of each",
			    inputFeatureChannels, outputFeatureChannels);
		return NULL;
	}
	MPSLSTMDescriptor *descriptor = sluice__object_new(sizeof *descriptor, lstm_destroy);
	if (!descriptor)
		return NULL;
#define SET(name, Name, type, value) descriptor->name = value;
	SLUICE_MPS_LSTM_PROPERTIES(SET)
#undef SET
#define SET(name, Name, type, value) descriptor->base.name = value;
	SLUICE_MPS_RNN_PROPERTIES(SET)
#undef SET
	descriptor->base.inputFeatureChannels = inputFeatureChannels;
	descriptor->base.outputFeatureChannels = outputFeatureChannels;
	return descriptor;
}

MPSRNNDescriptor *MPSLSTMDescriptor_asRNNDescriptor(MPSLSTMDescriptor *descriptor)
{
	return descriptor ? &descriptor->base : NULL;
}

MPSLSTMDescriptor *MPSLSTMDescriptor_copy(const MPSLSTMDescriptor *descriptor)
{
	if (!descriptor) {
		MPS_INVALID("descriptor is NULL, expected a descriptor");
		return NULL;
	}
	MPSLSTMDescriptor *copy = sluice__object_new(sizeof *copy, lstm_destroy);
	if (!copy)
		return NULL;
#define COPY(name, Name, type, value) copy->name = descriptor->name;
	SLUICE_MPS_LSTM_PROPERTIES(COPY)
#undef COPY
#define COPY(name, Name, type, value) copy->base.name = descriptor->base.name;
	SLUICE_MPS_RNN_PROPERTIES(COPY)
#undef COPY
	memcpy(copy->sources, descriptor->sources, sizeof copy->sources);
	for (int part = 0; part < PARTS; part++)
		for (int gate = 0; gate < GATES; gate++)
			source_take(&copy->sources[part][gate]);
	return copy;
}

/* FNV-1a. */
static uint64_t mixed(uint64_t hash, const void *bytes, size_t count)
{
	for (size_t k = 0; k < count; k++)
		hash = (hash ^ ((const unsigned char *)bytes)[k]) * 0x100000001b3;
	return hash;
}

/* A source is given or not, and its user and functions; what is not given is all zero. */
static int same_source(const struct source *a, const struct source *b)
{
	return a->given == b->given && (!a->given || memcmp(&a->calls, &b->calls, sizeof a->calls) == 0);
}

int MPSLSTMDescriptor_isEqual(const MPSLSTMDescriptor *a, const MPSLSTMDescriptor *b)
{
	if (a == b)
		return 1;
	if (!a || !b)
		return 0;
	int equal = 1;
	/* Bit by bit, so that a descriptor equals its copy whatever its numbers are. */
#define COMPARE(name, Name, type, value) equal &= memcmp(&a->name, &b->name, sizeof a->name) == 0;
	SLUICE_MPS_LSTM_PROPERTIES(COMPARE)
#undef COMPARE
#define COMPARE(name, Name, type, value) equal &= a->base.name == b->base.name;
	SLUICE_MPS_RNN_PROPERTIES(COMPARE)
#undef COMPARE
	for (int part = 0; part < PARTS; part++)
		for (int gate = 0; gate < GATES; gate++)
			equal &= same_source(&a->sources[part][gate], &b->sources[part][gate]);
	return equal;
}

size_t MPSLSTMDescriptor_hash(const MPSLSTMDescriptor *descriptor)
{
	uint64_t hash = 0xcbf29ce484222325;
	if (!descriptor)
		return 0;
#define MIX(name, Name, type, value) hash = mixed(hash, &descriptor->name, sizeof descriptor->name);
	SLUICE_MPS_LSTM_PROPERTIES(MIX)
#undef MIX
#define MIX(name, Name, type, value) hash = mixed(hash, &descriptor->base.name, sizeof descriptor->base.name);
	SLUICE_MPS_RNN_PROPERTIES(MIX)
#undef MIX
	for (int part = 0; part < PARTS; part++)
		for (int gate = 0; gate < GATES; gate++) {
			const struct source *source = &descriptor->sources[part][gate];
			void *user = source->given ? source->calls.user : NULL;
			hash = mixed(hash, &source->given, sizeof source->given);
			hash = mixed(hash, &user, sizeof user);
		}
	return (size_t)hash;
}

#define PROPERTY(name, Name, type, value)                                          \
	type MPSLSTMDescriptor_##name(const MPSLSTMDescriptor *descriptor)         \
	{                                                                          \
		return descriptor ? descriptor->name : (type)0;                    \
	}                                                                          \
	void MPSLSTMDescriptor_set##Name(MPSLSTMDescriptor *descriptor, type name) \
	{                                                                          \
		if (descriptor)                                                    \
			descriptor->name = kept_##type(name);                      \
	}
SLUICE_MPS_LSTM_PROPERTIES(PROPERTY)

/* Reads a caller's struct, which may be of another version. */
static sluice_status calls_read(const char *name, const MPSCNNConvolutionDataSource *given,
				MPSCNNConvolutionDataSource *calls)
{
	/* Struct members up to here have always been there. */
	const size_t least = offsetof(MPSCNNConvolutionDataSource, label);
	size_t size;
	memcpy(&size, given, sizeof size);
	if (size < least)
		return MPS_INVALID("%s.size is %zu, expected its sizeof", name, size);
	for (size_t byte = sizeof *calls; byte < size; byte++)
		if (((const unsigned char *)given)[byte])
			return sluice_fail(SLUICE_UNSUPPORTED,
					   "%s uses a field at byte %zu that this version (%s) does not know", name,
					   byte, sluice_version());
	memset(calls, 0, sizeof *calls);
	memcpy(calls, given, size < sizeof *calls ? size : sizeof *calls);
	calls->size = sizeof *calls;
	return SLUICE_OK;
}

static sluice_status calls_check(const char *name, const MPSCNNConvolutionDataSource *calls)
{
	const struct {
		const char *function;
		int given;
	} required[] = {
		{"dataType", calls->dataType != NULL}, {"descriptor", calls->descriptor != NULL},
		{"weights", calls->weights != NULL},   {"biasTerms", calls->biasTerms != NULL},
		{"load", calls->load != NULL},         {"purge", calls->purge != NULL},
	};
	for (size_t each = 0; each < sizeof required / sizeof required[0]; each++)
		if (!required[each].given)
			return MPS_INVALID("%s.%s is NULL, expected a function", name, required[each].function);
	if (!calls->retain != !calls->release)
		return MPS_INVALID("%s has %s without %s, expected both or none", name,
				   calls->retain ? "retain" : "release", calls->retain ? "release" : "retain");
	return SLUICE_OK;
}

static int source_set(MPSLSTMDescriptor *descriptor, enum part part, enum gate gate, const char *name,
		      const MPSCNNConvolutionDataSource *given)
{
	struct source fresh = {0};
	if (!descriptor)
		return MPS_INVALID("descriptor is NULL, expected a descriptor");
	if (given) {
		MPS_TRY(calls_read(name, given, &fresh.calls));
		MPS_TRY(calls_check(name, &fresh.calls));
		fresh.given = 1;
	}
	source_take(&fresh);
	source_give(&descriptor->sources[part][gate]);
	descriptor->sources[part][gate] = fresh;
	return SLUICE_OK;
}

/* Where a source is kept, by its name. */
#define GATE_inputGate GATE_INPUT
#define GATE_forgetGate GATE_FORGET
#define GATE_outputGate GATE_OUTPUT
#define GATE_cellGate GATE_CELL
#define SOURCE(gate, Gate, part, Part)                                                                                 \
	const MPSCNNConvolutionDataSource *MPSLSTMDescriptor_##gate##Part(const MPSLSTMDescriptor *descriptor)         \
	{                                                                                                              \
		const struct source *source = descriptor ? &descriptor->sources[part][GATE_##gate] : NULL;             \
		return source && source->given ? &source->calls : NULL;                                                \
	}                                                                                                              \
	int MPSLSTMDescriptor_set##Gate##Part(MPSLSTMDescriptor *descriptor, const MPSCNNConvolutionDataSource *given) \
	{                                                                                                              \
		return source_set(descriptor, part, GATE_##gate, #gate #Part, given);                                  \
	}
#define SOURCES(gate, Gate)                                  \
	SOURCE(gate, Gate, PART_INPUT, InputWeights)         \
	SOURCE(gate, Gate, PART_RECURRENT, RecurrentWeights) \
	SOURCE(gate, Gate, PART_MEMORY, MemoryWeights)
SOURCES(inputGate, InputGate)
SOURCES(forgetGate, ForgetGate)
SOURCES(outputGate, OutputGate)
SOURCES(cellGate, CellGate)
