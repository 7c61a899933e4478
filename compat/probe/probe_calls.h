/*
 * probe_calls.h: the questions of bnns_probe.c about the calls: the training cache, gradients, memory that is used
 * twice, types, allocators.
 */
#ifndef SLUICE_COMPAT_PROBE_CALLS_H
#define SLUICE_COMPAT_PROBE_CALLS_H

#include "probe_net.h"

/* -------------------------------------------------------------------------------------------- training cache -- */

static struct net *new_stack(void)
{
	return new_net(2, 2, 3, 2, 2, 3);
}

static void ask_forward_without_cache(void)
{
	size_t capacity;
	struct net *plain = new_stack(), *training = new_stack();
	void *cache = new_cache(training, &capacity);
	if (forward(plain, NULL, 0) || forward(training, cache, capacity))
		printf("refused");
	else
		printf("%s", same_outputs(plain, training) ? "gives the same outputs" : "gives other outputs");
}

static void ask_cache_capacity(void)
{
	size_t capacity;
	struct net *net = new_stack();
	void *cache = new_cache(net, &capacity);
	printf("exact %s", verdict(forward(net, cache, capacity)));
	printf(", larger %s", verdict(forward(net, cache, capacity + 64)));
	printf(", one byte less %s", verdict(forward(net, cache, capacity - 1)));
	printf(", zero %s", verdict(forward(net, cache, 0)));
	printf(", no cache but a capacity %s", verdict(forward(net, NULL, capacity)));
}

static void ask_cache_capacity_backward(void)
{
	size_t capacity;
	struct net *net = new_stack(), *delta = new_delta(net);
	void *cache = new_cache(net, &capacity);
	printf("forward %s", verdict(forward(net, cache, capacity)));
	printf(", one byte less %s", verdict(backward(net, delta, cache, capacity - 1)));
	printf(", zero %s", verdict(backward(net, delta, cache, 0)));
	printf(", exact %s", verdict(backward(net, delta, cache, capacity)));
}

static void ask_cache_recomputed(void)
{
	size_t capacity;
	struct net *net = new_stack(), *kept = new_delta(net), *recomputed = new_delta(net);
	void *cache = new_cache(net, &capacity);
	if (forward(net, cache, capacity) || backward(net, kept, cache, capacity) || backward(net, recomputed, NULL, 0))
		printf("refused");
	else
		printf("%s", same_gradients(kept, recomputed) ? "the same gradients" : "other gradients");
}

static void ask_cache_moved(void)
{
	size_t capacity;
	struct net *net = new_stack(), *kept = new_delta(net), *moved = new_delta(net);
	char *cache = new_cache(net, &capacity), *odd = malloc(capacity + 64);
	if (!odd || forward(net, cache + 1, capacity) || backward(net, kept, cache + 1, capacity)) {
		printf("an odd address is refused");
		return;
	}
	memcpy(odd + 6, cache + 1, capacity);
	if (backward(net, moved, odd + 6, capacity) != 0)
		printf("odd address accepted, moved refused");
	else
		printf("odd address accepted, moved %s",
		       same_gradients(kept, moved) ? "gives the same gradients" : "gives other gradients");
}

/* -------------------------------------------------------------------------------------------------- gradients -- */

static void ask_backward_without_outputs(void)
{
	struct net *net = new_stack(), *with = new_delta(net), *without = new_delta(net);
	int result = forward(net, NULL, 0) || backward(net, with, NULL, 0);
	net->parameters.output_descriptor.data_desc.data = NULL;
	net->parameters.output_descriptor.hidden_desc.data = NULL;
	net->parameters.output_descriptor.cell_state_desc.data = NULL;
	if (result || backward(net, without, NULL, 0))
		printf("refused");
	else
		printf("%s", same_gradients(with, without) ? "the same gradients" : "other gradients");
}

