/* test_slots.c exists for rows of a state as slots: whoever is stepped together gets the bits that it gets alone, other
 * rows stay, and a slot may be reset, copied, saved, loaded and prewarmed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "row_fixture.h"
#include "sluice/streams.h"

enum { T = ROW_STEPS, N = ROW_BATCH, SLOTS = 2 * N + 1 };

/* ---------------------------------------------------------------------------------------- runs with slots ---- */

/* Memory of SLOTS rows that holds no number but in rows that are written. */
static void *slots_memory(const struct network *network)
{
	const size_t bytes = sluice_plan_state_size(network->plan, SLOTS);
	void *state = aligned_zeros(bytes);
	memset(state, 0xff, bytes);
	return state;
}

/* Row n of a run keeps its state in slots[n]: neither neighbours nor in order. */
static const size_t places[N] = {8, 3, 17, 0, 11, 5, 18, 2, 14};

static int is_place(size_t slot)
{
	for (size_t row = 0; row < N; row++)
		if (places[row] == slot)
			return 1;
	return 0;
}

static void assert_untouched(const char *context, const struct network *network, const void *state)
{
	for (size_t slot = 0; slot < SLOTS; slot++) {
		const unsigned char *row = state_row(network, state, slot);
		for (size_t j = 0; !is_place(slot) && j < state_row_bytes(network); j++)
			if (row[j] != 0xff)
				fail_msg("%s: slot %zu is touched at byte %zu", context, slot, j);
	}
}

/* States in slots, the same array going in and out or another one, change nothing, forward or backward. */
static void places_do_not_matter(const struct option_wish *option, const char *isa)
{
	struct network plain = row_network(option, isa), other = row_network(option, isa);
	void *const in = slots_memory(&plain), *const out = slots_memory(&plain);
	plain.run.lengths = other.run.lengths = mixed_lengths;
	other.run.slots = places;
	other.run.slot_count = SLOTS;
	other.run.initial_state = in;
	for (int variant = 0; variant < 4; variant++) {
		const int training = variant % 2;
		const char *context = row_context(option, isa, variant < 2 ? "slots" : "slots in place", training);
		for (size_t row = 0; row < N; row++)
			assert_ok(sluice_slot_copy(plain.plan, in, places[row], plain.initial, row));
		other.run.final_state = variant < 2 ? out : in;
		run_all(&plain, training);
		spoil(&other);
		other.run.training = training;
		assert_ok(sluice_forward(other.plan, &other.run));
		assert_untouched(context, &other, other.run.final_state);
		for (size_t row = 0; row < N; row++)
			assert_ok(sluice_slot_copy(other.plan, other.final, row, other.run.final_state, places[row]));
		/* Backward reads the tape and the initial state; the run above may have overwritten that. */
		for (size_t row = 0; row < N; row++)
			assert_ok(sluice_slot_copy(plain.plan, in, places[row], plain.initial, row));
		if (other.wish.training)
			assert_ok(sluice_backward(other.plan, &other.run, &other.gradients));
		assert_same_runs(context, &plain, &other, plain.wish.training);
	}
	free(in);
	free(out);
	network_destroy(&plain);
	network_destroy(&other);
}

static void test_places(void **unused)
{
	(void)unused;
	rows_on_every_level(places_do_not_matter);
}

/* The streams of call `call`, below SLOTS / 2: each takes part or not, the order changes from call to call. SLOTS is
 * prime, so that no stride meets a slot twice. */
static size_t choose(size_t call, size_t slots[N])
{
	float chances[SLOTS];
	size_t count = 0;
	fill_random(chances, SLOTS, 100 + call);
	for (size_t j = 0; j < SLOTS && count < N; j++) {
		const size_t slot = (j * (2 * call + 1) + call) % SLOTS;
		if (chances[slot] > -0.2f)
			slots[count++] = slot;
	}
	return count;
}

