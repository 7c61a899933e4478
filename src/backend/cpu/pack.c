/* pack.c exists to lay weights out as the kernels read them: the only code that knows the order inside a panel. */
#include "backend/cpu/pass.h"

#include <math.h>
#include <string.h>

enum { MOST_LINE = 64 }; /* reals of a full panel's row, and of a block's four gates */

/* What lines of weights are appended to, in their storage type. */
struct sink {
	const struct sluice__kernels *kernels;
	sluice_dtype type;
	size_t bytes; /* of one weight */
	char *to;
};

static struct sink sink_of(const struct cpu_plan *plan, size_t offset, sluice_dtype type)
{
	return (struct sink){&plan->kernels, type, type == SLUICE__REAL_DTYPE ? sizeof(real) : plan->panel_bytes,
			     (char *)plan->packed + offset};
}

static void sink_line(struct sink *sink, size_t count, const real *line)
{
	sink->kernels->narrow(sink->type, count, line, sink->to);
	sink->to += count * sink->bytes;
}

/* A canonical matrix as its packers see it: `gates` times `rows` rows of taps, each a row of channels. Seen are the
 * channels first .. first+channels-1 of every tap. Parts of rows see parts of the channels, and only these are there;
 * what is not is zero, and so are the rows of absent gates. */
struct matrix {
	const float *from; /* NULL: zeros */
	size_t gates, rows;
	size_t taps, first, channels;
	size_t row_part, channel_part; /* how many are one part; usually all */
	unsigned absent;
};

static size_t depth_of(const struct matrix *matrix)
{
	return matrix->taps * matrix->channels;
}

/* Row `row` of a gate, tap `tap`: where its part's channels begin. */
static const float *tap_of(const struct matrix *matrix, size_t gate, size_t row, size_t tap)
{
	return matrix->from + ((gate * matrix->rows + row) * matrix->taps + tap) * matrix->channel_part;
}

/* Column k, counted over taps and channels that are seen, of `count` rows from `first` on. */
static void column_of(const struct matrix *matrix, size_t gate, size_t first, size_t count, size_t k, real *to)
{
	const size_t channel = matrix->first + k % matrix->channels, part = channel / matrix->channel_part;
	const size_t row = matrix->taps * matrix->channel_part, end = first + count;
	const size_t top = part * matrix->row_part > first ? part * matrix->row_part : first;
	const size_t rows = (part + 1) * matrix->row_part, bottom = rows < end ? rows : end;
	if (!matrix->from || matrix->absent >> gate & 1 || top >= bottom)
		return;
	const float *from = tap_of(matrix, gate, top, k / matrix->channels) + channel - part * matrix->channel_part;
	for (size_t each = top; each < bottom; each++, from += row)
		to[each - first] = (real)*from;
}

/* Panels over rows: [panel][depth][vectors][lane] of the first gate. */
static void pack_panels(const struct matrix *matrix, struct sink sink)
{
	const size_t lanes = sink.kernels->lanes, full = SLUICE__PANEL_VECTORS * lanes;
	for (size_t first = 0; first < matrix->rows; first += full) {
		const size_t rest = matrix->rows - first, width = rest < full ? rest : full;
		for (size_t k = 0; k < depth_of(matrix); k++) {
			real line[MOST_LINE] = {0};
			column_of(matrix, 0, first, width, k, line);
			sink_line(&sink, (width + lanes - 1) / lanes * lanes, line);
		}
	}
}

/* Panels over rows of all gates: [block][depth][gate][lane]. */
static void pack_gates(const struct matrix *matrix, struct sink sink)
{
	const size_t lanes = sink.kernels->lanes;
	for (size_t unit = 0; unit < matrix->rows; unit += lanes)
		for (size_t k = 0; k < depth_of(matrix); k++) {
			real line[MOST_LINE] = {0};
			for (size_t gate = 0; gate < SLUICE__GATES; gate++)
				column_of(matrix, gate, unit, lanes, k, line + gate * lanes);
			sink_line(&sink, SLUICE__GATES * lanes, line);
		}
}

