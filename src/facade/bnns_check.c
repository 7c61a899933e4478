/* bnns_check.c exists to read a call completely, and to refuse it before anything is computed or written. */
#define _POSIX_C_SOURCE 200809L
#include "bnns_internal.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LAYERS = 127, MOST_HIDDEN = 1 << 22, MOST_THREADS = 1024 }; /* of the core */

/* Forms of descriptors; the counts of each depend on the sizes of the layer. */
enum form { FORM_X, FORM_Y, FORM_STATE, FORM_INPUT, FORM_INPUT_UPPER, FORM_MATRIX, FORM_BIAS, FORMS };

enum { NEEDED = 1, RESULT = 2, WEIGHT = 4, PEEPHOLE = 8, BIAS = 16 };

/* Every descriptor of tensors: its name, where it is and where it goes, its form. */
static const struct source {
	const char *group, *name;
	size_t from, to;
	enum form form;
	unsigned what, gate;
} SOURCES[] = {
#define LAYER(field) offsetof(BNNSLayerParametersLSTM, field)
#define TENSOR(field) offsetof(struct tensors, field)
	{"input_descriptor", "data_desc", LAYER(input_descriptor.data_desc), TENSOR(x), FORM_X, NEEDED, 0},
	{"input_descriptor", "hidden_desc", LAYER(input_descriptor.hidden_desc), TENSOR(initial.h), FORM_STATE, 0, 0},
	{"input_descriptor", "cell_state_desc", LAYER(input_descriptor.cell_state_desc), TENSOR(initial.c), FORM_STATE,
	 0, 0},
	{"output_descriptor", "data_desc", LAYER(output_descriptor.data_desc), TENSOR(y), FORM_Y, RESULT, 0},
	{"output_descriptor", "hidden_desc", LAYER(output_descriptor.hidden_desc), TENSOR(final.h), FORM_STATE, RESULT,
	 0},
	{"output_descriptor", "cell_state_desc", LAYER(output_descriptor.cell_state_desc), TENSOR(final.c), FORM_STATE,
	 RESULT, 0},
#define GATE(field, index)                                                                                          \
	{#field,          "iw_desc[0]", LAYER(field.iw_desc[0]), TENSOR(weights.input[index][0]), FORM_INPUT,       \
	 NEEDED | WEIGHT, index},                                                                                   \
		{#field,                                                                                            \
		 "iw_desc[1]",                                                                                      \
		 LAYER(field.iw_desc[1]),                                                                           \
		 TENSOR(weights.input[index][1]),                                                                   \
		 FORM_INPUT_UPPER,                                                                                  \
		 NEEDED | WEIGHT,                                                                                   \
		 index},                                                                                            \
		{#field,          "hw_desc", LAYER(field.hw_desc), TENSOR(weights.recurrent[index]), FORM_MATRIX,   \
		 NEEDED | WEIGHT, index},                                                                           \
		{#field,                                                                                            \
		 "cw_desc",                                                                                         \
		 LAYER(field.cw_desc),                                                                              \
		 TENSOR(weights.peephole[index]),                                                                   \
		 FORM_MATRIX,                                                                                       \
		 WEIGHT | PEEPHOLE,                                                                                 \
		 index},                                                                                            \
	{                                                                                                           \
#field, "b_desc", LAYER(field.b_desc), TENSOR(weights.bias[index]), FORM_BIAS, WEIGHT | BIAS, index \
	}
	GATE(input_gate, 0),
	GATE(forget_gate, 1),
	GATE(candidate_gate, 2),
	GATE(output_gate, 3),
#undef GATE
};

static void *part(void *whole, size_t at)
{
	return (char *)whole + at;
}

static const BNNSNDArrayDescriptor *descriptor_of(const BNNSLayerParametersLSTM *layer, const struct source *source)
{
	return (const BNNSNDArrayDescriptor *)(const void *)((const char *)layer + source->from);
}

