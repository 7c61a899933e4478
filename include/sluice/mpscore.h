/*
 * mpscore.h: what the layers of mps.h are made of and work on: neurons, convolutions, sources of weights, matrices,
 * images, command buffers. mps.h says how names, objects and failures are meant, and includes this header.
 */
#ifndef SLUICE_MPSCORE_H
#define SLUICE_MPSCORE_H

#include <stddef.h>
#include <stdint.h>

#include "mpstypes.h"
#include "sluice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names longer than a line are put together of their parts; the longest methods have short names beside them. */
#define SLUICE_MPS_JOIN(head, tail) head##tail
#define SLUICE_MPS_JOIN3(head, middle, tail) head##middle##tail

/* Why this thread's last failing call failed. Never NULL; valid until its next failing call. */
SLUICE_API const char *sluice_mps_last_message(void);

/* The counting of a class. */
#define SLUICE_MPS_COUNTED(class)                        \
	SLUICE_API class *class##_retain(class *object); \
	SLUICE_API void class##_release(class *object);

/* ------------------------------------------------------------------------------------------------- neurons ---- */

/* Formulas in a, b and c, which are taken literally: a TanH whose a and b are 0 is 0. */
typedef enum MPSCNNNeuronType {
	MPSCNNNeuronTypeNone = 0,         /* x */
	MPSCNNNeuronTypeReLU = 1,         /* x, a x below 0 */
	MPSCNNNeuronTypeLinear = 2,       /* a x + b */
	MPSCNNNeuronTypeSigmoid = 3,      /* 1 / (1 + e^-x) */
	MPSCNNNeuronTypeHardSigmoid = 4,  /* a x + b between 0 and 1 */
	MPSCNNNeuronTypeTanH = 5,         /* a tanh(b x) */
	MPSCNNNeuronTypeAbsolute = 6,     /* |x| */
	MPSCNNNeuronTypeSoftPlus = 7,     /* a log(1 + e^(b x)) */
	MPSCNNNeuronTypeSoftSign = 8,     /* x / (1 + |x|) */
	MPSCNNNeuronTypeELU = 9,          /* x, a (e^x - 1) below 0 */
	MPSCNNNeuronTypePReLU = 10,       /* ReLU with an a for each unit: data */
	MPSCNNNeuronTypeReLUN = 11,       /* ReLU, at most b; its slope beyond b is 0 */
	MPSCNNNeuronTypePower = 12,       /* (a x + b)^c */
	MPSCNNNeuronTypeExponential = 13, /* c^(a x + b), e for c if it is -1 */
	MPSCNNNeuronTypeLogarithm = 14,   /* log to base c of a x + b, e for c if it is -1 */
	MPSCNNNeuronTypeGeLU = 15         /* x (1 + erf(x / sqrt 2)) / 2 */
} MPSCNNNeuronType;

typedef struct MPSNNNeuronDescriptor MPSNNNeuronDescriptor;
SLUICE_MPS_COUNTED(MPSNNNeuronDescriptor)

/* Numbers that are not given are 0. */
SLUICE_API MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType(MPSCNNNeuronType neuronType);
SLUICE_API MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a(MPSCNNNeuronType neuronType,
										      float a);
SLUICE_API MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b(MPSCNNNeuronType neuronType,
											float a, float b);
SLUICE_API MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_cnnNeuronDescriptorWithType_a_b_c(MPSCNNNeuronType neuronType,
											  float a, float b, float c);
/* A PReLU with `count` slopes, one for each unit, as many as the layer that uses it has. noCopy: they are read when a
 * layer is created and stay the caller's; otherwise they are copied. */
