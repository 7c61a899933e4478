/* curve.h: the losses of a whole course in little memory of fixed size, and their picture. */
#ifndef SLUICE_TRAIN_CURVE_H
#define SLUICE_TRAIN_CURVE_H

#include "sluice/sluice.h"

#define SLUICE__SERIES_POINTS 256

/* Points of a curve. Each stands for `width` samples; when all are used, neighbours are merged and width doubles. Only
 * doubles, so that a checkpoint stores it as one array. */
struct sluice__series {
	double width, samples;             /* both whole numbers */
	double x[SLUICE__SERIES_POINTS];   /* of the last sample of each point */
	double sum[SLUICE__SERIES_POINTS]; /* of its samples */
};

void sluice__series_begin(struct sluice__series *series);
void sluice__series_add(struct sluice__series *series, double x, double y);

/* Writes training and validation loss (natural logarithm per character) over the updates as an SVG picture in bits per
 * character. Errors: IO. */
sluice_status sluice__curve_write(const char *path, const struct sluice__series *training,
				  const struct sluice__series *validation);

#endif
