/*
 * test_oracle_options.c: finite differences judge every option of the cell by itself, and every activation in every
 * place.
 */
#include "differences.h"

#define SEEDS_MAX 500
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* clang-format off */
#define LAYER(...) {.size = sizeof(sluice_layer), __VA_ARGS__}
#define ACTIVATION(name, a, b, c) {SLUICE_ACTIVATION_##name, a, b, c}
/* clang-format on */

/* One network. Steps, batch and inputs are 5, 3 and 2 where nothing is said. */
struct option_case {
	const char *name;
	unsigned flags;
	sluice_mask_shape mask_shape;
	size_t inputs, outputs;
	sluice_layer layers[2]; /* up to the first without units */
};

static void case_create(const struct option_case *one, uint64_t seed, struct subject *subject)
{
	sluice_description description = SLUICE_DESCRIPTION_INIT;

	description.layers = one->layers;
	description.layer_count = one->layers[1].hidden ? 2 : 1;
	description.inputs = one->inputs ? one->inputs : 2;
	description.outputs = one->outputs;
	subject_create(&description, 5, 3, one->flags, seed, subject);
	subject->run.mask_shape = one->mask_shape;
}

/* A case with the first seed whose run keeps away from all kinks. */
static void case_choose(const struct option_case *one, struct subject *subject)
{
	for (uint64_t seed = 1; seed <= SEEDS_MAX; seed++) {
		case_create(one, seed, subject);
		if (kinks(subject) >= KINK_DISTANCE)
			return;
		subject_destroy(subject);
	}
	fail_msg("%s: every one of %d seeds comes near a kink", one->name, SEEDS_MAX);
}

static double check_case(const struct option_case *one)
{
	struct subject subject;
	double worst;

	case_choose(one, &subject);
	worst = check_differences(one->name, &subject);
	subject_destroy(&subject);
	return worst;
}

static void check_cases(const struct option_case *cases, size_t count)
{
	for (size_t index = 0; index < count; index++) {
		double worst = check_case(&cases[index]);

		print_message("%s: worst error %.1e\n", cases[index].name, worst);
	}
}

/* ------------------------------------------------------------------------------------------- activations ---- */

/* Every kind, with parameters that keep it inside its domain here. */
static const struct {
	const char *name;
	sluice_activation activation;
} ACTIVATIONS[] = {
	{"sigmoid", ACTIVATION(SIGMOID, 0, 0, 0)},
	{"tanh", ACTIVATION(TANH, 0, 0, 0)},
	{"identity", ACTIVATION(IDENTITY, 0, 0, 0)},
	{"relu", ACTIVATION(RELU, 0, 0, 0)},
	{"hard_sigmoid", ACTIVATION(HARD_SIGMOID, 0.9f, 0.4f, 0)},
	{"hard_sigmoid, falling", ACTIVATION(HARD_SIGMOID, -1.1f, 0.5f, 0)},
	{"linear", ACTIVATION(LINEAR, 0.7f, -0.2f, 0)},
	{"leaky_relu", ACTIVATION(LEAKY_RELU, 0.1f, 0, 0)},
	{"prelu", ACTIVATION(PRELU, 0, 0, 0)},
	{"clipped_relu", ACTIVATION(CLIPPED_RELU, 0.2f, 0.4f, 0)},
	{"clipped_relu, below zero", ACTIVATION(CLIPPED_RELU, 0.5f, -0.1f, 0)},
	{"clipped_relu, falling", ACTIVATION(CLIPPED_RELU, -0.5f, 0.2f, 0)},
	{"clamp", ACTIVATION(CLAMP, -0.3f, 0.4f, 0)},
	{"abs", ACTIVATION(ABS, 0, 0, 0)},
	{"scaled_tanh", ACTIVATION(SCALED_TANH, 1.7159f, 0.6666667f, 0)},
	{"softplus", ACTIVATION(SOFTPLUS, 0.8f, 1.5f, 0)},
	{"softsign", ACTIVATION(SOFTSIGN, 0, 0, 0)},
	{"elu", ACTIVATION(ELU, 0.7f, 0, 0)},
	{"selu", ACTIVATION(SELU, 0, 0, 0)},
	{"celu", ACTIVATION(CELU, 0.6f, 0, 0)},
	{"power", ACTIVATION(POWER, 0.2f, 2.5f, 1.5f)},
	{"power, whole", ACTIVATION(POWER, 0.7f, 0.1f, 3)},
	{"power, negative", ACTIVATION(POWER, 0.1f, 2, -2)},
	{"exponential", ACTIVATION(EXPONENTIAL, 0.5f, 0.1f, -1)},
	{"exponential of 2", ACTIVATION(EXPONENTIAL, -0.5f, 0.1f, 2)},
	{"logarithm", ACTIVATION(LOGARITHM, 0.2f, 2.5f, -1)},
	{"logarithm of 10", ACTIVATION(LOGARITHM, 0.2f, 2.5f, 10)},
	{"gelu", ACTIVATION(GELU, 0, 0, 0)},
	{"gelu_tanh", ACTIVATION(GELU_TANH, 0.79788456f, 0.044715f, 0)},
	{"log_sigmoid", ACTIVATION(LOG_SIGMOID, 0, 0, 0)},
	{"silu", ACTIVATION(SILU, 0, 0, 0)},
	{"hard_swish", ACTIVATION(HARD_SWISH, 0.8f, 0.5f, 0)},
	{"hard_shrink", ACTIVATION(HARD_SHRINK, 0.3f, 0, 0)},
	{"soft_shrink", ACTIVATION(SOFT_SHRINK, 0.2f, 0, 0)},
	{"tanh_shrink", ACTIVATION(TANH_SHRINK, 0, 0, 0)},
	{"threshold", ACTIVATION(THRESHOLD, 0.1f, -0.4f, 0)},
};

