/* trainer.c: the course of a training, from reading the text to writing the model; epochs, validations, checkpoints. */
#define _POSIX_C_SOURCE 200809L
#include "trainer.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"
#include "curve.h"
#include "learner.h"
#include "log.h"
#include "sluice/io.h"

struct trainer {
	const struct sluice__train_options *options;
	struct sluice__train_result *result;
	struct sluice__text text;
	struct sluice__learner learner;
	struct sluice__course course;
	struct sluice__log log;
};

void sluice__train_defaults(struct sluice__train_options *options)
{
	*options = (struct sluice__train_options){.validation = 0.1,
						  .hidden = 128,
						  .layers = 2,
						  .embedding = 64,
						  .forget_bias = 1,
						  .steps = 50,
						  .batch = 32,
						  .epochs = 10,
						  .updates = SLUICE__NO_LIMIT,
						  .optimizer = SLUICE_OPTIMIZER_INIT,
						  .clip = 5,
						  .checkpoint_every = 500};
	options->optimizer.kind = SLUICE_OPTIMIZER_ADAM;
	options->schedule = (struct sluice__schedule){
		.kind = SLUICE__SCHEDULE_CONSTANT,
		.rate = 0.002,
		.factor = 0.5,
		.period = 1000,
		.plateau_patience = 2,
	};
}

/* ------------------------------------------------------------------------------------------------ refusals ---- */

/* Ranges of the numbers that the libraries below do not check themselves. The conditions are written so that NaN fails.
 */
static sluice_status check_numbers(const struct sluice__train_options *options)
{
	const struct sluice__schedule *schedule = &options->schedule;
	const struct {
		int right;
		const char *name;
		double value;
		const char *expected;
	} rules[] = {
		{options->text_count > 0, "the number of texts", 0, "at least one"},
		{options->hidden > 0, "hidden", 0, "at least 1"},
		{options->dropout >= 0 && options->dropout < 1, "dropout", options->dropout, "0 to below 1"},
		{isfinite(options->forget_bias), "forget bias", options->forget_bias, "a number"},
		{options->clip >= 0 && isfinite(options->clip), "clip", options->clip, "0 or more"},
		{schedule->rate > 0 && isfinite(schedule->rate), "rate", schedule->rate, "more than 0"},
		{schedule->rate_end >= 0 && schedule->rate_end <= schedule->rate, "rate end", schedule->rate_end,
		 "0 to the rate"},
		{schedule->factor > 0 && schedule->factor <= 1, "factor", schedule->factor, "above 0, at most 1"},
		{schedule->kind != SLUICE__SCHEDULE_STEP || schedule->period > 0, "period", 0, "at least 1"},
		{schedule->improvement >= 0 && isfinite(schedule->improvement), "improvement", schedule->improvement,
		 "0 or more"},
	};
	for (size_t k = 0; k < sizeof(rules) / sizeof(rules[0]); k++)
		if (!rules[k].right)
			return sluice_fail(SLUICE_INVALID_ARGUMENT, "%s is %g; %s is expected", rules[k].name,
					   rules[k].value, rules[k].expected);
	if (options->validation == 0 && (schedule->patience > 0 || schedule->kind == SLUICE__SCHEDULE_PLATEAU))
		return sluice_fail(
			SLUICE_INVALID_ARGUMENT,
			"early stopping and the plateau schedule need a validation part, but validation is 0");
	return SLUICE_OK;
}

/* Whether a file could be put there, asked before hours of training rather than after. */
static sluice_status check_target(const char *what, const char *path)
{
	char folder[4096];
	struct stat info;
	if (!path)
		return SLUICE_OK;
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	if (path[0] == '\0' || length >= sizeof(folder))
		return sluice_fail(SLUICE_IO, "%s \"%s\": the path is %s", what, path, path[0] ? "too long" : "empty");
	memcpy(folder, path, length);
	folder[length] = '\0';
	if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
		return sluice_fail(SLUICE_IO, "%s %s: %s", what, path, strerror(EISDIR));
	/* Devices are written in place, files are replaced by their neighbours. */
	const char *asked = folder;
	if (!slash)
		asked = ".";
	else if (length == 0)
		asked = "/";
	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
		asked = path;
	if (access(asked, W_OK) != 0)
		return sluice_fail(SLUICE_IO, "%s %s: %s", what, path, strerror(errno));
	return SLUICE_OK;
}

