/*
 * bound_window.c: what the products of a row see, with how far it may be off, and their sums over taps and channels;
 * without images a product has one place and one tap.
 */
#include "bound_work.h"

/* One number of a state before the step, whose rows have `width` numbers, `channels` at each place: given, or of the
 * start. */
static double before(const struct bound_work *work, const struct sluice__cell *cell, const double *given,
		     size_t channels, size_t start, size_t n, size_t k)
{
	if (given && !sluice__oracle_begins_anew_f64(work->run, cell, 0, n))
		return given[n * cell->places * channels + k];
	return start != SLUICE__NONE ? work->run->parameters[start + k % channels] : 0;
}

double sluice__bound_h_before(const struct bound_work *work, const struct sluice__cell *cell, size_t n, size_t k)
{
	const double *h0 = work->run->h0 ? work->run->h0 + cell->h_state * work->run->batch : NULL;

	return before(work, cell, h0, cell->out, cell->start_h, n, k);
}

double sluice__bound_cell_before(const struct bound_work *work, const struct sluice__cell *cell, size_t n, size_t k)
{
	const double *c0 = work->run->c0 ? work->run->c0 + cell->c_state * work->run->batch : NULL;

	return before(work, cell, c0, cell->hidden, cell->start_c, n, k);
}

/* m h' */
static struct number recurrent(const struct bound_work *work, const struct sluice__cell *cell, size_t n, size_t k)
{
	double h = sluice__bound_h_before(work, cell, n, k);
	double m = sluice__oracle_mask_factor_f64(work->network, work->run, cell, k, 0, n);

	return m == 1 ? exact(h) : multiply(exact(m), exact(h));
}

void sluice__bound_see(struct bound_work *work, const struct bound_view *view, size_t index, size_t n)
{
	const struct sluice__cell *cell = &work->network->cells[index];
	size_t width = work->network->widths[cell->layer];
	const struct bound_sight *sight = &work->sight;

	for (size_t k = 0; k < cell->input_places * cell->inputs; k++) {
		size_t place = n * cell->input_places + k / cell->inputs;
		size_t at = place * width + cell->input_column + k % cell->inputs;

		sight->x[k] = (struct number){work->trace->inputs[cell->layer][at], view->inputs[cell->layer][at]};
	}
	for (size_t k = 0; k < h_numbers(cell); k++)
		sight->m[k] = recurrent(work, cell, n, k);
	for (size_t k = 0; k < c_numbers(cell); k++)
		sight->c[k] = exact(sluice__bound_cell_before(work, cell, n, k));
	sluice__bound_see_new(work, view, index, n);
}

void sluice__bound_see_new(struct bound_work *work, const struct bound_view *view, size_t index, size_t n)
{
	const struct sluice__cell *cell = &work->network->cells[index];

	for (size_t k = 0; k < c_numbers(cell); k++) {
		size_t at = n * c_numbers(cell) + k;

		work->sight.e[k] = (struct number){work->trace->e[index][at], view->e[index][at]};
	}
}

/* A tensor's numbers, or NULL. */
static const struct number *tensor_at(const struct bound_work *work, size_t offset)
{
	return offset != SLUICE__NONE ? work->parameters + offset : NULL;
}

/* Gates that are computed from a pre-activation. */
static unsigned computed(const struct sluice__cell *cell)
{
	unsigned gates = 0;

	for (int gate = SLUICE__I; gate <= SLUICE__O; gate++)
		gates |= sluice__cell_computes(cell, gate) ? 1u << gate : 0;
	return gates;
}

struct bound_product sluice__bound_input(const struct bound_work *work, size_t index)
{
	const struct sluice__cell *cell = &work->network->cells[index];

	return (struct bound_product){
		.window = &cell->input_window,
		.weights = tensor_at(work, cell->weight_ih),
		.seen = work->sight.x,
		.stride = cell->inputs,
		.tiled = sluice__bound_tiles(&work->storage, cell, &cell->input_window),
		.gates = computed(cell) & ~cell->no_input_weights,
	};
}

struct bound_product sluice__bound_recurrent(const struct bound_work *work, size_t index)
{
	const struct sluice__cell *cell = &work->network->cells[index];

	return (struct bound_product){
		.window = &cell->recurrent_window,
		.weights = work->R[index],
		.seen = work->sight.m,
		.stride = cell->out,
		.factors = work->factors[index],
		.tiled = sluice__bound_tiles(&work->storage, cell, &cell->recurrent_window),
		.gates = computed(cell) & ~cell->no_recurrent_weights,
	};
}

struct bound_product sluice__bound_memory(const struct bound_work *work, size_t index, int new_cell)
{
	const struct sluice__cell *cell = &work->network->cells[index];

	return (struct bound_product){
		.window = &cell->memory_window,
		.weights = tensor_at(work, cell->peephole),
		.seen = new_cell ? work->sight.e : work->sight.c,
		.stride = cell->hidden,
		.gates = computed(cell) & ~cell->no_peepholes,
	};
}

/* The channels that one tap of a gate's row sees from a place: where they and their weights begin. Whether there are
 * any. */
static int tap_find(const struct bound_product *product, size_t row, size_t place, size_t tap, size_t *weight,
		    size_t *seen)
{
	const struct sluice__window *window = product->window;
	size_t unit = row % (window->units * window->groups), other = sluice__window_seen(window, place, tap);

	*weight = row * sluice__window_columns(window) + tap * window->channels;
	*seen = other * product->stride + sluice__window_channel(window, unit);
	return other != SLUICE__NONE;
}

void sluice__bound_sum(const struct bound_product *product, size_t row, size_t place, struct sum *sum)
{
	size_t weight, seen;

	sluice__bound_tile(product, row, place, sum);
	for (size_t tap = 0; tap < sluice__window_taps(product->window); tap++)
		if (tap_find(product, row, place, tap, &weight, &seen))
			for (size_t k = 0; k < product->window->channels; k++)
				sum_add(sum, product->weights[weight + k], product->seen[seen + k]);
}

void sluice__bound_transpose(const struct bound_product *product, size_t row, size_t place, struct number da,
			     struct sum *dweights, struct sum *dseen)
{
	const double *factors = product->factors;
	size_t weight, seen;

	for (size_t tap = 0; tap < sluice__window_taps(product->window); tap++)
		if (tap_find(product, row, place, tap, &weight, &seen))
			for (size_t k = 0; k < product->window->channels; k++) {
				int scales = factors && factors[weight + k] != 1;

				sum_add(&dseen[seen + k], da, product->weights[weight + k]);
				sum_add(&dweights[weight + k], scales ? multiply(da, exact(factors[weight + k])) : da,
					product->seen[seen + k]);
			}
}
