/* test_ops.c exists to judge the operations around an LSTM by their formulas in double, on every level and any length.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network_fixture.h"
#include "philox_known.h"

static const double unit_roundoff = 0x1p-24;

static void on_every_level(void (*test)(sluice_context *context))
{
	for (size_t level = 0; sluice_isa_name(level); level++) {
		sluice_context *context;
		sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
		options.isa = sluice_isa_name(level);
		if (!sluice_isa_available(level)) {
			print_message("skipped: this machine lacks %s\n", sluice_isa_name(level));
			continue;
		}
		assert_ok(sluice_context_create(&options, &context));
		test(context);
		sluice_context_destroy(context);
	}
}

static void test_philox(void **unused)
{
	(void)unused;
	assert_philox(sluice_philox);
}

static void embed(sluice_context *context)
{
	enum { ENTRIES = 5, WIDTH = 7, ROWS = 6 };
	static const uint32_t index[ROWS] = {4, 0, 2, 2, 1, 2};
	float table[ENTRIES * WIDTH], y[ROWS * WIDTH], dtable[ENTRIES * WIDTH], expected[ENTRIES * WIDTH];
	fill_random(table, ENTRIES * WIDTH, 1);
	fill_random(dtable, ENTRIES * WIDTH, 2);
	memcpy(expected, dtable, sizeof expected);
	assert_ok(sluice_embedding_forward(context, ROWS, ENTRIES, WIDTH, table, index, y));
	assert_ok(sluice_embedding_backward(context, ROWS, ENTRIES, WIDTH, index, y, dtable));
	for (size_t row = 0; row < ROWS; row++)
		for (size_t j = 0; j < WIDTH; j++) {
			assert_true(y[row * WIDTH + j] == table[index[row] * WIDTH + j]);
			expected[index[row] * WIDTH + j] += y[row * WIDTH + j];
		}
	assert_memory_equal(dtable, expected, sizeof expected);
}

static void test_embedding(void **unused)
{
	(void)unused;
	on_every_level(embed);
}

static void cross_entropy(sluice_context *context)
{
	enum { ROWS = 9 };
	for (size_t classes = 1; classes <= 70; classes += 23) {
		float *logits = aligned_zeros(ROWS * classes * sizeof(float)),
		      *dlogits = aligned_zeros(ROWS * classes * 4);
		uint32_t target[ROWS];
		double loss, alone, exact = 0;
		fill_random(logits, ROWS * classes, classes);
		for (size_t j = 0; j < ROWS * classes; j++)
			logits[j] *= 8;
		for (size_t row = 0; row < ROWS; row++)
			target[row] = (uint32_t)(row * 7 % classes);
		assert_ok(sluice_softmax_cross_entropy(context, ROWS, classes, logits, target, &loss, dlogits));
		assert_ok(sluice_softmax_cross_entropy(context, ROWS, classes, logits, target, &alone, NULL));
		for (size_t row = 0; row < ROWS; row++) {
			const float *own = logits + row * classes;
			double total = 0;
			for (size_t k = 0; k < classes; k++)
				total += exp((double)own[k]);
			exact += (log(total) - (double)own[target[row]]) / ROWS;
			for (size_t k = 0; k < classes; k++) {
				const double p = exp((double)own[k]) / total, d = (p - (k == target[row])) / ROWS;
				/* An exponent of at most 16 in size, rounded once; 4 ulp of e^; three products; one
				 * difference. */
				const double bound =
					unit_roundoff * ((16 + 8 + 3) * p + fabs(p - (k == target[row])) * 2) / ROWS;
				assert_true(fabs((double)dlogits[row * classes + k] - d) <= bound);
			}
		}
		/* Only the powers are in single precision: 16 + 8 u of a relative error in their sum. */
		assert_true(fabs(loss - exact) <= unit_roundoff * 24);
		/* Without gradients everything is in double. */
		assert_true(fabs(alone - exact) <= 1e-13 * (1 + fabs(exact)));
		assert_ok(sluice_softmax_cross_entropy(context, ROWS, classes, logits, target, &loss, logits));
		assert_memory_equal(logits, dlogits, ROWS * classes * sizeof *logits);
		free(logits);
		free(dlogits);
	}
}

