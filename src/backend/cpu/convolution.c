/* convolution.c exists to let products see images: it gathers what the taps of a kernel read, for all products alike.
 */
#include "backend/cpu/images.h"

#include <string.h>

/* --- tables: which place a tap reads --- */

static void book_table(struct taps *taps, size_t places, size_t places_before, bool training,
		       struct sluice__ledger *ledger)
{
	taps->forward = sluice__book(ledger, places, taps->taps, sizeof(int32_t));
	taps->backward = sluice__book(ledger, training ? places_before : 0, taps->taps, sizeof(int32_t));
}

void sluice__convolution_book(struct packed_layer *packed, bool training, struct sluice__ledger *ledger)
{
	book_table(&packed->input, packed->places, packed->places_before, training, ledger);
	book_table(&packed->recurrent, packed->places, packed->places, training, ledger);
	book_table(&packed->memory, packed->places, packed->places, training, ledger);
}

/* Along one side: where a tap reads for a place, or NOWHERE. */
static ptrdiff_t read_along(size_t place, size_t tap, size_t stride, size_t dilation, size_t zeros, size_t side)
{
	const ptrdiff_t at = (ptrdiff_t)(place * stride + tap * dilation) - (ptrdiff_t)zeros;
	return at >= 0 && at < (ptrdiff_t)side ? at : NOWHERE;
}

/* The other way round: for which place a tap reads here, or NOWHERE. */
static ptrdiff_t read_by(size_t place, size_t tap, size_t stride, size_t dilation, size_t zeros, size_t side)
{
	const ptrdiff_t at = (ptrdiff_t)(place + zeros) - (ptrdiff_t)(tap * dilation);
	if (at < 0 || at % (ptrdiff_t)stride)
		return NOWHERE;
	return at / (ptrdiff_t)stride < (ptrdiff_t)side ? at / (ptrdiff_t)stride : NOWHERE;
}

typedef ptrdiff_t read_function(size_t place, size_t tap, size_t stride, size_t dilation, size_t zeros, size_t side);

/* For every place of `image` and every tap a place of `other`. */
static void fill_table(const struct sluice__window *window, struct sluice__image image, struct sluice__image other,
		       read_function *read, int32_t *to)
{
	for (size_t place = 0; place < sluice__places(image); place++)
		for (size_t tap = 0; tap < sluice__taps(window); tap++) {
			const ptrdiff_t y = read(place / image.width, tap / window->width, window->stride_y,
						 window->dilation_y, window->top, other.height);
			const ptrdiff_t x = read(place % image.width, tap % window->width, window->stride_x,
						 window->dilation_x, window->left, other.width);
			const bool there = y != NOWHERE && x != NOWHERE;
			*to++ = there ? (int32_t)(y * (ptrdiff_t)other.width + x) : NOWHERE;
		}
}

static int32_t *table_at(const struct cpu_plan *plan, size_t offset)
{
	return (int32_t *)(void *)((char *)plan->packed + offset);
}

void sluice__convolution_fill(struct cpu_plan *plan, const struct sluice__prepared *prepared)
{
	for (size_t index = 0; index < plan->layer_count; index++) {
		const struct sluice__layer *layer = &prepared->network->layers[index];
		const struct packed_layer *packed = &plan->layers[index];
		const struct {
			const struct sluice__window *window;
			const struct taps *taps;
			struct sluice__image from;
		} all[] = {
			{&layer->input, &packed->input, layer->from},
			{&layer->recurrent, &packed->recurrent, layer->image},
			{&layer->memory, &packed->memory, layer->image},
		};
		for (size_t each = 0; each < sizeof all / sizeof all[0]; each++) {
			fill_table(all[each].window, layer->image, all[each].from, read_along,
				   table_at(plan, all[each].taps->forward));
			if (prepared->limits.training)
				fill_table(all[each].window, all[each].from, layer->image, read_by,
					   table_at(plan, all[each].taps->backward));
		}
	}
}

/* --- gathering --- */

struct gather sluice__gather_of(const struct cpu_plan *plan, const struct packed_layer *packed, const struct taps *taps,
				bool back, size_t channels, size_t row)
{
	const bool input = taps == &packed->input;
	const size_t from = input ? packed->places_before : packed->places;
	return (struct gather){.table = table_at(plan, back ? taps->backward : taps->forward),
			       .taps = taps->taps,
			       .places = back ? from : packed->places,
			       .places_from = back ? packed->places : from,
			       .channels = channels,
			       .row = row};
}

