/* network_fixture.h: a context, model, plan and all memory of its runs, for tests that need one quickly. */
#ifndef SLUICE_TESTS_NETWORK_FIXTURE_H
#define SLUICE_TESTS_NETWORK_FIXTURE_H

#include <sluice/ops.h>

/* What a test wants; zero is a default throughout. */
struct wish {
	size_t steps, batch, inputs, layers, outputs;
	size_t hidden[4];
	sluice_direction direction[4];
	float dropout[4];
	const char *isa;
	int threads;
	sluice_parallel parallel;
	const sluice_allocator *allocator;
	int training;
	sluice_layout layout;
	sluice_choice flush_denormals;
};

struct network {
	struct wish wish;
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	size_t outputs, parameter_count;
	float *x, *y, *dy, *dx, *dparameters;
	void *initial, *final, *dinitial, *dfinal, *workspace, *tape;
	size_t state_bytes, tape_bytes;
	sluice_run run;             /* ready for sluice_forward */
	sluice_gradients gradients; /* ready for sluice_backward */
};

/* Makes everything, with seeded random parameters and data. Fails the test on any error. */
struct network network_create(const struct wish *wish);
void network_destroy(struct network *network);

/* Aligned zeroed memory from the C library; free() it. */
void *aligned_zeros(size_t bytes);

/* Zero-mean uniform numbers in [-1, 1), the same for the same seed. */
void fill_random(float *to, size_t count, uint64_t seed);

/* Fails the test with the library's sentence unless status is SLUICE_OK. */
void assert_ok(sluice_status status);

/* Fails the test unless the call was refused with this status and a sentence that contains `part`. */
void assert_refused(sluice_status status, sluice_status expected, const char *part);

/* A host's thread pool for contexts: starts POSIX threads for each region. */
void posix_parallel(void *user, int threads, sluice_task task, void *argument);

#endif
