/* mps_job.c: makes layers and data for jobs, and does them. */
#include "mps_job.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int is_training(const struct rnn_job *job)
{
	return job->kind == RNN_JOB_TRAINING || job->kind == RNN_JOB_BY_STEPS;
}

void rnn_job_net(enum rnn_kind kind, uint64_t seed, struct rnn_job *job)
{
	const struct rnn_wish wish = {.seed = seed,
				      .image = kind == RNN_JOB_IMAGES,
				      .bidirectional = kind == RNN_JOB_BOTH_WAYS,
				      .single = kind == RNN_JOB_TRAINING || kind == RNN_JOB_BY_STEPS};
	size_t last = 0;

	memset(job, 0, sizeof *job);
	job->kind = kind;
	rnn_net_draw(&wish, &job->net);
	for (size_t k = 0; k < job->net.count; k++) {
		job->descriptors[k] = rnn_descriptor(&job->net.layers[k]);
		job->bases[k] = MPSLSTMDescriptor_asRNNDescriptor(job->descriptors[k]);
		if (kind != RNN_JOB_BOTH_WAYS || !job->net.layers[k].backward)
			last = k;
	}
	job->inputs = job->net.layers[0].inputs;
	job->outputs = job->net.layers[last].hidden;
}

/* May fail for lack of memory. */
int rnn_job_layer(struct rnn_job *job)
{
	memset(job->weights, 0, sizeof job->weights);
	if (job->kind == RNN_JOB_IMAGES)
		job->layer = MPSRNNImageInferenceLayer_initWithDevice_rnnDescriptors(NULL, job->bases, job->net.count);
	else if (is_training(job))
		job->layer = MPSRNNMatrixTrainingLayer_initWithDevice_rnnDescriptor_trainableWeights(
			NULL, job->bases[0], job->weights);
	else
		job->layer = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptors(NULL, job->bases, job->net.count);
	if (!job->layer)
		return -1;
	if (is_training(job))
		MPSRNNMatrixTrainingLayer_setStoreAllIntermediateStates(job->layer, job->kind == RNN_JOB_BY_STEPS);
	else if (job->kind != RNN_JOB_IMAGES)
		MPSRNNMatrixInferenceLayer_setStoreAllIntermediateStates(job->layer, job->kind == RNN_JOB_ALL_STATES);
	return 0;
}

void rnn_job_release(struct rnn_job *job)
{
	if (job->kind == RNN_JOB_IMAGES)
		MPSRNNImageInferenceLayer_release(job->layer);
	else if (is_training(job))
		MPSRNNMatrixTrainingLayer_release(job->layer);
	else
		MPSRNNMatrixInferenceLayer_release(job->layer);
	for (size_t k = 0; k < RNN_JOB_WEIGHTS; k++) {
		MPSMatrix_release(job->weights[k]);
		job->weights[k] = NULL;
	}
	job->layer = NULL;
}

void rnn_job_create(enum rnn_kind kind, uint64_t seed, struct rnn_job *job)
{
	rnn_job_net(kind, seed, job);
	assert_mps(rnn_job_layer(job) == 0);
}

void rnn_job_destroy(struct rnn_job *job)
{
	rnn_job_release(job);
	for (size_t k = 0; k < job->net.count; k++)
		MPSLSTMDescriptor_release(job->descriptors[k]);
	rnn_net_destroy(&job->net);
}

/* ------------------------------------------------------------------------------------------------------ work ---- */

static void matrices_make(float *numbers, size_t columns, MPSMatrix **list)
{
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		RNN_JOB_ROWS, columns, columns * sizeof(float), MPSDataTypeFloat32);

	for (size_t t = 0; t < RNN_JOB_STEPS; t++) {
		list[t] = MPSMatrix_initWithBuffer_offset_descriptor(
			numbers, t * RNN_JOB_ROWS * columns * sizeof(float), descriptor);
		assert_mps(list[t]);
	}
	MPSMatrixDescriptor_release(descriptor);
}

static void images_make(float *numbers, size_t channels, MPSImage **list)
{
	MPSImageDescriptor *descriptor = MPSImageDescriptor_imageDescriptor(
		MPSImageFeatureChannelFormatFloat32, RNN_JOB_WIDTH, RNN_JOB_HEIGHT, channels, RNN_JOB_ROWS, 0);

	for (size_t t = 0; t < RNN_JOB_STEPS; t++) {
		list[t] = sluice_mps_image(numbers + t * RNN_JOB_ROWS * RNN_JOB_HEIGHT * RNN_JOB_WIDTH * channels, 0, 0,
					   descriptor);
		assert_mps(list[t]);
	}
	MPSImageDescriptor_release(descriptor);
}

void rnn_work_create(const struct rnn_job *job, uint64_t seed, struct rnn_work *work)
{
	struct bnns_random random = {seed};
	float *const arrays[] = {rnn_take(RNN_JOB_ROOM, 4), rnn_take(RNN_JOB_ROOM, 4), rnn_take(RNN_JOB_ROOM, 4),
				 rnn_take(RNN_JOB_ROOM, 4)};

	memset(work, 0, sizeof *work);
	work->x = arrays[0];
	work->y = arrays[1];
	work->dy = arrays[2];
	work->dx = arrays[3];
	for (size_t k = 0; k < RNN_JOB_ROOM; k++) {
		work->x[k] = (float)random_between(&random, -1, 1);
		work->dy[k] = (float)random_between(&random, -1, 1);
	}
	if (job->kind == RNN_JOB_IMAGES) {
		images_make(work->x, job->inputs, work->image_x);
		images_make(work->y, job->outputs, work->image_y);
		return;
	}
	matrices_make(work->x, job->inputs, work->x_list);
	matrices_make(work->y, job->outputs, work->y_list);
	/* The results of backward layers, if there are any. */
	size_t other = job->outputs;

	for (size_t k = 0; k < job->net.count && job->kind == RNN_JOB_BOTH_WAYS; k++)
		other = job->net.layers[k].backward ? job->net.layers[k].hidden : other;
	matrices_make(work->dy, other, work->dy_list);
	matrices_make(work->dx, job->inputs, work->dx_list);
	if (is_training(job))
		assert_mps(MPSRNNMatrixTrainingLayer_createWeightGradientMatrices_dataType(job->layer, work->gradients,
											   MPSDataTypeFloat32) == 0);
}

