/*
 * bound.c: makes room for the bounds of one step and has them computed, forward and backward.
 */
#include "bound.h"

#include <stdlib.h>
#include <string.h>

#include "bound_work.h"

static double *take(double **next, size_t count)
{
	double *start = *next;

	*next += count;
	return start;
}

/* Pointers and numbers that one view and the rest of the work need. */
struct need {
	size_t pointers, numbers;
};

static struct need view_need(const struct sluice__network *network, size_t batch)
{
	struct need need = {network->layer_count + 1 + 7 * network->cell_count,
			    batch * (11 * network->c_width + 2 * network->h_width)};

	for (size_t layer = 0; layer <= network->layer_count; layer++)
		need.numbers += batch * network->images[layer].places * network->widths[layer];
	return need;
}

/* Cuts one array of pointers and numbers for each cell. */
static double **cells_take(const struct sluice__network *network, size_t batch, size_t gates, int of_h,
			   double ***pointers, double **next)
{
	double **arrays = *pointers;

	*pointers += network->cell_count;
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		arrays[index] = take(next, batch * (of_h ? h_numbers(cell) : gates * c_numbers(cell)));
	}
	return arrays;
}

static double **layers_take(const struct sluice__network *network, size_t batch, double ***pointers, double **next)
{
	double **arrays = *pointers;

	*pointers += network->layer_count + 1;
	for (size_t layer = 0; layer <= network->layer_count; layer++)
		arrays[layer] = take(next, batch * network->images[layer].places * network->widths[layer]);
	return arrays;
}

static void view_take(const struct sluice__network *network, size_t batch, struct bound_view *view, double ***pointers,
		      double **next)
{
	view->inputs = layers_take(network, batch, pointers, next);
	view->a = cells_take(network, batch, 4, 0, pointers, next);
	view->gates = cells_take(network, batch, 4, 0, pointers, next);
	view->p = cells_take(network, batch, 1, 0, pointers, next);
	view->e = cells_take(network, batch, 1, 0, pointers, next);
	view->q = cells_take(network, batch, 1, 0, pointers, next);
	view->pq = cells_take(network, batch, 0, 1, pointers, next);
	view->h = cells_take(network, batch, 0, 1, pointers, next);
}

/* Elements of a cell's R. */
static size_t recurrent_count(const struct sluice__cell *cell)
{
	return 4 * cell->hidden * sluice__window_columns(&cell->recurrent_window);
}

/* R with DropConnect: a product, which may be stored as the weights are. */
static void recurrent_fill(struct bound_work *work, size_t index)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	const struct sluice__oracle_run_f64 *run = work->run;
	size_t columns = sluice__window_columns(&cell->recurrent_window);
	struct number *R = work->R[index];

	for (size_t place = 0; place < recurrent_count(cell); place++) {
		size_t row = place / columns, column = place % columns;
		double factor = work->factors[index] ? sluice__oracle_recurrent_factor_f64(run, cell, row, column) : 1;

		R[place] = exact(run->parameters[cell->weight_hh + place]);
		if (cell->no_recurrent_weights >> row / cell->hidden & 1)
			R[place] = exact(0);
		else if (work->factors[index])
			R[place] = stored(work->storage.weights, multiply(exact(factor), R[place]));
		if (work->factors[index])
			work->factors[index][place] = factor;
	}
}

/* Room for R and its factors of every cell. */
static sluice_status recurrent_create(struct bound_work *work)
{
	const struct sluice__network *network = work->network;
	size_t count = 0;
	double *factors;
	struct number *R;

	for (size_t index = 0; index < network->cell_count; index++)
		count += recurrent_count(&network->cells[index]);
	work->R = calloc(network->cell_count, sizeof(*work->R));
	work->factors = calloc(network->cell_count, sizeof(*work->factors));
	work->recurrent_block = R = calloc(count, sizeof(*R));
	work->factor_block = factors = calloc(count, sizeof(*factors));
	if (!work->R || !work->factors || !R || !factors)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for bounds of %zu weights", count);
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		work->R[index] = R;
		work->factors[index] = work->run->training && cell->dropconnect > 0 ? factors : NULL;
		recurrent_fill(work, index);
		R += recurrent_count(cell);
		factors += recurrent_count(cell);
	}
	return SLUICE_OK;
}

static size_t most(size_t one, size_t other)
{
	return one > other ? one : other;
}

