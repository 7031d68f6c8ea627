/* SPDX-License-Identifier: Apache-2.0
 * Trouble comes over a cluster. */
#include "cast.h"

#define RATE_MOST 500000

struct scene {
	struct world *w;
	const struct shape *shape;
	const struct trouble *t;
};

static uint32_t arg(const struct scene *s, size_t i)
{
	return (uint32_t)s->t->args[i];
}

/* @first, or the next one whose agent is there and goes; 0: none is. */
static uint32_t up_node(const struct scene *s, uint32_t first)
{
	for (uint32_t i = 0; i < s->shape->nodes; i++) {
		uint32_t n = 1 + (first - 1 + i) % s->shape->nodes;

		if (world_engine(s->w, n) && !world_suspended(s->w, n))
			return n;
	}
	return 0;
}

static void order(const struct scene *s, struct command *c)
{
	uint32_t n = up_node(s, arg(s, 1));

	if (n)
		world_send(s->w, n, c);
	else
		command_free(c);
}

/* ---- nodes ---- */

static void do_crash(const struct scene *s)
{
	if (world_powered(s->w, arg(s, 0)))
		world_crash(s->w, arg(s, 0));
}

static void do_boot(const struct scene *s)
{
	if (!world_powered(s->w, arg(s, 0)))
		world_boot(s->w, arg(s, 0));
}

static void do_power(const struct scene *s)
{
	(world_powered(s->w, arg(s, 0)) ? do_crash : do_boot)(s);
}

static void do_agent_kill(const struct scene *s)
{
	if (world_engine(s->w, arg(s, 0)) && !world_suspended(s->w, arg(s, 0)))
		world_agent_kill(s->w, arg(s, 0));
}

static void do_agent_start(const struct scene *s)
{
	if (world_powered(s->w, arg(s, 0)) && !world_engine(s->w, arg(s, 0)) && !world_suspended(s->w, arg(s, 0)))
		world_agent_start(s->w, arg(s, 0));
}

static void do_agent(const struct scene *s)
{
	(world_engine(s->w, arg(s, 0)) ? do_agent_kill : do_agent_start)(s);
}

static void do_split(const struct scene *s)
{
	world_split(s->w, arg(s, 0));
}

static void do_heal(const struct scene *s)
{
	world_split(s->w, 0);
}

static void do_clock(const struct scene *s)
{
	world_set_wall(s->w, arg(s, 0), s->t->args[1] * US_PER_MS);
}

static void do_clocks(const struct scene *s)
{
	for (uint32_t n = 1; n <= s->shape->nodes; n++)
		world_set_wall(s->w, n, s->t->args[0] * US_PER_MS);
}

static void do_suspend(const struct scene *s)
{
	world_suspend(s->w, arg(s, 0));
}

static void do_resume(const struct scene *s)
{
	world_resume(s->w, arg(s, 0));
}

static void do_stand(const struct scene *s)
{
	(world_suspended(s->w, arg(s, 0)) ? do_resume : do_suspend)(s);
}

static void do_rate(const struct scene *s)
{
	int64_t ppm = s->t->args[1];

	if (ppm >= -RATE_MOST && ppm <= RATE_MOST)
		world_set_rate(s->w, arg(s, 0), (int)ppm);
}

static void do_token(const struct scene *s)
{
	world_token_loss(s->w, arg(s, 0));
}

static void do_join(const struct scene *s)
{
	for (uint32_t n = 1; n <= s->shape->nodes; n++)
		if (!world_suspended(s->w, n))
			cast_join(s->w, n);
}

static void do_faults(const struct scene *s)
{
	struct world_faults f = { .hypervisor = arg(s, 0), .storage = arg(s, 1), .fence = arg(s, 2), .order = arg(s, 3),
				  .disk = arg(s, 4) };

	world_set_faults(s->w, &f);
}

/* ---- disks ---- */

static void do_disk(const struct scene *s)
{
	world_set_disk(s->w, arg(s, 0), s->t->args[1]);
}

static void do_stall(const struct scene *s)
{
	world_disk_stall(s->w, arg(s, 0), s->t->args[1] * US_PER_MS);
}

