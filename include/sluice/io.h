/*
 * io.h: arrays, named tensors and models in files; the library sluice-io, above the core.
 *
 * Concepts
 *
 *   array     numbers of one element type in row-major order: what a .npy file holds.
 *   tensors   named arrays and named texts (metadata): what a safetensors file holds. Model files and checkpoints are
 *             such files; docs/FORMAT.md describes them byte by byte.
 *
 * Memory for content comes from the context's allocator; the text of a header passes through the C library's.
 * Readers trust nothing: sizes are checked before they are used, and a file that is not exactly what its format demands
 * is refused with FORMAT and a sentence that names the file. A valid file that this version does not read gives
 * UNSUPPORTED; one that cannot be opened, read or written gives IO and the system's reason.
 * Writers never leave half a file: content goes to a new file beside the target, reaches the disk and then takes the
 * target's name. When anything fails the target is as it was. Devices and pipes are written directly.
 */
#ifndef SLUICE_IO_H
#define SLUICE_IO_H

#include "sluice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------------------------------------- arrays ---- */

/* Name, safetensors' name, .npy's name ("": not read, not written) and bytes of every element type. All are
 * little-endian. */
#define SLUICE_ELEMENT_MAP(X)   \
	X(F32, "F32", "<f4", 4) \
	X(F64, "F64", "<f8", 8) \
	X(F16, "F16", "", 2)    \
	X(BF16, "BF16", "", 2)  \
	X(I8, "I8", "", 1)      \
	X(U8, "U8", "|u1", 1)   \
	X(I16, "I16", "", 2)    \
	X(U16, "U16", "", 2)    \
	X(I32, "I32", "<i4", 4) \
	X(U32, "U32", "", 4)    \
	X(I64, "I64", "<i8", 8) \
	X(U64, "U64", "", 8)    \
	X(BOOL, "BOOL", "", 1)

typedef enum sluice_element {
#define SLUICE_ELEMENT_ENUM(name, text, npy, bytes) SLUICE_ELEMENT_##name,
	SLUICE_ELEMENT_MAP(SLUICE_ELEMENT_ENUM)
#undef SLUICE_ELEMENT_ENUM
} sluice_element;

/* Largest number of dimensions. */
#define SLUICE_RANK_MAX 8

/* Row-major numbers, 64-byte aligned where this library allocated them. */
typedef struct sluice_array {
	size_t size;
	sluice_element element; /* default F32 */
	size_t rank;            /* 0: one number */
	size_t shape[SLUICE_RANK_MAX];
	const void *data;
} sluice_array;
#define SLUICE_ARRAY_INIT SLUICE_SIZED(sluice_array)

/* "F32" and so on. Static storage; an unknown value gives "?". */
SLUICE_API const char *sluice_element_name(sluice_element element);

/* Bytes of one element; 0 for an unknown value. */
SLUICE_API size_t sluice_element_bytes(sluice_element element);

/* Number of elements, the product of the shape; SIZE_MAX if rank or product are out of range. */
SLUICE_API size_t sluice_array_count(const sluice_array *array);

/* Makes the elements of an array that sluice_npy_read made f32, rounding to nearest. Errors: FORMAT (a finite f64
 * beyond the range of f32), OUT_OF_MEMORY; the array is then unchanged. */
SLUICE_API sluice_status sluice_array_convert_f32(sluice_context *context, sluice_array *array);

/* Frees the data of an array that sluice_npy_read made, and forgets them. */
SLUICE_API void sluice_array_release(sluice_context *context, sluice_array *array);

/* ---------------------------------------------------------------------------------------------------- .npy ---- */

/* Reads NumPy's .npy, versions 1 to 3, with elements F32, F64, U8, I32 or I64; release the array. Errors: IO, FORMAT,
 * OUT_OF_MEMORY, UNSUPPORTED (other elements, big-endian, Fortran order, more dimensions). */
SLUICE_API sluice_status sluice_npy_read(sluice_context *context, const char *path, sluice_array *out);

/* The same from memory; messages call it `name`. */
SLUICE_API sluice_status sluice_npy_parse(sluice_context *context, const char *name, const void *bytes, size_t size,
					  sluice_array *out);

/* Writes version 1. Errors: INVALID_ARGUMENT, UNSUPPORTED (element), IO. */
SLUICE_API sluice_status sluice_npy_write(sluice_context *context, const char *path, const sluice_array *array);

/* ------------------------------------------------------------------------------------------------- tensors ---- */

typedef struct sluice_tensors sluice_tensors;

/* Longest name of a tensor or key of a metadata text, in bytes. */
#define SLUICE_TENSOR_NAME_MAX 255

/* Makes an empty set, to be filled and written. */
SLUICE_API sluice_status sluice_tensors_create(sluice_context *context, sluice_tensors **out);

