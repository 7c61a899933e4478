/* mps_source.c exists to read a source of weights as its header says: load, ask, purge, and to refuse what makes no
 * sense.
 */
#include "mps_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_ENTRIES = 256 };

/* A source between load and purge, and what it said so far. */
struct reading {
	const MPSCNNConvolutionDataSource *source;
	const struct request *request;
	struct response *response;
	char where[MPS_WHERE_TEXT]; /* the request's, and the source's label */
	MPSDataType type;
	MPSCNNWeightsQuantizationType quantization;
	size_t per_channel; /* weights of one output channel */
	size_t count;       /* of all */
};

static void where_write(struct reading *reading)
{
	const MPSCNNConvolutionDataSource *source = reading->source;
	const char *label = source->label ? source->label(source->user) : NULL;
	const size_t room = sizeof reading->where, used = strlen(reading->request->where);
	strncpy(reading->where, reading->request->where, room - 1);
	if (!label || used + sizeof " ()" >= room)
		return;
	strcat(reading->where, " (");
	strncat(reading->where, label, room - used - sizeof " ()");
	strcat(reading->where, ")");
}

/* a b, unless it is too large for any memory. */
static int times(size_t *a, size_t b)
{
	if (b && *a > PTRDIFF_MAX / sizeof(float) / b)
		return 0;
	*a *= b;
	return 1;
}

static sluice_status numbers_check(const struct reading *reading, const MPSCNNConvolutionDescriptor *descriptor)
{
	const struct request *request = reading->request;
	const struct {
		const char *name;
		size_t given, expected; /* 0: at least 1 */
	} numbers[] = {
		{"kernelWidth", descriptor->kernelWidth, request->image && !request->diagonal ? 0 : 1},
		{"kernelHeight", descriptor->kernelHeight, request->image && !request->diagonal ? 0 : 1},
		{"strideInPixelsX", descriptor->strideInPixelsX, 1},
		{"strideInPixelsY", descriptor->strideInPixelsY, 1},
		{"dilationRateX", descriptor->dilationRateX, 0},
		{"dilationRateY", descriptor->dilationRateY, 0},
		{"groups", descriptor->groups, request->image || request->diagonal ? 0 : 1},
		{"inputFeatureChannels", descriptor->inputFeatureChannels, request->diagonal ? 0 : request->in},
		{"outputFeatureChannels", descriptor->outputFeatureChannels, request->out},
	};
	for (size_t each = 0; each < sizeof numbers / sizeof numbers[0]; each++) {
		if (numbers[each].expected && numbers[each].given != numbers[each].expected)
			return MPS_INVALID("%s: descriptor.%s is %zu, expected %zu", reading->where, numbers[each].name,
					   numbers[each].given, numbers[each].expected);
		if (!numbers[each].given)
			return MPS_INVALID("%s: descriptor.%s is 0, expected at least 1", reading->where,
					   numbers[each].name);
	}
	if (request->diagonal && descriptor->inputFeatureChannels != 1 &&
	    descriptor->inputFeatureChannels != request->out)
		return MPS_INVALID("%s: descriptor.inputFeatureChannels is %zu, expected 1 or %zu of diagonal weights",
				   reading->where, descriptor->inputFeatureChannels, request->out);
	if (request->diagonal && descriptor->groups != 1 && descriptor->groups != descriptor->inputFeatureChannels)
		return MPS_INVALID("%s: descriptor.groups is %zu, expected 1 or %zu of diagonal weights",
				   reading->where, descriptor->groups, descriptor->inputFeatureChannels);
	if (request->in % descriptor->groups || request->out % descriptor->groups)
		return MPS_INVALID("%s: descriptor.groups is %zu, which does not divide %zu and %zu channels",
				   reading->where, descriptor->groups, request->in, request->out);
	return SLUICE_OK;
}

