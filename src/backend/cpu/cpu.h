/* cpu.h: a plan of the CPU backend: its packed weights, its memory maps, and what makes and runs it. */
#ifndef SLUICE_BACKEND_CPU_CPU_H
#define SLUICE_BACKEND_CPU_CPU_H

#include "backend/backend.h"
#include "backend/cpu/names.h"
#include "base/dtype.h"
#include "kernels/kernels.h"

enum { MOST_SEGMENTS = 2, MOST_DIRECTIONS = 2, MOST_RESULTS = 2 };

/* Part of a layer's input: the user's x, or one direction of the layer before. Here and below, offsets of packed
 * weights are bytes into the packed block; "panels" are stored as the plan's weights, everything else as reals. */
struct segment {
	size_t width, padded;                /* real columns; columns of its internal buffer */
	size_t first;                        /* column of the layer's whole input */
	size_t forward[MOST_DIRECTIONS];     /* panels [block][width][gate][lane] */
	size_t backward[MOST_DIRECTIONS];    /* panels of the transpose: [panel][4 span][vectors][lane] */
	size_t points_back[MOST_DIRECTIONS]; /* of kernels turned round: [panel][point][4 span][vectors][lane] */
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
	size_t points;          /* of kernels by tiles, reals: [block][point][depth][gate][lane] */
	size_t points_back;     /* [panel][point][4 span][vectors][lane] */
	struct sluice__cell cell;
};

/* A window's taps, and where its tables lie in the packed block: for every place and tap the place that the tap reads
 * there, or NOWHERE; forward [places][taps], and backward the other way round [places before][taps]. */
enum { NOWHERE = -1 };
struct taps {
	size_t taps, forward, backward;
};

struct packed_layer {
	const sluice_layer *options;
	bool images;
	size_t places, places_before; /* of an image of h, and of what the layer reads; 1 and 1 without images */
	struct taps input, recurrent, memory;
	size_t side;          /* of the tiles that h is convolved by; 0: it is gathered */
	bool points_of_input; /* x is convolved with it */
	size_t hidden, padded, directions;
	size_t blocks, span;                 /* vectors that hold the hidden units, and their elements */
	size_t panels;                       /* full or partial panels over the hidden units */
	size_t out, out_padded, out_vectors; /* the same of h, which a projection makes narrower or wider */
	size_t results;                      /* arrays of h that it puts out, side by side */
	bool reads_separate;                 /* each direction reads the result of its own of the layer before */
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
	size_t order, lengths, active, packed, cuts[2], holds, shown, cells; /* see schedule.c */
	size_t x, y[MOST_RESULTS];         /* the caller's arrays in reals, where they cannot be used as they lie */
	size_t gates[MOST_DIRECTIONS];     /* [T,N,4 padded] */
	size_t arguments[MOST_DIRECTIONS]; /* [T,N,4 padded] */
	size_t h[2][MOST_DIRECTIONS];      /* [T+1,N,out], layers take turns */
	size_t c[MOST_DIRECTIONS];         /* [N,padded]; [T+1,N,padded] where there is no tape to come */
	size_t made;                       /* [T,N,features] */
	size_t last;                       /* [N,features] */
	size_t cut_h[MOST_DIRECTIONS], cut_c[MOST_DIRECTIONS];   /* [N,out], [N,padded]: before a step with cuts */
	size_t mask[MOST_DIRECTIONS];                            /* [N,out] */
	size_t masked[MOST_DIRECTIONS];                          /* [N,out] */
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
	size_t dc_kept[MOST_DIRECTIONS], carry[MOST_DIRECTIONS];     /* [N,padded], [N,out]: what zoneout hands on */
	size_t held_h[MOST_DIRECTIONS], held_c[MOST_DIRECTIONS];     /* [N,out], [N,padded]: what held rows hand on */
	size_t dstart_h[MOST_DIRECTIONS], dstart_c[MOST_DIRECTIONS]; /* [out], [padded] */
	size_t qs[MOST_DIRECTIONS];                                  /* [T,N,padded] */
	size_t fresh_cs[MOST_DIRECTIONS];                            /* [T,N,padded]: e of all steps */
	size_t masked_h[MOST_DIRECTIONS];                            /* [T,N,out] */
	size_t sums[MOST_DIRECTIONS];         /* [4 places + 5, span]: gradients of diagonals and slopes */
	size_t thinned_back[MOST_DIRECTIONS]; /* R transposed with DropConnect's mask */
	size_t drecurrent[MOST_DIRECTIONS];   /* [4H,out]: dR before DropConnect's mask */
	size_t spare_h[MOST_DIRECTIONS], spare_c[MOST_DIRECTIONS]; /* what a repeated step computes once more */
	size_t dlast;                                              /* [N,directions,out]: of last_only */
	size_t dy[2];                                              /* [T,N,features], layers take turns */
	size_t columns, rows; /* packed operands of a gradient product; rows: one for each thread */
	size_t rows_bytes;
	size_t patches[MOST_DIRECTIONS]; /* what convolutions gather, for each thread */
	size_t patches_bytes;
	size_t dense;                   /* a gradient over all channels, of which groups keep a part */
	size_t points[MOST_DIRECTIONS]; /* of tiles, for each thread */
	size_t points_bytes;
	size_t seen, point_sums; /* of the tiles of gradients */
};

