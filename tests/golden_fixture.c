/* golden_fixture.c exists so that tests of golden numbers say what is compared, not how memory is made. */
#include "golden_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network_fixture.h"
#include "oracle.h"

/* ---------------------------------------------------------------------------------------------------- files ----- */

struct golden_file golden_open(const char *name, enum golden_engine engine)
{
	struct golden_file file = {.name = name, .engine = engine};
	char path[1024];

	snprintf(path, sizeof(path), "%s/golden/%s.safetensors", SLUICE_TEST_SOURCES, name);
	assert_ok(sluice_context_create(NULL, &file.context));
	assert_ok(sluice_tensors_open(file.context, path, &file.tensors));
	return file;
}

void golden_close(struct golden_file *file)
{
	for (size_t k = 0; k < file->lent_count; k++)
		free(file->lent[k]);
	sluice_tensors_destroy(file->tensors);
	sluice_context_destroy(file->context);
}

const void *golden_raw(const struct golden_file *file, const char *tensor, sluice_element element, size_t count)
{
	sluice_array array = SLUICE_ARRAY_INIT;

	assert_ok(sluice_tensors_find(file->tensors, tensor, &array));
	if (array.element != element || sluice_array_count(&array) != count)
		fail_msg("%s: %s holds %zu numbers of type %s, but %zu of type %s are expected", file->name, tensor,
			 sluice_array_count(&array), sluice_element_name(array.element), count,
			 sluice_element_name(element));
	return array.data;
}

const double *golden_numbers(struct golden_file *file, const char *tensor, size_t count)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	double *numbers = calloc(count, sizeof(double));
	const void *raw;

	assert_ok(sluice_tensors_find(file->tensors, tensor, &array));
	raw = golden_raw(file, tensor, array.element, count);
	assert_non_null(numbers);
	for (size_t k = 0; k < count; k++)
		numbers[k] = array.element == SLUICE_ELEMENT_F64 ? ((const double *)raw)[k] : ((const float *)raw)[k];
	assert_true(file->lent_count < sizeof(file->lent) / sizeof(file->lent[0]));
	file->lent[file->lent_count++] = numbers;
	return numbers;
}

void golden_compare(struct golden_file *file, const char *tensor, const double *values, size_t count, double tolerance)
{
	const double *golden = golden_numbers(file, tensor, count);
	double largest = 0, worst = 0;

	for (size_t k = 0; k < count; k++) {
		double error = fabs(values[k] - golden[k]);

		largest = fmax(largest, fabs(golden[k]));
		worst = error <= worst ? worst : error; /* keeps a NaN */
	}
	assert_true(largest > 1e-3);
	if (!(worst <= tolerance * largest))
		fail_msg("%s, %s: %s is off by %g of %g", file->name, golden_engine_names[file->engine], tensor, worst,
			 largest);
}

/* --------------------------------------------------------------------------------------------------- models ----- */

struct golden_model golden_model_create(size_t inputs, size_t layers, const sluice_layer *layer)
{
	struct golden_model made = {.inputs = inputs, .layers = layers, .hidden = layer->hidden};
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_layer copies[4];

	assert_true(layers <= sizeof(copies) / sizeof(copies[0]));
	for (size_t k = 0; k < layers; k++)
		copies[k] = *layer;
	made.directions = layer->direction == SLUICE_BIDIRECTIONAL ? 2 : 1;
	made.width = layer->projection ? layer->projection : layer->hidden;
	description.inputs = inputs;
	description.layer_count = layers;
	description.layers = copies;
	assert_ok(sluice_context_create(NULL, &made.context));
	assert_ok(sluice_model_create(made.context, &description, &made.model));
	return made;
}

void golden_model_destroy(struct golden_model *model)
{
	sluice_model_destroy(model->model);
	sluice_context_destroy(model->context);
}

