/*
 * 05_streams.c: many streams on one set of weights, as a server or a game with many voices has them.
 *
 * Shows the collector, which steps together whoever has a frame; a state that is prewarmed, so that no stream begins
 * with the settling of its state; a stream that is saved and taken up by another one; and blocks of frames of chosen
 * slots. Each stream gets the bits that it would get alone.
 */
#include <sluice/streams.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STREAMS = 6, FRAMES = 64, INPUTS = 2, HIDDEN = 24, WARM = 50, BATCH = 4 };

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

/* Two numbers in, one out: two layers and a dense read-out, with random weights. */
static sluice_model *build(sluice_context *context)
{
	sluice_layer layers[2] = {SLUICE_LAYER_INIT, SLUICE_LAYER_INIT};
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_model *model;

	layers[0].hidden = layers[1].hidden = HIDDEN;
	description.inputs = INPUTS;
	description.layer_count = 2;
	description.layers = layers;
	description.outputs = 1;
	check(sluice_model_create(context, &description, &model));
	check(sluice_model_initialize(model, NULL));
	return model;
}

static void make_frame(int stream, int k, float x[INPUTS])
{
	x[0] = sinf(0.1f * (float)(stream + 1) * (float)k);
	x[1] = 0.25f * (float)stream;
}

/* Streams come in one after the other, and each has a frame in two ticks of three. y[stream][k]: of its frame k. */
static void collect(sluice_streams *streams, const sluice_plan *plan, void *workspace, float y[STREAMS][FRAMES])
{
	const float silence[INPUTS] = {0, 0};
	int frames[STREAMS] = {0}, open = 0;
	size_t stream;

	for (int tick = 0; frames[STREAMS - 1] < FRAMES; tick++) {
		if (open < STREAMS && tick % 5 == 0) {
			check(sluice_streams_open(streams, &stream));
			check(sluice_prewarm(plan, sluice_streams_state(streams), stream, silence, WARM, workspace));
			open++;
		}
		for (int each = 0; each < open; each++) {
			float x[INPUTS];

			make_frame(each, frames[each], x);
			if ((tick + each) % 3 > 0 && frames[each] < FRAMES)
				check(sluice_streams_push(streams, (size_t)each, x));
		}
		check(sluice_streams_tick(streams, NULL));
		for (int each = 0; each < open; each++) {
			const float *out = sluice_streams_output(streams, (size_t)each);

			if (out)
				y[each][frames[each]++] = *out;
		}
	}
}

/* The same frames of one stream, alone and in one call. */
static void run_alone(const sluice_plan *plan, int stream, void *state, void *workspace, float y[FRAMES])
{
	float x[FRAMES][INPUTS];
	sluice_run run = SLUICE_RUN_INIT;

	for (int k = 0; k < FRAMES; k++)
		make_frame(stream, k, x[k]);
	check(sluice_state_reset(plan, state, 0, 1));
	check(sluice_prewarm(plan, state, 0, NULL, WARM, workspace));
	run.batch = 1;
	run.x = x;
	run.y = y;
	run.initial_state = run.final_state = state;
	run.workspace = workspace;
	check(sluice_forward(plan, &run));
}

/* A block of frames for two slots: the same frames, and the second slot has taken up what the first one has saved. */
static int take_up(sluice_context *context, const sluice_plan *plan, void *state, void *workspace)
{
	static const size_t slots[2] = {4, 1};
	const size_t size = sluice_slot_size(plan);
	float x[FRAMES][2][INPUTS], y[FRAMES][2];
	void *saved = allocate(context, size);
	sluice_run run = SLUICE_RUN_INIT;

	check(sluice_slot_save(plan, state, slots[0], saved, size));
	check(sluice_slot_load(plan, state, slots[1], saved, size));
	sluice_release(context, saved, size);
	for (int k = 0; k < FRAMES; k++) {
		make_frame(3, k, x[k][0]);
		make_frame(3, k, x[k][1]);
	}
	run.batch = 2;
	run.x = x;
	run.y = y;
	run.initial_state = run.final_state = state;
	run.slots = slots;
	run.slot_count = STREAMS;
	run.workspace = workspace;
	check(sluice_block(plan, &run));
	for (int k = 0; k < FRAMES; k++)
		if (y[k][0] != y[k][1])
			return 0;
	return 1;
}

int main(void)
{
	float together[STREAMS][FRAMES], alone[FRAMES];
	sluice_context *context;
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	sluice_plan *plan;
	sluice_streams *streams;
	int same = 1;

	check(sluice_context_create(NULL, &context));
	sluice_model *model = build(context);
	options.steps = FRAMES;
	options.batch = BATCH;
	check(sluice_plan_create(model, &options, &plan));
	const size_t workspace_size = sluice_plan_workspace_size(plan), state_size = sluice_plan_state_size(plan, 1);
	void *workspace = allocate(context, workspace_size), *state = allocate(context, state_size);

	check(sluice_streams_create(plan, STREAMS, &streams));
	collect(streams, plan, workspace, together);
	for (int stream = 0; stream < STREAMS; stream++) {
		run_alone(plan, stream, state, workspace, alone);
		same = same && memcmp(together[stream], alone, sizeof(alone)) == 0;
	}
	int taken_up = take_up(context, plan, sluice_streams_state(streams), workspace);
	printf("%d streams, stepped together up to %d at a time\n", STREAMS, BATCH);
	printf("each has the bits that it has alone: %s\n", same ? "yes" : "no");
	printf("a stream taken up from the bytes of another goes on as that does: %s\n", taken_up ? "yes" : "no");

	sluice_streams_destroy(streams);
	sluice_release(context, workspace, workspace_size);
	sluice_release(context, state, state_size);
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
	return same && taken_up && together[0][FRAMES - 1] != together[1][FRAMES - 1] ? 0 : 1;
}
