/*
 * test_golden_time.c: holds oracle and library to what PyTorch, Keras and ONNX Runtime made of lengths, resets and
 * masked steps, given in every form that the library takes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_layouts.h"
#include "network_fixture.h"

enum { STEPS = 6, BATCH = 4, INPUTS = 3, HIDDEN = 3 };

enum peer { TORCH, KERAS, ONNX };

/* What tells the time of a file: its tensor "lengths", or "resets", or "present" as holds, or "present" as lengths. */
enum time { LENGTHS, RESETS, HOLDS, PADDED };

static const struct peer_case {
	const char *name;
	enum peer peer;
	size_t layers;
	sluice_direction direction;
	enum time time;
	sluice_combination combination;
	sluice_padding padding;
	int learned_start, no_initial;
} CASES[] = {
	{"time_torch_packed_forward", TORCH, 1, SLUICE_FORWARD, LENGTHS, 0, 0, 0, 0},
	{"time_torch_packed_bidirectional", TORCH, 1, SLUICE_BIDIRECTIONAL, LENGTHS, 0, 0, 0, 0},
	{"time_torch_packed_stack", TORCH, 2, SLUICE_BIDIRECTIONAL, LENGTHS, 0, 0, 0, 0},
	{"time_torch_resets", TORCH, 2, SLUICE_FORWARD, RESETS, 0, 0, 0, 0},
	{"time_torch_resets_learned", TORCH, 2, SLUICE_FORWARD, RESETS, 0, 0, 1, 1},
	{"time_torch_pieces", TORCH, 2, SLUICE_BIDIRECTIONAL, RESETS, 0, 0, 1, 0},
	{"time_keras_masking", KERAS, 1, SLUICE_FORWARD, HOLDS, 0, 0, 0, 0},
	{"time_keras_sum", KERAS, 1, SLUICE_BIDIRECTIONAL, PADDED, SLUICE_ADD, 0, 0, 0},
	{"time_keras_sum_right", KERAS, 1, SLUICE_BIDIRECTIONAL, PADDED, SLUICE_ADD, 0, 0, 0},
	{"time_keras_concat_left", KERAS, 1, SLUICE_BIDIRECTIONAL, PADDED, 0, SLUICE_PADDING_LEFT, 0, 0},
	{"time_onnx_forward", ONNX, 1, SLUICE_FORWARD, LENGTHS, 0, 0, 0, 0},
	{"time_onnx_reverse", ONNX, 1, SLUICE_REVERSE, LENGTHS, 0, 0, 0, 0},
	{"time_onnx_bidirectional", ONNX, 1, SLUICE_BIDIRECTIONAL, LENGTHS, 0, 0, 0, 0},
};

/* How the lengths are given: as they are; or longest row first, as batch_sizes; or so, and the data packed. */
enum form { AS_LENGTHS, AS_BATCH_SIZES, AS_PACKED, AS_PACKED_BATCH_SIZES, FORMS };

static sluice_layout layout_of(const struct peer_case *one)
{
	return one->peer == KERAS ? SLUICE_BATCH_MAJOR : SLUICE_TIME_MAJOR;
}

/* ----------------------------------------------------------------------------------------------- tolerances ----- */

/*
 * Largest error of a value in units of u, both sides computing by the same equations with this u. The sum of a
 * pre-activation has at most 6 + 3 + 1 terms whose magnitudes add up to less than 3: (4 + sqrt(10)) 3 u < 22 u. An
 * activation, whose slope is at most 1, adds 8 u of its own: 30 u for g, and with the slope 1/4 14 u for i, f and o. A
 * step adds |c| E_f + |g| E_i + |i| E_g + 3 u < 50 u to c, and |tanh c| E_o + 9 u < 20 u more to h: 70 u. The Jacobians
 * of a step and of W have norms of about one, so a step adds what the layer's input is off by, too, and all steps of a
 * layer come together.
 */
static double value_units(size_t layers)
{
	double units = 0;

	for (size_t layer = 0; layer < layers; layer++)
		units = STEPS * (70 + units);
	return units;
}

