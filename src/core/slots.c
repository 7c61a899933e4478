/* slots.c exists to give single rows of a state, the slots of a server, a beginning, a copy and a life in a file. */
#include "core/slots.h"

#include <string.h>
#include <sluice/streams.h>

#include "kernels/kernels.h"

sluice_status sluice__forward_check(const sluice_plan *plan)
{
	const struct sluice__network *network = &plan->model->network;
	for (size_t index = 0; index < network->layer_count; index++)
		if (network->layers[index].reverse || network->layers[index].directions > 1)
			return sluice_fail(SLUICE_UNSUPPORTED,
					   "layer %zu runs in reverse: it needs its last step first", index);
	return SLUICE_OK;
}

static char *row_of(const sluice_plan *plan, const void *state, size_t slot)
{
	return (char *)state + slot * sluice__slot_bytes(plan);
}

sluice_status sluice_state_reset(const sluice_plan *plan, void *state, size_t first, size_t count)
{
	if (!plan)
		return sluice__null("plan");
	if (!state)
		return sluice__null("state");
	const void *start = plan->backend->start(&plan->prepared);
	for (size_t slot = first; slot < first + count; slot++)
		memcpy(row_of(plan, state, slot), start, sluice__slot_bytes(plan));
	return SLUICE_OK;
}

sluice_status sluice_slot_copy(const sluice_plan *plan, void *to, size_t to_slot, const void *from, size_t from_slot)
{
	if (!plan)
		return sluice__null("plan");
	if (!to || !from)
		return sluice__null(to ? "from" : "to");
	char *target = row_of(plan, to, to_slot);
	const char *source = row_of(plan, from, from_slot);
	if (target != source)
		memcpy(target, source, sluice__slot_bytes(plan));
	return SLUICE_OK;
}

/* ------------------------------------------------------------------------------------------- slots in files ---- */

/* A saved slot: this header, the two widths of every cell, then the numbers of every cell, h before c. On a machine of
 * the other byte order real_bytes is not what it was. */
struct header {
	char mark[8];
	uint32_t real_bytes, cells;
};

struct widths {
	uint64_t h, c;
};

/* Numbers of a cell, at all places. */
static struct widths widths_of(const struct sluice__layer *layer)
{
	return (struct widths){layer->places * layer->out, layer->places * layer->hidden};
}

static const char MARK[8] = {'s', 'l', 'u', 'i', 'c', 'e', 'S', '1'};

/* A layer and direction of a model. */
struct cell {
	const struct sluice__layer *layer;
	size_t direction;
};

static size_t cell_count(const struct sluice__network *network)
{
	size_t count = 0;
	for (size_t index = 0; index < network->layer_count; index++)
		count += network->layers[index].directions;
	return count;
}

/* Goes to the next cell; from one that is zero to the first. */
static void next_cell(const struct sluice__network *network, struct cell *cell)
{
	if (!cell->layer)
		cell->layer = network->layers;
	else if (++cell->direction == cell->layer->directions)
		*cell = (struct cell){cell->layer + 1, 0};
}

static size_t numbers_at(const struct sluice__network *network)
{
	return sizeof(struct header) + cell_count(network) * sizeof(struct widths);
}

size_t sluice_slot_size(const sluice_plan *plan)
{
	const struct sluice__network *network = &plan->model->network;
	return numbers_at(network) + (network->h_width + network->c_width) * plan->real_bytes;
}

/* Copies h and c of all cells between a row and their numbers without gaps. */
static void copy_numbers(const sluice_plan *plan, char *row, char *numbers, bool save)
{
	const struct sluice__network *network = &plan->model->network;
	const size_t bytes = plan->real_bytes, cells = cell_count(network);
	struct cell cell = {NULL, 0};
	for (size_t done = 0; done < cells; done++) {
		next_cell(network, &cell);
		const size_t at[] = {cell.layer->h[cell.direction], cell.layer->c[cell.direction]};
		const size_t width[] = {cell.layer->out, cell.layer->hidden};
		for (size_t each = 0; each < 2 * cell.layer->places; each++) {
			const size_t part = each / cell.layer->places, place = each % cell.layer->places;
			char *in_row = row + (at[part] + place * sluice__round_up(width[part], SLUICE__PAD)) * bytes;
			memcpy(save ? numbers : in_row, save ? in_row : numbers, width[part] * bytes);
			numbers += width[part] * bytes;
		}
	}
}

