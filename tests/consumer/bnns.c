/*
 * bnns.c: a program that uses bnns.h under its own name, compiled as C and as C++: the switches, and a refusal that
 * leaves a sentence.
 */
#include <sluice/bnns.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
	sluice_bnns_options options = SLUICE_BNNS_OPTIONS_INIT;
	BNNSLayerParametersLSTM parameters;
	int wrong = 0;
	options.stacking = SLUICE_BNNS_STACKING_CONCATENATED;
	memset(&parameters, 0, sizeof(parameters));
	wrong += sluice_bnns_set_options(&options) != 0;
	wrong += BNNSComputeLSTMTrainingCacheCapacity(&parameters) != 0;
	wrong += BNNSDirectApplyLSTMBatchTrainingCaching(&parameters, NULL, NULL, 0) != -1;
	wrong += strlen(sluice_bnns_last_message()) == 0;
	wrong += sluice_bnns_set_options(NULL) != 0;
	sluice_bnns_clear_cache();
	printf("bnns: %s: %s\n", wrong ? "wrong" : "right", sluice_bnns_last_message());
	return wrong;
}
