/* bnns_weights.c exists to bring the caller's weights into a plan when they changed, and gradients out to him. */
#include "bnns_internal.h"

#include <string.h>

/* One kind of tensors of a cell, gate behind gate in the core's block. */
struct block {
	const struct tensor *gates; /* that of gate k is gates[k * apart] */
	size_t apart;
	size_t offset, rows, columns;
	size_t layer; /* the last index of the tensors */
	int vector;   /* biases have no rows */
	float factor; /* of what the core has */
};

enum { BLOCKS = 4 };

/* The tensors of a layer and direction. Where kept outputs are not to be scaled but the core does, W takes it back. */
static void blocks_of(const struct entry *entry, const struct weights *weights, size_t layer, size_t direction,
		      struct block blocks[BLOCKS])
{
	const struct network *network = &entry->network;
	const struct offsets *offsets = &entry->offsets[layer * network->directions + direction];
	const size_t upper = layer > 0 && entry->loaded.input[0][1].data;
	const size_t h = network->hidden, above = network->concatenated ? network->directions * h : h;
	const float factor = network->unscaled && layer > 0 ? 1 - network->dropout : 1;
	blocks[0] = (struct block){&weights->input[0][upper],
				   2,
				   offsets->input,
				   h,
				   layer > 0 ? above : network->inputs,
				   layer - upper,
				   0,
				   factor};
	blocks[1] = (struct block){weights->recurrent, 1, offsets->recurrent, h, h, layer, 0, 1};
	blocks[2] = (struct block){weights->peephole, 1, offsets->peephole, h, h, layer, 0, 1};
	blocks[3] = (struct block){weights->bias, 1, offsets->bias, 1, h, layer, 1, 1};
}

static struct line row_of(const struct tensor *tensor, const struct block *block, size_t row, size_t direction)
{
	if (block->vector)
		return sluice__bnns_line(tensor, direction, block->layer, 0);
	return sluice__bnns_line(tensor, row, direction, block->layer);
}

/* Rows of a block that lie behind each other are one row. */
static void join_rows(const struct tensor *tensor, struct block *block)
{
	if (block->rows > 1 && tensor->stride[1] == block->columns && (tensor->stride[0] == 1 || block->columns == 1)) {
		block->columns *= block->rows;
		block->rows = 1;
	}
}

static int block_load(const struct block *block, size_t direction, float *parameters)
{
	int changed = 0;
	for (size_t gate = 0; gate < BNNS_GATES; gate++) {
		const struct tensor *tensor = &block->gates[gate * block->apart];
		float *to = parameters + block->offset + gate * block->rows * block->columns;
		struct block joined = *block;
		if (!tensor->data)
			continue;
		join_rows(tensor, &joined);
		for (size_t row = 0; row < joined.rows; row++, to += joined.columns) {
			const struct line from = row_of(tensor, &joined, row, direction);
			changed |= sluice__number_renew(to, &from, joined.columns, block->factor);
		}
	}
	return changed;
}

sluice_status sluice__bnns_load(struct entry *entry, const struct weights *weights)
{
	const struct network *network = &entry->network;
	const uint64_t promise = sluice__bnns_promise(weights);
	if (promise && entry->promise == promise && memcmp(&entry->loaded, weights, sizeof *weights) == 0)
		return SLUICE_OK;
	float *parameters = sluice_model_parameters(entry->model, NULL);
	int changed = 0;
	entry->loaded = *weights;
	entry->promise = promise;
	for (size_t layer = 0; layer < network->layers; layer++)
		for (size_t direction = 0; direction < network->directions; direction++) {
			struct block blocks[BLOCKS];
			blocks_of(entry, weights, layer, direction, blocks);
			for (size_t each = 0; each < BLOCKS; each++)
				changed |= block_load(&blocks[each], direction, parameters);
		}
	return changed ? sluice_plan_update(entry->plan) : SLUICE_OK;
}

static void block_store(const struct block *block, size_t direction, const float *gradients)
{
	for (size_t gate = 0; gate < BNNS_GATES; gate++) {
		const struct tensor *tensor = &block->gates[gate * block->apart];
		const float *from = gradients + block->offset + gate * block->rows * block->columns;
		struct block joined = *block;
		if (!tensor->data)
			continue;
		join_rows(tensor, &joined);
		for (size_t row = 0; row < joined.rows; row++, from += joined.columns) {
			const struct line to = row_of(tensor, &joined, row, direction);
			const struct line line = {(char *)(uintptr_t)from, SLUICE_F32, 1};
			sluice__number_convert(&to, &line, joined.columns, block->factor, tensor->accumulate);
		}
	}
}

void sluice__bnns_store_gradients(const struct entry *entry, const float *gradients, const struct weights *to)
{
	const struct network *network = &entry->network;
	for (size_t layer = 0; layer < network->layers; layer++)
		for (size_t direction = 0; direction < network->directions; direction++) {
			struct block blocks[BLOCKS];
			blocks_of(entry, to, layer, direction, blocks);
			for (size_t each = 0; each < BLOCKS; each++)
				block_store(&blocks[each], direction, gradients);
		}
}
