/* ops.c exists to run the operations around an LSTM on host memory, by the kernels of the context's level. */
#include "backend/cpu/cpu.h"

#include <math.h>
#include <string.h>

static struct sluice__kernels kernels_of(size_t level)
{
	struct sluice__kernels kernels;
	sluice__kernels_fill(level, &kernels);
	return kernels;
}

void sluice__cpu_softmax(size_t level, size_t rows, size_t classes, float scale, const float *logits, float *p)
{
	const struct sluice__kernels kernels = kernels_of(level);
	float highest;
	for (size_t row = 0; row < rows; row++)
		kernels.softmax(classes, scale, logits + row * classes, p + row * classes, &highest);
}

/* log sum_k e^(l_k - highest), where no memory for the powers was given. */
static double log_sum(size_t classes, const float *logits, float *highest)
{
	double total = 0;
	*highest = logits[0];
	for (size_t k = 1; k < classes; k++)
		*highest = logits[k] > *highest ? logits[k] : *highest;
	for (size_t k = 0; k < classes; k++)
		total += exp((double)logits[k] - (double)*highest);
	return log(total);
}

double sluice__cpu_softmax_cross_entropy(size_t level, size_t rows, size_t classes, const float *logits,
					 const uint32_t *target, float *dlogits)
{
	const struct sluice__kernels kernels = kernels_of(level);
	double loss = 0;
	for (size_t row = 0; row < rows; row++, logits += classes) {
		/* dlogits may be logits: the target's logit is read before it goes. */
		const float right = logits[target[row]];
		float highest;
		double log_total;
		if (dlogits) {
			log_total = log(kernels.softmax(classes, 1.0f, logits, dlogits + row * classes, &highest));
			dlogits[row * classes + target[row]] -= 1.0f;
		} else {
			log_total = log_sum(classes, logits, &highest);
		}
		loss += log_total + (double)highest - (double)right;
	}
	if (dlogits)
		kernels.scale(rows * classes, (float)(1.0 / (double)rows), dlogits);
	return loss / (double)rows;
}

double sluice__cpu_norm(size_t level, size_t count, const float *x)
{
	return sqrt(kernels_of(level).sum_squares(count, x));
}

void sluice__cpu_scale(size_t level, size_t count, float factor, float *x)
{
	kernels_of(level).scale(count, factor, x);
}

void sluice__cpu_embedding_forward(size_t rows, size_t width, const float *table, const uint32_t *index, float *y)
{
	for (size_t row = 0; row < rows; row++)
		memcpy(y + row * width, table + index[row] * width, width * sizeof *y);
}

void sluice__cpu_embedding_backward(size_t rows, size_t width, const uint32_t *index, const float *dy, float *dtable)
{
	for (size_t row = 0; row < rows; row++) {
		float *to = dtable + index[row] * width;
		for (size_t j = 0; j < width; j++)
			to[j] += dy[row * width + j];
	}
}

void sluice__cpu_optimizer(size_t level, const sluice_optimizer *optimizer, size_t count, float *parameters,
			   const float *gradients, float *const moments[2])
{
	const double update_number = (double)optimizer->update;
	const struct sluice__update update = {
		.rate = optimizer->rate,
		.momentum = optimizer->momentum,
		.decay = optimizer->decay,
		.beta1 = optimizer->beta1,
		.epsilon = optimizer->epsilon,
		.weight_decay = optimizer->weight_decay,
		.gradient_scale = optimizer->gradient_scale,
		.correction1 = (float)(1 - pow((double)optimizer->beta1, update_number)),
		.correction2 = (float)sqrt(1 - pow((double)optimizer->decay, update_number)),
	};
	kernels_of(level).update[optimizer->kind](&update, count, parameters, gradients, moments[0], moments[1]);
}
