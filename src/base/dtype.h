/* dtype.h: names and sizes of the storage types, from the one list in sluice.h. */
#ifndef SLUICE_BASE_DTYPE_H
#define SLUICE_BASE_DTYPE_H

#include <sluice/sluice.h>

/* "f32" and so on; "unknown" outside the list. */
const char *sluice__dtype_name(sluice_dtype dtype);

#endif
