/*
 * accelerate.c: a program as it is written for macOS, which must compile with one -I and link with one -l where the
 * library is installed. One cell of one unit runs forward and back and meets the numbers that its equations give.
 */
#include <Accelerate/Accelerate.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { input_size = 1, hidden_size = 1, batch_size = 1, num_layers = 1, seq_len = 2, num_directions = 1 };

/* The order of the gates is that of the structure: input, forget, candidate, output. */
static float input_weights[4][num_layers * num_directions * hidden_size * input_size] = {
	{0.5f}, {-0.3f}, {0.8f}, {0.1f}};
static float hidden_weights[4][num_layers * num_directions * hidden_size * hidden_size] = {
	{0.2f}, {0.4f}, {-0.6f}, {0.7f}};
static float cell_weights[4][num_layers * num_directions * hidden_size * hidden_size] = {
	{0.3f}, {-0.2f}, {0.15f}, {0.25f}};
static float biases[4][num_layers * num_directions * hidden_size] = {{0.1f}, {0.2f}, {-0.1f}, {0.05f}};
static float input[seq_len * batch_size * input_size] = {1, -2};
static float hidden[num_layers * num_directions * batch_size * hidden_size] = {0.3f};
static float cell[num_layers * num_directions * batch_size * hidden_size] = {-0.4f};
static float output[seq_len * batch_size * num_directions * hidden_size];
static float output_hidden[num_layers * num_directions * batch_size * hidden_size];
static float output_cell[num_layers * num_directions * batch_size * hidden_size];

static float input_weights_delta[4][1], hidden_weights_delta[4][1], cell_weights_delta[4][1], biases_delta[4][1];
static float input_delta[seq_len], hidden_delta[1], cell_delta[1], output_delta[seq_len] = {1, 1};

static BNNSNDArrayDescriptor weights(float *data, size_t columns)
{
	const BNNSNDArrayDescriptor descriptor = {
		.flags = BNNSNDArrayFlagBackpropSet,
		.layout = BNNSDataLayout4DLastMajor,
		.size = {columns, hidden_size, num_directions, num_layers},
		.data = data,
		.data_type = BNNSDataTypeFloat32,
	};
	return descriptor;
}

static BNNSLSTMGateDescriptor gate(float *iw, float *hw, float *cw, float *b)
{
	const BNNSLSTMGateDescriptor descriptor = {
		.iw_desc = {weights(iw, input_size), weights(iw, input_size)},
		.hw_desc = weights(hw, hidden_size),
		.cw_desc = weights(cw, hidden_size),
		.b_desc =
			{
				.layout = BNNSDataLayout3DLastMajor,
				.size = {hidden_size, num_directions, num_layers},
				.data = b,
				.data_type = BNNSDataTypeFloat32,
			},
		.activation = {.function = BNNSActivationFunctionIdentity},
	};
	return descriptor;
}

static BNNSLSTMDataDescriptor data(float *sequence, size_t elements, float *h, float *c)
{
	const BNNSNDArrayDescriptor state = {
		.layout = BNNSDataLayout4DLastMajor,
		.size = {hidden_size, batch_size, num_directions, num_layers},
		.data_type = BNNSDataTypeFloat32,
	};
	BNNSLSTMDataDescriptor descriptor = {
		.data_desc =
			{
				.layout = BNNSDataLayoutSNE,
				.size = {elements, batch_size, seq_len},
				.data = sequence,
				.data_type = BNNSDataTypeFloat32,
			},
		.hidden_desc = state,
		.cell_state_desc = state,
	};
	descriptor.hidden_desc.data = h;
	descriptor.cell_state_desc.data = c;
	return descriptor;
}

static BNNSLayerParametersLSTM layer(BNNSLSTMDataDescriptor in, BNNSLSTMDataDescriptor out, BNNSLSTMGateDescriptor i,
				     BNNSLSTMGateDescriptor f, BNNSLSTMGateDescriptor g, BNNSLSTMGateDescriptor o)
{
	const BNNSLayerParametersLSTM parameters = {
		.input_size = input_size,
		.hidden_size = hidden_size,
		.batch_size = batch_size,
		.num_layers = num_layers,
		.seq_len = seq_len,
		.dropout = 0.0f,
		.lstm_flags = BNNSLayerFlagsLSTMDefaultActivations,
		.sequence_descriptor = {.data = NULL},
		.input_descriptor = in,
		.output_descriptor = out,
		.input_gate = i,
		.forget_gate = f,
		.candidate_gate = g,
		.output_gate = o,
		.hidden_activation = {.function = BNNSActivationFunctionIdentity},
	};
	return parameters;
}

/* The expected numbers come from the equations worked in double; one cell in float keeps six digits of them. */
static int expect(const char *name, float is, double expected)
{
	if (fabs(is - expected) < 1e-6)
		return 0;
	fprintf(stderr, "accelerate: %s is %.9f, expected %.9f\n", name, (double)is, expected);
	return 1;
}

int main(void)
{
	const BNNSLayerParametersLSTM parameters =
		layer(data(input, input_size, hidden, cell), data(output, hidden_size, output_hidden, output_cell),
		      gate(input_weights[0], hidden_weights[0], cell_weights[0], biases[0]),
		      gate(input_weights[1], hidden_weights[1], cell_weights[1], biases[1]),
		      gate(input_weights[2], hidden_weights[2], cell_weights[2], biases[2]),
		      gate(input_weights[3], hidden_weights[3], cell_weights[3], biases[3]));
	const BNNSLayerParametersLSTM delta = layer(
		data(input_delta, input_size, hidden_delta, cell_delta), data(output_delta, hidden_size, NULL, NULL),
		gate(input_weights_delta[0], hidden_weights_delta[0], cell_weights_delta[0], biases_delta[0]),
		gate(input_weights_delta[1], hidden_weights_delta[1], cell_weights_delta[1], biases_delta[1]),
		gate(input_weights_delta[2], hidden_weights_delta[2], cell_weights_delta[2], biases_delta[2]),
		gate(input_weights_delta[3], hidden_weights_delta[3], cell_weights_delta[3], biases_delta[3]));
	const size_t capacity = BNNSComputeLSTMTrainingCacheCapacity(&parameters);
	void *cache = malloc(capacity);
	int wrong = 0;
	if (!cache || BNNSDirectApplyLSTMBatchTrainingCaching(&parameters, NULL, cache, capacity) != 0 ||
	    BNNSDirectApplyLSTMBatchBackward(&parameters, &delta, NULL, cache, capacity) != 0) {
		fputs("accelerate: a call failed\n", stderr);
		return 1;
	}
	free(cache);
	wrong += expect("output[0]", output[0], 0.036551805868);
	wrong += expect("output[1]", output[1], -0.104098898200);
	wrong += expect("output_hidden", output_hidden[0], -0.104098898200);
	wrong += expect("output_cell", output_cell[0], -0.233204270626);
	wrong += expect("input_delta[0]", input_delta[0], 0.405395203032);
	wrong += expect("input_delta[1]", input_delta[1], -0.035878306438);
	wrong += expect("input_weights_delta[1]", input_weights_delta[1][0], -0.092914092690);
	wrong += expect("biases_delta[0]", biases_delta[0][0], 0.001124033552);
	wrong += expect("cell_weights_delta[3]", cell_weights_delta[3][0], 0.014105335373);
	wrong += expect("hidden_delta", hidden_delta[0], -0.260323709308);
	wrong += expect("cell_delta", cell_delta[0], 0.535637978357);
	printf("accelerate: %s\n", wrong ? "wrong" : "right");
	return wrong != 0;
}
