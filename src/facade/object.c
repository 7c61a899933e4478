/* object.c exists to count the references to objects, in whatever threads they are. */
#include "object.h"

#include <stdlib.h>

void *sluice__object_allocate(size_t count, size_t bytes)
{
	void *block = calloc(count ? count : 1, bytes ? bytes : 1);
	if (!block)
		sluice_fail(SLUICE_OUT_OF_MEMORY, "calloc returned NULL for %zu times %zu bytes", count, bytes);
	return block;
}

void *sluice__object_new(size_t bytes, void (*destroy)(void *object))
{
	struct object *object = sluice__object_allocate(1, bytes);
	if (!object)
		return NULL;
	atomic_init(&object->count, 1);
	object->destroy = destroy;
	return object;
}

void *sluice__object_retain(void *object)
{
	if (object)
		atomic_fetch_add_explicit(&((struct object *)object)->count, 1, memory_order_relaxed);
	return object;
}

void sluice__object_release(void *object)
{
	struct object *counted = object;
	/* What other threads did with the object happens before its end. */
	if (counted && atomic_fetch_sub_explicit(&counted->count, 1, memory_order_acq_rel) == 1)
		counted->destroy(object);
}