void sluice__gather_columns(const struct gather *gather, const real *image, size_t place, size_t column, size_t count,
			    real *to)
{
	const int32_t *table = gather->table + place * gather->taps;
	const bool adjoin = gather->row == gather->channels;
	size_t tap = column / gather->channels, first = column % gather->channels;
	while (count > 0) {
		const int32_t from = table[tap++];
		size_t part = gather->channels - first < count ? gather->channels - first : count;
		/* Taps that read neighbours are copied in one piece. */
		for (int32_t next = from; from != NOWHERE && adjoin && part < count && table[tap] == next + 1; tap++) {
			part += gather->channels < count - part ? gather->channels : count - part;
			next++;
		}
		if (from == NOWHERE)
			memset(to, 0, part * sizeof *to);
		else
			memcpy(to, image + (size_t)from * gather->row + first, part * sizeof *to);
		to += part;
		count -= part;
		first = 0;
	}
}

/* --- products --- */

/* Some rows of a convolution, in pieces of few taps, whose patches and panels stay in the cache. */
static void convolve_rows(const struct sluice__kernels *kernels, const struct convolution *convolution,
			  struct sluice__range rows, real *patches)
{
	const struct gather *gather = &convolution->gather;
	const size_t channels = gather->channels, depth = gather->taps * channels;
	const size_t fitting = CONVOLUTION_DEPTH / channels, most = fitting ? fitting : 1;
	for (size_t tap = 0; tap < gather->taps; tap += most) {
		const size_t taps = gather->taps - tap < most ? gather->taps - tap : most;
		for (size_t row = rows.first; row < rows.last; row++)
			sluice__gather_columns(
				gather, convolution->images + row / gather->places * gather->places_from * gather->row,
				row % gather->places, tap * channels, taps * channels,
				patches + (row - rows.first) * taps * channels);
		const struct product product = {
			.last = 1,
			.batch = rows.last - rows.first,
			.a = {patches, 0, taps * channels},
			.depth = taps * channels,
			.width = convolution->width,
			.panels = convolution->panels,
			.panel_depth = depth,
			.panel_first = tap * channels,
			.type = convolution->type,
			.bias = convolution->bias,
			.add = convolution->add || tap > 0,
			.c = convolution->c + rows.first * convolution->c_row,
			.c_row = convolution->c_row,
			.c_padded = convolution->c_padded,
		};
		sluice__matrix_multiply(kernels, &product);
	}
}

static real *patches_of(const struct pass *pass, size_t direction, const struct team *team)
{
	const struct workspace_map *map = &pass->plan->map;
	return pass_piece(pass, map->patches[direction] + (size_t)team->index * map->patches_bytes);
}

void sluice__convolve(const struct pass *pass, const struct convolution *convolution, size_t direction, size_t rows,
		      const struct team *team)
{
	const struct sluice__range own = sluice__share(rows, team->index, team->count);
	real *patches = patches_of(pass, direction, team);
	for (size_t row = own.first; row < own.last; row += CONVOLUTION_ROWS)
		convolve_rows(&pass->plan->kernels, convolution, block_of(own, row, CONVOLUTION_ROWS), patches);
}

void sluice__convolve_input(const struct strip *strip, const struct rows input[MOST_SEGMENTS], real *gates,
			    const struct team *team)
{
	const struct pass *pass = strip->pass;
	const struct cpu_plan *plan = pass->plan;
	const struct packed_layer *packed = strip->packed;
	const size_t gates_row = SLUICE__GATES * packed->padded, rows = layer_rows(pass, packed);
	for (size_t each = 0; each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		struct convolution convolution = {
			.gather =
				sluice__gather_of(plan, packed, &packed->input, false, segment->width, input[each].row),
			.images = input[each].at,
			.panels = packed_panels(plan, segment->forward[strip->direction]),
			.type = plan->panel_type,
			.width = SLUICE__GATES * packed->span,
			.bias = packed_reals(plan, strip->weights->bias),
			.add = each > 0,
			.c = gates,
			.c_row = gates_row,
			.c_padded = true,
		};
		/* All steps at once, where they follow each other. */
		if (!pass->when->active && input[each].step == pass->batch * packed->places_before * input[each].row) {
			sluice__convolve(pass, &convolution, strip->direction, pass->steps * rows, team);
			continue;
		}
		for (size_t t = 0; t < pass->steps; t++) {
			convolution.images = input[each].at + t * input[each].step;
			convolution.c = gates + t * rows * gates_row;
			sluice__convolve(pass, &convolution, strip->direction, layer_rows_at(pass, packed, t), team);
		}
	}
}

/* What h (or c of full peepholes) adds to the gates. */
static struct convolution gates_of(const struct strip *strip, const struct rows *images, const struct taps *taps,
				   size_t channels, const void *panels, sluice_dtype type, real *gates)
{
	const struct packed_layer *packed = strip->packed;
	return (struct convolution){
		.gather = sluice__gather_of(strip->pass->plan, packed, taps, false, channels, images->row),
		.images = images->at,
		.panels = panels,
		.type = type,
		.width = SLUICE__GATES * packed->span,
		.add = true,
		.c = gates,
		.c_row = SLUICE__GATES * packed->padded,
		.c_padded = true,
	};
}

