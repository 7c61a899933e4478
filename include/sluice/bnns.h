/*
 * bnns.h: the LSTM layer of Apple's Accelerate framework (BNNS), source compatible, on sluice.
 *
 * Structures, constants and the three functions have the names, the values and, on 64-bit systems, the binary layout of
 * macOS 12. A program that says <Accelerate/Accelerate.h> finds them through the folder compat. What Apple's documents
 * leave open is decided here, each point with a default that can be switched (sluice_bnns_options); docs/APPLE.md has
 * the list.
 *
 * All functions return 0, or -1 with a sentence in sluice_bnns_last_message() and every output untouched; they are
 * thread-safe. Plans, packed weights and buffers are kept from call to call, so that only the first call of a kind
 * allocates; weights that have changed since the last call are noticed, by comparing them.
 *
 * Data, states and weights may be Float32, Float16 or BFloat16, each by itself, and x and y alike. Sums are taken in
 * Float32; with data of 16 bits h is rounded to them after every step. Sizes of a descriptor that are 0 come from the
 * five size fields, others must agree with them; strides of 0 mean data without gaps. Dimensions that lie behind each
 * other may be given as one.
 */
#ifndef SLUICE_BNNS_H
#define SLUICE_BNNS_H

#include <stddef.h>
#include <stdint.h>

#include "sluice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------------------------------------------- constants ---- */

#define BNNS_MAX_TENSOR_DIMENSION 8

typedef uint32_t BNNSDataType;
enum {
	BNNSDataTypeFloatBit = 0x10000,
	BNNSDataTypeFloat16 = 0x10010,
	BNNSDataTypeFloat32 = 0x10020,
	BNNSDataTypeBFloat16 = 0x18010,
	BNNSDataTypeIntBit = 0x20000,
	BNNSDataTypeInt8 = 0x20008,
	BNNSDataTypeInt16 = 0x20010,
	BNNSDataTypeInt32 = 0x20020,
	BNNSDataTypeInt64 = 0x20040,
	BNNSDataTypeUIntBit = 0x40000,
	BNNSDataTypeUInt8 = 0x40008,
	BNNSDataTypeUInt16 = 0x40010,
	BNNSDataTypeUInt32 = 0x40020,
	BNNSDataTypeUInt64 = 0x40040,
	BNNSDataTypeIndexedBit = 0x80000,
	BNNSDataTypeIndexed8 = 0x80008,
	BNNSDataTypeMiscellaneousBit = 0x100000,
	BNNSDataTypeBoolean = 0x100008
};

/* Index 0 of size and stride is the fastest one, except where a layout is called FirstMajor. */
typedef uint32_t BNNSDataLayout;
enum {
	BNNSDataLayoutVector = 0x10000,
	BNNSDataLayout1DLastMajor = 0x18000,
	BNNSDataLayout1DFirstMajor = 0x18001,
	BNNSDataLayoutRowMajorMatrix = 0x20000,
	BNNSDataLayoutColumnMajorMatrix = 0x20001,
	BNNSDataLayout2DLastMajor = 0x28000,
	BNNSDataLayout2DFirstMajor = 0x28001,
	BNNSDataLayoutImageCHW = 0x30000,
	BNNSDataLayoutSNE = 0x30001, /* size = (elements, batch, steps): C array [steps][batch][elements] */
	BNNSDataLayoutNSE = 0x30002, /* size = (elements, steps, batch): C array [batch][steps][elements] */
	BNNSDataLayout3DLastMajor = 0x38000,
	BNNSDataLayout3DFirstMajor = 0x38001,
	BNNSDataLayoutConvolutionWeightsOIHW = 0x40000,
	BNNSDataLayout4DLastMajor = 0x48000,
	BNNSDataLayout4DFirstMajor = 0x48001,
	BNNSDataLayout5DLastMajor = 0x58000,
	BNNSDataLayout5DFirstMajor = 0x58001,
	BNNSDataLayout6DLastMajor = 0x68000,
	BNNSDataLayout6DFirstMajor = 0x68001,
	BNNSDataLayout7DLastMajor = 0x78000,
	BNNSDataLayout7DFirstMajor = 0x78001,
	BNNSDataLayout8DLastMajor = 0x88000,
	BNNSDataLayout8DFirstMajor = 0x88001
};

typedef uint32_t BNNSNDArrayFlags; /* of a gradient's descriptor */
enum {
	BNNSNDArrayFlagBackpropSet = 0,       /* it is overwritten */
	BNNSNDArrayFlagBackpropAccumulate = 1 /* it is added to */
};

typedef uint32_t BNNSFlags;
enum { BNNSFlagsUseClientPtr = 0x0001 };

typedef uint32_t BNNSLayerFlags;
enum {
	BNNSLayerFlagsLSTMBidirectional = 0x0001,
	BNNSLayerFlagsLSTMDefaultActivations = 0x0002 /* sigmoid and tanh; all five activation fields are ignored */
};

