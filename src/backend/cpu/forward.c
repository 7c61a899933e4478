/* forward.c exists to run a stack over time: layer by layer, each thread on units of its own, step by step. */
#include "backend/cpu/cpu.h"

#include <string.h>

/* Fills the dropped input of a layer, every thread some steps. */
static void drop_input(struct pass *pass, size_t layer, const struct team *team)
{
	if (!sluice__pass_input_dropped(pass, layer))
		return;
	const struct packed_layer *before = &pass->plan->layers[layer - 1];
	const struct sluice__range own = sluice__share(pass->steps, team->index, team->count);
	for (size_t direction = 0; direction < before->directions; direction++)
		sluice__pass_dropout(pass, layer - 1, direction, own, sluice__pass_h(pass, layer - 1, direction).time,
				     before->padded, sluice__pass_dropped(pass, layer) + direction * before->padded,
				     before->directions * before->padded);
	team_wait(team);
}

/* One layer and direction, as one thread works on it: its own blocks of units. */
struct strip {
	struct pass *pass;
	size_t layer, direction;
	const struct packed_layer *packed;
	size_t first, last; /* blocks */
	struct columns columns;
	float *gates;        /* [T,N,4 padded] */
	struct history h, c; /* c without a tape: one slot, overwritten in every step */
};

static struct strip strip_of(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct sluice__range own = sluice__share(packed->blocks, team->index, team->count);
	struct strip strip = {.pass = pass,
			      .layer = layer,
			      .direction = direction,
			      .packed = packed,
			      .first = own.first,
			      .last = own.last,
			      .columns = sluice__pass_columns(pass, layer, own.first, own.last)};
	strip.h = sluice__pass_h(pass, layer, direction);
	if (pass->run->tape) {
		const struct tape tape = sluice__pass_tape(pass, layer, direction);
		strip.gates = tape.gates;
		strip.c = sluice__pass_history(pass, layer, direction, tape.c);
	} else {
		strip.gates = pass_piece(pass, pass->plan->map.gates[direction]);
		strip.c = (struct history){pass_piece(pass, pass->plan->map.c[direction]), 0, 0};
	}
	return strip;
}

/* The first and the last step in the order of time that the direction has. */
static size_t first_step(const struct strip *strip)
{
	return pass_runs_backwards(strip->pass, strip->layer, strip->direction) ? strip->pass->steps - 1 : 0;
}

static size_t last_step(const struct strip *strip)
{
	return strip->pass->steps - 1 - first_step(strip);
}

static void store_final(const struct strip *strip)
{
	const struct pass *pass = strip->pass;
	const struct sluice__layer *layer = &pass->prepared->network->layers[strip->layer];
	const size_t end = last_step(strip);
	if (!pass->run->final_state)
		return;
	for (size_t row = 0; row < pass->batch; row++) {
		const size_t from = row * strip->packed->padded + strip->columns.first;
		float *to = (float *)pass->run->final_state + row * pass->prepared->network->state_row +
			    strip->columns.first;
		memcpy(to + layer->h[strip->direction], history_at(&strip->h, end) + from,
		       strip->columns.units * sizeof *to);
		memcpy(to + layer->c[strip->direction], history_at(&strip->c, end) + from,
		       strip->columns.units * sizeof *to);
	}
}

/* Whether a step multiplies its input itself. Else the input of all steps is projected first, in one product that reads
 * the weights once: that pays while rows are few, until what it writes and reads again outweighs the weights. */
static bool fuses_input(const struct strip *strip)
{
	enum { FEW_ROWS = 6, MANY_ROWS = 32, RESIDENT_BYTES = 1 << 20 };
	const struct pass *pass = strip->pass;
	const size_t width = pass->prepared->network->layers[strip->layer].inputs + strip->packed->hidden;
	const size_t unit_bytes = SLUICE__GATES * pass->plan->kernels.lanes * sizeof(float);
	const bool resident = (strip->last - strip->first) * width * unit_bytes <= RESIDENT_BYTES;
	return pass->batch >= MANY_ROWS || (pass->batch >= FEW_ROWS && resident);
}

