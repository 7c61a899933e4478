/*
 * sluice.h: LSTM networks for inference, streaming and training; this header is the whole core contract.
 *
 * Concepts
 *
 *   context   where allocation, threads and the instruction-set cap are decided. Outlives everything made from it.
 *   model     a description (layers, sizes, options) and its parameters, one canonical block of f32 with named views.
 *   plan      a model prepared for one use: kernels chosen, weights packed, sizes known. Constant while it runs, so
 *             one plan serves many threads at once, each with its own run, state, workspace and tape.
 *   state     h and c of every layer for every row of a batch. Caller-owned memory, copyable with memcpy. A run may
 *             work on any rows of a larger state: its slots, see streams.h.
 *   run       one call: data in, data out. A run allocates nothing, takes no lock with one thread and cannot fail
 *             half-way: arguments are checked first, and a refused call leaves every output untouched.
 *
 *   sluice_context_create -> sluice_model_create -> parameters -> sluice_plan_create -> sluice_forward or sluice_step
 *
 * Conventions
 *
 *   Arrays are row-major with the last index fastest. T = steps, N = batch, I = inputs, H = hidden, D = directions.
 *   Data are [T,N,width] (time-major, the default) or [N,T,width] (batch-major), a choice of the plan.
 *   Gates are ordered i f g o (input, forget, candidate, output) unless a weights view says otherwise.
 *   The equations are those of docs/EQUATIONS.md.
 *   Every argument struct starts with its own size; initialise it with its SLUICE_..._INIT and zero means default.
 *   Functions that can fail return a sluice_status, put their result last, and leave a sentence for
 *   sluice_last_message(). Handles may be shared between threads for reading; creating, changing and destroying one
 *   handle is the caller's to serialise. Every _destroy accepts NULL.
 */
#ifndef SLUICE_SLUICE_H
#define SLUICE_SLUICE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------- version ---- */

#define SLUICE_VERSION_MAJOR 0
#define SLUICE_VERSION_MINOR 3
#define SLUICE_VERSION_PATCH 0

#if defined(_WIN32) && defined(SLUICE_SHARED)
#define SLUICE_API __declspec(dllimport)
#elif defined(__GNUC__)
#define SLUICE_API __attribute__((visibility("default")))
#else
#define SLUICE_API
#endif

/* An argument struct with its size set and everything else zero. */
#ifdef __cplusplus
#define SLUICE_SIZED(type)                         \
	[] {                                       \
		type sluice_sized_ = type();       \
		sluice_sized_.size = sizeof(type); \
		return sluice_sized_;              \
	}()
#else
#define SLUICE_SIZED(type)           \
	{                            \
		.size = sizeof(type) \
	}
#endif

/* The library's version as "major.minor.patch". Static storage. */
SLUICE_API const char *sluice_version(void);

/* -------------------------------------------------------------------------------------------------- status ---- */

/* Code and text of every status, in one list. */
#define SLUICE_STATUS_MAP(X)                                             \
	X(OK, "success")                                                 \
	X(INVALID_ARGUMENT, "an argument is outside what is documented") \
	X(UNSUPPORTED, "valid, but not implemented")                     \
	X(OUT_OF_MEMORY, "the allocator returned NULL")                  \
	X(IO, "a file could not be read or written")                     \
	X(FORMAT, "a file's content is not what its format demands")     \
	X(DEVICE, "the device failed")                                   \
	X(INTERNAL, "a mistake inside the library")

typedef enum sluice_status {
#define SLUICE_STATUS_ENUM(name, text) SLUICE_##name,
	SLUICE_STATUS_MAP(SLUICE_STATUS_ENUM)
#undef SLUICE_STATUS_ENUM
} sluice_status;

/* "SLUICE_OK" and so on. Static storage; an unknown value gives "SLUICE_UNKNOWN". */
SLUICE_API const char *sluice_status_name(sluice_status status);

/* The general meaning of a status. Static storage. */
SLUICE_API const char *sluice_status_text(sluice_status status);

/* The sentence of this thread's most recent failure: the argument, its value and what was expected. Never NULL; valid
 * until the next failing call of this thread. */
SLUICE_API const char *sluice_last_message(void);

/* ------------------------------------------------------------------------------------------ data types, terms -- */

/* Name, text and bytes of every storage type. */
#define SLUICE_DTYPE_MAP(X) \
	X(F32, "f32", 4)    \
	X(F64, "f64", 8)    \
	X(F16, "f16", 2)    \
	X(BF16, "bf16", 2)  \
	X(I8, "i8", 1)

