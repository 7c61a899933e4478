/* model.c exists to turn a description into checked sizes and one block of parameters with names. */
#include "core/internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"

enum {
	MOST_LAYERS = 127,      /* the random counter has seven bits for the layer */
	MOST_HIDDEN = 1 << 22,  /* and twenty for a block of four units */
	MOST_SIDE = 1 << 15,    /* of an image */
	TENSORS_A_DIRECTION = 8 /* weight_ih, weight_hh, bias, weight_hr, peephole, prelu, start_h, start_c */
};

static sluice_status activations_check(const sluice_layer *layer, size_t index)
{
	const struct {
		const char *field;
		const sluice_activation *activation;
	} fields[] = {
		{"input_activation", &layer->input_activation},
		{"forget_activation", &layer->forget_activation},
		{"candidate_activation", &layer->candidate_activation},
		{"output_activation", &layer->output_activation},
		{"cell_activation", &layer->cell_activation},
	};
	enum {
#define ACTIVATION_COUNT(name, text) +1
		KINDS = 0 SLUICE_ACTIVATION_MAP(ACTIVATION_COUNT)
#undef ACTIVATION_COUNT
	};
	for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++) {
		const sluice_activation *activation = fields[j].activation;
		if ((unsigned)activation->kind >= KINDS)
			return SLUICE_INVALID("layers[%zu].%s.kind is %d, expected 0 to %d", index, fields[j].field,
					      (int)activation->kind, KINDS - 1);
		if (!isfinite(activation->a) || !isfinite(activation->b) || !isfinite(activation->c))
			return SLUICE_INVALID("layers[%zu].%s has the parameters %g, %g, %g, expected finite numbers",
					      index, fields[j].field, (double)activation->a, (double)activation->b,
					      (double)activation->c);
	}
	return SLUICE_OK;
}

/* Numbers of a layer that have a range. */
static sluice_status ranges_check(const sluice_layer *layer, size_t index)
{
	const struct {
		const char *field;
		float value;
	} chances[] =
		{
			{"dropout", layer->dropout},         {"recurrent_dropout", layer->recurrent_dropout},
			{"zoneout_h", layer->zoneout_h},     {"zoneout_c", layer->zoneout_c},
			{"dropconnect", layer->dropconnect},
		},
	  clips[] = {
		  {"projection_clip", layer->projection_clip},
		  {"cell_clip", layer->cell_clip},
		  {"gate_clip", layer->gate_clip},
	  };
	const struct {
		const char *field;
		unsigned value;
	} masks[] = {
		{"no_gates", layer->no_gates},
		{"no_input_weights", layer->no_input_weights},
		{"no_recurrent_weights", layer->no_recurrent_weights},
		{"no_peepholes", layer->no_peepholes},
	};
	for (size_t j = 0; j < sizeof chances / sizeof chances[0]; j++)
		if (!(chances[j].value >= 0 && chances[j].value < 1))
			return SLUICE_INVALID("layers[%zu].%s is %g, expected 0 <= %s < 1", index, chances[j].field,
					      (double)chances[j].value, chances[j].field);
	for (size_t j = 0; j < sizeof clips / sizeof clips[0]; j++)
		if (!(clips[j].value >= 0) || isinf(clips[j].value))
			return SLUICE_INVALID("layers[%zu].%s is %g, expected a finite number of at least 0", index,
					      clips[j].field, (double)clips[j].value);
	for (size_t j = 0; j < sizeof masks / sizeof masks[0]; j++)
		if (masks[j].value > SLUICE_GATES_ALL)
			return SLUICE_INVALID("layers[%zu].%s is %#x, expected flags out of %#x", index, masks[j].field,
					      masks[j].value, (unsigned)SLUICE_GATES_ALL);
	return SLUICE_OK;
}

/* Enumerations of a layer. */
static sluice_status choices_check(const sluice_layer *layer, size_t index)
{
	const struct {
		const char *field;
		unsigned value, most;
	} choices[] = {
		{"direction", (unsigned)layer->direction, SLUICE_BIDIRECTIONAL},
		{"peephole", (unsigned)layer->peephole, SLUICE_PEEPHOLE_ELEMENT},
		{"input", (unsigned)layer->input, SLUICE_INPUT_GATES},
		{"recurrent_dropout_shape", (unsigned)layer->recurrent_dropout_shape, SLUICE_MASK_STEP},
		{"combination", (unsigned)layer->combination, SLUICE_SEPARATE},
	};
	for (size_t j = 0; j < sizeof choices / sizeof choices[0]; j++)
		if (choices[j].value > choices[j].most)
			return SLUICE_INVALID("layers[%zu].%s is %d, expected 0 to %u", index, choices[j].field,
					      (int)choices[j].value, choices[j].most);
	return SLUICE_OK;
}

