/*
 * judgement.h: everything the oracle says about one problem, computed once and then held against every level.
 */
#ifndef SLUICE_CHECK_JUDGEMENT_H
#define SLUICE_CHECK_JUDGEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "bound.h"
#include "data.h"
#include "network.h"
#include "oracle.h"
#include "problem.h"
#include "sluice/sluice.h"
#include "verify.h"

/* One run in both precisions, with what the double oracle makes of it. */
struct sluice__exercise {
	struct sluice__oracle_run_f32 run;
	struct sluice__oracle_run_f64 wide;
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;
	double *block; /* behind wide */
};

struct sluice__judgement {
	struct sluice__problem_model model;
	struct sluice__network network;
	struct sluice__data data;
	size_t steps, batch;
	int gradients;  /* whether there are any */
	int streamable; /* sluice_step can run it: no layer in reverse */
	/* The whole sequences, free-running, and the plain f32 transcription of them. */
	struct sluice__exercise free;
	struct sluice__oracle_trace_f32 plain;
	struct sluice__oracle_gradients_f32 plain_gradients;
	double *terms; /* sum of |terms| of every parameter's gradient, laid out as the canonical block */
	/* Every step of the sequences as row t * N + n of a one-step run that starts from the oracle's h and c, rounded
	 * to f32; and the bounds of its results. */
	struct sluice__exercise forced;
	struct sluice__bound bound;
	float *forced_block;
	uint64_t *ids; /* [T*N] sequence numbers */
};

/* Runs the oracle. out is not movable. Errors: UNSUPPORTED, INVALID_ARGUMENT, OUT_OF_MEMORY. */
sluice_status sluice__judgement_create(const struct sluice__problem *problem,
				       const struct sluice__verify_options *options, struct sluice__judgement *out);
void sluice__judgement_destroy(struct sluice__judgement *judgement);

#endif
