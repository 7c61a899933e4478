/*
 * bound_forward.c: carries rounding errors through the forward pass of a step, and into what backward sees of it.
 */
#include "bound_work.h"

#include <string.h>

#define FLUSHES 4 /* operations of an activation whose results may be flushed to zero: more are never as small */

/* ---------------------------------------------------------------------------------------------- activations ---- */

static void evaluate(const struct bound_work *work, const struct sluice__cell *cell, int which, size_t unit, double x,
		     double limit, double *value, double *slope, double *terms)
{
	double parameter = 0;

	if (cell->activations[which].kind == SLUICE_ACTIVATION_PRELU)
		parameter = work->run->parameters[cell->prelu + (size_t)which * cell->hidden + unit];
	sluice__oracle_activation_f64(&cell->activations[which], parameter, clipped(x, limit), value, slope, terms);
	if (limit > 0 && fabs(x) >= limit)
		*slope = 0;
}

struct number sluice__bound_activation(const struct bound_work *work, const struct sluice__cell *cell, int which,
				       size_t unit, struct number argument, double limit)
{
	double value, below, above, slope, terms, other, error;

	evaluate(work, cell, which, unit, argument.value, limit, &value, &slope, &terms);
	evaluate(work, cell, which, unit, argument.value - argument.error, limit, &below, &slope, &other);
	terms = fmax(terms, other);
	evaluate(work, cell, which, unit, argument.value + argument.error, limit, &above, &slope, &other);
	terms = fmax(terms, other);
	error = fmax(fabs(below - value), fabs(above - value));
	/* A value that jumps goes on from there with slope 1, back to where it jumped in the worst case. */
	if (cell->activations[which].kind == SLUICE_ACTIVATION_HARD_SHRINK ||
	    cell->activations[which].kind == SLUICE_ACTIVATION_THRESHOLD)
		error += argument.error;
	return (struct number){value, error + 8 * UNIT * (terms + error) + FLUSHES * (double)FLT_MIN};
}

/* y (1 - y), or y - y y, whichever the implementation prefers: at most roundings of y y and two of the result. */
static double sigmoid_slope_error(struct number y)
{
	double value = y.value * (1 - y.value);
	double error = fabs(1 - 2 * y.value) * y.error + y.error * y.error;

	return error + UNIT * (y.value * y.value + 2 * fabs(value) + 3 * error) + (double)FLT_MIN;
}

/* 1 - y y, or (1 - y)(1 + y): likewise. */
static double tanh_slope_error(struct number y)
{
	double value = 1 - y.value * y.value;
	double error = 2 * fabs(y.value) * y.error + y.error * y.error;

	return error + UNIT * (y.value * y.value + 3 * fabs(value) + 4 * error);
}

/* The slope's error where it is computed from the value y; 0 for kinds that need the argument. */
static double slope_error_from_value(const sluice_activation *activation, struct number y)
{
	double a = (double)activation->a, b = (double)activation->b;

	switch (activation->kind) {
	case SLUICE_ACTIVATION_SIGMOID:
		return sigmoid_slope_error(y);
	case SLUICE_ACTIVATION_TANH:
		return tanh_slope_error(y);
	case SLUICE_ACTIVATION_RELU:
		return fabs(y.value) <= y.error ? 1 : 0;
	case SLUICE_ACTIVATION_HARD_SIGMOID:
		return fabs(y.value) <= y.error || fabs(1 - y.value) <= y.error ? fabs(a) : 0;
	case SLUICE_ACTIVATION_SCALED_TANH:
		/* a b (1 - t t) with t = y / a; three more roundings of products and of the quotient. */
		y = (struct number){y.value / a, y.error / fabs(a)};
		y.error += 3 * UNIT * fabs(y.value);
		return fabs(a * b) * (tanh_slope_error(y) + 3 * UNIT * (1 - y.value * y.value));
	default:
		return 0;
	}
}

/* What the rounding errors of a slope are proportional to, where that is more than the slope: the parts of a sum, or
 * the sensitivity of a power. */
