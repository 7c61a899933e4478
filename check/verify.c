/*
 * verify.c: sets the library's results beside the oracle's, once step by step and once for whole sequences.
 *
 * Teacher-forced: every step of the oracle's trajectory becomes one row of a one-step run that starts from the oracle's
 * h and c, as a state holds them. That isolates the error of a step, for which a bound is computed (bound.h).
 * Free-running: whole sequences, judged beside the plain f32 transcription, because errors of many steps have no useful
 * computed bound; or in double, where every error that is not rounding is visible.
 */
#include "verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "storage.h"
#include "subject.h"

const char *sluice__verdict_name(enum sluice__verdict verdict)
{
	static const char *const NAMES[] = {"ok", "FAILED", "skipped"};

	return NAMES[verdict];
}

/* Names of the rows of one set of results. */
struct names {
	const char *y, *y_reverse, *h, *c, *sequences, *dx, *dparameters, *dh0, *dc0, *stray;
};

static const struct names FORCED = {
	.y = "one step, y",
	.y_reverse = "one step, y in reverse",
	.h = "one step, h",
	.c = "one step, c",
	.sequences = "one step, h c gates",
	.dx = "one step, dx",
	.dparameters = "one step, dparameters",
	.dh0 = "one step, dh0",
	.dc0 = "one step, dc0",
	.stray = "one step, strays",
};
static const struct names CHUNKED = {
	.y = "step by step, y",
	.y_reverse = "step by step, y in reverse",
	.h = "step by step, h",
	.c = "step by step, c",
	.sequences = "step by step, h c gates",
	.stray = "step by step, strays",
};
static const struct names FREE = {
	.y = "sequence, y",
	.y_reverse = "sequence, y in reverse",
	.h = "sequence, final h",
	.c = "sequence, final c",
	.dx = "sequence, dx",
	.dparameters = "sequence, dparameters",
	.dh0 = "sequence, dh0",
	.dc0 = "sequence, dc0",
	.stray = "sequence, strays",
};
static const struct names DOUBLE = {
	.y = "double, y",
	.y_reverse = "double, y in reverse",
	.h = "double, final h",
	.c = "double, final c",
	.sequences = "double, h c gates",
	.dx = "double, dx",
	.dparameters = "double, dparameters",
	.dh0 = "double, dh0",
	.dc0 = "double, dc0",
	.stray = "double, strays",
};

/* Results of a forward pass alone, in the tables of arrays below. */
#define FORWARD_ARRAYS 4

/* A judgement, and the level that is on trial. */
struct trial {
	struct sluice__verify_report *report;
	const struct sluice__judgement *judgement;
	unsigned parts;
	const char *level;
	struct sluice__subject subject;
};

/* A plan for the setting. Steps that are rows of one step have lengths in no order. */
static sluice_status subject_open(struct trial *trial, size_t steps, size_t batch, int training, int in_double)
{
	const struct sluice__judgement *judgement = trial->judgement;
	const struct sluice__setting *setting = judgement->setting;
	int sorted = batch == judgement->batch;
	struct sluice__subject_options options = {
		.isa = trial->level,
		.threads = setting->threads,
		.layout = setting->layout,
		.training = training,
		.two_biases = setting->two_biases,
		.steps = steps,
		.batch = batch,
		.weights = in_double ? SLUICE_F32 : setting->weights,
		.data = in_double ? SLUICE_F64 : setting->data,
		.tape = in_double ? SLUICE_F32 : setting->tape,
		.tape_mode = setting->tape_mode,
		.winograd = setting->winograd,
		.gate_order = setting->gate_order,
		.lengths = sorted || !setting->lengths ? setting->lengths : SLUICE__LENGTHS_RANDOM,
		.pointers = setting->pointers,
		.slots = setting->slots,
	};

	return sluice__subject_create(setting->description, &judgement->network, judgement->free.run.parameters,
				      &options, &trial->subject);
}

/* Numbers and bytes that were written where nothing belongs. */
static void stray_add(struct trial *trial, const char *what, size_t stray, sluice_status *status)
{
	sluice__report_add(trial->report, sluice__row_make(trial->level, what, (double)stray, 0), status);
}

