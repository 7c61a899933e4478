/* through_time.c exists to carry gradients of one layer and direction back through its steps. */
#include "backend/cpu/through_time.h"

#include <string.h>

static struct back back_of(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct workspace_map *map = &pass->plan->map;
	const struct sluice__range own = share_panels(packed->blocks, team->index, team->count);
	const struct sluice__range out = share_panels(packed->out_vectors, team->index, team->count);
	struct back back = {.pass = pass,
			    .layer = layer,
			    .direction = direction,
			    .packed = packed,
			    .weights = &packed->direction[direction],
			    .cell = packed->direction[direction].cell,
			    .record = sluice__pass_record(pass, layer, direction),
			    .first = own.first,
			    .last = own.last,
			    .out_first = out.first,
			    .out_last = out.last,
			    .start_h = pass_start(pass) + pass->prepared->network->layers[layer].h[direction],
			    .start_c = pass_start(pass) + pass->prepared->network->layers[layer].c[direction],
			    .columns = sluice__pass_columns(pass, packed->hidden, own.first, own.last),
			    .out_columns = sluice__pass_columns(pass, packed->out, out.first, out.last),
			    .da = pass_piece(pass, map->da[direction]),
			    .dh = pass_piece(pass, map->dh[direction]),
			    .dc = pass_piece(pass, map->dc[direction]),
			    .transposed_type = pass->plan->panel_type};
	back.transposed = packed_panels(pass->plan, back.weights->transposed);
	back.e = back.record.c;
	/* A cell that was clipped comes back from the run's array as the rounded clip. */
	if (pass->prepared->limits.tape_mode == SLUICE_TAPE_OUTPUTS)
		pass->plan->kernels.round_to(pass->prepared->limits.data, 1, &back.cell.cell_clip);
	return back;
}

static void store_part(real *to, const real *from, size_t count, bool add)
{
	for (size_t j = 0; j < count; j++)
		to[j] = add ? to[j] + from[j] : from[j];
}

static void store_initial(const struct back *back)
{
	const struct pass *pass = back->pass;
	const struct sluice__layer *layer = &pass->prepared->network->layers[back->layer];
	const bool add = pass_accumulates(pass, SLUICE_ACCUMULATE_STATE);
	const struct columns h = back->out_columns, c = back->columns;
	const size_t out_padded = back->packed->out_padded, padded = back->packed->padded;
	for (size_t row = 0; pass->gradients->dinitial && row < layer_rows(pass, back->packed); row++) {
		const size_t n = layer_sequence(back->packed, row), place = layer_place(back->packed, row);
		real *state = (real *)pass->gradients->dinitial +
			      pass_caller_row(pass, n) * pass->prepared->network->state_row;
		store_part(state + layer->h[back->direction] + place * out_padded + h.first,
			   back->dh + row * out_padded + h.first, h.units, add);
		store_part(state + layer->c[back->direction] + place * padded + c.first,
			   back->dc + row * padded + c.first, c.units, add);
	}
}

static struct sluice__cell_backward cell_of(const struct back *back, size_t t)
{
	const struct pass *pass = back->pass;
	const struct packed_layer *packed = back->packed;
	const size_t padded = packed->padded, gates_row = SLUICE__GATES * padded, da_row = SLUICE__GATES * packed->span;
	const size_t rows = layer_rows(pass, packed), at = t * rows * gates_row;
	return (struct sluice__cell_backward){
		.rows = layer_rows_at(pass, packed, t),
		.first = back->first,
		.last = back->last,
		.cell = packed->standard ? NULL : &back->cell,
		.parts = SLUICE__CELL_ALL,
		.gates = back->record.gates + at,
		.arguments = back->record.arguments ? back->record.arguments + at : NULL,
		.gates_row = gates_row,
		.c = history_at(&back->e, t),
		.c_prev = history_before(&back->record.c, t),
		.c_row = padded,
		.c_prev_row = padded,
		.dh = back->dh,
		.dh_row = packed->out_padded,
		.dc = back->dc,
		.dc_row = padded,
		.da = back->da + t * rows * da_row,
		.da_row = da_row,
		.da_gate = packed->span,
	};
}

/* --- steps where rows begin anew or are held --- */

