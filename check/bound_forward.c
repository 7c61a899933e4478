/*
 * bound_forward.c: carries rounding errors through the forward pass of a step, and into what backward sees of it.
 */
#include "bound_work.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------- one cell ---- */

/* The peephole's part of a pre-activation: from c', or for the output gate from the new cell. */
static void sum_peephole(const struct bound_work *work, size_t index, int gate, size_t k, struct sum *a)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t row = (size_t)gate * cell->hidden + k % cell->hidden, place = k / cell->hidden;
	const struct bound_product product =
		sluice__bound_memory(work, index, gate == SLUICE__O && !cell->peephole_previous);

	if (cell->no_peepholes >> gate & 1)
		return;
	switch (cell->peephole_kind) {
	case SLUICE_PEEPHOLE_NONE:
		return;
	case SLUICE_PEEPHOLE_DIAGONAL:
		sum_add(a, product.weights[row], product.seen[k]);
		return;
	case SLUICE_PEEPHOLE_FULL:
		sluice__bound_sum(&product, row, place, a);
		return;
	case SLUICE_PEEPHOLE_ELEMENT:
		sum_add(a, product.weights[row * cell->places + place], product.seen[k]);
		return;
	}
}

/* The input's part. */
static void sum_input(const struct bound_work *work, size_t index, int gate, size_t k, struct sum *a)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	const struct bound_product product = sluice__bound_input(work, index);
	size_t H = cell->hidden, row = (size_t)gate * H + k % H, place = k / H;

	switch (cell->input) {
	case SLUICE_INPUT_WEIGHTS:
		if (!(cell->no_input_weights >> gate & 1))
			sluice__bound_sum(&product, row, place, a);
		return;
	case SLUICE_INPUT_IDENTITY:
		sum_add(a, exact(1), product.seen[k]);
		return;
	case SLUICE_INPUT_GATES:
		sum_add(a, exact(1), product.seen[place * cell->inputs + cell->direction * 4 * H + row]);
		return;
	}
}

/* One gate at all places of the row in sight. */
static void gate_forward(const struct bound_work *work, struct bound_view *view, size_t index, size_t n, int gate)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	const struct bound_product recurrent = sluice__bound_recurrent(work, index);
	size_t H = cell->hidden;

	if (!sluice__cell_computes(cell, gate))
		return;
	for (size_t k = 0; k < c_numbers(cell); k++) {
		size_t row = (size_t)gate * H + k % H, at = n * 4 * c_numbers(cell) + gate_at(cell, gate, k);
		struct sum a = {0};
		struct number argument;

		if (cell->bias != SLUICE__NONE)
			sum_add(&a, work->parameters[cell->bias + row], exact(1));
		sum_input(work, index, gate, k, &a);
		if (!(cell->no_recurrent_weights >> gate & 1))
			sluice__bound_sum(&recurrent, row, k / H, &a);
		sum_peephole(work, index, gate, k, &a);
		argument = (struct number){work->trace->a[index][at], sum_error(&a)};
		view->a[index][at] = argument.error;
		view->gates[index][at] =
			sluice__bound_activation(work, cell, gate, k % H, argument, (double)cell->gate_clip).error;
	}
}

/* The gate's value that belongs to number k of c. */
static struct number gate_of(const struct bound_work *work, const struct bound_view *view, size_t index, size_t n,
			     int gate, size_t k)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t at = n * 4 * c_numbers(cell) + gate_at(cell, gate, k);

	return (struct number){work->trace->gates[index][at], view->gates[index][at]};
}

/* f c' + i g, and f = 1 - i of a coupled cell. */
static void update_forward(const struct bound_work *work, struct bound_view *view, size_t index, size_t n, int recouple)
{
	const struct sluice__cell *cell = &work->network->cells[index];

	for (size_t k = 0; k < c_numbers(cell); k++) {
		struct number i = gate_of(work, view, index, n, SLUICE__I, k), f;
		struct number c = exact(sluice__bound_cell_before(work, cell, n, k));
		size_t at = n * c_numbers(cell) + k;

		if (cell->coupled && recouple)
			view->gates[index][n * 4 * c_numbers(cell) + gate_at(cell, SLUICE__F, k)] =
				add(exact(1), (struct number){-i.value, i.error}).error;
		f = gate_of(work, view, index, n, SLUICE__F, k);
		view->p[index][at] =
			add(multiply(f, c), multiply(i, gate_of(work, view, index, n, SLUICE__G, k))).error;
		view->e[index][at] = view->p[index][at];
	}
}

