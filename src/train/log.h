/* log.h: what a course of training tells while it runs: the CSV log, and the progress bar or lines. */
#ifndef SLUICE_TRAIN_LOG_H
#define SLUICE_TRAIN_LOG_H

#include "checkpoint.h"

struct sluice__log {
	const struct sluice__train_options *options;
	FILE *csv;             /* NULL: not wanted */
	uint64_t first_update; /* done before this call, for the remaining time */
	double started, shown; /* when the first update began, when progress was last shown */
	int drawn;             /* a bar waits for the end of its line */
	double validation;     /* the last validation's loss, NaN before the first */
};

/* Opens the CSV file: a new one, or on a resume the old one cut to `bytes`, where the checkpoint was written. Errors:
 * IO, INVALID_ARGUMENT (the file is shorter, so not this course's). Sets course->log_bytes. */
sluice_status sluice__log_open(struct sluice__log *log, const struct sluice__train_options *options, int resumed,
			       struct sluice__course *course);

/* Closes the file and ends a progress bar's line. Errors: IO. */
sluice_status sluice__log_close(struct sluice__log *log);

/* Writes the line of the update that course counts last; validation is NaN if there was none. Errors: IO. */
sluice_status sluice__log_update(struct sluice__log *log, struct sluice__course *course, double rate, double loss,
				 double norm, double validation);

/* Shows where the course is: on a terminal ten times a second, else every ten seconds, and always if `now`. */
void sluice__log_progress(struct sluice__log *log, const struct sluice__course *course, double loss, int now);

/* Says one line, formatted as by printf. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sluice__log_say(struct sluice__log *log, const char *format, ...);

/* Seconds of a clock that never goes back. */
double sluice__log_clock(void);

#endif
