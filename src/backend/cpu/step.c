/* step.c exists for the single step of a stream: the same sums in the same order, without buffers over time. */
#include "backend/cpu/pass.h"

#include <string.h>

/* The input of a layer: x, or h of the layer before in the state, dropped if need be. */
static struct rows step_input(const struct pass *pass, real *state, size_t layer)
{
	const struct sluice__network *network = pass->prepared->network;
	if (layer == 0) {
		const struct rows x = sluice__pass_x(pass);
		return (struct rows){x.at, 0, x.row};
	}
	struct rows rows = {state + network->layers[layer - 1].h[0], 0, network->state_row};
	if (!sluice__pass_input_dropped(pass, layer))
		return rows;
	const size_t padded = pass->plan->layers[layer - 1].out_padded;
	real *dropped = pass_piece(pass, pass->plan->map.step_x);
	sluice__noise_dropout(pass, layer - 1, 0, (struct sluice__range){0, 1}, rows.at, rows.row, dropped, padded);
	return (struct rows){dropped, 0, padded};
}

/* Start values of a layer that x enters without weights. */
static const real *place_input(const struct strip *strip, const struct rows *input, real *gates)
{
	if (strip->packed->options->input == SLUICE_INPUT_WEIGHTS)
		return NULL;
	sluice__advance_place_input(strip, input, 1, gates);
	return gates;
}

/* The usual layer, whose step is its kernel: nothing is set up that it does not read. It takes a tenth of a
 * microsecond. */
static void step_plain(const struct pass *pass, real *state, size_t layer, real *scratch)
{
	const struct sluice__layer *sizes = &pass->prepared->network->layers[layer];
	const struct cpu_plan *plan = pass->plan;
	const struct packed_layer *packed = &plan->layers[layer];
	const struct packed_direction *weights = &packed->direction[0];
	const size_t state_row = pass->prepared->network->state_row;
	const struct rows input = step_input(pass, state, layer);
	/* Field by field: clearing operands that are not there would take longer than an activation. */
	struct sluice__step job;
	job.rows = pass->batch;
	job.first = 0;
	job.last = packed->blocks;
	job.descending = false;
	job.start = packed_reals(plan, weights->bias);
	job.start_row = 0;
	job.operand[0] = (struct sluice__operand){input.at, input.row, packed->segment[0].width,
						  packed_panels(plan, packed->segment[0].forward[0]), plan->panel_type};
	job.operand[1] = (struct sluice__operand){state + sizes->h[0], state_row, packed->out,
						  packed_panels(plan, weights->recurrent), plan->panel_type};
	job.operands = 2;
	job.cell = packed->standard ? NULL : &weights->cell;
	job.place = 0;
	job.c_prev = state + sizes->c[0];
	job.c_prev_row = state_row;
	job.c = state + sizes->c[0];
	job.c_row = state_row;
	job.h = scratch;
	job.h_row = packed->out_padded;
	job.gates = job.arguments = NULL;
	job.gates_row = 0;
	plan->kernels.step(&job);
}

/* Any layer. */
static void step_options(struct pass *pass, real *state, size_t layer, real *scratch, const struct team *team)
{
	const struct sluice__layer *sizes = &pass->prepared->network->layers[layer];
	const size_t state_row = pass->prepared->network->state_row;
	struct strip strip = sluice__strip(pass, layer, 0, team);
	real *gates = pass_piece(pass, pass->plan->map.gates[0]);
	struct moment moment = {
		.rows = pass->batch,
		.input[0] = step_input(pass, state, layer),
		.h_before = state + sizes->h[0],
		.h_before_row = state_row,
		.c_before = state + sizes->c[0],
		.c_before_row = state_row,
		.h = scratch,
		.h_row = strip.packed->out_padded,
		.c = state + sizes->c[0],
		.c_row = state_row,
		.gates = pass->run->gates || strip.packed->split ? gates : NULL,
		.shows = pass->run->h || pass->run->c || pass->run->gates,
	};
	moment.start = place_input(&strip, moment.input, gates);
	moment.fused = !moment.start;
	sluice__advance_prepare(&strip, team);
	sluice__advance(&strip, &moment, team);
}

