/* cmd_bench.c: `sluice bench`, problems timed beside the ceiling that this machine reaches in the same run. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "check/data.h"
#include "check/network.h"
#include "check/peak.h"
#include "check/problem.h"
#include "check/setting.h"
#include "check/storage.h"
#include "check/timing.h"
#include "tool.h"

struct values {
	int backward, step, threads, json;
	const char *isa;
	double seconds;
};

#define AT(member) offsetof(struct values, member)

static const struct args_option options[] = {
	{"backward", ARGS_FLAG, AT(backward), NULL, 0, 0, "train: time the forward and the backward pass"},
	{"step", ARGS_FLAG, AT(step), NULL, 0, 0, "time single calls of the step, one thread"},
	{"threads", ARGS_INT, AT(threads), "N", 1, 1024, "default 1"},
	{"isa", ARGS_TEXT, AT(isa), "LEVEL", 0, 0, "highest instruction-set level to use"},
	{"seconds", ARGS_REAL, AT(seconds), "X", 0.001, 3600, "measured for each pass; default 1"},
	{"json", ARGS_FLAG, AT(json), NULL, 0, 0, "one JSON object a line"},
};

static const struct args_command command = {
	"bench",
	"PROBLEM...",
	"Times problems such as t25n16i512h512 and tells their share of this machine's peak, measured in the same run.",
	options,
	sizeof(options) / sizeof(options[0]),
	1,
	-1,
};

/* Above this the measurement is broken: nothing exceeds the peak by more than the noise of both. Of images more is
 * counted than has to be done. */
#define SHARE_LIMIT 1.02

/* Different inputs that single steps take in turn. */
#define RING 64

enum { PIECES = 13 };

/* A problem ready to be run. */
struct subject {
	struct sluice__problem problem;
	struct sluice__problem_model description;
	struct sluice__setting setting;
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	sluice_run run;
	sluice_gradients gradients;
	char *x;
	size_t h_width, c_width; /* of all h, of all c side by side */
	size_t x_row;            /* numbers of one row of x */
	size_t place;            /* in the ring */
	double consumed;         /* a sum of outputs, so that none is computed for nothing */
	struct {
		void *memory;
		size_t bytes;
	} pieces[PIECES];
	size_t piece_count;
};

static void *take(struct subject *subject, size_t count, size_t bytes)
{
	void *memory = NULL;
	if (count > SIZE_MAX / 2 / bytes)
		sluice_fail(SLUICE_INVALID_ARGUMENT, "the problem does not fit into memory");
	else
		memory = sluice_allocate(subject->context, count * bytes);
	if (memory) {
		subject->pieces[subject->piece_count].memory = memory;
		subject->pieces[subject->piece_count++].bytes = count * bytes;
	}
	return memory;
}

/* An array of the data type with random numbers. */
static void *take_random(struct subject *subject, const char *name, size_t count)
{
	enum { STRETCH = 256 };
	const sluice_dtype type = subject->setting.data;
	const size_t bytes = sluice__storage_bytes(type);
	char *array = take(subject, count, bytes);
	for (size_t done = 0; array && done < count; done += STRETCH) {
		float values[STRETCH];
		const size_t part = count - done < STRETCH ? count - done : STRETCH;
		sluice__data_fill(1 + done, name, 1, part, values);
		for (size_t k = 0; k < part; k++)
			sluice__storage_put(type, (double)values[k], array, done + k);
	}
	return array;
}

static void consume(struct subject *subject, const void *array, sluice_dtype type)
{
	subject->consumed += sluice__storage_get(type, array, 0);
}

/* ----------------------------------------------------------------------------------------------- the passes ---- */

static int run_forward(void *argument)
{
	struct subject *subject = argument;
	sluice_status status = sluice_forward(subject->plan, &subject->run);
	consume(subject, subject->run.y, subject->setting.data);
	return (int)status;
}

static int run_backward(void *argument)
{
	struct subject *subject = argument;
	sluice_status status = sluice_backward(subject->plan, &subject->run, &subject->gradients);
	consume(subject, subject->gradients.dparameters, subject->setting.data == SLUICE_F64 ? SLUICE_F64 : SLUICE_F32);
	return (int)status;
}

