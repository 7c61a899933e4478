/*
 * test_mps_refusals.c: what MPS's matrices, images, command buffers and encodes refuse: NULL or not 0, a sentence that
 * names the argument, nothing added to the buffer and no byte of a result changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mps_gallery.h"

enum { STEPS = 2, ROWS = 3, I = 2, F = 3, FILL = 0x5A };

static void assert_says(const char *words)
{
	if (!strstr(sluice_mps_last_message(), words))
		fail_msg("\"%s\" says nothing of \"%s\"", sluice_mps_last_message(), words);
}

#define assert_null_says(call, words) \
	do {                          \
		assert_null(call);    \
		assert_says(words);   \
	} while (0)
#define assert_refused(call, words)            \
	do {                                   \
		assert_int_not_equal(call, 0); \
		assert_says(words);            \
	} while (0)

/* ------------------------------------------------------------------------------------------ matrices, images ---- */

static MPSMatrixDescriptor *five(size_t rows, size_t columns, size_t matrices, size_t row_bytes, size_t matrix_bytes)
{
	return MPSMatrixDescriptor_matrixDescriptorWithRows_columns_matrices_rowBytes_matrixBytes_dataType(
		rows, columns, matrices, row_bytes, matrix_bytes, MPSDataTypeFloat32);
}

static void test_matrices(void **unused)
{
	(void)unused;
	MPSMatrixDescriptor *fine = five(2, 3, 1, 12, 24);
	int object;

	assert_mps(fine);
	assert_null_says(MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(1, 1, 4, 0x20000020u),
			 "dataType is 0x20000020, expected Float32, Float16 or BFloat16");
	assert_null_says(
		MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(1, 1, 4, MPSDataTypeUInt8),
		"dataType is UInt8");
	assert_null_says(MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(SIZE_MAX / 4, 1, 8,
												MPSDataTypeFloat32),
			 "rows of 8 bytes are too large");
	assert_null_says(five(0, 3, 1, 12, 24), "0 rows, 3 columns and 1 matrices");
	assert_null_says(five(2, 0, 1, 12, 24), "expected at least 1 of each");
	assert_null_says(five(2, 3, 0, 12, 24), "0 matrices");
	assert_null_says(five(2, 3, 1, 8, 24), "rowBytes is 8");
	assert_null_says(five(2, 3, 1, 13, 26), "rowBytes is 13, expected a multiple of 4 that holds 3 columns");
	assert_null_says(five(2, 3, 1, 12, 12), "matrixBytes is 12");
	assert_null_says(five(2, 3, 1, 12, 30), "matrixBytes is 30, expected a multiple of rowBytes = 12 that holds 2");
	assert_null_says(five(2, 3, SIZE_MAX / 16, 12, 24), "matrices of 24 bytes are too large");
	assert_int_equal(MPSMatrixDescriptor_rowBytesFromColumns_dataType(3, MPSDataTypeUInt8), 0);
	assert_null_says(MPSMatrix_initWithBuffer_descriptor(NULL, fine), "buffer is NULL");
	assert_null_says(MPSMatrix_initWithBuffer_descriptor(&object, NULL), "descriptor is NULL");
	assert_null_says(MPSMatrix_initWithDevice_descriptor(&object, fine), "device is");
	assert_null_says(MPSMatrix_initWithDevice_descriptor(NULL, NULL), "descriptor is NULL");
	MPSMatrixDescriptor_release(fine);
}

static MPSImageDescriptor *image_described(MPSImageFeatureChannelFormat format, size_t width, size_t height,
					   size_t channels, size_t count)
{
	return MPSImageDescriptor_imageDescriptor(format, width, height, channels, count, 0);
}

