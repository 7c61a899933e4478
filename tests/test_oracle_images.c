/*
 * test_oracle_images.c: finite differences judge the oracle's gradients where a row is an image: kernels, borders,
 * strides, dilations and groups of all three convolutions, and every option of the cell beside them.
 */
#include "differences.h"
#include "oracle_time.h"

#define SEEDS_MAX 500

/* clang-format off */
#define ACTIVATION(name, a, b, c) {SLUICE_ACTIVATION_##name, a, b, c}
/* clang-format on */
#define W(...) .input_convolution = {__VA_ARGS__}
#define R(...) .recurrent_convolution = {__VA_ARGS__}
#define V(...) .peephole = SLUICE_PEEPHOLE_FULL, .memory_convolution = {__VA_ARGS__}
#define KERNEL(h, w) .height = h, .width = w
#define DILATED(y, x) .dilation_y = y, .dilation_x = x
#define STRIDED(y, x) .stride_y = y, .stride_x = x
#define GIVEN(t, l, b, r) .border = SLUICE_BORDER_GIVEN, .top = t, .left = l, .bottom = b, .right = r
#define INSIDE .border = SLUICE_BORDER_NONE
#define DIAGONAL .peephole = SLUICE_PEEPHOLE_DIAGONAL
#define ELEMENT .peephole = SLUICE_PEEPHOLE_ELEMENT
#define PREVIOUS .peephole_previous = 1

/* One network over images with 2 channels, 3 steps of 2 rows. */
struct image_case {
	const char *name;
	unsigned flags;
	size_t height, width, outputs;
	sluice_layer layers[LAYERS];
};

enum { STEPS = 3, BATCH = 2 };

/* ------------------------------------------------------------------------------------------------ geometry ---- */

