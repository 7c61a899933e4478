/*
 * subject.c: calls the library through its public functions alone, translating between its layouts and types and the
 * oracle's.
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

/* The type of states and of parameters' gradients. */
static sluice_dtype state_type(const struct sluice__subject *subject)
{
	return subject->options.data == SLUICE_F64 ? SLUICE_F64 : SLUICE_F32;
}

/* Cuts a block into the subject's arrays and gives its size; with block NULL the size alone. */
static size_t lay_out(struct sluice__subject *subject, char *block)
{
	const struct sluice__network *network = subject->network;
	const struct sluice__subject_options *options = &subject->options;
	struct sluice__subject_result *result = &subject->result;
	size_t rows = options->steps * options->batch, total = 0;
	size_t x = rows * network->inputs, y = rows * network->outputs;
	size_t h = rows * network->h_width, c = rows * network->c_width;
	size_t hn = options->batch * network->h_width, cn = options->batch * network->c_width;
	size_t element = sluice__storage_bytes(options->data), number = sluice__storage_bytes(state_type(subject));
	size_t state = sluice_plan_state_size(subject->plan, options->batch);
	size_t tape = sluice_plan_tape_size(subject->plan, options->steps);

	result->y = take(block, &total, y * sizeof(double));
	result->hn = take(block, &total, hn * sizeof(double));
	result->cn = take(block, &total, cn * sizeof(double));
	result->h = take(block, &total, h * sizeof(double));
	result->c = take(block, &total, c * sizeof(double));
	result->gates = take(block, &total, 4 * c * sizeof(double));
	result->dx = take(block, &total, x * sizeof(double));
	result->dparameters = take(block, &total, network->parameter_count * sizeof(double));
	result->dh0 = take(block, &total, hn * sizeof(double));
	result->dc0 = take(block, &total, cn * sizeof(double));
	subject->x = take(block, &total, x * element);
	subject->y = take(block, &total, y * element);
	subject->dx = take(block, &total, x * element);
	subject->mask = take(block, &total, h * element);
	subject->h = take(block, &total, h * element);
	subject->c = take(block, &total, c * element);
	subject->gates = take(block, &total, 4 * c * element);
	subject->dparameters = take(block, &total, network->parameter_count * number);
	subject->cells = take(block, &total, (hn + cn) * number);
	subject->x_columns = take(block, &total, network->inputs * sizeof(size_t));
	subject->gate_columns = take(block, &total, 4 * network->c_width * sizeof(size_t));
	subject->initial = take(block, &total, state);
	subject->final = take(block, &total, state);
	subject->workspace = take(block, &total, sluice_plan_workspace_size(subject->plan));
	subject->tape = tape ? take(block, &total, tape) : NULL;
	return total;
}

/* Where the plan's gate order has the gates i f g o. */
static void gate_places(const char *order, size_t places[4])
{
	for (size_t gate = 0; gate < 4; gate++)
		places[gate] = order ? (size_t)(strchr(order, "ifgo"[gate]) - order) : gate;
}