typedef enum sluice_dtype {
#define SLUICE_DTYPE_ENUM(name, text, bytes) SLUICE_##name,
	SLUICE_DTYPE_MAP(SLUICE_DTYPE_ENUM)
#undef SLUICE_DTYPE_ENUM
} sluice_dtype;

/* Kinds of activation, their formulas in a, b, c in docs/EQUATIONS.md, "Activations". DEFAULT is sigmoid for the gates
 * i f o, tanh for the candidate g and for the cell output. A kind uses a, b, c literally: zero is zero. */
#define SLUICE_ACTIVATION_MAP(X)        \
	X(DEFAULT, "default")           \
	X(SIGMOID, "sigmoid")           \
	X(TANH, "tanh")                 \
	X(IDENTITY, "identity")         \
	X(RELU, "relu")                 \
	X(HARD_SIGMOID, "hard_sigmoid") \
	X(LINEAR, "linear")             \
	X(LEAKY_RELU, "leaky_relu")     \
	X(PRELU, "prelu")               \
	X(CLIPPED_RELU, "clipped_relu") \
	X(CLAMP, "clamp")               \
	X(ABS, "abs")                   \
	X(SCALED_TANH, "scaled_tanh")   \
	X(SOFTPLUS, "softplus")         \
	X(SOFTSIGN, "softsign")         \
	X(ELU, "elu")                   \
	X(SELU, "selu")                 \
	X(CELU, "celu")                 \
	X(POWER, "power")               \
	X(EXPONENTIAL, "exponential")   \
	X(LOGARITHM, "logarithm")       \
	X(GELU, "gelu")                 \
	X(GELU_TANH, "gelu_tanh")       \
	X(LOG_SIGMOID, "log_sigmoid")   \
	X(SILU, "silu")                 \
	X(HARD_SWISH, "hard_swish")     \
	X(HARD_SHRINK, "hard_shrink")   \
	X(SOFT_SHRINK, "soft_shrink")   \
	X(TANH_SHRINK, "tanh_shrink")   \
	X(THRESHOLD, "threshold")

typedef enum sluice_activation_kind {
#define SLUICE_ACTIVATION_ENUM(name, text) SLUICE_ACTIVATION_##name,
	SLUICE_ACTIVATION_MAP(SLUICE_ACTIVATION_ENUM)
#undef SLUICE_ACTIVATION_ENUM
} sluice_activation_kind;

/* An activation and its parameters, whose meaning belongs to the kind. */
typedef struct sluice_activation {
	sluice_activation_kind kind;
	float a, b, c;
} sluice_activation;

typedef enum sluice_direction {
	SLUICE_FORWARD,      /* t = 0 .. T-1 */
	SLUICE_REVERSE,      /* t = T-1 .. 0; outputs stay aligned with their inputs */
	SLUICE_BIDIRECTIONAL /* both */
} sluice_direction;

/* What a bidirectional layer makes of its two h. */
typedef enum sluice_combination {
	SLUICE_CONCATENATE, /* one result, twice as wide: forward, then reverse */
	SLUICE_ADD,         /* one result, their sum */
	SLUICE_SEPARATE /* two results: the layer above, bidirectional too, reads each with the direction of its own;
			   of the last layer they are y and y_reverse */
} sluice_combination;

/* Where a sequence that is shorter than T lies. */
typedef enum sluice_padding {
	SLUICE_PADDING_RIGHT, /* t = 0 .. length-1 */
	SLUICE_PADDING_LEFT   /* t = T-length .. T-1 */
} sluice_padding;

/* Gates, to be or-ed together. */
enum { SLUICE_GATE_I = 1, SLUICE_GATE_F = 2, SLUICE_GATE_G = 4, SLUICE_GATE_O = 8, SLUICE_GATES_ALL = 15 };

/* How a layer's input enters the gates. */
typedef enum sluice_input {
	SLUICE_INPUT_WEIGHTS,  /* W x, x of any width */
	SLUICE_INPUT_IDENTITY, /* x itself enters every gate; its width is H */
	SLUICE_INPUT_GATES     /* x holds four numbers for each unit; its width is D*4H. The gates are in the plan's
				  order, above the first layer in the order i f g o */
} sluice_input;

/* What one element of a mask on h[t-1] belongs to. */
typedef enum sluice_mask_shape {
	SLUICE_MASK_SEQUENCE, /* [N,.]: one for each sequence, kept over its steps */
	SLUICE_MASK_UNIT,     /* [.]: the same for all sequences and steps */
	SLUICE_MASK_STEP      /* [T,N,.] */
} sluice_mask_shape;

