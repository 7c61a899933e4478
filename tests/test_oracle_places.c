/*
 * test_oracle_places.c: what a convolution means to the oracle, shown by a plain network that has one unit for each
 * channel and place, and one weight for each pair of them that a kernel connects.
 */
#include "oracle_images.h"
#include "random.h"

/*
 * The plain network adds the same numbers forward in the same order, and zeros between them: nothing may differ, unless
 * something reads two directions side by side, which are so at each place in the one and as a whole in the other. That,
 * and all of backward, is added in another order: an element of a gradient is a sum of at most 4 * 48 rows times 3
 * steps of 2 rows, in all cases here below 32, so each of 1152 additions is off by less than 32 * 2^-53, which later
 * ones carry on with weights whose product is below 2: 2 * 1152 * 32 * 2^-53 = 9e-12.
 */
#define REORDERED 9e-12

/* ---------------------------------------------------------------------------------------------- connections ---- */

/* A number of a row of h, c, x: a channel at a place of an image `width` places wide. */
struct number {
	size_t place, channel;
};

/* Along one axis: the tap with which a kernel laid at `at` reads `seen`, or -1; written down anew from EQUATIONS.md. */
static int tap_along(size_t taps, size_t dilation, size_t stride, size_t before, size_t at, size_t seen)
{
	for (int tap = 0; tap < (int)(taps ? taps : 1); tap++)
		if ((int)(at * (stride ? stride : 1)) - (int)before + tap * (int)(dilation ? dilation : 1) == (int)seen)
			return tap;
	return -1;
}

static size_t before_of(sluice_border border, size_t taps, size_t dilation, size_t given)
{
	if (border == SLUICE_BORDER_GIVEN)
		return given;
	return border == SLUICE_BORDER_NONE ? 0 : (taps >> 1) * (dilation ? dilation : 1);
}

/* Where a kernel's tensor [4H, height, width, channels/groups] has the weight between a unit of a gate and a number
 * that it sees, or SLUICE__NONE. */
static size_t weight_of(const sluice_convolution *v, const struct sluice__image *image,
			const struct sluice__image *result, size_t channels, size_t H, size_t gate, struct number unit,
			struct number seen)
{
	int y = tap_along(v->height, v->dilation_y, v->stride_y, before_of(v->border, v->height, v->dilation_y, v->top),
			  unit.place / result->width, seen.place / image->width);
	int x = tap_along(v->width, v->dilation_x, v->stride_x, before_of(v->border, v->width, v->dilation_x, v->left),
			  unit.place % result->width, seen.place % image->width);
	size_t groups = v->groups ? v->groups : 1, part = channels / groups, width = v->width ? v->width : 1;
	size_t height = v->height ? v->height : 1;

	if (y < 0 || x < 0 || unit.channel / (H / groups) != seen.channel / part)
		return SLUICE__NONE;
	return (((gate * H + unit.channel) * height + (size_t)y) * width + (size_t)x) * part + seen.channel % part;
}

/* ------------------------------------------------------------------------------------------ the plain network ---- */

/* An image network and the plain one that does the same. */
struct pair {
	const struct image_case *one;
	struct subject image, plain;
	sluice_layer layers[LAYERS];
	double *dy;
};

/* The layer of the same numbers as units. */
static sluice_layer plain_layer(const sluice_layer *layer, size_t places)
{
	sluice_layer plain = *layer;

	memset(&plain.input_convolution, 0, sizeof(plain.input_convolution));
	memset(&plain.recurrent_convolution, 0, sizeof(plain.recurrent_convolution));
	memset(&plain.memory_convolution, 0, sizeof(plain.memory_convolution));
	plain.hidden *= places;
	plain.projection *= places;
	plain.input = SLUICE_INPUT_WEIGHTS;
	plain.dropconnect = 0; /* R (.) M itself is its R */
	if (plain.peephole == SLUICE_PEEPHOLE_ELEMENT)
		plain.peephole = SLUICE_PEEPHOLE_DIAGONAL;
	return plain;
}

/* Number k of h, c or x, in rows that hold `channels` at each place. */
static struct number number_of(size_t k, size_t channels)
{
	return (struct number){k / channels, k % channels};
}

/* Whether a layer reads two results side by side. */
static int reads_two(const struct pair *pair, size_t layer)
{
	const sluice_layer *below = layer ? &pair->one->layers[layer - 1] : NULL;

	return below && below->direction == SLUICE_BIDIRECTIONAL && below->combination != SLUICE_ADD;
}

/* Number k of what a layer reads: where the layer below puts two results side by side, the plain network has all of the
 * first before the second, the image network has both at every place. */
static struct number read_of(const struct pair *pair, size_t layer, size_t k)
{
	const struct sluice__network *network = &pair->image.network;
	size_t places = network->images[layer].places, width = network->widths[layer];
	struct number number;

