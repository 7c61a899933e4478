/* curve.c: draws the loss curve itself, because an SVG of two lines and two axes needs no library. */
#include "curve.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tasks.h"

#define POINTS SLUICE__SERIES_POINTS

void sluice__series_begin(struct sluice__series *series)
{
	*series = (struct sluice__series){.width = 1};
}

static void merge_neighbours(struct sluice__series *series)
{
	for (size_t k = 0; k < POINTS / 2; k++) {
		series->x[k] = series->x[2 * k + 1];
		series->sum[k] = series->sum[2 * k] + series->sum[2 * k + 1];
	}
	for (size_t k = POINTS / 2; k < POINTS; k++)
		series->x[k] = series->sum[k] = 0;
	series->width *= 2;
}

void sluice__series_add(struct sluice__series *series, double x, double y)
{
	if (series->samples == series->width * POINTS)
		merge_neighbours(series);
	size_t k = (size_t)(series->samples / series->width);
	series->x[k] = x;
	series->sum[k] += y;
	series->samples++;
}

static size_t point_count(const struct sluice__series *series)
{
	return (size_t)ceil(series->samples / series->width);
}

/* Mean of a point in bits. */
static double point_bits(const struct sluice__series *series, size_t k)
{
	double samples = fmin(series->width, series->samples - (double)k * series->width);
	return SLUICE__BITS(series->sum[k] / samples);
}

/* The picture: its size, and the part of it inside the axes. */
enum { WIDTH = 800, HEIGHT = 480, LEFT = 70, RIGHT = 780, TOP = 40, BOTTOM = 420 };

struct axes {
	double x_high, y_low, y_high;
};

static double place_x(const struct axes *axes, double x)
{
	return LEFT + (RIGHT - LEFT) * x / axes->x_high;
}

static double place_y(const struct axes *axes, double y)
{
	return BOTTOM - (BOTTOM - TOP) * (y - axes->y_low) / (axes->y_high - axes->y_low);
}

/* A step of 1, 2 or 5 times a power of ten that gives about six marks in a range. */
static double mark_step(double range)
{
	double step = pow(10.0, floor(log10(range / 6)));
	if (range / step > 30)
		return 5 * step;
	return range / step > 12 ? 2 * step : step;
}

static void widen(struct axes *axes, const struct sluice__series *series)
{
	for (size_t k = 0; k < point_count(series); k++) {
		axes->x_high = fmax(axes->x_high, series->x[k]);
		axes->y_low = fmin(axes->y_low, point_bits(series, k));
		axes->y_high = fmax(axes->y_high, point_bits(series, k));
	}
}

static struct axes choose_axes(const struct sluice__series *training, const struct sluice__series *validation)
{
	struct axes axes = {.x_high = 1, .y_low = INFINITY, .y_high = -INFINITY};
	widen(&axes, training);
	widen(&axes, validation);
	if (!(axes.y_low < axes.y_high)) { /* nothing, or one level line */
		axes.y_low = isfinite(axes.y_low) ? axes.y_low - 0.5 : 0;
		axes.y_high = axes.y_low + 1;
	}
	double step = mark_step(axes.y_high - axes.y_low);
	axes.y_low = step * floor(axes.y_low / step);
	axes.y_high = step * ceil(axes.y_high / step);
	return axes;
}

static void draw_axes(FILE *file, const struct axes *axes)
{
	double step = mark_step(axes->x_high);
	for (double x = 0; x <= axes->x_high * (1 + 1e-9); x += step)
		fprintf(file,
			"<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#ddd\"/>\n"
			"<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.10g</text>\n",
			place_x(axes, x), TOP, place_x(axes, x), BOTTOM, place_x(axes, x), BOTTOM + 18, x);
	step = mark_step(axes->y_high - axes->y_low);
	for (double y = axes->y_low; y <= axes->y_high + 0.5 * step; y += step)
		fprintf(file,
			"<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>\n"
			"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n",
			LEFT, place_y(axes, y), RIGHT, place_y(axes, y), LEFT - 8, place_y(axes, y) + 4, y);
	fprintf(file, "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#000\"/>\n", LEFT, TOP, BOTTOM, RIGHT);
	fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">updates</text>\n", (LEFT + RIGHT) / 2,
		BOTTOM + 42);
	fprintf(file,
		"<text x=\"20\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 20 %d)\">loss, bits per "
		"character</text>\n",
		(TOP + BOTTOM) / 2, (TOP + BOTTOM) / 2);
}

static void draw_line(FILE *file, const struct axes *axes, const struct sluice__series *series, const char *name,
		      const char *colour, int dots, int legend_y)
{
	fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", colour);
	for (size_t k = 0; k < point_count(series); k++)
		fprintf(file, "%s%.1f,%.1f", k ? " " : "", place_x(axes, series->x[k]),
			place_y(axes, point_bits(series, k)));
	fprintf(file, "\"/>\n");
	for (size_t k = 0; k < point_count(series) && dots; k++)
		fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n", place_x(axes, series->x[k]),
			place_y(axes, point_bits(series, k)), colour);
	fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"%s\">%s</text>\n", RIGHT - 10, legend_y,
		colour, name);
}

sluice_status sluice__curve_write(const char *path, const struct sluice__series *training,
				  const struct sluice__series *validation)
{
	struct axes axes = choose_axes(training, validation);
	FILE *file = fopen(path, "w");
	if (!file)
		return sluice_fail(SLUICE_IO, "curve %s: %s", path, strerror(errno));
	fprintf(file,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
		"font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
		"<text x=\"%d\" y=\"24\" text-anchor=\"middle\" font-size=\"16\">Loss by update</text>\n",
		WIDTH, HEIGHT, WIDTH, HEIGHT, (LEFT + RIGHT) / 2);
	draw_axes(file, &axes);
	draw_line(file, &axes, training, "training", "#1f6fb4", 0, TOP + 20);
	draw_line(file, &axes, validation, "validation", "#d1495b", 1, TOP + 40);
	fprintf(file, "</svg>\n");
	int broken = ferror(file);
	if (fclose(file) != 0 || broken)
		return sluice_fail(SLUICE_IO, "curve %s: %s", path, strerror(errno));
	return SLUICE_OK;
}
