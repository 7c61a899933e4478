/* cpu.h: a plan of the CPU backend: its packed weights, its memory maps, and the functions its files share. */
#ifndef SLUICE_BACKEND_CPU_CPU_H
#define SLUICE_BACKEND_CPU_CPU_H

#include "backend/backend.h"
#include "backend/cpu/names.h"
#include "base/dtype.h"
#include "kernels/kernels.h"

enum { MOST_SEGMENTS = 2, MOST_DIRECTIONS = 2 };

/* Part of a layer's input: the user's x, or one direction of the layer before. Here and below, offsets of packed
 * weights are bytes into the packed block; "panels" are stored as the plan's weights, everything else as reals. */
struct segment {
	size_t width, padded;             /* real columns; columns of its internal buffer */
	size_t first;                     /* column of the layer's whole input */
	size_t forward[MOST_DIRECTIONS];  /* panels [block][width][gate][lane] */
	size_t backward[MOST_DIRECTIONS]; /* panels of the transpose: [panel][4 span][vectors][lane] */
};

/* The weights of one layer and direction besides those of its input. */
struct packed_direction {
	size_t bias;            /* [block][gate][lane] */
	size_t recurrent;       /* panels [block][out][gate][lane] */
	size_t transposed;      /* panels over out: [panel][4 span][vectors][lane] */
	size_t peephole;        /* diagonal: [block][gate][lane]; full: panels [block][hidden][gate][lane] */
	size_t peephole_back;   /* full: panels over the units: [panel][4 span][vectors][lane] */
	size_t memory;          /* full and split: V_o in panels over the units: [panel][hidden][vectors][lane] */
	size_t memory_back;     /* V_o transposed: [panel][span][vectors][lane] */
	size_t projection;      /* P in panels over out: [panel][hidden][vectors][lane] */
	size_t projection_back; /* P transposed, over the units: [panel][out][vectors][lane] */
	size_t slopes;          /* [5][padded] */
	struct sluice__cell cell;
};

struct packed_layer {
	const sluice_layer *options;
	size_t hidden, padded, directions;
	size_t blocks, span;                 /* vectors that hold the hidden units, and their elements */
	size_t panels;                       /* full or partial panels over the hidden units */
	size_t out, out_padded, out_vectors; /* the same of h, which a projection makes narrower or wider */
	size_t segments;
	struct segment segment[MOST_SEGMENTS];
	struct packed_direction direction[MOST_DIRECTIONS];
	bool standard;        /* the standard cell: the kernels need no struct sluice__cell */
	bool full;            /* full peepholes */
	bool split;           /* the output gate waits for all of c */
	bool keeps_arguments; /* a slope or a clip needs what the gates were activated from */
	bool plain;           /* nothing but the step kernel happens in a step */
};

struct packed_readout {
	size_t segments;
	size_t forward[MOST_SEGMENTS];  /* panels over outputs: [panel][width][vectors][lane] */
	size_t backward[MOST_SEGMENTS]; /* panels over the segment's columns: [panel][outputs][vectors][lane] */
	size_t bias;
};

/* Offsets in bytes into a run's workspace. padded, out: the widest of any layer. */
struct workspace_map {
	size_t x, y;                       /* the user's arrays in reals, where he has them in 16 bits */
	size_t gates[MOST_DIRECTIONS];     /* [T,N,4 padded] */
	size_t arguments[MOST_DIRECTIONS]; /* [T,N,4 padded] */
	size_t h[2][MOST_DIRECTIONS];      /* [T+1,N,out], layers take turns */
	size_t c[MOST_DIRECTIONS];         /* [N,padded]; [T+1,N,padded] where there is no tape to come */
	size_t dropped;                    /* [T,N,features] */
	size_t last;                       /* [N,features] */
	size_t mask[MOST_DIRECTIONS];      /* [N,out] */
	size_t masked[MOST_DIRECTIONS];    /* [N,out] */
	size_t zone_h[MOST_DIRECTIONS], zone_c[MOST_DIRECTIONS]; /* [N,out], [N,padded] */
	size_t fresh_c[MOST_DIRECTIONS];                         /* [N,padded]: e of EQUATIONS.md */
	size_t waiting[MOST_DIRECTIONS];                         /* [N,padded]: a_o of split cells */
	size_t q[MOST_DIRECTIONS];                               /* [N,padded] */
	size_t thinned[MOST_DIRECTIONS];                         /* R with DropConnect's mask, panels of reals */
	size_t step_h, step_x, step_state; /* a step's new h, masked input, state if the run keeps none */
	size_t dx;                         /* as x; dy takes the place of y */
	size_t da[MOST_DIRECTIONS];        /* [T,N,4 padded] */
	size_t dh[MOST_DIRECTIONS];        /* [N,out]: from the later step */
	size_t dc[MOST_DIRECTIONS];        /* [N,padded] */
	size_t dr[MOST_DIRECTIONS];        /* [T,N,out]: of the projected h */
	size_t dq[MOST_DIRECTIONS];        /* [N,widest] */
	size_t dc_kept[MOST_DIRECTIONS], carry[MOST_DIRECTIONS]; /* [N,padded], [N,out]: what zoneout hands on */
	size_t qs[MOST_DIRECTIONS];                              /* [T,N,padded] */
	size_t fresh_cs[MOST_DIRECTIONS];                        /* [T,N,padded]: e of all steps */
	size_t masked_h[MOST_DIRECTIONS];                        /* [T,N,out] */
	size_t sums[MOST_DIRECTIONS];                            /* [4+5, padded]: gradients of diagonals and slopes */
	size_t thinned_back[MOST_DIRECTIONS];                    /* R transposed with DropConnect's mask */
	size_t drecurrent[MOST_DIRECTIONS];                      /* [4H,out]: dR before DropConnect's mask */
	size_t spare_h[MOST_DIRECTIONS], spare_c[MOST_DIRECTIONS]; /* what a repeated step computes once more */
	size_t dy[2];                                              /* [T,N,features], layers take turns */
	size_t columns, rows; /* packed operands of a gradient product; rows: one for each thread */
	size_t rows_bytes;
};

