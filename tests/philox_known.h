/* philox_known.h: known answers for Philox 4x32-10, which the library's and the oracle's must both give. */
#ifndef SLUICE_TESTS_PHILOX_KNOWN_H
#define SLUICE_TESTS_PHILOX_KNOWN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The answers that come with Random123, the reference implementation of Salmon et al. (kat_vectors). */
static void assert_philox(void (*philox)(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]))
{
	static const struct {
		uint32_t key[2], counter[4], out[4];
	} known[] = {
		{{0, 0}, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{{0xffffffff, 0xffffffff},
		 {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
		 {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{{0xa4093822, 0x299f31d0},
		 {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
		 {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	};
	for (size_t index = 0; index < sizeof known / sizeof known[0]; index++) {
		uint32_t out[4];
		philox(known[index].key, known[index].counter, out);
		assert_memory_equal(out, known[index].out, sizeof out);
	}
}

#endif
