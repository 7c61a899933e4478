/* test_safetensors.c: the container of every model and checkpoint, well made, hostile and unlucky. */
#define _XOPEN_SOURCE 700
#include "io_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_MAX 4096

/* Makes a file around a header and `data` bytes 1, 2, 3 ...; returns its size. */
static size_t make_file(unsigned char file[FILE_MAX], const char *header, size_t data)
{
	size_t length = strlen(header);

	assert_true(8 + length + data <= FILE_MAX);
	memset(file, 0, FILE_MAX);
	file[0] = (unsigned char)(length & 255);
	file[1] = (unsigned char)(length >> 8);
	memcpy(file + 8, header, length);
	for (size_t k = 0; k < data; k++)
		file[8 + length + k] = (unsigned char)(k + 1);
	return 8 + length + data;
}

static sluice_status parse(const void *bytes, size_t size, sluice_tensors **tensors)
{
	/* A copy of exactly this size, so that the address sanitizer sees a byte too many. */
	unsigned char *copy = malloc(size ? size : 1);
	sluice_status status;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	status = sluice_tensors_parse(fixture_context(), "x.safetensors", copy, size, tensors);
	free(copy);
	return status;
}

static sluice_array vector(sluice_element element, size_t count, const void *data)
{
	sluice_array array = SLUICE_ARRAY_INIT;

	array.element = element;
	array.rank = 1;
	array.shape[0] = count;
	array.data = data;
	return array;
}

static void add(sluice_tensors *tensors, const char *name, sluice_array array)
{
	fixture_expect(sluice_tensors_add(tensors, name, &array), SLUICE_OK, "");
}

static sluice_tensors *create(void)
{
	sluice_tensors *tensors;

	fixture_expect(sluice_tensors_create(fixture_context(), &tensors), SLUICE_OK, "");
	return tensors;
}

/* --------------------------------------------------------------------------------------------- round trips ------ */

static const unsigned char noise[64] = {0, 0, 192, 127, 1, 0, 128, 255, 0, 0, 0, 128, 255, 255, 255, 255, 7};

static const sluice_element elements[] = {
#define ELEMENT_ROW(name, text, npy, bytes) SLUICE_ELEMENT_##name,
	SLUICE_ELEMENT_MAP(ELEMENT_ROW)
#undef ELEMENT_ROW
};

#define ELEMENTS (sizeof(elements) / sizeof(elements[0]))

static sluice_tensors *fill(void)
{
	sluice_tensors *tensors = create();
	sluice_array cube = vector(SLUICE_ELEMENT_F32, 2, noise), none = vector(SLUICE_ELEMENT_F32, 0, NULL);

	for (size_t k = 0; k < ELEMENTS; k++)
		add(tensors, sluice_element_name(elements[k]), vector(elements[k], 3, noise));
	cube.rank = 3;
	cube.shape[1] = 1;
	cube.shape[2] = 4;
	add(tensors, "cube", cube);
	cube.rank = 0;
	add(tensors, "one number", cube);
	add(tensors, "none", none);
	add(tensors, "\xc3\xa4 \"\\ \xf0\x9f\x8c\x8a", vector(SLUICE_ELEMENT_U8, 1, noise));
	fixture_expect(sluice_tensors_set_metadata(tensors, "key", "replaced"), SLUICE_OK, "");
	fixture_expect(sluice_tensors_set_metadata(tensors, "other", ""), SLUICE_OK, "");
	fixture_expect(sluice_tensors_set_metadata(tensors, "key", "line\n\ttab \"\xe2\x82\xac\""), SLUICE_OK, "");
	return tensors;
}

static void expect_same(const sluice_tensors *one, const sluice_tensors *two)
{
	assert_int_equal(sluice_tensors_count(one), sluice_tensors_count(two));
	assert_int_equal(sluice_tensors_metadata_count(one), sluice_tensors_metadata_count(two));
	for (size_t k = 0; k < sluice_tensors_metadata_count(one); k++) {
		const char *key = sluice_tensors_metadata_key(one, k);

		assert_string_equal(sluice_tensors_metadata(one, key), sluice_tensors_metadata(two, key));
	}
	for (size_t k = 0; k < sluice_tensors_count(one); k++) {
		const char *name = sluice_tensors_name(one, k);
		sluice_array a, b;

		fixture_expect(sluice_tensors_find(one, name, &a), SLUICE_OK, "");
		fixture_expect(sluice_tensors_find(two, name, &b), SLUICE_OK, "");
		assert_int_equal(a.element, b.element);
		assert_int_equal(a.rank, b.rank);
		assert_memory_equal(a.shape, b.shape, a.rank * sizeof(a.shape[0]));
		if (sluice_array_count(&a) > 0)
			assert_memory_equal(a.data, b.data, sluice_array_count(&a) * sluice_element_bytes(a.element));
	}
}

