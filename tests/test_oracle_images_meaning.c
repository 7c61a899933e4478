/*
 * test_oracle_images_meaning.c: what images mean to the oracle, where it can be told by hand or by a plainer network:
 * borders and sizes, the way a kernel lies, what sees what, and who draws which random number.
 */
#include "oracle_images.h"
#include "random.h"

/* A network of one layer over images with 2 channels. */
static void layer_create(sluice_layer layer, size_t height, size_t width, unsigned flags, struct subject *subject)
{
	const sluice_layer layers[LAYERS] = {layer};

	images_create(layers, height, width, 0, STEPS, BATCH, flags, 3, subject);
}

/* A tensor of a subject's parameters, to be changed. */
static double *tensor_of(const struct subject *subject, size_t offset)
{
	assert_int_not_equal(offset, SLUICE__NONE);
	return (double *)(uintptr_t)subject->run.parameters + offset;
}

static const struct sluice__cell *cell_of(const struct subject *subject)
{
	return subject->network.cells;
}

/* ---------------------------------------------------------------------------------------- borders and sizes ---- */

/* Worked out by hand along one side: zeros before the image, places of the result, and the place that each tap reads at
 * the first and at the last place of the result, '-' where that is outside. */
static const struct side {
	size_t image, taps, dilation, stride;
	sluice_border border;
	size_t before, after; /* given */
	size_t top, result;
	const char *first, *last;
} SIDES[] = {
	{5, 0, 0, 0, SLUICE_BORDER_SAME, 0, 0, 0, 5, "0", "4"},
	{5, 1, 1, 1, SLUICE_BORDER_SAME, 0, 0, 0, 5, "0", "4"},
	{5, 2, 1, 1, SLUICE_BORDER_SAME, 0, 0, 1, 5, "-0", "34"},
	{5, 3, 1, 1, SLUICE_BORDER_SAME, 0, 0, 1, 5, "-01", "34-"},
	{5, 4, 1, 1, SLUICE_BORDER_SAME, 0, 0, 2, 5, "--01", "234-"},
	{5, 5, 1, 1, SLUICE_BORDER_SAME, 0, 0, 2, 5, "--012", "234--"},
	{1, 5, 1, 1, SLUICE_BORDER_SAME, 0, 0, 2, 1, "--0--", "--0--"},
	{5, 3, 2, 1, SLUICE_BORDER_SAME, 0, 0, 2, 5, "-02", "24-"},
	{5, 2, 3, 1, SLUICE_BORDER_SAME, 0, 0, 3, 5, "-0", "14"},
	{5, 4, 2, 1, SLUICE_BORDER_SAME, 0, 0, 4, 5, "--02", "024-"},
	{5, 3, 1, 2, SLUICE_BORDER_SAME, 0, 0, 1, 3, "-01", "34-"},
	{6, 3, 1, 2, SLUICE_BORDER_SAME, 0, 0, 1, 3, "-01", "345"},
	{6, 4, 1, 3, SLUICE_BORDER_SAME, 0, 0, 2, 2, "--01", "1234"},
	{7, 1, 1, 3, SLUICE_BORDER_SAME, 0, 0, 0, 3, "0", "6"},
	{5, 3, 1, 1, SLUICE_BORDER_NONE, 0, 0, 0, 3, "012", "234"},
	{5, 5, 1, 1, SLUICE_BORDER_NONE, 0, 0, 0, 1, "01234", "01234"},
	{6, 2, 3, 2, SLUICE_BORDER_NONE, 0, 0, 0, 2, "03", "25"},
	{5, 3, 1, 2, SLUICE_BORDER_NONE, 0, 0, 0, 2, "012", "234"},
	{5, 2, 1, 1, SLUICE_BORDER_GIVEN, 0, 1, 0, 5, "01", "4-"},
	{5, 4, 1, 1, SLUICE_BORDER_GIVEN, 1, 2, 1, 5, "-012", "34--"},
	{3, 2, 1, 1, SLUICE_BORDER_GIVEN, 2, 3, 2, 7, "--", "--"},
	{4, 2, 2, 3, SLUICE_BORDER_GIVEN, 1, 0, 1, 1, "-1", "-1"},
	{4, 3, 1, 1, SLUICE_BORDER_GIVEN, 0, 0, 0, 2, "012", "123"},
};

