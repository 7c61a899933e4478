/* mps_training_runner.c exists to keep models and plans for training calls, and to bring weights in and their gradients
 * out. */
#include "mps_training.h"

#include <stdlib.h>
#include <string.h>

/* Runners that nobody uses and that are kept. */
enum { MOST_KEPT = 8 };

void sluice__mps_runner_free(struct runner *runner)
{
	sluice__mps_memory_empty(runner->context, &runner->memory);
	sluice_plan_destroy(runner->plan);
	sluice_plan_destroy(runner->step_plan);
	sluice_model_destroy(runner->model);
	free(runner);
}

static sluice_status plan_make(const struct runner *runner, size_t steps, sluice_plan **out)
{
	const sluice_plan_options options = {
		.size = sizeof options,
		.steps = steps,
		.batch = runner->batch,
		.training = 1,
	};
	return sluice_plan_create(runner->model, &options, out);
}

static sluice_status runner_make(const struct network *network, size_t steps, size_t batch, struct runner **out)
{
	struct runner *runner = sluice__object_allocate(1, sizeof *runner);
	if (!runner)
		return SLUICE_OUT_OF_MEMORY;
	runner->context = network->context;
	runner->steps = steps;
	runner->batch = batch;
	sluice_status status = sluice__mps_network_model(network, &runner->model);
	if (status == SLUICE_OK)
		status = plan_make(runner, steps, &runner->plan);
	if (status == SLUICE_OK)
		*out = runner;
	else
		sluice__mps_runner_free(runner);
	return status;
}

sluice_status sluice__mps_runner_step_plan(struct runner *runner)
{
	if (runner->step_plan)
		return SLUICE_OK;
	return plan_make(runner, 1, &runner->step_plan);
}

sluice_status sluice__mps_runner_take(struct network *network, size_t steps, size_t batch, struct runner **out)
{
	pthread_mutex_lock(&network->lock);
	network->used = 1;
	struct runner **link = &network->idle;
	while (*link && ((*link)->steps != steps || (*link)->batch != batch))
		link = &(*link)->next;
	struct runner *runner = *link;
	if (runner)
		*link = runner->next;
	pthread_mutex_unlock(&network->lock);
	if (!runner)
		return runner_make(network, steps, batch, out);
	*out = runner;
	return SLUICE_OK;
}

void sluice__mps_runner_give(struct network *network, struct runner *runner)
{
	pthread_mutex_lock(&network->lock);
	runner->next = network->idle;
	network->idle = runner;
	struct runner **link = &network->idle;
	for (size_t kept = 0; *link && kept < MOST_KEPT; kept++)
		link = &(*link)->next;
	struct runner *surplus = *link;
	*link = NULL;
	pthread_mutex_unlock(&network->lock);
	if (surplus)
		sluice__mps_runner_free(surplus);
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
static int remember(const struct network *network, struct runner *runner, MPSMatrix *const *weights)
{
	float *kept = runner->memory.at[BUFFER_LOADED];
	int changed = !runner->loaded;
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		const size_t count = numbers(&network->places[tensor]);
		if (!count)
			continue;
		const struct line from = line_of(*weights++);
		changed |= sluice__number_renew(kept, &from, count, 1);
		kept += count;
	}
	return changed;
}

static void tensor_set(const struct network *network, enum tensor tensor, const float *from, float *to)
{
	const size_t count = network->places[tensor].rows * network->places[tensor].columns;
	for (int gate = 0; gate < GATES; gate++, from += count, to += count) {
		if (sluice__mps_tensor_absent(network, tensor, gate)) {
			memset(to, 0, count * sizeof *to);
			continue;
		}
		memcpy(to, from, count * sizeof *to);
		if (network->half && tensor != TENSOR_BIAS)
			sluice__mps_round(to, count);
	}
}

sluice_status sluice__mps_runner_load(const struct network *network, struct runner *runner, MPSMatrix *const *weights)
{
	float *block = sluice_model_parameters(runner->model, NULL);
	MPS_TRY(sluice__mps_memory_reserve(runner->context, &runner->memory, BUFFER_LOADED,
					   network->parameters * sizeof *block));
	if (!remember(network, runner, weights))
		return SLUICE_OK;
	runner->loaded = 0;
	const float *from = runner->memory.at[BUFFER_LOADED];
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		const struct tensor_place *place = &network->places[tensor];
		if (place->there)
			tensor_set(network, (enum tensor)tensor, from, block + place->offset);
		from += numbers(place);
	}
	MPS_TRY(sluice_plan_update(runner->plan));
	if (runner->step_plan)
		MPS_TRY(sluice_plan_update(runner->step_plan));
	runner->loaded = 1;
	return SLUICE_OK;
}

void sluice__mps_runner_store(const struct network *network, const struct runner *runner, MPSMatrix *const *gradients,
			      int add)
{
	float *block = runner->memory.at[BUFFER_PARAMETERS];
	for (int tensor = 0; tensor < TENSORS; tensor++) {
		const struct tensor_place *place = &network->places[tensor];
		const size_t count = place->rows * place->columns;
		if (!place->there)
			continue;
		/* Biases of gates without an input source: the core knows no such absence. */
		for (int gate = 0; gate < GATES; gate++)
			if (sluice__mps_tensor_absent(network, (enum tensor)tensor, gate))
				memset(block + place->offset + (size_t)gate * count, 0, count * sizeof *block);
		const struct line to = line_of(*gradients++), from = {(char *)(block + place->offset), SLUICE_F32, 1};
		sluice__number_convert(&to, &from, GATES * count, 1, add);
	}
}
