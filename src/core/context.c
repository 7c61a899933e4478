/* context.c exists to settle, once, where memory, threads and the instruction-set level come from. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/kernels.h"

sluice_status sluice__null(const char *name)
{
	return SLUICE_INVALID("%s is NULL, a pointer was expected", name);
}

sluice_status sluice__argument(void *to, size_t to_bytes, const void *from, const char *what)
{
	size_t bytes;
	memcpy(&bytes, from, sizeof bytes);
	if (bytes < sizeof bytes)
		return SLUICE_INVALID("%s.size is %zu, expected its sizeof: initialise the struct with its _INIT macro",
				      what, bytes);
	const unsigned char *tail = (const unsigned char *)from + to_bytes;
	for (size_t j = to_bytes; j < bytes; j++)
		if (*tail++)
			return sluice_fail(SLUICE_UNSUPPORTED,
					   "%s uses a field at byte %zu that this version (%s) does not know", what, j,
					   sluice_version());
	memcpy(to, from, bytes < to_bytes ? bytes : to_bytes);
	if (bytes < to_bytes)
		memset((unsigned char *)to + bytes, 0, to_bytes - bytes);
	memcpy(to, &to_bytes, sizeof to_bytes);
	return SLUICE_OK;
}

static size_t best_level(void)
{
	size_t best = 0;
	for (size_t level = 0; level < sluice__level_count(); level++)
		if (sluice__level_available(level))
			best = level;
	return best;
}

/* The best available level that is not above the one named `cap`. */
static sluice_status choose_level(const char *cap, size_t *chosen)
{
	if (!cap)
		cap = getenv("SLUICE_ISA");
	if (!cap || !*cap) {
		*chosen = best_level();
		return SLUICE_OK;
	}
	size_t highest = 0;
	for (size_t level = 0; level < sluice__level_count(); level++) {
		if (sluice__level_available(level))
			highest = level;
		if (strcmp(cap, sluice__level_name(level)) == 0) {
			*chosen = highest;
			return SLUICE_OK;
		}
	}
	return SLUICE_INVALID("isa is \"%s\", expected one of the built-in levels \"%s\" to \"%s\"", cap,
			      sluice__level_name(0), sluice__level_name(sluice__level_count() - 1));
}

static sluice_status options_check(const sluice_context_options *options)
{
	enum { MOST_THREADS = 1024 };
	if (options->threads < 0 || options->threads > MOST_THREADS)
		return SLUICE_INVALID("threads is %d, expected 0 to %d", options->threads, MOST_THREADS);
	if (options->allocator && (!options->allocator->allocate || !options->allocator->release))
		return SLUICE_INVALID("allocator lacks %s, expected both functions",
				      options->allocator->allocate ? "release" : "allocate");
	return SLUICE_OK;
}

sluice_status sluice_context_create(const sluice_context_options *given, sluice_context **out)
{
	sluice_context_options options = SLUICE_CONTEXT_OPTIONS_INIT;
	size_t level = 0;
	if (!out)
		return sluice__null("out");
	*out = NULL;
	if (given)
		SLUICE_TRY(sluice__argument(&options, sizeof options, given, "options"));
	SLUICE_TRY(options_check(&options));
	SLUICE_TRY(choose_level(options.isa, &level));

	const sluice_allocator *allocator = options.allocator ? options.allocator : &sluice__default_allocator;
	sluice_context *context = sluice__allocate(allocator, sizeof *context);
	if (!context)
		return SLUICE_OUT_OF_MEMORY;
	context->allocator = *allocator;
	context->parallel.run = options.parallel;
	context->parallel.user = options.parallel_user;
	context->parallel.threads = options.threads ? options.threads : 1;
	context->backend = &sluice__backend_cpu_f32;
	context->backend_f64 = &sluice__backend_cpu_f64;
	context->level = level;
	context->log = options.log;
	context->log_user = options.log_user;
	*out = context;
	return SLUICE_OK;
}

void sluice_context_destroy(sluice_context *context)
{
	if (!context)
		return;
	sluice_allocator allocator = context->allocator;
	sluice__release(&allocator, context, sizeof *context);
}

const char *sluice_isa_name(size_t index)
{
	return sluice__level_name(index);
}

int sluice_isa_available(size_t index)
{
	return sluice__level_available(index);
}

const char *sluice_context_isa(const sluice_context *context)
{
	return sluice__level_name(context->level);
}

int sluice_context_threads(const sluice_context *context)
{
	return context->parallel.threads;
}

void *sluice_allocate(sluice_context *context, size_t bytes)
{
	return sluice__allocate(&context->allocator, bytes);
}

void sluice_release(sluice_context *context, void *block, size_t bytes)
{
	sluice__release(&context->allocator, block, bytes);
}
