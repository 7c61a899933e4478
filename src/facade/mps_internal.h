/*
 * mps_internal.h: what the files of the MPS front end share.
 *
 * A layer is made of a stack: the weights of its descriptors, read once, and chains, networks of the core made of them.
 * An engine is a chain's plan for calls up to some size; a memory is all that one call on an engine needs. An encode
 * turns matrices or images into spans, checks them and adds a command to a buffer; a commit runs the commands.
 */
#ifndef SLUICE_FACADE_MPS_INTERNAL_H
#define SLUICE_FACADE_MPS_INTERNAL_H

#include <pthread.h>

#include <sluice/mps.h>

#include "number.h"
#include "object.h"

/* In the core's order: i f g o. */
enum gate { GATE_INPUT, GATE_FORGET, GATE_CELL, GATE_OUTPUT, GATES, CELL_ACTIVATION = GATES, ACTIVATIONS };
enum part { PART_INPUT, PART_RECURRENT, PART_MEMORY, PARTS };

/* Room for the words that a sentence begins with. */
enum { MPS_WHERE_TEXT = 160 };

/* --- neurons: mps_neuron.c --- */

struct neuron {
	MPSCNNNeuronType type;
	float a, b, c;
	const float *slopes; /* of a PReLU */
	size_t count;
};

struct neuron sluice__mps_neuron(const MPSNNNeuronDescriptor *descriptor);
/* What the core makes of it; `where` begins the sentence if it is refused. units: how many slopes a PReLU has to have;
 * 0: it may not be one. */
sluice_status sluice__mps_activation(const char *where, const struct neuron *neuron, size_t units,
				     sluice_activation *out);

/* --- descriptors: mps_convolution.c, mps_descriptor.c --- */

struct MPSCNNConvolutionDescriptor {
	struct object object;
#define MPS_FIELD(name, Name) size_t name;
	SLUICE_MPS_CONVOLUTION_PROPERTIES(MPS_FIELD)
#undef MPS_FIELD
	MPSNNNeuronDescriptor *fusedNeuronDescriptor;
};

/* The base class, and what there is of it. */
struct MPSRNNDescriptor {
	struct object object;
#define MPS_FIELD(name, Name, type, value) type name;
	SLUICE_MPS_RNN_PROPERTIES(MPS_FIELD)
#undef MPS_FIELD
};

struct source {
	int given;
	MPSCNNConvolutionDataSource calls;
};

struct MPSLSTMDescriptor {
	struct MPSRNNDescriptor base;
	struct source sources[PARTS][GATES];
#define MPS_FIELD(name, Name, type, value) type name;
	SLUICE_MPS_LSTM_PROPERTIES(MPS_FIELD)
#undef MPS_FIELD
};

/* --- weights: mps_source.c, mps_weights.c --- */

/* A convolution's kernel; 1 x 1 of matrices. */
struct kernel {
	size_t height, width, dilation_y, dilation_x, groups;
};

/* What one source gave. */
struct weights {
	float *values; /* [out][height][width][in/groups] or, diagonal, [out]; NULL: no source, or x is the identity */
	struct kernel kernel;
};

/* What a source is read for. */
struct request {
	const char *where; /* "layer 0: inputGateInputWeights" */
	size_t in, out;
	int image, diagonal;
	int weights; /* 0: they are not read */
	int half;    /* round them */
	int input;   /* the gate's bias and neuron come from here */
};

struct response {
	struct weights weights;
	float *bias;              /* [out]; NULL: zeros */
	sluice_activation neuron; /* of an input source, with its slopes */
	float *slopes;
};

/* Calls the source as its header says. What was put out is the caller's to free, also after a failure. */
sluice_status sluice__mps_source_read(const MPSCNNConvolutionDataSource *source, const struct request *request,
				      struct response *response);

/* One layer's descriptor, read. */
struct lstm {
	size_t inputs, hidden;
	int image, identity, half, diagonal, backward;
	int given[PARTS][GATES]; /* whether there was a source */
	struct weights weights[PARTS][GATES];
	float *bias[GATES];
	float *slopes[GATES];
	sluice_activation activations[ACTIVATIONS];
	sluice_convolution convolutions[PARTS]; /* of images */
};

/* half: 1 or 0; -1: what the descriptor says. `out` is to be freed also after a failure. */
sluice_status sluice__mps_lstm_read(const MPSRNNDescriptor *descriptor, size_t index, int image, int half,
				    struct lstm *out);
void sluice__mps_lstm_free(struct lstm *lstm);

/* The layer in the core's words, without weights. */
void sluice__mps_lstm_describe(const struct lstm *lstm, sluice_layer *out);
/* The weights into a layer of the core that was described so. */
sluice_status sluice__mps_lstm_load(const struct lstm *lstm, sluice_model *model, size_t layer);

