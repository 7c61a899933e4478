/* mps_call.c exists to make a command of one encode of an inference layer, matrices and images alike, and to do it. */
#include "mps_internal.h"

#include <stdlib.h>

enum { MOST_PASSES = 2 };

struct call {
	struct command command;
	struct stack *stack;
	struct engine *engines[MOST_PASSES];
	struct pass passes[MOST_PASSES];
	size_t pass_count, steps;
	int add; /* the sum of both passes is the result */
	struct recurrent *start;
	struct recurrent **states; /* [state_count] */
	size_t state_count;
	int all_states;
	struct span *x, *y[MOST_PASSES]; /* [steps]; the second of y is there if the first does not hold all */
	struct span *parts[MOST_PASSES]; /* [steps] of concatenated results, what is each pass's */
	size_t *batch_sizes;
	const void **x_steps;
	void **y_steps;
	void **objects;
	size_t object_count, object_room;
};

void sluice__mps_call_free(struct call *call)
{
	if (!call)
		return;
	for (size_t each = 0; each < MOST_PASSES; each++) {
		sluice__object_release(call->engines[each]);
		free(call->y[each]);
		free(call->parts[each]);
	}
	for (size_t each = 0; call->states && each < call->state_count; each++)
		sluice__object_release(call->states[each]);
	for (size_t each = 0; each < call->object_count; each++)
		sluice__object_release(call->objects[each]);
	sluice__object_release(call->start);
	sluice__object_release(call->stack);
	free(call->states);
	free(call->x);
	free(call->batch_sizes);
	free(call->x_steps);
	free(call->y_steps);
	free(call->objects);
	free(call);
}

static void call_destroy(struct command *command)
{
	sluice__mps_call_free((struct call *)command);
}

/* Both passes' results into the first one's, which has the same width. */
static void add_up(const struct call *call, struct memory *const *memories)
{
	const struct pass *pass = &call->passes[0];
	const size_t count = pass->steps * pass->batch * pass->y_width;
	float *sum = memories[0]->at[BUFFER_Y];
	const float *other = memories[1]->at[BUFFER_Y];
	for (size_t k = 0; k < count; k++)
		sum[k] += other[k];
}

static sluice_status states_take(const struct call *call, const struct memory *memory)
{
	const struct pass *pass = &call->passes[0];
	if (!call->state_count)
		return SLUICE_OK;
	if (!call->all_states)
		return sluice__mps_recurrent_take(call->states[0], pass->plan, memory->at[BUFFER_STATE]);
	sluice__mps_recurrent_unroll(call->states, call->steps, pass->batch_sizes, call->start, memory->at[BUFFER_H],
				     memory->at[BUFFER_C]);
	return SLUICE_OK;
}

static sluice_status passes_run(const struct call *call, struct memory *const *memories)
{
	for (size_t each = 0; each < call->pass_count; each++)
		MPS_TRY(sluice__mps_pass_run(&call->passes[each], memories[each]));
	if (call->add)
		add_up(call, memories);
	for (size_t each = 0; each < (call->add ? 1 : call->pass_count); each++)
		sluice__mps_pass_store(&call->passes[each], memories[each]);
	return states_take(call, memories[0]);
}

static sluice_status call_run(struct command *command)
{
	const struct call *call = (const struct call *)command;
	struct memory *memories[MOST_PASSES] = {NULL};
	sluice_status status = SLUICE_OK;
	for (size_t each = 0; status == SLUICE_OK && each < call->pass_count; each++)
		status = sluice__mps_memory_take(call->engines[each], &memories[each]);
	if (status == SLUICE_OK)
		status = passes_run(call, memories);
	for (size_t each = 0; each < call->pass_count; each++)
		sluice__mps_memory_give(call->engines[each], memories[each]);
	return status;
}

static int separate(const struct call_request *request)
{
	return request->bidirectional && request->combine == MPSRNNBidirectionalCombineModeNone;
}

static int concatenates(const struct call_request *request)
{
	return request->bidirectional && request->combine == MPSRNNBidirectionalCombineModeConcatenate;
}

static int lists_make(const struct call_request *request, struct call *call)
{
	const size_t steps = request->steps;
	int made = 1;
#define MAKE(list, count)                                                        \
	do {                                                                     \
		call->list = sluice__object_allocate(count, sizeof *call->list); \
		made = made && call->list;                                       \
	} while (0)
	MAKE(x, steps);
	MAKE(y[0], steps);
	if (separate(request))
		MAKE(y[1], steps);
	for (size_t each = 0; concatenates(request) && each < MOST_PASSES; each++)
		MAKE(parts[each], steps);
	MAKE(batch_sizes, steps);
	MAKE(x_steps, steps);
	MAKE(y_steps, steps);
	MAKE(objects, (1 + MOST_PASSES) * steps);
#undef MAKE
	return made;
}

sluice_status sluice__mps_call_new(const struct call_request *request, struct call **out)
{
	struct call *call = sluice__object_allocate(1, sizeof *call);
	if (!call)
		return SLUICE_OUT_OF_MEMORY;
	call->command.run = call_run;
	call->command.destroy = call_destroy;
	call->steps = request->steps;
	if (!lists_make(request, call)) {
		sluice__mps_call_free(call);
		return SLUICE_OUT_OF_MEMORY;
	}
	call->stack = sluice__object_retain(request->stack);
	*out = call;
	return SLUICE_OK;
}

struct span *sluice__mps_call_x(struct call *call)
{
	return call->x;
}

struct span *sluice__mps_call_y(struct call *call, size_t which)
{
	return call->y[which];
}

