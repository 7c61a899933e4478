/*
 * mps.h: the LSTM layers of Apple's Metal Performance Shaders in C: stacks on matrices and on images, and training.
 *
 * A class is an opaque struct, used by pointer; a method is a function: class, underscore, the pieces of the selector
 * joined by underscores, the object first; initWith... returns the object. A property is Class_name and Class_setName.
 * An array is a pointer and a count. Arguments that Apple's methods allow to be nil may be NULL; device, queue and zone
 * must be NULL. The GRU and the single-gate RNN are not built: their classes are not declared.
 *
 * What a function returns is NULL, or for an int not 0, if it fails; sluice_mps_last_message() says why. A refused call
 * changes nothing. Getters of NULL return zero.
 *
 * Objects are counted: _new, an init, a factory, a copy and what a call is said to hand over begin with 1; _retain and
 * _release accept NULL, and counting is safe in all threads. Everything else that changes one object is the caller's to
 * serialise; encoding on a layer is not a change of it. So command buffers of several threads may use one layer, and
 * commit at the same time.
 *
 * N = rows or images of a step, I = inputs, H = units, T = steps. Arithmetic and states are Float32; what goes to a
 * matrix or image of 16 bits is rounded there, to nearest even, and nowhere before. What Apple's documents leave open
 * is decided here; docs/APPLE.md has the list.
 */
#ifndef SLUICE_MPS_H
#define SLUICE_MPS_H

#include <stddef.h>
#include <stdint.h>

#include "mpscore.h"
#include "mpstypes.h"
#include "sluice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --------------------------------------------------------------------------------------------- descriptors ---- */

typedef enum MPSRNNSequenceDirection {
	MPSRNNSequenceDirectionForward = 0,
	MPSRNNSequenceDirectionBackward = 1
} MPSRNNSequenceDirection;

/* What is common to the descriptors of all kinds of layers; there is one kind. */
typedef struct MPSRNNDescriptor MPSRNNDescriptor;
SLUICE_MPS_COUNTED(MPSRNNDescriptor)

/* Name, type and default of each property; the factory sets both numbers of channels.
 *   inputFeatureChannels, outputFeatureChannels   I and H
 *   useLayerInputUnitTransformMode   1: x itself enters every gate, so I is H; input weights are not read
 *   useFloat32Weights   0: weights, not biases, are rounded to Float16 when they are read. An image layer always does
 *   layerSequenceDirection   which chain of a bidirectional encode the layer belongs to; no other encode reads it */
#define SLUICE_MPS_RNN_PROPERTIES(X)                                              \
	X(inputFeatureChannels, InputFeatureChannels, size_t, 0)                  \
	X(outputFeatureChannels, OutputFeatureChannels, size_t, 0)                \
	X(useLayerInputUnitTransformMode, UseLayerInputUnitTransformMode, int, 0) \
	X(useFloat32Weights, UseFloat32Weights, int, 0)                           \
	X(layerSequenceDirection, LayerSequenceDirection, MPSRNNSequenceDirection, MPSRNNSequenceDirectionForward)

/* size_t MPSRNNDescriptor_inputFeatureChannels(descriptor), void ..._setInputFeatureChannels(descriptor, value), ... */
#define SLUICE_MPS_RNN_PROPERTY(name, Name, type, value)                             \
	SLUICE_API type MPSRNNDescriptor_##name(const MPSRNNDescriptor *descriptor); \
	SLUICE_API void MPSRNNDescriptor_set##Name(MPSRNNDescriptor *descriptor, type name);
SLUICE_MPS_RNN_PROPERTIES(SLUICE_MPS_RNN_PROPERTY)
#undef SLUICE_MPS_RNN_PROPERTY

/* With W, U, V of the sources below, b and the neurons of the input ones, (.) element by element:
 *
 *   I = g_i(W_i x + U_i h + V_i c + b_i)      F, C likewise with their own, h and c being those of the step before
 *   c' = F (.) c + I (.) C
 *   O = g_o(W_o x + U_o h + V_o c' + b_o)
 *   h' = O (.) g_h(c')
 *
 * Products are those of matrices, or convolutions in an image layer. A source that is NULL, the default, is zero; a
 * gate without an input source has no bias and no neuron either: its g is the identity. */
typedef struct MPSLSTMDescriptor MPSLSTMDescriptor;
SLUICE_MPS_COUNTED(MPSLSTMDescriptor)

/* Both at least 1. */
SLUICE_API MPSLSTMDescriptor *
MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(size_t inputFeatureChannels,
										     size_t outputFeatureChannels);