const double *golden_parameter(const struct golden_model *model, const double *block, const char *name, size_t count)
{
	for (size_t k = 0; k < sluice_model_parameter_count(model->model); k++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;

		assert_ok(sluice_model_parameter(model->model, k, &parameter));
		if (strcmp(parameter.name, name) != 0)
			continue;
		assert_int_equal(parameter.rows * parameter.columns, count);
		return block + parameter.offset;
	}
	fail_msg("the model has no parameter \"%s\"", name);
	return NULL;
}

/* ----------------------------------------------------------------------------------------------------- runs ----- */

/* Copies between the plan's type and double. */
static void *of_doubles(sluice_dtype type, const double *from, size_t count)
{
	void *made;

	if (!from)
		return NULL;
	made = aligned_zeros(count * sizeof(double));
	for (size_t k = 0; k < count; k++) {
		if (type == SLUICE_F64)
			((double *)made)[k] = from[k];
		else
			((float *)made)[k] = (float)from[k];
	}
	return made;
}

static double *to_doubles(sluice_dtype type, void *from, size_t count)
{
	double *made = aligned_zeros(count * sizeof(double));

	for (size_t k = 0; k < count; k++)
		made[k] = type == SLUICE_F64 ? ((double *)from)[k] : ((float *)from)[k];
	free(from);
	return made;
}

struct job {
	const struct golden_model *model;
	sluice_plan *plan;
	sluice_dtype type;
	size_t batch;
};

static void *state_of(const struct job *job, const double *h, const double *c)
{
	const struct golden_model *model = job->model;
	void *state = aligned_zeros(sluice_plan_state_size(job->plan, job->batch));

	for (size_t k = 0; k < model->layers * model->directions; k++) {
		size_t h_count = job->batch * model->width, c_count = job->batch * model->hidden;
		void *h_part = of_doubles(job->type, h ? h + k * h_count : NULL, h_count);
		void *c_part = of_doubles(job->type, c ? c + k * c_count : NULL, c_count);

		assert_ok(sluice_state_write(job->plan, state, job->batch, k / model->directions, k % model->directions,
					     h_part, c_part));
		free(h_part);
		free(c_part);
	}
	return state;
}

/* Takes a state apart and frees it. */
static void state_split(const struct job *job, void *state, double **h, double **c)
{
	const struct golden_model *model = job->model;
	size_t cells = model->layers * model->directions, element = job->type == SLUICE_F64 ? 8 : 4;
	size_t h_count = job->batch * model->width, c_count = job->batch * model->hidden;
	char *hs = aligned_zeros(cells * h_count * element), *cs = aligned_zeros(cells * c_count * element);

	for (size_t k = 0; k < cells; k++)
		assert_ok(sluice_state_read(job->plan, state, job->batch, k / model->directions, k % model->directions,
					    hs + k * h_count * element, cs + k * c_count * element));
	*h = to_doubles(job->type, hs, cells * h_count);
	*c = to_doubles(job->type, cs, cells * c_count);
	free(state);
}

static void backward(const struct job *job, const sluice_run *call, struct golden_run *run)
{
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	void *dy = of_doubles(job->type, run->dy, run->y_count), *dfinal = state_of(job, run->dh, run->dc);

	gradients.dy = dy;
	gradients.dfinal = dfinal;
	gradients.dx = aligned_zeros(run->x_count * sizeof(double));
	gradients.dparameters = aligned_zeros(run->parameter_count * sizeof(double));
	gradients.dinitial = aligned_zeros(sluice_plan_state_size(job->plan, job->batch));
	assert_ok(sluice_backward(job->plan, call, &gradients));
	run->dx = to_doubles(job->type, gradients.dx, run->x_count);
	run->dparameters = to_doubles(job->type, gradients.dparameters, run->parameter_count);
	state_split(job, gradients.dinitial, &run->dh0, &run->dc0);
	free(dy);
	free(dfinal);
}

