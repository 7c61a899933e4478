/*
 * test_oracle_directions.c: what combinations of directions mean, shown by networks of one direction; and that the
 * random lengths, resets and holds of a judgement are worth judging with.
 */
#include "oracle_time.h"
#include "random.h"

enum { STEPS = 8, BATCH = 4 };

static const size_t LENGTHS[BATCH] = {5, STEPS, 0, 3};
static const char *const MARKS[BATCH] = {"r.hbrbr.", "hr.hbh.r", "rhrhrhrh", "........"};
static uint8_t resets[STEPS * BATCH], holds[STEPS * BATCH];

/* Sums over the steps of at most 4 rows in another order: 32 terms below 4, each rounded by 2^-53 of the sum so far,
 * are off by at most 32 * 128 * 2^-53 = 5e-13 if all have one sign. */
#define REORDERED 5e-13

/* Lengths, resets and holds in every test below. */
static void time_give(struct subject *subject)
{
	subject->run.lengths = LENGTHS;
	subject->run.padding = SLUICE_PADDING_LEFT;
	subject->run.resets = resets;
	subject->run.holds = holds;
}

static double *tensor_of(const struct subject *subject, size_t offset)
{
	return subject->vector + subject->data.x_count + subject->data.h_count + subject->data.c_count + offset;
}

/* Where the network of two directions has the tensor that the network of one calls `name`. */
static size_t tensor_place(const struct sluice__network *both, const char *name, size_t direction)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "%s%s", name, direction ? "_reverse" : "");
	for (size_t index = 0; index < both->tensor_count; index++)
		if (strcmp(both->tensors[index].name, wanted) == 0)
			return both->tensors[index].offset;
	fail_msg("no tensor %s", wanted);
	return 0;
}

/* Copies [rows,width] from and to arrays whose rows are so far apart. */
static void rows_copy(const double *from, size_t stride, size_t rows, size_t width, double *to, size_t to_stride)
{
	for (size_t row = 0; row < rows; row++)
		memcpy(to + row * to_stride, from + row * stride, width * sizeof(double));
}

/* One direction of a stack as a stack of its own: parameters, states and incoming gradients of the same cells. */
static void direction_create(const struct subject *both, const sluice_layer *layers, size_t direction,
			     struct subject *one)
{
	size_t S = both->network.h_width, C = both->network.c_width, rows = (size_t)STEPS * BATCH;
	sluice_layer own[LAYERS] = {{0}};
	double *h0, *c0, *dh, *dc, *dh_steps, *dc_steps;

	for (size_t layer = 0; layer < both->network.layer_count; layer++) {
		own[layer] = layers[layer];
		own[layer].direction = direction ? SLUICE_REVERSE : SLUICE_FORWARD;
		own[layer].combination = SLUICE_CONCATENATE;
	}
	layers_create(own, 0, STEPS, BATCH, EVALUATION, 5, one);
	time_give(one);
	one->run.dy = direction ? both->run.dy_reverse : both->run.dy;
	h0 = (double *)(uintptr_t)one->run.h0;
	c0 = (double *)(uintptr_t)one->run.c0;
	dh = (double *)(uintptr_t)one->run.dh;
	dc = (double *)(uintptr_t)one->run.dc;
	dh_steps = (double *)(uintptr_t)one->run.dh_steps;
	dc_steps = (double *)(uintptr_t)one->run.dc_steps;
	for (size_t index = 0; index < one->network.cell_count; index++) {
		const struct sluice__cell *from = &both->network.cells[2 * index + direction];
		const struct sluice__cell *to = &one->network.cells[index];
		size_t out = to->out, H = to->hidden, h = to->h_state, c = to->c_state;

		rows_copy(both->run.h0 + from->h_state * BATCH, out, BATCH, out, h0 + h * BATCH, out);
		rows_copy(both->run.dh + from->h_state * BATCH, out, BATCH, out, dh + h * BATCH, out);
		rows_copy(both->run.c0 + from->c_state * BATCH, H, BATCH, H, c0 + c * BATCH, H);
		rows_copy(both->run.dc + from->c_state * BATCH, H, BATCH, H, dc + c * BATCH, H);
		rows_copy(both->run.dh_steps + from->h_state, S, rows, out, dh_steps + h, one->network.h_width);
		rows_copy(both->run.dc_steps + from->c_state, C, rows, H, dc_steps + c, one->network.c_width);
	}
	for (size_t index = 0; index < one->network.tensor_count; index++) {
		const sluice_parameter *tensor = &one->network.tensors[index];

		memcpy(tensor_of(one, tensor->offset),
		       tensor_of(both, tensor_place(&both->network, tensor->name, direction)),
		       tensor->rows * tensor->columns * sizeof(double));
	}
}

