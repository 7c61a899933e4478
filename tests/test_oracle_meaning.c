/*
 * test_oracle_meaning.c: what finite differences cannot know: that every option does what EQUATIONS.md says, shown by
 * networks that must be equal to plainer ones.
 */
#include "oracle_subject.h"
#include "random.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum { STEPS = 5, BATCH = 3, H = 4 };

/* A network of one layer; size and, if they are 0, hidden and direction are filled in. */
static void layer_create(sluice_layer layer, size_t inputs, unsigned flags, struct subject *subject)
{
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	layer.size = sizeof(layer);
	layer.hidden = layer.hidden ? layer.hidden : H;
	description.layers = &layer;
	description.layer_count = 1;
	description.inputs = inputs;
	subject_create(&description, STEPS, BATCH, flags, 3, subject);
}

/* A tensor of a subject's parameters, to be changed. */
static double *tensor_of(const struct subject *subject, size_t offset)
{
	assert_int_not_equal(offset, SLUICE__NONE);
	return subject->vector + subject->data.x_count + subject->data.h_count + subject->data.c_count + offset;
}

static const struct sluice__cell *cell_of(const struct subject *subject)
{
	return subject->network.cells;
}

static void assert_near(const char *what, const double *values, const double *expected, size_t count, double tolerance)
{
	for (size_t index = 0; index < count; index++)
		if (!(fabs(values[index] - expected[index]) <= tolerance))
			fail_msg("%s: element %zu is %.17g, expected %.17g", what, index, values[index],
				 expected[index]);
}

/* y, final states, dx and the gradients of the states are the same, up to a tolerance. */
static void assert_equal_runs(const char *what, const struct subject *one, const struct subject *other,
			      double tolerance)
{
	struct sluice__oracle_trace_f64 trace[2];
	struct sluice__oracle_gradients_f64 gradients[2];

	forward(one, &trace[0]);
	forward(other, &trace[1]);
	backward(one, &trace[0], &gradients[0]);
	backward(other, &trace[1], &gradients[1]);
	assert_near(what, trace[0].y, trace[1].y, y_count(one), tolerance);
	assert_near(what, trace[0].hn, trace[1].hn, one->data.h_count, tolerance);
	assert_near(what, trace[0].cn, trace[1].cn, one->data.c_count, tolerance);
	assert_near(what, gradients[0].dh0, gradients[1].dh0, one->data.h_count, tolerance);
	assert_near(what, gradients[0].dc0, gradients[1].dc0, one->data.c_count, tolerance);
	if (one->data.x_count == other->data.x_count)
		assert_near(what, gradients[0].dx, gradients[1].dx, one->data.x_count, tolerance);
	if (one->data.parameter_count == other->data.parameter_count)
		assert_near(what, gradients[0].dparameters, gradients[1].dparameters, one->data.parameter_count,
			    tolerance);
	for (int index = 0; index < 2; index++) {
		sluice__oracle_gradients_destroy_f64(&gradients[index]);
		sluice__oracle_trace_destroy_f64(&trace[index]);
	}
}

/* Sums of at most 30 terms that differ in order: each rounding is 2^-53 of numbers below 4, carried over 5 steps. */
#define REORDERED 1e-13

/* ------------------------------------------------------------------------------------- rounded h and terms --- */

/* Every h is a number of the type, and the next step starts from it: one step from it gives the same again. */
static void test_rounded_h(void **state)
{
	struct subject subject;
	struct sluice__oracle_trace_f64 whole, step;

	(void)state;
	layer_create((sluice_layer){.zoneout_h = 0.25f}, 2, EVALUATION, &subject);
	subject.run.h_type = SLUICE_BF16;
	forward(&subject, &whole);
	for (size_t k = 0; k < (size_t)STEPS * BATCH * H; k++)
		assert_true(whole.h[0][k] == sluice__oracle_round(SLUICE_BF16, whole.h[0][k]));
	subject.run.x += 2 * BATCH;
	subject.run.h0 = whole.h[0];
	subject.run.c0 = whole.c[0];
	subject.run.steps = 1;
	forward(&subject, &step);
	assert_memory_equal(step.h[0], whole.h[0] + (size_t)BATCH * H, (size_t)BATCH * H * sizeof(double));
	sluice__oracle_trace_destroy_f64(&whole);
	sluice__oracle_trace_destroy_f64(&step);
	subject_destroy(&subject);
}