static sluice_status descriptor_read(struct reading *reading)
{
	const struct request *request = reading->request;
	const MPSCNNConvolutionDescriptor *descriptor = reading->source->descriptor(reading->source->user);
	if (!descriptor)
		return MPS_INVALID("%s: descriptor returned NULL, expected a descriptor", reading->where);
	MPS_TRY(numbers_check(reading, descriptor));
	reading->response->weights.kernel = (struct kernel){
		descriptor->kernelHeight,  descriptor->kernelWidth, descriptor->dilationRateY,
		descriptor->dilationRateX, descriptor->groups,
	};
	reading->per_channel = 1;
	if (!request->diagonal)
		reading->per_channel = request->in / descriptor->groups;
	reading->count = request->out;
	if (!times(&reading->per_channel, descriptor->kernelHeight) ||
	    !times(&reading->per_channel, descriptor->kernelWidth) || !times(&reading->count, reading->per_channel))
		return MPS_INVALID("%s: a kernel of %zu x %zu for %zu to %zu channels is too large", reading->where,
				   descriptor->kernelWidth, descriptor->kernelHeight, request->in, request->out);
	if (!request->input)
		return SLUICE_OK;
	const struct neuron neuron = sluice__mps_neuron(descriptor->fusedNeuronDescriptor);
	MPS_TRY(sluice__mps_activation(reading->where, &neuron, request->out, &reading->response->neuron));
	if (neuron.type != MPSCNNNeuronTypePReLU)
		return SLUICE_OK;
	reading->response->slopes = sluice__object_allocate(request->out, sizeof(float));
	if (!reading->response->slopes)
		return SLUICE_OUT_OF_MEMORY;
	memcpy(reading->response->slopes, neuron.slopes, request->out * sizeof(float));
	return SLUICE_OK;
}

static sluice_status types_read(struct reading *reading)
{
	const MPSCNNConvolutionDataSource *source = reading->source;
	char text[16];
	reading->type = source->dataType(source->user);
	if (reading->type != MPSDataTypeFloat32 && reading->type != MPSDataTypeFloat16 &&
	    reading->type != MPSDataTypeUInt8)
		return MPS_INVALID("%s: dataType is %s, expected Float32, Float16 or UInt8", reading->where,
				   sluice__mps_type_text(reading->type, text));
	if (source->weightsLayout) {
		const int layout = (int)source->weightsLayout(source->user);
		if (layout != MPSCNNConvolutionWeightsLayoutOHWI)
			return MPS_INVALID("%s: weightsLayout is %d, expected OHWI, which is 0", reading->where,
					   layout);
	}
	if (source->kernelWeightsDataType) {
		const MPSDataType kernel = source->kernelWeightsDataType(source->user);
		if (kernel != MPSDataTypeFloat32 && kernel != MPSDataTypeFloat16)
			return MPS_INVALID("%s: kernelWeightsDataType is %s, expected Float32 or Float16",
					   reading->where, sluice__mps_type_text(kernel, text));
	}
	return SLUICE_OK;
}

static sluice_status quantization_read(struct reading *reading)
{
	const MPSCNNConvolutionDataSource *source = reading->source;
	int given = source->weightsQuantizationType ? (int)source->weightsQuantizationType(source->user) : 0;
	if (given < 0 || given > MPSCNNWeightsQuantizationTypeLookupTable)
		return MPS_INVALID("%s: weightsQuantizationType is %d, expected 0 to %d", reading->where, given,
				   MPSCNNWeightsQuantizationTypeLookupTable);
	if (reading->type != MPSDataTypeUInt8) {
		if (given)
			return MPS_INVALID(
				"%s: weightsQuantizationType is %d, expected 0 of weights that are not UInt8",
				reading->where, given);
		return SLUICE_OK;
	}
	if (!source->weightsQuantizationType)
		given = source->rangesForUInt8Kernel ? MPSCNNWeightsQuantizationTypeLinear
						     : MPSCNNWeightsQuantizationTypeLookupTable;
	if (given == MPSCNNWeightsQuantizationTypeNone)
		return MPS_INVALID("%s: weightsQuantizationType is 0, expected 1 or 2 of UInt8 weights",
				   reading->where);
	const int linear = given == MPSCNNWeightsQuantizationTypeLinear;
	if (linear ? !source->rangesForUInt8Kernel : !source->lookupTableForUInt8Kernel)
		return MPS_INVALID("%s: UInt8 weights without %s", reading->where,
				   linear ? "rangesForUInt8Kernel" : "lookupTableForUInt8Kernel");
	reading->quantization = (MPSCNNWeightsQuantizationType)given;
	return SLUICE_OK;
}

