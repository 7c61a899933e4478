/* restore.c exists to give backward, in reals, what forward knew: widened, computed again, or taken from the run. */
#include "backend/cpu/images.h"

#include <string.h>

/* Widens these columns of all rows of the tape that there are. */
static void widen_columns(const struct pass *pass, const struct packed_layer *packed, size_t row_width, size_t first,
			  size_t count, const void *from, real *to)
{
	const sluice_dtype type = pass->prepared->limits.tape;
	const size_t bytes = sluice__dtype_bytes(type);
	for (size_t t = 0; t < pass->steps; t++)
		for (size_t row = 0; row < layer_rows_at(pass, packed, t); row++) {
			const size_t at = (t * layer_rows(pass, packed) + row) * row_width + first;
			pass->plan->kernels.widen(type, count, (const char *)from + at * bytes, to + at);
		}
}

/* --- h --- */

/* The first column of a row's c in the run's array of all c. */
static size_t c_column(const struct strip *strip, size_t row)
{
	const struct sluice__layer *layer = &strip->pass->prepared->network->layers[strip->layer];
	return layer->c_column[strip->direction] + layer_place(strip->packed, row) * layer->hidden;
}

/* q = o s_c(c) of one step, own columns of [N,padded], from the run's gates and c. */
static void output_of_run(const struct strip *strip, size_t t, real *q)
{
	const struct pass *pass = strip->pass;
	const struct sluice__network *network = pass->prepared->network;
	const size_t lanes = pass->plan->kernels.lanes, hidden = strip->packed->hidden;
	const struct columns columns = strip->columns;
	struct sluice__activation squash = strip->weights->cell.squash;
	real *o = pass_piece(pass, pass->plan->map.waiting[strip->direction]);
	if (squash.slopes)
		squash.slopes += columns.first;
	for (size_t row = 0; row < layer_rows_at(pass, strip->packed, t); row++) {
		const size_t n = layer_sequence(strip->packed, row), c_at = c_column(strip, row);
		real *at = q + row * strip->packed->padded;
		memset(at + columns.first, 0, columns.vectors * sizeof *at);
		sluice__exchange_load(pass, pass->run->c, network->c_width, t, n, c_at + columns.first, columns.units,
				      at + columns.first);
		sluice__exchange_load(pass, pass->run->gates, SLUICE__GATES * network->c_width, t, n,
				      SLUICE__GATES * c_at + pass->prepared->limits.gate_place[3] * hidden +
					      columns.first,
				      columns.units, o + columns.first);
		pass->plan->kernels.activate(&squash, columns.vectors / lanes, at + columns.first, NULL,
					     at + columns.first);
		for (size_t unit = columns.first; unit < columns.first + columns.units; unit++)
			at[unit] *= o[unit];
	}
}

/* h of the rows that are held is what it was, own columns. */
static void hold_h(const struct strip *strip, const struct history *h, size_t t)
{
	const struct pass *pass = strip->pass;
	const struct columns columns = strip->out_columns;
	const size_t padded = strip->packed->out_padded, first = t * pass->batch;
	const struct packed_layer *packed = strip->packed;
	const struct flags *cuts = pass_cuts(pass, strip->layer, strip->direction);
	const real *start = pass_start(pass) + pass->prepared->network->layers[strip->layer].h[strip->direction];
	for (size_t row = 0; row < layer_rows_at(pass, packed, t); row++) {
		const size_t n = layer_sequence(packed, row);
		const real *from = flags_at(cuts, first + n) ? start : history_before(h, t) + row * padded;
		if (pass->when->holds.row[first + n])
			memcpy(history_at(h, t) + row * padded + columns.first, from + columns.first,
			       columns.units * sizeof(real));
	}
}

/* h of all steps from the run's gates and c, in the order in which they were made. Layers with zoneout have no plan
 * that comes here. */
static void rebuild_h(const struct strip *strip, const struct history *h, const struct team *team)
{
	struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const bool projected = packed->options->projection != 0;
	real *q = pass_piece(pass, pass->plan->map.q[strip->direction]);
	for (size_t done = 0; done < pass->steps; done++) {
		const size_t t = pass_step(pass, strip->layer, strip->direction, done),
			     rows = layer_rows_at(pass, packed, t);
		real *to = history_at(h, t);
		output_of_run(strip, t, projected ? q : to);
		if (projected)
			sluice__advance_project(strip, rows, q, to, packed->out_padded, team);
		else if (packed->split)
			team_wait(team); /* others have written part of this thread's h */
		if (pass->plan->widens_data)
			sluice__advance_round(strip, rows, to, packed->out_padded);
		if (flags_any(&pass->when->holds, t))
			hold_h(strip, h, t);
		team_wait(team);
	}
}