/*
 * The same of a gradient. Each da is a product of dp or dq with two values, each off by value_units, and with 3
 * roundings; it goes on through a sum of 4H = 12 products and one more. That is added in every step of every layer; a
 * weight's gradient then multiplies by one more value and adds up T*N = 24 products.
 */
static double gradient_units(size_t layers)
{
	double values = value_units(layers);

	return (double)layers * STEPS * (2 * values + 3 + 13) + values + 24;
}

/* ONNX Runtime computes in f32, and so may the library. */
static double unit(const struct peer_case *one, enum golden_engine engine)
{
	return one->peer == ONNX || engine == GOLDEN_F32 ? 0x1p-24 : 0x1p-53;
}

/* ---------------------------------------------------------------------------------------- a run and its time ---- */

/* A file's run, with the time in the forms of the library. */
struct task {
	const struct peer_case *one;
	struct golden_file file;
	struct golden_model model;
	struct golden_run run;
	size_t lengths[BATCH], batch_sizes[STEPS];
	uint8_t flags[STEPS * BATCH];
	double *x, *dy;
};

static int present(const struct task *task, size_t t, size_t n)
{
	size_t length = task->run.lengths ? task->lengths[n] : STEPS;

	return task->run.padding == SLUICE_PADDING_LEFT ? t >= STEPS - length : t < length;
}

static void read_time(struct task *task)
{
	static const char *const TENSORS[] = {"lengths", "resets", "present", "present"};
	enum time time = task->one->time;
	size_t count = time == LENGTHS ? BATCH : STEPS * BATCH;
	const double *numbers = golden_numbers(&task->file, TENSORS[time], count);

	task->run.padding = task->one->padding;
	for (size_t n = 0; n < BATCH; n++) {
		task->lengths[n] = time == LENGTHS ? (size_t)numbers[n] : 0;
		for (size_t t = 0; time == PADDED && t < STEPS; t++)
			task->lengths[n] += numbers[t * BATCH + n] != 0;
	}
	for (size_t k = 0; time != LENGTHS && k < STEPS * BATCH; k++)
		task->flags[k] = (numbers[k] != 0) == (time == RESETS);
	if (time == LENGTHS || time == PADDED)
		task->run.lengths = task->lengths;
	if (time == RESETS)
		task->run.resets = task->flags;
	if (time == HOLDS)
		task->run.holds = task->flags;
}

/* A copy of an array of steps with NaN wherever a row has no step, or a held one where its holds are given: whoever
 * reads it there will be found out. */
static double *poisoned(const struct task *task, const double *from, size_t width, const uint8_t *holds)
{
	double *to = golden_swapped(from, 1, 1, STEPS * BATCH * width);

	for (size_t t = 0; t < STEPS; t++)
		for (size_t n = 0; n < BATCH; n++) {
			size_t at = layout_of(task->one) == SLUICE_BATCH_MAJOR ? n * STEPS + t : t * BATCH + n;

			if (present(task, t, n) && !(holds && holds[t * BATCH + n]))
				continue;
			for (size_t k = 0; k < width; k++)
				to[at * width + k] = NAN;
		}
	return to;
}

static void read_onnx(struct task *task, size_t state_count)
{
	task->x = poisoned(task, golden_numbers(&task->file, "X", STEPS * BATCH * INPUTS), INPUTS, task->run.holds);
	task->run.h0 = golden_numbers(&task->file, "initial_h", state_count);
	task->run.c0 = golden_numbers(&task->file, "initial_c", state_count);
}

