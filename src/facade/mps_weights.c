/* mps_weights.c exists to read the twelve sources of a layer, and to say the layer in the core's words. */
#include "mps_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const GATE_NAMES[GATES] = {"inputGate", "forgetGate", "cellGate", "outputGate"};
static const char *const PART_NAMES[PARTS] = {"InputWeights", "RecurrentWeights", "MemoryWeights"};

void sluice__mps_round(float *values, size_t count)
{
	uint16_t half;
	for (size_t k = 0; k < count; k++) {
		const struct line there = {(char *)&half, SLUICE_F16, 1};
		sluice__number_store(&there, 0, values[k]);
		values[k] = sluice__number_load(&there, 0);
	}
}

static sluice_status gate_read(const MPSLSTMDescriptor *descriptor, size_t index, enum part part, enum gate gate,
			       struct lstm *out)
{
	const struct source *source = &descriptor->sources[part][gate];
	char where[MPS_WHERE_TEXT];
	struct response response = {0};
	if (!source->given)
		return SLUICE_OK;
	snprintf(where, sizeof where, "layer %zu: %s%s", index, GATE_NAMES[gate], PART_NAMES[part]);
	const struct request request = {
		.where = where,
		.in = part == PART_INPUT ? out->inputs : out->hidden,
		.out = out->hidden,
		.image = out->image,
		.diagonal = part == PART_MEMORY && out->diagonal,
		.weights = part != PART_INPUT || !out->identity,
		.half = out->half,
		.input = part == PART_INPUT,
	};
	const sluice_status status = sluice__mps_source_read(&source->calls, &request, &response);
	out->given[part][gate] = 1;
	out->weights[part][gate] = response.weights;
	if (part == PART_INPUT) {
		out->bias[gate] = response.bias;
		out->slopes[gate] = response.slopes;
		out->activations[gate] = response.neuron;
	}
	return status;
}

static sluice_status properties_read(const MPSLSTMDescriptor *descriptor, size_t index, struct lstm *out)
{
	const MPSRNNDescriptor *base = &descriptor->base;
	const struct neuron cell = {
		.type = descriptor->cellToOutputNeuronType,
		.a = descriptor->cellToOutputNeuronParamA,
		.b = descriptor->cellToOutputNeuronParamB,
		.c = descriptor->cellToOutputNeuronParamC,
	};
	char where[MPS_WHERE_TEXT];
	snprintf(where, sizeof where, "layer %zu: cellToOutputNeuronType", index);
	if (!base->inputFeatureChannels || !base->outputFeatureChannels)
		return MPS_INVALID("layer %zu: %zu input and %zu output channels, expected at least 1 of each", index,
				   base->inputFeatureChannels, base->outputFeatureChannels);
	if ((unsigned)base->layerSequenceDirection > MPSRNNSequenceDirectionBackward)
		return MPS_INVALID("layer %zu: layerSequenceDirection is %d, expected 0 or 1", index,
				   (int)base->layerSequenceDirection);
	if (base->useLayerInputUnitTransformMode && base->inputFeatureChannels != base->outputFeatureChannels)
		return MPS_INVALID("layer %zu: useLayerInputUnitTransformMode with %zu input and %zu output channels, "
				   "expected as many of both",
				   index, base->inputFeatureChannels, base->outputFeatureChannels);
	out->inputs = base->inputFeatureChannels;
	out->hidden = base->outputFeatureChannels;
	out->identity = base->useLayerInputUnitTransformMode;
	out->diagonal = descriptor->memoryWeightsAreDiagonal;
	out->backward = base->layerSequenceDirection == MPSRNNSequenceDirectionBackward;
	return sluice__mps_activation(where, &cell, 0, &out->activations[CELL_ACTIVATION]);
}