struct sluice__step sluice__convolution_part(const struct packed_layer *packed, const struct sluice__step *job,
					     struct sluice__range rows)
{
	struct sluice__step part = *job;
	const size_t first = rows.first;
	part.rows = rows.last - rows.first;
	part.first = 0;
	part.last = packed->blocks;
	part.place = first % packed->places;
	part.start += first * job->start_row;
	part.c_prev += first * job->c_prev_row;
	part.c += first * job->c_row;
	part.h += first * job->h_row;
	part.gates = job->gates ? job->gates + first * job->gates_row : NULL;
	part.arguments = job->arguments ? job->arguments + first * job->gates_row : NULL;
	return part;
}

void sluice__convolve_step(const struct strip *strip, const struct rows *h, const struct moment *moment,
			   const struct sluice__step *job, const struct team *team)
{
	const struct pass *pass = strip->pass;
	const struct sluice__kernels *kernels = &pass->plan->kernels;
	const struct packed_layer *packed = strip->packed;
	const struct rows c = {moment->c_before, 0, moment->c_before_row};
	if (packed->side) {
		sluice__winograd_step(strip, h, moment, job, team);
		return;
	}
	/* The start values are ours: x has been convolved into them. */
	real *gates = (real *)moment->start;
	const struct convolution recurrent =
		gates_of(strip, h, &packed->recurrent, packed->out, strip->recurrent, strip->recurrent_type, gates);
	const struct convolution memory =
		gates_of(strip, &c, &packed->memory, packed->hidden,
			 packed_panels(pass->plan, strip->weights->peephole), pass->plan->panel_type, gates);
	const struct sluice__range own = sluice__share(moment->rows, team->index, team->count);
	real *patches = patches_of(pass, strip->direction, team);
	for (size_t row = own.first; row < own.last; row += CONVOLUTION_ROWS) {
		const struct sluice__range rows = block_of(own, row, CONVOLUTION_ROWS);
		convolve_rows(kernels, &recurrent, rows, patches);
		if (packed->full)
			convolve_rows(kernels, &memory, rows, patches);
		const struct sluice__step part = sluice__convolution_part(packed, job, rows);
		kernels->step(&part);
	}
}

void sluice__convolve_memory(const struct strip *strip, size_t rows, const real *e, real *waiting,
			     const struct team *team)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const struct convolution convolution = {
		.gather = sluice__gather_of(pass->plan, packed, &packed->memory, false, packed->hidden, packed->padded),
		.images = e,
		.panels = packed_panels(pass->plan, strip->weights->memory),
		.type = pass->plan->panel_type,
		.width = packed->hidden,
		.add = true,
		.c = waiting,
		.c_row = packed->padded,
		.c_padded = true,
	};
	sluice__convolve(pass, &convolution, strip->direction, rows, team);
	team_wait(team);
}

/* --- gradients of matrices that have not all channels that are seen, or more --- */

static size_t dense_of(const struct sluice__window *window, size_t segments, size_t hidden, size_t channels)
{
	const bool dense = window->groups > 1 || segments > 1;
	return dense ? SLUICE__GATES * hidden * sluice__taps(window) * channels : 0;
}

size_t sluice__convolution_dense(const struct packed_layer *packed, const struct sluice__layer *layer)
{
	const size_t sizes[] = {dense_of(&layer->input, packed->segments, packed->hidden, layer->inputs),
				dense_of(&layer->recurrent, 1, packed->hidden, packed->out),
				dense_of(&layer->memory, 1, packed->hidden, packed->hidden)};
	size_t most = 0;
	for (size_t each = 0; each < sizeof sizes / sizeof sizes[0]; each++)
		most = sizes[each] > most ? sizes[each] : most;
	return most;
}

void sluice__convolution_take(const struct seen *seen, size_t hidden, size_t rows, const real *dense, bool add,
			      real *dw, const struct team *team)
{
	const size_t taps = sluice__taps(seen->window), part = seen->all / seen->window->groups;
	const struct sluice__range own = sluice__share(rows, team->index, team->count);
	for (size_t row = own.first; row < own.last; row++) {
		const size_t group = row % hidden / (hidden / seen->window->groups);
		for (size_t tap = 0; tap < taps; tap++)
			for (size_t j = 0; j < part; j++) {
				const size_t channel = group * part + j;
				real *to = dw + (row * taps + tap) * part + j;
				if (channel < seen->first || channel - seen->first >= seen->channels)
					continue;
				const real from = dense[(row * taps + tap) * seen->channels + channel - seen->first];
				*to = add ? *to + from : from;
			}
	}
	team_wait(team);
}
