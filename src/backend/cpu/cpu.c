/* cpu.c exists to make the choices of a CPU plan: kernels, threads, memory maps; and to tell them. */
#include "backend/cpu/cpu.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/status.h"

/* Below this many floating-point operations a step is over before a second thread has noticed it. */
static const double threading_flops = 1e5;

static size_t largest(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Widths that workspaces must hold for any layer. */
struct widths {
	size_t padded, features, inputs; /* of one direction; of a layer's padded output; of any product's columns */
	bool bidirectional, dropout;
};

static struct widths find_widths(const struct cpu_plan *plan, const struct sluice__network *network)
{
	struct widths widths = {0};
	for (size_t index = 0; index < plan->layer_count; index++) {
		const struct packed_layer *layer = &plan->layers[index];
		widths.padded = largest(widths.padded, layer->padded);
		widths.features = largest(widths.features, layer->directions * layer->padded);
		widths.inputs = largest(widths.inputs, largest(layer->padded, network->layers[index].inputs));
		widths.bidirectional = widths.bidirectional || layer->directions > 1;
		widths.dropout = widths.dropout || network->layers[index].dropout > 0;
	}
	return widths;
}

static int choose_threads(const struct sluice__prepared *prepared, const struct widths *widths)
{
	const double hidden = (double)widths->padded, batch = (double)prepared->limits.batch;
	double flops = 2 * SLUICE__GATES * hidden * hidden * batch;
	/* Two directions on two threads meet once a layer, not once a step. */
	if (widths->bidirectional)
		flops *= (double)prepared->limits.steps;
	return flops < threading_flops ? 1 : prepared->parallel->threads;
}

static size_t book_floats(struct sluice__ledger *ledger, size_t count, size_t size)
{
	return sluice__book(ledger, count, size, sizeof(float));
}

static void map_forward(struct cpu_plan *plan, const struct sluice__limits *limits, size_t state_row,
			const struct widths *widths, struct sluice__ledger *ledger)
{
	struct workspace_map *map = &plan->map;
	const size_t directions = widths->bidirectional ? 2 : 1, batch = limits->batch;
	for (size_t direction = 0; direction < directions; direction++) {
		map->gates[direction] = book_floats(ledger, limits->steps * batch, SLUICE__GATES * widths->padded);
		map->h[0][direction] = book_floats(ledger, (limits->steps + 1) * batch, widths->padded);
		map->h[1][direction] = book_floats(ledger, (limits->steps + 1) * batch, widths->padded);
		map->c[direction] = book_floats(ledger, batch, widths->padded);
	}
	map->dropped = book_floats(ledger, widths->dropout ? limits->steps * batch : 0, widths->features);
	map->step_h = book_floats(ledger, batch, widths->padded);
	map->step_x = book_floats(ledger, widths->dropout ? batch : 0, widths->padded);
	map->step_state = book_floats(ledger, batch, state_row);
}

static void map_backward(struct cpu_plan *plan, const struct sluice__limits *limits,
			 const struct sluice__network *network, const struct widths *widths,
			 struct sluice__ledger *ledger)
{
	struct workspace_map *map = &plan->map;
	const size_t directions = widths->bidirectional ? 2 : 1, batch = limits->batch, rows = limits->steps * batch;
	const size_t columns = largest(widths->inputs, network->features);
	for (size_t direction = 0; direction < directions; direction++) {
		map->da[direction] = book_floats(ledger, rows, SLUICE__GATES * widths->padded);
		map->dh[direction] = book_floats(ledger, batch, widths->padded);
		map->dc[direction] = book_floats(ledger, batch, widths->padded);
	}
	map->dy[0] = book_floats(ledger, rows, widths->features);
	map->dy[1] = book_floats(ledger, rows, widths->features);
	map->columns = book_floats(ledger, sluice__matrix_columns(&plan->kernels, rows, columns), 1);
	map->rows_bytes = sluice__round_up(sluice__matrix_rows(rows) * sizeof(float), SLUICE__ALIGNMENT);
	map->rows = sluice__book(ledger, (size_t)plan->threads, map->rows_bytes, 1);
}

/* The tape of one step, and the parts that do not grow with the steps. */
static void size_tape(struct sluice__prepared *prepared, const struct cpu_plan *plan, bool *overflow)
{
	struct sluice__ledger step = {0}, fixed = {0};
	const size_t batch = prepared->limits.batch;
	for (size_t index = 0; index < plan->layer_count; index++) {
		const struct packed_layer *layer = &plan->layers[index];
		const size_t width = layer->directions * layer->padded;
		book_floats(&step, batch, SLUICE__GATES * width);
		book_floats(&step, batch, 2 * width);
		book_floats(&fixed, batch, 2 * width);
		if (prepared->network->layers[index].dropout > 0)
			book_floats(&step, batch, width);
	}
	prepared->tape_step_bytes = step.bytes;
	prepared->tape_fixed_bytes = fixed.bytes;
	struct sluice__ledger whole = {0};
	sluice__book(&whole, prepared->limits.steps, step.bytes, 1);
	*overflow = *overflow || step.overflow || fixed.overflow || whole.overflow;
}

static sluice_status size_plan(struct sluice__prepared *prepared, struct cpu_plan *plan)
{
	const struct sluice__network *network = prepared->network;
	struct sluice__ledger packed = {0}, forward = {0}, backward = {0}, rows = {0};
	bool overflow = false;
	sluice__pack_book(plan, prepared, &packed);
	const struct widths widths = find_widths(plan, network);
	plan->threads = choose_threads(prepared, &widths);
	/* T * N and (T + 1) * N first: the maps below multiply them freely. */
	sluice__book(&rows, prepared->limits.steps, prepared->limits.batch, sizeof(float));
	sluice__book(&rows, prepared->limits.batch, 1, sizeof(float));
	if (!rows.overflow) {
		map_forward(plan, &prepared->limits, network->state_row, &widths, &forward);
		if (prepared->limits.training)
			map_backward(plan, &prepared->limits, network, &widths, &backward);
		size_tape(prepared, plan, &overflow);
	}
	if (overflow || rows.overflow || packed.overflow || forward.overflow || backward.overflow ||
	    packed.bytes > SIZE_MAX / sizeof(float) / 4)
		return SLUICE_INVALID("steps %zu times batch %zu overflow the sizes of this model's workspace",
				      prepared->limits.steps, prepared->limits.batch);
	plan->packed_bytes = packed.bytes * sizeof(float);
	prepared->workspace_bytes = largest(largest(forward.bytes, backward.bytes), SLUICE__ALIGNMENT);
	return SLUICE_OK;
}

static void release(struct sluice__prepared *prepared)
{
	struct cpu_plan *plan = prepared->own;
	if (!plan)
		return;
	sluice__release(prepared->allocator, plan->packed, plan->packed_bytes);
	sluice__release(prepared->allocator, plan->layers, plan->layer_count * sizeof *plan->layers);
	sluice__release(prepared->allocator, plan, sizeof *plan);
	prepared->own = NULL;
}

static sluice_status fill(struct sluice__prepared *prepared, struct cpu_plan *plan)
{
	sluice__kernels_fill(prepared->level, &plan->kernels);
	plan->layers = sluice__allocate(prepared->allocator, plan->layer_count * sizeof *plan->layers);
	if (!plan->layers)
		return SLUICE_OUT_OF_MEMORY;
	SLUICE_TRY(size_plan(prepared, plan));
	plan->packed = sluice__allocate(prepared->allocator, plan->packed_bytes);
	if (!plan->packed)
		return SLUICE_OUT_OF_MEMORY;
	const struct sluice__kernels *kernels = &plan->kernels;
	snprintf(plan->kernels_text, sizeof plan->kernels_text, "%s %s%s%s", kernels->step_name, kernels->gemm_name,
		 prepared->limits.training ? " " : "", prepared->limits.training ? kernels->cell_backward_name : "");
	return SLUICE_OK;
}

static sluice_status prepare(struct sluice__prepared *prepared)
{
	struct cpu_plan *plan = sluice__allocate(prepared->allocator, sizeof *plan);
	if (!plan)
		return SLUICE_OUT_OF_MEMORY;
	prepared->own = plan;
	plan->layer_count = prepared->network->layer_count;
	sluice_status status = fill(prepared, plan);
	if (status != SLUICE_OK)
		release(prepared);
	return status;
}

static void update(struct sluice__prepared *prepared, const float *parameters)
{
	sluice__pack(prepared->own, prepared, parameters);
}

/* A text that grows by pieces, counted beyond its capacity as snprintf does. */
struct text {
	char *at;
	size_t capacity, length;
};

static void append(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(struct text *text, const char *format, ...)
{
	const size_t room = text->length < text->capacity ? text->capacity - text->length : 0;
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(room ? text->at + text->length : NULL, room, format, arguments);
	va_end(arguments);
	text->length += length > 0 ? (size_t)length : 0;
}

static size_t describe(const struct sluice__prepared *prepared, char *buffer, size_t capacity)
{
	static const char *const directions[] = {"forward", "reverse", "bidirectional"};
	const struct cpu_plan *plan = prepared->own;
	const struct sluice__kernels *kernels = &plan->kernels;
	const struct sluice__limits *limits = &prepared->limits;
	struct text text = {buffer, capacity, 0};
	append(&text, "backend cpu, level %s: %zu floats a vector\n", kernels->level, kernels->lanes);
	append(&text, "steps up to %zu, batch up to %zu, %s, %s%s\n", limits->steps, limits->batch,
	       limits->batch_major ? "batch-major" : "time-major", limits->training ? "training" : "inference",
	       limits->flush_denormals ? ", denormals flushed to zero" : "");
	append(&text, "threads %d of %d: %s\n", plan->threads, prepared->parallel->threads,
	       plan->threads == prepared->parallel->threads ? "as many as the context offers"
							    : "a step is too short to share");
	for (size_t index = 0; index < plan->layer_count; index++) {
		const struct sluice__layer *layer = &prepared->network->layers[index];
		append(&text, "layer %zu: %zu -> %zu %s\n", index, layer->inputs, layer->hidden,
		       directions[layer->directions > 1 ? 2 : layer->reverse]);
	}
	append(&text, "input of all steps: %s; recurrence: %s, gates kept in registers, %zu rows at a time\n",
	       kernels->gemm_name, kernels->step_name, kernels->tile_rows);
	if (limits->training)
		append(&text, "backward: %s, then %s for all other gradients\n", kernels->cell_backward_name,
		       kernels->gemm_name);
	if (prepared->network->readout)
		append(&text, "read-out: %zu -> %zu, %s\n", prepared->network->features, prepared->network->outputs,
		       kernels->gemm_name);
	append(&text, "packed weights %zu bytes, workspace %zu bytes, tape %zu bytes a step\n", plan->packed_bytes,
	       prepared->workspace_bytes, limits->training ? prepared->tape_step_bytes : 0);
	return text.length;
}

static const char *kernels_text(const struct sluice__prepared *prepared)
{
	return ((const struct cpu_plan *)prepared->own)->kernels_text;
}

const struct sluice__backend sluice__backend_cpu = {
	.name = "cpu",
	.prepare = prepare,
	.update = update,
	.release = release,
	.forward = sluice__cpu_forward,
	.step = sluice__cpu_step,
	.backward = sluice__cpu_backward,
	.describe = describe,
	.kernels = kernels_text,
	.softmax = sluice__cpu_softmax,
	.softmax_cross_entropy = sluice__cpu_softmax_cross_entropy,
	.norm = sluice__cpu_norm,
	.scale = sluice__cpu_scale,
	.embedding_forward = sluice__cpu_embedding_forward,
	.embedding_backward = sluice__cpu_embedding_backward,
	.optimizer = sluice__cpu_optimizer,
};
