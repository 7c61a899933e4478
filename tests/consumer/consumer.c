/*
 * consumer.c: a stranger's program, which shows that the installed headers and libraries are all it takes. It is
 * compiled as C and as C++.
 */
#include <sluice/io.h>
#include <sluice/ops.h>
#include <sluice/sluice.h>
#include <sluice/streams.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 5, INPUTS = 3, HIDDEN = 17 };

static int refused(const char *what)
{
	fprintf(stderr, "consumer: %s: %s\n", what, sluice_last_message());
	return 1;
}

/* An aligned block of zeros; size is a multiple of 64, as the library's sizes are. */
static void *block(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
	return memory ? memset(memory, 0, size) : NULL;
}

/* The sequence in one call and step by step: the same numbers, and not the zeros that y began as. */
static int compare(const sluice_plan *plan, const float *x)
{
	float sequence[STEPS * HIDDEN] = {0}, steps[STEPS * HIDDEN] = {0};
	sluice_run run = SLUICE_RUN_INIT;
	void *state = block(sluice_plan_state_size(plan, 1));
	int result = 0, t;

	run.batch = 1;
	run.workspace = block(sluice_plan_workspace_size(plan));
	if (!state || !run.workspace)
		return 1;
	run.steps = STEPS;
	run.x = x;
	run.y = sequence;
	if (sluice_forward(plan, &run))
		result = refused("sluice_forward");
	run.steps = 1;
	run.initial_state = run.final_state = state;
	for (t = 0; t < STEPS && !result; t++) {
		run.x = x + t * INPUTS;
		run.y = steps + t * HIDDEN;
		if (sluice_step(plan, &run))
			result = refused("sluice_step");
	}
	if (!result && (memcmp(sequence, steps, sizeof(steps)) != 0 || fabsf(steps[STEPS * HIDDEN - 1]) == 0))
		result = 1;
	free(run.workspace);
	free(state);
	return result;
}

int main(void)
{
	float x[STEPS * INPUTS];
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	sluice_context_options threads = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_context *context = NULL;
	sluice_model *model = NULL;
	sluice_plan *plan = NULL;
	double norm;
	int result;

	for (int k = 0; k < STEPS * INPUTS; k++)
		x[k] = (float)(k % 7) - 3;
	layer.hidden = HIDDEN;
	description.inputs = INPUTS;
	description.layer_count = 1;
	description.layers = &layer;
	options.steps = STEPS;
	threads.threads = 2;
	if (sluice_context_create(&threads, &context) || sluice_model_create(context, &description, &model) ||
	    sluice_model_initialize(model, NULL) || sluice_plan_create(model, &options, &plan))
		return refused("making a model");
	result = compare(plan, x);
	/* One symbol of each of the other headers, so that a library that lacks them does not link. */
	if (sluice_norm(context, STEPS * INPUTS, x, &norm) || sluice_element_bytes(SLUICE_ELEMENT_F32) != 4 ||
	    sluice_slot_size(plan) < 2 * HIDDEN * sizeof(float))
		result = refused("ops.h, io.h or streams.h");
	if (sluice_model_save(context, model, NULL, "consumer.safetensors"))
		result = refused("sluice_model_save");
	printf("sluice %s, %s: %s\n", sluice_version(), sluice_plan_kernels(plan), result ? "wrong" : "right");
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
	return result;
}