static double slope_terms(const sluice_activation *activation, double x, double value, double slope, double terms)
{
	switch (activation->kind) {
	case SLUICE_ACTIVATION_GELU:
	case SLUICE_ACTIVATION_GELU_TANH:
	case SLUICE_ACTIVATION_SILU:
	case SLUICE_ACTIVATION_TANH_SHRINK:
		/* Phi + |x| phi, s + |x| s (1 - s), 1 + tanh^2: each is below 2. */
		return 2;
	case SLUICE_ACTIVATION_HARD_SWISH:
		return 2 * fabs((double)activation->a * x) + fabs((double)activation->b);
	case SLUICE_ACTIVATION_ELU:
	case SLUICE_ACTIVATION_SELU:
	case SLUICE_ACTIVATION_CELU:
		/* value + a is as good as a e^x. */
		return fabs(slope) + terms;
	case SLUICE_ACTIVATION_POWER:
	case SLUICE_ACTIVATION_EXPONENTIAL:
		return value != 0 ? fabs(slope) * (1 + terms / fabs(value)) : fabs(slope);
	default:
		return fabs(slope);
	}
}

/* A rounded a x + b inside an activation is an argument that is off by this much; of other kinds a x, or x itself. */
static double inner_rounding(const sluice_activation *activation, double x)
{
	double a = (double)activation->a, b = (double)activation->b;

	switch (activation->kind) {
	case SLUICE_ACTIVATION_HARD_SIGMOID:
	case SLUICE_ACTIVATION_HARD_SWISH:
	case SLUICE_ACTIVATION_POWER:
	case SLUICE_ACTIVATION_EXPONENTIAL:
	case SLUICE_ACTIVATION_LOGARITHM:
		return a != 0 ? 2 * UNIT * (fabs(x) + fabs(b / a)) : 0;
	case SLUICE_ACTIVATION_GELU_TANH:
		return 10 * UNIT * fabs(x);
	default:
		return 2 * UNIT * fabs(x);
	}
}

struct number sluice__bound_slope(const struct bound_work *work, const struct sluice__cell *cell, int which,
				  size_t unit, struct number argument, double limit, struct number value)
{
	const sluice_activation *activation = &cell->activations[which];
	double x = argument.value, reach = argument.error + inner_rounding(activation, x);
	double y, slope, below, above, terms, other, unused, error, from_value;

	evaluate(work, cell, which, unit, x, limit, &y, &slope, &terms);
	evaluate(work, cell, which, unit, x - reach, limit, &unused, &below, &other);
	evaluate(work, cell, which, unit, x + reach, limit, &unused, &above, &other);
	error = fmax(fabs(below - slope), fabs(above - slope));
	if (limit > 0 && fabs(fabs(x) - limit) <= reach) {
		/* Between the ends the slope falls to 0, from what it is where the clip begins. */
		evaluate(work, cell, which, unit, copysign(limit, x), 0, &unused, &below, &other);
		error = fmax(error, fabs(below - slope) + slope_error_from_value(activation, value));
	}
	error += 8 * UNIT * (slope_terms(activation, clipped(x, limit), y, slope, terms) + error);
	error += FLUSHES * (double)FLT_MIN;
	from_value = slope == 0 && limit > 0 ? 0 : slope_error_from_value(activation, value);
	return (struct number){slope, fmax(error, from_value)};
}

/* ------------------------------------------------------------------------------------------------- one cell ---- */

/* One number of a state before the step, whose rows are `width` wide: given, or of the start. */
static double before(const struct bound_work *work, const struct sluice__cell *cell, const double *given, size_t width,
		     size_t start, size_t n, size_t k)
{
	if (given && !sluice__oracle_begins_anew_f64(work->run, cell, 0, n))
		return given[n * width + k];
	return start != SLUICE__NONE ? work->run->parameters[start + k] : 0;
}

double sluice__bound_h_before(const struct bound_work *work, const struct sluice__cell *cell, size_t n, size_t k)
{
	const double *h0 = work->run->h0 ? work->run->h0 + cell->h_state * work->run->batch : NULL;

	return before(work, cell, h0, cell->out, cell->start_h, n, k);
}

