/*
 * bound_backward.c: carries rounding errors through the backward pass of a step, as EQUATIONS.md has it.
 *
 * What it takes from the forward pass is what the tape holds of it (bound_work.h, "later"). Each row adds its terms to
 * the sums of the parameters' gradients, whose errors are known when all rows are through.
 */
#include "bound_work.h"

#include <string.h>

/* The numbers of one row of one cell: [out] or [H] or [4H] each, at all places. What the row sees is in sight. */
struct row {
	struct number *dh, *dr;      /* [out] */
	struct number *dq, *de, *dc; /* [H]; dc is that of the state before the step */
	struct number *da;           /* [4H] */
	struct number *q, *s;        /* [H]; s is s_c(e) */
	size_t n, index;
};

static struct row row_of(struct bound_work *work, size_t index, size_t n)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t H = c_numbers(cell), out = h_numbers(cell);
	struct number *next = work->scratch;
	struct row row = {.n = n, .index = index};

	sluice__bound_see(work, &work->later, index, n);
	row.dh = next;
	row.dr = next += out;
	row.dq = next += out;
	row.de = next += H;
	row.dc = next += H;
	row.da = next += H;
	row.q = next += 4 * H;
	row.s = next + H;
	for (size_t k = 0; k < H; k++) {
		size_t place = n * H + k;

		row.q[k] = (struct number){work->trace->q[index][place], work->later.q[index][place]};
		row.s[k] = sluice__bound_activation(work, cell, SLUICE__CELL_OUTPUT, k % cell->hidden, work->sight.e[k],
						    0);
	}
	return row;
}

/* The gate's value that belongs to number k of c, and its argument. */
static struct number gate_of(const struct bound_work *work, const struct row *row, int gate, size_t k)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	size_t place = row->n * 4 * c_numbers(cell) + gate_at(cell, gate, k);

	return (struct number){work->trace->gates[row->index][place], work->later.gates[row->index][place]};
}

static struct number argument_of(const struct bound_work *work, const struct row *row, int gate, size_t k)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	size_t place = row->n * 4 * c_numbers(cell) + gate_at(cell, gate, k);

	return (struct number){work->trace->a[row->index][place], work->later.a[row->index][place]};
}

/* A gradient of a state: what comes from the step after and from the layer's output, and what is given besides, in any
 * order. */
static struct number state_gradient(struct number later, struct number output, const double *given, size_t place)
{
	struct sum sum = {0};

	if (!given)
		return add(later, output);
	sum_add(&sum, later, exact(1));
	sum_add(&sum, output, exact(1));
	sum_add(&sum, exact(given[place]), exact(1));
	return sum_number(&sum);
}

/* Part 1 - z of a gradient; a drawn z of 0 or 1 lets pass or not. */
static struct number passed(double z, struct number d)
{
	return z == 0 ? d : z == 1 ? exact(0) : multiply(rounded(1 - z, 0), d);
}

/* Part z of a gradient. */
static struct number kept(double z, struct number d)
{
	return z == 0 ? exact(0) : z == 1 ? d : multiply(exact(z), d);
}

/* da = dk s'(a), zero for gates that are not computed; a PReLU's slope gets its term. */
static void gate_backward(struct bound_work *work, struct row *row, int gate, size_t k, struct number d)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	size_t at = gate_at(cell, gate, k), unit = k % cell->hidden;
	double limit = (double)cell->gate_clip;
	struct number a = argument_of(work, row, gate, k);

	row->da[at] = exact(0);
	if (!sluice__cell_computes(cell, gate))
		return;
	row->da[at] = multiply(d, sluice__bound_slope(work, cell, gate, unit, a, limit, gate_of(work, row, gate, k)));
	if (cell->activations[gate].kind == SLUICE_ACTIVATION_PRELU) {
		a.value = fmin(clipped(a.value, limit), 0);
		a.error = a.value == 0 && argument_of(work, row, gate, k).value > a.error ? 0 : a.error;
		sum_add(&work->sums[cell->prelu + (size_t)gate * cell->hidden + unit], d, a);
	}
}

