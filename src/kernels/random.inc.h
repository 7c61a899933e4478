/* random.inc.h: Philox 4x32-10 for whole rows, of as many counters side by side as a vector has words. */

/* J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 4.3; base/philox.c has it for one
 * counter. */
static inline void random_rounds(const uint32_t key[2], vu word[4])
{
	const vu multiplier0 = vu_set(0xD2511F53), multiplier1 = vu_set(0xCD9E8D57);
	uint32_t key0 = key[0], key1 = key[1];
	for (int round = 0; round < 10; round++, key0 += 0x9E3779B9, key1 += 0xBB67AE85) {
		vu low0, low1;
		const vu high0 = vu_multiply(word[0], multiplier0, &low0);
		const vu high1 = vu_multiply(word[2], multiplier1, &low1);
		word[0] = vu_xor(vu_xor(high1, word[1]), vu_set(key0));
		word[1] = low1;
		word[2] = vu_xor(vu_xor(high0, word[3]), vu_set(key1));
		word[3] = low0;
	}
}

static void random_entry(const uint32_t key[2], const uint32_t counter[4], size_t blocks, uint32_t *out)
{
	uint32_t lanes[4][WORDS];
	for (size_t side = 0; side < WORDS; side++)
		lanes[0][side] = (uint32_t)side;
	const vu sides = vu_load(lanes[0]);
	for (size_t first = 0; first < blocks; first += WORDS) {
		vu word[4] = {vu_add(vu_set(counter[0] + (uint32_t)first), sides), vu_set(counter[1]),
			      vu_set(counter[2]), vu_set(counter[3])};
		random_rounds(key, word);
		for (size_t each = 0; each < 4; each++)
			vu_store(lanes[each], word[each]);
		const size_t rest = blocks - first, count = rest < WORDS ? rest : WORDS;
		for (size_t side = 0; side < count; side++)
			for (size_t each = 0; each < 4; each++)
				out[(first + side) * 4 + each] = lanes[each][side];
	}
}
