/* winograd.inc.h: tiles of images, of results and of kernels, into the points of Winograd's convolutions and back. */
#include "kernels/winograd.h"

enum { AHEAD = 2, WINOGRAD_SIDE = SLUICE__WINOGRAD_MOST_SIDE, WINOGRAD_PLACES = WINOGRAD_SIDE * WINOGRAD_SIDE };

/* Places of the tile that lie in the image, as offsets; others are -1. */
static void tile_places(const struct sluice__expand *job, size_t count, ptrdiff_t at[WINOGRAD_PLACES])
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++) {
			const ptrdiff_t y = job->y + (ptrdiff_t)i, x = job->x + (ptrdiff_t)j;
			const bool inside = y >= 0 && y < (ptrdiff_t)job->height && x >= 0 && x < (ptrdiff_t)job->width;
			at[i * count + j] = inside ? (y * (ptrdiff_t)job->width + x) * (ptrdiff_t)job->row : -1;
		}
}

/* sum plus a row of the matrix, or a column of it, times v; what is zero in the matrix costs nothing. */
static inline __attribute__((always_inline)) vf weighted(vf sum, const real matrix[][8], size_t line, bool column,
							 const vf *v, size_t count)
{
	UNROLL
	for (size_t each = 0; each < count; each++) {
		const real factor = column ? matrix[each][line] : matrix[line][each];
		if (factor == 1)
			sum = vf_add(sum, v[each]);
		else if (factor != 0)
			sum = vf_fma(vf_set(factor), v[each], sum);
	}
	return sum;
}

/* The vector that comes after the next is on its way: there are more places than the processor follows by itself. */
static inline __attribute__((always_inline)) vf image_vector(const real *from)
{
	__builtin_prefetch(from + AHEAD * LANES);
	return vf_load(from);
}

/* side x side points from count x count numbers, of one vector of channels. */
static inline __attribute__((always_inline)) void expand_vector(size_t side, size_t count, const real matrix[][8],
								const ptrdiff_t *at, const real *from, real *to,
								size_t to_point)
{
	_Alignas(64) real half[WINOGRAD_PLACES * LANES];
	for (size_t j = 0; j < count; j++) {
		vf v[WINOGRAD_SIDE];
		UNROLL
		for (size_t i = 0; i < count; i++)
			v[i] = at[i * count + j] < 0 ? vf_set(0) : image_vector(from + at[i * count + j]);
		UNROLL
		for (size_t point = 0; point < side; point++) {
			vf_store(half + (point * count + j) * LANES,
				 weighted(vf_set(0), matrix, point, false, v, count));
		}
	}
	for (size_t i = 0; i < side; i++) {
		vf v[WINOGRAD_SIDE];
		UNROLL
		for (size_t j = 0; j < count; j++)
			v[j] = vf_load(half + (i * count + j) * LANES);
		UNROLL
		for (size_t point = 0; point < side; point++) {
			vf_store(to + (i * side + point) * to_point,
				 weighted(vf_set(0), matrix, point, false, v, count));
		}
	}
}

static inline __attribute__((always_inline)) void expand_tile(size_t side, size_t count, const real matrix[][8],
							      const struct sluice__expand *job)
{
	ptrdiff_t at[WINOGRAD_PLACES];
	tile_places(job, count, at);
	for (size_t vector = 0; vector < job->vectors; vector++)
		expand_vector(side, count, matrix, at, job->from + vector * LANES, job->to + vector * LANES,
			      job->to_point);
}

/* count x count numbers from side x side points, by the transpose of the matrix, of one vector of channels. */
static inline __attribute__((always_inline)) void contract_vector(size_t side, size_t count, const real matrix[][8],
								  const struct sluice__contract *job, const real *from,
								  const real *start, real *to)
{
	_Alignas(64) real half[WINOGRAD_PLACES * LANES];
	for (size_t j = 0; j < side; j++) {
		vf v[WINOGRAD_SIDE];
		UNROLL
		for (size_t i = 0; i < side; i++)
			v[i] = vf_load(from + (i * side + j) * job->from_point);
		UNROLL
		for (size_t y = 0; y < count; y++) {
			vf_store(half + (y * side + j) * LANES, weighted(vf_set(0), matrix, y, true, v, side));
		}
	}
	for (size_t y = 0; y < job->rows; y++) {
		vf v[WINOGRAD_SIDE];
		UNROLL
		for (size_t j = 0; j < side; j++)
			v[j] = vf_load(half + (y * side + j) * LANES);
		UNROLL
		for (size_t x = 0; x < count; x++) {
			const size_t place = (y * job->width + x) * job->row;
			if (x >= job->columns)
				break;
			const vf first = start ? vf_load(start + (job->start_stays ? 0 : place)) : vf_set(0);
			vf_store(to + place, weighted(first, matrix, x, true, v, side));
		}
	}
}

static inline __attribute__((always_inline)) void contract_tile(size_t side, size_t count, const real matrix[][8],
								const struct sluice__contract *job)
{
	for (size_t vector = 0; vector < job->vectors; vector++)
		contract_vector(side, count, matrix, job, job->from + vector * LANES,
				job->start ? job->start + vector * LANES : NULL, job->to + vector * LANES);
}

/* One function for each matrix, so that all of it is known when it is compiled. */
#define WINOGRAD_MATRICES(X) \
	X(image_6, 6, 6) X(result_6, 6, 4) X(kernel_6, 6, 3) X(image_8, 8, 8) X(result_8, 8, 4) X(kernel_8, 8, 5)
#define WINOGRAD_EXPAND(name, side, count)                                   \
	static NOINLINE void expand_##name(const struct sluice__expand *job) \
	{                                                                    \
		expand_tile(side, count, sluice__winograd_##name, job);      \
	}
#define WINOGRAD_CONTRACT(name, side, count)                                     \
	static NOINLINE void contract_##name(const struct sluice__contract *job) \
	{                                                                        \
		contract_tile(side, count, sluice__winograd_##name, job);        \
	}
WINOGRAD_MATRICES(WINOGRAD_EXPAND)
WINOGRAD_MATRICES(WINOGRAD_CONTRACT)
#undef WINOGRAD_EXPAND
#undef WINOGRAD_CONTRACT
#undef WINOGRAD_MATRICES

static void expand_entry(const struct sluice__expand *job)
{
	static void (*const of[2][3])(const struct sluice__expand *job) = {
		{expand_image_6, expand_result_6, expand_kernel_6},
		{expand_image_8, expand_result_8, expand_kernel_8},
	};
	of[job->side == 8][job->kind](job);
}

static void contract_entry(const struct sluice__contract *job)
{
	static void (*const of[2][3])(const struct sluice__contract *job) = {
		{contract_image_6, contract_result_6, contract_kernel_6},
		{contract_image_8, contract_result_8, contract_kernel_8},
	};
	of[job->side == 8][job->kind](job);
}