static void test_all_kinds_listed(void **state)
{
#define COUNT(name, text) +1
	enum { KINDS = 0 SLUICE_ACTIVATION_MAP(COUNT) };
	int listed[KINDS] = {0};

	(void)state;
	listed[SLUICE_ACTIVATION_DEFAULT] = 1;
	for (size_t index = 0; index < LENGTH(ACTIVATIONS); index++)
		listed[ACTIVATIONS[index].activation.kind] = 1;
	for (int kind = 0; kind < KINDS; kind++)
		assert_true(listed[kind]);
}

/* One activation in one of the five places of an otherwise plain cell. */
static struct option_case activation_case(size_t index, int place)
{
	struct option_case one = {ACTIVATIONS[index].name, 0, SLUICE_MASK_SEQUENCE, 2, 0, {LAYER(.hidden = 3)}};
	sluice_layer *layer = &one.layers[0];
	sluice_activation *const places[] = {&layer->input_activation, &layer->forget_activation,
					     &layer->candidate_activation, &layer->output_activation,
					     &layer->cell_activation};

	*places[place] = ACTIVATIONS[index].activation;
	return one;
}

static void test_activations(void **state)
{
	(void)state;
	for (size_t index = 0; index < LENGTH(ACTIVATIONS); index++) {
		double worst = 0;

		for (int place = 0; place < SLUICE__ACTIVATIONS; place++) {
			struct option_case one = activation_case(index, place);

			worst = fmax(worst, check_case(&one));
		}
		print_message("%s in all places: worst error %.1e\n", ACTIVATIONS[index].name, worst);
	}
}

/* ----------------------------------------------------------------------------------------------- options ---- */

#define DIAGONAL .peephole = SLUICE_PEEPHOLE_DIAGONAL
#define FULL .peephole = SLUICE_PEEPHOLE_FULL
#define BOTH .direction = SLUICE_BIDIRECTIONAL
#define PRELU_EVERYWHERE                                                                                     \
	.input_activation = ACTIVATION(PRELU, 0, 0, 0), .forget_activation = ACTIVATION(PRELU, 0, 0, 0),     \
	.candidate_activation = ACTIVATION(PRELU, 0, 0, 0), .output_activation = ACTIVATION(PRELU, 0, 0, 0), \
	.cell_activation = ACTIVATION(PRELU, 0, 0, 0)

