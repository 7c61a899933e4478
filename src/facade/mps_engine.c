/* mps_engine.c exists to keep plans of the core, and the memory of calls, from one call to the next. */
#include "mps_internal.h"

#include <stdlib.h>

/* Plans that a chain keeps: so many kinds of calls by turns need no new one. */
enum { MOST_KEPT = 8 };

void sluice__mps_memory_empty(sluice_context *context, struct memory *memory)
{
	for (int which = 0; which < BUFFERS; which++)
		sluice_release(context, memory->at[which], memory->bytes[which]);
}

static void engine_destroy(void *object)
{
	struct engine *engine = object;
	while (engine->idle) {
		struct memory *next = engine->idle->next;
		sluice__mps_memory_empty(engine->stack->context, engine->idle);
		free(engine->idle);
		engine->idle = next;
	}
	sluice_plan_destroy(engine->plan);
	sluice__object_release(engine->chain);
	free(engine);
}

/* The next power of two: calls of about one size share a plan. */
static size_t rounded_up(size_t size)
{
	size_t power = 1;
	while (power < size && power <= SIZE_MAX / 2)
		power *= 2;
	return power < size ? size : power;
}

static sluice_status engine_make(struct stack *stack, struct chain *chain, size_t steps, size_t batch,
				 struct engine **out)
{
	const sluice_plan_options options = {
		.size = sizeof options,
		.steps = steps,
		.batch = batch,
		/* They are numbers of Float16 already: nothing is rounded. */
		.weights = stack->half ? SLUICE_F16 : SLUICE_F32,
	};
	struct engine *engine = sluice__object_new(sizeof *engine, engine_destroy);
	if (!engine)
		return SLUICE_OUT_OF_MEMORY;
	engine->stack = stack;
	engine->chain = sluice__object_retain(chain);
	engine->steps = steps;
	engine->batch = batch;
	const sluice_status status = sluice_plan_create(chain->model, &options, &engine->plan);
	if (status != SLUICE_OK) {
		sluice__object_release(engine);
		return status;
	}
	*out = engine;
	return SLUICE_OK;
}

/* Takes those away that were used longest ago. */
static void surplus_free(struct chain *chain)
{
	struct engine **link = &chain->engines;
	for (size_t kept = 0; *link && kept < MOST_KEPT; kept++)
		link = &(*link)->next;
	while (*link) {
		struct engine *engine = *link;
		*link = engine->next;
		sluice__object_release(engine);
	}
}

static sluice_status engine_find(struct stack *stack, struct chain *chain, size_t steps, size_t batch,
				 struct engine **out)
{
	struct engine **link = &chain->engines, *engine;
	while (*link && ((*link)->steps != steps || (*link)->batch != batch))
		link = &(*link)->next;
	engine = *link;
	if (engine)
		*link = engine->next;
	else
		MPS_TRY(engine_make(stack, chain, steps, batch, &engine));
	engine->next = chain->engines;
	chain->engines = engine;
	*out = sluice__object_retain(engine);
	surplus_free(chain);
	return SLUICE_OK;
}

sluice_status sluice__mps_engine(struct stack *stack, enum chain_kind kind, size_t height, size_t width, size_t steps,
				 size_t batch, struct engine **out)
{
	struct chain *chain;
	pthread_mutex_lock(&stack->lock);
	sluice_status status = sluice__mps_stack_settle(stack);
	if (status == SLUICE_OK)
		status = sluice__mps_chain(stack, kind, height, width, &chain);
	if (status == SLUICE_OK)
		status = engine_find(stack, chain, rounded_up(steps), rounded_up(batch), out);
	pthread_mutex_unlock(&stack->lock);
	return status;
}

void sluice__mps_engines_free(struct chain *chain)
{
	while (chain->engines) {
		struct engine *next = chain->engines->next;
		sluice__object_release(chain->engines);
		chain->engines = next;
	}
}

sluice_status sluice__mps_memory_take(struct engine *engine, struct memory **out)
{
	pthread_mutex_lock(&engine->stack->lock);
	struct memory *memory = engine->idle;
	if (memory)
		engine->idle = memory->next;
	pthread_mutex_unlock(&engine->stack->lock);
	if (!memory)
		memory = sluice__object_allocate(1, sizeof *memory);
	*out = memory;
	return memory ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
}

void sluice__mps_memory_give(struct engine *engine, struct memory *memory)
{
	if (!memory)
		return;
	pthread_mutex_lock(&engine->stack->lock);
	memory->next = engine->idle;
	engine->idle = memory;
	pthread_mutex_unlock(&engine->stack->lock);
}

sluice_status sluice__mps_memory_reserve(sluice_context *context, struct memory *memory, enum buffer which,
					 size_t bytes)
{
	if (memory->bytes[which] >= bytes)
		return SLUICE_OK;
	sluice_release(context, memory->at[which], memory->bytes[which]);
	memory->bytes[which] = 0;
	memory->at[which] = sluice_allocate(context, bytes);
	if (!memory->at[which])
		return SLUICE_OUT_OF_MEMORY;
	memory->bytes[which] = bytes;
	return SLUICE_OK;
}
