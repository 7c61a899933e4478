/*
 * bnns_internal.h: what the files of the BNNS front end share.
 *
 * A call is read completely into a struct call, every descriptor of it becoming a tensor with checked sizes; then it
 * takes a kept entry (a plan of the core with its buffers), brings the weights up to date, runs, and gives the entry
 * back.
 */
#ifndef SLUICE_FACADE_BNNS_INTERNAL_H
#define SLUICE_FACADE_BNNS_INTERNAL_H

#include <sluice/bnns.h>

#include "number.h"

enum { BNNS_GATES = 4, BNNS_RANK = 4, BNNS_CELL_ACTIVATION = BNNS_GATES };

#define BNNS_TRY(expression)                          \
	do {                                          \
		sluice_status status_ = (expression); \
		if (status_ != SLUICE_OK)             \
			return status_;               \
	} while (0)
#define BNNS_INVALID(...) sluice_fail(SLUICE_INVALID_ARGUMENT, __VA_ARGS__)

/* --- tensors: bnns_tensor.c --- */

/* A descriptor with all that it leaves open filled in. The fastest dimension is the first; dimensions that it has not
 * have the count 1. No padding: compared as memory. */
struct tensor {
	char *data; /* NULL: not given, and the rest is not read */
	sluice_dtype type;
	int accumulate;
	size_t count[BNNS_RANK], stride[BNNS_RANK];
	size_t rows; /* of dense data, those of all steps together, which fill no more places; 0: all are there */
};

/* What a descriptor ought to be like. */
struct shape {
	size_t rank, count[BNNS_RANK];
	int data;    /* x or y, whose second and third dimension change places in NSE */
	int written; /* elements may not share memory */
};

/* Where a descriptor is, for sentences: "layer_params", "input_gate", "iw_desc[0]". */
struct place {
	const char *owner, *group, *name;
};

sluice_status sluice__bnns_tensor(const BNNSNDArrayDescriptor *descriptor, const struct shape *shape,
				  const struct place *place, struct tensor *tensor);

/* The batch sizes of steps: unsigned integers of `bytes` bytes, `stride` elements apart. */
struct sequence {
	const char *data; /* NULL: the whole batch in every step */
	size_t bytes, stride;
};

sluice_status sluice__bnns_sequence(const BNNSNDArrayDescriptor *descriptor, size_t steps, size_t batch,
				    struct sequence *sequence);
size_t sluice__bnns_sequence_at(const struct sequence *sequence, size_t step);

/* The line of the first dimension at places of the three others. */
struct line sluice__bnns_line(const struct tensor *tensor, size_t second, size_t third, size_t fourth);

/* Whether elements of a and b may share memory: their extents do, and no common pattern keeps them apart. */
int sluice__bnns_overlap(const struct tensor *a, const struct tensor *b);

/* --- calls: bnns_check.c --- */

/* Everything that an entry depends on. No padding: compared as memory. */
struct network {
	size_t inputs, hidden, batch, layers, steps, directions;
	sluice_activation activations[BNNS_GATES + 1]; /* i f g o, cell */
	unsigned no_bias, no_peepholes;                /* gates without one */
	float dropout;                                 /* that is active in the call; 0: none */
	int unscaled, concatenated, training, threads;
	sluice_dtype data;
	sluice_layout layout;
	int reserved;
};

struct weights {
	struct tensor input[BNNS_GATES][2], recurrent[BNNS_GATES], peephole[BNNS_GATES], bias[BNNS_GATES];
};

struct states {
	struct tensor h, c;
};

/* All descriptors of one BNNSLayerParametersLSTM but the sequence's. */
struct tensors {
	struct tensor x, y;
	struct states initial, final;
	struct weights weights;
};

/* What a call is for decides which data must be there. */
enum purpose { BNNS_CAPACITY, BNNS_WEIGHTS, BNNS_FORWARD, BNNS_BACKWARD };

struct call {
	struct network network;
	struct tensors given, deltas;
	struct sequence sequence;
	sluice_bnns_options options;
	BNNSAlloc allocate; /* NULL: the workspace is the entry's */
	BNNSFree release;
};

sluice_status sluice__bnns_read(const BNNSLayerParametersLSTM *layer, const BNNSFilterParameters *filter,
				enum purpose purpose, int cached, struct call *call);
sluice_status sluice__bnns_read_deltas(const BNNSLayerParametersLSTM *deltas, struct call *call);

/* Whether the rows of a step follow those of the step before without gaps. */
int sluice__bnns_dense(const struct call *call);

/* Whether iw_desc[1] has the input weights of the layers after the first. */
int sluice__bnns_split(const struct call *call);

