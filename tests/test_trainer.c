/* test_trainer.c: the data, the yardstick, one update taken apart, exact resume, and what the trainer refuses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "io_fixture.h"
#include "train/learner.h"

/* As fixture_path, but the texts live for a whole test. */
static const char *path_of(const char *name)
{
	static char paths[16][256];
	static int next;
	char *path = paths[next++ % 16];
	snprintf(path, sizeof(paths[0]), "%s", fixture_path(name));
	return path;
}

static void assert_same_file(const char *left, const char *right)
{
	size_t left_count, right_count;
	unsigned char *left_bytes = fixture_read(left, &left_count), *right_bytes = fixture_read(right, &right_count);
	if (left_count != right_count || memcmp(left_bytes, right_bytes, left_count) != 0)
		fail_msg("%s and %s differ", left, right);
	free(left_bytes);
	free(right_bytes);
}

/* Words of a small grammar: text with something to learn, of any length. */
static void write_text(const char *path, size_t length)
{
	static const char *const words[] = {"the cat ", "saw ", "a dog", ". ", "and then ", "it ran", "!\n", "xyz "};
	FILE *file = fopen(path, "wb");
	uint32_t random = 1;
	assert_non_null(file);
	for (size_t count = 0; count < length;) {
		random = random * 1664525u + 1013904223u;
		for (const char *at = words[random >> 29]; *at && count < length; at++, count++)
			fputc(*at, file);
	}
	assert_int_equal(fclose(file), 0);
}

static const char *text_path; /* of 2000 characters */

/* A course of a second at most. */
static struct sluice__train_options small_options(void)
{
	struct sluice__train_options options;
	sluice__train_defaults(&options);
	options.texts = &text_path;
	options.text_count = 1;
	options.hidden = 12;
	options.embedding = 5;
	options.steps = 10;
	options.batch = 4;
	options.epochs = 1;
	return options;
}

/* ------------------------------------------------------------------------------------------------ the data ---- */

static void read_text(sluice_context *context, const char *content, double validation, struct sluice__text *text)
{
	const char *path = path_of("content.txt");
	fixture_write(path, content, strlen(content));
	assert_int_equal(sluice__text_read(context, &path, 1, validation, text), SLUICE_OK);
}

static void test_streams(void **state)
{
	(void)state;
	static const uint32_t input_expected[] = {1, 1, 2, 2, 0, 0}, target_expected[] = {2, 2, 0, 0, 1, 1};
	sluice_context *context = fixture_context();
	struct sluice__text text;
	struct sluice__streams streams;
	uint32_t input[6], target[6];
	read_text(context, "abcabcabcabcabcabc", 0.3, &text); /* 13 for training, 5 for validation */
	assert_int_equal(text.training, 13);
	assert_int_equal(text.symbol_count, 3);
	assert_memory_equal(text.symbols, "abc", 3);

	assert_int_equal(sluice__streams_training(&text, 2, 4, &streams), SLUICE_OK);
	assert_int_equal(streams.length, 6);
	sluice__streams_fill(&text, &streams, 1, 3, input, target);
	assert_memory_equal(input, input_expected, sizeof(input));
	assert_memory_equal(target, target_expected, sizeof(target));
	assert_int_equal(sluice__streams_training(&text, 3, 4, &streams), SLUICE_OK); /* 13 = 3*4 + 1: just enough */
	assert_int_equal(sluice__streams_training(&text, 1, 13, &streams), SLUICE_INVALID_ARGUMENT);
	assert_non_null(strstr(sluice_last_message(), "needs at least 14"));

	assert_int_equal(sluice__streams_validation(&text, 4, 2, &streams), SLUICE_OK);
	assert_int_equal(streams.start, 13);
	assert_int_equal(streams.count, 2); /* four would have a step each */
	assert_int_equal(streams.length, 2);
	assert_int_equal(sluice__streams_validation(&text, 4, 100, &streams), SLUICE_OK);
	assert_int_equal(streams.count, 1);
	assert_int_equal(streams.length, 4);
	sluice__text_release(&text);
}

