/* golden_layouts.h: weights and their gradients as PyTorch, Keras and ONNX lay them out and call them in golden files.
 */
#ifndef SLUICE_TESTS_GOLDEN_LAYOUTS_H
#define SLUICE_TESTS_GOLDEN_LAYOUTS_H

#include "golden_fixture.h"

/* Each of these gives the model the weights of a file, read where they lie. Tensors that only some layers have (bias,
 * projection, peepholes, start) are taken where the file has them. Keras and ONNX: one layer. */
void golden_torch_weights(const struct golden_file *file, struct golden_model *model);
void golden_keras_weights(const struct golden_file *file, struct golden_model *model);
void golden_onnx_weights(const struct golden_file *file, struct golden_model *model);

/* Compare a block of gradients with those of the file. */
void golden_torch_compare(struct golden_file *file, const struct golden_model *model, const double *block,
			  double tolerance);
void golden_keras_compare(struct golden_file *file, const struct golden_model *model, const double *block,
			  double tolerance);

/* Compares the results of a run with those of an ONNX file. */
void golden_onnx_compare(struct golden_file *file, const struct golden_model *model, sluice_layout layout,
			 const struct golden_run *run, double tolerance);

/* A copy of [first,second,width] with the two outer dimensions exchanged. */
double *golden_swapped(const double *from, size_t first, size_t second, size_t width);

#endif
