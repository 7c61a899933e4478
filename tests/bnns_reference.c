/* bnns_reference.c: the LSTM of BNNS step by step, row by row and unit by unit, and its reverse. */
#include "bnns_reference.h"

#include <stdlib.h>
#include <string.h>

typedef struct bnns_number number;
typedef struct bnns_sum sum;

/* What a direction of a layer keeps of its forward pass: [T][N][H] each. */
struct cell {
	number *a[BNNS_GATES], *s[BNNS_GATES], *c, *h;
};

struct work {
	const struct bnns_problem *p;
	struct bnns_results *out;
	struct cell *cells;    /* [L][D] */
	number **layer_inputs; /* [L][D] the x that each cell reads: [T][N][width] */
	sum *diw[BNNS_GATES], *dhw[BNNS_GATES], *dcw[BNNS_GATES], *db[BNNS_GATES];
	sum *dinputs[2];  /* [T][N][width] of what the cells of a layer read */
	number *above[2]; /* [T][N][H] gradient of h that comes from above */
	void **blocks;
	size_t block_count, failed;
};

/* ----------------------------------------------------------------------------------------------------- places ---- */

size_t bnns_width(const struct bnns_problem *p, size_t layer)
{
	if (!layer)
		return p->inputs;
	return p->concatenated ? p->directions * p->hidden : p->hidden;
}

size_t bnns_iw_offset(const struct bnns_problem *p, size_t layer, size_t direction)
{
	size_t offset = 0;

	for (size_t below = 0; below < layer; below++)
		offset += p->directions * p->hidden * bnns_width(p, below);
	return offset + direction * p->hidden * bnns_width(p, layer);
}

size_t bnns_iw_count(const struct bnns_problem *p)
{
	return bnns_iw_offset(p, p->layers, 0);
}

size_t bnns_b_count(const struct bnns_problem *p)
{
	return p->layers * p->directions * p->hidden;
}

size_t bnns_hw_count(const struct bnns_problem *p)
{
	return bnns_b_count(p) * p->hidden;
}

size_t bnns_state_count(const struct bnns_problem *p)
{
	return bnns_b_count(p) * p->batch;
}

size_t bnns_x_count(const struct bnns_problem *p)
{
	return p->steps * p->batch * p->inputs;
}

size_t bnns_y_count(const struct bnns_problem *p)
{
	return p->steps * p->batch * p->directions * p->hidden;
}

int bnns_has_step(const struct bnns_problem *p, size_t t, size_t n)
{
	return !p->batch_sizes || n < p->batch_sizes[t];
}

static size_t length_of(const struct bnns_problem *p, size_t n)
{
	size_t length = 0;

	while (length < p->steps && bnns_has_step(p, length, n))
		length++;
	return length;
}

/* Cell number l*D + d; the place of unit k of row n in step t, and in a state. */
static size_t cell_of(const struct bnns_problem *p, size_t layer, size_t direction)
{
	return layer * p->directions + direction;
}

static size_t place(const struct bnns_problem *p, size_t t, size_t n, size_t k)
{
	return (t * p->batch + n) * p->hidden + k;
}

static size_t state_place(const struct bnns_problem *p, size_t cell, size_t n, size_t k)
{
	return (cell * p->batch + n) * p->hidden + k;
}

/* Step number `index` of a row that a direction processes. */
static size_t step_of(size_t direction, size_t length, size_t index)
{
	return direction ? length - 1 - index : index;
}

/* ----------------------------------------------------------------------------------------------------- memory ---- */

static void *take(struct work *work, size_t count, size_t bytes)
{
	void *block = calloc(count ? count : 1, bytes);

	if (!block)
		work->failed = 1;
	work->blocks[work->block_count++] = block;
	return block;
}

