/*
 * time.c: measures what resets, lengths, slots and blocks cost beside the same work without them, as the tables of
 * docs/BENCHMARKS.md.
 */
#define _POSIX_C_SOURCE 200809L /* pthread.h */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paired.h"
#include "sluice/streams.h"

/* How everything is measured. */
struct settings {
	double seconds; /* of each pair */
	int threads;    /* of resets and lengths */
	int json;
	int small; /* problems that take no time: whether it works, not how fast */
};

/* ------------------------------------------------------------------------------------------------------- rows ---- */

struct row {
	const char *experiment, *problem, *pass;
	int threads;
	double needed; /* the share of the reference's work that is needed */
};

static void print_head(const struct settings *settings)
{
	if (settings->json)
		return;
	puts("| experiment | problem | pass | threads | us | us of the reference | ratio, median of pairs | needed | "
	     "ratio / needed | kernels |");
	puts("|---|---|---|---|---|---|---|---|---|---|");
}

static void print_row(const struct settings *settings, const struct row *row, const struct pair *pair,
		      const struct bench *bench)
{
	const char *kernels = sluice_plan_kernels(bench->plan), *level = sluice_context_isa(bench->context);

	if (settings->json)
		printf("{\"experiment\": \"%s\", \"problem\": \"%s\", \"pass\": \"%s\", \"threads\": %d, \"us\": %.6g, "
		       "\"us_reference\": %.6g, \"ratio\": %.5g, \"needed\": %.5g, \"rounds\": %zu, \"kernels\": "
		       "\"%s\", \"level\": \"%s\"}\n",
		       row->experiment, row->problem, row->pass, row->threads, 1e6 * pair->measured,
		       1e6 * pair->reference, pair->ratio, row->needed, pair->rounds, kernels, level);
	else
		printf("| %s | %s | %s | %d | %.1f | %.1f | %.3f | %.3f | %.3f | %s |\n", row->experiment, row->problem,
		       row->pass, row->threads, 1e6 * pair->measured, 1e6 * pair->reference, pair->ratio, row->needed,
		       pair->ratio / row->needed, kernels);
	fflush(stdout);
}

/* Measures two candidates and prints the row. */
static sluice_status compare(const struct settings *settings, const struct row *row, const struct bench *bench,
			     const struct sluice__candidate *measured, const struct sluice__candidate *reference)
{
	struct pair pair;
	sluice_status status = (sluice_status)pair_measure(measured, reference, settings->seconds, &pair);

	if (status == SLUICE_OK)
		print_row(settings, row, &pair, bench);
	return status;
}

static sluice_status compare_passes(const struct settings *settings, const struct row *row, struct pass *measured,
				    struct pass *reference)
{
	const struct sluice__candidate a = {.run = pass_run, .argument = measured};
	const struct sluice__candidate b = {.run = pass_run, .argument = reference};

	return compare(settings, row, measured->bench, &a, &b);
}

/* ----------------------------------------------------------------------------------------------------- resets ---- */

/* One step in RESET_EVERY is a reset, at random. */
enum { RESET_EVERY = 16 };

static uint8_t *random_resets(struct bench *bench, size_t count)
{
	uint8_t *resets = bench_take(bench, count, 1);
	const float *numbers = bench_random(bench, "resets", count); /* in [-1,1] */

	for (size_t k = 0; resets && numbers && k < count; k++)
		resets[k] = numbers[k] < -1 + 2.0f / RESET_EVERY;
	return numbers ? resets : NULL;
}

static sluice_status resets_pass(const struct settings *settings, const char *problem, int backward)
{
	const struct row row = {"resets", problem, backward ? "forward+backward" : "forward", settings->threads, 1};
	struct bench bench;
	struct pass plain, marked;
	sluice_status status = bench_create(problem, 0, backward, settings->threads, &bench);

	if (status == SLUICE_OK)
		status = pass_create(&bench, backward, &plain);
	if (status == SLUICE_OK) {
		marked = plain;
		marked.run.resets = random_resets(&bench, bench.problem.steps * bench.problem.batch);
		status = marked.run.resets ? compare_passes(settings, &row, &marked, &plain) : SLUICE_OUT_OF_MEMORY;
	}
	bench_destroy(&bench);
	return status;
}

static sluice_status measure_resets(const struct settings *settings)
{
	const char *problem = settings->small ? "t5n3i4h8" : "t150n16h256";
	sluice_status status = resets_pass(settings, problem, 0);

	return status == SLUICE_OK ? resets_pass(settings, problem, 1) : status;
}

/* ---------------------------------------------------------------------------------------------------- lengths ---- */

/*
 * The lengths of a batch: a Weyl sequence, uniform over 1..T and in no order. compare/packed.py has the same.
 */