double sluice__bound_cell_before(const struct bound_work *work, const struct sluice__cell *cell, size_t n, size_t k)
{
	const double *c0 = work->run->c0 ? work->run->c0 + cell->c_state * work->run->batch : NULL;

	return before(work, cell, c0, cell->hidden, cell->start_c, n, k);
}

struct number sluice__bound_recurrent(const struct bound_work *work, const struct sluice__cell *cell, size_t n,
				      size_t k)
{
	double h = sluice__bound_h_before(work, cell, n, k);
	double m = sluice__oracle_mask_factor_f64(work->network, work->run, cell, k, 0, n);

	return m == 1 ? exact(h) : multiply(exact(m), exact(h));
}

/* The input's part of a pre-activation. */
static void sum_input(const struct bound_work *work, const struct bound_view *view, size_t index, size_t n, size_t row,
		      struct sum *a)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t first = n * work->network->widths[cell->layer] + cell->input_column;
	const double *x = work->trace->inputs[cell->layer] + first, *error = view->inputs[cell->layer] + first;
	size_t column =
		cell->input == SLUICE_INPUT_IDENTITY ? row % cell->hidden : cell->direction * 4 * cell->hidden + row;

	if (cell->input != SLUICE_INPUT_WEIGHTS) {
		sum_add(a, exact(1), (struct number){x[column], error[column]});
		return;
	}
	if (cell->no_input_weights >> row / cell->hidden & 1)
		return;
	for (size_t k = 0; k < cell->inputs; k++)
		sum_add(a, exact(work->run->parameters[cell->weight_ih + row * cell->inputs + k]),
			(struct number){x[k], error[k]});
}

/* The peephole's part: from c', or for the output gate from the new cell. */
static void sum_peephole(const struct bound_work *work, const struct bound_view *view, size_t index, size_t n,
			 size_t row, struct sum *a)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t H = cell->hidden, gate = row / H;
	int full = cell->peephole_kind == SLUICE_PEEPHOLE_FULL;
	const double *V;

	if (cell->peephole_kind == SLUICE_PEEPHOLE_NONE || cell->no_peepholes >> gate & 1)
		return;
	V = work->run->parameters + cell->peephole + (full ? row * H : row);
	for (size_t k = full ? 0 : row % H; k < (full ? H : row % H + 1); k++) {
		struct number c = exact(sluice__bound_cell_before(work, cell, n, k));

		if (gate == SLUICE__O && !cell->peephole_previous)
			c = (struct number){work->trace->e[index][n * H + k], view->e[index][n * H + k]};
		sum_add(a, exact(full ? V[k] : *V), c);
	}
}

static void gate_forward(const struct bound_work *work, struct bound_view *view, size_t index, size_t n, int gate)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t H = cell->hidden;

	if (!sluice__cell_computes(cell, gate))
		return;
	for (size_t unit = 0; unit < H; unit++) {
		size_t row = (size_t)gate * H + unit, place = n * 4 * H + row;
		const struct number *R = work->R[index] + row * cell->out;
		struct sum a = {0, 0, 0, 0};
		struct number argument;

		if (cell->bias != SLUICE__NONE)
			sum_add(&a, exact(work->run->parameters[cell->bias + row]), exact(1));
		sum_input(work, view, index, n, row, &a);
		for (size_t k = 0; k < cell->out && !(cell->no_recurrent_weights >> gate & 1); k++)
			sum_add(&a, R[k], sluice__bound_recurrent(work, cell, n, k));
		sum_peephole(work, view, index, n, row, &a);
		argument = (struct number){work->trace->a[index][place], sum_error(&a)};
		view->a[index][place] = argument.error;
		view->gates[index][place] =
			sluice__bound_activation(work, cell, gate, unit, argument, (double)cell->gate_clip).error;
	}
}

static struct number gate_of(const struct bound_work *work, const struct bound_view *view, size_t index, size_t n,
			     int gate, size_t unit)
{
	size_t H = work->network->cells[index].hidden, place = n * 4 * H + (size_t)gate * H + unit;

	return (struct number){work->trace->gates[index][place], view->gates[index][place]};
}

