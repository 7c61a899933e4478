/* test_npy.c: what .npy files give back, and how hostile and unlucky ones are refused. */
#include "io_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define FILE_MAX 1024

/* Makes a file of one version around a header and `data` zero bytes; returns its size. */
static size_t make_file(unsigned char file[FILE_MAX], int version, const char *header, size_t data)
{
	size_t length = strlen(header), start = version == 1 ? 10 : 12;

	memset(file, 0, FILE_MAX);
	memcpy(file, "\x93NUMPY", 6);
	file[6] = (unsigned char)version;
	file[8] = (unsigned char)(length & 255);
	file[9] = (unsigned char)(length >> 8);
	memcpy(file + start, header, length);
	assert_true(start + length + data <= FILE_MAX);
	return start + length + data;
}

static sluice_status parse(const void *bytes, size_t size, sluice_array *array)
{
	/* A copy of exactly this size, so that the address sanitizer sees a byte too many. */
	unsigned char *copy = malloc(size ? size : 1);
	sluice_status status;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	status = sluice_npy_parse(fixture_context(), "x.npy", copy, size, array);
	free(copy);
	return status;
}

/* --------------------------------------------------------------------------------------------- round trips ------ */

static const sluice_element elements[] = {SLUICE_ELEMENT_F32, SLUICE_ELEMENT_F64, SLUICE_ELEMENT_U8, SLUICE_ELEMENT_I32,
					  SLUICE_ELEMENT_I64};

static void round_trip(sluice_element element, size_t rank, const size_t *shape)
{
	unsigned char bytes[8 * 64];
	sluice_array array = SLUICE_ARRAY_INIT, back = SLUICE_ARRAY_INIT;
	const char *path = fixture_path("round.npy");
	size_t count;

	/* Every bit pattern counts, NaN with payloads and negative zeros too. */
	for (size_t k = 0; k < sizeof(bytes); k++)
		bytes[k] = (unsigned char)(k * 37 + 200);
	array.element = element;
	array.rank = rank;
	if (rank > 0)
		memcpy(array.shape, shape, rank * sizeof(*shape));
	array.data = bytes;
	count = sluice_array_count(&array) * sluice_element_bytes(element);
	assert_true(count <= sizeof(bytes));
	fixture_expect(sluice_npy_write(fixture_context(), path, &array), SLUICE_OK, "");
	fixture_expect(sluice_npy_read(fixture_context(), path, &back), SLUICE_OK, "");
	assert_int_equal(back.element, element);
	assert_int_equal(back.rank, rank);
	for (size_t k = 0; k < rank; k++)
		assert_int_equal(back.shape[k], shape[k]);
	assert_memory_equal(back.data, bytes, count);
	assert_int_equal((uintptr_t)back.data % 64, 0);
	sluice_array_release(fixture_context(), &back);
	assert_null(back.data);
}

static void test_round_trip(void **state)
{
	static const size_t shape[] = {3, 4, 5, 1, 1, 1, 1, 1}, empty[] = {2, 0, 3};

	(void)state;
	for (size_t k = 0; k < sizeof(elements) / sizeof(elements[0]); k++) {
		for (size_t rank = 0; rank <= SLUICE_RANK_MAX; rank++)
			round_trip(elements[k], rank, shape);
		round_trip(elements[k], 3, empty);
	}
	assert_int_equal(fixture_entries(), 1);
}

