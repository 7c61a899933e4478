/* mpsgraph_lstm_weights.c exists to bring a node's weights into its plan when they changed, and their gradients out. */
#include "mpsgraph_internal.h"
#include "mpsgraph_lstm_core.h"

#include <string.h>

/* As the core names them; the second direction's names end in another way. */
static const char *const STARTS[LSTM_WEIGHTS] = {
	[LSTM_INPUT] = "weight_ih_",
	[LSTM_RECURRENT] = "weight_hh_",
	[LSTM_BIAS] = "bias_",
	[LSTM_PEEPHOLE] = "peephole_",
};
static const char REVERSE_END[] = "_reverse";

static size_t columns_of(const struct lstm_network *network, enum lstm_weight which)
{
	const size_t columns[LSTM_WEIGHTS] = {network->inputs, network->hidden, 1, 1};
	return network->given[which] ? columns[which] : 0;
}

size_t sluice__mpsgraph_lstm_weight_count(const struct lstm_network *network, enum lstm_weight which)
{
	return network->directions * LSTM_GATES * network->hidden * columns_of(network, which);
}

sluice_status sluice__mpsgraph_lstm_places(struct lstm_entry *entry)
{
	const size_t count = sluice_model_parameter_count(entry->model);
	for (size_t index = 0; index < count; index++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;
		MPS_TRY(sluice_model_parameter(entry->model, index, &parameter));
		const int direction = strstr(parameter.name, REVERSE_END) != NULL;
		for (int which = 0; which < LSTM_WEIGHTS; which++)
			if (strncmp(parameter.name, STARTS[which], strlen(STARTS[which])) == 0)
				entry->places[which].offset[direction] = parameter.offset;
	}
	for (int which = 0; which < LSTM_WEIGHTS; which++)
		entry->places[which].columns = columns_of(&entry->network, (enum lstm_weight)which);
	return SLUICE_OK;
}

/* Keeps what came; returns whether any bit of it differs from what came before. */
static int remember(struct lstm_entry *entry, const void *const weights[LSTM_WEIGHTS])
{
	const size_t element = sluice__number_bytes(entry->network.data);
	char *kept = entry->buffers[LSTM_LOADED].at;
	int changed = !entry->loaded;
	for (int which = 0; which < LSTM_WEIGHTS; which++) {
		const size_t bytes =
			element * sluice__mpsgraph_lstm_weight_count(&entry->network, (enum lstm_weight)which);
		if (bytes == 0)
			continue;
		const int known = entry->loaded && entry->network.constant[which];
		if (!known && (!entry->loaded || memcmp(kept, weights[which], bytes) != 0)) {
			memcpy(kept, weights[which], bytes);
			changed = 1;
		}
		kept += bytes;
	}
	return changed;
}

static sluice_status direction_set(struct lstm_entry *entry, const void *const weights[LSTM_WEIGHTS], size_t direction)
{
	const struct lstm_network *network = &entry->network;
	const size_t element = sluice__number_bytes(network->data);
	const void *at[LSTM_WEIGHTS];
	for (int which = 0; which < LSTM_WEIGHTS; which++) {
		const size_t count = LSTM_GATES * network->hidden * entry->places[which].columns;
		at[which] = network->given[which] ? (const char *)weights[which] + direction * count * element : NULL;
	}
	const sluice_weights view = {
		.size = sizeof view,
		.dtype = network->data,
		.order = network->forget_last ? "igfo" : "ifgo",
		.input = at[LSTM_INPUT],
		.recurrent = at[LSTM_RECURRENT],
		.bias = at[LSTM_BIAS],
		.peephole = at[LSTM_PEEPHOLE],
	};
	return sluice_model_set_weights(entry->model, 0, direction, &view);
}

sluice_status sluice__mpsgraph_lstm_load(struct lstm_entry *entry, const void *const weights[LSTM_WEIGHTS])
{
	if (!remember(entry, weights))
		return SLUICE_OK;
	entry->loaded = 0;
	for (size_t direction = 0; direction < entry->network.directions; direction++)
		MPS_TRY(direction_set(entry, weights, direction));
	MPS_TRY(sluice_plan_update(entry->plan));
	entry->loaded = 1;
	return SLUICE_OK;
}

/* The four gates of one direction, in the node's order. */
static void direction_store(const struct lstm_entry *entry, const struct lstm_place *place, size_t direction, char *to)
{
	static const size_t core_gate[2][LSTM_GATES] = {{0, 1, 2, 3}, {0, 2, 1, 3}};
	const struct lstm_network *network = &entry->network;
	const size_t count = network->hidden * place->columns;
	const float *block = entry->buffers[LSTM_BLOCK].at;
	for (size_t gate = 0; gate < LSTM_GATES; gate++) {
		const float *from = block + place->offset[direction] + core_gate[network->forget_last][gate] * count;
		sluice__mpsgraph_lstm_convert(to, network->data, from, SLUICE_F32, count);
		to += count * sluice__number_bytes(network->data);
	}
}

void sluice__mpsgraph_lstm_store(const struct lstm_entry *entry, void *const gradients[LSTM_WEIGHTS])
{
	const struct lstm_network *network = &entry->network;
	const size_t rows = LSTM_GATES * network->hidden, element = sluice__number_bytes(network->data);
	for (int which = 0; which < LSTM_WEIGHTS; which++) {
		const struct lstm_place *place = &entry->places[which];
		for (size_t direction = 0; gradients[which] && direction < network->directions; direction++)
			direction_store(entry, place, direction,
					(char *)gradients[which] + direction * rows * place->columns * element);
	}
}

void sluice__mpsgraph_lstm_convert(void *to, sluice_dtype to_type, const void *from, sluice_dtype from_type,
				   size_t count)
{
	const struct line there = {to, to_type, 1}, here = {(char *)(uintptr_t)from, from_type, 1};
	sluice__number_convert(&there, &here, count, 1, 0);
}