static void cell_take(struct work *work, struct cell *cell)
{
	const size_t count = work->p->steps * work->p->batch * work->p->hidden;

	for (size_t k = 0; k < BNNS_GATES; k++) {
		cell->a[k] = take(work, count, sizeof(number));
		cell->s[k] = take(work, count, sizeof(number));
	}
	cell->c = take(work, count, sizeof(number));
	cell->h = take(work, count, sizeof(number));
}

static size_t widest(const struct bnns_problem *p)
{
	const size_t upper = p->directions * p->hidden;

	return p->inputs > upper ? p->inputs : upper;
}

static int work_take(struct work *work)
{
	const struct bnns_problem *p = work->p;
	const size_t cells = p->layers * p->directions, rows = p->steps * p->batch;

	work->blocks = calloc(cells * 11 + 4 * BNNS_GATES + 8, sizeof(void *));
	if (!work->blocks)
		return 0;
	work->cells = take(work, cells, sizeof(*work->cells));
	work->layer_inputs = take(work, cells, sizeof(number *));
	for (size_t index = 0; index < cells && !work->failed; index++) {
		cell_take(work, &work->cells[index]);
		work->layer_inputs[index] = take(work, rows * widest(p), sizeof(number));
	}
	for (size_t k = 0; k < BNNS_GATES; k++) {
		work->diw[k] = take(work, bnns_iw_count(p), sizeof(sum));
		work->dhw[k] = take(work, bnns_hw_count(p), sizeof(sum));
		work->dcw[k] = take(work, bnns_hw_count(p), sizeof(sum));
		work->db[k] = take(work, bnns_b_count(p), sizeof(sum));
	}
	for (size_t d = 0; d < 2; d++) {
		work->dinputs[d] = take(work, rows * widest(p), sizeof(sum));
		work->above[d] = take(work, rows * p->hidden, sizeof(number));
	}
	return !work->failed;
}

static void work_release(struct work *work)
{
	for (size_t index = 0; index < work->block_count; index++)
		free(work->blocks[index]);
	free(work->blocks);
}

static number *cut(number **next, size_t count)
{
	number *start = *next;

	*next += count;
	return start;
}

static int results_take(const struct bnns_problem *p, struct bnns_results *out)
{
	const size_t iw = bnns_iw_count(p), hw = bnns_hw_count(p), b = bnns_b_count(p), states = bnns_state_count(p);
	number *next =
		calloc(bnns_y_count(p) + bnns_x_count(p) + 4 * states + BNNS_GATES * (iw + 2 * hw + b), sizeof(number));

	out->block = next;
	if (!next)
		return 0;
	out->y = cut(&next, bnns_y_count(p));
	out->h = cut(&next, states);
	out->c = cut(&next, states);
	out->dx = cut(&next, bnns_x_count(p));
	out->dh0 = cut(&next, states);
	out->dc0 = cut(&next, states);
	for (size_t k = 0; k < BNNS_GATES; k++) {
		out->diw[k] = cut(&next, iw);
		out->dhw[k] = cut(&next, hw);
		out->dcw[k] = cut(&next, hw);
		out->db[k] = cut(&next, b);
	}
	return 1;
}

void bnns_results_destroy(struct bnns_results *results)
{
	free(results->block);
	results->block = NULL;
}

/* ---------------------------------------------------------------------------------------------------- forward ---- */

/* h or c before a row's step number `index`. */
static number before(const struct bnns_problem *p, const number *kept, const double *initial, size_t cell, size_t n,
		     size_t k, size_t length, size_t index)
{
	if (index)
		return kept[place(p, step_of(cell % p->directions, length, index - 1), n, k)];
	return number_exact(initial ? initial[state_place(p, cell, n, k)] : 0);
}

