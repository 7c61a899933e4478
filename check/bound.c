/*
 * bound.c: carries worst-case rounding errors through one step, forward and backward, beside the oracle's values.
 *
 * Every quantity is a pair: the oracle's value and a bound of the f32 result's distance from it. Products and sums
 * carry bounds on as interval arithmetic does, and each operation adds its own rounding. docs/NUMERICS.md explains the
 * rules.
 */
#include "bound.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

static const double U = 0x1p-24; /* unit roundoff of f32 */

/* A value and how far its f32 counterpart may be from it. */
struct number {
	double value, error;
};

static struct number exact(double value)
{
	return (struct number){value, 0};
}

/* One rounding of a result that is already off by `error`. FLT_MIN covers results that are flushed to zero. */
static struct number rounded(double value, double error)
{
	return (struct number){value, error + U * (fabs(value) + error) + (double)FLT_MIN};
}

static struct number multiply(struct number a, struct number b)
{
	return rounded(a.value * b.value, fabs(a.value) * b.error + fabs(b.value) * a.error + a.error * b.error);
}

static struct number add(struct number a, struct number b)
{
	return rounded(a.value + b.value, a.error + b.error);
}

/* An activation: the argument's error times the Lipschitz constant, then 4 ulp of the result; an ulp is at most 2 u
 * times the value. */
static struct number activate(double value, double argument_error, double lipschitz)
{
	double error = lipschitz * argument_error;

	return (struct number){value, error + 8 * U * (fabs(value) + error) + (double)FLT_MIN};
}

/* y (1 - y), or y - y y, whichever the implementation prefers: at most roundings of y y and two of the result. */
static struct number sigmoid_slope(struct number y)
{
	double value = y.value * (1 - y.value);
	double error = fabs(1 - 2 * y.value) * y.error + y.error * y.error;

	error += U * (y.value * y.value + 2 * fabs(value) + 3 * error) + (double)FLT_MIN;
	return (struct number){value, error};
}

/* 1 - y y, or (1 - y)(1 + y): likewise. */
static struct number tanh_slope(struct number y)
{
	double value = 1 - y.value * y.value;
	double error = 2 * fabs(y.value) * y.error + y.error * y.error;

	error += U * (y.value * y.value + 3 * fabs(value) + 4 * error);
	return (struct number){value, error};
}

/* A sum of products: |terms| added up, the errors its inputs bring, and how many terms there are. */
struct sum {
	double terms, carried;
	size_t count;
};

static void sum_add(struct sum *sum, struct number a, struct number b)
{
	sum->terms += fabs(a.value * b.value);
	sum->carried += fabs(a.value) * b.error + fabs(b.value) * a.error + a.error * b.error;
	sum->count++;
}

/* (4 + sqrt(K)) u sum|terms|: K roundings of partial sums in any order, whose signs vary; see NUMERICS.md. */
static double sum_error(const struct sum *sum)
{
	return (4 + sqrt((double)sum->count)) * U * (sum->terms + sum->carried) + sum->carried + (double)FLT_MIN;
}

/* What the bounds are computed from and into. */
struct work {
	const struct sluice__network *network;
	const struct sluice__oracle_run_f64 *run;
	const struct sluice__oracle_trace_f64 *trace;
	const struct sluice__oracle_gradients_f64 *gradients;
	struct sluice__bound *bound;
	double **inputs;  /* [layer_count + 1] bounds of what layer l reads [N,width] */
	double **dinputs; /* [layer_count + 1] bounds of its gradient */
	double **gates;   /* [cell_count] bounds of i f g o [N,4H] */
	double **da;      /* [cell_count] bounds of da [N,4H] */
	struct sum *sums; /* scratch: inputs + hidden of any cell */
	void *block;
};

/* The factor of dropout on one output: the same float on both sides, so it brings no error of its own. */
static double factor_of(const struct work *work, const struct sluice__cell *cell, size_t unit, size_t n)
{
	const struct sluice__oracle_run_f64 *run = work->run;
	float p = work->network->dropouts[cell->layer];

	if (!run->training || p == 0)
		return 1;
	return (double)sluice__oracle_dropout(p, run->seed, cell->layer, cell->direction, unit, run->step_offset,
					      run->sequence_ids ? run->sequence_ids[n] : n);
}

/* ------------------------------------------------------------------------------------------------- forward ---- */

