/* args.c: reads command lines by tables, so that an option's name, range and help cannot drift apart. */
#include "args.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 64
#define HELP_CODE 256 /* codes of long options lie beyond every letter */
#define FIRST_CODE 257
#define EXACT_LIMIT 9007199254740992.0 /* 2^53: integers up to here are exact in the table's doubles */

int args_usage(const struct args_command *command, const char *format, ...)
{
	va_list arguments;
	fprintf(stderr, "sluice %s: ", command->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\nTry 'sluice %s --help'.\n", command->name);
	return 2;
}

static void print_help(const struct args_command *command)
{
	printf("Usage: sluice %s [OPTION]...%s%s\n%s\n\n", command->name, command->operands[0] ? " " : "",
	       command->operands, command->summary);
	for (size_t k = 0; k < command->option_count; k++) {
		const struct args_option *option = &command->options[k];
		char left[80];
		snprintf(left, sizeof(left), "--%s%s%s", option->name, option->value ? " " : "",
			 option->value ? option->value : "");
		/* A long left side gets a line of its own. */
		printf("  %-26s%s%s\n", left, strlen(left) > 25 ? "\n                            " : "", option->help);
	}
	printf("  %-26s%s\n", "--help", "show this text");
}

static int bad_value(const struct args_command *command, const struct args_option *option, const char *text,
		     const char *expected)
{
	return args_usage(command, "--%s is \"%s\"; %s is expected", option->name, text, expected);
}

static int bad_range(const struct args_command *command, const struct args_option *option, const char *text)
{
	char expected[96];
	if (option->high >= EXACT_LIMIT)
		snprintf(expected, sizeof(expected), "a number from %g on", option->low);
	else
		snprintf(expected, sizeof(expected), "a number from %g to %g", option->low, option->high);
	return bad_value(command, option, text, expected);
}

static int parse_whole(const struct args_command *command, const struct args_option *option, const char *text, void *to)
{
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	/* strtoull takes "-1" for a huge number. */
	if (end == text || *end || strchr(text, '-'))
		return bad_value(command, option, text, "a whole number");
	if (errno == ERANGE || (double)number < option->low ||
	    (option->high < EXACT_LIMIT && (double)number > option->high))
		return bad_range(command, option, text);
	if (option->kind == ARGS_U64)
		*(uint64_t *)to = number;
	else if (option->kind == ARGS_SIZE)
		*(size_t *)to = (size_t)number;
	else
		*(int *)to = (int)number;
	return ARGS_GO;
}

static int parse_real(const struct args_command *command, const struct args_option *option, const char *text, void *to)
{
	char *end;
	double number = strtod(text, &end);
	if (end == text || *end)
		return bad_value(command, option, text, "a number");
	if (!(number >= option->low && number <= option->high)) /* NaN fails, too */
		return bad_range(command, option, text);
	if (option->kind == ARGS_FLOAT)
		*(float *)to = (float)number;
	else
		*(double *)to = number;
	return ARGS_GO;
}

static int parse_choice(const struct args_command *command, const struct args_option *option, const char *text,
			void *to)
{
	int index = 0;
	for (const char *at = option->value; at; index++) {
		const char *bar = strchr(at, '|');
		size_t length = bar ? (size_t)(bar - at) : strlen(at);
		if (strlen(text) == length && memcmp(text, at, length) == 0) {
			*(int *)to = index;
			return ARGS_GO;
		}
		at = bar ? bar + 1 : NULL;
	}
	return bad_value(command, option, text, option->value);
}

static int parse_value(const struct args_command *command, const struct args_option *option, const char *text,
		       void *values)
{
	void *to = (char *)values + option->offset;
	switch (option->kind) {
	case ARGS_FLAG:
		*(int *)to = 1;
		return ARGS_GO;
	case ARGS_TEXT:
		*(const char **)to = text;
		return ARGS_GO;
	case ARGS_INT:
	case ARGS_SIZE:
	case ARGS_U64:
		return parse_whole(command, option, text, to);
	case ARGS_REAL:
	case ARGS_FLOAT:
		return parse_real(command, option, text, to);
	case ARGS_CHOICE:
		return parse_choice(command, option, text, to);
	}
	return ARGS_GO;
}

/* Tells what getopt_long did not like about argv[optind - 1]. */
static int unknown(const struct args_command *command, int code, char **argv)
{
	if (code == ':')
		return args_usage(command, "%s needs a value", argv[optind - 1]);
	if (optopt >= FIRST_CODE)
		return args_usage(command, "--%s takes no value", command->options[optopt - FIRST_CODE].name);
	if (optopt > 0 && optopt < HELP_CODE)
		return args_usage(command, "there is no option -%c", optopt);
	return args_usage(command, "there is no option %s, or it is ambiguous", argv[optind - 1]);
}

int args_parse(const struct args_command *command, int argc, char **argv, void *values, int *first_operand)
{
	struct option list[OPTIONS_MAX + 1] = {{0}};
	int code;
	for (size_t k = 0; k < command->option_count; k++) {
		list[k].name = command->options[k].name;
		list[k].has_arg = command->options[k].kind == ARGS_FLAG ? no_argument : required_argument;
		list[k].val = FIRST_CODE + (int)k;
	}
	list[command->option_count] = (struct option){"help", no_argument, NULL, HELP_CODE};
	opterr = 0;
	optind = 1;
	while ((code = getopt_long(argc, argv, ":", list, NULL)) != -1) {
		if (code == '?' || code == ':')
			return unknown(command, code, argv);
		if (code == HELP_CODE) {
			print_help(command);
			return fflush(stdout) == 0 ? 0 : 1;
		}
		int result = parse_value(command, &command->options[code - FIRST_CODE], optarg, values);
		if (result != ARGS_GO)
			return result;
	}
	*first_operand = optind;
	if (argc - optind < command->operands_min)
		return args_usage(command, "%s is missing", command->operands);
	if (command->operands_max >= 0 && argc - optind > command->operands_max)
		return args_usage(command, "\"%s\" is one too many", argv[optind + command->operands_max]);
	return ARGS_GO;
}