/* One call of several steps, or of one, for some streams: each against a call of its own. */
static void company_call(const char *context, struct network *network, struct network *lent, void *together,
			 void *apart, size_t call, int block)
{
	size_t slots[N];
	const size_t count = choose(call, slots), steps = block ? 1 + call % T : 1;
	uint64_t ids[N];
	sluice_run run = network->run;
	for (size_t row = 0; row < count; row++)
		ids[row] = 1000 + slots[row];
	run.initial_state = run.final_state = together;
	run.slots = slots;
	run.slot_count = SLOTS;
	run.batch = count;
	run.steps = steps;
	run.sequence_ids = ids;
	run.mask = NULL;
	run.tape = NULL;
	fill_random_as(network->wish.data, network->x, T * N * network->inputs, 300 + call);
	spoil(network);
	assert_ok((block ? sluice_block : sluice_step)(network->plan, &run));
	for (size_t row = 0; row < count; row++) {
		const size_t bytes = network->inputs * network->data_bytes;
		sluice_run alone = lent->run;
		for (size_t t = 0; t < steps; t++)
			memcpy((char *)lent->x + t * bytes, (char *)network->x + (t * count + row) * bytes, bytes);
		alone.training = run.training;
		alone.batch = 1;
		alone.steps = steps;
		alone.sequence_ids = ids + row;
		alone.mask = NULL;
		alone.tape = NULL;
		alone.initial_state = alone.final_state = state_row(network, apart, slots[row]);
		spoil(lent);
		assert_ok((block ? sluice_block : sluice_step)(network->plan, &alone));
		for (size_t t = 0; t < steps; t++)
			assert_same_step(context, ROW_FORWARD, (struct spot){network, count, t, row},
					 (struct spot){lent, 1, t, 0});
		assert_same_last(context, (struct spot){network, count, 0, row}, (struct spot){lent, 1, 0, 0});
	}
	for (size_t slot = 0; slot < SLOTS; slot++)
		assert_same_state(context, network, CELLS_ALL, together, slot, apart, slot);
}

/* Streams that join and leave from call to call get the bits that they get alone. */
static void company_does_not_matter(const struct option_wish *option, const char *isa)
{
	enum { CALLS = 6 };
	struct network network = row_network(option, isa), lent = row_network(option, isa);
	void *together = slots_memory(&network), *apart = slots_memory(&network);
	for (int variant = 0; variant < 4; variant++) {
		const int block = variant / 2, training = variant % 2;
		if (!block &&
		    (!wish_runs_forward(&option->wish) || (training && wish_drops_connections(&option->wish))))
			continue;
		network.run.training = training;
		assert_ok(sluice_state_reset(network.plan, together, 0, SLOTS));
		assert_ok(sluice_state_reset(network.plan, apart, 0, SLOTS));
		for (size_t call = 0; call < CALLS; call++)
			company_call(row_context(option, isa, block ? "blocks of slots" : "steps of slots", training),
				     &network, &lent, together, apart, call, block);
	}
	free(together);
	free(apart);
	network_destroy(&network);
	network_destroy(&lent);
}

static void test_company(void **unused)
{
	(void)unused;
	rows_on_every_level(company_does_not_matter);
}

static void no_parallel(void *user, int threads, sluice_task task, void *argument)
{
	(void)user;
	(void)task;
	(void)argument;
	fail_msg("a block has asked for %d threads", threads);
}

/* Blocks and steps stay in the calling thread, and a block has the bits of a call that does not. */
static void blocks_ask_for_no_threads(const struct option_wish *option, const char *isa)
{
	struct option_wish shared = *option;
	shared.wish.threads = 3;
	shared.wish.parallel = posix_parallel;
	struct network team = row_network(&shared, isa);
	shared.wish.parallel = no_parallel;
	struct network alone = row_network(&shared, isa);
	team.run.lengths = alone.run.lengths = mixed_lengths;
	for (int training = 0; training < 2; training++) {
		run_all(&team, training);
		spoil(&alone);
		alone.run.training = training;
		assert_ok(sluice_block(alone.plan, &alone.run));
		assert_same_runs(row_context(option, isa, "a block", training), &team, &alone, 0);
	}
	alone.run.training = 0;
	alone.run.tape = NULL;
	alone.run.lengths = NULL;
	if (wish_runs_forward(&option->wish))
		assert_ok(sluice_step(alone.plan, &alone.run));
	network_destroy(&team);
	network_destroy(&alone);
}

static void test_blocks(void **unused)
{
	(void)unused;
	rows_on_every_level(blocks_ask_for_no_threads);
}

/* -------------------------------------------------------------------------------------------- single slots ---- */

