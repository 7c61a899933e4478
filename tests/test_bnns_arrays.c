/* test_bnns_arrays.c: arrays of BNNS's calls that share memory, move, or lie side by side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bnns_case.h"

/* A case in f32 whose x, y and their gradients have strides that the test sets. */
static void plain_spec(uint64_t seed, struct bnns_spec *spec)
{
	spec_draw(seed, spec);
	spec->data = BNNSDataTypeFloat32;
	spec->present[SLOT_Y] = spec->wanted[SLOT_X] = spec->wanted[SLOT_Y] = 1;
	spec->varying = 0;
	spec->steps = 3;
	spec->batch = 3;
	memset(spec->nse, 0, sizeof spec->nse);
	memset(&spec->options, 0, sizeof spec->options);
	spec->options.size = sizeof spec->options;
	for (int side = 0; side < 2; side++)
		spec->form[side][SLOT_X] = spec->form[side][SLOT_Y] = FORM_LAST_MAJOR;
}

static void strides(BNNSNDArrayDescriptor *descriptor, size_t element, size_t row, size_t step)
{
	descriptor->stride[0] = element;
	descriptor->stride[1] = row;
	descriptor->stride[2] = step;
}

static void expect_again(struct bnns_case *test)
{
	bnns_results_destroy(&test->expected);
	assert_true(bnns_reference(&test->problem, &test->expected));
}

/* Windows of one signal, each a sample later than the last: x is only read, so its rows may share memory. */
static void test_overlapping_windows(void **unused)
{
	(void)unused;
	for (uint64_t seed = 5000; seed < 5010; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;
		float signal[64];

		plain_spec(seed, &spec);
		case_create(&spec, NULL, 0, &test);
		for (size_t k = 0; k < 64; k++)
			signal[k] = (float)sin((double)k + (double)seed);
		for (size_t index = 0; index < bnns_x_count(&test.problem); index++) {
			const size_t t = index / spec.inputs / spec.batch, n = index / spec.inputs % spec.batch;

			((double *)test.problem.x)[index] = (double)signal[t * spec.batch + n + index % spec.inputs];
		}
		expect_again(&test);
		slot_descriptor(&test.parameters, SLOT_X)->data = signal;
		strides(slot_descriptor(&test.parameters, SLOT_X), 1, 1, spec.batch);
		case_reset(&test);
		assert_bnns(case_forward(&test, 1));
		case_check_forward(&test);
		case_reset(&test);
		assert_bnns(case_backward(&test, test.cache, test.capacity));
		case_check_backward(&test);
		case_destroy(&test);
	}
	assert_bnns(sluice_bnns_set_options(NULL));
}

/* x and y as columns of one table share no element, though their extents cross: nothing is copied, nothing refused. */
static void test_columns_of_one_table(void **unused)
{
	(void)unused;
	for (uint64_t seed = 5100; seed < 5110; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;

		plain_spec(seed, &spec);
		case_create(&spec, NULL, 0, &test);
		const size_t outputs = spec.directions * spec.hidden, row = spec.inputs + outputs + seed % 2;
		const size_t rows = spec.steps * spec.batch;
		float *table = calloc(rows * row, sizeof *table);
		assert_non_null(table);
		/* y first in every second round: which of them lies lower is nothing to rely on. */
		const size_t y = seed % 4 < 2 ? spec.inputs : 0, x = y ? 0 : outputs;
		for (size_t n = 0; n < rows; n++)
			for (size_t k = 0; k < spec.inputs; k++)
				table[n * row + x + k] = (float)test.problem.x[n * spec.inputs + k];
		slot_descriptor(&test.parameters, SLOT_X)->data = table + x;
		slot_descriptor(&test.parameters, SLOT_Y)->data = table + y;
		strides(slot_descriptor(&test.parameters, SLOT_X), 1, row, row * spec.batch);
		strides(slot_descriptor(&test.parameters, SLOT_Y), 1, row, row * spec.batch);
		case_reset(&test);
		assert_bnns(case_forward(&test, 0));
		for (size_t n = 0; n < rows; n++) {
			memcpy(test.slots[0][SLOT_Y].array.block + test.slots[0][SLOT_Y].array.offset +
				       n * outputs * sizeof(float),
			       table + n * row + y, outputs * sizeof(float));
			for (size_t k = 0; k < spec.inputs; k++)
				assert_true((double)table[n * row + x + k] == test.problem.x[n * spec.inputs + k]);
		}
		case_check_forward(&test);
		free(table);
		case_destroy(&test);
	}
}

