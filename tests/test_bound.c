/*
 * test_bound.c: the computed bounds hold for honest f32 arithmetic and catch one operand of lower precision.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "judgement.h"
#include "problem.h"

/* The largest share of its bound that an error of one array takes. Where no error is allowed, none may be. */
static double share(const float *values, const double *exact, const double *bounds, size_t count)
{
	double worst = 0;

	for (size_t index = 0; index < count; index++)
		if (bounds[index] > 0 || (double)values[index] != exact[index])
			worst = fmax(worst, fabs((double)values[index] - exact[index]) / bounds[index]);
	return worst;
}

/* Shares of all results of the plain f32 transcription, forward and backward. */
static void transcribe(const struct sluice__judgement *judgement, const double *parameters, sluice_dtype h_type,
		       double *forward, double *backward)
{
	const struct sluice__exercise *forced = &judgement->forced;
	const struct sluice__bound *bound = &judgement->bound;
	const struct sluice__network *network = &judgement->network;
	size_t rows = forced->run.batch, h = rows * network->h_width, c = rows * network->c_width;
	struct sluice__transcript plain;

	assert_int_equal(sluice__transcript_create(network, &forced->run, parameters, h_type, 1, &plain), SLUICE_OK);
	*forward = share(plain.trace.y, forced->trace.y, bound->y, rows * network->y_row);
	if (network->separate)
		*forward = fmax(*forward, share(plain.trace.y_reverse, forced->trace.y_reverse, bound->y_reverse,
						rows * network->y_row));
	*forward = fmax(*forward, share(plain.trace.hn, forced->trace.hn, bound->hn, h));
	*forward = fmax(*forward, share(plain.trace.cn, forced->trace.cn, bound->cn, c));
	*backward = share(plain.gradients.dx, forced->gradients.dx, bound->dx, rows * network->x_row);
	*backward = fmax(*backward, share(plain.gradients.dh0, forced->gradients.dh0, bound->dh0, h));
	*backward = fmax(*backward, share(plain.gradients.dc0, forced->gradients.dc0, bound->dc0, c));
	*backward = fmax(*backward, share(plain.gradients.dparameters, forced->gradients.dparameters,
					  bound->dparameters, network->parameter_count));
	sluice__transcript_destroy(&plain);
}

/* The 8 upper bits of a significand: what bfloat16 keeps, here by truncation. */
static double truncated(double value)
{
	float narrow = (float)value;
	uint32_t bits;

	memcpy(&bits, &narrow, sizeof(bits));
	bits &= 0xffff0000u;
	memcpy(&narrow, &bits, sizeof(narrow));
	return (double)narrow;
}

/* Of 16 weights, the one that truncation changes most: a weight that bfloat16 can hold would show nothing. */
static double *most_changed(double *weights)
{
	double *most = weights;

	for (int index = 1; index < 16; index++)
		if (fabs(weights[index] - truncated(weights[index])) > fabs(*most - truncated(*most)))
			most = weights + index;
	return most;
}

/* The first five have nothing but what every layer has, one of them on images. */
#define PLAIN 5
static const char *const PROBLEMS[] = {"t20n3i2h1",
				       "t20n7i9h17rev",
				       "t10n3i5h9l2bi",
				       "t5n2i30h150",
				       "t5n2i3h4conv3y5x4",
				       "t10n3i5h9peepmask",
				       "t10n3i5h9l2peepfullproj4clip",
				       "t10n3i5h9l2bipeepnewproj4coupledzone",
				       "t10n3i5h9hardclip",
				       "t10n3h9idxrdropdconn",
				       "t10n3h9noxbihard",
				       "t10n3i5h9f16",
				       "t10n3i5h9l2bipeepbf16",
				       "t10n3i5h9recomputef16",
				       "t10n3i5h9outputsbf16",
				       "t10n3i5h9lenresethold",
				       "t10n5i5h9l2bilenleftresetholdlearn",
				       "t10n3i5h9l2biaddpackedresetholdzonepeep",
				       "t10n3i5h9l3bisepholdresetlearnproj4",
				       "t10n3i5h9l2biaddlenresetholdlearnf16",
				       "t10n3i5h9outputslenresetholdlearnbf16",
				       "t5n2i4h6l2biconv4y3x5dilate2stride2groups2peepfull",
				       "t5n2i4h5bipeepelementproj3clipconv5y4x3",
				       "t5n2h4l2idxrdropdconnmaskconv3y3x4",
				       "t5n2h3noxbizonepeepnewconv2y4x4",
				       "t5n2i3h4l2biaddlenresetholdlearnpeepfullconv3y4x3",
				       "t5n2i3h4recomputeconv3y4x3f16",
				       "t5n2i3h4outputspeepfullconv3y4x3bf16",
				       "t2n2i16h16conv3y5x6direct"};

