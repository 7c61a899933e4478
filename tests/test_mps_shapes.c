/*
 * test_mps_shapes.c: where matrices may lie beside each other, and calls of more shapes than a layer keeps plans for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mps_job.h"

/* --------------------------------------------------------------------------------------------------- overlaps ---- */

enum { SPACE = 512, CASES = 4000, WIDE = 2 };

/* A matrix somewhere in a common space. */
struct lot {
	size_t at, rows, row_bytes, columns, element;
	MPSMatrix *matrix;
};

/* Places are multiples of 16 bytes, so that many only just touch, and rows lie between rows of others. */
static void lot_draw(struct bnns_random *random, unsigned char *space, size_t rows, size_t columns, struct lot *lot)
{
	static const MPSDataType types[] = {MPSDataTypeFloat32, MPSDataTypeFloat16};
	const size_t half = random_below(random, 2);

	*lot = (struct lot){.rows = rows, .columns = columns, .element = half ? 2 : 4};
	lot->row_bytes = 16 * (1 + random_below(random, 5));
	if (random_chance(random, 0.5))
		lot->row_bytes = 64;
	const size_t whole = rows * lot->row_bytes;

	lot->at = random_below(random, (SPACE - whole) / 16 + 1) * 16;
	MPSMatrixDescriptor *descriptor = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
		rows, columns, lot->row_bytes, types[half]);

	lot->matrix = MPSMatrix_initWithBuffer_offset_descriptor(space, lot->at, descriptor);
	assert_mps(lot->matrix);
	MPSMatrixDescriptor_release(descriptor);
}

/* Marks the bytes of the first rows; whether any was marked with one of these bits before. */
static int lot_mark(const struct lot *lot, size_t rows, unsigned char *marks, unsigned forbidden, unsigned mark)
{
	int met = 0;

	for (size_t r = 0; r < rows; r++)
		for (size_t byte = 0; byte < lot->columns * lot->element; byte++) {
			unsigned char *here = &marks[lot->at + r * lot->row_bytes + byte];

			met |= (*here & forbidden) != 0;
			*here |= (unsigned char)mark;
		}
	return met;
}

/* Exactly what shares a byte that is written is refused: no gap counts, and no row that is not read or written. */
static void test_overlaps(void **unused)
{
	(void)unused;
	enum { READ = 1, WRITTEN = 2 };
	static unsigned char space[SPACE];
	struct bnns_random random = {77};
	MPSLSTMDescriptor *descriptor =
		MPSLSTMDescriptor_createLSTMDescriptorWithInputFeatureChannels_outputFeatureChannels(WIDE, WIDE);
	MPSRNNMatrixInferenceLayer *layer = MPSRNNMatrixInferenceLayer_initWithDevice_rnnDescriptor(
		NULL, MPSLSTMDescriptor_asRNNDescriptor(descriptor));
	size_t refused = 0;

	assert_mps(layer);
	for (size_t k = 0; k < CASES; k++) {
		const size_t steps = 1 + random_below(&random, 2);
		unsigned char marks[SPACE] = {0};
		struct lot x[2], y[2];
		MPSMatrix *sources[2], *results[2];
		MPSCommandBuffer *buffer = rnn_buffer();
		size_t rows = 1 + random_below(&random, 3);
		int met = 0;

		for (size_t t = 0; t < steps; t++) {
			lot_draw(&random, space, rows, WIDE, &x[t]);
			lot_draw(&random, space, rows + random_below(&random, 2), WIDE, &y[t]);
			sources[t] = x[t].matrix;
			results[t] = y[t].matrix;
			rows = rows > 1 && random_chance(&random, 0.5) ? rows - 1 : rows;
		}
		for (size_t t = 0; t < steps; t++)
			lot_mark(&x[t], x[t].rows, marks, 0, READ);
		for (size_t t = 0; t < steps; t++)
			met |= lot_mark(&y[t], x[t].rows, marks, READ | WRITTEN, WRITTEN);
		const int status = MPSRNNMatrixInferenceLayer_encodeSequence(layer, buffer, sources, NULL, results,
									     NULL, steps, NULL, NULL);

		if ((status != 0) != met)
			fail_msg("case %zu: matrices that %s were %s", k, met ? "meet" : "do not meet",
				 status ? "refused" : "taken");
		refused += status != 0;
		MPSCommandBuffer_release(buffer);
		for (size_t t = 0; t < steps; t++) {
			MPSMatrix_release(sources[t]);
			MPSMatrix_release(results[t]);
		}
	}
	assert_true(refused > CASES / 10 && refused < CASES * 9 / 10);
	MPSRNNMatrixInferenceLayer_release(layer);
	MPSLSTMDescriptor_release(descriptor);
}

/* ------------------------------------------------------------------------------------------------------ shapes --- */

enum { SHAPES = 20 };

