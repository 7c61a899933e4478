/* mps_bench.c exists to keep models and plans for training calls, and to bring weights in and their gradients out. */
#include "mps_training.h"

#include <stdlib.h>
#include <string.h>

/* Benches that nobody uses and that are kept. */
enum { MOST_KEPT = 8 };

void sluice__mps_bench_free(struct bench *bench)
{
	sluice__mps_memory_empty(bench->context, &bench->memory);
	sluice_plan_destroy(bench->plan);
	sluice_plan_destroy(bench->step_plan);
	sluice_model_destroy(bench->model);
	free(bench);
}

static sluice_status plan_make(const struct bench *bench, size_t steps, sluice_plan **out)
{
	const sluice_plan_options options = {
		.size = sizeof options,
		.steps = steps,
		.batch = bench->batch,
		.training = 1,
	};
	return sluice_plan_create(bench->model, &options, out);
}

static sluice_status bench_make(const struct course *course, size_t steps, size_t batch, struct bench **out)
{
	struct bench *bench = sluice__object_allocate(1, sizeof *bench);
	if (!bench)
		return SLUICE_OUT_OF_MEMORY;
	bench->context = course->context;
	bench->steps = steps;
	bench->batch = batch;
	sluice_status status = sluice__mps_course_model(course, &bench->model);
	if (status == SLUICE_OK)
		status = plan_make(bench, steps, &bench->plan);
	if (status == SLUICE_OK)
		*out = bench;
	else
		sluice__mps_bench_free(bench);
	return status;
}

sluice_status sluice__mps_bench_step_plan(struct bench *bench)
{
	if (bench->step_plan)
		return SLUICE_OK;
	return plan_make(bench, 1, &bench->step_plan);
}

sluice_status sluice__mps_bench_take(struct course *course, size_t steps, size_t batch, struct bench **out)
{
	pthread_mutex_lock(&course->lock);
	course->used = 1;
	struct bench **link = &course->idle;
	while (*link && ((*link)->steps != steps || (*link)->batch != batch))
		link = &(*link)->next;
	struct bench *bench = *link;
	if (bench)
		*link = bench->next;
	pthread_mutex_unlock(&course->lock);
	if (!bench)
		return bench_make(course, steps, batch, out);
	*out = bench;
	return SLUICE_OK;
}

void sluice__mps_bench_give(struct course *course, struct bench *bench)
{
	pthread_mutex_lock(&course->lock);
	bench->next = course->idle;
	course->idle = bench;
	struct bench **link = &course->idle;
	for (size_t kept = 0; *link && kept < MOST_KEPT; kept++)
		link = &(*link)->next;
	struct bench *surplus = *link;
	*link = NULL;
	pthread_mutex_unlock(&course->lock);
	if (surplus)
		sluice__mps_bench_free(surplus);
}

/* --- weights --- */

static size_t numbers(const struct tensor_place *place)
{
	return place->there ? GATES * place->rows * place->columns : 0;
}

static struct line line_of(const MPSMatrix *matrix)
{
	return (struct line){matrix->buffer + matrix->offset, sluice__mps_dtype(matrix->dataType), 1};
}

/* Keeps what came; returns whether any bit of it differs from what came before. */
static int remember(const struct course *course, struct bench *bench, MPSMatrix *const *weights)
{
	float *kept = bench->memory.at[BUFFER_LOADED];
	int changed = !bench->loaded;
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		const size_t count = numbers(&course->places[tensor]);
		if (!count)
			continue;
		const struct line from = line_of(*weights++);
		changed |= sluice__number_renew(kept, &from, count, 1);
		kept += count;
	}
	return changed;
}

static void tensor_set(const struct course *course, enum tensor tensor, const float *from, float *to)
{
	const size_t count = course->places[tensor].rows * course->places[tensor].columns;
	for (int gate = 0; gate < GATES; gate++, from += count, to += count) {
		if (sluice__mps_tensor_absent(course, tensor, gate)) {
			memset(to, 0, count * sizeof *to);
			continue;
		}
		memcpy(to, from, count * sizeof *to);
		if (course->half && tensor != TENSOR_BIAS)
			sluice__mps_round(to, count);
	}
}

sluice_status sluice__mps_bench_load(const struct course *course, struct bench *bench, MPSMatrix *const *weights)
{
	float *block = sluice_model_parameters(bench->model, NULL);
	MPS_TRY(sluice__mps_memory_reserve(bench->context, &bench->memory, BUFFER_LOADED,
					   course->parameters * sizeof *block));
	if (!remember(course, bench, weights))
		return SLUICE_OK;
	bench->loaded = 0;
	const float *from = bench->memory.at[BUFFER_LOADED];
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		const struct tensor_place *place = &course->places[tensor];
		if (place->there)
			tensor_set(course, (enum tensor)tensor, from, block + place->offset);
		from += numbers(place);
	}
	MPS_TRY(sluice_plan_update(bench->plan));
	if (bench->step_plan)
		MPS_TRY(sluice_plan_update(bench->step_plan));
	bench->loaded = 1;
	return SLUICE_OK;
}

void sluice__mps_bench_store(const struct course *course, const struct bench *bench, MPSMatrix *const *gradients,
			     int add)
{
	float *block = bench->memory.at[BUFFER_PARAMETERS];
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		const struct tensor_place *place = &course->places[tensor];
		const size_t count = place->rows * place->columns;
		if (!place->there)
			continue;
		/* Biases of gates without an input source: the core knows no such absence. */
		for (int gate = 0; gate < GATES; gate++)
			if (sluice__mps_tensor_absent(course, (enum tensor)tensor, gate))
				memset(block + place->offset + (size_t)gate * count, 0, count * sizeof *block);
		const struct line to = line_of(*gradients++), from = {(char *)(block + place->offset), SLUICE_F32, 1};
		sluice__number_convert(&to, &from, GATES * count, 1, add);
	}
}