/* The same object as its base class; not retained. */
SLUICE_API MPSRNNDescriptor *MPSLSTMDescriptor_asRNNDescriptor(MPSLSTMDescriptor *descriptor);
/* Sources are not copied: both descriptors refer to the same ones. Equal are all properties, sources by their user and
 * functions. */
SLUICE_API MPSLSTMDescriptor *MPSLSTMDescriptor_copy(const MPSLSTMDescriptor *descriptor);
SLUICE_API int MPSLSTMDescriptor_isEqual(const MPSLSTMDescriptor *a, const MPSLSTMDescriptor *b);
SLUICE_API size_t MPSLSTMDescriptor_hash(const MPSLSTMDescriptor *descriptor);

/* The twelve sources: W, U and V of the gates I, F, O and C. */
#define SLUICE_MPS_LSTM_SOURCES(X)                                \
	X(inputGateInputWeights, InputGateInputWeights)           \
	X(inputGateRecurrentWeights, InputGateRecurrentWeights)   \
	X(inputGateMemoryWeights, InputGateMemoryWeights)         \
	X(forgetGateInputWeights, ForgetGateInputWeights)         \
	X(forgetGateRecurrentWeights, ForgetGateRecurrentWeights) \
	X(forgetGateMemoryWeights, ForgetGateMemoryWeights)       \
	X(outputGateInputWeights, OutputGateInputWeights)         \
	X(outputGateRecurrentWeights, OutputGateRecurrentWeights) \
	X(outputGateMemoryWeights, OutputGateMemoryWeights)       \
	X(cellGateInputWeights, CellGateInputWeights)             \
	X(cellGateRecurrentWeights, CellGateRecurrentWeights)     \
	X(cellGateMemoryWeights, CellGateMemoryWeights)

/* The getter returns the descriptor's own copy of the struct, or NULL. The setter copies the struct; NULL removes the
 * source. It fails if a function that must be there is not. */
#define SLUICE_MPS_LSTM_SOURCE(name, Name)                                                                           \
	SLUICE_API const MPSCNNConvolutionDataSource *MPSLSTMDescriptor_##name(const MPSLSTMDescriptor *descriptor); \
	SLUICE_API int MPSLSTMDescriptor_set##Name(MPSLSTMDescriptor *descriptor,                                    \
						   const MPSCNNConvolutionDataSource *name);
SLUICE_MPS_LSTM_SOURCES(SLUICE_MPS_LSTM_SOURCE)
#undef SLUICE_MPS_LSTM_SOURCE

/* Name, type and default of the other properties.
 *   memoryWeightsAreDiagonal   1: each V is a vector, multiplied with c element by element; 0: a matrix or kernel
 *   cellToOutputNeuron...      g_h, which may not be PReLU */
#define SLUICE_MPS_LSTM_PROPERTIES(X)                                                             \
	X(memoryWeightsAreDiagonal, MemoryWeightsAreDiagonal, int, 0)                             \
	X(cellToOutputNeuronType, CellToOutputNeuronType, MPSCNNNeuronType, MPSCNNNeuronTypeTanH) \
	X(cellToOutputNeuronParamA, CellToOutputNeuronParamA, float, 1)                           \
	X(cellToOutputNeuronParamB, CellToOutputNeuronParamB, float, 1)                           \
	X(cellToOutputNeuronParamC, CellToOutputNeuronParamC, float, 1)

#define SLUICE_MPS_LSTM_PROPERTY(name, Name, type, value)                              \
	SLUICE_API type MPSLSTMDescriptor_##name(const MPSLSTMDescriptor *descriptor); \
	SLUICE_API void MPSLSTMDescriptor_set##Name(MPSLSTMDescriptor *descriptor, type name);
SLUICE_MPS_LSTM_PROPERTIES(SLUICE_MPS_LSTM_PROPERTY)
#undef SLUICE_MPS_LSTM_PROPERTY

/* ------------------------------------------------------------------------------------------------ switches ---- */

/* Positions; the first of each, zero, is the default. */

/* training_weights: of a training layer without useFloat32Weights; other layers do not read it. */
enum {
	SLUICE_MPS_TRAINING_WEIGHTS_HALF, /* products see the weights rounded to Float16; the matrices keep all bits */
	SLUICE_MPS_TRAINING_WEIGHTS_FLOAT /* products see the weights as they are */
};

typedef struct sluice_mps_options {
	size_t size;
	int training_weights;
	int threads; /* of one call; 0: one */
} sluice_mps_options;
#define SLUICE_MPS_OPTIONS_INIT SLUICE_SIZED(sluice_mps_options)