static int run_step(void *argument)
{
	struct subject *subject = argument;
	subject->place = (subject->place + 1) % RING;
	subject->run.x = subject->x + subject->place * subject->problem.batch * subject->x_row *
					      sluice__storage_bytes(subject->setting.data);
	sluice_status status = sluice_step(subject->plan, &subject->run);
	consume(subject, subject->run.y, subject->setting.data);
	return (int)status;
}

/* ---------------------------------------------------------------------------------------------- preparation ---- */

/* Widths of a run's arrays of x, all h and all c. */
static sluice_status find_widths(struct subject *subject)
{
	struct sluice__network network;
	sluice_status status = sluice__network_of_model(subject->model, &network);
	if (status != SLUICE_OK)
		return status;
	subject->h_width = network.h_width;
	subject->c_width = network.c_width;
	subject->x_row = network.x_row;
	sluice__network_destroy(&network);
	return SLUICE_OK;
}

static sluice_status create_model(struct subject *subject, const struct values *values)
{
	const struct sluice__setting *setting = &subject->setting;
	sluice_plan_options plan = SLUICE_PLAN_OPTIONS_INIT;
	sluice_status status = sluice__problem_set(&subject->problem, &subject->description, &subject->setting);
	if (status == SLUICE_OK && (setting->lengths || setting->resets || setting->holds))
		status = sluice_fail(SLUICE_UNSUPPORTED, "len, packed, reset and hold are timed by sluice_time alone");
	/* The single step is one thread's work. */
	if (status == SLUICE_OK)
		status = tool_context(values->step ? 1 : values->threads, values->isa, &subject->context);
	if (status == SLUICE_OK)
		status = sluice_model_create(subject->context, setting->description, &subject->model);
	if (status == SLUICE_OK)
		status = sluice_model_initialize(subject->model, NULL);
	if (status == SLUICE_OK)
		status = find_widths(subject);
	if (status != SLUICE_OK)
		return status;
	plan.steps = values->step ? 1 : subject->problem.steps;
	plan.batch = subject->problem.batch;
	plan.training = values->backward;
	plan.weights = setting->weights;
	plan.data = setting->data;
	plan.tape = setting->tape;
	plan.tape_mode = setting->tape_mode;
	plan.winograd = setting->winograd;
	return sluice_plan_create(subject->model, &plan, &subject->plan);
}

static sluice_status create_data(struct subject *subject, const struct values *values)
{
	const struct sluice__problem *problem = &subject->problem;
	const size_t steps = values->step ? 1 : problem->steps, rows = steps * problem->batch;
	const size_t x_count = (values->step ? RING : 1) * rows * subject->x_row;
	const size_t y_count = rows * sluice_model_outputs(subject->model);
	sluice_run *run = &subject->run;
	*run = (sluice_run)SLUICE_RUN_INIT;
	run->steps = steps;
	run->batch = problem->batch;
	run->training = subject->setting.training;
	subject->x = take_random(subject, "x", x_count);
	run->y = take(subject, y_count, sluice__storage_bytes(subject->setting.data));
	run->final_state = take(subject, sluice_plan_state_size(subject->plan, problem->batch), 1);
	run->workspace = take(subject, sluice_plan_workspace_size(subject->plan), 1);
	if (!subject->x || !run->y || !run->final_state || !run->workspace)
		return SLUICE_OUT_OF_MEMORY;
	run->x = subject->x;
	run->mask_shape = subject->setting.mask_shape;
	if (subject->setting.mask && !(run->mask = take_random(subject, "mask", problem->batch * subject->h_width)))
		return SLUICE_OUT_OF_MEMORY;
	/* Sequences begin at zero; single steps go on from each other. */
	run->initial_state = values->step ? run->final_state : NULL;
	return SLUICE_OK;
}

