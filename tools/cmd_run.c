/* cmd_run.c: `sluice run`, a model on an array or a text, whole sequences or step by step with the same bits. */
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "sluice/io.h"
#include "sluice/ops.h"
#include "tool.h"
#include "train/characters.h"
#include "train/tasks.h"

struct values {
	const char *input, *text, *output, *isa;
	int step, threads;
};

#define AT(member) offsetof(struct values, member)

static const struct args_option options[] = {
	{"input", ARGS_TEXT, AT(input), "X.npy", 0, 0, "read x from there"},
	{"text", ARGS_TEXT, AT(text), "FILE", 0, 0, "character models: read this text instead"},
	{"output", ARGS_TEXT, AT(output), "Y.npy", 0, 0, "write y there (needed)"},
	{"step", ARGS_FLAG, AT(step), NULL, 0, 0, "feed one step per call"},
	{"threads", ARGS_INT, AT(threads), "N", 1, 1024, "default 1; the results do not depend on it"},
	{"isa", ARGS_TEXT, AT(isa), "LEVEL", 0, 0, "highest instruction-set level to use"},
};

static const struct args_command command = {
	"run",
	"MODEL",
	"Runs a model from the zero state. x is [T,I] or [T,N,I], of images [T,Y,X,I] or [T,N,Y,X,I]; for a character "
	"model also symbol numbers [T] or [T,N].",
	options,
	sizeof(options) / sizeof(options[0]),
	1,
	1,
};

/* The longest call on a stack that only runs forward; longer sequences carry their state from call to call. */
#define CHUNK 256

/* The last dimensions of an array: the width, of images rows, columns and channels. */
struct row {
	size_t rank, shape[3];
	size_t width; /* all of its numbers */
};

struct job {
	const struct values *values;
	sluice_context *context;
	struct sluice__characters characters; /* of a plain model only `model` is set */
	const char *source;                   /* what the data were read from */
	struct row input, output;
	size_t steps, batch;
	int batched; /* the input had a dimension N, so the output gets one */
	float *x, *y;
	size_t x_bytes, y_bytes;
	uint32_t *index; /* [T,N] numbers of symbols, if the input is such */
	size_t index_bytes;
	sluice_plan *plan;
	void *state, *workspace;
	size_t state_bytes, workspace_bytes;
};

static sluice_status allocate(struct job *job, size_t count, size_t bytes, void *block, size_t *total)
{
	if (count > SIZE_MAX / 2 / bytes)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "%s: %zu elements do not fit into memory", job->source,
				   count);
	void *memory = sluice_allocate(job->context, count * bytes);
	memcpy(block, &memory, sizeof(memory));
	*total = count * bytes;
	return memory ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
}

/* ----------------------------------------------------------------------------------------------- the input ---- */

/* What a row of x or y with so many numbers is; image is that of sluice_model_image. */
static sluice_status row_of(const sluice_model *model, size_t image, size_t width, struct row *out)
{
	size_t height = 0, columns = 0;
	sluice_status status = sluice_model_image(model, image, &height, &columns);
	*out = (struct row){.rank = 1, .shape = {width}, .width = width};
	if (height)
		*out = (struct row){3, {height, columns, width / height / columns}, width};
	return status;
}

static sluice_status load_model(struct job *job, const char *path)
{
	sluice_tensors *tensors = NULL;
	sluice_status status = sluice_tensors_open(job->context, path, &tensors);
	if (status == SLUICE_OK && sluice__characters_present(tensors))
		status = sluice__characters_get(job->context, tensors, &job->characters);
	else if (status == SLUICE_OK)
		status = sluice_tensors_get_model(job->context, tensors, &job->characters.model);
	sluice_tensors_destroy(tensors);
	if (status != SLUICE_OK)
		return status;
	const sluice_model *model = job->characters.model;
	const sluice_description *description = sluice_model_description(model);
	const size_t rows = description->image_height ? description->image_height : 1;
	const size_t columns = description->image_width ? description->image_width : 1;
	status = row_of(model, description->layer_count, description->inputs * rows * columns, &job->input);
	if (status == SLUICE_OK)
		status = row_of(model, description->layer_count - 1, sluice_model_outputs(model), &job->output);
	return status;
}

static sluice_status set_shape(struct job *job, size_t steps, size_t batch)
{
	if (steps == 0 || batch == 0)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "%s holds no step (T is %zu, N is %zu)", job->source, steps,
				   batch);
	job->steps = steps;
	job->batch = batch;
	if (batch > SIZE_MAX / 2 / sizeof(float) / job->input.width / steps)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "%s: its size overflows", job->source);
	return allocate(job, steps * batch * job->input.width, sizeof(float), &job->x, &job->x_bytes);
}

