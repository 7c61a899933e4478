/* backward.c exists to run a stack's gradients back through time, from the tape of the forward call. */
#include "backend/cpu/cpu.h"

#include <string.h>

static bool accumulates(const struct pass *pass, unsigned flag)
{
	return (pass->gradients->accumulate & flag) != 0;
}

/* The gradient of a layer's output [T,N,padded features]; layers take turns. */
static float *dy_of(const struct pass *pass, size_t layer)
{
	return pass_piece(pass, pass->plan->map.dy[layer % 2]);
}

static size_t dy_row_of(const struct pass *pass, size_t layer)
{
	return pass->plan->layers[layer].directions * pass->plan->layers[layer].padded;
}

/* --- through time --- */

/* One layer and direction, as one thread works on it: its own panels of units. */
struct strip {
	struct pass *pass;
	size_t layer, direction;
	const struct packed_layer *packed;
	const float *gates;
	struct history c;
	size_t first_panel, first, last; /* panel, and the vectors of all its panels */
	struct columns columns;
	float *da, *dh, *dc;
};

static struct strip strip_of(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct sluice__range own = sluice__share(packed->panels, team->index, team->count);
	const struct tape tape = sluice__pass_tape(pass, layer, direction);
	struct strip strip = {.pass = pass,
			      .layer = layer,
			      .direction = direction,
			      .packed = packed,
			      .gates = tape.gates,
			      .c = sluice__pass_history(pass, layer, direction, tape.c),
			      .first_panel = own.first,
			      .first = own.first * SLUICE__PANEL_VECTORS,
			      .last = own.last * SLUICE__PANEL_VECTORS,
			      .da = pass_piece(pass, pass->plan->map.da[direction]),
			      .dh = pass_piece(pass, pass->plan->map.dh[direction]),
			      .dc = pass_piece(pass, pass->plan->map.dc[direction])};
	/* The last panel may be partial, and a thread without panels starts behind it. */
	if (strip.last > packed->blocks)
		strip.last = packed->blocks;
	if (strip.first > strip.last)
		strip.first = strip.last;
	strip.columns = sluice__pass_columns(pass, layer, strip.first, strip.last);
	return strip;
}

static void store_part(float *to, const float *from, size_t count, bool add)
{
	for (size_t j = 0; j < count; j++)
		to[j] = add ? to[j] + from[j] : from[j];
}

static void store_initial(const struct strip *strip)
{
	const struct pass *pass = strip->pass;
	const struct sluice__layer *layer = &pass->prepared->network->layers[strip->layer];
	const bool add = accumulates(pass, SLUICE_ACCUMULATE_STATE);
	if (!pass->gradients->dinitial)
		return;
	for (size_t row = 0; row < pass->batch; row++) {
		const size_t from = row * strip->packed->padded + strip->columns.first;
		float *to = (float *)pass->gradients->dinitial + row * pass->prepared->network->state_row +
			    strip->columns.first;
		store_part(to + layer->h[strip->direction], strip->dh + from, strip->columns.units, add);
		store_part(to + layer->c[strip->direction], strip->dc + from, strip->columns.units, add);
	}
}

/* dh of the strip's units from da of one step: da R. */
static void recur_panels(const struct strip *strip, const float *da, bool descending)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const size_t depth = SLUICE__GATES * packed->span, full = SLUICE__PANEL_VECTORS * pass->plan->kernels.lanes;
	const struct product product = {
		.last = 1,
		.batch = pass->batch,
		.a = {da, pass->batch * depth, depth},
		.depth = depth,
		.width = strip->columns.units,
		.panels = pass->plan->packed + packed->transposed[strip->direction] + strip->first_panel * depth * full,
		.c = strip->dh + strip->columns.first,
		.c_step = pass->batch * packed->padded,
		.c_row = packed->padded,
		.c_padded = true,
		.descending = descending,
	};
	if (strip->columns.units)
		sluice__matrix_multiply(&pass->plan->kernels, &product);
}

static void recur(const struct strip *strip, const struct team *team)
{
	const struct pass *pass = strip->pass;
	const bool has_dy = pass->gradients->dy || strip->layer + 1 < pass->plan->layer_count;
	const struct packed_layer *packed = strip->packed;
	const size_t padded = packed->padded, gates_row = SLUICE__GATES * padded, da_row = SLUICE__GATES * packed->span;
	const size_t dy_row = dy_row_of(pass, strip->layer);
	const bool backwards = pass_runs_backwards(pass, strip->layer, strip->direction);
	for (size_t done = pass->steps; done-- > 0;) {
		const size_t t = backwards ? pass->steps - 1 - done : done;
		const float *dy = dy_of(pass, strip->layer) + t * pass->batch * dy_row + strip->direction * padded;
		float *da = strip->da + t * pass->batch * da_row;
		const struct sluice__cell_backward job = {
			.rows = pass->batch,
			.first = strip->first,
			.last = strip->last,
			.gates = strip->gates + t * pass->batch * gates_row,
			.gates_row = gates_row,
			.c = history_at(&strip->c, t),
			.c_prev = history_before(&strip->c, t),
			.c_row = padded,
			.c_prev_row = padded,
			.dy = has_dy ? dy : NULL,
			.dy_row = dy_row,
			.dh = strip->dh,
			.dh_row = padded,
			.dc = strip->dc,
			.dc_row = padded,
			.da = da,
			.da_row = da_row,
			.da_gate = packed->span,
		};
		pass->plan->kernels.cell_backward(&job);
		team_wait(team);
		/* As forward: what the step before read last is still in the cache. */
		recur_panels(strip, da, done % 2 != 0);
	}
}

