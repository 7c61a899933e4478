/* bnns_case.c: makes the arrays, structs and expectations of a case of BNNS. */
#include "bnns_case.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The five gates' parts, by slot. */
static BNNSLSTMGateDescriptor *gate_of(BNNSLayerParametersLSTM *parameters, size_t gate)
{
	BNNSLSTMGateDescriptor *gates[BNNS_GATES] = {&parameters->input_gate, &parameters->forget_gate,
						     &parameters->candidate_gate, &parameters->output_gate};

	return gates[gate];
}

BNNSNDArrayDescriptor *slot_descriptor(BNNSLayerParametersLSTM *parameters, int slot)
{
	BNNSLSTMDataDescriptor *data = slot < SLOT_Y ? &parameters->input_descriptor : &parameters->output_descriptor;
	BNNSLSTMGateDescriptor *gate;

	if (slot < SLOT_IW) {
		BNNSNDArrayDescriptor *parts[3] = {&data->data_desc, &data->hidden_desc, &data->cell_state_desc};

		return parts[slot % SLOT_Y];
	}
	gate = gate_of(parameters, (size_t)(slot - SLOT_IW) % BNNS_GATES);
	BNNSNDArrayDescriptor *parts[5] = {&gate->iw_desc[0], &gate->iw_desc[1], &gate->hw_desc, &gate->cw_desc,
					   &gate->b_desc};
	return parts[(slot - SLOT_IW) / BNNS_GATES];
}

const char *slot_name(int slot)
{
	static const char *names[] = {"x", "h0", "c0", "y", "hn", "cn", "iw[0]", "iw[1]", "hw", "cw", "b"};

	return names[slot < SLOT_IW ? slot : SLOT_IW + (slot - SLOT_IW) / BNNS_GATES];
}

/* ----------------------------------------------------------------------------------------------------- shapes ---- */

static int is_data(int slot)
{
	return slot == SLOT_X || slot == SLOT_Y;
}

static int is_dense(const struct bnns_case *test, int slot)
{
	return is_data(slot) && test->problem.batch_sizes && test->spec.options.sequence_rows;
}

static size_t dense_rows(const struct bnns_problem *p)
{
	size_t rows = 0;

	for (size_t t = 0; t < p->steps; t++)
		rows += p->batch_sizes[t];
	return rows;
}

/* Whether the input weights of upper layers are in iw_desc[1]. */
static int is_split(const struct bnns_case *test)
{
	const struct bnns_problem *p = &test->problem;

	if (p->layers == 1)
		return 0;
	return test->spec.options.input_weights || p->inputs != p->hidden || bnns_width(p, 1) != p->inputs;
}

/* Axes in C order; returns how many. */
static size_t shape_of(const struct bnns_case *test, int slot, size_t *count)
{
	const struct bnns_problem *p = &test->problem;
	const size_t width = slot == SLOT_X ? p->inputs : p->directions * p->hidden;
	const size_t data[4] = {p->steps, p->batch, width}, dense[4] = {1, p->batch_sizes ? dense_rows(p) : 1, width};
	const size_t state[4] = {p->layers, p->directions, p->batch, p->hidden};
	const size_t first[4] = {is_split(test) ? 1 : p->layers, p->directions, p->hidden, p->inputs};
	const size_t upper[4] = {p->layers - 1, p->directions, p->hidden, bnns_width(p, 1)};
	const size_t square[4] = {p->layers, p->directions, p->hidden, p->hidden};
	const size_t *chosen = slot < SLOT_IW_UPPER ? first : slot < SLOT_HW ? upper : square;

	if (slot < SLOT_IW)
		chosen = !is_data(slot) ? state : is_dense(test, slot) ? dense : data;
	memcpy(count, chosen, 4 * sizeof *count);
	return is_data(slot) || slot >= SLOT_B ? 3 : 4;
}

static BNNSDataType type_of(const struct bnns_spec *spec, int slot)
{
	return slot >= SLOT_IW ? spec->weights : is_data(slot) ? spec->data : spec->states;
}

/* Layout constants by number of axes: merged, three, four. */
static struct bnns_lie weight_lie(int form, size_t *axes, size_t *count, size_t gap)
{
	struct bnns_lie lie = {.sizes = form != FORM_SILENT, .strides = form == FORM_STRIDED};

