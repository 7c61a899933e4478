/* mps_stack.c exists to make networks of the core of a list of descriptors: all layers, or those of one direction. */
#include "mps_internal.h"

#include <stdlib.h>

/* Sizes of images that a stack keeps networks for. */
enum { MOST_KEPT = 8 };

static void chain_destroy(void *object)
{
	struct chain *chain = object;
	sluice_model_destroy(chain->model);
	free(chain->channels);
	free(chain);
}

/* Takes away all but the first ones; calls that are under way keep what they use. */
static void chains_cut(struct stack *stack, size_t kept)
{
	struct chain **link = &stack->chains;
	while (*link && kept--)
		link = &(*link)->next;
	while (*link) {
		struct chain *chain = *link;
		*link = chain->next;
		sluice__mps_engines_free(chain);
		sluice__object_release(chain);
	}
}

static void stack_destroy(void *object)
{
	struct stack *stack = object;
	chains_cut(stack, 0);
	for (size_t layer = 0; stack->layers && layer < stack->count; layer++)
		sluice__mps_lstm_free(&stack->layers[layer]);
	free(stack->layers);
	sluice_context_destroy(stack->context);
	pthread_mutex_destroy(&stack->lock);
	free(stack);
}

static int belongs(const struct lstm *layer, enum chain_kind kind)
{
	return kind == CHAIN_ALL || layer->backward == (kind == CHAIN_BACKWARD);
}

static const struct lstm *next_of(const struct stack *stack, enum chain_kind kind, size_t *from)
{
	while (*from < stack->count)
		if (belongs(&stack->layers[(*from)++], kind))
			return &stack->layers[*from - 1];
	return NULL;
}

static sluice_status model_load(const struct stack *stack, struct chain *chain)
{
	size_t from = 0;
	for (size_t layer = 0; layer < chain->layers; layer++)
		MPS_TRY(sluice__mps_lstm_load(next_of(stack, chain->kind, &from), chain->model, layer));
	return SLUICE_OK;
}

static sluice_status model_make(const struct stack *stack, struct chain *chain, sluice_layer *layers)
{
	const sluice_description description = {
		.size = sizeof description,
		.inputs = stack->inputs[chain->kind],
		.layer_count = chain->layers,
		.layers = layers,
		.image_height = chain->height,
		.image_width = chain->width,
	};
	size_t from = 0;
	for (size_t layer = 0; layer < chain->layers; layer++) {
		const struct lstm *lstm = next_of(stack, chain->kind, &from);
		sluice__mps_lstm_describe(lstm, &layers[layer]);
		layers[layer].direction = chain->kind == CHAIN_BACKWARD ? SLUICE_REVERSE : SLUICE_FORWARD;
		chain->channels[layer] = lstm->hidden;
	}
	MPS_TRY(sluice_model_create(stack->context, &description, &chain->model));
	return model_load(stack, chain);
}

static sluice_status chain_make(const struct stack *stack, struct chain *chain)
{
	size_t from = 0;
	while (next_of(stack, chain->kind, &from))
		chain->layers++;
	chain->channels = sluice__object_allocate(chain->layers, sizeof *chain->channels);
	sluice_layer *layers = sluice__object_allocate(chain->layers, sizeof *layers);
	const sluice_status status =
		chain->channels && layers ? model_make(stack, chain, layers) : SLUICE_OUT_OF_MEMORY;
	free(layers);
	return status;
}

sluice_status sluice__mps_chain(struct stack *stack, enum chain_kind kind, size_t height, size_t width,
				struct chain **out)
{
	struct chain **link = &stack->chains, *chain;
	while (*link && ((*link)->kind != kind || (*link)->height != height || (*link)->width != width))
		link = &(*link)->next;
	chain = *link;
	if (chain) {
		*link = chain->next;
	} else {
		chain = sluice__object_new(sizeof *chain, chain_destroy);
		if (!chain)
			return SLUICE_OUT_OF_MEMORY;
		chain->kind = kind;
		chain->height = height;
		chain->width = width;
		const sluice_status status = chain_make(stack, chain);
		if (status != SLUICE_OK) {
			sluice__object_release(chain);
			return status;
		}
	}
	chain->next = stack->chains;
	stack->chains = *out = chain;
	chains_cut(stack, MOST_KEPT);
	return SLUICE_OK;
}