/* bias + iw x + hw h + cw c of one unit of one gate; `peeked` is the c that the gate sees. */
static number pre_activation(const struct work *work, size_t gate, size_t cell, size_t unit, const number *x,
			     const number *h, const number *peeked)
{
	const struct bnns_problem *p = work->p;
	const size_t width = bnns_width(p, cell / p->directions);
	const size_t row = cell * p->hidden + unit;
	const double *iw = p->iw[gate] + bnns_iw_offset(p, cell / p->directions, cell % p->directions) + unit * width;
	sum total = {0};

	if (p->b[gate])
		sum_add(&total, number_exact(p->b[gate][row]));
	for (size_t k = 0; k < width; k++)
		sum_product(&total, number_exact(iw[k]), x[k]);
	for (size_t k = 0; k < p->hidden; k++)
		sum_product(&total, number_exact(p->hw[gate][row * p->hidden + k]), h[k]);
	for (size_t k = 0; k < p->hidden && p->cw[gate]; k++)
		sum_product(&total, number_exact(p->cw[gate][row * p->hidden + k]), peeked[k]);
	return sum_close(&total);
}

static void gate(struct work *work, size_t which, size_t cell, size_t at, const number *x, const number *h,
		 const number *peeked)
{
	struct cell *kept = &work->cells[cell];

	for (size_t unit = 0; unit < work->p->hidden; unit++) {
		kept->a[which][at + unit] = pre_activation(work, which, cell, unit, x, h, peeked);
		kept->s[which][at + unit] = number_activation(&work->p->activations[which], kept->a[which][at + unit]);
	}
}

/* One step of one row: `at` is its place, x what the cell reads, h and c the state before. */
static void step(struct work *work, size_t cell, size_t at, const number *x, const number *h, const number *c)
{
	const struct bnns_problem *p = work->p;
	struct cell *kept = &work->cells[cell];

	gate(work, BNNS_INPUT, cell, at, x, h, c);
	gate(work, BNNS_FORGET, cell, at, x, h, c);
	gate(work, BNNS_CANDIDATE, cell, at, x, h, c);
	for (size_t k = at; k < at + p->hidden; k++)
		kept->c[k] = number_add(number_multiply(kept->s[BNNS_FORGET][k], c[k - at]),
					number_multiply(kept->s[BNNS_INPUT][k], kept->s[BNNS_CANDIDATE][k]));
	gate(work, BNNS_OUTPUT, cell, at, x, h, kept->c + at);
	for (size_t k = at; k < at + p->hidden; k++)
		kept->h[k] = number_stored(p->data,
					   number_multiply(kept->s[BNNS_OUTPUT][k],
							   number_activation(&p->activations[BNNS_GATES], kept->c[k])));
}

/* One row of one cell through all its steps, and its final state. */
static void forward_row(struct work *work, size_t cell, size_t n, number *h, number *c)
{
	const struct bnns_problem *p = work->p;
	const struct cell *kept = &work->cells[cell];
	const size_t length = length_of(p, n), width = bnns_width(p, cell / p->directions);

	for (size_t index = 0; index <= length; index++) {
		for (size_t k = 0; k < p->hidden; k++) {
			h[k] = before(p, kept->h, p->h0, cell, n, k, length, index);
			c[k] = before(p, kept->c, p->c0, cell, n, k, length, index);
		}
		if (index < length) {
			const size_t t = step_of(cell % p->directions, length, index);

			step(work, cell, place(p, t, n, 0), work->layer_inputs[cell] + (t * p->batch + n) * width, h,
			     c);
		}
	}
	for (size_t k = 0; k < p->hidden; k++) {
		work->out->h[state_place(p, cell, n, k)] = h[k];
		work->out->c[state_place(p, cell, n, k)] = c[k];
	}
}

/* The factor of dropout on h of a cell on its way up. */
static number mask_of(const struct bnns_problem *p, size_t cell, size_t t, size_t n, size_t k)
{
	const size_t count = p->steps * p->batch * p->hidden;
	double factor = p->masks ? p->masks[cell * count + place(p, t, n, k)] : 1;

	return (struct bnns_number){factor, p->masks ? fabs(factor) * p->mask_error : 0};
}

