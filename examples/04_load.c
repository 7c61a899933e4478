/*
 * 04_load.c: loads a model file and streams numbers through it.
 *
 *   04_load MODEL.safetensors    loads that model
 *   04_load                      writes a small model first, and shows that the loaded one gives the same bits
 */
#include <sluice/io.h>
#include <sluice/sluice.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 16 };

static void check(sluice_status status)
{
	if (status == SLUICE_OK)
		return;
	fprintf(stderr, "%s: %s\n", sluice_status_name(status), sluice_last_message());
	exit(1);
}

static void *allocate(sluice_context *context, size_t bytes)
{
	void *block = sluice_allocate(context, bytes);
	if (!block)
		check(SLUICE_OUT_OF_MEMORY);
	return block;
}

/* Two layers of different sizes and a read-out, with random weights. */
static sluice_model *build(sluice_context *context)
{
	sluice_layer layers[2] = {SLUICE_LAYER_INIT, SLUICE_LAYER_INIT};
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_model *model;

	layers[0].hidden = 12;
	layers[1].hidden = 7;
	description.inputs = 3;
	description.layer_count = 2;
	description.layers = layers;
	description.outputs = 2;
	check(sluice_model_create(context, &description, &model));
	check(sluice_model_initialize(model, NULL));
	return model;
}

/* Streams STEPS steps of waves through a model. y is [STEPS, outputs]. */
static void stream(sluice_context *context, const sluice_model *model, float *y)
{
	size_t inputs = sluice_model_description(model)->inputs, outputs = sluice_model_outputs(model);
	sluice_plan *plan;
	sluice_run run = SLUICE_RUN_INIT;

	/* Without options a plan is for one step of one row: all that a stream needs. */
	check(sluice_plan_create(model, NULL, &plan));
	size_t workspace_size = sluice_plan_workspace_size(plan), state_size = sluice_plan_state_size(plan, 1);
	float *x = allocate(context, inputs * sizeof(float));
	void *state = allocate(context, state_size);
	run.workspace = allocate(context, workspace_size);
	run.initial_state = state;
	run.final_state = state;
	run.x = x;
	for (size_t t = 0; t < STEPS; t++) {
		for (size_t k = 0; k < inputs; k++)
			x[k] = sinf(0.4f * (float)t + (float)k);
		run.y = y + t * outputs;
		check(sluice_step(plan, &run));
	}
	sluice_release(context, run.workspace, workspace_size);
	sluice_release(context, state, state_size);
	sluice_release(context, x, inputs * sizeof(float));
	sluice_plan_destroy(plan);
}

int main(int count, char **arguments)
{
	const char *path = count > 1 ? arguments[1] : "04_load.safetensors";
	sluice_context *context;
	sluice_model *model;
	float *expected = NULL;
	int same = 1;

	check(sluice_context_create(NULL, &context));
	if (count < 2) {
		sluice_model *made = build(context);
		expected = allocate(context, STEPS * sluice_model_outputs(made) * sizeof(float));
		stream(context, made, expected);
		check(sluice_model_save(context, made, NULL, path));
		sluice_model_destroy(made);
	}

	/* The last argument would hand over what else lies in the file, such as a vocabulary. */
	check(sluice_model_load(context, path, &model, NULL));
	size_t outputs = sluice_model_outputs(model), bytes = STEPS * outputs * sizeof(float);
	float *y = allocate(context, bytes);
	stream(context, model, y);
	printf("%s: %zu layers, %zu inputs, %zu outputs\n", path, sluice_model_description(model)->layer_count,
	       sluice_model_description(model)->inputs, outputs);
	printf("y[%d][0] = %.9f\n", STEPS - 1, y[(STEPS - 1) * outputs]);
	if (expected) {
		same = memcmp(expected, y, bytes) == 0;
		printf("the loaded model agrees with the one that was saved, bit for bit: %s\n", same ? "yes" : "no");
		sluice_release(context, expected, bytes);
	}
	sluice_release(context, y, bytes);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
	return same ? 0 : 1;
}
