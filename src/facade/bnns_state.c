/* bnns_state.c exists to bring h and c of all layers and directions into a state of the core and out of it. */
#include "bnns_internal.h"

#include <string.h>

/* Whether the rows of all sequences lie as the core takes them. */
static int direct(const struct tensor *tensor)
{
	return tensor->type == SLUICE_F32 && !tensor->accumulate && (tensor->stride[0] == 1 || tensor->count[0] == 1) &&
	       (tensor->stride[1] == tensor->count[0] || tensor->count[1] == 1);
}

/* Rows of a tensor of one layer and direction, between the caller and floats without gaps. */
static void rows_exchange(const struct tensor *tensor, size_t direction, size_t layer, float *floats, int out)
{
	for (size_t row = 0; row < tensor->count[1]; row++) {
		const struct line theirs = sluice__bnns_line(tensor, row, direction, layer);
		const struct line ours = {(char *)(floats + row * tensor->count[0]), SLUICE_F32, 1};
		sluice__number_convert(out ? &theirs : &ours, out ? &ours : &theirs, tensor->count[0], 1,
				       out && tensor->accumulate);
	}
}

/* Where one part of the states of a layer and direction is, as the core takes it: the caller's memory or the scratch.
 */
static float *place_of(const struct tensor *tensor, size_t direction, size_t layer, float *scratch)
{
	if (!tensor->data)
		return NULL;
	return direct(tensor) ? (float *)(void *)sluice__bnns_line(tensor, 0, direction, layer).at : scratch;
}

static sluice_status scratch_take(struct entry *entry, float *scratch[2])
{
	const size_t count = entry->network.batch * entry->network.hidden;
	BNNS_TRY(sluice__bnns_buffer(entry, BUFFER_SCRATCH, 2 * count * sizeof(float), &scratch[0]));
	scratch[1] = scratch[0] + count;
	return SLUICE_OK;
}

sluice_status sluice__bnns_state_in(struct entry *entry, const struct states *from, void *state)
{
	const struct network *network = &entry->network;
	const struct tensor *parts[] = {&from->h, &from->c};
	float *scratch[2];
	BNNS_TRY(scratch_take(entry, scratch));
	if (!from->h.data || !from->c.data)
		memset(state, 0, sluice_plan_state_size(entry->plan, network->batch));
	for (size_t layer = 0; layer < network->layers; layer++)
		for (size_t direction = 0; direction < network->directions; direction++) {
			float *at[2];
			for (size_t part = 0; part < 2; part++) {
				at[part] = place_of(parts[part], direction, layer, scratch[part]);
				if (at[part] == scratch[part])
					rows_exchange(parts[part], direction, layer, scratch[part], 0);
			}
			BNNS_TRY(
				sluice_state_write(entry->plan, state, network->batch, layer, direction, at[0], at[1]));
		}
	return SLUICE_OK;
}

sluice_status sluice__bnns_state_out(struct entry *entry, const void *state, const struct states *to)
{
	const struct network *network = &entry->network;
	const struct tensor *parts[] = {&to->h, &to->c};
	float *scratch[2];
	BNNS_TRY(scratch_take(entry, scratch));
	for (size_t layer = 0; layer < network->layers; layer++)
		for (size_t direction = 0; direction < network->directions; direction++) {
			float *at[2];
			for (size_t part = 0; part < 2; part++)
				at[part] = place_of(parts[part], direction, layer, scratch[part]);
			BNNS_TRY(sluice_state_read(entry->plan, state, network->batch, layer, direction, at[0], at[1]));
			for (size_t part = 0; part < 2; part++)
				if (at[part] == scratch[part])
					rows_exchange(parts[part], direction, layer, scratch[part], 1);
		}
	return SLUICE_OK;
}
