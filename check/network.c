/*
 * network.c: works out where everything of a network lies, from nothing but its description and its named tensors.
 */
#include "network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TENSORS_MAX 8 /* of one cell */
#define NAME_SIZE 48  /* bytes of every tensor name, the longest being weight_hr_l126_reverse */
#define ALIGNMENT 16  /* elements: tensors start at multiples of 64 bytes */

static const sluice_layer *layer_at(const sluice_description *description, size_t layer)
{
	return (const sluice_layer *)((const char *)description->layers + layer * description->layers[0].size);
}

static unsigned gate_bit(int gate)
{
	return 1u << gate;
}

int sluice__cell_computes(const struct sluice__cell *cell, int gate)
{
	return !(cell->no_gates & gate_bit(gate)) && !(cell->coupled && gate == SLUICE__F);
}

/* Whether a layer has two results. */
static int is_separate(const sluice_layer *layer)
{
	return layer->direction == SLUICE_BIDIRECTIONAL && layer->combination == SLUICE_SEPARATE;
}

/* Whether each cell of a layer reads the result of its own direction alone. */
static int reads_separate(const sluice_description *description, size_t index)
{
	return index > 0 && is_separate(layer_at(description, index - 1));
}

/* Refuses directions that have nothing to read, or nobody to read them. */
static sluice_status directions_check(const sluice_description *description, size_t index)
{
	const sluice_layer *layer = layer_at(description, index);

	if (layer->combination != SLUICE_CONCATENATE && layer->direction != SLUICE_BIDIRECTIONAL)
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "layer %zu: combination is %d, but the layer has one direction", index,
				   (int)layer->combination);
	if (reads_separate(description, index) && layer->direction != SLUICE_BIDIRECTIONAL)
		return sluice_fail(
			SLUICE_INVALID_ARGUMENT,
			"layer %zu: direction is %d, expected both, each to read its own result of layer %zu", index,
			(int)layer->direction, index - 1);
	if (is_separate(layer) && index + 1 == description->layer_count && description->outputs)
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "layer %zu: its results are separate, but a read-out of %zu outputs reads one",
				   index, description->outputs);
	return SLUICE_OK;
}

/* Refuses what contradicts itself; any other combination of options has a meaning. width is that of what each cell
 * reads, or of all x if it holds the gates. */
static sluice_status layer_check(const sluice_layer *layer, size_t index, size_t width)
{
	size_t directions = layer->direction == SLUICE_BIDIRECTIONAL ? 2 : 1;

	if (!layer->hidden)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "layer %zu: hidden is 0", index);
	if (layer->coupled && (layer->no_gates & (SLUICE_GATE_I | SLUICE_GATE_F)))
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "layer %zu: no_gates is %u, but coupled needs the input and the forget gate", index,
				   layer->no_gates);
	if (layer->input == SLUICE_INPUT_IDENTITY && width != layer->hidden)
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "layer %zu: its input has width %zu, expected %zu, as hidden, to enter the gates as "
				   "it is",
				   index, width, layer->hidden);
	if (layer->input == SLUICE_INPUT_GATES && width != directions * 4 * layer->hidden)
		return sluice_fail(
			SLUICE_INVALID_ARGUMENT,
			"layer %zu: its input has width %zu, expected %zu to hold four numbers for each unit", index,
			width, directions * 4 * layer->hidden);
	return SLUICE_OK;
}

/* --------------------------------------------------------------------------------------------------- images ---- */

/* Whether anything is said about a convolution. */
static int is_given(const sluice_convolution *convolution)
{
	const sluice_convolution *v = convolution;

	return v->height || v->width || v->dilation_y || v->dilation_x || v->groups || v->stride_y || v->stride_x ||
	       v->border || v->top || v->left || v->bottom || v->right;
}

/* Refuses options of images that have nothing to apply to. */
static sluice_status images_check(const sluice_description *description, size_t index)
{
	const sluice_layer *layer = layer_at(description, index);
	int images = description->image_height != 0;
	const struct {
		const char *name;
		int stray;
		const char *lacks;
	} all[] = {
		{"peephole element", !images && layer->peephole == SLUICE_PEEPHOLE_ELEMENT, "images"},
		{"input_convolution", !images && is_given(&layer->input_convolution), "images"},
		{"recurrent_convolution", !images && is_given(&layer->recurrent_convolution), "images"},
		{"memory_convolution", !images && is_given(&layer->memory_convolution), "images"},
		{"input_convolution", layer->input != SLUICE_INPUT_WEIGHTS && is_given(&layer->input_convolution),
		 "input weights"},
		{"memory_convolution", layer->peephole != SLUICE_PEEPHOLE_FULL && is_given(&layer->memory_convolution),
		 "full peepholes"},
	};

	for (size_t check = 0; check < sizeof(all) / sizeof(all[0]); check++)
		if (all[check].stray)
			return sluice_fail(SLUICE_INVALID_ARGUMENT, "layer %zu: %s is given, but there are no %s",
					   index, all[check].name, all[check].lacks);
	return SLUICE_OK;
}