/* Scratch of one row of any cell. */
static sluice_status scratch_create(struct bound_work *work)
{
	const struct sluice__network *network = work->network;
	size_t x = 0, h = 0, c = 0, parameters = network->parameter_count;
	struct bound_sight *sight = &work->sight;

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		x = most(x, cell->input_places * cell->inputs);
		h = most(h, h_numbers(cell));
		c = most(c, c_numbers(cell));
	}
	work->scratch = calloc(parameters + x + 3 * h + 11 * c, sizeof(*work->scratch));
	work->sums = calloc(parameters + most(x, most(h, c)), sizeof(*work->sums));
	if (!work->scratch || !work->sums)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for bounds of %zu numbers", x + h + c);
	work->scratch_sums = work->sums + parameters;
	work->parameters = work->scratch + 2 * h + 9 * c;
	sight->x = work->parameters + parameters;
	sight->m = sight->x + x;
	sight->c = sight->m + h;
	sight->e = sight->c + c;
	for (size_t place = 0; place < parameters; place++)
		work->parameters[place] = exact(work->run->parameters[place]);
	return SLUICE_OK;
}

static sluice_status work_create(struct bound_work *work)
{
	const struct sluice__network *network = work->network;
	size_t batch = work->run->batch;
	struct need need = view_need(network, batch);
	sluice_status status = scratch_create(work);
	double **pointers, *next;

	if (status == SLUICE_OK)
		status = recurrent_create(work);
	if (status != SLUICE_OK)
		return status;
	need.pointers = 2 * need.pointers + network->layer_count + 1;
	need.numbers *= 3;
	work->block = pointers = calloc(need.pointers + need.numbers, sizeof(double));
	if (!pointers)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for bounds of %zu numbers", need.numbers);
	next = (double *)work->block + need.pointers;
	view_take(network, batch, &work->now, &pointers, &next);
	view_take(network, batch, &work->later, &pointers, &next);
	work->dinputs = layers_take(network, batch, &pointers, &next);
	return SLUICE_OK;
}

static sluice_status bound_allocate(const struct sluice__network *network, size_t batch, struct sluice__bound *bound)
{
	size_t h = batch * network->h_width, c = batch * network->c_width;
	size_t outputs = batch * network->y_row, second = network->separate ? outputs : 0;
	size_t count = 3 * h + 7 * c + outputs + second + batch * network->x_row + network->parameter_count;
	double *next = calloc(count, sizeof(double));

	if (!next)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for bounds of %zu numbers", count);
	bound->block = next;
	bound->y = take(&next, outputs);
	bound->y_reverse = second ? take(&next, second) : NULL;
	bound->hn = take(&next, h);
	bound->cn = take(&next, c);
	bound->h = take(&next, h);
	bound->c = take(&next, c);
	bound->gates = take(&next, 4 * c);
	bound->dh0 = take(&next, h);
	bound->dc0 = take(&next, c);
	bound->dx = take(&next, batch * network->x_row);
	bound->dparameters = take(&next, network->parameter_count);
	return SLUICE_OK;
}

sluice_status sluice__bound_create(const struct sluice__network *network, const struct sluice__oracle_run_f64 *run,
				   const struct sluice__oracle_trace_f64 *trace,
				   const struct sluice__oracle_gradients_f64 *gradients,
				   const struct sluice__bound_storage *storage, struct sluice__bound *out)
{
	struct sluice__bound bound = {0};
	struct bound_work work = {.network = network,
				  .run = run,
				  .trace = trace,
				  .gradients = gradients,
				  .storage = *storage,
				  .bound = &bound};
	sluice_status status;

	if (run->steps != 1)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "bounds are for one step, not for %zu", run->steps);
	status = bound_allocate(network, run->batch, &bound);
	if (status != SLUICE_OK)
		return status;
	status = work_create(&work);
	if (status == SLUICE_OK) {
		sluice__bound_forward(&work);
		if (gradients)
			sluice__bound_backward(&work);
		*out = bound;
	} else {
		sluice__bound_destroy(&bound);
	}
	free(work.R);
	free(work.factors);
	free(work.recurrent_block);
	free(work.factor_block);
	free(work.scratch);
	free(work.sums);
	free(work.block);
	return status;
}

void sluice__bound_destroy(struct sluice__bound *bound)
{
	free(bound->block);
	memset(bound, 0, sizeof(*bound));
}
