/* memory.h: the host's allocator, and the ledger that lays many pieces out in one block. */
#ifndef SLUICE_BASE_MEMORY_H
#define SLUICE_BASE_MEMORY_H

#include <stdbool.h>
#include <sluice/sluice.h>

enum { SLUICE__ALIGNMENT = 64 };

/* The C library's allocator, for contexts that bring none. */
extern const sluice_allocator sluice__default_allocator;

/* Zeroed memory aligned to SLUICE__ALIGNMENT; NULL, with the message set, on failure. bytes 0 gives a valid block. */
void *sluice__allocate(const sluice_allocator *allocator, size_t bytes);
void sluice__release(const sluice_allocator *allocator, void *block, size_t bytes);

/* a * b, and a + b, of sizes; false when they overflow. */
bool sluice__multiply(size_t a, size_t b, size_t *product);
bool sluice__add(size_t a, size_t b, size_t *sum);

/* `value` rounded up to a multiple of `unit`, a power of two. */
static inline size_t sluice__round_up(size_t value, size_t unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

/* Books pieces of one block while it is planned; the offsets stay good for every block of `bytes` bytes. */
struct sluice__ledger {
	size_t bytes;
	bool overflow;
};

/* Books count * size elements of `element` bytes each; returns the piece's offset in bytes, aligned. */
size_t sluice__book(struct sluice__ledger *ledger, size_t count, size_t size, size_t element);

/* The piece of a block that was booked at offset. */
static inline void *sluice__piece(void *block, size_t offset)
{
	return (char *)block + offset;
}

#endif
