/*
 * test_gradient.c: backward passes of whole layers and stacks on every level, within the oracle's bounds.
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
	judge_sizes(HIDDENS, 4, 1e6, 0);
}

/* 500 steps at every size that allows it. */
static void test_long(void **state)
{
	static const struct sluice__verify_options NONE = {0};

	(void)state;
	judge("t500n7i4h1bi", &NONE);
	judge("t500n33i2h3", &NONE);
	judge("t500n2i9h17rev", &NONE);
	judge("t500n1i5h65", &NONE);
}

static void test_large(void **state)
{
	static const struct sluice__verify_options NONE = {0};

	(void)state;
	judge("t5n1i40h650", &NONE);
	judge("t2n2i650h650rev", &NONE);
	judge("t2n7i9h650bi", &NONE);
	judge("t1n33i9h650", &NONE);
}

static void test_stacks(void **state)
{
	static const struct judged CASES[] = {
		{"t30n3i5h17l2", {0}},
		{"t30n3i5h9l3bi", {0}},
		{"t30n5i40h16l4alt", {0}},
		{"t20n2i3h3l9", {0}},
		{"t30n7i5h17l2bi", {.outputs = 11}},
		{"t500n1i1h24", {.outputs = 1}},
		{"t20n4i5h17l3", {.dropout = 0.3f, .outputs = 5}},
		{"t20n4i5h18l2bi", {.dropout = 0.6f, .no_bias = 1}},
		{"t20n4i5h17l2rev", {.layout = SLUICE_BATCH_MAJOR, .outputs = 3}},
		{"t30n1i5h33", {.no_bias = 1, .layout = SLUICE_BATCH_MAJOR}},
		{"t10n33i20h40l2bi", {.threads = 2}},
		{"t10n1i20h70", {.threads = 3, .outputs = 7}},
	};

	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++)
		judge(CASES[index].problem, &CASES[index].options);
}

/* Options and storage types on longer sequences than combinations have. */
static void test_options(void **state)
{
	static const struct judged CASES[] = {
		{"t50n7i9h33peepnewmask", {0}},
		{"t50n3i9h17l2bipeepfullproj8clip", {.outputs = 4}},
		{"t50n3h33l2hardcoupledidx", {0}},
		{"t50n3h17noxbizone", {.outputs = 4}},
		{"t50n3i9h33l2rdropdconnrecompute", {.dropout = 0.25f}},
		{"t100n3i9h33bf16", {0}},
		{"t50n3i9h17l2biproj8peepf16", {.outputs = 4, .layout = SLUICE_BATCH_MAJOR}},
		{"t50n3i9h17bf16recompute", {.threads = 2}},
		{"t50n3i9h17l2f16outputs", {0}},
		{"t100n3i9h17l2bipeepfullproj8zonerdropdconnmaskf64", {.outputs = 4, .dropout = 0.25f}},
	};

	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++)
		judge(CASES[index].problem, &CASES[index].options);
}

/* Lengths, resets, holds, starts and combinations of directions, from all places that data may have. */
static void test_time(void **state)
{
	static const struct judged CASES[] = {
		{"t30n7i5h17len", {0}},
		{"t30n7i5h17revlenleft", {.outputs = 3, .state_gradients = 1}},
		{"t30n9i5h17l2bilen", {.outputs = 3, .dropout = 0.3f}},
		{"t30n9i5h17l2bipacked", {.threads = 2, .state_gradients = 1}},
		{"t30n9i5h9l3bipackedlearn", {.outputs = 3}},
		{"t30n5i5h17l4altlenleft", {.layout = SLUICE_BATCH_MAJOR, .state_gradients = 1}},
		{"t30n7i5h17reset", {.slots = 1}},
		{"t30n7i5h17l2biresetlearn", {.outputs = 3, .layout = SLUICE_BATCH_MAJOR, .state_gradients = 1}},
		{"t30n7i5h17hold", {.pointers = 1}},
		{"t30n7i5h17l2biholdresetlenlearn", {.pointers = 1, .slots = 1, .dropout = 0.3f, .state_gradients = 1}},
		{"t30n3i5h17l2biadd", {.outputs = 3, .dropout = 0.3f}},
		{"t30n3i5h17l3bisep", {.pointers = 1, .state_gradients = 1}},
		{"t30n3i5h17l3biseplenleftresetholdlearn", {.dropout = 0.3f, .layout = SLUICE_BATCH_MAJOR}},
		{"t30n3h17l2biaddpackedidx", {.slots = 1, .state_gradients = 1}},
		{"t30n1i5h33lenresethold", {.slots = 1}},
		{"t10n33i20h40l2bilenreset", {.threads = 2, .state_gradients = 1}},
		{"t10n33i20h70packedhold", {.threads = 3, .outputs = 7}},
		{"t30n5i9h17l2bipeepfullproj8cliplenresethold", {.outputs = 4, .state_gradients = 1}},
		{"t30n5i9h17zonerdropdconnmasklenleftresetholdlearn", {.outputs = 4, .dropout = 0.25f}},
		{"t30n5h17binoxlenresethold", {.state_gradients = 1}},
		{"t30n5i9h17l2recomputepackedresethold", {.dropout = 0.25f, .state_gradients = 1}},
		{"t30n5i9h17l2bioutputspackedresetholdlearn", {.state_gradients = 1}},
		{"t30n5i9h17l2biaddbf16lenresetholdlearn", {.threads = 2}},
		{"t30n5i9h17l2f16outputslenleftresetholdlearn", {.state_gradients = 1}},
		{"t30n5i9h17l3bisepproj8zonerdropdconnmaskpackedresetholdlearnf64",
		 {.state_gradients = 1, .dropout = 0.25f}},
		{"t30n5i9h17l3biaddpeeplenleftresetholdlearnf64",
		 {.state_gradients = 1, .pointers = 1, .slots = 1, .outputs = 4}},
	};

	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++)
		judge(CASES[index].problem, &CASES[index].options);
}

