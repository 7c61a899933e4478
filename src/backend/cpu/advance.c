/* advance.c exists to carry one layer and direction over one step: products, gates, and what follows them in order. */
#include "backend/cpu/images.h"

#include <string.h>

struct strip sluice__strip(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct sluice__range own = sluice__share(packed->blocks, team->index, team->count);
	struct strip strip = {.pass = pass,
			      .layer = layer,
			      .direction = direction,
			      .packed = packed,
			      .weights = &packed->direction[direction],
			      .first = own.first,
			      .last = own.last,
			      .out_first = own.first,
			      .out_last = own.last,
			      .columns = sluice__pass_columns(pass, packed->hidden, own.first, own.last),
			      .recurrent_type = pass->plan->panel_type,
			      .backwards = pass_runs_backwards(pass, layer, direction),
			      .cuts = pass_cuts(pass, layer, direction)};
	strip.recurrent = packed_panels(pass->plan, strip.weights->recurrent);
	if (packed->split || packed->options->projection) {
		const struct sluice__range late = share_panels(packed->blocks, team->index, team->count);
		const struct sluice__range out = share_panels(packed->out_vectors, team->index, team->count);
		strip.late_first = late.first;
		strip.late_last = late.last;
		strip.out_first = out.first;
		strip.out_last = out.last;
	}
	strip.out_columns = sluice__pass_columns(pass, packed->out, strip.out_first, strip.out_last);
	return strip;
}

void sluice__advance_prepare(struct strip *strip, const struct team *team)
{
	struct pass *pass = strip->pass;
	const struct workspace_map *map = &pass->plan->map;
	const size_t layer = strip->layer, direction = strip->direction;
	if (pass_masks_h(pass, layer) && !sluice__noise_mask_changes(pass, layer))
		sluice__noise_mask(pass, layer, direction, 0, layer_rows(pass, strip->packed), strip->out_columns,
				   pass_piece(pass, map->mask[direction]));
	if (!pass_thins(pass, layer))
		return;
	real *thinned = pass_piece(pass, map->thinned[direction]);
	sluice__pack_thinned(pass, layer, direction, false, team, thinned);
	strip->recurrent = thinned;
	strip->recurrent_type = SLUICE__REAL_DTYPE;
}

/* The states before a step some of whose rows come from the start, or have to be kept: a copy, own columns. */
static void restart(const struct strip *strip, const struct team *team, struct moment *moment)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const struct sluice__layer *sizes = &pass->prepared->network->layers[strip->layer];
	const struct columns h_columns = strip->out_columns, c_columns = strip->columns;
	const real *start_h = pass_start(pass) + sizes->h[strip->direction];
	const real *start_c = pass_start(pass) + sizes->c[strip->direction];
	real *h = pass_piece(pass, pass->plan->map.cut_h[strip->direction]);
	real *c = pass_piece(pass, pass->plan->map.cut_c[strip->direction]);
	for (size_t row = 0; row < moment->rows; row++) {
		const bool cut = flags_at(strip->cuts, moment->t * pass->batch + layer_sequence(packed, row));
		const real *from_h = cut ? start_h : moment->h_before + row * packed->out_padded;
		const real *from_c = cut ? start_c : moment->c_before + row * packed->padded;
		memcpy(h + row * packed->out_padded + h_columns.first, from_h + h_columns.first,
		       h_columns.vectors * sizeof *h);
		memcpy(c + row * packed->padded + c_columns.first, from_c + c_columns.first,
		       c_columns.vectors * sizeof *c);
	}
	moment->h_before = h;
	moment->c_before = c;
	team_wait(team);
}

void sluice__advance_place(const struct strip *strip, const struct record *record,
			   const struct rows input[MOST_SEGMENTS], size_t t, const struct team *team,
			   struct moment *moment)
{
	const size_t at = t * layer_rows(strip->pass, strip->packed) * SLUICE__GATES * strip->packed->padded;
	moment->t = t;
	moment->rows = layer_rows_at(strip->pass, strip->packed, t);
	moment->start = moment->fused ? NULL : record->gates + at;
	moment->gates = record->gates + at;
	moment->arguments = record->arguments ? record->arguments + at : NULL;
	for (size_t each = 0; each < strip->packed->segments; each++)
		moment->input[each] = (struct rows){input[each].at + t * input[each].step, 0, input[each].row};
	moment->h_before = history_before(&record->h, t);
	moment->c_before = history_before(&record->c, t);
	moment->held = flags_any(&strip->pass->when->holds, t);
	if (moment->held || flags_any(strip->cuts, t))
		restart(strip, team, moment);
}