static void restore_h(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	const struct strip strip = sluice__strip(pass, layer, direction, team);
	const struct sluice__layer *sizes = &pass->prepared->network->layers[layer];
	const struct record record = sluice__pass_record(pass, layer, direction);
	const size_t padded = strip.packed->out_padded;
	sluice__pass_load_initial(pass, layer, direction, sizes->h[direction], strip.out_columns, &record.h, padded);
	if (pass->run->tape) {
		const bool backwards = pass_runs_backwards(pass, layer, direction);
		const char *from = sluice__pass_tape(pass, layer, direction).h;
		const size_t before = backwards ? 0 : (size_t)record.h.step;
		widen_columns(pass, strip.packed, padded, strip.out_columns.first, strip.out_columns.units,
			      from + before * sluice__dtype_bytes(pass->prepared->limits.tape), record.h.time);
	} else {
		rebuild_h(&strip, &record.h, team);
	}
}

void sluice__restore_h(struct pass *pass, size_t layer, const struct team *team)
{
	if (!pass_tapes_reals(pass))
		sluice__pass_directions(pass, layer, team, restore_h);
}

void sluice__restore_input(struct pass *pass, size_t layer, const struct team *team)
{
	if (!sluice__pass_input_made(pass, layer))
		return;
	const struct packed_layer *before = &pass->plan->layers[layer - 1];
	const size_t width = before->results * before->out_padded, step = layer_rows(pass, before) * width;
	if (pass->prepared->limits.tape_mode != SLUICE_TAPE_FULL) {
		sluice__forward_make_input(pass, layer, team);
	} else if (!pass_tapes_reals(pass)) {
		const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
		const sluice_dtype type = pass->prepared->limits.tape;
		const char *from = sluice__pass_tape(pass, layer, 0).made;
		for (size_t t = own.first; t < own.last; t++)
			pass->plan->kernels.widen(type, layer_rows_at(pass, before, t) * width,
						  from + t * step * sluice__dtype_bytes(type),
						  sluice__pass_made(pass, layer) + t * step);
		team_wait(team);
	}
}

/* --- gates and c --- */

/* Whether all steps can be repeated at once, as rows of one step: the kernel is all there is to it, and rows of x
 * follow each other across steps. */
static bool repeats_at_once(const struct strip *strip, const struct rows input[MOST_SEGMENTS])
{
	const struct pass *pass = strip->pass;
	for (size_t each = 0; each < strip->packed->segments; each++)
		if (input[each].step != pass->batch * strip->packed->places_before * input[each].row)
			return false;
	/* Rows of images are whole threads', whose results would meet in that one place. */
	return strip->packed->plain && !strip->packed->images && !pass->run->mask && !pass->when->active &&
	       !pass->when->holds.row && !pass->when->cuts[0].row;
}

/* All steps as rows of one: nothing waits for the step before, and the weights are read once. */
static void repeat_at_once(const struct strip *strip, const struct record *record, struct moment *moment,
			   const struct team *team)
{
	moment->rows = strip->pass->steps * layer_rows(strip->pass, strip->packed);
	/* h and c are known: what comes out again may lie in one place. */
	moment->h_row = moment->c_row = 0;
	moment->h_before = history_before(&record->h, 0);
	moment->c_before = history_before(&record->c, 0);
	sluice__advance(strip, moment, team);
}

