/*
 * accuracy.c: measures what storing numbers in 16 bits costs over whole sequences, as the table of docs/NUMERICS.md.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/data.h"
#include "check/network.h"
#include "check/oracle.h"
#include "check/problem.h"
#include "check/storage.h"
#include "check/subject.h"

struct storage {
	const char *name;
	sluice_dtype weights, data, tape;
};

static const struct storage STORAGES[] = {
	{"f32", SLUICE_F32, SLUICE_F32, SLUICE_F32},           {"weights f16", SLUICE_F16, SLUICE_F32, SLUICE_F32},
	{"weights bf16", SLUICE_BF16, SLUICE_F32, SLUICE_F32}, {"tape f16", SLUICE_F32, SLUICE_F32, SLUICE_F16},
	{"tape bf16", SLUICE_F32, SLUICE_F32, SLUICE_BF16},    {"all f16", SLUICE_F16, SLUICE_F16, SLUICE_F16},
	{"all bf16", SLUICE_BF16, SLUICE_BF16, SLUICE_BF16},
};

/* What all others are compared with. */
static const struct storage DOUBLE = {"f64", SLUICE_F64, SLUICE_F64, SLUICE_F64};

/* The arrays that are compared. */
enum { OUTPUT, CELL, INPUT_GRADIENT, PARAMETER_GRADIENT, ARRAYS };

/* A network and what it is run with, in double, so that both the library's f32 and its f64 take the same numbers. */
struct task {
	struct sluice__problem_model model;
	struct sluice__network network;
	struct sluice__data data;
	size_t steps, batch;
	double *x, *dy, *parameters;
};

static double *doubled(const float *values, size_t count)
{
	double *copy = malloc(count * sizeof(*copy));

	for (size_t k = 0; copy && k < count; k++)
		copy[k] = values[k];
	return copy;
}

static sluice_status task_create(const struct sluice__problem *problem, struct task *out)
{
	sluice_status status = sluice__problem_describe(problem, &out->model);

	out->steps = problem->steps;
	out->batch = problem->batch;
	if (status == SLUICE_OK)
		status = sluice__network_create(&out->model.description, NULL, 0, 0, &out->network);
	if (status == SLUICE_OK)
		status = sluice__data_create(&out->network, out->steps, out->batch, 1, &out->data);
	if (status != SLUICE_OK)
		return status;
	out->x = doubled(out->data.x, out->data.x_count);
	out->dy = doubled(out->data.dy, out->data.y_count);
	out->parameters = doubled(out->data.parameters, out->data.parameter_count);
	if (!out->x || !out->dy || !out->parameters)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu parameters", out->data.parameter_count);
	return SLUICE_OK;
}

static void task_destroy(struct task *task)
{
	free(task->x);
	free(task->dy);
	free(task->parameters);
	sluice__data_destroy(&task->data);
	sluice__network_destroy(&task->network);
}

static void values_round(sluice_dtype type, double *values, size_t count)
{
	for (size_t k = 0; k < count; k++)
		values[k] = sluice__storage_round(type, values[k]);
}

/* Whether a plan stores the tensor as its weights. */
static int is_weight(const sluice_parameter *tensor)
{
	return strncmp(tensor->name, "weight_", 7) == 0 || strcmp(tensor->name, "readout.weight") == 0 ||
	       (strncmp(tensor->name, "peephole", 8) == 0 && tensor->rows > 4);
}

/* What the storage makes of the task before anything is computed. */
static void task_round(struct task *task, const struct storage *storage)
{
	values_round(storage->data, task->x, task->data.x_count);
	values_round(storage->data, task->dy, task->data.y_count);
	for (size_t k = 0; k < task->network.tensor_count; k++) {
		const sluice_parameter *tensor = &task->network.tensors[k];

		if (is_weight(tensor))
			values_round(storage->weights, task->parameters + tensor->offset,
				     tensor->rows * tensor->columns);
	}
}

/* Runs a task forward and backward; the results are in out->result until it is destroyed, at failure too. */
static sluice_status task_run(const struct task *task, const struct storage *storage, struct sluice__subject *out)
{
	const struct sluice__subject_options options = {
		.threads = 1,
		.training = 1,
		.steps = task->steps,
		.batch = task->batch,
		.weights = storage->weights,
		.data = storage->data,
		.tape = storage->tape,
	};
	const struct sluice__oracle_run_f64 run = {
		.steps = task->steps,
		.batch = task->batch,
		.x = task->x,
		.dy = task->dy,
	};
	sluice_status status =
		sluice__subject_create(&task->model.description, &task->network, task->parameters, &options, out);

	return status == SLUICE_OK ? sluice__subject_run(out, &run, SLUICE__BY_FORWARD, 0) : status;
}

