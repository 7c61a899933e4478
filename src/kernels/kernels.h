/*
 * kernels.h: the table of kernels that one instruction-set level offers, and what each entry does.
 *
 * Arithmetic is in `real`: float, or double in the build for verification. Panels may be stored as f32, f16 or bf16 and
 * are widened as they are read.
 *
 * Units and padding. A "vector" is `lanes` reals. A "block" of the forward pass is `lanes` hidden units of all four
 * gates: rows of gate values are laid out [block][gate i f g o][lane]. Rows of units (h, c, dh ...) are padded to
 * SLUICE__PAD reals with zeros. Panels (packed weights) are 64-byte aligned; everything else may lie anywhere.
 *
 * Order of summation. Every output is one chain: its start value, then the products in order of k, one fused
 * multiply-add (scalar: multiply, then add) each. No entry may change this: it makes a step equal to the sequence, and
 * a row alone equal to the row in company, bit for bit.
 */
#ifndef SLUICE_KERNELS_KERNELS_H
#define SLUICE_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "kernels/activation.h"

enum {
	SLUICE__PAD = 16,          /* reals; the widest vector of all levels */
	SLUICE__GATES = 4,         /* i f g o */
	SLUICE__PANEL_VECTORS = 4, /* vectors in a full panel */
	SLUICE__OPERANDS = 4,      /* most products that enter the gates */
	SLUICE__SLOPES = 5, /* activations that may have a slope for each unit: the gates' and the cell output's */
};

/* c[r][j] = start + sum_k a[r*a_row + k*a_step] panel[k][j], for j below vectors * lanes. */
struct sluice__gemm {
	size_t rows, vectors, depth;
	const real *a;
	size_t a_row, a_step; /* a_step 1 unless the panel holds reals */
	const void *panel;    /* [depth][vectors * lanes] */
	sluice_dtype type;    /* of the panel */
	real *c;
	size_t c_row;
	const real *bias; /* [vectors * lanes] start value; NULL: zero. Ignored when add */
	bool add;         /* start from c */
};

/* One product that enters the gates of a step: rows of a against the panels of all blocks. */
struct sluice__operand {
	const real *a;
	size_t a_row, depth;
	const void *panels; /* [block][depth][gate][lane] */
	sluice_dtype type;
};

/* How the units of a layer and direction behave, where they are not those of the standard cell. */
struct sluice__cell {
	struct sluice__activation gate[SLUICE__GATES], squash; /* squash: of the cell, s_c of EQUATIONS.md */
	unsigned absent;                                       /* bit k: gate k is the constant one */
	bool coupled;                                          /* f = 1 - i */
	bool previous;                                         /* the output gate's peephole sees c_prev, not c */
	bool split;                /* the output gate waits for a product with all of c: the entry `output` */
	const real *peephole;      /* diagonal: [place][block][gate][lane]; NULL: none */
	size_t places;             /* rows are places of images in turn, and each has peepholes of its own; 1: they
				      have the same */
	size_t peephole_place;     /* reals from one place's to the next one's */
	real gate_clip, cell_clip; /* infinite: none */
};

/* One time step of one layer and direction, for the blocks first .. last-1:
 *   a = start + sum over operands;  i f o = sigmoid(a), g = tanh(a);  c = f c_prev + i g;  h = o tanh(c);
 * or as `cell` says. If the cell is split, h receives a_o, and the output gate is left to `output`. */
struct sluice__step {
	size_t rows, first, last;
	bool descending;   /* the last block first; changes no result */
	const real *start; /* [row][block][gate][lane]; the bias, or the bias plus what was projected before */
	size_t start_row;  /* 0: the same for every row */
	struct sluice__operand operand[SLUICE__OPERANDS];
	size_t operands;
	const struct sluice__cell *cell; /* NULL: the standard cell */
	size_t place;                    /* of the first row, if the cell has places */
	const real *c_prev;
	size_t c_prev_row;
	real *c; /* may be c_prev */
	size_t c_row;
	real *h; /* must not be an operand */
	size_t h_row;
	real *gates; /* activated gates, laid out as start and possibly start itself; NULL: not wanted */
	size_t gates_row;
	real *arguments; /* what the gates were activated from, before clipping, laid out as gates; NULL: not wanted */
};

/* The rest of a split step, for the vectors first .. last-1 of units: o = s_o(a_o), q = o s_c(c). */
struct sluice__output {
	size_t rows, first, last;
	const struct sluice__cell *cell;
	const real *a;
	size_t a_row;
	const real *c;
	size_t c_row;
	real *q; /* may be a */
	size_t q_row;
	real *gates, *arguments; /* as in the step; NULL: not wanted */
	size_t gates_row;
};

enum sluice__cell_parts { SLUICE__CELL_OUTPUT = 1, SLUICE__CELL_REST = 2, SLUICE__CELL_ALL = 3 };

/* The elementwise part of one step backward, for the vectors first .. last-1 of units, dq = dy + dh; row 0 is place 0:
 *   dc += dq o tanh'(c);  da_o = dq tanh(c) o';  da_i = dc g i';  da_f = dc c_prev f';  da_g = dc i g';  dc = dc f;
 * or as `cell` says. The parts of a split cell are called for one after the other: its da_o must reach dc before the
 * rest is known. */