static sluice_status check(const struct sluice__train_options *options)
{
	sluice_status status = check_numbers(options);
	if (status == SLUICE_OK)
		status = check_target("output", options->output);
	if (status == SLUICE_OK)
		status = check_target("checkpoint", options->checkpoint);
	if (status == SLUICE_OK)
		status = check_target("curve", options->curve);
	return status;
}

/* --------------------------------------------------------------------------------------------------- start ---- */

static void begin_course(struct trainer *trainer)
{
	struct sluice__course *course = &trainer->course;
	const struct sluice__train_options *options = trainer->options;
	*course = (struct sluice__course){.training_loss = NAN};
	course->chunks = trainer->learner.training.length / options->steps;
	course->total = options->epochs > UINT64_MAX / course->chunks ? UINT64_MAX : options->epochs * course->chunks;
	if (course->total > options->updates)
		course->total = options->updates;
	sluice__progress_begin(&course->progress);
	sluice__series_begin(&course->training);
	sluice__series_begin(&course->validation);
}

/* Reads the checkpoint if a resume is asked for and there is one. */
static sluice_status resume(struct trainer *trainer, int *resumed)
{
	const struct sluice__train_options *options = trainer->options;
	*resumed = 0;
	if (!options->resume)
		return SLUICE_OK;
	if (!options->checkpoint)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "a resume needs a checkpoint");
	if (access(options->checkpoint, F_OK) != 0 && errno == ENOENT)
		return SLUICE_OK;
	*resumed = 1;
	return sluice__checkpoint_read(options->checkpoint, &trainer->learner, &trainer->course);
}

static void describe_start(struct trainer *trainer, int resumed)
{
	const struct sluice__train_options *options = trainer->options;
	const struct sluice__train_result *result = trainer->result;
	sluice__log_say(&trainer->log,
			"%zu characters (%zu for training), %zu symbols, %zu parameters, %llu updates of %zu x %zu",
			result->characters, result->training, result->symbols, result->parameters,
			(unsigned long long)result->total, options->batch, options->steps);
	if (resumed)
		sluice__log_say(&trainer->log, "going on after update %llu of %s",
				(unsigned long long)trainer->course.update, options->checkpoint);
	else if (options->resume)
		sluice__log_say(&trainer->log, "there is no checkpoint %s yet; starting from the beginning",
				options->checkpoint);
}

/* A course may move to another machine; it is only no longer the one that was begun, bit for bit. */
static void warn_of_level(struct trainer *trainer)
{
	const char *now = sluice_context_isa(trainer->learner.context), *then = trainer->course.isa;
	if (then[0] != '\0' && strcmp(then, now) != 0)
		sluice__log_say(&trainer->log,
				"the checkpoint was written on level %s, this is %s: the bits will differ from those "
				"of an uninterrupted course",
				then, now);
}

static sluice_status start(struct trainer *trainer, sluice_context *context)
{
	const struct sluice__train_options *options = trainer->options;
	struct sluice__train_result *result = trainer->result;
	int resumed = 0;
	sluice_status status = check(options);
	if (status == SLUICE_OK)
		status = sluice__text_read(context, options->texts, options->text_count, options->validation,
					   &trainer->text);
	if (status == SLUICE_OK)
		status = sluice__learner_create(context, options, &trainer->text, &trainer->learner);
	if (status == SLUICE_OK && options->baselines)
		status = sluice__ngram_bits(&trainer->text, &trainer->learner.validation, result->ngram_bits);
	if (status != SLUICE_OK)
		return status;

	begin_course(trainer);
	status = resume(trainer, &resumed);
	if (status == SLUICE_OK)
		status = sluice__log_open(&trainer->log, options, resumed, &trainer->course);
	if (status != SLUICE_OK)
		return status;
	result->symbols = trainer->text.symbol_count;
	result->characters = trainer->text.length;
	result->training = trainer->text.training;
	result->total = trainer->course.total;
	for (size_t k = 0; k < trainer->learner.block_count; k++)
		result->parameters += trainer->learner.blocks[k].count;
	describe_start(trainer, resumed);
	warn_of_level(trainer);
	return SLUICE_OK;
}

