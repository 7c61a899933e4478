/*
 * mpsgraph.h: the LSTM of Apple's MPSGraph and its gradients, in C, with as much of a graph as an LSTM needs.
 *
 * A class is an opaque struct, used by pointer; a method is a function: class, underscore, the pieces of the selector
 * joined by underscores, the object first. An array is a pointer and a count, a dictionary an array of pairs, a shape a
 * struct. Arguments that Apple's methods allow to be nil may be NULL, the name of every node among them; device,
 * command queue and compilation descriptor must be NULL. Apple's GRU and single-gate RNN are not built: their names are
 * not declared.
 *
 * What a function returns is NULL, or for an int not 0, if it fails; sluice_mpsgraph_last_message() says why. Shapes
 * are static: every disagreement of shapes or types is refused when a node is made, by a sentence with both.
 *
 * Objects are counted: _new, a factory, a copy and what a call is said to hand over begin with 1; _retain and _release
 * accept NULL. A graph owns its tensors and operations, which live as long as it. Making nodes of one graph is the
 * caller's to serialise; runs of one graph or executable may go on in several threads at once.
 *
 * Tensors are Float32, Float16 or BFloat16, row-major with the last dimension fastest. Sums are taken in Float32. What
 * Apple's documents leave open is decided here, each point with a default that can be switched
 * (sluice_mpsgraph_options); docs/APPLE.md has the list.
 */
#ifndef SLUICE_MPSGRAPH_H
#define SLUICE_MPSGRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "mpstypes.h"
#include "sluice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------- classes ---- */

typedef struct MPSGraph MPSGraph;
typedef struct MPSGraphTensor MPSGraphTensor;
typedef struct MPSGraphOperation MPSGraphOperation;
typedef struct MPSGraphTensorData MPSGraphTensorData;
typedef struct MPSGraphExecutable MPSGraphExecutable;
typedef struct MPSGraphExecutableExecutionDescriptor MPSGraphExecutableExecutionDescriptor;
typedef struct MPSGraphLSTMDescriptor MPSGraphLSTMDescriptor;

enum { SLUICE_MPSGRAPH_RANK = 16 };

/* Every size is at least 1; rank 0 is a scalar. */
typedef struct MPSShape {
	size_t rank;
	size_t size[SLUICE_MPSGRAPH_RANK];
} MPSShape;

/* A pointer to a shape for the length of the block it stands in: SLUICE_MPS_SHAPE(T, N, I). */
#ifndef __cplusplus
#define SLUICE_MPS_SHAPE(...) (&(const MPSShape){sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t), {__VA_ARGS__}})
#endif

/* One entry of a dictionary from tensors to their data. */
typedef struct sluice_mpsgraph_pair {
	MPSGraphTensor *tensor;
	MPSGraphTensorData *data;
} sluice_mpsgraph_pair;

/* Why this thread's last failing call failed. Never NULL; valid until its next failing call. */
SLUICE_API const char *sluice_mpsgraph_last_message(void);

/* ------------------------------------------------------------------------------------------------ switches ---- */

/* Positions of the switches; the first of each, zero, is the default. */

/* peephole_output: which cell the output gate's peephole sees. */
enum {
	SLUICE_MPSGRAPH_PEEPHOLE_OUTPUT_PREVIOUS, /* c[t-1], as the other gates' */
	SLUICE_MPSGRAPH_PEEPHOLE_OUTPUT_CURRENT   /* c[t] */
};
/* training_results: of an LSTM that trains and does not produce its cell. */
enum {
	SLUICE_MPSGRAPH_TRAINING_RESULTS_WITH_CELL,   /* h, c, z */
	SLUICE_MPSGRAPH_TRAINING_RESULTS_WITHOUT_CELL /* h, z */
};
/* bias_gradient_shape */
enum {
	SLUICE_MPSGRAPH_BIAS_GRADIENT_SHAPE_DOCUMENTED, /* [4H], [8H] if bidirectional */
	SLUICE_MPSGRAPH_BIAS_GRADIENT_SHAPE_OBSERVED    /* [1,1,4H], [1,1,8H] */
};
/* reverse_alignment: where the results of an LSTM that runs in reverse, and not in both directions, are. */
enum {
	SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_ALIGNED,   /* index t belongs to index t of the source */
	SLUICE_MPSGRAPH_REVERSE_ALIGNMENT_PROCESSING /* index 0 is the step that was processed first: of h, c, z, their
							gradients and a mask [T,N,H]; source and its gradient stay */
};

