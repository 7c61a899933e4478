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

/* What a tensor's numbers are scaled by: the H of its cell, times the taps of its window; or the width of what the
 * read-out reads. */
static size_t tensor_width(const struct sluice__network *network, size_t offset)
{
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		const size_t own[] = {cell->bias,  cell->weight_hr, cell->peephole,
				      cell->prelu, cell->start_h,   cell->start_c};

		if (offset == cell->weight_ih)
			return cell->hidden * sluice__window_taps(&cell->input_window);
		if (offset == cell->weight_hh)
			return cell->hidden * sluice__window_taps(&cell->recurrent_window);
		if (offset == cell->peephole && cell->peephole_kind == SLUICE_PEEPHOLE_FULL)
			return cell->hidden * sluice__window_taps(&cell->memory_window);
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

/* Takes count random numbers of a block. */
static float *random_take(float **next, uint64_t seed, const char *name, size_t count)
{
	float *start = *next;

	sluice__data_fill(seed, name, 1, count, start);
	*next += count;
	return count ? start : NULL;
}

static void parameters_fill(const struct sluice__network *network, uint64_t seed, float *parameters)
{
	for (size_t index = 0; index < network->tensor_count; index++) {
		const sluice_parameter *tensor = &network->tensors[index];
		float scale = 1 / sqrtf((float)tensor_width(network, tensor->offset));

		sluice__data_fill(seed, tensor->name, scale, tensor->rows * tensor->columns,
				  parameters + tensor->offset);
	}
}

/* The numbers, with gradients of every state if there are to be some. */
static sluice_status numbers_create(const struct sluice__network *network, size_t steps, size_t batch, uint64_t seed,
				    int state_gradients, struct sluice__data *out)
{
	struct sluice__data data = {0};
	size_t second, h_steps, c_steps, count;
	float *next;

	data.x_count = product(steps, batch, network->x_row);
	data.y_count = product(steps, batch, network->y_row);
	data.h_count = product(batch, network->h_width, 1);
	data.c_count = product(batch, network->c_width, 1);
	h_steps = product(steps, batch, network->h_width);
	c_steps = product(steps, batch, network->c_width);
	data.parameter_count = network->parameter_count;
	if (!data.x_count || !data.y_count || !data.h_count || !data.c_count || !h_steps || !c_steps ||
	    data.parameter_count > 1000000000000u)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "data of %zu steps and %zu rows are too large", steps,
				   batch);
	second = network->separate ? data.y_count : 0;
	if (!state_gradients)
		h_steps = c_steps = 0;
	count = data.x_count + data.y_count + 2 * data.h_count + 2 * data.c_count + data.parameter_count + second +
		h_steps + c_steps;
	data.block = calloc(count, sizeof(float));
	if (!data.block)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu numbers of random data", count);

	next = data.block;
	data.x = random_take(&next, seed, "x", data.x_count);
	data.dy = random_take(&next, seed, "dy", data.y_count);
	data.h0 = random_take(&next, seed, "h0", data.h_count);
	data.c0 = random_take(&next, seed, "c0", data.c_count);
	data.dh = random_take(&next, seed, "dh", data.h_count);
	data.dc = random_take(&next, seed, "dc", data.c_count);
	data.dy_reverse = random_take(&next, seed, "dy_reverse", second);
	data.dh_steps = random_take(&next, seed, "dh_steps", h_steps);
	data.dc_steps = random_take(&next, seed, "dc_steps", c_steps);
	data.parameters = next;
	parameters_fill(network, seed, data.parameters);
	*out = data;
	return SLUICE_OK;
}

sluice_status sluice__data_create(const struct sluice__network *network, size_t steps, size_t batch, uint64_t seed,
				  struct sluice__data *out)
{
	return numbers_create(network, steps, batch, seed, 0, out);
}

/* ---------------------------------------------------------------------------------------------------- time ---- */

/* What a drawn number of time is for. */
enum { LENGTH, RESET, HOLD, QUIET_ROW = 8, QUIET_STEP = 16 };

