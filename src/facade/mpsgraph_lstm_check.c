/* mpsgraph_lstm_check.c exists to refuse, when a node is made, tensors that do not fit each other. */
#include "mpsgraph_lstm_check.h"

#include <string.h>

/* Sizes by name: C is D H, gates are 4H, all gates 4C. */
enum size_name { END, STEPS, BATCH, INPUTS, UNITS, STATES, GATES, ALL_GATES, DIRECTIONS, SIZES };
enum { RANK_MAX = 3 };

static const struct {
	const char *name;
	enum size_name one_way[RANK_MAX + 1], both_ways[RANK_MAX + 1];
	int needed;      /* 1: in every call, 2: in gradients */
	int leading_one; /* may be given */
} ROLES[LSTM_ROLES] = {
	[LSTM_ROLE_SOURCE] = {"source", {STEPS, BATCH, INPUTS}, {STEPS, BATCH, INPUTS}, 1, 0},
	[LSTM_ROLE_RECURRENT_WEIGHT] = {"recurrentWeight", {GATES, UNITS}, {DIRECTIONS, GATES, UNITS}, 1, 0},
	[LSTM_ROLE_INPUT_WEIGHT] = {"inputWeight", {ALL_GATES, INPUTS}, {ALL_GATES, INPUTS}, 0, 0},
	[LSTM_ROLE_BIAS] = {"bias", {ALL_GATES}, {ALL_GATES}, 0, 0},
	[LSTM_ROLE_INIT_STATE] = {"initState", {BATCH, STATES}, {BATCH, STATES}, 0, 1},
	[LSTM_ROLE_INIT_CELL] = {"initCell", {BATCH, STATES}, {BATCH, STATES}, 0, 1},
	[LSTM_ROLE_MASK] = {"mask", {END}, {END}, 0, 1}, /* of three shapes: mask_check */
	[LSTM_ROLE_PEEPHOLE] = {"peephole", {GATES}, {DIRECTIONS, GATES}, 0, 0},
	[LSTM_ROLE_SOURCE_GRADIENT] = {"sourceGradient", {STEPS, BATCH, STATES}, {STEPS, BATCH, STATES}, 0, 0},
	[LSTM_ROLE_Z_STATE] = {"zState", {STEPS, BATCH, ALL_GATES}, {STEPS, BATCH, ALL_GATES}, 2, 0},
	[LSTM_ROLE_CELL_OUTPUT_FWD] = {"cellOutputFwd", {STEPS, BATCH, STATES}, {STEPS, BATCH, STATES}, 2, 0},
	[LSTM_ROLE_STATE_GRADIENT] = {"stateGradient", {BATCH, STATES}, {BATCH, STATES}, 0, 1},
	[LSTM_ROLE_CELL_GRADIENT] = {"cellGradient", {BATCH, STATES}, {BATCH, STATES}, 0, 1},
};

/* Drops sizes of 1 in front while there are more than `rank`. */
static void leading_ones_drop(MPSShape *shape, size_t rank)
{
	while (shape->rank > rank && shape->size[0] == 1) {
		shape->rank--;
		memmove(shape->size, shape->size + 1, shape->rank * sizeof shape->size[0]);
	}
}

static MPSShape named(const size_t sizes[SIZES], const enum size_name names[RANK_MAX + 1])
{
	MPSShape shape = {0};
	for (; shape.rank < RANK_MAX && names[shape.rank] != END; shape.rank++)
		shape.size[shape.rank] = sizes[names[shape.rank]];
	return shape;
}

static sluice_status given_check(const MPSGraph *graph, MPSGraphTensor *const tensors[LSTM_ROLES], int backward)
{
	if (!graph)
		return MPS_INVALID("graph is NULL, expected a graph");
	for (int role = 0; role < LSTM_ROLES; role++) {
		if (!tensors[role] && ROLES[role].needed && ROLES[role].needed <= 1 + backward)
			return MPS_INVALID("%s is NULL, expected a tensor", ROLES[role].name);
		if (tensors[role] && tensors[role]->operation->graph != graph)
			return MPS_INVALID("%s is a tensor of another graph", ROLES[role].name);
	}
	return SLUICE_OK;
}

