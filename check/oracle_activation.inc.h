/*
 * oracle_activation.inc.h: the table of activations of EQUATIONS.md for one number type, see oracle.inc.h.
 *
 * Each function is one row of that table. terms is what the rounding errors of value are proportional to: a formula
 * that adds or subtracts errs by the magnitudes of its parts, however small the result, and one whose argument is a x +
 * b inherits that sum's rounding, multiplied by the slope.
 */

/* a, b, c of the choice (a of a PReLU is the unit's own), and x. */
struct argument {
	REAL a, b, c, x;
};

struct point {
	REAL value, slope, terms;
};

/* A point of a formula in which nothing cancels. */
static struct point point_of(REAL value, REAL slope)
{
	return (struct point){value, slope, MATH(fabs)(value)};
}

static REAL sigmoid_of(REAL value)
{
	return 1 / (1 + MATH(exp)(-value));
}

static struct point sigmoid(struct argument v)
{
	REAL s = sigmoid_of(v.x);

	return point_of(s, s * (1 - s));
}

static struct point hyperbolic_tangent(struct argument v)
{
	REAL s = MATH(tanh)(v.x);

	return point_of(s, 1 - s * s);
}

static struct point identity(struct argument v)
{
	return point_of(v.x, 1);
}

static struct point relu(struct argument v)
{
	return point_of(v.x > 0 ? v.x : 0, v.x > 0 ? 1 : 0);
}

static struct point linear(struct argument v)
{
	return (struct point){v.a * v.x + v.b, v.a, MATH(fabs)(v.a * v.x) + MATH(fabs)(v.b)};
}

static struct point hard_sigmoid(struct argument v)
{
	struct point s = linear(v);

	s.value = s.value < 0 ? 0 : s.value > 1 ? 1 : s.value;
	s.slope = s.value > 0 && s.value < 1 ? v.a : 0;
	return s;
}

/* A PReLU, too. */
static struct point leaky_relu(struct argument v)
{
	return v.x >= 0 ? point_of(v.x, 1) : point_of(v.a * v.x, v.a);
}

static struct point clipped_relu(struct argument v)
{
	struct point s = leaky_relu(v);

	return s.value < v.b ? s : point_of(v.b, 0);
}

static struct point clamp(struct argument v)
{
	REAL s = v.x < v.b ? v.x : v.b;

	s = s > v.a ? s : v.a;
	return point_of(s, v.x > v.a && v.x < v.b ? 1 : 0);
}

static struct point absolute(struct argument v)
{
	return point_of(MATH(fabs)(v.x), v.x > 0 ? 1 : v.x < 0 ? -1 : 0);
}

static struct point scaled_tanh(struct argument v)
{
	REAL t = MATH(tanh)(v.b * v.x);

	return point_of(v.a * t, v.a * v.b * (1 - t * t));
}

/* log(1 + e^u) without overflow. 1 + e^u errs by u of 1. */
static struct point softplus(struct argument v)
{
	REAL u = v.b * v.x, tail = MATH(log1p)(MATH(exp)(-MATH(fabs)(u)));
	struct point s = point_of(v.a * ((u > 0 ? u : 0) + tail), v.a * v.b * sigmoid_of(u));

	s.terms += MATH(fabs)(v.a);
	return s;
}

static struct point softsign(struct argument v)
{
	REAL d = 1 + MATH(fabs)(v.x);

	return point_of(v.x / d, 1 / (d * d));
}

/* a (e^x - 1) */
static struct point exponential_less_one(REAL a, REAL x)
{
	return (struct point){a * MATH(expm1)(x), a * MATH(exp)(x), MATH(fabs)(a) * (MATH(exp)(x) + 1)};
}

static struct point elu(struct argument v)
{
	return v.x >= 0 ? point_of(v.x, 1) : exponential_less_one(v.a, v.x);
}

static struct point selu(struct argument v)
{
	const REAL lambda = (REAL)1.0507009873554804934193349852946;
	const REAL alpha = (REAL)1.6732632423543772848170429916717;

