/*
 * oracle_time.inc.h: "Time" of EQUATIONS.md, which steps rows have and what is before each, for one number type, see
 * oracle.inc.h.
 */

/* first_n and last_n. */
static size_t first_of(const struct ORACLE_RUN *run, size_t n)
{
	return run->lengths && run->padding == SLUICE_PADDING_LEFT ? run->steps - run->lengths[n] : 0;
}

static size_t last_of(const struct ORACLE_RUN *run, size_t n)
{
	return run->lengths && run->padding == SLUICE_PADDING_RIGHT ? run->lengths[n] : run->steps;
}

int ORACLE_HAS_STEP(const struct ORACLE_RUN *run, size_t t, size_t n)
{
	return first_of(run, n) <= t && t < last_of(run, n);
}

int ORACLE_COMPUTES_STEP(const struct ORACLE_RUN *run, size_t t, size_t n)
{
	return ORACLE_HAS_STEP(run, t, n) && !(run->holds && run->holds[t * run->batch + n]);
}

/* A mark at s parts s-1 from s: it precedes step s of a forward cell and step s-1 of a reverse one. */
int ORACLE_BEGINS_ANEW(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t t, size_t n)
{
	size_t s = cell->reverse ? t + 1 : t;

	return run->resets && ORACLE_HAS_STEP(run, s, n) && run->resets[s * run->batch + n];
}

static int is_empty(const struct ORACLE_RUN *run, size_t n)
{
	return first_of(run, n) == last_of(run, n);
}

/* The time index of a cell's processing step; the row may not have it. */
static size_t time_of(const struct sluice__cell *cell, size_t steps, size_t step)
{
	return cell->reverse ? steps - 1 - step : step;
}

/* The time of the step that a cell processes first, and last, of a row that is not empty. */
static size_t first_processed(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t n)
{
	return cell->reverse ? last_of(run, n) - 1 : first_of(run, n);
}

static size_t last_processed(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t n)
{
	return cell->reverse ? first_of(run, n) : last_of(run, n) - 1;
}

/* The time that dropout behind the only y of a row is drawn for. */
static size_t drop_time(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t n)
{
	return cell->combination == SLUICE_ADD ? last_of(run, n) - 1 : last_processed(run, cell, n);
}

/* h or c of one cell as its steps see them: the sequence [T,N,width], the initial state [N,width] or NULL, and the
 * start [width]. Of images width counts all places. */
struct states {
	const REAL *sequence, *initial, *start;
	size_t width;
};

/* A start as a row has it: of images the same at all places; zeros where none is learned. */
static void start_make(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t offset, size_t channels,
		       REAL *start)
{
	for (size_t k = 0; k < cell->places * channels; k++)
		start[k] = offset != SLUICE__NONE ? run->parameters[offset + k % channels] : 0;
}

static struct states h_states(const struct sluice__cell *cell, const struct ORACLE_RUN *run, const REAL *sequence,
			      const REAL *start)
{
	return (struct states){
		.sequence = sequence,
		.initial = run->h0 ? run->h0 + cell->h_state * run->batch : NULL,
		.start = start,
		.width = cell->places * cell->out,
	};
}

static struct states c_states(const struct sluice__cell *cell, const struct ORACLE_RUN *run, const REAL *sequence,
			      const REAL *start)
{
	return (struct states){
		.sequence = sequence,
		.initial = run->c0 ? run->c0 + cell->c_state * run->batch : NULL,
		.start = start,
		.width = cell->places * cell->hidden,
	};
}

/* Before the first step of a row. */
static const REAL *state_initial(const struct states *states, size_t n)
{
	return states->initial ? states->initial + n * states->width : states->start;
}

/* Before step t of a row that has it. */
static const REAL *state_before(const struct states *states, const struct ORACLE_RUN *run,
				const struct sluice__cell *cell, size_t t, size_t n)
{
	size_t before = cell->reverse ? t + 1 : t - 1;

	if (ORACLE_BEGINS_ANEW(run, cell, t, n))
		return states->start;
	if (t == first_processed(run, cell, n))
		return state_initial(states, n);
	return states->sequence + (before * run->batch + n) * states->width;
}

/* After all steps of a row. */
static const REAL *state_final(const struct states *states, const struct ORACLE_RUN *run,
			       const struct sluice__cell *cell, size_t n)
{
	if (is_empty(run, n))
		return state_initial(states, n);
	return states->sequence + (last_processed(run, cell, n) * run->batch + n) * states->width;
}