/* The sums of |terms| of the pre-activations, dW and db, added up a second time. */
static void test_terms(void **state)
{
	struct subject subject;
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;
	const struct sluice__cell *cell;

	(void)state;
	layer_create((sluice_layer){.peephole = SLUICE_PEEPHOLE_DIAGONAL}, 2, 0, &subject);
	cell = cell_of(&subject);
	forward(&subject, &trace);
	backward(&subject, &trace, &gradients);
	for (size_t row = 0; row < (size_t)3 * H; row++) {
		const double *W = tensor_of(&subject, cell->weight_ih) + 2 * row;
		const double *R = tensor_of(&subject, cell->weight_hh) + H * row, *h = subject.run.h0;
		double terms = fabs(*(tensor_of(&subject, cell->bias) + row)), bias = 0, weight = 0;

		terms += fabs(W[0] * subject.run.x[0]) + fabs(W[1] * subject.run.x[1]);
		terms += fabs(R[0] * h[0]) + fabs(R[1] * h[1]) + fabs(R[2] * h[2]) + fabs(R[3] * h[3]);
		terms += fabs(*(tensor_of(&subject, cell->peephole) + row) * subject.run.c0[row % H]);
		assert_near("terms of a", &trace.terms[0][row], &terms, 1, 1e-15);
		for (size_t k = 0; k < (size_t)STEPS * BATCH; k++) {
			bias += fabs(gradients.da[0][k * 4 * H + row]);
			weight += fabs(gradients.da[0][k * 4 * H + row] * subject.run.x[2 * k + 1]);
		}
		assert_near("terms of db", &gradients.terms[cell->bias + row], &bias, 1, REORDERED);
		assert_near("terms of dW", &gradients.terms[cell->weight_ih + 2 * row + 1], &weight, 1, REORDERED);
	}
	sluice__oracle_gradients_destroy_f64(&gradients);
	sluice__oracle_trace_destroy_f64(&trace);
	subject_destroy(&subject);
}

/* -------------------------------------------------------------------------------------------- equal cells ---- */

/* A gate that is absent is one whose activation is 0 x + 1: its weights enter nothing and have no gradient. */
static void test_absent_gates(void **state)
{
	(void)state;
	for (unsigned gate = 0; gate < 4; gate++) {
		sluice_layer absent = {.no_gates = 1u << gate, .peephole = SLUICE_PEEPHOLE_FULL}, constant = absent;
		sluice_activation *const places[] = {&constant.input_activation, &constant.forget_activation,
						     &constant.candidate_activation, &constant.output_activation};
		struct subject one, other;

		constant.no_gates = 0;
		*places[gate] = (sluice_activation){SLUICE_ACTIVATION_LINEAR, 0, 1, 0};
		layer_create(absent, 2, 0, &one);
		layer_create(constant, 2, 0, &other);
		assert_equal_runs("absent gate", &one, &other, 0);
		subject_destroy(&one);
		subject_destroy(&other);
	}
}

