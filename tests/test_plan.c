/* test_plan.c exists for what a plan promises beside numbers: many threads at once, denormals, a log, an update. */
#define _DEFAULT_SOURCE
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif
#include <cmocka.h>

#include "option_wishes.h"

static const struct wish wish = {.steps = 20,
				 .batch = 3,
				 .inputs = 4,
				 .layers = 2,
				 .hidden = {24, 9},
				 .dropout = {0.5f},
				 .outputs = 5,
				 .training = 1};

/* One of several users of a plan, with memory of its own. */
struct user {
	const struct network *network;
	int repetitions, failures;
};

static void *use_plan(void *argument)
{
	struct user *user = argument;
	const struct network *network = user->network;
	const size_t rows = network->wish.steps * network->wish.batch, bytes = network->data_bytes;
	const size_t y_bytes = (network->wish.last_only ? network->wish.batch : rows) * network->outputs * bytes;
	sluice_run run = network->run;
	sluice_gradients gradients = network->gradients;
	run.y = aligned_zeros(y_bytes);
	run.final_state = aligned_zeros(network->state_bytes);
	run.workspace = aligned_zeros(sluice_plan_workspace_size(network->plan));
	run.tape = network->tape_bytes ? aligned_zeros(network->tape_bytes) : NULL;
	run.h = NULL;
	run.c = aligned_zeros(rows * network->c_width * bytes);
	run.gates = aligned_zeros(rows * 4 * network->c_width * bytes);
	gradients.dx = NULL;
	gradients.dinitial = NULL;
	gradients.dparameters = aligned_zeros(network->parameter_count * network->real_bytes);
	for (int repetition = 0; repetition < user->repetitions; repetition++) {
		user->failures += sluice_forward(network->plan, &run) != SLUICE_OK;
		user->failures += sluice_backward(network->plan, &run, &gradients) != SLUICE_OK;
		user->failures += memcmp(run.y, network->y, y_bytes) != 0;
		user->failures += memcmp(gradients.dparameters, network->dparameters,
					 network->parameter_count * network->real_bytes) != 0;
	}
	free(run.y);
	free(run.final_state);
	free(run.workspace);
	free(run.tape);
	free(run.c);
	free(run.gates);
	free(gradients.dparameters);
	return NULL;
}

static void share_plan(const struct wish *shared, int repetitions)
{
	enum { USERS = 4 };
	struct network network = network_create(shared);
	struct user users[USERS];
	pthread_t threads[USERS];
	network.run.training = 1;
	assert_ok(sluice_forward(network.plan, &network.run));
	assert_ok(sluice_backward(network.plan, &network.run, &network.gradients));
	for (int j = 0; j < USERS; j++) {
		users[j] = (struct user){&network, repetitions, 0};
		assert_int_equal(pthread_create(&threads[j], NULL, use_plan, &users[j]), 0);
	}
	for (int j = 0; j < USERS; j++) {
		assert_int_equal(pthread_join(threads[j], NULL), 0);
		assert_int_equal(users[j].failures, 0);
	}
	network_destroy(&network);
}

static void test_many_threads_share_a_plan(void **unused)
{
	(void)unused;
	share_plan(&wish, 50);
	for (size_t j = 0; j < option_wish_count; j++)
		share_plan(&option_wishes[j].wish, 5);
}

/* Whether this thread computes with denormal numbers now. */
static int keeps_denormals(void)
{
	volatile float smallest = FLT_MIN;
	return smallest / 4 != 0;
}

/* A state that decays below FLT_MIN: c halves with every step while nothing comes in. */
static float decayed(sluice_choice flush)
{
	struct wish quiet = {.steps = 1, .inputs = 1, .hidden = {1}, .flush_denormals = flush};
	struct network network = network_create(&quiet);
	size_t count;
	float c = FLT_MIN * 1.5f, *parameters = sluice_model_parameters(network.model, &count);
	memset(parameters, 0, count * sizeof *parameters);
	assert_ok(sluice_plan_update(network.plan));
	memset(network.final, 0, network.state_bytes);
	assert_ok(sluice_state_write(network.plan, network.final, 1, 0, 0, NULL, &c));
	network.run.initial_state = network.final;
	for (int step = 0; step < 3; step++) {
		assert_ok(sluice_step(network.plan, &network.run));
		assert_true(keeps_denormals());
	}
	assert_ok(sluice_forward(network.plan, &network.run));
	assert_true(keeps_denormals());
	assert_ok(sluice_state_read(network.plan, network.final, 1, 0, 0, NULL, &c));
	network_destroy(&network);
	return c;
}

static void test_denormals(void **unused)
{
	(void)unused;
	assert_true(decayed(SLUICE_OFF) > 0);
#if defined(__x86_64__)
	assert_true(decayed(SLUICE_ON) == 0);
	assert_true(decayed(SLUICE_AUTO) == 0);
#endif
}

#if defined(__linux__)
enum { CHILD_CANNOT = 77 };

