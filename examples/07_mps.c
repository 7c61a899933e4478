/*
 * 07_mps.c: teaches an LSTM to tell activities apart by a motion sensor, on the interface of Metal Performance Shaders,
 * as Apple's Turi Create does.
 *
 * Shows sources of weights, the training layer on sequences that lie in memory with the batch first (one matrix for all
 * steps, and offsets), an optimizer of the program's own on the matrices of weights, copies of weights by their ids,
 * and the inference layer on what was learnt.
 */
#include <sluice/mps.h>
#include <sluice/ops.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 24, N = 16, C = 6, H = 16, CLASSES = 3, UPDATES = 100, GATES = 4, READOUT = CLASSES * (H + 1) };

static void *need(void *object)
{
	if (object)
		return object;
	fprintf(stderr, "%s\n", sluice_mps_last_message());
	exit(1);
}

static void check(int failed)
{
	need(failed ? NULL : &failed);
}

static void commit(MPSCommandBuffer *buffer)
{
	check(MPSCommandBuffer_commit(buffer));
	check(MPSCommandBuffer_waitUntilCompleted(buffer));
	MPSCommandBuffer_release(buffer);
}

/* ------------------------------------------------------------------------------------------- sources of weights -- */

/* What a source is asked for. Sources of recurrent weights have no bias. */
struct source {
	MPSCNNConvolutionDescriptor *kernel;
	float *weights, *bias;
};

/* In the order of the ids of weights: the cell's gate is the third. */
struct gate {
	struct source input, recurrent;
	float W[H * C], R[H * H], b[H];
};

static MPSDataType source_type(void *user)
{
	(void)user;
	return MPSDataTypeFloat32;
}

static const MPSCNNConvolutionDescriptor *source_kernel(void *user)
{
	return ((const struct source *)user)->kernel;
}

static void *source_weights(void *user)
{
	return ((const struct source *)user)->weights;
}

static float *source_bias(void *user)
{
	return ((const struct source *)user)->bias;
}

static int source_load(void *user)
{
	(void)user; /* it would be read from a file here */
	return 1;
}

static void source_purge(void *user)
{
	(void)user;
}

static MPSCNNConvolutionDataSource calls_of(struct source *source)
{
	MPSCNNConvolutionDataSource calls = SLUICE_MPS_DATA_SOURCE_INIT;
	calls.user = source;
	calls.dataType = source_type;
	calls.descriptor = source_kernel;
	calls.weights = source_weights;
	calls.biasTerms = source_bias;
	calls.load = source_load;
	calls.purge = source_purge;
	return calls;
}

/* Uniform numbers of this size, by random numbers that are always the same. */
static void fill_random(float *numbers, size_t count, float scale, uint32_t stream)
{
	const uint32_t key[2] = {7, stream};
	for (size_t k = 0; k < count; k++) {
		const uint32_t counter[4] = {(uint32_t)k, 0, 0, 0};
		uint32_t words[4];
		sluice_philox(key, counter, words);
		numbers[k] = scale * ((float)(words[0] >> 8) / 8388608.0f - 1);
	}
}

static void gates_start(struct gate *gates)
{
	for (uint32_t k = 0; k < GATES; k++) {
		fill_random(gates[k].W, sizeof gates[k].W / sizeof(float), 0.3f, 2 * k);
		fill_random(gates[k].R, sizeof gates[k].R / sizeof(float), 0.25f, 2 * k + 1);
		for (size_t unit = 0; unit < H; unit++)
			gates[k].b[unit] = k == 1 ? 1 : 0; /* remember at first, and learn what to forget */
	}
}