/* Sets the switches of a layer of any class that has encoded nothing and was not copied yet. NULL: the defaults. */
SLUICE_API int sluice_mps_set_options(void *layer, const sluice_mps_options *options);

/* -------------------------------------------------------------------------------------------------- states ---- */

/* h and c of every layer of a stack after a step, in Float32. Zero until the call that makes it was committed.
 *
 * A temporary state has a read count, 1 at first. Each encode that reads it takes one off; at 0 the state can be read
 * no more: encodes refuse it, and its matrices are NULL. Other states have no count: it stays 0. */
typedef struct MPSRNNRecurrentMatrixState MPSRNNRecurrentMatrixState;
SLUICE_MPS_COUNTED(MPSRNNRecurrentMatrixState)

/* [N,H], not retained. They are the state's memory: writing to them changes it. NULL for an index that there is not. Of
 * a state that a gradient call made they are dL/dh and dL/dc. */
SLUICE_API MPSMatrix *
MPSRNNRecurrentMatrixState_getRecurrentOutputMatrixForLayerIndex(const MPSRNNRecurrentMatrixState *state,
								 size_t layerIndex);
SLUICE_API MPSMatrix *
MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(const MPSRNNRecurrentMatrixState *state, size_t layerIndex);
SLUICE_API int MPSRNNRecurrentMatrixState_isTemporary(const MPSRNNRecurrentMatrixState *state);
SLUICE_API size_t MPSRNNRecurrentMatrixState_readCount(const MPSRNNRecurrentMatrixState *state);
SLUICE_API void MPSRNNRecurrentMatrixState_setReadCount(MPSRNNRecurrentMatrixState *state, size_t readCount);
/* A state of `rows` rows for a matrix layer, inference or training, all zero: to start from numbers of one's own,
 * for forward and gradient calls alike. Not Apple's. */
SLUICE_API MPSRNNRecurrentMatrixState *sluice_mps_matrix_state(void *layer, size_t rows);

/* The same with images of N = numberOfImages, Float32, H channels. */
typedef struct MPSRNNRecurrentImageState MPSRNNRecurrentImageState;
SLUICE_MPS_COUNTED(MPSRNNRecurrentImageState)
SLUICE_API MPSImage *
MPSRNNRecurrentImageState_getRecurrentOutputImageForLayerIndex(const MPSRNNRecurrentImageState *state,
							       size_t layerIndex);
SLUICE_API MPSImage *MPSRNNRecurrentImageState_getMemoryCellImageForLayerIndex(const MPSRNNRecurrentImageState *state,
									       size_t layerIndex);
SLUICE_API int MPSRNNRecurrentImageState_isTemporary(const MPSRNNRecurrentImageState *state);
SLUICE_API size_t MPSRNNRecurrentImageState_readCount(const MPSRNNRecurrentImageState *state);
SLUICE_API void MPSRNNRecurrentImageState_setReadCount(MPSRNNRecurrentImageState *state, size_t readCount);

/* ------------------------------------------------------------------------------------------- matrix inference -- */

typedef enum MPSRNNBidirectionalCombineMode {
	MPSRNNBidirectionalCombineModeNone = 0,       /* two results, each its own array */
	MPSRNNBidirectionalCombineModeAdd = 1,        /* their sum, in the forward array */
	MPSRNNBidirectionalCombineModeConcatenate = 2 /* [forward | backward] in the forward array */
} MPSRNNBidirectionalCombineMode;

typedef struct MPSRNNMatrixInferenceLayer MPSRNNMatrixInferenceLayer;
SLUICE_MPS_COUNTED(MPSRNNMatrixInferenceLayer)

/* One layer, or a stack of at least one and at most 127, index 0 first. Descriptors are read and not kept. In a stack
 * each layer's inputs are the outputs of the layer below; where that does not hold for the stack as it stands, but for
 * its Forward layers and its Backward layers each by themselves, bidirectional encodes alone are possible. */
SLUICE_API MPSRNNMatrixInferenceLayer *
MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(void *device, const MPSRNNDescriptor *rnnDescriptor);
SLUICE_API MPSRNNMatrixInferenceLayer *
MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(void *device, const MPSRNNDescriptor *const *rnnDescriptors,
							 size_t count);
/* A layer with the same network, whose properties may differ. */
SLUICE_API MPSRNNMatrixInferenceLayer *
MPSRNNMatrixInferenceLayer_copyWithZone_device(const MPSRNNMatrixInferenceLayer *layer, void *zone, void *device);

