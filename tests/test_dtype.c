/* test_dtype.c exists to judge the storage types: single conversions against their definition, rows against these. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/dtype.h"
#include "kernels/kernels.h"

/* A 16-bit floating-point type by its definition. */
struct format {
	sluice_dtype type;
	int exponent_bits, fraction_bits;
	float (*widen)(uint16_t x);
	uint16_t (*narrow)(float x);
};

static const struct format formats[] = {
	{SLUICE_F16, 5, 10, sluice__f32_from_f16, sluice__f16_from_f32},
	{SLUICE_BF16, 8, 7, sluice__f32_from_bf16, sluice__bf16_from_f32},
};

enum { FORMATS = sizeof formats / sizeof formats[0], PATTERNS = 65536, SIGN = 0x8000 };

static uint16_t infinity_of(const struct format *format)
{
	return (uint16_t)(((1 << format->exponent_bits) - 1) << format->fraction_bits);
}

/* The number that a pattern without sign stands for; above infinity's, the one that would follow the largest. */
static double defined(const struct format *format, uint32_t pattern)
{
	const int bias = (1 << (format->exponent_bits - 1)) - 1, scale = 1 << format->fraction_bits;
	const int exponent = (int)pattern / scale, fraction = (int)pattern % scale;
	if (exponent == 0)
		return ldexp(fraction, 1 - bias - format->fraction_bits);
	return ldexp(scale + fraction, exponent - bias - format->fraction_bits);
}

static void test_widen(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < FORMATS; j++) {
		const struct format *format = &formats[j];
		const uint16_t infinity = infinity_of(format);
		for (uint32_t pattern = 0; pattern < PATTERNS; pattern++) {
			const uint32_t size = pattern & ~(uint32_t)SIGN;
			const float x = format->widen((uint16_t)pattern);
			assert_true(!!signbit(x) == (pattern >= SIGN));
			if (size > infinity)
				assert_true(isnan(x));
			else if (size == infinity)
				assert_true(isinf(x));
			else
				assert_true((double)fabsf(x) == defined(format, size));
		}
	}
}

/* Every pattern comes back; what is not a number becomes a quiet one and keeps its upper bits. */
static void test_back(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < FORMATS; j++) {
		const struct format *format = &formats[j];
		const uint16_t infinity = infinity_of(format), quiet = (uint16_t)(1 << (format->fraction_bits - 1));
		for (uint32_t pattern = 0; pattern < PATTERNS; pattern++) {
			const bool number = (pattern & ~(uint32_t)SIGN) <= infinity;
			const uint16_t back = format->narrow(format->widen((uint16_t)pattern));
			assert_int_equal(back, number ? pattern : pattern | quiet);
		}
	}
}

/* The middle between two neighbours goes to the even one, its own neighbours among the floats to either side. Above
 * the largest number the neighbour would be 2^(largest exponent + 1); what reaches it is infinite. */
static void test_ties(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < FORMATS; j++) {
		const struct format *format = &formats[j];
		for (uint32_t lower = 0; lower < infinity_of(format); lower++) {
			const double middle = (defined(format, lower) + defined(format, lower + 1)) / 2;
			const float x = (float)middle;
			assert_true((double)x == middle);
			const uint32_t even = lower % 2 ? lower + 1 : lower;
			assert_int_equal(format->narrow(x), even);
			assert_int_equal(format->narrow(-x), even | SIGN);
			assert_int_equal(format->narrow(nextafterf(x, 0)), lower);
			assert_int_equal(format->narrow(nextafterf(x, INFINITY)), lower + 1);
			assert_int_equal(format->narrow(-nextafterf(x, INFINITY)), (lower + 1) | SIGN);
		}
		assert_int_equal(format->narrow(INFINITY), infinity_of(format));
		assert_int_equal(format->narrow(-INFINITY), infinity_of(format) | SIGN);
	}
	assert_int_equal(sluice__f16_from_f32(65519.996f), 0x7BFF);
	assert_int_equal(sluice__f16_from_f32(65520), 0x7C00);
	assert_int_equal(sluice__f16_from_f32(0x1p-149f), 0);
	assert_int_equal(sluice__f16_from_f32(3e38f), 0x7C00);
	assert_int_equal(sluice__bf16_from_f32(0x1.fffffep127f), 0x7F80);
}

/* Payloads that only the lowest bits of a float hold must not turn into infinity. */
static void test_not_a_number(void **unused)
{
	(void)unused;
	for (size_t j = 0; j < FORMATS; j++)
		for (int bit = 0; bit < 23; bit++)
			for (uint32_t sign = 0; sign < 2; sign++) {
				const uint32_t bits = sign << 31 | 0x7F800000 | 1u << bit;
				const uint16_t stored = formats[j].narrow(sluice__f32_from_bits(bits));
				assert_true((stored & ~SIGN) > infinity_of(&formats[j]));
				assert_int_equal(stored >> 15, sign);
				assert_true(isnan(formats[j].widen(stored)));
			}
}

