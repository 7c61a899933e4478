/* sluice.c: the command, a table of subcommands. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

struct subcommand {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
};

static const struct subcommand subcommands[] = {
	{"train", "train a character language model on text", cmd_train},
	{"generate", "let a character model write", cmd_generate},
	{"run", "run a model on an array or a text", cmd_run},
	{"info", "describe a model, or this build and machine", cmd_info},
	{"verify", "judge problems on every level by the oracle", cmd_verify},
	{"bench", "time problems beside this machine's ceiling", cmd_bench},
};

#define COUNT (sizeof(subcommands) / sizeof(subcommands[0]))

int tool_fail(const char *command)
{
	fflush(stdout);
	fprintf(stderr, "sluice %s: %s\n", command, sluice_last_message());
	return 1;
}

int tool_finish(const char *command, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "sluice %s: standard output: %s\n", command, strerror(errno));
	return 1;
}

sluice_status tool_context(int threads, const char *isa, sluice_context **out)
{
	sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
	options.threads = threads;
	options.isa = isa;
	return sluice_context_create(&options, out);
}

static void print_help(FILE *file)
{
	fprintf(file,
		"Usage: sluice COMMAND [OPTION]... [OPERAND]...\nLSTM networks: training, generation, inference.\n\n");
	for (size_t k = 0; k < COUNT; k++)
		fprintf(file, "  %-10s%s\n", subcommands[k].name, subcommands[k].summary);
	fprintf(file, "\n'sluice COMMAND --help' tells the options; 'sluice --version' the version.\n");
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return tool_finish("--help", 0);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("sluice %s\n", sluice_version());
		return tool_finish("--version", 0);
	}
	for (size_t k = 0; k < COUNT; k++)
		if (strcmp(argv[1], subcommands[k].name) == 0)
			return subcommands[k].run(argc - 1, argv + 1);
	fprintf(stderr, "sluice: there is no command \"%s\"\nTry 'sluice --help'.\n", argv[1]);
	return 2;
}
