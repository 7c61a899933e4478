/* io_fixture.c: what the tests of files share. */
#define _XOPEN_SOURCE 700
#include "io_fixture.h"

#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DIRECTORY_MAX 256
#define PATHS 4

static char directory[DIRECTORY_MAX];
static sluice_context *context;

/* --------------------------------------------------------------------------------------------- the directory ---- */

int fixture_setup(void **state)
{
	const char *base = getenv("TMPDIR");

	(void)state;
	snprintf(directory, sizeof(directory), "%s/sluice-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(directory) || chmod(directory, 0777) != 0)
		return -1;
	return sluice_context_create(NULL, &context) == SLUICE_OK ? 0 : -1;
}

sluice_context *fixture_context(void)
{
	return context;
}

const char *fixture_path(const char *name)
{
	static char paths[PATHS][2 * DIRECTORY_MAX];
	static unsigned next;
	char *path = paths[next++ % PATHS];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

/* Counts the entries and, if asked, removes them. */
static size_t walk(int removing)
{
	DIR *entries = opendir(directory);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(entries);
	while ((entry = readdir(entries))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		if (removing)
			remove(fixture_path(entry->d_name));
	}
	closedir(entries);
	return count;
}

size_t fixture_entries(void)
{
	return walk(0);
}

void fixture_clear(void)
{
	walk(1);
}

int fixture_teardown(void **state)
{
	(void)state;
	fixture_clear();
	sluice_context_destroy(context);
	return rmdir(directory);
}

/* --------------------------------------------------------------------------------------------------- files ------ */

void fixture_write(const char *path, const void *bytes, size_t count)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(count > 0 ? fwrite(bytes, 1, count, file) : 0, count);
	assert_int_equal(fclose(file), 0);
}

unsigned char *fixture_read(const char *path, size_t *count)
{
	FILE *file = fopen(path, "rb");
	unsigned char *bytes;
	long size;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size >= 0);
	rewind(file);
	*count = (size_t)size;
	bytes = calloc(*count + 1, 1);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *count, file), *count);
	fclose(file);
	return bytes;
}

void fixture_expect(sluice_status status, sluice_status expected, const char *phrase)
{
	if (status != expected)
		fail_msg("%s (%s) where %s is expected", sluice_status_name(status), sluice_last_message(),
			 sluice_status_name(expected));
	if (status != SLUICE_OK && !strstr(sluice_last_message(), phrase))
		fail_msg("\"%s\" is expected to hold \"%s\"", sluice_last_message(), phrase);
}

/* ------------------------------------------------------------------------------------------- memory that ends --- */

/* Blocks are counted by number and bytes, so that a release with the wrong size shows. */
struct dry {
	long allocations_left;
	long blocks;
	size_t bytes;
};

static void *dry_allocate(void *user, size_t bytes, size_t alignment)
{
	struct dry *dry = user;
	void *block;

	if (dry->allocations_left-- <= 0)
		return NULL;
	block = aligned_alloc(alignment, bytes);
	dry->blocks += block != NULL;
	dry->bytes += block ? bytes : 0;
	return block;
}

static void dry_release(void *user, void *block, size_t bytes)
{
	struct dry *dry = user;

	dry->blocks--;
	dry->bytes -= bytes;
	free(block);
}

/* Far more allocations than anything here makes. */
#define SWEEP_MAX 2000

void fixture_sweep(sluice_status (*attempt)(sluice_context *))
{
	for (long allowed = 0; allowed < SWEEP_MAX; allowed++) {
		struct dry dry = {.allocations_left = LONG_MAX};
		sluice_allocator allocator = {dry_allocate, dry_release, &dry};
		sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
		sluice_context *dry_context;
		sluice_status status;

		options.allocator = &allocator;
		assert_int_equal(sluice_context_create(&options, &dry_context), SLUICE_OK);
		dry.allocations_left = allowed;
		status = attempt(dry_context);
		sluice_context_destroy(dry_context);
		assert_int_equal(dry.blocks, 0);
		assert_int_equal(dry.bytes, 0);
		if (status == SLUICE_OK) {
			assert_true(allowed > 0);
			return;
		}
		fixture_expect(status, SLUICE_OUT_OF_MEMORY, "");
	}
	fail_msg("no success with %d allocations", SWEEP_MAX);
}

/* ------------------------------------------------------------------------------------------------ the system ---- */

void fixture_limit_files(size_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The conventional number of the user that owns nothing. */
#define NOBODY 65534

int fixture_unprivileged(void (*act)(void))
{
	if (geteuid() != 0) {
		act();
		return 1;
	}
	if (seteuid(NOBODY) != 0)
		return 0;
	act();
	assert_int_equal(seteuid(0), 0);
	return 1;
}
