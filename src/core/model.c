/* model.c exists to turn a description into checked sizes and one block of parameters with names. */
#include "core/internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/philox.h"
#include "kernels/kernels.h"

enum {
	MOST_LAYERS = 127,      /* the random counter has seven bits for the layer */
	MOST_HIDDEN = 1 << 22,  /* and twenty for a block of four units */
	TENSORS_A_DIRECTION = 3 /* weight_ih, weight_hh, bias */
};

static sluice_status activation_check(const sluice_activation *activation, sluice_activation_kind implemented,
				      const char *field, size_t index)
{
	static const char *const names[] = {
#define ACTIVATION_NAME(name, text) [SLUICE_ACTIVATION_##name] = text,
		SLUICE_ACTIVATION_MAP(ACTIVATION_NAME)
#undef ACTIVATION_NAME
	};
	if ((size_t)activation->kind >= sizeof names / sizeof names[0])
		return SLUICE_INVALID("layers[%zu].%s.kind is %d, expected 0 to %zu", index, field,
				      (int)activation->kind, sizeof names / sizeof names[0] - 1);
	if (activation->kind != SLUICE_ACTIVATION_DEFAULT && activation->kind != implemented)
		return sluice_fail(SLUICE_UNSUPPORTED, "layers[%zu].%s is %s, only %s is implemented", index, field,
				   names[activation->kind], names[implemented]);
	return SLUICE_OK;
}

/* Options whose place is kept but whose computation is not there yet: refused, never ignored. */
static sluice_status unsupported_check(const sluice_layer *layer, size_t index)
{
	const struct {
		const char *field;
		bool used;
	} fields[] = {
		{"peephole", layer->peephole != SLUICE_PEEPHOLE_NONE},
		{"peephole_previous", layer->peephole_previous != 0},
		{"projection", layer->projection != 0},
		{"projection_clip", layer->projection_clip != 0},
		{"cell_clip", layer->cell_clip != 0},
		{"gate_clip", layer->gate_clip != 0},
	};
	for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++)
		if (fields[j].used)
			return sluice_fail(SLUICE_UNSUPPORTED, "layers[%zu].%s is set, it is not implemented", index,
					   fields[j].field);
	return SLUICE_OK;
}

sluice_status sluice__layer_check(const sluice_layer *layer, size_t index)
{
	if (layer->hidden == 0 || layer->hidden > MOST_HIDDEN)
		return SLUICE_INVALID("layers[%zu].hidden is %zu, expected 1 to %d", index, layer->hidden, MOST_HIDDEN);
	if ((unsigned)layer->direction > SLUICE_BIDIRECTIONAL)
		return SLUICE_INVALID("layers[%zu].direction is %d, expected 0 to %d", index, (int)layer->direction,
				      SLUICE_BIDIRECTIONAL);
	if (!(layer->dropout >= 0 && layer->dropout < 1))
		return SLUICE_INVALID("layers[%zu].dropout is %g, expected 0 <= dropout < 1", index,
				      (double)layer->dropout);
	if ((unsigned)layer->peephole > SLUICE_PEEPHOLE_FULL)
		return SLUICE_INVALID("layers[%zu].peephole is %d, expected 0 to %d", index, (int)layer->peephole,
				      SLUICE_PEEPHOLE_FULL);
	SLUICE_TRY(activation_check(&layer->input_activation, SLUICE_ACTIVATION_SIGMOID, "input_activation", index));
	SLUICE_TRY(activation_check(&layer->forget_activation, SLUICE_ACTIVATION_SIGMOID, "forget_activation", index));
	SLUICE_TRY(
		activation_check(&layer->candidate_activation, SLUICE_ACTIVATION_TANH, "candidate_activation", index));
	SLUICE_TRY(activation_check(&layer->output_activation, SLUICE_ACTIVATION_SIGMOID, "output_activation", index));
	SLUICE_TRY(activation_check(&layer->cell_activation, SLUICE_ACTIVATION_TANH, "cell_activation", index));
	return unsupported_check(layer, index);
}

static sluice_status description_check(const sluice_description *description)
{
	if (description->inputs == 0)
		return SLUICE_INVALID("inputs is 0, expected at least 1");
	if (description->layer_count == 0 || description->layer_count > MOST_LAYERS)
		return SLUICE_INVALID("layer_count is %zu, expected 1 to %d", description->layer_count, MOST_LAYERS);
	if (!description->layers)
		return sluice__null("layers");
	return SLUICE_OK;
}

