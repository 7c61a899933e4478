/* pass.h: one call of the CPU backend, and what the files that carry it out share: where its data lie, and its parts.
 */
#ifndef SLUICE_BACKEND_CPU_PASS_H
#define SLUICE_BACKEND_CPU_PASS_H

#include "backend/cpu/cpu.h"

/* --- schedule.c: which rows have which steps --- */

/* One flag for each row of each step, [T,N], and for each step [T] whether any row has it; NULL: no row ever. */
struct flags {
	uint8_t *row, *step;
};

/* Rows as the backend sees them: the caller's, longest first, so that those that have a step are its first ones. */
struct schedule {
	size_t *order;        /* [N] the caller's row; NULL: the same */
	size_t *lengths;      /* [N], falling; NULL: all steps */
	size_t *active;       /* [T] rows that have a step; NULL: all */
	size_t steps;         /* T, if there are lengths */
	bool left;            /* padding is on the left: all rows share the last step, not the first */
	size_t present;       /* rows that have any step, if there are lengths */
	size_t *packed;       /* [T+1] first row of a step in packed data; NULL: data are not packed */
	struct flags cuts[2]; /* a forward, a reverse direction comes to this step from the start */
	struct flags holds;
	/* Backward, with lengths or holds: t * N + row of all rows that have a step, in order of t, and of those of
	 * them that are not held; NULL: all. */
	size_t *shown, *cells;
	size_t shown_count, cell_count;
};

/* --- matrix.c: products of whole matrices --- */

/* Rows of a matrix that are addressed by step and sequence; row r of the matrix is step r / batch, sequence r % batch.
 */
struct rows {
	const real *at;
	size_t step, row; /* strides in reals */
};

/* c (+)= a panels + bias, for the steps first .. last-1 of `batch` rows each. */
struct product {
	size_t first, last, batch;
	const struct schedule *when; /* NULL, or without lengths: every row has every step */
	size_t places;               /* rows of one sequence in a step; 0: 1 */
	struct rows a;
	size_t depth, width;
	const void *panels; /* over width columns */
	size_t panel_depth; /* of the panels, if they are deeper than this product, which begins at panel_first; else 0
			     */
	size_t panel_first;
	sluice_dtype type;
	const real *bias; /* padded to vectors; NULL: zero */
	bool add;
	real *c;
	size_t c_step, c_row;
	bool c_padded;   /* rows of c have room for whole vectors */
	bool descending; /* the last panel first; changes no result */
};
void sluice__matrix_multiply(const struct sluice__kernels *kernels, const struct product *product);

/* The threads of a region, as one of them sees it. */
struct team {
	int index, count;
	struct sluice__barrier *barrier;
};

static inline void team_wait(const struct team *team)
{
	sluice__barrier_wait(team->barrier, team->count);
}

/* dw[gate*height + m][n] (+)= sum over all rows of a[row][gate*a_gate + m] b[row][n], in order of the rows; every
 * thread of the team calls it. */
struct gradient_product {
	size_t count, batch;         /* rows */
	size_t places;               /* rows of one sequence in a step; 0: 1 */
	const size_t *cells;         /* step * (batch / places) + sequence of those that count; NULL: all */
	struct rows a, b;            /* a, in steps of `batch` rows; b likewise, or what is gathered from */
	const struct gather *gather; /* NULL: columns are those of b */
	const uint8_t *cuts;         /* by step and sequence: b is `start` there; NULL: nowhere */
	const real *start;
	size_t gates, a_gate;
	unsigned absent;      /* bit k: dw of gate k is zero, and left alone when added to */
	size_t height, width; /* of one gate of dw */
	real *dw;
	size_t dw_row;
	bool add;
	real *columns, *rows; /* workspace: packed b, shared; packed a, this thread's */
};
void sluice__matrix_gradient(const struct sluice__kernels *kernels, const struct team *team,
			     const struct gradient_product *product);

