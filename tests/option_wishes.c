/* option_wishes.c exists so that one table of options serves every test of a promise that all of them must keep. */
#include "option_wishes.h"

/* Sizes that leave rests in vectors and tiles, and steps long enough for threads. */
#define COMMON .steps = 5, .batch = 9, .training = 1, .sequences = 1, .poisoned = 1
#define ONE COMMON, .inputs = 11, .layers = 1, .hidden = {37}
#define TWO COMMON, .inputs = 11, .layers = 2, .hidden = {41, 37}, .outputs = 5
#define BOTH_WAYS TWO, .direction = {SLUICE_BIDIRECTIONAL, SLUICE_BIDIRECTIONAL}

#define IMAGES COMMON, .image_height = 5, .image_width = 6, .inputs = 3, .layers = 2, .hidden = {17, 5}, .outputs = 2
/* clang-format off */
#define KERNEL(h, w, g) {.height = h, .width = w, .groups = g}
/* clang-format on */

#define KIND(name, a_, b_, c_)                                                    \
	{                                                                         \
		.kind = SLUICE_ACTIVATION_##name, .a = (a_), .b = (b_), .c = (c_) \
	}
#define ACTIVATIONS(i, f, g, o, c)                                                                        \
	.input_activation = i, .forget_activation = f, .candidate_activation = g, .output_activation = o, \
	.cell_activation = c

/* Everything that lets two options meet in one step. */
#define CROWD                                                                                             \
	.peephole = SLUICE_PEEPHOLE_FULL, .projection = 21, .projection_clip = 0.25f, .cell_clip = 0.75f, \
	.gate_clip = 1.5f, .recurrent_dropout = 0.25f, .zoneout_h = 0.25f, .zoneout_c = 0.125f, .dropconnect = 0.25f

