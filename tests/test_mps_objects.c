/* test_mps_objects.c exists to hold the matrices and images that MPS's layers work on to mpscore.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sluice/mps.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* ---------------------------------------------------------------------------------------------------- matrices -- */

enum { ROWS = 2, COLUMNS = 3, MATRICES = 4, ROW_BYTES = 16, MATRIX_BYTES = 48 };

static MPSMatrixDescriptor *many_matrices(void)
{
	MPSMatrixDescriptor *descriptor =
		MPSMatrixDescriptor_matrixDescriptorWithRows_columns_matrices_rowBytes_matrixBytes_dataType(
			ROWS, COLUMNS, MATRICES, ROW_BYTES, MATRIX_BYTES, MPSDataTypeFloat32);
	assert_non_null(descriptor);
	return descriptor;
}

static void test_matrix_descriptors(void **unused)
{
	(void)unused;
	MPSMatrixDescriptor *many = many_matrices();
	MPSMatrixDescriptor *one = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		ROWS, COLUMNS, 6, MPSDataTypeFloat16);
	MPSMatrixDescriptor_release(MPSMatrixDescriptor_retain(many));
	assert_int_equal(MPSMatrixDescriptor_rows(many), ROWS);
	assert_int_equal(MPSMatrixDescriptor_columns(many), COLUMNS);
	assert_int_equal(MPSMatrixDescriptor_matrices(many), MATRICES);
	assert_int_equal(MPSMatrixDescriptor_rowBytes(many), ROW_BYTES);
	assert_int_equal(MPSMatrixDescriptor_matrixBytes(many), MATRIX_BYTES);
	assert_int_equal(MPSMatrixDescriptor_dataType(many), MPSDataTypeFloat32);
	assert_int_equal(MPSMatrixDescriptor_matrices(one), 1);
	assert_int_equal(MPSMatrixDescriptor_matrixBytes(one), ROWS * 6);
	assert_int_equal(MPSMatrixDescriptor_dataType(one), MPSDataTypeFloat16);
	MPSMatrixDescriptor_release(one);
	MPSMatrixDescriptor_release(many);
}

static void test_matrix_descriptors_refused(void **unused)
{
	(void)unused;
	static const struct {
		size_t rows, columns, matrices, row_bytes, matrix_bytes;
		MPSDataType type;
	} wrong[] = {
		{0, 3, 1, 16, 48, MPSDataTypeFloat32}, {2, 0, 1, 16, 48, MPSDataTypeFloat32},
		{2, 3, 0, 16, 48, MPSDataTypeFloat32}, {2, 3, 1, 14, 28, MPSDataTypeFloat32},
		{2, 3, 1, 8, 16, MPSDataTypeFloat32},  {2, 3, 1, 16, 40, MPSDataTypeFloat32},
		{2, 3, 1, 16, 16, MPSDataTypeFloat32}, {2, 3, 1, 16, 48, MPSDataTypeUInt8},
	};
	for (size_t k = 0; k < COUNT(wrong); k++)
		assert_null(MPSMatrixDescriptor_matrixDescriptorWithRows_columns_matrices_rowBytes_matrixBytes_dataType(
			wrong[k].rows, wrong[k].columns, wrong[k].matrices, wrong[k].row_bytes, wrong[k].matrix_bytes,
			wrong[k].type));
}

static void test_row_bytes(void **unused)
{
	(void)unused;
	assert_int_equal(MPSMatrixDescriptor_rowBytesFromColumns_dataType(5, MPSDataTypeFloat32), 20);
	assert_int_equal(MPSMatrixDescriptor_rowBytesFromColumns_dataType(5, MPSDataTypeFloat16), 10);
	assert_int_equal(MPSMatrixDescriptor_rowBytesFromColumns_dataType(5, MPSDataTypeBFloat16), 10);
	assert_int_equal(MPSMatrixDescriptor_rowBytesFromColumns_dataType(5, MPSDataTypeUInt8), 0);
}

