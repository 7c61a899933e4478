/* describe.c exists to tell what a CPU plan has chosen, and why. */
#include "backend/cpu/cpu.h"

#include <stdarg.h>
#include <stdio.h>

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

static const char *activation_name(sluice_activation_kind kind)
{
	static const char *const names[] = {
#define ACTIVATION_NAME(name, text) [SLUICE_ACTIVATION_##name] = text,
		SLUICE_ACTIVATION_MAP(ACTIVATION_NAME)
#undef ACTIVATION_NAME
	};
	return names[kind];
}

/* What the kernel's epilogue does for a cell that is not the standard one; then what a layer's steps do besides the
 * kernel, in the order in which they do it. */
static void append_options(struct text *text, const struct packed_layer *layer)
{
	const sluice_layer *options = layer->options;
	const struct {
		bool done;
		const char *what;
	} parts[] = {
		{options->peephole == SLUICE_PEEPHOLE_DIAGONAL, "diagonal peepholes"},
		{options->peephole == SLUICE_PEEPHOLE_ELEMENT, "peepholes for each element"},
		{layer->images && !layer->side, "what kernels see is gathered"},
		{layer->side && !layer->points_of_input, "h is convolved by tiles, x is gathered"},
		{layer->side && layer->points_of_input, "x and h are convolved by tiles"},
		{options->gate_clip > 0 || options->cell_clip > 0, "clips"},
		{options->coupled != 0, "coupled gates"},
		{options->no_gates != 0, "absent gates"},
		{options->input != SLUICE_INPUT_WEIGHTS, "x is placed, not multiplied"},
		{options->dropconnect > 0, "R is packed with its mask once a training run"},
		{options->recurrent_dropout > 0, "h is masked before the step"},
		{options->learned_start != 0, "a learned start"},
		{options->combination == SLUICE_ADD, "both directions are added"},
		{options->combination == SLUICE_SEPARATE, "each direction is a result of its own"},
		{layer->full, "c is a factor of the gates' product"},
		{layer->split, "the output gate follows once all of c is there"},
		{options->projection != 0, "h is projected by gemm"},
		{options->zoneout_h > 0 || options->zoneout_c > 0, "zoneout after the step"},
		{layer->keeps_arguments, "training keeps what the gates were activated from"},
	};
	for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++)
		if (parts[j].done)
			append(text, "; %s", parts[j].what);
}

static void append_layer(struct text *text, const struct packed_layer *layer, const struct sluice__layer *sizes,
			 size_t index)
{
	static const char *const directions[] = {"forward", "reverse", "bidirectional"};
	append(text, "layer %zu: %zu -> %zu %s, ", index, sizes->inputs, layer->out,
	       directions[layer->directions > 1 ? 2 : sizes->reverse]);
	if (layer->images)
		append(text, "images of %zu x %zu to %zu x %zu by kernels of %zu x %zu and %zu x %zu, ",
		       sizes->from.height, sizes->from.width, sizes->image.height, sizes->image.width,
		       sizes->input.height, sizes->input.width, sizes->recurrent.height, sizes->recurrent.width);
	if (layer->standard) {
		append(text, "standard cell");
	} else {
		append(text, "cell with options: i f g o c by");
		for (size_t slot = 0; slot < SLUICE__SLOTS; slot++)
			append(text, " %s", activation_name(sluice__layer_activation(layer->options, slot).kind));
	}
	append_options(text, layer);
	append(text, "\n");
}

static void append_tape(struct text *text, const struct sluice__prepared *prepared)
{
	static const char *const modes[] = {"gates, h and c", "h and c, gates are computed again",
					    "none, gates and c of the run"};
	const struct sluice__limits *limits = &prepared->limits;
	if (limits->training)
		append(text, "tape: %s, in %s, %zu bytes a step\n", modes[limits->tape_mode],
		       sluice__dtype_name(limits->tape), prepared->tape_step_bytes);
}

size_t sluice__cpu_describe(const struct sluice__prepared *prepared, char *buffer, size_t capacity)
{
	const struct cpu_plan *plan = prepared->own;
	const struct sluice__limits *limits = &prepared->limits;
	struct text text = {buffer, capacity, 0};
	append(&text, "backend cpu, level %s: %zu numbers a vector, arithmetic in %s\n", plan->kernels.level,
	       plan->kernels.lanes, sluice__dtype_name(SLUICE__REAL_DTYPE));
	append(&text, "steps up to %zu, batch up to %zu, %s, %s%s\n", limits->steps, limits->batch,
	       limits->batch_major ? "batch-major" : "time-major", limits->training ? "training" : "inference",
	       limits->flush_denormals ? ", denormals flushed to zero" : "");
	append(&text, "threads %d of %d: %s\n", plan->threads, prepared->parallel->threads,
	       plan->threads == prepared->parallel->threads ? "as many as the context offers"
							    : "a step is too short to share");
	append(&text, "weights in %s, data in %s%s\n", sluice__dtype_name(limits->weights),
	       sluice__dtype_name(limits->data), plan->widens_data ? ": widened and narrowed once a call" : "");
	for (size_t index = 0; index < plan->layer_count; index++)
		append_layer(&text, &plan->layers[index], &prepared->network->layers[index], index);
	append(&text, "kernels %s: gates kept in registers, %zu rows at a time; gemm for %s\n", plan->kernels_text,
	       plan->kernels.tile_rows,
	       limits->training ? "the input of all steps and every gradient" : "the input of all steps");
	if (prepared->network->readout)
		append(&text, "read-out: %zu -> %zu by gemm\n", prepared->network->features,
		       prepared->network->outputs);
	append_tape(&text, prepared);
	append(&text, "packed weights %zu bytes, workspace %zu bytes\n", plan->packed_bytes, prepared->workspace_bytes);
	return text.length;
}
