/*
 * pairs.c: makes few combinations in which every possible pair of values of two factors occurs (Cohen, Dalal, Fredman,
 * Patton 1997: the AETG system).
 *
 * Each combination starts from a pair that is missing; then one factor after the other, in random order, takes the
 * value that adds most missing pairs. The best of a few such candidates is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "combination.h"

#define CANDIDATES 4
#define TRIES 100

struct maker {
	struct sluice__combinations *set;
	size_t capacity;
	uint64_t counter; /* of random numbers */
};

static size_t random_below(struct maker *maker, size_t below)
{
	uint64_t bits = maker->counter += UINT64_C(0x9e3779b97f4a7c15);

	bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (size_t)((bits ^ (bits >> 31)) >> 32) % below;
}

/* The mark of a pair of values; the smaller factor comes first. */
static unsigned char *mark(const struct sluice__combinations *set, size_t one, size_t value, size_t other,
			   size_t other_value)
{
	size_t first = one < other ? one : other, second = one < other ? other : one;
	size_t a = one < other ? value : other_value, b = one < other ? other_value : value;

	return set->covered + ((first * SLUICE__FACTORS + second) * SLUICE__FACTOR_VALUES + a) * SLUICE__FACTOR_VALUES +
	       b;
}

static void clear(struct sluice__combination *combination)
{
	memset(combination->values, SLUICE__FACTOR_UNSET, sizeof(combination->values));
}

static int possible(size_t one, size_t value, size_t other, size_t other_value)
{
	struct sluice__combination pair;

	clear(&pair);
	pair.values[one] = (unsigned char)value;
	pair.values[other] = (unsigned char)other_value;
	return sluice__combination_contradiction(pair.values) == NULL;
}

/* Missing pairs that a value would add to a combination that is not complete. */
static size_t gain(const struct sluice__combinations *set, const struct sluice__combination *combination, size_t factor,
		   size_t value)
{
	size_t count = 0;

	for (size_t other = 0; other < SLUICE__FACTORS; other++)
		if (other != factor && combination->values[other] != SLUICE__FACTOR_UNSET)
			count += !*mark(set, factor, value, other, combination->values[other]);
	return count;
}

/* How values are chosen: such that missing pairs occur; at random; or at random with most options of the cell off,
 * because implementations have ways of their own for cells that have next to none. */
enum taste { GREEDY, RANDOM, SPARSE };

/* Whether a factor shall have its first value if it can: an option of the cell is off in 15 of 16, one of images in 3
 * of 4 of those that are sparse. */
static int is_off(struct maker *maker, size_t factor, enum taste taste)
{
	if (taste != SPARSE || factor == SLUICE__FACTOR_INPUT)
		return 0;
	if (factor < SLUICE__FACTOR_TRAINING)
		return random_below(maker, 16) > 0;
	return factor > SLUICE__FACTOR_IMAGE && random_below(maker, 4) > 0;
}

/* Gives a factor a value that contradicts nothing; 0 if there is none. */
static int choose(struct maker *maker, struct sluice__combination *combination, size_t factor, enum taste taste)
{
	size_t values = sluice__factor_count((enum sluice__factor)factor);
	size_t start = is_off(maker, factor, taste) ? 0 : random_below(maker, values);
	size_t best = SLUICE__FACTOR_UNSET, best_gain = 0;

	for (size_t step = 0; step < values; step++) {
		size_t value = (start + step) % values, own;

		combination->values[factor] = (unsigned char)value;
		if (sluice__combination_contradiction(combination->values))
			continue;
		own = taste == GREEDY ? gain(maker->set, combination, factor, value) : 0;
		if (best == SLUICE__FACTOR_UNSET || own > best_gain) {
			best = value;
			best_gain = own;
		}
	}
	combination->values[factor] = (unsigned char)best;
	return best != SLUICE__FACTOR_UNSET;
}

/* What Winograd's tiles need, which all comes together too seldom by chance. */
static void tiles_want(struct sluice__combination *combination)
{
	static const struct {
		enum sluice__factor factor;
		unsigned char value;
	} NEEDS[] = {
		{SLUICE__FACTOR_WINOGRAD, SLUICE_ON}, {SLUICE__FACTOR_HIDDEN, 3},   {SLUICE__FACTOR_INNER_KERNEL, 1},
		{SLUICE__FACTOR_DILATION, 0},         {SLUICE__FACTOR_GROUPS, 0},   {SLUICE__FACTOR_WEIGHTS, 0},
		{SLUICE__FACTOR_DROPCONNECT, 0},      {SLUICE__FACTOR_PEEPHOLE, 0},
	};

	for (size_t index = 0; index < sizeof(NEEDS) / sizeof(NEEDS[0]); index++)
		combination->values[NEEDS[index].factor] = NEEDS[index].value;
}

/* Leaves images out, unless something in the combination needs them or a random one wants them: their options, which
 * are many, would bring them into nearly every combination. */
static void images_choose(struct maker *maker, struct sluice__combination *combination, enum taste taste)
{
	unsigned char *image = &combination->values[SLUICE__FACTOR_IMAGE];
	size_t wish = taste == GREEDY ? 0 : random_below(maker, 6);

	if (wish == 5)
		tiles_want(combination);
	if (*image != SLUICE__FACTOR_UNSET || wish > 2)
		return;
	*image = 0;
	if (sluice__combination_contradiction(combination->values))
		*image = SLUICE__FACTOR_UNSET;
}

