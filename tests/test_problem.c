/*
 * test_problem.c: problem strings mean one thing, and nonsense is refused with a sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "problem.h"

#define LONGEST                                                                                             \
	"t100000000n100000000i99999999h100000000l127biaddpeepelementproj100000000maskresetholdlenleftlearn" \
	"coupledcliphardzonerdropdconnidxrecomputeconv9y100000000x100000000dilate100000000groups100000000directbf16"

/* Every string is canonical: parsing and printing gives it again. */
static void test_round_trip(void **state)
{
	static const char *const TEXTS[] = {
		"t25n16h512",
		"t50n8h128l2bi",
		"t1n1i40h256bf16",
		"t9n2i3h5l3alt",
		"t9n2i3h5rev",
		"t9n2i3h5l127bipeepproj64maskresetlenint8",
		"t9n2i3h5peepfull",
		"t9n2i3h5peepnewf64",
		"t9n2i3h5conv3y8x16f16",
		"t9n2h5len",
		"t9n2h5l2len",
		"t9n2h5lenleft",
		"t9n2h5l2packed",
		"t9n2h5hold",
		"t9n2h5biadd",
		"t9n2h5l3bisepresetholdlearn",
		"t9n2h5tf32",
		"t9n2h5coupledcliphard",
		"t9n2i3h5zonerdropdconnf16",
		"t9n2h5nox",
		"t9n2h5binox",
		"t9n2i5h5binox",
		"t9n2h5idxrecompute",
		"t9n2h5outputsbf16",
		"t9n2i4h6peepfullproj2conv4y8x16dilate2stride3groups2",
		"t9n2h5peepelementconv1y1x1",
		"t9n2h32conv3y8x8wino",
		"t9n2h5idxconv9y3x2dilate4groups5int8",
		LONGEST,
	};

	(void)state;
	for (size_t index = 0; index < sizeof(TEXTS) / sizeof(TEXTS[0]); index++) {
		struct sluice__problem problem;
		char text[SLUICE__PROBLEM_TEXT];

		assert_int_equal(sluice__problem_parse(TEXTS[index], &problem), SLUICE_OK);
		sluice__problem_print(&problem, text);
		assert_string_equal(text, TEXTS[index]);
	}
}

static void test_fields(void **state)
{
	struct sluice__problem problem;

	(void)state;
	assert_int_equal(sluice__problem_parse("t7n3i2h5f16lenpeepx", &problem), SLUICE_INVALID_ARGUMENT);
	assert_int_equal(sluice__problem_parse("t7n3i2h5bf16resetl4lenpeepnewmaskrevproj3", &problem), SLUICE_OK);
	assert_int_equal(problem.steps, 7);
	assert_int_equal(problem.batch, 3);
	assert_int_equal(problem.inputs, 2);
	assert_int_equal(problem.hidden, 5);
	assert_int_equal(problem.layers, 4);
	assert_int_equal(problem.direction, SLUICE_REVERSE);
	assert_int_equal(problem.peephole, SLUICE_PEEPHOLE_DIAGONAL);
	assert_int_equal(problem.peephole_previous, 0);
	assert_int_equal(problem.projection, 3);
	assert_int_equal(problem.dtype, SLUICE_BF16);
	assert_true(problem.mask && problem.resets && problem.lengths && !problem.alternating && !problem.tf32);
	assert_int_equal(sluice__problem_parse("t7n3i2h5i3", &problem), SLUICE_INVALID_ARGUMENT);
	assert_int_equal(sluice__problem_parse("t7n3h5", &problem), SLUICE_OK);
	assert_int_equal(problem.inputs, 5);
	assert_int_equal(sluice__problem_parse("t7n3h5noxbi", &problem), SLUICE_OK);
	assert_int_equal(problem.inputs, 40);
	assert_int_equal(sluice__problem_parse("t7n3i9h5noxcoupledzonedconnrdropcliphardoutputs", &problem), SLUICE_OK);
	assert_int_equal(problem.inputs, 9);
	assert_int_equal(problem.input, SLUICE_INPUT_GATES);
	assert_int_equal(problem.tape_mode, SLUICE_TAPE_OUTPUTS);
	assert_true(problem.coupled && problem.zoneout && problem.dropconnect && problem.recurrent_dropout);
	assert_true(problem.clip && problem.hard);
	assert_int_equal(sluice__problem_parse("t7n3h5leftlearnholdlensepbi", &problem), SLUICE_OK);
	assert_int_equal(problem.lengths, SLUICE__LENGTHS_RANDOM);
	assert_int_equal(problem.padding, SLUICE_PADDING_LEFT);
	assert_int_equal(problem.combination, SLUICE_SEPARATE);
	assert_true(problem.holds && problem.learned_start && !problem.resets && !problem.kernel);
	assert_int_equal(sluice__problem_parse("t7n3i4h6groups2stride3y4x9conv5peepelementdilate2l2", &problem),
			 SLUICE_OK);
	assert_true(problem.rows == 4 && problem.columns == 9 && problem.kernel == 5);
	assert_true(problem.groups == 2 && problem.stride == 3 && problem.dilation == 2);
	assert_int_equal(problem.peephole, SLUICE_PEEPHOLE_ELEMENT);
	assert_int_equal(problem.peephole_previous, 0);
}