/* An absent block is a block of zeros without gradient. */
static void test_absent_blocks(void **state)
{
	sluice_layer layer = {.no_input_weights = SLUICE_GATE_F,
			      .no_recurrent_weights = SLUICE_GATE_G,
			      .no_peepholes = SLUICE_GATE_O,
			      .peephole = SLUICE_PEEPHOLE_FULL};
	struct subject one, other;
	const struct sluice__cell *cell;
	struct sluice__oracle_trace_f64 trace[2];
	struct sluice__oracle_gradients_f64 gradients[2];
	size_t count[3];

	(void)state;
	layer_create(layer, 2, 0, &one);
	layer_create((sluice_layer){.peephole = SLUICE_PEEPHOLE_FULL}, 2, 0, &other);
	cell = cell_of(&one);
	const size_t blocks[3] = {cell->weight_ih + 1 * H * 2, cell->weight_hh + 2 * H * H, cell->peephole + 3 * H * H};

	count[0] = (size_t)H * 2;
	count[1] = count[2] = (size_t)H * H;
	for (size_t block = 0; block < 3; block++)
		memset(tensor_of(&other, blocks[block]), 0, count[block] * sizeof(double));
	forward(&one, &trace[0]);
	forward(&other, &trace[1]);
	backward(&one, &trace[0], &gradients[0]);
	backward(&other, &trace[1], &gradients[1]);
	for (size_t block = 0; block < 3; block++)
		for (size_t k = blocks[block]; k < blocks[block] + count[block]; k++) {
			assert_true(gradients[0].dparameters[k] == 0);
			assert_true(gradients[1].dparameters[k] != 0);
			gradients[1].dparameters[k] = 0;
		}
	assert_near("y", trace[0].y, trace[1].y, y_count(&one), 0);
	assert_near("dx", gradients[0].dx, gradients[1].dx, one.data.x_count, 0);
	assert_near("parameters", gradients[0].dparameters, gradients[1].dparameters, one.data.parameter_count, 0);
	for (int index = 0; index < 2; index++) {
		sluice__oracle_gradients_destroy_f64(&gradients[index]);
		sluice__oracle_trace_destroy_f64(&trace[index]);
	}
	subject_destroy(&one);
	subject_destroy(&other);
}

/* The identity input is a W of four unit matrices; an input of gates is W x made beforehand. */
static void test_inputs(void **state)
{
	struct subject identity, gates, weights;
	const struct sluice__cell *cell;
	double *W, *x;

	(void)state;
	layer_create((sluice_layer){.input = SLUICE_INPUT_IDENTITY}, H, 0, &identity);
	layer_create((sluice_layer){.input = SLUICE_INPUT_GATES}, 4 * H, 0, &gates);
	layer_create((sluice_layer){0}, H, 0, &weights);
	cell = cell_of(&weights);
	W = tensor_of(&weights, cell->weight_ih);
	x = gates.vector;
	for (size_t k = 0; k < (size_t)STEPS * BATCH; k++)
		for (size_t row = 0; row < (size_t)4 * H; row++)
			x[k * 4 * H + row] = dot(W + row * H, weights.run.x + k * H, H);
	assert_equal_runs("input of gates", &gates, &weights, REORDERED);
	for (size_t row = 0; row < (size_t)4 * H; row++)
		for (size_t k = 0; k < H; k++)
			W[row * H + k] = row % H == k;
	assert_equal_runs("identity input", &identity, &weights, 0);
	subject_destroy(&identity);
	subject_destroy(&gates);
	subject_destroy(&weights);
}

/* A full peephole with nothing beside its diagonal is a diagonal one. */
static void test_peepholes(void **state)
{
	(void)state;
	for (int previous = 0; previous < 2; previous++) {
		sluice_layer layer = {.peephole = SLUICE_PEEPHOLE_DIAGONAL, .peephole_previous = previous};
		struct subject diagonal, full;
		double *narrow, *wide;

		layer_create(layer, 2, 0, &diagonal);
		layer.peephole = SLUICE_PEEPHOLE_FULL;
		layer_create(layer, 2, 0, &full);
		narrow = tensor_of(&diagonal, cell_of(&diagonal)->peephole);
		wide = tensor_of(&full, cell_of(&full)->peephole);
		for (size_t row = 0; row < (size_t)4 * H; row++)
			for (size_t k = 0; k < H; k++)
				wide[row * H + k] = row % H == k ? narrow[row] : 0;
		assert_equal_runs("peepholes", &diagonal, &full, 0);
		subject_destroy(&diagonal);
		subject_destroy(&full);
	}
}

