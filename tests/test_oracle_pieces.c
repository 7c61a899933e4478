/*
 * test_oracle_pieces.c: what time means, shown by plain runs: a row with lengths, resets and holds is its pieces, each
 * alone and without any of that.
 */
#include "oracle_time.h"

enum { STEPS = 8, BATCH = 4 };

static const size_t LENGTHS[BATCH] = {5, STEPS, 0, 3};
static const char *const MARKS[BATCH] = {"r.hbrbr.", "hr.hbh.r", "rhrhrhrh", "........"};
static uint8_t resets[STEPS * BATCH], holds[STEPS * BATCH];

/* Sums over the steps of at most 4 rows and over the places of an image, in another order: 32 terms for each place, all
 * below 4. Each addition rounds by 2^-53 of the sum so far, which is the sum of all if they have one sign. */
static double reordered(const struct sluice__network *network)
{
	double terms = 32 * (double)network->images[0].places;

	return terms * (4 * terms) * 0x1p-53;
}

/* ------------------------------------------------------------------------------------------------- pieces ---- */

/* A stretch of a row between two resets, without its held steps, as a plain run of its own. */
struct piece {
	size_t n, first, count; /* its row, where it begins, and how many steps it computes */
	size_t times[STEPS];
	int is_first, is_last; /* of its row */
	struct sluice__oracle_run_f64 run;
	struct sluice__oracle_trace_f64 trace;
	struct sluice__oracle_gradients_f64 gradients;
	double *block;
};

/* The piece that begins at *t, or a piece without steps if the row has none there; *t moves to its end. */
static void piece_find(const struct subject *subject, size_t n, size_t *t, struct piece *piece)
{
	const struct sluice__oracle_run_f64 *run = &subject->run;

	*piece = (struct piece){.n = n, .first = *t};
	piece->is_first = *t == 0 || !sluice__oracle_has_step_f64(run, *t - 1, n);
	while (*t < STEPS && sluice__oracle_has_step_f64(run, *t, n)) {
		if (*t > piece->first && run->resets && run->resets[*t * BATCH + n])
			break;
		if (sluice__oracle_computes_step_f64(run, *t, n))
			piece->times[piece->count++] = *t;
		*t += 1;
	}
	piece->is_last = *t == STEPS || !sluice__oracle_has_step_f64(run, *t, n);
}

/* Whether a cell begins the piece from the start, and whether its state behind the piece is the row's last. */
static int from_start(const struct subject *subject, const struct piece *piece, const struct sluice__cell *cell)
{
	const struct sluice__oracle_run_f64 *run = &subject->run;

	if (cell->reverse)
		return !piece->is_last || !run->h0;
	return !piece->is_first || !run->h0 ||
	       (run->resets && sluice__oracle_has_step_f64(run, piece->first, piece->n) &&
		run->resets[piece->first * BATCH + piece->n]);
}

static int is_end(const struct piece *piece, const struct sluice__cell *cell)
{
	return cell->reverse ? piece->is_first : piece->is_last;
}

/* The rows of a [T,N,width] array that the piece computes. */
static double *gather(const struct piece *piece, const double *array, size_t width, double **next)
{
	double *start = *next;

	if (!array)
		return NULL;
	for (size_t k = 0; k < piece->count; k++)
		memcpy(start + k * width, array + (piece->times[k] * BATCH + piece->n) * width, width * sizeof(double));
	*next += piece->count * width;
	return start;
}

/* States before the piece, and gradients of those after it, of one cell's h or c. */
static void states_set(const double *given, const double *start, int starts, const double *dfinal, int ends, size_t n,
		       size_t width, size_t channels, double *initial, double *d)
{
	for (size_t k = 0; k < width; k++) {
		initial[k] = !starts ? given[n * width + k] : start ? start[k % channels] : 0;
		d[k] = ends && dfinal ? dfinal[n * width + k] : 0;
	}
}

static const double *within(const double *array, size_t offset)
{
	return array && offset != SLUICE__NONE ? array + offset : NULL;
}