/* ------------------------------------------------------------------------------------------- teacher-forced ---- */

/* Compares rows `first` to `first + count` of h, c and gates as a run puts them out: one step, all cells side by side.
 */
static void compare_sequences(struct sluice__verify_row *worst, const struct sluice__judgement *judgement,
			      const struct sluice__subject_result *result, size_t first, size_t count)
{
	const struct sluice__network *network = &judgement->network;
	const struct sluice__oracle_trace_f64 *exact = &judgement->forced.trace;
	const struct sluice__bound *bound = &judgement->bound;
	size_t S = network->h_width, C = network->c_width;

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		size_t H = cell->places * cell->hidden, out = cell->places * cell->out;

		for (size_t n = 0; n < count; n++) {
			size_t h = n * S + cell->h_state, c = n * C + cell->c_state, row = first + n;
			size_t h_row = row * S + cell->h_state, c_row = row * C + cell->c_state;

			sluice__compare_each(worst, result->h + h, exact->h[index] + row * out, bound->h + h_row, out);
			sluice__compare_each(worst, result->c + c, exact->c[index] + row * H, bound->c + c_row, H);
			sluice__compare_each(worst, result->gates + 4 * c, exact->gates[index] + row * 4 * H,
					     bound->gates + 4 * c_row, 4 * H);
		}
	}
}

/* Rows of one array or tensor after the other; the parameters' gaps are not compared. */
static sluice_status forced_rows(struct trial *trial)
{
	const struct sluice__judgement *judgement = trial->judgement;
	const struct sluice__network *network = &judgement->network;
	const struct sluice__subject_result *result = &trial->subject.result;
	const struct sluice__exercise *forced = &judgement->forced;
	const struct sluice__bound *bound = &judgement->bound;
	size_t rows = forced->run.batch, h = rows * network->h_width, c = rows * network->c_width;
	size_t y = rows * network->y_row;
	const struct {
		const char *what;
		const double *values, *exact, *bounds;
		size_t count;
	} arrays[] = {
		{FORCED.y, result->y, forced->trace.y, bound->y, y},
		{FORCED.y_reverse, result->y_reverse, forced->trace.y_reverse, bound->y_reverse,
		 network->separate ? y : 0},
		{FORCED.h, result->hn, forced->trace.hn, bound->hn, h},
		{FORCED.c, result->cn, forced->trace.cn, bound->cn, c},
		{FORCED.dx, result->dx, forced->gradients.dx, bound->dx, rows * network->x_row},
		{FORCED.dh0, result->dh0, forced->gradients.dh0, bound->dh0, h},
		{FORCED.dc0, result->dc0, forced->gradients.dc0, bound->dc0, c},
	};
	struct sluice__verify_row parameters = sluice__row_start(trial->level, FORCED.dparameters);
	struct sluice__verify_row sequences = sluice__row_start(trial->level, FORCED.sequences);
	sluice_status status = SLUICE_OK;

	for (size_t index = 0; index < FORWARD_ARRAYS + (judgement->setting->gradients ? 3 : 0); index++) {
		struct sluice__verify_row worst = sluice__row_start(trial->level, arrays[index].what);

		if (!arrays[index].count)
			continue;
		sluice__compare_each(&worst, arrays[index].values, arrays[index].exact, arrays[index].bounds,
				     arrays[index].count);
		sluice__report_add(trial->report, worst, &status);
	}
	compare_sequences(&sequences, judgement, result, 0, rows);
	sluice__report_add(trial->report, sequences, &status);
	stray_add(trial, FORCED.stray, result->stray, &status);
	if (!judgement->setting->gradients)
		return status;
	for (size_t index = 0; index < network->tensor_count; index++) {
		size_t offset = network->tensors[index].offset;

		sluice__compare_each(&parameters, result->dparameters + offset, forced->gradients.dparameters + offset,
				     bound->dparameters + offset,
				     network->tensors[index].rows * network->tensors[index].columns);
	}
	sluice__report_add(trial->report, parameters, &status);
	return status;
}