/* By hand: training "aabab", judged "b" after it and "a" after that. Once-and-twice counts give no discount at order 0
 * (3 a, 2 b: n1 = 0, so 1/2): p(a) = (3 - 1/2 + 1/2*2*1/2)/5 = 0.6, p(b) = 0.4. In the company of different symbols: a
 * follows a and b, b follows a: n1 = 1, n2 = 1, d = 1/3: p(a) = (2 - 1/3 + 1/3*2*1/2)/3 = 2/3, p(b) = 1/3.
 * Order 1: aa once, ab twice, ba once: n1 = 2, n2 = 1, d = 1/2; p(b|b) = (0 + 1/2*1*1/3)/1 = 1/6, as ba is all that
 * follows b; p(a|b) = (1 - 1/2 + 1/2*1*2/3)/1 = 5/6. */
static void test_ngrams_by_hand(void **state)
{
	(void)state;
	sluice_context *context = fixture_context();
	struct sluice__text text;
	struct sluice__streams streams = {.start = 4, .length = 2, .count = 1};
	double bits[SLUICE__NGRAM_ORDER_MAX + 1];
	read_text(context, "aababba", 0.29, &text);
	assert_int_equal(text.training, 5);
	assert_int_equal(sluice__ngram_bits(&text, &streams, bits), SLUICE_OK);
	/* A dozen double operations. */
	assert_true(fabs(bits[0] - -(log2(0.4) + log2(0.6)) / 2) < 1e-14);
	/* The judged characters are b after b and a after b. */
	assert_true(fabs(bits[1] - -(log2(1.0 / 6) + log2(5.0 / 6)) / 2) < 1e-14);
	streams.length = 0;
	assert_int_equal(sluice__ngram_bits(&text, &streams, bits), SLUICE_INVALID_ARGUMENT);
	sluice__text_release(&text);
}

/* The probabilities of a context sum to 1: judged on every symbol after the same context, they are a distribution. */
static void test_ngrams_are_distributions(void **state)
{
	(void)state;
	static const char training[] = "abracadabra cabdab rac";
	static const char symbols[] = " abcdr";
	sluice_context *context = fixture_context();
	double sums[SLUICE__NGRAM_ORDER_MAX + 1] = {0};
	for (size_t k = 0; symbols[k]; k++) {
		char content[64];
		struct sluice__text text;
		double bits[SLUICE__NGRAM_ORDER_MAX + 1];
		snprintf(content, sizeof(content), "%s%c", training, symbols[k]);
		read_text(context, content, 1.5 / (double)strlen(content), &text);
		assert_int_equal(text.training, strlen(training));
		const struct sluice__streams streams = {.start = text.training - 1, .length = 1, .count = 1};
		assert_int_equal(sluice__ngram_bits(&text, &streams, bits), SLUICE_OK);
		for (size_t order = 0; order <= SLUICE__NGRAM_ORDER_MAX; order++)
			sums[order] += exp2(-bits[order]);
		sluice__text_release(&text);
	}
	/* Six terms, each a few roundings and a logarithm and its inverse away from exact. */
	for (size_t order = 0; order <= SLUICE__NGRAM_ORDER_MAX; order++)
		assert_true(fabs(sums[order] - 1) < 1e-13);
}

/* ---------------------------------------------------------------------------------------------- one update ---- */

static void open_learner(sluice_context *context, const struct sluice__train_options *options,
			 struct sluice__text *text, struct sluice__learner *learner)
{
	assert_int_equal(sluice__text_read(context, options->texts, options->text_count, options->validation, text),
			 SLUICE_OK);
	if (sluice__learner_create(context, options, text, learner) != SLUICE_OK)
		fail_msg("%s", sluice_last_message());
}

/* With an identity for an embedding and one character an update, x is one-hot: the column of dW_ih that belongs to the
 * character is da, and its row of the embedding's gradient must be W_ih transposed times da; all other rows are zero.
 */