static const struct image_case GEOMETRIES[] = {
	{"no kernel", 0, 3, 4, 0, {LAYER(.hidden = 2)}},
	{"one place", 0, 1, 1, 0, {LAYER(.hidden = 3, W(KERNEL(3, 3)), R(KERNEL(3, 3)), V(KERNEL(3, 3)))}},
	{"1 by 1", 0, 2, 3, 0, {LAYER(.hidden = 2, W(KERNEL(1, 1)), R(KERNEL(1, 1)))}},
	{"3 by 3", 0, 3, 4, 0, {LAYER(.hidden = 2, W(KERNEL(3, 3)), R(KERNEL(3, 3)))}},
	{"2 by 2", 0, 3, 4, 0, {LAYER(.hidden = 2, W(KERNEL(2, 2)), R(KERNEL(2, 2)))}},
	{"4 by 2, 2 by 4", 0, 4, 3, 0, {LAYER(.hidden = 2, W(KERNEL(4, 2)), R(KERNEL(2, 4)))}},
	{"5 by 5, larger than the image", 0, 3, 2, 0, {LAYER(.hidden = 2, W(KERNEL(5, 5)), R(KERNEL(5, 5)))}},
	{"1 by 5, 5 by 1", 0, 4, 3, 0, {LAYER(.hidden = 2, W(KERNEL(1, 5)), R(KERNEL(5, 1)))}},
	{"one row", 0, 1, 7, 0, {LAYER(.hidden = 2, W(KERNEL(1, 3)), R(KERNEL(1, 5)))}},
	{"one row, kernels with rows", 0, 1, 5, 0, {LAYER(.hidden = 2, W(KERNEL(3, 3)), R(KERNEL(3, 2)))}},
	{"one column", 0, 6, 1, 0, {LAYER(.hidden = 2, W(KERNEL(4, 1)), R(KERNEL(3, 1)))}},
	{"dilated", 0, 4, 5, 0, {LAYER(.hidden = 2, W(KERNEL(3, 2), DILATED(1, 3)), R(KERNEL(2, 3), DILATED(2, 1)))}},
	{"dilated beyond the image",
	 0,
	 3,
	 3,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(3, 3), DILATED(4, 4)), R(KERNEL(3, 3), DILATED(3, 2)))}},
	{"groups of W", 0, 2, 3, 0, {LAYER(.hidden = 2, W(KERNEL(3, 3), .groups = 2), R(KERNEL(3, 3)))}},
	{"groups of R", 0, 2, 3, 0, {LAYER(.hidden = 4, W(KERNEL(3, 3)), R(KERNEL(2, 3), .groups = 2))}},
	{"groups of all",
	 0,
	 2,
	 3,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(3, 1), .groups = 2), R(KERNEL(1, 3), .groups = 2),
		V(KERNEL(3, 3), .groups = 2))}},
	{"a group for each channel",
	 0,
	 2,
	 2,
	 0,
	 {LAYER(.hidden = 4, W(KERNEL(2, 2), .groups = 2), R(KERNEL(3, 3), .groups = 4))}},
	{"strided", 0, 5, 6, 0, {LAYER(.hidden = 2, W(KERNEL(3, 3), STRIDED(2, 3)), R(KERNEL(3, 3)))}},
	{"strided beyond the kernel",
	 0,
	 5,
	 5,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(2, 1), STRIDED(3, 2)), R(KERNEL(2, 2)))}},
	{"strided, dilated",
	 0,
	 5,
	 5,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(2, 2), STRIDED(2, 2), DILATED(2, 3)), R(KERNEL(3, 3)))}},
	{"inside", 0, 4, 5, 0, {LAYER(.hidden = 2, W(KERNEL(3, 2), INSIDE), R(KERNEL(3, 3)))}},
	{"inside, to one place", 0, 3, 4, 0, {LAYER(.hidden = 2, W(KERNEL(3, 4), INSIDE), R(KERNEL(2, 3)))}},
	{"given",
	 0,
	 3,
	 3,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(3, 2), GIVEN(2, 0, 1, 3)), R(KERNEL(2, 2), GIVEN(0, 0, 1, 1)))}},
	{"given, larger than the kernel",
	 0,
	 2,
	 2,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(1, 2), GIVEN(2, 3, 0, 1)), R(KERNEL(3, 3)))}},
	{"given, strided, dilated",
	 0,
	 4,
	 3,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(2, 3), GIVEN(1, 2, 0, 1), STRIDED(2, 1), DILATED(1, 2)),
		R(KERNEL(3, 4), GIVEN(2, 0, 0, 3)))}},
	{"given as none",
	 0,
	 3,
	 3,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(2, 2), GIVEN(0, 0, 0, 0)), R(KERNEL(1, 1), INSIDE))}},
	{"full peepholes of one tap",
	 0,
	 2,
	 3,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(3, 3)), .peephole = SLUICE_PEEPHOLE_FULL)}},
	{"convolved peepholes", 0, 3, 3, 0, {LAYER(.hidden = 2, V(KERNEL(3, 2)))}},
	{"convolved peepholes, c[t-1]", 0, 3, 3, 0, {LAYER(.hidden = 2, V(KERNEL(2, 3), DILATED(2, 1)), PREVIOUS)}},
	{"convolved peepholes, given", 0, 2, 3, 0, {LAYER(.hidden = 2, V(KERNEL(2, 3), GIVEN(0, 2, 1, 0)))}},
	{"diagonal peepholes", 0, 2, 3, 0, {LAYER(.hidden = 2, R(KERNEL(3, 3)), DIAGONAL)}},
	{"element peepholes", 0, 2, 3, 0, {LAYER(.hidden = 2, R(KERNEL(3, 3)), ELEMENT)}},
	{"element peepholes, c[t-1], strided",
	 0,
	 3,
	 4,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(3, 3), STRIDED(2, 2)), R(KERNEL(3, 3)), ELEMENT, PREVIOUS)}},
};

/* ------------------------------------------------------------------------------------------------- options ---- */

#define DRAWN(shape) .recurrent_dropout = 0.4f, .recurrent_dropout_shape = SLUICE_MASK_##shape
#define ZONEOUT .zoneout_h = 0.3f, .zoneout_c = 0.4f
#define BOTH_3 W(KERNEL(3, 3)), R(KERNEL(3, 3))

