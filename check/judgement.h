/*
 * judgement.h: everything the oracle says about one setting, computed once and then held against every level.
 */
#ifndef SLUICE_CHECK_JUDGEMENT_H
#define SLUICE_CHECK_JUDGEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "bound.h"
#include "network.h"
#include "oracle.h"
#include "setting.h"
#include "sluice/sluice.h"

/* One run and what the double oracle makes of it. */
struct sluice__exercise {
	struct sluice__oracle_run_f64 run;
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;
};

/* The plain f32 transcription of a run. */
struct sluice__transcript {
	struct sluice__oracle_run_f32 run;
	struct sluice__oracle_trace_f32 trace;
	struct sluice__oracle_gradients_f32 gradients;
	float *block;
};

struct sluice__judgement {
	const struct sluice__setting *setting;
	struct sluice__network network;
	int streamable;                   /* sluice_step can run it */
	size_t steps, batch;              /* T and N */
	size_t y_count, h_count, c_count; /* of the whole sequences */
	/* The whole sequences, free-running. No storage rounds here: that is the truth. */
	struct sluice__exercise free;
	/* Every step of the sequences as row t * N + n of a one-step run that starts from the oracle's h and c, rounded
	 * to what a state holds; steps that a row has not are rows of length 0. And the bounds of its results. */
	struct sluice__exercise forced;
	struct sluice__bound bound;
	struct sluice__transcript plain; /* of free, with h rounded to its type */
	double *block, *forced_block;
	uint64_t *ids; /* [T*N] sequence numbers */
	/* Of the whole sequences as sluice__data_of_setting makes them, and lengths of the teacher-forced rows. */
	size_t *lengths, *forced_lengths;
	uint8_t *resets, *holds;
};

/* Makes the data and runs the oracle on whole sequences. out is not movable, the setting must outlive it. Errors:
 * INVALID_ARGUMENT, OUT_OF_MEMORY. */
sluice_status sluice__judgement_create(const struct sluice__setting *setting, struct sluice__judgement *out);
void sluice__judgement_destroy(struct sluice__judgement *judgement);

/* What the bounds need to know of the setting. */
struct sluice__bound_storage sluice__judgement_storage(const struct sluice__judgement *judgement);

/* Adds the teacher-forced steps and their bounds. */
sluice_status sluice__judgement_force(struct sluice__judgement *judgement);

/* Adds the plain transcription of the whole sequences. */
sluice_status sluice__judgement_transcribe(struct sluice__judgement *judgement);

/* Runs the plain transcription of a run with these parameters, rounding h to a type. */
sluice_status sluice__transcript_create(const struct sluice__network *network, const struct sluice__oracle_run_f64 *run,
					const double *parameters, sluice_dtype h_type, int gradients,
					struct sluice__transcript *out);
void sluice__transcript_destroy(struct sluice__transcript *transcript);

#endif