static void assert_embedding_gradient(const struct sluice__learner *learner, const sluice_parameter *weight,
				      const float *before, double *largest)
{
	const size_t width = learner->characters.width, gates = weight->rows;
	const float *dw = learner->blocks[0].gradients + weight->offset, *dtable = learner->blocks[1].gradients;
	for (size_t v = 0; v < width; v++) {
		for (size_t e = 0; e < width; e++) {
			double sum = 0, terms = 0;
			for (size_t j = 0; j < gates && v == learner->input[0]; j++) {
				double term = (double)before[j * width + e] * (double)dw[j * width + v];
				sum += term;
				terms += fabs(term);
			}
			/* The library sums the same products in f32: at most one rounding of u for each, and for each
			 * product. */
			double bound = 2 * (double)gates * 0x1p-24 * terms;
			if (fabs((double)dtable[v * width + e] - sum) > bound)
				fail_msg("d table[%zu,%zu] is %g, not %g", v, e, (double)dtable[v * width + e], sum);
			*largest = fmax(*largest, fabs(sum));
		}
	}
}

static void test_embedding_gradient(void **state)
{
	(void)state;
	struct sluice__train_options options = small_options();
	struct sluice__text text;
	struct sluice__learner learner;
	double loss, norm, largest = 0;
	options.embedding = 20; /* symbols of the text */
	options.layers = 1;
	options.steps = 1;
	options.batch = 1;
	options.optimizer.kind = SLUICE_OPTIMIZER_SGD;
	open_learner(fixture_context(), &options, &text, &learner);
	const size_t width = learner.characters.width;
	assert_int_equal(text.symbol_count, width);
	sluice_parameter weight = SLUICE_PARAMETER_INIT;
	assert_int_equal(sluice_model_parameter(learner.characters.model, 0, &weight), SLUICE_OK);
	assert_string_equal(weight.name, "weight_ih_l0");
	float before[4 * 12 * 20];
	for (uint64_t update = 1; update <= 5; update++) {
		for (size_t k = 0; k < width * width; k++)
			learner.characters.table[k] = k % (width + 1) == 0;
		memcpy(before, learner.blocks[0].parameters + weight.offset, sizeof(before));
		assert_int_equal(sluice__learner_update(&learner, update, 0.1, (size_t)update, &loss, &norm),
				 SLUICE_OK);
		assert_embedding_gradient(&learner, &weight, before, &largest);
	}
	assert_true(largest > 1e-6); /* or the test could not fail */
	sluice__learner_release(&learner);
	sluice__text_release(&text);
}

/* Plain gradient descent moves all parameters by rate times the clipped norm. */
static void test_clipping(void **state)
{
	(void)state;
	static const double clips[] = {0, 1e-3, 1e3};
	sluice_context *context = fixture_context();
	for (size_t k = 0; k < 3; k++) {
		struct sluice__train_options options = small_options();
		struct sluice__text text;
		struct sluice__learner learner;
		double loss, norm, squares = 0;
		options.optimizer.kind = SLUICE_OPTIMIZER_SGD;
		options.clip = clips[k];
		open_learner(context, &options, &text, &learner);
		sluice__learner_keep(&learner);
		/* A rate this large keeps the rounding of the parameters away from the difference. */
		const double rate = 1e4;
		assert_int_equal(sluice__learner_update(&learner, 1, rate, 0, &loss, &norm), SLUICE_OK);
		for (size_t block = 0; block < learner.block_count; block++)
			for (size_t p = 0; p < learner.blocks[block].count; p++)
				squares += pow((double)learner.blocks[block].parameters[p] -
						       (double)learner.blocks[block].best[p],
					       2);
		double expected = rate * (clips[k] > 0 && clips[k] < norm ? clips[k] * norm / (norm + 1e-6) : norm);
		/* Each difference carries u of a parameter below 2 and of the move itself, the scale its own u. */
		assert_true(fabs(sqrt(squares) - expected) <= 1e-5 * expected);
		assert_true(norm > 2e-3);
		sluice__learner_release(&learner);
		sluice__text_release(&text);
	}
}