static void test_round_trip(void **state)
{
	sluice_tensors *made = fill(), *read;
	const char *path = fixture_path("round.safetensors");
	size_t first_size, second_size;
	unsigned char *first, *second;
	sluice_array array;

	(void)state;
	fixture_expect(sluice_tensors_write(made, path), SLUICE_OK, "");
	fixture_expect(sluice_tensors_open(fixture_context(), path, &read), SLUICE_OK, "");
	expect_same(made, read);
	assert_string_equal(sluice_tensors_source(read), path);
	assert_string_equal(sluice_tensors_metadata(read, "key"), "line\n\ttab \"\xe2\x82\xac\"");
	assert_null(sluice_tensors_metadata(read, "absent"));
	for (size_t k = 0; k < sluice_tensors_count(read); k++) {
		fixture_expect(sluice_tensors_find(read, sluice_tensors_name(read, k), &array), SLUICE_OK, "");
		assert_int_equal((uintptr_t)array.data % 64, 0);
	}
	/* What was read can be written again, and gives the same file. */
	fixture_expect(sluice_tensors_write(read, fixture_path("again.safetensors")), SLUICE_OK, "");
	first = fixture_read(path, &first_size);
	second = fixture_read(fixture_path("again.safetensors"), &second_size);
	assert_int_equal(first_size, second_size);
	assert_memory_equal(first, second, first_size);
	free(first);
	free(second);
	sluice_tensors_destroy(read);
	sluice_tensors_destroy(made);
	assert_int_equal(fixture_entries(), 2);
}

/* The file byte by byte: wide elements first, and the data at a multiple of 64. */
static void test_bytes(void **state)
{
	static const char header[] = "{\"__metadata__\":{\"a\":\"b\"},"
				     "\"wide\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
				     "\"x\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]},"
				     "\"y\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[16,19]}}";
	unsigned char expected[8 + 248 + 19] = {248};
	sluice_array x = vector(SLUICE_ELEMENT_F32, 1, noise), wide = vector(SLUICE_ELEMENT_I64, 0, noise);
	sluice_tensors *tensors = create();
	unsigned char *written;
	size_t size;

	(void)state;
	x.rank = 2;
	x.shape[1] = 2;
	wide.rank = 0;
	add(tensors, "y", vector(SLUICE_ELEMENT_U8, 3, noise));
	add(tensors, "x", x);
	add(tensors, "wide", wide);
	fixture_expect(sluice_tensors_set_metadata(tensors, "a", "b"), SLUICE_OK, "");
	fixture_expect(sluice_tensors_write(tensors, fixture_path("bytes")), SLUICE_OK, "");
	sluice_tensors_destroy(tensors);
	memset(expected + 8, ' ', 248);
	memcpy(expected + 8, header, sizeof(header) - 1);
	memcpy(expected + 256, noise, 8);
	memcpy(expected + 264, noise, 8);
	memcpy(expected + 272, noise, 3);
	written = fixture_read(fixture_path("bytes"), &size);
	assert_int_equal(size, sizeof(expected));
	assert_memory_equal(written, expected, size);
	free(written);
}

