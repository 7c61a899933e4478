/* plan.c exists to fix, before anything runs, all sizes and choices of a model's use, and to tell them. */
#include "core/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "kernels/kernels.h"

/* What can store what: f64 is all or nothing. */
static sluice_status types_check(const sluice_plan_options *options, struct sluice__limits *limits)
{
	const struct {
		const char *field;
		sluice_dtype given, *to;
	} fields[] = {
		{"data", options->data, &limits->data},
		{"weights", options->weights, &limits->weights},
		{"tape", options->tape, &limits->tape},
	};
	const bool wide = options->data == SLUICE_F64;
	for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++) {
		const sluice_dtype type = fields[j].given;
		if (sluice__dtype_bytes(type) == 0)
			return SLUICE_INVALID("%s is %d, expected a sluice_dtype", fields[j].field, (int)type);
		if (type == SLUICE_I8)
			return sluice_fail(SLUICE_UNSUPPORTED, "%s is i8, expected f32, f16, bf16 or f64",
					   fields[j].field);
		if (wide ? type == SLUICE_F16 || type == SLUICE_BF16 : type == SLUICE_F64)
			return sluice_fail(SLUICE_UNSUPPORTED,
					   "data is %s and %s is %s: a plan computes in f64 altogether or not at all",
					   sluice__dtype_name(options->data), fields[j].field,
					   sluice__dtype_name(type));
		*fields[j].to = wide ? SLUICE_F64 : type;
	}
	return SLUICE_OK;
}

static sluice_status limits_check(const sluice_plan_options *options, struct sluice__limits *limits)
{
	if ((unsigned)options->layout > SLUICE_BATCH_MAJOR)
		return SLUICE_INVALID("layout is %d, expected 0 or %d", (int)options->layout, SLUICE_BATCH_MAJOR);
	if ((unsigned)options->flush_denormals > SLUICE_OFF)
		return SLUICE_INVALID("flush_denormals is %d, expected 0 to %d", (int)options->flush_denormals,
				      SLUICE_OFF);
	if ((unsigned)options->winograd > SLUICE_OFF)
		return SLUICE_INVALID("winograd is %d, expected 0 to %d", (int)options->winograd, SLUICE_OFF);
	if ((unsigned)options->tape_mode > SLUICE_TAPE_OUTPUTS)
		return SLUICE_INVALID("tape_mode is %d, expected 0 to %d", (int)options->tape_mode,
				      SLUICE_TAPE_OUTPUTS);
	SLUICE_TRY(sluice__gate_order(options->gate_order, "gate_order", limits->gate_place));
	SLUICE_TRY(types_check(options, limits));
	limits->steps = options->steps ? options->steps : 1;
	limits->batch = options->batch ? options->batch : 1;
	limits->training = options->training != 0;
	limits->tape_mode = options->tape_mode;
	limits->winograd = options->winograd;
	limits->batch_major = options->layout == SLUICE_BATCH_MAJOR;
	limits->flush_denormals =
		options->flush_denormals == SLUICE_AUTO ? !limits->training : options->flush_denormals == SLUICE_ON;
	return SLUICE_OK;
}

/* Backward from gates and cells alone needs layers of which they tell everything. */
static sluice_status outputs_check(const sluice_model *model)
{
	for (size_t index = 0; index < model->network.layer_count; index++) {
		const sluice_layer *layer = &model->layers[index];
		const char *reason = layer->gate_clip > 0                           ? "gate_clip"
				     : layer->zoneout_h > 0 || layer->zoneout_c > 0 ? "zoneout"
										    : NULL;
		for (size_t slot = 0; slot < SLUICE__GATES; slot++)
			if (sluice__activation_needs_argument(sluice__layer_activation(layer, slot).kind))
				reason = "an activation whose slope its value does not tell";
		if (reason)
			return sluice_fail(SLUICE_UNSUPPORTED,
					   "tape_mode is outputs and layers[%zu] has %s: gates and c do not determine "
					   "its gradients, a tape does",
					   index, reason);
	}
	return SLUICE_OK;
}

static void log_choice(const sluice_context *context, const sluice_plan *plan)
{
	char text[256];
	if (!context->log)
		return;
	snprintf(text, sizeof text, "plan of %zu layers, steps up to %zu, batch up to %zu: %s",
		 plan->prepared.network->layer_count, plan->prepared.limits.steps, plan->prepared.limits.batch,
		 plan->backend->kernels(&plan->prepared));
	context->log(context->log_user, text);
}

