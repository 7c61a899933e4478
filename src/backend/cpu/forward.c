/* forward.c exists to run a stack over time: layer by layer, each thread on units of its own, step by step. */
#include "backend/cpu/images.h"

#include <string.h>

/* to = the sum of both directions' h, for the rows of some steps. */
static void add_directions(const struct pass *pass, size_t layer, struct sluice__range steps, real *to)
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const size_t padded = packed->out_padded;
	const struct history one = sluice__pass_record(pass, layer, 0).h, other = sluice__pass_record(pass, layer, 1).h;
	for (size_t t = steps.first; t < steps.last; t++) {
		const real *a = history_at(&one, t), *b = history_at(&other, t);
		real *sum = to + t * layer_rows(pass, packed) * padded;
		for (size_t j = 0; j < layer_rows_at(pass, packed, t) * padded; j++)
			sum[j] = a[j] + b[j];
	}
}

void sluice__forward_make_input(struct pass *pass, size_t layer, const struct team *team)
{
	if (!sluice__pass_input_made(pass, layer))
		return;
	const struct packed_layer *before = &pass->plan->layers[layer - 1];
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	const size_t padded = before->out_padded, row = before->results * padded;
	const bool adds = before->options->combination == SLUICE_ADD;
	real *made = sluice__pass_made(pass, layer);
	if (adds)
		add_directions(pass, layer - 1, own, made);
	for (size_t result = 0; result < before->results && sluice__pass_input_dropped(pass, layer); result++)
		sluice__noise_dropout(pass, layer - 1, result, own,
				      adds ? made : sluice__pass_record(pass, layer - 1, result).h.time, padded,
				      made + result * padded, row);
	team_wait(team);
}