struct cpu_plan {
	struct sluice__kernels kernels;
	int threads;
	size_t layer_count;
	struct packed_layer *layers;
	struct packed_readout readout;
	size_t start; /* one row of state, in reals: learned, or zeros */
	sluice_dtype panel_type;
	size_t panel_bytes; /* of one weight in a panel */
	bool widens_data;   /* the user's data are of another type than real */
	bool images;
	bool restores; /* backward does not find reals of all it needs on the tape */
	void *packed;
	size_t packed_bytes;
	struct workspace_map map;
	char kernels_text[160];
};

/* Places that have gradients of diagonal peepholes of their own. */
static inline size_t places_of_sums(const struct packed_layer *packed)
{
	return packed->options->peephole == SLUICE_PEEPHOLE_ELEMENT ? packed->places : 1;
}

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

/* --- convolution.c: tables of windows --- */
void sluice__convolution_book(struct packed_layer *packed, bool training, struct sluice__ledger *ledger);
void sluice__convolution_fill(struct cpu_plan *plan, const struct sluice__prepared *prepared);

/* Reals of the largest gradient of a layer's matrices over all channels, if its convolutions have groups; else 0. */
size_t sluice__convolution_dense(const struct packed_layer *packed, const struct sluice__layer *layer);

/* --- winograd.c: kernels of 3 x 3 and 5 x 5 by tiles --- */

/* Sets side and points_of_input of a layer. */
void sluice__winograd_choose(struct packed_layer *packed, const struct sluice__layer *layer,
			     const struct sluice__limits *limits);
void sluice__winograd_book(const struct cpu_plan *plan, struct packed_layer *packed, bool training,
			   struct sluice__ledger *ledger);
void sluice__winograd_pack(struct cpu_plan *plan, const struct sluice__layer *layer, const struct packed_layer *packed,
			   size_t direction, bool training, const float *parameters);

/* Reals of a thread's points, of those of a gradient, and of its sums: the most of any layer. */
struct winograd_sizes {
	size_t points, seen, gradient;
};
void sluice__winograd_sizes(const struct cpu_plan *plan, const struct packed_layer *packed,
			    const struct sluice__layer *layer, bool training, struct winograd_sizes *sizes);

/* A convolution gathers so many rows at a time, and of each so many numbers, or those of one tap if these are more. */
enum { CONVOLUTION_ROWS = 256, CONVOLUTION_DEPTH = 512 };

/* --- schedule.c, matrix.c, tape.c: their share of the memory --- */

void sluice__schedule_book(struct workspace_map *map, const struct sluice__limits *limits,
			   struct sluice__ledger *ledger);

/* Reals of the two workspaces of a gradient product. */
size_t sluice__matrix_columns(const struct sluice__kernels *kernels, size_t rows, size_t width);
size_t sluice__matrix_rows(size_t rows);

/* Sizes of the tape of one step and of what does not grow with the steps. */
void sluice__tape_size(struct sluice__prepared *prepared, const struct cpu_plan *plan, bool *overflow);

/* --- forward.c, step.c, backward.c: calls --- */
sluice_status sluice__cpu_forward(const struct sluice__prepared *prepared, const sluice_run *run);
sluice_status sluice__cpu_block(const struct sluice__prepared *prepared, const sluice_run *run);
sluice_status sluice__cpu_step(const struct sluice__prepared *prepared, const sluice_run *run);
sluice_status sluice__cpu_backward(const struct sluice__prepared *prepared, const sluice_run *run,
				   const sluice_gradients *gradients);

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
