/*
 * mpsgraph_case.h: a spec of mpsgraph_spec.h as a graph of MPSGraph: an LSTM, its gradients and their data, run in one
 * go or in two, and judged by the reference.
 */
#ifndef SLUICE_TESTS_MPSGRAPH_CASE_H
#define SLUICE_TESTS_MPSGRAPH_CASE_H

#include <sluice/mpsgraph.h>

#include "mpsgraph_spec.h"

/* What comes out: of the LSTM, then of its gradients in Apple's order. */
enum mps_result {
	MPS_H,
	MPS_C,
	MPS_Z,
	MPS_FIRST_GRADIENT,
	MPS_D_X = MPS_FIRST_GRADIENT,
	MPS_D_R,
	MPS_D_W,
	MPS_D_B,
	MPS_D_P,
	MPS_D_H0,
	MPS_D_C0,
	MPS_RESULTS
};

/* Memory of a tensor's and the object that wraps it. */
struct mps_memory {
	void *at;
	size_t count, bytes;
	MPSGraphTensorData *data;
};

struct mps_case {
	struct mps_data data;
	sluice_mpsgraph_options options;
	MPSGraph *graph;
	MPSGraphLSTMDescriptor *descriptor;
	MPSGraphTensor *inputs[MPS_SLOTS], *results[MPS_RESULTS]; /* NULL where there is none */
	MPSGraphLSTMResults forward;
	MPSGraphLSTMGradientsResults gradients;
	struct mps_memory fed[MPS_SLOTS], found[MPS_RESULTS];
};

/* How many numbers of Float32 were judged, and how many of their tolerances say little. In 16 bits a tolerance is one
 * unit of the last place or nothing, and what comes of that over many steps says nothing about this. */
extern struct mps_tally {
	size_t numbers, loose;
} mps_tally;

MPSDataType mps_type(BNNSDataType type);

/* Memory for data of a shape, filled with bytes that are no numbers. */
struct mps_memory mps_memory_create(const MPSShape *shape, MPSDataType type);
struct mps_memory mps_memory_of(const MPSGraphTensor *tensor);
void mps_memory_destroy(struct mps_memory *memory);

/* The shape of what a slot holds. */
MPSShape mps_slot_shape(const struct mps_spec *spec, enum mps_slot slot);

/* A descriptor with everything that the spec says, all results wanted. */
MPSGraphLSTMDescriptor *mps_descriptor(const struct mps_spec *spec);

/* The LSTM and its gradients on given tensors, [MPS_SLOTS] of them, by the shortest methods that take all, or by the
 * longest. */
MPSGraphLSTMResults mps_forward(MPSGraph *graph, MPSGraphTensor *const *in, const MPSGraphLSTMDescriptor *descriptor,
				int shortest);
MPSGraphLSTMGradientsResults mps_backward(MPSGraph *graph, MPSGraphTensor *const *in, MPSGraphTensor *z,
					  MPSGraphTensor *c, const MPSGraphLSTMDescriptor *descriptor, int shortest);

/* Makes the graph with data and nodes; fails the test if anything is refused. Options other than the peephole's are
 * those given, or defaults. */
void mps_case_create(const struct mps_spec *spec, const sluice_mpsgraph_options *options, struct mps_case *out);
void mps_case_destroy(struct mps_case *test);

/* Runs everything in one go. */
void mps_case_run(struct mps_case *test);

/* Runs the LSTM, takes z and c apart, and runs the gradients in a graph of their own that joins the pieces. */
void mps_case_run_in_two(struct mps_case *test);

/* All results that were found, against the reference: forward, backward from the z and c that were found, and all of
 * it from the inputs alone. Returns the largest error as a part of its tolerance, in
 * Float32. */
double mps_case_judge(const struct mps_case *test);

/* Fails the test with the library's sentence unless the condition holds. */
#define assert_mps(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, sluice_mpsgraph_last_message()); \
	} while (0)

#endif