/* Width of what layers after the first read. */
static size_t upper_width(const struct network *network)
{
	return network->concatenated ? network->directions * network->hidden : network->hidden;
}

int sluice__bnns_split(const struct call *call)
{
	const struct network *network = &call->network;
	const int alike = network->inputs == network->hidden && upper_width(network) == network->inputs;
	return network->layers > 1 && (!alike || call->options.input_weights == SLUICE_BNNS_INPUT_WEIGHTS_ALWAYS_SPLIT);
}

int sluice__bnns_dense(const struct call *call)
{
	return call->sequence.data && call->options.sequence_rows == SLUICE_BNNS_SEQUENCE_ROWS_DENSE;
}

static void shapes_of(const struct call *call, struct shape shapes[FORMS])
{
	const struct network *n = &call->network;
	const size_t h = n->hidden, d = n->directions, l = n->layers;
	const struct shape all[FORMS] = {
		[FORM_X] = {3, {n->inputs, n->batch, n->steps, 1}, 1, 0},
		[FORM_Y] = {3, {d * h, n->batch, n->steps, 1}, 1, 0},
		[FORM_STATE] = {4, {h, n->batch, d, l}, 0, 0},
		[FORM_INPUT] = {4, {n->inputs, h, d, sluice__bnns_split(call) ? 1 : l}, 0, 0},
		[FORM_INPUT_UPPER] = {4, {upper_width(n), h, d, l - 1}, 0, 0},
		[FORM_MATRIX] = {4, {h, h, d, l}, 0, 0},
		[FORM_BIAS] = {3, {h, d, l, 1}, 0, 0},
	};
	memcpy(shapes, all, sizeof all);
}

static sluice_status sizes_read(const BNNSLayerParametersLSTM *layer, struct network *network)
{
	const struct {
		const char *name;
		size_t value, most, *to;
	} sizes[] = {
		{"input_size", layer->input_size, SIZE_MAX, &network->inputs},
		{"hidden_size", layer->hidden_size, MOST_HIDDEN, &network->hidden},
		{"batch_size", layer->batch_size, SIZE_MAX, &network->batch},
		{"num_layers", layer->num_layers, MOST_LAYERS, &network->layers},
		{"seq_len", layer->seq_len, SIZE_MAX, &network->steps},
	};
	enum { FLAGS = BNNSLayerFlagsLSTMBidirectional | BNNSLayerFlagsLSTMDefaultActivations };
	for (size_t each = 0; each < sizeof sizes / sizeof sizes[0]; each++) {
		if (sizes[each].value == 0 || sizes[each].value > sizes[each].most)
			return BNNS_INVALID("layer_params.%s is %zu, expected 1 to %zu", sizes[each].name,
					    sizes[each].value, sizes[each].most);
		*sizes[each].to = sizes[each].value;
	}
	if (layer->lstm_flags & ~(uint32_t)FLAGS)
		return BNNS_INVALID("layer_params.lstm_flags is %#x, expected flags out of %#x",
				    (unsigned)layer->lstm_flags, (unsigned)FLAGS);
	network->directions = layer->lstm_flags & BNNSLayerFlagsLSTMBidirectional ? 2 : 1;
	return SLUICE_OK;
}

static sluice_status activations_read(const BNNSLayerParametersLSTM *layer, struct network *network)
{
	const struct {
		const char *group;
		const BNNSActivation *given;
	} fields[BNNS_GATES + 1] = {
		{"input_gate.activation", &layer->input_gate.activation},
		{"forget_gate.activation", &layer->forget_gate.activation},
		{"candidate_gate.activation", &layer->candidate_gate.activation},
		{"output_gate.activation", &layer->output_gate.activation},
		{"hidden_activation", &layer->hidden_activation},
	};
	if (layer->lstm_flags & BNNSLayerFlagsLSTMDefaultActivations)
		return SLUICE_OK;
	for (size_t slot = 0; slot <= BNNS_CELL_ACTIVATION; slot++)
		BNNS_TRY(sluice__bnns_activation(fields[slot].given, fields[slot].group, &network->activations[slot]));
	return SLUICE_OK;
}

