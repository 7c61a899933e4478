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

/* A matrix as its packer sees it: element (k, n) at from[group*group_stride + k*k_stride + n*n_stride]. The depth is
 * `groups` times `padded`, of which the first `real_rows` of each group are not zero, and none of an absent group. */
struct source {
	const float *from;
	size_t groups, real_rows, padded, width;
	size_t group_stride, k_stride, n_stride;
	unsigned absent;
};

/* Panels [panel][groups * padded][vectors][lane]. */
static void pack_panels(const struct source *source, struct sink sink)
{
	const size_t lanes = sink.kernels->lanes, full = SLUICE__PANEL_VECTORS * lanes;
	for (size_t first = 0; first < source->width; first += full) {
		const size_t rest = source->width - first, width = rest < full ? rest : full;
		const size_t columns = (width + lanes - 1) / lanes * lanes;
		for (size_t row = 0; row < source->groups * source->padded; row++) {
			const size_t group = row / source->padded, k = row % source->padded;
			real line[MOST_LINE] = {0};
			const float *from = source->from + group * source->group_stride + k * source->k_stride +
					    first * source->n_stride;
			for (size_t n = 0; n < width && k < source->real_rows && !(source->absent >> group & 1); n++)
				line[n] = (real)from[n * source->n_stride];
			sink_line(&sink, columns, line);
		}
	}
}

