/* mps_image.c exists to describe images in the caller's memory or their own, and to copy them in and out. */
#include "mps_internal.h"

#include <stdlib.h>
#include <string.h>

struct MPSImageDescriptor {
	struct object object;
	MPSImageFeatureChannelFormat channelFormat;
	size_t width, height, featureChannels, numberOfImages;
};

MPS_COUNTED(MPSImageDescriptor)
MPS_COUNTED(MPSImage)

static size_t element_bytes(MPSImageFeatureChannelFormat format)
{
	return format == MPSImageFeatureChannelFormatFloat32 ? sizeof(float) : sizeof(uint16_t);
}

/* a = a b, unless that is too large. */
static int times(size_t *a, size_t b)
{
	if (*a > PTRDIFF_MAX / b)
		return 0;
	*a *= b;
	return 1;
}

static sluice_status descriptor_check(const MPSImageDescriptor *d)
{
	size_t bytes = sizeof(float);
	if (d->channelFormat != MPSImageFeatureChannelFormatFloat16 &&
	    d->channelFormat != MPSImageFeatureChannelFormatFloat32)
		return MPS_INVALID("image: channelFormat is %d, expected Float16 (3) or Float32 (4)",
				   (int)d->channelFormat);
	if (!d->width || !d->height || !d->featureChannels || !d->numberOfImages)
		return MPS_INVALID("image: %zu x %zu, %zu channels, %zu images, expected each to be at least 1",
				   d->width, d->height, d->featureChannels, d->numberOfImages);
	if (!times(&bytes, d->width) || !times(&bytes, d->height) || !times(&bytes, d->featureChannels) ||
	    !times(&bytes, d->numberOfImages))
		return MPS_INVALID("image: %zu x %zu, %zu channels, %zu images are too large", d->width, d->height,
				   d->featureChannels, d->numberOfImages);
	return SLUICE_OK;
}

MPSImageDescriptor *MPSImageDescriptor_imageDescriptor(MPSImageFeatureChannelFormat channelFormat, size_t width,
						       size_t height, size_t featureChannels, size_t numberOfImages,
						       size_t usage)
{
	const MPSImageDescriptor wanted = {
		.channelFormat = channelFormat,
		.width = width,
		.height = height,
		.featureChannels = featureChannels,
		.numberOfImages = numberOfImages,
	};
	(void)usage;
	if (descriptor_check(&wanted) != SLUICE_OK)
		return NULL;
	MPSImageDescriptor *descriptor = sluice__object_new(sizeof *descriptor, free);
	if (!descriptor)
		return NULL;
	descriptor->channelFormat = channelFormat;
	descriptor->width = width;
	descriptor->height = height;
	descriptor->featureChannels = featureChannels;
	descriptor->numberOfImages = numberOfImages;
	return descriptor;
}

MPSImageDescriptor *MPSImageDescriptor_imageDescriptorWithChannelFormat_width_height_featureChannels(
	MPSImageFeatureChannelFormat channelFormat, size_t width, size_t height, size_t featureChannels)
{
	return MPSImageDescriptor_imageDescriptor(channelFormat, width, height, featureChannels, 1, 0);
}

#define GETTER(name, type)                                                   \
	type MPSImageDescriptor_##name(const MPSImageDescriptor *descriptor) \
	{                                                                    \
		return descriptor ? descriptor->name : (type)0;              \
	}
GETTER(channelFormat, MPSImageFeatureChannelFormat)
GETTER(width, size_t)
GETTER(height, size_t)
GETTER(featureChannels, size_t)
GETTER(numberOfImages, size_t)
#undef GETTER

#define GETTER(name, type)                            \
	type MPSImage_##name(const MPSImage *image)   \
	{                                             \
		return image ? image->name : (type)0; \
	}
GETTER(featureChannelFormat, MPSImageFeatureChannelFormat)
GETTER(width, size_t)
GETTER(height, size_t)
GETTER(featureChannels, size_t)
GETTER(numberOfImages, size_t)

static void image_destroy(void *object)
{
	MPSImage *image = object;
	if (image->owned)
		free(image->data);
	free(image);
}

static MPSImage *image_make(const MPSImageDescriptor *descriptor, size_t rowBytes, size_t imageBytes)
{
	MPSImage *image = sluice__object_new(sizeof *image, image_destroy);
	if (!image)
		return NULL;
	image->featureChannelFormat = descriptor->channelFormat;
	image->width = descriptor->width;
	image->height = descriptor->height;
	image->featureChannels = descriptor->featureChannels;
	image->numberOfImages = descriptor->numberOfImages;
	image->rowBytes = rowBytes;
	image->imageBytes = imageBytes;
	return image;
}

static size_t line_bytes(const MPSImageDescriptor *descriptor)
{
	return descriptor->width * descriptor->featureChannels * element_bytes(descriptor->channelFormat);
}

static sluice_status given_check(const MPSImageDescriptor *descriptor)
{
	if (!descriptor)
		return MPS_INVALID("image: imageDescriptor is NULL, expected a descriptor");
	return SLUICE_OK;
}

MPSImage *MPSImage_initWithDevice_imageDescriptor(void *device, const MPSImageDescriptor *imageDescriptor)
{
	if (given_check(imageDescriptor) != SLUICE_OK)
		return NULL;
	if (device) {
		MPS_INVALID("image: device is %p, expected NULL", device);
		return NULL;
	}
	const size_t row = line_bytes(imageDescriptor);
	MPSImage *image = image_make(imageDescriptor, row, row * imageDescriptor->height);
	if (!image)
		return NULL;
	image->owned = 1;
	image->data = sluice__object_allocate(image->numberOfImages, image->imageBytes);
	if (image->data)
		return image;
	MPSImage_release(image);
	return NULL;
}

