/*
 * bound_backward.c: carries rounding errors through the backward pass of a step, as EQUATIONS.md has it.
 *
 * What it takes from the forward pass is what the tape holds of it (bound_work.h, "later"). Each row adds its terms to
 * the sums of the parameters' gradients, whose errors are known when all rows are through.
 */
#include "bound_work.h"

#include <string.h>

/* The numbers of one row of one cell: [out] or [H] or [4H] each. */
struct row {
	struct number *dh, *dr, *m;  /* [out]; m is the recurrent input */
	struct number *dq, *de, *dc; /* [H]; dc is that of the state before the step */
	struct number *da;           /* [4H] */
	struct number *q, *e, *s;    /* [H]; s is s_c(e) */
	size_t n, index;
};

static struct row row_of(struct bound_work *work, size_t index, size_t n)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t H = cell->hidden, out = cell->out;
	struct number *next = work->scratch;
	struct row row = {.n = n, .index = index};

	row.dh = next;
	row.dr = next += out;
	row.m = next += out;
	row.dq = next += out;
	row.de = next += H;
	row.dc = next += H;
	row.da = next += H;
	row.q = next += 4 * H;
	row.e = next += H;
	row.s = next + H;
	for (size_t unit = 0; unit < H; unit++) {
		size_t place = n * H + unit;

		row.e[unit] = (struct number){work->trace->e[index][place], work->later.e[index][place]};
		row.q[unit] = (struct number){work->trace->q[index][place], work->later.q[index][place]};
		row.s[unit] = sluice__bound_activation(work, cell, SLUICE__CELL_OUTPUT, unit, row.e[unit], 0);
	}
	for (size_t k = 0; k < out; k++)
		row.m[k] = sluice__bound_recurrent(work, cell, n, k);
	return row;
}

static struct number gate_of(const struct bound_work *work, const struct row *row, int gate, size_t unit)
{
	size_t H = work->network->cells[row->index].hidden, place = row->n * 4 * H + (size_t)gate * H + unit;

	return (struct number){work->trace->gates[row->index][place], work->later.gates[row->index][place]};
}

static struct number argument_of(const struct bound_work *work, const struct row *row, int gate, size_t unit)
{
	size_t H = work->network->cells[row->index].hidden, place = row->n * 4 * H + (size_t)gate * H + unit;

	return (struct number){work->trace->a[row->index][place], work->later.a[row->index][place]};
}

/* A gradient of a state: what comes from the step after and from the layer's output, and what is given besides, in any
 * order. */
static struct number state_gradient(struct number later, struct number output, const double *given, size_t place)
{
	struct sum sum = {0, 0, 0, 0};

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

/* The peephole weight from unit k to a row of the gates, and whether there is one at all. */
static int peephole_of(const struct bound_work *work, const struct sluice__cell *cell, int gate, size_t unit, size_t k,
		       struct number *weight, size_t *place)
{
	size_t H = cell->hidden, row = (size_t)gate * H + unit;
	int full = cell->peephole_kind == SLUICE_PEEPHOLE_FULL;

	if (cell->peephole_kind == SLUICE_PEEPHOLE_NONE || cell->no_peepholes >> gate & 1 ||
	    !sluice__cell_computes(cell, gate) || (!full && k != unit))
		return 0;
	*place = cell->peephole + (full ? row * H + k : row);
	*weight = exact(work->run->parameters[*place]);
	return 1;
}

/* da = dk s'(a), zero for gates that are not computed; a PReLU's slope gets its term. */
static void gate_backward(struct bound_work *work, struct row *row, int gate, size_t unit, struct number d)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	double limit = (double)cell->gate_clip;
	struct number a = argument_of(work, row, gate, unit);

	row->da[(size_t)gate * cell->hidden + unit] = exact(0);
	if (!sluice__cell_computes(cell, gate))
		return;
	row->da[(size_t)gate * cell->hidden + unit] =
		multiply(d, sluice__bound_slope(work, cell, gate, unit, a, limit, gate_of(work, row, gate, unit)));
	if (cell->activations[gate].kind == SLUICE_ACTIVATION_PRELU) {
		a.value = fmin(clipped(a.value, limit), 0);
		a.error = a.value == 0 && argument_of(work, row, gate, unit).value > a.error ? 0 : a.error;
		sum_add(&work->sums[cell->prelu + (size_t)gate * cell->hidden + unit], d, a);
	}
}

