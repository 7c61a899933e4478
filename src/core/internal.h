/* internal.h: the structs behind the handles, and what the files of the core share. */
#ifndef SLUICE_CORE_INTERNAL_H
#define SLUICE_CORE_INTERNAL_H

#include "backend/backend.h"
#include "base/status.h"

struct sluice_context {
	sluice_allocator allocator;
	struct sluice__parallel parallel;
	const struct sluice__backend *backend, *backend_f64;
	size_t level;
	sluice_log log;
	void *log_user;
};

struct sluice__named {
	char name[40];
	size_t offset, rows, columns;
};

struct sluice_model {
	sluice_context *context;
	sluice_description description; /* layers points to the array below */
	sluice_layer *layers;
	struct sluice__network network;
	struct sluice__named *named;
	size_t named_count;
	float *parameters;
};

struct sluice_plan {
	const sluice_model *model;
	const struct sluice__backend *backend; /* the context's, or its twin that computes in f64 */
	size_t real_bytes;                     /* of one number of states and of gradients of parameters */
	struct sluice__prepared prepared;
};

/* Copies a size-stamped argument struct of the caller's version into ours: fields it lacks become zero, fields we lack
 * must be zero. `what` names it in messages. */
sluice_status sluice__argument(void *to, size_t to_bytes, const void *from, const char *what);

/* Fails with the sentence that argument `name` is NULL. */
sluice_status sluice__null(const char *name);

/* position[k]: the place that an order of gates (NULL: "ifgo") gives to gate k of i f g o. */
sluice_status sluice__gate_order(const char *order, const char *name, size_t position[4]);

/* Checks a layer by itself; what depends on the layer before is checked when the model is laid out. */
sluice_status sluice__layer_check(const sluice_layer *layer, size_t index);

/* The run with its defaults filled in, after all checks that forward, step and backward share. */
sluice_status sluice__run_check(const sluice_plan *plan, const sluice_run *given, sluice_run *run);

#endif
