/* model_file.c: a model and its file; the only part of sluice-io that knows what a model is. */
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define VERSION_KEY "sluice.version"
#define VERSION "1"
#define DESCRIPTION_KEY "sluice.description"

/* Longest message that is carried over from the core. */
#define MESSAGE_MAX 512

/* ------------------------------------------------------------------------------------------------- writing ------ */

/* Vectors have one dimension in the file, as PyTorch's do. A matrix may have one column too, so the name decides. */
static int is_vector(const sluice_parameter *parameter)
{
	return parameter->columns == 1 &&
	       (strstr(parameter->name, "bias") != NULL || strncmp(parameter->name, "start_", 6) == 0);
}

static sluice_status add_parameter(sluice_tensors *tensors, const sluice_model *model, size_t index)
{
	sluice_parameter parameter = SLUICE_PARAMETER_INIT;
	sluice_array array = SLUICE_ARRAY_INIT;

	SLUICE__TRY(sluice_model_parameter(model, index, &parameter));
	array.rank = is_vector(&parameter) ? 1 : 2;
	array.shape[0] = parameter.rows;
	array.shape[1] = is_vector(&parameter) ? 0 : parameter.columns;
	array.data = sluice_model_parameters(model, NULL) + parameter.offset;
	return sluice_tensors_add(tensors, parameter.name, &array);
}

sluice_status sluice_tensors_add_model(sluice_tensors *tensors, const sluice_model *model)
{
	sluice_status status;
	char *text;

	if (!tensors || !model)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "tensors and model must be given");
	text = sluice__description_text(sluice_model_description(model));
	if (!text)
		return sluice_fail(SLUICE_OUT_OF_MEMORY, "no memory for the text of the description");
	status = sluice_tensors_set_metadata(tensors, VERSION_KEY, VERSION);
	if (status == SLUICE_OK)
		status = sluice_tensors_set_metadata(tensors, DESCRIPTION_KEY, text);
	sluice__description_text_free(text);
	for (size_t k = 0; status == SLUICE_OK && k < sluice_model_parameter_count(model); k++)
		status = add_parameter(tensors, model, k);
	return status;
}

static sluice_status add_extra(sluice_tensors *tensors, const sluice_tensors *extra)
{
	for (size_t k = 0; k < sluice_tensors_metadata_count(extra); k++) {
		const char *key = sluice_tensors_metadata_key(extra, k);

		if (strcmp(key, VERSION_KEY) != 0 && strcmp(key, DESCRIPTION_KEY) != 0)
			SLUICE__TRY(sluice_tensors_set_metadata(tensors, key, sluice_tensors_metadata(extra, key)));
	}
	for (size_t k = 0; k < sluice_tensors_count(extra); k++) {
		const char *name = sluice_tensors_name(extra, k);
		sluice_array array = SLUICE_ARRAY_INIT;

		/* What was loaded may be given back whole: then the model's own tensors are among the extra ones. */
		if (sluice_tensors_has(tensors, name))
			continue;
		SLUICE__TRY(sluice_tensors_find(extra, name, &array));
		SLUICE__TRY(sluice_tensors_add(tensors, name, &array));
	}
	return SLUICE_OK;
}

sluice_status sluice_model_save(sluice_context *context, const sluice_model *model, const sluice_tensors *extra,
				const char *path)
{
	sluice_tensors *tensors;
	sluice_status status;

	if (!context || !model || !path)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "context, model and path must be given");
	SLUICE__TRY(sluice_tensors_create(context, &tensors));
	status = sluice_tensors_add_model(tensors, model);
	if (status == SLUICE_OK)
		status = add_extra(tensors, extra);
	if (status == SLUICE_OK)
		status = sluice_tensors_write(tensors, path);
	sluice_tensors_destroy(tensors);
	return status;
}

/* ------------------------------------------------------------------------------------------------- reading ------ */

static sluice_status check_version(const sluice_tensors *tensors, const char **description)
{
	const char *version = sluice_tensors_metadata(tensors, VERSION_KEY);
	const char *source = sluice_tensors_source(tensors);
	char shown[SLUICE__QUOTE_TEXT];

	*description = sluice_tensors_metadata(tensors, DESCRIPTION_KEY);
	if (!version || !*description)
		return sluice_fail(SLUICE_FORMAT, "%s: is not a sluice model: it has no \"%s\" in its metadata", source,
				   version ? DESCRIPTION_KEY : VERSION_KEY);
	if (strcmp(version, VERSION) != 0)
		return sluice_fail(SLUICE_UNSUPPORTED,
				   "%s: is a sluice model of version \"%s\", but \"" VERSION "\" is expected", source,
				   sluice__quote(version, strlen(version), shown));
	return SLUICE_OK;
}

