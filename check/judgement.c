/*
 * judgement.c: lets the oracle run a setting, teacher-forced and free, so that verify.c has something to compare with.
 */
#include "judgement.h"

#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "storage.h"

static sluice_status no_memory(size_t count)
{
	return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for a run of %zu numbers", count);
}

/* Takes count numbers of a type from random floats; of NULL comes NULL. */
static double *widen(double **next, const float *values, float scale, sluice_dtype type, size_t count)
{
	double *start = *next;

	for (size_t index = 0; index < count && values; index++)
		start[index] = sluice__storage_round(type, (double)(values[index] * scale));
	*next += values ? count : 0;
	return values ? start : NULL;
}

/* Whether a plan keeps a tensor in its type of weights: the matrices, but no biases, diagonals and slopes. */
static int is_weight(const struct sluice__network *network, size_t offset)
{
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		if (offset == cell->weight_ih || offset == cell->weight_hh || offset == cell->weight_hr)
			return 1;
		if (offset == cell->peephole)
			return cell->peephole_kind == SLUICE_PEEPHOLE_FULL;
	}
	return network->readout && offset == network->readout_weight;
}

static double *parameters_make(const struct sluice__judgement *judgement, const struct sluice__data *data,
			       double **next)
{
	const struct sluice__network *network = &judgement->network;
	const struct sluice__setting *setting = judgement->setting;
	float scale = setting->scale != 0 ? setting->scale : 1;
	double *start = *next;

	for (size_t index = 0; index < network->tensor_count; index++) {
		const sluice_parameter *tensor = &network->tensors[index];
		sluice_dtype type = is_weight(network, tensor->offset) ? setting->weights : SLUICE_F32;
		double *own = start + tensor->offset;

		widen(&own, data->parameters + tensor->offset, scale, type, tensor->rows * tensor->columns);
	}
	*next += network->parameter_count;
	return start;
}

static size_t mask_count(const struct sluice__judgement *judgement, sluice_mask_shape shape)
{
	size_t rows = shape == SLUICE_MASK_STEP ? judgement->steps * judgement->batch : judgement->batch;

	return judgement->network.h_width * (shape == SLUICE_MASK_UNIT ? 1 : rows);
}

/* Factors of a mask between 0 and 2, each fourth one 0 and each fourth one 1. */
static double *mask_make(const struct sluice__judgement *judgement, double **next, size_t count)
{
	const struct sluice__setting *setting = judgement->setting;
	double *start = *next;
	float value;

	for (size_t index = 0; index < count; index++) {
		sluice__data_fill(setting->seed + index, "mask", 1, 1, &value);
		start[index] = sluice__storage_round(setting->data, value < -0.5f  ? 0
								    : value > 0.5f ? 1
										   : 1 + 2 * (double)value);
	}
	*next += count;
	return start;
}

static sluice_status exercise_run(const struct sluice__judgement *judgement, struct sluice__exercise *exercise)
{
	sluice_status status = sluice__oracle_forward_f64(&judgement->network, &exercise->run, &exercise->trace);

	if (status == SLUICE_OK && judgement->setting->gradients)
		status = sluice__oracle_backward_f64(&judgement->network, &exercise->run, &exercise->trace,
						     &exercise->gradients);
	return status;
}

/* Lengths and marks outlive the data. */
static void time_take(struct sluice__judgement *judgement, struct sluice__data *data)
{
	judgement->lengths = data->lengths;
	judgement->resets = data->resets;
	judgement->holds = data->holds;
	data->lengths = NULL;
	data->resets = data->holds = NULL;
}

