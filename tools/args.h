/* args.h: one table of options per command gives parsing, range checks and the help text. */
#ifndef SLUICE_TOOLS_ARGS_H
#define SLUICE_TOOLS_ARGS_H

#include <stddef.h>
#include <stdint.h>

enum args_kind {
	ARGS_FLAG,  /* int, set to 1; no value */
	ARGS_TEXT,  /* const char * */
	ARGS_INT,   /* int */
	ARGS_SIZE,  /* size_t */
	ARGS_U64,   /* uint64_t */
	ARGS_REAL,  /* double */
	ARGS_FLOAT, /* float */
	ARGS_CHOICE /* int: place of the value in the list that `value` gives, such as "sgd|rmsprop|adam" */
};

struct args_option {
	const char *name; /* without the dashes */
	enum args_kind kind;
	size_t offset;     /* of the result in the struct of values, which holds the default before parsing */
	const char *value; /* what the help calls the value; the list of a choice */
	double low, high;  /* range of a number; integers up to 2^53, beyond which `high` is not checked */
	const char *help;
};

struct args_command {
	const char *name;     /* "train" */
	const char *operands; /* "TEXT..." or "" */
	const char *summary;  /* what the command does, a sentence */
	const struct args_option *options;
	size_t option_count;
	int operands_min, operands_max; /* operands_max < 0: no limit */
};

/* A value of args_parse besides the exit codes 0 (help was asked for and printed) and 2 (usage, told on stderr). */
#define ARGS_GO (-1)

/* Parses argv[1 ..] into values. Operands are argv[*first_operand .. argc-1] afterwards. */
int args_parse(const struct args_command *command, int argc, char **argv, void *values, int *first_operand);

/* Tells a mistake of usage on stderr, formatted as by printf. Returns 2. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int args_usage(const struct args_command *command, const char *format, ...);

#endif
