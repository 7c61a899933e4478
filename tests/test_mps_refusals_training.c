/*
 * test_mps_refusals_training.c: what MPS's training layers refuse, and what becomes of a buffer whose call fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mps_course.h"

enum { STEPS = 2, ROWS = 2, FILL = 0x5A, MOST = SLUICE_MPS_WEIGHT_MATRICES };

static void assert_says(const char *words)
{
	if (!strstr(sluice_mps_last_message(), words))
		fail_msg("\"%s\" says nothing of \"%s\"", sluice_mps_last_message(), words);
}

#define assert_refused(call, words)            \
	do {                                   \
		assert_int_not_equal(call, 0); \
		assert_says(words);            \
	} while (0)

/* A layer, a forward call that was done, and everything that calls take. */
struct stage {
	struct rnn_net net;
	MPSRNNMatrixTrainingLayer *layer;
	size_t I, H, count;
	MPSMatrix *weights[MOST], *gradients[MOST];
	unsigned char bytes[4][1024];
	MPSMatrix *x[STEPS], *y[STEPS], *dy[STEPS], *dx[STEPS];
	MPSCommandBuffer *buffer;
	MPSRNNMatrixTrainingState *training[STEPS];
	MPSRNNRecurrentMatrixState *start;
	MPSMatrix *odd;                          /* of no array */
	MPSRNNMatrixTrainingState *spare[STEPS]; /* of another call */
};

static MPSMatrix *matrix_of(void *bytes, size_t offset, size_t rows, size_t columns)
{
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		rows, columns, 4 * columns, MPSDataTypeFloat32);
	MPSMatrix *matrix = MPSMatrix_initWithBuffer_offset_descriptor(bytes, offset, descriptor);

	assert_mps(matrix);
	MPSMatrixDescriptor_release(descriptor);
	return matrix;
}

static MPSRNNMatrixTrainingLayer *layer_of(struct rnn_net *net, MPSMatrix **weights)
{
	MPSLSTMDescriptor *descriptor = rnn_descriptor(&net->layers[0]);
	MPSRNNMatrixTrainingLayer *layer = MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor), weights);

	assert_mps(layer);
	MPSLSTMDescriptor_release(descriptor);
	return layer;
}

static int forward(struct stage *s, MPSRNNMatrixTrainingState **training)
{
	return MPSRNNMatrixTrainingLayer_encodeForwardSequence(s->layer, s->buffer, s->x, NULL, s->y, NULL, s->count,
							       training, s->start, NULL, s->weights);
}

static int backward(struct stage *s)
{
	return MPSRNNMatrixTrainingLayer_encodeGradientSequence(s->layer, s->buffer, s->x, NULL, s->dy, NULL, s->dx,
								NULL, s->gradients, s->count, s->training, s->start,
								NULL, s->weights);
}

static void commit_all(struct stage *s)
{
	rnn_commit(s->buffer);
	s->buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
}

static void stage_create(struct stage *s)
{
	struct rnn_wish wish = {.seed = 3, .single = 1, .plain = 1};

	memset(s, 0, sizeof *s);
	rnn_net_draw(&wish, &s->net);
	/* Sizes by which matrices can be told from each other. */
	while (s->net.layers[0].inputs == s->net.layers[0].hidden || s->net.layers[0].hidden < 2) {
		rnn_net_destroy(&s->net);
		wish.seed++;
		rnn_net_draw(&wish, &s->net);
	}
	s->I = s->net.layers[0].inputs;
	s->H = s->net.layers[0].hidden;
	s->count = STEPS;
	s->layer = layer_of(&s->net, s->weights);
	assert_mps(MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(s->layer, s->gradients,
										   MPSDataTypeFloat32) == 0);
	for (size_t t = 0; t < STEPS; t++) {
		s->x[t] = matrix_of(s->bytes[0], t * 512, ROWS, s->I);
		s->y[t] = matrix_of(s->bytes[1], t * 512, ROWS, s->H);
		s->dy[t] = matrix_of(s->bytes[2], t * 512, ROWS, s->H);
		s->dx[t] = matrix_of(s->bytes[3], t * 512, ROWS, s->I);
	}
	s->odd = matrix_of(s->bytes[0], 0, 4 * s->H, s->I);
	s->buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);
	assert_mps(forward(s, s->training) == 0);
	assert_mps(forward(s, s->spare) == 0);
	commit_all(s);
	memset(s->bytes, FILL, sizeof s->bytes);
}