/* Shares out the channels of an image, and the units of each gate, to the groups of a window. */
static sluice_status groups_share(const char *name, const struct sluice__cell *cell, size_t channels,
				  struct sluice__window *window)
{
	size_t groups = window->groups, H = cell->hidden;

	if (channels % groups || H % groups)
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "layer %zu: %s_convolution has %zu groups, which do not divide %zu channels and "
				   "%zu units",
				   cell->layer, name, groups, channels, H);
	window->channels = channels / groups;
	window->units = H / groups;
	return SLUICE_OK;
}

/* The window of W, and with it the image that the cell puts out. */
static sluice_status input_lay(struct sluice__cell *cell, const sluice_layer *layer, const struct sluice__image *image,
			       struct sluice__image *out)
{
	struct sluice__window *window = &cell->input_window;
	sluice_status status = sluice__window_create("input", cell->layer, &layer->input_convolution, image->height,
						     image->width, window);

	if (status != SLUICE_OK)
		return status;
	*out = (struct sluice__image){window->result_height, window->result_width,
				      window->result_height * window->result_width};
	cell->input_places = image->places;
	cell->places = out->places;
	if (cell->input == SLUICE_INPUT_WEIGHTS)
		return groups_share("input", cell, cell->inputs, window);
	window->channels = cell->inputs;
	window->units = cell->hidden;
	return SLUICE_OK;
}

/* The window of R or V, whose result is as large as what it sees. */
static sluice_status inner_lay(const char *name, const struct sluice__cell *cell, const sluice_convolution *convolution,
			       size_t channels, const struct sluice__image *image, struct sluice__window *window)
{
	sluice_status status =
		sluice__window_create(name, cell->layer, convolution, image->height, image->width, window);

	if (status != SLUICE_OK)
		return status;
	if (window->stride_y != 1 || window->stride_x != 1)
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "layer %zu: %s_convolution has strides of %zu and %zu, expected 1", cell->layer,
				   name, window->stride_y, window->stride_x);
	if (window->result_height != image->height || window->result_width != image->width)
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "layer %zu: %s_convolution makes an image of %zu by %zu, expected %zu by %zu",
				   cell->layer, name, window->result_height, window->result_width, image->height,
				   image->width);
	return groups_share(name, cell, channels, window);
}

/* Everything that a cell sees of images. */
static sluice_status windows_lay(struct sluice__cell *cell, const sluice_layer *layer,
				 const struct sluice__image *image, struct sluice__image *out)
{
	sluice_status status = input_lay(cell, layer, image, out);

	if (status == SLUICE_OK)
		status = inner_lay("recurrent", cell, &layer->recurrent_convolution, cell->out, out,
				   &cell->recurrent_window);
	if (status == SLUICE_OK)
		status = inner_lay("memory", cell, &layer->memory_convolution, cell->hidden, out, &cell->memory_window);
	return status;
}

/* -------------------------------------------------------------------------------------------------- tensors ---- */