static void run_direction(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	const struct strip strip = strip_of(pass, layer, direction, team);
	sluice__pass_load(pass, layer, direction, pass->gradients->dfinal, strip.columns, strip.dh, strip.dc);
	recur(&strip, team);
	store_initial(&strip);
}

/* --- to the parameters --- */

static struct gradient_product parameter_product(const struct pass *pass, const struct team *team)
{
	const struct workspace_map *map = &pass->plan->map;
	return (struct gradient_product){
		.steps = pass->steps,
		.batch = pass->batch,
		.add = accumulates(pass, SLUICE_ACCUMULATE_PARAMETERS),
		.columns = pass_piece(pass, map->columns),
		.rows = pass_piece(pass, map->rows + (size_t)team->index * map->rows_bytes),
	};
}

static void direction_parameters(struct pass *pass, size_t index, size_t direction, const struct team *team)
{
	const struct sluice__kernels *kernels = &pass->plan->kernels;
	const struct sluice__layer *layer = &pass->prepared->network->layers[index];
	const struct packed_layer *packed = &pass->plan->layers[index];
	const size_t hidden = layer->hidden, padded = packed->padded, da_row = SLUICE__GATES * packed->span;
	const float *da = pass_piece(pass, pass->plan->map.da[direction]);
	const struct history h = sluice__pass_h(pass, index, direction);
	float *parameters = pass->gradients->dparameters;
	struct gradient_product product = parameter_product(pass, team);
	product.a = (struct rows){da, pass->batch * da_row, da_row};
	product.gates = SLUICE__GATES;
	product.a_gate = packed->span;
	product.height = hidden;

	product.b = (struct rows){history_before(&h, 0), pass->batch * padded, padded};
	product.width = product.dw_row = hidden;
	product.dw = parameters + layer->weight_hh[direction];
	sluice__matrix_gradient(kernels, team, &product);

	product.dw_row = layer->inputs;
	for (size_t each = 0; each < packed->segments; each++) {
		product.b = sluice__pass_input(pass, index, each);
		product.width = packed->segment[each].width;
		product.dw = parameters + layer->weight_ih[direction] + packed->segment[each].first;
		sluice__matrix_gradient(kernels, team, &product);
	}
	if (!layer->bias)
		return;
	for (size_t gate = 0; gate < SLUICE__GATES; gate++)
		sluice__matrix_sum(kernels, team, pass->steps * pass->batch, da + gate * packed->span, da_row, hidden,
				   product.add, parameters + layer->bias_at[direction] + gate * hidden);
}

/* --- to the layer below, or to x --- */

/* The steps that fall to a thread, of every row. */
static void direction_input(struct pass *pass, size_t index, size_t direction, const struct team *team)
{
	const struct sluice__network *network = pass->prepared->network;
	const struct packed_layer *packed = &pass->plan->layers[index];
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	const size_t depth = SLUICE__GATES * packed->span;
	for (size_t each = 0; each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		struct product product = {
			.first = own.first,
			.last = own.last,
			.batch = pass->batch,
			.a = {pass_piece(pass, pass->plan->map.da[direction]), pass->batch * depth, depth},
			.depth = depth,
			.width = segment->width,
			.panels = pass->plan->packed + segment->backward[direction],
			.add = direction > 0,
		};
		if (index > 0) {
			product.c = dy_of(pass, index - 1) + each * segment->padded;
			product.c_row = dy_row_of(pass, index - 1);
			product.c_step = pass->batch * product.c_row;
			product.c_padded = true;
		} else {
			const struct rows dx = sluice__pass_user(pass, pass->gradients->dx, network->inputs);
			product.c = pass->gradients->dx;
			product.c_row = dx.row;
			product.c_step = dx.step;
			product.add = direction > 0 || accumulates(pass, SLUICE_ACCUMULATE_X);
		}
		sluice__matrix_multiply(&pass->plan->kernels, &product);
	}
}