/* total[j] (+)= sum over all rows of a[row][j] for j below width, in order of the steps, by the threads of the team. */
struct sum {
	size_t steps, batch;
	const struct schedule *when; /* as of a product, and so is the next */
	size_t places;
	struct rows a;
	size_t width;
	bool add;
	real *total;
};
void sluice__matrix_sum(const struct sluice__kernels *kernels, const struct team *team, const struct sum *sum);

/* --- pass.c: where the data of one call lie --- */

/* One forward, step or backward call, as all its threads see it. */
struct pass {
	const struct sluice__prepared *prepared;
	const struct cpu_plan *plan;
	const sluice_run *run;
	const sluice_gradients *gradients; /* backward only */
	size_t steps, batch;
	const struct schedule *when;
	struct sluice__barrier *meetings; /* the whole team's, then one for each direction; NULL with one thread */
};

/* Every row has every step, and no flags. */
extern const struct schedule sluice__schedule_plain;

/* Gives a pass the schedule of its run's lengths and flags, which is made in `own` unless it is the plain one. */
void sluice__schedule_make(struct pass *pass, struct schedule *own);

/* Rows that have step t: 0 .. result-1. */
static inline size_t pass_rows(const struct pass *pass, size_t t)
{
	return pass->when->active ? pass->when->active[t] : pass->batch;
}

static inline size_t pass_caller_row(const struct pass *pass, size_t row)
{
	return pass->when->order ? pass->when->order[row] : row;
}

/* Rows of a layer in a step: those of the run, times the places of its images. Row r is place r % places of row r /
 * places of the run. Below, "rows" of a layer are these. */
static inline size_t layer_rows(const struct pass *pass, const struct packed_layer *packed)
{
	return pass->batch * packed->places;
}

static inline size_t layer_rows_at(const struct pass *pass, const struct packed_layer *packed, size_t t)
{
	return pass_rows(pass, t) * packed->places;
}

/* The row of the run, and the place in its image, of a layer's row. */
static inline size_t layer_sequence(const struct packed_layer *packed, size_t row)
{
	return packed->images ? row / packed->places : row;
}

static inline size_t layer_place(const struct packed_layer *packed, size_t row)
{
	return packed->images ? row % packed->places : 0;
}

/* Rows that have any step: 0 .. result-1. */
static inline size_t pass_present(const struct pass *pass)
{
	return pass->when->lengths ? pass->when->present : pass->batch;
}

static inline size_t pass_length(const struct pass *pass, size_t row)
{
	return pass->when->lengths ? pass->when->lengths[row] : pass->steps;
}

static inline real *pass_piece(const struct pass *pass, size_t offset)
{
	return sluice__piece(pass->run->workspace, offset);
}

static inline bool pass_runs_backwards(const struct pass *pass, size_t layer, size_t direction)
{
	return pass->prepared->network->layers[layer].reverse || direction == 1;
}

/* The step that a direction processes after `done` others. */
static inline size_t pass_step(const struct pass *pass, size_t layer, size_t direction, size_t done)
{
	return pass_runs_backwards(pass, layer, direction) ? pass->steps - 1 - done : done;
}

/* The step that a direction processes first, and last, in a row that has steps. */
static inline size_t pass_end_of(const struct pass *pass, size_t layer, size_t direction, size_t row, bool last)
{
	const size_t length = pass_length(pass, row), first = pass->when->left ? pass->steps - length : 0;
	return pass_runs_backwards(pass, layer, direction) == last ? first : first + length - 1;
}

/* Flags of rows that come from the start. */
static inline const struct flags *pass_cuts(const struct pass *pass, size_t layer, size_t direction)
{
	return &pass->when->cuts[pass_runs_backwards(pass, layer, direction)];
}

static inline bool flags_any(const struct flags *flags, size_t t)
{
	return flags->step && flags->step[t];
}

/* Whether a row of a step has a flag; place: step * batch + row. */
static inline bool flags_at(const struct flags *flags, size_t place)
{
	return flags->row && flags->row[place];
}

/* The row of state that rows start from where none is given: the same at all places of an image. */
static inline const real *pass_start(const struct pass *pass)
{
	return packed_reals(pass->plan, pass->plan->start);
}