/* Appends a tensor to the network's own list, laid out behind the one before. */
static void tensor_add(struct sluice__network *network, size_t rows, size_t columns, const char *name)
{
	char *copy = network->names + network->tensor_count * NAME_SIZE;
	sluice_parameter *tensor = &network->tensors[network->tensor_count++];

	snprintf(copy, NAME_SIZE, "%s", name);
	*tensor = (sluice_parameter){sizeof(*tensor), copy, network->parameter_count, rows, columns};
	network->parameter_count += (rows * columns + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int has_prelu(const struct sluice__cell *cell)
{
	for (int place = 0; place < SLUICE__ACTIVATIONS; place++)
		if (cell->activations[place].kind == SLUICE_ACTIVATION_PRELU)
			return 1;
	return 0;
}

/* A tensor that a cell may have: where its offset is kept, its name and shape. */
struct cell_tensor {
	int present;
	size_t *offset;
	const char *name;
	size_t rows, columns;
};

static size_t peephole_rows(const struct sluice__cell *cell)
{
	return cell->peephole_kind == SLUICE_PEEPHOLE_DIAGONAL ? 4 : 4 * cell->hidden;
}

static size_t peephole_columns(const struct sluice__cell *cell)
{
	if (cell->peephole_kind == SLUICE_PEEPHOLE_DIAGONAL)
		return cell->hidden;
	if (cell->peephole_kind == SLUICE_PEEPHOLE_ELEMENT)
		return cell->places;
	return sluice__window_columns(&cell->memory_window);
}

/* All tensors of one cell in the order of the block. */
static void cell_tensors(struct sluice__cell *cell, struct cell_tensor tensors[TENSORS_MAX])
{
	size_t H = cell->hidden;
	size_t W = sluice__window_columns(&cell->input_window), R = sluice__window_columns(&cell->recurrent_window);
	const struct cell_tensor all[TENSORS_MAX] = {
		{cell->input == SLUICE_INPUT_WEIGHTS, &cell->weight_ih, "weight_ih", 4 * H, W},
		{1, &cell->weight_hh, "weight_hh", 4 * H, R},
		{cell->bias != SLUICE__NONE, &cell->bias, "bias", 4 * H, 1},
		{cell->weight_hr != SLUICE__NONE, &cell->weight_hr, "weight_hr", cell->out, H},
		{cell->peephole_kind != SLUICE_PEEPHOLE_NONE, &cell->peephole, "peephole", peephole_rows(cell),
		 peephole_columns(cell)},
		{has_prelu(cell), &cell->prelu, "prelu", SLUICE__ACTIVATIONS, H},
		{cell->start_h != SLUICE__NONE, &cell->start_h, "start_h", cell->out, 1},
		{cell->start_c != SLUICE__NONE, &cell->start_c, "start_c", H, 1},
	};

	memcpy(tensors, all, sizeof(all));
}

/* Adds the tensors of one cell, named as PyTorch's nn.LSTM names them. */
static void cell_tensors_add(struct sluice__network *network, struct sluice__cell *cell)
{
	static const char *const SUFFIX[] = {"", "_reverse"};
	struct cell_tensor tensors[TENSORS_MAX];
	char name[NAME_SIZE];

	cell_tensors(cell, tensors);
	for (int index = 0; index < TENSORS_MAX; index++) {
		*tensors[index].offset = SLUICE__NONE;
		if (!tensors[index].present)
			continue;
		*tensors[index].offset = 0;
		snprintf(name, sizeof(name), "%s_l%zu%s", tensors[index].name, cell->layer, SUFFIX[cell->direction]);
		tensor_add(network, tensors[index].rows, tensors[index].columns, name);
	}
}

/* Moves the network's own tensors to where the caller's block has them. */
static sluice_status tensors_match(struct sluice__network *network, const sluice_parameter *tensors, size_t count,
				   size_t block_count)
{
	if (count != network->tensor_count)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "%zu tensors are given, %zu expected", count,
				   network->tensor_count);
	for (size_t own = 0; own < network->tensor_count; own++) {
		sluice_parameter *tensor = &network->tensors[own];
		size_t given = 0;

		while (given < count && strcmp(tensors[given].name, tensor->name) != 0)
			given++;
		if (given == count)
			return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensor %s is missing", tensor->name);
		if (tensors[given].rows != tensor->rows || tensors[given].columns != tensor->columns)
			return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensor %s is [%zu,%zu], expected [%zu,%zu]",
					   tensor->name, tensors[given].rows, tensors[given].columns, tensor->rows,
					   tensor->columns);
		tensor->offset = tensors[given].offset;
		if (tensor->offset > block_count || tensor->rows * tensor->columns > block_count - tensor->offset)
			return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensor %s ends beyond the block", tensor->name);
	}
	network->parameter_count = block_count;
	return SLUICE_OK;
}

/* Reads the offsets of the tensors back into the cells, in the order in which the tensors were added. */
static void offsets_take(struct sluice__network *network)
{
	const sluice_parameter *tensor = network->tensors;
	struct cell_tensor tensors[TENSORS_MAX];

	for (size_t index = 0; index < network->cell_count; index++) {
		struct sluice__cell *cell = &network->cells[index];

		cell_tensors(cell, tensors);
		for (int place = 0; place < TENSORS_MAX; place++)
			if (*tensors[place].offset != SLUICE__NONE)
				*tensors[place].offset = (tensor++)->offset;
	}
	if (network->readout) {
		network->readout_weight = (tensor++)->offset;
		network->readout_bias = tensor->offset;
	}
}

