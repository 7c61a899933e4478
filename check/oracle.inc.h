/*
 * oracle.inc.h: EQUATIONS.md line by line for one number type; set REAL, ORACLE(name) and MATH(name), which gives a
 * function of math.h its suffix, then include.
 *
 * Plain loops in the order of the equations. Clarity is the only aim: whoever doubts a kernel reads this. Here is the
 * network; the cell, and time around it, are in the files included below.
 */
#include <stdlib.h>
#include <string.h>

#include "random.h"

#include "oracle_activation.inc.h"
#include "oracle_time.inc.h"
#include "oracle_forward.inc.h"
#include "oracle_backward.inc.h"

/* -------------------------------------------------------------------------------------------------- memory ---- */

/* Count numbers of a block; NULL while there is only their sum to know. */
static REAL *take(REAL *block, size_t *total, size_t count)
{
	size_t place = *total;

	*total += count;
	return block ? block + place : NULL;
}

static sluice_status no_memory(size_t numbers)
{
	return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for an oracle of %zu numbers", numbers);
}

/* Scratch of one cell: R (.) M and M, the starts, a row of zeros, h~, and what backward needs. */
struct scratch {
	REAL *R, *M, *start_h, *start_c, *zeros, *masked, *dr, *dq, *de, *dp;
};

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Numbers of a row of what layer l reads, or of what y is made of. */
static size_t row_numbers(const struct sluice__network *network, size_t layer)
{
	return network->images[layer].places * network->widths[layer];
}

static size_t scratch_lay_out(const struct sluice__network *network, REAL *block, struct scratch *scratch)
{
	size_t H = 0, out = 0, matrix = 0, row = 0, total = 0;

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		H = larger(H, c_numbers(cell));
		out = larger(out, h_numbers(cell));
		matrix = larger(matrix, 4 * cell->hidden * sluice__window_columns(&cell->recurrent_window));
		row = larger(row, row_numbers(network, cell->layer + 1));
	}
	scratch->R = take(block, &total, matrix);
	scratch->M = take(block, &total, matrix);
	scratch->start_h = take(block, &total, out);
	scratch->start_c = take(block, &total, H);
	scratch->zeros = take(block, &total, larger(row, larger(H, out)));
	scratch->masked = take(block, &total, out);
	scratch->dr = take(block, &total, out);
	scratch->dq = take(block, &total, H);
	scratch->de = take(block, &total, H);
	scratch->dp = take(block, &total, H);
	return total;
}

/* Returns the block to free, or NULL. */
static REAL *scratch_create(const struct sluice__network *network, struct scratch *scratch)
{
	size_t total = scratch_lay_out(network, NULL, scratch);
	REAL *block = calloc(total, sizeof(REAL));

	if (!block)
		no_memory(total);
	else
		scratch_lay_out(network, block, scratch);
	return block;
}

/* The number arrays of a trace, whose pointer arrays exist. */
static size_t trace_lay_out(const struct sluice__network *network, const struct ORACLE_RUN *run, REAL *block,
			    struct ORACLE_TRACE *trace)
{
	size_t N = run->batch, rows = run->steps * N, total = 0;

	for (size_t layer = 0; layer <= network->layer_count; layer++)
		trace->inputs[layer] = take(block, &total, rows * row_numbers(network, layer));
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		size_t H = rows * c_numbers(cell), out = rows * h_numbers(cell);
		int projected = cell->weight_hr != SLUICE__NONE;

		trace->a[index] = take(block, &total, 4 * H);
		trace->terms[index] = run->terms ? take(block, &total, 4 * H) : NULL;
		trace->gates[index] = take(block, &total, 4 * H);
		trace->p[index] = take(block, &total, H);
		trace->e[index] = take(block, &total, H);
		trace->q[index] = take(block, &total, H);
		trace->pq[index] = projected ? take(block, &total, out) : trace->q[index];
		trace->r[index] = projected ? take(block, &total, out) : trace->q[index];
		trace->c[index] = take(block, &total, H);
		trace->h[index] = take(block, &total, out);
	}
	trace->last = run->last_only ? take(block, &total, N * row_numbers(network, network->layer_count)) : NULL;
	trace->y = take(block, &total, (run->last_only ? N : rows) * network->y_row);
	trace->y_reverse = network->separate ? take(block, &total, (run->last_only ? N : rows) * network->y_row) : NULL;
	trace->hn = take(block, &total, N * network->h_width);
	trace->cn = take(block, &total, N * network->c_width);
	return total;
}