/* 1 - sigma(a) is sigma(-a): a coupled cell is one whose forget gate has the input gate's weights, negated. */
static void test_coupled(void **state)
{
	struct subject coupled, plain;
	const struct sluice__cell *cell;

	(void)state;
	layer_create((sluice_layer){.coupled = 1}, 2, 0, &coupled);
	layer_create((sluice_layer){0}, 2, 0, &plain);
	cell = cell_of(&plain);
	const size_t tensors[3] = {cell->weight_ih, cell->weight_hh, cell->bias}, columns[3] = {2, H, 1};

	for (size_t index = 0; index < 3; index++) {
		double *tensor = tensor_of(&plain, tensors[index]);

		for (size_t k = 0; k < H * columns[index]; k++)
			tensor[H * columns[index] + k] = -tensor[k];
	}
	/* The parameters' gradients are not the same. */
	plain.data.parameter_count++;
	assert_equal_runs("coupled", &coupled, &plain, REORDERED);
	subject_destroy(&coupled);
	subject_destroy(&plain);
}

/* A projection by the unit matrix, and clips too far away to be met, change nothing. */
static void test_projection(void **state)
{
	sluice_layer layer = {.projection = H, .projection_clip = 9, .cell_clip = 9, .gate_clip = 9};
	struct subject projected, plain;
	double *P;

	(void)state;
	layer_create(layer, 2, 0, &projected);
	layer_create((sluice_layer){0}, 2, 0, &plain);
	P = tensor_of(&projected, cell_of(&projected)->weight_hr);
	for (size_t k = 0; k < (size_t)H * H; k++)
		P[k] = k % (H + 1) == 0;
	assert_equal_runs("projection", &projected, &plain, 0);
	subject_destroy(&projected);
	subject_destroy(&plain);
}

/* Clipped numbers end at the clip, all others are what they were. */
static void test_clips(void **state)
{
	sluice_layer layer = {.projection = 3, .projection_clip = 0.05f, .cell_clip = 0.25f, .gate_clip = 0.5f};
	struct subject subject;
	struct sluice__oracle_trace_f64 trace;

	(void)state;
	layer_create(layer, 2, 0, &subject);
	forward(&subject, &trace);
	for (size_t k = 0; k < (size_t)STEPS * BATCH * H; k++) {
		double a = trace.a[0][k / H * 4 * H + k % H];

		assert_true(trace.e[0][k] == fmax(-0.25, fmin(0.25, trace.p[0][k])));
		assert_near("clipped gate", &trace.gates[0][k / H * 4 * H + k % H],
			    &(double){1 / (1 + exp(-fmax(-0.5, fmin(0.5, a))))}, 1, 1e-15);
	}
	for (size_t k = 0; k < (size_t)STEPS * BATCH * 3; k++)
		assert_true(trace.r[0][k] == fmax(-(double)0.05f, fmin((double)0.05f, trace.pq[0][k])));
	sluice__oracle_trace_destroy_f64(&trace);
	subject_destroy(&subject);
}

/* --------------------------------------------------------------------------------------- regularisations ---- */

/* Two layers, the first in both directions, as in most tests below. */
static void layers_create(sluice_layer first, sluice_layer second, unsigned flags, struct subject *subject)
{
	sluice_layer layers[2] = {first, second};
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	for (size_t index = 0; index < 2; index++) {
		layers[index].size = sizeof(layers[index]);
		layers[index].hidden = H - index;
	}
	description.layers = layers;
	description.layer_count = 2;
	description.inputs = 2;
	subject_create(&description, STEPS, BATCH, flags, 4, subject);
}