static const struct image_case OPTIONS[] = {
	{"no bias", 0, 2, 3, 0, {LAYER(.hidden = 2, BOTH_3, .no_bias = 1)}},
	{"reverse", 0, 2, 3, 0, {LAYER(.hidden = 2, BOTH_3, BACK)}},
	{"both directions", 0, 2, 3, 0, {LAYER(.hidden = 2, W(KERNEL(3, 3)), R(KERNEL(2, 2)), BOTH)}},
	{"added", 0, 2, 3, 0, {LAYER(.hidden = 2, W(KERNEL(3, 3)), R(KERNEL(2, 2)), ADD)}},
	{"separate", 0, 2, 3, 0, {LAYER(.hidden = 2, W(KERNEL(3, 3)), R(KERNEL(2, 2)), SEPARATE)}},
	{"separate below separate",
	 0,
	 2,
	 2,
	 0,
	 {LAYER(.hidden = 2, BOTH_3, SEPARATE), LAYER(.hidden = 2, W(KERNEL(2, 2)), R(KERNEL(2, 2)), SEPARATE)}},
	{"separate below added, strided",
	 0,
	 3,
	 3,
	 2,
	 {LAYER(.hidden = 2, W(KERNEL(2, 2), STRIDED(2, 1)), R(KERNEL(1, 3)), SEPARATE, .dropout = 0.3f),
	  LAYER(.hidden = 2, W(KERNEL(2, 2), .groups = 2), R(KERNEL(2, 2)), ADD, .dropout = 0.3f)}},
	{"two layers", 0, 3, 3, 0, {LAYER(.hidden = 2, BOTH_3), LAYER(.hidden = 2, W(KERNEL(2, 2)), R(KERNEL(1, 3)))}},
	{"two layers, both strided",
	 0,
	 6,
	 5,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(3, 3), STRIDED(2, 2)), R(KERNEL(3, 3)), BOTH),
	  LAYER(.hidden = 2, W(KERNEL(2, 2), STRIDED(1, 2), INSIDE), R(KERNEL(2, 1)), BOTH)}},
	{"three layers of growing images",
	 0,
	 2,
	 1,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(2, 2), GIVEN(1, 1, 1, 1))),
	  LAYER(.hidden = 2, W(KERNEL(1, 2), GIVEN(0, 2, 1, 0)), R(KERNEL(2, 2))),
	  LAYER(.hidden = 1, W(KERNEL(3, 3)), R(KERNEL(3, 3)))}},
	{"read-out", 0, 2, 3, 3, {LAYER(.hidden = 3, BOTH_3)}},
	{"read-out of both directions, dropout", 0, 2, 3, 2, {LAYER(.hidden = 3, BOTH_3, BOTH, .dropout = 0.4f)}},
	{"dropout between layers",
	 0,
	 2,
	 3,
	 0,
	 {LAYER(.hidden = 3, BOTH_3, BOTH, .dropout = 0.4f), LAYER(.hidden = 2, BOTH_3)}},
	{"last step only", LAST_ONLY, 2, 3, 0, {LAYER(.hidden = 2, BOTH_3, BOTH)}},
	{"last step only, separate", LAST_ONLY, 2, 2, 0, {LAYER(.hidden = 2, BOTH_3, SEPARATE)}},
	{"last step only, read-out, dropout",
	 LAST_ONLY | NO_DFINAL,
	 2,
	 3,
	 2,
	 {LAYER(.hidden = 3, BOTH_3, ADD, .dropout = 0.4f)}},
	{"projection", 0, 2, 3, 0, {LAYER(.hidden = 3, W(KERNEL(3, 3)), R(KERNEL(3, 2)), .projection = 2)}},
	{"projection, groups, clip",
	 0,
	 2,
	 3,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(3, 3)), R(KERNEL(3, 2), .groups = 2), .projection = 4,
		.projection_clip = 0.08f)}},
	{"projections of two layers",
	 0,
	 2,
	 2,
	 2,
	 {LAYER(.hidden = 3, BOTH_3, .projection = 2, BOTH, .dropout = 0.3f),
	  LAYER(.hidden = 2, R(KERNEL(2, 2)), .projection = 1)}},
	{"clips", 0, 2, 3, 0, {LAYER(.hidden = 2, BOTH_3, .cell_clip = 0.25f, .gate_clip = 0.5f)}},
	{"cell clip, convolved peepholes",
	 0,
	 2,
	 3,
	 0,
	 {LAYER(.hidden = 2, BOTH_3, V(KERNEL(3, 3)), .cell_clip = 0.25f)}},
	{"identity input", 0, 2, 3, 0, {LAYER(.hidden = 2, R(KERNEL(3, 3)), .input = SLUICE_INPUT_IDENTITY, BOTH)}},
	{"gates below",
	 0,
	 2,
	 2,
	 0,
	 {LAYER(.hidden = 4, BOTH_3, BOTH), LAYER(.hidden = 1, R(KERNEL(3, 3)), .input = SLUICE_INPUT_GATES, BOTH)}},
	{"absent gates and blocks",
	 0,
	 2,
	 3,
	 0,
	 {LAYER(.hidden = 2, BOTH_3, V(KERNEL(2, 2)), .no_gates = SLUICE_GATE_O, .no_input_weights = SLUICE_GATE_F,
		.no_recurrent_weights = SLUICE_GATE_G, .no_peepholes = SLUICE_GATE_I)}},
	{"no element peepholes of f and o",
	 0,
	 2,
	 3,
	 0,
	 {LAYER(.hidden = 2, R(KERNEL(3, 3)), ELEMENT, .no_peepholes = 10)}},
	{"coupled", 0, 2, 3, 0, {LAYER(.hidden = 2, BOTH_3, ELEMENT, .coupled = 1)}},
	{"PReLU",
	 0,
	 2,
	 2,
	 0,
	 {LAYER(.hidden = 2, BOTH_3, .cell_activation = ACTIVATION(PRELU, 0, 0, 0),
		.candidate_activation = ACTIVATION(PRELU, 0, 0, 0))}},
	{"hard_sigmoid",
	 0,
	 2,
	 2,
	 0,
	 {LAYER(.hidden = 2, BOTH_3, ELEMENT, .input_activation = ACTIVATION(HARD_SIGMOID, 0.2f, 0.5f, 0),
		.forget_activation = ACTIVATION(HARD_SIGMOID, 0.2f, 0.5f, 0),
		.output_activation = ACTIVATION(HARD_SIGMOID, 0.2f, 0.5f, 0))}},
	{"mask for steps",
	 GIVEN_MASK,
	 2,
	 3,
	 0,
	 {LAYER(.hidden = 2, BOTH_3, BOTH), LAYER(.hidden = 1, R(KERNEL(3, 3)))}},
	{"drawn for sequences", 0, 2, 3, 0, {LAYER(.hidden = 3, BOTH_3, DRAWN(SEQUENCE))}},
	{"drawn for units", 0, 2, 3, 0, {LAYER(.hidden = 3, BOTH_3, DRAWN(UNIT))}},
	{"given and drawn for steps", GIVEN_MASK, 2, 3, 0, {LAYER(.hidden = 3, BOTH_3, DRAWN(STEP), .projection = 2)}},
	{"zoneout", 0, 2, 3, 0, {LAYER(.hidden = 3, BOTH_3, ZONEOUT)}},
	{"zoneout, evaluation, peepholes", EVALUATION, 2, 3, 0, {LAYER(.hidden = 2, BOTH_3, V(KERNEL(3, 3)), ZONEOUT)}},
	{"DropConnect", 0, 2, 3, 0, {LAYER(.hidden = 2, BOTH_3, .dropconnect = 0.4f)}},
	{"DropConnect, groups, both directions",
	 0,
	 2,
	 3,
	 0,
	 {LAYER(.hidden = 2, W(KERNEL(3, 3)), R(KERNEL(2, 3), .groups = 2), BOTH, .dropconnect = 0.4f)}},
	{"learned start", NO_INITIAL, 2, 3, 0, {LAYER(.hidden = 2, BOTH_3, LEARNED)}},
	{"everything",
	 GIVEN_MASK | NO_INITIAL,
	 3,
	 4,
	 2,
	 {LAYER(.hidden = 4, BOTH, .dropout = 0.3f, W(KERNEL(3, 2), STRIDED(2, 1), .groups = 2),
		R(KERNEL(2, 3), .groups = 2), V(KERNEL(3, 3), DILATED(1, 2), .groups = 4), .projection = 2,
		.projection_clip = 0.3f, .cell_clip = 0.8f, .gate_clip = 1.5f, .coupled = 1, DRAWN(STEP), ZONEOUT,
		.dropconnect = 0.3f, LEARNED, .cell_activation = ACTIVATION(SOFTSIGN, 0, 0, 0)),
	  LAYER(.hidden = 4, .dropout = 0.2f, .input = SLUICE_INPUT_IDENTITY, R(KERNEL(3, 3)), ELEMENT, PREVIOUS,
		LEARNED, .no_gates = SLUICE_GATE_O, .no_recurrent_weights = SLUICE_GATE_F, DRAWN(UNIT), ZONEOUT,
		.input_activation = ACTIVATION(PRELU, 0, 0, 0))}},
};

