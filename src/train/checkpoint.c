/*
 * checkpoint.c: stores a course of training between two updates, so that a killed one goes on with the same bits.
 *
 * The file is a character model that `sluice generate` understands, with more beside it: the texts "sluice.train.*"
 * hold counters and options, the tensors "train.*" moments, best parameters, the streams' state and the curves.
 */
#include "checkpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "sluice.train."
#define KEY_BYTES 64
#define TEXT_BYTES 64

enum kind { KIND_SIZE, KIND_U64, KIND_F32, KIND_F64, KIND_ENUM };

/* A number inside a struct and its key in the file. */
struct field {
	const char *key;
	enum kind kind;
	size_t offset;
};

#define COURSE(key, kind, member)                                  \
	{                                                          \
		key, kind, offsetof(struct sluice__course, member) \
	}

static const struct field course_fields[] = {
	COURSE("update", KIND_U64, update),
	COURSE("epoch", KIND_U64, epoch),
	COURSE("chunk", KIND_U64, chunk),
	COURSE("log_bytes", KIND_U64, log_bytes),
	COURSE("loss_count", KIND_U64, loss_count),
	COURSE("loss_sum", KIND_F64, loss_sum),
	COURSE("training_loss", KIND_F64, training_loss),
	COURSE("best", KIND_F64, progress.best),
	COURSE("best_update", KIND_U64, progress.best_update),
	COURSE("since_best", KIND_U64, progress.since_best),
	COURSE("since_reduction", KIND_U64, progress.since_reduction),
	COURSE("reductions", KIND_U64, progress.reductions),
};

#define OPTION(key, kind, member)                                         \
	{                                                                 \
		key, kind, offsetof(struct sluice__train_options, member) \
	}

