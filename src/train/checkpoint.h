/* checkpoint.h: the state of a course of training, and its file. */
#ifndef SLUICE_TRAIN_CHECKPOINT_H
#define SLUICE_TRAIN_CHECKPOINT_H

#include "curve.h"
#include "learner.h"

/* Where a course stands between two updates; with the learner's blocks and state this is all that decides what follows.
 */
struct sluice__course {
	uint64_t update, total; /* updates done and planned */
	uint64_t epoch, chunk;  /* of the next update: epoch from 0, chunk of `steps` characters in it */
	uint64_t chunks;        /* in an epoch */
	uint64_t log_bytes;     /* length of the log so far */
	uint64_t loss_count;    /* updates since the last validation */
	double loss_sum;        /* of their losses */
	double training_loss;   /* mean over the updates between the last two validations */
	struct sluice__progress progress;
	struct sluice__series training, validation; /* curves */
	char isa[16];                               /* the checkpoint's instruction-set level; "" if it says none */
};

/* Writes everything as one safetensors file; the old one stays if that fails. Errors: IO, OUT_OF_MEMORY. */
sluice_status sluice__checkpoint_write(const char *path, const struct sluice__learner *learner,
				       const struct sluice__course *course);

/* Reads it into a learner made with the same options and text, and a course whose total and chunks are set. Errors: IO,
 * FORMAT, OUT_OF_MEMORY, INVALID_ARGUMENT (the checkpoint belongs to another course). */
sluice_status sluice__checkpoint_read(const char *path, struct sluice__learner *learner, struct sluice__course *course);

#endif