/* Channels from `column` of those that are seen, of one row and tap. */
static void channels_of(const struct matrix *matrix, size_t gate, size_t row, size_t tap, size_t column, size_t count,
			real *to)
{
	const size_t begin = row / matrix->row_part * matrix->channel_part, end = begin + matrix->channel_part;
	const size_t first = matrix->first + column, last = first + count;
	const float *from = tap_of(matrix, gate, row, tap);
	for (size_t channel = first > begin ? first : begin; channel < last && channel < end; channel++)
		to[channel - first] = (real)from[channel - begin];
}

/* Panels over channels, the transpose of every tap: [panel][tap][gates][padded][vectors][lane]; padded: rows of a gate
 * with zeros behind them. */
static void pack_back(const struct matrix *matrix, size_t padded, struct sink sink)
{
	const size_t lanes = sink.kernels->lanes, full = SLUICE__PANEL_VECTORS * lanes;
	for (size_t column = 0; column < matrix->channels; column += full) {
		const size_t rest = matrix->channels - column, width = rest < full ? rest : full;
		for (size_t k = 0; k < matrix->taps * matrix->gates * padded; k++) {
			const size_t row = k % padded, gate = k / padded % matrix->gates,
				     tap = k / padded / matrix->gates;
			real line[MOST_LINE] = {0};
			if (row < matrix->rows && !(matrix->absent >> gate & 1))
				channels_of(matrix, gate, row, tap, column, width, line);
			sink_line(&sink, (width + lanes - 1) / lanes * lanes, line);
		}
	}
}

/* --- booking --- */

struct booking {
	const struct cpu_plan *plan;
	struct sluice__ledger *ledger;
	bool training;
};

static size_t book_panels(const struct booking *booking, size_t depth, size_t width)
{
	return sluice__book(booking->ledger, panels_elements(&booking->plan->kernels, 1, width), depth,
			    booking->plan->panel_bytes);
}

static size_t book_blocks(const struct booking *booking, const struct packed_layer *packed, size_t depth, size_t bytes)
{
	return sluice__book(booking->ledger, packed->blocks * SLUICE__GATES * booking->plan->kernels.lanes, depth,
			    bytes);
}

static void book_peephole(const struct booking *booking, const struct packed_layer *packed,
			  struct packed_direction *direction)
{
	if (packed->options->peephole == SLUICE_PEEPHOLE_DIAGONAL)
		direction->peephole = book_blocks(booking, packed, 1, sizeof(real));
	if (packed->options->peephole == SLUICE_PEEPHOLE_ELEMENT)
		direction->peephole = book_blocks(booking, packed, packed->places, sizeof(real));
	if (!packed->full)
		return;
	const size_t taps = packed->memory.taps, depth = taps * packed->hidden;
	direction->peephole = book_blocks(booking, packed, depth, booking->plan->panel_bytes);
	if (packed->split)
		direction->memory = book_panels(booking, depth, packed->hidden);
	if (!booking->training)
		return;
	direction->peephole_back = book_panels(booking, taps * SLUICE__GATES * packed->span, packed->hidden);
	if (packed->split)
		direction->memory_back = book_panels(booking, taps * packed->span, packed->hidden);
}

static void book_direction(const struct booking *booking, const struct sluice__layer *layer,
			   struct packed_layer *packed, size_t index)
{
	struct packed_direction *direction = &packed->direction[index];
	const size_t depth = SLUICE__GATES * packed->span, bytes = booking->plan->panel_bytes;
	direction->bias = book_blocks(booking, packed, 1, sizeof(real));
	direction->recurrent = book_blocks(booking, packed, packed->recurrent.taps * packed->out, bytes);
	if (booking->training)
		direction->transposed = book_panels(booking, packed->recurrent.taps * depth, packed->out);
	for (size_t each = 0; each < packed->segments && packed->options->input == SLUICE_INPUT_WEIGHTS; each++) {
		struct segment *segment = &packed->segment[each];
		segment->forward[index] = book_blocks(booking, packed, packed->input.taps * segment->width, bytes);
		if (booking->training)
			segment->backward[index] = book_panels(booking, packed->input.taps * depth, segment->width);
	}
	book_peephole(booking, packed, direction);
	if (packed->options->projection) {
		direction->projection = book_panels(booking, packed->hidden, packed->out);
		if (booking->training)
			direction->projection_back = book_panels(booking, packed->out, packed->hidden);
	}
	if (layer->slopes)
		direction->slopes = sluice__book(booking->ledger, SLUICE__SLOPES, packed->padded, sizeof(real));
}

