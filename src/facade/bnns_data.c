/* bnns_data.c exists to let the core work on the caller's x and y where it can, and on copies where it cannot. */
#include "bnns_internal.h"

sluice_status sluice__bnns_sizes(struct entry *entry, const struct call *call, const size_t **sizes)
{
	const struct network *network = &call->network;
	int whole = !sluice__bnns_dense(call);
	size_t *to;
	*sizes = NULL;
	if (!call->sequence.data)
		return SLUICE_OK;
	BNNS_TRY(sluice__bnns_buffer(entry, BUFFER_SIZES, network->steps * sizeof *to, &to));
	for (size_t t = 0; t < network->steps; t++) {
		to[t] = sluice__bnns_sequence_at(&call->sequence, t);
		whole = whole && to[t] == network->batch;
	}
	if (!whole)
		*sizes = to;
	return SLUICE_OK;
}

/* Elements between two rows of one step. */
static size_t row_stride(const struct call *call, const struct tensor *tensor)
{
	/* A step of one row has no stride between rows; packed rows are as far apart as steps then. */
	if (tensor->count[1] == 1)
		return sluice__bnns_dense(call) && tensor->count[2] > 1 ? tensor->stride[2] : tensor->count[0];
	return tensor->stride[1];
}

/* Whether all rows lie in the plan's layout without gaps. */
static int in_one_piece(const struct call *call, const struct tensor *tensor)
{
	const size_t elements = tensor->count[0], batch = tensor->count[1], steps = tensor->count[2];
	const int time_major = call->network.layout == SLUICE_TIME_MAJOR;
	if (sluice__bnns_dense(call))
		return row_stride(call, tensor) == elements;
	return (batch == 1 || tensor->stride[1] == (time_major ? elements : steps * elements)) &&
	       (steps == 1 || tensor->stride[2] == (time_major ? batch * elements : elements));
}

sluice_status sluice__bnns_exchange(struct entry *entry, const struct call *call, const struct tensor *tensor,
				    enum buffer buffer, enum buffer steps, int apart, struct exchange *exchange)
{
	const size_t elements = tensor->count[0], bytes = sluice__number_bytes(tensor->type);
	const int side_by_side = tensor->stride[0] == 1 || elements == 1;
	*exchange = (struct exchange){.tensor = tensor};
	if (!tensor->data)
		return SLUICE_OK;
	exchange->row = row_stride(call, tensor);
	if (!apart && side_by_side && in_one_piece(call, tensor)) {
		exchange->whole = tensor->data;
		exchange->row = 0;
		return SLUICE_OK;
	}
	if (!apart && side_by_side && !sluice__bnns_dense(call) && exchange->row >= elements) {
		BNNS_TRY(sluice__bnns_buffer(entry, steps, tensor->count[2] * sizeof(void *), &exchange->steps));
		for (size_t t = 0; t < tensor->count[2]; t++)
			exchange->steps[t] = tensor->data + t * tensor->stride[2] * bytes;
		return SLUICE_OK;
	}
	exchange->row = 0;
	exchange->copied = 1;
	return sluice__bnns_buffer(entry, buffer, elements * tensor->count[1] * tensor->count[2] * bytes,
				   &exchange->whole);
}

/* Row n of step t: the caller's, and the copy's. packed: rows of the steps before. */
static void lines_of(const struct call *call, const struct exchange *exchange, size_t t, size_t n, size_t packed,
		     struct line *theirs, struct line *ours)
{
	const struct tensor *tensor = exchange->tensor;
	const size_t elements = tensor->count[0], bytes = sluice__number_bytes(tensor->type);
	size_t row = t * tensor->count[1] + n;
	*theirs = sluice__bnns_line(tensor, n, t, 0);
	if (sluice__bnns_dense(call)) {
		row = packed + n;
		theirs->at = tensor->data + row * row_stride(call, tensor) * bytes;
	} else if (call->network.layout == SLUICE_BATCH_MAJOR) {
		row = n * tensor->count[2] + t;
	}
	*ours = (struct line){(char *)exchange->whole + row * elements * bytes, tensor->type, 1};
}

static void rows_copy(const struct call *call, const size_t *sizes, const struct exchange *exchange, int whole, int out)
{
	const struct tensor *tensor = exchange->tensor;
	struct line theirs, ours;
	size_t packed = 0;
	for (size_t t = 0; t < tensor->count[2]; t++) {
		const size_t rows = sizes && !whole ? sizes[t] : tensor->count[1];
		for (size_t n = 0; n < rows; n++) {
			lines_of(call, exchange, t, n, packed, &theirs, &ours);
			sluice__number_convert(out ? &theirs : &ours, out ? &ours : &theirs, tensor->count[0], 1,
					       out && tensor->accumulate);
		}
		packed += rows;
	}
}

void sluice__bnns_data_in(const struct call *call, const size_t *sizes, const struct exchange *exchange)
{
	if (exchange->copied)
		rows_copy(call, sizes, exchange, 0, 0);
}

void sluice__bnns_data_out(const struct call *call, const size_t *sizes, const struct exchange *exchange, int whole)
{
	if (exchange->copied)
		rows_copy(call, sizes, exchange, whole && !sluice__bnns_dense(call), 1);
}
