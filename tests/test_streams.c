/* test_streams.c exists for the collector: every stream gets the bits that it would get alone, whoever comes and goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "row_fixture.h"
#include "sluice/streams.h"

enum { STREAMS = 29, TICKS = 12 };

/* What a stream has been through, to be done again alone. */
struct life {
	int open, waits;
	size_t frames;    /* since it was opened */
	void *state;      /* after all of them, stepped alone */
	uint64_t next_id; /* of its next frame */
};

struct scene {
	struct network network;
	sluice_streams *streams;
	struct life lives[STREAMS];
	char *x, *y; /* one frame each */
};

static struct scene new_scene(const struct option_wish *option, const char *isa)
{
	struct scene scene = {.network = row_network(option, isa)};
	assert_ok(sluice_streams_create(scene.network.plan, STREAMS, &scene.streams));
	for (size_t j = 0; j < STREAMS; j++)
		scene.lives[j].state = aligned_zeros(state_row_bytes(&scene.network));
	scene.x = aligned_zeros(scene.network.inputs * scene.network.data_bytes);
	scene.y = aligned_zeros(scene.network.outputs * scene.network.data_bytes);
	return scene;
}

static void destroy_scene(struct scene *scene)
{
	sluice_streams_destroy(scene->streams);
	for (size_t j = 0; j < STREAMS; j++)
		free(scene->lives[j].state);
	free(scene->x);
	free(scene->y);
	network_destroy(&scene->network);
}

static void open_one(struct scene *scene)
{
	size_t stream = STREAMS, lowest = 0;
	while (lowest < STREAMS && scene->lives[lowest].open)
		lowest++;
	if (lowest == STREAMS) {
		assert_refused(sluice_streams_open(scene->streams, &stream), SLUICE_INVALID_ARGUMENT,
			       "all 29 streams are open");
		assert_int_equal(stream, STREAMS);
		return;
	}
	assert_ok(sluice_streams_open(scene->streams, &stream));
	assert_int_equal(stream, lowest);
	assert_null(sluice_streams_output(scene->streams, stream));
	struct life *life = &scene->lives[stream];
	life->open = 1;
	life->waits = 0;
	life->frames = 0;
	assert_ok(sluice_state_reset(scene->network.plan, life->state, 0, 1));
}

static void close_one(struct scene *scene, size_t stream)
{
	assert_ok(sluice_streams_close(scene->streams, stream));
	scene->lives[stream].open = scene->lives[stream].waits = 0;
	assert_null(sluice_streams_output(scene->streams, stream));
	assert_refused(sluice_streams_close(scene->streams, stream), SLUICE_INVALID_ARGUMENT,
		       "expected one that is open");
}

static void fill_frame(struct scene *scene, size_t stream)
{
	struct life *life = &scene->lives[stream];
	fill_random_as(scene->network.wish.data, scene->x, scene->network.inputs, 1000 * (stream + 1) + life->next_id);
}

static void push_one(struct scene *scene, size_t stream)
{
	fill_frame(scene, stream);
	assert_ok(sluice_streams_push(scene->streams, stream, scene->x));
	assert_refused(sluice_streams_push(scene->streams, stream, scene->x), SLUICE_INVALID_ARGUMENT,
		       "expected one of which no frame waits");
	scene->lives[stream].waits = 1;
}

/* Some are opened, some closed, some have a frame. */
static void come_and_go(struct scene *scene, size_t tick)
{
	float chances[2 * STREAMS];
	fill_random(chances, 2 * STREAMS, 500 + tick);
	for (size_t j = 0; j < STREAMS; j++) {
		if (chances[j] > 0.5f)
			open_one(scene);
		if (scene->lives[j].open && chances[STREAMS + j] > 0.0f)
			push_one(scene, j);
		if (scene->lives[j].open && chances[j] < -0.9f)
			close_one(scene, j);
	}
}

/* The frame of a stream once more, by a step of its own. */
static void check_stream(const char *context, struct scene *scene, size_t stream)
{
	struct network *network = &scene->network;
	struct life *life = &scene->lives[stream];
	const void *y = sluice_streams_output(scene->streams, stream);
	if (!life->waits) {
		assert_null(y);
		return;
	}
	fill_frame(scene, stream);
	sluice_run run = SLUICE_RUN_INIT;
	run.batch = 1;
	run.x = scene->x;
	run.y = scene->y;
	run.initial_state = run.final_state = life->state;
	run.workspace = network->workspace;
	assert_ok(sluice_step(network->plan, &run));
	assert_non_null(y);
	if (memcmp(y, scene->y, network->outputs * network->data_bytes) != 0)
		fail_msg("%s: y of stream %zu differs in its frame %zu", context, stream, life->frames);
	life->waits = 0;
	life->frames++;
	life->next_id++;
}

