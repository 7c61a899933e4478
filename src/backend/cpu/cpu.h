/* cpu.h: a plan of the CPU backend: its packed weights, its memory maps, and the functions its files share. */
#ifndef SLUICE_BACKEND_CPU_CPU_H
#define SLUICE_BACKEND_CPU_CPU_H

#include "backend/backend.h"
#include "kernels/kernels.h"

enum { MOST_SEGMENTS = 2, MOST_DIRECTIONS = 2 };

/* Part of a layer's input: the user's x, or one direction of the layer before. Offsets are floats into the packed
 * block. */
struct segment {
	size_t width, padded;             /* real columns; columns of its internal buffer */
	size_t first;                     /* column of the layer's whole input */
	size_t forward[MOST_DIRECTIONS];  /* panels [block][width][gate][lane] */
	size_t backward[MOST_DIRECTIONS]; /* panels of the transpose: [panel][4 span][vectors][lane] */
};

struct packed_layer {
	size_t hidden, padded, directions;
	size_t blocks, span; /* vectors that hold the hidden units, and their floats */
	size_t panels;       /* full or partial panels over the hidden units */
	size_t segments;
	struct segment segment[MOST_SEGMENTS];
	size_t bias[MOST_DIRECTIONS];       /* [block][gate][lane] */
	size_t recurrent[MOST_DIRECTIONS];  /* panels [block][hidden][gate][lane] */
	size_t transposed[MOST_DIRECTIONS]; /* panels [panel][4 span][vectors][lane] */
};

struct packed_readout {
	size_t segments;
	size_t forward[MOST_SEGMENTS];  /* panels over outputs: [panel][hidden][vectors][lane] */
	size_t backward[MOST_SEGMENTS]; /* panels over the segment's units: [panel][outputs][vectors][lane] */
	size_t bias;
};

/* Offsets in bytes into a run's workspace. The halves of forward and backward lie over each other. */
struct workspace_map {
	size_t gates[MOST_DIRECTIONS];                   /* [T,N,4 padded] */
	size_t h[2][MOST_DIRECTIONS];                    /* [T+1,N,padded], layers take turns */
	size_t c[MOST_DIRECTIONS];                       /* [N,padded] */
	size_t dropped;                                  /* [T,N,padded features] */
	size_t step_h, step_x, step_state;               /* a step's new h, masked input, state if the run keeps none */
	size_t da[MOST_DIRECTIONS];                      /* [T,N,4 padded] */
	size_t dh[MOST_DIRECTIONS], dc[MOST_DIRECTIONS]; /* [N,padded] */
	size_t dy[2];                                    /* [T,N,padded features], layers take turns */
	size_t columns, rows; /* packed operands of a gradient product; rows: one for each thread */
	size_t rows_bytes;
};

struct cpu_plan {
	struct sluice__kernels kernels;
	int threads;
	size_t layer_count;
	struct packed_layer *layers;
	struct packed_readout readout;
	float *packed;
	size_t packed_bytes;
	struct workspace_map map;
	char kernels_text[128];
};

/* Vectors that hold `width` floats, and panels that hold so many vectors. */
static inline size_t vectors_of(const struct sluice__kernels *kernels, size_t width)
{
	return (width + kernels->lanes - 1) / kernels->lanes;
}

static inline size_t panels_of(size_t vectors)
{
	return (vectors + SLUICE__PANEL_VECTORS - 1) / SLUICE__PANEL_VECTORS;
}

/* Floats of panels of this depth over `width` columns. */
static inline size_t panels_floats(const struct sluice__kernels *kernels, size_t depth, size_t width)
{
	return depth * vectors_of(kernels, width) * kernels->lanes;
}

/* --- pack.c: weights into panels --- */

/* Books the packed block of a network; fills in the offsets of layers and read-out. */
void sluice__pack_book(struct cpu_plan *plan, const struct sluice__prepared *prepared, struct sluice__ledger *ledger);
void sluice__pack(struct cpu_plan *plan, const struct sluice__prepared *prepared, const float *parameters);

/* --- matrix.c: products of whole matrices --- */

/* Rows of a matrix that are addressed by step and sequence; row r of the matrix is step r / batch, sequence r % batch.
 */
struct rows {
	const float *at;
	size_t step, row; /* strides in floats */
};