/* The caller's layer structs may be of another version: their stride is the size they carry. */
static sluice_status copy_layers(sluice_model *model, const sluice_description *description)
{
	const char *from = (const char *)description->layers;
	for (size_t index = 0; index < description->layer_count; index++) {
		sluice_layer *layer = &model->layers[index];
		SLUICE_TRY(sluice__argument(layer, sizeof *layer, from, "layers[]"));
		SLUICE_TRY(sluice__layer_check(layer, index));
		from += description->layers[0].size;
	}
	const sluice_layer *last = &model->layers[description->layer_count - 1];
	if (last->dropout > 0 && description->outputs == 0)
		return SLUICE_INVALID("layers[%zu].dropout is %g on the last layer, expected 0: nothing follows it",
				      description->layer_count - 1, (double)last->dropout);
	model->description = *description;
	model->description.layers = model->layers;
	return SLUICE_OK;
}

static size_t name_tensor(sluice_model *model, struct sluice__ledger *ledger, size_t rows, size_t columns,
			  const char *format, ...) __attribute__((format(printf, 5, 6)));

static size_t name_tensor(sluice_model *model, struct sluice__ledger *ledger, size_t rows, size_t columns,
			  const char *format, ...)
{
	struct sluice__named *named = &model->named[model->named_count++];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(named->name, sizeof named->name, format, arguments);
	va_end(arguments);
	named->rows = rows;
	named->columns = columns;
	named->offset = sluice__book(ledger, rows, columns, sizeof(float)) / sizeof(float);
	return named->offset;
}

/* Sizes and offsets of one layer; returns the width of its output. */
static size_t lay_out_layer(sluice_model *model, size_t index, size_t inputs, struct sluice__ledger *parameters,
			    struct sluice__ledger *state)
{
	const sluice_layer *given = &model->layers[index];
	struct sluice__layer *layer = &model->network.layers[index];
	const size_t hidden = given->hidden, rows = SLUICE__GATES * hidden;
	layer->inputs = inputs;
	layer->hidden = hidden;
	layer->directions = given->direction == SLUICE_BIDIRECTIONAL ? 2 : 1;
	layer->reverse = given->direction == SLUICE_REVERSE;
	layer->bias = !given->no_bias;
	layer->dropout = given->dropout;
	for (size_t direction = 0; direction < layer->directions; direction++) {
		const char *suffix = direction ? "_reverse" : "";
		layer->weight_ih[direction] =
			name_tensor(model, parameters, rows, inputs, "weight_ih_l%zu%s", index, suffix);
		layer->weight_hh[direction] =
			name_tensor(model, parameters, rows, hidden, "weight_hh_l%zu%s", index, suffix);
		if (layer->bias)
			layer->bias_at[direction] =
				name_tensor(model, parameters, rows, 1, "bias_l%zu%s", index, suffix);
		size_t padded = sluice__round_up(hidden, SLUICE__PAD);
		layer->h[direction] = sluice__book(state, padded, 1, sizeof(float)) / sizeof(float);
		layer->c[direction] = sluice__book(state, padded, 1, sizeof(float)) / sizeof(float);
	}
	return layer->directions * hidden;
}

static sluice_status lay_out(sluice_model *model)
{
	struct sluice__network *network = &model->network;
	struct sluice__ledger parameters = {0}, state = {0};
	size_t width = model->description.inputs, outputs = model->description.outputs;
	for (size_t index = 0; index < network->layer_count; index++)
		width = lay_out_layer(model, index, width, &parameters, &state);
	network->inputs = model->description.inputs;
	network->features = width;
	network->readout = outputs > 0;
	network->outputs = outputs ? outputs : width;
	if (network->readout) {
		network->readout_weight = name_tensor(model, &parameters, outputs, width, "readout.weight");
		network->readout_bias = name_tensor(model, &parameters, outputs, 1, "readout.bias");
	}
	if (parameters.overflow || state.overflow)
		return SLUICE_INVALID(
			"the sizes of the model overflow: inputs %zu, %zu layers, outputs %zu need more bytes of "
			"parameters than a size_t counts",
			network->inputs, network->layer_count, outputs);
	network->parameter_count = parameters.bytes / sizeof(float);
	network->state_row = state.bytes / sizeof(float);
	return SLUICE_OK;
}

static size_t most_tensors(size_t layer_count)
{
	return layer_count * 2 * TENSORS_A_DIRECTION + 2;
}

