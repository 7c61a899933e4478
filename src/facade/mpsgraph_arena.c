/* mpsgraph_arena.c exists to lay the tensors of a program out in as little memory as comes of taking the first gap. */
#include "mpsgraph_internal.h"

enum { ALIGNMENT = 64 };

static size_t aligned(size_t bytes)
{
	return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int lives_meet(const struct slot *a, const struct slot *b)
{
	return a->first <= b->last && b->first <= a->last;
}

static size_t end_of(const struct slot *slot)
{
	return slot->offset + aligned(slot->tensor->bytes);
}

/* One of the first `count` slots that lies where `slot` would; NULL: there is none. */
static const struct slot *obstacle(const struct program *program, size_t count, const struct slot *slot)
{
	for (size_t k = 0; k < count; k++) {
		const struct slot *other = &program->slots[k];
		if (other->source == SOURCE_ARENA && lives_meet(slot, other) && slot->offset < end_of(other) &&
		    other->offset < end_of(slot))
			return other;
	}
	return NULL;
}

sluice_status sluice__mpsgraph_arena(struct program *program)
{
	const size_t most = PTRDIFF_MAX / 2; /* a tensor has no more bytes, either, or the arena is refused */
	for (size_t k = 0; k < program->slot_count; k++) {
		struct slot *slot = &program->slots[k];
		if (slot->source != SOURCE_ARENA)
			continue;
		const struct slot *other;
		if (slot->tensor->bytes > most)
			return sluice_fail(SLUICE_OUT_OF_MEMORY, "a tensor of %zu bytes is too large",
					   slot->tensor->bytes);
		while ((other = obstacle(program, k, slot)) != NULL)
			slot->offset = end_of(other);
		if (end_of(slot) > most)
			return sluice_fail(SLUICE_OUT_OF_MEMORY, "the tensors of the run need more than %zu bytes",
					   most);
		if (end_of(slot) > program->arena_bytes)
			program->arena_bytes = end_of(slot);
	}
	return SLUICE_OK;
}
