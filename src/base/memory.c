/* memory.c exists so that every byte comes from the host's allocator, aligned and counted, and no size wraps around. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

static void *default_allocate(void *user, size_t bytes, size_t alignment)
{
	(void)user;
	return aligned_alloc(alignment, bytes);
}

static void default_release(void *user, void *block, size_t bytes)
{
	(void)user;
	(void)bytes;
	free(block);
}

const sluice_allocator sluice__default_allocator = {default_allocate, default_release, NULL};

static size_t block_bytes(size_t bytes)
{
	return bytes ? sluice__round_up(bytes, SLUICE__ALIGNMENT) : SLUICE__ALIGNMENT;
}

void *sluice__allocate(const sluice_allocator *allocator, size_t bytes)
{
	void *block = NULL;
	if (bytes <= SIZE_MAX / 2)
		block = allocator->allocate(allocator->user, block_bytes(bytes), SLUICE__ALIGNMENT);
	if (!block) {
		sluice_fail(SLUICE_OUT_OF_MEMORY, "the allocator returned NULL for %zu bytes", bytes);
		return NULL;
	}
	memset(block, 0, block_bytes(bytes));
	return block;
}

void sluice__release(const sluice_allocator *allocator, void *block, size_t bytes)
{
	if (block)
		allocator->release(allocator->user, block, block_bytes(bytes));
}

bool sluice__multiply(size_t a, size_t b, size_t *product)
{
	if (b && a > SIZE_MAX / b)
		return false;
	*product = a * b;
	return true;
}

bool sluice__add(size_t a, size_t b, size_t *sum)
{
	if (a > SIZE_MAX - b)
		return false;
	*sum = a + b;
	return true;
}

size_t sluice__book(struct sluice__ledger *ledger, size_t count, size_t size, size_t element)
{
	size_t elements, bytes, end, offset = ledger->bytes;
	bool fits = sluice__multiply(count, size, &elements) && sluice__multiply(elements, element, &bytes) &&
		    sluice__add(offset, bytes, &end) && end <= SIZE_MAX / 4;
	if (!fits) {
		ledger->overflow = true;
		return 0;
	}
	ledger->bytes = sluice__round_up(end, SLUICE__ALIGNMENT);
	return offset;
}
