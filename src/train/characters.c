/* characters.c: keeps the vocabulary, the embedding and the network of a character model together, also in its file. */
#include "characters.h"

#include <stdio.h>
#include <string.h>

#include "sluice/ops.h"

#define KEY_TASK "sluice.task"
#define KEY_VOCABULARY "sluice.vocabulary"
#define TASK "characters"
static sluice_status allocate_table(struct sluice__characters *characters)
{
	if (characters->width > SIZE_MAX / sizeof(float) / characters->symbol_count)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "embedding is %zu, which is too large", characters->width);
	characters->table =
		sluice_allocate(characters->context, characters->symbol_count * characters->width * sizeof(float));
	return characters->table ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
}

static void fill_identity(struct sluice__characters *characters)
{
	for (size_t k = 0; k < characters->symbol_count; k++)
		characters->table[k * characters->width + k] = 1.0f;
}

sluice_status sluice__characters_create(sluice_context *context, const unsigned char *symbols, size_t symbol_count,
					size_t embedding, const sluice_description *description,
					struct sluice__characters *out)
{
	*out = (struct sluice__characters){.context = context, .symbol_count = symbol_count};
	out->one_hot = embedding == 0;
	out->width = embedding ? embedding : symbol_count;
	memcpy(out->symbols, symbols, symbol_count);

	sluice_description whole = *description;
	whole.inputs = out->width;
	whole.outputs = symbol_count;
	sluice_status status = sluice_model_create(context, &whole, &out->model);
	if (status == SLUICE_OK)
		status = allocate_table(out);
	if (status == SLUICE_OK && out->one_hot)
		fill_identity(out);
	return status;
}

void sluice__characters_release(struct sluice__characters *characters)
{
	sluice_release(characters->context, characters->table,
		       characters->symbol_count * characters->width * sizeof(float));
	sluice_model_destroy(characters->model);
	characters->table = NULL;
	characters->model = NULL;
}

/* The counter of docs/EQUATIONS.md with purpose 0 (initialization) and layer 127, which no network has; the symbol
 * stands where the step does. */
static void random_row(uint64_t seed, size_t symbol, size_t width, float *row)
{
	const double spread = 1.7320508075688772; /* sqrt(3): a uniform number in [-spread, spread] has variance 1 */
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	for (size_t unit = 0; unit < width; unit += 4) {
		uint32_t counter[4] = {(uint32_t)(unit / 4) | 127u << 25, (uint32_t)symbol, 0, 0}, random[4];
		sluice_philox(key, counter, random);
		for (size_t k = 0; k < 4 && unit + k < width; k++)
			row[unit + k] = (float)(spread * (2.0 * (random[k] + 0.5) / 4294967296.0 - 1.0));
	}
}

sluice_status sluice__characters_initialize(struct sluice__characters *characters, uint64_t seed, float forget_bias)
{
	sluice_initialization options = SLUICE_INITIALIZATION_INIT;
	options.seed = seed;
	options.forget_bias = forget_bias;
	for (size_t k = 0; k < characters->symbol_count && !characters->one_hot; k++)
		random_row(seed, k, characters->width, characters->table + k * characters->width);
	return sluice_model_initialize(characters->model, &options);
}

int sluice__characters_find(const struct sluice__characters *characters, unsigned char byte)
{
	const unsigned char *place = memchr(characters->symbols, byte, characters->symbol_count);
	return place ? (int)(place - characters->symbols) : -1;
}

sluice_status sluice__characters_encode(const struct sluice__characters *characters, const char *what,
					const unsigned char *bytes, size_t count, uint32_t *index)
{
	for (size_t k = 0; k < count; k++) {
		int number = sluice__characters_find(characters, bytes[k]);
		if (number < 0)
			return sluice_fail(SLUICE_INVALID_ARGUMENT,
					   "%s holds the byte 0x%02x at position %zu, which does not occur in the text "
					   "that the model was trained on",
					   what, bytes[k], k);
		index[k] = (uint32_t)number;
	}
	return SLUICE_OK;
}

sluice_status sluice__characters_add(const struct sluice__characters *characters, sluice_tensors *tensors)
{
	char vocabulary[2 * 256 + 1];
	sluice_array table = SLUICE_ARRAY_INIT;
	table.rank = 2;
	table.shape[0] = characters->symbol_count;
	table.shape[1] = characters->width;
	table.data = characters->table;
	for (size_t k = 0; k < characters->symbol_count; k++)
		snprintf(vocabulary + 2 * k, 3, "%02x", characters->symbols[k]);

	sluice_status status = sluice_tensors_add_model(tensors, characters->model);
	if (status == SLUICE_OK)
		status = sluice_tensors_set_metadata(tensors, KEY_TASK, TASK);
	if (status == SLUICE_OK)
		status = sluice_tensors_set_metadata(tensors, KEY_VOCABULARY, vocabulary);
	if (status == SLUICE_OK && !characters->one_hot)
		status = sluice_tensors_add(tensors, SLUICE__TENSOR_EMBEDDING, &table);
	return status;
}

