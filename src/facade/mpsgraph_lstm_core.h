/*
 * mpsgraph_lstm_core.h: one LSTM of MPSGraph on the core, on plain pointers: it knows nothing of graphs and tensors.
 *
 * An entry is a network prepared for forward or backward calls with all memory that they need: a call allocates
 * nothing. It serves one call at a time.
 */
#ifndef SLUICE_FACADE_MPSGRAPH_LSTM_CORE_H
#define SLUICE_FACADE_MPSGRAPH_LSTM_CORE_H

#include <sluice/sluice.h>

#include "number.h"

enum { LSTM_GATES = 4, LSTM_CELL_ACTIVATION = LSTM_GATES, LSTM_ACTIVATIONS };

/* Weights, in the order of the core's names. */
enum lstm_weight { LSTM_INPUT, LSTM_RECURRENT, LSTM_BIAS, LSTM_PEEPHOLE, LSTM_WEIGHTS };

/* Everything that an entry depends on. */
struct lstm_network {
	size_t steps, batch, inputs, hidden, directions;
	sluice_dtype data;                               /* of all arrays */
	sluice_activation activations[LSTM_ACTIVATIONS]; /* i f g o, cell */
	int given[LSTM_WEIGHTS];    /* which weights there are; without input weights x holds the gates' inputs */
	int constant[LSTM_WEIGHTS]; /* which of them are the same in every call */
	int reverse;                /* one direction: from the last step to the first */
	int processing_order;       /* what is made of reversed steps lies as they were processed, not where x is */
	int forget_last;            /* gates are ordered i g f o instead of i f g o */
	int peephole_previous;      /* the output gate's peephole sees c[t-1] */
	int training;               /* keep denormal numbers */
	int threads;                /* of one call; 0: one */
	sluice_mask_shape mask_shape;
};

/* D = directions, C = D H. NULL: not given; x and recurrent weights always are. */
struct lstm_inputs {
	const void *x;                     /* [T,N,I] */
	const void *weights[LSTM_WEIGHTS]; /* [D,4H,I] [D,4H,H] [D,4H] [D,4H] */
	const void *h, *c;                 /* [N,C], the initial state */
	const void *mask;                  /* as mask_shape says */
	/* Backward: */
	const void *gates, *cells; /* [T,N,4C] [T,N,C], given: what forward put out */
	const void *dy;            /* [T,N,C] */
	const void *dh, *dc;       /* [N,C], of the last processed step */
};

/* NULL: not wanted. */
struct lstm_results {
	void *y, *cells, *gates; /* [T,N,C] [T,N,C] [T,N,4C] */
};

struct lstm_gradients {
	void *x, *weights[LSTM_WEIGHTS], *h, *c; /* as the inputs */
};

/* Where one kind of weights lies in the core's block, direction by direction; gates i f g o. */
struct lstm_place {
	size_t offset[2];
	size_t columns; /* of one row of the 4H */
};

/* The memory of an entry, one piece each. */
enum lstm_buffer {
	LSTM_WORKSPACE,
	LSTM_STATE,
	LSTM_STATE_GRADIENT,
	LSTM_SCRATCH, /* h and c of one direction, f32 */
	LSTM_LOADED,  /* a copy of the weights that the plan has, as they came */
	LSTM_BLOCK,   /* the core's gradients of parameters */
	LSTM_X_STEPS, /* pointers to steps, from the last to the first */
	LSTM_DX_STEPS,
	LSTM_BUFFERS
};

struct lstm_entry {
	struct lstm_network network;
	int backward;
	int loaded; /* whether the plan has weights */
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	struct lstm_place places[LSTM_WEIGHTS];
	struct {
		void *at;
		size_t bytes;
	} buffers[LSTM_BUFFERS];
};

/* mpsgraph_lstm_entry.c */
sluice_status sluice__mpsgraph_lstm_create(const struct lstm_network *network, int backward, struct lstm_entry **out);
void sluice__mpsgraph_lstm_destroy(struct lstm_entry *entry);

/* mpsgraph_lstm_weights.c */
sluice_status sluice__mpsgraph_lstm_places(struct lstm_entry *entry);
size_t sluice__mpsgraph_lstm_weight_count(const struct lstm_network *network, enum lstm_weight which);
sluice_status sluice__mpsgraph_lstm_load(struct lstm_entry *entry, const void *const weights[LSTM_WEIGHTS]);
void sluice__mpsgraph_lstm_store(const struct lstm_entry *entry, void *const gradients[LSTM_WEIGHTS]);
/* Numbers without gaps, into those of another type. */
void sluice__mpsgraph_lstm_convert(void *to, sluice_dtype to_type, const void *from, sluice_dtype from_type,
				   size_t count);

/* mpsgraph_lstm_run.c */
sluice_status sluice__mpsgraph_lstm_forward(struct lstm_entry *entry, const struct lstm_inputs *inputs,
					    const struct lstm_results *results);
sluice_status sluice__mpsgraph_lstm_backward(struct lstm_entry *entry, const struct lstm_inputs *inputs,
					     const struct lstm_gradients *gradients);

#endif
