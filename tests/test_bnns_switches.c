/* test_bnns_switches.c: both positions of every switch of bnns.h do what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bnns_masks.h"

/* Makes of any spec one of the kind that a test is about. */
typedef void spec_change(struct bnns_spec *spec);

static void check_all(struct bnns_case *test)
{
	for (int with_cache = 0; with_cache < 2; with_cache++) {
		case_reset(test);
		assert_bnns(case_forward(test, with_cache));
		case_check_forward(test);
	}
	case_reset(test);
	assert_bnns(case_backward(test, test->cache, test->capacity));
	case_check_backward(test);
	case_reset(test);
	assert_bnns(case_backward(test, NULL, 0));
	case_check_backward(test);
}

static void check_cases(spec_change *change)
{
	for (uint64_t seed = 2000; seed < 2040; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;

		spec_draw(seed, &spec);
		change(&spec);
		case_create(&spec, NULL, 0, &test);
		check_all(&test);
		case_destroy(&test);
	}
	assert_bnns(sluice_bnns_set_options(NULL));
}

/* ---------------------------------------------------------------------------------------------- input weights ---- */

static void equal_sizes(struct bnns_spec *spec)
{
	spec->inputs = spec->hidden;
	spec->layers = 2 + spec->layers % 2;
	spec->options.stacking = 0;
	spec->options.input_weights = SLUICE_BNNS_INPUT_WEIGHTS_SPLIT;
}

static void equal_sizes_always_split(struct bnns_spec *spec)
{
	equal_sizes(spec);
	spec->options.input_weights = SLUICE_BNNS_INPUT_WEIGHTS_ALWAYS_SPLIT;
}

static void different_sizes(struct bnns_spec *spec)
{
	equal_sizes(spec);
	spec->inputs = spec->hidden + 1;
}

static void test_input_weights_split(void **unused)
{
	(void)unused;
	check_cases(equal_sizes);
	check_cases(different_sizes);
}

static void test_input_weights_always_split(void **unused)
{
	(void)unused;
	check_cases(equal_sizes_always_split);
}

/* What is in iw_desc[1] is not looked at where iw_desc[0] has all layers. */
static void test_input_weights_unread(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	struct bnns_case test;

	spec_draw(2100, &spec);
	equal_sizes(&spec);
	case_create(&spec, NULL, 0, &test);
	for (int gate = 0; gate < BNNS_GATES; gate++) {
		BNNSNDArrayDescriptor *second = slot_descriptor(&test.parameters, SLOT_IW_UPPER + gate);

		second->data = (void *)(uintptr_t)64;
		second->data_type = BNNSDataTypeFloat32;
	}
	check_all(&test);
	case_destroy(&test);
}

/* --------------------------------------------------------------------------------------------------- stacking ---- */

static void chains(struct bnns_spec *spec)
{
	spec->directions = 2;
	spec->layers = 2 + spec->layers % 2;
	spec->options.stacking = SLUICE_BNNS_STACKING_CHAINS;
}

static void concatenated(struct bnns_spec *spec)
{
	chains(spec);
	spec->options.stacking = SLUICE_BNNS_STACKING_CONCATENATED;
}

/* The weights of a concatenated network's upper layers are as wide as its inputs, though not as its hidden layers. */
static void concatenated_as_wide_as_inputs(struct bnns_spec *spec)
{
	concatenated(spec);
	spec->inputs = 2 * spec->hidden;
}

static void test_stacking_chains(void **unused)
{
	(void)unused;
	check_cases(chains);
}

static void test_stacking_concatenated(void **unused)
{
	(void)unused;
	check_cases(concatenated);
	check_cases(concatenated_as_wide_as_inputs);
}

/* ---------------------------------------------------------------------------------------------------- dropout ---- */

static void drops(struct bnns_spec *spec)
{
	spec->layers = 2 + spec->layers % 2;
	spec->dropout = 0.375f;
	spec->options.seed = 77 + spec->seed;
	spec->threads = 1;
}