/* gates = bias + input W^T of all steps, for the strip's blocks. */
static void project_input(const struct strip *strip)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const size_t block_floats = SLUICE__GATES * pass->plan->kernels.lanes,
		     gates_row = SLUICE__GATES * packed->padded;
	for (size_t block = strip->first; block < strip->last; block++)
		for (size_t each = 0; each < packed->segments; each++) {
			const struct segment *segment = &packed->segment[each];
			const struct product product = {
				.last = pass->steps,
				.batch = pass->batch,
				.a = sluice__pass_input(pass, strip->layer, each),
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

/* The products that enter a step: its input, unless that has been projected, and h. They are added in this order. */
static void set_operands(const struct strip *strip, bool fused, size_t t, struct sluice__step *job)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const float *weights = pass->plan->packed;
	job->operands = 0;
	for (size_t each = 0; fused && each < packed->segments; each++) {
		const struct segment *segment = &packed->segment[each];
		const struct rows x = sluice__pass_input(pass, strip->layer, each);
		job->operand[job->operands++] = (struct sluice__operand){x.at + t * x.step, x.row, segment->width,
									 weights + segment->forward[strip->direction]};
	}
	job->operand[job->operands++] =
		(struct sluice__operand){history_before(&strip->h, t), packed->padded, packed->hidden,
					 weights + packed->recurrent[strip->direction]};
}

static void recur(const struct strip *strip, bool fused, const struct team *team)
{
	const struct pass *pass = strip->pass;
	const struct packed_layer *packed = strip->packed;
	const size_t gates_row = SLUICE__GATES * packed->padded, start = first_step(strip);
	struct sluice__step job = {
		.rows = pass->batch,
		.first = strip->first,
		.last = strip->last,
		.start = pass->plan->packed + packed->bias[strip->direction],
		.start_row = fused ? 0 : gates_row,
		.c_prev_row = packed->padded,
		.c_row = packed->padded,
		.h_row = packed->padded,
		.gates_row = gates_row,
	};
	for (size_t done = 0; done < pass->steps; done++) {
		const size_t t = start ? start - done : done;
		float *gates = strip->gates + t * pass->batch * gates_row;
		if (!fused)
			job.start = gates;
		job.gates = pass->run->tape ? gates : NULL;
		/* Every other step begins with the weights that the step before read last: they are still in the cache.
		 */
		job.descending = done % 2 != 0;
		set_operands(strip, fused, t, &job);
		job.c_prev = history_before(&strip->c, t);
		job.h = history_at(&strip->h, t);
		job.c = history_at(&strip->c, t);
		pass->plan->kernels.step(&job);
		team_wait(team);
	}
}

static void run_direction(struct pass *pass, size_t layer, size_t direction, const struct team *team)
{
	const struct strip strip = strip_of(pass, layer, direction, team);
	const bool fused = fuses_input(&strip);
	const size_t start = first_step(&strip);
	sluice__pass_load(pass, layer, direction, pass->run->initial_state, strip.columns,
			  history_before(&strip.h, start), history_before(&strip.c, start));
	if (!fused)
		project_input(&strip);
	team_wait(team);
	recur(&strip, fused, team);
	store_final(&strip);
}

/* y of the steps first .. last-1 from the last layer's h. */
static void copy_output(const struct pass *pass, size_t first, size_t last)
{
	const struct sluice__network *network = pass->prepared->network;
	const size_t layer = network->layer_count - 1, features = network->features;
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct rows y = sluice__pass_user(pass, pass->run->y, features);
	for (size_t direction = 0; direction < packed->directions; direction++) {
		const float *h = sluice__pass_h(pass, layer, direction).time;
		for (size_t t = first; t < last; t++)
			for (size_t row = 0; row < pass->batch; row++)
				memcpy(pass->run->y + t * y.step + row * y.row + direction * packed->hidden,
				       h + (t * pass->batch + row) * packed->padded, packed->hidden * sizeof *h);
	}
}

static void read_out(const struct pass *pass, size_t first, size_t last)
{
	const struct sluice__network *network = pass->prepared->network;
	const size_t layer = network->layer_count, outputs = network->outputs;
	const struct rows y = sluice__pass_user(pass, pass->run->y, outputs);
	for (size_t each = 0; each < pass->plan->readout.segments; each++) {
		const struct product product = {
			.first = first,
			.last = last,
			.batch = pass->batch,
			.a = sluice__pass_input(pass, layer, each),
			.depth = pass->plan->layers[layer - 1].hidden,
			.width = outputs,
			.panels = pass->plan->packed + pass->plan->readout.forward[each],
			.bias = pass->plan->packed + pass->plan->readout.bias,
			.add = each > 0,
			.c = pass->run->y,
			.c_step = y.step,
			.c_row = y.row,
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

static void forward(struct pass *pass, const struct team *team)
{
	for (size_t layer = 0; layer < pass->plan->layer_count; layer++) {
		drop_input(pass, layer, team);
		sluice__pass_directions(pass, layer, team, run_direction);
	}
	output(pass, team);
}

sluice_status sluice__cpu_forward(const struct sluice__prepared *prepared, const sluice_run *run)
{
	struct pass pass = {
		.prepared = prepared, .plan = prepared->own, .run = run, .steps = run->steps, .batch = run->batch};
	sluice__pass_run(&pass, pass.plan->threads, forward);
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
	if (!sluice__pass_input_dropped(pass, layer))
		return rows;
	const size_t padded = pass->plan->layers[layer - 1].padded;
	float *dropped = pass_piece(pass, pass->plan->map.step_x);
	sluice__pass_dropout(pass, layer - 1, 0, (struct sluice__range){0, 1}, rows.at, rows.row, dropped, padded);
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
	float *scratch = pass_piece(pass, pass->plan->map.step_h);
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
		memcpy(state + sizes->h[0] + row * state_row, scratch + row * packed->padded,
		       packed->hidden * sizeof *scratch);
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
		state = pass_piece(pass, pass->plan->map.step_state);
	if (!pass->run->initial_state)
		memset(state, 0, bytes);
	else if (state != pass->run->initial_state)
		memcpy(state, pass->run->initial_state, bytes);
	return state;
}

static void step(struct pass *pass, const struct team *team)
{
	(void)team; /* of one */
	float *state = step_state(pass);
	for (size_t layer = 0; layer < pass->plan->layer_count; layer++)
		step_layer(pass, state, layer);
	if (pass->run->y)
		step_output(pass, state);
}

sluice_status sluice__cpu_step(const struct sluice__prepared *prepared, const sluice_run *run)
{
	struct pass pass = {.prepared = prepared, .plan = prepared->own, .run = run, .steps = 1, .batch = run->batch};
	sluice__pass_run(&pass, 1, step);
	return SLUICE_OK;
}
