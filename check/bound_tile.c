/*
 * bound_tile.c: what is left of rounding where kernels of 3 x 3 and 5 x 5 are convolved by tiles of 4 x 4 results, by
 * the method of Winograd; NUMERICS.md, "The bound of one step", derives it.
 */
#include "bound_work.h"

#define RESULTS 4 /* along a tile's side */

/* How a tile's numbers and a kernel's taps are magnified on their way: the most, over the results of a tile, of the sum
 * over its points p of A_p^2 |G_p|^2 |B_p|^2 with the matrices of winograd.h, along one side; along both its square,
 * whose root it is. That of results; and that of the taps of a gradient. */
static double magnified(const struct sluice__window *window, int gradient)
{
	static const double OF_3[] = {94. / 3, 307. / 9}, OF_5[] = {7141. / 48, 6901. / 48};

	return window->height == 3 ? OF_3[gradient] : OF_5[gradient];
}

static int fits(const struct sluice__window *window)
{
	int kernel = window->height == window->width && (window->height == 3 || window->height == 5);
	int dense = window->dilation_y == 1 && window->dilation_x == 1 && window->groups == 1;

	return kernel && dense && window->stride_y == 1 && window->stride_x == 1 && window->channels % 16 == 0;
}

int sluice__bound_tiles(const struct sluice__bound_storage *storage, const struct sluice__cell *cell,
			const struct sluice__window *window)
{
	if (storage->winograd == SLUICE_OFF || storage->weights != SLUICE_F32 || cell->hidden % 16 ||
	    cell->peephole_kind == SLUICE_PEEPHOLE_FULL || cell->dropconnect > 0)
		return 0;
	return fits(&cell->recurrent_window) && fits(window) && window->height == cell->recurrent_window.height;
}

/* Places of an image that lie under a square at best. */
static double under(const struct sluice__window *window, size_t side)
{
	size_t height = side < window->image_height ? side : window->image_height;
	size_t width = side < window->image_width ? side : window->image_width;

	return (double)(height * width);
}

double sluice__bound_looser(const struct sluice__network *network, const struct sluice__bound_storage *storage)
{
	double most = 1;

	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		const struct sluice__window *window = &cell->recurrent_window;
		double C = (double)window->channels, taps = (double)sluice__window_taps(window);
		double used = under(window, window->height), seen = under(window, window->height + RESULTS - 1);
		double sum = (4 + sqrt(used * C)) * used * C;

		if (sluice__bound_tiles(storage, cell, window))
			most = fmax(most, 1 + magnified(window, 0) * (4 + sqrt(C)) * sqrt(taps * seen * C) / sum);
	}
	return most;
}

/* The sum of squares of one channel over a square of places whose corner lies at (y, x), which may be outside. */
struct square {
	size_t height, width; /* of the image */
	size_t stride;        /* from one place to the next */
	size_t side;
};

static double energy(const struct square *square, const struct number *numbers, ptrdiff_t y, ptrdiff_t x)
{
	double sum = 0;

	for (size_t at = 0; at < square->side * square->side; at++) {
		ptrdiff_t row = y + (ptrdiff_t)(at / square->side), column = x + (ptrdiff_t)(at % square->side);
		size_t place = (size_t)row * square->width + (size_t)column;

		if (row >= 0 && row < (ptrdiff_t)square->height && column >= 0 && column < (ptrdiff_t)square->width)
			sum += numbers[place * square->stride].value * numbers[place * square->stride].value;
	}
	return sum;
}

/* Of the taps between a row of the gates and a channel. */
static double kernel_energy(const struct bound_product *product, size_t row, size_t channel)
{
	const struct sluice__window *window = product->window;
	const struct number *weights = product->weights + row * sluice__window_columns(window) + channel;
	double sum = 0;

	for (size_t tap = 0; tap < sluice__window_taps(window); tap++)
		sum += weights[tap * window->channels].value * weights[tap * window->channels].value;
	return sum;
}