/* Whether the tape holds all it keeps as reals, ready to be used where it lies. */
static inline bool pass_tapes_reals(const struct pass *pass)
{
	return pass->run->tape && pass->prepared->limits.tape == SLUICE__REAL_DTYPE;
}

/* Steps of y and of its gradient. */
static inline size_t pass_y_steps(const struct pass *pass)
{
	return pass->run->last_only ? 1 : pass->steps;
}

/* Rows that y may have in a step, and which of them it has in which steps: of its last steps those that have any. */
static inline size_t pass_y_batch(const struct pass *pass)
{
	return pass->run->last_only ? pass_present(pass) : pass->batch;
}

static inline const struct schedule *pass_y_schedule(const struct pass *pass)
{
	return pass->run->last_only ? &sluice__schedule_plain : pass->when;
}

/* Rows of step t of y: 0 .. result-1. */
static inline size_t pass_y_rows(const struct pass *pass, size_t t)
{
	return pass->run->last_only ? pass_present(pass) : pass_rows(pass, t);
}

/* Whether y has any gradient. */
static inline bool pass_has_dy(const struct pass *pass)
{
	const sluice_gradients *gradients = pass->gradients;
	return gradients->dy || gradients->dy_steps || gradients->dy_reverse || gradients->dy_reverse_steps;
}

/* Whether runs of this kind draw masks and zoneout. */
static inline bool pass_masks_h(const struct pass *pass, size_t layer)
{
	return pass->run->mask || (pass->run->training && pass->plan->layers[layer].options->recurrent_dropout > 0);
}

static inline bool pass_thins(const struct pass *pass, size_t layer)
{
	return pass->run->training && pass->plan->layers[layer].options->dropconnect > 0;
}

/* The gradient of a layer's output [T,N,directions,padded h], and its rows; layers take turns. */
static inline real *pass_dy_of(const struct pass *pass, size_t layer)
{
	return pass_piece(pass, pass->plan->map.dy[layer % 2]);
}

static inline size_t pass_dy_row(const struct pass *pass, size_t layer)
{
	return pass->plan->layers[layer].directions * pass->plan->layers[layer].out_padded;
}

static inline bool pass_accumulates(const struct pass *pass, unsigned flag)
{
	return (pass->gradients->accumulate & flag) != 0;
}

/* h or c of one layer and direction over time, `step` reals a step: step t at time + t * step, and what it was before
 * that step at time + t * step + before. */
struct history {
	real *time;
	ptrdiff_t step, before;
};

static inline real *history_at(const struct history *history, size_t t)
{
	return history->time + (ptrdiff_t)t * history->step;
}

static inline real *history_before(const struct history *history, size_t t)
{
	return history_at(history, t) + history->before;
}

/* What the steps of one layer and direction leave behind, in reals: on the tape where it holds reals, else in the
 * workspace. Without a tape that will be read again c has one slot, overwritten in every step. */
struct record {
	real *gates, *arguments; /* [T,N,4 padded]; arguments NULL where not kept */
	struct history h, c;     /* [T+1,N,out], [T+1,N,padded] */
};
struct record sluice__pass_record(const struct pass *pass, size_t layer, size_t direction);

/* An array of the caller's: in one piece, or a pointer for each step. */
struct array {
	const void *at;
	const void *const *steps; /* NULL: in one piece */
	size_t width, row;        /* row: elements from row to row of a step, if `steps` */
	bool last;                /* one row for each sequence, of no step */
};
static inline struct array array_x(const struct pass *pass)
{
	const struct sluice__network *network = pass->prepared->network;
	const size_t width = network->x_width, row = pass->run->x_row;
	return (struct array){pass->run->x, pass->run->x_steps, width, row ? row : width, false};
}

static inline struct array array_y(const struct pass *pass, size_t result)
{
	const sluice_run *run = pass->run;
	const struct sluice__network *network = pass->prepared->network;
	const size_t width = network->y_width, row = run->y_row ? run->y_row : width;
	void *const *steps = result ? run->y_reverse_steps : run->y_steps;
	return (struct array){result ? run->y_reverse : run->y, (const void *const *)steps, width, row,
			      run->last_only != 0};
}