sluice_status sluice__layer_check(const sluice_layer *layer, size_t index)
{
	if (layer->hidden == 0 || layer->hidden > MOST_HIDDEN)
		return SLUICE_INVALID("layers[%zu].hidden is %zu, expected 1 to %d", index, layer->hidden, MOST_HIDDEN);
	if (layer->projection > MOST_HIDDEN)
		return SLUICE_INVALID("layers[%zu].projection is %zu, expected 0 to %d", index, layer->projection,
				      MOST_HIDDEN);
	SLUICE_TRY(choices_check(layer, index));
	SLUICE_TRY(ranges_check(layer, index));
	SLUICE_TRY(activations_check(layer, index));
	if (layer->combination != SLUICE_CONCATENATE && layer->direction != SLUICE_BIDIRECTIONAL)
		return SLUICE_INVALID("layers[%zu].combination is %d and the layer has one direction, expected 0",
				      index, (int)layer->combination);
	if (layer->coupled && (layer->no_gates & (SLUICE_GATE_I | SLUICE_GATE_F)))
		return SLUICE_INVALID("layers[%zu].coupled is set and no_gates is %#x, expected gates i and f", index,
				      layer->no_gates);
	return SLUICE_OK;
}

/* What x must be like where no weights bring it to the gates. */
static sluice_status input_check(const sluice_layer *layer, size_t index, size_t inputs, bool separate)
{
	const size_t directions = layer->direction == SLUICE_BIDIRECTIONAL && !separate ? 2 : 1;
	if (layer->input == SLUICE_INPUT_IDENTITY && inputs != layer->hidden)
		return SLUICE_INVALID("layers[%zu].input is the identity and its width %zu, expected hidden = %zu",
				      index, inputs, layer->hidden);
	if (layer->input == SLUICE_INPUT_GATES && inputs != directions * SLUICE__GATES * layer->hidden)
		return SLUICE_INVALID("layers[%zu].input holds the gates and its width is %zu, expected %zu times 4 "
				      "hidden = %zu",
				      index, inputs, directions, directions * SLUICE__GATES * layer->hidden);
	if (separate && layer->direction != SLUICE_BIDIRECTIONAL)
		return SLUICE_INVALID(
			"layers[%zu].direction is %d above a layer with separate results, expected %d: each "
			"is read by the direction that made it",
			index, (int)layer->direction, SLUICE_BIDIRECTIONAL);
	return SLUICE_OK;
}

static sluice_status description_check(const sluice_description *description)
{
	if (description->inputs == 0)
		return SLUICE_INVALID("inputs is 0, expected at least 1");
	if (description->layer_count == 0 || description->layer_count > MOST_LAYERS)
		return SLUICE_INVALID("layer_count is %zu, expected 1 to %d", description->layer_count, MOST_LAYERS);
	if (!description->layers)
		return sluice__null("layers");
	if (!description->image_height != !description->image_width || description->image_height > MOST_SIDE ||
	    description->image_width > MOST_SIDE)
		return SLUICE_INVALID("image_height is %zu and image_width %zu, expected both 0, or 1 to %d",
				      description->image_height, description->image_width, MOST_SIDE);
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
		SLUICE_TRY(sluice__images_check(layer, index, description->image_height > 0));
		from += description->layers[0].size;
	}
	const sluice_layer *last = &model->layers[description->layer_count - 1];
	if (last->dropout > 0 && description->outputs == 0)
		return SLUICE_INVALID("layers[%zu].dropout is %g on the last layer, expected 0: nothing follows it",
				      description->layer_count - 1, (double)last->dropout);
	if (last->combination == SLUICE_SEPARATE && description->outputs > 0)
		return SLUICE_INVALID(
			"outputs is %zu and the last layer has separate results, expected 0: a read-out reads "
			"one result",
			description->outputs);
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

static bool has_slopes(const sluice_layer *layer)
{
	for (size_t slot = 0; slot < SLUICE__SLOTS; slot++)
		if (sluice__layer_activation(layer, slot).kind == SLUICE_ACTIVATION_PRELU)
			return true;
	return false;
}

