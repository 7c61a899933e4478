/*
 * number.h: numbers of the three storage types of the front ends, brought into each other, with any stride.
 */
#ifndef SLUICE_FACADE_NUMBER_H
#define SLUICE_FACADE_NUMBER_H

#include <sluice/sluice.h>

/* Elements of a type, f32, f16 or bf16, `stride` apart. */
struct line {
	char *at;
	sluice_dtype type;
	size_t stride;
};

size_t sluice__number_bytes(sluice_dtype type);

/* to = factor from, or to += factor from. */
void sluice__number_convert(const struct line *to, const struct line *from, size_t count, float factor, int add);

/* As convert without adding, to floats without gaps; returns whether any bit of them changed. */
int sluice__number_renew(float *to, const struct line *from, size_t count, float factor);

/* One element. */
float sluice__number_load(const struct line *line, size_t index);
void sluice__number_store(const struct line *line, size_t index, float value);

#endif
