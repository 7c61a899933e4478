/*
 * streams.h: many streams on one set of weights: rows of a state as slots, their start, and a collector of frames.
 *
 * A state is an array of rows. A server keeps one with a row for each stream and names, in every call of sluice_step or
 * sluice_block, the slots that take part (run.slots): their states are gathered, stepped together and put back. Each
 * stream gets the bits that it would get alone on the same plan, whoever else is in the call.
 *
 * Functions on a state are thread-safe where they touch different rows. None but sluice_streams_create allocates.
 */
#ifndef SLUICE_STREAMS_H
#define SLUICE_STREAMS_H

#include <sluice/sluice.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --------------------------------------------------------------------------------------------------- slots ---- */

/* Sets the rows first .. first+count-1 of a state to the start: the learned one, or zeros. Errors: INVALID_ARGUMENT. */
SLUICE_API sluice_status sluice_state_reset(const sluice_plan *plan, void *state, size_t first, size_t count);

/* Copies row `from_slot` of one state to row `to_slot` of another or the same. Errors: INVALID_ARGUMENT. */
SLUICE_API sluice_status sluice_slot_copy(const sluice_plan *plan, void *to, size_t to_slot, const void *from,
					  size_t from_slot);

/* Bytes of a saved slot. */
SLUICE_API size_t sluice_slot_size(const sluice_plan *plan);

/* Writes one row as sluice_slot_size bytes that may be kept in a file: a header, then h and c of every layer and
 * direction without gaps, in this machine's byte order. `bytes` needs no alignment. Errors: INVALID_ARGUMENT (capacity
 * too small). */
SLUICE_API sluice_status sluice_slot_save(const sluice_plan *plan, const void *state, size_t slot, void *bytes,
					  size_t capacity);

/* Reads what sluice_slot_save has written for a model of the same sizes. Errors: FORMAT (another model's, another
 * number type's, not a slot, cut short); the row is then untouched. */
SLUICE_API sluice_status sluice_slot_load(const sluice_plan *plan, void *state, size_t slot, const void *bytes,
					  size_t size);

/* Runs a row through `steps` frames that all are x [I], of the plan's data type (NULL: zeros), so that a stream does
 * not begin with the settling of its state. Puts nothing out. workspace: as of a run; may be used by nobody else
 * meanwhile. Errors: INVALID_ARGUMENT; UNSUPPORTED if a layer runs in reverse. */
SLUICE_API sluice_status sluice_prewarm(const sluice_plan *plan, void *state, size_t slot, const void *x, size_t steps,
					void *workspace);

/* ----------------------------------------------------------------------------------------------- collector ---- */

/* Streams that each have a frame now and then: whoever has one is stepped with all others that have one. All memory is
 * taken when it is created. One thread at a time may use a collector; several may share a plan. */
typedef struct sluice_streams sluice_streams;

/* A collector of up to `capacity` open streams. A tick steps as many rows at once as the plan's batch. Errors:
 * INVALID_ARGUMENT, UNSUPPORTED (a layer runs in reverse), OUT_OF_MEMORY. */
SLUICE_API sluice_status sluice_streams_create(const sluice_plan *plan, size_t capacity, sluice_streams **out);
SLUICE_API void sluice_streams_destroy(sluice_streams *streams);

/* Opens a stream at the start; *stream is its slot, the lowest that is free. Errors: INVALID_ARGUMENT (all are open).
 */
SLUICE_API sluice_status sluice_streams_open(sluice_streams *streams, size_t *stream);

/* Closes a stream; a frame that waits is dropped. Errors: INVALID_ARGUMENT (not open). */
SLUICE_API sluice_status sluice_streams_close(sluice_streams *streams, size_t stream);

/* Copies a frame x [I], of the plan's data type, which waits for the next tick. Errors: INVALID_ARGUMENT (the stream is
 * not open, or a frame of it waits already). */
SLUICE_API sluice_status sluice_streams_push(sluice_streams *streams, size_t stream, const void *x);

/* Steps every stream that has a frame, together; *stepped (may be NULL) is their number. */
SLUICE_API sluice_status sluice_streams_tick(sluice_streams *streams, size_t *stepped);

/* y [outputs] of the stream's frame in the last tick, valid until the next tick; NULL if it had none, or is not open.
 */
SLUICE_API const void *sluice_streams_output(const sluice_streams *streams, size_t stream);

/* The state of all streams, `capacity` rows: for resetting, saving, loading, copying and prewarming between ticks. */
SLUICE_API void *sluice_streams_state(sluice_streams *streams);

#ifdef __cplusplus
}
#endif

#endif