sluice_status sluice__bnns_activation(const BNNSActivation *activation, const char *group, sluice_activation *out);

/* --- kept entries: bnns_pool.c, bnns_entry.c --- */

/* Memory that an entry keeps from call to call. */
enum buffer {
	BUFFER_WORKSPACE,
	BUFFER_STATE,
	BUFFER_STATE_GRADIENT,
	BUFFER_X,
	BUFFER_Y,
	BUFFER_DX,
	BUFFER_X_STEPS,
	BUFFER_Y_STEPS,
	BUFFER_DX_STEPS,
	BUFFER_SIZES,
	BUFFER_SCRATCH,
	BUFFER_GRADIENT,
	BUFFER_TAPE,
	BUFFERS
};

/* Where the tensors of a layer and direction lie in the core's parameters. */
struct offsets {
	size_t input, recurrent, peephole, bias;
};

struct entry {
	struct entry *next;
	struct network network;
	uint64_t generation;
	sluice_context *context;
	sluice_model *model;
	sluice_plan *plan;
	struct offsets *offsets; /* [layers * directions] */
	struct weights loaded;   /* where the weights that it has come from; data NULL: none yet */
	uint64_t promise;        /* under which promise they were read; 0: none */
	struct {
		void *at;
		size_t bytes;
	} buffers[BUFFERS];
};

/* An entry of the network that nobody else uses, one with these weights if there is one. */
sluice_status sluice__bnns_take(const struct network *network, const struct weights *weights, struct entry **out);
void sluice__bnns_give(struct entry *entry);

/* The number of the promise that these weights do not change; 0: none was made. */
uint64_t sluice__bnns_promise(const struct weights *weights);

sluice_status sluice__bnns_entry_create(const struct network *network, struct entry **out);
void sluice__bnns_entry_destroy(struct entry *entry);

/* A buffer of at least `bytes`; its content is undefined. */
sluice_status sluice__bnns_buffer(struct entry *entry, enum buffer which, size_t bytes, void *out);

/* --- parts of a call --- */

/* bnns_weights.c: the caller's weights into the plan; gradients out of the core's block. */
sluice_status sluice__bnns_load(struct entry *entry, const struct weights *weights);
void sluice__bnns_store_gradients(const struct entry *entry, const float *block, const struct weights *to);

/* bnns_state.c */
sluice_status sluice__bnns_state_in(struct entry *entry, const struct states *from, void *state);
sluice_status sluice__bnns_state_out(struct entry *entry, const void *state, const struct states *to);

/* bnns_data.c: how the core finds an array of data. */
struct exchange {
	const struct tensor *tensor;
	void *whole;  /* one piece in the plan's layout, */
	void **steps; /* or a pointer to each step, its rows `row` elements apart; both NULL: not given */
	size_t row;
	int copied; /* whole is a buffer of the entry */
};

/* A tensor, or a buffer in its place if `apart` is set or the core cannot work on it. */
sluice_status sluice__bnns_exchange(struct entry *entry, const struct call *call, const struct tensor *tensor,
				    enum buffer buffer, enum buffer steps, int apart, struct exchange *exchange);
void sluice__bnns_data_in(const struct call *call, const size_t *sizes, const struct exchange *exchange);
/* Copies, or adds if the tensor accumulates, the rows that are there, and all rows if `whole` is set. */
void sluice__bnns_data_out(const struct call *call, const size_t *sizes, const struct exchange *exchange, int whole);
/* Rows of each step; NULL in *sizes if every step has the whole batch. */
sluice_status sluice__bnns_sizes(struct entry *entry, const struct call *call, const size_t **sizes);

/* bnns_cache.c */
struct cache {
	uint64_t seed;
	const void *tape;
};

size_t sluice__bnns_cache_bytes(const struct entry *entry);
sluice_status sluice__bnns_cache_check(const struct entry *entry, size_t capacity);
void *sluice__bnns_cache_tape(void *cache);
void sluice__bnns_cache_write(const struct call *call, const void *tape, uint64_t seed, void *cache);
sluice_status sluice__bnns_cache_read(struct entry *entry, const struct call *call, const void *cache, size_t capacity,
				      struct cache *out);

/* bnns_run.c: what forward and backward set up alike. */
sluice_status sluice__bnns_run(struct entry *entry, const struct call *call, int apart, sluice_run *run);
sluice_status sluice__bnns_workspace(struct entry *entry, const struct call *call, sluice_run *run);
void sluice__bnns_workspace_release(const struct call *call, sluice_run *run);

/* bnns_options.c */
void sluice__bnns_options(sluice_bnns_options *options);
uint64_t sluice__bnns_next_seed(void);

#endif
