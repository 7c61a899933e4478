/* switches.c exists to read the options of every front end by one rule, whatever version the caller is of. */
#include "switches.h"

#include <string.h>

sluice_status sluice__switches_read(const void *given, const struct switch_field *fields, size_t count, size_t bytes,
				    void *options)
{
	size_t size;
	memcpy(&size, given, sizeof size);
	if (size < sizeof size)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "options.size is %zu, expected its sizeof", size);
	for (size_t byte = bytes; byte < size; byte++)
		if (((const unsigned char *)given)[byte])
			return sluice_fail(SLUICE_UNSUPPORTED,
					   "options uses a field at byte %zu that this version (%s) does not know",
					   byte, sluice_version());
	memset(options, 0, bytes);
	memcpy(options, given, size < bytes ? size : bytes);
	memcpy(options, &bytes, sizeof bytes);
	for (size_t each = 0; each < count; each++) {
		int position;
		memcpy(&position, (const char *)options + fields[each].at, sizeof position);
		if (position != 0 && position != 1)
			return sluice_fail(SLUICE_INVALID_ARGUMENT, "options.%s is %d, expected 0 or 1",
					   fields[each].name, position);
	}
	return SLUICE_OK;
}
