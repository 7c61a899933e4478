/* exchange.c exists to move numbers between the user's arrays, of any type and layout, and reals. */
#include "backend/cpu/cpu.h"

/* Bytes from the start of the user's array to column 0 of step t of sequence n, of an array of `steps` steps. */
static size_t row_bytes(const struct pass *pass, size_t width, size_t steps, size_t t, size_t n)
{
	const size_t row = pass->prepared->limits.batch_major ? n * steps + t : t * pass->batch + n;
	return row * width * sluice__dtype_bytes(pass->prepared->limits.data);
}

void sluice__exchange_in(const struct pass *pass, const struct team *team, const void *from, size_t width, size_t steps,
			 real *to)
{
	const struct sluice__range own = sluice__share(steps * pass->batch, team->index, team->count);
	for (size_t row = own.first; row < own.last; row++)
		pass->plan->kernels.widen(pass->prepared->limits.data, width,
					  (const char *)from +
						  row_bytes(pass, width, steps, row / pass->batch, row % pass->batch),
					  to + row * width);
}

void sluice__exchange_out(const struct pass *pass, const struct team *team, const real *from, size_t width,
			  size_t steps, void *to)
{
	const struct sluice__range own = sluice__share(steps * pass->batch, team->index, team->count);
	for (size_t row = own.first; row < own.last; row++)
		pass->plan->kernels.narrow(pass->prepared->limits.data, width, from + row * width,
					   (char *)to +
						   row_bytes(pass, width, steps, row / pass->batch, row % pass->batch));
}

void sluice__exchange_store(const struct pass *pass, void *array, size_t width, size_t t, size_t n, size_t column,
			    size_t count, const real *from)
{
	char *to = (char *)array + row_bytes(pass, width, pass->steps, t, n);
	pass->plan->kernels.narrow(pass->prepared->limits.data, count, from,
				   to + column * sluice__dtype_bytes(pass->prepared->limits.data));
}

void sluice__exchange_load(const struct pass *pass, const void *array, size_t width, size_t t, size_t n, size_t column,
			   size_t count, real *to)
{
	const char *from = (const char *)array + row_bytes(pass, width, pass->steps, t, n);
	pass->plan->kernels.widen(pass->prepared->limits.data, count,
				  from + column * sluice__dtype_bytes(pass->prepared->limits.data), to);
}
