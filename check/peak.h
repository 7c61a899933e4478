/*
 * peak.h: this machine's ceilings, measured in the run that quotes them.
 */
#ifndef SLUICE_CHECK_PEAK_H
#define SLUICE_CHECK_PEAK_H

#include <stddef.h>

/* Each probe runs for about `seconds` (0: 0.1) and gives the best of several repetitions, or 0 where this build or
 * machine lacks the level. Levels are called as by sluice_isa_name; NULL or an unknown name gives 0. */

/* f32 GFLOP/s of fused multiply-adds (scalar: of separate products and sums, as the level computes them) with
 * `threads` threads at once. */
double sluice__peak_fma(const char *isa, int threads, double seconds);

/* GHz, from a chain of dependent integer additions, one per cycle. */
double sluice__peak_clock(double seconds);

/* GB/s of one thread reading a buffer of `bytes` again and again: take half the size of a cache to probe that cache. */
double sluice__peak_read(const char *isa, size_t bytes, double seconds);

/* Bytes of this machine's first and second data cache; 32 KiB and 1 MiB where the system does not say. */
size_t sluice__peak_cache(int level);

#endif
