/* gemm.inc.h: the one matrix product: rows of a against one packed panel, a tile of rows times vectors in registers. */

/* Vector `index` of a panel of this storage type, which is a constant wherever this is inlined. */
static inline __attribute__((always_inline)) vf load_weight(sluice_dtype type, const void *panel, size_t index)
{
#ifndef SLUICE_REAL_F64
	if (type == SLUICE_BF16)
		return vf_load_bf16((const uint16_t *)panel + index * LANES);
	if (type == SLUICE_F16)
		return vf_load_f16((const uint16_t *)panel + index * LANES);
#else
	(void)type;
#endif
	return vf_load((const real *)panel + index * LANES);
}

/* acc[r][v] += a[r][k] panel[k][v], in order of k. rows, vectors and type are constants wherever this is inlined. */
static inline __attribute__((always_inline)) void accumulate(sluice_dtype type, size_t rows, size_t vectors,
							     size_t depth, const real *a, size_t a_row, size_t a_step,
							     const void *panel,
							     vf acc[TILE_ROWS][SLUICE__PANEL_VECTORS])
{
	for (size_t k = 0, at = 0; k < depth; k++, a += a_step, at += vectors) {
		vf each[TILE_ROWS];
		UNROLL
		for (size_t r = 0; r < rows; r++)
			each[r] = vf_set(a[r * a_row]);
		UNROLL
		for (size_t v = 0; v < vectors; v++) {
			vf w = load_weight(type, panel, at + v);
			UNROLL
			for (size_t r = 0; r < rows; r++)
				acc[r][v] = vf_fma(w, each[r], acc[r][v]);
		}
	}
}

static inline __attribute__((always_inline)) void gemm_tile(sluice_dtype type, size_t rows, size_t vectors,
							    const struct sluice__gemm *job, size_t a_step,
							    const real *a, real *c)
{
	vf acc[TILE_ROWS][SLUICE__PANEL_VECTORS];
	UNROLL
	for (size_t r = 0; r < rows; r++) {
		UNROLL
		for (size_t v = 0; v < vectors; v++) {
			if (job->add)
				acc[r][v] = vf_load(c + r * job->c_row + v * LANES);
			else
				acc[r][v] = job->bias ? vf_load(job->bias + v * LANES) : vf_set(0.0f);
		}
	}
	accumulate(type, rows, vectors, job->depth, a, job->a_row, a_step, job->panel, acc);
	UNROLL
	for (size_t r = 0; r < rows; r++) {
		UNROLL
		for (size_t v = 0; v < vectors; v++)
			vf_store(c + r * job->c_row + v * LANES, acc[r][v]);
	}
}

/* The tile of a row count known only now. */
static inline __attribute__((always_inline)) void gemm_rows(sluice_dtype type, size_t rows, size_t vectors,
							    const struct sluice__gemm *job, size_t a_step,
							    const real *a, real *c)
{
	switch (rows) {
#define GEMM_ROWS(count)                                            \
	case count:                                                 \
		gemm_tile(type, count, vectors, job, a_step, a, c); \
		break;
		TILE_ROW_COUNTS(GEMM_ROWS)
#undef GEMM_ROWS
	}
}

/* Tiles of nearly equal height over all rows. */
static inline __attribute__((always_inline)) void gemm_panel(sluice_dtype type, size_t vectors,
							     const struct sluice__gemm *job)
{
	for (size_t row = 0, rows; row < job->rows; row += rows) {
		rows = tile_height(job->rows - row);
		const real *a = job->a + row * job->a_row;
		real *c = job->c + row * job->c_row;
		/* Weights meet rows; columns meet only what was packed as reals. */
		if (type != SLUICE__REAL_DTYPE || job->a_step == 1)
			gemm_rows(type, rows, vectors, job, 1, a, c);
		else
			gemm_rows(type, rows, vectors, job, job->a_step, a, c);
	}
}

static inline __attribute__((always_inline)) void gemm_of(sluice_dtype type, const struct sluice__gemm *job)
{
	switch (job->vectors) {
	case 1:
		gemm_panel(type, 1, job);
		break;
	case 2:
		gemm_panel(type, 2, job);
		break;
	case 3:
		gemm_panel(type, 3, job);
		break;
	case 4:
		gemm_panel(type, 4, job);
		break;
	}
}

static void gemm_entry(const struct sluice__gemm *job)
{
	switch (job->type) {
#ifndef SLUICE_REAL_F64
	case SLUICE_F16:
		gemm_of(SLUICE_F16, job);
		break;
	case SLUICE_BF16:
		gemm_of(SLUICE_BF16, job);
		break;
#endif
	default:
		gemm_of(SLUICE__REAL_DTYPE, job);
		break;
	}
}

/* A copy of constant size is two or three moves; of variable size it is a call. */
static void tile_row_entry(size_t count, const real *from, real *to, size_t tile_stride)
{
	for (; count >= TILE_ROWS; count -= TILE_ROWS, from += TILE_ROWS, to += tile_stride)
		memcpy(to, from, TILE_ROWS * sizeof *to);
	for (size_t each = 0; each < count; each++)
		to[each] = from[each];
}

static void sum_rows_entry(size_t rows, size_t vectors, const real *a, size_t a_row, bool add, real *total)
{
	for (size_t v = 0; v < vectors; v++, a += LANES, total += LANES) {
		vf sum = add ? vf_load(total) : vf_set(0.0f);
		for (size_t r = 0; r < rows; r++)
			sum = vf_add(sum, vf_load(a + r * a_row));
		vf_store(total, sum);
	}
}
