/*
 * mpsgraph_ask.h: the table of questions of the probes of MPSGraph. Each is asked in a process of its own.
 */
#ifndef SLUICE_COMPAT_PROBE_MPSGRAPH_ASK_H
#define SLUICE_COMPAT_PROBE_MPSGRAPH_ASK_H

#include "mpsgraph_backward.h"
#include "mpsgraph_forward.h"

#include "ask.h"

static const struct question questions[] = {
	{"descriptor", ask_defaults},
	{"activations of -1 0 0.5 2", ask_activations},
	{"hard sigmoid of -3 -1 1 3", ask_hard_sigmoid},
	{"output activation, c of 0.964", ask_output_activation},
	{"order of gates", ask_order},
	{"order of gates, forgetGateLast", ask_order_forget_gate_last},
	{"two steps", ask_example},
	{"peephole", ask_peephole},
	{"optional tensors that are nil", ask_absent},
	{"states with a leading 1", ask_state_of_rank_three},
	{"mask [H]", ask_mask_of_units},
	{"mask [N,H]", ask_mask_of_rows},
	{"mask [1,N,H]", ask_mask_of_rows_in_three},
	{"mask [T,N,H]", ask_mask_of_steps},
	{"mask [N,2H], both directions", ask_mask_of_both_directions},
	{"mask in the first step", ask_mask_of_first_step},
	{"reverse, first x moved", ask_reverse_first_step},
	{"reverse, last x moved", ask_reverse_last_step},
	{"both directions, first x moved", ask_both_first_step},
	{"both directions, last x moved", ask_both_last_step},
	{"both directions and reverse", ask_both_and_reverse},
	{"both directions, first half moved", ask_halves},
	{"results", ask_results},
	{"results, produceCell", ask_results_cell},
	{"results, training", ask_results_training},
	{"results, produceCell and training", ask_results_both},
	{"shapes of results", ask_shapes},
	{"shapes of results, both directions", ask_shapes_both},
	{"Float16", ask_float16},
	{"BFloat16", ask_bfloat16},
	{"gradients", ask_gradients},
	{"gradients, no bias", ask_gradients_without_bias},
	{"gradients, forgetGateLast", ask_gradient_order_forget_gate_last},
	{"gradients, shapes", ask_gradient_shapes},
	{"gradients, shapes, both directions", ask_gradient_shapes_both},
	{"gradients, shapes of the shortest method", ask_gradients_shortest},
	{"gradient of a weight", ask_sums},
	{"incoming gradients of states", ask_entry},
	{"incoming gradients of states, reverse", ask_entry_reverse},
	{"incoming gradients of states, both directions, first half", ask_entry_first_half},
	{"incoming gradients of states, both directions, second half", ask_entry_second_half},
	{"incoming gradients of states with a leading 1", ask_state_gradient_of_rank_three},
	{"incoming gradients of states that are nil", ask_absent_gradients},
	{"sourceGradient that is nil", ask_absent_source_gradient},
};
enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

int main(int count, char **arguments)
{
	return ask_all(questions, QUESTIONS, count, arguments);
}

#endif
