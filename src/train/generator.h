/* generator.h: lets a character model write, one character after the other through the single step. */
#ifndef SLUICE_TRAIN_GENERATOR_H
#define SLUICE_TRAIN_GENERATOR_H

#include "characters.h"

struct sluice__generator {
	const struct sluice__characters *characters;
	sluice_plan *plan;
	void *state, *workspace;
	size_t state_size, workspace_size;
	float *logits; /* [symbols] after the last symbol that was fed */
	float *p;      /* [symbols] */
};

/* Makes a generator that has read nothing yet; the model must outlive it. Release with sluice__generator_release, also
 * after a failure. Errors: those of sluice_plan_create; UNSUPPORTED if a layer does not run forward. */
sluice_status sluice__generator_create(const struct sluice__characters *characters, struct sluice__generator *out);
void sluice__generator_release(struct sluice__generator *generator);

/* Reads a symbol. */
sluice_status sluice__generator_feed(struct sluice__generator *generator, uint32_t symbol);

/* Draws the next symbol from softmax(logits / temperature); temperature 0 takes the likeliest. `position` numbers the
 * draws of a seed. */
sluice_status sluice__generator_draw(struct sluice__generator *generator, double temperature, uint64_t seed,
				     uint64_t position, uint32_t *symbol);

#endif