static void array_release(MPSMatrix **array)
{
	for (size_t k = 0; k < MOST; k++)
		MPSMatrix_release(array[k]);
}

/* Nothing was added to the buffer, and nothing changed. */
static void stage_destroy(struct stage *s)
{
	if (s->buffer && MPSCommandBuffer_status(s->buffer) == MTLCommandBufferStatusNotEnqueued)
		assert_mps(MPSCommandBuffer_commit(s->buffer) == 0);
	for (size_t k = 0; k < sizeof s->bytes; k++)
		assert_int_equal(((unsigned char *)s->bytes)[k], FILL);
	for (size_t t = 0; t < STEPS; t++) {
		MPSMatrix_release(s->x[t]);
		MPSMatrix_release(s->y[t]);
		MPSMatrix_release(s->dy[t]);
		MPSMatrix_release(s->dx[t]);
		MPSRNNMatrixTrainingState_release(s->training[t]);
		MPSRNNMatrixTrainingState_release(s->spare[t]);
	}
	array_release(s->weights);
	array_release(s->gradients);
	MPSMatrix_release(s->odd);
	MPSRNNRecurrentMatrixState_release(s->start);
	MPSCommandBuffer_release(s->buffer);
	MPSRNNMatrixTrainingLayer_release(s->layer);
	rnn_net_destroy(&s->net);
}

static void replace(MPSMatrix **matrix, MPSMatrix *with)
{
	MPSMatrix *before = *matrix;

	*matrix = MPSMatrix_retain(with);
	MPSMatrix_release(before);
}

#define SPOIL(name) static void name(struct stage *s)