	if (!reads_two(pair, layer))
		return number_of(k, width);
	number = number_of(k % (places * width / 2), width / 2);
	number.channel += k / (places * width / 2) * (width / 2);
	return number;
}

/* A block of the canonical vector of the plain network, element by element from the image network's. */
struct link {
	size_t place;  /* in the image network's vector, or SLUICE__NONE */
	double factor; /* the element is so many times that; or this, if there is no place */
};

static struct link linked(size_t offset, size_t place)
{
	return (struct link){place == SLUICE__NONE ? SLUICE__NONE : offset + place, place == SLUICE__NONE ? 0 : 1};
}

/* Of W: row and column of the plain tensor. */
static struct link link_W(const struct pair *pair, const struct sluice__cell *cell, size_t gate, struct number unit,
			  size_t column)
{
	const struct sluice__network *network = &pair->image.network;
	const sluice_layer *layer = &pair->one->layers[cell->layer];
	size_t H = cell->hidden;
	/* A cell that reads one of two results reads it place by place in both networks. */
	struct number seen = cell->inputs < network->widths[cell->layer] ? number_of(column, cell->inputs)
									 : read_of(pair, cell->layer, column);

	if (layer->input == SLUICE_INPUT_WEIGHTS)
		return linked(cell->weight_ih,
			      weight_of(&layer->input_convolution, &network->images[cell->layer],
					&network->images[cell->layer + 1], cell->inputs, H, gate, unit, seen));
	if (layer->input == SLUICE_INPUT_GATES)
		return (struct link){SLUICE__NONE,
				     seen.place == unit.place &&
					     seen.channel == (cell->direction * 4 + gate) * H + unit.channel};
	return (struct link){SLUICE__NONE, seen.place == unit.place && seen.channel == unit.channel};
}

static struct link link_R(const struct pair *pair, const struct sluice__cell *cell, size_t gate, struct number unit,
			  size_t column)
{
	const struct sluice__image *image = &pair->image.network.images[cell->layer + 1];
	const sluice_convolution *convolution = &pair->one->layers[cell->layer].recurrent_convolution;
	size_t row = gate * cell->hidden + unit.channel, columns = sluice__window_columns(&cell->recurrent_window);
	struct link link = linked(cell->weight_hh, weight_of(convolution, image, image, cell->out, cell->hidden, gate,
							     unit, number_of(column, cell->out)));

	if (link.place != SLUICE__NONE && pair->image.run.training && cell->dropconnect != 0)
		link.factor = (double)sluice__oracle_dropconnect(cell->dropconnect, pair->image.run.seed, cell->layer,
								 cell->direction, row,
								 link.place - cell->weight_hh - row * columns);
	return link;
}

static struct link link_V(const struct pair *pair, const struct sluice__cell *cell, size_t gate, struct number unit,
			  size_t column)
{
	const struct sluice__image *image = &pair->image.network.images[cell->layer + 1];
	const sluice_convolution *convolution = &pair->one->layers[cell->layer].memory_convolution;
	size_t row = gate * cell->hidden + unit.channel;

	if (cell->peephole_kind == SLUICE_PEEPHOLE_DIAGONAL)
		return linked(cell->peephole, row);
	if (cell->peephole_kind == SLUICE_PEEPHOLE_ELEMENT)
		return linked(cell->peephole, row * cell->places + unit.place);
	return linked(cell->peephole, weight_of(convolution, image, image, cell->hidden, cell->hidden, gate, unit,
						number_of(column, cell->hidden)));
}

/* Of a tensor of the plain network's cell, which starts at `offset`. */
static struct link link_of(const struct pair *pair, size_t index, size_t offset, size_t row, size_t column)
{
	const struct sluice__cell *cell = &pair->image.network.cells[index], *plain = &pair->plain.network.cells[index];
	size_t gate = row / plain->hidden;
	struct number unit = number_of(row % plain->hidden, cell->hidden);
	struct number k = number_of(row, cell->out), q = number_of(column, cell->hidden);

	if (offset == plain->weight_ih)
		return link_W(pair, cell, gate, unit, column);
	if (offset == plain->weight_hh)
		return link_R(pair, cell, gate, unit, column);
	if (offset == plain->bias)
		return linked(cell->bias, gate * cell->hidden + unit.channel);
	if (offset == plain->weight_hr)
		return linked(cell->weight_hr,
			      k.place == q.place ? k.channel * cell->hidden + q.channel : SLUICE__NONE);
	if (offset == plain->peephole && plain->peephole_kind == SLUICE_PEEPHOLE_FULL)
		return link_V(pair, cell, gate, unit, column);
	if (offset == plain->peephole)
		return link_V(pair, cell, row, q, 0);
	if (offset == plain->prelu)
		return linked(cell->prelu, row * cell->hidden + q.channel);
	if (offset == plain->start_h)
		return linked(cell->start_h, k.channel);
	return linked(cell->start_c, number_of(row, cell->hidden).channel);
}

