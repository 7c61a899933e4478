/*
 * mpsgraph.c: a program that uses mpsgraph.h, compiled as C and as C++: one LSTM of one unit, whose numbers are known,
 * its gradients, and a refusal that leaves a sentence.
 */
#include <sluice/mpsgraph.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 2, GATES = 4, FEEDS = 7, TARGETS = 2 };

static const MPSShape steps = {3, {STEPS, 1, 1}}, matrix = {2, {GATES, 1}}, row = {1, {GATES}}, state = {2, {1, 1}};

static sluice_mpsgraph_pair feed(MPSGraph *graph, const MPSShape *shape, float *numbers)
{
	sluice_mpsgraph_pair pair;
	pair.tensor = MPSGraph_placeholderWithShape_dataType_name(graph, shape, MPSDataTypeFloat32, NULL);
	pair.data = MPSGraphTensorData_initWithData_shape_dataType(numbers, shape, MPSDataTypeFloat32);
	return pair;
}

/* How many of two numbers are not as expected. */
static int differ(const MPSGraphTensorData *data, double first, double second)
{
	const float *numbers = (const float *)MPSGraphTensorData_data(data);
	return (fabs(numbers[0] - first) > 1e-5) + (fabs(numbers[1] - second) > 1e-5);
}

static int run(MPSGraph *graph, const sluice_mpsgraph_pair *feeds)
{
	MPSGraphLSTMDescriptor *descriptor = MPSGraphLSTMDescriptor_descriptor();
	MPSGraphTensor *targets[TARGETS];
	MPSGraphTensorData *results[TARGETS];
	MPSGraphLSTMResults lstm;
	int wrong = 0;
	MPSGraphLSTMDescriptor_setProduceCell(descriptor, 1);
	MPSGraphLSTMDescriptor_setTraining(descriptor, 1);
	lstm = MPSGraph_LSTM(graph, feeds[0].tensor, feeds[1].tensor, feeds[2].tensor, feeds[3].tensor, feeds[4].tensor,
			     feeds[5].tensor, NULL, NULL, descriptor, NULL);
	targets[0] = lstm.state;
	targets[1] = MPSGraph_LSTMGradients(graph, feeds[0].tensor, feeds[1].tensor, feeds[6].tensor, lstm.training,
					    lstm.cell, NULL, NULL, feeds[2].tensor, feeds[3].tensor, feeds[4].tensor,
					    feeds[5].tensor, NULL, NULL, descriptor, NULL)
			     .source;
	MPSGraphLSTMDescriptor_release(descriptor);
	if (MPSGraph_runWithFeeds_targetTensors_targetOperations(graph, feeds, FEEDS, targets, TARGETS, NULL, 0,
								 results) != 0)
		return 1;
	wrong += differ(results[0], 0.066238269444, -0.091652483483);
	wrong += differ(results[1], 0.427657017426, -0.040068524988);
	for (int k = 0; k < TARGETS; k++)
		MPSGraphTensorData_release(results[k]);
	return wrong;
}

int main(void)
{
	float x[] = {1, -2}, r[] = {0.2f, 0.4f, -0.6f, 0.7f}, w[] = {0.5f, -0.3f, 0.8f, 0.1f},
	      b[] = {0.1f, 0.2f, -0.1f, 0.05f}, h0[] = {0.3f}, c0[] = {-0.4f}, dy[] = {1, 1};
	sluice_mpsgraph_options options = SLUICE_MPSGRAPH_OPTIONS_INIT;
	MPSGraph *graph = MPSGraph_new();
	int wrong = sluice_mpsgraph_set_options(graph, &options) != 0;
	const sluice_mpsgraph_pair feeds[FEEDS] = {
		feed(graph, &steps, x),  feed(graph, &matrix, r), feed(graph, &matrix, w), feed(graph, &row, b),
		feed(graph, &state, h0), feed(graph, &state, c0), feed(graph, &steps, dy)};
	wrong += run(graph, feeds);
	wrong += MPSGraph_LSTM(graph, feeds[0].tensor, feeds[0].tensor, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
			 .count != 0;
	wrong += strlen(sluice_mpsgraph_last_message()) == 0;
	printf("mpsgraph: %s: %s\n", wrong ? "wrong" : "right", sluice_mpsgraph_last_message());
	for (int k = 0; k < FEEDS; k++)
		MPSGraphTensorData_release(feeds[k].data);
	MPSGraph_release(graph);
	return wrong;
}
