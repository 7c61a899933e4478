/* mps_judge.c: runs the oracle on one step and compares. */
#include "mps_judge.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "bound.h"

struct rnn_tally rnn_tally;

void rnn_states_create(const struct rnn_oracle *oracle, size_t rows, struct rnn_states *out)
{
	out->h = rnn_take(rows * oracle->network.h_width, sizeof(float));
	out->c = rnn_take(rows * oracle->network.c_width, sizeof(float));
}

void rnn_states_destroy(struct rnn_states *states)
{
	free(states->h);
	free(states->c);
	*states = (struct rnn_states){0};
}

void rnn_judge_number(uint64_t seed, const char *name, size_t index, double found, double expected, double error)
{
	const double off = fabs(found - expected);

	if (!(off <= error) && rnn_tally.counts) {
		rnn_tally.beyond++;
		return;
	}
	if (!(off <= error))
		fail_msg("seed %zu: %s[%zu] is %.9g, expected %.9g within %.3g", (size_t)seed, name, index, found,
			 expected, error);
	rnn_tally.numbers++;
	if (off > 0 && off / error > rnn_tally.worst)
		rnn_tally.worst = off / error;
}

static double *widened(const float *from, size_t count)
{
	double *to = from ? rnn_take(count, sizeof *to) : NULL;

	for (size_t k = 0; k < count && from; k++)
		to[k] = (double)from[k];
	return to;
}

static void judge_array(uint64_t seed, const char *name, const float *found, const double *expected,
			const double *errors, size_t count)
{
	for (size_t k = 0; k < count; k++)
		rnn_judge_number(seed, name, k, (double)found[k], expected[k], errors[k]);
}

static void add_up(const struct sluice__network *network, const struct sluice__oracle_gradients_f64 *gradients,
		   const struct sluice__bound *bound, struct rnn_sums *sums)
{
	for (size_t k = 0; k < network->parameter_count; k++) {
		sums->values[k] += gradients->dparameters[k];
		sums->errors[k] += bound->dparameters[k];
		sums->terms[k] += gradients->terms[k];
	}
	sums->roundings++;
}

static void ok(uint64_t seed, sluice_status status)
{
	if (status != SLUICE_OK)
		fail_msg("seed %zu: %s", (size_t)seed, sluice_last_message());
}

void rnn_judge_step(const struct rnn_oracle *oracle, const struct rnn_step *step, uint64_t seed, struct rnn_sums *sums)
{
	const struct sluice__network *network = &oracle->network;
	const size_t N = step->rows, h = N * network->h_width, c = N * network->c_width;
	/* Nothing is stored in less than f32; weights are exact. */
	const struct sluice__bound_storage storage = {.weights = SLUICE_F32, .data = SLUICE_F32, .tape = SLUICE_F32};
	double *const x = widened(step->x, N * network->x_row), *const dy = widened(step->dy, N * network->y_row);
	double *const h0 = widened(step->before.h, h), *const c0 = widened(step->before.c, c);
	double *const dh = widened(step->dafter.h, h), *const dc = widened(step->dafter.c, c);
	const struct sluice__oracle_run_f64 run = {
		.steps = 1,
		.batch = N,
		.parameters = oracle->parameters,
		.x = x,
		.h0 = h0,
		.c0 = c0,
		.dy = dy,
		.dh = dh,
		.dc = dc,
		.h_type = SLUICE_F64,
		.terms = 1,
	};
	struct sluice__oracle_trace_f64 trace = {0};
	struct sluice__oracle_gradients_f64 gradients = {0};
	struct sluice__bound bound = {0};

	ok(seed, sluice__oracle_forward_f64(network, &run, &trace));
	if (sums)
		ok(seed, sluice__oracle_backward_f64(network, &run, &trace, &gradients));
	ok(seed, sluice__bound_create(network, &run, &trace, sums ? &gradients : NULL, &storage, &bound));
	judge_array(seed, "h", step->after.h, trace.hn, bound.hn, h);
	judge_array(seed, "c", step->after.c, trace.cn, bound.cn, c);
	if (step->dx)
		judge_array(seed, "dx", step->dx, gradients.dx, bound.dx, N * network->x_row);
	if (step->dbefore.h) {
		judge_array(seed, "dh", step->dbefore.h, gradients.dh0, bound.dh0, h);
		judge_array(seed, "dc", step->dbefore.c, gradients.dc0, bound.dc0, c);
	}
	if (sums)
		add_up(network, &gradients, &bound, sums);
	sluice__bound_destroy(&bound);
	if (sums)
		sluice__oracle_gradients_destroy_f64(&gradients);
	sluice__oracle_trace_destroy_f64(&trace);
	free(x);
	free(dy);
	free(h0);
	free(c0);
	free(dh);
	free(dc);
}
