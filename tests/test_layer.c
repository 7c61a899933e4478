/*
 * test_layer.c: forward passes of whole layers and stacks on every level, within the oracle's bounds.
 */
#include "judge.h"

static void test_levels(void **state)
{
	(void)state;
	levels_report();
}

static void test_small(void **state)
{
	static const size_t HIDDENS[] = {1, 3, 17, 65};

	(void)state;
	judge_sizes(HIDDENS, 4, 3.3e6, 1);
}

static void test_large(void **state)
{
	static const size_t HIDDENS[] = {650};

	(void)state;
	judge_sizes(HIDDENS, 1, 2e6, 1);
}

static void test_stacks(void **state)
{
	static const struct judged CASES[] = {
		{"t50n3i5h17l2", {.inference_only = 1}},
		{"t50n3i5h9l3bi", {.inference_only = 1}},
		{"t50n5i40h16l4alt", {.inference_only = 1}},
		{"t20n2i3h3l9", {.inference_only = 1}},
		{"t30n7i5h17l2bi", {.inference_only = 1, .outputs = 11}},
		{"t500n1i1h24", {.inference_only = 1, .outputs = 1}},
		{"t30n4i5h17l3", {.inference_only = 1, .dropout = 0.3f, .outputs = 5}},
		{"t30n4i5h18l2bi", {.inference_only = 1, .dropout = 0.6f, .no_bias = 1}},
		{"t30n4i5h17l2rev", {.inference_only = 1, .layout = SLUICE_BATCH_MAJOR, .outputs = 3}},
		{"t30n1i5h33", {.inference_only = 1, .no_bias = 1, .layout = SLUICE_BATCH_MAJOR}},
		{"t10n33i20h40l2bi", {.inference_only = 1, .threads = 2}},
		{"t10n1i20h70", {.inference_only = 1, .threads = 3, .outputs = 7}},
	};

	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++)
		judge(CASES[index].problem, &CASES[index].options);
}

/* Lengths, resets, holds, starts and combinations of directions, from all places that data may have. */
static void test_time(void **state)
{
	static const struct judged CASES[] = {
		{"t30n7i5h17len", {.inference_only = 1}},
		{"t30n7i5h17revlenleft", {.inference_only = 1, .outputs = 3}},
		{"t30n9i5h17l2bilen", {.inference_only = 1, .outputs = 3, .dropout = 0.3f}},
		{"t30n9i5h17l2bipacked", {.inference_only = 1, .threads = 2}},
		{"t30n9i5h9l3bipackedlearn", {.inference_only = 1, .outputs = 3}},
		{"t30n5i5h17l4altlenleft", {.inference_only = 1, .layout = SLUICE_BATCH_MAJOR}},
		{"t30n7i5h17reset", {.inference_only = 1, .slots = 1}},
		{"t30n7i5h17l2biresetlearn", {.inference_only = 1, .outputs = 3, .layout = SLUICE_BATCH_MAJOR}},
		{"t30n7i5h17hold", {.inference_only = 1, .pointers = 1}},
		{"t30n7i5h17l2biholdresetlenlearn", {.inference_only = 1, .pointers = 1, .slots = 1, .dropout = 0.3f}},
		{"t30n3i5h17l2biadd", {.inference_only = 1, .outputs = 3, .dropout = 0.3f}},
		{"t30n3i5h17l3bisep", {.inference_only = 1, .pointers = 1}},
		{"t30n3i5h17l3biseplenleftresetholdlearn",
		 {.inference_only = 1, .dropout = 0.3f, .layout = SLUICE_BATCH_MAJOR}},
		{"t30n3h17l2biaddpackedidx", {.inference_only = 1, .slots = 1}},
		{"t30n1i5h33lenresethold", {.inference_only = 1, .slots = 1}},
		{"t10n33i20h40l2bilenreset", {.inference_only = 1, .threads = 2}},
		{"t10n33i20h70packedhold", {.inference_only = 1, .threads = 3, .outputs = 7}},
	};

	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++)
		judge(CASES[index].problem, &CASES[index].options);
}

/* Images: kernels of every size, larger than the image, too; everything above of some of them. */
static void test_images(void **state)
{
	static const struct judged CASES[] = {
		{"t6n3i3h17conv3y9x7", {.inference_only = 1}},
		{"t20n2i5h4l2bipeepfullconv5y4x6", {.inference_only = 1, .outputs = 3}},
		{"t5n2i2h3conv9y4x3dilate2", {.inference_only = 1}},
		{"t6n7i1h1conv2y1x12", {.inference_only = 1, .layout = SLUICE_BATCH_MAJOR}},
		{"t6n3i4h6l3altpeepelementstride2groups2conv4y9x8", {.inference_only = 1, .pointers = 1, .slots = 1}},
		{"t4n5i3h33conv1y5x5", {.inference_only = 1, .threads = 3}},
		{"t6n4i6h12l2biaddpackedresetlearnconv3y5x6groups3",
		 {.inference_only = 1, .threads = 2, .dropout = 0.3f}},
		{"t6n5h9bisepidxlenleftholdproj5conv3y6x4dilate2", {.inference_only = 1, .pointers = 1, .threads = 2}},
		{"t50n1i2h8conv3y4x4", {.inference_only = 1, .slots = 1, .outputs = 1}},
		{"t4n2h70conv3y4x4", {.inference_only = 1}},
		{"t6n3h6l2bf16conv3y6x6", {.inference_only = 1, .threads = 2}},
		{"t6n3h6l2packedholdf64conv3y6x6", {.inference_only = 1, .threads = 2}},
		{"t40n1h20f64conv1y8x8", {.inference_only = 1, .threads = 2}},
		{"t4n2i16h32conv3y6x7", {.inference_only = 1, .threads = 2}},
		{"t3n2i3h16conv5y9x4wino", {.inference_only = 1, .threads = 2, .outputs = 3}},
		{"t3n3i16h16l2biconv3y5x9winolenholdreset", {.inference_only = 1, .dropout = 0.3f}},
		{"t3n2i16h32conv3y6x7direct", {.inference_only = 1}},
	};

	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++)
		judge(CASES[index].problem, &CASES[index].options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels), cmocka_unit_test(test_small), cmocka_unit_test(test_large),
		cmocka_unit_test(test_stacks), cmocka_unit_test(test_time),  cmocka_unit_test(test_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
