/* streams.c exists to collect the frames of many streams and to step all streams that have one together. */
#include "core/slots.h"

#include <string.h>
#include <sluice/streams.h>

#include "base/dtype.h"

/* What a stream is, or-ed together. */
enum { OPEN = 1, WAITS = 2, STEPPED = 4 };

struct sluice_streams {
	const sluice_plan *plan;
	size_t capacity, batch;  /* streams; rows of one step */
	size_t x_bytes, y_bytes; /* of one frame */
	unsigned char *marks;    /* [capacity] OPEN and so on */
	char *x, *y;             /* [capacity] frames that wait, frames of the last tick */
	char *x_rows, *y_rows;   /* [batch] frames of one step */
	size_t *slots;           /* [batch] */
	void *state, *workspace;
	void *block;
	size_t block_bytes;
};

/* Where the pieces of the block lie. */
struct map {
	size_t marks, x, y, x_rows, y_rows, slots, state, workspace;
};

static struct map map_pieces(const struct sluice_streams *streams, struct sluice__ledger *ledger)
{
	struct map map;
	map.marks = sluice__book(ledger, streams->capacity, 1, sizeof *streams->marks);
	map.x = sluice__book(ledger, streams->capacity, streams->x_bytes, 1);
	map.y = sluice__book(ledger, streams->capacity, streams->y_bytes, 1);
	map.x_rows = sluice__book(ledger, streams->batch, streams->x_bytes, 1);
	map.y_rows = sluice__book(ledger, streams->batch, streams->y_bytes, 1);
	map.slots = sluice__book(ledger, streams->batch, 1, sizeof *streams->slots);
	map.state = sluice__book(ledger, streams->capacity, sluice__slot_bytes(streams->plan), 1);
	map.workspace = sluice__book(ledger, sluice_plan_workspace_size(streams->plan), 1, 1);
	return map;
}

static void place_pieces(struct sluice_streams *streams, const struct map *map)
{
	void *block = streams->block;
	streams->marks = sluice__piece(block, map->marks);
	streams->x = sluice__piece(block, map->x);
	streams->y = sluice__piece(block, map->y);
	streams->x_rows = sluice__piece(block, map->x_rows);
	streams->y_rows = sluice__piece(block, map->y_rows);
	streams->slots = sluice__piece(block, map->slots);
	streams->state = sluice__piece(block, map->state);
	streams->workspace = sluice__piece(block, map->workspace);
}

sluice_status sluice_streams_create(const sluice_plan *plan, size_t capacity, sluice_streams **out)
{
	if (!out)
		return sluice__null("out");
	*out = NULL;
	if (!plan)
		return sluice__null("plan");
	if (capacity == 0)
		return SLUICE_INVALID("capacity is 0, expected at least 1");
	SLUICE_TRY(sluice__forward_check(plan));
	const struct sluice__network *network = &plan->model->network;
	const struct sluice__limits *limits = &plan->prepared.limits;
	const size_t data_bytes = sluice__dtype_bytes(limits->data);
	struct sluice_streams sizes = {
		.plan = plan,
		.capacity = capacity,
		.batch = capacity < limits->batch ? capacity : limits->batch,
		.x_bytes = network->x_width * data_bytes,
		.y_bytes = network->y_width * data_bytes,
	};
	struct sluice__ledger ledger = {0};
	const struct map map = map_pieces(&sizes, &ledger);
	if (ledger.overflow)
		return SLUICE_INVALID("capacity is %zu: so many streams need more bytes than a size_t counts",
				      capacity);
	const sluice_allocator *allocator = &plan->model->context->allocator;
	sluice_streams *streams = sluice__allocate(allocator, sizeof *streams);
	if (!streams)
		return SLUICE_OUT_OF_MEMORY;
	*streams = sizes;
	streams->block_bytes = ledger.bytes;
	streams->block = sluice__allocate(allocator, streams->block_bytes);
	if (!streams->block) {
		sluice_streams_destroy(streams);
		return SLUICE_OUT_OF_MEMORY;
	}
	place_pieces(streams, &map);
	*out = streams;
	return SLUICE_OK;
}