struct array sluice__array_dx(const struct pass *pass);
struct array sluice__array_dy(const struct pass *pass, size_t result);
static inline bool array_given(const struct array *array)
{
	return array->at || array->steps;
}

/* Whether rows of images follow each other without gaps, so that places do throughout a step. */
static inline bool array_adjoins(const struct pass *pass, const struct array *array)
{
	if (array->steps)
		return array->row == array->width;
	return pass->steps == 1 || array->last || !pass->prepared->limits.batch_major;
}

/* Whether an array is used where it lies: its rows are reals at fixed strides, in the backend's order. */
static inline bool array_direct(const struct pass *pass, const struct array *array)
{
	const bool one = pass->steps == 1 || array->last;
	if (pass->plan->images && !array_adjoins(pass, array))
		return false;
	return !pass->plan->widens_data && !pass->when->order && (one || (!array->steps && !pass->when->packed));
}

/* x, y and their gradients as reals: the caller's own memory, or the workspace's copy. */
struct rows sluice__pass_x(const struct pass *pass);
struct rows sluice__pass_y(const struct pass *pass, size_t result);
struct rows sluice__pass_dx(const struct pass *pass);
struct rows sluice__pass_dy(const struct pass *pass, size_t result);

/* Rows of one result of the layer before, after addition and dropout; layer may be layer_count: y or the read-out. */
struct rows sluice__pass_input(const struct pass *pass, size_t layer, size_t result);

/* Rows of what a direction of a layer reads, by its segments. */
void sluice__pass_segments(const struct pass *pass, size_t layer, size_t direction, struct rows input[MOST_SEGMENTS]);

/* The part of the last layer's output, after dropout, that makes y: of all steps, or of each row's last one (which
 * sluice__forward_gather_last has put together). */
struct rows sluice__pass_output(const struct pass *pass, size_t result);

/* Whether a layer's input is the dropped output of the layer before; and whether it is made at all, by dropout or by
 * addition, and lies in memory of its own. */
bool sluice__pass_input_dropped(const struct pass *pass, size_t layer);
bool sluice__pass_input_made(const struct pass *pass, size_t layer);

/* That memory: [T,N,padded results of the layer before]. */
real *sluice__pass_made(const struct pass *pass, size_t layer);

/* The hidden units, or the columns of h, in some vectors of a row: the first one, how many are real, and the elements
 * of the vectors. */
struct columns {
	size_t first, units, vectors;
};
struct columns sluice__pass_columns(const struct pass *pass, size_t width, size_t first, size_t last);

/* Which block of x that holds the gates belongs to a gate: the caller's x is in his order, h of a layer below in ours.
 */
static inline size_t pass_input_place(const struct pass *pass, size_t layer, size_t gate)
{
	return layer > 0 ? gate : pass->prepared->limits.gate_place[gate];
}

/* The row of the caller's states that a row of the run has. */
static inline size_t pass_slot(const struct pass *pass, size_t row)
{
	const size_t n = pass_caller_row(pass, row);
	return pass->run->slots ? pass->run->slots[n] : n;
}

/* The row of state that a row of the run starts from. */
static inline const real *pass_initial(const struct pass *pass, size_t row)
{
	if (!pass->run->initial_state)
		return pass_start(pass);
	return (const real *)pass->run->initial_state + pass_slot(pass, row) * pass->prepared->network->state_row;
}

/* These columns, at every place, of the states before every row's first step, from offset `at` of a row of state, into
 * a history. */
void sluice__pass_load_initial(const struct pass *pass, size_t layer, size_t direction, size_t at,
			       struct columns columns, const struct history *to, size_t padded);

/* These columns, at every place, of a [rows,padded] array from offset `at` of dfinal's rows, or zero where there is
 * none. */
void sluice__pass_load_final(const struct pass *pass, size_t layer, size_t at, struct columns columns, real *to,
			     size_t padded);