static void store_final(const struct strip *strip, const struct record *record)
{
	const struct pass *pass = strip->pass;
	const sluice_run *run = pass->run;
	const struct sluice__layer *layer = &pass->prepared->network->layers[strip->layer];
	const struct packed_layer *packed = strip->packed;
	const struct columns h = strip->out_columns, c = strip->columns;
	const size_t h_at = layer->h[strip->direction] + h.first, c_at = layer->c[strip->direction] + c.first;
	for (size_t row = 0; run->final_state && row < pass->batch; row++) {
		real *state = (real *)run->final_state + pass_slot(pass, row) * pass->prepared->network->state_row;
		const real *initial = pass_initial(pass, row), *from_h = initial + h_at, *from_c = initial + c_at;
		if (row < pass_present(pass)) {
			const size_t end = pass_end_of(pass, strip->layer, strip->direction, row, true);
			from_h = history_at(&record->h, end) + row * packed->places * packed->out_padded + h.first;
			from_c = history_at(&record->c, end) + row * packed->places * packed->padded + c.first;
		}
		for (size_t place = 0; place < packed->places; place++) {
			const size_t h_place = place * packed->out_padded, c_place = place * packed->padded;
			memmove(state + h_at + h_place, from_h + h_place, h.units * sizeof *state);
			memmove(state + c_at + c_place, from_c + c_place, c.units * sizeof *state);
		}
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
	if (strip->packed->options->input != SLUICE_INPUT_WEIGHTS || strip->packed->images)
		return strip->packed->points_of_input;
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
				.when = pass->when,
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
		const size_t t = strip->backwards ? pass->steps - 1 - done : done;
		if (pass_rows(pass, t) == 0)
			continue;
		sluice__advance_place(strip, record, input, t, team, &moment);
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
	/* The states before the first steps are not kept: backward is given them. */
	char *tape_h = (char *)tape.h + (backwards ? 0 : (size_t)record->h.step * bytes);
	const size_t step_rows = layer_rows(pass, packed);
	for (size_t place = 0; place < pass->steps * step_rows; place++) {
		const size_t at = place * gates_row + from;
		const size_t h_at = place * packed->out_padded + strip->out_columns.first;
		if (place % step_rows >= layer_rows_at(pass, packed, place / step_rows))
			continue;
		pass->plan->kernels.narrow(type, strip->out_columns.units, record->h.time + h_at,
					   tape_h + h_at * bytes);
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
	sluice__pass_segments(pass, layer, direction, input);
	sluice__pass_load_initial(pass, layer, direction, sizes->h[direction], strip.out_columns, &record.h,
				  strip.packed->out_padded);
	sluice__pass_load_initial(pass, layer, direction, sizes->c[direction], strip.columns, &record.c,
				  strip.packed->padded);
	sluice__advance_prepare(&strip, team);
	if (strip.packed->options->input != SLUICE_INPUT_WEIGHTS)
		sluice__advance_place_input(&strip, input, pass->steps, record.gates);
	else if (strip.packed->images && !fused)
		sluice__convolve_input(&strip, input, record.gates, team);
	else if (!fused)
		project_input(&strip, input, record.gates);
	team_wait(team);
	recur(&strip, &record, input, fused, team);
	store_final(&strip, &record);
	narrow_record(&strip, &record);
}

/* --- y --- */

void sluice__forward_drop_last(const struct pass *pass, size_t row, real *results)
{
	const size_t layer = pass->plan->layer_count - 1, padded = pass->plan->layers[layer].out_padded;
	const size_t sequence = layer_sequence(&pass->plan->layers[layer], row);
	for (size_t result = 0; result < pass->plan->layers[layer].results; result++)
		if (sluice__pass_input_dropped(pass, layer + 1))
			sluice__noise_dropout_row(pass, layer, result, pass_end_of(pass, layer, result, sequence, true),
						  row, results + result * padded, results + result * padded);
}

void sluice__forward_gather_last(struct pass *pass, const struct team *team)
{
	const size_t layer = pass->plan->layer_count - 1;
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const size_t padded = packed->out_padded;
	const struct sluice__range own = sluice__share(pass_present(pass) * packed->places, team->index, team->count);
	const bool adds = packed->options->combination == SLUICE_ADD;
	for (size_t row = own.first; row < own.last; row++) {
		real *to = pass_piece(pass, pass->plan->map.last) + row * packed->results * padded;
		for (size_t direction = 0; direction < packed->directions; direction++) {
			const struct history h = sluice__pass_record(pass, layer, direction).h;
			const size_t t = pass_end_of(pass, layer, direction, layer_sequence(packed, row), true);
			const real *from = history_at(&h, t) + row * padded;
			real *part = adds ? to : to + direction * padded;
			for (size_t j = 0; j < packed->out; j++)
				part[j] = adds && direction > 0 ? part[j] + from[j] : from[j];
		}
		sluice__forward_drop_last(pass, row, to);
	}
	team_wait(team);
}

/* y of the steps first .. last-1 from the last layer's results. */
static void copy_output(const struct pass *pass, struct sluice__range steps)
{
	const struct packed_layer *packed = &pass->plan->layers[pass->plan->layer_count - 1];
	const bool separate = pass->prepared->network->separate;
	for (size_t result = 0; result < packed->results; result++) {
		const struct array array = array_y(pass, separate ? result : 0);
		const struct rows h = sluice__pass_output(pass, result);
		const struct rows y = sluice__pass_y(pass, separate ? result : 0);
		const size_t column = separate ? 0 : result * packed->out;
		for (size_t t = steps.first; array_given(&array) && t < steps.last; t++)
			for (size_t row = 0; row < pass_y_rows(pass, t) * packed->places; row++)
				memcpy((real *)y.at + t * y.step + row * y.row + column,
				       h.at + t * h.step + row * h.row, packed->out * sizeof(real));
	}
}

static void read_out(const struct pass *pass, struct sluice__range steps)
{
	const struct cpu_plan *plan = pass->plan;
	const struct rows y = sluice__pass_y(pass, 0);
	for (size_t each = 0; each < plan->readout.segments; each++) {
		const struct product product = {
			.first = steps.first,
			.last = steps.last,
			.batch = pass_y_batch(pass) * pass->prepared->network->y_places,
			.when = pass_y_schedule(pass),
			.places = pass->prepared->network->y_places,
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
	const struct sluice__range own = sluice__share(pass_y_steps(pass), team->index, team->count);
	const struct array y[MOST_RESULTS] = {array_y(pass, 0), array_y(pass, 1)};
	sluice__forward_make_input(pass, pass->plan->layer_count, team);
	if (!array_given(&y[0]) && !array_given(&y[1]))
		return;
	if (pass->run->last_only)
		sluice__forward_gather_last(pass, team);
	if (pass->prepared->network->readout)
		read_out(pass, own);
	else
		copy_output(pass, own);
	if (array_direct(pass, &y[0]) && array_direct(pass, &y[1]))
		return;
	team_wait(team);
	for (size_t result = 0; result < MOST_RESULTS; result++)
		if (array_given(&y[result]) && !array_direct(pass, &y[result]))
			sluice__exchange_out(pass, team, pass_piece(pass, pass->plan->map.y[result]), &y[result]);
}

/* The input that a layer was made, on a tape of fewer bits. */
static void narrow_input(struct pass *pass, size_t layer, const struct team *team)
{
	const sluice_dtype type = pass->prepared->limits.tape;
	if (!pass->run->tape || type == SLUICE__REAL_DTYPE || !sluice__pass_input_made(pass, layer))
		return;
	const struct packed_layer *before = &pass->plan->layers[layer - 1];
	const size_t width = before->results * before->out_padded, step = layer_rows(pass, before) * width;
	const struct tape tape = sluice__pass_tape(pass, layer, 0);
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	for (size_t t = own.first; tape.made && t < own.last; t++)
		pass->plan->kernels.narrow(type, layer_rows_at(pass, before, t) * width,
					   sluice__pass_made(pass, layer) + t * step,
					   (char *)tape.made + t * step * sluice__dtype_bytes(type));
}

static void forward(struct pass *pass, const struct team *team)
{
	const struct array x = array_x(pass);
	sluice__exchange_blank(pass, team);
	if (!array_direct(pass, &x)) {
		sluice__exchange_in(pass, team, &x, pass_piece(pass, pass->plan->map.x));
		team_wait(team);
	}
	for (size_t layer = 0; layer < pass->plan->layer_count; layer++) {
		sluice__forward_make_input(pass, layer, team);
		narrow_input(pass, layer, team);
		sluice__pass_directions(pass, layer, team, run_direction);
	}
	output(pass, team);
	narrow_input(pass, pass->plan->layer_count, team);
}

static sluice_status run_forward(const struct sluice__prepared *prepared, const sluice_run *run, int threads)
{
	struct pass pass = {
		.prepared = prepared, .plan = prepared->own, .run = run, .steps = run->steps, .batch = run->batch};
	struct schedule own;
	sluice__schedule_make(&pass, &own);
	sluice__pass_run(&pass, threads, forward);
	return SLUICE_OK;
}

sluice_status sluice__cpu_forward(const struct sluice__prepared *prepared, const sluice_run *run)
{
	return run_forward(prepared, run, ((const struct cpu_plan *)prepared->own)->threads);
}

sluice_status sluice__cpu_block(const struct sluice__prepared *prepared, const sluice_run *run)
{
	return run_forward(prepared, run, 1);
}