/* P q at number k of h. */
static double projection_error(const struct bound_work *work, const struct bound_view *view, size_t index, size_t n,
			       size_t k)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t H = cell->hidden, first = n * c_numbers(cell) + k / cell->out * H;
	struct sum pq = {0};

	for (size_t unit = 0; unit < H; unit++)
		sum_add(&pq, work->parameters[cell->weight_hr + k % cell->out * H + unit],
			(struct number){work->trace->q[index][first + unit], view->q[index][first + unit]});
	return sum_error(&pq);
}

/* q = o s_c(e), and P q. */
static void output_forward(const struct bound_work *work, struct bound_view *view, size_t index, size_t n)
{
	const struct sluice__cell *cell = &work->network->cells[index];

	for (size_t k = 0; k < c_numbers(cell); k++) {
		size_t at = n * c_numbers(cell) + k;
		struct number e = {work->trace->e[index][at], view->e[index][at]};
		struct number s = sluice__bound_activation(work, cell, SLUICE__CELL_OUTPUT, k % cell->hidden, e, 0);

		view->q[index][at] = multiply(gate_of(work, view, index, n, SLUICE__O, k), s).error;
	}
	for (size_t k = 0; k < h_numbers(cell); k++) {
		size_t at = n * h_numbers(cell) + k;

		view->pq[index][at] = cell->weight_hr != SLUICE__NONE ? projection_error(work, view, index, n, k)
								      : view->q[index][at];
	}
}

/* z old + (1 - z) new; a drawn z of 0 or 1 chooses, but what it chooses may be flushed to zero. */
static struct number zoned(double z, double old, struct number new)
{
	if (z == 0)
		return new;
	if (z == 1)
		return (struct number){old, (double)FLT_MIN};
	return add(multiply(exact(z), exact(old)), multiply(rounded(1 - z, 0), new));
}

/* h after zoneout and its rounding to the data type; a clip moves nothing farther apart. */
static void state_forward(const struct bound_work *work, struct bound_view *view, size_t index, size_t n)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	const struct sluice__oracle_run_f64 *run = work->run;

	for (size_t k = 0; k < h_numbers(cell); k++) {
		size_t at = n * h_numbers(cell) + k;
		double z = sluice__oracle_zoneout_h_factor_f64(run, cell, k, 0, n);
		double old = sluice__bound_h_before(work, cell, n, k);
		struct number r = {work->trace->r[index][at], view->pq[index][at]};

		view->h[index][at] = stored(work->storage.data, zoned(z, old, r)).error;
	}
}

/* All errors of one row of one cell, from those of its inputs. A full peephole of the output gate sees the new cell of
 * other places, too. */
static void row_forward(struct bound_work *work, struct bound_view *view, size_t index, size_t n)
{
	sluice__bound_see(work, view, index, n);
	gate_forward(work, view, index, n, SLUICE__I);
	gate_forward(work, view, index, n, SLUICE__F);
	gate_forward(work, view, index, n, SLUICE__G);
	update_forward(work, view, index, n, 1);
	sluice__bound_see_new(work, view, index, n);
	gate_forward(work, view, index, n, SLUICE__O);
	output_forward(work, view, index, n);
	state_forward(work, view, index, n);
}

/* A held h is h', which is only rounded to the data type where it was not a number of that type. */
static void row_hold(const struct bound_work *work, size_t index, size_t n)
{
	size_t width = h_numbers(&work->network->cells[index]);

	for (size_t at = n * width; at < (n + 1) * width; at++) {
		double h = work->trace->h[index][at];

		work->now.h[index][at] = fabs(sluice__storage_round(work->storage.data, h) - h);
	}
}

/* --------------------------------------------------------------------------------------- what backward sees ---- */

/* An error that grows by the storage of its value. */
static double stored_error(sluice_dtype type, double value, double error)
{
	return stored(type, (struct number){value, error}).error;
}

