/* bnns_spec.c: draws what a case of BNNS shall be, such that every feature meets every other one sooner or later. */
#include "bnns_case.h"

#include <string.h>

/* An activation that BNNS has and the core computes, with a range of its parameters in which it is what it is for. */
struct kind {
	BNNSActivationFunction function;
	double alpha[2], beta[2];
};

static const struct kind kinds[] = {
	{BNNSActivationFunctionIdentity, {0, 0}, {0, 0}},
	{BNNSActivationFunctionRectifiedLinear, {0, 0}, {0, 0}},
	{BNNSActivationFunctionLeakyRectifiedLinear, {0.1, 0.5}, {0, 0}},
	{BNNSActivationFunctionSigmoid, {0, 0}, {0, 0}},
	{BNNSActivationFunctionTanh, {0, 0}, {0, 0}},
	{BNNSActivationFunctionScaledTanh, {0.5, 1.7}, {0.4, 1.2}},
	{BNNSActivationFunctionAbs, {0, 0}, {0, 0}},
	{BNNSActivationFunctionLinear, {0.5, 1.2}, {0, 0}},
	{BNNSActivationFunctionClamp, {-1, -0.2}, {0.2, 1}},
	{BNNSActivationFunctionGELUApproximation, {0.7, 0.9}, {0.03, 0.06}},
	{BNNSActivationFunctionHardSigmoid, {0.1, 0.6}, {0.3, 0.7}},
	{BNNSActivationFunctionSoftplus, {0.5, 1}, {0.5, 1.5}},
	{BNNSActivationFunctionSoftsign, {0, 0}, {0, 0}},
	{BNNSActivationFunctionELU, {0.5, 1.2}, {0, 0}},
	{BNNSActivationFunctionClampedLeakyRectifiedLinear, {0.1, 0.5}, {0.3, 1}},
	{BNNSActivationFunctionLinearWithBias, {0.5, 1.2}, {-0.4, 0.4}},
	{BNNSActivationFunctionLogSigmoid, {0, 0}, {0, 0}},
	{BNNSActivationFunctionSELU, {0, 0}, {0, 0}},
	{BNNSActivationFunctionCELU, {0.5, 1.5}, {0, 0}},
	{BNNSActivationFunctionHardShrink, {-0.4, -0.1}, {0, 0}},
	{BNNSActivationFunctionSoftShrink, {-0.4, 0.4}, {0, 0}},
	{BNNSActivationFunctionTanhShrink, {0, 0}, {0, 0}},
	{BNNSActivationFunctionThreshold, {-0.3, 0.3}, {-0.5, 0.5}},
	{BNNSActivationFunctionGELUApproximation2, {0.15, 0.4}, {0.4, 0.6}},
	{BNNSActivationFunctionSiLU, {0, 0}, {0, 0}},
};

static BNNSActivation draw_activation(struct bnns_random *random)
{
	const struct kind *kind = &kinds[random_below(random, sizeof kinds / sizeof *kinds)];
	BNNSActivation activation = {.function = kind->function};

	activation.alpha = (float)random_between(random, kind->alpha[0], kind->alpha[1]);
	activation.beta = (float)random_between(random, kind->beta[0], kind->beta[1]);
	return activation;
}

static void draw_activations(struct bnns_random *random, struct bnns_spec *spec)
{
	static const BNNSActivationFunction standard[BNNS_GATES + 1] = {
		BNNSActivationFunctionSigmoid, BNNSActivationFunctionSigmoid, BNNSActivationFunctionTanh,
		BNNSActivationFunctionSigmoid, BNNSActivationFunctionTanh};

	spec->default_activations = random_chance(random, 0.4);
	for (size_t k = 0; k <= BNNS_GATES; k++) {
		memset(&spec->activations[k], 0, sizeof spec->activations[k]);
		if (random_chance(random, 0.5))
			spec->activations[k] = draw_activation(random);
		else
			spec->activations[k].function = standard[k];
	}
}

static void draw_arrays(struct bnns_random *random, struct bnns_spec *spec)
{
	/* Each struct as a whole is plain or mixed, so that the short way and the long ones are all taken. */
	for (size_t side = 0; side < 2; side++) {
		const int plain = random_chance(random, 0.3);

		for (size_t slot = 0; slot < SLOTS; slot++)
			spec->form[side][slot] = plain ? FORM_SILENT : (int)random_below(random, FORMS);
		spec->nse[side][0] = random_chance(random, 0.4);
		spec->nse[side][1] = random_chance(random, 0.4);
	}
	for (size_t slot = 0; slot < SLOTS; slot++) {
		spec->present[slot] = random_chance(random, 0.75);
		spec->wanted[slot] = random_chance(random, 0.75);
		spec->accumulate[slot] = random_chance(random, 0.4);
	}
	if (random_chance(random, 0.4))
		memset(spec->present + SLOT_CW, 0, BNNS_GATES * sizeof(int));
	if (random_chance(random, 0.2))
		memset(spec->present + SLOT_B, 0, BNNS_GATES * sizeof(int));
}

void spec_draw(uint64_t seed, struct bnns_spec *out)
{
	static const BNNSDataType types[] = {BNNSDataTypeFloat32, BNNSDataTypeFloat32, BNNSDataTypeFloat32,
					     BNNSDataTypeFloat16, BNNSDataTypeBFloat16};
	struct bnns_random random = {seed * 0x10001 + 7};

	memset(out, 0, sizeof *out);
	out->seed = seed;
	out->options.size = sizeof out->options;
	out->steps = 1 + random_below(&random, 5);
	out->batch = 1 + random_below(&random, 4);
	out->inputs = 1 + random_below(&random, 6);
	out->hidden = random_chance(&random, 0.1) ? 17 : 1 + random_below(&random, 6);
	if (random_chance(&random, 0.3))
		out->inputs = out->hidden;
	out->layers = 1 + random_below(&random, 3);
	out->directions = 1 + random_below(&random, 2);
	out->varying = random_chance(&random, 0.4);
	out->data = types[random_below(&random, 5)];
	out->states = types[random_below(&random, 5)];
	out->weights = types[random_below(&random, 5)];
	out->sequence_type = BNNSDataTypeUInt32;
	out->threads = random_chance(&random, 0.8) ? 1 : random_below(&random, 4);
	out->options.input_weights = random_chance(&random, 0.3);
	out->options.stacking = random_chance(&random, 0.4);
	out->options.padding_rows = random_chance(&random, 0.3);
	draw_activations(&random, out);
	draw_arrays(&random, out);
}
