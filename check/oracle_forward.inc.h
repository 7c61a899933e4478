/*
 * oracle_forward.inc.h: "Cell, forward" of EQUATIONS.md for one number type, see oracle.inc.h.
 */

/* One step of one row of a cell: what it reads and what it writes, one row of each array. */
struct step {
	const struct sluice__network *network;
	const struct sluice__cell *cell;
	const struct ORACLE_RUN *run;
	const REAL *R, *M; /* [4H,out] R (.) M, and M: DropConnect, zeros in absent blocks */
	size_t t, n;       /* time and row */
	const REAL *x, *h_before, *c_before;
	REAL *masked;            /* h~ = m (.) h_before */
	REAL *a, *terms, *gates; /* terms may be NULL */
	REAL *p, *e, *q, *pq, *r, *c, *h;
};

/* A sum and the sum of its |terms|. */
struct sum {
	REAL value, terms;
};

static void sum_add(struct sum *sum, REAL term)
{
	sum->value += term;
	sum->terms += MATH(fabs)(term);
}

static void sum_product(struct sum *sum, const REAL *left, const REAL *right, size_t count)
{
	for (size_t k = 0; k < count; k++)
		sum_add(sum, left[k] * right[k]);
}

static REAL clip(REAL value, float limit)
{
	REAL k = (REAL)limit;

	if (k == 0)
		return value;
	return value > k ? k : value < -k ? -k : value;
}

/* Whether a clip holds a value back, so that its gradient is zero. */
static int clipped(REAL value, float limit)
{
	return limit != 0 && MATH(fabs)(value) >= (REAL)limit;
}

static int has(unsigned gates, int gate)
{
	return (gates >> gate & 1) != 0;
}

/* ------------------------------------------------------------------------------------------------- factors ---- */

static uint64_t sequence_of(const struct ORACLE_RUN *run, size_t n)
{
	return run->sequence_ids ? run->sequence_ids[n] : n;
}

REAL ORACLE_DROPOUT_FACTOR(const struct sluice__network *network, const struct ORACLE_RUN *run,
			   const struct sluice__cell *cell, size_t unit, size_t t, size_t n)
{
	float p = network->dropouts[cell->layer];
	size_t direction = cell->combination == SLUICE_ADD ? 0 : cell->direction;

	if (!run->training || p == 0)
		return 1;
	return (REAL)sluice__oracle_dropout(p, run->seed, cell->layer, direction, unit, run->step_offset + t,
					    sequence_of(run, n));
}

/* The caller's part of the recurrent mask. */
static REAL mask_given(const struct sluice__network *network, const struct ORACLE_RUN *run,
		       const struct sluice__cell *cell, size_t unit, size_t t, size_t n)
{
	size_t row = 0;

	if (!run->mask)
		return 1;
	if (run->mask_shape == SLUICE_MASK_SEQUENCE)
		row = n;
	if (run->mask_shape == SLUICE_MASK_STEP)
		row = t * run->batch + n;
	return run->mask[row * network->h_width + cell->h_state + unit];
}

REAL ORACLE_MASK_FACTOR(const struct sluice__network *network, const struct ORACLE_RUN *run,
			const struct sluice__cell *cell, size_t unit, size_t t, size_t n)
{
	REAL given = mask_given(network, run, cell, unit, t, n);
	float p = cell->recurrent_dropout;

	if (!run->training || p == 0)
		return given;
	return given * (REAL)sluice__oracle_recurrent_dropout(p, cell->recurrent_dropout_shape, run->seed, cell->layer,
							      cell->direction, unit, run->step_offset + t,
							      sequence_of(run, n));
}

REAL ORACLE_ZONEOUT_H_FACTOR(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t unit, size_t t,
			     size_t n)
{
	float p = cell->zoneout_h;

	if (!run->training || p == 0)
		return (REAL)p;
	return (REAL)sluice__oracle_zoneout_h(p, run->seed, cell->layer, cell->direction, unit, run->step_offset + t,
					      sequence_of(run, n));
}