SLUICE_API MPSNNNeuronDescriptor *
MPSNNNeuronDescriptor_cnnNeuronPReLUDescriptorWithData_noCopy(const float *data, size_t count, int noCopy);
SLUICE_API MPSNNNeuronDescriptor *MPSNNNeuronDescriptor_copy(const MPSNNNeuronDescriptor *descriptor);
SLUICE_API MPSCNNNeuronType MPSNNNeuronDescriptor_neuronType(const MPSNNNeuronDescriptor *descriptor);
SLUICE_API void MPSNNNeuronDescriptor_setNeuronType(MPSNNNeuronDescriptor *descriptor, MPSCNNNeuronType neuronType);
SLUICE_API float MPSNNNeuronDescriptor_a(const MPSNNNeuronDescriptor *descriptor);
SLUICE_API void MPSNNNeuronDescriptor_setA(MPSNNNeuronDescriptor *descriptor, float a);
SLUICE_API float MPSNNNeuronDescriptor_b(const MPSNNNeuronDescriptor *descriptor);
SLUICE_API void MPSNNNeuronDescriptor_setB(MPSNNNeuronDescriptor *descriptor, float b);
SLUICE_API float MPSNNNeuronDescriptor_c(const MPSNNNeuronDescriptor *descriptor);
SLUICE_API void MPSNNNeuronDescriptor_setC(MPSNNNeuronDescriptor *descriptor, float c);
/* Slopes of a PReLU, NULL without. count may be NULL. */
SLUICE_API const float *MPSNNNeuronDescriptor_data(const MPSNNNeuronDescriptor *descriptor, size_t *count);

/* -------------------------------------------------------------------------------------- weights: convolution --- */

typedef struct MPSCNNConvolutionDescriptor MPSCNNConvolutionDescriptor;
SLUICE_MPS_COUNTED(MPSCNNConvolutionDescriptor)

/* A kernel, without a neuron, strides, groups and dilation 1. Sizes are at least 1. */
SLUICE_API MPSCNNConvolutionDescriptor *
	SLUICE_MPS_JOIN(MPSCNNConvolutionDescriptor_cnnConvolutionDescriptorWithKernelWidth_,
			kernelHeight_inputFeatureChannels_outputFeatureChannels)(size_t kernelWidth,
										 size_t kernelHeight,
										 size_t inputFeatureChannels,
										 size_t outputFeatureChannels);
#define MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor                                  \
	SLUICE_MPS_JOIN(MPSCNNConvolutionDescriptor_cnnConvolutionDescriptorWithKernelWidth_, \
			kernelHeight_inputFeatureChannels_outputFeatureChannels)
SLUICE_API MPSCNNConvolutionDescriptor *MPSCNNConvolutionDescriptor_copy(const MPSCNNConvolutionDescriptor *descriptor);

/* Name and default of each number. */
#define SLUICE_MPS_CONVOLUTION_PROPERTIES(X)            \
	X(kernelWidth, KernelWidth)                     \
	X(kernelHeight, KernelHeight)                   \
	X(inputFeatureChannels, InputFeatureChannels)   \
	X(outputFeatureChannels, OutputFeatureChannels) \
	X(strideInPixelsX, StrideInPixelsX)             \
	X(strideInPixelsY, StrideInPixelsY)             \
	X(groups, Groups)                               \
	X(dilationRateX, DilationRateX)                 \
	X(dilationRateY, DilationRateY)

/* size_t MPSCNNConvolutionDescriptor_kernelWidth(descriptor), void ..._setKernelWidth(descriptor, value), ... Values
 * are checked where a layer reads them. */
#define SLUICE_MPS_CONVOLUTION_PROPERTY(name, Name)                                                          \
	SLUICE_API size_t MPSCNNConvolutionDescriptor_##name(const MPSCNNConvolutionDescriptor *descriptor); \
	SLUICE_API void MPSCNNConvolutionDescriptor_set##Name(MPSCNNConvolutionDescriptor *descriptor, size_t name);
SLUICE_MPS_CONVOLUTION_PROPERTIES(SLUICE_MPS_CONVOLUTION_PROPERTY)
#undef SLUICE_MPS_CONVOLUTION_PROPERTY

/* The neuron; never NULL in a descriptor, its type None by default. The setter copies it; NULL: None. */
SLUICE_API const MPSNNNeuronDescriptor *
MPSCNNConvolutionDescriptor_fusedNeuronDescriptor(const MPSCNNConvolutionDescriptor *descriptor);
SLUICE_API int MPSCNNConvolutionDescriptor_setFusedNeuronDescriptor(MPSCNNConvolutionDescriptor *descriptor,
								    const MPSNNNeuronDescriptor *neuron);
/* The same with c = 0; deprecated by Apple. */
SLUICE_API int MPSCNNConvolutionDescriptor_setNeuronType_parameterA_parameterB(MPSCNNConvolutionDescriptor *descriptor,
									       MPSCNNNeuronType neuronType,
									       float parameterA, float parameterB);

/* --------------------------------------------------------------------------------------- weights: data source -- */