SPOIL(no_layer)
{
	MPSRNNMatrixTrainingLayer_release(s->layer);
	s->layer = NULL;
}
SPOIL(no_buffer)
{
	MPSCommandBuffer_release(s->buffer);
	s->buffer = NULL;
}
SPOIL(committed)
{
	assert_mps(MPSCommandBuffer_commit(s->buffer) == 0);
}
SPOIL(no_steps)
{
	s->count = 0;
}
SPOIL(no_weight)
{
	replace(&s->weights[1], NULL);
}
SPOIL(foreign_weight)
{
	replace(&s->weights[0], s->odd);
}
SPOIL(gradient_as_weight)
{
	replace(&s->weights[0], s->gradients[0]);
}
SPOIL(weight_as_gradient)
{
	replace(&s->gradients[0], s->weights[0]);
}
SPOIL(weights_in_disorder)
{
	MPSMatrix *first = s->weights[0];

	s->weights[0] = s->weights[2];
	s->weights[2] = first;
}
SPOIL(no_source)
{
	replace(&s->x[0], NULL);
}
SPOIL(no_result)
{
	replace(&s->y[1], NULL);
}
SPOIL(result_is_source)
{
	MPSMatrix *narrow = matrix_of(s->bytes[0], 512, ROWS, s->H);

	replace(&s->y[1], narrow);
	MPSMatrix_release(narrow);
}
SPOIL(dx_is_x)
{
	replace(&s->dx[0], s->x[0]);
}
SPOIL(dx_is_dy)
{
	MPSMatrix *narrow = matrix_of(s->bytes[2], 0, ROWS, s->I);

	replace(&s->dx[1], narrow);
	MPSMatrix_release(narrow);
}
SPOIL(dx_is_dx)
{
	replace(&s->dx[1], s->dx[0]);
}
SPOIL(dy_columns)
{
	MPSMatrix *wide = matrix_of(s->bytes[2], 0, ROWS, s->H + 1);

	replace(&s->dy[0], wide);
	MPSMatrix_release(wide);
}
SPOIL(dx_rows)
{
	MPSMatrix *low = matrix_of(s->bytes[3], 0, ROWS - 1, s->I);

	replace(&s->dx[0], low);
	MPSMatrix_release(low);
}
SPOIL(no_training_state)
{
	MPSRNNMatrixTrainingState_release(s->training[1]);
	s->training[1] = NULL;
}
SPOIL(training_in_disorder)
{
	MPSRNNMatrixTrainingState *first = s->training[0];

	s->training[0] = s->training[1];
	s->training[1] = first;
}
SPOIL(training_of_two_calls)
{
	MPSRNNMatrixTrainingState *first = s->training[1];

	s->training[1] = s->spare[1];
	s->spare[1] = first;
}
SPOIL(fewer_steps)
{
	s->count = 1;
}
SPOIL(other_layer)
{
	MPSRNNMatrixTrainingLayer_release(s->layer);
	array_release(s->weights);
	s->layer = layer_of(&s->net, s->weights);
}
/* A state of gradients where one of h and c belongs, and the reverse; each with another number of rows, too. */
static void start_made(struct stage *s, int gradients, int rows)
{
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	MPSRNNRecurrentMatrixState *before = rows ? sluice_mps_matrix_state(s->layer, (size_t)(ROWS + rows)) : NULL;

	if (rows) {
		s->start = before;
	} else if (gradients) {
		assert_mps(MPSRNNMatrixTrainingLayer_encodeGradientSequence(s->layer, buffer, s->x, NULL, s->dy, NULL,
									    NULL, NULL, NULL, STEPS, s->training, NULL,
									    &s->start, s->weights) == 0);
	} else {
		assert_mps(MPSRNNMatrixTrainingLayer_encodeForwardSequence(s->layer, buffer, s->x, NULL, s->y, NULL,
									   STEPS, NULL, NULL, &s->start,
									   s->weights) == 0);
	}
	MPSCommandBuffer_release(buffer);
}
SPOIL(gradients_as_start)
{
	start_made(s, 1, 0);
}
SPOIL(state_as_gradients)
{
	start_made(s, 0, 0);
}
SPOIL(start_too_low)
{
	start_made(s, 0, -1);
}
SPOIL(start_too_high)
{
	start_made(s, 0, 1);
}
static void training_temporary(struct stage *s)
{
	MPSRNNMatrixTrainingLayer_setTrainingStateIsTemporary(s->layer, 1);
	for (size_t t = 0; t < STEPS; t++)
		MPSRNNMatrixTrainingState_release(s->training[t]);
	assert_mps(forward(s, s->training) == 0);
	commit_all(s);
	memset(s->bytes, FILL, sizeof s->bytes);
	assert_true(MPSRNNMatrixTrainingState_isTemporary(s->training[1]));
	assert_int_equal(MPSRNNMatrixTrainingState_readCount(s->training[1]), 1);
}
SPOIL(training_used)
{
	training_temporary(s);
	MPSRNNMatrixTrainingState_setReadCount(s->training[1], 0);
}
static void gradients_temporary(struct stage *s, MPSCommandBuffer *buffer)
{
	array_release(s->gradients);
	assert_mps(MPSRNNMatrixTrainingLayer_createTemporaryWeightGradientMatrices_dataType_commandBuffer(
			   s->layer, s->gradients, MPSDataTypeFloat16, buffer) == 0);
	assert_true(MPSMatrix_isTemporary(s->gradients[0]));
	assert_int_equal(MPSMatrix_readCount(s->gradients[0]), 1);
}
SPOIL(gradients_of_other_buffer)
{
	MPSCommandBuffer *other = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	gradients_temporary(s, other);
	MPSCommandBuffer_release(other);
}
SPOIL(gradients_used)
{
	gradients_temporary(s, s->buffer);
	MPSMatrix_setReadCount(s->gradients[0], 0);
}

enum { FORWARD = 1, BACKWARD = 2, BOTH = 3 };