REAL ORACLE_ZONEOUT_C_FACTOR(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t unit, size_t t,
			     size_t n)
{
	float p = cell->zoneout_c;

	if (!run->training || p == 0)
		return (REAL)p;
	return (REAL)sluice__oracle_zoneout_c(p, run->seed, cell->layer, cell->direction, unit, run->step_offset + t,
					      sequence_of(run, n));
}

REAL ORACLE_RECURRENT_FACTOR(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t row, size_t column)
{
	float p = cell->dropconnect;

	if (has(cell->no_recurrent_weights, (int)(row / cell->hidden)))
		return 0;
	if (!run->training || p == 0)
		return 1;
	return (REAL)sluice__oracle_dropconnect(p, run->seed, cell->layer, cell->direction, row, column);
}

/* R (.) M and M of a cell, [4H,out] each. */
static void recurrent_make(const struct ORACLE_RUN *run, const struct sluice__cell *cell, REAL *R, REAL *M)
{
	const REAL *weights = run->parameters + cell->weight_hh;

	for (size_t row = 0; row < 4 * cell->hidden; row++)
		for (size_t k = 0; k < cell->out; k++) {
			size_t place = row * cell->out + k;

			M[place] = ORACLE_RECURRENT_FACTOR(run, cell, row, k);
			R[place] = M[place] == 0 ? 0 : weights[place] * M[place];
		}
}

/* --------------------------------------------------------------------------------------------------- gates ---- */

/* X_k(x) of one gate row. */
static void input_add(const struct step *s, int gate, size_t unit, struct sum *a)
{
	const struct sluice__cell *cell = s->cell;
	size_t H = cell->hidden, row = (size_t)gate * H + unit;

	switch (cell->input) {
	case SLUICE_INPUT_WEIGHTS:
		if (!has(cell->no_input_weights, gate))
			sum_product(a, s->run->parameters + cell->weight_ih + row * cell->inputs, s->x, cell->inputs);
		return;
	case SLUICE_INPUT_IDENTITY:
		sum_add(a, s->x[unit]);
		return;
	case SLUICE_INPUT_GATES:
		sum_add(a, s->x[cell->direction * 4 * H + row]);
		return;
	}
}

/* Whether a gate has a block of V. */
static int peeps(const struct sluice__cell *cell, int gate)
{
	return cell->peephole_kind != SLUICE_PEEPHOLE_NONE && !has(cell->no_peepholes, gate);
}

/* V_k seen of one gate row; seen is c_before or e. */
static void peephole_add(const struct step *s, int gate, size_t unit, const REAL *seen, struct sum *a)
{
	size_t H = s->cell->hidden, row = (size_t)gate * H + unit;
	const REAL *V;

	if (!peeps(s->cell, gate))
		return;
	V = s->run->parameters + s->cell->peephole;
	if (s->cell->peephole_kind == SLUICE_PEEPHOLE_DIAGONAL)
		sum_add(a, V[row] * seen[unit]);
	else
		sum_product(a, V + row * H, seen, H);
}

/* a_k = b_k + X_k(x) + R_k h~ + V_k seen, of one unit, in this order. */
static struct sum preactivation(const struct step *s, int gate, size_t unit, const REAL *seen)
{
	const struct sluice__cell *cell = s->cell;
	size_t row = (size_t)gate * cell->hidden + unit;
	struct sum a = {0, 0};

	if (cell->bias != SLUICE__NONE)
		sum_add(&a, s->run->parameters[cell->bias + row]);
	input_add(s, gate, unit, &a);
	if (!has(cell->no_recurrent_weights, gate))
		sum_product(&a, s->R + row * cell->out, s->masked, cell->out);
	peephole_add(s, gate, unit, seen, &a);
	return a;
}

/* The activation at `place` (a gate, or the cell output) of one unit. */
static struct point activate(const struct step *s, int place, size_t unit, REAL x)
{
	const struct sluice__cell *cell = s->cell;
	REAL parameter = 0;
	struct point point;

	if (cell->prelu != SLUICE__NONE)
		parameter = s->run->parameters[cell->prelu + (size_t)place * cell->hidden + unit];
	ORACLE_ACTIVATION(&cell->activations[place], parameter, x, &point.value, &point.slope, &point.terms);
	return point;
}