/* The data of the whole sequences, rounded to the types that will hold them, and the oracle's run on them. */
static sluice_status free_create(struct sluice__judgement *judgement)
{
	const struct sluice__network *network = &judgement->network;
	const struct sluice__setting *setting = judgement->setting;
	float scale = setting->scale != 0 ? setting->scale : 1;
	size_t mask = setting->mask ? mask_count(judgement, setting->mask_shape) : 0;
	struct sluice__data data;
	sluice_status status = sluice__data_of_setting(network, setting, &data);
	size_t steps = judgement->steps, h_steps = steps * data.h_count, c_steps = steps * data.c_count, count;
	double *next;

	if (status != SLUICE_OK)
		return status;
	judgement->y_count = setting->last_only ? judgement->batch * network->y_row : data.y_count;
	judgement->h_count = data.h_count;
	judgement->c_count = data.c_count;
	time_take(judgement, &data);
	count = data.x_count + 2 * data.y_count + 2 * data.h_count + 2 * data.c_count + h_steps + c_steps +
		data.parameter_count + mask;
	judgement->block = next = calloc(count, sizeof(double));
	if (next)
		judgement->free.run = (struct sluice__oracle_run_f64){
			.steps = steps,
			.batch = judgement->batch,
			.parameters = parameters_make(judgement, &data, &next),
			.x = widen(&next, data.x, scale, setting->data, data.x_count),
			.h0 = widen(&next, data.h0, scale, setting->data, data.h_count),
			.c0 = widen(&next, data.c0, scale, SLUICE_F32, data.c_count),
			.dy = widen(&next, data.dy, 1, setting->data, data.y_count),
			.dh = widen(&next, data.dh, 1, SLUICE_F32, data.h_count),
			.dc = widen(&next, data.dc, 1, SLUICE_F32, data.c_count),
			.dy_reverse = widen(&next, data.dy_reverse, 1, setting->data, data.y_count),
			.dh_steps = widen(&next, data.dh_steps, 1, setting->data, h_steps),
			.dc_steps = widen(&next, data.dc_steps, 1, setting->data, c_steps),
			.mask = mask ? mask_make(judgement, &next, mask) : NULL,
			.mask_shape = setting->mask_shape,
			.last_only = setting->last_only,
			.training = setting->training,
			.seed = setting->seed,
			.step_offset = 3,
			.sequence_ids = judgement->ids,
			.h_type = SLUICE_F64,
			.terms = 1,
			.lengths = judgement->lengths,
			.padding = setting->padding,
			.resets = judgement->resets,
			.holds = judgement->holds,
		};
	sluice__data_destroy(&data);
	return next ? exercise_run(judgement, &judgement->free) : no_memory(count);
}

/* ------------------------------------------------------------------------------------------- teacher-forced ---- */

/* h or c of one cell: of every step [T,N,width], the initial and final states [N,width], and where its start is, which
 * has channels and is the same at all places. */
struct states {
	const double *sequence, *initial, *final;
	size_t width, channels, start;
};

/* One number of the start. */
static double start_of(const struct sluice__judgement *judgement, const struct states *states, size_t k)
{
	if (states->start == SLUICE__NONE)
		return 0;
	return judgement->free.run.parameters[states->start + k % states->channels];
}

/* One number of a state before step t of row n. A forward cell's reset belongs to the step; what a reverse one begins
 * anew from, it must be given. A row that has no step t may have any state. */
static double state_before(const struct sluice__judgement *judgement, const struct sluice__cell *cell,
			   const struct states *states, size_t t, size_t n, size_t k)
{
	const struct sluice__oracle_run_f64 *run = &judgement->free.run;
	size_t width = states->width, other = cell->reverse ? t + 1 : t - 1;
	int first = cell->reverse ? t + 1 == run->steps : t == 0;

	if (!sluice__oracle_has_step_f64(run, t, n))
		return states->final[n * width + k];
	if (cell->reverse && sluice__oracle_begins_anew_f64(run, cell, t, n))
		return start_of(judgement, states, k);
	if (!first && sluice__oracle_has_step_f64(run, other, n))
		return states->sequence[(other * run->batch + n) * width + k];
	return states->initial ? states->initial[n * width + k] : start_of(judgement, states, k);
}

/* The oracle's h or c of one cell before every step, as a state holds it: row t * N + n of [T*N,width]. */
static void forced_state(const struct sluice__judgement *judgement, const struct sluice__cell *cell,
			 const struct states *states, sluice_dtype type, double *out)
{
	for (size_t t = 0; t < judgement->steps; t++)
		for (size_t n = 0; n < judgement->batch; n++)
			for (size_t k = 0; k < states->width; k++)
				out[(t * judgement->batch + n) * states->width + k] =
					sluice__storage_round(type, state_before(judgement, cell, states, t, n, k));
}

static void forced_states(const struct sluice__judgement *judgement, double *h, double *c)
{
	const struct sluice__oracle_run_f64 *run = &judgement->free.run;
	const struct sluice__oracle_trace_f64 *trace = &judgement->free.trace;
	size_t N = judgement->batch, rows = judgement->steps * N;

	for (size_t index = 0; index < judgement->network.cell_count; index++) {
		const struct sluice__cell *cell = &judgement->network.cells[index];
		size_t h_first = cell->h_state * N, c_first = cell->c_state * N;
		const struct states of_h = {trace->h[index],     run->h0 ? run->h0 + h_first : NULL,
					    trace->hn + h_first, cell->places * cell->out,
					    cell->out,           cell->start_h};
		const struct states of_c = {trace->c[index],     run->c0 ? run->c0 + c_first : NULL,
					    trace->cn + c_first, cell->places * cell->hidden,
					    cell->hidden,        cell->start_c};

		forced_state(judgement, cell, &of_h, judgement->setting->data, h + cell->h_state * rows);
		forced_state(judgement, cell, &of_c, SLUICE_F32, c + cell->c_state * rows);
	}
}

