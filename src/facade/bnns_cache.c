/* bnns_cache.c exists to make a training cache of the core's tape: memory of any alignment, with what tells its origin.
 */
#include "bnns_internal.h"

#include <string.h>

enum { ALIGNMENT = 64 }; /* of a tape */

static const char MAGIC[8] = {'s', 'l', 'u', 'i', 'c', 'e', 'L', '1'};

/* What stands before the tape. */
struct header {
	char magic[8];
	uint64_t geometry; /* of the network and the batch sizes */
	uint64_t seed;
	uint64_t offset; /* of the tape: the cache may be moved to memory of another alignment */
};

/* FNV-1a: a cache of another network is a mistake, not an attack. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t count)
{
	for (size_t k = 0; k < count; k++)
		hash = (hash ^ ((const unsigned char *)bytes)[k]) * 0x100000001b3;
	return hash;
}

static uint64_t geometry_of(const struct call *call)
{
	struct network network = call->network;
	/* Neither has a part in what the tape holds. */
	network.threads = 0;
	network.layout = SLUICE_TIME_MAJOR;
	uint64_t hash = mix(0xcbf29ce484222325, &network, sizeof network);
	for (size_t t = 0; t < network.steps; t++) {
		const uint64_t rows =
			call->sequence.data ? sluice__bnns_sequence_at(&call->sequence, t) : network.batch;
		hash = mix(hash, &rows, sizeof rows);
	}
	return hash;
}

static size_t padding_of(const void *at)
{
	return (size_t)(-(uintptr_t)at % ALIGNMENT);
}

size_t sluice__bnns_cache_bytes(const struct entry *entry)
{
	return sizeof(struct header) + ALIGNMENT - 1 + sluice_plan_tape_size(entry->plan, entry->network.steps);
}

sluice_status sluice__bnns_cache_check(const struct entry *entry, size_t capacity)
{
	if (capacity < sluice__bnns_cache_bytes(entry))
		return BNNS_INVALID("training_cache_capacity is %zu, expected at least %zu", capacity,
				    sluice__bnns_cache_bytes(entry));
	return SLUICE_OK;
}

void *sluice__bnns_cache_tape(void *cache)
{
	char *behind = (char *)cache + sizeof(struct header);
	return behind + padding_of(behind);
}

void sluice__bnns_cache_write(const struct call *call, const void *tape, uint64_t seed, void *cache)
{
	struct header header = {.geometry = geometry_of(call), .seed = seed};
	header.offset = (uint64_t)((const char *)tape - (const char *)cache);
	memcpy(header.magic, MAGIC, sizeof MAGIC);
	memcpy(cache, &header, sizeof header);
}

sluice_status sluice__bnns_cache_read(struct entry *entry, const struct call *call, const void *cache, size_t capacity,
				      struct cache *out)
{
	const size_t bytes = sluice_plan_tape_size(entry->plan, entry->network.steps);
	struct header header;
	void *copy;
	BNNS_TRY(sluice__bnns_cache_check(entry, capacity));
	memcpy(&header, cache, sizeof header);
	if (memcmp(header.magic, MAGIC, sizeof MAGIC) != 0 || header.offset < sizeof header ||
	    header.offset >= sizeof header + ALIGNMENT)
		return BNNS_INVALID("training_cache_ptr holds nothing that a forward call has written");
	if (header.geometry != geometry_of(call))
		return BNNS_INVALID(
			"training_cache_ptr holds the forward call of another network, other batch sizes or "
			"other options");
	out->seed = header.seed;
	out->tape = (const char *)cache + header.offset;
	if (padding_of(out->tape) == 0)
		return SLUICE_OK;
	BNNS_TRY(sluice__bnns_buffer(entry, BUFFER_TAPE, bytes, &copy));
	memcpy(copy, out->tape, bytes);
	out->tape = copy;
	return SLUICE_OK;
}

/* Has nothing but the sizes to ask for, so that it is answered by the plan that the calls will use. */
static sluice_status capacity_find(const BNNSLayerParametersLSTM *layer_params, size_t *bytes)
{
	struct call call;
	struct entry *entry;
	BNNS_TRY(sluice__bnns_read(layer_params, NULL, BNNS_CAPACITY, 1, &call));
	BNNS_TRY(sluice__bnns_take(&call.network, NULL, &entry));
	*bytes = sluice__bnns_cache_bytes(entry);
	sluice__bnns_give(entry);
	return SLUICE_OK;
}

size_t BNNSComputeLSTMTrainingCacheCapacity(const BNNSLayerParametersLSTM *layer_params)
{
	size_t bytes = 0;
	return capacity_find(layer_params, &bytes) == SLUICE_OK ? bytes : 0;
}