static void piece_states(const struct subject *subject, struct piece *piece, double *h0, double *c0, double *dh,
			 double *dc)
{
	const struct sluice__oracle_run_f64 *run = &subject->run;

	for (size_t index = 0; index < subject->network.cell_count; index++) {
		const struct sluice__cell *cell = &subject->network.cells[index];
		size_t h = cell->h_state, c = cell->c_state;
		int starts = from_start(subject, piece, cell), ends = is_end(piece, cell);

		states_set(within(run->h0, h * BATCH), within(run->parameters, cell->start_h), starts,
			   within(run->dh, h * BATCH), ends, piece->n, cell->places * cell->out, cell->out, h0 + h,
			   dh + h);
		states_set(within(run->c0, c * BATCH), within(run->parameters, cell->start_c), starts,
			   within(run->dc, c * BATCH), ends, piece->n, cell->places * cell->hidden, cell->hidden,
			   c0 + c, dc + c);
	}
}

/* Its random numbers are those of its steps, which are told by an offset as long as none is held. */
static void piece_run(const struct subject *subject, struct piece *piece)
{
	const struct sluice__network *network = &subject->network;
	const struct sluice__oracle_run_f64 *run = &subject->run;
	size_t h = network->h_width, c = network->c_width;
	double *states =
		calloc(2 * (h + c) + STEPS * (network->x_row + 2 * network->y_row + 2 * h + c), sizeof(double));
	double *next = states + 2 * (h + c);

	assert_non_null(states);
	piece->block = states;
	piece_states(subject, piece, states, states + h, states + h + c, states + 2 * h + c);
	piece->run = *run;
	piece->run.steps = piece->count;
	piece->run.batch = 1;
	piece->run.step_offset += piece->first;
	piece->run.sequence_ids = &SEQUENCES[piece->n];
	piece->run.lengths = NULL;
	piece->run.resets = piece->run.holds = NULL;
	piece->run.h0 = states;
	piece->run.c0 = states + h;
	piece->run.dh = states + h + c;
	piece->run.dc = states + 2 * h + c;
	piece->run.x = gather(piece, run->x, network->x_row, &next);
	piece->run.dy = gather(piece, run->dy, network->y_row, &next);
	piece->run.dy_reverse = gather(piece, run->dy_reverse, network->y_row, &next);
	piece->run.mask = gather(piece, run->mask, h, &next);
	piece->run.dh_steps = gather(piece, run->dh_steps, h, &next);
	piece->run.dc_steps = gather(piece, run->dc_steps, c, &next);
	assert_int_equal(sluice__oracle_forward_f64(network, &piece->run, &piece->trace), SLUICE_OK);
	assert_int_equal(sluice__oracle_backward_f64(network, &piece->run, &piece->trace, &piece->gradients),
			 SLUICE_OK);
}

static void piece_destroy(struct piece *piece)
{
	sluice__oracle_gradients_destroy_f64(&piece->gradients);
	sluice__oracle_trace_destroy_f64(&piece->trace);
	free(piece->block);
}

/* The rows of a [T,N,width] array that the piece computes are these, bit for bit. */
static void rows_check(const char *what, const struct piece *piece, const double *whole, const double *rows,
		       size_t width)
{
	for (size_t k = 0; k < piece->count && whole; k++)
		assert_near(what, whole + (piece->times[k] * BATCH + piece->n) * width, rows + k * width, width, 0);
}

/* Between its first and last step the piece's held ones keep what the step processed before left. */
static void holds_check(const struct subject *subject, const struct piece *piece, size_t end,
			const struct sluice__oracle_trace_f64 *whole, size_t index)
{
	const struct sluice__cell *cell = &subject->network.cells[index];
	const double *h = piece->run.h0 + cell->h_state, *c = piece->run.c0 + cell->c_state;
	size_t out = cell->places * cell->out, H = cell->places * cell->hidden;

	for (size_t number = 0; number < end - piece->first; number++) {
		size_t t = cell->reverse ? end - 1 - number : piece->first + number, row = t * BATCH + piece->n;

		if (!sluice__oracle_computes_step_f64(&subject->run, t, piece->n)) {
			assert_near("held h", whole->h[index] + row * out, h, out, 0);
			assert_near("held c", whole->c[index] + row * H, c, H, 0);
		}
		h = whole->h[index] + row * out;
		c = whole->c[index] + row * H;
	}
}