enum { LENGTH_STRIDE = 61, LENGTH_FIRST = 17 };

static int longer_first(const void *left, const void *right)
{
	size_t a = *(const size_t *)left, b = *(const size_t *)right;

	return (a < b) - (a > b);
}

/* Returns their sum. */
static size_t fill_lengths(const struct bench *bench, int sorted, size_t *lengths)
{
	size_t sum = 0;

	for (size_t n = 0; n < bench->problem.batch; n++) {
		lengths[n] = 1 + (LENGTH_FIRST + LENGTH_STRIDE * n) % bench->problem.steps;
		sum += lengths[n];
	}
	if (sorted)
		qsort(lengths, bench->problem.batch, sizeof(*lengths), longer_first);
	return sum;
}

/* Rows of full length beside rows with lengths; in any order and padded, or longest first and packed. */
static sluice_status lengths_pass(const struct settings *settings, const char *problem, int backward, int packed)
{
	struct row row = {packed ? "lengths, packed" : "lengths, padded", problem,
			  backward ? "forward+backward" : "forward", settings->threads, 1};
	struct bench bench;
	struct pass full, part;
	sluice_status status = bench_create(problem, 0, backward, settings->threads, &bench);

	if (status == SLUICE_OK)
		status = pass_create(&bench, backward, &full);
	if (status == SLUICE_OK) {
		size_t batch = bench.problem.batch, *lengths = bench_take(&bench, batch, sizeof(*lengths));

		part = full;
		part.run.lengths = lengths;
		part.run.packed = packed;
		if (lengths)
			row.needed =
				(double)fill_lengths(&bench, packed, lengths) / (double)(bench.problem.steps * batch);
		status = lengths ? compare_passes(settings, &row, &part, &full) : SLUICE_OUT_OF_MEMORY;
	}
	bench_destroy(&bench);
	return status;
}

static sluice_status measure_lengths(const struct settings *settings)
{
	const char *problem = settings->small ? "t5n3i4h8" : "t100n64h256";
	sluice_status status = SLUICE_OK;

	for (int k = 0; k < 4 && status == SLUICE_OK; k++)
		status = lengths_pass(settings, problem, k / 2, k % 2);
	return status;
}

/* ------------------------------------------------------------------------------------------------------ slots ---- */

enum { THREADS_MAX = 2, SLOT_STRIDE = 77 };

/* Streams with a frame each: stepped together in their slots, or one by one with a state each. */
struct streams {
	struct bench together, alone;
	sluice_run step; /* of all */
	sluice_run single[THREADS_MAX];
	size_t *slots;
	char *states;
	size_t state_bytes;
	int threads;
};

static int run_together(void *argument)
{
	struct streams *streams = argument;

	/* A step is one thread's work; a sequence of one step is everybody's. */
	return (int)(streams->threads == 1 ? sluice_step(streams->together.plan, &streams->step)
					   : sluice_forward(streams->together.plan, &streams->step));
}

/* One thread's share of the streams. */
struct share {
	struct streams *streams;
	int index;
	sluice_status status;
};

static void *run_share(void *argument)
{
	struct share *share = argument;
	struct streams *streams = share->streams;
	size_t count = streams->together.problem.batch, threads = (size_t)streams->threads;
	size_t first = count * (size_t)share->index / threads, end = count * ((size_t)share->index + 1) / threads;
	sluice_run run = streams->single[share->index];

	for (size_t n = first; n < end && share->status == SLUICE_OK; n++) {
		run.x = (const float *)streams->step.x + n * streams->together.problem.inputs;
		run.y = (float *)streams->single[0].y + n * streams->together.outputs;
		run.initial_state = run.final_state = streams->states + n * streams->state_bytes;
		share->status = sluice_step(streams->alone.plan, &run);
	}
	return NULL;
}

static int run_alone(void *argument)
{
	struct streams *streams = argument;
	struct share shares[THREADS_MAX] = {{streams, 0, SLUICE_OK}, {streams, 1, SLUICE_OK}};
	pthread_t helper;
	int helped = streams->threads > 1;

	if (helped && pthread_create(&helper, NULL, run_share, &shares[1]) != 0)
		return (int)sluice_fail(SLUICE_INTERNAL, "a thread could not be started");
	run_share(&shares[0]);
	if (helped)
		pthread_join(helper, NULL);
	return (int)(shares[0].status != SLUICE_OK ? shares[0].status : shares[1].status);
}