static void test_matrices(void **unused)
{
	(void)unused;
	float memory[MATRICES * MATRIX_BYTES / sizeof(float) + 1] = {0};
	MPSMatrixDescriptor *descriptor = many_matrices();
	MPSMatrix *at = MPSMatrix_initWithBuffer_offset_descriptor(memory, sizeof(float), descriptor);
	MPSMatrix *plain = MPSMatrix_initWithBuffer_descriptor(memory, descriptor);
	MPSMatrix *own = MPSMatrix_initWithDevice_descriptor(NULL, descriptor);
	MPSMatrixDescriptor_release(descriptor);
	MPSMatrix_release(MPSMatrix_retain(at));
	assert_int_equal(MPSMatrix_rows(at), ROWS);
	assert_int_equal(MPSMatrix_columns(at), COLUMNS);
	assert_int_equal(MPSMatrix_matrices(at), MATRICES);
	assert_int_equal(MPSMatrix_rowBytes(at), ROW_BYTES);
	assert_int_equal(MPSMatrix_matrixBytes(at), MATRIX_BYTES);
	assert_int_equal(MPSMatrix_dataType(at), MPSDataTypeFloat32);
	assert_ptr_equal(MPSMatrix_data(at), memory);
	assert_int_equal(MPSMatrix_offset(at), sizeof(float));
	assert_int_equal(MPSMatrix_offset(plain), 0);
	assert_false(MPSMatrix_isTemporary(at));
	MPSMatrix_setReadCount(at, 5);
	assert_int_equal(MPSMatrix_readCount(at), 0);
	assert_memory_equal(MPSMatrix_data(own), memory, MATRICES * MATRIX_BYTES);
	MPSMatrix_release(own);
	MPSMatrix_release(plain);
	MPSMatrix_release(at);
}

/* ------------------------------------------------------------------------------------------------------ images -- */

enum { WIDTH = 3, HEIGHT = 2, CHANNELS = 2, IMAGES = 2, PLACES = WIDTH * HEIGHT * CHANNELS };

static MPSImageDescriptor *two_images(void)
{
	MPSImageDescriptor *descriptor = MPSImageDescriptor_imageDescriptor(MPSImageFeatureChannelFormatFloat32, WIDTH,
									    HEIGHT, CHANNELS, IMAGES, 0);
	assert_non_null(descriptor);
	return descriptor;
}

static void test_image_descriptors(void **unused)
{
	(void)unused;
	MPSImageDescriptor *two = two_images();
	MPSImageDescriptor *one = MPSImageDescriptor_imageDescriptorWithChannelFormat_width_height_featureChannels(
		MPSImageFeatureChannelFormatFloat16, WIDTH, HEIGHT, CHANNELS);
	MPSImageDescriptor_release(MPSImageDescriptor_retain(two));
	assert_int_equal(MPSImageDescriptor_channelFormat(one), MPSImageFeatureChannelFormatFloat16);
	assert_int_equal(MPSImageDescriptor_numberOfImages(one), 1);
	assert_int_equal(MPSImageDescriptor_width(two), WIDTH);
	assert_int_equal(MPSImageDescriptor_height(two), HEIGHT);
	assert_int_equal(MPSImageDescriptor_featureChannels(two), CHANNELS);
	assert_int_equal(MPSImageDescriptor_numberOfImages(two), IMAGES);
	MPSImageDescriptor_release(one);
	MPSImageDescriptor_release(two);
	for (int format = MPSImageFeatureChannelFormatNone; format <= MPSImageFeatureChannelFormatUnorm16; format++)
		assert_null(MPSImageDescriptor_imageDescriptorWithChannelFormat_width_height_featureChannels(
			(MPSImageFeatureChannelFormat)format, WIDTH, HEIGHT, CHANNELS));
}

