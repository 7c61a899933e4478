/* bnns_judge.c: holds what a call of BNNS put out to the reference, and everything else to what it was. */
#include "bnns_case.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct bnns_tally bnns_tally;

static int is_output(int slot)
{
	return slot >= SLOT_Y && slot <= SLOT_CN;
}

/* What is expected of a slot, in C order; of data, padded. */
static const struct bnns_number *expected_of(const struct bnns_case *test, int side, int slot)
{
	const struct bnns_results *r = &test->expected;
	const struct bnns_number *forward[] = {r->y, r->h, r->c}, *backward[] = {r->dx, r->dh0, r->dc0};
	const size_t gate = (size_t)(slot - SLOT_IW) % BNNS_GATES;

	if (!side)
		return forward[slot - SLOT_Y];
	if (slot < SLOT_Y)
		return backward[slot];
	switch ((slot - SLOT_IW) / BNNS_GATES) {
	case 0:
		return r->diw[gate];
	case 1:
		return r->diw[gate] + bnns_iw_offset(&test->problem, 1, 0);
	case 2:
		return r->dhw[gate];
	case 3:
		return r->dcw[gate];
	default:
		return r->db[gate];
	}
}

/* Step and row of an element of data. */
struct spot {
	size_t t, n, k;
};

static struct spot spot_of(const struct bnns_case *test, size_t index, size_t width)
{
	const struct bnns_problem *p = &test->problem;
	size_t row = index / width;

	if (!p->batch_sizes || !test->spec.options.sequence_rows)
		return (struct spot){row / p->batch, row % p->batch, index % width};
	for (size_t t = 0;; t++) {
		if (row < p->batch_sizes[t])
			return (struct spot){t, row, index % width};
		row -= p->batch_sizes[t];
	}
}

/* Products that the gradient in a slot is a sum of. */
static size_t terms_of(const struct bnns_problem *p, int slot)
{
	return slot < SLOT_IW ? 4 * p->hidden * p->directions : p->steps * p->batch;
}

/* What an array shall hold: stored in its type, after what was there if it accumulates. The sum may have begun with
 * what was there, so that each of its roundings sees that, too; or it was rounded to the type before it was added. */
static struct bnns_number stored(const struct bnns_case *test, const struct bnns_slot *found, int slot, int accumulate,
				 size_t index, struct bnns_number p)
{
	const BNNSDataType type = found->array.type;

	if (!accumulate)
		return number_stored(type, p);
	p.e += (double)terms_of(&test->problem, slot) * NUMBER_U * fabs(found->values[index]);
	if (type != BNNSDataTypeFloat32)
		p.e += fabs(p.v) * (type == BNNSDataTypeFloat16 ? 0x1p-11 : 0x1p-8) + 0x1p-25;
	return number_stored(type, number_add(number_exact(found->values[index]), p));
}

static double judge(const struct bnns_case *test, int side, int slot, size_t index, struct bnns_number p)
{
	const struct bnns_slot *found = &test->slots[side][slot];
	const double value = bnns_load(found->array.type, found->array.block + array_place(&found->array, index));
	const double error = fabs(value - p.v);

	bnns_tally.numbers++;
	bnns_tally.loose += p.e > 0.01 * fmax(1, fabs(p.v));
	if (!(error <= p.e))
		fail_msg("seed %zu: %s %s%d [%zu] is %.9g, expected %.9g within %.3g", (size_t)test->spec.seed,
			 side ? "gradient of" : "", slot_name(slot), slot < SLOT_IW ? 0 : (slot - SLOT_IW) % BNNS_GATES,
			 index, value, p.v, p.e);
	/* In 16 bits an error is a whole unit of the last place or none, and says nothing of the bound's width. */
	return error > 0 && found->array.type == BNNSDataTypeFloat32 && test->spec.data == BNNSDataTypeFloat32
		       ? error / p.e
		       : 0;
}

/* A row of y that a step has not: zero, or as it was. Gradients of x are zero there, and add nothing. */
static void judge_padding(const struct bnns_case *test, int side, int slot, size_t index)
{
	const struct bnns_array *array = &test->slots[side][slot].array;
	const size_t place = array_place(array, index), bytes = bnns_type_bytes(array->type);
	const int keeps = side ? test->spec.accumulate[slot]
			       : test->spec.options.padding_rows == SLUICE_BNNS_PADDING_ROWS_UNTOUCHED;

	if (keeps && !memcmp(array->block + place, array->before + place, bytes))
		return;
	if (!keeps && bnns_load(array->type, array->block + place) == 0)
		return;
	fail_msg("seed %zu: %s%s [%zu], in a row that its step has not, is %g", (size_t)test->spec.seed,
		 side ? "gradient of " : "", slot_name(slot), index, bnns_load(array->type, array->block + place));
}

static double judge_slot(const struct bnns_case *test, int side, int slot)
{
	const struct bnns_problem *p = &test->problem;
	const struct bnns_slot *found = &test->slots[side][slot];
	const struct bnns_number *expected = expected_of(test, side, slot);
	const int accumulate = side && test->spec.accumulate[slot], data = slot == SLOT_X || slot == SLOT_Y;
	const size_t width = slot == SLOT_X ? p->inputs : p->directions * p->hidden;
	double worst = 0;

	for (size_t index = 0; index < found->array.elements; index++) {
		size_t at = index;

		if (data) {
			const struct spot spot = spot_of(test, index, width);

			at = (spot.t * p->batch + spot.n) * width + spot.k;
			if (!bnns_has_step(p, spot.t, spot.n)) {
				judge_padding(test, side, slot, index);
				continue;
			}
		}
		worst = fmax(worst, judge(test, side, slot, index,
					  stored(test, found, slot, accumulate, index, expected[at])));
	}
	return worst;
}

/* One side's outputs as expected; their gaps, and all other arrays, as they were. */
static double check(const struct bnns_case *test, int written)
{
	double worst = 0;

	for (int side = 0; side < 2; side++)
		for (int slot = 0; slot < SLOTS; slot++) {
			const struct bnns_slot *found = &test->slots[side][slot];
			const int output = side == written && (side ? !is_output(slot) : is_output(slot));

			if (!found->used)
				continue;
			if (output ? !array_gaps_same(&found->array) : !array_same(&found->array))
				fail_msg("seed %zu: %s%s was written to where it should not", (size_t)test->spec.seed,
					 side ? "gradient of " : "", slot_name(slot));
			if (output)
				worst = fmax(worst, judge_slot(test, side, slot));
		}
	return worst;
}

double case_check_forward(const struct bnns_case *test)
{
	return check(test, 0);
}

double case_check_backward(const struct bnns_case *test)
{
	return check(test, 1);
}

void case_check_untouched(const struct bnns_case *test)
{
	for (int side = 0; side < 2; side++)
		for (int slot = 0; slot < SLOTS; slot++)
			if (test->slots[side][slot].used && !array_same(&test->slots[side][slot].array))
				fail_msg("seed %zu: a refused call wrote to %s%s", (size_t)test->spec.seed,
					 side ? "gradient of " : "", slot_name(slot));
}