/* Images: kernels of every size, larger than the image, too; everything above of some of them. */
static void test_images(void **state)
{
	static const struct judged CASES[] = {
		{"t6n3i3h17conv3y9x7", {0}},
		{"t10n2i5h4l2bipeepfullconv5y4x6", {.outputs = 3, .state_gradients = 1}},
		{"t5n2i2h3conv9y4x3dilate2", {.threads = 2}},
		{"t6n7i1h1conv2y1x12", {.layout = SLUICE_BATCH_MAJOR}},
		{"t6n3i4h6l3altpeepelementstride2groups2conv4y9x8", {.pointers = 1, .slots = 1, .state_gradients = 1}},
		{"t4n5i3h33conv1y5x5", {.threads = 3}},
		{"t6n4i6h12l2biaddpackedresetlearnconv3y5x6groups3", {.threads = 2, .dropout = 0.3f}},
		{"t6n5h9bisepidxlenleftholdproj5conv3y6x4dilate2", {.pointers = 1, .threads = 2, .state_gradients = 1}},
		{"t50n1i2h8conv3y4x4", {.slots = 1, .outputs = 1}},
		{"t3n2h70conv3y4x4", {0}},
		{"t1n2i16h16conv3y9x160wino", {.threads = 2}},
		{"t6n3h6l2zonerdropdconnmaskpeepfullconv3y5x4", {.dropout = 0.25f, .outputs = 2}},
		{"t6n3h17noxrecomputeconv3y8x5", {.threads = 2}},
		{"t6n3h9l2biidxrecomputelenresetholdbf16conv3y5x4", {.threads = 2, .state_gradients = 1}},
		{"t6n3h9l2outputspeepnewproj4holdf16conv2y5x4", {.threads = 2}},
		{"t6n3h9outputscoupledlearnresetf64conv3y8x4", {.threads = 2, .state_gradients = 1}},
		{"t3n2i16h32conv3y6x7", {.threads = 2}},
		{"t3n2i3h16conv5y9x4wino", {.threads = 2, .outputs = 3}},
		{"t3n3i16h16l2biconv3y5x9winolenholdreset", {.dropout = 0.3f, .state_gradients = 1}},
		{"t3n2i16h16proj32peepelementclipconv3y4x1winorecompute", {.threads = 3}},
		{"t3n2i16h16revconv3y5x5winof64outputs", {.threads = 2}},
		{"t3n2i16h32conv3y6x7direct", {0}},
		{"t6n3i4h6l3bisepproj4zonerdropdconnmaskpackedresetholdlearnf64conv3y5x4stride2groups2",
		 {.threads = 2, .dropout = 0.25f, .state_gradients = 1}},
	};

	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++)
		judge(CASES[index].problem, &CASES[index].options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels), cmocka_unit_test(test_small),  cmocka_unit_test(test_long),
		cmocka_unit_test(test_large),  cmocka_unit_test(test_stacks), cmocka_unit_test(test_options),
		cmocka_unit_test(test_time),   cmocka_unit_test(test_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