struct cpu_plan {
	struct sluice__kernels kernels;
	int threads;
	size_t layer_count;
	struct packed_layer *layers;
	struct packed_readout readout;
	sluice_dtype panel_type;
	size_t panel_bytes; /* of one weight in a panel */
	bool widens_data;   /* the user's data are of another type than real */
	bool restores;      /* backward does not find reals of all it needs on the tape */
	void *packed;
	size_t packed_bytes;
	struct workspace_map map;
	char kernels_text[160];
};

/* Vectors that hold `width` reals, and panels that hold so many vectors. */
static inline size_t vectors_of(const struct sluice__kernels *kernels, size_t width)
{
	return (width + kernels->lanes - 1) / kernels->lanes;
}

static inline size_t panels_of(size_t vectors)
{
	return (vectors + SLUICE__PANEL_VECTORS - 1) / SLUICE__PANEL_VECTORS;
}

/* A thread's share of some vectors, in whole panels. */
static inline struct sluice__range share_panels(size_t vectors, int index, int count)
{
	const struct sluice__range own = sluice__share(panels_of(vectors), index, count);
	const size_t last = own.last * SLUICE__PANEL_VECTORS, first = own.first * SLUICE__PANEL_VECTORS;
	return (struct sluice__range){first < vectors ? first : vectors, last < vectors ? last : vectors};
}

/* Elements of panels of this depth over `width` columns. */
static inline size_t panels_elements(const struct sluice__kernels *kernels, size_t depth, size_t width)
{
	return depth * vectors_of(kernels, width) * kernels->lanes;
}

/* Panels, and what is stored as reals, at an offset of the packed block. */
static inline const void *packed_panels(const struct cpu_plan *plan, size_t offset)
{
	return (const char *)plan->packed + offset;
}

static inline real *packed_reals(const struct cpu_plan *plan, size_t offset)
{
	return (real *)(void *)((char *)plan->packed + offset);
}

/* --- pack.c: weights into panels --- */

/* Books the packed block of a network; fills in sizes and offsets of layers and read-out. */
void sluice__pack_book(struct cpu_plan *plan, const struct sluice__prepared *prepared, struct sluice__ledger *ledger);
void sluice__pack(struct cpu_plan *plan, const struct sluice__prepared *prepared, const float *parameters);

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
	struct rows a;
	size_t depth, width;
	const void *panels; /* over width columns */
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
	size_t steps, batch;
	struct rows a, b;
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

/* total[j] (+)= sum over all rows of a[row][j] for j below width, by the threads of the team. */
void sluice__matrix_sum(const struct sluice__kernels *kernels, const struct team *team, size_t count, const real *a,
			size_t a_row, size_t width, bool add, real *total);

/* Reals of the two workspaces of a gradient product. */
size_t sluice__matrix_columns(const struct sluice__kernels *kernels, size_t rows, size_t width);
size_t sluice__matrix_rows(size_t rows);

/* --- pass.c: where the data of one call lie --- */

/* One forward, step or backward call, as all its threads see it. */
struct pass {
	const struct sluice__prepared *prepared;
	const struct cpu_plan *plan;
	const sluice_run *run;
	const sluice_gradients *gradients; /* backward only */
	size_t steps, batch;
	struct sluice__barrier *meetings; /* the whole team's, then one for each direction; NULL with one thread */
};

static inline real *pass_piece(const struct pass *pass, size_t offset)
{
	return sluice__piece(pass->run->workspace, offset);
}