static void ask_delta_sizes(void)
{
	struct net *net = new_stack(), *with = new_delta(net), *without = new_delta(net);
	BNNSLayerParametersLSTM *p = &without->parameters;
	p->input_size = p->hidden_size = p->batch_size = p->num_layers = p->seq_len = 0;
	if (forward(net, NULL, 0) || backward(net, with, NULL, 0) || backward(net, without, NULL, 0))
		printf("refused");
	else
		printf("%s", same_gradients(with, without) ? "are those of the layer" : "give other gradients");
}

/* No gradient comes in or is wanted but that of x and of y. */
static void ask_delta_null(void)
{
	struct net *net = new_stack(), *some = new_delta(net), *all = new_delta(net);
	BNNSLayerParametersLSTM *p = &some->parameters;
	memset(all->h1, 0, sizeof(all->h1));
	memset(all->c1, 0, sizeof(all->c1));
	p->output_descriptor.hidden_desc.data = p->output_descriptor.cell_state_desc.data = NULL;
	p->input_descriptor.hidden_desc.data = p->input_descriptor.cell_state_desc.data = NULL;
	for (size_t gate = 0; gate < GATES; gate++) {
		BNNSLSTMGateDescriptor *descriptor = gate_of(some, gate);
		descriptor->iw_desc[0].data = descriptor->iw_desc[1].data = NULL;
		descriptor->hw_desc.data = descriptor->b_desc.data = NULL;
	}
	if (forward(net, NULL, 0) || backward(net, all, NULL, 0) || backward(net, some, NULL, 0))
		printf("refused");
	else
		printf("%s", near(all->x, some->x, ROOM) ? "is zero or not wanted" : "changes what is wanted");
}

static void ask_delta_accumulate(void)
{
	struct net *net = new_stack(), *set = new_delta(net), *added = new_delta(net);
	float expected[ROOM];
	added->parameters.input_gate.b_desc.flags = BNNSNDArrayFlagBackpropAccumulate;
	fill(added->b[0], ROOM, 50);
	memcpy(expected, added->b[0], sizeof(expected));
	if (forward(net, NULL, 0) || backward(net, set, NULL, 0) || backward(net, added, NULL, 0)) {
		printf("refused");
		return;
	}
	for (size_t k = 0; k < ROOM; k++)
		if (set->b[0][k] != UNWRITTEN)
			expected[k] += set->b[0][k];
	printf("%s", near(expected, added->b[0], ROOM) ? "adds" : "does not add");
}

/* ------------------------------------------------------------------------------------------------ used twice -- */

static void ask_data_in_place(void)
{
	struct net *apart = new_net(1, 1, 2, 2, 2, 3), *placed = new_net(1, 1, 2, 2, 2, 3);
	placed->parameters.input_descriptor.data_desc.data = placed->y;
	if (forward(apart, NULL, 0)) {
		printf("refused");
		return;
	}
	memcpy(placed->y, placed->x, sizeof(placed->y));
	if (BNNSDirectApplyLSTMBatchTrainingCaching(&placed->parameters, NULL, NULL, 0) != 0)
		printf("refused");
	else
		printf("%s", near(apart->y, placed->y, 12) ? "gives the same outputs" : "gives other outputs");
}

static void ask_states_in_place(void)
{
	struct net *apart = new_net(2, 1, 3, 2, 2, 3), *placed = new_net(2, 1, 3, 2, 2, 3);
	placed->parameters.output_descriptor.hidden_desc.data = placed->h0;
	placed->parameters.output_descriptor.cell_state_desc.data = placed->c0;
	if (forward(apart, NULL, 0) || forward(placed, NULL, 0))
		printf("refused");
	else
		printf("%s", near(apart->h1, placed->h0, 8) && near(apart->c1, placed->c0, 8) ? "gives the same outputs"
											      : "gives other outputs");
}

