/*
 * judgement.c: lets the oracle run a problem, teacher-forced and free, so that verify.c has something to compare with.
 */
#include "judgement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double *widen(const float *values, size_t count, double **next)
{
	double *start = *next;

	for (size_t index = 0; index < count; index++)
		start[index] = (double)values[index];
	*next += count;
	return start;
}

/* Runs the double oracle on the exercise's f32 run. */
static sluice_status exercise_run(struct sluice__exercise *exercise, const struct sluice__network *network,
				  int gradients)
{
	const struct sluice__oracle_run_f32 *run = &exercise->run;
	size_t rows = run->steps * run->batch;
	size_t hs = run->batch * network->h_width, cs = run->batch * network->c_width;
	size_t count = rows * (network->inputs + network->outputs) + 2 * (hs + cs) + network->parameter_count;
	double *next = exercise->block = malloc(count * sizeof(double));
	sluice_status status;

	if (!next)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for a run of %zu numbers", count);
	exercise->wide = (struct sluice__oracle_run_f64){
		.steps = run->steps,
		.batch = run->batch,
		.x = widen(run->x, rows * network->inputs, &next),
		.dy = widen(run->dy, rows * network->outputs, &next),
		.h0 = widen(run->h0, hs, &next),
		.c0 = widen(run->c0, cs, &next),
		.dh = widen(run->dh, hs, &next),
		.dc = widen(run->dc, cs, &next),
		.parameters = widen(run->parameters, network->parameter_count, &next),
		.training = run->training,
		.seed = run->seed,
		.step_offset = run->step_offset,
		.sequence_ids = run->sequence_ids,
	};
	status = sluice__oracle_forward_f64(network, &exercise->wide, &exercise->trace);
	if (status == SLUICE_OK && gradients)
		status = sluice__oracle_backward_f64(network, &exercise->wide, &exercise->trace, &exercise->gradients);
	return status;
}

static void exercise_destroy(struct sluice__exercise *exercise)
{
	sluice__oracle_gradients_destroy_f64(&exercise->gradients);
	sluice__oracle_trace_destroy_f64(&exercise->trace);
	free(exercise->block);
}

/* Adds |left| |right|^T of one row to terms [rows,columns]; right NULL is one column of ones. */
static void terms_add(double *terms, size_t rows, size_t columns, const double *left, const double *right)
{
	for (size_t row = 0; row < rows; row++)
		for (size_t k = 0; k < columns; k++)
			terms[row * columns + k] += fabs(right ? left[row] * right[k] : left[row]);
}

/* The sums of |terms| behind dW, dR and db, over all steps and rows. */
static sluice_status terms_create(struct sluice__judgement *judgement)
{
	const struct sluice__network *network = &judgement->network;
	const struct sluice__exercise *exercise = &judgement->free;
	size_t T = judgement->steps, N = judgement->batch, last = network->layer_count;
	double *terms = judgement->terms = calloc(network->parameter_count, sizeof(*terms));

	if (!terms)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu sums", network->parameter_count);
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		const double *initial = exercise->wide.h0 + cell->h_state * N;

		for (size_t row = 0; row < T * N; row++) {
			const double *da = exercise->gradients.da[index] + row * 4 * cell->hidden;
			const double *x = exercise->trace.inputs[cell->layer] + row * cell->inputs;
			int first = cell->reverse ? row >= (T - 1) * N : row < N;
			size_t before = first ? row % N : cell->reverse ? row + N : row - N;
			const double *h = (first ? initial : exercise->trace.h[index]) + before * cell->hidden;

			terms_add(terms + cell->weight_ih, 4 * cell->hidden, cell->inputs, da, x);
			terms_add(terms + cell->weight_hh, 4 * cell->hidden, cell->hidden, da, h);
			if (cell->bias != SLUICE__NONE)
				terms_add(terms + cell->bias, 4 * cell->hidden, 1, da, NULL);
		}
	}
	for (size_t row = 0; network->readout && row < T * N; row++) {
		const double *dy = exercise->wide.dy + row * network->outputs;

		terms_add(terms + network->readout_weight, network->outputs, network->widths[last], dy,
			  exercise->trace.inputs[last] + row * network->widths[last]);
		terms_add(terms + network->readout_bias, network->outputs, 1, dy, NULL);
	}
	return SLUICE_OK;
}

/* Whole sequences: the double oracle and its plain f32 transcription. */
static sluice_status free_create(struct sluice__judgement *judgement, const struct sluice__verify_options *options)
{
	const struct sluice__data *data = &judgement->data;
	const struct sluice__network *network = &judgement->network;
	sluice_status status;

	judgement->free.run = (struct sluice__oracle_run_f32){
		.steps = judgement->steps,
		.batch = judgement->batch,
		.parameters = data->parameters,
		.x = data->x,
		.h0 = data->h0,
		.c0 = data->c0,
		.training = options->dropout != 0,
		.seed = options->seed,
		.step_offset = 3,
		.sequence_ids = judgement->ids,
		.dy = data->dy,
		.dh = data->dh,
		.dc = data->dc,
	};
	status = exercise_run(&judgement->free, network, judgement->gradients);
	if (status == SLUICE_OK)
		status = sluice__oracle_forward_f32(network, &judgement->free.run, &judgement->plain);
	if (status == SLUICE_OK && judgement->gradients)
		status = sluice__oracle_backward_f32(network, &judgement->free.run, &judgement->plain,
						     &judgement->plain_gradients);
	if (status == SLUICE_OK && judgement->gradients)
		status = terms_create(judgement);
	return status;
}

