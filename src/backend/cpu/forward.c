/* forward.c exists to run a stack over time: layer by layer, each thread on units of its own, step by step. */
#include "backend/cpu/cpu.h"

#include <string.h>

void sluice__forward_drop(struct pass *pass, size_t layer, const struct team *team)
{
	if (!sluice__pass_input_dropped(pass, layer))
		return;
	const struct packed_layer *before = &pass->plan->layers[layer - 1];
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	for (size_t direction = 0; direction < before->directions; direction++)
		sluice__noise_dropout(pass, layer - 1, direction, own,
				      sluice__pass_record(pass, layer - 1, direction).h.time, before->out_padded,
				      sluice__pass_dropped(pass, layer) + direction * before->out_padded,
				      before->directions * before->out_padded);
	team_wait(team);
}

static void store_final(const struct strip *strip, const struct record *record)
{
	const struct pass *pass = strip->pass;
	const struct sluice__layer *layer = &pass->prepared->network->layers[strip->layer];
	const size_t end = pass_last_step(pass, strip->layer, strip->direction);
	const struct columns h = strip->out_columns, c = strip->columns;
	real *state = pass->run->final_state;
	for (size_t row = 0; state && row < pass->batch; row++, state += pass->prepared->network->state_row) {
		memcpy(state + layer->h[strip->direction] + h.first,
		       history_at(&record->h, end) + row * strip->packed->out_padded + h.first,
		       h.units * sizeof *state);
		memcpy(state + layer->c[strip->direction] + c.first,
		       history_at(&record->c, end) + row * strip->packed->padded + c.first, c.units * sizeof *state);
	}
}

/* Whether a step multiplies its input itself. Else the input of all steps is projected first, in one product that reads
 * the weights once: that pays while rows are few, until what it writes and reads again outweighs the weights. */
static bool fuses_input(const struct strip *strip)
{
	enum { FEW_ROWS = 6, MANY_ROWS = 32, RESIDENT_BYTES = 1 << 20 };
	const struct pass *pass = strip->pass;
	const size_t width = pass->prepared->network->layers[strip->layer].inputs + strip->packed->out;
	const size_t unit_bytes = SLUICE__GATES * pass->plan->kernels.lanes * pass->plan->panel_bytes;
	const bool resident = (strip->last - strip->first) * width * unit_bytes <= RESIDENT_BYTES;
	if (strip->packed->options->input != SLUICE_INPUT_WEIGHTS)
		return false;
	return pass->batch >= MANY_ROWS || (pass->batch >= FEW_ROWS && resident);
}

/* gates = bias + input W^T of all steps, for the strip's blocks. */
static void project_input(const struct strip *strip, const struct rows input[MOST_SEGMENTS], real *gates)
{
	const struct pass *pass = strip->pass;
	const struct cpu_plan *plan = pass->plan;
	const struct packed_layer *packed = strip->packed;
	const size_t block_width = SLUICE__GATES * plan->kernels.lanes, gates_row = SLUICE__GATES * packed->padded;
	for (size_t block = strip->first; block < strip->last; block++)
		for (size_t each = 0; each < packed->segments; each++) {
			const struct segment *segment = &packed->segment[each];
			const struct product product = {
				.last = pass->steps,
				.batch = pass->batch,
				.a = input[each],
				.depth = segment->width,
				.width = block_width,
				.panels = packed_panels(plan, segment->forward[strip->direction] +
								      block * segment->width * block_width *
									      plan->panel_bytes),
				.type = plan->panel_type,
				.bias = packed_reals(plan, strip->weights->bias) + block * block_width,
				.add = each > 0,
				.c = gates + block * block_width,
				.c_step = pass->batch * gates_row,
				.c_row = gates_row,
				.c_padded = true,
			};
			sluice__matrix_multiply(&plan->kernels, &product);
		}
}

