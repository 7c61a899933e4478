/*
 * paired.h: a network ready to run, and two ways of running measured against each other.
 */
#ifndef SLUICE_BENCH_PAIRED_H
#define SLUICE_BENCH_PAIRED_H

#include "check/problem.h"
#include "check/timing.h"

enum { BENCH_PIECES = 32 };

/* A model with random parameters and a plan, with memory that lives as long. */
struct bench {
	struct sluice__problem problem;
	struct sluice__problem_model description;
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	size_t inputs, outputs; /* numbers of a row of x and of y: of images all of their places */
	struct {
		void *memory;
		size_t bytes;
	} pieces[BENCH_PIECES];
	size_t piece_count;
};

/* Makes a bench of a problem; the plan's steps are 1 if single. Destroy it after a failure, too. */
sluice_status bench_create(const char *problem, int single, int training, int threads, struct bench *out);
void bench_destroy(struct bench *bench);

/* Zeroed memory; NULL without, with the message set. */
void *bench_take(struct bench *bench, size_t count, size_t bytes);

/* Random floats. */
float *bench_random(struct bench *bench, const char *name, size_t count);

/* One run of a bench, and its gradients. */
struct pass {
	const struct bench *bench;
	sluice_run run;
	sluice_gradients gradients;
	int backward; /* whether a call is forward and backward */
};

/* Fills a pass over all steps and rows of the plan with data of its own; others may be copied from it and changed. */
sluice_status pass_create(struct bench *bench, int backward, struct pass *out);

/* Calls sluice_forward and, if wanted, sluice_backward; argument is a pass. */
int pass_run(void *argument);

/* How a measured candidate compares with its reference: medians of each, and of the ratios of their pairs. */
struct pair {
	double measured, reference; /* seconds of a call */
	double ratio;
	size_t rounds;
};

/* A front end's way to do what a pass does. create may leave things half-made: destroy is called in any case. */
struct front {
	const char *words; /* what is special about it: cells of the table between the pass and the times */
	sluice_status (*create)(struct bench *bench, const struct pass *pass, void *facade);
	int (*run)(void *facade);
	void (*destroy)(void *facade);
	void *facade; /* zeroed by the caller */
};

/* Measures one against the core with one thread, and prints a row of a table:
 * problem, pass, words, us, us of the core, ratio, kernels. */
sluice_status front_measure(const char *problem, int backward, const struct front *front, double seconds);

/* One block of the parameters of the bench's model, or of `block` laid out like them; NULL if there is none. */
float *bench_parameter(const struct bench *bench, float *block, const char *name);

/* Times the two in turns, the first of a round being the second of the next. Returns what a call gave up with. */
int pair_measure(const struct sluice__candidate *measured, const struct sluice__candidate *reference, double seconds,
		 struct pair *out);

#endif