/* k = s_k(clip(a_k, gate_clip)), or one, or 1 - i. */
static void gate_forward(const struct step *s, int gate, const REAL *seen)
{
	const struct sluice__cell *cell = s->cell;

	for (size_t unit = 0; unit < cell->hidden; unit++) {
		size_t row = (size_t)gate * cell->hidden + unit;
		struct sum a = {0, 0};

		if (sluice__cell_computes(cell, gate)) {
			a = preactivation(s, gate, unit, seen);
			s->gates[row] = activate(s, gate, unit, clip(a.value, cell->gate_clip)).value;
		} else if (has(cell->no_gates, gate)) {
			s->gates[row] = 1;
		} else {
			s->gates[row] = 1 - s->gates[unit];
		}
		s->a[row] = a.value;
		if (s->terms)
			s->terms[row] = a.terms;
	}
}

/* ---------------------------------------------------------------------------------------------------- step ---- */

static void mask_forward(const struct step *s)
{
	for (size_t k = 0; k < s->cell->out; k++)
		s->masked[k] = s->h_before[k] * ORACLE_MASK_FACTOR(s->network, s->run, s->cell, k, s->t, s->n);
}

/* e = clip(f (.) c' + i (.) g, cell_clip) */
static void cell_forward(const struct step *s)
{
	size_t H = s->cell->hidden;
	const REAL *i = s->gates, *f = s->gates + H, *g = s->gates + 2 * H;

	for (size_t unit = 0; unit < H; unit++) {
		s->p[unit] = f[unit] * s->c_before[unit] + i[unit] * g[unit];
		s->e[unit] = clip(s->p[unit], s->cell->cell_clip);
	}
}

/* q = o (.) s_c(e) */
static void output_forward(const struct step *s)
{
	const REAL *o = s->gates + 3 * s->cell->hidden;

	for (size_t unit = 0; unit < s->cell->hidden; unit++)
		s->q[unit] = o[unit] * activate(s, SLUICE__CELL_OUTPUT, unit, s->e[unit]).value;
}

/* r = clip(P q, projection_clip); without projection r is the array q. */
static void projection_forward(const struct step *s)
{
	size_t H = s->cell->hidden;

	if (s->cell->weight_hr == SLUICE__NONE)
		return;
	for (size_t k = 0; k < s->cell->out; k++) {
		struct sum sum = {0, 0};

		sum_product(&sum, s->run->parameters + s->cell->weight_hr + k * H, s->q, H);
		s->pq[k] = sum.value;
		s->r[k] = clip(sum.value, s->cell->projection_clip);
	}
}

/* c[t] = z_c (.) c' + (1 - z_c) (.) e, and h[t] likewise of r, then rounded. */
static void zoneout_forward(const struct step *s)
{
	for (size_t unit = 0; unit < s->cell->hidden; unit++) {
		REAL z = ORACLE_ZONEOUT_C_FACTOR(s->run, s->cell, unit, s->t, s->n);

		s->c[unit] = z * s->c_before[unit] + (1 - z) * s->e[unit];
	}
	for (size_t k = 0; k < s->cell->out; k++) {
		REAL z = ORACLE_ZONEOUT_H_FACTOR(s->run, s->cell, k, s->t, s->n);
		REAL h = z * s->h_before[k] + (1 - z) * s->r[k];

		s->h[k] = (REAL)sluice__oracle_round(s->run->h_type, (double)h);
	}
}

static void step_forward(const struct step *s)
{
	mask_forward(s);
	for (int gate = SLUICE__I; gate < SLUICE__O; gate++)
		gate_forward(s, gate, s->c_before);
	cell_forward(s);
	gate_forward(s, SLUICE__O, s->cell->peephole_previous ? s->c_before : s->e);
	output_forward(s);
	projection_forward(s);
	zoneout_forward(s);
}

/* A held step: h[t] = h', c[t] = c', and nothing else is computed. */
static void hold_forward(const struct step *s)
{
	memcpy(s->c, s->c_before, s->cell->hidden * sizeof(REAL));
	for (size_t k = 0; k < s->cell->out; k++)
		s->h[k] = s->h_before[k];
}
