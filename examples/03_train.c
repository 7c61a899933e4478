/*
 * 03_train.c: teaches a small LSTM to foretell the next value of a sum of two waves, with backward and Adam.
 *
 * A loop of four calls: forward writes the tape, backward turns the loss's gradient into the parameters', the optimizer
 * takes a step, and the plan packs the changed parameters.
 */
#include <sluice/ops.h>
#include <sluice/sluice.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 40, BATCH = 8, HIDDEN = 24, UPDATES = 300, VALUES = STEPS * BATCH };

static void check(sluice_status status)
{
	if (status == SLUICE_OK)
		return;
	fprintf(stderr, "%s: %s\n", sluice_status_name(status), sluice_last_message());
	exit(1);
}

static void *allocate(sluice_context *context, size_t bytes)
{
	void *block = sluice_allocate(context, bytes);
	if (!block)
		check(SLUICE_OUT_OF_MEMORY);
	return block;
}

static sluice_model *build(sluice_context *context)
{
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_initialization start = SLUICE_INITIALIZATION_INIT;
	sluice_model *model;

	layer.hidden = HIDDEN;
	description.inputs = 1;
	description.layer_count = 1;
	description.layers = &layer;
	description.outputs = 1;
	check(sluice_model_create(context, &description, &model));
	start.seed = 1;
	start.forget_bias = 1; /* remember at first, and learn what to forget */
	check(sluice_model_initialize(model, &start));
	return model;
}

/* Sequences of two sines each; every row of every update has phases of its own. Data are [T,N]. */
static void make_batch(int update, float *x, float *target)
{
	for (int n = 0; n < BATCH; n++)
		for (int t = 0; t < STEPS; t++) {
			float phase = 0.7f * (float)(update * BATCH + n), now = (float)t;
			x[t * BATCH + n] = 0.6f * sinf(0.3f * now + phase) + 0.4f * sinf(0.8f * now + 2 * phase);
			now += 1;
			target[t * BATCH + n] = 0.6f * sinf(0.3f * now + phase) + 0.4f * sinf(0.8f * now + 2 * phase);
		}
}

/* loss = mean (y - target)^2, and dy = dloss/dy. */
static double mean_square(const float *y, const float *target, float *dy)
{
	double sum = 0;
	for (int k = 0; k < VALUES; k++) {
		float error = y[k] - target[k];
		sum += (double)error * error;
		dy[k] = 2 * error / VALUES;
	}
	return sum / VALUES;
}

int main(void)
{
	float x[VALUES], y[VALUES], dy[VALUES], target[VALUES];
	double loss = 0, first = 0, norm;
	size_t count;
	sluice_context *context;
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	sluice_plan *plan;
	sluice_run run = SLUICE_RUN_INIT;
	sluice_gradients gradients = SLUICE_GRADIENTS_INIT;
	sluice_optimizer adam = SLUICE_OPTIMIZER_INIT;

	check(sluice_context_create(NULL, &context));
	sluice_model *model = build(context);
	options.steps = STEPS;
	options.batch = BATCH;
	options.training = 1;
	check(sluice_plan_create(model, &options, &plan));

	/* Parameters, their gradients and Adam's two moments are four vectors of one layout. */
	float *parameters = sluice_model_parameters(model, &count);
	size_t vector = count * sizeof(float);
	float *moments[2] = {allocate(context, vector), allocate(context, vector)};
	size_t workspace_size = sluice_plan_workspace_size(plan), tape_size = sluice_plan_tape_size(plan, STEPS);
	run.workspace = allocate(context, workspace_size);
	run.tape = allocate(context, tape_size);
	run.x = x;
	run.y = y;
	run.training = 1;
	gradients.dy = dy;
	gradients.dparameters = allocate(context, vector);
	adam.kind = SLUICE_OPTIMIZER_ADAM;
	adam.rate = 0.01f;

	for (int update = 1; update <= UPDATES; update++) {
		make_batch(update, x, target);
		check(sluice_forward(plan, &run));
		loss = mean_square(y, target, dy);
		check(sluice_backward(plan, &run, &gradients));

		/* A gradient longer than 1 is shortened to 1, so that one odd batch does no harm. */
		check(sluice_norm(context, count, gradients.dparameters, &norm));
		adam.gradient_scale = norm > 1 ? (float)(1 / norm) : 1;
		adam.update = (uint64_t)update;
		check(sluice_optimizer_step(context, &adam, count, parameters, gradients.dparameters, moments));
		check(sluice_plan_update(plan));

		if (update == 1)
			first = loss;
		if (update == 1 || update % 50 == 0)
			printf("update %3d: loss %.5f\n", update, loss);
	}

	sluice_release(context, moments[0], vector);
	sluice_release(context, moments[1], vector);
	sluice_release(context, gradients.dparameters, vector);
	sluice_release(context, run.workspace, workspace_size);
	sluice_release(context, run.tape, tape_size);
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
	/* Who says zero always, the waves' mean, has a loss of (0.36 + 0.16) / 2 = 0.26: learning means far below that.
	 */
	return first > 0.1 && loss < 0.26 / 20 ? 0 : 1;
}
