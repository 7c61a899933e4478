/*
 * verify.c: sets the library's results beside the oracle's, once step by step and once for whole sequences.
 *
 * Teacher-forced: every step of the oracle's trajectory becomes one row of a one-step run that starts from the oracle's
 * h and c, rounded to f32. That isolates the error of a step, for which a bound is computed (bound.h). Free-running:
 * whole sequences, judged beside the plain f32 transcription, because errors of many steps have no useful computed
 * bound.
 */
#include "verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judgement.h"
#include "subject.h"

/* Of the transcription's error; house rule, see NUMERICS.md. */
#define TRANSCRIPTION_FACTOR 4
/* A transcription of few elements may be exact by luck, so two errors that are nobody's fault are always allowed: that
 * of one activation, 4 ulp of the largest value, and that of the rounding of a sum, 4 u sum|terms| for terms of both
 * signs. */
#define ACTIVATION_FLOOR (8 * 0x1p-24)
#define SUM_FLOOR (4 * 0x1p-24)

const char *sluice__verdict_name(enum sluice__verdict verdict)
{
	static const char *const NAMES[] = {"ok", "FAILED", "skipped"};

	return NAMES[verdict];
}

void sluice__verify_report_destroy(struct sluice__verify_report *report)
{
	free(report->rows);
	memset(report, 0, sizeof(*report));
}

/* -------------------------------------------------------------------------------------------------- report ---- */

static sluice_status report_add(struct sluice__verify_report *report, struct sluice__verify_row row)
{
	if (report->count == report->capacity) {
		size_t capacity = report->capacity ? 2 * report->capacity : 32;
		struct sluice__verify_row *rows = realloc(report->rows, capacity * sizeof(*rows));

		if (!rows)
			return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu rows of a report", capacity);
		report->rows = rows;
		report->capacity = capacity;
	}
	report->rows[report->count++] = row;
	report->failures += row.verdict == SLUICE__VERDICT_FAILED;
	report->skipped += row.verdict == SLUICE__VERDICT_SKIPPED;
	return SLUICE_OK;
}

/* A difference that is not a number is beyond every bound. */
static struct sluice__verify_row row_make(const char *level, const char *what, double error, double bound)
{
	enum sluice__verdict verdict = error <= bound ? SLUICE__VERDICT_OK : SLUICE__VERDICT_FAILED;

	return (struct sluice__verify_row){level, what, error, bound, verdict};
}

/* Keeps the worse of two rows in *worst: the one with the larger share of its bound. */
static void row_keep(struct sluice__verify_row *worst, double error, double bound)
{
	if (worst->verdict == SLUICE__VERDICT_FAILED && !(error > bound))
		return;
	if (!(error <= bound) || error * worst->bound > worst->error * bound || worst->bound == 0)
		*worst = row_make(worst->level, worst->what, error, bound);
}

/* Compares count elements with a bound for each. */
static void compare_each(struct sluice__verify_row *worst, const float *values, const double *exact,
			 const double *bounds, size_t count)
{
	for (size_t index = 0; index < count; index++)
		row_keep(worst, fabs((double)values[index] - exact[index]), bounds[index]);
}

/* Largest difference of count elements; not a number if one of them is none. */
static double distance(const float *values, const double *exact, size_t count)
{
	double worst = 0;

	for (size_t index = 0; index < count; index++) {
		double difference = fabs((double)values[index] - exact[index]);

		if (!(difference <= worst))
			worst = difference;
		if (isnan(worst))
			return worst;
	}
	return worst;
}

/* Compares a whole array with the oracle beside what the plain transcription makes of it. terms, if not NULL, are the
 * sums of |terms| behind the elements. */
static void compare_plain(struct sluice__verify_row *worst, const float *values, const float *plain,
			  const double *exact, const double *terms, size_t count)
{
	double always = 0;

	for (size_t index = 0; index < count; index++) {
		always = fmax(always, ACTIVATION_FLOOR * fabs(exact[index]));
		always = fmax(always, terms ? SUM_FLOOR * terms[index] : 0);
	}
	row_keep(worst, distance(values, exact, count), TRANSCRIPTION_FACTOR * distance(plain, exact, count) + always);
}

/* --------------------------------------------------------------------------------------------------- levels ---- */

