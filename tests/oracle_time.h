/*
 * oracle_time.h: networks and marks in time for the tests of what time means to the oracle.
 */
#ifndef SLUICE_TESTS_ORACLE_TIME_H
#define SLUICE_TESTS_ORACLE_TIME_H

#include "oracle_subject.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* clang-format off */
#define LAYER(...) {.size = sizeof(sluice_layer), __VA_ARGS__}
/* clang-format on */
#define BOTH .direction = SLUICE_BIDIRECTIONAL
#define BACK .direction = SLUICE_REVERSE
#define ADD BOTH, .combination = SLUICE_ADD
#define SEPARATE BOTH, .combination = SLUICE_SEPARATE
#define LEARNED .learned_start = 1

enum { LAYERS = 3 };

/* What a run is given of time. */
static const struct time {
	const char *name;
	int lengths;
	sluice_padding padding;
	int resets, holds;
} TIMES[] = {
	{"plain", 0, SLUICE_PADDING_RIGHT, 0, 0},
	{"right padding", 1, SLUICE_PADDING_RIGHT, 0, 0},
	{"left padding", 1, SLUICE_PADDING_LEFT, 0, 0},
	{"resets", 0, SLUICE_PADDING_RIGHT, 1, 0},
	{"holds", 0, SLUICE_PADDING_RIGHT, 0, 1},
	{"resets and holds", 0, SLUICE_PADDING_LEFT, 1, 1},
	{"right padding, resets and holds", 1, SLUICE_PADDING_RIGHT, 1, 1},
	{"left padding, resets and holds", 1, SLUICE_PADDING_LEFT, 1, 1},
};

/* A network of the layers up to the first without units, with an input 2 wide and gradients of every state; of images
 * if height and width are not 0. */
static inline void images_create(const sluice_layer layers[LAYERS], size_t height, size_t width, size_t outputs,
				 size_t steps, size_t batch, unsigned flags, uint64_t seed, struct subject *subject)
{
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	while (description.layer_count < LAYERS && layers[description.layer_count].hidden)
		description.layer_count++;
	description.layers = layers;
	description.inputs = 2;
	description.outputs = outputs;
	description.image_height = height;
	description.image_width = width;
	subject_create(&description, steps, batch, flags | STATE_GRADIENTS, seed, subject);
	subject->run.mask_shape = SLUICE_MASK_STEP;
}

static inline void layers_create(const sluice_layer layers[LAYERS], size_t outputs, size_t steps, size_t batch,
				 unsigned flags, uint64_t seed, struct subject *subject)
{
	images_create(layers, 0, 0, outputs, steps, batch, flags, seed, subject);
}

/* Flags [T,N] from one text for each row: r resets, h holds, b does both in a step. */
static inline void marks_read(const char *const *rows, size_t steps, size_t batch, uint8_t *resets, uint8_t *holds)
{
	for (size_t n = 0; n < batch; n++) {
		assert_int_equal(strlen(rows[n]), steps);
		for (size_t t = 0; t < steps; t++) {
			resets[t * batch + n] = rows[n][t] == 'r' || rows[n][t] == 'b';
			holds[t * batch + n] = rows[n][t] == 'h' || rows[n][t] == 'b';
		}
	}
}

static inline void assert_near(const char *what, const double *values, const double *expected, size_t count,
			       double tolerance)
{
	for (size_t index = 0; index < count; index++)
		if (!(fabs(values[index] - expected[index]) <= tolerance))
			fail_msg("%s: element %zu is %.17g, expected %.17g", what, index, values[index],
				 expected[index]);
}

#endif