/* Whether the call drops, and how. */
static sluice_status dropout_read(const BNNSLayerParametersLSTM *layer, int cached, struct call *call)
{
	struct network *network = &call->network;
	const int drops = cached || call->options.dropout_without_cache == SLUICE_BNNS_DROPOUT_WITHOUT_CACHE_ON;
	if (network->layers == 1)
		return SLUICE_OK;
	if (!(layer->dropout >= 0 && layer->dropout < 1))
		return BNNS_INVALID("layer_params.dropout is %g, expected 0 <= dropout < 1", (double)layer->dropout);
	if (drops)
		network->dropout = layer->dropout;
	network->unscaled = network->dropout > 0 && call->options.dropout_scaling == SLUICE_BNNS_DROPOUT_UNSCALED;
	return SLUICE_OK;
}

static pthread_once_t processors_once = PTHREAD_ONCE_INIT;
static long processors;

/* The system reads a file to answer, which takes longer than a small network. */
static void processors_ask(void)
{
	processors = sysconf(_SC_NPROCESSORS_ONLN);
}

static size_t processor_count(void)
{
	pthread_once(&processors_once, processors_ask);
	return processors > 0 ? (size_t)processors : 1;
}

static sluice_status filter_read(const BNNSFilterParameters *filter, struct call *call)
{
	size_t threads = 0;
	if (filter) {
		if (filter->flags & ~(uint32_t)BNNSFlagsUseClientPtr)
			return BNNS_INVALID("filter_params.flags is %#x, expected flags out of %#x",
					    (unsigned)filter->flags, (unsigned)BNNSFlagsUseClientPtr);
		if (!filter->alloc_memory != !filter->free_memory)
			return BNNS_INVALID("filter_params.%s is NULL and the other function is given, expected both",
					    filter->alloc_memory ? "free_memory" : "alloc_memory");
		threads = filter->n_threads;
		call->allocate = filter->alloc_memory;
		call->release = filter->free_memory;
	}
	if (threads == 0)
		threads = processor_count();
	call->network.threads = threads < MOST_THREADS ? (int)threads : MOST_THREADS;
	return SLUICE_OK;
}

/* One descriptor of layer_params. */
static sluice_status source_read(const BNNSLayerParametersLSTM *layer, const struct source *source,
				 enum purpose purpose, const struct shape shapes[FORMS], struct tensors *tensors)
{
	const struct place place = {"layer_params", source->group, source->name};
	struct tensor *tensor = part(tensors, source->to);
	struct shape shape = shapes[source->form];
	shape.written = (source->what & RESULT) != 0;
	BNNS_TRY(sluice__bnns_tensor(descriptor_of(layer, source), &shape, &place, tensor));
	if (!tensor->data && (source->what & NEEDED) && purpose != BNNS_CAPACITY)
		return BNNS_INVALID("layer_params.%s.%s.data is NULL, a pointer was expected", source->group,
				    source->name);
	return SLUICE_OK;
}

static int wanted(const struct source *source, enum purpose purpose)
{
	if (purpose == BNNS_WEIGHTS)
		return (source->what & WEIGHT) != 0;
	return purpose != BNNS_BACKWARD || !(source->what & RESULT);
}

static sluice_status sources_read(const BNNSLayerParametersLSTM *layer, enum purpose purpose, struct call *call)
{
	struct shape shapes[FORMS];
	shapes_of(call, shapes);
	for (size_t each = 0; each < sizeof SOURCES / sizeof SOURCES[0]; each++) {
		const struct source *source = &SOURCES[each];
		const unsigned gate = 1u << source->gate;
		if (!wanted(source, purpose) || (source->form == FORM_INPUT_UPPER && !sluice__bnns_split(call)))
			continue;
		BNNS_TRY(source_read(layer, source, purpose, shapes, &call->given));
		const struct tensor *tensor = part(&call->given, source->to);
		if (!tensor->data && (source->what & PEEPHOLE))
			call->network.no_peepholes |= gate;
		if (!tensor->data && (source->what & BIAS))
			call->network.no_bias |= gate;
	}
	return SLUICE_OK;
}

