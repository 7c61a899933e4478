/* dtype.c exists to turn the list of storage types into a table. */
#include "base/dtype.h"

const char *sluice__dtype_name(sluice_dtype dtype)
{
	static const char *const names[] = {
#define DTYPE_NAME(name, text, bytes) [SLUICE_##name] = text,
		SLUICE_DTYPE_MAP(DTYPE_NAME)
#undef DTYPE_NAME
	};
	return (size_t)dtype < sizeof names / sizeof names[0] ? names[dtype] : "unknown";
}
