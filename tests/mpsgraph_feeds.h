/*
 * mpsgraph_feeds.h: a graph of MPSGraph that is put together by hand, with random data for its placeholders, for tests
 * that are about graphs rather than about one LSTM.
 */
#ifndef SLUICE_TESTS_MPSGRAPH_FEEDS_H
#define SLUICE_TESTS_MPSGRAPH_FEEDS_H

#include "mpsgraph_case.h"

enum { MPS_FEEDS = 64, MPS_TARGETS = 16 };

struct mps_feeds {
	MPSGraph *graph;
	sluice_mpsgraph_pair at[MPS_FEEDS];
	struct mps_memory memory[MPS_FEEDS];
	size_t count;
};

/* The tensors of a layer: weights and initial states, of random numbers. */
struct mps_layer {
	MPSGraphTensor *R, *W, *b, *h0, *c0;
};

/* options NULL: defaults. */
void mps_feeds_create(const sluice_mpsgraph_options *options, struct mps_feeds *out);
void mps_feeds_destroy(struct mps_feeds *feeds);

/* A placeholder of Float32, its data uniform in [-scale, scale] and a function of their number and count alone. */
MPSGraphTensor *mps_feed(struct mps_feeds *feeds, const MPSShape *shape, float scale);

/* The data of a placeholder. */
float *mps_fed(const struct mps_feeds *feeds, const MPSGraphTensor *tensor);

/* Placeholders of a layer; directions is 1 or 2. */
struct mps_layer mps_feed_layer(struct mps_feeds *feeds, size_t batch, size_t inputs, size_t hidden, size_t directions);

/* An LSTM of a layer that trains and produces its cell, and its gradients. */
MPSGraphLSTMResults mps_layer_forward(struct mps_feeds *feeds, const struct mps_layer *layer, MPSGraphTensor *x,
				      size_t directions);
MPSGraphLSTMGradientsResults mps_layer_backward(struct mps_feeds *feeds, const struct mps_layer *layer,
						MPSGraphTensor *x, const MPSGraphLSTMResults *forward,
						MPSGraphTensor *dy, size_t directions);

/* Runs the graph with all feeds and returns the targets' data in new memory. */
void mps_fetch(const struct mps_feeds *feeds, MPSGraphTensor *const *targets, size_t count, struct mps_memory *out);

/* Fails the test unless both hold the same bits. */
void mps_assert_same(const char *what, const struct mps_memory *a, const struct mps_memory *b);

#endif