typedef void level_test(const struct sluice__kernels *kernels, const struct format *format);

static void on_every_level(level_test *test)
{
	for (size_t level = 0; level < sluice__level_count(); level++) {
		struct sluice__kernels kernels;
		if (!sluice__level_available(level)) {
			print_message("skipped: this machine lacks %s\n", sluice__level_name(level));
			continue;
		}
		sluice__kernels_fill(level, &kernels);
		for (size_t j = 0; j < FORMATS; j++)
			test(&kernels, &formats[j]);
	}
}

/* All patterns through a level's rows: the bits of the single conversions. */
static void rows_of_level(const struct sluice__kernels *kernels, const struct format *format)
{
	static uint16_t stored[PATTERNS];
	static float x[PATTERNS], back[PATTERNS];
	for (uint32_t pattern = 0; pattern < PATTERNS; pattern++)
		stored[pattern] = (uint16_t)pattern;
	kernels->widen(format->type, PATTERNS, stored, x);
	for (uint32_t pattern = 0; pattern < PATTERNS; pattern++)
		assert_int_equal(sluice__f32_bits(x[pattern]), sluice__f32_bits(format->widen((uint16_t)pattern)));
	/* Floats of all kinds: upper half from the pattern, lower half around the ties. */
	const uint32_t lower_halves[] = {0, 1, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
	for (size_t j = 0; j < sizeof lower_halves / sizeof lower_halves[0]; j++) {
		for (uint32_t pattern = 0; pattern < PATTERNS; pattern++)
			x[pattern] = sluice__f32_from_bits(pattern << 16 | lower_halves[j]);
		memcpy(back, x, sizeof back);
		kernels->narrow(format->type, PATTERNS, x, stored);
		kernels->round_to(format->type, PATTERNS, back);
		for (uint32_t pattern = 0; pattern < PATTERNS; pattern++) {
			assert_int_equal(stored[pattern], format->narrow(x[pattern]));
			assert_int_equal(sluice__f32_bits(back[pattern]),
					 sluice__f32_bits(format->widen(stored[pattern])));
		}
	}
}

static void test_rows(void **unused)
{
	(void)unused;
	on_every_level(rows_of_level);
}

/* Rows of every short length at odd places; nothing around them changes. */
static void counts_of_level(const struct sluice__kernels *kernels, const struct format *format)
{
	enum { MOST = 70, FIRST = 1, ALL = FIRST + MOST + 2 };
	for (size_t count = 0; count <= MOST; count++) {
		float x[ALL], wide[ALL], rounded[ALL];
		uint16_t stored[ALL];
		for (size_t j = 0; j < ALL; j++) {
			x[j] = rounded[j] = 1.2345678f * (float)(j + 1);
			wide[j] = -7;
			stored[j] = 0x1234;
		}
		kernels->narrow(format->type, count, x + FIRST, stored + FIRST);
		kernels->widen(format->type, count, stored + FIRST, wide + FIRST);
		kernels->round_to(format->type, count, rounded + FIRST);
		for (size_t j = 0; j < ALL; j++) {
			const bool inside = j >= FIRST && j < FIRST + count;
			assert_int_equal(stored[j], inside ? format->narrow(x[j]) : 0x1234);
			assert_true(wide[j] == (inside ? format->widen(stored[j]) : -7));
			assert_true(rounded[j] == (inside ? wide[j] : x[j]));
		}
		/* f32 is copied. */
		memset(wide, 0, sizeof wide);
		kernels->widen(SLUICE_F32, count, x + FIRST, wide);
		assert_memory_equal(wide, x + FIRST, count * sizeof *wide);
		assert_true(wide[count] == 0);
		kernels->round_to(SLUICE_F32, count, wide);
		kernels->narrow(SLUICE_F32, count, wide, rounded + FIRST);
		assert_memory_equal(rounded + FIRST, x + FIRST, count * sizeof *x);
	}
}

static void test_counts(void **unused)
{
	(void)unused;
	on_every_level(counts_of_level);
}

static void test_list(void **unused)
{
	(void)unused;
	assert_string_equal(sluice__dtype_name(SLUICE_BF16), "bf16");
	assert_string_equal(sluice__dtype_name((sluice_dtype)99), "unknown");
	assert_int_equal(sluice__dtype_bytes(SLUICE_F32), 4);
	assert_int_equal(sluice__dtype_bytes(SLUICE_F64), 8);
	assert_int_equal(sluice__dtype_bytes(SLUICE_F16), 2);
	assert_int_equal(sluice__dtype_bytes(SLUICE_I8), 1);
	assert_int_equal(sluice__dtype_bytes((sluice_dtype)99), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widen),        cmocka_unit_test(test_back), cmocka_unit_test(test_ties),
		cmocka_unit_test(test_not_a_number), cmocka_unit_test(test_rows), cmocka_unit_test(test_counts),
		cmocka_unit_test(test_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