/* f c' + i g, and f = 1 - i of a coupled cell. */
static void update_forward(const struct bound_work *work, struct bound_view *view, size_t index, size_t n, int recouple)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t H = cell->hidden;

	for (size_t unit = 0; unit < H; unit++) {
		struct number i = gate_of(work, view, index, n, SLUICE__I, unit), f;
		struct number c = exact(sluice__bound_cell_before(work, cell, n, unit));
		size_t place = n * H + unit;

		if (cell->coupled && recouple)
			view->gates[index][n * 4 * H + H + unit] =
				add(exact(1), (struct number){-i.value, i.error}).error;
		f = gate_of(work, view, index, n, SLUICE__F, unit);
		view->p[index][place] =
			add(multiply(f, c), multiply(i, gate_of(work, view, index, n, SLUICE__G, unit))).error;
		view->e[index][place] = view->p[index][place];
	}
}

/* q = o s_c(e), and P q. */
static void output_forward(const struct bound_work *work, struct bound_view *view, size_t index, size_t n)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t H = cell->hidden;

	for (size_t unit = 0; unit < H; unit++) {
		size_t place = n * H + unit;
		struct number e = {work->trace->e[index][place], view->e[index][place]};
		struct number s = sluice__bound_activation(work, cell, SLUICE__CELL_OUTPUT, unit, e, 0);

		view->q[index][place] = multiply(gate_of(work, view, index, n, SLUICE__O, unit), s).error;
	}
	for (size_t k = 0; k < cell->out; k++) {
		struct sum pq = {0, 0, 0, 0};

		for (size_t unit = 0; unit < H && cell->weight_hr != SLUICE__NONE; unit++)
			sum_add(&pq, exact(work->run->parameters[cell->weight_hr + k * H + unit]),
				(struct number){work->trace->q[index][n * H + unit], view->q[index][n * H + unit]});
		view->pq[index][n * cell->out + k] =
			cell->weight_hr != SLUICE__NONE ? sum_error(&pq) : view->q[index][n * H + k];
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

	for (size_t k = 0; k < cell->out; k++) {
		size_t place = n * cell->out + k;
		double z = sluice__oracle_zoneout_h_factor_f64(run, cell, k, 0, n);
		double old = sluice__bound_h_before(work, cell, n, k);
		struct number r = {work->trace->r[index][place], view->pq[index][place]};

		view->h[index][place] = stored(work->storage.data, zoned(z, old, r)).error;
	}
}

/* All errors of one row of one cell, from those of its inputs. */
static void row_forward(const struct bound_work *work, struct bound_view *view, size_t index, size_t n)
{
	gate_forward(work, view, index, n, SLUICE__I);
	gate_forward(work, view, index, n, SLUICE__F);
	gate_forward(work, view, index, n, SLUICE__G);
	update_forward(work, view, index, n, 1);
	gate_forward(work, view, index, n, SLUICE__O);
	output_forward(work, view, index, n);
	state_forward(work, view, index, n);
}