/* Forward with a cache drops with these masks, and backward with the same; the cache may have moved. */
static void check_dropout(const struct bnns_spec *spec, double mask_error)
{
	double *masks = masks_recover(spec, 0, 1);
	struct bnns_case test;
	unsigned char *moved;

	masks_scale(spec, masks);
	case_create(spec, masks, mask_error, &test);
	case_reset(&test);
	assert_bnns(case_forward(&test, 1));
	case_check_forward(&test);
	moved = malloc(test.capacity + 3);
	assert_non_null(moved);
	memcpy(moved + 3, test.cache, test.capacity);
	for (int repeated = 0; repeated < 2; repeated++) {
		case_reset(&test);
		assert_bnns(case_backward(&test, moved + 3, test.capacity));
		case_check_backward(&test);
	}
	free(moved);
	case_destroy(&test);
	free(masks);
}

static void check_dropouts(int scaling, double mask_error)
{
	for (uint64_t seed = 2200; seed < 2240; seed++) {
		struct bnns_spec spec;

		spec_draw(seed, &spec);
		drops(&spec);
		spec.options.dropout_scaling = scaling;
		check_dropout(&spec, mask_error);
	}
	assert_bnns(sluice_bnns_set_options(NULL));
}

/* The factor is an f32 number: 1/(1-p), which the reference has to f32's precision. */
static void test_dropout_scaled(void **unused)
{
	(void)unused;
	check_dropouts(SLUICE_BNNS_DROPOUT_SCALED, 2 * NUMBER_U);
}

/* Whoever takes the factor back elsewhere rounds three times: 1/(1-p), 1-p, and a product of one of them. */
static void test_dropout_unscaled(void **unused)
{
	(void)unused;
	check_dropouts(SLUICE_BNNS_DROPOUT_UNSCALED, 4 * NUMBER_U);
}

/* 1000s of numbers: their share is 1-p within five standard deviations; nothing depends on anything else. */
static void test_dropout_statistics(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	double *first, *second, kept = 0, both = 0;
	size_t count, half;

	spec_draw(2300, &spec);
	drops(&spec);
	spec.layers = 3;
	spec.directions = 2;
	spec.steps = MASK_STEPS;
	spec.batch = 5;
	spec.hidden = 19;
	count = masks_count(&spec);
	half = count / 2;
	first = masks_recover(&spec, 0, 1);
	second = masks_recover(&spec, 1, 1);
	const double p = 1 - (double)spec.dropout, n = (double)count;
	for (size_t index = 0; index < count; index++) {
		kept += first[index];
		both += first[index] * second[index];
	}
	assert_true(fabs(kept - n * p) < 5 * sqrt(n * p * (1 - p)));
	assert_true(fabs(both - n * p * p) < 5 * sqrt(n * p * p * (1 - p * p)));
	/* Layers, directions, steps, rows: each distance is one between places that differ in one of them. */
	const size_t distances[] = {half, half / 2, spec.batch * spec.hidden, spec.hidden, 1};
	for (size_t k = 0; k < sizeof distances / sizeof *distances; k++) {
		const double pairs = (double)(count - distances[k]);

		both = 0;
		for (size_t index = 0; index + distances[k] < count; index++)
			both += first[index] * first[index + distances[k]];
		/* Neighbouring pairs share a number, which at most doubles the variance. */
		assert_true(fabs(both - pairs * p * p) < 5 * sqrt(2 * pairs * p * p * (1 - p * p)));
	}
	free(first);
	free(second);
}

/* Setting the options begins the count anew; the second call of one count is the first of the next. */
static void test_dropout_seeds(void **unused)
{
	(void)unused;
	struct bnns_spec spec;
	double *first, *second, *next;

	spec_draw(2301, &spec);
	drops(&spec);
	spec.steps = 5;
	spec.hidden = 9;
	first = masks_recover(&spec, 0, 1);
	second = masks_recover(&spec, 1, 1);
	spec.options.seed++;
	next = masks_recover(&spec, 0, 1);
	assert_memory_equal(second, next, masks_count(&spec) * sizeof *next);
	assert_memory_not_equal(first, next, masks_count(&spec) * sizeof *next);
	free(first);
	free(second);
	free(next);
}