static void ask_no_outputs(void)
{
	struct net *net = new_stack();
	BNNSLSTMDataDescriptor *output = &net->parameters.output_descriptor;
	output->hidden_desc.data = NULL;
	printf("hidden %s", verdict(forward(net, NULL, 0)));
	output->cell_state_desc.data = NULL;
	printf(", both states %s", verdict(forward(net, NULL, 0)));
	output->data_desc.data = NULL;
	printf(", all %s", verdict(forward(net, NULL, 0)));
}

static void ask_no_inputs(void)
{
	struct net *none = new_stack(), *zeros = new_stack();
	BNNSLSTMDataDescriptor *input = &none->parameters.input_descriptor;
	input->hidden_desc.data = input->cell_state_desc.data = NULL;
	memset(zeros->h0, 0, sizeof(zeros->h0));
	memset(zeros->c0, 0, sizeof(zeros->c0));
	if (forward(none, NULL, 0) || forward(zeros, NULL, 0))
		printf("refused");
	else
		printf("states %s", same_outputs(none, zeros) ? "are zeros" : "are not zeros");
	input->data_desc.data = NULL;
	printf(", data %s", verdict(forward(none, NULL, 0)));
}

/* ------------------------------------------------------------------------------------------- types and memory -- */

static void set_data_type(struct net *net, BNNSDataType type)
{
	net->parameters.input_descriptor.data_desc.data_type = type;
	net->parameters.output_descriptor.data_desc.data_type = type;
}

static void set_state_type(struct net *net, BNNSDataType type)
{
	BNNSLSTMDataDescriptor *ends[] = {&net->parameters.input_descriptor, &net->parameters.output_descriptor};
	for (size_t k = 0; k < 2; k++)
		ends[k]->hidden_desc.data_type = ends[k]->cell_state_desc.data_type = type;
}

static void set_weight_type(struct net *net, BNNSDataType type)
{
	for (size_t gate = 0; gate < GATES; gate++) {
		BNNSLSTMGateDescriptor *descriptor = gate_of(net, gate);
		descriptor->iw_desc[0].data_type = descriptor->iw_desc[1].data_type = type;
		descriptor->hw_desc.data_type = descriptor->b_desc.data_type = type;
	}
}

static void ask_types(void)
{
	static const struct {
		const char *name;
		BNNSDataType type;
	} types[] = {{"float16", BNNSDataTypeFloat16}, {"bfloat16", BNNSDataTypeBFloat16}, {"int8", BNNSDataTypeInt8}};
	static const struct {
		const char *name;
		void (*set)(struct net *, BNNSDataType);
	} places[] = {{"data", set_data_type}, {"states", set_state_type}, {"weights", set_weight_type}};
	for (size_t k = 0; k < 9; k++) {
		struct net *net = new_net(1, 1, 3, 2, 2, 2);
		places[k % 3].set(net, types[k / 3].type);
		printf("%s%s %s %s", k ? ", " : "", types[k / 3].name, places[k % 3].name,
		       forward(net, NULL, 0) ? "no" : "yes");
		free(net);
	}
}

static void ask_types_mixed(void)
{
	struct net *net = new_net(1, 1, 3, 2, 2, 2);
	net->parameters.input_descriptor.data_desc.data_type = BNNSDataTypeFloat16;
	printf("%s", verdict(forward(net, NULL, 0)));
}

static size_t allocated, released;

static int allocate(void **memory, size_t alignment, size_t size)
{
	allocated++;
	return posix_memalign(memory, alignment, size);
}

static void release(void *memory)
{
	released += memory != NULL;
	free(memory);
}

static void ask_allocators(void)
{
	struct net *net = new_net(1, 1, 3, 2, 2, 2);
	BNNSFilterParameters filter;
	int result;
	memset(&filter, 0, sizeof(filter));
	filter.n_threads = 1;
	filter.alloc_memory = allocate;
	filter.free_memory = release;
	result = BNNSDirectApplyLSTMBatchTrainingCaching(&net->parameters, &filter, NULL, 0);
	printf("%s, %s",
	       result      ? "refused"
	       : allocated ? "called"
			   : "not called",
	       allocated == released ? "all given back" : "not all given back");
}

#endif