/* A given mask acts as if the states before every step had been multiplied by it, whatever its shape. */
static void test_mask(void **state)
{
	(void)state;
	for (int shape = SLUICE_MASK_SEQUENCE; shape <= SLUICE_MASK_STEP; shape++) {
		struct subject subject;
		struct sluice__oracle_trace_f64 whole, step;
		double h[BATCH * (2 * H - 1)], c[BATCH * (2 * H - 1)];
		size_t width = 2 * H - 1;

		layers_create((sluice_layer){0}, (sluice_layer){0}, GIVEN_MASK | EVALUATION, &subject);
		subject.run.mask_shape = (sluice_mask_shape)shape;
		forward(&subject, &whole);
		memcpy(h, subject.run.h0, sizeof(h));
		memcpy(c, subject.run.c0, sizeof(c));
		subject.run.steps = 1;
		subject.run.mask = NULL;
		subject.run.h0 = h;
		subject.run.c0 = c;
		for (size_t t = 0; t < STEPS; t++) {
			for (size_t index = 0, k = 0; index < 2; index++)
				for (size_t n = 0; n < BATCH; n++)
					for (size_t unit = 0; unit < H - index; unit++, k++) {
						size_t row = shape == SLUICE_MASK_STEP       ? t * BATCH + n
							     : shape == SLUICE_MASK_SEQUENCE ? n
											     : 0;

						h[k] *= subject.mask[row * width + index * H + unit];
					}
			subject.run.x = subject.vector + t * BATCH * 2;
			forward(&subject, &step);
			assert_near("masked", step.y, whole.y + t * BATCH * (H - 1), (size_t)BATCH * (H - 1), 0);
			memcpy(h, step.hn, sizeof(h));
			memcpy(c, step.cn, sizeof(c));
			sluice__oracle_trace_destroy_f64(&step);
		}
		sluice__oracle_trace_destroy_f64(&whole);
		subject_destroy(&subject);
	}
}

/* Drawn masks are constants like given ones, and DropConnect is another R. */
static void test_drawn(void **state)
{
	struct subject subject, plain;
	sluice_layer layer = {.recurrent_dropout = 0.5f, .recurrent_dropout_shape = SLUICE_MASK_STEP};
	double *R;

	(void)state;
	layer_create(layer, 2, 0, &subject);
	layer_create((sluice_layer){0}, 2, GIVEN_MASK, &plain);
	plain.run.mask_shape = SLUICE_MASK_STEP;
	for (size_t k = 0; k < (size_t)STEPS * BATCH * H; k++)
		plain.mask[k] = (double)sluice__oracle_recurrent_dropout(0.5f, SLUICE_MASK_STEP, subject.run.seed, 0, 0,
									 k % H, subject.run.step_offset + k / H / BATCH,
									 SEQUENCES[k / H % BATCH]);
	assert_equal_runs("recurrent dropout", &subject, &plain, 0);
	subject_destroy(&subject);
	layer_create((sluice_layer){.dropconnect = 0.5f}, 2, 0, &subject);
	plain.run.mask = NULL;
	R = tensor_of(&plain, cell_of(&plain)->weight_hh);
	for (size_t k = 0; k < (size_t)4 * H * H; k++)
		R[k] *= (double)sluice__oracle_dropconnect(0.5f, subject.run.seed, 0, 0, k / H, k % H);
	/* dR is that of R (.) M there. */
	plain.data.parameter_count++;
	assert_equal_runs("DropConnect", &subject, &plain, 0);
	subject_destroy(&subject);
	subject_destroy(&plain);
}

