/* mpsgraph_program.c exists to find what the targets of a run need, and to give every tensor of it a slot. */
#include "mpsgraph_internal.h"

#include <stdlib.h>
#include <string.h>

/* What is known while a program is made: by the numbers of nodes and tensors. */
struct survey {
	const struct order *order;
	struct program *program;
	unsigned char *needed; /* [nodes] */
	size_t *slots;         /* [tensors] SLOT_ABSENT: nobody wants it */
	size_t *feeds;         /* [tensors] SLOT_ABSENT: not fed */
};

/* --- what is given --- */

static sluice_status feeds_check(struct survey *survey)
{
	const struct order *order = survey->order;
	for (size_t k = 0; k < order->feed_count; k++) {
		const MPSGraphTensor *tensor = order->feeds[k];
		MPS_TRY(sluice__mpsgraph_given("feed", order->graph, tensor));
		if (tensor->operation->kind != &sluice__mpsgraph_placeholder)
			return MPS_INVALID("feed %zu is made by %s '%s', expected a placeholder", k,
					   tensor->operation->kind->name, tensor->operation->name);
		if (survey->feeds[tensor->number] != SLOT_ABSENT)
			return MPS_INVALID("feed %zu, '%s', is fed before", k, tensor->operation->name);
		survey->feeds[tensor->number] = k;
	}
	return SLUICE_OK;
}

static sluice_status targets_check(const struct survey *survey)
{
	const struct order *order = survey->order;
	for (size_t k = 0; k < order->target_count; k++)
		MPS_TRY(sluice__mpsgraph_given("target", order->graph, order->targets[k]));
	for (size_t k = 0; k < order->operation_count; k++) {
		if (!order->operations[k])
			return MPS_INVALID("target operation %zu is NULL", k);
		if (order->operations[k]->graph != order->graph)
			return MPS_INVALID("target operation %zu is of another graph", k);
	}
	return SLUICE_OK;
}

/* --- what is needed --- */

static void want(struct survey *survey, const MPSGraphTensor *tensor)
{
	survey->slots[tensor->number] = 0;
	survey->needed[tensor->operation->number] = 1;
}

/* Nodes come after their inputs, so one way back finds everything. */
static void needs_find(struct survey *survey)
{
	const struct order *order = survey->order;
	for (size_t k = 0; k < order->target_count; k++)
		want(survey, order->targets[k]);
	for (size_t k = 0; k < order->operation_count; k++)
		survey->needed[order->operations[k]->number] = 1;
	for (size_t number = order->graph->node_count; number-- > 0;) {
		const MPSGraphOperation *node = order->graph->nodes[number];
		if (!survey->needed[number])
			continue;
		for (size_t k = 0; k < node->input_count; k++)
			if (node->inputs[k] && !(node->kind == &sluice__mpsgraph_assign && k == 1))
				want(survey, node->inputs[k]);
	}
}

static int computes(const MPSGraphOperation *node)
{
	return node->kind->execute != NULL;
}

/* Sizes of the program's lists. */
static sluice_status lists_make(struct survey *survey)
{
	const MPSGraph *graph = survey->order->graph;
	struct program *program = survey->program;
	size_t steps = 0, slots = 0, numbers = 0, variables = 0, assignments = 0;
	for (size_t number = 0; number < graph->node_count; number++) {
		const MPSGraphOperation *node = graph->nodes[number];
		if (!survey->needed[number])
			continue;
		slots += node->output_count;
		variables += node->kind == &sluice__mpsgraph_variable;
		assignments += node->kind == &sluice__mpsgraph_assign;
		steps += computes(node);
		numbers += computes(node) ? node->input_count + node->output_count : 0;
	}
	program->steps = sluice__object_allocate(steps, sizeof *program->steps);
	program->slots = sluice__object_allocate(slots, sizeof *program->slots);
	program->numbers = sluice__object_allocate(numbers, sizeof *program->numbers);
	program->loads.list = sluice__object_allocate(variables, sizeof(struct transfer));
	program->assignments.list = sluice__object_allocate(assignments, sizeof(struct transfer));
	program->copies.list = sluice__object_allocate(program->target_count, sizeof(struct transfer));
	return program->steps && program->slots && program->numbers && program->loads.list &&
			       program->assignments.list && program->copies.list
		       ? SLUICE_OK
		       : SLUICE_OUT_OF_MEMORY;
}