/* --- x without weights --- */

/* x of one row, `width` numbers that may lie in two segments. */
static real input_at(const struct rows *segments, size_t segment_width, size_t t, size_t n, size_t column)
{
	const struct rows *rows = &segments[column / segment_width];
	return rows->at[t * rows->step + n * rows->row + column % segment_width];
}

static void place_row(const struct strip *strip, const struct rows x[MOST_SEGMENTS], size_t t, size_t row, real *gates)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const size_t lanes = pass->plan->kernels.lanes, hidden = packed->hidden, width = packed->segment[0].width;
	const bool whole = packed->options->input == SLUICE_INPUT_GATES;
	const size_t part = packed->reads_separate ? 0 : strip->direction;
	const real *bias = packed_reals(pass->plan, strip->weights->bias);
	for (size_t block = strip->first; block < strip->last; block++)
		for (size_t gate = 0; gate < SLUICE__GATES; gate++) {
			const size_t at = (block * SLUICE__GATES + gate) * lanes;
			const size_t place = pass_input_place(pass, strip->layer, gate);
			const size_t first = whole ? (part * SLUICE__GATES + place) * hidden : 0;
			for (size_t lane = 0; lane < lanes; lane++) {
				const size_t unit = block * lanes + lane;
				gates[at + lane] = bias[at + lane];
				if (unit < hidden)
					gates[at + lane] += input_at(x, width, t, row, first + unit);
			}
		}
}

void sluice__advance_place_input(const struct strip *strip, const struct rows x[MOST_SEGMENTS], size_t steps,
				 real *gates)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const size_t gates_row = SLUICE__GATES * packed->padded;
	for (size_t t = 0; t < steps; t++)
		for (size_t row = 0; row < layer_rows_at(pass, packed, t); row++)
			place_row(strip, x, t, row, gates + (t * layer_rows(pass, packed) + row) * gates_row);
}

/* --- the parts of a step --- */

/* h' as the gates see it. */
static struct rows masked_h(const struct strip *strip, const struct moment *moment, const struct team *team)
{
	const struct pass *pass = strip->pass;
	const struct workspace_map *map = &pass->plan->map;
	const struct columns columns = strip->out_columns;
	const size_t padded = strip->packed->out_padded;
	real *mask = pass_piece(pass, map->mask[strip->direction]);
	real *masked = pass_piece(pass, map->masked[strip->direction]);
	if (!pass_masks_h(pass, strip->layer))
		return (struct rows){moment->h_before, 0, moment->h_before_row};
	if (sluice__noise_mask_changes(pass, strip->layer))
		sluice__noise_mask(pass, strip->layer, strip->direction, moment->t, moment->rows, columns, mask);
	for (size_t row = 0; row < moment->rows; row++) {
		const real *h = moment->h_before + row * moment->h_before_row + columns.first;
		const size_t at = row * padded + columns.first;
		for (size_t j = 0; j < columns.units; j++)
			masked[at + j] = mask[at + j] * h[j];
	}
	team_wait(team);
	return (struct rows){masked, 0, padded};
}

/* The products that enter a step: its input, unless that has been projected, h, and c of full peepholes. They are added
 * in this order. Those of images are not the kernel's. */
static void set_operands(const struct strip *strip, const struct moment *moment, const struct rows *h,
			 struct sluice__step *job)
{
	const struct packed_layer *packed = strip->packed;
	const struct cpu_plan *plan = strip->pass->plan;
	if (packed->images)
		return;
	for (size_t each = 0; moment->fused && each < packed->segments; each++)
		job->operand[job->operands++] = (struct sluice__operand){
			moment->input[each].at, moment->input[each].row, packed->segment[each].width,
			packed_panels(plan, packed->segment[each].forward[strip->direction]), plan->panel_type};
	job->operand[job->operands++] =
		(struct sluice__operand){h->at, h->row, packed->out, strip->recurrent, strip->recurrent_type};
	if (packed->full)
		job->operand[job->operands++] =
			(struct sluice__operand){moment->c_before, moment->c_before_row, packed->hidden,
						 packed_panels(plan, strip->weights->peephole), plan->panel_type};
}