/* -------------------------------------------------------------------------------------------------- course ---- */

/* Where in its streams an epoch begins: the first at the beginning, later ones a little further on, so that the borders
 * between chunks move. The counter of docs/EQUATIONS.md with purpose 2 (data order) and the epoch in place of the step.
 */
static size_t epoch_offset(const struct trainer *trainer, uint64_t epoch)
{
	const uint64_t seed = trainer->options->seed;
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	const uint32_t counter[4] = {2u << 20, (uint32_t)epoch, 0, 0};
	size_t slack = trainer->learner.training.length - (size_t)trainer->course.chunks * trainer->options->steps;
	uint32_t random[4];
	if (epoch == 0)
		return 0;
	sluice_philox(key, counter, random);
	return random[0] % (slack + 1);
}

static sluice_status update(struct trainer *trainer, double *rate, double *loss, double *norm)
{
	struct sluice__course *course = &trainer->course;
	if (course->chunk == course->chunks) {
		course->epoch++;
		course->chunk = 0;
	}
	if (course->chunk == 0)
		sluice__learner_forget(&trainer->learner);
	size_t offset = epoch_offset(trainer, course->epoch) + (size_t)course->chunk * trainer->options->steps;
	double started = sluice__log_clock();
	*rate = sluice__schedule_rate(&trainer->options->schedule, &course->progress, course->update + 1,
				      course->total);
	sluice_status status = sluice__learner_update(&trainer->learner, course->update + 1, *rate, offset, loss, norm);
	if (status != SLUICE_OK)
		return status;
	trainer->result->seconds += sluice__log_clock() - started;
	trainer->result->updates_here++;
	course->update++;
	course->chunk++;
	course->loss_sum += *loss;
	course->loss_count++;
	sluice__series_add(&course->training, (double)course->update, *loss);
	return SLUICE_OK;
}

static int validation_is_due(const struct trainer *trainer)
{
	const struct sluice__course *course = &trainer->course;
	uint64_t every = trainer->options->validate_every;
	if (course->update == course->total)
		return 1;
	return every ? course->update % every == 0 : course->chunk == course->chunks;
}

/* Judges the model, keeps it if it is the best, and begins a new mean of the training loss. */
static sluice_status validate(struct trainer *trainer, double *validation)
{
	struct sluice__course *course = &trainer->course;
	course->training_loss = course->loss_sum / (double)course->loss_count;
	course->loss_sum = 0;
	course->loss_count = 0;
	if (trainer->learner.validation.count == 0)
		return SLUICE_OK;
	sluice_status status = sluice__learner_validate(&trainer->learner, validation);
	if (status != SLUICE_OK)
		return status;
	sluice__series_add(&course->validation, (double)course->update, *validation);
	if (sluice__progress_note(&trainer->options->schedule, &course->progress, course->update, *validation))
		sluice__learner_keep(&trainer->learner);
	return SLUICE_OK;
}

static int checkpoint_is_due(const struct trainer *trainer)
{
	uint64_t every = trainer->options->checkpoint_every;
	if (!trainer->options->checkpoint)
		return 0;
	if (trainer->result->stopped)
		return 1;
	return every && (trainer->course.update % every == 0 || trainer->course.update == trainer->course.total);
}