/* Names of the rows of one set of results. */
struct names {
	const char *y, *h, *c, *dx, *dparameters, *dh0, *dc0;
};

static const struct names FORCED = {"one step, y",           "one step, h",   "one step, c",  "one step, dx",
				    "one step, dparameters", "one step, dh0", "one step, dc0"};
static const struct names CHUNKED = {"step by step, y", "step by step, h", "step by step, c", NULL, NULL, NULL, NULL};
static const struct names FREE = {"sequence, y",           "sequence, final h", "sequence, final c", "sequence, dx",
				  "sequence, dparameters", "sequence, dh0",     "sequence, dc0"};

/* The problem, its judgement, and the level that is on trial. */
struct trial {
	const struct sluice__verify_options *options;
	struct sluice__verify_report *report;
	const struct sluice__judgement *judgement;
	const char *level;
	struct sluice__subject subject;
};

static struct sluice__verify_row row_start(const struct trial *trial, const char *what)
{
	return (struct sluice__verify_row){trial->level, what, 0, 0, SLUICE__VERDICT_OK};
}

static sluice_status subject_open(struct trial *trial, size_t steps, size_t batch, int training)
{
	const struct sluice__judgement *judgement = trial->judgement;
	struct sluice__subject_options options = {
		.isa = trial->level,
		.threads = trial->options->threads,
		.layout = trial->options->layout,
		.training = training,
		.steps = steps,
		.batch = batch,
	};

	return sluice__subject_create(&judgement->model.description, &judgement->network, judgement->data.parameters,
				      &options, &trial->subject);
}

/* Rows of one array or tensor after the other; the parameters' gaps are not compared. */
static sluice_status forced_rows(struct trial *trial)
{
	const struct sluice__judgement *judgement = trial->judgement;
	const struct sluice__network *network = &judgement->network;
	const struct sluice__subject_result *result = &trial->subject.result;
	const struct sluice__exercise *forced = &judgement->forced;
	const struct sluice__bound *bound = &judgement->bound;
	size_t rows = forced->run.batch, states = rows * network->h_width;
	const struct {
		const char *what;
		const float *values;
		const double *exact, *bounds;
		size_t count;
	} arrays[] = {
		{FORCED.y, result->y, forced->trace.y, bound->y, rows * network->outputs},
		{FORCED.h, result->hn, forced->trace.hn, bound->hn, states},
		{FORCED.c, result->cn, forced->trace.cn, bound->cn, states},
		{FORCED.dx, result->dx, forced->gradients.dx, bound->dx, rows * network->inputs},
		{FORCED.dh0, result->dh0, forced->gradients.dh0, bound->dh0, states},
		{FORCED.dc0, result->dc0, forced->gradients.dc0, bound->dc0, states},
	};
	struct sluice__verify_row parameters = row_start(trial, FORCED.dparameters);
	sluice_status status = SLUICE_OK;

	for (size_t index = 0; index < (judgement->gradients ? 6 : 3) && status == SLUICE_OK; index++) {
		struct sluice__verify_row worst = row_start(trial, arrays[index].what);

		compare_each(&worst, arrays[index].values, arrays[index].exact, arrays[index].bounds,
			     arrays[index].count);
		status = report_add(trial->report, worst);
	}
	if (status != SLUICE_OK || !judgement->gradients)
		return status;
	for (size_t index = 0; index < network->tensor_count; index++) {
		size_t offset = network->tensors[index].offset;

		compare_each(&parameters, result->dparameters + offset, forced->gradients.dparameters + offset,
			     bound->dparameters + offset,
			     network->tensors[index].rows * network->tensors[index].columns);
	}
	return report_add(trial->report, parameters);
}

/* Every step as one row of one large batch, forward and backward. */
static sluice_status judge_forced(struct trial *trial)
{
	const struct sluice__judgement *judgement = trial->judgement;
	sluice_status status = subject_open(trial, 1, judgement->forced.run.batch, judgement->gradients);

	if (status == SLUICE_OK)
		status =
			sluice__subject_run(&trial->subject, &judgement->forced.run, 0, trial->options->inference_only);
	if (status == SLUICE_OK)
		status = forced_rows(trial);
	sluice__subject_destroy(&trial->subject);
	return status;
}

