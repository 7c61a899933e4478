/* parameters.c exists to sum the gradients of parameters over all rows and steps, once da is known. */
#include "backend/cpu/images.h"

#include <string.h>

static bool accumulates(const struct pass *pass)
{
	return pass_accumulates(pass, SLUICE_ACCUMULATE_PARAMETERS);
}

static real *parameters_at(const struct pass *pass, size_t offset)
{
	return (real *)pass->gradients->dparameters + offset;
}

static struct gradient_product product_of(const struct pass *pass, size_t places, const struct team *team)
{
	const struct workspace_map *map = &pass->plan->map;
	return (struct gradient_product){
		.count = (pass->when->cells ? pass->when->cell_count : pass->steps * pass->batch) * places,
		.batch = pass->batch * places,
		.places = places,
		.cells = pass->when->cells,
		.add = accumulates(pass),
		.columns = pass_piece(pass, map->columns),
		.rows = pass_piece(pass, map->rows + (size_t)team->index * map->rows_bytes),
	};
}

/* One layer and direction whose da is known. */
struct known {
	const struct pass *pass;
	const struct team *team;
	const struct sluice__layer *layer;
	const struct packed_layer *packed;
	size_t index, direction;
	struct record record;
	const real *da;
};

static struct gradient_product gates_product(const struct known *known, unsigned lacking)
{
	const size_t span = known->packed->span, da_row = SLUICE__GATES * span;
	struct gradient_product product = product_of(known->pass, known->packed->places, known->team);
	product.a = (struct rows){known->da, layer_rows(known->pass, known->packed) * da_row, da_row};
	product.gates = SLUICE__GATES;
	product.a_gate = span;
	product.absent = sluice__layer_absent(known->packed->options, lacking);
	product.height = known->packed->hidden;
	return product;
}

static void multiply(const struct known *known, const struct gradient_product *product)
{
	sluice__matrix_gradient(&known->pass->plan->kernels, known->team, product);
}

/* The gradient of a window's matrix from the images of product->b; without images a plain product. */
static void convolve(const struct known *known, const struct taps *taps, const struct seen *seen,
		     struct gradient_product *product)
{
	const struct cpu_plan *plan = known->pass->plan;
	const struct gather gather =
		sluice__gather_of(plan, known->packed, taps, false, seen->channels, product->b.row);
	product->width = seen->channels;
	if (!known->packed->images) {
		product->dw += seen->first;
		multiply(known, product);
		return;
	}
	product->gather = &gather;
	product->width = taps->taps * seen->channels;
	if (seen->window->groups == 1 && seen->channels == seen->all) {
		multiply(known, product);
		return;
	}
	real *dw = product->dw, *dense = pass_piece(known->pass, plan->map.dense);
	const bool add = product->add;
	product->dw = dense;
	product->dw_row = product->width;
	product->add = false;
	multiply(known, product);
	sluice__convolution_take(seen, known->packed->hidden, product->gates * product->height, dense, add, dw,
				 known->team);
}

/* What a product has where rows begin anew: the start, from this element of a row of state. */
static void replace_cuts(const struct known *known, size_t start, struct gradient_product *product)
{
	product->cuts = pass_cuts(known->pass, known->index, known->direction)->row;
	product->start = pass_start(known->pass) + start;
}

/* h before every step as the gates saw it: the history, or a copy times the mask. */
static void see_h(const struct known *known, struct gradient_product *product)
{
	const struct pass *pass = known->pass;
	const struct workspace_map *map = &pass->plan->map;
	const size_t padded = known->packed->out_padded, out = known->packed->out, index = known->index;
	const struct sluice__range own = sluice__share(pass->steps, known->team->index, known->team->count);
	const struct packed_layer *packed = known->packed;
	const size_t step_rows = layer_rows(pass, packed);
	const struct rows before = {history_before(&known->record.h, 0), step_rows * padded, padded};
	const struct flags *cuts = pass_cuts(pass, index, known->direction);
	const real *start = pass_start(pass) + known->layer->h[known->direction];
	product->b = before;
	if (!pass_masks_h(pass, index)) {
		replace_cuts(known, known->layer->h[known->direction], product);
		return;
	}
	const real *kept = pass_piece(pass, map->mask[known->direction]);
	const bool changes = sluice__noise_mask_changes(pass, index);
	real *masked = pass_piece(pass, map->masked_h[known->direction]);
	const struct columns all = {0, out, known->packed->out_vectors * pass->plan->kernels.lanes};
	for (size_t t = own.first; t < own.last; t++) {
		real *to = masked + t * step_rows * padded;
		/* A mask for each step is made in the place of its product. */
		if (changes)
			sluice__noise_mask(pass, index, known->direction, t, layer_rows_at(pass, packed, t), all, to);
		for (size_t row = 0; row < layer_rows_at(pass, packed, t); row++) {
			const real *mask = (changes ? to : kept) + row * padded;
			const bool cut = flags_at(cuts, t * pass->batch + layer_sequence(packed, row));
			const real *h = cut ? start : before.at + t * before.step + row * padded;
			for (size_t j = 0; j < out; j++)
				to[row * padded + j] = mask[j] * h[j];
		}
	}
	team_wait(known->team);
	product->b = (struct rows){masked, step_rows * padded, padded};
}

