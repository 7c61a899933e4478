/* mpsgraph_reference.c: the equations of MPSGraph's LSTM row by row and unit by unit, and their gradients. */
#include "mpsgraph_reference.h"

#include <stdlib.h>

typedef struct bnns_number number;
typedef struct bnns_sum sum;

/* ----------------------------------------------------------------------------------------------------- places ---- */

size_t mps_width(const struct mps_problem *p)
{
	return p->W ? p->inputs : p->directions * MPS_GATES * p->hidden;
}

size_t mps_x_count(const struct mps_problem *p)
{
	return p->steps * p->batch * mps_width(p);
}

size_t mps_h_count(const struct mps_problem *p)
{
	return p->steps * mps_state_count(p);
}

size_t mps_state_count(const struct mps_problem *p)
{
	return p->batch * p->directions * p->hidden;
}

size_t mps_R_count(const struct mps_problem *p)
{
	return mps_b_count(p) * p->hidden;
}

size_t mps_W_count(const struct mps_problem *p)
{
	return mps_b_count(p) * p->inputs;
}

size_t mps_b_count(const struct mps_problem *p)
{
	return p->directions * MPS_GATES * p->hidden;
}

size_t mps_gate_place(const struct mps_problem *p, size_t gate)
{
	static const size_t places[2][MPS_GATES] = {{0, 1, 2, 3}, {0, 2, 1, 3}};

	return places[p->forget_last][gate];
}

/* Row of R, W and b, column of z, of one unit's gate. */
static size_t gate_row(const struct mps_problem *p, size_t d, size_t gate, size_t k)
{
	return (d * MPS_GATES + mps_gate_place(p, gate)) * p->hidden + k;
}

static size_t state_at(const struct mps_problem *p, size_t d, size_t n, size_t k)
{
	return (n * p->directions + d) * p->hidden + k;
}

static size_t h_at(const struct mps_problem *p, size_t d, size_t t, size_t n, size_t k)
{
	return t * mps_state_count(p) + state_at(p, d, n, k);
}

static size_t z_at(const struct mps_problem *p, size_t d, size_t t, size_t n, size_t gate, size_t k)
{
	return (t * p->batch + n) * mps_b_count(p) + gate_row(p, d, gate, k);
}

/* The step that a direction processes as number `index`. */
static size_t step_at(const struct mps_problem *p, size_t d, size_t index)
{
	return d || p->reverse ? p->steps - 1 - index : index;
}

/* ----------------------------------------------------------------------------------------------------- memory ---- */

static number *cut(number **next, size_t count)
{
	number *start = *next;

	*next += count;
	return start;
}

int mps_results_create(const struct mps_problem *p, struct mps_results *out)
{
	const size_t h = mps_h_count(p), state = mps_state_count(p), b = mps_b_count(p);
	number *next =
		calloc((2 + MPS_GATES) * h + mps_x_count(p) + mps_R_count(p) + mps_W_count(p) + 2 * b + 2 * state,
		       sizeof(number));

	out->block = next;
	if (!next)
		return 0;
	out->h = cut(&next, h);
	out->c = cut(&next, h);
	out->z = cut(&next, MPS_GATES * h);
	out->dx = cut(&next, mps_x_count(p));
	out->dR = cut(&next, mps_R_count(p));
	out->dW = cut(&next, mps_W_count(p));
	out->db = cut(&next, b);
	out->dp = cut(&next, b);
	out->dh0 = cut(&next, state);
	out->dc0 = cut(&next, state);
	return 1;
}

void mps_results_destroy(struct mps_results *results)
{
	free(results->block);
	results->block = NULL;
}

/* ---------------------------------------------------------------------------------------------------- forward ---- */

static number given(const double *values, size_t at)
{
	return number_exact(values ? values[at] : 0);
}