/* Of the read-out, place by place. */
static struct link link_readout(const struct pair *pair, const sluice_parameter *tensor, size_t row, size_t column)
{
	const struct sluice__network *network = &pair->image.network;
	struct number out = number_of(row, network->outputs), seen = read_of(pair, network->layer_count, column);

	if (tensor->offset == pair->plain.network.readout_bias)
		return linked(network->readout_bias, out.channel);
	return linked(network->readout_weight,
		      out.place == seen.place ? out.channel * network->widths[network->layer_count] + seen.channel
					      : SLUICE__NONE);
}

/* The cell that a tensor of the plain network belongs to; the count of cells for the read-out. */
static size_t cell_of(const struct sluice__network *network, size_t offset)
{
	size_t found = network->cell_count;

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		const size_t own[] = {cell->weight_ih, cell->weight_hh, cell->bias,    cell->weight_hr,
				      cell->peephole,  cell->prelu,     cell->start_h, cell->start_c};

		for (size_t tensor = 0; tensor < LENGTH(own); tensor++)
			if (own[tensor] == offset)
				found = index;
	}
	return found;
}

/* Fills the plain parameters from the image network's; or, with gradients of the plain ones given, adds them up to
 * those of the image network. */
static void parameters_link(const struct pair *pair, const double *dplain, double *to)
{
	const struct sluice__network *network = &pair->plain.network;

	for (size_t index = 0; index < network->tensor_count; index++) {
		const sluice_parameter *tensor = &network->tensors[index];
		size_t cell = cell_of(network, tensor->offset);

		for (size_t k = 0; k < tensor->rows * tensor->columns; k++) {
			size_t row = k / tensor->columns, column = k % tensor->columns;
			struct link link = cell < network->cell_count ? link_of(pair, cell, tensor->offset, row, column)
								      : link_readout(pair, tensor, row, column);

			if (!dplain)
				to[tensor->offset + k] = link.place == SLUICE__NONE
								 ? link.factor
								 : link.factor * pair->image.run.parameters[link.place];
			else if (link.place != SLUICE__NONE)
				to[link.place] += link.factor * dplain[tensor->offset + k];
		}
	}
}

/* Where the plain network's y has number k of the image network's: as what the last layer puts out. */
static size_t y_of(const struct pair *pair, size_t k)
{
	const struct sluice__network *network = &pair->image.network;
	size_t row = k / network->y_row, last = network->layer_count;

	for (size_t other = 0; other < network->y_row && !network->readout && !network->separate; other++) {
		struct number number = read_of(pair, last, other);

		if (number.place * network->widths[last] + number.channel == k % network->y_row)
			return row * network->y_row + other;
	}
	return k;
}

static void pair_create(const struct image_case *one, unsigned flags, struct pair *pair)
{
	sluice_description description = SLUICE_DESCRIPTION_INIT;
	const struct sluice__network *network = &pair->image.network;

	pair->one = one;
	images_create(one->layers, one->height, one->width, one->outputs, STEPS, BATCH, flags, 7, &pair->image);
	for (size_t index = 0; index < network->layer_count; index++)
		pair->layers[index] = plain_layer(&one->layers[index], network->images[index + 1].places);
	description.layers = pair->layers;
	description.layer_count = network->layer_count;
	description.inputs = network->x_row;
	description.outputs = one->outputs * network->images[network->layer_count].places;
	subject_create(&description, STEPS, BATCH, flags | STATE_GRADIENTS, 8, &pair->plain);
	parameters_link(pair, NULL, (double *)(uintptr_t)pair->plain.run.parameters);

	const double *parameters = pair->plain.run.parameters;
	size_t count = y_count(&pair->image);

	pair->plain.run = pair->image.run;
	pair->plain.run.parameters = parameters;
	pair->dy = malloc(count * sizeof(double));
	assert_non_null(pair->dy);
	for (size_t k = 0; k < count && pair->image.run.dy; k++)
		pair->dy[y_of(pair, k)] = pair->image.run.dy[k];
	pair->plain.run.dy = pair->image.run.dy ? pair->dy : NULL;
}

static void pair_destroy(struct pair *pair)
{
	subject_destroy(&pair->image);
	subject_destroy(&pair->plain);
	free(pair->dy);
}

/* How far the two may be apart forward. */
static double forward_tolerance(const struct pair *pair)
{
	const struct sluice__network *network = &pair->image.network;
	int two = network->readout && reads_two(pair, network->layer_count);

	for (size_t layer = 0; layer < network->layer_count; layer++)
		two |= reads_two(pair, layer);
	return two ? REORDERED : 0;
}