static size_t rows_of(const struct call *call)
{
	size_t rows = 0;
	for (size_t t = 0; sluice__bnns_dense(call) && t < call->network.steps; t++)
		rows += sluice__bnns_sequence_at(&call->sequence, t);
	return rows;
}

/* What data and their gradients have in common: the type, and room for dense rows. */
static sluice_status data_check(struct tensor *tensor, const char *name, const struct call *call)
{
	if (!tensor->data)
		return SLUICE_OK;
	tensor->rows = rows_of(call);
	if (tensor->type != call->network.data)
		return sluice_fail(SLUICE_UNSUPPORTED,
				   "%s.data_desc.data_type is another than that of layer_params.input_descriptor."
				   "data_desc, expected the same",
				   name);
	/* Dense rows go through the places of all steps as if they were one. */
	if (sluice__bnns_dense(call) && tensor->count[1] > 1 && tensor->count[2] > 1 &&
	    tensor->stride[2] / tensor->stride[1] < tensor->count[1])
		return BNNS_INVALID("%s.data_desc is NSE, or its steps overlap, and the rows are dense: expected SNE",
				    name);
	return SLUICE_OK;
}

/* Whether x lies as [batch][steps][elements], without gaps, and not as [steps][batch][elements]. */
static int batch_major(const struct tensor *x)
{
	const size_t elements = x->count[0], batch = x->count[1], steps = x->count[2];
	return x->data && x->stride[0] == 1 && batch > 1 && steps > 1 && x->stride[2] == elements &&
	       x->stride[1] == steps * elements;
}

static sluice_status data_read(enum purpose purpose, struct call *call)
{
	struct tensor *x = &call->given.x, *y = &call->given.y;
	BNNS_TRY(data_check(x, "layer_params.input_descriptor", call));
	BNNS_TRY(data_check(y, "layer_params.output_descriptor", call));
	if (!sluice__bnns_dense(call) && batch_major(x))
		call->network.layout = SLUICE_BATCH_MAJOR;
	if (purpose == BNNS_FORWARD && call->options.data_aliasing == SLUICE_BNNS_DATA_ALIASING_REFUSED &&
	    sluice__bnns_overlap(x, y))
		return BNNS_INVALID("layer_params.output_descriptor.data_desc shares memory with that of "
				    "input_descriptor, expected memory of its own");
	return SLUICE_OK;
}

sluice_status sluice__bnns_read(const BNNSLayerParametersLSTM *layer, const BNNSFilterParameters *filter,
				enum purpose purpose, int cached, struct call *call)
{
	memset(call, 0, sizeof *call);
	if (!layer)
		return BNNS_INVALID("layer_params is NULL, a pointer was expected");
	struct network *network = &call->network;
	sluice__bnns_options(&call->options);
	BNNS_TRY(sizes_read(layer, network));
	BNNS_TRY(filter_read(filter, call));
	network->concatenated = network->directions > 1 && call->options.stacking == SLUICE_BNNS_STACKING_CONCATENATED;
	network->training = cached || purpose == BNNS_CAPACITY || purpose == BNNS_BACKWARD;
	BNNS_TRY(sources_read(layer, purpose, call));
	if (purpose == BNNS_WEIGHTS)
		return SLUICE_OK;
	BNNS_TRY(activations_read(layer, network));
	BNNS_TRY(dropout_read(layer, cached || purpose == BNNS_CAPACITY, call));
	network->data = call->given.x.type;
	if (purpose == BNNS_CAPACITY)
		return SLUICE_OK;
	BNNS_TRY(sluice__bnns_sequence(&layer->sequence_descriptor, network->steps, network->batch, &call->sequence));
	return data_read(purpose, call);
}

