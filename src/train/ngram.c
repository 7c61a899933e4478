/*
 * ngram.c: counts and interpolates n-grams, so that the network is compared with honest counting on the same split.
 *
 * Interpolated Kneser-Ney smoothing (Kneser and Ney 1995, in the interpolated form of Chen and Goodman 1998), the
 * strongest of the classical kinds. With n(h,s) occurrences of the symbol s after the context h, n(h) their sum, D(h)
 *the number of different s, h' the context without its oldest symbol and d the discount of the level:
 *
 *	p(s|h) = (max(n(h,s) - d, 0) + d D(h) p(s|h')) / n(h),     p(s|h) = p(s|h') if n(h) = 0
 *
 * Below the order asked for, n(h,s) counts in how many different symbols' company (h,s) is found instead of how often.
 * Below order 0 stands the uniform distribution. d = n1/(n1 + 2 n2), with n1 and n2 strings seen once and twice.
 */
#include "ngram.h"

#include <math.h>

#define LEVELS (SLUICE__NGRAM_ORDER_MAX + 1)

/* How often a string of up to four symbols occurs, and how many symbols follow it. Empty where count is 0. */
struct entry {
	uint32_t key, distinct;
	uint64_t count;
};

/* A hash table with open addressing, at most half full. */
struct table {
	struct entry *entries;
	size_t capacity, used;
};

/* Contexts of a length and what follows them. */
struct level {
	struct table contexts, grams;
	double discount;
};

struct ngrams {
	const struct sluice__text *text;
	struct level occurrences[LEVELS]; /* [k]: contexts of k symbols; how often */
	struct level company[LEVELS]; /* [k]: the same, but after how many different symbols; the last is not used */
};

static struct entry *locate(const struct table *table, uint32_t key)
{
	/* The upper half of the product of a 64-bit odd constant mixes all of the key's bits. */
	size_t slot = (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (table->capacity - 1);
	while (table->entries[slot].count != 0 && table->entries[slot].key != key)
		slot = (slot + 1) & (table->capacity - 1);
	return &table->entries[slot];
}

static sluice_status rehash(sluice_context *context, struct table *table, size_t capacity)
{
	struct table larger = {.capacity = capacity, .used = table->used};
	larger.entries = sluice_allocate(context, capacity * sizeof(struct entry));
	if (!larger.entries)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t k = 0; k < table->capacity; k++)
		if (table->entries[k].count)
			*locate(&larger, table->entries[k].key) = table->entries[k];
	sluice_release(context, table->entries, table->capacity * sizeof(struct entry));
	*table = larger;
	return SLUICE_OK;
}

/* Counts one occurrence; the entry stays where it is until the next call. */
static sluice_status count_one(sluice_context *context, struct table *table, uint32_t key, struct entry **out)
{
	if (2 * (table->used + 1) > table->capacity) {
		sluice_status status = rehash(context, table, table->capacity ? 2 * table->capacity : 1024);
		if (status != SLUICE_OK)
			return status;
	}
	struct entry *entry = locate(table, key);
	if (entry->count == 0) {
		entry->key = key;
		table->used++;
	}
	entry->count++;
	*out = entry;
	return SLUICE_OK;
}

/* The `count` symbols from `position` on, packed. */
static uint32_t pack(const struct sluice__text *text, size_t position, size_t count)
{
	uint32_t key = 0;
	for (size_t k = 0; k < count; k++)
		key = key << 8 | text->index[position + k];
	return key;
}

/* Counts the `length + 1` symbols that end at `position` into a level. fresh tells whether they were new to it. */
static sluice_status count_string(const struct sluice__text *text, struct level *level, size_t position, size_t length,
				  int *fresh)
{
	struct entry *gram, *context;
	uint32_t key = pack(text, position - length, length + 1);
	sluice_status status = count_one(text->context, &level->grams, key, &gram);
	if (status == SLUICE_OK)
		status = count_one(text->context, &level->contexts, pack(text, position - length, length), &context);
	if (status != SLUICE_OK)
		return status;
	*fresh = gram->count == 1;
	context->distinct += (uint32_t)*fresh;
	return SLUICE_OK;
}