/* I of the first layer, H of the last, layers. */
SLUICE_API size_t MPSRNNMatrixInferenceLayer_inputFeatureChannels(const MPSRNNMatrixInferenceLayer *layer);
SLUICE_API size_t MPSRNNMatrixInferenceLayer_outputFeatureChannels(const MPSRNNMatrixInferenceLayer *layer);
SLUICE_API size_t MPSRNNMatrixInferenceLayer_numberOfLayers(const MPSRNNMatrixInferenceLayer *layer);

/* Properties of both inference layers, all zero at first; an encode reads them.
 *   recurrentOutputIsTemporary   states that are handed over are temporary
 *   storeAllIntermediateStates   a state after every step is handed over, not only the last
 *   bidirectionalCombineMode     of bidirectional encodes */
#define SLUICE_MPS_INFERENCE_PROPERTIES(X)                             \
	X(recurrentOutputIsTemporary, RecurrentOutputIsTemporary, int) \
	X(storeAllIntermediateStates, StoreAllIntermediateStates, int) \
	X(bidirectionalCombineMode, BidirectionalCombineMode, MPSRNNBidirectionalCombineMode)
#define SLUICE_MPS_MATRIX_INFERENCE_PROPERTY(name, Name, type)                                      \
	SLUICE_API type MPSRNNMatrixInferenceLayer_##name(const MPSRNNMatrixInferenceLayer *layer); \
	SLUICE_API void MPSRNNMatrixInferenceLayer_set##Name(MPSRNNMatrixInferenceLayer *layer, type name);
SLUICE_MPS_INFERENCE_PROPERTIES(SLUICE_MPS_MATRIX_INFERENCE_PROPERTY)
#undef SLUICE_MPS_MATRIX_INFERENCE_PROPERTY

/* All layers from step 0 to count - 1, whatever their layerSequenceDirection.
 *
 * sourceMatrices [count]: step t's x, [N_t,I]; N_t may fall from step to step and never rises: row r is the same
 * sequence throughout. destinationMatrices [count]: [at least N_t,H], of which N_t rows are written. Types and rowBytes
 * may differ from matrix to matrix. One matrix may appear several times; destinations may not meet sources or each
 * other. Offsets [count] are bytes, multiples of the element's size, added to where a matrix begins; NULL: zeros. What
 * they reach lies within matrices x matrixBytes of the matrix.
 *
 * recurrentInputState: where the sequences start; NULL: zeros. Its rows are at least N_0. recurrentOutputStates: room
 * for 1 state, or `count` with storeAllIntermediateStates, which are handed over; NULL: not wanted. They have the rows
 * of the input state, or N_0; a row without a step keeps what it had, so the last state has every row after its last
 * step. */
SLUICE_API int SLUICE_MPS_JOIN(MPSRNNMatrixInferenceLayer_encodeSequenceToCommandBuffer_sourceMatrices_sourceOffsets_,
			       destinationMatrices_destinationOffsets_recurrentInputState_recurrentOutputStates)(
	MPSRNNMatrixInferenceLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *sourceMatrices,
	const size_t *sourceOffsets, MPSMatrix *const *destinationMatrices, const size_t *destinationOffsets,
	size_t count, MPSRNNRecurrentMatrixState *recurrentInputState,
	MPSRNNRecurrentMatrixState **recurrentOutputStates);
#define MPSRNNMatrixInferenceLayer_encodeSequence                                                               \
	SLUICE_MPS_JOIN(MPSRNNMatrixInferenceLayer_encodeSequenceToCommandBuffer_sourceMatrices_sourceOffsets_, \
			destinationMatrices_destinationOffsets_recurrentInputState_recurrentOutputStates)
/* The same without offsets. */
SLUICE_API int SLUICE_MPS_JOIN(MPSRNNMatrixInferenceLayer_encodeSequenceToCommandBuffer_sourceMatrices_,
			       destinationMatrices_recurrentInputState_recurrentOutputStates)(
	MPSRNNMatrixInferenceLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *sourceMatrices,
	MPSMatrix *const *destinationMatrices, size_t count, MPSRNNRecurrentMatrixState *recurrentInputState,
	MPSRNNRecurrentMatrixState **recurrentOutputStates);

