/*
 * oracle_forward.inc.h: "Cell, forward" of EQUATIONS.md for one number type, see oracle.inc.h.
 */

/* One step of one row of a cell: what it reads and what it writes, one row of each array. A row holds all places of an
 * image, one after the other; without images there is one. */
struct step {
	const struct sluice__network *network;
	const struct sluice__cell *cell;
	const struct ORACLE_RUN *run;
	const REAL *R, *M; /* as the tensor of R: R (.) M, and M: DropConnect, zeros in absent blocks */
	size_t t, n;       /* time and row */
	const REAL *x, *h_before, *c_before; /* x_stride numbers from one place of x to the next */
	size_t x_stride;
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

/* An image as windows see it: numbers of all places, `stride` from each to the next. */
struct image {
	const REAL *numbers;
	size_t stride;
};

/* Adds what a unit sees of an image from one place: the taps in their order, in each the channels. */
static void sum_window(struct sum *sum, const struct sluice__window *window, const REAL *weights, struct image image,
		       size_t place, size_t unit)
{
	size_t channels = window->channels;

	for (size_t tap = 0; tap < sluice__window_taps(window); tap++) {
		size_t seen = sluice__window_seen(window, place, tap);

		if (seen == SLUICE__NONE)
			continue;
		sum_product(sum, weights + tap * channels,
			    image.numbers + seen * image.stride + sluice__window_channel(window, unit), channels);
	}
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

/* The unit that random numbers are drawn for, of a number of a row that has so many channels at each place. */
static size_t drawn_unit(size_t number, size_t channels)
{
	return number / channels * ((channels + 3) / 4 * 4) + number % channels;
}

REAL ORACLE_DROPOUT_FACTOR(const struct sluice__network *network, const struct ORACLE_RUN *run,
			   const struct sluice__cell *cell, size_t k, size_t t, size_t n)
{
	float p = network->dropouts[cell->layer];
	size_t direction = cell->combination == SLUICE_ADD ? 0 : cell->direction;

	if (!run->training || p == 0)
		return 1;
	return (REAL)sluice__oracle_dropout(p, run->seed, cell->layer, direction, drawn_unit(k, cell->out),
					    run->step_offset + t, sequence_of(run, n));
}

/* The caller's part of the recurrent mask. */
static REAL mask_given(const struct sluice__network *network, const struct ORACLE_RUN *run,
		       const struct sluice__cell *cell, size_t k, size_t t, size_t n)
{
	size_t row = 0;

	if (!run->mask)
		return 1;
	if (run->mask_shape == SLUICE_MASK_SEQUENCE)
		row = n;
	if (run->mask_shape == SLUICE_MASK_STEP)
		row = t * run->batch + n;
	return run->mask[row * network->h_width + cell->h_state + k];
}

REAL ORACLE_MASK_FACTOR(const struct sluice__network *network, const struct ORACLE_RUN *run,
			const struct sluice__cell *cell, size_t k, size_t t, size_t n)
{
	REAL given = mask_given(network, run, cell, k, t, n);
	float p = cell->recurrent_dropout;

	if (!run->training || p == 0)
		return given;
	return given * (REAL)sluice__oracle_recurrent_dropout(p, cell->recurrent_dropout_shape, run->seed, cell->layer,
							      cell->direction, drawn_unit(k, cell->out),
							      run->step_offset + t, sequence_of(run, n));
}

REAL ORACLE_ZONEOUT_H_FACTOR(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t k, size_t t,
			     size_t n)
{
	float p = cell->zoneout_h;

	if (!run->training || p == 0)
		return (REAL)p;
	return (REAL)sluice__oracle_zoneout_h(p, run->seed, cell->layer, cell->direction, drawn_unit(k, cell->out),
					      run->step_offset + t, sequence_of(run, n));
}

REAL ORACLE_ZONEOUT_C_FACTOR(const struct ORACLE_RUN *run, const struct sluice__cell *cell, size_t k, size_t t,
			     size_t n)
{
	float p = cell->zoneout_c;

	if (!run->training || p == 0)
		return (REAL)p;
	return (REAL)sluice__oracle_zoneout_c(p, run->seed, cell->layer, cell->direction, drawn_unit(k, cell->hidden),
					      run->step_offset + t, sequence_of(run, n));
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

/* R (.) M and M of a cell, as the tensor of R. */
static void recurrent_make(const struct ORACLE_RUN *run, const struct sluice__cell *cell, REAL *R, REAL *M)
{
	const REAL *weights = run->parameters + cell->weight_hh;
	size_t columns = sluice__window_columns(&cell->recurrent_window);

	for (size_t row = 0; row < 4 * cell->hidden; row++)
		for (size_t k = 0; k < columns; k++) {
			size_t at = row * columns + k;

			M[at] = ORACLE_RECURRENT_FACTOR(run, cell, row, k);
			R[at] = M[at] == 0 ? 0 : weights[at] * M[at];
		}
}

/* --------------------------------------------------------------------------------------------------- gates ---- */

/* Where the number of a gate's unit at a place stands in a row of gate values. */
static size_t gate_at(const struct sluice__cell *cell, size_t place, int gate, size_t unit)
{
	return (place * 4 + (size_t)gate) * cell->hidden + unit;
}

/* X_k(x) of one gate's unit at a place. */
static void input_add(const struct step *s, size_t place, int gate, size_t unit, struct sum *a)
{
	const struct sluice__cell *cell = s->cell;
	const struct sluice__window *window = &cell->input_window;
	size_t H = cell->hidden, row = (size_t)gate * H + unit;
	const REAL *x = s->x + place * s->x_stride;

	switch (cell->input) {
	case SLUICE_INPUT_WEIGHTS:
		if (!has(cell->no_input_weights, gate))
			sum_window(a, window,
				   s->run->parameters + cell->weight_ih + row * sluice__window_columns(window),
				   (struct image){s->x, s->x_stride}, place, unit);
		return;
	case SLUICE_INPUT_IDENTITY:
		sum_add(a, x[unit]);
		return;
	case SLUICE_INPUT_GATES:
		sum_add(a, x[cell->direction * 4 * H + row]);
		return;
	}
}

/* Whether a gate has a block of V. */
static int peeps(const struct sluice__cell *cell, int gate)
{
	return cell->peephole_kind != SLUICE_PEEPHOLE_NONE && !has(cell->no_peepholes, gate);
}

/* Where the numbers of V begin that a gate's unit has at a place: one, or those of a window. */
static size_t peephole_at(const struct sluice__cell *cell, size_t place, int gate, size_t unit)
{
	size_t row = (size_t)gate * cell->hidden + unit;

	if (cell->peephole_kind == SLUICE_PEEPHOLE_DIAGONAL)
		return cell->peephole + row;
	if (cell->peephole_kind == SLUICE_PEEPHOLE_ELEMENT)
		return cell->peephole + row * cell->places + place;
	return cell->peephole + row * sluice__window_columns(&cell->memory_window);
}

/* V_k c' or V_o e of one gate's unit at a place. */
static void peephole_add(const struct step *s, size_t place, int gate, size_t unit, const REAL *seen, struct sum *a)
{
	const struct sluice__cell *cell = s->cell;
	const REAL *V;

	if (!peeps(cell, gate))
		return;
	V = s->run->parameters + peephole_at(cell, place, gate, unit);
	if (cell->peephole_kind == SLUICE_PEEPHOLE_FULL)
		sum_window(a, &cell->memory_window, V, (struct image){seen, cell->hidden}, place, unit);
	else
		sum_add(a, *V * seen[place * cell->hidden + unit]);
}

/* a_k = b_k + X_k(x) + R_k h~ + V_k seen, of one unit at a place, in this order. */
static struct sum preactivation(const struct step *s, size_t place, int gate, size_t unit, const REAL *seen)
{
	const struct sluice__cell *cell = s->cell;
	const struct sluice__window *window = &cell->recurrent_window;
	size_t row = (size_t)gate * cell->hidden + unit;
	struct sum a = {0, 0};

	if (cell->bias != SLUICE__NONE)
		sum_add(&a, s->run->parameters[cell->bias + row]);
	input_add(s, place, gate, unit, &a);
	if (!has(cell->no_recurrent_weights, gate))
		sum_window(&a, window, s->R + row * sluice__window_columns(window),
			   (struct image){s->masked, cell->out}, place, unit);
	peephole_add(s, place, gate, unit, seen, &a);
	return a;
}

/* Activation `which` (a gate's, or the cell output's) of one unit. */
static struct point activate(const struct step *s, int which, size_t unit, REAL x)
{
	const struct sluice__cell *cell = s->cell;
	REAL parameter = 0;
	struct point point;

	if (cell->prelu != SLUICE__NONE)
		parameter = s->run->parameters[cell->prelu + (size_t)which * cell->hidden + unit];
	ORACLE_ACTIVATION(&cell->activations[which], parameter, x, &point.value, &point.slope, &point.terms);
	return point;
}

/* k = s_k(clip(a_k, gate_clip)), or one, or 1 - i, of one unit at a place. */
static void unit_forward(const struct step *s, size_t place, int gate, size_t unit, const REAL *seen)
{
	const struct sluice__cell *cell = s->cell;
	size_t at = gate_at(cell, place, gate, unit);
	struct sum a = {0, 0};

	if (sluice__cell_computes(cell, gate)) {
		a = preactivation(s, place, gate, unit, seen);
		s->gates[at] = activate(s, gate, unit, clip(a.value, cell->gate_clip)).value;
	} else if (has(cell->no_gates, gate)) {
		s->gates[at] = 1;
	} else {
		s->gates[at] = 1 - s->gates[gate_at(cell, place, SLUICE__I, unit)];
	}
	s->a[at] = a.value;
	if (s->terms)
		s->terms[at] = a.terms;
}

/* A gate of all units at all places. */
static void gate_forward(const struct step *s, int gate, const REAL *seen)
{
	for (size_t place = 0; place < s->cell->places; place++)
		for (size_t unit = 0; unit < s->cell->hidden; unit++)
			unit_forward(s, place, gate, unit, seen);
}

/* ---------------------------------------------------------------------------------------------------- step ---- */

/* Numbers of h, of c, in a row: at all places. */
static size_t h_numbers(const struct sluice__cell *cell)
{
	return cell->places * cell->out;
}

static size_t c_numbers(const struct sluice__cell *cell)
{
	return cell->places * cell->hidden;
}

static void mask_forward(const struct step *s)
{
	for (size_t k = 0; k < h_numbers(s->cell); k++)
		s->masked[k] = s->h_before[k] * ORACLE_MASK_FACTOR(s->network, s->run, s->cell, k, s->t, s->n);
}

/* A gate's value that belongs to number k of c. */
static REAL gate_of(const struct step *s, int gate, size_t k)
{
	return s->gates[gate_at(s->cell, k / s->cell->hidden, gate, k % s->cell->hidden)];
}

/* e = clip(f (.) c' + i (.) g, cell_clip) */
static void cell_forward(const struct step *s)
{
	for (size_t k = 0; k < c_numbers(s->cell); k++) {
		REAL i = gate_of(s, SLUICE__I, k), f = gate_of(s, SLUICE__F, k), g = gate_of(s, SLUICE__G, k);

		s->p[k] = f * s->c_before[k] + i * g;
		s->e[k] = clip(s->p[k], s->cell->cell_clip);
	}
}

/* q = o (.) s_c(e) */
static void output_forward(const struct step *s)
{
	for (size_t k = 0; k < c_numbers(s->cell); k++)
		s->q[k] =
			gate_of(s, SLUICE__O, k) * activate(s, SLUICE__CELL_OUTPUT, k % s->cell->hidden, s->e[k]).value;
}

/* r = clip(P q, projection_clip) at each place; without projection r is the array q. */
static void projection_forward(const struct step *s)
{
	size_t H = s->cell->hidden, out = s->cell->out;

	if (s->cell->weight_hr == SLUICE__NONE)
		return;
	for (size_t k = 0; k < h_numbers(s->cell); k++) {
		struct sum sum = {0, 0};

		sum_product(&sum, s->run->parameters + s->cell->weight_hr + k % out * H, s->q + k / out * H, H);
		s->pq[k] = sum.value;
		s->r[k] = clip(sum.value, s->cell->projection_clip);
	}
}

/* c[t] = z_c (.) c' + (1 - z_c) (.) e, and h[t] likewise of r, then rounded. */
static void zoneout_forward(const struct step *s)
{
	for (size_t k = 0; k < c_numbers(s->cell); k++) {
		REAL z = ORACLE_ZONEOUT_C_FACTOR(s->run, s->cell, k, s->t, s->n);

		s->c[k] = z * s->c_before[k] + (1 - z) * s->e[k];
	}
	for (size_t k = 0; k < h_numbers(s->cell); k++) {
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
	memcpy(s->c, s->c_before, c_numbers(s->cell) * sizeof(REAL));
	for (size_t k = 0; k < h_numbers(s->cell); k++)
		s->h[k] = s->h_before[k];
}