/* What was kept of the step before number `index`, or the initial value. */
static number before(const struct mps_problem *p, const number *kept, const double *initial, size_t d, size_t index,
		     size_t n, size_t k)
{
	if (index)
		return kept[h_at(p, d, step_at(p, d, index - 1), n, k)];
	return given(initial, state_at(p, d, n, k));
}

/* h[t-1] (.) m. */
static number masked(const struct mps_problem *p, number h, size_t d, size_t t, size_t n, size_t k)
{
	return p->mask ? number_multiply(h, number_exact(p->mask[h_at(p, d, t, n, k)])) : h;
}

/* One gate of one unit before its activation; `seen` is the c that its peephole sees. */
static number argument(const struct mps_problem *p, const number *h, size_t d, size_t index, size_t n, size_t gate,
		       size_t k, number seen)
{
	const size_t t = step_at(p, d, index), row = gate_row(p, d, gate, k);
	const double *x = p->x + (t * p->batch + n) * mps_width(p);
	sum total = {0};

	for (size_t j = 0; j < p->inputs && p->W; j++)
		sum_product(&total, number_exact(p->W[row * p->inputs + j]), number_exact(x[j]));
	if (!p->W)
		sum_add(&total, number_exact(x[row]));
	for (size_t j = 0; j < p->hidden; j++)
		sum_product(&total, number_exact(p->R[row * p->hidden + j]),
			    masked(p, before(p, h, p->h0, d, index, n, j), d, t, n, j));
	sum_add(&total, given(p->b, row));
	sum_product(&total, given(p->p, row), seen);
	return sum_close(&total);
}

/* One unit through step number `index`. */
static void unit_forward(const struct mps_problem *p, struct mps_results *out, size_t d, size_t index, size_t n,
			 size_t k)
{
	const size_t t = step_at(p, d, index), at = h_at(p, d, t, n, k);
	const number c = before(p, out->c, p->c0, d, index, n, k);
	number s[MPS_GATES];

	for (size_t gate = 0; gate < MPS_GATES; gate++) {
		const int sees_new = gate == MPS_OUTPUT && p->peephole_current;

		s[gate] = number_activation(&p->activations[gate],
					    argument(p, out->h, d, index, n, gate, k, sees_new ? out->c[at] : c));
		out->z[z_at(p, d, t, n, gate, k)] = s[gate];
		if (gate == MPS_CANDIDATE)
			out->c[at] = number_add(number_multiply(s[MPS_FORGET], c),
						number_multiply(s[MPS_INPUT], s[MPS_CANDIDATE]));
	}
	out->h[at] = number_stored(
		p->type, number_multiply(s[MPS_OUTPUT], number_activation(&p->activations[MPS_GATES], out->c[at])));
}

void mps_reference_forward(const struct mps_problem *p, struct mps_results *out)
{
	for (size_t d = 0; d < p->directions; d++)
		for (size_t index = 0; index < p->steps; index++)
			for (size_t n = 0; n < p->batch; n++)
				for (size_t k = 0; k < p->hidden; k++)
					unit_forward(p, out, d, index, n, k);
}

/* --------------------------------------------------------------------------------------------------- backward ---- */

/* The slope of an activation where its value is y: off by what y is, and by 8 u of the terms (docs/NUMERICS.md). */
static number slope_of_value(const BNNSActivation *activation, number y)
{
	const double v = y.v, e = y.e, a = (double)activation->alpha;

	switch (activation->function) {
	case BNNSActivationFunctionSigmoid:
		return (number){v * (1 - v), fabs(1 - 2 * v) * e + e * e + 8 * NUMBER_U * (v + v * v) + NUMBER_TINY};
	case BNNSActivationFunctionTanh:
		return (number){1 - v * v, 2 * fabs(v) * e + e * e + 8 * NUMBER_U * (1 + v * v)};
	case BNNSActivationFunctionRectifiedLinear:
		return (number){v > 0, e > 0 && v <= e ? 1 : 0};
	case BNNSActivationFunctionHardSigmoid:
		return (number){v > 0 && v < 1 ? a : 0, e > 0 && (v <= e || v >= 1 - e) ? fabs(a) : 0};
	default:
		return number_exact(1);
	}
}