typedef struct sluice_mpsgraph_options {
	size_t size;
	float hard_sigmoid_slope, hard_sigmoid_offset; /* both 0: 0.2 and 0.5 */
	int peephole_output, training_results, bias_gradient_shape, reverse_alignment;
	int threads; /* of one run; 0: one */
} sluice_mpsgraph_options;
#define SLUICE_MPSGRAPH_OPTIONS_INIT SLUICE_SIZED(sluice_mpsgraph_options)

/* Sets the switches of a graph that has no nodes yet. NULL: the defaults. */
SLUICE_API int sluice_mpsgraph_set_options(MPSGraph *graph, const sluice_mpsgraph_options *options);

/* The seed of all dropout in runs of this graph and its executables that begin from now on; 0 before the first call.
 * Equal seeds draw equally: one that trains sets another before each run. */
SLUICE_API int sluice_mpsgraph_set_seed(MPSGraph *graph, uint64_t seed);

/* ----------------------------------------------------------------------------------------- graph and tensors --- */

SLUICE_API MPSGraph *MPSGraph_new(void);
SLUICE_API MPSGraph *MPSGraph_retain(MPSGraph *graph);
SLUICE_API void MPSGraph_release(MPSGraph *graph);

/* Writes the sizes and returns the rank; shape may be NULL. */
SLUICE_API size_t MPSGraphTensor_shape(const MPSGraphTensor *tensor, size_t shape[SLUICE_MPSGRAPH_RANK]);
SLUICE_API MPSDataType MPSGraphTensor_dataType(const MPSGraphTensor *tensor);
SLUICE_API MPSGraphOperation *MPSGraphTensor_operation(const MPSGraphTensor *tensor);
/* Valid as long as the graph; "" if the node has no name. */
SLUICE_API const char *MPSGraphOperation_name(const MPSGraphOperation *operation);

/* A tensor whose data a run is fed with. */
SLUICE_API MPSGraphTensor *MPSGraph_placeholderWithShape_dataType_name(MPSGraph *graph, const MPSShape *shape,
								       MPSDataType dataType, const char *name);
/* Data that stay as they are; they are copied. */
SLUICE_API MPSGraphTensor *MPSGraph_constantWithData_shape_dataType(MPSGraph *graph, const void *data,
								    const MPSShape *shape, MPSDataType dataType);
SLUICE_API MPSGraphTensor *MPSGraph_constantWithScalar_dataType(MPSGraph *graph, double scalar, MPSDataType dataType);
SLUICE_API MPSGraphTensor *MPSGraph_constantWithScalar_shape_dataType(MPSGraph *graph, double scalar,
								      const MPSShape *shape, MPSDataType dataType);
/* Data that assignments change, in runs that have the assignment as a target operation. A run sees what the variable
 * held when it began, in the tensor itself and in every reading of it, and assigns at its end. */
SLUICE_API MPSGraphTensor *MPSGraph_variableWithData_shape_dataType_name(MPSGraph *graph, const void *data,
									 const MPSShape *shape, MPSDataType dataType,
									 const char *name);
SLUICE_API MPSGraphTensor *MPSGraph_readVariable_name(MPSGraph *graph, MPSGraphTensor *variable, const char *name);
SLUICE_API MPSGraphOperation *MPSGraph_assignVariable_withValueOfTensor_name(MPSGraph *graph, MPSGraphTensor *variable,
									     MPSGraphTensor *tensor, const char *name);