static sluice_status trace_create(const struct sluice__network *network, const struct ORACLE_RUN *run,
				  struct ORACLE_TRACE *trace)
{
	REAL ***const arrays[] = {&trace->a, &trace->terms, &trace->gates, &trace->p, &trace->e,
				  &trace->q, &trace->pq,    &trace->r,     &trace->c, &trace->h};
	size_t layers = network->layer_count + 1, kinds = sizeof(arrays) / sizeof(arrays[0]), total;

	memset(trace, 0, sizeof(*trace));
	trace->inputs = calloc(layers + kinds * network->cell_count, sizeof(*trace->inputs));
	if (!trace->inputs)
		return no_memory(layers);
	for (size_t index = 0; index < kinds; index++)
		*arrays[index] = trace->inputs + layers + index * network->cell_count;
	total = trace_lay_out(network, run, NULL, trace);
	trace->block = calloc(total, sizeof(REAL));
	if (trace->block) {
		trace_lay_out(network, run, trace->block, trace);
		return SLUICE_OK;
	}
	ORACLE_TRACE_DESTROY(trace);
	return no_memory(total);
}

static size_t gradients_lay_out(const struct sluice__network *network, const struct ORACLE_RUN *run, REAL *block,
				struct ORACLE_GRADIENTS *gradients)
{
	size_t rows = run->steps * run->batch, last = network->layer_count, total = 0;

	for (size_t layer = 0; layer < last; layer++)
		gradients->dinputs[layer] = take(block, &total, rows * row_numbers(network, layer));
	gradients->dinputs[last] =
		take(block, &total, (run->last_only ? run->batch : rows) * row_numbers(network, last));
	for (size_t index = 0; index < network->cell_count; index++)
		gradients->da[index] = take(block, &total, rows * 4 * c_numbers(&network->cells[index]));
	gradients->dh0 = take(block, &total, run->batch * network->h_width);
	gradients->dc0 = take(block, &total, run->batch * network->c_width);
	gradients->dparameters = take(block, &total, network->parameter_count);
	gradients->terms = run->terms ? take(block, &total, network->parameter_count) : NULL;
	gradients->dx = gradients->dinputs[0];
	return total;
}

static sluice_status gradients_create(const struct sluice__network *network, const struct ORACLE_RUN *run,
				      struct ORACLE_GRADIENTS *gradients)
{
	size_t layers = network->layer_count + 1, total;

	memset(gradients, 0, sizeof(*gradients));
	gradients->dinputs = calloc(layers + network->cell_count, sizeof(*gradients->dinputs));
	if (!gradients->dinputs)
		return no_memory(layers);
	gradients->da = gradients->dinputs + layers;
	total = gradients_lay_out(network, run, NULL, gradients);
	gradients->block = calloc(total, sizeof(REAL));
	if (gradients->block) {
		gradients_lay_out(network, run, gradients->block, gradients);
		return SLUICE_OK;
	}
	ORACLE_GRADIENTS_DESTROY(gradients);
	return no_memory(total);
}

void ORACLE_TRACE_DESTROY(struct ORACLE_TRACE *trace)
{
	free(trace->inputs);
	free(trace->block);
	memset(trace, 0, sizeof(*trace));
}

void ORACLE_GRADIENTS_DESTROY(struct ORACLE_GRADIENTS *gradients)
{
	free(gradients->dinputs);
	free(gradients->block);
	memset(gradients, 0, sizeof(*gradients));
}

/* --------------------------------------------------------------------------------------------------- steps ---- */