/* The oracle's state before every step, rounded to f32: row t * N + n of [T*N,H] for each cell. */
static void forced_states(const struct sluice__judgement *judgement, double *const *sequences, const float *initial,
			  float *out)
{
	const struct sluice__network *network = &judgement->network;
	size_t T = judgement->steps, N = judgement->batch;

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		size_t count = N * cell->hidden;
		float *own = out + cell->h_state * T * N;

		for (size_t t = 0; t < T; t++) {
			size_t first = cell->reverse ? T - 1 : 0, before = cell->reverse ? t + 1 : t - 1;

			for (size_t k = 0; k < count; k++)
				own[t * count + k] = t == first ? initial[cell->h_state * N + k]
								: (float)sequences[index][before * count + k];
		}
	}
}

/* One step from each state of the oracle's trajectory, and the bounds of its results. */
static sluice_status forced_create(struct sluice__judgement *judgement, const struct sluice__verify_options *options)
{
	const struct sluice__data *data = &judgement->data;
	const struct sluice__network *network = &judgement->network;
	size_t rows = judgement->steps * judgement->batch, states = rows * network->h_width;
	float *block = judgement->forced_block = malloc(4 * states * sizeof(float));
	sluice_status status;

	if (!block)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for the states of %zu rows", rows);
	forced_states(judgement, judgement->free.trace.h, data->h0, block);
	forced_states(judgement, judgement->free.trace.c, data->c0, block + states);
	sluice__data_fill(options->seed, "forced dh", 1, states, block + 2 * states);
	sluice__data_fill(options->seed, "forced dc", 1, states, block + 3 * states);
	judgement->forced.run = judgement->free.run;
	judgement->forced.run.steps = 1;
	judgement->forced.run.batch = rows;
	judgement->forced.run.sequence_ids = judgement->ids;
	judgement->forced.run.h0 = block;
	judgement->forced.run.c0 = block + states;
	judgement->forced.run.dh = block + 2 * states;
	judgement->forced.run.dc = block + 3 * states;
	status = exercise_run(&judgement->forced, network, judgement->gradients);
	if (status != SLUICE_OK)
		return status;
	return sluice__bound_create(network, &judgement->forced.wide, &judgement->forced.trace,
				    judgement->gradients ? &judgement->forced.gradients : NULL, &judgement->bound);
}

/* The problem with the options applied, as the library and the oracle understand it. */
static sluice_status network_open(struct sluice__judgement *judgement, const struct sluice__problem *problem,
				  const struct sluice__verify_options *options)
{
	sluice_context *context = NULL;
	sluice_model *model = NULL;
	sluice_status status;

	if (problem->mask || problem->resets || problem->lengths)
		return sluice_fail(SLUICE_UNSUPPORTED, "masks, resets and lengths cannot be verified yet");
	status = sluice__problem_describe(problem, &judgement->model);
	if (status != SLUICE_OK)
		return status;
	judgement->model.description.outputs = options->outputs;
	judgement->streamable = 1;
	for (size_t layer = 0; layer < problem->layers; layer++) {
		if (layer + 1 < problem->layers || options->outputs)
			judgement->model.layers[layer].dropout = options->dropout;
		judgement->model.layers[layer].no_bias = options->no_bias;
		if (judgement->model.layers[layer].direction != SLUICE_FORWARD)
			judgement->streamable = 0;
	}
	status = sluice_context_create(NULL, &context);
	if (status == SLUICE_OK)
		status = sluice_model_create(context, &judgement->model.description, &model);
	if (status == SLUICE_OK)
		status = sluice__network_of_model(model, &judgement->network);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
	return status;
}

/* Sequence numbers that use all 48 bits, so that dropout's counters are judged in full. */
static sluice_status ids_create(struct sluice__judgement *judgement)
{
	size_t rows = judgement->steps * judgement->batch;

	judgement->ids = malloc(rows * sizeof(*judgement->ids));
	if (!judgement->ids)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu sequence numbers", rows);
	for (size_t row = 0; row < rows; row++)
		judgement->ids[row] = row * UINT64_C(0x100000001) & UINT64_C(0xffffffffffff);
	return SLUICE_OK;
}

sluice_status sluice__judgement_create(const struct sluice__problem *problem,
				       const struct sluice__verify_options *options, struct sluice__judgement *out)
{
	sluice_status status;

	memset(out, 0, sizeof(*out));
	out->steps = problem->steps;
	out->batch = problem->batch;
	out->gradients = !options->inference_only;
	status = network_open(out, problem, options);
	if (status == SLUICE_OK)
		status = sluice__data_create(&out->network, out->steps, out->batch, options->seed, &out->data);
	if (status == SLUICE_OK)
		status = ids_create(out);
	if (status == SLUICE_OK)
		status = free_create(out, options);
	if (status == SLUICE_OK)
		status = forced_create(out, options);
	if (status != SLUICE_OK)
		sluice__judgement_destroy(out);
	return status;
}

void sluice__judgement_destroy(struct sluice__judgement *judgement)
{
	sluice__bound_destroy(&judgement->bound);
	exercise_destroy(&judgement->free);
	exercise_destroy(&judgement->forced);
	sluice__oracle_trace_destroy_f32(&judgement->plain);
	sluice__oracle_gradients_destroy_f32(&judgement->plain_gradients);
	sluice__data_destroy(&judgement->data);
	sluice__network_destroy(&judgement->network);
	free(judgement->forced_block);
	free(judgement->ids);
	free(judgement->terms);
	memset(judgement, 0, sizeof(*judgement));
}