/* The same along y and along x, the other side being one place and one tap. */
static sluice_convolution side_kernel(const struct side *side, int along_x)
{
	sluice_convolution kernel = {.border = side->border};

	*(along_x ? &kernel.width : &kernel.height) = side->taps;
	*(along_x ? &kernel.dilation_x : &kernel.dilation_y) = side->dilation;
	*(along_x ? &kernel.stride_x : &kernel.stride_y) = side->stride;
	*(along_x ? &kernel.left : &kernel.top) = side->before;
	*(along_x ? &kernel.right : &kernel.bottom) = side->after;
	return kernel;
}

static void reads_check(const struct sluice__window *window, size_t place, const char *expected)
{
	assert_int_equal(strlen(expected), sluice__window_taps(window));
	for (size_t tap = 0; expected[tap]; tap++) {
		size_t seen = sluice__window_seen(window, place, tap);

		if (expected[tap] == '-')
			assert_int_equal(seen, SLUICE__NONE);
		else
			assert_int_equal(seen, expected[tap] - '0');
	}
}

static void test_sides(void **state)
{
	(void)state;
	for (size_t index = 0; index < 2 * LENGTH(SIDES); index++) {
		const struct side *side = &SIDES[index / 2];
		int along_x = index % 2;
		sluice_convolution kernel = side_kernel(side, along_x);
		struct sluice__window window;

		assert_int_equal(sluice__window_create("input", 0, &kernel, along_x ? 1 : side->image,
						       along_x ? side->image : 1, &window),
				 SLUICE_OK);
		assert_int_equal(along_x ? window.left : window.top, side->top);
		assert_int_equal(along_x ? window.result_width : window.result_height, side->result);
		assert_int_equal(along_x ? window.result_height : window.result_width, 1);
		reads_check(&window, 0, side->first);
		reads_check(&window, side->result - 1, side->last);
	}
}

/* In two dimensions: taps and places count row by row. 2 by 3 taps on an image of 3 by 4, strides 2 and 1. */
static void test_rows(void **state)
{
	const sluice_convolution kernel = {KERNEL(2, 3), STRIDED(2, 1)};
	struct sluice__window window;

	(void)state;
	assert_int_equal(sluice__window_create("input", 0, &kernel, 3, 4, &window), SLUICE_OK);
	assert_int_equal(window.result_height, 2);
	assert_int_equal(window.result_width, 4);
	reads_check(&window, 0, "----01");
	reads_check(&window, 3, "---23-");
	/* Row 1 of the result lies on rows 1 and 2 of the image. */
	reads_check(&window, 5, "45689:");
	reads_check(&window, 7, "67-:;-");
}

