/* cmd_generate.c: `sluice generate`, text from a character model, each character shown as soon as it is drawn. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "tool.h"
#include "train/generator.h"

struct values {
	const char *prompt, *isa;
	uint64_t length, seed;
	double temperature;
};

#define AT(member) offsetof(struct values, member)
#define MAX 9007199254740992.0 /* no limit; see args.h */

static const struct args_option options[] = {
	{"prompt", ARGS_TEXT, AT(prompt), "TEXT", 0, 0, "begin with this; default: a new line, not shown"},
	{"length", ARGS_U64, AT(length), "N", 0, MAX, "characters to draw; default 500"},
	{"temperature", ARGS_REAL, AT(temperature), "X", 0, 1e6, "0: always the likeliest; default 1"},
	{"seed", ARGS_U64, AT(seed), "N", 0, MAX, "of the draws; default 0"},
	{"isa", ARGS_TEXT, AT(isa), "LEVEL", 0, 0, "highest instruction-set level to use"},
};

static const struct args_command command = {
	"generate",
	"MODEL",
	"Writes text as the model expects it, streaming character by character.",
	options,
	sizeof(options) / sizeof(options[0]),
	1,
	1,
};

/* Reads the prompt. Without one the model starts behind a line break, or its first symbol where it knows none. */
static sluice_status feed_prompt(struct sluice__generator *generator, const char *prompt)
{
	const struct sluice__characters *characters = generator->characters;
	if (!prompt || !prompt[0]) {
		int number = sluice__characters_find(characters, '\n');
		return sluice__generator_feed(generator, number < 0 ? 0 : (uint32_t)number);
	}
	for (size_t k = 0; prompt[k]; k++) {
		int number = sluice__characters_find(characters, (unsigned char)prompt[k]);
		if (number < 0)
			return sluice_fail(
				SLUICE_INVALID_ARGUMENT,
				"the prompt holds the byte 0x%02x at position %zu, which does not occur in the "
				"text that the model was trained on",
				(unsigned char)prompt[k], k);
		sluice_status status = sluice__generator_feed(generator, (uint32_t)number);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

static sluice_status write_text(struct sluice__generator *generator, const struct values *values)
{
	const int terminal = isatty(STDOUT_FILENO);
	sluice_status status = feed_prompt(generator, values->prompt);
	if (status == SLUICE_OK && values->prompt)
		fputs(values->prompt, stdout);
	for (uint64_t k = 0; k < values->length && status == SLUICE_OK; k++) {
		uint32_t symbol = 0;
		status = sluice__generator_draw(generator, values->temperature, values->seed, k, &symbol);
		if (status == SLUICE_OK)
			status = sluice__generator_feed(generator, symbol);
		if (status != SLUICE_OK)
			break;
		/* The exact bytes when piped; a reader at a terminal sees each one at once. */
		if (putchar(generator->characters->symbols[symbol]) == EOF || (terminal && fflush(stdout) != 0))
			return sluice_fail(SLUICE_IO, "standard output: %s", strerror(errno));
	}
	if (terminal)
		putchar('\n');
	return status;
}

int cmd_generate(int argc, char **argv)
{
	struct values values = {.length = 500, .temperature = 1};
	struct sluice__characters characters = {0};
	struct sluice__generator generator = {0};
	sluice_context *context = NULL;
	sluice_tensors *tensors = NULL;
	int first, code = args_parse(&command, argc, argv, &values, &first);
	if (code != ARGS_GO)
		return code;
	if (tool_context(1, values.isa, &context) != SLUICE_OK)
		return tool_fail(command.name);

	characters.context = context;
	sluice_status status = sluice_tensors_open(context, argv[first], &tensors);
	if (status == SLUICE_OK)
		status = sluice__characters_get(context, tensors, &characters);
	sluice_tensors_destroy(tensors);
	if (status == SLUICE_OK)
		status = sluice__generator_create(&characters, &generator);
	if (status == SLUICE_OK)
		status = write_text(&generator, &values);
	code = status == SLUICE_OK ? tool_finish(command.name, 0) : tool_fail(command.name);
	sluice__generator_release(&generator);
	sluice__characters_release(&characters);
	sluice_context_destroy(context);
	return code;
}