/* dh: of the layer's output, of the final state, and what is given of this step's. */
static void emission_backward(struct bound_work *work, struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct sluice__oracle_run_f64 *run = work->run;
	size_t n = row->n, width = work->network->widths[cell->layer + 1];

	for (size_t k = 0; k < cell->out; k++) {
		size_t column = n * width + cell->column + k, place = n * cell->out + k;
		struct number dout = {work->gradients->dinputs[cell->layer + 1][column],
				      work->dinputs[cell->layer + 1][column]};
		double factor = sluice__oracle_dropout_factor_f64(work->network, run, cell, k, 0, n);
		double dh = run->dh ? run->dh[cell->h_state * run->batch + place] : 0;

		row->dh[k] = state_gradient(exact(dh), factor == 1 ? dout : multiply(dout, exact(factor)),
					    run->dh_steps, n * work->network->h_width + cell->h_state + k);
	}
}

/* dc' of the state after the step, likewise. */
static struct number cell_gradient(const struct bound_work *work, const struct row *row, size_t unit)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct sluice__oracle_run_f64 *run = work->run;
	size_t place = cell->c_state * run->batch + row->n * cell->hidden + unit;

	struct number dc = exact(run->dc ? run->dc[place] : 0);

	if (!run->dc_steps)
		return dc;
	return state_gradient(dc, exact(0), run->dc_steps, row->n * work->network->c_width + cell->c_state + unit);
}

/* dr and dq: from h to o s_c(e). */
static void output_backward(struct bound_work *work, struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct sluice__oracle_run_f64 *run = work->run;
	size_t n = row->n, H = cell->hidden;

	for (size_t k = 0; k < cell->out; k++) {
		size_t place = n * cell->out + k;
		double z = sluice__oracle_zoneout_h_factor_f64(run, cell, k, 0, n);
		struct number pq = {work->trace->pq[row->index][place], work->later.pq[row->index][place]};

		row->dr[k] = passed(z, row->dh[k]);
		if (cell->weight_hr != SLUICE__NONE)
			row->dr[k] = cut(row->dr[k], pq, (double)cell->projection_clip);
	}
	for (size_t unit = 0; unit < H; unit++) {
		struct sum dq = {0, 0, 0, 0};

		for (size_t k = 0; k < cell->out && cell->weight_hr != SLUICE__NONE; k++) {
			size_t place = cell->weight_hr + k * H + unit;

			sum_add(&dq, row->dr[k], exact(run->parameters[place]));
			sum_add(&work->sums[place], row->dr[k], row->q[unit]);
		}
		row->dq[unit] = cell->weight_hr != SLUICE__NONE ? sum_number(&dq) : row->dr[unit];
	}
}

/* do and what of de comes from q and from the state after the step. */
static void output_gate_backward(struct bound_work *work, struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct sluice__oracle_run_f64 *run = work->run;

	for (size_t unit = 0; unit < cell->hidden; unit++) {
		double z = sluice__oracle_zoneout_c_factor_f64(run, cell, unit, 0, row->n);
		struct number dc = cell_gradient(work, row, unit);
		struct number ds = multiply(row->dq[unit], gate_of(work, row, SLUICE__O, unit));
		struct number slope =
			sluice__bound_slope(work, cell, SLUICE__CELL_OUTPUT, unit, row->e[unit], 0, row->s[unit]);

		gate_backward(work, row, SLUICE__O, unit, multiply(row->dq[unit], row->s[unit]));
		row->de[unit] = add(multiply(ds, slope), passed(z, dc));
		row->dc[unit] = kept(z, dc);
		if (cell->activations[SLUICE__CELL_OUTPUT].kind == SLUICE_ACTIVATION_PRELU) {
			struct number e = row->e[unit];

			e = (struct number){fmin(e.value, 0), e.value > e.error ? 0 : e.error};
			sum_add(&work->sums[cell->prelu + SLUICE__CELL_OUTPUT * cell->hidden + unit], ds, e);
		}
	}
}