/* Another writer's order, spaces and misaligned data. */
static void test_foreign(void **state)
{
	static const char header[] = "{ \"b\" : {\"shape\":[1],\"data_offsets\":[3,7],\"dtype\":\"F32\"},\n"
				     "\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]} }   ";
	unsigned char file[FILE_MAX];
	size_t size = make_file(file, header, 7);
	const float finite = 1.5f;
	sluice_tensors *tensors;
	sluice_array array;
	uint8_t bytes[3];

	(void)state;
	memcpy(file + size - 4, &finite, 4);
	fixture_expect(parse(file, size, &tensors), SLUICE_OK, "");
	assert_int_equal(sluice_tensors_count(tensors), 2);
	assert_string_equal(sluice_tensors_name(tensors, 0), "a");
	assert_string_equal(sluice_tensors_name(tensors, 1), "b");
	assert_null(sluice_tensors_name(tensors, 2));
	fixture_expect(sluice_tensors_find(tensors, "b", &array), SLUICE_OK, "");
	assert_true(*(const float *)array.data == finite);
	fixture_expect(sluice_tensors_read(tensors, "a", SLUICE_ELEMENT_U8, 3, bytes), SLUICE_OK, "");
	assert_int_equal(bytes[2], 3);
	sluice_tensors_destroy(tensors);
	/* No tensors at all is a file too. */
	size = make_file(file, "{}", 0);
	fixture_expect(parse(file, size, &tensors), SLUICE_OK, "");
	assert_int_equal(sluice_tensors_count(tensors), 0);
	sluice_tensors_destroy(tensors);
}

/* ------------------------------------------------------------------------------------------------- looking ------ */

static void test_looking(void **state)
{
	const float numbers[3] = {1, -INFINITY, NAN};
	const double wide[2] = {1e300, NAN};
	sluice_tensors *tensors = create();
	float to[3] = {7, 7, 7};
	sluice_array array;

	(void)state;
	add(tensors, "numbers", vector(SLUICE_ELEMENT_F32, 3, numbers));
	add(tensors, "first", vector(SLUICE_ELEMENT_F32, 1, numbers));
	add(tensors, "wide", vector(SLUICE_ELEMENT_F64, 2, wide));
	assert_true(sluice_tensors_has(tensors, "first"));
	assert_false(sluice_tensors_has(tensors, "last"));
	fixture_expect(sluice_tensors_find(tensors, "last", &array), SLUICE_FORMAT, "no tensor \"last\"");
	fixture_expect(sluice_tensors_read(tensors, "numbers", SLUICE_ELEMENT_F32, 2, to), SLUICE_FORMAT,
		       "\"numbers\" is 3 of F32, but 2 of F32 are expected");
	fixture_expect(sluice_tensors_read(tensors, "numbers", SLUICE_ELEMENT_I32, 3, to), SLUICE_FORMAT, "3 of I32");
	assert_true(to[0] == 7);
	fixture_expect(sluice_tensors_read(tensors, "numbers", SLUICE_ELEMENT_F32, 3, to), SLUICE_OK, "");
	assert_memory_equal(to, numbers, sizeof(to));
	fixture_expect(sluice_tensors_check_finite(tensors, "first"), SLUICE_OK, "");
	fixture_expect(sluice_tensors_check_finite(tensors, "numbers"), SLUICE_FORMAT,
		       "\"numbers\" holds an infinity at element 1");
	fixture_expect(sluice_tensors_check_finite(tensors, "wide"), SLUICE_FORMAT, "\"wide\" holds NaN at element 1");
	sluice_tensors_destroy(tensors);
	sluice_tensors_destroy(NULL);
}

static void test_bad_arguments(void **state)
{
	sluice_tensors *tensors = create();
	sluice_array array = vector(SLUICE_ELEMENT_U8, 1, noise);
	char name[SLUICE_TENSOR_NAME_MAX + 2];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[SLUICE_TENSOR_NAME_MAX + 1] = '\0';
	fixture_expect(sluice_tensors_add(tensors, name, &array), SLUICE_INVALID_ARGUMENT, "has 256 bytes");
	fixture_expect(sluice_tensors_add(tensors, name + 1, &array), SLUICE_OK, "");
	fixture_expect(sluice_tensors_add(tensors, name + 1, &array), SLUICE_INVALID_ARGUMENT, "already");
	fixture_expect(sluice_tensors_add(tensors, "", &array), SLUICE_INVALID_ARGUMENT, "has 0 bytes");
	fixture_expect(sluice_tensors_add(tensors, "a\nb", &array), SLUICE_INVALID_ARGUMENT, "control character");
	fixture_expect(sluice_tensors_add(tensors, "\xc0\x80", &array), SLUICE_INVALID_ARGUMENT, "not UTF-8");
	fixture_expect(sluice_tensors_add(tensors, "\xed\xa0\x80", &array), SLUICE_INVALID_ARGUMENT, "not UTF-8");
	fixture_expect(sluice_tensors_add(tensors, "\xf4\x90\x80\x80", &array), SLUICE_INVALID_ARGUMENT, "not UTF-8");
	fixture_expect(sluice_tensors_add(tensors, "\xe2\x82", &array), SLUICE_INVALID_ARGUMENT, "not UTF-8");
	fixture_expect(sluice_tensors_add(tensors, "__metadata__", &array), SLUICE_INVALID_ARGUMENT, "texts'");
	fixture_expect(sluice_tensors_set_metadata(tensors, "a", "\xff"), SLUICE_INVALID_ARGUMENT, "not UTF-8");
	fixture_expect(sluice_tensors_set_metadata(tensors, "", "b"), SLUICE_INVALID_ARGUMENT, "has 0 bytes");
	array.shape[0] = SIZE_MAX;
	array.rank = 2;
	array.shape[1] = 2;
	fixture_expect(sluice_tensors_add(tensors, "large", &array), SLUICE_INVALID_ARGUMENT, "out of range");
	array.rank = 1;
	array.shape[0] = (size_t)PTRDIFF_MAX + 1;
	fixture_expect(sluice_tensors_add(tensors, "large", &array), SLUICE_INVALID_ARGUMENT, "out of range");
	assert_int_equal(sluice_tensors_count(tensors), 1);
	sluice_tensors_destroy(tensors);
}

