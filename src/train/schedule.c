/* schedule.c: learning-rate schedules and early stopping are pure functions of counters, so that a resume repeats them.
 */
#include "schedule.h"

#include <math.h>

void sluice__progress_begin(struct sluice__progress *progress)
{
	*progress = (struct sluice__progress){.best = INFINITY};
}

/* The share of the full rate that the warm-up allows: 1/warmup at the first update, 1 from update `warmup` on. */
static double warmup_share(uint64_t warmup, uint64_t update)
{
	return update < warmup ? (double)update / (double)warmup : 1.0;
}

static double cosine(const struct sluice__schedule *schedule, uint64_t update, uint64_t total)
{
	const double pi = 3.14159265358979323846;
	/* The full rate belongs to the last update of the warm-up (the first one without), rate_end to the last of all.
	 */
	uint64_t first = schedule->warmup ? schedule->warmup : 1;
	if (update <= first)
		return schedule->rate;
	if (update >= total)
		return schedule->rate_end;
	double done = (double)(update - first) / (double)(total - first);
	return schedule->rate_end + 0.5 * (schedule->rate - schedule->rate_end) * (1.0 + cos(pi * done));
}

double sluice__schedule_rate(const struct sluice__schedule *schedule, const struct sluice__progress *progress,
			     uint64_t update, uint64_t total)
{
	double rate = schedule->rate;
	switch (schedule->kind) {
	case SLUICE__SCHEDULE_CONSTANT:
		break;
	case SLUICE__SCHEDULE_STEP:
		rate *= pow(schedule->factor, (double)((update - 1) / schedule->period));
		break;
	case SLUICE__SCHEDULE_PLATEAU:
		rate = fmax(rate * pow(schedule->factor, (double)progress->reductions), schedule->rate_end);
		break;
	case SLUICE__SCHEDULE_COSINE:
		rate = cosine(schedule, update, total);
		break;
	}
	return rate * warmup_share(schedule->warmup, update);
}

int sluice__progress_note(const struct sluice__schedule *schedule, struct sluice__progress *progress, uint64_t update,
			  double loss)
{
	/* Written so that a loss that is not a number is no improvement. */
	if (loss < progress->best - schedule->improvement) {
		progress->best = loss;
		progress->best_update = update;
		progress->since_best = 0;
		progress->since_reduction = 0;
		return 1;
	}
	progress->since_best++;
	progress->since_reduction++;
	if (schedule->kind == SLUICE__SCHEDULE_PLATEAU && progress->since_reduction > schedule->plateau_patience) {
		progress->reductions++;
		progress->since_reduction = 0;
	}
	return 0;
}

int sluice__progress_stops(const struct sluice__schedule *schedule, const struct sluice__progress *progress)
{
	return schedule->patience != 0 && progress->since_best >= schedule->patience;
}
