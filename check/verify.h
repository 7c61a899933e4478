/*
 * verify.h: judges what the library computes for one problem by the oracle, on every level this machine has.
 */
#ifndef SLUICE_CHECK_VERIFY_H
#define SLUICE_CHECK_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "judgement.h"
#include "problem.h"
#include "setting.h"
#include "sluice/sluice.h"

enum sluice__verdict {
	SLUICE__VERDICT_OK,
	SLUICE__VERDICT_FAILED,
	SLUICE__VERDICT_SKIPPED /* this machine lacks the level */
};

/* One line of the judgement. Error and bound are in the same unit and belong to the element that came closest to its
 * bound, or went farthest beyond it. */
struct sluice__verify_row {
	const char *level; /* static storage */
	const char *what;  /* "one step, c", "sequence, dx", ...; static storage */
	double error, bound;
	enum sluice__verdict verdict;
};

struct sluice__verify_options {
	uint64_t seed;   /* of data and dropout */
	const char *isa; /* one level by name; NULL: all levels of the library */
	size_t outputs;  /* width of a read-out; 0: none */
	float dropout;   /* of every layer that something follows; 0: none */
	int no_bias;
	int threads; /* of the contexts; 0: one */
	sluice_layout layout;
	int inference_only;                   /* 1: no gradients */
	int state_gradients, pointers, slots; /* as in a setting */
};

struct sluice__verify_report {
	struct sluice__verify_row *rows;
	size_t count, capacity;
	int failures, skipped; /* rows of either verdict */
};

/* Parts of a judgement, to be or-ed together. */
enum {
	SLUICE__VERIFY_FORCED = 1, /* every step from the oracle's state, within computed bounds */
	SLUICE__VERIFY_CHUNKED =
		2, /* the same in calls of the setting's batch, by sluice_step where that can, else by sluice_block */
	SLUICE__VERIFY_FREE = 4,    /* whole sequences beside the plain f32 transcription */
	SLUICE__VERIFY_STREAM = 8,  /* whole sequences by sluice_block and sluice_step, which must give the same bits */
	SLUICE__VERIFY_DOUBLE = 16, /* whole sequences of a plan that computes in f64, beside the oracle */
};

/* Judges these parts of a setting on one level, or on all (isa NULL). A difference is a row of the report, not an
 * error. Errors: those of the library and OUT_OF_MEMORY; the report then holds the rows made so far. */
sluice_status sluice__verify_setting(const struct sluice__setting *setting, unsigned parts, const char *isa,
				     struct sluice__verify_report *report);

/* The same of a judgement that has been created, to which what the parts need is added. */
sluice_status sluice__verify_judgement(struct sluice__judgement *judgement, unsigned parts, const char *isa,
				       struct sluice__verify_report *report);

/* Judges a problem: all parts, or what a plan of f64 has of them. options NULL: all defaults. Errors: as
 * sluice__verify_setting. */
sluice_status sluice__verify_problem(const struct sluice__problem *problem,
				     const struct sluice__verify_options *options,
				     struct sluice__verify_report *report);
void sluice__verify_report_destroy(struct sluice__verify_report *report);

/* "ok", "FAILED", "skipped". Static storage. */
const char *sluice__verdict_name(enum sluice__verdict verdict);

#endif