/* Adds V_k^T da_k to d [H] for one gate, in one sum with what d was, and collects dV_k; the peephole saw the new cell
 * or the one before. */
static void peephole_backward(struct bound_work *work, struct row *row, int gate, int new_cell, struct number *d)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	size_t H = cell->hidden, place;
	struct number weight;

	for (size_t k = 0; k < H; k++) {
		struct number c = new_cell ? row->e[k] : exact(sluice__bound_cell_before(work, cell, row->n, k));
		struct sum sum = {0, 0, 0, 0};

		for (size_t unit = 0; unit < H; unit++) {
			struct number da = row->da[(size_t)gate * H + unit];

			if (!peephole_of(work, cell, gate, unit, k, &weight, &place))
				continue;
			if (!sum.count)
				sum_add(&sum, d[k], exact(1));
			sum_add(&sum, da, weight);
			sum_add(&work->sums[place], da, c);
		}
		if (sum.count)
			d[k] = sum_number(&sum);
	}
}

/* dp: de, zeroed where the cell was clipped. From outputs, a clipped cell comes back as the clip in the data type, and
 * so may one that was not clipped but is as near to it as that rounding. */
static struct number update_cut(const struct bound_work *work, const struct row *row, size_t unit)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	size_t place = row->n * cell->hidden + unit;
	struct number p = {work->trace->p[row->index][place], work->later.p[row->index][place]};
	double limit = (double)cell->cell_clip;

	if (limit > 0 && work->storage.tape_mode == SLUICE_TAPE_OUTPUTS) {
		if (fabs(p.value) - limit > work->now.p[row->index][place])
			return exact(0);
		limit = fmin(limit, sluice__storage_round(work->storage.data, limit));
	}
	return cut(row->de[unit], p, limit);
}

/* The gates i f g, and dc of the state before. */
static void update_backward(struct bound_work *work, struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];

	for (size_t unit = 0; unit < cell->hidden; unit++) {
		struct number dp = update_cut(work, row, unit);
		struct number before = exact(sluice__bound_cell_before(work, cell, row->n, unit));
		struct number di = multiply(dp, gate_of(work, row, SLUICE__G, unit)), df = multiply(dp, before);

		if (cell->coupled)
			di = add(di, (struct number){-df.value, df.error});
		gate_backward(work, row, SLUICE__I, unit, di);
		gate_backward(work, row, SLUICE__F, unit, df);
		gate_backward(work, row, SLUICE__G, unit, multiply(dp, gate_of(work, row, SLUICE__I, unit)));
		row->dc[unit] = add(row->dc[unit], multiply(dp, gate_of(work, row, SLUICE__F, unit)));
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
	const struct sluice__oracle_run_f64 *run = work->run;
	struct sum *dm = work->scratch_sums;
	size_t H = cell->hidden, out = cell->out, n = row->n;

	memset(dm, 0, out * sizeof(*dm));
	for (size_t line = 0; line < 4 * H; line++) {
		int gate = (int)(line / H);

		if (!sluice__cell_computes(cell, gate) || cell->no_recurrent_weights >> gate & 1)
			continue;
		for (size_t k = 0; k < out; k++) {
			size_t place = line * out + k;
			double kept_weight = run->training && cell->dropconnect > 0
						     ? sluice__oracle_recurrent_factor_f64(run, cell, line, k)
						     : 1;

			sum_add(&dm[k], row->da[line], work->R[row->index][place]);
			sum_add(&work->sums[cell->weight_hh + place],
				kept_weight == 1 ? row->da[line] : multiply(row->da[line], exact(kept_weight)),
				row->m[k]);
		}
	}
	for (size_t k = 0; k < out; k++) {
		double m = sluice__oracle_mask_factor_f64(work->network, run, cell, k, 0, n);
		double z = sluice__oracle_zoneout_h_factor_f64(run, cell, k, 0, n);
		struct number dh = m == 1 ? sum_number(&dm[k]) : multiply(exact(m), sum_number(&dm[k]));

		if (z != 0)
			dh = add(dh, kept(z, row->dh[k]));
		row->dh[k] = dh;
	}
}

