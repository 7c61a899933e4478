/* ngram.h: character n-gram models, the yardstick that says what a validation loss is worth. */
#ifndef SLUICE_TRAIN_NGRAM_H
#define SLUICE_TRAIN_NGRAM_H

#include "tasks.h"

#define SLUICE__NGRAM_ORDER_MAX 3

/* Bits per character, on exactly the characters that the streams predict, of models that see the order = 0 .. 3
 * characters before. They count the training part, and know all characters before the predicted one as context, also
 * where a stream begins. Errors: INVALID_ARGUMENT (no streams), OUT_OF_MEMORY. */
sluice_status sluice__ngram_bits(const struct sluice__text *text, const struct sluice__streams *streams,
				 double bits[SLUICE__NGRAM_ORDER_MAX + 1]);

#endif