static const struct option_wish plain = {
	"plain", {.inputs = 3, .layers = 2, .hidden = {20, 7}, .options = {{.projection = 5}}, .outputs = 2}};
static const struct option_wish wide = {"f64",
					{.inputs = 3,
					 .layers = 2,
					 .hidden = {20, 7},
					 .options = {{.projection = 5}},
					 .outputs = 2,
					 .data = SLUICE_F64}};
static const struct option_wish both_ways = {
	"both ways", {.inputs = 3, .hidden = {9}, .direction = {SLUICE_BIDIRECTIONAL}, .outputs = 2}};

/* The start is what a run without an initial state begins with; rows beside those that are reset stay. */
static void reset_is_the_start(const struct option_wish *option, const char *isa)
{
	enum { FIRST = 3, COUNT = N };
	struct network network = row_network(option, isa), other = row_network(option, isa);
	void *state = slots_memory(&network);
	const char *context = row_context(option, isa, "reset", 0);
	assert_ok(sluice_state_reset(network.plan, state, FIRST, COUNT));
	for (size_t slot = 0; slot < SLOTS; slot++) {
		const unsigned char *row = state_row(&network, state, slot);
		for (size_t j = 0; (slot < FIRST || slot >= FIRST + COUNT) && j < state_row_bytes(&network); j++)
			assert_int_equal(row[j], 0xff);
	}
	network.run.initial_state = NULL;
	other.run.initial_state = state_row(&network, state, FIRST);
	network.run.training = other.run.training = 0;
	spoil(&network);
	spoil(&other);
	assert_ok(sluice_forward(network.plan, &network.run));
	assert_ok(sluice_forward(other.plan, &other.run));
	assert_same_runs(context, &network, &other, 0);
	assert_ok(sluice_state_reset(network.plan, state, 0, 0));
	free(state);
	network_destroy(&network);
	network_destroy(&other);
}

/* A learned start is its parameters; all others are zeros. */
static void test_reset(void **unused)
{
	(void)unused;
	rows_on_every_level(reset_is_the_start);
	struct option_wish learned = plain;
	learned.wish.options[1].learned_start = 1;
	struct network network = row_network(&learned, NULL);
	const float *parameters = sluice_model_parameters(network.model, NULL);
	float h[2][20], c[2][20];
	assert_ok(sluice_state_reset(network.plan, network.initial, 0, N));
	for (size_t layer = 0; layer < 2; layer++)
		assert_ok(sluice_state_read(network.plan, state_row(&network, network.initial, N - 1), 1, layer, 0,
					    h[layer], c[layer]));
	for (size_t j = 0; j < 20; j++)
		assert_true((j >= 5 || h[0][j] == 0) && c[0][j] == 0);
	size_t found = 0;
	for (size_t j = 0; j < sluice_model_parameter_count(network.model); j++) {
		sluice_parameter each = SLUICE_PARAMETER_INIT;
		assert_ok(sluice_model_parameter(network.model, j, &each));
		const int is_h = strcmp(each.name, "start_h_l1") == 0;
		if (!is_h && strcmp(each.name, "start_c_l1") != 0)
			continue;
		assert_memory_equal(is_h ? h[1] : c[1], parameters + each.offset, each.rows * sizeof(float));
		found++;
	}
	assert_int_equal(found, 2);
	assert_refused(sluice_state_reset(NULL, network.initial, 0, 1), SLUICE_INVALID_ARGUMENT, "plan is NULL");
	assert_refused(sluice_state_reset(network.plan, NULL, 0, 1), SLUICE_INVALID_ARGUMENT, "state is NULL");
	network_destroy(&network);
}

/* Exactly one row changes. */
static void assert_only_row(const struct network *network, const void *state, const void *before, size_t row)
{
	for (size_t each = 0; each < N; each++)
		if (each != row)
			assert_memory_equal(state_row(network, state, each), state_row(network, before, each),
					    state_row_bytes(network));
}