/* Networks that mean nothing. */
static const struct refusal {
	const char *sentence;
	size_t height, width;
	sluice_layer layer;
} REFUSALS[] = {
	{"image of 0 by 3", 0, 3, LAYER(.hidden = 2)},
	{"image of 3 by 0", 3, 0, LAYER(.hidden = 2)},
	{"input_convolution is given, but there are no images", 0, 0, LAYER(.hidden = 2, W(KERNEL(1, 1)))},
	{"recurrent_convolution is given, but there are no images", 0, 0, LAYER(.hidden = 2, R(.groups = 1))},
	{"memory_convolution is given, but there are no images", 0, 0, LAYER(.hidden = 2, V(.top = 1))},
	{"element is given, but there are no images", 0, 0, LAYER(.hidden = 2, ELEMENT)},
	{"no full peepholes", 3, 3, LAYER(.hidden = 2, ELEMENT, .memory_convolution = {KERNEL(3, 3)})},
	{"no input weights", 3, 3, LAYER(.hidden = 2, .input = SLUICE_INPUT_IDENTITY, W(KERNEL(3, 3)))},
	{"which an image of 3 does not hold", 3, 3, LAYER(.hidden = 2, W(KERNEL(4, 1), INSIDE))},
	{"which an image of 3 does not hold", 4, 3, LAYER(.hidden = 2, W(KERNEL(4, 2), DILATED(1, 3), INSIDE))},
	{"3 groups, which do not divide 2 channels", 3, 3, LAYER(.hidden = 3, W(.groups = 3))},
	{"2 groups, which do not divide 2 channels and 3 units", 3, 3, LAYER(.hidden = 3, W(.groups = 2))},
	{"2 groups, which do not divide 3 channels", 3, 3, LAYER(.hidden = 2, R(.groups = 2), .projection = 3)},
	{"memory_convolution has 2 groups", 3, 3, LAYER(.hidden = 3, V(.groups = 2))},
	{"recurrent_convolution has strides of 2 and 1", 3, 3, LAYER(.hidden = 2, R(STRIDED(2, 0)))},
	{"memory_convolution has strides of 1 and 3", 3, 3, LAYER(.hidden = 2, V(STRIDED(0, 3)))},
	{"recurrent_convolution makes an image of 2 by 3", 3, 3, LAYER(.hidden = 2, R(KERNEL(2, 1), INSIDE))},
	{"memory_convolution makes an image of 3 by 4", 3, 3, LAYER(.hidden = 2, V(KERNEL(3, 3), GIVEN(1, 2, 1, 1)))},
	{"zeros around the image", 3, 3, LAYER(.hidden = 2, W(KERNEL(3, 3), .left = 1))},
	{"input_convolution has a height of 1048577", 3, 3, LAYER(.hidden = 2, W(KERNEL(1048577, 1)))},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t index = 0; index < LENGTH(REFUSALS); index++) {
		sluice_description description = SLUICE_DESCRIPTION_INIT;
		struct sluice__network network;

		description.layers = &REFUSALS[index].layer;
		description.layer_count = 1;
		description.inputs = INPUTS;
		description.image_height = REFUSALS[index].height;
		description.image_width = REFUSALS[index].width;
		assert_int_equal(sluice__network_create(&description, NULL, 0, 0, &network), SLUICE_INVALID_ARGUMENT);
		if (!strstr(sluice_last_message(), REFUSALS[index].sentence))
			fail_msg("\"%s\" does not contain \"%s\"", sluice_last_message(), REFUSALS[index].sentence);
	}
}

/* --------------------------------------------------------------------------------------- how a kernel lies ---- */

/* One step of a 3 by 3 image with a single 1 in it, in channel 1 at the centre: each place sees one tap of W, the more
 * to the top left of the kernel the more to the bottom right of the image. So with R and h, and V and c. */
static void test_single_one(void **state)
{
	struct subject subject;
	struct sluice__oracle_trace_f64 trace;
	const double *values[3];

	(void)state;
	layer_create((sluice_layer)LAYER(.hidden = 2, W(KERNEL(3, 3)), R(KERNEL(3, 3)), V(KERNEL(3, 3)), .no_bias = 1,
					 PREVIOUS),
		     3, 3, 0, &subject);
	const struct sluice__cell *cell = cell_of(&subject);
	double *ones[3] = {(double *)(uintptr_t)subject.run.x, (double *)(uintptr_t)subject.run.h0,
			   (double *)(uintptr_t)subject.run.c0};
	const size_t tensors[3] = {cell->weight_ih, cell->weight_hh, cell->peephole};

	for (int one = 0; one < 3; one++) {
		for (int other = 0; other < 3; other++) {
			memset(ones[other], 0, 18 * sizeof(double));
			values[other] = tensor_of(&subject, tensors[other]);
		}
		ones[one][4 * 2 + 1] = 1;
		forward(&subject, &trace);
		for (size_t place = 0; place < 9; place++)
			for (size_t row = 0; row < 8; row++)
				assert_true(trace.a[0][place * 8 + row] ==
					    values[one][(row * 9 + (8 - place)) * 2 + 1]);
		sluice__oracle_trace_destroy_f64(&trace);
	}
	subject_destroy(&subject);
}

/* An image one row high, kernels of 3 taps and a stride of 2, all numbers typed in: h and c after one step, with
 * activations that are the identity: c = i g + f c', h = o c, each gate being its pre-activation. */
