/*
 * subject.c: makes a network inside the library by its public functions alone, and all memory that its runs will need.
 */
#include "subject.h"

#include <stdlib.h>
#include <string.h>

#include "storage.h"

#define ALIGNMENT 64

/* The next `bytes` of a block at a 64-byte boundary; NULL while there is only their sum to know. */
static void *take(char *block, size_t *total, size_t bytes)
{
	size_t place = *total;

	*total += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return block ? block + place : NULL;
}

sluice_dtype sluice__subject_state_type(const struct sluice__subject *subject)
{
	return subject->options.data == SLUICE_F64 ? SLUICE_F64 : SLUICE_F32;
}

size_t sluice__subject_slots(const struct sluice__subject *subject)
{
	return subject->options.slots ? 2 * subject->options.batch + 1 : subject->options.batch;
}

/* An array [T,N,width] of the plan's data type. */
static struct sluice__array array_take(const struct sluice__subject *subject, char *block, size_t *total, size_t width,
				       int by_pointers)
{
	const struct sluice__subject_options *options = &subject->options;
	struct sluice__array array = {.type = options->data, .width = width};

	array.bytes = sluice__arrays_bytes(options->steps, options->batch, width, options->data);
	array.memory = take(block, total, array.bytes);
	if (by_pointers && options->pointers)
		array.pointers = take(block, total, options->steps * sizeof(*array.pointers));
	return array;
}

static void arrays_lay_out(struct sluice__subject *subject, char *block, size_t *total)
{
	const struct sluice__network *network = subject->network;
	size_t S = network->h_width, C = network->c_width;

	subject->x = array_take(subject, block, total, network->x_row, 1);
	subject->y = array_take(subject, block, total, network->y_row, 1);
	subject->y_reverse = array_take(subject, block, total, network->y_row, 1);
	subject->dx = array_take(subject, block, total, network->x_row, 1);
	subject->mask = array_take(subject, block, total, S, 0);
	subject->h = array_take(subject, block, total, S, 0);
	subject->c = array_take(subject, block, total, C, 0);
	subject->gates = array_take(subject, block, total, 4 * C, 0);
	subject->dh = array_take(subject, block, total, S, 0);
	subject->dc = array_take(subject, block, total, C, 0);
	subject->x_columns = take(block, total, network->x_row * sizeof(size_t));
	subject->gate_columns = take(block, total, 4 * C * sizeof(size_t));
	subject->x.columns = subject->dx.columns = subject->x_columns;
	subject->gates.columns = subject->gate_columns;
}

static void result_lay_out(const struct sluice__network *network, size_t steps, size_t batch, char *block,
			   size_t *total, struct sluice__subject_result *result)
{
	size_t rows = steps * batch, S = network->h_width, C = network->c_width;

	result->y = take(block, total, rows * network->y_row * sizeof(double));
	result->y_reverse = take(block, total, rows * network->y_row * sizeof(double));
	result->hn = take(block, total, batch * S * sizeof(double));
	result->cn = take(block, total, batch * C * sizeof(double));
	result->h = take(block, total, rows * S * sizeof(double));
	result->c = take(block, total, rows * C * sizeof(double));
	result->gates = take(block, total, 4 * rows * C * sizeof(double));
	result->dx = take(block, total, rows * network->x_row * sizeof(double));
	result->dparameters = take(block, total, network->parameter_count * sizeof(double));
	result->dh0 = take(block, total, batch * S * sizeof(double));
	result->dc0 = take(block, total, batch * C * sizeof(double));
}