static number dropped(const struct work *work, size_t cell, size_t t, size_t n, size_t k)
{
	const number h = work->cells[cell].h[place(work->p, t, n, k)];

	if (!work->p->masks)
		return h;
	return number_multiply(mask_of(work->p, cell, t, n, k), h);
}

/* What a cell reads in a row of a step. */
static void feed(struct work *work, size_t cell, size_t t, size_t n)
{
	const struct bnns_problem *p = work->p;
	const size_t layer = cell / p->directions, width = bnns_width(p, layer), row = t * p->batch + n;
	number *x = work->layer_inputs[cell] + row * width;

	for (size_t k = 0; k < width; k++) {
		const size_t direction = p->concatenated ? k / p->hidden : cell % p->directions;

		x[k] = layer ? dropped(work, cell_of(p, layer - 1, direction), t, n, k % p->hidden)
			     : number_exact(p->x[row * width + k]);
	}
}

static void forward(struct work *work, number *h, number *c)
{
	const struct bnns_problem *p = work->p;
	const size_t cells = p->layers * p->directions, last = cells - p->directions;

	for (size_t cell = 0; cell < cells; cell++)
		for (size_t n = 0; n < p->batch; n++) {
			for (size_t t = 0; t < length_of(p, n); t++)
				feed(work, cell, t, n);
			forward_row(work, cell, n, h, c);
		}
	for (size_t t = 0; t < p->steps; t++)
		for (size_t n = 0; n < p->batch; n++)
			for (size_t k = 0; k < p->directions * p->hidden && bnns_has_step(p, t, n); k++)
				work->out->y[place(p, t, n, 0) * p->directions + k] =
					work->cells[last + k / p->hidden].h[place(p, t, n, k % p->hidden)];
}

/* --------------------------------------------------------------------------------------------------- backward ---- */

/* The gradients of the four pre-activations of one row of a step, and what is known of it. */
struct slope_row {
	number *da[BNNS_GATES], *dc, *h, *c; /* [H]: h and c before the step; dc is that of the new cell */
};

static number slope(const struct work *work, size_t which, size_t cell, size_t at)
{
	return number_slope(&work->p->activations[which], work->cells[cell].a[which][at]);
}

/* cw^T da of one gate, into a sum of unit k. */
static void peek_back(const struct bnns_problem *p, size_t which, size_t cell, size_t k, const number *da, sum *into)
{
	for (size_t unit = 0; unit < p->hidden && p->cw[which]; unit++)
		sum_product(into, number_exact(p->cw[which][(cell * p->hidden + unit) * p->hidden + k]), da[unit]);
}

/* From dh and dc of a step's end to da and the dc of the new cell. */
static void gates_back(const struct work *work, size_t cell, size_t at, const number *dh, const number *dc,
		       struct slope_row *row)
{
	const struct bnns_problem *p = work->p;
	const struct cell *kept = &work->cells[cell];
	const BNNSActivation *hidden = &p->activations[BNNS_GATES];

	for (size_t k = 0; k < p->hidden; k++)
		row->da[BNNS_OUTPUT][k] =
			number_multiply(number_multiply(dh[k], number_activation(hidden, kept->c[at + k])),
					slope(work, BNNS_OUTPUT, cell, at + k));
	for (size_t k = 0; k < p->hidden; k++) {
		const number through = number_multiply(number_multiply(dh[k], kept->s[BNNS_OUTPUT][at + k]),
						       number_slope(hidden, kept->c[at + k]));
		sum total = {0};

		sum_add(&total, dc[k]);
		sum_add(&total, through);
		peek_back(p, BNNS_OUTPUT, cell, k, row->da[BNNS_OUTPUT], &total);
		row->dc[k] = sum_close(&total);
		row->da[BNNS_INPUT][k] = number_multiply(number_multiply(row->dc[k], kept->s[BNNS_CANDIDATE][at + k]),
							 slope(work, BNNS_INPUT, cell, at + k));
		row->da[BNNS_FORGET][k] =
			number_multiply(number_multiply(row->dc[k], row->c[k]), slope(work, BNNS_FORGET, cell, at + k));
		row->da[BNNS_CANDIDATE][k] = number_multiply(number_multiply(row->dc[k], kept->s[BNNS_INPUT][at + k]),
							     slope(work, BNNS_CANDIDATE, cell, at + k));
	}
}