/* The options that decide bits, by their names on the command line. */
static const struct field option_fields[] = {
	OPTION("validation", KIND_F64, validation),
	OPTION("hidden", KIND_SIZE, hidden),
	OPTION("layers", KIND_SIZE, layers),
	OPTION("embedding", KIND_SIZE, embedding),
	OPTION("dropout", KIND_F64, dropout),
	OPTION("forget-bias", KIND_F64, forget_bias),
	OPTION("steps", KIND_SIZE, steps),
	OPTION("batch", KIND_SIZE, batch),
	OPTION("optimizer", KIND_ENUM, optimizer.kind),
	OPTION("momentum", KIND_F32, optimizer.momentum),
	OPTION("decay", KIND_F32, optimizer.decay),
	OPTION("beta1", KIND_F32, optimizer.beta1),
	OPTION("epsilon", KIND_F32, optimizer.epsilon),
	OPTION("weight-decay", KIND_F32, optimizer.weight_decay),
	OPTION("clip", KIND_F64, clip),
	OPTION("schedule", KIND_ENUM, schedule.kind),
	OPTION("rate", KIND_F64, schedule.rate),
	OPTION("rate-end", KIND_F64, schedule.rate_end),
	OPTION("factor", KIND_F64, schedule.factor),
	OPTION("warmup", KIND_U64, schedule.warmup),
	OPTION("period", KIND_U64, schedule.period),
	OPTION("plateau-patience", KIND_U64, schedule.plateau_patience),
	OPTION("patience", KIND_U64, schedule.patience),
	OPTION("improvement", KIND_F64, schedule.improvement),
	OPTION("validate-every", KIND_U64, validate_every),
	OPTION("seed", KIND_U64, seed),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Prints a number so that reading it gives the same bits. */
static void print_field(const struct field *field, const void *base, char text[TEXT_BYTES])
{
	const char *place = (const char *)base + field->offset;
	size_t size;
	uint64_t u64;
	float f32;
	double f64;
	int number;
	switch (field->kind) {
	case KIND_SIZE:
		memcpy(&size, place, sizeof(size));
		snprintf(text, TEXT_BYTES, "%zu", size);
		break;
	case KIND_U64:
		memcpy(&u64, place, sizeof(u64));
		snprintf(text, TEXT_BYTES, "%" PRIu64, u64);
		break;
	case KIND_F32:
		memcpy(&f32, place, sizeof(f32));
		snprintf(text, TEXT_BYTES, "%.9g", (double)f32);
		break;
	case KIND_F64:
		memcpy(&f64, place, sizeof(f64));
		snprintf(text, TEXT_BYTES, "%.17g", f64);
		break;
	case KIND_ENUM:
		memcpy(&number, place, sizeof(number));
		snprintf(text, TEXT_BYTES, "%d", number);
		break;
	}
}

/* Reads a number of the course. Returns 0 unless the text is one and nothing else. */
static int scan_field(const struct field *field, void *base, const char *text)
{
	char *place = (char *)base + field->offset, *end = NULL;
	if (field->kind == KIND_U64) {
		uint64_t u64 = strtoull(text, &end, 10);
		memcpy(place, &u64, sizeof(u64));
	} else {
		double f64 = strtod(text, &end);
		memcpy(place, &f64, sizeof(f64));
	}
	return end != text && *end == '\0';
}

static sluice_status set_fields(sluice_tensors *tensors, const struct field *fields, size_t count, const void *base)
{
	char key[KEY_BYTES], text[TEXT_BYTES];
	sluice_status status = SLUICE_OK;
	for (size_t k = 0; k < count && status == SLUICE_OK; k++) {
		snprintf(key, sizeof(key), PREFIX "%s", fields[k].key);
		print_field(&fields[k], base, text);
		status = sluice_tensors_set_metadata(tensors, key, text);
	}
	return status;
}

/* What the checkpoint says must be what is asked for now. */
static sluice_status compare(const sluice_tensors *tensors, const char *name, const char *now)
{
	char key[KEY_BYTES];
	snprintf(key, sizeof(key), PREFIX "%s", name);
	const char *then = sluice_tensors_metadata(tensors, key);
	if (!then)
		return sluice_fail(SLUICE_FORMAT, "%s is not a checkpoint: %s is missing",
				   sluice_tensors_source(tensors), key);
	if (strcmp(then, now) != 0)
		return sluice_fail(SLUICE_INVALID_ARGUMENT,
				   "checkpoint %s belongs to another course of training: its %s is %s, not %s",
				   sluice_tensors_source(tensors), name, then, now);
	return SLUICE_OK;
}

/* The text, and the length of the course where the rate depends on it. */
static void print_course(const struct sluice__learner *learner, const struct sluice__course *course,
			 char digest[TEXT_BYTES], char total[TEXT_BYTES])
{
	int matters = learner->options->schedule.kind == SLUICE__SCHEDULE_COSINE;
	snprintf(digest, TEXT_BYTES, "%016" PRIx64 " of %zu characters", learner->text->digest, learner->text->length);
	if (matters)
		snprintf(total, TEXT_BYTES, "%" PRIu64, course->total);
	else
		snprintf(total, TEXT_BYTES, "any");
}

/* Calls visit for every tensor that is not the model's own. */
typedef sluice_status (*visit)(void *argument, const char *name, sluice_element element, size_t count, void *data);

static sluice_status visit_block(const struct sluice__block *block, const char *name, visit call, void *argument)
{
	const struct {
		const char *name;
		float *data;
	} vectors[] = {{"moment0", block->moments[0]}, {"moment1", block->moments[1]}, {"best", block->best}};
	sluice_status status = SLUICE_OK;
	for (size_t k = 0; k < COUNT(vectors) && status == SLUICE_OK; k++) {
		char full[KEY_BYTES];
		snprintf(full, sizeof(full), "train.%s.%s", name, vectors[k].name);
		if (vectors[k].data)
			status = call(argument, full, SLUICE_ELEMENT_F32, block->count, vectors[k].data);
	}
	return status;
}

static sluice_status visit_tensors(const struct sluice__learner *learner, struct sluice__course *course, visit call,
				   void *argument)
{
	static const char *const names[SLUICE__LEARNER_BLOCKS] = {"network", "embedding"};
	const size_t doubles = sizeof(struct sluice__series) / sizeof(double);
	sluice_status status = SLUICE_OK;
	for (size_t k = 0; k < learner->block_count && status == SLUICE_OK; k++)
		status = visit_block(&learner->blocks[k], names[k], call, argument);
	if (status == SLUICE_OK)
		status = call(argument, "train.state", SLUICE_ELEMENT_U8, learner->state_size, learner->state);
	if (status == SLUICE_OK)
		status = call(argument, "train.curve.training", SLUICE_ELEMENT_F64, doubles, &course->training);
	if (status == SLUICE_OK)
		status = call(argument, "train.curve.validation", SLUICE_ELEMENT_F64, doubles, &course->validation);
	return status;
}

static sluice_status add_tensor(void *argument, const char *name, sluice_element element, size_t count, void *data)
{
	sluice_array array = SLUICE_ARRAY_INIT;
	array.element = element;
	array.rank = 1;
	array.shape[0] = count;
	array.data = data;
	return sluice_tensors_add(argument, name, &array);
}

sluice_status sluice__checkpoint_write(const char *path, const struct sluice__learner *learner,
				       const struct sluice__course *course)
{
	char digest[TEXT_BYTES], total[TEXT_BYTES];
	struct sluice__course copy = *course;
	sluice_tensors *tensors = NULL;
	print_course(learner, course, digest, total);
	sluice_status status = sluice_tensors_create(learner->context, &tensors);
	if (status == SLUICE_OK)
		status = sluice__characters_add(&learner->characters, tensors);
	if (status == SLUICE_OK)
		status = set_fields(tensors, option_fields, COUNT(option_fields), learner->options);
	if (status == SLUICE_OK)
		status = set_fields(tensors, course_fields, COUNT(course_fields), course);
	if (status == SLUICE_OK)
		status = sluice_tensors_set_metadata(tensors, PREFIX "text", digest);
	if (status == SLUICE_OK)
		status = sluice_tensors_set_metadata(tensors, PREFIX "updates", total);
	if (status == SLUICE_OK)
		status = sluice_tensors_set_metadata(tensors, PREFIX "isa", sluice_context_isa(learner->context));
	if (status == SLUICE_OK)
		status = visit_tensors(learner, &copy, add_tensor, tensors);
	if (status == SLUICE_OK)
		status = sluice_tensors_write(tensors, path);
	sluice_tensors_destroy(tensors);
	return status;
}

static sluice_status read_tensor(void *argument, const char *name, sluice_element element, size_t count, void *data)
{
	sluice_status status = SLUICE_OK;
	if (element != SLUICE_ELEMENT_U8)
		status = sluice_tensors_check_finite(argument, name);
	return status == SLUICE_OK ? sluice_tensors_read(argument, name, element, count, data) : status;
}

static sluice_status read_parameters(sluice_tensors *tensors, struct sluice__learner *learner)
{
	const struct sluice__characters *characters = &learner->characters;
	float *block = sluice_model_parameters(characters->model, NULL);
	for (size_t k = 0; k < sluice_model_parameter_count(characters->model); k++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;
		sluice_status status = sluice_model_parameter(characters->model, k, &parameter);
		if (status == SLUICE_OK)
			status = read_tensor(tensors, parameter.name, SLUICE_ELEMENT_F32,
					     parameter.rows * parameter.columns, block + parameter.offset);
		if (status != SLUICE_OK)
			return status;
	}
	if (characters->one_hot)
		return SLUICE_OK;
	return read_tensor(tensors, SLUICE__TENSOR_EMBEDDING, SLUICE_ELEMENT_F32, learner->blocks[1].count,
			   learner->blocks[1].parameters);
}

static sluice_status compare_all(const sluice_tensors *tensors, const struct sluice__learner *learner,
				 const struct sluice__course *course)
{
	char digest[TEXT_BYTES], total[TEXT_BYTES];
	print_course(learner, course, digest, total);
	sluice_status status = compare(tensors, "text", digest);
	if (status == SLUICE_OK)
		status = compare(tensors, "updates", total);
	for (size_t k = 0; k < COUNT(option_fields) && status == SLUICE_OK; k++) {
		char now[TEXT_BYTES];
		print_field(&option_fields[k], learner->options, now);
		status = compare(tensors, option_fields[k].key, now);
	}
	return status;
}

static int series_is_sound(const struct sluice__series *series)
{
	return series->width >= 1 && series->samples >= 0 && series->samples <= series->width * SLUICE__SERIES_POINTS;
}

/* Reads the counters and refuses those that no course can have, because they become positions in the text. */
static sluice_status read_course(const sluice_tensors *tensors, struct sluice__course *course)
{
	for (size_t k = 0; k < COUNT(course_fields); k++) {
		char key[KEY_BYTES];
		snprintf(key, sizeof(key), PREFIX "%s", course_fields[k].key);
		const char *text = sluice_tensors_metadata(tensors, key);
		if (!text || !scan_field(&course_fields[k], course, text))
			return sluice_fail(SLUICE_FORMAT, "%s is not a checkpoint: %s is %s, not a number",
					   sluice_tensors_source(tensors), key, text ? text : "missing");
	}
	const char *isa = sluice_tensors_metadata(tensors, PREFIX "isa");
	snprintf(course->isa, sizeof(course->isa), "%s", isa ? isa : "");
	if (course->chunk > course->chunks || !series_is_sound(&course->training) ||
	    !series_is_sound(&course->validation))
		return sluice_fail(SLUICE_FORMAT, "%s: its position in the text or its curves make no sense",
				   sluice_tensors_source(tensors));
	return SLUICE_OK;
}

sluice_status sluice__checkpoint_read(const char *path, struct sluice__learner *learner, struct sluice__course *course)
{
	sluice_tensors *tensors = NULL;
	sluice_status status = sluice_tensors_open(learner->context, path, &tensors);
	if (status == SLUICE_OK)
		status = compare_all(tensors, learner, course);
	if (status == SLUICE_OK)
		status = read_parameters(tensors, learner);
	if (status == SLUICE_OK)
		status = visit_tensors(learner, course, read_tensor, tensors);
	if (status == SLUICE_OK)
		status = read_course(tensors, course);
	sluice_tensors_destroy(tensors);
	return status == SLUICE_OK ? sluice__learner_refresh(learner) : status;
}
