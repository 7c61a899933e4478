/* tasks.c: the character language model's data, so that the trainer sees nothing but batches of numbers. */
#include "tasks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Makes room for one more character at least; doubling keeps the copying linear in the length. */
static sluice_status grow(struct sluice__text *text)
{
	size_t capacity = text->capacity ? 2 * text->capacity : 1u << 16;
	if (capacity < text->capacity)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "a text of %zu bytes and more does not fit into memory",
				   text->capacity);
	uint8_t *larger = sluice_allocate(text->context, capacity);
	if (!larger)
		return SLUICE_OUT_OF_MEMORY;
	if (text->length)
		memcpy(larger, text->index, text->length);
	sluice_release(text->context, text->index, text->capacity);
	text->index = larger;
	text->capacity = capacity;
	return SLUICE_OK;
}

static sluice_status append_file(struct sluice__text *text, const char *path)
{
	sluice_status status = SLUICE_OK;
	FILE *file = fopen(path, "rb");
	if (!file)
		return sluice_fail(SLUICE_IO, "text %s: %s", path, strerror(errno));
	while (!feof(file)) {
		if (text->length == text->capacity && (status = grow(text)) != SLUICE_OK)
			break;
		errno = 0;
		text->length += fread(text->index + text->length, 1, text->capacity - text->length, file);
		if (ferror(file)) {
			status = sluice_fail(SLUICE_IO, "text %s: %s", path, strerror(errno));
			break;
		}
	}
	fclose(file);
	return status;
}

/* FNV-1a, 64 bits: enough to notice that somebody resumes with another text. */
static uint64_t digest_of(const uint8_t *bytes, size_t count)
{
	uint64_t digest = 0xcbf29ce484222325u;
	for (size_t k = 0; k < count; k++)
		digest = (digest ^ bytes[k]) * 0x100000001b3u;
	return digest;
}

/* Replaces every byte by the number of its symbol. */
static void number_symbols(struct sluice__text *text)
{
	uint8_t number[256] = {0}, occurs[256] = {0};
	for (size_t k = 0; k < text->length; k++)
		occurs[text->index[k]] = 1;
	for (size_t byte = 0; byte < 256; byte++) {
		if (!occurs[byte])
			continue;
		number[byte] = (uint8_t)text->symbol_count;
		text->symbols[text->symbol_count++] = (unsigned char)byte;
	}
	for (size_t k = 0; k < text->length; k++)
		text->index[k] = number[text->index[k]];
}

sluice_status sluice__text_read(sluice_context *context, const char *const *paths, size_t path_count, double validation,
				struct sluice__text *out)
{
	*out = (struct sluice__text){.context = context};
	if (!(validation >= 0.0 && validation < 1.0))
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "validation is %g; a share of the text from 0 to below 1 is expected", validation);
	for (size_t k = 0; k < path_count; k++) {
		sluice_status status = append_file(out, paths[k]);
		if (status != SLUICE_OK)
			return status;
	}
	if (out->length == 0)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "text %s%s is empty", path_count ? paths[0] : "(no file)",
				   path_count > 1 ? " and every other file given" : "");
	out->digest = digest_of(out->index, out->length);
	number_symbols(out);
	out->training = out->length - (size_t)(validation * (double)out->length);
	return SLUICE_OK;
}

void sluice__text_release(struct sluice__text *text)
{
	sluice_release(text->context, text->index, text->capacity);
	text->index = NULL;
}

sluice_status sluice__streams_training(const struct sluice__text *text, size_t batch, size_t steps,
				       struct sluice__streams *out)
{
	if (batch == 0 || steps == 0 || batch > SIZE_MAX / 2 / steps)
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "batch is %zu and steps is %zu; both must be at least 1 and their product a size",
				   batch, steps);
	/* One more than the inputs, because the last input needs a character to predict. */
	size_t needed = batch * steps + 1;
	if (text->training < needed)
		return sluice_fail(
			SLUICE_INVALID_ARGUMENT,
			"the text is too short: %zu of its %zu characters are for training, but a batch of %zu "
			"streams of %zu steps needs at least %zu",
			text->training, text->length, batch, steps, needed);
	*out = (struct sluice__streams){.start = 0, .length = (text->training - 1) / batch, .count = batch};
	return SLUICE_OK;
}

sluice_status sluice__streams_validation(const struct sluice__text *text, size_t batch, size_t steps,
					 struct sluice__streams *out)
{
	size_t available = text->length - text->training;
	*out = (struct sluice__streams){.start = text->training};
	if (available == 0)
		return SLUICE_OK;
	if (available == 1)
		return sluice_fail(
			SLUICE_INVALID_ARGUMENT,
			"the text is too short: 1 of its %zu characters is for validation, but at least 2 are needed "
			"(or a validation share of 0)",
			text->length);
	out->count = (available - 1) / steps;
	if (out->count > batch)
		out->count = batch;
	if (out->count == 0)
		out->count = 1;
	out->length = (available - 1) / out->count;
	return SLUICE_OK;
}

void sluice__streams_fill(const struct sluice__text *text, const struct sluice__streams *streams, size_t offset,
			  size_t steps, uint32_t *input, uint32_t *target)
{
	for (size_t t = 0; t < steps; t++) {
		for (size_t n = 0; n < streams->count; n++) {
			size_t position = streams->start + n * streams->length + offset + t;
			input[t * streams->count + n] = text->index[position];
			target[t * streams->count + n] = text->index[position + 1];
		}
	}
}
