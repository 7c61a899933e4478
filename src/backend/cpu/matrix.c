/* matrix.c exists to cut products of whole matrices into the panels and tiles of the gemm kernel. */
#include "backend/cpu/images.h"

#include <string.h>

enum {
	DEPTH_BLOCK = 128,    /* rows of a panel that stay in the first-level cache while all rows of a pass by */
	TAIL_ROWS = 48,       /* rows of c that a tail panel is computed for at a time */
	GRADIENT_DEPTH = 512, /* rows of a and b that are packed at a time */
	GRADIENT_HEIGHT =
		48, /* rows of dw whose packed a stays in the second-level cache; a multiple of all tile heights */
	MOST_LANES = 16,
};

/* One panel of a product over `rows` rows that lie at fixed strides. */
struct panel_job {
	size_t rows, vectors, depth, used; /* used: columns that are not padding */
	const real *a, *bias;
	const char *panel;
	sluice_dtype type;
	size_t bytes; /* of one weight */
	size_t a_row;
	real *c;
	size_t c_row;
	bool add;
};

static void whole_panel(const struct sluice__kernels *kernels, const struct panel_job *job)
{
	struct sluice__gemm gemm = {.rows = job->rows,
				    .vectors = job->vectors,
				    .a_row = job->a_row,
				    .a_step = 1,
				    .c = job->c,
				    .c_row = job->c_row,
				    .type = job->type,
				    .bias = job->bias,
				    .add = job->add};
	size_t k = 0;
	do {
		gemm.depth = job->depth - k < DEPTH_BLOCK ? job->depth - k : DEPTH_BLOCK;
		gemm.a = job->a + k;
		gemm.panel = job->panel + k * job->vectors * kernels->lanes * job->bytes;
		kernels->gemm(&gemm);
		gemm.add = true;
		k += gemm.depth;
	} while (k < job->depth);
}

static void copy_rows(size_t rows, size_t columns, const real *from, size_t from_row, real *to, size_t to_row)
{
	for (size_t row = 0; row < rows; row++)
		memcpy(to + row * to_row, from + row * from_row, columns * sizeof *to);
}

/* A panel whose last vector would write past the end of a row of c: by way of a scratch tile. */
static void tail_panel(const struct sluice__kernels *kernels, const struct panel_job *job)
{
	_Alignas(64) real scratch[TAIL_ROWS * SLUICE__PANEL_VECTORS * MOST_LANES];
	const size_t scratch_row = job->vectors * kernels->lanes;
	for (size_t row = 0; row < job->rows; row += TAIL_ROWS) {
		struct panel_job part = *job;
		part.rows = job->rows - row < TAIL_ROWS ? job->rows - row : TAIL_ROWS;
		part.a = job->a + row * job->a_row;
		part.c = scratch;
		part.c_row = scratch_row;
		if (job->add) {
			memset(scratch, 0, sizeof scratch);
			copy_rows(part.rows, job->used, job->c + row * job->c_row, job->c_row, scratch, scratch_row);
		}
		whole_panel(kernels, &part);
		copy_rows(part.rows, job->used, scratch, scratch_row, job->c + row * job->c_row, job->c_row);
	}
}

/* Rows of a and c at fixed strides. */
struct stretch {
	size_t rows;
	const real *a;
	size_t a_row;
	real *c;
	size_t c_row;
};

/* How the rows of a product fall into stretches: all are one, or each step is one, or each sequence. */
enum stretches { WHOLE, STEPS, SEQUENCES };

static bool has_lengths(const struct product *product)
{
	return product->when && product->when->active;
}

/* The longer stretches are better. */
static enum stretches stretches_of(const struct product *product)
{
	const size_t steps = product->last - product->first, batch = product->batch;
	if (has_lengths(product))
		return steps > batch ? SEQUENCES : STEPS;
	if (steps == 1 || (product->a.step == batch * product->a.row && product->c_step == batch * product->c_row))
		return WHOLE;
	return SEQUENCES;
}

static size_t places_of(size_t given)
{
	return given ? given : 1;
}

/* Stretch `index` of `count`. */
static struct stretch stretch_at(const struct product *product, enum stretches kind, size_t index)
{
	size_t first = product->first, steps = product->last - product->first;
	if (kind == SEQUENCES) {
		if (has_lengths(product)) {
			const struct schedule *when = product->when;
			const size_t length = when->lengths[index / places_of(product->places)];
			const size_t begin = when->left ? when->steps - length : 0, end = begin + length;
			first = product->first > begin ? product->first : begin;
			steps = product->last < end ? product->last : end;
			steps = steps > first ? steps - first : 0;
		}
		return (struct stretch){steps, product->a.at + first * product->a.step + index * product->a.row,
					product->a.step, product->c + first * product->c_step + index * product->c_row,
					product->c_step};
	}
	const size_t step = first + index;
	const size_t rows =
		has_lengths(product) ? product->when->active[step] * places_of(product->places) : product->batch;
	return (struct stretch){kind == WHOLE ? steps * rows : rows, product->a.at + step * product->a.step,
				product->a.row, product->c + step * product->c_step, product->c_row};
}

