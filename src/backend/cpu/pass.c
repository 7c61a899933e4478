/* pass.c exists to know where the data of one call lie: records, inputs; and to spread its work over threads. */
#include "backend/cpu/pass.h"

#include <string.h>

#include "base/cpu.h"

/* slots: T + 1 of them, of `step` reals each. */
static struct history history_of(const struct pass *pass, size_t layer, size_t direction, real *slots, size_t step)
{
	const ptrdiff_t stride = (ptrdiff_t)step;
	/* A reverse direction comes from step t + 1: what it starts from lies behind its steps. */
	if (pass_runs_backwards(pass, layer, direction))
		return (struct history){slots, stride, stride};
	return (struct history){slots + step, stride, -stride};
}

struct record sluice__pass_record(const struct pass *pass, size_t layer, size_t direction)
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct workspace_map *map = &pass->plan->map;
	const bool backward = pass->gradients != NULL;
	const bool kept = pass_tapes_reals(pass);
	struct tape tape = {0};
	struct record record;
	if (pass->run->tape)
		tape = sluice__pass_tape(pass, layer, direction);
	record.gates = kept && tape.gates ? tape.gates : pass_piece(pass, map->gates[direction]);
	record.arguments = NULL;
	if (packed->keeps_arguments && (tape.arguments || backward))
		record.arguments =
			kept && tape.arguments ? tape.arguments : pass_piece(pass, map->arguments[direction]);
	record.h = history_of(pass, layer, direction, kept ? tape.h : pass_piece(pass, map->h[layer % 2][direction]),
			      layer_rows(pass, packed) * packed->out_padded);
	if (tape.c || backward)
		record.c = history_of(pass, layer, direction, tape.c ? tape.c : pass_piece(pass, map->c[direction]),
				      layer_rows(pass, packed) * packed->padded);
	else
		record.c = (struct history){pass_piece(pass, map->c[direction]), 0, 0};
	return record;
}

/* A caller's array, `place` numbers at each place, as reals: his own memory, or the copy at `copy` of the workspace. */
static struct rows reals_of(const struct pass *pass, const struct array *array, size_t place, size_t copy)
{
	const size_t width = array->width;
	const bool images = pass->plan->images;
	if (!array_direct(pass, array))
		return (struct rows){pass_piece(pass, copy), pass->batch * width, place};
	if (array->steps)
		return (struct rows){array->steps[0], 0, images ? place : array->row};
	if (pass->prepared->limits.batch_major && !array->last && !images)
		return (struct rows){array->at, width, pass->steps * width};
	return (struct rows){array->at, pass->batch * width, place};
}

struct rows sluice__pass_x(const struct pass *pass)
{
	const struct array array = array_x(pass);
	return reals_of(pass, &array, pass->prepared->network->inputs, pass->plan->map.x);
}

struct rows sluice__pass_y(const struct pass *pass, size_t result)
{
	const struct array array = array_y(pass, result);
	return reals_of(pass, &array, pass->prepared->network->outputs, pass->plan->map.y[result]);
}

struct rows sluice__pass_dx(const struct pass *pass)
{
	const struct array array = sluice__array_dx(pass);
	return reals_of(pass, &array, pass->prepared->network->inputs, pass->plan->map.dx);
}

struct rows sluice__pass_dy(const struct pass *pass, size_t result)
{
	const struct array array = sluice__array_dy(pass, result);
	return reals_of(pass, &array, pass->prepared->network->outputs, pass->plan->map.y[result]);
}

bool sluice__pass_input_dropped(const struct pass *pass, size_t layer)
{
	return layer > 0 && pass->run->training && pass->plan->layers[layer - 1].options->dropout > 0;
}

bool sluice__pass_input_made(const struct pass *pass, size_t layer)
{
	return layer > 0 && (sluice__pass_input_dropped(pass, layer) ||
			     pass->plan->layers[layer - 1].options->combination == SLUICE_ADD);
}

real *sluice__pass_made(const struct pass *pass, size_t layer)
{
	if (pass_tapes_reals(pass) && pass->prepared->limits.tape_mode == SLUICE_TAPE_FULL)
		return sluice__pass_tape(pass, layer, 0).made;
	return pass_piece(pass, pass->plan->map.made);
}