/* The descriptor reads the gates' numbers whenever a layer is made of it. */
static MPSLSTMDescriptor *describe(struct gate *gates)
{
	static int (*const set_input[GATES])(MPSLSTMDescriptor *, const MPSCNNConvolutionDataSource *) = {
		MPSLSTMDescriptor_setInputGateInputWeights, MPSLSTMDescriptor_setForgetGateInputWeights,
		MPSLSTMDescriptor_setCellGateInputWeights, MPSLSTMDescriptor_setOutputGateInputWeights};
	static int (*const set_recurrent[GATES])(MPSLSTMDescriptor *, const MPSCNNConvolutionDataSource *) = {
		MPSLSTMDescriptor_setInputGateRecurrentWeights, MPSLSTMDescriptor_setForgetGateRecurrentWeights,
		MPSLSTMDescriptor_setCellGateRecurrentWeights, MPSLSTMDescriptor_setOutputGateRecurrentWeights};
	MPSLSTMDescriptor *descriptor =
		need(MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(C, H));
	MPSRNNDescriptor_setUseFloat32Weights(MPSLSTMDescriptor_asRNNDescriptor(descriptor), 1);
	for (size_t k = 0; k < GATES; k++) {
		struct gate *gate = &gates[k];
		gate->input = (struct source){need(MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, C, H)),
					      gate->W, gate->b};
		gate->recurrent = (struct source){
			need(MPSCNNConvolutionDescriptor_cnnConvolutionDescriptor(1, 1, H, H)), gate->R, NULL};
		/* Without a neuron a gate is linear: sigmoid is no default. */
		check(MPSCNNConvolutionDescriptor_setNeuronType_parameterA_parameterB(
			gate->input.kernel, k == 2 ? MPSCNNNeuronTypeTanH : MPSCNNNeuronTypeSigmoid, 1, 1));
		const MPSCNNConvolutionDataSource input = calls_of(&gate->input),
						  recurrent = calls_of(&gate->recurrent);
		check(set_input[k](descriptor, &input));
		check(set_recurrent[k](descriptor, &recurrent));
	}
	return descriptor;
}

/* ---------------------------------------------------------------------------------------------------- sequences -- */

/* Numbers [N,T,width] as a sequence: the same matrix for every step, with rows of all steps' numbers, at the step's
 * offset. */
struct sequence {
	float *numbers;
	MPSMatrix *matrix, *steps[T];
	size_t offsets[T];
};

static void sequence_make(struct sequence *sequence, size_t width)
{
	MPSMatrixDescriptor *rows = need(MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		N, width, T * width * sizeof(float), MPSDataTypeFloat32));
	sequence->numbers = need(calloc((size_t)N * T * width, sizeof(float)));
	sequence->matrix = need(MPSMatrix_initWithBuffer_descriptor(sequence->numbers, rows));
	MPSMatrixDescriptor_release(rows);
	for (size_t step = 0; step < T; step++) {
		sequence->steps[step] = sequence->matrix;
		sequence->offsets[step] = step * width * sizeof(float);
	}
}

static void sequence_free(struct sequence *sequence)
{
	MPSMatrix_release(sequence->matrix);
	free(sequence->numbers);
}

/* Six channels of somebody who sits, walks or runs: silence, a slow swing, a quick one, and noise in all. */
static void make_batch(uint32_t number, float *x, uint32_t *activity)
{
	static const float pace[CLASSES] = {0, 0.5f, 1.1f};
	float noise[T * C], phase;
	for (uint32_t n = 0; n < N; n++) {
		const uint32_t stream = 1000 + number * N + n;
		fill_random(noise, sizeof noise / sizeof(float), 0.4f, stream);
		fill_random(&phase, 1, 3.14159f, stream + 1000000);
		activity[n] = n % CLASSES;
		for (size_t t = 0; t < T; t++)
			for (size_t c = 0; c < C; c++) {
				const float swing = sinf(pace[activity[n]] * (float)t + phase + (float)c);
				x[(n * T + t) * C + c] =
					noise[t * C + c] + (activity[n] ? swing : 0) * (c % 2 ? 0.5f : 1);
			}
	}
}

/* ----------------------------------------------------------------------------------------------------- training -- */

/* Weights, their gradients and Adam's two moments are arrays of matrices that are laid out alike. */
struct trainer {
	MPSRNNMatrixTrainingLayer *layer;
	sluice_context *context;
	MPSMatrix *weights[SLUICE_MPS_WEIGHT_MATRICES], *gradients[SLUICE_MPS_WEIGHT_MATRICES],
		*moments[2][SLUICE_MPS_WEIGHT_MATRICES];
	struct sequence x, y, dy;
	float readout[READOUT], readout_gradient[READOUT], readout_moments[2][READOUT]; /* [CLASSES,H] and [CLASSES] */
};

static void trainer_make(struct trainer *trainer, const MPSLSTMDescriptor *descriptor)
{
	const MPSRNNDescriptor *base = MPSLSTMDescriptor_asRNNDescriptor((MPSLSTMDescriptor *)(uintptr_t)descriptor);
	memset(trainer, 0, sizeof *trainer);
	trainer->layer = need(
		MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(NULL, base, trainer->weights));
	check(MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(trainer->layer, trainer->gradients,
									      MPSDataTypeFloat32));
	for (int k = 0; k < 2; k++)
		check(MPSRNNMatrixTrainingLayer_createWeightMatrices(trainer->layer, trainer->moments[k]));
	check(sluice_context_create(NULL, &trainer->context) != SLUICE_OK);
	sequence_make(&trainer->x, C);
	sequence_make(&trainer->y, H);
	sequence_make(&trainer->dy, H);
	fill_random(trainer->readout, (size_t)CLASSES * H, 0.25f, 100);
}