/* Cuts a block into the subject's arrays and gives its size; with block NULL the size alone. */
static size_t lay_out(struct sluice__subject *subject, char *block)
{
	const struct sluice__network *network = subject->network;
	const struct sluice__subject_options *options = &subject->options;
	size_t rows = options->steps * options->batch, total = 0;
	size_t state = network->h_width + network->c_width,
	       number = sluice__storage_bytes(sluice__subject_state_type(subject));
	size_t tape = sluice_plan_tape_size(subject->plan, options->steps);

	result_lay_out(network, options->steps, options->batch, block, &total, &subject->result);
	arrays_lay_out(subject, block, &total);
	subject->dparameters = take(block, &total, network->parameter_count * number);
	subject->cells = take(block, &total, options->batch * state * number);
	subject->resets = take(block, &total, rows);
	subject->holds = take(block, &total, rows);
	subject->lengths = take(block, &total, options->batch * sizeof(size_t));
	subject->batch_sizes = take(block, &total, options->steps * sizeof(size_t));
	subject->packed = take(block, &total, options->steps * sizeof(size_t));
	subject->slots = take(block, &total, options->batch * sizeof(size_t));
	subject->rows = take(block, &total, sluice_plan_state_size(subject->plan, options->batch));
	subject->initial = take(block, &total, sluice_plan_state_size(subject->plan, sluice__subject_slots(subject)));
	subject->final = take(block, &total, sluice_plan_state_size(subject->plan, sluice__subject_slots(subject)));
	subject->workspace = take(block, &total, sluice_plan_workspace_size(subject->plan));
	subject->tape = tape ? take(block, &total, tape) : NULL;
	return total;
}

/* Where the plan's gate order has the gates i f g o. */
static void gate_orders(const char *order, size_t orders[4])
{
	for (size_t gate = 0; gate < 4; gate++)
		orders[gate] = order ? (size_t)(strchr(order, "ifgo"[gate]) - order) : gate;
}

/* Columns of the 4H numbers that begin at `first`. */
static void gates_map(const struct sluice__cell *cell, const size_t orders[4], size_t first, size_t *columns)
{
	for (size_t row = 0; row < 4 * cell->hidden; row++)
		columns[first + row] = first + orders[row / cell->hidden] * cell->hidden + row % cell->hidden;
}

/* Blocks of four gates in the plan's order: those of all cells one after the other, and x where it holds gates. */
static void columns_fill(struct sluice__subject *subject)
{
	const struct sluice__network *network = subject->network;
	size_t orders[4];

	gate_orders(subject->options.gate_order, orders);
	for (size_t column = 0; column < network->x_row; column++)
		subject->x_columns[column] = column;
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		int holds_gates = cell->layer == 0 && cell->input == SLUICE_INPUT_GATES;
		size_t gates = 4 * cell->hidden;

		for (size_t place = 0; place < cell->places; place++)
			gates_map(cell, orders, 4 * cell->c_state + place * gates, subject->gate_columns);
		for (size_t place = 0; place < cell->places && holds_gates; place++)
			gates_map(cell, orders, place * cell->inputs + cell->direction * gates, subject->x_columns);
	}
}

/* All memory of the runs in one block, of ones: as floating-point numbers they are none, so that whatever reads what
 * nobody wrote shows. */
static sluice_status memory_create(struct sluice__subject *subject)
{
	size_t bytes = lay_out(subject, NULL);

	subject->block = aligned_alloc(ALIGNMENT, bytes);
	if (!subject->block)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for a run of %zu bytes", bytes);
	memset(subject->block, 0xff, bytes);
	lay_out(subject, subject->block);
	columns_fill(subject);
	return SLUICE_OK;
}

/* A tensor of a copy of the canonical block, or NULL. */
static const float *tensor_at(const float *block, size_t offset)
{
	return offset == SLUICE__NONE ? NULL : block + offset;
}

/* Strides of a tensor [4H, channels] of kernels. */
struct strides {
	ptrdiff_t row, column, y, x;
};

/* Turns a tensor [4H, rows, columns, channels] of kernels into [4H, channels, rows, columns], PyTorch's order. */
static struct strides kernels_turn(const struct sluice__cell *cell, const struct sluice__window *window,
				   const float *from, float *to)
{
	size_t taps = sluice__window_taps(window), channels = window->channels;

	for (size_t at = 0; at < 4 * cell->hidden * taps * channels; at++) {
		size_t row = at / (taps * channels), tap = at / channels % taps;

		to[(row * channels + at % channels) * taps + tap] = from[at];
	}
	if (taps == 1)
		return (struct strides){0, 0, 0, 0};
	return (struct strides){(ptrdiff_t)(channels * taps), (ptrdiff_t)taps, (ptrdiff_t)window->width, 1};
}