/* --- sizes --- */

static bool is_standard(const sluice_layer *options)
{
	static const sluice_activation_kind usual[SLUICE__SLOTS] = {SLUICE_ACTIVATION_SIGMOID,
								    SLUICE_ACTIVATION_SIGMOID, SLUICE_ACTIVATION_TANH,
								    SLUICE_ACTIVATION_SIGMOID, SLUICE_ACTIVATION_TANH};
	for (size_t slot = 0; slot < SLUICE__SLOTS; slot++)
		if (sluice__layer_activation(options, slot).kind != usual[slot])
			return false;
	return options->peephole != SLUICE_PEEPHOLE_DIAGONAL && options->peephole != SLUICE_PEEPHOLE_ELEMENT &&
	       options->cell_clip == 0 && options->gate_clip == 0 && options->no_gates == 0 && !options->coupled;
}

static bool keeps_arguments(const sluice_layer *options)
{
	for (size_t gate = 0; gate < SLUICE__GATES; gate++)
		if (sluice__activation_needs_argument(sluice__layer_activation(options, gate).kind))
			return true;
	return options->gate_clip > 0;
}

static void size_layer(struct cpu_plan *plan, const struct sluice__network *network, size_t index)
{
	const struct sluice__layer *layer = &network->layers[index];
	const struct sluice__layer *before = index ? &network->layers[index - 1] : NULL;
	const sluice_layer *options = layer->options;
	const struct sluice__kernels *kernels = &plan->kernels;
	struct packed_layer *packed = &plan->layers[index];
	packed->options = options;
	packed->images = network->images;
	packed->places = layer->places;
	packed->places_before = sluice__places(layer->from);
	packed->input.taps = sluice__taps(&layer->input);
	packed->recurrent.taps = sluice__taps(&layer->recurrent);
	packed->memory.taps = sluice__taps(&layer->memory);
	packed->hidden = layer->hidden;
	packed->padded = sluice__round_up(layer->hidden, SLUICE__PAD);
	packed->directions = layer->directions;
	packed->blocks = vectors_of(kernels, layer->hidden);
	packed->span = packed->blocks * kernels->lanes;
	packed->out = layer->out;
	packed->out_padded = sluice__round_up(layer->out, SLUICE__PAD);
	packed->out_vectors = vectors_of(kernels, layer->out);
	packed->results = sluice__layer_results(layer);
	packed->reads_separate = before && before->options->combination == SLUICE_SEPARATE;
	packed->segments = before && !packed->reads_separate ? sluice__layer_results(before) : 1;
	for (size_t each = 0; each < packed->segments; each++) {
		struct segment *segment = &packed->segment[each];
		segment->width = before ? before->out : layer->inputs;
		segment->padded = before ? plan->layers[index - 1].out_padded : layer->inputs;
		segment->first = each * segment->width;
	}
	packed->full = options->peephole == SLUICE_PEEPHOLE_FULL;
	packed->split = packed->full && !options->peephole_previous;
	packed->standard = is_standard(options) && !packed->split;
	packed->keeps_arguments = keeps_arguments(options);
}

/* Offsets index bytes of the packed block. */
void sluice__pack_book(struct cpu_plan *plan, const struct sluice__prepared *prepared, struct sluice__ledger *ledger)
{
	const struct sluice__network *network = prepared->network;
	const struct booking booking = {plan, ledger, prepared->limits.training};
	for (size_t index = 0; index < network->layer_count; index++) {
		size_layer(plan, network, index);
		if (network->images)
			sluice__convolution_book(&plan->layers[index], prepared->limits.training, ledger);
		for (size_t direction = 0; direction < network->layers[index].directions; direction++)
			book_direction(&booking, &network->layers[index], &plan->layers[index], direction);
		sluice__winograd_choose(&plan->layers[index], &network->layers[index], &prepared->limits);
		sluice__winograd_book(plan, &plan->layers[index], prepared->limits.training, ledger);
	}
	plan->start = sluice__book(ledger, network->state_row, 1, sizeof(real));
	if (!network->readout)
		return;
	const struct sluice__layer *last = &network->layers[network->layer_count - 1];
	struct packed_readout *readout = &plan->readout;
	readout->segments = sluice__layer_results(last);
	readout->bias = sluice__book(ledger, panels_elements(&plan->kernels, 1, network->outputs), 1, sizeof(real));
	for (size_t each = 0; each < readout->segments; each++) {
		readout->forward[each] = book_panels(&booking, last->out, network->outputs);
		readout->backward[each] = book_panels(&booking, network->outputs, last->out);
	}
}

