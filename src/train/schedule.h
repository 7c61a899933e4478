/* schedule.h: how the learning rate goes with the updates, and when a course of training ends early. */
#ifndef SLUICE_TRAIN_SCHEDULE_H
#define SLUICE_TRAIN_SCHEDULE_H

#include <stdint.h>

/* Kinds of schedule, by their names on the command line. */
#define SLUICE__SCHEDULE_MAP(X) \
	X(CONSTANT, "constant") \
	X(STEP, "step")         \
	X(PLATEAU, "plateau")   \
	X(COSINE, "cosine")

enum sluice__schedule_kind {
#define SLUICE__SCHEDULE_ENUM(name, text) SLUICE__SCHEDULE_##name,
	SLUICE__SCHEDULE_MAP(SLUICE__SCHEDULE_ENUM)
#undef SLUICE__SCHEDULE_ENUM
};

struct sluice__schedule {
	enum sluice__schedule_kind kind;
	double rate;               /* learning rate after the warm-up */
	double rate_end;           /* cosine: rate of the last update; plateau: never below */
	double factor;             /* step and plateau: the rate is multiplied by this each time */
	uint64_t warmup;           /* updates over which the rate grows linearly to its full value; any kind */
	uint64_t period;           /* step: updates from one reduction to the next, counted from the first update */
	uint64_t plateau_patience; /* plateau: validations without improvement that are borne before a reduction */
	uint64_t patience;         /* early stopping: validations without improvement before the end; 0: never stop */
	double improvement; /* a validation loss counts as better when it is lower than the best by more than this */
};

/* What the validations so far have decided. Zero bytes and a call of sluice__progress_begin make a fresh one. */
struct sluice__progress {
	double best;              /* lowest validation loss; infinity before the first */
	uint64_t best_update;     /* where it was reached */
	uint64_t since_best;      /* validations since then */
	uint64_t since_reduction; /* validations since then or since the last reduction, whichever is later */
	uint64_t reductions;      /* reductions by the plateau schedule */
};

void sluice__progress_begin(struct sluice__progress *progress);

/* Learning rate of update 1 .. total. */
double sluice__schedule_rate(const struct sluice__schedule *schedule, const struct sluice__progress *progress,
			     uint64_t update, uint64_t total);

/* Takes note of a validation. Returns 1 if its loss is the best so far. A loss that is not a number never is. */
int sluice__progress_note(const struct sluice__schedule *schedule, struct sluice__progress *progress, uint64_t update,
			  double loss);

/* Whether early stopping ends the course now. */
int sluice__progress_stops(const struct sluice__schedule *schedule, const struct sluice__progress *progress);

#endif