/* Every step as one row of one large batch, forward and backward. */
static sluice_status judge_forced(struct trial *trial)
{
	const struct sluice__judgement *judgement = trial->judgement;
	int gradients = judgement->setting->gradients;
	sluice_status status = subject_open(trial, 1, judgement->forced.run.batch, gradients, 0);

	if (status == SLUICE_OK)
		status = sluice__subject_run(&trial->subject, &judgement->forced.run, SLUICE__BY_FORWARD, !gradients);
	if (status == SLUICE_OK)
		status = forced_rows(trial);
	sluice__subject_destroy(&trial->subject);
	return status;
}

/* The run on rows `first` to `first + batch` of the teacher-forced one; states and mask go to `block`. */
static struct sluice__oracle_run_f64 forced_slice(const struct sluice__judgement *judgement, size_t first,
						  double *block)
{
	const struct sluice__network *network = &judgement->network;
	struct sluice__oracle_run_f64 run = judgement->forced.run;
	size_t rows = run.batch, batch = judgement->batch;
	double *h0 = block, *c0 = block + batch * network->h_width;

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		size_t H = cell->places * cell->hidden, out = cell->places * cell->out;

		memcpy(h0 + cell->h_state * batch, run.h0 + cell->h_state * rows + first * out,
		       batch * out * sizeof(double));
		memcpy(c0 + cell->c_state * batch, run.c0 + cell->c_state * rows + first * H,
		       batch * H * sizeof(double));
	}
	run.batch = batch;
	run.x += first * network->x_row;
	run.sequence_ids += first;
	run.lengths = run.lengths ? run.lengths + first : NULL;
	run.resets = run.resets ? run.resets + first : NULL;
	run.holds = run.holds ? run.holds + first : NULL;
	run.h0 = h0;
	run.c0 = c0;
	if (run.mask && run.mask_shape != SLUICE_MASK_UNIT)
		run.mask += first * network->h_width;
	return run;
}

static void chunk_compare(const struct sluice__judgement *judgement, const struct sluice__subject_result *result,
			  size_t first, struct sluice__verify_row rows[5])
{
	const struct sluice__network *network = &judgement->network;
	const struct sluice__exercise *forced = &judgement->forced;
	size_t batch = judgement->batch, all = forced->run.batch, y = first * network->y_row;

	sluice__compare_each(&rows[0], result->y, forced->trace.y + y, judgement->bound.y + y, batch * network->y_row);
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		size_t H = cell->places * cell->hidden, out = cell->places * cell->out;
		size_t h = cell->h_state * all + first * out, c = cell->c_state * all + first * H;

		sluice__compare_each(&rows[1], result->hn + cell->h_state * batch, forced->trace.hn + h,
				     judgement->bound.hn + h, batch * out);
		sluice__compare_each(&rows[2], result->cn + cell->c_state * batch, forced->trace.cn + c,
				     judgement->bound.cn + c, batch * H);
	}
	compare_sequences(&rows[3], judgement, result, first, batch);
	if (network->separate)
		sluice__compare_each(&rows[4], result->y_reverse, forced->trace.y_reverse + y,
				     judgement->bound.y_reverse + y, batch * network->y_row);
}

/* The same steps in calls of the setting's own batch, by sluice_step where it can run them. */
static sluice_status judge_chunked(struct trial *trial)
{
	const struct sluice__judgement *judgement = trial->judgement;
	const struct sluice__network *network = &judgement->network;
	size_t batch = judgement->batch, rows = judgement->forced.run.batch;
	struct sluice__verify_row worst[5] = {
		sluice__row_start(trial->level, CHUNKED.y),         sluice__row_start(trial->level, CHUNKED.h),
		sluice__row_start(trial->level, CHUNKED.c),         sluice__row_start(trial->level, CHUNKED.sequences),
		sluice__row_start(trial->level, CHUNKED.y_reverse),
	};
	double *block = malloc(batch * (network->h_width + network->c_width) * sizeof(double));
	size_t stray = 0;
	sluice_status status;

	if (!block)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for the states of %zu rows", batch);
	status = subject_open(trial, 1, batch, 0, 0);
	for (size_t first = 0; first < rows && status == SLUICE_OK; first += batch) {
		struct sluice__oracle_run_f64 run = forced_slice(judgement, first, block);

		status = sluice__subject_run(&trial->subject, &run,
					     judgement->streamable ? SLUICE__BY_STEP : SLUICE__BY_BLOCK, 1);
		if (status == SLUICE_OK)
			chunk_compare(judgement, &trial->subject.result, first, worst);
		stray += trial->subject.result.stray;
	}
	sluice__subject_destroy(&trial->subject);
	free(block);
	for (size_t index = 0; index < (network->separate ? 5 : 4); index++)
		sluice__report_add(trial->report, worst[index], &status);
	stray_add(trial, CHUNKED.stray, stray, &status);
	return status;
}

