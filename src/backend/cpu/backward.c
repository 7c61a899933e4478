/* backward.c exists to carry gradients down the stack: from y to each layer, from each layer to what it read. */
#include "backend/cpu/images.h"

#include <string.h>

/* --- to the layer below, or to x --- */

/* Where the gradient of what a direction reads goes: a result of the layer below, or dx. */
struct rows sluice__backward_input(const struct pass *pass, size_t index, size_t direction, size_t segment)
{
	if (index > 0) {
		const size_t row = pass_dy_row(pass, index - 1);
		const size_t result = pass->plan->layers[index].reads_separate ? direction : segment;
		const struct packed_layer *below = &pass->plan->layers[index - 1];
		return (struct rows){pass_dy_of(pass, index - 1) + result * below->out_padded,
				     layer_rows(pass, below) * row, row};
	}
	return sluice__pass_dx(pass);
}

/* Whether a direction adds to what is there: what the other one has put there, or the caller. */
bool sluice__backward_adds(const struct pass *pass, size_t index, size_t direction)
{
	if (index == 0 && pass_accumulates(pass, SLUICE_ACCUMULATE_X))
		return true;
	return direction > 0 && !pass->plan->layers[index].reads_separate;
}

/* Zeros behind the columns of the layer below, which its own way back reads by vectors. */
static void clear_input_padding(const struct pass *pass, size_t index, size_t direction, struct sluice__range steps)
{
	const struct packed_layer *packed = &pass->plan->layers[index];
	for (size_t each = 0; index > 0 && each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		const struct rows to = sluice__backward_input(pass, index, direction, each);
		const size_t rows = pass->batch * packed->places_before;
		for (size_t row = steps.first * rows; row < steps.last * rows; row++)
			memset((real *)to.at + row * to.row + segment->width, 0,
			       (segment->padded - segment->width) * sizeof(real));
	}
}

/* x entered without weights: dx is da itself, or its sum over the gates. */
static void place_gradient(struct pass *pass, size_t index, size_t direction, struct sluice__range steps)
{
	const struct packed_layer *packed = &pass->plan->layers[index];
	const size_t hidden = packed->hidden, da_row = SLUICE__GATES * packed->span;
	const bool whole = packed->options->input == SLUICE_INPUT_GATES;
	/* Gates of two directions lie side by side. */
	const bool add = sluice__backward_adds(pass, index, whole ? 0 : direction);
	const real *da = pass_piece(pass, pass->plan->map.da[direction]);
	const size_t first = whole && !packed->reads_separate ? direction * SLUICE__GATES * hidden : 0;
	const size_t width = packed->segment[0].width;
	const size_t rows = layer_rows(pass, packed);
	clear_input_padding(pass, index, direction, steps);
	for (size_t row = steps.first * rows; row < steps.last * rows; row++) {
		if (row % rows >= layer_rows_at(pass, packed, row / rows))
			continue;
		for (size_t j = 0; j < (whole ? SLUICE__GATES : 1) * hidden; j++) {
			const size_t column = first + j, unit = j % hidden;
			const struct rows to = sluice__backward_input(pass, index, direction, column / width);
			real *at = (real *)to.at + row / rows * to.step + row % rows * to.row + column % width;
			real sum = add ? *at : 0;
			for (size_t gate = 0; gate < SLUICE__GATES; gate++)
				if (!whole || pass_input_place(pass, index, gate) == j / hidden)
					sum += da[row * da_row + gate * packed->span + unit];
			*at = sum;
		}
	}
}