/* Everything of a cell's trace, gates at each place as [4,H] in the one and all of a gate together in the other. */
static void traces_check(const struct pair *pair, size_t index, const struct sluice__oracle_trace_f64 trace[2])
{
	const struct sluice__cell *cell = &pair->image.network.cells[index];
	size_t rows = STEPS * BATCH, H = cell->hidden, all = cell->places * H;
	double tolerance = forward_tolerance(pair);

	assert_near(pair->one->name, trace[0].c[index], trace[1].c[index], rows * all, tolerance);
	assert_near(pair->one->name, trace[0].h[index], trace[1].h[index], rows * cell->places * cell->out, tolerance);
	for (size_t k = 0; k < rows * 4 * all; k++) {
		struct number number = number_of(k % (4 * all), 4 * H);
		size_t gate = number.channel / H, unit = number.channel % H;
		size_t other = k / (4 * all) * 4 * all + gate * all + number.place * H + unit;

		assert_near("a", &trace[0].a[index][k], &trace[1].a[index][other], 1, tolerance);
		assert_near("terms", &trace[0].terms[index][k], &trace[1].terms[index][other], 1, tolerance);
		assert_near("gates", &trace[0].gates[index][k], &trace[1].gates[index][other], 1, tolerance);
	}
}

/* The two are as far from what nobody is judged at. */
static void kinks_check(const struct pair *pair, const struct sluice__oracle_trace_f64 trace[2], double tolerance)
{
	double image = sluice__oracle_kinks_f64(&pair->image.network, &pair->image.run, &trace[0]);
	double plain = sluice__oracle_kinks_f64(&pair->plain.network, &pair->plain.run, &trace[1]);

	assert_true(image == plain || fabs(image - plain) <= tolerance);
}

static void pair_check(const struct pair *pair)
{
	const struct subject *image = &pair->image;
	struct sluice__oracle_trace_f64 trace[2];
	struct sluice__oracle_gradients_f64 gradients[2];
	double tolerance = forward_tolerance(pair), *sum = calloc(image->data.parameter_count, sizeof(double));

	assert_non_null(sum);
	forward(image, &trace[0]);
	forward(&pair->plain, &trace[1]);
	backward(image, &trace[0], &gradients[0]);
	backward(&pair->plain, &trace[1], &gradients[1]);
	for (size_t index = 0; index < image->network.cell_count; index++)
		traces_check(pair, index, trace);
	for (size_t k = 0; k < y_count(image); k++)
		assert_near("y", &trace[0].y[k], &trace[1].y[y_of(pair, k)], 1, tolerance);
	if (image->network.separate)
		assert_near("y_reverse", trace[0].y_reverse, trace[1].y_reverse, y_count(image), tolerance);
	kinks_check(pair, trace, tolerance);
	assert_near("hn", trace[0].hn, trace[1].hn, image->data.h_count, tolerance);
	assert_near("cn", trace[0].cn, trace[1].cn, image->data.c_count, tolerance);
	assert_near("dx", gradients[0].dx, gradients[1].dx, image->data.x_count, REORDERED);
	assert_near("dh0", gradients[0].dh0, gradients[1].dh0, image->data.h_count, REORDERED);
	assert_near("dc0", gradients[0].dc0, gradients[1].dc0, image->data.c_count, REORDERED);
	parameters_link(pair, gradients[1].dparameters, sum);
	assert_near("dparameters", gradients[0].dparameters, sum, image->data.parameter_count, REORDERED);
	for (int index = 0; index < 2; index++) {
		sluice__oracle_gradients_destroy_f64(&gradients[index]);
		sluice__oracle_trace_destroy_f64(&trace[index]);
	}
	free(sum);
}

/* Random numbers count units by the places' channels rounded up to four: only then are they those of plain units. */
static int draws_alike(const struct image_case *one)
{
	for (size_t index = 0; index < LAYERS && one->layers[index].hidden; index++)
		if (one->layers[index].hidden % 4 || one->layers[index].projection % 4)
			return 0;
	return 1;
}

static size_t check_cases(const struct image_case *cases, size_t count)
{
	size_t drawn = 0;

	for (size_t index = 0; index < count; index++) {
		struct pair pair;
		int alike = draws_alike(&cases[index]);

		pair_create(&cases[index], cases[index].flags | (alike ? 0 : EVALUATION), &pair);
		pair_check(&pair);
		pair_destroy(&pair);
		drawn += alike;
	}
	return drawn;
}

static void test_geometries(void **state)
{
	(void)state;
	check_cases(GEOMETRIES, LENGTH(GEOMETRIES));
}

static void test_options(void **state)
{
	(void)state;
	assert_true(check_cases(OPTIONS, LENGTH(OPTIONS)) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_geometries),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