static void test_copy(void **unused)
{
	(void)unused;
	struct network network = row_network(&plain, NULL);
	const sluice_plan *plan = network.plan;
	void *before = aligned_zeros(network.state_bytes);
	memcpy(before, network.dfinal, network.state_bytes);
	assert_ok(sluice_slot_copy(plan, network.dfinal, 2, network.initial, 6));
	assert_same_state("copy", &network, CELLS_ALL, network.dfinal, 2, network.initial, 6);
	assert_only_row(&network, network.dfinal, before, 2);
	assert_ok(sluice_slot_copy(plan, network.dfinal, 5, network.dfinal, 2));
	assert_same_state("copy within", &network, CELLS_ALL, network.dfinal, 5, network.initial, 6);
	memcpy(before, network.dfinal, network.state_bytes);
	assert_ok(sluice_slot_copy(plan, network.dfinal, 5, network.dfinal, 5));
	assert_memory_equal(before, network.dfinal, network.state_bytes);
	assert_refused(sluice_slot_copy(NULL, before, 0, before, 1), SLUICE_INVALID_ARGUMENT, "plan is NULL");
	assert_refused(sluice_slot_copy(plan, NULL, 0, before, 1), SLUICE_INVALID_ARGUMENT, "to is NULL");
	assert_refused(sluice_slot_copy(plan, before, 0, NULL, 1), SLUICE_INVALID_ARGUMENT, "from is NULL");
	free(before);
	network_destroy(&network);
}

/* A row comes back from its bytes, wherever they lie, and no other row changes. */
static void slots_come_back(const struct option_wish *option, const char *isa)
{
	struct network network = row_network(option, isa);
	const size_t size = sluice_slot_size(network.plan);
	char *bytes = aligned_zeros(size + 1);
	void *state = slots_memory(&network), *before = slots_memory(&network);
	const char *context = row_context(option, isa, "saved", 0);
	for (size_t row = 0; row < N; row++) {
		memset(state, 0xff, network.state_bytes);
		assert_ok(sluice_slot_save(network.plan, network.initial, row, bytes + 1, size));
		assert_ok(sluice_slot_load(network.plan, state, N - 1 - row, bytes + 1, size));
		assert_same_state(context, &network, CELLS_ALL, state, N - 1 - row, network.initial, row);
		assert_only_row(&network, state, before, N - 1 - row);
	}
	free(bytes);
	free(state);
	free(before);
	network_destroy(&network);
}

/* Bytes that this plan does not take, and a row that stays as it was. */
static void refuse_slot(const struct network *network, const void *bytes, size_t size, const char *part)
{
	void *before = aligned_zeros(network->state_bytes);
	memcpy(before, network->initial, network->state_bytes);
	assert_refused(sluice_slot_load(network->plan, network->initial, 1, bytes, size), SLUICE_FORMAT, part);
	assert_memory_equal(before, network->initial, network->state_bytes);
	free(before);
}

static void test_save(void **unused)
{
	(void)unused;
	rows_on_every_level(slots_come_back);
	struct network network = row_network(&plain, NULL), f64 = row_network(&wide, NULL);
	struct network other = row_network(&both_ways, NULL);
	const size_t size = sluice_slot_size(network.plan), other_size = sluice_slot_size(other.plan);
	/* 16 bytes, two widths of 8 for each of the two cells, and 5+20+7+7 numbers. */
	const size_t header = 16 + 2 * 16;
	assert_int_equal(size, header + 39 * sizeof(float));
	assert_int_equal(sluice_slot_size(f64.plan), header + 39 * sizeof(double));
	char *bytes = aligned_zeros(size), *others = aligned_zeros(other_size);
	memset(bytes, 0x5a, size);
	assert_refused(sluice_slot_save(network.plan, network.initial, 0, bytes, size - 1), SLUICE_INVALID_ARGUMENT,
		       "capacity is 203, expected at least 204");
	for (size_t j = 0; j < size; j++)
		assert_int_equal(bytes[j], 0x5a);
	assert_ok(sluice_slot_save(network.plan, network.initial, 0, bytes, size));
	assert_ok(sluice_slot_save(other.plan, other.initial, 0, others, other_size));
	for (size_t cut = 0; cut < size; cut++)
		refuse_slot(&network, bytes, cut, "bytes, expected 204");
	refuse_slot(&network, bytes, size + 1, "the slot has 205 bytes, expected 204");
	refuse_slot(&f64, bytes, size, "the slot has numbers of 4 bytes, the plan has numbers of 8");
	refuse_slot(&other, bytes, size, "layer 0, direction 0 of the slot has h of 5 and c of 20 numbers");
	for (size_t j = 0; j < header; j++) {
		bytes[j] ^= 0x10;
		refuse_slot(&network, bytes, size, "the");
		bytes[j] ^= 0x10;
	}
	const uint32_t three = 3;
	char cells[sizeof three];
	memcpy(cells, bytes + 12, sizeof three);
	memcpy(bytes + 12, &three, sizeof three);
	refuse_slot(&network, bytes, size, "the slot has 3 cells, the model has 2");
	memcpy(bytes + 12, cells, sizeof three);
	refuse_slot(&network, others, other_size, "layer 0, direction 0 of the slot has h of 9");
	assert_refused(sluice_slot_load(network.plan, NULL, 0, bytes, size), SLUICE_INVALID_ARGUMENT, "state is NULL");
	assert_refused(sluice_slot_load(network.plan, network.initial, 0, NULL, size), SLUICE_INVALID_ARGUMENT,
		       "bytes is NULL");
	assert_refused(sluice_slot_save(NULL, network.initial, 0, bytes, size), SLUICE_INVALID_ARGUMENT,
		       "plan is NULL");
	free(bytes);
	free(others);
	network_destroy(&network);
	network_destroy(&f64);
	network_destroy(&other);
}