/* Calls work for every direction of a layer: two directions go to two halves of the team where there are two threads,
 * else one after the other. Returns when the whole team has done it. */
typedef void direction_work(struct pass *pass, size_t layer, size_t direction, const struct team *team);
void sluice__pass_directions(struct pass *pass, size_t layer, const struct team *team, direction_work *work);

/* Runs work on the plan's threads, denormals treated as the plan says. */
typedef void pass_work(struct pass *pass, const struct team *team);
void sluice__pass_run(struct pass *pass, int threads, pass_work *work);

/* --- tape.c: what forward leaves for backward, in the tape's type --- */

/* Where reals of one layer and direction lie on the tape; NULL where the tape has none. */
struct tape {
	void *gates, *arguments; /* [T,N,4 padded] */
	void *h;                 /* [T+1,N,out] */
	real *c;                 /* [T+1,N,padded] */
	void *made; /* the layer's input after addition and dropout [T,N,padded results of the layer before]; or NULL */
};

/* layer may be layer_count: only `made`, the read-out's input. */
struct tape sluice__pass_tape(const struct pass *pass, size_t layer, size_t direction);

/* --- exchange.c: between the caller's arrays and reals --- */

/* Rows of the caller's array to or from [T,N,width] reals ([N,width] if it is `last`), each thread a share. */
void sluice__exchange_in(const struct pass *pass, const struct team *team, const struct array *from, real *to);
void sluice__exchange_out(const struct pass *pass, const struct team *team, const real *from, const struct array *to);

/* Zeros in the steps that rows have not, of everything that the run puts out; of dx, in backward. */
void sluice__exchange_blank(const struct pass *pass, const struct team *team);

/* One row's columns of a caller's array of `width` columns: step t, `count` elements from `column`. */
void sluice__exchange_store(const struct pass *pass, void *array, size_t width, size_t t, size_t row, size_t column,
			    size_t count, const real *from);
void sluice__exchange_load(const struct pass *pass, const void *array, size_t width, size_t t, size_t row,
			   size_t column, size_t count, real *to);

/* --- noise.c: masks and zoneout --- */

/* Multiplies a row of units by the dropout mask of a layer's output in step t: to = mask * from, padding included. */
void sluice__noise_dropout_row(const struct pass *pass, size_t layer, size_t direction, size_t t, size_t row,
			       const real *from, real *to);

/* The same for the rows of steps first .. last-1; row r of from and to is step r / batch. */
void sluice__noise_dropout(const struct pass *pass, size_t layer, size_t direction, struct sluice__range steps,
			   const real *from, size_t from_row, real *to, size_t to_row);

/* The factors of h[t-1] in step t, [rows,out padded], for some columns: the run's mask times the drawn one. */
void sluice__noise_mask(const struct pass *pass, size_t layer, size_t direction, size_t t, size_t rows,
			struct columns columns, real *mask);

/* Whether these factors differ from step to step. */
bool sluice__noise_mask_changes(const struct pass *pass, size_t layer);

/* The zoneout factors of h (or of c) in step t, [N,row], for some columns. */
void sluice__noise_zoneout(const struct pass *pass, size_t layer, size_t direction, size_t t, bool of_c,
			   struct columns columns, real *zone, size_t row);

/* The factors of DropConnect for elements 4 * block .. 4 * block + 3 of one row of R. */
void sluice__noise_dropconnect(const struct pass *pass, size_t layer, size_t direction, size_t row, size_t block,
			       real factors[4]);

/* R times DropConnect's mask in panels of reals, or its transpose, by all threads of the team together. */
void sluice__pack_thinned(const struct pass *pass, size_t layer, size_t direction, bool transposed,
			  const struct team *team, real *to);

/* --- advance.c: one step of one layer and direction --- */