/* From da to dh and dc of the step before. */
static void states_back(const struct work *work, size_t cell, size_t at, const struct slope_row *row, number *dh,
			number *dc)
{
	const struct bnns_problem *p = work->p;

	for (size_t k = 0; k < p->hidden; k++) {
		sum h = {0}, c = {0};

		for (size_t which = 0; which < BNNS_GATES; which++)
			for (size_t unit = 0; unit < p->hidden; unit++)
				sum_product(&h, number_exact(p->hw[which][(cell * p->hidden + unit) * p->hidden + k]),
					    row->da[which][unit]);
		sum_add(&c, number_multiply(row->dc[k], work->cells[cell].s[BNNS_FORGET][at + k]));
		for (size_t which = BNNS_INPUT; which <= BNNS_CANDIDATE; which++)
			peek_back(p, which, cell, k, row->da[which], &c);
		dh[k] = sum_close(&h);
		dc[k] = sum_close(&c);
	}
}

/* Adds a row of a step to the gradients of the weights and of what the cell reads. */
static void weights_back(struct work *work, size_t cell, size_t t, size_t n, const struct slope_row *row)
{
	const struct bnns_problem *p = work->p;
	const size_t direction = cell % p->directions, width = bnns_width(p, cell / p->directions);
	const size_t iw = bnns_iw_offset(p, cell / p->directions, direction);
	const number *x = work->layer_inputs[cell] + (t * p->batch + n) * width, *c = work->cells[cell].c;
	sum *dx = work->dinputs[p->concatenated ? 0 : direction] + (t * p->batch + n) * width;

	for (size_t which = 0; which < BNNS_GATES; which++) {
		const number *peeked = which == BNNS_OUTPUT ? c + place(p, t, n, 0) : row->c;

		for (size_t unit = 0; unit < p->hidden; unit++) {
			const number da = row->da[which][unit];
			const size_t at = cell * p->hidden + unit;

			sum_add(&work->db[which][at], da);
			for (size_t k = 0; k < width; k++) {
				sum_product(&work->diw[which][iw + unit * width + k], da, x[k]);
				sum_product(&dx[k], da, number_exact(p->iw[which][iw + unit * width + k]));
			}
			for (size_t k = 0; k < p->hidden; k++) {
				sum_product(&work->dhw[which][at * p->hidden + k], da, row->h[k]);
				sum_product(&work->dcw[which][at * p->hidden + k], da, peeked[k]);
			}
		}
	}
}

static number given(const double *array, size_t index)
{
	return number_exact(array ? array[index] : 0);
}

static void backward_row(struct work *work, size_t cell, size_t n, number *scratch)
{
	const struct bnns_problem *p = work->p;
	const size_t length = length_of(p, n), H = p->hidden;
	struct slope_row row = {{scratch, scratch + H, scratch + 2 * H, scratch + 3 * H},
				scratch + 4 * H,
				scratch + 5 * H,
				scratch + 6 * H};
	number *dh = scratch + 7 * H, *dc = scratch + 8 * H;

	for (size_t k = 0; k < H; k++) {
		dh[k] = given(p->dh, state_place(p, cell, n, k));
		dc[k] = given(p->dc, state_place(p, cell, n, k));
	}
	for (size_t index = length; index-- > 0;) {
		const size_t t = step_of(cell % p->directions, length, index), at = place(p, t, n, 0);

		for (size_t k = 0; k < H; k++) {
			row.h[k] = before(p, work->cells[cell].h, p->h0, cell, n, k, length, index);
			row.c[k] = before(p, work->cells[cell].c, p->c0, cell, n, k, length, index);
			dh[k] = number_add(dh[k], work->above[cell % p->directions][at + k]);
		}
		gates_back(work, cell, at, dh, dc, &row);
		weights_back(work, cell, t, n, &row);
		states_back(work, cell, at, &row, dh, dc);
	}
	for (size_t k = 0; k < H; k++) {
		work->out->dh0[state_place(p, cell, n, k)] = dh[k];
		work->out->dc0[state_place(p, cell, n, k)] = dc[k];
	}
}