typedef enum MPSCNNWeightsQuantizationType {
	MPSCNNWeightsQuantizationTypeNone = 0,
	MPSCNNWeightsQuantizationTypeLinear = 1,
	MPSCNNWeightsQuantizationTypeLookupTable = 2
} MPSCNNWeightsQuantizationType;

typedef enum MPSCNNConvolutionWeightsLayout { MPSCNNConvolutionWeightsLayoutOHWI = 0 } MPSCNNConvolutionWeightsLayout;

/* Weights of one gate, from one source. The functions are Apple's methods, called with `user`; those marked optional
 * may be NULL.
 *
 * When: sources are read while a layer is created, gate by gate, and never afterwards. In each: load; then descriptor
 * and dataType; then what else is needed, each once; then purge. Every load is followed by one purge, also where the
 * creation fails, except a load that returned 0. They are called in the thread that creates the layer; layers may be
 * created from the same source in several threads at once.
 *
 * What: weights[out][kernel height][kernel width][in / groups], of dataType. For a matrix layer the kernel is 1 x 1, so
 * that is W, row-major [H][I]. Recurrent weights have in = out = H. Memory weights likewise, or if
 * memoryWeightsAreDiagonal H numbers: out = H, in = H or 1, groups = 1 or in, and a kernel of 1 x 1.
 * Bias and neuron are those of a gate's input source; those of recurrent and memory sources are not read. */
typedef struct MPSCNNConvolutionDataSource {
	size_t size;
	void *user;
	MPSDataType (*dataType)(void *user); /* UInt8, Float16 or Float32 */
	/* Lives at least until purge. */
	const MPSCNNConvolutionDescriptor *(*descriptor)(void *user);
	void *(*weights)(void *user);    /* not called where W is the identity; lives until purge, as all below */
	float *(*biasTerms)(void *user); /* [out], Float32 always; NULL: zeros */
	int (*load)(void *user);         /* 0: no weights; the creation fails */
	void (*purge)(void *user);
	const char *(*label)(void *user); /* optional, may return NULL: names the source in sentences */
	/* Optional: how weights of type UInt8 are meant, for Linear and LookupTable. Without weightsQuantizationType
	 * they are meant linear if there is rangesForUInt8Kernel, else by table. */
	float *(*rangesForUInt8Kernel)(void *user);      /* [out][2], min and max: w = u / 255 (max - min) + min */
	float *(*lookupTableForUInt8Kernel)(void *user); /* [256] */
	MPSCNNWeightsQuantizationType (*weightsQuantizationType)(void *user);
	MPSCNNConvolutionWeightsLayout (*weightsLayout)(void *user); /* optional; OHWI */
	/* Optional: Float16 or Float32. Not followed: useFloat32Weights decides. */
	MPSDataType (*kernelWeightsDataType)(void *user);
	/* Optional, both or none: called for each reference to `user` that a descriptor or its copy takes and gives
	 * back. Without them `user` must outlive those. */
	void (*retain)(void *user);
	void (*release)(void *user);
} MPSCNNConvolutionDataSource;
#define SLUICE_MPS_DATA_SOURCE_INIT SLUICE_SIZED(MPSCNNConvolutionDataSource)

/* ------------------------------------------------------------------------------------------------ matrices ---- */

typedef struct MPSMatrixDescriptor MPSMatrixDescriptor;
SLUICE_MPS_COUNTED(MPSMatrixDescriptor)

/* Element [r,c] of matrix k lies at byte k matrixBytes + r rowBytes + c element. Float32, Float16 or BFloat16. rowBytes
 * is a multiple of the element's size and holds at least `columns`; matrixBytes is a multiple of rowBytes and holds at
 * least `rows`. */
SLUICE_API MPSMatrixDescriptor *
MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(size_t rows, size_t columns, size_t rowBytes,
								       MPSDataType dataType);
SLUICE_API MPSMatrixDescriptor *
MPSMatrixDescriptor_matrixDescriptorWithRows_columns_matrices_rowBytes_matrixBytes_dataType(
	size_t rows, size_t columns, size_t matrices, size_t rowBytes, size_t matrixBytes, MPSDataType dataType);