/* The rows of step t of row n. */
static struct step step_at(const struct sluice__network *network, const struct ORACLE_RUN *run,
			   const struct ORACLE_TRACE *trace, const struct scratch *scratch, size_t index, size_t t,
			   size_t n)
{
	const struct sluice__cell *cell = &network->cells[index];
	const struct states h = h_states(cell, run, trace->h[index], scratch->start_h);
	const struct states c = c_states(cell, run, trace->c[index], scratch->start_c);
	size_t row = t * run->batch + n, H = c_numbers(cell), out = h_numbers(cell);

	return (struct step){
		.network = network,
		.cell = cell,
		.run = run,
		.R = scratch->R,
		.M = scratch->M,
		.t = t,
		.n = n,
		.x = trace->inputs[cell->layer] + row * row_numbers(network, cell->layer) + cell->input_column,
		.x_stride = network->widths[cell->layer],
		.h_before = state_before(&h, run, cell, t, n),
		.c_before = state_before(&c, run, cell, t, n),
		.masked = scratch->masked,
		.a = trace->a[index] + row * 4 * H,
		.terms = trace->terms[index] ? trace->terms[index] + row * 4 * H : NULL,
		.gates = trace->gates[index] + row * 4 * H,
		.p = trace->p[index] + row * H,
		.e = trace->e[index] + row * H,
		.q = trace->q[index] + row * H,
		.pq = trace->pq[index] + row * out,
		.r = trace->r[index] + row * out,
		.c = trace->c[index] + row * H,
		.h = trace->h[index] + row * out,
	};
}

/* What is the same in all steps of a cell. */
static void scratch_fill(const struct ORACLE_RUN *run, const struct sluice__cell *cell, const struct scratch *scratch)
{
	recurrent_make(run, cell, scratch->R, scratch->M);
	start_make(run, cell, cell->start_h, cell->out, scratch->start_h);
	start_make(run, cell, cell->start_c, cell->hidden, scratch->start_c);
}

static void sequence_forward(const struct sluice__network *network, const struct ORACLE_RUN *run,
			     const struct ORACLE_TRACE *trace, const struct scratch *scratch, size_t index)
{
	const struct sluice__cell *cell = &network->cells[index];
	const struct states h = h_states(cell, run, trace->h[index], scratch->start_h);
	const struct states c = c_states(cell, run, trace->c[index], scratch->start_c);
	size_t N = run->batch;
	REAL *hn = trace->hn + cell->h_state * N, *cn = trace->cn + cell->c_state * N;

	scratch_fill(run, cell, scratch);
	for (size_t number = 0; number < run->steps; number++)
		for (size_t n = 0; n < N; n++) {
			size_t t = time_of(cell, run->steps, number);
			struct step step;

			if (!ORACLE_HAS_STEP(run, t, n))
				continue;
			step = step_at(network, run, trace, scratch, index, t, n);
			if (ORACLE_COMPUTES_STEP(run, t, n))
				step_forward(&step);
			else
				hold_forward(&step);
		}
	for (size_t n = 0; n < N; n++) {
		memcpy(hn + n * h.width, state_final(&h, run, cell, n), h.width * sizeof(REAL));
		memcpy(cn + n * c.width, state_final(&c, run, cell, n), c.width * sizeof(REAL));
	}
}

/* What would flow behind a start is its gradient, if it is learned; of images the sum over all places. */
static void start_add(const struct ORACLE_GRADIENTS *gradients, const struct sluice__cell *cell, size_t start,
		      const REAL *d, size_t channels)
{
	const struct step_back b = {.dparameters = gradients->dparameters, .terms = gradients->terms};

	for (size_t k = 0; k < cell->places * channels && start != SLUICE__NONE; k++)
		parameter_add(&b, start + k % channels, d[k]);
}