/* Field by field: clearing operands that are not there would take longer than an activation. */
static void set_job(const struct strip *strip, const struct moment *moment, struct sluice__step *job)
{
	const struct packed_layer *packed = strip->packed;
	job->rows = moment->rows;
	job->first = strip->first;
	job->last = strip->last;
	job->descending = moment->descending;
	job->start = moment->start ? moment->start : packed_reals(strip->pass->plan, strip->weights->bias);
	job->start_row = moment->start ? SLUICE__GATES * packed->padded : 0;
	job->operands = 0;
	job->cell = packed->standard ? NULL : &strip->weights->cell;
	job->place = 0;
	job->c_prev = moment->c_before;
	job->c_prev_row = moment->c_before_row;
	job->c = moment->c;
	job->c_row = moment->c_row;
	job->h = moment->h;
	job->h_row = moment->h_row;
	job->gates = moment->gates;
	job->arguments = moment->arguments;
	job->gates_row = SLUICE__GATES * packed->padded;
}

/* A product over all rows of one step, for the vectors first .. last-1 of its result, whole panels. */
static void multiply(const struct strip *strip, size_t rows, const struct rows *a, size_t depth, size_t offset,
		     size_t width, size_t first, size_t last, bool add, real *c, size_t c_row)
{
	const struct pass *pass = strip->pass;
	const struct cpu_plan *plan = pass->plan;
	const struct columns columns = sluice__pass_columns(pass, width, first, last);
	const struct product product = {
		.last = 1,
		.batch = rows,
		.a = {a->at, 0, a->row},
		.depth = depth,
		.width = columns.units,
		.panels = packed_panels(plan, offset + first * plan->kernels.lanes * depth * plan->panel_bytes),
		.type = plan->panel_type,
		.add = add,
		.c = c + columns.first,
		.c_row = c_row,
		.c_padded = c_row % SLUICE__PAD == 0,
	};
	if (columns.units)
		sluice__matrix_multiply(&plan->kernels, &product);
}

/* The output gate of a split cell, once all of e is there: a_o lies in `waiting`, q replaces it. */
static void finish_output(const struct strip *strip, const struct sluice__step *job, real *q, size_t q_row,
			  const struct team *team)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	real *waiting = pass_piece(pass, pass->plan->map.waiting[strip->direction]);
	const struct rows e = {job->c, 0, job->c_row};
	if (packed->images)
		sluice__convolve_memory(strip, job->rows, job->c, waiting, team);
	else
		multiply(strip, job->rows, &e, packed->hidden, strip->weights->memory, packed->hidden,
			 strip->late_first, strip->late_last, true, waiting, packed->padded);
	const struct sluice__output output = {
		.rows = job->rows,
		.first = strip->late_first,
		.last = strip->late_last,
		.cell = &strip->weights->cell,
		.a = waiting,
		.a_row = packed->padded,
		.c = job->c,
		.c_row = job->c_row,
		.q = q,
		.q_row = q_row,
		.gates = job->gates,
		.arguments = job->arguments,
		.gates_row = job->gates_row,
	};
	pass->plan->kernels.output(&output);
}

static void clip_rows(const struct strip *strip, size_t rows, real *h, size_t h_row, real clip)
{
	const struct columns columns = strip->out_columns;
	for (size_t row = 0; row < rows; row++) {
		real *at = h + row * h_row + columns.first;
		for (size_t j = 0; j < columns.units; j++)
			at[j] = at[j] > clip ? clip : at[j] < -clip ? -clip : at[j];
	}
}

/* h = clip(P q), own columns, once all of q [N,padded] is there. */
static void project(const struct strip *strip, size_t rows, const real *q, real *h, size_t h_row)
{
	const struct packed_layer *packed = strip->packed;
	const struct rows q_rows = {q, 0, packed->padded};
	multiply(strip, rows, &q_rows, packed->hidden, strip->weights->projection, packed->out, strip->out_first,
		 strip->out_last, false, h, h_row);
	if (packed->options->projection_clip > 0)
		clip_rows(strip, rows, h, h_row, (real)packed->options->projection_clip);
}

