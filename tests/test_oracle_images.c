/*
 * test_oracle_images.c: finite differences judge the oracle's gradients where a row is an image: kernels, borders,
 * strides, dilations and groups of all three convolutions, and every option of the cell beside them.
 */
#include "differences.h"
#include "oracle_images.h"

#define SEEDS_MAX 500

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