void sluice__matrix_multiply(const struct sluice__kernels *kernels, const struct product *product)
{
	const size_t full = SLUICE__PANEL_VECTORS * kernels->lanes, bytes = sluice__dtype_bytes(product->type);
	const size_t panels = (product->width + full - 1) / full;
	const enum stretches kind = stretches_of(product);
	const size_t panel_depth = product->panel_depth ? product->panel_depth : product->depth;
	const size_t count = kind == WHOLE ? 1 : kind == STEPS ? product->last - product->first : product->batch;
	for (size_t done = 0; done < panels; done++) {
		const size_t column = (product->descending ? panels - 1 - done : done) * full;
		const size_t used = product->width - column < full ? product->width - column : full;
		const size_t lanes = vectors_of(kernels, used) * kernels->lanes;
		for (size_t index = 0; index < count; index++) {
			const struct stretch stretch = stretch_at(product, kind, index);
			const struct panel_job job = {.rows = stretch.rows,
						      .vectors = vectors_of(kernels, used),
						      .depth = product->depth,
						      .used = used,
						      .a = stretch.a,
						      .panel = (const char *)product->panels +
							       (column * panel_depth + product->panel_first * lanes) *
								       bytes,
						      .type = product->type,
						      .bytes = bytes,
						      .bias = product->bias ? product->bias + column : NULL,
						      .a_row = stretch.a_row,
						      .c = stretch.c + column,
						      .c_row = stretch.c_row,
						      .add = product->add};
			if (product->c_padded || used % kernels->lanes == 0)
				whole_panel(kernels, &job);
			else
				tail_panel(kernels, &job);
		}
	}
}

/* Row number `index` of a product's gradient: step * batch + row. */
static size_t place_at(const struct gradient_product *product, size_t index)
{
	const size_t places = places_of(product->places);
	if (!product->cells)
		return index;
	return product->cells[index / places] * places + index % places;
}

static const real *row_at(const struct rows *rows, size_t batch, size_t place)
{
	return rows->at + place / batch * rows->step + place % batch * rows->row;
}

static const real *row_of_b(const struct gradient_product *product, size_t index)
{
	const size_t place = place_at(product, index);
	if (product->cuts && product->cuts[place / places_of(product->places)])
		return product->start;
	return row_at(&product->b, product->batch, place);
}

/* `count` columns of a row of b, which may be gathered. */
static void copy_of_b(const struct gradient_product *product, size_t index, size_t column, size_t count, real *to)
{
	if (!product->gather) {
		memcpy(to, row_of_b(product, index) + column, count * sizeof *to);
		return;
	}
	const size_t place = place_at(product, index), sequence = place / product->places;
	const size_t sequences = product->batch / product->places;
	const real *image = product->b.at + sequence / sequences * product->b.step +
			    sequence % sequences * product->gather->places_from * product->b.row;
	if (product->cuts && product->cuts[sequence])
		image = product->start;
	sluice__gather_columns(product->gather, image, place % product->places, column, count, to);
}

size_t sluice__matrix_columns(const struct sluice__kernels *kernels, size_t rows, size_t width)
{
	return panels_elements(kernels, rows < GRADIENT_DEPTH ? rows : GRADIENT_DEPTH, width);
}

size_t sluice__matrix_rows(size_t rows)
{
	return (rows < GRADIENT_DEPTH ? rows : GRADIENT_DEPTH) * GRADIENT_HEIGHT;
}

/* Panel `index` of rows first .. first+depth-1 of b. */
static void pack_columns(const struct sluice__kernels *kernels, const struct gradient_product *product, size_t first,
			 size_t depth, size_t index)
{
	const size_t full = SLUICE__PANEL_VECTORS * kernels->lanes, column = index * full;
	const size_t used = product->width - column < full ? product->width - column : full;
	const size_t columns = vectors_of(kernels, used) * kernels->lanes;
	real *to = product->columns + column * depth;
	for (size_t row = first; row < first + depth; row++, to += columns) {
		copy_of_b(product, row, column, used, to);
		memset(to + used, 0, (columns - used) * sizeof *to);
	}
}

/* `height` columns of the same rows of a, from column `left`, as tiles [tile][depth][tile_rows]. */
static void pack_rows(const struct sluice__kernels *kernels, const struct gradient_product *product, size_t first,
		      size_t depth, size_t left, size_t height)
{
	const size_t tile = kernels->tile_rows;
	for (size_t row = 0; row < depth; row++)
		kernels->tile_row(height, row_at(&product->a, product->batch, place_at(product, first + row)) + left,
				  product->rows + row * tile, depth * tile);
}

