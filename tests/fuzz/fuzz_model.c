/* fuzz_model.c: whatever the bytes are, reading them as a model ends in a sound model, or in a refusal. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include "sluice/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_model(const sluice_model *model)
{
	size_t count;
	const float *parameters = sluice_model_parameters(model, &count);

	for (size_t k = 0; k < count; k++)
		if (!isfinite(parameters[k]))
			abort();
}

/* Every byte of every tensor is there to be read. */
static void check_tensors(const sluice_tensors *tensors, size_t size)
{
	size_t total = 0, sum = 0;

	for (size_t k = 0; k < sluice_tensors_count(tensors); k++) {
		sluice_array array;
		size_t bytes;

		if (sluice_tensors_find(tensors, sluice_tensors_name(tensors, k), &array) != SLUICE_OK)
			abort();
		bytes = sluice_array_count(&array) * sluice_element_bytes(array.element);
		for (size_t byte = 0; byte < bytes; byte++)
			sum += ((const uint8_t *)array.data)[byte];
		total += bytes;
	}
	if (total > size || sum > 255 * size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	sluice_context *context;
	sluice_tensors *tensors;
	sluice_model *model;

	if (sluice_context_create(NULL, &context) != SLUICE_OK)
		abort();
	if (sluice_tensors_parse(context, "fuzz", bytes, size, &tensors) == SLUICE_OK) {
		check_tensors(tensors, size);
		if (sluice_tensors_get_model(context, tensors, &model) == SLUICE_OK)
			check_model(model);
		sluice_model_destroy(model);
	}
	sluice_tensors_destroy(tensors);
	sluice_context_destroy(context);
	return 0;
}
