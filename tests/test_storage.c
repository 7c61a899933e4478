/* test_storage.c exists for storage types at the public door: weights come in every type, and h is what the data type
 * holds.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network_fixture.h"

enum { INPUTS = 3, HIDDEN = 5, ROWS = 4 * HIDDEN };

/* A number that every type holds exactly, different in every place of every tensor. */
static float exact(size_t tensor, size_t index)
{
	return (float)((int)(index % 61) - 30) * 0.5f + (float)tensor * 8;
}

static float f16_value(uint16_t bits)
{
	const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
	const double magnitude = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
	return (float)(bits >> 15 ? -magnitude : magnitude);
}

static float bf16_value(uint16_t bits)
{
	const uint32_t wide = (uint32_t)bits << 16;
	float value;
	memcpy(&value, &wide, sizeof value);
	return value;
}

/* Bits of a number that the type holds exactly: the pattern that means it. */
static uint16_t half_bits(float value, float (*meaning)(uint16_t))
{
	for (uint32_t bits = 0; bits < 0x10000; bits++)
		if (meaning((uint16_t)bits) == value)
			return (uint16_t)bits;
	fail_msg("%g is not held", (double)value);
	return 0;
}

static void *array_of(sluice_dtype dtype, size_t tensor, size_t count)
{
	double *wide = test_calloc(count, sizeof *wide);
	float *single = (float *)wide;
	uint16_t *half = (uint16_t *)wide;
	for (size_t k = 0; k < count; k++)
		if (dtype == SLUICE_F64)
			wide[k] = (double)exact(tensor, k);
		else if (dtype == SLUICE_F32)
			single[k] = exact(tensor, k);
		else
			half[k] = half_bits(exact(tensor, k), dtype == SLUICE_F16 ? f16_value : bf16_value);
	return wide;
}

static void expect_tensor(const sluice_model *model, const char *name, size_t tensor)
{
	for (size_t index = 0; index < sluice_model_parameter_count(model); index++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;
		assert_ok(sluice_model_parameter(model, index, &parameter));
		if (strcmp(parameter.name, name) != 0)
			continue;
		const float *values = sluice_model_parameters(model, NULL) + parameter.offset;
		for (size_t k = 0; k < parameter.rows * parameter.columns; k++)
			assert_true(values[k] == exact(tensor, k));
		return;
	}
	fail_msg("no tensor %s", name);
}

static void test_weights_of_every_type(void **unused)
{
	static const sluice_dtype types[] = {SLUICE_F32, SLUICE_F64, SLUICE_F16, SLUICE_BF16};
	(void)unused;
	for (size_t each = 0; each < sizeof types / sizeof types[0]; each++) {
		sluice_context *context;
		sluice_model *model;
		sluice_layer layer = SLUICE_LAYER_INIT;
		sluice_description description = SLUICE_DESCRIPTION_INIT;
		sluice_weights weights = SLUICE_WEIGHTS_INIT;
		layer.hidden = HIDDEN;
		layer.projection = 2;
		layer.peephole = SLUICE_PEEPHOLE_FULL;
		description.inputs = INPUTS;
		description.layer_count = 1;
		description.layers = &layer;
		assert_ok(sluice_context_create(NULL, &context));
		assert_ok(sluice_model_create(context, &description, &model));
		void *arrays[] = {
			array_of(types[each], 0, ROWS * INPUTS), array_of(types[each], 1, ROWS * 2),
			array_of(types[each], 2, ROWS),          array_of(types[each], 3, ROWS * HIDDEN),
			array_of(types[each], 4, 2 * HIDDEN),
		};
		weights.dtype = types[each];
		weights.input = arrays[0];
		weights.recurrent = arrays[1];
		weights.bias = arrays[2];
		weights.peephole = arrays[3];
		weights.projection = arrays[4];
		assert_ok(sluice_model_set_weights(model, 0, 0, &weights));
		expect_tensor(model, "weight_ih_l0", 0);
		expect_tensor(model, "weight_hh_l0", 1);
		expect_tensor(model, "bias_l0", 2);
		expect_tensor(model, "peephole_l0", 3);
		expect_tensor(model, "weight_hr_l0", 4);
		for (size_t k = 0; k < sizeof arrays / sizeof arrays[0]; k++)
			test_free(arrays[k]);
		sluice_model_destroy(model);
		sluice_context_destroy(context);
	}
}

/* The final h, in f32, and the last y, in 16 bits, are one number: nothing sees more of h than its type holds. */
static void h_is_held(sluice_dtype dtype, float (*meaning)(uint16_t))
{
	enum { STEPS = 3, BATCH = 2 };
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	sluice_run run = SLUICE_RUN_INIT;
	uint16_t x[STEPS * BATCH * INPUTS], y[STEPS * BATCH * HIDDEN];
	float h[BATCH * HIDDEN];
	layer.hidden = HIDDEN;
	description.inputs = INPUTS;
	description.layer_count = 1;
	description.layers = &layer;
	options.steps = STEPS;
	options.batch = BATCH;
	options.data = dtype;
	assert_ok(sluice_context_create(NULL, &context));
	assert_ok(sluice_model_create(context, &description, &model));
	assert_ok(sluice_model_initialize(model, NULL));
	assert_ok(sluice_plan_create(model, &options, &plan));
	for (size_t k = 0; k < sizeof x / sizeof x[0]; k++)
		x[k] = half_bits(exact(0, 7 * k), meaning);
	run.x = x;
	run.y = y;
	run.final_state = sluice_allocate(context, sluice_plan_state_size(plan, BATCH));
	run.workspace = sluice_allocate(context, sluice_plan_workspace_size(plan));
	assert_ok(sluice_forward(plan, &run));
	assert_ok(sluice_state_read(plan, run.final_state, BATCH, 0, 0, h, NULL));
	for (size_t k = 0; k < BATCH * HIDDEN; k++) {
		assert_true(h[k] == meaning(y[(STEPS - 1) * BATCH * HIDDEN + k]));
		assert_true(h[k] != 0);
	}
	sluice_release(context, run.final_state, sluice_plan_state_size(plan, BATCH));
	sluice_release(context, run.workspace, sluice_plan_workspace_size(plan));
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
}

static void test_h_is_held(void **unused)
{
	(void)unused;
	h_is_held(SLUICE_F16, f16_value);
	h_is_held(SLUICE_BF16, bf16_value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weights_of_every_type),
		cmocka_unit_test(test_h_is_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
