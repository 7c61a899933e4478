/* network_fixture.c exists so that a test says what it is about, not how memory is made. */
#include "network_fixture.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

void *aligned_zeros(size_t bytes)
{
	size_t rounded = (bytes + 64) / 64 * 64;
	void *block = aligned_alloc(64, rounded);
	assert_non_null(block);
	memset(block, 0, rounded);
	return block;
}

void fill_random(float *to, size_t count, uint64_t seed)
{
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	for (size_t j = 0; j < count; j++) {
		const uint32_t counter[4] = {(uint32_t)j, (uint32_t)(j >> 32), 0, 0x7e57};
		uint32_t words[4];
		sluice_philox(key, counter, words);
		to[j] = (float)(words[0] >> 8) * 0x1p-23f - 1.0f;
	}
}

/* Numbers below 1 in magnitude only. */
static uint16_t truncate_to_f16(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	const uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xff, lowest = 127 - 14;
	return (uint16_t)(exponent < lowest ? sign : sign | (exponent - lowest + 1) << 10 | (bits >> 13 & 0x3ff));
}

static uint16_t truncate_to_bf16(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	return (uint16_t)(bits >> 16);
}

void fill_random_as(sluice_dtype dtype, void *to, size_t count, uint64_t seed)
{
	float *values = aligned_zeros(count * sizeof *values);
	fill_random(values, count, seed);
	for (size_t j = 0; j < count; j++) {
		if (dtype == SLUICE_F64)
			((double *)to)[j] = (double)values[j];
		else if (dtype == SLUICE_F16)
			((uint16_t *)to)[j] = truncate_to_f16(values[j]);
		else if (dtype == SLUICE_BF16)
			((uint16_t *)to)[j] = truncate_to_bf16(values[j]);
		else
			((float *)to)[j] = values[j];
	}
	free(values);
}

static double widen_f16(uint16_t bits)
{
	const int exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
	const double size = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
	return bits & 0x8000 ? -size : size;
}

static double widen_bf16(uint16_t bits)
{
	const uint32_t wide = (uint32_t)bits << 16;
	float value;
	memcpy(&value, &wide, sizeof value);
	return (double)value;
}

void widen(sluice_dtype dtype, const void *from, size_t count, double *to)
{
	for (size_t j = 0; j < count; j++) {
		if (dtype == SLUICE_F64)
			to[j] = ((const double *)from)[j];
		else if (dtype == SLUICE_F16)
			to[j] = widen_f16(((const uint16_t *)from)[j]);
		else if (dtype == SLUICE_BF16)
			to[j] = widen_bf16(((const uint16_t *)from)[j]);
		else
			to[j] = (double)((const float *)from)[j];
	}
}

void assert_ok(sluice_status status)
{
	if (status != SLUICE_OK)
		fail_msg("%s: %s", sluice_status_name(status), sluice_last_message());
}

void assert_refused(sluice_status status, sluice_status expected, const char *part)
{
	if (status != expected)
		fail_msg("got %s (%s), expected %s", sluice_status_name(status), sluice_last_message(),
			 sluice_status_name(expected));
	if (!strstr(sluice_last_message(), part))
		fail_msg("\"%s\" does not contain \"%s\"", sluice_last_message(), part);
}

sluice_description wish_description(const struct wish *wish, sluice_layer layers[WISH_LAYERS])
{
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	for (size_t index = 0; index < wish->layers; index++) {
		layers[index] = wish->options[index];
		layers[index].size = sizeof layers[index];
		layers[index].hidden = wish->hidden[index];
		layers[index].direction = wish->direction[index];
		layers[index].dropout = wish->dropout[index];
	}
	description.inputs = wish->inputs;
	description.layer_count = wish->layers;
	description.layers = layers;
	description.outputs = wish->outputs;
	description.image_height = wish->image_height;
	description.image_width = wish->image_width;
	return description;
}

sluice_plan_options wish_plan_options(const struct wish *wish)
{
	sluice_plan_options options = SLUICE_PLAN_OPTIONS_INIT;
	options.steps = wish->steps;
	options.batch = wish->batch;
	options.training = wish->training;
	options.layout = wish->layout;
	options.flush_denormals = wish->flush_denormals;
	options.weights = wish->weights;
	options.data = wish->data;
	options.tape = wish->tape;
	options.tape_mode = wish->tape_mode;
	options.gate_order = wish->gate_order;
	return options;
}