/* Zoneout mixes old and new by the chance in evaluation, and takes one of the two in training. */
static void test_zoneout(void **state)
{
	(void)state;
	for (int training = 0; training < 2; training++) {
		sluice_layer layer = {.zoneout_h = 0.25f, .zoneout_c = 0.5f};
		struct subject subject;
		struct sluice__oracle_trace_f64 trace;
		size_t old[2] = {0, 0}, count = (size_t)(STEPS - 1) * BATCH * H;

		layer_create(layer, 2, training ? 0 : EVALUATION, &subject);
		forward(&subject, &trace);
		for (size_t k = 0; k < count; k++) {
			const double *h = trace.h[0] + k, *c = trace.c[0] + k;
			double r = trace.r[0][k + BATCH * H], e = trace.e[0][k + BATCH * H];

			if (!training) {
				assert_true(h[BATCH * H] == 0.25 * h[0] + 0.75 * r);
				assert_true(c[BATCH * H] == 0.5 * c[0] + 0.5 * e);
				continue;
			}
			assert_true(h[BATCH * H] == h[0] || h[BATCH * H] == r);
			assert_true(c[BATCH * H] == c[0] || c[BATCH * H] == e);
			old[0] += h[BATCH * H] == h[0];
			old[1] += c[BATCH * H] == c[0];
		}
		/* Within five deviations of the chance. */
		if (training) {
			assert_true(fabs((double)old[0] - 0.25 * (double)count) < 5 * sqrt(0.1875 * (double)count));
			assert_true(fabs((double)old[1] - 0.5 * (double)count) < 5 * sqrt(0.25 * (double)count));
		}
		sluice__oracle_trace_destroy_f64(&trace);
		subject_destroy(&subject);
	}
}

/* The last step alone is T-1 of the forward half and 0 of the reverse half of what the whole run puts out. */
static void test_last_only(void **state)
{
	struct subject subject;
	struct sluice__oracle_trace_f64 whole, last;

	(void)state;
	layer_create((sluice_layer){.direction = SLUICE_BIDIRECTIONAL}, 2, 0, &subject);
	forward(&subject, &whole);
	subject.run.last_only = 1;
	forward(&subject, &last);
	for (size_t n = 0; n < BATCH; n++) {
		assert_near("forward", last.y + n * 2 * H, whole.y + ((STEPS - 1) * BATCH + n) * 2 * H, H, 0);
		assert_near("reverse", last.y + n * 2 * H + H, whole.y + n * 2 * H + H, H, 0);
	}
	sluice__oracle_trace_destroy_f64(&whole);
	sluice__oracle_trace_destroy_f64(&last);
	subject_destroy(&subject);
}

/* A run in two pieces draws what the whole draws. */
static void test_pieces(void **state)
{
	sluice_layer layer = {.recurrent_dropout = 0.3f,
			      .recurrent_dropout_shape = SLUICE_MASK_STEP,
			      .zoneout_h = 0.3f,
			      .zoneout_c = 0.3f,
			      .dropconnect = 0.3f,
			      .dropout = 0.3f};
	struct subject subject;
	struct sluice__oracle_trace_f64 whole, first, second;
	size_t count;

	(void)state;
	layers_create(layer, layer, 0, &subject);
	forward(&subject, &whole);
	count = subject.data.y_count / STEPS;
	subject.run.steps = 2;
	forward(&subject, &first);
	assert_memory_equal(first.y, whole.y, 2 * count * sizeof(double));
	subject.run.steps = STEPS - 2;
	subject.run.step_offset += 2;
	subject.run.x += (size_t)2 * BATCH * 2;
	subject.run.h0 = first.hn;
	subject.run.c0 = first.cn;
	forward(&subject, &second);
	assert_memory_equal(second.y, whole.y + 2 * count, (STEPS - 2) * count * sizeof(double));
	assert_memory_equal(second.hn, whole.hn, subject.data.h_count * sizeof(double));
	assert_memory_equal(second.cn, whole.cn, subject.data.c_count * sizeof(double));
	sluice__oracle_trace_destroy_f64(&whole);
	sluice__oracle_trace_destroy_f64(&first);
	sluice__oracle_trace_destroy_f64(&second);
	subject_destroy(&subject);
}

/* Whether the number of a counter that is written out here is below one half. */
static int below_half(uint32_t word0, uint32_t word1, uint32_t word2, uint32_t word3, size_t unit)
{
	static const uint32_t KEY[2] = {0x89abcdefu, 0x01234567u};
	const uint32_t counter[4] = {word0, word1, word2, word3};
	uint32_t out[4];

	sluice__oracle_philox(KEY, counter, out);
	return out[unit % 4] < 0x80000000u;
}

