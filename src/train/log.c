/* log.c: keeps the log free of anything that a resume could not repeat; times are for the reader's eyes only. */
#define _POSIX_C_SOURCE 200809L
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEADER "update,epoch,rate,training_loss,gradient_norm,validation_loss\n"
#define BAR_WIDTH 24
#define SECONDS_TERMINAL 0.1
#define SECONDS_LINES 10.0

double sluice__log_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static sluice_status fail_file(const char *path)
{
	return sluice_fail(SLUICE_IO, "log %s: %s", path, strerror(errno));
}

/* Opens the log that a killed course left behind, and cuts off what it wrote after its checkpoint. */
static sluice_status continue_file(struct sluice__log *log, uint64_t bytes)
{
	const char *path = log->options->log;
	log->csv = fopen(path, "r+");
	if (!log->csv || fseeko(log->csv, 0, SEEK_END) != 0)
		return fail_file(path);
	uint64_t length = (uint64_t)ftello(log->csv);
	if (length < bytes)
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "log %s has %" PRIu64 " bytes, but had %" PRIu64
				   " when the checkpoint was written; it is not the log of this course",
				   path, length, bytes);
	if (ftruncate(fileno(log->csv), (off_t)bytes) != 0 || fseeko(log->csv, (off_t)bytes, SEEK_SET) != 0)
		return fail_file(path);
	return SLUICE_OK;
}

sluice_status sluice__log_open(struct sluice__log *log, const struct sluice__train_options *options, int resumed,
			       struct sluice__course *course)
{
	*log = (struct sluice__log){.options = options, .first_update = course->update, .validation = NAN};
	log->started = log->shown = sluice__log_clock();
	if (!options->log)
		return SLUICE_OK;
	if (resumed && course->log_bytes > 0)
		return continue_file(log, course->log_bytes);
	log->csv = fopen(options->log, "w");
	if (!log->csv || fputs(HEADER, log->csv) < 0 || fflush(log->csv) != 0)
		return fail_file(options->log);
	course->log_bytes = strlen(HEADER);
	return SLUICE_OK;
}

sluice_status sluice__log_close(struct sluice__log *log)
{
	if (log->drawn)
		fputc('\n', log->options->progress);
	if (log->csv && fclose(log->csv) != 0) {
		log->csv = NULL;
		return fail_file(log->options->log);
	}
	log->csv = NULL;
	return SLUICE_OK;
}

sluice_status sluice__log_update(struct sluice__log *log, struct sluice__course *course, double rate, double loss,
				 double norm, double validation)
{
	if (!isnan(validation))
		log->validation = validation;
	if (!log->csv)
		return SLUICE_OK;
	char line[160];
	int length = snprintf(line, sizeof(line), "%" PRIu64 ",%" PRIu64 ",%.9g,%.9g,%.9g,", course->update,
			      course->epoch + 1, rate, loss, norm);
	if (!isnan(validation))
		length += snprintf(line + length, sizeof(line) - (size_t)length, "%.9g", validation);
	/* Flushed at once, so that a reader sees it and a full disk is noticed here. */
	if (fprintf(log->csv, "%s\n", line) < 0 || fflush(log->csv) != 0)
		return fail_file(log->options->log);
	course->log_bytes += (uint64_t)length + 1;
	return SLUICE_OK;
}

static void print_time(FILE *file, double seconds)
{
	unsigned long long whole = (unsigned long long)fmax(seconds + 0.5, 0);
	if (whole >= 3600)
		fprintf(file, "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60, whole % 60);
	else
		fprintf(file, "%llu:%02llu", whole / 60, whole % 60);
}

/* The losses in bits, and the time that is left at the pace so far. */
static void print_figures(const struct sluice__log *log, const struct sluice__course *course, double loss, double now)
{
	FILE *file = log->options->progress;
	uint64_t here = course->update - log->first_update;
	fprintf(file, "update %" PRIu64 "/%" PRIu64 "  training %.3f", course->update, course->total,
		SLUICE__BITS(loss));
	if (!isnan(log->validation))
		fprintf(file, "  validation %.3f", SLUICE__BITS(log->validation));
	fprintf(file, " bits/character");
	if (here == 0 || course->update >= course->total)
		return;
	fprintf(file, "  left ");
	print_time(file, (now - log->started) / (double)here * (double)(course->total - course->update));
}

void sluice__log_progress(struct sluice__log *log, const struct sluice__course *course, double loss, int now)
{
	FILE *file = log->options->progress;
	double time = sluice__log_clock();
	if (!file || (!now && time - log->shown < (log->options->terminal ? SECONDS_TERMINAL : SECONDS_LINES)))
		return;
	log->shown = time;
	if (log->options->terminal) {
		log->drawn = 1;
		int full =
			course->total ? (int)((double)BAR_WIDTH * (double)course->update / (double)course->total) : 0;
		fprintf(file, "\r[%.*s%*s] ", full, "########################", BAR_WIDTH - full, "");
	}
	print_figures(log, course, loss, time);
	fputs(log->options->terminal ? "\033[K" : "\n", file); /* clears what a longer line left behind */
	fflush(file);
}

void sluice__log_say(struct sluice__log *log, const char *format, ...)
{
	va_list arguments;
	FILE *file = log->options->progress;
	if (!file)
		return;
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	fputc('\n', file);
	fflush(file);
}