/* ---------------------------------------------------------------------------------------------------- time ---- */

static const struct image_case OVER_TIME[] = {
	{"forward", 0, 2, 2, 0, {LAYER(.hidden = 2, BOTH_3, LEARNED)}},
	{"reverse from the start", NO_INITIAL, 1, 3, 0, {LAYER(.hidden = 2, BOTH_3, LEARNED, BACK, V(KERNEL(1, 3)))}},
	{"both directions, element peepholes", 0, 2, 2, 0, {LAYER(.hidden = 1, BOTH_3, LEARNED, BOTH, ELEMENT)}},
	{"last step only, strided, read-out",
	 LAST_ONLY,
	 3,
	 3,
	 2,
	 {LAYER(.hidden = 2, W(KERNEL(2, 2), STRIDED(2, 2)), R(KERNEL(3, 3)), LEARNED, ADD, .dropout = 0.3f)}},
	{"two layers, separate",
	 NO_INITIAL,
	 1,
	 3,
	 0,
	 {LAYER(.hidden = 2, BOTH_3, LEARNED, SEPARATE, .dropout = 0.3f, ZONEOUT),
	  LAYER(.hidden = 1, W(KERNEL(1, 2)), R(KERNEL(1, 3)), SEPARATE, DRAWN(STEP))}},
};