/* The collector steps 9 rows at once at most: now and then a tick takes two steps. */
static void streams_are_alone(const struct option_wish *option, const char *isa)
{
	if (!wish_runs_forward(&option->wish)) {
		struct network network = row_network(option, isa);
		sluice_streams *streams = (sluice_streams *)&network;
		assert_refused(sluice_streams_create(network.plan, 1, &streams), SLUICE_UNSUPPORTED,
			       "runs in reverse: it needs its last step first");
		assert_null(streams);
		network_destroy(&network);
		return;
	}
	struct scene scene = new_scene(option, isa);
	const char *context = row_context(option, isa, "streams", 0);
	size_t most = 0;
	for (size_t tick = 0; tick < TICKS; tick++) {
		size_t stepped, waiting = 0;
		come_and_go(&scene, tick);
		for (size_t j = 0; j < STREAMS; j++)
			waiting += (size_t)scene.lives[j].waits;
		assert_ok(sluice_streams_tick(scene.streams, &stepped));
		assert_int_equal(stepped, waiting);
		most = waiting > most ? waiting : most;
		for (size_t j = 0; j < STREAMS; j++) {
			check_stream(context, &scene, j);
			if (scene.lives[j].open)
				assert_same_state(context, &scene.network, CELLS_ALL,
						  sluice_streams_state(scene.streams), j, scene.lives[j].state, 0);
		}
	}
	assert_true(most > ROW_BATCH);
	destroy_scene(&scene);
}

static void test_collector(void **unused)
{
	(void)unused;
	rows_on_every_level(streams_are_alone);
}

static const struct option_wish small = {"small", {.inputs = 2, .hidden = {5}, .outputs = 3}};

/* A tick without frames steps nobody; frames wait for one tick only; outputs stay until the next. */
static void test_ticks(void **unused)
{
	(void)unused;
	struct network network = row_network(&small, NULL);
	sluice_streams *streams;
	size_t a, b, stepped = 7;
	const float x[2] = {0.25f, -1};
	assert_ok(sluice_streams_create(network.plan, 2, &streams));
	assert_ok(sluice_streams_tick(streams, &stepped));
	assert_int_equal(stepped, 0);
	assert_ok(sluice_streams_open(streams, &a));
	assert_ok(sluice_streams_open(streams, &b));
	assert_ok(sluice_streams_push(streams, b, x));
	assert_null(sluice_streams_output(streams, b));
	assert_ok(sluice_streams_tick(streams, NULL));
	assert_null(sluice_streams_output(streams, a));
	const float *y = sluice_streams_output(streams, b);
	assert_non_null(y);
	/* The next frame waits beside the last output. */
	const float before = y[0];
	assert_ok(sluice_streams_push(streams, b, x));
	assert_true(sluice_streams_output(streams, b) == y && y[0] == before);
	assert_ok(sluice_streams_tick(streams, &stepped));
	assert_int_equal(stepped, 1);
	assert_true(y[0] != before);
	assert_ok(sluice_streams_tick(streams, &stepped));
	assert_int_equal(stepped, 0);
	assert_null(sluice_streams_output(streams, b));
	/* A frame of a stream that is closed is dropped, and not the next one's. */
	assert_ok(sluice_streams_push(streams, a, x));
	assert_ok(sluice_streams_close(streams, a));
	assert_ok(sluice_streams_open(streams, &a));
	assert_int_equal(a, 0);
	assert_ok(sluice_streams_tick(streams, &stepped));
	assert_int_equal(stepped, 0);
	sluice_streams_destroy(streams);
	network_destroy(&network);
}

static void test_refusals(void **unused)
{
	(void)unused;
	struct network network = row_network(&small, NULL);
	sluice_streams *streams = (sluice_streams *)&network;
	size_t stream = 99;
	const float x[2] = {0};
	assert_refused(sluice_streams_create(network.plan, 0, &streams), SLUICE_INVALID_ARGUMENT, "capacity is 0");
	assert_null(streams);
	assert_refused(sluice_streams_create(network.plan, SIZE_MAX / 8, &streams), SLUICE_INVALID_ARGUMENT,
		       "more bytes than a size_t counts");
	assert_refused(sluice_streams_create(NULL, 1, &streams), SLUICE_INVALID_ARGUMENT, "plan is NULL");
	assert_refused(sluice_streams_create(network.plan, 1, NULL), SLUICE_INVALID_ARGUMENT, "out is NULL");
	assert_ok(sluice_streams_create(network.plan, 2, &streams));
	assert_refused(sluice_streams_push(streams, 0, x), SLUICE_INVALID_ARGUMENT,
		       "stream is 0, expected one that is open");
	assert_refused(sluice_streams_push(streams, 2, x), SLUICE_INVALID_ARGUMENT, "stream is 2");
	assert_refused(sluice_streams_close(streams, SIZE_MAX), SLUICE_INVALID_ARGUMENT, "stream is");
	assert_null(sluice_streams_output(streams, 2));
	assert_refused(sluice_streams_open(NULL, &stream), SLUICE_INVALID_ARGUMENT, "streams is NULL");
	assert_refused(sluice_streams_open(streams, NULL), SLUICE_INVALID_ARGUMENT, "stream is NULL");
	assert_int_equal(stream, 99);
	assert_ok(sluice_streams_open(streams, &stream));
	assert_refused(sluice_streams_push(streams, stream, NULL), SLUICE_INVALID_ARGUMENT, "x is NULL");
	assert_refused(sluice_streams_push(NULL, stream, x), SLUICE_INVALID_ARGUMENT, "streams is NULL");
	assert_refused(sluice_streams_close(NULL, stream), SLUICE_INVALID_ARGUMENT, "streams is NULL");
	assert_refused(sluice_streams_tick(NULL, NULL), SLUICE_INVALID_ARGUMENT, "streams is NULL");
	sluice_streams_destroy(streams);
	sluice_streams_destroy(NULL);
	network_destroy(&network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_collector),
		cmocka_unit_test(test_ticks),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