/* Every step once more, from the h and c that are known, for the sake of its gates. */
static void repeat_steps(struct strip *strip, const struct record *record, const struct team *team)
{
	struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const struct workspace_map *map = &pass->plan->map;
	const size_t direction = strip->direction;
	const bool places = packed->options->input != SLUICE_INPUT_WEIGHTS,
		   fused = !places && (!packed->images || packed->points_of_input);
	struct rows input[MOST_SEGMENTS];
	struct moment moment = {
		.fused = fused,
		.h_before_row = packed->out_padded,
		.c_before_row = packed->padded,
		.h = pass_piece(pass, map->spare_h[direction]),
		.h_row = packed->out_padded,
		.c = pass_piece(pass, map->spare_c[direction]),
		.c_row = packed->padded,
	};
	sluice__pass_segments(pass, strip->layer, direction, input);
	sluice__advance_prepare(strip, team);
	if (places)
		sluice__advance_place_input(strip, input, pass->steps, record->gates);
	if (!places && !fused)
		sluice__convolve_input(strip, input, record->gates, team);
	/* Others have written part of what this thread's rows start from. */
	if (packed->images)
		team_wait(team);
	if (repeats_at_once(strip, input)) {
		memcpy(moment.input, input, sizeof input);
		moment.start = fused ? NULL : record->gates;
		moment.gates = record->gates;
		moment.arguments = record->arguments;
		repeat_at_once(strip, record, &moment, team);
		return;
	}
	for (size_t t = 0; t < pass->steps; t++) {
		if (pass_rows(pass, t) == 0)
			continue;
		sluice__advance_place(strip, record, input, t, team, &moment);
		sluice__advance(strip, &moment, team);
	}
}

static void widen_gates(const struct strip *strip, const struct record *record)
{
	const struct pass *pass = strip->pass;
	const struct tape tape = sluice__pass_tape(pass, strip->layer, strip->direction);
	const size_t width = SLUICE__GATES * pass->plan->kernels.lanes;
	const size_t gates_row = SLUICE__GATES * strip->packed->padded, first = strip->first * width;
	const size_t count = (strip->last - strip->first) * width;
	widen_columns(pass, strip->packed, gates_row, first, count, tape.gates, record->gates);
	if (record->arguments)
		widen_columns(pass, strip->packed, gates_row, first, count, tape.arguments, record->arguments);
}

/* Gates and c from the run's arrays into blocks of units. */
static void load_gates(const struct strip *strip, const struct record *record)
{
	const struct pass *pass = strip->pass;
	const struct sluice__network *network = pass->prepared->network;
	const struct sluice__layer *sizes = &network->layers[strip->layer];
	const size_t lanes = pass->plan->kernels.lanes, hidden = strip->packed->hidden, padded = strip->packed->padded;
	const size_t step_rows = layer_rows(pass, strip->packed);
	const struct columns columns = strip->columns;
	for (size_t row = 0; row < pass->steps * step_rows; row++) {
		const size_t t = row / step_rows, n = layer_sequence(strip->packed, row % step_rows);
		const size_t c_at = c_column(strip, row % step_rows);
		if (n >= pass_rows(pass, t))
			continue;
		real *c = history_at(&record->c, t) + row % step_rows * padded + columns.first;
		real *gates = record->gates + row * SLUICE__GATES * padded;
		memset(c, 0, columns.vectors * sizeof *c);
		memset(gates + SLUICE__GATES * columns.first, 0, SLUICE__GATES * columns.vectors * sizeof *gates);
		sluice__exchange_load(pass, pass->run->c, network->c_width, t, n, c_at + columns.first, columns.units,
				      c);
		for (size_t unit = columns.first; unit < columns.first + columns.units; unit += lanes)
			for (size_t gate = 0; gate < SLUICE__GATES; gate++) {
				const size_t rest = columns.first + columns.units - unit;
				sluice__exchange_load(
					pass, pass->run->gates, SLUICE__GATES * network->c_width, t, n,
					SLUICE__GATES * c_at + pass->prepared->limits.gate_place[gate] * hidden + unit,
					rest < lanes ? rest : lanes, gates + SLUICE__GATES * unit + gate * lanes);
			}
	}
	sluice__pass_load_initial(pass, strip->layer, strip->direction, sizes->c[strip->direction], columns, &record->c,
				  padded);
}

static void restore_gates(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	struct strip strip = sluice__strip(pass, layer, direction, team);
	const struct record record = sluice__pass_record(pass, layer, direction);
	const sluice_tape_mode mode = pass->prepared->limits.tape_mode;
	if (mode == SLUICE_TAPE_RECOMPUTE)
		repeat_steps(&strip, &record, team);
	else if (mode == SLUICE_TAPE_OUTPUTS)
		load_gates(&strip, &record);
	else
		widen_gates(&strip, &record);
	team_wait(team);
}

void sluice__restore_gates(struct pass *pass, size_t layer, const struct team *team)
{
	if (!pass_tapes_reals(pass) || pass->prepared->limits.tape_mode != SLUICE_TAPE_FULL)
		sluice__pass_directions(pass, layer, team, restore_gates);
}