static void test_images(void **unused)
{
	(void)unused;
	const MPSImageFeatureChannelFormat single = MPSImageFeatureChannelFormatFloat32;
	MPSImageDescriptor *fine = image_described(single, 2, 3, 4, 5);
	MPSImage *image = MPSImage_initWithDevice_imageDescriptor(NULL, fine);
	float numbers[2 * 3 * 4 * 5];

	assert_mps(image);
	for (int format = MPSImageFeatureChannelFormatNone; format <= MPSImageFeatureChannelFormatUnorm16; format++)
		assert_null_says(image_described((MPSImageFeatureChannelFormat)format, 1, 1, 1, 1),
				 "expected Float16 (3) or Float32 (4)");
	assert_null_says(image_described((MPSImageFeatureChannelFormat)5, 1, 1, 1, 1), "channelFormat is 5");
	assert_null_says(image_described(single, 0, 1, 1, 1), "expected each to be at least 1");
	assert_null_says(image_described(single, 1, 0, 1, 1), "1 x 0");
	assert_null_says(image_described(single, 1, 1, 0, 1), "0 channels");
	assert_null_says(image_described(single, 1, 1, 1, 0), "0 images");
	assert_null_says(image_described(single, (size_t)1 << 40, (size_t)1 << 40, 1, 1), "are too large");
	assert_null_says(MPSImage_initWithDevice_imageDescriptor(NULL, NULL), "imageDescriptor is NULL");
	assert_null_says(MPSImage_initWithDevice_imageDescriptor(numbers, fine), "device is");
	assert_null_says(sluice_mps_image(NULL, 0, 0, fine), "buffer is NULL");
	assert_null_says(sluice_mps_image(numbers, 0, 0, NULL), "imageDescriptor is NULL");
	assert_null_says(sluice_mps_image(numbers, 28, 0, fine),
			 "rowBytes is 28, expected a multiple of 4 and at least 32");
	assert_null_says(sluice_mps_image(numbers, 33, 0, fine), "rowBytes is 33");
	assert_null_says(sluice_mps_image(numbers, SIZE_MAX / 4 * 4, 0, fine), "are too large");
	assert_null_says(sluice_mps_image(numbers, 32, 92, fine),
			 "imageBytes is 92, expected a multiple of 4 and at least 96");
	assert_null_says(sluice_mps_image(numbers, 32, 98, fine), "imageBytes is 98");
	assert_null_says(sluice_mps_image(numbers, 32, SIZE_MAX / 8 * 4, fine), "imageBytes is");
	assert_refused(
		MPSImage_readBytes_dataLayout_imageIndex(NULL, numbers, MPSDataLayoutHeightxWidthxFeatureChannels, 0),
		"the image is NULL");
	assert_refused(
		MPSImage_readBytes_dataLayout_imageIndex(image, NULL, MPSDataLayoutHeightxWidthxFeatureChannels, 0),
		"dataBytes is NULL");
	assert_refused(MPSImage_writeBytes_dataLayout_imageIndex(image, numbers, (MPSDataLayout)2, 0),
		       "dataLayout is 2");
	assert_refused(
		MPSImage_writeBytes_dataLayout_imageIndex(image, numbers, MPSDataLayoutFeatureChannelsxHeightxWidth, 5),
		"imageIndex is 5, expected below 5");
	MPSImage_release(image);
	MPSImageDescriptor_release(fine);
}

/* ------------------------------------------------------------------------------------------- command buffers ---- */

static void test_command_buffers(void **unused)
{
	(void)unused;
	int object;
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	assert_null_says(MPSCommandBuffer_commandBufferFromCommandQueue(&object), "commandQueue is");
	assert_refused(MPSCommandBuffer_commit(NULL), "commandBuffer is NULL");
	assert_refused(MPSCommandBuffer_waitUntilCompleted(NULL), "commandBuffer is NULL");
	assert_refused(MPSCommandBuffer_waitUntilCompleted(buffer), "was not committed");
	assert_mps(MPSCommandBuffer_commit(buffer) == 0);
	assert_refused(MPSCommandBuffer_commit(buffer), "committed before");
	assert_int_equal(MPSCommandBuffer_status(buffer), MTLCommandBufferStatusCompleted);
	MPSCommandBuffer_release(buffer);
}

/* ---------------------------------------------------------------------------------------------------- encodes ---- */