struct rows sluice__pass_input(const struct pass *pass, size_t layer, size_t result)
{
	if (layer == 0)
		return sluice__pass_x(pass);
	const struct packed_layer *before = &pass->plan->layers[layer - 1];
	if (sluice__pass_input_made(pass, layer)) {
		const size_t row = before->results * before->out_padded;
		return (struct rows){sluice__pass_made(pass, layer) + result * before->out_padded,
				     layer_rows(pass, before) * row, row};
	}
	return (struct rows){sluice__pass_record(pass, layer - 1, result).h.time,
			     layer_rows(pass, before) * before->out_padded, before->out_padded};
}

void sluice__pass_segments(const struct pass *pass, size_t layer, size_t direction, struct rows input[MOST_SEGMENTS])
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	for (size_t each = 0; each < packed->segments; each++)
		input[each] = sluice__pass_input(pass, layer, packed->reads_separate ? direction : each);
}

struct rows sluice__pass_output(const struct pass *pass, size_t result)
{
	const struct packed_layer *packed = &pass->plan->layers[pass->plan->layer_count - 1];
	if (!pass->run->last_only)
		return sluice__pass_input(pass, pass->plan->layer_count, result);
	const size_t row = packed->results * packed->out_padded;
	return (struct rows){pass_piece(pass, pass->plan->map.last) + result * packed->out_padded, 0, row};
}

/* Columns of one row of state; from NULL: zeros. */
static void load_columns(struct columns columns, const real *from, real *to)
{
	/* Padding that is not a number would spread in backward. */
	memset(to + columns.first, 0, columns.vectors * sizeof *to);
	if (from)
		memcpy(to + columns.first, from + columns.first, columns.units * sizeof *to);
}

void sluice__pass_load_initial(const struct pass *pass, size_t layer, size_t direction, size_t at,
			       struct columns columns, const struct history *to, size_t padded)
{
	const size_t places = pass->plan->layers[layer].places;
	for (size_t row = 0; row < pass_present(pass); row++) {
		const size_t t = pass_end_of(pass, layer, direction, row, false);
		const real *from = pass_initial(pass, row) + at;
		real *before = history_before(to, t) + row * places * padded;
		for (size_t place = 0; place < places; place++)
			load_columns(columns, from + place * padded, before + place * padded);
	}
}

void sluice__pass_load_final(const struct pass *pass, size_t layer, size_t at, struct columns columns, real *to,
			     size_t padded)
{
	const real *state = pass->gradients->dfinal;
	const size_t state_row = pass->prepared->network->state_row, places = pass->plan->layers[layer].places;
	for (size_t row = 0; row < pass->batch; row++) {
		const real *from = state ? state + pass_caller_row(pass, row) * state_row + at : NULL;
		for (size_t place = 0; place < places; place++)
			load_columns(columns, from ? from + place * padded : NULL,
				     to + (row * places + place) * padded);
	}
}

struct columns sluice__pass_columns(const struct pass *pass, size_t width, size_t first, size_t last)
{
	const size_t lanes = pass->plan->kernels.lanes, end = last * lanes < width ? last * lanes : width;
	return (struct columns){first * lanes, end > first * lanes ? end - first * lanes : 0, (last - first) * lanes};
}

void sluice__pass_directions(struct pass *pass, size_t layer, const struct team *team, direction_work *work)
{
	const size_t directions = pass->plan->layers[layer].directions;
	if (directions == 2 && team->count >= 2) {
		const int half = team->count / 2;
		const bool second = team->index >= half;
		const struct team part = {team->index - (second ? half : 0), second ? team->count - half : half,
					  &pass->meetings[1 + second]};
		work(pass, layer, second, &part);
	} else {
		for (size_t direction = 0; direction < directions; direction++)
			work(pass, layer, direction, team);
	}
	team_wait(team);
}

struct region {
	struct pass *pass;
	pass_work *work;
};

static void run_thread(void *argument, int index, int count)
{
	const struct region *region = argument;
	const struct team team = {index, count, region->pass->meetings};
	const bool flush = region->pass->prepared->limits.flush_denormals;
	const unsigned former = flush ? sluice__denormals_flush() : 0;
	region->work(region->pass, &team);
	if (flush)
		sluice__denormals_restore(former);
}

void sluice__pass_run(struct pass *pass, int threads, pass_work *work)
{
	struct region region = {pass, work};
	/* A single step is short: it does not pay for barriers that nobody waits at. */
	if (threads <= 1) {
		run_thread(&region, 0, 1);
		return;
	}
	struct sluice__barrier meetings[1 + MOST_DIRECTIONS] = {0};
	pass->meetings = meetings;
	sluice__parallel_run(pass->prepared->parallel, threads, run_thread, &region);
	pass->meetings = NULL;
}
