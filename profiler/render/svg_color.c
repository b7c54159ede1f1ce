/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/svg_color.h"

#include <math.h>
#include <string.h>

/* A hash that never changes, unlike the one of the tables in memory: colours are compared across graphs (FNV-1a). */
static uint32_t stable_hash(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	hash ^= hash >> 15;
	hash *= 0x2c1b3c6du;
	return hash ^ hash >> 13;
}

static uint32_t channel(double linear)
{
	double value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;

	return value <= 0 ? 0 : value >= 1 ? 255 : (uint32_t)lround(value * 255);
}

/* Equal lightness looks equally light in every hue, as HSL's does not. https://bottosson.github.io/posts/oklab/ */
static uint32_t oklch(double lightness, double chroma, double hue)
{
	double a = chroma * cos(hue * M_PI / 180), b = chroma * sin(hue * M_PI / 180);
	double l = lightness + 0.3963377774 * a + 0.2158037573 * b;
	double m = lightness - 0.1055613458 * a - 0.0638541728 * b;
	double s = lightness - 0.0894841775 * a - 1.2914855480 * b;

	l = l * l * l;
	m = m * m * m;
	s = s * s * s;
	return channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s) << 16 |
	       channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s) << 8 |
	       channel(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
}

struct shade {
	double lightness, chroma;
	double hue;    /* by function: where the band begins; by container: turned away from the tower's hue */
	double spread; /* width of the band */
};

static const struct shade by_function[] = {
	[FRAME_USER] = {0.860, 0.115, 70, 30},	     [FRAME_KERNEL] = {0.770, 0.125, 28, 20},
	[FRAME_JIT] = {0.850, 0.130, 128, 24},	     [FRAME_INLINED] = {0.900, 0.060, 190, 30},
	[FRAME_DELIMITER] = {0.840, 0.012, 250, 20}, [FRAME_PYTHON] = {0.840, 0.095, 235, 26},
};

static const struct shade by_container[] = {
	[FRAME_USER] = {0.855, 0.085, -6, 12},	   [FRAME_KERNEL] = {0.760, 0.040, -4, 8},
	[FRAME_JIT] = {0.870, 0.125, 42, 8},	   [FRAME_INLINED] = {0.925, 0.040, -6, 12},
	[FRAME_DELIMITER] = {0.780, 0.105, -2, 4}, [FRAME_PYTHON] = {0.860, 0.110, -48, 10},
};

static uint32_t shaded(const struct shade *shade, double base_hue, double chroma_share, uint32_t hash)
{
	double turn = (hash & 0xff) / 255.0, light = ((hash >> 8) & 0xff) / 255.0 - 0.5;

	return oklch(shade->lightness + light * 0.045, shade->chroma * chroma_share,
		     base_hue + shade->hue + turn * shade->spread);
}

static double chroma_of(int hue)
{
	return hue == SVG_HUE_NONE ? 0.12 : 1;
}

static double degrees(int hue)
{
	return hue == SVG_HUE_NONE ? 250 : hue;
}

int svg_tower_hue(struct svg_hues *hues, const char *name)
{
	uint32_t slot = stable_hash(name) % SVG_HUES;

	if (!strcmp(name, "host") || !strcmp(name, "kernel"))
		return SVG_HUE_NONE;
	for (unsigned int tries = 0; hues->count < SVG_HUES && hues->taken[slot] && tries < SVG_HUES; tries++)
		slot = (slot + 5) % SVG_HUES;
	if (!hues->taken[slot]) {
		hues->taken[slot] = true;
		hues->count++;
	}
	return (int)(slot * (360 / SVG_HUES) + 20) % 360;
}

uint32_t svg_color(const struct call_tree *tree, const struct call_tree_frame *frame, enum svg_palette palette,
		   bool tower, int hue)
{
	enum frame_kind kind;
	uint32_t hash;
	double share;

	if (!frame)
		return oklch(0.90, 0.008, 90);
	kind = frame->kind < FRAME_KINDS ? frame->kind : FRAME_USER;
	hash = stable_hash(string_table_text(&tree->strings, frame->name));
	if (palette == SVG_BY_CONTAINER && tower)
		return oklch(0.73, 0.125 * chroma_of(hue), degrees(hue));
	/* What has no name is paler than what has one. */
	share = frame->named || kind == FRAME_DELIMITER ? 1 : 0.35;
	if (palette == SVG_BY_CONTAINER)
		return shaded(&by_container[kind], degrees(hue), share * chroma_of(hue), hash);
	return shaded(&by_function[kind], 0, share, hash);
}

uint32_t svg_kind_color(enum frame_kind kind, enum svg_palette palette, int hue)
{
	if (palette == SVG_BY_CONTAINER)
		return shaded(&by_container[kind], degrees(hue), chroma_of(hue), 0x8080);
	return shaded(&by_function[kind], 0, 1, 0x8080);
}
