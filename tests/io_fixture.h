/* io_fixture.h: what the tests of files share: a directory of their own, whole files, and a context that can run dry.
 */
#ifndef SLUICE_TESTS_IO_FIXTURE_H
#define SLUICE_TESTS_IO_FIXTURE_H

#include <stddef.h>
#include "sluice/io.h"

/* cmocka's group fixtures: make and remove the directory and the context. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A context with all defaults. */
sluice_context *fixture_context(void);

/* The path of `name` in the directory; the text lives until the fourth call after this one. */
const char *fixture_path(const char *name);

/* Number of entries in the directory: shows temporary files that were left. */
size_t fixture_entries(void);

/* Removes everything in the directory. */
void fixture_clear(void);

void fixture_write(const char *path, const void *bytes, size_t count);

/* The file's bytes, to be freed, with a zero behind them. */
unsigned char *fixture_read(const char *path, size_t *count);

/* Fails the test unless status is the expected one and, if that is a failure, the last message holds the phrase. */
void fixture_expect(sluice_status status, sluice_status expected, const char *phrase);

/* Calls `attempt` with contexts whose first, second, ... allocation fails, until one succeeds. Each failure must be
 * OUT_OF_MEMORY, and every block must be given back with the size it was taken with. */
void fixture_sweep(sluice_status (*attempt)(sluice_context *context));

/* Limits the size of files that this process can write, as a full disk does; 0 takes the limit away. */
void fixture_limit_files(size_t bytes);

/* Runs `act` without the privileges of root, if this process has them. Returns 0 if they could not be dropped. */
int fixture_unprivileged(void (*act)(void));

#endif