struct sluice__cell_backward {
	size_t rows, first, last;
	const struct sluice__cell *cell; /* NULL: the standard cell */
	enum sluice__cell_parts parts;   /* standard cell: all */
	const real *gates;               /* [row][block][gate][lane] */
	const real *arguments;           /* laid out as gates; NULL where no slope and no clip needs them */
	size_t gates_row;
	const real *c, *c_prev;
	size_t c_row, c_prev_row;
	const real *dy; /* gradient of h from above; NULL: zero */
	size_t dy_row;
	const real *dh; /* gradient of h from the later step */
	size_t dh_row;
	real *dc; /* gradient of c, from the later step on entry, for the earlier one on return */
	size_t dc_row;
	real *da; /* out: [row][gate][unit], gates da_gate reals apart */
	size_t da_row, da_gate;
	/* Sums over rows, added to, [place][gate][unit] and [gate][unit] with da_gate reals between the gates; NULL:
	 * not wanted. */
	real *dpeephole, *dslopes; /* of the diagonal; of PReLUs, the cell output's last */
};

enum {
	SLUICE__WINOGRAD_RESULTS = 4,  /* along a tile's side */
	SLUICE__WINOGRAD_MOST_SIDE = 8 /* of a tile: results + kernel - 1 */
};

/* Which matrix of winograd.h: B^T, A or G. */
enum sluice__winograd { SLUICE__WINOGRAD_IMAGE, SLUICE__WINOGRAD_RESULT, SLUICE__WINOGRAD_KERNEL };

/* A tile into the points of Winograd's convolutions: side x side points, each with `vectors` of channels, from as many
 * places as the matrix has columns. */
struct sluice__expand {
	size_t side; /* 6 or 8 */
	enum sluice__winograd kind;
	size_t vectors;
	const real *from;          /* the image; places outside of it are zeros */
	size_t height, width, row; /* row: reals from place to place */
	ptrdiff_t y, x;            /* the tile's first place */
	real *to;
	size_t to_point; /* reals from point to point */
};

/* Back, by the transpose: start plus so many of the numbers that a tile has. kind: a result or a kernel. */
struct sluice__contract {
	size_t side;
	enum sluice__winograd kind;
	size_t vectors;
	const real *from;
	size_t from_point;
	const real *start; /* laid out as `to`, and may be that; NULL: zero */
	bool start_stays;  /* it is the same for all places */
	real *to;
	size_t width, row;    /* of the image; reals from place to place */
	size_t rows, columns; /* that are inside */
};

/* One optimizer update; see ops.h for the rules. The bias corrections of Adam are computed by the caller. */
struct sluice__update {
	float rate, momentum, decay, beta1, epsilon, weight_decay, gradient_scale;
	float correction1, correction2; /* Adam: 1 - beta1^t, sqrt(1 - beta2^t) */
};

typedef void sluice__update_kernel(const struct sluice__update *update, size_t count, float *parameters,
				   const float *gradients, float *moment0, float *moment1);

/* The functions that the second build names anew. */
#ifdef SLUICE_REAL_F64
#define sluice__level_count SLUICE__REAL_NAME(sluice__level_count)
#define sluice__level_name SLUICE__REAL_NAME(sluice__level_name)
#define sluice__level_available SLUICE__REAL_NAME(sluice__level_available)
#define sluice__kernels_fill SLUICE__REAL_NAME(sluice__kernels_fill)
#endif

struct sluice__kernels {
	const char *level;
	size_t lanes;
	size_t tile_rows; /* rows that gemm and step work on at a time */
	void (*gemm)(const struct sluice__gemm *job);
	/* Cuts count reals into pieces of tile_rows and puts piece j at to + j * tile_stride. */
	void (*tile_row)(size_t count, const real *from, real *to, size_t tile_stride);
	void (*step)(const struct sluice__step *job);
	void (*output)(const struct sluice__output *job);
	void (*cell_backward)(const struct sluice__cell_backward *job);
	void (*expand)(const struct sluice__expand *job);
	void (*contract)(const struct sluice__contract *job);
	/* total[j] (+)= sum_r a[r][j], chain in order of r, for j below vectors * lanes. */
	void (*sum_rows)(size_t rows, size_t vectors, const real *a, size_t a_row, bool add, real *total);
	/* count numbers from storage, to storage (to nearest even), and to storage and back in place. */
	void (*widen)(sluice_dtype type, size_t count, const void *from, real *to);
	void (*narrow)(sluice_dtype type, size_t count, const real *from, void *to);
	void (*round_to)(sluice_dtype type, size_t count, real *x);
	/* The words of `blocks` Philox counters, four each; the first word counts up from one to the next. */
	void (*random)(const uint32_t key[2], const uint32_t counter[4], size_t blocks, uint32_t *out);
	/* One activation, and its slope at x or from its value y, of whole vectors of units; for tests. */
	void (*activate)(const struct sluice__activation *activation, size_t vectors, const real *x, const real *y,
			 real *out);
	void (*activate_slope)(const struct sluice__activation *activation, size_t vectors, const real *x,
			       const real *y, real *out);
#ifndef SLUICE_REAL_F64
	/* p = softmax(scale * logits) of one row of count values, p may be logits. Sets the highest scaled logit and
	 * returns sum_k e^(scale logits[k] - highest). */
	double (*softmax)(size_t count, float scale, const float *logits, float *p, float *highest);
	double (*sum_squares)(size_t count, const float *x);
	void (*scale)(size_t count, float factor, float *x);
	sluice__update_kernel *update[3]; /* by sluice_optimizer_kind */
#endif
};

/* Levels that are built in, ascending. */
size_t sluice__level_count(void);
const char *sluice__level_name(size_t level);
bool sluice__level_available(size_t level);

/* The table of a level: the scalar one, overridden by each level up to this one. */
void sluice__kernels_fill(size_t level, struct sluice__kernels *kernels);

#endif
