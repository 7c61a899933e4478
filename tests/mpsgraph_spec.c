/* mpsgraph_spec.c: draws what MPSGraph's LSTM may be asked, so that no combination of options is left to luck alone. */
#include "mpsgraph_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "data.h"

/* A stream of numbers below `limit`. */
static size_t draw(uint64_t *state, size_t limit)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(*state >> 33) % limit;
}

static const BNNSActivation kinds[] = {
	{.function = BNNSActivationFunctionIdentity},
	{.function = BNNSActivationFunctionRectifiedLinear},
	{.function = BNNSActivationFunctionTanh},
	{.function = BNNSActivationFunctionSigmoid},
	{.function = BNNSActivationFunctionHardSigmoid, .alpha = 0.2f, .beta = 0.5f},
};

static const BNNSActivation defaults[MPS_GATES + 1] = {
	{.function = BNNSActivationFunctionSigmoid}, {.function = BNNSActivationFunctionSigmoid},
	{.function = BNNSActivationFunctionTanh},    {.function = BNNSActivationFunctionSigmoid},
	{.function = BNNSActivationFunctionTanh},
};

/* Sizes on both sides of a vector's length, and one. */
static size_t draw_size(uint64_t *state, const size_t *sizes, size_t count)
{
	return sizes[draw(state, count)];
}

static void draw_sizes(uint64_t *state, struct mps_spec *spec)
{
	static const size_t steps[] = {1, 2, 3, 5, 9}, batch[] = {1, 2, 3, 5}, inputs[] = {1, 2, 5, 17};
	static const size_t hidden[] = {1, 2, 3, 8, 17};

	spec->steps = draw_size(state, steps, sizeof(steps) / sizeof(*steps));
	spec->batch = draw_size(state, batch, sizeof(batch) / sizeof(*batch));
	spec->inputs = draw_size(state, inputs, sizeof(inputs) / sizeof(*inputs));
	spec->hidden = draw_size(state, hidden, sizeof(hidden) / sizeof(*hidden));
	spec->directions = 1 + draw(state, 2);
}

void mps_spec_draw(uint64_t seed, struct mps_spec *out)
{
	static const BNNSDataType types[] = {BNNSDataTypeFloat32, BNNSDataTypeFloat32, BNNSDataTypeFloat16,
					     BNNSDataTypeBFloat16};
	uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;

	memset(out, 0, sizeof(*out));
	out->seed = seed;
	draw(&state, 2);
	draw_sizes(&state, out);
	out->reverse = out->directions == 1 && draw(&state, 3) == 0;
	out->forget_last = draw(&state, 2) == 0;
	out->peephole_current = draw(&state, 2) == 0;
	out->type = types[draw(&state, sizeof(types) / sizeof(*types))];
	out->mask = (enum mps_mask)draw(&state, MPS_MASKS);
	out->states_of_rank_3 = draw(&state, 2) == 0;
	for (size_t slot = 0; slot < MPS_SLOTS; slot++)
		out->present[slot] = draw(&state, 3) > 0;
	out->present[MPS_X] = out->present[MPS_R] = 1;
	out->present[MPS_MASK] = out->mask != MPS_MASK_NONE;
	memcpy(out->activations, defaults, sizeof(defaults));
	for (size_t place = 0; place <= MPS_GATES && seed % 2; place++)
		out->activations[place] = kinds[draw(&state, sizeof(kinds) / sizeof(*kinds))];
}

static size_t mask_count(const struct mps_spec *spec, size_t width)
{
	if (spec->mask == MPS_MASK_STEP)
		return spec->steps * spec->batch * width;
	return spec->mask == MPS_MASK_SEQUENCE || spec->mask == MPS_MASK_SEQUENCE_1 ? spec->batch * width : width;
}

