/* learner.h: a character model with all that one update of it needs, allocated once. */
#ifndef SLUICE_TRAIN_LEARNER_H
#define SLUICE_TRAIN_LEARNER_H

#include "characters.h"
#include "tasks.h"
#include "trainer.h"

/* A vector of parameters with what the optimizer keeps beside it. */
struct sluice__block {
	size_t count;
	float *parameters; /* the model's or the embedding's */
	float *gradients;
	float *moments[2];
	float *best; /* the parameters of the best validation */
};

#define SLUICE__LEARNER_BLOCKS 2
#define SLUICE__LEARNER_PIECES 24

struct sluice__learner {
	sluice_context *context;
	const struct sluice__train_options *options;
	const struct sluice__text *text;
	struct sluice__streams training, validation;
	struct sluice__characters characters;
	struct sluice__block blocks[SLUICE__LEARNER_BLOCKS]; /* the network; the embedding, if there is one */
	size_t block_count, moment_count;
	sluice_plan *plan, *validation_plan;
	uint32_t *input, *target; /* [T,N] */
	float *x, *dx, *y;        /* [T,N,width], the same, [T,N,symbols] */
	void *state, *validation_state;
	size_t state_size;
	void *tape, *workspace;
	struct {
		void *memory;
		size_t bytes;
	} pieces[SLUICE__LEARNER_PIECES];
	size_t piece_count;
};

/* Makes everything, with random parameters. The options and the text must outlive the learner. Release with
 * sluice__learner_release, also after a failure. */
sluice_status sluice__learner_create(sluice_context *context, const struct sluice__train_options *options,
				     const struct sluice__text *text, struct sluice__learner *out);
void sluice__learner_release(struct sluice__learner *learner);

/* Packs the parameters again after they were written from outside. */
sluice_status sluice__learner_refresh(struct sluice__learner *learner);

/* Sets the state of all training streams to zero, as at the start of an epoch. */
void sluice__learner_forget(struct sluice__learner *learner);

/* Update number `update` (from 1): the steps from `offset` of every stream, forward, backward, clip, optimizer. norm is
 * that of the gradient before clipping. Errors: INTERNAL if loss or norm are not finite; nothing is changed then. */
sluice_status sluice__learner_update(struct sluice__learner *learner, uint64_t update, double rate, size_t offset,
				     double *loss, double *norm);

/* Mean loss over the validation streams, from zero states. */
sluice_status sluice__learner_validate(struct sluice__learner *learner, double *loss);

/* Keeps the parameters as the best ones, or goes back to them. */
void sluice__learner_keep(struct sluice__learner *learner);
sluice_status sluice__learner_recall(struct sluice__learner *learner);

#endif
