/* plan.c exists to fix, before anything runs, all sizes and choices of a model's use, and to tell them. */
#include "core/internal.h"

#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"

static sluice_status limits_check(const sluice_plan_options *options, struct sluice__limits *limits)
{
	if ((unsigned)options->layout > SLUICE_BATCH_MAJOR)
		return SLUICE_INVALID("layout is %d, expected 0 or %d", (int)options->layout, SLUICE_BATCH_MAJOR);
	if ((unsigned)options->flush_denormals > SLUICE_OFF)
		return SLUICE_INVALID("flush_denormals is %d, expected 0 to %d", (int)options->flush_denormals,
				      SLUICE_OFF);
	limits->steps = options->steps ? options->steps : 1;
	limits->batch = options->batch ? options->batch : 1;
	limits->training = options->training != 0;
	limits->batch_major = options->layout == SLUICE_BATCH_MAJOR;
	limits->flush_denormals =
		options->flush_denormals == SLUICE_AUTO ? !limits->training : options->flush_denormals == SLUICE_ON;
	return SLUICE_OK;
}

static void log_choice(const sluice_context *context, const sluice_plan *plan)
{
	char text[256];
	if (!context->log)
		return;
	snprintf(text, sizeof text, "plan of %zu layers, steps up to %zu, batch up to %zu: %s",
		 plan->prepared.network->layer_count, plan->prepared.limits.steps, plan->prepared.limits.batch,
		 context->backend->kernels(&plan->prepared));
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

	const sluice_context *context = model->context;
	sluice_plan *plan = sluice__allocate(&context->allocator, sizeof *plan);
	if (!plan)
		return SLUICE_OUT_OF_MEMORY;
	plan->model = model;
	plan->prepared = (struct sluice__prepared){
		.network = &model->network,
		.allocator = &context->allocator,
		.parallel = &context->parallel,
		.level = context->level,
		.limits = limits,
	};
	sluice_status status = context->backend->prepare(&plan->prepared);
	if (status != SLUICE_OK) {
		sluice__release(&context->allocator, plan, sizeof *plan);
		return status;
	}
	context->backend->update(&plan->prepared, model->parameters);
	log_choice(context, plan);
	*out = plan;
	return SLUICE_OK;
}

void sluice_plan_destroy(sluice_plan *plan)
{
	if (!plan)
		return;
	const sluice_context *context = plan->model->context;
	context->backend->release(&plan->prepared);
	sluice__release(&context->allocator, plan, sizeof *plan);
}

sluice_status sluice_plan_update(sluice_plan *plan)
{
	if (!plan)
		return sluice__null("plan");
	plan->model->context->backend->update(&plan->prepared, plan->model->parameters);
	return SLUICE_OK;
}

size_t sluice_plan_state_size(const sluice_plan *plan, size_t batch)
{
	return plan->model->network.state_row * batch * sizeof(float);
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
	return plan->model->context->backend->describe(&plan->prepared, text, capacity);
}

const char *sluice_plan_kernels(const sluice_plan *plan)
{
	return plan->model->context->backend->kernels(&plan->prepared);
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

sluice_status sluice_state_write(const sluice_plan *plan, void *state, size_t batch, size_t layer, size_t direction,
				 const void *h, const void *c)
{
	SLUICE_TRY(state_check(plan, state, layer, direction));
	const struct sluice__layer *sizes = &plan->model->network.layers[layer];
	const size_t hidden = sizes->hidden;
	for (size_t row = 0; row < batch; row++) {
		float *to = (float *)state + row * plan->model->network.state_row;
		if (h)
			memcpy(to + sizes->h[direction], (const float *)h + row * hidden, hidden * sizeof *to);
		if (c)
			memcpy(to + sizes->c[direction], (const float *)c + row * hidden, hidden * sizeof *to);
	}
	return SLUICE_OK;
}

sluice_status sluice_state_read(const sluice_plan *plan, const void *state, size_t batch, size_t layer,
				size_t direction, void *h, void *c)
{
	SLUICE_TRY(state_check(plan, state, layer, direction));
	const struct sluice__layer *sizes = &plan->model->network.layers[layer];
	const size_t hidden = sizes->hidden;
	for (size_t row = 0; row < batch; row++) {
		const float *from = (const float *)state + row * plan->model->network.state_row;
		if (h)
			memcpy((float *)h + row * hidden, from + sizes->h[direction], hidden * sizeof *from);
		if (c)
			memcpy((float *)c + row * hidden, from + sizes->c[direction], hidden * sizeof *from);
	}
	return SLUICE_OK;
}
