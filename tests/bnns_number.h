/*
 * bnns_number.h: doubles that carry how far f32 arithmetic may be from them, so that tolerances need no guess.
 *
 * e bounds |what the library has - v|, where the library computes the same expression in f32, in any order of
 * summation, with or without fma: one rounding for each product and each sum, K for a sum of K terms, and one unit of
 * the last place where a value is stored in 16 bits and its error reaches across a border between two of them.
 */
#ifndef SLUICE_TESTS_BNNS_NUMBER_H
#define SLUICE_TESTS_BNNS_NUMBER_H

#include <math.h>
#include <stddef.h>

#include "sluice/bnns.h"

/* Unit roundoff of f32, and what an operation may lose to the denormal range. */
#define NUMBER_U 0x1p-24
#define NUMBER_TINY 0x1p-126

struct bnns_number {
	double v, e;
};

/* A sum under way: its value, the magnitudes of its terms and their own errors. */
struct bnns_sum {
	double v, terms, e;
	size_t count;
};

static inline struct bnns_number number_exact(double v)
{
	return (struct bnns_number){v, 0};
}

/* One operation more: a rounding of a result whose parts are already off by e. */
static inline struct bnns_number number_rounded(double v, double e)
{
	return (struct bnns_number){v, e + NUMBER_U * (fabs(v) + e) + NUMBER_TINY};
}

static inline struct bnns_number number_add(struct bnns_number p, struct bnns_number q)
{
	return number_rounded(p.v + q.v, p.e + q.e);
}

static inline struct bnns_number number_multiply(struct bnns_number p, struct bnns_number q)
{
	return number_rounded(p.v * q.v, fabs(p.v) * q.e + fabs(q.v) * p.e + p.e * q.e);
}

static inline void sum_add(struct bnns_sum *sum, struct bnns_number p)
{
	sum->v += p.v;
	sum->terms += fabs(p.v);
	sum->e += p.e;
	sum->count++;
}

static inline void sum_product(struct bnns_sum *sum, struct bnns_number p, struct bnns_number q)
{
	sum_add(sum, (struct bnns_number){p.v * q.v, fabs(p.v) * q.e + fabs(q.v) * p.e + p.e * q.e});
}

/* Each of the K terms is rounded once as a product and takes part in at most K roundings of partial sums; (1+u)^(K+1)
 * - 1 is below (K+2) u for every K here. */
static inline struct bnns_number sum_close(const struct bnns_sum *sum)
{
	const double k = (double)sum->count;

	if (!sum->count)
		return number_exact(0);
	return (struct bnns_number){sum->v, sum->e + (k + 2) * NUMBER_U * (sum->terms + sum->e) + k * NUMBER_TINY};
}

/* The nearest number of a data type, ties to even. */
double number_nearest(BNNSDataType type, double v);

/* A number after it was stored in a data type. Float32 stores what f32 arithmetic has anyway. */
struct bnns_number number_stored(BNNSDataType type, struct bnns_number p);

/* An activation, and its slope, at a number: off by what the ends of the argument's range say, and by 8 u of the
 * magnitudes that the formula adds up (docs/NUMERICS.md, "Activations"). */
struct bnns_number number_activation(const BNNSActivation *activation, struct bnns_number x);
struct bnns_number number_slope(const BNNSActivation *activation, struct bnns_number x);

#endif