/* Panels [block][depth][gate][lane] of canonical rows [4 hidden][row]; from NULL: zero. */
static void pack_gates(size_t hidden, size_t depth, const float *from, size_t row, unsigned absent, struct sink sink)
{
	const size_t lanes = sink.kernels->lanes;
	for (size_t unit = 0; unit < hidden; unit += lanes)
		for (size_t k = 0; k < depth; k++) {
			real line[MOST_LINE] = {0};
			for (size_t gate = 0; from && gate < SLUICE__GATES; gate++)
				for (size_t lane = 0; lane < lanes && !(absent >> gate & 1); lane++)
					if (unit + lane < hidden)
						line[gate * lanes + lane] =
							(real)from[(gate * hidden + unit + lane) * row + k];
			sink_line(&sink, SLUICE__GATES * lanes, line);
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
	if (!packed->full)
		return;
	direction->peephole = book_blocks(booking, packed, packed->hidden, booking->plan->panel_bytes);
	if (packed->split)
		direction->memory = book_panels(booking, packed->hidden, packed->hidden);
	if (!booking->training)
		return;
	direction->peephole_back = book_panels(booking, SLUICE__GATES * packed->span, packed->hidden);
	if (packed->split)
		direction->memory_back = book_panels(booking, packed->span, packed->hidden);
}

static void book_direction(const struct booking *booking, const struct sluice__layer *layer,
			   struct packed_layer *packed, size_t index)
{
	struct packed_direction *direction = &packed->direction[index];
	const size_t depth = SLUICE__GATES * packed->span;
	direction->bias = book_blocks(booking, packed, 1, sizeof(real));
	direction->recurrent = book_blocks(booking, packed, packed->out, booking->plan->panel_bytes);
	if (booking->training)
		direction->transposed = book_panels(booking, depth, packed->out);
	for (size_t each = 0; each < packed->segments && packed->options->input == SLUICE_INPUT_WEIGHTS; each++) {
		struct segment *segment = &packed->segment[each];
		segment->forward[index] = book_blocks(booking, packed, segment->width, booking->plan->panel_bytes);
		if (booking->training)
			segment->backward[index] = book_panels(booking, depth, segment->width);
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
	return options->peephole != SLUICE_PEEPHOLE_DIAGONAL && options->cell_clip == 0 && options->gate_clip == 0 &&
	       options->no_gates == 0 && !options->coupled;
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
		for (size_t direction = 0; direction < network->layers[index].directions; direction++)
			book_direction(&booking, &network->layers[index], &plan->layers[index], direction);
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

static void pack_peephole(struct cpu_plan *plan, const struct packed_layer *packed,
			  const struct packed_direction *direction, bool training, const float *from)
{
	const size_t hidden = packed->hidden;
	const unsigned absent = sluice__layer_absent(packed->options, packed->options->no_peepholes);
	const unsigned waiting = packed->split ? SLUICE_GATE_O : 0;
	if (!packed->full) {
		pack_gates(hidden, 1, from, 1, absent, sink_of(plan, direction->peephole, SLUICE__REAL_DTYPE));
		return;
	}
	const sluice_dtype type = plan->panel_type;
	const float *output = from + 3 * hidden * hidden;
	const unsigned output_absent = absent >> 3 & 1;
	pack_gates(hidden, hidden, from, hidden, absent | waiting, sink_of(plan, direction->peephole, type));
	if (packed->split) {
		const struct source memory = {output, 1, hidden, hidden, hidden, 0, 1, hidden, output_absent};
		pack_panels(&memory, sink_of(plan, direction->memory, type));
	}
	if (!training)
		return;
	const struct source back = {from, SLUICE__GATES,   hidden, packed->span, hidden, hidden * hidden, hidden,
				    1,    absent | waiting};
	pack_panels(&back, sink_of(plan, direction->peephole_back, type));
	if (packed->split) {
		const struct source memory = {output, 1, hidden, packed->span, hidden, 0, hidden, 1, output_absent};
		pack_panels(&memory, sink_of(plan, direction->memory_back, type));
	}
}

static void pack_input(struct cpu_plan *plan, const struct sluice__layer *layer, const struct packed_layer *packed,
		       size_t direction, bool training, const float *input)
{
	const size_t hidden = layer->hidden;
	const unsigned absent = sluice__layer_absent(packed->options, packed->options->no_input_weights);
	for (size_t each = 0; each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		const float *from = input + segment->first;
		pack_gates(hidden, segment->width, from, layer->inputs, absent,
			   sink_of(plan, segment->forward[direction], plan->panel_type));
		const struct source back = {from,           SLUICE__GATES,          hidden,        packed->span,
					    segment->width, hidden * layer->inputs, layer->inputs, 1,
					    absent};
		if (training)
			pack_panels(&back, sink_of(plan, segment->backward[direction], plan->panel_type));
	}
}

static void pack_projection(struct cpu_plan *plan, const struct packed_layer *packed,
			    const struct packed_direction *direction, bool training, const float *from)
{
	const size_t hidden = packed->hidden, out = packed->out;
	const struct source forward = {from, 1, hidden, hidden, out, 0, 1, hidden, 0};
	const struct source back = {from, 1, out, out, hidden, 0, hidden, 1, 0};
	pack_panels(&forward, sink_of(plan, direction->projection, plan->panel_type));
	if (training)
		pack_panels(&back, sink_of(plan, direction->projection_back, plan->panel_type));
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
	if (options->peephole == SLUICE_PEEPHOLE_DIAGONAL)
		cell.peephole = packed_reals(plan, direction->peephole);
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
	const float *recurrent = parameters + layer->weight_hh[index];
	const unsigned absent = sluice__layer_absent(options, options->no_recurrent_weights);
	pack_gates(hidden, 1, layer->bias ? parameters + layer->bias_at[index] : NULL, 1,
		   sluice__layer_absent(options, 0), sink_of(plan, direction->bias, SLUICE__REAL_DTYPE));
	pack_gates(hidden, out, recurrent, out, absent, sink_of(plan, direction->recurrent, plan->panel_type));
	const struct source back = {recurrent, SLUICE__GATES, hidden, packed->span, out, hidden * out, out, 1, absent};
	if (training)
		pack_panels(&back, sink_of(plan, direction->transposed, plan->panel_type));
	if (options->input == SLUICE_INPUT_WEIGHTS)
		pack_input(plan, layer, packed, index, training, parameters + layer->weight_ih[index]);
	if (options->peephole != SLUICE_PEEPHOLE_NONE)
		pack_peephole(plan, packed, direction, training, parameters + layer->peephole_at[index]);
	if (options->projection)
		pack_projection(plan, packed, direction, training, parameters + layer->projection_at[index]);
	if (layer->slopes)
		pack_slopes(plan, packed, direction, parameters + layer->slopes_at[index]);
	direction->cell = cell_of(plan, packed, direction);
	for (size_t unit = 0; unit < out && options->learned_start; unit++)
		packed_reals(plan, plan->start)[layer->h[index] + unit] =
			(real)parameters[layer->start_h[index] + unit];
	for (size_t unit = 0; unit < hidden && options->learned_start; unit++)
		packed_reals(plan, plan->start)[layer->c[index] + unit] =
			(real)parameters[layer->start_c[index] + unit];
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
		const float *from = weight + each * width;
		const struct source forward = {from, 1, width, width, outputs, 0, 1, network->features, 0};
		const struct source back = {from, 1, outputs, outputs, width, 0, network->features, 1, 0};
		pack_panels(&forward, sink_of(plan, readout->forward[each], plan->panel_type));
		pack_panels(&back, sink_of(plan, readout->backward[each], plan->panel_type));
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
	const size_t lanes = plan->kernels.lanes, full = SLUICE__PANEL_VECTORS * lanes, out = packed->out;
	const size_t depth = SLUICE__GATES * packed->span, whole = packed->out_vectors * lanes;
	const struct sluice__range own = sluice__share(SLUICE__GATES * packed->hidden, team->index, team->count);
	if (team->index == 0)
		memset(to, 0, depth * (transposed ? whole : out) * sizeof *to);
	team_wait(team);
	for (size_t row = own.first; row < own.last; row++) {
		const size_t gate = row / packed->hidden, unit = row % packed->hidden;
		const size_t block = unit / lanes, lane = unit % lanes, k = gate * packed->span + unit;
		for (size_t first = 0; first < out; first += 4) {
			real factors[4];
			sluice__noise_dropconnect(pass, layer, direction, row, first / 4, factors);
			for (size_t column = first; column < first + 4 && column < out; column++) {
				const size_t from = ((block * out + column) * SLUICE__GATES + gate) * lanes + lane;
				const size_t panel = column / full * full;
				const size_t columns = whole - panel < full ? whole - panel : full;
				to[transposed ? panel * depth + k * columns + column - panel : from] =
					factors[column - first] *
					weight_at(plan, packed->direction[direction].recurrent, from);
			}
		}
	}
	team_wait(team);
}