/* Everything of the whole run that is one piece's alone. */
static void piece_check(const struct subject *subject, const struct piece *piece, size_t end,
			const struct sluice__oracle_trace_f64 *whole,
			const struct sluice__oracle_gradients_f64 *gradients)
{
	const struct sluice__network *network = &subject->network;

	rows_check("y", piece, whole->y, piece->trace.y, network->y_row);
	rows_check("y_reverse", piece, whole->y_reverse, piece->trace.y_reverse, network->y_row);
	rows_check("dx", piece, gradients->dx, piece->gradients.dx, network->x_row);
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];
		size_t h = cell->h_state, c = cell->c_state;
		size_t out = cell->places * cell->out, H = cell->places * cell->hidden;
		size_t row_h = h * BATCH + piece->n * out, row_c = c * BATCH + piece->n * H;

		rows_check("h", piece, whole->h[index], piece->trace.h[index], out);
		rows_check("c", piece, whole->c[index], piece->trace.c[index], H);
		rows_check("gates", piece, whole->gates[index], piece->trace.gates[index], 4 * H);
		rows_check("da", piece, gradients->da[index], piece->gradients.da[index], 4 * H);
		holds_check(subject, piece, end, whole, index);
		if (is_end(piece, cell)) {
			assert_near("hn", whole->hn + row_h, piece->trace.hn + h, out, 0);
			assert_near("cn", whole->cn + row_c, piece->trace.cn + c, H, 0);
		}
		if (!from_start(subject, piece, cell)) {
			assert_near("dh0", gradients->dh0 + row_h, piece->gradients.dh0 + h, out, 0);
			assert_near("dc0", gradients->dc0 + row_c, piece->gradients.dc0 + c, H, 0);
		}
	}
}

/* Adds a piece's gradients of the parameters: those of the start are those of the initial state that stood for it. */
static void parameters_add(const struct subject *subject, const struct piece *piece, double *sum)
{
	const struct sluice__network *network = &subject->network;

	for (size_t k = 0; k < network->parameter_count; k++)
		sum[k] += piece->gradients.dparameters[k];
	for (size_t index = 0; index < network->cell_count; index++) {
		const struct sluice__cell *cell = &network->cells[index];

		if (cell->start_h == SLUICE__NONE || !from_start(subject, piece, cell))
			continue;
		for (size_t k = 0; k < cell->places * cell->out; k++)
			sum[cell->start_h + k % cell->out] += piece->gradients.dh0[cell->h_state + k];
		for (size_t k = 0; k < cell->places * cell->hidden; k++)
			sum[cell->start_c + k % cell->hidden] += piece->gradients.dc0[cell->c_state + k];
	}
}

/* Zeroes what flows into held steps: it would go on to the step before, which a piece without them cannot be told. */
static void held_silence(const struct subject *subject, double *array, size_t width)
{
	for (size_t row = 0; row < (size_t)STEPS * BATCH && array; row++)
		if (subject->run.holds && subject->run.holds[row])
			memset(array + row * width, 0, width * sizeof(double));
}

static void pieces_check(struct subject *subject)
{
	const struct sluice__network *network = &subject->network;
	struct sluice__oracle_trace_f64 whole;
	struct sluice__oracle_gradients_f64 gradients;
	double *sum = calloc(network->parameter_count, sizeof(double));

	assert_non_null(sum);
	held_silence(subject, (double *)(uintptr_t)subject->run.dy, network->y_row);
	held_silence(subject, (double *)(uintptr_t)subject->run.dy_reverse, network->y_row);
	held_silence(subject, (double *)(uintptr_t)subject->run.dh_steps, network->h_width);
	held_silence(subject, (double *)(uintptr_t)subject->run.dc_steps, network->c_width);
	forward(subject, &whole);
	backward(subject, &whole, &gradients);
	for (size_t n = 0; n < BATCH; n++) {
		size_t t = 0;
		int last = 0;

		while (t + 1 < STEPS && !sluice__oracle_has_step_f64(&subject->run, t, n))
			t++;
		while (!last) {
			struct piece piece;

			piece_find(subject, n, &t, &piece);
			piece_run(subject, &piece);
			piece_check(subject, &piece, t, &whole, &gradients);
			parameters_add(subject, &piece, sum);
			last = piece.is_last;
			piece_destroy(&piece);
		}
	}
	assert_near("dparameters", gradients.dparameters, sum, network->parameter_count, reordered(network));
	free(sum);
	sluice__oracle_gradients_destroy_f64(&gradients);
	sluice__oracle_trace_destroy_f64(&whole);
}

