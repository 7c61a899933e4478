/* forward.c exists to run a stack over time: layer by layer, each thread on units of its own, step by step. */
#include "backend/cpu/cpu.h"

#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/philox.h"

/* One forward call, as all its threads see it. */
struct pass {
	const struct sluice__prepared *prepared;
	const struct cpu_plan *plan;
	const sluice_run *run;
	size_t steps, batch;
	struct sluice__barrier all, direction[MOST_DIRECTIONS];
};

static float *piece(const struct pass *pass, size_t offset)
{
	return sluice__piece(pass->run->workspace, offset);
}

struct tape sluice__tape(const struct sluice__prepared *prepared, const sluice_run *run, size_t layer, size_t direction)
{
	const struct cpu_plan *plan = prepared->own;
	const size_t rows = run->steps * run->batch, slots = rows + run->batch;
	float *at = run->tape;
	for (size_t index = 0;; index++) {
		const struct packed_layer *packed = &plan->layers[index];
		const bool dropped = index > 0 && prepared->network->layers[index - 1].dropout > 0;
		struct tape tape = {0};
		if (dropped) {
			tape.dropped = at;
			at += rows * plan->layers[index - 1].directions * plan->layers[index - 1].padded;
		}
		for (size_t each = 0; each < packed->directions; each++) {
			tape.gates = at;
			tape.h = tape.gates + rows * SLUICE__GATES * packed->padded;
			tape.c = tape.h + slots * packed->padded;
			at = tape.c + slots * packed->padded;
			if (index == layer && each == direction)
				return tape;
		}
		/* The read-out's dropped input follows the last layer; it is asked for as one layer more. */
		if (index + 1 == plan->layer_count)
			return (struct tape){.dropped = at};
	}
}

bool sluice__input_dropped(const struct sluice__prepared *prepared, const sluice_run *run, size_t layer)
{
	return layer > 0 && run->training && prepared->network->layers[layer - 1].dropout > 0;
}

/* The mask of four units: 0 or 1/(1-p). Equation "Dropout" of EQUATIONS.md. */
static void mask_of(float dropout, const uint32_t words[4], float mask[4])
{
	const uint32_t threshold = (uint32_t)floor((double)dropout * 0x1p32);
	const float kept = (float)(1.0 / (1.0 - (double)dropout));
	for (size_t lane = 0; lane < 4; lane++)
		mask[lane] = words[lane] >= threshold ? kept : 0.0f;
}

void sluice__dropout(const struct sluice__prepared *prepared, const sluice_run *run, size_t layer, size_t direction,
                     size_t first, size_t last, const float *from, size_t from_row, float *to, size_t to_row)
{
	const struct packed_layer *packed = &((const struct cpu_plan *)prepared->own)->layers[layer];
	const float dropout = prepared->network->layers[layer].dropout;
	struct sluice__place place = {SLUICE__DROPOUT, layer, direction, 0, 0};
	for (size_t row = first * run->batch; row < last * run->batch; row++) {
		const size_t sequence = row % run->batch;
		place.step = run->step_offset + row / run->batch;
		place.sequence = run->sequence_ids ? run->sequence_ids[sequence] : sequence;
		for (size_t unit = 0; unit < packed->padded; unit += 4) {
			uint32_t words[4];
			float mask[4];
			sluice__random(run->seed, &place, unit / 4, words);
			mask_of(dropout, words, mask);
			for (size_t lane = 0; lane < 4; lane++)
				to[row * to_row + unit + lane] = mask[lane] * from[row * from_row + unit + lane];
		}
	}
}

/* h or c of one layer and direction over time: step t at time + t * batch * padded, the state before the first step at
 * `initial`, the one after the last step at `last`. */
struct history {
	float *initial, *time, *last;
};

static bool runs_backwards(const struct pass *pass, size_t layer, size_t direction)
{
	return pass->prepared->network->layers[layer].reverse || direction == 1;
}