static const struct option_case PARTS[] = {
	{"diagonal peepholes", 0, 0, 0, 0, {LAYER(.hidden = 4, DIAGONAL)}},
	{"diagonal, c[t-1]", 0, 0, 0, 0, {LAYER(.hidden = 4, DIAGONAL, .peephole_previous = 1)}},
	{"full peepholes", 0, 0, 0, 0, {LAYER(.hidden = 4, FULL)}},
	{"full, c[t-1]", 0, 0, 0, 0, {LAYER(.hidden = 4, FULL, .peephole_previous = 1)}},
	{"full, one direction after the other", 0, 0, 0, 0, {LAYER(.hidden = 2, FULL, BOTH), LAYER(.hidden = 3, FULL)}},
	{"no peephole of f and o", 0, 0, 0, 0, {LAYER(.hidden = 4, FULL, .no_peepholes = 10)}},
	{"no peephole of i and g", 0, 0, 0, 0, {LAYER(.hidden = 4, DIAGONAL, .no_peepholes = 5)}},
	{"identity input", 0, 0, 4, 0, {LAYER(.hidden = 4, .input = SLUICE_INPUT_IDENTITY)}},
	{"identity input, both directions", 0, 0, 4, 0, {LAYER(.hidden = 4, .input = SLUICE_INPUT_IDENTITY, BOTH)}},
	{"input of gates", 0, 0, 12, 0, {LAYER(.hidden = 3, .input = SLUICE_INPUT_GATES)}},
	{"input of gates, both directions", 0, 0, 16, 0, {LAYER(.hidden = 2, .input = SLUICE_INPUT_GATES, BOTH)}},
	{"input of gates, second layer",
	 0,
	 0,
	 2,
	 0,
	 {LAYER(.hidden = 4, BOTH), LAYER(.hidden = 2, .input = SLUICE_INPUT_GATES)}},
	{"no W of i and o", 0, 0, 0, 0, {LAYER(.hidden = 4, .no_input_weights = 9)}},
	{"no W of f and g", 0, 0, 0, 0, {LAYER(.hidden = 4, .no_input_weights = 6)}},
	{"no R of i and f", 0, 0, 0, 0, {LAYER(.hidden = 4, .no_recurrent_weights = 3)}},
	{"no R of g and o", 0, 0, 0, 0, {LAYER(.hidden = 4, .no_recurrent_weights = 12)}},
	{"no R at all", 0, 0, 0, 0, {LAYER(.hidden = 4, .no_recurrent_weights = 15)}},
	{"no i", 0, 0, 0, 0, {LAYER(.hidden = 4, .no_gates = SLUICE_GATE_I, DIAGONAL)}},
	{"no f", 0, 0, 0, 0, {LAYER(.hidden = 4, .no_gates = SLUICE_GATE_F, DIAGONAL)}},
	{"no g", 0, 0, 4, 0, {LAYER(.hidden = 4, .no_gates = SLUICE_GATE_G, .input = SLUICE_INPUT_IDENTITY)}},
	{"no o", 0, 0, 0, 0, {LAYER(.hidden = 4, .no_gates = SLUICE_GATE_O, FULL)}},
	{"only g", 0, 0, 16, 0, {LAYER(.hidden = 4, .no_gates = 11, .input = SLUICE_INPUT_GATES)}},
	{"coupled", 0, 0, 0, 0, {LAYER(.hidden = 4, .coupled = 1)}},
	{"coupled, peepholes", 0, 0, 0, 0, {LAYER(.hidden = 4, .coupled = 1, FULL)}},
	{"PReLU everywhere", 0, 0, 0, 0, {LAYER(.hidden = 3, PRELU_EVERYWHERE)}},
	{"PReLU, both directions", 0, 0, 0, 3, {LAYER(.hidden = 2, PRELU_EVERYWHERE, BOTH), LAYER(.hidden = 2)}},
	{"projection", 0, 0, 0, 0, {LAYER(.hidden = 5, .projection = 3)}},
	{"projection wider than the cell", 0, 0, 0, 2, {LAYER(.hidden = 2, .projection = 5)}},
	{"projections of two layers",
	 0,
	 0,
	 2,
	 2,
	 {LAYER(.hidden = 4, .projection = 2, BOTH, .dropout = 0.4f), LAYER(.hidden = 3, .projection = 2)}},
	{"projection clip", 0, 0, 0, 0, {LAYER(.hidden = 5, .projection = 4, .projection_clip = 0.08f)}},
	{"cell clip", 0, 0, 0, 0, {LAYER(.hidden = 4, .cell_clip = 0.25f)}},
	{"cell clip, peepholes", 0, 0, 0, 0, {LAYER(.hidden = 4, .cell_clip = 0.25f, FULL)}},
	{"gate clip", 0, 0, 0, 0, {LAYER(.hidden = 4, .gate_clip = 0.5f)}},
	{"gate clip, coupled", 0, 0, 0, 0, {LAYER(.hidden = 4, .gate_clip = 0.5f, .coupled = 1)}},
	{"gate clip, PReLU", 0, 0, 0, 0, {LAYER(.hidden = 3, .gate_clip = 0.6f, .cell_clip = 0.3f, PRELU_EVERYWHERE)}},
	{"all clips",
	 0,
	 0,
	 2,
	 0,
	 {LAYER(.hidden = 3, .gate_clip = 0.6f, .cell_clip = 0.3f, .projection = 2, .projection_clip = 0.05f)}},
};

