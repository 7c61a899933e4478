/* characters.h: a character language model: symbols, their embedding and the network behind it; in memory and in a
 * file. */
#ifndef SLUICE_TRAIN_CHARACTERS_H
#define SLUICE_TRAIN_CHARACTERS_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/io.h"
#include "sluice/sluice.h"

/* Name of the embedding's tensor in a file; there is none with one-hot coding. */
#define SLUICE__TENSOR_EMBEDDING "embedding.weight"

struct sluice__characters {
	sluice_context *context;
	sluice_model *model; /* inputs: width; outputs: symbol_count */
	float *table;        /* embedding [symbol_count, width]; the identity when one_hot */
	size_t symbol_count, width;
	int one_hot;                /* the table is not a parameter */
	unsigned char symbols[256]; /* [symbol_count] the bytes, ascending */
};

/* Makes a model of zeros. The description's inputs and outputs are set here: embedding (0: one-hot) and symbol_count.
 * Errors: those of sluice_model_create. Release with sluice__characters_release, also after a failure. */
sluice_status sluice__characters_create(sluice_context *context, const unsigned char *symbols, size_t symbol_count,
					size_t embedding, const sluice_description *description,
					struct sluice__characters *out);
void sluice__characters_release(struct sluice__characters *characters);

/* Fills the parameters with random numbers: the network as sluice_model_initialize, the embedding uniform with
 * variance 1. */
sluice_status sluice__characters_initialize(struct sluice__characters *characters, uint64_t seed, float forget_bias);

/* Number of a byte's symbol, or -1. */
int sluice__characters_find(const struct sluice__characters *characters, unsigned char byte);

/* Numbers of `count` bytes. Errors: INVALID_ARGUMENT, naming the first byte that the model does not know. */
sluice_status sluice__characters_encode(const struct sluice__characters *characters, const char *what,
					const unsigned char *bytes, size_t count, uint32_t *index);

/* Adds vocabulary, embedding and network to a set of tensors, which views them until it is written. */
sluice_status sluice__characters_add(const struct sluice__characters *characters, sluice_tensors *tensors);

/* Whether a set holds a character model rather than a plain network. */
int sluice__characters_present(const sluice_tensors *tensors);

/* Makes the character model that a set holds. Errors: FORMAT and as sluice_tensors_get_model. */
sluice_status sluice__characters_get(sluice_context *context, const sluice_tensors *tensors,
				     struct sluice__characters *out);

#endif