/* dR = M (.) (what would be dR without DropConnect), rows by threads. */
static void thin_gradient(const struct known *known, const real *from, real *dw)
{
	const size_t out = known->layer->recurrent_depth, rows = SLUICE__GATES * known->packed->hidden;
	const struct sluice__range own = sluice__share(rows, known->team->index, known->team->count);
	for (size_t row = own.first; row < own.last; row++)
		for (size_t first = 0; first < out; first += 4) {
			real factors[4];
			sluice__noise_dropconnect(known->pass, known->index, known->direction, row, first / 4, factors);
			for (size_t column = first; column < first + 4 && column < out; column++) {
				const size_t at = row * out + column;
				dw[at] = (accumulates(known->pass) ? dw[at] : 0) + factors[column - first] * from[at];
			}
		}
	team_wait(known->team);
}

static void recurrent_gradient(const struct known *known)
{
	const bool thins = pass_thins(known->pass, known->index);
	struct gradient_product product = gates_product(known, known->packed->options->no_recurrent_weights);
	real *dw = parameters_at(known->pass, known->layer->weight_hh[known->direction]);
	see_h(known, &product);
	product.dw_row = known->layer->recurrent_depth;
	product.dw = dw;
	if (thins) {
		product.dw = pass_piece(known->pass, known->pass->plan->map.drecurrent[known->direction]);
		product.add = false;
	}
	const struct seen all = {&known->layer->recurrent, known->packed->out, 0, known->packed->out};
	convolve(known, &known->packed->recurrent, &all, &product);
	if (thins)
		thin_gradient(known, pass_piece(known->pass, known->pass->plan->map.drecurrent[known->direction]), dw);
}

static void input_gradient(const struct known *known)
{
	struct gradient_product product = gates_product(known, known->packed->options->no_input_weights);
	if (known->packed->options->input != SLUICE_INPUT_WEIGHTS)
		return;
	struct rows input[MOST_SEGMENTS];
	sluice__pass_segments(known->pass, known->index, known->direction, input);
	for (size_t each = 0; each < known->packed->segments; each++) {
		const struct segment *segment = &known->packed->segment[each];
		const struct seen seen = {&known->layer->input, known->layer->inputs, segment->first, segment->width};
		struct gradient_product part = product;
		part.b = input[each];
		part.dw_row = known->layer->input_depth;
		part.dw = parameters_at(known->pass, known->layer->weight_ih[known->direction]);
		convolve(known, &known->packed->input, &seen, &part);
	}
}

/* dR, and dW where x is convolved with h, of steps whose rows all compute from what was before them. */
static void gradient_by_tiles(const struct known *known)
{
	const struct pass *pass = known->pass;
	const struct packed_layer *packed = known->packed;
	const struct sluice__layer *layer = known->layer;
	struct winograd_seen seen[MOST_SEGMENTS + 1];
	struct rows input[MOST_SEGMENTS];
	struct gradient_product h = {0};
	size_t count = 0;
	see_h(known, &h);
	sluice__pass_segments(pass, known->index, known->direction, input);
	for (size_t each = 0; packed->points_of_input && each < packed->segments; each++)
		seen[count++] = (struct winograd_seen){
			.window = &layer->input,
			.from = layer->from,
			.images = input[each].at,
			.step = input[each].step,
			.row = input[each].row,
			.channels = packed->segment[each].width,
			.dw = parameters_at(pass, layer->weight_ih[known->direction]),
			.all = layer->inputs,
			.first = packed->segment[each].first,
			.absent = sluice__layer_absent(packed->options, packed->options->no_input_weights),
		};
	seen[count++] = (struct winograd_seen){
		.window = &layer->recurrent,
		.from = layer->image,
		.images = h.b.at,
		.step = h.b.step,
		.row = h.b.row,
		.channels = packed->out,
		.dw = parameters_at(pass, layer->weight_hh[known->direction]),
		.all = packed->out,
		.absent = sluice__layer_absent(packed->options, packed->options->no_recurrent_weights),
	};
	sluice__winograd_gradient(pass, known->index, seen, count, known->da, accumulates(pass), known->team);
}