/* The gradient of some images of a segment of what a direction reads. */
static void convolve_images(const struct pass *pass, size_t index, size_t direction, size_t each, size_t images,
			    const struct convolution *convolution, const struct team *team)
{
	const struct sluice__layer *layer = &pass->prepared->network->layers[index];
	const struct packed_layer *packed = &pass->plan->layers[index];
	const struct winograd_back by = {
		.layer = index,
		.window = &layer->input,
		.from = layer->image,
		.to = layer->from,
		.da = convolution->images,
		.target[0] = {packed_reals(pass->plan, packed->segment[each].points_back[direction]),
			      convolution->width, convolution->add, convolution->c, convolution->c_row},
		.targets = 1,
	};
	if (packed->points_of_input)
		sluice__winograd_back(pass, &by, direction, images, team);
	else
		sluice__convolve(pass, convolution, direction, images * packed->places_before, team);
}

/* The same through a convolution. Threads share places, and wait for each other. */
static void convolve_gradient(struct pass *pass, size_t index, size_t direction, const struct team *team)
{
	const struct packed_layer *packed = &pass->plan->layers[index];
	const size_t da_row = SLUICE__GATES * packed->span, rows = pass->batch * packed->places_before;
	const real *da = pass_piece(pass, pass->plan->map.da[direction]);
	for (size_t each = 0; each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		const struct rows to = sluice__backward_input(pass, index, direction, each);
		struct convolution convolution = {
			.gather = sluice__gather_of(pass->plan, packed, &packed->input, true, da_row, da_row),
			.images = da,
			.panels = packed_panels(pass->plan, segment->backward[direction]),
			.type = pass->plan->panel_type,
			.width = segment->width,
			.add = sluice__backward_adds(pass, index, direction),
			.c = (real *)to.at,
			.c_row = to.row,
			.c_padded = index > 0,
		};
		for (size_t t = 0; t < pass->steps; t++) {
			convolution.images = da + t * layer_rows(pass, packed) * da_row;
			convolution.c = (real *)to.at + t * to.step;
			if (!pass->when->active && to.step == rows * to.row) {
				convolve_images(pass, index, direction, each, pass->steps * pass->batch, &convolution,
						team);
				break;
			}
			convolve_images(pass, index, direction, each, pass_rows(pass, t), &convolution, team);
		}
	}
	team_wait(team);
}

/* The steps that fall to a thread, of every row. */
static void direction_input(struct pass *pass, size_t index, size_t direction, const struct team *team)
{
	const struct packed_layer *packed = &pass->plan->layers[index];
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	const size_t depth = SLUICE__GATES * packed->span;
	if (packed->options->input != SLUICE_INPUT_WEIGHTS) {
		place_gradient(pass, index, direction, own);
		return;
	}
	if (packed->images) {
		if (!sluice__winograd_joins(pass, index))
			convolve_gradient(pass, index, direction, team);
		return;
	}
	for (size_t each = 0; each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		const struct rows to = sluice__backward_input(pass, index, direction, each);
		const struct product product = {
			.first = own.first,
			.last = own.last,
			.batch = pass->batch,
			.when = pass->when,
			.a = {pass_piece(pass, pass->plan->map.da[direction]), pass->batch * depth, depth},
			.depth = depth,
			.width = segment->width,
			.panels = packed_panels(pass->plan, segment->backward[direction]),
			.type = pass->plan->panel_type,
			.add = sluice__backward_adds(pass, index, direction),
			.c = (real *)to.at,
			.c_step = to.step,
			.c_row = to.row,
			.c_padded = index > 0,
		};
		sluice__matrix_multiply(&pass->plan->kernels, &product);
	}
}

/* The gradient of a layer's output passes the mask that the output passed, and goes to both directions if these were
 * added. */
static void undo_output(struct pass *pass, size_t layer, const struct team *team)
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	const size_t row = pass_dy_row(pass, layer), padded = packed->out_padded;
	real *dy = pass_dy_of(pass, layer);
	for (size_t result = 0; result < packed->results && sluice__pass_input_dropped(pass, layer + 1); result++)
		sluice__noise_dropout(pass, layer, result, own, dy + result * padded, row, dy + result * padded, row);
	for (size_t t = own.first; packed->options->combination == SLUICE_ADD && t < own.last; t++)
		for (size_t n = 0; n < layer_rows_at(pass, packed, t); n++) {
			real *at = dy + (t * layer_rows(pass, packed) + n) * row;
			memcpy(at + padded, at, padded * sizeof *at);
		}
}