/* Whether each layer of a chain reads what the one below puts out. *index is the first one that does not. */
static int fits(const struct stack *stack, enum chain_kind kind, size_t *index)
{
	const struct lstm *below = NULL;
	for (size_t from = 0;;) {
		const struct lstm *layer = next_of(stack, kind, &from);
		if (!layer)
			return below != NULL;
		*index = from - 1;
		if (below && below->hidden != layer->inputs)
			return 0;
		below = layer;
	}
}

static sluice_status kinds_find(struct stack *stack)
{
	size_t index[CHAIN_KINDS] = {0};
	for (int kind = 0; kind < CHAIN_KINDS; kind++) {
		stack->possible[kind] = fits(stack, (enum chain_kind)kind, &index[kind]);
		size_t from = 0;
		const struct lstm *layer = next_of(stack, (enum chain_kind)kind, &from);
		stack->inputs[kind] = layer ? layer->inputs : 0;
		for (; layer; layer = next_of(stack, (enum chain_kind)kind, &from))
			stack->outputs[kind] = layer->hidden;
	}
	if (stack->possible[CHAIN_ALL] || (stack->possible[CHAIN_FORWARD] && stack->possible[CHAIN_BACKWARD]))
		return SLUICE_OK;
	const size_t layer = index[CHAIN_ALL];
	return MPS_INVALID("layer %zu has inputFeatureChannels %zu, expected %zu, which layer %zu puts out", layer,
			   stack->layers[layer].inputs, stack->layers[layer - 1].hidden, layer - 1);
}

/* The chains that encodes can ask for: all layers, and both directions if there are layers of both. */
static int wanted(const struct stack *stack, enum chain_kind kind)
{
	if (kind == CHAIN_ALL)
		return stack->possible[CHAIN_ALL];
	return stack->possible[CHAIN_FORWARD] && stack->possible[CHAIN_BACKWARD];
}

/* All chains, for images of one place: whatever the core refuses it refuses now. */
static sluice_status chains_make(struct stack *stack)
{
	struct chain *chain;
	for (int kind = 0; kind < CHAIN_KINDS; kind++)
		if (wanted(stack, (enum chain_kind)kind))
			MPS_TRY(sluice__mps_chain(stack, (enum chain_kind)kind, (size_t)stack->image,
						  (size_t)stack->image, &chain));
	return SLUICE_OK;
}

sluice_status sluice__mps_stack_settle(struct stack *stack)
{
	if (stack->used)
		return SLUICE_OK;
	if (stack->image)
		chains_cut(stack, 0);
	else
		MPS_TRY(chains_make(stack));
	for (size_t layer = 0; !stack->image && layer < stack->count; layer++)
		sluice__mps_lstm_free(&stack->layers[layer]);
	stack->used = 1;
	return SLUICE_OK;
}

static sluice_status layers_read(struct stack *stack, const MPSRNNDescriptor *const *descriptors)
{
	stack->half = 1;
	for (size_t layer = 0; layer < stack->count; layer++) {
		struct lstm *lstm = &stack->layers[layer];
		MPS_TRY(sluice__mps_lstm_read(descriptors[layer], layer, stack->image, stack->image ? 1 : -1, lstm));
		stack->half &= lstm->half;
	}
	return kinds_find(stack);
}

sluice_status sluice__mps_stack_threads(struct stack *stack, int threads)
{
	const sluice_context_options options = {.size = sizeof options, .threads = threads};
	sluice_context *fresh;
	MPS_TRY(sluice_context_create(&options, &fresh));
	chains_cut(stack, 0);
	sluice_context_destroy(stack->context);
	stack->context = fresh;
	return chains_make(stack);
}

sluice_status sluice__mps_stack(const MPSRNNDescriptor *const *descriptors, size_t count, int image, struct stack **out)
{
	if (!descriptors || !count || count >= MPS_MOST_LAYERS)
		return MPS_INVALID("rnnDescriptors is %p with %zu descriptors, expected 1 to %d",
				   (const void *)descriptors, count, MPS_MOST_LAYERS - 1);
	struct stack *stack = sluice__object_new(sizeof *stack, stack_destroy);
	if (!stack)
		return SLUICE_OUT_OF_MEMORY;
	pthread_mutex_init(&stack->lock, NULL);
	stack->count = count;
	stack->image = image;
	stack->layers = sluice__object_allocate(count, sizeof *stack->layers);
	sluice_status status = stack->layers ? layers_read(stack, descriptors) : SLUICE_OUT_OF_MEMORY;
	if (status == SLUICE_OK)
		status = sluice__mps_stack_threads(stack, 0);
	if (status == SLUICE_OK)
		*out = stack;
	else
		sluice__object_release(stack);
	return status;
}