/* What both networks compute of one direction is the same, bit for bit. */
static void direction_check(const struct subject *both, const struct sluice__oracle_trace_f64 *trace,
			    const struct sluice__oracle_gradients_f64 *gradients, const struct subject *one,
			    size_t direction, double *dx)
{
	struct sluice__oracle_trace_f64 own;
	struct sluice__oracle_gradients_f64 own_gradients;

	forward(one, &own);
	backward(one, &own, &own_gradients);
	assert_near("y of one", direction ? trace->y_reverse : trace->y, own.y, one->data.y_count, 0);
	for (size_t index = 0; index < one->network.cell_count; index++) {
		const struct sluice__cell *from = &both->network.cells[2 * index + direction];
		const struct sluice__cell *to = &one->network.cells[index];
		size_t h = (size_t)BATCH * to->out, c = (size_t)BATCH * to->hidden;

		assert_near("hn of one", trace->hn + from->h_state * BATCH, own.hn + to->h_state * BATCH, h, 0);
		assert_near("cn of one", trace->cn + from->c_state * BATCH, own.cn + to->c_state * BATCH, c, 0);
		assert_near("dh0 of one", gradients->dh0 + from->h_state * BATCH,
			    own_gradients.dh0 + to->h_state * BATCH, h, 0);
		assert_near("dc0 of one", gradients->dc0 + from->c_state * BATCH,
			    own_gradients.dc0 + to->c_state * BATCH, c, 0);
	}
	for (size_t index = 0; index < one->network.tensor_count; index++) {
		const sluice_parameter *tensor = &one->network.tensors[index];

		assert_near(tensor->name,
			    gradients->dparameters + tensor_place(&both->network, tensor->name, direction),
			    own_gradients.dparameters + tensor->offset, tensor->rows * tensor->columns, 0);
	}
	for (size_t k = 0; k < one->data.x_count; k++)
		dx[k] += own_gradients.dx[k];
	sluice__oracle_gradients_destroy_f64(&own_gradients);
	sluice__oracle_trace_destroy_f64(&own);
}

/* A separate stack is two stacks of one direction, beside each other. */
static void test_separate(void **state)
{
	static const sluice_layer layers[LAYERS] = {LAYER(.hidden = 3, LEARNED, SEPARATE, .projection = 2),
						    LAYER(.hidden = 2, SEPARATE),
						    LAYER(.hidden = 4, LEARNED, SEPARATE)};
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;
	struct subject both, one;
	double dx[STEPS * BATCH * 2] = {0};

	(void)state;
	layers_create(layers, 0, STEPS, BATCH, EVALUATION, 5, &both);
	time_give(&both);
	forward(&both, &trace);
	backward(&both, &trace, &gradients);
	for (size_t direction = 0; direction < 2; direction++) {
		direction_create(&both, layers, direction, &one);
		direction_check(&both, &trace, &gradients, &one, direction, dx);
		subject_destroy(&one);
	}
	assert_near("dx", gradients.dx, dx, both.data.x_count, REORDERED);
	sluice__oracle_gradients_destroy_f64(&gradients);
	sluice__oracle_trace_destroy_f64(&trace);
	subject_destroy(&both);
}

/* A layer that adds puts out the sum of what a separate one puts out, and hands its gradient to both. */
static void test_add(void **state)
{
	static const sluice_layer adding[LAYERS] = {LAYER(.hidden = 3, LEARNED, ADD)};
	static const sluice_layer separate[LAYERS] = {LAYER(.hidden = 3, LEARNED, SEPARATE)};
	struct sluice__oracle_trace_f64 sum, parts;
	struct sluice__oracle_gradients_f64 gradients[2];
	struct subject one, other;

	(void)state;
	layers_create(adding, 0, STEPS, BATCH, 0, 5, &one);
	layers_create(separate, 0, STEPS, BATCH, 0, 5, &other);
	time_give(&one);
	time_give(&other);
	other.run.dy_reverse = other.run.dy;
	forward(&one, &sum);
	forward(&other, &parts);
	backward(&one, &sum, &gradients[0]);
	backward(&other, &parts, &gradients[1]);
	for (size_t k = 0; k < one.data.y_count; k++)
		assert_true(sum.y[k] == parts.y[k] + parts.y_reverse[k]);
	assert_near("dx", gradients[0].dx, gradients[1].dx, one.data.x_count, 0);
	assert_near("dparameters", gradients[0].dparameters, gradients[1].dparameters, one.data.parameter_count, 0);
	for (int index = 0; index < 2; index++)
		sluice__oracle_gradients_destroy_f64(&gradients[index]);
	sluice__oracle_trace_destroy_f64(&sum);
	sluice__oracle_trace_destroy_f64(&parts);
	subject_destroy(&one);
	subject_destroy(&other);
}

