/* bnns_tensor.c exists to fill in what a descriptor leaves open, and to refuse one that contradicts what it is for. */
#include "bnns_internal.h"

#include <string.h>

static const size_t MOST_ELEMENTS = PTRDIFF_MAX / 8;

/* Layouts, the number of their dimensions, and whether the last one is the fastest. */
static const struct layout {
	BNNSDataLayout layout;
	size_t rank;
	int first_major;
} LAYOUTS[] = {
	{BNNSDataLayoutVector, 1, 0},       {BNNSDataLayout1DLastMajor, 1, 0},
	{BNNSDataLayout1DFirstMajor, 1, 1}, {BNNSDataLayoutRowMajorMatrix, 2, 0},
	{BNNSDataLayout2DLastMajor, 2, 0},  {BNNSDataLayout2DFirstMajor, 2, 1},
	{BNNSDataLayoutImageCHW, 3, 0},     {BNNSDataLayoutSNE, 3, 0},
	{BNNSDataLayoutNSE, 3, 0},          {BNNSDataLayout3DLastMajor, 3, 0},
	{BNNSDataLayout3DFirstMajor, 3, 1}, {BNNSDataLayoutConvolutionWeightsOIHW, 4, 0},
	{BNNSDataLayout4DLastMajor, 4, 0},  {BNNSDataLayout4DFirstMajor, 4, 1},
	{BNNSDataLayout5DLastMajor, 5, 0},  {BNNSDataLayout5DFirstMajor, 5, 1},
	{BNNSDataLayout6DLastMajor, 6, 0},  {BNNSDataLayout6DFirstMajor, 6, 1},
	{BNNSDataLayout7DLastMajor, 7, 0},  {BNNSDataLayout7DFirstMajor, 7, 1},
	{BNNSDataLayout8DLastMajor, 8, 0},  {BNNSDataLayout8DFirstMajor, 8, 1},
};

static const struct {
	BNNSDataType given;
	sluice_dtype type;
} REALS[] = {
	{BNNSDataTypeFloat32, SLUICE_F32},
	{BNNSDataTypeFloat16, SLUICE_F16},
	{BNNSDataTypeBFloat16, SLUICE_BF16},
};

