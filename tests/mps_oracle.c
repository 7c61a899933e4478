/* mps_oracle.c: stacks of MPS's LSTM in the words of the oracle.
 *
 * Nothing is left out: parts without a source are zeros, identity is a matrix, so that what the library does about such
 * things is seen by someone who does not.
 */
#include "mps_net.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const sluice_activation_kind KINDS[] = {
	[MPSCNNNeuronTypeNone] = SLUICE_ACTIVATION_IDENTITY,
	[MPSCNNNeuronTypeReLU] = SLUICE_ACTIVATION_LEAKY_RELU,
	[MPSCNNNeuronTypeLinear] = SLUICE_ACTIVATION_LINEAR,
	[MPSCNNNeuronTypeSigmoid] = SLUICE_ACTIVATION_SIGMOID,
	[MPSCNNNeuronTypeHardSigmoid] = SLUICE_ACTIVATION_HARD_SIGMOID,
	[MPSCNNNeuronTypeTanH] = SLUICE_ACTIVATION_SCALED_TANH,
	[MPSCNNNeuronTypeAbsolute] = SLUICE_ACTIVATION_ABS,
	[MPSCNNNeuronTypeSoftPlus] = SLUICE_ACTIVATION_SOFTPLUS,
	[MPSCNNNeuronTypeSoftSign] = SLUICE_ACTIVATION_SOFTSIGN,
	[MPSCNNNeuronTypeELU] = SLUICE_ACTIVATION_ELU,
	[MPSCNNNeuronTypePReLU] = SLUICE_ACTIVATION_PRELU,
	[MPSCNNNeuronTypeReLUN] = SLUICE_ACTIVATION_CLIPPED_RELU,
	[MPSCNNNeuronTypePower] = SLUICE_ACTIVATION_POWER,
	[MPSCNNNeuronTypeExponential] = SLUICE_ACTIVATION_EXPONENTIAL,
	[MPSCNNNeuronTypeLogarithm] = SLUICE_ACTIVATION_LOGARITHM,
	[MPSCNNNeuronTypeGeLU] = SLUICE_ACTIVATION_GELU,
};

static sluice_activation activation_of(const struct rnn_neuron *neuron)
{
	return (sluice_activation){KINDS[neuron->type], neuron->a, neuron->b, neuron->c};
}

/* A gate without an input source has no neuron. */
static sluice_activation gate_activation(const struct rnn_layer *layer, enum rnn_gate gate)
{
	const struct rnn_source *source = &layer->sources[RNN_INPUT][gate];

	return source->present ? activation_of(&source->neuron)
			       : (sluice_activation){SLUICE_ACTIVATION_IDENTITY, 0, 0, 0};
}

/* ------------------------------------------------------------------------------------------------- kernels ---- */

/* The one form in which the oracle has the kernels of a part: as they are if they are alike, else dense ones large
 * enough for all, with the centres of all in the same place. */
struct frame {
	struct rnn_kernel kernel;
	size_t top, left, bottom, right;
	int dense;
};

static size_t most(size_t a, size_t b)
{
	return a > b ? a : b;
}

static struct frame frame_of(const struct rnn_layer *layer, enum rnn_part part)
{
	struct frame frame = {.kernel = {1, 1, 1, 1, 1}};
	const struct rnn_source *first = NULL;

	if (part == RNN_INPUT && layer->identity)
		return frame;
	for (size_t gate = 0; gate < RNN_GATES; gate++) {
		const struct rnn_source *source = &layer->sources[part][gate];
		const struct rnn_kernel *k = &source->kernel;

		if (!source->present)
			continue;
		first = first ? first : source;
		frame.dense |= memcmp(&first->kernel, k, sizeof *k) != 0;
		frame.top = most(frame.top, k->height / 2 * k->dilation_y);
		frame.left = most(frame.left, k->width / 2 * k->dilation_x);
		frame.bottom = most(frame.bottom, (k->height - 1 - k->height / 2) * k->dilation_y);
		frame.right = most(frame.right, (k->width - 1 - k->width / 2) * k->dilation_x);
	}
	if (!frame.dense)
		frame.kernel = first ? first->kernel : frame.kernel;
	else
		frame.kernel = (struct rnn_kernel){frame.top + frame.bottom + 1, frame.left + frame.right + 1, 1, 1, 1};
	return frame;
}

static sluice_convolution convolution_of(const struct frame *frame)
{
	const struct rnn_kernel *k = &frame->kernel;

	return (sluice_convolution){
		.height = k->height,
		.width = k->width,
		.dilation_y = k->dilation_y,
		.dilation_x = k->dilation_x,
		.groups = k->groups,
		.border = SLUICE_BORDER_GIVEN,
		.top = frame->top,
		.left = frame->left,
		.bottom = frame->bottom,
		.right = frame->right,
	};
}

/* Where a tap of a kernel lies in its frame. */
static size_t place_of(size_t tap, size_t size, size_t dilation, size_t before, int dense)
{
	return dense ? before - size / 2 * dilation + tap * dilation : tap;
}

static double half(double value, int rounds)
{
	return rounds ? sluice__oracle_round(SLUICE_F16, value) : value;
}