typedef enum sluice_peephole {
	SLUICE_PEEPHOLE_NONE,
	SLUICE_PEEPHOLE_DIAGONAL, /* one number for each unit; of images for each channel, at all places */
	SLUICE_PEEPHOLE_FULL,     /* a matrix; of images a convolution */
	SLUICE_PEEPHOLE_ELEMENT   /* of images: one number for each channel at each place */
} sluice_peephole;

/* What a convolution sees around an image: always zeros, so many. */
typedef enum sluice_border {
	SLUICE_BORDER_SAME, /* as many as the centre of the kernel, height >> 1 and width >> 1, needs to reach every
			       place of the image: without stride the result is as large as the image */
	SLUICE_BORDER_NONE, /* none: the kernel stays inside */
	SLUICE_BORDER_GIVEN /* top, left, bottom, right */
} sluice_border;

/* One convolution of a layer; zero means default throughout. */
typedef struct sluice_convolution {
	size_t height, width;          /* of the kernel; 0: 1 */
	size_t dilation_y, dilation_x; /* distance of its taps; 0: 1 */
	size_t groups; /* output channels of each gate, and input channels, fall into so many parts that see only each
			  other; 0: 1 */
	size_t stride_y, stride_x; /* distance of the places where the kernel is laid; of the input only; 0: 1 */
	sluice_border border;
	size_t top, left, bottom, right; /* zeros, if border says so */
} sluice_convolution;

typedef enum sluice_layout {
	SLUICE_TIME_MAJOR, /* [T,N,width] */
	SLUICE_BATCH_MAJOR /* [N,T,width] */
} sluice_layout;

typedef enum sluice_choice { SLUICE_AUTO, SLUICE_ON, SLUICE_OFF } sluice_choice;

/* ------------------------------------------------------------------------------------------------- context ---- */

typedef struct sluice_context sluice_context;
typedef struct sluice_model sluice_model;
typedef struct sluice_plan sluice_plan;

/* Where the library takes memory from. allocate returns NULL on failure; alignment is a power of two of at least 64.
 * Used by create functions only, never by a run. Must be callable from every thread that creates handles. */
typedef struct sluice_allocator {
	void *(*allocate)(void *user, size_t bytes, size_t alignment);
	void (*release)(void *user, void *block, size_t bytes);
	void *user;
} sluice_allocator;

/* A piece of parallel work: called once for each index in 0 .. count-1. */
typedef void (*sluice_task)(void *argument, int index, int count);

/* Runs task on count threads, at most `threads` and at least one, all of them at the same time (tasks wait for each
 * other at barriers), and returns when every one has returned. */
typedef void (*sluice_parallel)(void *user, int threads, sluice_task task, void *argument);

/* One line of diagnostics, such as the kernels that a new plan has chosen; text is valid during the call. */
typedef void (*sluice_log)(void *user, const char *text);

typedef struct sluice_context_options {
	size_t size;
	const sluice_allocator *allocator; /* copied; NULL: the C library's */
	int threads;                       /* threads of one run; 0: one */
	sluice_parallel parallel;          /* the host's thread pool; NULL: OpenMP where built with it */
	void *parallel_user;
	const char *isa; /* highest instruction-set level to use, by name; NULL: SLUICE_ISA, else the best one */
	sluice_log log;  /* NULL: silence */
	void *log_user;
} sluice_context_options;
#define SLUICE_CONTEXT_OPTIONS_INIT SLUICE_SIZED(sluice_context_options)

/* Makes a context; options NULL means all defaults. Errors: INVALID_ARGUMENT (unknown isa, threads < 0, half an
 * allocator), OUT_OF_MEMORY. */
SLUICE_API sluice_status sluice_context_create(const sluice_context_options *options, sluice_context **out);

/* Frees a context after everything made from it. */
SLUICE_API void sluice_context_destroy(sluice_context *context);

/* --------------------------------------------------------------------------------------------------- model ---- */