/* A row of a cell at time t: dL/d(u) is that of the step, or of the row's only y at the cell's last step. */
static struct step_back step_back_at(const struct sluice__network *network, const struct ORACLE_RUN *run,
				     const struct scratch *scratch, const struct ORACLE_GRADIENTS *gradients,
				     size_t index, size_t t, size_t n)
{
	const struct sluice__cell *cell = &network->cells[index];
	size_t N = run->batch, row = t * N + n, H = c_numbers(cell), out = h_numbers(cell), layer = cell->layer;
	size_t width = row_numbers(network, layer + 1);
	int only = run->last_only && layer + 1 == network->layer_count;
	const REAL *dout = gradients->dinputs[layer + 1] + (only ? n : row) * width + cell->column;

	return (struct step_back){
		.dout = only && t != last_processed(run, cell, n) ? scratch->zeros : dout,
		.dh_given = run->dh_steps ? run->dh_steps + row * network->h_width + cell->h_state : scratch->zeros,
		.dc_given = run->dc_steps ? run->dc_steps + row * network->c_width + cell->c_state : scratch->zeros,
		.dout_stride = network->widths[layer + 1],
		.drop_t = only ? drop_time(run, cell, n) : t,
		.dh = gradients->dh0 + cell->h_state * N + n * out,
		.dc = gradients->dc0 + cell->c_state * N + n * H,
		.da = gradients->da[index] + row * 4 * H,
		.dx = gradients->dinputs[layer] + row * row_numbers(network, layer) + cell->input_column,
		.dparameters = gradients->dparameters,
		.terms = gradients->terms,
		.dr = scratch->dr,
		.dq = scratch->dq,
		.de = scratch->de,
		.dp = scratch->dp,
	};
}

static void sequence_backward(const struct sluice__network *network, const struct ORACLE_RUN *run,
			      const struct ORACLE_TRACE *trace, const struct scratch *scratch,
			      const struct ORACLE_GRADIENTS *gradients, size_t index)
{
	const struct sluice__cell *cell = &network->cells[index];
	size_t N = run->batch, H = c_numbers(cell), out = h_numbers(cell);
	REAL *dh = gradients->dh0 + cell->h_state * N, *dc = gradients->dc0 + cell->c_state * N;

	scratch_fill(run, cell, scratch);
	/* dh and dc walk backwards through time in place, from the final state's gradient to the initial state's. */
	if (run->dh)
		memcpy(dh, run->dh + cell->h_state * N, N * out * sizeof(REAL));
	if (run->dc)
		memcpy(dc, run->dc + cell->c_state * N, N * H * sizeof(REAL));
	for (size_t number = run->steps; number-- > 0;)
		for (size_t n = 0; n < N; n++) {
			size_t t = time_of(cell, run->steps, number);
			struct step step;
			struct step_back back;

			if (!ORACLE_HAS_STEP(run, t, n))
				continue;
			step = step_at(network, run, trace, scratch, index, t, n);
			back = step_back_at(network, run, scratch, gradients, index, t, n);
			state_backward(&step, &back);
			if (ORACLE_COMPUTES_STEP(run, t, n))
				step_backward(&step, &back);
			if (!ORACLE_BEGINS_ANEW(run, cell, t, n))
				continue;
			start_add(gradients, cell, cell->start_h, back.dh, cell->out);
			start_add(gradients, cell, cell->start_c, back.dc, cell->hidden);
			memset(back.dh, 0, out * sizeof(REAL));
			memset(back.dc, 0, H * sizeof(REAL));
		}
	for (size_t n = 0; n < N; n++) {
		start_add(gradients, cell, run->h0 ? SLUICE__NONE : cell->start_h, dh + n * out, cell->out);
		start_add(gradients, cell, run->c0 ? SLUICE__NONE : cell->start_c, dc + n * H, cell->hidden);
	}
}

/* ------------------------------------------------------------------------------------------------- network ---- */

/* Adds h of one step of one row, through the dropout of time drop_t, to the cell's columns of a row of what follows
 * the layer. */
static void h_emit(const struct sluice__network *network, const struct ORACLE_RUN *run, const struct sluice__cell *cell,
		   const REAL *h, size_t drop_t, size_t n, REAL *row)
{
	size_t width = network->widths[cell->layer + 1], out = cell->out;

	for (size_t k = 0; k < h_numbers(cell); k++)
		row[k / out * width + cell->column + k % out] +=
			h[k] * ORACLE_DROPOUT_FACTOR(network, run, cell, k, drop_t, n);
}