/* One step of so many rows, or one image of a size that this is a number of. */
static void shape_run(struct rnn_job *job, float *x, float *y, size_t rows)
{
	MPSCommandBuffer *buffer = rnn_buffer();

	if (job->kind == RNN_JOB_IMAGES) {
		const size_t width = 1 + rows % 5, height = 1 + rows / 5;
		MPSImageDescriptor *in = MPSImageDescriptor_imageDescriptor(MPSImageFeatureChannelFormatFloat32, width,
									    height, job->inputs, 1, 0);
		MPSImageDescriptor *out = MPSImageDescriptor_imageDescriptor(MPSImageFeatureChannelFormatFloat32, width,
									     height, job->outputs, 1, 0);
		MPSImage *source = sluice_mps_image(x, 0, 0, in), *result = sluice_mps_image(y, 0, 0, out);

		assert_mps(MPSRNNImageInferenceLayer_encodeSequence(job->layer, buffer, &source, &result, 1, NULL,
								    NULL) == 0);
		MPSImage_release(source);
		MPSImage_release(result);
		MPSImageDescriptor_release(in);
		MPSImageDescriptor_release(out);
	} else {
		MPSMatrixDescriptor *in = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
			rows, job->inputs, 4 * job->inputs, MPSDataTypeFloat32);
		MPSMatrixDescriptor *out = MPSMatrixDescriptor_matrixDescriptorWithRows_columns_rowBytes_dataType(
			rows, job->outputs, 4 * job->outputs, MPSDataTypeFloat32);
		MPSMatrix *source = MPSMatrix_initWithBuffer_descriptor(x, in);
		MPSMatrix *result = MPSMatrix_initWithBuffer_descriptor(y, out);

		if (job->kind == RNN_JOB_TRAINING)
			assert_mps(MPSRNNMatrixTrainingLayer_encodeForwardSequence(job->layer, buffer, &source, NULL,
										   &result, NULL, 1, NULL, NULL, NULL,
										   job->weights) == 0);
		else
			assert_mps(MPSRNNMatrixInferenceLayer_encodeSequence(job->layer, buffer, &source, NULL, &result,
									     NULL, 1, NULL, NULL) == 0);
		MPSMatrix_release(source);
		MPSMatrix_release(result);
		MPSMatrixDescriptor_release(in);
		MPSMatrixDescriptor_release(out);
	}
	rnn_commit(buffer);
}

/* Shapes come and go, again and again: those that were forgotten are made anew, and all give the bits of a layer that
 * knows no other. */
static void test_many_shapes(void **unused)
{
	(void)unused;
	static const enum rnn_kind kinds[] = {RNN_JOB_SEQUENCE, RNN_JOB_IMAGES, RNN_JOB_TRAINING};
	enum { NUMBERS = SHAPES * 64 };

	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		struct rnn_job job;
		struct bnns_random random = {k};
		float *const x = rnn_take(NUMBERS, sizeof *x), *const first =
								       rnn_take((size_t)SHAPES * NUMBERS, sizeof *x);

		rnn_job_create(kinds[k], 90, &job);
		for (size_t each = 0; each < NUMBERS; each++)
			x[each] = (float)random_between(&random, -1, 1);
		for (size_t shape = 0; shape < SHAPES; shape++) {
			struct rnn_job alone;

			rnn_job_create(kinds[k], 90, &alone);
			shape_run(&alone, x, first + shape * NUMBERS, 1 + shape);
			rnn_job_destroy(&alone);
		}
		for (size_t turn = 0; turn < 3 * (size_t)SHAPES; turn++) {
			const size_t shape = turn % SHAPES;
			float *const y = rnn_take(NUMBERS, sizeof *y);

			shape_run(&job, x, y, 1 + shape);
			assert_memory_equal(first + shape * NUMBERS, y, NUMBERS * sizeof *y);
			free(y);
		}
		free(x);
		free(first);
		rnn_job_destroy(&job);
	}
}

/* Weights that change between two calls count in the second one, and when they are what they were, so is everything. */
static void test_weights_may_change(void **unused)
{
	(void)unused;
	enum { ROUNDS = 20 };
	size_t changed = 0;

	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct rnn_job job;
		struct rnn_work work;

		rnn_job_create(seed % 2 ? RNN_JOB_TRAINING : RNN_JOB_BY_STEPS, seed, &job);
		rnn_work_create(&job, seed, &work);
		rnn_job_run(&job, &work);
		float *const expected = rnn_work_results(&work);
		float *const numbers = MPSMatrix_data(job.weights[0]);
		const size_t bytes = MPSMatrix_rows(job.weights[0]) * MPSMatrix_rowBytes(job.weights[0]);
		float *const before = rnn_take(bytes, 1);

		memcpy(before, numbers, bytes);
		for (size_t k = 0; k < bytes / sizeof *numbers; k++)
			numbers[k] += 1;
		rnn_job_run(&job, &work);
		changed += !rnn_work_same(&work, expected);
		memcpy(numbers, before, bytes);
		rnn_job_run(&job, &work);
		assert_true(rnn_work_same(&work, expected));
		free(before);
		free(expected);
		rnn_work_destroy(&job, &work);
		rnn_job_destroy(&job);
	}
	/* Some networks are zero whatever their weights are: those whose output gate has no source. */
	assert_true(changed > ROUNDS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_many_shapes),
		cmocka_unit_test(test_weights_may_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