void sluice_streams_destroy(sluice_streams *streams)
{
	if (!streams)
		return;
	const sluice_allocator *allocator = &streams->plan->model->context->allocator;
	sluice__release(allocator, streams->block, streams->block_bytes);
	sluice__release(allocator, streams, sizeof *streams);
}

static bool is_open(const sluice_streams *streams, size_t stream)
{
	return stream < streams->capacity && (streams->marks[stream] & OPEN);
}

static sluice_status open_check(const sluice_streams *streams, size_t stream)
{
	if (!streams)
		return sluice__null("streams");
	if (!is_open(streams, stream))
		return SLUICE_INVALID("stream is %zu, expected one that is open", stream);
	return SLUICE_OK;
}

sluice_status sluice_streams_open(sluice_streams *streams, size_t *stream)
{
	if (!streams)
		return sluice__null("streams");
	if (!stream)
		return sluice__null("stream");
	const unsigned char *free_one = memchr(streams->marks, 0, streams->capacity);
	if (!free_one)
		return SLUICE_INVALID("all %zu streams are open", streams->capacity);
	const size_t slot = (size_t)(free_one - streams->marks);
	SLUICE_TRY(sluice_state_reset(streams->plan, streams->state, slot, 1));
	streams->marks[slot] = OPEN;
	*stream = slot;
	return SLUICE_OK;
}

sluice_status sluice_streams_close(sluice_streams *streams, size_t stream)
{
	SLUICE_TRY(open_check(streams, stream));
	streams->marks[stream] = 0;
	return SLUICE_OK;
}

sluice_status sluice_streams_push(sluice_streams *streams, size_t stream, const void *x)
{
	SLUICE_TRY(open_check(streams, stream));
	if (!x)
		return sluice__null("x");
	if (streams->marks[stream] & WAITS)
		return SLUICE_INVALID("stream is %zu, expected one of which no frame waits", stream);
	memcpy(streams->x + stream * streams->x_bytes, x, streams->x_bytes);
	streams->marks[stream] |= WAITS;
	return SLUICE_OK;
}

/* Names the next streams with a frame, from *next on, as many as a step takes; returns their number. */
static size_t gather(sluice_streams *streams, size_t *next)
{
	size_t rows = 0;
	for (; *next < streams->capacity && rows < streams->batch; ++*next) {
		if (!(streams->marks[*next] & WAITS))
			continue;
		memcpy(streams->x_rows + rows * streams->x_bytes, streams->x + *next * streams->x_bytes,
		       streams->x_bytes);
		streams->slots[rows++] = *next;
	}
	return rows;
}

static void scatter(sluice_streams *streams, size_t rows)
{
	for (size_t row = 0; row < rows; row++) {
		const size_t slot = streams->slots[row];
		memcpy(streams->y + slot * streams->y_bytes, streams->y_rows + row * streams->y_bytes,
		       streams->y_bytes);
		streams->marks[slot] = OPEN | STEPPED;
	}
}

static sluice_status step_rows(sluice_streams *streams, size_t rows)
{
	sluice_run run = SLUICE_RUN_INIT;
	run.batch = rows;
	run.x = streams->x_rows;
	run.y = streams->y_rows;
	run.initial_state = run.final_state = streams->state;
	run.slots = streams->slots;
	run.slot_count = streams->capacity;
	run.workspace = streams->workspace;
	return sluice_step(streams->plan, &run);
}

sluice_status sluice_streams_tick(sluice_streams *streams, size_t *stepped)
{
	if (!streams)
		return sluice__null("streams");
	for (size_t stream = 0; stream < streams->capacity; stream++)
		streams->marks[stream] &= OPEN | WAITS;
	size_t total = 0, next = 0;
	for (size_t rows; (rows = gather(streams, &next)) > 0; total += rows) {
		SLUICE_TRY(step_rows(streams, rows));
		scatter(streams, rows);
	}
	if (stepped)
		*stepped = total;
	return SLUICE_OK;
}

const void *sluice_streams_output(const sluice_streams *streams, size_t stream)
{
	if (!is_open(streams, stream) || !(streams->marks[stream] & STEPPED))
		return NULL;
	return streams->y + stream * streams->y_bytes;
}

void *sluice_streams_state(sluice_streams *streams)
{
	return streams->state;
}
