/* isa.inc.h: all templates of a level and its table; included after the level's vocabulary. */
#include "kernels/kernels.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* The height of the next tile when `rows` remain: tiles of nearly equal height are faster than full ones and a rest. */
static inline size_t tile_height(size_t rows)
{
	size_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
	return (rows + tiles - 1) / tiles;
}

#include "kernels/act.h"
#include "kernels/gemm.inc.h"
#include "kernels/step.inc.h"
#include "kernels/cell.inc.h"
#include "kernels/optim.inc.h"

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)
#define FILL_OF(name) sluice__kernels_##name
#define FILL(name) FILL_OF(name)

void FILL(LEVEL_NAME)(struct sluice__kernels *kernels);

void FILL(LEVEL_NAME)(struct sluice__kernels *kernels)
{
	*kernels = (struct sluice__kernels){
		.level = TEXT(LEVEL_NAME),
		.lanes = LANES,
		.tile_rows = TILE_ROWS,
		.gemm = gemm_f32,
		.tile_row = tile_row_f32,
		.step = step_f32,
		.cell_backward = cell_backward_f32,
		.sum_rows = sum_rows_f32,
		.softmax = softmax_f32,
		.sum_squares = sum_squares_f32,
		.scale = scale_f32,
		.update = {update_sgd, update_rmsprop, update_adam},
		.gemm_name = TEXT(LEVEL_NAME) "/gemm_f32",
		.step_name = TEXT(LEVEL_NAME) "/step_f32",
		.cell_backward_name = TEXT(LEVEL_NAME) "/cell_backward_f32",
	};
}
