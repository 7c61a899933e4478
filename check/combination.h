/*
 * combination.h: one value for every option of the library at once, and sets of such combinations in which every two
 * options meet with all their values.
 */
#ifndef SLUICE_CHECK_COMBINATION_H
#define SLUICE_CHECK_COMBINATION_H

#include <stddef.h>
#include <stdint.h>

#include "setting.h"
#include "sluice/sluice.h"

/* Every factor with the number of its values. What value means what is in combination.c. */
#define SLUICE__FACTOR_MAP(X)      \
	X(ACTIVATION_I, 30)        \
	X(ACTIVATION_F, 30)        \
	X(ACTIVATION_G, 30)        \
	X(ACTIVATION_O, 30)        \
	X(ACTIVATION_C, 30)        \
	X(PEEPHOLE, 4)             \
	X(PEEPHOLE_PREVIOUS, 2)    \
	X(NO_PEEPHOLES, 3)         \
	X(INPUT, 3)                \
	X(NO_INPUT_WEIGHTS, 3)     \
	X(NO_RECURRENT_WEIGHTS, 4) \
	X(BIAS, 3)                 \
	X(NO_GATES, 6)             \
	X(COUPLED, 2)              \
	X(PROJECTION, 3)           \
	X(PROJECTION_CLIP, 2)      \
	X(CELL_CLIP, 2)            \
	X(GATE_CLIP, 2)            \
	X(DROPOUT, 2)              \
	X(RECURRENT_DROPOUT, 4)    \
	X(MASK, 4)                 \
	X(ZONEOUT_H, 2)            \
	X(ZONEOUT_C, 2)            \
	X(DROPCONNECT, 2)          \
	X(TRAINING, 2)             \
	X(DIRECTION, 4)            \
	X(LAYERS, 3)               \
	X(READOUT, 2)              \
	X(LAST_ONLY, 2)            \
	X(LAYOUT, 2)               \
	X(WEIGHTS, 3)              \
	X(DATA, 3)                 \
	X(TAPE, 3)                 \
	X(TAPE_MODE, 3)            \
	X(GATE_ORDER, 3)           \
	X(THREADS, 2)              \
	X(BATCH, 4)                \
	X(HIDDEN, 4)               \
	X(STEP, 2)                 \
	X(LENGTHS, 5)              \
	X(PADDING, 2)              \
	X(RESETS, 2)               \
	X(HOLDS, 2)                \
	X(INITIAL, 2)              \
	X(STATE_GRADIENTS, 2)      \
	X(POINTERS, 2)             \
	X(SLOTS, 2)                \
	X(COMBINATION, 3)          \
	X(LEARNED_START, 2)        \
	X(IMAGE, 4)                \
	X(KERNEL, 4)               \
	X(INNER_KERNEL, 4)         \
	X(DILATION, 3)             \
	X(STRIDE, 3)               \
	X(GROUPS, 3)               \
	X(BORDER, 3)               \
	X(WINOGRAD, 3)

enum sluice__factor {
#define SLUICE__FACTOR_ENUM(name, count) SLUICE__FACTOR_##name,
	SLUICE__FACTOR_MAP(SLUICE__FACTOR_ENUM)
#undef SLUICE__FACTOR_ENUM
		SLUICE__FACTORS
};

#define SLUICE__FACTOR_VALUES 30      /* the most that any factor has */
#define SLUICE__FACTOR_UNSET 255      /* in a combination that is not complete */
#define SLUICE__COMBINATION_TEXT 1000 /* bytes that hold every printed combination */

struct sluice__combination {
	unsigned char values[SLUICE__FACTORS];
	uint64_t seed; /* of data and sizes */
};

const char *sluice__factor_name(enum sluice__factor factor);
size_t sluice__factor_count(enum sluice__factor factor);

/* Why the values of a combination, complete or not, exclude each other; NULL if they do not. */
const char *sluice__combination_contradiction(const unsigned char *values);

/* A combination as the library's structs. Not movable once filled. */
struct sluice__combination_case {
	sluice_layer layers[3];
	sluice_description description;
	struct sluice__setting setting;
	int step; /* whether sluice_step takes part */
};

/* Describes a combination; if `reduced`, with sizes so small that differences of the oracle are cheap. */
void sluice__combination_describe(const struct sluice__combination *combination, int reduced,
				  struct sluice__combination_case *out);

/* Writes a combination's values, those that are not zero, into text[SLUICE__COMBINATION_TEXT]. */
void sluice__combination_print(const struct sluice__combination *combination, char *text);

/* Combinations none of which contradicts itself. */
struct sluice__combinations {
	struct sluice__combination *items;
	size_t count;
	size_t covering; /* so many, at the beginning, contain every possible pair of values */
	size_t images;   /* so many of these have images */
	unsigned char *covered;
};

/* Makes combinations from a seed: at first such that every possible pair of values of two factors occurs, pairs that
 * need no images without them; then random ones, every other one with few options, half of them without images, and
 * some with what Winograd's tiles need, until there are `least` besides those that cover pairs with images. Errors:
 * OUT_OF_MEMORY, INTERNAL (a pair finds no completion). */
sluice_status sluice__combinations_create(uint64_t seed, size_t least, struct sluice__combinations *out);
void sluice__combinations_destroy(struct sluice__combinations *combinations);

/* How many pairs of values of two factors are possible, and how many occur in the combinations. */
void sluice__combinations_coverage(const struct sluice__combinations *combinations, enum sluice__factor one,
				   enum sluice__factor other, size_t *covered, size_t *possible);

#endif
