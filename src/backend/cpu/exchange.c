/* exchange.c exists to move numbers between the caller's arrays, of any type and layout, and reals. */
#include "backend/cpu/pass.h"

#include <string.h>

/* --- where the caller's arrays are --- */

struct array sluice__array_dx(const struct pass *pass)
{
	const sluice_gradients *gradients = pass->gradients;
	struct array array = array_x(pass);
	array.at = gradients->dx;
	array.steps = (const void *const *)gradients->dx_steps;
	array.row = gradients->dx_row ? gradients->dx_row : array.width;
	return array;
}

struct array sluice__array_dy(const struct pass *pass, size_t result)
{
	const sluice_gradients *gradients = pass->gradients;
	struct array array = array_y(pass, result);
	array.at = result ? gradients->dy_reverse : gradients->dy;
	array.steps = result ? gradients->dy_reverse_steps : gradients->dy_steps;
	array.row = gradients->dy_row ? gradients->dy_row : array.width;
	return array;
}

/* Step t of the caller's row n. */
static char *place_of(const struct pass *pass, const struct array *array, size_t t, size_t n)
{
	const size_t bytes = sluice__dtype_bytes(pass->prepared->limits.data);
	size_t row = t * pass->batch + n;
	if (array->steps)
		return (char *)array->steps[array->last ? 0 : t] + n * array->row * bytes;
	if (array->last)
		row = n;
	else if (pass->when->packed)
		row = pass->when->packed[t] + n;
	else if (pass->prepared->limits.batch_major)
		row = n * pass->steps + t;
	return (char *)array->at + row * array->width * bytes;
}

/* --- whole arrays --- */

/* Rows of `array` that step t of it has. */
static size_t rows_of(const struct pass *pass, const struct array *array, size_t t)
{
	return array->last ? pass_present(pass) : pass_rows(pass, t);
}

static size_t steps_of(const struct pass *pass, const struct array *array)
{
	return array->last ? 1 : pass->steps;
}

void sluice__exchange_in(const struct pass *pass, const struct team *team, const struct array *from, real *to)
{
	const struct sluice__range own = sluice__share(steps_of(pass, from), team->index, team->count);
	for (size_t t = own.first; t < own.last; t++)
		for (size_t row = 0; row < rows_of(pass, from, t); row++)
			pass->plan->kernels.widen(pass->prepared->limits.data, from->width,
						  place_of(pass, from, t, pass_caller_row(pass, row)),
						  to + (t * pass->batch + row) * from->width);
}

void sluice__exchange_out(const struct pass *pass, const struct team *team, const real *from, const struct array *to)
{
	const struct sluice__range own = sluice__share(steps_of(pass, to), team->index, team->count);
	for (size_t t = own.first; t < own.last; t++)
		for (size_t row = 0; row < rows_of(pass, to, t); row++)
			pass->plan->kernels.narrow(pass->prepared->limits.data, to->width,
						   from + (t * pass->batch + row) * to->width,
						   place_of(pass, to, t, pass_caller_row(pass, row)));
}

static void blank(const struct pass *pass, const struct team *team, const struct array *array)
{
	const struct sluice__range own = sluice__share(steps_of(pass, array), team->index, team->count);
	const size_t bytes = array->width * sluice__dtype_bytes(pass->prepared->limits.data);
	for (size_t t = own.first; array_given(array) && t < own.last; t++)
		for (size_t row = rows_of(pass, array, t); row < pass->batch; row++)
			memset(place_of(pass, array, t, pass_caller_row(pass, row)), 0, bytes);
}

void sluice__exchange_blank(const struct pass *pass, const struct team *team)
{
	const sluice_run *run = pass->run;
	const struct sluice__network *network = pass->prepared->network;
	const struct array outputs[] = {
		array_y(pass, 0),
		array_y(pass, 1),
		{.at = run->h, .width = network->h_width},
		{.at = run->c, .width = network->c_width},
		{.at = run->gates, .width = SLUICE__GATES * network->c_width},
	};
	if (!pass->when->active)
		return;
	if (pass->gradients) {
		const struct array dx = sluice__array_dx(pass);
		if (!pass->when->packed && !pass_accumulates(pass, SLUICE_ACCUMULATE_X))
			blank(pass, team, &dx);
		return;
	}
	for (size_t each = 0; each < sizeof outputs / sizeof outputs[0]; each++)
		if (!pass->when->packed || outputs[each].last)
			blank(pass, team, &outputs[each]);
}

/* --- parts of rows --- */

void sluice__exchange_store(const struct pass *pass, void *array, size_t width, size_t t, size_t row, size_t column,
			    size_t count, const real *from)
{
	const struct array whole = {.at = array, .width = width};
	char *to = place_of(pass, &whole, t, pass_caller_row(pass, row));
	pass->plan->kernels.narrow(pass->prepared->limits.data, count, from,
				   to + column * sluice__dtype_bytes(pass->prepared->limits.data));
}

void sluice__exchange_load(const struct pass *pass, const void *array, size_t width, size_t t, size_t row,
			   size_t column, size_t count, real *to)
{
	const struct array whole = {.at = array, .width = width};
	const char *from = place_of(pass, &whole, t, pass_caller_row(pass, row));
	pass->plan->kernels.widen(pass->prepared->limits.data, count,
				  from + column * sluice__dtype_bytes(pass->prepared->limits.data), to);
}
