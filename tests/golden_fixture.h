/* golden_fixture.h: golden files, and the library or the oracle run on their numbers. */
#ifndef SLUICE_TESTS_GOLDEN_FIXTURE_H
#define SLUICE_TESTS_GOLDEN_FIXTURE_H

#include "sluice/io.h"

/* Who computes. The oracle takes its parameters in double from the model's block and knows no layout but time-major. */
enum golden_engine { GOLDEN_ORACLE, GOLDEN_F64, GOLDEN_F32, GOLDEN_ENGINES };
extern const char *const golden_engine_names[GOLDEN_ENGINES];

/* ---------------------------------------------------------------------------------------------------- files ----- */

struct golden_file {
	const char *name;
	enum golden_engine engine; /* whose numbers will be compared, for messages */
	sluice_context *context;
	sluice_tensors *tensors;
	double *lent[64];
	size_t lent_count;
};

/* Opens tests/golden/<name>.safetensors; fails the test if that cannot be. */
struct golden_file golden_open(const char *name, enum golden_engine engine);
void golden_close(struct golden_file *file);

/* A tensor's elements as they are in the file; there must be count of them, of this type. */
const void *golden_raw(const struct golden_file *file, const char *tensor, sluice_element element, size_t count);

/* The same as doubles; they live until the file is closed. */
const double *golden_numbers(struct golden_file *file, const char *tensor, size_t count);

/* Fails the test unless the values are those of the tensor up to tolerance times its largest element. */
void golden_compare(struct golden_file *file, const char *tensor, const double *values, size_t count, double tolerance);

/* ----------------------------------------------------------------------------------------------------- runs ----- */

/* One run of the library. States are blocks [N,width], one for each layer and direction, as PyTorch's h_0 and c_0. */
struct golden_run {
	size_t steps, batch;
	const double *x, *h0, *c0;           /* both h0 and c0 NULL: no initial state is given */
	const double *mask;                  /* [S]; NULL: none */
	const double *dy, *dh, *dc;          /* dy NULL: no backward pass; dh and dc may be NULL */
	const size_t *lengths, *batch_sizes; /* as of sluice_run; the oracle takes lengths alone */
	const uint8_t *resets, *holds;       /* [T,N], whatever the layout; NULL: never */
	sluice_padding padding;
	int packed;              /* x, y and their gradients are; the oracle's never */
	size_t y_count, x_count; /* results from here on */
	size_t h_count, c_count, parameter_count;
	double *y, *hn, *cn;
	double *c; /* of every step; NULL unless there is one layer and direction */
	double *dx, *dh0, *dc0, *dparameters;
};

/* A model of equal layers in a context of its own. */
struct golden_model {
	sluice_context *context;
	sluice_model *model;
	size_t inputs, layers, directions, hidden, width; /* width of h */
};

struct golden_model golden_model_create(size_t inputs, size_t layers, const sluice_layer *layer);
void golden_model_destroy(struct golden_model *model);

/* Runs forward and, if dy is given, backward: by the oracle, or on a plan whose data are f64 or f32. */
void golden_compute(const struct golden_model *model, enum golden_engine engine, sluice_layout layout,
		    struct golden_run *run);
void golden_run_free(struct golden_run *run);

/* The part of a block of parameters, such as run->dparameters, that belongs to a tensor of the model. */
const double *golden_parameter(const struct golden_model *model, const double *block, const char *name, size_t count);

#endif
