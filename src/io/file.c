/* file.c: the only place that touches files, so that no writer can leave half a file and no reader can trust one. */
#define _XOPEN_SOURCE 700
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "internal.h"

_Static_assert(SLUICE__PATH_MAX >= PATH_MAX, "realpath writes up to PATH_MAX bytes");

/* Systems limit one transfer to a little under 2 GiB. */
#define TRANSFER_MAX ((size_t)1 << 30)

/* Names tried for a temporary file before giving up. */
#define TEMPORARY_TRIES 100

/* ----------------------------------------------------------------------------------------------- reading ------- */

/* O_NONBLOCK: opening a pipe must not wait for a writer; regular files ignore it. */
sluice_status sluice__source_open(const char *path, struct sluice__source *source)
{
	struct stat about;
	int descriptor;

	*source = (struct sluice__source){.name = path, .descriptor = -1};
	descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (descriptor < 0)
		return sluice_fail(SLUICE_IO, "%s: cannot be opened: %s", path, strerror(errno));
	if (fstat(descriptor, &about) != 0) {
		sluice_fail(SLUICE_IO, "%s: cannot be examined: %s", path, strerror(errno));
		goto fail;
	}
	if (!S_ISREG(about.st_mode)) {
		sluice_fail(SLUICE_IO, "%s: is %s, but a regular file is expected", path,
			    S_ISDIR(about.st_mode) ? "a directory" : "a device or pipe");
		goto fail;
	}
	if ((uintmax_t)about.st_size > SIZE_MAX) {
		sluice_fail(SLUICE_IO, "%s: is larger than this machine's memory can be", path);
		goto fail;
	}
	source->size = (size_t)about.st_size;
	source->descriptor = descriptor;
	return SLUICE_OK;
fail:
	close(descriptor);
	return SLUICE_IO;
}

void sluice__source_view(const char *name, const void *bytes, size_t size, struct sluice__source *source)
{
	*source = (struct sluice__source){.name = name, .size = size, .memory = bytes, .descriptor = -1};
}

