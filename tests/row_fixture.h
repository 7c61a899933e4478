/* row_fixture.h: single rows of a run by themselves, for tests of what time, company and places must not change. */
#ifndef SLUICE_TESTS_ROW_FIXTURE_H
#define SLUICE_TESTS_ROW_FIXTURE_H

#include "option_wishes.h"

enum { ROW_STEPS = 7, ROW_BATCH = 9 };

/* Lengths in no order and longest first; 0, 1 and all steps are among them. */
extern const size_t mixed_lengths[ROW_BATCH], sorted_lengths[ROW_BATCH];

/* Some steps of some rows, another selection for each seed. */
void mark_steps(uint8_t marks[ROW_STEPS * ROW_BATCH], unsigned seed);

/* A network of this wish on this level, for ROW_STEPS and ROW_BATCH. */
struct network row_network(const struct option_wish *option, const char *isa);

/* Calls `check` with every optioned network on every level that this machine has. */
typedef void row_check(const struct option_wish *option, const char *isa);
void rows_on_every_level(row_check *check);

/* "projection, avx2, lengths, training": for messages; valid until the next call. */
const char *row_context(const struct option_wish *option, const char *isa, const char *what, int training);

/* Fills the workspace and everything that a run puts out with what is not a number. */
void spoil(struct network *network);

/* Runs forward, and backward if the plan trains, after spoiling. */
void run_all(struct network *network, int training);

/* Runs steps[0 .. count-1] of a row of `whole` as a sequence of their own, in the memory of `lent`, on the plan of
 * `whole`. The states have one row. */
void run_row(const struct network *whole, struct network *lent, size_t row, const size_t *steps, size_t count,
	     const void *initial, const void *dfinal);

/* Row n of a state, and the bytes of one. */
void *state_row(const struct network *network, const void *state, size_t row);
size_t state_row_bytes(const struct network *network);

/* Which results a comparison is about. */
enum {
	ROW_Y = 1,
	ROW_H = 2,
	ROW_C = 4,
	ROW_GATES = 8,
	ROW_DX = 16,
	ROW_FORWARD = ROW_Y | ROW_H | ROW_C | ROW_GATES,
	ROW_ALL = ROW_FORWARD | ROW_DX
};

/* Step t of row n in a run of `batch` rows. */
struct spot {
	const struct network *network;
	size_t batch, t, row;
};

/* What was put out at two places is the same, or zero. Not of y if it is the last step's only. */
void assert_same_step(const char *context, unsigned results, struct spot a, struct spot b);
void assert_zero_step(const char *context, unsigned results, struct spot spot);

/* y of a row's last step is the same. */
void assert_same_last(const char *context, struct spot a, struct spot b);

/* One row of two states holds the same h and c in all cells, or in the forward ones or the reverse ones alone. */
enum { CELLS_FORWARD = 1, CELLS_REVERSE = 2, CELLS_ALL = 3 };
void assert_same_state(const char *context, const struct network *network, unsigned cells, const void *a, size_t a_row,
		       const void *b, size_t b_row);

/* Copies h and c of these cells from one row of state to another. */
void copy_cells(const struct network *network, unsigned cells, const void *from, void *to);

/* Two runs of the same shape put out the same everywhere: data, final states, and all gradients if asked for. */
void assert_same_runs(const char *context, const struct network *a, const struct network *b, int gradients);

#endif
