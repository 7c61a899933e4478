/* bnns_layout.c exists to refuse to be compiled where the structures of bnns.h are not what Apple's are. */
#include "bnns_internal.h"

/* On LP64 systems, which are those that Apple's library is made for. */
#if UINTPTR_MAX == UINT64_MAX && SIZE_MAX == UINT64_MAX
#define AT(type, field, byte) _Static_assert(offsetof(type, field) == (byte), #type "." #field)

_Static_assert(sizeof(BNNSActivation) == 48, "BNNSActivation");
AT(BNNSActivation, alpha, 4);
AT(BNNSActivation, beta, 8);
AT(BNNSActivation, iscale, 12);
AT(BNNSActivation, ioffset, 16);
AT(BNNSActivation, ishift, 20);
AT(BNNSActivation, iscale_per_channel, 24);
AT(BNNSActivation, ioffset_per_channel, 32);
AT(BNNSActivation, ishift_per_channel, 40);

_Static_assert(sizeof(BNNSNDArrayDescriptor) == 176, "BNNSNDArrayDescriptor");
AT(BNNSNDArrayDescriptor, layout, 4);
AT(BNNSNDArrayDescriptor, size, 8);
AT(BNNSNDArrayDescriptor, stride, 72);
AT(BNNSNDArrayDescriptor, data, 136);
AT(BNNSNDArrayDescriptor, data_type, 144);
AT(BNNSNDArrayDescriptor, table_data, 152);
AT(BNNSNDArrayDescriptor, table_data_type, 160);
AT(BNNSNDArrayDescriptor, data_scale, 164);
AT(BNNSNDArrayDescriptor, data_bias, 168);

_Static_assert(sizeof(BNNSLSTMGateDescriptor) == 928, "BNNSLSTMGateDescriptor");
AT(BNNSLSTMGateDescriptor, hw_desc, 352);
AT(BNNSLSTMGateDescriptor, cw_desc, 528);
AT(BNNSLSTMGateDescriptor, b_desc, 704);
AT(BNNSLSTMGateDescriptor, activation, 880);

_Static_assert(sizeof(BNNSLSTMDataDescriptor) == 528, "BNNSLSTMDataDescriptor");
AT(BNNSLSTMDataDescriptor, hidden_desc, 176);
AT(BNNSLSTMDataDescriptor, cell_state_desc, 352);

_Static_assert(sizeof(BNNSLayerParametersLSTM) == 5040, "BNNSLayerParametersLSTM");
AT(BNNSLayerParametersLSTM, hidden_size, 8);
AT(BNNSLayerParametersLSTM, batch_size, 16);
AT(BNNSLayerParametersLSTM, num_layers, 24);
AT(BNNSLayerParametersLSTM, seq_len, 32);
AT(BNNSLayerParametersLSTM, dropout, 40);
AT(BNNSLayerParametersLSTM, lstm_flags, 44);
AT(BNNSLayerParametersLSTM, sequence_descriptor, 48);
AT(BNNSLayerParametersLSTM, input_descriptor, 224);
AT(BNNSLayerParametersLSTM, output_descriptor, 752);
AT(BNNSLayerParametersLSTM, input_gate, 1280);
AT(BNNSLayerParametersLSTM, forget_gate, 2208);
AT(BNNSLayerParametersLSTM, candidate_gate, 3136);
AT(BNNSLayerParametersLSTM, output_gate, 4064);
AT(BNNSLayerParametersLSTM, hidden_activation, 4992);

_Static_assert(sizeof(BNNSFilterParameters) == 32, "BNNSFilterParameters");
AT(BNNSFilterParameters, n_threads, 8);
AT(BNNSFilterParameters, alloc_memory, 16);
AT(BNNSFilterParameters, free_memory, 24);
#endif

/* What is compared as memory has no bytes that nobody sets. */
_Static_assert(sizeof(struct tensor) == sizeof(char *) + 2 * sizeof(int) + (2 * BNNS_RANK + 1) * sizeof(size_t),
	       "tensor");
_Static_assert(sizeof(struct network) ==
		       6 * sizeof(size_t) + (BNNS_GATES + 1) * sizeof(sluice_activation) + 10 * sizeof(int),
	       "network");
