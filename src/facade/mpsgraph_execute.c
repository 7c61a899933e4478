/* mpsgraph_execute.c exists to run a program: a workspace for each run at the same time, then step by step. */
#include "mpsgraph_internal.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* The memory of one run. */
struct workspace {
	struct workspace *next;
	char *arena;
	void **pointers; /* [slots] where the data of this run are */
	void **entries;  /* [steps] what nodes keep */
	const void **inputs;
	void **outputs; /* [widest], each, of the step that runs */
};

/* --- workspaces --- */

static void workspace_destroy(const struct program *program, struct workspace *workspace)
{
	for (size_t k = 0; workspace->entries && k < program->step_count; k++)
		if (workspace->entries[k])
			program->steps[k].node->kind->discard(workspace->entries[k]);
	free(workspace->arena);
	free(workspace->pointers);
	free(workspace->entries);
	free(workspace->inputs);
	free(workspace->outputs);
	free(workspace);
}

void sluice__mpsgraph_workspaces_destroy(struct program *program)
{
	while (program->idle) {
		struct workspace *workspace = program->idle;
		program->idle = workspace->next;
		workspace_destroy(program, workspace);
	}
}

static sluice_status entry_make(const struct program *program, size_t step, void **entry)
{
	const struct step *at = &program->steps[step];
	const MPSGraphOperation *node = at->node;
	if (!node->kind->prepare)
		return SLUICE_OK;
	unsigned char *wanted = sluice__object_allocate(node->output_count, 1);
	if (!wanted)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t k = 0; k < node->output_count; k++)
		wanted[k] = program->numbers[at->outputs + k] != SLOT_ABSENT;
	const sluice_status status = node->kind->prepare(node, wanted, entry);
	free(wanted);
	return status;
}

static sluice_status workspace_fill(const struct program *program, struct workspace *workspace)
{
	const size_t bytes = program->arena_bytes ? program->arena_bytes : ALIGNMENT;
	workspace->arena = aligned_alloc(ALIGNMENT, bytes);
	if (!workspace->arena)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "aligned_alloc returned NULL for %zu bytes", bytes);
	workspace->pointers = sluice__object_allocate(program->slot_count, sizeof(void *));
	workspace->entries = sluice__object_allocate(program->step_count, sizeof(void *));
	workspace->inputs = sluice__object_allocate(program->widest, sizeof(void *));
	workspace->outputs = sluice__object_allocate(program->widest, sizeof(void *));
	if (!workspace->pointers || !workspace->entries || !workspace->inputs || !workspace->outputs)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t k = 0; k < program->step_count; k++)
		MPS_TRY(entry_make(program, k, &workspace->entries[k]));
	return SLUICE_OK;
}

static sluice_status workspace_take(struct program *program, struct workspace **out)
{
	pthread_mutex_lock(&program->lock);
	struct workspace *workspace = program->idle;
	if (workspace)
		program->idle = workspace->next;
	pthread_mutex_unlock(&program->lock);
	if (!workspace) {
		workspace = sluice__object_allocate(1, sizeof *workspace);
		if (!workspace)
			return SLUICE_OUT_OF_MEMORY;
		const sluice_status status = workspace_fill(program, workspace);
		if (status != SLUICE_OK) {
			workspace_destroy(program, workspace);
			return status;
		}
	}
	*out = workspace;
	return SLUICE_OK;
}

static void workspace_give(struct program *program, struct workspace *workspace)
{
	pthread_mutex_lock(&program->lock);
	workspace->next = program->idle;
	program->idle = workspace;
	pthread_mutex_unlock(&program->lock);
}

/* --- what a run is given --- */

static sluice_status data_check(const char *what, size_t index, const MPSGraphTensor *tensor,
				const MPSGraphTensorData *data)
{
	char has[MPS_SHAPE_TEXT], wants[MPS_SHAPE_TEXT];
	if (!data)
		return MPS_INVALID("%s %zu: data is NULL", what, index);
	if (data->type.dataType != tensor->type.dataType ||
	    !sluice__mpsgraph_same_shape(&data->type.shape, &tensor->type.shape))
		return MPS_INVALID("%s %zu: data are %s, expected %s", what, index,
				   sluice__mpsgraph_type_text(&data->type, has),
				   sluice__mpsgraph_type_text(&tensor->type, wants));
	return SLUICE_OK;
}

static int overlap(const MPSGraphTensorData *a, const MPSGraphTensorData *b)
{
	const uintptr_t one = (uintptr_t)a->data, other = (uintptr_t)b->data;
	return one < other + b->bytes && other < one + a->bytes;
}