/* The Forward layers as one stack from step 0 on, and the Backward layers as another from each row's last step back.
 * They never meet but in the result. Results lie at the steps of their x. Both start from zeros. There is at least one
 * layer of each direction, and both stacks read x of the same width. Sources as above.
 *   None: destinationForwardMatrices [.,H forward], destinationBackwardMatrices [.,H backward]
 *   Add: destinationForwardMatrices [.,H], both H being alike      Concatenate: [.,H forward + H backward]
 * destinationBackwardMatrices is not read in the last two. */
SLUICE_API int SLUICE_MPS_JOIN(MPSRNNMatrixInferenceLayer_encodeBidirectionalSequenceToCommandBuffer_,
			       sourceSequence_destinationForwardMatrices_destinationBackwardMatrices)(
	MPSRNNMatrixInferenceLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *sourceSequence,
	MPSMatrix *const *destinationForwardMatrices, MPSMatrix *const *destinationBackwardMatrices, size_t count);
#define MPSRNNMatrixInferenceLayer_encodeBidirectionalSequence                                  \
	SLUICE_MPS_JOIN(MPSRNNMatrixInferenceLayer_encodeBidirectionalSequenceToCommandBuffer_, \
			sourceSequence_destinationForwardMatrices_destinationBackwardMatrices)

/* -------------------------------------------------------------------------------------------- image inference -- */

/* The same with images and convolutions: a ConvLSTM. Kernels have their centre at width / 2, height / 2, rounded down,
 * and the border is zeros; strides are 1. Weights are always rounded to Float16. All images of an encode have the same
 * width, height and number of images; which, each encode says anew. Diagonal memory weights are one number for each
 * channel, the same for all pixels. Kernels, dilation and groups may differ from gate to gate. */
typedef struct MPSRNNImageInferenceLayer MPSRNNImageInferenceLayer;
SLUICE_MPS_COUNTED(MPSRNNImageInferenceLayer)

SLUICE_API MPSRNNImageInferenceLayer *
MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptor(void *device, const MPSRNNDescriptor *rnnDescriptor);
SLUICE_API MPSRNNImageInferenceLayer *
MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptors(void *device, const MPSRNNDescriptor *const *rnnDescriptors,
							size_t count);
SLUICE_API MPSRNNImageInferenceLayer *
MPSRNNImageInferenceLayer_copyWithZone_device(const MPSRNNImageInferenceLayer *layer, void *zone, void *device);
SLUICE_API size_t MPSRNNImageInferenceLayer_inputFeatureChannels(const MPSRNNImageInferenceLayer *layer);
SLUICE_API size_t MPSRNNImageInferenceLayer_outputFeatureChannels(const MPSRNNImageInferenceLayer *layer);
SLUICE_API size_t MPSRNNImageInferenceLayer_numberOfLayers(const MPSRNNImageInferenceLayer *layer);
#define SLUICE_MPS_IMAGE_INFERENCE_PROPERTY(name, Name, type)                                     \
	SLUICE_API type MPSRNNImageInferenceLayer_##name(const MPSRNNImageInferenceLayer *layer); \
	SLUICE_API void MPSRNNImageInferenceLayer_set##Name(MPSRNNImageInferenceLayer *layer, type name);
SLUICE_MPS_INFERENCE_PROPERTIES(SLUICE_MPS_IMAGE_INFERENCE_PROPERTY)
#undef SLUICE_MPS_IMAGE_INFERENCE_PROPERTY

/* As of matrices; N does not fall. An input state has the width, height and number of the images. */
SLUICE_API int SLUICE_MPS_JOIN(MPSRNNImageInferenceLayer_encodeSequenceToCommandBuffer_sourceImages_,
			       destinationImages_recurrentInputState_recurrentOutputStates)(
	MPSRNNImageInferenceLayer *layer, MPSCommandBuffer *commandBuffer, MPSImage *const *sourceImages,
	MPSImage *const *destinationImages, size_t count, MPSRNNRecurrentImageState *recurrentInputState,
	MPSRNNRecurrentImageState **recurrentOutputStates);
#define MPSRNNImageInferenceLayer_encodeSequence                                               \
	SLUICE_MPS_JOIN(MPSRNNImageInferenceLayer_encodeSequenceToCommandBuffer_sourceImages_, \
			destinationImages_recurrentInputState_recurrentOutputStates)
SLUICE_API int SLUICE_MPS_JOIN(MPSRNNImageInferenceLayer_encodeBidirectionalSequenceToCommandBuffer_,
			       sourceSequence_destinationForwardImages_destinationBackwardImages)(
	MPSRNNImageInferenceLayer *layer, MPSCommandBuffer *commandBuffer, MPSImage *const *sourceSequence,
	MPSImage *const *destinationForwardImages, MPSImage *const *destinationBackwardImages, size_t count);
