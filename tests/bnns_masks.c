/*
 * bnns_masks.c: all activations are the identity. The layers up to one put out ones; the layer above has the forget
 * gate 2 and takes in what reaches it, so that its last c has a binary digit for each step.
 */
#include "bnns_masks.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct counter {
	BNNSLayerParametersLSTM layer;
	float *x, *c, *upper, *zeros, *bias[BNNS_GATES];
	size_t D, H, L, T, N, width;
};

static float *floats(size_t count)
{
	float *made = calloc(count ? count : 1, sizeof *made);

	assert_non_null(made);
	return made;
}

static void set(BNNSLayerParametersLSTM *layer, int slot, float *data)
{
	slot_descriptor(layer, slot)->data = data;
	slot_descriptor(layer, slot)->data_type = BNNSDataTypeFloat32;
}

static void fill(float *values, size_t count, float value)
{
	for (size_t index = 0; index < count; index++)
		values[index] = value;
}

/* Biases that make every cell put out one. */
static void counter_ones(struct counter *counter)
{
	static const float ones[BNNS_GATES] = {1, 0, 1, 1};
	const size_t count = counter->L * counter->D * counter->H;

	for (int gate = 0; gate < BNNS_GATES; gate++)
		fill(counter->bias[gate], count, ones[gate]);
}

/* Makes layer `above` count: the candidate of each unit is what the same unit below puts out. */
static void counter_reads(struct counter *counter, size_t above)
{
	float *upper = counter->upper;
	const size_t DH = counter->D * counter->H;

	counter_ones(counter);
	memset(upper, 0, (counter->L - 1) * DH * counter->width * sizeof *upper);
	for (size_t unit = 0; unit < DH; unit++) {
		const size_t column = counter->width == counter->H ? unit % counter->H : unit;

		upper[((above - 1) * DH + unit) * counter->width + column] = 1;
		counter->bias[BNNS_CANDIDATE][above * DH + unit] = 0;
		counter->bias[BNNS_FORGET][above * DH + unit] = 2;
	}
}

static void counter_create(const struct bnns_spec *spec, struct counter *out)
{
	const size_t D = spec->directions, H = spec->hidden, L = spec->layers;

	memset(out, 0, sizeof *out);
	out->D = D;
	out->H = H;
	out->L = L;
	out->T = spec->steps;
	out->N = spec->batch;
	out->width = spec->options.stacking ? D * H : H;
	out->layer = (BNNSLayerParametersLSTM){.input_size = H + 1,
					       .hidden_size = H,
					       .batch_size = spec->batch,
					       .num_layers = L,
					       .seq_len = spec->steps,
					       .dropout = spec->dropout,
					       .lstm_flags = D == 2 ? BNNSLayerFlagsLSTMBidirectional : 0};
	/* With inputs of another width the weights of upper layers are in iw_desc[1], whatever the switch. */
	set(&out->layer, SLOT_X, out->x = floats(out->T * out->N * (H + 1)));
	set(&out->layer, SLOT_CN, out->c = floats(L * D * out->N * H));
	out->zeros = floats(L * D * H * (D * H + H + 1));
	out->upper = floats(L * D * H * D * H);
	for (int gate = 0; gate < BNNS_GATES; gate++) {
		set(&out->layer, SLOT_IW + gate, out->zeros);
		set(&out->layer, SLOT_IW_UPPER + gate, gate == BNNS_CANDIDATE ? out->upper : out->zeros);
		set(&out->layer, SLOT_HW + gate, out->zeros);
		set(&out->layer, SLOT_B + gate, out->bias[gate] = floats(L * D * H));
	}
}

static void counter_destroy(struct counter *counter)
{
	free(counter->x);
	free(counter->c);
	free(counter->upper);
	free(counter->zeros);
	for (int gate = 0; gate < BNNS_GATES; gate++)
		free(counter->bias[gate]);
}

static void counter_run(struct counter *counter, const struct bnns_spec *spec, size_t calls, int with_cache)
{
	const size_t capacity = BNNSComputeLSTMTrainingCacheCapacity(&counter->layer);
	void *cache = malloc(capacity);

	assert_non_null(cache);
	assert_bnns(sluice_bnns_set_options(&spec->options));
	for (size_t call = 0; call <= calls; call++)
		assert_bnns(BNNSDirectApplyLSTMBatchTrainingCaching(&counter->layer, NULL, with_cache ? cache : NULL,
								    with_cache ? capacity : 0));
	free(cache);
}

/* The digits of the c of layer `above`: the last step that a direction processes is the lowest. */
static void read_digits(const struct counter *counter, size_t above, double factor, double *masks)
{
	for (size_t d = 0; d < counter->D; d++)
		for (size_t n = 0; n < counter->N; n++)
			for (size_t k = 0; k < counter->H; k++) {
				const size_t from = ((above * counter->D + d) * counter->N + n) * counter->H + k;
				const double digits = nearbyint((double)counter->c[from] / factor);

				assert_true(fabs((double)counter->c[from] / factor - digits) < 0.01);
				for (size_t t = 0; t < counter->T; t++) {
					const size_t digit = d ? t : counter->T - 1 - t;
					const size_t row =
						(((above - 1) * counter->D + d) * counter->T + t) * counter->N + n;

					masks[row * counter->H + k] = (double)((unsigned)digits >> digit & 1);
				}
			}
}

size_t masks_count(const struct bnns_spec *spec)
{
	return (spec->layers - 1) * spec->directions * spec->steps * spec->batch * spec->hidden;
}

static double kept_factor(const struct bnns_spec *spec)
{
	return spec->options.dropout_scaling ? 1 : (double)(float)(1 / (1 - (double)spec->dropout));
}

double *masks_recover(const struct bnns_spec *spec, size_t calls, int with_cache)
{
	double *masks = calloc(masks_count(spec) + 1, sizeof *masks);
	struct counter counter;

	assert_non_null(masks);
	assert_true(spec->steps <= MASK_STEPS);
	counter_create(spec, &counter);
	for (size_t above = 1; above < spec->layers; above++) {
		counter_reads(&counter, above);
		counter_run(&counter, spec, calls, with_cache);
		read_digits(&counter, above, kept_factor(spec), masks);
	}
	counter_destroy(&counter);
	return masks;
}

void masks_scale(const struct bnns_spec *spec, double *masks)
{
	for (size_t index = 0; index < masks_count(spec); index++)
		masks[index] *= kept_factor(spec);
}
