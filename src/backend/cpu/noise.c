/* noise.c exists to draw what a run leaves to chance: masks and zoneout, each a pure function of seed and place. */
#include "backend/cpu/pass.h"

#include <math.h>

#include "base/philox.h"

/* A word of at least `threshold` means `kept`, a smaller one `lost`. Equations "Dropout" and "Zoneout" of EQUATIONS.md.
 */
struct chance {
	uint32_t threshold;
	real kept, lost;
};

static uint32_t threshold_of(float chance)
{
	return (uint32_t)floor((double)chance * 0x1p32);
}

static struct chance dropping(float dropout)
{
	return (struct chance){threshold_of(dropout), (real)(float)(1.0 / (1.0 - (double)dropout)), 0};
}

/* The first unit of a place: units of a row are counted over its places. */
static size_t units_before(const struct packed_layer *packed, size_t row, size_t width)
{
	return layer_place(packed, row) * sluice__round_up(width, 4);
}

/* Factors of the columns first .. first+count-1 of one row, to to[0 .. count-1]. */
static void draw(const struct pass *pass, const struct sluice__place *place, const struct chance *chance, size_t first,
		 size_t count, real *to)
{
	enum { STRETCH = 256, BLOCK = 4 };
	const uint32_t key[2] = {(uint32_t)pass->run->seed, (uint32_t)(pass->run->seed >> 32)};
	const size_t end = first + count;
	while (first < end) {
		uint32_t words[STRETCH], counter[4];
		const size_t skipped = first % BLOCK, room = STRETCH - skipped;
		const size_t part = end - first < room ? end - first : room;
		sluice__counter(place, first / BLOCK, counter);
		pass->plan->kernels.random(key, counter, (skipped + part + BLOCK - 1) / BLOCK, words);
		for (size_t unit = 0; unit < part; unit++)
			to[unit] = words[skipped + unit] >= chance->threshold ? chance->kept : chance->lost;
		first += part;
		to += part;
	}
}

static uint64_t sequence_of(const struct pass *pass, const struct packed_layer *packed, size_t row)
{
	const size_t n = pass_caller_row(pass, layer_sequence(packed, row));
	return pass->run->sequence_ids ? pass->run->sequence_ids[n] : n;
}

void sluice__noise_dropout_row(const struct pass *pass, size_t layer, size_t direction, size_t t, size_t row,
			       const real *from, real *to)
{
	enum { STRETCH = 64 };
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const struct chance chance = dropping(packed->options->dropout);
	const struct sluice__place place = {SLUICE__DROPOUT, layer, direction, pass->run->step_offset + t,
					    sequence_of(pass, packed, row)};
	const size_t before = units_before(packed, row, packed->out);
	for (size_t first = 0; first < packed->out_padded; first += STRETCH) {
		real factors[STRETCH];
		const size_t rest = packed->out_padded - first, part = rest < STRETCH ? rest : STRETCH;
		draw(pass, &place, &chance, before + first, part, factors);
		for (size_t unit = 0; unit < part; unit++)
			to[first + unit] = factors[unit] * from[first + unit];
	}
}

void sluice__noise_dropout(const struct pass *pass, size_t layer, size_t direction, struct sluice__range steps,
			   const real *from, size_t from_row, real *to, size_t to_row)
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	for (size_t t = steps.first; t < steps.last; t++)
		for (size_t row = 0; row < layer_rows_at(pass, packed, t); row++) {
			const size_t place = t * layer_rows(pass, packed) + row;
			sluice__noise_dropout_row(pass, layer, direction, t, row, from + place * from_row,
						  to + place * to_row);
		}
}

bool sluice__noise_mask_changes(const struct pass *pass, size_t layer)
{
	const sluice_layer *options = pass->plan->layers[layer].options;
	const bool drawn = pass->run->training && options->recurrent_dropout > 0;
	return (pass->run->mask && pass->run->mask_shape == SLUICE_MASK_STEP) ||
	       (drawn && options->recurrent_dropout_shape == SLUICE_MASK_STEP);
}

