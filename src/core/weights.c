/* weights.c exists to bring any source layout into the canonical one: the only place that reorders gates or transposes.
 */
#include "core/internal.h"

#include <string.h>

#include "base/dtype.h"
#include "kernels/kernels.h"

/* One matrix or vector of four gates, wherever its elements lie. */
struct source {
	const float *block;       /* all gates, or NULL */
	const void *const *gates; /* one pointer each, or NULL */
	size_t rows, columns;     /* of one gate */
	ptrdiff_t row, column;    /* strides */
	const char *name;
};

/* position[k]: the place in the source of the canonical gate k. */
static sluice_status read_order(const char *order, size_t position[SLUICE__GATES])
{
	static const char canonical[] = "ifgo";
	if (!order)
		order = canonical;
	for (size_t gate = 0; gate < SLUICE__GATES; gate++) {
		const char *found = strlen(order) == SLUICE__GATES ? strchr(order, canonical[gate]) : NULL;
		if (!found)
			return SLUICE_INVALID("weights.order is \"%.16s\", expected a permutation of \"ifgo\"", order);
		position[gate] = (size_t)(found - order);
	}
	return SLUICE_OK;
}

static sluice_status source_check(const struct source *source, bool optional)
{
	bool any_gate = false, all_gates = source->gates != NULL;
	for (size_t gate = 0; source->gates && gate < SLUICE__GATES; gate++) {
		any_gate = any_gate || source->gates[gate];
		all_gates = all_gates && source->gates[gate];
	}
	if (source->block && any_gate)
		return SLUICE_INVALID("weights.%s and weights.%s_gates are both given, expected one of them",
				      source->name, source->name);
	if (any_gate && !all_gates)
		return SLUICE_INVALID("weights.%s_gates has a NULL among its four pointers, expected all or none",
				      source->name);
	if (!source->block && !any_gate && !optional)
		return SLUICE_INVALID("weights.%s is NULL, expected a block or four gates", source->name);
	return SLUICE_OK;
}

static bool given(const struct source *source)
{
	return source->block || (source->gates && source->gates[0]);
}

/* Copies or adds the source to canonical rows. */
static void copy_source(const struct source *source, const size_t position[SLUICE__GATES], bool add, float *to)
{
	for (size_t gate = 0; gate < SLUICE__GATES; gate++) {
		const float *from = source->block
					    ? source->block + (ptrdiff_t)(position[gate] * source->rows) * source->row
					    : (const float *)source->gates[position[gate]];
		for (size_t row = 0; row < source->rows; row++)
			for (size_t column = 0; column < source->columns; column++, to++) {
				float value = from[(ptrdiff_t)row * source->row + (ptrdiff_t)column * source->column];
				*to = add ? *to + value : value;
			}
	}
}

static struct source matrix_source(const char *name, const void *block, const void *const *gates, size_t rows,
				   size_t columns, ptrdiff_t row, ptrdiff_t column)
{
	struct source source = {block, gates, rows, columns, row, column, name};
	if (row == 0)
		source.row = (ptrdiff_t)columns;
	if (column == 0)
		source.column = 1;
	return source;
}

sluice_status sluice_model_set_weights(sluice_model *model, size_t index, size_t direction, const sluice_weights *view)
{
	sluice_weights weights;
	size_t position[SLUICE__GATES];
	if (!model)
		return sluice__null("model");
	if (!view)
		return sluice__null("weights");
	if (index >= model->network.layer_count)
		return SLUICE_INVALID("layer is %zu, the model has %zu", index, model->network.layer_count);
	const struct sluice__layer *layer = &model->network.layers[index];
	if (direction >= layer->directions)
		return SLUICE_INVALID("direction is %zu, layer %zu has %zu", direction, index, layer->directions);
	SLUICE_TRY(sluice__argument(&weights, sizeof weights, view, "weights"));
	if (weights.dtype != SLUICE_F32)
		return sluice_fail(SLUICE_UNSUPPORTED, "weights.dtype is %s, only f32 is implemented",
				   sluice__dtype_name(weights.dtype));
	SLUICE_TRY(read_order(weights.order, position));

	const size_t hidden = layer->hidden;
	const struct source input = matrix_source("input", weights.input, weights.input_gates, hidden, layer->inputs,
						  weights.input_row, weights.input_column);
	const struct source recurrent = matrix_source("recurrent", weights.recurrent, weights.recurrent_gates, hidden,
						      hidden, weights.recurrent_row, weights.recurrent_column);
	const struct source bias = matrix_source("bias", weights.bias, weights.bias_gates, hidden, 1, 1, 1);
	const struct source second = matrix_source("recurrent_bias", weights.recurrent_bias, NULL, hidden, 1, 1, 1);
	SLUICE_TRY(source_check(&input, false));
	SLUICE_TRY(source_check(&recurrent, false));
	SLUICE_TRY(source_check(&bias, true));
	if (!layer->bias && (given(&bias) || given(&second)))
		return SLUICE_INVALID("weights.bias is given, layer %zu was described with no_bias", index);

	copy_source(&input, position, false, model->parameters + layer->weight_ih[direction]);
	copy_source(&recurrent, position, false, model->parameters + layer->weight_hh[direction]);
	if (!layer->bias)
		return SLUICE_OK;
	float *to = model->parameters + layer->bias_at[direction];
	memset(to, 0, SLUICE__GATES * hidden * sizeof *to);
	if (given(&bias))
		copy_source(&bias, position, false, to);
	if (given(&second))
		copy_source(&second, position, true, to);
	return SLUICE_OK;
}

sluice_status sluice_model_set_readout(sluice_model *model, const float *weight, const float *bias)
{
	if (!model)
		return sluice__null("model");
	if (!weight)
		return sluice__null("weight");
	const struct sluice__network *network = &model->network;
	if (!network->readout)
		return SLUICE_INVALID("the model was described without a read-out (outputs is 0)");
	memcpy(model->parameters + network->readout_weight, weight,
	       network->outputs * network->features * sizeof *weight);
	if (bias)
		memcpy(model->parameters + network->readout_bias, bias, network->outputs * sizeof *bias);
	else
		memset(model->parameters + network->readout_bias, 0, network->outputs * sizeof *bias);
	return SLUICE_OK;
}