/* The five activations of a layer, each one named. */
static void activations_resolve(const sluice_layer *layer, sluice_activation out[SLUICE__ACTIVATIONS])
{
	static const sluice_activation_kind DEFAULTS[SLUICE__ACTIVATIONS] = {
		SLUICE_ACTIVATION_SIGMOID, SLUICE_ACTIVATION_SIGMOID, SLUICE_ACTIVATION_TANH,
		SLUICE_ACTIVATION_SIGMOID, SLUICE_ACTIVATION_TANH,
	};
	const sluice_activation given[SLUICE__ACTIVATIONS] = {
		layer->input_activation,  layer->forget_activation, layer->candidate_activation,
		layer->output_activation, layer->cell_activation,
	};

	for (int place = 0; place < SLUICE__ACTIVATIONS; place++) {
		out[place] = given[place];
		if (out[place].kind == SLUICE_ACTIVATION_DEFAULT)
			out[place].kind = DEFAULTS[place];
	}
}

/* Copies a layer's options into one of its cells. */
static void options_copy(struct sluice__cell *cell, const sluice_layer *layer)
{
	activations_resolve(layer, cell->activations);
	cell->peephole_kind = layer->peephole;
	cell->peephole_previous = layer->peephole_previous;
	cell->input = layer->input;
	cell->no_gates = layer->no_gates;
	cell->no_input_weights = layer->no_input_weights;
	cell->no_recurrent_weights = layer->no_recurrent_weights;
	cell->no_peepholes = layer->no_peepholes;
	cell->coupled = layer->coupled;
	cell->gate_clip = layer->gate_clip;
	cell->cell_clip = layer->cell_clip;
	cell->projection_clip = layer->projection ? layer->projection_clip : 0;
	cell->recurrent_dropout = layer->recurrent_dropout;
	cell->recurrent_dropout_shape = layer->recurrent_dropout_shape;
	cell->zoneout_h = layer->zoneout_h;
	cell->zoneout_c = layer->zoneout_c;
	cell->dropconnect = layer->dropconnect;
	cell->combination = layer->combination;
}

/* Width of what each cell of a layer reads: all of the layer's input, or the result of one direction. x that holds the
 * gates is read as a whole, since it has a part for each direction anyway. */
static size_t inputs_of(const struct sluice__network *network, const sluice_description *description, size_t index)
{
	size_t width = network->widths[index];

	if (layer_at(description, index)->input == SLUICE_INPUT_GATES)
		return width;
	return reads_separate(description, index) ? width / 2 : width;
}

/* Adds the cells of one layer, and with them the width and the image of what the next layer reads. */
static sluice_status layer_add(struct sluice__network *network, const sluice_description *description, size_t index)
{
	const sluice_layer *layer = layer_at(description, index);
	size_t inputs = inputs_of(network, description, index);
	int adds = layer->combination == SLUICE_ADD;
	size_t directions = layer->direction == SLUICE_BIDIRECTIONAL ? 2 : 1;
	size_t out = layer->projection ? layer->projection : layer->hidden;

	for (size_t direction = 0; direction < directions; direction++) {
		struct sluice__cell *cell = &network->cells[network->cell_count++];
		sluice_status status;

		cell->layer = index;
		cell->direction = direction;
		cell->reverse = layer->direction == SLUICE_REVERSE || direction == 1;
		cell->inputs = inputs;
		cell->input_column = inputs < network->widths[index] ? direction * inputs : 0;
		cell->hidden = layer->hidden;
		cell->out = out;
		cell->column = adds ? 0 : direction * out;
		cell->h_state = network->h_width;
		cell->c_state = network->c_width;
		cell->bias = layer->no_bias ? SLUICE__NONE : 0;
		cell->weight_hr = layer->projection ? 0 : SLUICE__NONE;
		cell->start_h = cell->start_c = layer->learned_start ? 0 : SLUICE__NONE;
		options_copy(cell, layer);
		status = windows_lay(cell, layer, &network->images[index], &network->images[index + 1]);
		if (status != SLUICE_OK)
			return status;
		network->h_width += cell->places * out;
		network->c_width += cell->places * layer->hidden;
		cell_tensors_add(network, cell);
	}
	network->widths[index + 1] = adds ? out : directions * out;
	return SLUICE_OK;
}

