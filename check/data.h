/*
 * data.h: random data of a problem, the same for everybody who asks with the same seed.
 */
#ifndef SLUICE_CHECK_DATA_H
#define SLUICE_CHECK_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "network.h"
#include "setting.h"
#include "sluice/sluice.h"

/* All values are zero-mean and uniform: in [-1,1], parameters in [-1/sqrt(H), 1/sqrt(H)] with the H of their cell,
 * times the taps of a convolution. Of images a width counts all places, as in network.h. */
struct sluice__data {
	size_t x_count, y_count, h_count, c_count, parameter_count;
	float *x;          /* [T,N,I] */
	float *parameters; /* the canonical block, zeros in the gaps */
	float *h0, *c0;    /* [N,width of h] and [N,H] for each cell, see network.h */
	float *dy;         /* [T,N,outputs] */
	float *dh, *dc;    /* gradients of the final state, laid out as h0 and c0 */
	float *dy_reverse; /* as dy, if the last layer is separate, else NULL */
	/* Of a setting that asks for them, else NULL. */
	float *dh_steps, *dc_steps; /* [T,N,h_width], [T,N,c_width] gradients of the states after every step */
	size_t *lengths;            /* [N] */
	uint8_t *resets, *holds;    /* [T,N] 0 or 1 */
	void *block;
};

/* Makes the data. A value depends on the seed, its array or tensor name and its place there, not on padding.
 * Errors: INVALID_ARGUMENT (sizes overflow), OUT_OF_MEMORY. */
sluice_status sluice__data_create(const struct sluice__network *network, size_t steps, size_t batch, uint64_t seed,
				  struct sluice__data *out);

/* The same, and what of time the setting asks for: lengths that cover 0, T and something between as far as the rows
 * go; resets and holds in about a quarter of the steps, with quiet rows and quiet steps among them, but at least one;
 * gradients of every state. h0 and c0 are NULL if there is to be no initial state. */
sluice_status sluice__data_of_setting(const struct sluice__network *network, const struct sluice__setting *setting,
				      struct sluice__data *out);
void sluice__data_destroy(struct sluice__data *data);

/* Fills count floats with uniform numbers in [-scale, scale] from a seed and a name. */
void sluice__data_fill(uint64_t seed, const char *name, float scale, size_t count, float *out);

#endif
