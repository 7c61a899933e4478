/* mps_net.c: draws stacks of MPS's LSTM and describes them to the library. */
#include "mps_net.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

void *rnn_take(size_t count, size_t bytes)
{
	void *block = calloc(count ? count : 1, bytes);

	assert_non_null(block);
	return block;
}

/* ------------------------------------------------------------------------------------------------- functions ---- */

static void note(struct rnn_source *source, char letter)
{
	if (source->log) {
		const size_t length = strlen(source->log);

		source->log[length] = letter;
		source->log[length + 1] = 0;
	}
}

static MPSDataType call_type(void *user)
{
	struct rnn_source *source = user;

	note(source, 't');
	return source->form == RNN_FLOAT32   ? MPSDataTypeFloat32
	       : source->form == RNN_FLOAT16 ? MPSDataTypeFloat16
					     : MPSDataTypeUInt8;
}

static const MPSCNNConvolutionDescriptor *call_descriptor(void *user)
{
	note(user, 'd');
	return ((struct rnn_source *)user)->descriptor;
}

static void *call_weights(void *user)
{
	note(user, 'w');
	return ((struct rnn_source *)user)->weights;
}

static float *call_bias(void *user)
{
	note(user, 'b');
	return ((struct rnn_source *)user)->bias;
}

static int call_load(void *user)
{
	struct rnn_source *source = user;

	note(source, 'L');
	if (source->fails)
		return 0;
	atomic_fetch_add(&source->loads, 1);
	return 1;
}

static void call_purge(void *user)
{
	note(user, 'P');
	atomic_fetch_add(&((struct rnn_source *)user)->purges, 1);
}

static const char *call_label(void *user)
{
	note(user, 'n');
	return "drawn";
}

static float *call_ranges(void *user)
{
	note(user, 'r');
	return ((struct rnn_source *)user)->ranges;
}

static float *call_table(void *user)
{
	note(user, 'k');
	return ((struct rnn_source *)user)->table;
}

static MPSCNNWeightsQuantizationType call_quantization(void *user)
{
	static const MPSCNNWeightsQuantizationType types[RNN_FORMS] = {
		[RNN_RANGES] = MPSCNNWeightsQuantizationTypeLinear,
		[RNN_TABLE] = MPSCNNWeightsQuantizationTypeLookupTable,
	};

	note(user, 'q');
	return types[((struct rnn_source *)user)->form];
}

static MPSCNNConvolutionWeightsLayout call_layout(void *user)
{
	note(user, 'y');
	return MPSCNNConvolutionWeightsLayoutOHWI;
}

static MPSDataType call_kernel_type(void *user)
{
	note(user, 'x');
	return MPSDataTypeFloat16;
}

MPSCNNConvolutionDataSource rnn_source_calls(struct rnn_source *source)
{
	const int shy = source->shy;

	return (MPSCNNConvolutionDataSource){
		.size = sizeof(MPSCNNConvolutionDataSource),
		.user = source,
		.dataType = call_type,
		.descriptor = call_descriptor,
		.weights = call_weights,
		.biasTerms = call_bias,
		.load = call_load,
		.purge = call_purge,
		.label = shy ? NULL : call_label,
		.rangesForUInt8Kernel = shy && source->form != RNN_RANGES ? NULL : call_ranges,
		.lookupTableForUInt8Kernel = shy && source->form != RNN_TABLE ? NULL : call_table,
		.weightsQuantizationType = shy ? NULL : call_quantization,
		.weightsLayout = shy ? NULL : call_layout,
		.kernelWeightsDataType = shy ? NULL : call_kernel_type,
	};
}

rnn_setter *const rnn_setters[RNN_PARTS][RNN_GATES] = {
	{MPSLSTMDescriptor_setInputGateInputWeights, MPSLSTMDescriptor_setForgetGateInputWeights,
	 MPSLSTMDescriptor_setCellGateInputWeights, MPSLSTMDescriptor_setOutputGateInputWeights},
	{MPSLSTMDescriptor_setInputGateRecurrentWeights, MPSLSTMDescriptor_setForgetGateRecurrentWeights,
	 MPSLSTMDescriptor_setCellGateRecurrentWeights, MPSLSTMDescriptor_setOutputGateRecurrentWeights},
	{MPSLSTMDescriptor_setInputGateMemoryWeights, MPSLSTMDescriptor_setForgetGateMemoryWeights,
	 MPSLSTMDescriptor_setCellGateMemoryWeights, MPSLSTMDescriptor_setOutputGateMemoryWeights},
};

