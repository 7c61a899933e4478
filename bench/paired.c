/*
 * paired.c: tells what one way costs over another by pairs that are measured together, because a shared machine changes
 * its speed from second to second.
 */
#include "paired.h"

#include <stdio.h>
#include <string.h>

#include "check/data.h"

/* ---------------------------------------------------------------------------------------------------- benches ---- */

/* Places of the images that a layer puts out, of x for layer = layers; 1 without images. */
static size_t places_of(const struct bench *bench, size_t layer)
{
	size_t height = 0, width = 0;

	if (sluice_model_image(bench->model, layer, &height, &width) != SLUICE_OK || !height)
		return 1;
	return height * width;
}

static sluice_status plan_create(struct bench *bench, int single, int training)
{
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	sluice_status status = sluice_model_create(bench->context, &bench->description.description, &bench->model);

	if (status == SLUICE_OK)
		status = sluice_model_initialize(bench->model, NULL);
	if (status != SLUICE_OK)
		return status;
	options.steps = single ? 1 : bench->problem.steps;
	options.batch = bench->problem.batch;
	options.training = training;
	options.tape_mode = bench->problem.tape_mode;
	options.winograd = bench->problem.winograd;
	bench->inputs = bench->problem.inputs * places_of(bench, bench->problem.layers);
	bench->outputs = sluice_model_outputs(bench->model);
	return sluice_plan_create(bench->model, &options, &bench->plan);
}

sluice_status bench_create(const char *problem, int single, int training, int threads, struct bench *out)
{
	sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_status status;

	memset(out, 0, sizeof(*out));
	options.threads = threads;
	status = sluice__problem_parse(problem, &out->problem);
	if (status == SLUICE_OK)
		status = sluice__problem_describe(&out->problem, &out->description);
	if (status == SLUICE_OK)
		status = sluice_context_create(&options, &out->context);
	return status == SLUICE_OK ? plan_create(out, single, training) : status;
}

void bench_destroy(struct bench *bench)
{
	for (size_t k = 0; k < bench->piece_count; k++)
		sluice_release(bench->context, bench->pieces[k].memory, bench->pieces[k].bytes);
	sluice_plan_destroy(bench->plan);
	sluice_model_destroy(bench->model);
	sluice_context_destroy(bench->context);
}

void *bench_take(struct bench *bench, size_t count, size_t bytes)
{
	void *memory = NULL;

	if (bench->piece_count == BENCH_PIECES)
		sluice_fail(SLUICE_INTERNAL, "more than %d arrays are wanted", BENCH_PIECES);
	else
		memory = sluice_allocate(bench->context, count * bytes);
	if (memory) {
		bench->pieces[bench->piece_count].memory = memory;
		bench->pieces[bench->piece_count++].bytes = count * bytes;
	}
	return memory;
}

float *bench_random(struct bench *bench, const char *name, size_t count)
{
	float *array = bench_take(bench, count, sizeof(float));

	if (array)
		sluice__data_fill(1, name, 1, count, array);
	return array;
}

float *bench_parameter(const struct bench *bench, float *block, const char *name)
{
	for (size_t index = 0; index < sluice_model_parameter_count(bench->model); index++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;

		if (sluice_model_parameter(bench->model, index, &parameter) == SLUICE_OK &&
		    !strcmp(parameter.name, name))
			return block + parameter.offset;
	}
	return NULL;
}

/* ----------------------------------------------------------------------------------------------------- passes ---- */

/* What backward starts from: the tape, or gates and c of the forward run. */
static sluice_status tape_create(struct bench *bench, struct pass *pass)
{
	const struct sluice__problem *problem = &bench->problem;
	size_t cells = 0;

	if (problem->tape_mode != SLUICE_TAPE_OUTPUTS) {
		pass->run.tape = bench_take(bench, sluice_plan_tape_size(bench->plan, problem->steps), 1);
		return pass->run.tape ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
	}
	for (size_t layer = 0; layer < problem->layers; layer++)
		cells += problem->steps * problem->batch * problem->hidden * places_of(bench, layer);
	pass->run.gates = bench_take(bench, 4 * cells, sizeof(float));
	pass->run.c = bench_take(bench, cells, sizeof(float));
	return pass->run.gates && pass->run.c ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
}

static sluice_status gradients_create(struct bench *bench, struct pass *pass)
{
	const struct sluice__problem *problem = &bench->problem;
	size_t rows = problem->steps * problem->batch, parameters;
	sluice_gradients *gradients = &pass->gradients;

	sluice_model_parameters(bench->model, &parameters);
	*gradients = (sluice_gradients)SLUICE_GRADIENTS_INIT;
	gradients->dy = bench_random(bench, "dy", rows * bench->outputs);
	gradients->dx = bench_take(bench, rows * bench->inputs, sizeof(float));
	gradients->dparameters = bench_take(bench, parameters, sizeof(float));
	if (!gradients->dy || !gradients->dx || !gradients->dparameters)
		return SLUICE_OUT_OF_MEMORY;
	return tape_create(bench, pass);
}