static void later_gates(struct bound_work *work, size_t index, size_t n, sluice_dtype type)
{
	size_t width = 4 * c_numbers(&work->network->cells[index]);

	for (size_t place = n * width; place < (n + 1) * width; place++) {
		work->later.a[index][place] =
			stored_error(type, work->trace->a[index][place], work->now.a[index][place]);
		work->later.gates[index][place] =
			stored_error(type, work->trace->gates[index][place], work->now.gates[index][place]);
	}
}

/* The cell itself is on the tape in f32, so that only what zoneout hides is computed again from the gates. */
static void later_cells(struct bound_work *work, size_t index, size_t n, sluice_dtype type)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t width = c_numbers(cell);

	for (size_t place = n * width; cell->zoneout_c == 0 && place < (n + 1) * width; place++) {
		work->later.p[index][place] =
			stored_error(type, work->trace->p[index][place], work->now.p[index][place]);
		work->later.e[index][place] =
			stored_error(type, work->trace->e[index][place], work->now.e[index][place]);
	}
}

static void later_h(struct bound_work *work, size_t index, size_t n, sluice_dtype type)
{
	size_t width = h_numbers(&work->network->cells[index]);

	for (size_t place = n * width; place < (n + 1) * width; place++)
		work->later.h[index][place] =
			stored_error(type, work->trace->h[index][place], work->now.h[index][place]);
}

static void row_later(struct bound_work *work, size_t index, size_t n)
{
	struct bound_view *later = &work->later;

	if (!sluice__oracle_computes_step_f64(work->run, 0, n)) {
		later_h(work, index, n,
			work->storage.tape_mode == SLUICE_TAPE_OUTPUTS ? SLUICE_F32 : work->storage.tape);
		return;
	}
	switch (work->storage.tape_mode) {
	case SLUICE_TAPE_FULL:
		later_gates(work, index, n, work->storage.tape);
		update_forward(work, later, index, n, 0);
		later_cells(work, index, n, SLUICE_F32);
		output_forward(work, later, index, n);
		later_h(work, index, n, work->storage.tape);
		break;
	case SLUICE_TAPE_RECOMPUTE:
		row_forward(work, later, index, n);
		later_cells(work, index, n, SLUICE_F32);
		output_forward(work, later, index, n);
		later_h(work, index, n, work->storage.tape);
		break;
	case SLUICE_TAPE_OUTPUTS:
		later_gates(work, index, n, work->storage.data);
		later_cells(work, index, n, work->storage.data);
		output_forward(work, later, index, n);
		state_forward(work, later, index, n);
		break;
	}
}

/* -------------------------------------------------------------------------------------------------- network ---- */

/* What follows the layer reads h through dropout, as a number of the data type. */
static struct number emitted(const struct bound_work *work, double factor, struct number h)
{
	return factor == 1 ? h : stored(work->storage.data, multiply(h, exact(factor)));
}

/* What the layer makes of number k of h, of the other direction, too, if it adds. The cell is then that of direction 1.
 */
static struct number result_of(const struct bound_work *work, const struct bound_view *view, size_t index, size_t n,
			       size_t k)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t place = n * h_numbers(cell) + k;
	struct number h = {work->trace->h[index][place], view->h[index][place]};

	if (cell->combination != SLUICE_ADD)
		return h;
	return stored(work->storage.data,
		      add((struct number){work->trace->h[index - 1][place], view->h[index - 1][place]}, h));
}

/* Backward has it from the h of the tape, or from the tape itself. */
static void row_emit(struct bound_work *work, size_t index, size_t n)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t width = work->network->widths[cell->layer + 1];

	if (cell->combination == SLUICE_ADD && cell->direction == 0)
		return;
	for (size_t k = 0; k < h_numbers(cell); k++) {
		size_t at = (n * cell->places + k / cell->out) * width + cell->column + k % cell->out;
		double factor = sluice__oracle_dropout_factor_f64(work->network, work->run, cell, k, 0, n);
		struct number now = emitted(work, factor, result_of(work, &work->now, index, n, k));
		struct number seen = emitted(work, factor, result_of(work, &work->later, index, n, k));
		double kept = stored(work->storage.tape, now).error;

		work->now.inputs[cell->layer + 1][at] = now.error;
		work->later.inputs[cell->layer + 1][at] = fmax(seen.error, kept);
	}
}