static void test_dropout_without_cache_off(void **unused)
{
	(void)unused;
	for (uint64_t seed = 2400; seed < 2410; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;

		spec_draw(seed, &spec);
		drops(&spec);
		case_create(&spec, NULL, 0, &test);
		case_reset(&test);
		assert_bnns(case_forward(&test, 0));
		case_check_forward(&test);
		case_destroy(&test);
	}
}

static void test_dropout_without_cache_on(void **unused)
{
	(void)unused;
	for (uint64_t seed = 2410; seed < 2420; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;
		double *masks;

		spec_draw(seed, &spec);
		drops(&spec);
		spec.options.dropout_without_cache = SLUICE_BNNS_DROPOUT_WITHOUT_CACHE_ON;
		masks = masks_recover(&spec, 0, 0);
		masks_scale(&spec, masks);
		case_create(&spec, masks, 2 * NUMBER_U, &test);
		case_reset(&test);
		assert_bnns(case_forward(&test, 0));
		case_check_forward(&test);
		case_destroy(&test);
		free(masks);
	}
	assert_bnns(sluice_bnns_set_options(NULL));
}

/* One layer has nothing to drop, and dropout is not read: not even by backward without a cache. */
static void one_layer_drops(struct bnns_spec *spec)
{
	spec->layers = 1;
	spec->dropout = 0.5f;
}

static void test_dropout_of_one_layer(void **unused)
{
	(void)unused;
	check_cases(one_layer_drops);
}

/* ---------------------------------------------------------------------------------------------- sequence rows ---- */

static void rows_padded(struct bnns_spec *spec)
{
	static const BNNSDataType types[] = {BNNSDataTypeUInt8, BNNSDataTypeUInt16, BNNSDataTypeUInt32,
					     BNNSDataTypeUInt64};

	spec->varying = 1;
	spec->steps = 2 + spec->steps;
	spec->batch = 2 + spec->batch;
	spec->sequence_type = types[spec->seed % 4];
}

static void rows_dense(struct bnns_spec *spec)
{
	rows_padded(spec);
	spec->options.sequence_rows = SLUICE_BNNS_SEQUENCE_ROWS_DENSE;
	memset(spec->nse, 0, sizeof spec->nse);
}

static void test_sequence_rows_padded(void **unused)
{
	(void)unused;
	check_cases(rows_padded);
}

static void test_sequence_rows_dense(void **unused)
{
	(void)unused;
	check_cases(rows_dense);
}

/* ----------------------------------------------------------------------------------------------- padding rows ---- */

static void padding_untouched(struct bnns_spec *spec)
{
	rows_padded(spec);
	spec->options.padding_rows = SLUICE_BNNS_PADDING_ROWS_UNTOUCHED;
}

static void padding_zero(struct bnns_spec *spec)
{
	rows_padded(spec);
	spec->options.padding_rows = SLUICE_BNNS_PADDING_ROWS_ZERO;
}

static void test_padding_rows_untouched(void **unused)
{
	(void)unused;
	check_cases(padding_untouched);
}

static void test_padding_rows_zero(void **unused)
{
	(void)unused;
	check_cases(padding_zero);
}

/* ---------------------------------------------------------------------------------------------- data aliasing ---- */