sluice_status pass_create(struct bench *bench, int backward, struct pass *out)
{
	const struct sluice__problem *problem = &bench->problem;
	size_t rows = problem->steps * problem->batch;

	*out = (struct pass){.bench = bench, .run = SLUICE_RUN_INIT, .backward = backward};
	out->run.x = bench_random(bench, "x", rows * bench->inputs);
	out->run.y = bench_take(bench, rows * bench->outputs, sizeof(float));
	out->run.workspace = bench_take(bench, sluice_plan_workspace_size(bench->plan), 1);
	if (!out->run.x || !out->run.y || !out->run.workspace)
		return SLUICE_OUT_OF_MEMORY;
	return backward ? gradients_create(bench, out) : SLUICE_OK;
}

int pass_run(void *argument)
{
	const struct pass *pass = argument;
	sluice_status status = sluice_forward(pass->bench->plan, &pass->run);

	if (status == SLUICE_OK && pass->backward)
		status = sluice_backward(pass->bench->plan, &pass->run, &pass->gradients);
	return (int)status;
}

/* ------------------------------------------------------------------------------------------------------ pairs ---- */

enum { ROUNDS_MIN = 3, ROUNDS_MAX = 5000 };

#define SAMPLE_SECONDS 200e-6 /* ten thousand times what reading the clock costs */

/* Seconds of a call, told by `calls` of them. */
static double sample(const struct sluice__candidate *candidate, size_t calls, int *status)
{
	double start = sluice__time_now();

	for (size_t call = 0; call < calls && !*status; call++)
		*status = candidate->run(candidate->argument);
	return (sluice__time_now() - start) / (double)calls;
}

/* Calls that make a sample, after one call that may be slower than others. */
static size_t calls_needed(const struct sluice__candidate *candidate, int *status)
{
	double seconds;

	sample(candidate, 1, status);
	seconds = sample(candidate, 1, status);
	return seconds < SAMPLE_SECONDS ? (size_t)(SAMPLE_SECONDS / (seconds + 1e-9)) + 1 : 1;
}

static double median(double *samples, size_t count)
{
	struct sluice__timing timing;

	sluice__timing_summarize(samples, count, &timing);
	return timing.median;
}

int pair_measure(const struct sluice__candidate *measured, const struct sluice__candidate *reference, double seconds,
		 struct pair *out)
{
	static double times[2][ROUNDS_MAX], ratios[ROUNDS_MAX];
	const struct sluice__candidate *sides[2] = {measured, reference};
	double start;
	size_t calls[2], round = 0;
	int status = 0;

	for (size_t side = 0; side < 2 && !status; side++)
		calls[side] = calls_needed(sides[side], &status);
	start = sluice__time_now();
	while (!status && round < ROUNDS_MAX && (round < ROUNDS_MIN || sluice__time_now() - start < seconds)) {
		size_t first = round % 2;

		times[first][round] = sample(sides[first], calls[first], &status);
		times[1 - first][round] = sample(sides[1 - first], calls[1 - first], &status);
		ratios[round] = times[0][round] / times[1][round];
		round++;
	}
	out->measured = median(times[0], round);
	out->reference = median(times[1], round);
	out->ratio = median(ratios, round);
	out->rounds = round;
	return status;
}

/* ----------------------------------------------------------------------------------------------------- fronts ---- */

sluice_status front_measure(const char *problem, int backward, const struct front *front, double seconds)
{
	struct bench bench;
	struct pass pass;
	struct pair pair;
	sluice_status status = bench_create(problem, 0, backward, 1, &bench);

	if (status == SLUICE_OK)
		status = pass_create(&bench, backward, &pass);
	if (status == SLUICE_OK)
		status = front->create(&bench, &pass, front->facade);
	if (status == SLUICE_OK) {
		const struct sluice__candidate measured = {.run = front->run, .argument = front->facade};
		const struct sluice__candidate reference = {.run = pass_run, .argument = &pass};

		status = pair_measure(&measured, &reference, seconds, &pair) ? SLUICE_INTERNAL : SLUICE_OK;
	}
	if (status == SLUICE_OK)
		printf("| %s | %s | %s | %.1f | %.1f | %.3f | %s |\n", problem,
		       backward ? "forward+backward" : "forward", front->words, 1e6 * pair.measured,
		       1e6 * pair.reference, pair.ratio, sluice_plan_kernels(bench.plan));
	front->destroy(front->facade);
	bench_destroy(&bench);
	return status;
}