static void layer_below(struct pass *pass, size_t index, const struct team *team)
{
	const struct array dx = sluice__array_dx(pass);
	if (index == 0 && !array_given(&dx))
		return;
	for (size_t direction = 0; direction < pass->plan->layers[index].directions; direction++)
		direction_input(pass, index, direction, team);
	if (index > 0) {
		undo_output(pass, index - 1, team);
		return;
	}
	if (array_direct(pass, &dx))
		return;
	team_wait(team);
	sluice__exchange_out(pass, team, pass_piece(pass, pass->plan->map.dx), &dx);
}

/* --- the top of the stack --- */

/* Where the gradient of a result of the last layer is put together: in its place [T,N], or for all last steps in one
 * place [N], from where they go to their steps. */
static struct rows top_gradient(const struct pass *pass, size_t result)
{
	const size_t layer = pass->plan->layer_count - 1, row = pass_dy_row(pass, layer);
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const size_t column = result * packed->out_padded, step = layer_rows(pass, packed) * row;
	if (pass->run->last_only)
		return (struct rows){pass_piece(pass, pass->plan->map.dlast) + column, step, row};
	return (struct rows){pass_dy_of(pass, layer) + column, step, row};
}

static void copy_dy(struct pass *pass, struct sluice__range steps)
{
	const struct packed_layer *packed = &pass->plan->layers[pass->plan->layer_count - 1];
	const bool separate = pass->prepared->network->separate;
	for (size_t result = 0; result < packed->results; result++) {
		const struct array array = sluice__array_dy(pass, separate ? result : 0);
		const struct rows to = top_gradient(pass, result), dy = sluice__pass_dy(pass, separate ? result : 0);
		const size_t column = separate ? 0 : result * packed->out;
		for (size_t t = steps.first; array_given(&array) && t < steps.last; t++)
			for (size_t row = 0; row < pass_y_rows(pass, t) * packed->places; row++)
				memcpy((real *)to.at + t * to.step + row * to.row,
				       dy.at + t * dy.step + row * dy.row + column, packed->out * sizeof(real));
	}
}

static void readout_input(struct pass *pass, struct sluice__range steps)
{
	const struct cpu_plan *plan = pass->plan;
	const struct sluice__network *network = pass->prepared->network;
	for (size_t each = 0; each < plan->readout.segments; each++) {
		const struct rows to = top_gradient(pass, each);
		const struct product product = {
			.first = steps.first,
			.last = steps.last,
			.batch = pass_y_batch(pass) * network->y_places,
			.when = pass_y_schedule(pass),
			.places = network->y_places,
			.a = sluice__pass_dy(pass, 0),
			.depth = network->outputs,
			.width = plan->layers[network->layer_count - 1].out,
			.panels = packed_panels(plan, plan->readout.backward[each]),
			.type = plan->panel_type,
			.c = (real *)to.at,
			.c_row = to.row,
			.c_step = to.step,
			.c_padded = true,
		};
		sluice__matrix_multiply(&plan->kernels, &product);
	}
}

/* Gradients of each row's last steps, dropped as these were, to their steps. */
static void spread_last(struct pass *pass, const struct team *team)
{
	const size_t layer = pass->plan->layer_count - 1, row_reals = pass_dy_row(pass, layer);
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct sluice__range own = sluice__share(pass_present(pass) * packed->places, team->index, team->count);
	const size_t padded = packed->out_padded;
	for (size_t row = own.first; row < own.last; row++) {
		real *results = pass_piece(pass, pass->plan->map.dlast) + row * row_reals;
		sluice__forward_drop_last(pass, row, results);
		for (size_t direction = 0; direction < packed->directions; direction++) {
			const size_t t = pass_end_of(pass, layer, direction, layer_sequence(packed, row), true);
			const size_t result = direction < packed->results ? direction : 0;
			memcpy(pass_dy_of(pass, layer) + (t * layer_rows(pass, packed) + row) * row_reals +
				       direction * padded,
			       results + result * padded, packed->out * sizeof *results);
		}
	}
}