/* A reverse direction keeps step t at slot t, and the state before its first step behind them all. */
static struct history history_of(const struct pass *pass, size_t layer, size_t direction, float *slots)
{
	const size_t slot = pass->batch * pass->plan->layers[layer].padded, behind = pass->steps * slot;
	if (runs_backwards(pass, layer, direction))
		return (struct history){slots + behind, slots, slots};
	return (struct history){slots, slots + slot, slots + behind};
}

static float *slots_of_h(const struct pass *pass, size_t layer, size_t direction)
{
	if (pass->run->tape)
		return sluice__tape(pass->prepared, pass->run, layer, direction).h;
	return piece(pass, pass->plan->map.h[layer % 2][direction]);
}

static struct history h_of(const struct pass *pass, size_t layer, size_t direction)
{
	return history_of(pass, layer, direction, slots_of_h(pass, layer, direction));
}

/* The memory of a layer's input after dropout: [T,N,padded features of the layer before]. */
static float *dropped_input(const struct pass *pass, size_t layer)
{
	if (pass->run->tape)
		return sluice__tape(pass->prepared, pass->run, layer, 0).dropped;
	return piece(pass, pass->plan->map.dropped);
}

/* Rows of one segment of a layer's input. layer may be layer_count: the read-out. */
static struct rows input_rows(const struct pass *pass, size_t layer, size_t segment)
{
	const size_t batch = pass->batch;
	if (layer == 0) {
		const size_t inputs = pass->prepared->network->inputs;
		if (pass->prepared->limits.batch_major)
			return (struct rows){pass->run->x, inputs, pass->steps * inputs};
		return (struct rows){pass->run->x, batch * inputs, inputs};
	}
	const struct packed_layer *before = &pass->plan->layers[layer - 1];
	if (sluice__input_dropped(pass->prepared, pass->run, layer)) {
		const size_t row = before->directions * before->padded;
		return (struct rows){dropped_input(pass, layer) + segment * before->padded, batch * row, row};
	}
	return (struct rows){h_of(pass, layer - 1, segment).time, batch * before->padded, before->padded};
}

/* Fills the dropped input of a layer, every thread some steps. */
static void drop_input(struct pass *pass, size_t layer, const struct team *team)
{
	if (!sluice__input_dropped(pass->prepared, pass->run, layer))
		return;
	const struct packed_layer *before = &pass->plan->layers[layer - 1];
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	for (size_t direction = 0; direction < before->directions; direction++)
		sluice__dropout(pass->prepared, pass->run, layer - 1, direction, own.first, own.last,
		                h_of(pass, layer - 1, direction).time, before->padded,
		                dropped_input(pass, layer) + direction * before->padded,
		                before->directions * before->padded);
	team_wait(team);
}

/* One layer and direction, as one thread works on it: its own blocks of units. */
struct strip {
	struct pass *pass;
	size_t layer, direction;
	const struct packed_layer *packed;
	size_t first, last;   /* blocks */
	size_t unit, units;   /* the same in floats of a padded row; the last strip takes the padding too */
	float *gates;         /* [T,N,4 padded] */
	struct history h;
	float *c, *c_initial; /* c of step t at c + t * c_step */
	size_t c_step;
};

static struct strip strip_of(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct sluice__range own = sluice__share(packed->blocks, team->index, team->count);
	const size_t lanes = pass->plan->kernels.lanes, slot = pass->batch * packed->padded;
	struct strip strip = {.pass = pass, .layer = layer, .direction = direction, .packed = packed, .first = own.first,
	                      .last = own.last, .unit = own.first * lanes, .h = h_of(pass, layer, direction)};
	strip.units = (own.last == packed->blocks ? packed->padded : own.last * lanes) - strip.unit;
	if (own.first == own.last)
		strip.units = 0;
	if (!pass->run->tape) {
		strip.gates = piece(pass, pass->plan->map.gates[direction]);
		strip.c = strip.c_initial = piece(pass, pass->plan->map.c[direction]);
		return strip;
	}
	struct tape tape = sluice__tape(pass->prepared, pass->run, layer, direction);
	const struct history c = history_of(pass, layer, direction, tape.c);
	strip.gates = tape.gates;
	strip.c = c.time;
	strip.c_initial = c.initial;
	strip.c_step = slot;
	return strip;
}

