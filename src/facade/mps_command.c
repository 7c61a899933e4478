/* mps_command.c exists to keep what was encoded until it is committed, and to do it then. */
#include "mps_internal.h"

#include <stdlib.h>
#include <string.h>

enum { ERROR_TEXT = 512 };

struct MPSCommandBuffer {
	struct object object;
	pthread_mutex_t lock; /* of status */
	pthread_cond_t done;
	MTLCommandBufferStatus status;
	uint64_t serial;
	struct command *first, **end;
	char error[ERROR_TEXT];
};

static void commands_destroy(MPSCommandBuffer *buffer)
{
	struct command *command = buffer->first;
	while (command) {
		struct command *next = command->next;
		command->destroy(command);
		command = next;
	}
	buffer->first = NULL;
	buffer->end = &buffer->first;
}

static void buffer_destroy(void *object)
{
	MPSCommandBuffer *buffer = object;
	commands_destroy(buffer);
	pthread_cond_destroy(&buffer->done);
	pthread_mutex_destroy(&buffer->lock);
	free(buffer);
}

MPS_COUNTED(MPSCommandBuffer)

static atomic_uint_least64_t serials;

uint64_t sluice__mps_serial(const MPSCommandBuffer *commandBuffer)
{
	return commandBuffer->serial;
}

MPSCommandBuffer *MPSCommandBuffer_commandBufferFromCommandQueue(void *commandQueue)
{
	if (commandQueue) {
		MPS_INVALID("command buffer: commandQueue is %p, expected NULL", commandQueue);
		return NULL;
	}
	MPSCommandBuffer *buffer = sluice__object_new(sizeof *buffer, buffer_destroy);
	if (!buffer)
		return NULL;
	pthread_mutex_init(&buffer->lock, NULL);
	pthread_cond_init(&buffer->done, NULL);
	buffer->end = &buffer->first;
	buffer->serial = 1 + atomic_fetch_add(&serials, 1);
	return buffer;
}

static sluice_status begin(MPSCommandBuffer *buffer)
{
	if (!buffer)
		return MPS_INVALID("command buffer: commandBuffer is NULL");
	pthread_mutex_lock(&buffer->lock);
	const MTLCommandBufferStatus before = buffer->status;
	if (before == MTLCommandBufferStatusNotEnqueued)
		buffer->status = MTLCommandBufferStatusCommitted;
	pthread_mutex_unlock(&buffer->lock);
	if (before != MTLCommandBufferStatusNotEnqueued)
		return MPS_INVALID("command buffer: it was committed before");
	return SLUICE_OK;
}

static sluice_status commands_run(MPSCommandBuffer *buffer)
{
	for (struct command *command = buffer->first; command; command = command->next) {
		const sluice_status status = command->run(command);
		if (status != SLUICE_OK) {
			strncpy(buffer->error, sluice_last_message(), ERROR_TEXT - 1);
			return status;
		}
	}
	return SLUICE_OK;
}

int MPSCommandBuffer_commit(MPSCommandBuffer *commandBuffer)
{
	MPS_TRY(begin(commandBuffer));
	const sluice_status status = commands_run(commandBuffer);
	commands_destroy(commandBuffer);
	pthread_mutex_lock(&commandBuffer->lock);
	commandBuffer->status = status == SLUICE_OK ? MTLCommandBufferStatusCompleted : MTLCommandBufferStatusError;
	pthread_cond_broadcast(&commandBuffer->done);
	pthread_mutex_unlock(&commandBuffer->lock);
	return status;
}

int MPSCommandBuffer_waitUntilCompleted(MPSCommandBuffer *commandBuffer)
{
	if (!commandBuffer)
		return MPS_INVALID("command buffer: commandBuffer is NULL");
	pthread_mutex_lock(&commandBuffer->lock);
	while (commandBuffer->status == MTLCommandBufferStatusCommitted)
		pthread_cond_wait(&commandBuffer->done, &commandBuffer->lock);
	const MTLCommandBufferStatus status = commandBuffer->status;
	pthread_mutex_unlock(&commandBuffer->lock);
	if (status == MTLCommandBufferStatusNotEnqueued)
		return MPS_INVALID("command buffer: it was not committed, and waiting would never end");
	if (status == MTLCommandBufferStatusError)
		return sluice_fail(SLUICE_DEVICE, "command buffer: %s", commandBuffer->error);
	return SLUICE_OK;
}

MTLCommandBufferStatus MPSCommandBuffer_status(MPSCommandBuffer *commandBuffer)
{
	if (!commandBuffer)
		return MTLCommandBufferStatusNotEnqueued;
	pthread_mutex_lock(&commandBuffer->lock);
	const MTLCommandBufferStatus status = commandBuffer->status;
	pthread_mutex_unlock(&commandBuffer->lock);
	return status;
}

const char *MPSCommandBuffer_error(MPSCommandBuffer *commandBuffer)
{
	return MPSCommandBuffer_status(commandBuffer) == MTLCommandBufferStatusError ? commandBuffer->error : NULL;
}

sluice_status sluice__mps_encodable(MPSCommandBuffer *commandBuffer)
{
	if (!commandBuffer)
		return MPS_INVALID("commandBuffer is NULL, expected a command buffer");
	if (MPSCommandBuffer_status(commandBuffer) != MTLCommandBufferStatusNotEnqueued)
		return MPS_INVALID("commandBuffer was committed before, expected one that was not");
	return SLUICE_OK;
}

void sluice__mps_encode(MPSCommandBuffer *commandBuffer, struct command *command)
{
	*commandBuffer->end = command;
	commandBuffer->end = &command->next;
}

const char *sluice_mps_last_message(void)
{
	return sluice_last_message();
}
