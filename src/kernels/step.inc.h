/* step.inc.h: the fused step. The four gates of a block of units stay in registers from the first product to h. */

/* Gates, cell and output of one block in one row of the standard cell, from its four pre-activations. */
static inline __attribute__((always_inline)) void step_cell(const struct sluice__step *job, size_t row, size_t block,
							    const vf a[SLUICE__GATES])
{
	vf i = act_sigmoid(a[0]), f = act_sigmoid(a[1]), g = act_tanh(a[2]), o = act_sigmoid(a[3]);
	vf c = vf_fma(f, vf_load(job->c_prev + row * job->c_prev_row + block * LANES), vf_mul(i, g));
	vf_store(job->c + row * job->c_row + block * LANES, c);
	vf_store(job->h + row * job->h_row + block * LANES, vf_mul(o, act_tanh(c)));
	if (job->gates) {
		real *gates = job->gates + row * job->gates_row + block * (SLUICE__GATES * LANES);
		vf_store(gates, i);
		vf_store(gates + LANES, f);
		vf_store(gates + 2 * LANES, g);
		vf_store(gates + 3 * LANES, o);
	}
}

/* The same of some rows of a cell with options, whose pre-activations come by way of memory so that the products above
 * keep all registers. */
static inline __attribute__((always_inline)) void step_options(const struct sluice__step *job, size_t rows, size_t row,
							       size_t block, vf a[][SLUICE__PANEL_VECTORS])
{
	real memory[TILE_ROWS * SLUICE__GATES * LANES];
	UNROLL
	for (size_t r = 0; r < rows; r++) {
		UNROLL
		for (size_t v = 0; v < SLUICE__GATES; v++)
			vf_store(memory + (r * SLUICE__GATES + v) * LANES, a[r][v]);
	}
	cell_forward(job, row, rows, block, memory);
}

/* The products of one operand, whatever its storage type. */
static inline __attribute__((always_inline)) void step_operand(size_t rows, const struct sluice__operand *operand,
							       size_t row, size_t block,
							       vf acc[TILE_ROWS][SLUICE__PANEL_VECTORS])
{
	const real *a = operand->a + row * operand->a_row;
	const size_t panel = block * operand->depth * (SLUICE__GATES * LANES);
	switch (operand->type) {
#ifndef SLUICE_REAL_F64
	case SLUICE_F16:
		accumulate(SLUICE_F16, rows, SLUICE__GATES, operand->depth, a, operand->a_row, 1,
			   (const uint16_t *)operand->panels + panel, acc);
		break;
	case SLUICE_BF16:
		accumulate(SLUICE_BF16, rows, SLUICE__GATES, operand->depth, a, operand->a_row, 1,
			   (const uint16_t *)operand->panels + panel, acc);
		break;
#endif
	default:
		accumulate(SLUICE__REAL_DTYPE, rows, SLUICE__GATES, operand->depth, a, operand->a_row, 1,
			   (const real *)operand->panels + panel, acc);
		break;
	}
}

static inline __attribute__((always_inline)) void step_tile(size_t rows, const struct sluice__step *job, size_t row,
							    size_t block)
{
	vf acc[TILE_ROWS][SLUICE__PANEL_VECTORS];
	const real *start = job->start + row * job->start_row + block * (SLUICE__GATES * LANES);
	UNROLL
	for (size_t r = 0; r < rows; r++) {
		UNROLL
		for (size_t v = 0; v < SLUICE__GATES; v++)
			acc[r][v] = vf_load(start + r * job->start_row + v * LANES);
	}
	for (size_t each = 0; each < job->operands; each++)
		step_operand(rows, &job->operand[each], row, block, acc);
	if (job->cell) {
		step_options(job, rows, row, block, acc);
		return;
	}
	UNROLL
	for (size_t r = 0; r < rows; r++)
		step_cell(job, row + r, block, acc[r]);
}

/* One row, two blocks at once: eight chains hide the latency that four would show. */
static inline __attribute__((always_inline)) void pair_operand(sluice_dtype type, size_t depth, const real *a,
							       const void *first, const void *second,
							       vf acc[2 * SLUICE__GATES])
{
	for (size_t k = 0; k < depth; k++) {
		vf x = vf_set(a[k]);
		UNROLL
		for (size_t v = 0; v < SLUICE__GATES; v++) {
			acc[v] = vf_fma(load_weight(type, first, k * SLUICE__GATES + v), x, acc[v]);
			acc[SLUICE__GATES + v] =
				vf_fma(load_weight(type, second, k * SLUICE__GATES + v), x, acc[SLUICE__GATES + v]);
		}
	}
}

static inline __attribute__((always_inline)) void step_pair(const struct sluice__step *job, size_t row, size_t block)
{
	vf acc[2 * SLUICE__GATES];
	const real *start = job->start + row * job->start_row + block * (SLUICE__GATES * LANES);
	UNROLL
	for (size_t v = 0; v < 2 * SLUICE__GATES; v++)
		acc[v] = vf_load(start + v * LANES);
	for (size_t each = 0; each < job->operands; each++) {
		const struct sluice__operand *operand = &job->operand[each];
		const real *a = operand->a + row * operand->a_row;
		const size_t panel = operand->depth * (SLUICE__GATES * LANES);
		switch (operand->type) {
#ifndef SLUICE_REAL_F64
		case SLUICE_F16:
			pair_operand(SLUICE_F16, operand->depth, a, (const uint16_t *)operand->panels + block * panel,
				     (const uint16_t *)operand->panels + (block + 1) * panel, acc);
			break;
		case SLUICE_BF16:
			pair_operand(SLUICE_BF16, operand->depth, a, (const uint16_t *)operand->panels + block * panel,
				     (const uint16_t *)operand->panels + (block + 1) * panel, acc);
			break;
#endif
		default:
			pair_operand(SLUICE__REAL_DTYPE, operand->depth, a,
				     (const real *)operand->panels + block * panel,
				     (const real *)operand->panels + (block + 1) * panel, acc);
			break;
		}
	}
	if (job->cell) {
		vf(*each)[SLUICE__PANEL_VECTORS] = (vf(*)[SLUICE__PANEL_VECTORS])acc;
		step_options(job, 1, row, block, each);
		step_options(job, 1, row, block + 1, each + 1);
		return;
	}
	step_cell(job, row, block, acc);
	step_cell(job, row, block + 1, acc + SLUICE__GATES);
}

static void step_rows(const struct sluice__step *job, size_t row, size_t rows, size_t block)
{
	switch (rows) {
#define STEP_ROWS(count)                           \
	case count:                                \
		step_tile(count, job, row, block); \
		break;
		TILE_ROW_COUNTS(STEP_ROWS)
#undef STEP_ROWS
	}
}

static void step_entry(const struct sluice__step *job)
{
	const size_t count = job->last - job->first;
	for (size_t done = 0, width; done < count; done += width) {
		width = job->rows == 1 && count - done >= 2 ? 2 : 1;
		const size_t block = job->descending ? job->last - done - width : job->first + done;
		if (width == 2) {
			step_pair(job, 0, block);
			continue;
		}
		for (size_t row = 0, rows; row < job->rows; row += rows) {
			rows = tile_height(job->rows - row);
			step_rows(job, row, rows, block);
		}
	}
}