/* Rows of a layer with flags of their sequences. */
static bool is_cut(const struct back *back, size_t t, size_t row)
{
	return flags_at(pass_cuts(back->pass, back->layer, back->direction),
			t * back->pass->batch + layer_sequence(back->packed, row));
}

static bool is_held(const struct back *back, size_t t, size_t row)
{
	return flags_at(&back->pass->when->holds, t * back->pass->batch + layer_sequence(back->packed, row));
}

/* c before a step some of whose rows come from the start: a copy, own columns. */
static const real *restarted_c(const struct back *back, size_t t)
{
	const struct columns columns = back->columns;
	const size_t padded = back->packed->padded;
	real *c = pass_piece(back->pass, back->pass->plan->map.cut_c[back->direction]);
	for (size_t row = 0; row < layer_rows_at(back->pass, back->packed, t); row++) {
		const real *from =
			is_cut(back, t, row) ? back->start_c : history_before(&back->record.c, t) + row * padded;
		memcpy(c + row * padded + columns.first, from + columns.first, columns.vectors * sizeof *c);
	}
	return c;
}

static void add_part(real *to, const real *from, size_t count)
{
	for (size_t j = 0; j < count; j++)
		to[j] += from[j];
}

/* What reaches a row's start stays there: own columns of dh and dc become the start's gradient. */
static void move_to_start(const struct back *back, size_t row)
{
	const struct workspace_map *map = &back->pass->plan->map;
	const struct columns h = back->out_columns, c = back->columns;
	real *dh = back->dh + row * back->packed->out_padded + h.first;
	real *dc = back->dc + row * back->packed->padded + c.first;
	add_part(pass_piece(back->pass, map->dstart_h[back->direction]) + h.first, dh, h.units);
	add_part(pass_piece(back->pass, map->dstart_c[back->direction]) + c.first, dc, c.units);
	memset(dh, 0, h.vectors * sizeof *dh);
	memset(dc, 0, c.vectors * sizeof *dc);
}

/* The gradients that the caller gives of h and c of a step, own columns. */
static void add_given(const struct back *back, size_t t)
{
	enum { STRETCH = 64 };
	const struct pass *pass = back->pass;
	const struct sluice__network *network = pass->prepared->network;
	const struct sluice__layer *layer = &network->layers[back->layer];
	const struct {
		const void *given;
		size_t width, column, units, padded;
		struct columns own;
		real *to;
	} parts[] = {
		{pass->gradients->dh, network->h_width, layer->h_column[back->direction], layer->out,
		 back->packed->out_padded, back->out_columns, back->dh},
		{pass->gradients->dc, network->c_width, layer->c_column[back->direction], layer->hidden,
		 back->packed->padded, back->columns, back->dc},
	};
	for (size_t each = 0; each < 2; each++)
		for (size_t row = 0; parts[each].given && row < layer_rows_at(pass, back->packed, t); row++)
			for (size_t done = 0; done < parts[each].own.units; done += STRETCH) {
				real given[STRETCH];
				const size_t rest = parts[each].own.units - done, first = parts[each].own.first + done;
				const size_t count = rest < STRETCH ? rest : STRETCH;
				const size_t place = layer_place(back->packed, row) * parts[each].units;
				sluice__exchange_load(pass, parts[each].given, parts[each].width, t,
						      layer_sequence(back->packed, row),
						      parts[each].column + place + first, count, given);
				add_part(parts[each].to + row * parts[each].padded + first, given, count);
			}
}

/* dy of one step's h; NULL: zero. */
static real *dy_at(const struct back *back, size_t t)
{
	const struct pass *pass = back->pass;
	if (!pass_has_dy(pass) && back->layer + 1 == pass->plan->layer_count)
		return NULL;
	return pass_dy_of(pass, back->layer) + t * layer_rows(pass, back->packed) * pass_dy_row(pass, back->layer) +
	       back->direction * back->packed->out_padded;
}