/* -------------------------------------------------------------------------------------------------- shapes ---- */

/* An axis, and a dimension that is a ptrdiff_t, may be negative: -1 is the last one. */

SLUICE_API MPSGraphTensor *MPSGraph_identityWithTensor_name(MPSGraph *graph, MPSGraphTensor *tensor, const char *name);
/* Two dimensions change places. */
SLUICE_API MPSGraphTensor *MPSGraph_transposeTensor_dimension_withDimension_name(MPSGraph *graph,
										 MPSGraphTensor *tensor,
										 size_t dimension, size_t withDimension,
										 const char *name);
SLUICE_API MPSGraphTensor *MPSGraph_sliceTensor_dimension_start_length_name(MPSGraph *graph, MPSGraphTensor *tensor,
									    size_t dimension, ptrdiff_t start,
									    ptrdiff_t length, const char *name);
SLUICE_API MPSGraphTensor *MPSGraph_concatTensors_dimension_name(MPSGraph *graph, MPSGraphTensor *const *tensors,
								 size_t count, ptrdiff_t dimension, const char *name);
SLUICE_API MPSGraphTensor *MPSGraph_reshapeTensor_withShape_name(MPSGraph *graph, MPSGraphTensor *tensor,
								 const MPSShape *shape, const char *name);
/* A dimension of size 1 comes to be at, or goes from, `axis`. */
SLUICE_API MPSGraphTensor *MPSGraph_expandDimsOfTensor_axis_name(MPSGraph *graph, MPSGraphTensor *tensor,
								 ptrdiff_t axis, const char *name);
SLUICE_API MPSGraphTensor *MPSGraph_squeezeTensor_axis_name(MPSGraph *graph, MPSGraphTensor *tensor, ptrdiff_t axis,
							    const char *name);

/* ---------------------------------------------------------------------------------------------- arithmetic ---- */

/* Of equal types. Shapes are aligned at their last dimension; a dimension that one has not or that has size 1 is
 * repeated. */
SLUICE_API MPSGraphTensor *MPSGraph_additionWithPrimaryTensor_secondaryTensor_name(MPSGraph *graph,
										   MPSGraphTensor *primary,
										   MPSGraphTensor *secondary,
										   const char *name);
SLUICE_API MPSGraphTensor *MPSGraph_multiplicationWithPrimaryTensor_secondaryTensor_name(MPSGraph *graph,
											 MPSGraphTensor *primary,
											 MPSGraphTensor *secondary,
											 const char *name);
/* Elements become zero with chance `rate`, in [0,1); the others are multiplied by 1/(1-rate). What is drawn depends on
 * the seed, on the number of this dropout among those of its graph and on the element. Dropout of ones is the mask
 * itself: a product with it has the product with the same tensor as its gradient. */
SLUICE_API MPSGraphTensor *MPSGraph_dropoutTensor_rate_name(MPSGraph *graph, MPSGraphTensor *tensor, double rate,
							    const char *name);
SLUICE_API MPSGraphTensor *MPSGraph_castTensor_toType_name(MPSGraph *graph, MPSGraphTensor *tensor, MPSDataType type,
							   const char *name);

/* ---------------------------------------------------------------------------------------------------- LSTM ---- */

typedef enum MPSGraphRNNActivation {
	MPSGraphRNNActivationNone = 0,
	MPSGraphRNNActivationRelu = 1,
	MPSGraphRNNActivationTanh = 2,
	MPSGraphRNNActivationSigmoid = 3,
	MPSGraphRNNActivationHardSigmoid = 4
} MPSGraphRNNActivation;

