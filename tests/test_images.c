/*
 * test_images.c: every kernel, border and option by which the oracle of images was judged, computed by the library on
 * every level, within the oracle's bounds.
 */
#include "oracle_images.h"
#include "verify.h"

/* Everything of a run and a plan that is no matter of the network. */
static const struct variant {
	const char *name;
	struct sluice__setting setting;
} VARIANTS[] = {
	{"plain", {.steps = 3, .batch = 2}},
	{"one row", {.steps = 2, .batch = 1, .state_gradients = 1}},
	{"more rows, two threads", {.steps = 2, .batch = 5, .threads = 2, .layout = SLUICE_BATCH_MAJOR}},
	{"pointers, slots", {.steps = 3, .batch = 3, .pointers = 1, .slots = 1, .state_gradients = 1}},
	{"lengths, resets, holds",
	 {.steps = 5, .batch = 4, .lengths = SLUICE__LENGTHS_RANDOM, .resets = 1, .holds = 1}},
	{"left padding, slots",
	 {.steps = 4, .batch = 3, .lengths = SLUICE__LENGTHS_RANDOM, .padding = SLUICE_PADDING_LEFT, .slots = 1}},
	{"packed", {.steps = 4, .batch = 4, .lengths = SLUICE__LENGTHS_PACKED, .resets = 1}},
	{"16 bits", {.steps = 3, .batch = 2, .weights = SLUICE_F16, .data = SLUICE_BF16, .tape = SLUICE_F16}},
	{"recomputed, gates in another order",
	 {.steps = 3, .batch = 2, .tape_mode = SLUICE_TAPE_RECOMPUTE, .gate_order = "ofig", .two_biases = 1}},
};

/* What a case of the oracle asks of a run. */
static struct sluice__setting setting_of(const struct image_case *one, const struct variant *variant,
					 const sluice_description *description)
{
	struct sluice__setting setting = variant->setting;

	setting.description = description;
	setting.seed = 5;
	setting.gradients = 1;
	setting.training = !(one->flags & EVALUATION);
	setting.mask = (one->flags & GIVEN_MASK) != 0;
	setting.mask_shape = SLUICE_MASK_STEP;
	setting.last_only = (one->flags & LAST_ONLY) != 0;
	setting.no_initial = (one->flags & NO_INITIAL) != 0;
	return setting;
}

static void judge(const struct image_case *one, const struct variant *variant)
{
	const unsigned parts = SLUICE__VERIFY_FORCED | SLUICE__VERIFY_CHUNKED | SLUICE__VERIFY_FREE |
			       SLUICE__VERIFY_STREAM | SLUICE__VERIFY_DOUBLE;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	struct sluice__verify_report report = {0};
	struct sluice__setting setting;

	while (description.layer_count < LAYERS && one->layers[description.layer_count].hidden)
		description.layer_count++;
	description.layers = one->layers;
	description.inputs = INPUTS;
	description.outputs = one->outputs;
	description.image_height = one->height;
	description.image_width = one->width;
	setting = setting_of(one, variant, &description);
	if (sluice__verify_setting(&setting, parts, NULL, &report) != SLUICE_OK)
		fail_msg("%s, %s: %s", one->name, variant->name, sluice_last_message());
	for (size_t index = 0; index < report.count; index++) {
		const struct sluice__verify_row *row = &report.rows[index];

		if (row->verdict == SLUICE__VERDICT_FAILED)
			fail_msg("%s, %s, %s, %s: error %.3e beyond %.3e", one->name, variant->name, row->level,
				 row->what, row->error, row->bound);
	}
	assert_true(report.count > 8);
	sluice__verify_report_destroy(&report);
}

static void judge_cases(const struct image_case *cases, size_t count)
{
	for (size_t index = 0; index < count * LENGTH(VARIANTS); index++)
		judge(&cases[index / LENGTH(VARIANTS)], &VARIANTS[index % LENGTH(VARIANTS)]);
}

static void test_geometries(void **state)
{
	(void)state;
	judge_cases(GEOMETRIES, LENGTH(GEOMETRIES));
}

static void test_options(void **state)
{
	(void)state;
	judge_cases(OPTIONS, LENGTH(OPTIONS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_geometries),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
