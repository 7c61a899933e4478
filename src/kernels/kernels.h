/*
 * kernels.h: the table of kernels that one instruction-set level offers, and what each entry does.
 *
 * Units and padding. A "vector" is `lanes` floats. A "block" of the forward pass is `lanes` hidden units of all four
 * gates: rows of gate values are laid out [block][gate i f g o][lane]. Rows of units (h, c, dh ...) are padded to
 * SLUICE__PAD floats with zeros. Panels (packed weights) are 64-byte aligned; everything else may lie anywhere.
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

enum {
	SLUICE__PAD = 16,          /* floats; the widest vector of all levels */
	SLUICE__GATES = 4,         /* i f g o */
	SLUICE__PANEL_VECTORS = 4, /* vectors in a full panel */
};

/* c[r][j] = start + sum_k a[r*a_row + k*a_step] panel[k][j], for j below vectors * lanes. */
struct sluice__gemm {
	size_t rows, vectors, depth;
	const float *a;
	size_t a_row, a_step;
	const float *panel; /* [depth][vectors * lanes] */
	float *c;
	size_t c_row;
	const float *bias; /* [vectors * lanes] start value; NULL: zero. Ignored when add */
	bool add;          /* start from c */
};

/* One product that enters the gates of a step: rows of a against the panels of all blocks. */
struct sluice__operand {
	const float *a;
	size_t a_row, depth;
	const float *panels; /* [block][depth][gate][lane] */
};

/* One time step of one layer and direction, for the blocks first .. last-1:
 *   a = start + sum over operands;  i f o = sigmoid(a), g = tanh(a);  c = f c_prev + i g;  h = o tanh(c). */
struct sluice__step {
	size_t rows, first, last;
	bool descending;    /* the last block first; changes no result */
	const float *start; /* [row][block][gate][lane]; the bias, or the bias plus what was projected before */
	size_t start_row;   /* 0: the same for every row */
	struct sluice__operand operand[3];
	size_t operands;
	const float *c_prev;
	size_t c_prev_row;
	float *c; /* may be c_prev */
	size_t c_row;
	float *h; /* must not be an operand */
	size_t h_row;
	float *gates; /* activated gates, laid out as start and possibly start itself; NULL: not wanted */
	size_t gates_row;
};

/* The elementwise part of one step backward, for the vectors first .. last-1 of units:
 *   dc += dh o tanh'(c);  da_o = dh tanh(c) o';  da_i = dc g i';  da_f = dc c_prev f';  da_g = dc i g';  dc = dc f. */
struct sluice__cell_backward {
	size_t rows, first, last;
	const float *gates; /* [row][block][gate][lane] */
	size_t gates_row;
	const float *c, *c_prev;
	size_t c_row, c_prev_row;
	const float *dy; /* gradient of h from above; NULL: zero */
	size_t dy_row;
	const float *dh; /* gradient of h from the later step */
	size_t dh_row;
	float *dc; /* gradient of c, from the later step on entry, for the earlier one on return */
	size_t dc_row;
	float *da; /* out: [row][gate][unit], gates da_gate floats apart */
	size_t da_row, da_gate;
};

/* One optimizer update; see ops.h for the rules. The bias corrections of Adam are computed by the caller. */
struct sluice__update {
	float rate, momentum, decay, beta1, epsilon, weight_decay, gradient_scale;
	float correction1, correction2; /* Adam: 1 - beta1^t, sqrt(1 - beta2^t) */
};

typedef void sluice__update_kernel(const struct sluice__update *update, size_t count, float *parameters,
				   const float *gradients, float *moment0, float *moment1);

struct sluice__kernels {
	const char *level;
	size_t lanes;
	size_t tile_rows; /* rows that gemm and step work on at a time */
	void (*gemm)(const struct sluice__gemm *job);
	/* Cuts count floats into pieces of tile_rows and puts piece j at to + j * tile_stride. */
	void (*tile_row)(size_t count, const float *from, float *to, size_t tile_stride);
	void (*step)(const struct sluice__step *job);
	void (*cell_backward)(const struct sluice__cell_backward *job);
	/* total[j] (+)= sum_r a[r][j], chain in order of r, for j below vectors * lanes. */
	void (*sum_rows)(size_t rows, size_t vectors, const float *a, size_t a_row, bool add, float *total);
	/* p = softmax(scale * logits) of one row of count values, p may be logits. Sets the highest scaled logit and
	 * returns sum_k e^(scale logits[k] - highest). */
	double (*softmax)(size_t count, float scale, const float *logits, float *p, float *highest);
	double (*sum_squares)(size_t count, const float *x);
	void (*scale)(size_t count, float factor, float *x);
	sluice__update_kernel *update[3]; /* by sluice_optimizer_kind */
	/* Names of the entries' sources, "level/function". */
	const char *gemm_name, *step_name, *cell_backward_name;
};

/* Levels that are built in, ascending. */
size_t sluice__level_count(void);
const char *sluice__level_name(size_t level);
bool sluice__level_available(size_t level);

/* The table of a level: the scalar one, overridden by each level up to this one. */
void sluice__kernels_fill(size_t level, struct sluice__kernels *kernels);

#endif