/* mps_kernel.c: all four gates' kernels of each part in one form, and that form. */
sluice_status sluice__mps_kernels_unite(struct lstm *lstm, size_t index);

/* Rounds to Float16 and back. */
void sluice__mps_round(float *values, size_t count);

/* --- spans: mps_span.c --- */

/* Where the rows of one step lie: each is `lines` lines of `cells` cells of `elements` numbers without gaps. All of
 * these rise in memory. */
struct span {
	char *at;
	sluice_dtype type;
	size_t rows, row_bytes;
	size_t lines, line_bytes;
	size_t cells, cell_bytes;
	size_t elements;
};

/* Of every one of `cells` equal cells of a line (which was one cell before), `count` numbers from `first` on. */
struct span sluice__mps_span_part(const struct span *whole, size_t cells, size_t first, size_t count);
/* Whether the core can work on these spans as they are: floats, aligned, rows without gaps and equally far apart. */
int sluice__mps_spans_direct(const struct span *spans, size_t count);
/* Between the first rows of a span and floats without gaps. */
void sluice__mps_span_load(const struct span *span, size_t rows, float *to);
void sluice__mps_span_store(const struct span *span, size_t rows, const float *from);
/* Refuses spans that are written and meet one that is read, or another that is written. Spans have one cell a line.
 * written is named in the sentence. */
sluice_status sluice__mps_spans_apart(const char *written_name, const struct span *read, size_t read_count,
				      const struct span *written, size_t written_count);

/* --- matrices and images: mps_matrix.c, mps_image.c --- */

/* What a matrix is for, if it is one of an array of weights. */
enum role { ROLE_NONE, ROLE_WEIGHTS, ROLE_GRADIENTS };

struct MPSMatrixDescriptor {
	struct object object;
	size_t rows, columns, matrices, rowBytes, matrixBytes;
	MPSDataType dataType;
};

struct MPSMatrix {
	struct object object;
	size_t rows, columns, matrices, rowBytes, matrixBytes;
	MPSDataType dataType;
	char *buffer;
	size_t offset;
	int owned;
	enum role role;
	uint64_t owner; /* the command buffer's number; 0: not temporary */
	size_t readCount;
};

struct MPSImage {
	struct object object;
	MPSImageFeatureChannelFormat featureChannelFormat;
	size_t width, height, featureChannels, numberOfImages;
	size_t rowBytes, imageBytes;
	char *data;
	int owned;
};

sluice_dtype sluice__mps_dtype(MPSDataType dataType);
/* The type's name, or its number in `text`, which is returned. */
const char *sluice__mps_type_text(MPSDataType dataType, char text[16]);

/* The span of element `index` of an argument, checked: columns exactly, rows at least. rows 0: all of them. */
sluice_status sluice__mps_matrix_span(const char *name, size_t index, const MPSMatrix *matrix, size_t offset,
				      size_t rows, size_t columns, struct span *out);
sluice_status sluice__mps_image_span(const char *name, size_t index, const MPSImage *image, size_t channels,
				     struct span *out);
/* A matrix, and Float32 images, without gaps with memory of their own. */
MPSMatrix *sluice__mps_matrix_own(size_t rows, size_t columns, MPSDataType dataType);
MPSImage *sluice__mps_image_own(size_t images, size_t height, size_t width, size_t channels);

/* --- command buffers: mps_command.c --- */

/* The first member of every command. */
struct command {
	struct command *next;
	sluice_status (*run)(struct command *command);
	void (*destroy)(struct command *command);
};

/* Whether an encode may add to the buffer. */
sluice_status sluice__mps_encodable(MPSCommandBuffer *commandBuffer);
/* A number that no other buffer has or had. */
uint64_t sluice__mps_serial(const MPSCommandBuffer *commandBuffer);
void sluice__mps_encode(MPSCommandBuffer *commandBuffer, struct command *command);

/* --- stacks: mps_stack.c --- */

/* Which layers of a stack are one network. */
enum chain_kind { CHAIN_ALL, CHAIN_FORWARD, CHAIN_BACKWARD, CHAIN_KINDS };

/* Counted by the stack that keeps it and by its engines. */
struct chain {
	struct object object;
	struct chain *next;
	enum chain_kind kind;
	size_t height, width; /* of images; 0: matrices */
	size_t layers;
	size_t *channels; /* [layers] H */
	sluice_model *model;
	struct engine *engines; /* the last one used first */
};

struct stack {
	struct object object;
	size_t count;
	struct lstm *layers;
	int image, half; /* half: all weights are of Float16 */
	int used;        /* something was encoded */
	int possible[CHAIN_KINDS];
	size_t inputs[CHAIN_KINDS], outputs[CHAIN_KINDS]; /* channels, where possible */
	sluice_context *context;
	pthread_mutex_t lock; /* of everything that is made after init: chains, engines, their idle memories */
	struct chain *chains;
};

