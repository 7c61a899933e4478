/* mps_course.c exists to read a training layer's descriptor into a network of the core, and to find its tensors there.
 */
#include "mps_training.h"

#include <stdlib.h>
#include <string.h>

/* As the core names them. */
static const char *const NAMES[TENSORS] = {"weight_ih_l0", "weight_hh_l0", "bias_l0", "peephole_l0"};

static void course_destroy(void *object)
{
	struct course *course = object;
	while (course->idle) {
		struct bench *next = course->idle->next;
		sluice__mps_bench_free(course->idle);
		course->idle = next;
	}
	sluice_model_destroy(course->model);
	sluice_context_destroy(course->context);
	pthread_mutex_destroy(&course->lock);
	free(course);
}

int sluice__mps_tensor_absent(const struct course *course, enum tensor tensor, int gate)
{
	static const enum part parts[TENSORS] = {
		[TENSOR_INPUT] = PART_INPUT,
		[TENSOR_RECURRENT] = PART_RECURRENT,
		[TENSOR_BIAS] = PART_INPUT,
		[TENSOR_MEMORY] = PART_MEMORY,
	};
	return !course->given[parts[tensor]][gate];
}

static sluice_status places_find(struct course *course)
{
	const size_t count = sluice_model_parameter_count(course->model);
	sluice_model_parameters(course->model, &course->parameters);
	for (size_t index = 0; index < count; index++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;
		MPS_TRY(sluice_model_parameter(course->model, index, &parameter));
		for (int tensor = 0; tensor < TENSORS; tensor++)
			if (strcmp(parameter.name, NAMES[tensor]) == 0)
				course->places[tensor] = (struct tensor_place){
					1, parameter.offset, parameter.rows * parameter.columns / GATES, 1};
	}
	/* So many numbers of each gate, in rows of this width. */
	const size_t columns[TENSORS] = {
		[TENSOR_INPUT] = course->inputs,
		[TENSOR_RECURRENT] = course->hidden,
		[TENSOR_BIAS] = course->hidden,
		[TENSOR_MEMORY] = course->hidden,
	};
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		struct tensor_place *place = &course->places[tensor];
		place->columns = columns[tensor];
		place->rows /= columns[tensor];
	}
	return SLUICE_OK;
}

static sluice_status model_make(struct course *course, const struct lstm *lstm)
{
	const sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_layer layer;
	sluice__mps_lstm_describe(lstm, &layer);
	const sluice_description description = {
		.size = sizeof description,
		.inputs = lstm->inputs,
		.layer_count = 1,
		.layers = &layer,
	};
	MPS_TRY(sluice_context_create(&options, &course->context));
	MPS_TRY(sluice_model_create(course->context, &description, &course->model));
	MPS_TRY(sluice__mps_lstm_load(lstm, course->model, 0));
	return places_find(course);
}

static sluice_status course_read(struct course *course, const MPSRNNDescriptor *descriptor)
{
	struct lstm lstm = {0};
	/* Matrices get the weights as they are; rounding is for the products. */
	sluice_status status = sluice__mps_lstm_read(descriptor, 0, 0, 0, &lstm);
	if (status == SLUICE_OK) {
		course->inputs = lstm.inputs;
		course->hidden = lstm.hidden;
		course->identity = lstm.identity;
		course->wants_half = course->half = !descriptor->useFloat32Weights;
		memcpy(course->given, lstm.given, sizeof course->given);
		status = model_make(course, &lstm);
	}
	sluice__mps_lstm_free(&lstm);
	return status;
}

sluice_status sluice__mps_course(const MPSRNNDescriptor *descriptor, struct course **out)
{
	struct course *course = sluice__object_new(sizeof *course, course_destroy);
	if (!course)
		return SLUICE_OUT_OF_MEMORY;
	pthread_mutex_init(&course->lock, NULL);
	const sluice_status status = course_read(course, descriptor);
	if (status == SLUICE_OK)
		*out = course;
	else
		sluice__object_release(course);
	return status;
}

/* A model of the same description and with the same parameters, elsewhere. */
static sluice_status model_copy(const sluice_model *model, sluice_context *context, sluice_model **out)
{
	size_t count;
	MPS_TRY(sluice_model_create(context, sluice_model_description(model), out));
	const float *from = sluice_model_parameters((sluice_model *)(uintptr_t)model, &count);
	memcpy(sluice_model_parameters(*out, NULL), from, count * sizeof *from);
	return SLUICE_OK;
}

sluice_status sluice__mps_course_threads(struct course *course, int threads)
{
	const sluice_context_options options = {.size = sizeof options, .threads = threads};
	sluice_context *context;
	sluice_model *model;
	MPS_TRY(sluice_context_create(&options, &context));
	const sluice_status status = model_copy(course->model, context, &model);
	if (status != SLUICE_OK) {
		sluice_context_destroy(context);
		return status;
	}
	sluice_model_destroy(course->model);
	sluice_context_destroy(course->context);
	course->model = model;
	course->context = context;
	return SLUICE_OK;
}

sluice_status sluice__mps_course_model(const struct course *course, sluice_model **out)
{
	return model_copy(course->model, course->context, out);
}