/* One tile of dw against one panel. */
static void gradient_tile(const struct sluice__kernels *kernels, const struct gradient_product *product, size_t depth,
			  const real *a, size_t height, size_t column, bool add, real *dw)
{
	_Alignas(64) real scratch[SLUICE__PANEL_VECTORS * MOST_LANES * GRADIENT_HEIGHT];
	const size_t full = SLUICE__PANEL_VECTORS * kernels->lanes;
	const size_t used = product->width - column < full ? product->width - column : full;
	struct sluice__gemm gemm = {.rows = height,
				    .vectors = vectors_of(kernels, used),
				    .depth = depth,
				    .a = a,
				    .a_row = 1,
				    .a_step = kernels->tile_rows,
				    .panel = product->columns + column * depth,
				    .type = SLUICE__REAL_DTYPE,
				    .c = dw + column,
				    .c_row = product->dw_row,
				    .add = add};
	if (used % kernels->lanes == 0) {
		kernels->gemm(&gemm);
		return;
	}
	gemm.c = scratch;
	gemm.c_row = full;
	if (add) {
		memset(scratch, 0, height * full * sizeof *scratch);
		copy_rows(height, used, dw + column, product->dw_row, scratch, full);
	}
	kernels->gemm(&gemm);
	copy_rows(height, used, scratch, full, dw + column, product->dw_row);
}

static size_t groups_of_gate(const struct gradient_product *product)
{
	return (product->height + GRADIENT_HEIGHT - 1) / GRADIENT_HEIGHT;
}

/* A group of rows of dw, none of which belongs to another gate. */
static void gradient_group(const struct sluice__kernels *kernels, const struct gradient_product *product, size_t first,
			   size_t depth, size_t group)
{
	const size_t full = SLUICE__PANEL_VECTORS * kernels->lanes, tile = kernels->tile_rows;
	const size_t gate = group / groups_of_gate(product), top = group % groups_of_gate(product) * GRADIENT_HEIGHT;
	const size_t height = product->height - top < GRADIENT_HEIGHT ? product->height - top : GRADIENT_HEIGHT;
	real *dw = product->dw + (gate * product->height + top) * product->dw_row;
	if (product->absent >> gate & 1) {
		for (size_t m = 0; m < height && !product->add && first == 0; m++)
			memset(dw + m * product->dw_row, 0, product->width * sizeof *dw);
		return;
	}
	pack_rows(kernels, product, first, depth, gate * product->a_gate + top, height);
	for (size_t column = 0; column < product->width; column += full)
		for (size_t m = 0; m < height; m += tile)
			gradient_tile(kernels, product, depth, product->rows + m * depth,
				      height - m < tile ? height - m : tile, column, product->add || first > 0,
				      dw + m * product->dw_row);
}

void sluice__matrix_gradient(const struct sluice__kernels *kernels, const struct team *team,
			     const struct gradient_product *product)
{
	const size_t rows = product->count, groups = product->gates * groups_of_gate(product);
	const struct sluice__range packing =
		sluice__share(panels_of(vectors_of(kernels, product->width)), team->index, team->count);
	const struct sluice__range own = sluice__share(groups, team->index, team->count);
	size_t first = 0;
	/* At least once: the sum of no rows is zero, too. */
	do {
		const size_t depth = rows - first < GRADIENT_DEPTH ? rows - first : GRADIENT_DEPTH;
		for (size_t panel = packing.first; panel < packing.last; panel++)
			pack_columns(kernels, product, first, depth, panel);
		team_wait(team);
		for (size_t group = own.first; group < own.last; group++)
			gradient_group(kernels, product, first, depth, group);
		team_wait(team);
		first += depth;
	} while (first < rows);
}

/* Adds rows at a fixed stride. */
static void sum_rows(const struct sluice__kernels *kernels, const struct team *team, const struct sum *sum,
		     size_t count, const real *a, size_t a_row, bool add)
{
	const size_t lanes = kernels->lanes, width = sum->width;
	const struct sluice__range own = sluice__share(width / lanes, team->index, team->count);
	kernels->sum_rows(count, own.last - own.first, a + own.first * lanes, a_row, add,
			  sum->total + own.first * lanes);
	/* Columns beyond the last whole vector: few, and by the last thread. */
	if (team->index != team->count - 1)
		return;
	for (size_t column = width / lanes * lanes; column < width; column++) {
		real total = add ? sum->total[column] : 0;
		for (size_t row = 0; row < count; row++)
			total += a[row * a_row + column];
		sum->total[column] = total;
	}
}

void sluice__matrix_sum(const struct sluice__kernels *kernels, const struct team *team, const struct sum *sum)
{
	const bool lengths = sum->when && sum->when->active;
	if (!lengths && sum->a.step == sum->batch * sum->a.row) {
		sum_rows(kernels, team, sum, sum->steps * sum->batch, sum->a.at, sum->a.row, sum->add);
		return;
	}
	for (size_t t = 0; t < sum->steps; t++)
		sum_rows(kernels, team, sum, lengths ? sum->when->active[t] * places_of(sum->places) : sum->batch,
			 sum->a.at + t * sum->a.step, sum->a.row, sum->add || t > 0);
}