static const struct {
	void (*spoil)(struct stage *s);
	int calls;
	const char *words;
} spoils[] = {
	{no_layer, BOTH, "layer is NULL, expected a layer"},
	{no_buffer, BOTH, "commandBuffer is NULL, expected a command buffer"},
	{committed, BOTH, "commandBuffer was committed before"},
	{no_steps, BOTH, "count is 0, expected at least one step"},
	{no_weight, BOTH, "weights[1] is NULL, expected a matrix of the layer's"},
	{foreign_weight, BOTH, "weights[0] is a matrix like any other, expected one that the layer made"},
	{gradient_as_weight, BOTH, "weights[0] is of gradients, expected one of weights"},
	{weight_as_gradient, BACKWARD, "weightGradients[0] is of weights, expected one of gradients"},
	{weights_in_disorder, BOTH, "in the order in which the layer made them"},
	{no_source, FORWARD, "sourceMatrices[0] is NULL, expected a matrix"},
	{no_source, BACKWARD, "forwardSources[0] is NULL, expected a matrix"},
	{no_result, FORWARD, "destinationMatrices[1] is NULL, expected a matrix"},
	{result_is_source, FORWARD, "destinationMatrices share memory"},
	{dx_is_x, BACKWARD, "destinationGradients share memory"},
	{dx_is_dy, BACKWARD, "destinationGradients share memory with each other or with what is read"},
	{dx_is_dx, BACKWARD, "destinationGradients share memory"},
	{dy_columns, BACKWARD, "sourceGradients[0] has"},
	{dx_rows, BACKWARD, "destinationGradients[0] has 1 rows, expected at least 2"},
	{no_training_state, BACKWARD, "trainingStates[1] is NULL, expected a state"},
	{training_in_disorder, BACKWARD, "trainingStates[0] is of step 1 of the forward call"},
	{training_of_two_calls, BACKWARD, "trainingStates[1] is of step 1 of another forward call"},
	{fewer_steps, BACKWARD, "count is 1, the forward call had 2 steps"},
	{other_layer, BACKWARD, "trainingStates[0] is of another layer"},
	{gradients_as_start, FORWARD, "recurrentInputState holds gradients of a state, expected a state"},
	{state_as_gradients, BACKWARD, "recurrentInputState holds a state, expected gradients of a state"},
	{start_too_low, BOTH, "recurrentInputState has 1 rows, expected at least 2"},
	{start_too_high, BACKWARD, "recurrentInputState has 3 rows, expected the 2 of the forward call"},
	{training_used, BACKWARD, "trainingStates[1] is temporary and its read count is 0"},
	{gradients_of_other_buffer, BACKWARD, "weightGradients[0] is temporary and belongs to another command buffer"},
	{gradients_used, BACKWARD, "weightGradients[0] is temporary and its read count is 0"},
};

static void test_encodes(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < sizeof spoils / sizeof *spoils; k++) {
		MPSRNNMatrixTrainingState *none[STEPS] = {NULL};
		struct stage s;

		stage_create(&s);
		spoils[k].spoil(&s);
		if (spoils[k].calls & FORWARD)
			assert_refused(forward(&s, none), spoils[k].words);
		assert_null(none[0]);
		if (spoils[k].calls & BACKWARD)
			assert_refused(backward(&s), spoils[k].words);
		stage_destroy(&s);
	}
}

static void test_no_arrays(void **unused)
{
	(void)unused;
	struct stage s;

	stage_create(&s);
	assert_refused(MPSRNNMatrixTrainingLayer_encodeForwardSequence(s.layer, s.buffer, NULL, NULL, s.y, NULL, STEPS,
								       NULL, NULL, NULL, s.weights),
		       "sourceMatrices is NULL, expected an array");
	assert_refused(MPSRNNMatrixTrainingLayer_encodeForwardSequence(s.layer, s.buffer, s.x, NULL, NULL, NULL, STEPS,
								       NULL, NULL, NULL, s.weights),
		       "destinationMatrices is NULL, expected an array");
	assert_refused(MPSRNNMatrixTrainingLayer_encodeForwardSequence(s.layer, s.buffer, s.x, NULL, s.y, NULL, STEPS,
								       NULL, NULL, NULL, NULL),
		       "weights is NULL, expected an array of matrices");
	assert_refused(MPSRNNMatrixTrainingLayer_encodeGradientSequence(s.layer, s.buffer, s.x, NULL, s.dy, NULL, NULL,
									NULL, NULL, STEPS, NULL, NULL, NULL, s.weights),
		       "trainingStates is NULL");
	assert_refused(MPSRNNMatrixTrainingLayer_encodeGradientSequence(s.layer, s.buffer, NULL, NULL, s.dy, NULL, NULL,
									NULL, NULL, STEPS, s.training, NULL, NULL,
									s.weights),
		       "forwardSources is NULL, expected an array");
	assert_refused(MPSRNNMatrixTrainingLayer_encodeGradientSequence(s.layer, s.buffer, s.x, NULL, NULL, NULL, NULL,
									NULL, NULL, STEPS, s.training, NULL, NULL,
									s.weights),
		       "sourceGradients is NULL, expected an array");
	stage_destroy(&s);
}