static void test_typed_in(void **state)
{
	static const double x[4] = {1, 2, 3, 4}, h0[2] = {0.5, -1}, c0[2] = {2, 3};
	/* W, R: of i all taps, of f the left one, of g the middle, of o the right. */
	static const double W_taps[12] = {1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1}, bias[4] = {0, 1, 0, 0};
	static const double R_taps[12] = {2, 2, 2, 2, 0, 0, 0, 2, 0, 0, 0, 2};
	/* Two places, which see x at - 0 1 and 1 2 3, and h at - 0 1 and 0 1 -. */
	static const double i[2] = {0 + 1 + 2 + 2 * (0 + 0.5 - 1), 2 + 3 + 4 + 2 * (0.5 - 1 + 0)};
	static const double f[2] = {1 + 0 + 0, 1 + 2 + 2 * 0.5}, g[2] = {1 + 2 * 0.5, 3 + 2 * -1.0};
	static const double o[2] = {2 + 2 * -1.0, 4 + 0};
	const sluice_activation identity = {.kind = SLUICE_ACTIVATION_IDENTITY};
	sluice_layer layer = LAYER(.hidden = 1, W(KERNEL(1, 3), STRIDED(1, 2)), R(KERNEL(1, 3)));
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	struct sluice__oracle_trace_f64 trace;
	struct subject subject;

	(void)state;
	layer.input_activation = layer.forget_activation = layer.candidate_activation = layer.output_activation =
		layer.cell_activation = identity;
	description.layers = &layer;
	description.layer_count = description.inputs = description.image_height = 1;
	description.image_width = 4;
	subject_create(&description, 1, 1, 0, 3, &subject);
	memcpy(tensor_of(&subject, cell_of(&subject)->weight_ih), W_taps, sizeof(W_taps));
	memcpy(tensor_of(&subject, cell_of(&subject)->weight_hh), R_taps, sizeof(R_taps));
	memcpy(tensor_of(&subject, cell_of(&subject)->bias), bias, sizeof(bias));
	subject.run.x = x;
	subject.run.h0 = h0;
	subject.run.c0 = c0;
	forward(&subject, &trace);
	for (size_t place = 0; place < 2; place++) {
		double c = f[place] * c0[place] + i[place] * g[place];

		assert_true(trace.cn[place] == c);
		assert_true(trace.hn[place] == o[place] * c);
		assert_true(trace.y[place] == trace.hn[place]);
	}
	sluice__oracle_trace_destroy_f64(&trace);
	subject_destroy(&subject);
}

/* ------------------------------------------------------------------------------------------ plainer networks ---- */

/* y, final states and all gradients are the same numbers. */
static void assert_same(const char *what, const struct subject *one, const struct subject *other)
{
	struct sluice__oracle_trace_f64 trace[2];
	struct sluice__oracle_gradients_f64 gradients[2];

	forward(one, &trace[0]);
	forward(other, &trace[1]);
	backward(one, &trace[0], &gradients[0]);
	backward(other, &trace[1], &gradients[1]);
	assert_near(what, trace[0].y, trace[1].y, y_count(one), 0);
	assert_near(what, trace[0].hn, trace[1].hn, one->data.h_count, 0);
	assert_near(what, trace[0].cn, trace[1].cn, one->data.c_count, 0);
	assert_near(what, gradients[0].dx, gradients[1].dx, one->data.x_count, 0);
	assert_near(what, gradients[0].dh0, gradients[1].dh0, one->data.h_count, 0);
	assert_near(what, gradients[0].dc0, gradients[1].dc0, one->data.c_count, 0);
	if (one->data.parameter_count == other->data.parameter_count)
		assert_near(what, gradients[0].dparameters, gradients[1].dparameters, one->data.parameter_count, 0);
	for (int index = 0; index < 2; index++) {
		sluice__oracle_gradients_destroy_f64(&gradients[index]);
		sluice__oracle_trace_destroy_f64(&trace[index]);
	}
}

