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

/* Places of an image, row by row. A network without images has one place everywhere. */
struct sluice__image {
	size_t height, width;
};

static inline size_t sluice__places(struct sluice__image image)
{
	return image.height * image.width;
}

/* A convolution, its defaults filled in: tap (v, u) of its kernel reads, for place (y, x), place
 * (y stride_y - top + v dilation_y, x stride_x - left + u dilation_x). Without images: one tap. */
struct sluice__window {
	size_t height, width, dilation_y, dilation_x, stride_y, stride_x, top, left, groups;
};

static inline size_t sluice__taps(const struct sluice__window *window)
{
	return window->height * window->width;
}

/* One layer: sizes, and offsets (in elements) into the parameter block and into a row of state; where there is no
 * tensor the offset means nothing. */
struct sluice__layer {
	const sluice_layer *options;       /* the model's own copy of its description */
	size_t inputs, hidden, directions; /* inputs, hidden, out: at each place */
	size_t out;                        /* width of h: the projection's, or hidden */
	struct sluice__image from, image;  /* of what it reads; of h, c and gates */
	size_t places;                     /* of the second */
	struct sluice__window input, recurrent, memory;
	size_t input_depth, recurrent_depth, memory_depth; /* columns of W, R, full V: taps times channels of a group */
	bool reverse; /* the only direction of the layer, or its first one, runs backwards in time */
	bool bias;
	bool slopes; /* some activation is a PReLU */
	size_t weight_ih[2], weight_hh[2], bias_at[2], projection_at[2], peephole_at[2], slopes_at[2];
	size_t start_h[2], start_c[2];
	size_t h[2], c[2];
	size_t h_column[2], c_column[2]; /* first column in a run's arrays of all h, of all c. In a state place p's part
					    of h lies p times the padded width of h behind the first, c likewise; in
					    these arrays it is p times the width */
};

struct sluice__network {
	/* At each place. features: width of the last layer's results; outputs: width of y */
	size_t inputs, features, outputs;
	bool images;
	struct sluice__image image; /* of x */
	size_t x_width, y_width;    /* numbers of a row of x, of y: at all places */
	size_t y_places;
	bool readout;
	bool separate; /* the last layer has two results, y and y_reverse */
	size_t readout_weight, readout_bias;
	size_t parameter_count;  /* elements */
	size_t state_row;        /* elements */
	size_t h_width, c_width; /* numbers of all h, of all c of a row side by side */
	size_t layer_count;
	struct sluice__layer *layers;
};

/* Arrays of the width of h that a layer puts out, side by side. */
static inline size_t sluice__layer_results(const struct sluice__layer *layer)
{
	return layer->options->combination == SLUICE_ADD ? 1 : layer->directions;
}

/* What a plan is asked for, after defaults. */
struct sluice__limits {
	size_t steps, batch;
	bool training, batch_major, flush_denormals;
	sluice_dtype weights, data, tape;
	sluice_tape_mode tape_mode;
	sluice_choice winograd;
	size_t gate_place[4]; /* where the caller's arrays have gate k of i f g o */
};

/* Activation slots of a layer: the gates i f g o, then the cell output. */
enum { SLUICE__SLOTS = 5 };

/* The activation of a slot, DEFAULT replaced by what it means there. */
static inline sluice_activation sluice__layer_activation(const sluice_layer *layer, size_t slot)
{
	const sluice_activation given[SLUICE__SLOTS] = {layer->input_activation, layer->forget_activation,
							layer->candidate_activation, layer->output_activation,
							layer->cell_activation};
	sluice_activation activation = given[slot];
	if (activation.kind == SLUICE_ACTIVATION_DEFAULT)
		activation.kind = slot == 2 || slot == 4 ? SLUICE_ACTIVATION_TANH : SLUICE_ACTIVATION_SIGMOID;
	return activation;
}

/* Gates whose rows of a tensor are zero and stay so: those that the tensor lacks, and gates that it cannot reach. */
static inline unsigned sluice__layer_absent(const sluice_layer *layer, unsigned lacking)
{
	return lacking | layer->no_gates | (layer->coupled ? (unsigned)SLUICE_GATE_F : 0);
}

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
	sluice_status (*block)(const struct sluice__prepared *prepared, const sluice_run *run);
	sluice_status (*step)(const struct sluice__prepared *prepared, const sluice_run *run);
	sluice_status (*backward)(const struct sluice__prepared *prepared, const sluice_run *run,
				  const sluice_gradients *gradients);
	/* The row of state, in the plan's number type, that rows start from where none is given. */
	const void *(*start)(const struct sluice__prepared *prepared);
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

/* The same sources built twice: arithmetic in float, and in double for plans whose data are f64. */
extern const struct sluice__backend sluice__backend_cpu_f32, sluice__backend_cpu_f64;

#endif
