/*
 * object.h: objects that are counted, in whatever threads they are, and how calls of MPSGraph's and MPS's files fail.
 */
#ifndef SLUICE_FACADE_OBJECT_H
#define SLUICE_FACADE_OBJECT_H

#include <stdatomic.h>

#include <sluice/sluice.h>

#define MPS_TRY(expression)                           \
	do {                                          \
		sluice_status status_ = (expression); \
		if (status_ != SLUICE_OK)             \
			return status_;               \
	} while (0)
#define MPS_INVALID(...) sluice_fail(SLUICE_INVALID_ARGUMENT, __VA_ARGS__)

/* The first member of everything that is counted. */
struct object {
	atomic_size_t count;
	void (*destroy)(void *object);
};

/* Zeroed, with count 1; NULL with a message on failure. destroy frees what the object holds, and the object. */
void *sluice__object_new(size_t bytes, void (*destroy)(void *object));
void *sluice__object_retain(void *object);
void sluice__object_release(void *object);

/* calloc with a message. count may be 0. */
void *sluice__object_allocate(size_t count, size_t bytes);

/* The retain and release of a class. */
#define MPS_COUNTED(class)                            \
	class *class##_retain(class *object)          \
	{                                             \
		return sluice__object_retain(object); \
	}                                             \
	void class##_release(class *object)           \
	{                                             \
		sluice__object_release(object);       \
	}

#endif