static void test_refused(void **state)
{
	static const char *const TEXTS[] = {
		"",
		"t",
		"t5",
		"t5n2",
		"t5n2i3",
		"t0n2h3",
		"t5n0h3",
		"t5n2h0",
		"n2t5h3",
		"t5n2h3i4",
		"t5 n2h3",
		"t5n2h3 bi",
		"t5n2h3,bi",
		"t-5n2h3",
		"t5n2h3birev",
		"t5n2h3bibi",
		"t5n2h3f16f64",
		"t5n2h3tf32bf16",
		"t5n2h3l",
		"t5n2h3l0",
		"t5n2h3l128",
		"t5n2h3alt",
		"t5n2h3add",
		"t5n2h3revsep",
		"t5n2h3biaddsep",
		"t5n2h3left",
		"t5n2h3packedleft",
		"t5n2h3lenpacked",
		"t5n2h3l2altbi",
		"t5n2h3peeppeepnew",
		"t5n2h3noxidx",
		"t5n2h3recomputeoutputs",
		"t5n2h3clipclip",
		"t5n2h3conv3",
		"t5n2h3y2x2",
		"t5n2h3conv3y2",
		"t5n2h3conv3y2x",
		"t5n2h3conv10y2x2",
		"t5n2h3conv0y2x2",
		"t5n2h3conv3y2x2conv3",
		"t5n2h3stride2",
		"t5n2h3dilate2",
		"t5n2h3groups3",
		"t5n2h3peepelement",
		"t5n2h3wino",
		"t5n2h3direct",
		"t5n2h3conv3y2x2winodirect",
		"t5n2h3conv3y2x2dilate",
		"t5n2h3conv3y2x2stride0",
		"t5n2h3conv3y2x2stride2stride2",
		"t5n2h3conv3y2x2stride2idx",
		"t5n2h3noxconv3y2x2stride2",
		"t5n2i4h3conv3y2x2groups3",
		"t5n2i3h4conv3y2x2groups3",
		"t5n2h3proj4conv3y2x2groups3",
		"t5n2h3peepelementpeepfullconv3y2x2",
		"t5n2h3proj",
		"t5n2h3zz",
		"t100000001n2h3",
		"t99999999999999999999999999n2h3",
		"t5n2h3l2l3",
		"T5n2h3",
	};

	(void)state;
	for (size_t index = 0; index < sizeof(TEXTS) / sizeof(TEXTS[0]); index++) {
		struct sluice__problem problem = {.steps = 77};

		if (sluice__problem_parse(TEXTS[index], &problem) != SLUICE_INVALID_ARGUMENT)
			fail_msg("\"%s\" was accepted", TEXTS[index]);
		assert_int_equal(problem.steps, 77);
		assert_non_null(strstr(sluice_last_message(), "problem"));
	}
	assert_int_equal(sluice__problem_parse(NULL, NULL), SLUICE_INVALID_ARGUMENT);
	assert_non_null(strstr(sluice__problem_grammar(), "t<steps>n<batch>i<inputs>h<hidden>"));
}

