/*
 * backend.h: what a backend is: the functions that carry out plans and operations on one kind of device.
 *
 * The core checks arguments, owns descriptions and parameters, and hands a backend the whole stack; layers and time
 * steps live in the backend. A backend sees the network below and nothing else of the core.
 */
#ifndef SLUICE_BACKEND_BACKEND_H
#define SLUICE_BACKEND_BACKEND_H

#include <stdbool.h>
#include <sluice/ops.h>

#include "base/memory.h"
#include "base/parallel.h"

/* One layer: sizes, and offsets (in floats) into the parameter block and into a row of state. */
struct sluice__layer {
	size_t inputs, hidden, directions;
	bool reverse; /* the only direction of the layer, or its first one, runs backwards in time */
	bool bias;
	float dropout;
	size_t weight_ih[2], weight_hh[2], bias_at[2];
	size_t h[2], c[2];
};

struct sluice__network {
	size_t inputs, features, outputs; /* features: D*H of the last layer; outputs: width of y */
	bool readout;
	size_t readout_weight, readout_bias;
	size_t parameter_count; /* floats */
	size_t state_row;       /* floats */
	size_t layer_count;
	struct sluice__layer *layers;
};

/* What a plan is asked for, after defaults. */
struct sluice__limits {
	size_t steps, batch;
	bool training, batch_major, flush_denormals;
};

/* A plan as its backend fills it in. */
struct sluice__prepared {
	const struct sluice__network *network;
	const sluice_allocator *allocator;
	const struct sluice__parallel *parallel;
	size_t level; /* instruction-set level of the CPU backend */
	struct sluice__limits limits;
	size_t workspace_bytes;
	size_t tape_step_bytes, tape_fixed_bytes; /* tape of T steps: fixed + T * step */
	void *own;                                /* the backend's */
};

struct sluice__backend {
	const char *name;
	/* Sizes, choices and memory; `own` is NULL on failure. */
	sluice_status (*prepare)(struct sluice__prepared *prepared);
	/* Packs or uploads the parameters. Never fails. */
	void (*update)(struct sluice__prepared *prepared, const float *parameters);
	void (*release)(struct sluice__prepared *prepared);
	/* Arguments have been checked; these cannot fail on the CPU. */
	sluice_status (*forward)(const struct sluice__prepared *prepared, const sluice_run *run);
	sluice_status (*step)(const struct sluice__prepared *prepared, const sluice_run *run);
	sluice_status (*backward)(const struct sluice__prepared *prepared, const sluice_run *run,
				  const sluice_gradients *gradients);
	/* As snprintf. */
	size_t (*describe)(const struct sluice__prepared *prepared, char *text, size_t capacity);
	const char *(*kernels)(const struct sluice__prepared *prepared);
	/* The operations of ops.h; level is that of the context. */
	void (*softmax)(size_t level, size_t rows, size_t classes, float scale, const float *logits, float *p);
	double (*softmax_cross_entropy)(size_t level, size_t rows, size_t classes, const float *logits,
					const uint32_t *target, float *dlogits);
	double (*norm)(size_t level, size_t count, const float *x);
	void (*scale)(size_t level, size_t count, float factor, float *x);
	void (*embedding_forward)(size_t rows, size_t width, const float *table, const uint32_t *index, float *y);
	void (*embedding_backward)(size_t rows, size_t width, const uint32_t *index, const float *dy, float *dtable);
	void (*optimizer)(size_t level, const sluice_optimizer *optimizer, size_t count, float *parameters,
			  const float *gradients, float *const moments[2]);
};

extern const struct sluice__backend sluice__backend_cpu;

#endif