static sluice_status create_gradients(struct subject *subject)
{
	const struct sluice__problem *problem = &subject->problem;
	const size_t rows = problem->steps * problem->batch;
	const size_t y_count = rows * sluice_model_outputs(subject->model);
	const size_t bytes = sluice__storage_bytes(subject->setting.data);
	const bool outputs = subject->setting.tape_mode == SLUICE_TAPE_OUTPUTS;
	size_t parameters;
	sluice_run *run = &subject->run;
	sluice_gradients *gradients = &subject->gradients;
	*gradients = (sluice_gradients)SLUICE_GRADIENTS_INIT;
	sluice_model_parameters(subject->model, &parameters);
	if (outputs) {
		run->c = take(subject, rows * subject->c_width, bytes);
		run->gates = take(subject, 4 * rows * subject->c_width, bytes);
	} else {
		run->tape = take(subject, sluice_plan_tape_size(subject->plan, problem->steps), 1);
	}
	gradients->dy = take_random(subject, "dy", y_count);
	gradients->dx = take(subject, rows * subject->x_row, bytes);
	gradients->dparameters = take(subject, parameters, bytes == 8 ? bytes : sizeof(float));
	gradients->dinitial = take(subject, sluice_plan_state_size(subject->plan, problem->batch), 1);
	if (!(outputs ? run->c && run->gates : run->tape != NULL) || !gradients->dy || !gradients->dx ||
	    !gradients->dparameters || !gradients->dinitial)
		return SLUICE_OUT_OF_MEMORY;
	return sluice_forward(subject->plan, &subject->run);
}

static void release(struct subject *subject)
{
	for (size_t k = 0; k < subject->piece_count; k++)
		sluice_release(subject->context, subject->pieces[k].memory, subject->pieces[k].bytes);
	sluice_plan_destroy(subject->plan);
	sluice_model_destroy(subject->model);
	sluice_context_destroy(subject->context);
}

/* -------------------------------------------------------------------------------------------------- results ---- */

struct ceiling {
	double gflops, clock;
};

/* Keeps the better of what was known and what the machine does now. */
static void probe(struct ceiling *ceiling, const sluice_context *context)
{
	ceiling->gflops = fmax(ceiling->gflops,
			       sluice__peak_fma(sluice_context_isa(context), sluice_context_threads(context), 0));
	ceiling->clock = fmax(ceiling->clock, sluice__peak_clock(0));
}

/* Of `side` places and a kernel over them, the part of all pairs that lie inside: others are counted and not computed.
 */
static double part_inside(size_t side, size_t kernel, size_t dilation)
{
	const size_t before = kernel / 2 * dilation;
	size_t inside = 0;
	for (size_t place = 0; place < side; place++)
		for (size_t tap = 0; tap < kernel; tap++) {
			const size_t at = place + tap * dilation;
			inside += at >= before && at - before < side;
		}
	return (double)inside / (double)(side * kernel);
}

/* The least part of the counted operations that a plan must do: tiles do a fourth, or 4/25, of the products. */
static double part_needed(const struct sluice__problem *problem)
{
	const size_t stride = problem->stride ? problem->stride : 1,
		     dilation = problem->dilation ? problem->dilation : 1;
	const bool tiles = problem->winograd != SLUICE_OFF && dilation == 1 && !problem->groups;
	if (!problem->kernel)
		return 1;
	if (tiles && (problem->kernel == 3 || problem->kernel == 5))
		return problem->kernel == 3 ? 1. / 4 : 4. / 25;
	return part_inside((problem->rows - 1) / stride + 1, problem->kernel, dilation) *
	       part_inside((problem->columns - 1) / stride + 1, problem->kernel, dilation);
}

static sluice_status print_pass(const struct subject *subject, const struct values *values,
				const struct sluice__candidate *candidate, const char *pass, double flops,
				const struct ceiling *ceiling)
{
	static const char *const types[] = {
#define TYPE_NAME(name, text, bytes) [SLUICE_##name] = text,
		SLUICE_DTYPE_MAP(TYPE_NAME)
#undef TYPE_NAME
	};
	char problem[SLUICE__PROBLEM_TEXT];
	const struct sluice__timing *timing = &candidate->timing;
	const double steps = (double)subject->run.steps, gflops = 1e-9 * flops / timing->median;
	const double share = gflops / ceiling->gflops;
	const int threads = sluice_context_threads(subject->context);
	const char *level = sluice_context_isa(subject->context), *kernels = sluice_plan_kernels(subject->plan);
	sluice__problem_print(&subject->problem, problem);
	if (!(share * part_needed(&subject->problem) <= SHARE_LIMIT))
		return sluice_fail(
			SLUICE_INTERNAL,
			"%s %s: %.1f GFLOP/s are %.3f of the measured ceiling of %.1f GFLOP/s; a share above %.2f is "
			"a broken measurement",
			problem, pass, gflops, share, ceiling->gflops, SHARE_LIMIT);
	const double median = 1e6 * timing->median / steps, min = 1e6 * timing->min / steps;
	const double p99 = 1e6 * timing->p99 / steps;
	if (values->json)
		printf("{\"problem\": \"%s\", \"pass\": \"%s\", \"device\": \"cpu\", \"dtype\": \"%s\", \"threads\": "
		       "%d, "
		       "\"us_per_step\": %.6g, \"us_per_step_min\": %.6g, \"us_p99\": %.6g, \"gflops\": %.6g, "
		       "\"peak_gflops\": %.6g, \"peak_share\": %.4f, \"kernels\": \"%s\", \"level\": \"%s\", "
		       "\"clock_ghz\": %.3f}\n",
		       problem, pass, types[subject->setting.data], threads, median, min, p99, gflops, ceiling->gflops,
		       share, kernels, level, ceiling->clock);
	else
		printf("%-22s %-8s %7d %11.3f %11.3f %11.3f %9.1f %9.1f %6.1f%% %6.2f  %s\n", problem, pass, threads,
		       median, min, p99, gflops, ceiling->gflops, 100 * share, ceiling->clock, kernels);
	return SLUICE_OK;
}