/* dh: of the layer's output, of the final state, and what is given of this step's. */
static void emission_backward(struct bound_work *work, struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct sluice__oracle_run_f64 *run = work->run;
	size_t n = row->n, width = work->network->widths[cell->layer + 1];

	for (size_t k = 0; k < h_numbers(cell); k++) {
		size_t column = (n * cell->places + k / cell->out) * width + cell->column + k % cell->out;
		struct number dout = {work->gradients->dinputs[cell->layer + 1][column],
				      work->dinputs[cell->layer + 1][column]};
		double factor = sluice__oracle_dropout_factor_f64(work->network, run, cell, k, 0, n);
		double dh = run->dh ? run->dh[cell->h_state * run->batch + n * h_numbers(cell) + k] : 0;

		row->dh[k] = state_gradient(exact(dh), factor == 1 ? dout : multiply(dout, exact(factor)),
					    run->dh_steps, n * work->network->h_width + cell->h_state + k);
	}
}

/* dc' of the state after the step, likewise. */
static struct number cell_gradient(const struct bound_work *work, const struct row *row, size_t k)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct sluice__oracle_run_f64 *run = work->run;
	size_t place = cell->c_state * run->batch + row->n * c_numbers(cell) + k;

	struct number dc = exact(run->dc ? run->dc[place] : 0);

	if (!run->dc_steps)
		return dc;
	return state_gradient(dc, exact(0), run->dc_steps, row->n * work->network->c_width + cell->c_state + k);
}

/* dq = P^T dr at number k of c. */
static struct number projection_backward(struct bound_work *work, const struct row *row, size_t k)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	size_t H = cell->hidden, first = k / H * cell->out;
	struct sum dq = {0};

	for (size_t j = 0; j < cell->out; j++) {
		size_t place = cell->weight_hr + j * H + k % H;

		sum_add(&dq, row->dr[first + j], work->parameters[place]);
		sum_add(&work->sums[place], row->dr[first + j], row->q[k]);
	}
	return sum_number(&dq);
}

/* dr and dq: from h to o s_c(e). */
static void output_backward(struct bound_work *work, struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	int projects = cell->weight_hr != SLUICE__NONE;
	size_t n = row->n;

	for (size_t k = 0; k < h_numbers(cell); k++) {
		size_t place = n * h_numbers(cell) + k;
		double z = sluice__oracle_zoneout_h_factor_f64(work->run, cell, k, 0, n);
		struct number pq = {work->trace->pq[row->index][place], work->later.pq[row->index][place]};

		row->dr[k] = passed(z, row->dh[k]);
		if (projects)
			row->dr[k] = cut(row->dr[k], pq, (double)cell->projection_clip);
	}
	for (size_t k = 0; k < c_numbers(cell); k++)
		row->dq[k] = projects ? projection_backward(work, row, k) : row->dr[k];
}

/* do and what of de comes from q and from the state after the step. */
static void output_gate_backward(struct bound_work *work, struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct sluice__oracle_run_f64 *run = work->run;

	for (size_t k = 0; k < c_numbers(cell); k++) {
		size_t unit = k % cell->hidden;
		double z = sluice__oracle_zoneout_c_factor_f64(run, cell, k, 0, row->n);
		struct number dc = cell_gradient(work, row, k), e = work->sight.e[k];
		struct number ds = multiply(row->dq[k], gate_of(work, row, SLUICE__O, k));
		struct number slope = sluice__bound_slope(work, cell, SLUICE__CELL_OUTPUT, unit, e, 0, row->s[k]);

		gate_backward(work, row, SLUICE__O, k, multiply(row->dq[k], row->s[k]));
		row->de[k] = add(multiply(ds, slope), passed(z, dc));
		row->dc[k] = kept(z, dc);
		if (cell->activations[SLUICE__CELL_OUTPUT].kind == SLUICE_ACTIVATION_PRELU) {
			e = (struct number){fmin(e.value, 0), e.value > e.error ? 0 : e.error};
			sum_add(&work->sums[cell->prelu + SLUICE__CELL_OUTPUT * cell->hidden + unit], ds, e);
		}
	}
}