/* ------------------------------------------------------------------------------------------ whole sequences ---- */

/* The unit roundoff of the coarsest type that anything of the run is stored in; weights are exact. */
static double coarsest(const struct sluice__setting *setting)
{
	double data = sluice__storage_error(setting->data, 1), tape = sluice__storage_error(setting->tape, 1);

	return fmax(data, setting->gradients ? tape : 0);
}

/* Rows for one array after the other, beside the transcription, or in double. */
static sluice_status sequence_rows(struct trial *trial, int in_double)
{
	const struct sluice__judgement *judgement = trial->judgement;
	const struct sluice__network *network = &judgement->network;
	const struct sluice__subject_result *result = &trial->subject.result;
	const struct sluice__oracle_trace_f64 *exact = &judgement->free.trace;
	const struct sluice__oracle_gradients_f64 *gradients = &judgement->free.gradients;
	const struct sluice__oracle_trace_f32 *plain = &judgement->plain.trace;
	const struct sluice__oracle_gradients_f32 *slopes = &judgement->plain.gradients;
	const struct names *names = in_double ? &DOUBLE : &FREE;
	const struct {
		const char *what;
		const double *values, *exact;
		const float *plain;
		size_t count;
	} arrays[] = {
		{names->y, result->y, exact->y, plain->y, judgement->y_count},
		{names->y_reverse, result->y_reverse, exact->y_reverse, plain->y_reverse,
		 network->separate ? judgement->y_count : 0},
		{names->h, result->hn, exact->hn, plain->hn, judgement->h_count},
		{names->c, result->cn, exact->cn, plain->cn, judgement->c_count},
		{names->dx, result->dx, gradients->dx, slopes->dx,
		 judgement->steps * judgement->batch * network->x_row},
		{names->dh0, result->dh0, gradients->dh0, slopes->dh0, judgement->h_count},
		{names->dc0, result->dc0, gradients->dc0, slopes->dc0, judgement->c_count},
	};
	struct sluice__verify_row parameters = sluice__row_start(trial->level, names->dparameters);
	const struct sluice__bound_storage storage = sluice__judgement_storage(judgement);
	double unit = coarsest(judgement->setting), looser = sluice__bound_looser(network, &storage);
	sluice_status status = SLUICE_OK;

	for (size_t index = 0; index < FORWARD_ARRAYS + (judgement->setting->gradients ? 3 : 0); index++) {
		struct sluice__verify_row worst = sluice__row_start(trial->level, arrays[index].what);

		if (!arrays[index].count)
			continue;
		if (in_double)
			sluice__compare_double(&worst, arrays[index].values, arrays[index].exact, arrays[index].count);
		else
			sluice__compare_plain(&worst, arrays[index].values, arrays[index].plain, arrays[index].exact,
					      NULL, unit, looser, arrays[index].count);
		sluice__report_add(trial->report, worst, &status);
	}
	for (size_t index = 0; index < network->tensor_count && judgement->setting->gradients; index++) {
		size_t offset = network->tensors[index].offset;
		size_t count = network->tensors[index].rows * network->tensors[index].columns;

		if (in_double)
			sluice__compare_double(&parameters, result->dparameters + offset,
					       gradients->dparameters + offset, count);
		else
			sluice__compare_plain(&parameters, result->dparameters + offset, slopes->dparameters + offset,
					      gradients->dparameters + offset, gradients->terms + offset, unit, looser,
					      count);
	}
	if (judgement->setting->gradients)
		sluice__report_add(trial->report, parameters, &status);
	stray_add(trial, names->stray, result->stray, &status);
	return status;
}