/* Arrays that share one element are refused, whichever begins first; arrays that touch are not. */
static void test_overlap_by_one_element(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;

	plain_spec(5200, &spec);
	/* Wide enough for rows that are one column too narrow to be rows of both. */
	spec.inputs = 5;
	spec.hidden = 4;
	case_create(&spec, NULL, 0, &test);
	const size_t x = bnns_x_count(&test.problem), y = bnns_y_count(&test.problem);
	float *memory = calloc(2 * (x + y), sizeof *memory);
	assert_non_null(memory);
	for (size_t k = 0; k < 2; k++) {
		BNNSNDArrayDescriptor *first = slot_descriptor(&test.parameters, k ? SLOT_X : SLOT_Y);
		BNNSNDArrayDescriptor *second = slot_descriptor(&test.parameters, k ? SLOT_Y : SLOT_X);

		first->data = memory;
		second->data = memory + (k ? x : y) - 1;
		assert_int_equal(case_forward(&test, 0), -1);
		assert_non_null(strstr(sluice_bnns_last_message(), "shares memory"));
		for (size_t index = 0; index < 2 * (x + y); index++)
			assert_true(memory[index] == 0);
		second->data = memory + (k ? x : y);
		assert_bnns(case_forward(&test, 0));
		memset(memory, 0, 2 * (x + y) * sizeof *memory);
	}
	/* Columns of a table that is one column too narrow for both. */
	for (size_t k = 0; k < 2; k++) {
		const size_t outputs = spec.directions * spec.hidden, row = spec.inputs + outputs - 1;

		slot_descriptor(&test.parameters, SLOT_X)->data = memory + (k ? outputs : 0);
		slot_descriptor(&test.parameters, SLOT_Y)->data = memory + (k ? 0 : spec.inputs);
		strides(slot_descriptor(&test.parameters, SLOT_X), 1, row, row * spec.batch);
		strides(slot_descriptor(&test.parameters, SLOT_Y), 1, row, row * spec.batch);
		assert_int_equal(case_forward(&test, 0), -1);
		assert_non_null(strstr(sluice_bnns_last_message(), "shares memory"));
	}
	free(memory);
	case_destroy(&test);
}

/* A program may keep its weights anywhere, each time: the same bytes at new places are the same weights, and other
 * bytes at the same place are others. */
static void test_weights_that_move(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;
	unsigned char *places[40];

	plain_spec(5300, &spec);
	case_create(&spec, NULL, 0, &test);
	const struct bnns_array *weights = &test.slots[0][SLOT_HW].array;
	for (size_t k = 0; k < 40; k++) {
		places[k] = malloc(weights->bytes);
		assert_non_null(places[k]);
		case_reset(&test);
		memcpy(places[k], weights->block, weights->bytes);
		slot_descriptor(&test.parameters, SLOT_HW)->data = places[k] + weights->offset;
		assert_bnns(case_forward(&test, 0));
		case_check_forward(&test);
	}
	/* Freed memory that comes back with other numbers. */
	memset(weights->block + weights->offset, 0, 4);
	((double *)test.problem.hw[0])[0] = 0;
	expect_again(&test);
	for (size_t k = 0; k < 40; k++) {
		case_reset(&test);
		memcpy(places[k], weights->block, weights->bytes);
		slot_descriptor(&test.parameters, SLOT_HW)->data = places[k] + weights->offset;
		assert_bnns(case_forward(&test, 0));
		case_check_forward(&test);
	}
	for (size_t k = 0; k < 40; k++)
		free(places[k]);
	case_destroy(&test);
}

/* What is not wanted may be left out altogether: every subset of the outputs, and none of them. */
static void test_nothing_wanted(void **unused)
{
	(void)unused;
	for (uint64_t seed = 5400; seed < 5408; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;

		spec_draw(seed, &spec);
		for (int slot = 0; slot < SLOTS; slot++)
			spec.wanted[slot] = 0;
		for (int slot = SLOT_Y; slot <= SLOT_CN; slot++)
			spec.present[slot] = (int)(seed >> (slot - SLOT_Y) & 1);
		case_create(&spec, NULL, 0, &test);
		case_reset(&test);
		assert_bnns(case_forward(&test, 1));
		case_check_forward(&test);
		case_reset(&test);
		assert_bnns(case_backward(&test, test.cache, test.capacity));
		assert_bnns(case_backward(&test, NULL, 0));
		case_check_backward(&test);
		case_destroy(&test);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlapping_windows),    cmocka_unit_test(test_columns_of_one_table),
		cmocka_unit_test(test_overlap_by_one_element), cmocka_unit_test(test_weights_that_move),
		cmocka_unit_test(test_nothing_wanted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