/* Turns peepholes [4H, places] into [places, 4H]. */
static struct strides elements_turn(const struct sluice__cell *cell, const float *from, float *to)
{
	size_t rows = 4 * cell->hidden;

	for (size_t at = 0; at < rows * cell->places; at++)
		to[at % cell->places * rows + at / cell->places] = from[at];
	return (struct strides){1, 0, (ptrdiff_t)(cell->memory_window.result_width * rows), (ptrdiff_t)rows};
}

/* Turns what a cell has of tensors over images from one block into the other. */
static void weights_turn(const struct sluice__cell *cell, const float *from, float *to, sluice_weights *weights)
{
	struct strides strides =
		kernels_turn(cell, &cell->recurrent_window, from + cell->weight_hh, to + cell->weight_hh);

	weights->recurrent_row = strides.row;
	weights->recurrent_column = strides.column;
	weights->recurrent_y = strides.y;
	weights->recurrent_x = strides.x;
	if (cell->weight_ih != SLUICE__NONE) {
		strides = kernels_turn(cell, &cell->input_window, from + cell->weight_ih, to + cell->weight_ih);
		weights->input_row = strides.row;
		weights->input_column = strides.column;
		weights->input_y = strides.y;
		weights->input_x = strides.x;
	}
	if (cell->peephole_kind == SLUICE_PEEPHOLE_FULL)
		strides = kernels_turn(cell, &cell->memory_window, from + cell->peephole, to + cell->peephole);
	else if (cell->peephole_kind == SLUICE_PEEPHOLE_ELEMENT)
		strides = elements_turn(cell, from + cell->peephole, to + cell->peephole);
	else
		return;
	weights->peephole_row = strides.row;
	weights->peephole_column = strides.column;
	weights->peephole_y = strides.y;
	weights->peephole_x = strides.x;
}

/* One cell's weights from a block, by way of a copy of it. Half of each bias is the recurrent one: halves are exact and
 * so is their sum. */
static sluice_weights weights_of(const struct sluice__cell *cell, const float *block, float *copy)
{
	sluice_weights weights = SLUICE_WEIGHTS_INIT;

	for (size_t row = 0; row < 4 * cell->hidden && cell->bias != SLUICE__NONE; row++)
		copy[cell->bias + row] /= 2;
	weights_turn(cell, block, copy, &weights);
	weights.input = tensor_at(copy, cell->weight_ih);
	weights.recurrent = copy + cell->weight_hh;
	weights.bias = weights.recurrent_bias = tensor_at(copy, cell->bias);
	weights.peephole = tensor_at(copy, cell->peephole);
	weights.projection = tensor_at(copy, cell->weight_hr);
	weights.start_h = tensor_at(copy, cell->start_h);
	weights.start_c = tensor_at(copy, cell->start_c);
	for (size_t place = 0; place < SLUICE__ACTIVATIONS; place++)
		if (cell->activations[place].kind == SLUICE_ACTIVATION_PRELU)
			weights.prelu[place] = copy + cell->prelu + place * cell->hidden;
	return weights;
}

/* Gives each cell's weights once more, from a copy of the block. */
static sluice_status halves_set(const struct sluice__subject *subject, float *block)
{
	const struct sluice__network *network = subject->network;
	size_t bytes = network->parameter_count * sizeof(float);
	float *whole = malloc(2 * bytes), *copy = whole + network->parameter_count;
	sluice_status status = SLUICE_OK;

	if (!whole)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu parameters", network->parameter_count);
	memcpy(whole, block, bytes);
	memcpy(copy, block, bytes);
	memset(block, 0, (network->readout ? network->readout_weight : network->parameter_count) * sizeof(float));
	for (size_t index = 0; index < network->cell_count && status == SLUICE_OK; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		const sluice_weights weights = weights_of(cell, whole, copy);

		status = sluice_model_set_weights(subject->model, cell->layer, cell->direction, &weights);
	}
	free(whole);
	return status;
}