sluice_status sluice__mps_stack(const MPSRNNDescriptor *const *descriptors, size_t count, int image,
				struct stack **out);
/* Another number of threads, where nothing was encoded yet. */
sluice_status sluice__mps_stack_threads(struct stack *stack, int threads);
/* The chain for images of this size, made if there is none. With the lock held. */
sluice_status sluice__mps_chain(struct stack *stack, enum chain_kind kind, size_t height, size_t width,
				struct chain **out);
/* Before the first engine: weights that no chain will need any more go. With the lock held. */
sluice_status sluice__mps_stack_settle(struct stack *stack);

/* --- engines: mps_engine.c --- */

enum buffer {
	BUFFER_WORKSPACE,
	BUFFER_STATE,
	BUFFER_X,
	BUFFER_Y,
	BUFFER_H,
	BUFFER_C,
	/* Of training: */
	BUFFER_DX,
	BUFFER_DY,
	BUFFER_STATE_GRADIENT,
	BUFFER_PARAMETERS, /* their gradients */
	BUFFER_LOADED,     /* a copy of the weights that the plan has */
	BUFFER_TAPES,      /* of single steps, */
	BUFFER_STATES,     /* and what they start from */
	BUFFERS
};

struct memory {
	struct memory *next;
	void *at[BUFFERS];
	size_t bytes[BUFFERS];
};

/* Counted by the calls that use it and by the chain that keeps it. */
struct engine {
	struct object object;
	struct engine *next;
	struct stack *stack;
	struct chain *chain;
	size_t steps, batch;
	sluice_plan *plan;
	struct memory *idle;
};

/* An engine for calls of this size, which is kept; handed over. */
sluice_status sluice__mps_engine(struct stack *stack, enum chain_kind kind, size_t height, size_t width, size_t steps,
				 size_t batch, struct engine **out);
void sluice__mps_engines_free(struct chain *chain);
/* A memory for one call, and back. */
sluice_status sluice__mps_memory_take(struct engine *engine, struct memory **out);
void sluice__mps_memory_give(struct engine *engine, struct memory *memory);
/* At least so many bytes of one kind. */
sluice_status sluice__mps_memory_reserve(sluice_context *context, struct memory *memory, enum buffer which,
					 size_t bytes);
/* What a memory holds, without the memory itself. */
void sluice__mps_memory_empty(sluice_context *context, struct memory *memory);

/* --- states: mps_state.c --- */

/* What a state's numbers are. */
enum meaning { MEANING_ANY, MEANING_STATE, MEANING_GRADIENT };

/* Of matrices or of images. */
struct recurrent {
	struct object object;
	size_t layers, rows, height, width; /* height and width of images; 0: matrices */
	size_t *channels;                   /* [layers] H */
	void **views;                       /* [2 layers] h and c of each: MPSMatrix or MPSImage, */
	float **data;                       /* [2 layers] and their memory: rows without gaps */
	enum meaning meaning;
	int temporary;
	size_t readCount;
};

struct MPSRNNRecurrentMatrixState {
	struct recurrent recurrent;
};
struct MPSRNNRecurrentImageState {
	struct recurrent recurrent;
};

/* What a state is of. */
struct recurrent_shape {
	size_t layers;
	const size_t *channels;
	size_t rows, height, width;
};

struct recurrent *sluice__mps_recurrent(const struct recurrent_shape *shape, enum meaning meaning, int temporary);
/* Whether a call can start from a state; NULL is one. shape's rows of matrices may be fewer. */
sluice_status sluice__mps_recurrent_check(const struct recurrent *state, const struct recurrent_shape *shape,
					  enum meaning meaning);
/* An encode reads it. */
void sluice__mps_recurrent_read(struct recurrent *state);
/* Numbers of one row of h, and of c, of a layer. */
size_t sluice__mps_recurrent_width(const struct recurrent *state, size_t layer);
/* Into the core's state, and out of it. */
sluice_status sluice__mps_recurrent_write(const struct recurrent *state, const sluice_plan *plan, void *core);
sluice_status sluice__mps_recurrent_take(struct recurrent *state, const sluice_plan *plan, const void *core);
/* Every step's state out of sequences [T,N,S]: row n of step t is there if n < batch_sizes[t] (NULL: always), else it
 * is as in the step before, at first as in `start` (NULL: zeros). */
void sluice__mps_recurrent_unroll(struct recurrent *const *states, size_t steps, const size_t *batch_sizes,
				  const struct recurrent *start, const float *h, const float *c);

/* --- calls: mps_pass.c, mps_call.c --- */

