/* test_mpsgraph_switches.c: every switch of sluice_mpsgraph_options in both positions, and what it does not touch. */
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "mpsgraph_case.h"

enum { T = 4, N = 2, H = 5 };

static void spec_plain(uint64_t seed, struct mps_spec *out)
{
	mps_spec_draw(2 * seed, out);
	out->steps = T, out->batch = N, out->hidden = H;
	out->type = BNNSDataTypeFloat32;
	for (size_t slot = 0; slot < MPS_SLOTS; slot++)
		out->present[slot] = slot != MPS_MASK || out->mask != MPS_MASK_NONE;
}

static void run_and_judge(const struct mps_spec *spec, const sluice_mpsgraph_options *options)
{
	struct mps_case test;

	mps_case_create(spec, options, &test);
	mps_case_run(&test);
	mps_case_judge(&test);
	mps_case_destroy(&test);
}

static void test_hard_sigmoid(void **unused)
{
	(void)unused;
	static const float positions[][2] = {{0, 0}, {1.0f / 6, 0.5f}, {0.25f, 0}, {0, 0.75f}};

	for (size_t index = 0; index < sizeof(positions) / sizeof(*positions); index++)
		for (uint64_t seed = 0; seed < 8; seed++) {
			sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;
			struct mps_spec spec;

			options.hard_sigmoid_slope = positions[index][0];
			options.hard_sigmoid_offset = positions[index][1];
			spec_plain(seed, &spec);
			for (size_t place = seed % 2; place <= MPS_GATES; place += 2)
				spec.activations[place] = (BNNSActivation){
					.function = BNNSActivationFunctionHardSigmoid,
					.alpha = index ? positions[index][0] : 0.2f,
					.beta = index ? positions[index][1] : 0.5f,
				};
			run_and_judge(&spec, &options);
		}
}

/* T = 2, all sizes 1: values of the equations, computed elsewhere: all peepholes see c[t-1]; the output's sees c[t]. */
static void test_peephole_output(void **unused)
{
	(void)unused;
	static const double h[2][2] = {{0.034816907449, -0.108186455684}, {0.036551805868, -0.104098898200}};
	static const double dp[2][4] = {{-0.037233943570, 0.032125380591, -0.162963246299, -0.009194631708},
					{-0.037871649287, 0.033109132108, -0.168245000549, 0.014105335373}};
	static const float given[MPS_SLOTS][4] = {
		[MPS_X] = {1, -2},
		[MPS_R] = {0.2f, 0.4f, -0.6f, 0.7f},
		[MPS_W] = {0.5f, -0.3f, 0.8f, 0.1f},
		[MPS_B] = {0.1f, 0.2f, -0.1f, 0.05f},
		[MPS_P] = {0.3f, -0.2f, 0.15f, 0.25f},
		[MPS_H0] = {0.3f},
		[MPS_C0] = {-0.4f},
		[MPS_DY] = {1, 1},
	};

	for (int position = 0; position < 2; position++) {
		struct mps_spec spec;
		struct mps_case test;

		spec_plain(0, &spec);
		spec.steps = 2, spec.batch = spec.inputs = spec.hidden = spec.directions = 1;
		spec.reverse = spec.forget_last = 0;
		spec.mask = MPS_MASK_NONE;
		spec.present[MPS_MASK] = spec.present[MPS_DH] = spec.present[MPS_DC] = 0;
		spec.peephole_current = position;
		mps_case_create(&spec, NULL, &test);
		for (size_t slot = 0; slot < MPS_SLOTS; slot++)
			if (test.fed[slot].at)
				memcpy(test.fed[slot].at, given[slot], test.fed[slot].bytes);
		mps_case_run(&test);
		const float *found_h = test.found[MPS_H].at, *found_dp = test.found[MPS_D_P].at;

		/* Values below 1, results of some 20 roundings, each of which later steps carry on at most doubled. */
		for (size_t t = 0; t < 2; t++)
			assert_true(fabs((double)found_h[t] - h[position][t]) <= 40 * NUMBER_U);
		for (size_t gate = 0; gate < 4; gate++)
			assert_true(fabs((double)found_dp[gate] - dp[position][gate]) <= 40 * NUMBER_U);
		mps_case_destroy(&test);
	}
}

static void test_bias_gradient_shape(void **unused)
{
	(void)unused;
	for (uint64_t seed = 0; seed < 4; seed++) {
		struct mps_spec spec;
		struct mps_case documented, observed;
		sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;
		size_t shape[SLUICE_MPSGRAPH_RANK];

		spec_plain(seed, &spec);
		spec.directions = 1 + seed % 2;
		spec.reverse = 0;
		mps_case_create(&spec, NULL, &documented);
		options.bias_gradient_shape = SLUICE_MPSGRAPH_BIAS_GRADIENT_SHAPE_OBSERVED;
		mps_case_create(&spec, &options, &observed);
		const size_t width = spec.directions * 4 * H;

		assert_true(MPSGraphTensor_shape(documented.results[MPS_D_B], shape) == 1 && shape[0] == width);
		assert_true(MPSGraphTensor_shape(observed.results[MPS_D_B], shape) == 3);
		assert_true(shape[0] == 1 && shape[1] == 1 && shape[2] == width);
		mps_case_run(&documented);
		mps_case_run(&observed);
		mps_case_judge(&observed);
		for (size_t which = 0; which < MPS_RESULTS; which++) {
			assert_true(documented.found[which].bytes == observed.found[which].bytes);
			if (documented.found[which].bytes)
				assert_memory_equal(documented.found[which].at, observed.found[which].at,
						    documented.found[which].bytes);
		}
		mps_case_destroy(&documented);
		mps_case_destroy(&observed);
	}
}