/* Flags [T,N] in the layout of a plan. */
static uint8_t *flags_of(const struct golden_run *run, sluice_layout layout, const uint8_t *from)
{
	uint8_t *to = from ? aligned_zeros(run->steps * run->batch) : NULL;

	for (size_t t = 0; from && t < run->steps; t++)
		for (size_t n = 0; n < run->batch; n++)
			to[layout == SLUICE_BATCH_MAJOR ? n * run->steps + t : t * run->batch + n] =
				from[t * run->batch + n];
	return to;
}

static void library_compute(const struct golden_model *model, sluice_dtype data, sluice_layout layout,
			    struct golden_run *run)
{
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	sluice_run call = SLUICE_RUN_INIT;
	struct job job = {model, NULL, data, run->batch};
	size_t cells = model->layers * model->directions;
	void *x, *y, *c = NULL, *mask, *initial = NULL, *final, *workspace, *tape = NULL;
	uint8_t *resets, *holds;

	options.steps = run->steps;
	options.batch = run->batch;
	options.training = run->dy != NULL;
	options.layout = layout;
	options.data = data;
	assert_ok(sluice_plan_create(model->model, &options, &job.plan));
	call.x = x = of_doubles(data, run->x, run->x_count);
	call.y = y = aligned_zeros(run->y_count * sizeof(double));
	if (cells == 1)
		call.c = c = aligned_zeros(run->steps * run->c_count * sizeof(double));
	call.mask = mask = of_doubles(data, run->mask, cells * model->width);
	call.mask_shape = SLUICE_MASK_UNIT;
	if (run->h0 || run->c0)
		call.initial_state = initial = state_of(&job, run->h0, run->c0);
	call.lengths = run->lengths;
	call.batch_sizes = run->batch_sizes;
	call.padding = run->padding;
	call.packed = run->packed;
	call.resets = resets = flags_of(run, layout, run->resets);
	call.holds = holds = flags_of(run, layout, run->holds);
	call.final_state = final = aligned_zeros(sluice_plan_state_size(job.plan, run->batch));
	call.workspace = workspace = aligned_zeros(sluice_plan_workspace_size(job.plan));
	if (run->dy)
		call.tape = tape = aligned_zeros(sluice_plan_tape_size(job.plan, run->steps));
	assert_ok(sluice_forward(job.plan, &call));
	if (run->dy)
		backward(&job, &call, run);
	run->y = to_doubles(data, y, run->y_count);
	if (c)
		run->c = to_doubles(data, c, run->steps * run->c_count);
	state_split(&job, final, &run->hn, &run->cn);
	sluice_plan_destroy(job.plan);
	free(x);
	free(mask);
	free(resets);
	free(holds);
	free(initial);
	free(workspace);
	free(tape);
}

/* ------------------------------------------------------------------------------------------------- oracle ------ */

/* Exchanges the two outer dimensions of [first,second,width]. */
static double *exchanged(const double *from, size_t first, size_t second, size_t width)
{
	double *to = aligned_zeros(first * second * width * sizeof(double));

	for (size_t a = 0; a < first; a++)
		for (size_t b = 0; b < second; b++)
			memcpy(to + (b * first + a) * width, from + (a * second + b) * width, width * sizeof(double));
	return to;
}

/* A copy in the layout wanted, of an array [T,N,.] or, if batch_major, [N,T,.]. */
static double *relaid(const struct golden_run *run, int from_batch_major, int exchange, const double *from,
		      size_t count)
{
	size_t width = count / (run->steps * run->batch);

	if (!exchange)
		return exchanged(from, 1, count / width, width);
	return exchanged(from, from_batch_major ? run->batch : run->steps, from_batch_major ? run->steps : run->batch,
			 width);
}

static double *copied(const double *from, size_t count)
{
	return exchanged(from, 1, 1, count);
}