static sluice_status given_check(const struct program *program, MPSGraphTensorData *const *inputs,
				 MPSGraphTensorData *const *results)
{
	for (size_t k = 0; k < program->feed_count; k++)
		MPS_TRY(data_check("feed", k, program->feeds[k], inputs[k]));
	for (size_t k = 0; k < program->target_count; k++)
		MPS_TRY(data_check("result", k, program->targets[k], results[k]));
	for (size_t k = 0; k < program->target_count; k++) {
		for (size_t other = 0; other < program->feed_count; other++)
			if (overlap(results[k], inputs[other]))
				return MPS_INVALID("result %zu shares memory with feed %zu", k, other);
		for (size_t other = 0; other < k; other++)
			if (overlap(results[k], results[other]))
				return MPS_INVALID("result %zu shares memory with result %zu", k, other);
	}
	return SLUICE_OK;
}

/* --- the run --- */

static void *pointer_of(const struct workspace *workspace, const struct slot *slot, MPSGraphTensorData *const *inputs,
			MPSGraphTensorData *const *results)
{
	switch (slot->source) {
	case SOURCE_FEED:
		return inputs[slot->index]->data;
	case SOURCE_CONSTANT:
		return slot->tensor->operation->data;
	case SOURCE_ARENA:
		return workspace->arena + slot->offset;
	case SOURCE_RESULT:
		return results[slot->index]->data;
	case SOURCE_ALIAS:
		return workspace->pointers[slot->index];
	}
	return NULL;
}

static void variables_load(const struct program *program, const struct workspace *workspace)
{
	if (program->loads.count == 0)
		return;
	pthread_mutex_lock(&program->graph->lock);
	for (size_t k = 0; k < program->loads.count; k++) {
		const struct transfer *load = &program->loads.list[k];
		memcpy(workspace->pointers[load->slot], load->variable->data, load->variable->outputs[0].bytes);
	}
	pthread_mutex_unlock(&program->graph->lock);
}

static void variables_assign(const struct program *program, const struct workspace *workspace)
{
	if (program->assignments.count == 0)
		return;
	pthread_mutex_lock(&program->graph->lock);
	for (size_t k = 0; k < program->assignments.count; k++) {
		const struct transfer *assign = &program->assignments.list[k];
		memcpy(assign->variable->data, workspace->pointers[assign->slot], assign->variable->outputs[0].bytes);
	}
	pthread_mutex_unlock(&program->graph->lock);
}

static sluice_status step_run(const struct program *program, const struct workspace *workspace, size_t index,
			      uint64_t seed)
{
	const struct step *step = &program->steps[index];
	const size_t *inputs = program->numbers + step->inputs, *outputs = program->numbers + step->outputs;
	for (size_t k = 0; k < step->node->input_count; k++)
		workspace->inputs[k] = inputs[k] == SLOT_ABSENT ? NULL : workspace->pointers[inputs[k]];
	for (size_t k = 0; k < step->node->output_count; k++)
		workspace->outputs[k] = outputs[k] == SLOT_ABSENT ? NULL : workspace->pointers[outputs[k]];
	return step->node->kind->execute(&(struct execution){
		.node = step->node,
		.entry = workspace->entries[index],
		.inputs = workspace->inputs,
		.outputs = workspace->outputs,
		.seed = seed,
	});
}

static sluice_status steps_run(const struct program *program, const struct workspace *workspace,
			       MPSGraphTensorData *const *results, uint64_t seed)
{
	variables_load(program, workspace);
	for (size_t k = 0; k < program->step_count; k++)
		MPS_TRY(step_run(program, workspace, k, seed));
	for (size_t k = 0; k < program->copies.count; k++) {
		const struct transfer *copy = &program->copies.list[k];
		memcpy(results[copy->target]->data, workspace->pointers[copy->slot], results[copy->target]->bytes);
	}
	variables_assign(program, workspace);
	return SLUICE_OK;
}

sluice_status sluice__mpsgraph_execute(struct program *program, MPSGraphTensorData *const *inputs,
				       MPSGraphTensorData *const *results, uint64_t seed)
{
	struct workspace *workspace;
	MPS_TRY(given_check(program, inputs, results));
	MPS_TRY(workspace_take(program, &workspace));
	for (size_t k = 0; k < program->slot_count; k++)
		workspace->pointers[k] = pointer_of(workspace, &program->slots[k], inputs, results);
	const sluice_status status = steps_run(program, workspace, results, seed);
	workspace_give(program, workspace);
	return status;
}