/* One forward run of one engine. */
struct pass {
	const sluice_plan *plan;
	sluice_context *context;
	size_t steps, batch, x_width, y_width; /* widths of a row */
	size_t state_width;                    /* of h, and of c, of all layers */
	const struct span *x, *y;              /* [steps] */
	int x_direct, y_direct;
	const size_t *batch_sizes; /* [steps] NULL: all rows in every step */
	const void **x_steps;      /* [steps] room */
	void **y_steps;
	const struct recurrent *start; /* NULL: zeros */
	int sequences;                 /* h and c of every step are wanted, in BUFFER_H and BUFFER_C, */
	int final;                     /* the final state is, in BUFFER_STATE */
	void *tape;                    /* NULL: none */
};

/* Runs it. y that is not direct is left in BUFFER_Y, [steps, batch, y_width]. */
sluice_status sluice__mps_pass_run(const struct pass *pass, struct memory *memory);
/* Brings it from there to where it belongs. */
void sluice__mps_pass_store(const struct pass *pass, const struct memory *memory);

/* Spans of all steps, and floats [steps, batch, width] without gaps. */
struct sequence {
	const struct span *spans;
	size_t steps, batch, width;
	const size_t *batch_sizes; /* NULL: batch in every step */
};

void sluice__mps_sequence_load(const struct sequence *sequence, float *to);
void sluice__mps_sequence_store(const struct sequence *sequence, const float *from);
/* Rows of spans may not rise from step to step; writes them. */
sluice_status sluice__mps_rows_read(const char *name, const struct span *spans, size_t steps, size_t *rows);

/* What an encode of an inference layer has read of its arguments. */
struct call_request {
	struct stack *stack;
	MPSCommandBuffer *buffer;
	size_t steps, rows, height, width; /* rows of the first step */
	int bidirectional;
	MPSRNNBidirectionalCombineMode combine;
	struct recurrent *start;
	struct recurrent **states; /* where those go that are handed over; NULL: not wanted */
	int all_states, temporary;
};

struct call;

/* A call with room for its spans, and for the objects that it retains. */
sluice_status sluice__mps_call_new(const struct call_request *request, struct call **out);
void sluice__mps_call_free(struct call *call);
struct span *sluice__mps_call_x(struct call *call);
/* Of results: the forward array's, and the backward array's of bidirectional calls that do not combine. */
struct span *sluice__mps_call_y(struct call *call, size_t which);
/* The rows of every step, once x is there: they may not rise. */
sluice_status sluice__mps_call_rows(struct call *call, const size_t **rows);
void sluice__mps_call_retain(struct call *call, void *object);
/* Checks what the spans are together, prepares everything and adds the call to its buffer; frees it on failure. */
sluice_status sluice__mps_call_encode(const struct call_request *request, struct call *call);

/* --- layers: mps_layer.c --- */

/* What the classes of layers have in common. */
enum layer_class { LAYER_MATRIX, LAYER_IMAGE, LAYER_TRAINING };

struct layer {
	struct object object;
	enum layer_class class;
};

/* An inference layer of either class. */
struct inference {
	struct layer layer;
	struct stack *stack;
	int recurrentOutputIsTemporary, storeAllIntermediateStates;
	MPSRNNBidirectionalCombineMode bidirectionalCombineMode;
};

struct MPSRNNMatrixInferenceLayer {
	struct inference inference;
};
struct MPSRNNImageInferenceLayer {
	struct inference inference;
};

/* A device, or a zone. */
sluice_status sluice__mps_no_device(const char *what, const void *device);
struct inference *sluice__mps_inference(void *device, const MPSRNNDescriptor *const *descriptors, size_t count,
					enum layer_class class);
struct inference *sluice__mps_inference_copy(const struct inference *layer, void *zone, void *device);
/* Fills in what the layer's properties say of a call; checks what has nothing to do with data. */
sluice_status sluice__mps_inference_request(struct inference *layer, MPSCommandBuffer *buffer, size_t steps,
					    int bidirectional, struct call_request *out);
/* Channels of the forward array's results (0), or of the backward array's (1). */
size_t sluice__mps_result_width(const struct call_request *request, size_t which);

/* More layers than the core takes. */
enum { MPS_MOST_LAYERS = 128 };

/* What states of a layer of matrices are of, but for the rows. */
sluice_status sluice__mps_layer_shape(void *layer, size_t channels[MPS_MOST_LAYERS], struct recurrent_shape *shape);

/* mps_training.c: the switches of a layer that has done nothing yet. */
sluice_status sluice__mps_training_switch(MPSRNNMatrixTrainingLayer *layer, const sluice_mps_options *options);

/* --- arrays of matrices: mps_matrix_layer.c --- */

struct matrices {
	const char *name;
	MPSMatrix *const *list; /* [count] */
	const size_t *offsets;  /* NULL: zeros */
	size_t count, columns;
	const size_t *rows; /* [count] that each needs; NULL: each has its own */
};

sluice_status sluice__mps_matrices_read(const struct matrices *matrices, struct span *out);

#endif
