/* layout.h: tables of what headers say, compared with what Apple's say; for the tests of the front ends' layouts. */
#ifndef SLUICE_TESTS_LAYOUT_H
#define SLUICE_TESTS_LAYOUT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

struct number {
	const char *name;
	unsigned long long is, expected;
};

#define VALUE(name, expected)         \
	{                             \
#name, name, expected \
	}

/* Tells every number that is not as expected, then fails if there was one. */
static inline void compare(const struct number *table, size_t count)
{
	size_t wrong = 0;
	for (size_t k = 0; k < count; k++) {
		if (table[k].is == table[k].expected)
			continue;
		print_error("%s is %llu, expected %llu\n", table[k].name, table[k].is, table[k].expected);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

#endif
