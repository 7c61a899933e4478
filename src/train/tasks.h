/* tasks.h: turns data into batches; so far the character language model, whose symbols are the bytes of a text. */
#ifndef SLUICE_TRAIN_TASKS_H
#define SLUICE_TRAIN_TASKS_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/sluice.h"

/* A loss in nats (natural logarithm) as bits. */
#define SLUICE__BITS(nats) ((nats) / 0.69314718055994530942)

/* A text as numbers of symbols, split by position: the first `training` characters are for training. */
struct sluice__text {
	sluice_context *context;
	uint8_t *index;             /* [length] number of each character's symbol */
	size_t length, capacity;    /* characters, bytes allocated */
	size_t training;            /* characters for training; the rest is for validation */
	size_t symbol_count;        /* symbols that occur, the vocabulary */
	unsigned char symbols[256]; /* their bytes, ascending */
	uint64_t digest;            /* of the bytes, to know the text again */
};

/* Reads the files one after another as one text. Errors: IO, INVALID_ARGUMENT (no character in them, validation outside
 * [0,1)), OUT_OF_MEMORY. Release with sluice__text_release, also after a failure. */
sluice_status sluice__text_read(sluice_context *context, const char *const *paths, size_t path_count, double validation,
				struct sluice__text *out);
void sluice__text_release(struct sluice__text *text);

/* A part of a text as parallel streams of consecutive characters. Stream n reads length characters from
 * start + n*length on; the character to predict is the next one. */
struct sluice__streams {
	size_t start, length, count;
};

/* Cuts the training part into `batch` streams. Errors: INVALID_ARGUMENT if one has fewer than `steps` characters. */
sluice_status sluice__streams_training(const struct sluice__text *text, size_t batch, size_t steps,
				       struct sluice__streams *out);

/* Cuts the validation part into streams: `batch` of them, fewer if they would be shorter than `steps`. count is 0 if
 * there is no such part. Errors: INVALID_ARGUMENT if it has a single character. */
sluice_status sluice__streams_validation(const struct sluice__text *text, size_t batch, size_t steps,
					 struct sluice__streams *out);

/* Writes input and target [steps, count] of the steps from `offset` on. */
void sluice__streams_fill(const struct sluice__text *text, const struct sluice__streams *streams, size_t offset,
			  size_t steps, uint32_t *input, uint32_t *target);

#endif
