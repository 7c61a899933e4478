/*
 * number.h: values with bounds of their f32 counterparts' errors, and how arithmetic carries the bounds on.
 *
 * Products and sums carry bounds as interval arithmetic does, and each operation adds its own rounding.
 * docs/NUMERICS.md, "The bound of one step", explains the rules.
 */
#ifndef SLUICE_CHECK_NUMBER_H
#define SLUICE_CHECK_NUMBER_H

#include <float.h>
#include <math.h>
#include <stddef.h>

#include "sluice/sluice.h"
#include "storage.h"

#define UNIT 0x1p-24 /* unit roundoff of f32 */

/* A value and how far its f32 counterpart may be from it. */
struct number {
	double value, error;
};

static inline struct number exact(double value)
{
	return (struct number){value, 0};
}

/* One rounding of a result that is already off by `error`. FLT_MIN covers results that are flushed to zero. */
static inline struct number rounded(double value, double error)
{
	return (struct number){value, error + UNIT * (fabs(value) + error) + (double)FLT_MIN};
}

static inline struct number multiply(struct number a, struct number b)
{
	return rounded(a.value * b.value, fabs(a.value) * b.error + fabs(b.value) * a.error + a.error * b.error);
}

static inline struct number add(struct number a, struct number b)
{
	return rounded(a.value + b.value, a.error + b.error);
}

/* Storage in a type: half a last digit of the largest that the number may be. f32 and f64 hold what f32 computes. */
static inline struct number stored(sluice_dtype type, struct number a)
{
	if (type == SLUICE_F16 || type == SLUICE_BF16)
		a.error += sluice__storage_error(type, fabs(a.value) + a.error);
	return a;
}

static inline double clipped(double value, double limit)
{
	return limit > 0 ? fmax(-limit, fmin(limit, value)) : value;
}

/* v, which is zeroed where `at` has reached the limit: both are possible where `at` is too close to tell. */
static inline struct number cut(struct number v, struct number at, double limit)
{
	double distance = fabs(at.value) - limit;

	if (limit <= 0 || distance < -at.error)
		return v;
	if (distance > at.error)
		return exact(0);
	return (struct number){distance < 0 ? v.value : 0, fabs(v.value) + v.error};
}

/* A sum of products: its value, |terms| added up, the errors its inputs bring, and how many terms there are. Of parts
 * that may be convolved by tiles also the square of what their roundings are proportional to, and how many channels or
 * tiles are added up: see NUMERICS.md. */
struct sum {
	double value, terms, carried;
	size_t count;
	double tiled;
	size_t depth;
};

static inline void sum_add(struct sum *sum, struct number a, struct number b)
{
	sum->value += a.value * b.value;
	sum->terms += fabs(a.value * b.value);
	sum->carried += fabs(a.value) * b.error + fabs(b.value) * a.error + a.error * b.error;
	sum->count++;
}

/* (4 + sqrt(K)) u sum|terms|: K roundings of partial sums in any order, whose signs vary; see NUMERICS.md. Each product
 * and each partial sum may be flushed to zero. Without terms the sum is zero and nothing else, unless a tile around it
 * has some. */
static inline double sum_error(const struct sum *sum)
{
	double count = (double)sum->count;

	if (!sum->count && sum->tiled == 0)
		return 0;
	return (4 + sqrt(count)) * UNIT * (sum->terms + sum->carried) + sum->carried + 2 * count * (double)FLT_MIN +
	       (4 + sqrt((double)sum->depth)) * UNIT * sqrt(sum->tiled);
}

static inline struct number sum_number(const struct sum *sum)
{
	return (struct number){sum->value, sum_error(sum)};
}

#endif