/* What a row's backward pass knows at one step of one direction. */
struct moment {
	const struct mps_problem *p;
	const number *z, *c;
	size_t d, index, t, n;
	number *da, *dh, *dc; /* [4H] by gate and unit, [H], [H] */
};

static number gate_value(const struct moment *m, size_t gate, size_t k)
{
	return m->z[z_at(m->p, m->d, m->t, m->n, gate, k)];
}

static number gate_back(const struct moment *m, size_t gate, size_t k, number arriving)
{
	return number_multiply(arriving, slope_of_value(&m->p->activations[gate], gate_value(m, gate, k)));
}

/* From dh and dc of one unit to its four da and to dc through the cell. */
static void unit_back(const struct moment *m, size_t k)
{
	const struct mps_problem *p = m->p;
	const size_t H = p->hidden;
	const number c = m->c[h_at(p, m->d, m->t, m->n, k)];
	const number earlier = before(p, m->c, p->c0, m->d, m->index, m->n, k);
	const number dh = number_add(m->dh[k], given(p->dy, h_at(p, m->d, m->t, m->n, k)));
	const BNNSActivation *last = &p->activations[MPS_GATES];
	sum total = {0};

	m->da[MPS_OUTPUT * H + k] = gate_back(m, MPS_OUTPUT, k, number_multiply(dh, number_activation(last, c)));
	sum_add(&total, m->dc[k]);
	sum_add(&total, number_multiply(number_multiply(dh, gate_value(m, MPS_OUTPUT, k)), number_slope(last, c)));
	if (p->peephole_current)
		sum_product(&total, given(p->p, gate_row(p, m->d, MPS_OUTPUT, k)), m->da[MPS_OUTPUT * H + k]);
	m->dc[k] = sum_close(&total);
	m->da[MPS_INPUT * H + k] =
		gate_back(m, MPS_INPUT, k, number_multiply(m->dc[k], gate_value(m, MPS_CANDIDATE, k)));
	m->da[MPS_FORGET * H + k] = gate_back(m, MPS_FORGET, k, number_multiply(m->dc[k], earlier));
	m->da[MPS_CANDIDATE * H + k] =
		gate_back(m, MPS_CANDIDATE, k, number_multiply(m->dc[k], gate_value(m, MPS_INPUT, k)));
}

/* h[t-1] is rebuilt from z and c, as LSTMGradients is not given it. */
static number earlier_h(const struct moment *m, size_t k)
{
	const struct mps_problem *p = m->p;
	struct moment last = *m;

	if (!m->index)
		return given(p->h0, state_at(p, m->d, m->n, k));
	last.t = step_at(p, m->d, m->index - 1);
	return number_stored(p->type, number_multiply(gate_value(&last, MPS_OUTPUT, k),
						      number_activation(&p->activations[MPS_GATES],
									m->c[h_at(p, m->d, last.t, m->n, k)])));
}

/* To the states before the step. */
static void states_back(const struct moment *m)
{
	const struct mps_problem *p = m->p;
	const size_t H = p->hidden;

	for (size_t k = 0; k < H; k++) {
		sum h = {0}, c = {0};

		sum_product(&c, m->dc[k], gate_value(m, MPS_FORGET, k));
		for (size_t gate = 0; gate < MPS_GATES; gate++) {
			if (gate != MPS_OUTPUT || !p->peephole_current)
				sum_product(&c, given(p->p, gate_row(p, m->d, gate, k)), m->da[gate * H + k]);
			for (size_t unit = 0; unit < H; unit++)
				sum_product(&h, number_exact(p->R[gate_row(p, m->d, gate, unit) * H + k]),
					    m->da[gate * H + unit]);
		}
		m->dh[k] = masked(p, sum_close(&h), m->d, m->t, m->n, k);
		m->dc[k] = sum_close(&c);
	}
}