/* The file that NumPy itself writes for numpy.float32([1, 2, 3]). */
static void test_bytes(void **state)
{
	static const float x[] = {1, 2, 3};
	static const char dictionary[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
	unsigned char expected[128 + sizeof(x)], *written;
	sluice_array array = SLUICE_ARRAY_INIT;
	size_t count;

	(void)state;
	memset(expected, ' ', 127);
	memcpy(expected, "\x93NUMPY\x01\x00\x76\x00", 10);
	memcpy(expected + 10, dictionary, sizeof(dictionary) - 1);
	expected[127] = '\n';
	memcpy(expected + 128, x, sizeof(x));
	array.rank = 1;
	array.shape[0] = 3;
	array.data = x;
	fixture_expect(sluice_npy_write(fixture_context(), fixture_path("x.npy"), &array), SLUICE_OK, "");
	written = fixture_read(fixture_path("x.npy"), &count);
	assert_int_equal(count, sizeof(expected));
	assert_memory_equal(written, expected, count);
	free(written);
}

/* What NumPy itself wrote comes out as it went in, to the byte. */
static void test_numpy(void **state)
{
	static const char original[] = SLUICE_TEST_SOURCES "/golden/forward_x.npy";
	sluice_array array = SLUICE_ARRAY_INIT;
	unsigned char *theirs, *ours;
	size_t their_size, our_size;

	(void)state;
	fixture_expect(sluice_npy_read(fixture_context(), original, &array), SLUICE_OK, "");
	fixture_expect(sluice_npy_write(fixture_context(), fixture_path("copy.npy"), &array), SLUICE_OK, "");
	theirs = fixture_read(original, &their_size);
	ours = fixture_read(fixture_path("copy.npy"), &our_size);
	assert_int_equal(our_size, their_size);
	assert_memory_equal(ours, theirs, our_size);
	free(theirs);
	free(ours);
	sluice_array_release(fixture_context(), &array);
}

static void test_versions(void **state)
{
	static const char header[] = "{ \"shape\":(2 , 1),\n 'fortran_order' : False,'descr':'<f8'}  \n";
	unsigned char file[FILE_MAX];

	(void)state;
	for (int version = 1; version <= 3; version++) {
		sluice_array array = SLUICE_ARRAY_INIT;
		size_t size = make_file(file, version, header, 16);

		fixture_expect(parse(file, size, &array), SLUICE_OK, "");
		assert_int_equal(array.rank, 2);
		assert_int_equal(array.shape[0], 2);
		assert_int_equal(array.element, SLUICE_ELEMENT_F64);
		sluice_array_release(fixture_context(), &array);
	}
}

/* ---------------------------------------------------------------------------------------------- conversion ------ */

static void check_conversion(sluice_element element, const void *data, const float expected[3])
{
	sluice_array array = SLUICE_ARRAY_INIT, read = SLUICE_ARRAY_INIT;

	array.element = element;
	array.rank = 1;
	array.shape[0] = 3;
	array.data = data;
	fixture_expect(sluice_npy_write(fixture_context(), fixture_path("c.npy"), &array), SLUICE_OK, "");
	fixture_expect(sluice_npy_read(fixture_context(), fixture_path("c.npy"), &read), SLUICE_OK, "");
	fixture_expect(sluice_array_convert_f32(fixture_context(), &read), SLUICE_OK, "");
	assert_int_equal(read.element, SLUICE_ELEMENT_F32);
	assert_int_equal(read.shape[0], 3);
	assert_memory_equal(read.data, expected, 3 * sizeof(float));
	sluice_array_release(fixture_context(), &read);
}

static void test_conversion(void **state)
{
	const double f64[3] = {0.1, -INFINITY, 3.0e38};
	const int64_t i64[3] = {-5, 16777217, INT64_MAX};
	const int32_t i32[3] = {-5, 16777219, INT32_MIN};
	const uint8_t u8[3] = {0, 1, 255};
	const float f32[3] = {-0.0f, 1e-40f, 2};

	(void)state;
	check_conversion(SLUICE_ELEMENT_F64, f64, (float[3]){0.1f, -INFINITY, 3.0e38f});
	check_conversion(SLUICE_ELEMENT_I64, i64, (float[3]){-5, 16777216, 9223372036854775808.0f});
	check_conversion(SLUICE_ELEMENT_I32, i32, (float[3]){-5, 16777220, -2147483648.0f});
	check_conversion(SLUICE_ELEMENT_U8, u8, (float[3]){0, 1, 255});
	check_conversion(SLUICE_ELEMENT_F32, f32, f32);
}

static void test_conversion_out_of_range(void **state)
{
	unsigned char file[FILE_MAX];
	const double large[2] = {1, 1e39};
	size_t size = make_file(file, 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", 16);
	sluice_array array = SLUICE_ARRAY_INIT;

	(void)state;
	memcpy(file + size - 16, large, 16);
	fixture_expect(parse(file, size, &array), SLUICE_OK, "");
	fixture_expect(sluice_array_convert_f32(fixture_context(), &array), SLUICE_FORMAT, "element 1 is 1e+39");
	assert_int_equal(array.element, SLUICE_ELEMENT_F64);
	assert_memory_equal(array.data, large, 16);
	sluice_array_release(fixture_context(), &array);
}

/* --------------------------------------------------------------------------------------------- hostile files ---- */

#define DICTIONARY(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape "}"

static const struct {
	const char *header;
	size_t data;
	sluice_status status;
	const char *phrase;
} hostile[] = {
	{DICTIONARY("'<f4'", "False", "(3,)"), 11, SLUICE_FORMAT, "needs 12 bytes, but 11 follow"},
	{DICTIONARY("'<f4'", "False", "(3,)"), 13, SLUICE_FORMAT, "needs 12 bytes, but 13 follow"},
	{DICTIONARY("'<f4'", "False", "()"), 0, SLUICE_FORMAT, "needs 4 bytes, but 0 follow"},
	{DICTIONARY("'>f4'", "False", "(3,)"), 12, SLUICE_UNSUPPORTED, "\">f4\" (big-endian)"},
	{DICTIONARY("'<c8'", "False", "(3,)"), 24, SLUICE_UNSUPPORTED, "\"<c8\""},
	{DICTIONARY("'|O'", "False", "(3,)"), 24, SLUICE_UNSUPPORTED, "\"|O\""},
	{DICTIONARY("''", "False", "(3,)"), 24, SLUICE_UNSUPPORTED, "\"\""},
	{DICTIONARY("'\x1b[2J\xff'", "False", "(3,)"), 24, SLUICE_UNSUPPORTED, "\"?[2J?\""},
	{DICTIONARY("[('a', '<f4')]", "False", "(3,)"), 12, SLUICE_UNSUPPORTED, "records"},
	{DICTIONARY("'<f4'", "True", "(3,)"), 12, SLUICE_UNSUPPORTED, "Fortran order"},
	{DICTIONARY("'<f4'", "Maybe", "(3,)"), 12, SLUICE_FORMAT, "False or True"},
	{DICTIONARY("'<f4'", "False", "(3)"), 12, SLUICE_FORMAT, "comma or the end of the shape"},
	{DICTIONARY("'<f4'", "False", "(-3,)"), 12, SLUICE_FORMAT, "a size of the shape"},
	{DICTIONARY("'<f4'", "False", "(3,,)"), 12, SLUICE_FORMAT, "a size of the shape"},
	{DICTIONARY("'<f4'", "False", "(1.5,)"), 12, SLUICE_FORMAT, "comma or the end of the shape"},
	{DICTIONARY("'<f4'", "False", "3"), 12, SLUICE_FORMAT, "in parentheses"},
	{DICTIONARY("'<f4'", "False", "(3,"), 12, SLUICE_FORMAT, "a size of the shape"},
	{DICTIONARY("'<f4'", "False", "(1,1,1,1,1,1,1,1,1)"), 4, SLUICE_UNSUPPORTED, "more than 8 dimensions"},
	{DICTIONARY("'<f4'", "False", "(99999999999999999999999,)"), 12, SLUICE_FORMAT, "count to"},
	{DICTIONARY("'<f4'", "False", "(18446744073709551616,)"), 0, SLUICE_FORMAT, "count to"},
	{DICTIONARY("'<f4'", "False", "(18446744073709551615, 2)"), 12, SLUICE_FORMAT, "overflows"},
	{DICTIONARY("'<f4'", "False", "(4611686018427387905,)"), 4, SLUICE_FORMAT, "overflows"},
	{DICTIONARY("'<f4'", "False", "(4294967296, 4294967296)"), 0, SLUICE_FORMAT, "overflows"},
	{DICTIONARY("'<f4'", "False", "(0, 18446744073709551615, 2)"), 0, SLUICE_FORMAT, "overflows"},
	{DICTIONARY("'|u1'", "False", "(9223372036854775807,)"), 1, SLUICE_FORMAT, "but 1 follow"},
	{DICTIONARY("'<f4'", "False", "(3,)") "x", 12, SLUICE_FORMAT, "the end of the header"},
	{DICTIONARY("'<f4'", "False", "(3,)") "}", 12, SLUICE_FORMAT, "the end of the header"},
	{"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 12, SLUICE_FORMAT, "each key once"},
	{"{'descr': '<f4', 'fortran_order': False}", 12, SLUICE_FORMAT, "no \"shape\""},
	{"{'shape': (3,), 'fortran_order': False}", 12, SLUICE_FORMAT, "no \"descr\""},
	{"{'shape': (3,), 'descr': '<f4'}", 12, SLUICE_FORMAT, "no \"fortran_order\""},
	{"{'shape': (3,), 'descr': '<f4', 'more': 1}", 12, SLUICE_FORMAT, "the key"},
	{"{'shape' (3,)}", 12, SLUICE_FORMAT, "a colon"},
	{"{'shape': (3,) 'descr': '<f4'}", 12, SLUICE_FORMAT, "a comma or the closing brace"},
	{"{'shape: (3,)}", 12, SLUICE_FORMAT, "quoted text that ends"},
	{"{shape: (3,)}", 12, SLUICE_FORMAT, "a quoted text"},
	{"", 0, SLUICE_FORMAT, "an opening brace"},
	{"[]", 0, SLUICE_FORMAT, "an opening brace"},
};

static void test_hostile(void **state)
{
	unsigned char file[FILE_MAX];

	(void)state;
	for (size_t k = 0; k < sizeof(hostile) / sizeof(hostile[0]); k++) {
		for (int version = 1; version <= 3; version++) {
			sluice_array array = SLUICE_ARRAY_INIT;
			size_t size = make_file(file, version, hostile[k].header, hostile[k].data);

			fixture_expect(parse(file, size, &array), hostile[k].status, hostile[k].phrase);
			assert_non_null(strstr(sluice_last_message(), "x.npy"));
			assert_null(array.data);
			assert_int_equal(array.rank, 0);
		}
	}
}

static void test_hostile_prefix(void **state)
{
	unsigned char file[FILE_MAX];
	size_t size = make_file(file, 2, DICTIONARY("'<f4'", "False", "(3,)"), 12);
	sluice_array array = SLUICE_ARRAY_INIT;

	(void)state;
	file[6] = 4;
	fixture_expect(parse(file, size, &array), SLUICE_UNSUPPORTED, "version 4.0");
	file[6] = 2;
	file[7] = 1;
	fixture_expect(parse(file, size, &array), SLUICE_UNSUPPORTED, "version 2.1");
	file[7] = 0;
	file[11] = 255;
	fixture_expect(parse(file, size, &array), SLUICE_FORMAT, "at most 65535");
	file[11] = 0;
	file[9] = 255;
	fixture_expect(parse(file, size, &array), SLUICE_FORMAT, "is cut short");
	file[0] = 'x';
	fixture_expect(parse(file, size, &array), SLUICE_FORMAT, "is not a .npy file");
}

static void test_truncated(void **state)
{
	unsigned char file[FILE_MAX];
	size_t size = make_file(file, 1, DICTIONARY("'<f4'", "False", "(3,)"), 12);

	(void)state;
	for (size_t kept = 0; kept < size; kept++) {
		sluice_array array = SLUICE_ARRAY_INIT;

		fixture_expect(parse(file, kept, &array), SLUICE_FORMAT, "x.npy");
		fixture_write(fixture_path("cut.npy"), file, kept);
		fixture_expect(sluice_npy_read(fixture_context(), fixture_path("cut.npy"), &array), SLUICE_FORMAT,
			       "cut.npy");
		assert_null(array.data);
	}
}

/* Any byte may become anything: the file is refused, or what it then says is consistent with its size. */
static void test_corrupted(void **state)
{
	unsigned char file[FILE_MAX];
	size_t size = make_file(file, 1, DICTIONARY("'<f4'", "False", "(3,)"), 12), accepted = 0;

	(void)state;
	for (size_t at = 0; at < size - 12; at++) {
		unsigned char kept = file[at];

		for (int value = 0; value < 256; value++) {
			sluice_array array = SLUICE_ARRAY_INIT;

			file[at] = (unsigned char)value;
			if (parse(file, size, &array) != SLUICE_OK)
				continue;
			accepted++;
			assert_int_equal(sluice_array_count(&array) * sluice_element_bytes(array.element), 12);
			sluice_array_release(fixture_context(), &array);
		}
		file[at] = kept;
	}
	assert_true(accepted >= size - 12); /* the true value of each byte is among them */
}

/* ---------------------------------------------------------------------------------------------- the system ------ */

static void read_unreadable(void)
{
	sluice_array array = SLUICE_ARRAY_INIT;

	fixture_expect(sluice_npy_read(fixture_context(), fixture_path("secret.npy"), &array), SLUICE_IO,
		       "secret.npy: cannot be opened: Permission denied");
}

static void test_unreadable(void **state)
{
	sluice_array array = SLUICE_ARRAY_INIT;

	(void)state;
	fixture_expect(sluice_npy_read(fixture_context(), fixture_path("none.npy"), &array), SLUICE_IO,
		       "none.npy: cannot be opened: No such file");
	fixture_expect(sluice_npy_read(fixture_context(), fixture_path(""), &array), SLUICE_IO, "is a directory");
	fixture_expect(sluice_npy_read(fixture_context(), "/dev/null", &array), SLUICE_IO, "is a device or pipe");
	fixture_write(fixture_path("secret.npy"), "x", 1);
	assert_int_equal(chmod(fixture_path("secret.npy"), 0), 0);
	if (!fixture_unprivileged(read_unreadable))
		skip();
}

/* Without privileges, so that a writer with a mistake could not replace the devices. */
static void write_devices(void)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	struct stat about;
	float x = 1;

	array.data = &x;
	fixture_expect(sluice_npy_write(fixture_context(), "/dev/full", &array), SLUICE_IO,
		       "/dev/full: cannot be written: No space left on device");
	fixture_expect(sluice_npy_write(fixture_context(), "/dev/null", &array), SLUICE_OK, "");
	assert_int_equal(stat("/dev/null", &about), 0);
	assert_true(S_ISCHR(about.st_mode));
}

static void write_forbidden(void)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	float x = 1;

	array.data = &x;
	fixture_expect(sluice_npy_write(fixture_context(), fixture_path("closed/x.npy"), &array), SLUICE_IO,
		       "Permission denied");
}

static void test_unwritable(void **state)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	float x = 1;

	(void)state;
	array.data = &x;
	fixture_expect(sluice_npy_write(fixture_context(), fixture_path("none/x.npy"), &array), SLUICE_IO,
		       "No such file or directory");
	fixture_expect(sluice_npy_write(fixture_context(), fixture_path(""), &array), SLUICE_IO, "it is a directory");
	assert_int_equal(mkdir(fixture_path("closed"), 0555), 0);
	if (!fixture_unprivileged(write_devices) || !fixture_unprivileged(write_forbidden))
		skip();
}

