/*
 * mps_rows.h: the questions of the probes of Metal Performance Shaders about rows, matrices and states, and about
 * images.
 */
#ifndef SLUICE_COMPAT_PROBE_MPS_ROWS_H
#define SLUICE_COMPAT_PROBE_MPS_ROWS_H

#include "mps_forward.h"

/* Steps of 4, 2 and 1 rows. */
static struct net *falling_net(void)
{
	struct net *net = usual_net();
	net->rows[1] = 2;
	net->rows[2] = 1;
	return net;
}

static void ask_falling_rows(void)
{
	struct net *net = falling_net();
	forward(net);
	printf("%s", as_reference(net, FINE) ? "rows that a step has not are left alone" : "otherwise");
}

/* Whether row r of a state is h of step steps[r]. */
static int rows_of_steps(const struct net *net, const float *h, const size_t *steps)
{
	static float y[ROOM];
	reference(net, y);
	for (size_t row = 0; row < BATCH; row++)
		if (!near_all(h + row * HIDDEN, y + (steps[row] * BATCH + row) * HIDDEN, HIDDEN, FINE))
			return 0;
	return 1;
}

static void ask_falling_rows_final_state(void)
{
	static const size_t last[BATCH] = {2, 1, 0, 0};
	struct net *net = falling_net();
	forward(net);
	printf("%s", rows_of_steps(net, net->h[0], last) ? "every row after its own last step" : "otherwise");
}

static void ask_falling_rows_all_states(void)
{
	static const size_t steps[STEPS][BATCH] = {{0, 0, 0, 0}, {1, 1, 0, 0}, {2, 1, 0, 0}};
	struct net *net = falling_net();
	int carried = 1;
	net->all_states = 1;
	forward(net);
	for (size_t k = 0; k < STEPS; k++)
		carried &= rows_of_steps(net, net->h[k], steps[k]);
	printf("%zu states, rows that have ended are %s", net->states, carried ? "carried on" : "otherwise");
}

static void ask_states(void)
{
	struct net *net = usual_net();
	static float expected[ROOM];
	add_layer(net, HIDDEN, HIDDEN);
	net->looked = 1;
	forward(net);
	reference(net, expected);
	printf("%zu state of the last layer, %s", net->states,
	       near_all(expected + (STEPS - 1) * BATCH * HIDDEN, net->h[0], (size_t)BATCH * HIDDEN, FINE)
		       ? "h of the last step"
		       : "otherwise");
}

static void ask_chained_states(void)
{
	struct net *net = usual_net();
	net->split = 2;
	forward(net);
	printf("%s", as_reference(net, FINE) ? "two calls are as one" : "otherwise");
}

static void ask_temporary_state(void)
{
	struct net *net = usual_net();
	net->split = 2;
	net->temporary = 1;
	forward(net);
	printf("read count %d, after its use %d", net->read_counts[0], net->read_counts[1]);
}

static void ask_one_matrix(void)
{
	struct net *net = usual_net();
	net->packed = 1;
	forward(net);
	printf("%s", as_reference(net, FINE) ? "as matrices for each step" : "otherwise");
}

static void ask_in_place(void)
{
	struct net *net = new_net(STEPS, BATCH, HIDDEN, HIDDEN);
	net->in_place = 1;
	forward(net);
	printf("%s", as_reference(net, FINE) ? "the same results" : "otherwise");
}

static void ask_float16(void)
{
	struct net *net = usual_net();
	net->type = FLOAT16;
	forward(net);
	printf("accepted, %s", as_reference(net, ROUGH) ? "as Float32 but for rounding" : "otherwise");
}

/* h of the first call is kept with all bits if the second one's x has no other way to know them. */
static void ask_float16_state(void)
{
	struct net *net = mirror_net(1);
	struct source *recurrent = &net->layer[0].sources[RECURRENT][CELL_GATE];
	net->type = FLOAT16;
	net->steps = 2;
	net->rows[1] = 1;
	net->x[0] = 1;
	net->x[1] = 1;
	net->layer[0].sources[INPUT][CELL_GATE].weights[0] = 2049;
	add_source(&net->layer[0], RECURRENT, CELL_GATE, 1);
	recurrent->weights[0] = -1;
	forward(net);
	printf("h between steps is %s", near(net->y[1], 0, 0.5) ? "kept" : "rounded");
}

