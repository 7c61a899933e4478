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
	void *zero_frame;                      /* one x of zeros */
	size_t zero_frame_bytes;
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

/* --- images.c --- */

/* Checks a layer's convolutions by themselves; without images they must be zero. */
sluice_status sluice__images_check(const sluice_layer *layer, size_t index, bool images);

/* Windows and images of a layer that reads images of size `from` (one place without images), and the columns of its
 * matrices. */
sluice_status sluice__images_lay_out(struct sluice__layer *layer, size_t index, struct sluice__image from);

/* The run with its defaults filled in, after all checks that forward, step and backward share. single: of one step,
 * whatever run.steps says. */
sluice_status sluice__run_check(const sluice_plan *plan, const sluice_run *given, bool single, sluice_run *run);

/* Lengths, padding and packed data; arrays and pointers to steps; slots. */
sluice_status sluice__time_check(const sluice_plan *plan, const sluice_run *run);
sluice_status sluice__places_check(const sluice_plan *plan, const sluice_run *run);
sluice_status sluice__slots_check(const sluice_run *run);

/* One array of the caller's, `name` of struct `owner`, or its steps: not both, none NULL, rows that do not overlap. */
struct sluice__place_of {
	const char *owner, *name, *row_name;
	const void *whole;
	const void *const *steps;
	size_t count, row, width;
	const char *width_name;
};
sluice_status sluice__place_check(const struct sluice__place_of *place);

/* A second result, or its gradient, is only there if the last layer's are separate. */
sluice_status sluice__second_result_check(const sluice_plan *plan, const char *field, bool given);

#endif