static void create_plan(struct network *network)
{
	const struct wish *wish = &network->wish;
	sluice_context_options context_options = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_layer layers[WISH_LAYERS];
	context_options.isa = wish->isa;
	context_options.threads = wish->threads;
	context_options.parallel = wish->parallel;
	context_options.allocator = wish->allocator;
	assert_ok(sluice_context_create(&context_options, &network->context));
	const sluice_description description = wish_description(wish, layers);
	assert_ok(sluice_model_create(network->context, &description, &network->model));
	assert_ok(sluice_model_initialize(network->model, NULL));
	const sluice_plan_options plan_options = wish_plan_options(wish);
	assert_ok(sluice_plan_create(network->model, &plan_options, &network->plan));
}

static size_t width_of_h(const struct wish *wish, size_t layer)
{
	return wish->options[layer].projection ? wish->options[layer].projection : wish->hidden[layer];
}

static size_t directions_of(const struct wish *wish, size_t layer)
{
	return wish->direction[layer] == SLUICE_BIDIRECTIONAL ? 2 : 1;
}

size_t network_places(const struct network *network, size_t layer)
{
	size_t height, width;
	assert_ok(sluice_model_image(network->model, layer, &height, &width));
	return network->wish.image_height ? height * width : 1;
}

static void find_widths(struct network *network)
{
	const struct wish *wish = &network->wish;
	for (size_t layer = 0; layer < wish->layers; layer++) {
		const size_t cells = directions_of(wish, layer) * network_places(network, layer);
		network->h_width += cells * width_of_h(wish, layer);
		network->c_width += cells * wish->hidden[layer];
	}
	network->inputs = wish->inputs * network_places(network, wish->layers);
	network->real_bytes = wish->data == SLUICE_F64 ? sizeof(double) : sizeof(float);
	network->data_bytes = wish->data == SLUICE_F16 || wish->data == SLUICE_BF16 ? 2 : network->real_bytes;
	network->outputs = sluice_model_outputs(network->model);
	network->state_bytes = sluice_plan_state_size(network->plan, wish->batch);
	network->tape_bytes = sluice_plan_tape_size(network->plan, wish->steps);
}

static void create_parameters(struct network *network)
{
	float *parameters = sluice_model_parameters(network->model, &network->parameter_count);
	for (size_t j = 0; j < sluice_model_parameter_count(network->model); j++) {
		sluice_parameter each = SLUICE_PARAMETER_INIT;
		assert_ok(sluice_model_parameter(network->model, j, &each));
		if (each.columns == 1 && each.rows > 1)
			fill_random(parameters + each.offset, each.rows, 90 + j);
	}
	assert_ok(sluice_plan_update(network->plan));
}

static void create_memory(struct network *network)
{
	const struct wish *wish = &network->wish;
	const size_t rows = wish->steps * wish->batch, bytes = network->data_bytes;
	network->x = aligned_zeros(rows * network->inputs * bytes);
	network->dx = aligned_zeros(rows * network->inputs * bytes);
	network->y = aligned_zeros(rows * network->outputs * bytes);
	network->dy = aligned_zeros(rows * network->outputs * bytes);
	network->dparameters = aligned_zeros(network->parameter_count * network->real_bytes);
	network->initial = aligned_zeros(network->state_bytes);
	network->final = aligned_zeros(network->state_bytes);
	network->dinitial = aligned_zeros(network->state_bytes);
	network->dfinal = aligned_zeros(network->state_bytes);
	network->workspace = aligned_zeros(sluice_plan_workspace_size(network->plan));
	network->tape = aligned_zeros(network->tape_bytes);
	fill_random_as(wish->data, network->x, rows * network->inputs, 1);
	fill_random_as(wish->data, network->dy, rows * network->outputs, 2);
	if (wish->mask) {
		network->mask = aligned_zeros(rows * network->h_width * bytes);
		fill_random_as(wish->data, network->mask, rows * network->h_width, 3);
	}
	if (wish->sequences) {
		network->h = aligned_zeros(rows * network->h_width * bytes);
		network->c = aligned_zeros(rows * network->c_width * bytes);
		network->gates = aligned_zeros(rows * 4 * network->c_width * bytes);
	}
}