/* ------------------------------------------------------------------------------------------------------ images -- */

static void print_kernel(size_t width, const float *taps, size_t dilation, size_t stride)
{
	struct net *net = mirror_image(4);
	for (int gate = 0; gate < GATES; gate++) {
		struct source *source = &net->layer[0].sources[INPUT][gate];
		source->width = width;
		source->dilation = dilation;
		source->stride = stride;
		for (size_t k = 0; k < width; k++)
			source->weights[k] = gate == CELL_GATE ? taps[k] : 0;
	}
	forward(net);
	print_numbers(net->y, 4);
}

static void ask_kernel_of_two(void)
{
	static const float taps[] = {1, 0};
	print_kernel(2, taps, 1, 1);
}

static void ask_kernel_of_three(void)
{
	static const float taps[] = {1, 0, 0};
	print_kernel(3, taps, 1, 1);
}

static void ask_kernel_to_the_right(void)
{
	static const float taps[] = {0, 0, 1};
	print_kernel(3, taps, 1, 1);
}

static void ask_dilation(void)
{
	static const float taps[] = {1, 0, 0};
	print_kernel(3, taps, 2, 1);
}

static void ask_strides(void)
{
	static const float taps[] = {0, 1, 0};
	print_kernel(3, taps, 1, 2);
}

static void ask_image_weights(void)
{
	struct net *net = mirror_image(1);
	net->layer[0].sources[INPUT][CELL_GATE].weights[0] = 2049;
	forward(net);
	printf("weight %s", near(net->y[0], 2049, 0.5) ? "kept" : "rounded");
}

static struct net *usual_image(void)
{
	struct net *net = new_net(STEPS, 1, 2, 2);
	net->height = 3;
	net->width = 4;
	return net;
}

static void set_kernels(struct net *net, int part, size_t height, size_t width)
{
	for (int gate = 0; gate < GATES; gate++) {
		net->layer[0].sources[part][gate].height = height;
		net->layer[0].sources[part][gate].width = width;
	}
}

static void print_image(struct net *net)
{
	forward(net);
	printf("%s", as_reference(net, ROUGH) ? "as the equations" : "otherwise");
}

static void ask_image_kernels(void)
{
	struct net *net = usual_image();
	add_memory(net, 0);
	set_kernels(net, INPUT, 3, 3);
	set_kernels(net, RECURRENT, 3, 5);
	set_kernels(net, MEMORY, 3, 3);
	print_image(net);
}

static void ask_image_diagonal(void)
{
	struct net *net = usual_image();
	add_memory(net, 1);
	set_kernels(net, INPUT, 3, 3);
	forward(net);
	printf("%s", as_reference(net, ROUGH) ? "one number for each channel" : "otherwise");
}

static void ask_image_groups(void)
{
	struct net *net = usual_image();
	for (int gate = 0; gate < GATES; gate++)
		net->layer[0].sources[RECURRENT][gate].groups = 2;
	set_kernels(net, RECURRENT, 3, 3);
	print_image(net);
}

static void ask_image_gates_apart(void)
{
	struct net *net = usual_image();
	set_kernels(net, INPUT, 3, 3);
	net->layer[0].sources[INPUT][FORGET_GATE].width = 1;
	net->layer[0].sources[INPUT][CELL_GATE].height = 2;
	print_image(net);
}

static void ask_image_stack(void)
{
	struct net *net = usual_image();
	add_layer(net, 2, 3);
	print_image(net);
}

static void ask_image_chained(void)
{
	struct net *net = usual_image();
	net->split = 1;
	set_kernels(net, RECURRENT, 3, 3);
	print_image(net);
}

static void ask_falling_images(void)
{
	struct net *net = usual_image();
	net->rows[0] = 2;
	forward(net);
	printf("accepted");
}

#endif
