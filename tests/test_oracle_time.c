/*
 * test_oracle_time.c: finite differences judge the oracle's gradients where time is not plain: rows of different
 * lengths, resets and held steps, learned starts, combinations of directions, gradients of every state.
 */
#include "differences.h"
#include "oracle_time.h"

enum { STEPS = 6, BATCH = 4 };

static const size_t LENGTHS[BATCH] = {4, STEPS, 0, 3};

/* Marks at the first and the last step, on both sides of the ends of rows, twice in a row, where the row has no steps,
 * and a row without any. */
static const char *const MARKS[BATCH] = {"r.hbrh", "hr.hhr", "rhrhrh", "......"};

struct time_case {
	const char *name;
	unsigned flags;
	size_t outputs;
	sluice_layer layers[LAYERS];
};

static const struct time_case CASES[] = {
	{"forward", 0, 0, {LAYER(.hidden = 2, LEARNED)}},
	{"reverse", 0, 0, {LAYER(.hidden = 2, LEARNED, BACK)}},
	{"forward from the start", NO_INITIAL, 0, {LAYER(.hidden = 2, LEARNED)}},
	{"reverse from the start", NO_INITIAL, 0, {LAYER(.hidden = 2, LEARNED, BACK)}},
	{"from zeros", NO_INITIAL, 2, {LAYER(.hidden = 2, BOTH)}},
	{"both directions", 0, 0, {LAYER(.hidden = 2, LEARNED, BOTH)}},
	{"added", 0, 0, {LAYER(.hidden = 2, LEARNED, ADD)}},
	{"separate", 0, 0, {LAYER(.hidden = 2, LEARNED, SEPARATE)}},
	{"gradients of the states alone", NO_DY | NO_DFINAL, 0, {LAYER(.hidden = 3, LEARNED, BOTH)}},
	{"read-out", 0, 3, {LAYER(.hidden = 3, BOTH, .dropout = 0.4f)}},
	{"read-out of a sum", 0, 3, {LAYER(.hidden = 3, ADD, .dropout = 0.4f)}},
	{"last step only", LAST_ONLY, 0, {LAYER(.hidden = 2, LEARNED, BOTH)}},
	{"last step only, reverse", LAST_ONLY | NO_INITIAL, 3, {LAYER(.hidden = 2, LEARNED, BACK, .dropout = 0.3f)}},
	{"last step only, added", LAST_ONLY, 3, {LAYER(.hidden = 3, ADD, .dropout = 0.4f)}},
	{"last step only, added, no read-out", LAST_ONLY | NO_DFINAL, 0, {LAYER(.hidden = 3, ADD)}},
	{"last step only, separate", LAST_ONLY, 0, {LAYER(.hidden = 2, SEPARATE), LAYER(.hidden = 3, SEPARATE)}},
	{"separate below concatenated, identity input",
	 0,
	 0,
	 {LAYER(.hidden = 3, SEPARATE, .dropout = 0.3f), LAYER(.hidden = 3, BOTH, .input = SLUICE_INPUT_IDENTITY)}},
	{"separate below gates",
	 0,
	 0,
	 {LAYER(.hidden = 2, .projection = 8, SEPARATE),
	  LAYER(.hidden = 2, SEPARATE, LEARNED, .input = SLUICE_INPUT_GATES)}},
	{"three layers: added, concatenated, reverse",
	 0,
	 2,
	 {LAYER(.hidden = 3, LEARNED, ADD, .dropout = 0.3f), LAYER(.hidden = 2, BOTH, .dropout = 0.4f),
	  LAYER(.hidden = 3, LEARNED, BACK)}},
	{"three layers: separate, separate, added",
	 NO_INITIAL,
	 3,
	 {LAYER(.hidden = 2, LEARNED, SEPARATE, .dropout = 0.3f), LAYER(.hidden = 3, SEPARATE, .dropout = 0.4f),
	  LAYER(.hidden = 2, LEARNED, ADD, .dropout = 0.2f)}},
	{"three layers: concatenated, separate, separate, last step only",
	 LAST_ONLY,
	 0,
	 {LAYER(.hidden = 2, BOTH, .dropout = 0.3f), LAYER(.hidden = 3, LEARNED, SEPARATE, .dropout = 0.4f),
	  LAYER(.hidden = 2, SEPARATE)}},
	{"options",
	 GIVEN_MASK | NO_INITIAL,
	 0,
	 {LAYER(.hidden = 3, LEARNED, ADD, .projection = 2, .peephole = SLUICE_PEEPHOLE_FULL, .zoneout_h = 0.3f,
		.zoneout_c = 0.4f, .dropconnect = 0.3f, .coupled = 1, .recurrent_dropout = 0.3f,
		.recurrent_dropout_shape = SLUICE_MASK_STEP),
	  LAYER(.hidden = 2, LEARNED, SEPARATE, .peephole = SLUICE_PEEPHOLE_DIAGONAL, .peephole_previous = 1,
		.zoneout_h = 0.2f, .zoneout_c = 0.2f, .no_gates = SLUICE_GATE_O)}},
	/* Where nothing is computed a is 0, which is a kink of these and must not count. */
	{"kinks at 0",
	 0,
	 0,
	 {LAYER(.hidden = 2, LEARNED, BOTH, .candidate_activation = {SLUICE_ACTIVATION_RELU, 0, 0, 0},
		.cell_activation = {SLUICE_ACTIVATION_PRELU, 0, 0, 0})}},
	{"clips",
	 EVALUATION,
	 0,
	 {LAYER(.hidden = 3, LEARNED, ADD, .projection = 3, .projection_clip = 0.15f, .cell_clip = 0.4f,
		.gate_clip = 0.9f)}},
};

