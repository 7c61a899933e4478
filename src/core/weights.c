/* weights.c exists to bring any source layout into the canonical one: the only place that reorders gates or transposes.
 */
#include "core/internal.h"

#include <string.h>

#include "base/dtype.h"
#include "kernels/kernels.h"

/* One matrix or vector of several gates, wherever its elements lie. */
struct source {
	const void *block;        /* all gates, or NULL */
	const void *const *gates; /* one pointer each, or NULL */
	size_t count;             /* of gates */
	size_t rows;              /* of one gate */
	size_t height, width;     /* each row's kernel: taps of `channels` columns; one tap without images */
	size_t channels;
	ptrdiff_t row, y, x, column; /* strides */
	unsigned absent;             /* gates that are not read, and are zero */
	const char *name;
};

sluice_status sluice__gate_order(const char *order, const char *name, size_t position[4])
{
	static const char canonical[] = "ifgo";
	if (!order)
		order = canonical;
	for (size_t gate = 0; gate < SLUICE__GATES; gate++) {
		const char *found = strlen(order) == SLUICE__GATES ? strchr(order, canonical[gate]) : NULL;
		if (!found)
			return SLUICE_INVALID("%s is \"%.16s\", expected a permutation of \"ifgo\"", name, order);
		position[gate] = (size_t)(found - order);
	}
	return SLUICE_OK;
}

static bool given(const struct source *source)
{
	bool any = source->block != NULL;
	for (size_t gate = 0; source->gates && gate < source->count; gate++)
		any = any || source->gates[gate];
	return any;
}

/* wanted: whether the layer has the tensor; needed: whether it must come with all of its gates. */
static sluice_status source_check(const struct source *source, const size_t position[SLUICE__GATES], bool wanted,
				  bool needed)
{
	bool any = false, all = source->gates != NULL;
	for (size_t gate = 0; source->gates && gate < source->count; gate++) {
		const bool here = source->gates[position[gate]] != NULL;
		any = any || here;
		all = all && (here || (source->absent >> gate & 1));
	}
	if (!wanted && given(source))
		return SLUICE_INVALID("weights.%s is given, the layer was described without it", source->name);
	if (source->block && any)
		return SLUICE_INVALID("weights.%s and weights.%s_gates are both given, expected one of them",
				      source->name, source->name);
	if (any && !all && needed)
		return SLUICE_INVALID("weights.%s_gates has a NULL among its four pointers, expected all or none",
				      source->name);
	if (!source->block && !all && needed && wanted)
		return SLUICE_INVALID("weights.%s is NULL, expected a block or four gates", source->name);
	return SLUICE_OK;
}

static float element(sluice_dtype dtype, const void *from, ptrdiff_t index)
{
	switch (dtype) {
	case SLUICE_F64:
		return (float)((const double *)from)[index];
	case SLUICE_F16:
		return sluice__f32_from_f16(((const uint16_t *)from)[index]);
	case SLUICE_BF16:
		return sluice__f32_from_bf16(((const uint16_t *)from)[index]);
	default:
		return ((const float *)from)[index];
	}
}

/* Copies or adds the source to canonical rows; gates that are absent or not given are zero. */
static void copy_source(const struct source *source, sluice_dtype dtype, const size_t position[SLUICE__GATES], bool add,
			float *to)
{
	for (size_t gate = 0; gate < source->count; gate++) {
		const size_t place = position[gate];
		const void *from = source->block ? source->block : source->gates[place];
		const ptrdiff_t first = source->block ? (ptrdiff_t)(place * source->rows) * source->row : 0;
		const bool absent = !from || source->absent >> gate & 1;
		for (size_t row = 0; row < source->rows; row++)
			for (size_t tap = 0; tap < source->height * source->width; tap++) {
				const ptrdiff_t at = first + (ptrdiff_t)row * source->row +
						     (ptrdiff_t)(tap / source->width) * source->y +
						     (ptrdiff_t)(tap % source->width) * source->x;
				for (size_t column = 0; column < source->channels; column++, to++) {
					const ptrdiff_t index = at + (ptrdiff_t)column * source->column;
					const float value = absent ? 0 : element(dtype, from, index);
					*to = add ? *to + value : value;
				}
			}
	}
}

