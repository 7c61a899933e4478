/*
 * oracle_api.inc.h: the oracle's interface for one number type; set REAL and ORACLE(name), then include.
 */

/* What goes in. All arrays are time-major; states hold [N,H] for each cell as network.h says. NULL states and incoming
 * gradients are zeros. */
struct ORACLE_RUN {
	size_t steps, batch;
	const REAL *parameters, *x, *h0, *c0;
	int training; /* 1: dropout is active */
	uint64_t seed, step_offset;
	const uint64_t *sequence_ids; /* NULL: 0 .. N-1 */
	const REAL *dy, *dh, *dc;     /* backward only */
};

/* Everything a forward pass computes. */
struct ORACLE_TRACE {
	REAL **inputs; /* [layer_count + 1] what layer l reads [T,N,width], after dropout; the last one feeds y */
	REAL **gates;  /* [cell_count] i f g o after activation [T,N,4H] */
	REAL **c, **h; /* [cell_count] after the step [T,N,H] */
	REAL *y;       /* [T,N,outputs] */
	REAL *hn, *cn; /* final states */
	void *block;
};

/* Everything a backward pass computes. */
struct ORACLE_GRADIENTS {
	REAL *dx, *dparameters, *dh0, *dc0;
	REAL **dinputs; /* [layer_count + 1] dL/d(what layer l reads) */
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

/* One step of one cell for one row: x [I], h and c [H] before the step; gates [4H], c_out and h_out [H] after it. terms
 * [4H], if not NULL, receives the sum of |terms| of each pre-activation. */
void ORACLE_STEP(const struct sluice__cell *cell, const REAL *parameters, const REAL *x, const REAL *h, const REAL *c,
		 REAL *gates, REAL *c_out, REAL *h_out, REAL *terms);