static sluice_status slot_check(const sluice_plan *plan, const void *state, const void *bytes)
{
	if (!plan)
		return sluice__null("plan");
	if (!state)
		return sluice__null("state");
	if (!bytes)
		return sluice__null("bytes");
	return SLUICE_OK;
}

sluice_status sluice_slot_save(const sluice_plan *plan, const void *state, size_t slot, void *bytes, size_t capacity)
{
	SLUICE_TRY(slot_check(plan, state, bytes));
	const struct sluice__network *network = &plan->model->network;
	if (capacity < sluice_slot_size(plan))
		return SLUICE_INVALID("capacity is %zu, expected at least %zu", capacity, sluice_slot_size(plan));
	struct header header = {.real_bytes = (uint32_t)plan->real_bytes, .cells = (uint32_t)cell_count(network)};
	memcpy(header.mark, MARK, sizeof MARK);
	memcpy(bytes, &header, sizeof header);
	char *to = (char *)bytes + sizeof header;
	struct cell cell = {NULL, 0};
	for (uint32_t done = 0; done < header.cells; done++, to += sizeof(struct widths)) {
		next_cell(network, &cell);
		const struct widths widths = widths_of(cell.layer);
		memcpy(to, &widths, sizeof widths);
	}
	copy_numbers(plan, row_of(plan, state, slot), to, true);
	return SLUICE_OK;
}

/* Whether the cells are those of this model. */
static sluice_status widths_check(const struct sluice__network *network, uint32_t cells, const char *from, size_t size)
{
	if (cells != cell_count(network))
		return sluice_fail(SLUICE_FORMAT, "the slot has %u cells, the model has %zu", cells,
				   cell_count(network));
	struct cell cell = {NULL, 0};
	for (size_t done = 0; done < cells && size >= sizeof(struct widths); done++) {
		struct widths widths;
		next_cell(network, &cell);
		const struct widths expected = widths_of(cell.layer);
		memcpy(&widths, from, sizeof widths);
		if (widths.h != expected.h || widths.c != expected.c)
			return sluice_fail(SLUICE_FORMAT,
					   "layer %zu, direction %zu of the slot has h of %llu and c of %llu numbers, "
					   "the model has %llu and %llu",
					   (size_t)(cell.layer - network->layers), cell.direction,
					   (unsigned long long)widths.h, (unsigned long long)widths.c,
					   (unsigned long long)expected.h, (unsigned long long)expected.c);
		from += sizeof widths;
		size -= sizeof widths;
	}
	return SLUICE_OK;
}

sluice_status sluice_slot_load(const sluice_plan *plan, void *state, size_t slot, const void *bytes, size_t size)
{
	SLUICE_TRY(slot_check(plan, state, bytes));
	const struct sluice__network *network = &plan->model->network;
	struct header header;
	if (size < sizeof header)
		return sluice_fail(SLUICE_FORMAT, "the slot has %zu bytes, expected %zu", size, sluice_slot_size(plan));
	memcpy(&header, bytes, sizeof header);
	if (memcmp(header.mark, MARK, sizeof MARK) != 0)
		return sluice_fail(SLUICE_FORMAT, "the bytes do not begin as a slot does");
	if (header.real_bytes != plan->real_bytes)
		return sluice_fail(SLUICE_FORMAT, "the slot has numbers of %u bytes, the plan has numbers of %zu",
				   header.real_bytes, plan->real_bytes);
	SLUICE_TRY(widths_check(network, header.cells, (const char *)bytes + sizeof header, size - sizeof header));
	if (size != sluice_slot_size(plan))
		return sluice_fail(SLUICE_FORMAT, "the slot has %zu bytes, expected %zu", size, sluice_slot_size(plan));
	copy_numbers(plan, row_of(plan, state, slot), (char *)bytes + numbers_at(network), false);
	return SLUICE_OK;
}

/* ------------------------------------------------------------------------------------------------- prewarm ---- */

sluice_status sluice_prewarm(const sluice_plan *plan, void *state, size_t slot, const void *x, size_t steps,
			     void *workspace)
{
	if (!plan)
		return sluice__null("plan");
	if (!state || !workspace)
		return sluice__null(state ? "workspace" : "state");
	SLUICE_TRY(sluice__forward_check(plan));
	sluice_run run = SLUICE_RUN_INIT;
	run.batch = 1;
	run.x = x ? x : plan->zero_frame;
	run.initial_state = run.final_state = row_of(plan, state, slot);
	run.workspace = workspace;
	for (size_t done = 0; done < steps; done++)
		SLUICE_TRY(sluice_step(plan, &run));
	return SLUICE_OK;
}
