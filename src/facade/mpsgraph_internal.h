/*
 * mpsgraph_internal.h: what the files of the MPSGraph front end share.
 *
 * A method checks its arguments, computes the shapes of its results and makes a node of them, which never changes
 * afterwards. What a node does is in its kind. A program is a list of nodes in the order they were made, cut down to
 * what the targets need, with a place in memory for every tensor; a workspace is one run's memory, and holds what the
 * nodes keep from run to run.
 */
#ifndef SLUICE_FACADE_MPSGRAPH_INTERNAL_H
#define SLUICE_FACADE_MPSGRAPH_INTERNAL_H

#include <pthread.h>

#include <sluice/mpsgraph.h>

#include "number.h"
#include "object.h"

/* --- types and shapes: mpsgraph_shape.c --- */

/* What a tensor is: its elements' type and its shape. */
struct type {
	MPSDataType dataType;
	MPSShape shape;
};

/* Room for the longest of both. */
enum { MPS_SHAPE_TEXT = 24 + 21 * SLUICE_MPSGRAPH_RANK };

/* "Float32 [5,2,3]", and the shape alone, into text. Both return text. */
const char *sluice__mpsgraph_type_text(const struct type *type, char text[MPS_SHAPE_TEXT]);
const char *sluice__mpsgraph_shape_text(const MPSShape *shape, char text[MPS_SHAPE_TEXT]);

/* Reads an argument: known data type, rank, no size 0, bytes that fit. `what` begins the sentence: "placeholder". */
sluice_status sluice__mpsgraph_type(const char *what, const MPSShape *shape, MPSDataType dataType, struct type *out);
size_t sluice__mpsgraph_elements(const MPSShape *shape);
size_t sluice__mpsgraph_bytes(const struct type *type);
int sluice__mpsgraph_same_shape(const MPSShape *a, const MPSShape *b);
sluice_dtype sluice__mpsgraph_dtype(MPSDataType dataType);

/* An axis below `rank`, which may be given from the end. */
sluice_status sluice__mpsgraph_axis(const char *what, ptrdiff_t axis, size_t rank, size_t *out);

/* --- graph, tensors, nodes: mpsgraph_graph.c --- */

struct MPSGraphTensor {
	MPSGraphOperation *operation; /* the node that makes it, */
	size_t index;                 /* and which of its results it is */
	size_t number;                /* among all tensors of the graph */
	struct type type;
	size_t bytes;
};

/* One call of a node. Pointers to absent inputs and to outputs that nobody wants are NULL. */
struct execution {
	const MPSGraphOperation *node;
	void *entry;
	const void *const *inputs; /* [node->input_count] */
	void *const *outputs;      /* [node->output_count] */
	uint64_t seed;
};

/* What a node does. Without execute its only output is its first input under another type. */
struct node_kind {
	const char *name;
	size_t option_bytes;
	/* Makes what the node keeps in one workspace, before its first run; wanted[k]: somebody wants output k. NULL:
	 * nothing is kept. */
	sluice_status (*prepare)(const MPSGraphOperation *node, const unsigned char *wanted, void **entry);
	void (*discard)(void *entry); /* takes NULL */
	/* Allocates nothing. Inputs may not be changed; outputs share memory with nothing else. */
	sluice_status (*execute)(const struct execution *execution);
};

/* A node. */
struct MPSGraphOperation {
	MPSGraph *graph;
	const struct node_kind *kind;
	size_t number; /* among all nodes of the graph, in the order they were made */
	size_t input_count, output_count;
	MPSGraphTensor **inputs; /* NULL, each: not given */
	MPSGraphTensor *outputs;
	void *options; /* [kind->option_bytes] */
	void *data;    /* of constants and variables */
	char *name;
};

struct MPSGraph {
	struct object object;
	sluice_mpsgraph_options options;
	atomic_uint_least64_t seed;
	MPSGraphOperation **nodes;
	size_t node_count, node_room, tensor_count, dropout_count;
	pthread_mutex_t lock; /* of variables' data and of the kept programs */
	struct program *kept; /* those of recent runs, the last one first */
};

