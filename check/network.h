/*
 * network.h: where everything of one network lies, written down once for the oracle and everybody who calls it.
 */
#ifndef SLUICE_CHECK_NETWORK_H
#define SLUICE_CHECK_NETWORK_H

#include <stddef.h>

#include "sluice/sluice.h"

#define SLUICE__NONE ((size_t)-1)

/* The four gates in their order, and the place of the cell output's activation behind them. */
enum { SLUICE__I, SLUICE__F, SLUICE__G, SLUICE__O, SLUICE__CELL_OUTPUT, SLUICE__ACTIVATIONS };

/* One layer and direction: "cell" for short. Offsets of parameters count elements of the canonical block and are
 * SLUICE__NONE for tensors that the cell has not. "Gates" are SLUICE_GATE_..., or-ed together. */
struct sluice__cell {
	size_t layer, direction; /* direction 1 is the reverse half of a bidirectional layer */
	int reverse;             /* runs from t = T-1 to 0 */
	size_t inputs, hidden;   /* inputs: width of what the cell reads */
	size_t input_column;     /* where that starts in what the layer reads: not 0 for the reverse direction of a
				    layer above a separate one. x that holds the gates is read as a whole */
	size_t out;              /* width of h: the projection, or hidden */
	sluice_combination combination; /* of its h and that of the layer's other direction */
	size_t column; /* first column of its h in the layer's output [T,N,D*out], or [T,N,out] if the layer adds */
	size_t h_state, c_state; /* its [N,out] block of h0, dh, ... starts at h_state * N, that of c [N,H] at c_state *
				    N. In a row of all h side by side [h_width] it starts at h_state, likewise c */

	size_t weight_ih; /* [4H,I] */
	size_t weight_hh; /* [4H,out] */
	size_t bias;      /* [4H] */
	size_t weight_hr; /* [out,H], the projection */
	size_t peephole;  /* [4,H], or [4H,H] if full */
	size_t prelu;     /* [5,H] slopes, if any activation is a PReLU */
	size_t start_h;   /* [out], where the start is learned */
	size_t start_c;   /* [H], likewise */

	sluice_activation activations[SLUICE__ACTIVATIONS]; /* never of kind DEFAULT */
	sluice_peephole peephole_kind;
	int peephole_previous;
	sluice_input input;
	unsigned no_gates, no_input_weights, no_recurrent_weights, no_peepholes; /* gates */
	int coupled;
	float gate_clip, cell_clip, projection_clip; /* 0: none */
	float recurrent_dropout;
	sluice_mask_shape recurrent_dropout_shape;
	float zoneout_h, zoneout_c, dropconnect;
};

struct sluice__network {
	size_t inputs, outputs; /* I, and the width of y, of each if there are two */
	int separate;           /* whether there are: y of direction 0, y_reverse of direction 1 */
	size_t layer_count, cell_count;
	struct sluice__cell *cells; /* layer 0 forward, layer 0 reverse, layer 1 ... */
	size_t *widths;  /* [layer_count + 1]: what layer l reads; the last one is what y or the read-out reads, both
			    results of a separate layer side by side */
	float *dropouts; /* [layer_count]: on the way from layer l to l+1 or the read-out; 0 where nothing follows */
	int readout;     /* whether there is one */
	size_t readout_weight, readout_bias;
	size_t parameter_count;  /* elements of the canonical block */
	size_t h_width, c_width; /* all h side by side, all c: h0 and dh have N * h_width elements, c0 N * c_width */
	size_t tensor_count;
	sluice_parameter *tensors; /* copies; names belong to the network */
	char *names;
};

/* Whether a gate is computed from a pre-activation: not absent, and not the forget gate of a coupled cell. */
int sluice__cell_computes(const struct sluice__cell *cell, int gate);

/* From a description and the tensors of its canonical block (block_count elements). With tensors NULL the network lays
 * the block out by itself: tensors in the order of the cells, 16-element offsets. Errors: INVALID_ARGUMENT (a tensor is
 * missing or has the wrong shape; a layer contradicts itself), OUT_OF_MEMORY. */
sluice_status sluice__network_create(const sluice_description *description, const sluice_parameter *tensors,
				     size_t tensor_count, size_t block_count, struct sluice__network *out);
void sluice__network_destroy(struct sluice__network *network);

/* The network of a model, laid out as the model's own block. */
sluice_status sluice__network_of_model(const sluice_model *model, struct sluice__network *out);

#endif