static void test_images(void **unused)
{
	(void)unused;
	MPSImageDescriptor *descriptor = two_images();
	MPSImage *image = MPSImage_initWithDevice_imageDescriptor(NULL, descriptor);
	MPSImageDescriptor_release(descriptor);
	MPSImage_release(MPSImage_retain(image));
	assert_int_equal(MPSImage_featureChannelFormat(image), MPSImageFeatureChannelFormatFloat32);
	assert_int_equal(MPSImage_width(image), WIDTH);
	assert_int_equal(MPSImage_height(image), HEIGHT);
	assert_int_equal(MPSImage_featureChannels(image), CHANNELS);
	assert_int_equal(MPSImage_numberOfImages(image), IMAGES);
	MPSImage_release(image);
}

/* Channel by channel, and pixel by pixel: the same image. */
static void test_image_bytes(void **unused)
{
	(void)unused;
	float planes[PLACES], pixels[PLACES];
	MPSImageDescriptor *descriptor = two_images();
	MPSImage *image = MPSImage_initWithDevice_imageDescriptor(NULL, descriptor);
	for (size_t k = 0; k < PLACES; k++)
		planes[k] = (float)k;
	assert_int_equal(
		MPSImage_writeBytes_dataLayout_imageIndex(image, planes, MPSDataLayoutFeatureChannelsxHeightxWidth, 1),
		0);
	assert_int_equal(
		MPSImage_readBytes_dataLayout_imageIndex(image, pixels, MPSDataLayoutHeightxWidthxFeatureChannels, 1),
		0);
	for (size_t k = 0; k < PLACES; k++)
		assert_true(pixels[k] == planes[k % CHANNELS * WIDTH * HEIGHT + k / CHANNELS]);
	memset(planes, 0, sizeof planes);
	assert_int_equal(
		MPSImage_readBytes_dataLayout_imageIndex(image, pixels, MPSDataLayoutHeightxWidthxFeatureChannels, 0),
		0);
	assert_memory_equal(pixels, planes, sizeof pixels);
	assert_int_not_equal(MPSImage_readBytes_dataLayout_imageIndex(
				     image, pixels, MPSDataLayoutHeightxWidthxFeatureChannels, IMAGES),
			     0);
	assert_int_not_equal(MPSImage_writeBytes_dataLayout_imageIndex(image, pixels, (MPSDataLayout)2, 0), 0);
	MPSImage_release(image);
	MPSImageDescriptor_release(descriptor);
}

/* Rows with a gap, and images with one, in the caller's memory. */
static void test_images_of_the_caller(void **unused)
{
	(void)unused;
	enum { ROW = WIDTH * CHANNELS + 1, IMAGE = HEIGHT * ROW + 2 };
	float memory[IMAGES * IMAGE], pixels[PLACES];
	MPSImageDescriptor *descriptor = two_images();
	MPSImage *image = sluice_mps_image(memory, ROW * sizeof(float), IMAGE * sizeof(float), descriptor);
	assert_non_null(image);
	for (size_t k = 0; k < COUNT(memory); k++)
		memory[k] = (float)k;
	assert_int_equal(
		MPSImage_readBytes_dataLayout_imageIndex(image, pixels, MPSDataLayoutHeightxWidthxFeatureChannels, 1),
		0);
	for (size_t k = 0; k < PLACES; k++) {
		const size_t line = WIDTH * CHANNELS;
		assert_true(pixels[k] == (float)(IMAGE + k / line * ROW + k % line));
	}
	assert_null(sluice_mps_image(memory, 3, 0, descriptor));
	assert_null(sluice_mps_image(memory, sizeof(float), 0, descriptor));
	MPSImage_release(image);
	MPSImageDescriptor_release(descriptor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix_descriptors), cmocka_unit_test(test_matrix_descriptors_refused),
		cmocka_unit_test(test_row_bytes),          cmocka_unit_test(test_matrices),
		cmocka_unit_test(test_image_descriptors),  cmocka_unit_test(test_images),
		cmocka_unit_test(test_image_bytes),        cmocka_unit_test(test_images_of_the_caller),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