/* As many steps with one frame; without x, of zeros. */
static void prewarm_is_steps(const struct option_wish *option, const char *isa)
{
	enum { STEPS = 4, ROW = 6 };
	struct network network = row_network(option, isa);
	const char *context = row_context(option, isa, "prewarm", 0);
	if (!wish_runs_forward(&option->wish)) {
		assert_refused(sluice_prewarm(network.plan, network.initial, ROW, NULL, 0, network.workspace),
			       SLUICE_UNSUPPORTED, "runs in reverse: it needs its last step first");
		network_destroy(&network);
		return;
	}
	void *before = aligned_zeros(network.state_bytes);
	void *zeros = aligned_zeros(network.inputs * sizeof(double));
	memcpy(before, network.initial, network.state_bytes);
	for (int silent = 0; silent < 2; silent++) {
		memcpy(network.initial, before, network.state_bytes);
		memcpy(network.final, before, network.state_bytes);
		sluice_run run = SLUICE_RUN_INIT;
		run.batch = 1;
		run.x = silent ? zeros : network.x;
		run.initial_state = run.final_state = state_row(&network, network.final, ROW);
		run.workspace = network.workspace;
		for (int step = 0; step < STEPS; step++)
			assert_ok(sluice_step(network.plan, &run));
		memset(network.workspace, 0xff, sluice_plan_workspace_size(network.plan));
		assert_ok(sluice_prewarm(network.plan, network.initial, ROW, silent ? NULL : run.x, STEPS,
					 network.workspace));
		for (size_t row = 0; row < N; row++)
			assert_same_state(context, &network, CELLS_ALL, network.initial, row, network.final, row);
		assert_only_row(&network, network.initial, before, ROW);
	}
	free(before);
	free(zeros);
	network_destroy(&network);
}

static void test_prewarm(void **unused)
{
	(void)unused;
	rows_on_every_level(prewarm_is_steps);
	struct network network = row_network(&plain, NULL);
	void *before = aligned_zeros(network.state_bytes);
	memcpy(before, network.initial, network.state_bytes);
	assert_ok(sluice_prewarm(network.plan, network.initial, 1, network.x, 0, network.workspace));
	assert_refused(sluice_prewarm(NULL, network.initial, 1, NULL, 1, network.workspace), SLUICE_INVALID_ARGUMENT,
		       "plan is NULL");
	assert_refused(sluice_prewarm(network.plan, NULL, 1, NULL, 1, network.workspace), SLUICE_INVALID_ARGUMENT,
		       "state is NULL");
	assert_refused(sluice_prewarm(network.plan, network.initial, 1, NULL, 1, NULL), SLUICE_INVALID_ARGUMENT,
		       "workspace is NULL");
	assert_memory_equal(before, network.initial, network.state_bytes);
	free(before);
	network_destroy(&network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),  cmocka_unit_test(test_company), cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_reset),   cmocka_unit_test(test_copy),    cmocka_unit_test(test_save),
		cmocka_unit_test(test_prewarm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
