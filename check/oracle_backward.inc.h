/*
 * oracle_backward.inc.h: "Backward" of EQUATIONS.md, the cell, for one number type, see oracle.inc.h.
 */

/* What the gradients of one step of one row are read from and written to, of all places. */
struct step_back {
	const REAL *dout;        /* [out] dL/d(what follows the layer), this cell's columns */
	size_t dout_stride;      /* from place to place */
	size_t drop_t;           /* the time that dropout on the way there was drawn for */
	const REAL *dh_given;    /* [out] dL/d(h[t]) of the caller */
	const REAL *dc_given;    /* [H] likewise */
	REAL *dh, *dc;           /* [out], [H] of the state after the step; then of that before it */
	REAL *da;                /* [4H] */
	REAL *dx;                /* [I], added to; the step's x_stride from place to place */
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

	for (size_t k = 0; k < h_numbers(cell); k++)
		b->dh[k] += b->dout[k / cell->out * b->dout_stride + k % cell->out] *
				    ORACLE_DROPOUT_FACTOR(s->network, s->run, cell, k, b->drop_t, s->n) +
			    b->dh_given[k];
	for (size_t k = 0; k < c_numbers(cell); k++)
		b->dc[k] += b->dc_given[k];
}

/* dr = (1 - z_h) (.) dh, zeroed where |P q| >= projection_clip */
static void emission_backward(const struct step *s, const struct step_back *b)
{
	const struct sluice__cell *cell = s->cell;

	for (size_t k = 0; k < h_numbers(cell); k++) {
		b->dr[k] = (1 - ORACLE_ZONEOUT_H_FACTOR(s->run, cell, k, s->t, s->n)) * b->dh[k];
		if (clipped(s->pq[k], cell->projection_clip))
			b->dr[k] = 0;
	}
}

/* dq = P^T dr, dP = sum dr q^T; or dq = dr */
static void projection_backward(const struct step *s, const struct step_back *b)
{
	size_t H = s->cell->hidden, out = s->cell->out, P = s->cell->weight_hr;

	if (P == SLUICE__NONE) {
		memcpy(b->dq, b->dr, c_numbers(s->cell) * sizeof(REAL));
		return;
	}
	memset(b->dq, 0, c_numbers(s->cell) * sizeof(REAL));
	for (size_t k = 0; k < h_numbers(s->cell); k++)
		for (size_t unit = 0; unit < H; unit++) {
			size_t at = P + k % out * H + unit, number = k / out * H + unit;

			b->dq[number] += b->dr[k] * s->run->parameters[at];
			parameter_add(b, at, b->dr[k] * s->q[number]);
		}
}

/* Through s(x) of activation `which`: ds times the slope; and dalpha = ds min(x, 0) of a PReLU. */
static REAL activation_backward(const struct step *s, const struct step_back *b, int which, size_t unit, REAL x,
				REAL ds)
{
	if (s->cell->activations[which].kind == SLUICE_ACTIVATION_PRELU)
		parameter_add(b, s->cell->prelu + (size_t)which * s->cell->hidden + unit, ds * (x < 0 ? x : 0));
	return ds * activate(s, which, unit, x).slope;
}

/* da_k = dk (.) s_k'(a_k) of number k of c, zero where |a_k| >= gate_clip and for a gate without pre-activation */
static void gate_backward(const struct step *s, const struct step_back *b, int gate, size_t k, REAL dk)
{
	const struct sluice__cell *cell = s->cell;
	size_t unit = k % cell->hidden, at = gate_at(cell, k / cell->hidden, gate, unit);

	b->da[at] = 0;
	if (!sluice__cell_computes(cell, gate))
		return;
	b->da[at] = activation_backward(s, b, gate, unit, clip(s->a[at], cell->gate_clip), dk);
	if (clipped(s->a[at], cell->gate_clip))
		b->da[at] = 0;
}

/* A product of a tensor [4H, columns] with an image, and where its gradients go. */
struct product {
	const struct sluice__window *window;
	size_t parameters;   /* where the tensor is in the block */
	const REAL *weights; /* what multiplied the image */
	const REAL *factors; /* M of DropConnect, or NULL */
	struct image image;
	REAL *dimage;     /* added to; the image's stride from place to place */
	int first, last;  /* the gates that have the product, without the next ones */
	unsigned without; /* gates that have it not */
};

/* What a place gives back through one tap to the place that it has seen: W^T da, and dW = da image^T. */
static void tap_backward(const struct step *s, const struct step_back *b, const struct product *product, size_t tap,
			 size_t place, size_t seen)
{
	const struct sluice__window *window = product->window;
	size_t H = s->cell->hidden, columns = sluice__window_columns(window), channels = window->channels;

	for (size_t row = (size_t)product->first * H; row < (size_t)product->last * H + H; row++) {
		size_t number = seen * product->image.stride + sluice__window_channel(window, row % H);
		size_t weight = row * columns + tap * channels;
		REAL da = b->da[place * 4 * H + row];

		for (size_t k = 0; k < channels && !has(product->without, (int)(row / H)); k++) {
			REAL term = da * product->image.numbers[number + k];

			product->dimage[number + k] += da * product->weights[weight + k];
			parameter_add(b, product->parameters + weight + k,
				      product->factors ? product->factors[weight + k] * term : term);
		}
	}
}

/* Through all taps in their order, so that what a place gets back is summed in it. */
static void product_backward(const struct step *s, const struct step_back *b, const struct product *product)
{
	for (size_t tap = 0; tap < sluice__window_taps(product->window); tap++)
		for (size_t place = 0; place < s->cell->places; place++) {
			size_t seen = sluice__window_seen(product->window, place, tap);

			if (seen != SLUICE__NONE)
				tap_backward(s, b, product, tap, place, seen);
		}
}