#define MPSRNNImageInferenceLayer_encodeBidirectionalSequence                                  \
	SLUICE_MPS_JOIN(MPSRNNImageInferenceLayer_encodeBidirectionalSequenceToCommandBuffer_, \
			sourceSequence_destinationForwardImages_destinationBackwardImages)
/* A state all zero, to start from numbers of one's own. Not Apple's. */
SLUICE_API MPSRNNRecurrentImageState *sluice_mps_image_state(MPSRNNImageInferenceLayer *layer, size_t width,
							     size_t height, size_t numberOfImages);

/* -------------------------------------------------------------------------------------------- matrix training -- */

/* Values of Apple's. Those of the LSTM are used; each says gate and kind, "memory gate" being C. */
typedef enum MPSRNNMatrixId {
	MPSRNNMatrixIdSingleGateInputWeights = 0,
	MPSRNNMatrixIdSingleGateRecurrentWeights = 1,
	MPSRNNMatrixIdSingleGateBiasTerms = 2,
	MPSRNNMatrixIdLSTMInputGateInputWeights = 3,
	MPSRNNMatrixIdLSTMInputGateRecurrentWeights = 4,
	MPSRNNMatrixIdLSTMInputGateMemoryWeights = 5,
	MPSRNNMatrixIdLSTMInputGateBiasTerms = 6,
	MPSRNNMatrixIdLSTMForgetGateInputWeights = 7,
	MPSRNNMatrixIdLSTMForgetGateRecurrentWeights = 8,
	MPSRNNMatrixIdLSTMForgetGateMemoryWeights = 9,
	MPSRNNMatrixIdLSTMForgetGateBiasTerms = 10,
	MPSRNNMatrixIdLSTMMemoryGateInputWeights = 11,
	MPSRNNMatrixIdLSTMMemoryGateRecurrentWeights = 12,
	MPSRNNMatrixIdLSTMMemoryGateMemoryWeights = 13,
	MPSRNNMatrixIdLSTMMemoryGateBiasTerms = 14,
	MPSRNNMatrixIdLSTMOutputGateInputWeights = 15,
	MPSRNNMatrixIdLSTMOutputGateRecurrentWeights = 16,
	MPSRNNMatrixIdLSTMOutputGateMemoryWeights = 17,
	MPSRNNMatrixIdLSTMOutputGateBiasTerms = 18,
	MPSRNNMatrixIdGRUInputGateInputWeights = 19,
	MPSRNNMatrixIdGRUInputGateRecurrentWeights = 20,
	MPSRNNMatrixIdGRUInputGateBiasTerms = 21,
	MPSRNNMatrixIdGRURecurrentGateInputWeights = 22,
	MPSRNNMatrixIdGRURecurrentGateRecurrentWeights = 23,
	MPSRNNMatrixIdGRURecurrentGateBiasTerms = 24,
	MPSRNNMatrixIdGRUOutputGateInputWeights = 25,
	MPSRNNMatrixIdGRUOutputGateRecurrentWeights = 26,
	MPSRNNMatrixIdGRUOutputGateInputGateWeights = 27,
	MPSRNNMatrixIdGRUOutputGateBiasTerms = 28,
	MPSRNNMatrixId_count = 29
} MPSRNNMatrixId;

/* Where an encodeCopyWeights begins in the matrix: column x, row y; z is 0. */
typedef struct MTLOrigin {
	size_t x, y, z;
} MTLOrigin;

/* What forward keeps for one step's gradients. Temporary ones have a read count as recurrent states have. */
typedef struct MPSRNNMatrixTrainingState MPSRNNMatrixTrainingState;
SLUICE_MPS_COUNTED(MPSRNNMatrixTrainingState)
SLUICE_API int MPSRNNMatrixTrainingState_isTemporary(const MPSRNNMatrixTrainingState *state);
SLUICE_API size_t MPSRNNMatrixTrainingState_readCount(const MPSRNNMatrixTrainingState *state);
SLUICE_API void MPSRNNMatrixTrainingState_setReadCount(MPSRNNMatrixTrainingState *state, size_t readCount);

/* One layer, run from step 0 on, whose weights are matrices of the caller's: a call is handed them. Parts whose source
 * is NULL stay zero and have no gradient; nor have the slopes of PReLUs. */
typedef struct MPSRNNMatrixTrainingLayer MPSRNNMatrixTrainingLayer;
SLUICE_MPS_COUNTED(MPSRNNMatrixTrainingLayer)

