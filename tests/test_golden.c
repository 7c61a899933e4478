/*
 * test_golden.c: holds the oracle to networks and gradients that PyTorch computed in float64.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle.h"

enum { STEPS = 6, BATCH = 3, INPUTS = 5 };

/*
 * Both sides compute in double and differ in the order of their sums alone. The longest sum of these cases has
 * T*N = 18 products for a weight and 4H+1 = 21 for a state; at u = 2^-53 one sum errs by less than 2 * 21 u of its
 * terms, and through 6 steps and 3 layers, whose Jacobians have norms of about one, fewer than 2*18 such errors add up:
 * 42*36 u = 1.7e-13 of the largest value. Six times that is the bound.
 */
#define TOLERANCE 1e-12

struct golden_case {
	const char *name;
	size_t outputs, layer_count;
	struct {
		size_t hidden;
		sluice_direction direction;
	} layers[3];
};

static const struct golden_case CASES[] = {
	{"forward", 0, 1, {{4, SLUICE_FORWARD}}},
	{"reverse", 0, 1, {{4, SLUICE_REVERSE}}},
	{"bidirectional", 0, 1, {{4, SLUICE_BIDIRECTIONAL}}},
	{"stack", 0, 2, {{3, SLUICE_BIDIRECTIONAL}, {3, SLUICE_BIDIRECTIONAL}}},
	{"mixed", 2, 3, {{4, SLUICE_BIDIRECTIONAL}, {3, SLUICE_REVERSE}, {5, SLUICE_FORWARD}}},
};

/* Reads the float64 vector <name>_<role>.npy, which must have count elements. The caller frees it. */
static double *golden_read(const char *name, const char *role, size_t count)
{
	char path[1024], header[256];
	unsigned char start[10];
	double *values = calloc(count + 1, sizeof(double));
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "%s/golden/%s_%s.npy", SLUICE_TEST_SOURCES, name, role);
	file = fopen(path, "rb");
	if (!file || !values)
		fail_msg("%s cannot be read", path);
	assert_int_equal(fread(start, 1, sizeof(start), file), sizeof(start));
	assert_memory_equal(start, "\x93NUMPY\x01\x00", 8);
	length = start[8] + 256u * start[9];
	assert_true(length < sizeof(header));
	assert_int_equal(fread(header, 1, length, file), length);
	header[length] = '\0';
	assert_non_null(strstr(header, "'descr': '<f8', 'fortran_order': False"));
	if (fread(values, sizeof(double), count + 1, file) != count)
		fail_msg("%s does not hold %zu numbers", path, count);
	fclose(file);
	return values;
}

/* Compares with a golden file, relative to its largest value. */
static void check(const char *name, const char *role, const double *values, size_t count)
{
	double *golden = golden_read(name, role, count), largest = 0, worst = 0;

	for (size_t index = 0; index < count; index++) {
		largest = fmax(largest, fabs(golden[index]));
		worst = fmax(worst, fabs(golden[index] - values[index]));
	}
	assert_true(largest > 1e-3);
	if (!(worst <= TOLERANCE * largest))
		fail_msg("%s: %s is off by %g of %g", name, role, worst, largest);
	free(golden);
}

/* The tensors without the gaps between them, or back. */
static void parameters_move(const struct sluice__network *network, double *block, double *dense, int pack)
{
	for (size_t index = 0; index < network->tensor_count; index++) {
		size_t count = network->tensors[index].rows * network->tensors[index].columns;
		double *tensor = block + network->tensors[index].offset;

		memcpy(pack ? dense : tensor, pack ? tensor : dense, count * sizeof(double));
		dense += count;
	}
}

static size_t dense_count(const struct sluice__network *network)
{
	size_t count = 0;

	for (size_t index = 0; index < network->tensor_count; index++)
		count += network->tensors[index].rows * network->tensors[index].columns;
	return count;
}

static void network_of(const struct golden_case *one, struct sluice__network *network)
{
	sluice_layer layers[3];
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	for (size_t index = 0; index < one->layer_count; index++) {
		layers[index] = (sluice_layer)SLUICE_LAYER_INIT;
		layers[index].hidden = one->layers[index].hidden;
		layers[index].direction = one->layers[index].direction;
	}
	description.inputs = INPUTS;
	description.outputs = one->outputs;
	description.layer_count = one->layer_count;
	description.layers = layers;
	assert_int_equal(sluice__network_create(&description, NULL, 0, 0, network), SLUICE_OK);
}

static void check_case(const struct golden_case *one)
{
	struct sluice__network network;
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;
	size_t x_count, y_count, states, dense;
	double *block, *x, *dy, *initial, *dfinal, *parameters;

	network_of(one, &network);
	x_count = STEPS * BATCH * INPUTS;
	y_count = STEPS * BATCH * network.outputs;
	states = BATCH * network.h_width;
	dense = dense_count(&network);
	x = golden_read(one->name, "x", x_count);
	dy = golden_read(one->name, "dy", y_count);
	initial = golden_read(one->name, "initial", 2 * states);
	dfinal = golden_read(one->name, "dfinal", 2 * states);
	parameters = golden_read(one->name, "parameters", dense);
	block = calloc(network.parameter_count, sizeof(double));
	assert_non_null(block);
	parameters_move(&network, block, parameters, 0);

	struct sluice__oracle_run_f64 run = {
		.steps = STEPS,
		.batch = BATCH,
		.x = x,
		.parameters = block,
		.h0 = initial,
		.c0 = initial + states,
		.dy = dy,
		.dh = dfinal,
		.dc = dfinal + states,
	};
	assert_int_equal(sluice__oracle_forward_f64(&network, &run, &trace), SLUICE_OK);
	assert_int_equal(sluice__oracle_backward_f64(&network, &run, &trace, &gradients), SLUICE_OK);
	check(one->name, "y", trace.y, y_count);
	check(one->name, "dx", gradients.dx, x_count);
	memcpy(initial, trace.hn, states * sizeof(double));
	memcpy(initial + states, trace.cn, states * sizeof(double));
	check(one->name, "final", initial, 2 * states);
	memcpy(initial, gradients.dh0, states * sizeof(double));
	memcpy(initial + states, gradients.dc0, states * sizeof(double));
	check(one->name, "dinitial", initial, 2 * states);
	parameters_move(&network, gradients.dparameters, parameters, 1);
	check(one->name, "dparameters", parameters, dense);

	sluice__oracle_gradients_destroy_f64(&gradients);
	sluice__oracle_trace_destroy_f64(&trace);
	sluice__network_destroy(&network);
	free(x);
	free(dy);
	free(initial);
	free(dfinal);
	free(parameters);
	free(block);
}

static void test_golden(void **state)
{
	(void)state;
	for (size_t index = 0; index < sizeof(CASES) / sizeof(CASES[0]); index++)
		check_case(&CASES[index]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