/* Bound of one pre-activation. */
static double preactivation_error(const struct work *work, const struct sluice__cell *cell, size_t row, size_t n)
{
	const double *parameters = work->run->parameters;
	const double *x = work->trace->inputs[cell->layer] + n * cell->inputs;
	const double *x_error = work->inputs[cell->layer] + n * cell->inputs;
	struct sum z = {0, 0, 0};

	if (cell->bias != SLUICE__NONE)
		sum_add(&z, exact(parameters[cell->bias + row]), exact(1));
	for (size_t k = 0; k < cell->inputs; k++)
		sum_add(&z, exact(parameters[cell->weight_ih + row * cell->inputs + k]),
			(struct number){x[k], x_error[k]});
	for (size_t k = 0; k < cell->hidden; k++) {
		double h = work->run->h0 ? work->run->h0[cell->h_state * work->run->batch + n * cell->hidden + k] : 0;

		sum_add(&z, exact(parameters[cell->weight_hh + row * cell->hidden + k]), exact(h));
	}
	return sum_error(&z);
}

static struct number gate_of(const struct work *work, size_t index, size_t n, size_t row)
{
	size_t place = n * 4 * work->network->cells[index].hidden + row;

	return (struct number){work->trace->gates[index][place], work->gates[index][place]};
}

/* One unit of one row: gates, c, h, and what follows the layer. */
static void unit_forward(struct work *work, size_t index, size_t n, size_t unit)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t H = cell->hidden, place = cell->h_state * work->run->batch + n * H + unit;
	size_t column = n * work->network->widths[cell->layer + 1] + cell->column + unit;
	struct number c_before = exact(work->run->c0 ? work->run->c0[place] : 0), c, h;

	for (size_t gate = 0; gate < 4; gate++) {
		size_t row = gate * H + unit;
		double lipschitz = gate == 2 ? 1 : 0.25;

		work->gates[index][n * 4 * H + row] = activate(work->trace->gates[index][n * 4 * H + row],
							       preactivation_error(work, cell, row, n), lipschitz)
							      .error;
	}
	c = add(multiply(gate_of(work, index, n, H + unit), c_before),
		multiply(gate_of(work, index, n, unit), gate_of(work, index, n, 2 * H + unit)));
	h = multiply(gate_of(work, index, n, 3 * H + unit), activate(tanh(c.value), c.error, 1));
	work->bound->cn[place] = c.error;
	work->bound->hn[place] = h.error;
	work->inputs[cell->layer + 1][column] = multiply(h, exact(factor_of(work, cell, unit, n))).error;
}

static void readout_forward(struct work *work)
{
	const struct sluice__network *network = work->network;
	size_t width = network->widths[network->layer_count];

	for (size_t n = 0; n < work->run->batch; n++)
		for (size_t out = 0; out < network->outputs; out++) {
			struct sum y = {0, 0, 0};

			sum_add(&y, exact(work->run->parameters[network->readout_bias + out]), exact(1));
			for (size_t k = 0; k < width; k++) {
				size_t place = n * width + k;
				struct number h = {work->trace->inputs[network->layer_count][place],
						   work->inputs[network->layer_count][place]};

				sum_add(&y, exact(work->run->parameters[network->readout_weight + out * width + k]), h);
			}
			work->bound->y[n * network->outputs + out] = sum_error(&y);
		}
}

static void forward(struct work *work)
{
	const struct sluice__network *network = work->network;

	for (size_t index = 0; index < network->cell_count; index++)
		for (size_t n = 0; n < work->run->batch; n++)
			for (size_t unit = 0; unit < network->cells[index].hidden; unit++)
				unit_forward(work, index, n, unit);
	if (network->readout)
		readout_forward(work);
	else
		memcpy(work->bound->y, work->inputs[network->layer_count],
		       work->run->batch * network->outputs * sizeof(double));
}

/* ------------------------------------------------------------------------------------------------ backward ---- */

static void readout_backward(struct work *work)
{
	const struct sluice__network *network = work->network;
	size_t width = network->widths[network->layer_count], batch = work->run->batch, outputs = network->outputs;
	const double *dy = work->run->dy;

	for (size_t n = 0; n < batch; n++)
		for (size_t k = 0; k < width; k++) {
			struct sum dh = {0, 0, 0};

			for (size_t out = 0; out < outputs; out++)
				sum_add(&dh, exact(dy[n * outputs + out]),
					exact(work->run->parameters[network->readout_weight + out * width + k]));
			work->dinputs[network->layer_count][n * width + k] = sum_error(&dh);
		}
	for (size_t out = 0; out < outputs; out++) {
		struct sum db = {0, 0, 0};

		for (size_t n = 0; n < batch; n++)
			sum_add(&db, exact(dy[n * outputs + out]), exact(1));
		work->bound->dparameters[network->readout_bias + out] = sum_error(&db);
		for (size_t k = 0; k < width; k++) {
			struct sum dW = {0, 0, 0};

			for (size_t n = 0; n < batch; n++) {
				struct number h = {work->trace->inputs[network->layer_count][n * width + k],
						   work->inputs[network->layer_count][n * width + k]};

				sum_add(&dW, exact(dy[n * outputs + out]), h);
			}
			work->bound->dparameters[network->readout_weight + out * width + k] = sum_error(&dW);
		}
	}
}