/* A held h is h', which is only rounded to the data type where it was not a number of that type. */
static void row_hold(const struct bound_work *work, size_t index, size_t n)
{
	size_t width = work->network->cells[index].out;

	for (size_t place = n * width; place < (n + 1) * width; place++) {
		double h = work->trace->h[index][place];

		work->now.h[index][place] = fabs(sluice__storage_round(work->storage.data, h) - h);
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
	size_t width = 4 * work->network->cells[index].hidden;

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
	size_t H = cell->hidden;

	for (size_t place = n * H; cell->zoneout_c == 0 && place < (n + 1) * H; place++) {
		work->later.p[index][place] =
			stored_error(type, work->trace->p[index][place], work->now.p[index][place]);
		work->later.e[index][place] =
			stored_error(type, work->trace->e[index][place], work->now.e[index][place]);
	}
}

static void later_h(struct bound_work *work, size_t index, size_t n, sluice_dtype type)
{
	size_t width = work->network->cells[index].out;

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

/* What the layer makes of h [unit k], of the other direction, too, if it adds. The cell is then that of direction 1. */
static struct number result_of(const struct bound_work *work, const struct bound_view *view, size_t index, size_t n,
			       size_t k)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t place = n * cell->out + k;
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
	size_t first = n * work->network->widths[cell->layer + 1] + cell->column;

	if (cell->combination == SLUICE_ADD && cell->direction == 0)
		return;
	for (size_t k = 0; k < cell->out; k++) {
		double factor = sluice__oracle_dropout_factor_f64(work->network, work->run, cell, k, 0, n);
		struct number now = emitted(work, factor, result_of(work, &work->now, index, n, k));
		struct number seen = emitted(work, factor, result_of(work, &work->later, index, n, k));
		double kept = stored(work->storage.tape, now).error;

		work->now.inputs[cell->layer + 1][first + k] = now.error;
		work->later.inputs[cell->layer + 1][first + k] = fmax(seen.error, kept);
	}
}

/* c after the step; a held one is c'. */
static struct number cell_after(const struct bound_work *work, size_t index, size_t n, size_t unit)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t place = n * cell->hidden + unit;
	double old = sluice__bound_cell_before(work, cell, n, unit);
	struct number e = {work->trace->e[index][place], work->now.e[index][place]};

	if (!sluice__oracle_computes_step_f64(work->run, 0, n))
		return exact(old);
	return zoned(sluice__oracle_zoneout_c_factor_f64(work->run, cell, unit, 0, n), old, e);
}

/* The gates of a held step are zeros, which need no bound. */
static void row_report(struct bound_work *work, size_t index, size_t n)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	struct sluice__bound *bound = work->bound;
	size_t N = work->run->batch, H = cell->hidden;

	for (size_t unit = 0; unit < H; unit++) {
		struct number c = cell_after(work, index, n, unit);

		bound->cn[cell->c_state * N + n * H + unit] = c.error;
		bound->c[n * work->network->c_width + cell->c_state + unit] = stored(work->storage.data, c).error;
	}
	for (size_t k = 0; k < cell->out; k++) {
		double error = work->now.h[index][n * cell->out + k];

		bound->hn[cell->h_state * N + n * cell->out + k] = error;
		bound->h[n * work->network->h_width + cell->h_state + k] = error;
	}
	for (size_t row = 0; row < 4 * H && sluice__oracle_computes_step_f64(work->run, 0, n); row++)
		bound->gates[n * 4 * work->network->c_width + 4 * cell->c_state + row] =
			stored(work->storage.data, gate_of(work, &work->now, index, n, (int)(row / H), row % H)).error;
}

static void readout_forward(struct bound_work *work, size_t n)
{
	const struct sluice__network *network = work->network;
	size_t width = network->widths[network->layer_count];

	for (size_t out = 0; out < network->outputs; out++) {
		struct sum y = {0, 0, 0, 0};

		sum_add(&y, exact(work->run->parameters[network->readout_bias + out]), exact(1));
		for (size_t k = 0; k < width; k++) {
			size_t place = n * width + k;
			struct number h = {work->trace->inputs[network->layer_count][place],
					   work->now.inputs[network->layer_count][place]};

			sum_add(&y, exact(work->run->parameters[network->readout_weight + out * width + k]), h);
		}
		work->bound->y[n * network->outputs + out] = stored(work->storage.data, sum_number(&y)).error;
	}
}

/* y, or y and y_reverse, of a network without read-out. */
static void results_forward(struct bound_work *work, size_t n)
{
	const struct sluice__network *network = work->network;
	size_t outputs = network->outputs, bytes = outputs * sizeof(double);
	const double *errors = work->now.inputs[network->layer_count] + n * network->widths[network->layer_count];

	memcpy(work->bound->y + n * outputs, errors, bytes);
	if (network->separate)
		memcpy(work->bound->y_reverse + n * outputs, errors + outputs, bytes);
}

/* A row without a step has no errors. */
void sluice__bound_forward(struct bound_work *work)
{
	const struct sluice__network *network = work->network;

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
	for (size_t n = 0; n < work->run->batch; n++) {
		if (!sluice__oracle_has_step_f64(work->run, 0, n))
			continue;
		if (network->readout)
			readout_forward(work, n);
		else
			results_forward(work, n);
	}
}
