/* cell.inc.h: the elementwise part of a step: forward for cells with options, backward for all. */

static inline vf limit(vf x, real clip)
{
	/* The order of the operands keeps what is not a number. */
	return vf_max(vf_set(-clip), vf_min(vf_set(clip), x));
}

/* The two usual kinds in line: their long chains overlap with those of the other gates. */
static inline vf value_of(const struct sluice__activation *activation, vf x, size_t unit)
{
	if (activation->kind == SLUICE_ACTIVATION_SIGMOID)
		return act_sigmoid(x);
	if (activation->kind == SLUICE_ACTIVATION_TANH)
		return act_tanh(x);
	return activate(activation, x, unit);
}

static inline vf slope_of(const struct sluice__activation *activation, vf x, vf y, size_t unit)
{
	if (activation->kind == SLUICE_ACTIVATION_SIGMOID)
		return act_sigmoid_slope(y);
	if (activation->kind == SLUICE_ACTIVATION_TANH)
		return act_tanh_slope(y);
	return activate_slope(activation, x, y, unit);
}

static inline vf gate_value(const struct sluice__cell *cell, size_t gate, vf a, size_t unit)
{
	if (cell->absent >> gate & 1)
		return vf_set(1);
	return value_of(&cell->gate[gate], limit(a, cell->gate_clip), unit);
}

/* The diagonal peepholes of a row. */
static inline const real *peephole_of(const struct sluice__cell *cell, size_t place)
{
	if (!cell->peephole || cell->places <= 1)
		return cell->peephole;
	return cell->peephole + place % cell->places * cell->peephole_place;
}

/* Gates i f g and the new cell of one block in one row; memory holds its four pre-activations, and afterwards a_o as
 * far as it can be known. */
static inline vf cell_inner(const struct sluice__step *job, size_t row, size_t block, real *memory)
{
	const struct sluice__cell *cell = job->cell;
	const size_t unit = block * LANES, at = block * (SLUICE__GATES * LANES);
	const vf c_prev = vf_load(job->c_prev + row * job->c_prev_row + unit);
	const real *peephole = peephole_of(cell, job->place + row);
	vf a[SLUICE__GATES], y[3];
	for (size_t gate = 0; gate < SLUICE__GATES; gate++) {
		a[gate] = vf_load(memory + gate * LANES);
		if (peephole && (gate < 3 || cell->previous))
			a[gate] = vf_fma(vf_load(peephole + at + gate * LANES), c_prev, a[gate]);
	}
	y[0] = gate_value(cell, 0, a[0], unit);
	y[1] = cell->coupled ? vf_sub(vf_set(1), y[0]) : gate_value(cell, 1, a[1], unit);
	y[2] = gate_value(cell, 2, a[2], unit);
	const vf c = limit(vf_fma(y[1], c_prev, vf_mul(y[0], y[2])), cell->cell_clip);
	for (size_t gate = 0; gate < 3; gate++) {
		if (job->gates)
			vf_store(job->gates + row * job->gates_row + at + gate * LANES, y[gate]);
		if (job->arguments)
			vf_store(job->arguments + row * job->gates_row + at + gate * LANES, a[gate]);
	}
	if (peephole && !cell->previous)
		a[3] = vf_fma(vf_load(peephole + at + 3 * LANES), c, a[3]);
	vf_store(memory + 3 * LANES, a[3]);
	return c;
}

/* The output gate and h. */
static inline void cell_outer(const struct sluice__step *job, size_t row, size_t block, vf c, const real *memory)
{
	const struct sluice__cell *cell = job->cell;
	const size_t unit = block * LANES, at = row * job->gates_row + block * (SLUICE__GATES * LANES) + 3 * LANES;
	const vf a = vf_load(memory + 3 * LANES);
	vf h = a;
	if (!cell->split) {
		const vf o = gate_value(cell, 3, a, unit);
		h = vf_mul(o, value_of(&cell->squash, c, unit));
		if (job->gates)
			vf_store(job->gates + at, o);
		if (job->arguments)
			vf_store(job->arguments + at, a);
	}
	vf_store(job->c + row * job->c_row + unit, c);
	vf_store(job->h + row * job->h_row + unit, h);
}

/* One block of some rows from their pre-activations: EQUATIONS.md, "Cell, forward", up to q. All rows take the first
 * half before one takes the second: where the output gate waits for c, the rows wait side by side. */