MPSLSTMDescriptor *rnn_descriptor(struct rnn_layer *layer)
{
	MPSLSTMDescriptor *d = MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(
		layer->inputs, layer->hidden);
	assert_mps(d);
	MPSRNNDescriptor *base = MPSLSTMDescriptor_asRNNDescriptor(d);

	MPSRNNDescriptor_setUseLayerInputUnitTransformMode(base, layer->identity);
	MPSRNNDescriptor_setUseFloat32Weights(base, layer->float32);
	MPSRNNDescriptor_setLayerSequenceDirection(base, layer->backward ? MPSRNNSequenceDirectionBackward
									 : MPSRNNSequenceDirectionForward);
	MPSLSTMDescriptor_setMemoryWeightsAreDiagonal(d, layer->diagonal);
	MPSLSTMDescriptor_setCellToOutputNeuronType(d, layer->cell.type);
	MPSLSTMDescriptor_setCellToOutputNeuronParamA(d, layer->cell.a);
	MPSLSTMDescriptor_setCellToOutputNeuronParamB(d, layer->cell.b);
	MPSLSTMDescriptor_setCellToOutputNeuronParamC(d, layer->cell.c);
	for (size_t part = 0; part < RNN_PARTS; part++)
		for (size_t gate = 0; gate < RNN_GATES; gate++) {
			struct rnn_source *source = &layer->sources[part][gate];

			if (!source->present)
				continue;
			const MPSCNNConvolutionDataSource calls = rnn_source_calls(source);

			assert_mps(rnn_setters[part][gate](d, &calls) == 0);
		}
	return d;
}

/* --------------------------------------------------------------------------------------------------- drawing ---- */

/* A neuron, with ranges of its numbers in which it is what it is for and states stay small. */
static const struct {
	MPSCNNNeuronType type;
	double a[2], b[2], c[2];
} NEURONS[] = {
	{MPSCNNNeuronTypeNone, {0, 9}, {0, 9}, {0, 9}},
	{MPSCNNNeuronTypeReLU, {0, 0.5}, {0, 9}, {0, 9}},
	{MPSCNNNeuronTypeLinear, {0.4, 1.1}, {-0.4, 0.4}, {0, 9}},
	{MPSCNNNeuronTypeSigmoid, {0, 9}, {0, 9}, {0, 9}},
	{MPSCNNNeuronTypeHardSigmoid, {0.1, 0.6}, {0.3, 0.7}, {0, 9}},
	{MPSCNNNeuronTypeTanH, {0.5, 1.5}, {0.4, 1.2}, {0, 9}},
	{MPSCNNNeuronTypeAbsolute, {0, 9}, {0, 9}, {0, 9}},
	{MPSCNNNeuronTypeSoftPlus, {0.4, 0.9}, {0.5, 1.5}, {0, 9}},
	{MPSCNNNeuronTypeSoftSign, {0, 9}, {0, 9}, {0, 9}},
	{MPSCNNNeuronTypeELU, {0.4, 1.2}, {0, 9}, {0, 9}},
	{MPSCNNNeuronTypePReLU, {0, 9}, {0, 9}, {0, 9}},
	{MPSCNNNeuronTypeReLUN, {0.1, 0.5}, {0.3, 1}, {0, 9}},
	{MPSCNNNeuronTypePower, {0.2, 0.5}, {-0.3, 0.3}, {2, 2}},
	{MPSCNNNeuronTypeExponential, {0.05, 0.2}, {-0.5, 0.2}, {-1, -1}},
	{MPSCNNNeuronTypeExponential, {0.05, 0.2}, {-0.5, 0.2}, {1.2, 2}},
	{MPSCNNNeuronTypeLogarithm, {0.01, 0.03}, {1.5, 2.5}, {-1, -1}},
	{MPSCNNNeuronTypeLogarithm, {0.01, 0.03}, {1.5, 2.5}, {2, 10}},
	{MPSCNNNeuronTypeGeLU, {0, 9}, {0, 9}, {0, 9}},
};

