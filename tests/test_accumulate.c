/* test_accumulate.c exists for the optional gradients: each may be absent, overwrite or add up, and changes no other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network_fixture.h"

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
	struct copies copies = {network->wish.steps * network->wish.batch * network->wish.inputs * sizeof(float),
				network->parameter_count * sizeof(float),
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

/* sum = old + new in one addition, but where a chain starts from the old value: there, each of n terms is rounded once
 * more on the way, which moves the result by at most n u of the partial sums' size. */
static void assert_added(const char *what, const float *got, const float *old, const float *fresh, size_t count,
			 size_t terms)
{
	float largest = 0;
	for (size_t j = 0; j < count; j++) {
		const float size = (fresh[j] < 0 ? -fresh[j] : fresh[j]) + (old[j] < 0 ? -old[j] : old[j]);
		largest = size > largest ? size : largest;
	}
	for (size_t j = 0; j < count; j++) {
		const double exact = (double)old[j] + (double)fresh[j], off = (double)got[j] - exact;
		if (!(off <= 0x1p-24 * 2 * (double)terms * (double)largest &&
		      -off <= 0x1p-24 * 2 * (double)terms * (double)largest))
			fail_msg("%s[%zu] is %g, expected %g + %g", what, j, (double)got[j], (double)old[j],
				 (double)fresh[j]);
	}
}

static void test_accumulate(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < WISHES; j++) {
		struct network network = network_create(&wishes[j]);
		const size_t rows = network.wish.steps * network.wish.batch;
		backward(&network, &network.gradients);
		struct copies fresh = copy_of(&network);
		fill_random(network.dx, fresh.x_bytes / sizeof(float), 11);
		/* Gaps between tensors stay zero: gradients leave them alone. */
		for (size_t each = 0; each < sluice_model_parameter_count(network.model); each++) {
			sluice_parameter tensor = SLUICE_PARAMETER_INIT;
			assert_ok(sluice_model_parameter(network.model, each, &tensor));
			fill_random(network.dparameters + tensor.offset, tensor.rows * tensor.columns, 12 + each);
		}
		memcpy(network.dinitial, network.initial, network.state_bytes);
		struct copies old = copy_of(&network);
		network.gradients.accumulate =
			SLUICE_ACCUMULATE_X | SLUICE_ACCUMULATE_PARAMETERS | SLUICE_ACCUMULATE_STATE;
		backward(&network, &network.gradients);
		assert_added("dx", network.dx, old.dx, fresh.dx, fresh.x_bytes / sizeof(float),
			     8 * network.wish.hidden[0]);
		assert_added("dparameters", network.dparameters, old.dparameters, fresh.dparameters,
			     network.parameter_count, rows);
		assert_added("dinitial", network.dinitial, old.dinitial, fresh.dinitial,
			     network.state_bytes / sizeof(float), 1);
		network.gradients.accumulate = 0;
		backward(&network, &network.gradients);
		assert_memory_equal(network.dx, fresh.dx, fresh.x_bytes);
		assert_memory_equal(network.dparameters, fresh.dparameters, fresh.parameter_bytes);
		assert_memory_equal(network.dinitial, fresh.dinitial, fresh.state_bytes);
		copies_free(&old);
		copies_free(&fresh);
		network_destroy(&network);
	}
}

/* Leaving one outgoing gradient out changes no bit of the others. */
static void test_absent_outgoing(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < WISHES; j++) {
		struct network network = network_create(&wishes[j]);
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
}

/* An absent incoming gradient is a zero one, bit for bit; without any, everything is zero. */
static void test_absent_incoming(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < WISHES; j++) {
		struct network network = network_create(&wishes[j]);
		const size_t dy_bytes = network.wish.steps * network.wish.batch * network.outputs * sizeof(float);
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
			for (size_t k = 0; k < network.parameter_count; k++)
				assert_true(network.dparameters[k] == zeros.dparameters[k]);
			for (size_t k = 0; k < zeros.x_bytes / sizeof(float); k++)
				assert_true(network.dx[k] == zeros.dx[k] && (given || network.dx[k] == 0));
			for (size_t k = 0; k < network.state_bytes / sizeof(float); k++)
				assert_true(((float *)network.dinitial)[k] == ((float *)zeros.dinitial)[k]);
			copies_free(&zeros);
			free(dy);
			free(dfinal);
		}
		network_destroy(&network);
	}
}

/* dinitial may be dfinal. */
static void test_in_place(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < WISHES; j++) {
		struct network network = network_create(&wishes[j]);
		backward(&network, &network.gradients);
		struct copies apart = copy_of(&network);
		network.gradients.dinitial = network.dfinal;
		backward(&network, &network.gradients);
		assert_memory_equal(network.dfinal, apart.dinitial, apart.state_bytes);
		assert_memory_equal(network.dparameters, apart.dparameters, apart.parameter_bytes);
		copies_free(&apart);
		network_destroy(&network);
	}
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