int sluice__characters_present(const sluice_tensors *tensors)
{
	const char *task = sluice_tensors_metadata(tensors, KEY_TASK);
	return task && strcmp(task, TASK) == 0;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *place = c ? strchr(digits, c) : NULL;
	return place ? (int)(place - digits) : -1;
}

/* Reads the bytes of the vocabulary: two hexadecimal digits each, ascending. */
static sluice_status read_vocabulary(const sluice_tensors *tensors, struct sluice__characters *out)
{
	const char *source = sluice_tensors_source(tensors), *text = sluice_tensors_metadata(tensors, KEY_VOCABULARY);
	if (!text || !text[0])
		return sluice_fail(SLUICE_FORMAT, "%s: there is no vocabulary (%s)", source, KEY_VOCABULARY);
	for (const char *at = text; *at; at += 2) {
		int high = hex_digit(at[0]), low = high < 0 ? -1 : hex_digit(at[1]);
		if (low < 0)
			return sluice_fail(
				SLUICE_FORMAT,
				"%s: %s is not a sequence of bytes of two hexadecimal digits each, at position %td",
				source, KEY_VOCABULARY, at - text);
		unsigned char byte = (unsigned char)(high << 4 | low);
		if (out->symbol_count > 0 && byte <= out->symbols[out->symbol_count - 1])
			return sluice_fail(SLUICE_FORMAT, "%s: the bytes of %s do not ascend at position %td", source,
					   KEY_VOCABULARY, at - text);
		out->symbols[out->symbol_count++] = byte;
	}
	return SLUICE_OK;
}

static sluice_status read_table(const sluice_tensors *tensors, struct sluice__characters *out)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	sluice_status status = sluice_tensors_find(tensors, SLUICE__TENSOR_EMBEDDING, &array);
	if (status != SLUICE_OK)
		return status;
	if (array.rank != 2 || array.shape[0] != out->symbol_count || array.shape[1] != out->width)
		return sluice_fail(
			SLUICE_FORMAT, "%s: %s is not of the shape [%zu,%zu] that vocabulary and network demand",
			sluice_tensors_source(tensors), SLUICE__TENSOR_EMBEDDING, out->symbol_count, out->width);
	status = sluice_tensors_check_finite(tensors, SLUICE__TENSOR_EMBEDDING);
	if (status != SLUICE_OK)
		return status;
	return sluice_tensors_read(tensors, SLUICE__TENSOR_EMBEDDING, SLUICE_ELEMENT_F32,
				   out->symbol_count * out->width, out->table);
}

sluice_status sluice__characters_get(sluice_context *context, const sluice_tensors *tensors,
				     struct sluice__characters *out)
{
	*out = (struct sluice__characters){.context = context};
	const char *source = sluice_tensors_source(tensors);
	if (!sluice__characters_present(tensors))
		return sluice_fail(SLUICE_FORMAT, "%s is not a character model (%s is not \"%s\")", source, KEY_TASK,
				   TASK);
	sluice_status status = read_vocabulary(tensors, out);
	if (status == SLUICE_OK)
		status = sluice_tensors_get_model(context, tensors, &out->model);
	if (status != SLUICE_OK)
		return status;

	if (sluice_model_description(out->model)->image_height)
		return sluice_fail(SLUICE_FORMAT, "%s: a network over images reads no characters", source);
	out->one_hot = !sluice_tensors_has(tensors, SLUICE__TENSOR_EMBEDDING);
	out->width = sluice_model_description(out->model)->inputs;
	if (sluice_model_outputs(out->model) != out->symbol_count || (out->one_hot && out->width != out->symbol_count))
		return sluice_fail(SLUICE_FORMAT,
				   "%s: a network with %zu inputs and %zu outputs does not fit %zu symbols%s", source,
				   out->width, sluice_model_outputs(out->model), out->symbol_count,
				   out->one_hot ? " without an embedding" : "");
	status = allocate_table(out);
	if (status != SLUICE_OK)
		return status;
	if (!out->one_hot)
		return read_table(tensors, out);
	fill_identity(out);
	return SLUICE_OK;
}