static void do_cut(const struct scene *s)
{
	world_disk_cut(s->w, arg(s, 0), arg(s, 1), arg(s, 2));
}

static void do_break(const struct scene *s)
{
	static const enum world_disk_fault faults[TROUBLE_KIND_MAX] = {
		[TROUBLE_DISK_FULL] = WORLD_DISK_FULL,
		[TROUBLE_DISK_EIO] = WORLD_DISK_EIO,
		[TROUBLE_DISK_FSYNC] = WORLD_DISK_FSYNC,
		[TROUBLE_DISK_WELL] = WORLD_DISK_WELL,
	};

	world_disk_break(s->w, arg(s, 0), faults[s->t->kind]);
}

static bool all_stores_sound(const struct scene *s)
{
	for (uint32_t n = 1; n <= s->shape->nodes; n++)
		if (world_disk_doubtful(s->w, n))
			return false;
	return true;
}

static void do_damage(const struct scene *s)
{
	uint32_t n = arg(s, 0);

	if (!world_all_current(s->w) || world_suspended(s->w, n) || !all_stores_sound(s))
		return;
	world_agent_kill(s->w, n);
	if (s->t->kind == TROUBLE_WIPE)
		world_disk_wipe(s->w, n);
	else
		world_disk_roll_back(s->w, n, arg(s, 1));
	world_agent_start(s->w, n);
}

static void do_lie(const struct scene *s)
{
	uint32_t n = arg(s, 0);

	if (!all_stores_sound(s))
		return;
	world_disk_lie(s->w, n, arg(s, 1));
	world_run(s->w, s->t->args[2] * US_PER_MS);
	if (world_powered(s->w, n) && world_all_current(s->w))
		world_crash(s->w, n);
	world_disk_lie(s->w, n, 0);
}

/* ---- power switches ---- */

static void do_device(const struct scene *s)
{
	static const enum world_fence_device devices[TROUBLE_KIND_MAX] = {
		[TROUBLE_DEVICE_APART] = WORLD_FENCE_APART,
		[TROUBLE_DEVICE_WITH_NODE] = WORLD_FENCE_WITH_NODE,
		[TROUBLE_DEVICE_LIES] = WORLD_FENCE_LIES,
	};

	world_set_fence_device(s->w, arg(s, 0), devices[s->t->kind]);
}

/* ---- guests by themselves ---- */

static void do_deed(const struct scene *s)
{
	static const enum sim_deed deeds[] = { SIM_DIES, SIM_POWERS_OFF, SIM_PANICS, SIM_REBOOTS, SIM_LOSES_DISK };
	uint32_t ask = up_node(s, 1);
	const struct guest *g = ask ? cluster_guest(s->w, ask, cast_name('g', arg(s, 0)).text) : NULL;

	if (g && g->owner.node)
		sim_guest_deed(world_guests(s->w), cast_name('n', g->owner.node).text, &g->uuid, deeds[s->t->kind - TROUBLE_DIES]);
}

/* ---- orders ---- */

static void do_guest(const struct scene *s)
{
	static const struct command commands[TROUBLE_KIND_MAX] = {
		[TROUBLE_START] = { .kind = CMD_GUEST_WANT, .desired = DESIRED_RUNNING },
		[TROUBLE_STOP] = { .kind = CMD_GUEST_WANT, .desired = DESIRED_STOPPED },
		[TROUBLE_STOP_NOW] = { .kind = CMD_GUEST_WANT, .desired = DESIRED_STOPPED, .stop_now = true },
		[TROUBLE_PAUSE] = { .kind = CMD_GUEST_WANT, .desired = DESIRED_PAUSED },
		[TROUBLE_MIGRATE] = { .kind = CMD_GUEST_MIGRATE },
		[TROUBLE_UNDEFINE] = { .kind = CMD_GUEST_UNDEFINE },
	};
	struct command c = commands[s->t->kind];

	STRCPY(c.name, cast_name('g', arg(s, 0)).text);
	order(s, &c);
}

static void do_define(const struct scene *s)
{
	struct command c = cast_definition(s->shape, arg(s, 0));

	order(s, &c);
}