/* One unit of one row back through the cell update, as EQUATIONS.md has it. */
static void unit_backward(struct work *work, size_t index, size_t n, size_t unit)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	const struct sluice__oracle_run_f64 *run = work->run;
	size_t H = cell->hidden, place = cell->h_state * run->batch + n * H + unit;
	size_t column = n * work->network->widths[cell->layer + 1] + cell->column + unit;
	struct number dout = {work->gradients->dinputs[cell->layer + 1][column],
			      work->dinputs[cell->layer + 1][column]};
	struct number i = gate_of(work, index, n, unit), f = gate_of(work, index, n, H + unit);
	struct number g = gate_of(work, index, n, 2 * H + unit), o = gate_of(work, index, n, 3 * H + unit);
	struct number c = {work->trace->cn[place], work->bound->cn[place]};
	struct number tanh_c = activate(tanh(c.value), c.error, 1);
	struct number c_before = exact(run->c0 ? run->c0[place] : 0);
	struct number dh = exact(run->dh ? run->dh[place] : 0), dc = exact(run->dc ? run->dc[place] : 0);
	double *da = work->da[index] + n * 4 * H + unit;

	dh = add(dh, multiply(dout, exact(factor_of(work, cell, unit, n))));
	dc = add(dc, multiply(multiply(dh, o), tanh_slope(tanh_c)));
	da[0] = multiply(multiply(dc, g), sigmoid_slope(i)).error;
	da[H] = multiply(multiply(dc, c_before), sigmoid_slope(f)).error;
	da[2 * H] = multiply(multiply(dc, i), tanh_slope(g)).error;
	da[3 * H] = multiply(multiply(dh, tanh_c), sigmoid_slope(o)).error;
	work->bound->dc0[place] = multiply(dc, f).error;
}

static struct number da_of(const struct work *work, size_t index, size_t n, size_t row)
{
	size_t place = n * 4 * work->network->cells[index].hidden + row;

	return (struct number){work->gradients->da[index][place], work->da[index][place]};
}

/* Adds a row's terms a * b[k] to count sums, with b of an array and its bounds (NULL: exact). */
static void sums_add(struct sum *sums, struct number a, const double *b, const double *b_error, size_t count)
{
	for (size_t k = 0; k < count; k++)
		sum_add(&sums[k], a, (struct number){b[k], b_error ? b_error[k] : 0});
}

/* dh0 = R^T da, and this cell's part of dx = W^T da; the two cells of a bidirectional layer add up. */
static void states_backward(struct work *work, size_t index, size_t n)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	const double *W = work->run->parameters + cell->weight_ih, *R = work->run->parameters + cell->weight_hh;
	size_t I = cell->inputs, H = cell->hidden;
	struct sum *dx = work->sums, *dh = work->sums + I;

	memset(work->sums, 0, (I + H) * sizeof(*work->sums));
	for (size_t row = 0; row < 4 * H; row++) {
		sums_add(dx, da_of(work, index, n, row), W + row * I, NULL, I);
		sums_add(dh, da_of(work, index, n, row), R + row * H, NULL, H);
	}
	for (size_t k = 0; k < H; k++)
		work->bound->dh0[cell->h_state * work->run->batch + n * H + k] = sum_error(&dh[k]);
	for (size_t k = 0; k < I; k++) {
		double total = work->gradients->dinputs[cell->layer][n * I + k];

		/* The sum over both directions is rounded once more. */
		work->dinputs[cell->layer][n * I + k] += sum_error(&dx[k]) + (cell->direction ? U * fabs(total) : 0);
	}
}

/* dW, dR and db of one gate row: sums over the batch. */
static void parameters_backward(struct work *work, size_t index, size_t row)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t I = cell->inputs, H = cell->hidden, batch = work->run->batch;
	const double *x = work->trace->inputs[cell->layer], *x_error = work->inputs[cell->layer];
	const double *h0 = work->run->h0 ? work->run->h0 + cell->h_state * batch : NULL;
	struct sum *dW = work->sums, *dR = work->sums + I, db = {0, 0, 0};
	double *out = work->bound->dparameters;

	memset(work->sums, 0, (I + H) * sizeof(*work->sums));
	for (size_t n = 0; n < batch; n++) {
		sum_add(&db, da_of(work, index, n, row), exact(1));
		sums_add(dW, da_of(work, index, n, row), x + n * I, x_error + n * I, I);
		if (h0)
			sums_add(dR, da_of(work, index, n, row), h0 + n * H, NULL, H);
	}
	if (cell->bias != SLUICE__NONE)
		out[cell->bias + row] = sum_error(&db);
	for (size_t k = 0; k < I; k++)
		out[cell->weight_ih + row * I + k] = sum_error(&dW[k]);
	for (size_t k = 0; k < H; k++)
		out[cell->weight_hh + row * H + k] = sum_error(&dR[k]);
}