/* Bytes of a row without gaps; 0 for a type that is not known. */
SLUICE_API size_t MPSMatrixDescriptor_rowBytesFromColumns_dataType(size_t columns, MPSDataType dataType);
SLUICE_API size_t MPSMatrixDescriptor_rows(const MPSMatrixDescriptor *descriptor);
SLUICE_API size_t MPSMatrixDescriptor_columns(const MPSMatrixDescriptor *descriptor);
SLUICE_API size_t MPSMatrixDescriptor_matrices(const MPSMatrixDescriptor *descriptor);
SLUICE_API size_t MPSMatrixDescriptor_rowBytes(const MPSMatrixDescriptor *descriptor);
SLUICE_API size_t MPSMatrixDescriptor_matrixBytes(const MPSMatrixDescriptor *descriptor);
SLUICE_API MPSDataType MPSMatrixDescriptor_dataType(const MPSMatrixDescriptor *descriptor);

typedef struct MPSMatrix MPSMatrix;
SLUICE_MPS_COUNTED(MPSMatrix)

/* The caller's memory, matrices x matrixBytes bytes of it (the gap behind the last row need not be there unless an
 * encode's offset reaches it), which is not copied and outlives the object. It is read and written while command
 * buffers are committed. Layers work on matrix 0; an offset of an encode reaches the others. */
SLUICE_API MPSMatrix *MPSMatrix_initWithBuffer_descriptor(void *buffer, const MPSMatrixDescriptor *descriptor);
/* The same from byte `offset` of the memory on. */
SLUICE_API MPSMatrix *MPSMatrix_initWithBuffer_offset_descriptor(void *buffer, size_t offset,
								 const MPSMatrixDescriptor *descriptor);
/* Memory of its own, zeroed. */
SLUICE_API MPSMatrix *MPSMatrix_initWithDevice_descriptor(void *device, const MPSMatrixDescriptor *descriptor);
SLUICE_API size_t MPSMatrix_rows(const MPSMatrix *matrix);
SLUICE_API size_t MPSMatrix_columns(const MPSMatrix *matrix);
SLUICE_API size_t MPSMatrix_matrices(const MPSMatrix *matrix);
SLUICE_API size_t MPSMatrix_rowBytes(const MPSMatrix *matrix);
SLUICE_API size_t MPSMatrix_matrixBytes(const MPSMatrix *matrix);
SLUICE_API MPSDataType MPSMatrix_dataType(const MPSMatrix *matrix);
/* What initWithBuffer was given; the offset is that of element [0,0] in it. */
SLUICE_API void *MPSMatrix_data(const MPSMatrix *matrix);
SLUICE_API size_t MPSMatrix_offset(const MPSMatrix *matrix);
/* Of temporary weight gradients, see below; 0 of other matrices. */
SLUICE_API int MPSMatrix_isTemporary(const MPSMatrix *matrix);
SLUICE_API size_t MPSMatrix_readCount(const MPSMatrix *matrix);
SLUICE_API void MPSMatrix_setReadCount(MPSMatrix *matrix, size_t readCount);

/* -------------------------------------------------------------------------------------------------- images ---- */

typedef enum MPSImageFeatureChannelFormat {
	MPSImageFeatureChannelFormatNone = 0,    /* refused, */
	MPSImageFeatureChannelFormatUnorm8 = 1,  /* and this, */
	MPSImageFeatureChannelFormatUnorm16 = 2, /* and this */
	MPSImageFeatureChannelFormatFloat16 = 3,
	MPSImageFeatureChannelFormatFloat32 = 4
} MPSImageFeatureChannelFormat;

typedef enum MPSDataLayout {
	MPSDataLayoutHeightxWidthxFeatureChannels = 0,
	MPSDataLayoutFeatureChannelsxHeightxWidth = 1
} MPSDataLayout;

typedef struct MPSImageDescriptor MPSImageDescriptor;
SLUICE_MPS_COUNTED(MPSImageDescriptor)

/* One image, or numberOfImages of them: the N of a step. Sizes are at least 1. usage is not read. */
SLUICE_API MPSImageDescriptor *MPSImageDescriptor_imageDescriptorWithChannelFormat_width_height_featureChannels(
	MPSImageFeatureChannelFormat channelFormat, size_t width, size_t height, size_t featureChannels);
SLUICE_API MPSImageDescriptor *
	SLUICE_MPS_JOIN(MPSImageDescriptor_imageDescriptorWithChannelFormat_width_height_,
			featureChannels_numberOfImages_usage)(MPSImageFeatureChannelFormat channelFormat, size_t width,
							      size_t height, size_t featureChannels,
							      size_t numberOfImages, size_t usage);