	if (form == FORM_MERGED) {
		for (size_t axis = 1; axis + 1 < *axes; axis++)
			count[0] *= count[axis];
		count[1] = count[*axes - 1];
		*axes = 2;
		lie.layout = BNNSDataLayoutRowMajorMatrix;
	} else if (form != FORM_SILENT) {
		lie.layout = *axes == 3 ? BNNSDataLayout3DLastMajor : BNNSDataLayout4DLastMajor;
		lie.first_major = form == FORM_FIRST_MAJOR;
		lie.layout += (BNNSDataLayout)lie.first_major;
	}
	for (size_t k = 0; k < *axes; k++) {
		lie.order[k] = *axes - 1 - k;
		lie.gaps[k] = lie.strides ? (gap >> 2 * k & 3) : 0;
	}
	return lie;
}

static struct bnns_lie data_lie(int form, int nse, size_t gap)
{
	struct bnns_lie lie = {.order = {2, nse ? 0 : 1, nse ? 1 : 0}, .strides = form == FORM_STRIDED};

	lie.layout = nse ? BNNSDataLayoutNSE : form == FORM_SILENT ? 0 : BNNSDataLayoutSNE;
	lie.sizes = form != FORM_SILENT && form != FORM_MERGED;
	/* The elements of a row lie side by side in half of the strided ones. */
	for (size_t k = 0; k < 3 && lie.strides; k++)
		lie.gaps[k] = k || gap & 64 ? (gap >> 2 * k & 3) : 0;
	return lie;
}

/* --------------------------------------------------------------------------------------------------- contents ---- */

static double *numbers(struct bnns_random *random, BNNSDataType type, size_t count, double range)
{
	double *values = malloc((count ? count : 1) * sizeof *values);

	assert_non_null(values);
	for (size_t index = 0; index < count; index++)
		values[index] = number_nearest(type, random_between(random, -range, range));
	return values;
}

/* Rows that a step has not are not read: whatever comes of them is not a number. */
static void spoil_padding(const struct bnns_problem *p, double *values, size_t width)
{
	for (size_t index = 0; index < p->steps * p->batch * width; index++)
		if (!bnns_has_step(p, index / width / p->batch, index / width % p->batch))
			values[index] = (double)NAN;
}

/* The element of the padded data that element `index` of a slot stands for. */
static size_t padded_index(const struct bnns_case *test, int slot, size_t index, size_t width)
{
	const struct bnns_problem *p = &test->problem;
	size_t row = index / width;

	if (!is_dense(test, slot))
		return index;
	for (size_t t = 0;; t++) {
		if (row < p->batch_sizes[t])
			return (t * p->batch + row) * width + index % width;
		row -= p->batch_sizes[t];
	}
}

static double weight_range(const struct bnns_case *test, int slot)
{
	const double narrow = 1 / sqrt((double)test->problem.hidden);

	/* Cells without bounded activations grow by themselves: cell weights are small. */
	if (slot >= SLOT_B || slot < SLOT_IW)
		return slot < SLOT_IW ? 1 : 0.5;
	return slot >= SLOT_CW ? 0.4 * narrow : narrow;
}

/* Makes one array of one side, whose elements are those of `values`, or drawn. */
static void slot_create(struct bnns_case *test, int side, int slot, struct bnns_random *random, const double *values)
{
	struct bnns_slot *made = &test->slots[side][slot];
	size_t count[4], axes = shape_of(test, slot, count);
	const size_t gap = (size_t)random_bits(random), width = count[axes - 1];
	const int form = test->spec.form[side][slot];
	struct bnns_lie lie;

	if (is_data(slot))
		lie = data_lie(form, !is_dense(test, slot) && test->spec.nse[side][slot == SLOT_Y], gap);
	else
		lie = weight_lie(form, &axes, count, gap);
	/* Dense rows have no shape that a descriptor could name. */
	lie.sizes = lie.sizes && !is_dense(test, slot);
	made->used = 1;
	array_create(&made->array, type_of(&test->spec, slot), axes, count, &lie);
	made->value_count = made->array.elements;
	made->values = numbers(random, made->array.type, made->value_count, weight_range(test, slot));
	for (size_t index = 0; values && index < made->value_count; index++)
		made->values[index] = values[is_data(slot) ? padded_index(test, slot, index, width) : index];
	array_write(&made->array, made->values);
	if (!values && side == 0 && slot >= SLOT_Y && slot <= SLOT_CN)
		memset(made->array.block, 0xA5, made->array.bytes);
	array_remember(&made->array);
	*slot_descriptor(side ? &test->deltas : &test->parameters, slot) = made->array.descriptor;
	if (side && slot != SLOT_Y && slot != SLOT_HN && slot != SLOT_CN && test->spec.accumulate[slot])
		slot_descriptor(&test->deltas, slot)->flags = BNNSNDArrayFlagBackpropAccumulate;
}

/* ----------------------------------------------------------------------------------------------------- a case ---- */

