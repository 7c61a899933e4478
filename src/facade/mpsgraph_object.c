/* mpsgraph_object.c exists to count the references to objects, in whatever threads they are. */
#include "mpsgraph_internal.h"

#include <stdlib.h>

void *sluice__mpsgraph_allocate(size_t count, size_t bytes)
{
	void *block = calloc(count ? count : 1, bytes ? bytes : 1);
	if (!block)
		sluice_fail(SLUICE_OUT_OF_MEMORY, "calloc returned NULL for %zu times %zu bytes", count, bytes);
	return block;
}

void *sluice__mpsgraph_object(size_t bytes, void (*destroy)(void *object))
{
	struct object *object = sluice__mpsgraph_allocate(1, bytes);
	if (!object)
		return NULL;
	atomic_init(&object->count, 1);
	object->destroy = destroy;
	return object;
}

void *sluice__mpsgraph_retain(void *object)
{
	if (object)
		atomic_fetch_add_explicit(&((struct object *)object)->count, 1, memory_order_relaxed);
	return object;
}

void sluice__mpsgraph_release(void *object)
{
	struct object *counted = object;
	/* What other threads did with the object happens before its end. */
	if (counted && atomic_fetch_sub_explicit(&counted->count, 1, memory_order_acq_rel) == 1)
		counted->destroy(object);
}

const char *sluice_mpsgraph_last_message(void)
{
	return sluice_last_message();
}