/* The p99 of single calls, clock included. Median and minimum are those of samples of many calls: reading the clock
 * takes a good part of what a small step takes. */
static int measure_calls(struct sluice__candidate *candidate, double seconds)
{
	struct sluice__candidate single = *candidate;
	const struct sluice__timing_options timing = {.seconds = seconds / 2, .samples_max = 1000000, .calls = 1};
	int failed = sluice__timing_measure(&single, 1, &timing);
	candidate->timing.p99 = single.timing.p99;
	return failed;
}

static sluice_status measure(struct subject *subject, const struct values *values)
{
	struct ceiling ceiling = {0};
	struct sluice__candidate candidates[2] = {{.run = values->step ? run_step : run_forward, .argument = subject},
						  {.run = run_backward, .argument = subject}};
	const struct sluice__timing_options timing = {.seconds = values->seconds};
	double flops = sluice__problem_flops(&subject->problem);
	if (values->step)
		flops /= (double)subject->problem.steps;

	probe(&ceiling, subject->context);
	int failed = sluice__timing_measure(candidates, values->backward ? 2 : 1, &timing);
	if (!failed && values->step)
		failed = measure_calls(&candidates[0], values->seconds);
	if (failed < 0)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "there is no memory for the samples");
	if (failed)
		return (sluice_status)failed;
	probe(&ceiling, subject->context);
	if (!isfinite(subject->consumed))
		return sluice_fail(SLUICE_INTERNAL, "an output is not a number");
	sluice_status status =
		print_pass(subject, values, &candidates[0], values->step ? "step" : "forward", flops, &ceiling);
	if (status == SLUICE_OK && values->backward)
		status = print_pass(subject, values, &candidates[1], "backward", 2 * flops, &ceiling);
	return status;
}

static sluice_status bench(const struct sluice__problem *problem, const struct values *values)
{
	struct subject subject = {.problem = *problem};
	sluice_status status = create_model(&subject, values);
	if (status == SLUICE_OK)
		status = create_data(&subject, values);
	if (status == SLUICE_OK && values->backward)
		status = create_gradients(&subject);
	if (status == SLUICE_OK)
		status = measure(&subject, values);
	release(&subject);
	return status;
}

int cmd_bench(int argc, char **argv)
{
	struct values values = {.threads = 1, .seconds = 1};
	int first, code = args_parse(&command, argc, argv, &values, &first);
	if (code != ARGS_GO)
		return code;
	if (values.backward && values.step)
		return args_usage(&command, "--backward and --step exclude each other");
	if (!values.json)
		printf("%-22s %-8s %7s %11s %11s %11s %9s %9s %7s %6s  %s\n", "problem", "pass", "threads", "us/step",
		       "min", "p99", "GFLOP/s", "peak", "share", "GHz", "kernels");
	for (int k = first; k < argc; k++) {
		struct sluice__problem problem;
		if (sluice__problem_parse(argv[k], &problem) != SLUICE_OK) {
			tool_fail(command.name);
			fputs(sluice__problem_grammar(), stderr);
			return 2;
		}
		if (bench(&problem, &values) != SLUICE_OK)
			return tool_fail(command.name);
		fflush(stdout);
	}
	return tool_finish(command.name, 0);
}