/* Most matrices of an array of weights. How many there are, and what lies where in them, is a layer's own affair:
 * weights, gradients and an optimizer's moments are alike, element by element, and no element is a gap. */
enum { SLUICE_MPS_WEIGHT_MATRICES = 4 };

/* trainableWeights: room for SLUICE_MPS_WEIGHT_MATRICES matrices, filled with those of the layer, handed over, and
 * NULLs. They are Float32 without gaps and hold the weights of the sources, unrounded. */
SLUICE_API MPSRNNMatrixTrainingLayer *MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
	void *device, const MPSRNNDescriptor *rnnDescriptor, MPSMatrix **trainableWeights);
SLUICE_API MPSRNNMatrixTrainingLayer *
MPSRNNMatrixTrainingLayer_copyWithZone_device(const MPSRNNMatrixTrainingLayer *layer, void *zone, void *device);
SLUICE_API size_t MPSRNNMatrixTrainingLayer_inputFeatureChannels(const MPSRNNMatrixTrainingLayer *layer);
SLUICE_API size_t MPSRNNMatrixTrainingLayer_outputFeatureChannels(const MPSRNNMatrixTrainingLayer *layer);
/* Matrices in an array of weights. Not Apple's. */
SLUICE_API size_t sluice_mps_weight_matrices(const MPSRNNMatrixTrainingLayer *layer);

/* All zero at first; an encode reads them.
 *   storeAllIntermediateStates, recurrentOutputIsTemporary   as of inference, for forward and gradient calls
 *   trainingStateIsTemporary     training states that are handed over are temporary
 *   accumulateWeightGradients    gradients of weights are added to the matrices, not put in their place */
#define SLUICE_MPS_TRAINING_PROPERTIES(X)                         \
	X(storeAllIntermediateStates, StoreAllIntermediateStates) \
	X(recurrentOutputIsTemporary, RecurrentOutputIsTemporary) \
	X(trainingStateIsTemporary, TrainingStateIsTemporary)     \
	X(accumulateWeightGradients, AccumulateWeightGradients)
#define SLUICE_MPS_TRAINING_PROPERTY(name, Name)                                                 \
	SLUICE_API int MPSRNNMatrixTrainingLayer_##name(const MPSRNNMatrixTrainingLayer *layer); \
	SLUICE_API void MPSRNNMatrixTrainingLayer_set##Name(MPSRNNMatrixTrainingLayer *layer, int name);
SLUICE_MPS_TRAINING_PROPERTIES(SLUICE_MPS_TRAINING_PROPERTY)
#undef SLUICE_MPS_TRAINING_PROPERTY

/* More matrices laid out as the weights, handed over, zeroed. Room as of trainableWeights. Gradients are Float32 or
 * Float16 and cannot be used as weights. Temporary ones belong to one command buffer and are used by encodes on it
 * alone; their read count is 1, and each encodeCopyWeights that reads the array takes one off each of them. */
SLUICE_API int MPSRNNMatrixTrainingLayer_createWeightMatrices(MPSRNNMatrixTrainingLayer *layer,
							      MPSMatrix **matricesOut);
SLUICE_API int MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(MPSRNNMatrixTrainingLayer *layer,
									       MPSMatrix **matricesOut,
									       MPSDataType dataType);
SLUICE_API int MPSRNNMatrixTrainingLayer_createTemporaryWeightGradientMatrices_dataType_commandBuffer(
	MPSRNNMatrixTrainingLayer *layer, MPSMatrix **matricesOut, MPSDataType dataType,
	MPSCommandBuffer *commandBuffer);

/* Copies one part of an array of weights or of gradients to a matrix, or from it. Input weights are [H,I], recurrent
 * ones [H,H], memory weights [H,H], diagonal ones [1,H] and biases [1,H]: row = output, column = input. The matrix has
 * room for that from matrixOffset on. Parts that the layer has not, and ids of other layers, are refused. */
SLUICE_API int SLUICE_MPS_JOIN(MPSRNNMatrixTrainingLayer_encodeCopyWeightsToCommandBuffer_weights_matrixId_matrix_,
			       copyFromWeightsToMatrix_matrixOffset)(MPSRNNMatrixTrainingLayer *layer,
								     MPSCommandBuffer *commandBuffer,
								     MPSMatrix *const *weights, MPSRNNMatrixId matrixId,
								     MPSMatrix *matrix, int copyFromWeightsToMatrix,
								     MTLOrigin matrixOffset);