static void test_arrays(void **unused)
{
	(void)unused;
	struct stage s;
	MPSMatrix *array[MOST];

	stage_create(&s);
	assert_refused(MPSRNNMatrixTrainingLayer_createWeightMatrices(NULL, array), "layer is NULL");
	assert_refused(MPSRNNMatrixTrainingLayer_createWeightMatrices(s.layer, NULL),
		       "the array for the matrices is NULL");
	assert_refused(
		MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(s.layer, array, MPSDataTypeBFloat16),
		"dataType is BFloat16, expected Float32 or Float16");
	assert_refused(MPSRNNMatrixTrainingLayer_createTemporaryWeightGradientMatrices_dataType_commandBuffer(
			       s.layer, array, MPSDataTypeFloat32, NULL),
		       "commandBuffer is NULL");
	stage_destroy(&s);
}

static void test_twice_the_same(void **unused)
{
	(void)unused;
	const struct rnn_neuron none = {MPSCNNNeuronTypeNone, 0, 0, 0};
	MPSMatrix *weights[MOST], *x = NULL, *y = NULL;
	unsigned char bytes[8] = {0};
	struct rnn_net net = {.count = 1};

	net.layers[0] = (struct rnn_layer){.inputs = 1, .hidden = 1};
	rnn_source_single(&net.layers[0], RNN_INPUT, RNN_I, 1, 0, none);
	rnn_source_single(&net.layers[0], RNN_RECURRENT, RNN_I, 1, 0, none);
	MPSRNNMatrixTrainingLayer *layer = layer_of(&net, weights);
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	x = matrix_of(bytes, 0, 1, 1);
	y = matrix_of(bytes, 4, 1, 1);
	replace(&weights[1], weights[0]);
	assert_refused(MPSRNNMatrixTrainingLayer_encodeForwardSequence(layer, buffer, &x, NULL, &y, NULL, 1, NULL, NULL,
								       NULL, weights),
		       "weights[1] is weights[0] once more");
	array_release(weights);
	MPSMatrix_release(x);
	MPSMatrix_release(y);
	MPSCommandBuffer_release(buffer);
	MPSRNNMatrixTrainingLayer_release(layer);
	rnn_net_destroy(&net);
}

static int copy(struct stage *s, int id, MPSMatrix *matrix, size_t x, size_t y, size_t z)
{
	const MTLOrigin origin = {x, y, z};

	return MPSRNNMatrixTrainingLayer_encodeCopyWeights(s->layer, s->buffer, s->weights, (MPSRNNMatrixId)id, matrix,
							   1, origin);
}

static void test_copies(void **unused)
{
	(void)unused;
	static const int others[] = {-1,
				     MPSRNNMatrixIdSingleGateInputWeights,
				     MPSRNNMatrixIdSingleGateBiasTerms,
				     MPSRNNMatrixIdGRUInputGateInputWeights,
				     MPSRNNMatrixIdGRUOutputGateBiasTerms,
				     MPSRNNMatrixId_count};
	const int fine = MPSRNNMatrixIdLSTMForgetGateInputWeights;
	struct stage s;

	stage_create(&s);
	for (size_t k = 0; k < sizeof others / sizeof *others; k++)
		assert_refused(copy(&s, others[k], s.odd, 0, 0, 0), "expected one of the LSTM, 3 to 18");
	assert_refused(copy(&s, MPSRNNMatrixIdLSTMForgetGateMemoryWeights, s.odd, 0, 0, 0),
		       "which the layer has not: its source was NULL");
	assert_refused(copy(&s, fine, NULL, 0, 0, 0), "matrix is NULL, expected a matrix");
	assert_refused(copy(&s, fine, s.gradients[0], 0, 0, 0), "matrix is one of an array of weights or gradients");
	assert_refused(copy(&s, fine, s.odd, 0, 0, 1), "matrixOffset.z is 1, expected 0");
	assert_refused(copy(&s, fine, s.odd, 1, 0, 0), "from row 0, column 1 on");
	assert_refused(copy(&s, fine, s.odd, 0, 3 * s.H + 1, 0), "expected room for");
	assert_refused(copy(&s, fine, s.odd, SIZE_MAX, SIZE_MAX, 0), "expected room for");
	replace(&s.weights[0], NULL);
	assert_refused(copy(&s, fine, s.odd, 0, 0, 0), "weights[0] is NULL");
	no_layer(&s);
	assert_refused(copy(&s, fine, s.odd, 0, 0, 0), "layer is NULL");
	stage_destroy(&s);
}