/* Properties, with their defaults. A method reads them when it is called and keeps no descriptor. */
SLUICE_API MPSGraphLSTMDescriptor *MPSGraphLSTMDescriptor_descriptor(void);
SLUICE_API MPSGraphLSTMDescriptor *MPSGraphLSTMDescriptor_retain(MPSGraphLSTMDescriptor *descriptor);
SLUICE_API void MPSGraphLSTMDescriptor_release(MPSGraphLSTMDescriptor *descriptor);
SLUICE_API MPSGraphLSTMDescriptor *MPSGraphLSTMDescriptor_copy(const MPSGraphLSTMDescriptor *descriptor);
SLUICE_API int MPSGraphLSTMDescriptor_isEqual(const MPSGraphLSTMDescriptor *a, const MPSGraphLSTMDescriptor *b);
SLUICE_API size_t MPSGraphLSTMDescriptor_hash(const MPSGraphLSTMDescriptor *descriptor);

/* Name, type and default of each property. */
#define SLUICE_MPSGRAPH_LSTM_PROPERTIES(X)                                                                 \
	X(reverse, Reverse, int, 0)                                                                        \
	X(bidirectional, Bidirectional, int, 0)                                                            \
	X(produceCell, ProduceCell, int, 0)                                                                \
	X(training, Training, int, 0)                                                                      \
	X(forgetGateLast, ForgetGateLast, int, 0)                                                          \
	X(inputGateActivation, InputGateActivation, MPSGraphRNNActivation, MPSGraphRNNActivationSigmoid)   \
	X(forgetGateActivation, ForgetGateActivation, MPSGraphRNNActivation, MPSGraphRNNActivationSigmoid) \
	X(cellGateActivation, CellGateActivation, MPSGraphRNNActivation, MPSGraphRNNActivationTanh)        \
	X(outputGateActivation, OutputGateActivation, MPSGraphRNNActivation, MPSGraphRNNActivationSigmoid) \
	X(activation, Activation, MPSGraphRNNActivation, MPSGraphRNNActivationTanh)

/* int MPSGraphLSTMDescriptor_reverse(descriptor), void MPSGraphLSTMDescriptor_setReverse(descriptor, value), ... */
#define SLUICE_MPSGRAPH_LSTM_PROPERTY(name, Name, type, value)                                   \
	SLUICE_API type MPSGraphLSTMDescriptor_##name(const MPSGraphLSTMDescriptor *descriptor); \
	SLUICE_API void MPSGraphLSTMDescriptor_set##Name(MPSGraphLSTMDescriptor *descriptor, type name);
SLUICE_MPSGRAPH_LSTM_PROPERTIES(SLUICE_MPSGRAPH_LSTM_PROPERTY)
#undef SLUICE_MPSGRAPH_LSTM_PROPERTY

/* The results by name, NULL where there is none, and as Apple's array of `count`. All NULL and 0 on failure. */
typedef struct MPSGraphLSTMResults {
	MPSGraphTensor *state, *cell, *training; /* h, c and z: the activated gates */
	MPSGraphTensor *array[3];
	size_t count;
} MPSGraphLSTMResults;

/* The gradients of what was not given are NULL and not in the array; a mask has none. */
typedef struct MPSGraphLSTMGradientsResults {
	MPSGraphTensor *source, *recurrentWeight, *inputWeight, *bias, *peephole, *initState, *initCell;
	MPSGraphTensor *array[7];
	size_t count;
} MPSGraphLSTMGradientsResults;

/* T = steps, N = batch, I = width of the source, H = units; in parentheses if bidirectional, forward half first. Gates
 * are in the order i f z o, or i z f o if forgetGateLast.
 *   source [T,N,I]; without inputWeight [T,N,4H] ([T,N,8H])   recurrentWeight [4H,H] ([2,4H,H])
 *   inputWeight [4H,I] ([8H,I])   bias [4H] ([8H])   peephole [4H] ([2,4H])
 *   initState, initCell [N,H] ([N,2H]), also with a leading 1
 *   mask, on h[t-1]: [H], [N,H] or [T,N,H] ([2H] and so on)
 *   results h, c [T,N,H] ([T,N,2H]), z [T,N,4H] ([T,N,8H]) */