static void read_numbers(struct task *task)
{
	struct golden_file *file = &task->file;
	struct golden_run *run = &task->run;
	size_t state_count = task->model.layers * task->model.directions * BATCH * HIDDEN;
	size_t outputs = sluice_model_outputs(task->model.model);

	if (task->one->peer == ONNX) {
		read_onnx(task, state_count);
	} else {
		task->x = poisoned(task, golden_numbers(file, "x", STEPS * BATCH * INPUTS), INPUTS, task->run.holds);
		task->dy = poisoned(task, golden_numbers(file, "dy", STEPS * BATCH * outputs), outputs, NULL);
		run->dh = golden_numbers(file, "dhn", state_count);
		run->dc = golden_numbers(file, "dcn", state_count);
		run->h0 = task->one->no_initial ? NULL : golden_numbers(file, "h0", state_count);
		run->c0 = task->one->no_initial ? NULL : golden_numbers(file, "c0", state_count);
	}
	run->x = task->x;
	run->dy = task->dy;
}

static void task_open(struct task *task, const struct peer_case *one, enum golden_engine engine)
{
	static void (*const READ[])(const struct golden_file *, struct golden_model *) = {
		golden_torch_weights, golden_keras_weights, golden_onnx_weights};
	sluice_layer layer = SLUICE_LAYER_INIT;

	*task = (struct task){.one = one, .file = golden_open(one->name, engine)};
	layer.hidden = HIDDEN;
	layer.direction = one->direction;
	layer.combination = one->combination;
	layer.learned_start = one->learned_start;
	task->model = golden_model_create(INPUTS, one->layers, &layer);
	READ[one->peer](&task->file, &task->model);
	task->run.steps = STEPS;
	task->run.batch = BATCH;
	read_time(task);
	read_numbers(task);
}

static void task_close(struct task *task)
{
	golden_run_free(&task->run);
	golden_model_destroy(&task->model);
	golden_close(&task->file);
	free(task->x);
	free(task->dy);
}

static void compare(struct task *task)
{
	struct golden_file *file = &task->file;
	const struct golden_run *run = &task->run;
	double u = unit(task->one, file->engine);
	double values = value_units(task->one->layers) * u, gradients = gradient_units(task->one->layers) * u;

	if (task->one->peer == ONNX) {
		golden_onnx_compare(file, &task->model, layout_of(task->one), run, values);
		return;
	}
	golden_compare(file, "y", run->y, run->y_count, values);
	golden_compare(file, "hn", run->hn, run->h_count, values);
	golden_compare(file, "cn", run->cn, run->c_count, values);
	golden_compare(file, "dx", run->dx, run->x_count, gradients);
	if (!task->one->no_initial) {
		golden_compare(file, "dh0", run->dh0, run->h_count, gradients);
		golden_compare(file, "dc0", run->dc0, run->c_count, gradients);
	}
	if (task->one->peer == TORCH)
		golden_torch_compare(file, &task->model, run->dparameters, gradients);
	else
		golden_keras_compare(file, &task->model, run->dparameters, gradients);
}

/* ---------------------------------------------------------------------------------------------- other forms ----- */

/* Where the rows of a sorted run come from: order[k] is the file's row that is its row k. */
static void sort_rows(const size_t *lengths, size_t *order)
{
	size_t count = 0;

	for (size_t length = STEPS + 1; length-- > 0;)
		for (size_t n = 0; n < BATCH; n++)
			if (lengths[n] == length)
				order[count++] = n;
}

/* Copies between an array of the file, [count,N,width], and one of sorted rows, which has step t of its first
 * batch_sizes[t] rows alone if it is packed. */
static void exchange(double *file, double *sorted, int to_file, size_t count, size_t width, const size_t *order,
		     const size_t *batch_sizes)
{
	for (size_t t = 0; t < count; t++)
		for (size_t k = 0; k < (batch_sizes ? batch_sizes[t] : BATCH); k++, sorted += width) {
			double *at = file + (t * BATCH + order[k]) * width;

			memcpy(to_file ? at : sorted, to_file ? sorted : at, width * sizeof(double));
		}
}

/* A sorted copy of an array of the file. */
static double *sorted_copy(const double *from, size_t count, size_t width, const size_t *order,
			   const size_t *batch_sizes)
{
	double *file = golden_swapped(from, 1, 1, count * BATCH * width);
	double *to = aligned_zeros(count * BATCH * width * sizeof(double));

	exchange(file, to, 0, count, width, order, batch_sizes);
	free(file);
	return to;
}