/* One layer. Zero means default throughout; hidden must be given. */
typedef struct sluice_layer {
	size_t size;
	size_t hidden;              /* H, units of each direction */
	sluice_direction direction; /* default forward */
	int no_bias;                /* 1: the layer has no bias */
	float dropout;              /* in [0,1): chance that an output is dropped on its way to the next layer or the
				       read-out, in training runs; kept outputs are scaled by 1/(1-dropout) */
	sluice_activation input_activation, forget_activation, candidate_activation, output_activation;
	sluice_activation cell_activation; /* applied to c before the output gate */
	sluice_peephole peephole;          /* default none */
	int peephole_previous;             /* 1: the output gate's peephole sees c[t-1], not c[t] */
	size_t projection;                 /* width of the projected h; 0: none, h has H elements */
	float projection_clip;             /* limit of the projected |h|; 0: none */
	float cell_clip;                   /* |c| limit; 0: none */
	float gate_clip;                   /* |pre-activation| limit; 0: none */
	sluice_input input;                /* default weights */
	unsigned no_gates;                 /* SLUICE_GATE_...: gates that are constant one */
	unsigned no_input_weights, no_recurrent_weights, no_peepholes; /* gates whose block of W, R, V is zero */
	int coupled;                                                   /* 1: the forget gate is 1 - i */
	float recurrent_dropout; /* in [0,1): chance that an element of h[t-1] is dropped on its way to the gates, in
				    training runs; kept ones are scaled by 1/(1-recurrent_dropout) */
	sluice_mask_shape recurrent_dropout_shape; /* how often that is drawn */
	float zoneout_h, zoneout_c; /* in [0,1): chance that an element of h, of c keeps its old value, in training
				       runs; in others the old value counts with this weight */
	float dropconnect;          /* in [0,1): chance that an element of R is dropped, once a run, in training runs;
				       kept ones are scaled by 1/(1-dropconnect) */
	sluice_combination combination; /* bidirectional layers; default concatenate */
	int learned_start; /* 1: h and c start from parameters of the layer where no initial state is given, and at
			      resets; 0: from zeros */
	/* Of images; zero otherwise. The last two keep the size of what they see. */
	sluice_convolution input_convolution;     /* W */
	sluice_convolution recurrent_convolution; /* R */
	sluice_convolution memory_convolution;    /* V, if the peephole is full */
} sluice_layer;
#define SLUICE_LAYER_INIT SLUICE_SIZED(sluice_layer)

/* A stack of layers, each fed by the one before, and an optional dense read-out. */
typedef struct sluice_description {
	size_t size;
	size_t inputs;              /* I of the first layer */
	size_t layer_count;         /* at least 1, at most 127 */
	const sluice_layer *layers; /* [layer_count]; the stride is layers[0].size */
	size_t outputs;             /* width of the read-out y = h W^T + b; 0: none, y is the last layer's result. Not
				       above a layer with separate results. Of images: at each place */
	size_t image_height, image_width; /* of x; 0: none. With images the layers are ConvLSTMs: see "Images" */
} sluice_description;
#define SLUICE_DESCRIPTION_INIT SLUICE_SIZED(sluice_description)

/* Makes a model with all parameters zero. The description is copied. Errors: INVALID_ARGUMENT (a size is zero or
 * overflows, a value is out of range), UNSUPPORTED (an option that is not implemented), OUT_OF_MEMORY. */
SLUICE_API sluice_status sluice_model_create(sluice_context *context, const sluice_description *description,
					     sluice_model **out);

/* Frees a model after the plans made from it. */
SLUICE_API void sluice_model_destroy(sluice_model *model);

/* The model's own copy of its description; valid as long as the model. */
SLUICE_API const sluice_description *sluice_model_description(const sluice_model *model);

/* Width of y: the read-out's, else that of the last layer's result, and of each if they are separate. Of images: all
 * of its numbers, places times channels. */
SLUICE_API size_t sluice_model_outputs(const sluice_model *model);

/* Size of the images that a layer puts out, and of x for layer = layer_count. 0 and 0 without images. Errors:
 * INVALID_ARGUMENT. */
SLUICE_API sluice_status sluice_model_image(const sluice_model *model, size_t layer, size_t *height, size_t *width);

/* The canonical parameter block: count floats, tensors at 64-byte offsets with zeros in the gaps. Optimizers work on
 * the block as one vector; gradients and moments have the same layout. Change it, then call sluice_plan_update on every
 * plan of the model. count may be NULL. */
SLUICE_API float *sluice_model_parameters(const sluice_model *model, size_t *count);