/* Held rows pass the step by: their dh and dc wait, and the step works on zeros. */
static void set_aside(const struct back *back, size_t t)
{
	const struct workspace_map *map = &back->pass->plan->map;
	const struct columns h = back->out_columns, c = back->columns;
	const size_t out_padded = back->packed->out_padded, padded = back->packed->padded;
	const size_t dy_row = pass_dy_row(back->pass, back->layer);
	real *held_h = pass_piece(back->pass, map->held_h[back->direction]);
	real *held_c = pass_piece(back->pass, map->held_c[back->direction]), *dy = dy_at(back, t);
	for (size_t row = 0; row < layer_rows_at(back->pass, back->packed, t); row++) {
		real *dh = back->dh + row * out_padded + h.first, *dc = back->dc + row * padded + c.first;
		if (!is_held(back, t, row))
			continue;
		memcpy(held_h + row * out_padded + h.first, dh, h.units * sizeof *dh);
		memcpy(held_c + row * padded + c.first, dc, c.units * sizeof *dc);
		memset(dh, 0, h.vectors * sizeof *dh);
		memset(dc, 0, c.vectors * sizeof *dc);
		if (!dy)
			continue;
		add_part(held_h + row * out_padded + h.first, dy + row * dy_row + h.first, h.units);
		memset(dy + row * dy_row + h.first, 0, h.vectors * sizeof *dy);
	}
}

static void take_back(const struct back *back, size_t t)
{
	const struct workspace_map *map = &back->pass->plan->map;
	const struct columns h = back->out_columns, c = back->columns;
	const size_t out_padded = back->packed->out_padded, padded = back->packed->padded;
	for (size_t row = 0; row < layer_rows_at(back->pass, back->packed, t); row++) {
		const size_t h_at = row * out_padded + h.first, c_at = row * padded + c.first;
		if (!is_held(back, t, row))
			continue;
		memcpy(back->dh + h_at, pass_piece(back->pass, map->held_h[back->direction]) + h_at,
		       h.units * sizeof(real));
		memcpy(back->dc + c_at, pass_piece(back->pass, map->held_c[back->direction]) + c_at,
		       c.units * sizeof(real));
	}
}

/* --- steps --- */

/* dr of one step, own columns of [N,out]: (1 - z) (dy + dh), zero where the projection was clipped; what zoneout hands
 * on, z (dy + dh), goes to `carry`. `r`, if not NULL, is the projection before clipping, and may be `to`. */
static void gradient_of_output(const struct back *back, size_t t, const real *r, real *to, real *carry)
{
	const struct pass *pass = back->pass;
	const sluice_layer *options = back->packed->options;
	const struct columns columns = back->out_columns;
	const size_t padded = back->packed->out_padded, dy_row = pass_dy_row(pass, back->layer);
	const real *dy = dy_at(back, t), clip = (real)options->projection_clip;
	real *zone = pass_piece(pass, pass->plan->map.zone_h[back->direction]);
	if (options->zoneout_h > 0)
		sluice__noise_zoneout(pass, back->layer, back->direction, t, false, columns, zone, padded);
	for (size_t row = 0; row < layer_rows_at(pass, back->packed, t); row++)
		for (size_t j = columns.first; j < columns.first + columns.units; j++) {
			const size_t at = row * padded + j;
			const real dh = back->dh[at] + (dy ? dy[row * dy_row + j] : 0);
			const real z = options->zoneout_h > 0 ? zone[at] : 0;
			const bool clipped = r && (r[at] >= clip || r[at] <= -clip);
			if (carry)
				carry[at] = z * dh;
			to[at] = clipped ? 0 : (1 - z) * dh;
		}
}

/* dh of the step before: the mask's and zoneout's part in it. */
static void finish_dh(const struct back *back, size_t t, const real *carry)
{
	const struct pass *pass = back->pass;
	const struct columns columns = back->out_columns;
	const size_t padded = back->packed->out_padded;
	const bool masked = pass_masks_h(pass, back->layer);
	real *mask = pass_piece(pass, pass->plan->map.mask[back->direction]);
	if (masked && sluice__noise_mask_changes(pass, back->layer))
		sluice__noise_mask(pass, back->layer, back->direction, t, layer_rows_at(pass, back->packed, t), columns,
				   mask);
	for (size_t row = 0; row < layer_rows_at(pass, back->packed, t); row++)
		for (size_t j = columns.first; j < columns.first + columns.units; j++) {
			const size_t at = row * padded + j;
			const real dh = masked ? mask[at] * back->dh[at] : back->dh[at];
			back->dh[at] = carry ? carry[at] + dh : dh;
		}
}