static void test_cross_entropy(void **unused)
{
	(void)unused;
	on_every_level(cross_entropy);
}

static void norm_and_scale(sluice_context *context)
{
	for (size_t count = 1; count < 6000; count = count * 3 + 1) {
		float *x = aligned_zeros(count * sizeof *x), *before = aligned_zeros(count * sizeof *x);
		double norm, squares = 0;
		fill_random(x, count, count);
		memcpy(before, x, count * sizeof *x);
		for (size_t j = 0; j < count; j++)
			squares += (double)x[j] * (double)x[j];
		assert_ok(sluice_norm(context, count, x, &norm));
		/* Lanes add at most 256 one-signed squares in single precision; the root halves the error. */
		assert_true(fabs(norm - sqrt(squares)) <= 257 * unit_roundoff / 2 * sqrt(squares) * 1.001);
		assert_ok(sluice_scale(context, count, 0.3f, x));
		for (size_t j = 0; j < count; j++)
			assert_true(x[j] == 0.3f * before[j]);
		free(x);
		free(before);
	}
}

static void test_norm_and_scale(void **unused)
{
	(void)unused;
	on_every_level(norm_and_scale);
}

/* One update in double, from torch.optim's documentation. */
struct truth {
	double parameter, moment[2];
};

static void update_sgd(const sluice_optimizer *o, double g, struct truth *truth)
{
	truth->moment[0] = (double)o->momentum * truth->moment[0] + g;
	truth->parameter -= (double)o->rate * truth->moment[0];
}

static void update_rmsprop(const sluice_optimizer *o, double g, struct truth *truth)
{
	truth->moment[0] = (double)o->decay * truth->moment[0] + (1 - (double)o->decay) * g * g;
	truth->moment[1] = (double)o->momentum * truth->moment[1] + g / (sqrt(truth->moment[0]) + (double)o->epsilon);
	truth->parameter -= (double)o->rate * truth->moment[1];
}

static void update_adam(const sluice_optimizer *o, double g, struct truth *truth)
{
	truth->moment[0] = (double)o->beta1 * truth->moment[0] + (1 - (double)o->beta1) * g;
	truth->moment[1] = (double)o->decay * truth->moment[1] + (1 - (double)o->decay) * g * g;
	const double mean = truth->moment[0] / (1 - pow((double)o->beta1, (double)o->update));
	const double square = truth->moment[1] / (1 - pow((double)o->decay, (double)o->update));
	truth->parameter -= (double)o->rate * mean / (sqrt(square) + (double)o->epsilon);
}

static void (*const update_of[])(const sluice_optimizer *o, double g,
				 struct truth *truth) = {update_sgd, update_rmsprop, update_adam};

static void optimize(sluice_context *context, const sluice_optimizer *options, size_t count)
{
	enum { UPDATES = 20 };
	float *parameters = aligned_zeros(count * sizeof(float)), *gradients = aligned_zeros(count * sizeof(float));
	float *moments[2] = {aligned_zeros(count * sizeof(float)), aligned_zeros(count * sizeof(float))};
	struct truth *truth = calloc(count, sizeof *truth);
	assert_non_null(truth);
	fill_random(parameters, count, 1);
	for (size_t j = 0; j < count; j++)
		truth[j].parameter = (double)parameters[j];
	for (uint64_t update = 1; update <= UPDATES; update++) {
		sluice_optimizer optimizer = *options;
		optimizer.update = update;
		fill_random(gradients, count, 100 + update);
		assert_ok(sluice_optimizer_step(context, &optimizer, count, parameters, gradients, moments));
		for (size_t j = 0; j < count; j++) {
			const double scale = optimizer.gradient_scale > 0 ? (double)optimizer.gradient_scale : 1;
			const double g =
				(double)gradients[j] * scale + (double)optimizer.weight_decay * truth[j].parameter;
			update_of[optimizer.kind](&optimizer, g, &truth[j]);
		}
	}
	/* Every update moves a parameter of size at most 2 by at most 10 rates (RMSprop's first, 1/sqrt(1 - alpha),
	 * with momentum twice that), whose relative error is some ten operations' and grows with the moments' ages;
	 * each sum is rounded once. */
	const double bound = UPDATES * unit_roundoff * (2 + 20 * (double)options->rate * (10 + UPDATES));
	for (size_t j = 0; j < count; j++)
		assert_true(fabs((double)parameters[j] - truth[j].parameter) <= bound);
	free(parameters);
	free(gradients);
	free(moments[0]);
	free(moments[1]);
	free(truth);
}