static void fill_state(struct network *network, void *state, uint64_t seed)
{
	const struct wish *wish = &network->wish;
	const sluice_dtype dtype = wish->data == SLUICE_F64 ? SLUICE_F64 : SLUICE_F32;
	memset(state, wish->poisoned ? 0xff : 0, network->state_bytes);
	for (size_t layer = 0; layer < wish->layers; layer++) {
		for (size_t direction = 0; direction < directions_of(wish, layer); direction++) {
			const size_t rows = wish->batch * network_places(network, layer);
			const size_t h_count = rows * width_of_h(wish, layer), c_count = rows * wish->hidden[layer];
			void *h = aligned_zeros(h_count * sizeof(double)), *c = aligned_zeros(c_count * sizeof(double));
			fill_random_as(dtype, h, h_count, seed + 10 * layer + direction);
			fill_random_as(dtype, c, c_count, seed + 10 * layer + direction);
			assert_ok(sluice_state_write(network->plan, state, wish->batch, layer, direction, h, c));
			free(h);
			free(c);
		}
	}
}

struct network network_create(const struct wish *wish)
{
	struct network network = {.wish = *wish};
	if (!network.wish.steps)
		network.wish.steps = 1;
	if (!network.wish.batch)
		network.wish.batch = 1;
	if (!network.wish.layers)
		network.wish.layers = 1;
	create_plan(&network);
	find_widths(&network);
	create_parameters(&network);
	create_memory(&network);
	fill_state(&network, network.initial, 1000);
	fill_state(&network, network.dfinal, 2000);
	network.run = (sluice_run)SLUICE_RUN_INIT;
	network.run.x = network.x;
	network.run.y = network.y;
	network.run.initial_state = network.initial;
	network.run.final_state = network.final;
	network.run.workspace = network.workspace;
	network.run.tape = network.tape_bytes ? network.tape : NULL;
	network.run.mask = network.mask;
	network.run.mask_shape = wish->mask_shape;
	network.run.last_only = wish->last_only;
	network.run.h = network.h;
	network.run.c = network.c;
	network.run.gates = network.gates;
	network.run.training = wish->training;
	network.run.seed = 42;
	network.gradients = (sluice_gradients)SLUICE_GRADIENTS_INIT;
	network.gradients.dy = network.dy;
	network.gradients.dfinal = network.dfinal;
	network.gradients.dx = network.dx;
	network.gradients.dparameters = network.dparameters;
	network.gradients.dinitial = network.dinitial;
	return network;
}

void network_destroy(struct network *network)
{
	sluice_plan_destroy(network->plan);
	sluice_model_destroy(network->model);
	sluice_context_destroy(network->context);
	free(network->x);
	free(network->dx);
	free(network->y);
	free(network->dy);
	free(network->dparameters);
	free(network->initial);
	free(network->final);
	free(network->dinitial);
	free(network->dfinal);
	free(network->workspace);
	free(network->tape);
	free(network->mask);
	free(network->h);
	free(network->c);
	free(network->gates);
}

struct member {
	sluice_task task;
	void *argument;
	int index, count;
};

static void *run_member(void *argument)
{
	struct member *member = argument;
	member->task(member->argument, member->index, member->count);
	return NULL;
}

void posix_parallel(void *user, int threads, sluice_task task, void *argument)
{
	enum { MOST = 16 };
	pthread_t handles[MOST];
	struct member members[MOST];
	(void)user;
	assert_true(threads <= MOST);
	for (int index = 0; index < threads; index++) {
		members[index] = (struct member){task, argument, index, threads};
		if (index > 0)
			assert_int_equal(pthread_create(&handles[index], NULL, run_member, &members[index]), 0);
	}
	run_member(&members[0]);
	for (int index = 1; index < threads; index++)
		assert_int_equal(pthread_join(handles[index], NULL), 0);
}