/* h, c and gates of every step, as a run in double puts them out. */
static sluice_status double_sequences(struct trial *trial)
{
	const struct sluice__judgement *judgement = trial->judgement;
	const struct sluice__network *network = &judgement->network;
	const struct sluice__oracle_trace_f64 *exact = &judgement->free.trace;
	const struct sluice__subject_result *result = &trial->subject.result;
	struct sluice__verify_row worst = sluice__row_start(trial->level, DOUBLE.sequences);
	sluice_status status = SLUICE_OK;

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		size_t H = cell->places * cell->hidden, out = cell->places * cell->out;

		for (size_t row = 0; row < judgement->steps * judgement->batch; row++) {
			size_t h = row * network->h_width + cell->h_state, c = row * network->c_width + cell->c_state;

			sluice__compare_double(&worst, result->h + h, exact->h[index] + row * out, out);
			sluice__compare_double(&worst, result->c + c, exact->c[index] + row * H, H);
			sluice__compare_double(&worst, result->gates + 4 * c, exact->gates[index] + row * 4 * H, 4 * H);
		}
	}
	sluice__report_add(trial->report, worst, &status);
	return status;
}

/* Numbers whose bits differ. */
static size_t differing_bits(const double *one, const double *other, size_t count)
{
	size_t differing = 0;

	for (size_t index = 0; index < count; index++)
		differing += memcmp(&one[index], &other[index], sizeof(double)) != 0;
	return differing;
}

/* The sequence that has just been run, again as a block or by single steps, which must give the same bits. */
static sluice_status judge_again(struct trial *trial, enum sluice__subject_call by)
{
	const struct sluice__judgement *judgement = trial->judgement;
	const struct sluice__oracle_run_f64 *run = &judgement->free.run;
	const struct sluice__subject_result *result = &trial->subject.result;
	size_t y = judgement->y_count, h = judgement->h_count, c = judgement->c_count, differing;
	double *sequence = malloc((y + h + c) * sizeof(double));
	sluice_status status;

	if (!sequence)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for a sequence of %zu numbers", y);
	memcpy(sequence, result->y, y * sizeof(double));
	memcpy(sequence + y, result->hn, h * sizeof(double));
	memcpy(sequence + y + h, result->cn, c * sizeof(double));
	if (by == SLUICE__BY_STEP)
		status = sluice__subject_stream(&trial->subject, run);
	else
		status = sluice__subject_run(&trial->subject, run, by, 1);
	differing = differing_bits(result->y, sequence, y) + differing_bits(result->hn, sequence + y, h) +
		    differing_bits(result->cn, sequence + y + h, c);
	free(sequence);
	sluice__report_add(trial->report,
			   sluice__row_make(trial->level,
					    by == SLUICE__BY_STEP ? "differing bits, step = sequence"
								  : "differing bits, block = sequence",
					    (double)differing, 0),
			   &status);
	stray_add(trial, by == SLUICE__BY_STEP ? "single steps, strays" : "block, strays", result->stray, &status);
	return status;
}

/* The whole sequence at once, again as a block and, where possible, by single steps. */
static sluice_status judge_sequence(struct trial *trial, int in_double)
{
	const struct sluice__judgement *judgement = trial->judgement;
	int gradients = judgement->setting->gradients;
	sluice_status status = subject_open(trial, judgement->steps, judgement->batch, gradients, in_double);

	if (status == SLUICE_OK)
		status = sluice__subject_run(&trial->subject, &judgement->free.run, SLUICE__BY_FORWARD, !gradients);
	if (status == SLUICE_OK && (in_double || trial->parts & SLUICE__VERIFY_FREE))
		status = sequence_rows(trial, in_double);
	if (status == SLUICE_OK && in_double)
		status = double_sequences(trial);
	if (status == SLUICE_OK && trial->parts & SLUICE__VERIFY_STREAM)
		status = judge_again(trial, SLUICE__BY_BLOCK);
	if (status == SLUICE_OK && judgement->streamable && trial->parts & SLUICE__VERIFY_STREAM)
		status = judge_again(trial, SLUICE__BY_STEP);
	sluice__subject_destroy(&trial->subject);
	return status;
}

