/* initialize.c exists to fill a model's parameters with random numbers that depend on seed and description only. */
#include "core/internal.h"

#include <math.h>
#include <string.h>

#include "base/philox.h"
#include "kernels/kernels.h"

/* Uniform numbers in [-scale, scale), a place of its own for every element. */
static void fill_uniform(float *to, size_t rows, size_t columns, uint64_t seed, struct sluice__place place, float scale)
{
	for (size_t row = 0; row < rows; row++) {
		place.step = row;
		for (size_t block = 0; block * 4 < columns; block++) {
			uint32_t words[4];
			sluice__random(seed, &place, block, words);
			for (size_t lane = 0; lane < 4 && block * 4 + lane < columns; lane++)
				to[row * columns + block * 4 + lane] =
					scale * ((float)(words[lane] >> 8) * 0x1p-23f - 1.0f);
		}
	}
}

/* The "sequence" of an initial number. */
enum { INPUT_TENSOR, RECURRENT_TENSOR, READOUT_TENSOR, PROJECTION_TENSOR, PEEPHOLE_TENSOR };

/* Rows of gates that are absent hold zeros. */
static void clear_absent(float *to, size_t gate_size, unsigned absent)
{
	for (size_t gate = 0; gate < SLUICE__GATES; gate++)
		if (absent >> gate & 1)
			memset(to + gate * gate_size, 0, gate_size * sizeof *to);
}

static void initialize_peephole(sluice_model *model, const struct sluice__layer *layer, size_t direction, uint64_t seed,
				struct sluice__place place, float scale)
{
	const sluice_peephole kind = layer->options->peephole;
	const size_t hidden = layer->hidden, rows = kind == SLUICE_PEEPHOLE_DIAGONAL ? 1 : hidden;
	const size_t columns = kind == SLUICE_PEEPHOLE_DIAGONAL  ? hidden
			       : kind == SLUICE_PEEPHOLE_ELEMENT ? layer->places
								 : layer->memory_depth;
	float *to = model->parameters + layer->peephole_at[direction];
	place.sequence = PEEPHOLE_TENSOR;
	fill_uniform(to, SLUICE__GATES * rows, columns, seed, place, scale);
	clear_absent(to, rows * columns, sluice__layer_absent(layer->options, layer->options->no_peepholes));
}

/* 0.25, as in PyTorch. */
static void initialize_slopes(const sluice_model *model, const struct sluice__layer *layer, size_t direction)
{
	float *to = model->parameters + layer->slopes_at[direction];
	for (size_t slot = 0; slot < SLUICE__SLOTS; slot++)
		for (size_t unit = 0; unit < layer->hidden; unit++) {
			const sluice_activation activation = sluice__layer_activation(layer->options, slot);
			to[slot * layer->hidden + unit] = activation.kind == SLUICE_ACTIVATION_PRELU ? 0.25f : 0.0f;
		}
}

static void initialize_direction(sluice_model *model, size_t index, size_t direction,
				 const sluice_initialization *options)
{
	const struct sluice__layer *layer = &model->network.layers[index];
	const sluice_layer *given = layer->options;
	const size_t hidden = layer->hidden, rows = SLUICE__GATES * hidden;
	const float fan = (float)(hidden * sluice__taps(&layer->recurrent));
	const float scale = options->scale > 0 ? options->scale : 1.0f / sqrtf(fan);
	float *input = model->parameters + layer->weight_ih[direction];
	float *recurrent = model->parameters + layer->weight_hh[direction];
	struct sluice__place place = {SLUICE__INITIALIZATION, index, direction, 0, INPUT_TENSOR};
	if (given->input == SLUICE_INPUT_WEIGHTS) {
		fill_uniform(input, rows, layer->input_depth, options->seed, place, scale);
		clear_absent(input, hidden * layer->input_depth, sluice__layer_absent(given, given->no_input_weights));
	}
	place.sequence = RECURRENT_TENSOR;
	fill_uniform(recurrent, rows, layer->recurrent_depth, options->seed, place, scale);
	clear_absent(recurrent, hidden * layer->recurrent_depth,
		     sluice__layer_absent(given, given->no_recurrent_weights));
	place.sequence = PROJECTION_TENSOR;
	if (given->projection)
		fill_uniform(model->parameters + layer->projection_at[direction], layer->out, hidden, options->seed,
			     place, scale);
	if (given->peephole != SLUICE_PEEPHOLE_NONE)
		initialize_peephole(model, layer, direction, options->seed, place, scale);
	if (layer->slopes)
		initialize_slopes(model, layer, direction);
	if (given->learned_start) {
		memset(model->parameters + layer->start_h[direction], 0, layer->out * sizeof(float));
		memset(model->parameters + layer->start_c[direction], 0, hidden * sizeof(float));
	}
	if (!layer->bias)
		return;
	float *bias = model->parameters + layer->bias_at[direction];
	for (size_t row = 0; row < rows; row++)
		bias[row] = row / hidden == 1 ? options->forget_bias : 0.0f;
	clear_absent(bias, hidden, sluice__layer_absent(given, 0));
}

static void initialize_readout(sluice_model *model, const sluice_initialization *options)
{
	const struct sluice__network *network = &model->network;
	const float scale = options->scale > 0 ? options->scale : 1.0f / sqrtf((float)network->features);
	struct sluice__place place = {SLUICE__INITIALIZATION, network->layer_count, 0, 0, READOUT_TENSOR};
	fill_uniform(model->parameters + network->readout_weight, network->outputs, network->features, options->seed,
		     place, scale);
	memset(model->parameters + network->readout_bias, 0, network->outputs * sizeof(float));
}

sluice_status sluice_model_initialize(sluice_model *model, const sluice_initialization *given)
{
	sluice_initialization options = SLUICE_INITIALIZATION_INIT;
	if (!model)
		return sluice__null("model");
	if (given)
		SLUICE_TRY(sluice__argument(&options, sizeof options, given, "options"));
	if (!(options.scale >= 0) || isinf(options.scale))
		return SLUICE_INVALID("scale is %g, expected a finite number of at least 0", (double)options.scale);
	if (!isfinite(options.forget_bias))
		return SLUICE_INVALID("forget_bias is %g, expected a finite number", (double)options.forget_bias);
	for (size_t index = 0; index < model->network.layer_count; index++)
		for (size_t direction = 0; direction < model->network.layers[index].directions; direction++)
			initialize_direction(model, index, direction, &options);
	if (model->network.readout)
		initialize_readout(model, &options);
	return SLUICE_OK;
}