typedef uint32_t BNNSActivationFunction;
enum {
	BNNSActivationFunctionIdentity = 0,
	BNNSActivationFunctionRectifiedLinear = 1,
	BNNSActivationFunctionLeakyRectifiedLinear = 2,
	BNNSActivationFunctionSigmoid = 3,
	BNNSActivationFunctionTanh = 4,
	BNNSActivationFunctionScaledTanh = 5,
	BNNSActivationFunctionAbs = 6,
	BNNSActivationFunctionLinear = 7,
	BNNSActivationFunctionClamp = 8,
	BNNSActivationFunctionIntegerLinearSaturate = 9,
	BNNSActivationFunctionIntegerLinearSaturatePerChannel = 10,
	BNNSActivationFunctionSoftmax = 11,
	BNNSActivationFunctionGELUApproximation = 12,
	BNNSActivationFunctionGumbel = 13,
	BNNSActivationFunctionGumbelMax = 14,
	BNNSActivationFunctionHardSigmoid = 15,
	BNNSActivationFunctionSoftplus = 16,
	BNNSActivationFunctionSoftsign = 17,
	BNNSActivationFunctionELU = 18,
	BNNSActivationFunctionClampedLeakyRectifiedLinear = 19,
	BNNSActivationFunctionLinearWithBias = 20,
	BNNSActivationFunctionLogSoftmax = 21,
	BNNSActivationFunctionLogSigmoid = 22,
	BNNSActivationFunctionSELU = 23,
	BNNSActivationFunctionCELU = 24,
	BNNSActivationFunctionHardShrink = 25,
	BNNSActivationFunctionSoftShrink = 26,
	BNNSActivationFunctionTanhShrink = 27,
	BNNSActivationFunctionThreshold = 28,
	BNNSActivationFunctionPReLUPerChannel = 29,
	BNNSActivationFunctionGELUApproximation2 = 30,
	BNNSActivationFunctionHardSwish = BNNSActivationFunctionGELUApproximation2,
	BNNSActivationFunctionSiLU = 31
};

/* ---------------------------------------------------------------------------------------------- structures ---- */

typedef int (*BNNSAlloc)(void **memptr, size_t alignment, size_t size); /* as posix_memalign */
typedef void (*BNNSFree)(void *ptr);

typedef struct {
	uint32_t flags;
	size_t n_threads;       /* 0: as many as there are processors */
	BNNSAlloc alloc_memory; /* of a call's workspace; NULL, both: memory that is kept from call to call */
	BNNSFree free_memory;
} BNNSFilterParameters;

typedef struct {
	BNNSActivationFunction function;
	float alpha, beta;
	int32_t iscale, ioffset, ishift; /* of integer functions, as the next three; not read here */
	const int32_t *iscale_per_channel, *ioffset_per_channel, *ishift_per_channel;
} BNNSActivation;

typedef struct {
	BNNSNDArrayFlags flags; /* read in gradients */
	BNNSDataLayout layout;
	size_t size[BNNS_MAX_TENSOR_DIMENSION];
	size_t stride[BNNS_MAX_TENSOR_DIMENSION]; /* in elements */
	void *data;
	BNNSDataType data_type;
	void *table_data; /* of indexed types, as the next one; not read here */
	BNNSDataType table_data_type;
	float data_scale, data_bias; /* of integer types; not read here */
} BNNSNDArrayDescriptor;

/* One gate: activation(bias + iw x + hw h + cw c). L = num_layers, D = 1 or 2 directions, H = hidden_size. */
typedef struct {
	BNNSNDArrayDescriptor iw_desc[2]; /* [0]: [1][D][H][input_size] of layer 0, [1]: [L-1][D][H][H] of the others;
					     if input_size is hidden_size all of them are in [0], see INPUT_WEIGHTS */
	BNNSNDArrayDescriptor hw_desc;    /* [L][D][H][H] */
	BNNSNDArrayDescriptor
		cw_desc; /* [L][D][H][H]; data NULL: none. The output gate sees the new c, others the old */
	BNNSNDArrayDescriptor b_desc; /* [L][D][H]; data NULL: none */
	BNNSActivation activation;
} BNNSLSTMGateDescriptor;

typedef struct {
	BNNSNDArrayDescriptor data_desc;       /* x or y, SNE (or layout 0) or NSE; y has D*H elements, forward first */
	BNNSNDArrayDescriptor hidden_desc;     /* [L][D][batch][H]; data NULL: zeros, or not wanted */
	BNNSNDArrayDescriptor cell_state_desc; /* likewise */
} BNNSLSTMDataDescriptor;

typedef struct {
	size_t input_size, hidden_size, batch_size, num_layers, seq_len;
	float dropout;                             /* in [0,1): between layers; not read if there is one */
	uint32_t lstm_flags;                       /* BNNSLayerFlagsLSTM... */
	BNNSNDArrayDescriptor sequence_descriptor; /* rows of each step, unsigned, not increasing; data NULL: all */
	BNNSLSTMDataDescriptor input_descriptor;
	BNNSLSTMDataDescriptor output_descriptor; /* data NULL, each: not wanted */
	BNNSLSTMGateDescriptor input_gate, forget_gate, candidate_gate, output_gate;
	BNNSActivation hidden_activation; /* of the new c, before the output gate */
} BNNSLayerParametersLSTM;