/* The mask of a sum is drawn as direction 0's. With the last step only there is one sum, of the last step of both
 * directions, and it is drawn for the last step in time; its row is zero if there is no step. */
static void test_add_dropout(void **state)
{
	static const sluice_layer layers[LAYERS] = {LAYER(.hidden = 3, ADD, .dropout = 0.5f)};
	struct sluice__oracle_trace_f64 whole, last;
	struct subject subject;

	(void)state;
	layers_create(layers, 2, STEPS, BATCH, 0, 5, &subject);
	subject.run.lengths = LENGTHS;
	forward(&subject, &whole);
	subject.run.last_only = 1;
	forward(&subject, &last);
	for (size_t k = 0; k < (size_t)STEPS * BATCH * 3; k++) {
		size_t t = k / 3 / BATCH, n = k / 3 % BATCH;
		double factor = (double)sluice__oracle_dropout(0.5f, subject.run.seed, 0, 0, k % 3,
							       subject.run.step_offset + t, SEQUENCES[n]);

		/* The factor is 0 or 2, so that both sums round alike. */
		assert_true(whole.inputs[1][k] == factor * (whole.h[0][k] + whole.h[1][k]));
		if (t + 1 == LENGTHS[n])
			assert_true(last.last[n * 3 + k % 3] == factor * (whole.h[0][k] + whole.h[1][n * 3 + k % 3]));
	}
	for (size_t k = 0; k < 2; k++)
		assert_true(last.y[2 * 2 + k] == 0 && last.y[k] != 0);
	sluice__oracle_trace_destroy_f64(&whole);
	sluice__oracle_trace_destroy_f64(&last);
	subject_destroy(&subject);
}

/* The last step alone is that of each row and direction in the whole run; dropout behind it is the same, too. */
static void test_last_only(void **state)
{
	static const sluice_layer layers[2][LAYERS] = {{LAYER(.hidden = 3, BOTH, .dropout = 0.5f)},
						       {LAYER(.hidden = 3, SEPARATE)}};

	(void)state;
	for (int separate = 0; separate < 2; separate++)
		for (int padding = SLUICE_PADDING_RIGHT; padding <= SLUICE_PADDING_LEFT; padding++) {
			struct sluice__oracle_trace_f64 whole, last;
			struct subject subject;

			layers_create(layers[separate], separate ? 0 : 2, STEPS, BATCH, 0, 5, &subject);
			time_give(&subject);
			subject.run.padding = (sluice_padding)padding;
			forward(&subject, &whole);
			subject.run.last_only = 1;
			forward(&subject, &last);
			for (size_t n = 0; n < BATCH; n++) {
				size_t first = padding == SLUICE_PADDING_LEFT ? STEPS - LENGTHS[n] : 0;
				size_t end = first + LENGTHS[n];

				if (!LENGTHS[n])
					continue;
				assert_near("forward", last.last + n * 6, whole.inputs[1] + ((end - 1) * BATCH + n) * 6,
					    3, 0);
				assert_near("reverse", last.last + n * 6 + 3,
					    whole.inputs[1] + (first * BATCH + n) * 6 + 3, 3, 0);
				if (separate) {
					assert_near("y", last.y + n * 3, last.last + n * 6, 3, 0);
					assert_near("y_reverse", last.y_reverse + n * 3, last.last + n * 6 + 3, 3, 0);
				}
			}
			sluice__oracle_trace_destroy_f64(&whole);
			sluice__oracle_trace_destroy_f64(&last);
			subject_destroy(&subject);
		}
}

/* -------------------------------------------------------------------------------------- networks and data ---- */

