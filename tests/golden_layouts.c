/* golden_layouts.c exists so that every test reads a peer's weights by one reading of the peer. */
#include "golden_layouts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network_fixture.h"

double *golden_swapped(const double *from, size_t first, size_t second, size_t width)
{
	double *to = aligned_zeros(first * second * width * sizeof(double));

	for (size_t a = 0; a < first; a++)
		for (size_t b = 0; b < second; b++)
			memcpy(to + (b * first + a) * width, from + (a * second + b) * width, width * sizeof(double));
	return to;
}

/* -------------------------------------------------------------------------------------------------- PyTorch ----- */

/* A parameter of layer and direction: <before>_l<layer>, _reverse. */
static const char *torch_name(const char *before, size_t layer, size_t direction)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s_l%zu%s", before, layer, direction ? "_reverse" : "");
	return name;
}

/* What a file has of a layer and direction; NULL if it has not. */
static const void *torch_raw(const struct golden_file *file, const char *before, size_t layer, size_t direction,
			     size_t count)
{
	const char *name = torch_name(before, layer, direction);

	return sluice_tensors_has(file->tensors, name) ? golden_raw(file, name, SLUICE_ELEMENT_F64, count) : NULL;
}

void golden_torch_weights(const struct golden_file *file, struct golden_model *model)
{
	for (size_t cell = 0; cell < model->layers * model->directions; cell++) {
		size_t layer = cell / model->directions, direction = cell % model->directions;
		size_t inputs = layer ? model->directions * model->width : model->inputs, hidden = model->hidden;
		sluice_weights weights = SLUICE_WEIGHTS_INIT;

		weights.dtype = SLUICE_F64;
		weights.input = torch_raw(file, "weight_ih", layer, direction, 4 * hidden * inputs);
		weights.recurrent = torch_raw(file, "weight_hh", layer, direction, 4 * hidden * model->width);
		weights.bias = torch_raw(file, "bias_ih", layer, direction, 4 * hidden);
		weights.recurrent_bias = torch_raw(file, "bias_hh", layer, direction, 4 * hidden);
		weights.projection = torch_raw(file, "weight_hr", layer, direction, model->width * hidden);
		weights.start_h = torch_raw(file, "start_h", layer, direction, model->width);
		weights.start_c = torch_raw(file, "start_c", layer, direction, hidden);
		assert_ok(sluice_model_set_weights(model->model, layer, direction, &weights));
	}
}

/* Names are PyTorch's, but the one bias is called after neither of its two, whose gradients are equal. */
void golden_torch_compare(struct golden_file *file, const struct golden_model *model, const double *block,
			  double tolerance)
{
	for (size_t k = 0; k < sluice_model_parameter_count(model->model); k++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;
		char name[80];
		int bias;

		assert_ok(sluice_model_parameter(model->model, k, &parameter));
		bias = strncmp(parameter.name, "bias_l", 6) == 0;
		snprintf(name, sizeof(name), "d%s%s", bias ? "bias_hh" : "", parameter.name + (bias ? 4 : 0));
		golden_compare(file, name, block + parameter.offset, parameter.rows * parameter.columns, tolerance);
	}
}

/* ---------------------------------------------------------------------------------------------------- Keras ----- */

/* Kernels are [inputs,4H] and [H,4H], read as the transposed matrices that they are. Keras' order i f c o is i f g o.
 */
void golden_keras_weights(const struct golden_file *file, struct golden_model *model)
{
	size_t directions = model->directions, gates = 4 * model->hidden;
	int biased = sluice_tensors_has(file->tensors, "bias");

	for (size_t direction = 0; direction < directions; direction++) {
		sluice_weights weights = SLUICE_WEIGHTS_INIT;

#define RAW(name, count) \
	((const double *)golden_raw(file, name, SLUICE_ELEMENT_F64, directions * (count)) + direction * (count))
		weights.dtype = SLUICE_F64;
		weights.input = RAW("kernel", gates * model->inputs);
		weights.input_row = 1;
		weights.input_column = (ptrdiff_t)gates;
		weights.recurrent = RAW("recurrent_kernel", gates * model->hidden);
		weights.recurrent_row = 1;
		weights.recurrent_column = (ptrdiff_t)gates;
		weights.bias = biased ? RAW("bias", gates) : NULL;
#undef RAW
		assert_ok(sluice_model_set_weights(model->model, 0, direction, &weights));
	}
}