struct node_request {
	MPSGraph *graph;
	const struct node_kind *kind;
	MPSGraphTensor *const *inputs; /* NULL, each: not given; all of this graph */
	size_t input_count;
	const struct type *outputs;
	size_t output_count;
	const void *options; /* copied; NULL: zeros */
	const void *data;    /* copied, as many bytes as the first output has; NULL: none */
	const char *name;    /* copied; may be NULL */
};

/* Makes a node; NULL with a message on failure. Checks that inputs are of the graph, and nothing else of them. */
MPSGraphOperation *sluice__mpsgraph_node(const struct node_request *request);

/* As node, for nodes of one output: that tensor. */
MPSGraphTensor *sluice__mpsgraph_result(const struct node_request *request);

/* A tensor that a method must have, of this graph. */
sluice_status sluice__mpsgraph_given(const char *what, const MPSGraph *graph, const MPSGraphTensor *tensor);

/* Kinds that programs treat apart: their data come from elsewhere. */
extern const struct node_kind sluice__mpsgraph_placeholder, sluice__mpsgraph_constant, sluice__mpsgraph_variable,
	sluice__mpsgraph_assign;

/* --- data: mpsgraph_data.c --- */

struct MPSGraphTensorData {
	struct object object;
	struct type type;
	size_t bytes;
	void *data;
	int owned;
};

/* Data with memory of their own. */
MPSGraphTensorData *sluice__mpsgraph_data(const struct type *type);

/* --- programs: mpsgraph_program.c --- */

/* Where the data of a tensor are. */
enum source {
	SOURCE_FEED,     /* in feed `index` */
	SOURCE_CONSTANT, /* with the node */
	SOURCE_ARENA,    /* at `offset` */
	SOURCE_RESULT,   /* in result `index` */
	SOURCE_ALIAS     /* in slot `index`, which is no alias */
};

/* No slot: an input that is absent, an output that nobody wants. */
#define SLOT_ABSENT SIZE_MAX

struct slot {
	const MPSGraphTensor *tensor;
	enum source source;
	size_t index, offset;
	size_t first, last; /* the steps that make it and use it last */
};

/* A node that computes; numbers of slots are in the program's list, from `inputs` and `outputs` on. */
struct step {
	const MPSGraphOperation *node;
	size_t inputs, outputs;
};

/* What is done once a run: variables are copied to their slots before, assigned from slots after the steps, and targets
 * that are in memory of another's copied from there. */
struct transfer {
	MPSGraphOperation *variable; /* NULL: a target */
	size_t slot, target;
};

struct transfers {
	struct transfer *list;
	size_t count;
};

struct program {
	struct program *next; /* of those that a graph keeps */
	MPSGraph *graph;
	MPSGraphTensor **feeds, **targets;
	MPSGraphOperation **operations;
	size_t feed_count, target_count, operation_count;
	struct step *steps;
	struct slot *slots;
	size_t *numbers;
	size_t step_count, slot_count, number_count;
	size_t widest; /* most inputs or outputs of a step */
	struct transfers loads, copies, assignments;
	size_t arena_bytes;
	pthread_mutex_t lock; /* of idle */
	struct workspace *idle;
};

/* What is to be computed from what. */
struct order {
	MPSGraph *graph;
	MPSGraphTensor *const *feeds;
	size_t feed_count;
	MPSGraphTensor *const *targets;
	size_t target_count;
	MPSGraphOperation *const *operations;
	size_t operation_count;
};

sluice_status sluice__mpsgraph_program(const struct order *order, struct program **out);
void sluice__mpsgraph_program_destroy(struct program *program);
int sluice__mpsgraph_program_matches(const struct program *program, const struct order *order);

/* mpsgraph_arena.c: gives every slot of the arena its offset; slots whose lives meet do not share memory. */
sluice_status sluice__mpsgraph_arena(struct program *program);

/* mpsgraph_execute.c: runs a program. Data of the feeds and memory for the targets, in their order, of the right types.
 */
sluice_status sluice__mpsgraph_execute(struct program *program, MPSGraphTensorData *const *inputs,
				       MPSGraphTensorData *const *results, uint64_t seed);

void sluice__mpsgraph_workspaces_destroy(struct program *program);

/* mpsgraph_run.c: frees the programs that a graph keeps. */
void sluice__mpsgraph_forget(MPSGraph *graph);

#endif
