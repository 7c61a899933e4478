/*
 * mpsgraph_lstm_net.h: a small LSTM of MPSGraph with all its numbers, for tests that change one thing and solve it
 * again.
 */
#ifndef SLUICE_TESTS_MPSGRAPH_LSTM_NET_H
#define SLUICE_TESTS_MPSGRAPH_LSTM_NET_H

#include <sluice/mpsgraph.h>

enum role { X, R, W, B, H0, C0, M, P, DY, DH, DC, ROLES };
enum { GRADIENTS = 7, GATES = 4, ROOM = 256 };

/* What each gradient is that of, in the order of Apple's array. */
extern const enum role net_gradients[GRADIENTS];

/* An LSTM with its numbers, and everything that can be said of it. */
struct net {
	size_t steps, batch, inputs, hidden, directions;
	MPSDataType type;
	int given[ROLES];
	int mask_rank, leading_ones; /* of the mask; of the mask and the states */
	int reverse, forget_last;
	MPSGraphRNNActivation activations[GATES + 1];
	sluice_mpsgraph_options options;
	float values[ROLES][ROOM];
};

struct answer {
	float h[ROOM], c[ROOM], z[ROOM];
	float gradients[GRADIENTS][ROOM]; /* those of net_gradients */
	size_t rank[GRADIENTS], count;    /* rank 0: there is none; count: elements of the array */
};

/* Random numbers in [-1,1) and everything given: T=3, N=2, I=5, H=3. */
void net_draw(struct net *net, size_t directions);

MPSShape net_shape(const struct net *net, enum role role);
size_t net_elements(const MPSShape *shape);

/* A graph with the net's switches, its descriptor, and its tensors as constants, NULL where not given. Whoever calls
 * releases both. */
MPSGraph *net_graph(const struct net *net);
MPSGraphLSTMDescriptor *net_descriptor(const struct net *net);
void net_tensors(const struct net *net, MPSGraph *graph, MPSGraphTensor *tensors[ROLES]);

/* The methods with the most arguments. */
MPSGraphLSTMResults net_forward(MPSGraph *graph, MPSGraphTensor *const t[ROLES], MPSGraphLSTMDescriptor *descriptor);
MPSGraphLSTMGradientsResults net_backward(MPSGraph *graph, MPSGraphTensor *const t[ROLES],
					  const MPSGraphLSTMResults *results, MPSGraphLSTMDescriptor *descriptor);

/* Computes tensors, leaving out those that are NULL, as floats; each of `to` has ROOM. */
void net_run(MPSGraph *graph, MPSGraphTensor *const *tensors, float *const *to, size_t count);

/* h, c, z and all gradients there are, in one graph. */
void net_solve(const struct net *net, struct answer *answer);

/* Equal as numbers: a zero of either sign is one. */
void net_assert_same(const float *a, const float *b, size_t count, const char *what);

/* h, c and z; those and every gradient that both have. */
void net_assert_results_same(const struct net *net, const struct answer *a, const struct answer *b);
void net_assert_all_same(const struct net *net, const struct answer *a, const struct answer *b);
size_t net_gradient_count(const struct net *net, size_t gradient);

#endif
