/* cmd_train.c: `sluice train`, the trainer on the command line. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "tool.h"
#include "train/trainer.h"

struct values {
	struct sluice__train_options train;
	int threads, quiet;
	const char *isa;
};

#define AT(member) offsetof(struct values, member)
#define MAX 9007199254740992.0 /* no limit; see args.h */

static const struct args_option options[] = {
	{"output", ARGS_TEXT, AT(train.output), "FILE", 0, 0, "write the model there (needed)"},
	{"hidden", ARGS_SIZE, AT(train.hidden), "N", 1, MAX, "units of each layer; default 128"},
	{"layers", ARGS_SIZE, AT(train.layers), "N", 1, 127, "layers; default 2"},
	{"embedding", ARGS_SIZE, AT(train.embedding), "N", 0, MAX, "width of the embedding, 0: one-hot; default 64"},
	{"dropout", ARGS_REAL, AT(train.dropout), "X", 0, 0.999, "drop so much of every layer's output; default 0"},
	{"forget-bias", ARGS_REAL, AT(train.forget_bias), "X", -1e6, 1e6, "the forget gates' first bias; default 1"},
	{"steps", ARGS_SIZE, AT(train.steps), "N", 1, MAX, "characters of a stream in one update; default 50"},
	{"batch", ARGS_SIZE, AT(train.batch), "N", 1, MAX, "parallel streams; default 32"},
	{"epochs", ARGS_U64, AT(train.epochs), "N", 0, MAX, "passes over the text; default 10"},
	{"updates", ARGS_U64, AT(train.updates), "N", 0, MAX, "no more updates than these"},
	{"optimizer", ARGS_CHOICE, AT(train.optimizer.kind), "sgd|rmsprop|adam", 0, 0, "default adam"},
	{"rate", ARGS_REAL, AT(train.schedule.rate), "X", 1e-30, 1e30, "learning rate; default 0.002"},
	{"momentum", ARGS_FLOAT, AT(train.optimizer.momentum), "X", 0, 1, "of sgd and rmsprop; default 0"},
	{"decay", ARGS_FLOAT, AT(train.optimizer.decay), "X", 0, 1, "of squares; default 0.99 rmsprop, 0.999 adam"},
	{"beta1", ARGS_FLOAT, AT(train.optimizer.beta1), "X", 0, 1, "adam's decay of gradients; default 0.9"},
	{"epsilon", ARGS_FLOAT, AT(train.optimizer.epsilon), "X", 0, 1, "default 1e-8"},
	{"weight-decay", ARGS_FLOAT, AT(train.optimizer.weight_decay), "X", 0, 1e6, "L2 penalty; default 0"},
	{"clip", ARGS_REAL, AT(train.clip), "X", 0, 1e30, "largest norm of the gradient, 0: any; default 5"},
	{"schedule", ARGS_CHOICE, AT(train.schedule.kind), "constant|step|plateau|cosine", 0, 0,
	 "how the rate goes on; default constant"},
	{"warmup", ARGS_U64, AT(train.schedule.warmup), "N", 0, MAX, "updates of linear growth first; default 0"},
	{"rate-end", ARGS_REAL, AT(train.schedule.rate_end), "X", 0, 1e6,
	 "where cosine ends, plateau stops; default 0"},
	{"factor", ARGS_REAL, AT(train.schedule.factor), "X", 1e-30, 1,
	 "of step's and plateau's reductions; default 0.5"},
	{"period", ARGS_U64, AT(train.schedule.period), "N", 1, MAX, "updates between step's reductions; default 1000"},
	{"plateau-patience", ARGS_U64, AT(train.schedule.plateau_patience), "N", 0, MAX,
	 "validations plateau waits for a better one; default 2"},
	{"validation", ARGS_REAL, AT(train.validation), "X", 0, 0.999, "share of the text, at its end; default 0.1"},
	{"validate-every", ARGS_U64, AT(train.validate_every), "N", 0, MAX, "updates; default 0: once an epoch"},
	{"patience", ARGS_U64, AT(train.schedule.patience), "N", 0, MAX,
	 "end after so many validations without a better one; default 0: never"},
	{"improvement", ARGS_REAL, AT(train.schedule.improvement), "X", 0, 1e6, "that counts as better; default 0"},
	{"seed", ARGS_U64, AT(train.seed), "N", 0, MAX, "of all random numbers; default 0"},
	{"checkpoint", ARGS_TEXT, AT(train.checkpoint), "FILE", 0, 0, "default: the output with .checkpoint"},
	{"checkpoint-every", ARGS_U64, AT(train.checkpoint_every), "N", 0, MAX,
	 "updates, 0: only when interrupted; default 500"},
	{"resume", ARGS_FLAG, AT(train.resume), NULL, 0, 0, "go on from the checkpoint, if there is one"},
	{"log", ARGS_TEXT, AT(train.log), "FILE", 0, 0, "write a line for each update there, CSV"},
	{"curve", ARGS_TEXT, AT(train.curve), "FILE", 0, 0, "draw the losses there, SVG"},
	{"ngrams", ARGS_FLAG, AT(train.baselines), NULL, 0, 0, "judge n-gram models on the same split, too"},
	{"threads", ARGS_INT, AT(threads), "N", 1, 1024, "default 1; the results do not depend on it"},
	{"isa", ARGS_TEXT, AT(isa), "LEVEL", 0, 0, "highest instruction-set level to use"},
	{"quiet", ARGS_FLAG, AT(quiet), NULL, 0, 0, "no progress"},
};

