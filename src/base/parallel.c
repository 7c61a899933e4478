/* parallel.c exists to be the only place that starts threads or waits for them. */
#define _POSIX_C_SOURCE 200809L
#include "base/parallel.h"

#include <sched.h>
#ifdef _OPENMP
#include <omp.h>
#endif

void sluice__parallel_run(const struct sluice__parallel *parallel, int threads, sluice_task task, void *argument)
{
	if (threads <= 1) {
		task(argument, 0, 1);
		return;
	}
	if (parallel->run) {
		parallel->run(parallel->user, threads, task, argument);
		return;
	}
#ifdef _OPENMP
	/* A nested region may get fewer threads than asked for: the tasks learn the true number. */
#pragma omp parallel num_threads(threads)
	task(argument, omp_get_thread_num(), omp_get_num_threads());
#else
	task(argument, 0, 1);
#endif
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

void sluice__barrier_wait(struct sluice__barrier *barrier, int count)
{
	/* Beyond this the other thread has lost its core, and spinning keeps it from getting one back. */
	enum { SPINS = 500 };
	if (count <= 1)
		return;
	unsigned generation = atomic_load_explicit(&barrier->generation, memory_order_relaxed);
	if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) == (unsigned)count - 1) {
		atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
		atomic_store_explicit(&barrier->generation, generation + 1, memory_order_release);
		return;
	}
	for (int spin = 0; atomic_load_explicit(&barrier->generation, memory_order_acquire) == generation; spin++) {
		if (spin < SPINS)
			pause_briefly();
		else
			sched_yield();
	}
}

struct sluice__range sluice__share(size_t total, int index, int count)
{
	size_t each = total / (size_t)count, rest = total % (size_t)count, place = (size_t)index;
	size_t first = place * each + (place < rest ? place : rest);
	return (struct sluice__range){first, first + each + (place < rest)};
}