/* Kernels of one tap see each place alone: N images are N times Y X rows of the plain network, bit for bit. */
static void test_one_tap(void **state)
{
	static const sluice_layer NETWORKS[][LAYERS] = {
		{LAYER(.hidden = 3)},
		{LAYER(.hidden = 3, BOTH, .peephole = SLUICE_PEEPHOLE_FULL, .projection = 2), LAYER(.hidden = 2, BACK)},
		{LAYER(.hidden = 2, ADD, LEARNED, DIAGONAL, ZONEOUT), LAYER(.hidden = 3, SEPARATE, PREVIOUS, DIAGONAL)},
		{LAYER(.hidden = 2, .coupled = 1, .cell_clip = 0.2f, .input = SLUICE_INPUT_IDENTITY)},
	};

	(void)state;
	for (size_t index = 0; index < 2 * LENGTH(NETWORKS); index++) {
		unsigned flags = EVALUATION | (index % 2 ? NO_INITIAL | LAST_ONLY : 0);
		struct subject image, plain;

		images_create(NETWORKS[index / 2], 1, 2, 0, STEPS, 2, flags, 5, &image);
		layers_create(NETWORKS[index / 2], 0, STEPS, 4, flags, 5, &plain);
		assert_int_equal(image.network.parameter_count, plain.network.parameter_count);
		/* Rows of all layers' states side by side are not those of single places. */
		image.run.dh_steps = image.run.dc_steps = NULL;
		plain.run = image.run;
		plain.run.batch = 4;
		assert_same("one tap", &image, &plain);
		subject_destroy(&image);
		subject_destroy(&plain);
	}
}

/* A kernel with nothing beside its centre, at height >> 1 and width >> 1, is one tap. */
static void test_centre(void **state)
{
	static const size_t SIZES[][2] = {{3, 3}, {2, 2}, {4, 5}, {1, 2}, {5, 1}};

	(void)state;
	for (size_t index = 0; index < LENGTH(SIZES); index++) {
		size_t height = SIZES[index][0], width = SIZES[index][1], taps = height * width;
		sluice_layer layer = LAYER(.hidden = 2, W(KERNEL(height, width)), R(KERNEL(height, width)),
					   V(KERNEL(height, width), DILATED(2, 2)));
		struct subject wide, narrow;

		layer_create(layer, 4, 3, 0, &wide);
		layer_create((sluice_layer)LAYER(.hidden = 2, .peephole = SLUICE_PEEPHOLE_FULL), 4, 3, 0, &narrow);
		const struct sluice__cell *from = cell_of(&wide), *to = cell_of(&narrow);
		const size_t tensors[][2] = {{from->weight_ih, to->weight_ih},
					     {from->weight_hh, to->weight_hh},
					     {from->peephole, to->peephole}};

		for (size_t tensor = 0; tensor < 3; tensor++)
			for (size_t k = 0; k < 8 * taps * 2; k++) {
				int centre = k / 2 % taps == (height >> 1) * width + (width >> 1);
				double *weights = tensor_of(&wide, tensors[tensor][0]);

				if (centre)
					tensor_of(&narrow, tensors[tensor][1])[k / (2 * taps) * 2 + k % 2] = weights[k];
				else
					weights[k] = 0;
			}
		memcpy(tensor_of(&narrow, to->bias), tensor_of(&wide, from->bias), 8 * sizeof(double));
		assert_same("centre", &wide, &narrow);
		subject_destroy(&wide);
		subject_destroy(&narrow);
	}
}

/* Peepholes of all elements that do not depend on the place are one number for each channel, whose gradient is the sum
 * over the places of theirs: at most 12 places, 3 steps and 2 rows below 4, and so below 72 * 72 * 4 * 2^-53 off. */
static void test_equal_elements(void **state)
{
	const double tolerance = 72 * 72 * 4 * 0x1p-53;

	(void)state;
	for (int previous = 0; previous < 2; previous++) {
		sluice_layer layer = LAYER(.hidden = 2, R(KERNEL(3, 3)), ELEMENT, .peephole_previous = previous);
		struct sluice__oracle_trace_f64 trace[2];
		struct sluice__oracle_gradients_f64 gradients[2];
		struct subject element, diagonal;
		double *V;

		layer_create(layer, 3, 4, 0, &element);
		layer.peephole = SLUICE_PEEPHOLE_DIAGONAL;
		layer_create(layer, 3, 4, 0, &diagonal);
		V = tensor_of(&diagonal, cell_of(&diagonal)->peephole);
		for (size_t k = 0; k < 8 * 12; k++)
			tensor_of(&element, cell_of(&element)->peephole)[k] = V[k / 12];
		assert_same("equal elements", &element, &diagonal);
		forward(&element, &trace[0]);
		forward(&diagonal, &trace[1]);
		backward(&element, &trace[0], &gradients[0]);
		backward(&diagonal, &trace[1], &gradients[1]);
		for (size_t row = 0; row < 8; row++) {
			const double *d = gradients[0].dparameters + cell_of(&element)->peephole + row * 12;
			double sum = 0;

			for (size_t place = 0; place < 12; place++)
				sum += d[place];
			assert_near("dV", &gradients[1].dparameters[cell_of(&diagonal)->peephole + row], &sum, 1,
				    tolerance);
		}
		for (int index = 0; index < 2; index++) {
			sluice__oracle_gradients_destroy_f64(&gradients[index]);
			sluice__oracle_trace_destroy_f64(&trace[index]);
		}
		subject_destroy(&element);
		subject_destroy(&diagonal);
	}
}