#define MPSImageDescriptor_imageDescriptor                                                 \
	SLUICE_MPS_JOIN(MPSImageDescriptor_imageDescriptorWithChannelFormat_width_height_, \
			featureChannels_numberOfImages_usage)
SLUICE_API MPSImageFeatureChannelFormat MPSImageDescriptor_channelFormat(const MPSImageDescriptor *descriptor);
SLUICE_API size_t MPSImageDescriptor_width(const MPSImageDescriptor *descriptor);
SLUICE_API size_t MPSImageDescriptor_height(const MPSImageDescriptor *descriptor);
SLUICE_API size_t MPSImageDescriptor_featureChannels(const MPSImageDescriptor *descriptor);
SLUICE_API size_t MPSImageDescriptor_numberOfImages(const MPSImageDescriptor *descriptor);

typedef struct MPSImage MPSImage;
SLUICE_MPS_COUNTED(MPSImage)

/* Memory of its own, zeroed. */
SLUICE_API MPSImage *MPSImage_initWithDevice_imageDescriptor(void *device, const MPSImageDescriptor *imageDescriptor);
/* The caller's memory, which is not copied and outlives the object: channel c of pixel (x, y) of image n lies at byte
 * n imageBytes + y rowBytes + (x featureChannels + c) element. 0 for either: no gaps. Both are multiples of the
 * element's size. Not Apple's. */
SLUICE_API MPSImage *sluice_mps_image(void *buffer, size_t rowBytes, size_t imageBytes,
				      const MPSImageDescriptor *imageDescriptor);
SLUICE_API MPSImageFeatureChannelFormat MPSImage_featureChannelFormat(const MPSImage *image);
SLUICE_API size_t MPSImage_width(const MPSImage *image);
SLUICE_API size_t MPSImage_height(const MPSImage *image);
SLUICE_API size_t MPSImage_featureChannels(const MPSImage *image);
SLUICE_API size_t MPSImage_numberOfImages(const MPSImage *image);
/* One whole image, to and from bytes without gaps, of the image's own type. */
SLUICE_API int MPSImage_readBytes_dataLayout_imageIndex(const MPSImage *image, void *dataBytes,
							MPSDataLayout dataLayout, size_t imageIndex);
SLUICE_API int MPSImage_writeBytes_dataLayout_imageIndex(MPSImage *image, const void *dataBytes,
							 MPSDataLayout dataLayout, size_t imageIndex);

/* ------------------------------------------------------------------------------------------ command buffers ---- */

/* Calls to be done, in the order in which they were encoded. An encode checks everything and fixes all sizes; if it
 * refuses, nothing was added. commit does the calls in the calling thread: data and weight matrices are read then, and
 * what the calls need was retained. Once a layer has done a call of some shape, the next ones of that shape allocate
 * nothing in commit. */
typedef struct MPSCommandBuffer MPSCommandBuffer;
SLUICE_MPS_COUNTED(MPSCommandBuffer)

typedef enum MTLCommandBufferStatus {
	MTLCommandBufferStatusNotEnqueued = 0,
	MTLCommandBufferStatusEnqueued = 1,  /* never here, */
	MTLCommandBufferStatusCommitted = 2, /* under way in another thread */
	MTLCommandBufferStatusScheduled = 3, /* and never this */
	MTLCommandBufferStatusCompleted = 4,
	MTLCommandBufferStatusError = 5
} MTLCommandBufferStatus;

SLUICE_API MPSCommandBuffer *MPSCommandBuffer_commandBufferFromCommandQueue(void *commandQueue);
/* Fails if it was committed before, or if a call fails, for lack of memory or because the forward call whose
 * gradients it computes was not committed: the calls after it are not done then. */
SLUICE_API int MPSCommandBuffer_commit(MPSCommandBuffer *commandBuffer);
/* Waits for a commit in another thread; fails if there was no commit, or if it failed. */
SLUICE_API int MPSCommandBuffer_waitUntilCompleted(MPSCommandBuffer *commandBuffer);
SLUICE_API MTLCommandBufferStatus MPSCommandBuffer_status(MPSCommandBuffer *commandBuffer);
/* Why the commit failed; NULL if it did not. Valid as long as the object. */
SLUICE_API const char *MPSCommandBuffer_error(MPSCommandBuffer *commandBuffer);

#ifdef __cplusplus
}
#endif

#endif