static sluice_status streams_create(const char *problem, int threads, struct streams *out)
{
	struct bench *together = &out->together, *alone = &out->alone;
	struct pass pass;
	size_t batch;
	sluice_status status = bench_create(problem, 1, 0, threads, together);

	memset(alone, 0, sizeof(*alone));
	out->threads = threads;
	if (status == SLUICE_OK)
		status = pass_create(together, 0, &pass);
	if (status != SLUICE_OK)
		return status;
	batch = together->problem.batch;
	out->step = pass.run;
	out->step.steps = 1;
	out->slots = bench_take(together, batch, sizeof(*out->slots));
	out->step.final_state = bench_take(together, sluice_plan_state_size(together->plan, batch), 1);
	if (!out->slots || !out->step.final_state)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t n = 0; n < batch; n++)
		out->slots[n] = SLOT_STRIDE * n % batch;
	out->step.slots = out->slots;
	out->step.slot_count = batch;
	out->step.initial_state = out->step.final_state;
	return SLUICE_OK;
}

/* The same model behind a plan of one row. */
static sluice_status alone_create(struct streams *streams)
{
	struct bench *alone = &streams->alone;
	size_t batch = streams->together.problem.batch;
	char problem[SLUICE__PROBLEM_TEXT];
	struct sluice__problem one = streams->together.problem;
	sluice_status status;

	one.batch = 1;
	sluice__problem_print(&one, problem);
	status = bench_create(problem, 1, 0, 1, alone);
	if (status != SLUICE_OK)
		return status;
	streams->state_bytes = sluice_plan_state_size(alone->plan, 1);
	streams->states = bench_take(alone, batch, streams->state_bytes);
	for (int k = 0; k < THREADS_MAX; k++) {
		streams->single[k] = (sluice_run)SLUICE_RUN_INIT;
		streams->single[k].workspace = bench_take(alone, sluice_plan_workspace_size(alone->plan), 1);
		if (!streams->single[k].workspace)
			return SLUICE_OUT_OF_MEMORY;
	}
	streams->single[0].y = bench_take(alone, batch * alone->outputs, sizeof(float));
	return streams->states && streams->single[0].y ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
}

/* What is compared must be the same work: two arrays of y, bit for bit. */
static sluice_status expect_same(const char *what, const void *one, const void *other, size_t count)
{
	if (memcmp(one, other, count * sizeof(float)) == 0)
		return SLUICE_OK;
	return sluice_fail(SLUICE_INTERNAL, "%s: the two ways differ in their results", what);
}

static sluice_status slots_pass(const struct settings *settings, const char *problem, int threads)
{
	const struct row row = {"slots", problem, "step", threads, 1};
	struct streams streams = {0};
	const struct sluice__candidate together = {.run = run_together, .argument = &streams};
	const struct sluice__candidate alone = {.run = run_alone, .argument = &streams};
	sluice_status status = streams_create(problem, threads, &streams);

	if (status == SLUICE_OK)
		status = alone_create(&streams);
	if (status == SLUICE_OK)
		status = (sluice_status)run_together(&streams);
	if (status == SLUICE_OK)
		status = (sluice_status)run_alone(&streams);
	if (status == SLUICE_OK)
		status = expect_same(problem, streams.step.y, streams.single[0].y,
				     streams.together.problem.batch * streams.together.outputs);
	if (status == SLUICE_OK)
		status = compare(settings, &row, &streams.together, &together, &alone);
	bench_destroy(&streams.alone);
	bench_destroy(&streams.together);
	return status;
}

static sluice_status measure_slots(const struct settings *settings)
{
	static const char *const SIZES[2][2] = {{"t1n256i128h128", "t1n256i1h128"}, {"t1n5i4h8", "t1n5i1h8"}};
	sluice_status status = SLUICE_OK;

	for (int k = 0; k < 4 && status == SLUICE_OK; k++)
		status = slots_pass(settings, SIZES[settings->small][k % 2], 1 + k / 2);
	return status;
}

/* ------------------------------------------------------------------------------------------------------ block ---- */

/* A block of frames of a stream: in one call, or in as many steps. Both go on from where they were. */
struct frames {
	struct bench bench;
	sluice_run block, step;
};

static int run_block(void *argument)
{
	struct frames *frames = argument;

	return (int)sluice_block(frames->bench.plan, &frames->block);
}

static int run_steps(void *argument)
{
	struct frames *frames = argument;
	sluice_run run = frames->step;
	sluice_status status = SLUICE_OK;

	for (size_t t = 0; t < frames->bench.problem.steps && status == SLUICE_OK; t++) {
		run.x = (const float *)frames->block.x + t * frames->bench.problem.inputs;
		run.y = (float *)frames->step.y + t * frames->bench.outputs;
		status = sluice_step(frames->bench.plan, &run);
	}
	return (int)status;
}