/* The caller has compared offset and bytes with the size; a file may have shrunk since. */
static sluice_status read_file(const struct sluice__source *source, size_t offset, size_t bytes, unsigned char *to)
{
	while (bytes > 0) {
		size_t part = bytes < TRANSFER_MAX ? bytes : TRANSFER_MAX;
		ssize_t got = pread(source->descriptor, to, part, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return sluice_fail(SLUICE_IO, "%s: cannot be read: %s", source->name, strerror(errno));
		if (got == 0)
			return sluice_fail(SLUICE_IO, "%s: ends at byte %zu, but had %zu bytes when it was opened",
					   source->name, offset, source->size);
		to += got;
		offset += (size_t)got;
		bytes -= (size_t)got;
	}
	return SLUICE_OK;
}

sluice_status sluice__source_read(const struct sluice__source *source, size_t offset, size_t bytes, void *to)
{
	if (offset > source->size || bytes > source->size - offset)
		return sluice_fail(SLUICE_FORMAT,
				   "%s: is cut short: %zu bytes are expected at byte %zu, but it has %zu", source->name,
				   bytes, offset, source->size);
	if (bytes == 0)
		return SLUICE_OK;
	if (source->descriptor >= 0)
		return read_file(source, offset, bytes, to);
	memcpy(to, source->memory + offset, bytes);
	return SLUICE_OK;
}

void sluice__source_close(struct sluice__source *source)
{
	if (source->descriptor >= 0)
		close(source->descriptor);
	source->descriptor = -1;
}

/* ----------------------------------------------------------------------------------------------- writing ------- */

/* Where the bytes shall finally be: behind symbolic links, so that a link stays a link. */
static sluice_status resolve(struct sluice__output *output, struct stat *about, int *exists)
{
	struct stat link;

	*exists = 0;
	if (lstat(output->path, &link) != 0) {
		if (errno != ENOENT)
			return sluice_fail(SLUICE_IO, "%s: cannot be written: %s", output->path, strerror(errno));
		if (strlen(output->path) >= sizeof(output->target))
			return sluice_fail(SLUICE_IO, "%s: cannot be written: the name is too long", output->path);
		strcpy(output->target, output->path);
		return SLUICE_OK;
	}
	if (!realpath(output->path, output->target) || stat(output->target, about) != 0)
		return sluice_fail(SLUICE_IO, "%s: cannot be written: %s", output->path, strerror(errno));
	*exists = 1;
	return SLUICE_OK;
}

/* Process and counter keep the names of concurrent writers apart; O_EXCL keeps them from harm where that fails. */
static sluice_status open_temporary(struct sluice__output *output, mode_t mode)
{
	static atomic_uint counter;

	for (int try = 0; try < TEMPORARY_TRIES; try++) {
		snprintf(output->temporary, sizeof(output->temporary), "%s.%ld-%u.part", output->target, (long)getpid(),
			 atomic_fetch_add(&counter, 1u));
		output->descriptor = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (output->descriptor >= 0)
			return SLUICE_OK;
		if (errno != EEXIST)
			break;
	}
	output->temporary[0] = '\0';
	return sluice_fail(SLUICE_IO, "%s: cannot be written: no file can be made beside it: %s", output->path,
			   strerror(errno));
}

sluice_status sluice__output_open(const char *path, struct sluice__output *output)
{
	struct stat about;
	int exists;

	output->path = path;
	output->descriptor = -1;
	output->target[0] = output->temporary[0] = '\0';
	SLUICE__TRY(resolve(output, &about, &exists));
	if (exists && S_ISDIR(about.st_mode))
		return sluice_fail(SLUICE_IO, "%s: cannot be written: it is a directory", path);
	if (!exists || S_ISREG(about.st_mode)) {
		/* Never more public than the old file, whose mode the new one takes over where the system lets it. */
		SLUICE__TRY(open_temporary(output, exists ? about.st_mode & 0777 : 0666));
		if (exists && fchmod(output->descriptor, about.st_mode & 0777) != 0)
			errno = 0;
		return SLUICE_OK;
	}
	output->descriptor = open(output->target, O_WRONLY | O_CLOEXEC);
	if (output->descriptor < 0)
		return sluice_fail(SLUICE_IO, "%s: cannot be opened for writing: %s", path, strerror(errno));
	return SLUICE_OK;
}

sluice_status sluice__output_write(struct sluice__output *output, const void *bytes, size_t count)
{
	const unsigned char *from = bytes;

	while (count > 0) {
		size_t part = count < TRANSFER_MAX ? count : TRANSFER_MAX;
		ssize_t put = write(output->descriptor, from, part);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return sluice_fail(SLUICE_IO, "%s: cannot be written: %s", output->path,
					   put < 0 ? strerror(errno) : "nothing more is taken");
		from += put;
		count -= (size_t)put;
	}
	return SLUICE_OK;
}

/* Makes the new name last beyond a loss of power. The file itself is complete by now, and file systems that cannot do
 * this for a directory say so with an error, so there is nothing to report. */
static void sync_directory(struct sluice__output *output)
{
	char *slash = strrchr(output->target, '/');
	int directory;

	if (slash)
		slash[slash == output->target] = '\0';
	directory = open(slash ? output->target : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return;
	fsync(directory);
	close(directory);
}

sluice_status sluice__output_close(struct sluice__output *output, sluice_status status)
{
	int direct = output->temporary[0] == '\0';

	if (output->descriptor < 0)
		return status;
	if (status == SLUICE_OK && !direct && fsync(output->descriptor) != 0)
		status = sluice_fail(SLUICE_IO, "%s: cannot be written: %s", output->path, strerror(errno));
	if (close(output->descriptor) != 0 && status == SLUICE_OK)
		status = sluice_fail(SLUICE_IO, "%s: cannot be written: %s", output->path, strerror(errno));
	output->descriptor = -1;
	if (direct)
		return status;
	if (status == SLUICE_OK && rename(output->temporary, output->target) != 0)
		status = sluice_fail(SLUICE_IO, "%s: cannot be given its name: %s", output->path, strerror(errno));
	if (status != SLUICE_OK)
		unlink(output->temporary);
	else
		sync_directory(output);
	return status;
}