static const struct rnn_neuron STANDARD[RNN_GATES + 1] = {
	[RNN_I] = {MPSCNNNeuronTypeSigmoid, 1, 1, 0},  [RNN_F] = {MPSCNNNeuronTypeSigmoid, 1, 1, 0},
	[RNN_C] = {MPSCNNNeuronTypeTanH, 1, 1, 0},     [RNN_O] = {MPSCNNNeuronTypeSigmoid, 1, 1, 0},
	[RNN_GATES] = {MPSCNNNeuronTypeTanH, 1, 1, 0},
};

/* place: a gate, or the cell's output, which no PReLU can be. */
static struct rnn_neuron draw_neuron(struct bnns_random *random, const struct rnn_wish *wish, size_t place)
{
	const size_t kind = random_below(random, sizeof NEURONS / sizeof *NEURONS);
	const int standard = wish->plain || random_chance(random, 0.5);
	const struct rnn_neuron drawn = {
		NEURONS[kind].type,
		(float)random_between(random, NEURONS[kind].a[0], NEURONS[kind].a[1]),
		(float)random_between(random, NEURONS[kind].b[0], NEURONS[kind].b[1]),
		(float)random_between(random, NEURONS[kind].c[0], NEURONS[kind].c[1]),
	};

	return standard || (place == RNN_GATES && drawn.type == MPSCNNNeuronTypePReLU) ? STANDARD[place] : drawn;
}

/* Of a group, so that each divides both. */
static size_t draw_groups(struct bnns_random *random, size_t in, size_t out)
{
	const size_t groups = 1 + random_below(random, 3);

	return in % groups || out % groups ? 1 : groups;
}

static struct rnn_kernel draw_kernel(struct bnns_random *random, size_t in, size_t out)
{
	struct rnn_kernel kernel = {1 + random_below(random, 5), 1 + random_below(random, 5), 1, 1, 1};

	if (random_chance(random, 0.3)) {
		kernel.dilation_y = 1 + random_below(random, 2);
		kernel.dilation_x = 1 + random_below(random, 3);
	}
	if (random_chance(random, 0.3))
		kernel.groups = draw_groups(random, in, out);
	if (random_chance(random, 0.3))
		kernel.height = kernel.width = 3;
	return kernel;
}

static void draw_numbers(struct bnns_random *random, struct rnn_source *source, double scale)
{
	const size_t per_channel = source->count / source->out;
	const size_t bytes = source->form == RNN_FLOAT32 ? 4 : source->form == RNN_FLOAT16 ? 2 : 1;

	source->weights = rnn_take(source->count, bytes);
	source->values = rnn_take(source->count, sizeof(double));
	source->ranges = rnn_take(2 * source->out, sizeof(float));
	source->table = rnn_take(256, sizeof(float));
	for (size_t k = 0; k < 256; k++)
		source->table[k] = (float)random_between(random, -scale, scale);
	for (size_t k = 0; k < source->out; k++) {
		source->ranges[2 * k] = (float)random_between(random, -scale, 0);
		source->ranges[2 * k + 1] = (float)random_between(random, 0, scale);
	}
	for (size_t k = 0; k < source->count; k++) {
		const double low = source->ranges[k / per_channel * 2], high = source->ranges[k / per_channel * 2 + 1];
		const uint8_t code = (uint8_t)random_below(random, 256);
		const double value = random_between(random, -scale, scale);

		switch (source->form) {
		case RNN_FLOAT32:
			source->values[k] = (double)(float)value;
			bnns_store(BNNSDataTypeFloat32, source->values[k], (char *)source->weights + 4 * k);
			break;
		case RNN_FLOAT16:
			source->values[k] = number_nearest(BNNSDataTypeFloat16, value);
			bnns_store(BNNSDataTypeFloat16, source->values[k], (char *)source->weights + 2 * k);
			break;
		case RNN_RANGES:
			/* The number nearest to the formula's. */
			source->values[k] = (double)(float)(code / 255.0 * (high - low) + low);
			((uint8_t *)source->weights)[k] = code;
			break;
		default:
			source->values[k] = (double)source->table[code];
			((uint8_t *)source->weights)[k] = code;
		}
	}
}

