/* test_accumulate.c exists for the optional gradients: each may be absent, overwrite or add up, and changes no other.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "option_wishes.h"

static const struct wish wishes[] = {
	{.steps = 4,
	 .batch = 3,
	 .inputs = 5,
	 .layers = 2,
	 .hidden = {17, 6},
	 .direction = {SLUICE_BIDIRECTIONAL},
	 .dropout = {0.25f},
	 .outputs = 3,
	 .training = 1},
	{.steps = 5,
	 .batch = 2,
	 .inputs = 70,
	 .layers = 1,
	 .hidden = {40},
	 .direction = {SLUICE_REVERSE},
	 .training = 1},
};
enum { WISHES = sizeof wishes / sizeof wishes[0] };

/* Copies of all outgoing gradients. */
struct copies {
	size_t x_bytes, parameter_bytes, state_bytes;
	float *dx, *dparameters;
	void *dinitial;
};

static struct copies copy_of(const struct network *network)
{
	struct copies copies = {network->wish.steps * network->wish.batch * network->inputs * network->data_bytes,
				network->parameter_count * network->real_bytes,
				network->state_bytes,
				NULL,
				NULL,
				NULL};
	copies.dx = aligned_zeros(copies.x_bytes);
	copies.dparameters = aligned_zeros(copies.parameter_bytes);
	copies.dinitial = aligned_zeros(copies.state_bytes);
	memcpy(copies.dx, network->dx, copies.x_bytes);
	memcpy(copies.dparameters, network->dparameters, copies.parameter_bytes);
	memcpy(copies.dinitial, network->dinitial, copies.state_bytes);
	return copies;
}

static void copies_free(struct copies *copies)
{
	free(copies->dx);
	free(copies->dparameters);
	free(copies->dinitial);
}

static void backward(const struct network *network, const sluice_gradients *gradients)
{
	assert_ok(sluice_forward(network->plan, &network->run));
	assert_ok(sluice_backward(network->plan, &network->run, gradients));
}

/* Of states and gradients of parameters. */
static sluice_dtype real_type(const struct network *network)
{
	return network->real_bytes == sizeof(double) ? SLUICE_F64 : SLUICE_F32;
}

/* The unit roundoff of a storage type. */
static double unit_of(sluice_dtype dtype)
{
	return dtype == SLUICE_F64 ? 0x1p-53 : dtype == SLUICE_F16 ? 0x1p-11 : dtype == SLUICE_BF16 ? 0x1p-8 : 0x1p-24;
}

static double largest(const double *values, size_t count)
{
	double most = 0;
	for (size_t j = 0; j < count; j++)
		most = fmax(most, fabs(values[j]));
	return most;
}

/* sum = old + new in one addition, but where a chain starts from the old value: there, each of n terms is rounded once
 * more on the way, which moves the result by at most n u of the partial sums' size. Numbers of 16 bits are sums in f32
 * rounded once: the fresh one was rounded, too, and so is the sum. */
static void assert_added(const char *what, sluice_dtype dtype, const void *got, const void *old, const void *fresh,
			 size_t count, size_t terms)
{
	double *numbers = aligned_zeros(3 * count * sizeof *numbers);
	double *sum = numbers, *before = numbers + count, *added = numbers + 2 * count;
	widen(dtype, got, count, sum);
	widen(dtype, old, count, before);
	widen(dtype, fresh, count, added);
	const double size = largest(before, count) + largest(added, count), unit = unit_of(dtype);
	const double chain = 2 * fmin(unit, 0x1p-24) * (double)terms * size, rounding = unit > 0x1p-24 ? unit : 0;
	for (size_t j = 0; j < count; j++) {
		const double exact = before[j] + added[j], ends = rounding * (fabs(exact) + fabs(added[j]) + chain);
		if (!(fabs(sum[j] - exact) <= chain + 2 * ends))
			fail_msg("%s[%zu] is %g, expected %g + %g", what, j, sum[j], before[j], added[j]);
	}
	free(numbers);
}

