/* ops.c exists to check the arguments of the operations around an LSTM, then hand them to the backend. */
#include "core/internal.h"

#include <math.h>

#define NOT_NULL(argument)                              \
	do {                                            \
		if (!(argument))                        \
			return sluice__null(#argument); \
	} while (0)

static sluice_status index_check(const char *name, size_t rows, size_t entries, const uint32_t *index)
{
	for (size_t row = 0; row < rows; row++)
		if (index[row] >= entries)
			return SLUICE_INVALID("%s[%zu] is %u, expected less than %zu", name, row, (unsigned)index[row],
					      entries);
	return SLUICE_OK;
}

sluice_status sluice_embedding_forward(sluice_context *context, size_t rows, size_t entries, size_t width,
				       const float *table, const uint32_t *index, float *y)
{
	NOT_NULL(context);
	NOT_NULL(table);
	NOT_NULL(index);
	NOT_NULL(y);
	SLUICE_TRY(index_check("index", rows, entries, index));
	context->backend->embedding_forward(rows, width, table, index, y);
	return SLUICE_OK;
}

sluice_status sluice_embedding_backward(sluice_context *context, size_t rows, size_t entries, size_t width,
					const uint32_t *index, const float *dy, float *dtable)
{
	NOT_NULL(context);
	NOT_NULL(index);
	NOT_NULL(dy);
	NOT_NULL(dtable);
	SLUICE_TRY(index_check("index", rows, entries, index));
	context->backend->embedding_backward(rows, width, index, dy, dtable);
	return SLUICE_OK;
}

sluice_status sluice_softmax_cross_entropy(sluice_context *context, size_t rows, size_t classes, const float *logits,
					   const uint32_t *target, double *loss, float *dlogits)
{
	NOT_NULL(context);
	NOT_NULL(logits);
	NOT_NULL(target);
	NOT_NULL(loss);
	if (rows == 0 || classes == 0)
		return SLUICE_INVALID("rows is %zu and classes is %zu, expected at least 1", rows, classes);
	SLUICE_TRY(index_check("target", rows, classes, target));
	*loss = context->backend->softmax_cross_entropy(context->level, rows, classes, logits, target, dlogits);
	return SLUICE_OK;
}

sluice_status sluice_softmax(sluice_context *context, size_t rows, size_t classes, float scale, const float *logits,
			     float *p)
{
	NOT_NULL(context);
	NOT_NULL(logits);
	NOT_NULL(p);
	if (classes == 0)
		return SLUICE_INVALID("classes is 0, expected at least 1");
	if (!isfinite(scale))
		return SLUICE_INVALID("scale is %g, expected a finite number", (double)scale);
	context->backend->softmax(context->level, rows, classes, scale, logits, p);
	return SLUICE_OK;
}

sluice_status sluice_norm(sluice_context *context, size_t count, const float *x, double *norm)
{
	NOT_NULL(context);
	NOT_NULL(x);
	NOT_NULL(norm);
	*norm = context->backend->norm(context->level, count, x);
	return SLUICE_OK;
}

sluice_status sluice_scale(sluice_context *context, size_t count, float factor, float *x)
{
	NOT_NULL(context);
	NOT_NULL(x);
	context->backend->scale(context->level, count, factor, x);
	return SLUICE_OK;
}

static const size_t moments_of[] = {
#define OPTIMIZER_MOMENTS(name, text, moments) [SLUICE_OPTIMIZER_##name] = moments,
	SLUICE_OPTIMIZER_MAP(OPTIMIZER_MOMENTS)
#undef OPTIMIZER_MOMENTS
};

size_t sluice_optimizer_moments(sluice_optimizer_kind kind)
{
	return (size_t)kind < sizeof moments_of / sizeof moments_of[0] ? moments_of[kind] : 0;
}

static void optimizer_defaults(sluice_optimizer *optimizer)
{
	const bool adam = optimizer->kind == SLUICE_OPTIMIZER_ADAM;
	if (optimizer->decay == 0)
		optimizer->decay = adam ? 0.999f : 0.99f;
	if (optimizer->beta1 == 0)
		optimizer->beta1 = 0.9f;
	if (optimizer->epsilon == 0)
		optimizer->epsilon = 1e-8f;
	if (optimizer->gradient_scale == 0)
		optimizer->gradient_scale = 1.0f;
}

/* Each factor lies in [0, limit); not a number lies nowhere. */
static sluice_status optimizer_check(const sluice_optimizer *optimizer)
{
	const struct {
		const char *name;
		float value, limit;
	} factors[] = {
		{"rate", optimizer->rate, INFINITY},
		{"momentum", optimizer->momentum, 1},
		{"decay", optimizer->decay, 1},
		{"beta1", optimizer->beta1, 1},
		{"epsilon", optimizer->epsilon, INFINITY},
		{"weight_decay", optimizer->weight_decay, INFINITY},
		{"gradient_scale", optimizer->gradient_scale, INFINITY},
	};
	for (size_t j = 0; j < sizeof factors / sizeof factors[0]; j++)
		if (!(factors[j].value >= 0 && factors[j].value < factors[j].limit))
			return SLUICE_INVALID("optimizer.%s is %g, expected 0 <= %s < %g", factors[j].name,
					      (double)factors[j].value, factors[j].name, (double)factors[j].limit);
	if (optimizer->kind == SLUICE_OPTIMIZER_ADAM && optimizer->update == 0)
		return SLUICE_INVALID("optimizer.update is 0, Adam counts its updates from 1");
	return SLUICE_OK;
}

sluice_status sluice_optimizer_step(sluice_context *context, const sluice_optimizer *given, size_t count,
				    float *parameters, const float *gradients, float *const moments[2])
{
	sluice_optimizer optimizer;
	NOT_NULL(context);
	NOT_NULL(given);
	NOT_NULL(parameters);
	NOT_NULL(gradients);
	NOT_NULL(moments);
	SLUICE_TRY(sluice__argument(&optimizer, sizeof optimizer, given, "optimizer"));
	if (sluice_optimizer_moments(optimizer.kind) == 0)
		return SLUICE_INVALID("optimizer.kind is %d, expected one of SLUICE_OPTIMIZER_...",
				      (int)optimizer.kind);
	for (size_t j = 0; j < sluice_optimizer_moments(optimizer.kind); j++)
		if (!moments[j])
			return SLUICE_INVALID("moments[%zu] is NULL, this optimizer needs %zu", j,
					      sluice_optimizer_moments(optimizer.kind));
	optimizer_defaults(&optimizer);
	SLUICE_TRY(optimizer_check(&optimizer));
	context->backend->optimizer(context->level, &optimizer, count, parameters, gradients, moments);
	return SLUICE_OK;
}
