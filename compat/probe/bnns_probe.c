/*
 * bnns_probe.c: asks a BNNS what its header leaves open, one line an answer.
 *
 *   cc bnns_probe.c -framework Accelerate          asks Apple's, on a Mac
 *   cc -I COMPAT bnns_probe.c -lsluice-bnns -lm    asks this project's; COMPAT holds Accelerate/Accelerate.h
 *
 * Each question runs in a process of its own, so that a refusal or a crash is an answer too. docs/APPLE.md holds what
 * this project answers, and why; where a line of Apple's differs, a switch of sluice_bnns_options may be turned.
 */
#if !defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L
#else
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
#endif
#include "probe_forward.h"
#include "probe_calls.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct question {
	const char *name;
	void (*ask)(void);
} questions[] = {
	{"descriptors", ask_descriptors},
	{"sizes that disagree", ask_sizes},
	{"layout of data unspecified", ask_layout},
	{"strides of data", ask_strides},
	{"input weights, 3 inputs, 2 hidden, 3 layers", ask_input_weights},
	{"input weights, 2 inputs, 2 hidden, 3 layers", ask_input_weights_equal},
	{"input weights, 3 inputs, 2 hidden, 2 layers, both directions", ask_input_weights_both_ways},
	{"stacking, lower reverse bias moved", ask_stacking},
	{"both directions, first x moved", ask_first_step},
	{"both directions, last x moved", ask_last_step},
	{"both directions, final states", ask_final_states},
	{"activation fields with the flag of defaults", ask_activation_fields},
	{"activation of zeros without the flag", ask_zero_activation},
	{"activation functions accepted", ask_activations},
	{"cell weight of the output gate", ask_output_gate},
	{"dropout 0.5 with a cache", ask_dropout},
	{"dropout 0.5 without a cache", ask_dropout_without_cache},
	{"dropout is drawn", ask_dropout_draws},
	{"dropout, hidden state put out", ask_dropout_state},
	{"dropout of one layer", ask_dropout_of_one_layer},
	{"dropout, backward", ask_dropout_backward},
	{"dropout, backward without a cache", ask_dropout_recomputed},
	{"sequence of 2 1 1 rows", ask_sequence_rows},
	{"sequence of 2 1 1 rows, padding", ask_padding_rows},
	{"sequence, final state of a short row", ask_short_row},
	{"sequence, element types", ask_sequence_types},
	{"sequence that grows", ask_sequence_growing},
	{"sequence beyond the batch", ask_sequence_beyond},
	{"sequence with a step of no rows", ask_sequence_empty},
	{"forward without a cache", ask_forward_without_cache},
	{"cache, forward", ask_cache_capacity},
	{"cache, backward", ask_cache_capacity_backward},
	{"cache, place", ask_cache_moved},
	{"backward without a cache", ask_cache_recomputed},
	{"backward without outputs", ask_backward_without_outputs},
	{"delta, sizes of zero", ask_delta_sizes},
	{"delta, NULL", ask_delta_null},
	{"delta, flag to accumulate", ask_delta_accumulate},
	{"data in place", ask_data_in_place},
	{"states in place", ask_states_in_place},
	{"outputs that are NULL", ask_no_outputs},
	{"inputs that are NULL", ask_no_inputs},
	{"types", ask_types},
	{"types, x unlike y", ask_types_mixed},
	{"allocators", ask_allocators},
};

/* Runs a question in a process of its own. The parent never calls BNNS, so that every child finds it untouched.
 * Returns the child's wait status, -1 without a child. */
static int run(void (*ask)(void))
{
	int status = 0;
	pid_t child;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		alarm(60);
		ask();
		fflush(stdout);
		_exit(0);
	}
	return child < 0 || waitpid(child, &status, 0) < 0 ? -1 : status;
}

static void try_style(void)
{
	struct net *net = new_net(1, 1, 3, 2, 2, 3);
	if (forward(net, NULL, 0) != 0)
		_exit(1);
}

static void ask(const struct question *question)
{
	int status;
	printf("%s: ", question->name);
	status = run(question->ask);
	if (status == -1)
		printf("no process");
	else if (WIFSIGNALED(status))
		printf("ended by signal %d", WTERMSIG(status));
	printf("\n");
	fflush(stdout);
}

int main(void)
{
	style = ZEROS;
	if (run(try_style) != 0)
		style = STATED;
	for (size_t k = 0; k < sizeof(questions) / sizeof(questions[0]); k++)
		ask(&questions[k]);
	return 0;
}