/* Whether the model says of its images what the network does. */
static sluice_status images_check(const struct sluice__subject *subject)
{
	const struct sluice__network *network = subject->network;
	size_t layers = network->layer_count;
	int images = sluice_model_description(subject->model)->image_height != 0;

	if (sluice_model_outputs(subject->model) != network->y_row)
		return sluice_fail(SLUICE_INTERNAL, "the model has %zu outputs, %zu expected",
				   sluice_model_outputs(subject->model), network->y_row);
	for (size_t layer = 0; layer <= layers; layer++) {
		const struct sluice__image *image = &network->images[layer < layers ? layer + 1 : 0];
		size_t height, width;
		sluice_status status = sluice_model_image(subject->model, layer, &height, &width);

		if (status != SLUICE_OK)
			return status;
		if (height != (images ? image->height : 0) || width != (images ? image->width : 0))
			return sluice_fail(SLUICE_INTERNAL, "images of layer %zu are %zu by %zu, expected %zu by %zu",
					   layer, height, width, image->height, image->width);
	}
	return SLUICE_OK;
}

/* Puts the parameters into the model, whose tensors must lie where the network has them. */
static sluice_status parameters_set(const struct sluice__subject *subject, const double *parameters)
{
	const struct sluice__network *network = subject->network;
	size_t count;
	float *block = sluice_model_parameters(subject->model, &count);

	if (count != network->parameter_count || sluice_model_parameter_count(subject->model) != network->tensor_count)
		return sluice_fail(SLUICE_INTERNAL, "the model has %zu parameters, %zu expected", count,
				   network->parameter_count);
	for (size_t index = 0; index < network->tensor_count; index++) {
		const sluice_parameter *own = &network->tensors[index];
		sluice_parameter tensor = SLUICE_PARAMETER_INIT;
		sluice_status status = sluice_model_parameter(subject->model, index, &tensor);

		if (status != SLUICE_OK)
			return status;
		if (strcmp(tensor.name, own->name) != 0 || tensor.offset != own->offset || tensor.rows != own->rows ||
		    tensor.columns != own->columns)
			return sluice_fail(SLUICE_INTERNAL, "tensor %zu is %s at %zu, expected %s at %zu", index,
					   tensor.name, tensor.offset, own->name, own->offset);
	}
	for (size_t index = 0; index < count; index++)
		block[index] = (float)parameters[index];
	return subject->options.two_biases ? halves_set(subject, block) : SLUICE_OK;
}

sluice_status sluice__subject_create(const sluice_description *description, const struct sluice__network *network,
				     const double *parameters, const struct sluice__subject_options *options,
				     struct sluice__subject *out)
{
	struct sluice__subject subject = {.network = network, .options = *options};
	sluice_context_options context = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_plan_options plan = SLUICE_PLAN_OPTIONS_INIT;
	sluice_status status;

	context.isa = options->isa;
	context.threads = options->threads;
	status = sluice_context_create(&context, &subject.context);
	if (status != SLUICE_OK)
		goto fail;
	status = sluice_model_create(subject.context, description, &subject.model);
	if (status != SLUICE_OK)
		goto fail;
	status = images_check(&subject);
	if (status != SLUICE_OK)
		goto fail;
	status = parameters_set(&subject, parameters);
	if (status != SLUICE_OK)
		goto fail;
	plan.steps = options->steps;
	plan.batch = options->batch;
	plan.training = options->training;
	plan.layout = options->layout;
	plan.weights = options->weights;
	plan.data = options->data;
	plan.tape = options->tape;
	plan.tape_mode = options->tape_mode;
	plan.winograd = options->winograd;
	plan.gate_order = options->gate_order;
	status = sluice_plan_create(subject.model, &plan, &subject.plan);
	if (status != SLUICE_OK)
		goto fail;
	status = memory_create(&subject);
	if (status != SLUICE_OK)
		goto fail;
	*out = subject;
	return SLUICE_OK;
fail:
	sluice__subject_destroy(&subject);
	return status;
}

void sluice__subject_destroy(struct sluice__subject *subject)
{
	sluice_plan_destroy(subject->plan);
	sluice_model_destroy(subject->model);
	sluice_context_destroy(subject->context);
	free(subject->block);
	memset(subject, 0, sizeof(*subject));
}
