/* mpsgraph_judge.c: holds what MPSGraph found against the reference, number by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bnns_array.h"
#include "mpsgraph_case.h"

struct mps_tally mps_tally;

typedef struct bnns_number number;

static double load(const struct mps_case *test, enum mps_result which, size_t index)
{
	const BNNSDataType type = test->data.spec.type;

	return bnns_load(type, (const unsigned char *)test->found[which].at + index * bnns_type_bytes(type));
}

static const number *reference_of(const struct mps_results *results, enum mps_result which)
{
	const number *const all[MPS_RESULTS] = {results->h,  results->c,  results->z,  results->dx,  results->dR,
						results->dW, results->db, results->dp, results->dh0, results->dc0};

	return all[which];
}

/* Everything from `first` to `last` that was found. A result is rounded to the type once, when it is complete. */
static double judge(const struct mps_case *test, const struct mps_results *expected, size_t first, size_t last,
		    const char *how)
{
	static const char *const names[MPS_RESULTS] = {"h", "c", "z", "dx", "dR", "dW", "db", "dp", "dh0", "dc0"};
	const int wide = test->data.spec.type == BNNSDataTypeFloat32;
	double worst = 0;

	for (size_t which = first; which < last; which++)
		for (size_t index = 0; index < test->found[which].count; index++) {
			const number p = number_stored(test->data.spec.type,
						       reference_of(expected, (enum mps_result)which)[index]);
			const double found = load(test, (enum mps_result)which, index), error = fabs(found - p.v);

			mps_tally.numbers += (size_t)wide;
			mps_tally.loose += wide && p.e > 0.01 * fmax(1, fabs(p.v));
			if (!(error <= p.e))
				fail_msg("seed %zu: %s[%zu] %s is %.9g, expected %.9g within %.3g",
					 (size_t)test->data.spec.seed, names[which], index, how, found, p.v, p.e);
			worst = fmax(worst, wide && error > 0 ? error / p.e : 0);
		}
	return worst;
}

static number *exactly(const struct mps_case *test, enum mps_result which)
{
	const size_t count = test->found[which].count;
	number *numbers = malloc(count * sizeof(*numbers));

	assert_non_null(numbers);
	for (size_t index = 0; index < count; index++)
		numbers[index] = number_exact(load(test, which, index));
	return numbers;
}

/* The gradients start from the z and c that they were given, which are exact: this is the narrow judgement. */
static double judge_from_found(const struct mps_case *test)
{
	const struct mps_problem *p = &test->data.problem;
	number *const z = exactly(test, MPS_Z), *const c = exactly(test, MPS_C);
	struct mps_results expected;
	double worst;

	assert_true(mps_results_create(p, &expected));
	assert_true(mps_reference_backward(p, z, c, &expected));
	worst = judge(test, &expected, MPS_FIRST_GRADIENT, MPS_RESULTS, "of the z and c that were found");
	mps_results_destroy(&expected);
	free(z);
	free(c);
	return worst;
}

double mps_case_judge(const struct mps_case *test)
{
	const struct mps_problem *p = &test->data.problem;
	struct mps_results expected;
	double worst;

	assert_true(mps_results_create(p, &expected));
	mps_reference_forward(p, &expected);
	worst = judge(test, &expected, MPS_H, MPS_FIRST_GRADIENT, "forward");
	/* From the inputs alone, the errors of z and c carried on. */
	for (size_t index = 0; index < MPS_GATES * mps_h_count(p); index++)
		expected.z[index] = number_stored(p->type, expected.z[index]);
	for (size_t index = 0; index < mps_h_count(p); index++)
		expected.c[index] = number_stored(p->type, expected.c[index]);
	assert_true(mps_reference_backward(p, expected.z, expected.c, &expected));
	/* Not tallied: where an argument with an error lies at a kink, its slope may be either. */
	const struct mps_tally tally = mps_tally;

	judge(test, &expected, MPS_FIRST_GRADIENT, MPS_RESULTS, "of the inputs");
	mps_tally = tally;
	mps_results_destroy(&expected);
	return fmax(worst, judge_from_found(test));
}