static void test_flops(void **state)
{
	static const struct {
		const char *text;
		double flops;
	} CASES[] = {
		{"t1n1i1h1", 16},
		{"t25n16i512h512", 2. * 4 * 512 * 1024 * 16 * 25},
		{"t3n2i5h7rev", 2. * 4 * 7 * 12 * 2 * 3},
		{"t3n2i5h7l2", 2. * 4 * 7 * (12 + 14) * 2 * 3},
		{"t3n2i5h7l3bi", 2. * 2 * 4 * 7 * (12 + 21 + 21) * 2 * 3},
		{"t3n2i5h7maskcliphardzonepeep", 2. * 4 * 7 * 12 * 2 * 3},
		{"t3n2i5h7coupled", 2. * 3 * 7 * 12 * 2 * 3},
		{"t3n2h7nox", 2. * 4 * 7 * 7 * 2 * 3},
		{"t3n2h7idxl2", 2. * 4 * 7 * (7 + 7) * 2 * 3},
		{"t3n2h7idxl2bi", 2. * 2 * 4 * 7 * (7 + 21) * 2 * 3},
		{"t3n2i5h7peepfull", 2. * 4 * 7 * 19 * 2 * 3},
		{"t3n2i5h7proj3l2", 2. * (4 * 7 * (5 + 3 + 3 + 3) + 2 * 21) * 2 * 3},
		{"t3n2i5h7l2alt", 2. * 4 * 7 * (12 + 14) * 2 * 3},
		{"t3n2i5h7l2biaddlenresethold", 2. * 2 * 4 * 7 * (12 + 14) * 2 * 3},
		{"t3n2h7l3bisepidxlearn", 2. * 2 * 4 * 7 * (7 + 7 + 7) * 2 * 3},
		{"t3n2i5h7conv3y8x6", 2. * 4 * 7 * 9 * 12 * 48 * 2 * 3},
		{"t3n2i5h7conv4y8x6dilate3len", 2. * 4 * 7 * 16 * 12 * 48 * 2 * 3},
		{"t3n2i5h7l2conv3y8x6stride3", 2. * 4 * 7 * 9 * (12 + 14) * (3 * 2) * 2 * 3},
		{"t3n2i3h9bipeepfullproj6conv5y8x6groups3", 2. * 2 * (4 * 9 * 25 * (1 + 2 + 3) + 6 * 9) * 48 * 2 * 3},
		{"t3n2h7coupledidxpeepelementconv3y8x6", 2. * 3 * 7 * 9 * 7 * 48 * 2 * 3},
	};

	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++) {
		struct sluice__problem problem;

		assert_int_equal(sluice__problem_parse(CASES[index].text, &problem), SLUICE_OK);
		assert_true(sluice__problem_flops(&problem) == CASES[index].flops);
	}
}