static void trainer_free(struct trainer *trainer)
{
	for (size_t k = 0; k < SLUICE_MPS_WEIGHT_MATRICES; k++) {
		MPSMatrix_release(trainer->weights[k]);
		MPSMatrix_release(trainer->gradients[k]);
		MPSMatrix_release(trainer->moments[0][k]);
		MPSMatrix_release(trainer->moments[1][k]);
	}
	sequence_free(&trainer->x);
	sequence_free(&trainer->y);
	sequence_free(&trainer->dy);
	MPSRNNMatrixTrainingLayer_release(trainer->layer);
	sluice_context_destroy(trainer->context);
}

static const float *last_h(const float *y, size_t row)
{
	return y + (row * T + T - 1) * H;
}

static void say(const float *readout, const float *y, float *logits)
{
	for (size_t k = 0; k < (size_t)N * CLASSES; k++) {
		const float *weights = readout + k % CLASSES * H, *h = last_h(y, k / CLASSES);
		logits[k] = readout[CLASSES * H + k % CLASSES];
		for (size_t unit = 0; unit < H; unit++)
			logits[k] += weights[unit] * h[unit];
	}
}

/* The loss, its gradient of the last h of every row, and the read-out's. */
static double judge(struct trainer *trainer, const uint32_t *activity)
{
	float logits[N * CLASSES];
	double loss;
	say(trainer->readout, trainer->y.numbers, logits);
	check(sluice_softmax_cross_entropy(trainer->context, N, CLASSES, logits, activity, &loss, logits) != SLUICE_OK);
	memset(trainer->dy.numbers, 0, sizeof(float) * N * T * H);
	memset(trainer->readout_gradient, 0, sizeof trainer->readout_gradient);
	for (size_t k = 0; k < (size_t)N * CLASSES; k++) {
		const size_t row = k / CLASSES, class = k % CLASSES;
		const float *h = last_h(trainer->y.numbers, row);
		float *dh = trainer->dy.numbers + (row * T + T - 1) * H;
		trainer->readout_gradient[CLASSES * H + class] += logits[k];
		for (size_t unit = 0; unit < H; unit++) {
			trainer->readout_gradient[class * H + unit] += logits[k] * h[unit];
			dh[unit] += logits[k] * trainer->readout[class * H + unit];
		}
	}
	return loss;
}

static void adam(const struct trainer *trainer, uint64_t update, size_t count, float *weights, const float *gradients,
		 float *first, float *second)
{
	sluice_optimizer optimizer = SLUICE_OPTIMIZER_INIT;
	float *const moments[2] = {first, second};
	optimizer.kind = SLUICE_OPTIMIZER_ADAM;
	optimizer.rate = 0.01f;
	optimizer.update = update;
	check(sluice_optimizer_step(trainer->context, &optimizer, count, weights, gradients, moments) != SLUICE_OK);
}

static void improve(struct trainer *trainer, uint64_t update)
{
	for (size_t k = 0; k < sluice_mps_weight_matrices(trainer->layer); k++)
		adam(trainer, update, MPSMatrix_rows(trainer->weights[k]) * MPSMatrix_columns(trainer->weights[k]),
		     MPSMatrix_data(trainer->weights[k]), MPSMatrix_data(trainer->gradients[k]),
		     MPSMatrix_data(trainer->moments[0][k]), MPSMatrix_data(trainer->moments[1][k]));
	adam(trainer, update, READOUT, trainer->readout, trainer->readout_gradient, trainer->readout_moments[0],
	     trainer->readout_moments[1]);
}

static double train_once(struct trainer *trainer, uint32_t update)
{
	uint32_t activity[N];
	MPSRNNMatrixTrainingState *states[T];
	MPSCommandBuffer *buffer = need(MPSCommandBuffer_commandBufferFromCommandQueue(NULL));
	make_batch(update, trainer->x.numbers, activity);
	check(MPSRNNMatrixTrainingLayer_encodeForwardSequence(trainer->layer, buffer, trainer->x.steps,
							      trainer->x.offsets, trainer->y.steps, trainer->y.offsets,
							      T, states, NULL, NULL, trainer->weights));
	commit(buffer);
	const double loss = judge(trainer, activity);
	buffer = need(MPSCommandBuffer_commandBufferFromCommandQueue(NULL));
	check(MPSRNNMatrixTrainingLayer_encodeGradientSequence(
		trainer->layer, buffer, trainer->x.steps, trainer->x.offsets, trainer->dy.steps, trainer->dy.offsets,
		NULL, NULL, trainer->gradients, T, states, NULL, NULL, trainer->weights));
	commit(buffer);
	for (size_t step = 0; step < T; step++)
		MPSRNNMatrixTrainingState_release(states[step]);
	improve(trainer, update);
	return loss;
}