/* --- packing --- */

/* The matrix [gates * rows, columns of a window over `channels`]. */
static struct matrix matrix_of(const float *from, size_t gates, size_t rows, const struct sluice__window *window,
			       size_t channels, unsigned absent)
{
	return (struct matrix){.from = from,
			       .gates = gates,
			       .rows = rows,
			       .taps = window ? sluice__taps(window) : 1,
			       .channels = channels,
			       .row_part = window ? rows / window->groups : rows,
			       .channel_part = window ? channels / window->groups : channels,
			       .absent = absent};
}

/* One number for each unit and place, [4H,places], as [place][block][gate][lane]. */
static void pack_elements(const struct packed_layer *packed, const float *from, unsigned absent, struct sink sink)
{
	const size_t lanes = sink.kernels->lanes;
	const struct matrix matrix = matrix_of(from, SLUICE__GATES, packed->hidden, NULL, packed->places, absent);
	for (size_t place = 0; place < packed->places; place++)
		for (size_t unit = 0; unit < packed->hidden; unit += lanes) {
			real line[MOST_LINE] = {0};
			for (size_t gate = 0; gate < SLUICE__GATES; gate++)
				column_of(&matrix, gate, unit, lanes, place, line + gate * lanes);
			sink_line(&sink, SLUICE__GATES * lanes, line);
		}
}

static void pack_peephole(struct cpu_plan *plan, const struct sluice__layer *layer, const struct packed_layer *packed,
			  const struct packed_direction *direction, bool training, const float *from)
{
	const size_t hidden = packed->hidden;
	const unsigned absent = sluice__layer_absent(packed->options, packed->options->no_peepholes);
	const unsigned waiting = packed->split ? SLUICE_GATE_O : 0;
	const struct sink reals = sink_of(plan, direction->peephole, SLUICE__REAL_DTYPE);
	if (packed->options->peephole == SLUICE_PEEPHOLE_ELEMENT) {
		pack_elements(packed, from, absent, reals);
		return;
	}
	if (!packed->full) {
		const struct matrix diagonal = matrix_of(from, SLUICE__GATES, hidden, NULL, 1, absent);
		pack_gates(&diagonal, reals);
		return;
	}
	const sluice_dtype type = plan->panel_type;
	const struct matrix all = matrix_of(from, SLUICE__GATES, hidden, &layer->memory, hidden, absent | waiting);
	const struct matrix output =
		matrix_of(from + 3 * hidden * layer->memory_depth, 1, hidden, &layer->memory, hidden, absent >> 3 & 1);
	pack_gates(&all, sink_of(plan, direction->peephole, type));
	if (packed->split)
		pack_panels(&output, sink_of(plan, direction->memory, type));
	if (!training)
		return;
	pack_back(&all, packed->span, sink_of(plan, direction->peephole_back, type));
	if (packed->split)
		pack_back(&output, packed->span, sink_of(plan, direction->memory_back, type));
}

static void pack_input(struct cpu_plan *plan, const struct sluice__layer *layer, const struct packed_layer *packed,
		       size_t direction, bool training, const float *input)
{
	const unsigned absent = sluice__layer_absent(packed->options, packed->options->no_input_weights);
	for (size_t each = 0; each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		struct matrix matrix =
			matrix_of(input, SLUICE__GATES, layer->hidden, &layer->input, layer->inputs, absent);
		matrix.first = segment->first;
		matrix.channels = segment->width;
		pack_gates(&matrix, sink_of(plan, segment->forward[direction], plan->panel_type));
		if (training)
			pack_back(&matrix, packed->span, sink_of(plan, segment->backward[direction], plan->panel_type));
	}
}

