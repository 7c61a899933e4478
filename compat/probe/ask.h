/*
 * ask.h: how the probes of Apple's Metal frameworks ask. Each question runs in a program run of its own, this one's
 * with the question's number, so that a refusal or an abort is an answer too; forking alone would not do, as Metal does
 * not survive it.
 */
#ifndef SLUICE_COMPAT_PROBE_ASK_H
#define SLUICE_COMPAT_PROBE_ASK_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 120 };

struct question {
	const char *name;
	void (*ask)(void);
};

/* Asks in a process of its own and returns its status; -1: there was none. */
static int ask_apart(char *program, size_t question)
{
	char number[24];
	int status = 0;
	pid_t child;
	snprintf(number, sizeof(number), "%zu", question);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		execlp(program, program, number, (char *)NULL);
		_exit(1);
	}
	return child < 0 || waitpid(child, &status, 0) < 0 ? -1 : status;
}

/* Leaves what a question made to the system. */
static int answer(const struct question *questions, size_t question_count, const char *number)
{
	const unsigned long question = strtoul(number, NULL, 10);
	if (question >= question_count)
		return 2;
	alarm(SECONDS);
	questions[question].ask();
	fflush(stdout);
	_exit(0);
}

/* What main does, with its arguments. */
static int ask_all(const struct question *questions, size_t question_count, int count, char **arguments)
{
	if (count > 1)
		return answer(questions, question_count, arguments[1]);
	for (size_t k = 0; k < question_count; k++) {
		int status;
		printf("%s: ", questions[k].name);
		status = ask_apart(arguments[0], k);
		if (status == -1)
			printf("no process");
		else if (WIFSIGNALED(status))
			printf("ended by signal %d", WTERMSIG(status));
		printf("\n");
	}
	return 0;
}

#endif