/* A case in which x and y have the same shape and type, and lie alike. */
static void create_alike(uint64_t seed, int aliasing, struct bnns_case *test)
{
	struct bnns_spec spec;

	spec_draw(seed, &spec);
	spec.directions = 1;
	spec.inputs = spec.hidden;
	spec.present[SLOT_Y] = spec.wanted[SLOT_X] = spec.wanted[SLOT_Y] = 1;
	spec.accumulate[SLOT_X] = 0;
	spec.form[0][SLOT_X] = spec.form[0][SLOT_Y] = spec.form[1][SLOT_X] = spec.form[1][SLOT_Y] = FORM_LAST_MAJOR;
	memset(spec.nse, 0, sizeof spec.nse);
	spec.varying = 0;
	spec.options.data_aliasing = aliasing;
	case_create(&spec, NULL, 0, test);
	case_reset(test);
}

/* Moves an array that a call wrote in another's place to its own. */
static void move(struct bnns_slot *from, struct bnns_slot *to)
{
	memcpy(to->array.block, from->array.block, to->array.bytes);
	memcpy(from->array.block, from->array.before, from->array.bytes);
}

static void alias_forward(uint64_t seed, int aliasing)
{
	struct bnns_case test;

	create_alike(seed, aliasing, &test);
	slot_descriptor(&test.parameters, SLOT_Y)->data = slot_descriptor(&test.parameters, SLOT_X)->data;
	if (aliasing) {
		assert_bnns(case_forward(&test, (int)(seed % 2)));
		move(&test.slots[0][SLOT_X], &test.slots[0][SLOT_Y]);
		case_check_forward(&test);
	} else {
		assert_int_equal(case_forward(&test, (int)(seed % 2)), -1);
		case_check_untouched(&test);
	}
	case_destroy(&test);
}

/* The gradient of x in the memory of x, or of y's gradient. */
static void alias_backward(uint64_t seed, int aliasing, int side, int slot)
{
	struct bnns_case test;

	create_alike(seed, aliasing, &test);
	assert_bnns(case_forward(&test, 1));
	case_reset(&test);
	slot_descriptor(&test.deltas, SLOT_X)->data = test.slots[side][slot].array.descriptor.data;
	if (aliasing) {
		assert_bnns(case_backward(&test, test.cache, test.capacity));
		move(&test.slots[side][slot], &test.slots[1][SLOT_X]);
		case_check_backward(&test);
	} else {
		assert_int_equal(case_backward(&test, test.cache, test.capacity), -1);
		case_check_untouched(&test);
	}
	case_destroy(&test);
}

static void check_aliasing(int aliasing)
{
	for (uint64_t seed = 2500; seed < 2520; seed++) {
		alias_forward(seed, aliasing);
		alias_backward(seed, aliasing, 0, SLOT_X);
		alias_backward(seed, aliasing, 1, SLOT_Y);
	}
	assert_bnns(sluice_bnns_set_options(NULL));
}

static void test_data_aliasing_refused(void **unused)
{
	(void)unused;
	check_aliasing(SLUICE_BNNS_DATA_ALIASING_REFUSED);
}

static void test_data_aliasing_allowed(void **unused)
{
	(void)unused;
	check_aliasing(SLUICE_BNNS_DATA_ALIASING_ALLOWED);
}

/* The cache knows the initial state, which forward has overwritten. */
static void check_backward_after_in_place(struct bnns_case *test)
{
	case_reset(test);
	assert_bnns(case_forward(test, 1));
	for (int slot = SLOT_H0; slot <= SLOT_C0; slot++)
		array_remember(&test->slots[0][slot].array);
	assert_bnns(case_backward(test, test->cache, test->capacity));
	for (int slot = SLOT_H0; slot <= SLOT_C0; slot++)
		move(&test->slots[1][slot + SLOT_Y], &test->slots[1][slot]);
	for (int slot = SLOT_Y; slot <= SLOT_CN; slot++)
		if (test->slots[0][slot].used)
			array_remember(&test->slots[0][slot].array);
	case_check_backward(test);
}