/* Zoneout's split of dc: what stays with the old cell goes to `kept`. */
static void split_dc(const struct back *back, size_t t, real *kept)
{
	const struct pass *pass = back->pass;
	const struct columns columns = back->columns;
	const size_t padded = back->packed->padded;
	real *zone = pass_piece(pass, pass->plan->map.zone_c[back->direction]);
	sluice__noise_zoneout(pass, back->layer, back->direction, t, true, columns, zone, padded);
	for (size_t row = 0; row < layer_rows_at(pass, back->packed, t); row++)
		for (size_t j = columns.first; j < columns.first + columns.units; j++) {
			const size_t at = row * padded + j;
			kept[at] = zone[at] * back->dc[at];
			back->dc[at] = (1 - zone[at]) * back->dc[at];
		}
}

static void add_dc(const struct back *back, size_t rows, const real *kept)
{
	const struct columns columns = back->columns;
	for (size_t row = 0; row < rows; row++)
		for (size_t j = columns.first; j < columns.first + columns.units; j++)
			back->dc[row * back->packed->padded + j] += kept[row * back->packed->padded + j];
}

/* Units that are only padding may have any gate values, even none that is a number; products read their da. Whoever has
 * the last block clears the gates that it has just computed: others may be reading what it computed before. */
static void clear_padding(const struct back *back, const struct sluice__cell_backward *job)
{
	const struct packed_layer *packed = back->packed;
	const size_t rest = packed->span - packed->hidden;
	const size_t first = job->parts == SLUICE__CELL_OUTPUT ? 3 : 0;
	const size_t last = job->parts == SLUICE__CELL_REST ? 3 : SLUICE__GATES;
	if (rest == 0 || back->first == back->last || back->last != packed->blocks)
		return;
	for (size_t row = 0; row < job->rows; row++)
		for (size_t gate = first; gate < last; gate++)
			memset(job->da + (row * SLUICE__GATES + gate) * packed->span + packed->hidden, 0,
			       rest * sizeof *job->da);
}

/* The cell of one step; a split one in two parts with a product between them. */
static void cell_step(const struct back *back, struct sluice__cell_backward *job, const struct team *team)
{
	const struct cpu_plan *plan = back->pass->plan;
	const struct packed_layer *packed = back->packed;
	if (packed->split) {
		job->parts = SLUICE__CELL_OUTPUT;
		plan->kernels.cell_backward(job);
		clear_padding(back, job);
		team_wait(team);
		const struct factor factor = sluice__back_factor(back, job->da + 3 * job->da_gate, job->da_row,
								 packed->span, back->weights->memory_back);
		sluice__back_memory(back, job->rows, &factor, false, team);
		job->parts = SLUICE__CELL_REST;
	}
	plan->kernels.cell_backward(job);
	clear_padding(back, job);
}

/* One step with anything besides the two kernels: EQUATIONS.md, "Backward", line by line. */
static void step_options(const struct back *back, size_t t, const real *c_before, bool descending,
			 const struct team *team)
{
	const struct pass *pass = back->pass;
	const struct workspace_map *map = &pass->plan->map;
	const struct packed_layer *packed = back->packed;
	const sluice_layer *options = packed->options;
	const size_t direction = back->direction, step = t * layer_rows(pass, packed) * packed->out_padded;
	struct sluice__cell_backward job = cell_of(back, t);
	const size_t rows = job.rows;
	real *dr = pass_piece(pass, map->dr[direction]) + (options->projection ? step : 0);
	real *dq = pass_piece(pass, map->dq[direction]), *kept = pass_piece(pass, map->dc_kept[direction]);
	real *carry = options->zoneout_h > 0 ? pass_piece(pass, map->carry[direction]) : NULL;
	job.c_prev = c_before;
	job.dy = dy_at(back, t);
	job.dy_row = pass_dy_row(pass, back->layer);
	if (options->projection || carry) {
		gradient_of_output(back, t, options->projection_clip > 0 && options->projection ? dr : NULL, dr, carry);
		job.dy = NULL;
		job.dh = dr;
	}
	if (options->projection) {
		const struct factor factor =
			sluice__back_factor(back, dr, packed->out_padded, packed->out, back->weights->projection_back);
		team_wait(team);
		sluice__back_multiply(back, rows, &factor, back->first, back->columns, false, false, dq,
				      packed->padded);
		job.dh = dq;
		job.dh_row = packed->padded;
	}
	if (options->zoneout_c > 0)
		split_dc(back, t, kept);
	real *sums = pass_piece(pass, map->sums[direction]);
	job.dpeephole = back->cell.peephole ? sums : NULL;
	job.dslopes = sums + places_of_sums(packed) * SLUICE__GATES * packed->span;
	cell_step(back, &job, team);
	if (options->zoneout_c > 0)
		add_dc(back, rows, kept);
	team_wait(team);
	if (packed->full) {
		const struct factor factor = sluice__back_factor(back, job.da, job.da_row, SLUICE__GATES * packed->span,
								 back->weights->peephole_back);
		sluice__back_memory(back, rows, &factor, descending, team);
	}
	sluice__back_recurrent(back, t, rows, job.da, descending, team);
	if (carry || pass_masks_h(pass, back->layer))
		finish_dh(back, t, carry);
}

