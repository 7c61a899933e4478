/* learner.c: one update and one validation of a character model, put together from the public calls. */
#include "learner.h"

#include <math.h>
#include <string.h>

/* Memory that lives as long as the learner: count elements of `bytes` bytes. Products that overflow are refused here,
 * so that no caller needs to look. */
static sluice_status take(struct sluice__learner *learner, size_t count, size_t bytes, void *out)
{
	if (count > SIZE_MAX / 2 / bytes)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "%zu elements of %zu bytes are more than memory can hold",
				   count, bytes);
	const size_t total = count * bytes;
	void *memory = sluice_allocate(learner->context, total);
	if (!memory)
		return SLUICE_OUT_OF_MEMORY;
	learner->pieces[learner->piece_count].memory = memory;
	learner->pieces[learner->piece_count++].bytes = total;
	memcpy(out, &memory, sizeof(memory));
	return SLUICE_OK;
}

static sluice_status create_characters(struct sluice__learner *learner)
{
	const struct sluice__train_options *options = learner->options;
	sluice_layer layers[127];
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	if (options->layers == 0 || options->layers > sizeof(layers) / sizeof(layers[0]))
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "layers is %zu; 1 to 127 are expected", options->layers);
	for (size_t k = 0; k < options->layers; k++) {
		layers[k] = (sluice_layer)SLUICE_LAYER_INIT;
		layers[k].hidden = options->hidden;
		layers[k].dropout = (float)options->dropout;
	}
	description.layer_count = options->layers;
	description.layers = layers;
	sluice_status status =
		sluice__characters_create(learner->context, learner->text->symbols, learner->text->symbol_count,
					  options->embedding, &description, &learner->characters);
	if (status != SLUICE_OK)
		return status;
	return sluice__characters_initialize(&learner->characters, options->seed, (float)options->forget_bias);
}

static sluice_status create_block(struct sluice__learner *learner, float *parameters, size_t count)
{
	struct sluice__block *block = &learner->blocks[learner->block_count++];
	block->parameters = parameters;
	block->count = count;
	sluice_status status = take(learner, count, sizeof(float), &block->gradients);
	for (size_t k = 0; k < learner->moment_count && status == SLUICE_OK; k++)
		status = take(learner, count, sizeof(float), &block->moments[k]);
	if (status == SLUICE_OK && learner->validation.count != 0)
		status = take(learner, count, sizeof(float), &block->best);
	return status;
}

static sluice_status create_blocks(struct sluice__learner *learner)
{
	size_t count;
	float *parameters = sluice_model_parameters(learner->characters.model, &count);
	learner->moment_count = sluice_optimizer_moments(learner->options->optimizer.kind);
	sluice_status status = create_block(learner, parameters, count);
	if (status == SLUICE_OK && !learner->characters.one_hot)
		status = create_block(learner, learner->characters.table,
				      learner->characters.symbol_count * learner->characters.width);
	return status;
}

static sluice_status create_plans(struct sluice__learner *learner)
{
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	options.steps = learner->options->steps;
	options.batch = learner->training.count;
	options.training = 1;
	sluice_status status = sluice_plan_create(learner->characters.model, &options, &learner->plan);
	if (status != SLUICE_OK || learner->validation.count == 0)
		return status;
	options.batch = learner->validation.count;
	options.training = 0;
	return sluice_plan_create(learner->characters.model, &options, &learner->validation_plan);
}