/* Runs steps and sequences where the kernel kills whoever asks it for anything but the end. */
static void run_in_jail(struct network *network)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
		_exit(CHILD_CANNOT);
	sluice_status status = SLUICE_OK;
	for (int repetition = 0; repetition < 100 && status == SLUICE_OK; repetition++) {
		status = sluice_step(network->plan, &network->run);
		if (status == SLUICE_OK)
			status = sluice_forward(network->plan, &network->run);
	}
	syscall(SYS_exit, status == SLUICE_OK ? 0 : 1);
}

/* Forks, and sees that the network's runs need nothing of the system. Returns 0 where that cannot be tried. */
static int try_jail(const struct wish *stream)
{
	struct network network = network_create(stream);
	int status;
	network.run.training = !wish_drops_connections(stream);
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		run_in_jail(&network);
	assert_true(waitpid(child, &status, 0) == child);
	network_destroy(&network);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_CANNOT)
		return 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 1;
}

static void test_no_system_call(void **unused)
{
	(void)unused;
	struct wish stream = wish;
	stream.training = 0;
	int tried = try_jail(&stream);
	for (size_t j = 0; tried && j < option_wish_count; j++) {
		stream = option_wishes[j].wish;
		stream.training = 0;
		if (wish_runs_forward(&stream))
			tried = try_jail(&stream);
	}
	if (!tried) {
		print_message("skipped: this system has no strict seccomp\n");
		skip();
	}
}
#endif

static void keep_line(void *user, const char *text)
{
	snprintf(user, 256, "%s", text);
}

static void test_log(void **unused)
{
	(void)unused;
	char line[256] = "";
	sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	sluice_layer layer = SLUICE_LAYER_INIT;
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	options.log = keep_line;
	options.log_user = line;
	layer.hidden = 3;
	description.inputs = 2;
	description.layer_count = 1;
	description.layers = &layer;
	assert_ok(sluice_context_create(&options, &context));
	assert_ok(sluice_model_create(context, &description, &model));
	assert_ok(sluice_plan_create(model, NULL, &plan));
	assert_non_null(strstr(line, sluice_plan_kernels(plan)));
	sluice_plan_destroy(plan);
	sluice_model_destroy(model);
	sluice_context_destroy(context);
}

/* A plan keeps the weights it packed until it is told of others. */
static void test_update(void **unused)
{
	(void)unused;
	struct network network = network_create(&wish);
	const size_t count = network.wish.steps * network.wish.batch * network.outputs;
	float *before = aligned_zeros(count * sizeof *before);
	assert_ok(sluice_forward(network.plan, &network.run));
	memcpy(before, network.y, count * sizeof *before);
	const sluice_initialization other = {.size = sizeof other, .seed = 7};
	assert_ok(sluice_model_initialize(network.model, &other));
	assert_ok(sluice_forward(network.plan, &network.run));
	assert_memory_equal(before, network.y, count * sizeof *before);
	assert_ok(sluice_plan_update(network.plan));
	assert_ok(sluice_forward(network.plan, &network.run));
	assert_memory_not_equal(before, network.y, count * sizeof *before);
	free(before);
	network_destroy(&network);
}

/* Initial parameters depend on the seed and lie within the scale; the forget gates' bias is as asked. */
static void test_initialize(void **unused)
{
	(void)unused;
	struct network network = network_create(&wish);
	sluice_initialization options = SLUICE_INITIALIZATION_INIT;
	size_t count;
	float *parameters = sluice_model_parameters(network.model, &count);
	float *first = aligned_zeros(count * sizeof *first);
	options.seed = 5;
	options.forget_bias = 2;
	assert_ok(sluice_model_initialize(network.model, &options));
	memcpy(first, parameters, count * sizeof *first);
	assert_ok(sluice_model_initialize(network.model, &options));
	assert_memory_equal(first, parameters, count * sizeof *first);
	for (size_t j = 0; j < sluice_model_parameter_count(network.model); j++) {
		sluice_parameter tensor = SLUICE_PARAMETER_INIT;
		assert_ok(sluice_model_parameter(network.model, j, &tensor));
		const float *at = parameters + tensor.offset;
		double mean = 0;
		for (size_t k = 0; k < tensor.rows * tensor.columns; k++) {
			if (tensor.columns > 1)
				assert_true(fabs((double)at[k]) <= 1 / sqrt(9.0));
			else if (strstr(tensor.name, "bias_l"))
				assert_true(at[k] == (k / (tensor.rows / 4) == 1 ? 2.0f : 0.0f));
			mean += (double)at[k] / (double)(tensor.rows * tensor.columns);
		}
		/* The mean of n uniform numbers in [-s, s] has a deviation of s / sqrt(3 n); five of them. */
		if (tensor.columns > 1)
			assert_true(fabs(mean) <= 5 / sqrt(9.0 * 3 * (double)(tensor.rows * tensor.columns)));
	}
	options.seed = 6;
	assert_ok(sluice_model_initialize(network.model, &options));
	assert_memory_not_equal(first, parameters, count * sizeof *first);
	options.scale = NAN;
	assert_refused(sluice_model_initialize(network.model, &options), SLUICE_INVALID_ARGUMENT, "scale is nan");
	free(first);
	network_destroy(&network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_threads_share_a_plan),
		cmocka_unit_test(test_denormals),
#if defined(__linux__)
		cmocka_unit_test(test_no_system_call),
#endif
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_initialize),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
