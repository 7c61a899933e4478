/*
 * 01_infer.c: builds a model in code, gives it trained weights in PyTorch's order and runs a sequence through it.
 *
 * The numbers come from torch.nn.LSTM(2, 3) in float64, and so do the outputs that this program expects to see.
 */
#include <sluice/sluice.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 4, INPUTS = 2, HIDDEN = 3, ROWS = 4 * HIDDEN };

/* weight_ih_l0 [4H,I], weight_hh_l0 [4H,H], bias_ih_l0 and bias_hh_l0 [4H]. The rows are the gates i f g o, H rows
 * each: the order of PyTorch is this library's own. Other orders and layouts are a field of sluice_weights away. */
static const float WEIGHT_IH[ROWS][INPUTS] = {
	{-0.23f, -0.03f}, {-0.44f, -0.52f}, {0.49f, -0.23f}, /* i */
	{0.10f, 0.50f},   {-0.76f, -0.20f}, {-0.46f, 0.66f}, /* f */
	{0.30f, 0.68f},   {0.73f, 0.54f},   {0.58f, 0.38f},  /* g */
	{0.48f, 0.17f},   {0.49f, 0.05f},   {0.21f, 0.04f},  /* o */
};
static const float WEIGHT_HH[ROWS][HIDDEN] = {
	{-0.38f, -0.07f, 0.04f},  {-0.29f, -0.25f, 0.02f}, {-0.34f, -0.45f, -0.32f}, /* i */
	{0.75f, -0.28f, 0.10f},   {-0.12f, -0.39f, 0.71f}, {0.35f, 0.40f, 0.79f},    /* f */
	{-0.79f, 0.57f, -0.21f},  {0.45f, -0.53f, -0.43f}, {-0.19f, -0.32f, -0.38f}, /* g */
	{-0.20f, -0.16f, -0.21f}, {0.43f, 0.66f, -0.23f},  {-0.61f, 0.53f, -0.35f},  /* o */
};
static const float BIAS_IH[ROWS] = {0.28f, 0.70f, 0.00f, -0.36f, 0.60f, 0.06f,
				    0.21f, 0.30f, 0.00f, 0.26f,  0.60f, 0.34f};
static const float BIAS_HH[ROWS] = {0.28f, 0.52f,  -0.09f, 0.68f,  0.73f,  -0.31f,
				    0.66f, -0.29f, -0.50f, -0.79f, -0.66f, 0.74f};

static const float X[STEPS][INPUTS] = {{1.0f, 0.0f}, {0.5f, -1.0f}, {-0.25f, 2.0f}, {0.0f, 0.75f}};
static const float EXPECTED[STEPS][HIDDEN] = {
	{0.217361f, 0.246278f, 0.037448f},
	{0.141784f, 0.089149f, -0.237618f},
	{0.310001f, 0.256342f, -0.145006f},
	{0.315445f, 0.342339f, -0.168174f},
};

/*
 * The expected numbers are rounded to six decimals: 5e-7. Arithmetic in float adds to that: a gate sums 7 terms of 3.5
 * together at most, so it errs by less than (4 + sqrt 7) * 2^-24 * 3.5 = 1.4e-6, and the cell adds up four of them.
 */
#define TOLERANCE 7e-6f

/* Every call that can fail says why. */
static void check(sluice_status status)
{
	if (status == SLUICE_OK)
		return;
	fprintf(stderr, "%s: %s\n", sluice_status_name(status), sluice_last_message());
	exit(1);
}

/* One layer of HIDDEN units; no read-out, so y is h. */
static sluice_model *build(sluice_context *context)
{
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_weights weights = SLUICE_WEIGHTS_INIT;
	sluice_model *model;

	layer.hidden = HIDDEN;
	description.inputs = INPUTS;
	description.layer_count = 1;
	description.layers = &layer;
	check(sluice_model_create(context, &description, &model));

	weights.input = WEIGHT_IH;
	weights.recurrent = WEIGHT_HH;
	weights.bias = BIAS_IH;
	weights.recurrent_bias = BIAS_HH;
	check(sluice_model_set_weights(model, 0, 0, &weights));
	return model;
}

int main(void)
{
	sluice_context *context;
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	sluice_plan *plan;
	sluice_run run = SLUICE_RUN_INIT;
	float y[STEPS][HIDDEN], worst = 0;

	check(sluice_context_create(NULL, &context));
	sluice_model *model = build(context);

	/* The plan makes all decisions: up to STEPS steps of one sequence a call, on the best kernels of this CPU. */
	options.steps = STEPS;
	check(sluice_plan_create(model, &options, &plan));
	printf("kernels: %s\n", sluice_plan_kernels(plan));

	/* A run allocates nothing, so the caller brings the workspace. Initial states left out are zero. */
	size_t workspace_size = sluice_plan_workspace_size(plan);
	run.workspace = sluice_allocate(context, workspace_size);
	if (!run.workspace)
		check(SLUICE_OUT_OF_MEMORY);
	run.x = &X[0][0];
	run.y = &y[0][0];
	check(sluice_forward(plan, &run));

	for (int t = 0; t < STEPS; t++) {
		printf("y[%d] = %9.6f %9.6f %9.6f\n", t, y[t][0], y[t][1], y[t][2]);
		for (int k = 0; k < HIDDEN; k++)
			worst = fmaxf(worst, fabsf(y[t][k] - EXPECTED[t][k]));
	}
	printf("largest difference from PyTorch: %.1e\n", worst);

	sluice_release(context, run.workspace, workspace_size);
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
	return worst <= TOLERANCE ? 0 : 1;
}