static sluice_status create_buffers(struct sluice__learner *learner)
{
	const size_t width = learner->characters.width, symbols = learner->characters.symbol_count;
	/* There are never more validation streams than training streams, so both fit. */
	const size_t rows = learner->options->steps * learner->training.count;
	size_t workspace = sluice_plan_workspace_size(learner->plan);
	size_t tape = sluice_plan_tape_size(learner->plan, learner->options->steps);
	learner->state_size = sluice_plan_state_size(learner->plan, learner->training.count);
	if (learner->validation_plan && sluice_plan_workspace_size(learner->validation_plan) > workspace)
		workspace = sluice_plan_workspace_size(learner->validation_plan);
	if (rows > SIZE_MAX / 2 / width || rows > SIZE_MAX / 2 / symbols)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "a batch of %zu characters of width %zu is too large", rows,
				   width);

	sluice_status status = take(learner, rows, sizeof(uint32_t), &learner->input);
	if (status == SLUICE_OK)
		status = take(learner, rows, sizeof(uint32_t), &learner->target);
	if (status == SLUICE_OK)
		status = take(learner, rows * width, sizeof(float), &learner->x);
	if (status == SLUICE_OK && !learner->characters.one_hot)
		status = take(learner, rows * width, sizeof(float), &learner->dx);
	if (status == SLUICE_OK)
		status = take(learner, rows * symbols, sizeof(float), &learner->y);
	if (status == SLUICE_OK)
		status = take(learner, learner->state_size, 1, &learner->state);
	if (status == SLUICE_OK)
		status = take(learner, learner->state_size, 1, &learner->validation_state);
	if (status == SLUICE_OK)
		status = take(learner, tape, 1, &learner->tape);
	if (status == SLUICE_OK)
		status = take(learner, workspace, 1, &learner->workspace);
	return status;
}

sluice_status sluice__learner_create(sluice_context *context, const struct sluice__train_options *options,
				     const struct sluice__text *text, struct sluice__learner *out)
{
	*out = (struct sluice__learner){.context = context, .options = options, .text = text};
	out->characters.context = context;
	sluice_status status = sluice__streams_training(text, options->batch, options->steps, &out->training);
	if (status == SLUICE_OK)
		status = sluice__streams_validation(text, options->batch, options->steps, &out->validation);
	if (status == SLUICE_OK)
		status = create_characters(out);
	if (status == SLUICE_OK)
		status = create_blocks(out);
	if (status == SLUICE_OK)
		status = create_plans(out);
	if (status == SLUICE_OK)
		status = create_buffers(out);
	return status;
}

void sluice__learner_release(struct sluice__learner *learner)
{
	for (size_t k = 0; k < learner->piece_count; k++)
		sluice_release(learner->context, learner->pieces[k].memory, learner->pieces[k].bytes);
	sluice_plan_destroy(learner->plan);
	sluice_plan_destroy(learner->validation_plan);
	sluice__characters_release(&learner->characters);
	learner->piece_count = 0;
	learner->plan = learner->validation_plan = NULL;
}

sluice_status sluice__learner_refresh(struct sluice__learner *learner)
{
	return sluice_plan_update(learner->plan);
}

void sluice__learner_forget(struct sluice__learner *learner)
{
	memset(learner->state, 0, learner->state_size);
}

/* Loads a batch and embeds it. */
static sluice_status embed(struct sluice__learner *learner, const struct sluice__streams *streams, size_t offset,
			   size_t steps)
{
	const struct sluice__characters *characters = &learner->characters;
	sluice__streams_fill(learner->text, streams, offset, steps, learner->input, learner->target);
	return sluice_embedding_forward(learner->context, steps * streams->count, characters->symbol_count,
					characters->width, characters->table, learner->input, learner->x);
}

static sluice_run describe_run(struct sluice__learner *learner, const struct sluice__streams *streams, size_t steps,
			       void *state)
{
	sluice_run run = SLUICE_RUN_INIT;
	run.steps = steps;
	run.batch = streams->count;
	run.x = learner->x;
	run.y = learner->y;
	run.initial_state = state;
	run.final_state = state;
	run.workspace = learner->workspace;
	run.seed = learner->options->seed;
	return run;
}

static sluice_status gradients_of(struct sluice__learner *learner, const sluice_run *run)
{
	const struct sluice__characters *characters = &learner->characters;
	struct sluice__block *embedding = characters->one_hot ? NULL : &learner->blocks[1];
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	gradients.dy = learner->y; /* the loss has put its gradient there */
	gradients.dx = learner->dx;
	gradients.dparameters = learner->blocks[0].gradients;
	sluice_status status = sluice_backward(learner->plan, run, &gradients);
	if (status != SLUICE_OK || !embedding)
		return status;
	memset(embedding->gradients, 0, embedding->count * sizeof(float));
	return sluice_embedding_backward(learner->context, run->steps * run->batch, characters->symbol_count,
					 characters->width, learner->input, learner->dx, embedding->gradients);
}