/* Numbers for every gradient to be added to. Gaps between tensors stay zero: gradients leave them alone. */
static void fill_gradients(struct network *network, size_t x_count)
{
	const sluice_dtype real = network->real_bytes == sizeof(double) ? SLUICE_F64 : SLUICE_F32;
	fill_random_as(network->wish.data, network->dx, x_count, 11);
	for (size_t each = 0; each < sluice_model_parameter_count(network->model); each++) {
		sluice_parameter tensor = SLUICE_PARAMETER_INIT;
		assert_ok(sluice_model_parameter(network->model, each, &tensor));
		fill_random_as(real, (char *)network->dparameters + tensor.offset * network->real_bytes,
			       tensor.rows * tensor.columns, 12 + each);
	}
	memcpy(network->dinitial, network->initial, network->state_bytes);
}

static void accumulate(const struct wish *wish, const char *name)
{
	struct network network = network_create(wish);
	const size_t rows = network.wish.steps * network.wish.batch;
	const sluice_dtype real = real_type(&network);
	char what[100];
	network.run.training = 1;
	backward(&network, &network.gradients);
	struct copies fresh = copy_of(&network);
	fill_gradients(&network, fresh.x_bytes / network.data_bytes);
	struct copies old = copy_of(&network);
	network.gradients.accumulate = SLUICE_ACCUMULATE_X | SLUICE_ACCUMULATE_PARAMETERS | SLUICE_ACCUMULATE_STATE;
	backward(&network, &network.gradients);
	snprintf(what, sizeof what, "%s: dx", name);
	assert_added(what, network.wish.data, network.dx, old.dx, fresh.dx, fresh.x_bytes / network.data_bytes,
		     8 * network.wish.hidden[0]);
	snprintf(what, sizeof what, "%s: dparameters", name);
	assert_added(what, real, network.dparameters, old.dparameters, fresh.dparameters, network.parameter_count,
		     rows);
	snprintf(what, sizeof what, "%s: dinitial", name);
	assert_added(what, real, network.dinitial, old.dinitial, fresh.dinitial,
		     network.state_bytes / network.real_bytes, 1);
	network.gradients.accumulate = 0;
	backward(&network, &network.gradients);
	assert_memory_equal(network.dx, fresh.dx, fresh.x_bytes);
	assert_memory_equal(network.dparameters, fresh.dparameters, fresh.parameter_bytes);
	assert_memory_equal(network.dinitial, fresh.dinitial, fresh.state_bytes);
	copies_free(&old);
	copies_free(&fresh);
	network_destroy(&network);
}

static void test_accumulate(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < WISHES; j++)
		accumulate(&wishes[j], "plain");
	for (size_t j = 0; j < option_wish_count; j++) {
		struct wish wish = option_wishes[j].wish;
		wish.poisoned = 0;
		accumulate(&wish, option_wishes[j].name);
	}
}

/* The plain networks and those of all options. */
static void on_all(void (*each)(const struct wish *wish))
{
	for (size_t j = 0; j < WISHES; j++)
		each(&wishes[j]);
	for (size_t j = 0; j < option_wish_count; j++) {
		struct wish wish = option_wishes[j].wish;
		wish.poisoned = 0;
		each(&wish);
	}
}