/* A stack of one layer of each direction, which reads I channels, and everything that an encode of it takes. Tests
 * spoil one argument at a time. */
struct stage {
	MPSRNNMatrixInferenceLayer *layer;
	MPSCommandBuffer *buffer;
	unsigned char bytes[3][1024]; /* sources, results and backward results */
	MPSMatrix *x[STEPS], *y[STEPS], *yb[STEPS];
	size_t x_offsets[STEPS], y_offsets[STEPS];
	size_t count;
	MPSRNNRecurrentMatrixState *start, *states[STEPS];
};

static MPSMatrix *matrix_of(void *bytes, size_t offset, size_t rows, size_t columns)
{
	MPSMatrixDescriptor *descriptor = five(rows, columns, 2, 4 * columns, 4 * columns * rows);
	MPSMatrix *matrix = MPSMatrix_initWithBuffer_offset_descriptor(bytes, offset, descriptor);

	assert_mps(matrix);
	MPSMatrixDescriptor_release(descriptor);
	return matrix;
}

static MPSLSTMDescriptor *described(size_t inputs, size_t outputs, int backward)
{
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(inputs, outputs);

	assert_mps(descriptor);
	MPSRNNDescriptor_setLayerSequenceDirection(MPSLSTMDescriptor_asRNNDescriptor(descriptor),
						   backward ? MPSRNNSequenceDirectionBackward
							    : MPSRNNSequenceDirectionForward);
	return descriptor;
}

/* sizes: inputs and outputs of the first layer and of the second, which runs backward unless `forward`. */
static MPSRNNMatrixInferenceLayer *two_layers(const size_t sizes[4], int forward)
{
	MPSLSTMDescriptor *descriptors[] = {described(sizes[0], sizes[1], 0), described(sizes[2], sizes[3], !forward)};
	const MPSRNNDescriptor *bases[] = {MPSLSTMDescriptor_asRNNDescriptor(descriptors[0]),
					   MPSLSTMDescriptor_asRNNDescriptor(descriptors[1])};
	MPSRNNMatrixInferenceLayer *layer = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(NULL, bases, 2);

	assert_mps(layer);
	MPSLSTMDescriptor_release(descriptors[0]);
	MPSLSTMDescriptor_release(descriptors[1]);
	return layer;
}

static void stage_create(struct stage *stage)
{
	const size_t sizes[4] = {I, I, I, I};

	memset(stage, 0, sizeof *stage);
	memset(stage->bytes, FILL, sizeof stage->bytes);
	stage->layer = two_layers(sizes, 0);
	stage->buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	for (size_t t = 0; t < STEPS; t++) {
		stage->x[t] = matrix_of(stage->bytes[0], t * 256, ROWS, I);
		stage->y[t] = matrix_of(stage->bytes[1], t * 256, ROWS, I);
		stage->yb[t] = matrix_of(stage->bytes[2], t * 256, ROWS, I);
	}
	stage->count = STEPS;
	stage->start = sluice_mps_matrix_state(stage->layer, ROWS);
}

/* Nothing was done, and nothing is to be done. */
static void stage_destroy(struct stage *stage)
{
	for (size_t t = 0; t < STEPS; t++) {
		assert_null(stage->states[t]);
		MPSMatrix_release(stage->x[t]);
		MPSMatrix_release(stage->y[t]);
		MPSMatrix_release(stage->yb[t]);
	}
	if (stage->buffer && MPSCommandBuffer_status(stage->buffer) == MTLCommandBufferStatusNotEnqueued)
		assert_mps(MPSCommandBuffer_commit(stage->buffer) == 0);
	for (size_t k = 0; k < sizeof stage->bytes; k++)
		assert_int_equal(((unsigned char *)stage->bytes)[k], FILL);
	MPSCommandBuffer_release(stage->buffer);
	MPSRNNRecurrentMatrixState_release(stage->start);
	MPSRNNMatrixInferenceLayer_release(stage->layer);
}