/* Each step is a row of one step, or of none. */
static sluice_status forced_lengths(struct sluice__judgement *judgement)
{
	size_t rows = judgement->steps * judgement->batch;

	if (!judgement->lengths)
		return SLUICE_OK;
	judgement->forced_lengths = malloc(rows * sizeof(size_t));
	if (!judgement->forced_lengths)
		return no_memory(rows);
	for (size_t row = 0; row < rows; row++)
		judgement->forced_lengths[row] = (size_t)sluice__oracle_has_step_f64(
			&judgement->free.run, row / judgement->batch, row % judgement->batch);
	return SLUICE_OK;
}

/* Random gradients of the final states, by way of floats. */
static sluice_status forced_gradients(const struct sluice__judgement *judgement, const char *name, size_t count,
				      double *out)
{
	float *values = malloc(count * sizeof(float));

	if (!values)
		return no_memory(count);
	sluice__data_fill(judgement->setting->seed, name, 1, count, values);
	for (size_t k = 0; k < count; k++)
		out[k] = (double)values[k];
	free(values);
	return SLUICE_OK;
}

/* A mask of one row for each step and sequence, where it has rows at all. */
static void forced_mask(const struct sluice__judgement *judgement, double *out)
{
	size_t count = judgement->batch * judgement->network.h_width;

	for (size_t t = 0; t < judgement->steps; t++)
		memcpy(out + t * count, judgement->free.run.mask, count * sizeof(double));
}

struct sluice__bound_storage sluice__judgement_storage(const struct sluice__judgement *judgement)
{
	const struct sluice__setting *setting = judgement->setting;

	return (struct sluice__bound_storage){setting->weights, setting->data, setting->tape, setting->tape_mode,
					      setting->winograd};
}

sluice_status sluice__judgement_force(struct sluice__judgement *judgement)
{
	const struct sluice__setting *setting = judgement->setting;
	const struct sluice__network *network = &judgement->network;
	const struct sluice__bound_storage storage = sluice__judgement_storage(judgement);
	struct sluice__oracle_run_f64 *run = &judgement->forced.run;
	size_t rows = judgement->steps * judgement->batch, h = rows * network->h_width, c = rows * network->c_width;
	double *block = judgement->forced_block = malloc((3 * h + 2 * c) * sizeof(double));
	sluice_status status;

	if (!block)
		return no_memory(3 * h + 2 * c);
	forced_states(judgement, block, block + h);
	status = forced_gradients(judgement, "forced dh", h, block + h + c);
	if (status == SLUICE_OK)
		status = forced_gradients(judgement, "forced dc", c, block + 2 * h + c);
	if (status == SLUICE_OK)
		status = forced_lengths(judgement);
	if (status != SLUICE_OK)
		return status;
	*run = judgement->free.run;
	run->steps = 1;
	run->batch = rows;
	run->lengths = judgement->forced_lengths;
	run->h0 = block;
	run->c0 = block + h;
	run->dh = block + h + c;
	run->dc = block + 2 * h + c;
	if (run->mask && run->mask_shape == SLUICE_MASK_SEQUENCE) {
		forced_mask(judgement, block + 2 * h + 2 * c);
		run->mask = block + 2 * h + 2 * c;
	}
	status = exercise_run(judgement, &judgement->forced);
	if (status != SLUICE_OK)
		return status;
	return sluice__bound_create(network, run, &judgement->forced.trace,
				    setting->gradients ? &judgement->forced.gradients : NULL, &storage,
				    &judgement->bound);
}

/* ----------------------------------------------------------------------------------- the plain transcription ---- */

static const float *narrow(const double *values, size_t count, float **next)
{
	float *start = *next;

	for (size_t index = 0; index < count && values; index++)
		start[index] = (float)values[index];
	*next += count;
	return values ? start : NULL;
}