sluice_status sluice_plan_create(const sluice_model *model, const sluice_plan_options *given, sluice_plan **out)
{
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	struct sluice__limits limits;
	if (!out)
		return sluice__null("out");
	*out = NULL;
	if (!model)
		return sluice__null("model");
	if (given)
		SLUICE_TRY(sluice__argument(&options, sizeof options, given, "options"));
	SLUICE_TRY(limits_check(&options, &limits));
	if (limits.training && limits.tape_mode == SLUICE_TAPE_OUTPUTS)
		SLUICE_TRY(outputs_check(model));

	const sluice_context *context = model->context;
	sluice_plan *plan = sluice__allocate(&context->allocator, sizeof *plan);
	if (!plan)
		return SLUICE_OUT_OF_MEMORY;
	plan->model = model;
	plan->backend = limits.data == SLUICE_F64 ? context->backend_f64 : context->backend;
	plan->real_bytes = sluice__dtype_bytes(limits.data == SLUICE_F64 ? SLUICE_F64 : SLUICE_F32);
	plan->prepared = (struct sluice__prepared){
		.network = &model->network,
		.allocator = &context->allocator,
		.parallel = &context->parallel,
		.level = context->level,
		.limits = limits,
	};
	plan->zero_frame_bytes = model->network.x_width * sluice__dtype_bytes(limits.data);
	plan->zero_frame = sluice__allocate(&context->allocator, plan->zero_frame_bytes);
	sluice_status status = plan->zero_frame ? plan->backend->prepare(&plan->prepared) : SLUICE_OUT_OF_MEMORY;
	if (status != SLUICE_OK) {
		sluice__release(&context->allocator, plan->zero_frame, plan->zero_frame_bytes);
		sluice__release(&context->allocator, plan, sizeof *plan);
		return status;
	}
	plan->backend->update(&plan->prepared, model->parameters);
	log_choice(context, plan);
	*out = plan;
	return SLUICE_OK;
}

void sluice_plan_destroy(sluice_plan *plan)
{
	if (!plan)
		return;
	plan->backend->release(&plan->prepared);
	sluice__release(&plan->model->context->allocator, plan->zero_frame, plan->zero_frame_bytes);
	sluice__release(&plan->model->context->allocator, plan, sizeof *plan);
}

sluice_status sluice_plan_update(sluice_plan *plan)
{
	if (!plan)
		return sluice__null("plan");
	plan->backend->update(&plan->prepared, plan->model->parameters);
	return SLUICE_OK;
}

size_t sluice_plan_state_size(const sluice_plan *plan, size_t batch)
{
	return plan->model->network.state_row * batch * plan->real_bytes;
}

size_t sluice_plan_workspace_size(const sluice_plan *plan)
{
	return plan->prepared.workspace_bytes;
}

size_t sluice_plan_tape_size(const sluice_plan *plan, size_t steps)
{
	if (!plan->prepared.limits.training)
		return 0;
	return plan->prepared.tape_fixed_bytes + steps * plan->prepared.tape_step_bytes;
}

size_t sluice_plan_describe(const sluice_plan *plan, char *text, size_t capacity)
{
	return plan->backend->describe(&plan->prepared, text, capacity);
}

const char *sluice_plan_kernels(const sluice_plan *plan)
{
	return plan->backend->kernels(&plan->prepared);
}

/* What write and read have in common: the checks, and where the layer's h and c lie in a row. */
static sluice_status state_check(const sluice_plan *plan, const void *state, size_t layer, size_t direction)
{
	if (!plan)
		return sluice__null("plan");
	if (!state)
		return sluice__null("state");
	const struct sluice__network *network = &plan->model->network;
	if (layer >= network->layer_count)
		return SLUICE_INVALID("layer is %zu, the model has %zu", layer, network->layer_count);
	if (direction >= network->layers[layer].directions)
		return SLUICE_INVALID("direction is %zu, layer %zu has %zu", direction, layer,
				      network->layers[layer].directions);
	return SLUICE_OK;
}

/* Copies one part of all rows of a state: from number `at` of each row on, `width` numbers of each place. */
static void copy_rows(const sluice_plan *plan, size_t batch, size_t at, size_t width, size_t places, char *state,
		      char *array, bool write)
{
	const size_t bytes = plan->real_bytes, row_bytes = plan->model->network.state_row * bytes;
	const size_t place_bytes = sluice__round_up(width, SLUICE__PAD) * bytes;
	for (size_t each = 0; array && each < batch * places; each++) {
		char *in_state = state + each / places * row_bytes + at * bytes + each % places * place_bytes;
		char *in_array = array + each * width * bytes;
		memcpy(write ? in_state : in_array, write ? in_array : in_state, width * bytes);
	}
}

static void copy_state(const sluice_plan *plan, size_t batch, size_t layer, size_t direction, void *state, void *h,
		       void *c, bool write)
{
	const struct sluice__layer *sizes = &plan->model->network.layers[layer];
	copy_rows(plan, batch, sizes->h[direction], sizes->out, sizes->places, state, h, write);
	copy_rows(plan, batch, sizes->c[direction], sizes->hidden, sizes->places, state, c, write);
}

sluice_status sluice_state_write(const sluice_plan *plan, void *state, size_t batch, size_t layer, size_t direction,
				 const void *h, const void *c)
{
	SLUICE_TRY(state_check(plan, state, layer, direction));
	copy_state(plan, batch, layer, direction, state, (void *)h, (void *)c, true);
	return SLUICE_OK;
}

sluice_status sluice_state_read(const sluice_plan *plan, const void *state, size_t batch, size_t layer,
				size_t direction, void *h, void *c)
{
	SLUICE_TRY(state_check(plan, state, layer, direction));
	copy_state(plan, batch, layer, direction, (void *)state, h, c, false);
	return SLUICE_OK;
}
