/* mpsgraph_lstm_check.h: the tensors of an LSTM node by their roles, and what they have to be like. */
#ifndef SLUICE_FACADE_MPSGRAPH_LSTM_CHECK_H
#define SLUICE_FACADE_MPSGRAPH_LSTM_CHECK_H

#include "mpsgraph_internal.h"
#include "mpsgraph_lstm_core.h"

/* Tensors that a method takes, in the order of a node's inputs. */
enum lstm_role {
	LSTM_ROLE_SOURCE,
	LSTM_ROLE_RECURRENT_WEIGHT,
	LSTM_ROLE_INPUT_WEIGHT,
	LSTM_ROLE_BIAS,
	LSTM_ROLE_INIT_STATE,
	LSTM_ROLE_INIT_CELL,
	LSTM_ROLE_MASK,
	LSTM_ROLE_PEEPHOLE,
	LSTM_FORWARD_ROLES, /* the LSTM methods have no more */
	LSTM_ROLE_SOURCE_GRADIENT = LSTM_FORWARD_ROLES,
	LSTM_ROLE_Z_STATE,
	LSTM_ROLE_CELL_OUTPUT_FWD,
	LSTM_ROLE_STATE_GRADIENT,
	LSTM_ROLE_CELL_GRADIENT,
	LSTM_ROLES
};

/* Shapes that a node makes. */
enum lstm_result_shape { LSTM_SHAPE_STATES, LSTM_SHAPE_GATES, LSTM_SHAPE_INITIAL, LSTM_SHAPE_BIAS };

/* What a descriptor and a graph's switches say, in the core's terms; sizes are not known yet. */
sluice_status sluice__mpsgraph_lstm_describe(const MPSGraphLSTMDescriptor *descriptor,
					     const sluice_mpsgraph_options *options, struct lstm_network *network);

/* Checks the arguments of a method, NULL where not given, and makes them a network. */
sluice_status sluice__mpsgraph_lstm_check(const MPSGraph *graph, MPSGraphTensor *const tensors[LSTM_ROLES],
					  const MPSGraphLSTMDescriptor *descriptor, int backward,
					  struct lstm_network *network);

/* The data of a node's inputs, of which there are `count`. */
void sluice__mpsgraph_lstm_inputs(const void *const *data, size_t count, struct lstm_inputs *inputs);

MPSShape sluice__mpsgraph_lstm_shape(const struct lstm_network *network, enum lstm_result_shape which);

#endif