static void backward(struct work *work)
{
	const struct sluice__network *network = work->network;

	if (network->readout && work->run->dy)
		readout_backward(work);
	for (size_t index = network->cell_count; index-- > 0;) {
		for (size_t n = 0; n < work->run->batch; n++) {
			for (size_t unit = 0; unit < network->cells[index].hidden; unit++)
				unit_backward(work, index, n, unit);
			states_backward(work, index, n);
		}
		for (size_t row = 0; row < 4 * network->cells[index].hidden; row++)
			parameters_backward(work, index, row);
	}
	memcpy(work->bound->dx, work->dinputs[0], work->run->batch * network->inputs * sizeof(double));
}

/* -------------------------------------------------------------------------------------------------- memory ---- */

static double *take(double **next, size_t count)
{
	double *start = *next;

	*next += count;
	return start;
}

static sluice_status work_create(struct work *work)
{
	const struct sluice__network *network = work->network;
	size_t layers = network->layer_count, cells = network->cell_count, batch = work->run->batch;
	size_t count = 8 * batch * network->c_width, widest = 0;
	double **pointers, *next;

	for (size_t layer = 0; layer <= layers; layer++)
		count += 2 * batch * network->widths[layer];
	for (size_t index = 0; index < cells; index++)
		if (network->cells[index].inputs + network->cells[index].hidden > widest)
			widest = network->cells[index].inputs + network->cells[index].hidden;
	work->sums = calloc(widest, sizeof(*work->sums));
	work->block = pointers = calloc(2 * (layers + 1) + 2 * cells + count, sizeof(double));
	if (!pointers || !work->sums)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for bounds of %zu numbers", count);
	next = (double *)work->block + 2 * (layers + 1) + 2 * cells;
	work->inputs = pointers;
	work->dinputs = pointers + layers + 1;
	work->gates = work->dinputs + layers + 1;
	work->da = work->gates + cells;
	for (size_t layer = 0; layer <= layers; layer++) {
		work->inputs[layer] = take(&next, batch * network->widths[layer]);
		work->dinputs[layer] = take(&next, batch * network->widths[layer]);
	}
	for (size_t index = 0; index < cells; index++) {
		work->gates[index] = take(&next, batch * 4 * network->cells[index].hidden);
		work->da[index] = take(&next, batch * 4 * network->cells[index].hidden);
	}
	return SLUICE_OK;
}

static sluice_status bound_allocate(const struct sluice__network *network, size_t batch, struct sluice__bound *bound)
{
	size_t states = batch * network->c_width;
	size_t count = 4 * states + batch * (network->outputs + network->inputs) + network->parameter_count;
	double *next = calloc(count, sizeof(double));

	if (!next)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for bounds of %zu numbers", count);
	bound->block = next;
	bound->y = take(&next, batch * network->outputs);
	bound->hn = take(&next, states);
	bound->cn = take(&next, states);
	bound->dh0 = take(&next, states);
	bound->dc0 = take(&next, states);
	bound->dx = take(&next, batch * network->inputs);
	bound->dparameters = take(&next, network->parameter_count);
	return SLUICE_OK;
}

sluice_status sluice__bound_create(const struct sluice__network *network, const struct sluice__oracle_run_f64 *run,
				   const struct sluice__oracle_trace_f64 *trace,
				   const struct sluice__oracle_gradients_f64 *gradients, struct sluice__bound *out)
{
	struct sluice__bound bound = {0};
	struct work work = {.network = network, .run = run, .trace = trace, .gradients = gradients, .bound = &bound};
	sluice_status status;

	if (run->steps != 1)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "bounds are for one step, not for %zu", run->steps);
	status = bound_allocate(network, run->batch, &bound);
	if (status != SLUICE_OK)
		return status;
	status = work_create(&work);
	if (status == SLUICE_OK) {
		forward(&work);
		if (gradients)
			backward(&work);
		*out = bound;
	} else {
		sluice__bound_destroy(&bound);
	}
	free(work.sums);
	free(work.block);
	return status;
}

void sluice__bound_destroy(struct sluice__bound *bound)
{
	free(bound->block);
	memset(bound, 0, sizeof(*bound));
}