/* One layer and direction, as one thread works on it: its own blocks of units and its own columns of h. */
struct strip {
	struct pass *pass;
	size_t layer, direction;
	const struct packed_layer *packed;
	const struct packed_direction *weights;
	size_t first, last;           /* blocks */
	size_t late_first, late_last; /* vectors of the units that `output` finishes, in whole panels */
	size_t out_first, out_last;   /* vectors of h that this thread completes, in whole panels if projected */
	struct columns columns, out_columns;
	const void *recurrent; /* panels */
	sluice_dtype recurrent_type;
	bool backwards;           /* in time */
	const struct flags *cuts; /* rows that come from the start */
};
struct strip sluice__strip(struct pass *pass, size_t layer, size_t direction, const struct team *team);

/* Where the data of one step lie. Rows are sequences: those that have the step. */
struct moment {
	size_t t, rows;
	bool descending, held; /* held: some rows keep their state */
	const real *start;     /* NULL: the bias */
	bool fused;            /* the step multiplies its input itself */
	struct rows input[MOST_SEGMENTS];
	const real *h_before, *c_before;
	real *h, *c; /* c may be c_before */
	size_t h_before_row, c_before_row, h_row, c_row;
	real *gates, *arguments; /* NULL: not wanted */
	bool shows;              /* the run's h, c and gates are written */
};

/* Where step t of a record begins, and where its gates go. Rows that come from the start are copied before: all
 * threads of the team together. */
void sluice__advance_place(const struct strip *strip, const struct record *record,
			   const struct rows input[MOST_SEGMENTS], size_t t, const struct team *team,
			   struct moment *moment);

/* Runs one step; all threads of the team together. Returns when every one has done its part. */
void sluice__advance(const struct strip *strip, const struct moment *moment, const struct team *team);

/* What a direction needs before its first step: its mask and its thinned R. */
void sluice__advance_prepare(struct strip *strip, const struct team *team);

/* Start values of some steps where x, by its segments, enters without weights: the bias plus x. */
void sluice__advance_place_input(const struct strip *strip, const struct rows x[MOST_SEGMENTS], size_t steps,
				 real *gates);

/* h = clip(P q) for the strip's columns, between two meetings of the team: q [rows,padded] is everybody's work. */
void sluice__advance_project(const struct strip *strip, size_t rows, const real *q, real *h, size_t h_row,
			     const struct team *team);

/* Rounds the strip's columns of h to the data type. */
void sluice__advance_round(const struct strip *strip, size_t rows, real *h, size_t h_row);

/* --- forward.c, restore.c, backward.c, parameters.c --- */

/* Makes the input of a layer where it is not the h before it, every thread some steps. */
void sluice__forward_make_input(struct pass *pass, size_t layer, const struct team *team);

/* Drops the results of the last layer in a row's last processed steps, [padded results], in place. */
void sluice__forward_drop_last(const struct pass *pass, size_t row, real *results);

/* What y is made of in each row's last processed step, dropped if need be: [N,padded results]. */
void sluice__forward_gather_last(struct pass *pass, const struct team *team);

/* What backward needs of a layer's records, brought back into reals where the tape does not have it so: h; the input
 * that is made of h of the layer before; gates and c, which may be made of both. In this order. */
void sluice__restore_h(struct pass *pass, size_t layer, const struct team *team);
void sluice__restore_input(struct pass *pass, size_t layer, const struct team *team);
void sluice__restore_gates(struct pass *pass, size_t layer, const struct team *team);

/* Where the gradient of what a direction reads goes, by its segments: a result of the layer below, or dx; and whether
 * it is added to what is there. */
struct rows sluice__backward_input(const struct pass *pass, size_t layer, size_t direction, size_t segment);
bool sluice__backward_adds(const struct pass *pass, size_t layer, size_t direction);

/* Back through the steps of one layer and direction: da of all steps, and the gradient of the initial state. */
void sluice__through_time(struct pass *pass, size_t layer, size_t direction, const struct team *team);

/* The gradients of a layer's and direction's parameters, and of the read-out's, from da and the records. */
void sluice__parameters_direction(struct pass *pass, size_t layer, size_t direction, const struct team *team);
void sluice__parameters_readout(struct pass *pass, const struct team *team);

#endif
