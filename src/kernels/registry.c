/* registry.c exists to turn isa.def into tables: the only list of levels in the library. */
#include "kernels/kernels.h"

#include "base/cpu.h"

#define FILL(name) SLUICE__REAL_NAME(sluice__kernels_##name)
#define LEVEL(name, needs) void FILL(name)(struct sluice__kernels * kernels);
#include "kernels/isa.def"
#undef LEVEL

static const struct level {
	const char *name;
	unsigned needs;
	void (*fill)(struct sluice__kernels *kernels);
} levels[] = {
#define LEVEL(name, needs) {#name, needs, FILL(name)},
#include "kernels/isa.def"
#undef LEVEL
};

size_t sluice__level_count(void)
{
	return sizeof levels / sizeof levels[0];
}

const char *sluice__level_name(size_t level)
{
	return level < sluice__level_count() ? levels[level].name : NULL;
}

bool sluice__level_available(size_t level)
{
	return level < sluice__level_count() && (levels[level].needs & ~sluice__cpu_flags()) == 0;
}

void sluice__kernels_fill(size_t level, struct sluice__kernels *kernels)
{
	for (size_t each = 0; each <= level; each++)
		if (sluice__level_available(each))
			levels[each].fill(kernels);
}