/* V_k^T da_k of one gate to `sums` [H], and dV_k. */
static void peephole_sums(struct bound_work *work, const struct row *row, int gate, int new_cell, struct sum *sums)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct bound_product product = sluice__bound_memory(work, row->index, new_cell);
	struct sum *dV = work->sums + cell->peephole;

	for (size_t k = 0; k < c_numbers(cell); k++) {
		size_t line = (size_t)gate * cell->hidden + k % cell->hidden, place = k / cell->hidden;
		struct number da = row->da[gate_at(cell, gate, k)];

		if (cell->peephole_kind == SLUICE_PEEPHOLE_FULL) {
			sluice__bound_transpose(&product, line, place, da, dV, sums);
			continue;
		}
		if (cell->peephole_kind == SLUICE_PEEPHOLE_ELEMENT)
			line = line * cell->places + place;
		sum_add(&sums[k], da, product.weights[line]);
		sum_add(&dV[line], da, product.seen[k]);
	}
}

/* Adds V_k^T da_k to d [H] for one gate, in one sum with what d was; the peephole saw the new cell or the one before.
 */
static void peephole_backward(struct bound_work *work, const struct row *row, int gate, int new_cell, struct number *d)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	struct sum *sums = work->scratch_sums;

	if (cell->peephole_kind == SLUICE_PEEPHOLE_NONE || cell->no_peepholes >> gate & 1 ||
	    !sluice__cell_computes(cell, gate))
		return;
	memset(sums, 0, c_numbers(cell) * sizeof(*sums));
	peephole_sums(work, row, gate, new_cell, sums);
	for (size_t k = 0; k < c_numbers(cell); k++) {
		if (!sums[k].count)
			continue;
		sum_add(&sums[k], d[k], exact(1));
		d[k] = sum_number(&sums[k]);
	}
}

/* dp: de, zeroed where the cell was clipped. From outputs, a clipped cell comes back as the clip in the data type, and
 * so may one that was not clipped but is as near to it as that rounding. */
static struct number update_cut(const struct bound_work *work, const struct row *row, size_t k)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	size_t place = row->n * c_numbers(cell) + k;
	struct number p = {work->trace->p[row->index][place], work->later.p[row->index][place]};
	double limit = (double)cell->cell_clip;

	if (limit > 0 && work->storage.tape_mode == SLUICE_TAPE_OUTPUTS) {
		if (fabs(p.value) - limit > work->now.p[row->index][place])
			return exact(0);
		limit = fmin(limit, sluice__storage_round(work->storage.data, limit));
	}
	return cut(row->de[k], p, limit);
}

/* The gates i f g, and dc of the state before. */
static void update_backward(struct bound_work *work, struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];

	for (size_t k = 0; k < c_numbers(cell); k++) {
		struct number dp = update_cut(work, row, k);
		struct number di = multiply(dp, gate_of(work, row, SLUICE__G, k));
		struct number df = multiply(dp, work->sight.c[k]);

		if (cell->coupled)
			di = add(di, (struct number){-df.value, df.error});
		gate_backward(work, row, SLUICE__I, k, di);
		gate_backward(work, row, SLUICE__F, k, df);
		gate_backward(work, row, SLUICE__G, k, multiply(dp, gate_of(work, row, SLUICE__I, k)));
		row->dc[k] = add(row->dc[k], multiply(dp, gate_of(work, row, SLUICE__F, k)));
	}
}

static void cell_backward(struct bound_work *work, struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	int new_cell = !cell->peephole_previous;

	output_backward(work, row);
	output_gate_backward(work, row);
	if (new_cell)
		peephole_backward(work, row, SLUICE__O, 1, row->de);
	update_backward(work, row);
	peephole_backward(work, row, SLUICE__I, 0, row->dc);
	peephole_backward(work, row, SLUICE__F, 0, row->dc);
	peephole_backward(work, row, SLUICE__G, 0, row->dc);
	if (!new_cell)
		peephole_backward(work, row, SLUICE__O, 0, row->dc);
}