static void pack_projection(struct cpu_plan *plan, const struct packed_layer *packed,
			    const struct packed_direction *direction, bool training, const float *from)
{
	const struct matrix matrix = matrix_of(from, 1, packed->out, NULL, packed->hidden, 0);
	pack_panels(&matrix, sink_of(plan, direction->projection, plan->panel_type));
	if (training)
		pack_back(&matrix, packed->out, sink_of(plan, direction->projection_back, plan->panel_type));
}

static void pack_slopes(struct cpu_plan *plan, const struct packed_layer *packed,
			const struct packed_direction *direction, const float *from)
{
	real *to = packed_reals(plan, direction->slopes);
	for (size_t slot = 0; slot < SLUICE__SLOPES; slot++)
		for (size_t unit = 0; unit < packed->padded; unit++)
			to[slot * packed->padded + unit] =
				unit < packed->hidden ? (real)from[slot * packed->hidden + unit] : 0;
}

/* The cell as the kernels see it. */
static struct sluice__cell cell_of(const struct cpu_plan *plan, const struct packed_layer *packed,
				   const struct packed_direction *direction)
{
	const sluice_layer *options = packed->options;
	struct sluice__cell cell = {
		.absent = options->no_gates,
		.coupled = options->coupled != 0,
		.previous = options->peephole_previous != 0,
		.split = packed->split,
		.gate_clip = options->gate_clip > 0 ? (real)options->gate_clip : (real)INFINITY,
		.cell_clip = options->cell_clip > 0 ? (real)options->cell_clip : (real)INFINITY,
	};
	if (options->peephole == SLUICE_PEEPHOLE_DIAGONAL || options->peephole == SLUICE_PEEPHOLE_ELEMENT)
		cell.peephole = packed_reals(plan, direction->peephole);
	cell.places = options->peephole == SLUICE_PEEPHOLE_ELEMENT ? packed->places : 1;
	cell.peephole_place = SLUICE__GATES * packed->span;
	for (size_t slot = 0; slot < SLUICE__SLOTS; slot++) {
		const sluice_activation from = sluice__layer_activation(options, slot);
		struct sluice__activation *to = slot < SLUICE__GATES ? &cell.gate[slot] : &cell.squash;
		*to = (struct sluice__activation){from.kind, (real)from.a, (real)from.b, (real)from.c, NULL};
		if (from.kind == SLUICE_ACTIVATION_PRELU)
			to->slopes = packed_reals(plan, direction->slopes) + slot * packed->padded;
	}
	return cell;
}

static void pack_direction(struct cpu_plan *plan, const struct sluice__layer *layer, struct packed_layer *packed,
			   size_t index, bool training, const float *parameters)
{
	struct packed_direction *direction = &packed->direction[index];
	const size_t hidden = layer->hidden, out = layer->out;
	const sluice_layer *options = packed->options;
	const struct matrix bias = matrix_of(layer->bias ? parameters + layer->bias_at[index] : NULL, SLUICE__GATES,
					     hidden, NULL, 1, sluice__layer_absent(options, 0));
	const struct matrix recurrent =
		matrix_of(parameters + layer->weight_hh[index], SLUICE__GATES, hidden, &layer->recurrent, out,
			  sluice__layer_absent(options, options->no_recurrent_weights));
	pack_gates(&bias, sink_of(plan, direction->bias, SLUICE__REAL_DTYPE));
	pack_gates(&recurrent, sink_of(plan, direction->recurrent, plan->panel_type));
	if (training)
		pack_back(&recurrent, packed->span, sink_of(plan, direction->transposed, plan->panel_type));
	if (options->input == SLUICE_INPUT_WEIGHTS)
		pack_input(plan, layer, packed, index, training, parameters + layer->weight_ih[index]);
	if (options->peephole != SLUICE_PEEPHOLE_NONE)
		pack_peephole(plan, layer, packed, direction, training, parameters + layer->peephole_at[index]);
	if (options->projection)
		pack_projection(plan, packed, direction, training, parameters + layer->projection_at[index]);
	if (layer->slopes)
		pack_slopes(plan, packed, direction, parameters + layer->slopes_at[index]);
	direction->cell = cell_of(plan, packed, direction);
	if (packed->side)
		sluice__winograd_pack(plan, layer, packed, index, training, parameters);
	if (!options->learned_start)
		return;
	real *start = packed_reals(plan, plan->start);
	for (size_t place = 0; place < packed->places; place++) {
		for (size_t unit = 0; unit < out; unit++)
			start[layer->h[index] + place * packed->out_padded + unit] =
				(real)parameters[layer->start_h[index] + unit];
		for (size_t unit = 0; unit < hidden; unit++)
			start[layer->c[index] + place * packed->padded + unit] =
				(real)parameters[layer->start_c[index] + unit];
	}
}