	return v.x >= 0 ? point_of(lambda * v.x, lambda) : exponential_less_one(lambda * alpha, v.x);
}

static struct point celu(struct argument v)
{
	REAL e;

	if (v.x >= 0)
		return point_of(v.x, 1);
	e = MATH(exp)(v.x / v.a);
	/* x / a is rounded: its share is |a| e |x / a|. */
	return (struct point){v.a * MATH(expm1)(v.x / v.a), e, MATH(fabs)(v.a) * (e + 1) + MATH(fabs)(v.x) * e};
}

/* u^c = e^(c log u) has the share |c log u| of a rounded exponent, and c u^(c-1) times that of u = a x + b. */
static struct point power(struct argument v)
{
	REAL u = v.a * v.x + v.b, sum = MATH(fabs)(v.a * v.x) + MATH(fabs)(v.b);
	int whole = MATH(rint)(v.c) == v.c && MATH(fabs)(v.c) <= 1048576;
	struct point s;

	if (!(u > 0 || whole))
		return point_of(NAN, NAN);
	s = point_of(MATH(pow)(u, v.c), v.a * v.c * MATH(pow)(u, v.c - 1));
	if (u != 0)
		s.terms += s.terms * MATH(fabs)(v.c * MATH(log)(MATH(fabs)(u)));
	s.terms += MATH(fabs)(v.c * MATH(pow)(u, v.c - 1)) * sum;
	return s;
}

static struct point exponential(struct argument v)
{
	REAL u = v.a * v.x + v.b, sum = MATH(fabs)(v.a * v.x) + MATH(fabs)(v.b);
	REAL base = v.c == -1 ? 1 : MATH(log)(v.c);
	struct point s;

	if (!(v.c > 0 || v.c == -1))
		return point_of(NAN, NAN);
	s = point_of(v.c == -1 ? MATH(exp)(u) : MATH(pow)(v.c, u), 0);
	s.slope = v.a * base * s.value;
	s.terms += s.value * MATH(fabs)(base) * sum;
	return s;
}

static struct point logarithm(struct argument v)
{
	REAL u = v.a * v.x + v.b, sum = MATH(fabs)(v.a * v.x) + MATH(fabs)(v.b);
	REAL base = v.c == -1 ? 1 : MATH(log)(v.c);
	struct point s;

	if (!(u > 0) || !(v.c > 0 || v.c == -1) || base == 0)
		return point_of(NAN, NAN);
	s = point_of(MATH(log)(u) / base, v.a / (u * base));
	s.terms += sum / (u * MATH(fabs)(base));
	return s;
}

static struct point gelu(struct argument v)
{
	const REAL half_root = (REAL)0.70710678118654752440084436210485; /* 1 / sqrt 2 */
	const REAL density = (REAL)0.39894228040143267793994605993438;   /* 1 / sqrt(2 pi) */
	REAL erf_x = MATH(erf)(v.x * half_root), phi = (1 + erf_x) / 2;
	struct point s = {v.x * phi, phi + v.x * MATH(exp)(-v.x * v.x / 2) * density, 0};

	s.terms = MATH(fabs)(v.x) * (1 + MATH(fabs)(erf_x)) / 2;
	return s;
}

static struct point gelu_tanh(struct argument v)
{
	REAL cube = v.b * v.x * v.x * v.x, t = MATH(tanh)(v.a * (v.x + cube));
	REAL share = (1 - t * t) * MATH(fabs)(v.a) * (MATH(fabs)(v.x) + MATH(fabs)(cube));
	struct point s = {v.x * (1 + t) / 2, 0, MATH(fabs)(v.x) * (1 + MATH(fabs)(t) + share) / 2};

	s.slope = (1 + t) / 2 + v.x * (1 - t * t) * v.a * (1 + 3 * v.b * v.x * v.x) / 2;
	return s;
}

static struct point log_sigmoid(struct argument v)
{
	struct point s = softplus((struct argument){1, 1, 0, -v.x});

	return (struct point){-s.value, s.slope, s.terms};
}

static struct point silu(struct argument v)
{
	REAL s = sigmoid_of(v.x);