static sluice_status refuse_shape(const struct job *job)
{
	const size_t *shape = job->input.shape;
	if (job->input.rank == 1)
		return sluice_fail(
			SLUICE_INVALID_ARGUMENT,
			"%s: an array of the shape [T,%zu] or [T,N,%zu] is expected, as the model has %zu inputs",
			job->source, shape[0], shape[0], shape[0]);
	return sluice_fail(
		SLUICE_INVALID_ARGUMENT,
		"%s: an array of the shape [T,%zu,%zu,%zu] or [T,N,%zu,%zu,%zu] is expected, as the model has "
		"images of %zu by %zu with %zu inputs",
		job->source, shape[0], shape[1], shape[2], shape[0], shape[1], shape[2], shape[0], shape[1], shape[2]);
}

static sluice_status read_numbers(struct job *job, sluice_array *array)
{
	const struct row *row = &job->input;
	const size_t before = array->rank - row->rank, bytes = row->rank * sizeof(row->shape[0]);
	if (array->rank <= row->rank || before > 2 || memcmp(array->shape + before, row->shape, bytes) != 0)
		return refuse_shape(job);
	job->batched = before == 2;
	sluice_status status = sluice_array_convert_f32(job->context, array);
	if (status == SLUICE_OK)
		status = set_shape(job, array->shape[0], job->batched ? array->shape[1] : 1);
	if (status == SLUICE_OK)
		memcpy(job->x, array->data, job->x_bytes);
	return status;
}

/* Element k of an integer array. */
static int64_t integer(const sluice_array *array, size_t k)
{
	if (array->element == SLUICE_ELEMENT_U8)
		return ((const uint8_t *)array->data)[k];
	if (array->element == SLUICE_ELEMENT_I32)
		return ((const int32_t *)array->data)[k];
	return ((const int64_t *)array->data)[k];
}

static sluice_status read_symbols(struct job *job, const sluice_array *array)
{
	const size_t symbols = job->characters.symbol_count;
	if (symbols == 0 || array->rank < 1 || array->rank > 2)
		return sluice_fail(
			SLUICE_INVALID_ARGUMENT,
			"%s holds whole numbers; they are understood as symbols [T] or [T,N] of a character model, "
			"other models take floating-point numbers",
			job->source);
	job->batched = array->rank == 2;
	sluice_status status = set_shape(job, array->shape[0], job->batched ? array->shape[1] : 1);
	if (status == SLUICE_OK)
		status = allocate(job, job->steps * job->batch, sizeof(uint32_t), &job->index, &job->index_bytes);
	for (size_t k = 0; status == SLUICE_OK && k < job->steps * job->batch; k++) {
		int64_t number = integer(array, k);
		if (number < 0 || (uint64_t)number >= symbols)
			return sluice_fail(SLUICE_INVALID_ARGUMENT,
					   "%s: element %zu is %lld; the model has the symbols 0 to %zu", job->source,
					   k, (long long)number, symbols - 1);
		job->index[k] = (uint32_t)number;
	}
	return status;
}

static sluice_status read_array(struct job *job)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	sluice_status status = sluice_npy_read(job->context, job->source, &array);
	if (status != SLUICE_OK)
		return status;
	int real = array.element == SLUICE_ELEMENT_F32 || array.element == SLUICE_ELEMENT_F64;
	status = real ? read_numbers(job, &array) : read_symbols(job, &array);
	sluice_array_release(job->context, &array);
	return status;
}

static sluice_status read_text(struct job *job)
{
	struct sluice__text text;
	if (job->characters.symbol_count == 0)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "--text needs a character model");
	sluice_status status = sluice__text_read(job->context, &job->source, 1, 0, &text);
	if (status == SLUICE_OK)
		status = set_shape(job, text.length, 1);
	if (status == SLUICE_OK)
		status = allocate(job, text.length, sizeof(uint32_t), &job->index, &job->index_bytes);
	/* From the numbers of the text's own symbols back to bytes, in place, and on to the model's numbers. */
	for (size_t k = 0; k < text.length && status == SLUICE_OK; k++)
		text.index[k] = text.symbols[text.index[k]];
	if (status == SLUICE_OK)
		status = sluice__characters_encode(&job->characters, job->source, text.index, text.length, job->index);
	sluice__text_release(&text);
	return status;
}