static void replace(MPSMatrix **matrix, MPSMatrix *with)
{
	MPSMatrix_release(*matrix);
	*matrix = with;
}

#define SPOIL(name) static void name(struct stage *stage)

SPOIL(no_layer)
{
	MPSRNNMatrixInferenceLayer_release(stage->layer);
	stage->layer = NULL;
}
SPOIL(no_buffer)
{
	MPSCommandBuffer_release(stage->buffer);
	stage->buffer = NULL;
}
SPOIL(committed)
{
	assert_mps(MPSCommandBuffer_commit(stage->buffer) == 0);
}
SPOIL(no_steps)
{
	stage->count = 0;
}
SPOIL(all_steps)
{
	stage->count = SIZE_MAX / 2;
}
SPOIL(no_source)
{
	replace(&stage->x[1], NULL);
}
SPOIL(no_result)
{
	replace(&stage->y[0], NULL);
}
SPOIL(source_columns)
{
	replace(&stage->x[0], matrix_of(stage->bytes[0], 0, ROWS, 5));
}
SPOIL(result_columns)
{
	replace(&stage->y[1], matrix_of(stage->bytes[1], 256, ROWS, 5));
}
SPOIL(result_rows)
{
	replace(&stage->y[1], matrix_of(stage->bytes[1], 256, ROWS - 1, I));
}
SPOIL(rows_rise)
{
	replace(&stage->x[0], matrix_of(stage->bytes[0], 0, ROWS - 1, I));
}
SPOIL(source_offset_odd)
{
	stage->x_offsets[1] = 2;
}
SPOIL(result_offset_odd)
{
	stage->y_offsets[0] = 3;
}
SPOIL(source_offset_far)
{
	stage->x_offsets[0] = 4 * I * ROWS + 4;
}
SPOIL(result_offset_huge)
{
	stage->y_offsets[1] = SIZE_MAX / 4 * 4;
}
SPOIL(result_is_source)
{
	replace(&stage->y[0], MPSMatrix_retain(stage->x[1]));
}
SPOIL(results_meet)
{
	replace(&stage->y[0], matrix_of(stage->bytes[1], 256 + 4 * I * ROWS - 4, ROWS, I));
}
SPOIL(start_of_other_layer)
{
	const size_t sizes[4] = {I, 5, 5, I};
	MPSRNNMatrixInferenceLayer *other = two_layers(sizes, 1);

	MPSRNNRecurrentMatrixState_release(stage->start);
	stage->start = sluice_mps_matrix_state(other, ROWS);
	MPSRNNMatrixInferenceLayer_release(other);
}
SPOIL(start_of_one_layer)
{
	MPSLSTMDescriptor *descriptor = described(I, I, 0);
	MPSRNNMatrixInferenceLayer *other = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor));

	MPSRNNRecurrentMatrixState_release(stage->start);
	stage->start = sluice_mps_matrix_state(other, ROWS);
	MPSRNNMatrixInferenceLayer_release(other);
	MPSLSTMDescriptor_release(descriptor);
}
SPOIL(start_rows)
{
	MPSRNNRecurrentMatrixState_release(stage->start);
	stage->start = sluice_mps_matrix_state(stage->layer, ROWS - 1);
}
/* Layers that only bidirectional encodes can use. */
SPOIL(no_stack)
{
	const size_t sizes[4] = {I, 5, I, I};

	MPSRNNMatrixInferenceLayer_release(stage->layer);
	stage->layer = two_layers(sizes, 0);
}
SPOIL(sizes_add)
{
	no_stack(stage);
	MPSRNNMatrixInferenceLayer_setBidirectionalCombineMode(stage->layer, MPSRNNBidirectionalCombineModeAdd);
}
SPOIL(mode)
{
	MPSRNNMatrixInferenceLayer_setBidirectionalCombineMode(stage->layer, (MPSRNNBidirectionalCombineMode)3);
}
SPOIL(one_direction)
{
	const size_t sizes[4] = {I, I, I, I};

	MPSRNNMatrixInferenceLayer_release(stage->layer);
	stage->layer = two_layers(sizes, 1);
}
SPOIL(other_inputs)
{
	const size_t sizes[4] = {I, 5, 5, I};

	MPSRNNMatrixInferenceLayer_release(stage->layer);
	stage->layer = two_layers(sizes, 0);
}
SPOIL(no_backward_result)
{
	replace(&stage->yb[1], NULL);
}
SPOIL(directions_meet)
{
	replace(&stage->yb[0], MPSMatrix_retain(stage->y[1]));
}