/* States, and their gradients, may be in place whatever the switch. */
static void test_states_in_place(void **unused)
{
	(void)unused;
	for (uint64_t seed = 2600; seed < 2620; seed++) {
		struct bnns_spec spec;
		struct bnns_case test;

		spec_draw(seed, &spec);
		for (int slot = SLOT_H0; slot <= SLOT_C0; slot++) {
			spec.present[slot] = spec.present[slot + SLOT_Y] = 1;
			spec.wanted[slot] = spec.wanted[slot + SLOT_Y] = 1;
			spec.accumulate[slot] = 0;
			for (int side = 0; side < 2; side++)
				spec.form[side][slot] = spec.form[side][slot + SLOT_Y] = FORM_LAST_MAJOR;
		}
		case_create(&spec, NULL, 0, &test);
		assert_bnns(case_forward(&test, 1));
		case_reset(&test);
		for (int slot = SLOT_H0; slot <= SLOT_C0; slot++)
			slot_descriptor(&test.deltas, slot)->data = slot_descriptor(&test.deltas, slot + SLOT_Y)->data;
		assert_bnns(case_backward(&test, test.cache, test.capacity));
		for (int slot = SLOT_H0; slot <= SLOT_C0; slot++)
			move(&test.slots[1][slot + SLOT_Y], &test.slots[1][slot]);
		case_check_backward(&test);
		case_reset(&test);
		for (int slot = SLOT_H0; slot <= SLOT_C0; slot++)
			slot_descriptor(&test.parameters, slot + SLOT_Y)->data =
				slot_descriptor(&test.parameters, slot)->data;
		assert_bnns(case_forward(&test, (int)(seed % 2)));
		for (int slot = SLOT_H0; slot <= SLOT_C0; slot++)
			move(&test.slots[0][slot], &test.slots[0][slot + SLOT_Y]);
		case_check_forward(&test);
		check_backward_after_in_place(&test);
		case_destroy(&test);
	}
	assert_bnns(sluice_bnns_set_options(NULL));
}

/* ---------------------------------------------------------------------------------------------------- options ---- */

static void test_options_refused(void **unused)
{
	(void)unused;
	const sluice_bnns_options good = SLUICE_BNNS_OPTIONS_INIT;
	sluice_bnns_options options = good;
	int *switches[] = {&options.input_weights,         &options.stacking,      &options.dropout_scaling,
			   &options.dropout_without_cache, &options.sequence_rows, &options.data_aliasing,
			   &options.padding_rows};

	for (size_t k = 0; k < sizeof switches / sizeof *switches; k++) {
		options = good;
		*switches[k] = 2;
		assert_int_equal(sluice_bnns_set_options(&options), -1);
		assert_non_null(strstr(sluice_bnns_last_message(), "is 2"));
		*switches[k] = -1;
		assert_int_equal(sluice_bnns_set_options(&options), -1);
		*switches[k] = 1;
		assert_bnns(sluice_bnns_set_options(&options));
	}
	options = good;
	options.size = 0;
	assert_int_equal(sluice_bnns_set_options(&options), -1);
	assert_bnns(sluice_bnns_set_options(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input_weights_split),
		cmocka_unit_test(test_input_weights_always_split),
		cmocka_unit_test(test_input_weights_unread),
		cmocka_unit_test(test_stacking_chains),
		cmocka_unit_test(test_stacking_concatenated),
		cmocka_unit_test(test_dropout_scaled),
		cmocka_unit_test(test_dropout_unscaled),
		cmocka_unit_test(test_dropout_statistics),
		cmocka_unit_test(test_dropout_seeds),
		cmocka_unit_test(test_dropout_without_cache_off),
		cmocka_unit_test(test_dropout_without_cache_on),
		cmocka_unit_test(test_dropout_of_one_layer),
		cmocka_unit_test(test_sequence_rows_padded),
		cmocka_unit_test(test_sequence_rows_dense),
		cmocka_unit_test(test_padding_rows_untouched),
		cmocka_unit_test(test_padding_rows_zero),
		cmocka_unit_test(test_data_aliasing_refused),
		cmocka_unit_test(test_data_aliasing_allowed),
		cmocka_unit_test(test_states_in_place),
		cmocka_unit_test(test_options_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