/* The strip's part of the initial h and c, from the run's state or zero. */
static void load_initial(const struct strip *strip)
{
	const struct pass *pass = strip->pass;
	const struct sluice__layer *layer = &pass->prepared->network->layers[strip->layer];
	const float *state = pass->run->initial_state;
	for (size_t row = 0; row < pass->batch; row++) {
		float *h = strip->h.initial + row * strip->packed->padded + strip->unit;
		float *c = strip->c_initial + row * strip->packed->padded + strip->unit;
		if (!state) {
			memset(h, 0, strip->units * sizeof *h);
			memset(c, 0, strip->units * sizeof *c);
			continue;
		}
		const float *from = state + row * pass->prepared->network->state_row + strip->unit;
		memcpy(h, from + layer->h[strip->direction], strip->units * sizeof *h);
		memcpy(c, from + layer->c[strip->direction], strip->units * sizeof *c);
	}
}

static void store_final(const struct strip *strip)
{
	const struct pass *pass = strip->pass;
	const struct sluice__layer *layer = &pass->prepared->network->layers[strip->layer];
	const size_t last_step = runs_backwards(pass, strip->layer, strip->direction) ? 0 : pass->steps - 1;
	if (!pass->run->final_state)
		return;
	for (size_t row = 0; row < pass->batch; row++) {
		const size_t from = row * strip->packed->padded + strip->unit;
		float *to = (float *)pass->run->final_state + row * pass->prepared->network->state_row + strip->unit;
		memcpy(to + layer->h[strip->direction], strip->h.last + from, strip->units * sizeof *to);
		memcpy(to + layer->c[strip->direction], strip->c + last_step * strip->c_step + from,
		       strip->units * sizeof *to);
	}
}

/* gates = bias + input W^T of all steps, for the strip's blocks. */
static void project_input(const struct strip *strip)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const size_t block_floats = SLUICE__GATES * pass->plan->kernels.lanes, gates_row = SLUICE__GATES * packed->padded;
	for (size_t block = strip->first; block < strip->last; block++)
		for (size_t each = 0; each < packed->segments; each++) {
			const struct segment *segment = &packed->segment[each];
			const struct product product = {
				.last = pass->steps,
				.batch = pass->batch,
				.a = input_rows(pass, strip->layer, each),
				.depth = segment->width,
				.width = block_floats,
				.panels = pass->plan->packed + segment->forward[strip->direction] +
			                  block * segment->width * block_floats,
				.bias = pass->plan->packed + packed->bias[strip->direction] + block * block_floats,
				.add = each > 0,
				.c = strip->gates + block * block_floats,
				.c_step = pass->batch * gates_row,
				.c_row = gates_row,
				.c_padded = true,
			};
			sluice__matrix_multiply(&pass->plan->kernels, &product);
		}
}

static void recur(const struct strip *strip, const struct team *team)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const size_t slot = pass->batch * packed->padded, gates_row = SLUICE__GATES * packed->padded;
	const bool backwards = runs_backwards(pass, strip->layer, strip->direction);
	const float *h_prev = strip->h.initial, *c_prev = strip->c_initial;
	struct sluice__step job = {
		.rows = pass->batch,
		.first = strip->first,
		.last = strip->last,
		.start_row = gates_row,
		.operand[0] = {.a_row = packed->padded,
	                       .depth = packed->hidden,
	                       .panels = pass->plan->packed + packed->recurrent[strip->direction]},
		.operands = 1,
		.c_prev_row = packed->padded,
		.c_row = packed->padded,
		.h_row = packed->padded,
		.gates_row = gates_row,
	};
	for (size_t done = 0; done < pass->steps; done++) {
		const size_t t = backwards ? pass->steps - 1 - done : done;
		float *gates = strip->gates + t * pass->batch * gates_row;
		job.start = gates;
		job.gates = pass->run->tape ? gates : NULL;
		job.operand[0].a = h_prev;
		job.c_prev = c_prev;
		job.h = strip->h.time + t * slot;
		job.c = strip->c + t * strip->c_step;
		pass->plan->kernels.step(&job);
		h_prev = job.h;
		c_prev = job.c;
		team_wait(team);
	}
}