/* Directions that have nothing to read, or nobody to read them, are refused. */
static void test_contradictions(void **state)
{
	static const struct {
		size_t outputs;
		sluice_layer layers[2];
		const char *part;
	} CASES[] = {
		{0, {LAYER(.hidden = 3, .combination = SLUICE_ADD), {0}}, "combination is 1"},
		{0, {LAYER(.hidden = 3, BACK, .combination = SLUICE_SEPARATE), {0}}, "combination is 2"},
		{0, {LAYER(.hidden = 3, SEPARATE), LAYER(.hidden = 3, BACK)}, "layer 1: direction is 1"},
		{2, {LAYER(.hidden = 3, SEPARATE), {0}}, "a read-out of 2 outputs"},
		{0,
		 {LAYER(.hidden = 3, SEPARATE), LAYER(.hidden = 4, BOTH, .input = SLUICE_INPUT_IDENTITY)},
		 "expected 4"},
	};

	(void)state;
	for (size_t index = 0; index < LENGTH(CASES); index++) {
		sluice_description description = SLUICE_DESCRIPTION_INIT;
		struct sluice__network network;

		description.inputs = 3;
		description.outputs = CASES[index].outputs;
		description.layer_count = CASES[index].layers[1].hidden ? 2 : 1;
		description.layers = CASES[index].layers;
		assert_int_equal(sluice__network_create(&description, NULL, 0, 0, &network), SLUICE_INVALID_ARGUMENT);
		if (!strstr(sluice_last_message(), CASES[index].part))
			fail_msg("\"%s\" does not contain \"%s\"", sluice_last_message(), CASES[index].part);
	}
}

/* How many rows have no step, all steps, some; and marks among all steps. */
struct census {
	size_t empty, full, between, resets, holds, steps;
};

static void census_take(const struct sluice__network *network, size_t batch, uint64_t seed,
			enum sluice__setting_lengths lengths, struct census *census)
{
	const struct sluice__setting setting = {
		.steps = 8, .batch = batch, .seed = seed, .lengths = lengths, .resets = 1, .holds = 1};
	struct sluice__data data;

	assert_int_equal(sluice__data_of_setting(network, &setting, &data), SLUICE_OK);
	for (size_t n = 0; n < batch; n++) {
		assert_in_range(data.lengths[n], 0, 8);
		if (lengths > SLUICE__LENGTHS_RANDOM && n > 0)
			assert_true(data.lengths[n] <= data.lengths[n - 1]);
		census->empty += data.lengths[n] == 0;
		census->full += data.lengths[n] == 8;
		census->between += data.lengths[n] > 0 && data.lengths[n] < 8;
	}
	for (size_t row = 0; row < 8 * batch; row++) {
		census->resets += data.resets[row];
		census->holds += data.holds[row];
		census->steps++;
	}
	sluice__data_destroy(&data);
}

/* Lengths cover both ends and what is between, in every run where the rows suffice, else over the seeds; a quarter of
 * the steps is marked, within what the seeds may differ. */
static void test_data(void **state)
{
	static const sluice_layer layers[LAYERS] = {LAYER(.hidden = 3)};
	struct subject subject;

	(void)state;
	layers_create(layers, 0, STEPS, BATCH, 0, 5, &subject);
	for (size_t batch = 1; batch < 6; batch++) {
		struct census all = {0};

		for (uint64_t seed = 0; seed < 64; seed++) {
			struct census one = {0};

			census_take(&subject.network, batch, seed,
				    seed % 2 ? SLUICE__LENGTHS_RANDOM : SLUICE__LENGTHS_PACKED, &one);
			assert_true(one.resets > 0 && one.holds > 0);
			assert_true(batch < 2 || one.full > 0);
			assert_true(batch < 3 || (one.empty > 0 && one.between > 0));
			all.empty += one.empty;
			all.full += one.full;
			all.between += one.between;
			all.resets += one.resets;
			all.holds += one.holds;
			all.steps += one.steps;
		}
		assert_true(all.empty > 0 && all.full > 0 && all.between > 0);
		assert_in_range(all.resets, all.steps / 5, all.steps / 2);
		assert_in_range(all.holds, all.steps / 5, all.steps / 2);
	}
	subject_destroy(&subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_separate),       cmocka_unit_test(test_add),
		cmocka_unit_test(test_add_dropout),    cmocka_unit_test(test_last_only),
		cmocka_unit_test(test_contradictions), cmocka_unit_test(test_data),
	};

	marks_read(MARKS, STEPS, BATCH, resets, holds);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
