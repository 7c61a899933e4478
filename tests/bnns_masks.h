/*
 * bnns_masks.h: the masks of BNNS's dropout, which no argument shows, out of a network that counts what gets through.
 */
#ifndef SLUICE_TESTS_BNNS_MASKS_H
#define SLUICE_TESTS_BNNS_MASKS_H

#include "bnns_case.h"

/* 1 where the call after this number of calls that drop keeps h, else 0: [L-1][D][T][N][H], for a spec of at most
 * MASK_STEPS steps. Sets the options of the spec. The caller's to free. */
enum { MASK_STEPS = 12 };
double *masks_recover(const struct bnns_spec *spec, size_t calls, int with_cache);

/* What the factors are if 1 means kept. */
void masks_scale(const struct bnns_spec *spec, double *masks);
size_t masks_count(const struct bnns_spec *spec);

#endif
