/* SPDX-License-Identifier: Apache-2.0
 * Random trouble, from one number. */
#include "trouble.h"

#define RUN 30			/* troubles before all must settle */
#define GAP_MS 3000
/* After a guest is told to migrate: when it stands still, and both ends say their word (sim_conf_default's times together). */
#define HAND_OVER_US (360 * US_PER_MS)
#define HAND_OVER_WIDTH_US (30 * US_PER_MS)

static uint32_t pick(uint64_t *random, uint32_t n)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*random >> 33) % n;
}

static int64_t some(uint64_t *random, uint32_t n)
{
	return 1 + pick(random, n);
}

typedef void draw_fn(uint64_t *random, const struct shape *s, int64_t *args);

static void draw_node(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = some(random, s->nodes);
}

static void draw_none(uint64_t *random, const struct shape *s, int64_t *args)
{
	(void)random, (void)s, (void)args;
}

static void draw_split(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = s->nodes > 3 ? pick(random, 1u << s->nodes) : 1u << pick(random, s->nodes);
}

static void draw_clock(uint64_t *random, const struct shape *s, int64_t *args)
{
	static const int64_t jumps_ms[] = { 0, 1000, -1000, 30000, -30000, 86400000, -86400000 };

	args[0] = some(random, s->nodes);
	args[1] = jumps_ms[pick(random, ARRAY_SIZE(jumps_ms))];
}

/* Ledger time is behind the clocks then, or they are behind it. */
static void draw_clocks(uint64_t *random, const struct shape *s, int64_t *args)
{
	static const int64_t jumps_ms[] = { 3600000, -3600000, 60000, 0 };

	(void)s;
	args[0] = jumps_ms[pick(random, ARRAY_SIZE(jumps_ms))];
}

static void draw_disk(uint64_t *random, const struct shape *s, int64_t *args)
{
	static const int64_t times_us[] = { WORLD_DISK_US, 5 * US_PER_MS, 60 * US_PER_MS, 400 * US_PER_MS, 1500 * US_PER_MS };

	args[0] = some(random, s->nodes);
	args[1] = times_us[pick(random, ARRAY_SIZE(times_us))];
}

static void draw_faults(uint64_t *random, const struct shape *s, int64_t *args)
{
	(void)s;
	args[0] = pick(random, 2) * 12;
	args[1] = pick(random, 2) * 10;
	args[2] = pick(random, 2) * 40;
	args[3] = pick(random, 2) * 30;
	args[4] = pick(random, 2) * 50;
}

static void draw_rate(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = some(random, s->nodes);
	args[1] = (int64_t)pick(random, 100001) - 50000;
}

static void draw_stall(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = some(random, s->nodes);
	args[1] = some(random, 8) * 1000;
}

static void draw_cut(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = some(random, s->nodes);
	args[1] = some(random, 6);
	args[2] = pick(random, 2);
}

static void draw_roll_back(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = some(random, s->nodes);
	args[1] = some(random, 12);
}

static void draw_lie(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = some(random, s->nodes);
	args[1] = some(random, 6);
	args[2] = pick(random, 2000);
}

static void draw_guest(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = some(random, s->guests);
	args[1] = some(random, s->nodes);
}

static void draw_nodes(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = some(random, s->nodes);
	args[1] = some(random, s->nodes);
}

static void draw_volume(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = some(random, 2 * s->guests);
	args[1] = some(random, s->nodes);
}

/* Every fourth guest is undefined and defined again. */
static void draw_fourth(uint64_t *random, const struct shape *s, int64_t *args)
{
	args[0] = s->guests < 4 ? s->guests : 4 * some(random, s->guests / 4);
	args[1] = some(random, s->nodes);
}

/* A kind is drawn as often as its weight says. */
struct draw_row {
	enum trouble_kind kind;
	unsigned weight;
	draw_fn *draw;
};