static void create_sequence(struct bnns_case *test, struct bnns_random *random)
{
	static const struct {
		BNNSDataType type;
		size_t bytes;
	} types[] = {{BNNSDataTypeUInt8, 1}, {BNNSDataTypeUInt16, 2}, {BNNSDataTypeUInt32, 4}, {BNNSDataTypeUInt64, 8}};
	const struct bnns_spec *spec = &test->spec;
	BNNSNDArrayDescriptor *descriptor = &test->parameters.sequence_descriptor;
	size_t rows = spec->batch;

	if (!spec->varying)
		return;
	test->batch_sizes = calloc(spec->steps, sizeof(size_t));
	test->sequence = calloc(spec->steps, 8);
	assert_non_null(test->batch_sizes);
	assert_non_null(test->sequence);
	for (size_t k = 0; k < sizeof types / sizeof *types; k++)
		for (size_t t = 0; t < spec->steps && types[k].type == spec->sequence_type; t++) {
			const uint64_t size = rows;

			/* The low bytes of a little-endian number. */
			memcpy((char *)test->sequence + t * types[k].bytes, &size, types[k].bytes);
			test->batch_sizes[t] = rows;
			/* The first step has a row, so that something is computed. */
			if (rows > (t == 0) && random_chance(random, 0.6))
				rows -= random_below(random, rows) + (rows == 1);
		}
	descriptor->layout = spec->form[0][SLOT_X] == FORM_SILENT ? 0 : BNNSDataLayoutVector;
	descriptor->size[0] = descriptor->layout ? spec->steps : 0;
	descriptor->data = test->sequence;
	descriptor->data_type = spec->sequence_type;
	test->problem.batch_sizes = test->batch_sizes;
}

static void create_problem(struct bnns_case *test, const double *masks, double mask_error)
{
	static const BNNSActivationFunction standard[BNNS_GATES + 1] = {
		BNNSActivationFunctionSigmoid, BNNSActivationFunctionSigmoid, BNNSActivationFunctionTanh,
		BNNSActivationFunctionSigmoid, BNNSActivationFunctionTanh};
	const struct bnns_spec *spec = &test->spec;
	struct bnns_problem *p = &test->problem;

	p->steps = spec->steps;
	p->batch = spec->batch;
	p->inputs = spec->inputs;
	p->hidden = spec->hidden;
	p->layers = spec->layers;
	p->directions = spec->directions;
	p->concatenated = spec->options.stacking == SLUICE_BNNS_STACKING_CONCATENATED;
	p->data = spec->data;
	p->masks = masks;
	p->mask_error = mask_error;
	for (size_t k = 0; k <= BNNS_GATES; k++) {
		p->activations[k] = spec->activations[k];
		if (spec->default_activations)
			p->activations[k] = (BNNSActivation){.function = standard[k]};
	}
}

static void create_structs(struct bnns_case *test)
{
	const struct bnns_spec *spec = &test->spec;
	BNNSLayerParametersLSTM *parameters = &test->parameters;

	parameters->input_size = spec->inputs;
	parameters->hidden_size = spec->hidden;
	parameters->batch_size = spec->batch;
	parameters->num_layers = spec->layers;
	parameters->seq_len = spec->steps;
	parameters->dropout = spec->dropout;
	parameters->lstm_flags = spec->directions == 2 ? BNNSLayerFlagsLSTMBidirectional : 0;
	if (spec->default_activations)
		parameters->lstm_flags |= BNNSLayerFlagsLSTMDefaultActivations;
	for (size_t k = 0; k < BNNS_GATES; k++)
		gate_of(parameters, k)->activation = spec->activations[k];
	parameters->hidden_activation = spec->activations[BNNS_GATES];
	test->filter.n_threads = spec->threads;
	test->deltas = *parameters;
}

/* All weights of a gate; those of upper layers may be in an array of their own. */
static void create_gate(struct bnns_case *test, size_t gate, struct bnns_random *random)
{
	struct bnns_problem *p = &test->problem;
	const size_t first = bnns_iw_offset(p, 1, 0);
	const int g = (int)gate;

	test->iw[gate] = numbers(random, test->spec.weights, bnns_iw_count(p), weight_range(test, SLOT_IW));
	p->iw[gate] = test->iw[gate];
	slot_create(test, 0, SLOT_IW + g, random, test->iw[gate]);
	if (is_split(test))
		slot_create(test, 0, SLOT_IW_UPPER + g, random, test->iw[gate] + first);
	slot_create(test, 0, SLOT_HW + g, random, NULL);
	p->hw[gate] = test->slots[0][SLOT_HW + g].values;
	if (test->spec.present[SLOT_CW + g]) {
		slot_create(test, 0, SLOT_CW + g, random, NULL);
		p->cw[gate] = test->slots[0][SLOT_CW + g].values;
	}
	if (test->spec.present[SLOT_B + g]) {
		slot_create(test, 0, SLOT_B + g, random, NULL);
		p->b[gate] = test->slots[0][SLOT_B + g].values;
	}
}

