/*
 * ops.h: what a network needs around its LSTM, and what must run where the data are.
 *
 * Each operation takes a context and pointers to f32 in the memory of the context's device. Nothing is allocated.
 * Results depend on the context's instruction-set level and on nothing else: not on threads, not on earlier calls.
 */
#ifndef SLUICE_OPS_H
#define SLUICE_OPS_H

#include "sluice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y[r,:] = table[index[r],:] for r in 0 .. rows-1; table is [entries,width]. One-hot coding is the identity table.
 * Errors: INVALID_ARGUMENT (NULL, an index of entries or more); y is then untouched. */
SLUICE_API sluice_status sluice_embedding_forward(sluice_context *context, size_t rows, size_t entries, size_t width,
						  const float *table, const uint32_t *index, float *y);

/* dtable[index[r],:] += dy[r,:], in order of r. Errors: as sluice_embedding_forward. */
SLUICE_API sluice_status sluice_embedding_backward(sluice_context *context, size_t rows, size_t entries, size_t width,
						   const uint32_t *index, const float *dy, float *dtable);

/* Mean cross-entropy of softmax(logits) against class indices, natural logarithm:
 *   loss = 1/rows sum_r (log sum_k e^logits[r,k] - logits[r,target[r]]),  dlogits = (softmax - onehot)/rows.
 * dlogits [rows,classes] may be NULL or logits itself. Errors: INVALID_ARGUMENT (a target of classes or more). */
SLUICE_API sluice_status sluice_softmax_cross_entropy(sluice_context *context, size_t rows, size_t classes,
						      const float *logits, const uint32_t *target, double *loss,
						      float *dlogits);

/* p[r,:] = softmax(logits[r,:] * scale); scale is 1/temperature. p may be logits. */
SLUICE_API sluice_status sluice_softmax(sluice_context *context, size_t rows, size_t classes, float scale,
					const float *logits, float *p);

/* The Euclidean norm of a vector, summed in double in a fixed order. */
SLUICE_API sluice_status sluice_norm(sluice_context *context, size_t count, const float *x, double *norm);

/* x *= factor. */
SLUICE_API sluice_status sluice_scale(sluice_context *context, size_t count, float factor, float *x);

/* Optimizers, with the update rules of PyTorch's torch.optim (docs/EQUATIONS.md, "Optimizers"). */
#define SLUICE_OPTIMIZER_MAP(X)  \
	X(SGD, "sgd", 1)         \
	X(RMSPROP, "rmsprop", 2) \
	X(ADAM, "adam", 2)

typedef enum sluice_optimizer_kind {
#define SLUICE_OPTIMIZER_ENUM(name, text, moments) SLUICE_OPTIMIZER_##name,
	SLUICE_OPTIMIZER_MAP(SLUICE_OPTIMIZER_ENUM)
#undef SLUICE_OPTIMIZER_ENUM
} sluice_optimizer_kind;

typedef struct sluice_optimizer {
	size_t size;
	sluice_optimizer_kind kind;
	float rate;           /* learning rate of this update */
	float momentum;       /* SGD and RMSprop; 0: none */
	float decay;          /* RMSprop: alpha; Adam: beta2. 0: 0.99, 0.999 */
	float beta1;          /* Adam; 0: 0.9 */
	float epsilon;        /* 0: 1e-8 */
	float weight_decay;   /* L2 penalty added to the gradient */
	float gradient_scale; /* the gradient is multiplied by this first (clipping by norm); 0: 1 */
	uint64_t update;      /* number of this update, from 1 */
} sluice_optimizer;
#define SLUICE_OPTIMIZER_INIT SLUICE_SIZED(sluice_optimizer)

/* Vectors of moments that a kind needs: 1 or 2, each as long as the parameters, zero before the first update. */
SLUICE_API size_t sluice_optimizer_moments(sluice_optimizer_kind kind);

/* One update of count parameters. moments[0 .. sluice_optimizer_moments-1] are read and written. Errors:
 * INVALID_ARGUMENT; nothing is changed then. */
SLUICE_API sluice_status sluice_optimizer_step(sluice_context *context, const sluice_optimizer *optimizer, size_t count,
					       float *parameters, const float *gradients, float *const moments[2]);

/* Random numbers: Philox 4x32-10 (Salmon et al. 2011), a pure function of key and counter. */
SLUICE_API void sluice_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

#ifdef __cplusplus
}
#endif

#endif