static sluice_status strides_check(const MPSImageDescriptor *descriptor, size_t row, size_t whole)
{
	const size_t element = element_bytes(descriptor->channelFormat), line = line_bytes(descriptor);
	if (row % element || row < line)
		return MPS_INVALID("image: rowBytes is %zu, expected a multiple of %zu and at least %zu", row, element,
				   line);
	if (descriptor->height > PTRDIFF_MAX / row)
		return MPS_INVALID("image: %zu rows of %zu bytes are too large", descriptor->height, row);
	const size_t least = (descriptor->height - 1) * row + line;
	if (whole % element || whole < least || whole > PTRDIFF_MAX / descriptor->numberOfImages)
		return MPS_INVALID("image: imageBytes is %zu, expected a multiple of %zu and at least %zu", whole,
				   element, least);
	return SLUICE_OK;
}

MPSImage *sluice_mps_image(void *buffer, size_t rowBytes, size_t imageBytes, const MPSImageDescriptor *imageDescriptor)
{
	if (given_check(imageDescriptor) != SLUICE_OK)
		return NULL;
	if (!buffer) {
		MPS_INVALID("image: buffer is NULL, expected memory");
		return NULL;
	}
	rowBytes = rowBytes ? rowBytes : line_bytes(imageDescriptor);
	if (!imageBytes && rowBytes <= PTRDIFF_MAX / imageDescriptor->height)
		imageBytes = rowBytes * imageDescriptor->height;
	if (strides_check(imageDescriptor, rowBytes, imageBytes) != SLUICE_OK)
		return NULL;
	MPSImage *image = image_make(imageDescriptor, rowBytes, imageBytes);
	if (image)
		image->data = buffer;
	return image;
}

MPSImage *sluice__mps_image_own(size_t images, size_t height, size_t width, size_t channels)
{
	const MPSImageDescriptor descriptor = {
		.channelFormat = MPSImageFeatureChannelFormatFloat32,
		.width = width,
		.height = height,
		.featureChannels = channels,
		.numberOfImages = images,
	};
	return descriptor_check(&descriptor) == SLUICE_OK ? MPSImage_initWithDevice_imageDescriptor(NULL, &descriptor)
							  : NULL;
}

static sluice_status copy_check(const MPSImage *image, const void *bytes, MPSDataLayout layout, size_t index)
{
	if (!image || !bytes)
		return MPS_INVALID("image: %s is NULL", image ? "dataBytes" : "the image");
	if ((unsigned)layout > MPSDataLayoutFeatureChannelsxHeightxWidth)
		return MPS_INVALID("image: dataLayout is %d, expected 0 or 1", (int)layout);
	if (index >= image->numberOfImages)
		return MPS_INVALID("image: imageIndex is %zu, expected below %zu", index, image->numberOfImages);
	return SLUICE_OK;
}

/* Bytes without gaps from or to one image. */
static void image_copy(const MPSImage *image, char *bytes, MPSDataLayout layout, size_t index, int write)
{
	const size_t element = element_bytes(image->featureChannelFormat), channels = image->featureChannels;
	const int planes = layout == MPSDataLayoutFeatureChannelsxHeightxWidth;
	for (size_t y = 0; y < image->height; y++)
		for (size_t x = 0; x < image->width; x++)
			for (size_t c = 0; c < channels; c++) {
				const size_t place = planes ? (c * image->height + y) * image->width + x
							    : (y * image->width + x) * channels + c;
				char *here = image->data + index * image->imageBytes + y * image->rowBytes +
					     (x * channels + c) * element;
				char *there = bytes + place * element;
				memcpy(write ? here : there, write ? there : here, element);
			}
}

int MPSImage_readBytes_dataLayout_imageIndex(const MPSImage *image, void *dataBytes, MPSDataLayout dataLayout,
					     size_t imageIndex)
{
	MPS_TRY(copy_check(image, dataBytes, dataLayout, imageIndex));
	image_copy(image, dataBytes, dataLayout, imageIndex, 0);
	return SLUICE_OK;
}

int MPSImage_writeBytes_dataLayout_imageIndex(MPSImage *image, const void *dataBytes, MPSDataLayout dataLayout,
					      size_t imageIndex)
{
	MPS_TRY(copy_check(image, dataBytes, dataLayout, imageIndex));
	image_copy(image, (char *)(uintptr_t)dataBytes, dataLayout, imageIndex, 1);
	return SLUICE_OK;
}

sluice_status sluice__mps_image_span(const char *name, size_t index, const MPSImage *image, size_t channels,
				     struct span *out)
{
	if (!image)
		return MPS_INVALID("%s[%zu] is NULL, expected an image", name, index);
	if (image->featureChannels != channels)
		return MPS_INVALID("%s[%zu] has %zu channels, expected %zu", name, index, image->featureChannels,
				   channels);
	*out = (struct span){
		.at = image->data,
		.type = image->featureChannelFormat == MPSImageFeatureChannelFormatFloat32 ? SLUICE_F32 : SLUICE_F16,
		.rows = image->numberOfImages,
		.row_bytes = image->imageBytes,
		.lines = image->height,
		.line_bytes = image->rowBytes,
		.cells = 1,
		.elements = image->width * channels,
	};
	return SLUICE_OK;
}