/* Where one named tensor lies in the canonical block, row-major [rows, columns]. */
typedef struct sluice_parameter {
	size_t size;
	const char *name; /* as PyTorch's nn.LSTM: weight_ih_l0 [4H,I], weight_hh_l0_reverse [4H,width of h], bias_l0
			     [4H], weight_hr_l0 [projection,H]; peephole_l0 [4,H] or [4H,H] if full; prelu_l0 [5,H],
			     slopes of the gates i f g o and the cell output; start_h_l0 [width of h], start_c_l0 [H];
			     readout.weight, readout.bias. Of images: weight_ih_l0 [4H, height, width, I/groups] of
			     the kernel, which counts as one row for each of 4H; weight_hh_l0 and full peepholes
			     likewise; peephole_l0 [4H, Y X] if there is one for each element */
	size_t offset;    /* in floats */
	size_t rows, columns; /* a vector has one column */
} sluice_parameter;
#define SLUICE_PARAMETER_INIT SLUICE_SIZED(sluice_parameter)

/* Number of named tensors. */
SLUICE_API size_t sluice_model_parameter_count(const sluice_model *model);

/* Describes tensor `index`, in the order of the block. Errors: INVALID_ARGUMENT. */
SLUICE_API sluice_status sluice_model_parameter(const sluice_model *model, size_t index, sluice_parameter *out);

/* A view of one layer's and direction's weights in somebody else's layout; nothing is kept after the call.
 * Either a whole block (input, recurrent, bias, peephole) whose rows are the gates in `order`, or one pointer per gate
 * (input_gates[k] and so on, k counting in `order`). Strides are in elements; zero means row-major without gaps. A
 * transposed matrix (Keras: [I,4H]) has row stride 1 and column stride 4H. P is the width of h: the projection, or H.
 * Blocks that the layer is described without are not read, and tensors that it has not must be NULL. */
typedef struct sluice_weights {
	size_t size;
	sluice_dtype dtype;         /* of all arrays: f32 (default), f64, f16, bf16 */
	const char *order;          /* a permutation of "ifgo", which NULL means; ONNX: "iofg" */
	const void *input;          /* [4H,I] */
	const void *recurrent;      /* [4H,P] */
	const void *bias;           /* [4H]; NULL: zeros */
	const void *recurrent_bias; /* [4H], added to bias; NULL: zeros */
	const void *input_gates[4], *recurrent_gates[4], *bias_gates[4]; /* [H,I], [H,P], [H] */
	ptrdiff_t input_row, input_column;         /* strides of input or of each of input_gates */
	ptrdiff_t recurrent_row, recurrent_column; /* strides of recurrent or of each of recurrent_gates */
	const void *peephole;                      /* diagonal: [4H]; full: [4H,H]; NULL: zeros */
	const void *peephole_gates[4];             /* [H] or [H,H] each; single ones may be NULL: zeros */
	ptrdiff_t peephole_row, peephole_column;   /* strides of full peepholes */
	const void *projection;                    /* [projection,H] */
	ptrdiff_t projection_row, projection_column;
	const void *prelu[5]; /* [H] slopes of the PReLUs of gates i f g o (always in this order) and cell output */
	const void *start_h, *start_c; /* [P], [H] of a learned start; NULL: zeros */
	/* Of images I, P and H are channels, and each is behind the rows and columns of a kernel: [4H, height, width,
	 * I/groups] (OHWI). Strides from row to row and from column to column of the kernel; zero means without gaps.
	 * PyTorch's OIHW: input_y = width, input_x = 1, input_column = height width. Of peepholes for each element,
	 * [4H, Y, X], they are the strides of the image, peephole_row that of the channels. */
	ptrdiff_t input_y, input_x, recurrent_y, recurrent_x, peephole_y, peephole_x;
} sluice_weights;
#define SLUICE_WEIGHTS_INIT SLUICE_SIZED(sluice_weights)

/* Copies weights into the canonical block. direction is 0, or 1 for the reverse half of a bidirectional layer. Errors:
 * INVALID_ARGUMENT, UNSUPPORTED (dtype). */
SLUICE_API sluice_status sluice_model_set_weights(sluice_model *model, size_t layer, size_t direction,
						  const sluice_weights *weights);

/* Copies the read-out's weight [outputs, width of the last layer's result] and bias [outputs] (NULL: zeros) into the
 * canonical block. */
SLUICE_API sluice_status sluice_model_set_readout(sluice_model *model, const float *weight, const float *bias);

typedef struct sluice_initialization {
	size_t size;
	uint64_t seed;
	float scale;       /* weights are uniform in [-scale, scale]; 0: 1/sqrt(H), of images over the kernel of R, too,
			      and 1/sqrt(D*H) for the read-out */
	float forget_bias; /* added to the forget gate's bias; biases are otherwise zero */
} sluice_initialization;
#define SLUICE_INITIALIZATION_INIT SLUICE_SIZED(sluice_initialization)