/* Every update drops other outputs, and the number of the update decides which. */
static void test_dropout(void **state)
{
	(void)state;
	static const uint64_t updates[] = {1, 2, 1};
	struct sluice__train_options options = small_options();
	double losses[3], norm;
	options.dropout = 0.5;
	for (size_t k = 0; k < 3; k++) {
		struct sluice__text text;
		struct sluice__learner learner;
		open_learner(fixture_context(), &options, &text, &learner);
		assert_int_equal(sluice__learner_update(&learner, updates[k], 0.1, 0, &losses[k], &norm), SLUICE_OK);
		sluice__learner_release(&learner);
		sluice__text_release(&text);
	}
	assert_true(losses[0] == losses[2]);
	assert_true(losses[0] != losses[1]);
}

/* ----------------------------------------------------------------------------------------- the whole course ---- */

static struct sluice__train_result train(const struct sluice__train_options *options)
{
	struct sluice__train_result result;
	if (sluice__train(fixture_context(), options, &result) != SLUICE_OK)
		fail_msg("%s", sluice_last_message());
	return result;
}

static void test_learns(void **state)
{
	(void)state;
	struct sluice__train_options options = small_options();
	options.epochs = 30;
	options.hidden = 32;
	options.baselines = 1;
	struct sluice__train_result result = train(&options);
	const double bits = SLUICE__BITS(result.validation_loss);
	/* The text is eight words drawn at random, 3 bits for about 4.6 characters: no model that knows single
	 * characters only (order 0) comes near, and one that has learnt the words must beat the pairs (order 1). */
	if (!(bits < result.ngram_bits[1] && result.ngram_bits[1] < result.ngram_bits[0]))
		fail_msg("validation %g, order 1 %g, order 0 %g", bits, result.ngram_bits[1], result.ngram_bits[0]);
}

/* Where the validation part is the training part's language backwards, learning soon makes its loss worse, and the file
 * holds an earlier model: judged again, it has the loss that was reported. */
static void test_best_model_is_kept(void **state)
{
	(void)state;
	struct sluice__train_options options = small_options();
	size_t count;
	unsigned char *bytes = fixture_read(text_path, &count);
	for (size_t left = 1800, right = 1999; left < right; left++, right--) {
		unsigned char byte = bytes[left];
		bytes[left] = bytes[right];
		bytes[right] = byte;
	}
	const char *path = path_of("backwards.txt");
	fixture_write(path, bytes, count);
	free(bytes);
	options.texts = &path;
	options.epochs = 30;
	options.hidden = 32;
	options.schedule.rate = 0.01;
	options.output = path_of("best.safetensors");
	struct sluice__train_result result = train(&options);

	sluice_context *context = fixture_context();
	struct sluice__text text;
	struct sluice__learner learner;
	struct sluice__characters characters;
	sluice_tensors *tensors;
	double loss;
	assert_int_equal(sluice_tensors_open(context, options.output, &tensors), SLUICE_OK);
	assert_int_equal(sluice__characters_get(context, tensors, &characters), SLUICE_OK);
	const char *training = sluice_tensors_metadata(tensors, "sluice.training");
	assert_non_null(training);
	assert_true(strtoull(training, NULL, 10) < result.updates);
	sluice_tensors_destroy(tensors);
	open_learner(context, &options, &text, &learner);
	memcpy(learner.blocks[0].parameters, sluice_model_parameters(characters.model, NULL),
	       learner.blocks[0].count * sizeof(float));
	memcpy(learner.blocks[1].parameters, characters.table, learner.blocks[1].count * sizeof(float));
	assert_int_equal(sluice__learner_validate(&learner, &loss), SLUICE_OK);
	assert_true(loss == result.validation_loss);
	sluice__learner_release(&learner);
	sluice__text_release(&text);
	sluice__characters_release(&characters);
}

