#!/bin/sh
# info.sh: info tells every option of a layer that is not the default, and nothing of one that is.
models=$(cd "$(dirname "$0")/../fuzz/corpus/model" && pwd) || exit 1
. "$(dirname "$0")/common.sh"

# expect_line MODEL LINE: info of the model prints the line, whole.
expect_line() {
	"$sluice" info "$models/$1" >out.txt || complain "info of $1 failed"
	grep -qxF -e "$2" out.txt || { complain "no line \"$2\" from info of $1" && cat out.txt >&2; }
}

expect_line valid "layer 0: 1 units, forward"
expect_line valid_bidirectional "layer 0: 1 units, bidirectional"
expect_line valid_activations "layer 0: 2 units, bidirectional, input_activation hard_sigmoid(0.2,0.5,0), forget_activation prelu, \
candidate_activation scaled_tanh(1.7159,0.666667,0), output_activation power(1,0,2), cell_activation softsign"
expect_line valid_peepholes "layer 0: 3 units, forward, peephole full, projection 2, projection_clip 0.5, cell_clip 2, gate_clip 3, \
no_peepholes g"
expect_line valid_peepholes "layer 1: 2 units, forward, no bias, dropout 0.5, peephole diagonal, peephole_previous"
expect_line valid_absent "layer 0: 2 units, forward, input identity, coupled, no_gates o, no_recurrent_weights ig"
expect_line valid_input_gates "layer 0: 2 units, bidirectional, input gates"
expect_line valid_input_gates "layer 1: 1 units, forward, no_gates i, no_input_weights f"
expect_line valid_noise "layer 0: 2 units, forward, dropout 0.25, recurrent_dropout 0.3, recurrent_dropout_shape step, \
zoneout_h 0.1, zoneout_c 0.2, dropconnect 0.4"
expect_line valid_combinations "layer 0: 3 units, bidirectional, projection 2, combination add, learned_start"
expect_line valid_combinations "layer 1: 2 units, bidirectional, combination separate"
expect_line valid_combinations "layer 2: 1 units, bidirectional, combination separate, learned_start"
expect_line valid_combinations "outputs: 1"
expect_line valid_combinations "tensor: start_h_l0_reverse F32 [2]"
expect 0 "level: " "$sluice" info
expect 1 "no tensor \"start_h_l0\"" "$sluice" info "$models/start_missing"
expect 1 "combination is 1" "$sluice" info "$models/combination_one_direction"
expect 1 "no_gates: may hold each of the letters" "$sluice" info "$models/gates_twice"
finish