void sluice__advance_project(const struct strip *strip, size_t rows, const real *q, real *h, size_t h_row,
			     const struct team *team)
{
	team_wait(team);
	project(strip, rows, q, h, h_row);
	team_wait(team);
}

/* to = z before + (1 - z) fresh, z being drawn for this step; to may be either. */
static void zoneout(const struct strip *strip, const struct moment *moment, bool of_c, const real *before,
		    size_t before_row, const real *fresh, size_t fresh_row, real *to, size_t to_row)
{
	const struct pass *pass = strip->pass;
	const struct columns columns = of_c ? strip->columns : strip->out_columns;
	const size_t row_stride = of_c ? strip->packed->padded : strip->packed->out_padded;
	/* Threads may own other columns of h than of c, and need not be at the same of the two. */
	const size_t *maps = of_c ? pass->plan->map.zone_c : pass->plan->map.zone_h;
	real *zone = pass_piece(pass, maps[strip->direction]);
	sluice__noise_zoneout(pass, strip->layer, strip->direction, moment->t, of_c, columns, zone, row_stride);
	for (size_t row = 0; row < moment->rows; row++)
		for (size_t j = columns.first; j < columns.first + columns.units; j++) {
			const real z = zone[row * row_stride + j];
			to[row * to_row + j] = z * before[row * before_row + j] + (1 - z) * fresh[row * fresh_row + j];
		}
}

static void copy_c(const struct strip *strip, const struct sluice__step *job, const struct moment *moment)
{
	for (size_t row = 0; row < moment->rows; row++)
		memcpy(moment->c + row * moment->c_row + strip->columns.first,
		       job->c + row * job->c_row + strip->columns.first, strip->columns.units * sizeof *job->c);
}

void sluice__advance_round(const struct strip *strip, size_t rows, real *h, size_t h_row)
{
	const struct pass *pass = strip->pass;
	for (size_t row = 0; row < rows; row++)
		pass->plan->kernels.round_to(pass->prepared->limits.data, strip->out_columns.units,
					     h + row * h_row + strip->out_columns.first);
}

/* This step's h, c and gates into the run's arrays. */
static void show(const struct strip *strip, const struct moment *moment)
{
	const struct pass *pass = strip->pass;
	const struct sluice__network *network = pass->prepared->network;
	const struct sluice__layer *layer = &network->layers[strip->layer];
	const struct columns out = strip->out_columns, columns = strip->columns;
	const size_t h_at = layer->h_column[strip->direction], c_at = layer->c_column[strip->direction];
	const size_t lanes = pass->plan->kernels.lanes, gates_row = SLUICE__GATES * strip->packed->padded;
	for (size_t row = 0; row < moment->rows; row++) {
		const size_t n = layer_sequence(strip->packed, row), place = layer_place(strip->packed, row);
		const size_t c_place = c_at + place * layer->hidden;
		if (pass->run->h)
			sluice__exchange_store(pass, pass->run->h, network->h_width, moment->t, n,
					       h_at + place * layer->out + out.first, out.units,
					       moment->h + row * moment->h_row + out.first);
		if (pass->run->c)
			sluice__exchange_store(pass, pass->run->c, network->c_width, moment->t, n,
					       c_place + columns.first, columns.units,
					       moment->c + row * moment->c_row + columns.first);
		for (size_t at = 0; pass->run->gates && at < columns.units; at += lanes)
			for (size_t gate = 0; gate < SLUICE__GATES; gate++) {
				const size_t unit = columns.first + at, rest = columns.units - at;
				const size_t gate_at = pass->prepared->limits.gate_place[gate] * layer->hidden;
				sluice__exchange_store(
					pass, pass->run->gates, SLUICE__GATES * network->c_width, moment->t, n,
					SLUICE__GATES * c_place + gate_at + unit, rest < lanes ? rest : lanes,
					moment->gates + row * gates_row + (unit * SLUICE__GATES + gate * lanes));
			}
	}
}