/* c (+)= a panels + bias, for the steps first .. last-1 of `batch` rows each. */
struct product {
	size_t first, last, batch;
	struct rows a;
	size_t depth, width;
	const float *panels; /* over width columns */
	const float *bias;   /* padded to vectors; NULL: zero */
	bool add;
	float *c;
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
	size_t height, width; /* of one gate of dw */
	float *dw;
	size_t dw_row;
	bool add;
	float *columns, *rows; /* workspace: packed b, shared; packed a, this thread's */
};
void sluice__matrix_gradient(const struct sluice__kernels *kernels, const struct team *team,
			     const struct gradient_product *product);

/* total[j] (+)= sum over all rows of a[row][j] for j below width, by the threads of the team. */
void sluice__matrix_sum(const struct sluice__kernels *kernels, const struct team *team, size_t count, const float *a,
			size_t a_row, size_t width, bool add, float *total);

/* Floats of the two workspaces of a gradient product. */
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

static inline float *pass_piece(const struct pass *pass, size_t offset)
{
	return sluice__piece(pass->run->workspace, offset);
}

static inline bool pass_runs_backwards(const struct pass *pass, size_t layer, size_t direction)
{
	return pass->prepared->network->layers[layer].reverse || direction == 1;
}

/* Where a tape of one layer and direction lies. */
struct tape {
	float *gates, *h, *c; /* [T,N,4 padded], [T+1,N,padded] twice */
	float *dropped; /* the layer's input after dropout [T,N,padded features of the layer before]; NULL: none */
};

/* layer may be layer_count: only `dropped`, the read-out's input. */
struct tape sluice__pass_tape(const struct pass *pass, size_t layer, size_t direction);

/* h or c of one layer and direction over time, `step` floats a step: step t at time + t * step, and what it was before
 * that step at time + t * step + before. */
struct history {
	float *time;
	ptrdiff_t step, before;
};

static inline float *history_at(const struct history *history, size_t t)
{
	return history->time + (ptrdiff_t)t * history->step;
}

static inline float *history_before(const struct history *history, size_t t)
{
	return history_at(history, t) + history->before;
}

/* slots: T + 1 of them. */
struct history sluice__pass_history(const struct pass *pass, size_t layer, size_t direction, float *slots);

/* The history of h: in the tape, or in the workspace where there is none. */
struct history sluice__pass_h(const struct pass *pass, size_t layer, size_t direction);

/* Rows of a user's array of `width` columns in the plan's layout. */
struct rows sluice__pass_user(const struct pass *pass, const float *at, size_t width);

/* Rows of one segment of a layer's input, after dropout; layer may be layer_count: the read-out. */
struct rows sluice__pass_input(const struct pass *pass, size_t layer, size_t segment);

/* Whether a layer's input is the dropped output of the layer before. */
bool sluice__pass_input_dropped(const struct pass *pass, size_t layer);

/* The memory of a layer's input after dropout: [T,N,padded features of the layer before]. */
float *sluice__pass_dropped(const struct pass *pass, size_t layer);

/* Multiplies rows of units by the dropout mask of a layer's outputs, for the steps first .. last-1: to = mask * from.
 */
void sluice__pass_dropout(const struct pass *pass, size_t layer, size_t direction, struct sluice__range steps,
			  const float *from, size_t from_row, float *to, size_t to_row);

/* The hidden units in some vectors of a row: the first one, how many are real, and the floats of the vectors. */
struct columns {
	size_t first, units, vectors;
};
struct columns sluice__pass_columns(const struct pass *pass, size_t layer, size_t first, size_t last);

/* These columns of h and c [N,padded] from a layer's and direction's part of a state, or zero where there is none. */
void sluice__pass_load(const struct pass *pass, size_t layer, size_t direction, const float *state,
		       struct columns columns, float *h, float *c);

/* Calls work for every direction of a layer: two directions go to two halves of the team where there are two threads,
 * else one after the other. Returns when the whole team has done it. */
typedef void direction_work(struct pass *pass, size_t layer, size_t direction, const struct team *team);
void sluice__pass_directions(struct pass *pass, size_t layer, const struct team *team, direction_work *work);

/* Runs work on the plan's threads, denormals treated as the plan says. */
typedef void pass_work(struct pass *pass, const struct team *team);
void sluice__pass_run(struct pass *pass, int threads, pass_work *work);

/* --- forward.c, backward.c --- */
sluice_status sluice__cpu_forward(const struct sluice__prepared *prepared, const sluice_run *run);
sluice_status sluice__cpu_step(const struct sluice__prepared *prepared, const sluice_run *run);
sluice_status sluice__cpu_backward(const struct sluice__prepared *prepared, const sluice_run *run,
				   const sluice_gradients *gradients);

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
