/*
 * oracle.inc.h: EQUATIONS.md line by line for one number type; set REAL, ORACLE(name), EXP, TANH and FABS, then
 * include.
 *
 * Plain loops in the order of the equations. Clarity is the only aim: whoever doubts a kernel reads this.
 */
#include <stdlib.h>
#include <string.h>

#include "random.h"

static REAL sigmoid(REAL value)
{
	return 1 / (1 + EXP(-value));
}

/* Pre-activation z = b + W x + R h of one gate row, and the sum of its |terms|. */
static REAL preactivation(const struct sluice__cell *cell, const REAL *parameters, size_t row, const REAL *x,
			  const REAL *h, REAL *terms)
{
	const REAL *W = parameters + cell->weight_ih + row * cell->inputs;
	const REAL *R = parameters + cell->weight_hh + row * cell->hidden;
	REAL z = cell->bias == SLUICE__NONE ? 0 : parameters[cell->bias + row];

	if (terms)
		terms[row] = FABS(z);
	for (size_t k = 0; k < cell->inputs; k++) {
		z += W[k] * x[k];
		if (terms)
			terms[row] += FABS(W[k] * x[k]);
	}
	for (size_t k = 0; k < cell->hidden; k++) {
		z += R[k] * h[k];
		if (terms)
			terms[row] += FABS(R[k] * h[k]);
	}
	return z;
}

void ORACLE_STEP(const struct sluice__cell *cell, const REAL *parameters, const REAL *x, const REAL *h, const REAL *c,
		 REAL *gates, REAL *c_out, REAL *h_out, REAL *terms)
{
	size_t H = cell->hidden;
	REAL *i = gates, *f = gates + H, *g = gates + 2 * H, *o = gates + 3 * H;

	for (size_t unit = 0; unit < H; unit++) {
		i[unit] = sigmoid(preactivation(cell, parameters, unit, x, h, terms));
		f[unit] = sigmoid(preactivation(cell, parameters, H + unit, x, h, terms));
		g[unit] = TANH(preactivation(cell, parameters, 2 * H + unit, x, h, terms));
		o[unit] = sigmoid(preactivation(cell, parameters, 3 * H + unit, x, h, terms));
	}
	for (size_t unit = 0; unit < H; unit++) {
		c_out[unit] = f[unit] * c[unit] + i[unit] * g[unit];
		h_out[unit] = o[unit] * TANH(c_out[unit]);
	}
}

/* The time index of a cell's processing step. */
static size_t time_of(const struct sluice__cell *cell, size_t steps, size_t step)
{
	return cell->reverse ? steps - 1 - step : step;
}

/* A row of h or c before a step: of the step before, or of the initial state, or zeros. */
static const REAL *row_before(const struct sluice__cell *cell, const struct ORACLE_RUN *run, const REAL *sequence,
			      const REAL *initial, const REAL *zeros, size_t step, size_t n)
{
	if (step > 0)
		return sequence + (time_of(cell, run->steps, step - 1) * run->batch + n) * cell->hidden;
	return initial ? initial + cell->state * run->batch + n * cell->hidden : zeros;
}

static void cell_forward(const struct sluice__cell *cell, const struct ORACLE_RUN *run, const REAL *zeros,
			 struct ORACLE_TRACE *trace, size_t index)
{
	size_t H = cell->hidden, T = run->steps, N = run->batch;
	REAL *h = trace->h[index], *c = trace->c[index];

	for (size_t step = 0; step < T; step++) {
		size_t t = time_of(cell, T, step);

		for (size_t n = 0; n < N; n++) {
			const REAL *h_before = row_before(cell, run, h, run->h0, zeros, step, n);
			const REAL *c_before = row_before(cell, run, c, run->c0, zeros, step, n);
			size_t row = t * N + n;

			ORACLE_STEP(cell, run->parameters, trace->inputs[cell->layer] + row * cell->inputs, h_before,
				    c_before, trace->gates[index] + row * 4 * H, c + row * H, h + row * H, NULL);
		}
	}
	memcpy(trace->hn + cell->state * N, h + time_of(cell, T, T - 1) * N * H, N * H * sizeof(REAL));
	memcpy(trace->cn + cell->state * N, c + time_of(cell, T, T - 1) * N * H, N * H * sizeof(REAL));
}