static void test_full_disk(void **state)
{
	static float x[4096];
	sluice_array array = SLUICE_ARRAY_INIT;
	unsigned char *kept;
	sluice_status status;
	size_t count;

	(void)state;
	fixture_clear();
	fixture_write(fixture_path("old.npy"), "old", 3);
	array.rank = 1;
	array.shape[0] = 4096;
	array.data = x;
	fixture_limit_files(8192);
	status = sluice_npy_write(fixture_context(), fixture_path("old.npy"), &array);
	fixture_limit_files(0);
	fixture_expect(status, SLUICE_IO, "old.npy: cannot be written: File too large");
	kept = fixture_read(fixture_path("old.npy"), &count);
	assert_int_equal(count, 3);
	assert_memory_equal(kept, "old", 3);
	free(kept);
	assert_int_equal(fixture_entries(), 1);
}

static void test_bad_arguments(void **state)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	const char *path = fixture_path("bad.npy");
	float x = 1;

	(void)state;
	array.rank = 1;
	array.shape[0] = 1;
	fixture_expect(sluice_npy_write(fixture_context(), path, &array), SLUICE_INVALID_ARGUMENT, "data is NULL");
	array.data = &x;
	array.rank = 9;
	fixture_expect(sluice_npy_write(fixture_context(), path, &array), SLUICE_INVALID_ARGUMENT, "9 dimensions");
	array.rank = 1;
	array.element = (sluice_element)99;
	fixture_expect(sluice_npy_write(fixture_context(), path, &array), SLUICE_INVALID_ARGUMENT, "element 99");
	array.element = SLUICE_ELEMENT_BF16;
	fixture_expect(sluice_npy_write(fixture_context(), path, &array), SLUICE_UNSUPPORTED, "BF16");
	array.size = 0;
	fixture_expect(sluice_npy_write(fixture_context(), path, &array), SLUICE_INVALID_ARGUMENT, "SLUICE_ARRAY_INIT");
	fixture_expect(sluice_npy_read(NULL, path, &array), SLUICE_INVALID_ARGUMENT, "context");
}

static sluice_status read_and_convert(sluice_context *context)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	sluice_status status = sluice_npy_read(context, fixture_path("sweep.npy"), &array);

	if (status == SLUICE_OK)
		status = sluice_array_convert_f32(context, &array);
	sluice_array_release(context, &array);
	return status;
}

static void test_memory_ends(void **state)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	double x = 1;

	(void)state;
	array.element = SLUICE_ELEMENT_F64;
	array.data = &x;
	fixture_expect(sluice_npy_write(fixture_context(), fixture_path("sweep.npy"), &array), SLUICE_OK, "");
	fixture_sweep(read_and_convert);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_numpy),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_conversion),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_conversion_out_of_range),
		cmocka_unit_test(test_hostile_prefix),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_corrupted),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_unwritable),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_memory_ends),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
