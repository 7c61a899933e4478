/* parallel.h: one parallel region over the host's threads or OpenMP's, the barrier inside it, and how work is cut. */
#ifndef SLUICE_BASE_PARALLEL_H
#define SLUICE_BASE_PARALLEL_H

#include <stdatomic.h>
#include <sluice/sluice.h>

struct sluice__parallel {
	sluice_parallel run; /* NULL: OpenMP, or one thread where there is none */
	void *user;
	int threads;
};

/* Calls task once for each index below count, where count is at least 1 and at most threads. */
void sluice__parallel_run(const struct sluice__parallel *parallel, int threads, sluice_task task, void *argument);

/* A barrier for `count` threads that all run at the same time. Zero-initialised memory is ready for use, and so is a
 * barrier that every thread has left. */
struct sluice__barrier {
	_Alignas(64) atomic_uint arrived;
	_Alignas(64) atomic_uint generation;
};

/* Waits until count threads have arrived. Spins briefly, then yields. count 1 costs nothing. */
void sluice__barrier_wait(struct sluice__barrier *barrier, int count);

/* The part of 0 .. total-1 that falls to thread index of count. */
struct sluice__range {
	size_t first, last;
};
struct sluice__range sluice__share(size_t total, int index, int count);

#endif