static void test_description(void **state)
{
	static struct sluice__problem_model model;
	struct sluice__problem problem;

	(void)state;
	assert_int_equal(sluice__problem_parse("t3n2i5h7l3altpeepproj4", &problem), SLUICE_OK);
	assert_int_equal(sluice__problem_describe(&problem, &model), SLUICE_OK);
	assert_int_equal(model.description.layer_count, 3);
	assert_int_equal(model.description.inputs, 5);
	assert_int_equal(model.description.outputs, 0);
	for (size_t layer = 0; layer < 3; layer++) {
		const sluice_layer *one = &model.description.layers[layer];

		assert_int_equal(one->size, sizeof(*one));
		assert_int_equal(one->hidden, 7);
		assert_int_equal(one->direction, layer == 1 ? SLUICE_REVERSE : SLUICE_FORWARD);
		assert_int_equal(one->peephole, SLUICE_PEEPHOLE_DIAGONAL);
		assert_int_equal(one->peephole_previous, 1);
		assert_int_equal(one->projection, 4);
	}
	assert_int_equal(sluice__problem_parse("t3n2h7noxl2projclip", &problem), SLUICE_INVALID_ARGUMENT);
	assert_int_equal(sluice__problem_parse("t3n2h7l3idxhardzone", &problem), SLUICE_OK);
	assert_int_equal(sluice__problem_describe(&problem, &model), SLUICE_OK);
	for (size_t layer = 0; layer < 3; layer++) {
		const sluice_layer *one = &model.description.layers[layer];

		assert_int_equal(one->input, SLUICE_INPUT_IDENTITY);
		assert_int_equal(one->candidate_activation.kind, SLUICE_ACTIVATION_SOFTSIGN);
		assert_int_equal(one->forget_activation.kind, SLUICE_ACTIVATION_HARD_SIGMOID);
		assert_true(one->zoneout_h > 0 && one->zoneout_c > 0 && one->dropconnect == 0);
	}
}

/* Of images every product has its kernel, and the first input alone a stride. */
static void test_images(void **state)
{
	static struct sluice__problem_model model;
	struct sluice__problem problem;

	(void)state;
	assert_int_equal(sluice__problem_parse("t3n2i6h8l2bipeepfullconv4y5x9dilate2stride3groups2", &problem),
			 SLUICE_OK);
	assert_int_equal(sluice__problem_describe(&problem, &model), SLUICE_OK);
	assert_int_equal(model.description.image_height, 5);
	assert_int_equal(model.description.image_width, 9);
	assert_int_equal(model.description.inputs, 6);
	for (size_t layer = 0; layer < 2; layer++) {
		const sluice_layer *one = &model.description.layers[layer];
		const sluice_convolution *all[] = {&one->input_convolution, &one->recurrent_convolution,
						   &one->memory_convolution};

		for (size_t index = 0; index < 3; index++) {
			size_t stride = layer == 0 && index == 0 ? 3 : 0;

			assert_true(all[index]->height == 4 && all[index]->width == 4);
			assert_true(all[index]->dilation_y == 2 && all[index]->dilation_x == 2);
			assert_true(all[index]->stride_y == stride && all[index]->stride_x == stride);
			assert_int_equal(all[index]->groups, 2);
			assert_int_equal(all[index]->border, SLUICE_BORDER_SAME);
		}
	}
	assert_int_equal(sluice__problem_parse("t3n2h8idxpeepelementconv3y5x9", &problem), SLUICE_OK);
	assert_int_equal(sluice__problem_describe(&problem, &model), SLUICE_OK);
	assert_int_equal(model.layers[0].peephole, SLUICE_PEEPHOLE_ELEMENT);
	assert_int_equal(model.layers[0].input_convolution.height, 0);
	assert_int_equal(model.layers[0].recurrent_convolution.height, 3);
	assert_int_equal(model.layers[0].memory_convolution.height, 0);
	assert_int_equal(sluice__problem_parse("t3n2h8peepfull", &problem), SLUICE_OK);
	assert_int_equal(sluice__problem_describe(&problem, &model), SLUICE_OK);
	assert_true(!model.description.image_height && !model.description.image_width);
	assert_int_equal(model.layers[0].recurrent_convolution.height, 0);
}