SLUICE_API MPSGraphLSTMResults
MPSGraph_LSTMWithSourceTensor_recurrentWeight_inputWeight_bias_initState_initCell_mask_peephole_descriptor_name(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *inputWeight,
	MPSGraphTensor *bias, MPSGraphTensor *initState, MPSGraphTensor *initCell, MPSGraphTensor *mask,
	MPSGraphTensor *peephole, const MPSGraphLSTMDescriptor *descriptor, const char *name);
SLUICE_API MPSGraphLSTMResults
MPSGraph_LSTMWithSourceTensor_recurrentWeight_inputWeight_bias_initState_initCell_descriptor_name(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *inputWeight,
	MPSGraphTensor *bias, MPSGraphTensor *initState, MPSGraphTensor *initCell,
	const MPSGraphLSTMDescriptor *descriptor, const char *name);
SLUICE_API MPSGraphLSTMResults MPSGraph_LSTMWithSourceTensor_recurrentWeight_initState_initCell_descriptor_name(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *initState,
	MPSGraphTensor *initCell, const MPSGraphLSTMDescriptor *descriptor, const char *name);

/* The full names of three methods are longer than a line: they are put together of two halves. */
#define SLUICE_MPSGRAPH_JOIN(head, tail) head##tail

/* The gradients of an LSTM with the same tensors and descriptor, from its results zState and cellOutputFwd, which may
 * have gone through other nodes or another run. sourceGradient, of the result h, may be NULL here, as may all incoming
 * gradients. stateGradient and cellGradient, of h and c after the last processed step, are shaped as initState. */
SLUICE_API MPSGraphLSTMGradientsResults SLUICE_MPSGRAPH_JOIN(
	MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_,
	stateGradient_cellGradient_inputWeight_bias_initState_initCell_mask_peephole_descriptor_name)(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *sourceGradient,
	MPSGraphTensor *zState, MPSGraphTensor *cellOutputFwd, MPSGraphTensor *stateGradient,
	MPSGraphTensor *cellGradient, MPSGraphTensor *inputWeight, MPSGraphTensor *bias, MPSGraphTensor *initState,
	MPSGraphTensor *initCell, MPSGraphTensor *mask, MPSGraphTensor *peephole,
	const MPSGraphLSTMDescriptor *descriptor, const char *name);
SLUICE_API MPSGraphLSTMGradientsResults SLUICE_MPSGRAPH_JOIN(
	MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_,
	inputWeight_bias_initState_initCell_mask_descriptor_name)(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *sourceGradient,
	MPSGraphTensor *zState, MPSGraphTensor *cellOutputFwd, MPSGraphTensor *inputWeight, MPSGraphTensor *bias,
	MPSGraphTensor *initState, MPSGraphTensor *initCell, MPSGraphTensor *mask,
	const MPSGraphLSTMDescriptor *descriptor, const char *name);
SLUICE_API MPSGraphLSTMGradientsResults SLUICE_MPSGRAPH_JOIN(
	MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_,
	inputWeight_bias_initState_initCell_descriptor_name)(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *sourceGradient,
	MPSGraphTensor *zState, MPSGraphTensor *cellOutputFwd, MPSGraphTensor *inputWeight, MPSGraphTensor *bias,
	MPSGraphTensor *initState, MPSGraphTensor *initCell, const MPSGraphLSTMDescriptor *descriptor,
	const char *name);
SLUICE_API MPSGraphLSTMGradientsResults
MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_descriptor_name(
	MPSGraph *graph, MPSGraphTensor *source, MPSGraphTensor *recurrentWeight, MPSGraphTensor *sourceGradient,
	MPSGraphTensor *zState, MPSGraphTensor *cellOutputFwd, const MPSGraphLSTMDescriptor *descriptor,
	const char *name);

/* Short names of the longest of each. */
#define MPSGraph_LSTM \
	MPSGraph_LSTMWithSourceTensor_recurrentWeight_inputWeight_bias_initState_initCell_mask_peephole_descriptor_name