static void optimizers(sluice_context *context)
{
	const sluice_optimizer options[] = {
		{.size = sizeof options[0], .kind = SLUICE_OPTIMIZER_SGD, .rate = 0.1f},
		{.size = sizeof options[0],
		 .kind = SLUICE_OPTIMIZER_SGD,
		 .rate = 0.1f,
		 .momentum = 0.5f,
		 .weight_decay = 0.01f,
		 .gradient_scale = 0.25f},
		{.size = sizeof options[0],
		 .kind = SLUICE_OPTIMIZER_RMSPROP,
		 .rate = 0.01f,
		 .decay = 0.9f,
		 .epsilon = 1e-6f},
		{.size = sizeof options[0],
		 .kind = SLUICE_OPTIMIZER_RMSPROP,
		 .rate = 0.01f,
		 .decay = 0.9f,
		 .momentum = 0.5f,
		 .epsilon = 1e-6f,
		 .weight_decay = 0.1f},
		{.size = sizeof options[0],
		 .kind = SLUICE_OPTIMIZER_ADAM,
		 .rate = 0.01f,
		 .decay = 0.999f,
		 .beta1 = 0.9f,
		 .epsilon = 1e-8f},
		{.size = sizeof options[0],
		 .kind = SLUICE_OPTIMIZER_ADAM,
		 .rate = 0.01f,
		 .decay = 0.99f,
		 .beta1 = 0.5f,
		 .epsilon = 1e-4f,
		 .weight_decay = 0.1f,
		 .gradient_scale = 0.5f},
	};
	static const size_t counts[] = {1, 7, 16, 33, 1000};
	for (size_t j = 0; j < sizeof options / sizeof options[0]; j++)
		for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
			optimize(context, &options[j], counts[k]);
}

static void test_optimizers(void **unused)
{
	(void)unused;
	on_every_level(optimizers);
}

/* Zero fields are the documented defaults. */
static void test_optimizer_defaults(void **unused)
{
	(void)unused;
	sluice_context *context;
	assert_ok(sluice_context_create(NULL, &context));
	const sluice_optimizer plain = {.size = sizeof plain, .kind = SLUICE_OPTIMIZER_ADAM, .rate = 0.1f, .update = 3};
	sluice_optimizer full = plain;
	full.decay = 0.999f;
	full.beta1 = 0.9f;
	full.epsilon = 1e-8f;
	full.gradient_scale = 1;
	const float gradient = 0.25f;
	float a[3] = {1, 0.5f, 0.125f}, b[3] = {1, 0.5f, 0.125f};
	float *const moments_a[2] = {a + 1, a + 2}, *const moments_b[2] = {b + 1, b + 2};
	assert_ok(sluice_optimizer_step(context, &plain, 1, a, &gradient, moments_a));
	assert_ok(sluice_optimizer_step(context, &full, 1, b, &gradient, moments_b));
	assert_memory_equal(a, b, sizeof a);
	assert_true(a[0] != 1);
	assert_int_equal(sluice_optimizer_moments(SLUICE_OPTIMIZER_SGD), 1);
	assert_int_equal(sluice_optimizer_moments(SLUICE_OPTIMIZER_ADAM), 2);
	assert_int_equal(sluice_optimizer_moments((sluice_optimizer_kind)77), 0);
	sluice_context_destroy(context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_philox),        cmocka_unit_test(test_embedding),
		cmocka_unit_test(test_cross_entropy), cmocka_unit_test(test_norm_and_scale),
		cmocka_unit_test(test_optimizers),    cmocka_unit_test(test_optimizer_defaults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
