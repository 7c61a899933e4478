/*
 * 02_stream.c: runs a model sample by sample, as an audio effect does, with a state that the caller owns.
 *
 * Shows that steps give the same bits as one call for the whole sequence, and that a state is plain memory: copy it,
 * and the stream can be taken up again from there.
 */
#include <sluice/sluice.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 480, MIDDLE = 200, HIDDEN = 20 };

static void check(sluice_status status)
{
	if (status == SLUICE_OK)
		return;
	fprintf(stderr, "%s: %s\n", sluice_status_name(status), sluice_last_message());
	exit(1);
}

/* Zeroed memory with the alignment that runs ask for. */
static void *allocate(sluice_context *context, size_t bytes)
{
	void *block = sluice_allocate(context, bytes);
	if (!block)
		check(SLUICE_OUT_OF_MEMORY);
	return block;
}

/* One sample in, one sample out: an LSTM and a dense read-out of width 1, with random weights. */
static sluice_model *build(sluice_context *context)
{
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_model *model;

	layer.hidden = HIDDEN;
	description.inputs = 1;
	description.layer_count = 1;
	description.layers = &layer;
	description.outputs = 1;
	check(sluice_model_create(context, &description, &model));
	check(sluice_model_initialize(model, NULL));
	return model;
}

/* The audio callback: reads and replaces the state, and makes no system call. */
static void process(const sluice_plan *plan, sluice_run *run, const float *in, float *out, int count)
{
	for (int k = 0; k < count; k++) {
		run->x = in + k;
		run->y = out + k;
		check(sluice_step(plan, run));
	}
}

int main(void)
{
	float x[SAMPLES], sequence[SAMPLES], stream[SAMPLES], again[SAMPLES];
	sluice_context *context;
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	sluice_plan *plan;

	for (int k = 0; k < SAMPLES; k++)
		x[k] = sinf(0.06f * (float)k);
	check(sluice_context_create(NULL, &context));
	sluice_model *model = build(context);
	options.steps = SAMPLES;
	check(sluice_plan_create(model, &options, &plan));

	size_t workspace_size = sluice_plan_workspace_size(plan);
	size_t state_size = sluice_plan_state_size(plan, 1);
	void *state = allocate(context, state_size);
	void *kept = allocate(context, state_size);
	sluice_run run = SLUICE_RUN_INIT;
	run.workspace = allocate(context, workspace_size);

	/* The whole sequence in one call, from the zero state. */
	run.x = x;
	run.y = sequence;
	check(sluice_forward(plan, &run));

	/* The same one sample at a time. The state is read and then replaced; all zero bytes is where a stream begins.
	 */
	run.initial_state = state;
	run.final_state = state;
	process(plan, &run, x, stream, MIDDLE);
	memcpy(kept, state, state_size);
	process(plan, &run, x + MIDDLE, stream + MIDDLE, SAMPLES - MIDDLE);

	/* And once more from the middle. */
	memcpy(state, kept, state_size);
	process(plan, &run, x + MIDDLE, again, SAMPLES - MIDDLE);

	int same = memcmp(sequence, stream, sizeof(stream)) == 0;
	int resumed = memcmp(stream + MIDDLE, again, (SAMPLES - MIDDLE) * sizeof(float)) == 0;
	printf("last sample: %.9f in one call, %.9f streamed\n", sequence[SAMPLES - 1], stream[SAMPLES - 1]);
	printf("steps and sequence agree bit for bit: %s\n", same ? "yes" : "no");
	printf("the stream taken up from a copy of the state agrees: %s\n", resumed ? "yes" : "no");

	sluice_release(context, run.workspace, workspace_size);
	sluice_release(context, state, state_size);
	sluice_release(context, kept, state_size);
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
	return same && resumed && sequence[SAMPLES - 1] != 0 ? 0 : 1;
}