void sluice__mps_call_retain(struct call *call, void *object)
{
	call->objects[call->object_count++] = sluice__object_retain(object);
}

sluice_status sluice__mps_call_rows(struct call *call, const size_t **rows)
{
	*rows = call->batch_sizes;
	return sluice__mps_rows_read("source", call->x, call->steps, call->batch_sizes);
}

static sluice_status apart_check(const struct call *call)
{
	const size_t arrays = call->y[1] ? 2 : 1;
	if (arrays == 1)
		return sluice__mps_spans_apart("destinations", call->x, call->steps, call->y[0], call->steps);
	struct span *all = sluice__object_allocate(2 * call->steps, sizeof *all);
	if (!all)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t step = 0; step < call->steps; step++) {
		all[step] = call->y[0][step];
		all[call->steps + step] = call->y[1][step];
	}
	const sluice_status status =
		sluice__mps_spans_apart("destinations", call->x, call->steps, all, 2 * call->steps);
	free(all);
	return status;
}

/* What of the whole results is each pass's, where they stand side by side. */
static void parts_cut(const struct call_request *request, struct call *call)
{
	const struct stack *stack = request->stack;
	const size_t forward = stack->outputs[CHAIN_FORWARD], cells = request->width ? request->width : 1;
	for (size_t step = 0; step < call->steps; step++) {
		call->parts[0][step] = sluice__mps_span_part(&call->y[0][step], cells, 0, forward);
		call->parts[1][step] =
			sluice__mps_span_part(&call->y[0][step], cells, forward, stack->outputs[CHAIN_BACKWARD]);
	}
}

static sluice_status pass_make(const struct call_request *request, struct call *call, enum chain_kind kind,
			       size_t index)
{
	const struct stack *stack = request->stack;
	const size_t places = request->height ? request->height * request->width : 1;
	const size_t batch = request->start ? request->start->rows : request->rows;
	const int falls = call->batch_sizes[call->steps - 1] < batch;
	struct pass *pass = &call->passes[index];
	*pass = (struct pass){
		.steps = call->steps,
		.batch = batch,
		.x_width = stack->inputs[kind] * places,
		.y_width = stack->outputs[kind] * places,
		.x = call->x,
		.y = call->parts[index] ? call->parts[index] : call->y[index],
		.x_direct = sluice__mps_spans_direct(call->x, call->steps),
		.batch_sizes = falls ? call->batch_sizes : NULL,
		.x_steps = call->x_steps,
		.y_steps = call->y_steps,
		.start = request->start,
		.sequences = request->states && request->all_states,
		.final = request->states && !request->all_states,
	};
	/* The core would write zeros to rows that a step has not. */
	pass->y_direct = !call->add && !falls && sluice__mps_spans_direct(pass->y, call->steps);
	MPS_TRY(sluice__mps_engine(call->stack, kind, request->height, request->width, call->steps, batch,
				   &call->engines[index]));
	const struct engine *engine = call->engines[index];
	pass->plan = engine->plan;
	pass->context = call->stack->context;
	for (size_t layer = 0; layer < engine->chain->layers; layer++)
		pass->state_width += engine->chain->channels[layer] * places;
	call->pass_count++;
	return SLUICE_OK;
}

static sluice_status passes_make(const struct call_request *request, struct call *call)
{
	call->add = request->bidirectional && request->combine == MPSRNNBidirectionalCombineModeAdd;
	if (!request->bidirectional)
		return pass_make(request, call, CHAIN_ALL, 0);
	if (concatenates(request))
		parts_cut(request, call);
	MPS_TRY(pass_make(request, call, CHAIN_FORWARD, 0));
	return pass_make(request, call, CHAIN_BACKWARD, 1);
}

static struct recurrent_shape shape_of(const struct call_request *request, const struct chain *chain)
{
	return (struct recurrent_shape){chain->layers, chain->channels, request->rows, request->height, request->width};
}

static sluice_status states_make(const struct call_request *request, struct call *call)
{
	const struct pass *pass = &call->passes[0];
	struct recurrent_shape shape = shape_of(request, call->engines[0]->chain);
	shape.rows = pass->batch;
	if (!request->states)
		return SLUICE_OK;
	call->all_states = request->all_states;
	call->state_count = call->all_states ? call->steps : 1;
	call->states = sluice__object_allocate(call->state_count, sizeof(struct recurrent *));
	if (!call->states)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t each = 0; each < call->state_count; each++) {
		call->states[each] = sluice__mps_recurrent(&shape, MEANING_STATE, request->temporary);
		if (!call->states[each])
			return SLUICE_OUT_OF_MEMORY;
	}
	return SLUICE_OK;
}

static sluice_status call_make(const struct call_request *request, struct call *call)
{
	MPS_TRY(apart_check(call));
	MPS_TRY(passes_make(request, call));
	const struct recurrent_shape shape = shape_of(request, call->engines[0]->chain);
	MPS_TRY(sluice__mps_recurrent_check(request->start, &shape, MEANING_STATE));
	return states_make(request, call);
}

sluice_status sluice__mps_call_encode(const struct call_request *request, struct call *call)
{
	const sluice_status status = call_make(request, call);
	if (status != SLUICE_OK) {
		sluice__mps_call_free(call);
		return status;
	}
	call->start = sluice__object_retain(request->start);
	sluice__mps_recurrent_read(request->start);
	for (size_t each = 0; each < call->state_count; each++)
		request->states[each] = sluice__object_retain(call->states[each]);
	sluice__mps_encode(request->buffer, &call->command);
	return SLUICE_OK;
}