/* The hardest resume: stopped after every single update, each time a new context, learner and log. */
static void assert_resume(struct sluice__train_options options)
{
	const volatile sig_atomic_t stop = 1;
	struct sluice__train_result result;
	int calls = 0;
	options.log = path_of("whole.csv");
	options.curve = path_of("whole.svg");
	options.output = path_of("whole.safetensors");
	struct sluice__train_result whole = train(&options);

	const char *log = options.log, *curve = options.curve, *output = options.output;
	options.log = path_of("pieces.csv");
	options.curve = path_of("pieces.svg");
	options.output = path_of("pieces.safetensors");
	options.checkpoint = path_of("pieces.checkpoint");
	options.checkpoint_every = 0;
	options.resume = 1;
	options.stop = &stop;
	remove(options.checkpoint);
	do {
		result = train(&options);
		assert_true(++calls <= 1000);
	} while (result.stopped);
	assert_int_equal(result.updates, whole.updates);
	assert_true(result.training_loss == whole.training_loss);
	assert_true(isnan(whole.validation_loss) || result.validation_loss == whole.validation_loss);
	assert_true(calls > (int)whole.updates);
	assert_same_file(log, options.log);
	assert_same_file(curve, options.curve);
	assert_same_file(output, options.output);
}

static void test_resume(void **state)
{
	(void)state;
	struct sluice__train_options options = small_options();
	options.epochs = 2;
	options.updates = 50; /* an epoch has 44 */
	options.dropout = 0.3;
	options.schedule.kind = SLUICE__SCHEDULE_COSINE;
	options.schedule.warmup = 5;
	assert_resume(options);

	options.updates = 24;
	options.embedding = 0; /* one-hot */
	options.optimizer.kind = SLUICE_OPTIMIZER_RMSPROP;
	options.optimizer.momentum = 0.5f;
	options.schedule.kind = SLUICE__SCHEDULE_PLATEAU;
	options.schedule.plateau_patience = 1;
	options.schedule.rate = 0.5; /* too high, so that validations fail to improve */
	options.validate_every = 2;
	assert_resume(options);
	size_t count;
	unsigned char *log = fixture_read(path_of("whole.csv"), &count);
	assert_non_null(strstr((char *)log, ",0.25,")); /* the rate was reduced indeed */
	free(log);

	options.optimizer.kind = SLUICE_OPTIMIZER_SGD;
	options.optimizer.momentum = 0.9f;
	options.schedule.kind = SLUICE__SCHEDULE_STEP;
	options.schedule.period = 7;
	options.schedule.patience = 2;
	options.epochs = 1;
	assert_resume(options);

	options.schedule.patience = 0;
	options.validation = 0; /* no best parameters, the last ones count */
	assert_resume(options);
}

/* ------------------------------------------------------------------------------------------------- refusals ---- */

static void assert_refused(const struct sluice__train_options *options, sluice_status expected, const char *phrase)
{
	struct sluice__train_result result;
	fixture_expect(sluice__train(fixture_context(), options, &result), expected, phrase);
}

static void test_refusals(void **state)
{
	(void)state;
	struct sluice__train_options options = small_options();
	const char *path = path_of("bad.txt");
	options.texts = &path;
	fixture_write(path, "", 0);
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "is empty");
	fixture_write(path, "short", 5);
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "needs at least 41");
	path = path_of("missing.txt");
	assert_refused(&options, SLUICE_IO, "missing.txt: No such file");
	path = path_of("");
	assert_refused(&options, SLUICE_IO, "Is a directory");

	options = small_options();
	options.output = "/nonexistent/model.safetensors";
	assert_refused(&options, SLUICE_IO, "/nonexistent/model.safetensors: No such file");
	options = small_options();
	options.hidden = 0;
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "hidden is 0");
	options.hidden = SIZE_MAX / 2;
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "");
	options = small_options();
	options.layers = 128;
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "layers is 128");
	options = small_options();
	options.batch = SIZE_MAX / 4;
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "batch is");
	options = small_options();
	options.schedule.rate = NAN;
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "rate is nan");
	options = small_options();
	options.validation = 0;
	options.schedule.patience = 1;
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "validation is 0");
	options = small_options();
	options.schedule.rate = 1e30;
	options.optimizer.kind = SLUICE_OPTIMIZER_SGD;
	options.clip = 0;
	options.epochs = 5;
	assert_refused(&options, SLUICE_INTERNAL, "diverged");
}

