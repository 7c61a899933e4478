/* pass.c exists to know where the data of one call lie: tape, histories, inputs; and to spread its work over threads.
 */
#include "backend/cpu/cpu.h"

#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/philox.h"

struct tape sluice__pass_tape(const struct pass *pass, size_t layer, size_t direction)
{
	const struct packed_layer *layers = pass->plan->layers;
	const size_t rows = pass->steps * pass->batch, slots = rows + pass->batch;
	float *at = pass->run->tape;
	for (size_t index = 0;; index++) {
		struct tape tape = {0};
		if (index > 0 && pass->prepared->network->layers[index - 1].dropout > 0) {
			tape.dropped = at;
			at += rows * layers[index - 1].directions * layers[index - 1].padded;
		}
		if (index == pass->plan->layer_count)
			return tape;
		for (size_t each = 0; each < layers[index].directions; each++) {
			tape.gates = at;
			tape.h = tape.gates + rows * SLUICE__GATES * layers[index].padded;
			tape.c = tape.h + slots * layers[index].padded;
			at = tape.c + slots * layers[index].padded;
			if (index == layer && each == direction)
				return tape;
		}
	}
}

struct history sluice__pass_history(const struct pass *pass, size_t layer, size_t direction, float *slots)
{
	const ptrdiff_t step = (ptrdiff_t)(pass->batch * pass->plan->layers[layer].padded);
	/* A reverse direction comes from step t + 1: what it starts from lies behind its steps. */
	if (pass_runs_backwards(pass, layer, direction))
		return (struct history){slots, step, step};
	return (struct history){slots + step, step, -step};
}

struct history sluice__pass_h(const struct pass *pass, size_t layer, size_t direction)
{
	if (pass->run->tape)
		return sluice__pass_history(pass, layer, direction, sluice__pass_tape(pass, layer, direction).h);
	return sluice__pass_history(pass, layer, direction, pass_piece(pass, pass->plan->map.h[layer % 2][direction]));
}

struct rows sluice__pass_user(const struct pass *pass, const float *at, size_t width)
{
	if (pass->prepared->limits.batch_major)
		return (struct rows){at, width, pass->steps * width};
	return (struct rows){at, pass->batch * width, width};
}

bool sluice__pass_input_dropped(const struct pass *pass, size_t layer)
{
	return layer > 0 && pass->run->training && pass->prepared->network->layers[layer - 1].dropout > 0;
}

float *sluice__pass_dropped(const struct pass *pass, size_t layer)
{
	if (pass->run->tape)
		return sluice__pass_tape(pass, layer, 0).dropped;
	return pass_piece(pass, pass->plan->map.dropped);
}

struct rows sluice__pass_input(const struct pass *pass, size_t layer, size_t segment)
{
	if (layer == 0)
		return sluice__pass_user(pass, pass->run->x, pass->prepared->network->inputs);
	const struct packed_layer *before = &pass->plan->layers[layer - 1];
	if (sluice__pass_input_dropped(pass, layer)) {
		const size_t row = before->directions * before->padded;
		return (struct rows){sluice__pass_dropped(pass, layer) + segment * before->padded, pass->batch * row,
				     row};
	}
	return (struct rows){sluice__pass_h(pass, layer - 1, segment).time, pass->batch * before->padded,
			     before->padded};
}

/* What a unit is multiplied by: 0, or 1/(1-p) if its number reaches the threshold. Equation "Dropout" of EQUATIONS.md.
 */
struct mask {
	uint32_t threshold;
	float kept;
};

static struct mask mask_of(float dropout)
{
	return (struct mask){(uint32_t)floor((double)dropout * 0x1p32), (float)(1.0 / (1.0 - (double)dropout))};
}

void sluice__pass_dropout(const struct pass *pass, size_t layer, size_t direction, struct sluice__range steps,
			  const float *from, size_t from_row, float *to, size_t to_row)
{
	const sluice_run *run = pass->run;
	const struct mask mask = mask_of(pass->prepared->network->layers[layer].dropout);
	struct sluice__place place = {SLUICE__DROPOUT, layer, direction, 0, 0};
	for (size_t row = steps.first * pass->batch; row < steps.last * pass->batch; row++) {
		const size_t sequence = row % pass->batch;
		place.step = run->step_offset + row / pass->batch;
		place.sequence = run->sequence_ids ? run->sequence_ids[sequence] : sequence;
		for (size_t unit = 0; unit < pass->plan->layers[layer].padded; unit += 4) {
			uint32_t words[4];
			sluice__random(run->seed, &place, unit / 4, words);
			for (size_t lane = 0; lane < 4; lane++)
				to[row * to_row + unit + lane] = (words[lane] >= mask.threshold ? mask.kept : 0.0f) *
								 from[row * from_row + unit + lane];
		}
	}
}

void sluice__pass_load(const struct pass *pass, size_t layer, size_t direction, const float *state,
		       struct columns columns, float *h, float *c)
{
	const struct sluice__layer *sizes = &pass->prepared->network->layers[layer];
	const size_t padded = pass->plan->layers[layer].padded;
	for (size_t row = 0; row < pass->batch; row++) {
		float *to_h = h + row * padded + columns.first, *to_c = c + row * padded + columns.first;
		/* Padding that is not a number would spread in backward. */
		memset(to_h, 0, columns.vectors * sizeof *to_h);
		memset(to_c, 0, columns.vectors * sizeof *to_c);
		if (!state)
			continue;
		const float *from = state + row * pass->prepared->network->state_row + columns.first;
		memcpy(to_h, from + sizes->h[direction], columns.units * sizeof *to_h);
		memcpy(to_c, from + sizes->c[direction], columns.units * sizeof *to_c);
	}
}

struct columns sluice__pass_columns(const struct pass *pass, size_t layer, size_t first, size_t last)
{
	const size_t lanes = pass->plan->kernels.lanes, hidden = pass->plan->layers[layer].hidden;
	const size_t end = last * lanes < hidden ? last * lanes : hidden;
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