static void flip_steps(const struct mps_memory *from, void *to, size_t steps)
{
	const size_t bytes = from->bytes / steps;

	for (size_t t = 0; t < steps; t++)
		memcpy((char *)to + t * bytes, (const char *)from->at + (steps - 1 - t) * bytes, bytes);
}

/* Turns the steps of what was found round, in place. */
static void turn(struct mps_memory *memory)
{
	struct mps_memory copy = mps_memory_create(&(MPSShape){1, {memory->count}}, MPSDataTypeFloat32);

	memcpy(copy.at, memory->at, memory->bytes);
	flip_steps(&copy, memory->at, T);
	mps_memory_destroy(&copy);
}

/* h, c and z, and with them the gradient of h and a mask of every step's h, lie the other way round; all else stays
 * where it is. */
static void test_reverse_alignment(void **unused)
{
	(void)unused;
	for (uint64_t seed = 0; seed < 24; seed++) {
		struct mps_spec spec;
		struct mps_case test;
		sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;

		spec_plain(seed, &spec);
		spec.directions = 1;
		spec.reverse = 1;
		options.reverse_alignment = seed % 2 ? SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_PROCESSING
						     : SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_ALIGNED;
		mps_case_create(&spec, &options, &test);
		if (seed % 2)
			turn(&test.fed[MPS_DY]);
		if (seed % 2 && spec.mask == MPS_MASK_STEP)
			turn(&test.fed[MPS_MASK]);
		mps_case_run(&test);
		for (size_t which = 0; which < MPS_FIRST_GRADIENT && seed % 2; which++)
			turn(&test.found[which]);
		mps_case_judge(&test);
		mps_case_destroy(&test);
	}
}

/* It says nothing about LSTMs that do not run in reverse, or run both ways. */
static void test_reverse_alignment_is_about_reverse_alone(void **unused)
{
	(void)unused;
	for (size_t directions = 1; directions <= 2; directions++) {
		sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;
		struct mps_spec spec;

		options.reverse_alignment = SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_PROCESSING;
		spec_plain(3, &spec);
		spec.directions = directions;
		spec.reverse = 0;
		run_and_judge(&spec, &options);
	}
}

/* Apple's text: reverse is ignored if bidirectional. */
static void test_bidirectional_ignores_reverse(void **unused)
{
	(void)unused;
	struct mps_spec spec;
	struct mps_case test;

	spec_plain(5, &spec);
	spec.directions = 2;
	spec.reverse = 1;
	mps_case_create(&spec, NULL, &test);
	mps_case_run(&test);
	test.data.problem.reverse = 0;
	mps_case_judge(&test);
	mps_case_destroy(&test);
}

static void test_threads_of_a_run(void **unused)
{
	(void)unused;
	for (uint64_t seed = 0; seed < 6; seed++) {
		sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;
		struct mps_spec spec;
		struct mps_case one, two;

		spec_plain(seed, &spec);
		spec.batch = 9, spec.hidden = 40;
		spec.steps = 12;
		mps_case_create(&spec, NULL, &one);
		options.threads = 2;
		mps_case_create(&spec, &options, &two);
		mps_case_run(&one);
		mps_case_run(&two);
		for (size_t which = 0; which < MPS_RESULTS; which++)
			if (one.found[which].bytes)
				assert_memory_equal(one.found[which].at, two.found[which].at, one.found[which].bytes);
		mps_case_destroy(&one);
		mps_case_destroy(&two);
	}
}

static void refuse(MPSGraph *graph, const sluice_mpsgraph_options *options, const char *part)
{
	assert_true(sluice_mpsgraph_set_options(graph, options) != 0);
	if (!strstr(sluice_mpsgraph_last_message(), part))
		fail_msg("\"%s\" does not contain \"%s\"", sluice_mpsgraph_last_message(), part);
}

static void test_switches_refuse_what_is_no_position(void **unused)
{
	(void)unused;
	const sluice_mpsgraph_options defaults = SLUICE_MPSGRAPH_OPTIONS_INIT;
	sluice_mpsgraph_options options;
	MPSGraph *graph = MPSGraph_new();

	assert_mps(graph);
	options = defaults, options.size = 0;
	refuse(graph, &options, "size");
	options = defaults, options.peephole_output = 2;
	refuse(graph, &options, "peephole_output");
	options = defaults, options.training_results = -1;
	refuse(graph, &options, "training_results");
	options = defaults, options.bias_gradient_shape = 2;
	refuse(graph, &options, "bias_gradient_shape");
	options = defaults, options.reverse_alignment = 77;
	refuse(graph, &options, "reverse_alignment");
	options = defaults, options.threads = -1;
	refuse(graph, &options, "threads");
	options = defaults, options.hard_sigmoid_slope = (float)NAN;
	refuse(graph, &options, "hard_sigmoid");
	refuse(NULL, &defaults, "graph");
	assert_mps(sluice_mpsgraph_set_options(graph, &defaults) == 0);
	assert_mps(MPSGraph_constantWithScalar_dataType(graph, 1, MPSDataTypeFloat32));
	refuse(graph, &defaults, "node");
	MPSGraph_release(graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hard_sigmoid),
		cmocka_unit_test(test_peephole_output),
		cmocka_unit_test(test_bias_gradient_shape),
		cmocka_unit_test(test_reverse_alignment),
		cmocka_unit_test(test_reverse_alignment_is_about_reverse_alone),
		cmocka_unit_test(test_bidirectional_ignores_reverse),
		cmocka_unit_test(test_threads_of_a_run),
		cmocka_unit_test(test_switches_refuse_what_is_no_position),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