/* A cell's part of what follows its layer: m (.) (h + h) as the sum of two. */
static void cell_emit(const struct sluice__network *network, const struct ORACLE_RUN *run,
		      const struct ORACLE_TRACE *trace, size_t index)
{
	const struct sluice__cell *cell = &network->cells[index];
	size_t width = row_numbers(network, cell->layer + 1);

	for (size_t t = 0; t < run->steps; t++)
		for (size_t n = 0; n < run->batch; n++) {
			size_t row = t * run->batch + n;

			if (ORACLE_HAS_STEP(run, t, n))
				h_emit(network, run, cell, trace->h[index] + row * h_numbers(cell), t, n,
				       trace->inputs[cell->layer + 1] + row * width);
		}
}

/* The same of the last processed step of each row, for a cell of the last layer. */
static void last_emit(const struct sluice__network *network, const struct ORACLE_RUN *run,
		      const struct ORACLE_TRACE *trace, size_t index)
{
	const struct sluice__cell *cell = &network->cells[index];
	size_t width = row_numbers(network, network->layer_count);

	if (cell->layer + 1 != network->layer_count)
		return;
	for (size_t n = 0; n < run->batch; n++) {
		size_t row;

		if (is_empty(run, n))
			continue;
		row = last_processed(run, cell, n) * run->batch + n;
		h_emit(network, run, cell, trace->h[index] + row * h_numbers(cell), drop_time(run, cell, n), n,
		       trace->last + n * width);
	}
}

/* Whether row number `row` of y is that of a step that there is. */
static int has_y(const struct ORACLE_RUN *run, size_t row)
{
	if (run->last_only)
		return !is_empty(run, row);
	return ORACLE_HAS_STEP(run, row / run->batch, row % run->batch);
}

static size_t y_rows(const struct ORACLE_RUN *run)
{
	return run->last_only ? run->batch : run->steps * run->batch;
}

/* The read-out and the columns of y go place by place. */
static size_t y_places(const struct sluice__network *network)
{
	return network->images[network->layer_count].places;
}

static void readout_forward(const struct sluice__network *network, const struct ORACLE_RUN *run, const REAL *h, REAL *y)
{
	size_t width = network->widths[network->layer_count];
	const REAL *weight = run->parameters + network->readout_weight;
	size_t places = y_places(network);

	for (size_t row = 0; row < y_rows(run) * places; row++)
		for (size_t out = 0; out < network->outputs && has_y(run, row / places); out++) {
			struct sum sum = {run->parameters[network->readout_bias + out], 0};

			sum_product(&sum, weight + out * width, h + row * width, width);
			y[row * network->outputs + out] = sum.value;
		}
}

static void readout_backward(const struct sluice__network *network, const struct ORACLE_RUN *run, const REAL *h,
			     struct ORACLE_GRADIENTS *gradients, REAL *dh)
{
	size_t width = network->widths[network->layer_count], W = network->readout_weight;
	const struct step_back b = {.dparameters = gradients->dparameters, .terms = gradients->terms};
	size_t places = y_places(network);

	for (size_t row = 0; row < y_rows(run) * places; row++)
		for (size_t out = 0; out < network->outputs && has_y(run, row / places); out++) {
			REAL d = run->dy[row * network->outputs + out];

			parameter_add(&b, network->readout_bias + out, d);
			for (size_t k = 0; k < width; k++) {
				parameter_add(&b, W + out * width + k, d * h[row * width + k]);
				dh[row * width + k] += d * run->parameters[W + out * width + k];
			}
		}
}

/* y, or one of the two, from its columns of what it is made of. */
static void columns_out(const struct sluice__network *network, const struct ORACLE_RUN *run, const REAL *from,
			size_t column, REAL *y)
{
	size_t width = network->widths[network->layer_count], outputs = network->outputs, places = y_places(network);

	for (size_t row = 0; row < y_rows(run) * places && y; row++)
		if (has_y(run, row / places))
			memcpy(y + row * outputs, from + row * width + column, outputs * sizeof(REAL));
}