/* The factor that dropout puts on one output of a cell. */
static REAL dropout_factor(const struct sluice__network *network, const struct ORACLE_RUN *run,
			   const struct sluice__cell *cell, size_t unit, size_t t, size_t n)
{
	float p = network->dropouts[cell->layer];

	if (!run->training || p == 0)
		return 1;
	return sluice__oracle_dropout(p, run->seed, cell->layer, cell->direction, unit, run->step_offset + t,
				      run->sequence_ids ? run->sequence_ids[n] : n);
}

/* Puts a cell's h, through dropout, into its columns of what follows the layer. */
static void cell_emit(const struct sluice__network *network, const struct ORACLE_RUN *run,
		      const struct ORACLE_TRACE *trace, size_t index)
{
	const struct sluice__cell *cell = &network->cells[index];
	size_t width = network->widths[cell->layer + 1];
	REAL *out = trace->inputs[cell->layer + 1];

	for (size_t t = 0; t < run->steps; t++)
		for (size_t n = 0; n < run->batch; n++)
			for (size_t unit = 0; unit < cell->hidden; unit++) {
				size_t row = t * run->batch + n;

				out[row * width + cell->column + unit] = trace->h[index][row * cell->hidden + unit] *
									 dropout_factor(network, run, cell, unit, t, n);
			}
}

static void readout_forward(const struct sluice__network *network, const REAL *parameters, size_t rows, const REAL *h,
			    REAL *y)
{
	size_t width = network->widths[network->layer_count];

	for (size_t row = 0; row < rows; row++)
		for (size_t out = 0; out < network->outputs; out++) {
			REAL sum = parameters[network->readout_bias + out];

			for (size_t k = 0; k < width; k++)
				sum += parameters[network->readout_weight + out * width + k] * h[row * width + k];
			y[row * network->outputs + out] = sum;
		}
}

/* Takes count numbers from what is left of a block. */
static REAL *take(REAL **next, size_t count)
{
	REAL *start = *next;

	*next += count;
	return start;
}

static size_t widest_hidden(const struct sluice__network *network)
{
	size_t widest = 0;

	for (size_t index = 0; index < network->cell_count; index++)
		if (network->cells[index].hidden > widest)
			widest = network->cells[index].hidden;
	return widest;
}

/* A block of pointers and of zeroed numbers behind them. */
static void *block_create(size_t pointers, size_t numbers, REAL **first_number)
{
	char *block = calloc(1, pointers * sizeof(REAL *) + numbers * sizeof(REAL));

	if (!block)
		sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for an oracle of %zu numbers", numbers);
	*first_number = block ? (REAL *)(void *)(block + pointers * sizeof(REAL *)) : NULL;
	return block;
}

static sluice_status trace_create(const struct sluice__network *network, size_t rows, size_t batch,
				  struct ORACLE_TRACE *trace)
{
	size_t layers = network->layer_count, cells = network->cell_count;
	size_t count = 6 * rows * network->state_width + 2 * batch * network->state_width + rows * network->outputs;
	REAL **pointers, *next;

	for (size_t layer = 0; layer <= layers; layer++)
		count += rows * network->widths[layer];
	trace->block = pointers = block_create(layers + 1 + 3 * cells, count, &next);
	if (!pointers)
		return SLUICE_OUT_OF_MEMORY;
	trace->inputs = pointers;
	trace->gates = pointers + layers + 1;
	trace->c = trace->gates + cells;
	trace->h = trace->c + cells;
	for (size_t layer = 0; layer <= layers; layer++)
		trace->inputs[layer] = take(&next, rows * network->widths[layer]);
	for (size_t index = 0; index < cells; index++) {
		trace->gates[index] = take(&next, rows * 4 * network->cells[index].hidden);
		trace->c[index] = take(&next, rows * network->cells[index].hidden);
		trace->h[index] = take(&next, rows * network->cells[index].hidden);
	}
	trace->hn = take(&next, batch * network->state_width);
	trace->cn = take(&next, batch * network->state_width);
	trace->y = take(&next, rows * network->outputs);
	return SLUICE_OK;
}

sluice_status ORACLE_FORWARD(const struct sluice__network *network, const struct ORACLE_RUN *run,
			     struct ORACLE_TRACE *out)
{
	size_t rows = run->steps * run->batch, last = network->layer_count;
	REAL *zeros = calloc(widest_hidden(network), sizeof(REAL));
	struct ORACLE_TRACE trace;