static sluice_status count_training(struct ngrams *ngrams)
{
	const struct sluice__text *text = ngrams->text;
	for (size_t position = 0; position < text->training; position++) {
		for (size_t length = 0; length < LEVELS && length <= position; length++) {
			int fresh, unused;
			sluice_status status =
				count_string(text, &ngrams->occurrences[length], position, length, &fresh);
			/* A string seen for the first time is new company for the string without its first symbol. */
			if (status == SLUICE_OK && fresh && length > 0)
				status =
					count_string(text, &ngrams->company[length - 1], position, length - 1, &unused);
			if (status != SLUICE_OK)
				return status;
		}
	}
	return SLUICE_OK;
}

static void set_discount(struct level *level)
{
	double once = 0, twice = 0;
	for (size_t k = 0; k < level->grams.capacity; k++) {
		once += level->grams.entries[k].count == 1;
		twice += level->grams.entries[k].count == 2;
	}
	/* Where nothing is rare the formula has nothing to say; half is the usual choice. It must not reach 1, or a
	 * string seen once would count for nothing. */
	level->discount = once > 0 && twice > 0 ? once / (once + 2 * twice) : 0.5;
}

/* p(s|h) at a level, from p(s|h'). */
static double interpolate(const struct sluice__text *text, const struct level *level, size_t position, size_t length,
			  double lower)
{
	const struct entry *context = locate(&level->contexts, pack(text, position - length, length));
	if (context->count == 0)
		return lower;
	const struct entry *gram = locate(&level->grams, pack(text, position - length, length + 1));
	double kept = fmax((double)gram->count - level->discount, 0.0);
	return (kept + level->discount * (double)context->distinct * lower) / (double)context->count;
}

/* Adds the bits that the character at `position` costs, for every order. */
static void judge(const struct ngrams *ngrams, size_t position, double bits[LEVELS])
{
	const struct sluice__text *text = ngrams->text;
	double lower = 1.0 / (double)text->symbol_count;
	for (size_t order = 0; order < LEVELS; order++) {
		/* A tiny training part may leave fewer characters before the judged one than the order asks for. */
		double p = lower;
		if (order <= position) {
			p = interpolate(text, &ngrams->occurrences[order], position, order, lower);
			lower = interpolate(text, &ngrams->company[order], position, order, lower);
		}
		bits[order] -= log2(p);
	}
}

static sluice_status prepare_level(sluice_context *context, struct level *level)
{
	/* Levels that a tiny training part never reaches must still be searchable. */
	sluice_status status = rehash(context, &level->contexts, 1024);
	return status == SLUICE_OK ? rehash(context, &level->grams, 1024) : status;
}

static void release_level(sluice_context *context, struct level *level)
{
	sluice_release(context, level->contexts.entries, level->contexts.capacity * sizeof(struct entry));
	sluice_release(context, level->grams.entries, level->grams.capacity * sizeof(struct entry));
}

sluice_status sluice__ngram_bits(const struct sluice__text *text, const struct sluice__streams *streams,
				 double bits[SLUICE__NGRAM_ORDER_MAX + 1])
{
	struct ngrams ngrams = {.text = text};
	double sums[LEVELS] = {0};
	size_t judged = streams->count * streams->length;
	sluice_status status = SLUICE_OK;
	if (judged == 0)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "there is no character to judge n-gram models by");
	for (size_t k = 0; k < LEVELS && status == SLUICE_OK; k++) {
		status = prepare_level(text->context, &ngrams.occurrences[k]);
		if (status == SLUICE_OK)
			status = prepare_level(text->context, &ngrams.company[k]);
	}
	if (status == SLUICE_OK)
		status = count_training(&ngrams);
	if (status != SLUICE_OK)
		goto fail;

	for (size_t k = 0; k < LEVELS; k++) {
		set_discount(&ngrams.occurrences[k]);
		set_discount(&ngrams.company[k]);
	}
	for (size_t k = 0; k < judged; k++)
		judge(&ngrams, streams->start + k + 1, sums);
	for (size_t order = 0; order < LEVELS; order++)
		bits[order] = sums[order] / (double)judged;
fail:
	for (size_t k = 0; k < LEVELS; k++) {
		release_level(text->context, &ngrams.occurrences[k]);
		release_level(text->context, &ngrams.company[k]);
	}
	return status;
}