static void recur(const struct strip *strip, const struct record *record, const struct rows input[MOST_SEGMENTS],
		  bool fused, const struct team *team)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const size_t start = pass_first_step(pass, strip->layer, strip->direction);
	const bool wants_gates = pass->run->tape || pass->run->gates || packed->split;
	struct moment moment = {
		.fused = fused,
		.h_before_row = packed->out_padded,
		.c_before_row = packed->padded,
		.h_row = packed->out_padded,
		.c_row = packed->padded,
		.shows = pass->run->h || pass->run->c || pass->run->gates,
	};
	for (size_t done = 0; done < pass->steps; done++) {
		const size_t t = start ? start - done : done;
		sluice__advance_place(strip, record, input, t, &moment);
		/* Every other step begins with the weights that the step before read last: they are still in the cache.
		 */
		moment.descending = done % 2 != 0;
		if (!wants_gates)
			moment.gates = NULL;
		moment.h = history_at(&record->h, t);
		moment.c = history_at(&record->c, t);
		sluice__advance(strip, &moment, team);
	}
}

/* What the tape keeps in fewer bits: own columns of gates and h of all steps. */
static void narrow_record(const struct strip *strip, const struct record *record)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const sluice_dtype type = pass->prepared->limits.tape;
	const size_t bytes = sluice__dtype_bytes(type), gates_row = SLUICE__GATES * packed->padded;
	const size_t from = strip->first * SLUICE__GATES * pass->plan->kernels.lanes;
	const size_t count = (strip->last - strip->first) * SLUICE__GATES * pass->plan->kernels.lanes;
	if (!pass->run->tape || type == SLUICE__REAL_DTYPE)
		return;
	const struct tape tape = sluice__pass_tape(pass, strip->layer, strip->direction);
	const bool backwards = pass_runs_backwards(pass, strip->layer, strip->direction);
	const real *h = record->h.time - (backwards ? 0 : record->h.step);
	for (size_t row = 0; row < (pass->steps + 1) * pass->batch; row++) {
		const size_t at = row * packed->out_padded + strip->out_columns.first;
		pass->plan->kernels.narrow(type, strip->out_columns.units, h + at, (char *)tape.h + at * bytes);
	}
	for (size_t row = 0; row < pass->steps * pass->batch; row++) {
		const size_t at = row * gates_row + from;
		if (tape.gates)
			pass->plan->kernels.narrow(type, count, record->gates + at, (char *)tape.gates + at * bytes);
		if (tape.arguments)
			pass->plan->kernels.narrow(type, count, record->arguments + at,
						   (char *)tape.arguments + at * bytes);
	}
}

static void run_direction(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	struct strip strip = sluice__strip(pass, layer, direction, team);
	const struct sluice__layer *sizes = &pass->prepared->network->layers[layer];
	const struct record record = sluice__pass_record(pass, layer, direction);
	const bool fused = fuses_input(&strip);
	struct rows input[MOST_SEGMENTS];
	for (size_t each = 0; each < strip.packed->segments; each++)
		input[each] = sluice__pass_input(pass, layer, each);
	const size_t start = pass_first_step(pass, layer, direction);
	sluice__pass_load(pass, pass->run->initial_state, sizes->h[direction], strip.out_columns,
			  history_before(&record.h, start), strip.packed->out_padded);
	sluice__pass_load(pass, pass->run->initial_state, sizes->c[direction], strip.columns,
			  history_before(&record.c, start), strip.packed->padded);
	sluice__advance_prepare(&strip, team);
	if (strip.packed->options->input != SLUICE_INPUT_WEIGHTS)
		sluice__advance_place_input(&strip, input, pass->steps, record.gates);
	else if (!fused)
		project_input(&strip, input, record.gates);
	team_wait(team);
	recur(&strip, &record, input, fused, team);
	store_final(&strip, &record);
	narrow_record(&strip, &record);
}

/* --- y --- */

void sluice__forward_gather_last(struct pass *pass, const struct team *team)
{
	const size_t layer = pass->plan->layer_count;
	const struct packed_layer *packed = &pass->plan->layers[layer - 1];
	const size_t row_width = packed->directions * packed->out_padded;
	const struct sluice__range own = sluice__share(pass->batch, team->index, team->count);
	for (size_t direction = 0; direction < packed->directions; direction++) {
		const struct rows from = sluice__pass_input(pass, layer, direction);
		const size_t t = pass_last_step(pass, layer - 1, direction);
		for (size_t row = own.first; row < own.last; row++)
			memcpy(pass_piece(pass, pass->plan->map.last) + row * row_width +
				       direction * packed->out_padded,
			       from.at + t * from.step + row * from.row, packed->out * sizeof(real));
	}
	team_wait(team);
}

