/* slots.h: what runs over single rows of a state share: how large a row is, and whether the layers allow it. */
#ifndef SLUICE_CORE_SLOTS_H
#define SLUICE_CORE_SLOTS_H

#include "core/internal.h"

static inline size_t sluice__slot_bytes(const sluice_plan *plan)
{
	return plan->model->network.state_row * plan->real_bytes;
}

/* Fails with SLUICE_UNSUPPORTED if a layer runs in reverse, so that no step can be run by itself. */
sluice_status sluice__forward_check(const sluice_plan *plan);

#endif