/* What comes to h of a direction of a layer from the layer above, whose cells have been worked off, or from dy. */
static void above(struct work *work, size_t layer, size_t direction)
{
	const struct bnns_problem *p = work->p;
	const size_t cell = cell_of(p, layer, direction), D = p->directions, H = p->hidden;
	const size_t width = layer + 1 < p->layers ? bnns_width(p, layer + 1) : 0;

	for (size_t row = 0; row < p->steps * p->batch; row++)
		for (size_t k = 0; k < H; k++) {
			number *into = &work->above[direction][row * H + k];
			const size_t column = p->concatenated ? direction * H + k : k;

			if (!width)
				*into = given(p->dy, row * D * H + direction * H + k);
			else
				*into = sum_close(
					&work->dinputs[p->concatenated ? 0 : direction][row * width + column]);
			if (width && p->masks)
				*into = number_multiply(*into, mask_of(p, cell, row / p->batch, row % p->batch, k));
		}
}

/* Layer 0's two directions read the same x, in chains too. */
static number input_gradient(const struct work *work, size_t index)
{
	const struct bnns_problem *p = work->p;
	sum total = work->dinputs[0][index];
	const sum *second = &work->dinputs[1][index];

	if (p->directions == 2 && !p->concatenated) {
		total.v += second->v;
		total.terms += second->terms;
		total.e += second->e;
		total.count += second->count;
	}
	return sum_close(&total);
}

static void close_all(const sum *sums, size_t count, number *into)
{
	for (size_t index = 0; index < count; index++)
		into[index] = sum_close(&sums[index]);
}

static void backward(struct work *work, number *scratch)
{
	const struct bnns_problem *p = work->p;
	const size_t bytes = p->steps * p->batch * widest(p) * sizeof(sum);

	for (size_t layer = p->layers; layer-- > 0;) {
		for (size_t d = 0; d < p->directions; d++)
			above(work, layer, d);
		memset(work->dinputs[0], 0, bytes);
		memset(work->dinputs[1], 0, bytes);
		for (size_t d = 0; d < p->directions; d++)
			for (size_t n = 0; n < p->batch; n++)
				backward_row(work, cell_of(p, layer, d), n, scratch);
	}
	for (size_t index = 0; index < bnns_x_count(p); index++)
		work->out->dx[index] = input_gradient(work, index);
	for (size_t k = 0; k < BNNS_GATES; k++) {
		close_all(work->diw[k], bnns_iw_count(p), work->out->diw[k]);
		close_all(work->dhw[k], bnns_hw_count(p), work->out->dhw[k]);
		close_all(work->dcw[k], bnns_hw_count(p), work->out->dcw[k]);
		close_all(work->db[k], bnns_b_count(p), work->out->db[k]);
	}
}

int bnns_reference(const struct bnns_problem *problem, struct bnns_results *out)
{
	struct work work = {.p = problem, .out = out};
	const int taken = results_take(problem, out);
	number *scratch = calloc(9 * problem->hidden, sizeof(number));

	if (!taken || !scratch || !work_take(&work)) {
		work_release(&work);
		free(scratch);
		bnns_results_destroy(out);
		return 0;
	}
	forward(&work, scratch, scratch + problem->hidden);
	backward(&work, scratch);
	work_release(&work);
	free(scratch);
	return 1;
}
