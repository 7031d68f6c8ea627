/* SPDX-License-Identifier: Apache-2.0
 * Whether a cluster comes into order when its trouble is over. */
#include "settle.h"

#include "cast.h"

#include <string.h>

#define S US_PER_S
#define LOOKS 10
#define SETTLE_US (400 * S)	/* a migration to a silent peer may take its whole deadline of 300 s */

struct quiet {
	struct world *w;
	const struct shape *shape;
};

/* Everything in order again, but for who is off. */
static void make_good(const struct quiet *q)
{
	static const struct world_faults none;

	world_split(q->w, 0);
	world_set_faults(q->w, &none);
	for (uint32_t n = 1; n <= q->shape->nodes; n++) {
		world_set_disk(q->w, n, WORLD_DISK_US);
		world_set_wall(q->w, n, 0);
		world_disk_break(q->w, n, WORLD_DISK_WELL);
		world_disk_cut(q->w, n, 0, false);
		world_set_rate(q->w, n, 0);
		world_set_fence_device(q->w, n, WORLD_FENCE_APART);
		world_resume(q->w, n);
	}
}

static bool has_failed(struct world *w, uint32_t n)
{
	struct engine_status s;

	if (!world_engine(w, n))
		return false;
	engine_status(world_engine(w, n), &s);
	return s.ledger.role == LEDGER_FAILED;
}

/* Whoever was fenced in the end has to be switched on; a store that has failed, or has lost something, is a person's turn too. */
static void boot_all(const struct quiet *q)
{
	for (uint32_t n = 1; n <= q->shape->nodes; n++) {
		if (!world_powered(q->w, n)) {
			world_boot(q->w, n);
		} else if (has_failed(q->w, n)) {
			world_agent_kill(q->w, n);
			world_agent_start(q->w, n);
		} else {
			cast_join(q->w, n);
		}
	}
}

static void start_agents(const struct quiet *q)
{
	for (uint32_t n = 1; n <= q->shape->nodes; n++)
		if (world_powered(q->w, n) && !world_engine(q->w, n))
			world_agent_start(q->w, n);
}

static bool is_current(struct world *w, uint32_t n)
{
	struct engine_status s;

	engine_status(world_engine(w, n), &s);
	return s.current;
}

static bool first_current(struct world *w, void *ctx)
{
	boot_all(ctx);
	return world_engine(w, 1) && is_current(w, 1);
}

/* One that has left is let in again (see boot_all). */
static bool all_nodes_known(struct world *w, void *ctx)
{
	const struct quiet *q = ctx;

	if (!first_current(w, ctx))
		return false;
	for (uint32_t n = 1; n <= q->shape->nodes; n++)
		if (!model_node(engine_model(world_engine(w, 1)), n))
			return false;
	return true;
}

/* Tried until it is done, for the trouble before may still take an effect. @c owns nothing. */
static int ask(struct quiet *q, const struct command *c)
{
	struct command copy;
	struct err err;
	int rc;

	do {
		if (!world_until(q->w, first_current, q, 100 * S) || world_excused(q->w))
			return -ENOTCONN;
		copy = *c;
		rc = world_order(q->w, 1, &copy, &err);
	} while (rc == -EAGAIN || rc == -ETIMEDOUT || rc == -ENODATA);
	return rc;
}

/* Nodes that were drained take guests again. */
static bool activate_all(struct quiet *q)
{
	if (!world_until(q->w, all_nodes_known, q, 100 * S))
		return false;
	for (uint32_t n = 1; n <= q->shape->nodes; n++) {
		struct command c = { .kind = CMD_NODE_ACTIVATE, .node = n };

		if (ask(q, &c) < 0)
			return false;
	}
	return true;
}

/* Given up, or stopped by its disk: a person has to say that it is to go on. */
static bool waits_for_a_person(const struct guest *g)
{
	return (g->state == GUEST_HELD || g->state == GUEST_IO_ERROR) && g->desired != DESIRED_STOPPED;
}

static bool has_volumes(const struct model *m, const struct guest *g)
{
	const struct guest_volume *v;

	vec_each(v, &g->volumes) {
		const struct volume *volume = model_volume(m, v->pool, v->name);

		if (!volume || volume->state != VOLUME_READY)
			return false;
	}
	return true;
}

/* Says whether there was one to be started. */
static bool start_all_waiting(struct quiet *q)
{
	bool any = false;

	for (int64_t i = 1; i <= q->shape->guests; i++) {
		struct command c = { .kind = CMD_GUEST_WANT, .desired = DESIRED_RUNNING };
		const struct guest *g = cluster_guest(q->w, 1, cast_name('g', i).text);

		if (!g || !waits_for_a_person(g) || !has_volumes(engine_model(world_engine(q->w, 1)), g))
			continue;
		any = true;
		STRCPY(c.name, g->name);
		if (ask(q, &c) == -ENOTCONN)
			break;
	}
	return any;
}

static bool guest_settled(const struct guest *g)
{
	if (g->operation || g->move.phase != MOVE_NONE || g->wants_move)
		return false;
	if (waits_for_a_person(g))
		return true;		/* see comes_to_rest */
	return g->state == (enum guest_state[]){ GUEST_STOPPED, GUEST_RUNNING, GUEST_PAUSED }[g->desired];
}