/* Every kind of number comes from the counter of EQUATIONS.md: layer 5, reverse, step 2^33 + 7, sequence 2^35 + 9. */
static void test_counters(void **state)
{
	const uint64_t seed = UINT64_C(0x0123456789abcdef), step = (UINT64_C(1) << 33) + 7;
	const uint64_t sequence = (UINT64_C(1) << 35) + 9;
	const uint32_t place = 1u << 24 | 5u << 25, high = 2u | 8u << 16;

	(void)state;
	for (uint32_t unit = 0; unit < 64; unit++) {
		const int drawn[] = {
			sluice__oracle_recurrent_dropout(0.5f, SLUICE_MASK_STEP, seed, 5, 1, unit, step, sequence) == 0,
			sluice__oracle_recurrent_dropout(0.5f, SLUICE_MASK_SEQUENCE, seed, 5, 1, unit, step,
							 sequence) == 0,
			sluice__oracle_recurrent_dropout(0.5f, SLUICE_MASK_UNIT, seed, 5, 1, unit, step, sequence) == 0,
			sluice__oracle_zoneout_h(0.5f, seed, 5, 1, unit, step, sequence) == 1,
			sluice__oracle_zoneout_c(0.5f, seed, 5, 1, unit, step, sequence) == 1,
			sluice__oracle_dropconnect(0.5f, seed, 5, 1, 77, unit) == 0,
		};
		const int expected[] = {
			below_half(unit / 4 | 4u << 20 | place, 7, 9, high, unit),
			below_half(unit / 4 | 4u << 20 | place, 0, 9, 8u << 16, unit),
			below_half(unit / 4 | 4u << 20 | place, 0, 0, 0, unit),
			below_half(unit / 4 | 5u << 20 | place, 7, 9, high, unit),
			below_half(unit / 4 | 6u << 20 | place, 7, 9, high, unit),
			below_half(unit / 4 | 7u << 20 | place, 77, 0, 0, unit),
		};

		assert_memory_equal(drawn, expected, sizeof(drawn));
	}
}

/* What contradicts itself is refused with a sentence that names it. */
static void test_contradictions(void **state)
{
	static const struct {
		sluice_layer layer;
		const char *part;
	} CASES[] = {
		{{.hidden = 4, .coupled = 1, .no_gates = SLUICE_GATE_I}, "coupled"},
		{{.hidden = 4, .coupled = 1, .no_gates = SLUICE_GATE_F}, "coupled"},
		{{.hidden = 5, .input = SLUICE_INPUT_IDENTITY}, "expected 5"},
		{{.hidden = 4, .input = SLUICE_INPUT_GATES}, "expected 16"},
		{{.hidden = 2, .input = SLUICE_INPUT_GATES, .direction = SLUICE_BIDIRECTIONAL}, "expected 16"},
		{{.hidden = 0}, "hidden is 0"},
	};

	(void)state;
	for (size_t index = 0; index < LENGTH(CASES); index++) {
		sluice_layer layer = CASES[index].layer;
		sluice_description description = SLUICE_DESCRIPTION_INIT;
		struct sluice__network network;

		layer.size = sizeof(layer);
		description.inputs = 3;
		description.layer_count = 1;
		description.layers = &layer;
		assert_int_equal(sluice__network_create(&description, NULL, 0, 0, &network), SLUICE_INVALID_ARGUMENT);
		assert_non_null(strstr(sluice_last_message(), CASES[index].part));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounded_h),    cmocka_unit_test(test_terms),
		cmocka_unit_test(test_absent_gates), cmocka_unit_test(test_absent_blocks),
		cmocka_unit_test(test_inputs),       cmocka_unit_test(test_peepholes),
		cmocka_unit_test(test_coupled),      cmocka_unit_test(test_projection),
		cmocka_unit_test(test_clips),        cmocka_unit_test(test_mask),
		cmocka_unit_test(test_drawn),        cmocka_unit_test(test_zoneout),
		cmocka_unit_test(test_last_only),    cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_counters),     cmocka_unit_test(test_contradictions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
