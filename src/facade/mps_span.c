/* mps_span.c exists to bring rows of matrices and images in and out, and to see that results lie apart. */
#include "mps_internal.h"

#include <stdlib.h>

struct span sluice__mps_span_part(const struct span *whole, size_t cells, size_t first, size_t count)
{
	struct span part = *whole;
	const size_t element = sluice__number_bytes(whole->type);
	part.cells = cells;
	part.cell_bytes = whole->elements / cells * element;
	part.elements = count;
	part.at += first * element;
	return part;
}

/* Rows are floats without gaps. */
static int dense(const struct span *span)
{
	const size_t cell = span->elements * sizeof(float), line = span->cells * cell;
	return span->type == SLUICE_F32 && (uintptr_t)span->at % sizeof(float) == 0 &&
	       (span->cells == 1 || span->cell_bytes == cell) && (span->lines == 1 || span->line_bytes == line) &&
	       span->row_bytes % sizeof(float) == 0;
}

int sluice__mps_spans_direct(const struct span *spans, size_t count)
{
	for (size_t each = 0; each < count; each++)
		if (!dense(&spans[each]) || spans[each].row_bytes != spans[0].row_bytes)
			return 0;
	return 1;
}

/* The cells of the first rows, one after the other, to or from floats without gaps. */
static void cells_copy(const struct span *span, size_t rows, float *floats, int store)
{
	for (size_t row = 0; row < rows; row++)
		for (size_t line = 0; line < span->lines; line++)
			for (size_t cell = 0; cell < span->cells; cell++) {
				char *at = span->at + row * span->row_bytes + line * span->line_bytes +
					   cell * span->cell_bytes;
				const struct line here = {at, span->type, 1}, there = {(char *)floats, SLUICE_F32, 1};
				sluice__number_convert(store ? &here : &there, store ? &there : &here, span->elements,
						       1, 0);
				floats += span->elements;
			}
}

void sluice__mps_span_load(const struct span *span, size_t rows, float *to)
{
	cells_copy(span, rows, to, 0);
}

void sluice__mps_span_store(const struct span *span, size_t rows, const float *from)
{
	cells_copy(span, rows, (float *)(uintptr_t)from, 1);
}

/* --- apart --- */

/* A span as bytes: lines of `bytes` bytes, in rows. */
struct extent {
	uintptr_t first, end; /* of all of it */
	const struct span *span;
	size_t bytes;
	size_t phase; /* of `first`, where all have one pitch */
	int written;
};

static struct extent extent_of(const struct span *span, int written)
{
	const size_t bytes = span->elements * sluice__number_bytes(span->type);
	const uintptr_t first = (uintptr_t)span->at;
	return (struct extent){
		.first = first,
		.end = first + (span->rows - 1) * span->row_bytes + (span->lines - 1) * span->line_bytes + bytes,
		.span = span,
		.bytes = bytes,
		.written = written,
	};
}

/* What encloses them all. */
static struct extent whole_of(const struct span *spans, size_t count)
{
	struct extent whole = extent_of(&spans[0], 0);
	for (size_t each = 1; each < count; each++) {
		const struct extent extent = extent_of(&spans[each], 0);
		whole.first = extent.first < whole.first ? extent.first : whole.first;
		whole.end = extent.end > whole.end ? extent.end : whole.end;
	}
	return whole;
}

/* Whether spans follow each other: as wholes, or as columns of one large array. */
static int in_order(const struct span *spans, size_t count)
{
	const struct extent first = extent_of(&spans[0], 1);
	struct extent before = first;
	int wholes = 1, columns = first.span->lines == 1;
	for (size_t each = 1; each < count; each++) {
		const struct extent here = extent_of(&spans[each], 1);
		wholes = wholes && here.first >= before.end;
		columns = columns && here.span->lines == 1 && here.span->row_bytes == first.span->row_bytes &&
			  here.first >= before.first + before.bytes;
		before = here;
	}
	return wholes || (columns && before.first + before.bytes - first.first <= first.span->row_bytes);
}