static void run_direction(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	struct strip strip = strip_of(pass, layer, direction, team);
	load_initial(&strip);
	project_input(&strip);
	team_wait(team);
	recur(&strip, team);
	store_final(&strip);
}

/* Two directions go to two halves of the team where there are two threads; else one after the other. */
static void run_layer(struct pass *pass, size_t layer, const struct team *team)
{
	const size_t directions = pass->plan->layers[layer].directions;
	drop_input(pass, layer, team);
	if (directions == 2 && team->count >= 2) {
		const int half = team->count / 2, direction = team->index >= half;
		const struct team part = {team->index - (direction ? half : 0), direction ? team->count - half : half,
		                          &pass->direction[direction]};
		run_direction(pass, layer, (size_t)direction, &part);
	} else {
		for (size_t direction = 0; direction < directions; direction++)
			run_direction(pass, layer, direction, team);
	}
	team_wait(team);
}

/* y of the steps first .. last-1 from the last layer's h. */
static void copy_output(const struct pass *pass, size_t first, size_t last)
{
	const struct sluice__network *network = pass->prepared->network;
	const size_t layer = network->layer_count - 1, features = network->features;
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const bool batch_major = pass->prepared->limits.batch_major;
	for (size_t direction = 0; direction < packed->directions; direction++) {
		const float *h = h_of(pass, layer, direction).time;
		for (size_t t = first; t < last; t++)
			for (size_t row = 0; row < pass->batch; row++) {
				size_t place = batch_major ? row * pass->steps + t : t * pass->batch + row;
				memcpy(pass->run->y + place * features + direction * packed->hidden,
				       h + (t * pass->batch + row) * packed->padded, packed->hidden * sizeof *h);
			}
	}
}

static void read_out(const struct pass *pass, size_t first, size_t last)
{
	const struct sluice__network *network = pass->prepared->network;
	const size_t layer = network->layer_count, outputs = network->outputs;
	const bool batch_major = pass->prepared->limits.batch_major;
	for (size_t each = 0; each < pass->plan->readout.segments; each++) {
		const struct product product = {
			.first = first,
			.last = last,
			.batch = pass->batch,
			.a = input_rows(pass, layer, each),
			.depth = pass->plan->layers[layer - 1].hidden,
			.width = outputs,
			.panels = pass->plan->packed + pass->plan->readout.forward[each],
			.bias = pass->plan->packed + pass->plan->readout.bias,
			.add = each > 0,
			.c = pass->run->y,
			.c_step = batch_major ? outputs : pass->batch * outputs,
			.c_row = batch_major ? pass->steps * outputs : outputs,
		};
		sluice__matrix_multiply(&pass->plan->kernels, &product);
	}
}

static void output(struct pass *pass, const struct team *team)
{
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	drop_input(pass, pass->prepared->network->layer_count, team);
	if (!pass->run->y)
		return;
	if (pass->prepared->network->readout)
		read_out(pass, own.first, own.last);
	else
		copy_output(pass, own.first, own.last);
}

static void forward_thread(void *argument, int index, int count)
{
	struct pass *pass = argument;
	const struct team team = {index, count, &pass->all};
	const bool flush = pass->prepared->limits.flush_denormals;
	const unsigned former = flush ? sluice__denormals_flush() : 0;
	for (size_t layer = 0; layer < pass->plan->layer_count; layer++)
		run_layer(pass, layer, &team);
	output(pass, &team);
	if (flush)
		sluice__denormals_restore(former);
}

sluice_status sluice__cpu_forward(const struct sluice__prepared *prepared, const sluice_run *run)
{
	struct pass pass = {.prepared = prepared, .plan = prepared->own, .run = run, .steps = run->steps,
	                    .batch = run->batch};
	sluice__parallel_run(prepared->parallel, pass.plan->threads, forward_thread, &pass);
	return SLUICE_OK;
}

/* --- one step: the same sums in the same order, without buffers over time --- */