static inline bool pass_runs_backwards(const struct pass *pass, size_t layer, size_t direction)
{
	return pass->prepared->network->layers[layer].reverse || direction == 1;
}

/* The first and the last step in the order of time that the direction has. */
static inline size_t pass_first_step(const struct pass *pass, size_t layer, size_t direction)
{
	return pass_runs_backwards(pass, layer, direction) ? pass->steps - 1 : 0;
}

static inline size_t pass_last_step(const struct pass *pass, size_t layer, size_t direction)
{
	return pass->steps - 1 - pass_first_step(pass, layer, direction);
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

/* Whether runs of this kind draw masks and zoneout. */
static inline bool pass_masks_h(const struct pass *pass, size_t layer)
{
	return pass->run->mask || (pass->run->training && pass->plan->layers[layer].options->recurrent_dropout > 0);
}

static inline bool pass_thins(const struct pass *pass, size_t layer)
{
	return pass->run->training && pass->plan->layers[layer].options->dropconnect > 0;
}

/* The gradient of a layer's output [T,N,padded features], and its rows; layers take turns. */
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

/* x, y and their gradients as reals: the user's own memory, or the workspace's copy. */
struct rows sluice__pass_x(const struct pass *pass);
struct rows sluice__pass_y(const struct pass *pass);
struct rows sluice__pass_dx(const struct pass *pass);
struct rows sluice__pass_dy(const struct pass *pass);

/* Rows of one segment of a layer's input, after dropout; layer may be layer_count: the read-out. */
struct rows sluice__pass_input(const struct pass *pass, size_t layer, size_t segment);

/* The part of the last layer's output, after dropout, that makes y: of all steps, or of each direction's last one
 * (which sluice__forward_gather_last has put together). */
struct rows sluice__pass_output(const struct pass *pass, size_t segment);

/* Whether a layer's input is the dropped output of the layer before. */
bool sluice__pass_input_dropped(const struct pass *pass, size_t layer);

/* The memory of a layer's input after dropout: [T,N,padded features of the layer before]. */
real *sluice__pass_dropped(const struct pass *pass, size_t layer);

/* The hidden units, or the columns of h, in some vectors of a row: the first one, how many are real, and the elements
 * of the vectors. */
struct columns {
	size_t first, units, vectors;
};
struct columns sluice__pass_columns(const struct pass *pass, size_t width, size_t first, size_t last);

/* These columns of a [N,padded] array from offset `at` of a state's rows, or zero where there is none. */
void sluice__pass_load(const struct pass *pass, const void *state, size_t at, struct columns columns, real *to,
		       size_t padded);

/* Calls work for every direction of a layer: two directions go to two halves of the team where there are two threads,
 * else one after the other. Returns when the whole team has done it. */
typedef void direction_work(struct pass *pass, size_t layer, size_t direction, const struct team *team);
void sluice__pass_directions(struct pass *pass, size_t layer, const struct team *team, direction_work *work);

/* Runs work on the plan's threads, denormals treated as the plan says. */
typedef void pass_work(struct pass *pass, const struct team *team);
void sluice__pass_run(struct pass *pass, int threads, pass_work *work);

/* --- tape.c: what forward leaves for backward, in the tape's type --- */

/* Sizes of the tape of one step and of what does not grow with the steps. */
void sluice__tape_size(struct sluice__prepared *prepared, const struct cpu_plan *plan, bool *overflow);

/* Where reals of one layer and direction lie on the tape; NULL where the tape has none. */
struct tape {
	void *gates, *arguments; /* [T,N,4 padded] */
	void *h;                 /* [T+1,N,out] */
	real *c;                 /* [T+1,N,padded] */
	void *dropped; /* the layer's input after dropout [T,N,padded features of the layer before]; NULL: none */
};

/* layer may be layer_count: only `dropped`, the read-out's input. */
struct tape sluice__pass_tape(const struct pass *pass, size_t layer, size_t direction);

/* --- exchange.c: between the user's arrays and reals --- */

/* Rows of the user's array to or from [steps,N,width] reals, each thread a share. */
void sluice__exchange_in(const struct pass *pass, const struct team *team, const void *from, size_t width, size_t steps,
			 real *to);
void sluice__exchange_out(const struct pass *pass, const struct team *team, const real *from, size_t width,
			  size_t steps, void *to);

/* One row's columns of a user's array of `width` columns: step t, sequence n, `count` elements from `column`. */
void sluice__exchange_store(const struct pass *pass, void *array, size_t width, size_t t, size_t n, size_t column,
			    size_t count, const real *from);
void sluice__exchange_load(const struct pass *pass, const void *array, size_t width, size_t t, size_t n, size_t column,
			   size_t count, real *to);

/* --- noise.c: masks and zoneout --- */

/* Multiplies rows of units by the dropout mask of a layer's outputs, for the steps first .. last-1: to = mask * from.
 * Row r of from and to is step r / batch. */
void sluice__noise_dropout(const struct pass *pass, size_t layer, size_t direction, struct sluice__range steps,
			   const real *from, size_t from_row, real *to, size_t to_row);

/* The factors of h[t-1] in step t, [N,out padded], for some columns: the run's mask times the drawn one. */
void sluice__noise_mask(const struct pass *pass, size_t layer, size_t direction, size_t t, struct columns columns,
			real *mask);

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
};
struct strip sluice__strip(struct pass *pass, size_t layer, size_t direction, const struct team *team);