static const struct {
	BNNSDataType given;
	size_t bytes;
} UNSIGNED[] = {
	{BNNSDataTypeUInt8, 1},
	{BNNSDataTypeUInt16, 2},
	{BNNSDataTypeUInt32, 4},
	{BNNSDataTypeUInt64, 8},
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define PLACE_FORMAT "%s.%s.%s"
#define PLACE_OF(place) (place)->owner, (place)->group, (place)->name

static int multiply(size_t a, size_t b, size_t *product)
{
	if (b && a > MOST_ELEMENTS / b)
		return 0;
	*product = a * b;
	return 1;
}

/* Sizes and strides as a descriptor gives them, the fastest first. index: where each stands in the descriptor. */
struct given {
	size_t rank, size[BNNS_MAX_TENSOR_DIMENSION], stride[BNNS_MAX_TENSOR_DIMENSION];
	size_t index[BNNS_MAX_TENSOR_DIMENSION];
};

static sluice_status layout_find(const BNNSNDArrayDescriptor *descriptor, const struct shape *shape,
				 const struct place *place, struct layout *layout)
{
	*layout = (struct layout){0, shape->rank, 0};
	if (descriptor->layout == 0)
		return SLUICE_OK;
	for (size_t each = 0; each < COUNT(LAYOUTS); each++)
		if (LAYOUTS[each].layout == descriptor->layout) {
			*layout = LAYOUTS[each];
			if (layout->layout == BNNSDataLayoutNSE && !shape->data)
				break;
			return SLUICE_OK;
		}
	return BNNS_INVALID(PLACE_FORMAT ".layout is %#x, expected one of %zu dimensions", PLACE_OF(place),
			    (unsigned)descriptor->layout, shape->rank);
}

/* A descriptor without any size has all dimensions, whatever its layout says. */
static struct given sizes_of(const BNNSNDArrayDescriptor *descriptor, const struct shape *shape,
			     const struct layout *layout)
{
	struct given given = {.rank = layout->rank};
	size_t any = 0;
	for (size_t k = 0; k < layout->rank; k++)
		any |= descriptor->size[k];
	if (!any)
		given.rank = shape->rank;
	for (size_t k = 0; k < given.rank; k++) {
		given.index[k] = layout->first_major ? given.rank - 1 - k : k;
		given.size[k] = descriptor->size[given.index[k]];
		given.stride[k] = descriptor->stride[given.index[k]];
	}
	return given;
}

static sluice_status disagrees(const struct place *place, const struct given *given, size_t k, size_t expected)
{
	return BNNS_INVALID(PLACE_FORMAT ".size[%zu] is %zu, the sizes of the layer say %zu", PLACE_OF(place),
			    given->index[k], given->size[k], expected);
}

/* Brings the given dimensions onto those of the shape; one may stand for several that lie behind each other. */
static sluice_status dimensions_match(struct given *given, const struct shape *shape, const struct place *place,
				      struct tensor *tensor)
{
	size_t next = 0, contiguous = 1, former = 0;
	for (size_t k = 0; k < given->rank; k++) {
		size_t product = 1, stride = given->stride[k] ? given->stride[k] : contiguous;
		size_t inner = stride;
		const size_t first = next;
		while (next < shape->rank && (next == first || (given->size[k] && product < given->size[k]))) {
			tensor->count[next] = shape->count[next];
			tensor->stride[next] = inner;
			if (!multiply(product, shape->count[next], &product) ||
			    !multiply(inner, shape->count[next], &inner))
				return BNNS_INVALID(PLACE_FORMAT " has more elements than memory", PLACE_OF(place));
			next++;
		}
		if (given->size[k] && given->size[k] != product)
			return disagrees(place, given, k, product);
		if (product > 1 && stride < former)
			return BNNS_INVALID(PLACE_FORMAT ".stride[%zu] is %zu, expected at least %zu", PLACE_OF(place),
					    given->index[k], stride, former);
		if (product > 1)
			former = shape->written ? inner : stride;
		contiguous = inner;
	}
	for (; next < shape->rank; next++)
		if (shape->count[next] != 1)
			return BNNS_INVALID(PLACE_FORMAT " has %zu dimensions, expected %zu", PLACE_OF(place),
					    given->rank, shape->rank);
	return SLUICE_OK;
}

/* Whether all elements have an address, and no size that is made of them wraps around. */
static sluice_status extent_check(const struct tensor *tensor, const struct place *place)
{
	size_t elements = 1, extent = 0, part;
	int fits = 1;
	for (size_t k = 0; k < BNNS_RANK; k++) {
		fits = fits && multiply(elements, tensor->count[k], &elements);
		fits = fits && multiply(tensor->count[k] - 1, tensor->stride[k], &part) &&
		       extent <= MOST_ELEMENTS - part;
		if (fits)
			extent += part;
	}
	if (!fits)
		return BNNS_INVALID(PLACE_FORMAT " has more elements than memory", PLACE_OF(place));
	return SLUICE_OK;
}

static sluice_status alignment_check(const void *data, size_t bytes, const struct place *place)
{
	if ((uintptr_t)data % bytes)
		return BNNS_INVALID(PLACE_FORMAT ".data is %p, expected a multiple of %zu, the size of its type",
				    PLACE_OF(place), data, bytes);
	return SLUICE_OK;
}

static sluice_status type_find(const BNNSNDArrayDescriptor *descriptor, const struct place *place, sluice_dtype *type)
{
	for (size_t each = 0; each < COUNT(REALS); each++)
		if (REALS[each].given == descriptor->data_type) {
			*type = REALS[each].type;
			return SLUICE_OK;
		}
	return sluice_fail(SLUICE_UNSUPPORTED, PLACE_FORMAT ".data_type is %#x, expected Float32, Float16 or BFloat16",
			   PLACE_OF(place), (unsigned)descriptor->data_type);
}

static void swap(size_t *a, size_t *b)
{
	const size_t former = *a;
	*a = *b;
	*b = former;
}

/* Layout, sizes, strides. */
static sluice_status dimensions_read(const BNNSNDArrayDescriptor *descriptor, const struct shape *shape,
				     const struct place *place, struct tensor *tensor)
{
	struct layout layout;
	struct shape ordered = *shape;
	BNNS_TRY(layout_find(descriptor, shape, place, &layout));
	const int batch_major = layout.layout == BNNSDataLayoutNSE;
	if (batch_major)
		swap(&ordered.count[1], &ordered.count[2]);
	struct given given = sizes_of(descriptor, shape, &layout);
	for (size_t k = 0; k < BNNS_RANK; k++)
		tensor->count[k] = tensor->stride[k] = 1;
	BNNS_TRY(dimensions_match(&given, &ordered, place, tensor));
	if (batch_major) {
		swap(&tensor->count[1], &tensor->count[2]);
		swap(&tensor->stride[1], &tensor->stride[2]);
	}
	return extent_check(tensor, place);
}

sluice_status sluice__bnns_tensor(const BNNSNDArrayDescriptor *descriptor, const struct shape *shape,
				  const struct place *place, struct tensor *tensor)
{
	memset(tensor, 0, sizeof *tensor);
	if (!descriptor->data)
		return SLUICE_OK;
	BNNS_TRY(type_find(descriptor, place, &tensor->type));
	BNNS_TRY(alignment_check(descriptor->data, sluice__number_bytes(tensor->type), place));
	BNNS_TRY(dimensions_read(descriptor, shape, place, tensor));
	tensor->data = descriptor->data;
	return SLUICE_OK;
}

size_t sluice__bnns_sequence_at(const struct sequence *sequence, size_t step)
{
	const char *at = sequence->data + step * sequence->stride * sequence->bytes;
	uint8_t byte;
	uint16_t two;
	uint32_t four;
	uint64_t eight;
	switch (sequence->bytes) {
	case 1:
		memcpy(&byte, at, sizeof byte);
		return byte;
	case 2:
		memcpy(&two, at, sizeof two);
		return two;
	case 4:
		memcpy(&four, at, sizeof four);
		return four;
	default:
		memcpy(&eight, at, sizeof eight);
		return (size_t)eight;
	}
}

sluice_status sluice__bnns_sequence(const BNNSNDArrayDescriptor *descriptor, size_t steps, size_t batch,
				    struct sequence *sequence)
{
	const struct place place = {"layer_params", "sequence_descriptor", "data"};
	const struct shape shape = {.rank = 1, .count = {steps, 1, 1, 1}};
	struct tensor tensor;
	*sequence = (struct sequence){0};
	if (!descriptor->data)
		return SLUICE_OK;
	for (size_t each = 0; each < COUNT(UNSIGNED); each++)
		if (UNSIGNED[each].given == descriptor->data_type)
			sequence->bytes = UNSIGNED[each].bytes;
	if (!sequence->bytes)
		return sluice_fail(SLUICE_UNSUPPORTED,
				   "layer_params.sequence_descriptor.data_type is %#x, expected an unsigned integer",
				   (unsigned)descriptor->data_type);
	BNNS_TRY(alignment_check(descriptor->data, sequence->bytes, &place));
	BNNS_TRY(dimensions_read(descriptor, &shape, &place, &tensor));
	sequence->stride = tensor.stride[0];
	sequence->data = descriptor->data;
	for (size_t t = 0, most = batch; t < steps; t++) {
		const size_t rows = sluice__bnns_sequence_at(sequence, t);
		if (rows > most)
			return BNNS_INVALID(
				"layer_params.sequence_descriptor has %zu rows in step %zu, expected at most "
				"the %zu of %s",
				rows, t, most, t ? "the step before" : "batch_size");
		most = rows;
	}
	return SLUICE_OK;
}

struct line sluice__bnns_line(const struct tensor *tensor, size_t second, size_t third, size_t fourth)
{
	const size_t first = second * tensor->stride[1] + third * tensor->stride[2] + fourth * tensor->stride[3];
	return (struct line){tensor->data + first * sluice__number_bytes(tensor->type), tensor->type,
			     tensor->stride[0]};
}

/* Bytes from the first element to behind the last. */
static size_t extent_of(const struct tensor *tensor)
{
	size_t last = 0;
	for (size_t k = 0; k < BNNS_RANK; k++)
		last += (tensor->count[k] - 1) * tensor->stride[k];
	if (tensor->rows)
		last = (tensor->count[0] - 1) * tensor->stride[0] +
		       (tensor->rows - 1) / tensor->count[1] * tensor->stride[2] +
		       (tensor->rows - 1) % tensor->count[1] * tensor->stride[1];
	return (last + 1) * sluice__number_bytes(tensor->type);
}

/* Two arrays of rows that share a pattern, such as x and y side by side in one row: each keeps to columns of its own.
 * distance: from a to b, in elements. */
static int side_by_side(const struct tensor *a, const struct tensor *b, size_t distance)
{
	size_t pattern = a->stride[1] < a->stride[2] ? a->stride[1] : a->stride[2];
	if (a->type != b->type || a->stride[0] != 1 || b->stride[0] != 1 || pattern == 0)
		return 0;
	for (size_t k = 1; k < BNNS_RANK; k++)
		if ((a->count[k] > 1 && a->stride[k] % pattern) || (b->count[k] > 1 && b->stride[k] % pattern))
			return 0;
	const size_t column = distance % pattern;
	return column >= a->count[0] && pattern - column >= b->count[0];
}

int sluice__bnns_overlap(const struct tensor *a, const struct tensor *b)
{
	const uintptr_t at = (uintptr_t)a->data, other = (uintptr_t)b->data;
	if (!a->data || !b->data)
		return 0;
	if (at > other)
		return sluice__bnns_overlap(b, a);
	return other - at < extent_of(a) && !side_by_side(a, b, (other - at) / sluice__number_bytes(a->type));
}
