/*
 * bnns_array.h: arrays as a caller of BNNS has them, with any type, layout and strides, whose every byte is watched.
 */
#ifndef SLUICE_TESTS_BNNS_ARRAY_H
#define SLUICE_TESTS_BNNS_ARRAY_H

#include <stdint.h>

#include "bnns_number.h"

enum { BNNS_AXES = 4 };

/* Random numbers of a test, from a seed. */
struct bnns_random {
	uint64_t state;
};

uint64_t random_bits(struct bnns_random *random);
size_t random_below(struct bnns_random *random, size_t count);
int random_chance(struct bnns_random *random, double chance);
double random_between(struct bnns_random *random, double low, double high);

/* An array in memory of its own, and what its bytes were when last looked at. Axes are in C order, slowest first. */
struct bnns_array {
	BNNSDataType type;
	size_t axes, count[BNNS_AXES], stride[BNNS_AXES]; /* in elements */
	size_t elements, bytes, offset;                   /* the data begin `offset` bytes into the block */
	unsigned char *block, *before;
	BNNSNDArrayDescriptor descriptor; /* with data, type, sizes and strides as the axes say */
};

/* How an array lies: the order of its axes from the fastest to the slowest, by their numbers in C order, and how many
 * elements are left out between two steps of each. */
struct bnns_lie {
	size_t order[BNNS_AXES];
	size_t gaps[BNNS_AXES];
	BNNSDataLayout layout;
	int first_major;    /* whether the descriptor has the slowest axis at index 0 */
	int sizes, strides; /* whether it says them: else zeros */
};

/* Makes an array full of bytes 0xA5. */
void array_create(struct bnns_array *array, BNNSDataType type, size_t axes, const size_t *count,
		  const struct bnns_lie *lie);
void array_destroy(struct bnns_array *array);

/* C order, packed: numbers that the type has. */
void array_write(struct bnns_array *array, const double *values);
void array_read(const struct bnns_array *array, double *values);

/* Byte offset of element `index` of the packed C order. */
size_t array_place(const struct bnns_array *array, size_t index);

/* Remembers all bytes; says whether all are as remembered; whether all that belong to no element are. */
void array_remember(struct bnns_array *array);
int array_same(const struct bnns_array *array);
int array_gaps_same(const struct bnns_array *array);

/* One number in memory. */
size_t bnns_type_bytes(BNNSDataType type);
void bnns_store(BNNSDataType type, double value, void *to);
double bnns_load(BNNSDataType type, const void *from);

#endif
