/* test_threads.c exists for many threads on one plan and one state: each steps slots of its own, and all get the bits
 * of one thread. It is small, so that ThreadSanitizer can watch it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "row_fixture.h"
#include "sluice/streams.h"

enum { SLOTS = 24, CALLS = 12, MOST_THREADS = 8, MOST_STEPS = 3, INPUTS = 5, OUTPUTS = 4 };

/* Rows of h and c of one cache line and of several, with a learned start. */
static const struct wish wish = {.steps = MOST_STEPS,
				 .batch = SLOTS,
				 .inputs = INPUTS,
				 .layers = 2,
				 .hidden = {37, 8},
				 .options = {{.learned_start = 1}, {.peephole = SLUICE_PEEPHOLE_DIAGONAL}},
				 .outputs = OUTPUTS};

/* Shared by all threads: a plan, one state and what each slot has put out. */
struct shared {
	const sluice_plan *plan;
	void *state;
	float *y; /* [SLOTS][CALLS * MOST_STEPS][OUTPUTS] */
};

/* A thread, with what belongs to it alone: every `threads`-th slot from `first`, so that neighbours in memory are other
 * threads' work. */
struct member {
	const struct shared *shared;
	size_t first, threads;
	void *workspace, *kept;
	sluice_status status; /* of the first call that failed: cmocka's asserts belong to the main thread */
};

static float *output_of(const struct shared *shared, size_t slot, size_t step)
{
	return shared->y + (slot * CALLS * MOST_STEPS + step) * OUTPUTS;
}

/* One call: steps in turn with blocks of some steps, now and then after a reset, a saved slot or a warm-up. */
static sluice_status one_call(const struct member *member, const size_t *slots, size_t count, size_t call)
{
	const struct shared *shared = member->shared;
	const size_t steps = call % 2 ? MOST_STEPS : 1;
	float x[MOST_STEPS * SLOTS * INPUTS], y[MOST_STEPS * SLOTS * OUTPUTS], frame[INPUTS];
	sluice_run run = SLUICE_RUN_INIT;
	sluice_status status = SLUICE_OK;
	for (size_t t = 0; t < steps; t++)
		for (size_t row = 0; row < count; row++)
			fill_random(x + (t * count + row) * INPUTS, INPUTS,
				    (slots[row] * CALLS + call) * MOST_STEPS + t);
	run.steps = steps;
	run.batch = count;
	run.x = x;
	run.y = y;
	run.initial_state = run.final_state = shared->state;
	run.slots = slots;
	run.slot_count = SLOTS;
	run.workspace = member->workspace;
	status = (steps == 1 ? sluice_step : sluice_block)(shared->plan, &run);
	for (size_t t = 0; t < steps; t++)
		for (size_t row = 0; row < count; row++)
			memcpy(output_of(shared, slots[row], call * MOST_STEPS + t), y + (t * count + row) * OUTPUTS,
			       OUTPUTS * sizeof *y);
	for (size_t row = 0; row < count && status == SLUICE_OK; row++) {
		const size_t slot = slots[row], size = sluice_slot_size(shared->plan);
		fill_random(frame, INPUTS, slot);
		if ((slot + call) % 5 == 0)
			status = sluice_state_reset(shared->plan, shared->state, slot, 1);
		else if ((slot + call) % 5 == 1)
			status = sluice_slot_save(shared->plan, shared->state, slot, member->kept, size);
		else if ((slot + call) % 5 == 2)
			status = sluice_prewarm(shared->plan, shared->state, slot, frame, 2, member->workspace);
		if (status == SLUICE_OK && (slot + call) % 5 == 1)
			status = sluice_slot_load(shared->plan, shared->state, slot, member->kept, size);
	}
	return status;
}

static void *step_slots(void *argument)
{
	struct member *member = argument;
	size_t slots[SLOTS], count = 0;
	for (size_t slot = member->first; slot < SLOTS; slot += member->threads)
		slots[count++] = slot;
	for (size_t call = 0; call < CALLS && member->status == SLUICE_OK; call++)
		member->status = one_call(member, slots, count, call);
	return NULL;
}

static struct shared new_shared(const struct network *network)
{
	struct shared shared = {.plan = network->plan};
	shared.state = aligned_zeros(sluice_plan_state_size(network->plan, SLOTS));
	shared.y = aligned_zeros(SLOTS * CALLS * MOST_STEPS * OUTPUTS * sizeof *shared.y);
	assert_ok(sluice_state_reset(network->plan, shared.state, 0, SLOTS));
	return shared;
}

static void run_members(const struct shared *shared, size_t threads)
{
	struct member members[MOST_THREADS];
	pthread_t handles[MOST_THREADS];
	for (size_t j = 0; j < threads; j++) {
		members[j] = (struct member){shared,
					     j,
					     threads,
					     aligned_zeros(sluice_plan_workspace_size(shared->plan)),
					     aligned_zeros(sluice_slot_size(shared->plan)),
					     SLUICE_OK};
		assert_int_equal(pthread_create(&handles[j], NULL, step_slots, &members[j]), 0);
	}
	for (size_t j = 0; j < threads; j++) {
		assert_int_equal(pthread_join(handles[j], NULL), 0);
		assert_int_equal(members[j].status, SLUICE_OK);
		free(members[j].workspace);
		free(members[j].kept);
	}
}

static void test_slots(void **unused)
{
	static const size_t counts[] = {2, MOST_THREADS};
	(void)unused;
	struct network network = network_create(&wish);
	struct shared alone = new_shared(&network);
	run_members(&alone, 1);
	for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
		struct shared together = new_shared(&network);
		run_members(&together, counts[j]);
		assert_memory_equal(alone.y, together.y, SLOTS * CALLS * MOST_STEPS * OUTPUTS * sizeof *alone.y);
		assert_memory_equal(alone.state, together.state, sluice_plan_state_size(network.plan, SLOTS));
		free(together.state);
		free(together.y);
	}
	free(alone.state);
	free(alone.y);
	network_destroy(&network);
}

/* A team of three, which shares directions and panels unevenly, on rows with lengths, resets and holds. */
static void one_team(const struct option_wish *option, const char *isa)
{
	uint8_t resets[ROW_STEPS * ROW_BATCH], holds[ROW_STEPS * ROW_BATCH];
	struct option_wish shared = *option;
	shared.wish.parallel = posix_parallel;
	struct network alone = row_network(&shared, isa);
	shared.wish.threads = 3;
	struct network team = row_network(&shared, isa);
	mark_steps(resets, 21);
	mark_steps(holds, 22);
	alone.run.lengths = team.run.lengths = mixed_lengths;
	alone.run.resets = team.run.resets = resets;
	alone.run.holds = team.run.holds = holds;
	run_all(&alone, 1);
	run_all(&team, 1);
	assert_same_runs(row_context(option, isa, "a team", 1), &alone, &team, alone.wish.training);
	network_destroy(&alone);
	network_destroy(&team);
}

static void test_teams(void **unused)
{
	(void)unused;
	rows_on_every_level(one_team);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_teams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