static NOINLINE void cell_forward(const struct sluice__step *job, size_t row, size_t rows, size_t block, real *memory)
{
	vf c[TILE_ROWS];
	for (size_t r = 0; r < rows; r++)
		c[r] = cell_inner(job, row + r, block, memory + r * (SLUICE__GATES * LANES));
	for (size_t r = 0; r < rows; r++)
		cell_outer(job, row + r, block, c[r], memory + r * (SLUICE__GATES * LANES));
}

static void output_entry(const struct sluice__output *job)
{
	for (size_t row = 0; row < job->rows; row++)
		for (size_t block = job->first; block < job->last; block++) {
			const size_t unit = block * LANES;
			const size_t at = row * job->gates_row + block * (SLUICE__GATES * LANES) + 3 * LANES;
			const vf a = vf_load(job->a + row * job->a_row + unit);
			const vf o = gate_value(job->cell, 3, a, unit);
			const vf c = vf_load(job->c + row * job->c_row + unit);
			vf_store(job->q + row * job->q_row + unit, vf_mul(o, value_of(&job->cell->squash, c, unit)));
			if (job->gates)
				vf_store(job->gates + at, o);
			if (job->arguments)
				vf_store(job->arguments + at, a);
		}
}

/* The standard cell. */
static inline __attribute__((always_inline)) void cell_backward_vector(const struct sluice__cell_backward *job,
								       size_t row, size_t block)
{
	const real *gates = job->gates + row * job->gates_row + block * (SLUICE__GATES * LANES);
	const size_t unit = block * LANES;
	vf i = vf_load(gates), f = vf_load(gates + LANES), g = vf_load(gates + 2 * LANES),
	   o = vf_load(gates + 3 * LANES);
	vf dh = vf_load(job->dh + row * job->dh_row + unit);
	if (job->dy)
		dh = vf_add(dh, vf_load(job->dy + row * job->dy_row + unit));
	vf squashed = act_tanh(vf_load(job->c + row * job->c_row + unit));
	vf dc = vf_fma(vf_mul(dh, o), act_tanh_slope(squashed), vf_load(job->dc + row * job->dc_row + unit));
	vf c_prev = vf_load(job->c_prev + row * job->c_prev_row + unit);
	real *da = job->da + row * job->da_row + unit;
	vf_store(da, vf_mul(vf_mul(dc, g), act_sigmoid_slope(i)));
	vf_store(da + job->da_gate, vf_mul(vf_mul(dc, c_prev), act_sigmoid_slope(f)));
	vf_store(da + 2 * job->da_gate, vf_mul(vf_mul(dc, i), act_tanh_slope(g)));
	vf_store(da + 3 * job->da_gate, vf_mul(vf_mul(dh, squashed), act_sigmoid_slope(o)));
	vf_store(job->dc + row * job->dc_row + unit, vf_mul(dc, f));
}

/* One vector of units in one row of a cell with options. */
struct cell_place {
	const struct sluice__cell_backward *job;
	const struct sluice__cell *cell;
	size_t row, unit, at; /* at: of its gates */
	const real *peephole; /* of its row */
	real *dpeephole;
};

static inline vf gate_at(const struct cell_place *place, const real *from, size_t gate)
{
	return vf_load(from + place->row * place->job->gates_row + place->at + gate * LANES);
}

/* Zero where |a| is at the clip or beyond, else x: also where a is not a number. */
static inline vf inside(vf x, vf a, real clip)
{
	return vf_select(vf_less_equal(vf_set(clip), vf_abs(a)), vf_set(0), x);
}

static inline void sum_up(real *to, vf x)
{
	vf_store(to, vf_add(vf_load(to), x));
}

/* The gradient of a pre-activation from that of its gate; adds to the sums that belong to the gate. peer: the cell that
 * the gate's diagonal peephole sees. */
static vf gate_backward(const struct cell_place *place, size_t gate, vf dy, vf peer)
{
	const struct sluice__cell_backward *job = place->job;
	const struct sluice__activation *activation = &place->cell->gate[gate];
	if (place->cell->absent >> gate & 1 || (place->cell->coupled && gate == 1))
		return vf_set(0);
	const vf y = gate_at(place, job->gates, gate);
	vf argument = y, da;
	if (job->arguments) {
		argument = gate_at(place, job->arguments, gate);
		const vf limited = limit(argument, place->cell->gate_clip);
		da = inside(vf_mul(dy, slope_of(activation, limited, y, place->unit)), argument,
			    place->cell->gate_clip);
		if (activation->kind == SLUICE_ACTIVATION_PRELU && job->dslopes)
			sum_up(job->dslopes + gate * job->da_gate + place->unit,
			       vf_mul(dy, vf_min(limited, vf_set(0))));
	} else {
		da = vf_mul(dy, slope_of(activation, argument, y, place->unit));
	}
	if (place->dpeephole)
		sum_up(place->dpeephole + gate * job->da_gate + place->unit, vf_mul(da, peer));
	return da;
}