/* What remains is the gradient of the initial state, or of the start. */
static void start_backward(struct bound_work *work, const struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	const struct sluice__oracle_run_f64 *run = work->run;
	size_t h = cell->h_state * run->batch + row->n * cell->out;
	size_t c = cell->c_state * run->batch + row->n * cell->hidden;
	int anew = sluice__oracle_begins_anew_f64(run, cell, 0, row->n);

	for (size_t k = 0; k < cell->out; k++) {
		work->bound->dh0[h + k] = anew ? 0 : row->dh[k].error;
		if (cell->start_h != SLUICE__NONE && (anew || !run->h0))
			sum_add(&work->sums[cell->start_h + k], row->dh[k], exact(1));
	}
	for (size_t unit = 0; unit < cell->hidden; unit++) {
		work->bound->dc0[c + unit] = anew ? 0 : row->dc[unit].error;
		if (cell->start_c != SLUICE__NONE && (anew || !run->c0))
			sum_add(&work->sums[cell->start_c + unit], row->dc[unit], exact(1));
	}
}

/* Through the input: this cell's part of dx, and dW and db; the two cells of a bidirectional layer add up, unless each
 * has columns of its own. */
static void input_backward(struct bound_work *work, const struct row *row)
{
	const struct sluice__cell *cell = &work->network->cells[row->index];
	size_t column = row->n * work->network->widths[cell->layer] + cell->input_column;
	const double *x = work->trace->inputs[cell->layer] + column;
	const double *x_error = work->later.inputs[cell->layer] + column;
	double *dx_error = work->dinputs[cell->layer] + column;
	size_t H = cell->hidden, I = cell->inputs, first = cell->direction * 4 * H;
	struct sum *dx = work->scratch_sums;

	memset(dx, 0, I * sizeof(*dx));
	for (size_t line = 0; line < 4 * H; line++) {
		int gate = (int)(line / H);

		if (!sluice__cell_computes(cell, gate))
			continue;
		if (cell->bias != SLUICE__NONE)
			sum_add(&work->sums[cell->bias + line], row->da[line], exact(1));
		if (cell->input == SLUICE_INPUT_GATES)
			dx_error[first + line] += row->da[line].error;
		if (cell->input == SLUICE_INPUT_IDENTITY)
			sum_add(&dx[line % H], row->da[line], exact(1));
		for (size_t k = 0; k < I && cell->input == SLUICE_INPUT_WEIGHTS; k++) {
			size_t place = cell->weight_ih + line * I + k;

			if (cell->no_input_weights >> gate & 1)
				break;
			sum_add(&dx[k], row->da[line], exact(work->run->parameters[place]));
			sum_add(&work->sums[place], row->da[line], (struct number){x[k], x_error[k]});
		}
	}
	for (size_t k = 0; k < I && cell->input != SLUICE_INPUT_GATES; k++) {
		double total = work->gradients->dinputs[cell->layer][column + k];
		int second = cell->direction == 1 && cell->input_column == 0;

		/* The sum over both directions is rounded once more. */
		dx_error[k] += sum_error(&dx[k]) + (second ? UNIT * fabs(total) : 0);
	}
}

static void readout_backward(struct bound_work *work, size_t n)
{
	const struct sluice__network *network = work->network;
	size_t last = network->layer_count, width = network->widths[last], outputs = network->outputs;

	for (size_t k = 0; k < width; k++) {
		size_t place = n * width + k;
		struct number h = {work->trace->inputs[last][place], work->later.inputs[last][place]};
		struct sum dh = {0, 0, 0, 0};

		for (size_t out = 0; out < outputs; out++) {
			struct number dy = exact(work->run->dy[n * outputs + out]);
			size_t weight = network->readout_weight + out * width + k;

			sum_add(&dh, dy, exact(work->run->parameters[weight]));
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
		for (size_t unit = 0; unit < work->network->cells[index].hidden; unit++)
			row.dc[unit] = cell_gradient(work, &row, unit);
	}
	start_backward(work, &row);
}

/* A row without a step gives its final state's gradients back as they are: no errors. */
void sluice__bound_backward(struct bound_work *work)
{
	const struct sluice__network *network = work->network;
	size_t count = work->run->batch * network->inputs;

	for (size_t n = 0; n < work->run->batch && network->readout && work->run->dy; n++)
		if (sluice__oracle_has_step_f64(work->run, 0, n))
			readout_backward(work, n);
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