/* ----------------------------------------------------------------------------------------------- functions ---- */

/* Bytes of a training cache, exactly; 0 on failure. Follows no pointer to data. */
SLUICE_API size_t BNNSComputeLSTMTrainingCacheCapacity(const BNNSLayerParametersLSTM *layer_params);

/* Forward. A training cache (of any alignment) is written if given; dropout is active then, and only then. */
SLUICE_API int BNNSDirectApplyLSTMBatchTrainingCaching(const BNNSLayerParametersLSTM *layer_params,
						       const BNNSFilterParameters *filter_params,
						       void *training_cache_ptr, const size_t training_cache_capacity);

/* Gradients of a forward call with the same layer_params. Sizes in layer_delta_params are those or 0, and its
 * lstm_flags are not read; its output_descriptor holds the incoming gradients (NULL: zeros), its input_descriptor
 * and gates receive the outgoing ones (NULL: not wanted), set or added to as the flags of each descriptor say. Without
 * a cache forward is computed again, which dropout between layers makes impossible. The gradient of x is zero in rows
 * that a step has not. */
SLUICE_API int BNNSDirectApplyLSTMBatchBackward(const BNNSLayerParametersLSTM *layer_params,
						const BNNSLayerParametersLSTM *layer_delta_params,
						const BNNSFilterParameters *filter_params,
						const void *training_cache_ptr, const size_t training_cache_capacity);

/* ---------------------------------------------------------------------------------------------- extensions ---- */

/* Why this thread's last failing call failed. Never NULL; valid until its next failing call. */
SLUICE_API const char *sluice_bnns_last_message(void);

/* Positions of the switches; the first of each, zero, is the default. */

/* input_weights: where those of layers 1.. are. */
enum {
	SLUICE_BNNS_INPUT_WEIGHTS_SPLIT, /* iw_desc[0] if input_size is hidden_size and what they read is as wide, else
					    iw_desc[1] */
	SLUICE_BNNS_INPUT_WEIGHTS_ALWAYS_SPLIT /* iw_desc[1] */
};
/* stacking: what a direction of layers 1.. reads. */
enum {
	SLUICE_BNNS_STACKING_CHAINS,      /* the same direction of the layer below */
	SLUICE_BNNS_STACKING_CONCATENATED /* both of them: their input weights are [L-1][D][H][D*H] */
};
/* dropout_scaling: what becomes of the numbers that are kept. */
enum {
	SLUICE_BNNS_DROPOUT_SCALED,  /* they are multiplied by 1/(1-dropout) */
	SLUICE_BNNS_DROPOUT_UNSCALED /* they stay as they are */
};
/* dropout_without_cache: whether a forward call without a training cache drops. */
enum { SLUICE_BNNS_DROPOUT_WITHOUT_CACHE_OFF, SLUICE_BNNS_DROPOUT_WITHOUT_CACHE_ON };
/* sequence_rows: where the rows are, with a sequence_descriptor. */
enum {
	SLUICE_BNNS_SEQUENCE_ROWS_PADDED, /* each step has room for batch_size of them, and its own are the first */
	SLUICE_BNNS_SEQUENCE_ROWS_DENSE   /* those of a step follow those of the step before; SNE only */
};
/* data_aliasing: y in the memory of x; the gradient of x in that of x or of the gradient of y. States may always be
 * updated in place. */
enum {
	SLUICE_BNNS_DATA_ALIASING_REFUSED,
	SLUICE_BNNS_DATA_ALIASING_ALLOWED /* through a copy */
};
/* padding_rows: rows of y that a step has not. */
enum {
	SLUICE_BNNS_PADDING_ROWS_UNTOUCHED, /* are left as they are */
	SLUICE_BNNS_PADDING_ROWS_ZERO       /* are set to zero */
};

typedef struct sluice_bnns_options {
	size_t size;
	int input_weights, stacking, dropout_scaling, dropout_without_cache, sequence_rows, data_aliasing, padding_rows;
	uint64_t seed; /* of the first forward call that drops, from now on; each further one takes the next number */
} sluice_bnns_options;
#define SLUICE_BNNS_OPTIONS_INIT SLUICE_SIZED(sluice_bnns_options)

/* Sets the switches of the whole process and begins to count seeds anew. NULL: the defaults. */
SLUICE_API int sluice_bnns_set_options(const sluice_bnns_options *options);

/* Promises (1) that the weights these descriptors point to do not change, or takes the promise back (0): calls with the
 * same pointers, types, strides and sizes of weights then need not compare them. */
SLUICE_API int sluice_bnns_weights_constant(const BNNSLayerParametersLSTM *layer_params, int constant);

/* Releases all plans and buffers that no call is using. */
SLUICE_API void sluice_bnns_clear_cache(void);

#ifdef __cplusplus
}
#endif

#endif