/* A whole number below `below` that belongs to a seed, a purpose and a place. */
static size_t draw(uint64_t seed, int purpose, size_t place, size_t below)
{
	uint64_t start = mix(seed + UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(purpose + 1));

	return (size_t)(mix(start + (place + 1) * UINT64_C(0x9e3779b97f4a7c15)) % below);
}

/* Between 1 and T-1, as far as there is anything between; one of eight single rows is empty, one of eight full. Of two
 * rows or more a drawn one has all steps; of three or more, and of every fourth pair, the one behind it has none. */
static void lengths_fill(uint64_t seed, size_t steps, size_t batch, size_t *lengths)
{
	size_t full = draw(seed, LENGTH, batch, batch), extreme = draw(seed, LENGTH, batch + 1, 8);

	for (size_t n = 0; n < batch; n++)
		lengths[n] = steps > 1 ? 1 + draw(seed, LENGTH, n, steps - 1) : draw(seed, LENGTH, n, 2);
	if (batch == 1 && extreme < 2)
		lengths[0] = extreme * steps;
	if (batch > 1)
		lengths[full] = steps;
	if (batch > 2 || (batch == 2 && extreme < 2))
		lengths[(full + 1) % batch] = 0;
}

static int longer_first(const void *left, const void *right)
{
	size_t a = *(const size_t *)left, b = *(const size_t *)right;

	return (a < b) - (a > b);
}

/* Half of the marks in three quarters of the rows and three quarters of the steps; a single row is never quiet. */
static void marks_fill(uint64_t seed, int purpose, size_t steps, size_t batch, uint8_t *marks)
{
	size_t count = 0;

	for (size_t t = 0; t < steps; t++)
		for (size_t n = 0; n < batch; n++) {
			int quiet = !draw(seed, purpose + QUIET_STEP, t, 4) ||
				    (batch > 1 && !draw(seed, purpose + QUIET_ROW, n, 4));

			marks[t * batch + n] = !quiet && draw(seed, purpose, t * batch + n, 2);
			count += marks[t * batch + n];
		}
	if (!count)
		marks[steps / 2 * batch] = 1;
}

/* Only what the setting asks for. */
static sluice_status time_create(const struct sluice__setting *setting, struct sluice__data *data)
{
	size_t T = setting->steps, N = setting->batch;

	data->lengths = setting->lengths ? calloc(N, sizeof(*data->lengths)) : NULL;
	data->resets = setting->resets ? calloc(T * N, sizeof(*data->resets)) : NULL;
	data->holds = setting->holds ? calloc(T * N, sizeof(*data->holds)) : NULL;
	if ((setting->lengths && !data->lengths) || (setting->resets && !data->resets) ||
	    (setting->holds && !data->holds))
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for %zu steps of %zu rows", T, N);
	if (data->lengths)
		lengths_fill(setting->seed, T, N, data->lengths);
	if (setting->lengths > SLUICE__LENGTHS_RANDOM)
		qsort(data->lengths, N, sizeof(*data->lengths), longer_first);
	if (data->resets)
		marks_fill(setting->seed, RESET, T, N, data->resets);
	if (data->holds)
		marks_fill(setting->seed, HOLD, T, N, data->holds);
	return SLUICE_OK;
}

sluice_status sluice__data_of_setting(const struct sluice__network *network, const struct sluice__setting *setting,
				      struct sluice__data *out)
{
	sluice_status status =
		numbers_create(network, setting->steps, setting->batch, setting->seed, setting->state_gradients, out);

	if (status != SLUICE_OK)
		return status;
	status = time_create(setting, out);
	if (status != SLUICE_OK) {
		sluice__data_destroy(out);
		return status;
	}
	if (setting->no_initial)
		out->h0 = out->c0 = NULL;
	return SLUICE_OK;
}

void sluice__data_destroy(struct sluice__data *data)
{
	if (!data)
		return;
	free(data->block);
	free(data->lengths);
	free(data->resets);
	free(data->holds);
	memset(data, 0, sizeof(*data));
}