/* The usual cases, without sorting anything. */
static int plainly_apart(const struct span *read, size_t read_count, const struct span *written, size_t written_count)
{
	const struct extent all_read = whole_of(read, read_count), all_written = whole_of(written, written_count);
	return (all_read.end <= all_written.first || all_written.end <= all_read.first) &&
	       in_order(written, written_count);
}

static int by_first(const void *a, const void *b)
{
	const uintptr_t x = ((const struct extent *)a)->first, y = ((const struct extent *)b)->first;
	return (x > y) - (x < y);
}

static int by_phase(const void *a, const void *b)
{
	const size_t x = ((const struct extent *)a)->phase, y = ((const struct extent *)b)->phase;
	return (x > y) - (x < y);
}

/* Whether all are single lines at one distance, and no two of them that may not meet have a byte in common modulo that
 * distance: columns of one large array, for example its steps in a batch-major one. */
static int columns_apart(struct extent *list, size_t count)
{
	const size_t pitch = list[0].span->row_bytes;
	const uintptr_t origin = list[0].first;
	for (size_t each = 0; each < count; each++) {
		if (list[each].span->lines != 1 || list[each].span->row_bytes != pitch)
			return 0;
		list[each].phase = (list[each].first - origin) % pitch;
	}
	qsort(list, count, sizeof *list, by_phase);
	size_t end = 0, written_end = 0;
	for (size_t each = 0; each < count; each++) {
		const size_t here = list[each].phase + list[each].bytes;
		if (list[each].phase < written_end || (list[each].written && list[each].phase < end) || here > pitch)
			return 0;
		end = here > end ? here : end;
		if (list[each].written && here > written_end)
			written_end = here;
	}
	return 1;
}

static uintptr_t line_at(const struct extent *extent, size_t line)
{
	const struct span *span = extent->span;
	return extent->first + line / span->lines * span->row_bytes + line % span->lines * span->line_bytes;
}

/* Line by line, both rising. */
static int lines_meet(const struct extent *a, const struct extent *b)
{
	const size_t a_count = a->span->rows * a->span->lines, b_count = b->span->rows * b->span->lines;
	if (a->end <= b->first || b->end <= a->first)
		return 0;
	for (size_t i = 0, j = 0; i < a_count && j < b_count;) {
		const uintptr_t x = line_at(a, i), y = line_at(b, j);
		if (x < y + b->bytes && y < x + a->bytes)
			return 1;
		if (x < y)
			i++;
		else
			j++;
	}
	return 0;
}

static int pairs_meet(const struct extent *list, size_t count)
{
	for (size_t one = 0; one < count; one++)
		for (size_t other = one + 1; other < count; other++)
			if ((list[one].written || list[other].written) && lines_meet(&list[one], &list[other]))
				return 1;
	return 0;
}

/* Extents in the order of their beginnings: groups whose wholes overlap are looked at one by one. */
static int any_meet(struct extent *list, size_t count)
{
	for (size_t from = 0, to; from < count; from = to) {
		uintptr_t end = list[from].end;
		size_t written = list[from].written != 0;
		for (to = from + 1; to < count && list[to].first < end; to++) {
			end = list[to].end > end ? list[to].end : end;
			written += list[to].written != 0;
		}
		if (written && to - from > 1 && !columns_apart(list + from, to - from) &&
		    pairs_meet(list + from, to - from))
			return 1;
	}
	return 0;
}

sluice_status sluice__mps_spans_apart(const char *written_name, const struct span *read, size_t read_count,
				      const struct span *written, size_t written_count)
{
	const size_t count = read_count + written_count;
	if (plainly_apart(read, read_count, written, written_count))
		return SLUICE_OK;
	struct extent *list = sluice__object_allocate(count, sizeof *list);
	if (!list)
		return SLUICE_OUT_OF_MEMORY;
	for (size_t each = 0; each < read_count; each++)
		list[each] = extent_of(&read[each], 0);
	for (size_t each = 0; each < written_count; each++)
		list[read_count + each] = extent_of(&written[each], 1);
	qsort(list, count, sizeof *list, by_first);
	const int meet = any_meet(list, count);
	free(list);
	if (meet)
		return MPS_INVALID("%s share memory with each other or with what is read", written_name);
	return SLUICE_OK;
}