/* One layer, checked and added. */
static sluice_status layer_take(struct sluice__network *network, const sluice_description *description, size_t index)
{
	const sluice_layer *layer = layer_at(description, index);
	sluice_status status = directions_check(description, index);

	if (status == SLUICE_OK)
		status = layer_check(layer, index, inputs_of(network, description, index));
	if (status == SLUICE_OK)
		status = images_check(description, index);
	if (status == SLUICE_OK)
		status = layer_add(network, description, index);
	if (index + 1 < description->layer_count || network->readout)
		network->dropouts[index] = layer->dropout;
	return status;
}

/* The image that the first layer reads, of one place without images. */
static sluice_status image_take(const sluice_description *description, struct sluice__image *out)
{
	size_t height = description->image_height, width = description->image_width;

	if (!height != !width)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "an image of %zu by %zu is none", height, width);
	*out = height ? (struct sluice__image){height, width, height * width} : (struct sluice__image){1, 1, 1};
	return SLUICE_OK;
}

sluice_status sluice__network_create(const sluice_description *description, const sluice_parameter *tensors,
				     size_t tensor_count, size_t block_count, struct sluice__network *out)
{
	struct sluice__network network = {0};
	size_t layers = description->layer_count;
	sluice_status status;

	if (!layers || layers > 127 || !description->inputs)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "%zu layers of %zu inputs are no network", layers,
				   description->inputs);
	network.cells = calloc(2 * layers, sizeof(*network.cells));
	network.widths = calloc(layers + 1, sizeof(*network.widths));
	network.images = calloc(layers + 1, sizeof(*network.images));
	network.dropouts = calloc(layers, sizeof(*network.dropouts));
	network.tensors = calloc(2 * TENSORS_MAX * layers + 2, sizeof(*network.tensors));
	network.names = calloc(2 * TENSORS_MAX * layers + 2, NAME_SIZE);
	status = SLUICE_OUT_OF_MEMORY;
	if (!network.cells || !network.widths || !network.images || !network.dropouts || !network.tensors ||
	    !network.names) {
		sluice_fail(status, "no memory for a network of %zu layers", layers);
		goto fail;
	}

	network.inputs = network.widths[0] = description->inputs;
	network.layer_count = layers;
	network.readout = description->outputs != 0;
	status = image_take(description, &network.images[0]);
	for (size_t index = 0; index < layers && status == SLUICE_OK; index++)
		status = layer_take(&network, description, index);
	if (status != SLUICE_OK)
		goto fail;
	network.separate = is_separate(layer_at(description, layers - 1));
	network.outputs = network.widths[layers] / (network.separate ? 2 : 1);
	if (network.readout) {
		tensor_add(&network, description->outputs, network.widths[layers], "readout.weight");
		tensor_add(&network, description->outputs, 1, "readout.bias");
		network.outputs = description->outputs;
	}
	network.x_row = network.inputs * network.images[0].places;
	network.y_row = network.outputs * network.images[layers].places;
	if (tensors) {
		status = tensors_match(&network, tensors, tensor_count, block_count);
		if (status != SLUICE_OK)
			goto fail;
	}
	offsets_take(&network);
	*out = network;
	return SLUICE_OK;
fail:
	sluice__network_destroy(&network);
	return status;
}

void sluice__network_destroy(struct sluice__network *network)
{
	if (!network)
		return;
	free(network->cells);
	free(network->widths);
	free(network->images);
	free(network->dropouts);
	free(network->tensors);
	free(network->names);
	memset(network, 0, sizeof(*network));
}

sluice_status sluice__network_of_model(const sluice_model *model, struct sluice__network *out)
{
	size_t count = sluice_model_parameter_count(model), block_count;
	sluice_parameter *tensors = calloc(count ? count : 1, sizeof(*tensors));
	sluice_status status = SLUICE_OK;

	if (!tensors)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu tensor descriptions", count);
	sluice_model_parameters(model, &block_count);
	for (size_t index = 0; index < count && status == SLUICE_OK; index++) {
		tensors[index] = (sluice_parameter)SLUICE_PARAMETER_INIT;
		status = sluice_model_parameter(model, index, &tensors[index]);
	}
	if (status == SLUICE_OK)
		status = sluice__network_create(sluice_model_description(model), tensors, count, block_count, out);
	free(tensors);
	return status;
}