static void step_plain(const struct back *back, size_t t, const real *c_before, bool descending,
		       const struct team *team)
{
	struct sluice__cell_backward job = cell_of(back, t);
	job.c_prev = c_before;
	job.dy = dy_at(back, t);
	job.dy_row = pass_dy_row(back->pass, back->layer);
	back->pass->plan->kernels.cell_backward(&job);
	team_wait(team);
	sluice__back_recurrent(back, t, job.rows, job.da, descending, team);
}

/* One step with what is around it: gradients that are given, rows that are held or begin anew. */
static void step(const struct back *back, size_t t, bool plain, bool descending, const struct team *team)
{
	const struct pass *pass = back->pass;
	const bool cut = flags_any(pass_cuts(pass, back->layer, back->direction), t);
	const bool held = flags_any(&pass->when->holds, t);
	const real *c_before = cut ? restarted_c(back, t) : history_before(&back->record.c, t);
	if (pass->gradients->dh || pass->gradients->dc)
		add_given(back, t);
	if (held)
		set_aside(back, t);
	/* As forward: what the step before read last is still in the cache. */
	if (plain)
		step_plain(back, t, c_before, descending, team);
	else
		step_options(back, t, c_before, descending, team);
	if (held)
		take_back(back, t);
	for (size_t row = 0; cut && row < layer_rows_at(pass, back->packed, t); row++)
		if (is_cut(back, t, row))
			move_to_start(back, row);
}

/* e of all steps where zoneout has mixed c: clip(f c' + i g), own columns. */
static void rebuild_e(struct back *back)
{
	struct pass *pass = back->pass;
	const struct packed_layer *packed = back->packed;
	const size_t lanes = pass->plan->kernels.lanes, padded = packed->padded;
	const real clip = back->cell.cell_clip;
	real *e = pass_piece(pass, pass->plan->map.fresh_cs[back->direction]);
	const size_t step_rows = layer_rows(pass, packed);
	for (size_t row = 0; row < pass->steps * step_rows; row++) {
		const size_t t = row / step_rows, r = row % step_rows;
		const real *gates = back->record.gates + row * SLUICE__GATES * padded;
		const real *c = history_before(&back->record.c, t) + r * padded;
		if (r >= layer_rows_at(pass, packed, t))
			continue;
		if (is_cut(back, t, r))
			c = back->start_c;
		for (size_t unit = back->first * lanes; unit < back->last * lanes; unit++) {
			const real *at = gates + unit / lanes * SLUICE__GATES * lanes + unit % lanes;
			const real fresh = at[lanes] * c[unit] + at[0] * at[2 * lanes];
			e[row * padded + unit] = fresh > clip ? clip : fresh < -clip ? -clip : fresh;
		}
	}
	back->e = (struct history){e, (ptrdiff_t)(step_rows * padded), 0};
}