#define MPSGraph_LSTMGradients                                                                               \
	SLUICE_MPSGRAPH_JOIN(                                                                                \
		MPSGraph_LSTMGradientsWithSourceTensor_recurrentWeight_sourceGradient_zState_cellOutputFwd_, \
		stateGradient_cellGradient_inputWeight_bias_initState_initCell_mask_peephole_descriptor_name)

/* ---------------------------------------------------------------------------------------------------- runs ---- */

/* The caller's memory, which is not copied and outlives the object, as a tensor's data. */
SLUICE_API MPSGraphTensorData *MPSGraphTensorData_initWithData_shape_dataType(void *data, const MPSShape *shape,
									      MPSDataType dataType);
SLUICE_API MPSGraphTensorData *MPSGraphTensorData_retain(MPSGraphTensorData *data);
SLUICE_API void MPSGraphTensorData_release(MPSGraphTensorData *data);
SLUICE_API void *MPSGraphTensorData_data(const MPSGraphTensorData *data);
SLUICE_API size_t MPSGraphTensorData_shape(const MPSGraphTensorData *data, size_t shape[SLUICE_MPSGRAPH_RANK]);
SLUICE_API MPSDataType MPSGraphTensorData_dataType(const MPSGraphTensorData *data);

/* Computes the targets and nothing that they do not need. The results, one for each target tensor, are handed over. A
 * graph keeps the workspaces of its last eight kinds of runs: the same feeds and targets in the same order. */
SLUICE_API int
MPSGraph_runWithFeeds_targetTensors_targetOperations(MPSGraph *graph, const sluice_mpsgraph_pair *feeds,
						     size_t feedCount, MPSGraphTensor *const *targetTensors,
						     size_t targetCount, MPSGraphOperation *const *targetOperations,
						     size_t operationCount, MPSGraphTensorData **results);
/* The same, into memory of the caller's. Here and below a result shares no memory with a feed or another result. */
SLUICE_API int MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(
	MPSGraph *graph, void *commandQueue, const sluice_mpsgraph_pair *feeds, size_t feedCount,
	MPSGraphOperation *const *targetOperations, size_t operationCount, const sluice_mpsgraph_pair *results,
	size_t resultCount);

/* What the targets need of the graph, laid out once, with feeds and targets in a fixed order. It retains the graph. */
SLUICE_API MPSGraphExecutable *MPSGraph_compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
	MPSGraph *graph, void *device, MPSGraphTensor *const *feeds, size_t feedCount,
	MPSGraphTensor *const *targetTensors, size_t targetCount, MPSGraphOperation *const *targetOperations,
	size_t operationCount, void *compilationDescriptor);
SLUICE_API MPSGraphExecutable *MPSGraphExecutable_retain(MPSGraphExecutable *executable);
SLUICE_API void MPSGraphExecutable_release(MPSGraphExecutable *executable);

/* One input for each feed and one result for each target tensor. Several threads may run one executable; as many
 * workspaces are kept as there were runs at once, and a run that finds one allocates nothing. */
SLUICE_API int MPSGraphExecutable_runWithMTLCommandQueue_inputsArray_resultsArray_executionDescriptor(
	MPSGraphExecutable *executable, void *commandQueue, MPSGraphTensorData *const *inputs, size_t inputCount,
	MPSGraphTensorData *const *results, size_t resultCount,
	const MPSGraphExecutableExecutionDescriptor *executionDescriptor);

/* A seed of one run's own, for runs at the same time. */
SLUICE_API MPSGraphExecutableExecutionDescriptor *MPSGraphExecutableExecutionDescriptor_new(void);
SLUICE_API MPSGraphExecutableExecutionDescriptor *
MPSGraphExecutableExecutionDescriptor_retain(MPSGraphExecutableExecutionDescriptor *descriptor);
SLUICE_API void MPSGraphExecutableExecutionDescriptor_release(MPSGraphExecutableExecutionDescriptor *descriptor);
SLUICE_API int sluice_mpsgraph_execution_set_seed(MPSGraphExecutableExecutionDescriptor *descriptor, uint64_t seed);

#ifdef __cplusplus
}
#endif

#endif
