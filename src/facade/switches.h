/*
 * switches.h: the options structs of the front ends: read from callers of any version, their switches 0 or 1.
 */
#ifndef SLUICE_FACADE_SWITCHES_H
#define SLUICE_FACADE_SWITCHES_H

#include <sluice/sluice.h>

/* An int of an options struct, at this byte of it. */
struct switch_field {
	const char *name;
	size_t at;
};

/* Copies a struct of options that begins with its size: fields that the caller has not are zero, and fields that we
 * have not (beyond `bytes`) must be. Errors: INVALID_ARGUMENT, UNSUPPORTED. */
sluice_status sluice__switches_read(const void *given, const struct switch_field *fields, size_t count, size_t bytes,
				    void *options);

#endif
