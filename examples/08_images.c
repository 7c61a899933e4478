/*
 * 08_images.c: teaches a small ConvLSTM to foretell the next frame of a film: a square that moves and bounces.
 *
 * With image_height and image_width in the description the layers' products are convolutions, and a row of x and of y
 * is a whole image. Everything else is as in 03_train.c.
 */
#include <sluice/ops.h>
#include <sluice/sluice.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 8, BATCH = 4, SIDE = 10, SQUARE = 3, CHANNELS = 8, UPDATES = 200, KERNEL = 3 };
enum { PLACES = SIDE * SIDE, VALUES = STEPS * BATCH * PLACES };

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

/* Kernels of 3 x 3 see what is near; h carries it on from step to step. The read-out is the same at each place. */
static sluice_model *build(sluice_context *context)
{
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_initialization start = SLUICE_INITIALIZATION_INIT;
	sluice_model *model;

	layer.hidden = CHANNELS;
	layer.input_convolution.height = layer.input_convolution.width = KERNEL;
	layer.recurrent_convolution = layer.input_convolution;
	description.inputs = 1;
	description.layer_count = 1;
	description.layers = &layer;
	description.outputs = 1;
	description.image_height = SIDE;
	description.image_width = SIDE;
	check(sluice_model_create(context, &description, &model));
	start.seed = 1;
	start.forget_bias = 1;
	check(sluice_model_initialize(model, &start));
	return model;
}

struct mover {
	int at, pace;
};

/* On from one side to the other and back. */
static void move(struct mover *mover)
{
	if (mover->at + mover->pace < 0 || mover->at + mover->pace > SIDE - SQUARE)
		mover->pace = -mover->pace;
	mover->at += mover->pace;
}

static void draw(const struct mover *y, const struct mover *x, float *frame)
{
	memset(frame, 0, PLACES * sizeof(float));
	for (int row = 0; row < SQUARE; row++)
		for (int column = 0; column < SQUARE; column++)
			frame[(y->at + row) * SIDE + x->at + column] = 1;
}

/* Every row of every update has a film of its own: [T,N,Y,X], and the same one step later. */
static void make_films(uint32_t update, float *x, float *target)
{
	for (uint32_t n = 0; n < BATCH; n++) {
		const uint32_t key[2] = {update, n}, counter[4] = {0};
		uint32_t words[4];
		sluice_philox(key, counter, words);
		struct mover down = {(int)(words[0] % (SIDE - SQUARE + 1)), words[2] & 1 ? 1 : -1},
			     across = {(int)(words[1] % (SIDE - SQUARE + 1)), words[3] & 1 ? 1 : -1};
		for (int t = 0; t < STEPS; t++) {
			draw(&down, &across, x + ((uint32_t)t * BATCH + n) * PLACES);
			move(&down);
			move(&across);
			draw(&down, &across, target + ((uint32_t)t * BATCH + n) * PLACES);
		}
	}
}

/* loss = mean (y - target)^2 from the second step on, since the first frame does not say where the square goes. */
static double mean_square(const float *y, const float *target, float *dy)
{
	enum { FIRST = BATCH * PLACES, COUNT = VALUES - FIRST };
	double sum = 0;
	memset(dy, 0, FIRST * sizeof(float));
	for (int k = FIRST; k < VALUES; k++) {
		const float error = y[k] - target[k];
		sum += (double)error * error;
		dy[k] = 2 * error / COUNT;
	}
	return sum / COUNT;
}

static void show(const char *title, const float *frame)
{
	printf("%s:\n", title);
	for (int place = 0; place < PLACES; place++) {
		const float level = fminf(fmaxf(frame[place], 0), 1);
		printf("%c%s", ".:+*#"[(int)(4 * level + 0.5f)], place % SIDE == SIDE - 1 ? "\n" : "");
	}
}

int main(void)
{
	static float x[VALUES], y[VALUES], dy[VALUES], target[VALUES];
	double loss = 0, still = 0;
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

	float *parameters = sluice_model_parameters(model, &count);
	const size_t vector = count * sizeof(float), workspace_size = sluice_plan_workspace_size(plan),
		     tape_size = sluice_plan_tape_size(plan, STEPS);
	float *moments[2] = {allocate(context, vector), allocate(context, vector)};
	run.workspace = allocate(context, workspace_size);
	run.tape = allocate(context, tape_size);
	run.x = x;
	run.y = y;
	run.training = 1;
	gradients.dy = dy;
	gradients.dparameters = allocate(context, vector);
	adam.kind = SLUICE_OPTIMIZER_ADAM;
	adam.rate = 0.02f;

	for (uint32_t update = 1; update <= UPDATES; update++) {
		make_films(update, x, target);
		check(sluice_forward(plan, &run));
		still = mean_square(x, target, dy);
		loss = mean_square(y, target, dy);
		check(sluice_backward(plan, &run, &gradients));
		adam.update = update;
		check(sluice_optimizer_step(context, &adam, count, parameters, gradients.dparameters, moments));
		check(sluice_plan_update(plan));
		if (update == 1 || update % 50 == 0)
			printf("update %3u: loss %.4f, of a square that stands still %.4f\n", (unsigned)update, loss,
			       still);
	}
	show("the frame that comes", target + VALUES - PLACES);
	show("as foretold", y + VALUES - PLACES);

	sluice_release(context, moments[0], vector);
	sluice_release(context, moments[1], vector);
	sluice_release(context, gradients.dparameters, vector);
	sluice_release(context, run.workspace, workspace_size);
	sluice_release(context, run.tape, tape_size);
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
	/* Who says that the square stands still errs in the ten of a hundred places that a step changes; who has learnt
	 * which way it moves errs where it bounces. */
	return loss < still / 4 ? 0 : 1;
}