/* EQUATIONS.md, "Backward", from dq on. */
static NOINLINE void cell_options_backward(const struct cell_place *place)
{
	const struct sluice__cell_backward *job = place->job;
	const struct sluice__cell *cell = place->cell;
	const size_t unit = place->unit;
	vf dq = vf_load(job->dh + place->row * job->dh_row + unit);
	if (job->dy)
		dq = vf_add(dq, vf_load(job->dy + place->row * job->dy_row + unit));
	const vf c = vf_load(job->c + place->row * job->c_row + unit);
	const vf c_prev = vf_load(job->c_prev + place->row * job->c_prev_row + unit);
	const vf i = gate_at(place, job->gates, 0), f = gate_at(place, job->gates, 1);
	const vf g = gate_at(place, job->gates, 2), o = gate_at(place, job->gates, 3);
	const vf squashed = value_of(&cell->squash, c, unit);
	real *da = job->da + place->row * job->da_row + unit, *to_dc = job->dc + place->row * job->dc_row + unit;
	vf dc = vf_load(to_dc);
	if (job->parts & SLUICE__CELL_OUTPUT) {
		const vf da_o = gate_backward(place, 3, vf_mul(dq, squashed), cell->previous ? c_prev : c);
		vf_store(da + 3 * job->da_gate, da_o);
		if (place->peephole && !cell->previous)
			dc = vf_fma(vf_load(place->peephole + place->at + 3 * LANES), da_o, dc);
	}
	if (!(job->parts & SLUICE__CELL_REST))
		return;
	const vf ds = vf_mul(dq, o);
	if (cell->squash.kind == SLUICE_ACTIVATION_PRELU && job->dslopes)
		sum_up(job->dslopes + 4 * job->da_gate + unit, vf_mul(ds, vf_min(c, vf_set(0))));
	dc = vf_fma(ds, slope_of(&cell->squash, c, squashed, unit), dc);
	dc = inside(dc, c, cell->cell_clip);
	vf di = vf_mul(dc, g);
	const vf df = vf_mul(dc, c_prev);
	if (cell->coupled)
		di = vf_sub(di, df);
	const vf da_ifg[] = {gate_backward(place, 0, di, c_prev), gate_backward(place, 1, df, c_prev),
			     gate_backward(place, 2, vf_mul(dc, i), c_prev)};
	dc = vf_mul(dc, f);
	for (size_t gate = 0; gate < 3; gate++) {
		vf_store(da + gate * job->da_gate, da_ifg[gate]);
		if (place->peephole)
			dc = vf_fma(vf_load(place->peephole + place->at + gate * LANES), da_ifg[gate], dc);
	}
	if (place->peephole && cell->previous)
		dc = vf_fma(vf_load(place->peephole + place->at + 3 * LANES), vf_load(da + 3 * job->da_gate), dc);
	vf_store(to_dc, dc);
}

/* One row of a cell with options. */
static void cell_options_row(const struct sluice__cell_backward *job, size_t row)
{
	struct cell_place place = {.job = job, .cell = job->cell, .row = row};
	place.peephole = peephole_of(job->cell, row);
	place.dpeephole = job->dpeephole;
	if (job->dpeephole && job->cell->places > 1)
		place.dpeephole += row % job->cell->places * SLUICE__GATES * job->da_gate;
	for (size_t block = job->first; block < job->last; block++) {
		place.unit = block * LANES;
		place.at = block * (SLUICE__GATES * LANES);
		cell_options_backward(&place);
	}
}

static void cell_backward_entry(const struct sluice__cell_backward *job)
{
	for (size_t row = 0; row < job->rows; row++) {
		if (job->cell) {
			cell_options_row(job, row);
			continue;
		}
		for (size_t block = job->first; block < job->last; block++)
			cell_backward_vector(job, row, block);
	}
}
