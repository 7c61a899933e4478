/* network_fixture.h: a context, model, plan and all memory of its runs, for tests that need one quickly. */
#ifndef SLUICE_TESTS_NETWORK_FIXTURE_H
#define SLUICE_TESTS_NETWORK_FIXTURE_H

#include <sluice/ops.h>

enum { WISH_LAYERS = 4 };

/* What a test wants; zero is a default throughout. */
struct wish {
	size_t steps, batch, inputs, layers, outputs;
	size_t image_height, image_width; /* of x, if there are images; inputs, hidden and outputs are then channels */
	size_t hidden[WISH_LAYERS];
	sluice_direction direction[WISH_LAYERS];
	float dropout[WISH_LAYERS];
	sluice_layer options[WISH_LAYERS]; /* everything else of a layer */
	const char *isa;
	int threads;
	sluice_parallel parallel;
	const sluice_allocator *allocator;
	int training;
	sluice_layout layout;
	sluice_choice flush_denormals;
	sluice_dtype weights, data, tape;
	sluice_tape_mode tape_mode;
	const char *gate_order;
	int mask; /* 1: runs are given one, of the shape below */
	sluice_mask_shape mask_shape;
	int last_only;
	int sequences; /* 1: runs put out h, c and gates of all steps */
	int poisoned;  /* 1: what states have between their numbers is not a number */
};

struct network {
	struct wish wish;
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	size_t inputs, outputs; /* numbers of a row of x and of y, of images at all places */
	size_t parameter_count;
	size_t h_width, c_width;       /* all h of a step side by side, all c; likewise */
	size_t data_bytes, real_bytes; /* of a number of x, y and so on; of states and gradients of parameters */
	float *x, *y, *dy, *dx;        /* in truth of the plan's data type */
	float *dparameters;            /* f64 if the plan computes in it */
	void *initial, *final, *dinitial, *dfinal, *workspace, *tape;
	void *mask, *h, *c, *gates;
	size_t state_bytes, tape_bytes;
	sluice_run run;             /* ready for sluice_forward */
	sluice_gradients gradients; /* ready for sluice_backward */
};

/* The description that a wish means, in the caller's layers, and the options of its plan. */
sluice_description wish_description(const struct wish *wish, sluice_layer layers[WISH_LAYERS]);
sluice_plan_options wish_plan_options(const struct wish *wish);

/* Makes everything, with seeded random parameters and data. Fails the test on any error. */
struct network network_create(const struct wish *wish);
void network_destroy(struct network *network);

/* Places of the images that a layer puts out, and of x for the layer behind the last one; 1 without images. */
size_t network_places(const struct network *network, size_t layer);

/* Aligned zeroed memory from the C library; free() it. */
void *aligned_zeros(size_t bytes);

/* Zero-mean uniform numbers in [-1, 1), the same for the same seed. */
void fill_random(float *to, size_t count, uint64_t seed);

/* The same rounded towards zero to a storage type. */
void fill_random_as(sluice_dtype dtype, void *to, size_t count, uint64_t seed);

/* The numbers of an array of a storage type. */
void widen(sluice_dtype dtype, const void *from, size_t count, double *to);

/* Fails the test with the library's sentence unless status is SLUICE_OK. */
void assert_ok(sluice_status status);

/* Fails the test unless the call was refused with this status and a sentence that contains `part`. */
void assert_refused(sluice_status status, sluice_status expected, const char *part);

/* A host's thread pool for contexts: starts POSIX threads for each region. */
void posix_parallel(void *user, int threads, sluice_task task, void *argument);

#endif