/* y of the steps first .. last-1 from the last layer's h. */
static void copy_output(const struct pass *pass, struct sluice__range steps)
{
	const struct packed_layer *packed = &pass->plan->layers[pass->plan->layer_count - 1];
	const struct rows y = sluice__pass_y(pass);
	for (size_t direction = 0; direction < packed->directions; direction++) {
		const struct rows h = sluice__pass_output(pass, direction);
		for (size_t t = steps.first; t < steps.last; t++)
			for (size_t row = 0; row < pass->batch; row++)
				memcpy((real *)y.at + t * y.step + row * y.row + direction * packed->out,
				       h.at + t * h.step + row * h.row, packed->out * sizeof(real));
	}
}

static void read_out(const struct pass *pass, struct sluice__range steps)
{
	const struct cpu_plan *plan = pass->plan;
	const struct rows y = sluice__pass_y(pass);
	for (size_t each = 0; each < plan->readout.segments; each++) {
		const struct product product = {
			.first = steps.first,
			.last = steps.last,
			.batch = pass->batch,
			.a = sluice__pass_output(pass, each),
			.depth = plan->layers[plan->layer_count - 1].out,
			.width = pass->prepared->network->outputs,
			.panels = packed_panels(plan, plan->readout.forward[each]),
			.type = plan->panel_type,
			.bias = packed_reals(plan, plan->readout.bias),
			.add = each > 0,
			.c = (real *)y.at,
			.c_step = y.step,
			.c_row = y.row,
		};
		sluice__matrix_multiply(&plan->kernels, &product);
	}
}

static void output(struct pass *pass, const struct team *team)
{
	const size_t steps = pass_y_steps(pass);
	const struct sluice__range own = sluice__share(steps, team->index, team->count);
	sluice__forward_drop(pass, pass->plan->layer_count, team);
	if (!pass->run->y)
		return;
	if (pass->run->last_only)
		sluice__forward_gather_last(pass, team);
	if (pass->prepared->network->readout)
		read_out(pass, own);
	else
		copy_output(pass, own);
	if (!pass->plan->widens_data)
		return;
	team_wait(team);
	sluice__exchange_out(pass, team, pass_piece(pass, pass->plan->map.y), pass->prepared->network->outputs, steps,
			     pass->run->y);
}

/* The dropped input of a layer on a tape of fewer bits. */
static void narrow_dropped(struct pass *pass, size_t layer, const struct team *team)
{
	const sluice_dtype type = pass->prepared->limits.tape;
	if (!pass->run->tape || type == SLUICE__REAL_DTYPE || !sluice__pass_input_dropped(pass, layer))
		return;
	const struct packed_layer *before = &pass->plan->layers[layer - 1];
	const size_t width = before->directions * before->out_padded;
	const struct tape tape = sluice__pass_tape(pass, layer, 0);
	const struct sluice__range own = sluice__share(pass->steps * pass->batch, team->index, team->count);
	if (tape.dropped)
		pass->plan->kernels.narrow(type, (own.last - own.first) * width,
					   sluice__pass_dropped(pass, layer) + own.first * width,
					   (char *)tape.dropped + own.first * width * sluice__dtype_bytes(type));
}

static void forward(struct pass *pass, const struct team *team)
{
	if (pass->plan->widens_data) {
		sluice__exchange_in(pass, team, pass->run->x, pass->prepared->network->inputs, pass->steps,
				    pass_piece(pass, pass->plan->map.x));
		team_wait(team);
	}
	for (size_t layer = 0; layer < pass->plan->layer_count; layer++) {
		sluice__forward_drop(pass, layer, team);
		narrow_dropped(pass, layer, team);
		sluice__pass_directions(pass, layer, team, run_direction);
	}
	output(pass, team);
	narrow_dropped(pass, pass->plan->layer_count, team);
}

sluice_status sluice__cpu_forward(const struct sluice__prepared *prepared, const sluice_run *run)
{
	struct pass pass = {
		.prepared = prepared, .plan = prepared->own, .run = run, .steps = run->steps, .batch = run->batch};
	sluice__pass_run(&pass, pass.plan->threads, forward);
	return SLUICE_OK;
}