/* Zeros where the gradients of the top go: in padding, and in steps and results that have none. */
static void clear_top(struct pass *pass, const struct team *team)
{
	const size_t layer = pass->plan->layer_count - 1, row = pass_dy_row(pass, layer);
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const size_t step = layer_rows(pass, packed) * row;
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	for (size_t t = own.first; t < own.last; t++)
		memset(pass_dy_of(pass, layer) + t * step, 0, layer_rows_at(pass, packed, t) * row * sizeof(real));
	if (pass->run->last_only && team->index == 0)
		memset(pass_piece(pass, pass->plan->map.dlast), 0, step * sizeof(real));
	team_wait(team);
}

static void top(struct pass *pass, const struct team *team)
{
	const struct sluice__network *network = pass->prepared->network;
	const struct sluice__range own = sluice__share(pass_y_steps(pass), team->index, team->count);
	if (network->readout && pass->gradients->dparameters)
		sluice__parameters_readout(pass, team);
	if (!pass_has_dy(pass))
		return;
	clear_top(pass, team);
	if (network->readout)
		readout_input(pass, own);
	else
		copy_dy(pass, own);
	team_wait(team);
	if (pass->run->last_only)
		spread_last(pass, team);
	else
		undo_output(pass, network->layer_count - 1, team);
	team_wait(team);
}

/* The caller's arrays as reals, where they are not used as they lie. */
static void copy_in(struct pass *pass, const struct team *team)
{
	const struct workspace_map *map = &pass->plan->map;
	const bool adds = pass_accumulates(pass, SLUICE_ACCUMULATE_X);
	const struct array arrays[] = {array_x(pass), sluice__array_dy(pass, 0), sluice__array_dy(pass, 1),
				       sluice__array_dx(pass)};
	const size_t copies[] = {map->x, map->y[0], map->y[1], map->dx};
	for (size_t each = 0; each < sizeof arrays / sizeof arrays[0]; each++)
		if (array_given(&arrays[each]) && !array_direct(pass, &arrays[each]) && (each < 3 || adds))
			sluice__exchange_in(pass, team, &arrays[each], pass_piece(pass, copies[each]));
	sluice__exchange_blank(pass, team);
	team_wait(team);
}

static void backward(struct pass *pass, const struct team *team)
{
	const size_t count = pass->plan->layer_count;
	copy_in(pass, team);
	sluice__restore_h(pass, count - 1, team);
	sluice__restore_input(pass, count, team);
	top(pass, team);
	for (size_t layer = count; layer-- > 0;) {
		if (layer > 0)
			sluice__restore_h(pass, layer - 1, team);
		sluice__restore_input(pass, layer, team);
		sluice__restore_gates(pass, layer, team);
		sluice__pass_directions(pass, layer, team, sluice__through_time);
		if (pass->gradients->dparameters)
			for (size_t direction = 0; direction < pass->plan->layers[layer].directions; direction++)
				sluice__parameters_direction(pass, layer, direction, team);
		layer_below(pass, layer, team);
		team_wait(team);
	}
}

sluice_status sluice__cpu_backward(const struct sluice__prepared *prepared, const sluice_run *run,
				   const sluice_gradients *gradients)
{
	struct pass pass = {.prepared = prepared,
			    .plan = prepared->own,
			    .run = run,
			    .gradients = gradients,
			    .steps = run->steps,
			    .batch = run->batch};
	struct schedule own;
	sluice__schedule_make(&pass, &own);
	sluice__pass_run(&pass, pass.plan->threads, backward);
	return SLUICE_OK;
}