/* The gradient of y, or of one of the two, to its columns of what it is made of. */
static void columns_in(const struct sluice__network *network, const struct ORACLE_RUN *run, const REAL *dy,
		       size_t column, REAL *to)
{
	size_t width = network->widths[network->layer_count], outputs = network->outputs, places = y_places(network);

	for (size_t row = 0; row < y_rows(run) * places && dy; row++)
		if (has_y(run, row / places))
			memcpy(to + row * width + column, dy + row * outputs, outputs * sizeof(REAL));
}

/* x of the steps that rows have; nothing else of it is read. */
static void x_copy(const struct sluice__network *network, const struct ORACLE_RUN *run, REAL *to)
{
	size_t I = network->x_row;

	for (size_t t = 0; t < run->steps; t++)
		for (size_t n = 0; n < run->batch; n++)
			if (ORACLE_HAS_STEP(run, t, n))
				memcpy(to + (t * run->batch + n) * I, run->x + (t * run->batch + n) * I,
				       I * sizeof(REAL));
}

sluice_status ORACLE_FORWARD(const struct sluice__network *network, const struct ORACLE_RUN *run,
			     struct ORACLE_TRACE *out)
{
	struct ORACLE_TRACE trace;
	struct scratch scratch;
	REAL *block = scratch_create(network, &scratch);
	const REAL *h;

	if (!block)
		return SLUICE_OUT_OF_MEMORY;
	if (trace_create(network, run, &trace) != SLUICE_OK) {
		free(block);
		return SLUICE_OUT_OF_MEMORY;
	}
	x_copy(network, run, trace.inputs[0]);
	/* Cells stand in the order of the layers, so that a layer's inputs are complete before its first cell runs. */
	for (size_t index = 0; index < network->cell_count; index++) {
		sequence_forward(network, run, &trace, &scratch, index);
		cell_emit(network, run, &trace, index);
		if (run->last_only)
			last_emit(network, run, &trace, index);
	}
	h = run->last_only ? trace.last : trace.inputs[network->layer_count];
	if (network->readout) {
		readout_forward(network, run, h, trace.y);
	} else {
		columns_out(network, run, h, 0, trace.y);
		columns_out(network, run, h, network->outputs, trace.y_reverse);
	}
	free(block);
	*out = trace;
	return SLUICE_OK;
}

/* dL/d(what y is made of). */
static void output_layer_backward(const struct sluice__network *network, const struct ORACLE_RUN *run,
				  const struct ORACLE_TRACE *trace, struct ORACLE_GRADIENTS *gradients)
{
	const REAL *h = run->last_only ? trace->last : trace->inputs[network->layer_count];
	REAL *dlast = gradients->dinputs[network->layer_count];

	if (network->readout && run->dy)
		readout_backward(network, run, h, gradients, dlast);
	if (network->readout)
		return;
	columns_in(network, run, run->dy, 0, dlast);
	if (network->separate)
		columns_in(network, run, run->dy_reverse, network->outputs, dlast);
}

sluice_status ORACLE_BACKWARD(const struct sluice__network *network, const struct ORACLE_RUN *run,
			      const struct ORACLE_TRACE *trace, struct ORACLE_GRADIENTS *out)
{
	struct ORACLE_GRADIENTS gradients;
	struct scratch scratch;
	REAL *block = scratch_create(network, &scratch);

	if (!block)
		return SLUICE_OUT_OF_MEMORY;
	if (gradients_create(network, run, &gradients) != SLUICE_OK) {
		free(block);
		return SLUICE_OUT_OF_MEMORY;
	}
	output_layer_backward(network, run, trace, &gradients);
	for (size_t index = network->cell_count; index-- > 0;)
		sequence_backward(network, run, trace, &scratch, &gradients, index);
	free(block);
	*out = gradients;
	return SLUICE_OK;
}