/* Full peepholes: against c before the step, the output gate's against the new one where it saw that. */
static void full_gradient(const struct known *known, struct history e)
{
	const size_t hidden = known->packed->hidden, padded = known->packed->padded;
	const unsigned lacking = known->packed->options->no_peepholes;
	const unsigned waiting = known->packed->split ? SLUICE_GATE_O : 0;
	struct gradient_product product = gates_product(known, lacking | waiting);
	product.b = (struct rows){history_before(&known->record.c, 0), layer_rows(known->pass, known->packed) * padded,
				  padded};
	product.dw_row = known->layer->memory_depth;
	product.dw = parameters_at(known->pass, known->layer->peephole_at[known->direction]);
	replace_cuts(known, known->layer->c[known->direction], &product);
	struct gradient_product output = product;
	const struct seen all = {&known->layer->memory, hidden, 0, hidden};
	convolve(known, &known->packed->memory, &all, &product);
	if (!waiting || (sluice__layer_absent(known->packed->options, lacking) & SLUICE_GATE_O))
		return;
	output.a.at += 3 * output.a_gate;
	output.gates = 1;
	output.absent = 0;
	output.b.at = history_at(&e, 0);
	output.cuts = NULL;
	output.dw += 3 * hidden * known->layer->memory_depth;
	convolve(known, &known->packed->memory, &all, &output);
}

/* Sums that the cell kernel has made on the way, [place][gate][unit] or of slopes [slot][unit], to [row][unit][place];
 * rows that are absent stay or become zero. */
static void copy_sums(const struct known *known, const real *sums, size_t rows, size_t places, unsigned absent,
		      real *to)
{
	const size_t hidden = known->packed->hidden, span = known->packed->span;
	const struct sluice__range own = sluice__share(rows * hidden, known->team->index, known->team->count);
	for (size_t each = own.first; each < own.last; each++)
		for (size_t place = 0; place < places; place++) {
			const size_t row = each / hidden, unit = each % hidden;
			real *at = to + each * places + place;
			const real sum = absent >> row & 1 ? 0 : sums[(place * rows + row) * span + unit];
			*at = accumulates(known->pass) ? *at + sum : sum;
		}
}

static void bias_gradient(const struct known *known)
{
	const struct pass *pass = known->pass;
	const size_t hidden = known->packed->hidden, span = known->packed->span;
	const unsigned absent = sluice__layer_absent(known->packed->options, 0);
	for (size_t gate = 0; gate < SLUICE__GATES; gate++) {
		real *to = parameters_at(pass, known->layer->bias_at[known->direction]) + gate * hidden;
		const size_t row = SLUICE__GATES * span;
		const size_t step_rows = layer_rows(pass, known->packed);
		const struct sum sum = {.steps = pass->steps,
					.batch = step_rows,
					.when = pass->when,
					.places = known->packed->places,
					.a = {known->da + gate * span, step_rows * row, row},
					.width = hidden,
					.add = accumulates(pass),
					.total = to};
		if (!(absent >> gate & 1))
			sluice__matrix_sum(&pass->plan->kernels, known->team, &sum);
		else if (!accumulates(pass) && known->team->index == 0)
			memset(to, 0, hidden * sizeof *to);
	}
}

static void projection_gradient(const struct known *known)
{
	const struct pass *pass = known->pass;
	const struct workspace_map *map = &pass->plan->map;
	const size_t out_padded = known->packed->out_padded, padded = known->packed->padded;
	struct gradient_product product = product_of(pass, known->packed->places, known->team);
	const size_t rows = layer_rows(pass, known->packed);
	product.a = (struct rows){pass_piece(pass, map->dr[known->direction]), rows * out_padded, out_padded};
	product.b = (struct rows){pass_piece(pass, map->qs[known->direction]), rows * padded, padded};
	product.gates = 1;
	product.height = known->packed->out;
	product.width = product.dw_row = known->packed->hidden;
	product.dw = parameters_at(pass, known->layer->projection_at[known->direction]);
	multiply(known, &product);
}

