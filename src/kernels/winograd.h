/*
 * winograd.h: the matrices of Winograd's convolutions over tiles of 4 x 4 results, for kernels of 3 x 3 and 5 x 5.
 *
 * With d a tile of side x side numbers, g a kernel, and each of the three matrices applied to rows and to columns,
 * the results are A^T ((G g) (.) (B^T d)): Toom and Cook's interpolation at the points 0, 1, -1, 1/2, -2 and infinity
 * (side 6), 0, 1, -1, 2, -2, 1/2, -1/2 and infinity (side 8). S. Winograd: Arithmetic complexity of computations, 1980;
 * A. Lavin, S. Gray: Fast algorithms for convolutional neural networks, CVPR 2016.
 */
#ifndef SLUICE_KERNELS_WINOGRAD_H
#define SLUICE_KERNELS_WINOGRAD_H

#include "base/real.h"

/* B^T, A and G with `side` rows; behind a row's columns there is nothing. */
static const real sluice__winograd_image_6[6][8] = {
	{1, -3 / (real)2, -2, 3 / (real)2, 1, 0}, {0, -1, 1 / (real)2, 5 / (real)2, 1, 0},
	{0, 1, -5 / (real)2, 1 / (real)2, 1, 0},  {0, -2, -1, 2, 1, 0},
	{0, 1 / (real)2, -1, -1 / (real)2, 1, 0}, {0, 1, -3 / (real)2, -2, 3 / (real)2, 1},
};
static const real sluice__winograd_result_6[6][8] = {
	{1, 0, 0, 0},   {1, 1, 1, 1}, {1, -1, 1, -1}, {1, 1 / (real)2, 1 / (real)4, 1 / (real)8},
	{1, -2, 4, -8}, {0, 0, 0, 1},
};
static const real sluice__winograd_kernel_6[6][8] = {
	{1, 0, 0},
	{1 / (real)3, 1 / (real)3, 1 / (real)3},
	{-1 / (real)3, 1 / (real)3, -1 / (real)3},
	{-16 / (real)15, -8 / (real)15, -4 / (real)15},
	{1 / (real)15, -2 / (real)15, 4 / (real)15},
	{0, 0, 1},
};
static const real sluice__winograd_image_8[8][8] = {
	{-1, 0, 21 / (real)4, 0, -21 / (real)4, 0, 1, 0},
	{0, 1, 1, -17 / (real)4, -17 / (real)4, 1, 1, 0},
	{0, -1, 1, 17 / (real)4, -17 / (real)4, -1, 1, 0},
	{0, 1 / (real)2, 1 / (real)4, -5 / (real)2, -5 / (real)4, 2, 1, 0},
	{0, -1 / (real)2, 1 / (real)4, 5 / (real)2, -5 / (real)4, -2, 1, 0},
	{0, 2, 4, -5 / (real)2, -5, 1 / (real)2, 1, 0},
	{0, -2, 4, 5 / (real)2, -5, -1 / (real)2, 1, 0},
	{0, -1, 0, 21 / (real)4, 0, -21 / (real)4, 0, 1},
};
static const real sluice__winograd_result_8[8][8] = {
	{1, 0, 0, 0},
	{1, 1, 1, 1},
	{1, -1, 1, -1},
	{1, 2, 4, 8},
	{1, -2, 4, -8},
	{1, 1 / (real)2, 1 / (real)4, 1 / (real)8},
	{1, -1 / (real)2, 1 / (real)4, -1 / (real)8},
	{0, 0, 0, 1},
};
static const real sluice__winograd_kernel_8[8][8] = {
	{-1, 0, 0, 0, 0},
	{-2 / (real)9, -2 / (real)9, -2 / (real)9, -2 / (real)9, -2 / (real)9},
	{-2 / (real)9, 2 / (real)9, -2 / (real)9, 2 / (real)9, -2 / (real)9},
	{1 / (real)90, 1 / (real)45, 2 / (real)45, 4 / (real)45, 8 / (real)45},
	{1 / (real)90, -1 / (real)45, 2 / (real)45, -4 / (real)45, 8 / (real)45},
	{32 / (real)45, 16 / (real)45, 8 / (real)45, 4 / (real)45, 2 / (real)45},
	{32 / (real)45, -16 / (real)45, 8 / (real)45, -4 / (real)45, 2 / (real)45},
	{0, 0, 0, 0, 1},
};

#endif