/* Fills the parameters with random numbers that depend on the seed and the description only. NULL: all defaults. */
SLUICE_API sluice_status sluice_model_initialize(sluice_model *model, const sluice_initialization *options);

/* ---------------------------------------------------------------------------------------------------- plan ---- */

/* What backward starts from. */
typedef enum sluice_tape_mode {
	SLUICE_TAPE_FULL,      /* the tape: gates, h and c of every step */
	SLUICE_TAPE_RECOMPUTE, /* the tape: h and c of every step; the gates are computed again */
	SLUICE_TAPE_OUTPUTS    /* no tape: run.gates and run.c of the forward run; h is rebuilt from them. For layers
				  whose gates say enough: sluice_plan_create refuses others */
} sluice_tape_mode;

typedef struct sluice_plan_options {
	size_t size;
	size_t steps;                  /* largest T of one call; 0: 1 */
	size_t batch;                  /* largest N of one call; 0: 1 */
	int training;                  /* 1: runs may write a tape and sluice_backward may be called */
	sluice_layout layout;          /* of x, y, a mask for each step, h, c, gates and the gradients */
	sluice_choice flush_denormals; /* treat denormal numbers as zero inside calls; auto: on unless training */
	sluice_dtype weights; /* storage of W, R, full V, projection and read-out inside the plan: f32, f16 or bf16 */
	sluice_dtype data;    /* of x, y, mask, the sequences and their gradients: f32, f16 or bf16. h is rounded to it
				 after every step. Arithmetic, c, states and gradients of parameters are f32. f64: the
				 whole plan computes in double, and what is said to be f32 is f64, for verification */
	sluice_dtype tape;    /* storage of gates and h on the tape: f32, f16 or bf16 */
	sluice_tape_mode tape_mode; /* what backward starts from */
	const char *gate_order;     /* of run.gates, and of x without input weights: a permutation of "ifgo", which NULL
				       means */
	sluice_choice winograd;     /* of images: kernels of 3 x 3 and 5 x 5 by tiles, with a fourth and a sixth of the
				       products and about ten times their error (docs/NUMERICS.md); auto: on where it is
				       faster, off: every product is taken by itself */
} sluice_plan_options;
#define SLUICE_PLAN_OPTIONS_INIT SLUICE_SIZED(sluice_plan_options)

/* Chooses kernels, packs the weights, computes all sizes. options NULL: one step of one row. The model must outlive the
 * plan. Errors: INVALID_ARGUMENT (sizes overflow), UNSUPPORTED (a storage type; tape_mode outputs for a
 * layer whose gates do not say enough), OUT_OF_MEMORY. */
SLUICE_API sluice_status sluice_plan_create(const sluice_model *model, const sluice_plan_options *options,
					    sluice_plan **out);
SLUICE_API void sluice_plan_destroy(sluice_plan *plan);

/* Packs the model's parameters again after they changed. Allocates nothing; no run may be under way on this plan. */
SLUICE_API sluice_status sluice_plan_update(sluice_plan *plan);

/* Bytes of a state of `batch` rows: rows of equal size, 64-byte multiples, one for each sequence. */
SLUICE_API size_t sluice_plan_state_size(const sluice_plan *plan, size_t batch);

/* Bytes of workspace that any call on this plan may use; 64-byte alignment. One workspace for each concurrent run. */
SLUICE_API size_t sluice_plan_workspace_size(const sluice_plan *plan);

/* Bytes of a tape for a forward call of `steps` steps with the plan's largest batch; 64-byte alignment. 0 when the
 * plan does not train, or keeps no tape. The formula is in docs/NUMERICS.md, "The tape". */
SLUICE_API size_t sluice_plan_tape_size(const sluice_plan *plan, size_t steps);

/* Writes a text that says which kernels were chosen and why, NUL-terminated and cut at capacity. Returns the length of
 * the whole text. text may be NULL if capacity is 0. */
SLUICE_API size_t sluice_plan_describe(const sluice_plan *plan, char *text, size_t capacity);

/* The chosen kernels in one line, such as "avx512/step_f32 avx512/gemm_f32". Valid as long as the plan. */
SLUICE_API const char *sluice_plan_kernels(const sluice_plan *plan);

/* --------------------------------------------------------------------------------------------------- state ---- */

/* A state is plain memory of sluice_plan_state_size bytes, 64-byte aligned; all zero bytes is the zero state. It has
 * one row for each sequence, the same for every plan of the same model. */