/* Where the tile of a place begins, along one side. */
static ptrdiff_t tile_of(size_t place)
{
	return (ptrdiff_t)(place / RESULTS * RESULTS);
}

/* What a tile sees of the image. */
static struct square seen_square(const struct bound_product *product)
{
	const struct sluice__window *window = product->window;

	return (struct square){window->image_height, window->image_width, product->stride,
			       window->height + RESULTS - 1};
}

void sluice__bound_tile(const struct bound_product *product, size_t row, size_t place, struct sum *sum)
{
	const struct sluice__window *window = product->window;
	const struct square square = seen_square(product);
	ptrdiff_t y = tile_of(place / window->result_width) - (ptrdiff_t)window->top;
	ptrdiff_t x = tile_of(place % window->result_width) - (ptrdiff_t)window->left;
	double most = magnified(window, 0);

	for (size_t k = 0; product->tiled && k < window->channels; k++)
		sum->tiled += most * most * kernel_energy(product, row, k) * energy(&square, product->seen + k, y, x);
	sum->depth += product->tiled ? window->channels : 0;
}

/* Of what one channel of what is seen gets at one place: the kernel turned round over tiles of da. */
static void seen_tile(const struct bound_product *product, const struct sluice__cell *cell, const struct number *da,
		      size_t place, size_t channel, struct sum *sum)
{
	const struct sluice__window *window = product->window;
	const struct square square = {window->result_height, window->result_width, 4 * cell->hidden,
				      window->height + RESULTS - 1};
	ptrdiff_t reach = (ptrdiff_t)window->height - 1;
	ptrdiff_t y = tile_of(place / window->image_width) + (ptrdiff_t)window->top - reach;
	ptrdiff_t x = tile_of(place % window->image_width) + (ptrdiff_t)window->left - reach;
	double most = magnified(window, 0);

	for (size_t row = 0; row < 4 * cell->hidden; row++)
		if (product->gates >> row / cell->hidden & 1)
			sum->tiled +=
				most * most * kernel_energy(product, row, channel) * energy(&square, da + row, y, x);
	sum->depth += 4 * cell->hidden;
}

/* Of the gradients of all taps between a row of the gates and a channel: over the tiles of an image. */
static void weights_tile(const struct bound_product *product, const struct sluice__cell *cell, const struct number *da,
			 size_t row, size_t channel, struct sum *dweights)
{
	const struct sluice__window *window = product->window;
	const struct square seen = seen_square(product);
	const struct square results = {window->result_height, window->result_width, 4 * cell->hidden, RESULTS};
	struct sum *taps = dweights + row * sluice__window_columns(window) + channel;
	double most = magnified(window, 1), tiled = 0;
	size_t tiles = 0;

	for (size_t y = 0; y < window->result_height; y += RESULTS)
		for (size_t x = 0; x < window->result_width; x += RESULTS, tiles++)
			tiled += most * most * energy(&results, da + row, (ptrdiff_t)y, (ptrdiff_t)x) *
				 energy(&seen, product->seen + channel, (ptrdiff_t)y - (ptrdiff_t)window->top,
					(ptrdiff_t)x - (ptrdiff_t)window->left);
	for (size_t tap = 0; tap < sluice__window_taps(window); tap++) {
		taps[tap * window->channels].tiled += tiled;
		taps[tap * window->channels].depth += tiles;
	}
}

void sluice__bound_tile_back(const struct bound_product *product, const struct sluice__cell *cell,
			     const struct number *da, struct sum *dweights, struct sum *dseen)
{
	const struct sluice__window *window = product->window;
	size_t places = window->image_height * window->image_width;

	if (!product->tiled)
		return;
	for (size_t place = 0; place < places; place++)
		for (size_t k = 0; k < window->channels; k++)
			seen_tile(product, cell, da, place, k, &dseen[place * product->stride + k]);
	for (size_t row = 0; row < 4 * cell->hidden; row++)
		for (size_t k = 0; k < window->channels && product->gates >> row / cell->hidden & 1; k++)
			weights_tile(product, cell, da, row, k, dweights);
}