static uint8_t resets[STEPS * BATCH], holds[STEPS * BATCH];

static void case_create(const struct time_case *one, const struct time *time, uint64_t seed, struct subject *subject)
{
	layers_create(one->layers, one->outputs, STEPS, BATCH, one->flags, seed, subject);
	subject->run.lengths = time->lengths ? LENGTHS : NULL;
	subject->run.padding = time->padding;
	subject->run.resets = time->resets ? resets : NULL;
	subject->run.holds = time->holds ? holds : NULL;
}

/* With the first seed whose run keeps away from all kinks. */
static void case_choose(const struct time_case *one, const struct time *time, struct subject *subject)
{
	for (uint64_t seed = 1; seed <= 500; seed++) {
		case_create(one, time, seed, subject);
		if (kinks(subject) >= KINK_DISTANCE)
			return;
		subject_destroy(subject);
	}
	fail_msg("%s, %s: every seed comes near a kink", one->name, time->name);
}

static void test_differences(void **state)
{
	(void)state;
	for (size_t index = 0; index < LENGTH(CASES); index++) {
		double worst = 0;

		for (size_t time = 0; time < LENGTH(TIMES); time++) {
			struct subject subject;
			char name[160];

			snprintf(name, sizeof(name), "%s, %s", CASES[index].name, TIMES[time].name);
			case_choose(&CASES[index], &TIMES[time], &subject);
			worst = fmax(worst, check_differences(name, &subject));
			subject_destroy(&subject);
		}
		print_message("%s: worst error %.1e\n", CASES[index].name, worst);
	}
}

/* ------------------------------------------------------------------------------------- what is not there ---- */

/* Makes the numbers of all steps that rows have not, or of those that are held, into NaN. */
static void poison(const struct sluice__oracle_run_f64 *run, int held, size_t width, const double *array)
{
	for (size_t t = 0; t < run->steps && array; t++)
		for (size_t n = 0; n < run->batch; n++)
			for (size_t k = 0; k < width; k++)
				if (held ? !sluice__oracle_computes_step_f64(run, t, n)
					 : !sluice__oracle_has_step_f64(run, t, n))
					((double *)(uintptr_t)array)[(t * run->batch + n) * width + k] = NAN;
}

static void assert_zeros(const char *name, const struct sluice__oracle_run_f64 *run, int held, size_t width,
			 const double *array)
{
	for (size_t t = 0; t < run->steps && array; t++)
		for (size_t n = 0; n < run->batch; n++)
			for (size_t k = 0; k < width; k++)
				if ((held ? !sluice__oracle_computes_step_f64(run, t, n)
					  : !sluice__oracle_has_step_f64(run, t, n)) &&
				    array[(t * run->batch + n) * width + k] != 0)
					fail_msg("%s: step %zu of row %zu is not 0", name, t, n);
}