enum { SEQUENCE = 1, BIDIRECTIONAL = 2, BOTH = 3 };

static const struct {
	void (*spoil)(struct stage *stage);
	int calls;
	const char *words;
} spoils[] = {
	{no_layer, BOTH, "layer is NULL, expected a layer"},
	{no_buffer, BOTH, "commandBuffer is NULL, expected a command buffer"},
	{committed, BOTH, "commandBuffer was committed before"},
	{no_steps, BOTH, "count is 0, expected at least one step"},
	{all_steps, BOTH, "expected at least one step, and no more than there can be"},
	{no_source, SEQUENCE, "sourceMatrices[1] is NULL, expected a matrix"},
	{no_source, BIDIRECTIONAL, "sourceSequence[1] is NULL, expected a matrix"},
	{no_result, SEQUENCE, "destinationMatrices[0] is NULL, expected a matrix"},
	{no_result, BIDIRECTIONAL, "destinationForwardMatrices[0] is NULL, expected a matrix"},
	{no_backward_result, BIDIRECTIONAL, "destinationBackwardMatrices[1] is NULL, expected a matrix"},
	{source_columns, BOTH, "[0] has 5 columns, expected 2"},
	{result_columns, BOTH, "[1] has 5 columns, expected 2"},
	{result_rows, BOTH, "[1] has 2 rows, expected at least 3"},
	{rows_rise, BOTH, "source"},
	{source_offset_odd, SEQUENCE, "sourceMatrices[1]: the offset is 2, expected a multiple of 4"},
	{result_offset_odd, SEQUENCE, "destinationMatrices[0]: the offset is 3, expected a multiple of 4"},
	{source_offset_far, SEQUENCE, "sourceMatrices[0]: the offset is 28, expected at most 24"},
	{result_offset_huge, SEQUENCE, "destinationMatrices[1]: the offset is"},
	{result_is_source, BOTH, "destinations share memory"},
	{results_meet, BOTH, "destinations share memory with each other or with what is read"},
	{directions_meet, BIDIRECTIONAL, "destinations share memory"},
	{start_of_other_layer, SEQUENCE, "recurrentInputState has 5 channels in layer 0, expected 2"},
	{start_of_one_layer, SEQUENCE, "recurrentInputState is of 1 layers, expected 2"},
	{start_rows, SEQUENCE, "recurrentInputState has 2 rows, expected at least 3"},
	{no_stack, SEQUENCE, "the layers as they stand are no stack"},
	{sizes_add, BIDIRECTIONAL, "5 channels of the Forward layers and 2 of the Backward layers cannot be added"},
	{mode, BIDIRECTIONAL, "bidirectionalCombineMode is 3, expected 0 to 2"},
	{one_direction, BIDIRECTIONAL, "no layer has the layerSequenceDirection Backward"},
	{other_inputs, BIDIRECTIONAL, "the first Forward layer reads 2 channels, the first Backward layer 5"},
};

static void sequence_refused(const char *words, struct stage *stage)
{
	assert_refused(MPSRNNMatrixInferenceLayer_encodeSequence(stage->layer, stage->buffer, stage->x,
								 stage->x_offsets, stage->y, stage->y_offsets,
								 stage->count, stage->start, stage->states),
		       words);
}

static void bidirectional_refused(const char *words, struct stage *stage)
{
	assert_refused(MPSRNNMatrixInferenceLayer_encodeBidirectionalSequence(stage->layer, stage->buffer, stage->x,
									      stage->y, stage->yb, stage->count),
		       words);
}

