/* test_io_file.c: the moment of renaming, which no public function lets a test come between. */
#define _XOPEN_SOURCE 700
#include "io_fixture.h"
#include "io/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void expect_text(const char *path, const char *expected)
{
	size_t size;
	unsigned char *text = fixture_read(path, &size);

	assert_string_equal((const char *)text, expected);
	free(text);
}

/* A directory takes the target's place while the file is being written. */
static void test_rename_fails(void **state)
{
	struct sluice__output output;
	sluice_status status;

	(void)state;
	fixture_clear();
	fixture_expect(sluice__output_open(fixture_path("x"), &output), SLUICE_OK, "");
	fixture_expect(sluice__output_write(&output, "new", 3), SLUICE_OK, "");
	assert_int_equal(mkdir(fixture_path("x"), 0777), 0);
	status = sluice__output_close(&output, SLUICE_OK);
	fixture_expect(status, SLUICE_IO, "x: cannot be given its name: Is a directory");
	assert_int_equal(fixture_entries(), 1);
}

/* Until the end the old content is there for everybody who reads. */
static void test_old_until_closed(void **state)
{
	struct sluice__output output;

	(void)state;
	fixture_clear();
	fixture_write(fixture_path("x"), "old", 3);
	fixture_expect(sluice__output_open(fixture_path("x"), &output), SLUICE_OK, "");
	fixture_expect(sluice__output_write(&output, "new", 3), SLUICE_OK, "");
	expect_text(fixture_path("x"), "old");
	fixture_expect(sluice__output_close(&output, SLUICE_OK), SLUICE_OK, "");
	expect_text(fixture_path("x"), "new");
	assert_int_equal(fixture_entries(), 1);
}

static void test_given_up(void **state)
{
	struct sluice__output output;

	(void)state;
	fixture_clear();
	fixture_write(fixture_path("x"), "old", 3);
	fixture_expect(sluice__output_open(fixture_path("x"), &output), SLUICE_OK, "");
	fixture_expect(sluice__output_write(&output, "new", 3), SLUICE_OK, "");
	assert_int_equal(sluice__output_close(&output, SLUICE_OUT_OF_MEMORY), SLUICE_OUT_OF_MEMORY);
	expect_text(fixture_path("x"), "old");
	assert_int_equal(fixture_entries(), 1);
}

/* Two writers of one file at once: each has a file of his own, and the last to end wins whole. */
static void test_two_writers(void **state)
{
	struct sluice__output first, second;

	(void)state;
	fixture_clear();
	fixture_expect(sluice__output_open(fixture_path("x"), &first), SLUICE_OK, "");
	fixture_expect(sluice__output_open(fixture_path("x"), &second), SLUICE_OK, "");
	fixture_expect(sluice__output_write(&first, "first", 5), SLUICE_OK, "");
	fixture_expect(sluice__output_write(&second, "two", 3), SLUICE_OK, "");
	fixture_expect(sluice__output_close(&second, SLUICE_OK), SLUICE_OK, "");
	fixture_expect(sluice__output_close(&first, SLUICE_OK), SLUICE_OK, "");
	expect_text(fixture_path("x"), "first");
	assert_int_equal(fixture_entries(), 1);
}

/* A file that loses its end after it was opened must not be read as zeros. */
static void test_shrinks(void **state)
{
	struct sluice__source source;
	char bytes[8];

	(void)state;
	fixture_write(fixture_path("shrinks"), "12345678", 8);
	fixture_expect(sluice__source_open(fixture_path("shrinks"), &source), SLUICE_OK, "");
	assert_int_equal(source.size, 8);
	assert_int_equal(truncate(fixture_path("shrinks"), 3), 0);
	fixture_expect(sluice__source_read(&source, 0, 8, bytes), SLUICE_IO, "ends at byte 3, but had 8");
	fixture_expect(sluice__source_read(&source, 4, 5, bytes), SLUICE_FORMAT, "is cut short");
	fixture_expect(sluice__source_read(&source, SIZE_MAX, 2, bytes), SLUICE_FORMAT, "is cut short");
	sluice__source_close(&source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rename_fails), cmocka_unit_test(test_old_until_closed),
		cmocka_unit_test(test_given_up),     cmocka_unit_test(test_two_writers),
		cmocka_unit_test(test_shrinks),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
