/* optim.inc.h: operations on flat vectors and rows of any length: optimizer updates, norms, scaling, softmax. */

/* A vector of the last `count` elements, the rest filled up. */
static inline vf tail_load(const float *p, size_t count, float fill)
{
	float lanes[LANES];
	for (size_t lane = 0; lane < LANES; lane++)
		lanes[lane] = lane < count ? p[lane] : fill;
	return vf_load(lanes);
}

static inline void tail_store(float *p, size_t count, vf a)
{
	float lanes[LANES];
	vf_store(lanes, a);
	memcpy(p, lanes, count * sizeof *p);
}

static inline vf part_load(const float *p, size_t count, float fill)
{
	return count >= LANES ? vf_load(p) : tail_load(p, count, fill);
}

static inline void part_store(float *p, size_t count, vf a)
{
	if (count >= LANES)
		vf_store(p, a);
	else
		tail_store(p, count, a);
}

static inline vf update_gradient(const struct sluice__update *update, vf g, vf p)
{
	return vf_fma(p, vf_set(update->weight_decay), vf_mul(g, vf_set(update->gradient_scale)));
}

static void update_sgd(const struct sluice__update *update, size_t count, float *parameters, const float *gradients,
		       float *moment0, float *moment1)
{
	(void)moment1;
	for (size_t j = 0; j < count; j += LANES) {
		size_t rest = count - j;
		vf p = part_load(parameters + j, rest, 0.0f);
		vf g = update_gradient(update, part_load(gradients + j, rest, 0.0f), p);
		vf velocity = vf_fma(part_load(moment0 + j, rest, 0.0f), vf_set(update->momentum), g);
		part_store(moment0 + j, rest, velocity);
		part_store(parameters + j, rest, vf_fma(velocity, vf_set(-update->rate), p));
	}
}

static void update_rmsprop(const struct sluice__update *update, size_t count, float *parameters, const float *gradients,
			   float *moment0, float *moment1)
{
	const vf decay = vf_set(update->decay), rest_of_decay = vf_set(1.0f - update->decay);
	for (size_t j = 0; j < count; j += LANES) {
		size_t rest = count - j;
		vf p = part_load(parameters + j, rest, 0.0f);
		vf g = update_gradient(update, part_load(gradients + j, rest, 0.0f), p);
		vf square = vf_fma(vf_mul(g, g), rest_of_decay, vf_mul(part_load(moment0 + j, rest, 0.0f), decay));
		vf change = vf_div(g, vf_add(vf_sqrt(square), vf_set(update->epsilon)));
		vf velocity = vf_fma(part_load(moment1 + j, rest, 0.0f), vf_set(update->momentum), change);
		part_store(moment0 + j, rest, square);
		part_store(moment1 + j, rest, velocity);
		part_store(parameters + j, rest, vf_fma(velocity, vf_set(-update->rate), p));
	}
}

static void update_adam(const struct sluice__update *update, size_t count, float *parameters, const float *gradients,
			float *moment0, float *moment1)
{
	const vf beta1 = vf_set(update->beta1), rest_of_beta1 = vf_set(1.0f - update->beta1);
	const vf decay = vf_set(update->decay), rest_of_decay = vf_set(1.0f - update->decay);
	const vf rate = vf_set(-update->rate / update->correction1), root = vf_set(1.0f / update->correction2);
	for (size_t j = 0; j < count; j += LANES) {
		size_t rest = count - j;
		vf p = part_load(parameters + j, rest, 0.0f);
		vf g = update_gradient(update, part_load(gradients + j, rest, 0.0f), p);
		vf mean = vf_fma(g, rest_of_beta1, vf_mul(part_load(moment0 + j, rest, 0.0f), beta1));
		vf square = vf_fma(vf_mul(g, g), rest_of_decay, vf_mul(part_load(moment1 + j, rest, 0.0f), decay));
		vf scale = vf_fma(vf_sqrt(square), root, vf_set(update->epsilon));
		part_store(moment0 + j, rest, mean);
		part_store(moment1 + j, rest, square);
		part_store(parameters + j, rest, vf_fma(vf_div(mean, scale), rate, p));
	}
}

static void scale_f32(size_t count, float factor, float *x)
{
	for (size_t j = 0; j < count; j += LANES)
		part_store(x + j, count - j, vf_mul(part_load(x + j, count - j, 0.0f), vf_set(factor)));
}

/* Lane sums of a stretch short enough for f32, then everything else in double. */
static double sum_squares_f32(size_t count, const float *x)
{
	enum { STRETCH = 256 * LANES };
	double total = 0;
	for (size_t first = 0; first < count; first += STRETCH) {
		size_t last = count - first < STRETCH ? count : first + STRETCH;
		float lanes[LANES];
		vf sum = vf_set(0.0f);
		for (size_t j = first; j < last; j += LANES) {
			vf each = part_load(x + j, last - j, 0.0f);
			sum = vf_fma(each, each, sum);
		}
		vf_store(lanes, sum);
		for (size_t lane = 0; lane < LANES; lane++)
			total += (double)lanes[lane];
	}
	return total;
}

static double softmax_f32(size_t count, float scale, const float *logits, float *p, float *highest)
{
	float lanes[LANES];
	double total = 0;
	*highest = logits[0] * scale;
	for (size_t j = 1; j < count; j++)
		*highest = logits[j] * scale > *highest ? logits[j] * scale : *highest;
	for (size_t j = 0; j < count; j += LANES) {
		size_t rest = count - j;
		vf shifted = vf_sub(vf_mul(part_load(logits + j, rest, 0.0f), vf_set(scale)), vf_set(*highest));
		vf power = act_exp(shifted);
		part_store(p + j, rest, power);
		vf_store(lanes, power);
		for (size_t lane = 0; lane < LANES && lane < rest; lane++)
			total += (double)lanes[lane];
	}
	scale_f32(count, (float)(1.0 / total), p);
	return total;
}