void rnn_work_release_states(const struct rnn_job *job, struct rnn_work *work)
{
	for (size_t t = 0; t < RNN_JOB_STEPS; t++) {
		if (job->kind == RNN_JOB_IMAGES)
			MPSRNNRecurrentImageState_release(work->states[t]);
		else
			MPSRNNRecurrentMatrixState_release(work->states[t]);
		MPSRNNRecurrentMatrixState_release(work->outgoing[t]);
		MPSRNNMatrixTrainingState_release(work->training[t]);
		work->states[t] = work->outgoing[t] = work->training[t] = NULL;
	}
}

void rnn_work_release_objects(struct rnn_work *work)
{
	for (size_t t = 0; t < RNN_JOB_STEPS; t++) {
		MPSMatrix_release(work->x_list[t]);
		MPSMatrix_release(work->y_list[t]);
		MPSMatrix_release(work->dy_list[t]);
		MPSMatrix_release(work->dx_list[t]);
		MPSImage_release(work->image_x[t]);
		MPSImage_release(work->image_y[t]);
	}
}

void rnn_work_destroy(const struct rnn_job *job, struct rnn_work *work)
{
	rnn_work_release_states(job, work);
	rnn_work_release_objects(work);
	for (size_t k = 0; k < RNN_JOB_WEIGHTS; k++)
		MPSMatrix_release(work->gradients[k]);
	free(work->x);
	free(work->y);
	free(work->dy);
	free(work->dx);
}

/* Encodes everything that the kind of job is. Not 0 if some part was refused. */
int rnn_job_encode(struct rnn_job *job, struct rnn_work *work, MPSCommandBuffer *buffer)
{
	if (job->kind == RNN_JOB_IMAGES)
		return MPSRNNImageInferenceLayer_encodeSequence(job->layer, buffer, work->image_x, work->image_y,
								RNN_JOB_STEPS, NULL,
								(MPSRNNRecurrentImageState **)work->states);
	if (job->kind == RNN_JOB_BOTH_WAYS)
		return MPSRNNMatrixInferenceLayer_encodeBidirectionalSequence(
			job->layer, buffer, work->x_list, work->y_list, work->dy_list, RNN_JOB_STEPS);
	if (!is_training(job))
		return MPSRNNMatrixInferenceLayer_encodeSequence(job->layer, buffer, work->x_list, NULL, work->y_list,
								 NULL, RNN_JOB_STEPS, NULL,
								 (MPSRNNRecurrentMatrixState **)work->states);
	if (MPSRNNMatrixTrainingLayer_encodeForwardSequence(
		    job->layer, buffer, work->x_list, NULL, work->y_list, NULL, RNN_JOB_STEPS, work->training, NULL,
		    (MPSRNNRecurrentMatrixState **)work->states, job->weights) != 0)
		return -1;
	return MPSRNNMatrixTrainingLayer_encodeGradientSequence(
		job->layer, buffer, work->x_list, NULL, work->dy_list, NULL, work->dx_list, NULL, work->gradients,
		RNN_JOB_STEPS, work->training, NULL, (MPSRNNRecurrentMatrixState **)work->outgoing, job->weights);
}

MPSCommandBuffer *rnn_buffer(void)
{
	MPSCommandBuffer *buffer = MPSCommandBuffer_commandBufferFromCommandQueue(NULL);

	assert_mps(buffer);
	return buffer;
}

void rnn_job_run(struct rnn_job *job, struct rnn_work *work)
{
	MPSCommandBuffer *buffer = rnn_buffer();

	rnn_work_release_states(job, work);
	assert_mps(rnn_job_encode(job, work, buffer) == 0);
	rnn_commit(buffer);
}

/* Everything that a job put out, as numbers. */
static void results_of(const struct rnn_work *work, float *out)
{
	memcpy(out, work->y, RNN_JOB_ROOM * sizeof(float));
	memcpy(out + RNN_JOB_ROOM, work->dy, RNN_JOB_ROOM * sizeof(float));
	memcpy(out + 2 * RNN_JOB_ROOM, work->dx, RNN_JOB_ROOM * sizeof(float));
	memset(out + 3 * RNN_JOB_ROOM, 0, RNN_JOB_ROOM * sizeof(float));
	for (size_t k = 0, at = 3 * RNN_JOB_ROOM; k < RNN_JOB_WEIGHTS; k++) {
		const size_t count = MPSMatrix_rows(work->gradients[k]) * MPSMatrix_columns(work->gradients[k]);

		if (count)
			memcpy(out + at, MPSMatrix_data(work->gradients[k]), count * sizeof(float));
		at += count;
	}
}

float *rnn_work_results(const struct rnn_work *work)
{
	float *results = rnn_take((size_t)4 * RNN_JOB_ROOM, sizeof *results);

	results_of(work, results);
	return results;
}

int rnn_work_same(const struct rnn_work *work, const float *expected)
{
	float *found = rnn_work_results(work);
	const int same = memcmp(found, expected, (size_t)4 * RNN_JOB_ROOM * sizeof *found) == 0;

	free(found);
	return same;
}