static sluice_status types_check(MPSGraphTensor *const tensors[LSTM_ROLES], struct lstm_network *network)
{
	const struct type *source = &tensors[LSTM_ROLE_SOURCE]->type;
	char text[2][MPS_SHAPE_TEXT];
	for (int role = 0; role < LSTM_ROLES; role++)
		if (tensors[role] && tensors[role]->type.dataType != source->dataType)
			return MPS_INVALID("%s is %s, expected the type of source, which is %s", ROLES[role].name,
					   sluice__mpsgraph_type_text(&tensors[role]->type, text[0]),
					   sluice__mpsgraph_type_text(source, text[1]));
	network->data = sluice__mpsgraph_dtype(source->dataType);
	return SLUICE_OK;
}

static void given_fill(MPSGraphTensor *const tensors[LSTM_ROLES], struct lstm_network *network)
{
	static const int roles[LSTM_WEIGHTS] = {
		[LSTM_INPUT] = LSTM_ROLE_INPUT_WEIGHT,
		[LSTM_RECURRENT] = LSTM_ROLE_RECURRENT_WEIGHT,
		[LSTM_BIAS] = LSTM_ROLE_BIAS,
		[LSTM_PEEPHOLE] = LSTM_ROLE_PEEPHOLE,
	};
	for (int which = 0; which < LSTM_WEIGHTS; which++) {
		const MPSGraphTensor *tensor = tensors[roles[which]];
		network->given[which] = tensor != NULL;
		network->constant[which] = tensor && tensor->operation->kind == &sluice__mpsgraph_constant;
	}
}

/* What all other sizes follow from: those of source and of recurrentWeight. */
static sluice_status sizes_fill(MPSGraphTensor *const tensors[LSTM_ROLES], struct lstm_network *network)
{
	const int both = network->directions == 2;
	const MPSShape source = tensors[LSTM_ROLE_SOURCE]->type.shape;
	const MPSShape recurrent = tensors[LSTM_ROLE_RECURRENT_WEIGHT]->type.shape;
	char text[MPS_SHAPE_TEXT];
	if (source.rank != RANK_MAX)
		return MPS_INVALID("source is %s, expected three dimensions: steps, batch, width",
				   sluice__mpsgraph_shape_text(&source, text));
	if (recurrent.rank != (both ? 3u : 2u) || (both && recurrent.size[0] != 2) ||
	    recurrent.size[both] % LSTM_GATES != 0 || recurrent.size[both] / LSTM_GATES != recurrent.size[1 + both])
		return MPS_INVALID("recurrentWeight is %s, expected %s with H units",
				   sluice__mpsgraph_shape_text(&recurrent, text),
				   both ? "[2, 4H, H], as the descriptor is bidirectional," : "[4H, H]");
	network->steps = source.size[0];
	network->batch = source.size[1];
	network->inputs = source.size[2];
	network->hidden = recurrent.size[1 + both];
	const size_t all_gates = LSTM_GATES * network->directions * network->hidden;
	if (!network->given[LSTM_INPUT] && network->inputs != all_gates)
		return MPS_INVALID("source is %s and inputWeight is NULL, expected a source of width %zu: the "
				   "inputs of all gates",
				   sluice__mpsgraph_shape_text(&source, text), all_gates);
	return SLUICE_OK;
}

static void sizes_list(const struct lstm_network *network, size_t sizes[SIZES])
{
	const size_t units = network->hidden, states = network->directions * units;
	const size_t list[SIZES] = {
		[STEPS] = network->steps,
		[BATCH] = network->batch,
		[INPUTS] = network->inputs,
		[UNITS] = units,
		[STATES] = states,
		[GATES] = LSTM_GATES * units,
		[ALL_GATES] = LSTM_GATES * states,
		[DIRECTIONS] = network->directions,
	};
	memcpy(sizes, list, sizeof list);
}

/* A size 1 in front says nothing: what is left decides, and where two shapes fit they mean the same. */
static sluice_status mask_check(const MPSGraphTensor *mask, const size_t sizes[SIZES], struct lstm_network *network)
{
	static const struct {
		sluice_mask_shape meaning;
		enum size_name names[RANK_MAX + 1];
	} forms[] = {
		{SLUICE_MASK_UNIT, {STATES}},
		{SLUICE_MASK_SEQUENCE, {BATCH, STATES}},
		{SLUICE_MASK_STEP, {STEPS, BATCH, STATES}},
	};
	enum { FORMS = sizeof forms / sizeof forms[0] };
	const MPSShape given = mask->type.shape;
	MPSShape expected[FORMS];
	char text[1 + FORMS][MPS_SHAPE_TEXT];
	for (size_t form = 0; form < FORMS; form++) {
		MPSShape shape = given;
		expected[form] = named(sizes, forms[form].names);
		leading_ones_drop(&shape, expected[form].rank);
		if (sluice__mpsgraph_same_shape(&shape, &expected[form])) {
			network->mask_shape = forms[form].meaning;
			return SLUICE_OK;
		}
	}
	for (size_t form = 0; form < FORMS; form++)
		sluice__mpsgraph_shape_text(&expected[form], text[form]);
	return MPS_INVALID("mask is %s, expected %s, %s or %s", sluice__mpsgraph_shape_text(&given, text[FORMS]),
			   text[0], text[1], text[2]);
}