static sluice_status create(sluice_model *model, const sluice_description *description)
{
	const sluice_allocator *allocator = &model->context->allocator;
	const size_t count = description->layer_count;
	model->network.layer_count = count;
	model->layers = sluice__allocate(allocator, count * sizeof *model->layers);
	model->network.layers = sluice__allocate(allocator, count * sizeof *model->network.layers);
	model->named = sluice__allocate(allocator, most_tensors(count) * sizeof *model->named);
	if (!model->layers || !model->network.layers || !model->named)
		return SLUICE_OUT_OF_MEMORY;
	SLUICE_TRY(copy_layers(model, description));
	SLUICE_TRY(lay_out(model));
	model->parameters = sluice__allocate(allocator, model->network.parameter_count * sizeof *model->parameters);
	return model->parameters ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
}

sluice_status sluice_model_create(sluice_context *context, const sluice_description *given, sluice_model **out)
{
	sluice_description description;
	if (!out)
		return sluice__null("out");
	*out = NULL;
	if (!context)
		return sluice__null("context");
	if (!given)
		return sluice__null("description");
	SLUICE_TRY(sluice__argument(&description, sizeof description, given, "description"));
	SLUICE_TRY(description_check(&description));

	sluice_model *model = sluice__allocate(&context->allocator, sizeof *model);
	if (!model)
		return SLUICE_OUT_OF_MEMORY;
	model->context = context;
	sluice_status status = create(model, &description);
	if (status != SLUICE_OK) {
		sluice_model_destroy(model);
		return status;
	}
	*out = model;
	return SLUICE_OK;
}

void sluice_model_destroy(sluice_model *model)
{
	if (!model)
		return;
	const sluice_allocator *allocator = &model->context->allocator;
	const size_t count = model->network.layer_count;
	sluice__release(allocator, model->parameters, model->network.parameter_count * sizeof *model->parameters);
	sluice__release(allocator, model->named, most_tensors(count) * sizeof *model->named);
	sluice__release(allocator, model->network.layers, count * sizeof *model->network.layers);
	sluice__release(allocator, model->layers, count * sizeof *model->layers);
	sluice__release(allocator, model, sizeof *model);
}

const sluice_description *sluice_model_description(const sluice_model *model)
{
	return &model->description;
}

size_t sluice_model_outputs(const sluice_model *model)
{
	return model->network.outputs;
}

float *sluice_model_parameters(const sluice_model *model, size_t *count)
{
	if (count)
		*count = model->network.parameter_count;
	return model->parameters;
}

size_t sluice_model_parameter_count(const sluice_model *model)
{
	return model->named_count;
}

sluice_status sluice_model_parameter(const sluice_model *model, size_t index, sluice_parameter *out)
{
	if (!model)
		return sluice__null("model");
	if (!out)
		return sluice__null("out");
	if (out->size < sizeof *out)
		return SLUICE_INVALID("out.size is %zu, expected %zu: initialise it with SLUICE_PARAMETER_INIT",
				      out->size, sizeof *out);
	if (index >= model->named_count)
		return SLUICE_INVALID("index is %zu, the model has %zu tensors", index, model->named_count);
	const struct sluice__named *named = &model->named[index];
	out->name = named->name;
	out->offset = named->offset;
	out->rows = named->rows;
	out->columns = named->columns;
	return SLUICE_OK;
}

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

enum { INPUT_TENSOR, RECURRENT_TENSOR, READOUT_TENSOR }; /* the "sequence" of an initial number */

static void initialize_direction(sluice_model *model, size_t index, size_t direction,
				 const sluice_initialization *options)
{
	const struct sluice__layer *layer = &model->network.layers[index];
	const size_t hidden = layer->hidden, rows = SLUICE__GATES * hidden;
	const float scale = options->scale > 0 ? options->scale : 1.0f / sqrtf((float)hidden);
	struct sluice__place place = {SLUICE__INITIALIZATION, index, direction, 0, INPUT_TENSOR};
	fill_uniform(model->parameters + layer->weight_ih[direction], rows, layer->inputs, options->seed, place, scale);
	place.sequence = RECURRENT_TENSOR;
	fill_uniform(model->parameters + layer->weight_hh[direction], rows, hidden, options->seed, place, scale);
	if (!layer->bias)
		return;
	float *bias = model->parameters + layer->bias_at[direction];
	for (size_t row = 0; row < rows; row++)
		bias[row] = row / hidden == 1 ? options->forget_bias : 0.0f;
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