static void draw_neuron_of(struct bnns_random *random, struct rnn_source *source)
{
	MPSNNNeuronDescriptor *neuron;

	if (source->neuron.type == MPSCNNNeuronTypePReLU) {
		source->slopes = rnn_take(source->out, sizeof(float));
		for (size_t k = 0; k < source->out; k++)
			source->slopes[k] = (float)random_between(random, -0.5, 1);
		neuron = MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(source->slopes, source->out,
										       random_chance(random, 0.5));
	} else {
		neuron = MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c(source->neuron.type, source->neuron.a,
										 source->neuron.b, source->neuron.c);
	}
	assert_mps(neuron);
	assert_mps(MPSCNNConvolutionDescriptor_setFusedNeuronDescriptor(source->descriptor, neuron) == 0);
	MPSNNNeuronDescriptor_release(neuron);
}

static void draw_source(struct bnns_random *random, const struct rnn_wish *wish, const struct rnn_layer *layer,
			enum rnn_part part, enum rnn_gate gate, const struct rnn_kernel *usual,
			struct rnn_source *source)
{
	const int diagonal = part == RNN_MEMORY && layer->diagonal;
	size_t in = part == RNN_INPUT ? layer->inputs : layer->hidden;

	source->form = wish->plain ? RNN_FLOAT32 : (enum rnn_form)random_below(random, RNN_FORMS);
	source->shy = random_chance(random, 0.4);
	source->out = layer->hidden;
	source->kernel = *usual;
	if (wish->image && random_chance(random, 0.1))
		source->kernel = draw_kernel(random, in, source->out);
	if (diagonal) {
		source->kernel = (struct rnn_kernel){1, 1, 1, 1, 1};
		in = random_chance(random, 0.5) ? 1 : layer->hidden;
	}
	source->in = in;
	source->count = source->out *
			(diagonal ? 1 : in / source->kernel.groups * source->kernel.height * source->kernel.width);
	draw_numbers(random, source,
		     part == RNN_MEMORY ? 0.5 / sqrt((double)(source->count / source->out))
					: 1 / sqrt((double)(source->count / source->out)));
	source->descriptor = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(
		source->kernel.width, source->kernel.height, in, source->out);
	assert_mps(source->descriptor);
	MPSCNNConvolutionDescriptor_setDilationRateX(source->descriptor, source->kernel.dilation_x);
	MPSCNNConvolutionDescriptor_setDilationRateY(source->descriptor, source->kernel.dilation_y);
	MPSCNNConvolutionDescriptor_setGroups(source->descriptor, source->kernel.groups);
	/* Biases and neurons of recurrent and memory sources are there, and mean nothing. */
	source->neuron = draw_neuron(random, wish, gate);
	draw_neuron_of(random, source);
	if (random_chance(random, 0.8) || wish->plain) {
		source->bias = rnn_take(source->out, sizeof(float));
		for (size_t k = 0; k < source->out; k++)
			source->bias[k] = (float)random_between(random, -0.5, 0.5);
	}
	source->present = 1;
}

static void draw_layer(struct bnns_random *random, const struct rnn_wish *wish, size_t inputs, struct rnn_layer *layer)
{
	layer->inputs = inputs;
	layer->hidden = random_chance(random, 0.05) && !wish->image ? 17 : 1 + random_below(random, 6);
	layer->identity = !wish->plain && random_chance(random, 0.15);
	if (layer->identity)
		layer->hidden = inputs;
	layer->float32 = wish->plain || random_chance(random, 0.6);
	layer->diagonal = random_chance(random, 0.5);
	layer->cell = draw_neuron(random, wish, RNN_GATES);
	const double chances[RNN_PARTS] = {wish->plain ? 1 : 0.93, wish->plain ? 1 : 0.93,
					   wish->plain                  ? 0
					   : random_chance(random, 0.3) ? 0
									: 0.75};

	for (size_t part = 0; part < RNN_PARTS; part++) {
		const size_t in = part == RNN_INPUT ? layer->inputs : layer->hidden;
		const struct rnn_kernel usual =
			wish->image ? draw_kernel(random, in, layer->hidden) : (struct rnn_kernel){1, 1, 1, 1, 1};

		for (size_t gate = 0; gate < RNN_GATES; gate++)
			if (random_chance(random, chances[part]))
				draw_source(random, wish, layer, (enum rnn_part)part, (enum rnn_gate)gate, &usual,
					    &layer->sources[part][gate]);
	}
}