	if (!zeros)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for a row of zeros");
	if (trace_create(network, rows, run->batch, &trace) != SLUICE_OK) {
		free(zeros);
		return SLUICE_OUT_OF_MEMORY;
	}
	memcpy(trace.inputs[0], run->x, rows * network->inputs * sizeof(REAL));
	/* Cells stand in the order of the layers, so that a layer's inputs are complete before its first cell runs. */
	for (size_t index = 0; index < network->cell_count; index++) {
		cell_forward(&network->cells[index], run, zeros, &trace, index);
		cell_emit(network, run, &trace, index);
	}
	if (network->readout)
		readout_forward(network, run->parameters, rows, trace.inputs[last], trace.y);
	else
		memcpy(trace.y, trace.inputs[last], rows * network->outputs * sizeof(REAL));
	free(zeros);
	*out = trace;
	return SLUICE_OK;
}

void ORACLE_TRACE_DESTROY(struct ORACLE_TRACE *trace)
{
	free(trace->block);
	memset(trace, 0, sizeof(*trace));
}

/* ------------------------------------------------------------------------------------------------ backward ---- */

/* Through the cell update of one row: dh and dc are complete gradients of h[t] and c[t]; dc becomes that of c[t-1]. */
static void update_backward(size_t H, const REAL *gates, const REAL *c_before, const REAL *c, const REAL *dh, REAL *dc,
			    REAL *da)
{
	const REAL *i = gates, *f = gates + H, *g = gates + 2 * H, *o = gates + 3 * H;

	for (size_t unit = 0; unit < H; unit++) {
		REAL tanh_c = TANH(c[unit]);
		REAL d_o = dh[unit] * tanh_c;
		REAL d_c = dc[unit] + dh[unit] * o[unit] * (1 - tanh_c * tanh_c);
		REAL d_i = d_c * g[unit];
		REAL d_f = d_c * c_before[unit];
		REAL d_g = d_c * i[unit];

		da[unit] = d_i * i[unit] * (1 - i[unit]);
		da[H + unit] = d_f * f[unit] * (1 - f[unit]);
		da[2 * H + unit] = d_g * (1 - g[unit] * g[unit]);
		da[3 * H + unit] = d_o * o[unit] * (1 - o[unit]);
		dc[unit] = d_c * f[unit];
	}
}

/* Through z = b + W x + R h of one row: adds to the parameters' gradients and to dx, and sets dh to that of h[t-1]. */
static void product_backward(const struct sluice__cell *cell, const REAL *parameters, const REAL *x,
			     const REAL *h_before, const REAL *da, REAL *dparameters, REAL *dx, REAL *dh)
{
	size_t I = cell->inputs, H = cell->hidden;
	const REAL *W = parameters + cell->weight_ih, *R = parameters + cell->weight_hh;
	REAL *dW = dparameters + cell->weight_ih, *dR = dparameters + cell->weight_hh;

	memset(dh, 0, H * sizeof(REAL));
	for (size_t row = 0; row < 4 * H; row++) {
		if (cell->bias != SLUICE__NONE)
			dparameters[cell->bias + row] += da[row];
		for (size_t k = 0; k < I; k++) {
			dW[row * I + k] += da[row] * x[k];
			dx[k] += da[row] * W[row * I + k];
		}
		for (size_t k = 0; k < H; k++) {
			dR[row * H + k] += da[row] * h_before[k];
			dh[k] += da[row] * R[row * H + k];
		}
	}
}

