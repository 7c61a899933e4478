/* generator.c: samples text, so that what a character model has learnt can be read. */
#include "generator.h"

#include "sluice/ops.h"

sluice_status sluice__generator_create(const struct sluice__characters *characters, struct sluice__generator *out)
{
	sluice_context *context = characters->context;
	const size_t symbols = characters->symbol_count;
	*out = (struct sluice__generator){.characters = characters};
	sluice_status status = sluice_plan_create(characters->model, NULL, &out->plan);
	if (status != SLUICE_OK)
		return status;
	out->state_size = sluice_plan_state_size(out->plan, 1);
	out->workspace_size = sluice_plan_workspace_size(out->plan);
	out->state = sluice_allocate(context, out->state_size);
	out->workspace = out->state ? sluice_allocate(context, out->workspace_size) : NULL;
	out->logits = out->workspace ? sluice_allocate(context, symbols * sizeof(float)) : NULL;
	out->p = out->logits ? sluice_allocate(context, symbols * sizeof(float)) : NULL;
	return out->p ? SLUICE_OK : SLUICE_OUT_OF_MEMORY;
}

void sluice__generator_release(struct sluice__generator *generator)
{
	if (!generator->characters)
		return;
	sluice_context *context = generator->characters->context;
	const size_t symbols = generator->characters->symbol_count;
	sluice_release(context, generator->state, generator->state_size);
	sluice_release(context, generator->workspace, generator->workspace_size);
	sluice_release(context, generator->logits, symbols * sizeof(float));
	sluice_release(context, generator->p, symbols * sizeof(float));
	sluice_plan_destroy(generator->plan);
	*generator = (struct sluice__generator){0};
}

sluice_status sluice__generator_feed(struct sluice__generator *generator, uint32_t symbol)
{
	const struct sluice__characters *characters = generator->characters;
	sluice_run run = SLUICE_RUN_INIT;
	run.x = characters->table + (size_t)symbol * characters->width;
	run.y = generator->logits;
	run.initial_state = generator->state;
	run.final_state = generator->state;
	run.workspace = generator->workspace;
	return sluice_step(generator->plan, &run);
}

static uint32_t likeliest(const float *logits, size_t count)
{
	size_t best = 0;
	for (size_t k = 1; k < count; k++)
		if (logits[k] > logits[best])
			best = k;
	return (uint32_t)best;
}

/* A number in [0,1) with 53 random bits; the counter of docs/EQUATIONS.md with purpose 3 (sampling). */
static double uniform(uint64_t seed, uint64_t position)
{
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	const uint32_t counter[4] = {3u << 20, (uint32_t)position, 0, (uint32_t)(position >> 32) & 0xffffu};
	uint32_t random[4];
	sluice_philox(key, counter, random);
	return (double)((uint64_t)random[0] << 21 | random[1] >> 11) * 0x1p-53;
}

sluice_status sluice__generator_draw(struct sluice__generator *generator, double temperature, uint64_t seed,
				     uint64_t position, uint32_t *symbol)
{
	const struct sluice__characters *characters = generator->characters;
	const size_t symbols = characters->symbol_count;
	/* Below this the likeliest symbol has all the probability that f32 can tell, and 1/temperature may overflow. */
	if (temperature < 1e-6) {
		*symbol = likeliest(generator->logits, symbols);
		return SLUICE_OK;
	}
	sluice_status status = sluice_softmax(characters->context, 1, symbols, (float)(1 / temperature),
					      generator->logits, generator->p);
	if (status != SLUICE_OK)
		return status;
	double total = 0, sum = 0;
	for (size_t k = 0; k < symbols; k++)
		total += (double)generator->p[k];
	double threshold = uniform(seed, position) * total;
	size_t k = 0;
	for (; k + 1 < symbols; k++) {
		sum += (double)generator->p[k];
		if (threshold < sum)
			break;
	}
	*symbol = (uint32_t)k;
	return SLUICE_OK;
}