void rnn_net_draw(const struct rnn_wish *wish, struct rnn_net *out)
{
	struct bnns_random random = {wish->seed * 0x10001 + 11};
	const size_t inputs = 1 + random_below(&random, 6);
	size_t width[2] = {inputs, inputs};

	memset(out, 0, sizeof *out);
	out->seed = wish->seed;
	out->image = wish->image;
	out->count = wish->single ? 1 : 1 + random_below(&random, 3);
	if (wish->bidirectional)
		out->count = 2 + random_below(&random, RNN_LAYERS - 1);
	for (size_t index = 0; index < out->count; index++) {
		/* Both directions occur; an encode that is not bidirectional does not read what they are. */
		const int backward = wish->bidirectional ? index == 0   ? 1
							   : index == 1 ? 0
									: random_chance(&random, 0.5)
							 : random_chance(&random, 0.3);
		size_t *reads = &width[wish->bidirectional ? backward : 0];

		draw_layer(&random, wish, *reads, &out->layers[index]);
		out->layers[index].backward = backward;
		*reads = out->layers[index].hidden;
	}
}

void rnn_net_destroy(struct rnn_net *net)
{
	for (size_t index = 0; index < net->count; index++)
		for (size_t part = 0; part < RNN_PARTS; part++)
			for (size_t gate = 0; gate < RNN_GATES; gate++) {
				struct rnn_source *source = &net->layers[index].sources[part][gate];

				/* Whoever loads purges. */
				assert_int_equal(atomic_load(&source->loads), atomic_load(&source->purges));
				free(source->weights);
				free(source->values);
				free(source->ranges);
				free(source->table);
				free(source->bias);
				free(source->slopes);
				MPSCNNConvolutionDescriptor_release(source->descriptor);
			}
	memset(net, 0, sizeof *net);
}

void rnn_source_single(struct rnn_layer *layer, enum rnn_part part, enum rnn_gate gate, float weight, float bias,
		       struct rnn_neuron neuron)
{
	struct rnn_source *source = &layer->sources[part][gate];
	MPSNNNeuronDescriptor *descriptor =
		neuron.type == MPSCNNNeuronTypePReLU
			? MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(&neuron.a, 1, 0)
			: MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c(neuron.type, neuron.a, neuron.b,
										  neuron.c);

	source->present = 1;
	source->neuron = neuron;
	source->out = source->in = source->count = 1;
	source->kernel = (struct rnn_kernel){1, 1, 1, 1, 1};
	source->weights = rnn_take(1, sizeof(float));
	source->bias = rnn_take(1, sizeof(float));
	*(float *)source->weights = weight;
	*source->bias = bias;
	source->descriptor = MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, 1, 1);
	assert_mps(MPSCNNConvolutionDescriptor_setFusedNeuronDescriptor(source->descriptor, descriptor) == 0);
	MPSNNNeuronDescriptor_release(descriptor);
}

struct rnn_chain rnn_chain_all(struct rnn_net *net)
{
	struct rnn_chain chain = {.count = net->count};

	for (size_t index = 0; index < net->count; index++)
		chain.layers[index] = &net->layers[index];
	return chain;
}

struct rnn_chain rnn_chain_of(struct rnn_net *net, int backward)
{
	struct rnn_chain chain = {0};

	for (size_t index = 0; index < net->count; index++)
		if (net->layers[index].backward == backward)
			chain.layers[chain.count++] = &net->layers[index];
	return chain;
}