/* Through R: dh of the state before is m (.) R^T da + z dh, and dR. */
static void recurrent_backward(struct bound_work *work, struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct bound_product product = sluice__bound_recurrent(work, row->index);
	const struct sluice__oracle_run_f64 *run = work->run;
	struct sum *dm = work->scratch_sums;
	size_t n = row->n;

	memset(dm, 0, h_numbers(cell) * sizeof(*dm));
	for (int gate = SLUICE__I; gate <= SLUICE__O; gate++)
		for (size_t k = 0; k < c_numbers(cell); k++)
			if (sluice__cell_computes(cell, gate) && !(cell->no_recurrent_weights >> gate & 1))
				sluice__bound_transpose(&product, (size_t)gate * cell->hidden + k % cell->hidden,
							k / cell->hidden, row->da[gate_at(cell, gate, k)],
							work->sums + cell->weight_hh, dm);
	sluice__bound_tile_back(&product, cell, row->da, work->sums + cell->weight_hh, dm);
	for (size_t k = 0; k < h_numbers(cell); k++) {
		double m = sluice__oracle_mask_factor_f64(work->network, run, cell, k, 0, n);
		double z = sluice__oracle_zoneout_h_factor_f64(run, cell, k, 0, n);
		struct number dh = m == 1 ? sum_number(&dm[k]) : multiply(exact(m), sum_number(&dm[k]));

		if (z != 0)
			dh = add(dh, kept(z, row->dh[k]));
		row->dh[k] = dh;
	}
}

/* What remains is the gradient of the initial state, or of the start, which is the same at all places. */
static void start_backward(struct bound_work *work, const struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct sluice__oracle_run_f64 *run = work->run;
	size_t h = cell->h_state * run->batch + row->n * h_numbers(cell);
	size_t c = cell->c_state * run->batch + row->n * c_numbers(cell);
	int anew = sluice__oracle_begins_anew_f64(run, cell, 0, row->n);

	for (size_t k = 0; k < h_numbers(cell); k++) {
		work->bound->dh0[h + k] = anew ? 0 : row->dh[k].error;
		if (cell->start_h != SLUICE__NONE && (anew || !run->h0))
			sum_add(&work->sums[cell->start_h + k % cell->out], row->dh[k], exact(1));
	}
	for (size_t k = 0; k < c_numbers(cell); k++) {
		work->bound->dc0[c + k] = anew ? 0 : row->dc[k].error;
		if (cell->start_c != SLUICE__NONE && (anew || !run->c0))
			sum_add(&work->sums[cell->start_c + k % cell->hidden], row->dc[k], exact(1));
	}
}

/* What one gate's unit at one place gives to the gradients of W, b and what it sees. */
static void unit_input_backward(struct bound_work *work, const struct row *row, int gate, size_t k, struct sum *dx)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct bound_product product = sluice__bound_input(work, row->index);
	size_t H = cell->hidden, line = (size_t)gate * H + k % H, place = k / H;
	struct number da = row->da[gate_at(cell, gate, k)];

	if (cell->bias != SLUICE__NONE)
		sum_add(&work->sums[cell->bias + line], da, exact(1));
	switch (cell->input) {
	case SLUICE_INPUT_WEIGHTS:
		if (!(cell->no_input_weights >> gate & 1))
			sluice__bound_transpose(&product, line, place, da, work->sums + cell->weight_ih, dx);
		return;
	case SLUICE_INPUT_IDENTITY:
		sum_add(&dx[k], da, exact(1));
		return;
	case SLUICE_INPUT_GATES:
		sum_add(&dx[place * cell->inputs + cell->direction * 4 * H + line], da, exact(1));
		return;
	}
}