/* The largest error, in parts of the largest value; not a number if one of them is none. */
static double largest_error(const double *values, const double *exact, size_t count)
{
	double error = 0, largest = 0;

	for (size_t k = 0; k < count; k++) {
		double difference = fabs(values[k] - exact[k]);

		if (isnan(difference))
			return NAN;
		error = fmax(error, difference);
		largest = fmax(largest, fabs(exact[k]));
	}
	return error / largest;
}

static void compare(const struct task *task, const struct sluice__subject *subject, const struct sluice__subject *exact,
		    double errors[ARRAYS])
{
	const struct sluice__subject_result *got = &subject->result, *wanted = &exact->result;
	const struct sluice__data *data = &task->data;

	errors[OUTPUT] = largest_error(got->y, wanted->y, data->y_count);
	errors[CELL] = largest_error(got->cn, wanted->cn, data->c_count);
	errors[INPUT_GRADIENT] = largest_error(got->dx, wanted->dx, data->x_count);
	errors[PARAMETER_GRADIENT] = largest_error(got->dparameters, wanted->dparameters, data->parameter_count);
}

/* One row: the storage's run beside the exact one of the same numbers, and beside that of its rounded numbers. */
static sluice_status row_measure(const struct sluice__problem *problem, const struct storage *storage,
				 const struct sluice__subject *exact, double errors[2][ARRAYS])
{
	struct task task = {0};
	struct sluice__subject subject = {0}, rounded = {0};
	sluice_status status = task_create(problem, &task);

	if (status == SLUICE_OK)
		status = task_run(&task, storage, &subject);
	if (status == SLUICE_OK) {
		task_round(&task, storage);
		status = task_run(&task, &DOUBLE, &rounded);
	}
	if (status == SLUICE_OK) {
		compare(&task, &subject, exact, errors[0]);
		compare(&task, &subject, &rounded, errors[1]);
	}
	sluice__subject_destroy(&subject);
	sluice__subject_destroy(&rounded);
	task_destroy(&task);
	return status;
}

static sluice_status row_print(const char *problem, const char *storage, double errors[2][ARRAYS])
{
	printf("| %s | %s |", problem, storage);
	for (size_t array = 0; array < ARRAYS; array++) {
		if (isnan(errors[0][array]) || isnan(errors[1][array]))
			return sluice_fail(SLUICE_INTERNAL, "%s, %s: a result is not a number", problem, storage);
		printf(" %.1e, %.1e |", errors[0][array], errors[1][array]);
	}
	putchar('\n');
	return SLUICE_OK;
}

static sluice_status problem_measure(const char *text)
{
	struct sluice__problem problem;
	struct task task = {0};
	struct sluice__subject exact = {0};
	sluice_status status = sluice__problem_parse(text, &problem);

	if (status != SLUICE_OK)
		return status;
	status = task_create(&problem, &task);
	if (status == SLUICE_OK)
		status = task_run(&task, &DOUBLE, &exact);
	for (size_t k = 0; k < sizeof(STORAGES) / sizeof(STORAGES[0]) && status == SLUICE_OK; k++) {
		double errors[2][ARRAYS];

		status = row_measure(&problem, &STORAGES[k], &exact, errors);
		if (status == SLUICE_OK)
			status = row_print(text, STORAGES[k].name, errors);
		fflush(stdout);
	}
	sluice__subject_destroy(&exact);
	task_destroy(&task);
	return status;
}

/* The level that all plans below use. */
static void print_level(void)
{
	sluice_context *context;

	if (sluice_context_create(NULL, &context) != SLUICE_OK)
		return;
	printf("Level %s:\n\n", sluice_context_isa(context));
	sluice_context_destroy(context);
}

/* Arguments: problem strings; by default three that stand for many. */
int main(int argc, char **argv)
{
	static const char *const USUAL[] = {"t100n16i64h128", "t500n4i64h128l2", "t1000n1i1h32"};
	const char *const *problems = argc > 1 ? (const char *const *)(argv + 1) : USUAL;
	size_t count = argc > 1 ? (size_t)argc - 1 : sizeof(USUAL) / sizeof(USUAL[0]);

	print_level();
	puts("| problem | stored | y | final c | dx | dparameters |");
	puts("|---|---|---|---|---|---|");
	for (size_t k = 0; k < count; k++) {
		if (problem_measure(problems[k]) != SLUICE_OK) {
			fprintf(stderr, "sluice_accuracy: %s\n", sluice_last_message());
			return 1;
		}
	}
	return 0;
}
