/* tool.h: what the subcommands of sluice share. */
#ifndef SLUICE_TOOLS_TOOL_H
#define SLUICE_TOOLS_TOOL_H

#include "sluice/sluice.h"

/* The subcommands: arguments as of main with argv[0] the subcommand's name, exit code as result. */
int cmd_train(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_bench(int argc, char **argv);

/* Tells the library's sentence on stderr, as "sluice train: ...". Returns 1, the exit code of a failure. */
int tool_fail(const char *command);

/* Flushes stdout. Returns `code`, or tells why the output is incomplete and returns 1. */
int tool_finish(const char *command, int code);

/* A context with so many threads and an instruction-set level, NULL for the best. */
sluice_status tool_context(int threads, const char *isa, sluice_context **out);

#endif