/* Padded data, of which a slot has the rows that it has. The caller's to free. */
static const double *create_data(struct bnns_case *test, int side, int slot, struct bnns_random *random)
{
	const struct bnns_problem *p = &test->problem;
	const size_t width = slot == SLOT_X ? p->inputs : p->directions * p->hidden;
	double *values = numbers(random, p->data, p->steps * p->batch * width, 1.5);

	spoil_padding(p, values, width);
	slot_create(test, side, slot, random, values);
	return values;
}

static const double *create_given(struct bnns_case *test, int side, int slot, struct bnns_random *random)
{
	if (!(side ? test->spec.wanted : test->spec.present)[slot])
		return NULL;
	slot_create(test, side, slot, random, NULL);
	return test->slots[side][slot].values;
}

static void create_deltas(struct bnns_case *test, struct bnns_random *random)
{
	const struct bnns_spec *spec = &test->spec;

	if (spec->wanted[SLOT_Y])
		test->problem.dy = create_data(test, 1, SLOT_Y, random);
	test->problem.dh = create_given(test, 1, SLOT_HN, random);
	test->problem.dc = create_given(test, 1, SLOT_CN, random);
	for (int slot = 0; slot < SLOTS; slot++)
		if (spec->wanted[slot] && (slot < SLOT_Y || slot >= SLOT_IW) &&
		    (slot == SLOT_H0 || slot == SLOT_C0 || test->slots[0][slot].used))
			slot_create(test, 1, slot, random, NULL);
}

void case_create(const struct bnns_spec *spec, const double *masks, double mask_error, struct bnns_case *out)
{
	struct bnns_random random = {spec->seed ^ 0x5EED};

	memset(out, 0, sizeof *out);
	out->spec = *spec;
	create_problem(out, masks, mask_error);
	create_structs(out);
	create_sequence(out, &random);
	out->problem.x = create_data(out, 0, SLOT_X, &random);
	out->problem.h0 = create_given(out, 0, SLOT_H0, &random);
	out->problem.c0 = create_given(out, 0, SLOT_C0, &random);
	for (int slot = SLOT_Y; slot <= SLOT_CN; slot++)
		if (spec->present[slot])
			slot_create(out, 0, slot, &random, NULL);
	for (size_t gate = 0; gate < BNNS_GATES; gate++)
		create_gate(out, gate, &random);
	create_deltas(out, &random);
	assert_true(bnns_reference(&out->problem, &out->expected));
	assert_bnns(sluice_bnns_set_options(&spec->options));
	out->capacity = BNNSComputeLSTMTrainingCacheCapacity(&out->parameters);
	if (!out->capacity)
		fail_msg("seed %zu: %s", (size_t)spec->seed, sluice_bnns_last_message());
	out->cache = malloc(out->capacity);
	assert_non_null(out->cache);
	memset(out->cache, 0xA5, out->capacity);
}

void case_destroy(struct bnns_case *test)
{
	for (int side = 0; side < 2; side++)
		for (int slot = 0; slot < SLOTS; slot++) {
			free(test->slots[side][slot].values);
			array_destroy(&test->slots[side][slot].array);
		}
	for (size_t gate = 0; gate < BNNS_GATES; gate++)
		free(test->iw[gate]);
	free((void *)test->problem.x);
	free((void *)test->problem.dy);
	free(test->batch_sizes);
	free(test->sequence);
	free(test->cache);
	bnns_results_destroy(&test->expected);
	memset(test, 0, sizeof *test);
}

int case_forward(struct bnns_case *test, int with_cache)
{
	return BNNSDirectApplyLSTMBatchTrainingCaching(
		&test->parameters, &test->filter, with_cache ? test->cache : NULL, with_cache ? test->capacity : 0);
}

int case_backward(struct bnns_case *test, const void *cache, size_t capacity)
{
	return BNNSDirectApplyLSTMBatchBackward(&test->parameters, &test->deltas, &test->filter, cache, capacity);
}

void case_reset(struct bnns_case *test)
{
	for (int side = 0; side < 2; side++)
		for (int slot = 0; slot < SLOTS; slot++) {
			struct bnns_slot *kept = &test->slots[side][slot];

			if (!kept->used)
				continue;
			memset(kept->array.block, 0xA5, kept->array.bytes);
			if (side || slot < SLOT_Y || slot > SLOT_CN)
				array_write(&kept->array, kept->values);
			array_remember(&kept->array);
		}
}