/* Reads a safetensors file whole. Errors: IO, FORMAT, OUT_OF_MEMORY, UNSUPPORTED (an element type or a rank). */
SLUICE_API sluice_status sluice_tensors_open(sluice_context *context, const char *path, sluice_tensors **out);

/* The same from memory, which is copied; messages call it `name`. */
SLUICE_API sluice_status sluice_tensors_parse(sluice_context *context, const char *name, const void *bytes, size_t size,
					      sluice_tensors **out);

SLUICE_API void sluice_tensors_destroy(sluice_tensors *tensors);

/* The path it was opened from or the name it was parsed under; "" if it was created empty. */
SLUICE_API const char *sluice_tensors_source(const sluice_tensors *tensors);

/* Number of tensors, and the name of one: in the file's order, else as added. NULL past the end. Names live until the
 * set is destroyed. */
SLUICE_API size_t sluice_tensors_count(const sluice_tensors *tensors);
SLUICE_API const char *sluice_tensors_name(const sluice_tensors *tensors, size_t index);

/* 1 if there is a tensor of that name. */
SLUICE_API int sluice_tensors_has(const sluice_tensors *tensors, const char *name);

/* A view of the tensor: data live until the set is destroyed, or are the caller's if he added them. Errors: FORMAT (no
 * such tensor). */
SLUICE_API sluice_status sluice_tensors_find(const sluice_tensors *tensors, const char *name, sluice_array *out);

/* Copies a tensor's elements. Errors: FORMAT (no such tensor, another element type, not exactly count elements);
 * `to` is then untouched. */
SLUICE_API sluice_status sluice_tensors_read(const sluice_tensors *tensors, const char *name, sluice_element element,
					     size_t count, void *to);

/* Refuses an F32 or F64 tensor that holds NaN or an infinity, naming the first. Errors: FORMAT. */
SLUICE_API sluice_status sluice_tensors_check_finite(const sluice_tensors *tensors, const char *name);

/* Adds a tensor. The name is copied, the data are not: they must stay as they are until the last write. Errors:
 * INVALID_ARGUMENT (the name is taken, empty, too long or not UTF-8; the array is malformed), OUT_OF_MEMORY. */
SLUICE_API sluice_status sluice_tensors_add(sluice_tensors *tensors, const char *name, const sluice_array *array);

/* The text under a key, or NULL. Valid until it is set again or the set is destroyed. */
SLUICE_API const char *sluice_tensors_metadata(const sluice_tensors *tensors, const char *key);

/* Number of texts, and one key in order; NULL past the end. */
SLUICE_API size_t sluice_tensors_metadata_count(const sluice_tensors *tensors);
SLUICE_API const char *sluice_tensors_metadata_key(const sluice_tensors *tensors, size_t index);

/* Sets the text under a key; both are copied. Errors: INVALID_ARGUMENT (not UTF-8, a bad key), OUT_OF_MEMORY. */
SLUICE_API sluice_status sluice_tensors_set_metadata(sluice_tensors *tensors, const char *key, const char *text);

/* Writes everything as one safetensors file. Errors: IO, OUT_OF_MEMORY. */
SLUICE_API sluice_status sluice_tensors_write(const sluice_tensors *tensors, const char *path);

/* -------------------------------------------------------------------------------------------------- models ---- */

/* A model in a set of tensors: its parameters under their names, and the texts "sluice.version" and
 * "sluice.description". Other tensors and texts (a vocabulary, an embedding, moments) may lie beside it; names that
 * begin with "sluice." are this project's. */

/* Adds views of the model's parameters, and its description. The model must outlive the last write. */
SLUICE_API sluice_status sluice_tensors_add_model(sluice_tensors *tensors, const sluice_model *model);

/* Makes the model that a set holds. Errors: FORMAT (not a model; a description that is not understood whole; a tensor
 * that is missing, misshapen, NaN or infinite; sizes that overflow), UNSUPPORTED (a newer version, weights other than
 * F32, an option that is not implemented), OUT_OF_MEMORY. */
SLUICE_API sluice_status sluice_tensors_get_model(sluice_context *context, const sluice_tensors *tensors,
						  sluice_model **out);

/* Writes a model. `extra`, which may be NULL, goes into the file too. */
SLUICE_API sluice_status sluice_model_save(sluice_context *context, const sluice_model *model,
					   const sluice_tensors *extra, const char *path);

/* Reads a model. `extra` may be NULL; else it receives all that the file holds, to be destroyed by the caller. */
SLUICE_API sluice_status sluice_model_load(sluice_context *context, const char *path, sluice_model **out,
					   sluice_tensors **extra);

#ifdef __cplusplus
}
#endif

#endif