/* One source's weights into the rows of its gate. */
static void kernel_write(const struct rnn_source *source, const struct frame *frame, size_t in, int rounds, double *to)
{
	const struct rnn_kernel *k = &source->kernel;
	const size_t own = in / k->groups, whole = in / frame->kernel.groups;
	const double *from = source->values;

	for (size_t out = 0; out < source->out; out++)
		for (size_t v = 0; v < k->height; v++)
			for (size_t u = 0; u < k->width; u++) {
				const size_t y = place_of(v, k->height, k->dilation_y, frame->top, frame->dense);
				const size_t x = place_of(u, k->width, k->dilation_x, frame->left, frame->dense);
				const size_t first = frame->dense ? out / (source->out / k->groups) * own : 0;
				double *at = to + ((out * frame->kernel.height + y) * frame->kernel.width + x) * whole +
					     first;

				for (size_t c = 0; c < own; c++)
					at[c] = half(*from++, rounds);
			}
}

/* ------------------------------------------------------------------------------------------------ parameters ---- */

int rnn_rounds(const struct rnn_net *net, const struct rnn_layer *layer)
{
	return net->image || !layer->float32;
}

static void identity_write(const struct rnn_layer *layer, double *to)
{
	for (size_t row = 0; row < RNN_GATES * layer->hidden; row++)
		to[row * layer->inputs + row % layer->hidden] = 1;
}

static void part_write(const struct rnn_net *net, const struct rnn_layer *layer, enum rnn_part part, size_t gate,
		       double *to)
{
	const struct rnn_source *source = &layer->sources[part][gate];
	const struct frame frame = frame_of(layer, part);
	const size_t in = part == RNN_INPUT ? layer->inputs : layer->hidden, H = layer->hidden;
	const size_t row = frame.kernel.height * frame.kernel.width * in / frame.kernel.groups;

	if (!source->present || (part == RNN_INPUT && layer->identity))
		return;
	if (part == RNN_MEMORY && layer->diagonal)
		for (size_t unit = 0; unit < H; unit++)
			to[gate * H + unit] = half(source->values[unit], rnn_rounds(net, layer));
	else
		kernel_write(source, &frame, in, rnn_rounds(net, layer), to + gate * H * row);
}

static void cell_write(const struct rnn_net *net, const struct rnn_layer *layer, const struct sluice__cell *cell,
		       double *parameters)
{
	const size_t places[RNN_PARTS] = {cell->weight_ih, cell->weight_hh, cell->peephole}, H = layer->hidden;

	if (layer->identity)
		identity_write(layer, parameters + cell->weight_ih);
	for (size_t gate = 0; gate < RNN_GATES; gate++) {
		const struct rnn_source *input = &layer->sources[RNN_INPUT][gate];

		for (size_t part = 0; part < RNN_PARTS; part++)
			part_write(net, layer, (enum rnn_part)part, gate, parameters + places[part]);
		for (size_t unit = 0; unit < H && input->present; unit++) {
			if (input->bias)
				parameters[cell->bias + gate * H + unit] = (double)input->bias[unit];
			if (input->slopes)
				parameters[cell->prelu + gate * H + unit] = (double)input->slopes[unit];
		}
	}
}

static void layer_describe(const struct rnn_layer *layer, sluice_layer *out)
{
	const struct frame frames[RNN_PARTS] = {frame_of(layer, RNN_INPUT), frame_of(layer, RNN_RECURRENT),
						frame_of(layer, RNN_MEMORY)};

	*out = (sluice_layer)SLUICE_LAYER_INIT;
	out->hidden = layer->hidden;
	out->input_activation = gate_activation(layer, RNN_I);
	out->forget_activation = gate_activation(layer, RNN_F);
	out->candidate_activation = gate_activation(layer, RNN_C);
	out->output_activation = gate_activation(layer, RNN_O);
	out->cell_activation = activation_of(&layer->cell);
	out->peephole = layer->diagonal ? SLUICE_PEEPHOLE_DIAGONAL : SLUICE_PEEPHOLE_FULL;
	out->input_convolution = convolution_of(&frames[RNN_INPUT]);
	out->recurrent_convolution = convolution_of(&frames[RNN_RECURRENT]);
	if (!layer->diagonal)
		out->memory_convolution = convolution_of(&frames[RNN_MEMORY]);
}

void rnn_oracle_create(const struct rnn_net *net, const struct rnn_chain *chain, size_t height, size_t width,
		       struct rnn_oracle *out)
{
	sluice_layer layers[RNN_LAYERS];
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	memset(layers, 0, sizeof layers);
	for (size_t index = 0; index < chain->count; index++)
		layer_describe(chain->layers[index], &layers[index]);
	for (size_t index = 0; index < chain->count && !height; index++) {
		layers[index].input_convolution = layers[index].recurrent_convolution =
			layers[index].memory_convolution = (sluice_convolution){0};
	}
	description.inputs = chain->layers[0]->inputs;
	description.layer_count = chain->count;
	description.layers = layers;
	description.image_height = height;
	description.image_width = width;
	if (sluice__network_create(&description, NULL, 0, 0, &out->network) != SLUICE_OK)
		fail_msg("seed %zu: %s", (size_t)net->seed, sluice_last_message());
	out->parameters = rnn_take(out->network.parameter_count, sizeof(double));
	for (size_t index = 0; index < chain->count; index++)
		cell_write(net, chain->layers[index], &out->network.cells[index], out->parameters);
}

void rnn_oracle_destroy(struct rnn_oracle *oracle)
{
	free(oracle->parameters);
	sluice__network_destroy(&oracle->network);
}