static void test_encodes(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < sizeof spoils / sizeof *spoils; k++) {
		struct stage stage;

		stage_create(&stage);
		spoils[k].spoil(&stage);
		if (spoils[k].calls & SEQUENCE)
			sequence_refused(spoils[k].words, &stage);
		if (spoils[k].calls & BIDIRECTIONAL)
			bidirectional_refused(spoils[k].words, &stage);
		stage_destroy(&stage);
	}
}

/* Arrays that are not there at all. */
static void test_no_arrays(void **unused)
{
	(void)unused;
	struct stage s;

	stage_create(&s);
	assert_refused(
		MPSRNNMatrixInferenceLayer_encodeSequence(s.layer, s.buffer, NULL, NULL, s.y, NULL, STEPS, NULL, NULL),
		"sourceMatrices is NULL, expected an array");
	assert_refused(
		MPSRNNMatrixInferenceLayer_encodeSequence(s.layer, s.buffer, s.x, NULL, NULL, NULL, STEPS, NULL, NULL),
		"destinationMatrices is NULL, expected an array");
	assert_refused(MPSRNNMatrixInferenceLayer_encodeBidirectionalSequence(s.layer, s.buffer, s.x, s.y, NULL, STEPS),
		       "destinationBackwardMatrices is NULL, expected an array");
	stage_destroy(&s);
}

/* A chain whose layers do not fit each other, beside one that does. */
static void test_chain_that_does_not_fit(void **unused)
{
	(void)unused;
	struct stage s;
	MPSLSTMDescriptor *descriptors[] = {described(I, 5, 0), described(5, 4, 1), described(4, I, 0)};
	const MPSRNNDescriptor *bases[3];

	for (size_t k = 0; k < 3; k++)
		bases[k] = MPSLSTMDescriptor_asRNNDescriptor(descriptors[k]);
	stage_create(&s);
	MPSRNNMatrixInferenceLayer_release(s.layer);
	s.layer = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(NULL, bases, 3);
	assert_mps(s.layer);
	bidirectional_refused("a Forward layer does not read what the Forward layer below it puts out", &s);
	stage_destroy(&s);
	for (size_t k = 0; k < 3; k++)
		MPSLSTMDescriptor_release(descriptors[k]);
}

/* Temporary states go by their read counts. */
static void test_used_states(void **unused)
{
	(void)unused;
	struct stage s;
	MPSRNNRecurrentMatrixState *state;

	stage_create(&s);
	assert_null_says(sluice_mps_matrix_state(s.layer, 0), "rows is 0, expected at least 1");
	assert_null_says(sluice_mps_matrix_state(NULL, 1), "layer is NULL");
	MPSRNNMatrixInferenceLayer_setRecurrentOutputIsTemporary(s.layer, 1);
	MPSCommandBuffer *other = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	unsigned char kept[sizeof s.bytes];

	memcpy(kept, s.bytes, sizeof kept);
	assert_mps(MPSRNNMatrixInferenceLayer_encodeSequence(s.layer, other, s.x, NULL, s.y, NULL, STEPS, NULL,
							     &state) == 0);
	assert_true(MPSRNNRecurrentMatrixState_isTemporary(state));
	assert_int_equal(MPSRNNRecurrentMatrixState_readCount(state), 1);
	assert_non_null(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(state, 0));
	MPSRNNRecurrentMatrixState_setReadCount(state, 0);
	assert_null(MPSRNNRecurrentMatrixState_getMemoryCellMatrixForLayerIndex(state, 0));
	MPSRNNRecurrentMatrixState_release(s.start);
	s.start = state;
	sequence_refused("recurrentInputState is temporary and its read count is 0", &s);
	/* Never committed: its call was never done. */
	MPSCommandBuffer_release(other);
	assert_memory_equal(kept, s.bytes, sizeof kept);
	stage_destroy(&s);
}

