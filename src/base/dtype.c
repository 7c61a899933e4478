/* dtype.c exists to turn the list of storage types into a table. */
#include "base/dtype.h"

static const struct dtype {
	const char *name;
	size_t bytes;
} dtypes[] = {
#define DTYPE(name, text, bytes) [SLUICE_##name] = {text, bytes},
	SLUICE_DTYPE_MAP(DTYPE)
#undef DTYPE
};

static const struct dtype *find(sluice_dtype dtype)
{
	static const struct dtype none = {"unknown", 0};
	return (size_t)dtype < sizeof dtypes / sizeof dtypes[0] ? &dtypes[dtype] : &none;
}

const char *sluice__dtype_name(sluice_dtype dtype)
{
	return find(dtype)->name;
}

size_t sluice__dtype_bytes(sluice_dtype dtype)
{
	return find(dtype)->bytes;
}