static void pack_readout(struct cpu_plan *plan, const struct sluice__network *network, const float *parameters)
{
	const struct packed_readout *readout = &plan->readout;
	const size_t width = network->layers[network->layer_count - 1].out, outputs = network->outputs;
	const float *weight = parameters + network->readout_weight, *bias = parameters + network->readout_bias;
	real *to = packed_reals(plan, readout->bias);
	for (size_t column = 0; column < outputs; column++)
		to[column] = (real)bias[column];
	for (size_t each = 0; each < readout->segments; each++) {
		struct matrix matrix = matrix_of(weight, 1, outputs, NULL, network->features, 0);
		matrix.first = each * width;
		matrix.channels = width;
		pack_panels(&matrix, sink_of(plan, readout->forward[each], plan->panel_type));
		pack_back(&matrix, outputs, sink_of(plan, readout->backward[each], plan->panel_type));
	}
}

void sluice__pack(struct cpu_plan *plan, const struct sluice__prepared *prepared, const float *parameters)
{
	const struct sluice__network *network = prepared->network;
	for (size_t index = 0; index < network->layer_count; index++)
		for (size_t direction = 0; direction < network->layers[index].directions; direction++)
			pack_direction(plan, &network->layers[index], &plan->layers[index], direction,
				       prepared->limits.training, parameters);
	if (network->readout)
		pack_readout(plan, network, parameters);
}

/* One weight of a panel. */
static real weight_at(const struct cpu_plan *plan, size_t offset, size_t index)
{
	const char *at = (const char *)plan->packed + offset + index * plan->panel_bytes;
	real value;
	plan->kernels.widen(plan->panel_type, 1, at, &value);
	return value;
}

void sluice__pack_thinned(const struct pass *pass, size_t layer, size_t direction, bool transposed,
			  const struct team *team, real *to)
{
	const struct cpu_plan *plan = pass->plan;
	const struct packed_layer *packed = &plan->layers[layer];
	const struct sluice__layer *sizes = &pass->prepared->network->layers[layer];
	const size_t lanes = plan->kernels.lanes, full = SLUICE__PANEL_VECTORS * lanes, out = packed->out;
	const size_t taps = packed->recurrent.taps, part = out / sizes->recurrent.groups;
	const size_t depth = taps * SLUICE__GATES * packed->span, whole = packed->out_vectors * lanes;
	const struct sluice__range own = sluice__share(SLUICE__GATES * packed->hidden, team->index, team->count);
	if (team->index == 0)
		memset(to, 0, (transposed ? depth * whole : depth * out) * sizeof *to);
	team_wait(team);
	for (size_t row = own.first; row < own.last; row++) {
		const size_t gate = row / packed->hidden, unit = row % packed->hidden;
		const size_t block = unit / lanes, lane = unit % lanes;
		const size_t channel_first = unit / (packed->hidden / sizes->recurrent.groups) * part;
		for (size_t first = 0; first < taps * part; first += 4) {
			real factors[4];
			sluice__noise_dropconnect(pass, layer, direction, row, first / 4, factors);
			for (size_t column = first; column < first + 4 && column < taps * part; column++) {
				const size_t tap = column / part, channel = channel_first + column % part;
				const size_t from = ((block * taps + tap) * out + channel) * SLUICE__GATES * lanes +
						    gate * lanes + lane;
				const size_t k = (tap * SLUICE__GATES + gate) * packed->span + unit;
				const size_t panel = channel / full * full;
				const size_t columns = whole - panel < full ? whole - panel : full;
				to[transposed ? panel * depth + k * columns + channel - panel : from] =
					factors[column - first] *
					weight_at(plan, packed->direction[direction].recurrent, from);
			}
		}
	}
	team_wait(team);
}
