/* tape.c exists to lay out what a forward call leaves for its backward call, and to count it. */
#include "backend/cpu/pass.h"

/* Elements of each piece of the tape for one step of one row, or for one state. */
struct piece_sizes {
	size_t gates, arguments, h, c, made;
};

static struct piece_sizes sizes_of(const struct cpu_plan *plan, const struct sluice__limits *limits, size_t layer)
{
	const struct packed_layer *packed = &plan->layers[layer];
	const bool full = limits->tape_mode == SLUICE_TAPE_FULL;
	const bool made = packed->options->dropout > 0 || packed->options->combination == SLUICE_ADD;
	const size_t gates = SLUICE__GATES * packed->padded * packed->places;
	return (struct piece_sizes){
		.gates = full ? gates : 0,
		.arguments = full && packed->keeps_arguments ? gates : 0,
		.h = packed->out_padded * packed->places,
		.c = packed->padded * packed->places,
		.made = full && made ? packed->results * packed->out_padded * packed->places : 0,
	};
}

/* NUMERICS.md, "The tape", has this sum. */
void sluice__tape_size(struct sluice__prepared *prepared, const struct cpu_plan *plan, bool *overflow)
{
	struct sluice__ledger step = {0}, fixed = {0}, whole = {0};
	const struct sluice__limits *limits = &prepared->limits;
	const size_t bytes = sluice__dtype_bytes(limits->tape);
	for (size_t index = 0; index < plan->layer_count && limits->tape_mode != SLUICE_TAPE_OUTPUTS; index++) {
		const struct piece_sizes sizes = sizes_of(plan, limits, index);
		for (size_t direction = 0; direction < plan->layers[index].directions; direction++) {
			sluice__book(&step, limits->batch, sizes.gates + sizes.arguments + sizes.h, bytes);
			sluice__book(&step, limits->batch, sizes.c, sizeof(real));
			sluice__book(&fixed, limits->batch, sizes.h, bytes);
			sluice__book(&fixed, limits->batch, sizes.c, sizeof(real));
		}
		sluice__book(&step, limits->batch, sizes.made, bytes);
	}
	prepared->tape_step_bytes = step.bytes;
	prepared->tape_fixed_bytes = fixed.bytes;
	sluice__book(&whole, limits->steps, step.bytes, 1);
	sluice__book(&whole, 1, fixed.bytes, 1);
	*overflow = *overflow || step.overflow || fixed.overflow || whole.overflow;
}

/* The next piece of the tape; NULL if it has no elements. */
static void *take(char **at, size_t rows, size_t elements, size_t bytes)
{
	void *piece = elements ? *at : NULL;
	*at += rows * elements * bytes;
	return piece;
}

struct tape sluice__pass_tape(const struct pass *pass, size_t layer, size_t direction)
{
	const struct sluice__limits *limits = &pass->prepared->limits;
	const size_t rows = pass->steps * pass->batch, slots = rows + pass->batch;
	const size_t bytes = sluice__dtype_bytes(limits->tape);
	char *at = pass->run->tape;
	size_t made = 0;
	for (size_t index = 0;; index++) {
		struct tape tape = {.made = take(&at, rows, made, bytes)};
		if (index == pass->plan->layer_count)
			return tape;
		const struct piece_sizes sizes = sizes_of(pass->plan, limits, index);
		for (size_t each = 0; each < pass->plan->layers[index].directions; each++) {
			/* The widest type first: c of any row count keeps its alignment. */
			tape.c = take(&at, slots, sizes.c, sizeof(real));
			tape.gates = take(&at, rows, sizes.gates, bytes);
			tape.arguments = take(&at, rows, sizes.arguments, bytes);
			tape.h = take(&at, slots, sizes.h, bytes);
			if (index == layer && each == direction)
				return tape;
		}
		made = sizes.made;
	}
}
