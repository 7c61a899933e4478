/*
 * mps_reference.h: the cell as Apple's documents write it, in double precision, for the probes of Metal Performance
 * Shaders to compare with: stacks of one direction, matrices being images of one pixel.
 */
#ifndef SLUICE_COMPAT_PROBE_MPS_REFERENCE_H
#define SLUICE_COMPAT_PROBE_MPS_REFERENCE_H

#include "mps_net.h"

static double activated(int neuron, double x)
{
	if (neuron == SIGMOID)
		return 1 / (1 + exp(-x));
	return neuron == TANH ? tanh(x) : x;
}

struct picture {
	size_t height, width;
};

/* The sum of one output channel's taps at one pixel; outside the picture there are zeros. */
static double taps_sum(const struct source *source, struct picture picture, const double *in, size_t y, size_t x,
		       size_t channel)
{
	const size_t part = source->in / source->groups, group = channel / (source->out / source->groups);
	const size_t up = source->height / 2 * source->dilation, left = source->width / 2 * source->dilation;
	size_t index = channel * source->height * source->width * part;
	double sum = 0;
	for (size_t v = 0; v < source->height; v++)
		for (size_t u = 0; u < source->width; u++, index += part) {
			const size_t row = y + v * source->dilation - up, column = x + u * source->dilation - left;
			/* What lies above or to the left is a huge number. */
			if (row >= picture.height || column >= picture.width)
				continue;
			for (size_t k = 0; k < part; k++)
				sum += source_weight(source, index + k) *
				       in[(row * picture.width + column) * source->in + group * part + k];
		}
	return sum;
}

static double part_sum(const struct layer *layer, int part, int gate, struct picture picture, const double *in,
		       size_t place, size_t unit)
{
	const struct source *source = &layer->sources[part][gate];
	if (!source->there)
		return 0;
	if (part == MEMORY && layer->diagonal)
		return source_weight(source, unit) * in[place * layer->hidden + unit];
	return taps_sum(source, picture, in, place / picture.width, place % picture.width, unit);
}

/* One gate of every pixel and unit. */
static void gate_values(const struct layer *layer, int gate, struct picture picture, const double *x, const double *h,
			const double *c, double *out)
{
	const struct source *source = &layer->sources[INPUT][gate];
	for (size_t k = 0; k < picture.height * picture.width * layer->hidden; k++) {
		const size_t place = k / layer->hidden, unit = k % layer->hidden;
		double sum = part_sum(layer, INPUT, gate, picture, x, place, unit) +
			     part_sum(layer, RECURRENT, gate, picture, h, place, unit) +
			     part_sum(layer, MEMORY, gate, picture, c, place, unit);
		out[k] = source->there ? activated(source->neuron, sum + (double)source->bias[unit]) : sum;
	}
}

static void step_values(const struct layer *layer, struct picture picture, const double *x, double *h, double *c)
{
	double gates[GATES][ROOM];
	const size_t count = picture.height * picture.width * layer->hidden;
	for (int gate = 0; gate < GATES; gate++)
		if (gate != OUTPUT_GATE)
			gate_values(layer, gate, picture, x, h, c, gates[gate]);
	for (size_t k = 0; k < count; k++)
		c[k] = gates[FORGET_GATE][k] * c[k] + gates[INPUT_GATE][k] * gates[CELL_GATE][k];
	gate_values(layer, OUTPUT_GATE, picture, x, h, c, gates[OUTPUT_GATE]);
	for (size_t k = 0; k < count; k++)
		h[k] = gates[OUTPUT_GATE][k] * activated(layer->cell_neuron, c[k]);
}

/* h and c of one row and layer. */
struct moment {
	double h[ROOM], c[ROOM];
};

static void row_values(const struct net *net, size_t row, struct moment *moments, double *y)
{
	const struct picture picture = {net->height ? net->height : 1, net->height ? net->width : 1};
	const size_t places = picture.height * picture.width, width = places * net->layer[0].inputs,
		     out = places * net->layer[net->layers - 1].hidden;
	for (size_t step = 0; step < net->steps && row < net->rows[step]; step++) {
		double x[ROOM];
		for (size_t k = 0; k < width; k++)
			x[k] = net->x[(step * net->rows[0] + row) * width + k];
		for (size_t k = 0; k < net->layers; k++)
			step_values(&net->layer[k], picture, k ? moments[k - 1].h : x, moments[k].h, moments[k].c);
		for (size_t k = 0; k < out; k++)
			y[(step * net->rows[0] + row) * out + k] = moments[net->layers - 1].h[k];
	}
}

/* y of every step and row; rows that a step has not keep the mark. */
static void reference(const struct net *net, float *y)
{
	static struct moment moments[MOST_LAYERS];
	static double values[ROOM];
	for (size_t k = 0; k < ROOM; k++)
		values[k] = (double)MARK;
	for (size_t row = 0; row < net->rows[0]; row++) {
		memset(moments, 0, sizeof(moments));
		for (size_t k = 0; k < net->layer[0].hidden; k++) {
			moments[0].h[k] = net->start_h[row * net->layer[0].hidden + k];
			moments[0].c[k] = net->start_c[row * net->layer[0].hidden + k];
		}
		row_values(net, row, moments, values);
	}
	for (size_t k = 0; k < ROOM; k++)
		y[k] = (float)values[k];
}

static size_t count_of_y(const struct net *net)
{
	return net->steps * net->rows[0] * places_of(net) * outputs_of(net);
}

static int as_reference(const struct net *net, double room)
{
	static float expected[ROOM];
	reference(net, expected);
	return near_all(expected, net->y, count_of_y(net), room);
}

static double loss_of(const struct net *net)
{
	static float y[ROOM];
	double sum = 0;
	reference(net, y);
	for (size_t k = 0; k < count_of_y(net); k++)
		if (k / outputs_of(net) % net->rows[0] < net->rows[k / outputs_of(net) / net->rows[0]])
			sum += (double)net->dy[k] * (double)y[k];
	return sum;
}

/* The derivative of the sum of dy y by one number of the net, which is changed and changed back. */
static double difference(const struct net *net, float *number)
{
	const float step = 1.0f / 256, there = *number;
	double more, less;
	*number = there + step;
	more = loss_of(net);
	*number = there - step;
	less = loss_of(net);
	*number = there;
	return (more - less) / (2 * (double)step);
}

/* Whether these are the derivatives by so many numbers. Third derivatives below 10 leave 10 / 6 / 256 / 256 in a
 * difference. */
static int as_differences(const struct net *net, float *numbers, const float *gradients, size_t count, double room)
{
	for (size_t k = 0; k < count; k++)
		if (!near(difference(net, &numbers[k]), gradients[k], room))
			return 0;
	return 1;
}

#endif
