/* cmd_verify.c: `sluice verify`, problems judged on every level by the oracle. */
#include <stdio.h>

#include "args.h"
#include "check/verify.h"
#include "tool.h"

struct values {
	struct sluice__verify_options verify;
	int quiet;
};

#define AT(member) offsetof(struct values, member)
#define MAX 9007199254740992.0 /* no limit; see args.h */

static const struct args_option options[] = {
	{"outputs", ARGS_SIZE, AT(verify.outputs), "N", 0, MAX, "width of a read-out; default 0: none"},
	{"dropout", ARGS_FLOAT, AT(verify.dropout), "X", 0, 0.999, "of every layer; default 0"},
	{"no-bias", ARGS_FLAG, AT(verify.no_bias), NULL, 0, 0, "layers without biases"},
	{"forward-only", ARGS_FLAG, AT(verify.inference_only), NULL, 0, 0, "no gradients"},
	{"threads", ARGS_INT, AT(verify.threads), "N", 1, 1024, "default 1"},
	{"isa", ARGS_TEXT, AT(verify.isa), "LEVEL", 0, 0, "this level only; default: every one"},
	{"seed", ARGS_U64, AT(verify.seed), "N", 0, MAX, "of the data; default 0"},
	{"quiet", ARGS_FLAG, AT(quiet), NULL, 0, 0, "show only rows that failed"},
};

static const struct args_command command = {
	"verify",
	"PROBLEM...",
	"Judges what the library computes for problems such as t25n16i512h512 by the double-precision oracle.",
	options,
	sizeof(options) / sizeof(options[0]),
	1,
	-1,
};

static void print_rows(const char *problem, const struct sluice__verify_report *report, int quiet)
{
	for (size_t k = 0; k < report->count; k++) {
		const struct sluice__verify_row *row = &report->rows[k];
		if (quiet && row->verdict != SLUICE__VERDICT_FAILED)
			continue;
		printf("%-20s %-8s %-32s", problem, row->level, row->what);
		if (row->verdict == SLUICE__VERDICT_SKIPPED)
			printf(" %12s %12s", "-", "-");
		else
			printf(" %12.3e %12.3e", row->error, row->bound);
		printf(" %s\n", sluice__verdict_name(row->verdict));
	}
}

int cmd_verify(int argc, char **argv)
{
	struct values values = {0};
	int failures = 0, first, code = args_parse(&command, argc, argv, &values, &first);
	if (code != ARGS_GO)
		return code;
	if (!values.quiet)
		printf("%-20s %-8s %-32s %12s %12s verdict\n", "problem", "level", "what", "error", "bound");
	for (int k = first; k < argc; k++) {
		struct sluice__problem problem;
		struct sluice__verify_report report = {0};
		sluice_status status = sluice__problem_parse(argv[k], &problem);
		if (status != SLUICE_OK) {
			tool_fail(command.name);
			fputs(sluice__problem_grammar(), stderr);
			return 2;
		}
		status = sluice__verify_problem(&problem, &values.verify, &report);
		print_rows(argv[k], &report, values.quiet);
		failures += report.failures;
		sluice__verify_report_destroy(&report);
		if (status != SLUICE_OK)
			return tool_fail(command.name);
		fflush(stdout);
	}
	if (failures > 0) {
		fflush(stdout);
		fprintf(stderr, "sluice verify: %d rows failed\n", failures);
	}
	return tool_finish(command.name, failures > 0);
}
