/* option_wishes.h: networks that have every option alone and some together, for tests of what holds for all of them. */
#ifndef SLUICE_TESTS_OPTION_WISHES_H
#define SLUICE_TESTS_OPTION_WISHES_H

#include "network_fixture.h"

struct option_wish {
	const char *name;
	struct wish wish; /* for training, with all sequences put out and states poisoned; large enough for threads */
};

extern const struct option_wish option_wishes[];
extern const size_t option_wish_count;

/* Whether all layers run forward, so that a sequence may be cut. */
int wish_runs_forward(const struct wish *wish);

/* Whether some layer has DropConnect. */
int wish_drops_connections(const struct wish *wish);

#endif