#define SEQUENCE SLUICE_MASK_SEQUENCE
#define UNIT SLUICE_MASK_UNIT
#define STEP SLUICE_MASK_STEP
#define DRAWN(shape) .recurrent_dropout = 0.4f, .recurrent_dropout_shape = shape
#define ZONEOUT .zoneout_h = 0.3f, .zoneout_c = 0.4f

static const struct option_case REGULARISATIONS[] = {
	{"mask for sequences", GIVEN_MASK, SEQUENCE, 0, 0, {LAYER(.hidden = 3, BOTH), LAYER(.hidden = 2)}},
	{"mask for units", GIVEN_MASK, UNIT, 0, 0, {LAYER(.hidden = 3, BOTH), LAYER(.hidden = 2)}},
	{"mask for steps", GIVEN_MASK, STEP, 0, 0, {LAYER(.hidden = 3, BOTH), LAYER(.hidden = 2)}},
	{"mask, evaluation", GIVEN_MASK | EVALUATION, STEP, 0, 0, {LAYER(.hidden = 4, DRAWN(STEP))}},
	{"mask, projection", GIVEN_MASK, STEP, 0, 0, {LAYER(.hidden = 3, .projection = 4), LAYER(.hidden = 2)}},
	{"drawn for sequences", 0, 0, 0, 0, {LAYER(.hidden = 3, BOTH, DRAWN(SEQUENCE)), LAYER(.hidden = 2)}},
	{"drawn for units", 0, 0, 0, 0, {LAYER(.hidden = 3, BOTH, DRAWN(UNIT)), LAYER(.hidden = 2)}},
	{"drawn for steps", 0, 0, 0, 0, {LAYER(.hidden = 3, BOTH, DRAWN(STEP)), LAYER(.hidden = 2)}},
	{"given and drawn", GIVEN_MASK, SEQUENCE, 0, 0, {LAYER(.hidden = 4, DRAWN(STEP), .projection = 3)}},
	{"zoneout", 0, 0, 0, 0, {LAYER(.hidden = 4, ZONEOUT)}},
	{"zoneout, evaluation", EVALUATION, 0, 0, 0, {LAYER(.hidden = 4, ZONEOUT)}},
	{"zoneout, peepholes", EVALUATION, 0, 0, 0, {LAYER(.hidden = 4, ZONEOUT, FULL)}},
	{"zoneout, peepholes at c[t-1]", 0, 0, 0, 0, {LAYER(.hidden = 4, ZONEOUT, DIAGONAL, .peephole_previous = 1)}},
	{"zoneout, mask, projection", GIVEN_MASK, STEP, 0, 0, {LAYER(.hidden = 4, ZONEOUT, .projection = 3)}},
	{"zoneout, clips", EVALUATION, 0, 0, 0, {LAYER(.hidden = 4, ZONEOUT, .cell_clip = 0.3f)}},
	{"DropConnect", 0, 0, 0, 0, {LAYER(.hidden = 3, BOTH, .dropconnect = 0.4f)}},
	{"DropConnect, mask, absent R",
	 GIVEN_MASK,
	 STEP,
	 2,
	 0,
	 {LAYER(.hidden = 4, .dropconnect = 0.4f, .no_recurrent_weights = 4, .projection = 3)}},
	{"last step only", LAST_ONLY, 0, 0, 0, {LAYER(.hidden = 3, BOTH)}},
	{"last step only, no final state",
	 LAST_ONLY | NO_DFINAL,
	 0,
	 0,
	 0,
	 {LAYER(.hidden = 3), LAYER(.hidden = 2, BOTH)}},
	{"last step only, reverse", LAST_ONLY, 0, 0, 3, {LAYER(.hidden = 3, .direction = SLUICE_REVERSE)}},
	{"last step only, dropout",
	 LAST_ONLY | NO_DFINAL,
	 0,
	 2,
	 3,
	 {LAYER(.hidden = 3, BOTH, .dropout = 0.3f), LAYER(.hidden = 2, BOTH, .dropout = 0.4f)}},
	{"everything",
	 GIVEN_MASK | LAST_ONLY,
	 STEP,
	 0,
	 2,
	 {LAYER(.hidden = 3, BOTH, .dropout = 0.3f, FULL, .projection = 2, .projection_clip = 0.2f, .cell_clip = 0.6f,
		.gate_clip = 1.2f, .coupled = 1, DRAWN(STEP), ZONEOUT, .dropconnect = 0.3f,
		.cell_activation = ACTIVATION(SOFTSIGN, 0, 0, 0)),
	  LAYER(.hidden = 4, .dropout = 0.2f, .input = SLUICE_INPUT_IDENTITY, DIAGONAL, .peephole_previous = 1,
		.no_gates = SLUICE_GATE_O, .no_recurrent_weights = SLUICE_GATE_F, DRAWN(UNIT), ZONEOUT,
		.input_activation = ACTIVATION(PRELU, 0, 0, 0))}},
};

