/*
 * oracle_backward.inc.h: "Backward" of EQUATIONS.md, the cell, for one number type, see oracle.inc.h.
 */

/* What the gradients of one step of one row are read from and written to. */
struct step_back {
	const REAL *dout;        /* [out] dL/d(what follows the layer), this cell's columns */
	size_t drop_t;           /* the time that dropout on the way there was drawn for */
	const REAL *dh_given;    /* [out] dL/d(h[t]) of the caller */
	const REAL *dc_given;    /* [H] likewise */
	REAL *dh, *dc;           /* [out], [H] of the state after the step; then of that before it */
	REAL *da;                /* [4H] */
	REAL *dx;                /* [I], added to */
	REAL *dparameters;       /* the whole block, added to */
	REAL *terms;             /* likewise its sums of |terms|, or NULL */
	REAL *dr, *dq, *de, *dp; /* scratch: [out], then [H] each */
};

/* One term of a parameter's gradient. */
static void parameter_add(const struct step_back *b, size_t place, REAL term)
{
	b->dparameters[place] += term;
	if (b->terms)
		b->terms[place] += MATH(fabs)(term);
}

/* dh = du + dh' + dh_given and dc' = dc' + dc_given, which is all that happens to them in a held step. */
static void state_backward(const struct step *s, const struct step_back *b)
{
	const struct sluice__cell *cell = s->cell;

	for (size_t k = 0; k < cell->out; k++)
		b->dh[k] += b->dout[k] * ORACLE_DROPOUT_FACTOR(s->network, s->run, cell, k, b->drop_t, s->n) +
			    b->dh_given[k];
	for (size_t unit = 0; unit < cell->hidden; unit++)
		b->dc[unit] += b->dc_given[unit];
}

/* dr = (1 - z_h) (.) dh, zeroed where |P q| >= projection_clip */
static void emission_backward(const struct step *s, const struct step_back *b)
{
	const struct sluice__cell *cell = s->cell;

	for (size_t k = 0; k < cell->out; k++) {
		b->dr[k] = (1 - ORACLE_ZONEOUT_H_FACTOR(s->run, cell, k, s->t, s->n)) * b->dh[k];
		if (clipped(s->pq[k], cell->projection_clip))
			b->dr[k] = 0;
	}
}

/* dq = P^T dr, dP = sum dr q^T; or dq = dr */
static void projection_backward(const struct step *s, const struct step_back *b)
{
	size_t H = s->cell->hidden, P = s->cell->weight_hr;

	if (P == SLUICE__NONE) {
		memcpy(b->dq, b->dr, H * sizeof(REAL));
		return;
	}
	memset(b->dq, 0, H * sizeof(REAL));
	for (size_t k = 0; k < s->cell->out; k++)
		for (size_t unit = 0; unit < H; unit++) {
			b->dq[unit] += b->dr[k] * s->run->parameters[P + k * H + unit];
			parameter_add(b, P + k * H + unit, b->dr[k] * s->q[unit]);
		}
}

/* Through s(x) at `place`: ds times the slope; and dalpha = ds min(x, 0) of a PReLU. */
static REAL activation_backward(const struct step *s, const struct step_back *b, int place, size_t unit, REAL x,
				REAL ds)
{
	if (s->cell->activations[place].kind == SLUICE_ACTIVATION_PRELU)
		parameter_add(b, s->cell->prelu + (size_t)place * s->cell->hidden + unit, ds * (x < 0 ? x : 0));
	return ds * activate(s, place, unit, x).slope;
}

/* da_k = dk (.) s_k'(a_k), zero where |a_k| >= gate_clip and for a gate without pre-activation */
static void gate_backward(const struct step *s, const struct step_back *b, int gate, size_t unit, REAL dk)
{
	const struct sluice__cell *cell = s->cell;
	size_t row = (size_t)gate * cell->hidden + unit;

	b->da[row] = 0;
	if (!sluice__cell_computes(cell, gate))
		return;
	b->da[row] = activation_backward(s, b, gate, unit, clip(s->a[row], cell->gate_clip), dk);
	if (clipped(s->a[row], cell->gate_clip))
		b->da[row] = 0;
}

/* Adds V_k^T da_k to dseen, and da_k seen^T to dV_k. */
static void peephole_backward(const struct step *s, const struct step_back *b, int gate, const REAL *seen, REAL *dseen)
{
	size_t H = s->cell->hidden;
	const REAL *V = s->run->parameters;

	if (!peeps(s->cell, gate))
		return;
	for (size_t unit = 0; unit < H; unit++) {
		size_t row = (size_t)gate * H + unit, place = s->cell->peephole + row;

		if (s->cell->peephole_kind == SLUICE_PEEPHOLE_DIAGONAL) {
			dseen[unit] += V[place] * b->da[row];
			parameter_add(b, place, b->da[row] * seen[unit]);
			continue;
		}
		place = s->cell->peephole + row * H;
		for (size_t k = 0; k < H; k++) {
			dseen[k] += V[place + k] * b->da[row];
			parameter_add(b, place + k, b->da[row] * seen[k]);
		}
	}
}