/* q of all steps, own columns, and with a clip r = P q, into the place of dr. */
static void rebuild_projection(const struct back *back, const struct team *team)
{
	const struct pass *pass = back->pass;
	const struct packed_layer *packed = back->packed;
	const size_t lanes = pass->plan->kernels.lanes, padded = packed->padded, step_rows = layer_rows(pass, packed);
	real *qs = pass_piece(pass, pass->plan->map.qs[back->direction]);
	struct sluice__activation squash = back->cell.squash;
	if (squash.slopes)
		squash.slopes += back->first * lanes;
	for (size_t row = 0; row < pass->steps * step_rows; row++) {
		const size_t first = back->first * lanes, t = row / step_rows, r = row % step_rows;
		const real *gates = back->record.gates + row * SLUICE__GATES * padded;
		real *q = qs + row * padded;
		if (r >= layer_rows_at(pass, packed, t))
			continue;
		pass->plan->kernels.activate(&squash, back->last - back->first,
					     history_at(&back->e, t) + r * padded + first, NULL, q + first);
		for (size_t unit = first; unit < back->last * lanes; unit++)
			q[unit] *= gates[(unit / lanes * SLUICE__GATES + 3) * lanes + unit % lanes];
	}
	team_wait(team);
	real *r = pass_piece(pass, pass->plan->map.dr[back->direction]);
	for (size_t t = 0; t < pass->steps && packed->options->projection_clip > 0; t++) {
		const size_t first = t * step_rows;
		const struct factor factor = sluice__back_factor(back, qs + first * padded, padded, packed->hidden,
								 back->weights->projection);
		sluice__back_multiply(back, layer_rows_at(pass, packed, t), &factor, back->out_first, back->out_columns,
				      false, false, r + first * packed->out_padded, packed->out_padded);
	}
}

/* What a direction needs before its last step. */
static void prepare(struct back *back, const struct team *team)
{
	struct pass *pass = back->pass;
	const struct packed_layer *packed = back->packed;
	const struct workspace_map *map = &pass->plan->map;
	const size_t direction = back->direction, lanes = pass->plan->kernels.lanes;
	real *sums = pass_piece(pass, map->sums[direction]);
	for (size_t each = 0; each < places_of_sums(packed) * SLUICE__GATES + SLUICE__SLOPES; each++)
		memset(sums + each * packed->span + back->first * lanes, 0,
		       (back->last - back->first) * lanes * sizeof *sums);
	if (pass_masks_h(pass, back->layer) && !sluice__noise_mask_changes(pass, back->layer))
		sluice__noise_mask(pass, back->layer, direction, 0, layer_rows(pass, packed), back->out_columns,
				   pass_piece(pass, map->mask[direction]));
	if (packed->options->zoneout_c > 0)
		rebuild_e(back);
	if (packed->options->projection)
		rebuild_projection(back, team);
	if (!pass_thins(pass, back->layer))
		return;
	real *thinned = pass_piece(pass, map->thinned_back[direction]);
	sluice__pack_thinned(pass, back->layer, direction, true, team, thinned);
	back->transposed = thinned;
	back->transposed_type = SLUICE__REAL_DTYPE;
}

void sluice__through_time(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	struct back back = back_of(pass, layer, direction, team);
	const struct sluice__layer *sizes = &pass->prepared->network->layers[layer];
	const struct workspace_map *map = &pass->plan->map;
	const bool plain = back.packed->plain && back.packed->standard && !pass->run->mask;
	sluice__pass_load_final(pass, layer, sizes->h[direction], back.out_columns, back.dh, back.packed->out_padded);
	sluice__pass_load_final(pass, layer, sizes->c[direction], back.columns, back.dc, back.packed->padded);
	memset(pass_piece(pass, map->dstart_h[direction]) + back.out_columns.first, 0,
	       back.out_columns.vectors * sizeof(real));
	memset(pass_piece(pass, map->dstart_c[direction]) + back.columns.first, 0, back.columns.vectors * sizeof(real));
	if (!plain)
		prepare(&back, team);
	for (size_t done = pass->steps; done-- > 0;) {
		const size_t t = pass_step(pass, layer, direction, done);
		if (pass_rows(pass, t) > 0)
			step(&back, t, plain, done % 2 != 0, team);
	}
	store_initial(&back);
	for (size_t row = 0; !pass->run->initial_state && row < layer_rows(pass, back.packed); row++)
		move_to_start(&back, row);
}