sluice_status sluice__transcript_create(const struct sluice__network *network, const struct sluice__oracle_run_f64 *run,
					const double *parameters, sluice_dtype h_type, int gradients,
					struct sluice__transcript *out)
{
	size_t rows = run->steps * run->batch, h = run->batch * network->h_width, c = run->batch * network->c_width;
	size_t x = rows * network->x_row, y = (run->last_only ? run->batch : rows) * network->y_row;
	size_t mask = run->mask_shape == SLUICE_MASK_STEP ? rows : run->mask_shape == SLUICE_MASK_UNIT ? 1 : run->batch;
	size_t h_steps = run->steps * h, c_steps = run->steps * c;
	size_t count =
		network->parameter_count + x + 2 * y + 2 * h + 2 * c + h_steps + c_steps + mask * network->h_width;
	float *next = malloc(count * sizeof(float));
	sluice_status status;

	memset(out, 0, sizeof(*out));
	out->block = next;
	if (!next)
		return no_memory(count);
	out->run = (struct sluice__oracle_run_f32){
		.steps = run->steps,
		.batch = run->batch,
		.parameters = narrow(parameters, network->parameter_count, &next),
		.x = narrow(run->x, x, &next),
		.h0 = narrow(run->h0, h, &next),
		.c0 = narrow(run->c0, c, &next),
		.dy = narrow(run->dy, y, &next),
		.dh = narrow(run->dh, h, &next),
		.dc = narrow(run->dc, c, &next),
		.dy_reverse = narrow(run->dy_reverse, y, &next),
		.dh_steps = narrow(run->dh_steps, h_steps, &next),
		.dc_steps = narrow(run->dc_steps, c_steps, &next),
		.mask = narrow(run->mask, mask * network->h_width, &next),
		.mask_shape = run->mask_shape,
		.last_only = run->last_only,
		.training = run->training,
		.seed = run->seed,
		.step_offset = run->step_offset,
		.sequence_ids = run->sequence_ids,
		.h_type = h_type,
		.lengths = run->lengths,
		.padding = run->padding,
		.resets = run->resets,
		.holds = run->holds,
	};
	status = sluice__oracle_forward_f32(network, &out->run, &out->trace);
	if (status == SLUICE_OK && gradients)
		status = sluice__oracle_backward_f32(network, &out->run, &out->trace, &out->gradients);
	if (status != SLUICE_OK)
		sluice__transcript_destroy(out);
	return status;
}

void sluice__transcript_destroy(struct sluice__transcript *transcript)
{
	sluice__oracle_gradients_destroy_f32(&transcript->gradients);
	sluice__oracle_trace_destroy_f32(&transcript->trace);
	free(transcript->block);
	memset(transcript, 0, sizeof(*transcript));
}

sluice_status sluice__judgement_transcribe(struct sluice__judgement *judgement)
{
	return sluice__transcript_create(&judgement->network, &judgement->free.run, judgement->free.run.parameters,
					 judgement->setting->data, judgement->setting->gradients, &judgement->plain);
}

/* ----------------------------------------------------------------------------------------------------- all ---- */

/* sluice_step goes forward in time, and would draw DropConnect's mask again for every step. */
static int can_stream(const struct sluice__judgement *judgement)
{
	for (size_t index = 0; index < judgement->network.cell_count; index++) {
		const struct sluice__cell *cell = &judgement->network.cells[index];

		if (cell->reverse || (judgement->setting->training && cell->dropconnect > 0))
			return 0;
	}
	return 1;
}

/* Sequence numbers that use all 48 bits, so that counters of random numbers are judged in full. */
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

sluice_status sluice__judgement_create(const struct sluice__setting *setting, struct sluice__judgement *out)
{
	sluice_status status;

	memset(out, 0, sizeof(*out));
	out->setting = setting;
	out->steps = setting->steps;
	out->batch = setting->batch;
	status = sluice__network_create(setting->description, NULL, 0, 0, &out->network);
	if (status == SLUICE_OK)
		status = ids_create(out);
	if (status == SLUICE_OK)
		status = free_create(out);
	out->streamable = can_stream(out);
	if (status != SLUICE_OK)
		sluice__judgement_destroy(out);
	return status;
}

static void exercise_destroy(struct sluice__exercise *exercise)
{
	sluice__oracle_gradients_destroy_f64(&exercise->gradients);
	sluice__oracle_trace_destroy_f64(&exercise->trace);
}

void sluice__judgement_destroy(struct sluice__judgement *judgement)
{
	sluice__bound_destroy(&judgement->bound);
	exercise_destroy(&judgement->free);
	exercise_destroy(&judgement->forced);
	sluice__transcript_destroy(&judgement->plain);
	sluice__network_destroy(&judgement->network);
	free(judgement->block);
	free(judgement->forced_block);
	free(judgement->ids);
	free(judgement->lengths);
	free(judgement->forced_lengths);
	free(judgement->resets);
	free(judgement->holds);
	memset(judgement, 0, sizeof(*judgement));
}
