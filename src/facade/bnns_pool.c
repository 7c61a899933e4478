/* bnns_pool.c exists to keep entries from call to call, each for one call at a time, and promises about weights. */
#include "bnns_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Entries that nobody uses and that are kept: so many networks at once need no new plans. And so many of one network,
 * with different weights, before weights take the place of others. */
enum { MOST_KEPT = 64, MOST_ALIKE = 8 };

struct promise {
	struct promise *next;
	uint64_t number;
	struct weights weights;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *idle; /* the last one given back first */
static size_t idle_count;
static uint64_t generation; /* counts clearings: entries of former ones are not kept */
static struct promise *promises;
static uint64_t promise_count;

static int same_network(const struct entry *entry, const struct network *network)
{
	return memcmp(&entry->network, network, sizeof *network) == 0;
}

static int same_weights(const struct weights *a, const struct weights *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* The link to the entry to take: one with these weights, or one that has none yet, or the oldest of many. */
static struct entry **find(const struct network *network, const struct weights *weights)
{
	struct entry **fresh = NULL, **oldest = NULL;
	size_t alike = 0;
	for (struct entry **link = &idle; *link; link = &(*link)->next) {
		if (!same_network(*link, network))
			continue;
		if (!weights || same_weights(&(*link)->loaded, weights))
			return link;
		if (!(*link)->loaded.recurrent[0].data)
			fresh = link;
		oldest = link;
		alike++;
	}
	return fresh ? fresh : alike >= MOST_ALIKE ? oldest : NULL;
}

sluice_status sluice__bnns_take(const struct network *network, const struct weights *weights, struct entry **out)
{
	struct entry *entry = NULL;
	pthread_mutex_lock(&lock);
	struct entry **link = find(network, weights);
	if (link) {
		entry = *link;
		*link = entry->next;
		idle_count--;
	}
	const uint64_t now = generation;
	pthread_mutex_unlock(&lock);
	if (!entry)
		BNNS_TRY(sluice__bnns_entry_create(network, &entry));
	entry->generation = now;
	*out = entry;
	return SLUICE_OK;
}

/* Takes the last idle entry away. */
static struct entry *drop_last(void)
{
	struct entry **link = &idle;
	while ((*link)->next)
		link = &(*link)->next;
	struct entry *last = *link;
	*link = NULL;
	idle_count--;
	return last;
}

void sluice__bnns_give(struct entry *entry)
{
	struct entry *out = NULL;
	pthread_mutex_lock(&lock);
	if (entry->generation != generation) {
		out = entry;
	} else {
		entry->next = idle;
		idle = entry;
		if (++idle_count > MOST_KEPT)
			out = drop_last();
	}
	pthread_mutex_unlock(&lock);
	if (out)
		sluice__bnns_entry_destroy(out);
}

void sluice_bnns_clear_cache(void)
{
	pthread_mutex_lock(&lock);
	struct entry *entry = idle;
	idle = NULL;
	idle_count = 0;
	generation++;
	pthread_mutex_unlock(&lock);
	while (entry) {
		struct entry *next = entry->next;
		sluice__bnns_entry_destroy(entry);
		entry = next;
	}
}

/* --- promises --- */

static struct promise **promise_find(const struct weights *weights)
{
	struct promise **link = &promises;
	while (*link && !same_weights(&(*link)->weights, weights))
		link = &(*link)->next;
	return link;
}

uint64_t sluice__bnns_promise(const struct weights *weights)
{
	pthread_mutex_lock(&lock);
	const struct promise *promise = *promise_find(weights);
	const uint64_t number = promise ? promise->number : 0;
	pthread_mutex_unlock(&lock);
	return number;
}

static void promise_remove(const struct weights *weights)
{
	pthread_mutex_lock(&lock);
	struct promise **link = promise_find(weights), *promise = *link;
	if (promise)
		*link = promise->next;
	pthread_mutex_unlock(&lock);
	free(promise);
}

static sluice_status promise_add(const struct weights *weights)
{
	struct promise *fresh = malloc(sizeof *fresh);
	if (!fresh)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "malloc returned NULL for %zu bytes", sizeof *fresh);
	fresh->weights = *weights;
	pthread_mutex_lock(&lock);
	if (!*promise_find(weights)) {
		fresh->number = ++promise_count;
		fresh->next = promises;
		promises = fresh;
		fresh = NULL;
	}
	pthread_mutex_unlock(&lock);
	free(fresh);
	return SLUICE_OK;
}

int sluice_bnns_weights_constant(const BNNSLayerParametersLSTM *layer_params, int constant)
{
	struct call call;
	if (sluice__bnns_read(layer_params, NULL, BNNS_WEIGHTS, 0, &call) != SLUICE_OK)
		return -1;
	if (!constant) {
		promise_remove(&call.given.weights);
		return 0;
	}
	return promise_add(&call.given.weights) == SLUICE_OK ? 0 : -1;
}