static ptrdiff_t stride_or(ptrdiff_t given, size_t usual)
{
	return given ? given : (ptrdiff_t)usual;
}

/* One row for each of `rows`, of `channels` columns. */
static struct source matrix_source(const char *name, const void *block, const void *const *gates, size_t rows,
				   size_t channels, ptrdiff_t row, ptrdiff_t column)
{
	return (struct source){.block = block,
			       .gates = gates,
			       .count = SLUICE__GATES,
			       .rows = rows,
			       .height = 1,
			       .width = 1,
			       .channels = channels,
			       .row = stride_or(row, channels),
			       .column = stride_or(column, 1),
			       .name = name};
}

/* The same whose rows are kernels, or images, of height by width. */
static struct source with_kernel(struct source source, size_t height, size_t width, ptrdiff_t row, ptrdiff_t y,
				 ptrdiff_t x)
{
	source.height = height;
	source.width = width;
	source.x = stride_or(x, source.channels);
	source.y = stride_or(y, width * source.channels);
	source.row = stride_or(row, height * width * source.channels);
	return source;
}

static struct source peephole_source(const sluice_weights *weights, const struct sluice__layer *layer)
{
	const sluice_peephole kind = layer->options->peephole;
	const bool full = kind == SLUICE_PEEPHOLE_FULL;
	const ptrdiff_t row = weights->peephole_row, y = weights->peephole_y, x = weights->peephole_x;
	const struct source source =
		matrix_source("peephole", weights->peephole, weights->peephole_gates, layer->hidden,
			      full ? layer->hidden / layer->memory.groups : 1, 1, full ? weights->peephole_column : 1);
	if (full)
		return with_kernel(source, layer->memory.height, layer->memory.width, row, y, x);
	if (kind == SLUICE_PEEPHOLE_ELEMENT)
		return with_kernel(source, layer->image.height, layer->image.width, row, y, x);
	return source;
}

/* All tensors of one layer and direction, as somebody else has them. */
struct sources {
	struct source input, recurrent, bias, second, peephole, projection;
};

static struct sources sources_of(const sluice_weights *weights, const struct sluice__layer *layer)
{
	const sluice_layer *options = layer->options;
	const size_t hidden = layer->hidden;
	const struct source input = matrix_source("input", weights->input, weights->input_gates, hidden,
						  layer->inputs / layer->input.groups, 0, weights->input_column);
	const struct source recurrent =
		matrix_source("recurrent", weights->recurrent, weights->recurrent_gates, hidden,
			      layer->out / layer->recurrent.groups, 0, weights->recurrent_column);
	struct sources sources = {
		.input = with_kernel(input, layer->input.height, layer->input.width, weights->input_row,
				     weights->input_y, weights->input_x),
		.recurrent = with_kernel(recurrent, layer->recurrent.height, layer->recurrent.width,
					 weights->recurrent_row, weights->recurrent_y, weights->recurrent_x),
		.bias = matrix_source("bias", weights->bias, weights->bias_gates, hidden, 1, 1, 1),
		.second = matrix_source("recurrent_bias", weights->recurrent_bias, NULL, hidden, 1, 1, 1),
		.peephole = peephole_source(weights, layer),
		.projection = matrix_source("projection", weights->projection, NULL, layer->out, hidden,
					    weights->projection_row, weights->projection_column),
	};
	sources.projection.count = 1;
	sources.input.absent = sluice__layer_absent(options, options->no_input_weights);
	sources.recurrent.absent = sluice__layer_absent(options, options->no_recurrent_weights);
	sources.peephole.absent = sluice__layer_absent(options, options->no_peepholes);
	sources.bias.absent = sources.second.absent = sluice__layer_absent(options, 0);
	return sources;
}

static sluice_status sources_check(const struct sources *sources, const struct sluice__layer *layer,
				   const size_t position[SLUICE__GATES])
{
	const sluice_layer *options = layer->options;
	const bool peephole = options->peephole != SLUICE_PEEPHOLE_NONE;
	SLUICE_TRY(source_check(&sources->input, position, options->input == SLUICE_INPUT_WEIGHTS, true));
	SLUICE_TRY(source_check(&sources->recurrent, position, true, true));
	SLUICE_TRY(source_check(&sources->bias, position, layer->bias, given(&sources->bias)));
	SLUICE_TRY(source_check(&sources->second, position, layer->bias, false));
	SLUICE_TRY(source_check(&sources->peephole, position, peephole, false));
	return source_check(&sources->projection, position, options->projection != 0, true);
}