static void test_parts(void **state)
{
	(void)state;
	check_cases(PARTS, LENGTH(PARTS));
}

static void test_regularisations(void **state)
{
	(void)state;
	check_cases(REGULARISATIONS, LENGTH(REGULARISATIONS));
}

/* A clip that holds nothing back, or everything, would test little: in these cases each does some of both. */
static void test_clips_are_met(void **state)
{
	(void)state;
	for (size_t index = 0; index < LENGTH(PARTS); index++) {
		const struct option_case *one = &PARTS[index];
		struct sluice__oracle_trace_f64 trace;
		struct subject subject;
		size_t held[3] = {0, 0, 0}, counts[3];
		const float limits[3] = {one->layers[0].gate_clip, one->layers[0].cell_clip,
					 one->layers[0].projection_clip};

		case_choose(one, &subject);
		forward(&subject, &trace);
		counts[1] = 15 * subject.network.cells[0].hidden;
		counts[0] = 4 * counts[1];
		counts[2] = 15 * subject.network.cells[0].out;
		for (size_t clip = 0; clip < 3; clip++) {
			const double *values[] = {trace.a[0], trace.p[0], trace.pq[0]};

			for (size_t k = 0; k < counts[clip]; k++)
				held[clip] += fabs(values[clip][k]) >= (double)limits[clip];
			if (limits[clip] != 0 && (held[clip] == 0 || held[clip] == counts[clip]))
				fail_msg("%s: clip %zu holds %zu of %zu", one->name, clip, held[clip], counts[clip]);
		}
		sluice__oracle_trace_destroy_f64(&trace);
		subject_destroy(&subject);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds_listed), cmocka_unit_test(test_activations),
		cmocka_unit_test(test_clips_are_met),    cmocka_unit_test(test_parts),
		cmocka_unit_test(test_regularisations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
