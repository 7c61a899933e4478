/*
 * data.c: makes a problem's random data, so that a failure seen by one program is the same failure in every other.
 */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* SplitMix64 (Steele, Lea, Flood 2014): a counter through a mixing function, so element k needs no elements before it.
 */
static uint64_t mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

void sluice__data_fill(uint64_t seed, const char *name, float scale, size_t count, float *out)
{
	uint64_t start = mix(seed + UINT64_C(0x9e3779b97f4a7c15));

	for (; *name; name++)
		start = mix(start ^ (unsigned char)*name);
	for (size_t index = 0; index < count; index++) {
		uint64_t bits = mix(start + (index + 1) * UINT64_C(0x9e3779b97f4a7c15));

		/* 24 bits, centred: the values -1 + (2k+1)/2^24 are exact in f32 and their mean is exactly zero. */
		out[index] = scale * (((float)(bits >> 40) - 8388607.5f) / 8388608.0f);
	}
}

/* The H that scales a tensor: of its cell, or of what the read-out reads. */
static size_t tensor_width(const struct sluice__network *network, size_t offset)
{
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		const size_t own[] = {cell->weight_ih, cell->weight_hh, cell->bias,
				      cell->weight_hr, cell->peephole,  cell->prelu};

		for (size_t tensor = 0; tensor < sizeof(own) / sizeof(own[0]); tensor++)
			if (offset == own[tensor])
				return cell->hidden;
	}
	return network->widths[network->layer_count];
}

/* a * b * c, or 0 where that overflows or is beyond what a machine holds. */
static size_t product(size_t a, size_t b, size_t c)
{
	double value = (double)a * (double)b * (double)c;

	return value < 1e12 ? a * b * c : 0;
}

sluice_status sluice__data_create(const struct sluice__network *network, size_t steps, size_t batch, uint64_t seed,
				  struct sluice__data *out)
{
	struct sluice__data data = {0};
	size_t count;
	float *next;

	data.x_count = product(steps, batch, network->inputs);
	data.y_count = product(steps, batch, network->outputs);
	data.h_count = product(batch, network->h_width, 1);
	data.c_count = product(batch, network->c_width, 1);
	data.parameter_count = network->parameter_count;
	if (!data.x_count || !data.y_count || !data.h_count || !data.c_count || data.parameter_count > 1000000000000u)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "data of %zu steps and %zu rows are too large", steps,
				   batch);
	count = data.x_count + data.y_count + 2 * data.h_count + 2 * data.c_count + data.parameter_count;
	data.block = calloc(count, sizeof(float));
	if (!data.block)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu numbers of random data", count);

	next = data.block;
	data.x = next;
	data.dy = next += data.x_count;
	data.h0 = next += data.y_count;
	data.c0 = next += data.h_count;
	data.dh = next += data.c_count;
	data.dc = next += data.h_count;
	data.parameters = next + data.c_count;
	sluice__data_fill(seed, "x", 1, data.x_count, data.x);
	sluice__data_fill(seed, "dy", 1, data.y_count, data.dy);
	sluice__data_fill(seed, "h0", 1, data.h_count, data.h0);
	sluice__data_fill(seed, "c0", 1, data.c_count, data.c0);
	sluice__data_fill(seed, "dh", 1, data.h_count, data.dh);
	sluice__data_fill(seed, "dc", 1, data.c_count, data.dc);
	for (size_t index = 0; index < network->tensor_count; index++) {
		const sluice_parameter *tensor = &network->tensors[index];
		float scale = 1 / sqrtf((float)tensor_width(network, tensor->offset));

		sluice__data_fill(seed, tensor->name, scale, tensor->rows * tensor->columns,
				  data.parameters + tensor->offset);
	}
	*out = data;
	return SLUICE_OK;
}

void sluice__data_destroy(struct sluice__data *data)
{
	if (!data)
		return;
	free(data->block);
	memset(data, 0, sizeof(*data));
}
