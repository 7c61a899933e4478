/* backward.c exists to carry gradients down the stack: from y to each layer, from each layer to what it read. */
#include "backend/cpu/cpu.h"

#include <string.h>

/* --- to the layer below, or to x --- */

/* Where the gradient of a layer's input goes: a segment of the layer below, or dx. */
static struct rows input_gradient(const struct pass *pass, size_t index, size_t segment)
{
	if (index > 0) {
		const size_t row = pass_dy_row(pass, index - 1);
		return (struct rows){pass_dy_of(pass, index - 1) +
					     segment * pass->plan->layers[index].segment[segment].padded,
				     pass->batch * row, row};
	}
	return sluice__pass_dx(pass);
}

/* Whether the first direction adds to what is there. */
static bool adds_input(const struct pass *pass, size_t index)
{
	return index == 0 && pass_accumulates(pass, SLUICE_ACCUMULATE_X);
}

/* Zeros behind the columns of the layer below, which its own way back reads by vectors. */
static void clear_input_padding(const struct pass *pass, size_t index, struct sluice__range steps)
{
	const struct packed_layer *packed = &pass->plan->layers[index];
	for (size_t each = 0; index > 0 && each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		const struct rows to = input_gradient(pass, index, each);
		for (size_t row = steps.first * pass->batch; row < steps.last * pass->batch; row++)
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
	const bool add = adds_input(pass, index) || (!whole && direction > 0);
	const real *da = pass_piece(pass, pass->plan->map.da[direction]);
	const size_t first = whole ? direction * SLUICE__GATES * hidden : 0;
	const size_t width = packed->segment[0].width;
	clear_input_padding(pass, index, steps);
	for (size_t row = steps.first * pass->batch; row < steps.last * pass->batch; row++)
		for (size_t j = 0; j < (whole ? SLUICE__GATES : 1) * hidden; j++) {
			const size_t column = first + j, unit = j % hidden;
			const struct rows to = input_gradient(pass, index, column / width);
			real *at = (real *)to.at + row / pass->batch * to.step + row % pass->batch * to.row +
				   column % width;
			real sum = add ? *at : 0;
			for (size_t gate = 0; gate < SLUICE__GATES; gate++)
				if (!whole || pass->prepared->limits.gate_place[gate] == j / hidden)
					sum += da[row * da_row + gate * packed->span + unit];
			*at = sum;
		}
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
	for (size_t each = 0; each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		const struct rows to = input_gradient(pass, index, each);
		const struct product product = {
			.first = own.first,
			.last = own.last,
			.batch = pass->batch,
			.a = {pass_piece(pass, pass->plan->map.da[direction]), pass->batch * depth, depth},
			.depth = depth,
			.width = segment->width,
			.panels = packed_panels(pass->plan, segment->backward[direction]),
			.type = pass->plan->panel_type,
			.add = direction > 0 || adds_input(pass, index),
			.c = (real *)to.at,
			.c_step = to.step,
			.c_row = to.row,
			.c_padded = index > 0,
		};
		sluice__matrix_multiply(&pass->plan->kernels, &product);
	}
}

/* The gradient of a layer's output passes the mask that the output passed. */
static void undrop(struct pass *pass, size_t layer, const struct team *team)
{
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	const size_t row = pass_dy_row(pass, layer);
	if (!sluice__pass_input_dropped(pass, layer + 1))
		return;
	for (size_t direction = 0; direction < pass->plan->layers[layer].directions; direction++) {
		real *dy = pass_dy_of(pass, layer) + direction * pass->plan->layers[layer].out_padded;
		sluice__noise_dropout(pass, layer, direction, own, dy, row, dy, row);
	}
}

static void layer_below(struct pass *pass, size_t index, const struct team *team)
{
	if (index == 0 && !pass->gradients->dx)
		return;
	for (size_t direction = 0; direction < pass->plan->layers[index].directions; direction++)
		direction_input(pass, index, direction, team);
	if (index > 0) {
		undrop(pass, index - 1, team);
		return;
	}
	if (!pass->plan->widens_data)
		return;
	team_wait(team);
	sluice__exchange_out(pass, team, pass_piece(pass, pass->plan->map.dx), pass->prepared->network->inputs,
			     pass->steps, pass->gradients->dx);
}

/* --- the top of the stack --- */

/* Where the gradient of the first step of y goes in a direction of the last layer. */
static real *top_gradient(const struct pass *pass, size_t direction)
{
	const size_t layer = pass->plan->layer_count - 1, row = pass_dy_row(pass, layer);
	const size_t t = pass->run->last_only ? pass_last_step(pass, layer, direction) : 0;
	return pass_dy_of(pass, layer) + t * pass->batch * row + direction * pass->plan->layers[layer].out_padded;
}

static void copy_dy(struct pass *pass, struct sluice__range steps)
{
	const size_t layer = pass->plan->layer_count - 1, to_row = pass_dy_row(pass, layer);
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct rows dy = sluice__pass_dy(pass);
	for (size_t direction = 0; direction < packed->directions; direction++) {
		real *to = top_gradient(pass, direction);
		for (size_t row = steps.first * pass->batch; row < steps.last * pass->batch; row++)
			memcpy(to + row * to_row,
			       dy.at + row / pass->batch * dy.step + row % pass->batch * dy.row +
				       direction * packed->out,
			       packed->out * sizeof *to);
	}
}

static void readout_input(struct pass *pass, struct sluice__range steps)
{
	const struct cpu_plan *plan = pass->plan;
	const struct sluice__network *network = pass->prepared->network;
	const size_t layer = network->layer_count - 1;
	for (size_t each = 0; each < plan->readout.segments; each++) {
		const struct product product = {
			.first = steps.first,
			.last = steps.last,
			.batch = pass->batch,
			.a = sluice__pass_dy(pass),
			.depth = network->outputs,
			.width = plan->layers[layer].out,
			.panels = packed_panels(plan, plan->readout.backward[each]),
			.type = plan->panel_type,
			.c = top_gradient(pass, each),
			.c_row = pass_dy_row(pass, layer),
			.c_step = pass->batch * pass_dy_row(pass, layer),
			.c_padded = true,
		};
		sluice__matrix_multiply(&plan->kernels, &product);
	}
}

static void top(struct pass *pass, const struct team *team)
{
	const struct sluice__network *network = pass->prepared->network;
	const size_t layer = network->layer_count - 1, steps = pass_y_steps(pass);
	const size_t row = pass_dy_row(pass, layer);
	const struct sluice__range own = sluice__share(steps, team->index, team->count);
	const struct sluice__range all = sluice__share(pass->steps * pass->batch, team->index, team->count);
	if (network->readout && pass->gradients->dparameters)
		sluice__parameters_readout(pass, team);
	if (!pass->gradients->dy)
		return;
	/* Padding, and all steps but the last ones if these alone have a gradient. */
	memset(pass_dy_of(pass, layer) + all.first * row, 0, (all.last - all.first) * row * sizeof(real));
	team_wait(team);
	if (network->readout)
		readout_input(pass, own);
	else
		copy_dy(pass, own);
	if (pass->run->last_only)
		team_wait(team);
	if (network->readout)
		undrop(pass, layer, team);
	team_wait(team);
}

/* The user's arrays of 16 bits as reals. */
static void widen_user(struct pass *pass, const struct team *team)
{
	const struct sluice__network *network = pass->prepared->network;
	const struct workspace_map *map = &pass->plan->map;
	if (!pass->plan->widens_data)
		return;
	sluice__exchange_in(pass, team, pass->run->x, network->inputs, pass->steps, pass_piece(pass, map->x));
	if (pass->gradients->dy)
		sluice__exchange_in(pass, team, pass->gradients->dy, network->outputs, pass_y_steps(pass),
				    pass_piece(pass, map->y));
	if (pass->gradients->dx && pass_accumulates(pass, SLUICE_ACCUMULATE_X))
		sluice__exchange_in(pass, team, pass->gradients->dx, network->inputs, pass->steps,
				    pass_piece(pass, map->dx));
	team_wait(team);
}

static void backward(struct pass *pass, const struct team *team)
{
	const size_t count = pass->plan->layer_count;
	widen_user(pass, team);
	sluice__restore_h(pass, count - 1, team);
	sluice__restore_dropped(pass, count, team);
	top(pass, team);
	for (size_t layer = count; layer-- > 0;) {
		if (layer > 0)
			sluice__restore_h(pass, layer - 1, team);
		sluice__restore_dropped(pass, layer, team);
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
	sluice__pass_run(&pass, pass.plan->threads, backward);
	return SLUICE_OK;
}