/* Adds V_k^T da_k to dseen, and da_k seen^T to dV_k, of the gates k from first to last. */
static void peephole_backward(const struct step *s, const struct step_back *b, int first, int last, const REAL *seen,
			      REAL *dseen)
{
	const struct sluice__cell *cell = s->cell;
	size_t H = cell->hidden;

	if (cell->peephole_kind == SLUICE_PEEPHOLE_NONE)
		return;
	if (cell->peephole_kind == SLUICE_PEEPHOLE_FULL) {
		product_backward(s, b,
				 &(struct product){.window = &cell->memory_window,
						   .parameters = cell->peephole,
						   .weights = s->run->parameters + cell->peephole,
						   .image = {seen, H},
						   .dimage = dseen,
						   .first = first,
						   .last = last,
						   .without = cell->no_peepholes});
		return;
	}
	for (int gate = first; gate <= last; gate++)
		for (size_t k = 0; k < c_numbers(cell) && peeps(cell, gate); k++) {
			size_t V = peephole_at(cell, k / H, gate, k % H);
			REAL da = b->da[gate_at(cell, k / H, gate, k % H)];

			dseen[k] += s->run->parameters[V] * da;
			parameter_add(b, V, da * seen[k]);
		}
}

/* do = dq (.) s_c(e), da_o;  de = dq (.) o (.) s_c'(e) + (1 - z_c) (.) dc' + V_o^T da_o;  dp, zeroed at the clip */
static void output_backward(const struct step *s, const struct step_back *b)
{
	const struct sluice__cell *cell = s->cell;

	for (size_t k = 0; k < c_numbers(cell); k++) {
		REAL s_c = activate(s, SLUICE__CELL_OUTPUT, k % cell->hidden, s->e[k]).value;
		REAL ds = b->dq[k] * gate_of(s, SLUICE__O, k);

		gate_backward(s, b, SLUICE__O, k, b->dq[k] * s_c);
		b->de[k] = (1 - ORACLE_ZONEOUT_C_FACTOR(s->run, cell, k, s->t, s->n)) * b->dc[k] +
			   activation_backward(s, b, SLUICE__CELL_OUTPUT, k % cell->hidden, s->e[k], ds);
	}
	if (!cell->peephole_previous)
		peephole_backward(s, b, SLUICE__O, SLUICE__O, s->e, b->de);
	for (size_t k = 0; k < c_numbers(cell); k++)
		b->dp[k] = clipped(s->p[k], cell->cell_clip) ? 0 : b->de[k];
}

/* di, df, dg, their da, and dc' = dp (.) f + z_c (.) dc' + sum_k V_k^T da_k */
static void cell_backward(const struct step *s, const struct step_back *b)
{
	const struct sluice__cell *cell = s->cell;

	for (size_t k = 0; k < c_numbers(cell); k++) {
		REAL dp = b->dp[k], z_c = ORACLE_ZONEOUT_C_FACTOR(s->run, cell, k, s->t, s->n);
		REAL di = dp * gate_of(s, SLUICE__G, k), df = dp * s->c_before[k];

		gate_backward(s, b, SLUICE__I, k, cell->coupled ? di - df : di);
		gate_backward(s, b, SLUICE__F, k, df);
		gate_backward(s, b, SLUICE__G, k, dp * gate_of(s, SLUICE__I, k));
		b->dc[k] = dp * gate_of(s, SLUICE__F, k) + z_c * b->dc[k];
	}
	peephole_backward(s, b, SLUICE__I, cell->peephole_previous ? SLUICE__O : SLUICE__G, s->c_before, b->dc);
}

/* db = sum da, and what X_k(x) gives to dx: W^T da and dW = da x^T, or da itself. */
static void input_backward(const struct step *s, const struct step_back *b)
{
	const struct sluice__cell *cell = s->cell;
	size_t H = cell->hidden;

	if (cell->input == SLUICE_INPUT_WEIGHTS)
		product_backward(s, b,
				 &(struct product){.window = &cell->input_window,
						   .parameters = cell->weight_ih,
						   .weights = s->run->parameters + cell->weight_ih,
						   .image = {s->x, s->x_stride},
						   .dimage = b->dx,
						   .first = SLUICE__I,
						   .last = SLUICE__O,
						   .without = cell->no_input_weights});
	for (size_t at = 0; at < cell->places * 4 * H; at++) {
		size_t row = at % (4 * H);
		REAL *dx = b->dx + at / (4 * H) * s->x_stride;

		if (cell->bias != SLUICE__NONE)
			parameter_add(b, cell->bias + row, b->da[at]);
		if (cell->input == SLUICE_INPUT_IDENTITY)
			dx[row % H] += b->da[at];
		if (cell->input == SLUICE_INPUT_GATES)
			dx[cell->direction * 4 * H + row] += b->da[at];
	}
}

/* dR = M (.) da h~^T, and dh' = m (.) R^T da + z_h (.) dh */
static void recurrent_backward(const struct step *s, const struct step_back *b)
{
	const struct sluice__cell *cell = s->cell;
	REAL *dmasked = b->dr; /* its former content has been used */

	memset(dmasked, 0, h_numbers(cell) * sizeof(REAL));
	product_backward(s, b,
			 &(struct product){.window = &cell->recurrent_window,
					   .parameters = cell->weight_hh,
					   .weights = s->R,
					   .factors = s->M,
					   .image = {s->masked, cell->out},
					   .dimage = dmasked,
					   .first = SLUICE__I,
					   .last = SLUICE__O,
					   .without = cell->no_recurrent_weights});
	for (size_t k = 0; k < h_numbers(cell); k++)
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
	input_backward(s, b);
	recurrent_backward(s, b);
}