#define MPSRNNMatrixTrainingLayer_encodeCopyWeights                                                          \
	SLUICE_MPS_JOIN(MPSRNNMatrixTrainingLayer_encodeCopyWeightsToCommandBuffer_weights_matrixId_matrix_, \
			copyFromWeightsToMatrix_matrixOffset)

/* As the encode of inference. trainingStates: room for `count` states, handed over; NULL: no gradients will be
 * wanted. weights: those of init or createWeightMatrices; they are read when the buffer is committed. */
#define MPSRNNMatrixTrainingLayer_encodeForwardSequence                                                            \
	SLUICE_MPS_JOIN3(MPSRNNMatrixTrainingLayer_encodeForwardSequenceToCommandBuffer_sourceMatrices_,           \
			 sourceOffsets_destinationMatrices_destinationOffsets_trainingStates_recurrentInputState_, \
			 recurrentOutputStates_weights)
SLUICE_API int MPSRNNMatrixTrainingLayer_encodeForwardSequence(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *sourceMatrices,
	const size_t *sourceOffsets, MPSMatrix *const *destinationMatrices, const size_t *destinationOffsets,
	size_t count, MPSRNNMatrixTrainingState **trainingStates, MPSRNNRecurrentMatrixState *recurrentInputState,
	MPSRNNRecurrentMatrixState **recurrentOutputStates, MPSMatrix *const *weights);
/* The same without offsets and recurrent states. */
SLUICE_API int SLUICE_MPS_JOIN(MPSRNNMatrixTrainingLayer_encodeForwardSequenceToCommandBuffer_,
			       sourceMatrices_destinationMatrices_trainingStates_weights)(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *sourceMatrices,
	MPSMatrix *const *destinationMatrices, size_t count, MPSRNNMatrixTrainingState **trainingStates,
	MPSMatrix *const *weights);

/* Gradients of the steps of one forward call, all of them: index 0 is its first step.
 *   forwardSources, trainingStates, weights   those of the forward call. States and weights may be of the same buffer
 *   sourceGradients [count]        dL/dy, [at least N_t,H]
 *   destinationGradients [count]   dL/dx, [at least N_t,I], of which N_t rows are written; NULL: not wanted
 *   weightGradients                an array of createWeightGradientMatrices; NULL: not wanted
 *   recurrentInputState            dL/dh and dL/dc after the last step: what the gradient call of the steps after
 *                                  these put out, of as many rows as the forward call's states; NULL: zeros
 *   recurrentOutputStates          dL/dh and dL/dc before the first step, handed over; with storeAllIntermediateStates
 *                                  `count` of them, [t] before step t, and the same gradients of weights but for
 *                                  rounding: forward is computed again, step by step; NULL: not wanted
 * Leaving the states out is truncated back-propagation through time, chaining them gives the gradients of the whole. */
#define MPSRNNMatrixTrainingLayer_encodeGradientSequence                                          \
	SLUICE_MPS_JOIN3(                                                                         \
		MPSRNNMatrixTrainingLayer_encodeGradientSequenceToCommandBuffer_forwardSources_,  \
		forwardSourceOffsets_sourceGradients_sourceGradientOffsets_destinationGradients_, \
		destinationOffsets_weightGradients_trainingStates_recurrentInputState_recurrentOutputStates_weights)
SLUICE_API int MPSRNNMatrixTrainingLayer_encodeGradientSequence(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *forwardSources,
	const size_t *forwardSourceOffsets, MPSMatrix *const *sourceGradients, const size_t *sourceGradientOffsets,
	MPSMatrix *const *destinationGradients, const size_t *destinationOffsets, MPSMatrix *const *weightGradients,
	size_t count, MPSRNNMatrixTrainingState *const *trainingStates, MPSRNNRecurrentMatrixState *recurrentInputState,
	MPSRNNRecurrentMatrixState **recurrentOutputStates, MPSMatrix *const *weights);
/* The same without offsets and recurrent states. */
SLUICE_API int SLUICE_MPS_JOIN3(MPSRNNMatrixTrainingLayer_encodeGradientSequenceToCommandBuffer_forwardSources_,
				sourceGradients_destinationGradients_, weightGradients_trainingStates_weights)(
	MPSRNNMatrixTrainingLayer *layer, MPSCommandBuffer *commandBuffer, MPSMatrix *const *forwardSources,
	MPSMatrix *const *sourceGradients, MPSMatrix *const *destinationGradients, MPSMatrix *const *weightGradients,
	size_t count, MPSRNNMatrixTrainingState *const *trainingStates, MPSMatrix *const *weights);

#ifdef __cplusplus
}
#endif

#endif