/* The norm of all blocks as of one vector. */
static sluice_status gradient_norm(struct sluice__learner *learner, double *norm)
{
	double squares = 0;
	for (size_t k = 0; k < learner->block_count; k++) {
		double part;
		sluice_status status =
			sluice_norm(learner->context, learner->blocks[k].count, learner->blocks[k].gradients, &part);
		if (status != SLUICE_OK)
			return status;
		squares += part * part;
	}
	*norm = sqrt(squares);
	return SLUICE_OK;
}

static sluice_status optimize(struct sluice__learner *learner, uint64_t update, double rate, double norm)
{
	sluice_optimizer optimizer = learner->options->optimizer;
	optimizer.rate = (float)rate;
	optimizer.update = update;
	if (learner->options->clip > 0)
		optimizer.gradient_scale = (float)fmin(1.0, learner->options->clip / (norm + 1e-6));
	for (size_t k = 0; k < learner->block_count; k++) {
		struct sluice__block *block = &learner->blocks[k];
		sluice_status status = sluice_optimizer_step(learner->context, &optimizer, block->count,
							     block->parameters, block->gradients, block->moments);
		if (status != SLUICE_OK)
			return status;
	}
	return sluice_plan_update(learner->plan);
}

sluice_status sluice__learner_update(struct sluice__learner *learner, uint64_t update, double rate, size_t offset,
				     double *loss, double *norm)
{
	const size_t steps = learner->options->steps;
	sluice_run run = describe_run(learner, &learner->training, steps, learner->state);
	run.tape = learner->tape;
	run.training = 1;
	/* Numbered over all epochs, so that no two updates drop the same outputs. */
	run.step_offset = (update - 1) * steps;

	sluice_status status = embed(learner, &learner->training, offset, steps);
	if (status == SLUICE_OK)
		status = sluice_forward(learner->plan, &run);
	if (status == SLUICE_OK)
		status = sluice_softmax_cross_entropy(learner->context, steps * run.batch,
						      learner->characters.symbol_count, learner->y, learner->target,
						      loss, learner->y);
	if (status == SLUICE_OK)
		status = gradients_of(learner, &run);
	if (status == SLUICE_OK)
		status = gradient_norm(learner, norm);
	if (status != SLUICE_OK)
		return status;
	if (!isfinite(*loss) || !isfinite(*norm))
		return sluice_fail(
			SLUICE_INTERNAL,
			"training diverged: loss %g and gradient norm %g at update %llu; a lower rate or a lower "
			"clip may help",
			*loss, *norm, (unsigned long long)update);
	return optimize(learner, update, rate, *norm);
}

sluice_status sluice__learner_validate(struct sluice__learner *learner, double *loss)
{
	const struct sluice__streams *streams = &learner->validation;
	double sum = 0;
	sluice_status status = sluice_plan_update(learner->validation_plan);
	memset(learner->validation_state, 0, learner->state_size);
	for (size_t offset = 0; offset < streams->length && status == SLUICE_OK; offset += learner->options->steps) {
		size_t rest = streams->length - offset;
		size_t steps = rest < learner->options->steps ? rest : learner->options->steps;
		sluice_run run = describe_run(learner, streams, steps, learner->validation_state);
		double mean = 0;
		status = embed(learner, streams, offset, steps);
		if (status == SLUICE_OK)
			status = sluice_forward(learner->validation_plan, &run);
		if (status == SLUICE_OK)
			status = sluice_softmax_cross_entropy(learner->context, steps * run.batch,
							      learner->characters.symbol_count, learner->y,
							      learner->target, &mean, NULL);
		sum += mean * (double)steps;
	}
	*loss = sum / (double)streams->length;
	return status;
}

void sluice__learner_keep(struct sluice__learner *learner)
{
	for (size_t k = 0; k < learner->block_count; k++)
		memcpy(learner->blocks[k].best, learner->blocks[k].parameters,
		       learner->blocks[k].count * sizeof(float));
}

sluice_status sluice__learner_recall(struct sluice__learner *learner)
{
	for (size_t k = 0; k < learner->block_count; k++)
		memcpy(learner->blocks[k].parameters, learner->blocks[k].best,
		       learner->blocks[k].count * sizeof(float));
	return sluice__learner_refresh(learner);
}