/* How a problem is planned and run; and what nothing implements yet. */
static void test_setting(void **state)
{
	static const char *const UNSUPPORTED[] = {"t3n2h7int8", "t3n2h7conv3y2x2tf32"};
	static struct sluice__problem_model model;
	struct sluice__problem problem;
	struct sluice__setting setting;

	(void)state;
	assert_int_equal(sluice__problem_parse("t3n2i5h7bf16maskdconnrecompute", &problem), SLUICE_OK);
	assert_int_equal(sluice__problem_set(&problem, &model, &setting), SLUICE_OK);
	assert_ptr_equal(setting.description, &model.description);
	assert_true(setting.steps == 3 && setting.batch == 2 && setting.training && setting.mask);
	assert_int_equal(setting.weights, SLUICE_BF16);
	assert_int_equal(setting.data, SLUICE_BF16);
	assert_int_equal(setting.tape, SLUICE_BF16);
	assert_int_equal(setting.tape_mode, SLUICE_TAPE_RECOMPUTE);
	assert_int_equal(setting.winograd, SLUICE_AUTO);
	assert_int_equal(sluice__problem_parse("t3n2h32conv3y4x4direct", &problem), SLUICE_OK);
	assert_int_equal(sluice__problem_set(&problem, &model, &setting), SLUICE_OK);
	assert_int_equal(setting.winograd, SLUICE_OFF);
	assert_int_equal(sluice__problem_parse("t3n2i5h7f64", &problem), SLUICE_OK);
	assert_int_equal(sluice__problem_set(&problem, &model, &setting), SLUICE_OK);
	assert_int_equal(setting.data, SLUICE_F64);
	assert_int_equal(setting.weights, SLUICE_F32);
	assert_true(!setting.training && !setting.mask && !setting.lengths && !setting.no_initial);
	assert_int_equal(sluice__problem_parse("t3n2i5h7l2biaddresetholdlenleftlearn", &problem), SLUICE_OK);
	assert_int_equal(sluice__problem_set(&problem, &model, &setting), SLUICE_OK);
	assert_true(setting.resets && setting.holds && setting.no_initial);
	assert_int_equal(setting.lengths, SLUICE__LENGTHS_RANDOM);
	assert_int_equal(setting.padding, SLUICE_PADDING_LEFT);
	assert_int_equal(model.layers[1].combination, SLUICE_ADD);
	assert_int_equal(model.layers[1].learned_start, 1);
	for (size_t index = 0; index < sizeof(UNSUPPORTED) / sizeof(UNSUPPORTED[0]); index++) {
		assert_int_equal(sluice__problem_parse(UNSUPPORTED[index], &problem), SLUICE_OK);
		assert_int_equal(sluice__problem_set(&problem, &model, &setting), SLUICE_UNSUPPORTED);
	}
}

/* Uniform and zero-mean: the mean of n values has deviation scale/sqrt(3n), the mean square deviation 0.3
 * scale^2/sqrt(n). */
static void test_data(void **state)
{
	static float values[65536], again[65536];
	double sum = 0, squares = 0;

	(void)state;
	sluice__data_fill(7, "x", 0.5f, 65536, values);
	sluice__data_fill(7, "x", 0.5f, 1000, again);
	assert_memory_equal(values, again, 1000 * sizeof(float));
	sluice__data_fill(8, "x", 0.5f, 1000, again);
	assert_memory_not_equal(values, again, 1000 * sizeof(float));
	sluice__data_fill(7, "y", 0.5f, 1000, again);
	assert_memory_not_equal(values, again, 1000 * sizeof(float));
	for (size_t index = 0; index < 65536; index++) {
		assert_true(values[index] > -0.5f && values[index] < 0.5f);
		sum += values[index];
		squares += (double)values[index] * values[index];
	}
	assert_true(sum / 65536 < 5 * 0.5 / 443 && sum / 65536 > -5 * 0.5 / 443);
	assert_true(squares / 65536 < 0.25 / 3 * 1.02 && squares / 65536 > 0.25 / 3 * 0.98);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_fields), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_flops),      cmocka_unit_test(test_images), cmocka_unit_test(test_description),
		cmocka_unit_test(test_setting),    cmocka_unit_test(test_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