/* ------------------------------------------------------------------------------------------- what sees what ---- */

enum { SHIFTED_HEIGHT = 9, SHIFTED_WIDTH = 10 };

/* x moved by a place moves h by a place, except near the border. h[t] has seen at most 2 + t places away: W one, each R
 * or V of the steps before one, and V of the output gate another one. */
static void test_shift(void **state)
{
	static const sluice_layer CELLS[] = {
		LAYER(.hidden = 2, W(KERNEL(3, 3)), R(KERNEL(3, 3))),
		LAYER(.hidden = 2, W(KERNEL(2, 3)), R(KERNEL(3, 2))),
		LAYER(.hidden = 2, W(KERNEL(3, 3)), V(KERNEL(3, 3), .groups = 2)),
	};
	const size_t row = SHIFTED_WIDTH * 2, numbers = SHIFTED_HEIGHT * row;

	(void)state;
	for (size_t index = 0; index < LENGTH(CELLS); index++) {
		struct sluice__oracle_trace_f64 still, moved;
		struct subject subject;
		double *x;

		layer_create(CELLS[index], SHIFTED_HEIGHT, SHIFTED_WIDTH, NO_INITIAL, &subject);
		forward(&subject, &still);
		x = (double *)(uintptr_t)subject.run.x;
		/* One place down and one to the right: the numbers that come in at the border do not matter. */
		memmove(x + row + 2, x, (STEPS * BATCH * numbers - row - 2) * sizeof(double));
		forward(&subject, &moved);
		for (size_t t = 0; t < 2; t++)
			for (size_t y = 3 + t; y + 3 + t < SHIFTED_HEIGHT; y++)
				for (size_t k = 2 * (3 + t); k + 2 * (3 + t) < row; k++) {
					size_t at = t * BATCH * numbers + y * row + k;

					assert_true(moved.h[0][at] == still.h[0][at - row - 2]);
					assert_true(moved.h[0][at] != still.h[0][at]);
				}
		sluice__oracle_trace_destroy_f64(&still);
		sluice__oracle_trace_destroy_f64(&moved);
		subject_destroy(&subject);
	}
}

/* With as many groups everywhere, channels of one group never see another's. */
static void test_groups(void **state)
{
	struct sluice__oracle_trace_f64 before, after;
	struct subject subject;

	(void)state;
	layer_create((sluice_layer)LAYER(.hidden = 4, W(KERNEL(3, 3), .groups = 2), R(KERNEL(3, 3), .groups = 2),
					 V(KERNEL(3, 3), .groups = 2)),
		     3, 3, 0, &subject);
	forward(&subject, &before);
	for (size_t k = 1; k < subject.data.x_count; k += 2)
		((double *)(uintptr_t)subject.run.x)[k] += 0.5;
	forward(&subject, &after);
	for (size_t k = 0; k < (size_t)STEPS * BATCH * 9 * 4; k++)
		assert_int_equal(before.h[0][k] == after.h[0][k], k % 4 < 2);
	sluice__oracle_trace_destroy_f64(&before);
	sluice__oracle_trace_destroy_f64(&after);
	subject_destroy(&subject);
}