static sluice_status read_input(struct job *job)
{
	const struct sluice__characters *characters = &job->characters;
	job->source = job->values->text ? job->values->text : job->values->input;
	sluice_status status = job->values->text ? read_text(job) : read_array(job);
	if (status != SLUICE_OK || !job->index)
		return status;
	return sluice_embedding_forward(job->context, job->steps * job->batch, characters->symbol_count,
					characters->width, characters->table, job->index, job->x);
}

/* ------------------------------------------------------------------------------------------------- the run ---- */

static int runs_forward_only(const sluice_model *model)
{
	const sluice_description *description = sluice_model_description(model);
	for (size_t k = 0; k < description->layer_count; k++)
		if (description->layers[k].direction != SLUICE_FORWARD)
			return 0;
	return 1;
}

static sluice_status prepare(struct job *job)
{
	sluice_plan_options plan = SLUICE_PLAN_OPTIONS_INIT;
	plan.steps = runs_forward_only(job->characters.model) && job->steps > CHUNK ? CHUNK : job->steps;
	plan.batch = job->batch;
	/* Step by step or not, the plan is the same: the kernels are chosen by it. */
	sluice_status status = sluice_plan_create(job->characters.model, &plan, &job->plan);
	if (status == SLUICE_OK && job->steps * job->batch > SIZE_MAX / 2 / sizeof(float) / job->output.width)
		status = sluice_fail(SLUICE_INVALID_ARGUMENT, "%s: the size of the output overflows", job->source);
	if (status == SLUICE_OK)
		status = allocate(job, job->steps * job->batch * job->output.width, sizeof(float), &job->y,
				  &job->y_bytes);
	if (status == SLUICE_OK)
		status =
			allocate(job, sluice_plan_state_size(job->plan, job->batch), 1, &job->state, &job->state_bytes);
	if (status == SLUICE_OK)
		status =
			allocate(job, sluice_plan_workspace_size(job->plan), 1, &job->workspace, &job->workspace_bytes);
	return status;
}

static sluice_status run_all(struct job *job)
{
	size_t chunk = runs_forward_only(job->characters.model) ? CHUNK : job->steps;
	if (job->values->step)
		chunk = 1;
	for (size_t t = 0; t < job->steps; t += chunk) {
		sluice_run run = SLUICE_RUN_INIT;
		run.steps = job->steps - t < chunk ? job->steps - t : chunk;
		run.batch = job->batch;
		run.x = job->x + t * job->batch * job->input.width;
		run.y = job->y + t * job->batch * job->output.width;
		run.initial_state = job->state;
		run.final_state = job->state;
		run.workspace = job->workspace;
		sluice_status status =
			job->values->step ? sluice_step(job->plan, &run) : sluice_forward(job->plan, &run);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static sluice_status write_output(struct job *job)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	array.shape[array.rank++] = job->steps;
	if (job->batched)
		array.shape[array.rank++] = job->batch;
	for (size_t k = 0; k < job->output.rank; k++)
		array.shape[array.rank++] = job->output.shape[k];
	array.data = job->y;
	return sluice_npy_write(job->context, job->values->output, &array);
}

static void release(struct job *job)
{
	sluice_release(job->context, job->x, job->x_bytes);
	sluice_release(job->context, job->y, job->y_bytes);
	sluice_release(job->context, job->index, job->index_bytes);
	sluice_release(job->context, job->state, job->state_bytes);
	sluice_release(job->context, job->workspace, job->workspace_bytes);
	sluice_plan_destroy(job->plan);
	sluice__characters_release(&job->characters);
	sluice_context_destroy(job->context);
}

int cmd_run(int argc, char **argv)
{
	struct values values = {.threads = 1};
	struct job job = {.values = &values};
	int first, code = args_parse(&command, argc, argv, &values, &first);
	if (code != ARGS_GO)
		return code;
	if (!values.output)
		return args_usage(&command, "--output is missing");
	if (!values.input == !values.text)
		return args_usage(&command, "either --input or --text is needed");
	if (tool_context(values.threads, values.isa, &job.context) != SLUICE_OK)
		return tool_fail(command.name);

	job.characters.context = job.context;
	sluice_status status = load_model(&job, argv[first]);
	if (status == SLUICE_OK)
		status = read_input(&job);
	if (status == SLUICE_OK)
		status = prepare(&job);
	if (status == SLUICE_OK)
		status = run_all(&job);
	if (status == SLUICE_OK)
		status = write_output(&job);
	code = status == SLUICE_OK ? 0 : tool_fail(command.name);
	release(&job);
	return code;
}
