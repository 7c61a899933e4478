/*
 * images.c: measures ConvLSTMs by themselves, or in turns with others: what to run is read line by line, so that
 * compare/convlstm.py can let its peers run between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "paired.h"

enum { LINE = 512, SAMPLES_MAX = 1000, SAMPLES_MIN = 2 };

struct settings {
	double seconds; /* of each measurement */
	int threads;
	int cpu; /* the processor's time is measured, not the clock on the wall: other programs do not count */
};

static double now(const struct settings *settings)
{
	return settings->cpu ? (double)clock() / CLOCKS_PER_SEC : sluice__time_now();
}

/* The median of as many calls as the seconds allow, after one that may be slower. */
static sluice_status pass_time(const struct settings *settings, struct pass *pass, double *seconds)
{
	static double samples[SAMPLES_MAX];
	struct sluice__timing timing;
	size_t count = 0;
	int status = pass_run(pass);
	double start = now(settings), begin = start;

	while (!status && count < SAMPLES_MAX && (count < SAMPLES_MIN || begin - start < settings->seconds)) {
		double end;

		status = pass_run(pass);
		end = now(settings);
		samples[count++] = end - begin;
		begin = end;
	}
	sluice__timing_summarize(samples, count, &timing);
	*seconds = timing.median;
	return (sluice_status)status;
}

/* Measures and prints a line: {"ms", "gflops", "kernels"}, or {"error"}. Backward has two products for each of
 * forward's. */
static sluice_status measure(const struct settings *settings, const char *problem, const char *name)
{
	int backward = !strcmp(name, "training");
	struct bench bench;
	struct pass pass;
	double seconds = 0;
	sluice_status status = bench_create(problem, 0, backward, settings->threads, &bench);

	if (status == SLUICE_OK)
		status = pass_create(&bench, backward, &pass);
	if (status == SLUICE_OK)
		status = pass_time(settings, &pass, &seconds);
	if (status == SLUICE_OK)
		printf("{\"problem\": \"%s\", \"pass\": \"%s\", \"ms\": %.6g, \"gflops\": %.4g, \"kernels\": \"%s\"}\n",
		       problem, name, 1e3 * seconds,
		       (backward ? 3 : 1) * sluice__problem_flops(&bench.problem) / seconds / 1e9,
		       sluice_plan_kernels(bench.plan));
	else
		printf("{\"error\": \"%s\"}\n", sluice_status_name(status));
	fflush(stdout);
	if (status != SLUICE_OK)
		fprintf(stderr, "%s: %s\n", problem, sluice_last_message());
	bench_destroy(&bench);
	return status;
}

/* Lines of a problem, a pass, seconds and perhaps more options of the problem, "direct". */
static int serve(struct settings settings)
{
	char line[LINE], problem[2 * LINE], pass[LINE], more[LINE];

	printf("{\"version\": \"sluice %s\"}\n", sluice_version());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		more[0] = '\0';
		if (sscanf(line, "%s %s %lf %s", problem, pass, &settings.seconds, more) < 3) {
			fprintf(stderr, "images: a problem, a pass and seconds are expected, not: %s", line);
			return EXIT_FAILURE;
		}
		strcat(problem, more);
		measure(&settings, problem, pass);
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct settings settings = {.seconds = 1, .threads = 1};
	int problems = 0;

	for (int k = 1; k < argc; k++) {
		if (strncmp(argv[k], "--threads=", 10) == 0)
			settings.threads = atoi(argv[k] + 10);
		else if (strncmp(argv[k], "--seconds=", 10) == 0)
			settings.seconds = atof(argv[k] + 10);
		else if (strcmp(argv[k], "--cpu") == 0)
			settings.cpu = 1;
		else
			problems++;
	}
	for (int k = 1; k < argc; k++) {
		if (strncmp(argv[k], "--", 2) == 0)
			continue;
		if (measure(&settings, argv[k], "forward") != SLUICE_OK ||
		    measure(&settings, argv[k], "training") != SLUICE_OK)
			return EXIT_FAILURE;
	}
	return problems ? EXIT_SUCCESS : serve(settings);
}