/* Copies h [batch,width of h] and c [batch,H] of one layer and direction into (write) or out of (read) a state; f32, or
 * f64 if the plan computes in f64. h or c may be NULL. Errors: INVALID_ARGUMENT. */
SLUICE_API sluice_status sluice_state_write(const sluice_plan *plan, void *state, size_t batch, size_t layer,
					    size_t direction, const void *h, const void *c);
SLUICE_API sluice_status sluice_state_read(const sluice_plan *plan, const void *state, size_t batch, size_t layer,
					   size_t direction, void *h, void *c);

/* ----------------------------------------------------------------------------------------------------- run ---- */

/* One call. x, y, mask and the sequences are of the plan's data type; pointers may not overlap; all memory is the
 * caller's. S is the width of all h side by side, layer by layer and in each the forward direction first; C that of all
 * c. [T,N,.] is [N,T,.] if the plan is batch-major, and so are the flags [T,N].
 *
 * Time. Without lengths every row has all T steps. A step that a row has not costs nothing: x and flags are not read
 * there, and what the run puts out there is zero. EQUATIONS.md, "Time", says what lengths, resets and holds mean for
 * for each direction.
 *
 * Images. Where the description has images, a row of x is one: [Y,X,I], channels last; so is one of y, of the size that
 * the last layer puts out. Widths count all numbers of a row: h and c of a layer and direction are [Y,X,P] and [Y,X,H],
 * in states too, and S and C are the sums of their sizes; gates are [Y,X,4H]. EQUATIONS.md, "Images". */
typedef struct sluice_run {
	size_t size;
	size_t steps, batch;       /* T and N of this call, at most the plan's; zero: the plan's */
	const void *x;             /* [T,N,I] */
	void *y;                   /* [T,N,outputs], or [N,outputs] if last_only; NULL: not wanted */
	const void *initial_state; /* state of N rows; NULL: the start, which is learned or zero */
	void *final_state;         /* state of N rows, each after its own last step; may be initial_state; NULL: not
				      wanted */
	void *workspace;           /* sluice_plan_workspace_size bytes */
	void *tape;                /* forward writes it, backward reads it; NULL: no backward will follow */
	int training;              /* 1: dropout of all kinds is active */
	uint64_t seed;             /* of all random numbers of the run */
	uint64_t step_offset; /* absolute number of the run's first step, so that chunks draw what the whole would */
	const uint64_t *sequence_ids; /* [N] absolute numbers of the rows, below 2^48; NULL: 0 .. N-1 */
	const size_t *lengths;        /* [N] steps of each row, 0 to T, in any order; NULL: all T, or batch_sizes */
	const uint8_t *resets;        /* [T,N] 1: the row begins anew with this step; NULL: never */
	const void *mask;             /* h[t-1] is multiplied by it on its way to the gates: [N,S], [S] or [T,N,S] as
					 mask_shape says; NULL: ones. The step sees it besides recurrent_dropout */
	sluice_mask_shape mask_shape;
	int last_only; /* 1: y is that of each row's last processed step of each direction alone */
	void *h;       /* [T,N,S] of every step; NULL: not wanted */
	void *c;       /* [T,N,C] of every step; NULL: not wanted */
	void *gates;   /* [T,N,4C] activated, for each layer and direction four blocks of H in the plan's gate_order, an
			  absent gate as ones; NULL: not wanted. Backward reads c and gates if tape_mode is outputs */
	const uint8_t *holds;      /* [T,N] 1: the row keeps its state in this step; NULL: never */
	const size_t *batch_sizes; /* [T] instead of lengths: the rows 0 .. batch_sizes[t]-1 have step t; none is larger
				      than the one before. PyTorch's form */
	sluice_padding padding;    /* of rows with lengths */
	int packed; /* 1: x, y, the sequences, [T,N,S] masks and their gradients have no padding: step t holds the rows
		       that have it and nothing else. For time-major plans, padding on the right, and lengths none of
		       which is larger than the one before. Flags are not packed */
	const void *const *x_steps;   /* [T] instead of x: step t's [N,I], its rows x_row elements apart; may repeat */
	void *const *y_steps;         /* [T] instead of y, [1] if last_only; rows y_row elements apart */
	size_t x_row, y_row;          /* 0: I, outputs */
	void *y_reverse;              /* as y: the second result of a last layer with separate ones; NULL: not wanted */
	void *const *y_reverse_steps; /* instead of y_reverse, as y_steps */
	const size_t *slots; /* [N] different rows of initial_state and final_state, which row n of the run reads and
				writes; NULL: rows 0 .. N-1. Other rows are not touched */
	size_t slot_count;   /* rows of these two states, if slots are given */
} sluice_run;
#define SLUICE_RUN_INIT SLUICE_SIZED(sluice_run)