static void start_gradient(const struct known *known)
{
	const struct workspace_map *map = &known->pass->plan->map;
	const struct {
		size_t from, to, count;
	} parts[] = {
		{map->dstart_h[known->direction], known->layer->start_h[known->direction], known->packed->out},
		{map->dstart_c[known->direction], known->layer->start_c[known->direction], known->packed->hidden},
	};
	for (size_t each = 0; each < 2 && known->team->index == 0; each++) {
		const real *from = pass_piece(known->pass, parts[each].from);
		real *to = parameters_at(known->pass, parts[each].to);
		for (size_t unit = 0; unit < parts[each].count; unit++)
			to[unit] = accumulates(known->pass) ? to[unit] + from[unit] : from[unit];
	}
}

void sluice__parameters_direction(struct pass *pass, size_t index, size_t direction, const struct team *team)
{
	const struct workspace_map *map = &pass->plan->map;
	const struct packed_layer *packed = &pass->plan->layers[index];
	const sluice_layer *options = packed->options;
	const struct known known = {
		.pass = pass,
		.team = team,
		.layer = &pass->prepared->network->layers[index],
		.packed = packed,
		.index = index,
		.direction = direction,
		.record = sluice__pass_record(pass, index, direction),
		.da = pass_piece(pass, map->da[direction]),
	};
	const real *sums = pass_piece(pass, map->sums[direction]);
	struct history e = known.record.c;
	if (options->zoneout_c > 0)
		e = (struct history){pass_piece(pass, map->fresh_cs[direction]), 0, 0};
	const bool tiles = packed->side && !pass->when->holds.row && !pass->when->cuts[0].row;
	if (tiles)
		gradient_by_tiles(&known);
	else
		recurrent_gradient(&known);
	if (!tiles || !packed->points_of_input)
		input_gradient(&known);
	if (known.layer->bias)
		bias_gradient(&known);
	if (packed->direction[direction].cell.peephole)
		copy_sums(&known, sums, SLUICE__GATES, places_of_sums(packed),
			  sluice__layer_absent(options, options->no_peepholes),
			  parameters_at(pass, known.layer->peephole_at[direction]));
	if (packed->full)
		full_gradient(&known, e);
	if (options->projection)
		projection_gradient(&known);
	if (known.layer->slopes)
		copy_sums(&known, sums + places_of_sums(packed) * SLUICE__GATES * packed->span, SLUICE__SLOPES, 1, 0,
			  parameters_at(pass, known.layer->slopes_at[direction]));
	if (options->learned_start)
		start_gradient(&known);
}

/* --- the read-out --- */

static void clear_readout(const struct pass *pass, const struct team *team)
{
	const struct sluice__network *network = pass->prepared->network;
	if (team->index != 0 || accumulates(pass))
		return;
	memset(parameters_at(pass, network->readout_weight), 0, network->outputs * network->features * sizeof(real));
	memset(parameters_at(pass, network->readout_bias), 0, network->outputs * sizeof(real));
}

void sluice__parameters_readout(struct pass *pass, const struct team *team)
{
	const struct sluice__network *network = pass->prepared->network;
	const struct packed_layer *packed = &pass->plan->layers[network->layer_count - 1];
	const size_t places = packed->places;
	struct gradient_product product = product_of(pass, places, team);
	if (!pass_has_dy(pass)) {
		clear_readout(pass, team);
		return;
	}
	product.count = (pass->when->shown ? pass->when->shown_count : pass->steps * pass->batch) * places;
	product.cells = pass->when->shown;
	if (pass->run->last_only) {
		sluice__forward_gather_last(pass, team);
		product.count = pass_present(pass) * places;
		product.cells = NULL;
	}
	product.a = sluice__pass_dy(pass, 0);
	product.gates = 1;
	product.height = network->outputs;
	product.dw_row = network->features;
	product.width = packed->out;
	for (size_t each = 0; each < pass->plan->readout.segments; each++) {
		product.b = sluice__pass_output(pass, each);
		product.dw = parameters_at(pass, network->readout_weight + each * product.width);
		sluice__matrix_gradient(&pass->plan->kernels, team, &product);
	}
	const struct sum sum = {.steps = pass_y_steps(pass),
				.batch = pass_y_batch(pass) * places,
				.when = pass_y_schedule(pass),
				.places = places,
				.a = product.a,
				.width = network->outputs,
				.add = product.add,
				.total = parameters_at(pass, network->readout_bias)};
	sluice__matrix_sum(&pass->plan->kernels, team, &sum);
}