/* The gradients of both directions of one kind, as Keras has them: [D,columns,4H]. */
static void keras_compare_one(struct golden_file *file, const struct golden_model *model, const double *block,
			      const char *tensor, const char *name, size_t columns, double tolerance)
{
	size_t gates = 4 * model->hidden, count = gates * columns;
	double *both = aligned_zeros(2 * count * sizeof(double));

	for (size_t direction = 0; direction < model->directions; direction++) {
		const double *part = golden_parameter(model, block, torch_name(name, 0, direction), count);
		double *transposed = golden_swapped(part, gates, columns, 1);

		memcpy(both + direction * count, transposed, count * sizeof(double));
		free(transposed);
	}
	golden_compare(file, tensor, both, model->directions * count, tolerance);
	free(both);
}

void golden_keras_compare(struct golden_file *file, const struct golden_model *model, const double *block,
			  double tolerance)
{
	keras_compare_one(file, model, block, "dkernel", "weight_ih", model->inputs, tolerance);
	keras_compare_one(file, model, block, "drecurrent_kernel", "weight_hh", model->hidden, tolerance);
	if (sluice_tensors_has(file->tensors, "bias"))
		keras_compare_one(file, model, block, "dbias", "bias", 1, tolerance);
}

/* ----------------------------------------------------------------------------------------------------- ONNX ----- */

/* ONNX's order is i o f c. The first direction is given as whole blocks, the second gate by gate, P always so: it has
 * only i o f. */
void golden_onnx_weights(const struct golden_file *file, struct golden_model *model)
{
	size_t directions = model->directions, hidden = model->hidden;
	int peephole = sluice_tensors_has(file->tensors, "P");

	for (size_t direction = 0; direction < directions; direction++) {
		sluice_weights weights = SLUICE_WEIGHTS_INIT;

#define RAW(name, count) \
	((const float *)golden_raw(file, name, SLUICE_ELEMENT_F32, directions * (count)) + direction * (count))
		const float *W = RAW("W", 4 * hidden * model->inputs), *R = RAW("R", 4 * hidden * hidden);
		const float *B = RAW("B", 8 * hidden), *P = peephole ? RAW("P", 3 * hidden) : NULL;
#undef RAW
		weights.order = "iofg";
		weights.recurrent_bias = B + 4 * hidden;
		for (size_t gate = 0; direction == 1 && gate < 4; gate++) {
			weights.input_gates[gate] = W + gate * hidden * model->inputs;
			weights.recurrent_gates[gate] = R + gate * hidden * hidden;
			weights.bias_gates[gate] = B + gate * hidden;
		}
		if (direction == 0) {
			weights.input = W;
			weights.recurrent = R;
			weights.bias = B;
		}
		for (size_t gate = 0; P && gate < 3; gate++)
			weights.peephole_gates[gate] = P + gate * hidden;
		assert_ok(sluice_model_set_weights(model->model, 0, direction, &weights));
	}
}

/* Y is [T,D,N,H] or [N,T,D,H], and states of layout 1 are [N,D,H]. */
void golden_onnx_compare(struct golden_file *file, const struct golden_model *model, sluice_layout layout,
			 const struct golden_run *run, double tolerance)
{
	size_t directions = model->directions, hidden = model->hidden, step = run->batch * directions * hidden;
	int batch_major = layout == SLUICE_BATCH_MAJOR;
	double *y = golden_swapped(run->y, 1, 1, run->y_count);
	double *hn = golden_swapped(run->hn, batch_major ? directions : 1, batch_major ? run->batch : run->h_count,
				    batch_major ? hidden : 1);
	double *cn = golden_swapped(run->cn, batch_major ? directions : 1, batch_major ? run->batch : run->c_count,
				    batch_major ? hidden : 1);

	for (size_t t = 0; !batch_major && t < run->steps; t++) {
		double *turned = golden_swapped(run->y + t * step, run->batch, directions, hidden);

		memcpy(y + t * step, turned, step * sizeof(double));
		free(turned);
	}
	golden_compare(file, "Y", y, run->y_count, tolerance);
	golden_compare(file, "Y_h", hn, run->h_count, tolerance);
	golden_compare(file, "Y_c", cn, run->c_count, tolerance);
	free(y);
	free(hn);
	free(cn);
}