static const struct draw_row rows[] = {
	{ TROUBLE_POWER, 10, draw_node },	  { TROUBLE_AGENT, 20, draw_node },	    { TROUBLE_SPLIT, 10, draw_split },
	{ TROUBLE_HEAL, 10, draw_none },	  { TROUBLE_START, 22, draw_guest },	    { TROUBLE_STOP, 3, draw_guest },
	{ TROUBLE_STOP_NOW, 3, draw_guest },	  { TROUBLE_PAUSE, 4, draw_guest },	    { TROUBLE_MIGRATE, 30, draw_guest },
	{ TROUBLE_DRAIN, 5, draw_nodes },	  { TROUBLE_ACTIVATE, 5, draw_nodes },	    { TROUBLE_DIES, 2, draw_guest },
	{ TROUBLE_POWERS_OFF, 2, draw_guest },	  { TROUBLE_PANICS, 2, draw_guest },	    { TROUBLE_REBOOTS, 2, draw_guest },
	{ TROUBLE_LOSES_DISK, 2, draw_guest },	  { TROUBLE_FENCE, 10, draw_nodes },	    { TROUBLE_CLOCK, 10, draw_clock },
	{ TROUBLE_CLOCKS, 10, draw_clocks },	  { TROUBLE_DISK, 20, draw_disk },	    { TROUBLE_FAULTS, 30, draw_faults },
	{ TROUBLE_CONFIRM_OFF, 10, draw_nodes },  { TROUBLE_VOLUME_CREATE, 5, draw_volume }, { TROUBLE_VOLUME_DELETE, 5, draw_volume },
	{ TROUBLE_DEFINE, 5, draw_fourth },	  { TROUBLE_UNDEFINE, 5, draw_fourth },	    { TROUBLE_STAND, 30, draw_node },
	{ TROUBLE_RATE, 10, draw_rate },	  { TROUBLE_TOKEN, 10, draw_node },	    { TROUBLE_JOIN, 10, draw_none },
	{ TROUBLE_STALL, 10, draw_stall },	  { TROUBLE_CUT, 10, draw_cut },	    { TROUBLE_DISK_FULL, 3, draw_node },
	{ TROUBLE_DISK_EIO, 3, draw_node },	  { TROUBLE_DISK_FSYNC, 2, draw_node },	    { TROUBLE_DISK_WELL, 2, draw_node },
	{ TROUBLE_ROLL_BACK, 5, draw_roll_back }, { TROUBLE_WIPE, 5, draw_node },	    { TROUBLE_LIE, 10, draw_lie },
	{ TROUBLE_DEVICE_APART, 4, draw_node },	  { TROUBLE_DEVICE_WITH_NODE, 5, draw_node }, { TROUBLE_DEVICE_LIES, 1, draw_node },
};

static const struct draw_row *pick_row(uint64_t *random)
{
	unsigned sum = 0, at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		sum += rows[i].weight;
	at = pick(random, sum);
	for (i = 0; at >= rows[i].weight; i++)
		at -= rows[i].weight;
	return &rows[i];
}

/* Half of them come so close together that one meets what the other has begun. */
static int64_t gap_us(uint64_t *random, enum trouble_kind after)
{
	if (after == TROUBLE_MIGRATE && !pick(random, 3))
		return HAND_OVER_US + pick(random, HAND_OVER_WIDTH_US);
	return (int64_t)pick(random, GAP_MS) * US_PER_MS / (pick(random, 2) ? 1 : 100);
}

void trouble_draw(uint64_t *random, const struct shape *shape, troubles *out)
{
	int64_t at_us = 0;

	for (int i = 0; i < RUN; i++) {
		const struct draw_row *row = pick_row(random);
		struct trouble t = { .at_us = at_us, .kind = row->kind };

		row->draw(random, shape, t.args);
		vec_push(out, t);
		at_us += gap_us(random, row->kind);
	}
	vec_push(out, (struct trouble){ .at_us = at_us, .kind = TROUBLE_SETTLE });
}
