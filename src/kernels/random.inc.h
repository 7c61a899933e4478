/* random.inc.h: random numbers for whole rows: Philox of sixteen counters side by side, as the compiler's vectors. */

static void random_entry(const uint32_t key[2], const uint32_t counter[4], size_t blocks, uint32_t *out)
{
	enum { SIDE = 16 };
	for (size_t first = 0; first < blocks; first += SIDE) {
		uint32_t words[4][SIDE];
		for (size_t side = 0; side < SIDE; side++) {
			words[0][side] = counter[0] + (uint32_t)(first + side);
			for (size_t word = 1; word < 4; word++)
				words[word][side] = counter[word];
		}
		sluice__philox_rounds(key, SIDE, words[0], words[1], words[2], words[3]);
		const size_t rest = blocks - first, count = rest < SIDE ? rest : SIDE;
		for (size_t side = 0; side < count; side++)
			for (size_t word = 0; word < 4; word++)
				out[(first + side) * 4 + word] = words[word][side];
	}
}