static sluice_status linear_read(const struct reading *reading, const uint8_t *codes, float *values)
{
	const float *ranges = reading->source->rangesForUInt8Kernel(reading->source->user);
	if (!ranges)
		return MPS_INVALID("%s: rangesForUInt8Kernel returned NULL", reading->where);
	for (size_t channel = 0; channel < reading->request->out; channel++) {
		const double least = ranges[2 * channel], most = ranges[2 * channel + 1];
		if (!isfinite(least) || !isfinite(most))
			return MPS_INVALID("%s: range %zu is %g to %g, expected finite numbers", reading->where,
					   channel, least, most);
		for (size_t k = channel * reading->per_channel; k < (channel + 1) * reading->per_channel; k++)
			values[k] = (float)(codes[k] / 255.0 * (most - least) + least);
	}
	return SLUICE_OK;
}

static sluice_status table_read(const struct reading *reading, const uint8_t *codes, float *values)
{
	const float *table = reading->source->lookupTableForUInt8Kernel(reading->source->user);
	if (!table)
		return MPS_INVALID("%s: lookupTableForUInt8Kernel returned NULL", reading->where);
	for (size_t k = 0; k < TABLE_ENTRIES; k++)
		if (!isfinite(table[k]))
			return MPS_INVALID("%s: entry %zu of the table is %g, expected a finite number", reading->where,
					   k, (double)table[k]);
	for (size_t k = 0; k < reading->count; k++)
		values[k] = table[codes[k]];
	return SLUICE_OK;
}

static void floats_read(const struct reading *reading, void *given, float *values)
{
	const sluice_dtype type = reading->type == MPSDataTypeFloat32 ? SLUICE_F32 : SLUICE_F16;
	const struct line from = {given, type, 1}, to = {(char *)values, SLUICE_F32, 1};
	sluice__number_convert(&to, &from, reading->count, 1, 0);
}

static sluice_status weights_read(struct reading *reading)
{
	const MPSCNNConvolutionDataSource *source = reading->source;
	MPS_TRY(quantization_read(reading));
	void *given = source->weights(source->user);
	if (!given)
		return MPS_INVALID("%s: weights returned NULL, expected %zu numbers", reading->where, reading->count);
	float *values = sluice__object_allocate(reading->count, sizeof *values);
	if (!values)
		return SLUICE_OUT_OF_MEMORY;
	reading->response->weights.values = values;
	if (reading->quantization == MPSCNNWeightsQuantizationTypeLinear)
		MPS_TRY(linear_read(reading, given, values));
	else if (reading->quantization == MPSCNNWeightsQuantizationTypeLookupTable)
		MPS_TRY(table_read(reading, given, values));
	else
		floats_read(reading, given, values);
	if (reading->request->half)
		sluice__mps_round(values, reading->count);
	return SLUICE_OK;
}

static sluice_status bias_read(struct reading *reading)
{
	const float *given = reading->source->biasTerms(reading->source->user);
	const size_t bytes = reading->request->out * sizeof *given;
	if (!given)
		return SLUICE_OK;
	reading->response->bias = sluice__object_allocate(1, bytes);
	if (!reading->response->bias)
		return SLUICE_OUT_OF_MEMORY;
	memcpy(reading->response->bias, given, bytes);
	return SLUICE_OK;
}

static sluice_status loaded_read(struct reading *reading)
{
	where_write(reading);
	MPS_TRY(descriptor_read(reading));
	MPS_TRY(types_read(reading));
	if (reading->request->weights)
		MPS_TRY(weights_read(reading));
	return reading->request->input ? bias_read(reading) : SLUICE_OK;
}

sluice_status sluice__mps_source_read(const MPSCNNConvolutionDataSource *source, const struct request *request,
				      struct response *response)
{
	struct reading reading = {.source = source, .request = request, .response = response};
	if (!source->load(source->user))
		return MPS_INVALID("%s: load returned 0, expected that it loads the weights", request->where);
	const sluice_status status = loaded_read(&reading);
	source->purge(source->user);
	return status;
}
