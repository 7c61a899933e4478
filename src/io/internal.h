/* internal.h: what the files of sluice-io share: reading from files or memory, writing whole files, sizes, texts. */
#ifndef SLUICE_IO_INTERNAL_H
#define SLUICE_IO_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include "sluice/io.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the formats are little-endian, and so must be the machine until somebody needs byte swapping here"
#endif

#define SLUICE__TRY(expression)                          \
	do {                                             \
		sluice_status try_status = (expression); \
		if (try_status != SLUICE_OK)             \
			return try_status;               \
	} while (0)

/* ------------------------------------------------------------------------------------------ file.c: reading ---- */

/* Bytes of known number: a regular file, or memory. */
struct sluice__source {
	const char *name; /* for messages */
	size_t size;
	const unsigned char *memory; /* NULL: descriptor */
	int descriptor;
};

sluice_status sluice__source_open(const char *path, struct sluice__source *source);
void sluice__source_view(const char *name, const void *bytes, size_t size, struct sluice__source *source);
sluice_status sluice__source_read(const struct sluice__source *source, size_t offset, size_t bytes, void *to);
void sluice__source_close(struct sluice__source *source);

/* ------------------------------------------------------------------------------------------ file.c: writing ---- */

/* Room for a path, at least the system's PATH_MAX. */
#define SLUICE__PATH_MAX 4096

/* Longest text that is put after a target's name to make the name of its temporary file. */
#define SLUICE__SUFFIX_MAX 64

/* A file being written. temporary is "" while a device or pipe is written directly. */
struct sluice__output {
	const char *path; /* as the caller named it, for messages */
	int descriptor;
	char target[SLUICE__PATH_MAX];
	char temporary[SLUICE__PATH_MAX + SLUICE__SUFFIX_MAX];
};

sluice_status sluice__output_open(const char *path, struct sluice__output *output);
sluice_status sluice__output_write(struct sluice__output *output, const void *bytes, size_t count);

/* Ends the file. status OK: it takes its name. Otherwise, or when that fails: it vanishes. Returns the first failure.
 */
sluice_status sluice__output_close(struct sluice__output *output, sluice_status status);

/* ------------------------------------------------------------------------------------------------- array.c ---- */

/* *product *= factor; 0 if that overflows. */
int sluice__size_multiply(size_t *product, size_t factor);

/* Bytes of an array's elements; 0 in *bytes and false if rank, element or product are out of range. */
int sluice__array_bytes(const sluice_array *array, size_t *bytes);

/* Refuses an array from a caller that is not whole; `name` is for the message. */
sluice_status sluice__array_check(const sluice_array *array, const char *name, size_t *bytes);

/* The shape as "[3, 4]", cut at capacity; returns text. */
#define SLUICE__SHAPE_TEXT 192
const char *sluice__shape_text(size_t rank, const size_t *shape, char text[SLUICE__SHAPE_TEXT]);

/* At most 40 bytes of a file's text, with everything that could disturb a terminal replaced by "?". */
#define SLUICE__QUOTE_TEXT 48
const char *sluice__quote(const char *bytes, size_t count, char text[SLUICE__QUOTE_TEXT]);

/* -------------------------------------------------------------------------------------------- npy_header.c ---- */

/* Reads the dictionary of a .npy header into element, rank and shape. */
sluice_status sluice__npy_header_parse(const char *file, const char *text, size_t length, sluice_array *array);

/* ----------------------------------------------------------------------------------------------- tensors.c ---- */

struct sluice__tensor {
	char *name;
	sluice_array array;
	size_t begin, end; /* where the elements lie in the data of the file it was read from */
};

struct sluice__text {
	char *key, *text;
};

/* A list that grows; items are the context's memory. */
struct sluice__list {
	void *items;
	size_t count, capacity;
};

struct sluice_tensors {
	sluice_context *context;
	char *source;
	struct sluice__list tensors; /* of struct sluice__tensor */
	struct sluice__list texts;   /* of struct sluice__text */
	void *block;                 /* data of all tensors that were read */
	size_t block_bytes;
};

/* As sluice_tensors_create, with the name that messages use. */
sluice_status sluice__tensors_create(sluice_context *context, const char *source, sluice_tensors **out);

/* Appends without looking for the name among those that are there; a reader has done so already. */
sluice_status sluice__tensors_append(sluice_tensors *tensors, const char *name, const struct sluice__tensor *tensor);
sluice_status sluice__texts_append(sluice_tensors *tensors, const char *key, const char *text);

/* Refuses names that are empty, too long, hold control characters or are not UTF-8: with `status`, naming the source,
 * and saying what has that name ("tensor"). */
sluice_status sluice__name_check(sluice_status status, const char *source, const char *what, const char *name);

/* ------------------------------------------------------------------------------------------- description.c ---- */

/* The description as JSON text, which sluice__description_text_free frees; NULL without memory. */
char *sluice__description_text(const sluice_description *description);
void sluice__description_text_free(char *text);

/* Layers of the largest description. */
#define SLUICE__LAYERS_MAX 127

/* A description together with its layers. */
struct sluice__described {
	sluice_description description;
	sluice_layer layers[SLUICE__LAYERS_MAX];
};

sluice_status sluice__description_parse(const char *source, const char *text, struct sluice__described *out);

#endif