/* --- slots and steps --- */

static size_t slot_add(struct survey *survey, const MPSGraphTensor *tensor, enum source source, size_t index)
{
	struct program *program = survey->program;
	const size_t number = program->slot_count++;
	program->slots[number] = (struct slot){
		.tensor = tensor,
		.source = source,
		.index = index,
		.first = program->step_count,
		.last = program->step_count,
	};
	survey->slots[tensor->number] = number;
	return number;
}

/* The slot that has the data: aliases lead there at once, because they are made of slots that are no aliases. */
static size_t root_of(const struct program *program, size_t slot)
{
	return program->slots[slot].source == SOURCE_ALIAS ? program->slots[slot].index : slot;
}

static void transfer_add(struct transfers *transfers, const struct transfer *transfer)
{
	transfers->list[transfers->count++] = *transfer;
}

static void step_add(struct survey *survey, const MPSGraphOperation *node)
{
	struct program *program = survey->program;
	const size_t now = program->step_count;
	const size_t wide = node->input_count > node->output_count ? node->input_count : node->output_count;
	struct step *step = &program->steps[now];
	*step = (struct step){.node = node, .inputs = program->number_count};
	step->outputs = step->inputs + node->input_count;
	program->number_count = step->outputs + node->output_count;
	program->widest = wide > program->widest ? wide : program->widest;
	for (size_t k = 0; k < node->input_count; k++) {
		const size_t slot = node->inputs[k] ? survey->slots[node->inputs[k]->number] : SLOT_ABSENT;
		program->numbers[step->inputs + k] = slot;
		if (slot != SLOT_ABSENT)
			program->slots[root_of(program, slot)].last = now;
	}
	for (size_t k = 0; k < node->output_count; k++) {
		const MPSGraphTensor *output = &node->outputs[k];
		const int wanted = survey->slots[output->number] != SLOT_ABSENT;
		program->numbers[step->outputs + k] = wanted ? slot_add(survey, output, SOURCE_ARENA, 0) : SLOT_ABSENT;
	}
	program->step_count++;
}

static sluice_status placeholder_add(struct survey *survey, const MPSGraphOperation *node)
{
	const size_t feed = survey->feeds[node->outputs[0].number];
	char text[MPS_SHAPE_TEXT];
	if (feed == SLOT_ABSENT)
		return MPS_INVALID("placeholder '%s', %s, is needed and not fed", node->name,
				   sluice__mpsgraph_type_text(&node->outputs[0].type, text));
	slot_add(survey, &node->outputs[0], SOURCE_FEED, feed);
	return SLUICE_OK;
}

static void variable_add(struct survey *survey, MPSGraphOperation *node)
{
	const size_t slot = slot_add(survey, &node->outputs[0], SOURCE_ARENA, 0);
	survey->program->slots[slot].first = 0; /* it is loaded before the first step */
	transfer_add(&survey->program->loads, &(struct transfer){.variable = node, .slot = slot});
}

static void assign_add(struct survey *survey, const MPSGraphOperation *node)
{
	transfer_add(&survey->program->assignments, &(struct transfer){
							    .variable = node->inputs[1]->operation,
							    .slot = survey->slots[node->inputs[0]->number],
						    });
}

static sluice_status node_add(struct survey *survey, MPSGraphOperation *node)
{
	if (node->kind == &sluice__mpsgraph_placeholder)
		return placeholder_add(survey, node);
	if (node->kind == &sluice__mpsgraph_constant)
		slot_add(survey, &node->outputs[0], SOURCE_CONSTANT, 0);
	else if (node->kind == &sluice__mpsgraph_variable)
		variable_add(survey, node);
	else if (node->kind == &sluice__mpsgraph_assign)
		assign_add(survey, node);
	else if (computes(node))
		step_add(survey, node);
	else
		slot_add(survey, &node->outputs[0], SOURCE_ALIAS,
			 root_of(survey->program, survey->slots[node->inputs[0]->number]));
	return SLUICE_OK;
}

/* A target is computed in the memory of its result; what is there already, or not computed, is copied. */
static void targets_place(struct survey *survey)
{
	struct program *program = survey->program;
	for (size_t k = 0; k < program->target_count; k++) {
		const size_t number = root_of(program, survey->slots[program->targets[k]->number]);
		struct slot *slot = &program->slots[number];
		if (slot->source == SOURCE_ARENA) {
			slot->source = SOURCE_RESULT;
			slot->index = k;
		} else {
			transfer_add(&program->copies, &(struct transfer){.slot = number, .target = k});
		}
	}
}