/* Gradients of a call that was never done: the commit fails, and what stands behind is not done. */
static void test_gradients_before_forward(void **unused)
{
	(void)unused;
	struct stage s;
	MPSCommandBuffer *never = MPSCommandBuffer_commandBufferFromCommandQueue(NULL), *first;

	stage_create(&s);
	first = s.buffer;
	s.buffer = never;
	for (size_t t = 0; t < STEPS; t++)
		MPSRNNMatrixTrainingState_release(s.training[t]);
	assert_mps(forward(&s, s.training) == 0);
	s.buffer = first;
	assert_mps(backward(&s) == 0);
	assert_mps(forward(&s, NULL) == 0);
	assert_refused(MPSCommandBuffer_commit(s.buffer), "gradients of a forward call that was not committed");
	assert_int_equal(MPSCommandBuffer_status(s.buffer), MTLCommandBufferStatusError);
	assert_string_equal(MPSCommandBuffer_error(s.buffer), "gradients of a forward call that was not committed");
	assert_refused(MPSCommandBuffer_waitUntilCompleted(s.buffer), "command buffer: gradients of a forward call");
	MPSCommandBuffer_release(never);
	stage_destroy(&s);
}

static void test_options(void **unused)
{
	(void)unused;
	sluice_mps_options options = SLUICE_MPS_OPTIONS_INIT;
	struct stage s;
	MPSMatrix *weights[MOST];

	stage_create(&s);
	MPSRNNMatrixTrainingLayer *fresh = layer_of(&s.net, weights);

	assert_refused(sluice_mps_set_options(NULL, NULL), "layer is NULL");
	assert_refused(sluice_mps_set_options(s.layer, NULL), "the layer has encoded or was copied");
	options.training_weights = 2;
	assert_refused(sluice_mps_set_options(fresh, &options), "options.training_weights is 2, expected 0 or 1");
	options.training_weights = 0;
	options.threads = -1;
	assert_refused(sluice_mps_set_options(fresh, &options), "options.threads is -1, expected at least 0");
	options.threads = 0;
	options.size = 1;
	assert_refused(sluice_mps_set_options(fresh, &options), "options.size is 1, expected its sizeof");
	assert_mps(sluice_mps_set_options(fresh, NULL) == 0);
	MPSRNNMatrixTrainingLayer *copied = MPSRNNMatrixTrainingLayer_copyWithZone_device(fresh, NULL, NULL);

	assert_refused(sluice_mps_set_options(copied, NULL), "the layer has encoded or was copied");
	MPSRNNMatrixTrainingLayer_release(copied);
	MPSRNNMatrixTrainingLayer_release(fresh);
	array_release(weights);
	const struct rnn_chain chain = rnn_chain_all(&s.net);
	MPSRNNMatrixInferenceLayer *inference = rnn_matrix_layer(&chain);
	MPSRNNMatrixInferenceLayer *other = MPSRNNMatrixInferenceLayer_copyWithZone_device(inference, NULL, NULL);

	assert_refused(sluice_mps_set_options(inference, NULL), "the layer has encoded or was copied");
	MPSRNNMatrixInferenceLayer_release(inference);
	MPSRNNMatrixInferenceLayer_release(other);
	stage_destroy(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encodes), cmocka_unit_test(test_no_arrays),
		cmocka_unit_test(test_arrays),  cmocka_unit_test(test_twice_the_same),
		cmocka_unit_test(test_copies),  cmocka_unit_test(test_gradients_before_forward),
		cmocka_unit_test(test_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
