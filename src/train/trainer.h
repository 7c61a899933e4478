/* trainer.h: trains a character language model on a text; what `sluice train` does, as one call. */
#ifndef SLUICE_TRAIN_TRAINER_H
#define SLUICE_TRAIN_TRAINER_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#include "ngram.h"
#include "schedule.h"
#include "sluice/ops.h"

#define SLUICE__NO_LIMIT UINT64_MAX

/* Everything that decides a course of training. Start from sluice__train_defaults. */
struct sluice__train_options {
	/* Data. */
	const char *const *texts; /* [text_count] paths */
	size_t text_count;
	double validation; /* share of the text, at its end, that is kept for validation */

	/* Network: embedding, layers of one size, read-out. */
	size_t hidden, layers;
	size_t embedding;   /* width; 0: one-hot coding */
	double dropout;     /* of every layer's output */
	double forget_bias; /* at the start */

	/* Course. */
	size_t steps, batch; /* of one update: T and N */
	uint64_t epochs;
	uint64_t updates;           /* no more than these, or SLUICE__NO_LIMIT */
	sluice_optimizer optimizer; /* rate, gradient_scale and update are set by the trainer */
	double clip;                /* largest norm of the gradient; 0: no clipping */
	struct sluice__schedule schedule;
	uint64_t validate_every; /* updates; 0: at the end of every epoch */
	uint64_t seed;           /* of all random numbers */

	/* Files; NULL: not wanted. */
	const char *output; /* the model: the best by validation loss, the last one without validation */
	const char *checkpoint;
	uint64_t checkpoint_every; /* updates; 0: only when stopped */
	int resume;                /* go on from the checkpoint if it is there */
	const char *log;           /* CSV, one line for each update */
	const char *curve;         /* SVG */

	/* Company. */
	int baselines;                     /* judge n-gram models on the same split, too */
	FILE *progress;                    /* NULL: silence */
	int terminal;                      /* progress is a terminal: draw a bar instead of lines */
	const volatile sig_atomic_t *stop; /* non-zero: finish the update, write the checkpoint, return */
};

struct sluice__train_result {
	int stopped;             /* because of options->stop */
	int stopped_early;       /* because validation did not improve any more */
	uint64_t updates, total; /* done, also before a resume; planned */
	size_t parameters, symbols;
	size_t characters, training; /* of the text; of its training part */
	double training_loss;        /* mean over the updates since the last validation but one; NaN without any */
	double validation_loss;      /* of the model written, natural logarithm per character; NaN without validation */
	double ngram_bits[SLUICE__NGRAM_ORDER_MAX + 1]; /* with baselines */
	double seconds;                                 /* spent in updates by this call */
	uint64_t updates_here;                          /* done by this call */
};

/* Documented defaults; the paths are NULL. */
void sluice__train_defaults(struct sluice__train_options *options);

/* Trains and writes the files asked for. All memory comes from the context's allocator, and before the first update.
 * A course that is stopped or killed and resumed ends with the same bits as one that was not. Errors: INVALID_ARGUMENT
 * (options, a text too short, a checkpoint of another course), IO, FORMAT, OUT_OF_MEMORY; and INTERNAL if the loss is
 * no longer a number. */
sluice_status sluice__train(sluice_context *context, const struct sluice__train_options *options,
			    struct sluice__train_result *result);

#endif
