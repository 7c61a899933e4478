/*
 * network.h: where everything of one network lies, written down once for the oracle and everybody who calls it.
 */
#ifndef SLUICE_CHECK_NETWORK_H
#define SLUICE_CHECK_NETWORK_H

#include <stddef.h>

#include "sluice/sluice.h"
#include "window.h"

/* The four gates in their order, and the place of the cell output's activation behind them. */
enum { SLUICE__I, SLUICE__F, SLUICE__G, SLUICE__O, SLUICE__CELL_OUTPUT, SLUICE__ACTIVATIONS };

/* Rows and columns of an image, and how many places that makes. */
struct sluice__image {
	size_t height, width, places;
};

/* One layer and direction: "cell" for short. With images inputs, hidden and out are channels, and each of them is at
 * every place: x of one row is [input_places, inputs], h is [places, out], c [places, hidden], the gates [places, 4H].
 * Without images there is one place. Tensors are written down as they are without images, too; those that are
 * convolutions have one row for each of 4H, and the columns of their window. Offsets of parameters count elements of
 * the canonical block and are SLUICE__NONE for tensors that the cell has not. "Gates" are SLUICE_GATE_..., or-ed
 * together. */
struct sluice__cell {
	size_t layer, direction; /* direction 1 is the reverse half of a bidirectional layer */
	int reverse;             /* runs from t = T-1 to 0 */
	size_t inputs, hidden;   /* inputs: width of what the cell reads */
	size_t input_column;     /* where that starts in what the layer reads: not 0 for the reverse direction of a
				    layer above a separate one. x that holds the gates is read as a whole */
	size_t out;              /* width of h: the projection, or hidden */
	size_t input_places;     /* of x */
	size_t places;           /* of h, c and the gates */
	struct sluice__window input_window, recurrent_window, memory_window; /* of W, R and full V. The first is one
										tap if x needs no weights */
	sluice_combination combination; /* of its h and that of the layer's other direction */
	size_t column; /* first column of its h in the layer's output [T,N,D*out], or [T,N,out] if the layer adds; of
			  each place */
	size_t h_state, c_state; /* its [N,out] block of h0, dh, ... starts at h_state * N, that of c [N,H] at c_state *
				    N. In a row of all h side by side [h_width] it starts at h_state, likewise c. All
				    places count: [N,places,out], and the next cell's h_state is places * out further */

	size_t weight_ih; /* [4H,I] */
	size_t weight_hh; /* [4H,out] */
	size_t bias;      /* [4H] */
	size_t weight_hr; /* [out,H], the projection */
	size_t peephole;  /* [4,H], or [4H,H] if full, or [4H,places] of elements */
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
	size_t inputs, outputs; /* I, and the width of y, of each if there are two; of images at each place */
	int separate;           /* whether there are: y of direction 0, y_reverse of direction 1 */
	size_t x_row, y_row;    /* all numbers of a row of x and of y: places times inputs, outputs */
	size_t layer_count, cell_count;
	struct sluice__cell *cells; /* layer 0 forward, layer 0 reverse, layer 1 ... */
	size_t *widths; /* [layer_count + 1]: what layer l reads; the last one is what y or the read-out reads, both
			   results of a separate layer side by side; of images at each place */
	struct sluice__image *images; /* [layer_count + 1]: what layer l reads; the last one is that of y. 1 by 1
					 without images */
	float *dropouts; /* [layer_count]: on the way from layer l to l+1 or the read-out; 0 where nothing follows */
	int readout;     /* whether there is one */
	size_t readout_weight, readout_bias;
	size_t parameter_count;  /* elements of the canonical block */
	size_t h_width, c_width; /* all h side by side, all c: h0 and dh have N * h_width elements, c0 N * c_width; of
				    images with all their places */
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
