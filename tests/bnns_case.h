/*
 * bnns_case.h: calls of BNNS's LSTM as a program would make them, drawn from a seed, and judged by the reference.
 */
#ifndef SLUICE_TESTS_BNNS_CASE_H
#define SLUICE_TESTS_BNNS_CASE_H

#include "bnns_array.h"
#include "bnns_reference.h"

/* All arrays of a parameter struct. In the struct of deltas the same places hold their gradients. */
enum bnns_slot_name {
	SLOT_X,
	SLOT_H0,
	SLOT_C0,
	SLOT_Y,
	SLOT_HN,
	SLOT_CN,
	SLOT_IW, /* and three more: by gate, in the struct's order */
	SLOT_IW_UPPER = SLOT_IW + BNNS_GATES,
	SLOT_HW = SLOT_IW_UPPER + BNNS_GATES,
	SLOT_CW = SLOT_HW + BNNS_GATES,
	SLOT_B = SLOT_CW + BNNS_GATES,
	SLOTS = SLOT_B + BNNS_GATES
};

/* How the descriptor of an array names its shape. */
enum bnns_form { FORM_SILENT, FORM_LAST_MAJOR, FORM_FIRST_MAJOR, FORM_MERGED, FORM_STRIDED, FORMS };

/* What a case shall be; drawn by spec_draw, then changed by the test. */
struct bnns_spec {
	uint64_t seed;
	size_t steps, batch, inputs, hidden, layers, directions;
	int default_activations, varying;
	BNNSActivation activations[BNNS_GATES + 1];
	BNNSDataType data, states, weights;
	int present[SLOTS];            /* of the parameters; that of iw and hw is not read */
	int wanted[SLOTS];             /* of the deltas */
	int accumulate[SLOTS];         /* of the deltas that are put out */
	int form[2][SLOTS], nse[2][2]; /* of parameters and deltas; nse of x and of y */
	BNNSDataType sequence_type;
	size_t threads;
	float dropout;
	sluice_bnns_options options;
};

struct bnns_slot {
	int used;
	struct bnns_array array;
	double *values;     /* packed, what the array began with */
	size_t value_count; /* the values may be part of a larger array */
};

struct bnns_case {
	struct bnns_spec spec;
	struct bnns_problem problem;
	size_t *batch_sizes;
	void *sequence;
	struct bnns_slot slots[2][SLOTS];         /* of the parameters and of the deltas */
	double *iw[BNNS_GATES], *diw[BNNS_GATES]; /* of all layers */
	BNNSLayerParametersLSTM parameters, deltas;
	BNNSFilterParameters filter;
	struct bnns_results expected;
	void *cache;
	size_t capacity;
};

/* A random spec; every feature with a chance. */
void spec_draw(uint64_t seed, struct bnns_spec *out);

/* Makes the arrays and sets the options. Computes what is expected, with dropout's factors [L-1][D][T][N][H] unless
 * NULL. */
void case_create(const struct bnns_spec *spec, const double *masks, double mask_error, struct bnns_case *out);
void case_destroy(struct bnns_case *test);

/* Calls; with the case's cache, or without. */
int case_forward(struct bnns_case *test, int with_cache);
int case_backward(struct bnns_case *test, const void *cache, size_t capacity);

/* Puts back what the arrays that a call writes began with, and remembers all bytes. */
void case_reset(struct bnns_case *test);

/* Fails the test with the case's seed unless outputs are as expected and everything else is as remembered. Returns the
 * largest share of its tolerance that an error takes. */
double case_check_forward(const struct bnns_case *test);
double case_check_backward(const struct bnns_case *test);

/* Numbers that were judged so far, and those whose tolerance is above a hundredth of the larger of them and 1. */
struct bnns_tally {
	size_t numbers, loose;
};
extern struct bnns_tally bnns_tally;

/* Fails unless every byte of all arrays is as remembered. */
void case_check_untouched(const struct bnns_case *test);

/* Where a descriptor is. */
BNNSNDArrayDescriptor *slot_descriptor(BNNSLayerParametersLSTM *parameters, int slot);
const char *slot_name(int slot);

/* Fails with the sentence unless a call returned 0. */
#define assert_bnns(call)                                                      \
	do {                                                                   \
		if ((call) != 0)                                               \
			fail_msg("%s: %s", #call, sluice_bnns_last_message()); \
	} while (0)

#endif