/* Where the data of one step lie. Rows are sequences. */
struct moment {
	size_t t;
	bool descending;
	const real *start; /* NULL: the bias */
	bool fused;        /* the step multiplies its input itself */
	struct rows input[MOST_SEGMENTS];
	const real *h_before, *c_before;
	real *h, *c; /* c may be c_before */
	size_t h_before_row, c_before_row, h_row, c_row;
	real *gates, *arguments; /* NULL: not wanted */
	bool shows;              /* the run's h, c and gates are written */
};

/* Where step t of a record begins, and where its gates go. */
void sluice__advance_place(const struct strip *strip, const struct record *record,
			   const struct rows input[MOST_SEGMENTS], size_t t, struct moment *moment);

/* Runs one step; all threads of the team together. Returns when every one has done its part. */
void sluice__advance(const struct strip *strip, const struct moment *moment, const struct team *team);

/* What a direction needs before its first step: its mask and its thinned R. */
void sluice__advance_prepare(struct strip *strip, const struct team *team);

/* Start values of some steps where x, by its segments, enters without weights: the bias plus x. */
void sluice__advance_place_input(const struct strip *strip, const struct rows x[MOST_SEGMENTS], size_t steps,
				 real *gates);

/* h = clip(P q) for the strip's columns, between two meetings of the team: q [N,padded] is everybody's work. */
void sluice__advance_project(const struct strip *strip, const real *q, real *h, size_t h_row, const struct team *team);

/* Rounds the strip's columns of h to the data type. */
void sluice__advance_round(const struct strip *strip, real *h, size_t h_row);

/* --- forward.c, step.c, restore.c, backward.c, parameters.c --- */
sluice_status sluice__cpu_forward(const struct sluice__prepared *prepared, const sluice_run *run);
sluice_status sluice__cpu_step(const struct sluice__prepared *prepared, const sluice_run *run);
sluice_status sluice__cpu_backward(const struct sluice__prepared *prepared, const sluice_run *run,
				   const sluice_gradients *gradients);

/* Fills the dropped input of a layer, every thread some steps. */
void sluice__forward_drop(struct pass *pass, size_t layer, const struct team *team);

/* h of the last processed step of every direction of the last layer, dropped if need be: [N,padded features]. */
void sluice__forward_gather_last(struct pass *pass, const struct team *team);

/* What backward needs of a layer's records, brought back into reals where the tape does not have it so: h; the dropped
 * input, made of h of the layer before; gates and c, which may be made of both. In this order. */
void sluice__restore_h(struct pass *pass, size_t layer, const struct team *team);
void sluice__restore_dropped(struct pass *pass, size_t layer, const struct team *team);
void sluice__restore_gates(struct pass *pass, size_t layer, const struct team *team);

/* Back through the steps of one layer and direction: da of all steps, and the gradient of the initial state. */
void sluice__through_time(struct pass *pass, size_t layer, size_t direction, const struct team *team);

/* The gradients of a layer's and direction's parameters, and of the read-out's, from da and the records. */
void sluice__parameters_direction(struct pass *pass, size_t layer, size_t direction, const struct team *team);
void sluice__parameters_readout(struct pass *pass, const struct team *team);

/* --- describe.c: as snprintf --- */
size_t sluice__cpu_describe(const struct sluice__prepared *prepared, char *buffer, size_t capacity);

/* --- ops.c --- */
void sluice__cpu_softmax(size_t level, size_t rows, size_t classes, float scale, const float *logits, float *p);
double sluice__cpu_softmax_cross_entropy(size_t level, size_t rows, size_t classes, const float *logits,
					 const uint32_t *target, float *dlogits);
double sluice__cpu_norm(size_t level, size_t count, const float *x);
void sluice__cpu_scale(size_t level, size_t count, float factor, float *x);
void sluice__cpu_embedding_forward(size_t rows, size_t width, const float *table, const uint32_t *index, float *y);
void sluice__cpu_embedding_backward(size_t rows, size_t width, const uint32_t *index, const float *dy, float *dtable);
void sluice__cpu_optimizer(size_t level, const sluice_optimizer *optimizer, size_t count, float *parameters,
			   const float *gradients, float *const moments[2]);

#endif