	return point_of(v.x * s, s * (1 + v.x * (1 - s)));
}

static struct point hard_swish(struct argument v)
{
	struct point ramp = hard_sigmoid(v);
	struct point s = {v.x * ramp.value, 2 * v.a * v.x + v.b, MATH(fabs)(v.x) * ramp.terms};

	if (ramp.value == 0 || ramp.value == 1)
		s.slope = ramp.value;
	return s;
}

static struct point hard_shrink(struct argument v)
{
	return MATH(fabs)(v.x) > v.a ? point_of(v.x, 1) : point_of(0, 0);
}

static struct point soft_shrink(struct argument v)
{
	REAL terms = MATH(fabs)(v.x) + MATH(fabs)(v.a);

	if (v.x > v.a)
		return (struct point){v.x - v.a, 1, terms};
	if (v.x < -v.a)
		return (struct point){v.x + v.a, 1, terms};
	return point_of(0, 0);
}

static struct point tanh_shrink(struct argument v)
{
	REAL t = MATH(tanh)(v.x);

	return (struct point){v.x - t, t * t, MATH(fabs)(v.x) + MATH(fabs)(t)};
}

static struct point threshold(struct argument v)
{
	return v.x > v.a ? point_of(v.x, 1) : point_of(v.b, 0);
}

void ORACLE_ACTIVATION(const sluice_activation *activation, REAL parameter, REAL x, REAL *value, REAL *slope,
		       REAL *terms)
{
	static struct point (*const EVALUATE[])(struct argument) = {
		[SLUICE_ACTIVATION_SIGMOID] = sigmoid,
		[SLUICE_ACTIVATION_TANH] = hyperbolic_tangent,
		[SLUICE_ACTIVATION_IDENTITY] = identity,
		[SLUICE_ACTIVATION_RELU] = relu,
		[SLUICE_ACTIVATION_HARD_SIGMOID] = hard_sigmoid,
		[SLUICE_ACTIVATION_LINEAR] = linear,
		[SLUICE_ACTIVATION_LEAKY_RELU] = leaky_relu,
		[SLUICE_ACTIVATION_PRELU] = leaky_relu,
		[SLUICE_ACTIVATION_CLIPPED_RELU] = clipped_relu,
		[SLUICE_ACTIVATION_CLAMP] = clamp,
		[SLUICE_ACTIVATION_ABS] = absolute,
		[SLUICE_ACTIVATION_SCALED_TANH] = scaled_tanh,
		[SLUICE_ACTIVATION_SOFTPLUS] = softplus,
		[SLUICE_ACTIVATION_SOFTSIGN] = softsign,
		[SLUICE_ACTIVATION_ELU] = elu,
		[SLUICE_ACTIVATION_SELU] = selu,
		[SLUICE_ACTIVATION_CELU] = celu,
		[SLUICE_ACTIVATION_POWER] = power,
		[SLUICE_ACTIVATION_EXPONENTIAL] = exponential,
		[SLUICE_ACTIVATION_LOGARITHM] = logarithm,
		[SLUICE_ACTIVATION_GELU] = gelu,
		[SLUICE_ACTIVATION_GELU_TANH] = gelu_tanh,
		[SLUICE_ACTIVATION_LOG_SIGMOID] = log_sigmoid,
		[SLUICE_ACTIVATION_SILU] = silu,
		[SLUICE_ACTIVATION_HARD_SWISH] = hard_swish,
		[SLUICE_ACTIVATION_HARD_SHRINK] = hard_shrink,
		[SLUICE_ACTIVATION_SOFT_SHRINK] = soft_shrink,
		[SLUICE_ACTIVATION_TANH_SHRINK] = tanh_shrink,
		[SLUICE_ACTIVATION_THRESHOLD] = threshold,
	};
	struct argument argument = {(REAL)activation->a, (REAL)activation->b, (REAL)activation->c, x};
	struct point point;

	if (activation->kind == SLUICE_ACTIVATION_PRELU)
		argument.a = parameter;
	point = EVALUATE[activation->kind](argument);
	*value = point.value;
	*slope = point.slope;
	*terms = point.terms;
}