/* total += a * b, and whether that could be counted. */
static int add_product(size_t *total, size_t a, size_t b)
{
	if (!sluice__size_multiply(&a, b) || a > SIZE_MAX - *total)
		return 0;
	*total += a;
	return 1;
}

/* Zero means one. */
static size_t counted(size_t number)
{
	return number ? number : 1;
}

/* Adds a matrix, which has a copy for each tap if it is a kernel, and is smaller by its groups. */
static int add_kernel(size_t *total, size_t rows, size_t channels, const sluice_convolution *convolution)
{
	return sluice__size_multiply(&rows, counted(convolution->height)) &&
	       sluice__size_multiply(&rows, counted(convolution->width)) &&
	       add_product(total, rows, channels / counted(convolution->groups));
}

/* Rows or columns of what a convolution makes of an image; 0 for what the core will refuse. */
static size_t places_after(size_t places, size_t kernel, size_t dilation, size_t stride, size_t zeros)
{
	size_t reach = (counted(kernel) - 1) * counted(dilation);

	return places + zeros > reach ? (places + zeros - reach - 1) / counted(stride) + 1 : 0;
}

/* What the layers see at each place, and the places. */
struct sight {
	size_t channels, height, width;
};

/* The places of a layer's h, from those of its input. */
static void sight_advance(struct sight *sight, const sluice_layer *layer)
{
	const sluice_convolution *kernel = &layer->input_convolution;
	size_t reach_y = (counted(kernel->height) - 1) * counted(kernel->dilation_y);
	size_t reach_x = (counted(kernel->width) - 1) * counted(kernel->dilation_x);
	const size_t zeros[][2] = {
		[SLUICE_BORDER_SAME] = {reach_y, reach_x},
		[SLUICE_BORDER_NONE] = {0, 0},
		[SLUICE_BORDER_GIVEN] = {kernel->top + kernel->bottom, kernel->left + kernel->right},
	};

	if (!sight->height || layer->input != SLUICE_INPUT_WEIGHTS)
		return;
	sight->height = places_after(sight->height, kernel->height, kernel->dilation_y, kernel->stride_y,
				     zeros[kernel->border][0]);
	sight->width = places_after(sight->width, kernel->width, kernel->dilation_x, kernel->stride_x,
				    zeros[kernel->border][1]);
}

/* Adds the matrices of one layer, and its peepholes if they are as many as the elements of an image. Returns 0 if they
 * cannot be counted. */
static int add_layer(size_t *total, const sluice_layer *layer, struct sight *sight)
{
	size_t directions = layer->direction == SLUICE_BIDIRECTIONAL ? 2 : 1, channels = sight->channels;
	size_t width = layer->projection ? layer->projection : layer->hidden;
	size_t units = layer->hidden, rows, places;

	sight_advance(sight, layer);
	places = sight->height;
	if (!sluice__size_multiply(&units, directions) || !sluice__size_multiply(&places, sight->width))
		return 0;
	rows = units;
	return sluice__size_multiply(&rows, 4) && add_kernel(total, rows, width, &layer->recurrent_convolution) &&
	       (layer->input != SLUICE_INPUT_WEIGHTS || add_kernel(total, rows, channels, &layer->input_convolution)) &&
	       (layer->peephole != SLUICE_PEEPHOLE_FULL ||
		add_kernel(total, rows, layer->hidden, &layer->memory_convolution)) &&
	       (layer->peephole != SLUICE_PEEPHOLE_ELEMENT || add_product(total, rows, places)) &&
	       add_product(total, units, layer->projection);
}

/* How many h of a layer stand side by side in what follows it: of separate ones each reader has its own. */
static size_t results_read(const sluice_layer *layer)
{
	return layer->direction == SLUICE_BIDIRECTIONAL && layer->combination == SLUICE_CONCATENATE ? 2 : 1;
}

/* A lower bound of the weights that a description stands for; SIZE_MAX if it cannot be counted. */
static size_t weights_at_least(const sluice_description *description)
{
	struct sight sight = {description->inputs, description->image_height, description->image_width};
	size_t total = 0;

	for (size_t k = 0; k < description->layer_count; k++) {
		const sluice_layer *layer = &description->layers[k];

		if (!add_layer(&total, layer, &sight))
			return SIZE_MAX;
		sight.channels = layer->projection ? layer->projection : layer->hidden;
		if (!sluice__size_multiply(&sight.channels, results_read(layer)))
			return SIZE_MAX;
	}
	return add_product(&total, description->outputs, sight.channels) ? total : SIZE_MAX;
}

/* A small file must not be able to ask for a large model: this comes before anything is allocated for one. What falls
 * short by less is left to the search for each tensor, which can name the one that is missing. */
#define MISSING_MAX ((size_t)1 << 20)

