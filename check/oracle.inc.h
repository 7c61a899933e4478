/*
 * oracle.inc.h: EQUATIONS.md line by line for one number type; set REAL, ORACLE(name) and MATH(name), which gives a
 * function of math.h its suffix, then include.
 *
 * Plain loops in the order of the equations. Clarity is the only aim: whoever doubts a kernel reads this. Here is the
 * network; the cell is in the files included below.
 */
#include <stdlib.h>
#include <string.h>

#include "random.h"

#include "oracle_activation.inc.h"
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

/* Scratch of one cell: R (.) M and M, a row of zeros, h~, and what backward needs. */
struct scratch {
	REAL *R, *M, *zeros, *masked, *dr, *dq, *de, *dp;
};

static size_t scratch_lay_out(const struct sluice__network *network, REAL *block, struct scratch *scratch)
{
	size_t H = 0, out = 0, matrix = 0, total = 0;

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		H = cell->hidden > H ? cell->hidden : H;
		out = cell->out > out ? cell->out : out;
		matrix = 4 * cell->hidden * cell->out > matrix ? 4 * cell->hidden * cell->out : matrix;
	}
	scratch->R = take(block, &total, matrix);
	scratch->M = take(block, &total, matrix);
	scratch->zeros = take(block, &total, H > out ? H : out);
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
		trace->inputs[layer] = take(block, &total, rows * network->widths[layer]);
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		size_t H = rows * cell->hidden, out = rows * cell->out;
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
	trace->last = run->last_only ? take(block, &total, N * network->widths[network->layer_count]) : NULL;
	trace->y = take(block, &total, (run->last_only ? N : rows) * network->outputs);
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
	size_t rows = run->steps * run->batch, total = 0;

	for (size_t layer = 0; layer <= network->layer_count; layer++)
		gradients->dinputs[layer] = take(block, &total, rows * network->widths[layer]);
	for (size_t index = 0; index < network->cell_count; index++)
		gradients->da[index] = take(block, &total, rows * 4 * network->cells[index].hidden);
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

/* The time index of a cell's processing step. */
static size_t time_of(const struct sluice__cell *cell, size_t steps, size_t step)
{
	return cell->reverse ? steps - 1 - step : step;
}

/* A row of h or c, `width` wide, before a step: of the step before, or of the initial state, or zeros. */
static const REAL *row_before(const struct sluice__cell *cell, const struct ORACLE_RUN *run, const REAL *sequence,
			      const REAL *initial, const REAL *zeros, size_t width, size_t step, size_t n)
{
	if (step > 0)
		return sequence + (time_of(cell, run->steps, step - 1) * run->batch + n) * width;
	return initial ? initial + n * width : zeros;
}

