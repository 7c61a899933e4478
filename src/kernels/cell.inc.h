/* cell.inc.h: the elementwise part of one step backward through time. */

static inline __attribute__((always_inline)) void cell_backward_vector(const struct sluice__cell_backward *job,
								       size_t row, size_t block)
{
	const float *gates = job->gates + row * job->gates_row + block * (SLUICE__GATES * LANES);
	const size_t unit = block * LANES;
	vf i = vf_load(gates), f = vf_load(gates + LANES), g = vf_load(gates + 2 * LANES),
	   o = vf_load(gates + 3 * LANES);
	vf dh = vf_load(job->dh + row * job->dh_row + unit);
	if (job->dy)
		dh = vf_add(dh, vf_load(job->dy + row * job->dy_row + unit));
	vf squashed = act_tanh(vf_load(job->c + row * job->c_row + unit));
	vf dc = vf_fma(vf_mul(dh, o), act_tanh_slope(squashed), vf_load(job->dc + row * job->dc_row + unit));
	vf c_prev = vf_load(job->c_prev + row * job->c_prev_row + unit);
	float *da = job->da + row * job->da_row + unit;
	vf_store(da, vf_mul(vf_mul(dc, g), act_sigmoid_slope(i)));
	vf_store(da + job->da_gate, vf_mul(vf_mul(dc, c_prev), act_sigmoid_slope(f)));
	vf_store(da + 2 * job->da_gate, vf_mul(vf_mul(dc, i), act_tanh_slope(g)));
	vf_store(da + 3 * job->da_gate, vf_mul(vf_mul(dh, squashed), act_sigmoid_slope(o)));
	vf_store(job->dc + row * job->dc_row + unit, vf_mul(dc, f));
}

static void cell_backward_f32(const struct sluice__cell_backward *job)
{
	for (size_t row = 0; row < job->rows; row++)
		for (size_t block = job->first; block < job->last; block++)
			cell_backward_vector(job, row, block);
}