static sluice_status check_size(const sluice_tensors *tensors, const sluice_description *description)
{
	size_t expected = weights_at_least(description), held = 0;

	for (size_t k = 0; k < sluice_tensors_count(tensors); k++) {
		sluice_array array;

		SLUICE__TRY(sluice_tensors_find(tensors, sluice_tensors_name(tensors, k), &array));
		held += sluice_array_count(&array);
	}
	if (expected == SIZE_MAX)
		return sluice_fail(SLUICE_FORMAT, "%s: description: the number of its weights overflows",
				   sluice_tensors_source(tensors));
	if (expected > held && expected - held > MISSING_MAX)
		return sluice_fail(SLUICE_FORMAT,
				   "%s: description: stands for at least %zu weights, but the file has %zu",
				   sluice_tensors_source(tensors), expected, held);
	return SLUICE_OK;
}

/* An argument that the core refuses is, here, content that a file should not have. */
static sluice_status create_model(sluice_context *context, const char *source, const sluice_description *description,
				  sluice_model **out)
{
	sluice_status status = sluice_model_create(context, description, out);
	char message[MESSAGE_MAX];

	if (status == SLUICE_OK)
		return SLUICE_OK;
	strncpy(message, sluice_last_message(), sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	if (status == SLUICE_INVALID_ARGUMENT)
		status = SLUICE_FORMAT;
	return sluice_fail(status, "%s: description: %s", source, message);
}

static int shape_fits(const sluice_array *array, const sluice_parameter *parameter)
{
	if (array->rank == 1)
		return parameter->columns == 1 && array->shape[0] == parameter->rows;
	return array->rank == 2 && array->shape[0] == parameter->rows && array->shape[1] == parameter->columns;
}

static sluice_status read_parameter(const sluice_tensors *tensors, sluice_model *model, size_t index)
{
	const char *source = sluice_tensors_source(tensors);
	sluice_parameter parameter = SLUICE_PARAMETER_INIT;
	char shape[SLUICE__SHAPE_TEXT];
	sluice_array array;
	float *to;

	SLUICE__TRY(sluice_model_parameter(model, index, &parameter));
	SLUICE__TRY(sluice_tensors_find(tensors, parameter.name, &array));
	if (array.element != SLUICE_ELEMENT_F32)
		return sluice_fail(SLUICE_UNSUPPORTED, "%s: tensor \"%s\" is %s, but F32 is expected", source,
				   parameter.name, sluice_element_name(array.element));
	if (!shape_fits(&array, &parameter))
		return sluice_fail(SLUICE_FORMAT, "%s: tensor \"%s\" has shape %s, but [%zu, %zu] is expected", source,
				   parameter.name, sluice__shape_text(array.rank, array.shape, shape), parameter.rows,
				   parameter.columns);
	SLUICE__TRY(sluice_tensors_check_finite(tensors, parameter.name));
	to = sluice_model_parameters(model, NULL) + parameter.offset;
	return sluice_tensors_read(tensors, parameter.name, SLUICE_ELEMENT_F32, sluice_array_count(&array), to);
}

static sluice_status get_model(sluice_context *context, const sluice_tensors *tensors,
			       struct sluice__described *described, sluice_model **out)
{
	const char *source = sluice_tensors_source(tensors), *text = NULL;
	sluice_model *model = NULL;
	sluice_status status;

	SLUICE__TRY(check_version(tensors, &text));
	SLUICE__TRY(sluice__description_parse(source, text, described));
	SLUICE__TRY(check_size(tensors, &described->description));
	SLUICE__TRY(create_model(context, source, &described->description, &model));
	for (size_t k = 0; k < sluice_model_parameter_count(model); k++) {
		status = read_parameter(tensors, model, k);
		if (status != SLUICE_OK) {
			sluice_model_destroy(model);
			return status;
		}
	}
	*out = model;
	return SLUICE_OK;
}

sluice_status sluice_tensors_get_model(sluice_context *context, const sluice_tensors *tensors, sluice_model **out)
{
	struct sluice__described *described;
	sluice_status status;

	if (!context || !tensors || !out)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "context, tensors and out must be given");
	*out = NULL;
	described = sluice_allocate(context, sizeof(*described));
	if (!described)
		return SLUICE_OUT_OF_MEMORY;
	status = get_model(context, tensors, described, out);
	sluice_release(context, described, sizeof(*described));
	return status;
}

sluice_status sluice_model_load(sluice_context *context, const char *path, sluice_model **out, sluice_tensors **extra)
{
	sluice_tensors *tensors;
	sluice_status status;

	if (!context || !path || !out)
		return sluice_fail(SLUICE_INVALID_ARGUMENT, "context, path and out must be given");
	*out = NULL;
	if (extra)
		*extra = NULL;
	SLUICE__TRY(sluice_tensors_open(context, path, &tensors));
	status = sluice_tensors_get_model(context, tensors, out);
	if (status == SLUICE_OK && extra)
		*extra = tensors;
	else
		sluice_tensors_destroy(tensors);
	return status;
}