/* A judgement and everything that it points to. */
struct case_of {
	struct sluice__problem_model model;
	struct sluice__setting setting;
	struct sluice__judgement judgement;
};

static struct case_of *case_open(const char *text)
{
	struct case_of *one = malloc(sizeof(*one));
	struct sluice__problem problem;

	assert_non_null(one);
	assert_int_equal(sluice__problem_parse(text, &problem), SLUICE_OK);
	assert_int_equal(sluice__problem_set(&problem, &one->model, &one->setting), SLUICE_OK);
	one->model.description.outputs = problem.combination == SLUICE_SEPARATE ? 0 : 3;
	for (size_t layer = 0; layer + 1 < problem.layers || (one->model.description.outputs && layer < problem.layers);
	     layer++)
		one->model.layers[layer].dropout = 0.25f;
	one->setting.state_gradients = 1;
	one->setting.training = 1;
	one->setting.gradients = 1;
	one->setting.seed = 5;
	if (sluice__judgement_create(&one->setting, &one->judgement) != SLUICE_OK)
		fail_msg("%s: %s", text, sluice_last_message());
	assert_int_equal(sluice__judgement_force(&one->judgement), SLUICE_OK);
	return one;
}

static void case_close(struct case_of *one)
{
	sluice__judgement_destroy(&one->judgement);
	free(one);
}

/* Honest arithmetic stays within its bounds, and comes within a factor of 200 of them: they are not empty promises. */
static void test_honest(void **state)
{
	(void)state;
	for (size_t index = 0; index < sizeof(PROBLEMS) / sizeof(PROBLEMS[0]); index++) {
		struct case_of *one = case_open(PROBLEMS[index]);
		double forward, backward;

		transcribe(&one->judgement, one->judgement.free.run.parameters, one->setting.data, &forward, &backward);
		print_message("%s: %.3f of the bound forward, %.3f backward\n", PROBLEMS[index], forward, backward);
		assert_true(forward <= 1 && forward > 0.005);
		assert_true(backward <= 1 && backward > 0.005);
		case_close(one);
	}
}

/* One weight of W, R or the read-out in bfloat16 is beyond the bounds. */
static void test_low_precision(void **state)
{
	(void)state;
	for (size_t index = 0; index < PLAIN; index++) {
		struct case_of *one = case_open(PROBLEMS[index]);
		const struct sluice__network *network = &one->judgement.network;
		size_t places[] = {network->cells[0].weight_ih, network->cells[0].weight_hh, network->readout_weight};
		/* The oracle has run: its parameters may change for a moment. */
		double *parameters = one->judgement.block;

		assert_ptr_equal(parameters, one->judgement.free.run.parameters);
		for (size_t place = 0; place < 3; place++) {
			double *weight = most_changed(parameters + places[place]), former = *weight;
			double forward, backward;

			*weight = truncated(former);
			assert_true(*weight != former);
			transcribe(&one->judgement, parameters, SLUICE_F32, &forward, &backward);
			*weight = former;
			if (forward <= 1)
				fail_msg("%s: weight %zu in bfloat16 is only %.3f of the bound", PROBLEMS[index], place,
					 forward);
		}
		case_close(one);
	}
}

/* h in bfloat16, with 8 bits, is beyond the bounds of a plan that promises f16, with 11; and h in f16 beyond those of
 * f32. */
static void test_coarse_storage(void **state)
{
	static const struct {
		const char *problem;
		sluice_dtype h_type;
	} CASES[] = {{"t10n3i5h9f16", SLUICE_BF16}, {"t10n3i5h9", SLUICE_F16}, {"t10n3i5h9l2proj4f16", SLUICE_BF16}};

	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++) {
		struct case_of *one = case_open(CASES[index].problem);
		double forward, backward;

		transcribe(&one->judgement, one->judgement.free.run.parameters, CASES[index].h_type, &forward,
			   &backward);
		print_message("%s with coarser h: %.1f of the bound forward\n", CASES[index].problem, forward);
		assert_true(forward > 1);
		case_close(one);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_honest), cmocka_unit_test(test_low_precision),
					   cmocka_unit_test(test_coarse_storage)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