/* One update and what follows it. A checkpoint comes last, so that it holds all that was done. */
static sluice_status advance(struct trainer *trainer)
{
	struct sluice__course *course = &trainer->course;
	const struct sluice__train_options *options = trainer->options;
	double rate, loss, norm, validation = NAN;
	sluice_status status = update(trainer, &rate, &loss, &norm);
	if (status != SLUICE_OK)
		return status;
	int due = validation_is_due(trainer);
	if (due)
		status = validate(trainer, &validation);
	if (status == SLUICE_OK)
		status = sluice__log_update(&trainer->log, course, rate, loss, norm, validation);
	if (status != SLUICE_OK)
		return status;
	sluice__log_progress(&trainer->log, course,
			     due ? course->training_loss : course->loss_sum / (double)course->loss_count, due);
	trainer->result->stopped = options->stop && *options->stop;
	return checkpoint_is_due(trainer) ? sluice__checkpoint_write(options->checkpoint, &trainer->learner, course)
					  : SLUICE_OK;
}

static sluice_status run(struct trainer *trainer)
{
	const struct sluice__course *course = &trainer->course;
	struct sluice__train_result *result = trainer->result;
	sluice_status status = SLUICE_OK;
	while (status == SLUICE_OK && course->update < course->total && !result->stopped) {
		if (sluice__progress_stops(&trainer->options->schedule, &course->progress)) {
			result->stopped_early = 1;
			break;
		}
		status = advance(trainer);
	}
	result->updates = course->update;
	return status;
}

/* --------------------------------------------------------------------------------------------------- end ---- */

static sluice_status save(struct trainer *trainer)
{
	const struct sluice__course *course = &trainer->course;
	const double loss = trainer->result->validation_loss;
	char text[128];
	uint64_t from = isnan(loss) ? course->update : course->progress.best_update;
	int length = snprintf(text, sizeof(text), "%llu updates", (unsigned long long)from);
	if (!isnan(loss))
		snprintf(text + length, sizeof(text) - (size_t)length, ", validation %.4f bits per character",
			 SLUICE__BITS(loss));

	sluice_tensors *tensors = NULL;
	sluice_status status = sluice_tensors_create(trainer->learner.context, &tensors);
	if (status == SLUICE_OK)
		status = sluice_tensors_set_metadata(tensors, "sluice.training", text);
	if (status == SLUICE_OK)
		status = sluice__characters_add(&trainer->learner.characters, tensors);
	if (status == SLUICE_OK)
		status = sluice_tensors_write(tensors, trainer->options->output);
	sluice_tensors_destroy(tensors);
	return status;
}

static sluice_status finish(struct trainer *trainer)
{
	const struct sluice__course *course = &trainer->course;
	struct sluice__train_result *result = trainer->result;
	sluice_status status = SLUICE_OK;
	result->training_loss = course->training_loss;
	result->validation_loss = course->progress.best_update ? course->progress.best : NAN;
	if (trainer->options->curve)
		status = sluice__curve_write(trainer->options->curve, &course->training, &course->validation);
	if (status != SLUICE_OK || result->stopped)
		return status;
	if (course->progress.best_update)
		status = sluice__learner_recall(&trainer->learner);
	if (status == SLUICE_OK && trainer->options->output)
		status = save(trainer);
	return status;
}

sluice_status sluice__train(sluice_context *context, const struct sluice__train_options *options,
			    struct sluice__train_result *result)
{
	struct trainer trainer = {.options = options, .result = result};
	*result = (struct sluice__train_result){.training_loss = NAN, .validation_loss = NAN};
	trainer.text.context = context;
	trainer.learner.context = context;
	trainer.learner.characters.context = context;
	trainer.log.options = options;

	sluice_status status = start(&trainer, context);
	if (status == SLUICE_OK)
		status = run(&trainer);
	if (status == SLUICE_OK)
		status = finish(&trainer);
	sluice_status closed = sluice__log_close(&trainer.log);
	sluice__learner_release(&trainer.learner);
	sluice__text_release(&trainer.text);
	return status == SLUICE_OK ? closed : status;
}