/* A step with anything besides the step kernel: EQUATIONS.md, "Cell, forward", line by line. */
static void advance_options(const struct strip *strip, const struct moment *moment, const struct team *team)
{
	const struct pass *pass = strip->pass;
	const struct workspace_map *map = &pass->plan->map;
	const struct packed_layer *packed = strip->packed;
	const sluice_layer *options = packed->options;
	const size_t direction = strip->direction;
	const struct rows h = masked_h(strip, moment, team);
	struct sluice__step job;
	set_job(strip, moment, &job);
	set_operands(strip, moment, &h, &job);
	real *q = moment->h;
	size_t q_row = moment->h_row;
	if (options->projection) {
		q = pass_piece(pass, map->q[direction]);
		q_row = packed->padded;
	}
	/* All of c_before is an operand of a full peephole: c must not overwrite it. */
	const bool fresh = options->zoneout_c > 0 || packed->full;
	if (fresh) {
		job.c = pass_piece(pass, map->fresh_c[direction]);
		job.c_row = packed->padded;
	}
	job.h = packed->split ? pass_piece(pass, map->waiting[direction]) : q;
	job.h_row = packed->split ? packed->padded : q_row;
	if (packed->images)
		sluice__convolve_step(strip, &h, moment, &job, team);
	else
		pass->plan->kernels.step(&job);
	if (packed->full || options->projection || packed->images)
		team_wait(team);
	if (packed->split) {
		finish_output(strip, &job, q, q_row, team);
		if (options->projection)
			team_wait(team);
	}
	if (options->projection)
		project(strip, moment->rows, q, moment->h, moment->h_row);
	if (options->zoneout_c > 0)
		zoneout(strip, moment, true, moment->c_before, moment->c_before_row, job.c, job.c_row, moment->c,
			moment->c_row);
	else if (fresh)
		copy_c(strip, &job, moment);
	if (options->zoneout_h > 0)
		zoneout(strip, moment, false, moment->h_before, moment->h_before_row, moment->h, moment->h_row,
			moment->h, moment->h_row);
	if (pass->plan->widens_data)
		sluice__advance_round(strip, moment->rows, moment->h, moment->h_row);
}

/* Rows that are held have their old state after all, and gates of zero: whatever x was, nothing is left of it, not even
 * in padding. */
static void hold(const struct strip *strip, const struct moment *moment)
{
	const struct pass *pass = strip->pass;
	const struct columns out = strip->out_columns, columns = strip->columns;
	const size_t gates_row = SLUICE__GATES * strip->packed->padded;
	for (size_t row = 0; row < moment->rows; row++) {
		const size_t at = row * gates_row + SLUICE__GATES * columns.first;
		const size_t bytes = SLUICE__GATES * columns.vectors * sizeof(real);
		if (!pass->when->holds.row[moment->t * pass->batch + layer_sequence(strip->packed, row)])
			continue;
		memcpy(moment->h + row * moment->h_row + out.first,
		       moment->h_before + row * moment->h_before_row + out.first, out.vectors * sizeof(real));
		memcpy(moment->c + row * moment->c_row + columns.first,
		       moment->c_before + row * moment->c_before_row + columns.first, columns.vectors * sizeof(real));
		if (moment->gates)
			memset(moment->gates + at, 0, bytes);
		if (moment->arguments)
			memset(moment->arguments + at, 0, bytes);
	}
}

void sluice__advance(const struct strip *strip, const struct moment *moment, const struct team *team)
{
	const struct pass *pass = strip->pass;
	if (strip->packed->plain && !pass->run->mask) {
		const struct rows h = {moment->h_before, 0, moment->h_before_row};
		struct sluice__step job;
		set_job(strip, moment, &job);
		set_operands(strip, moment, &h, &job);
		if (strip->packed->images)
			sluice__convolve_step(strip, &h, moment, &job, team);
		else
			pass->plan->kernels.step(&job);
	} else {
		advance_options(strip, moment, team);
	}
	if (moment->held) {
		/* Others may have written gates of these columns. */
		team_wait(team);
		hold(strip, moment);
	}
	team_wait(team);
	if (moment->shows)
		show(strip, moment);
	/* Rows of images are whole threads': the next step must not write others' columns before they are shown. */
	if (moment->shows && strip->packed->images)
		team_wait(team);
}