/* One layer of a step. The new h goes to scratch first: every unit still reads the old one. */
static void step_layer(struct pass *pass, real *state, size_t layer, const struct team *team)
{
	const struct sluice__layer *sizes = &pass->prepared->network->layers[layer];
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const size_t state_row = pass->prepared->network->state_row;
	const sluice_run *run = pass->run;
	real *scratch = pass_piece(pass, pass->plan->map.step_h);
	if (packed->plain && packed->options->input == SLUICE_INPUT_WEIGHTS && !run->mask && !run->h && !run->c &&
	    !run->gates)
		step_plain(pass, state, layer, scratch);
	else
		step_options(pass, state, layer, scratch, team);
	for (size_t row = 0; row < pass->batch; row++)
		memcpy(state + sizes->h[0] + row * state_row, scratch + row * packed->out_padded,
		       packed->out * sizeof *scratch);
}

static void step_output(const struct pass *pass, real *state)
{
	const struct cpu_plan *plan = pass->plan;
	const struct sluice__network *network = pass->prepared->network;
	const struct rows input = step_input(pass, state, network->layer_count), y = sluice__pass_y(pass, 0);
	if (!network->readout) {
		for (size_t row = 0; row < pass->batch; row++)
			memcpy((real *)y.at + row * y.row, input.at + row * input.row,
			       network->outputs * sizeof *input.at);
		return;
	}
	const struct product product = {
		.last = 1,
		.batch = pass->batch,
		.a = {input.at, pass->batch * input.row, input.row},
		.depth = network->features,
		.width = network->outputs,
		.panels = packed_panels(plan, plan->readout.forward[0]),
		.type = plan->panel_type,
		.bias = packed_reals(plan, plan->readout.bias),
		.c = (real *)y.at,
		.c_row = y.row,
	};
	sluice__matrix_multiply(&plan->kernels, &product);
}

/* Whether the rows of the run are neighbours in the state array. */
static bool slots_adjoin(const struct pass *pass)
{
	const size_t *slots = pass->run->slots;
	for (size_t n = 1; slots && n < pass->batch; n++)
		if (slots[n] != slots[0] + n)
			return false;
	return true;
}

/* The state that the step works on: the final one, which starts as a copy of the initial one; or a copy of the rows
 * that are to be stepped, where they do not adjoin. */
static real *step_state(const struct pass *pass, bool adjoin)
{
	const sluice_run *run = pass->run;
	const size_t row_reals = pass->prepared->network->state_row;
	real *state = pass_piece(pass, pass->plan->map.step_state);
	if (run->final_state && adjoin)
		state = (real *)run->final_state + (run->slots ? run->slots[0] : 0) * row_reals;
	/* The usual stream: nothing moves. */
	if (state == run->initial_state && !run->slots && !run->resets)
		return state;
	for (size_t row = 0; row < pass->batch; row++) {
		const bool cut = run->resets && run->resets[row];
		const real *from = cut ? pass_start(pass) : pass_initial(pass, row);
		if (from != state + row * row_reals)
			memcpy(state + row * row_reals, from, row_reals * sizeof *state);
	}
	return state;
}

/* Rows that were copied go back to their slots. */
static void put_back(const struct pass *pass, const real *state)
{
	const size_t row_reals = pass->prepared->network->state_row;
	for (size_t row = 0; row < pass->batch; row++)
		memcpy((real *)pass->run->final_state + pass->run->slots[row] * row_reals, state + row * row_reals,
		       row_reals * sizeof *state);
}

static void step(struct pass *pass, const struct team *team)
{
	const struct array x = array_x(pass), y = array_y(pass, 0);
	const bool adjoin = slots_adjoin(pass);
	real *state = step_state(pass, adjoin);
	if (!array_direct(pass, &x))
		sluice__exchange_in(pass, team, &x, pass_piece(pass, pass->plan->map.x));
	for (size_t layer = 0; layer < pass->plan->layer_count; layer++)
		step_layer(pass, state, layer, team);
	if (!adjoin && pass->run->final_state)
		put_back(pass, state);
	if (!array_given(&y))
		return;
	step_output(pass, state);
	if (!array_direct(pass, &y))
		sluice__exchange_out(pass, team, pass_piece(pass, pass->plan->map.y[0]), &y);
}

sluice_status sluice__cpu_step(const struct sluice__prepared *prepared, const sluice_run *run)
{
	struct pass pass = {.prepared = prepared,
			    .plan = prepared->own,
			    .run = run,
			    .steps = 1,
			    .batch = run->batch,
			    .when = &sluice__schedule_plain};
	/* Rows that have no step, or keep their state, are no matter of a stream: sequences know them already. Nor are
	 * images, whose steps are long enough. */
	if (run->lengths || run->batch_sizes || run->holds || pass.plan->images)
		return sluice__cpu_block(prepared, run);
	sluice__pass_run(&pass, 1, step);
	return SLUICE_OK;
}