/* Through the input: this cell's part of dx, and dW and db; the two cells of a bidirectional layer add up, unless each
 * has columns of its own. */
static void input_backward(struct bound_work *work, const struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct bound_product product = sluice__bound_input(work, row->index);
	size_t I = cell->inputs, width = work->network->widths[cell->layer];
	int second = cell->direction == 1 && cell->input_column == 0 && cell->input != SLUICE_INPUT_GATES;
	struct sum *dx = work->scratch_sums;

	memset(dx, 0, cell->input_places * I * sizeof(*dx));
	for (int gate = SLUICE__I; gate <= SLUICE__O; gate++)
		for (size_t k = 0; k < c_numbers(cell) && sluice__cell_computes(cell, gate); k++)
			unit_input_backward(work, row, gate, k, dx);
	if (cell->input == SLUICE_INPUT_WEIGHTS)
		sluice__bound_tile_back(&product, cell, row->da, work->sums + cell->weight_ih, dx);
	for (size_t k = 0; k < cell->input_places * I; k++) {
		size_t at = (row->n * cell->input_places + k / I) * width + cell->input_column + k % I;
		double error = cell->input == SLUICE_INPUT_GATES ? dx[k].carried : sum_error(&dx[k]);

		/* The sum over both directions is rounded once more. */
		work->dinputs[cell->layer][at] +=
			error + (second ? UNIT * fabs(work->gradients->dinputs[cell->layer][at]) : 0);
	}
}

/* The read-out at one place of a row, which are counted together. */
static void readout_backward(struct bound_work *work, size_t spot)
{
	const struct sluice__network *network = work->network;
	size_t last = network->layer_count, width = network->widths[last], outputs = network->outputs;

	for (size_t k = 0; k < width; k++) {
		size_t place = spot * width + k;
		struct number h = {work->trace->inputs[last][place], work->later.inputs[last][place]};
		struct sum dh = {0};

		for (size_t out = 0; out < outputs; out++) {
			struct number dy = exact(work->run->dy[spot * outputs + out]);
			size_t weight = network->readout_weight + out * width + k;

			sum_add(&dh, dy, work->parameters[weight]);
			sum_add(&work->sums[weight], dy, h);
			if (k == 0)
				sum_add(&work->sums[network->readout_bias + out], dy, exact(1));
		}
		work->dinputs[last][place] = sum_error(&dh);
	}
}

/* One row of one cell; a held one passes its state's gradients on. */
static void row_backward(struct bound_work *work, size_t index, size_t n)
{
	struct row row = row_of(work, index, n);

	emission_backward(work, &row);
	if (sluice__oracle_computes_step_f64(work->run, 0, n)) {
		cell_backward(work, &row);
		recurrent_backward(work, &row);
		input_backward(work, &row);
	} else {
		for (size_t k = 0; k < c_numbers(&work->network->cells[index]); k++)
			row.dc[k] = cell_gradient(work, &row, k);
	}
	start_backward(work, &row);
}

/* A row without a step gives its final state's gradients back as they are: no errors. */
void sluice__bound_backward(struct bound_work *work)
{
	const struct sluice__network *network = work->network;
	size_t count = work->run->batch * network->x_row, places = network->images[network->layer_count].places;

	for (size_t spot = 0; spot < work->run->batch * places && network->readout && work->run->dy; spot++)
		if (sluice__oracle_has_step_f64(work->run, 0, spot / places))
			readout_backward(work, spot);
	for (size_t index = network->cell_count; index-- > 0;)
		for (size_t n = 0; n < work->run->batch; n++)
			if (sluice__oracle_has_step_f64(work->run, 0, n))
				row_backward(work, index, n);
	for (size_t k = 0; k < network->parameter_count; k++)
		work->bound->dparameters[k] = sum_error(&work->sums[k]);
	for (size_t k = 0; k < count; k++)
		work->bound->dx[k] =
			stored(work->storage.data, (struct number){work->gradients->dx[k], work->dinputs[0][k]}).error;
}