/* The gradient of a layer's output passes the mask that the output passed. */
static void undrop(struct pass *pass, size_t layer, const struct team *team)
{
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	const size_t row = dy_row_of(pass, layer);
	if (!sluice__pass_input_dropped(pass, layer + 1))
		return;
	for (size_t direction = 0; direction < pass->plan->layers[layer].directions; direction++) {
		float *dy = dy_of(pass, layer) + direction * pass->plan->layers[layer].padded;
		sluice__pass_dropout(pass, layer, direction, own, dy, row, dy, row);
	}
}

static void layer_below(struct pass *pass, size_t index, const struct team *team)
{
	if (index == 0 && !pass->gradients->dx)
		return;
	for (size_t direction = 0; direction < pass->plan->layers[index].directions; direction++)
		direction_input(pass, index, direction, team);
	if (index > 0)
		undrop(pass, index - 1, team);
}

/* --- the top of the stack --- */

static void copy_dy(struct pass *pass, const struct team *team)
{
	const size_t layer = pass->plan->layer_count - 1, features = pass->prepared->network->features;
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct rows dy = sluice__pass_user(pass, pass->gradients->dy, features);
	const struct sluice__range own = sluice__share(pass->steps * pass->batch, team->index, team->count);
	for (size_t row = own.first; row < own.last; row++) {
		const float *from = dy.at + row / pass->batch * dy.step + row % pass->batch * dy.row;
		float *to = dy_of(pass, layer) + row * dy_row_of(pass, layer);
		memset(to, 0, dy_row_of(pass, layer) * sizeof *to);
		for (size_t direction = 0; direction < packed->directions; direction++)
			memcpy(to + direction * packed->padded, from + direction * packed->hidden,
			       packed->hidden * sizeof *to);
	}
}

static void readout_parameters(struct pass *pass, const struct team *team)
{
	const struct sluice__network *network = pass->prepared->network;
	const struct rows dy = sluice__pass_user(pass, pass->gradients->dy, network->outputs);
	struct gradient_product product = parameter_product(pass, team);
	product.a = dy;
	product.gates = 1;
	product.height = network->outputs;
	product.dw_row = network->features;
	product.width = pass->plan->layers[network->layer_count - 1].hidden;
	for (size_t each = 0; each < pass->plan->readout.segments; each++) {
		product.b = sluice__pass_input(pass, network->layer_count, each);
		product.dw = pass->gradients->dparameters + network->readout_weight + each * product.width;
		sluice__matrix_gradient(&pass->plan->kernels, team, &product);
	}
	/* Batch-major rows lie in another order; a sum in order of memory is as good, and fixed by the layout. */
	sluice__matrix_sum(&pass->plan->kernels, team, pass->steps * pass->batch, pass->gradients->dy, network->outputs,
			   network->outputs, product.add, pass->gradients->dparameters + network->readout_bias);
}

static void readout_input(struct pass *pass, const struct team *team)
{
	const struct sluice__network *network = pass->prepared->network;
	const size_t layer = network->layer_count - 1;
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	for (size_t each = 0; each < pass->plan->readout.segments; each++) {
		const struct product product = {
			.first = own.first,
			.last = own.last,
			.batch = pass->batch,
			.a = sluice__pass_user(pass, pass->gradients->dy, network->outputs),
			.depth = network->outputs,
			.width = packed->hidden,
			.panels = pass->plan->packed + pass->plan->readout.backward[each],
			.c = dy_of(pass, layer) + each * packed->padded,
			.c_row = dy_row_of(pass, layer),
			.c_step = pass->batch * dy_row_of(pass, layer),
			.c_padded = true,
		};
		sluice__matrix_multiply(&pass->plan->kernels, &product);
	}
	undrop(pass, layer, team);
}

static void clear_readout(struct pass *pass, const struct team *team)
{
	const struct sluice__network *network = pass->prepared->network;
	if (team->index != 0 || accumulates(pass, SLUICE_ACCUMULATE_PARAMETERS))
		return;
	memset(pass->gradients->dparameters + network->readout_weight, 0,
	       network->outputs * network->features * sizeof(float));
	memset(pass->gradients->dparameters + network->readout_bias, 0, network->outputs * sizeof(float));
}

static void top(struct pass *pass, const struct team *team)
{
	const bool readout = pass->prepared->network->readout;
	if (readout && pass->gradients->dparameters && pass->gradients->dy)
		readout_parameters(pass, team);
	else if (readout && pass->gradients->dparameters)
		clear_readout(pass, team);
	if (pass->gradients->dy && readout)
		readout_input(pass, team);
	else if (pass->gradients->dy)
		copy_dy(pass, team);
	team_wait(team);
}

static void backward(struct pass *pass, const struct team *team)
{
	top(pass, team);
	for (size_t layer = pass->plan->layer_count; layer-- > 0;) {
		sluice__pass_directions(pass, layer, team, run_direction);
		if (pass->gradients->dparameters)
			for (size_t direction = 0; direction < pass->plan->layers[layer].directions; direction++)
				direction_parameters(pass, layer, direction, team);
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
