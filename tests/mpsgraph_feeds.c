/* mpsgraph_feeds.c exists so that a test of graphs says what it is about, not how data get there. */
#include "mpsgraph_feeds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "data.h"

void mps_feeds_create(const sluice_mpsgraph_options *options, struct mps_feeds *out)
{
	memset(out, 0, sizeof(*out));
	out->graph = MPSGraph_new();
	assert_mps(out->graph);
	assert_mps(sluice_mpsgraph_set_options(out->graph, options) == 0);
}

void mps_feeds_destroy(struct mps_feeds *feeds)
{
	for (size_t index = 0; index < feeds->count; index++)
		mps_memory_destroy(&feeds->memory[index]);
	MPSGraph_release(feeds->graph);
}

MPSGraphTensor *mps_feed(struct mps_feeds *feeds, const MPSShape *shape, float scale)
{
	MPSGraphTensor *tensor =
		MPSGraph_placeholderWithShape_dataType_name(feeds->graph, shape, MPSDataTypeFloat32, NULL);
	struct mps_memory *memory = &feeds->memory[feeds->count];

	assert_mps(tensor);
	assert_true(feeds->count < MPS_FEEDS);
	*memory = mps_memory_create(shape, MPSDataTypeFloat32);
	sluice__data_fill(feeds->count, "feed", scale, memory->count, memory->at);
	feeds->at[feeds->count++] = (sluice_mpsgraph_pair){tensor, memory->data};
	return tensor;
}

float *mps_fed(const struct mps_feeds *feeds, const MPSGraphTensor *tensor)
{
	for (size_t index = 0; index < feeds->count; index++)
		if (feeds->at[index].tensor == tensor)
			return feeds->memory[index].at;
	fail_msg("no feed");
	return NULL;
}

struct mps_layer mps_feed_layer(struct mps_feeds *feeds, size_t batch, size_t inputs, size_t hidden, size_t directions)
{
	const size_t gates = 4 * hidden, width = directions * hidden;
	struct mps_layer layer;

	layer.R = directions == 2 ? mps_feed(feeds, SLUICE_MPS_SHAPE(2, gates, hidden), 0.5f)
				  : mps_feed(feeds, SLUICE_MPS_SHAPE(gates, hidden), 0.5f);
	layer.W = mps_feed(feeds, SLUICE_MPS_SHAPE(directions * gates, inputs), 0.5f);
	layer.b = mps_feed(feeds, SLUICE_MPS_SHAPE(directions * gates), 0.5f);
	layer.h0 = mps_feed(feeds, SLUICE_MPS_SHAPE(batch, width), 1);
	layer.c0 = mps_feed(feeds, SLUICE_MPS_SHAPE(batch, width), 1);
	return layer;
}

static MPSGraphLSTMDescriptor *descriptor_of(size_t directions)
{
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();

	assert_mps(descriptor);
	MPSGraphLSTMDescriptor_setBidirectional(descriptor, directions == 2);
	MPSGraphLSTMDescriptor_setTraining(descriptor, 1);
	MPSGraphLSTMDescriptor_setProduceCell(descriptor, 1);
	return descriptor;
}

MPSGraphLSTMResults mps_layer_forward(struct mps_feeds *feeds, const struct mps_layer *layer, MPSGraphTensor *x,
				      size_t directions)
{
	MPSGraphLSTMDescriptor *descriptor = descriptor_of(directions);
	const MPSGraphLSTMResults results = MPSGraph_LSTM(feeds->graph, x, layer->R, layer->W, layer->b, layer->h0,
							  layer->c0, NULL, NULL, descriptor, NULL);

	MPSGraphLSTMDescriptor_release(descriptor);
	assert_mps(results.count == 3);
	return results;
}

MPSGraphLSTMGradientsResults mps_layer_backward(struct mps_feeds *feeds, const struct mps_layer *layer,
						MPSGraphTensor *x, const MPSGraphLSTMResults *forward,
						MPSGraphTensor *dy, size_t directions)
{
	MPSGraphLSTMDescriptor *descriptor = descriptor_of(directions);
	const MPSGraphLSTMGradientsResults results =
		MPSGraph_LSTMGradients(feeds->graph, x, layer->R, dy, forward->training, forward->cell, NULL, NULL,
				       layer->W, layer->b, layer->h0, layer->c0, NULL, NULL, descriptor, NULL);

	MPSGraphLSTMDescriptor_release(descriptor);
	assert_mps(results.count >= 2);
	return results;
}

void mps_fetch(const struct mps_feeds *feeds, MPSGraphTensor *const *targets, size_t count, struct mps_memory *out)
{
	sluice_mpsgraph_pair results[MPS_TARGETS];

	assert_true(count <= MPS_TARGETS);
	for (size_t index = 0; index < count; index++) {
		out[index] = mps_memory_of(targets[index]);
		results[index] = (sluice_mpsgraph_pair){targets[index], out[index].data};
	}
	assert_mps(MPSGraph_runWithMTLCommandQueue_feeds_targetOperations_resultsDictionary(
			   feeds->graph, NULL, feeds->at, feeds->count, NULL, 0, results, count) == 0);
}

void mps_assert_same(const char *what, const struct mps_memory *a, const struct mps_memory *b)
{
	assert_true(a->bytes == b->bytes);
	if (memcmp(a->at, b->at, a->bytes) != 0)
		fail_msg("%s: other bits", what);
}