/* Runs T steps of the whole stack: y, the final state and, if run->tape is given, the tape. Thread-safe for different
 * runs, also for runs on different slots of one state. Errors: INVALID_ARGUMENT. */
SLUICE_API sluice_status sluice_forward(const sluice_plan *plan, const sluice_run *run);

/* As sluice_forward, in the calling thread whatever the threads of the context: no allocation, no lock, no system call.
 * For blocks of frames of a stream, with the bits of as many calls of sluice_step. */
SLUICE_API sluice_status sluice_block(const sluice_plan *plan, const sluice_run *run);

/* Runs one step: as sluice_forward with run->steps taken as 1, and with the same bits as the step has inside a
 * sequence. Made to be called for every sample: no allocation, no lock, no system call, whatever the threads of the
 * context. Errors: as sluice_forward; UNSUPPORTED if a layer runs in reverse, if a tape is given, or if the run
 * trains with dropconnect, whose mask every step would draw again. */
SLUICE_API sluice_status sluice_step(const sluice_plan *plan, const sluice_run *run);

enum { /* sluice_gradients.accumulate */
       SLUICE_ACCUMULATE_X = 1,
       SLUICE_ACCUMULATE_PARAMETERS = 2,
       SLUICE_ACCUMULATE_STATE = 4
};

/* Gradients of a scalar loss L. Incoming ones that are NULL count as zero; outgoing ones that are NULL are not
 * computed. Outgoing ones are overwritten unless `accumulate` names them. */
typedef struct sluice_gradients {
	size_t size;
	const void *dy;      /* dL/dy, shape and type of y */
	const void *dfinal;  /* dL/d(final state), laid out as a state of N rows, whatever the slots */
	void *dx;            /* dL/dx, shape and type of x */
	void *dparameters;   /* dL/d(parameters), f32, laid out as the canonical block, gaps included */
	void *dinitial;      /* dL/d(initial state), laid out as a state of N rows, whatever the slots; may be dfinal */
	unsigned accumulate; /* SLUICE_ACCUMULATE_... or-ed together */
	const void *dh;      /* [T,N,S] dL/d(run.h): of every h in every step, besides what y and later steps say */
	const void *dc;      /* [T,N,C] dL/d(run.c) */
	const void *dy_reverse;              /* dL/dy_reverse */
	const void *const *dy_steps;         /* [T] instead of dy, [1] if last_only; rows dy_row elements apart */
	const void *const *dy_reverse_steps; /* instead of dy_reverse, likewise */
	void *const *dx_steps;               /* [T] instead of dx, different ones; rows dx_row elements apart */
	size_t dy_row, dx_row;               /* 0: outputs, I */
} sluice_gradients;
#define SLUICE_GRADIENTS_INIT SLUICE_SIZED(sluice_gradients)

/* The gradients of a forward run: pass the same run (x, initial state, steps, batch, lengths, flags, training, seed,
 * offsets, mask) with its tape, or with its gates and c if the plan's tape_mode is outputs. Gradients do not flow
 * beyond the initial state: carrying the state from call to call is truncated BPTT. The tape is only read. Errors:
 * INVALID_ARGUMENT (plan not for training, no tape), UNSUPPORTED. */
SLUICE_API sluice_status sluice_backward(const sluice_plan *plan, const sluice_run *run,
					 const sluice_gradients *gradients);

/* ------------------------------------------------------------------------------------------------ advanced ---- */

/* Instruction-set levels this library was built with, in ascending order; the name is NULL past the end. */
SLUICE_API const char *sluice_isa_name(size_t index);

/* Whether this machine can run level `index`. */
SLUICE_API int sluice_isa_available(size_t index);

/* The level a context uses, and its number of threads. */
SLUICE_API const char *sluice_context_isa(const sluice_context *context);
SLUICE_API int sluice_context_threads(const sluice_context *context);

/* For libraries built on this one: sets this thread's message, formatted as by printf, and returns status. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
SLUICE_API sluice_status
sluice_fail(sluice_status status, const char *format, ...);

/* For libraries built on this one: memory from the context's allocator, aligned to 64 bytes and zeroed. NULL on
 * failure, with the message set. bytes of the release are those of the allocation; block may be NULL. */
SLUICE_API void *sluice_allocate(sluice_context *context, size_t bytes);
SLUICE_API void sluice_release(sluice_context *context, void *block, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
