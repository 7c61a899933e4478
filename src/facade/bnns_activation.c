/* bnns_activation.c exists to say which activation of the core each of BNNS's is. */
#include "bnns_internal.h"

#include <math.h>

/* Which numbers of a BNNSActivation the kind's a and b are. */
enum parameters {
	NONE,      /* the kind has none */
	ALPHA,     /* a */
	BOTH,      /* a, b */
	MAGNITUDE, /* a is the absolute value of alpha */
	SWISH      /* fixed: x ReLU6(x + 3) / 6 */
};

static const struct {
	sluice_activation_kind kind;
	enum parameters parameters;
} KINDS[] = {
	[BNNSActivationFunctionIdentity] = {SLUICE_ACTIVATION_IDENTITY, NONE},
	[BNNSActivationFunctionRectifiedLinear] = {SLUICE_ACTIVATION_RELU, NONE},
	[BNNSActivationFunctionLeakyRectifiedLinear] = {SLUICE_ACTIVATION_LEAKY_RELU, ALPHA},
	[BNNSActivationFunctionSigmoid] = {SLUICE_ACTIVATION_SIGMOID, NONE},
	[BNNSActivationFunctionTanh] = {SLUICE_ACTIVATION_TANH, NONE},
	[BNNSActivationFunctionScaledTanh] = {SLUICE_ACTIVATION_SCALED_TANH, BOTH},
	[BNNSActivationFunctionAbs] = {SLUICE_ACTIVATION_ABS, NONE},
	[BNNSActivationFunctionLinear] = {SLUICE_ACTIVATION_LINEAR, ALPHA},
	[BNNSActivationFunctionClamp] = {SLUICE_ACTIVATION_CLAMP, BOTH},
	[BNNSActivationFunctionGELUApproximation] = {SLUICE_ACTIVATION_GELU_TANH, BOTH},
	[BNNSActivationFunctionHardSigmoid] = {SLUICE_ACTIVATION_HARD_SIGMOID, BOTH},
	[BNNSActivationFunctionSoftplus] = {SLUICE_ACTIVATION_SOFTPLUS, BOTH},
	[BNNSActivationFunctionSoftsign] = {SLUICE_ACTIVATION_SOFTSIGN, NONE},
	[BNNSActivationFunctionELU] = {SLUICE_ACTIVATION_ELU, ALPHA},
	[BNNSActivationFunctionClampedLeakyRectifiedLinear] = {SLUICE_ACTIVATION_CLIPPED_RELU, BOTH},
	[BNNSActivationFunctionLinearWithBias] = {SLUICE_ACTIVATION_LINEAR, BOTH},
	[BNNSActivationFunctionLogSigmoid] = {SLUICE_ACTIVATION_LOG_SIGMOID, NONE},
	[BNNSActivationFunctionSELU] = {SLUICE_ACTIVATION_SELU, NONE},
	[BNNSActivationFunctionCELU] = {SLUICE_ACTIVATION_CELU, ALPHA},
	[BNNSActivationFunctionHardShrink] = {SLUICE_ACTIVATION_HARD_SHRINK, MAGNITUDE},
	[BNNSActivationFunctionSoftShrink] = {SLUICE_ACTIVATION_SOFT_SHRINK, MAGNITUDE},
	[BNNSActivationFunctionTanhShrink] = {SLUICE_ACTIVATION_TANH_SHRINK, NONE},
	[BNNSActivationFunctionThreshold] = {SLUICE_ACTIVATION_THRESHOLD, BOTH},
	[BNNSActivationFunctionHardSwish] = {SLUICE_ACTIVATION_HARD_SWISH, SWISH},
	[BNNSActivationFunctionSiLU] = {SLUICE_ACTIVATION_SILU, NONE},
};

sluice_status sluice__bnns_activation(const BNNSActivation *activation, const char *group, sluice_activation *out)
{
	const BNNSActivationFunction function = activation->function;
	/* Kinds that the table does not name are SLUICE_ACTIVATION_DEFAULT in it. */
	if (function >= sizeof KINDS / sizeof KINDS[0] || KINDS[function].kind == SLUICE_ACTIVATION_DEFAULT)
		return sluice_fail(SLUICE_UNSUPPORTED,
				   "layer_params.%s is function %u, expected one of a single Float32 number, without "
				   "parameters for each channel",
				   group, (unsigned)function);
	const enum parameters parameters = KINDS[function].parameters;
	*out = (sluice_activation){.kind = KINDS[function].kind};
	if (parameters == ALPHA || parameters == BOTH)
		out->a = activation->alpha;
	if (parameters == BOTH)
		out->b = activation->beta;
	if (parameters == MAGNITUDE)
		out->a = fabsf(activation->alpha);
	if (parameters == SWISH) {
		out->a = 1.0f / 6;
		out->b = 0.5f;
	}
	if (!isfinite(out->a) || !isfinite(out->b))
		return BNNS_INVALID("layer_params.%s has alpha %g and beta %g, expected finite numbers", group,
				    (double)activation->alpha, (double)activation->beta);
	return SLUICE_OK;
}
