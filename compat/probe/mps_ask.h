/*
 * mps_ask.h: the table of questions of the probes of Metal Performance Shaders. Each is asked in a process of its own.
 */
#ifndef SLUICE_COMPAT_PROBE_MPS_ASK_H
#define SLUICE_COMPAT_PROBE_MPS_ASK_H

#include "mps_backward.h"

#include "ask.h"

static const struct question questions[] = {
	{"descriptor", ask_defaults},
	{"convolution descriptor", ask_convolution_defaults},
	{"layers", ask_layer_defaults},
	{"neurons of -0.5 0.5 2 3, a 0.5 b 1 c 2", ask_neurons},
	{"TanH, a and b 0", ask_tanh_of_zeros},
	{"HardSigmoid, a and b 0", ask_hard_sigmoid_of_zeros},
	{"Exponential, c -1", ask_exponential_to_base_e},
	{"Logarithm, c -1", ask_logarithm_to_base_e},
	{"input source that is nil", ask_absent_input_source},
	{"unit transform without sources", ask_bare_unit_transform},
	{"unit transform with sources", ask_unit_transform},
	{"neurons of other sources", ask_other_neurons},
	{"biases of other sources", ask_other_biases},
	{"calls of a source", ask_calls},
	{"weights that change after creation", ask_late_weights},
	{"load that says no", ask_load_that_fails},
	{"weights of Float16", ask_float16_weights},
	{"weights of UInt8, ranges", ask_linear_weights},
	{"weights of UInt8, look-up table", ask_table_weights},
	{"useFloat32Weights NO", ask_half_weights},
	{"useFloat32Weights YES", ask_float_weights},
	{"useFloat32Weights NO, kernelWeightsDataType Float32", ask_kernel_type},
	{"two steps", ask_example},
	{"memory weights, whole", ask_whole_memory_weights},
	{"memory weights, diagonal, H to H channels", ask_diagonal_as_square},
	{"memory weights, diagonal, 1 to H channels", ask_diagonal_as_column},
	{"memory weights, diagonal, H to H channels in H groups", ask_diagonal_as_groups},
	{"stack", ask_stack},
	{"layerSequenceDirection of one direction", ask_direction_alone},
	{"both directions, first x moved", ask_both_first_step},
	{"both directions, last x moved", ask_both_last_step},
	{"both directions, lower Forward layer moved", ask_forward_chain},
	{"both directions, lower Backward layer moved", ask_backward_chain},
	{"both directions, Add", ask_add},
	{"both directions, Concatenate", ask_concatenate},
	{"rows of 4 2 1", ask_falling_rows},
	{"rows of 4 2 1, last state", ask_falling_rows_final_state},
	{"rows of 4 2 1, all states", ask_falling_rows_all_states},
	{"states", ask_states},
	{"states, chained", ask_chained_states},
	{"states, temporary", ask_temporary_state},
	{"one matrix for all steps, by offsets", ask_one_matrix},
	{"destination is source", ask_in_place},
	{"matrices of Float16", ask_float16},
	{"matrices of Float16, recurrence", ask_float16_state},
	{"image 1 2 3 4, kernel 1 0", ask_kernel_of_two},
	{"image 1 2 3 4, kernel 1 0 0", ask_kernel_of_three},
	{"image 1 2 3 4, kernel 0 0 1", ask_kernel_to_the_right},
	{"image 1 2 3 4, kernel 1 0 0, dilation 2", ask_dilation},
	{"image 1 2 3 4, kernel 0 1 0, stride 2", ask_strides},
	{"image, useFloat32Weights YES", ask_image_weights},
	{"image, kernels of all three", ask_image_kernels},
	{"image, diagonal memory weights", ask_image_diagonal},
	{"image, groups", ask_image_groups},
	{"image, kernels that differ between gates", ask_image_gates_apart},
	{"image, stack", ask_image_stack},
	{"image, states chained", ask_image_chained},
	{"images, 2 1 1 of them", ask_falling_images},
	{"training, copies of weights", ask_copies},
	{"training, copy to column 3, row 2 of 4 x 6", ask_copies_aside},
	{"training, copy of a part that is nil", ask_copies_of_absent},
	{"training, copy of the GRU's input weights", ask_copies_of_other_layers},
	{"training, states", ask_training_states},
	{"training, forward", ask_training_forward},
	{"training, useFloat32Weights NO", ask_training_weights},
	{"gradients", ask_gradients},
	{"gradients, diagonal", ask_gradients_diagonal},
	{"gradients, matrices of Float16", ask_gradients_float16},
	{"gradients, short methods", ask_gradients_short},
	{"gradients, rows of 4 2 1", ask_gradients_falling},
	{"gradients, twice", ask_overwriting},
	{"gradients, twice, short methods", ask_overwriting_short},
	{"gradients, twice, accumulateWeightGradients", ask_accumulating},
	{"gradients, two pieces, chained", ask_chained_gradients},
	{"gradients, two pieces, not chained", ask_truncated_gradients},
	{"gradients of states", ask_state_gradients},
	{"gradients of states, storeAllIntermediateStates", ask_all_state_gradients},
	{"gradients, ReLUN, b 2.5, x of -0.5 0.5 2 3", ask_relun},
};
enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

int main(int count, char **arguments)
{
	return ask_all(questions, QUESTIONS, count, arguments);
}

#endif
