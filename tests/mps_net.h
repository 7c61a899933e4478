/*
 * mps_net.h: stacks of MPS's LSTM drawn from a seed, with sources of weights of every type, and the same network for
 * the oracle.
 */
#ifndef SLUICE_TESTS_MPS_NET_H
#define SLUICE_TESTS_MPS_NET_H

#include <stdatomic.h>

#include <sluice/mps.h>

#include "bnns_array.h"
#include "oracle.h"

/* In the oracle's order. */
enum rnn_gate { RNN_I, RNN_F, RNN_C, RNN_O, RNN_GATES };
enum rnn_part { RNN_INPUT, RNN_RECURRENT, RNN_MEMORY, RNN_PARTS };
enum { RNN_LAYERS = 4 };

struct rnn_kernel {
	size_t height, width, dilation_y, dilation_x, groups;
};

struct rnn_neuron {
	MPSCNNNeuronType type;
	float a, b, c;
};

/* How weights are given. */
enum rnn_form { RNN_FLOAT32, RNN_FLOAT16, RNN_RANGES, RNN_TABLE, RNN_FORMS };

/* A source: what its functions give, and what a layer shall make of it. */
struct rnn_source {
	int present;
	enum rnn_form form;
	struct rnn_kernel kernel;
	size_t out, in, count;
	void *weights;
	float *ranges, *table, *bias; /* bias may be NULL */
	double *values;               /* [count] what the weights are, before any rounding of the layer's */
	struct rnn_neuron neuron;
	float *slopes; /* [out] of a PReLU */
	int shy;       /* functions that are optional are left out where they can be */
	MPSCNNConvolutionDescriptor *descriptor;
	atomic_int loads, purges;
	char *log; /* NULL, or room for a letter for each call */
	int fails; /* load returns 0 */
};

struct rnn_layer {
	size_t inputs, hidden;
	int identity, float32, diagonal, backward;
	struct rnn_neuron cell;
	struct rnn_source sources[RNN_PARTS][RNN_GATES];
};

struct rnn_net {
	uint64_t seed;
	int image;
	size_t count;
	struct rnn_layer layers[RNN_LAYERS];
};

/* What a drawn network may be. */
struct rnn_wish {
	uint64_t seed;
	int image;         /* kernels, dilations and groups */
	int bidirectional; /* layers of both directions; each chain fits by itself */
	int single;        /* one layer */
	int plain;         /* standard activations, all sources, no peepholes, f32 */
};

void rnn_net_draw(const struct rnn_wish *wish, struct rnn_net *out);
void rnn_net_destroy(struct rnn_net *net);

/* A source of one weight, for a layer of one unit. */
void rnn_source_single(struct rnn_layer *layer, enum rnn_part part, enum rnn_gate gate, float weight, float bias,
		       struct rnn_neuron neuron);
/* The struct of functions that gives a source. */
MPSCNNConvolutionDataSource rnn_source_calls(struct rnn_source *source);
/* The setters of the twelve properties. */
typedef int rnn_setter(MPSLSTMDescriptor *descriptor, const MPSCNNConvolutionDataSource *source);
extern rnn_setter *const rnn_setters[RNN_PARTS][RNN_GATES];
/* A descriptor of one layer; the caller's to release. */
MPSLSTMDescriptor *rnn_descriptor(struct rnn_layer *layer);

/* Whether the layer rounds its weights to Float16. */
int rnn_rounds(const struct rnn_net *net, const struct rnn_layer *layer);

/* Some layers of a net, one fed by the other. */
struct rnn_chain {
	size_t count;
	struct rnn_layer *layers[RNN_LAYERS];
};

struct rnn_chain rnn_chain_all(struct rnn_net *net);
struct rnn_chain rnn_chain_of(struct rnn_net *net, int backward);

/* What the oracle makes of a chain: T = 1, forward in time. */
struct rnn_oracle {
	struct sluice__network network;
	double *parameters;
};

void rnn_oracle_create(const struct rnn_net *net, const struct rnn_chain *chain, size_t height, size_t width,
		       struct rnn_oracle *out);
void rnn_oracle_destroy(struct rnn_oracle *oracle);

/* Zeroed memory, or a failed test. */
void *rnn_take(size_t count, size_t bytes);

/* Fails the test with the library's sentence unless the condition holds. */
#define assert_mps(condition)                                                                 \
	do {                                                                                  \
		if (!(condition))                                                             \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, sluice_mps_last_message()); \
	} while (0)

#endif