static void test_image_encodes(void **unused)
{
	(void)unused;
	const MPSImageFeatureChannelFormat single = MPSImageFeatureChannelFormatFloat32;
	MPSLSTMDescriptor *descriptor = described(I, F, 0);
	MPSRNNImageInferenceLayer *layer = MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptor(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor));
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	const size_t sizes[][4] = {{4, 3, I, 2}, {4, 3, F, 2}, {5, 3, F, 2},
				   {4, 2, F, 2}, {4, 3, F, 1}, {4, 3, I + 5, 2}};
	enum { X, Y, WIDER, LOWER, FEWER, CHANNELS, COUNT };
	MPSImage *images[COUNT];
	MPSRNNRecurrentImageState *start;

	assert_mps(layer);
	for (size_t k = 0; k < COUNT; k++) {
		MPSImageDescriptor *d = image_described(single, sizes[k][0], sizes[k][1], sizes[k][2], sizes[k][3]);

		images[k] = MPSImage_initWithDevice_imageDescriptor(NULL, d);
		assert_mps(images[k]);
		MPSImageDescriptor_release(d);
	}
	const struct {
		MPSImage *const *x, *const *y;
		const char *words;
	} calls[] = {
		{NULL, &images[Y], "sourceImages is NULL, expected an array"},
		{&images[X], NULL, "destinationImages is NULL, expected an array"},
		{(MPSImage *const[]){NULL}, &images[Y], "sourceImages[0] is NULL, expected an image"},
		{&images[CHANNELS], &images[Y], "sourceImages[0] has 7 channels, expected 2"},
		{&images[X], &images[X], "destinationImages[0] has 2 channels, expected 3"},
		{&images[X], &images[WIDER], "destinationImages[0] is 5 x 3, expected 4 x 3 as the first source"},
		{&images[X], &images[LOWER], "destinationImages[0] is 4 x 2, expected 4 x 3"},
		{&images[X], &images[FEWER], "destinationImages[0] has 1 images, expected 2 as the first source"},
	};

	for (size_t k = 0; k < sizeof calls / sizeof *calls; k++)
		assert_refused(
			MPSRNNImageInferenceLayer_encodeSequence(layer, buffer, calls[k].x, calls[k].y, 1, NULL, NULL),
			calls[k].words);
	assert_null_says(sluice_mps_image_state(NULL, 1, 1, 1), "layer is NULL");
	assert_null_says(sluice_mps_image_state(layer, 0, 1, 1), "0 x 1, expected at least 1 x 1");
	assert_null_says(sluice_mps_image_state(layer, 1, 1, 0), "expected each to be at least 1");
	assert_null_says(sluice_mps_matrix_state(layer, 1), "layer is one of images, expected one of matrices");
	start = sluice_mps_image_state(layer, 5, 3, 2);
	assert_refused(MPSRNNImageInferenceLayer_encodeSequence(layer, buffer, &images[X], &images[Y], 1, start, NULL),
		       "recurrentInputState has images of 5 x 3, expected 4 x 3");
	MPSRNNRecurrentImageState_release(start);
	start = sluice_mps_image_state(layer, 4, 3, 3);
	assert_refused(MPSRNNImageInferenceLayer_encodeSequence(layer, buffer, &images[X], &images[Y], 1, start, NULL),
		       "recurrentInputState has 3 images, expected 2");
	MPSRNNRecurrentImageState_release(start);
	assert_refused(MPSRNNImageInferenceLayer_encodeSequence(NULL, buffer, &images[X], &images[Y], 1, NULL, NULL),
		       "layer is NULL");
	for (size_t k = 0; k < COUNT; k++)
		MPSImage_release(images[k]);
	MPSCommandBuffer_release(buffer);
	MPSRNNImageInferenceLayer_release(layer);
	MPSLSTMDescriptor_release(descriptor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrices),    cmocka_unit_test(test_images),
		cmocka_unit_test(test_encodes),     cmocka_unit_test(test_command_buffers),
		cmocka_unit_test(test_no_arrays),   cmocka_unit_test(test_chain_that_does_not_fit),
		cmocka_unit_test(test_used_states), cmocka_unit_test(test_image_encodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