static const struct args_command command = {
	"train",
	"TEXT...",
	"Trains a character language model on the texts and writes the one that is best on the validation part.",
	options,
	sizeof(options) / sizeof(options[0]),
	1,
	-1,
};

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

/* A signal asks for a checkpoint and an end. More of them change nothing: wrappers such as timeout(1) send two at once.
 */
static void catch_signals(void)
{
	struct sigaction action = {0};
	action.sa_handler = on_signal;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void print_result(const struct values *values, const struct sluice__train_result *result)
{
	printf("updates %llu of %llu%s\n", (unsigned long long)result->updates, (unsigned long long)result->total,
	       result->stopped_early ? ", ended early" : "");
	if (result->updates_here > 0)
		printf("milliseconds per update %.3f\n", 1e3 * result->seconds / (double)result->updates_here);
	if (!isnan(result->training_loss))
		printf("training %.4f bits per character\n", SLUICE__BITS(result->training_loss));
	if (!isnan(result->validation_loss))
		printf("validation %.4f bits per character\n", SLUICE__BITS(result->validation_loss));
	for (int order = 1; order <= SLUICE__NGRAM_ORDER_MAX && values->train.baselines; order++)
		printf("order-%d n-gram %.4f bits per character\n", order, result->ngram_bits[order]);
}

static int interrupted(const struct values *values, const struct sluice__train_result *result)
{
	fprintf(stderr, "sluice train: interrupted after update %llu of %llu; go on with --resume (checkpoint %s)\n",
		(unsigned long long)result->updates, (unsigned long long)result->total, values->train.checkpoint);
	return 128 + (int)caught;
}

static int train(struct values *values)
{
	struct sluice__train_result result;
	sluice_context *context = NULL;
	if (tool_context(values->threads, values->isa, &context) != SLUICE_OK)
		return tool_fail(command.name);
	catch_signals();
	sluice_status status = sluice__train(context, &values->train, &result);
	sluice_context_destroy(context);
	if (status != SLUICE_OK)
		return tool_fail(command.name);
	if (result.stopped)
		return interrupted(values, &result);
	print_result(values, &result);
	return tool_finish(command.name, 0);
}

int cmd_train(int argc, char **argv)
{
	struct values values = {.threads = 1};
	int first;
	sluice__train_defaults(&values.train);
	int code = args_parse(&command, argc, argv, &values, &first);
	if (code != ARGS_GO)
		return code;
	if (!values.train.output)
		return args_usage(&command, "--output is missing");
	values.train.texts = (const char *const *)argv + first;
	values.train.text_count = (size_t)(argc - first);
	values.train.stop = &caught;
	values.train.progress = values.quiet ? NULL : stderr;
	values.train.terminal = isatty(STDERR_FILENO);

	char *path = NULL;
	if (!values.train.checkpoint) {
		size_t length = strlen(values.train.output) + sizeof(".checkpoint");
		path = malloc(length);
		if (!path) {
			fprintf(stderr, "sluice train: out of memory\n");
			return 1;
		}
		snprintf(path, length, "%s.checkpoint", values.train.output);
		values.train.checkpoint = path;
	}
	code = train(&values);
	free(path);
	return code;
}