/* do = dq (.) s_c(e), da_o;  de = dq (.) o (.) s_c'(e) + (1 - z_c) (.) dc' + V_o^T da_o;  dp, zeroed at the clip */
static void output_backward(const struct step *s, const struct step_back *b)
{
	const struct sluice__cell *cell = s->cell;
	const REAL *o = s->gates + 3 * cell->hidden;

	for (size_t unit = 0; unit < cell->hidden; unit++) {
		REAL s_c = activate(s, SLUICE__CELL_OUTPUT, unit, s->e[unit]).value;
		REAL ds = b->dq[unit] * o[unit];

		gate_backward(s, b, SLUICE__O, unit, b->dq[unit] * s_c);
		b->de[unit] = (1 - ORACLE_ZONEOUT_C_FACTOR(s->run, cell, unit, s->t, s->n)) * b->dc[unit] +
			      activation_backward(s, b, SLUICE__CELL_OUTPUT, unit, s->e[unit], ds);
	}
	if (!cell->peephole_previous)
		peephole_backward(s, b, SLUICE__O, s->e, b->de);
	for (size_t unit = 0; unit < cell->hidden; unit++)
		b->dp[unit] = clipped(s->p[unit], cell->cell_clip) ? 0 : b->de[unit];
}

/* di, df, dg, their da, and dc' = dp (.) f + z_c (.) dc' + sum_k V_k^T da_k */
static void cell_backward(const struct step *s, const struct step_back *b)
{
	const struct sluice__cell *cell = s->cell;
	size_t H = cell->hidden;
	const REAL *i = s->gates, *f = s->gates + H, *g = s->gates + 2 * H;

	for (size_t unit = 0; unit < H; unit++) {
		REAL dp = b->dp[unit], z_c = ORACLE_ZONEOUT_C_FACTOR(s->run, cell, unit, s->t, s->n);
		REAL di = dp * g[unit], df = dp * s->c_before[unit];

		gate_backward(s, b, SLUICE__I, unit, cell->coupled ? di - df : di);
		gate_backward(s, b, SLUICE__F, unit, df);
		gate_backward(s, b, SLUICE__G, unit, dp * i[unit]);
		b->dc[unit] = dp * f[unit] + z_c * b->dc[unit];
	}
	for (int gate = SLUICE__I; gate < SLUICE__O; gate++)
		peephole_backward(s, b, gate, s->c_before, b->dc);
	if (cell->peephole_previous)
		peephole_backward(s, b, SLUICE__O, s->c_before, b->dc);
}

/* X_k(x) of one gate row: dW = da x^T, and its part of dx. */
static void input_backward(const struct step *s, const struct step_back *b, int gate, size_t unit)
{
	const struct sluice__cell *cell = s->cell;
	size_t H = cell->hidden, row = (size_t)gate * H + unit, W = cell->weight_ih + row * cell->inputs;

	switch (cell->input) {
	case SLUICE_INPUT_WEIGHTS:
		for (size_t k = 0; k < cell->inputs && !has(cell->no_input_weights, gate); k++) {
			parameter_add(b, W + k, b->da[row] * s->x[k]);
			b->dx[k] += b->da[row] * s->run->parameters[W + k];
		}
		return;
	case SLUICE_INPUT_IDENTITY:
		b->dx[unit] += b->da[row];
		return;
	case SLUICE_INPUT_GATES:
		b->dx[cell->direction * 4 * H + row] += b->da[row];
		return;
	}
}

/* Through a = b + X(x) + R h~: db, dW, dx, dR = M (.) da h~^T, and dh' = m (.) R^T da + z_h (.) dh */
static void product_backward(const struct step *s, const struct step_back *b)
{
	const struct sluice__cell *cell = s->cell;
	REAL *dmasked = b->dr; /* its former content has been used */

	memset(dmasked, 0, cell->out * sizeof(REAL));
	for (size_t row = 0; row < 4 * cell->hidden; row++) {
		size_t place = row * cell->out;

		if (cell->bias != SLUICE__NONE)
			parameter_add(b, cell->bias + row, b->da[row]);
		input_backward(s, b, (int)(row / cell->hidden), row % cell->hidden);
		for (size_t k = 0; k < cell->out; k++) {
			parameter_add(b, cell->weight_hh + place + k, s->M[place + k] * (b->da[row] * s->masked[k]));
			dmasked[k] += b->da[row] * s->R[place + k];
		}
	}
	for (size_t k = 0; k < cell->out; k++)
		b->dh[k] = dmasked[k] * ORACLE_MASK_FACTOR(s->network, s->run, cell, k, s->t, s->n) +
			   b->dh[k] * ORACLE_ZONEOUT_H_FACTOR(s->run, cell, k, s->t, s->n);
}

/* From dh and dc after the step to those before it. */
static void step_backward(const struct step *s, const struct step_back *b)
{
	mask_forward(s);
	emission_backward(s, b);
	projection_backward(s, b);
	output_backward(s, b);
	cell_backward(s, b);
	product_backward(s, b);
}