/* Rows `first` to `first + batch` of the teacher-forced states, cell by cell, into [batch,H] arrays. */
static void states_slice(const struct sluice__network *network, const float *states, size_t rows, size_t first,
			 size_t batch, float *out)
{
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		memcpy(out + cell->h_state * batch, states + cell->h_state * rows + first * cell->hidden,
		       batch * cell->hidden * sizeof(float));
	}
}

/* The same steps in calls of the problem's own batch, by sluice_step where it can run them. */
static sluice_status judge_chunked(struct trial *trial)
{
	const struct sluice__judgement *judgement = trial->judgement;
	const struct sluice__network *network = &judgement->network;
	const struct sluice__exercise *forced = &judgement->forced;
	size_t batch = judgement->batch, rows = forced->run.batch;
	struct sluice__verify_row y = row_start(trial, CHUNKED.y), h = row_start(trial, CHUNKED.h);
	struct sluice__verify_row c = row_start(trial, CHUNKED.c);
	float *states = malloc(2 * batch * network->h_width * sizeof(float));
	sluice_status status;

	if (!states)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for the states of %zu rows", batch);
	status = subject_open(trial, 1, batch, 0);
	for (size_t first = 0; first < rows && status == SLUICE_OK; first += batch) {
		const struct sluice__subject_result *result = &trial->subject.result;
		struct sluice__oracle_run_f32 run = forced->run;

		run.batch = batch;
		run.x += first * network->inputs;
		run.sequence_ids += first;
		run.h0 = states;
		run.c0 = states + batch * network->h_width;
		states_slice(network, forced->run.h0, rows, first, batch, states);
		states_slice(network, forced->run.c0, rows, first, batch, states + batch * network->h_width);
		status = sluice__subject_run(&trial->subject, &run, judgement->streamable, 1);
		if (status != SLUICE_OK)
			break;
		compare_each(&y, result->y, forced->trace.y + first * network->outputs,
			     judgement->bound.y + first * network->outputs, batch * network->outputs);
		for (size_t index = 0; index < network->cell_count; index++) {
			const struct sluice__cell *cell = &network->cells[index];
			size_t own = cell->h_state * batch, all = cell->h_state * rows + first * cell->hidden;

			compare_each(&h, result->hn + own, forced->trace.hn + all, judgement->bound.hn + all,
				     batch * cell->hidden);
			compare_each(&c, result->cn + own, forced->trace.cn + all, judgement->bound.cn + all,
				     batch * cell->hidden);
		}
	}
	sluice__subject_destroy(&trial->subject);
	free(states);
	if (status == SLUICE_OK)
		status = report_add(trial->report, y);
	if (status == SLUICE_OK)
		status = report_add(trial->report, h);
	return status == SLUICE_OK ? report_add(trial->report, c) : status;
}

static sluice_status free_rows(struct trial *trial)
{
	const struct sluice__judgement *judgement = trial->judgement;
	const struct sluice__network *network = &judgement->network;
	const struct sluice__subject_result *result = &trial->subject.result;
	const struct sluice__data *data = &judgement->data;
	const struct sluice__oracle_trace_f64 *exact = &judgement->free.trace;
	const struct sluice__oracle_gradients_f64 *gradients = &judgement->free.gradients;
	const struct sluice__oracle_trace_f32 *plain = &judgement->plain;
	const struct sluice__oracle_gradients_f32 *slopes = &judgement->plain_gradients;
	const struct {
		const char *what;
		const float *values, *plain;
		const double *exact;
		size_t count;
	} arrays[] = {
		{FREE.y, result->y, plain->y, exact->y, data->y_count},
		{FREE.h, result->hn, plain->hn, exact->hn, data->h_count},
		{FREE.c, result->cn, plain->cn, exact->cn, data->c_count},
		{FREE.dx, result->dx, slopes->dx, gradients->dx, data->x_count},
		{FREE.dh0, result->dh0, slopes->dh0, gradients->dh0, data->h_count},
		{FREE.dc0, result->dc0, slopes->dc0, gradients->dc0, data->c_count},
	};
	struct sluice__verify_row parameters = row_start(trial, FREE.dparameters);
	sluice_status status = SLUICE_OK;

	for (size_t index = 0; index < (judgement->gradients ? 6 : 3) && status == SLUICE_OK; index++) {
		struct sluice__verify_row worst = row_start(trial, arrays[index].what);

		compare_plain(&worst, arrays[index].values, arrays[index].plain, arrays[index].exact, NULL,
			      arrays[index].count);
		status = report_add(trial->report, worst);
	}
	if (status != SLUICE_OK || !judgement->gradients)
		return status;
	for (size_t index = 0; index < network->tensor_count; index++) {
		size_t offset = network->tensors[index].offset;

		compare_plain(&parameters, result->dparameters + offset, slopes->dparameters + offset,
			      gradients->dparameters + offset, judgement->terms + offset,
			      network->tensors[index].rows * network->tensors[index].columns);
	}
	return report_add(trial->report, parameters);
}