static sluice_status slopes_check(const sluice_weights *weights, const struct sluice__layer *layer)
{
	for (size_t slot = 0; slot < SLUICE__SLOTS; slot++) {
		const bool wanted = sluice__layer_activation(layer->options, slot).kind == SLUICE_ACTIVATION_PRELU;
		if (weights->prelu[slot] && !wanted)
			return SLUICE_INVALID("weights.prelu[%zu] is given, that activation is not a PReLU", slot);
		if (!weights->prelu[slot] && wanted)
			return SLUICE_INVALID("weights.prelu[%zu] is NULL, that activation is a PReLU", slot);
	}
	return SLUICE_OK;
}

static sluice_status start_check(const sluice_weights *weights, const struct sluice__layer *layer)
{
	if ((weights->start_h || weights->start_c) && !layer->options->learned_start)
		return SLUICE_INVALID("weights.%s is given, the layer learns no start",
				      weights->start_h ? "start_h" : "start_c");
	return SLUICE_OK;
}

/* A vector, or zeros where none is given. */
static void copy_vector(sluice_dtype dtype, const void *from, size_t count, float *to)
{
	for (size_t unit = 0; unit < count; unit++)
		to[unit] = from ? element(dtype, from, (ptrdiff_t)unit) : 0;
}

static void copy_sources(const struct sources *sources, const sluice_weights *weights,
			 const struct sluice__layer *layer, size_t direction, const size_t position[SLUICE__GATES],
			 float *parameters)
{
	static const size_t alone[SLUICE__GATES] = {0};
	const sluice_dtype dtype = weights->dtype;
	const sluice_layer *options = layer->options;
	if (options->input == SLUICE_INPUT_WEIGHTS)
		copy_source(&sources->input, dtype, position, false, parameters + layer->weight_ih[direction]);
	copy_source(&sources->recurrent, dtype, position, false, parameters + layer->weight_hh[direction]);
	if (options->projection)
		copy_source(&sources->projection, dtype, alone, false, parameters + layer->projection_at[direction]);
	if (options->peephole != SLUICE_PEEPHOLE_NONE)
		copy_source(&sources->peephole, dtype, position, false, parameters + layer->peephole_at[direction]);
	for (size_t slot = 0; layer->slopes && slot < SLUICE__SLOTS; slot++)
		copy_vector(dtype, weights->prelu[slot], layer->hidden,
			    parameters + layer->slopes_at[direction] + slot * layer->hidden);
	if (options->learned_start) {
		copy_vector(dtype, weights->start_h, layer->out, parameters + layer->start_h[direction]);
		copy_vector(dtype, weights->start_c, layer->hidden, parameters + layer->start_c[direction]);
	}
	if (!layer->bias)
		return;
	float *to = parameters + layer->bias_at[direction];
	memset(to, 0, SLUICE__GATES * layer->hidden * sizeof *to);
	if (given(&sources->bias))
		copy_source(&sources->bias, dtype, position, false, to);
	if (given(&sources->second))
		copy_source(&sources->second, dtype, position, true, to);
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
	if (sluice__dtype_bytes(weights.dtype) == 0)
		return SLUICE_INVALID("weights.dtype is %d, expected a sluice_dtype", (int)weights.dtype);
	if (weights.dtype != SLUICE_F32 && weights.dtype != SLUICE_F64 && weights.dtype != SLUICE_F16 &&
	    weights.dtype != SLUICE_BF16)
		return sluice_fail(SLUICE_UNSUPPORTED, "weights.dtype is %s, expected f32, f64, f16 or bf16",
				   sluice__dtype_name(weights.dtype));
	SLUICE_TRY(sluice__gate_order(weights.order, "weights.order", position));
	const struct sources sources = sources_of(&weights, layer);
	SLUICE_TRY(sources_check(&sources, layer, position));
	SLUICE_TRY(slopes_check(&weights, layer));
	SLUICE_TRY(start_check(&weights, layer));
	copy_sources(&sources, &weights, layer, direction, position, model->parameters);
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
