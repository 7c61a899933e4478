/* isa.inc.h: all templates of a level and its table; included after the level's vocabulary. */
#include "kernels/kernels.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Code of rare options stays out of the hot loops. */
#define NOINLINE __attribute__((noinline))

/* The height of the next tile when `rows` remain: tiles of nearly equal height are faster than full ones and a rest. */
static inline size_t tile_height(size_t rows)
{
	size_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
	return (rows + tiles - 1) / tiles;
}

#include "kernels/act.h"
#include "kernels/convert.inc.h"
#include "kernels/gemm.inc.h"
#include "kernels/cell.inc.h"
#include "kernels/step.inc.h"
#include "kernels/winograd.inc.h"
#include "kernels/random.inc.h"
#ifndef SLUICE_REAL_F64
#include "kernels/optim.inc.h"
#endif

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)
#define FILL_OF(name) SLUICE__REAL_NAME(sluice__kernels_##name)
#define FILL(name) FILL_OF(name)

void FILL(LEVEL_NAME)(struct sluice__kernels *kernels);

void FILL(LEVEL_NAME)(struct sluice__kernels *kernels)
{
	*kernels = (struct sluice__kernels){
		.level = TEXT(LEVEL_NAME),
		.lanes = LANES,
		.tile_rows = TILE_ROWS,
		.gemm = gemm_entry,
		.tile_row = tile_row_entry,
		.step = step_entry,
		.output = output_entry,
		.cell_backward = cell_backward_entry,
		.expand = expand_entry,
		.contract = contract_entry,
		.sum_rows = sum_rows_entry,
		.widen = widen_entry,
		.narrow = narrow_entry,
		.round_to = round_to_entry,
		.random = random_entry,
		.activate = activate_entry,
		.activate_slope = activate_slope_entry,
#ifndef SLUICE_REAL_F64
		.softmax = softmax_f32,
		.sum_squares = sum_squares_f32,
		.scale = scale_f32,
		.update = {update_sgd, update_rmsprop, update_adam},
#endif
	};
}