struct sums {
	sum *dx, *dR, *dW, *db, *dp;
};

static void weights_back(const struct moment *m, size_t gate, size_t k, const struct sums *sums)
{
	const struct mps_problem *p = m->p;
	const size_t row = gate_row(p, m->d, gate, k), x_at = (m->t * p->batch + m->n) * mps_width(p);
	const number da = m->da[gate * p->hidden + k];
	const int sees_new = gate == MPS_OUTPUT && p->peephole_current;

	for (size_t j = 0; j < p->inputs && p->W; j++) {
		sum_product(&sums->dx[x_at + j], da, number_exact(p->W[row * p->inputs + j]));
		sum_product(&sums->dW[row * p->inputs + j], da, number_exact(p->x[x_at + j]));
	}
	if (!p->W)
		sum_add(&sums->dx[x_at + row], da);
	for (size_t j = 0; j < p->hidden; j++)
		sum_product(&sums->dR[row * p->hidden + j], da, masked(p, earlier_h(m, j), m->d, m->t, m->n, j));
	sum_add(&sums->db[row], da);
	sum_product(&sums->dp[row], da,
		    sees_new ? m->c[h_at(p, m->d, m->t, m->n, k)] : before(p, m->c, p->c0, m->d, m->index, m->n, k));
}

/* One row of one direction through all its steps. */
static void row_back(struct moment *m, const struct sums *sums, struct mps_results *out)
{
	const struct mps_problem *p = m->p;

	for (size_t k = 0; k < p->hidden; k++) {
		m->dh[k] = given(p->dh, state_at(p, m->d, m->n, k));
		m->dc[k] = given(p->dc, state_at(p, m->d, m->n, k));
	}
	for (m->index = p->steps; m->index-- > 0;) {
		m->t = step_at(p, m->d, m->index);
		for (size_t k = 0; k < p->hidden; k++)
			unit_back(m, k);
		for (size_t gate = 0; gate < MPS_GATES; gate++)
			for (size_t k = 0; k < p->hidden; k++)
				weights_back(m, gate, k, sums);
		states_back(m);
	}
	for (size_t k = 0; k < p->hidden; k++) {
		out->dh0[state_at(p, m->d, m->n, k)] = m->dh[k];
		out->dc0[state_at(p, m->d, m->n, k)] = m->dc[k];
	}
}

static sum *take(sum **next, size_t count)
{
	sum *start = *next;

	*next += count;
	return start;
}

static void close_all(const sum *sums, size_t count, number *out)
{
	for (size_t index = 0; index < count; index++)
		out[index] = sum_close(&sums[index]);
}

int mps_reference_backward(const struct mps_problem *p, const number *z, const number *c, struct mps_results *out)
{
	const size_t x = mps_x_count(p), R = mps_R_count(p), W = mps_W_count(p), b = mps_b_count(p);
	sum *const block = calloc(x + R + W + 2 * b, sizeof(*block)), *next = block;
	number *const rows = calloc(6 * p->hidden, sizeof(*rows));
	struct moment moment = {.p = p, .z = z, .c = c, .da = rows};
	struct sums sums;

	if (!block || !rows) {
		free(block);
		free(rows);
		return 0;
	}
	sums = (struct sums){take(&next, x), take(&next, R), take(&next, W), take(&next, b), take(&next, b)};
	moment.dh = rows + MPS_GATES * p->hidden;
	moment.dc = moment.dh + p->hidden;
	for (moment.d = 0; moment.d < p->directions; moment.d++)
		for (moment.n = 0; moment.n < p->batch; moment.n++)
			row_back(&moment, &sums, out);
	close_all(sums.dx, x, out->dx);
	close_all(sums.dR, R, out->dR);
	close_all(sums.dW, W, out->dW);
	close_all(sums.db, b, out->db);
	close_all(sums.dp, b, out->dp);
	free(block);
	free(rows);
	return 1;
}