/* --------------------------------------------------------------------------------------------- hostile files ---- */

#define ENTRY(name, dtype, shape, offsets) \
	"\"" name "\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(dtype, shape, offsets) "{" ENTRY("w", dtype, shape, offsets) "}"
#define TWO(first, second) "{" ENTRY("v", "\"U8\"", "[4]", first) "," ENTRY("w", "\"U8\"", "[4]", second) "}"

static const struct {
	const char *header;
	size_t data;
	sluice_status status;
	const char *phrase;
} hostile[] = {
	{"", 0, SLUICE_FORMAT, "does not begin with {"},
	{" {}", 0, SLUICE_FORMAT, "does not begin with {"},
	{"[]", 0, SLUICE_FORMAT, "does not begin with {"},
	{"{", 0, SLUICE_FORMAT, "not JSON"},
	{"{}{}", 0, SLUICE_FORMAT, "not JSON"},
	{"{\"w\":\"\xff\"}", 0, SLUICE_FORMAT, "not JSON"},
	{"{\"\\u0000\":1}", 0, SLUICE_FORMAT, "not JSON"},
	{"{" ENTRY("w", "\"U8\"", "[1]", "[0,1]") "," ENTRY("w", "\"U8\"", "[1]", "[0,1]") "}", 1, SLUICE_FORMAT,
	 "not JSON"},
	{"{}", 1, SLUICE_FORMAT, "end at byte 0 of the data, but there are 1"},
	{"{\"w\":1}", 0, SLUICE_FORMAT, "\"w\": dtype, shape and data_offsets"},
	{"{\"w\":{\"dtype\":\"U8\",\"shape\":[]}}", 1, SLUICE_FORMAT, "dtype, shape and data_offsets"},
	{"{\"w\":{\"dtype\":\"U8\",\"shape\":[],\"offsets\":[0,1]}}", 1, SLUICE_FORMAT,
	 "dtype, shape and data_offsets"},
	{"{\"w\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"x\":1}}", 1, SLUICE_FORMAT, "nothing else"},
	{"{\"\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, SLUICE_FORMAT, "has 0 bytes"},
	{"{\"\\u001b[2J\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, SLUICE_FORMAT,
	 "control character"},
	{ONE("1", "[4]", "[0,4]"), 4, SLUICE_FORMAT, "dtype is expected to be a text"},
	{ONE("\"F8_E4M3\"", "[4]", "[0,4]"), 4, SLUICE_UNSUPPORTED, "\"F8_E4M3\""},
	{ONE("\"\\u001b\"", "[4]", "[0,4]"), 4, SLUICE_UNSUPPORTED, "\"?\""},
	{ONE("\"U8\"", "4", "[0,4]"), 4, SLUICE_FORMAT, "shape is expected to be a list"},
	{ONE("\"U8\"", "[-4]", "[0,4]"), 4, SLUICE_FORMAT, "sizes of 0 or more"},
	{ONE("\"U8\"", "[4.0]", "[0,4]"), 4, SLUICE_FORMAT, "sizes of 0 or more"},
	{ONE("\"U8\"", "[99999999999999999999]", "[0,4]"), 4, SLUICE_FORMAT, "not JSON"},
	{ONE("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, SLUICE_UNSUPPORTED, "9 dimensions"},
	{ONE("\"U8\"", "[4]", "[0]"), 4, SLUICE_FORMAT, "two offsets"},
	{ONE("\"U8\"", "[4]", "[0,4,4]"), 4, SLUICE_FORMAT, "two offsets"},
	{ONE("\"U8\"", "[4]", "[4,0]"), 4, SLUICE_FORMAT, "ascending order"},
	{ONE("\"U8\"", "[4]", "[-1,3]"), 4, SLUICE_FORMAT, "two offsets"},
	{ONE("\"U8\"", "[4]", "\"04\""), 4, SLUICE_FORMAT, "two offsets"},
	{ONE("\"U8\"", "[4]", "[0,5]"), 5, SLUICE_FORMAT, "needs 4 bytes, but has 5"},
	{ONE("\"F32\"", "[4]", "[0,4]"), 4, SLUICE_FORMAT, "needs 16 bytes, but has 4"},
	{ONE("\"U8\"", "[4]", "[0,4]"), 3, SLUICE_FORMAT, "ends at byte 4 of the data, but there are 3"},
	{ONE("\"U8\"", "[4]", "[0,4]"), 5, SLUICE_FORMAT, "end at byte 4 of the data, but there are 5"},
	{ONE("\"U8\"", "[4]", "[1,5]"), 5, SLUICE_FORMAT, "begins at byte 1 of the data, but 0"},
	{ONE("\"F32\"", "[4611686018427387904]", "[0,0]"), 0, SLUICE_FORMAT, "overflows"},
	{ONE("\"U8\"", "[4294967296,4294967296]", "[0,0]"), 0, SLUICE_FORMAT, "overflows"},
	{ONE("\"U8\"", "[0,4294967296,4294967296]", "[0,0]"), 0, SLUICE_FORMAT, "overflows"},
	{ONE("\"U8\"", "[9223372036854775807]", "[0,9223372036854775807]"), 1, SLUICE_FORMAT, "but there are 1"},
	{TWO("[0,4]", "[2,6]"), 6, SLUICE_FORMAT, "begins at byte 2 of the data, but 4"},
	{TWO("[0,4]", "[0,4]"), 4, SLUICE_FORMAT, "begins at byte 0 of the data, but 4"},
	{TWO("[0,4]", "[5,9]"), 9, SLUICE_FORMAT, "begins at byte 5 of the data, but 4"},
	{"{\"__metadata__\":1}", 0, SLUICE_FORMAT, "expected to be an object"},
	{"{\"__metadata__\":{\"a\":1}}", 0, SLUICE_FORMAT, "\"a\" in __metadata__"},
	{"{\"__metadata__\":{\"\":\"a\"}}", 0, SLUICE_FORMAT, "has 0 bytes"},
};

static void test_hostile(void **state)
{
	unsigned char file[FILE_MAX];

	(void)state;
	for (size_t k = 0; k < sizeof(hostile) / sizeof(hostile[0]); k++) {
		size_t size = make_file(file, hostile[k].header, hostile[k].data);
		sluice_tensors *tensors = NULL;

		fixture_expect(parse(file, size, &tensors), hostile[k].status, hostile[k].phrase);
		assert_non_null(strstr(sluice_last_message(), "x.safetensors"));
		assert_null(tensors);
	}
}

static void test_hostile_length(void **state)
{
	static const unsigned char lengths[][8] = {
		{255, 255, 255, 255, 255, 255, 255, 255},
		{248, 255, 255, 255, 255, 255, 255, 255},
		{0, 0, 0, 0, 0, 0, 0, 128},
		{1, 225, 245, 5, 0, 0, 0, 0},
		{3, 0, 0, 0, 0, 0, 0, 0},
	};
	unsigned char file[FILE_MAX];
	size_t size = make_file(file, "{}", 0);
	sluice_tensors *tensors;

	(void)state;
	for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
		memcpy(file, lengths[k], 8);
		fixture_expect(parse(file, size, &tensors), SLUICE_FORMAT, "but at most 2 can be");
	}
}

/* The reader must not follow a file into the depth of the stack. */
static void test_deep(void **state)
{
	enum { DEPTH = 1000000 };
	unsigned char *file = malloc(8 + DEPTH);
	sluice_tensors *tensors;

	(void)state;
	assert_non_null(file);
	memset(file, 0, 8);
	file[0] = DEPTH & 255;
	file[1] = DEPTH >> 8 & 255;
	file[2] = DEPTH >> 16;
	memset(file + 8, '[', DEPTH);
	memcpy(file + 8, "{\"w\":", 5);
	fixture_expect(parse(file, 8 + DEPTH, &tensors), SLUICE_FORMAT, "not JSON");
	free(file);
}

static unsigned char *small_file(size_t *size)
{
	sluice_tensors *tensors = create();

	add(tensors, "w", vector(SLUICE_ELEMENT_F32, 2, noise));
	add(tensors, "v", vector(SLUICE_ELEMENT_U8, 3, noise));
	fixture_expect(sluice_tensors_set_metadata(tensors, "a", "b"), SLUICE_OK, "");
	fixture_expect(sluice_tensors_write(tensors, fixture_path("small")), SLUICE_OK, "");
	sluice_tensors_destroy(tensors);
	return fixture_read(fixture_path("small"), size);
}

static void test_truncated(void **state)
{
	size_t size;
	unsigned char *file = small_file(&size);
	sluice_tensors *tensors;

	(void)state;
	for (size_t kept = 0; kept < size; kept++) {
		fixture_expect(parse(file, kept, &tensors), SLUICE_FORMAT, "x.safetensors");
		fixture_write(fixture_path("cut"), file, kept);
		fixture_expect(sluice_tensors_open(fixture_context(), fixture_path("cut"), &tensors), SLUICE_FORMAT,
			       "/cut: ");
	}
	free(file);
}

/* Any byte may become anything: the file is refused, or all that it then holds can be read and written. */
static void test_corrupted(void **state)
{
	size_t size, accepted = 0;
	unsigned char *file = small_file(&size);

	(void)state;
	for (size_t at = 0; at < size - 11; at++) {
		unsigned char kept = file[at];

		for (int value = 0; value < 256; value++) {
			sluice_tensors *tensors;
			size_t bytes = 0;

			file[at] = (unsigned char)value;
			if (parse(file, size, &tensors) != SLUICE_OK)
				continue;
			accepted++;
			for (size_t k = 0; k < sluice_tensors_count(tensors); k++) {
				sluice_array array;

				sluice_tensors_find(tensors, sluice_tensors_name(tensors, k), &array);
				bytes += sluice_array_count(&array) * sluice_element_bytes(array.element);
			}
			assert_int_equal(bytes, 11);
			sluice_tensors_destroy(tensors);
		}
		file[at] = kept;
	}
	assert_true(accepted >= size - 11); /* the true value of each byte is among them */
	free(file);
}

/* ---------------------------------------------------------------------------------------------- the system ------ */

static void open_unreadable(void)
{
	sluice_tensors *tensors;

	fixture_expect(sluice_tensors_open(fixture_context(), fixture_path("secret"), &tensors), SLUICE_IO,
		       "secret: cannot be opened: Permission denied");
}

static void test_unreadable(void **state)
{
	sluice_tensors *tensors;

	(void)state;
	fixture_expect(sluice_tensors_open(fixture_context(), fixture_path("none"), &tensors), SLUICE_IO,
		       "No such file");
	fixture_expect(sluice_tensors_open(fixture_context(), fixture_path(""), &tensors), SLUICE_IO, "is a directory");
	assert_int_equal(mkfifo(fixture_path("fifo"), 0600), 0);
	fixture_expect(sluice_tensors_open(fixture_context(), fixture_path("fifo"), &tensors), SLUICE_IO, "pipe");
	fixture_write(fixture_path("secret"), "x", 1);
	assert_int_equal(chmod(fixture_path("secret"), 0), 0);
	if (!fixture_unprivileged(open_unreadable))
		skip();
}

/* Without privileges, so that a writer with a mistake could not replace the device. */
static void write_forbidden(void)
{
	sluice_tensors *tensors = create();

	fixture_expect(sluice_tensors_write(tensors, "/dev/full"), SLUICE_IO, "No space left on device");
	fixture_expect(sluice_tensors_write(tensors, fixture_path("closed/x")), SLUICE_IO, "Permission denied");
	sluice_tensors_destroy(tensors);
}

/* A write that fails leaves the old file and nothing else. */
static void test_old_survives(void **state)
{
	static float x[4096];
	sluice_tensors *tensors = create();
	unsigned char *kept;
	sluice_status status;
	size_t size;

	(void)state;
	fixture_clear();
	add(tensors, "x", vector(SLUICE_ELEMENT_F32, 4096, x));
	fixture_write(fixture_path("old"), "old", 3);
	fixture_limit_files(8192);
	status = sluice_tensors_write(tensors, fixture_path("old"));
	fixture_limit_files(0);
	fixture_expect(status, SLUICE_IO, "old: cannot be written: File too large");
	assert_int_equal(fixture_entries(), 1);
	kept = fixture_read(fixture_path("old"), &size);
	assert_int_equal(size, 3);
	assert_memory_equal(kept, "old", 3);
	free(kept);
	fixture_expect(sluice_tensors_write(tensors, fixture_path("none/x")), SLUICE_IO, "No such file or directory");
	fixture_expect(sluice_tensors_write(tensors, fixture_path("old/x")), SLUICE_IO, "Not a directory");
	fixture_expect(sluice_tensors_write(tensors, fixture_path("")), SLUICE_IO, "it is a directory");
	assert_int_equal(fixture_entries(), 1);
	sluice_tensors_destroy(tensors);
	assert_int_equal(mkdir(fixture_path("closed"), 0555), 0);
	if (!fixture_unprivileged(write_forbidden))
		skip();
}

/* A link stays a link, a private file stays private, and the old content goes. */
static void test_replace(void **state)
{
	sluice_tensors *tensors = create(), *read;
	struct stat about;

	(void)state;
	fixture_clear();
	fixture_write(fixture_path("target"), "old", 3);
	assert_int_equal(chmod(fixture_path("target"), 0600), 0);
	assert_int_equal(symlink("target", fixture_path("link")), 0);
	add(tensors, "x", vector(SLUICE_ELEMENT_U8, 3, noise));
	fixture_expect(sluice_tensors_write(tensors, fixture_path("link")), SLUICE_OK, "");
	assert_int_equal(lstat(fixture_path("link"), &about), 0);
	assert_true(S_ISLNK(about.st_mode));
	assert_int_equal(stat(fixture_path("target"), &about), 0);
	assert_int_equal(about.st_mode & 0777, 0600);
	fixture_expect(sluice_tensors_open(fixture_context(), fixture_path("target"), &read), SLUICE_OK, "");
	expect_same(tensors, read);
	/* A file may be written over while what was read from it is still in use. */
	fixture_expect(sluice_tensors_write(read, fixture_path("target")), SLUICE_OK, "");
	sluice_tensors_destroy(read);
	sluice_tensors_destroy(tensors);
	assert_int_equal(fixture_entries(), 2);
}

static sluice_status open_and_change(sluice_context *context)
{
	sluice_array array = vector(SLUICE_ELEMENT_U8, 3, noise);
	sluice_tensors *tensors = NULL;
	char name[16];
	sluice_status status = sluice_tensors_open(context, fixture_path("sweep"), &tensors);

	for (int k = 0; status == SLUICE_OK && k < 20; k++) {
		snprintf(name, sizeof(name), "more%d", k);
		status = sluice_tensors_add(tensors, name, &array);
		if (status == SLUICE_OK)
			status = sluice_tensors_set_metadata(tensors, "key", name);
	}
	if (status == SLUICE_OK)
		status = sluice_tensors_write(tensors, fixture_path("swept"));
	sluice_tensors_destroy(tensors);
	return status;
}

static void test_memory_ends(void **state)
{
	sluice_tensors *tensors = fill();

	(void)state;
	fixture_expect(sluice_tensors_write(tensors, fixture_path("sweep")), SLUICE_OK, "");
	sluice_tensors_destroy(tensors);
	fixture_sweep(open_and_change);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_foreign),    cmocka_unit_test(test_looking),
		cmocka_unit_test(test_hostile),    cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_deep),       cmocka_unit_test(test_hostile_length),
		cmocka_unit_test(test_truncated),  cmocka_unit_test(test_corrupted),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_old_survives),
		cmocka_unit_test(test_replace),    cmocka_unit_test(test_memory_ends),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