/* The output gate's convolution sees the new cell at the neighbours, before zoneout, not the old one. */
static void test_new_cell(void **state)
{
	struct sluice__oracle_trace_f64 trace;
	struct subject subject;

	(void)state;
	layer_create((sluice_layer)LAYER(.hidden = 1, V(KERNEL(1, 3)), .no_bias = 1, .no_input_weights = SLUICE_GATE_O,
					 .no_recurrent_weights = SLUICE_GATE_O, .zoneout_c = 0.5f),
		     1, 5, EVALUATION, &subject);
	forward(&subject, &trace);
	for (size_t row = 0; row < (size_t)STEPS * BATCH; row++)
		for (size_t place = 0; place < 5; place++) {
			const double *V = tensor_of(&subject, cell_of(&subject)->peephole) + 3 * 3;
			const double *e = trace.e[0] + row * 5;
			double a = 0;

			a += place > 0 ? V[0] * e[place - 1] : 0;
			a += V[1] * e[place];
			a += place < 4 ? V[2] * e[place + 1] : 0;
			assert_true(trace.a[0][(row * 5 + place) * 4 + 3] == a);
		}
	sluice__oracle_trace_destroy_f64(&trace);
	subject_destroy(&subject);
}

/* ------------------------------------------------------------------------------------------- random numbers ---- */

/* Channel j at place p is unit p C + j, C being the width rounded up to four: 5 channels of c make 8, 3 of h make 4. */
static void test_units(void **state)
{
	const size_t step = 1, n = 1, places = 6;
	sluice_layer layer = LAYER(.hidden = 5, .projection = 3, R(KERNEL(2, 1)), ZONEOUT, DRAWN(STEP), .dropout = 0.5f,
				   .dropconnect = 0.5f);
	const sluice_layer layers[LAYERS] = {layer};
	struct subject subject;
	const struct sluice__cell *cell;
	const struct sluice__oracle_run_f64 *run;
	size_t dropped[5] = {0};

	(void)state;
	images_create(layers, 2, 3, 2, STEPS, BATCH, 0, 3, &subject);
	cell = cell_of(&subject);
	run = &subject.run;
	for (size_t k = 0; k < places * 3; k++) {
		size_t unit = k / 3 * 4 + k % 3;
		const double expected[3] = {
			(double)sluice__oracle_dropout(0.5f, run->seed, 0, 0, unit, run->step_offset + step,
						       SEQUENCES[n]),
			(double)sluice__oracle_recurrent_dropout(0.4f, SLUICE_MASK_STEP, run->seed, 0, 0, unit,
								 run->step_offset + step, SEQUENCES[n]),
			(double)sluice__oracle_zoneout_h(0.3f, run->seed, 0, 0, unit, run->step_offset + step,
							 SEQUENCES[n]),
		};
		const double factors[3] = {
			sluice__oracle_dropout_factor_f64(&subject.network, run, cell, k, step, n),
			sluice__oracle_mask_factor_f64(&subject.network, run, cell, k, step, n),
			sluice__oracle_zoneout_h_factor_f64(run, cell, k, step, n),
		};

		for (size_t kind = 0; kind < 3; kind++) {
			assert_true(factors[kind] == expected[kind]);
			dropped[kind] += factors[kind] == 0;
		}
	}
	for (size_t k = 0; k < places * 5; k++) {
		double factor = sluice__oracle_zoneout_c_factor_f64(run, cell, k, step, n);

		assert_true(factor == (double)sluice__oracle_zoneout_c(0.4f, run->seed, 0, 0, k / 5 * 8 + k % 5,
								       run->step_offset + step, SEQUENCES[n]));
		dropped[3] += factor == 0;
	}
	/* Of DropConnect the column counts rows, columns and channels of the kernel: 2 by 1 by 3. */
	for (size_t k = 0; k < (size_t)20 * 6; k++) {
		double factor = sluice__oracle_recurrent_factor_f64(run, cell, k / 6, k % 6);

		assert_true(factor == (double)sluice__oracle_dropconnect(0.5f, run->seed, 0, 0, k / 6, k % 6));
		dropped[4] += factor == 0;
	}
	for (size_t kind = 0; kind < 5; kind++)
		assert_in_range(dropped[kind], 2, 100);
	subject_destroy(&subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sides),    cmocka_unit_test(test_rows),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_single_one),
		cmocka_unit_test(test_typed_in), cmocka_unit_test(test_one_tap),
		cmocka_unit_test(test_centre),   cmocka_unit_test(test_equal_elements),
		cmocka_unit_test(test_shift),    cmocka_unit_test(test_groups),
		cmocka_unit_test(test_new_cell), cmocka_unit_test(test_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