#define RANDOM                                                                                                 \
	.dropout = 0.3f, .zoneout_h = 0.2f, .zoneout_c = 0.2f, .dropconnect = 0.2f, .recurrent_dropout = 0.2f, \
	.recurrent_dropout_shape = SLUICE_MASK_STEP

static const struct {
	unsigned flags;
	size_t height, width; /* of images, if there are any */
	size_t outputs;
	sluice_layer layers[LAYERS];
} NETWORKS[] = {
	{0, 0, 0, 0, {LAYER(.hidden = 3)}},
	{0, 0, 0, 0, {LAYER(.hidden = 3, BACK)}},
	{NO_INITIAL, 0, 0, 0, {LAYER(.hidden = 3, LEARNED)}},
	{NO_INITIAL, 0, 0, 2, {LAYER(.hidden = 3, LEARNED, BACK)}},
	{0, 0, 0, 0, {LAYER(.hidden = 3, LEARNED, BOTH, .projection = 2)}},
	{0, 0, 0, 2, {LAYER(.hidden = 3, LEARNED, ADD, RANDOM), LAYER(.hidden = 2, LEARNED, BOTH, RANDOM)}},
	{GIVEN_MASK, 0, 0, 0, {LAYER(.hidden = 3, LEARNED, SEPARATE, RANDOM), LAYER(.hidden = 2, SEPARATE, RANDOM)}},
	{GIVEN_MASK | NO_INITIAL,
	 0,
	 0,
	 3,
	 {LAYER(.hidden = 2, LEARNED, SEPARATE, RANDOM, .peephole = SLUICE_PEEPHOLE_FULL),
	  LAYER(.hidden = 3, ADD, RANDOM), LAYER(.hidden = 2, BACK, LEARNED, RANDOM)}},
	{0, 2, 2, 0, {LAYER(.hidden = 2, LEARNED, BOTH, .recurrent_convolution = {.height = 2, .width = 3})}},
	{GIVEN_MASK | NO_INITIAL,
	 3,
	 2,
	 2,
	 {LAYER(.hidden = 2, LEARNED, SEPARATE, RANDOM, .projection = 3, .peephole = SLUICE_PEEPHOLE_ELEMENT,
		.input_convolution = {.height = 2, .width = 3, .stride_y = 2}),
	  LAYER(.hidden = 2, LEARNED, ADD, RANDOM, .recurrent_convolution = {.width = 3})}},
};

static void test_pieces(void **state)
{
	(void)state;
	for (size_t index = 0; index < LENGTH(NETWORKS); index++)
		for (unsigned time = 0; time < 16; time++) {
			struct subject subject;

			/* Without held steps they also draw the same random numbers. */
			images_create(NETWORKS[index].layers, NETWORKS[index].height, NETWORKS[index].width,
				      NETWORKS[index].outputs, STEPS, BATCH,
				      NETWORKS[index].flags | (time & 8 ? EVALUATION : 0), 5, &subject);
			subject.run.lengths = time & 1 ? LENGTHS : NULL;
			subject.run.padding = time & 2 ? SLUICE_PADDING_LEFT : SLUICE_PADDING_RIGHT;
			subject.run.resets = time & 4 ? resets : NULL;
			subject.run.holds = time & 8 ? holds : NULL;
			pieces_check(&subject);
			subject_destroy(&subject);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
	};

	marks_read(MARKS, STEPS, BATCH, resets, holds);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