sluice_status sluice__mps_lstm_read(const MPSRNNDescriptor *base, size_t index, int image, int half, struct lstm *out)
{
	if (!base)
		return MPS_INVALID("layer %zu: the descriptor is NULL, expected a descriptor", index);
	/* There is one class: what is no MPSLSTMDescriptor cannot be made. */
	const MPSLSTMDescriptor *descriptor = (const MPSLSTMDescriptor *)base;
	MPS_TRY(properties_read(descriptor, index, out));
	out->image = image;
	out->half = half < 0 ? !base->useFloat32Weights : half;
	for (int gate = 0; gate < GATES; gate++)
		out->activations[gate] = (sluice_activation){.kind = SLUICE_ACTIVATION_IDENTITY};
	for (int gate = 0; gate < GATES; gate++)
		for (int part = 0; part < PARTS; part++)
			MPS_TRY(gate_read(descriptor, index, (enum part)part, (enum gate)gate, out));
	return image ? sluice__mps_kernels_unite(out, index) : SLUICE_OK;
}

void sluice__mps_lstm_free(struct lstm *lstm)
{
	for (int gate = 0; gate < GATES; gate++) {
		for (int part = 0; part < PARTS; part++) {
			free(lstm->weights[part][gate].values);
			lstm->weights[part][gate].values = NULL;
		}
		free(lstm->bias[gate]);
		free(lstm->slopes[gate]);
		lstm->bias[gate] = lstm->slopes[gate] = NULL;
	}
}

/* Gates without weights of this part, as the core counts them. */
static unsigned absent(const struct lstm *lstm, enum part part)
{
	unsigned gates = 0;
	for (int gate = 0; gate < GATES; gate++)
		gates |= lstm->given[part][gate] ? 0 : 1u << gate;
	return gates;
}

void sluice__mps_lstm_describe(const struct lstm *lstm, sluice_layer *out)
{
	*out = (sluice_layer)SLUICE_LAYER_INIT;
	out->hidden = lstm->hidden;
	out->input = lstm->identity ? SLUICE_INPUT_IDENTITY : SLUICE_INPUT_WEIGHTS;
	out->input_activation = lstm->activations[GATE_INPUT];
	out->forget_activation = lstm->activations[GATE_FORGET];
	out->candidate_activation = lstm->activations[GATE_CELL];
	out->output_activation = lstm->activations[GATE_OUTPUT];
	out->cell_activation = lstm->activations[CELL_ACTIVATION];
	out->no_input_weights = lstm->identity ? 0 : absent(lstm, PART_INPUT);
	out->no_recurrent_weights = absent(lstm, PART_RECURRENT);
	out->input_convolution = lstm->convolutions[PART_INPUT];
	out->recurrent_convolution = lstm->convolutions[PART_RECURRENT];
	if (absent(lstm, PART_MEMORY) == SLUICE_GATES_ALL)
		return;
	out->peephole = lstm->diagonal ? SLUICE_PEEPHOLE_DIAGONAL : SLUICE_PEEPHOLE_FULL;
	out->no_peepholes = absent(lstm, PART_MEMORY);
	out->memory_convolution = lstm->convolutions[PART_MEMORY];
}

sluice_status sluice__mps_lstm_load(const struct lstm *lstm, sluice_model *model, size_t layer)
{
	sluice_weights view = SLUICE_WEIGHTS_INIT;
	float *zeros = sluice__object_allocate(lstm->hidden, sizeof *zeros);
	if (!zeros)
		return SLUICE_OUT_OF_MEMORY;
	for (int gate = 0; gate < GATES; gate++) {
		view.input_gates[gate] = lstm->weights[PART_INPUT][gate].values;
		view.recurrent_gates[gate] = lstm->weights[PART_RECURRENT][gate].values;
		view.peephole_gates[gate] = lstm->weights[PART_MEMORY][gate].values;
		view.bias_gates[gate] = lstm->bias[gate] ? lstm->bias[gate] : zeros;
		view.prelu[gate] = lstm->slopes[gate];
	}
	const sluice_status status = sluice_model_set_weights(model, layer, 0, &view);
	free(zeros);
	return status;
}
