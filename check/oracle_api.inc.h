/*
 * oracle_api.inc.h: the oracle's interface for one number type; set REAL and ORACLE(name), then include.
 */

/* What goes in. Of images every width counts all places, [places, channels]: x is [T,N,x_row], y [T,N,y_row], H and out
 * are places times channels, 4H stands for [places,4,H]. All arrays are time-major; h states hold [N,out] and c states
 * [N,H] for each cell as network.h says. NULL states are the start, learned or zeros; NULL incoming gradients are
 * zeros. Nothing is read at steps that a row has not. */
struct ORACLE_RUN {
	size_t steps, batch;
	const REAL *parameters, *x, *h0, *c0; /* x without input weights: gates in the order i f g o */
	int training;                         /* 1: dropout of all kinds is active */
	uint64_t seed, step_offset;
	const uint64_t *sequence_ids; /* NULL: 0 .. N-1 */
	const REAL *mask;             /* [N,S], [S] or [T,N,S], S = h_width; NULL: ones */
	sluice_mask_shape mask_shape;
	int last_only;            /* 1: y and dy are [N,outputs] */
	sluice_dtype h_type;      /* f16, bf16: h is rounded to it after every step; others: it is not */
	int terms;                /* 1: trace and gradients get their sums of |terms| */
	const REAL *dy, *dh, *dc; /* backward only */
	const size_t *lengths;    /* [N]; NULL: all T */
	sluice_padding padding;
	const uint8_t *resets, *holds;   /* [T,N]; NULL: never */
	const REAL *dh_steps, *dc_steps; /* backward only: of h [T,N,h_width] and c [T,N,c_width] of every step, a
					    cell's columns starting at its h_state, c_state */
	const REAL *dy_reverse;          /* backward only: of the second result of a separate last layer */
};

/* Everything a forward pass computes, in the letters of EQUATIONS.md. Arrays of one pointer for each cell hold
 * [T,N,H] where nothing else is said. At steps that a row has not all are zero; in held ones h and c are what they
 * were and all others of the cell zero. */
struct ORACLE_TRACE {
	REAL **inputs;   /* [layer_count + 1] what layer l reads [T,N,width], after dropout; the last one feeds y */
	REAL **a;        /* pre-activations i f g o before their clip [T,N,4H]; 0 for gates that have none */
	REAL **terms;    /* the sum of |terms| of each of them, or NULL */
	REAL **gates;    /* i f g o after activation [T,N,4H]; absent ones are 1 */
	REAL **p;        /* f c' + i g, before the cell's clip */
	REAL **e;        /* the new cell, before zoneout */
	REAL **q;        /* o s_c(e) */
	REAL **pq;       /* P q before its clip [T,N,out]; the array q without projection */
	REAL **r;        /* h before zoneout and rounding [T,N,out]; the array q without projection */
	REAL **c;        /* after the step */
	REAL **h;        /* after the step, rounded [T,N,out] */
	REAL *last;      /* what y is made of if the run is last_only [N,width], else NULL */
	REAL *y;         /* [T,N,outputs], or [N,outputs] */
	REAL *y_reverse; /* likewise, of the second result of a separate last layer, else NULL */
	REAL *hn, *cn;   /* final states */
	void *block;
};

/* Everything a backward pass computes. */
struct ORACLE_GRADIENTS {
	REAL *dx, *dparameters, *dh0, *dc0;
	REAL *terms;    /* the sum of |terms| of each of dparameters, or NULL */
	REAL **dinputs; /* [layer_count + 1] dL/d(what layer l reads); the last one, of what y is made of, is
			   [N,width] if the run is last_only */
	REAL **da;      /* [cell_count] dL/d(pre-activation) [T,N,4H] */
	void *block;
};

/* Runs the network. Errors: OUT_OF_MEMORY. */
sluice_status ORACLE_FORWARD(const struct sluice__network *network, const struct ORACLE_RUN *run,
			     struct ORACLE_TRACE *out);
void ORACLE_TRACE_DESTROY(struct ORACLE_TRACE *trace);

/* All gradients of a run and its trace. Errors: OUT_OF_MEMORY. */
sluice_status ORACLE_BACKWARD(const struct sluice__network *network, const struct ORACLE_RUN *run,
			      const struct ORACLE_TRACE *trace, struct ORACLE_GRADIENTS *out);
void ORACLE_GRADIENTS_DESTROY(struct ORACLE_GRADIENTS *gradients);

/* The value and slope at x of an activation whose kind is not DEFAULT. parameter is the unit's own slope if the kind is
 * PReLU. *terms receives what the rounding errors of a straightforward evaluation are proportional to: |value| where
 * nothing cancels, the magnitudes of what is added and subtracted where something does, and the share of a rounded
 * argument. */
void ORACLE_ACTIVATION(const sluice_activation *activation, REAL parameter, REAL x, REAL *value, REAL *slope,
		       REAL *terms);

/* Whether row n has step t; whether a cell computes it there, which it does not if the step is held; and whether the
 * cell's state before it is the start because of a reset. */
int ORACLE_HAS_STEP(const struct ORACLE_RUN *run, size_t t, size_t n);
int ORACLE_COMPUTES_STEP(const struct ORACLE_RUN *run, size_t t, size_t n);
int ORACLE_BEGINS_ANEW(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t t, size_t n);

/* The random and given factors of number k of a cell's h, or of its c for z_c, at time t in row n, as the run has them:
 * of dropout on the way out of the layer, m, z_h and z_c; k is the unit, of images it counts [places, channels]. And
 * that of DropConnect on an element of R, whose column counts [v,u,channel], 0 in an absent block. */
REAL ORACLE_DROPOUT_FACTOR(const struct sluice__network *network, const struct ORACLE_RUN *run,
			   const struct sluice__cell *cell, size_t k, size_t t, size_t n);
REAL ORACLE_MASK_FACTOR(const struct sluice__network *network, const struct ORACLE_RUN *run,
			const struct sluice__cell *cell, size_t k, size_t t, size_t n);
REAL ORACLE_ZONEOUT_H_FACTOR(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t k, size_t t,
			     size_t n);
REAL ORACLE_ZONEOUT_C_FACTOR(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t k, size_t t,
			     size_t n);
REAL ORACLE_RECURRENT_FACTOR(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t row, size_t column);