/* The whole sequence at once; then, where possible, again by single steps, which must give the same bits. */
static sluice_status judge_free(struct trial *trial)
{
	const struct sluice__judgement *judgement = trial->judgement;
	struct sluice__subject *subject = &trial->subject;
	const struct sluice__data *data = &judgement->data;
	size_t differing = 0;
	float *sequence = malloc((data->y_count + data->h_count + data->c_count) * sizeof(float));
	const float *streamed[] = {NULL, NULL, NULL};
	const size_t counts[] = {data->y_count, data->h_count, data->c_count};
	sluice_status status;

	if (!sequence)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for a sequence of %zu numbers", data->y_count);
	status = subject_open(trial, judgement->steps, judgement->batch, judgement->gradients);
	if (status == SLUICE_OK)
		status = sluice__subject_run(subject, &judgement->free.run, 0, !judgement->gradients);
	if (status == SLUICE_OK)
		status = free_rows(trial);
	if (status == SLUICE_OK && judgement->streamable) {
		memcpy(sequence, subject->result.y, counts[0] * sizeof(float));
		memcpy(sequence + counts[0], subject->result.hn, counts[1] * sizeof(float));
		memcpy(sequence + counts[0] + counts[1], subject->result.cn, counts[2] * sizeof(float));
		status = sluice__subject_stream(subject, &judgement->free.run);
		streamed[0] = subject->result.y;
		streamed[1] = subject->result.hn;
		streamed[2] = subject->result.cn;
		for (size_t part = 0, place = 0; part < 3; place += counts[part++])
			for (size_t index = 0; index < counts[part]; index++)
				differing +=
					memcmp(&streamed[part][index], &sequence[place + index], sizeof(float)) != 0;
		if (status == SLUICE_OK)
			status = report_add(trial->report, row_make(trial->level, "differing bits, step = sequence",
								    (double)differing, 0));
	}
	sluice__subject_destroy(subject);
	free(sequence);
	return status;
}

static sluice_status try_level(struct trial *trial, int available)
{
	sluice_status status;

	if (!available) {
		struct sluice__verify_row row = {trial->level, "this machine lacks the level", 0, 0,
						 SLUICE__VERDICT_SKIPPED};

		return report_add(trial->report, row);
	}
	status = judge_forced(trial);
	if (status == SLUICE_OK)
		status = judge_chunked(trial);
	return status == SLUICE_OK ? judge_free(trial) : status;
}

static sluice_status try_levels(struct trial *trial)
{
	const char *wanted = trial->options->isa;
	sluice_status status = SLUICE_OK;
	int found = 0;

	for (size_t index = 0; (trial->level = sluice_isa_name(index)) && status == SLUICE_OK; index++) {
		if (wanted && strcmp(wanted, trial->level) != 0)
			continue;
		found = 1;
		status = try_level(trial, sluice_isa_available(index));
	}
	if (!found)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "isa is \"%s\", expected a level of this build",
				   wanted ? wanted : "");
	return status;
}

sluice_status sluice__verify_problem(const struct sluice__problem *problem,
				     const struct sluice__verify_options *options, struct sluice__verify_report *report)
{
	static const struct sluice__verify_options DEFAULTS = {0};
	struct trial trial = {.options = options ? options : &DEFAULTS, .report = report};
	struct sluice__judgement *judgement = malloc(sizeof(*judgement));
	sluice_status status;

	if (!judgement)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for a judgement");
	status = sluice__judgement_create(problem, trial.options, judgement);
	if (status == SLUICE_OK) {
		trial.judgement = judgement;
		status = try_levels(&trial);
		sluice__judgement_destroy(judgement);
	}
	free(judgement);
	return status;
}
