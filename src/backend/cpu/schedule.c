/* schedule.c exists to know which rows have which steps, and to put the longest rows first. */
#include "backend/cpu/pass.h"

#include <string.h>

static size_t flag_place(const struct pass *pass, size_t t, size_t n)
{
	return pass->prepared->limits.batch_major ? n * pass->steps + t : t * pass->batch + n;
}

static size_t *sizes_at(const struct pass *pass, size_t offset)
{
	return (size_t *)(void *)((char *)pass->run->workspace + offset);
}

static uint8_t *bytes_at(const struct pass *pass, size_t offset)
{
	return (uint8_t *)pass->run->workspace + offset;
}

static bool falls(size_t count, const size_t *lengths)
{
	for (size_t n = 1; n < count; n++)
		if (lengths[n] > lengths[n - 1])
			return false;
	return true;
}

/* Rows by their lengths, longest first, equal ones in the caller's order. `ends[l]` is working space. */
static void sort_rows(const struct pass *pass, struct schedule *when, size_t *ends)
{
	const size_t *given = pass->run->lengths;
	memset(ends, 0, (pass->steps + 1) * sizeof *ends);
	for (size_t n = 0; n < pass->batch; n++)
		ends[given[n]]++;
	size_t first = 0;
	for (size_t length = pass->steps + 1; length-- > 0;) {
		const size_t count = ends[length];
		ends[length] = first;
		first += count;
	}
	for (size_t n = 0; n < pass->batch; n++)
		when->order[ends[given[n]]++] = n;
	for (size_t row = 0; row < pass->batch; row++)
		when->lengths[row] = given[when->order[row]];
}

static void take_batch_sizes(const struct pass *pass, struct schedule *when)
{
	size_t row = pass->batch;
	for (size_t t = 0; t < pass->steps; t++)
		while (row > pass->run->batch_sizes[t])
			when->lengths[--row] = t;
	while (row > 0)
		when->lengths[--row] = pass->steps;
}

/* How many rows have each step: they fall with the distance from the side that all rows share. */
static void count_rows(const struct pass *pass, struct schedule *when)
{
	size_t rows = pass->batch;
	for (size_t distance = 0; distance < pass->steps; distance++) {
		while (rows > 0 && when->lengths[rows - 1] <= distance)
			rows--;
		when->active[when->left ? pass->steps - 1 - distance : distance] = rows;
	}
	when->present = pass->batch;
	while (when->present > 0 && when->lengths[when->present - 1] == 0)
		when->present--;
}

static void make_lengths(const struct pass *pass, struct schedule *when)
{
	const struct workspace_map *map = &pass->plan->map;
	when->steps = pass->steps;
	when->lengths = sizes_at(pass, map->lengths);
	when->active = sizes_at(pass, map->active);
	when->left = pass->run->padding == SLUICE_PADDING_LEFT;
	if (pass->run->batch_sizes) {
		take_batch_sizes(pass, when);
	} else if (falls(pass->batch, pass->run->lengths)) {
		memcpy(when->lengths, pass->run->lengths, pass->batch * sizeof *when->lengths);
	} else {
		when->order = sizes_at(pass, map->order);
		sort_rows(pass, when, sizes_at(pass, map->packed));
	}
	count_rows(pass, when);
	if (!pass->run->packed)
		return;
	when->packed = sizes_at(pass, map->packed);
	when->packed[0] = 0;
	for (size_t t = 0; t < pass->steps; t++)
		when->packed[t + 1] = when->packed[t] + when->active[t];
}

/* One flag for each step and row, and one for each step that has any: the caller's flag of the step `later` steps
 * later, for rows that have both. */
static void take_flags(const struct pass *pass, const uint8_t *given, size_t offset, size_t later, struct flags *flags)
{
	flags->row = bytes_at(pass, offset);
	flags->step = flags->row + pass->steps * pass->batch;
	for (size_t t = 0; t < pass->steps; t++) {
		const size_t at = t + later, here = pass_rows(pass, t);
		const size_t there = at < pass->steps ? pass_rows(pass, at) : 0, rows = here < there ? here : there;
		uint8_t any = 0, *row_flags = flags->row + t * pass->batch;
		memset(row_flags, 0, pass->batch);
		for (size_t row = 0; row < rows; row++) {
			row_flags[row] = given[flag_place(pass, at, pass_caller_row(pass, row))] != 0;
			any |= row_flags[row];
		}
		flags->step[t] = any;
	}
}

/* The rows that exist, in order of time, and those of them that compute. */
static void list_rows(const struct pass *pass, struct schedule *when)
{
	when->shown = sizes_at(pass, pass->plan->map.shown);
	when->cells = when->holds.row ? sizes_at(pass, pass->plan->map.cells) : when->shown;
	when->shown_count = when->cell_count = 0;
	for (size_t t = 0; t < pass->steps; t++)
		for (size_t row = 0; row < pass_rows(pass, t); row++) {
			const size_t place = t * pass->batch + row;
			when->shown[when->shown_count++] = place;
			if (!when->holds.row)
				when->cell_count++;
			else if (!when->holds.row[place])
				when->cells[when->cell_count++] = place;
		}
}

const struct schedule sluice__schedule_plain = {0};

void sluice__schedule_make(struct pass *pass, struct schedule *own)
{
	const sluice_run *run = pass->run;
	const struct workspace_map *map = &pass->plan->map;
	pass->when = &sluice__schedule_plain;
	if (!run->lengths && !run->batch_sizes && !run->resets && !run->holds)
		return;
	*own = sluice__schedule_plain;
	pass->when = own;
	if (run->lengths || run->batch_sizes)
		make_lengths(pass, own);
	if (run->resets) {
		take_flags(pass, run->resets, map->cuts[0], 0, &own->cuts[0]);
		take_flags(pass, run->resets, map->cuts[1], 1, &own->cuts[1]);
	}
	if (run->holds)
		take_flags(pass, run->holds, map->holds, 0, &own->holds);
	if (pass->gradients && (own->active || run->holds))
		list_rows(pass, own);
}

void sluice__schedule_book(struct workspace_map *map, const struct sluice__limits *limits,
			   struct sluice__ledger *ledger)
{
	const size_t rows = limits->steps * limits->batch, flags = rows + limits->steps;
	map->order = sluice__book(ledger, limits->batch, 1, sizeof(size_t));
	map->lengths = sluice__book(ledger, limits->batch, 1, sizeof(size_t));
	map->active = sluice__book(ledger, limits->steps, 1, sizeof(size_t));
	map->packed = sluice__book(ledger, limits->steps + 1, 1, sizeof(size_t));
	map->cuts[0] = sluice__book(ledger, flags, 1, 1);
	map->cuts[1] = sluice__book(ledger, flags, 1, 1);
	map->holds = sluice__book(ledger, flags, 1, 1);
	map->shown = sluice__book(ledger, limits->training ? rows : 0, 1, sizeof(size_t));
	map->cells = sluice__book(ledger, limits->training ? rows : 0, 1, sizeof(size_t));
}
