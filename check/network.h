/*
 * network.h: where everything of one network lies, written down once for the oracle and everybody who calls it.
 */
#ifndef SLUICE_CHECK_NETWORK_H
#define SLUICE_CHECK_NETWORK_H

#include <stddef.h>

#include "sluice/sluice.h"

#define SLUICE__NONE ((size_t)-1)

/* One layer and direction: "cell" for short. Offsets of parameters count elements of the canonical block. */
struct sluice__cell {
	size_t layer, direction; /* direction 1 is the reverse half of a bidirectional layer */
	int reverse;             /* runs from t = T-1 to 0 */
	size_t inputs, hidden;
	size_t column;    /* first column of its h in the layer's output [T,N,D*H] */
	size_t weight_ih; /* [4H,I] */
	size_t weight_hh; /* [4H,H] */
	size_t bias;      /* [4H], or SLUICE__NONE */
	size_t state;     /* its [N,H] block in the arrays h0, c0, dh, ... starts at state * N */
};

struct sluice__network {
	size_t inputs, outputs; /* I, and the width of y */
	size_t layer_count, cell_count;
	struct sluice__cell *cells; /* layer 0 forward, layer 0 reverse, layer 1 ... */
	size_t *widths;  /* [layer_count + 1]: what layer l reads; the last one is what y or the read-out reads */
	float *dropouts; /* [layer_count]: on the way from layer l to l+1 or the read-out; 0 where nothing follows */
	int readout;     /* whether there is one */
	size_t readout_weight, readout_bias;
	size_t parameter_count; /* elements of the canonical block */
	size_t state_width;     /* sum of H over all cells: h0 and the like have N * state_width elements */
	size_t tensor_count;
	sluice_parameter *tensors; /* copies; names belong to the network */
	char *names;
};

/* From a description and the tensors of its canonical block (block_count elements). With tensors NULL the network lays
 * the block out by itself: tensors in the order of the cells, 16-element offsets. Errors: INVALID_ARGUMENT (a tensor is
 * missing or has the wrong shape), UNSUPPORTED (an option the oracle does not know), OUT_OF_MEMORY. */
sluice_status sluice__network_create(const sluice_description *description, const sluice_parameter *tensors,
				     size_t tensor_count, size_t block_count, struct sluice__network *out);
void sluice__network_destroy(struct sluice__network *network);

/* The network of a model, laid out as the model's own block. */
sluice_status sluice__network_of_model(const sluice_model *model, struct sluice__network *out);

#endif