/* The input of a layer in a step: the user's x, or h of the layer before in the state, dropped if need be. */
static struct rows step_input(const struct pass *pass, float *state, size_t layer)
{
	const struct sluice__network *network = pass->prepared->network;
	if (layer == 0)
		return (struct rows){pass->run->x, 0, network->inputs};
	struct rows rows = {state + network->layers[layer - 1].h[0], 0, network->state_row};
	if (!sluice__input_dropped(pass->prepared, pass->run, layer))
		return rows;
	const size_t padded = pass->plan->layers[layer - 1].padded;
	float *dropped = piece(pass, pass->plan->map.step_x);
	sluice__dropout(pass->prepared, pass->run, layer - 1, 0, 0, 1, rows.at, rows.row, dropped, padded);
	return (struct rows){dropped, 0, padded};
}

/* One layer of a step. The new h goes to scratch first: every unit still reads the old one. */
static void step_layer(const struct pass *pass, float *state, size_t layer)
{
	const struct sluice__layer *sizes = &pass->prepared->network->layers[layer];
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const size_t state_row = pass->prepared->network->state_row;
	const struct rows input = step_input(pass, state, layer);
	const float *weights = pass->plan->packed;
	float *scratch = piece(pass, pass->plan->map.step_h);
	const struct sluice__step job = {
		.rows = pass->batch,
		.last = packed->blocks,
		.start = weights + packed->bias[0],
		.operand[0] = {input.at, input.row, packed->segment[0].width, weights + packed->segment[0].forward[0]},
		.operand[1] = {state + sizes->h[0], state_row, packed->hidden, weights + packed->recurrent[0]},
		.operands = 2,
		.c_prev = state + sizes->c[0],
		.c_prev_row = state_row,
		.c = state + sizes->c[0],
		.c_row = state_row,
		.h = scratch,
		.h_row = packed->padded,
	};
	pass->plan->kernels.step(&job);
	for (size_t row = 0; row < pass->batch; row++)
		memcpy(state + sizes->h[0] + row * state_row, scratch + row * packed->padded, packed->hidden * sizeof *scratch);
}

static void step_output(const struct pass *pass, float *state)
{
	const struct sluice__network *network = pass->prepared->network;
	const struct rows input = step_input(pass, state, network->layer_count);
	if (!network->readout) {
		for (size_t row = 0; row < pass->batch; row++)
			memcpy(pass->run->y + row * network->outputs, input.at + row * input.row,
			       network->outputs * sizeof *input.at);
		return;
	}
	const struct product product = {
		.last = 1,
		.batch = pass->batch,
		.a = {input.at, pass->batch * input.row, input.row},
		.depth = network->features,
		.width = network->outputs,
		.panels = pass->plan->packed + pass->plan->readout.forward[0],
		.bias = pass->plan->packed + pass->plan->readout.bias,
		.c = pass->run->y,
		.c_step = pass->batch * network->outputs,
		.c_row = network->outputs,
	};
	sluice__matrix_multiply(&pass->plan->kernels, &product);
}

/* The state that the step works on: the final one, which starts as a copy of the initial one. */
static float *step_state(const struct pass *pass)
{
	const size_t bytes = pass->prepared->network->state_row * pass->batch * sizeof(float);
	float *state = pass->run->final_state;
	if (!state)
		state = piece(pass, pass->plan->map.step_state);
	if (!pass->run->initial_state)
		memset(state, 0, bytes);
	else if (state != pass->run->initial_state)
		memcpy(state, pass->run->initial_state, bytes);
	return state;
}

sluice_status sluice__cpu_step(const struct sluice__prepared *prepared, const sluice_run *run)
{
	const struct pass pass = {.prepared = prepared, .plan = prepared->own, .run = run, .steps = 1, .batch = run->batch};
	const bool flush = prepared->limits.flush_denormals;
	const unsigned former = flush ? sluice__denormals_flush() : 0;
	float *state = step_state(&pass);
	for (size_t layer = 0; layer < pass.plan->layer_count; layer++)
		step_layer(&pass, state, layer);
	if (run->y)
		step_output(&pass, state);
	if (flush)
		sluice__denormals_restore(former);
	return SLUICE_OK;
}