static sluice_status role_check(const MPSGraphTensor *tensor, int role, const size_t sizes[SIZES])
{
	const int both = sizes[DIRECTIONS] == 2;
	const MPSShape expected = named(sizes, both ? ROLES[role].both_ways : ROLES[role].one_way);
	const MPSShape given = tensor->type.shape;
	MPSShape shape = given;
	char text[2][MPS_SHAPE_TEXT];
	if (ROLES[role].leading_one)
		leading_ones_drop(&shape, expected.rank);
	if (sluice__mpsgraph_same_shape(&shape, &expected))
		return SLUICE_OK;
	return MPS_INVALID("%s is %s, expected %s", ROLES[role].name, sluice__mpsgraph_shape_text(&given, text[0]),
			   sluice__mpsgraph_shape_text(&expected, text[1]));
}

sluice_status sluice__mpsgraph_lstm_check(const MPSGraph *graph, MPSGraphTensor *const tensors[LSTM_ROLES],
					  const MPSGraphLSTMDescriptor *descriptor, int backward,
					  struct lstm_network *network)
{
	size_t sizes[SIZES];
	MPS_TRY(given_check(graph, tensors, backward));
	MPS_TRY(sluice__mpsgraph_lstm_describe(descriptor, &graph->options, network));
	MPS_TRY(types_check(tensors, network));
	given_fill(tensors, network);
	MPS_TRY(sizes_fill(tensors, network));
	sizes_list(network, sizes);
	for (int role = 0; role < LSTM_ROLES; role++)
		if (tensors[role] && role != LSTM_ROLE_MASK)
			MPS_TRY(role_check(tensors[role], role, sizes));
	return tensors[LSTM_ROLE_MASK] ? mask_check(tensors[LSTM_ROLE_MASK], sizes, network) : SLUICE_OK;
}

void sluice__mpsgraph_lstm_inputs(const void *const *data, size_t count, struct lstm_inputs *inputs)
{
	const void *given[LSTM_ROLES] = {NULL};
	memcpy(given, data, count * sizeof *data);
	*inputs = (struct lstm_inputs){
		.x = given[LSTM_ROLE_SOURCE],
		.weights[LSTM_INPUT] = given[LSTM_ROLE_INPUT_WEIGHT],
		.weights[LSTM_RECURRENT] = given[LSTM_ROLE_RECURRENT_WEIGHT],
		.weights[LSTM_BIAS] = given[LSTM_ROLE_BIAS],
		.weights[LSTM_PEEPHOLE] = given[LSTM_ROLE_PEEPHOLE],
		.h = given[LSTM_ROLE_INIT_STATE],
		.c = given[LSTM_ROLE_INIT_CELL],
		.mask = given[LSTM_ROLE_MASK],
		.gates = given[LSTM_ROLE_Z_STATE],
		.cells = given[LSTM_ROLE_CELL_OUTPUT_FWD],
		.dy = given[LSTM_ROLE_SOURCE_GRADIENT],
		.dh = given[LSTM_ROLE_STATE_GRADIENT],
		.dc = given[LSTM_ROLE_CELL_GRADIENT],
	};
}

MPSShape sluice__mpsgraph_lstm_shape(const struct lstm_network *network, enum lstm_result_shape which)
{
	static const enum size_name shapes[][RANK_MAX + 1] = {
		[LSTM_SHAPE_STATES] = {STEPS, BATCH, STATES},
		[LSTM_SHAPE_GATES] = {STEPS, BATCH, ALL_GATES},
		[LSTM_SHAPE_INITIAL] = {BATCH, STATES},
		[LSTM_SHAPE_BIAS] = {ALL_GATES},
	};
	size_t sizes[SIZES];
	sizes_list(network, sizes);
	return named(sizes, shapes[which]);
}