const struct option_wish option_wishes[] = {
	{"no option", {ONE}},
	{"two layers", {TWO, .dropout = {0.25f, 0.5f}}},
	{"both ways", {BOTH_WAYS, .dropout = {0.25f, 0.5f}}},
	{"last only", {TWO, .last_only = 1, .dropout = {0.25f, 0.5f}}},
	{"last only both ways", {BOTH_WAYS, .last_only = 1, .dropout = {0.25f, 0.5f}}},
	{"last only without read-out",
	 {ONE, .last_only = 1, .direction = {SLUICE_BIDIRECTIONAL}, .options = {{.projection = 20}}}},
	{"no bias", {TWO, .options = {{.no_bias = 1}, {.no_bias = 1}}}},

	{"activations 1",
	 {ONE, .options = {{ACTIVATIONS(KIND(TANH, 0, 0, 0), KIND(IDENTITY, 0, 0, 0), KIND(RELU, 0, 0, 0),
					KIND(HARD_SIGMOID, 0.2f, 0.5f, 0), KIND(LINEAR, 0.5f, 0.1f, 0))}}}},
	{"activations 2",
	 {ONE, .options = {{ACTIVATIONS(KIND(LEAKY_RELU, 0.1f, 0, 0), KIND(PRELU, 0, 0, 0),
					KIND(CLIPPED_RELU, 0.1f, 0.9f, 0), KIND(CLAMP, -0.5f, 0.75f, 0),
					KIND(ABS, 0, 0, 0))}}}},
	{"activations 3",
	 {ONE, .options = {{ACTIVATIONS(KIND(SCALED_TANH, 1.7f, 0.6f, 0), KIND(SOFTPLUS, 0.5f, 1.0f, 0),
					KIND(SOFTSIGN, 0, 0, 0), KIND(ELU, 0.5f, 0, 0), KIND(SELU, 0, 0, 0))}}}},
	{"activations 4",
	 {ONE, .options = {{ACTIVATIONS(KIND(CELU, 0.5f, 0, 0), KIND(POWER, 0.5f, 0.1f, 2.0f),
					KIND(EXPONENTIAL, 0.5f, 0, -1), KIND(LOGARITHM, 0.01f, 2, -1),
					KIND(GELU, 0, 0, 0))}}}},
	{"activations 5",
	 {ONE,
	  .options = {{ACTIVATIONS(KIND(GELU_TANH, 0.8f, 0.04f, 0), KIND(LOG_SIGMOID, 0, 0, 0), KIND(SILU, 0, 0, 0),
				   KIND(HARD_SWISH, 0.2f, 0.5f, 0), KIND(HARD_SHRINK, 0.25f, 0, 0))}}}},
	{"activations 6",
	 {ONE,
	  .options = {{ACTIVATIONS(KIND(SOFT_SHRINK, 0.25f, 0, 0), KIND(TANH_SHRINK, 0, 0, 0),
				   KIND(THRESHOLD, 0.1f, -0.2f, 0), KIND(SIGMOID, 0, 0, 0), KIND(TANH, 0, 0, 0))}}}},
	{"five slopes",
	 {BOTH_WAYS, .options = {{ACTIVATIONS(KIND(PRELU, 0, 0, 0), KIND(PRELU, 0, 0, 0), KIND(PRELU, 0, 0, 0),
					      KIND(PRELU, 0, 0, 0), KIND(PRELU, 0, 0, 0))},
				 {ACTIVATIONS(KIND(SIGMOID, 0, 0, 0), KIND(SIGMOID, 0, 0, 0), KIND(PRELU, 0, 0, 0),
					      KIND(SIGMOID, 0, 0, 0), KIND(PRELU, 0, 0, 0))}}}},

	{"peepholes", {TWO, .options = {{.peephole = SLUICE_PEEPHOLE_DIAGONAL}}}},
	{"peepholes on c before",
	 {TWO, .options = {{0}, {.peephole = SLUICE_PEEPHOLE_DIAGONAL, .peephole_previous = 1}}}},
	{"full peepholes", {TWO, .options = {{.peephole = SLUICE_PEEPHOLE_FULL}, {.peephole = SLUICE_PEEPHOLE_FULL}}}},
	{"full peepholes on c before", {TWO, .options = {{.peephole = SLUICE_PEEPHOLE_FULL, .peephole_previous = 1}}}},
	{"some peepholes",
	 {BOTH_WAYS, .options = {{.peephole = SLUICE_PEEPHOLE_FULL, .no_peepholes = SLUICE_GATE_G | SLUICE_GATE_O},
				 {.peephole = SLUICE_PEEPHOLE_DIAGONAL, .no_peepholes = SLUICE_GATE_G}}}},

	{"projection", {TWO, .options = {{.projection = 21}, {.projection = 19}}}},
	{"wide projection", {ONE, .options = {{.projection = 52}}}},
	{"clipped projection", {BOTH_WAYS, .options = {{.projection = 21, .projection_clip = 0.125f}}}},
	{"cell clip", {TWO, .options = {{.cell_clip = 0.5f}}}},
	{"gate clip", {TWO, .options = {{.gate_clip = 0.75f}}}},

	{"identity input",
	 {COMMON, .inputs = 37, .layers = 2, .hidden = {37, 37}, .outputs = 5,
	  .options = {{.input = SLUICE_INPUT_IDENTITY}, {.input = SLUICE_INPUT_IDENTITY}}}},
	{"identity input both ways",
	 {COMMON, .inputs = 41, .layers = 2, .hidden = {41, 82},
	  .direction = {SLUICE_BIDIRECTIONAL, SLUICE_BIDIRECTIONAL}, .dropout = {0.25f},
	  .options = {{.input = SLUICE_INPUT_IDENTITY}, {.input = SLUICE_INPUT_IDENTITY}}}},
	{"gates for input",
	 {COMMON, .inputs = 4 * 44, .layers = 2, .hidden = {44, 11}, .outputs = 5,
	  .options = {{.input = SLUICE_INPUT_GATES}, {.input = SLUICE_INPUT_GATES}}}},
	{"gates for input both ways, in another order",
	 {COMMON, .gate_order = "ogif", .inputs = 8 * 44, .layers = 2, .hidden = {44, 11},
	  .direction = {SLUICE_BIDIRECTIONAL, SLUICE_BIDIRECTIONAL}, .dropout = {0.25f},
	  .options = {{.input = SLUICE_INPUT_GATES}, {.input = SLUICE_INPUT_GATES}}}},
	{"no input gate", {ONE, .options = {{.no_gates = SLUICE_GATE_I}}}},
	{"no forget and no output gate", {TWO, .options = {{.no_gates = SLUICE_GATE_F | SLUICE_GATE_O}}}},
	{"no gates at all", {TWO, .options = {{.no_gates = SLUICE_GATES_ALL, .peephole = SLUICE_PEEPHOLE_FULL}}}},
	{"absent blocks",
	 {TWO,
	  .options = {{.no_input_weights = SLUICE_GATE_I | SLUICE_GATE_G, .no_recurrent_weights = SLUICE_GATE_F}}}},
	{"coupled", {TWO, .options = {{.coupled = 1}, {.coupled = 1, .peephole = SLUICE_PEEPHOLE_DIAGONAL}}}},

	{"mask of each sequence", {TWO, .mask = 1, .mask_shape = SLUICE_MASK_SEQUENCE}},
	{"mask of each unit", {BOTH_WAYS, .mask = 1, .mask_shape = SLUICE_MASK_UNIT}},
	{"mask of each step", {BOTH_WAYS, .mask = 1, .mask_shape = SLUICE_MASK_STEP}},
	{"mask of each step one way",
	 {TWO, .mask = 1, .mask_shape = SLUICE_MASK_STEP, .options = {{.projection = 21}}}},
	{"recurrent dropout",
	 {TWO, .options = {{.recurrent_dropout = 0.25f},
			   {.recurrent_dropout = 0.5f, .recurrent_dropout_shape = SLUICE_MASK_UNIT}}}},
	{"recurrent dropout of each step",
	 {TWO, .mask = 1, .options = {{.recurrent_dropout = 0.25f, .recurrent_dropout_shape = SLUICE_MASK_STEP}}}},
	{"zoneout of h", {TWO, .options = {{.zoneout_h = 0.25f}}}},
	{"zoneout of c", {TWO, .options = {{.zoneout_c = 0.25f, .cell_clip = 0.5f}}}},
	{"zoneout both ways", {BOTH_WAYS, .options = {{.zoneout_h = 0.5f, .zoneout_c = 0.25f}}}},
	{"dropconnect", {TWO, .options = {{.dropconnect = 0.25f}, {.dropconnect = 0.5f, .projection = 20}}}},
	{"dropconnect both ways", {BOTH_WAYS, .options = {{.dropconnect = 0.25f}, {.dropconnect = 0.5f}}}},

	{"learned start", {BOTH_WAYS, .options = {{.learned_start = 1}, {.learned_start = 1, .projection = 21}}}},
	{"directions added",
	 {BOTH_WAYS, .dropout = {0.25f, 0.5f}, .options = {{.combination = SLUICE_ADD}, {.combination = SLUICE_ADD}}}},
	{"directions separate",
	 {BOTH_WAYS, .dropout = {0.25f, 0.5f}, .options = {{.combination = SLUICE_SEPARATE, .projection = 21}}}},

	{"images",
	 {IMAGES, .options = {{.input_convolution = KERNEL(3, 3, 1), .recurrent_convolution = KERNEL(3, 3, 1)},
			      {.input_convolution = KERNEL(2, 5, 1), .recurrent_convolution = KERNEL(5, 1, 5)}}}},
	{"images both ways, smaller and smaller",
	 {IMAGES, .direction = {SLUICE_BIDIRECTIONAL, SLUICE_BIDIRECTIONAL}, .dropout = {0.25f, 0.5f},
	  .options = {{.input_convolution = {.height = 3, .width = 2, .stride_y = 2, .dilation_x = 2},
		       .recurrent_convolution = KERNEL(3, 3, 1),
		       .zoneout_h = 0.25f,
		       .learned_start = 1},
		      {.input_convolution = {.height = 3, .width = 3, .stride_x = 2},
		       .recurrent_convolution = KERNEL(3, 3, 1),
		       .combination = SLUICE_ADD,
		       .projection = 3}}}},
	{"images with peepholes of all kinds",
	 {IMAGES, .mask = 1, .mask_shape = SLUICE_MASK_STEP,
	  .options = {{.peephole = SLUICE_PEEPHOLE_FULL,
		       .memory_convolution = KERNEL(3, 3, 1),
		       .recurrent_convolution = KERNEL(1, 3, 1),
		       .recurrent_dropout = 0.25f},
		      {.peephole = SLUICE_PEEPHOLE_ELEMENT,
		       .recurrent_convolution = KERNEL(3, 1, 1),
		       .dropconnect = 0.25f}}}},
	{"images by tiles",
	 {COMMON, .image_height = 5, .image_width = 6, .inputs = 16, .layers = 2, .hidden = {16, 16}, .outputs = 2,
	  .direction = {SLUICE_FORWARD, SLUICE_BIDIRECTIONAL},
	  .options = {{.input_convolution = KERNEL(3, 3, 1), .recurrent_convolution = KERNEL(3, 3, 1)},
		      {.input_convolution = KERNEL(5, 5, 1),
		       .recurrent_convolution = KERNEL(5, 5, 1),
		       .recurrent_dropout = 0.25f}}}},
	{"images, gates computed again",
	 {IMAGES, .tape_mode = SLUICE_TAPE_RECOMPUTE, .data = SLUICE_BF16, .weights = SLUICE_F16,
	  .direction = {SLUICE_BIDIRECTIONAL},
	  .options = {{.input_convolution = KERNEL(3, 3, 1), .recurrent_convolution = KERNEL(3, 3, 1)},
		      {.recurrent_convolution = KERNEL(3, 3, 1), .peephole = SLUICE_PEEPHOLE_DIAGONAL}}}},

	{"f16", {BOTH_WAYS, .weights = SLUICE_F16, .data = SLUICE_F16, .tape = SLUICE_F16, .dropout = {0.25f, 0.5f}}},
	{"bf16", {TWO, .weights = SLUICE_BF16, .data = SLUICE_BF16, .tape = SLUICE_BF16, .dropout = {0.25f, 0.5f}}},
	{"f64", {TWO, .weights = SLUICE_F64, .data = SLUICE_F64, .tape = SLUICE_F64, .dropout = {0.25f, 0.5f}}},
	{"weights in bf16", {TWO, .weights = SLUICE_BF16, .options = {{.peephole = SLUICE_PEEPHOLE_FULL}}}},
	{"tape in f16", {BOTH_WAYS, .tape = SLUICE_F16, .dropout = {0.25f, 0.5f}}},
	{"gates computed again", {BOTH_WAYS, .tape_mode = SLUICE_TAPE_RECOMPUTE, .dropout = {0.25f, 0.5f}}},
	{"backward from outputs",
	 {BOTH_WAYS, .tape_mode = SLUICE_TAPE_OUTPUTS, .gate_order = "gofi", .dropout = {0.25f, 0.5f},
	  .options = {{.projection = 21, .projection_clip = 0.25f}, {.peephole = SLUICE_PEEPHOLE_FULL}}}},
	{"backward from outputs in bf16", {TWO, .tape_mode = SLUICE_TAPE_OUTPUTS, .data = SLUICE_BF16}},

	{"crowd", {TWO, .mask = 1, .options = {{CROWD}, {CROWD}}}},
	{"crowd both ways, computed again",
	 {BOTH_WAYS, .mask = 1, .mask_shape = SLUICE_MASK_STEP, .tape_mode = SLUICE_TAPE_RECOMPUTE, .last_only = 1,
	  .dropout = {0.25f, 0.5f},
	  .options = {{CROWD, .input_activation = KIND(PRELU, 0, 0, 0)},
		      {CROWD, .candidate_activation = KIND(SOFTSIGN, 0, 0, 0)}}}},
	{"crowd in f16, computed again",
	 {TWO, .mask = 1, .mask_shape = SLUICE_MASK_UNIT, .tape_mode = SLUICE_TAPE_RECOMPUTE, .weights = SLUICE_F16,
	  .data = SLUICE_F16, .tape = SLUICE_F16, .dropout = {0.25f, 0.5f},
	  .options = {{CROWD}, {CROWD, .coupled = 1}}}},
	{"crowd in bf16 on c before",
	 {BOTH_WAYS, .weights = SLUICE_BF16, .data = SLUICE_BF16, .tape = SLUICE_BF16, .gate_order = "fgio",
	  .options = {{CROWD, .peephole_previous = 1, .no_gates = SLUICE_GATE_I},
		      {CROWD, .peephole_previous = 1, .recurrent_dropout_shape = SLUICE_MASK_STEP}}}},
};
const size_t option_wish_count = sizeof option_wishes / sizeof option_wishes[0];

int wish_runs_forward(const struct wish *wish)
{
	for (size_t layer = 0; layer < wish->layers; layer++)
		if (wish->direction[layer] != SLUICE_FORWARD)
			return 0;
	return 1;
}

int wish_drops_connections(const struct wish *wish)
{
	for (size_t layer = 0; layer < wish->layers; layer++)
		if (wish->options[layer].dropconnect > 0)
			return 1;
	return 0;
}
