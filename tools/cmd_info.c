/* cmd_info.c: `sluice info`, what a model file holds, or what this build and this machine can do. */
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "sluice/io.h"
#include "tool.h"
#include "train/characters.h"

struct values {
	const char *isa;
};

static const struct args_option options[] = {
	{"isa", ARGS_TEXT, offsetof(struct values, isa), "LEVEL", 0, 0, "highest instruction-set level to use"},
};

static const struct args_command command = {
	"info",
	"[MODEL]",
	"Describes a model file; without one the version, the instruction-set levels and the processor.",
	options,
	sizeof(options) / sizeof(options[0]),
	0,
	1,
};

/* The processor's name as Linux gives it; other systems go without. */
static void print_processor(void)
{
	char line[256];
	FILE *file = fopen("/proc/cpuinfo", "r");
	while (file && fgets(line, sizeof(line), file)) {
		const char *colon = strchr(line, ':');
		if (colon && strncmp(line, "model name", 10) == 0) {
			printf("processor:%s", colon + 1);
			break;
		}
	}
	if (file)
		fclose(file);
}

static void print_build(const sluice_context *context)
{
	printf("sluice %s\n", sluice_version());
	print_processor();
	for (size_t k = 0; sluice_isa_name(k); k++) {
		const char *name = sluice_isa_name(k), *note = sluice_isa_available(k) ? "" : " (not on this machine)";
		if (strcmp(name, sluice_context_isa(context)) == 0)
			note = " (used)";
		printf("level: %s%s\n", name, note);
	}
}

static const char *direction_name(sluice_direction direction)
{
	static const char *const names[] = {"forward", "reverse", "bidirectional"};
	return names[direction];
}

/* --- options of a layer: their names are those of sluice_layer, as in model files --- */

static void print_flag(const void *field)
{
	(void)field;
}

static void print_number(const void *field)
{
	printf(" %g", (double)*(const float *)field);
}

static void print_size(const void *field)
{
	printf(" %zu", *(const size_t *)field);
}

static void print_gates(const void *field)
{
	putchar(' ');
	for (unsigned k = 0; k < 4; k++)
		if (*(const unsigned *)field >> k & 1)
			putchar("ifgo"[k]);
}

static void print_activation(const void *field)
{
	static const char *const names[] = {
#define ACTIVATION_NAME(name, text) [SLUICE_ACTIVATION_##name] = text,
		SLUICE_ACTIVATION_MAP(ACTIVATION_NAME)
#undef ACTIVATION_NAME
	};
	const sluice_activation *activation = field;
	printf(" %s", names[activation->kind]);
	if (activation->a != 0 || activation->b != 0 || activation->c != 0)
		printf("(%g,%g,%g)", (double)activation->a, (double)activation->b, (double)activation->c);
}

static void print_peephole(const void *field)
{
	static const char *const names[] = {"none", "diagonal", "full", "element"};
	printf(" %s", names[*(const sluice_peephole *)field]);
}

static void print_input(const void *field)
{
	static const char *const names[] = {"weights", "identity", "gates"};
	printf(" %s", names[*(const sluice_input *)field]);
}

static void print_mask_shape(const void *field)
{
	static const char *const names[] = {"sequence", "unit", "step"};
	printf(" %s", names[*(const sluice_mask_shape *)field]);
}

static void print_combination(const void *field)
{
	static const char *const names[] = {"concatenate", "add", "separate"};
	printf(" %s", names[*(const sluice_combination *)field]);
}

/* Two numbers of a convolution that are 1 unless they are given. */
static void print_pair(const char *name, size_t rows, size_t columns)
{
	if (rows > 1 || columns > 1)
		printf(" %s %zux%zu", name, rows ? rows : 1, columns ? columns : 1);
}

static void print_convolution(const void *field)
{
	const sluice_convolution *convolution = field;
	printf(" %zux%zu", convolution->height ? convolution->height : 1, convolution->width ? convolution->width : 1);
	print_pair("dilation", convolution->dilation_y, convolution->dilation_x);
	print_pair("stride", convolution->stride_y, convolution->stride_x);
	if (convolution->groups > 1)
		printf(" groups %zu", convolution->groups);
	if (convolution->border == SLUICE_BORDER_NONE)
		printf(" border none");
	if (convolution->border == SLUICE_BORDER_GIVEN)
		printf(" border given(%zu,%zu,%zu,%zu)", convolution->top, convolution->left, convolution->bottom,
		       convolution->right);
}

/* All options whose default is zero. */
static const struct layer_option {
	const char *name;
	size_t offset, bytes;
	void (*print)(const void *field);
} layer_options[] = {
#define FIELD(field) #field, offsetof(sluice_layer, field), sizeof(((sluice_layer *)0)->field)
	{FIELD(dropout), print_number},
	{FIELD(input), print_input},
	{FIELD(input_activation), print_activation},
	{FIELD(forget_activation), print_activation},
	{FIELD(candidate_activation), print_activation},
	{FIELD(output_activation), print_activation},
	{FIELD(cell_activation), print_activation},
	{FIELD(peephole), print_peephole},
	{FIELD(peephole_previous), print_flag},
	{FIELD(projection), print_size},
	{FIELD(projection_clip), print_number},
	{FIELD(cell_clip), print_number},
	{FIELD(gate_clip), print_number},
	{FIELD(coupled), print_flag},
	{FIELD(no_gates), print_gates},
	{FIELD(no_input_weights), print_gates},
	{FIELD(no_recurrent_weights), print_gates},
	{FIELD(no_peepholes), print_gates},
	{FIELD(recurrent_dropout), print_number},
	{FIELD(recurrent_dropout_shape), print_mask_shape},
	{FIELD(zoneout_h), print_number},
	{FIELD(zoneout_c), print_number},
	{FIELD(dropconnect), print_number},
	{FIELD(combination), print_combination},
	{FIELD(learned_start), print_flag},
	{FIELD(input_convolution), print_convolution},
	{FIELD(recurrent_convolution), print_convolution},
	{FIELD(memory_convolution), print_convolution},
#undef FIELD
};