/* Blocks of four gates in the plan's order: those of all cells one after the other, and x where it holds gates. */
static void columns_fill(struct sluice__subject *subject)
{
	const struct sluice__network *network = subject->network;
	size_t places[4];

	gate_places(subject->options.gate_order, places);
	for (size_t column = 0; column < network->inputs; column++)
		subject->x_columns[column] = column;
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		int holds_gates = cell->layer == 0 && cell->input == SLUICE_INPUT_GATES;
		size_t first = cell->direction * 4 * cell->hidden;

		for (size_t row = 0; row < 4 * cell->hidden; row++) {
			size_t place = places[row / cell->hidden] * cell->hidden + row % cell->hidden;

			subject->gate_columns[4 * cell->c_state + row] = 4 * cell->c_state + place;
			if (holds_gates)
				subject->x_columns[first + row] = first + place;
		}
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

/* Gives each cell's weights once more, from a copy of the block that is zeroed meanwhile. Half of each bias is the
 * recurrent one: halves are exact and so is their sum. */
static sluice_status halves_set(const struct sluice__subject *subject, float *block)
{
	const struct sluice__network *network = subject->network;
	size_t bytes = network->parameter_count * sizeof(float);
	float *copy = malloc(bytes);
	sluice_status status = SLUICE_OK;

	if (!copy)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu parameters", network->parameter_count);
	memcpy(copy, block, bytes);
	memset(block, 0, (network->readout ? network->readout_weight : network->parameter_count) * sizeof(float));
	for (size_t index = 0; index < network->cell_count && status == SLUICE_OK; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		sluice_weights weights = SLUICE_WEIGHTS_INIT;

		for (size_t row = 0; row < 4 * cell->hidden && cell->bias != SLUICE__NONE; row++)
			copy[cell->bias + row] /= 2;
		weights.input = tensor_at(copy, cell->weight_ih);
		weights.recurrent = copy + cell->weight_hh;
		weights.bias = weights.recurrent_bias = tensor_at(copy, cell->bias);
		weights.peephole = tensor_at(copy, cell->peephole);
		weights.projection = tensor_at(copy, cell->weight_hr);
		for (size_t place = 0; place < SLUICE__ACTIVATIONS; place++)
			if (cell->activations[place].kind == SLUICE_ACTIVATION_PRELU)
				weights.prelu[place] = copy + cell->prelu + place * cell->hidden;
		status = sluice_model_set_weights(subject->model, cell->layer, cell->direction, &weights);
	}
	free(copy);
	return status;
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

/* Where the plan has row (t, n) of an array with these steps and rows. */
static size_t row_place(const struct sluice__subject *subject, size_t steps, size_t batch, size_t row)
{
	if (subject->options.layout == SLUICE_BATCH_MAJOR)
		return row % batch * steps + row / batch;
	return row;
}

/* Copies [steps,batch,width] from time-major doubles to the plan's layout and type; columns NULL leaves them. */
static void give(const struct sluice__subject *subject, size_t steps, size_t batch, size_t width, const size_t *columns,
		 const double *from, void *to)
{
	for (size_t row = 0; row < steps * batch; row++) {
		size_t place = row_place(subject, steps, batch, row);

		for (size_t k = 0; k < width; k++)
			sluice__storage_put(subject->options.data, from[row * width + k], to,
					    place * width + (columns ? columns[k] : k));
	}
}

/* And back. */
static void fetch(const struct sluice__subject *subject, size_t steps, size_t batch, size_t width,
		  const size_t *columns, const void *from, double *to)
{
	for (size_t row = 0; row < steps * batch; row++) {
		size_t place = row_place(subject, steps, batch, row);

		for (size_t k = 0; k < width; k++)
			to[row * width + k] = sluice__storage_get(subject->options.data, from,
								  place * width + (columns ? columns[k] : k));
	}
}

/* count numbers as the type of states, from element `first` of the subject's scratch; NULL are zeros. */
static const void *typed(struct sluice__subject *subject, const double *values, size_t first, size_t count)
{
	sluice_dtype type = state_type(subject);

	for (size_t k = 0; k < count; k++)
		sluice__storage_put(type, values ? values[k] : 0, subject->cells, first + k);
	return (char *)subject->cells + first * sluice__storage_bytes(type);
}

/* h and c of all cells into a state; NULL arrays are zeros. */
static sluice_status state_write(struct sluice__subject *subject, size_t batch, const double *h, const double *c,
				 void *state)
{
	memset(state, 0, sluice_plan_state_size(subject->plan, batch));
	for (size_t index = 0; index < subject->network->cell_count; index++) {
		const struct sluice__cell *cell = &subject->network->cells[index];
		size_t h_count = batch * cell->out, c_count = batch * cell->hidden;
		const void *own_h = typed(subject, h ? h + cell->h_state * batch : NULL, 0, h_count);
		const void *own_c = typed(subject, c ? c + cell->c_state * batch : NULL, h_count, c_count);
		sluice_status status =
			sluice_state_write(subject->plan, state, batch, cell->layer, cell->direction, own_h, own_c);

		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static sluice_status state_read(struct sluice__subject *subject, size_t batch, const void *state, double *h, double *c)
{
	sluice_dtype type = state_type(subject);

	for (size_t index = 0; index < subject->network->cell_count; index++) {
		const struct sluice__cell *cell = &subject->network->cells[index];
		size_t h_count = batch * cell->out, c_count = batch * cell->hidden;
		char *own_h = subject->cells, *own_c = own_h + h_count * sluice__storage_bytes(type);
		sluice_status status =
			sluice_state_read(subject->plan, state, batch, cell->layer, cell->direction, own_h, own_c);

		if (status != SLUICE_OK)
			return status;
		for (size_t k = 0; k < h_count; k++)
			h[cell->h_state * batch + k] = sluice__storage_get(type, own_h, k);
		for (size_t k = 0; k < c_count; k++)
			c[cell->c_state * batch + k] = sluice__storage_get(type, own_c, k);
	}
	return SLUICE_OK;
}

/* The mask of `steps` steps from step `first`; one that has steps is laid out as x is. */
static void mask_give(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run, size_t first,
		      size_t steps)
{
	size_t S = subject->network->h_width;

	if (!run->mask)
		return;
	if (run->mask_shape == SLUICE_MASK_STEP)
		give(subject, steps, run->batch, S, NULL, run->mask + first * run->batch * S, subject->mask);
	else
		give(subject, 1, run->mask_shape == SLUICE_MASK_UNIT ? 1 : run->batch, S, NULL, run->mask,
		     subject->mask);
}

/* What all kinds of run have in common. */
static sluice_run run_of(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run)
{
	sluice_run call = SLUICE_RUN_INIT;

	call.batch = run->batch;
	call.x = subject->x;
	call.y = subject->y;
	call.initial_state = run->h0 || run->c0 ? subject->initial : NULL;
	call.final_state = subject->final;
	call.workspace = subject->workspace;
	call.training = run->training;
	call.seed = run->seed;
	call.step_offset = run->step_offset;
	call.sequence_ids = run->sequence_ids;
	call.mask = run->mask ? subject->mask : NULL;
	call.mask_shape = run->mask_shape;
	call.last_only = run->last_only;
	return call;
}

/* Steps of y and dy. */
static size_t steps_out(const struct sluice__oracle_run_f64 *run)
{
	return run->last_only ? 1 : run->steps;
}

static sluice_status backward(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run,
			      const sluice_run *call)
{
	const struct sluice__network *network = subject->network;
	struct sluice__subject_result *result = &subject->result;
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	sluice_status status = SLUICE_OK;

	/* The final state is read by now; its memory takes its gradient, and the forward pass's y takes dy. */
	if (run->dh || run->dc)
		status = state_write(subject, run->batch, run->dh, run->dc, subject->final);
	if (status != SLUICE_OK)
		return status;
	if (run->dy)
		give(subject, steps_out(run), run->batch, network->outputs, NULL, run->dy, subject->y);
	gradients.dy = run->dy ? subject->y : NULL;
	gradients.dfinal = run->dh || run->dc ? subject->final : NULL;
	gradients.dx = subject->dx;
	gradients.dparameters = subject->dparameters;
	gradients.dinitial = subject->final;
	status = sluice_backward(subject->plan, call, &gradients);
	if (status != SLUICE_OK)
		return status;
	fetch(subject, run->steps, run->batch, network->inputs, subject->x_columns, subject->dx, result->dx);
	for (size_t k = 0; k < network->parameter_count; k++)
		result->dparameters[k] = sluice__storage_get(state_type(subject), subject->dparameters, k);
	return state_read(subject, run->batch, subject->final, result->dh0, result->dc0);
}

sluice_status sluice__subject_run(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run,
				  int by_step, int forward_only)
{
	const struct sluice__network *network = subject->network;
	struct sluice__subject_result *result = &subject->result;
	sluice_run call = run_of(subject, run);
	sluice_status status = state_write(subject, run->batch, run->h0, run->c0, subject->initial);

	if (status != SLUICE_OK)
		return status;
	give(subject, run->steps, run->batch, network->inputs, subject->x_columns, run->x, subject->x);
	mask_give(subject, run, 0, run->steps);
	call.steps = run->steps;
	call.tape = forward_only ? NULL : subject->tape;
	call.h = subject->h;
	call.c = subject->c;
	call.gates = subject->gates;
	status = by_step ? sluice_step(subject->plan, &call) : sluice_forward(subject->plan, &call);
	if (status != SLUICE_OK)
		return status;
	fetch(subject, steps_out(run), run->batch, network->outputs, NULL, subject->y, result->y);
	fetch(subject, run->steps, run->batch, network->h_width, NULL, subject->h, result->h);
	fetch(subject, run->steps, run->batch, network->c_width, NULL, subject->c, result->c);
	fetch(subject, run->steps, run->batch, 4 * network->c_width, subject->gate_columns, subject->gates,
	      result->gates);
	status = state_read(subject, run->batch, subject->final, result->hn, result->cn);
	if (status != SLUICE_OK || forward_only)
		return status;
	return backward(subject, run, &call);
}

sluice_status sluice__subject_stream(struct sluice__subject *subject, const struct sluice__oracle_run_f64 *run)
{
	const struct sluice__network *network = subject->network;
	size_t x = run->batch * network->inputs, y = run->batch * network->outputs;
	sluice_run call = run_of(subject, run);
	sluice_status status = state_write(subject, run->batch, run->h0, run->c0, subject->initial);

	if (status != SLUICE_OK)
		return status;
	for (size_t t = 0; t < run->steps && status == SLUICE_OK; t++) {
		give(subject, 1, run->batch, network->inputs, subject->x_columns, run->x + t * x, subject->x);
		call.initial_state = t ? subject->final : call.initial_state;
		call.step_offset = run->step_offset + t;
		mask_give(subject, run, t, 1);
		status = sluice_step(subject->plan, &call);
		if (status == SLUICE_OK)
			fetch(subject, 1, run->batch, network->outputs, NULL, subject->y,
			      subject->result.y + (run->last_only ? 0 : t * y));
	}
	if (status != SLUICE_OK)
		return status;
	return state_read(subject, run->batch, subject->final, subject->result.hn, subject->result.cn);
}