/* Leaving one outgoing gradient out changes no bit of the others. */
static void absent_outgoing(const struct wish *wish)
{
	struct network network = network_create(wish);
	network.run.training = 1;
	backward(&network, &network.gradients);
	struct copies all = copy_of(&network);
	for (unsigned wanted = 0; wanted < 8; wanted++) {
		sluice_gradients gradients = network.gradients;
		gradients.dx = wanted & 1 ? network.dx : NULL;
		gradients.dparameters = wanted & 2 ? network.dparameters : NULL;
		gradients.dinitial = wanted & 4 ? network.dinitial : NULL;
		memset(network.dx, 0x11, all.x_bytes);
		memset(network.dparameters, 0x11, all.parameter_bytes);
		memset(network.dinitial, 0, all.state_bytes);
		backward(&network, &gradients);
		if (wanted & 1)
			assert_memory_equal(network.dx, all.dx, all.x_bytes);
		else
			assert_int_equal(*(unsigned char *)network.dx, 0x11);
		if (wanted & 2)
			assert_memory_equal(network.dparameters, all.dparameters, all.parameter_bytes);
		if (wanted & 4)
			assert_memory_equal(network.dinitial, all.dinitial, all.state_bytes);
	}
	copies_free(&all);
	network_destroy(&network);
}

static void test_absent_outgoing(void **unused)
{
	(void)unused;
	on_all(absent_outgoing);
}

/* The same numbers, zeros of either sign; with `zero` they must be zero. */
static void assert_equal(const char *what, sluice_dtype dtype, const void *a, const void *b, size_t count, int zero)
{
	double *left = aligned_zeros(2 * count * sizeof *left), *right = left + count;
	widen(dtype, a, count, left);
	widen(dtype, b, count, right);
	for (size_t j = 0; j < count; j++)
		if (left[j] != right[j] || (zero && left[j] != 0))
			fail_msg("%s[%zu] is %g, expected %g", what, j, left[j], zero ? 0.0 : right[j]);
	free(left);
}

/* An absent incoming gradient is a zero one; without any, everything is zero. */
static void absent_incoming(const struct wish *wish)
{
	struct network network = network_create(wish);
	const sluice_dtype real = real_type(&network);
	network.run.training = 1;
	const size_t dy_bytes = network.wish.steps * network.wish.batch * network.outputs * network.data_bytes;
	for (unsigned given = 0; given < 4; given++) {
		float *dy = aligned_zeros(dy_bytes);
		void *dfinal = aligned_zeros(network.state_bytes);
		sluice_gradients gradients = network.gradients;
		if (given & 1)
			memcpy(dy, network.dy, dy_bytes);
		if (given & 2)
			memcpy(dfinal, network.dfinal, network.state_bytes);
		gradients.dy = dy;
		gradients.dfinal = dfinal;
		backward(&network, &gradients);
		struct copies zeros = copy_of(&network);
		gradients.dy = given & 1 ? dy : NULL;
		gradients.dfinal = given & 2 ? dfinal : NULL;
		memset(network.dx, 0x11, zeros.x_bytes);
		backward(&network, &gradients);
		assert_equal("dparameters", real, network.dparameters, zeros.dparameters, network.parameter_count, 0);
		assert_equal("dx", wish->data, network.dx, zeros.dx, zeros.x_bytes / network.data_bytes, !given);
		assert_equal("dinitial", real, network.dinitial, zeros.dinitial,
			     network.state_bytes / network.real_bytes, !given);
		copies_free(&zeros);
		free(dy);
		free(dfinal);
	}
	network_destroy(&network);
}

static void test_absent_incoming(void **unused)
{
	(void)unused;
	on_all(absent_incoming);
}

/* dinitial may be dfinal. */
static void in_place(const struct wish *wish)
{
	struct network network = network_create(wish);
	network.run.training = 1;
	backward(&network, &network.gradients);
	struct copies apart = copy_of(&network);
	network.gradients.dinitial = network.dfinal;
	backward(&network, &network.gradients);
	assert_memory_equal(network.dfinal, apart.dinitial, apart.state_bytes);
	assert_memory_equal(network.dparameters, apart.dparameters, apart.parameter_bytes);
	copies_free(&apart);
	network_destroy(&network);
}

static void test_in_place(void **unused)
{
	(void)unused;
	on_all(in_place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accumulate),
		cmocka_unit_test(test_absent_outgoing),
		cmocka_unit_test(test_absent_incoming),
		cmocka_unit_test(test_in_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