/* Rows by columns of what a layer puts out, or of x; nothing without images. */
static void print_image(const char *before, const sluice_model *model, size_t layer)
{
	size_t height, width;
	if (sluice_model_image(model, layer, &height, &width) == SLUICE_OK && height)
		printf("%s%zux%zu", before, height, width);
}

static void print_layer(const sluice_model *model, size_t index)
{
	static const unsigned char zeros[sizeof(sluice_convolution)];
	const sluice_layer *layer = &sluice_model_description(model)->layers[index];
	printf("layer %zu: %zu units, %s", index, layer->hidden, direction_name(layer->direction));
	print_image(", images of ", model, index);
	if (layer->no_bias)
		printf(", no bias");
	for (size_t k = 0; k < sizeof(layer_options) / sizeof(layer_options[0]); k++) {
		const struct layer_option *option = &layer_options[k];
		const char *field = (const char *)layer + option->offset;
		if (memcmp(field, zeros, option->bytes) == 0)
			continue;
		printf(", %s", option->name);
		option->print(field);
	}
	putchar('\n');
}

static void print_description(const sluice_model *model)
{
	const sluice_description *description = sluice_model_description(model);
	printf("inputs: %zu", description->inputs);
	print_image(", images of ", model, description->layer_count);
	putchar('\n');
	for (size_t k = 0; k < description->layer_count; k++)
		print_layer(model, k);
	if (description->outputs)
		printf("read-out: %zu\n", description->outputs);
	printf("outputs: %zu", sluice_model_outputs(model));
	print_image(", images of ", model, description->layer_count - 1);
	putchar('\n');
}

static void print_tensors(const sluice_tensors *tensors)
{
	size_t total = 0;
	for (size_t k = 0; sluice_tensors_name(tensors, k); k++) {
		const char *name = sluice_tensors_name(tensors, k);
		sluice_array array = SLUICE_ARRAY_INIT;
		if (sluice_tensors_find(tensors, name, &array) != SLUICE_OK)
			continue;
		printf("tensor: %s %s [", name, sluice_element_name(array.element));
		for (size_t d = 0; d < array.rank; d++)
			printf("%s%zu", d ? "," : "", array.shape[d]);
		printf("]\n");
		total += sluice_array_count(&array) * sluice_element_bytes(array.element);
	}
	printf("bytes of tensors: %zu\n", total);
}

static void print_parameters(const sluice_model *model, const struct sluice__characters *characters)
{
	size_t count = 0;
	for (size_t k = 0; k < sluice_model_parameter_count(model); k++) {
		sluice_parameter parameter = SLUICE_PARAMETER_INIT;
		if (sluice_model_parameter(model, k, &parameter) == SLUICE_OK)
			count += parameter.rows * parameter.columns;
	}
	if (characters->table && !characters->one_hot)
		count += characters->symbol_count * characters->width;
	printf("parameters: %zu\n", count);
}

/* A text of the file may hold anything: control characters would reach the terminal. */
static void print_text(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void print_metadata(const sluice_tensors *tensors)
{
	for (size_t k = 0; sluice_tensors_metadata_key(tensors, k); k++) {
		const char *key = sluice_tensors_metadata_key(tensors, k);
		printf("metadata: ");
		print_text(key);
		printf(" = ");
		print_text(sluice_tensors_metadata(tensors, key));
		putchar('\n');
	}
}

static sluice_status print_file(sluice_context *context, const char *path)
{
	struct sluice__characters characters = {.context = context};
	sluice_tensors *tensors = NULL;
	sluice_status status = sluice_tensors_open(context, path, &tensors);
	if (status == SLUICE_OK && sluice__characters_present(tensors))
		status = sluice__characters_get(context, tensors, &characters);
	else if (status == SLUICE_OK)
		status = sluice_tensors_get_model(context, tensors, &characters.model);
	if (status == SLUICE_OK) {
		if (characters.symbol_count)
			printf("character model: %zu symbols, %s\n", characters.symbol_count,
			       characters.one_hot ? "one-hot" : "embedded");
		print_description(characters.model);
		print_parameters(characters.model, &characters);
		print_tensors(tensors);
		print_metadata(tensors);
	}
	sluice__characters_release(&characters);
	sluice_tensors_destroy(tensors);
	return status;
}

int cmd_info(int argc, char **argv)
{
	struct values values = {0};
	sluice_context *context = NULL;
	sluice_status status = SLUICE_OK;
	int first, code = args_parse(&command, argc, argv, &values, &first);
	if (code != ARGS_GO)
		return code;
	if (tool_context(1, values.isa, &context) != SLUICE_OK)
		return tool_fail(command.name);
	if (first < argc)
		status = print_file(context, argv[first]);
	else
		print_build(context);
	sluice_context_destroy(context);
	return status == SLUICE_OK ? tool_finish(command.name, 0) : tool_fail(command.name);
}