static sluice_status frames_create(const char *problem, struct frames *out)
{
	struct bench *bench = &out->bench;
	struct pass pass;
	sluice_status status = bench_create(problem, 0, 0, 1, bench);

	if (status == SLUICE_OK)
		status = pass_create(bench, 0, &pass);
	if (status != SLUICE_OK)
		return status;
	out->block = out->step = pass.run;
	out->step.y = bench_take(bench, bench->problem.steps * bench->outputs, sizeof(float));
	out->block.final_state = bench_take(bench, sluice_plan_state_size(bench->plan, 1), 1);
	out->step.final_state = bench_take(bench, sluice_plan_state_size(bench->plan, 1), 1);
	out->block.initial_state = out->block.final_state;
	out->step.initial_state = out->step.final_state;
	return out->step.y && out->block.final_state && out->step.final_state ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
}

static sluice_status block_pass(const struct settings *settings, const char *problem)
{
	const struct row row = {"block", problem, "32 frames", 1, 1};
	struct frames frames;
	const struct sluice__candidate block = {.run = run_block, .argument = &frames};
	const struct sluice__candidate steps = {.run = run_steps, .argument = &frames};
	sluice_status status = frames_create(problem, &frames);

	if (status == SLUICE_OK)
		status = (sluice_status)run_block(&frames);
	if (status == SLUICE_OK)
		status = (sluice_status)run_steps(&frames);
	if (status == SLUICE_OK)
		status = expect_same(problem, frames.block.y, frames.step.y,
				     frames.bench.problem.steps * frames.bench.outputs);
	if (status == SLUICE_OK)
		status = compare(settings, &row, &frames.bench, &block, &steps);
	bench_destroy(&frames.bench);
	return status;
}

static sluice_status measure_block(const struct settings *settings)
{
	sluice_status status = block_pass(settings, "t32n1i1h16");

	return status == SLUICE_OK ? block_pass(settings, "t32n1i16h16") : status;
}

/* ------------------------------------------------------------------------------------------------ the program ---- */

static const struct experiment {
	const char *name;
	sluice_status (*measure)(const struct settings *settings);
} EXPERIMENTS[] = {
	{"resets", measure_resets},
	{"lengths", measure_lengths},
	{"slots", measure_slots},
	{"block", measure_block},
};

enum { EXPERIMENT_COUNT = sizeof(EXPERIMENTS) / sizeof(EXPERIMENTS[0]) };

static int usage(void)
{
	fputs("usage: sluice_time [--json] [--small] [--seconds=X] [--threads=N] [resets] [lengths] [slots] [block]\n",
	      stderr);
	return 2;
}

static const struct experiment *experiment_find(const char *name)
{
	for (size_t k = 0; k < EXPERIMENT_COUNT; k++)
		if (strcmp(EXPERIMENTS[k].name, name) == 0)
			return &EXPERIMENTS[k];
	return NULL;
}

/* The number behind an option's name; 0 if the argument is another one, or holds no number. */
static int number_take(const char *argument, const char *name, double *number)
{
	size_t length = strlen(name);
	char *end = NULL;
	double value;

	if (strncmp(argument, name, length) != 0)
		return 0;
	value = strtod(argument + length, &end);
	if (end == argument + length || *end != '\0' || !(value >= 0))
		return 0;
	*number = value;
	return 1;
}

/* Takes an argument that is an option. */
static int option_take(const char *argument, struct settings *settings)
{
	double threads = 0;

	if (strcmp(argument, "--json") == 0)
		return settings->json = 1;
	if (strcmp(argument, "--small") == 0)
		return settings->small = 1;
	if (number_take(argument, "--seconds=", &settings->seconds))
		return 1;
	if (!number_take(argument, "--threads=", &threads) || !(threads >= 1 && threads <= 1024))
		return 0;
	settings->threads = (int)threads;
	return 1;
}

int main(int argc, char **argv)
{
	struct settings settings = {.seconds = 5, .threads = 1};
	const struct experiment *chosen[EXPERIMENT_COUNT];
	size_t count = 0;

	for (int k = 1; k < argc; k++) {
		const struct experiment *experiment = experiment_find(argv[k]);

		if (experiment && count < EXPERIMENT_COUNT)
			chosen[count++] = experiment;
		else if (experiment || !option_take(argv[k], &settings))
			return usage();
	}
	for (size_t k = 0; count == 0 && k < EXPERIMENT_COUNT; k++)
		chosen[k] = &EXPERIMENTS[k];
	print_head(&settings);
	for (size_t k = 0; k < (count ? count : EXPERIMENT_COUNT); k++) {
		if (chosen[k]->measure(&settings) != SLUICE_OK) {
			fprintf(stderr, "sluice_time: %s: %s\n", chosen[k]->name, sluice_last_message());
			return 1;
		}
	}
	return 0;
}