/* The tensors of one direction, in the order of the block. */
static void name_tensors(sluice_model *model, size_t index, size_t direction, struct sluice__ledger *parameters)
{
	const sluice_layer *given = &model->layers[index];
	struct sluice__layer *layer = &model->network.layers[index];
	const char *suffix = direction ? "_reverse" : "";
	const size_t hidden = layer->hidden, rows = SLUICE__GATES * hidden;
	if (given->input == SLUICE_INPUT_WEIGHTS)
		layer->weight_ih[direction] =
			name_tensor(model, parameters, rows, layer->input_depth, "weight_ih_l%zu%s", index, suffix);
	layer->weight_hh[direction] =
		name_tensor(model, parameters, rows, layer->recurrent_depth, "weight_hh_l%zu%s", index, suffix);
	if (layer->bias)
		layer->bias_at[direction] = name_tensor(model, parameters, rows, 1, "bias_l%zu%s", index, suffix);
	if (given->projection)
		layer->projection_at[direction] =
			name_tensor(model, parameters, layer->out, hidden, "weight_hr_l%zu%s", index, suffix);
	if (given->peephole == SLUICE_PEEPHOLE_DIAGONAL)
		layer->peephole_at[direction] =
			name_tensor(model, parameters, SLUICE__GATES, hidden, "peephole_l%zu%s", index, suffix);
	if (given->peephole == SLUICE_PEEPHOLE_FULL)
		layer->peephole_at[direction] =
			name_tensor(model, parameters, rows, layer->memory_depth, "peephole_l%zu%s", index, suffix);
	if (given->peephole == SLUICE_PEEPHOLE_ELEMENT)
		layer->peephole_at[direction] =
			name_tensor(model, parameters, rows, layer->places, "peephole_l%zu%s", index, suffix);
	if (layer->slopes)
		layer->slopes_at[direction] =
			name_tensor(model, parameters, SLUICE__SLOTS, hidden, "prelu_l%zu%s", index, suffix);
	if (!given->learned_start)
		return;
	layer->start_h[direction] = name_tensor(model, parameters, layer->out, 1, "start_h_l%zu%s", index, suffix);
	layer->start_c[direction] = name_tensor(model, parameters, hidden, 1, "start_c_l%zu%s", index, suffix);
}

/* Sizes of one layer, which reads `inputs` numbers at each place of an image. */
static sluice_status size_layer(sluice_model *model, size_t index, size_t inputs, struct sluice__image from)
{
	const sluice_layer *given = &model->layers[index];
	struct sluice__layer *layer = &model->network.layers[index];
	layer->options = given;
	layer->inputs = inputs;
	layer->hidden = given->hidden;
	layer->out = given->projection ? given->projection : given->hidden;
	layer->directions = given->direction == SLUICE_BIDIRECTIONAL ? 2 : 1;
	layer->reverse = given->direction == SLUICE_REVERSE;
	layer->bias = !given->no_bias;
	layer->slopes = has_slopes(given);
	return sluice__images_lay_out(layer, index, from);
}

/* Offsets of one layer. */
static void lay_out_layer(sluice_model *model, size_t index, struct sluice__ledger *parameters,
			  struct sluice__ledger *state)
{
	struct sluice__network *network = &model->network;
	struct sluice__layer *layer = &network->layers[index];
	for (size_t direction = 0; direction < layer->directions; direction++) {
		name_tensors(model, index, direction, parameters);
		layer->h[direction] =
			sluice__book(state, sluice__round_up(layer->out, SLUICE__PAD), layer->places, sizeof(float)) /
			sizeof(float);
		layer->c[direction] = sluice__book(state, sluice__round_up(layer->hidden, SLUICE__PAD), layer->places,
						   sizeof(float)) /
				      sizeof(float);
		layer->h_column[direction] = network->h_width;
		layer->c_column[direction] = network->c_width;
		network->h_width += layer->places * layer->out;
		network->c_width += layer->places * layer->hidden;
	}
}

/* Whether what a layer reads comes as two results, one for each of its directions. */
static bool reads_separate(const sluice_model *model, size_t index)
{
	return index > 0 && model->layers[index - 1].combination == SLUICE_SEPARATE;
}

static sluice_status lay_out(sluice_model *model)
{
	struct sluice__network *network = &model->network;
	struct sluice__ledger parameters = {0}, state = {0};
	const sluice_description *description = &model->description;
	size_t width = description->inputs, outputs = description->outputs;
	network->images = description->image_height > 0;
	network->image = (struct sluice__image){1, 1};
	if (network->images)
		network->image = (struct sluice__image){description->image_height, description->image_width};
	struct sluice__image image = network->image;
	for (size_t index = 0; index < network->layer_count; index++) {
		const bool separate = reads_separate(model, index);
		if (separate)
			width /= 2;
		SLUICE_TRY(input_check(&model->layers[index], index, width, separate));
		SLUICE_TRY(size_layer(model, index, width, image));
		lay_out_layer(model, index, &parameters, &state);
		width = sluice__layer_results(&network->layers[index]) * network->layers[index].out;
		image = network->layers[index].image;
	}
	network->inputs = description->inputs;
	network->features = width;
	network->readout = outputs > 0;
	network->separate = reads_separate(model, network->layer_count);
	network->outputs = outputs ? outputs : network->separate ? width / 2 : width;
	network->y_places = sluice__places(image);
	if (!sluice__multiply(network->inputs, sluice__places(network->image), &network->x_width) ||
	    !sluice__multiply(network->outputs, network->y_places, &network->y_width))
		parameters.overflow = true;
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
	return model->network.y_width;
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