/* Replaces the first occurrence of a text in a file by another of the same length. */
static void patch_file(const char *path, const char *from, const char *to)
{
	size_t count, length = strlen(from);
	unsigned char *bytes = fixture_read(path, &count), *at = NULL;
	for (size_t k = 0; !at && k + length <= count; k++)
		at = memcmp(bytes + k, from, length) == 0 ? bytes + k : NULL;
	if (!at)
		fail_msg("%s does not contain %s", path, from);
	memcpy(at, to, length);
	fixture_write(path, bytes, count);
	free(bytes);
}

static void test_bad_checkpoints(void **state)
{
	(void)state;
	struct sluice__train_options options = small_options();
	size_t count;
	options.updates = 12;
	options.checkpoint = path_of("bad.checkpoint");
	options.checkpoint_every = 12;
	options.log = path_of("bad.csv");
	train(&options);
	unsigned char *bytes = fixture_read(options.checkpoint, &count);
	options.resume = 1;

	options.hidden = 13;
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "its hidden is 12, not 13");
	options.hidden = 12;
	options.seed = 1;
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "its seed is 0, not 1");
	options.seed = 0;
	/* What a log got after the checkpoint is cut off, even if nothing follows. */
	size_t log_count;
	unsigned char *log = fixture_read(options.log, &log_count);
	FILE *file = fopen(options.log, "ab");
	assert_non_null(file);
	fputs("13,1,0.002,a line cut sho", file);
	fclose(file);
	train(&options);
	size_t cut_count;
	unsigned char *cut = fixture_read(options.log, &cut_count);
	assert_int_equal(cut_count, log_count);
	assert_memory_equal(cut, log, log_count);
	free(cut);
	free(log);

	write_text(path_of("other.txt"), 2001);
	const char *other = path_of("other.txt");
	options.texts = &other;
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "its text is");
	options.texts = &text_path;

	patch_file(options.checkpoint, "sluice.train.chunk\":\"12\"", "sluice.train.chunk\":\"99\"");
	assert_refused(&options, SLUICE_FORMAT, "make no sense");
	fixture_write(options.checkpoint, bytes, count);
	patch_file(options.checkpoint, "sluice.train.update\":\"12\"", "sluice.train.update\":\"1x\"");
	assert_refused(&options, SLUICE_FORMAT, "not a number");
	fixture_write(options.checkpoint, bytes, count - 1);
	assert_refused(&options, SLUICE_FORMAT, "bad.checkpoint");
	fixture_write(options.checkpoint, bytes, count);
	fixture_write(options.log, "update\n", 7);
	assert_refused(&options, SLUICE_INVALID_ARGUMENT, "not the log of this course");
	free(bytes);
}

static sluice_status train_with(sluice_context *context)
{
	struct sluice__train_options options = small_options();
	struct sluice__train_result result;
	options.updates = 3;
	options.baselines = 1;
	options.output = path_of("memory.safetensors");
	options.checkpoint = path_of("memory.checkpoint");
	options.checkpoint_every = 2;
	remove(options.checkpoint);
	sluice_status status = sluice__train(context, &options, &result);
	if (status != SLUICE_OK)
		return status;
	options.resume = 1;
	return sluice__train(context, &options, &result);
}

static void test_every_allocation_may_fail(void **state)
{
	(void)state;
	fixture_sweep(train_with);
}

static int set_up(void **state)
{
	static char path[256];
	if (fixture_setup(state) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s", fixture_path("text.txt"));
	write_text(path, 2000);
	text_path = path;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_ngrams_by_hand),
		cmocka_unit_test(test_ngrams_are_distributions),
		cmocka_unit_test(test_embedding_gradient),
		cmocka_unit_test(test_clipping),
		cmocka_unit_test(test_dropout),
		cmocka_unit_test(test_learns),
		cmocka_unit_test(test_best_model_is_kept),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bad_checkpoints),
		cmocka_unit_test(test_every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, set_up, fixture_teardown);
}
