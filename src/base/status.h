/* status.h: how a failure travels inside the library: a status up the call chain, a sentence in the thread's message.
 */
#ifndef SLUICE_BASE_STATUS_H
#define SLUICE_BASE_STATUS_H

#include <sluice/sluice.h>

/* Returns from the calling function with the status of a call that failed. */
#define SLUICE_TRY(call)                                  \
	do {                                              \
		sluice_status sluice_try_status = (call); \
		if (sluice_try_status != SLUICE_OK)       \
			return sluice_try_status;         \
	} while (0)

/* Shorthand for the commonest failure; the arguments are sluice_fail's after the status. */
#define SLUICE_INVALID(...) sluice_fail(SLUICE_INVALID_ARGUMENT, __VA_ARGS__)

#endif