static void do_volume(const struct scene *s)
{
	enum command_kind kind = s->t->kind == TROUBLE_VOLUME_CREATE ? CMD_VOLUME_CREATE : CMD_VOLUME_DELETE;
	struct command c = cluster_volume(kind, cast_name('v', arg(s, 0)).text);

	order(s, &c);
}

static void do_node(const struct scene *s)
{
	static const enum command_kind kinds[TROUBLE_KIND_MAX] = {
		[TROUBLE_DRAIN] = CMD_NODE_DRAIN, [TROUBLE_ACTIVATE] = CMD_NODE_ACTIVATE, [TROUBLE_FENCE] = CMD_NODE_FENCE
	};
	struct command c = { .kind = kinds[s->t->kind], .node = arg(s, 0) };

	order(s, &c);
}

static void do_confirm(const struct scene *s)
{
	struct command c = { .kind = CMD_NODE_CONFIRM_OFF, .node = arg(s, 0) };
	uint32_t ask = up_node(s, arg(s, 1));
	const struct node *n = ask ? model_node(engine_model(world_engine(s->w, ask)), c.node) : NULL;

	if (!n || world_powered(s->w, c.node))
		return;
	c.incarnation = n->incarnation;
	world_send(s->w, ask, &c);
}

static void (*const deeds[TROUBLE_KIND_MAX])(const struct scene *) = {
	[TROUBLE_POWER] = do_power,	     [TROUBLE_CRASH] = do_crash,	  [TROUBLE_BOOT] = do_boot,
	[TROUBLE_AGENT] = do_agent,	     [TROUBLE_AGENT_KILL] = do_agent_kill, [TROUBLE_AGENT_START] = do_agent_start,
	[TROUBLE_SPLIT] = do_split,	     [TROUBLE_HEAL] = do_heal,		  [TROUBLE_CLOCK] = do_clock,
	[TROUBLE_CLOCKS] = do_clocks,	     [TROUBLE_DISK] = do_disk,		  [TROUBLE_FAULTS] = do_faults,
	[TROUBLE_DIES] = do_deed,	     [TROUBLE_POWERS_OFF] = do_deed,	  [TROUBLE_PANICS] = do_deed,
	[TROUBLE_REBOOTS] = do_deed,	     [TROUBLE_LOSES_DISK] = do_deed,	  [TROUBLE_START] = do_guest,
	[TROUBLE_STOP] = do_guest,	     [TROUBLE_STOP_NOW] = do_guest,	  [TROUBLE_PAUSE] = do_guest,
	[TROUBLE_MIGRATE] = do_guest,	     [TROUBLE_UNDEFINE] = do_guest,	  [TROUBLE_DEFINE] = do_define,
	[TROUBLE_DRAIN] = do_node,	     [TROUBLE_ACTIVATE] = do_node,	  [TROUBLE_FENCE] = do_node,
	[TROUBLE_CONFIRM_OFF] = do_confirm,  [TROUBLE_VOLUME_CREATE] = do_volume, [TROUBLE_VOLUME_DELETE] = do_volume,
	[TROUBLE_SUSPEND] = do_suspend,	     [TROUBLE_RESUME] = do_resume,	  [TROUBLE_STAND] = do_stand,
	[TROUBLE_RATE] = do_rate,	     [TROUBLE_TOKEN] = do_token,	  [TROUBLE_JOIN] = do_join,
	[TROUBLE_STALL] = do_stall,	     [TROUBLE_CUT] = do_cut,		  [TROUBLE_DISK_FULL] = do_break,
	[TROUBLE_DISK_EIO] = do_break,	     [TROUBLE_DISK_FSYNC] = do_break,	  [TROUBLE_DISK_WELL] = do_break,
	[TROUBLE_ROLL_BACK] = do_damage,     [TROUBLE_WIPE] = do_damage,	  [TROUBLE_LIE] = do_lie,
	[TROUBLE_DEVICE_APART] = do_device,  [TROUBLE_DEVICE_WITH_NODE] = do_device, [TROUBLE_DEVICE_LIES] = do_device,
};

void trouble_do(struct world *w, const struct shape *shape, const struct trouble *t)
{
	struct scene s = { w, shape, t };

	if (deeds[t->kind])
		deeds[t->kind](&s);
}
