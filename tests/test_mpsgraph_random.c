/*
 * test_mpsgraph_random.c: MPSGraph's LSTM and all its gradients against the reference, in every form that tensors and
 * descriptors can take.
 *
 * Tolerances are bounds of f32 arithmetic that the reference computes along with each number (bnns_number.h): no one
 * chose them. With 16 bits the reference rounds where mpsgraph.h says that numbers are stored, so that a tolerance is
 * zero, or one unit of the last place where the bound of f32 reaches across the border of two numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mpsgraph_case.h"

enum { CASES = 500 };

struct kept {
	unsigned char *bytes[MPS_RESULTS];
};

static void keep(const struct mps_case *test, struct kept *out)
{
	for (size_t which = 0; which < MPS_RESULTS; which++) {
		out->bytes[which] = malloc(test->found[which].bytes + 1);
		assert_non_null(out->bytes[which]);
		if (test->found[which].bytes)
			memcpy(out->bytes[which], test->found[which].at, test->found[which].bytes);
	}
}

static void assert_kept(const struct mps_case *test, const struct kept *kept, const char *what)
{
	for (size_t which = 0; which < MPS_RESULTS; which++)
		if (test->found[which].bytes &&
		    memcmp(kept->bytes[which], test->found[which].at, test->found[which].bytes) != 0)
			fail_msg("seed %zu: result %zu has other bits %s", (size_t)test->data.spec.seed, which, what);
}

static void kept_destroy(struct kept *kept)
{
	for (size_t which = 0; which < MPS_RESULTS; which++)
		free(kept->bytes[which]);
}

static void scribble(struct mps_case *test, size_t first)
{
	for (size_t which = first; which < MPS_RESULTS; which++)
		if (test->found[which].at)
			memset(test->found[which].at, 0xff, test->found[which].bytes);
}

static double check_case(const struct mps_spec *spec)
{
	struct mps_case test;
	struct kept kept;
	double worst;

	mps_case_create(spec, NULL, &test);
	mps_case_run(&test);
	worst = mps_case_judge(&test);
	keep(&test, &kept);
	scribble(&test, 0);
	mps_case_run(&test);
	assert_kept(&test, &kept, "when run again");
	scribble(&test, MPS_FIRST_GRADIENT);
	mps_case_run_in_two(&test);
	assert_kept(&test, &kept, "when z and c were taken apart and joined in another graph");
	kept_destroy(&kept);
	mps_case_destroy(&test);
	return worst;
}

static void test_random_cases(void **unused)
{
	(void)unused;
	size_t types[3] = {0}, masks[MPS_MASKS] = {0}, bidirectional = 0, reverse = 0, forget_last = 0, current = 0;
	size_t no_weights = 0;
	double worst = 0;

	for (uint64_t seed = 0; seed < CASES; seed++) {
		struct mps_spec spec;

		mps_spec_draw(seed, &spec);
		worst = fmax(worst, check_case(&spec));
		types[spec.type == BNNSDataTypeFloat32 ? 0 : spec.type == BNNSDataTypeFloat16 ? 1 : 2]++;
		masks[spec.mask]++;
		bidirectional += spec.directions == 2;
		reverse += (size_t)spec.reverse;
		forget_last += (size_t)spec.forget_last;
		current += spec.peephole_current && spec.present[MPS_P];
		no_weights += !spec.present[MPS_W];
	}
	print_message("%zu numbers of Float32, the largest error %.2f of what it may be, %zu tolerances above 0.01\n",
		      mps_tally.numbers, worst, mps_tally.loose);
	/* Every choice was made often. */
	for (size_t index = 0; index < 3; index++)
		assert_true(types[index] > CASES / 10);
	for (size_t index = 0; index < MPS_MASKS; index++)
		assert_true(masks[index] > CASES / 20);
	assert_true(bidirectional > CASES / 4 && reverse > CASES / 20 && forget_last > CASES / 4);
	assert_true(current > CASES / 10 && no_weights > CASES / 10);
	/* Rigorous bounds are wide, but not so wide that they say nothing. */
	assert_true(worst > 0.05);
	assert_true(mps_tally.loose < mps_tally.numbers / 1000);
}

/* The bounds notice what is least conspicuous: one weight, off by a part in five hundred. */
static void test_bounds_notice(void **unused)
{
	(void)unused;
	size_t noticed = 0;
	const size_t rounds = 50;

	for (uint64_t seed = 0; seed < rounds; seed++) {
		struct mps_spec spec;
		struct mps_data data;
		struct mps_results right, changed;

		mps_spec_draw(2 * seed, &spec);
		spec.type = BNNSDataTypeFloat32;
		spec.steps = 3;
		spec.mask = MPS_MASK_NONE;
		spec.present[MPS_MASK] = 0;
		mps_data_create(&spec, &data);
		assert_true(mps_results_create(&data.problem, &right) && mps_results_create(&data.problem, &changed));
		mps_reference_forward(&data.problem, &right);
		data.values[MPS_R][0] *= 1.002;
		mps_reference_forward(&data.problem, &changed);
		for (size_t index = 0; index < mps_h_count(&data.problem); index++)
			if (fabs(right.h[index].v - changed.h[index].v) > right.h[index].e) {
				noticed++;
				break;
			}
		mps_results_destroy(&right);
		mps_results_destroy(&changed);
		mps_data_destroy(&data);
	}
	assert_true(noticed > rounds * 8 / 10);
}

/* Every activation in every place, with its gradient. */
static void test_every_activation(void **unused)
{
	(void)unused;
	static const BNNSActivation kinds[] = {
		{.function = BNNSActivationFunctionIdentity},
		{.function = BNNSActivationFunctionRectifiedLinear},
		{.function = BNNSActivationFunctionTanh},
		{.function = BNNSActivationFunctionSigmoid},
		{.function = BNNSActivationFunctionHardSigmoid, .alpha = 0.2f, .beta = 0.5f},
	};

	for (size_t place = 0; place <= MPS_GATES; place++)
		for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
			struct mps_spec spec;

			mps_spec_draw(2000 + 2 * (place * 5 + kind), &spec);
			spec.type = BNNSDataTypeFloat32;
			spec.activations[place] = kinds[kind];
			check_case(&spec);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds_notice),
		cmocka_unit_test(test_every_activation),
		cmocka_unit_test(test_random_cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