/* --------------------------------------------------------------------------------------------------- levels ---- */

static sluice_status try_level(struct trial *trial, int available)
{
	sluice_status status = SLUICE_OK;

	if (!available) {
		struct sluice__verify_row row = {trial->level, "this machine lacks the level", 0, 0,
						 SLUICE__VERDICT_SKIPPED};

		sluice__report_add(trial->report, row, &status);
		return status;
	}
	if (trial->parts & SLUICE__VERIFY_DOUBLE)
		status = judge_sequence(trial, 1);
	if (status == SLUICE_OK && trial->parts & SLUICE__VERIFY_FORCED)
		status = judge_forced(trial);
	if (status == SLUICE_OK && trial->parts & SLUICE__VERIFY_CHUNKED)
		status = judge_chunked(trial);
	if (status == SLUICE_OK && trial->parts & (SLUICE__VERIFY_FREE | SLUICE__VERIFY_STREAM) &&
	    trial->judgement->setting->data != SLUICE_F64)
		status = judge_sequence(trial, 0);
	return status;
}

static sluice_status try_levels(struct trial *trial, const char *wanted)
{
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

sluice_status sluice__verify_judgement(struct sluice__judgement *judgement, unsigned parts, const char *isa,
				       struct sluice__verify_report *report)
{
	struct trial trial = {.judgement = judgement, .parts = parts, .report = report};
	sluice_status status = SLUICE_OK;

	if (parts & (SLUICE__VERIFY_FORCED | SLUICE__VERIFY_CHUNKED))
		status = sluice__judgement_force(judgement);
	if (status == SLUICE_OK && parts & SLUICE__VERIFY_FREE)
		status = sluice__judgement_transcribe(judgement);
	return status == SLUICE_OK ? try_levels(&trial, isa) : status;
}

sluice_status sluice__verify_setting(const struct sluice__setting *setting, unsigned parts, const char *isa,
				     struct sluice__verify_report *report)
{
	struct sluice__judgement judgement;
	sluice_status status = sluice__judgement_create(setting, &judgement);

	if (status != SLUICE_OK)
		return status;
	status = sluice__verify_judgement(&judgement, parts, isa, report);
	sluice__judgement_destroy(&judgement);
	return status;
}

sluice_status sluice__verify_problem(const struct sluice__problem *problem,
				     const struct sluice__verify_options *options, struct sluice__verify_report *report)
{
	static const struct sluice__verify_options DEFAULTS = {0};
	struct sluice__problem_model *model = malloc(sizeof(*model));
	struct sluice__setting setting;
	unsigned parts = SLUICE__VERIFY_FORCED | SLUICE__VERIFY_CHUNKED | SLUICE__VERIFY_FREE | SLUICE__VERIFY_STREAM;
	sluice_status status;

	if (!model)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for a description");
	options = options ? options : &DEFAULTS;
	status = sluice__problem_set(problem, model, &setting);
	if (status != SLUICE_OK) {
		free(model);
		return status;
	}
	model->description.outputs = options->outputs;
	for (size_t layer = 0; layer < problem->layers; layer++) {
		if (layer + 1 < problem->layers || options->outputs)
			model->layers[layer].dropout = options->dropout;
		model->layers[layer].no_bias = options->no_bias;
	}
	setting.seed = options->seed;
	setting.gradients = !options->inference_only;
	setting.training |= options->dropout != 0;
	setting.threads = options->threads;
	setting.layout = options->layout;
	setting.state_gradients = options->state_gradients;
	setting.pointers = options->pointers;
	setting.slots = options->slots;
	if (setting.data == SLUICE_F64)
		parts = SLUICE__VERIFY_DOUBLE | SLUICE__VERIFY_STREAM;
	status = sluice__verify_setting(&setting, parts, options->isa, report);
	free(model);
	return status;
}