/* ---------------------------------------------------------------------------------------------------- inference -- */

static void copy_out(struct trainer *trainer, MPSCommandBuffer *buffer, int id, size_t rows, size_t columns, float *to)
{
	const MTLOrigin corner = {0, 0, 0};
	MPSMatrixDescriptor *descriptor = need(MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		rows, columns, columns * sizeof(float), MPSDataTypeFloat32));
	MPSMatrix *matrix = need(MPSMatrix_initWithBuffer_descriptor(to, descriptor));
	check(MPSRNNMatrixTrainingLayer_encodeCopyWeights(trainer->layer, buffer, trainer->weights, (MPSRNNMatrixId)id,
							  matrix, 1, corner));
	MPSMatrix_release(matrix);
	MPSMatrixDescriptor_release(descriptor);
}

/* What was learnt, into the numbers that the sources give. */
static void gates_learn(struct trainer *trainer, struct gate *gates)
{
	MPSCommandBuffer *buffer = need(MPSCommandBuffer_commandBufferFromCommandQueue(NULL));
	for (int k = 0; k < GATES; k++) {
		const int id = MPSRNNMatrixIdLSTMInputGateInputWeights + 4 * k;
		copy_out(trainer, buffer, id, H, C, gates[k].W);
		copy_out(trainer, buffer, id + 1, H, H, gates[k].R);
		copy_out(trainer, buffer, id + 3, 1, H, gates[k].b);
	}
	commit(buffer);
}

/* How many of some batches it knows, with a layer made of the descriptor. */
static int recognize(struct trainer *trainer, const MPSRNNDescriptor *descriptor, int batches)
{
	MPSRNNMatrixInferenceLayer *layer =
		need(MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(NULL, descriptor));
	int known = 0;
	for (int batch = 0; batch < batches; batch++) {
		uint32_t activity[N];
		float logits[N * CLASSES];
		MPSCommandBuffer *buffer = need(MPSCommandBuffer_commandBufferFromCommandQueue(NULL));
		make_batch((uint32_t)(UPDATES + 1 + batch), trainer->x.numbers, activity);
		check(MPSRNNMatrixInferenceLayer_encodeSequence(layer, buffer, trainer->x.steps, trainer->x.offsets,
								trainer->y.steps, trainer->y.offsets, T, NULL, NULL));
		commit(buffer);
		say(trainer->readout, trainer->y.numbers, logits);
		for (size_t n = 0; n < N; n++) {
			const float *logit = logits + n * CLASSES;
			const uint32_t best =
				logit[0] > logit[1] ? (logit[0] > logit[2] ? 0 : 2) : (logit[1] > logit[2] ? 1 : 2);
			known += best == activity[n];
		}
	}
	MPSRNNMatrixInferenceLayer_release(layer);
	return known;
}

int main(void)
{
	enum { BATCHES = 8 };
	static struct gate gates[GATES];
	static struct trainer trainer;
	double loss = 0;
	gates_start(gates);
	MPSLSTMDescriptor *descriptor = describe(gates);
	const MPSRNNDescriptor *base = MPSLSTMDescriptor_asRNNDescriptor(descriptor);
	trainer_make(&trainer, descriptor);
	const int before = recognize(&trainer, base, BATCHES);
	for (uint32_t update = 1; update <= UPDATES; update++) {
		loss = train_once(&trainer, update);
		if (update == 1 || update % 25 == 0)
			printf("update %3u: loss %.4f\n", (unsigned)update, loss);
	}
	gates_learn(&trainer, gates);
	const int after = recognize(&trainer, base, BATCHES);
	printf("of %d new sequences: %d known before, %d after\n", BATCHES * N, before, after);
	trainer_free(&trainer);
	for (size_t k = 0; k < GATES; k++) {
		MPSCNNConvolutionDescriptor_release(gates[k].input.kernel);
		MPSCNNConvolutionDescriptor_release(gates[k].recurrent.kernel);
	}
	MPSLSTMDescriptor_release(descriptor);
	/* Guessing knows a third, and has a loss of log 3. */
	return loss < 0.2 && after >= BATCHES * N * 95 / 100 && before < after ? 0 : 1;
}