enum { LONG = 5, ROWS = 4 };

static const size_t LENGTHS[ROWS] = {3, LONG, 0, 2};
static const char *const MARKS[ROWS] = {"rhbrh", "hr.hr", "rhrhr", "....."};
static uint8_t resets[LONG * ROWS], holds[LONG * ROWS];

/* ------------------------------------------------------------------------------------------------ the judge ---- */

static void case_create(const struct image_case *one, const struct time *time, uint64_t seed, struct subject *subject)
{
	images_create(one->layers, one->height, one->width, one->outputs, time ? LONG : STEPS, time ? ROWS : BATCH,
		      one->flags, seed, subject);
	if (!time)
		return;
	subject->run.lengths = time->lengths ? LENGTHS : NULL;
	subject->run.padding = time->padding;
	subject->run.resets = time->resets ? resets : NULL;
	subject->run.holds = time->holds ? holds : NULL;
}

/* With the first seed whose run keeps away from all kinks. */
static void case_choose(const struct image_case *one, const struct time *time, struct subject *subject)
{
	for (uint64_t seed = 1; seed <= SEEDS_MAX; seed++) {
		case_create(one, time, seed, subject);
		if (kinks(subject) >= KINK_DISTANCE)
			return;
		subject_destroy(subject);
	}
	fail_msg("%s: every one of %d seeds comes near a kink", one->name, SEEDS_MAX);
}

static void check_case(const struct image_case *one, const struct time *time)
{
	struct subject subject;
	char name[160];
	double worst;

	snprintf(name, sizeof(name), "%s%s%s", one->name, time ? ", " : "", time ? time->name : "");
	case_choose(one, time, &subject);
	worst = check_differences(name, &subject);
	print_message("%s: %zu coordinates, worst error %.1e\n", name, subject.count, worst);
	subject_destroy(&subject);
}

static void test_geometries(void **state)
{
	(void)state;
	for (size_t index = 0; index < LENGTH(GEOMETRIES); index++)
		check_case(&GEOMETRIES[index], NULL);
}

static void test_options(void **state)
{
	(void)state;
	for (size_t index = 0; index < LENGTH(OPTIONS); index++)
		check_case(&OPTIONS[index], NULL);
}

static void test_time(void **state)
{
	(void)state;
	for (size_t index = 0; index < LENGTH(OVER_TIME); index++)
		for (size_t time = 0; time < LENGTH(TIMES); time++)
			check_case(&OVER_TIME[index], &TIMES[time]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_geometries),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_time),
	};

	marks_read(MARKS, LONG, ROWS, resets, holds);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
