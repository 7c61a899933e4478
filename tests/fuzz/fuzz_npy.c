/* fuzz_npy.c: whatever the bytes are, reading them as .npy ends in an array that is consistent, or in a refusal. */
#include <stdint.h>
#include <stdlib.h>
#include "sluice/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	sluice_context *context;
	size_t count;

	if (sluice_context_create(NULL, &context) != SLUICE_OK)
		abort();
	if (sluice_npy_parse(context, "fuzz", bytes, size, &array) == SLUICE_OK) {
		count = sluice_array_count(&array);
		if (count > size || count * sluice_element_bytes(array.element) > size)
			abort();
		if (sluice_array_convert_f32(context, &array) == SLUICE_OK)
			if (array.element != SLUICE_ELEMENT_F32 || sluice_array_count(&array) != count)
				abort();
		sluice_array_release(context, &array);
	}
	sluice_context_destroy(context);
	return 0;
}