static void oracle_results(const struct sluice__network *network, const struct sluice__oracle_run_f64 *call,
			   const struct sluice__oracle_trace_f64 *trace, int batch_major, struct golden_run *run)
{
	struct sluice__oracle_gradients_f64 gradients;

	run->y = relaid(run, 0, batch_major, trace->y, run->y_count);
	run->hn = copied(trace->hn, run->h_count);
	run->cn = copied(trace->cn, run->c_count);
	if (network->cell_count == 1)
		run->c = copied(trace->c[0], run->steps * run->c_count);
	if (!run->dy)
		return;
	assert_ok(sluice__oracle_backward_f64(network, call, trace, &gradients));
	run->dx = relaid(run, 0, batch_major, gradients.dx, run->x_count);
	run->dh0 = copied(gradients.dh0, run->h_count);
	run->dc0 = copied(gradients.dc0, run->c_count);
	run->dparameters = copied(gradients.dparameters, run->parameter_count);
	sluice__oracle_gradients_destroy_f64(&gradients);
}

static void oracle_compute(const struct golden_model *model, sluice_layout layout, struct golden_run *run)
{
	const float *block = sluice_model_parameters(model->model, NULL);
	int batch_major = layout == SLUICE_BATCH_MAJOR;
	double *parameters = aligned_zeros(run->parameter_count * sizeof(double));
	double *x = relaid(run, 1, batch_major, run->x, run->x_count), *dy = NULL;
	struct sluice__oracle_run_f64 call = {.steps = run->steps, .batch = run->batch};
	struct sluice__oracle_trace_f64 trace;
	struct sluice__network network;

	for (size_t k = 0; k < run->parameter_count; k++)
		parameters[k] = block[k];
	if (run->dy)
		dy = relaid(run, 1, batch_major, run->dy, run->y_count);
	call.parameters = parameters;
	call.x = x;
	call.h0 = run->h0;
	call.c0 = run->c0;
	call.mask = run->mask;
	call.mask_shape = SLUICE_MASK_UNIT;
	call.lengths = run->lengths;
	call.padding = run->padding;
	call.resets = run->resets;
	call.holds = run->holds;
	call.dy = dy;
	call.dh = run->dh;
	call.dc = run->dc;
	assert_ok(sluice__network_of_model(model->model, &network));
	assert_ok(sluice__oracle_forward_f64(&network, &call, &trace));
	oracle_results(&network, &call, &trace, batch_major, run);
	sluice__oracle_trace_destroy_f64(&trace);
	sluice__network_destroy(&network);
	free(parameters);
	free(x);
	free(dy);
}

/* ----------------------------------------------------------------------------------------------------- both ----- */

const char *const golden_engine_names[GOLDEN_ENGINES] = {"the oracle", "a plan in f64", "a plan in f32"};

void golden_compute(const struct golden_model *model, enum golden_engine engine, sluice_layout layout,
		    struct golden_run *run)
{
	size_t cells = model->layers * model->directions, rows = run->steps * run->batch;

	if (run->packed) {
		rows = 0;
		for (size_t n = 0; run->lengths && n < run->batch; n++)
			rows += run->lengths[n];
		for (size_t t = 0; run->batch_sizes && t < run->steps; t++)
			rows += run->batch_sizes[t];
	}
	run->x_count = rows * model->inputs;
	run->y_count = rows * sluice_model_outputs(model->model);
	run->h_count = cells * run->batch * model->width;
	run->c_count = cells * run->batch * model->hidden;
	sluice_model_parameters(model->model, &run->parameter_count);
	if (engine == GOLDEN_ORACLE)
		oracle_compute(model, layout, run);
	else
		library_compute(model, engine == GOLDEN_F64 ? SLUICE_F64 : SLUICE_F32, layout, run);
}

void golden_run_free(struct golden_run *run)
{
	free(run->y);
	free(run->c);
	free(run->hn);
	free(run->cn);
	free(run->dx);
	free(run->dh0);
	free(run->dc0);
	free(run->dparameters);
}