/* Nothing is read of steps that a row has not, and x and mask of held ones neither. */
static void poison_all(struct subject *subject)
{
	const struct sluice__oracle_run_f64 *run = &subject->run;
	const struct sluice__network *network = &subject->network;

	poison(run, 1, network->inputs, run->x);
	poison(run, 1, network->h_width, run->mask);
	poison(run, 0, network->h_width, run->dh_steps);
	poison(run, 0, network->c_width, run->dc_steps);
	for (size_t n = 0; n < BATCH && run->last_only && run->lengths; n++)
		for (size_t k = 0; k < network->outputs && run->lengths[n] == 0; k++)
			((double *)(uintptr_t)run->dy)[n * network->outputs + k] = NAN;
	if (run->last_only)
		return;
	poison(run, 0, network->outputs, run->dy);
	poison(run, 0, network->outputs, run->dy_reverse);
}

/* What is put out there is zero: all of it where the row has no step, and what a held step does not compute. */
static void zeros_check(const char *name, const struct subject *subject, const struct sluice__oracle_trace_f64 *trace,
			const struct sluice__oracle_gradients_f64 *gradients)
{
	const struct sluice__oracle_run_f64 *run = &subject->run;

	for (size_t index = 0; index < subject->network.cell_count; index++) {
		const struct sluice__cell *cell = &subject->network.cells[index];

		assert_zeros(name, run, 0, cell->out, trace->h[index]);
		assert_zeros(name, run, 0, cell->hidden, trace->c[index]);
		assert_zeros(name, run, 1, 4 * cell->hidden, trace->a[index]);
		assert_zeros(name, run, 1, 4 * cell->hidden, trace->gates[index]);
		assert_zeros(name, run, 1, 4 * cell->hidden, gradients->da[index]);
	}
	for (size_t layer = 0; layer < subject->network.layer_count; layer++)
		assert_zeros(name, run, 1, subject->network.widths[layer], gradients->dinputs[layer]);
	if (!run->last_only) {
		assert_zeros(name, run, 0, subject->network.widths[subject->network.layer_count],
			     gradients->dinputs[subject->network.layer_count]);
		assert_zeros(name, run, 0, subject->network.outputs, trace->y);
		assert_zeros(name, run, 0, subject->network.outputs, trace->y_reverse);
	}
	for (size_t k = 0; k < subject->network.outputs && run->last_only && run->lengths; k++)
		assert_true(trace->y[2 * subject->network.outputs + k] == 0);
}

static void test_nothing_read(void **state)
{
	(void)state;
	for (size_t index = 0; index < LENGTH(CASES) * LENGTH(TIMES); index++) {
		const struct time_case *one = &CASES[index / LENGTH(TIMES)];
		struct sluice__oracle_trace_f64 trace[2];
		struct sluice__oracle_gradients_f64 gradients[2];
		struct subject subject;

		case_create(one, &TIMES[index % LENGTH(TIMES)], 1, &subject);
		for (int poisoned = 0; poisoned < 2; poisoned++) {
			if (poisoned)
				poison_all(&subject);
			forward(&subject, &trace[poisoned]);
			backward(&subject, &trace[poisoned], &gradients[poisoned]);
		}
		assert_memory_equal(trace[0].y, trace[1].y, y_count(&subject) * sizeof(double));
		assert_memory_equal(trace[0].hn, trace[1].hn, subject.data.h_count * sizeof(double));
		assert_memory_equal(trace[0].cn, trace[1].cn, subject.data.c_count * sizeof(double));
		assert_memory_equal(gradients[0].dx, gradients[1].dx, subject.data.x_count * sizeof(double));
		assert_memory_equal(gradients[0].dh0, gradients[1].dh0, subject.data.h_count * sizeof(double));
		assert_memory_equal(gradients[0].dc0, gradients[1].dc0, subject.data.c_count * sizeof(double));
		assert_memory_equal(gradients[0].dparameters, gradients[1].dparameters,
				    subject.data.parameter_count * sizeof(double));
		zeros_check(one->name, &subject, &trace[1], &gradients[1]);
		for (int poisoned = 0; poisoned < 2; poisoned++) {
			sluice__oracle_gradients_destroy_f64(&gradients[poisoned]);
			sluice__oracle_trace_destroy_f64(&trace[poisoned]);
		}
		subject_destroy(&subject);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_nothing_read),
	};

	marks_read(MARKS, STEPS, BATCH, resets, holds);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