static void count_all(struct mps_data *data)
{
	const struct mps_spec *spec = &data->spec;
	const size_t width = spec->directions * spec->hidden, gates = MPS_GATES * width;
	const size_t rows = spec->steps * spec->batch, state = spec->batch * width;
	const size_t counts[MPS_SLOTS] = {
		[MPS_X] = rows * (spec->present[MPS_W] ? spec->inputs : gates),
		[MPS_R] = gates * spec->hidden,
		[MPS_W] = gates * spec->inputs,
		[MPS_B] = gates,
		[MPS_P] = gates,
		[MPS_H0] = state,
		[MPS_C0] = state,
		[MPS_MASK] = mask_count(spec, width),
		[MPS_DY] = rows * width,
		[MPS_DH] = state,
		[MPS_DC] = state,
	};

	memcpy(data->counts, counts, sizeof(counts));
}

/* Matrices are small enough that no activation, linear ones included, lets the states grow without bound. */
static double *fill(const struct mps_spec *spec, enum mps_slot slot, size_t count)
{
	static const char *names[MPS_SLOTS] = {"x", "R", "W", "b", "p", "h0", "c0", "mask", "dy", "dh", "dc"};
	const double scale = slot == MPS_R                    ? 0.8 / sqrt((double)spec->hidden)
			     : slot == MPS_W                  ? 0.8 / sqrt((double)spec->inputs)
			     : slot == MPS_B || slot == MPS_P ? 0.4
							      : 1;
	float *floats = malloc(count * sizeof(*floats));
	double *values = malloc(count * sizeof(*values));

	assert_non_null(floats);
	assert_non_null(values);
	sluice__data_fill(spec->seed, names[slot], (float)scale, count, floats);
	for (size_t index = 0; index < count; index++) {
		/* Masks are as dropout has them, and some numbers that it has not. */
		if (slot == MPS_MASK)
			floats[index] = floats[index] < -0.4f ? 0 : floats[index] > 0.4f ? 2 : floats[index];
		values[index] = number_nearest(spec->type, (double)floats[index]);
	}
	free(floats);
	return values;
}

/* The mask of every step, whatever shape it is given in: that of a suffix of [T,N,DH]. */
static void widen_mask(struct mps_data *data)
{
	const size_t count = data->spec.steps * data->spec.batch * data->spec.directions * data->spec.hidden;

	if (data->spec.mask == MPS_MASK_NONE)
		return;
	data->whole_mask = malloc(count * sizeof(double));
	assert_non_null(data->whole_mask);
	for (size_t index = 0; index < count; index++)
		data->whole_mask[index] = data->values[MPS_MASK][index % data->counts[MPS_MASK]];
}

void mps_data_create(const struct mps_spec *spec, struct mps_data *out)
{
	struct mps_problem *p = &out->problem;

	memset(out, 0, sizeof(*out));
	out->spec = *spec;
	count_all(out);
	for (size_t slot = 0; slot < MPS_SLOTS; slot++)
		if (spec->present[slot])
			out->values[slot] = fill(spec, (enum mps_slot)slot, out->counts[slot]);
	widen_mask(out);
	*p = (struct mps_problem){
		.steps = spec->steps,
		.batch = spec->batch,
		.inputs = spec->inputs,
		.hidden = spec->hidden,
		.directions = spec->directions,
		.reverse = spec->reverse,
		.forget_last = spec->forget_last,
		.peephole_current = spec->peephole_current,
		.type = spec->type,
		.x = out->values[MPS_X],
		.R = out->values[MPS_R],
		.W = out->values[MPS_W],
		.b = out->values[MPS_B],
		.p = out->values[MPS_P],
		.h0 = out->values[MPS_H0],
		.c0 = out->values[MPS_C0],
		.mask = out->whole_mask,
		.dy = out->values[MPS_DY],
		.dh = out->values[MPS_DH],
		.dc = out->values[MPS_DC],
	};
	memcpy(p->activations, spec->activations, sizeof(p->activations));
}

void mps_data_destroy(struct mps_data *data)
{
	for (size_t slot = 0; slot < MPS_SLOTS; slot++)
		free(data->values[slot]);
	free(data->whole_mask);
	memset(data, 0, sizeof(*data));
}