static bool model_settled(const struct model *m)
{
	struct map_iter it = { 0 }, it2 = { 0 };
	const struct guest *g;
	const struct node *n;

	while ((g = map_next(m->guests, &it)))
		if (!guest_settled(g))
			return false;
	while ((n = map_next(m->nodes, &it2)))
		if (!node_online(n) || n->fence_operation || n->fence_wanted)
			return false;
	return map_count(m->operations) == 0;
}

static bool settled(struct world *w, void *ctx)
{
	const struct quiet *q = ctx;

	boot_all(q);
	for (uint32_t n = 1; n <= q->shape->nodes; n++)
		if (!world_engine(w, n) || !is_current(w, n) || !model_settled(engine_model(world_engine(w, n))))
			return false;
	return true;
}

static bool same_state(struct world *w, void *ctx)
{
	const struct quiet *q = ctx;
	char a[65], b[65];

	if (!settled(w, ctx))
		return false;
	for (uint32_t n = 2; n <= q->shape->nodes; n++)
		if (engine_model(world_engine(w, 1))->index != engine_model(world_engine(w, n))->index)
			return false;
	engine_digest(world_engine(w, 1), a);
	for (uint32_t n = 2; n <= q->shape->nodes; n++)
		if (strcmp(a, engine_digest(world_engine(w, n), b)))
			return false;
	return true;
}

static void count_process(void *ctx, const struct sim_seen *seen)
{
	(void)seen;
	++*(size_t *)ctx;
}

/* What the model says runs, and nothing else. */
static bool processes_agree(struct world *w)
{
	const struct model *m = engine_model(world_engine(w, 1));
	struct map_iter it = { 0 };
	const struct guest *g;
	size_t owned = 0, there = 0;

	while ((g = map_next(m->guests, &it))) {
		owned += g->owner.node != 0;
		if (sim_world_running(world_guests(w), &g->uuid) != (g->state == GUEST_RUNNING))
			return false;
	}
	sim_world_walk(world_guests(w), count_process, &there);
	return owned == there;
}

/* A volume is open where its guest's process is, privately, and nowhere else. */
static bool volumes_agree(const struct quiet *q)
{
	const struct model *m = engine_model(world_engine(q->w, 1));
	const struct storage_world *disks = world_disks(q->w);

	for (int64_t i = 1; i <= 2 * q->shape->guests; i++) {
		struct cast_name volume = cast_name('v', i);
		const struct guest *user = model_volume_user(m, CLUSTER_POOL, volume.text);
		bool used = user && user->owner.node;

		if (storage_world_users(disks, CLUSTER_POOL_PATH, volume.text, ACCESS_PRIVATE) != used ||
		    storage_world_users(disks, CLUSTER_POOL_PATH, volume.text, ACCESS_SHARED))
			return false;
	}
	return true;
}

/* Eight times their bound while somebody fetches from them. */
static bool logs_are_short(const struct quiet *q)
{
	struct engine_status s;

	for (uint32_t n = 1; n <= q->shape->nodes; n++) {
		engine_status(world_engine(q->w, n), &s);
		if (q->shape->log_entries && s.ledger.applied - s.ledger.snapshot > 8 * q->shape->log_entries)
			return false;
	}
	return true;
}

/* What a disk did during a migration is told only when that is over: so a person looks again, a few times. */
static bool comes_to_rest(struct quiet *q)
{
	for (int i = 0; i < LOOKS; i++) {
		if (!world_until(q->w, settled, q, SETTLE_US))
			return false;
		world_run(q->w, 3 * S);
		if (settled(q->w, q) && !start_all_waiting(q))
			return true;
	}
	return false;
}

const char *settle(struct world *w, const struct shape *shape)
{
	struct quiet q = { w, shape };

	make_good(&q);
	start_agents(&q);
	boot_all(&q);
	if (!activate_all(&q) || !comes_to_rest(&q))
		return "it does not settle";
	if (!world_until(w, same_state, &q, 100 * S))
		return "the replicas differ";
	if (!processes_agree(w))
		return "what runs is not what the model says";
	if (!volumes_agree(&q))
		return "what is open is not what the model says";
	if (!logs_are_short(&q))
		return "a log is too long";
	return NULL;
}

static void explain_model(struct world *w, uint32_t node, struct buf *out)
{
	const struct model *m = engine_model(world_engine(w, node));
	struct map_iter guest_it = { 0 }, op_it = { 0 };
	const struct operation *op;
	const struct guest *g;
	struct engine_status s;

	engine_status(world_engine(w, node), &s);
	buf_printf(out, "n%u (%s) at %llu\n", node, s.why_not, (unsigned long long)m->index);
	while ((g = map_next(m->guests, &guest_it)))
		buf_printf(out, "  %s: %s wants %s, n%u, operation %llu, %s\n", g->name, guest_state_text(g->state),
			   desired_text(g->desired), g->owner.node, (unsigned long long)g->operation, move_phase_text(g->move.phase));
	while ((op = map_next(m->operations, &op_it)))
		buf_printf(out, "  operation %llu: %s of %s%s by n%u\n", (unsigned long long)op->id, op_kind_text(op->kind), op->guest,
			   op->volume, op->node);
}

void settle_explain(struct world *w, const struct shape *shape, struct buf *out)
{
	for (uint32_t n = 1; n <= shape->nodes; n++)
		if (world_engine(w, n))
			explain_model(w, n, out);
}