/* Replaces a result of a sorted run by its unsorted form, zero where rows have no step. */
static void unsort(double **result, size_t count, size_t width, const size_t *order, const size_t *batch_sizes)
{
	double *to = aligned_zeros(count * BATCH * width * sizeof(double));

	if (*result)
		exchange(to, *result, 1, count, width, order, batch_sizes);
	free(*result);
	*result = to;
}

/* Takes a time-major run through the library in a form that wants its longest rows first. */
static void compute_sorted(struct task *task, enum form form)
{
	size_t order[BATCH], lengths[BATCH], cells = task->model.layers * task->model.directions;
	size_t outputs = sluice_model_outputs(task->model.model);
	const size_t *packing = form == AS_BATCH_SIZES ? NULL : task->batch_sizes;
	struct golden_run run = task->run;
	double *given[6];

	sort_rows(task->lengths, order);
	for (size_t k = 0; k < BATCH; k++) {
		lengths[k] = task->lengths[order[k]];
		for (size_t t = 0; t < lengths[k]; t++)
			task->batch_sizes[t]++;
	}
	run.x = given[0] = sorted_copy(run.x, STEPS, INPUTS, order, packing);
	run.h0 = given[1] = sorted_copy(run.h0, cells, HIDDEN, order, NULL);
	run.c0 = given[2] = sorted_copy(run.c0, cells, HIDDEN, order, NULL);
	for (size_t k = 3; k < 6; k++)
		given[k] = NULL;
	if (run.dy) {
		run.dy = given[3] = sorted_copy(run.dy, STEPS, outputs, order, packing);
		run.dh = given[4] = sorted_copy(run.dh, cells, HIDDEN, order, NULL);
		run.dc = given[5] = sorted_copy(run.dc, cells, HIDDEN, order, NULL);
	}
	run.lengths = form == AS_PACKED ? lengths : NULL;
	run.batch_sizes = form == AS_PACKED ? NULL : task->batch_sizes;
	run.packed = form != AS_BATCH_SIZES;
	golden_compute(&task->model, task->file.engine, SLUICE_TIME_MAJOR, &run);
	unsort(&run.y, STEPS, outputs, order, packing);
	unsort(&run.dx, STEPS, INPUTS, order, packing);
	unsort(&run.hn, cells, HIDDEN, order, NULL);
	unsort(&run.cn, cells, HIDDEN, order, NULL);
	unsort(&run.dh0, cells, HIDDEN, order, NULL);
	unsort(&run.dc0, cells, HIDDEN, order, NULL);
	run.y_count = STEPS * BATCH * outputs;
	run.x_count = STEPS * BATCH * INPUTS;
	task->run = run;
	for (size_t k = 0; k < 6; k++)
		free(given[k]);
}

/* --------------------------------------------------------------------------------------------------- tests ------ */

static void check(const struct peer_case *one, enum golden_engine engine, enum form form)
{
	struct task task;

	task_open(&task, one, engine);
	if (form == AS_LENGTHS)
		golden_compute(&task.model, engine, layout_of(one), &task.run);
	else
		compute_sorted(&task, form);
	compare(&task);
	task_close(&task);
}

/* Files whose lengths are in any order, time-major, are given in all forms; the oracle knows one. */
static void check_all(enum golden_engine engine)
{
	for (size_t k = 0; k < sizeof(CASES) / sizeof(CASES[0]); k++) {
		int all = engine != GOLDEN_ORACLE && CASES[k].time == LENGTHS;

		for (enum form form = AS_LENGTHS; form < (all ? FORMS : AS_BATCH_SIZES); form++)
			check(&CASES[k], engine, form);
	}
}

static void test_oracle(void **state)
{
	(void)state;
	check_all(GOLDEN_ORACLE);
}

static void test_f64(void **state)
{
	(void)state;
	check_all(GOLDEN_F64);
}

static void test_f32(void **state)
{
	(void)state;
	check_all(GOLDEN_F32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oracle),
		cmocka_unit_test(test_f64),
		cmocka_unit_test(test_f32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