/* What is assigned is there until the end. */
static void assignments_keep(struct program *program)
{
	for (size_t k = 0; k < program->assignments.count; k++)
		program->slots[root_of(program, program->assignments.list[k].slot)].last = program->step_count;
}

static sluice_status program_fill(struct survey *survey)
{
	const MPSGraph *graph = survey->order->graph;
	MPS_TRY(feeds_check(survey));
	MPS_TRY(targets_check(survey));
	needs_find(survey);
	MPS_TRY(lists_make(survey));
	for (size_t number = 0; number < graph->node_count; number++)
		if (survey->needed[number])
			MPS_TRY(node_add(survey, graph->nodes[number]));
	targets_place(survey);
	assignments_keep(survey->program);
	return sluice__mpsgraph_arena(survey->program);
}

/* --- the program as a whole --- */

static void *list_copy(const void *from, size_t count, size_t bytes)
{
	void *copy = sluice__object_allocate(count, bytes);
	if (copy && count)
		memcpy(copy, from, count * bytes);
	return copy;
}

static struct program *program_make(const struct order *order)
{
	struct program *program = sluice__object_allocate(1, sizeof *program);
	if (!program)
		return NULL;
	if (pthread_mutex_init(&program->lock, NULL) != 0) {
		free(program);
		sluice_fail(SLUICE_OUT_OF_MEMORY, "pthread_mutex_init failed");
		return NULL;
	}
	program->graph = order->graph;
	program->feed_count = order->feed_count;
	program->target_count = order->target_count;
	program->operation_count = order->operation_count;
	program->feeds = list_copy(order->feeds, order->feed_count, sizeof *program->feeds);
	program->targets = list_copy(order->targets, order->target_count, sizeof *program->targets);
	program->operations = list_copy(order->operations, order->operation_count, sizeof *program->operations);
	if (program->feeds && program->targets && program->operations)
		return program;
	sluice__mpsgraph_program_destroy(program);
	return NULL;
}

static size_t *numbers_make(size_t count)
{
	size_t *numbers = sluice__object_allocate(count, sizeof *numbers);
	for (size_t k = 0; numbers && k < count; k++)
		numbers[k] = SLOT_ABSENT;
	return numbers;
}

sluice_status sluice__mpsgraph_program(const struct order *order, struct program **out)
{
	const MPSGraph *graph = order->graph;
	struct survey survey = {.order = order};
	sluice_status status = SLUICE_OUT_OF_MEMORY;
	survey.needed = sluice__object_allocate(graph->node_count, 1);
	survey.slots = numbers_make(graph->tensor_count);
	survey.feeds = numbers_make(graph->tensor_count);
	survey.program = program_make(order);
	if (survey.needed && survey.slots && survey.feeds && survey.program)
		status = program_fill(&survey);
	free(survey.needed);
	free(survey.slots);
	free(survey.feeds);
	if (status == SLUICE_OK)
		*out = survey.program;
	else
		sluice__mpsgraph_program_destroy(survey.program);
	return status;
}

void sluice__mpsgraph_program_destroy(struct program *program)
{
	if (!program)
		return;
	sluice__mpsgraph_workspaces_destroy(program);
	pthread_mutex_destroy(&program->lock);
	free(program->feeds);
	free(program->targets);
	free(program->operations);
	free(program->steps);
	free(program->slots);
	free(program->numbers);
	free(program->loads.list);
	free(program->copies.list);
	free(program->assignments.list);
	free(program);
}

static int same_list(const void *a, const void *b, size_t count, size_t other, size_t bytes)
{
	return count == other && (count == 0 || memcmp(a, b, count * bytes) == 0);
}

int sluice__mpsgraph_program_matches(const struct program *program, const struct order *order)
{
	return same_list(program->feeds, order->feeds, program->feed_count, order->feed_count, sizeof *order->feeds) &&
	       same_list(program->targets, order->targets, program->target_count, order->target_count,
			 sizeof *order->targets) &&
	       same_list(program->operations, order->operations, program->operation_count, order->operation_count,
			 sizeof *order->operations);
}