/* The caller's part of a mask, for some columns of one row. */
static void given_mask(const struct pass *pass, size_t layer, size_t direction, size_t t, size_t row,
		       struct columns columns, real *to)
{
	const struct sluice__network *network = pass->prepared->network;
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const size_t sequence = layer_sequence(packed, row);
	const size_t column =
		network->layers[layer].h_column[direction] + layer_place(packed, row) * packed->out + columns.first;
	const sluice_mask_shape shape = pass->run->mask_shape;
	const size_t bytes = sluice__dtype_bytes(pass->prepared->limits.data);
	const char *mask = pass->run->mask;
	if (shape == SLUICE_MASK_STEP) {
		sluice__exchange_load(pass, mask, network->h_width, t, sequence, column, columns.units, to);
		return;
	}
	const size_t n = pass_caller_row(pass, sequence);
	const size_t first = (shape == SLUICE_MASK_SEQUENCE ? n * network->h_width : 0) + column;
	pass->plan->kernels.widen(pass->prepared->limits.data, columns.units, mask + first * bytes, to);
}

void sluice__noise_mask(const struct pass *pass, size_t layer, size_t direction, size_t t, size_t rows,
			struct columns columns, real *mask)
{
	enum { STRETCH = 64 };
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const sluice_layer *options = packed->options;
	const bool drawn = pass->run->training && options->recurrent_dropout > 0;
	const struct chance chance = dropping(options->recurrent_dropout);
	const sluice_mask_shape shape = options->recurrent_dropout_shape;
	struct sluice__place place = {SLUICE__RECURRENT_DROPOUT, layer, direction, 0, 0};
	if (shape == SLUICE_MASK_STEP)
		place.step = pass->run->step_offset + t;
	for (size_t row = 0; row < rows; row++) {
		real *to = mask + row * packed->out_padded;
		if (shape != SLUICE_MASK_UNIT)
			place.sequence = sequence_of(pass, packed, row);
		if (drawn)
			draw(pass, &place, &chance, units_before(packed, row, packed->out) + columns.first,
			     columns.units, to + columns.first);
		if (!pass->run->mask)
			continue;
		for (size_t done = 0; done < columns.units; done += STRETCH) {
			real given[STRETCH];
			const size_t rest = columns.units - done, first = columns.first + done;
			const struct columns part = {first, rest < STRETCH ? rest : STRETCH, 0};
			given_mask(pass, layer, direction, t, row, part, given);
			for (size_t j = 0; j < part.units; j++)
				to[first + j] = drawn ? to[first + j] * given[j] : given[j];
		}
	}
}

void sluice__noise_zoneout(const struct pass *pass, size_t layer, size_t direction, size_t t, bool of_c,
			   struct columns columns, real *zone, size_t row_stride)
{
	const struct packed_layer *packed = &pass->plan->layers[layer];
	const float part = of_c ? packed->options->zoneout_c : packed->options->zoneout_h;
	const size_t width = of_c ? packed->hidden : packed->out;
	const struct chance chance = {threshold_of(part), 0, 1};
	struct sluice__place place = {of_c ? SLUICE__ZONEOUT_C : SLUICE__ZONEOUT_H, layer, direction,
				      pass->run->step_offset + t, 0};
	for (size_t row = 0; row < layer_rows_at(pass, packed, t); row++) {
		real *to = zone + row * row_stride;
		place.sequence = sequence_of(pass, packed, row);
		if (pass->run->training)
			draw(pass, &place, &chance, units_before(packed, row, width) + columns.first, columns.units,
			     to + columns.first);
		else
			for (size_t unit = columns.first; unit < columns.first + columns.units; unit++)
				to[unit] = (real)part;
	}
}

void sluice__noise_dropconnect(const struct pass *pass, size_t layer, size_t direction, size_t row, size_t block,
			       real factors[4])
{
	const struct chance chance = dropping(pass->plan->layers[layer].options->dropconnect);
	const struct sluice__place place = {SLUICE__DROPCONNECT, layer, direction, row, 0};
	draw(pass, &place, &chance, 4 * block, 4, factors);
}