static void cell_backward(const struct sluice__network *network, const struct ORACLE_RUN *run,
			  const struct ORACLE_TRACE *trace, const REAL *zeros, struct ORACLE_GRADIENTS *gradients,
			  size_t index)
{
	const struct sluice__cell *cell = &network->cells[index];
	size_t H = cell->hidden, T = run->steps, N = run->batch, width = network->widths[cell->layer + 1];
	REAL *dh = gradients->dh0 + cell->state * N, *dc = gradients->dc0 + cell->state * N;

	/* dh and dc walk backwards through time in place, from the final state's gradient to the initial state's. */
	if (run->dh)
		memcpy(dh, run->dh + cell->state * N, N * H * sizeof(REAL));
	if (run->dc)
		memcpy(dc, run->dc + cell->state * N, N * H * sizeof(REAL));
	for (size_t step = T; step-- > 0;) {
		size_t t = time_of(cell, T, step);

		for (size_t n = 0; n < N; n++) {
			const REAL *h_before = row_before(cell, run, trace->h[index], run->h0, zeros, step, n);
			const REAL *c_before = row_before(cell, run, trace->c[index], run->c0, zeros, step, n);
			const REAL *dout = gradients->dinputs[cell->layer + 1] + (t * N + n) * width + cell->column;
			size_t row = t * N + n;
			REAL *da = gradients->da[index] + row * 4 * H;

			for (size_t unit = 0; unit < H; unit++)
				dh[n * H + unit] += dout[unit] * dropout_factor(network, run, cell, unit, t, n);
			update_backward(H, trace->gates[index] + row * 4 * H, c_before, trace->c[index] + row * H,
					dh + n * H, dc + n * H, da);
			product_backward(cell, run->parameters, trace->inputs[cell->layer] + row * cell->inputs,
					 h_before, da, gradients->dparameters,
					 gradients->dinputs[cell->layer] + row * cell->inputs, dh + n * H);
		}
	}
}

static void readout_backward(const struct sluice__network *network, const REAL *parameters, size_t rows, const REAL *h,
			     const REAL *dy, REAL *dparameters, REAL *dh)
{
	size_t width = network->widths[network->layer_count];
	const REAL *W = parameters + network->readout_weight;
	REAL *dW = dparameters + network->readout_weight, *db = dparameters + network->readout_bias;

	for (size_t row = 0; row < rows; row++)
		for (size_t out = 0; out < network->outputs; out++) {
			REAL d = dy[row * network->outputs + out];

			db[out] += d;
			for (size_t k = 0; k < width; k++) {
				dW[out * width + k] += d * h[row * width + k];
				dh[row * width + k] += d * W[out * width + k];
			}
		}
}

static sluice_status gradients_create(const struct sluice__network *network, size_t rows, size_t batch,
				      struct ORACLE_GRADIENTS *gradients)
{
	size_t layers = network->layer_count, cells = network->cell_count;
	size_t count = 4 * rows * network->state_width + 2 * batch * network->state_width + network->parameter_count;
	REAL **pointers, *next;

	for (size_t layer = 0; layer <= layers; layer++)
		count += rows * network->widths[layer];
	gradients->block = pointers = block_create(layers + 1 + cells, count, &next);
	if (!pointers)
		return SLUICE_OUT_OF_MEMORY;
	gradients->dinputs = pointers;
	gradients->da = pointers + layers + 1;
	for (size_t layer = 0; layer <= layers; layer++)
		gradients->dinputs[layer] = take(&next, rows * network->widths[layer]);
	for (size_t index = 0; index < cells; index++)
		gradients->da[index] = take(&next, rows * 4 * network->cells[index].hidden);
	gradients->dh0 = take(&next, batch * network->state_width);
	gradients->dc0 = take(&next, batch * network->state_width);
	gradients->dparameters = take(&next, network->parameter_count);
	gradients->dx = gradients->dinputs[0];
	return SLUICE_OK;
}

sluice_status ORACLE_BACKWARD(const struct sluice__network *network, const struct ORACLE_RUN *run,
			      const struct ORACLE_TRACE *trace, struct ORACLE_GRADIENTS *out)
{
	size_t rows = run->steps * run->batch, last = network->layer_count;
	REAL *zeros = calloc(widest_hidden(network), sizeof(REAL));
	struct ORACLE_GRADIENTS gradients;

	if (!zeros)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for a row of zeros");
	if (gradients_create(network, rows, run->batch, &gradients) != SLUICE_OK) {
		free(zeros);
		return SLUICE_OUT_OF_MEMORY;
	}
	if (run->dy && network->readout)
		readout_backward(network, run->parameters, rows, trace->inputs[last], run->dy, gradients.dparameters,
				 gradients.dinputs[last]);
	else if (run->dy)
		memcpy(gradients.dinputs[last], run->dy, rows * network->outputs * sizeof(REAL));
	for (size_t index = network->cell_count; index-- > 0;)
		cell_backward(network, run, trace, zeros, &gradients, index);
	free(zeros);
	*out = gradients;
	return SLUICE_OK;
}

void ORACLE_GRADIENTS_DESTROY(struct ORACLE_GRADIENTS *gradients)
{
	free(gradients->block);
	memset(gradients, 0, sizeof(*gradients));
}