/* The rows of processing step number `number` of row n. */
static struct step step_at(const struct sluice__network *network, const struct ORACLE_RUN *run,
			   const struct ORACLE_TRACE *trace, const struct scratch *scratch, size_t index, size_t number,
			   size_t n)
{
	const struct sluice__cell *cell = &network->cells[index];
	const REAL *h0 = run->h0 ? run->h0 + cell->h_state * run->batch : NULL;
	const REAL *c0 = run->c0 ? run->c0 + cell->c_state * run->batch : NULL;
	size_t t = time_of(cell, run->steps, number), row = t * run->batch + n, H = cell->hidden, out = cell->out;

	return (struct step){
		.network = network,
		.cell = cell,
		.run = run,
		.R = scratch->R,
		.M = scratch->M,
		.t = t,
		.n = n,
		.x = trace->inputs[cell->layer] + row * cell->inputs,
		.h_before = row_before(cell, run, trace->h[index], h0, scratch->zeros, out, number, n),
		.c_before = row_before(cell, run, trace->c[index], c0, scratch->zeros, H, number, n),
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

static void sequence_forward(const struct sluice__network *network, const struct ORACLE_RUN *run,
			     const struct ORACLE_TRACE *trace, const struct scratch *scratch, size_t index)
{
	const struct sluice__cell *cell = &network->cells[index];
	size_t N = run->batch, end = time_of(cell, run->steps, run->steps - 1) * N;

	recurrent_make(run, cell, scratch->R, scratch->M);
	for (size_t number = 0; number < run->steps; number++)
		for (size_t n = 0; n < N; n++) {
			struct step step = step_at(network, run, trace, scratch, index, number, n);

			step_forward(&step);
		}
	memcpy(trace->hn + cell->h_state * N, trace->h[index] + end * cell->out, N * cell->out * sizeof(REAL));
	memcpy(trace->cn + cell->c_state * N, trace->c[index] + end * cell->hidden, N * cell->hidden * sizeof(REAL));
}

static void sequence_backward(const struct sluice__network *network, const struct ORACLE_RUN *run,
			      const struct ORACLE_TRACE *trace, const struct scratch *scratch,
			      const struct ORACLE_GRADIENTS *gradients, size_t index)
{
	const struct sluice__cell *cell = &network->cells[index];
	size_t N = run->batch, H = cell->hidden, out = cell->out;
	REAL *dh = gradients->dh0 + cell->h_state * N, *dc = gradients->dc0 + cell->c_state * N;

	recurrent_make(run, cell, scratch->R, scratch->M);
	/* dh and dc walk backwards through time in place, from the final state's gradient to the initial state's. */
	if (run->dh)
		memcpy(dh, run->dh + cell->h_state * N, N * out * sizeof(REAL));
	if (run->dc)
		memcpy(dc, run->dc + cell->c_state * N, N * H * sizeof(REAL));
	for (size_t number = run->steps; number-- > 0;)
		for (size_t n = 0; n < N; n++) {
			struct step step = step_at(network, run, trace, scratch, index, number, n);
			size_t row = step.t * N + n, width = network->widths[cell->layer + 1];
			struct step_back back = {
				.dout = gradients->dinputs[cell->layer + 1] + row * width + cell->column,
				.dh = dh + n * out,
				.dc = dc + n * H,
				.da = gradients->da[index] + row * 4 * H,
				.dx = gradients->dinputs[cell->layer] + row * cell->inputs,
				.dparameters = gradients->dparameters,
				.terms = gradients->terms,
				.dr = scratch->dr,
				.dq = scratch->dq,
				.de = scratch->de,
				.dp = scratch->dp,
			};

			step_backward(&step, &back);
		}
}

/* ------------------------------------------------------------------------------------------------- network ---- */

/* Puts a cell's h, through dropout, into its columns of what follows the layer. */
static void cell_emit(const struct sluice__network *network, const struct ORACLE_RUN *run,
		      const struct ORACLE_TRACE *trace, size_t index)
{
	const struct sluice__cell *cell = &network->cells[index];
	size_t width = network->widths[cell->layer + 1];
	REAL *out = trace->inputs[cell->layer + 1];

	for (size_t t = 0; t < run->steps; t++)
		for (size_t n = 0; n < run->batch; n++)
			for (size_t k = 0; k < cell->out; k++) {
				size_t row = t * run->batch + n;

				out[row * width + cell->column + k] =
					trace->h[index][row * cell->out + k] *
					ORACLE_DROPOUT_FACTOR(network, run, cell, k, t, n);
			}
}

/* Copies the last processed step of each direction between [T,N,width] and [N,width]: out of the sequence if
 * `take_out`, else into it. */
static void last_copy(const struct sluice__network *network, const struct ORACLE_RUN *run, REAL *sequence, REAL *last,
		      int take_out)
{
	size_t width = network->widths[network->layer_count];

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		size_t t = time_of(cell, run->steps, run->steps - 1);

		if (cell->layer + 1 != network->layer_count)
			continue;
		for (size_t n = 0; n < run->batch; n++) {
			REAL *there = sequence + (t * run->batch + n) * width + cell->column;
			REAL *here = last + n * width + cell->column;

			memcpy(take_out ? here : there, take_out ? there : here, cell->out * sizeof(REAL));
		}
	}
}

static void readout_forward(const struct sluice__network *network, const REAL *parameters, size_t rows, const REAL *h,
			    REAL *y)
{
	size_t width = network->widths[network->layer_count];

	for (size_t row = 0; row < rows; row++)
		for (size_t out = 0; out < network->outputs; out++) {
			struct sum sum = {parameters[network->readout_bias + out], 0};

			sum_product(&sum, parameters + network->readout_weight + out * width, h + row * width, width);
			y[row * network->outputs + out] = sum.value;
		}
}

static void readout_backward(const struct sluice__network *network, const REAL *parameters, size_t rows, const REAL *h,
			     const REAL *dy, struct ORACLE_GRADIENTS *gradients, REAL *dh)
{
	size_t width = network->widths[network->layer_count], W = network->readout_weight;
	const struct step_back b = {.dparameters = gradients->dparameters, .terms = gradients->terms};

	for (size_t row = 0; row < rows; row++)
		for (size_t out = 0; out < network->outputs; out++) {
			REAL d = dy[row * network->outputs + out];

			parameter_add(&b, network->readout_bias + out, d);
			for (size_t k = 0; k < width; k++) {
				parameter_add(&b, W + out * width + k, d * h[row * width + k]);
				dh[row * width + k] += d * parameters[W + out * width + k];
			}
		}
}

sluice_status ORACLE_FORWARD(const struct sluice__network *network, const struct ORACLE_RUN *run,
			     struct ORACLE_TRACE *out)
{
	size_t rows = run->steps * run->batch, last = network->layer_count;
	size_t y_rows = run->last_only ? run->batch : rows;
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
	memcpy(trace.inputs[0], run->x, rows * network->inputs * sizeof(REAL));
	/* Cells stand in the order of the layers, so that a layer's inputs are complete before its first cell runs. */
	for (size_t index = 0; index < network->cell_count; index++) {
		sequence_forward(network, run, &trace, &scratch, index);
		cell_emit(network, run, &trace, index);
	}
	if (run->last_only)
		last_copy(network, run, trace.inputs[last], trace.last, 1);
	h = run->last_only ? trace.last : trace.inputs[last];
	if (network->readout)
		readout_forward(network, run->parameters, y_rows, h, trace.y);
	else
		memcpy(trace.y, h, y_rows * network->outputs * sizeof(REAL));
	free(block);
	*out = trace;
	return SLUICE_OK;
}

/* dL/d(what y is made of) from dy, into dlast: [T,N,width], or [N,width] if the run is last_only. */
static void output_layer_backward(const struct sluice__network *network, const struct ORACLE_RUN *run,
				  const struct ORACLE_TRACE *trace, struct ORACLE_GRADIENTS *gradients, REAL *dlast)
{
	size_t rows = run->last_only ? run->batch : run->steps * run->batch;
	const REAL *h = run->last_only ? trace->last : trace->inputs[network->layer_count];

	if (network->readout)
		readout_backward(network, run->parameters, rows, h, run->dy, gradients, dlast);
	else
		memcpy(dlast, run->dy, rows * network->outputs * sizeof(REAL));
}

sluice_status ORACLE_BACKWARD(const struct sluice__network *network, const struct ORACLE_RUN *run,
			      const struct ORACLE_TRACE *trace, struct ORACLE_GRADIENTS *out)
{
	size_t width = network->widths[network->layer_count];
	struct ORACLE_GRADIENTS gradients = {0};
	struct scratch scratch;
	REAL *block = scratch_create(network, &scratch), *dlast = calloc(run->batch * width, sizeof(REAL));
	sluice_status status = SLUICE_OUT_OF_MEMORY;

	if (!dlast)
		no_memory(run->batch * width);
	if (!block || !dlast || gradients_create(network, run, &gradients) != SLUICE_OK)
		goto fail;
	if (run->dy && run->last_only) {
		output_layer_backward(network, run, trace, &gradients, dlast);
		last_copy(network, run, gradients.dinputs[network->layer_count], dlast, 0);
	} else if (run->dy) {
		output_layer_backward(network, run, trace, &gradients, gradients.dinputs[network->layer_count]);
	}
	for (size_t index = network->cell_count; index-- > 0;)
		sequence_backward(network, run, trace, &scratch, &gradients, index);
	*out = gradients;
	status = SLUICE_OK;
fail:
	free(dlast);
	free(block);
	return status;
}