/* c after the step; a held one is c'. */
static struct number cell_after(const struct bound_work *work, size_t index, size_t n, size_t k)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t place = n * c_numbers(cell) + k;
	double old = sluice__bound_cell_before(work, cell, n, k);
	struct number e = {work->trace->e[index][place], work->now.e[index][place]};

	if (!sluice__oracle_computes_step_f64(work->run, 0, n))
		return exact(old);
	return zoned(sluice__oracle_zoneout_c_factor_f64(work->run, cell, k, 0, n), old, e);
}

/* The gates of a held step are zeros, which need no bound. */
static void row_report(struct bound_work *work, size_t index, size_t n)
{
	const struct sluice__network *network = work->network;
	const struct sluice__cell *cell = &network->cells[index];
	struct sluice__bound *bound = work->bound;
	size_t N = work->run->batch, H = c_numbers(cell), out = h_numbers(cell);

	for (size_t k = 0; k < H; k++) {
		struct number c = cell_after(work, index, n, k);

		bound->cn[cell->c_state * N + n * H + k] = c.error;
		bound->c[n * network->c_width + cell->c_state + k] = stored(work->storage.data, c).error;
	}
	for (size_t k = 0; k < out; k++) {
		double error = work->now.h[index][n * out + k];

		bound->hn[cell->h_state * N + n * out + k] = error;
		bound->h[n * network->h_width + cell->h_state + k] = error;
	}
	for (size_t at = 0; at < 4 * H && sluice__oracle_computes_step_f64(work->run, 0, n); at++) {
		struct number gate = {work->trace->gates[index][n * 4 * H + at],
				      work->now.gates[index][n * 4 * H + at]};

		bound->gates[4 * (n * network->c_width + cell->c_state) + at] = stored(work->storage.data, gate).error;
	}
}

/* The read-out at one place of a row, which are counted together. */
static void readout_forward(struct bound_work *work, size_t spot)
{
	const struct sluice__network *network = work->network;
	size_t width = network->widths[network->layer_count];

	for (size_t out = 0; out < network->outputs; out++) {
		struct sum y = {0};

		sum_add(&y, work->parameters[network->readout_bias + out], exact(1));
		for (size_t k = 0; k < width; k++) {
			size_t place = spot * width + k;
			struct number h = {work->trace->inputs[network->layer_count][place],
					   work->now.inputs[network->layer_count][place]};

			sum_add(&y, work->parameters[network->readout_weight + out * width + k], h);
		}
		work->bound->y[spot * network->outputs + out] = stored(work->storage.data, sum_number(&y)).error;
	}
}

/* y, or y and y_reverse, of a network without read-out. */
static void results_forward(struct bound_work *work, size_t spot)
{
	const struct sluice__network *network = work->network;
	size_t outputs = network->outputs, bytes = outputs * sizeof(double);
	const double *errors = work->now.inputs[network->layer_count] + spot * network->widths[network->layer_count];

	memcpy(work->bound->y + spot * outputs, errors, bytes);
	if (network->separate)
		memcpy(work->bound->y_reverse + spot * outputs, errors + outputs, bytes);
}

/* A row without a step has no errors. */
void sluice__bound_forward(struct bound_work *work)
{
	const struct sluice__network *network = work->network;
	size_t places = network->images[network->layer_count].places;

	for (size_t index = 0; index < network->cell_count; index++)
		for (size_t n = 0; n < work->run->batch; n++) {
			if (!sluice__oracle_has_step_f64(work->run, 0, n))
				continue;
			if (sluice__oracle_computes_step_f64(work->run, 0, n))
				row_forward(work, &work->now, index, n);
			else
				row_hold(work, index, n);
			row_report(work, index, n);
			if (work->gradients)
				row_later(work, index, n);
			row_emit(work, index, n);
		}
	for (size_t spot = 0; spot < work->run->batch * places; spot++) {
		if (!sluice__oracle_has_step_f64(work->run, 0, spot / places))
			continue;
		if (network->readout)
			readout_forward(work, spot);
		else
			results_forward(work, spot);
	}
}