/* Completes a combination, factors in random order; 0 where that leads nowhere. */
static int complete(struct maker *maker, struct sluice__combination *combination, enum taste taste)
{
	size_t order[SLUICE__FACTORS];

	images_choose(maker, combination, taste);
	for (size_t index = 0; index < SLUICE__FACTORS; index++) {
		size_t other = random_below(maker, index + 1);

		order[index] = order[other];
		order[other] = index;
	}
	for (size_t index = 0; index < SLUICE__FACTORS; index++)
		if (combination->values[order[index]] == SLUICE__FACTOR_UNSET &&
		    !choose(maker, combination, order[index], taste))
			return 0;
	return 1;
}

static size_t new_pairs(const struct sluice__combinations *set, const struct sluice__combination *combination)
{
	size_t count = 0;

	for (size_t factor = 0; factor < SLUICE__FACTORS; factor++)
		count += gain(set, combination, factor, combination->values[factor]);
	return count;
}

static sluice_status append(struct maker *maker, const struct sluice__combination *combination)
{
	struct sluice__combinations *set = maker->set;

	if (set->count == maker->capacity) {
		size_t capacity = maker->capacity ? 2 * maker->capacity : 1024;
		struct sluice__combination *items = realloc(set->items, capacity * sizeof(*items));

		if (!items)
			return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu combinations", capacity);
		set->items = items;
		maker->capacity = capacity;
	}
	set->items[set->count] = *combination;
	set->items[set->count++].seed = maker->counter;
	for (size_t one = 0; one < SLUICE__FACTORS; one++)
		for (size_t other = 0; other < one; other++)
			*mark(set, one, combination->values[one], other, combination->values[other]) = 1;
	return SLUICE_OK;
}

/* Adds combinations until one pair of values occurs. */
static sluice_status cover(struct maker *maker, size_t one, size_t value, size_t other, size_t other_value)
{
	struct sluice__combination best = {0};
	size_t best_count = 0;

	for (size_t found = 0, tries = 0; found < CANDIDATES && tries < TRIES; tries++) {
		struct sluice__combination candidate;
		size_t count;

		clear(&candidate);
		candidate.values[one] = (unsigned char)value;
		candidate.values[other] = (unsigned char)other_value;
		if (!complete(maker, &candidate, GREEDY))
			continue;
		found++;
		count = new_pairs(maker->set, &candidate);
		if (count > best_count) {
			best = candidate;
			best_count = count;
		}
	}
	if (!best_count)
		return sluice_fail(SLUICE_INTERNAL, "%s = %zu and %s = %zu come in no combination",
				   sluice__factor_name((enum sluice__factor)one), value,
				   sluice__factor_name((enum sluice__factor)other), other_value);
	return append(maker, &best);
}

static sluice_status cover_factors(struct maker *maker, size_t one, size_t other)
{
	size_t values = sluice__factor_count((enum sluice__factor)one);
	size_t other_values = sluice__factor_count((enum sluice__factor)other);
	sluice_status status = SLUICE_OK;

	for (size_t value = 0; value < values; value++)
		for (size_t other_value = 0; other_value < other_values && status == SLUICE_OK; other_value++)
			if (!*mark(maker->set, one, value, other, other_value) &&
			    possible(one, value, other, other_value))
				status = cover(maker, one, value, other, other_value);
	return status;
}

sluice_status sluice__combinations_create(uint64_t seed, size_t least, struct sluice__combinations *out)
{
	struct maker maker = {.set = out, .counter = seed};
	sluice_status status = SLUICE_OK;

	memset(out, 0, sizeof(*out));
	out->covered = calloc((size_t)SLUICE__FACTORS * SLUICE__FACTORS,
			      (size_t)SLUICE__FACTOR_VALUES * SLUICE__FACTOR_VALUES);
	if (!out->covered)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for pairs of values");
	for (size_t one = 0; one < SLUICE__FACTORS && status == SLUICE_OK; one++)
		for (size_t other = one + 1; other < SLUICE__FACTORS && status == SLUICE_OK; other++)
			status = cover_factors(&maker, one, other);
	out->covering = out->count;
	for (size_t index = 0; index < out->count; index++)
		out->images += out->items[index].values[SLUICE__FACTOR_IMAGE] != 0;
	while (out->count < least + out->images && status == SLUICE_OK) {
		struct sluice__combination combination;

		clear(&combination);
		if (complete(&maker, &combination, out->count % 2 ? RANDOM : SPARSE))
			status = append(&maker, &combination);
	}
	if (status != SLUICE_OK)
		sluice__combinations_destroy(out);
	return status;
}

void sluice__combinations_destroy(struct sluice__combinations *combinations)
{
	free(combinations->items);
	free(combinations->covered);
	memset(combinations, 0, sizeof(*combinations));
}

void sluice__combinations_coverage(const struct sluice__combinations *combinations, enum sluice__factor one,
				   enum sluice__factor other, size_t *covered, size_t *possible_count)
{
	*covered = *possible_count = 0;
	for (size_t value = 0; value < sluice__factor_count(one); value++)
		for (size_t other_value = 0; other_value < sluice__factor_count(other); other_value++) {
			if (!possible(one, value, other, other_value))
				continue;
			++*possible_count;
			*covered += *mark(combinations, one, value, other, other_value);
		}
}
