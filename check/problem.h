/*
 * problem.h: problem strings, the one grammar in which tests, verify and bench name what they run.
 */
#ifndef SLUICE_CHECK_PROBLEM_H
#define SLUICE_CHECK_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

#include "setting.h"
#include "sluice/sluice.h"

#define SLUICE__LAYERS_MAX 127
#define SLUICE__PROBLEM_TEXT 256 /* bytes that hold every canonical problem string */

/* One parsed problem. Every option of the grammar has a field, whether the library implements it or not. */
struct sluice__problem {
	size_t steps, batch, inputs, hidden;
	size_t layers;
	sluice_direction direction;
	int alternating; /* layers 0, 2, .. run forward, layers 1, 3, .. in reverse */
	sluice_peephole peephole;
	int peephole_previous; /* the output gate's peephole sees c[t-1] */
	size_t projection;     /* 0: none */
	int mask, resets, holds;
	enum sluice__setting_lengths lengths; /* none, random or packed */
	sluice_padding padding;
	sluice_combination combination;
	int learned_start;                                                /* and no initial state is given */
	int coupled, clip, hard, zoneout, recurrent_dropout, dropconnect; /* with the numbers of problem.c */
	sluice_input input; /* of the first layer, and of others where it can be */
	sluice_tape_mode tape_mode;
	size_t kernel, rows, columns; /* ConvLSTM: kernel x kernel over rows x columns; 0: a plain LSTM */
	size_t dilation, groups;      /* of every kernel; 0: 1 */
	size_t stride;                /* of the first layer's input; 0: 1 */
	sluice_choice winograd;
	sluice_dtype dtype;
	int tf32; /* products in TF32; dtype stays f32 */
};

/* A problem's model description together with the layers it points to. Not movable once filled. */
struct sluice__problem_model {
	sluice_description description;
	sluice_layer layers[SLUICE__LAYERS_MAX];
};

/* The grammar as a text of several lines, for the reader of an error message. Static storage. */
const char *sluice__problem_grammar(void);

/* Reads a problem string. Errors: INVALID_ARGUMENT with a sentence that names the place; out is then untouched. */
sluice_status sluice__problem_parse(const char *text, struct sluice__problem *out);

/* Writes the canonical string of a problem into text[SLUICE__PROBLEM_TEXT]; parsing it gives the problem again. */
void sluice__problem_print(const struct sluice__problem *problem, char *text);

/* Describes the problem's network to the library. Errors: UNSUPPORTED for what the library has no place for (int8,
 * TF32); all other options are the library's to accept or to refuse. */
sluice_status sluice__problem_describe(const struct sluice__problem *problem, struct sluice__problem_model *out);

/* Describes the problem, and how it is planned and run; out points to the model. Errors: as sluice__problem_describe.
 */
sluice_status sluice__problem_set(const struct sluice__problem *problem, struct sluice__problem_model *model,
				  struct sluice__setting *out);

/* Floating-point operations of one forward pass: two for each element of W, R, P and full V, for each row and each of
 * all T steps, and nothing else; of a plain layer 2*4*H*(I+H). Of images likewise for each place, whether a tap lies
 * inside or not. A backward pass is counted as twice that. */
double sluice__problem_flops(const struct sluice__problem *problem);

#endif
