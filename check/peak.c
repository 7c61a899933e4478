/*
 * peak.c: runs the probes of a level that this machine has, one thread each, and keeps the best of several repetitions.
 */
#define _POSIX_C_SOURCE 200809L /* pthread, sysconf */
#include "peak.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peak_level.h"
#include "timing.h"

#define THREADS_MAX 256
#define REPETITIONS 10 /* of one probe: the best counts, and each is long enough to reach the full clock */

static const struct sluice__peak_level *level_find(const char *isa)
{
	if (!isa)
		return NULL;
	if (strcmp(isa, "scalar") == 0)
		return &sluice__peak_scalar;
#ifdef SLUICE_PEAK_AVX2
	if (strcmp(isa, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return &sluice__peak_avx2;
#endif
#ifdef SLUICE_PEAK_AVX512
	if (strcmp(isa, "avx512") == 0 && __builtin_cpu_supports("avx512f"))
		return &sluice__peak_avx512;
#endif
	return NULL;
}

/* ----------------------------------------------------------------------------------------- multiply and add ---- */

/* One thread's share. From -0.5 the chains x = x * x + x creep up to where x * x no longer changes x, about -6e-8: no
 * overflow, no denormals. */
struct worker {
	_Alignas(64) float numbers[SLUICE__PEAK_LANES];
	_Alignas(64) float sink[SLUICE__PEAK_LANES];
	const struct sluice__peak_level *level;
	size_t rounds;
	double flops;
	atomic_int *waiting;
};

static void worker_run(struct worker *worker)
{
	worker->flops = worker->level->multiply_add(worker->rounds, worker->numbers, worker->sink);
}

/* All threads start together: each waits until nobody is missing. */
static void *worker_start(void *argument)
{
	struct worker *worker = argument;

	atomic_fetch_sub(worker->waiting, 1);
	while (atomic_load(worker->waiting) > 0)
		;
	worker_run(worker);
	return NULL;
}

/* GFLOP/s of one repetition: all work over the time from the common start to the last end. */
static double multiply_add_rate(struct worker *workers, int threads, size_t rounds)
{
	pthread_t handles[THREADS_MAX];
	atomic_int waiting = threads;
	double flops = 0, start;
	int started = 1;

	for (int index = 0; index < threads; index++) {
		workers[index].rounds = rounds;
		workers[index].waiting = &waiting;
	}
	while (started < threads && pthread_create(&handles[started], NULL, worker_start, &workers[started]) == 0)
		started++;
	/* A thread that could not be started must not be waited for, and spoils the measurement. */
	atomic_fetch_sub(&waiting, threads - started + 1);
	while (atomic_load(&waiting) > 0)
		;
	start = sluice__time_now();
	worker_run(&workers[0]);
	for (int index = 1; index < started; index++)
		pthread_join(handles[index], NULL);
	start = sluice__time_now() - start;
	for (int index = 0; index < started; index++)
		flops += workers[index].flops;
	return started == threads && start > 0 ? flops / start * 1e-9 : 0;
}

double sluice__peak_fma(const char *isa, int threads, double seconds)
{
	const struct sluice__peak_level *level = level_find(isa);
	struct worker *workers;
	double best = 0, rate;
	size_t rounds = 1000;

	if (threads < 1)
		threads = 1;
	if (!level || threads > THREADS_MAX)
		return 0;
	if (seconds <= 0)
		seconds = 0.1;
	workers = aligned_alloc(64, (size_t)threads * sizeof(*workers));
	if (!workers)
		return 0;
	memset(workers, 0, (size_t)threads * sizeof(*workers));
	for (int index = 0; index < threads; index++) {
		workers[index].level = level;
		for (int lane = 0; lane < SLUICE__PEAK_LANES; lane++)
			workers[index].numbers[lane] = -0.5f;
	}
	/* As many rounds as a tenth of the time takes, found by doubling; this also warms the clock up. */
	for (double took = 0; took < seconds / REPETITIONS; rounds *= 2) {
		double start = sluice__time_now();

		workers[0].rounds = rounds;
		worker_run(&workers[0]);
		took = sluice__time_now() - start;
	}
	for (int repetition = 0; repetition < REPETITIONS; repetition++) {
		rate = multiply_add_rate(workers, threads, rounds / 2);
		if (rate > best)
			best = rate;
	}
	/* The results are used, and by the way prove that the chains ran: they end just below zero. */
	for (int index = 0; index < threads; index++)
		if (!(workers[index].sink[0] < 0 && workers[index].sink[0] > -0.5f))
			best = 0;
	free(workers);
	return best;
}

/* ------------------------------------------------------------------------------------------ clock and caches ---- */

/* A chain of additions that each need the one before: one cycle each on every processor in sight. The empty asm keeps
 * the compiler from adding the additions up itself. */
static uint64_t add_chain(size_t count, uint64_t value)
{
	for (size_t index = 0; index < count; index += 16) {
#define ADD_ONE         \
	value += index; \
	__asm__ volatile("" : "+r"(value));
		ADD_ONE ADD_ONE ADD_ONE ADD_ONE ADD_ONE ADD_ONE ADD_ONE ADD_ONE ADD_ONE ADD_ONE ADD_ONE ADD_ONE ADD_ONE
			ADD_ONE ADD_ONE ADD_ONE
#undef ADD_ONE
	}
	return value;
}

double sluice__peak_clock(double seconds)
{
	double best = 0, end;
	const size_t count = 1600000; /* about half a millisecond */
	volatile uint64_t sink = 1;

	end = sluice__time_now() + (seconds > 0 ? seconds : 0.1);
	do {
		double start = sluice__time_now(), took;

		sink = add_chain(count, sink);
		took = sluice__time_now() - start;
		if (took > 0 && (double)count / took > best)
			best = (double)count / took;
	} while (sluice__time_now() < end);
	return best * 1e-9;
}

double sluice__peak_read(const char *isa, size_t bytes, double seconds)
{
	const struct sluice__peak_level *level = level_find(isa);
	size_t count = bytes / sizeof(float) / SLUICE__PEAK_STRIDE * SLUICE__PEAK_STRIDE, rounds;
	_Alignas(64) float sink[SLUICE__PEAK_LANES] = {0};
	volatile float used;
	double best = 0, end;
	float *values;

	if (!level || !count)
		return 0;
	values = aligned_alloc(64, count * sizeof(float));
	if (!values)
		return 0;
	memset(values, 0, count * sizeof(float));
	rounds = 16777216 / (count * sizeof(float)) + 1; /* about 16 MiB a repetition */
	end = sluice__time_now() + (seconds > 0 ? seconds : 0.1);
	do {
		double start = sluice__time_now(), took;

		level->read(rounds, values, count, sink);
		took = sluice__time_now() - start;
		used = sink[0];
		if (took > 0 && (double)(rounds * count) / took > best)
			best = (double)(rounds * count) / took;
	} while (sluice__time_now() < end);
	(void)used;
	free(values);
	return best * sizeof(float) * 1e-9;
}

size_t sluice__peak_cache(int level)
{
	long size = 0;

#ifdef _SC_LEVEL1_DCACHE_SIZE
	size = sysconf(level == 1 ? _SC_LEVEL1_DCACHE_SIZE : _SC_LEVEL2_CACHE_SIZE);
#endif
	if (size > 0)
		return (size_t)size;
	return level == 1 ? 32768 : 1048576;
}
