/* pack.c exists to lay weights out as the kernels read them: the only code that knows the order inside a panel. */
#include "backend/cpu/cpu.h"

#include <string.h>

/* A matrix as its packer sees it: element (k, n) at from[group*group_stride + k*k_stride + n*n_stride]. The depth is
 * `groups` times `padded`, of which the first `real` rows of each group are not zero. */
struct source {
	const float *from;
	size_t groups, real, padded, width;
	size_t group_stride, k_stride, n_stride;
};

/* Panels [panel][groups * padded][vectors][lane]. */
static void pack_panels(size_t lanes, const struct source *source, float *to)
{
	const size_t full = SLUICE__PANEL_VECTORS * lanes;
	for (size_t first = 0; first < source->width; first += full) {
		size_t rest = source->width - first, real = rest < full ? rest : full;
		size_t columns = (real + lanes - 1) / lanes * lanes;
		for (size_t group = 0; group < source->groups; group++)
			for (size_t k = 0; k < source->padded; k++, to += columns) {
				memset(to, 0, columns * sizeof *to);
				if (k >= source->real)
					continue;
				const float *from = source->from + group * source->group_stride + k * source->k_stride +
						    first * source->n_stride;
				for (size_t n = 0; n < real; n++)
					to[n] = from[n * source->n_stride];
			}
	}
}

/* Panels [block][depth][gate][lane] of canonical rows [4 hidden][row]. */
static void pack_gates(size_t lanes, size_t hidden, size_t depth, const float *from, size_t row, float *to)
{
	for (size_t unit = 0; unit < hidden; unit += lanes)
		for (size_t k = 0; k < depth; k++)
			for (size_t gate = 0; gate < SLUICE__GATES; gate++)
				for (size_t lane = 0; lane < lanes; lane++, to++)
					*to = unit + lane < hidden ? from[(gate * hidden + unit + lane) * row + k]
								   : 0.0f;
}

static void book_layer(struct cpu_plan *plan, const struct sluice__network *network, size_t index, bool training,
		       struct sluice__ledger *ledger)
{
	const struct sluice__layer *layer = &network->layers[index];
	const struct sluice__layer *before = index ? &network->layers[index - 1] : NULL;
	const struct sluice__kernels *kernels = &plan->kernels;
	struct packed_layer *packed = &plan->layers[index];
	packed->hidden = layer->hidden;
	packed->padded = sluice__round_up(layer->hidden, SLUICE__PAD);
	packed->directions = layer->directions;
	packed->blocks = vectors_of(kernels, layer->hidden);
	packed->span = packed->blocks * kernels->lanes;
	packed->panels = panels_of(packed->blocks);
	packed->segments = before ? before->directions : 1;
	const size_t block = SLUICE__GATES * kernels->lanes, depth = SLUICE__GATES * packed->span;
	for (size_t each = 0; each < packed->segments; each++) {
		struct segment *segment = &packed->segment[each];
		segment->width = before ? before->hidden : layer->inputs;
		segment->padded = before ? plan->layers[index - 1].padded : layer->inputs;
		segment->first = each * segment->width;
	}
	for (size_t direction = 0; direction < layer->directions; direction++) {
		packed->bias[direction] = sluice__book(ledger, packed->blocks, block, 1);
		packed->recurrent[direction] = sluice__book(ledger, packed->blocks * block, layer->hidden, 1);
		for (size_t each = 0; each < packed->segments; each++)
			packed->segment[each].forward[direction] =
				sluice__book(ledger, packed->blocks * block, packed->segment[each].width, 1);
		if (!training)
			continue;
		packed->transposed[direction] = sluice__book(ledger, packed->span, depth, 1);
		for (size_t each = 0; each < packed->segments; each++)
			packed->segment[each].backward[direction] =
				sluice__book(ledger, panels_floats(kernels, 1, packed->segment[each].width), depth, 1);
	}
}

/* The ledger counts floats here, so that offsets index the packed block. */
void sluice__pack_book(struct cpu_plan *plan, const struct sluice__prepared *prepared, struct sluice__ledger *ledger)
{
	const struct sluice__network *network = prepared->network;
	const struct sluice__kernels *kernels = &plan->kernels;
	for (size_t index = 0; index < network->layer_count; index++)
		book_layer(plan, network, index, prepared->limits.training, ledger);
	if (!network->readout)
		return;
	const struct sluice__layer *last = &network->layers[network->layer_count - 1];
	struct packed_readout *readout = &plan->readout;
	readout->segments = last->directions;
	readout->bias = sluice__book(ledger, panels_floats(kernels, 1, network->outputs), 1, 1);
	for (size_t each = 0; each < readout->segments; each++) {
		readout->forward[each] =
			sluice__book(ledger, panels_floats(kernels, 1, network->outputs), last->hidden, 1);
		readout->backward[each] =
			sluice__book(ledger, panels_floats(kernels, 1, last->hidden), network->outputs, 1);
	}
}

static void pack_bias(size_t lanes, size_t hidden, const float *from, float *to)
{
	if (from)
		pack_gates(lanes, hidden, 1, from, 1, to);
	else
		memset(to, 0, (hidden + lanes - 1) / lanes * lanes * SLUICE__GATES * sizeof *to);
}

static void pack_direction(struct cpu_plan *plan, const struct sluice__layer *layer, const struct packed_layer *packed,
			   size_t direction, bool training, const float *parameters)
{
	const size_t lanes = plan->kernels.lanes, hidden = layer->hidden;
	const float *input = parameters + layer->weight_ih[direction];
	const float *recurrent = parameters + layer->weight_hh[direction];
	pack_bias(lanes, hidden, layer->bias ? parameters + layer->bias_at[direction] : NULL,
		  plan->packed + packed->bias[direction]);
	pack_gates(lanes, hidden, hidden, recurrent, hidden, plan->packed + packed->recurrent[direction]);
	for (size_t each = 0; each < packed->segments; each++)
		pack_gates(lanes, hidden, packed->segment[each].width, input + packed->segment[each].first,
			   layer->inputs, plan->packed + packed->segment[each].forward[direction]);
	if (!training)
		return;
	struct source source = {recurrent, SLUICE__GATES, hidden, packed->span, hidden, hidden * hidden, hidden, 1};
	pack_panels(lanes, &source, plan->packed + packed->transposed[direction]);
	for (size_t each = 0; each < packed->segments; each++) {
		source.from = input + packed->segment[each].first;
		source.width = packed->segment[each].width;
		source.group_stride = hidden * layer->inputs;
		source.k_stride = layer->inputs;
		pack_panels(lanes, &source, plan->packed + packed->segment[each].backward[direction]);
	}
}

static void pack_readout(struct cpu_plan *plan, const struct sluice__network *network, const float *parameters)
{
	const struct packed_readout *readout = &plan->readout;
	const size_t hidden = network->layers[network->layer_count - 1].hidden, outputs = network->outputs;
	const float *weight = parameters + network->readout_weight;
	memcpy(plan->packed + readout->bias, parameters + network->readout_bias, outputs * sizeof(float));
	for (size_t each = 0; each < readout->segments; each++) {
		const float *from = weight + each * hidden;
		struct source forward = {from, 1, hidden, hidden, outputs, 0, 1, network->features};
		struct source backward = {from, 1, outputs, outputs, hidden, 0, network->features, 1};
		pack_panels(plan->kernels.lanes, &forward, plan->packed + readout->forward[each]);
		pack_panels(plan->kernels.lanes, &backward, plan->packed + readout->backward[each]);
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