/* --- deltas --- */

static sluice_status delta_sizes_check(const BNNSLayerParametersLSTM *deltas, const struct call *call)
{
	const struct network *network = &call->network;
	const struct {
		const char *name;
		size_t value, expected;
	} sizes[] = {
		{"input_size", deltas->input_size, network->inputs},
		{"hidden_size", deltas->hidden_size, network->hidden},
		{"batch_size", deltas->batch_size, network->batch},
		{"num_layers", deltas->num_layers, network->layers},
		{"seq_len", deltas->seq_len, network->steps},
	};
	for (size_t each = 0; each < sizeof sizes / sizeof sizes[0]; each++)
		if (sizes[each].value && sizes[each].value != sizes[each].expected)
			return BNNS_INVALID("layer_delta_params.%s is %zu, that of layer_params is %zu",
					    sizes[each].name, sizes[each].value, sizes[each].expected);
	return SLUICE_OK;
}

static sluice_status delta_read(const BNNSLayerParametersLSTM *deltas, const struct source *source,
				const struct shape shapes[FORMS], struct call *call)
{
	const struct place place = {"layer_delta_params", source->group, source->name};
	const BNNSNDArrayDescriptor *descriptor = descriptor_of(deltas, source);
	const unsigned gate = 1u << source->gate, without = (source->what & BIAS ? call->network.no_bias : 0) |
							    (source->what & PEEPHOLE ? call->network.no_peepholes : 0);
	struct tensor *tensor = part(&call->deltas, source->to);
	struct shape shape = shapes[source->form];
	shape.written = !(source->what & RESULT);
	BNNS_TRY(sluice__bnns_tensor(descriptor, &shape, &place, tensor));
	if (!tensor->data || !shape.written)
		return SLUICE_OK;
	if (descriptor->flags > BNNSNDArrayFlagBackpropAccumulate)
		return BNNS_INVALID("layer_delta_params.%s.%s.flags is %u, expected 0 or 1", source->group,
				    source->name, (unsigned)descriptor->flags);
	if (without & gate)
		return BNNS_INVALID("layer_delta_params.%s.%s.data is given, that of layer_params is NULL",
				    source->group, source->name);
	tensor->accumulate = descriptor->flags == BNNSNDArrayFlagBackpropAccumulate;
	return SLUICE_OK;
}

static sluice_status delta_places_check(struct call *call)
{
	struct tensor *dx = &call->deltas.x;
	const int refused = call->options.data_aliasing == SLUICE_BNNS_DATA_ALIASING_REFUSED;
	BNNS_TRY(data_check(dx, "layer_delta_params.input_descriptor", call));
	BNNS_TRY(data_check(&call->deltas.y, "layer_delta_params.output_descriptor", call));
	if (refused && (sluice__bnns_overlap(dx, &call->given.x) || sluice__bnns_overlap(dx, &call->deltas.y)))
		return BNNS_INVALID("layer_delta_params.input_descriptor.data_desc shares memory with %s, expected "
				    "memory of its own",
				    sluice__bnns_overlap(dx, &call->given.x) ? "layer_params.input_descriptor"
									     : "layer_delta_params.output_descriptor");
	return SLUICE_OK;
}

sluice_status sluice__bnns_read_deltas(const BNNSLayerParametersLSTM *deltas, struct call *call)
{
	struct shape shapes[FORMS];
	if (!deltas)
		return BNNS_INVALID("layer_delta_params is NULL, a pointer was expected");
	BNNS_TRY(delta_sizes_check(deltas, call));
	shapes_of(call, shapes);
	for (size_t each = 0; each < sizeof SOURCES / sizeof SOURCES[0]; each++)
		if (SOURCES[each].form != FORM_INPUT_UPPER || sluice__bnns_split(call))
			BNNS_TRY(delta_read(deltas, &SOURCES[each], shapes, call));
	return delta_places_check(call);
}
