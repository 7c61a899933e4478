/* cpu.c exists to make the choices of a CPU plan: kernels, threads, memory maps. */
#include "backend/cpu/cpu.h"

#include <stdio.h>

#include "base/status.h"

/* Below this many floating-point operations a step is over before a second thread has noticed it. */
static const double threading_flops = 1e5;

static size_t largest(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Sizes that workspaces must have for any layer, and what some layer needs at all. */
struct widths {
	/* At all places: of one direction's c and h, of a layer's padded results, of all its h. */
	size_t padded, out, features, both;
	size_t inputs;                           /* of any product's columns */
	size_t places;                           /* of any image */
	size_t channels;                         /* that a convolution gathers from a place, on any way */
	double flops;                            /* of the products of a step of one sequence */
	size_t thinned, thinned_back, recurrent; /* reals of R with DropConnect's mask, packed and plain */
	struct winograd_sizes winograd;
	size_t dense; /* reals of a gradient whose groups are not taken apart yet */
	bool bidirectional, dropout, makes, arguments, projection, zoneout_c;
};

static void widen_by(struct widths *widths, const struct cpu_plan *plan, const struct sluice__layer *sizes,
		     const struct packed_layer *layer)
{
	const sluice_layer *options = layer->options;
	const size_t lanes = plan->kernels.lanes, depth = SLUICE__GATES * layer->span;
	const size_t places = layer->places, recurrent_columns = layer->recurrent.taps * layer->out;
	const double flops = 2.0 * SLUICE__GATES * (double)(places * layer->padded) *
			     (double)(layer->recurrent.taps * layer->out_padded);
	widths->padded = largest(widths->padded, places * layer->padded);
	widths->out = largest(widths->out, places * layer->out_padded);
	widths->features = largest(widths->features, places * layer->results * layer->out_padded);
	widths->both = largest(widths->both, places * layer->directions * layer->out_padded);
	widths->places = largest(widths->places, largest(places, layer->places_before));
	if (layer->images)
		widths->channels = largest(widths->channels, largest(depth, largest(layer->out, sizes->inputs)));
	widths->flops = flops > widths->flops ? flops : widths->flops;
	widths->inputs = largest(widths->inputs, largest(layer->padded, layer->out_padded));
	widths->inputs = largest(widths->inputs, layer->input.taps * sizes->inputs);
	widths->inputs = largest(widths->inputs, layer->recurrent.taps * layer->out);
	widths->inputs = largest(widths->inputs, layer->memory.taps * layer->hidden);
	widths->bidirectional = widths->bidirectional || layer->directions > 1;
	widths->makes = widths->makes || options->dropout > 0 || options->combination == SLUICE_ADD;
	widths->dropout = widths->dropout || options->dropout > 0;
	widths->arguments = widths->arguments || layer->keeps_arguments;
	widths->projection = widths->projection || options->projection;
	widths->zoneout_c = widths->zoneout_c || options->zoneout_c > 0;
	widths->dense = largest(widths->dense, sluice__convolution_dense(layer, sizes));
	if (!(options->dropconnect > 0))
		return;
	widths->thinned = largest(widths->thinned, depth * recurrent_columns);
	widths->thinned_back =
		largest(widths->thinned_back, layer->recurrent.taps * depth * layer->out_vectors * lanes);
	widths->recurrent = largest(widths->recurrent, SLUICE__GATES * layer->hidden * sizes->recurrent_depth);
}

static struct widths find_widths(const struct cpu_plan *plan, const struct sluice__network *network,
				 const struct sluice__limits *limits)
{
	struct widths widths = {0};
	for (size_t index = 0; index < plan->layer_count; index++) {
		widen_by(&widths, plan, &network->layers[index], &plan->layers[index]);
		sluice__winograd_sizes(plan, &plan->layers[index], &network->layers[index], limits->training,
				       &widths.winograd);
	}
	return widths;
}

static int choose_threads(const struct sluice__prepared *prepared, const struct widths *widths)
{
	double flops = widths->flops * (double)prepared->limits.batch;
	/* Two directions on two threads meet once a layer, not once a step. */
	if (widths->bidirectional)
		flops *= (double)prepared->limits.steps;
	return flops < threading_flops ? 1 : prepared->parallel->threads;
}

static size_t book_reals(struct sluice__ledger *ledger, size_t count, size_t size)
{
	return sluice__book(ledger, count, size, sizeof(real));
}

/* What forward and backward both need. */
static void map_shared(struct cpu_plan *plan, const struct sluice__limits *limits,
		       const struct sluice__network *network, const struct widths *widths,
		       struct sluice__ledger *ledger)
{
	struct workspace_map *map = &plan->map;
	const size_t batch = limits->batch, rows = limits->steps * batch;
	sluice__schedule_book(map, limits, ledger);
	const size_t patch_rows = rows * widths->places < CONVOLUTION_ROWS ? rows * widths->places : CONVOLUTION_ROWS;
	map->patches_bytes = sluice__round_up(patch_rows * largest(CONVOLUTION_DEPTH, widths->channels) * sizeof(real),
					      SLUICE__ALIGNMENT);
	map->points_bytes = sluice__round_up(widths->winograd.points * sizeof(real), SLUICE__ALIGNMENT);
	map->x = book_reals(ledger, rows, network->x_width);
	map->y[0] = book_reals(ledger, rows, network->y_width);
	map->y[1] = book_reals(ledger, network->separate ? rows : 0, network->y_width);
	map->last = book_reals(ledger, batch, widths->features);
	for (size_t direction = 0; direction < (widths->bidirectional ? 2 : 1); direction++) {
		map->cut_h[direction] = book_reals(ledger, batch, widths->out);
		map->cut_c[direction] = book_reals(ledger, batch, widths->padded);
		map->mask[direction] = book_reals(ledger, batch, widths->out);
		map->masked[direction] = book_reals(ledger, batch, widths->out);
		map->zone_h[direction] = book_reals(ledger, batch, widths->out);
		map->zone_c[direction] = book_reals(ledger, batch, widths->padded);
		map->fresh_c[direction] = book_reals(ledger, batch, widths->padded);
		map->waiting[direction] = book_reals(ledger, batch, widths->padded);
		map->q[direction] = book_reals(ledger, batch, widths->padded);
		map->spare_h[direction] = book_reals(ledger, batch, widths->out);
		map->spare_c[direction] = book_reals(ledger, batch, widths->padded);
		map->thinned[direction] = book_reals(ledger, widths->thinned, 1);
		map->points[direction] =
			sluice__book(ledger, widths->winograd.points ? (size_t)plan->threads : 0, map->points_bytes, 1);
		map->patches[direction] =
			sluice__book(ledger, widths->channels ? (size_t)plan->threads : 0, map->patches_bytes, 1);
	}
}

static void map_forward(struct cpu_plan *plan, const struct sluice__limits *limits, size_t state_row,
			const struct widths *widths, struct sluice__ledger *ledger)
{
	struct workspace_map *map = &plan->map;
	const size_t batch = limits->batch, rows = limits->steps * batch, slots = rows + batch;
	const bool outputs = limits->training && limits->tape_mode == SLUICE_TAPE_OUTPUTS;
	for (size_t direction = 0; direction < (widths->bidirectional ? 2 : 1); direction++) {
		map->gates[direction] = book_reals(ledger, rows, SLUICE__GATES * widths->padded);
		map->arguments[direction] = book_reals(ledger, widths->arguments && limits->training ? rows : 0,
						       SLUICE__GATES * widths->padded);
		map->h[0][direction] = book_reals(ledger, slots, widths->out);
		map->h[1][direction] = book_reals(ledger, slots, widths->out);
		map->c[direction] = book_reals(ledger, outputs ? slots : batch, widths->padded);
	}
	map->made = book_reals(ledger, widths->makes ? rows : 0, widths->features);
	map->step_h = book_reals(ledger, batch, widths->out);
	map->step_x = book_reals(ledger, widths->dropout ? batch : 0, widths->out);
	map->step_state = book_reals(ledger, batch, state_row);
}

static void map_backward(struct cpu_plan *plan, const struct sluice__limits *limits,
			 const struct sluice__network *network, const struct widths *widths,
			 struct sluice__ledger *ledger)
{
	struct workspace_map *map = &plan->map;
	const size_t batch = limits->batch, rows = limits->steps * batch;
	const size_t columns = largest(widths->inputs, network->features);
	for (size_t direction = 0; direction < (widths->bidirectional ? 2 : 1); direction++) {
		map->da[direction] = book_reals(ledger, rows, SLUICE__GATES * widths->padded);
		map->dh[direction] = book_reals(ledger, batch, widths->out);
		map->held_h[direction] = book_reals(ledger, batch, widths->out);
		map->held_c[direction] = book_reals(ledger, batch, widths->padded);
		map->dstart_h[direction] = book_reals(ledger, 1, widths->out);
		map->dstart_c[direction] = book_reals(ledger, 1, widths->padded);
		map->dc[direction] = book_reals(ledger, batch, widths->padded);
		map->dr[direction] = book_reals(ledger, widths->projection ? rows : batch, widths->out);
		map->dq[direction] = book_reals(ledger, batch, widths->padded);
		map->dc_kept[direction] = book_reals(ledger, batch, widths->padded);
		map->carry[direction] = book_reals(ledger, batch, widths->out);
		map->qs[direction] = book_reals(ledger, widths->projection ? rows : 0, widths->padded);
		map->fresh_cs[direction] = book_reals(ledger, widths->zoneout_c ? rows : 0, widths->padded);
		map->masked_h[direction] = book_reals(ledger, rows, widths->out);
		map->sums[direction] = book_reals(ledger, SLUICE__GATES + SLUICE__SLOPES, widths->padded);
		map->thinned_back[direction] = book_reals(ledger, widths->thinned_back, 1);
		map->drecurrent[direction] = book_reals(ledger, widths->recurrent, 1);
	}
	map->dense = book_reals(ledger, widths->dense, 1);
	map->seen = book_reals(ledger, widths->winograd.seen, 1);
	map->point_sums = book_reals(ledger, widths->winograd.gradient, 1);
	map->dx = book_reals(ledger, rows, network->x_width);
	map->dlast = book_reals(ledger, batch, widths->both);
	map->dy[0] = book_reals(ledger, rows, widths->both);
	map->dy[1] = book_reals(ledger, rows, widths->both);
	map->columns = book_reals(ledger, sluice__matrix_columns(&plan->kernels, rows * widths->places, columns), 1);
	map->rows_bytes =
		sluice__round_up(sluice__matrix_rows(rows * widths->places) * sizeof(real), SLUICE__ALIGNMENT);
	map->rows = sluice__book(ledger, (size_t)plan->threads, map->rows_bytes, 1);
}

static sluice_status size_plan(struct sluice__prepared *prepared, struct cpu_plan *plan)
{
	const struct sluice__network *network = prepared->network;
	const struct sluice__limits *limits = &prepared->limits;
	struct sluice__ledger packed = {0}, forward = {0}, backward = {0}, rows = {0};
	bool overflow = false;
	sluice__pack_book(plan, prepared, &packed);
	const struct widths widths = find_widths(plan, network, limits);
	plan->threads = choose_threads(prepared, &widths);
	/* T * N and (T + 1) * N first: the maps below multiply them freely. */
	sluice__book(&rows, limits->steps, limits->batch, widths.places * sizeof(real));
	sluice__book(&rows, limits->batch, 1, widths.places * sizeof(real));
	if (!rows.overflow) {
		map_shared(plan, limits, network, &widths, &forward);
		backward = forward;
		map_forward(plan, limits, network->state_row, &widths, &forward);
		if (plan->restores)
			backward = forward;
		if (limits->training)
			map_backward(plan, limits, network, &widths, &backward);
		sluice__tape_size(prepared, plan, &overflow);
	}
	if (overflow || rows.overflow || packed.overflow || forward.overflow || backward.overflow)
		return SLUICE_INVALID("steps %zu times batch %zu overflow the sizes of this model's workspace",
				      limits->steps, limits->batch);
	plan->packed_bytes = packed.bytes;
	prepared->workspace_bytes = largest(largest(forward.bytes, backward.bytes), SLUICE__ALIGNMENT);
	return SLUICE_OK;
}

/* Whether nothing happens in a step but its kernel: what may then run is chosen before, not asked in every step. */
static bool is_plain(const struct cpu_plan *plan, const struct packed_layer *layer)
{
	const sluice_layer *options = layer->options;
	return !layer->full && !options->projection && options->zoneout_h == 0 && options->zoneout_c == 0 &&
	       options->recurrent_dropout == 0 && options->dropconnect == 0 && !plan->widens_data;
}

static void name_kernels(struct cpu_plan *plan, const struct sluice__prepared *prepared)
{
	const char *level = plan->kernels.level, *type = sluice__dtype_name(plan->panel_type);
	const char *arithmetic = sluice__dtype_name(SLUICE__REAL_DTYPE);
	bool split = false, tiles = false;
	for (size_t index = 0; index < plan->layer_count; index++) {
		split = split || plan->layers[index].split;
		tiles = tiles || plan->layers[index].side;
	}
	int length = snprintf(plan->kernels_text, sizeof plan->kernels_text, "%s/step_%s %s/gemm_%s", level, type,
			      level, type);
	if (tiles)
		length += snprintf(plan->kernels_text + length, sizeof plan->kernels_text - (size_t)length,
				   " %s/winograd_%s", level, arithmetic);
	if (split)
		length += snprintf(plan->kernels_text + length, sizeof plan->kernels_text - (size_t)length,
				   " %s/output_%s", level, arithmetic);
	if (prepared->limits.training)
		snprintf(plan->kernels_text + length, sizeof plan->kernels_text - (size_t)length,
			 " %s/cell_backward_%s", level, arithmetic);
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
	const struct sluice__limits *limits = &prepared->limits;
	sluice__kernels_fill(prepared->level, &plan->kernels);
	plan->panel_type = limits->weights;
	plan->panel_bytes = sluice__dtype_bytes(limits->weights);
	plan->images = prepared->network->images;
	plan->widens_data = limits->data != SLUICE__REAL_DTYPE;
	plan->restores = limits->tape_mode != SLUICE_TAPE_FULL || limits->tape != SLUICE__REAL_DTYPE;
	plan->layers = sluice__allocate(prepared->allocator, plan->layer_count * sizeof *plan->layers);
	if (!plan->layers)
		return SLUICE_OUT_OF_MEMORY;
	SLUICE_TRY(size_plan(prepared, plan));
	for (size_t index = 0; index < plan->layer_count; index++)
		plan->layers[index].plain = is_plain(plan, &plan->layers[index]);
	plan->packed = sluice__allocate(prepared->allocator, plan->packed_bytes);
	if (!plan->packed)
		return SLUICE_OUT_OF_MEMORY;
	if (prepared->network->images)
		sluice__convolution_fill(plan, prepared);
	name_kernels(plan, prepared);
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

static const void *start(const struct sluice__prepared *prepared)
{
	const struct cpu_plan *plan = prepared->own;
	return packed_reals(plan, plan->start);
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
	.block = sluice__cpu_block,
	.step = sluice__cpu_step,
	.backward = sluice__cpu_backward,
	.start = start,
	.describe = sluice__cpu_describe,
	.kernels = kernels_text,
#ifndef SLUICE_REAL_F64
	.softmax = sluice__cpu_softmax,
	.softmax_cross_entropy = sluice__cpu_softmax_cross_entropy,
	.norm = sluice__cpu_norm,
	.scale = sluice__cpu_scale,
	.embedding_forward = sluice__cpu_embedding_forward,
	.embedding_backward = sluice__cpu_embedding_backward,
	.optimizer = sluice__cpu_optimizer,
#endif
};
